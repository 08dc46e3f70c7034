r"""Block-Gibbs sampling of a network: σ ~ P(σ|h), then h ~ P(h|σ), of many chains at once.

Its cost is that of two matrix products: the random numbers come from outside, everything between the products is
vectorized and stays in cache.
"""

from typing import NamedTuple

import numba
import numpy as np

from vmfcore.numerics import blocks
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.vectors import constants_of, exp

GRAIN = 2**20  # multiplications of a matrix product that are worth a thread


class _Layer(NamedTuple):
    """The units of one layer in K chains."""

    fields: np.ndarray  # (units,), a or b
    scale: np.floating
    draws: np.ndarray  # (K, units), uniform in [0, 1)
    spins: np.ndarray  # (K, units), ±1


class _Work(NamedTuple):
    """What `_draw` overwrites, as long as the longer layer."""

    u: np.ndarray
    spare: np.ndarray
    index: np.ndarray  # int32


@kernel
def _draw(fields, draws, constants, work):
    """Replace the fields of one chain by spins, +1 with probability 1/(1 + exp(-2 field))."""
    one = constants.one
    u = work.u[: fields.size]
    exp(fields, constants, u, work.spare, work.index)
    for i in range(fields.size):
        threshold = one if fields[i] > 0 else u[i]
        fields[i] = one if draws[i] * (one + u[i]) < threshold else -one


@kernel
def _clamp(spins, clamped):
    """Put the spins of one chain where ``clamped`` wants them."""
    for i in range(spins.size):
        if clamped[i] != 0:
            spins[i] = clamped[i]


@kernel
def _sweep_chains(chains, columns, visible, hidden, exerted, clamped, constants):
    """What `sweep` does for the chains of a slice."""
    n_hidden, n_visible = columns.shape
    longer = max(n_hidden, n_visible)
    u = np.empty(longer, columns.dtype)
    spare = np.empty(longer, columns.dtype)
    work = _Work(u, spare, np.empty(longer, np.int32))

    # σ ~ P(σ|h)
    np.dot(hidden.spins[chains], columns, visible.spins[chains])
    for k in range(chains.start, chains.stop):
        sigma = visible.spins[k]
        for i in range(n_visible):
            sigma[i] = visible.fields[i] + visible.scale * sigma[i]
        _draw(sigma, visible.draws[k], constants, work)
        if clamped is not None:
            _clamp(sigma, clamped[k])

    # h ~ P(h|σ)
    np.dot(visible.spins[chains], columns.T, exerted[chains])
    for k in range(chains.start, chains.stop):
        x = exerted[k]
        h = hidden.spins[k]
        for mu in range(n_hidden):
            x[mu] += hidden.fields[mu]
            h[mu] = hidden.scale * x[mu]
        _draw(h, hidden.draws[k], constants, work)


@parallel_kernel
def _sweep(columns, visible, hidden, exerted, clamped, n_blocks, constants):
    """What `sweep` does, a block of chains after the other."""
    n_chains = len(exerted)
    for block in numba.prange(n_blocks):
        first = block * n_chains // n_blocks
        last = (block + 1) * n_chains // n_blocks
        _sweep_chains(slice(first, last), columns, visible, hidden, exerted, clamped, constants)


def sweep(columns, visible_fields, hidden_fields, hidden, rng, scales=(1.0, 1.0), clamped=None):
    r"""One sweep of K chains: new spins (K, N), and the fields b + Jᵀσ (K, P) that they exert on the hidden units.

    ``columns`` is Jᵀ (P, N), contiguous, in the precision of all other arrays; ``hidden`` (K, P), the ±1 spins of the
    hidden units, is overwritten by new ones.  With ``scales`` s and t the spins are drawn at fields a + s J h, those of
    the hidden units at t (b + Jᵀσ).  Visible spins that are ±1 in ``clamped`` (K, N), int8, stay so, those that are 0
    there are free; the random numbers are drawn as without it.  Within `one_blas_thread` the bits do not depend on the
    number of threads.
    """
    dtype = columns.dtype
    n_visible = columns.shape[1]
    n_chains, n_hidden = hidden.shape
    spins = np.empty((n_chains, n_visible), dtype)
    exerted = np.empty_like(hidden)
    visible_draws = rng.random(spins.shape, dtype)
    hidden_draws = rng.random(hidden.shape, dtype)
    visible_scale, hidden_scale = scales
    visible_layer = _Layer(visible_fields, dtype.type(visible_scale), visible_draws, spins)
    hidden_layer = _Layer(hidden_fields, dtype.type(hidden_scale), hidden_draws, hidden)
    # an even number of blocks: there are often two threads
    n_pairs = -(-n_chains * (n_visible + n_hidden) // (2 * blocks.IN_CACHE))
    n_blocks = min(n_chains, 2 * n_pairs)
    with numba_threads(n_blocks, n_chains * columns.size / GRAIN):
        _sweep(columns, visible_layer, hidden_layer, exerted, clamped, n_blocks, constants_of(dtype))
    return spins, exerted
