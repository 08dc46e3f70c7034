import naive
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.bounds.enumeration import mean_log_partition
from vmfcore.networks.exact import hidden_states, log_partition


@pytest.mark.parametrize(("n_visible", "n_hidden", "q"), [(7, 1, 0.0), (4, 2, 0.3), (4, 2, -0.2), (2, 3, 0.1)])
def test_posterior_equals_the_slow_sum(n_visible, n_hidden, q, rng):
    spins = rng.choice([-1, 1], size=(5, n_visible))
    log_evidence, means = naive.posterior(spins, n_hidden, 1.3, naive.site_prior(0.2, q))
    got = vmf.exact_posterior(spins, n_hidden, 1.3, prior=vmf.Prior(0.2, q))
    assert got.log_evidence == pytest.approx(log_evidence, rel=1e-12)
    np.testing.assert_allclose(got.means, means, atol=1e-12)


def test_mirror_images_leave_no_means_and_few_data_no_evidence(rng):
    spins = rng.choice([-1, 1], size=(1, 6))
    got = vmf.exact_posterior(spins, 2, 0.8)
    np.testing.assert_allclose(got.means, 0, atol=1e-14)
    assert got.log_evidence == pytest.approx(-6 * np.log(2), rel=1e-12)  # one datum: all are alike by gauge symmetry


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(7, 1), (5, 2), (3, 3), (2, 4)])
def test_mean_log_partition_equals_the_sum_over_weights(n_visible, n_hidden, rng):
    means = rng.uniform(-1, 1, size=(n_visible, n_hidden))
    means[0, 0] = 1.0
    assert mean_log_partition(means, 1.4) == pytest.approx(naive.mean_log_z(means, 1.4), rel=1e-12)


def test_mean_log_partition_of_decided_synapses_is_ln_z(rng):
    weights = rng.choice([-1.0, 1.0], size=(101, 2))
    expected = log_partition(1.2 / np.sqrt(101) * weights, np.zeros(101), np.zeros(2))
    assert mean_log_partition(weights, 1.2) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n_hidden", "q"), [(1, 0.0), (2, 0.4), (2, -0.4), (3, 0.2)])
def test_prior_has_the_moments_it_is_named_after(n_hidden, q):
    states, p = hidden_states(n_hidden), np.exp(vmf.Prior(0.15, q).log_weights(n_hidden))
    assert p.sum() == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(p @ states, 0.15, atol=1e-14)
    covariance = (states.T * p) @ states - 0.15**2
    np.testing.assert_allclose(covariance[np.triu_indices(n_hidden, 1)], q, atol=1e-14)
