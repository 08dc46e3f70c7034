"""Bits of packed spins, as `numpy.packbits` writes them along the rows: transposed, and compared."""

import numba
import numpy as np

from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel

GRAIN = 2**14  # bytes whose transposition is worth a thread


@kernel
def _read_word(bits, first, n_rows, j):
    """Byte j of up to eight rows of bits: row a in byte 7 - a of a word."""
    word = np.uint64(0)
    for a in range(n_rows):
        word |= np.uint64(bits[first + a, j]) << np.uint64(8 * (7 - a))
    return word


@kernel
def _transposed_word(word):
    """The eight by eight bits of a word, transposed: blocks of one, two and four bits change places."""
    for mask, shift in ((0x00AA00AA00AA00AA, 7), (0x0000CCCC0000CCCC, 14), (0x00000000F0F0F0F0, 28)):
        change = (word ^ (word >> np.uint64(shift))) & np.uint64(mask)
        word = word ^ change ^ (change << np.uint64(shift))
    return word


@kernel
def _write_word(word, transposed, first, n_rows, block):
    """The bytes of a word, the highest first, as one byte each of some rows of the transposed."""
    for k in range(n_rows):
        transposed[first + k, block] = np.uint8((word >> np.uint64(8 * (7 - k))) & np.uint64(255))


@parallel_kernel
def _transpose(bits, transposed):
    """Eight rows of eight bits at a time."""
    n_whole = len(bits) // 8
    n_left = len(bits) - 8 * n_whole
    for j in numba.prange(bits.shape[1]):
        if 8 * j + 8 <= len(transposed):
            # the loops over eight rows have a fixed length here, and are unrolled
            for block in range(n_whole):
                word = _transposed_word(_read_word(bits, 8 * block, 8, j))
                _write_word(word, transposed, 8 * j, 8, block)
        else:
            for block in range(n_whole):
                word = _transposed_word(_read_word(bits, 8 * block, 8, j))
                _write_word(word, transposed, 8 * j, len(transposed) - 8 * j, block)
        if n_left:
            word = _transposed_word(_read_word(bits, 8 * n_whole, n_left, j))
            _write_word(word, transposed, 8 * j, min(8, len(transposed) - 8 * j), n_whole)


def transpose(bits, n_columns):
    """The packed spins (N, ⌈M/8⌉) whose rows are the N columns of packed spins (M, ⌈N/8⌉); zeros fill the last byte.

    Examples
    --------
    >>> import numpy as np
    >>> transpose(np.array([[0b10100000], [0b01100000]], np.uint8), 3)
    array([[128],
           [ 64],
           [192]], dtype=uint8)
    """
    transposed = np.empty((n_columns, -(-len(bits) // 8)), np.uint8)
    with numba_threads(bits.shape[1], bits.size / GRAIN):
        _transpose(bits, transposed)
    return transposed


def column_sums(transposed, n_rows):
    """Σ_a σ^a of packed spins, given by their transposed (N, ⌈M/8⌉) with zeros behind M: (N,) float64."""
    return 2.0 * np.bitwise_count(transposed).sum(axis=1, dtype=np.int64) - n_rows
