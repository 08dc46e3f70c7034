import naive
import numba
import numpy as np
import pytest
from small import unpacked

import vmfcore as vmf
from vmfcore.data import packing
from vmfcore.machines import likelihood, sampling
from vmfcore.machines import machine as machines
from vmfcore.machines.machine import Machine
from vmfcore.networks import annealing
from vmfcore.networks.couplings import RealCouplings
from vmfcore.networks.exact import log_partition


def random_machine(rng, n_visible, n_hidden, binary=False):
    weights = rng.choice([-1, 1], size=(n_visible, n_hidden)) if binary else rng.uniform(-1, 1, (n_visible, n_hidden))
    beta = rng.uniform(0.5, 2.5, size=n_hidden)
    return Machine(weights, beta, rng.normal(scale=0.3, size=n_visible), rng.normal(scale=0.3, size=n_hidden))


def exact_log_z(machine):
    return log_partition(machine.couplings, machine.visible_fields, machine.hidden_fields)


@pytest.mark.parametrize(("n_hidden", "binary"), [(3, False), (5, True)])
def test_probabilities_of_all_states(n_hidden, binary, rng):
    machine, spins = random_machine(rng, 11, n_hidden, binary), naive.states(11)
    expected = naive.visible_log_probabilities(machine.couplings, machine.visible_fields, machine.hidden_fields)
    for data in (spins, packing.pack_spins(spins)):
        result = likelihood.log_likelihood(data, machine, seed=0)
        np.testing.assert_allclose(result.per_sample, expected, atol=1e-12)
        assert np.exp(result.per_sample).sum() == pytest.approx(1, abs=1e-12)
        assert result.mean == pytest.approx(expected.mean(), abs=1e-12)
        assert result.standard_error == 0
        assert result.log_partition == pytest.approx(exact_log_z(machine), abs=1e-12)
        assert result.effective_chains == np.inf


def test_without_couplings_pixels_are_independent(rng):
    a, spins = rng.normal(size=13), rng.choice([-1, 1], size=(7, 13))
    machine = Machine(np.zeros((13, 17)), 1.0, a)  # 13 visible units: by default the sum is over these
    expected = (a * spins - naive.log2cosh(a)).sum(axis=1)
    np.testing.assert_allclose(likelihood.log_likelihood(spins, machine, seed=0).per_sample, expected, atol=1e-12)
    # from the right base every chain has the weight 1
    result = likelihood.log_likelihood(spins, machine, vmf.Gibbs(5, 3), base=a, seed=0)
    np.testing.assert_allclose(result.per_sample, expected, atol=1e-12)
    assert result.effective_chains == pytest.approx(5)


@pytest.mark.parametrize("binary", [False, True])
def test_importance_sampling_agrees_with_the_exact_sum_and_brackets_it(binary, rng):
    machine, base = random_machine(rng, 13, 5, binary), rng.normal(scale=0.2, size=13)
    log_z = exact_log_z(machine)
    samples = sampling.sample(machine, 503, seed=1)
    solver = vmf.Gibbs(n_chains=503, n_temperatures=211)
    forward = likelihood.estimate_log_partition(machine, base, solver, seed=1)
    back = likelihood.estimate_log_partition(machine, base, solver, reverse_from=samples, seed=1)
    for estimate in (forward, back):
        # four standard errors, which are small: chance leaves them once in 16,000 seeds
        assert estimate.standard_error < 0.01
        assert estimate.log_partition == pytest.approx(log_z, abs=4 * estimate.standard_error)
        assert 400 < estimate.effective_chains <= 503


def test_too_few_temperatures_err_to_opposite_sides(rng):
    machine = random_machine(rng, 61, 7, binary=True)._replace(beta=3.0)
    solver, log_z = vmf.Gibbs(n_chains=31, n_temperatures=7), exact_log_z(machine)
    sides, effective = [], []
    for seed in range(29):
        samples = sampling.sample(machine, 31, seed=seed)
        pair = (
            likelihood.estimate_log_partition(machine, np.zeros(61), solver, seed=seed),
            likelihood.estimate_log_partition(machine, np.zeros(61), solver, reverse_from=samples, seed=seed),
        )
        sides.append([estimate.log_partition - log_z for estimate in pair])
        effective.append([estimate.effective_chains for estimate in pair])
    low, high = np.transpose(sides)
    # ln of a mean of weights is too small by half the mean's relative variance and more: here beyond three errors
    for side in (-low, high):
        assert side.mean() > 3 * side.std(ddof=1) / np.sqrt(len(side))
    assert np.mean(effective) < 31 / 4  # the result says so


def test_the_standard_error_is_the_spread_over_seeds(rng):
    machine, base = random_machine(rng, 13, 5), np.zeros(13)
    solver = vmf.Gibbs(n_chains=53, n_temperatures=31)
    runs = [likelihood.estimate_log_partition(machine, base, solver, seed=seed) for seed in range(101)]
    values, errors, _ = np.transpose(runs)
    # the spread of 101 values is known to 7 %: four times that
    assert values.std(ddof=1) == pytest.approx(np.sqrt((errors**2).mean()), rel=0.28)
    assert values.mean() == pytest.approx(exact_log_z(machine), abs=4 * errors.mean() / np.sqrt(101))


@pytest.mark.parametrize("way", [1, -1])
def test_weights_are_precise_though_the_chains_are_not(way, rng, monkeypatch):
    machine = machines.check_machine(random_machine(rng, 787, 101, binary=True))
    base, visited, sweep = rng.normal(scale=0.5, size=787), [], annealing.sweep

    def recorded(*args, **options):
        spins, fields = sweep(*args, **options)
        visited.append(unpacked(spins, 787))
        return spins, fields

    monkeypatch.setattr(annealing, "sweep", recorded)
    path, hidden = np.linspace(0, 1, 212)[::way], np.zeros((3, 13), np.uint8)
    fields = machine.visible_fields, machine.hidden_fields
    couplings = RealCouplings.of(machine.couplings)
    log_weights = annealing.anneal(couplings, fields, base, path, hidden, np.uint64(1))
    log_z0 = way * (naive.log2cosh(base).sum() + 101 * np.log(2))
    for k, log_weight in enumerate(log_weights):
        chain = [spins[k] for spins in visited]
        expected = log_z0 + naive.annealed_log_weight(machine.couplings, *fields, base, path, chain)
        # fields of 787 and tilts of 101 units in single precision, some 1e-5 in all of a path of length 1
        assert log_weight == pytest.approx(expected, abs=1e-4)


def test_the_way_through_importance_sampling(rng):
    machine = random_machine(rng, 29, 17, binary=True)
    spins = sampling.sample(machine, 101, n_sweeps=50, seed=0)
    solver = vmf.Gibbs(n_chains=200, n_temperatures=211)
    exact = likelihood.log_likelihood(spins, machine, vmf.Exact(), seed=0)
    result = likelihood.log_likelihood(spins, machine, solver, seed=0)
    assert 0 < result.standard_error < 0.05
    assert result.mean == pytest.approx(exact.mean, abs=4 * result.standard_error)
    assert result.mean == pytest.approx(result.per_sample.mean(), abs=1e-12)
    # the base is that of these data
    base = packing.pixel_fields(packing.pack_spins(spins))
    np.testing.assert_allclose(np.tanh(base), spins.sum(axis=0) / 103, atol=1e-14)
    same = likelihood.estimate_log_partition(machine, base, solver, seed=0)
    assert same.log_partition == result.log_partition
    other = likelihood.log_likelihood(spins, machine, solver, base=0.7 * base, seed=0)
    assert other.log_partition != result.log_partition
    assert other.mean == pytest.approx(exact.mean, abs=4 * other.standard_error)


def test_three_ways_to_ln_z_agree_with_the_exact_sum(rng):
    machine = random_machine(rng, 29, 17, binary=True)
    spins = sampling.sample(machine, 101, n_sweeps=50, seed=0)
    result = likelihood.log_likelihood(spins, machine, vmf.Gibbs(n_chains=503, n_temperatures=211), seed=0)
    log_z = exact_log_z(machine)
    forward = annealing.PartitionEstimate(result.log_partition, result.standard_error, result.effective_chains)
    for estimate in (forward, result.from_data, result.from_noise):
        assert 0 < estimate.standard_error < 0.05
        # four standard errors: chance leaves them once in 16,000 seeds
        assert estimate.log_partition == pytest.approx(log_z, abs=4 * estimate.standard_error)
    lowest, highest = result.bracket
    values = [estimate.log_partition for estimate in (forward, result.from_data, result.from_noise)]
    assert highest - lowest == pytest.approx(max(values) - min(values))
    assert lowest <= result.mean <= highest
    exact = likelihood.log_likelihood(spins, machine, vmf.Exact(), seed=0)
    assert (exact.from_data, exact.from_noise) == (None, None)
    assert exact.bracket == pytest.approx((exact.mean, exact.mean), abs=1e-12)


def test_estimates_that_disagree_are_told(rng):
    machine = random_machine(rng, 61, 17, binary=True)
    strong, weak = machine._replace(beta=6.0), machine._replace(beta=1.0)
    spins = sampling.sample(weak, 31, n_sweeps=50, seed=0)
    with pytest.warns(vmf.ConvergenceWarning, match="ln Z is .* by the way forward"):
        few = likelihood.log_likelihood(spins, strong, vmf.Gibbs(n_chains=31, n_temperatures=7), seed=0)
    lowest, highest = few.bracket
    assert highest - lowest > likelihood.OPEN
    # of weak couplings there is nothing to tell
    enough = likelihood.log_likelihood(spins, weak, vmf.Gibbs(n_chains=101, n_temperatures=101), seed=0)
    exact = likelihood.log_likelihood(spins, weak, vmf.Exact(), seed=0)
    assert enough.mean == pytest.approx(exact.mean, abs=4 * enough.standard_error)


def test_chains_that_stay_where_the_data_are_are_told_from_those_that_came_from_noise():
    # two states, of which fields favour the one that is not in the data by e to the 10th
    machine, data = Machine(np.ones((50, 17)), 3.0, np.full(50, 0.1), np.zeros(17)), -np.ones((5, 50))
    with pytest.warns(vmf.ConvergenceWarning):
        result = likelihood.log_likelihood(data, machine, vmf.Gibbs(101, 501), base=np.zeros(50), seed=0)
    log_z = exact_log_z(machine)
    assert result.log_partition == pytest.approx(log_z, abs=4 * result.standard_error)
    # chains drawn anew are not independent: their own error is but a part of it
    assert result.from_noise.log_partition == pytest.approx(log_z, abs=likelihood.OPEN)
    assert result.from_data.log_partition < log_z - 8


def test_up_to_sixteen_units_are_summed_and_more_are_sampled_unless_told_otherwise(rng):
    spins = rng.choice([-1, 1], size=(3, 23))
    few, many = random_machine(rng, 23, 16, binary=True), random_machine(rng, 23, 17, binary=True)
    same = likelihood.log_likelihood(spins, few, vmf.Exact(), seed=0)
    default = likelihood.log_likelihood(spins, few, seed=0)
    assert default.log_partition == same.log_partition
    assert default.effective_chains == np.inf
    # the sum may be asked for up to twenty units, chains for any number
    tempered = likelihood.log_likelihood(spins, many, seed=0)
    assert tempered.log_partition == tempered.tempered.log_partition
    annealed = likelihood.log_likelihood(spins, many, vmf.Gibbs(200, 2000), seed=0)
    assert annealed.tempered is None
    assert annealed.log_partition == annealed.forward.log_partition == tempered.forward.log_partition
    assert 0 < annealed.effective_chains < np.inf
    summed = likelihood.log_likelihood(spins, many, vmf.Exact(), seed=0)
    assert (summed.standard_error, summed.effective_chains) == (0, np.inf)
    assert annealed.mean == pytest.approx(summed.mean, abs=4 * annealed.standard_error)
    assert tempered.mean == pytest.approx(summed.mean, abs=4 * tempered.standard_error)
    chains = likelihood.log_likelihood(spins, few, vmf.Gibbs(101, 211), seed=0)
    assert 0 < chains.effective_chains <= 101
    assert chains.mean == pytest.approx(default.mean, abs=4 * chains.standard_error)


@pytest.mark.filterwarnings("ignore:ln Z is:vmfcore.ConvergenceWarning")  # of five temperatures
def test_bits_do_not_depend_on_the_number_of_threads(rng):
    machine, spins = random_machine(rng, 101, 113, binary=True), rng.choice([-1, 1], size=(7, 101))
    before, runs = numba.get_num_threads(), []
    for n_threads in (1, before):
        numba.set_num_threads(n_threads)
        # enough chains for two threads in the sweep and in the weights
        runs.append(likelihood.log_likelihood(spins, machine, vmf.Gibbs(307, 5), seed=2))
    assert runs[0][:4] == runs[1][:4]
    assert runs[0][5:] == runs[1][5:]
    np.testing.assert_array_equal(runs[0].per_sample, runs[1].per_sample)


@pytest.mark.parametrize(("size", "reach"), [(1, 9.0), (17, 9.0), (1009, 9.0), (1009, 400.0), (1009, 0.0)])
def test_ratios_of_hyperbolic_cosines(size, reach, rng):
    fields, log_weights = rng.uniform(-reach, reach, size=(7, size)), rng.normal(size=7)
    expected = log_weights + (naive.log2cosh(0.9 * fields) - naive.log2cosh(0.4 * fields)).sum(axis=1)
    constants = annealing.constants_of(np.dtype(np.float64))
    annealing._add_log_ratios(fields, 0.4, 0.9, constants, log_weights)
    np.testing.assert_allclose(log_weights, expected, rtol=1e-13, atol=1e-11)  # of a thousand roundings
