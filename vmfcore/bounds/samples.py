r"""Sums over all samples of averages that depend on one field of each hidden unit: two products with the ±1 data.

Between the products every field is replaced by the derivative of its average.  Blocks of samples and the jobs within
them depend on the sizes of the problem alone, and their sums are added one after the other: the bits of the result do
not depend on the number of threads.
"""

from typing import NamedTuple

import numba
import numpy as np

from vmfcore.bounds.rows import GaussianGrid, gaussian_grid, gaussian_row, gaussian_work, reaction_row, reaction_work
from vmfcore.numerics.bits import column_sums, transpose
from vmfcore.numerics.blocks import IN_MEMORY, blocks
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.passes import column_dots
from vmfcore.numerics.products import multiply
from vmfcore.numerics.vectors import LANES, constants_of, lane_dot, lane_sum

TILE_COLUMNS = 16  # hidden units whose fields a job takes out of the product
TILE_ROWS = 512  # samples of a job: their fields and what is computed from them stay in the innermost cache
MIN_ROWS = 64  # samples of a block
MAX_ROWS = 2**14  # whose terms are added in the precision of the means
GRAIN = 2**12  # fields whose averages are worth a thread


class Columns(NamedTuple):
    """The C hidden units of all replicas, side by side."""

    means: np.ndarray  # (N, C), λ
    scales: np.ndarray  # (C,), β/√N
    variances: np.ndarray  # (C,) float64, β²Ξ²: what the synapses leave open of the fields
    hidden_fields: np.ndarray  # (C,), b


class Averages(NamedTuple):
    """How ln 2cosh and its derivatives are averaged over what the synapses leave open."""

    with_reaction: bool  # or else with a `GaussianGrid`
    with_value: bool
    variances: np.ndarray  # (C,), β²Ξ² in the precision of the means: what the reaction needs


# what each tile adds up over its samples, for every column: sums (C, tiles, 4) of the averages, of their second and of
# their first derivatives f_a, and of f_a times the field of the synapses
VALUE, SLOPE, MEAN, ENERGY = range(4)


class Totals(NamedTuple):
    """Sums over all samples, for every column."""

    values: np.ndarray  # (C,), of the averages
    slopes: np.ndarray  # (C,), of their second derivatives
    hidden_fields: np.ndarray  # (C,), of their first derivatives f_a
    energies: np.ndarray  # (C,), of f_a times the field of the synapses
    correlations: np.ndarray  # (N, C), Σ_a σ^a f_a
    spins: np.ndarray  # (N,), Σ_a σ^a


@kernel
def _read_tile(products, scales, first_column, tile):
    """The fields of the synapses of some columns, a column of products a row of the tile."""
    for a in range(tile.shape[1]):
        row = products[a]
        for c in range(len(tile)):
            tile[c, a] = scales[first_column + c] * row[first_column + c]


@kernel
def _write_tile(tile, first_column, products):
    """What became of the fields, back in their place."""
    for a in range(tile.shape[1]):
        row = products[a]
        for c in range(len(tile)):
            row[first_column + c] = tile[c, a]


@kernel
def _average_job(job, products, columns, averages, grid, constants, sums):
    """One tile, some columns of some samples: the first derivatives f of the averages, and the sums of the tile."""
    n_samples, n_columns = products.shape
    n_wide = -(-n_columns // TILE_COLUMNS)
    number = job // n_wide
    first_column = job % n_wide * n_columns // n_wide
    last_column = (job % n_wide + 1) * n_columns // n_wide
    rows = products[number * TILE_ROWS : min((number + 1) * TILE_ROWS, n_samples)]
    tile = np.empty((last_column - first_column, len(rows)), products.dtype)
    _read_tile(rows, columns.scales, first_column, tile)
    for_gaussian = gaussian_work(tile[0])
    for_reaction = reaction_work(tile[0])
    of_synapses = np.empty_like(tile[0])
    lanes = np.empty(LANES, tile.dtype)
    for k in range(len(tile)):
        c = first_column + k
        row = tile[k]
        for a in range(row.size):
            of_synapses[a] = row[a]
            row[a] += columns.hidden_fields[c]
        if averages.with_reaction:
            value, slope = reaction_row(row, averages.variances[c], constants, averages.with_value, for_reaction)
        else:
            value, slope = gaussian_row(row, grid.pairs[c], grid, constants, averages.with_value, for_gaussian)
        sums[c, number, VALUE] = value
        sums[c, number, SLOPE] = slope
        sums[c, number, MEAN] = lane_sum(row, lanes)
        sums[c, number, ENERGY] = lane_dot(row, of_synapses, lanes)
    _write_tile(tile, first_column, rows)


@parallel_kernel
def _average(products, columns, averages, grid, constants, sums):
    """Replace the products σλ (samples, C) by f, tile by tile."""
    n_wide = -(-products.shape[1] // TILE_COLUMNS)
    for job in numba.prange(sums.shape[1] * n_wide):
        _average_job(np.int64(job), products, columns, averages, grid, constants, sums)


def columns_of(means, betas, hidden_fields):
    """`Columns` of the means (R, N, P), with β and b of each column (C,)."""
    dtype = means.dtype
    n_visible = means.shape[-2]
    columns = np.ascontiguousarray(means.swapaxes(0, 1)).reshape(n_visible, -1)
    mean_squares = column_dots(columns, columns) / n_visible
    variances = np.maximum(betas**2 * (1 - mean_squares), 0.0)  # rounding
    return Columns(columns, (betas / np.sqrt(n_visible)).astype(dtype), variances, hidden_fields.astype(dtype))


def gaussian_averages(columns, with_value):
    """`Averages` over a Gaussian of each column's variance, and their grid."""
    dtype = columns.means.dtype
    averages = Averages(False, with_value, columns.variances.astype(dtype))
    return averages, gaussian_grid(np.sqrt(columns.variances), dtype)


def reaction_averages(columns, with_value):
    """`Averages` with the reaction of each sample on the synapses, and the grid that they do not need."""
    dtype = columns.means.dtype
    averages = Averages(True, with_value, columns.variances.astype(dtype))
    return averages, GaussianGrid(np.empty((0, 0), dtype), np.empty(0, dtype), 0, 0)


def sum_over_samples(data, columns, averages, grid):
    """`Totals` of the averages over all samples, a block of samples after the other."""
    n_visible, n_columns = columns.means.shape
    constants = constants_of(columns.means.dtype)
    totals = np.zeros((4, n_columns))
    spins = np.zeros(n_visible)
    correlations: np.ndarray | None = None
    for block in blocks(len(data.bits), max(n_columns, IN_MEMORY // MAX_ROWS), IN_MEMORY, MIN_ROWS):
        bits = data.bits[block]
        f = multiply(bits, columns.means)
        n_tiles = -(-len(bits) // TILE_ROWS)
        # the tiles are the last axis but one, so that numpy adds one after the other
        sums = np.empty((n_columns, n_tiles, 4))
        with numba_threads(n_tiles * -(-n_columns // TILE_COLUMNS), f.size / GRAIN):
            _average(f, columns, averages, grid, constants, sums)
        totals += sums.sum(axis=1).T
        transposed = transpose(bits, n_visible)
        spins += column_sums(transposed, len(bits))
        of_block = multiply(transposed, f)
        correlations = of_block if correlations is None else correlations + of_block
    values, slopes, of_fields, energies = totals
    assert correlations is not None, "there is a sample"
    return Totals(values, slopes, of_fields, energies, correlations, spins)
