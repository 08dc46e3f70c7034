"""The choice of the cavity method."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.networks.cavity import solve_cavity
from vmfcore.networks.network import Averages, Network, Networks, NetworkState, check_network
from vmfcore.networks.solvers.iteration import TOL, Iteration


@dataclass(frozen=True)
class Cavity(Iteration):
    r"""The cavity method: belief propagation on the edges of the network, `vmfcore.networks.cavity`.

    Parameters
    ----------
    damping : float in [0, 0.95]
        Fraction of the old message kept at the start; raised by half the way to 1, up to 0.95, each time 20 sweeps
        have not halved the residual.
    tol : float > 0 or None
        A run has converged when no magnetization changes by more in a sweep, after removal of the damping.  None: 1e-9;
        in `vmfcore.fit` 1e-7, or 3e-5 in single precision.
    max_iter : int >= 1
        Largest number of sweeps.

    Notes
    -----
    O(N P) a sweep and a network.  Exact on trees (P = 1, or N = 1).  Elsewhere two hidden units feel each other through
    all visible ones at once, with K = Σ_i J_iμ J_iν, of which messages miss a part: of order K²/2 in ln Z, 1/N where
    hidden units are independent.  For P = 2, where all messages vanish, it is ln cosh K + ½ Σ_i ln(1 - x_i²) exactly,
    with x_i = tanh J_i1 tanh J_i2 and K = Σ_i atanh x_i; both terms are of order 1/N for independent units.
    Where a network without fields has several states, the messages stay in one of them or, started from None,
    in the symmetric one: fix one spin by a large field, and C and ln Z take the mirror images into account
    (as `Annealed` does).  Magnetizations, correlations and ln Z obey m = ∂lnZ/∂a, r = ∂lnZ/∂b, C = ∂lnZ/∂J.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (7)-(8), there with tanh J ≈ J in the sum over j; Mézard & Montanari, *Information,
    Physics, and Computation* (Oxford, 2009), chapter 14, for the Bethe free energy.

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> network = vmf.Network(np.full((5, 1), 0.3), np.full(5, 0.1), np.zeros(1))
    >>> state = vmf.Cavity(tol=1e-10).solve(network)
    >>> exact = vmf.Exact().solve(network)
    >>> bool(state.converged), float(abs(state.log_partition - exact.log_partition).round(9))
    (True, 0.0)
    """

    def solve(self, network: Network, start: ArrayLike | None = None) -> NetworkState:
        """Averages of a network.

        Parameters
        ----------
        network : Network
        start : (P, N) or (K, P, N) array > 0 or None
            ``NetworkState.messages`` of an earlier run; None starts without fields from the hidden units.  Those of a
            network with stronger couplings start at the strongest that these can send, exp(±2J).

        Returns
        -------
        NetworkState

        Warns
        -----
        ConvergenceWarning
            If a network has not converged after ``max_iter`` sweeps.
        """
        networks, single = check_network(network)
        solver = self.with_tol(TOL[networks.couplings.dtype])
        messages = None if start is None else self._checked_messages(start, networks, single)
        state = solve_cavity(*networks, solver.damping, solver.tol, solver.max_iter, messages)
        return solver.finished(state, single)

    @staticmethod
    def _checked_messages(start, networks, single):
        _, n_visible, n_hidden = networks.couplings.shape
        lead = () if single else (networks.shape[1],)
        messages = checks.array((*lead, n_hidden, n_visible), start=start).reshape(1, -1, n_hidden, n_visible)
        if messages.min() <= 0:
            raise ValueError(f"start must hold positive odds ratios, got {messages.min()!r}")
        # beyond it their products overflow, and damping takes long to leave states that are saturated
        strongest = np.exp(2.0 * np.abs(np.swapaxes(networks.couplings, 1, 2)))[:, None]
        return np.clip(messages, 1.0 / strongest, strongest, order="C")

    def averages(self, networks: Networks, weights: np.ndarray, start: Any) -> Averages:
        """`Averages` of networks, those of the correlations with weights (K,); overwrites the messages ``start``."""
        state = solve_cavity(*networks, self.damping, self.tol, self.max_iter, start)
        averaged = np.einsum("k,rknp->rnp", weights, state.correlations)
        means = state.visible_means, state.hidden_means
        return Averages(state.log_partition, *means, averaged, state.messages, *state[4:7])
