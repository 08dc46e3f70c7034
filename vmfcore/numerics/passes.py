"""Passes over all numbers of a matrix, in blocks on all threads: sums of its columns, its transposed, tanh."""

import numba
import numpy as np

from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.vectors import constants_of, tanh

BLOCK_ROWS = 32  # whose terms are added in the precision of the matrix, before they go on in double precision
TILE = 16  # rows and columns of a matrix that are turned over at once: a cache line of each
GRAIN = 2**15  # numbers that are worth a thread
TANH_GRAIN = 2**13  # the same, if their tanh is wanted


@kernel
def _products_of_block(vectors, first, rows, sums):
    """Σ_n v_n x_nc of some rows x from row ``first`` on, for each of the vectors."""
    for k in range(len(vectors)):
        vector = vectors[k]
        in_precision = np.zeros_like(rows[0])
        for n in range(len(rows)):
            row = rows[n]
            number = vector[first + n]
            for c in range(in_precision.size):
                in_precision[c] += number * row[c]
        sums[k] = in_precision


@parallel_kernel
def _column_products(vectors, matrix, sums):
    """The same for all rows, of each block of rows."""
    for block in numba.prange(len(sums)):
        first = BLOCK_ROWS * block
        _products_of_block(vectors, first, matrix[first : first + BLOCK_ROWS], sums[block])


def column_products(vectors, matrix):
    """Σ_n v_kn x_nc of vectors (K, N) and a matrix (N, C) of one precision, contiguous: (K, C) float64.

    Examples
    --------
    >>> import numpy as np
    >>> column_products(np.array([[1.0, 10.0]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[31., 42.]])
    """
    sums = np.empty((-(-len(matrix) // BLOCK_ROWS), len(vectors), matrix.shape[1]))
    with numba_threads(len(sums), matrix.size / GRAIN):
        _column_products(vectors, matrix, sums)
    return sums.sum(axis=0)


@kernel
def _dots_of_block(x, y, sums):
    """Σ x y of every column of a few rows."""
    in_precision = np.zeros_like(x[0])
    for n in range(len(x)):
        x_row = x[n]
        y_row = y[n]
        for c in range(in_precision.size):
            in_precision[c] += x_row[c] * y_row[c]
    for c in range(in_precision.size):
        sums[c] = in_precision[c]


@parallel_kernel
def _column_dots(x, y, sums):
    """Σ x y of every column, of each block of rows."""
    for block in numba.prange(len(sums)):
        rows = slice(BLOCK_ROWS * block, min(BLOCK_ROWS * (block + 1), len(x)))
        _dots_of_block(x[rows], y[rows], sums[block])


def column_dots(x, y):
    """Σ_n x_nc y_nc of two matrices (N, C) of one precision, contiguous: (C,) float64.

    Examples
    --------
    >>> import numpy as np
    >>> column_dots(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 2)))
    array([4., 6.])
    """
    sums = np.empty((-(-len(x) // BLOCK_ROWS), x.shape[1]))
    with numba_threads(len(sums), x.size / GRAIN):
        _column_dots(x, y, sums)
    return sums.sum(axis=0)


@kernel
def _turn_over_tile(matrix, first_row, n_rows, first_column, n_columns, out):
    """The transposed of some rows and columns."""
    for c in range(n_columns):
        row = out[first_column + c]
        for n in range(n_rows):
            row[first_row + n] = matrix[first_row + n, first_column + c]


@parallel_kernel
def _turn_over(matrix, out):
    """The transposed, tile by tile."""
    n_rows, n_columns = matrix.shape
    n_whole = n_rows - n_rows % TILE
    for tile in numba.prange(-(-n_columns // TILE)):
        column = TILE * tile
        width = min(TILE, n_columns - column)
        if width == TILE:
            # loops of a fixed length, which are unrolled
            for row in range(0, n_whole, TILE):
                _turn_over_tile(matrix, row, TILE, column, TILE, out)
        else:
            _turn_over_tile(matrix, 0, n_whole, column, width, out)
        _turn_over_tile(matrix, n_whole, n_rows - n_whole, column, width, out)


def turned_over(matrix):
    """The transposed of a contiguous matrix, contiguous."""
    out = np.empty(matrix.shape[::-1], matrix.dtype)
    with numba_threads(-(-matrix.shape[1] // TILE), matrix.size / GRAIN):
        _turn_over(matrix, out)
    return out


@kernel
def _shifted_tanh(x, shift, constants):
    """Replace a row x by tanh(x + shift)."""
    for c in range(x.size):
        x[c] += shift[c]
    tanh(x, constants, x)


@parallel_kernel
def _tanh(matrix, shift, constants):
    """The same for every row."""
    for n in numba.prange(len(matrix)):
        _shifted_tanh(matrix[n], shift, constants)


def to_tanh(matrix, shift):
    """Replace the rows x of a contiguous matrix by tanh(x + shift), with a shift (C,); returns the matrix."""
    with numba_threads(len(matrix), matrix.size / TANH_GRAIN):
        _tanh(matrix, shift.astype(matrix.dtype), constants_of(matrix.dtype))
    return matrix
