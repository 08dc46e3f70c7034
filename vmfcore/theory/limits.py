r"""What theory predicts for planted ensembles in the limit N → ∞: thresholds and Bayes-optimal overlaps.

One hidden unit, or a finite number of independent ones, and data drawn at the student's own inverse temperature β.
The replica-symmetric theory has one order parameter, the overlap Q of the posterior mean with the teacher, and its
conjugate κ, the signal-to-noise ratio at a synapse,

.. math::
    Q = T(\kappa), \qquad \kappa = \alpha\beta^2 T(\beta^2 Q), \qquad
    T(\kappa) = E\tanh(\kappa + \sqrt\kappa z), \quad z \sim \mathrm{Normal}(0, 1).

References
----------
Huang & Toyoizumi, arXiv:1608.03714; with correlated units Hou, Wong & Huang, arXiv:1904.13052.
"""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.numerics.spins import line_grid

PRIORS = ("uniform", "matched")
AVERAGE_ERROR = 1e-13  # of the nodes; that of a Gaussian average of tanh comes to 1e-9
SMALLEST_OVERLAP = 1e-12  # from which the root of the equation for Q is searched
LN2 = np.log(2)


class _FixedPoint(NamedTuple):
    """Solution of the equations above; numbers, or arrays of the shape of alpha."""

    overlap: float | np.ndarray  # Q
    information: float | np.ndarray  # κ


def critical_density(beta: float, *, correlation: float = 0.0, prior: str = "uniform") -> float:
    r"""Sample density α_c = M/N above which a teacher of two hidden units (or any number, for q = 0) can be found.

    .. math::
        q = 0:\ \beta^{-4}; \qquad
        \text{uniform}:\ \frac{1}{\beta^4 (1+|q|)(1+\tanh\beta^2|q|)}; \qquad
        \text{matched}:\ \frac{1}{[\beta^2 (1+|q|)(1+\tanh\beta^2|q|)]^2}

    Parameters
    ----------
    beta : float in [1e-6, 1e6]
        Inverse temperature.
    correlation : float in [-1, 1]
        q, between the synapses of the two hidden units.
    prior : "uniform" or "matched"
        What the student knows: independent synapses, or q.

    Returns
    -------
    float
        α_c, dimensionless.

    Notes
    -----
    At the density of the matched prior the leading principal component of the data wakes up, too.

    References
    ----------
    q = 0: Huang & Toyoizumi, arXiv:1608.03714; q ≠ 0: derived in this project, in words in Hou, Wong & Huang,
    arXiv:1904.13052.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.critical_density(2.0)
    0.0625
    >>> round(vmf.critical_density(1.0, correlation=0.3), 3)
    0.596
    >>> round(vmf.critical_density(1.0, correlation=0.3, prior="matched"), 3)
    0.355
    """
    beta = checks.real(checks.MIN_BETA, checks.MAX_SIZE, closed="both", beta=beta)
    checks.real(-1, 1, closed="both", correlation=correlation)
    checks.option(PRIORS, prior=prior)
    q = abs(correlation)
    # how much stronger the sum of both units shows in the data than one unit alone; who knows q gains it twice
    signal = (1 + q) * (1 + np.tanh(beta**2 * q))
    exponent = -1 if prior == "uniform" else -2
    return float(beta**-4 * signal**exponent)


def bayes_optimal_overlap(alpha: ArrayLike, beta: float) -> tuple[np.ndarray, np.ndarray]:
    r"""Overlaps of the Bayes-optimal student: P = 1, and any finite P with independent hidden units, N → ∞.

    .. math::
        Q = T(\kappa), \quad \kappa = \alpha\beta^2 T(\beta^2 Q), \quad T(\kappa) = E\tanh(\kappa + \sqrt\kappa z)

    No algorithm passes these, by any estimate λ of the synapses ξ*:

    .. math::
        \frac{1}{N} \Bigl|\sum_i \xi^*_i \operatorname{sign}\lambda_i\Bigr| \le \operatorname{erf}\sqrt{\kappa/2}, \quad
        \frac{|\lambda\cdot\xi^*|}{\sqrt N \lVert\lambda\rVert} \le \sqrt Q, \quad
        \frac{1}{N} \sum_i (\xi^*_i - \lambda_i)^2 \ge 1 - Q .

    Parameters
    ----------
    alpha : float or array > 0
        Sample density M/N.
    beta : float > 0
        Inverse temperature.

    Returns
    -------
    means_overlap : array of alpha's shape
        Q, of the posterior mean; 0 up to α = β⁻⁴.
    sign_overlap : array of alpha's shape
        erf √(κ/2), of the sign of the posterior mean; 0 up to α = β⁻⁴.

    Notes
    -----
    Q is no limit for the overlap Σ ξ*λ/N of means, which grows with the length of λ: an overconfident λ passes it, and
    so does the sign of the posterior mean itself.  At finite N single data sets scatter around the limits.  The
    Gaussian average T is good to 1e-9.

    References
    ----------
    Replica-symmetric theory, Huang & Toyoizumi, arXiv:1608.03714.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> means_overlap, sign_overlap = vmf.bayes_optimal_overlap([0.5, 2, 5], 1.0)
    >>> means_overlap.round(4)
    array([0.    , 0.3898, 0.8265])
    >>> sign_overlap.round(4)
    array([0.    , 0.5544, 0.8829])
    """
    alphas = check_arguments(alpha, beta)
    overlap, information = fixed_points(alphas, beta)
    return overlap, scipy.special.erf(np.sqrt(information / 2))


def principal_component_overlap(alpha: ArrayLike, beta: float) -> np.ndarray:
    r"""Overlap |cos| of the leading principal component with the teacher, P = 1, N → ∞.

    .. math:: \cos^2 = \frac{1 - 1/(\alpha\beta^4)}{1 + 1/(\alpha\beta^2)}, \qquad 0 \text{ up to } \alpha = \beta^{-4}

    Parameters
    ----------
    alpha : float or array > 0
        Sample density M/N.
    beta : float > 0
        Inverse temperature.

    Returns
    -------
    array of alpha's shape
        In [0, 1).

    References
    ----------
    The spiked covariance model, Baik, Ben Arous & Péché, Ann. Probab. 33, 1643 (2005), with spike β² at P = 1.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.theory.principal_component_overlap([0.5, 2, 5], 1.0).round(4)
    array([0.    , 0.5774, 0.8165])
    """
    alphas = check_arguments(alpha, beta)
    signal = np.maximum(0, 1 - 1 / (alphas * beta**4))
    noise = 1 / (alphas * beta**2)
    return np.sqrt(signal / (1 + noise))


def mean_overlap(information: ArrayLike) -> np.ndarray:
    r"""T(κ) = E tanh(κ + √κ z), z ~ Normal(0, 1): the overlap of a ±1 spin with its mean at signal-to-noise κ >= 0.

    Parameters
    ----------
    information : float or array >= 0
        κ.

    Returns
    -------
    array of the shape of information
        In [0, 1); good to 1e-9.

    Examples
    --------
    >>> from vmfcore.theory.limits import mean_overlap
    >>> mean_overlap([0.01, 1.0, 10.0]).round(4)
    array([0.0099, 0.5504, 0.9976])
    """
    return gaussian_average(np.tanh, information)


def check_densities(alpha):
    """Sample densities of any shape as float64."""
    densities = checks.array((None,), alpha=np.ravel(alpha)).reshape(np.shape(alpha))
    if densities.min() <= 0:
        raise ValueError(f"alpha must hold positive numbers, got {densities.min()}")
    return densities


def check_arguments(alpha, beta):
    """The densities as float64, of a planted ensemble at inverse temperature beta."""
    checks.real(0, np.inf, beta=beta)
    return check_densities(alpha)


def gaussian_average(function, mean, variance=None):
    """E f(mean + √variance z), z ~ Normal(0, 1), for arrays of one shape; f is tanh, an integral, or as smooth.

    Without a variance it is the mean, κ, as of the fields of a student who is right.
    """
    mean = np.asarray(mean, dtype=np.float64)
    widths = np.sqrt(mean if variance is None else variance)
    # the widest Gaussian asks for most nodes; the others take the same
    z, weights = line_grid(float(widths.max()), error=AVERAGE_ERROR)
    return function(mean[..., None] + widths[..., None] * z) @ weights


def fixed_points(alphas, beta):
    """Q and κ of checked densities, arrays of their shape."""
    solutions = [_fixed_point(alpha, beta) for alpha in alphas.ravel()]
    overlaps = np.array([solution.overlap for solution in solutions])
    informations = np.array([solution.information for solution in solutions])
    return _FixedPoint(overlaps.reshape(alphas.shape), informations.reshape(alphas.shape))


def _fixed_point(alpha, beta):
    """Q and κ at one density; Q → T(κ(Q)) is concave, so a nonzero root exists above the threshold only, and one."""

    def information(overlap):
        return alpha * beta**2 * mean_overlap(beta**2 * overlap)

    def excess(overlap):
        return mean_overlap(information(overlap)) / overlap - 1

    if alpha * beta**4 <= 1 or excess(SMALLEST_OVERLAP) <= 0:
        return _FixedPoint(0.0, 0.0)
    if excess(1.0) >= 0:  # Q is 1 to the accuracy of T
        return _FixedPoint(1.0, information(1.0))
    overlap = scipy.optimize.brentq(excess, SMALLEST_OVERLAP, 1.0, xtol=1e-14)
    return _FixedPoint(overlap, information(overlap))
