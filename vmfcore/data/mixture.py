r"""Mixtures of independent pixels: what data say by a few kinds of samples alone.

.. math::
    g(\sigma) = \sum_k w_k \prod_i \frac{e^{a_{ki} \sigma_i}}{2\cosh a_{ki}}

A mixture is the rival that a machine of data with several states has to beat, and where the tempered chains of such a
machine begin: it can be drawn exactly, and each of its components has the weight that it has in the data.
"""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.data.packing import PackedSpins, pack_spins, pixel_fields
from vmfcore.numerics.bits import transpose
from vmfcore.numerics.products import multiply
from vmfcore.numerics.spins import log2cosh
from vmfcore.numerics.streams import Stream, generator

N_STEPS = 40  # of expectation and maximization, after which little changes
MIN_SAMPLES = 8  # of a component, on average
MAX_SAMPLES = 4000  # that a mixture of `reference_of` is fitted to
N_COMPONENTS = 16  # of such a mixture, at most, beside independent pixels
SHARE_OF_PIXELS = 0.2  # of the weight


class Mixture(NamedTuple):
    """Weights and pixels of K components."""

    log_weights: np.ndarray  # (K,), ln w_k
    fields: np.ndarray  # (K, N), a_k

    @property
    def means(self) -> np.ndarray:
        """<σ_i> = Σ_k w_k tanh a_ki, (N,)."""
        return np.exp(self.log_weights) @ np.tanh(self.fields)

    def log_joint(self, data: PackedSpins) -> np.ndarray:
        """ln w_k g_k(σ) of packed data and every component, (M, K)."""
        pulls = multiply(data.bits, np.ascontiguousarray(self.fields.T))
        return pulls + (self.log_weights - log2cosh(self.fields).sum(axis=1))

    def log_probabilities(self, spins: ArrayLike) -> np.ndarray:
        """ln g(σ) of data (M, N), ±1 or packed: (M,), nats."""
        data = pack_spins(spins)
        if data.n_visible != self.fields.shape[1]:
            raise ValueError(f"spins must have shape (any, {self.fields.shape[1]}), got {data.shape}")
        return scipy.special.logsumexp(self.log_joint(data), axis=1)


def fit_mixture(spins: ArrayLike, n_components: int, *, n_steps: int = N_STEPS, seed: int) -> Mixture:
    r"""Fit a mixture of independent pixels by expectation and maximization.

    Parameters
    ----------
    spins : (M, N) array, ±1, or PackedSpins
    n_components : int >= 1
        K.
    n_steps : int >= 1
        Of expectation and maximization.
    seed : int >= 0
        Of the samples that the components begin at, each far from those before it.

    Returns
    -------
    Mixture
        With one sample of each sign added to every pixel of a component, so that all fields are finite.

    Notes
    -----
    O(n_steps M N K).

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, J. R. Stat. Soc. B 39, 1 (1977); the start: D. Arthur, S. Vassilvitskii,
    SODA (2007).

    Examples
    --------
    >>> import numpy as np
    >>> spins = np.repeat([[1, 1, 1, 1], [-1, -1, -1, -1]], [30, 10], axis=0)
    >>> mixture = fit_mixture(spins, 2, seed=0)
    >>> np.exp(mixture.log_weights).round(1)
    array([0.7, 0.3])
    """
    data = pack_spins(spins)
    checks.integer(1, n_components=n_components, n_steps=n_steps)
    checks.integer(0, seed=seed)
    n_samples, n_visible = data.shape
    transposed = transpose(data.bits, n_visible)
    far = _far_samples(data, n_components, generator(seed, Stream.MIXTURE))
    # every sample to the nearest of the samples that the components begin at
    distances = np.stack([np.bitwise_count(data.bits ^ data.bits[k]).sum(axis=1, dtype=np.int64) for k in far], axis=1)
    shares = np.eye(n_components)[distances.argmin(axis=1)]
    for _ in range(n_steps):
        # the pixels and the weight of each component, given which samples are its own
        counts = shares.sum(axis=0)
        sums = multiply(transposed, np.ascontiguousarray(shares))
        fields = np.arctanh(sums / (counts + 2)).T
        mixture = Mixture(np.log((counts + 1) / (n_samples + n_components)), fields)
        # and which samples are its own, given these
        shares = scipy.special.softmax(mixture.log_joint(data), axis=1)
    by_weight = np.argsort(-mixture.log_weights, kind="stable")
    return Mixture(mixture.log_weights[by_weight], mixture.fields[by_weight])


def _far_samples(data, n_components, rng):
    """Samples to begin at: each drawn by the square of its distance from those before it."""
    chosen = [int(rng.integers(len(data.bits)))]
    nearest = np.full(len(data.bits), np.inf)
    while len(chosen) < n_components:
        distance = np.bitwise_count(data.bits ^ data.bits[chosen[-1]]).sum(axis=1, dtype=np.int64)
        nearest = np.minimum(nearest, distance)
        weights = nearest**2 + 1e-9
        chosen.append(int(rng.choice(len(weights), p=weights / weights.sum())))
    return chosen


def independent_pixels(fields: np.ndarray) -> Mixture:
    """Mixture of one component, pixels at these fields (N,)."""
    return Mixture(np.zeros(1), np.asarray(fields, np.float64)[None])


def reference_of(data: PackedSpins, seed: int) -> Mixture:
    """Mixture that tempered chains of a machine of packed data begin at: of some of the samples, a few components."""
    n_samples = len(data.bits)
    n_components = min(N_COMPONENTS, n_samples // MIN_SAMPLES)
    if n_components < 2:
        return independent_pixels(pixel_fields(data))
    if n_samples > MAX_SAMPLES:
        rng = generator(seed, Stream.MIXTURE)
        data = data.take(np.sort(rng.choice(n_samples, MAX_SAMPLES, replace=False)))
    mixture = fit_mixture(data, n_components, seed=seed)
    # a machine may have states where no sample is: from independent pixels chains come upon them
    weights = np.append(mixture.log_weights + np.log(1 - SHARE_OF_PIXELS), np.log(SHARE_OF_PIXELS))
    return Mixture(weights, np.vstack([mixture.fields, pixel_fields(data)]))
