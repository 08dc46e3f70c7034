"""Functions of all synapses at once: the entropy of Q, and the couplings of the annealed dual network.

Synapses come as (R, N, P) arrays, contiguous.  A job takes some rows of one replica, which stay in the innermost cache.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.vectors import LANES, lane_sum, log, log_constants_of, max_factors, sum_of_logs

BLOCK = 2**11  # synapses of a job
MIN_SUMMED = 16  # visible units of a job that leaves sums over them, so that there are few sums
GRAIN = 2**13  # synapses that are worth a thread
# of probabilities: a decided synapse has 6e-7 nats in single precision, by rounding
CUT = {np.dtype(np.float64): 1e-18, np.dtype(np.float32): 1e-9}


class Slopes(NamedTuple):
    """Derivatives with respect to the real parameters of a machine; a leading axis R where there are replicas."""

    log_beta: np.ndarray  # (P,), to ln β of each hidden unit
    visible_fields: np.ndarray  # (N,)
    hidden_fields: np.ndarray  # (P,)


@kernel
def rows_of_block(n_hidden):
    """How many visible units a job takes."""
    return max(1, BLOCK // n_hidden)


@kernel
def rows_of_sum(n_hidden):
    """The same of a job that leaves a sum for each hidden unit, some blocks one after the other."""
    return rows_of_block(n_hidden) * max(1, MIN_SUMMED // rows_of_block(n_hidden))


@kernel
def _entropy(means, cut, factors, constants):
    """-Σ p ln p + q ln q, p and q = (1 ± λ)/2, as n ln 2 - Σ [ln(4pq) + λ ln(p/q)]/2."""
    one = constants.one
    two = one + one
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
    return means.size * math.log(2.0) + 0.5 * sum_of_logs(inverse, factors, lanes) - lane_sum(logs, lanes)


@parallel_kernel
def _entropies(means, cut, factors, constants, sums):
    """Entropy of each block of each replica."""
    n_blocks = sums.shape[1]
    for job in numba.prange(sums.size):
        replica = job // n_blocks
        first = BLOCK * (job % n_blocks)
        sums[replica, job % n_blocks] = _entropy(means[replica, first : first + BLOCK], cut, factors, constants)


def total_entropy(means):
    """Entropy of Q in nats, of synapses (R, N, P) of each replica; summed in double precision."""
    dtype = means.dtype
    flat = np.ascontiguousarray(means).reshape(len(means), -1)
    cut = CUT[dtype]
    factors = max_factors(-math.log(cut), dtype)  # of 1/(4pq)
    sums = np.empty((len(flat), -(-flat.shape[1] // BLOCK)))
    with numba_threads(sums.size, flat.size / GRAIN):
        _entropies(flat, dtype.type(2 * cut), factors, log_constants_of(dtype), sums)
    return sums.sum(axis=1)


@kernel
def _tiled(row, n_rows):
    """A row as many times as there are rows, one after the other."""
    out = np.empty(n_rows * row.size, row.dtype)
    for n in range(n_rows):
        for c in range(row.size):
            out[n * row.size + c] = row[c]
    return out


@kernel
def _dual_couplings_of_block(means, edges, factors, constants, with_value, couplings):
    """J of some synapses; returns Σ ln(1 - λ²t²), with edges = exp(-2β/√N), t = (1 - edge)/(1 + edge)."""
    one = constants.one
    two = one + one
    ratio = np.empty_like(means)
    inverse_slack = np.empty_like(means)
    # (1 ± λt)(1 + edge): nothing cancels at λ = ±1
    for i in range(means.size):
        up = one + means[i]
        down = one - means[i]
        plus = up + down * edges[i]
        minus = down + up * edges[i]
        ratio[i] = plus / minus
        if with_value:
            inverse_slack[i] = (one + edges[i]) * (one + edges[i]) / (plus * minus)
    # J = artanh λt
    log(ratio, constants, couplings)
    for i in range(means.size):
        couplings[i] /= two
    return -sum_of_logs(inverse_slack, factors, np.empty(LANES)) if with_value else np.nan


@kernel
def _dual_couplings_job(means, edges, factors, constants, with_value, couplings):
    """The same for some rows."""
    of_all = _tiled(edges, len(means))
    return _dual_couplings_of_block(means.ravel(), of_all, factors, constants, with_value, couplings.ravel())


@parallel_kernel
def _dual_couplings(means, edges, factors, constants, with_value, couplings, log_slack):
    """J of all synapses, and Σ ln(1 - λ²t²) of each block of each replica."""
    n_blocks = log_slack.shape[1]
    rows = rows_of_block(means.shape[2])
    for job in numba.prange(log_slack.size):
        replica = job // n_blocks
        first = rows * (job % n_blocks)
        log_slack[replica, job % n_blocks] = _dual_couplings_job(
            means[replica, first : first + rows],
            edges[replica],
            factors,
            constants,
            with_value,
            couplings[replica, first : first + rows],
        )


def dual_couplings(means, scales, with_value=True):
    """Couplings J (R, N, P) of replicas, tanh J = λt, and Σ ln(1 - λ²t²) (R,), nan without value; t = tanh(scales).

    ``scales`` (R, P) are β/√N of each hidden unit.
    """
    dtype = means.dtype
    means = np.ascontiguousarray(means)
    n_replicas, n_visible, n_hidden = means.shape
    edges = np.exp(-2 * scales).astype(dtype)
    factors = max_factors(2 * scales.max() + 1, dtype)  # of 1/(1 - λ²t²) < exp(2β/√N + 1)
    couplings = np.empty_like(means)
    log_slack = np.empty((n_replicas, -(-n_visible // rows_of_block(n_hidden))))
    with numba_threads(log_slack.size, means.size / GRAIN):
        _dual_couplings(means, edges, factors, log_constants_of(dtype), with_value, couplings, log_slack)
    if not with_value:
        return couplings, np.full(n_replicas, np.nan)
    # the rounding of (1 + edge)² is the same in all terms of a column, and would add up
    rounding = np.log((1 + edges) ** 2, dtype=np.float64) - 2 * np.log1p(edges, dtype=np.float64)
    return couplings, log_slack.sum(axis=1) + n_visible * rounding.sum(axis=1)
