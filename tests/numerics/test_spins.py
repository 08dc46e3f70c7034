import naive
import numpy as np
import pytest

from vmfcore.numerics.spins import binary_entropy, gauss_hermite, half_line_grid, log2cosh


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
