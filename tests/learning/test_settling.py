"""`settled`: states that were too frequent become as frequent as in the data."""

import numpy as np
import pytest

import vmfcore as vmf


@pytest.fixture(scope="module")
def two_states():
    """A machine with two states, one of which the data have nine times in ten, and the data."""
    n_visible, n_hidden = 30, 2
    rng = np.random.default_rng(0)
    weights = rng.choice([-1, 1], size=(n_visible, n_hidden)).astype(np.int8)
    truth = vmf.Machine(weights, 3.0, np.zeros(n_visible), np.array([1.1, 0.0]))
    return truth, vmf.sample(truth, 4000, seed=1)


def misplaced(truth):
    """The same with the weights of the two states exchanged."""
    return truth._replace(hidden_fields=-truth.hidden_fields)


def told(spins, machine):
    return vmf.log_likelihood(spins, machine, seed=0).mean


def test_states_get_the_weight_that_they_have_in_the_data(two_states):
    truth, spins = two_states
    wrong = misplaced(truth)
    machine = vmf.settled(wrong, spins, n_chains=200, n_steps=2000, seed=0)
    assert told(spins, wrong) < told(spins, truth) - 0.5  # what there is to be mended
    # 34 parameters fit 4000 samples by heart to 34/8000 = 0.004 nats; the chains' noise may cost some of them
    assert abs(told(spins, machine) - told(spins, truth)) < 0.02
    assert (machine.weights == truth.weights).all()
    # without time nothing is gained
    at_once = vmf.settled(wrong, spins, n_chains=200, n_steps=2, seed=0)
    assert told(spins, at_once) < told(spins, truth) - 0.5


def test_units_of_which_nothing_is_left_stay_out_of_it(two_states):
    truth, spins = two_states
    means = np.column_stack([truth.weights, np.zeros(30)])
    machine = vmf.Machine(means, np.array([3.0, 3.0, 1e-6]), np.zeros(30), np.zeros(3)).binarized
    assert machine.beta[2] < 1e-6
    assert vmf.settled(machine, spins, n_chains=50, n_steps=20, seed=0).live.tolist() == [True, True, False]


def test_same_seed_same_bits(two_states):
    truth, spins = two_states
    first, second, other = (
        vmf.settled(misplaced(truth), spins, n_chains=50, n_steps=20, seed=seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.hidden_fields, second.hidden_fields)
    assert (first.hidden_fields != other.hidden_fields).any()


def test_fit_leaves_synapses_that_are_not_learnt(two_states):
    truth, spins = two_states
    learn = vmf.Learn(fields=True, beta="unit", synapses=False)
    means = 0.5 * truth.weights
    for rule in (vmf.Natural(), vmf.Adam()):
        result = vmf.fit(spins, 2, 2.0, rule=rule, learn=learn, init=means, n_steps=20, seed=0)
        np.testing.assert_allclose(result.means, means, rtol=1e-14)  # tanh artanh λ
        assert np.any(result.beta != 2.0)
