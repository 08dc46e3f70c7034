"""Variational mean-field learning of restricted Boltzmann machines with ±1 synapses.

The way through: `data` are packed into bits, `learning` climbs the `bounds`, whose dual `networks` are solved by exact
sums, message passing or chains, and returns a FitResult, whose `machines` are sampled and compared by `observables`,
`theory` says what to expect, `files` keep what was found.  A wing imports only wings before it:
numerics < data < networks < machines < theory < bounds < files < learning < estimator, which has the same for
scikit-learn and is imported by its own name alone: ``from vmfcore.estimator import BinaryRBM``.
"""

from typing import Any

from vmfcore import checks, observables, theory
from vmfcore._version import __version__
from vmfcore.bounds.beliefs import Prior
from vmfcore.bounds.enumeration import exact_posterior
from vmfcore.bounds.model_term import Annealed, Quenched
from vmfcore.bounds.objective import Bound, Objective, bound, bound_gradient
from vmfcore.data.digits import load_digits
from vmfcore.data.grey import GreyPixels
from vmfcore.data.packing import PackedSpins
from vmfcore.files.storage import load_machine, load_results, save_machine, save_results
from vmfcore.learning.checkpoints import Checkpoint
from vmfcore.learning.choice import choose
from vmfcore.learning.fit import fit
from vmfcore.learning.message_passing import infer_weights
from vmfcore.learning.parameters import Learn
from vmfcore.learning.presets import IMAGES, PAPER, recipe
from vmfcore.learning.result import FitResult
from vmfcore.learning.rules import Adam, Natural
from vmfcore.learning.uncertainty import standard_errors
from vmfcore.learning.watch import Every
from vmfcore.machines.likelihood import log_likelihood
from vmfcore.machines.machine import Machine, hidden_means
from vmfcore.machines.mixing import autocorrelation_time
from vmfcore.machines.planted import planted
from vmfcore.machines.sampling import sample
from vmfcore.networks import Cavity, Exact, Gibbs, Tap, Vamp
from vmfcore.networks.network import ConvergenceWarning, Network
from vmfcore.observables import match_hidden_units, overlap, synaptic_entropy
from vmfcore.theory.limits import bayes_optimal_overlap, critical_density

__all__ = [
    "IMAGES",
    "PAPER",
    "Adam",
    "Annealed",
    "Bound",
    "Cavity",
    "Checkpoint",
    "ConvergenceWarning",
    "Every",
    "Exact",
    "FitResult",
    "Gibbs",
    "GreyPixels",
    "Learn",
    "Machine",
    "Natural",
    "Network",
    "Objective",
    "PackedSpins",
    "Prior",
    "Quenched",
    "Tap",
    "Vamp",
    "__version__",
    "autocorrelation_time",
    "bayes_optimal_overlap",
    "bound",
    "bound_gradient",
    "checks",
    "choose",
    "critical_density",
    "exact_posterior",
    "fit",
    "hidden_means",
    "infer_weights",
    "load_digits",
    "load_machine",
    "load_results",
    "log_likelihood",
    "match_hidden_units",
    "observables",
    "overlap",
    "planted",
    "recipe",
    "sample",
    "save_machine",
    "save_results",
    "standard_errors",
    "synaptic_entropy",
    "theory",
]

REMOVED = {"settled": "chains that cross between states while they learn replace it: draw vmf.sample(..., like=spins)"}


def __getattr__(name: str) -> Any:
    """Explain what became of a name that is gone."""
    text = f": {REMOVED[name]}" if name in REMOVED else ""
    raise AttributeError(f"module 'vmfcore' has no attribute {name!r}{text}")
