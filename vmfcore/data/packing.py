"""Data as bits: eight spins a byte, in memory or in a file that is larger than it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from vmfcore import checks
from vmfcore.numerics.bits import column_sums, transpose
from vmfcore.numerics.blocks import IN_MEMORY, IN_SHARED_CACHE, blocks, rows_at_once


class PackedSpins(NamedTuple):
    r"""Data σ as bits, eight spins a byte: an eighth of int8, and what `vmfcore.fit` works on.

    Parameters
    ----------
    bits : (M, ⌈N/8⌉) uint8 array
        As `numpy.packbits` writes ``spins > 0`` along the rows; the bits beyond N are ignored.  With
        ``np.load(path, mmap_mode="r")`` the data stay in a file, of which blocks of rows are read as they are needed.
    n_visible : int >= 1
        N.

    Examples
    --------
    >>> import numpy as np
    >>> data = PackedSpins(np.array([[0b10100000], [0b01100000]], np.uint8), n_visible=3)
    >>> data.dense()
    array([[ 1, -1,  1],
           [-1,  1,  1]], dtype=int8)
    """

    bits: np.ndarray
    n_visible: int

    @property
    def shape(self) -> tuple[int, int]:
        """(M, N)."""
        return len(self.bits), self.n_visible

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All spins, as numpy asks for them."""
        if copy is False:
            raise ValueError("copy must not be False: packed spins become an array by a copy")
        return self.dense(np.int8 if dtype is None else dtype)

    def take(self, samples: slice | np.ndarray) -> "PackedSpins":
        """The samples of a slice or of an index array."""
        return PackedSpins(np.ascontiguousarray(self.bits[samples]), self.n_visible)

    def dense(self, dtype: Any = np.int8) -> np.ndarray:
        """All spins as an (M, N) array of ±1."""
        bits = np.unpackbits(self.bits, axis=1, count=self.n_visible).view(np.int8)
        return (2 * bits - 1).astype(dtype, copy=False)

    def blocks(self, dtype: Any = np.int8, size: int | None = None) -> Iterator[np.ndarray]:
        """All spins in their order, as dense arrays of ±1 of ``size`` samples each; the last may hold fewer.

        Parameters
        ----------
        dtype : dtype
            Of the arrays.
        size : int >= 1 or None
            None: as many samples as stay in cache.

        Yields
        ------
        (size, N) array

        Examples
        --------
        >>> data = pack_spins(np.ones((5, 3)))
        >>> [block.shape for block in data.blocks(size=2)]
        [(2, 3), (2, 3), (1, 3)]
        """
        if size is None:
            size = rows_at_once(self.n_visible, IN_SHARED_CACHE)
        for start in range(0, len(self.bits), size):
            yield self.take(slice(start, start + size)).dense(dtype)


def pack_spins(spins: Any) -> PackedSpins:
    """Pack data into bits.

    Parameters
    ----------
    spins : (M, N) array, ±1, or PackedSpins

    Returns
    -------
    PackedSpins
        Of what was packed already, the same bits.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Examples
    --------
    >>> pack_spins([[1, -1, 1], [-1, 1, 1]]).bits
    array([[160],
           [ 96]], dtype=uint8)
    """
    if isinstance(spins, PackedSpins):
        return check_packed(spins)
    spins = checks.array((None, None), dtype=None, spins=spins)
    n_samples, n_visible = spins.shape
    bits = np.empty((n_samples, _n_bytes(n_visible)), np.uint8)
    # block by block: an array in a file may be larger than memory
    size = rows_at_once(n_visible, IN_SHARED_CACHE)
    for start in range(0, n_samples, size):
        block = spins[start : start + size]
        if not checks.are_spins(block):
            checks.refuse_spins("spins", spins)  # of the whole, for the index of the first that is not ±1
        bits[start : start + size] = np.packbits(block > 0, axis=1)
    return PackedSpins(bits, n_visible)


def check_packed(data, name="spins"):
    """Packed spins with contiguous bits, or the error that says what is wrong with them."""
    checks.integer(1, n_visible=data.n_visible)
    bits = data.bits
    if not isinstance(bits, np.ndarray) or bits.dtype != np.uint8:
        raise TypeError(f"{name}.bits must be an array of dtype uint8, got {getattr(bits, 'dtype', type(bits))}")
    width = _n_bytes(data.n_visible)
    if bits.ndim != 2 or bits.shape[1] != width or not len(bits):
        raise ValueError(f"{name}.bits must have shape (any, {width}) for {data.n_visible} spins, got {bits.shape}")
    return data._replace(bits=np.ascontiguousarray(bits))


def _n_bytes(n_visible):
    return -(-n_visible // 8)


def total_spins(data: PackedSpins) -> np.ndarray:
    """Σ_a σ^a of packed data, (N,) float64.

    Examples
    --------
    >>> total_spins(pack_spins([[1, -1, 1], [-1, -1, 1]]))
    array([ 0., -2.,  2.])
    """
    total = np.zeros(data.n_visible)
    for block in blocks(len(data.bits), data.n_visible, IN_MEMORY):
        bits = data.bits[block]
        total += column_sums(transpose(bits, data.n_visible), len(bits))
    return total


def pixel_fields(data: PackedSpins) -> np.ndarray:
    r"""Fields artanh(Σ_a σ^a / (M + 2)) of independent pixels that have the means of packed data, (N,) float64.

    The 2 is Laplace's: one more sample of each sign, so that a pixel that never changes has a finite field.

    Examples
    --------
    >>> np.tanh(pixel_fields(pack_spins([[1, -1, 1], [-1, -1, 1]])))
    array([ 0. , -0.5,  0.5])
    """
    return np.arctanh(total_spins(data) / (len(data.bits) + 2))
