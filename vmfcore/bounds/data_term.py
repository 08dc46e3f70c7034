r"""The data term Σ_aμ <ln 2cosh(b_μ + β_μ X_μ^a)>_Q, X_μ^a = Σ_i ξ_iμ σ_i^a/√N: Gaussian, exact, with a reaction.

Each function takes packed data of M spins σ^a, means (N, P) in [-1, 1] or (R, N, P) of R replicas, beta (a number, or
(R, P) of each hidden unit) and hidden fields (None or (R, P)); it returns the value in nats, of each replica, its
derivatives with respect to the means, in their shape and precision, and those to ln β and the hidden fields, (R, P).
Visible fields add a·Σ_a σ^a.
"""

from typing import NamedTuple

import numba
import numpy as np

from vmfcore.bounds.rows import gaussian_grid, gaussian_row, reaction_row
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.spins import log2cosh
from vmfcore.numerics.vectors import LANES, lane_dot, lane_sum, numbers

BLOCK, WIDE_BLOCK = 2**17, 2**19  # spins that a thread unpacks at once: they stay in cache, or serve WIDE columns
WIDE = 32
SCALE_GRAIN = 2**17  # synapses that are worth a thread
GRAIN = 2**20  # multiplications of a matrix product that are worth a thread
MAX_JOBS = 32  # sums over samples that are added at the end: their number must not depend on that of the threads
MAX_SUMMED = 2**25  # numbers in all of these sums
BYTES = 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) - 1.0  # the eight spins of a byte


class DataTerm(NamedTuple):
    """Value and derivatives of the data term; a leading axis R where the means have it."""

    value: np.ndarray  # nats
    gradient: np.ndarray  # (N, P), with respect to the means
    log_beta: np.ndarray  # (P,), with respect to ln β of each hidden unit
    hidden_fields: np.ndarray  # (P,)


@kernel
def _unpack(bits, table, out):
    """Spins ±1 of some samples; what fills the last byte is there, too."""
    for a in range(bits.shape[0]):
        for j in range(bits.shape[1]):
            byte = table[bits[a, j]]
            for k in range(8):
                out[a, 8 * j + k] = byte[k]


@parallel_kernel
def _scale(rows, scales, columns, norms):
    """columns = scales rows, with zeros at the end, and the sum of squares of every row."""
    n = rows.shape[1]
    for c in numba.prange(len(rows)):
        scale, column = scales[c], columns[c]
        for i in range(n):
            column[i] = scale * rows[c, i]
        column[n:] = 0
        norms[c] = lane_dot(column, column, np.empty(LANES, column.dtype))


@parallel_kernel
def _sum_over_samples(bits, columns, settings, weights, sizes, numbers, sums, gradients):
    """Three sums over samples a for every column c, and Σ_a σ^a f(b + columns·σ^a): a block after the other, in jobs.

    ``settings`` are (C, K): pairs of `gaussian_row`, or with K = 1 and no weights variances of `reaction_row`, the
    spins of a byte, and the fields b; ``sizes`` the samples of a block and the two reaches; ``sums`` is (C, jobs, 3):
    values, their slopes in the variance and in b; ``gradients`` (jobs, C, N').
    """
    table, offsets, n_jobs = settings[1], settings[2], gradients.shape[0]
    for job in numba.prange(n_jobs):
        first, last = job * len(bits) // n_jobs, (job + 1) * len(bits) // n_jobs
        lanes, own, index = np.empty(LANES), np.empty(LANES, columns.dtype), np.empty(sizes[0], np.int32)
        work = np.empty((5, sizes[0]), columns.dtype)
        for start in range(first, last, sizes[0]):
            block = bits[start : min(start + sizes[0], last)]
            spins = np.empty((len(block), columns.shape[1]), columns.dtype)
            _unpack(block, table, spins)
            fields = np.dot(columns, spins.T)
            for c in range(len(columns)):
                if offsets[c] != 0.0:
                    for a in range(len(block)):
                        fields[c, a] += offsets[c]
                if weights.size:
                    reach = sizes[1], sizes[2]
                    value, slope = gaussian_row(fields[c], settings[0][c], weights, reach, numbers, work, index, lanes)
                else:
                    value, slope = reaction_row(fields[c], settings[0][c, 0], numbers, work, index, lanes)
                sums[c, job, 0] += value
                sums[c, job, 1] += slope
                sums[c, job, 2] += lane_sum(fields[c], own)
            if start == first:
                np.dot(fields, spins, gradients[job])
            else:
                gradients[job] += np.dot(fields, spins)


@parallel_kernel
def _add_jobs(gradients, columns, slopes, scales, out, products):
    """out = scales [Σ_jobs gradients - slopes columns], with columns/scales in products of every row."""
    for c in numba.prange(out.shape[0]):
        row, scale = out[c], scales[c]
        for i in range(row.size):
            row[i] = -slopes[c] * columns[c, i]
        for job in range(gradients.shape[0]):
            part = gradients[job, c]
            for i in range(row.size):
                row[i] += part[i]
        products[c] = lane_dot(row, columns[c], np.empty(LANES, row.dtype))
        for i in range(row.size):
            row[i] *= scale


def _of_columns(x, means):
    """A number, or one of each hidden unit, as (columns,) float64 in the order of the columns of the means."""
    return np.full((*means.shape[:-2], means.shape[-1]), 0.0 if x is None else x, np.float64).ravel()


def _averages(data, means, beta, hidden_fields, reaction):
    """A data term whose averages are functions of the fields and of each column's width Ξ."""
    n_visible, dtype, n_samples = data.n_visible, means.dtype, len(data.bits)
    n_columns, betas = means.size // n_visible, _of_columns(beta, means)
    scales = (betas / np.sqrt(n_visible)).astype(dtype)
    columns, norms = np.empty((n_columns, 8 * data.bits.shape[1]), dtype), np.empty(n_columns)
    with numba_threads(n_columns, columns.size / SCALE_GRAIN):
        _scale(np.swapaxes(means, -1, -2).reshape(n_columns, n_visible), scales, columns, norms)
    variances = np.maximum(betas**2 - norms, 0.0)  # rounding
    if reaction:
        settings, weights, reach = variances[:, None].astype(dtype), np.empty(0, dtype), (0, 0)
    else:
        settings, weights, reach = gaussian_grid(np.sqrt(variances), dtype)
    block = WIDE_BLOCK if n_columns >= WIDE else BLOCK
    rows = min(512, max(16, block // columns.shape[1]))
    n_jobs = max(-(-n_samples // rows), min(4, -(-n_samples // 256)))
    n_jobs = min(n_jobs, MAX_JOBS, max(2, MAX_SUMMED // columns.size))
    sums, gradients = np.zeros((n_columns, n_jobs, 3)), np.empty((n_jobs, *columns.shape), dtype)
    with numba_threads(n_jobs, n_samples * columns.size / GRAIN):
        _sum_over_samples(
            data.bits,
            columns,
            (settings, BYTES.astype(dtype), _of_columns(hidden_fields, means).astype(dtype)),
            weights,
            (rows, *reach),
            numbers(dtype)[0],
            sums,
            gradients,
        )
        values, slopes, of_fields = sums.sum(axis=1).T
        gradient, products = np.empty((n_columns, n_visible), dtype), np.empty(n_columns)
        _add_jobs(gradients, columns, slopes.astype(dtype), scales, gradient, products)
    shape = (*means.shape[:-2], -1)
    gradient = np.swapaxes(gradient.reshape(*shape, n_visible), -1, -2)
    of_beta = (products + betas**2 * slopes).reshape(shape)
    value = values.reshape(shape).sum(axis=-1)
    return DataTerm(value, gradient, of_beta, of_fields.reshape(shape))


def gaussian(data, means, beta, hidden_fields=None):
    r"""X Gaussian, of mean Σ_i λ_i σ_i/√N and variance Ξ² = Σ_i (1 - λ_i²)/N: the central limit theorem.

    Parameters
    ----------
    data : PackedSpins
        (M, N).
    means : (..., N, P) float64 or float32 array in [-1, 1]
    beta : float or (..., P) array
    hidden_fields : (..., P) array or None

    Returns
    -------
    DataTerm
        The value to 1e-9 a term, or 2e-5 from float32; the gradient, in the precision of the means, to 1e-9, or 2e-5
        from float32, of what a sample can add, β/√N.

    Notes
    -----
    O(M N P): two matrix products, of blocks of data that stay in cache, and between them 17 nodes a field for βΞ <= 1
    (8 from float32), in proportion to βΞ above.  The Gaussian step is exact for |λ| = 1 and costs O(1/N) a term
    elsewhere.  The bits of the result do not depend on the number of threads.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (4).
    """
    return _averages(data, means, beta, hidden_fields, False)


@kernel
def _flip(values, p, out):
    """out[k] = p values[k + 1] + (1 - p) values[k]: the average over one more spin, up with probability p."""
    for k in range(out.size):
        out[k] = p * values[k + 1] + (1.0 - p) * values[k]


@parallel_kernel
def _poisson_binomial(spins, means, tables, slopes, others):
    """Averages of the tables (P, 3, N + 1), functions of the number of ξ_i σ_i = 1, for each sample and hidden unit.

    ``slopes`` (M, N, P) gets the derivatives of the first, ``others`` (M, P, 2) the averages of the other two.
    """
    n_samples, n_visible = spins.shape
    n_hidden = means.shape[1]
    values = np.zeros(n_samples)
    for a in numba.prange(n_samples):
        averages = np.empty((n_visible + 1, n_visible + 1))  # row i: given the number of ups among the first i spins
        weights = np.empty(n_visible + 1)
        for mu in range(n_hidden):
            averages[n_visible] = tables[mu, 0]
            for i in range(n_visible - 1, -1, -1):
                _flip(averages[i + 1], 0.5 * (1.0 + spins[a, i] * means[i, mu]), averages[i, : i + 1])
            values[a] += averages[0, 0]
            weights[:] = 0.0
            weights[0] = 1.0
            for i in range(n_visible):
                p, slope = 0.5 * (1.0 + spins[a, i] * means[i, mu]), 0.0
                for k in range(i + 1):
                    slope += weights[k] * (averages[i + 1, k + 1] - averages[i + 1, k])
                slopes[a, i, mu] = 0.5 * spins[a, i] * slope
                for k in range(i + 1, 0, -1):
                    weights[k] = (1.0 - p) * weights[k] + p * weights[k - 1]
                weights[0] *= 1.0 - p
            for k in range(2):
                total = 0.0
                for n in range(n_visible + 1):
                    total += weights[n] * tables[mu, 1 + k, n]
                others[a, mu, k] = total
    return values


def exact(data, means, beta, hidden_fields=None):
    r"""The average over Q itself: X takes N + 1 values, whose probabilities follow one spin after the other.

    Parameters
    ----------
    data, means, beta, hidden_fields
        As in `gaussian`.

    Returns
    -------
    DataTerm
        To rounding.

    Notes
    -----
    O(M N² P): of use for N up to some hundred.

    References
    ----------
    The Poisson binomial distribution by its recursion, R. E. Barlow, K. D. Heidtmann, IEEE Trans. Reliability 33, 322
    (1984); the gradient is its transpose.
    """
    n_visible, lead = data.n_visible, means.shape[:-2]
    scaled = (2.0 * np.arange(n_visible + 1) - n_visible) / np.sqrt(n_visible) * _of_columns(beta, means)[:, None]
    fields = scaled + _of_columns(hidden_fields, means)[:, None]
    tables = np.stack([log2cosh(fields), scaled * np.tanh(fields), np.tanh(fields)], axis=1)
    block = max(1, 2**21 // means.size)
    replicas = means.reshape(-1, *means.shape[-2:]).astype(np.float64)
    value, gradient = np.zeros(len(replicas)), np.zeros(replicas.shape)
    others = np.zeros((len(replicas), means.shape[-1], 2))
    for k, (replica, table) in enumerate(zip(replicas, np.split(tables, len(replicas)), strict=True)):
        for start in range(0, len(data.bits), block):
            part = data.take(slice(start, start + block)).dense(np.float64)
            slopes, averages = np.empty((len(part), *replica.shape)), np.empty((len(part), *others.shape[1:]))
            value[k] += _poisson_binomial(part, replica, table, slopes, averages).sum()
            gradient[k] += slopes.sum(axis=0)
            others[k] += averages.sum(axis=0)
    gradient = gradient.reshape(means.shape).astype(means.dtype, copy=False)
    return DataTerm(value.reshape(lead), gradient, *np.moveaxis(others, -1, 0).reshape(2, *lead, -1))


def calibrated(data, means, beta, hidden_fields=None):
    r"""With the reaction of each sample on the synapses that it informs; on planted data mean λ² is then the overlap.

    .. math::
        \sum_{a\mu} \operatorname*{ext}_r \Bigl[ H\bigl(\tfrac{1+r}{2}\bigr) + (b + \beta G) r
            + \tfrac{\beta^2\Xi^2}{2}(1 - r^2) \Bigr], \qquad r = \tanh(b + \beta G - \beta^2\Xi^2 r)

    Parameters
    ----------
    data, means, beta, hidden_fields
        As in `gaussian`.

    Returns
    -------
    DataTerm

    Notes
    -----
    The price of `gaussian`.  Data term, model term and KL then add up to the free entropy of Thouless, Anderson and
    Palmer: an estimate of the log-evidence, exact for N → ∞ at its stationary points on planted data with independent
    hidden units, and *not* a bound.  At λ = 0 it is stationary and curves upwards in no direction, whatever α is, so
    that a climb must not start there.

    References
    ----------
    Derived here as the second-order Plefka expansion in the couplings of synapses and hidden units; with time indices
    it is the algorithm of Huang & Toyoizumi, arXiv:1608.03714.
    """
    return _averages(data, means, beta, hidden_fields, True)


DATA_TERMS = {"gaussian": gaussian, "exact": exact, "calibrated": calibrated}
