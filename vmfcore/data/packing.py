"""Data as bits: eight spins a byte, in memory or in a file that is larger than it."""

from typing import NamedTuple

import numpy as np

from vmfcore import checks

BLOCK = 2**18  # spins packed at once: they stay in cache


class PackedSpins(NamedTuple):
    r"""Data σ as bits, eight spins a byte: an eighth of int8, and what `vmfcore.fit` works on.

    Parameters
    ----------
    bits : (M, ⌈N/8⌉) uint8 array
        As `numpy.packbits` writes ``spins > 0`` along the rows; the bits beyond N are ignored.  With
        ``np.load(path, mmap_mode="r")`` the data stay in a file, of which blocks of rows are read as they are needed.
    n_visible : int >= 1
        N.
    """

    bits: np.ndarray
    n_visible: int

    @property
    def shape(self):
        """(M, N)."""
        return len(self.bits), self.n_visible

    def take(self, samples):
        """The samples of a slice or of an index array."""
        return PackedSpins(np.ascontiguousarray(self.bits[samples]), self.n_visible)

    def dense(self, dtype=np.int8):
        """All spins as an (M, N) array of ±1."""
        bits = np.unpackbits(self.bits, axis=1, count=self.n_visible).view(np.int8)
        return (2 * bits - 1).astype(dtype, copy=False)


def pack_spins(spins):
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
    """
    if not isinstance(spins, PackedSpins):
        spins = checks.array((None, None), dtype=None, spins=spins)
        n_samples, n_visible = spins.shape
        bits = np.empty((n_samples, -(-n_visible // 8)), np.uint8)
        block = max(1, BLOCK // n_visible)
        for start in range(0, n_samples, block):
            part = spins[start : start + block]
            if not (np.abs(part) == 1).all():
                checks.spins(spins)  # names the first that is not ±1
            bits[start : start + block] = np.packbits(part > 0, axis=1)
        return PackedSpins(bits, n_visible)
    checks.integer(1, n_visible=spins.n_visible)
    bits, width = spins.bits, -(-spins.n_visible // 8)
    if not isinstance(bits, np.ndarray) or bits.dtype != np.uint8:
        raise TypeError(f"spins.bits must be an array of dtype uint8, got {getattr(bits, 'dtype', type(bits))}")
    if bits.ndim != 2 or bits.shape[1] != width or not len(bits):
        raise ValueError(f"spins.bits must have shape (any, {width}) for {spins.n_visible} spins, got {bits.shape}")
    return spins._replace(bits=np.ascontiguousarray(bits))


def total_spins(data):
    """Σ_a σ^a of packed data, (N,) float64."""
    rows = max(1, BLOCK // data.n_visible)
    blocks = range(0, len(data.bits), rows)
    return sum(data.take(slice(k, k + rows)).dense().sum(axis=0, dtype=np.float64) for k in blocks)


def pixel_fields(data):
    """Fields (N,) of independent pixels with the means of packed data, Laplace's one sample of each sign added."""
    return np.arctanh(total_spins(data) / (len(data.bits) + 2))
