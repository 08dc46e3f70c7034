r"""Block-Gibbs sampling of a network: σ ~ P(σ|h), then h ~ P(h|σ), of many chains at once.

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


class _Layer(NamedTuple):
    """The units of one layer, and where their random numbers are."""

    fields: np.ndarray  # (units,), a or b
    scale: np.floating
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
    for i in range(exerted.size):
        work.field[i] = layer.fields[i] + layer.scale * exerted[i]
    uniform(layer.key, layer.first + k * layer.stride, work.draw)
    _draw(constants, work, up)
    if clamped is not None:
        for i in range(exerted.size):
            if clamped[k, i] != 0:
                up[i] = clamped[k, i] > 0
    pack(up, spins)


@kernel
def _draw_hidden_chain(k, exerted, layer, to_means, constants, spins):
    """Complete Jᵀσ of chain k by b, and draw new hidden spins at t times that; what they expect may take its place."""
    one = constants.one
    work = _work(exerted)
    up = np.empty(exerted.size, np.bool_)
    for mu in range(exerted.size):
        exerted[mu] += layer.fields[mu]
        work.field[mu] = layer.scale * exerted[mu]
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


def sweep(couplings, fields, hidden, place, scales=(1.0, 1.0), clamped=None, *, to_means=False):
    r"""One sweep of K chains: new spins, packed (K, ⌈N/8⌉), and the fields b + Jᵀσ (K, P) that they exert.

    With ``to_means`` the second is <h> = tanh t(b + Jᵀσ), what the visible spins make the hidden ones expect.

    ``couplings`` are `RealCouplings` or `OneBitCouplings`, ``fields`` a and b, all in single precision; ``hidden``
    (K, ⌈P/8⌉), the packed spins of the hidden units, is overwritten by new ones.  With ``scales`` s and t the spins are
    drawn at fields a + s J h, those of the hidden units at t (b + Jᵀσ).  Visible spins that are ±1 in ``clamped``
    (K, N), int8, stay so, those that are 0 there are free; the random numbers are drawn as without it.  The bits of the
    result depend on nothing but the arguments.
    """
    n_visible, n_hidden = couplings.shape
    a, b = fields
    constants = constants_of(np.dtype(np.float32))
    stride = words_a_sweep(n_visible, n_hidden)
    visible_scale, hidden_scale = np.float32(scales)

    # σ ~ P(σ|h)
    exerted = couplings.on_visible(hidden)
    spins = np.empty((len(hidden), -(-n_visible // 8)), np.uint8)
    layer = _Layer(a, visible_scale, place.key, place.first, stride)
    with numba_threads(len(exerted), exerted.size / GRAIN):
        _draw_visible(exerted, layer, clamped, constants, spins)

    # h ~ P(h|σ)
    exerted = couplings.on_hidden(spins)
    layer = _Layer(b, hidden_scale, place.key, place.first + words_of(n_visible), stride)
    with numba_threads(len(exerted), exerted.size / GRAIN):
        _draw_hidden(exerted, layer, to_means, constants, hidden)
    return spins, exerted


def relax(couplings, fields, hidden, n_sweeps, key):
    """So many sweeps of K chains, whose packed spins ``hidden`` (K, ⌈P/8⌉) are overwritten by those at the end.

    ``couplings`` and ``fields`` as `sweep` takes them; ``key`` is that of the random numbers.
    """
    words = len(hidden) * words_a_sweep(*couplings.shape)
    for n in range(n_sweeps):
        sweep(couplings, fields, hidden, Place(key, n * words))
