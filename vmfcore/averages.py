r"""Averages over what one hidden unit sees of its samples, at a few vectorized operations a field.

Jitted functions for one row of fields, in single or double precision, without transcendental functions of the C
library, which would keep the loops from being vectorized.  The first of them serve the synapses of `dual`, too.
"""

import functools
import math

import numpy as np

from vmfcore.jit import kernel
from vmfcore.spins import half_line_grid

GRID_ERROR = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 2e-6}  # of the averages over z
LANES = 16  # numbers that a loop keeps apart, so that it runs in parallel and yet adds in the same order everywhere
LARGEST = 1e150  # products of numbers up to it do not overflow
TAYLOR = [1.0 / math.factorial(k) for k in range(12)]  # of exp(y)
ODD = [2.0 / (2 * k + 1) for k in range(10)]  # of ln[(1 + y)/(1 - y)] / y in powers of y²


@functools.cache
def numbers(dtype):
    """Constants in one precision: 1, 1/2; for `exp` 1/ln 2, ln 2 in two parts, the largest y, the Taylor coefficients
    of exp and powers of 2; the step of Newton's method that leaves an error of its square; what can still be squared
    without a subnormal number, which many processors are slow with.

    The same for `log`, and integers: the bits of √½ and the number of those behind the exponent.
    """
    # ln 2 in two parts, the first with zeros at its end, so that a multiple of it is exact
    limit, high, low = 700.0, 0.6931471803691238, 1.9082149292705877e-10
    if dtype == np.float32:
        limit, high, low = 80.0, 0.693359375, -2.1219444005469057e-4
    newton, smallest = math.sqrt(np.finfo(dtype).eps), 1.01 * math.sqrt(np.finfo(dtype).tiny)
    powers = 2.0 ** -np.arange(1075.0)
    exponential = [1.0, 0.5, 1 / math.log(2), high, low, limit, newton, smallest, *TAYLOR, *powers]
    if dtype == np.float32:
        bits = np.array([0x3F3504F3, 23], np.int32)
    else:
        bits = np.array([0x3FE6A09E667F3BCD, 52], np.int64)
    return np.array(exponential, dtype), np.array([1.0, math.log(2), *ODD], dtype), bits


@kernel
def exp(x, numbers, out, work, index):
    """out = exp(-2|x|): a power of 2 from a table times a polynomial on [-ln 2/2, ln 2/2]."""
    half, per_log2, high, low, limit = numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    c0, c1, c2, c3, c4, c5 = numbers[8], numbers[9], numbers[10], numbers[11], numbers[12], numbers[13]
    c6, c7, c8, c9, c10, c11 = numbers[14], numbers[15], numbers[16], numbers[17], numbers[18], numbers[19]
    powers = numbers[20:]
    for a in range(x.size):
        work[a] = min(abs(x[a]) + abs(x[a]), limit)
        index[a] = np.int32(work[a] * per_log2 + half)
    for a in range(x.size):
        out[a] = index[a]
    for a in range(x.size):
        y = (out[a] * high - work[a]) + out[a] * low
        even = c6 + y * (c7 + y * (c8 + y * (c9 + y * (c10 + y * c11))))
        out[a] = c0 + y * (c1 + y * (c2 + y * (c3 + y * (c4 + y * (c5 + y * even)))))
    for a in range(x.size):
        out[a] *= powers[index[a]]


@kernel
def log(x, constants, integers, out):
    """out = ln x for normal x > 0, to rounding: the exponent, and a series on [√½, √2]; overwrites x."""
    bits = x.view(integers.dtype)
    root, shift = integers
    one, log2 = constants[0], constants[1]
    c0, c1, c2, c3, c4 = constants[2], constants[3], constants[4], constants[5], constants[6]
    c5, c6, c7, c8, c9 = constants[7], constants[8], constants[9], constants[10], constants[11]
    for a in range(bits.size):
        exponent = (bits[a] - root) >> shift
        bits[a] -= exponent << shift
        out[a] = exponent
    for a in range(x.size):
        y = (x[a] - one) / (x[a] + one)
        z = y * y
        high = c5 + z * (c6 + z * (c7 + z * (c8 + z * c9)))
        out[a] = out[a] * log2 + y * (c0 + z * (c1 + z * (c2 + z * (c3 + z * (c4 + z * high)))))


@kernel
def lane_sum(x, lanes):
    """Σ x, added up in the precision of the lanes."""
    whole = x.size - x.size % LANES
    lanes[:] = 0
    for start in range(0, whole, LANES):
        part = x[start : start + LANES]
        for k in range(LANES):
            lanes[k] += part[k]
    total = 0.0
    for k in range(LANES):
        total += lanes[k]
    for a in range(whole, x.size):
        total += x[a]
    return total


@kernel
def lane_dot(x, y, lanes):
    """Σ x y, added up in the precision of the lanes."""
    whole = x.size - x.size % LANES
    lanes[:] = 0
    for start in range(0, whole, LANES):
        one, other = x[start : start + LANES], y[start : start + LANES]
        for k in range(LANES):
            lanes[k] += one[k] * other[k]
    total = 0.0
    for k in range(LANES):
        total += lanes[k]
    for a in range(whole, x.size):
        total += x[a] * y[a]
    return total


@kernel
def sum_of_logs(x, reach, lanes):
    """Σ ln x of numbers >= 1, as logarithms of products; overwrites x.

    ``reach`` of them may be multiplied in their own precision, and in double precision, without overflow.
    """
    n_left, factors = x.size, 1
    while 2 * factors <= reach[0] and n_left >= 4 * LANES:
        half = (n_left + 1) // 2
        for a in range(n_left - half):
            x[a] *= x[half + a]
        n_left, factors = half, 2 * factors
    x, in_a_row = x[:n_left], max(1, reach[1] // factors)
    whole, total, product = x.size - x.size % LANES, 0.0, 1.0
    for first in range(0, whole, LANES * in_a_row):
        lanes[:] = 1.0
        for start in range(first, min(first + LANES * in_a_row, whole), LANES):
            part = x[start : start + LANES]
            for k in range(LANES):
                lanes[k] *= part[k]
        for k in range(LANES):
            if product > LARGEST or lanes[k] > LARGEST:
                total += math.log(product)
                product = 1.0
            product *= lanes[k]
    for a in range(whole, x.size):
        lanes[0] = x[a]
        if product > LARGEST or lanes[0] > LARGEST:
            total += math.log(product)
            product = 1.0
        product *= lanes[0]
    return total + math.log(product)


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
