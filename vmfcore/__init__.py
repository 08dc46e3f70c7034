"""Variational mean-field learning of restricted Boltzmann machines with ±1 synapses.

The way through: `spins` → `variational` ⇄ (`data_terms`, `dual` → `cavity`) → `learning` or `inference` →
FitResult → `observables`; `exact`, `enumeration`, `theory` and `state_evolution` stand beside it.  A file imports only
what comes before it on that way.
"""

from vmfcore import checks
from vmfcore.cavity import CavityState, ConvergenceWarning, run_cavity
from vmfcore.datasets import load_digits
from vmfcore.enumeration import exact_posterior, mean_log_partition
from vmfcore.exact import log_partition
from vmfcore.inference import infer_weights
from vmfcore.learning import fit
from vmfcore.observables import match_hidden_units, overlap, overlap_matrix, synaptic_entropy
from vmfcore.rbm import hidden_from_visible, planted_weights, sample_spins, visible_from_hidden
from vmfcore.restarts import FitResult
from vmfcore.state_evolution import correlated_overlap
from vmfcore.theory import (
    bayes_optimal_entropy,
    bayes_optimal_overlap,
    critical_density,
    evidence_ceiling,
    free_entropy,
    principal_component_overlap,
)
from vmfcore.variational import Bound, bound, bound_gradient

__version__ = "0.2.0"

__all__ = [
    "Bound",
    "CavityState",
    "ConvergenceWarning",
    "FitResult",
    "bayes_optimal_entropy",
    "bayes_optimal_overlap",
    "bound",
    "bound_gradient",
    "checks",
    "correlated_overlap",
    "critical_density",
    "evidence_ceiling",
    "exact_posterior",
    "fit",
    "free_entropy",
    "hidden_from_visible",
    "infer_weights",
    "load_digits",
    "log_partition",
    "match_hidden_units",
    "mean_log_partition",
    "overlap",
    "overlap_matrix",
    "planted_weights",
    "principal_component_overlap",
    "run_cavity",
    "sample_spins",
    "synaptic_entropy",
    "visible_from_hidden",
]
