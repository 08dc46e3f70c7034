import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import vmfcore as vmf
from vmfcore.networks.resolvent import resolvent

ENSEMBLES = [("iid", None), ("orthogonal", None), ("power-law", 0.3), ("power-law", 3.0)]


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(13, 5), (5, 11), (7, 7), (3, 1)])
def test_resolvent_equals_traces_of_matrices(rng, n_visible, n_hidden):
    couplings = rng.normal(size=(n_visible, n_hidden))
    x = 0.37
    squares = np.linalg.svd(couplings, compute_uv=False) ** 2
    solution = resolvent(squares, x, n_visible, n_hidden)
    z = (1 + solution.tau).prod() / x
    for n, s in ((n_visible, couplings @ couplings.T), (n_hidden, couplings.T @ couplings)):
        trace = np.trace(np.linalg.inv(z * np.eye(n) - s)) / n
        tau = solution.tau[0 if n == n_visible else 1]
        assert z * trace == pytest.approx(1 + tau, rel=1e-10)
    np.testing.assert_allclose(solution.gaps, x * (z - squares), rtol=1e-9)
    assert solution.edge_ratio == pytest.approx(z / squares.max(), rel=1e-10)


@given(
    squares=arrays(float, st.integers(1, 30), elements=st.floats(1e-12, 1e4) | st.just(0.0)),
    x=st.floats(1e-300, 1.0) | st.just(0.0),
    more=st.integers(0, 50),
)
def test_resolvent_solves_its_equation(squares, x, more):
    sizes = len(squares) + more, len(squares)
    solution = resolvent(squares, x, *sizes)
    assert (solution.gaps > 0).all()
    assert solution.edge_ratio > 1
    assert solution.total == pytest.approx((squares / solution.gaps).sum(), rel=1e-13)
    # (1 + τ_v)(1 + τ_h) = d_k + x s_k²: Newton's method ends at 1e-14 of the gap
    expected = (1 + x * solution.total / sizes[0]) * (1 + x * solution.total / sizes[1])
    np.testing.assert_allclose(solution.gaps + x * squares, expected, rtol=1e-12)


def test_resolvent_of_several_networks_is_that_of_each(rng):
    squares = rng.uniform(size=5)
    x = rng.uniform(size=(2, 3))
    batch = resolvent(squares, x, 7, 5)
    for index in np.ndindex(x.shape):
        for part, single in zip(batch, resolvent(squares, x[index], 7, 5), strict=True):
            np.testing.assert_allclose(part[index], single, rtol=1e-13)


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(31, 17), (17, 31), (23, 23)])
@pytest.mark.parametrize(("ensemble", "exponent"), ENSEMBLES[1:])
def test_couplings_have_the_singular_values_of_their_ensemble(n_visible, n_hidden, ensemble, exponent):
    arguments = n_visible, n_hidden, ensemble
    couplings = vmf.theory.random_couplings(*arguments, strength=1.7, exponent=exponent, seed=0)
    expected = vmf.theory.ensemble_spectrum(*arguments, strength=1.7, exponent=exponent)
    assert couplings.shape == (n_visible, n_hidden)
    np.testing.assert_allclose(np.linalg.svd(couplings, compute_uv=False), expected, atol=1e-13)
    if ensemble == "power-law":  # quantiles of u^exponent: mean square 1/(2 exponent + 1), by the midpoint rule
        assert np.mean(expected**2) == pytest.approx(1.7**2 / (2 * exponent + 1), rel=0.02)
        assert expected[0] < 1.7


def test_a_spectrum_of_your_own(rng):
    values = rng.uniform(size=5)
    couplings = vmf.theory.random_couplings(7, 5, values, strength=2.0, seed=1)
    np.testing.assert_array_equal(vmf.theory.ensemble_spectrum(7, 5, values, strength=2.0), 2 * values)
    np.testing.assert_allclose(np.linalg.svd(couplings, compute_uv=False), np.sort(2 * values)[::-1], atol=1e-13)


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(1201, 601), (601, 1201), (701, 701)])
def test_iid_couplings_have_the_spectrum_of_marchenko_and_pastur(n_visible, n_hidden):
    spectrum = vmf.theory.ensemble_spectrum(n_visible, n_hidden, "iid", strength=1.3)
    drawn = np.linalg.svd(
        vmf.theory.random_couplings(n_visible, n_hidden, "iid", strength=1.3, seed=2), compute_uv=False
    )
    # eigenvalues are rigid: in the bulk they leave their quantiles by about ln(n)/n, at the edges by n^(-2/3) = 0.014
    np.testing.assert_allclose(spectrum, drawn, atol=0.03)
    # exact moments of the law: tr JᵀJ = strength² P, tr (JᵀJ)² = strength⁴ P (1 + P/N)
    assert (spectrum**2).sum() == pytest.approx(1.3**2 * n_hidden, rel=1e-5)
    assert (spectrum**4).sum() == pytest.approx(1.3**4 * n_hidden * (1 + n_hidden / n_visible), rel=1e-4)


def test_singular_vectors_are_uniform_over_rotations():
    # of an orthogonal 3 x 2 matrix: <J_iμ> = 0, <J_iμ²> = 1/3, <J_iμ⁴> = 3/(3·5), <J_11 J_12 J_21 J_22> = -1/(2·3·5)
    drawn = np.stack([vmf.theory.random_couplings(3, 2, "orthogonal", seed=seed) for seed in range(4000)])
    error = 4 / np.sqrt(4000)  # four standard errors of averages of numbers up to 1
    assert np.abs(drawn.mean(axis=0)).max() < error / np.sqrt(3)
    np.testing.assert_allclose((drawn**2).mean(axis=0), 1 / 3, atol=error * 0.3)
    np.testing.assert_allclose((drawn**4).mean(axis=0), 1 / 5, atol=error * 0.27)
    assert drawn[:, :2].prod(axis=(1, 2)).mean() == pytest.approx(-1 / 30, abs=error * 0.1)


@pytest.mark.parametrize(("ensemble", "exponent"), ENSEMBLES)
def test_seeds_repeat_couplings(ensemble, exponent):
    one = vmf.theory.random_couplings(7, 3, ensemble, exponent=exponent, seed=3)
    same = vmf.theory.random_couplings(7, 3, ensemble, exponent=exponent, seed=3)
    other = vmf.theory.random_couplings(7, 3, ensemble, exponent=exponent, seed=4)
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()
