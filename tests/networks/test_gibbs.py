import naive
import numba
import numpy as np
import pytest
from small import packed, unpacked

import vmfcore as vmf
from vmfcore.networks import gibbs
from vmfcore.networks.couplings import OneBitCouplings, RealCouplings
from vmfcore.networks.exact import draw_exactly

KEY = np.uint64(0xFEDCBA9876543210)


class Network:
    """Couplings and fields that single precision holds exactly, and the place of each sweep on a stream."""

    def __init__(self, rng, n_visible, n_hidden, scale=0.7):
        sizes = ((n_visible, n_hidden), n_visible, n_hidden)
        self.couplings, *fields = (rng.normal(scale=scale, size=size).astype(np.float32) for size in sizes)
        self.fields = tuple(fields)

    def sweep(self, hidden, number, **options):
        """Sweep ``number`` of chains with packed hidden spins: visible spins, ±1, and the fields on the others."""
        n_visible, n_hidden = self.couplings.shape
        first = number * len(hidden) * gibbs.words_a_sweep(n_visible, n_hidden)
        place = gibbs.Place(KEY, first)
        spins, exerted = gibbs.sweep(RealCouplings.of(self.couplings), self.fields, hidden, place, **options)
        assert spins.dtype == np.uint8
        assert exerted.dtype == np.float32
        return unpacked(spins, n_visible), exerted


def random_hidden(rng, n_chains, n_hidden):
    return packed(rng.choice([-1, 1], size=(n_chains, n_hidden)))


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.3, 0.7), (0.0, 1.0)])
@pytest.mark.parametrize(
    ("n_chains", "n_visible", "n_hidden"), [(1, 5, 3), (7, 13, 5), (11, 3, 17), (5, 7, 1), (3, 67, 71)]
)
def test_sweep_equals_naive(scales, n_chains, n_visible, n_hidden, rng):
    network = Network(rng, n_visible, n_hidden)
    hidden = random_hidden(rng, n_chains, n_hidden)
    visible_words = (n_visible + 1) // 2
    stride = visible_words + (n_hidden + 1) // 2
    draws = []
    for first, n in ((0, n_visible), (visible_words, n_hidden)):
        # sweep 3 begins behind the words of three sweeps of all chains
        starts = [(3 * n_chains + k) * stride + first for k in range(n_chains)]
        draws.append(np.array([naive.uniform_numbers(int(KEY), start, n) for start in starts]))
    before = unpacked(hidden, n_hidden)
    expected = naive.gibbs_sweep(network.couplings.astype(float), *network.fields, before, *draws, scales)
    spins, exerted = network.sweep(hidden, 3, scales=scales)
    np.testing.assert_array_equal(spins, expected[0])
    np.testing.assert_array_equal(hidden, packed(expected[2]))
    # sums of 71 numbers of order 1
    np.testing.assert_allclose(exerted, expected[1], atol=np.finfo(np.float32).eps * 71)


def test_fields_beyond_the_range_of_exp_decide(rng):
    network = Network(rng, 3, 2)
    network.couplings[:] = 0
    network.fields = np.array([1e4, -1e4, 800.0], np.float32), np.array([-1e4, 1e4], np.float32)
    hidden = random_hidden(rng, 5, 2)
    spins, exerted = network.sweep(hidden, 0)
    np.testing.assert_array_equal(spins, np.tile([1, -1, 1], (5, 1)))
    np.testing.assert_array_equal(hidden, packed(np.tile([-1, 1], (5, 1))))
    np.testing.assert_array_equal(exerted, np.tile(network.fields[1], (5, 1)))


def test_chains_that_start_from_the_exact_distribution_keep_it(rng):
    network = Network(rng, 11, 3)
    couplings, (a, b) = network.couplings.astype(float), network.fields
    exact = vmf.Exact().solve(vmf.Network(couplings, a, b))
    n_chains, stream = 40009, np.random.default_rng(5)
    spins = draw_exactly(couplings, a, b, n_chains, stream).astype(float)
    hidden = packed(2 * stream.random((n_chains, 3)) - 1 < np.tanh(b + spins @ couplings))
    for number in range(7):
        spins, exerted = network.sweep(hidden, number)
    # sums of 11 numbers of order 1 in single precision
    np.testing.assert_allclose(exerted, b + spins @ couplings, atol=1e-5)
    # each is a mean of independent signs: five standard errors are at most 5/√K
    atol = 5 / np.sqrt(n_chains)
    drawn = unpacked(hidden, 3)
    np.testing.assert_allclose(spins.mean(axis=0), exact.visible_means, atol=atol)
    np.testing.assert_allclose(drawn.mean(axis=0), exact.hidden_means, atol=atol)
    np.testing.assert_allclose(spins.T @ drawn / n_chains, exact.correlations, atol=atol)


def test_bits_do_not_depend_on_the_number_of_threads_nor_on_the_other_chains(rng):
    network = Network(rng, 113, 101)
    start = random_hidden(rng, 223, 101)  # more than a grain
    before = numba.get_num_threads()
    runs = []
    for n_threads in (1, before):
        numba.set_num_threads(n_threads)
        hidden = start.copy()
        for number in range(3):
            spins, exerted = network.sweep(hidden, number)
        runs.append((spins, exerted, hidden))
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)
    # the first chains alone, whose random numbers have their own place
    few = start[:7].copy()
    place = gibbs.Place(KEY, 0)
    alone, _ = gibbs.sweep(RealCouplings.of(network.couplings), network.fields, few, place)
    all_of_them, _ = gibbs.sweep(RealCouplings.of(network.couplings), network.fields, start.copy(), place)
    np.testing.assert_array_equal(alone, all_of_them[:7])


def test_clamped_spins_stay_and_no_random_number_moves(rng):
    network = Network(rng, 13, 5)
    hidden = random_hidden(rng, 7, 5)
    clamped = rng.choice([-1, 0, 1], size=(7, 13)).astype(np.int8)
    free_hidden, held_hidden = hidden.copy(), hidden.copy()
    free, _ = network.sweep(free_hidden, 3)
    held, exerted = network.sweep(held_hidden, 3, clamped=clamped)
    np.testing.assert_array_equal(held, np.where(clamped != 0, clamped, free))
    expected = network.fields[1] + held @ network.couplings.astype(float)
    np.testing.assert_allclose(exerted, expected, atol=20 * np.finfo(np.float32).eps * 13)
    # without a clamped spin, the bits of a sweep that knows of none
    again = hidden.copy()
    spins, _ = network.sweep(again, 3, clamped=np.zeros_like(clamped))
    np.testing.assert_array_equal(spins, free)
    np.testing.assert_array_equal(again, free_hidden)


def test_free_spins_follow_the_distribution_given_the_clamped_ones(rng):
    network = Network(rng, 5, 3)
    couplings, (a, b) = network.couplings.astype(float), network.fields
    given = np.array([1, 0, -1, 0, 0], np.int8)
    # by enumeration of both layers: all states that agree with the clamped spins
    states = naive.states(5)
    states = states[((states == given) | (given == 0)).all(axis=1)]
    weights = np.exp(states @ a + naive.log2cosh(b + states @ couplings).sum(axis=1))
    expected = weights / weights.sum()
    n_chains = 20011
    hidden, clamped = random_hidden(rng, n_chains, 3), np.tile(given, (n_chains, 1))
    for number in range(60):  # far beyond the few that a network of these couplings needs
        spins, _ = network.sweep(hidden, number, clamped=clamped)
    seen = np.array([(spins == state).all(axis=1).mean() for state in states])
    assert seen.sum() == pytest.approx(1, abs=1e-12)  # the clamped ones stay
    # five standard errors of a frequency
    assert (np.abs(seen - expected) < 5 * np.sqrt(expected / n_chains)).all()
    # the wrong distribution, that without clamped spins, is rejected
    free = np.exp(naive.states(5) @ a + naive.log2cosh(b + naive.states(5) @ couplings).sum(axis=1))
    mean = (free / free.sum()) @ naive.states(5)
    assert np.abs(spins.mean(axis=0) - mean).max() > 5 / np.sqrt(n_chains)


@pytest.mark.parametrize("scales", ["one", "many"])
def test_one_bit_couplings_are_the_same_as_real_ones(scales, rng):
    synapses = rng.choice([-1, 1], size=(67, 13))
    s = np.full(13, 0.3) if scales == "one" else rng.uniform(0.1, 0.5, size=13)
    one_bit, real = OneBitCouplings.of(packed(synapses), s), RealCouplings.of(synapses * s)
    assert one_bit.shape == real.shape == (67, 13)
    spins, hidden = packed(rng.choice([-1, 1], size=(7, 67))), random_hidden(rng, 7, 13)
    # sums of 67 numbers below 0.5 in single precision, of which counts make a single one
    atol = 67 * 0.5 * np.finfo(np.float32).eps
    np.testing.assert_allclose(one_bit.on_hidden(spins), real.on_hidden(spins), atol=atol)
    np.testing.assert_allclose(one_bit.on_visible(hidden), real.on_visible(hidden), atol=atol)
    assert (one_bit.columns is None) == (scales == "one")
    in_double = OneBitCouplings.of(packed(synapses), s, np.float64)
    expected = unpacked(spins, 67) @ (synapses * s)
    np.testing.assert_allclose(in_double.on_hidden(spins), expected, atol=1e-13)
