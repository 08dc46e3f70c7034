"""Variational mean-field learning of restricted Boltzmann machines with ±1 synapses.

The way through: `packing` → `variational` ⇄ (`data_terms`, `dual` → `cavity`, `tap`, `chains`) → `climb`, `learning` or
`inference` → FitResult → `observables`, or → `machines`, `likelihood`; `archives` writes the files of `checkpoints` and
`storage`; `exact`, `enumeration`, `vamp`, `theory`, `state_evolution` and `dynamics` stand beside it.  A file imports
only what comes before it in tests/test_project.py.
"""

from vmfcore import checks
from vmfcore.cavity import run_cavity
from vmfcore.datasets import load_digits
from vmfcore.dynamics import StationaryState, critical_strength, dynamical_mean_field
from vmfcore.enumeration import exact_posterior, mean_log_partition
from vmfcore.exact import log_partition
from vmfcore.inference import infer_weights
from vmfcore.learning import fit
from vmfcore.likelihood import LogLikelihood, estimate_log_partition, log_likelihood
from vmfcore.machines import Machine, hidden_means, sample
from vmfcore.networks import CavityState, ConvergenceWarning
from vmfcore.observables import match_hidden_units, overlap, overlap_matrix, synaptic_entropy
from vmfcore.packing import PackedSpins, pack_spins
from vmfcore.rbm import hidden_from_visible, planted_weights, sample_spins, visible_from_hidden
from vmfcore.restarts import FitResult
from vmfcore.spectra import ensemble_spectrum, random_couplings
from vmfcore.state_evolution import correlated_overlap
from vmfcore.storage import load_machine, load_results, save_machine, save_results
from vmfcore.tap import run_tap
from vmfcore.theory import (
    bayes_optimal_entropy,
    bayes_optimal_overlap,
    critical_density,
    evidence_ceiling,
    free_entropy,
    principal_component_overlap,
)
from vmfcore.vamp import VampState, run_vamp
from vmfcore.variational import Bound, bound, bound_gradient

__version__ = "0.6.0"

__all__ = [
    "Bound",
    "CavityState",
    "ConvergenceWarning",
    "FitResult",
    "LogLikelihood",
    "Machine",
    "PackedSpins",
    "StationaryState",
    "VampState",
    "bayes_optimal_entropy",
    "bayes_optimal_overlap",
    "bound",
    "bound_gradient",
    "checks",
    "correlated_overlap",
    "critical_density",
    "critical_strength",
    "dynamical_mean_field",
    "ensemble_spectrum",
    "estimate_log_partition",
    "evidence_ceiling",
    "exact_posterior",
    "fit",
    "free_entropy",
    "hidden_from_visible",
    "hidden_means",
    "infer_weights",
    "load_digits",
    "load_machine",
    "load_results",
    "log_likelihood",
    "log_partition",
    "match_hidden_units",
    "mean_log_partition",
    "overlap",
    "overlap_matrix",
    "pack_spins",
    "planted_weights",
    "principal_component_overlap",
    "random_couplings",
    "run_cavity",
    "run_tap",
    "run_vamp",
    "sample",
    "sample_spins",
    "save_machine",
    "save_results",
    "synaptic_entropy",
    "visible_from_hidden",
]
