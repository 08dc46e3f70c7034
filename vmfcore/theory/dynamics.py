r"""The dynamical mean-field theory of `vmfcore.run_vamp`, for N, P → ∞ and couplings with random singular vectors.

Each γ is a Gaussian process over the spins of its layer.  Where it comes to rest its variances C_v, C_h fulfil

.. math::
    \chi_k = \overline{E\,\mathrm{sech}^2(\mathrm{field} + \sqrt{C_k}\,u)}, \qquad
    C_k = \sum_l b_{kl} [1 - \chi_l - \chi_l^2 C_l], \qquad u \sim \mathrm{Normal}(0, 1),

and there the mean squares of its increments are multiplied by K in every step,

.. math::
    K_{kl} = b_{kl} [\overline{E\,\mathrm{sech}^4} - \chi_l^2], \qquad
    b_{vv} = \frac{\chi_h^2}{N} \sum_i \Bigl[\frac{s_i^2 - (1 + \tau_h) t/N}{d_i}\Bigr]^2, \quad
    b_{vh} = \frac1N \sum_k \frac{s_k^2}{d_k^2},

in the notation of `vmfcore.spectra`; the rows of the hidden units with v ↔ h.  A mode of the longer layer without
singular value has s = 0, d = (1 + τ_v)(1 + τ_h).
"""

import warnings
from typing import NamedTuple

import numpy as np
import scipy

from vmfcore import checks
from vmfcore.networks.network import ConvergenceWarning
from vmfcore.networks.resolvent import check_spectrum, resolvent
from vmfcore.numerics.spins import line_grid

ERROR = 1e-13  # of averages over u
DIFFERENCE = 1e-4  # relative, of variances
FIXED_POINT_STEPS = 40
MAX_FIELD = 1000.0
SMALLEST = -100.0  # ln C


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
    rate_matrix: np.ndarray  # (2, 2), K
    n_iter: int
    residual: float  # largest change of C in the last step, relative to 1 + C
    converged: bool  # residual <= tol


class _Layer(NamedTuple):
    """Fields of a layer, each value once, how often it occurs, and the size of the layer."""

    values: np.ndarray
    weights: np.ndarray
    size: int


def _layer(fields):
    values, counts = np.unique(fields, return_counts=True)
    return _Layer(values, counts / counts.sum(), len(fields))


def _moments(layer, variance):
    """χ, 1 - χ and E sech⁴ - χ² over the fields of a layer and a Gaussian field of this variance."""
    spread = float(np.sqrt(variance))
    u, gauss = line_grid(spread, ERROR)
    decay = np.exp(-2 * np.abs(layer.values[:, None] + spread * u))
    sech2, tanh2 = 4 * decay / (1 + decay) ** 2, ((1 - decay) / (1 + decay)) ** 2
    chi = layer.weights @ (sech2 @ gauss)
    return chi, layer.weights @ (tanh2 @ gauss), layer.weights @ ((sech2 - chi) ** 2 @ gauss)


def _responses(squares, solution, chi, sizes):
    """b, (2, 2)."""
    b = np.empty((2, 2))
    for k, other in ((0, 1), (1, 0)):
        shift = solution.total / sizes[k]
        of_modes = (((squares - (1 + solution.tau[other]) * shift) / solution.gaps) ** 2).sum()
        of_rest = (sizes[k] - len(squares)) * (shift / (1 + solution.tau[k])) ** 2
        b[k, k] = chi[other] ** 2 * (of_modes + of_rest) / sizes[k]
        b[k, other] = (squares / solution.gaps**2).sum() / sizes[k]
    return b


class _Theory(NamedTuple):
    """What follows from variances C."""

    susceptibilities: np.ndarray
    resolvent: tuple
    rate_matrix: np.ndarray
    after_step: np.ndarray  # C after one step of the algorithm
    consistent: np.ndarray  # the C that reproduces itself at these susceptibilities


def _theory(squares, layers, variances):
    chi, order, spread = np.transpose([_moments(layer, c) for layer, c in zip(layers, variances, strict=True)])
    sizes = [layer.size for layer in layers]
    solution = resolvent(squares, chi.prod(), *sizes)
    b = _responses(squares, solution, chi, sizes)
    stationary = np.linalg.solve(np.eye(2) + b * chi**2, b @ order)
    return _Theory(chi, solution, b * spread, b @ (order - chi**2 * variances), np.maximum(stationary, 0))


def _radius(matrix):
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def _variance_rate(squares, layers, variances):
    """Squared spectral radius of dC'/dC by differences, C' the variances after one step."""
    if not variances.all():  # without fields: C' is of order C³
        return 0.0
    rows = []
    for step in np.diag(DIFFERENCE * variances):
        up, down = (_theory(squares, layers, variances + sign * step).after_step for sign in (1, -1))
        rows.append((up - down) / (2 * step.sum()))
    return _radius(np.array(rows)) ** 2


def _rest(squares, layers, tol, max_iter):
    """C, the number of evaluations and the residual, for both maps of C whose fixed points it is, until one settles.

    Damped steps from C = 0 come close, least squares for ln C end there.
    """

    def change(c, target):
        return getattr(_theory(squares, layers, c), target) - c

    def excess(log_variances, target):
        c = np.exp(log_variances)
        return change(c, target) / c

    limits, best, n_iter = (SMALLEST, np.log(10 * (1 + squares.max()))), (np.zeros(2), np.inf), 0
    for target in ("consistent", "after_step"):
        variances = np.zeros(2)
        for _ in range(FIXED_POINT_STEPS):
            variances = variances + 0.5 * change(variances, target)
        n_iter += FIXED_POINT_STEPS
        if variances.all():
            start, options = np.clip(np.log(variances), *limits), dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15)
            found = scipy.optimize.least_squares(
                excess, start, args=(target,), bounds=limits, max_nfev=max_iter, **options
            )
            variances, n_iter = np.exp(found.x), n_iter + found.nfev
        residual = float((np.abs(change(variances, "consistent")) / (1 + variances)).max())
        if residual < best[1]:
            best = variances, residual
        if residual <= tol:
            break
    return best[0], n_iter, best[1]


def _stationary(squares, layers, tol, max_iter):
    """`StationaryState` of squared singular values (n,)."""
    variances, n_iter, residual = _rest(squares, layers, tol, max_iter)
    chi, solution, rate_matrix, *_ = _theory(squares, layers, variances)
    with np.errstate(divide="ignore"):
        precisions = (1 + solution.tau) / chi
    numbers = float(solution.edge_ratio), _radius(rate_matrix), _variance_rate(squares, layers, variances)
    return StationaryState(variances, chi, precisions, *numbers, rate_matrix, n_iter, residual, residual <= tol)


def dynamical_mean_field(singular_values, visible_fields, hidden_fields, *, tol=1e-10, max_iter=1000):
    r"""Where message passing without memory comes to rest, how fast, and whether it is stable, for N, P → ∞.

    Parameters
    ----------
    singular_values : (min(N, P),) array in [0, 1000]
        Of the couplings: of a network, or `vmfcore.ensemble_spectrum`.
    visible_fields, hidden_fields : (N,) and (P,) arrays in [-1000, 1000]
        a and b; averages over the units of a layer are averages over them.
    tol : float > 0
        Largest residual of a stationary state.
    max_iter : int >= 1
        Largest number of evaluations of the search that follows the first steps.

    Returns
    -------
    StationaryState
        The one that grows from C = 0.  Without any field that is C = 0 itself, for any couplings.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Warns
    -----
    ConvergenceWarning
        If no stationary state was found: in the glassy phase, deep beyond the stability border.

    Notes
    -----
    O(N + P + min(N, P)) an evaluation, for distinct fields times the nodes of a Gaussian average.  Networks follow the
    theory with differences of order N^(-1/2), larger where the edge ratio is near 1.  The spectral radius of K alone
    is the rate while the variances of γ are at rest; every finite network also excites the changes of its variances,
    which the algorithm answers with new χ and λ, and these decay at their own rate (not in the reference).

    References
    ----------
    Çakmak & Opper, arXiv:2005.01560, arXiv:1901.08583; written for two layers with fields in this project.
    """
    squares, layers = _check_theory(singular_values, visible_fields, hidden_fields)
    state = _stationary(squares, layers, checks.real(0, np.inf, tol=tol), checks.integer(1, max_iter=max_iter))
    if not state.converged:
        text = (
            f"no stationary state found: residual {state.residual:.1e} > tol {tol:.1e} after {state.n_iter} evaluations"
        )
        warnings.warn(f"{text}; weaker couplings or stronger fields have one", ConvergenceWarning, stacklevel=2)
    return state


def _check_theory(singular_values, visible_fields, hidden_fields):
    """Squared singular values and the fields of both layers."""
    a, b = checks.array((None,), visible_fields=visible_fields, hidden_fields=hidden_fields)
    values = check_spectrum(singular_values, min(len(a), len(b)))
    checks.within(MAX_FIELD, singular_values=values, visible_fields=a, hidden_fields=b)
    return values**2, (_layer(a), _layer(b))


def critical_strength(singular_values, visible_fields, hidden_fields):
    r"""Stability border: the factor at which couplings, multiplied by it, make message passing unstable.

    singular_values, visible_fields, hidden_fields and errors as in `dynamical_mean_field`, with a positive singular
    value.

    Returns
    -------
    float
        Of the larger of the two rates, where it first reaches 1; inf if it does not before s_max = 1000.

    Notes
    -----
    The rates are looked at in steps of 20 % from s_max = 0.1 on, and the crossing is found to 1e-6.
    """
    squares, layers = _check_theory(singular_values, visible_fields, hidden_fields)
    if squares.max() == 0:
        raise ValueError("singular_values must hold a positive number, got only 0")

    def excess(log_factor):
        state = _stationary(np.exp(2 * log_factor) * squares, layers, 1e-8, 200)
        return max(state.rate, state.variance_rate) - 1

    log_edge, low = np.log(squares.max()) / 2, None
    for log_size in np.arange(np.log(0.1), np.log(MAX_FIELD), np.log(1.2)):
        high = log_size - log_edge
        if excess(high) >= 0:
            return float(np.exp(scipy.optimize.brentq(excess, low, high, xtol=1e-6))) if low is not None else 0.0
        low = high
    return float("inf")
