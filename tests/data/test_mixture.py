import itertools

import naive
import numpy as np
import pytest

from vmfcore.data import mixture
from vmfcore.data.packing import pack_spins, pixel_fields


def clusters(rng, weights, n_visible, n_samples, flip=0.05):
    """Samples of random patterns, each pixel turned over with a probability, and the patterns."""
    patterns = rng.choice([-1, 1], size=(len(weights), n_visible))
    which = rng.choice(len(weights), size=n_samples, p=weights)
    return patterns[which] * np.where(rng.random((n_samples, n_visible)) < flip, -1, 1), patterns


def test_probabilities_of_all_states_add_up(rng):
    spins = rng.choice([-1, 1], size=(31, 7))
    found = mixture.fit_mixture(spins, 3, seed=1)
    assert np.exp(found.log_probabilities(naive.states(7))).sum() == pytest.approx(1, abs=1e-12)
    assert np.exp(found.log_weights).sum() == pytest.approx(1, abs=1e-12)


def test_clusters_are_found_with_their_weights(rng):
    weights = [0.6, 0.3, 0.1]
    spins, patterns = clusters(rng, weights, 101, 1009)
    found = mixture.fit_mixture(spins, 3, seed=2)
    np.testing.assert_array_equal(np.sign(found.fields), patterns)
    # three deviations of 1,009 samples
    np.testing.assert_allclose(np.exp(found.log_weights), weights, atol=0.05)
    np.testing.assert_allclose(np.abs(np.tanh(found.fields)).mean(axis=1), 0.9, atol=0.03)
    # the likelihood of the truth, but for what 304 numbers learn by heart: half a nat each of 1,009 samples
    apart = (spins[:, None] != patterns).sum(axis=2)
    truth = np.logaddexp.reduce(np.log(weights) + apart * np.log(0.05) + (101 - apart) * np.log(0.95), axis=1)
    assert found.log_probabilities(spins).mean() == pytest.approx(truth.mean(), abs=0.4)
    assert mixture.fit_mixture(spins, 1, seed=2).log_probabilities(spins).mean() < truth.mean() - 20


def test_steps_climb(rng):
    spins, _ = clusters(rng, [0.5, 0.5], 31, 211, flip=0.3)
    heights = [mixture.fit_mixture(spins, 5, n_steps=n, seed=3).log_probabilities(spins).mean() for n in (1, 2, 8, 40)]
    # smoothing by one sample of each sign is part of the objective: 0.05 nats
    assert all(later > earlier - 0.05 for earlier, later in itertools.pairwise(heights))
    assert heights[-1] > heights[0]


def test_references_hold_independent_pixels(rng):
    spins, _ = clusters(rng, [0.5, 0.5], 31, 211)
    data = pack_spins(spins)
    found = mixture.reference_of(data, 0)
    np.testing.assert_array_equal(found.fields[-1], pixel_fields(data))
    assert np.exp(found.log_weights).sum() == pytest.approx(1, abs=1e-12)
    assert len(found.log_weights) == 17
    few = mixture.reference_of(pack_spins(spins[:9]), 0)
    assert few.fields.shape == (1, 31)
    np.testing.assert_allclose(few.means, np.tanh(pixel_fields(pack_spins(spins[:9]))))
