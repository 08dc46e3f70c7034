r"""Two correlated hidden units, N → ∞: what message passing finds, with the right prior and with a uniform one.

Every site and every sample is a pair of ±1 spins x in a pair of Gaussian fields, x ∝ exp(field·x + J x_1 x_2).  The
teacher's pair t has <t_1 t_2> = ρ.  By exchange symmetry fields and averages are diagonal in the half sum s and the
half difference d of the pair, independent given t: s has mean g_s for t = ++ and 0 for t = +-, d the reverse.  With
both variances v and the spins' averages

.. math::
    P(x_1 = x_2) = \frac{e^J \cosh 2s}{e^J \cosh 2s + e^{-J} \cosh 2d}, \qquad
    \tfrac12\langle x_1 + x_2\rangle = \tanh(2s)\, P(x_1 = x_2), \qquad
    \tfrac12\langle x_1 - x_2\rangle = \tanh(2d)\, P(x_1 \ne x_2),

one sweep sends the averages over the sites to the fields of the samples, and theirs back to the sites:

.. math::
    g \leftarrow \beta^2 E\,\mathrm{teacher}, \quad v \leftarrow \tfrac12\beta^2 E\,\mathrm{square}, \quad
    J \leftarrow \beta^2 [\mathrm{product} - \tfrac12(\mathrm{square}_s - \mathrm{square}_d)];
    \qquad \text{back with } \alpha\beta^2 \text{ in place of } \beta^2,

and there J = prior + αβ² [... - tanh(β² product)], the last term being that of the samples' ln Z.
"""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.networks.network import warn_unconverged
from vmfcore.numerics.spins import line_grid, log2cosh
from vmfcore.theory.limits import PRIORS, check_densities, critical_density

MAX_SHARPNESS = 40.0  # of the grid: wider Gaussians see every spin decided
MAX_ITER = 20000
EXTRAPOLATED = [50 * 2**k for k in range(9)]  # the sweeps after which the approach is extrapolated
MAX_EXTRAPOLATION = 1e4  # changes at once
TOL = 1e-10
TINY = 1e-300  # instead of 0 in a denominator
SUM, DIFFERENCE = 0, 1  # of the two spins of a pair: the index of all arrays (2,)
SIDES = (SUM, DIFFERENCE)  # the teacher's pair is ++, where the sum knows it, or +-, where the difference does


class CorrelatedOverlap(NamedTuple):
    """Averages over the synapses of both units, each an array of the shape of alpha."""

    means_overlap: np.ndarray  # of λ with the unit of the teacher that it is matched to
    sign_overlap: np.ndarray  # of sign λ
    cross_overlap: np.ndarray  # of λ with the other unit; equal where the student cannot tell the two apart
    mean_square: np.ndarray  # of λ; equal to means_overlap where the prior is right


class OrderParameters(NamedTuple):
    """What a sweep starts from and returns: averages over the sites, and the field on the products of their pairs."""

    teacher: np.ndarray  # (2,), E <x_1 ± x_2>(t_1 ± t_2)/2
    square: np.ndarray  # (2,), E <x_1 ± x_2>²/2
    product: float  # E <x_1 x_2>
    pair_field: float  # of the data on x_1 x_2

    def vector(self):
        """The six numbers in a row, for differences and extrapolation."""
        return np.array([*self.teacher, *self.square, self.product, self.pair_field])


class _Averages(NamedTuple):
    """Of the pairs of all sites, or of all samples."""

    teacher: np.ndarray  # (2,), E <x_1 ± x_2>(t_1 ± t_2)/2
    square: np.ndarray  # (2,), E <x_1 ± x_2>²/2
    product: float  # E <x_1 x_2>


class _PairFields(NamedTuple):
    """Gaussian fields on pairs of spins."""

    gain: np.ndarray  # (2,), mean of s where t = ++, of d where t = +-
    variance: np.ndarray  # (2,), of s and d
    coupling: float  # J, of x_1 x_2


class _FixedPoint(NamedTuple):
    """Where the sweeps come to rest."""

    parameters: OrderParameters
    fields: _PairFields  # of the sites, in the last sweep
    residual: float  # the last change


def correlated_overlap(
    alpha: ArrayLike, beta: float, *, correlation: float, prior: str = "uniform"
) -> CorrelatedOverlap:
    r"""What `infer_weights` reaches for N → ∞ on data of two hidden units with correlation q: matrix state evolution.

    .. math::
        Q_{\mu\nu} = \frac1N \sum_i \xi_{i\mu} \lambda_{i\nu}, \qquad
        \text{means\_overlap} = \tfrac12 (Q_{11} + Q_{22}), \quad \text{cross\_overlap} = \tfrac12 (Q_{12} + Q_{21})

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
        All 0 below the thresholds of `critical_density`.  With the matched prior no algorithm passes sign_overlap, nor
        has a cosine λ·ξ*/(√N ‖λ‖) above √means_overlap or a mean square error below 1 - means_overlap; those of either
        student are means_overlap/√mean_square and 1 - 2 means_overlap + mean_square.

    Warns
    -----
    ConvergenceWarning
        If an iteration has not come to rest: the density is at a transition.

    Notes
    -----
    Averages are good to 1e-9.  The iteration starts from the teacher, and so finds the largest overlap; the transitions
    are continuous, so that a start from nothing ends at the same place.  With rising density the student first finds
    the sum of the two units (sign overlap with a jump for the uniform prior, since the data show the sum before that
    student wakes up), and later tells them apart: there means_overlap and cross_overlap part.

    References
    ----------
    Derived in this project; the transitions are those of Hou, Wong & Huang, arXiv:1904.13052.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> state = vmf.theory.correlated_overlap([0.5, 1.0, 5.0], 1.0, correlation=0.3)
    >>> state.means_overlap.round(3)
    array([0.   , 0.216, 0.816])
    >>> state.cross_overlap.round(3)
    array([0.   , 0.216, 0.33 ])
    """
    checks.real(0, checks.MAX_BETA, beta=beta)
    checks.real(-1, 1, correlation=correlation)
    checks.option(PRIORS, prior=prior)
    densities = check_densities(alpha)

    overlaps = []
    residuals = []
    for density in densities.ravel():
        # the sign of q is a sign of one hidden unit, which nobody can tell
        overlap, residual = _overlap(density, beta, abs(correlation), prior)
        overlaps.append(overlap)
        residuals.append(residual)

    if max(residuals) >= TOL:
        advice = "take another alpha: this one is at a transition"
        warn_unconverged(max(residuals), TOL, MAX_ITER, advice, stacklevel=3)
    quantities = zip(*overlaps, strict=True)
    return CorrelatedOverlap(*(np.reshape(quantity, densities.shape) for quantity in quantities))


def _overlap(alpha, beta, correlation, prior):
    """The four numbers of a `CorrelatedOverlap` at one density, and the residual of the iteration."""
    if alpha <= critical_density(beta, correlation=correlation, prior=prior):
        return CorrelatedOverlap(*np.zeros(4)), 0.0
    rest = _fixed_point(alpha, beta, correlation, prior)
    teacher = rest.parameters.teacher
    overlap = CorrelatedOverlap(
        means_overlap=0.5 * teacher.sum(),
        sign_overlap=_sign_overlap(rest.fields, correlation),
        cross_overlap=0.5 * (teacher[SUM] - teacher[DIFFERENCE]),
        mean_square=0.5 * rest.parameters.square.sum(),
    )
    return overlap, rest.residual


def _fixed_point(alpha, beta, correlation, prior):
    """Sweeps from the teacher itself until the overlaps rest.

    Some changes are extrapolated as geometric series, fewer and fewer: slow approaches, near a transition, end sooner.
    """
    prior_field = np.arctanh(correlation) if prior == "matched" else 0.0
    of_teacher = np.array([1.0 + correlation, 1.0 - correlation])
    parameters = OrderParameters(of_teacher, of_teacher, correlation, 0.0)
    change = np.zeros(6)
    for n_sweeps in range(MAX_ITER):
        before = parameters
        last_change = change
        parameters, fields = _sweep(before, alpha, beta, correlation, prior_field)
        change = parameters.vector() - before.vector()
        # judged by the overlaps with the teacher
        residual = np.abs(parameters.teacher - before.teacher).max()
        if residual < TOL:
            break
        if n_sweeps in EXTRAPOLATED:
            parameters = _extrapolated(parameters, change, last_change)
    return _FixedPoint(parameters, fields, residual)


def _extrapolated(parameters, change, last_change):
    """The limit of a geometric series with these last two terms; the parameters themselves where there is none."""
    ratio = (change @ last_change) / max(last_change @ last_change, TINY)
    if not 0 < ratio < 1:
        return parameters
    limit = parameters.vector() + change * min(ratio / (1 - ratio), MAX_EXTRAPOLATION)
    return OrderParameters(
        teacher=np.clip(limit[0:2], 0.0, 2.0),
        square=np.clip(limit[2:4], 0.0, 2.0),
        product=limit[4],
        pair_field=limit[5],
    )


def _sweep(parameters, alpha, beta, correlation, prior_field):
    """The order parameters after one sweep over samples and sites, and the fields of the sites in it."""
    # from the sites to the hidden spins of a sample, and their averages
    sample_fields = _PairFields(
        gain=beta**2 * parameters.teacher,
        variance=0.5 * beta**2 * parameters.square,
        coupling=beta**2 * _unexplained_product(parameters),
    )
    samples = _averages(sample_fields, np.tanh(beta**2 * correlation))

    # what the data say about the products of synapses, less what ln Z takes from it; half the old is kept
    data_field = alpha * beta**2 * (_unexplained_product(samples) - np.tanh(beta**2 * parameters.product))
    pair_field = 0.5 * parameters.pair_field + 0.5 * data_field

    # back to the sites
    site_fields = _PairFields(
        gain=alpha * beta**2 * samples.teacher,
        variance=0.5 * alpha * beta**2 * samples.square,
        coupling=prior_field + pair_field,
    )
    sites = _averages(site_fields, correlation)
    return OrderParameters(sites.teacher, sites.square, sites.product, pair_field), site_fields


def _unexplained_product(averages):
    """E [<x_1 x_2> - <x_1><x_2>]: the part of the product that the two means do not carry."""
    return averages.product - 0.5 * (averages.square[SUM] - averages.square[DIFFERENCE])


def _side_probabilities(correlation):
    """Probabilities of t = ++ and t = +-, each with its mirror image."""
    return 0.5 * (1.0 + correlation), 0.5 * (1.0 - correlation)


def _grid(width):
    """Nodes and weights for functions of twice a spin's field of the given width."""
    return line_grid(min(2.0 * width, MAX_SHARPNESS))


def _averages(fields, correlation):
    """`_Averages` of pairs of spins in Gaussian fields, by sums over a grid of s and d."""
    width_s, width_d = np.sqrt(fields.variance)
    z_s, weights_s = _grid(width_s)
    z_d, weights_d = _grid(width_d)
    teacher = np.empty(2)
    square = np.zeros(2)
    product = 0.0
    for side, probability in zip(SIDES, _side_probabilities(correlation), strict=True):
        s = fields.gain[SUM] * (side == SUM) + width_s * z_s
        d = fields.gain[DIFFERENCE] * (side == DIFFERENCE) + width_d * z_d

        # the spins' averages at each point of the grid
        log_odds = 2.0 * fields.coupling + log2cosh(2.0 * s)[:, None] - log2cosh(2.0 * d)
        aligned = scipy.special.expit(log_odds)  # P(x_1 = x_2)
        half_sum = np.tanh(2.0 * s)[:, None] * aligned
        half_difference = np.tanh(2.0 * d) * (1.0 - aligned)
        known = half_sum if side == SUM else half_difference

        # and over the grid
        teacher[side] = 2.0 * probability * (weights_s @ known @ weights_d)
        square[SUM] += 2.0 * probability * (weights_s @ half_sum**2 @ weights_d)
        square[DIFFERENCE] += 2.0 * probability * (weights_s @ half_difference**2 @ weights_d)
        product += probability * (weights_s @ (2.0 * aligned - 1.0) @ weights_d)
    return _Averages(teacher, square, product)


def _sign_overlap(fields, correlation):
    """E sign<x_1> t_1, from <x_1> > 0 where e^J sinh 2s > -e^-J sinh 2d.

    Over one of s and d the average is an error function, over the other, on which it depends smoothly, a sum.
    """
    widths = np.sqrt(np.maximum(fields.variance, TINY))
    # the sum is over the field in which the edge of the other is flat, measured in their widths
    flat_in_difference = np.log(widths[DIFFERENCE] / widths[SUM]) < 2.0 * fields.coupling
    inner, outer = (SUM, DIFFERENCE) if flat_in_difference else (DIFFERENCE, SUM)
    z, weights = _grid(widths.max())
    total = 0.0
    for side, probability in zip(SIDES, _side_probabilities(correlation), strict=True):
        mean = fields.gain * (side == np.arange(2))
        # the inner field is above -edge where <x_1> > 0
        twice_outer = 2.0 * (mean[outer] + widths[outer] * z)
        edge = 0.5 * _asinh_scaled_sinh(twice_outer, 2.0 * fields.coupling * (inner - outer))
        positive = scipy.special.ndtr((mean[inner] + edge) / widths[inner])
        total += probability * (weights @ (2.0 * positive - 1.0))
    return total


def _asinh_scaled_sinh(x, log_scale):
    """asinh(exp(log_scale) sinh x) for any x and scale."""
    size = np.maximum(np.abs(x), 1e-150)
    log_argument = size + np.log(-np.expm1(-2.0 * size)) - np.log(2.0) + log_scale
    # asinh y = ln(y + √(1 + y²)), from ln y
    log_root = 0.5 * np.logaddexp(0.0, 2.0 * log_argument)
    return np.copysign(np.logaddexp(log_argument, log_root), x)
