"""What the solvers by message passing are: damping, tolerance and number of sweeps, and a warning."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike

from vmfcore import checks
from vmfcore.networks.network import SOLVER_ADVICE, of_one_replica, warn_unconverged

TOL = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 3e-6}  # of message passing, where none is given


@dataclass(frozen=True)
class Iteration:
    """The three numbers that decide when message passing ends: see `Cavity`."""

    damping: float = 0.0
    tol: float | None = None
    max_iter: int = 1000

    has_one_state: ClassVar[bool] = True  # it describes one state of the network, not its mirror image

    def __post_init__(self):
        checks.keep(
            self,
            damping=checks.real(0, checks.MAX_DAMPING, closed="both", damping=self.damping),
            tol=None if self.tol is None else checks.real(0, np.inf, tol=self.tol),
            max_iter=checks.integer(1, max_iter=self.max_iter),
        )

    def check_size(self, n_hidden: int) -> None:
        """Any number of hidden units."""

    def with_tol(self, tol: float, dtype: DTypeLike = np.float64) -> Self:
        """The solver with this tolerance where it has none of its own, if single precision can reach it."""
        tol = tol if self.tol is None else self.tol
        if dtype == np.float32 and tol < checks.MIN_SINGLE_TOL:
            raise ValueError(f"tol must be at least {checks.MIN_SINGLE_TOL:g} in single precision, got {tol!r}")
        return replace(self, tol=tol)

    def cold_start(self, base: np.ndarray | None, seed: int) -> None:
        """What the first call starts from: no messages."""
        return None

    def finished(self, state: Any, single: bool) -> Any:
        """The state of one replica, with a warning if one of its networks has not converged."""
        if not state.converged.all():
            warn_unconverged(state.residual.max(), self.tol, self.max_iter, SOLVER_ADVICE, stacklevel=4)
        return of_one_replica(state, single)
