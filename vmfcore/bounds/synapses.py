"""Functions of all synapses at once: the entropy of Q, and the couplings of the annealed dual network.

Synapses come as columns (C, N): one hidden unit a row, in the order in which the matrix products want them.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from vmfcore.numerics.jit import numba_threads, parallel_kernel
from vmfcore.numerics.vectors import LANES, LARGEST, lane_dot, lane_sum, log, numbers, sum_of_logs

GRAIN = 2**13  # synapses that are worth a thread
CUT = {
    np.dtype(np.float64): 1e-18,
    np.dtype(np.float32): 1e-9,
}  # of probabilities; a decided synapse has 6e-7 nats in single precision, by rounding


@parallel_kernel
def _entropies(columns, cut, reach, constants, integers, sums):
    """-Σ p ln p + q ln q, p and q = (1 ± λ)/2, as N ln 2 - Σ [ln(4pq) + λ ln(p/q)]/2 of every row."""
    for c in numba.prange(len(columns)):
        means, lanes = columns[c], np.empty(LANES)
        ratio, inverse, logs = np.empty_like(means), np.empty_like(means), np.empty_like(means)
        one, two = constants[0], constants[0] + constants[0]
        for i in range(means.size):
            up, down = max(one + means[i], cut), max(one - means[i], cut)
            ratio[i], inverse[i] = up / down, one / (up * down)
        log(ratio, constants, integers, logs)
        for i in range(means.size):
            logs[i] *= means[i] / two
        sums[c] = means.size * math.log(2.0) + 0.5 * sum_of_logs(inverse, reach, lanes) - lane_sum(logs, lanes)


def total_entropy(means):
    """Entropy of Q in nats, of synapses (..., N, P) of each replica; summed in double precision."""
    columns = np.ascontiguousarray(np.swapaxes(means, -1, -2))
    exponential, *logarithm = numbers(means.dtype)
    cut = CUT[means.dtype]
    reach = (int(exponential[5] / -math.log(cut)), int(math.log(LARGEST) / -math.log(cut)))
    sums = np.empty(columns.shape[:-1])
    rows = columns.reshape(-1, columns.shape[-1])
    with numba_threads(len(rows), rows.size / GRAIN):
        _entropies(rows, means.dtype.type(2 * cut), reach, *logarithm, sums.ravel())
    return sums.sum(axis=-1)


@parallel_kernel
def _dual_couplings(columns, scalars, reach, constants, integers, couplings, inverse_slack, sums):
    """J with tanh J = λt, 1/(1 - λ²t²), and Σ ln(1 - λ²t²) and Σ J² of every row.

    ``scalars`` are e = exp(-2β/√N) and (1 + e)² of every row.
    """
    for c in numba.prange(len(columns)):
        means, ratio, lanes = columns[c], np.empty_like(columns[c]), np.empty(LANES)
        inverse, one, edge, scale = inverse_slack[c], constants[0], scalars[0, c], scalars[1, c]
        for i in range(means.size):
            up, down = one + means[i], one - means[i]
            plus, minus = up + down * edge, down + up * edge  # (1 ± λt)(1 + e): nothing cancels at λ = ±1
            ratio[i], inverse[i] = plus / minus, scale / (plus * minus)
        log(ratio, constants, integers, couplings[c])
        for i in range(means.size):
            couplings[c, i] /= one + one
            ratio[i] = couplings[c, i] * couplings[c, i]
        sums[1, c] = lane_sum(ratio, lanes)
        ratio[:] = inverse
        sums[0, c] = -sum_of_logs(ratio, reach, lanes)


def dual_couplings(columns, scales):
    """Of replicas (R, P, N) couplings J and 1/(1 - λ²t²), Σ ln(1 - λ²t²) and norms (Σ_i J²)^½; t = tanh(scales).

    ``scales`` (R, P) are β/√N of each hidden unit.
    """
    exponential, *logarithm = numbers(columns.dtype)
    edges = np.exp(-2 * scales).astype(columns.dtype)
    squares = (1 + edges) ** 2
    rounding = np.log(squares, dtype=np.float64) - 2 * np.log1p(edges, dtype=np.float64)  # the same in a row's terms
    largest = 2 * scales.max() + 1
    reach = (int(exponential[5] / largest), int(math.log(LARGEST) / largest))
    couplings, inverse_slack = np.empty((2, *columns.shape), columns.dtype)
    rows, sums = (-1, columns.shape[-1]), np.empty((2, *columns.shape[:-1]))
    outputs = couplings.reshape(rows), inverse_slack.reshape(rows), sums.reshape(2, -1)
    scalars = np.array([edges.ravel(), squares.ravel()])
    with numba_threads(columns.size // rows[1], columns.size / GRAIN):
        _dual_couplings(columns.reshape(rows), scalars, reach, *logarithm, *outputs)
    log_slack = (sums[0] + columns.shape[-1] * rounding).sum(axis=-1)
    return couplings, inverse_slack, log_slack, np.sqrt(sums[1])


@parallel_kernel
def _annealed_gradient(columns, t, inverse_slack, correlations, products):
    """Overwrite C with t (C - λt)/(1 - λ²t²); products with λ of every row."""
    for c in numba.prange(len(columns)):
        own = t[c]
        for i in range(columns.shape[1]):
            correlations[c, i] = own * (correlations[c, i] - columns[c, i] * own) * inverse_slack[c, i]
        products[c] = lane_dot(columns[c], correlations[c], np.empty(LANES, columns.dtype))


def annealed_gradient(columns, t, inverse_slack, correlations):
    """G = t (C - λt)/(1 - λ²t²) of columns (R, P, N), t (R, P) and correlations (R, N, P), which may be overwritten.

    Also Σ_i λ_iμ G_iμ, (R, P).
    """
    out = np.ascontiguousarray(np.swapaxes(correlations, 1, 2), columns.dtype)
    rows = (-1, columns.shape[-1])
    products = np.empty(t.shape)
    with numba_threads(columns.size // rows[1], columns.size / GRAIN):
        _annealed_gradient(
            columns.reshape(rows),
            t.astype(columns.dtype).ravel(),
            inverse_slack.reshape(rows),
            out.reshape(rows),
            products.ravel(),
        )
    return np.swapaxes(out, 1, 2), products


class Slopes(NamedTuple):
    """Derivatives with respect to the real parameters of a machine; a leading axis R where there are replicas."""

    log_beta: np.ndarray  # (P,), to ln β of each hidden unit
    visible_fields: np.ndarray  # (N,)
    hidden_fields: np.ndarray  # (P,)


@parallel_kernel
def _combine(numbers, x, y, out):
    for c in numba.prange(len(x)):
        for i in range(x.shape[1]):
            out[c, i] = numbers[0] * x[c, i] + (numbers[1] * y[c, i] + numbers[2])


def combine(a, x, b, y, c=0.0):
    """a x + b y + c of arrays (..., N, P) in one pass."""
    x, y = (np.ascontiguousarray(np.swapaxes(array, -1, -2)) for array in (x, y))
    out, rows = np.empty_like(x), (-1, x.shape[-1])
    with numba_threads(x.size // rows[1], x.size / GRAIN):
        _combine(np.array([a, b, c], x.dtype), x.reshape(rows), y.reshape(rows), out.reshape(rows))
    return np.swapaxes(out, -1, -2)
