"""ln Z along a path of networks, against sums over all states."""

import naive
import numpy as np
import pytest
from small import packed, unpacked

import vmfcore as vmf
from vmfcore.networks import gibbs, walkers
from vmfcore.networks.exact import log_partition


def random_network(rng, n_visible=13, n_hidden=5, scale=0.4):
    """Couplings that single precision holds exactly, and fields."""
    couplings = rng.normal(scale=scale, size=(n_visible, n_hidden)).astype(np.float32)
    return couplings.astype(float), rng.normal(size=n_visible), rng.normal(size=n_hidden)


def walked(walker, network, n_steps):
    return walkers.walk(walker, *(part[None] for part in network), n_steps)


def start(n_chains, shape=(13, 5), seed=3):
    return walkers.at_independent_pixels(np.linspace(-0.5, 0.5, shape[0]), n_chains, (1, *shape), seed)


def test_a_walk_equals_the_slow_one(rng):
    first = random_network(rng)
    networks = first, tuple(part + 0.1 * rng.normal(size=part.shape).astype(np.float32) for part in first)
    walker = walked(start(7), first, 3)
    walker.fewest[:] = 7
    key, n_sweeps = walker.chains.streams[0]
    stride = gibbs.words_a_sweep(13, 5)

    def draws(n):
        firsts = [((int(n_sweeps) + n) * 7 + k) * stride for k in range(7)]
        of_visible = np.array([naive.uniform_numbers(int(key), first, 13) for first in firsts])
        of_hidden = np.array([naive.uniform_numbers(int(key), first + 7, 5) for first in firsts])
        return of_visible, of_hidden

    u = np.random.default_rng([key, n_sweeps]).random()
    before = unpacked(walker.chains.hidden[0], 5)
    change, hidden = naive.walk(*networks, 4, before, draws, u)
    known = walker.log_partition[0]
    walker = walked(walker, networks[1], 4)
    assert walker.fewest[0] > 3.5  # so that they were drawn anew at the end alone, as in the slow walk
    assert len(np.unique(hidden, axis=0)) > 1
    np.testing.assert_array_equal(walker.chains.hidden[0], packed(hidden))
    # seven sums of 13 and 5 numbers of order 1 in single precision
    assert walker.log_partition[0] - known == pytest.approx(change, abs=1e-4)


def test_ln_z_is_that_of_the_sum_over_all_states_all_along():
    rng = np.random.default_rng(7)
    path = [random_network(rng) for _ in range(5)]
    deviations = []
    for seed in range(20):
        walker = start(100, seed=seed)
        for network in path:
            walker = walked(walker, network, 50)
            error = np.sqrt(walker.variance[0])
            assert 0 < error < 0.3
            deviations.append((walker.log_partition[0] - log_partition(*network)) / error)
    deviations = np.reshape(deviations, (20, 5))
    # in units of the told error, which takes chains that were drawn anew for independent: 1, up to a factor of two
    assert 0.5 < deviations.std() < 2
    # a mean of twenty, four standard errors of which are 0.9 at a spread of 1
    assert np.abs(deviations.mean(axis=0)).max() < 4 * deviations.std() / np.sqrt(20)
    # what the walk to another network finds is not taken for that of this one
    assert abs(walker.log_partition[0] - log_partition(*path[0])) > 8 * error


def test_chains_that_arrive_are_samples_of_the_network(rng):
    network = random_network(rng)
    walker = walked(walked(start(20_011), random_network(rng), 30), network, 30)
    exact = vmf.Exact().solve(vmf.Network(*network))
    hidden = unpacked(walker.chains.hidden[0], 5)
    # drawn anew where half of them would carry the mean: five errors of half as many, and of twice, for correlated ones
    atol = 5 / np.sqrt(20_011 / 4)
    np.testing.assert_allclose(hidden.mean(axis=0), exact.hidden_means, atol=atol)
    assert np.abs(exact.hidden_means).max() > 2 * atol  # so that this says something


def test_replicas_walk_on_their_own(rng):
    networks = [random_network(rng) for _ in range(2)]
    together = walkers.at_independent_pixels(np.zeros(13), 11, (2, 13, 5), 3)
    alone = walkers.at_independent_pixels(np.zeros(13), 11, (1, 13, 5), 3)
    stacked = [np.stack(parts) for parts in zip(*networks, strict=True)]
    together, alone = walkers.walk(together, *stacked, 7), walked(alone, networks[0], 7)
    assert together.log_partition[0] == alone.log_partition[0]
    np.testing.assert_array_equal(together.chains.hidden[0], alone.chains.hidden[0])
    assert together.log_partition[1] != alone.log_partition[0]


def test_bounds_along_a_fit_are_those_of_the_exact_sum():
    spins = vmf.sample(vmf.planted(31, 3, 1.0, seed=1), 101, seed=1)
    seen = {}

    def look(step, means, bound):
        seen[step] = means.copy(), bound

    chains = vmf.Annealed(vmf.Gibbs(200, 100, bound_every=10))
    options = {"n_steps": 40, "callback": vmf.Every(10, look), "seed": 2}
    history = vmf.fit(spins, 3, 1.0, vmf.Objective(model_term=chains), **options).history
    for k, step in enumerate(history.step):
        means, bound = seen[step]
        exact = vmf.bound(spins, means, 1.0, vmf.Objective(model_term=vmf.Annealed(vmf.Exact())))
        # nats of all samples, for ln Z of each
        assert 0 < 101 * history.residual[k] < 5
        assert bound.total == pytest.approx(exact.total, abs=4 * 101 * history.residual[k] + 1e-3)
        assert bound.kl == pytest.approx(exact.kl, rel=1e-12)
