r"""Message passing between data and synapses: the Bayes-optimal companion of `fit`.

Samples and sites are the two sides of a dense graph.  A sample a keeps the joint distribution p_a of its P hidden
spins, a site i the joint distribution b_i of its P synapses; each answers the field of the other side less the
reaction to its own last message.  Fixed points are the stationary points of the Bethe free entropy

.. math::
    \Phi = \sum_a \Bigl[S(p_a) + \frac{\beta}{\sqrt N} \sum_i \sigma^a_i \lambda_i\cdot r_a\Bigr]
        + \frac{\beta^2 M}{2} \mathrm{tr}\,V D - M \ln Z(R) - \sum_i \mathrm{KL}(b_i\|P_0),

with λ_i = <ξ_i>, r_a = <h_a>, R = Σ_i <ξ_i ξ_iᵀ>/N, V = R - Σ_i λ_i λ_iᵀ/N and D = Σ_a (<h_a h_aᵀ> - r_a r_aᵀ)/M.
"""

from typing import NamedTuple

import numpy as np
import scipy

from vmfcore import checks
from vmfcore.bounds.objective import Bound
from vmfcore.learning.restarts import best_restart, check_learner, starting_means
from vmfcore.learning.result import FitResult, History
from vmfcore.machines.machine import signs
from vmfcore.machines.planted import site_log_prior
from vmfcore.networks.exact import hidden_states
from vmfcore.networks.network import warn_unconverged
from vmfcore.numerics.spins import log2cosh

MAX_JOINT_UNITS = 10  # 2^P states are summed at every sample and every site
ADVICE = "try more n_steps or n_restarts, or another damping; with a wrong prior or beta there may be no fixed point"


class _State(NamedTuple):
    """What one sweep hands to the next."""

    means: np.ndarray  # (N, P), λ
    responses: np.ndarray  # (M, P), r
    moments: np.ndarray  # (P, P), R
    pair_fields: np.ndarray  # (P, P), K, which acts on ξ_μ ξ_ν at every site
    beta: float


def _pair_energies(matrix, states):
    """½ Σ_{μ≠ν} matrix_μν s_μ s_ν of every state s."""
    return 0.5 * np.einsum("sp,pq,sq->s", states, matrix - np.diag(np.diag(matrix)), states)


def _second_moments(p, states):
    """<s sᵀ> of states s with probabilities p."""
    return (states.T * p) @ states


def _joint(fields, log_weights, states):
    """Distributions ∝ exp(field·s + log weight) of (K, P) fields: means, average over K, summed entropy."""
    p = fields @ states.T + log_weights
    p = np.exp(p - p.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return np.clip(p @ states, -1.0, 1.0), p.mean(axis=0), float(scipy.special.entr(p).sum())


def _model(moments, beta, n_visible, states):
    """ln Z(R) = N ln 2 + N P ln cosh(β/√N) + ln Σ_h exp(β²/2 Σ_{μ≠ν} R_μν h_μ h_ν) and its <hhᵀ>."""
    exponents = beta**2 * _pair_energies(moments, states)
    log_sum = np.logaddexp.reduce(exponents)
    n_hidden = len(moments)
    log_z = n_visible * (n_hidden * log2cosh(beta / np.sqrt(n_visible)) - (n_hidden - 1) * np.log(2.0)) + log_sum
    return log_z, _second_moments(np.exp(exponents - log_sum), states)


def _sweep(spins, state, log_prior, states, damping):
    """Update all samples, then all sites: next state with β by Nishimori's condition, and Φ in parts."""
    means, responses, moments, pair_fields, beta = state
    n_samples, n_visible = spins.shape
    alpha, scale = n_samples / n_visible, beta / np.sqrt(n_visible)

    variances = moments - means.T @ means / n_visible
    fields = scale * (spins @ means) - beta**2 * responses @ variances
    responses, average, sample_entropy = _joint(fields, beta**2 * _pair_energies(variances, states), states)
    slack = _second_moments(average, states) - responses.T @ responses / n_samples

    target = alpha * beta**2 * (slack - _model(moments, beta, n_visible, states)[1])
    pair_fields = damping * pair_fields + (1.0 - damping) * target
    drive = scale * (spins.T @ responses)
    site_weights = log_prior + _pair_energies(pair_fields, states)
    means, average, site_entropy = _joint(drive - alpha * beta**2 * means @ slack, site_weights, states)
    moments = _second_moments(average, states)

    log_z, model_pairs = _model(moments, beta, n_visible, states)
    energy, overlap = (means * drive).sum(), ((moments - means.T @ means / n_visible) * slack).sum()
    data_term = float(sample_entropy + energy + 0.5 * beta**2 * n_samples * overlap)
    kl = float(-site_entropy - n_visible * (average @ log_prior))
    bound = Bound(data_term - n_samples * log_z - kl, data_term, float(n_samples * log_z), kl)
    data_energy = energy / (beta * n_samples) + beta * overlap
    model_energy = beta * ((moments * model_pairs).sum() + len(moments) * (np.tanh(scale) / scale - 1.0))
    matched = beta * data_energy / model_energy  # ∂Φ/∂β = M (data_energy - model_energy)
    return _State(means, responses, moments, pair_fields, matched), bound, site_entropy


def _rank(result):
    """Restarts that converged first, then by log-evidence: Φ means nothing away from a fixed point."""
    return result.converged, result.bound.total


def infer_weights(
    spins,
    n_hidden,
    beta,
    *,
    prior_mean=0.0,
    correlation=0.0,
    learn_beta=False,
    n_steps=1000,
    damping=0.7,
    tol=1e-6,
    n_restarts=1,
    init="random",
    seed,
    progress=False,
    callback=None,
):
    r"""Posterior means of ±1 synapses by message passing between data and synapses, and the log-evidence.

    Parameters
    ----------
    spins : (M, N) array or PackedSpins
        Data, ±1.
    n_hidden : int in [1, 10]
        P.
    beta : float in (1e-6, 50)
        Inverse temperature, or where its search starts.
    prior_mean, correlation : float
        m0 in (-1, 1) and q of the prior, with |m0| + √|q| < 1: independent between sites, every synapse of mean m0,
        every two of a site of covariance q (0 for P = 1; negative for P = 2 only), as in `planted_weights`.
    learn_beta : bool
        Find β by Nishimori's condition, that the energy of the data equals that of the model, which makes the
        log-evidence stationary.  Below the threshold of learning the data do not tell β, and it stays where it is.
    n_steps : int >= 1
        Largest number of sweeps a restart.
    damping : float in [0, 0.95]
        Part of the old value in the message between pairs of hidden units (idle for P = 1).  The means themselves must
        not be damped: the reaction terms belong to a definite time.
    tol : float > 0
        A restart ends when the root mean square of the change of λ in a sweep falls below it.
    n_restarts, init, seed, progress, callback
        As in `fit`; the restart of the largest log-evidence is chosen, among those that converged if any did.

    Returns
    -------
    FitResult
        `bound` is the Bethe estimate of the log-evidence, split in the same way: not a bound, and meant at convergence.
        In the history one sweep is a step, `entropy` is that of the joint distributions of the sites.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Warns
    -----
    ConvergenceWarning
        If the best restart has not converged.

    Notes
    -----
    Two matrix products O(M N P) and O(2^P P (M + N)) a sweep.  On planted data with a right prior it reaches the
    Bayes-optimal overlap for N → ∞ (`bayes_optimal_overlap`, `correlated_overlap`); at N = 1000 it is some hundredths
    lower near the threshold.  With a wrong prior, or on other data, it may not converge: more `damping` helps if the
    pair message is the reason.

    References
    ----------
    P = 1, 2: Huang & Toyoizumi, arXiv:1608.03714; Hou, Wong & Huang, arXiv:1904.13052, on edges.  The node form for
    any P, with ln Z(R) as one more factor, is derived in this project; without it, it is that of Lesieur, Krzakala &
    Zdeborová, arXiv:1701.00858.
    """
    data, init = check_learner(spins, n_hidden, prior_mean, n_steps, n_restarts, init, seed, callback)
    if n_hidden > MAX_JOINT_UNITS:
        raise ValueError(f"n_hidden must be at most {MAX_JOINT_UNITS} for sums over joint states, got {n_hidden}")
    log_prior = site_log_prior(n_hidden, prior_mean, correlation)
    checks.real(0, checks.MAX_DAMPING, closed="both", damping=damping)
    checks.real(0, np.inf, tol=tol)
    checks.real(checks.MIN_BETA, checks.MAX_BETA, beta=beta)
    checks.flag(learn_beta=learn_beta)

    spins, states = data.dense(np.float64), hidden_states(n_hidden)
    prior_moments = _second_moments(np.exp(log_prior), states)

    def climb(rng, report):
        means, rows, zeros = starting_means(init, data, n_hidden, rng), [], np.zeros((n_hidden, n_hidden))
        moments = prior_moments - prior_mean**2 + means.T @ means / len(means)  # V starts as the prior's
        np.fill_diagonal(moments, 1.0)
        state = _State(means, np.zeros((len(spins), n_hidden)), moments, zeros, float(beta))
        for step in range(n_steps):
            before = state
            state, bound, entropy = _sweep(spins, before, log_prior, states, damping)
            change = state.means - before.means
            distance = np.sqrt(np.mean(change**2))
            rows.append((*bound, entropy, 1, np.abs(change).max(), distance, before.beta))
            report(step, state.means, bound)
            state = state._replace(beta=min(max(state.beta, 1e-3), checks.MAX_BETA) if learn_beta else before.beta)
            done = distance < tol and abs(state.beta - before.beta) < tol
            if done:
                break
        history = History(*np.array(rows).T)
        return FitResult(state.means, signs(state.means), bound, history, bool(done), None, before.beta), None

    display = {"progress": progress, "callback": callback, "desc": "infer"}
    result, _ = best_restart(
        lambda rngs, report: [climb(rng, report) for rng in rngs], _rank, n_restarts, n_steps, seed, **display
    )
    if not result.converged:
        warn_unconverged(result.history.distance[-1], tol, n_steps, ADVICE, stacklevel=3)
    return result
