r"""Averages over what one hidden unit sees of its samples, at a few vectorized operations a field."""

import math
from typing import NamedTuple

import numpy as np

from vmfcore.numerics.jit import kernel
from vmfcore.numerics.spins import half_line_grid
from vmfcore.numerics.vectors import LANES, MaxFactors, constants_of, exp, lane_sum, max_factors, sum_of_logs

GRID_ERROR = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 2e-6}  # of the averages over z
GRID_STEPS = 16  # widths are rounded up to 1/16: a grid is made once and stays while the widths change
MAX_NEWTON_STEPS = 100
UP_TO_TWO = MaxFactors(in_precision=64, in_double=256)  # 2 to their power is far from overflow


class GaussianGrid(NamedTuple):
    """Nodes ±z_k of the average over z of fields x + w z, for columns c of different widths w."""

    pairs: np.ndarray  # (C, K), 2cosh(2 w z_k)
    weights: np.ndarray  # (K,), of each of the two nodes
    max_in_precision: int  # `MaxFactors` of 1 + u² + pair u with u in [0, 1]
    max_in_double: int


class GaussianWork(NamedTuple):
    """What `gaussian_row` overwrites: arrays as long as the row."""

    u: np.ndarray  # exp(-2|x|)
    d: np.ndarray  # 1 + u² + pair u of a node
    other_d: np.ndarray  # of the other node of two that share a division
    first: np.ndarray  # Σ_k w_k/d
    second: np.ndarray  # Σ_k w_k/d²
    index: np.ndarray  # int32
    lanes: np.ndarray  # (LANES,) float64


class ReactionWork(NamedTuple):
    """What `reaction_row` overwrites: arrays as long as the row."""

    y: np.ndarray  # artanh r
    u: np.ndarray  # exp(-2y)
    step: np.ndarray  # of Newton's method
    spare: np.ndarray
    index: np.ndarray  # int32
    lanes: np.ndarray  # (LANES,) float64


def gaussian_grid(widths, dtype):
    """What `gaussian_row` needs for ``widths`` w (C,)."""
    sharpness = math.ceil(GRID_STEPS * widths.max()) / GRID_STEPS
    nodes, weights = half_line_grid(sharpness, GRID_ERROR[np.dtype(dtype)])
    largest_argument = float(constants_of(np.dtype(dtype)).largest_argument)
    arguments = np.minimum(2.0 * widths[:, None] * nodes, largest_argument)
    pairs = 2.0 * np.cosh(arguments)
    # u² + 1 + pair u <= 2 + 2cosh(argument) <= exp(argument + 2)
    largest_log = arguments.max() + 2.0
    return GaussianGrid(pairs.astype(dtype), weights.astype(dtype), *max_factors(largest_log, dtype))


@kernel
def gaussian_work(row):
    """`GaussianWork` for rows like this one."""
    u = np.empty_like(row)
    d = np.empty_like(row)
    other_d = np.empty_like(row)
    first = np.empty_like(row)
    second = np.empty_like(row)
    return GaussianWork(u, d, other_d, first, second, np.empty(row.size, np.int32), np.empty(LANES))


@kernel
def reaction_work(row):
    """`ReactionWork` for rows like this one."""
    y = np.empty_like(row)
    u = np.empty_like(row)
    step = np.empty_like(row)
    spare = np.empty_like(row)
    return ReactionWork(y, u, step, spare, np.empty(row.size, np.int32), np.empty(LANES))


@kernel
def _add_node(u, pair, weight, one, d, first, second):
    """d = 1 + u² + pair u of a node, and its part of the sums of weight/d and weight/d²."""
    for a in range(u.size):
        d[a] = one + u[a] * (u[a] + pair)
        inverse = one / d[a]
        first[a] += weight * inverse
        second[a] += weight * inverse * inverse


@kernel
def _add_two_nodes(u, pairs, weights, one, d, other_d, first, second):
    """The same for two nodes with one division."""
    pair, other_pair = pairs
    weight, other_weight = weights
    for a in range(u.size):
        d[a] = one + u[a] * (u[a] + pair)
        other_d[a] = one + u[a] * (u[a] + other_pair)
        inverse = one / (d[a] * other_d[a])
        of_node = other_d[a] * inverse
        of_other = d[a] * inverse
        first[a] += weight * of_node + other_weight * of_other
        second[a] += weight * of_node * of_node + other_weight * of_other * of_other


@kernel
def gaussian_row(x, pairs, grid, constants, with_value, work):
    r"""Replace fields x by E tanh(x + w z); return Σ E ln 2cosh(x + w z) and Σ E sech²(x + w z), z ~ Normal(0, 1).

    Two nodes ±z_k at a time: with u = exp(-2|x|), pair = 2cosh(2 w z_k) and d = 1 + u² + pair u, it is
    ln[2cosh(x + w z_k) 2cosh(x - w z_k)] = 2|x| + ln d, and its derivatives are 2(1 - u²)/d and, for one hidden unit,
    8 [(1 + u²)/d - (1 - u²)²/d²].  ``pairs`` are those of this row's width.  Without value the first sum is nan.
    """
    u = work.u
    d = work.d
    other_d = work.other_d
    first = work.first
    second = work.second
    lanes = work.lanes
    weights = grid.weights
    max_factors = MaxFactors(grid.max_in_precision, grid.max_in_double)
    one = constants.one
    exp(x, constants, u, d, work.index)

    # sums over the nodes, two at a time where the product of their d fits
    first[:] = 0.0
    second[:] = 0.0
    value = 0.0 if with_value else np.nan
    n_in_twos = 2 * (weights.size // 2) if max_factors.in_precision >= 2 else 0
    for k in range(0, n_in_twos, 2):
        node_pairs = (pairs[k], pairs[k + 1])
        node_weights = (weights[k], weights[k + 1])
        _add_two_nodes(u, node_pairs, node_weights, one, d, other_d, first, second)
        if with_value:
            of_node = weights[k] * sum_of_logs(d, max_factors, lanes)
            of_other = weights[k + 1] * sum_of_logs(other_d, max_factors, lanes)
            value += of_node + of_other
    for k in range(n_in_twos, weights.size):
        _add_node(u, pairs[k], weights[k], one, d, first, second)
        if with_value:
            value += weights[k] * sum_of_logs(d, max_factors, lanes)

    # Σ |x|, the weights of all nodes together being 1/2
    if with_value:
        for a in range(x.size):
            d[a] = abs(x[a])
        value += lane_sum(d, lanes)

    # first and second derivative from the sums
    for a in range(x.size):
        square = max(u[a], constants.smallest_square)
        square *= square
        mean = (one - square) * first[a]
        second[a] = (one + square) * first[a] - (one - square) * (one - square) * second[a]
        mean += mean
        x[a] = mean if x[a] > 0 else -mean
    return value, 4.0 * lane_sum(second, lanes)


@kernel
def _solve_reaction(x, variance, constants, work):
    """y + v tanh y = |x| by Newton's method from below the root, where the equation is concave.

    It rises monotonically to the root, and where a step is small enough its square is the error.
    """
    y = work.y
    u = work.u
    step = work.step
    one = constants.one
    for a in range(x.size):
        y[a] = max(abs(x[a]) / (one + variance), abs(x[a]) - variance)
    for _ in range(MAX_NEWTON_STEPS):
        exp(y, constants, u, work.spare, work.index)
        for a in range(x.size):
            tanh = (one - u[a]) / (one + u[a])
            step[a] = (abs(x[a]) - y[a] - variance * tanh) / (one + variance * (one - tanh * tanh))
            y[a] += step[a]
        largest = one - one
        for a in range(x.size):
            largest = max(largest, abs(step[a]) / (one + y[a]))
        if largest < constants.newton_tolerance:
            break


@kernel
def reaction_row(x, variance, constants, with_value, work):
    r"""Replace fields x by r = tanh(x - v r); return Σ [H((1 + r)/2) + x r + v (1 - r²)/2] and Σ (1 - r²).

    With y = artanh |r| the entropy is H = y + ln(1 + u) - y r, u = exp(-2y).  Without value the first sum is nan.
    """
    y = work.y
    u = work.u
    r = work.spare
    terms = work.step
    one = constants.one
    _solve_reaction(x, variance, constants, work)
    exp(y, constants, u, r, work.index)
    for a in range(x.size):
        r[a] = (one - u[a]) / (one + u[a])
    # the extremum itself
    value = np.nan
    if with_value:
        for a in range(x.size):
            terms[a] = y[a] - y[a] * r[a] + abs(x[a]) * r[a] + constants.half * variance * (one - r[a] * r[a])
            u[a] += one
        value = lane_sum(terms, work.lanes) + sum_of_logs(u, UP_TO_TWO, work.lanes)
    # its derivatives
    for a in range(x.size):
        y[a] = one - r[a] * r[a]
        x[a] = r[a] if x[a] > 0 else -r[a]
    return value, lane_sum(y, work.lanes)
