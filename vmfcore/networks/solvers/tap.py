"""The choice of the TAP equations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.networks.network import Averages, Network, Networks, NetworkState, check_network
from vmfcore.networks.solvers.iteration import TOL, Iteration
from vmfcore.networks.tap import correlations, solve_tap
from vmfcore.numerics.jit import one_blas_thread


@dataclass(frozen=True)
class Tap(Iteration):
    r"""Equations of Thouless, Anderson and Palmer on the nodes: approximate message passing, `vmfcore.networks.tap`.

    Parameters
    ----------
    damping, tol, max_iter
        As in `Cavity`, of magnetizations.  In single precision tol is 3e-6 where it is None, and must be at least 1e-6.

    Notes
    -----
    O(N P) a sweep and a network, as matrix products of batches of 16 networks; a batch iterates until the last of them
    has converged.  The two sides of the equations agree with the cavity method up to terms of third order in J; unlike
    it they are not exact on trees.  m = ∂lnZ/∂a, r = ∂lnZ/∂b and C = ∂lnZ/∂J at convergence.  Parallel updates fail to
    converge earlier than those of `Cavity` where couplings are strong.

    References
    ----------
    Thouless, Anderson & Palmer, Phil. Mag. 35, 593 (1977); for RBMs Gabrié, Tramel & Krzakala, arXiv:1506.02914.
    """

    def solve(self, network: Network, start: ArrayLike | None = None) -> NetworkState:
        """Averages of a network, in single precision where its couplings are float32, in double where not.

        Parameters
        ----------
        network : Network
        start : (N + P,) or (K, N + P) array in [-1, 1] or None
            ``NetworkState.messages`` of an earlier run, which are its magnetizations; None starts from 0.

        Returns
        -------
        NetworkState
            In the precision of the calculation, ln Z in float64.

        Warns
        -----
        ConvergenceWarning
            If a network has not converged after ``max_iter`` sweeps.
        """
        in_single = getattr(getattr(network, "couplings", None), "dtype", None) == np.float32
        dtype = np.dtype(np.float32 if in_single else np.float64)
        networks, single = check_network(network, dtype)
        solver = self.with_tol(TOL[dtype], dtype)
        messages = None if start is None else self._checked_messages(start, networks, single)
        with one_blas_thread():
            state = solve_tap(*networks, solver.damping, solver.tol, solver.max_iter, messages)
        m, r = state.visible_means[0, :, :, None], state.hidden_means[0, :, None, :]
        averages = (m * r + networks.couplings * (1 - m**2) * (1 - r**2))[None]
        state = state._replace(correlations=averages, messages=np.concatenate(state.messages, axis=2))
        return solver.finished(state, single)

    @staticmethod
    def _checked_messages(start, networks, single):
        _, n_visible, n_hidden = networks.couplings.shape
        lead = () if single else (networks.shape[1],)
        means = checks.means(start, shape=(*lead, n_visible + n_hidden), name="start")
        means = means.astype(networks.couplings.dtype).reshape(1, networks.shape[1], -1)
        return tuple(np.ascontiguousarray(part) for part in np.split(means, [n_visible], axis=2))

    def averages(self, networks: Networks, weights: np.ndarray, start: Any) -> Averages:
        """`Averages` of networks, those of the correlations with weights (K,); overwrites ``start``."""
        state = solve_tap(*networks, self.damping, self.tol, self.max_iter, start)
        means = state.visible_means, state.hidden_means
        averaged = correlations(networks.couplings, *means, weights)
        return Averages(state.log_partition, *means, averaged, state.messages, *state[4:7])
