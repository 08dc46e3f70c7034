"""The choice of message passing without memory."""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.networks.network import Network, check_network
from vmfcore.networks.solvers.iteration import TOL, Iteration
from vmfcore.networks.vamp import VampState, solve_vamp


@dataclass(frozen=True)
class Vamp(Iteration):
    r"""Message passing without memory, for couplings of any spectrum, `vmfcore.networks.vamp`.

    Parameters
    ----------
    damping, tol, max_iter
        As in `Cavity`, of the fields γ.

    Notes
    -----
    O(N P min(N, P)) once, for the eigenvalues of JᵀJ, then O(N P) a step.  Exact for N, P → ∞ if the singular vectors
    of J are random rotations and there is one state.  One susceptibility stands for all spins of a layer: where
    couplings of very different size or frozen spins share a layer, `Tap` and `Cavity` are more accurate.  An edge
    ratio near 1 is the warning sign.  The model terms of the bound do not take it: on learnt couplings it is no better
    than they are, and slower.

    References
    ----------
    Çakmak & Opper, arXiv:2005.01560 and, for the Ising model, arXiv:1901.08583; ln Z: Opper & Winther, JMLR 6, 2177
    (2005), written for two layers in this project.
    """

    def solve(self, network: Network, start: ArrayLike | None = None) -> VampState:
        """Averages of a network and the quantities of the theory.

        Parameters
        ----------
        network : Network
        start : (N + P,) or (K, N + P) array in [-1e100, 1e100] or None
            γ: ``VampState.messages`` of an earlier run, or numbers Normal(0, C) of the variances of
            `vmfcore.theory.dynamical_mean_field`, from which its theory of the increments holds.  None starts from 0.

        Returns
        -------
        VampState

        Warns
        -----
        ConvergenceWarning
            If a network has not converged after ``max_iter`` steps.
        """
        networks, single = check_network(network)
        solver = self.with_tol(TOL[networks.couplings.dtype])
        gamma = None if start is None else self._checked_messages(start, networks, single)
        couplings, visible_fields, hidden_fields = (part[0] for part in networks)
        assert solver.tol is not None, "with_tol gives one"
        state = solve_vamp(couplings, visible_fields, hidden_fields, solver.damping, solver.tol, solver.max_iter, gamma)
        return solver.finished(VampState(*(part[None] for part in state)), single)

    @staticmethod
    def _checked_messages(start, networks, single):
        lead = () if single else (networks.shape[1],)
        size = sum(networks.couplings.shape[1:])
        gamma = checks.array((*lead, size), start=start).reshape(-1, size)
        checks.within(checks.MAX_MESSAGE, start=gamma)
        return gamma
