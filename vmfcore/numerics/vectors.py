r"""Vectorized exponentials, logarithms and sums: jitted functions for one row of numbers, in either precision.

They call no transcendental function of the C library, which would keep the loops from being vectorized, and add in an
order of their own: the same bits on every processor.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from vmfcore.numerics.jit import kernel
from vmfcore.numerics.simd import n_lanes

LANES = 16  # numbers that a loop keeps apart, so that it runs in parallel and yet adds in the same order everywhere
LARGEST_PRODUCT = 1e150  # products of two numbers up to it do not overflow in double precision
N_TAYLOR = 12  # terms of exp on [-ln 2/2, ln 2/2], in double precision
N_TAYLOR_SINGLE = 8  # and in single precision
N_SERIES = 10  # terms of ln on [√½, √2]


class Constants(NamedTuple):
    """Numbers in one precision, for `exp` and for what is computed with it."""

    one: np.floating
    half: np.floating
    per_log2: np.floating  # 1/ln 2
    log2_high: np.floating  # ln 2 in two parts, the first with zeros at its end: small multiples of it are exact
    log2_low: np.floating
    largest_argument: np.floating  # of an exponential that is neither subnormal nor infinite
    newton_tolerance: np.floating  # a step of Newton's method that leaves an error of its square
    smallest_square: np.floating  # its square is not subnormal: many processors are slow with those
    taylor: np.ndarray  # (N_TAYLOR,), coefficients 1/k! of exp
    integer: np.dtype  # as wide as the numbers
    mantissa_bits: np.integer  # behind the exponent


class LogConstants(NamedTuple):
    """Numbers in one precision for `log`."""

    one: np.floating
    log2: np.floating  # ln 2
    series: np.ndarray  # (N_SERIES,), coefficients 2/(2k + 1) of ln[(1 + y)/(1 - y)]/y in powers of y²
    integer: np.dtype  # as wide as the numbers
    bits_of_root: np.integer  # √½, read as an integer
    mantissa_bits: np.integer  # behind the exponent


@functools.cache
def constants_of(dtype):
    """`Constants` of a dtype, float64 or float32."""
    if dtype == np.float32:
        largest_argument = 80.0
        log2_high = 0.693359375
        log2_low = -2.1219444005469057e-4
    else:
        largest_argument = 700.0
        log2_high = 0.6931471803691238
        log2_low = 1.9082149292705877e-10
    real = np.dtype(dtype).type
    limits = np.finfo(dtype)
    mantissa_bits = np.int32(23) if dtype == np.float32 else np.int64(52)
    return Constants(
        one=real(1.0),
        half=real(0.5),
        per_log2=real(1 / math.log(2)),
        log2_high=real(log2_high),
        log2_low=real(log2_low),
        largest_argument=real(largest_argument),
        newton_tolerance=real(math.sqrt(limits.eps)),
        smallest_square=real(1.01 * math.sqrt(limits.tiny)),
        taylor=np.array([1.0 / math.factorial(k) for k in range(N_TAYLOR)], dtype),
        integer=mantissa_bits.dtype,
        mantissa_bits=mantissa_bits,
    )


@functools.cache
def log_constants_of(dtype):
    """`LogConstants` of a dtype, float64 or float32."""
    real = np.dtype(dtype).type
    if dtype == np.float32:
        bits_of_root = np.int32(0x3F3504F3)
        mantissa_bits = np.int32(23)
    else:
        bits_of_root = np.int64(0x3FE6A09E667F3BCD)
        mantissa_bits = np.int64(52)
    series = np.array([2.0 / (2 * k + 1) for k in range(N_SERIES)], dtype)
    return LogConstants(real(1.0), real(math.log(2)), series, bits_of_root.dtype, bits_of_root, mantissa_bits)


class MaxFactors(NamedTuple):
    """How many numbers may be multiplied without overflow, for `sum_of_logs`."""

    in_precision: int  # of the numbers themselves
    in_double: int  # of double precision, below LARGEST_PRODUCT


def max_factors(largest_log, dtype):
    """`MaxFactors` of numbers of a dtype whose logarithms are at most ``largest_log``."""
    limit = float(constants_of(np.dtype(dtype)).largest_argument)
    return MaxFactors(int(limit / largest_log), int(math.log(LARGEST_PRODUCT) / largest_log))


@kernel
def exp(x, constants, out, work, index):
    """out = exp(-2|x|): a polynomial on [-ln 2/2, ln 2/2], whose exponent is then lowered.

    ``work``, as x, and ``index``, int32, are overwritten.
    """
    taylor = constants.taylor
    n_terms = N_TAYLOR_SINGLE if n_lanes(x) == LANES else N_TAYLOR
    # 2|x| = k ln 2 - y with the integer k next to 2|x|/ln 2
    for a in range(x.size):
        work[a] = min(abs(x[a]) + abs(x[a]), constants.largest_argument)
        index[a] = np.int32(work[a] * constants.per_log2 + constants.half)
    for a in range(x.size):
        out[a] = index[a]
    # exp(y) by Horner's rule
    for a in range(x.size):
        y = (out[a] * constants.log2_high - work[a]) + out[a] * constants.log2_low
        polynomial = taylor[n_terms - 1]
        for k in range(n_terms - 2, -1, -1):
            polynomial = taylor[k] + y * polynomial
        out[a] = polynomial
    # times 2^-k, which is far from subnormal
    bits = out.view(constants.integer)
    for a in range(x.size):
        bits[a] -= index[a] << constants.mantissa_bits


@kernel
def tanh(x, constants, out):
    """out = tanh x = ±(1 - u)/(1 + u), u = exp(-2|x|), to 5e-15 or a rounding of single precision; may be x."""
    one = constants.one
    u = np.empty_like(x)
    exp(x, constants, u, np.empty_like(x), np.empty(x.size, np.int32))
    for a in range(x.size):
        size = (one - u[a]) / (one + u[a])
        out[a] = size if x[a] > 0 else -size


@kernel
def log(x, constants, out):
    """out = ln x for normal x > 0, to rounding: the exponent, and a series on [√½, √2]; overwrites x."""
    series = constants.series
    bits = x.view(constants.integer)
    # x = 2^k z with z in [√½, √2): k from the bits of the exponent, which x loses
    for a in range(bits.size):
        exponent = (bits[a] - constants.bits_of_root) >> constants.mantissa_bits
        bits[a] -= exponent << constants.mantissa_bits
        out[a] = exponent
    # ln z = 2 artanh y, y = (z - 1)/(z + 1), by Horner's rule in y²
    for a in range(x.size):
        y = (x[a] - constants.one) / (x[a] + constants.one)
        square = y * y
        polynomial = series[N_SERIES - 1]
        for k in range(N_SERIES - 2, -1, -1):
            polynomial = series[k] + square * polynomial
        out[a] = out[a] * constants.log2 + y * polynomial


@kernel
def _total(lanes):
    """Σ of the lanes, one after the other, in double precision."""
    total = 0.0
    for k in range(LANES):
        total += lanes[k]
    return total


@kernel
def lane_sum(x, lanes):
    """Σ x, added up in the precision of the lanes."""
    whole = x.size - x.size % LANES
    lanes[:] = 0
    for start in range(0, whole, LANES):
        part = x[start : start + LANES]
        for k in range(LANES):
            lanes[k] += part[k]
    total = _total(lanes)
    for a in range(whole, x.size):
        total += x[a]
    return total


@kernel
def lane_dot(x, y, lanes):
    """Σ x y, added up in the precision of the lanes."""
    whole = x.size - x.size % LANES
    lanes[:] = 0
    for start in range(0, whole, LANES):
        part_of_x = x[start : start + LANES]
        part_of_y = y[start : start + LANES]
        for k in range(LANES):
            lanes[k] += part_of_x[k] * part_of_y[k]
    total = _total(lanes)
    for a in range(whole, x.size):
        total += x[a] * y[a]
    return total


@kernel
def _append_factor(factor, product, total):
    """A running product and the logarithm of those before it, after one more factor: a new product before overflow."""
    if product > LARGEST_PRODUCT or factor > LARGEST_PRODUCT:
        total += math.log(product)
        product = 1.0
    return product * factor, total


@kernel
def sum_of_logs(x, max_factors, lanes):
    """Σ ln x of numbers >= 1, as logarithms of products; overwrites x.  The lanes are of double precision."""
    # the second half of x times the first, and so on, while products in its precision are sure to fit
    n_left = x.size
    n_factors = 1
    while 2 * n_factors <= max_factors.in_precision and n_left >= 4 * LANES:
        half = (n_left + 1) // 2
        for a in range(n_left - half):
            x[a] *= x[half + a]
        n_left = half
        n_factors *= 2
    x = x[:n_left]
    # products in double precision, side by side
    whole = x.size - x.size % LANES
    n_in_lane = max(1, max_factors.in_double // n_factors)
    total = 0.0
    product = 1.0
    for first in range(0, whole, LANES * n_in_lane):
        lanes[:] = 1.0
        for start in range(first, min(first + LANES * n_in_lane, whole), LANES):
            part = x[start : start + LANES]
            for k in range(LANES):
                lanes[k] *= part[k]
        for k in range(LANES):
            product, total = _append_factor(lanes[k], product, total)
    # what does not fill the lanes
    for a in range(whole, x.size):
        lanes[0] = x[a]
        product, total = _append_factor(lanes[0], product, total)
    return total + math.log(product)
