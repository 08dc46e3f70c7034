r"""The dynamical mean-field theory of message passing without memory, for N, P → ∞ and random singular vectors.

Each message γ of `vmfcore.networks.vamp` is a Gaussian process over the spins of its layer.  Where it comes to rest its
variances C_v, C_h fulfil

.. math::
    \chi_k = \overline{E\,\mathrm{sech}^2(\mathrm{field} + \sqrt{C_k}\,u)}, \qquad
    C_k = \sum_l b_{kl} [1 - \chi_l - \chi_l^2 C_l], \qquad u \sim \mathrm{Normal}(0, 1),

and there the mean squares of its increments are multiplied by K in every step,

.. math::
    K_{kl} = b_{kl} [\overline{E\,\mathrm{sech}^4} - \chi_l^2],

with the responses b of `vmfcore.theory.responses`.
"""

import warnings
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.networks.network import ConvergenceWarning
from vmfcore.networks.resolvent import check_spectrum
from vmfcore.theory.echo import echo_matrix
from vmfcore.theory.responses import layer_of, mean_field

RELATIVE_DIFFERENCE = 1e-4  # of variances, for derivatives
FIXED_POINT_STEPS = 40
LOG_SMALLEST_VARIANCE = -100.0
SEARCH_ACCURACY = 1e-15  # of the least squares: as far as rounding allows
BORDER_TOL = 1e-8  # residual of the stationary states on the way to the border
BORDER_MAX_ITER = 200
FIRST_STRENGTH = 0.1  # s_max at which the search for the border begins
STRENGTH_FACTOR = 1.2  # from one to the next


class StationaryState(NamedTuple):
    """Where message passing comes to rest, and how it gets there; index 0 visible, 1 hidden units.

    The squared increments shrink by ``rate`` a step as long as the variances rest, and in the long run by the larger
    of both rates: message passing is stable where both are below 1.
    """

    variances: np.ndarray  # (2,), C, of the fields γ that one layer exerts on the other
    susceptibilities: np.ndarray  # (2,), χ
    precisions: np.ndarray  # (2,), λ
    edge_ratio: float  # z/s_max² > 1: near 1 finite networks do not follow the theory; inf without couplings
    rate: float  # of the squared increments, factor per step: the spectral radius of K
    variance_rate: float  # the same where the increments change the variances: squared spectral radius of dC'/dC
    fixed_rate: float  # the same where χ and λ are fixed at their values here: of the map of `vmfcore.theory.echo`
    rate_matrix: np.ndarray  # (2, 2), K
    n_iter: int
    residual: float  # largest change of C in the last step, relative to 1 + C
    converged: bool  # residual <= tol


class _Rest(NamedTuple):
    """Result of the search for variances that reproduce themselves."""

    variances: np.ndarray
    n_iter: int  # evaluations
    residual: float


def dynamical_mean_field(
    singular_values: ArrayLike,
    visible_fields: ArrayLike,
    hidden_fields: ArrayLike,
    *,
    tol: float = 1e-10,
    max_iter: int = 1000,
) -> StationaryState:
    r"""Where message passing without memory comes to rest, how fast, and whether it is stable, for N, P → ∞.

    .. math::
        C_k = \sum_l b_{kl} [1 - \chi_l - \chi_l^2 C_l], \qquad
        K_{kl} = b_{kl} [\overline{E\,\mathrm{sech}^4} - \chi_l^2]

    Parameters
    ----------
    singular_values : (min(N, P),) array in [0, 1000]
        Of the couplings: of a network, or `ensemble_spectrum`.
    visible_fields : (N,) array in [-1000, 1000]
        a; averages over the visible units are averages over these.
    hidden_fields : (P,) array in [-1000, 1000]
        b; averages over the hidden units are averages over these.
    tol : float > 0
        Largest residual of a stationary state.
    max_iter : int >= 1
        Largest number of evaluations of the search that follows the first steps.

    Returns
    -------
    StationaryState
        The one that grows from C = 0.  Without any field that is C = 0 itself, for any couplings.

    Warns
    -----
    ConvergenceWarning
        If no stationary state was found: in the glassy phase, deep beyond the stability border.

    Notes
    -----
    O(N + P + min(N, P)) an evaluation, for distinct fields times the nodes of a Gaussian average.  Networks follow the
    theory with differences of order N^(-1/2), larger where the edge ratio is near 1.  The spectral radius of K alone
    is the rate while the variances of γ are at rest; every finite network also excites the changes of its variances,
    which the algorithm answers with new χ and λ, and these decay at their own rate (not in the reference).  With χ and
    λ fixed from the first step on they decay at the fixed rate, or grow at much weaker couplings already.

    References
    ----------
    Çakmak & Opper, arXiv:2005.01560, arXiv:1901.08583; written for two layers with fields in this project.

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> spectrum = vmf.theory.ensemble_spectrum(600, 400, "orthogonal", strength=1.5)
    >>> state = vmf.theory.dynamical_mean_field(spectrum, np.full(600, 0.6), np.full(400, 0.5))
    >>> state.variances.round(3)
    array([0.137, 0.247])
    >>> round(state.rate, 4)
    0.0475
    """
    squares, layers = _check_theory(singular_values, visible_fields, hidden_fields)
    checks.real(0, np.inf, tol=tol)
    checks.integer(1, max_iter=max_iter)
    state = _stationary_state(squares, layers, tol, max_iter)
    if not state.converged:
        text = (
            f"no stationary state found: residual {state.residual:.1e} > tol {tol:.1e} after {state.n_iter} evaluations"
        )
        warnings.warn(f"{text}; weaker couplings or stronger fields have one", ConvergenceWarning, stacklevel=2)
    return state


def critical_strength(singular_values: ArrayLike, visible_fields: ArrayLike, hidden_fields: ArrayLike) -> float:
    r"""Stability border: the factor at which couplings, multiplied by it, make message passing unstable.

    .. math::
        \max[\mathrm{rate}(c\,s),\ \mathrm{variance\_rate}(c\,s)] = 1 \quad \text{at the smallest such } c

    Parameters
    ----------
    singular_values : (min(N, P),) array in [0, 1000]
        s, of the couplings, at least one of them positive.
    visible_fields : (N,) array in [-1000, 1000]
        a; averages over the visible units are averages over these.
    hidden_fields : (P,) array in [-1000, 1000]
        b; averages over the hidden units are averages over these.

    Returns
    -------
    float
        c, where the larger of the two rates first reaches 1; 0 if it has at s_max = 0.1, inf if it does not before
        s_max = 1000.

    Notes
    -----
    The rates, those of `dynamical_mean_field`, are looked at in steps of 20 % from s_max = 0.1 on, and the crossing is
    found to 1e-6.

    References
    ----------
    Çakmak & Opper, arXiv:2005.01560; written for two layers with fields in this project.

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> spectrum = vmf.theory.ensemble_spectrum(300, 200, "power-law", exponent=1.0)
    >>> round(vmf.theory.critical_strength(spectrum, np.full(300, 0.4), np.full(200, 0.3)), 3)
    3.433
    """
    squares, layers = _check_theory(singular_values, visible_fields, hidden_fields)
    if squares.max() == 0:
        raise ValueError("singular_values must hold a positive number, got only 0")

    def excess(log_factor):
        state = _stationary_state(np.exp(2 * log_factor) * squares, layers, BORDER_TOL, BORDER_MAX_ITER)
        return max(state.rate, state.variance_rate) - 1

    # bracket the crossing from below, then find it
    log_edge = np.log(squares.max()) / 2
    log_strengths = np.arange(np.log(FIRST_STRENGTH), np.log(checks.MAX_THEORY_FIELD), np.log(STRENGTH_FACTOR))
    stable = None
    for log_factor in log_strengths - log_edge:
        if excess(log_factor) >= 0:
            if stable is None:
                return 0.0
            return float(np.exp(scipy.optimize.brentq(excess, stable, log_factor, xtol=1e-6)))
        stable = log_factor
    return float("inf")


def _check_theory(singular_values, visible_fields, hidden_fields):
    """Squared singular values and the fields of both layers."""
    a, b = checks.array((None,), visible_fields=visible_fields, hidden_fields=hidden_fields)
    values = check_spectrum(singular_values, min(len(a), len(b)))
    checks.within(checks.MAX_THEORY_FIELD, singular_values=values, visible_fields=a, hidden_fields=b)
    return values**2, (layer_of(a), layer_of(b))


def _stationary_state(squares, layers, tol, max_iter):
    """`StationaryState` of squared singular values (n,)."""
    rest = _rest(squares, layers, tol, max_iter)
    theory = mean_field(squares, layers, rest.variances)
    with np.errstate(divide="ignore"):  # frozen layers have χ = 0
        precisions = (1 + theory.resolvent.tau) / theory.susceptibilities
    return StationaryState(
        variances=rest.variances,
        susceptibilities=theory.susceptibilities,
        precisions=precisions,
        edge_ratio=float(theory.resolvent.edge_ratio),
        rate=_spectral_radius(theory.rate_matrix),
        variance_rate=_variance_rate(squares, layers, rest.variances),
        fixed_rate=_spectral_radius(echo_matrix(squares, layers, rest.variances, theory)) ** 2,
        rate_matrix=theory.rate_matrix,
        n_iter=rest.n_iter,
        residual=rest.residual,
        converged=rest.residual <= tol,
    )


def _rest(squares, layers, tol, max_iter):
    """Variances that reproduce themselves, by both maps of C that have them as fixed points, until one settles.

    Damped steps from C = 0 come close, least squares for ln C end there.
    """

    def consistent(variances):
        return mean_field(squares, layers, variances).consistent

    def after_step(variances):
        return mean_field(squares, layers, variances).after_step

    log_limits = (LOG_SMALLEST_VARIANCE, np.log(10 * (1 + squares.max())))
    best = _Rest(np.zeros(2), 0, np.inf)
    n_iter = 0
    for following in (consistent, after_step):
        variances = np.zeros(2)
        for _ in range(FIXED_POINT_STEPS):
            variances = variances + 0.5 * (following(variances) - variances)
        n_iter += FIXED_POINT_STEPS
        if variances.all():
            variances, n_more = _refined(variances, following, log_limits, max_iter)
            n_iter += n_more
        residual = float((np.abs(consistent(variances) - variances) / (1 + variances)).max())
        if residual < best.residual:
            best = _Rest(variances, n_iter, residual)
        if residual <= tol:
            break
    return best._replace(n_iter=n_iter)  # of both searches


def _refined(variances, following, log_limits, max_iter):
    """The fixed point near these variances, by least squares for ln C, and the number of evaluations."""

    def relative_change(log_variances):
        c = np.exp(log_variances)
        return (following(c) - c) / c

    start = np.clip(np.log(variances), *log_limits)
    found = scipy.optimize.least_squares(
        relative_change,
        start,
        bounds=log_limits,
        max_nfev=max_iter,
        xtol=SEARCH_ACCURACY,
        ftol=SEARCH_ACCURACY,
        gtol=SEARCH_ACCURACY,
    )
    return np.exp(found.x), found.nfev


def _variance_rate(squares, layers, variances):
    """Squared spectral radius of dC'/dC by differences, C' the variances after one step."""
    if not variances.all():  # without fields: C' is of order C³
        return 0.0
    rows = []
    for step in np.diag(RELATIVE_DIFFERENCE * variances):
        above = mean_field(squares, layers, variances + step).after_step
        below = mean_field(squares, layers, variances - step).after_step
        rows.append((above - below) / (2 * step.sum()))
    return _spectral_radius(np.array(rows)) ** 2


def _spectral_radius(matrix):
    return float(np.abs(np.linalg.eigvals(matrix)).max())
