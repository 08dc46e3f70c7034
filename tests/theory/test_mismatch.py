"""A student at the wrong temperature: against adaptive integrals, enumerated posteriors, and the right student."""

import itertools

import numpy as np
import pytest
import scipy

import vmfcore as vmf
from vmfcore.theory import mismatched_overlap, recovery_density

POINTS = [(3.0, 0.7, 1.0), (3.0, 1.3, 1.0), (5.0, 1.5, 1.0), (2.0, 0.8, 1.0), (1.5, 1.3, 1.0), (10.0, 2.0, 0.5)]


def expected(function):
    """E f(z), z ~ Normal(0, 1), adaptively."""
    density = scipy.stats.norm.pdf
    return scipy.integrate.quad(lambda z: density(z) * function(z), -12, 12, epsabs=1e-12, limit=500)[0]


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_it_solves_the_equations(point):
    alpha, beta, teacher_beta = point
    q, p, sign, _, stability = (float(x) for x in mismatched_overlap(*point))

    def of_data(z):
        return np.tanh(beta * (teacher_beta * q + np.sqrt(p) * z))

    kappa = alpha * beta * teacher_beta * expected(of_data)
    v = alpha * beta**2 * expected(lambda z: of_data(z) ** 2)

    def of_synapses(z):
        return np.tanh(kappa + np.sqrt(v) * z)

    assert abs(expected(of_synapses) - q) < 1e-10  # of the nodes, and of where the iteration ended
    assert abs(expected(lambda z: of_synapses(z) ** 2) - p) < 1e-10
    assert abs(expected(lambda z: np.sign(kappa + np.sqrt(v) * z)) - sign) < 1e-8  # a jump costs quad some digits
    product = expected(lambda z: (1 - of_data(z) ** 2) ** 2) * expected(lambda z: (1 - of_synapses(z) ** 2) ** 2)
    assert abs(alpha * beta**4 * product - stability) < 1e-7  # sech⁴ is sharper than tanh


@pytest.mark.parametrize("means", [(0.3, 0.0), (0.0, 0.4), (0.5, 0.5), (-0.3, 0.2)], ids=str)
def test_it_solves_the_equations_of_a_wrong_prior(means):
    prior_mean, teacher_mean = means
    alpha, beta, teacher_beta = 3.0, 1.2, 1.0
    found = mismatched_overlap(alpha, beta, teacher_beta, prior_mean=prior_mean, teacher_mean=teacher_mean)
    q, p, sign, _, stability = (float(x) for x in found)

    def of_data(z):
        return np.tanh(beta * (teacher_beta * q + np.sqrt(p) * z))

    kappa = alpha * beta * teacher_beta * expected(of_data)
    v = alpha * beta**2 * expected(lambda z: of_data(z) ** 2)

    def over_sites(function):
        """Mean of function(λ, ξ*)."""

        def of_part(xi):
            return expected(lambda z: function(kappa * xi + np.sqrt(v) * z + theta, xi))

        return (1 + teacher_mean) / 2 * of_part(1) + (1 - teacher_mean) / 2 * of_part(-1)

    theta = np.log((1 + prior_mean) / (1 - prior_mean)) / 2
    assert abs(over_sites(lambda y, xi: xi * np.tanh(y)) - q) < 1e-10
    assert abs(over_sites(lambda y, xi: np.tanh(y) ** 2) - p) < 1e-10
    assert abs(over_sites(lambda y, xi: xi * np.sign(y)) - sign) < 1e-7
    product = expected(lambda z: (1 - of_data(z) ** 2) ** 2) * over_sites(lambda y, xi: (1 - np.tanh(y) ** 2) ** 2)
    assert abs(alpha * beta**4 * product - stability) < 1e-7


def test_a_prior_that_knows_the_mean_is_right_and_one_that_does_not_is_worse():
    alphas = np.array([0.5, 2.0, 5.0])
    right = mismatched_overlap(alphas, 1.0, 1.0, prior_mean=0.4, teacher_mean=0.4)
    np.testing.assert_allclose(right.overlap, right.self_overlap, atol=1e-8)  # Nishimori
    for prior_mean in (0.0, 0.2, 0.7):
        wrong = mismatched_overlap(alphas, 1.0, 1.0, prior_mean=prior_mean, teacher_mean=0.4)
        assert (wrong.sign_overlap <= right.sign_overlap + 1e-9).all()
    # without data it is the prior, whose entropy is known
    none = mismatched_overlap(1e-9, 1.0, 1.0, prior_mean=0.4, teacher_mean=0.1)
    h = scipy.stats.bernoulli(0.7).entropy()
    np.testing.assert_allclose([none.overlap, none.self_overlap, none.entropy], [0.04, 0.16, h], atol=1e-6)


def test_message_passing_with_a_wrong_prior_follows_it():
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        weights = np.where(rng.random((2003, 1)) < 0.7, 1, -1)  # m* = 0.4
        spins = vmf.sample(vmf.Machine(weights, 1.0), 6009, seed=seed)
        result = vmf.infer_weights(spins, 1, 1.3, prior=vmf.Prior(-0.2), seed=seed)
        turn = np.sign(result.means.T @ weights)[0, 0]
        found.append((turn, turn * (result.means * weights).mean(), (result.means**2).mean()))
    turns, overlap, mean_square = np.array(found).T
    # a unit that is turned over has the other mean: a student of -0.2 that has turned the teacher is one of 0.2
    for turn in set(turns):
        limit = mismatched_overlap(3.0, 1.3, 1.0, prior_mean=-0.2 * turn, teacher_mean=0.4)
        these = turns == turn
        # instances of N = 2003 scatter by 0.02
        assert overlap[these].mean() == pytest.approx(float(limit.overlap), abs=0.06 / np.sqrt(these.sum()))
        assert mean_square[these].mean() == pytest.approx(float(limit.self_overlap), abs=0.06 / np.sqrt(these.sum()))


def test_the_right_student_is_bayes_optimal():
    alphas = np.array([1.5, 2.0, 5.0, 10.0])
    found = mismatched_overlap(alphas, 1.2, 1.2)
    q, sign = vmf.bayes_optimal_overlap(alphas, 1.2)
    np.testing.assert_allclose(found.overlap, q, atol=1e-8)
    np.testing.assert_allclose(found.self_overlap, q, atol=1e-8)
    np.testing.assert_allclose(found.sign_overlap, sign, atol=1e-8)
    assert (found.stability < 1).all()
    # its entropy: the free entropy without what the teacher's own synapses make of the data
    of_teacher = expected(lambda z: np.log(np.cosh(1.2 * (1.2 + z)))) - 1.2**2 / 2
    np.testing.assert_allclose(found.entropy, vmf.theory.free_entropy(alphas, 1.2) - alphas * of_teacher, atol=1e-8)


def test_small_posteriors_that_are_enumerated_are_near_it():
    n_visible, alpha, beta, teacher_beta = 14, 3.0, 1.3, 1.0
    states = np.array(list(itertools.product((-1, 1), repeat=n_visible)))
    found = []
    for seed in range(60):
        teacher = vmf.planted(n_visible, 1, teacher_beta, seed=seed)
        spins = vmf.sample(teacher, round(alpha * n_visible), seed=seed)
        scores = np.logaddexp(x := beta / np.sqrt(n_visible) * states @ spins.T, -x).sum(axis=1)
        posterior = scipy.special.softmax(scores)
        # Q and p up to the sign of all synapses, from two independent samples of the posterior and the teacher
        overlaps = states @ teacher.weights[:, 0] / n_visible
        first, second = np.random.default_rng(seed).choice(len(states), (2, 400), p=posterior)
        between = (states[first] * states[second]).mean(axis=1)
        found.append((posterior @ overlaps**2, np.mean(between**2), scipy.stats.entropy(posterior) / n_visible))
    q2, p2, entropy = np.mean(found, axis=0)
    theory = mismatched_overlap(alpha, beta, teacher_beta)
    # squares of overlaps: at N = 14 they fluctuate by 1/N and more; ln 2/N of the entropy is the sign's
    assert abs(np.sqrt(q2) - theory.overlap) < 0.1
    assert abs(np.sqrt(p2) - theory.self_overlap) < 0.1
    assert abs(entropy - np.log(2) / n_visible - theory.entropy) < 0.05


def test_a_hot_student_finds_more_than_it_believes_and_a_cold_one_less():
    hot, cold = mismatched_overlap(3.0, 0.7, 1.0), mismatched_overlap(3.0, 1.3, 1.0)
    assert hot.overlap > hot.self_overlap
    assert cold.overlap < cold.self_overlap


def test_where_recovery_begins():
    assert recovery_density(0.8, 1.0) == pytest.approx(0.8**-2)
    assert recovery_density(1.0, 1.0) == pytest.approx(1.0)
    density = recovery_density(1.5, 1.0)
    assert density > 1.5**-2  # the glass has come first, and hides the teacher
    assert mismatched_overlap(1.02 * density, 1.5, 1.0).overlap > 0.05
    assert mismatched_overlap(0.98 * density, 1.5, 1.0).overlap < 1e-3


def test_signs_of_means_that_vanish_are_those_of_the_principal_component():
    # p = c Q² with c = (αβ*⁴ + β*²)/(αβ*⁴ - 1) as both fall to 0, whatever β; recovery is at 1/0.49 and 1/0.25
    for alpha, beta, teacher_beta in [(1.5, 0.7, 1.0), (1.5, 0.5, 1.0), (0.6, 0.7, 1.3)]:
        found = mismatched_overlap(alpha, beta, teacher_beta)
        c = (alpha * teacher_beta**4 + teacher_beta**2) / (alpha * teacher_beta**4 - 1)
        ratio = np.sqrt(alpha) * teacher_beta**2 / np.sqrt(teacher_beta**2 + c)
        assert found.overlap < 1e-9
        assert found.sign_overlap == pytest.approx(scipy.special.erf(ratio / np.sqrt(2)), abs=1e-3)
