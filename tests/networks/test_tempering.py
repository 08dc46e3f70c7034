import naive
import numba
import numpy as np
import pytest
from small import unpacked

import vmfcore as vmf
from vmfcore.data.mixture import Mixture, independent_pixels
from vmfcore.networks import chains, tempering
from vmfcore.networks.couplings import OneBitCouplings, RealCouplings

KEY = np.uint64(0x123456789ABCDEF)


class Problem:
    """A network, a mixture of three components, and a ladder of four rungs with offsets."""

    def __init__(self, rng, n_visible=5, n_hidden=3, n_lanes=7, n_last=7, scale=0.7):
        self.couplings = rng.normal(scale=scale, size=(n_visible, n_hidden)).astype(np.float32)
        self.fields = rng.normal(scale=0.5, size=n_visible), rng.normal(scale=0.5, size=n_hidden).astype(np.float32)
        self.mixture = Mixture(np.log([0.5, 0.3, 0.2]), rng.normal(size=(3, n_visible)))
        self.places = np.array([0.0, 0.3, 0.7, 1.0])
        self.n_lanes = n_lanes
        offsets = rng.normal(size=(4, 3))
        offsets[[0, 3]] = 0.0
        hidden = rng.integers(0, 256, (n_last, -(-n_hidden // 8)), np.uint8)
        ladder = chains.one_rung(hidden, self.mixture, np.array([KEY, 0], np.uint64))
        self.ladder = tempering.respaced(ladder, 4, n_lanes)._replace(places=self.places, offsets=offsets)

    def log_weights(self, rung, spins):
        """ln f_s of visible spins, by the slow sum."""
        parts = self.couplings, *self.fields, self.mixture.log_weights, self.mixture.fields
        return naive.rung_log_weight(self.places[rung], self.ladder.offsets[rung], spins, *parts)

    def sweep(self, ladder, **options):
        return tempering.tempered_sweep(RealCouplings.of(self.couplings), self.fields, ladder, self.n_lanes, **options)


def test_gains_are_differences_of_log_weights(rng):
    problem = Problem(rng)
    ladder = problem.ladder
    seen = []
    original = tempering.draw_visible
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempering, "draw_visible", lambda *x: seen.append(original(*x)) or seen[-1])
        for sweep in range(2):
            order = ladder.order.reshape(4, -1)
            ladder, _, _, gains = problem.sweep(ladder)
            spins = unpacked(seen[-1], 5)
            assert gains.rungs.tolist() == [[0, 2], [1]][sweep]
            for rung, up, down in zip(*gains, strict=True):
                for lane in range(7):
                    for chain, gain in ((order[rung, lane], up[lane]), (order[rung + 1, lane], down[lane])):
                        expected = problem.log_weights(rung + 1, spins[chain]) - problem.log_weights(rung, spins[chain])
                        assert gain == pytest.approx(expected, abs=1e-5)  # fields are summed in single precision


def test_all_rungs_stay_in_equilibrium(rng):
    n_lanes, n_sweeps = 1009, 307
    problem = Problem(rng, n_lanes=n_lanes, n_last=n_lanes)
    states = naive.states(5)
    counts = np.zeros((4, 32))
    seen = []
    original = tempering.draw_visible
    ladder = problem.ladder
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempering, "draw_visible", lambda *x: seen.append(original(*x)) or seen[-1])
        for sweep in range(n_sweeps):
            order = ladder.order.reshape(4, -1)
            ladder, *_ = problem.sweep(ladder)
            if sweep >= 50:
                codes = seen[-1][:, 0] >> 3
                counts += np.array([np.bincount(codes[chain], minlength=32) for chain in order])
            seen.clear()
    codes = np.packbits(states > 0, axis=1)[:, 0] >> 3
    for rung in range(4):
        log_weights = np.array([problem.log_weights(rung, state) for state in states])
        expected = np.exp(log_weights - np.logaddexp.reduce(log_weights))
        measured = counts[rung][codes] / counts[rung].sum()
        # 260,000 samples, of chains that remember some ten sweeps: 26,000; five deviations
        np.testing.assert_array_less(np.abs(measured - expected), 5 * np.sqrt(expected / 26_000))
    # the control: another rung's weights are refused
    log_weights = np.array([problem.log_weights(1, state) for state in states])
    wrong = np.exp(log_weights - np.logaddexp.reduce(log_weights))
    assert (np.abs(counts[3][codes] / counts[3].sum() - wrong) > 5 * np.sqrt(wrong / 26_000)).any()
    assert ladder.round_trips > n_lanes


@pytest.mark.parametrize("one_bit", [False, True])
def test_bits_do_not_depend_on_threads(one_bit, rng):
    problem = Problem(rng, n_visible=67, n_hidden=37, n_lanes=11, n_last=41)
    couplings = RealCouplings.of(problem.couplings)
    if one_bit:
        bits = np.packbits(rng.choice([0, 1], size=(67, 37)).astype(np.uint8), axis=1)
        couplings = OneBitCouplings.of(bits, rng.uniform(0.1, 0.3, 37))
    found = []
    for n_threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(n_threads)
        ladder = problem.ladder
        for _ in range(5):
            ladder, spins, hidden, _ = tempering.tempered_sweep(couplings, problem.fields, ladder, 11, step_size=0.1)
        found.append((*ladder, spins, hidden))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_last_rung_of_more_chains_takes_turns(rng):
    problem = Problem(rng, n_lanes=3, n_last=10)
    ladder = problem.ladder
    taken = set()
    for _ in range(8):
        positions, rungs = tempering._pairs(ladder, 3)
        if 2 in rungs:
            taken |= set(positions[1][rungs == 2].ravel().tolist())
        ladder, spins, hidden, _ = problem.sweep(ladder)
        assert sorted(ladder.order) == list(range(3 * 3 + 10))
        assert (len(spins), len(hidden)) == (10, 10)
    assert taken == set(range(9, 19))


def test_rungs_move_to_equal_acceptance_and_grow_in_number(rng):
    problem = Problem(rng, n_visible=61, n_hidden=7, n_lanes=53, n_last=53, scale=0.4)
    ladder = problem.ladder
    for _ in range(12):
        for _ in range(50):
            ladder, *_ = problem.sweep(ladder, step_size=0.1)
        spread = np.ptp(tempering.rejections(ladder))
        wanted = tempering.n_rungs_wanted(ladder)
        ladder = tempering.respaced(ladder, wanted, 53)
    assert ladder.places[0] == 0
    assert ladder.places[-1] == 1
    assert (np.diff(ladder.places) > 0).all()
    assert len(ladder.places) == wanted > 4
    assert spread < 0.25  # four equal steps of s: more than that


def two_states(n_visible=61, n_hidden=23, beta=4.0):
    """A machine of two states far from each other, and their pattern."""
    pattern = np.random.default_rng(7).choice([-1, 1], size=(n_visible, 1))
    b = np.zeros(n_hidden)
    b[0] = 0.25  # of a unit that is saturated in both states, which then differ by the factor exp(2b)
    return vmf.Machine(np.tile(pattern, n_hidden), beta, None, b), pattern[:, 0]


def test_chains_cross_where_plain_ones_do_not():
    machine, pattern = two_states()
    network = vmf.Network(machine.couplings, np.zeros(61), machine.hidden_fields)
    expected = np.tanh(0.25)  # of the shares of the two states
    overlaps = {}
    for n_rungs in (1, 15):
        solver = vmf.Gibbs(100, 50, n_rungs=n_rungs)
        state = solver.solve(network, seed=1)
        seen = []
        for _ in range(2000):
            state = solver.solve(network, state.messages, seed=1)
            seen.append(pattern @ state.visible_means / 61)
        overlaps[n_rungs] = np.array(seen[800:])
    # plain chains stay where they are; tempered ones have the states as often as they weigh, within four errors of 600
    # round trips
    assert np.ptp(overlaps[1]) < 0.01
    assert abs(overlaps[1].mean() - expected) > 0.15
    assert overlaps[15].mean() == pytest.approx(expected, abs=4 / np.sqrt(600))
    found = chains.crossing(state.messages)[0]
    assert found.round_trips > 600
    assert found.acceptance > 0.3


def test_memory_tells_caught_chains_from_chains_that_cross(rng):
    means = np.zeros(101)
    caught = np.packbits(rng.choice([0, 1], size=(53, 101)).astype(np.uint8), axis=1)
    other = np.packbits(rng.choice([0, 1], size=(53, 101)).astype(np.uint8), axis=1)
    assert chains.memory_of(caught, caught, means) == 1
    assert abs(chains.memory_of(caught, other, means)) < 0.1  # 5,353 coins: 0.014
    # all in one state, which they leave together for another that is as far as data are from each other
    assert chains.memory_of(caught, caught, np.full(101, 0.5)) == 1


def test_one_component_is_the_path_from_independent_pixels(rng):
    problem = Problem(rng)
    fields = rng.normal(size=5)
    one = independent_pixels(fields)
    for s in (0.0, 0.4, 1.0):
        for spins in naive.states(5)[::7]:
            parts = problem.couplings, *problem.fields
            found = naive.rung_log_weight(s, np.zeros(1), spins, *parts, one.log_weights, one.fields)
            a, b = problem.fields
            direct = ((1 - s) * fields + s * a) @ spins - (1 - s) * np.log(2 * np.cosh(fields)).sum()
            direct += sum(np.log(2 * np.cosh(s * (b[mu] + problem.couplings[:, mu] @ spins))) for mu in range(3))
            assert found == pytest.approx(direct, abs=1e-12)


def test_components_that_no_chain_comes_near_are_counted(rng):
    apart = Mixture(np.log([0.49, 0.5, 0.01]), np.array([np.full(61, 2.0), np.full(61, -2.0), np.zeros(61)]))
    ladder = Problem(rng, n_visible=61).ladder._replace(log_weights=apart.log_weights, fields=apart.fields)
    up = np.packbits(rng.random((7, 61)) < 0.98, axis=1)
    log_joint = [
        [w + a @ spins - np.log(2 * np.cosh(a)).sum() for w, a in zip(*apart, strict=True)]
        for spins in unpacked(up, 61)
    ]
    gaps = (np.max(log_joint, axis=1, keepdims=True) - log_joint).min(axis=0)
    found = chains.gaps_of(ladder, up)
    np.testing.assert_allclose(found, gaps, rtol=1e-5, atol=1e-3)  # single precision of sums over 61 pixels
    assert chains.missed_of(ladder, found, n_chains=7) == 1
    # the controls: of one chain eight visits are not to be expected; a component that is near
    assert chains.missed_of(ladder, found, n_chains=1) == 0
    assert chains.missed_of(ladder, np.minimum(found, 19.0), n_chains=7) == 0
