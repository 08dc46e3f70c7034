r"""Annealed importance sampling: chains that are carried from independent pixels to a network, and their weights."""

from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np

from vmfcore.networks.gibbs import Place, sweep, words_a_sweep
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.products import multiply
from vmfcore.numerics.spins import log2cosh
from vmfcore.numerics.vectors import LANES, MaxFactors, constants_of, exp, lane_sum, sum_of_logs

GRAIN = 2**14  # logarithms that are worth a thread
UP_TO_TWO = MaxFactors(in_precision=256, in_double=256)  # 2 to their power is far from overflow in double precision


class PartitionEstimate(NamedTuple):
    """ln Z by annealed importance sampling."""

    log_partition: float  # nats
    standard_error: float  # of it, from the spread of the weights
    effective_chains: float  # (Σ w)²/Σ w², from 1 to K


class Work(NamedTuple):
    """What `sum_of_log2cosh` overwrites, as long as a row of fields."""

    x: np.ndarray
    u: np.ndarray
    spare: np.ndarray
    index: np.ndarray  # int32
    lanes: np.ndarray  # (LANES,) float64


@kernel
def sum_of_log2cosh(scale, fields, constants, work):
    """Σ_μ ln 2cosh(scale x_μ) as Σ |scale x| + ln(1 + exp(-2 |scale x|))."""
    for mu in range(fields.size):
        work.x[mu] = abs(scale * fields[mu])
    exp(work.x, constants, work.u, work.spare, work.index)
    for mu in range(fields.size):
        work.u[mu] += 1.0
    return lane_sum(work.x, work.lanes) + sum_of_logs(work.u, UP_TO_TWO, work.lanes)


@parallel_kernel
def _add_log_ratios(fields, s, t, constants, log_weights):
    """Add Σ_μ [ln 2cosh t x_μ - ln 2cosh s x_μ] of every row x of the fields."""
    n_hidden = fields.shape[1]
    for k in numba.prange(len(fields)):
        rows = np.empty((3, n_hidden))
        work = Work(rows[0], rows[1], rows[2], np.empty(n_hidden, np.int32), np.empty(LANES))
        log_weights[k] -= sum_of_log2cosh(s, fields[k], constants, work)
        log_weights[k] += sum_of_log2cosh(t, fields[k], constants, work)


def anneal(couplings, fields, base, path, hidden, key):
    """ln w (K,) of chains along the ``path`` of s: the mean of w is Z on the way from 0 to 1, and 1/Z on the way back.

    ``couplings`` and ``fields`` as `sweep` takes them.  The spins ``hidden`` (K, ⌈P/8⌉), packed, must be in equilibrium
    at the start, where at s = 0 any will do; they are overwritten by those at the end.  ``key`` is that of the random
    numbers.
    """
    a, b = fields
    n_visible, n_hidden = couplings.shape
    n_chains = len(hidden)
    words = n_chains * words_a_sweep(n_visible, n_hidden)
    b = b.astype(np.float32)
    tilt = (a - base).astype(np.float32)[:, None]
    constants = constants_of(np.dtype(np.float64))
    # ln Z at s = 0, or less that on the way back
    base_log_z = log2cosh(base).sum() + n_hidden * np.log(2)
    log_weights = np.full(n_chains, (path[-1] - path[0]) * base_log_z)
    for n, (s, t) in enumerate(pairwise(path)):
        # equilibrium at s, and the weight of going on to t: all that depends on it, with the hidden units summed
        at_s = ((1 - s) * base + s * a).astype(np.float32)
        spins, exerted = sweep(couplings, (at_s, b), hidden, Place(key, n * words), scales=(s, t))
        log_weights += (t - s) * multiply(spins, tilt)[:, 0]
        with numba_threads(n_chains, exerted.size / GRAIN):
            _add_log_ratios(exerted, s, t, constants, log_weights)
    return log_weights


def log_mean(log_weights):
    """ln of the mean of w, its standard error by the delta method, and how many of the weights count."""
    largest = log_weights.max()
    weights = np.exp(log_weights - largest)
    total = weights.sum()
    return PartitionEstimate(
        log_partition=float(largest + np.log(total / weights.size)),
        standard_error=float(weights.std(ddof=1) * np.sqrt(weights.size) / total),
        effective_chains=float(total**2 / (weights**2).sum()),
    )
