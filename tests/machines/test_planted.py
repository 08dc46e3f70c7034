import naive
import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import chisquare

import vmfcore as vmf
from vmfcore.machines import planted as rbm


@pytest.mark.parametrize(("n_hidden", "correlation"), [(1, 0), (2, 0.3), (2, -0.6), (3, 0.3), (5, 0)])
def test_planted_weights_have_the_correlation(n_hidden, correlation):
    weights = vmf.planted_weights(40009, n_hidden, correlation=correlation, seed=5)
    assert weights.dtype == np.int8
    assert set(np.unique(weights)) == {-1, 1}
    r = weights.T @ weights.astype(float) / len(weights)
    # five standard errors of a mean of 40009 signs
    np.testing.assert_allclose(r[~np.eye(n_hidden, dtype=bool)], correlation, atol=5 / np.sqrt(40009))


@pytest.mark.parametrize("n_sweeps", [None, 60])
def test_samples_follow_the_distribution(n_sweeps):
    weights = vmf.planted_weights(5, 3, seed=11)
    spins = vmf.sample_spins(weights, 1.3, 20011, seed=2, n_sweeps=n_sweeps)
    index = ((spins + 1) // 2) @ 2 ** np.arange(4, -1, -1)
    p = naive.visible_distribution(weights, 1.3)
    # a right sampler falls below 1e-3 once in a thousand seeds; a wrong one (one field's sign) gives 0
    assert chisquare(np.bincount(index, minlength=32), 20011 * p).pvalue > 1e-3


def test_gibbs_sweeps_keep_the_exact_distribution():
    weights = vmf.planted_weights(101, 3, seed=3)
    moments = []
    for n_sweeps in (None, 30):
        spins = vmf.sample_spins(weights, 1.0, 4001, seed=4, n_sweeps=n_sweeps).astype(float)
        moments.append(((spins @ weights) ** 2 / 101).mean(axis=0))
    # X² has a spread of about 2.5 a sample: five standard errors of the difference of two means of 4001
    np.testing.assert_allclose(moments[0], moments[1], atol=5 * 2.5 * np.sqrt(2 / 4001))


def test_more_than_sixteen_hidden_units_relax_by_default():
    weights = np.repeat(vmf.planted_weights(23, 1, seed=1), 17, axis=1)
    # all hidden units alike: one state and its mirror image, X² is the same in both; exact value by enumeration of X
    spins = vmf.sample_spins(weights, 0.6, 3001, seed=4).astype(float)
    x = np.arange(-23, 24, 2) / np.sqrt(23)
    log_p = np.array([gammaln(24) - gammaln(k + 1) - gammaln(24 - k) for k in range(24)]) + 17 * naive.log2cosh(0.6 * x)
    p = np.exp(log_p - np.logaddexp.reduce(log_p))
    measured = (spins @ weights[:, 0]) ** 2 / 23
    # three standard errors
    assert measured.mean() == pytest.approx(p @ x**2, abs=3 * measured.std() / np.sqrt(3001))


def test_teacher_and_data_draw_from_different_streams_of_a_seed():
    assert rbm.TEACHER != rbm.SAMPLES
    streams = [np.random.default_rng([9, stream]).random(5003) for stream in (rbm.TEACHER, rbm.SAMPLES)]
    assert abs(np.corrcoef(streams)[0, 1]) < 4 / np.sqrt(5003)


def test_seeds_repeat_and_differ():
    weights = vmf.planted_weights(17, 19, seed=1)
    one, two, other = (vmf.sample_spins(weights, 1.0, 7, seed=s) for s in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()


def test_conditionals_are_those_of_the_joint_distribution(rng):
    weights, sigma, h = rng.choice([-1, 1], size=(5, 3)), rng.choice([-1, 1], size=5), rng.choice([-1, 1], size=3)
    couplings = 0.8 / np.sqrt(5) * weights
    wall = 50.0  # a field that fixes a layer
    _, _, r, _ = naive.network_averages(couplings, wall * sigma, np.zeros(3))
    _, m, _, _ = naive.network_averages(couplings, np.zeros(5), wall * h)
    np.testing.assert_allclose(vmf.hidden_from_visible(weights, 0.8, sigma[None])[0], r, atol=1e-12)
    np.testing.assert_allclose(vmf.visible_from_hidden(weights, 0.8, h[None])[0], m, atol=1e-12)
