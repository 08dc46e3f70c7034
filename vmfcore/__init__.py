"""Variational mean-field learning of restricted Boltzmann machines with ±1 synapses.

The way through: `spins` → `variational` ⇄ (`dual` → `cavity`) → `learning` → FitResult → `observables`;
`exact` and `theory` stand beside it.  A file imports only what comes before it on that way.
"""

from vmfcore import checks
from vmfcore.cavity import CavityState, ConvergenceWarning, run_cavity
from vmfcore.datasets import load_digits
from vmfcore.exact import log_partition
from vmfcore.learning import FitResult, fit
from vmfcore.observables import match_hidden_units, overlap, overlap_matrix, synaptic_entropy
from vmfcore.rbm import hidden_from_visible, planted_weights, sample_spins, visible_from_hidden
from vmfcore.theory import bayes_optimal_overlap, critical_density, principal_component_overlap
from vmfcore.variational import Bound, bound, bound_gradient

__version__ = "0.1.0"

__all__ = [
    "Bound",
    "CavityState",
    "ConvergenceWarning",
    "FitResult",
    "bayes_optimal_overlap",
    "bound",
    "bound_gradient",
    "checks",
    "critical_density",
    "fit",
    "hidden_from_visible",
    "load_digits",
    "log_partition",
    "match_hidden_units",
    "overlap",
    "overlap_matrix",
    "planted_weights",
    "principal_component_overlap",
    "run_cavity",
    "sample_spins",
    "synaptic_entropy",
    "visible_from_hidden",
]
