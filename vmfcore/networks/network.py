"""A network of two layers of ±1 spins, its averages, and what is said when an iteration for them does not converge.

.. math::
    P(\\sigma, h) \\propto \\exp\\Bigl( \\sum_{i\\mu} J_{i\\mu} \\sigma_i h_\\mu + \\sum_i a_i \\sigma_i
        + \\sum_\\mu b_\\mu h_\\mu \\Bigr)
"""

import warnings
from typing import NamedTuple

import numpy as np

from vmfcore import checks

TOL = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 3e-6}  # of message passing, where none is given
FEW_CHAINS = 3  # of annealed importance sampling, by their weights
SOLVER_ADVICE = "try more damping, a larger max_iter or weaker couplings: the network may have several states"
NETWORK_ADVICE = "try a larger max_iter, or a smaller beta: the network may have several states"


class ConvergenceWarning(RuntimeWarning):
    """An iteration stopped before its residual fell below the tolerance."""


class Network(NamedTuple):
    """Couplings and fields, dimensionless.

    Parameters
    ----------
    couplings : (N, P) array in [-100, 100]
        J, between visible unit i and hidden unit μ.
    visible_fields : (N,) array in [-1e6, 1e6]
        a.
    hidden_fields : (P,) or (K, P) array in [-1e6, 1e6]
        b; with a leading axis, K networks that share couplings and visible fields.
    """

    couplings: np.ndarray
    visible_fields: np.ndarray
    hidden_fields: np.ndarray


class NetworkState(NamedTuple):
    """Averages of a network; a leading axis K (also of the numbers) where the hidden fields have one.

    Inside the house of K networks in each of R replicas, with both axes, but for correlations that are averaged over
    the K networks, (R, N, P).
    """

    visible_means: np.ndarray  # (N,), magnetizations m_i
    hidden_means: np.ndarray  # (P,), magnetizations r_mu
    correlations: np.ndarray | None  # (N, P), <sigma_i h_mu>
    log_partition: np.ndarray  # ln Z, nats
    n_iter: np.ndarray  # sweeps done
    residual: np.ndarray  # largest change of a magnetization in the last sweep, undamped; of chains the error of ln Z
    converged: np.ndarray  # residual <= tol; of chains: ln Z rests on enough of them
    messages: np.ndarray | tuple | None  # what the next run may start from


class Networks(NamedTuple):
    """K networks in each of R replicas, which share couplings and visible fields within a replica."""

    couplings: np.ndarray  # (R, N, P)
    visible_fields: np.ndarray  # (R, N)
    hidden_fields: np.ndarray  # (R, K, P)

    @property
    def shape(self):
        """(R, K)."""
        return self.hidden_fields.shape[:2]


def check_network(network, dtype=np.float64) -> tuple[Networks, bool]:
    """Return one replica of the checked network in this precision, and whether it is a single one, without axis K."""
    if not isinstance(network, Network):
        raise TypeError(f"network must be a Network, got {type(network).__name__}")
    couplings = checks.array((None, None), dtype=dtype, couplings=network.couplings)
    checks.within(checks.MAX_COUPLING, couplings=couplings)
    n_visible, n_hidden = couplings.shape
    visible_fields = checks.array((n_visible,), visible_fields=network.visible_fields)
    hidden_fields = checks.array((None, n_hidden), hidden_fields=np.atleast_2d(network.hidden_fields))
    checks.within(checks.MAX_SIZE, visible_fields=visible_fields, hidden_fields=hidden_fields)
    fields = visible_fields.astype(dtype, copy=False)[None], hidden_fields.astype(dtype, copy=False)[None]
    return Networks(couplings[None], *fields), np.ndim(network.hidden_fields) == 1


def solve(solver, network, start, dtype=np.float64, **options):
    """Solve a network that a user gives, as the only replica of its kind, with a warning where it did not converge.

    The solver has ``check_size``, ``with_tol``, ``first_messages`` (of what the user starts from, and of the options),
    ``averages`` and ``warn``.
    """
    networks, single = check_network(network, dtype)
    solver.check_size(networks.couplings.shape[2])
    solver = solver.with_tol(TOL[np.dtype(dtype)], dtype)
    messages = solver.first_messages(start, networks, single, **options)
    state = solver.averages(networks, None, messages)
    if not state.converged.all():
        solver.warn(state, stacklevel=5)
    # without the axes of replicas, and of networks where there is one alone; chains are told of neither
    index = (0, 0) if single else 0
    return type(state)(*(part[index] if isinstance(part, np.ndarray) else part for part in state))


def warn_unconverged(residual, tol, n_sweeps, advice, stacklevel):
    """The one warning about an iteration that has not converged."""
    text = (
        f"message passing did not converge: residual {residual:.1e} > tol {tol:.1e} after {n_sweeps} sweeps; {advice}"
    )
    warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel)


def warn_uncrossed(memory, missed, n_rungs, stacklevel):
    """The one warning about chains that stay in the states that they are in."""
    advice = (
        "let them take rungs, Gibbs(n_rungs=None)"
        if n_rungs == 1
        else f"{n_rungs} rungs are not enough: take more, or more n_chains"
    )
    text = (
        f"chains do not cross between the states of the network: after 50 sweeps {memory:.2f} of what could be "
        f"forgotten is still remembered, and {missed} components of a mixture of the data were never visited, "
        f"so that the weights of the states may be wrong; {advice}"
    )
    warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel)


def warn_few_chains(stacklevel):
    """The one warning about ln Z that rests on few chains."""
    text = f"fewer than {FEW_CHAINS} chains carry the estimate of ln Z; take more n_temperatures"
    warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel)
