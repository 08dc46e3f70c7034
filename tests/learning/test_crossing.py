"""Fits of data with several states: chains that cross between them, and what is said where they do not."""

import warnings
from dataclasses import replace

import numba
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.learning.full_precision import train_full_precision


def clusters(shares, n_visible, n_samples, seed, flip=0.05):
    """Samples of patterns far from each other, every pixel turned over with a probability; the patterns."""
    patterns = np.random.default_rng(0).choice([-1, 1], size=(len(shares), n_visible))
    rng = np.random.default_rng(seed)
    which = rng.choice(len(shares), size=n_samples, p=shares)
    return patterns[which] * np.where(rng.random((n_samples, n_visible)) < flip, -1, 1), patterns


def fitted(spins, n_hidden, n_rungs, seed=0, n_steps=2000):
    """A fit by the recipe but for its chains, without what it says."""
    options = vmf.recipe(spins, n_hidden, n_steps)
    chains = vmf.Annealed(vmf.Gibbs(100, 500, n_rungs=n_rungs))
    options["objective"] = replace(options["objective"], model_term=chains)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vmf.ConvergenceWarning)
        return vmf.fit(spins, n_hidden, **options, seed=seed)


def height(machine, spins):
    return vmf.log_likelihood(spins, machine, vmf.Exact(), seed=0).mean


def shares_in_samples(machine, patterns):
    """How often the exact samples of a machine are nearest to each pattern."""
    samples = vmf.sample(machine, 4000, seed=5)
    return np.bincount((samples[:, None] != patterns).sum(axis=2).argmin(axis=1), minlength=len(patterns)) / 4000


@pytest.mark.parametrize("seed", [0, 1])
def test_two_clusters_are_learnt_where_plain_chains_fail(seed):
    # one bit copied 100 times: 0.9.2 said -291 on its own training data
    bit = np.random.default_rng(1).choice([-1, 1], size=(1000, 1))
    spins = bit * np.where(np.random.default_rng(2).random((1000, 100)) < 0.05, -1, 1)
    tempered = fitted(spins, 16, None, seed)
    # the best that any model can do: -20.5; of 1,000 samples its error is 0.13
    assert height(tempered.machine.binarized, spins) > -21.0
    assert tempered.crossing.n_rungs > 1
    assert tempered.crossing.round_trips > 1000
    assert height(fitted(spins, 16, 1, seed).machine.binarized, spins) < -40


def test_states_of_unlike_shares_have_them_in_samples():
    shares = [0.5, 0.3, 0.15, 0.05]
    spins, patterns = clusters(shares, 100, 2000, seed=1)
    result = fitted(spins, 16, None, n_steps=3000)
    found = shares_in_samples(result.machine.binarized, patterns)
    # the last steps are noisy: to a factor of two, and by three nats better than a fifth of the way to the pixels
    assert (np.abs(np.log(found / shares)) < np.log(2.5)).all(), found
    plain = shares_in_samples(fitted(spins, 16, 1, n_steps=3000).machine.binarized, patterns)
    assert plain.min() < 0.01


def test_a_rare_state_that_no_chain_sees_is_noticed():
    # 20 samples of 2,000: plain chains forget all that they know, but never come near it
    spins, _ = clusters([0.99, 0.01], 100, 2000, seed=1)
    options = vmf.recipe(spins, 32, 4000)
    options["objective"] = replace(options["objective"], model_term=vmf.Annealed(vmf.Gibbs(100, 500)))
    with pytest.warns(
        vmf.ConvergenceWarning, match="1 components of a mixture of the data were never visited|nats per"
    ):
        plain = vmf.fit(spins, 32, **options, seed=1)
    assert (plain.crossing.missed, plain.crossing.memory < 0.25) == (1, True)
    crossed = fitted(spins, 32, None, seed=1, n_steps=4000)
    assert crossed.crossing.n_rungs > 1
    assert crossed.crossing.missed == 0


@pytest.mark.parametrize("n_rungs", [None, 5])
def test_same_bits_for_any_number_of_threads(n_rungs):
    spins, _ = clusters([0.5, 0.5], 61, 500, seed=1)
    found = []
    for n_threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(n_threads)
        found.append(fitted(spins, 19, n_rungs, n_steps=300))
    np.testing.assert_array_equal(found[0].means, found[1].means)
    assert found[0].crossing == found[1].crossing
    assert found[0].crossing.n_rungs >= 2


def test_chains_that_need_no_rungs_take_none_and_have_the_same_bits():
    spins = vmf.sample(vmf.planted(61, 3, 0.7, seed=1), 500, seed=1)
    one, asked = fitted(spins, 19, 1, n_steps=400), fitted(spins, 19, None, n_steps=400)
    assert asked.crossing.n_rungs == 1
    assert abs(asked.crossing.memory) < 0.25
    np.testing.assert_array_equal(one.means, asked.means)
    np.testing.assert_array_equal(one.beta, asked.beta)


def test_data_worse_than_by_independent_pixels_are_named():
    bit = np.random.default_rng(1).choice([-1, 1], size=(1000, 1))
    spins = bit * np.where(np.random.default_rng(2).random((1000, 100)) < 0.05, -1, 1)
    options = vmf.recipe(spins, 16, 3000)
    options["objective"] = replace(options["objective"], model_term=vmf.Annealed(vmf.Gibbs(100, 500)))
    with pytest.warns(
        vmf.ConvergenceWarning, match=r"its own training data .* nats per sample, independent pixels -69"
    ):
        vmf.fit(spins, 16, **options, seed=0)


def test_chains_that_do_not_cross_are_named():
    # two states from the start, of a machine whose synapses stay
    pattern = np.random.default_rng(7).choice([-1, 1], size=(61, 1))
    spins = np.random.default_rng(8).choice([-1, 1], size=(500, 1)) * pattern.T
    learn = vmf.Learn(fields=True, synapses=False, step_size=1e-6)
    objective = vmf.Objective(model_term=vmf.Annealed(vmf.Gibbs(50, 100)))
    with pytest.warns(vmf.ConvergenceWarning, match=r"chains do not cross .* Gibbs\(n_rungs=None\)"):
        result = vmf.fit(spins, 23, 4.0, objective, learn=learn, init=np.tile(pattern, 23), n_steps=150, seed=0)
    assert result.crossing.memory > 0.9
    assert np.isnan(result.crossing.acceptance)


def test_exact_sums_have_no_chains_to_tell_of():
    spins, _ = clusters([0.5, 0.5], 31, 200, seed=1)
    options = vmf.recipe(spins, 4, 50)
    assert isinstance(options["objective"].model_term.solver, vmf.Exact)
    assert vmf.fit(spins, 4, **options, seed=0).crossing is None
    # eight hidden units of 784 pixels would take longer than tempered chains
    assert isinstance(vmf.recipe(np.ones((7, 784)), 8)["objective"].model_term.solver, vmf.Gibbs)


def test_real_couplings_learn_two_clusters_by_tempered_chains():
    bit = np.random.default_rng(1).choice([-1, 1], size=(1000, 1))
    spins = bit * np.where(np.random.default_rng(2).random((1000, 100)) < 0.05, -1, 1)
    size = {"n_steps": 2000, "batch_size": 100, "step_size": 0.05, "seed": 0}
    heights = [
        height(train_full_precision(spins, 16, n_chains=chains, **size), spins)
        for chains in (vmf.Gibbs(100, 1, n_rungs=None), 100)
    ]
    assert heights[0] > -21.0
    assert heights[1] < heights[0] - 3
