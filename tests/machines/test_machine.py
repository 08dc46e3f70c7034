import naive
import numba
import numpy as np
import pytest
from scipy.stats import chisquare
from small import same, small_machine

import vmfcore as vmf
from vmfcore.data import packing
from vmfcore.machines import machine as machines
from vmfcore.machines import sampling
from vmfcore.machines.machine import Machine


def test_couplings_signs_and_storage(rng):
    means = rng.uniform(-1, 1, size=(13, 5))
    means[2, 3] = 0.0
    machine = small_machine(rng, 13, 5, means)
    np.testing.assert_allclose(machine.couplings, naive.machine_couplings(means, machine.beta), rtol=1e-14)
    assert machine.n_bits == 32 * (13 * 5 + 13 + 5 + 5)
    signs = machine.binarized
    assert signs.weights.dtype == np.int8
    assert signs.weights[2, 3] == 1
    np.testing.assert_array_equal(signs.weights[means != 0], np.sign(means)[means != 0])
    assert signs[2:] == machine[2:]
    # the scale of each hidden unit is that of the closest couplings
    for mu in range(5):
        ones = signs.weights[:, mu : mu + 1] / np.sqrt(13)
        (scale,), *_ = np.linalg.lstsq(ones, machine.couplings[:, mu])
        assert signs.beta[mu] == pytest.approx(scale, rel=1e-12)
    assert signs.n_bits == signs._replace(weights=signs.weights * 1.0).n_bits == 13 * 5 + 32 * (13 + 5 + 5)


def test_signs_of_undecided_synapses_say_little(rng):
    means = np.where(np.arange(7) < 3, rng.choice([-1, 1], size=(41, 7)), rng.uniform(-0.1, 0.1, (41, 7)))
    means[:, 6] = 0.0
    machine = Machine(means, 2.0, np.zeros(41), np.zeros(7))
    data = vmf.sample(machine, 500, seed=1)
    of_means, of_signs = (vmf.log_likelihood(data, x, seed=0).mean for x in (machine, machine.binarized))
    at_full_strength = vmf.log_likelihood(data, machine._replace(weights=machine.binarized.weights), seed=0).mean
    # four units of couplings below 0.2/√41: far below a nat; at full strength, noise that costs 2.6 nats, measured
    assert abs(of_means - of_signs) < 0.2
    assert of_means - at_full_strength > 1
    # decided synapses are what they were
    np.testing.assert_array_equal(machine.binarized.beta[:3], 2.0)
    decided = machine._replace(weights=np.sign(means[:, :3]))
    assert decided.binarized.beta == decided.beta


def test_parts_that_may_be_missing(rng):
    full = machines.check_machine(Machine(rng.uniform(-1, 1, size=(7, 3)), 0.7))
    np.testing.assert_array_equal(full.beta, np.full(3, 0.7))
    np.testing.assert_array_equal(full.visible_fields, np.zeros(7))
    np.testing.assert_array_equal(full.hidden_fields, np.zeros(3))
    assert same(machines.check_machine(full), full)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.int8])
def test_weights_of_one_bit_are_integers_and_others_keep_their_precision(dtype, rng):
    ones = rng.choice([-1, 1], size=(7, 3)).astype(dtype)
    assert machines.check_machine(Machine(ones, 1.0)).weights.dtype == np.int8
    ones[1, 2] = 0
    expected = np.float32 if dtype == np.float32 else np.float64
    assert machines.check_machine(Machine(ones, 1.0)).weights.dtype == expected


def test_a_packed_machine_is_the_same_machine(rng, tmp_path):
    whole = small_machine(rng, 23, 11)
    vmf.save_machine(tmp_path / "machine", whole)
    packed, _ = vmf.load_machine(tmp_path / "machine")
    assert isinstance(packed.weights, vmf.PackedSpins)
    assert packed.weights.shape == (23, 11)
    np.testing.assert_array_equal(packed.weights, whole.weights)
    np.testing.assert_array_equal(packed.couplings, whole.couplings)
    assert packed.n_bits == whole.n_bits
    assert packed.binarized is packed
    assert machines.check_machine(packed).weights.bits is packed.weights.bits
    # what one can do with it: the same bits
    data = rng.choice([-1, 1], size=(31, 23))
    np.testing.assert_array_equal(vmf.hidden_means(data, packed), vmf.hidden_means(data, whole))
    h = rng.choice([-1, 1], size=(7, 11))
    np.testing.assert_array_equal(machines.visible_means(h, packed), machines.visible_means(h, whole))
    for options in ({}, {"n_sweeps": 5}, {"start": data, "n_sweeps": 2}):
        samples = [sampling.sample(machine, 31, seed=1, **options) for machine in (packed, whole)]
        np.testing.assert_array_equal(*samples)
    likelihoods = [vmf.log_likelihood(data, machine, vmf.Gibbs(5, 7), seed=1) for machine in (packed, whole)]
    assert likelihoods[0][:4] == likelihoods[1][:4]
    np.testing.assert_array_equal(vmf.overlap(packed, whole), np.ones(11))
    # and kept again it is the same file but for its name
    vmf.save_machine(tmp_path / "again", packed)
    again, _ = vmf.load_machine(tmp_path / "again")
    assert same(again, packed)


def test_one_bit_machines_are_machines_with_real_couplings(rng):
    """The same machine with one synapse short of 1 by a rounding takes the way of real couplings."""
    one_bit = small_machine(rng, 23, 11)
    weights = one_bit.weights * 1.0
    weights[0, 0] *= 1 - 1e-15
    real = one_bit._replace(weights=weights)
    data = rng.choice([-1, 1], size=(31, 23))
    np.testing.assert_allclose(vmf.hidden_means(data, real), vmf.hidden_means(data, one_bit), atol=1e-13)
    # chains in single precision: a spin in a million turns the other way, of 31 × 23 × 20
    samples = [sampling.sample(machine, 31, n_sweeps=20, seed=1) for machine in (real, one_bit)]
    np.testing.assert_array_equal(*samples)


def test_hidden_means_are_those_of_the_joint_distribution(rng, monkeypatch):
    machine, spins = small_machine(rng, 11, 3), rng.choice([-1, 1], size=(7, 11))
    expected = []
    for sigma in spins:
        # a field that fixes the visible layer
        _, _, r, _ = naive.network_averages(machine.couplings, 50.0 * sigma, machine.hidden_fields)
        expected.append(r)
    for data in (spins, packing.pack_spins(spins)):
        for block in (packing.IN_SHARED_CACHE, 2 * 11):
            monkeypatch.setattr(packing, "IN_SHARED_CACHE", block)
            np.testing.assert_allclose(machines.hidden_means(data, machine), expected, atol=1e-13)


@pytest.mark.parametrize(
    "options", [{}, {"n_sweeps": 61}, {"n_sweeps": 61, "start": -1}, {"n_sweeps": 61, "block": 5003}]
)
def test_samples_follow_the_distribution(options, rng, monkeypatch):
    machine, options, n_samples = small_machine(rng), dict(options), 20011
    monkeypatch.setattr(machines, "IN_SHARED_CACHE", 5 * options.pop("block", n_samples))
    if "start" in options:
        options["start"] = np.full((n_samples, 5), options["start"])
    spins = sampling.sample(machine, n_samples, seed=2, **options)
    assert spins.dtype == np.int8
    index = ((spins + 1) // 2) @ 2 ** np.arange(4, -1, -1)
    p = np.exp(naive.visible_log_probabilities(machine.couplings, machine.visible_fields, machine.hidden_fields))
    # a right sampler falls below 1e-3 once in a thousand seeds; a wrong one (one field's sign) gives 0
    assert chisquare(np.bincount(index, minlength=32), n_samples * p).pvalue > 1e-3


def test_chains_start_where_they_are_told_to(rng):
    machine, start = Machine(rng.choice([-1, 1], size=(101, 7)), 0.001), rng.choice([-1, 1], size=(13, 101))
    strong = machine._replace(beta=8.0)
    machine = machine._replace(visible_fields=np.full(101, 9.0))
    # weak couplings: pixels follow their fields from the start; strong ones: a sweep keeps the state of hidden units
    assert (sampling.sample(machine, 13, n_sweeps=1, seed=1) == 1).all()
    kept = np.sign(machines.hidden_means(start, strong))
    moved = sampling.sample(strong, 13, start=start, n_sweeps=1, seed=1)
    clear = np.abs(start @ strong.couplings) > 4  # others are undecided or follow them
    assert (np.sign(moved @ strong.couplings) == kept)[clear].mean() > 0.8


def test_seven_hidden_units_are_exact_and_seventeen_are_tempered_by_default(rng, monkeypatch):
    calls, sweep, tempered = [], sampling.sweep, sampling.tempered_samples
    monkeypatch.setattr(sampling, "sweep", lambda *args, **scales: calls.append("plain") or sweep(*args, **scales))
    monkeypatch.setattr(sampling, "tempered_samples", lambda *args: calls.append("tempered") or tempered(*args))
    cases = [
        (7, {}, []),
        (17, {}, ["tempered"]),
        (7, {"n_rungs": 3}, ["tempered"]),
        (17, {"n_rungs": 1}, 1001 * ["plain"]),
        (7, {"start": np.ones((3, 5))}, 1000 * ["plain"]),
    ]
    for n_hidden, options, expected in cases:
        calls.clear()
        sampling.sample(small_machine(rng, 5, n_hidden), 3, **options, seed=0)
        assert calls == expected


@pytest.mark.parametrize("n_hidden", [5, 103])
def test_samples_repeat_for_any_number_of_threads(n_hidden, rng):
    machine, before, runs = small_machine(rng, 101, n_hidden), numba.get_num_threads(), []
    for n_threads in (1, before):
        numba.set_num_threads(n_threads)
        runs.append(sampling.sample(machine, 211, n_sweeps=None if n_hidden == 5 else 5, seed=3))
    np.testing.assert_array_equal(*runs)
    assert (sampling.sample(machine, 211, n_sweeps=5, seed=4) != runs[0]).any()


def test_visible_means_are_those_of_the_joint_distribution(rng):
    machine, hidden = small_machine(rng, 11, 3), rng.choice([-1, 1], size=(7, 3))
    # a field that fixes the hidden layer
    expected = [naive.network_averages(machine.couplings, machine.visible_fields, 50.0 * h)[1] for h in hidden]
    found = machines.visible_means(hidden, machine)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_visible_means_are_what_samples_have_on_average(rng):
    machine = small_machine(rng, 11, 3)
    spins = sampling.sample(machine, 20011, seed=1)
    # the average of <σ|h> over P(h), by enumeration
    hidden = naive.states(3)
    log_p = naive.log2cosh(machine.visible_fields + hidden @ machine.couplings.T).sum(axis=1)
    log_p = log_p + hidden @ machine.hidden_fields
    p = np.exp(log_p - np.logaddexp.reduce(log_p))
    expected = p @ machines.visible_means(hidden, machine)
    # five standard errors of a mean of 20011 signs
    np.testing.assert_allclose(spins.mean(axis=0), expected, atol=5 / np.sqrt(20011))


def test_units_that_say_nothing_are_not_live():
    weights = np.array([[1, 1, 0.05], [1, -1, -0.05], [-1, 1, 0.05]])
    machine = vmf.Machine(weights, np.array([2.0, 0.01, 1.0]))
    assert machine.live.tolist() == [True, False, False]
    assert vmf.Machine(weights[:, :2], 1.0).live.tolist() == [True, True]
    # without the faint ones the machine gives the same likelihoods, up to J² of each of their couplings
    spins = vmf.sample(machine, 100, seed=0)
    kept = machine._replace(weights=weights[:, machine.live], beta=machine.beta[machine.live])
    whole, rest = (vmf.log_likelihood(spins, m, seed=0).mean for m in (machine, kept))
    assert abs(whole - rest) < 0.01


def test_the_recipe_learns_what_there_is_and_pays_little_where_there_is_nothing():
    teacher = vmf.planted(60, 2, 2.0, seed=1)
    coins = np.random.default_rng(1).choice([-1, 1], size=(1000, 60)).astype(np.int8)
    told = []
    for spins in (vmf.sample(teacher, 2500, seed=1), coins):
        train, test = np.split(spins, [len(spins) - 500])
        result = vmf.fit(train, 12, **vmf.recipe(train, 12, n_steps=1500), seed=0)
        assert result.machine.live.sum() >= 2
        told.append(vmf.log_likelihood(test, result.machine.binarized, seed=0).mean)
    independent = -60 * np.log(2)
    assert told[0] > independent + 1
    # 720 bits, 72 fields and 12 temperatures, learnt from 500 coins each of 60: it was 0.3 nats for 20 units
    assert independent - 1 < told[1] < independent
    best = vmf.log_likelihood(vmf.sample(teacher, 2500, seed=1)[2000:], teacher, seed=0).mean
    assert told[0] > best - 1
