"""Learning rules that climb the variational bound, and `fit`."""

import math
from typing import NamedTuple

import numpy as np

from vmfcore import checks
from vmfcore.dual import COLD
from vmfcore.networks import NETWORK_ADVICE, check_tolerance, warn_unconverged
from vmfcore.restarts import FitResult, History, best_restart, check_learner, signs, starting_means
from vmfcore.synapses import combine
from vmfcore.variational import Bound, check_options, evaluate

STEP_SIZES = {"natural": 0.15, "adam": 0.03}
TOLERANCES = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 3e-5}  # of message passing
MAX_SINGLE_BETA = 8.0  # beyond it the averages of the data term leave the range of single precision
WINDOW = 20  # steps over which the distance from a stationary point is averaged
CLIP = 0.99999  # of the means, for the rule that needs it
BATCHES = 3  # stream of random numbers, apart from those of the starts


class _Natural(NamedTuple):
    """Bayesian learning rule: θ ← (1 - ρ) θ + ρ [θ₀ + ∂(L + KL)/∂λ], λ = tanh θ (Meng, arXiv:2007.04676)."""

    natural: np.ndarray

    @classmethod
    def start(cls, means):
        return cls(np.arctanh(np.clip(means, -CLIP, CLIP)))

    @property
    def means(self):
        return np.tanh(self.natural)

    def step(self, gradient, prior_mean, step_size):
        prior = step_size * math.atanh(prior_mean)
        return _Natural(combine(1 - step_size, self.natural, step_size, gradient, prior))


class _Adam(NamedTuple):
    """Adam ascent on λ itself, decay rates 0.9 and 0.99, λ clipped to ±0.99999 (Huang, arXiv:1911.07662)."""

    means: np.ndarray
    first: np.ndarray
    second: np.ndarray
    n_steps: np.ndarray  # one number a replica

    @classmethod
    def start(cls, means):
        zeros = np.zeros_like(means)
        return cls(np.clip(means, -CLIP, CLIP), zeros, zeros, np.zeros_like(means[:, :1, :1]))

    def step(self, gradient, prior_mean, step_size):
        slope = gradient + math.atanh(prior_mean) - np.arctanh(self.means)
        n = self.n_steps + 1
        first = 0.9 * self.first + 0.1 * slope
        second = 0.99 * self.second + 0.01 * slope**2
        move = step_size * (first / (1 - 0.9**n)) / (np.sqrt(second / (1 - 0.99**n)) + 1e-8)
        return _Adam(np.clip(self.means + move, -CLIP, CLIP), first, second, n)


RULES = {"natural": _Natural, "adam": _Adam}


def _keep(state, which):
    """A tuple of arrays, or of such tuples, without the replicas that are done."""
    if isinstance(state, tuple):
        kept = [_keep(x, which) for x in state]
        return (
            state._replace(**dict(zip(state._fields, kept, strict=True))) if hasattr(state, "_fields") else tuple(kept)
        )
    return None if state is None else state[which]


def _batches(data, batch_size, seed):
    """All data again and again, or batches in random order, all samples once an epoch (but for what is left over)."""
    rng, n_samples = np.random.default_rng([seed, BATCHES]), len(data.bits)
    while batch_size is None:
        yield data
    while True:
        order = rng.permutation(n_samples)
        for start in range(0, n_samples - batch_size + 1, batch_size):
            yield data.take(np.sort(order[start : start + batch_size]))


def _distance(means, gradient, prior_mean):
    """Root mean square of what an undamped natural step would change in λ, of each replica."""
    change = np.tanh(gradient + math.atanh(prior_mean) if prior_mean else gradient)
    change -= means
    return np.sqrt(np.einsum("rpn,rpn->r", *[np.swapaxes(change, 1, 2)] * 2) / means[0].size)


def _climb(batches, starts, beta, rule, step_size, n_steps, prior_mean, settled, options, report):
    """Climb from R starts at once: means (R, N, P), a list of History rows each, whether each came near rest.

    A replica that has settled leaves the batch; ``report(run, means, bound)`` follows each.
    """
    state, warm_start = RULES[rule].start(starts), COLD
    ends, rows, runs = np.empty_like(starts), [[] for _ in starts], np.arange(len(starts))
    at_rest = np.zeros(len(starts), bool)
    for step, data in zip(range(n_steps + 1), batches, strict=False):
        means = state.means
        now = evaluate(data, means, beta, prior_mean, warm_start=warm_start, **options)
        distance = _distance(means, now.gradient, prior_mean)
        numbers = np.array([*now.bound, now.entropy, now.model.n_iter, now.model.residual, distance]).T
        for run, mean, row in zip(runs, means, numbers, strict=True):
            rows[run].append((*row, beta))
            report(run, mean, Bound(*map(float, row[:4])))
            at_rest[run] = step >= WINDOW and sum(row[-2] for row in rows[run][-WINDOW:]) < WINDOW * settled
        going = ~at_rest[runs] if step < n_steps else np.zeros(len(runs), bool)
        ends[runs[~going]] = means[~going]
        state, warm_start = state.step(now.gradient, prior_mean, step_size), now.model.warm_start
        if not going.all():
            state, warm_start, runs = _keep(state, going), _keep(warm_start, going), runs[going]
        if not len(runs):
            break
    return ends, rows, at_rest


def fit(
    spins,
    n_hidden,
    beta,
    *,
    rule="natural",
    data_term="gaussian",
    model_term="annealed",
    expectation="auto",
    n_steps=1000,
    step_size=None,
    n_restarts=1,
    init="random",
    prior_mean=0.0,
    n_points=64,
    settled=3e-3,
    tol=None,
    max_iter=1000,
    dtype=np.float64,
    batch_size=None,
    seed,
    progress=False,
    callback=None,
):
    r"""Learn the means λ of ±1 synapses by ascent on the variational bound; the best of the restarts, by the bound.

    Parameters
    ----------
    spins : (M, N) array or PackedSpins
        Data, ±1; packed, they may stay in a file.
    n_hidden : int >= 1
        P.
    beta : float in (0, 50)
        Inverse temperature.
    rule : "natural" or "adam"
        The Bayesian learning rule on θ = atanh λ, or the paper's clipped Adam on λ.
    data_term, model_term, expectation, prior_mean, n_points, max_iter
        As in `bound`; messages are kept between steps.  data_term="tap" calibrates the means: on planted data mean λ²
        then follows the overlap, where the Gaussian one is overconfident.  Its total is flat or falls around λ = 0,
        so that from a random or principal-component start the Gaussian bound is climbed first (the history shows
        both climbs; the callback counts on), which costs about twice the steps, more near the threshold.  It is
        exact for N → ∞ and independent hidden units; for correlated ones see `infer_weights`.  Near the threshold
        prefer init="pca": random starts inherit the local optima of the Gaussian bound.
    n_steps : int >= 1
        Largest number of steps a climb.
    step_size : float > 0 or None
        ρ in (0, 1] of the natural rule (default 0.15), the learning rate in (0, 100] of Adam (default 0.03; the
        paper's 0.4 reaches the same overlap but does not settle).
    n_restarts : int >= 1
        Independent starts, trained together; 1 where ``init`` is an array.
    init : "random", "pca" or (N, P) array in [-1, 1]
        θ uniform in ±0.1 (natural) or λ uniform in ±1 (adam); the leading principal components of the data,
        rotated at random; or given means.
    settled : float > 0
        A restart ends when `History.distance`, averaged over 20 steps, falls below it, whatever the step size; at the
        default planted problems are then within about 0.5 nats of the local optimum.
    tol : float > 0 or None
        Of message passing; None: 1e-7, or 3e-5 in single precision, where it must be at least 1e-6.
    dtype : numpy.float64 or numpy.float32
        Precision of means, matrix products and averages.  Single precision, up to β = 8, takes less than half the time
        and changes the bound by about 1e-6 of its parts; sums over the data stay in double precision.
    batch_size : int in [1, M] or None
        Samples a step, drawn anew in every epoch: the stochastic natural gradient.  The bounds of history and callback
        are then estimates, whose noise may keep a run from settling: `converged` and `bound` come from all data at the
        end.  Average longer by a smaller step_size.  None: all data at every step.
    seed : int >= 0
        Same seed, same bits, for any number of threads.
    progress : bool
        Show a progress bar.
    callback : callable or None
        Called as ``callback(step, means, bound)`` at every step of every restart, the start (step 0) included; the
        restarts follow one another within a step.

    Returns
    -------
    FitResult

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Warns
    -----
    ConvergenceWarning
        Once, if message passing had not converged at the end of the best restart.

    Notes
    -----
    O(M N P) a step and the model term (`bound`).  To run fits in several processes use joblib, or the start method
    "spawn" of multiprocessing: a process that has used threads must not be forked.

    References
    ----------
    Huang, arXiv:1911.07662; Meng, Bachmann & Khan, arXiv:2002.10778 and Meng, arXiv:2007.04676, for the natural rule.
    """
    data, init = check_learner(spins, n_hidden, beta, prior_mean, n_steps, n_restarts, init, seed, callback)
    checks.real(0, np.inf, settled=settled)
    checks.option(RULES, rule=rule)
    dtype = checks.precision(dtype=dtype)
    if dtype == np.float32 and beta > MAX_SINGLE_BETA:
        raise ValueError(f"dtype must be float64 for beta > {MAX_SINGLE_BETA:g}, got {dtype} and beta {beta!r}")
    tol = TOLERANCES[dtype] if tol is None else tol
    check_tolerance(tol, dtype)
    options = check_options(data.n_visible, n_hidden, data_term, model_term, expectation, n_points, tol, max_iter)
    step_size = STEP_SIZES[rule] if step_size is None else step_size
    checks.real(0, 1 if rule == "natural" else 100, closed="right", step_size=step_size)
    if batch_size is not None:
        checks.integer(1, batch_size=batch_size)
        if batch_size > len(data.bits):
            raise ValueError(f"batch_size must be at most the number of samples, {len(data.bits)}, got {batch_size}")
    beta, n_samples = float(beta), len(data.bits)
    # the stationary point λ = 0 of the tap total holds small starts: the Gaussian bound leads them away from it
    stages = ["gaussian", "tap"] if data_term == "tap" and isinstance(init, str) else [data_term]

    def climb(rngs, report):
        starts = [starting_means(init, data, n_hidden, rng, wide=rule == "adam") for rng in rngs]
        # in memory in the order (R, P, N), in which the matrix products want them
        means = np.swapaxes(np.stack([np.ascontiguousarray(start.T, dtype) for start in starts]), 1, 2)
        histories, batches = [[] for _ in rngs], _batches(data, batch_size, seed)
        counts = np.full(n_restarts, -1)

        def count(run, means, bound):
            counts[run] += 1
            report(int(counts[run]), means, bound)

        for stage in stages:
            now = options | {"data_term": stage}
            climbed = now | {"n_samples": n_samples}
            means, rows, at_rest = _climb(
                batches, means, beta, rule, step_size, n_steps, prior_mean, settled, climbed, count
            )
            histories = [history + row for history, row in zip(histories, rows, strict=True)]
        final = evaluate(data, means, beta, prior_mean, **now)
        if batch_size is not None:  # a batch is too noisy to tell
            at_rest = _distance(means, final.gradient, prior_mean) < settled
        results = []
        for run, history in enumerate(histories):
            bound = Bound(*(float(part[run]) for part in final.bound))
            converged = bool(at_rest[run] and final.model.converged[run])
            history = History(*np.array(history).T)
            result = FitResult(means[run], signs(means[run]), bound, history, converged, None, beta)
            results.append((result, (final.model.converged[run], final.model.residual[run])))
        return results

    total = len(stages) * n_steps
    display = {"progress": progress, "callback": callback, "desc": "fit"}
    result, (solved, residual) = best_restart(climb, lambda run: run.bound.total, n_restarts, total, seed, **display)
    if not solved:
        warn_unconverged(residual, tol, max_iter, NETWORK_ADVICE, stacklevel=3)
    return result
