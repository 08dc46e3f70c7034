"""Learning rules that climb the variational bound, restarts, and `fit`."""

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from vmfcore import checks
from vmfcore.cavity import warn_unconverged
from vmfcore.dual import COLD
from vmfcore.spins import binary_entropy
from vmfcore.variational import MAX_BETA, Bound, check_options, evaluate

STEP_SIZES = {"natural": 0.15, "adam": 0.03}
INITS = ("random", "pca")
WINDOW = 20  # steps over which the distance from a stationary point is averaged
CLIP = 0.99999  # of the means, for the rule that needs it


class History(NamedTuple):
    """One entry a training step, the start included."""

    bound: np.ndarray  # nats
    data_term: np.ndarray
    model_term: np.ndarray
    kl: np.ndarray
    entropy: np.ndarray  # of the synapses, nats
    n_iter: np.ndarray  # message-passing sweeps of the slowest dual network
    residual: np.ndarray  # of message passing
    distance: np.ndarray  # from a stationary point: root mean square of tanh(θ₀ + ∂(L + KL)/∂λ) - λ


class FitResult(NamedTuple):
    """The best restart of a `fit`."""

    means: np.ndarray  # (N, P), lambda
    weights: np.ndarray  # (N, P) int8, sign of the means
    bound: Bound  # at these means, as `bound` gives it: with messages from scratch where the history has warm ones
    history: History  # of this restart
    converged: bool  # near a stationary point, and message passing has converged
    restart_bounds: np.ndarray  # final bound of every restart
    beta: float


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


def principal_components(spins, n_hidden, rng, scale=0.2):
    """Means (N, P) along the top-P eigenvectors of the data covariance, randomly rotated, of size |λ| ≈ ``scale``."""
    centred = spins - spins.mean(axis=0)
    gram = centred @ centred.T if len(spins) < spins.shape[1] else centred.T @ centred
    variances, vectors = np.linalg.eigh(gram)
    rank = int((variances > 1e-9 * spins.size).sum())
    if n_hidden > rank:
        raise ValueError(f'init="pca" needs n_hidden <= the rank of the data covariance, {rank}, got {n_hidden}')
    vectors = vectors[:, -n_hidden:]
    if len(spins) < spins.shape[1]:
        vectors = centred.T @ vectors
    vectors = vectors * np.sqrt(spins.shape[1] / (vectors**2).sum(axis=0))
    rotation, _ = np.linalg.qr(rng.normal(size=(n_hidden, n_hidden)))
    return np.tanh(scale * vectors @ rotation)


def _start(init, spins, n_hidden, rule, rng):
    if isinstance(init, np.ndarray):
        return init
    if init == "pca":
        return principal_components(spins, n_hidden, rng)
    size = (spins.shape[1], n_hidden)
    return rng.uniform(-1, 1, size) if rule == "adam" else np.tanh(rng.uniform(-0.1, 0.1, size))


def _climb(spins, start, beta, rule, step_size, n_steps, prior_mean, settled, options, report):
    """One restart: (means, bound, history, model term, whether it came near a stationary point)."""
    state, rows, warm_start, done = RULES[rule].start(start), [], COLD, False
    for step in range(n_steps + 1):
        means = state.means
        now = evaluate(spins, means, beta, prior_mean, warm_start=warm_start, **options)
        warm_start = now.model.warm_start
        distance = np.sqrt(np.mean((np.tanh(np.arctanh(prior_mean) + now.gradient) - means) ** 2))
        rows.append((*now.bound, binary_entropy(means).sum(), now.model.n_iter, now.model.residual, distance))
        report(step, means, now.bound)
        done = step >= WINDOW and np.mean([row[-1] for row in rows[-WINDOW:]]) < settled
        if done or step == n_steps:
            break
        state = state.step(now.gradient, prior_mean, step_size)
    final = evaluate(spins, means, beta, prior_mean, **options)
    return means, final.bound, History(*np.array(rows).T), final.model, done


def fit(
    spins,
    n_hidden,
    beta,
    *,
    rule="natural",
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
    model_term, expectation, prior_mean, n_points, tol, max_iter
        As in `bound`; messages are kept between steps.
    n_steps : int >= 1
        Largest number of steps a restart.
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
    spins = checks.spins(spins)
    checks.integer(1, n_hidden=n_hidden, n_steps=n_steps, n_restarts=n_restarts)
    checks.integer(0, seed=seed)
    checks.real(0, MAX_BETA, beta=beta)
    checks.real(-1, 1, prior_mean=prior_mean)
    checks.real(0, np.inf, settled=settled)
    checks.option(RULES, rule=rule)
    options = check_options(n_hidden, model_term, expectation, n_points, tol, max_iter)
    step_size = STEP_SIZES[rule] if step_size is None else step_size
    checks.real(0, 1 if rule == "natural" else 100, closed="right", step_size=step_size)
    if isinstance(init, str):
        checks.option(INITS, init=init)
    else:
        init = checks.means(init, shape=(spins.shape[1], n_hidden), name="init")
        if n_restarts > 1:
            raise ValueError(f"n_restarts must be 1 where init is an array, got {n_restarts}")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {callback!r}")

    spins, best, finals = spins.astype(np.float64), None, []
    # matrix products over several threads add in another order, so that their number would change the bits
    one_thread = threadpool_limits(limits=1, user_api="blas")
    with one_thread, tqdm(total=n_restarts * n_steps, disable=not progress, desc="fit", unit="step") as bar:

        def report(step, means, bound):
            bar.update(min(step, 1))
            if callback is not None:
                callback(step, means, bound)

        for index, child in enumerate(np.random.SeedSequence(seed).spawn(n_restarts)):
            start = _start(init, spins, n_hidden, rule, np.random.default_rng(child))
            run = _climb(spins, start, float(beta), rule, step_size, n_steps, prior_mean, settled, options, report)
            finals.append(run[1].total)
            bar.total = bar.n + (n_restarts - 1 - index) * n_steps  # a restart that settles early is not a failure
            best = run if best is None or run[1].total > best[1].total else best
    means, bound, history, model, done = best
    if not model.converged:
        warn_unconverged(model.residual, tol, max_iter, stacklevel=3)
    weights = np.where(means >= 0, np.int8(1), np.int8(-1))
    converged = bool(done and model.converged)
    return FitResult(means, weights, bound, history, converged, np.array(finals), float(beta))
