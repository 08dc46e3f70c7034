r"""Block-Gibbs sampling of a network: σ ~ P(σ|h), then h ~ P(h|σ), of many chains at once.

Its cost is that of two matrix products: the random numbers come from outside, everything between the products is
vectorized and stays in cache.
"""

import numba
import numpy as np

from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.vectors import exp, numbers

BLOCK = 2**17  # spins of chains that a thread updates at once
GRAIN = 2**20  # multiplications of a matrix product that are worth a thread


@kernel
def _draw(fields, draws, numbers, work, index):
    """Replace the fields of one chain by spins, +1 with probability 1/(1 + exp(-2 field)); ``draws`` are uniform."""
    one, u = numbers[0], work[0, : fields.size]
    exp(fields, numbers, u, work[1], index)
    for i in range(fields.size):
        threshold = one if fields[i] > 0 else u[i]
        fields[i] = one if draws[i] * (one + u[i]) < threshold else -one


@parallel_kernel
def _sweep(columns, fields, settings, hidden, draws, numbers, spins, exerted):
    """What `sweep` does, a block of chains after the other; ``settings`` are its scales and the number of blocks."""
    for block in numba.prange(settings[2]):
        part = slice(block * len(hidden) // settings[2], (block + 1) * len(hidden) // settings[2])
        work, index = np.empty((2, sum(columns.shape)), columns.dtype), np.empty(sum(columns.shape), np.int32)
        sigma, x = spins[part], exerted[part]
        np.dot(hidden[part], columns, sigma)
        for a in range(len(sigma)):
            for i in range(sigma.shape[1]):
                sigma[a, i] = fields[0][i] + settings[0] * sigma[a, i]
            _draw(sigma[a], draws[0][part][a], numbers, work, index)
        np.dot(sigma, columns.T, x)
        for a in range(len(x)):
            h = hidden[part][a]
            for mu in range(h.size):
                x[a, mu] += fields[1][mu]
                h[mu] = settings[1] * x[a, mu]
            _draw(h, draws[1][part][a], numbers, work, index)


def sweep(columns, visible_fields, hidden_fields, hidden, rng, scales=(1.0, 1.0)):
    r"""One sweep of K chains: new spins (K, N), and the fields b + Jᵀσ (K, P) that they exert on the hidden units.

    ``columns`` is Jᵀ (P, N), contiguous, in the precision of all other arrays; ``hidden`` (K, P), the ±1 spins of the
    hidden units, is overwritten by new ones.  With ``scales`` s and t the spins are drawn at fields a + s J h, those of
    the hidden units at t (b + Jᵀσ).  Within `one_blas_thread` the bits do not depend on the number of threads.
    """
    (n_chains, n_hidden), n_visible = hidden.shape, columns.shape[1]
    spins, exerted = np.empty((n_chains, n_visible), columns.dtype), np.empty_like(hidden)
    draws = rng.random(spins.shape, columns.dtype), rng.random(hidden.shape, columns.dtype)
    n_blocks = min(n_chains, 2 * -(-n_chains * (n_visible + n_hidden) // (2 * BLOCK)))  # even: often two threads
    settings = (*columns.dtype.type(scales), n_blocks)
    with numba_threads(n_blocks, n_chains * columns.size / GRAIN):
        _sweep(
            columns,
            (visible_fields, hidden_fields),
            settings,
            hidden,
            draws,
            numbers(columns.dtype)[0],
            spins,
            exerted,
        )
    return spins, exerted
