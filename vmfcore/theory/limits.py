r"""What theory predicts for planted ensembles in the limit N → ∞: thresholds, Bayes-optimal overlaps, evidence."""

import numpy as np
import scipy

from vmfcore import checks
from vmfcore.numerics.spins import line_grid, log2cosh

PRIORS = ("uniform", "matched")


def critical_density(beta, *, correlation=0.0, prior="uniform"):
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
        What the student knows: independent synapses, or q.  The matched one is also where the leading
        principal component of the data wakes up.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    References
    ----------
    q = 0: Huang & Toyoizumi, arXiv:1608.03714; q ≠ 0 derived in this project, in words in Hou, Wong & Huang,
    arXiv:1904.13052.
    """
    beta = checks.real(1e-6, 1e6, closed="both", beta=beta)
    checks.real(-1, 1, closed="both", correlation=correlation)
    checks.option(PRIORS, prior=prior)
    q = abs(correlation)
    signal = (1 + q) * (1 + np.tanh(beta**2 * q))
    return float(beta**-4 * signal ** (-1 if prior == "uniform" else -2))


def _average(f, information):
    """E f(κ + √κ z), z ~ Normal(0, 1), for every κ >= 0; f is tanh or an integral of it."""
    kappa = np.asarray(information, dtype=np.float64)
    z, weights = line_grid(float(np.sqrt(kappa.max())), error=1e-13)
    return f(kappa[..., None] + np.sqrt(kappa)[..., None] * z) @ weights


def mean_overlap(information):
    r"""T(κ) = E tanh(κ + √κ z), z ~ Normal(0, 1): the overlap of a ±1 spin with its mean at signal-to-noise κ >= 0."""
    return _average(np.tanh, information)


def check_densities(alpha):
    """Sample densities of any shape as float64."""
    densities = checks.array((None,), alpha=np.ravel(alpha)).reshape(np.shape(alpha))
    if densities.min() <= 0:
        raise ValueError(f"alpha must hold positive numbers, got {densities.min()}")
    return densities


def _overlap(alpha, beta):
    """Q at one density; Q -> T(κ(Q)) is concave, so a nonzero root exists above the threshold only, and just one."""

    def information(q):
        return alpha * beta**2 * mean_overlap(beta**2 * q)

    def excess(q):
        return mean_overlap(information(q)) / q - 1

    low = 1e-12
    if alpha * beta**4 <= 1 or excess(low) <= 0:
        return 0.0, 0.0
    q = 1.0 if excess(1.0) >= 0 else scipy.optimize.brentq(excess, low, 1.0, xtol=1e-14)  # 1 to the accuracy of T
    return q, information(q)


def _fixed_points(alpha, beta):
    """Checked densities and their Q and κ, arrays of alpha's shape."""
    checks.real(0, np.inf, beta=beta)
    alphas = check_densities(alpha)
    q, kappa = np.array([_overlap(a, beta) for a in alphas.ravel()]).T
    return alphas, q.reshape(alphas.shape), kappa.reshape(alphas.shape)


def bayes_optimal_overlap(alpha, beta):
    r"""Overlaps that no algorithm passes: P = 1, and any finite P with independent hidden units, N → ∞.

    .. math::
        Q = T(\kappa), \quad \kappa = \alpha\beta^2 T(\beta^2 Q), \quad T(a) = E\tanh(a + \sqrt a z)

    Parameters
    ----------
    alpha : float or array > 0
        Sample density M/N.
    beta : float > 0
        Inverse temperature.

    Returns
    -------
    means_overlap, sign_overlap : arrays of alpha's shape
        Q, of the posterior mean, and erf √(κ/2), of its sign; both 0 up to α = β⁻⁴.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Notes
    -----
    The Gaussian average T is good to 1e-9.

    References
    ----------
    Replica-symmetric theory, Huang & Toyoizumi, arXiv:1608.03714.
    """
    _, q, kappa = _fixed_points(alpha, beta)
    return q, scipy.special.erf(np.sqrt(kappa / 2))


def free_entropy(alpha, beta):
    r"""Replica-symmetric free entropy φ per synapse; φ - ln 2 is the log-evidence above the uniform model.

    .. math::
        \phi = -\tfrac12\kappa(1+Q) + E\ln 2\cosh(\kappa+\sqrt\kappa z)
            + \alpha\bigl[-\tfrac12\beta^2 Q + E\ln\cosh(\beta^2Q + \beta\sqrt Q z)\bigr]

    Parameters
    ----------
    alpha : float or array > 0
        Sample density M/N.
    beta : float > 0
        Inverse temperature.

    Returns
    -------
    array of alpha's shape
        Nats per synapse; ln 2 up to α = β⁻⁴.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    References
    ----------
    As `bayes_optimal_overlap`, whose equations are its stationary point.
    """
    alphas, q, kappa = _fixed_points(alpha, beta)
    sites = -0.5 * kappa * (1 + q) + _average(log2cosh, kappa)
    return sites + alphas * (-0.5 * beta**2 * q + _average(log2cosh, beta**2 * q) - np.log(2))


def evidence_ceiling(alpha, beta):
    r"""Log-evidence per synapse above that of uniform spins, (ln P(data) + M N ln 2)/(N P) → φ - ln 2.

    alpha, beta, errors and source as in `free_entropy`.  No bound on the log-likelihood of planted data exceeds it for
    N → ∞, P = 1 or independent hidden units.

    Returns
    -------
    array of alpha's shape
        Nats, >= 0.
    """
    return free_entropy(alpha, beta) - np.log(2)


def bayes_optimal_entropy(alpha, beta):
    r"""Entropy per synapse of the posterior, φ - α [E ln cosh(β² + β z) - β²/2]: what the data leave undecided.

    alpha, beta, errors and source as in `free_entropy`.

    Returns
    -------
    array of alpha's shape
        Nats, from ln 2 (nothing known) to 0, to 1e-10 (1 + α).
    """
    total = free_entropy(alpha, beta)
    return total - np.asarray(alpha) * (_average(log2cosh, beta**2) - np.log(2) - 0.5 * beta**2)


def principal_component_overlap(alpha, beta):
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
    array of alpha's shape, in [0, 1)

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    References
    ----------
    The spiked covariance model, Baik, Ben Arous & Péché, Ann. Probab. 33, 1643 (2005), with spike β² at P = 1.
    """
    checks.real(0, np.inf, beta=beta)
    alpha = check_densities(alpha)
    return np.sqrt(np.maximum(0, 1 - 1 / (alpha * beta**4)) / (1 + 1 / (alpha * beta**2)))
