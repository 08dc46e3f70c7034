"""Samples some of whose spins are held: the others follow the machine's distribution given these."""

import naive
import numba
import numpy as np
import pytest
from scipy.stats import chisquare
from small import small_machine

import vmfcore as vmf
from vmfcore.machines import sampling

N_SAMPLES = 20011
PATTERN = np.array([0, 1, 0, -1, 0])  # of five spins, two of which are held
STATES = naive.states(5)


def conditional(machine, pattern):
    """P(σ | held spins) of all 32 states, 0 where a held spin differs."""
    log_p = naive.visible_log_probabilities(machine.couplings, machine.visible_fields, machine.hidden_fields)
    agrees = ((pattern == 0) | (pattern == STATES)).all(axis=1)
    p = np.where(agrees, np.exp(log_p), 0.0)
    return p / p.sum()


def p_value(spins, p):
    """Of the counts of the states that are possible at all."""
    index = ((spins + 1) // 2) @ 2 ** np.arange(4, -1, -1)
    counts = np.bincount(index, minlength=32)
    assert counts[p == 0].sum() == 0
    return chisquare(counts[p > 0], len(spins) * p[p > 0]).pvalue


# a right sampler falls below 1e-3 once in a thousand seeds; a wrong one (that of the free machine) gives 0
@pytest.mark.parametrize("start", [None, -1])
@pytest.mark.parametrize("block", [N_SAMPLES, 5003])
def test_free_spins_follow_their_distribution_given_the_held_ones(start, block, rng, monkeypatch):
    monkeypatch.setattr(sampling, "IN_SHARED_CACHE", 8 * block)
    machine = small_machine(rng)
    start = None if start is None else np.full((N_SAMPLES, 5), start)
    spins = vmf.sample(machine, N_SAMPLES, start=start, clamped=PATTERN, n_sweeps=61, seed=2)
    assert spins.dtype == np.int8
    assert (spins[:, PATTERN != 0] == PATTERN[PATTERN != 0]).all()
    assert p_value(spins, conditional(machine, PATTERN)) > 1e-3
    # the control: free samples, of which some spins are overwritten, follow another distribution
    overwritten = np.where(PATTERN == 0, vmf.sample(machine, N_SAMPLES, seed=2), PATTERN)
    assert p_value(overwritten, conditional(machine, PATTERN)) < 1e-3


def test_every_sample_may_have_its_own_pattern(rng):
    machine = small_machine(rng)
    patterns = np.array([PATTERN, [-1, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    kinds = np.arange(3 * 7001) % 3
    clamped = patterns[kinds]
    spins = vmf.sample(machine, len(clamped), clamped=clamped, n_sweeps=61, seed=3)
    assert (spins == clamped)[clamped != 0].all()
    for kind, pattern in enumerate(patterns):
        assert p_value(spins[kinds == kind], conditional(machine, pattern)) > 1e-3


def test_sweeps_keep_the_conditional_distribution(rng):
    machine = small_machine(rng)
    exact = vmf.sample(machine, 8 * N_SAMPLES, seed=4)
    start = exact[(exact[:, PATTERN != 0] == PATTERN[PATTERN != 0]).all(axis=1)]
    assert len(start) > 4001
    p = conditional(machine, PATTERN)
    assert p_value(start, p) > 1e-3
    assert p_value(vmf.sample(machine, len(start), start=start, clamped=PATTERN, n_sweeps=2, seed=5), p) > 1e-3


def test_held_spins_win_over_the_start(rng):
    # couplings so strong that a sweep keeps the state in which the hidden units are when it begins
    machine = vmf.Machine(np.ones((11, 3)), 30.0)
    clamped = np.array([1] * 7 + [0] * 4)
    start = -np.ones((13, 11), int)
    # seven spins up outvote four down: the hidden units start up, and hold the free spins there
    spins = vmf.sample(machine, 13, start=start, clamped=clamped, n_sweeps=1, seed=0)
    assert (spins == 1).all()
    # and from independent pixels: their mean field is 0, and the seven decide again
    assert (vmf.sample(machine, 13, clamped=clamped, n_sweeps=1, seed=0) == 1).all()


def test_all_spins_held_or_none(rng):
    machine, held = small_machine(rng, 11, 3), rng.choice([-1, 1], size=(7, 11))
    np.testing.assert_array_equal(vmf.sample(machine, 7, clamped=held, n_sweeps=3, seed=0), held)
    # the same random numbers: bits of chains without clamped
    free = vmf.sample(machine, 7, clamped=np.zeros(11), n_sweeps=3, seed=0)
    np.testing.assert_array_equal(free, vmf.sample(machine, 7, n_sweeps=3, seed=0))


def test_plain_chains_take_a_thousand_sweeps_where_spins_are_held(rng, monkeypatch):
    calls, sweep = [], sampling.sweep
    monkeypatch.setattr(sampling, "sweep", lambda *args, **options: calls.append(1) or sweep(*args, **options))
    vmf.sample(small_machine(rng), 3, clamped=PATTERN, n_rungs=1, seed=0)
    assert len(calls) == 1001  # one from independent pixels
    vmf.sample(small_machine(rng), 3, clamped=PATTERN, seed=0)
    assert len(calls) == 1001  # by default tempered chains draw


def test_samples_repeat_for_any_number_of_threads(rng):
    machine, before, runs = small_machine(rng, 101, 103), numba.get_num_threads(), []
    clamped = rng.choice([-1, 0, 1], size=(211, 101))
    for n_threads in (1, before):
        numba.set_num_threads(n_threads)
        runs.append(vmf.sample(machine, 211, clamped=clamped, n_sweeps=5, seed=3))
    np.testing.assert_array_equal(*runs)
    assert (runs[0] == clamped)[clamped != 0].all()
    assert (vmf.sample(machine, 211, clamped=clamped, n_sweeps=5, seed=4) != runs[0]).any()
