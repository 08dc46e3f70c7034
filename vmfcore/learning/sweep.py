r"""One sweep of message passing between data and synapses.

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

from vmfcore.bounds.objective import Bound
from vmfcore.data.packing import PackedSpins
from vmfcore.learning.pair_fields import PairEquation, solve
from vmfcore.numerics.products import multiply
from vmfcore.numerics.spins import log2cosh

LEAST_GAIN = 0.02  # of Σ_μ<ν λ_μ·λ_ν/N, for which hidden units are turned over


class Task(NamedTuple):
    """What stays during the sweeps of one restart."""

    data: PackedSpins  # (M, N), σ
    transposed: np.ndarray  # (N, ⌈M/8⌉), the same bits along the samples
    states: np.ndarray  # (2^P, P), of the hidden spins of a sample or the synapses of a site
    pairs: np.ndarray  # (2^P, P (P - 1)/2), s_μ s_ν of every state, μ < ν
    log_prior: np.ndarray  # (2^P,)
    prior_mean: float


class SweepState(NamedTuple):
    """What one sweep hands to the next."""

    means: np.ndarray  # (N, P), λ
    responses: np.ndarray  # (M, P), r
    moments: np.ndarray  # (P, P), R
    pair_fields: np.ndarray  # (P (P - 1)/2,), K, which acts on ξ_μ ξ_ν, μ < ν, at every site
    average: np.ndarray  # (2^P,), mean distribution of the synapses over the sites
    beta: float


class Samples(NamedTuple):
    """The side of the data after a sweep."""

    responses: np.ndarray  # (M, P), r
    slack: np.ndarray  # (P, P), D
    entropy: float  # of all samples


class Sites(NamedTuple):
    """The side of the synapses after a sweep."""

    means: np.ndarray  # (N, P), λ
    moments: np.ndarray  # (P, P), R
    average: np.ndarray  # (2^P,), mean distribution over the sites
    drive: np.ndarray  # (N, P), β/√N Σ_a σ r
    pair_fields: np.ndarray  # (P (P - 1)/2,), K
    entropy: float  # of all sites


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
    of_sites = n_hidden * log2cosh(beta / np.sqrt(n_visible)) - (n_hidden - 1) * np.log(2.0)
    return n_visible * of_sites + log_sum, _second_moments(np.exp(exponents - log_sum), states)


def _overlaps(means):
    """Σ_i λ_i λ_iᵀ/N."""
    return means.T @ means / len(means)


def _update_samples(task, state) -> Samples:
    """Each sample answers the field of the sites less the reaction to its own last message."""
    n_samples, n_visible = task.data.shape
    scale = state.beta / np.sqrt(n_visible)
    variances = state.moments - _overlaps(state.means)
    fields = scale * multiply(task.data.bits, state.means) - state.beta**2 * state.responses @ variances
    pair_weights = state.beta**2 * _pair_energies(variances, task.states)
    responses, average, entropy = _joint(fields, pair_weights, task.states)
    slack = _second_moments(average, task.states) - responses.T @ responses / n_samples
    return Samples(responses, slack, entropy)


def pairs_of(states):
    """Products s_μ s_ν, μ < ν, of every state."""
    first, second = np.triu_indices(states.shape[1], 1)
    return states[:, first] * states[:, second]


def _update_sites(task, state, samples) -> Sites:
    """Each site answers the field of the samples less the reaction to its own last message, and that on its pairs."""
    n_samples, n_visible = task.data.shape
    alpha = n_samples / n_visible
    drive = state.beta / np.sqrt(n_visible) * multiply(task.transposed, samples.responses)
    fields = drive - alpha * state.beta**2 * state.means @ samples.slack

    without_pairs = task.log_prior + fields @ task.states.T
    slack = samples.slack[np.triu_indices(len(samples.slack), 1)]
    pair_fields = solve(PairEquation(without_pairs, task.pairs, slack, alpha, state.beta), state.pair_fields)

    site_weights = task.log_prior + task.pairs @ pair_fields
    means, average, entropy = _joint(fields, site_weights, task.states)
    return Sites(means, _second_moments(average, task.states), average, drive, pair_fields, entropy)


def sweep(task, state):
    """Update all samples, then all sites: next state with β by Nishimori's condition, Φ in parts, entropy of sites."""
    n_samples, n_visible = task.data.shape
    beta, scale = state.beta, state.beta / np.sqrt(n_visible)
    samples = _update_samples(task, state)
    sites = _update_sites(task, state, samples)

    # the free entropy
    log_z, model_pairs = _model(sites.moments, beta, n_visible, task.states)
    energy = (sites.means * sites.drive).sum()
    overlap = ((sites.moments - _overlaps(sites.means)) * samples.slack).sum()
    data_term = float(samples.entropy + energy + 0.5 * beta**2 * n_samples * overlap)
    kl = float(-sites.entropy - n_visible * (sites.average @ task.log_prior))
    model_term = float(n_samples * log_z)
    bound = Bound(data_term - model_term - kl, data_term, model_term, kl)

    # ∂Φ/∂β = M (data_energy - model_energy)
    data_energy = energy / (beta * n_samples) + beta * overlap
    off_diagonal = (sites.moments * model_pairs).sum()
    model_energy = beta * (off_diagonal + len(sites.moments) * (np.tanh(scale) / scale - 1.0))
    matched_beta = beta * data_energy / model_energy
    of_sites = sites.means, samples.responses, sites.moments, sites.pair_fields, sites.average
    return SweepState(*of_sites, matched_beta), bound, sites.entropy


def stability(task, state):
    r"""Λ of every hidden unit; beyond 1 a small change of its means grows from sweep to sweep, and nothing holds it.

    .. math::
        \Lambda_\mu = \alpha\beta^4 \; \frac1M\sum_a (1 - r_{a\mu}^2)^2 \; \frac1N\sum_i (1-\lambda_{i\mu}^2)^2

    (de Almeida and Thouless; `vmfcore.theory.mismatched_overlap` has its limit).
    """
    n_samples, n_visible = task.data.shape
    of_samples = ((1 - state.responses**2) ** 2).mean(axis=0)
    of_sites = ((1 - state.means**2) ** 2).mean(axis=0)
    return n_samples / n_visible * state.beta**4 * of_samples * of_sites


def first_state(task, means, beta) -> SweepState:
    """No responses, no pair fields; the variances V start as the prior's."""
    n_hidden = means.shape[1]
    prior_moments = _second_moments(np.exp(task.log_prior), task.states)
    moments = prior_moments - task.prior_mean**2 + _overlaps(means)
    np.fill_diagonal(moments, 1.0)
    responses, pair_fields = np.zeros((len(task.data.bits), n_hidden)), np.zeros(task.pairs.shape[1])
    return SweepState(means, responses, moments, pair_fields, np.exp(task.log_prior), float(beta))


def aligned(task, state, correlation) -> SweepState:
    """The state with hidden units turned over, ξ, h → -ξ, -h, where they then agree with the sign of q.

    The data cannot tell which way a unit is turned, a prior with a correlation and without a mean can.
    """
    agreements = np.sign(correlation) * _pair_energies(_overlaps(state.means), task.states)
    best = agreements.argmax()
    if agreements[best] - agreements[-1] < LEAST_GAIN:  # over the last of the states, all +1
        return state
    turned = task.states[best]
    same = (task.states @ (task.states * turned).T).argmax(axis=1)  # the state that each becomes
    return state._replace(
        means=state.means * turned,
        responses=state.responses * turned,
        moments=state.moments * np.outer(turned, turned),
        pair_fields=state.pair_fields * task.pairs[best],
        average=state.average[same],
    )


def halfway(before, after) -> SweepState:
    """The state in the middle of both, in all that enters a reaction; what a sweep solves for anew stays."""
    means = 0.5 * (before.means + after.means)
    responses = 0.5 * (before.responses + after.responses)
    moments = 0.5 * (before.moments + after.moments)
    return after._replace(means=means, responses=responses, moments=moments)
