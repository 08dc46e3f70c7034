r"""Two correlated hidden units, N → ∞: what message passing finds, with the right prior and with a uniform one.

Every site and every sample is a pair of ±1 spins x in a pair of Gaussian fields, x ∝ exp(field·x + J x_1 x_2).  The
teacher's pair t has <t_1 t_2> = ρ.  By exchange symmetry fields and averages are diagonal in the half sum s and the
half difference d of the pair, independent given t: s has mean g_s for t = ++ and 0 for t = +-, d the reverse.
"""

from typing import NamedTuple

import numpy as np
import scipy

from vmfcore import checks
from vmfcore.networks.network import warn_unconverged
from vmfcore.numerics.spins import line_grid, log2cosh
from vmfcore.theory.limits import PRIORS, check_densities, critical_density

MAX_SHARPNESS = 40.0  # of the grid: wider Gaussians see every spin decided
MAX_ITER = 20000
EXTRAPOLATED = [50 * 2**k for k in range(9)]
TOL = 1e-10


class _Pair(NamedTuple):
    """Averages over sites or samples; index 0: sum of the two spins, 1: difference."""

    teacher: np.ndarray  # E (x_1 ± x_2)(t_1 ± t_2)/2
    square: np.ndarray  # E (<x_1> ± <x_2>)²/2
    product: float  # E <x_1 x_2>


class CorrelatedOverlap(NamedTuple):
    """Averages over the synapses of both units, each an array of the shape of alpha."""

    means_overlap: np.ndarray  # of λ with the unit of the teacher that it is matched to
    sign_overlap: np.ndarray  # of sign λ
    cross_overlap: np.ndarray  # of λ with the other unit; equal where the student cannot tell the two apart
    mean_square: np.ndarray  # of λ; equal to means_overlap where the prior is right


def _grid(width):
    """Nodes and weights for functions of twice a spin's field of the given width."""
    return line_grid(min(2.0 * width, MAX_SHARPNESS))


def _averages(gain, variance, coupling, correlation):
    """_Pair for fields of the given gain on the teacher and noise variance, both (2,) in s and d."""
    widths, p = np.sqrt(variance), 0.5 * np.array([1.0 + correlation, 1.0 - correlation])
    (z_s, w_s), (z_d, w_d) = (_grid(width) for width in widths)
    teacher, square, product = np.empty(2), np.zeros(2), 0.0
    for side in (0, 1):  # t = ++, then +-
        s, d = gain[0] * (side == 0) + widths[0] * z_s, gain[1] * (side == 1) + widths[1] * z_d
        aligned = scipy.special.expit(2.0 * coupling + log2cosh(2.0 * s)[:, None] - log2cosh(2.0 * d))  # P(x_1 = x_2)
        means = np.tanh(2.0 * s)[:, None] * aligned, np.tanh(2.0 * d) * (1.0 - aligned)
        teacher[side] = 2.0 * p[side] * (w_s @ means[side] @ w_d)
        square += [2.0 * p[side] * (w_s @ mean**2 @ w_d) for mean in means]
        product += p[side] * (w_s @ (2.0 * aligned - 1.0) @ w_d)
    return _Pair(teacher, square, product)


def _asinh_scaled_sinh(x, log_scale):
    """asinh(exp(log_scale) sinh x) for any x and scale."""
    size = np.maximum(np.abs(x), 1e-150)
    y = size + np.log(-np.expm1(-2.0 * size)) - np.log(2.0) + log_scale  # ln of the argument's size
    return np.copysign(np.logaddexp(y, 0.5 * np.logaddexp(0.0, 2.0 * y)), x)


def _sign_overlap(gain, variance, coupling, correlation):
    """E sign<x_1> t_1, from <x_1> > 0 where e^J sinh 2s > -e^-J sinh 2d.

    Over one of s and d the average is an error function, over the other, on which it depends smoothly, a sum.
    """
    widths = np.sqrt(np.maximum(variance, 1e-300))
    inner, outer = (0, 1) if np.log(widths[1] / widths[0]) < 2.0 * coupling else (1, 0)
    z, weights = _grid(widths.max())
    total = 0.0
    for side, p in enumerate((0.5 * (1.0 + correlation), 0.5 * (1.0 - correlation))):
        mean = gain * (side == np.arange(2))
        x = 2.0 * (mean[outer] + widths[outer] * z)
        edge = 0.5 * _asinh_scaled_sinh(x, 2.0 * coupling * (inner - outer))
        total += p * (weights @ (2.0 * scipy.special.ndtr((mean[inner] + edge) / widths[inner]) - 1.0))
    return total


def _step(x, alpha, beta, correlation, prior_field):
    """One sweep over samples and sites of x = (teacher, square, product, pair field); also the sites' fields."""
    teacher, square, product, pair_field = x[:2], x[2:4], x[4], x[5]
    slack = product - 0.5 * (square[0] - square[1])
    hidden_correlation = np.tanh(beta**2 * correlation)
    samples = _averages(beta**2 * teacher, 0.5 * beta**2 * square, beta**2 * slack, hidden_correlation)
    slack = samples.product - 0.5 * (samples.square[0] - samples.square[1])
    pair_field = 0.5 * pair_field + 0.5 * alpha * beta**2 * (slack - np.tanh(beta**2 * product))
    fields = alpha * beta**2 * samples.teacher, 0.5 * alpha * beta**2 * samples.square, prior_field + pair_field
    sites = _averages(*fields, correlation)
    return np.array([*sites.teacher, *sites.square, sites.product, pair_field]), fields


def _fixed_point(alpha, beta, correlation, prior):
    """Iterate from the teacher itself: the four numbers of a CorrelatedOverlap, and the last change.

    Some changes are extrapolated as geometric series, fewer and fewer: slow approaches, near a transition, end sooner.
    """
    if alpha <= critical_density(beta, correlation=correlation, prior=prior):
        return (0.0, 0.0, 0.0, 0.0), 0.0
    prior_field = np.arctanh(correlation) if prior == "matched" else 0.0
    x = np.array([1.0 + correlation, 1.0 - correlation, 1.0 + correlation, 1.0 - correlation, correlation, 0.0])
    change = np.zeros(6)
    for n in range(MAX_ITER):
        before, last = x, change
        x, fields = _step(x, alpha, beta, correlation, prior_field)
        change = x - before
        residual = np.abs(change[:2]).max()
        if residual < TOL:
            break
        ratio = (change @ last) / max(last @ last, 1e-300)
        if n in EXTRAPOLATED and 0 < ratio < 1:
            x = x + change * min(ratio / (1 - ratio), 1e4)
            x[:4] = np.clip(x[:4], 0.0, 2.0)
    teacher, square = x[:2], x[2:4]
    sign = _sign_overlap(*fields, correlation)
    return (0.5 * teacher.sum(), sign, 0.5 * (teacher[0] - teacher[1]), 0.5 * square.sum()), residual


def correlated_overlap(alpha, beta, *, correlation, prior="uniform"):
    r"""What `infer_weights` reaches for N → ∞ on data of two hidden units with correlation q: matrix state evolution.

    Parameters
    ----------
    alpha : float or array > 0
        Sample density M/N.
    beta : float in (0, 50)
        Inverse temperature.
    correlation : float in (-1, 1)
        q, between the teacher's hidden units.
    prior : "uniform" or "matched"
        What the student knows: independent synapses, or q.

    Returns
    -------
    CorrelatedOverlap
        All 0 below the thresholds of `critical_density`.  With the matched prior no algorithm passes these values.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Warns
    -----
    ConvergenceWarning
        If an iteration has not come to rest.

    Notes
    -----
    Averages are good to 1e-9.  The iteration starts from the teacher, and so finds the largest overlap; the transitions
    are continuous, so that a start from nothing ends at the same place.  With rising density the student first finds
    the sum of the two units (sign overlap with a jump for the uniform prior, since the data show the sum before that
    student wakes up), and later tells them apart: there means_overlap and cross_overlap part.

    References
    ----------
    Derived in this project; the transitions are those of Hou, Wong & Huang, arXiv:1904.13052.
    """
    checks.real(0, checks.MAX_BETA, beta=beta)
    checks.real(-1, 1, correlation=correlation)
    checks.option(PRIORS, prior=prior)
    densities = check_densities(alpha)
    points, residuals = zip(*(_fixed_point(a, beta, abs(correlation), prior) for a in densities.ravel()), strict=True)
    if max(residuals) >= TOL:
        advice = "take another alpha: this one is at a transition"
        warn_unconverged(max(residuals), TOL, MAX_ITER, advice, stacklevel=3)
    return CorrelatedOverlap(*(np.reshape(column, densities.shape) for column in zip(*points, strict=True)))
