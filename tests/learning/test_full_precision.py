"""The rival of the one-bit machines: real couplings, whole and rounded."""

import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.data.packing import pack_spins
from vmfcore.learning.full_precision import rounded, train_full_precision

OPTIONS = {"n_steps": 3000, "batch_size": 100, "n_chains": 100, "step_size": 0.1, "seed": 0}


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(11)
    return vmf.Machine(rng.uniform(-1, 1, size=(13, 3)), 4.0, rng.normal(size=13), 0.3 * rng.normal(size=3))


@pytest.fixture(scope="module")
def learnt(truth):
    return train_full_precision(vmf.sample(truth, 9000, seed=1)[:7000], 3, **OPTIONS)


def mean_likelihood(test, machine):
    return vmf.log_likelihood(test, machine, seed=0).mean


def test_it_comes_close_to_the_machine_behind_the_data(truth, learnt):
    data, test = np.split(vmf.sample(truth, 9000, seed=1), [7000])
    best, got = mean_likelihood(test, truth), mean_likelihood(test, learnt)
    pixels = vmf.Machine(np.zeros((13, 1)), 1.0, np.arctanh(data.mean(axis=0)))
    independent = mean_likelihood(test, pixels)
    # 55 parameters from 7000 samples cost 55/14,000 nats; the noise of the last steps leaves a few per cent
    assert best - got < 0.1 * (best - independent)
    assert best - independent > 0.2  # else there is nothing to learn


def test_same_seed_same_bits_and_packed_data_are_the_same(truth):
    data = vmf.sample(truth, 200, seed=1)
    options = OPTIONS | {"n_steps": 20, "batch_size": 50}
    one, other = train_full_precision(data, 3, **options), train_full_precision(pack_spins(data), 3, **options)
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.beta, other.beta)
    assert (train_full_precision(data, 3, **(options | {"seed": 1})).weights != one.weights).any()


def test_spins_of_grey_values_are_drawn_anew_in_every_epoch(truth):
    levels = np.random.default_rng(3).integers(0, 256, size=(100, 13), dtype=np.uint8)
    grey = vmf.GreyPixels(levels, seed=1)
    options = OPTIONS | {"batch_size": 100}
    of_grey, of_spins = (train_full_precision(data, 3, **(options | {"n_steps": 1})) for data in (grey, grey.draw()))
    np.testing.assert_array_equal(of_grey.weights, of_spins.weights)  # the first epoch
    of_grey, of_spins = (train_full_precision(data, 3, **(options | {"n_steps": 2})) for data in (grey, grey.draw()))
    assert (of_grey.weights != of_spins.weights).any()


def test_validation_stops_a_training_that_learns_the_samples_by_heart(truth):
    data, held_out, test = np.split(vmf.sample(truth, 2100, seed=1), [100, 600])
    options = OPTIONS | {"batch_size": 50, "n_steps": 4000, "step_size": 0.3}
    last = train_full_precision(data, 20, **options)
    stopped = train_full_precision(data, 20, **options, validation=held_out)
    gain = mean_likelihood(test, stopped) - mean_likelihood(test, last)
    assert gain > 0.1
    assert mean_likelihood(data, last) > mean_likelihood(data, stopped)
    # what is looked at at the end is the same machine as without looks
    same = train_full_precision(data, 20, **(options | {"n_steps": 20}), validation=data)
    without = train_full_precision(data, 20, **(options | {"n_steps": 20}))
    np.testing.assert_array_equal(same.weights, without.weights)


def test_rounded_couplings_lie_on_levels_and_lose_less_with_every_bit(truth, learnt):
    data, test = np.split(vmf.sample(truth, 9000, seed=1), [7000])
    losses = []
    for n_bits in (1, 2, 4, 8):
        machine = rounded(learnt, n_bits, data)
        for column, real in zip(machine.couplings.T, learnt.couplings.T, strict=True):
            assert len(np.unique(np.abs(column).round(9))) <= 2 ** (n_bits - 1)
            error = ((column - real) ** 2).sum()
            top = 2 ** (n_bits - 1) - 0.5
            # with levels up to the largest coupling each is at most half a width off
            assert error <= 13 * (np.abs(real).max() / top / 2) ** 2
            # no other width has a much smaller error; of few levels it is smooth enough to say so
            for width in np.linspace(0.001, 1, 997) * 2 * np.abs(real).max() if n_bits <= 2 else ():
                levels = width * np.clip(np.floor(real / width) + 0.5, -top, top)
                assert error <= 1.05 * ((levels - real) ** 2).sum()
            if n_bits == 2:
                lower, upper = np.unique(np.abs(column).round(9))
                assert upper == pytest.approx(3 * lower, rel=1e-6)
        # both layers keep the fields that they have at the means of the other
        pixels, hidden = data.mean(axis=0), vmf.hidden_means(data, learnt).mean(axis=0)
        for got, was in (
            (machine.visible_fields + machine.couplings @ hidden, learnt.visible_fields + learnt.couplings @ hidden),
            (machine.hidden_fields + pixels @ machine.couplings, learnt.hidden_fields + pixels @ learnt.couplings),
        ):
            np.testing.assert_allclose(got, was, atol=1e-9)
        losses.append(mean_likelihood(test, learnt) - mean_likelihood(test, machine))
    assert losses[0] > losses[1] > losses[2] > abs(losses[3])
    assert abs(losses[3]) < 0.001


def test_it_names_what_is_wrong():
    options = {"n_steps": 1, "batch_size": 2, "n_chains": 2, "step_size": 0.1, "seed": 0}
    for name, value in [("n_steps", 0), ("batch_size", 0), ("n_chains", 0), ("step_size", 2.0), ("seed", -1)]:
        with pytest.raises(ValueError, match=rf"^{name} must be .*, got"):
            train_full_precision(np.ones((5, 3)), 2, **(options | {name: value}))
    with pytest.raises(ValueError, match=r"^batch_size must be at most the number of samples, 5, got 6"):
        train_full_precision(np.ones((5, 3)), 2, **(options | {"batch_size": 6}))
    with pytest.raises(ValueError, match=r"^validation must have 3 columns like spins, got 4"):
        train_full_precision(np.ones((5, 3)), 2, **options, validation=np.ones((5, 4)))
    machine = vmf.planted(3, 2, 1.0, seed=1)
    for n_bits in (0, 17):
        with pytest.raises(ValueError, match=rf"^n_bits must be .*, got {n_bits}"):
            rounded(machine, n_bits, np.ones((5, 3)))
