r"""The data term Σ_aμ <ln 2cosh β X_μ^a>_Q, X_μ^a = Σ_i ξ_iμ σ_i^a/√N: Gaussian, exact, and with the reaction term.

Each function takes spins (M, N) of ±1, means (N, P) in [-1, 1] and beta, and returns the value in nats and its
derivatives (N, P) with respect to the means.
"""

import numba
import numpy as np

from vmfcore.spins import gaussian_averages, log2cosh

DATA_TERMS = ("gaussian", "exact", "tap")


def gaussian(spins, means, beta):
    r"""X Gaussian, of mean Σ_i λ_i σ_i/√N and variance Ξ² = Σ_i (1 - λ_i²)/N: the central limit theorem.

    Parameters
    ----------
    spins : (M, N) float64 array, ±1
    means : (N, P) float64 array in [-1, 1]
    beta : float

    Returns
    -------
    value : float
        Nats.
    gradient : (N, P) float64

    Notes
    -----
    O(M N P): two matrix products.  The Gaussian step is exact for |λ| = 1 and costs O(1/N) a term elsewhere.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (4).
    """
    scale = beta / np.sqrt(len(means))
    width = beta * np.sqrt(np.mean(1.0 - means**2, axis=0))
    value, mean, slope = gaussian_averages(np.ascontiguousarray(scale * (spins @ means).T), width)
    return value, scale * (mean @ spins).T - scale**2 * means * slope.sum(axis=1)


@numba.njit(cache=True, error_model="numpy")
def _flip(values, p, out):
    """out[k] = p values[k + 1] + (1 - p) values[k]: the average over one more spin, up with probability p."""
    for k in range(out.size):
        out[k] = p * values[k + 1] + (1.0 - p) * values[k]


@numba.njit(cache=True, parallel=True, error_model="numpy")
def _exact(spins, means, table, slopes):
    """Average of table[number of ξ_i σ_i = 1] for each sample and hidden unit; slopes[a] gets its derivatives."""
    n_samples, n_visible = spins.shape
    n_hidden = means.shape[1]
    values = np.zeros(n_samples)
    for a in numba.prange(n_samples):
        averages = np.empty((n_visible + 1, n_visible + 1))  # row i: given the number of ups among the first i spins
        weights = np.empty(n_visible + 1)
        for mu in range(n_hidden):
            averages[n_visible] = table
            for i in range(n_visible - 1, -1, -1):
                _flip(averages[i + 1], 0.5 * (1.0 + spins[a, i] * means[i, mu]), averages[i, : i + 1])
            values[a] += averages[0, 0]
            weights[:] = 0.0
            weights[0] = 1.0
            for i in range(n_visible):
                p, slope = 0.5 * (1.0 + spins[a, i] * means[i, mu]), 0.0
                for k in range(i + 1):
                    slope += weights[k] * (averages[i + 1, k + 1] - averages[i + 1, k])
                slopes[a, i, mu] = 0.5 * spins[a, i] * slope
                for k in range(i + 1, 0, -1):
                    weights[k] = (1.0 - p) * weights[k] + p * weights[k - 1]
                weights[0] *= 1.0 - p
    return values


def exact(spins, means, beta):
    r"""The average over Q itself: X takes N + 1 values, whose probabilities follow one spin after the other.

    Parameters
    ----------
    spins, means, beta
        As in `gaussian`.

    Returns
    -------
    value, gradient
        To rounding.

    Notes
    -----
    O(M N² P): of use for N up to some hundred.

    References
    ----------
    The Poisson binomial distribution by its recursion, R. E. Barlow, K. D. Heidtmann, IEEE Trans. Reliability 33, 322
    (1984); the gradient is its transpose.
    """
    n_visible = len(means)
    table = log2cosh(beta * (2.0 * np.arange(n_visible + 1) - n_visible) / np.sqrt(n_visible))
    gradient, value = np.zeros(means.shape), 0.0
    block = max(1, 2**21 // means.size)
    for start in range(0, len(spins), block):
        part = spins[start : start + block]
        slopes = np.empty((len(part), *means.shape))
        value += _exact(part, means, table, slopes).sum()
        gradient += slopes.sum(axis=0)
    return value, gradient


def cavity_fields(fields, variances):
    r"""y with y + Ξ² tanh y = G for every field G and variance Ξ² >= 0: local fields less what the spin itself caused.

    Newton's method from below the root, where the equation is concave: it rises monotonically to it.
    """
    size = np.abs(fields)
    y = np.maximum(size / (1.0 + variances), size - variances)
    for _ in range(100):
        tanh = np.tanh(y)
        step = (size - y - variances * tanh) / (1.0 + variances * (1.0 - tanh**2))
        y += step
        if np.abs(step).max() < 1e-13 * (1.0 + y.max()):
            break
    return np.copysign(y, fields)


def tap(spins, means, beta):
    r"""With the reaction of each sample on the synapses that it informs; on planted data mean λ² is then the overlap.

    .. math::
        \sum_{a\mu} \operatorname*{ext}_r \Bigl[ H\bigl(\tfrac{1+r}{2}\bigr) + \beta G r
            + \tfrac{\beta^2\Xi^2}{2}(1 - r^2) \Bigr], \qquad r = \tanh(\beta G - \beta^2\Xi^2 r)

    Parameters
    ----------
    spins, means, beta
        As in `gaussian`.

    Returns
    -------
    value, gradient

    Notes
    -----
    The price of `gaussian`.  Data term, model term and KL then add up to the free entropy of Thouless, Anderson and
    Palmer: an estimate of the log-evidence, exact for N → ∞ at its stationary points on planted data with independent
    hidden units, and *not* a bound.  At λ = 0 it is stationary and curves upwards in no direction, whatever α is, so
    that a climb must not start there.

    References
    ----------
    Derived here as the second-order Plefka expansion in the couplings of synapses and hidden units; with time indices
    it is the algorithm of Huang & Toyoizumi, arXiv:1608.03714.
    """
    scale = beta / np.sqrt(len(means))
    variance = beta**2 * np.mean(1.0 - means**2, axis=0)
    fields = scale * (spins @ means)
    y = cavity_fields(fields, variance)
    r = np.tanh(y)
    value = (log2cosh(y) - y * r + fields * r + 0.5 * variance * (1.0 - r**2)).sum()
    return value, scale * (spins.T @ r) - scale**2 * means * (1.0 - r**2).sum(axis=0)
