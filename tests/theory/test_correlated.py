import naive
import numpy as np
import pytest

import vmfcore as vmf

QUANTITIES = ("means_overlap", "sign_overlap", "cross_overlap", "mean_square")


@pytest.mark.parametrize(
    ("alpha", "beta", "q", "prior"),
    [
        (0.4, 1.0, 0.3, "uniform"),
        (0.75, 1.0, 0.3, "uniform"),
        (3.0, 1.0, 0.3, "uniform"),
        (2.4, 1.0, 0.5, "matched"),
        (0.4, 1.7, 0.2, "uniform"),
    ],
)
def test_state_evolution_equals_slow_sums_over_a_dense_grid(alpha, beta, q, prior):
    fast = vmf.theory.correlated_overlap(alpha, beta, correlation=q, prior=prior)
    slow = naive.correlated_overlap(alpha, beta, q, q if prior == "matched" else 0.0)
    for name in ("means_overlap", "cross_overlap", "mean_square"):
        assert getattr(fast, name) == pytest.approx(slow[name], abs=1e-6), name  # 1e-8 an iteration of the slow one
    if alpha < vmf.critical_density(beta, correlation=q, prior=prior):
        assert fast.sign_overlap == 0
        return  # the sign of nothing
    # the sign jumps between the points of the slow grid, 0.06 apart in units of the width
    assert fast.sign_overlap == pytest.approx(slow["sign_overlap"], abs=5e-3)


def test_independent_units_follow_the_scalar_equation():
    alphas = [0.5, 1.2, 3.0, 12.0]
    got = vmf.theory.correlated_overlap(alphas, 1.0, correlation=0.0)
    q, sign = vmf.bayes_optimal_overlap(alphas, 1.0)
    for name, expected in zip(QUANTITIES, (q, sign, 0 * q, q), strict=True):
        np.testing.assert_allclose(getattr(got, name), expected, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("prior", ["uniform", "matched"])
@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_it_wakes_up_at_the_threshold(beta, prior):
    alpha_c = vmf.critical_density(beta, correlation=0.3, prior=prior)
    got = vmf.theory.correlated_overlap(
        alpha_c * np.array([0.5, 0.999, 1.001, 2.0]), beta, correlation=0.3, prior=prior
    )
    for name in QUANTITIES:
        assert (getattr(got, name)[:2] == 0).all(), name
        assert 0 < getattr(got, name)[2] < getattr(got, name)[3], name


def test_a_right_prior_is_calibrated_and_the_sign_of_q_does_not_matter():
    alphas = np.geomspace(0.3, 30, 7)
    right = vmf.theory.correlated_overlap(alphas, 1.0, correlation=0.4, prior="matched")
    np.testing.assert_allclose(right.mean_square, right.means_overlap, atol=1e-8)  # Nishimori
    wrong = vmf.theory.correlated_overlap(alphas, 1.0, correlation=0.4)
    assert (right.means_overlap >= wrong.means_overlap).all()  # never better than with the right prior
    mirrored = vmf.theory.correlated_overlap(alphas, 1.0, correlation=-0.4)
    for name in QUANTITIES:
        np.testing.assert_array_equal(getattr(mirrored, name), getattr(wrong, name))
    assert right.means_overlap[-1] == pytest.approx(1, abs=1e-3)  # α = 30 is not infinite
    assert right.cross_overlap[-1] == pytest.approx(0.4, abs=1e-3)


@pytest.mark.parametrize("beta", [0.3, 1.0, 3.0])
def test_curves_rise_from_the_smallest_to_the_largest_density(beta):
    for prior in ("uniform", "matched"):
        got = vmf.theory.correlated_overlap(np.geomspace(0.01, 100, 50), beta, correlation=0.3, prior=prior)
        assert np.diff(got.means_overlap).min() > -1e-8
        assert got.sign_overlap.max() <= 1 + 1e-9
