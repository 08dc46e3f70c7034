import naive
import numba
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.networks import gibbs
from vmfcore.networks.exact import draw_exactly
from vmfcore.numerics import blocks
from vmfcore.numerics.jit import one_blas_thread

PRECISIONS = (np.float64, np.float32)


def network(rng, n_visible, n_hidden, dtype=np.float64):
    """Couplings and fields that the precision holds exactly."""
    sizes = ((n_visible, n_hidden), n_visible, n_hidden)
    return [rng.normal(scale=0.7, size=size).astype(dtype) for size in sizes]


def columns_of(couplings):
    return np.ascontiguousarray(couplings.T)


def random_hidden(rng, n_chains, n_hidden, dtype=np.float64):
    return rng.choice([-1.0, 1.0], size=(n_chains, n_hidden)).astype(dtype)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.3, 0.7), (0.0, 1.0)])
@pytest.mark.parametrize(("n_chains", "n_visible", "n_hidden"), [(1, 5, 3), (7, 13, 5), (11, 3, 17), (5, 7, 1)])
def test_sweep_equals_naive(dtype, scales, n_chains, n_visible, n_hidden, rng, monkeypatch):
    couplings, a, b = network(rng, n_visible, n_hidden, dtype)
    hidden = random_hidden(rng, n_chains, n_hidden, dtype)
    for block in (blocks.IN_CACHE, 3 * (n_visible + n_hidden), 1):
        monkeypatch.setattr(blocks, "IN_CACHE", block)
        draws = np.random.default_rng(3)
        visible_draws, hidden_draws = (draws.random((n_chains, n), dtype) for n in (n_visible, n_hidden))
        expected = naive.gibbs_sweep(couplings, a, b, hidden, visible_draws, hidden_draws, scales)
        new, stream = hidden.copy(), np.random.default_rng(3)
        spins, exerted = gibbs.sweep(columns_of(couplings), a, b, new, stream, scales=scales)
        assert spins.dtype == exerted.dtype == dtype
        np.testing.assert_array_equal(spins, expected[0])
        np.testing.assert_array_equal(new, expected[2])
        # sums of 17 numbers of order 1
        np.testing.assert_allclose(exerted, expected[1], atol=20 * np.finfo(dtype).eps * 17)
        assert stream.random() == draws.random()  # no more draws than these


def test_fields_beyond_the_range_of_exp_decide():
    for dtype in PRECISIONS:
        a, b = np.array([1e4, -1e4, 800.0], dtype), np.array([-1e4, 1e4], dtype)
        hidden = np.ones((5, 2), dtype)
        spins, exerted = gibbs.sweep(np.zeros((2, 3), dtype), a, b, hidden, np.random.default_rng(0))
        np.testing.assert_array_equal(spins, np.tile([1, -1, 1], (5, 1)))
        np.testing.assert_array_equal(hidden, np.tile([-1, 1], (5, 1)))
        np.testing.assert_array_equal(exerted, np.tile(b, (5, 1)))


def test_chains_that_start_from_the_exact_distribution_keep_it(rng):
    couplings, a, b = network(rng, 11, 3)
    exact = vmf.Exact().solve(vmf.Network(couplings, a, b))
    n_chains, stream = 40009, np.random.default_rng(5)
    spins = draw_exactly(couplings, a, b, n_chains, stream).astype(float)
    hidden = np.where(2 * stream.random((n_chains, 3)) - 1 < np.tanh(b + spins @ couplings), 1.0, -1.0)
    for _ in range(7):
        spins, exerted = gibbs.sweep(columns_of(couplings), a, b, hidden, stream)
    np.testing.assert_allclose(exerted, b + spins @ couplings, atol=1e-13)
    # each is a mean of independent signs: five standard errors are at most 5/√K
    atol = 5 / np.sqrt(n_chains)
    np.testing.assert_allclose(spins.mean(axis=0), exact.visible_means, atol=atol)
    np.testing.assert_allclose(hidden.mean(axis=0), exact.hidden_means, atol=atol)
    np.testing.assert_allclose(spins.T @ hidden / n_chains, exact.correlations, atol=atol)


def test_bits_do_not_depend_on_the_number_of_threads(rng):
    couplings, a, b = network(rng, 113, 101, np.float32)
    start, runs = random_hidden(rng, 223, 101, np.float32), []  # two and a half grains
    before = numba.get_num_threads()
    for n_threads in (1, before):
        numba.set_num_threads(n_threads)
        hidden, stream = start.copy(), np.random.default_rng(7)
        with one_blas_thread():
            for _ in range(3):
                spins, exerted = gibbs.sweep(columns_of(couplings), a, b, hidden, stream)
        runs.append((spins, exerted, hidden))
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_clamped_spins_stay_and_no_random_number_moves(dtype, rng):
    couplings, a, b = network(rng, 13, 5, dtype)
    hidden = random_hidden(rng, 7, 5, dtype)
    clamped = rng.choice([-1, 0, 1], size=(7, 13)).astype(np.int8)
    free_hidden, held_hidden = hidden.copy(), hidden.copy()
    free_stream, held_stream = np.random.default_rng(3), np.random.default_rng(3)
    free, _ = gibbs.sweep(columns_of(couplings), a, b, free_hidden, free_stream)
    held, exerted = gibbs.sweep(columns_of(couplings), a, b, held_hidden, held_stream, clamped=clamped)
    np.testing.assert_array_equal(held, np.where(clamped != 0, clamped, free))
    np.testing.assert_allclose(exerted, b + held @ couplings, atol=20 * np.finfo(dtype).eps * 13)
    assert held_stream.random() == free_stream.random()
    # without a clamped spin, the bits of a sweep that knows of none
    again = hidden.copy()
    spins, _ = gibbs.sweep(columns_of(couplings), a, b, again, np.random.default_rng(3), clamped=np.zeros_like(clamped))
    np.testing.assert_array_equal(spins, free)
    np.testing.assert_array_equal(again, free_hidden)


def test_free_spins_follow_the_distribution_given_the_clamped_ones(rng):
    couplings, a, b = network(rng, 5, 3)
    given = np.array([1, 0, -1, 0, 0], np.int8)
    # by enumeration of both layers: all states that agree with the clamped spins
    states = naive.states(5)
    states = states[((states == given) | (given == 0)).all(axis=1)]
    weights = np.exp(states @ a + naive.log2cosh(b + states @ couplings).sum(axis=1))
    expected = weights / weights.sum()
    n_chains, stream = 20011, np.random.default_rng(5)
    hidden, clamped = random_hidden(rng, n_chains, 3), np.tile(given, (n_chains, 1))
    for _ in range(60):  # far beyond the few that a network of these couplings needs
        spins, _ = gibbs.sweep(columns_of(couplings), a, b, hidden, stream, clamped=clamped)
    seen = np.array([(spins == state).all(axis=1).mean() for state in states])
    assert seen.sum() == pytest.approx(1, abs=1e-12)  # the clamped ones stay
    # five standard errors of a frequency
    assert (np.abs(seen - expected) < 5 * np.sqrt(expected / n_chains)).all()
    # the wrong distribution, that without clamped spins, is rejected
    free = np.exp(naive.states(5) @ a + naive.log2cosh(b + naive.states(5) @ couplings).sum(axis=1))
    mean = (free / free.sum()) @ naive.states(5)
    assert np.abs(spins.mean(axis=0) - mean).max() > 5 / np.sqrt(n_chains)
