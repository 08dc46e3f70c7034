"""Damping, tolerance and number of sweeps of message passing: what all solvers that iterate have in common."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from vmfcore import checks
from vmfcore.networks.network import SOLVER_ADVICE, warn_unconverged
from vmfcore.numerics.jit import kernel

CHECK_EVERY = 20  # sweeps between two looks at whether the residual still falls


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

    def warn(self, state: Any, stacklevel: int) -> None:
        """Warn that one of the networks has not converged."""
        warn_unconverged(state.residual.max(), self.tol, self.max_iter, SOLVER_ADVICE, stacklevel)


class Stopping(NamedTuple):
    """What the kernels of message passing are told about damping and the end, in their precision."""

    damping: float  # fraction of the old message kept at the start
    tol: float  # of the residual
    max_iter: int  # sweeps


@kernel
def more_damping(damping, residual, before):
    """Damping, raised half the way to 1 but not beyond MAX_DAMPING if the residual has not halved since ``before``."""
    return min(0.5 * (1.0 + damping), checks.MAX_DAMPING) if residual > 0.5 * before else damping
