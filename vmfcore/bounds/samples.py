r"""Sums over all samples of averages that depend on one field of each hidden unit: two matrix products a block.

Threads share the samples as jobs, whose number and blocks depend on the sizes of the problem alone, and the sums of the
jobs are added one after the other: the bits of the result do not depend on the number of threads.
"""

from typing import NamedTuple

import numba
import numpy as np

from vmfcore.bounds.rows import GaussianGrid, gaussian_grid, gaussian_row, gaussian_work, reaction_row, reaction_work
from vmfcore.numerics.blocks import IN_CACHE, IN_WIDE_PRODUCTS, rows_at_once
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.vectors import LANES, constants_of, lane_dot, lane_sum

WIDE = 32  # columns from which on larger blocks of unpacked spins serve them better
MIN_ROWS = 16  # samples of a block: fewer make no matrix product
MAX_ROWS = 512  # samples of a block: their fields and what is computed from them stay in the innermost cache
MAX_JOBS = 32  # sums over samples that are added at the end: their number must not depend on that of the threads
MIN_JOBS = 4  # of one block each, if they have MIN_SAMPLES
MIN_SAMPLES = 256
MAX_SUMMED = 2**25  # numbers in the gradients of all jobs
SCALE_GRAIN = 2**17  # synapses that are worth a thread
GRAIN = 2**20  # multiplications of a matrix product that are worth a thread
BYTES = 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) - 1.0  # the eight spins of a byte


class _Samples(NamedTuple):
    """The data, and in which portions they become spins."""

    bits: np.ndarray  # (M, bytes) uint8
    byte_spins: np.ndarray  # (256, 8), ±1 of every byte
    n_rows: int  # samples of a block


class Columns(NamedTuple):
    """The C hidden units of all replicas, as the matrix products want them."""

    couplings: np.ndarray  # (C, N'), β λ/√N, with zeros up to N' whole bytes of spins
    scales: np.ndarray  # (C,), β/√N
    variances: np.ndarray  # (C,) float64, β²Ξ²: what the synapses leave open of the fields
    hidden_fields: np.ndarray  # (C,), b


class Averages(NamedTuple):
    """How ln 2cosh and its derivatives are averaged over what the synapses leave open."""

    with_reaction: bool  # or else with a `GaussianGrid`
    with_value: bool
    variances: np.ndarray  # (C,), β²Ξ² in the precision of the couplings: what the reaction needs


class _Sums(NamedTuple):
    """What each job adds up over its samples a, for every column."""

    values: np.ndarray  # (C, jobs), of the averages
    slopes: np.ndarray  # (C, jobs), of their second derivatives
    means: np.ndarray  # (C, jobs), of their first derivatives f_a
    gradients: np.ndarray  # (jobs, C, N'), Σ_a σ^a f_a


class Totals(NamedTuple):
    """Sums over all samples, for every column."""

    values: np.ndarray  # (C,), of the averages
    slopes: np.ndarray  # (C,), of their second derivatives
    hidden_fields: np.ndarray  # (C,), of their first derivatives f_a
    gradient: np.ndarray  # (C, N), β/√N [Σ_a σ^a f_a - slope couplings]
    products: np.ndarray  # (C,), of the gradient with the means


@kernel
def _unpack(bits, byte_spins, out):
    """Spins ±1 of some samples; what fills the last byte is there, too."""
    for a in range(bits.shape[0]):
        for j in range(bits.shape[1]):
            byte = byte_spins[bits[a, j]]
            for k in range(8):
                out[a, 8 * j + k] = byte[k]


@parallel_kernel
def _scale(rows, scales, columns, norms):
    """columns = scales rows, with zeros at the end, and the sum of squares of every row."""
    n = rows.shape[1]
    for c in numba.prange(len(rows)):
        scale = scales[c]
        column = columns[c]
        for i in range(n):
            column[i] = scale * rows[c, i]
        column[n:] = 0
        norms[c] = lane_dot(column, column, np.empty(LANES, column.dtype))


@kernel
def _add_hidden_fields(fields, hidden_fields):
    """b of every column to its row of fields."""
    for c in range(len(fields)):
        if hidden_fields[c] != 0.0:
            for a in range(fields.shape[1]):
                fields[c, a] += hidden_fields[c]


@kernel
def _average_block(fields, averages, grid, constants, job, sums):
    """Replace the fields (C, samples) of a block by the first derivatives f of their averages; add to the sums."""
    for_gaussian = gaussian_work(fields[0])
    for_reaction = reaction_work(fields[0])
    lanes = np.empty(LANES, fields.dtype)
    with_value = averages.with_value
    for c in range(len(fields)):
        row = fields[c]
        if averages.with_reaction:
            value, slope = reaction_row(row, averages.variances[c], constants, with_value, for_reaction)
        else:
            value, slope = gaussian_row(row, grid.pairs[c], grid, constants, with_value, for_gaussian)
        sums.values[c, job] += value
        sums.slopes[c, job] += slope
        sums.means[c, job] += lane_sum(row, lanes)


@kernel
def _sum_job(job, samples, columns, averages, grid, constants, sums):
    """`_Sums` of one job, a block of samples after the other."""
    couplings = columns.couplings
    gradient = sums.gradients[job]
    n_jobs = len(sums.gradients)
    first = job * len(samples.bits) // n_jobs
    last = (job + 1) * len(samples.bits) // n_jobs
    for start in range(first, last, samples.n_rows):
        # fields b + β Σ_i λ_i σ_i/√N
        bits = samples.bits[start : min(start + samples.n_rows, last)]
        spins = np.empty((len(bits), couplings.shape[1]), couplings.dtype)
        _unpack(bits, samples.byte_spins, spins)
        fields = np.dot(couplings, spins.T)
        _add_hidden_fields(fields, columns.hidden_fields)
        # the derivatives f of their averages, and Σ_a σ^a f_a
        _average_block(fields, averages, grid, constants, job, sums)
        if start == first:
            np.dot(fields, spins, gradient)
        else:
            gradient += np.dot(fields, spins)


@parallel_kernel
def _run_jobs(samples, columns, averages, grid, constants, sums):
    """`_Sums` of all jobs."""
    for job in numba.prange(len(sums.gradients)):
        _sum_job(job, samples, columns, averages, grid, constants, sums)


@parallel_kernel
def _add_jobs(gradients, couplings, slopes, scales, out, products):
    """out = scales [Σ_jobs gradients - slopes couplings], with couplings/scales in products of every row."""
    for c in numba.prange(out.shape[0]):
        row = out[c]
        scale = scales[c]
        for i in range(row.size):
            row[i] = -slopes[c] * couplings[c, i]
        for job in range(gradients.shape[0]):
            part = gradients[job, c]
            for i in range(row.size):
                row[i] += part[i]
        products[c] = lane_dot(row, couplings[c], np.empty(LANES, row.dtype))
        for i in range(row.size):
            row[i] *= scale


def columns_of(data, means, betas, hidden_fields):
    """`Columns` of the means, with β and b of each column (C,)."""
    dtype = means.dtype
    n_visible = data.n_visible
    rows = np.swapaxes(means, -1, -2).reshape(-1, n_visible)
    scales = (betas / np.sqrt(n_visible)).astype(dtype)
    couplings = np.empty((len(rows), 8 * data.bits.shape[1]), dtype)
    norms = np.empty(len(rows))
    with numba_threads(len(rows), couplings.size / SCALE_GRAIN):
        _scale(rows, scales, couplings, norms)
    variances = np.maximum(betas**2 - norms, 0.0)  # rounding
    return Columns(couplings, scales, variances, hidden_fields.astype(dtype))


def gaussian_averages(columns, with_value):
    """`Averages` over a Gaussian of each column's variance, and their grid."""
    dtype = columns.couplings.dtype
    averages = Averages(False, with_value, columns.variances.astype(dtype))
    return averages, gaussian_grid(np.sqrt(columns.variances), dtype)


def reaction_averages(columns, with_value):
    """`Averages` with the reaction of each sample on the synapses, and the grid that they do not need."""
    dtype = columns.couplings.dtype
    averages = Averages(True, with_value, columns.variances.astype(dtype))
    return averages, GaussianGrid(np.empty((0, 0), dtype), np.empty(0, dtype), 0, 0)


def _job_sizes(n_samples, couplings):
    """How many samples a block has, and how many jobs there are."""
    n_columns, n_spins = couplings.shape
    size = IN_WIDE_PRODUCTS if n_columns >= WIDE else IN_CACHE
    n_rows = min(MAX_ROWS, rows_at_once(n_spins, size, MIN_ROWS))
    n_blocks = -(-n_samples // n_rows)
    n_jobs = max(n_blocks, min(MIN_JOBS, -(-n_samples // MIN_SAMPLES)))
    return n_rows, min(n_jobs, MAX_JOBS, max(2, MAX_SUMMED // couplings.size))


def sum_over_samples(data, columns, averages, grid):
    """`Totals` of the averages over all samples."""
    couplings = columns.couplings
    n_columns = len(couplings)
    dtype = couplings.dtype
    n_rows, n_jobs = _job_sizes(len(data.bits), couplings)
    # the kind of sum is the last axis, so that numpy adds one job after the other
    job_sums = np.zeros((n_columns, n_jobs, 3))
    gradients = np.empty((n_jobs, *couplings.shape), dtype)
    sums = _Sums(job_sums[..., 0], job_sums[..., 1], job_sums[..., 2], gradients)
    gradient = np.empty((n_columns, data.n_visible), dtype)
    products = np.empty(n_columns)
    samples = _Samples(data.bits, BYTES.astype(dtype), n_rows)
    constants = constants_of(dtype)
    with numba_threads(n_jobs, len(data.bits) * couplings.size / GRAIN):
        _run_jobs(samples, columns, averages, grid, constants, sums)
        values, slopes, of_fields = job_sums.sum(axis=1).T
        _add_jobs(sums.gradients, couplings, slopes.astype(dtype), columns.scales, gradient, products)
    return Totals(values, slopes, of_fields, gradient, products)
