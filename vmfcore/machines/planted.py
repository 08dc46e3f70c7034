"""The model: P(σ, h | ξ) ∝ exp(β/√N Σ_iμ ξ_iμ σ_i h_μ), planted weights and samples from it."""

import numpy as np
import scipy

from vmfcore import checks
from vmfcore.networks.exact import hidden_log_weights, hidden_states

MAX_EXACT_HIDDEN = 16
BLOCK = 2**17  # spins that are drawn at once: they stay in cache
TEACHER, SAMPLES = 1, 2  # streams: teacher and data are independent even where they share a seed


def planted_weights(n_visible, n_hidden, *, correlation=0.0, seed):
    r"""Random teacher: ±1 synapses, independent between sites, with <ξ_iμ ξ_iν> = q for every pair μ ≠ ν.

    Parameters
    ----------
    n_visible, n_hidden : int >= 1
        N and P.
    correlation : float
        q in [-1, 1] for two hidden units, in [0, 1] for more, 0 for one.  Every synapse of a site equals a hidden
        common spin with probability (1 + √|q|)/2; for q < 0 the second unit is reversed.
    seed : int >= 0

    Returns
    -------
    (N, P) int8 array

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    References
    ----------
    For P = 2 the ensemble of Hou, Wong & Huang, arXiv:1904.13052.
    """
    checks.integer(1, n_visible=n_visible, n_hidden=n_hidden)
    checks.integer(0, seed=seed)
    _check_correlation(n_hidden, correlation)
    rng = np.random.default_rng([seed, TEACHER])
    common = rng.choice(np.array([-1, 1], dtype=np.int8), size=(n_visible, 1))
    equal = rng.random((n_visible, n_hidden)) < 0.5 * (1 + np.sqrt(abs(correlation)))
    weights = np.where(equal, common, -common)
    if correlation < 0:
        weights[:, 1] *= -1
    return weights


def _check_correlation(n_hidden, correlation):
    low = {1: 0.0, 2: -1.0}.get(n_hidden, 0.0)
    checks.real(low, 0.0 if n_hidden == 1 else 1.0, closed="both", correlation=correlation)


def site_log_prior(n_hidden, prior_mean, correlation):
    r"""ln P0 of all 2^P states of one site, in the order of `hidden_states`: a mixture over one common spin c.

    .. math::
        P_0(\xi) = \tfrac12 \sum_{c=\pm1} \prod_\mu \tfrac12 (1 + (m_0 + c \sqrt{|q|}) \xi_\mu),
        \qquad \text{second unit with } -c \text{ if } q < 0

    For m0 = 0 it is the ensemble of `planted_weights`.  Raises ValueError where |m0| + √|q| >= 1.
    """
    _check_correlation(n_hidden, correlation)
    spread = np.full(n_hidden, np.sqrt(abs(correlation)))
    if abs(prior_mean) + spread[0] >= 1:
        raise ValueError(
            f"correlation must leave |prior_mean| + √|correlation| < 1, got {correlation} and prior_mean {prior_mean}"
        )
    if correlation < 0:
        spread[1] *= -1
    states = hidden_states(n_hidden)
    components = [np.prod(0.5 * (1 + (prior_mean + c * spread) * states), axis=1) for c in (-1, 1)]
    return np.log(0.5 * sum(components))


def hidden_from_visible(weights, beta, spins):
    r"""Means of the hidden spins given the visible ones, <h_μ> = tanh(β/√N Σ_i ξ_iμ σ_i).

    Parameters
    ----------
    weights : (N, P) array in [-1, 1]
        Synapses or their means.
    beta : float in (0, 1e6]
        Inverse temperature.
    spins : (M, N) array, ±1

    Returns
    -------
    (M, P) float64 array in [-1, 1]

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.
    """
    weights, beta, spins = _checked(weights, beta, spins, axis=0, name="spins")
    return np.tanh(beta / np.sqrt(len(weights)) * (spins @ weights))


def visible_from_hidden(weights, beta, hidden):
    r"""Means of the visible spins given the hidden ones, <σ_i> = tanh(β/√N Σ_μ ξ_iμ h_μ).

    Parameters
    ----------
    weights : (N, P) array in [-1, 1]
        Synapses or their means.
    beta : float in (0, 1e6]
        Inverse temperature.
    hidden : (M, P) array, ±1

    Returns
    -------
    (M, N) float64 array in [-1, 1]

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.
    """
    weights, beta, hidden = _checked(weights, beta, hidden, axis=1, name="hidden")
    return np.tanh(beta / np.sqrt(len(weights)) * (hidden @ weights.T))


def _checked(weights, beta, states, axis, name):
    weights = checks.means(weights, name="weights")
    states = checks.spins(states, shape=(None, weights.shape[axis]), name=name)
    beta = checks.real(0, checks.MAX_SIZE, closed="right", beta=beta)
    return weights, beta, states.astype(np.float64)


def _draw(fields, rng):
    """Spins at the given local fields: +1 with probability (1 + tanh field)/2."""
    return np.where(rng.random(fields.shape) < scipy.special.expit(2 * fields), 1.0, -1.0)


def draw_exactly(couplings, visible_fields, hidden_fields, n_samples, rng):
    """Independent samples (M, N) int8 of a network with few hidden units: h from its marginal, then σ."""
    n_visible, n_hidden = couplings.shape
    states = hidden_states(n_hidden)
    log_weights = hidden_log_weights(couplings, visible_fields, states) + states @ hidden_fields
    p = np.exp(log_weights - log_weights.max())
    drawn, which = np.unique(rng.choice(len(states), size=n_samples, p=p / p.sum()), return_inverse=True)
    up = scipy.special.expit(2 * (states[drawn] @ couplings.T + visible_fields))
    spins = np.empty((n_samples, n_visible), np.int8)
    block = max(1, BLOCK // n_visible)
    for start in range(0, n_samples, block):
        rows = which[start : start + block]
        np.less(rng.random((len(rows), n_visible)), up[rows], out=spins[start : start + block].view(bool))
    spins *= 2
    spins -= 1
    return spins


def sample_spins(weights, beta, n_samples, *, seed, n_sweeps=None):
    r"""Independent samples of the visible spins of the RBM, σ ~ Π_μ 2cosh(β X_μ) / Z.

    Parameters
    ----------
    weights : (N, P) array in [-1, 1]
        ξ, or any synapses of size up to 1 (posterior means).
    beta : float in (0, 1e6]
        Inverse temperature.
    n_samples : int >= 1
        M.
    seed : int >= 0
    n_sweeps : int >= 1 or None
        None: exact for P <= 16, by drawing h from its marginal and then σ; 200 sweeps for P > 16.
        A number: that many block-Gibbs sweeps of each of M independent chains, started from random spins.

    Returns
    -------
    (M, N) int8 array
        ±1.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Notes
    -----
    Exact: O(2^P N P + M N P).  Gibbs: O(n_sweeps M N P); unbiased only where the chains relax within
    ``n_sweeps``, which they do not where the model has several states (β > 1 and many hidden units).
    """
    weights = checks.means(weights, name="weights")
    checks.real(0, checks.MAX_SIZE, closed="right", beta=beta)
    checks.integer(1, n_samples=n_samples)
    checks.integer(0, seed=seed)
    if n_sweeps is not None:
        checks.integer(1, n_sweeps=n_sweeps)
    rng = np.random.default_rng([seed, SAMPLES])
    n_visible, n_hidden = weights.shape
    couplings = beta / np.sqrt(n_visible) * weights
    if n_sweeps is None and n_hidden <= MAX_EXACT_HIDDEN:
        return draw_exactly(couplings, np.zeros(n_visible), np.zeros(n_hidden), n_samples, rng)
    spins = _draw(np.zeros((n_samples, n_visible)), rng)
    for _ in range(200 if n_sweeps is None else n_sweeps):
        spins = _draw(_draw(spins @ couplings, rng) @ couplings.T, rng)
    return spins.astype(np.int8)
