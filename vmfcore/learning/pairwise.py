r"""The pairwise model, a rival without hidden units: fields, and a coupling for every pair of pixels.

.. math::
    P(\sigma) = \frac1Z \exp\Bigl(\sum_i h_i \sigma_i + \sum_{i<j} J_{ij} \sigma_i \sigma_j\Bigr)

It is learnt by pseudo-likelihood, which needs no Z and has one maximum.  ln Z is annealed from independent pixels, by
sweeps of one spin after the other.

References
----------
J. Besag, The Statistician 24, 179 (1975); E. Aurell, M. Ekeberg, Phys. Rev. Lett. 108, 090201 (2012), for
pseudo-likelihood; R. M. Neal, Statistics and Computing 11, 125 (2001), for annealing.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np
import scipy
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.data.packing import pack_spins, pixel_fields
from vmfcore.networks.annealing import log_mean
from vmfcore.numerics.draws import uniform, words_of
from vmfcore.numerics.jit import numba_threads, parallel_kernel
from vmfcore.numerics.spins import log2cosh
from vmfcore.numerics.streams import Stream, stream_key

GRAIN = 2**16  # couplings of a sweep that are worth a thread
PENALTIES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # that held-out samples choose from


class PairwiseModel(NamedTuple):
    """Fields h and symmetric couplings J with an empty diagonal."""

    fields: np.ndarray  # (N,)
    couplings: np.ndarray  # (N, N)

    def energies(self, spins: np.ndarray) -> np.ndarray:
        """Return -ln P(σ) - ln Z of samples (M, N)."""
        return -(spins @ self.fields + 0.5 * np.einsum("ai,ai->a", spins @ self.couplings, spins))


def train_pairwise(spins: ArrayLike, penalty: float) -> PairwiseModel:
    r"""Learn a pairwise model by its pseudo-likelihood.

    .. math::
        \max_{h, J}\ \frac1M \sum_{ai} \ln P(\sigma^a_i | \sigma^a_{j \ne i}) - \gamma \sum_{i<j} J_{ij}^2

    Parameters
    ----------
    spins : (M, N) array, ±1
    penalty : float > 0
        γ.

    Returns
    -------
    PairwiseModel

    Notes
    -----
    O(M N²) a step of L-BFGS.

    Examples
    --------
    >>> import numpy as np
    >>> from vmfcore.learning.pairwise import train_pairwise
    >>> model = train_pairwise(np.repeat([[1, 1, -1], [-1, -1, 1], [1, -1, 1]], 10, axis=0), 0.01)
    >>> bool(model.couplings[0, 1] > 0 > model.couplings[1, 2])
    True
    """
    spins = checks.spins(spins).astype(np.float64)
    penalty = checks.real(0, np.inf, penalty=penalty)
    n_samples, n_visible = spins.shape
    pairs = np.triu_indices(n_visible, 1)

    def unpacked(parameters):
        couplings = np.zeros((n_visible, n_visible))
        couplings[pairs] = parameters[n_visible:]
        return parameters[:n_visible], couplings + couplings.T

    def loss_and_slope(parameters):
        fields, couplings = unpacked(parameters)
        local_fields = fields + spins @ couplings
        # d/dx of ln P(σ|x) = σ x - ln 2cosh x
        residuals = (spins - np.tanh(local_fields)) / n_samples
        products = spins.T @ residuals
        loss = (log2cosh(local_fields) - spins * local_fields).sum() / n_samples
        loss += penalty * (couplings[pairs] ** 2).sum()
        slope = 2 * penalty * couplings[pairs] - (products + products.T)[pairs]
        return loss, np.concatenate([-residuals.sum(axis=0), slope])

    start = np.concatenate([pixel_fields(pack_spins(spins)), np.zeros(len(pairs[0]))])
    found = scipy.optimize.minimize(loss_and_slope, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return PairwiseModel(*unpacked(found.x))


def chosen_pairwise(spins: ArrayLike, validation: ArrayLike) -> PairwiseModel:
    """Learn pairwise models of several penalties; return that of the largest held-out pseudo-likelihood."""
    validation = checks.spins(validation, name="validation").astype(np.float64)
    models = [train_pairwise(spins, penalty) for penalty in PENALTIES]
    return max(models, key=lambda model: _log_pseudo_likelihoods(validation, model).mean())


def _log_pseudo_likelihoods(spins, model):
    """ln P(σ_i | all others) of samples, (M, N)."""
    local_fields = model.fields + spins @ model.couplings
    return spins * local_fields - log2cosh(local_fields)


@parallel_kernel
def _sweep(spins, local_fields, couplings, scale, draws):
    """One heat-bath sweep of every chain at fields x = scale · local_fields; those are kept up to date."""
    for k in numba.prange(len(spins)):
        row = spins[k]
        fields = local_fields[k]
        for i in range(row.size):
            new = 1.0 if draws[k, i] * (1 + math.exp(-2 * scale * fields[i])) < 1 else -1.0
            if new != row[i]:
                row[i] = new
                columns = couplings[i]
                for j in range(row.size):
                    fields[j] += 2 * new * columns[j]


def _annealed(model, base, path, spins, key):
    """ln w of chains (K, N) carried along a path of s, at fields (1-s) a⁰ + s h and couplings s J."""
    n_chains, n_visible = spins.shape
    pulled = spins @ model.couplings
    log_weights = np.full(n_chains, (path[-1] - path[0]) * log2cosh(base).sum())
    draws = np.empty(n_chains * n_visible, np.float32)
    words = words_of(n_chains * n_visible)
    for n, (s, t) in enumerate(pairwise(path)):
        uniform(key, n * words, draws)
        # a pixel's field is s [J σ + h + (1-s)/s a⁰]: the sweep adds J σ as spins turn over
        if s == 0:
            spins[:] = np.where(draws.reshape(spins.shape) * (1 + np.exp(-2 * base)) < 1, 1.0, -1.0)
            pulled = spins @ model.couplings
        else:
            shift = model.fields + (1 - s) / s * base
            local_fields = pulled + shift
            with numba_threads(n_chains, n_chains * n_visible**2 / GRAIN):
                _sweep(spins, local_fields, model.couplings, s, draws.reshape(spins.shape))
            pulled = local_fields - shift
        log_weights -= (t - s) * (model.energies(spins) + spins @ base)
    return log_weights


def pairwise_log_likelihood(
    spins: ArrayLike, model: PairwiseModel, n_chains: int = 100, n_temperatures: int = 1000, *, seed: int
) -> tuple[float, float, float]:
    """Estimate the mean log-likelihood of samples, and the bracket that annealing from both sides leaves of it.

    Parameters
    ----------
    spins : (M, N) array, ±1
    model : PairwiseModel
    n_chains : int >= 2
        Of each way; those of the way back begin in the samples and sweep as often at s = 1 first.
    n_temperatures : int >= 1
    seed : int >= 0

    Returns
    -------
    mean, lowest, highest : float
        Nats per sample; the mean is that of the way forward, from independent pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from vmfcore.learning.pairwise import PairwiseModel, pairwise_log_likelihood
    >>> free = PairwiseModel(np.zeros(5), np.zeros((5, 5)))
    >>> numbers = pairwise_log_likelihood(np.ones((3, 5)), free, seed=0)
    >>> bool(np.allclose(numbers, -5 * np.log(2), atol=0.05))
    True
    """
    spins = checks.spins(spins).astype(np.float64)
    checks.integer(2, n_chains=n_chains)
    checks.integer(1, n_temperatures=n_temperatures)
    checks.integer(0, seed=seed)
    base = pixel_fields(pack_spins(spins))
    path = np.linspace(0.0, 1.0, n_temperatures + 1)
    keys = [stream_key(seed, Stream.ANNEALING, branch) for branch in range(3)]
    forward = log_mean(_annealed(model, base, path, np.ones((n_chains, len(base))), keys[0])).log_partition
    chains = spins[np.random.default_rng(seed).choice(len(spins), n_chains)]
    _annealed(model, base, np.ones(n_temperatures + 1), chains, keys[1])
    backward = -log_mean(_annealed(model, base, path[::-1], chains, keys[2])).log_partition
    mean = -model.energies(spins).mean()
    return mean - forward, mean - max(forward, backward), mean - min(forward, backward)
