import naive
import numpy as np
import pytest

from vmfcore.bounds import rows
from vmfcore.numerics import vectors

PRECISIONS = (np.float64, np.float32)
SIZES = [1, 7, 17, 61, 131, 1009]  # below and above LANES, and 4 LANES, where products start to halve


def run_gaussian(fields, width, dtype=np.float64, with_value=True):
    """`gaussian_row` on a copy of the fields: sum of values, means, sum of slopes."""
    row = np.array(fields, dtype)
    grid = rows.gaussian_grid(np.array([width]), np.dtype(dtype))
    constants = vectors.constants_of(np.dtype(dtype))
    value, slope = rows.gaussian_row(row, grid.pairs[0], grid, constants, with_value, rows.gaussian_work(row))
    return value, row, slope


def run_reaction(fields, variance, dtype=np.float64, with_value=True):
    """`reaction_row` on a copy of the fields: sum of values, r, sum of slopes."""
    row = np.array(fields, dtype)
    constants = vectors.constants_of(np.dtype(dtype))
    value, slope = rows.reaction_row(row, dtype(variance), constants, with_value, rows.reaction_work(row))
    return value, row, slope


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_exp_over_its_whole_range(dtype):
    constants = vectors.constants_of(np.dtype(dtype))
    limit = float(constants.largest_argument)
    inside = np.concatenate([np.linspace(-limit / 2, limit / 2, 100_003), np.geomspace(1e-30, limit / 2, 5003), [0.0]])
    beyond = np.array([0.51 * limit, limit, 1e4, -1e30])
    for x in (inside.astype(dtype), beyond.astype(dtype)):
        out = np.empty_like(x)
        vectors.exp(x, constants, out, np.empty_like(x), np.empty(x.size, np.int32))
        # Taylor's remainder 6e-15 and some roundings
        tolerance = 1e-14 if dtype == np.float64 else 2e-7
        np.testing.assert_allclose(out, np.exp(-np.minimum(2 * np.abs(x.astype(float)), limit)), rtol=tolerance)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_log_over_all_normal_numbers(dtype):
    limits = np.finfo(dtype)
    powers = 2.0 ** np.linspace(np.log2(float(limits.tiny)), np.log2(float(limits.max)) - 1e-6, 100_003)
    x = np.concatenate([powers, 1 + np.linspace(-0.4, 0.6, 30_011), [1.0, limits.tiny, limits.max]]).astype(dtype)
    out, expected = np.empty_like(x), np.log(x.astype(np.longdouble)).astype(float)
    vectors.log(x.copy(), vectors.log_constants_of(np.dtype(dtype)), out)
    np.testing.assert_allclose(out, expected, rtol=3 * limits.eps, atol=0)  # measured 2 ulp


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("size", SIZES)
def test_sums_of_any_length(dtype, size, rng):
    x = rng.normal(size=size).astype(dtype)
    total = vectors.lane_sum(x, np.empty(vectors.LANES))
    assert total == pytest.approx(x.astype(np.longdouble).sum(), abs=1e-13 * size)  # doubles, of order 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("dtype", "largest"),
    [
        (np.float64, 0.7),
        (np.float64, 9.0),
        (np.float64, 110.0),
        (np.float64, 690.0),
        (np.float32, 9.0),
        (np.float32, 79.0),
    ],
)
def test_sums_of_logarithms_do_not_overflow(dtype, largest, size, rng):
    for logs in (rng.uniform(0, largest, size=size), np.full(size, largest)):
        x = np.exp(logs).astype(dtype)
        factors = vectors.max_factors(largest, np.dtype(dtype))
        expected = np.log(x.astype(np.longdouble)).sum()
        got = vectors.sum_of_logs(x, factors, np.empty(vectors.LANES))
        # a relative rounding error a factor is an absolute one in its logarithm
        assert got == pytest.approx(float(expected), abs=float(np.finfo(dtype).eps) * size, rel=1e-15)


@pytest.mark.parametrize("beta", [0.1, 1.0, 3.0, 11.0])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_gaussian_averages_equal_adaptive_quadrature(rng, beta, share):
    fields, w = beta * 1.5 * rng.normal(size=7), beta * share
    value, mean, slope = run_gaussian(fields, w)
    expected = np.zeros((3, 7))
    for a, x in enumerate(fields):
        expected[0, a] = naive.gaussian_average(lambda z, x=x: naive.log2cosh(x + w * z))
        expected[1, a] = naive.gaussian_average(lambda z, x=x: np.tanh(x + w * z))
        expected[2, a] = naive.gaussian_average(lambda z, x=x: 1 - np.tanh(x + w * z) ** 2)
    # the grid is built for 1e-10 a term of a function of order 1; sech² has a double pole, ln 2cosh a size of beta
    assert value == pytest.approx(expected[0].sum(), abs=fields.size * 1e-10 * (1 + 2 * beta))
    np.testing.assert_allclose(mean, expected[1], atol=1e-9)
    assert slope == pytest.approx(expected[2].sum(), abs=1e-8)


def test_gaussian_averages_of_the_largest_widths():
    fields = np.array([-170.0, -3.0, 1e-5, 41.0, 350.0])
    value, mean, slope = run_gaussian(fields, 50.0)
    rows = [
        [naive.gaussian_sum(lambda z, x=x, f=f: f(x + 50 * z)) for x in fields]
        for f in (naive.log2cosh, np.tanh, lambda y: 1 - np.tanh(y) ** 2)
    ]
    # as above, with beta = 50
    assert value == pytest.approx(np.sum(rows[0]), abs=5 * 1e-10 * 101)
    np.testing.assert_allclose(mean, rows[1], atol=1e-9)
    assert slope == pytest.approx(np.sum(rows[2]), abs=1e-8)


@pytest.mark.parametrize("width", [0.0, 8.0, 50.0])
def test_gaussian_averages_of_saturated_fields_stay_finite(width):
    value, mean, slope = run_gaussian([-1e4, 0.0, 1e4], width)
    np.testing.assert_allclose(mean, [-1, 0, 1], atol=1e-12)
    middle = naive.gaussian_sum(lambda z: naive.log2cosh(width * z))
    assert value == pytest.approx(2e4 + middle, rel=1e-12)
    # only the field in the middle is free
    assert slope == pytest.approx(naive.gaussian_sum(lambda z: 1 - np.tanh(width * z) ** 2), abs=1e-8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("beta", [0.1, 1.0, 8.0])
def test_gaussian_averages_in_single_precision(rng, beta, size):
    fields = (beta * 1.5 * rng.normal(size=size)).astype(np.float32)
    for w in (0.0, 0.4 * beta, beta):
        single, double = run_gaussian(fields, w, np.float32), run_gaussian(fields.astype(float), w)
        assert single[1].dtype == np.float32
        # the grid of single precision is built for 2e-6 a term: measured 1e-5 for value and mean; sech² with its double
        # pole is good to 1e-4, which enters the gradient with another factor β/√N
        np.testing.assert_allclose(single[0], double[0], atol=2e-5 * size)
        np.testing.assert_allclose(single[1], double[1], atol=2e-5)
        np.testing.assert_allclose(single[2], double[2], atol=1.2e-4 * size)


@pytest.mark.parametrize("variance", [0.0, 1e-6, 0.5, 3.0, 64.0, 2500.0])
def test_reaction_solves_its_equation_for_any_field_and_variance(variance):
    fields = np.concatenate([[0], np.geomspace(1e-8, 1e4, 61)])
    fields = np.concatenate([-fields, fields])
    y = np.array([naive.field_with_reaction(x, variance) for x in fields])
    expected = np.tanh(y)
    entropy = naive.log2cosh(y) - y * expected
    value, r, slope = run_reaction(fields, variance)
    np.testing.assert_allclose(r, expected, rtol=1e-12, atol=1e-15)  # measured 1e-15
    assert value == pytest.approx(np.sum(entropy + fields * r + variance * (1 - r**2) / 2), rel=1e-13)
    assert slope == pytest.approx(np.sum(1 - expected**2), rel=1e-12)


@pytest.mark.parametrize("variance", [0.0, 1e-6, 0.5, 3.0, 64.0])
def test_reaction_in_single_precision(variance):
    fields = np.concatenate([[0], np.geomspace(1e-8, 1e3, 61)]).astype(np.float32)
    fields = np.concatenate([-fields, fields])
    single, double = run_reaction(fields, variance, np.float32), run_reaction(fields.astype(float), variance)
    assert single[1].dtype == np.float32
    np.testing.assert_allclose(single[1], double[1], atol=5e-7)  # a few roundings of 6e-8: measured 9e-8
    # terms as large as their fields and variances, each to single precision
    assert single[0] == pytest.approx(double[0], rel=1e-7, abs=1e-6 * fields.size)
    assert single[2] == pytest.approx(double[2], abs=5e-7 * fields.size)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("run", [run_gaussian, run_reaction])
def test_derivatives_without_value_are_the_same_to_the_bit(run, dtype, rng):
    fields = 3 * rng.normal(size=131)
    _, means, slope = run(fields, 0.8, dtype)
    value, means_alone, slope_alone = run(fields, 0.8, dtype, with_value=False)
    assert np.isnan(value)
    np.testing.assert_array_equal(means_alone, means)
    assert slope_alone == slope
