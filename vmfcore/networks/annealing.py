r"""Annealed importance sampling: chains that are carried from independent pixels to a network, and their weights."""

from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np

from vmfcore.networks.gibbs import sweep
from vmfcore.numerics.jit import numba_threads, one_blas_thread, parallel_kernel
from vmfcore.numerics.spins import log2cosh
from vmfcore.numerics.vectors import LANES, exp, lane_sum, numbers, sum_of_logs

GRAIN = 2**14  # logarithms that are worth a thread
REACH = (256, 256)  # factors of at most 2 that `sum_of_logs` may multiply


class PartitionEstimate(NamedTuple):
    """ln Z by annealed importance sampling."""

    log_partition: float  # nats
    standard_error: float  # of it, from the spread of the weights
    effective_chains: float  # (Σ w)²/Σ w², from 1 to K


@parallel_kernel
def _add_log_ratios(fields, scales, numbers, log_weights):
    """Add Σ_μ [ln 2cosh t x_μ - ln 2cosh s x_μ] of every row x of the fields; ``scales`` are s and t."""
    for k in numba.prange(len(fields)):
        n_hidden = fields.shape[1]
        x, u, work = np.empty(n_hidden), np.empty(n_hidden), np.empty(n_hidden)
        index, lanes = np.empty(n_hidden, np.int32), np.empty(LANES)
        for sign, scale in ((-1.0, scales[0]), (1.0, scales[1])):
            for mu in range(n_hidden):
                x[mu] = abs(scale * fields[k, mu])
            exp(x, numbers, u, work, index)
            for mu in range(n_hidden):
                u[mu] += 1.0
            log_weights[k] += sign * (lane_sum(x, lanes) + sum_of_logs(u, REACH, lanes))


def anneal(couplings, visible_fields, hidden_fields, base, path, hidden, rng):
    """ln w (K,) of chains along the ``path`` of s: the mean of w is Z on the way from 0 to 1, and 1/Z on the way back.

    The spins ``hidden`` (K, P), float32, must be in equilibrium at the start, where at s = 0 any will do; they are
    overwritten by those at the end.
    """
    columns = np.ascontiguousarray(couplings.T, dtype=np.float32)
    b, tilt = hidden_fields.astype(np.float32), (visible_fields - base).astype(np.float32)
    log_z0 = log2cosh(base).sum() + len(columns) * np.log(2)
    log_weights, constants = np.full(len(hidden), (path[-1] - path[0]) * log_z0), numbers(np.dtype(np.float64))[0]
    with one_blas_thread():
        for s, t in pairwise(path):
            a = ((1 - s) * base + s * visible_fields).astype(np.float32)
            spins, fields = sweep(columns, a, b, hidden, rng, scales=(s, t))
            log_weights += (t - s) * (spins @ tilt)
            with numba_threads(len(fields), fields.size / GRAIN):
                _add_log_ratios(fields, (s, t), constants, log_weights)
    return log_weights


def log_mean(log_weights):
    """ln of the mean of w, its standard error by the delta method, and how many of the weights count."""
    largest = log_weights.max()
    weights = np.exp(log_weights - largest)
    total = weights.sum()
    return PartitionEstimate(
        float(largest + np.log(total / weights.size)),
        float(weights.std(ddof=1) * np.sqrt(weights.size) / total),
        float(total**2 / (weights**2).sum()),
    )
