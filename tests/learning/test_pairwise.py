"""The pairwise model: likelihood against sums over all states, learning against the model that made the data."""

import itertools

import numpy as np
import pytest

from vmfcore.data.ising import ising_spins, ising_thermodynamics
from vmfcore.learning.pairwise import PairwiseModel, chosen_pairwise, pairwise_log_likelihood, train_pairwise


def model_of(rng, n_visible=11, size=0.4):
    couplings = np.triu(size * rng.normal(size=(n_visible, n_visible)), 1)
    return PairwiseModel(0.3 * rng.normal(size=n_visible), couplings + couplings.T)


def all_log_probabilities(model):
    states = np.array(list(itertools.product([-1, 1], repeat=len(model.fields))))
    weights = [
        sum(h * s for h, s in zip(model.fields, state, strict=True))
        + sum(model.couplings[i, j] * state[i] * state[j] for i, j in itertools.combinations(range(len(state)), 2))
        for state in states
    ]
    return states, np.array(weights) - np.log(np.exp(weights).sum())


def test_likelihood_is_that_of_the_sum_over_all_states(rng):
    model = model_of(rng)
    states, log_p = all_log_probabilities(model)
    chosen = rng.choice(len(states), 500, p=np.exp(log_p))
    mean, low, high = pairwise_log_likelihood(states[chosen], model, 200, 500, seed=0)
    # 200 chains at 500 temperatures: the error of ln Z is near 0.01
    assert mean == pytest.approx(log_p[chosen].mean(), abs=0.05)
    assert low <= mean <= high < low + 0.1
    # the control: the same couplings without fields
    assert abs(pairwise_log_likelihood(states[chosen], model._replace(fields=np.zeros(11)), seed=0)[0] - mean) > 0.2


def test_pseudo_likelihood_finds_the_model_of_the_data(rng):
    model = model_of(rng)
    states, log_p = all_log_probabilities(model)
    spins = states[rng.choice(len(states), 20000, p=np.exp(log_p))]
    found = train_pairwise(spins, 1e-9)
    # 1/√(20000 (1 - m²)) and some more from correlations: near 0.01 a coupling, of 0.4
    assert np.abs(found.couplings - model.couplings).max() < 0.08
    assert np.abs(found.fields - model.fields).max() < 0.08
    assert (found.couplings == found.couplings.T).all()
    assert not found.couplings.diagonal().any()


def test_the_ising_model_is_one_and_reaches_its_entropy():
    train, test = np.split(ising_spins(8, 3.0, 6000, seed=0), [4000])
    model = chosen_pairwise(train[:3000], train[3000:])
    mean, low, high = pairwise_log_likelihood(test, model, seed=0)
    best = -ising_thermodynamics(8, 3.0).entropy(3.0)
    # 2,080 parameters and 3,000 samples cost about a third of a nat; 2,000 test samples scatter by 0.1
    assert best - 1.2 < low <= mean <= high < best + 0.3
