r"""What theory predicts for the evidence of planted data in the limit N → ∞, and what they leave undecided.

The order parameters Q and κ are those of `vmfcore.theory.limits`.
"""

import numpy as np
from numpy.typing import ArrayLike

from vmfcore.numerics.spins import log2cosh
from vmfcore.theory.limits import check_arguments, fixed_points, gaussian_average

LN2 = np.log(2)


def free_entropy(alpha: ArrayLike, beta: float) -> np.ndarray:
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

    Notes
    -----
    The equations of `bayes_optimal_overlap` are its stationary point in Q and κ.

    References
    ----------
    Replica-symmetric theory, Huang & Toyoizumi, arXiv:1608.03714.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.theory.free_entropy([0.5, 3, 5], 1.0).round(4)
    array([0.6931, 0.7565, 0.95  ])
    """
    alphas = check_arguments(alpha, beta)
    overlap, information = fixed_points(alphas, beta)
    of_sites = -0.5 * information * (1 + overlap) + gaussian_average(log2cosh, information)
    of_a_sample = -0.5 * beta**2 * overlap + gaussian_average(log2cosh, beta**2 * overlap) - LN2
    return of_sites + alphas * of_a_sample


def evidence_ceiling(alpha: ArrayLike, beta: float) -> np.ndarray:
    r"""Log-evidence per synapse above that of uniform spins, (ln P(data) + M N ln 2)/(N P) → φ - ln 2.

    Parameters
    ----------
    alpha : float or array > 0
        Sample density M/N.
    beta : float > 0
        Inverse temperature.

    Returns
    -------
    array of alpha's shape
        Nats, >= 0.

    Notes
    -----
    φ is that of `free_entropy`.  No bound on the log-likelihood of planted data exceeds the ceiling for N → ∞ and
    P = 1 or independent hidden units.

    References
    ----------
    Replica-symmetric theory, Huang & Toyoizumi, arXiv:1608.03714.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.theory.evidence_ceiling([3, 5], 1.0).round(4)
    array([0.0634, 0.2569])
    """
    return free_entropy(alpha, beta) - LN2


def bayes_optimal_entropy(alpha: ArrayLike, beta: float) -> np.ndarray:
    r"""Entropy per synapse of the posterior, φ - α [E ln cosh(β² + β z) - β²/2]: what the data leave undecided.

    Parameters
    ----------
    alpha : float or array > 0
        Sample density M/N.
    beta : float > 0
        Inverse temperature.

    Returns
    -------
    array of alpha's shape
        Nats, from ln 2 (nothing known) to 0 (all known); good to 1e-10 (1 + α).

    Notes
    -----
    φ is that of `free_entropy`; what is taken from it is the log-likelihood of the teacher itself above uniform spins.

    References
    ----------
    Replica-symmetric theory, Huang & Toyoizumi, arXiv:1608.03714.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.theory.bayes_optimal_entropy([0.5, 3, 10], 1.0).round(4)
    array([0.6116, 0.267 , 0.0267])
    """
    total = free_entropy(alpha, beta)
    of_the_teacher = gaussian_average(log2cosh, beta**2) - LN2 - 0.5 * beta**2
    return total - np.asarray(alpha) * of_the_teacher
