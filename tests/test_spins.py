import naive
import numpy as np
import pytest

from vmfcore.spins import binary_entropy, gauss_hermite, gaussian_averages, half_line_grid, log2cosh


def test_log2cosh_is_finite_and_exact_at_any_size():
    x = np.array([0.0, 1e-8, -0.5, 3.0, -40.0, 1e4])
    np.testing.assert_allclose(log2cosh(x), naive.log2cosh(x), rtol=1e-15)


def test_entropy_of_decided_and_free_spins():
    means = np.array([-1.0, 0.0, 0.6, 1.0])
    p = 0.8
    expected = [0.0, np.log(2), -p * np.log(p) - (1 - p) * np.log(1 - p), 0.0]
    np.testing.assert_allclose(binary_entropy(means), expected, atol=1e-15)


def test_gauss_hermite_gives_the_moments_of_a_standard_normal():
    nodes, weights = gauss_hermite(11)
    for power, moment in [(0, 1), (2, 1), (4, 3), (6, 15), (20, 654729075)]:
        assert weights @ nodes**power == pytest.approx(moment, rel=1e-12)


def test_half_line_grid_integrates_an_even_function():
    nodes, weights = half_line_grid(0.7)
    # exact: E cos(z) = exp(-1/2); the rule is built for an error of 1e-10
    assert 2 * weights @ np.cos(nodes) == pytest.approx(np.exp(-0.5), abs=1e-10)


@pytest.mark.parametrize("beta", [0.1, 1.0, 3.0, 11.0])
def test_gaussian_averages_equal_adaptive_quadrature(rng, beta):
    fields, widths = beta * 1.5 * rng.normal(size=(3, 7)), beta * np.array([0.0, 0.4, 1.0])
    value, mean, slope = gaussian_averages(fields, widths)
    expected = np.zeros((3, *fields.shape))
    for row, a in np.ndindex(*fields.shape):
        x, w = fields[row, a], widths[row]
        expected[0, row, a] = naive.gaussian_average(lambda z, x=x, w=w: naive.log2cosh(x + w * z))
        expected[1, row, a] = naive.gaussian_average(lambda z, x=x, w=w: np.tanh(x + w * z))
        expected[2, row, a] = naive.gaussian_average(lambda z, x=x, w=w: 1 - np.tanh(x + w * z) ** 2)
    # the grid is built for 1e-10 a term of a function of order 1; sech² has a double pole, ln 2cosh a size of beta
    assert value == pytest.approx(expected[0].sum(), abs=fields.size * 1e-10 * (1 + 2 * beta))
    np.testing.assert_allclose(mean, expected[1], atol=1e-9)
    np.testing.assert_allclose(slope, expected[2], atol=1e-8)


def test_gaussian_averages_of_saturated_fields_stay_finite():
    value, mean, slope = gaussian_averages(np.array([[-1e4, 0.0, 1e4]]), np.array([50.0]))
    np.testing.assert_allclose(mean, [[-1, 0, 1]], atol=1e-12)
    assert np.isfinite(value)
    assert slope[0, 0] == pytest.approx(0, abs=1e-12)
