import os
import subprocess
import sys

import naive
import numba
import numpy as np
import pytest

from vmfcore.numerics import products, simd
from vmfcore.numerics.bits import as_words, column_sums, count_ones, one_bit_products, transpose
from vmfcore.numerics.jit import kernel
from vmfcore.numerics.products import multiply

PRECISIONS = (np.float64, np.float32)
# (samples, spins, columns): narrow and wide, with rests in all of them, in blocks of samples, of bytes and of columns
SIZES = [(1, 1, 1), (3, 5, 2), (13, 11, 7), (5, 131, 8), (7, 67, 17), (19, 17, 64), (11, 23, 131), (1031, 71, 3)]
SIZES += [(1031, 13, 67), (2, 257, 33), (17, 7, 64)]


def problem(rng, n_samples, n_spins, n_columns, dtype):
    spins = rng.choice([-1, 1], size=(n_samples, n_spins))
    return spins, np.packbits(spins > 0, axis=1), rng.normal(size=(n_spins, n_columns)).astype(dtype)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("size", SIZES)
def test_product_equals_the_sum(size, dtype, rng):
    spins, bits, matrix = problem(rng, *size, dtype)
    product = multiply(bits, matrix)
    assert product.dtype == dtype
    assert product.flags.c_contiguous
    # a rounding of the largest partial sum for each of the groups of four
    scale = np.abs(matrix).sum(axis=0).max()
    np.testing.assert_allclose(product, spins @ matrix.astype(float), rtol=0, atol=np.finfo(dtype).eps * scale * 2)
    few = naive.signed_product(spins[:3], matrix[:, :2].astype(float))
    np.testing.assert_allclose(product[:3, :2], few, rtol=0, atol=np.finfo(dtype).eps * scale * 2)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_whole_numbers_are_added_without_error(dtype, rng):
    spins, bits, _ = problem(rng, 37, 101, 1, dtype)
    matrix = rng.integers(-1000, 1000, size=(101, 71))
    np.testing.assert_array_equal(multiply(bits, matrix.astype(dtype)), spins @ matrix)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_bits_beyond_the_last_spin_do_not_count(dtype, rng):
    _, bits, matrix = problem(rng, 23, 13, 67, dtype)
    others = bits.copy()
    others[:, -1] ^= 0b00000101
    for n_columns in (3, 67):
        columns = np.ascontiguousarray(matrix[:, :n_columns])
        np.testing.assert_array_equal(multiply(others, columns), multiply(bits, columns))


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_column_has_the_same_bits_alone_and_among_others_on_any_number_of_threads(dtype, rng):
    _, bits, matrix = problem(rng, 2053, 197, 131, dtype)
    whole = multiply(bits, matrix)
    for columns in (slice(0, 1), slice(3, 8), slice(60, 90), slice(1, 131)):
        np.testing.assert_array_equal(multiply(bits, np.ascontiguousarray(matrix[:, columns])), whole[:, columns])
    np.testing.assert_array_equal(multiply(bits[5:6], matrix), whole[5:6])
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        np.testing.assert_array_equal(multiply(bits, matrix), whole)
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_the_order_of_addition_is_that_of_the_groups(dtype, rng):
    """The bits themselves: one byte after the other, the sums of its two tables formed as (±w1 ±w2) ± (w3 ± w4)."""
    for n_columns in (3, 71):
        spins, bits, matrix = problem(rng, 5, 21, n_columns, dtype)
        rows = np.concatenate([matrix, np.zeros((3, n_columns), dtype)]).reshape(6, 4, n_columns)
        signs = np.concatenate([spins, np.ones((5, 3), int)], axis=1).astype(dtype).reshape(5, 6, 4, 1)
        groups = []
        for group in range(6):
            w1, w2, w3, w4 = rows[group]
            s1, s2, s3, s4 = np.moveaxis(signs[:, group], 1, 0)
            groups.append((s1 * w1 + s2 * w2) + (s3 * w3 + s4 * w4))
        total = np.zeros((5, n_columns), dtype)
        for byte in range(3):
            total = total + (groups[2 * byte] + groups[2 * byte + 1])
        np.testing.assert_array_equal(multiply(bits, matrix), total)


@pytest.mark.parametrize("shape", [(1, 1), (3, 13), (8, 8), (16, 24), (17, 23), (64, 129), (101, 7)])
def test_transposed_bits(shape, rng):
    spins = rng.choice([-1, 1], size=shape)
    bits = np.packbits(spins > 0, axis=1)
    bits[:, -1] |= (1 << -shape[1] % 8) - 1  # what is beyond the last spin is not read
    transposed = transpose(bits, shape[1])
    np.testing.assert_array_equal(transposed, np.packbits(spins.T > 0, axis=1))
    np.testing.assert_array_equal(column_sums(transposed, shape[0]), spins.sum(axis=0))


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 5, 2), (19, 64, 7), (37, 131, 101)])
def test_one_bit_products_are_exact(size, dtype, rng):
    n_samples, n_spins, n_columns = size
    spins = rng.choice([-1, 1], size=(n_samples, n_spins))
    columns = rng.choice([-1, 1], size=(n_columns, n_spins))
    bits, column_bits = (np.packbits(x > 0, axis=1) for x in (spins, columns))
    bits[:, -1] |= (1 << -n_spins % 8) - 1  # what is beyond the last spin does not count
    scales = rng.normal(size=n_columns).astype(dtype)
    products = one_bit_products(bits, column_bits, n_spins, scales)
    assert products.dtype == dtype
    np.testing.assert_array_equal(products, scales * (spins @ columns.T).astype(dtype))


def test_counts_of_ones(rng):
    words = rng.integers(0, 2**64, size=101, dtype=np.uint64, endpoint=False)
    for number in (*words, np.uint64(0), np.uint64(2**64 - 1), np.uint64(1), np.uint64(2**63)):
        assert count_ones(number) == int(number).bit_count()
    np.testing.assert_array_equal(as_words(np.array([[255, 255]], np.uint8), 11), [[0b1110000011111111]])


DIGESTS = """
import hashlib

import numpy as np

from vmfcore.numerics.bits import one_bit_products, transpose
from vmfcore.numerics.draws import uniform
from vmfcore.numerics.products import multiply

rng = np.random.default_rng(0)
bits, columns = rng.integers(0, 256, size=(2, 67, 17), dtype=np.uint8)
found = [transpose(bits, 131), np.empty(101, np.float32)]
uniform(np.uint64(7), 3, found[1])
for dtype in (np.float64, np.float32):
    for n_columns in (3, 71):
        found.append(multiply(bits, rng.normal(size=(131, n_columns)).astype(dtype)))
    found.append(one_bit_products(bits, columns, 131, rng.normal(size=67).astype(dtype)))
print([hashlib.sha256(array.tobytes()).hexdigest() for array in found])
"""


def test_bits_do_not_depend_on_the_processor(capsys):
    exec(DIGESTS, {})
    # the least that numba knows: vectors of a quarter, or none
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    run = subprocess.run(
        [sys.executable, "-c", DIGESTS], env=os.environ | generic, capture_output=True, text=True, check=True
    )
    assert run.stdout == capsys.readouterr().out


@kernel
def add_neighbours(array, out):
    """A vector of sums and one of differences, from the third number of an array on."""
    simd.store(out, 0, simd.add(simd.load(array, 3), simd.load(array, 4)))
    simd.store(out, simd.n_lanes(array), simd.subtract(simd.load(array, 3), simd.load(array, 4)))


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_vectors_are_slices_of_arrays(dtype, rng):
    """Compiled, and without compilation."""
    n = simd.BYTES // np.dtype(dtype).itemsize
    array, out = rng.normal(size=2 * n).astype(dtype), np.empty(2 * n, dtype)
    add_neighbours(array, out)
    left, right = array[3 : 3 + n], array[4 : 4 + n]
    np.testing.assert_array_equal(out, np.concatenate([left + right, left - right]))
    assert products.N_VECTORS * simd.BYTES // 8 == 32
