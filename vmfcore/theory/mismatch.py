r"""A student whose inverse temperature or prior is not the teacher's: what it finds, how sure it is, where it breaks.

One hidden unit, or a finite number of independent ones, N → ∞.  The posterior over the synapses has the free entropy

.. math::
    \varphi = \alpha \Bigl[E \ln 2\cosh \beta x - \frac{\beta^2 p}{2} - \ln 2\Bigr] - \kappa Q - \frac{v (1 - p)}{2}
    + E \ln 2\cosh y, \qquad x = \beta_* Q + \sqrt p z, \quad y = \kappa + \sqrt v z,

with z ~ Normal(0, 1), the logarithm of Σ_ξ Π_a P(σ^a|ξ) 2^N over N.  It is stationary in the overlap of the posterior
mean with the teacher, Q = ξ*·λ/N, in that with itself, p = λ·λ/N, which are equal only for β = β*, and in their
conjugates:

.. math::
    \kappa = \alpha\beta\beta_* E\tanh\beta x, \quad v = \alpha\beta^2 E\tanh^2\beta x; \qquad
    Q = E\tanh y, \quad p = E\tanh^2 y .

One state describes the posterior where

.. math::
    \Lambda = \alpha\beta^4\, E[\mathrm{sech}^4 \beta x]\, E[\mathrm{sech}^4 y] < 1

(de Almeida and Thouless); beyond that line message passing has no fixed point to come to.

A student that takes the synapses to have the mean m0, where the teacher's have m*, adds the field θ = atanh m0 at every
site: y becomes κ + ξ* θ + √v z in all averages over sites, with ξ* = ±1 in the parts (1 ± m*)/2 of them.
"""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.numerics.spins import log2cosh
from vmfcore.theory.limits import check_densities, gaussian_average

TOL = 1e-12  # of an iteration's change in Q and p
MAX_ITER = 100_000
LARGEST = 1e4  # density of the search for recovery, over that of the glass
N_SCANNED = 50  # densities of it


class MismatchedOverlap(NamedTuple):
    """What a student at another temperature finds, arrays of the shape of alpha."""

    overlap: np.ndarray  # Q, of the posterior mean with the teacher
    self_overlap: np.ndarray  # p, mean λ²: what the student believes its overlap to be
    sign_overlap: np.ndarray  # of the signs with the teacher
    entropy: np.ndarray  # of the synapses, nats a synapse; negative: one state is not the truth
    stability: np.ndarray  # Λ; below 1 message passing comes to rest


class _Point(NamedTuple):
    overlap: np.ndarray
    self_overlap: np.ndarray
    signal: np.ndarray | None  # κ; None before the first sweep, as v
    noise: np.ndarray | None  # v


class _Sites(NamedTuple):
    """What student and teacher take the synapses to be before the data."""

    field: float = 0.0  # θ
    teacher_mean: float = 0.0  # m*

    def parts(self, point):
        """ξ*, its share of the sites, and the mean ξ* y = κ + ξ* θ there; without θ all sites are alike."""
        if not self.field:
            return [(1, 1.0, point.signal)]
        return [(sign, (1 + sign * self.teacher_mean) / 2, point.signal + sign * self.field) for sign in (1, -1)]

    def average(self, function, point):
        """E f(κ + ξ* θ + √v z)."""
        return sum(share * gaussian_average(function, mean, point.noise) for _, share, mean in self.parts(point))

    def average_energy(self, point):
        """E θ λ, of the synapses in the field of the prior."""
        of_parts = ((sign * share, mean) for sign, share, mean in self.parts(point))
        return self.field * sum(share * gaussian_average(np.tanh, mean, point.noise) for share, mean in of_parts)


def _of_data(point, beta, teacher_beta):
    """Mean and variance of βx, the field of the synapses on the hidden spin of a sample."""
    return beta * teacher_beta * point.overlap, beta**2 * point.self_overlap


def _tanh_and_its_square(x):
    tanh = np.tanh(x)
    return np.stack([tanh, tanh**2])


def _iterate(point, alphas, beta, teacher_beta, sites):
    mean, mean_square = gaussian_average(_tanh_and_its_square, *_of_data(point, beta, teacher_beta))
    signal = alphas * beta * teacher_beta * mean
    noise = alphas * beta**2 * mean_square
    point = point._replace(signal=signal, noise=noise)
    overlap, self_overlap = sites.average(_tanh_and_its_square, point)
    return _Point(overlap, self_overlap, signal, noise)


def _fixed_point(alphas, beta, teacher_beta, sites, overlap):
    """The fixed point reached from an overlap Q, with p = 1."""
    point = _Point(np.full(alphas.shape, overlap), np.ones(alphas.shape), None, None)
    for _ in range(MAX_ITER):
        old, point = point, _iterate(point, alphas, beta, teacher_beta, sites)
        change = np.abs([point.overlap - old.overlap, point.self_overlap - old.self_overlap])
        if change.max() < TOL:
            break
    return point


def _sech4(x):
    return (1 - np.tanh(x) ** 2) ** 2


def _stability(point, alphas, beta, teacher_beta, sites):
    of_data = gaussian_average(_sech4, *_of_data(point, beta, teacher_beta))
    return alphas * beta**4 * of_data * sites.average(_sech4, point)


def _entropy(point, alphas, beta, teacher_beta, sites):
    r"""Of the synapses: φ without the means of ln P(σ|ξ) and of ln P0(ξ).

    Given βx, what a synaptic vector of the posterior feels is βu = βx ± β² (1 - p) + β √(1 - p) z, + with probability
    1/(1 + e^{-2 β x}), of which ln 2 cosh βu is the logarithm of the likelihood.
    """
    rest = beta**2 * (1 - point.self_overlap)

    def log_likelihood(x):
        """Mean of ln 2 cosh βu given βx."""
        spread = np.broadcast_to(rest[..., None], x.shape)
        up, down = (gaussian_average(log2cosh, x + sign * spread, spread) for sign in (1, -1))
        return down + scipy.special.expit(2 * x) * (up - down)

    x = _of_data(point, beta, teacher_beta)
    of_data = gaussian_average(lambda x: log2cosh(x) - log_likelihood(x), *x) + rest / 2
    of_synapses = sites.average(log2cosh, point) - sites.average_energy(point)
    conjugate = point.signal * point.overlap + point.noise * (1 - point.self_overlap) / 2
    return alphas * of_data - conjugate + of_synapses


def _sign_overlap(point, sites):
    """E sign(κ + ξ* θ + √v z)."""
    width = np.sqrt(np.maximum(2 * point.noise, np.finfo(float).tiny))
    return sum(share * scipy.special.erf(mean / width) for _, share, mean in sites.parts(point))


def _check_temperatures(beta, teacher_beta):
    checks.real(checks.MIN_BETA, checks.MAX_BETA, beta=beta, teacher_beta=teacher_beta)


def mismatched_overlap(
    alpha: ArrayLike, beta: float, teacher_beta: float, *, prior_mean: float = 0.0, teacher_mean: float = 0.0
) -> MismatchedOverlap:
    """Overlaps of a student at β with a teacher at β*: of the mean and of its signs, believed and true.

    Parameters
    ----------
    alpha : float or array > 0
        Sample density M/N.
    beta, teacher_beta : float in (1e-6, 50)
        Inverse temperatures β of the student and β* of the teacher.
    prior_mean, teacher_mean : float in (-1, 1)
        Means of the synapses: m0 in the student's prior, m* in truth.

    Returns
    -------
    MismatchedOverlap
        Arrays of alpha's shape, of the fixed point that is reached from the teacher itself.  At a transition, where
        the iteration is slow, overlaps are good to 1e-5.

    Notes
    -----
    Where `stability` is beyond 1 the equations describe no state that message passing comes to.  Means that vanish do
    so along the leading principal component of the data: their signs have its overlap, other than 0 for α > β*⁻⁴.  The
    overlap of the posterior mean, Q, exceeds what the student believes, p, for a student that is too hot, and falls
    short of it for one that is too cold.

    References
    ----------
    Derived in this project; for β = β* it is `bayes_optimal_overlap`, Huang & Toyoizumi, arXiv:1608.03714.

    Examples
    --------
    >>> from vmfcore.theory import mismatched_overlap
    >>> found = mismatched_overlap(3.0, 1.3, 1.0)
    >>> [round(float(x), 3) for x in found]
    [0.662, 0.731, 0.723, 0.174, 0.519]
    """
    alphas = check_densities(alpha)
    _check_temperatures(beta, teacher_beta)
    checks.real(-1, 1, prior_mean=prior_mean, teacher_mean=teacher_mean)
    sites = _Sites(np.arctanh(prior_mean), teacher_mean)
    point = _fixed_point(alphas, beta, teacher_beta, sites, overlap=1.0)
    return MismatchedOverlap(
        point.overlap,
        point.self_overlap,
        _sign_overlap(point, sites),
        _entropy(point, alphas, beta, teacher_beta, sites),
        _stability(point, alphas, beta, teacher_beta, sites),
    )


def recovery_density(beta: float, teacher_beta: float) -> float:
    r"""Sample density α above which a student at β begins to find the teacher: where Q = 0 becomes unstable.

    .. math:: \alpha \beta^2\beta_*^2 (1 - p) (1 - E\tanh^2 \beta\sqrt p z) = 1

    with the p of Q = 0.  A student that is not colder than the teacher has p = 0 up to there; a colder one has met
    its glass before, at α = β⁻⁴.

    Parameters
    ----------
    beta, teacher_beta : float in (1e-6, 50)
        Inverse temperatures β of the student and β* of the teacher.

    Returns
    -------
    float
        α, dimensionless; ∞ if above 10⁴ β⁻⁴.

    Notes
    -----
    In the glass one state is not the truth, so that for β > β* the density is that of this approximation.

    References
    ----------
    Derived in this project from the free entropy at the head of `vmfcore.theory.mismatch`.

    Examples
    --------
    >>> from vmfcore.theory import recovery_density
    >>> recovery_density(0.5, 1.0), round(recovery_density(1.5, 1.0), 3)
    (4.0, 1.141)
    """
    _check_temperatures(beta, teacher_beta)
    if beta <= teacher_beta:
        return float((beta * teacher_beta) ** -2)

    def excess(alpha):
        point = _fixed_point(np.array([alpha]), beta, teacher_beta, _Sites(), overlap=0.0)
        response = point.noise / (alpha * beta**2)
        return (alpha * (beta * teacher_beta) ** 2 * (1 - point.self_overlap) * (1 - response) - 1).item()

    below = beta**-4
    for above in below * np.geomspace(1.01, LARGEST, N_SCANNED):
        if excess(above) > 0:
            return scipy.optimize.brentq(excess, below, above)
        below = above
    return np.inf
