"""Variational mean-field learning of restricted Boltzmann machines with ±1 synapses.

The way through: `packing` → `variational` ⇄ (`data_terms`, `dual` → `cavity`, `tap`, `chains`) → `climb`, `learning` or
`inference` → FitResult → `observables`, or → `machines`, `likelihood`; `archives` writes the files of `checkpoints` and
`storage`; `exact`, `enumeration`, `vamp`, `theory`, `state_evolution` and `dynamics` stand beside it.  A file imports
only what comes before it in tests/test_project.py.
"""

from vmfcore import checks
from vmfcore._version import __version__
from vmfcore.bounds.enumeration import exact_posterior, mean_log_partition
from vmfcore.bounds.objective import Bound, bound, bound_gradient
from vmfcore.data.digits import load_digits
from vmfcore.data.packing import PackedSpins, pack_spins
from vmfcore.files.storage import load_machine, load_results, save_machine, save_results
from vmfcore.learning.fit import fit
from vmfcore.learning.message_passing import infer_weights
from vmfcore.learning.result import FitResult
from vmfcore.machines.likelihood import LogLikelihood, estimate_log_partition, log_likelihood
from vmfcore.machines.machine import Machine, hidden_means, sample
from vmfcore.machines.planted import hidden_from_visible, planted_weights, sample_spins, visible_from_hidden
from vmfcore.networks.cavity import run_cavity
from vmfcore.networks.exact import log_partition
from vmfcore.networks.network import CavityState, ConvergenceWarning
from vmfcore.networks.tap import run_tap
from vmfcore.networks.vamp import VampState, run_vamp
from vmfcore.observables import match_hidden_units, overlap, overlap_matrix, synaptic_entropy
from vmfcore.theory.correlated import correlated_overlap
from vmfcore.theory.dynamics import StationaryState, critical_strength, dynamical_mean_field
from vmfcore.theory.ensembles import ensemble_spectrum, random_couplings
from vmfcore.theory.limits import (
    bayes_optimal_entropy,
    bayes_optimal_overlap,
    critical_density,
    evidence_ceiling,
    free_entropy,
    principal_component_overlap,
)

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
    "__version__",
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
