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
from vmfcore.bounds.beliefs import Prior
from vmfcore.bounds.objective import Bound
from vmfcore.learning.parameters import STEP_SIZE, Learn
from vmfcore.learning.restarts import check_learner, restart_generators, starting_means
from vmfcore.learning.result import FitResult, History
from vmfcore.learning.rules import Natural
from vmfcore.learning.watch import check_callback, watched
from vmfcore.machines.machine import signs
from vmfcore.networks.exact import hidden_states
from vmfcore.networks.network import warn_unconverged
from vmfcore.numerics.jit import one_blas_thread
from vmfcore.numerics.spins import log2cosh

MAX_JOINT_UNITS = 10  # 2^P states are summed at every sample and every site
SMALLEST_BETA = 1e-3  # of the search by Nishimori's condition
ADVICE = "try more n_steps or n_restarts, or another damping; with a wrong prior or beta there may be no fixed point"


class _Task(NamedTuple):
    """What stays during the sweeps of one restart."""

    spins: np.ndarray  # (M, N), σ
    states: np.ndarray  # (2^P, P), of the hidden spins of a sample or the synapses of a site
    log_prior: np.ndarray  # (2^P,)
    prior_mean: float
    damping: float


class _State(NamedTuple):
    """What one sweep hands to the next."""

    means: np.ndarray  # (N, P), λ
    responses: np.ndarray  # (M, P), r
    moments: np.ndarray  # (P, P), R
    pair_fields: np.ndarray  # (P, P), K, which acts on ξ_μ ξ_ν at every site
    beta: float


class _Samples(NamedTuple):
    """The side of the data after a sweep."""

    responses: np.ndarray  # (M, P), r
    slack: np.ndarray  # (P, P), D
    entropy: float  # of all samples


class _Sites(NamedTuple):
    """The side of the synapses after a sweep."""

    means: np.ndarray  # (N, P), λ
    moments: np.ndarray  # (P, P), R
    average: np.ndarray  # (2^P,), mean distribution over the sites
    drive: np.ndarray  # (N, P), β/√N Σ_a σ r
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


def _update_samples(task, state) -> _Samples:
    """Each sample answers the field of the sites less the reaction to its own last message."""
    n_samples, n_visible = task.spins.shape
    scale = state.beta / np.sqrt(n_visible)
    variances = state.moments - _overlaps(state.means)
    fields = scale * (task.spins @ state.means) - state.beta**2 * state.responses @ variances
    pair_weights = state.beta**2 * _pair_energies(variances, task.states)
    responses, average, entropy = _joint(fields, pair_weights, task.states)
    slack = _second_moments(average, task.states) - responses.T @ responses / n_samples
    return _Samples(responses, slack, entropy)


def _update_pair_fields(task, state, slack):
    """What data and model pull the pairs of hidden units to, damped."""
    n_samples, n_visible = task.spins.shape
    _, model_pairs = _model(state.moments, state.beta, n_visible, task.states)
    target = n_samples / n_visible * state.beta**2 * (slack - model_pairs)
    return task.damping * state.pair_fields + (1.0 - task.damping) * target


def _update_sites(task, state, samples, pair_fields) -> _Sites:
    """Each site answers the field of the samples less the reaction to its own last message."""
    n_samples, n_visible = task.spins.shape
    alpha = n_samples / n_visible
    drive = state.beta / np.sqrt(n_visible) * (task.spins.T @ samples.responses)
    fields = drive - alpha * state.beta**2 * state.means @ samples.slack
    site_weights = task.log_prior + _pair_energies(pair_fields, task.states)
    means, average, entropy = _joint(fields, site_weights, task.states)
    return _Sites(means, _second_moments(average, task.states), average, drive, entropy)


def _sweep(task, state):
    """Update all samples, then all sites: next state with β by Nishimori's condition, Φ in parts, entropy of sites."""
    n_samples, n_visible = task.spins.shape
    beta, scale = state.beta, state.beta / np.sqrt(n_visible)
    samples = _update_samples(task, state)
    pair_fields = _update_pair_fields(task, state, samples.slack)
    sites = _update_sites(task, state, samples, pair_fields)

    # the free entropy
    log_z, model_pairs = _model(sites.moments, beta, n_visible, task.states)
    energy = (sites.means * sites.drive).sum()
    overlap = ((sites.moments - _overlaps(sites.means)) * samples.slack).sum()
    data_term = float(samples.entropy + energy + 0.5 * beta**2 * n_samples * overlap)
    kl = float(-sites.entropy - n_visible * (sites.average @ task.log_prior))
    bound = Bound(data_term - n_samples * log_z - kl, data_term, float(n_samples * log_z), kl)

    # ∂Φ/∂β = M (data_energy - model_energy)
    data_energy = energy / (beta * n_samples) + beta * overlap
    off_diagonal = (sites.moments * model_pairs).sum()
    model_energy = beta * (off_diagonal + len(sites.moments) * (np.tanh(scale) / scale - 1.0))
    matched_beta = beta * data_energy / model_energy
    return _State(sites.means, samples.responses, sites.moments, pair_fields, matched_beta), bound, sites.entropy


def _start(task, means, beta) -> _State:
    """No responses, no pair fields; the variances V start as the prior's."""
    n_hidden = means.shape[1]
    prior_moments = _second_moments(np.exp(task.log_prior), task.states)
    moments = prior_moments - task.prior_mean**2 + _overlaps(means)
    np.fill_diagonal(moments, 1.0)
    return _State(means, np.zeros((len(task.spins), n_hidden)), moments, np.zeros((n_hidden, n_hidden)), float(beta))


class _Run(NamedTuple):
    """One restart at its end."""

    means: np.ndarray
    beta: float
    bound: Bound
    history: History
    converged: bool


def _iterate(task, state, learns_beta, n_steps, tol, watch) -> _Run:
    """Sweep until nothing changes."""
    rows = []
    for step in range(n_steps):
        before = state
        state, bound, entropy = _sweep(task, before)
        change = state.means - before.means
        distance = np.sqrt(np.mean(change**2))
        beta = min(max(state.beta, SMALLEST_BETA), checks.MAX_BETA) if learns_beta else before.beta
        state = state._replace(beta=beta)
        converged = distance < tol and abs(state.beta - before.beta) < tol
        is_last = converged or step == n_steps - 1
        if watch.asks_at(step) or is_last:
            rows.append((step, *bound, entropy, 1, np.abs(change).max(), distance, before.beta))
            watch.look(step, state.means, bound)
        watch.steps_done(1 if step else 0)
        if converged:
            break
    steps, *columns = np.array(rows).T
    return _Run(state.means, before.beta, bound, History(steps.astype(np.int64), *columns), bool(converged))


def _check_learn(learn):
    checks.instance(Learn, learn=learn)
    if learn.fields:
        raise ValueError("learn.fields must be False for message passing, whose model has no fields")
    if learn.beta == "unit":
        raise ValueError('learn.beta must be "no" or "global" for message passing, got "unit"')
    if learn.step_size != STEP_SIZE:
        raise ValueError(
            f"learn.step_size must be left out for message passing, which takes no steps in beta, got {learn.step_size}"
        )


def infer_weights(
    spins,
    n_hidden: int,
    beta: float,
    *,
    prior: Prior = Prior(),
    learn: Learn = Learn(),
    n_steps: int = 1000,
    damping: float = 0.7,
    tol: float = 1e-6,
    n_restarts: int = 1,
    init="random",
    seed: int,
    progress: bool = False,
    callback=None,
) -> FitResult:
    r"""Posterior means of ±1 synapses by message passing between data and synapses, and the log-evidence.

    Parameters
    ----------
    spins : (M, N) array or PackedSpins
        Data, ±1.
    n_hidden : int in [1, 10]
        P.
    beta : float in (1e-6, 50)
        Inverse temperature, or where its search starts.
    prior : Prior
        Of the synapses; their correlation at a site may be known.
    learn : Learn
        beta="global" finds β by Nishimori's condition, that the energy of the data equals that of the model, which
        makes the log-evidence stationary.  Below the threshold of learning the data do not tell β, and it stays where
        it is.  Nothing else can be learnt.
    n_steps : int >= 1
        Largest number of sweeps of a restart.
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

    Examples
    --------
    >>> import vmfcore as vmf
    >>> teacher = vmf.planted(200, 1, beta=1.0, seed=1)
    >>> result = vmf.infer_weights(vmf.sample(teacher, 1000, seed=1), 1, 1.0, seed=1)
    >>> result.converged, bool(vmf.overlap(result.means, teacher)[0] > 0.7)
    (True, True)
    """
    data, init = check_learner(spins, n_hidden, n_steps, n_restarts, init, seed)
    if n_hidden > MAX_JOINT_UNITS:
        raise ValueError(f"n_hidden must be at most {MAX_JOINT_UNITS} for sums over joint states, got {n_hidden}")
    checks.instance(Prior, prior=prior)
    _check_learn(learn)
    checks.real(0, checks.MAX_DAMPING, closed="both", damping=damping)
    checks.real(0, np.inf, tol=tol)
    checks.real(checks.MIN_BETA, checks.MAX_BETA, beta=beta)
    checks.flag(progress=progress)
    every = check_callback(callback)

    log_prior = prior.log_weights(n_hidden)
    task = _Task(data.dense(np.float64), hidden_states(n_hidden), log_prior, prior.mean, damping)
    total = n_restarts * n_steps
    runs = []
    with one_blas_thread(), watched(every, total, progress=progress, name="infer") as watch:
        for rng in restart_generators(seed, n_restarts):
            start = starting_means(init, data, n_hidden, rng, Natural().random_means)
            runs.append(_iterate(task, _start(task, start, beta), learn.beta == "global", n_steps, tol, watch))
    # those that converged first, then by log-evidence: Φ means nothing away from a fixed point
    best = max(runs, key=lambda run: (run.converged, run.bound.total))
    if not best.converged:
        warn_unconverged(best.history.distance[-1], tol, n_steps, ADVICE, stacklevel=3)
    return FitResult(
        means=best.means,
        weights=signs(best.means),
        bound=best.bound,
        history=best.history,
        converged=best.converged,
        restart_bounds=np.array([run.bound.total for run in runs]),
        beta=best.beta,
        visible_fields=None,
        hidden_fields=None,
        objective=None,
        rule=None,
        learn=learn,
        prior=prior,
    )
