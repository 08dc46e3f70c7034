"""How long chains remember, against the matrix of their transitions."""

import naive
import numpy as np
import pytest
from small import small_machine

import vmfcore as vmf


def test_correlations_and_time_are_those_of_the_transition_matrix():
    machine = small_machine(np.random.default_rng(5))
    machine = machine._replace(beta=2 * machine.beta)
    mixing = vmf.autocorrelation_time(machine, 400, n_sweeps=2000, burn_in=50, seed=1)
    expected = naive.autocorrelation(machine.couplings, machine.visible_fields, machine.hidden_fields, 1000)
    # 4096 pairs of times and chains, and as many of different chains, of five spins: 1/√4096, five times that
    np.testing.assert_allclose(mixing.correlation, expected, atol=5 / np.sqrt(4096))
    assert expected[1] > 0.3  # so that there is something to remember
    time = 0.5 + expected[1:].sum()
    assert mixing.time == pytest.approx(time, rel=0.2)  # a sum of five τ such terms
    assert mixing.time != pytest.approx(0.5, rel=0.2)


def test_chains_that_are_caught_are_reported_and_those_of_weak_couplings_are_not():
    machine = vmf.Machine(np.ones((40, 2)), 6.0)
    with pytest.warns(vmf.ConvergenceWarning, match="remember their past over more than 50 sweeps"):
        caught = vmf.autocorrelation_time(machine, 30, n_sweeps=100, seed=0)
    assert caught.time == np.inf
    assert caught.correlation[-1] > 0.5
    # all that start in one state see nothing of the other: nothing is left to forget
    start = np.ones((30, 40), np.int8)
    assert vmf.autocorrelation_time(machine, 30, n_sweeps=100, start=start, seed=0).overlap > 0.9
    weak = vmf.autocorrelation_time(machine._replace(beta=0.3), 30, n_sweeps=100, seed=0)
    assert 0.4 < weak.time < 0.8


def test_same_seed_same_bits(rng):
    machine = small_machine(rng)
    one, same, other = (vmf.autocorrelation_time(machine, 10, n_sweeps=50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.correlation, same.correlation)
    assert (one.correlation != other.correlation).any()
