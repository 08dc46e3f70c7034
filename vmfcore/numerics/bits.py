"""Bits of packed spins, as `numpy.packbits` writes them along the rows: transposed, and compared."""

import numba
import numpy as np

from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel

GRAIN = 2**14  # bytes whose transposition is worth a thread
WORD_GRAIN = 2**15  # words whose comparison is worth a thread
BLOCK_ROWS = 16  # of a job


@kernel
def pack(up, bits):
    """Spins of a row, True where they are +1, as bits, the first the highest of its byte; zeros fill the last byte."""
    n_whole = up.size // 8
    for b in range(n_whole):
        byte = 0
        for k in range(8):
            byte = 2 * byte + up[8 * b + k]
        bits[b] = byte
    if bits.size > n_whole:
        byte = 0
        for i in range(8 * n_whole, up.size):
            byte = 2 * byte + up[i]
        bits[n_whole] = byte << (8 * bits.size - up.size)


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


def as_words(bits, n_spins):
    """Packed spins (M, ⌈N/8⌉) as 64-bit words (M, ⌈N/64⌉), with zeros behind the last spin."""
    words = np.zeros((len(bits), -(-n_spins // 64)), np.uint64)
    as_bytes = words.view(np.uint8)
    as_bytes[:, : bits.shape[1]] = bits
    if n_spins % 8:
        as_bytes[:, bits.shape[1] - 1] &= np.uint8(256 - (1 << (8 - n_spins % 8)))
    return words


@kernel
def count_ones(word):
    """How many bits of a word are 1: in pairs, fours and eights, whose sum a product collects; one instruction."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@kernel
def _count_ones_of_rows(bits, counts):
    """How many bits of every row are 1."""
    for n in range(len(bits)):
        row = bits[n]
        count = np.uint64(0)
        for j in range(row.size):
            count += count_ones(np.uint64(row[j]))
        counts[n] = count


def column_sums(transposed, n_rows):
    """Σ_a σ^a of packed spins, given by their transposed (N, ⌈M/8⌉) with zeros behind M: (N,) float64."""
    counts = np.empty(len(transposed))
    _count_ones_of_rows(transposed, counts)
    return 2 * counts - n_rows


@kernel
def _products_of_row(row, words, n_spins, scales, counts, out):
    """out = scales (n_spins - 2 counts) of one row of words with all columns."""
    counts[:] = 0
    for w in range(row.size):
        word = row[w]
        column_words = words[w]
        for c in range(counts.size):
            counts[c] += count_ones(word ^ column_words[c])
    for c in range(counts.size):
        out[c] = scales[c] * (n_spins - 2 * np.int64(counts[c]))


@parallel_kernel
def _one_bit_products(rows, words, n_spins, scales, out):
    """The same for all rows, in blocks that share the counts."""
    n_blocks = -(-len(rows) // BLOCK_ROWS)
    for block in numba.prange(n_blocks):
        counts = np.empty(out.shape[1], np.uint64)
        for a in range(BLOCK_ROWS * block, min(BLOCK_ROWS * (block + 1), len(rows))):
            _products_of_row(rows[a], words, n_spins, scales, counts, out[a])


def one_bit_products(bits, columns, n_spins, scales):
    r"""Products of packed rows with packed columns, each times its scale: scales_c Σ_i σ_ai ξ_ic.

    Parameters
    ----------
    bits : (M, ⌈N/8⌉) uint8 array
        σ; the bits beyond N do not count.
    columns : (C, ⌈N/8⌉) uint8 array
        ξ, a column a row.
    n_spins : int
        N.
    scales : (C,) float64 or float32 array

    Returns
    -------
    (M, C) array
        In the precision of the scales: Σ_i σ ξ = N - 2 popcount(σ xor ξ).

    Notes
    -----
    O(M C N/64).

    Examples
    --------
    >>> import numpy as np
    >>> spins = np.packbits(np.array([[1, 0, 1]]), axis=1)
    >>> one_bit_products(spins, spins, 3, np.array([0.5]))
    array([[1.5]])
    """
    words = np.ascontiguousarray(as_words(columns, n_spins).T)
    out = np.empty((len(bits), len(columns)), scales.dtype)
    with numba_threads(-(-len(bits) // BLOCK_ROWS), out.size * len(words) / WORD_GRAIN):
        _one_bit_products(as_words(bits, n_spins), words, n_spins, scales, out)
    return out
