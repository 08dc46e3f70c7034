import naive
import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import chisquare

import vmfcore as vmf
from vmfcore.machines import machine as machines
from vmfcore.numerics.streams import Stream, generator


@pytest.mark.parametrize(("n_hidden", "correlation"), [(1, 0), (2, 0.3), (2, -0.6), (3, 0.3), (5, 0)])
def test_planted_weights_have_the_correlation(n_hidden, correlation):
    weights = vmf.planted(40009, n_hidden, 1.0, correlation=correlation, seed=5).weights
    assert weights.dtype == np.int8
    assert set(np.unique(weights)) == {-1, 1}
    r = weights.T @ weights.astype(float) / len(weights)
    # five standard errors of a mean of 40009 signs
    np.testing.assert_allclose(r[~np.eye(n_hidden, dtype=bool)], correlation, atol=5 / np.sqrt(40009))


def test_a_teacher_is_a_machine_without_fields():
    for beta in (0.7, [0.7, 1.3, 2.0]):
        teacher = vmf.planted(17, 3, beta, seed=1)
        np.testing.assert_array_equal(teacher.beta, np.broadcast_to(beta, 3))
        np.testing.assert_array_equal(teacher.visible_fields, np.zeros(17))
        np.testing.assert_array_equal(teacher.hidden_fields, np.zeros(3))
        # the temperature does not touch the synapses
        np.testing.assert_array_equal(teacher.weights, vmf.planted(17, 3, 1.0, seed=1).weights)


@pytest.mark.parametrize("n_sweeps", [None, 60])
def test_samples_follow_the_distribution(n_sweeps):
    teacher = vmf.planted(5, 3, 1.3, seed=11)
    spins = vmf.sample(teacher, 20011, seed=2, n_sweeps=n_sweeps)
    index = ((spins + 1) // 2) @ 2 ** np.arange(4, -1, -1)
    p = naive.visible_distribution(teacher.weights, 1.3)
    # a right sampler falls below 1e-3 once in a thousand seeds; a wrong one (one field's sign) gives 0
    assert chisquare(np.bincount(index, minlength=32), 20011 * p).pvalue > 1e-3


@pytest.mark.parametrize("from_exact_samples", [False, True])
def test_gibbs_sweeps_keep_the_exact_distribution(from_exact_samples):
    teacher = vmf.planted(101, 3, 1.0, seed=3)
    exact = vmf.sample(teacher, 4001, seed=4)
    # an exact sample, another seed's, is where the chains start that must stay in the distribution
    start = vmf.sample(teacher, 4001, seed=5) if from_exact_samples else None
    chains = vmf.sample(teacher, 4001, start=start, n_sweeps=30, seed=6 if from_exact_samples else 4)
    moments = [((spins.astype(float) @ teacher.weights) ** 2 / 101).mean(axis=0) for spins in (exact, chains)]
    # X² has a spread of about 2.5 a sample: five standard errors of the difference of two means of 4001
    np.testing.assert_allclose(moments[0], moments[1], atol=5 * 2.5 * np.sqrt(2 / 4001))


def test_more_than_sixteen_hidden_units_relax_by_default():
    weights = np.repeat(vmf.planted(23, 1, 0.6, seed=1).weights, 17, axis=1)
    # all hidden units alike: one state and its mirror image, X² is the same in both; exact value by enumeration of X
    spins = vmf.sample(vmf.Machine(weights, 0.6), 3001, seed=4).astype(float)
    x = np.arange(-23, 24, 2) / np.sqrt(23)
    log_p = np.array([gammaln(24) - gammaln(k + 1) - gammaln(24 - k) for k in range(24)]) + 17 * naive.log2cosh(0.6 * x)
    p = np.exp(log_p - np.logaddexp.reduce(log_p))
    measured = (spins @ weights[:, 0]) ** 2 / 23
    # three standard errors
    assert measured.mean() == pytest.approx(p @ x**2, abs=3 * measured.std() / np.sqrt(3001))


def test_teacher_and_data_draw_from_different_streams_of_a_seed():
    assert Stream.TEACHER != Stream.SAMPLES
    streams = [generator(9, stream).random(5003) for stream in (Stream.TEACHER, Stream.SAMPLES)]
    assert abs(np.corrcoef(streams)[0, 1]) < 4 / np.sqrt(5003)


def test_seeds_repeat_and_differ():
    teacher = vmf.planted(17, 19, 1.0, seed=1)
    one, two, other = (vmf.sample(teacher, 7, seed=s) for s in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()
    again, another = (vmf.planted(17, 19, 1.0, seed=s).weights for s in (1, 2))
    assert (again == teacher.weights).all()
    assert (another != teacher.weights).any()


def test_conditionals_are_those_of_the_joint_distribution(rng):
    weights, sigma, h = rng.choice([-1, 1], size=(5, 3)), rng.choice([-1, 1], size=5), rng.choice([-1, 1], size=3)
    machine = vmf.Machine(weights, 0.8)
    couplings = 0.8 / np.sqrt(5) * weights
    wall = 50.0  # a field that fixes a layer
    _, _, r, _ = naive.network_averages(couplings, wall * sigma, np.zeros(3))
    _, m, _, _ = naive.network_averages(couplings, np.zeros(5), wall * h)
    np.testing.assert_allclose(vmf.hidden_means(sigma[None], machine)[0], r, atol=1e-12)
    np.testing.assert_allclose(machines.visible_means(h[None], machine)[0], m, atol=1e-12)
