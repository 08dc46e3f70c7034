"""Where learners start: the checks that they share, the starts of their restarts, and the choice among them."""

import numpy as np

from vmfcore import checks
from vmfcore.data.packing import PackedSpins, pack_spins

INITS = ("random", "pca")
START_SIZE = 0.2  # |λ| of a start along principal components
ROUNDING = 1e-9  # of an eigenvalue of the data covariance, relative to its trace


def check_learner(spins, n_hidden, n_steps, n_restarts, init, seed) -> tuple[PackedSpins, str | np.ndarray]:
    """Check the arguments that all learners take; return the data packed and an array ``init`` as float64."""
    data = pack_spins(spins)
    checks.integer(1, n_hidden=n_hidden, n_steps=n_steps, n_restarts=n_restarts)
    checks.integer(0, seed=seed)
    if isinstance(init, str):
        checks.option(INITS, init=init)
        return data, init
    init = checks.means(init, shape=(data.n_visible, n_hidden), name="init")
    if n_restarts > 1:
        raise ValueError(f"n_restarts must be 1 where init is an array, got {n_restarts}")
    return data, init


def starting_means(init, data, n_hidden, rng, random_means):
    """Means (N, P): given, principal components, or ``random_means(rng, (N, P))``."""
    if isinstance(init, np.ndarray):
        return init
    if init == "pca":
        return principal_components(data, n_hidden, rng)
    return random_means(rng, (data.n_visible, n_hidden))


def principal_components(data, n_hidden, rng):
    """Means (N, P) along the top-P eigenvectors of the data covariance, randomly rotated, of size |λ| ≈ 0.2."""
    n_samples, n_visible = data.shape
    variances, vectors = _leading_eigenvectors(data, n_hidden)
    rank = int((variances > ROUNDING * n_samples * n_visible).sum())
    if n_hidden > rank:
        raise ValueError(f'init="pca" needs n_hidden <= the rank of the data covariance, {rank}, got {n_hidden}')
    vectors = vectors * np.sqrt(n_visible / (vectors**2).sum(axis=0))
    rotation, _ = np.linalg.qr(rng.normal(size=(n_hidden, n_hidden)))
    return np.tanh(START_SIZE * vectors @ rotation)


def _leading_eigenvectors(data, n_hidden):
    """All variances, and the last P eigenvectors (N, P) of the covariance, by its smaller Gram matrix."""
    n_samples, n_visible = data.shape
    if n_samples < n_visible:
        centred = data.dense(np.float64)
        centred -= centred.mean(axis=0)
        variances, vectors = np.linalg.eigh(centred @ centred.T)
        return variances, centred.T @ vectors[:, -n_hidden:]
    total = np.zeros(n_visible)
    gram = np.zeros((n_visible, n_visible))
    for spins in data.blocks(np.float64):
        total += spins.sum(axis=0)
        gram += spins.T @ spins
    mean = total / n_samples
    variances, vectors = np.linalg.eigh(gram - n_samples * np.outer(mean, mean))
    return variances, vectors[:, -n_hidden:]
