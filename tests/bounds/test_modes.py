"""Equivalent modes: what they add to a bound, against sums over all synapses."""

import itertools
import math

import naive
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.bounds.modes import MOST_PERMUTED, _permanent, mode_gain

RNG = np.random.default_rng(5)
ROUNDING = 1e-9  # of sums of some thousand terms of order 1
DECIDED = 0.97 * np.array([[1, 1, 1, -1, 1], [1, -1, 1, 1, -1]]).T
MEANS = {
    "decided": DECIDED,
    "weak": RNG.uniform(-0.5, 0.5, size=(5, 2)),
    "certain": np.sign(DECIDED),
    "off": np.zeros((5, 2)),
    "one off": DECIDED * [1, 0],
    "equal": DECIDED[:, [0, 0]],
    "opposite": DECIDED[:, [0, 0]] * [1, -1],
    "three": RNG.uniform(-0.95, 0.95, size=(3, 3)),
}
PRIORS = {"uniform": vmf.Prior(), "mean": vmf.Prior(0.2), "correlation": vmf.Prior(correlation=0.3)}


def copies(means, prior):
    """The means of Q in all places and signs that the model and this prior do not tell apart."""
    n_hidden = means.shape[1]
    every = list(itertools.product((-1, 1), repeat=n_hidden))
    flips = every if prior == "uniform" else [(1,) * n_hidden] if prior == "mean" else [every[0], every[-1]]
    return [means[:, list(pi)] * s for pi in itertools.permutations(range(n_hidden)) for s in flips]


def exact_gain(means, prior):
    """Entropy of the mixture of all copies less that of one, by sums over all synapses."""
    each = np.array([[p for _, p in naive.weight_posterior(copy)] for copy in copies(means, prior)])

    def entropy(p):
        return -sum(x * math.log(x) for x in p if x > 0)

    return entropy(each.mean(axis=0)) - entropy(each[0])


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("means", MEANS)
def test_the_gain_is_at_most_that_of_the_mixture(means, prior):
    exact = exact_gain(MEANS[means], prior)
    gain = mode_gain(MEANS[means], PRIORS[prior])
    assert 0 <= gain <= exact + ROUNDING
    most = math.log(len(copies(MEANS[means], prior)))
    assert exact <= most + ROUNDING
    if means == "certain":  # copies without any overlap
        assert gain == pytest.approx(most)
    if means == "decided":  # here it is no empty limit
        assert gain > 0.75 * exact


def test_what_is_alike_adds_nothing():
    assert mode_gain(MEANS["off"]) == pytest.approx(0, abs=ROUNDING)
    # two equal units: their signs alone; one undecided: its place and the sign of the other
    assert mode_gain(np.sign(MEANS["equal"])) == pytest.approx(math.log(4))
    assert mode_gain(np.sign(MEANS["opposite"])) == pytest.approx(math.log(4))
    many = np.sign(RNG.normal(size=(211, 2)))
    assert mode_gain(many * [1, 0]) == pytest.approx(math.log(4))
    assert mode_gain(many) == pytest.approx(math.log(8))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_permanent_is_the_sum_over_permutations(size):
    matrix = RNG.uniform(size=(size, size))
    naive_sum = sum(math.prod(matrix[range(size), pi]) for pi in itertools.permutations(range(size)))
    assert _permanent(matrix) == pytest.approx(naive_sum)


def test_many_hidden_units_take_a_larger_permanent():
    n_hidden = MOST_PERMUTED + 1
    full = n_hidden * math.log(2) + math.lgamma(n_hidden + 1)
    decided = np.sign(RNG.normal(size=(997, n_hidden)))
    assert mode_gain(decided) == pytest.approx(full)
    assert mode_gain(0 * decided) == 0
    # the row sums are larger than the permanent, so that the gain is the smaller
    matrix = RNG.uniform(size=(MOST_PERMUTED // 2,) * 2)
    assert matrix.sum(axis=1).prod() > _permanent(matrix)


@pytest.mark.parametrize("n_samples", [2, 11, 101])
def test_with_the_modes_the_bound_is_nearer_the_evidence_and_below_it(n_samples):
    spins = vmf.sample(vmf.planted(5, 2, 2.0, seed=2), n_samples, seed=3)
    objective = vmf.Objective(data_term="exact", model_term=vmf.Annealed(vmf.Exact()))
    exact = vmf.exact_posterior(spins, 2, 2.0).log_evidence
    for seed in range(5):
        result = vmf.fit(spins, 2, 2.0, objective, seed=seed)
        gain = mode_gain(result.means)
        assert result.bound.total + gain <= exact
    if n_samples == 101:
        # many samples decide, and then most of ln 8 = 2.08 is found
        assert gain > 1.5


def test_where_nothing_is_decided_all_modes_would_be_too_many():
    # control: ln(2^P P!) for all that have P hidden units is no bound
    spins = vmf.sample(vmf.planted(5, 2, 0.5, seed=2), 3, seed=3)
    objective = vmf.Objective(data_term="exact", model_term=vmf.Annealed(vmf.Exact()))
    total = vmf.bound(spins, MEANS["off"], 0.5, objective).total
    exact = vmf.exact_posterior(spins, 2, 0.5).log_evidence
    assert total + mode_gain(MEANS["off"]) <= exact + ROUNDING < total + math.log(8)
