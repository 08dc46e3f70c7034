"""What the solvers by message passing share: damping, tolerance, number of sweeps, and their warning."""

from dataclasses import replace

import numpy as np

from vmfcore import checks
from vmfcore.networks.network import SOLVER_ADVICE, of_one_replica, warn_unconverged

TOL = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 3e-6}  # of message passing, where none is given


def keep_iteration(solver):
    """Check the three numbers of message passing and keep them as Python's own."""
    checks.keep(
        solver,
        damping=checks.real(0, checks.MAX_DAMPING, closed="both", damping=solver.damping),
        tol=None if solver.tol is None else checks.real(0, np.inf, tol=solver.tol),
        max_iter=checks.integer(1, max_iter=solver.max_iter),
    )


def with_tol(solver, tol, dtype):
    """The solver with this tolerance where it has none of its own, if single precision can reach it."""
    solver = replace(solver, tol=tol) if solver.tol is None else solver
    if dtype == np.float32 and solver.tol < checks.MIN_SINGLE_TOL:
        raise ValueError(f"tol must be at least {checks.MIN_SINGLE_TOL:g} in single precision, got {solver.tol!r}")
    return solver


def finished(state, single, solver):
    """The state of one replica, with a warning if one of its networks has not converged."""
    if not state.converged.all():
        warn_unconverged(state.residual.max(), solver.tol, solver.max_iter, SOLVER_ADVICE, stacklevel=4)
    return of_one_replica(state, single)
