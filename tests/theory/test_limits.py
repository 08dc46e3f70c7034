import naive
import numpy as np
import pytest
import scipy

import vmfcore as vmf
from vmfcore.theory.limits import mean_overlap


def test_bayes_optimal_overlaps_at_beta_one():
    q, sign = vmf.bayes_optimal_overlap([2, 5, 10], 1.0)
    # four digits of an independent solution
    np.testing.assert_allclose(q, [0.3898, 0.8265, 0.9695], atol=5e-5)
    np.testing.assert_allclose(sign, [0.5544, 0.8829, 0.9799], atol=5e-5)


@pytest.mark.parametrize(("alpha", "beta"), [(1.3, 1.0), (0.02, 3.0), (170.0, 0.3)])
def test_bayes_optimal_overlap_equals_slow_iteration(alpha, beta):
    # averages good to 1e-9, over 1 - dT/dQ, which is 0.1 to 0.5 at these densities
    assert vmf.bayes_optimal_overlap(alpha, beta)[0] == pytest.approx(naive.bayes_optimal(alpha, beta), abs=5e-8)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_overlap_wakes_up_at_the_threshold(beta):
    alpha_c = vmf.critical_density(beta)
    q, sign = vmf.bayes_optimal_overlap(alpha_c * np.array([0.5, 0.999, 1.001, 2.0]), beta)
    assert (q[:2] == 0).all()
    assert (sign[:2] == 0).all()
    assert 0 < q[2] < 0.01 < q[3]


def test_mean_overlap_limits():
    # T(a) = a - a² + O(a³) and 1 - T ∝ exp(-a/2)
    assert mean_overlap(1e-4) == pytest.approx(1e-4 - 1e-8, rel=1e-6)
    assert mean_overlap(60.0) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 3.0, np.inf])
def test_signs_cosine_and_square_error_are_limited_and_the_overlap_of_means_is_not(sharpness):
    # the scalar channel of theory at α = 3, of which tanh(field) is the posterior mean; κ from the sign, by hand
    q, sign = vmf.bayes_optimal_overlap(3.0, 1.0)
    kappa = 2 * scipy.special.erfinv(float(sign)) ** 2
    rng = np.random.default_rng(4)
    field = kappa + np.sqrt(kappa) * rng.standard_normal(1_000_003)  # ξ* = 1 everywhere
    estimate = np.tanh(sharpness * field) if np.isfinite(sharpness) else np.sign(field)
    overlap, square = estimate.mean(), np.mean(estimate**2)
    tolerance = 3 / np.sqrt(len(field))  # three standard errors of averages of numbers up to 1
    assert np.sign(estimate).mean() == pytest.approx(sign, abs=tolerance)
    assert overlap / np.sqrt(square) < np.sqrt(q) + tolerance
    assert 1 - 2 * overlap + square > 1 - q - tolerance
    # who is right is at both limits; who is too sure has more overlap than Q
    assert (overlap / np.sqrt(square) > np.sqrt(q) - tolerance) == (sharpness == 1)
    assert (1 - 2 * overlap + square < 1 - q + tolerance) == (sharpness == 1)
    assert (overlap > q + tolerance) == (sharpness > 1)


def test_thresholds_of_correlated_hidden_units():
    assert vmf.critical_density(1.0, correlation=0.3) == pytest.approx(0.5957, abs=5e-5)
    assert vmf.critical_density(1.0, correlation=-0.3, prior="matched") == pytest.approx(0.3549, abs=5e-5)
    # β = 2, q = 0.5: signal 1.5 (1 + tanh 2)
    signal = 1.5 * (1 + np.tanh(2.0))
    assert vmf.critical_density(2, correlation=0.5) == pytest.approx(1 / (16 * signal), rel=1e-12)
    assert vmf.critical_density(2, correlation=0.5, prior="matched") == pytest.approx((4 * signal) ** -2, rel=1e-12)
    for prior in ("uniform", "matched"):
        assert vmf.critical_density(1.3, correlation=0.0, prior=prior) == pytest.approx(1.3**-4)


def test_overlap_is_one_far_above_the_threshold():
    np.testing.assert_allclose(vmf.bayes_optimal_overlap([100, 300, 1e4, 1e6], 1.0), 1, atol=1e-6)


@pytest.mark.parametrize(("alpha", "beta"), [(4.0, 1.0), (30.0, 0.6)])
def test_principal_component_of_samples(alpha, beta):
    teacher = vmf.planted(1009, 1, beta, seed=6)
    spins = vmf.sample(teacher, round(alpha * 1009), seed=7).astype(float)
    leading = np.linalg.eigh(spins.T @ spins)[1][:, -1]
    cosine = abs(leading @ teacher.weights[:, 0]) / np.sqrt(1009)
    # one instance at N = 1009 scatters by about 0.5/√N = 0.016; three of these
    assert cosine == pytest.approx(float(vmf.theory.principal_component_overlap(alpha, beta)), abs=0.05)
    assert (vmf.theory.principal_component_overlap(np.array([0.5, 1.0]), 1.0) == 0).all()


@pytest.mark.parametrize(("alpha", "beta"), [(1.3, 1.0), (3.0, 1.0), (5.0, 1.0), (0.02, 3.0), (0.5, 2.0), (170.0, 0.3)])
def test_free_entropy_equals_slow_integrals(alpha, beta):
    slow = naive.free_entropy(alpha, beta)
    # stationary in Q, so that averages good to 1e-12 a sample are what is left
    assert vmf.theory.free_entropy(alpha, beta) == pytest.approx(slow, abs=1e-9 * (1 + alpha))
    assert vmf.theory.evidence_ceiling(alpha, beta) == pytest.approx(slow - np.log(2), abs=1e-9 * (1 + alpha))


def test_evidence_ceiling_at_beta_one():
    # four digits of an independent solution
    np.testing.assert_allclose(vmf.theory.evidence_ceiling([3, 5], 1.0), [0.0634, 0.2569], atol=5e-5)
    np.testing.assert_allclose(vmf.theory.evidence_ceiling([0.01, 0.5, 0.99], 1.0), 0, atol=1e-12)


@pytest.mark.parametrize("beta", [0.3, 1.0, 3.0])
def test_theory_over_four_decades_of_density(beta):
    alphas = np.geomspace(0.01, 100, 60)
    q, sign = vmf.bayes_optimal_overlap(alphas, beta)
    entropy = vmf.theory.bayes_optimal_entropy(alphas, beta)
    evidence = vmf.theory.evidence_ceiling(alphas, beta)
    for curve in (q, sign, evidence, -entropy):
        assert np.diff(curve).min() > -1e-8
    assert ((entropy > -1e-8) & (entropy <= np.log(2))).all()
    # the derivative of the log-evidence by the number of data is what a new datum tells: α' = (ln P)' by Nishimori
    h = 1e-4
    slope = (vmf.theory.free_entropy(alphas * (1 + h), beta) - vmf.theory.free_entropy(alphas * (1 - h), beta)) / (
        2 * h * alphas
    )
    q2 = beta**2 * q
    term = -0.5 * q2 + np.array([naive.gaussian_average(lambda z, a=a: naive.log2cosh(a + np.sqrt(a) * z)) for a in q2])
    away = np.abs(np.log(alphas * beta**4)) > 0.05  # finite differences across the threshold are none
    np.testing.assert_allclose(slope[away], term[away] - np.log(2), atol=2e-5)


def test_entropy_of_few_data_is_that_of_the_prior():
    assert vmf.theory.bayes_optimal_entropy(1e-3, 1.0) == pytest.approx(np.log(2), abs=1e-3)
    assert vmf.theory.bayes_optimal_entropy(100.0, 1.0) == pytest.approx(0, abs=1e-8)
