r"""Products of ±1 spins, kept as bits, with real matrices: additions of tabulated sums, no multiplication.

Of every four rows w of the matrix a table holds the sixteen sums ±w_1 ±w_2 ±w_3 ±w_4, so that a row of spins takes
one addition where a matrix product takes four multiplications and additions:

.. math::
    (\sigma W)_{ac} = \sum_g T_g[\text{the four spins of sample } a \text{ in group } g]_c

Every number of the product is added up in the order of the groups, the two of a byte first, whatever the processor,
the number of threads and the blocks are: the same bits everywhere.

References
----------
V. L. Arlazarov, E. A. Dinic, M. A. Kronrod, I. A. Faradzev, Dokl. Akad. Nauk SSSR 194, 487 (1970): for Boolean
matrices.
"""

import numba
import numpy as np

from vmfcore.numerics import simd
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.simd import add, load, n_lanes, store, subtract

N_VECTORS = 4  # of the columns of a chunk, which stay in registers while all groups of a row are added
BYTES_AT_ONCE = 6  # of spins: the tables of their twelve groups are 48 KB
NARROW_BYTES_AT_ONCE = 16  # the same for one vector of columns, in the first cache
MAX_ROWS = 1024  # of a job
GRAIN = 2**19  # products of a spin and a number that are worth a thread


@kernel
def _chunk(array):
    """How many columns of an array are one chunk."""
    return N_VECTORS * n_lanes(array)


@kernel
def _aligned(size, like):
    """A new array that begins where a cache line does: a vector that crosses two takes twice as long."""
    per_line = n_lanes(like)
    array = np.empty(size + per_line, like.dtype)
    start = -(array.ctypes.data // array.itemsize) % per_line
    return array[start : start + size]


@kernel
def _store_sums(half, sum_34, difference_34, tables, start, width):
    """The four sums of four rows that begin with a given sum of the first two."""
    store(tables, start, subtract(half, sum_34))
    store(tables, start + width, subtract(half, difference_34))
    store(tables, start + 2 * width, add(half, difference_34))
    store(tables, start + 3 * width, add(half, sum_34))


@kernel
def _build_tables(matrix, stride, width, tables):
    """The signed sums of the four rows of every group, of some columns; rows are ``stride`` apart in the matrix."""
    lanes = n_lanes(tables)
    for group in range(-(-matrix.size // (4 * stride))):
        for column in range(0, width, lanes):
            first = 4 * group * stride + column
            w1 = load(matrix, first)
            w2 = load(matrix, first + stride)
            w3 = load(matrix, first + 2 * stride)
            w4 = load(matrix, first + 3 * stride)
            zero = subtract(w1, w1)
            sum_12 = add(w1, w2)
            difference_12 = subtract(w1, w2)
            sum_34 = add(w3, w4)
            difference_34 = subtract(w3, w4)
            # the first spin is the highest bit of an index
            out = 16 * group * width + column
            _store_sums(subtract(zero, sum_12), sum_34, difference_34, tables, out, width)
            _store_sums(subtract(zero, difference_12), sum_34, difference_34, tables, out + 4 * width, width)
            _store_sums(difference_12, sum_34, difference_34, tables, out + 8 * width, width)
            _store_sums(sum_12, sum_34, difference_34, tables, out + 12 * width, width)


@kernel
def _load_four(array, start):
    """Four vectors, one behind the other."""
    lanes = n_lanes(array)
    x1 = load(array, start)
    x2 = load(array, start + lanes)
    x3 = load(array, start + 2 * lanes)
    return x1, x2, x3, load(array, start + 3 * lanes)


@kernel
def _store_four(array, start, vectors):
    """Put four vectors into an array, one behind the other."""
    lanes = n_lanes(array)
    store(array, start, vectors[0])
    store(array, start + lanes, vectors[1])
    store(array, start + 2 * lanes, vectors[2])
    store(array, start + 3 * lanes, vectors[3])


@kernel
def _add_tables(bits, first_byte, n_bytes, tables, is_first, product, start, stride):
    """Add to the rows of one chunk of the product what the tables hold for some bytes of spins, two groups a byte."""
    chunk = _chunk(tables)
    lanes = n_lanes(tables)
    x1 = x2 = x3 = x4 = subtract(load(tables, 0), load(tables, 0))
    zero = x1
    for a in range(bits.shape[0]):
        first = start + a * stride
        if is_first:
            x1 = x2 = x3 = x4 = zero
        else:
            x1, x2, x3, x4 = _load_four(product, first)
        table = 0
        for b in range(first_byte, first_byte + n_bytes):
            byte = np.intp(bits[a, b])
            high = table + (byte >> 4) * chunk
            low = table + (16 + (byte & 15)) * chunk
            # a sum waits for the one before it: the two groups of a byte are added first
            x1 = add(x1, add(load(tables, high), load(tables, low)))
            x2 = add(x2, add(load(tables, high + lanes), load(tables, low + lanes)))
            x3 = add(x3, add(load(tables, high + 2 * lanes), load(tables, low + 2 * lanes)))
            x4 = add(x4, add(load(tables, high + 3 * lanes), load(tables, low + 3 * lanes)))
            table += 32 * chunk
        _store_four(product, first, (x1, x2, x3, x4))


@kernel
def _last_rows(matrix, n_rows, first_column, chunk):
    """The last rows of a matrix, fewer than eight, with rows of zeros below: one chunk of columns."""
    rows = _aligned(8 * chunk, matrix)
    rows[:] = 0
    n_before = len(matrix) - n_rows
    for i in range(n_rows):
        for p in range(chunk):
            rows[i * chunk + p] = matrix[n_before + i, first_column + p]
    return rows


@kernel
def _multiply_chunk(bits, matrix, first_column, product, start, stride):
    """One chunk of columns of the product, all rows, into ``product`` from ``start`` on."""
    chunk = _chunk(matrix)
    n_rows, n_columns = matrix.shape
    n_whole = n_rows // 8
    tables = _aligned(32 * chunk * BYTES_AT_ONCE, matrix)
    for byte in range(0, n_whole, BYTES_AT_ONCE):
        end = min(byte + BYTES_AT_ONCE, n_whole)
        _build_tables(matrix[8 * byte : 8 * end].ravel()[first_column:], n_columns, chunk, tables)
        _add_tables(bits, byte, end - byte, tables, byte == 0, product, start, stride)
    n_left = n_rows - 8 * n_whole
    if n_left:
        _build_tables(_last_rows(matrix, n_left, first_column, chunk), chunk, chunk, tables)
        _add_tables(bits, n_whole, 1, tables, n_whole == 0, product, start, stride)


@parallel_kernel
def _multiply(bits, matrix, n_blocks, product):
    """σ W: blocks of rows and chunks of columns, of which the last begins so early that it is whole, too."""
    chunk = _chunk(matrix)
    n_rows, n_columns = product.shape
    n_chunks = -(-n_columns // chunk)
    for job in numba.prange(n_blocks * n_chunks):
        block = job // n_chunks
        own_column = chunk * (job % n_chunks)
        first_column = min(own_column, n_columns - chunk)
        first = block * n_rows // n_blocks
        last = (block + 1) * n_rows // n_blocks
        rows = bits[first:last]
        if first_column == own_column:
            _multiply_chunk(rows, matrix, first_column, product.ravel(), first * n_columns + first_column, n_columns)
        else:
            whole = _aligned((last - first) * chunk, matrix)
            _multiply_chunk(rows, matrix, first_column, whole, 0, chunk)
            _copy_columns(whole.reshape(-1, chunk), own_column - first_column, product[first:last], own_column)


@kernel
def _copy_columns(source, first_source, target, first_target):
    """The columns of one array from ``first_source`` on, to those of another."""
    for a in range(len(target)):
        for p in range(target.shape[1] - first_target):
            target[a, first_target + p] = source[a, first_source + p]


@kernel
def _add_tables_of_four(bits, tables, is_first, product):
    """The same for one vector of columns: four rows at a time, since a sum waits for the one before it."""
    lanes = n_lanes(tables)
    last = len(bits) - 1
    x1 = x2 = x3 = x4 = subtract(load(tables, 0), load(tables, 0))
    zero = x1
    for a in range(0, len(bits), 4):
        first = a * lanes
        if is_first:
            x1 = x2 = x3 = x4 = zero
        else:
            x1, x2, x3, x4 = _load_four(product, first)
        table = 0
        for b in range(bits.shape[1]):
            byte1 = np.intp(bits[a, b])
            byte2 = np.intp(bits[min(a + 1, last), b])
            byte3 = np.intp(bits[min(a + 2, last), b])
            byte4 = np.intp(bits[min(a + 3, last), b])
            low = table + 16 * lanes
            x1 = add(x1, add(load(tables, table + (byte1 >> 4) * lanes), load(tables, low + (byte1 & 15) * lanes)))
            x2 = add(x2, add(load(tables, table + (byte2 >> 4) * lanes), load(tables, low + (byte2 & 15) * lanes)))
            x3 = add(x3, add(load(tables, table + (byte3 >> 4) * lanes), load(tables, low + (byte3 & 15) * lanes)))
            x4 = add(x4, add(load(tables, table + (byte4 >> 4) * lanes), load(tables, low + (byte4 & 15) * lanes)))
            table += 32 * lanes
        _store_four(product, first, (x1, x2, x3, x4))


@parallel_kernel
def _multiply_narrow(bits, matrix, n_blocks, product):
    """σ W for a matrix of one vector of columns, with zeros up to whole bytes of rows; four spare rows of product."""
    lanes = matrix.shape[1]
    n_rows = len(bits)
    for block in numba.prange(n_blocks):
        first = 4 * (block * n_rows // (4 * n_blocks))
        last = 4 * ((block + 1) * n_rows // (4 * n_blocks)) if block + 1 < n_blocks else n_rows
        tables = _aligned(32 * lanes * NARROW_BYTES_AT_ONCE, matrix)
        out = product[first : last + 4].ravel()
        for byte in range(0, bits.shape[1], NARROW_BYTES_AT_ONCE):
            end = min(byte + NARROW_BYTES_AT_ONCE, bits.shape[1])
            _build_tables(matrix[8 * byte : 8 * end].ravel(), lanes, lanes, tables)
            _add_tables_of_four(bits[first:last, byte:end], tables, byte == 0, out)


def _n_blocks(n_rows, n_chunks):
    """Blocks of rows: at least two where there is only one chunk of columns, since there are often two threads."""
    return max(-(-n_rows // MAX_ROWS), 2 if n_chunks == 1 and n_rows >= 16 else 1)


def _padded(matrix, n_rows, n_columns):
    """The matrix with zeros below and to the right."""
    padded = np.zeros((n_rows, n_columns), matrix.dtype)
    padded[: len(matrix), : matrix.shape[1]] = matrix
    return padded


def multiply(bits, matrix):
    r"""σ W of packed spins and a real matrix.

    Parameters
    ----------
    bits : (M, ⌈N/8⌉) uint8 array
        σ, as `numpy.packbits` writes ``spins > 0`` along the rows; the bits beyond N do not count.
    matrix : (N, C) float64 or float32 array, contiguous
        W.

    Returns
    -------
    (M, C) array
        In the precision of the matrix: every number within N roundings of the largest partial sum.

    Notes
    -----
    M N C/4 additions, and 4 N C for each block of 1024 samples that build the tables.

    Examples
    --------
    >>> import numpy as np
    >>> spins = np.array([[1, -1, 1], [-1, -1, 1]])
    >>> multiply(np.packbits(spins > 0, axis=1), np.array([[1.0], [2.0], [4.0]]))
    array([[3.],
           [1.]])
    """
    n_samples = len(bits)
    n_columns = matrix.shape[1]
    lanes = simd.BYTES // matrix.itemsize
    chunk = N_VECTORS * lanes
    n_chunks = -(-n_columns // chunk)
    n_blocks = _n_blocks(n_samples, n_chunks)
    with numba_threads(n_blocks * n_chunks, n_samples * matrix.size / GRAIN):
        if n_columns <= lanes:
            product = np.empty((n_samples + 4, lanes), matrix.dtype)
            _multiply_narrow(bits, _padded(matrix, 8 * bits.shape[1], lanes), n_blocks, product)
            return np.ascontiguousarray(product[:n_samples, :n_columns])
        if n_columns < chunk:
            matrix = _padded(matrix, len(matrix), chunk)
        product = np.empty((n_samples, matrix.shape[1]), matrix.dtype)
        _multiply(bits, matrix, n_blocks, product)
    return product if n_columns >= chunk else np.ascontiguousarray(product[:, :n_columns])
