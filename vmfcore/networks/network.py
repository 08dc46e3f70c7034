"""What every solver of dual networks shares: its arguments, its result and what it says when it does not converge."""

import warnings
from typing import NamedTuple

import numpy as np

from vmfcore import checks
from vmfcore.numerics.jit import kernel

FEW_CHAINS = 3  # of annealed importance sampling, by their weights
CHECK_EVERY = 20  # sweeps between two looks at whether the residual still falls
NETWORK_ADVICE = "try a larger max_iter, or a smaller beta: the network may have several states"
SOLVER_ADVICE = "try more damping, a larger max_iter or weaker couplings: the network may have several states"


class ConvergenceWarning(RuntimeWarning):
    """An iteration stopped before its residual fell below the tolerance."""


class CavityState(NamedTuple):
    """Averages of a dual network; a leading axis K (also of the numbers) where the hidden fields have one."""

    visible_means: np.ndarray  # (N,), magnetizations m_i
    hidden_means: np.ndarray  # (P,), magnetizations r_mu
    correlations: np.ndarray  # (N, P), <sigma_i h_mu>
    log_partition: np.ndarray  # ln Z of Bethe, or of Thouless, Anderson and Palmer, nats
    n_iter: np.ndarray  # sweeps done
    residual: np.ndarray  # largest change of a magnetization in the last sweep, undamped
    converged: np.ndarray  # residual <= tol
    messages: np.ndarray  # what the next run may start from


def warn_unconverged(residual, tol, n_sweeps, advice, stacklevel):
    """The one warning about an iteration that has not converged."""
    text = (
        f"message passing did not converge: residual {residual:.1e} > tol {tol:.1e} after {n_sweeps} sweeps; {advice}"
    )
    warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel)


def warn_few_chains(stacklevel):
    """The one warning about ln Z that rests on few chains."""
    text = f"fewer than {FEW_CHAINS} chains carry the estimate of ln Z; take more n_temperatures"
    warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel)


@kernel
def more_damping(damping, residual, before):
    """Damping, raised half the way to 1 but not beyond MAX_DAMPING if the residual has not halved since ``before``."""
    return min(0.5 * (1.0 + damping), checks.MAX_DAMPING) if residual > 0.5 * before else damping


def check_tolerance(tol, dtype):
    """Single precision does not settle to less than some of its rounding errors."""
    if dtype == np.float32 and checks.real(0, np.inf, tol=tol) < checks.MIN_SINGLE_TOL:
        raise ValueError(f"tol must be at least {checks.MIN_SINGLE_TOL:g} in single precision, got {tol!r}")


def check_network(couplings, visible_fields, hidden_fields, damping, tol, max_iter, dtype=np.float64):
    """Checked arguments of a solver: couplings (1, N, P), fields (1, N) and (1, K, P), whether K is absent."""
    couplings = checks.array((None, None), dtype=dtype, couplings=couplings)
    checks.within(checks.MAX_COUPLING, couplings=couplings)
    a = checks.array(couplings.shape[:1], visible_fields=visible_fields)
    b = checks.array((None, couplings.shape[1]), hidden_fields=np.atleast_2d(hidden_fields))
    checks.within(checks.MAX_SIZE, visible_fields=a, hidden_fields=b)
    a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
    checks.real(0, checks.MAX_DAMPING, closed="both", damping=damping)
    checks.real(0, np.inf, tol=tol)
    check_tolerance(tol, couplings.dtype)
    checks.integer(1, max_iter=max_iter)
    return couplings[None], a[None], b[None], np.ndim(hidden_fields) == 1


def finished(state, single, tol, max_iter):
    """The state of one replica, without the axis K where there is a single network; warns if it has not converged."""
    if not state.converged.all():
        warn_unconverged(state.residual.max(), tol, max_iter, SOLVER_ADVICE, stacklevel=4)
    return type(state)(*(x[0, 0] if single else x[0] for x in state))
