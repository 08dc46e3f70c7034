r"""Averages over what one hidden unit sees of its samples, at a few vectorized operations a field."""

import math

import numpy as np

from vmfcore.numerics.jit import kernel
from vmfcore.numerics.spins import half_line_grid
from vmfcore.numerics.vectors import LARGEST, exp, lane_sum, numbers, sum_of_logs

GRID_ERROR = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 2e-6}  # of the averages over z


@kernel
def _add_node(u, pair, weight, one, d, first, second):
    """d = 1 + u² + pair u and the sums of weight/d and weight/d²."""
    for a in range(u.size):
        d[a] = one + u[a] * (u[a] + pair)
        inverse = one / d[a]
        first[a] += weight * inverse
        second[a] += weight * inverse * inverse


@kernel
def _add_two_nodes(u, pairs, weights, one, d, e, first, second):
    """The same for two nodes with one division."""
    pair, other, weight, other_weight = pairs[0], pairs[1], weights[0], weights[1]
    for a in range(u.size):
        d[a] = one + u[a] * (u[a] + pair)
        e[a] = one + u[a] * (u[a] + other)
        inverse = one / (d[a] * e[a])
        x, y = e[a] * inverse, d[a] * inverse
        first[a] += weight * x + other_weight * y
        second[a] += weight * x * x + other_weight * y * y


@kernel
def gaussian_row(x, pairs, weights, reach, numbers, work, index, lanes):
    r"""Replace fields x by E tanh(x + w z); return Σ E ln 2cosh(x + w z) and Σ E sech²(x + w z), z ~ Normal(0, 1).

    Two nodes ±z_k at a time: with u = exp(-2|x|), pair = 2cosh(2 w z_k) and d = 1 + u² + pair u, it is
    ln[2cosh(x + w z_k) 2cosh(x - w z_k)] = 2|x| + ln d, and its derivatives are 2(1 - u²)/d and, for one hidden unit,
    8 [(1 + u²)/d - (1 - u²)²/d²].  ``work`` is (5, n), ``index`` (n,) int32, ``lanes`` (LANES,) float64.
    """
    u, d, first, second = work[0, : x.size], work[1, : x.size], work[2, : x.size], work[3, : x.size]
    e, two_at_once = work[4, : x.size], weights.size // 2 if reach[0] >= 2 else 0
    one, smallest = numbers[0], numbers[7]
    exp(x, numbers, u, d, index)
    first[:] = 0.0
    second[:] = 0.0
    total = 0.0
    for k in range(0, 2 * two_at_once, 2):
        _add_two_nodes(u, pairs[k : k + 2], weights[k : k + 2], one, d, e, first, second)
        total += weights[k] * sum_of_logs(d, reach, lanes) + weights[k + 1] * sum_of_logs(e, reach, lanes)
    for k in range(2 * two_at_once, weights.size):
        _add_node(u, pairs[k], weights[k], one, d, first, second)
        total += weights[k] * sum_of_logs(d, reach, lanes)
    for a in range(x.size):
        d[a] = abs(x[a])
    total += lane_sum(d, lanes)
    for a in range(x.size):
        square = max(u[a], smallest)
        square *= square
        mean = (one - square) * first[a]
        second[a] = (one + square) * first[a] - (one - square) * (one - square) * second[a]
        mean += mean
        x[a] = mean if x[a] > 0 else -mean
    return total, 4.0 * lane_sum(second, lanes)


@kernel
def reaction_row(x, variance, numbers, work, index, lanes):
    r"""Replace fields x by r = tanh(x - v r); return Σ [H((1 + r)/2) + x r + v (1 - r²)/2] and Σ (1 - r²).

    Newton's method for y + v tanh y = |x|, r = tanh y, from below the root, where the equation is concave: it rises
    monotonically to it, and where a step is small enough its square is the error.
    """
    y, u, step, r = work[0, : x.size], work[1, : x.size], work[2, : x.size], work[3, : x.size]
    one, half = numbers[0], numbers[1]
    for a in range(x.size):
        y[a] = max(abs(x[a]) / (one + variance), abs(x[a]) - variance)
    for _ in range(100):
        exp(y, numbers, u, r, index)
        largest = one - one
        for a in range(x.size):
            tanh = (one - u[a]) / (one + u[a])
            step[a] = (abs(x[a]) - y[a] - variance * tanh) / (one + variance * (one - tanh * tanh))
            y[a] += step[a]
        for a in range(x.size):
            largest = max(largest, abs(step[a]) / (one + y[a]))
        if largest < numbers[6]:
            break
    exp(y, numbers, u, r, index)
    for a in range(x.size):
        r[a] = (one - u[a]) / (one + u[a])
        step[a] = y[a] - y[a] * r[a] + abs(x[a]) * r[a] + half * variance * (one - r[a] * r[a])
        y[a] = one - r[a] * r[a]
        u[a] += one
        x[a] = r[a] if x[a] > 0 else -r[a]
    return lane_sum(step, lanes) + sum_of_logs(u, (64, 256), lanes), lane_sum(y, lanes)  # factors up to 2


def gaussian_grid(widths, dtype):
    """What `gaussian_row` needs for ``widths`` (C,): pairs (C, K), weights (K,) and the reach of its products."""
    # in steps of 1/16, so that a grid is made once and stays while the widths change
    nodes, weights = half_line_grid(math.ceil(16 * widths.max()) / 16, GRID_ERROR[np.dtype(dtype)])
    limit = float(numbers(np.dtype(dtype))[0][5])
    arguments = np.minimum(2.0 * widths[:, None] * nodes, limit)
    largest = arguments.max() + 2.0  # of a logarithm
    reach = (int(limit / largest), int(math.log(LARGEST) / largest))
    return (2.0 * np.cosh(arguments)).astype(dtype), weights.astype(dtype), reach
