r"""A student whose inverse temperature β is not the teacher's β*: what it finds, how sure it is, and where it breaks.

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
"""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.theory.limits import check_arguments

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(201)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
TOL = 1e-12  # of an iteration's change in Q and p
MAX_ITER = 100_000


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
    signal: np.ndarray  # κ
    noise: np.ndarray  # v


def _of_gaussian(function, mean, variance):
    """E f(mean + √variance z), for arrays."""
    return function(mean[..., None] + np.sqrt(variance)[..., None] * NODES) @ WEIGHTS


def _iterate(point, alphas, beta, teacher_beta):
    x = teacher_beta * point.overlap, point.self_overlap
    signal = alphas * beta * teacher_beta * _of_gaussian(lambda x: np.tanh(beta * x), *x)
    noise = alphas * beta**2 * _of_gaussian(lambda x: np.tanh(beta * x) ** 2, *x)
    y = signal, noise
    return _Point(_of_gaussian(np.tanh, *y), _of_gaussian(lambda y: np.tanh(y) ** 2, *y), signal, noise)


def _fixed_point(alphas, beta, teacher_beta, overlap):
    """The fixed point reached from an overlap Q, with p = 1."""
    point = _Point(np.full(alphas.shape, overlap), np.ones(alphas.shape), None, None)
    for _ in range(MAX_ITER):
        old, point = point, _iterate(point, alphas, beta, teacher_beta)
        change = np.abs([point.overlap - old.overlap, point.self_overlap - old.self_overlap])
        if change.max() < TOL:
            break
    return point


def _log2cosh(x):
    return np.logaddexp(x, -x)


def _sech4(x):
    return (1 - np.tanh(x) ** 2) ** 2


def _stability(point, alphas, beta, teacher_beta):
    x = teacher_beta * point.overlap, point.self_overlap
    of_data = _of_gaussian(lambda x: _sech4(beta * x), *x)
    return alphas * beta**4 * of_data * _of_gaussian(_sech4, point.signal, point.noise)


def _entropy(point, alphas, beta, teacher_beta):
    r"""Of the synapses: φ without the mean of ln P(σ|ξ).

    Given x, what a synaptic vector of the posterior feels is u = x ± β (1 - p) + √(1 - p) z, + with probability
    1/(1 + e^{-2 β x}), of which ln 2 cosh β u is the logarithm of the likelihood.
    """
    rest = 1 - point.self_overlap
    x = teacher_beta * point.overlap[..., None] + np.sqrt(point.self_overlap)[..., None] * NODES
    of_likelihood = 0.0
    for sign in (1, -1):
        chance = scipy.special.expit(2 * sign * beta * x)
        mean = beta * (x + sign * beta * rest[..., None])
        spread = np.broadcast_to((beta**2 * rest)[..., None], mean.shape)
        of_likelihood = of_likelihood + (chance * _of_gaussian(_log2cosh, mean, spread)) @ WEIGHTS
    of_data = _log2cosh(beta * x) @ WEIGHTS + beta**2 * rest / 2 - of_likelihood
    of_synapses = _of_gaussian(_log2cosh, point.signal, point.noise)
    return alphas * of_data - point.signal * point.overlap - point.noise * rest / 2 + of_synapses


def mismatched_overlap(alpha: ArrayLike, beta: float, teacher_beta: float) -> MismatchedOverlap:
    """Overlaps of a student at β with a teacher at β*: of the mean and of its signs, believed and true.

    Parameters
    ----------
    alpha : float or array > 0
        Sample density M/N.
    beta, teacher_beta : float > 0
        Inverse temperatures β of the student and β* of the teacher.

    Returns
    -------
    MismatchedOverlap
        Of the fixed point that is reached from the teacher itself.

    Examples
    --------
    >>> from vmfcore.theory.mismatch import mismatched_overlap
    >>> found = mismatched_overlap(3.0, 1.3, 1.0)
    >>> [round(float(x), 3) for x in found]
    [0.662, 0.731, 0.723, 0.174, 0.519]
    """
    alphas = check_arguments(alpha, beta)
    checks.real(0, np.inf, teacher_beta=teacher_beta)
    point = _fixed_point(alphas, beta, teacher_beta, overlap=1.0)
    width = np.sqrt(np.maximum(2 * point.noise, np.finfo(float).tiny))
    return MismatchedOverlap(
        point.overlap,
        point.self_overlap,
        scipy.special.erf(point.signal / width),
        _entropy(point, alphas, beta, teacher_beta),
        _stability(point, alphas, beta, teacher_beta),
    )


def recovery_density(beta: float, teacher_beta: float, largest: float = 1e4) -> float:
    r"""Sample density above which a student at β finds the teacher: where Q = 0 becomes unstable.

    .. math:: \alpha \beta^2\beta_*^2 (1 - p) (1 - E\tanh^2 \beta\sqrt p z) = 1

    with the p of Q = 0, which is 0 up to α = β⁻⁴, the border of the glass.  Infinite for a student that is too cold:
    in its glass the left hand side need not reach 1 however many the data.
    """
    checks.real(0, np.inf, beta=beta, teacher_beta=teacher_beta)
    if teacher_beta >= beta:
        return float((beta * teacher_beta) ** -2)

    def excess(alpha):
        alphas = np.array([alpha])
        point = _fixed_point(alphas, beta, teacher_beta, overlap=0.0)
        response = 1 - point.noise[0] / (alpha * beta**2)
        return alpha * (beta * teacher_beta) ** 2 * (1 - point.self_overlap[0]) * response - 1

    densities = beta**-4 * np.geomspace(1.001, largest, 60)
    values = [excess(a) for a in densities]
    above = np.flatnonzero(np.array(values) > 0)
    if not above.size:
        return np.inf
    first = above[0]
    return float(scipy.optimize.brentq(excess, densities[first - 1], densities[first])) if first else densities[0]
