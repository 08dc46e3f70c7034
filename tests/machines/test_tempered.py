import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.machines import tempered
from vmfcore.machines.likelihood import crosses
from vmfcore.networks.exact import log_partition

SOLVER = vmf.Gibbs(n_chains=100, n_temperatures=500, n_rungs=None)


def several_states(rng, n_visible, n_hidden, n_patterns, beta):
    """A machine whose hidden units repeat a few patterns, each up to a tenth of its pixels."""
    patterns = rng.choice([-1, 1], size=(n_visible, n_patterns))
    weights = patterns[:, rng.integers(n_patterns, size=n_hidden)]
    weights = weights * np.where(rng.random(weights.shape) < 0.1, -1, 1)
    fields = rng.normal(scale=0.1, size=n_visible), rng.normal(scale=0.3, size=n_hidden)
    return vmf.Machine(weights, beta * rng.uniform(0.5, 1, n_hidden), *fields)


@pytest.mark.parametrize(("n_patterns", "beta"), [(1, 1.0), (1, 5.0), (2, 3.0), (3, 4.0)])
def test_ln_z_agrees_with_exact_sums_of_several_states(n_patterns, beta, rng):
    machine = several_states(rng, 61, 11, n_patterns, beta)
    exact = log_partition(machine.couplings, machine.visible_fields, machine.hidden_fields)
    spins = vmf.sample(machine, 503, seed=1)
    found = vmf.log_likelihood(spins, machine, SOLVER, seed=2)
    # five errors, which are themselves known to a sixth from 25 lanes
    assert found.tempered.standard_error < 0.05
    assert found.log_partition == pytest.approx(exact, abs=5 * found.tempered.standard_error + 1e-3)
    assert crosses(found.tempered)
    low, high = found.bracket
    assert low - 0.05 < found.mean + found.log_partition - exact < high + 0.05


def test_a_state_that_annealing_misses_is_found_or_told():
    # two states of which the data have both and the machine nearly one: 0.9.2 said +44 nats per sample
    machine = vmf.Machine(np.ones((100, 30)), 3.0, np.full(100, 0.5))
    rng = np.random.default_rng(0)
    spins = rng.choice([-1, 1], size=(211, 1)) * np.where(rng.random((211, 100)) < 0.02, -1, 1)
    totals = np.arange(-100, 101, 2)
    from scipy.special import gammaln, logsumexp

    log_binomials = gammaln(101) - gammaln((100 + totals) / 2 + 1) - gammaln((100 - totals) / 2 + 1)
    exact = logsumexp(log_binomials + 0.5 * totals + 30 * np.logaddexp(0.3 * totals, -0.3 * totals))
    total = spins.sum(axis=1)
    truth = (0.5 * total + 30 * np.logaddexp(0.3 * total, -0.3 * total) - exact).mean()
    for seed in range(3):
        found = vmf.log_likelihood(spins, machine, SOLVER, seed=seed)
        assert found.mean == pytest.approx(truth, abs=0.1)
        assert found.per_sample.max() <= 0
        assert found.bracket[1] <= 0


def test_estimates_below_the_weight_of_the_samples_are_cut(rng):
    machine = several_states(rng, 61, 11, 1, 5.0)
    spins = vmf.sample(machine, 211, seed=1)
    far = vmf.Machine(machine.weights, machine.beta, machine.visible_fields + 3, machine.hidden_fields)
    # a single step of annealing, far too few
    with pytest.warns(vmf.ConvergenceWarning, match="the samples alone weigh|ln Z is"):
        found = vmf.log_likelihood(spins, far, vmf.Gibbs(2, 1), base=np.full(61, -3.0), seed=1)
    assert found.log_partition >= found.least_log_partition
    assert found.per_sample.max() <= 1e-9
    assert found.bracket[1] <= found.mean + found.log_partition - found.least_log_partition + 1e-9


def test_samples_have_the_weights_of_the_states():
    pattern = np.random.default_rng(7).choice([-1, 1], size=(61, 1))
    b = np.zeros(23)
    b[0] = 0.5
    machine = vmf.Machine(np.tile(pattern, 23), 4.0, None, b)
    # Σ_σ of both signs of the overlap: ln of their ratio is 2 b of the one unit, which is saturated
    expected = 1 / (1 + np.exp(-1.0))
    samples = vmf.sample(machine, 1000, seed=3)
    share = np.mean(samples @ pattern[:, 0] > 0)
    assert share == pytest.approx(expected, abs=0.06)  # four errors of 1,000
    # the control: plain chains from independent pixels choose their state by chance and stay
    plain = np.mean(vmf.sample(machine, 1000, n_rungs=1, seed=3) @ pattern[:, 0] > 0)
    assert abs(plain - expected) > 0.1


def test_samples_of_four_states_have_their_weights_with_and_without_data():
    # units of four patterns, which a path from independent pixels alone would not tell apart in time
    rng = np.random.default_rng(5)
    patterns = rng.choice([-1, 1], size=(4, 101))
    spins = patterns[rng.integers(4, size=1000)] * np.where(rng.random((1000, 101)) < 0.05, -1, 1)
    machine = vmf.fit(spins, 11, **vmf.recipe(spins, 11, 1000), seed=0).machine.binarized

    def shares(samples):
        return np.bincount((samples[:, None] != patterns).sum(axis=2).argmin(axis=1), minlength=4) / len(samples)

    exact = shares(vmf.sample(machine, 4000, seed=1))
    for like in (None, spins):
        found = shares(vmf.sample(machine, 2000, n_rungs=8, like=like, seed=2))
        # four errors of 2,000 samples, of which a half may be new: lanes remember
        np.testing.assert_allclose(found, exact, atol=4 * np.sqrt(0.25 * 0.75 / 1000))


def test_completions_respect_what_is_held():
    machine = several_states(np.random.default_rng(3), 61, 19, 2, 3.0)
    clamped = np.zeros((7, 61), np.int8)
    clamped[:, :30] = np.random.default_rng(4).choice([-1, 1], size=(7, 30))
    drawn = vmf.sample(machine, 7, clamped=clamped, seed=1)
    np.testing.assert_array_equal(drawn[:, :30], clamped[:, :30])
    again = vmf.sample(machine, 7, clamped=clamped, seed=1)
    np.testing.assert_array_equal(drawn, again)


def test_bennett_of_known_gains(rng):
    # gains of two Gaussians whose free energies differ by one nat: D ~ N(1 ∓ v/2, v)
    variance = 2.0
    upward = rng.normal(1 - variance / 2, np.sqrt(variance), (503, 31))
    downward = rng.normal(1 + variance / 2, np.sqrt(variance), (503, 31))
    middle, below, above, *pulls = tempered._bennett(upward, downward)
    error = np.std(pulls, ddof=1) / np.sqrt(31)
    assert middle == pytest.approx(1, abs=4 * error)
    assert error < 0.03
    assert below == pytest.approx(1, abs=0.1)
    assert above == pytest.approx(1, abs=0.1)
