r"""Block-Gibbs sampling of a network: σ ~ P(σ|h), then h ~ P(h|σ), of many chains at once.

Each chain stands at one *place* of a path of networks, whose visible fields a and scale s it sees:

.. math::
    P_s(\sigma, h) \propto \exp\Bigl( \sum_i a_i(s) \sigma_i
        + s \sum_\mu h_\mu \Bigl[ b_\mu + \sum_i J_{i\mu} \sigma_i \Bigr] \Bigr) .

The spins of both layers are bits, their fields are sums by table, and the random numbers are drawn where they are used.
"""

from typing import NamedTuple

import numba
import numpy as np

from vmfcore.numerics.bits import pack
from vmfcore.numerics.draws import uniform, words_of
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.vectors import constants_of, exp

GRAIN = 2**12  # spins whose drawing is worth a thread


class Place(NamedTuple):
    """Where the random numbers of a sweep are: those of chain k begin ``words_a_sweep`` words after chain k - 1."""

    key: np.uint64  # of the stream
    first: int  # word of the first chain


class Rungs(NamedTuple):
    """Places on a path of networks, and which of them each chain stands at."""

    visible_fields: np.ndarray  # (R, N) float32, a(s)
    scales: np.ndarray  # (R,) float32, s
    of_chain: np.ndarray  # (K,) intp


class _Layer(NamedTuple):
    """The units of one layer at all places, and where their random numbers are."""

    fields: np.ndarray  # (R, units), a or b
    scales: np.ndarray  # (R,)
    of_chain: np.ndarray  # (K,), rows of fields and scales
    key: np.uint64
    first: int  # word of the first chain
    stride: int  # words from one chain to the next


class _Work(NamedTuple):
    """What `_draw` overwrites, as long as a row of fields."""

    field: np.ndarray
    draw: np.ndarray
    u: np.ndarray
    spare: np.ndarray
    index: np.ndarray  # int32


@kernel
def _work(like):
    """`_Work` for rows like this one."""
    rows = np.empty((4, like.size), like.dtype)
    return _Work(rows[0], rows[1], rows[2], rows[3], np.empty(like.size, np.int32))


@kernel
def _draw(constants, work, up):
    """Spins of one chain, True with probability 1/(1 + exp(-2 field))."""
    one = constants.one
    field = work.field
    draw = work.draw
    u = work.u
    exp(field, constants, u, work.spare, work.index)
    for i in range(field.size):
        threshold = one if field[i] > 0 else u[i]
        up[i] = draw[i] * (one + u[i]) < threshold


@kernel
def _draw_visible_chain(k, exerted, layer, clamped, constants, spins):
    """New visible spins of chain k at fields a + s J h; those that are clamped stay."""
    work = _work(exerted)
    up = np.empty(exerted.size, np.bool_)
    fields = layer.fields[layer.of_chain[k]]
    scale = layer.scales[layer.of_chain[k]]
    for i in range(exerted.size):
        work.field[i] = fields[i] + scale * exerted[i]
    uniform(layer.key, layer.first + k * layer.stride, work.draw)
    _draw(constants, work, up)
    if clamped is not None:
        for i in range(exerted.size):
            if clamped[k, i] != 0:
                up[i] = clamped[k, i] > 0
    pack(up, spins)


@kernel
def _draw_hidden_chain(k, exerted, layer, to_means, constants, spins):
    """Complete Jᵀσ of chain k by b, and draw new hidden spins at s times that; what they expect may take its place."""
    one = constants.one
    work = _work(exerted)
    up = np.empty(exerted.size, np.bool_)
    fields = layer.fields[0]
    scale = layer.scales[layer.of_chain[k]]
    for mu in range(exerted.size):
        exerted[mu] += fields[mu]
        work.field[mu] = scale * exerted[mu]
    uniform(layer.key, layer.first + k * layer.stride, work.draw)
    _draw(constants, work, up)
    pack(up, spins)
    if to_means:
        # tanh x = ±(1 - u)/(1 + u) with the u = exp(-2|x|) of the draw
        u = work.u
        for mu in range(exerted.size):
            size = (one - u[mu]) / (one + u[mu])
            exerted[mu] = size if work.field[mu] > 0 else -size


@parallel_kernel
def _draw_visible(exerted, layer, clamped, constants, spins):
    """New visible spins of all chains."""
    for k in numba.prange(len(exerted)):
        _draw_visible_chain(np.int64(k), exerted[k], layer, clamped, constants, spins[k])


@parallel_kernel
def _draw_hidden(exerted, layer, to_means, constants, spins):
    """New hidden spins of all chains, and the whole fields that they see, or what these make them expect."""
    for k in numba.prange(len(exerted)):
        _draw_hidden_chain(np.int64(k), exerted[k], layer, to_means, constants, spins[k])


def words_a_sweep(n_visible, n_hidden):
    """Words of a stream of random numbers that a sweep of one chain takes."""
    return words_of(n_visible) + words_of(n_hidden)


def draw_visible(couplings, rungs, hidden, place, clamped=None):
    """New visible spins, packed (K, ⌈N/8⌉), of K chains at their places, given packed hidden ones (K, ⌈P/8⌉).

    ``couplings`` are `RealCouplings` or `OneBitCouplings` in single precision.  Visible spins that are ±1 in
    ``clamped`` (K, N), int8, stay so, those that are 0 there are free; the random numbers are drawn as without it.
    """
    n_visible, n_hidden = couplings.shape
    exerted = couplings.on_visible(hidden)
    spins = np.empty((len(hidden), -(-n_visible // 8)), np.uint8)
    layer = _Layer(*rungs, place.key, place.first, words_a_sweep(n_visible, n_hidden))
    with numba_threads(len(exerted), exerted.size / GRAIN):
        _draw_visible(exerted, layer, clamped, constants_of(np.dtype(np.float32)), spins)
    return spins


def draw_hidden(exerted, n_visible, rungs, hidden_fields, place, hidden, *, to_means=False):
    """Overwrite packed hidden spins by new ones, given Jᵀσ (K, P), which becomes b + Jᵀσ, or <h> with ``to_means``."""
    layer = _Layer(
        hidden_fields[None],
        *rungs[1:],
        place.key,
        place.first + words_of(n_visible),
        words_a_sweep(n_visible, exerted.shape[1]),
    )
    with numba_threads(len(exerted), exerted.size / GRAIN):
        _draw_hidden(exerted, layer, to_means, constants_of(np.dtype(np.float32)), hidden)


def sweep(couplings, fields, hidden, place, scales=(1.0, 1.0), clamped=None, *, to_means=False):
    r"""One sweep of K chains: new spins, packed (K, ⌈N/8⌉), and the fields b + Jᵀσ (K, P) that they exert.

    With ``to_means`` the second is <h> = tanh t(b + Jᵀσ), what the visible spins make the hidden ones expect.

    ``couplings`` are `RealCouplings` or `OneBitCouplings`, ``fields`` a and b, all in single precision; ``hidden``
    (K, ⌈P/8⌉), the packed spins of the hidden units, is overwritten by new ones.  With ``scales`` s and t the spins are
    drawn at fields a + s J h, those of the hidden units at t (b + Jᵀσ).  ``clamped`` as `draw_visible` takes it.  The
    bits of the result depend on nothing but the arguments.
    """
    a, b = fields
    everyone = np.zeros(len(hidden), np.intp)
    at_s, at_t = (Rungs(a[None], np.array([scale], np.float32), everyone) for scale in scales)
    spins = draw_visible(couplings, at_s, hidden, place, clamped)
    exerted = couplings.on_hidden(spins)
    draw_hidden(exerted, len(a), at_t, b, place, hidden, to_means=to_means)
    return spins, exerted


def relax(couplings, fields, hidden, n_sweeps, key):
    """So many sweeps of K chains, whose packed spins ``hidden`` (K, ⌈P/8⌉) are overwritten by those at the end.

    ``couplings`` and ``fields`` as `sweep` takes them; ``key`` is that of the random numbers.
    """
    words = len(hidden) * words_a_sweep(*couplings.shape)
    for n in range(n_sweeps):
        sweep(couplings, fields, hidden, Place(key, n * words))
