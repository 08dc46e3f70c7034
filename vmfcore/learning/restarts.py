"""What every learner shares: its result, where it starts, and the choice among restarts."""

import numpy as np

from vmfcore import checks
from vmfcore.data.packing import pack_spins
from vmfcore.numerics.jit import one_blas_thread

INITS = ("random", "pca")
BLOCK = 4096  # samples unpacked at once


def check_learner(spins, n_hidden, prior_mean, n_steps, n_restarts, init, seed, callback):
    """Check the arguments that all learners take; return the data packed and an array ``init`` as float64."""
    data = pack_spins(spins)
    checks.integer(1, n_hidden=n_hidden, n_steps=n_steps, n_restarts=n_restarts)
    checks.integer(0, seed=seed)
    checks.real(-1, 1, prior_mean=prior_mean)
    if isinstance(init, str):
        checks.option(INITS, init=init)
    else:
        init = checks.means(init, shape=(data.n_visible, n_hidden), name="init")
        if n_restarts > 1:
            raise ValueError(f"n_restarts must be 1 where init is an array, got {n_restarts}")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {callback!r}")
    return data, init


def principal_components(data, n_hidden, rng, scale=0.2):
    """Means (N, P) along the top-P eigenvectors of the data covariance, randomly rotated, of size |λ| ≈ ``scale``."""
    n_samples, n_visible = data.shape
    if n_samples < n_visible:
        centred = data.dense(np.float64)
        centred -= centred.mean(axis=0)
        gram = centred @ centred.T
    else:
        total, gram = np.zeros(n_visible), np.zeros((n_visible, n_visible))
        for start in range(0, n_samples, BLOCK):
            spins = data.take(slice(start, start + BLOCK)).dense(np.float64)
            total += spins.sum(axis=0)
            gram += spins.T @ spins
        mean = total / n_samples
        gram -= n_samples * np.outer(mean, mean)
    variances, vectors = np.linalg.eigh(gram)
    rank = int((variances > 1e-9 * n_samples * n_visible).sum())
    if n_hidden > rank:
        raise ValueError(f'init="pca" needs n_hidden <= the rank of the data covariance, {rank}, got {n_hidden}')
    vectors = vectors[:, -n_hidden:]
    if n_samples < n_visible:
        vectors = centred.T @ vectors
    vectors = vectors * np.sqrt(n_visible / (vectors**2).sum(axis=0))
    rotation, _ = np.linalg.qr(rng.normal(size=(n_hidden, n_hidden)))
    return np.tanh(scale * vectors @ rotation)


def starting_means(init, data, n_hidden, rng, wide=False):
    """Means (N, P): given, principal components, or random: λ uniform in ±1 if ``wide``, else θ uniform in ±0.1."""
    if isinstance(init, np.ndarray):
        return init
    if init == "pca":
        return principal_components(data, n_hidden, rng)
    size = (data.n_visible, n_hidden)
    return rng.uniform(-1, 1, size) if wide else np.tanh(rng.uniform(-0.1, 0.1, size))


def best_restart(climb, rank, n_restarts, n_steps, seed, *, progress, callback, desc, done=0):
    """Run ``climb(rngs, report) -> [(FitResult, extra), ...]``; return the one whose result ranks highest.

    ``report(step, means, bound)`` moves the progress bar, which begins at ``done``, and calls the user's callback.
    """
    from tqdm.auto import tqdm  # takes 20 ms to import

    bar_options = {"disable": not progress, "desc": desc, "unit": "step", "initial": done}
    rngs = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(n_restarts)]
    with one_blas_thread(), tqdm(total=n_restarts * n_steps, **bar_options) as bar:

        def report(step, means, bound):
            bar.update(min(step, 1))
            if callback is not None:
                callback(step, means, bound)

        runs = climb(rngs, report)
        bar.total = bar.n  # to settle early is not a failure
    result, extra = max(runs, key=lambda run: rank(run[0]))
    return result._replace(restart_bounds=np.array([run.bound.total for run, _ in runs])), extra
