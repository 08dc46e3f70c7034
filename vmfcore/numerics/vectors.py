r"""Averages over what one hidden unit sees of its samples, at a few vectorized operations a field.

Jitted functions for one row of fields, in single or double precision, without transcendental functions of the C
library, which would keep the loops from being vectorized.  The first of them serve the synapses of `dual`, too.
"""

import functools
import math

import numpy as np

from vmfcore.numerics.jit import kernel

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
