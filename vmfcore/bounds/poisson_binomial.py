r"""Averages over X = Σ_i ξ_i σ_i/√N with independent ξ_i: the Poisson binomial distribution, by its recursion.

Written here for functions of the number of ξ_i σ_i = 1, of which spin i is with probability p_i = (1 + λ_i σ_i)/2.
"""

from typing import NamedTuple

import numba
import numpy as np

from vmfcore.numerics.jit import kernel, parallel_kernel
from vmfcore.numerics.spins import log2cosh


class Tables(NamedTuple):
    """Functions of the number of ξ_i σ_i = 1, from 0 to N, for each hidden unit: (P, N + 1)."""

    values: np.ndarray  # ln 2cosh x, x = b + β X
    log_beta: np.ndarray  # β X tanh x
    hidden_fields: np.ndarray  # tanh x


class Expectations(NamedTuple):
    """What a sample contributes to the derivatives of the exact data term."""

    gradients: np.ndarray  # (M, N, P)
    others: np.ndarray  # (M, P, 2): to ln β and b


@kernel
def _average_backwards(probabilities, table, averages):
    """averages[i, n]: the table's average given that n of the first i spins are up.

    From the last spin to the first: average(i, n) = p_i average(i + 1, n + 1) + (1 - p_i) average(i + 1, n).
    """
    n_visible = probabilities.size
    for n in range(n_visible + 1):
        averages[n_visible, n] = table[n]
    for i in range(n_visible - 1, -1, -1):
        p = probabilities[i]
        given = averages[i + 1]
        out = averages[i]
        for n in range(i + 1):
            out[n] = p * given[n + 1] + (1.0 - p) * given[n]


@kernel
def _slopes_forwards(probabilities, averages, slopes, weights):
    """slopes[i]: derivative of the average with respect to p_i; ``weights`` get the distribution of the number of ups.

    Spin i adds average(i + 1, n + 1) - average(i + 1, n), averaged over the number n of ups among those before.
    """
    weights[:] = 0.0
    weights[0] = 1.0
    for i in range(probabilities.size):
        p = probabilities[i]
        given = averages[i + 1]
        slope = 0.0
        for n in range(i + 1):
            slope += weights[n] * (given[n + 1] - given[n])
        slopes[i] = slope
        # one more spin: n ups, or n - 1 and this one
        for n in range(i + 1, 0, -1):
            weights[n] = (1.0 - p) * weights[n] + p * weights[n - 1]
        weights[0] *= 1.0 - p


@kernel
def _expectation(weights, table):
    """Σ_n weights_n table_n."""
    total = 0.0
    for n in range(weights.size):
        total += weights[n] * table[n]
    return total


@kernel
def _average_sample(a, spins, means, tables, expectations):
    """Averages of the tables for sample a and each hidden unit; returns the sum of the values."""
    n_visible = spins.shape[1]
    averages = np.empty((n_visible + 1, n_visible + 1))
    weights = np.empty(n_visible + 1)
    probabilities = np.empty(n_visible)
    slopes = np.empty(n_visible)
    value = 0.0
    for mu in range(means.shape[1]):
        for i in range(n_visible):
            probabilities[i] = 0.5 * (1.0 + spins[a, i] * means[i, mu])
        _average_backwards(probabilities, tables.values[mu], averages)
        value += averages[0, 0]
        _slopes_forwards(probabilities, averages, slopes, weights)
        for i in range(n_visible):
            expectations.gradients[a, i, mu] = 0.5 * spins[a, i] * slopes[i]
        expectations.others[a, mu, 0] = _expectation(weights, tables.log_beta[mu])
        expectations.others[a, mu, 1] = _expectation(weights, tables.hidden_fields[mu])
    return value


@parallel_kernel
def average_tables(spins, means, tables, expectations):
    """`Expectations` of the tables for all samples; returns the values of each, summed over hidden units."""
    values = np.empty(len(spins))
    for a in numba.prange(len(spins)):
        values[a] = _average_sample(np.int64(a), spins, means, tables, expectations)
    return values


def tables_of(betas, hidden_fields, n_visible):
    """`Tables` of hidden units with β (P,) and fields b (P,)."""
    sums = 2.0 * np.arange(n_visible + 1) - n_visible
    scaled = sums / np.sqrt(n_visible) * betas[:, None]
    fields = scaled + hidden_fields[:, None]
    tanh = np.tanh(fields)
    return Tables(log2cosh(fields), scaled * tanh, tanh)
