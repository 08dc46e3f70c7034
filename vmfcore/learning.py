"""Learning rules that climb the variational bound, and `fit`."""

from typing import NamedTuple

import numpy as np

from vmfcore import checks
from vmfcore.cavity import NETWORK_ADVICE, warn_unconverged
from vmfcore.dual import COLD
from vmfcore.restarts import FitResult, History, best_restart, check_learner, signs, starting_means
from vmfcore.spins import binary_entropy
from vmfcore.variational import check_options, evaluate

STEP_SIZES = {"natural": 0.15, "adam": 0.03}
WINDOW = 20  # steps over which the distance from a stationary point is averaged
CLIP = 0.99999  # of the means, for the rule that needs it


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
        target = np.arctanh(prior_mean) + gradient
        return _Natural((1 - step_size) * self.natural + step_size * target)


class _Adam(NamedTuple):
    """Adam ascent on λ itself, decay rates 0.9 and 0.99, λ clipped to ±0.99999 (Huang, arXiv:1911.07662)."""

    means: np.ndarray
    first: np.ndarray
    second: np.ndarray
    n_steps: int

    @classmethod
    def start(cls, means):
        return cls(np.clip(means, -CLIP, CLIP), np.zeros_like(means), np.zeros_like(means), 0)

    def step(self, gradient, prior_mean, step_size):
        slope = gradient + np.arctanh(prior_mean) - np.arctanh(self.means)
        n = self.n_steps + 1
        first = 0.9 * self.first + 0.1 * slope
        second = 0.99 * self.second + 0.01 * slope**2
        move = step_size * (first / (1 - 0.9**n)) / (np.sqrt(second / (1 - 0.99**n)) + 1e-8)
        return _Adam(np.clip(self.means + move, -CLIP, CLIP), first, second, n)


RULES = {"natural": _Natural, "adam": _Adam}


def _climb(spins, start, beta, rule, step_size, n_steps, prior_mean, settled, options, report):
    """One climb: (means, rows of its history, whether it came near a stationary point)."""
    state, rows, warm_start = RULES[rule].start(start), [], COLD
    for step in range(n_steps + 1):
        means = state.means
        now = evaluate(spins, means, beta, prior_mean, warm_start=warm_start, **options)
        warm_start = now.model.warm_start
        distance = np.sqrt(np.mean((np.tanh(np.arctanh(prior_mean) + now.gradient) - means) ** 2))
        entropy = binary_entropy(means).sum()
        rows.append((*now.bound, entropy, now.model.n_iter, now.model.residual, distance, beta))
        report(means, now.bound)
        done = step >= WINDOW and np.mean([row[-2] for row in rows[-WINDOW:]]) < settled
        if done or step == n_steps:
            break
        state = state.step(now.gradient, prior_mean, step_size)
    return means, rows, done


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
    tol=1e-7,
    max_iter=1000,
    seed,
    progress=False,
    callback=None,
):
    r"""Learn the means λ of ±1 synapses by ascent on the variational bound; the best of the restarts, by the bound.

    Parameters
    ----------
    spins : (M, N) array
        Data, ±1.
    n_hidden : int >= 1
        P.
    beta : float in (0, 50)
        Inverse temperature.
    rule : "natural" or "adam"
        The Bayesian learning rule on θ = atanh λ, or the paper's clipped Adam on λ.
    data_term, model_term, expectation, prior_mean, n_points, tol, max_iter
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
        Independent starts; 1 where ``init`` is an array.
    init : "random", "pca" or (N, P) array in [-1, 1]
        θ uniform in ±0.1 (natural) or λ uniform in ±1 (adam); the leading principal components of the data,
        rotated at random; or given means.
    settled : float > 0
        A restart ends when `History.distance`, averaged over 20 steps, falls below it, whatever the step size; at the
        default planted problems are then within about 0.5 nats of the local optimum.
    seed : int >= 0
        Same seed, same bits, for any number of threads.
    progress : bool
        Show a progress bar.
    callback : callable or None
        Called as ``callback(step, means, bound)`` at every step of every restart, the start (step 0) included.

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
    spins, init = check_learner(spins, n_hidden, beta, prior_mean, n_steps, n_restarts, init, seed, callback)
    checks.real(0, np.inf, settled=settled)
    checks.option(RULES, rule=rule)
    options = check_options(n_hidden, data_term, model_term, expectation, n_points, tol, max_iter)
    step_size = STEP_SIZES[rule] if step_size is None else step_size
    checks.real(0, 1 if rule == "natural" else 100, closed="right", step_size=step_size)

    spins, beta = spins.astype(np.float64), float(beta)
    # the stationary point λ = 0 of the tap total holds small starts: the Gaussian bound leads them away from it
    stages = ["gaussian", "tap"] if data_term == "tap" and isinstance(init, str) else [data_term]

    def climb(rng, report):
        means, history = starting_means(init, spins, n_hidden, rng, wide=rule == "adam"), []
        for stage in stages:
            now = options | {"data_term": stage}
            means, rows, done = _climb(spins, means, beta, rule, step_size, n_steps, prior_mean, settled, now, report)
            history += rows
        final = evaluate(spins, means, beta, prior_mean, **now)
        history = History(*np.array(history).T)
        converged = bool(done and final.model.converged)
        return FitResult(means, signs(means), final.bound, history, converged, None, beta), final.model

    total = len(stages) * n_steps
    display = {"progress": progress, "callback": callback, "desc": "fit"}
    result, model = best_restart(climb, lambda run: run.bound.total, n_restarts, total, seed, **display)
    if not model.converged:
        warn_unconverged(model.residual, tol, max_iter, NETWORK_ADVICE, stacklevel=3)
    return result
