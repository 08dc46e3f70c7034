"""Functions of all synapses at once: the entropy of Q, and the couplings of the annealed dual network.

Synapses come as columns (C, N): one hidden unit a row, in the order in which the matrix products want them.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.vectors import LANES, lane_dot, lane_sum, log, log_constants_of, max_factors, sum_of_logs

GRAIN = 2**13  # synapses that are worth a thread
# of probabilities: a decided synapse has 6e-7 nats in single precision, by rounding
CUT = {np.dtype(np.float64): 1e-18, np.dtype(np.float32): 1e-9}


class Slopes(NamedTuple):
    """Derivatives with respect to the real parameters of a machine; a leading axis R where there are replicas."""

    log_beta: np.ndarray  # (P,), to ln β of each hidden unit
    visible_fields: np.ndarray  # (N,)
    hidden_fields: np.ndarray  # (P,)


class _DualRows(NamedTuple):
    """What `_dual_couplings` writes, for rows c."""

    couplings: np.ndarray  # (C, N), J
    inverse_slack: np.ndarray  # (C, N), 1/(1 - λ²t²)
    log_slack: np.ndarray  # (C,), Σ_i ln(1 - λ²t²), up to rounding of the row's (1 + edge)²
    squares: np.ndarray  # (C,), Σ_i J²


def _rows(array):
    """Columns (..., C, N) of all replicas as rows (R C, N)."""
    return array.reshape(-1, array.shape[-1])


@parallel_kernel
def _entropies(columns, cut, factors, constants, sums):
    """-Σ p ln p + q ln q, p and q = (1 ± λ)/2, as N ln 2 - Σ [ln(4pq) + λ ln(p/q)]/2 of every row."""
    one = constants.one
    two = one + one
    for c in numba.prange(len(columns)):
        means = columns[c]
        ratio = np.empty_like(means)
        inverse = np.empty_like(means)
        logs = np.empty_like(means)
        lanes = np.empty(LANES)
        # 2p and 2q, whose logarithms stay finite where a synapse is decided
        for i in range(means.size):
            up = max(one + means[i], cut)
            down = max(one - means[i], cut)
            ratio[i] = up / down
            inverse[i] = one / (up * down)
        # λ ln(p/q)/2
        log(ratio, constants, logs)
        for i in range(means.size):
            logs[i] *= means[i] / two
        sums[c] = means.size * math.log(2.0) + 0.5 * sum_of_logs(inverse, factors, lanes) - lane_sum(logs, lanes)


def total_entropy(means):
    """Entropy of Q in nats, of synapses (..., N, P) of each replica; summed in double precision."""
    dtype = means.dtype
    columns = np.ascontiguousarray(np.swapaxes(means, -1, -2))
    rows = _rows(columns)
    cut = CUT[dtype]
    factors = max_factors(-math.log(cut), dtype)  # of 1/(4pq)
    sums = np.empty(columns.shape[:-1])
    with numba_threads(len(rows), rows.size / GRAIN):
        _entropies(rows, dtype.type(2 * cut), factors, log_constants_of(dtype), sums.ravel())
    return sums.sum(axis=-1)


@kernel
def _dual_row(c, means, edge, edge_square, factors, constants, with_value, out):
    """Row c of `_DualRows`, with edge = exp(-2β/√N) and (1 + edge)²."""
    one = constants.one
    two = one + one
    couplings = out.couplings[c]
    inverse_slack = out.inverse_slack[c]
    work = np.empty_like(means)
    lanes = np.empty(LANES)
    # (1 ± λt)(1 + edge), t = (1 - edge)/(1 + edge): nothing cancels at λ = ±1
    for i in range(means.size):
        up = one + means[i]
        down = one - means[i]
        plus = up + down * edge
        minus = down + up * edge
        work[i] = plus / minus
        inverse_slack[i] = edge_square / (plus * minus)
    # J = artanh λt
    log(work, constants, couplings)
    for i in range(means.size):
        couplings[i] /= two
        work[i] = couplings[i] * couplings[i]
    out.squares[c] = lane_sum(work, lanes)
    if with_value:
        work[:] = inverse_slack
        out.log_slack[c] = -sum_of_logs(work, factors, lanes)


@parallel_kernel
def _dual_couplings(columns, edges, edge_squares, factors, constants, with_value, out):
    """`_DualRows` of all columns."""
    for c in numba.prange(len(columns)):
        _dual_row(c, columns[c], edges[c], edge_squares[c], factors, constants, with_value, out)


def dual_couplings(columns, scales, with_value=True):
    """Of replicas (R, P, N) couplings J and 1/(1 - λ²t²), Σ ln(1 - λ²t²) and norms (Σ_i J²)^½; t = tanh(scales).

    tanh J = λt.  ``scales`` (R, P) are β/√N of each hidden unit.  Without value the sums of logarithms are nan.
    """
    dtype = columns.dtype
    n_visible = columns.shape[-1]
    edges = np.exp(-2 * scales).astype(dtype)
    edge_squares = (1 + edges) ** 2
    factors = max_factors(2 * scales.max() + 1, dtype)  # of 1/(1 - λ²t²) < exp(2β/√N + 1)
    couplings, inverse_slack = np.empty((2, *columns.shape), dtype)
    log_slack = np.full(columns.shape[:-1], np.nan)
    squares = np.empty(columns.shape[:-1])
    out = _DualRows(_rows(couplings), _rows(inverse_slack), log_slack.ravel(), squares.ravel())
    with numba_threads(columns.size // n_visible, columns.size / GRAIN):
        constants = log_constants_of(dtype)
        _dual_couplings(_rows(columns), edges.ravel(), edge_squares.ravel(), factors, constants, with_value, out)
    # the rounding of (1 + edge)² is the same in all terms of a row, and would add up
    rounding = np.log(edge_squares, dtype=np.float64) - 2 * np.log1p(edges, dtype=np.float64)
    log_slack = (log_slack + n_visible * rounding).sum(axis=-1)
    return couplings, inverse_slack, log_slack, np.sqrt(squares)


@parallel_kernel
def _annealed_gradient(columns, tanh_scales, inverse_slack, correlations, products):
    """Overwrite C with t (C - λt)/(1 - λ²t²); products with λ of every row."""
    for c in numba.prange(len(columns)):
        t = tanh_scales[c]
        for i in range(columns.shape[1]):
            correlations[c, i] = t * (correlations[c, i] - columns[c, i] * t) * inverse_slack[c, i]
        products[c] = lane_dot(columns[c], correlations[c], np.empty(LANES, columns.dtype))


def annealed_gradient(columns, t, inverse_slack, correlations):
    """G = t (C - λt)/(1 - λ²t²) of columns (R, P, N), t (R, P) and correlations (R, N, P), which may be overwritten.

    Also Σ_i λ_iμ G_iμ, (R, P).
    """
    dtype = columns.dtype
    gradient = np.ascontiguousarray(np.swapaxes(correlations, 1, 2), dtype)
    products = np.empty(t.shape)
    rows = _rows(columns)
    tanh_scales = t.astype(dtype).ravel()
    with numba_threads(len(rows), rows.size / GRAIN):
        _annealed_gradient(rows, tanh_scales, _rows(inverse_slack), _rows(gradient), products.ravel())
    return np.swapaxes(gradient, 1, 2), products


@parallel_kernel
def _combine(a, x, b, y, constant, out):
    """out = a x + (b y + constant)."""
    for c in numba.prange(len(x)):
        for i in range(x.shape[1]):
            out[c, i] = a * x[c, i] + (b * y[c, i] + constant)


def combine(a, x, b, y, c=0.0):
    """a x + b y + c of arrays (..., N, P) in one pass."""
    x = np.ascontiguousarray(np.swapaxes(x, -1, -2))
    y = np.ascontiguousarray(np.swapaxes(y, -1, -2))
    out = np.empty_like(x)
    rows = _rows(x)
    real = x.dtype.type
    with numba_threads(len(rows), rows.size / GRAIN):
        _combine(real(a), rows, real(b), _rows(y), real(c), _rows(out))
    return np.swapaxes(out, -1, -2)
