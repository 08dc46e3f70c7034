"""Fields, an inverse temperature for each hidden unit, and learning them."""

from dataclasses import replace

import naive
import numpy as np
import pytest
from small import of_students

import vmfcore as vmf
from vmfcore.bounds import data_term as data_terms
from vmfcore.bounds.beliefs import Posterior
from vmfcore.bounds.objective import evaluate
from vmfcore.data.packing import pack_spins
from vmfcore.learning import parameters
from vmfcore.learning.rules import share_of_step
from vmfcore.networks import chains
from vmfcore.networks.exact import log_partition

CHAINS = vmf.Gibbs(n_chains=11, n_temperatures=13)


def objective_with(solver, **options):
    return vmf.Objective(model_term=vmf.Annealed(solver), **options)


def problem(rng, n_visible=5, n_hidden=2, n_samples=7):
    spins = rng.choice([-1.0, 1.0], size=(n_samples, n_visible))
    means = rng.uniform(-0.9, 0.9, size=(n_visible, n_hidden))
    beta, a, b = rng.uniform(0.5, 2.5, n_hidden), 0.6 * rng.normal(size=n_visible), 0.6 * rng.normal(size=n_hidden)
    return spins, means, beta, a, b


def test_annealed_bound_is_the_sum_over_all_synapses_and_below_the_evidence_bound(rng):
    spins, means, beta, a, b = problem(rng)
    objective = objective_with(vmf.Exact(), data_term="exact", prior=vmf.Prior(0.2))
    got = vmf.bound(spins, means, beta, objective, fields=(a, b)).total
    evidence_bound, annealed = naive.machine_bound(spins, means, beta, a, b, 0.2)
    assert got == pytest.approx(annealed, rel=1e-12)
    assert got < evidence_bound


def test_without_fields_the_model_is_the_papers(rng):
    spins, means, *_ = problem(rng, 13, 3)
    plain = vmf.bound(spins, means, 1.3)
    with_zeros = vmf.bound(spins, means, np.full(3, 1.3), fields=(np.zeros(13), np.zeros(3)))
    for got, expected in zip(with_zeros, plain, strict=True):
        assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("data_term", data_terms.DATA_TERMS)
@pytest.mark.parametrize("solver", [vmf.Exact(), vmf.Cavity(tol=1e-14), vmf.Tap(tol=1e-14)], ids=str)
@pytest.mark.parametrize("model_term", [vmf.Annealed, vmf.Quenched])
def test_all_derivatives(rng, data_term, model_term, solver):
    spins, means, beta, a, b = problem(rng, 11, 3)
    data, objective = pack_spins(spins), vmf.Objective(data_term, model_term(solver))

    def total(means=means, beta=beta, a=a, b=b):
        bound = evaluate(data, Posterior.of(means, beta, a, b), objective).bound
        return (bound.total + bound.kl)[0]

    now = evaluate(data, Posterior.of(means, beta, a, b), objective)
    # finite differences of a total of order 100: 1e-14/2e-4 of rounding, and the 1e-9 of the averages; the second-order
    # gradient of quenched holds to the error of its points, which the reaction to their width does not see
    np.testing.assert_allclose(now.gradient.dense()[0], naive.derivative(lambda x: total(means=x), means), atol=1e-6)
    slow = naive.derivative(lambda x: total(beta=np.exp(x)), np.log(beta))
    np.testing.assert_allclose(now.slopes.log_beta[0], slow, atol=1e-6)
    np.testing.assert_allclose(now.slopes.visible_fields[0], naive.derivative(lambda x: total(a=x), a), atol=1e-6)
    np.testing.assert_allclose(now.slopes.hidden_fields[0], naive.derivative(lambda x: total(b=x), b), atol=1e-6)


@pytest.mark.parametrize("n_hidden", [1, 2])
def test_quenched_with_fields_is_the_average_over_z(rng, n_hidden):
    _, means, beta, a, b = problem(rng, 5, n_hidden)
    width, total = np.sqrt(np.mean(1 - means**2, axis=0)), 0.0
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    for index in np.ndindex(*[40] * n_hidden):
        fields = b + beta * width * nodes[list(index)]
        total += np.prod(weights[list(index)]) * log_partition(means * beta / np.sqrt(5), a, fields)
    found = vmf.Quenched(vmf.Exact(), n_points=512).evaluate(Posterior.of(means, beta, a, b))
    assert found.value[0] == pytest.approx(total, abs=1e-5)  # 40 nodes, up to β = 2.5: measured 6e-7


def test_data_terms_see_fields_as_a_loop_does(rng):
    spins, means, beta, _, b = problem(rng)
    expected = sum(
        naive.gaussian_sum(lambda z, x=x, w=w: naive.log2cosh(x + w * z))
        for sigma in spins
        for x, w in zip(
            b + sigma @ means * beta / np.sqrt(5), beta * np.sqrt(np.mean(1 - means**2, axis=0)), strict=True
        )
    )
    got = of_students(data_terms.gaussian)(pack_spins(spins), means, beta, b).value
    assert got == pytest.approx(expected, abs=1e-9 * means.size * len(spins))  # a term


def test_replicas_have_their_own_fields(rng):
    spins, *_ = problem(rng, 13, 3)
    data, replicas = pack_spins(spins), [problem(rng, 13, 3)[1:] for _ in range(3)]
    means, beta, a, b = map(np.stack, zip(*replicas, strict=True))
    for data_term in data_terms.DATA_TERMS:
        for model_term in (vmf.Annealed, vmf.Quenched):
            objective = vmf.Objective(data_term, model_term(vmf.Cavity(tol=1e-13)))
            together = evaluate(data, Posterior.of(means, beta, a, b), objective)
            for k in range(3):
                alone = evaluate(data, Posterior.of(means[k], beta[k], a[k], b[k]), objective)
                # the grid of `gaussian` is made for the widest unit of all: 1e-9 a term
                assert together.bound.total[k] == pytest.approx(alone.bound.total[0], abs=1e-7)
                np.testing.assert_allclose(together.gradient.dense()[k], alone.gradient.dense()[0], atol=1e-7)
                for got, expected in zip(together.slopes, alone.slopes, strict=True):
                    np.testing.assert_allclose(got[k], expected[0], atol=1e-7)


def test_chains_give_ln_z_and_the_averages_of_the_network(rng):
    couplings, a, b = 0.3 * rng.normal(size=(2, 23, 5)), rng.normal(size=(2, 23)), rng.normal(size=(2, 5))
    annealing = vmf.Gibbs(2003, 101).cold_start(np.zeros(23), 7)
    going, estimates = chains.start_chains(couplings, a, b, annealing)
    assert max(estimate.standard_error for estimate in estimates) < 0.02  # so that the next is a test
    sums, n_sweeps = [0.0, 0.0, 0.0], 50
    for _ in range(n_sweeps):
        *averages, going = chains.sample_chains(couplings, a, b, going)
        sums = [x + y / n_sweeps for x, y in zip(sums, averages, strict=True)]
    for k in range(2):
        exact = vmf.Exact().solve(vmf.Network(couplings[k], a[k], b[k]))
        # 2003 chains, 50 sweeps that forget within a few: 1/√20,000 each, 4.5 times that among 140 averages
        for got, expected in zip(sums, exact[:3], strict=True):
            np.testing.assert_allclose(got[k], expected, atol=4.5 / np.sqrt(20_000))
        error = estimates[k].standard_error
        assert estimates[k].log_partition == pytest.approx(exact.log_partition, abs=4 * error)


def test_bound_by_sampling_is_the_exact_one(rng):
    spins, means, beta, a, b = problem(rng, 23, 5)
    exact = vmf.bound(spins, means, beta, objective_with(vmf.Exact()), fields=(a, b))
    sampled = vmf.bound(spins, means, beta, objective_with(vmf.Gibbs(503, 2000)), fields=(a, b), seed=3)
    assert sampled.model_term / 7 == pytest.approx(exact.model_term / 7, abs=0.02)  # 2000 steps: spread 0.05/√503, × 4
    assert sampled[1::2] == exact[1::2]


def test_centred_gradient_is_the_derivative_at_fixed_centred_fields(rng):
    spins, means, beta, a, b = problem(rng, 11, 3)
    data, pixels, centre = pack_spins(spins), rng.uniform(-1, 1, 11), rng.uniform(-1, 1, 3)

    def fields(means, log_beta):
        couplings = np.exp(log_beta) / np.sqrt(11) * means
        change = couplings - beta / np.sqrt(11) * means_0
        return {"visible_fields": a - change @ centre, "hidden_fields": b - change.T @ pixels}

    def total(means, log_beta):
        q = Posterior.of(means, np.exp(log_beta), **fields(means, log_beta))
        bound = evaluate(data, q, objective_with(vmf.Exact())).bound
        return (bound.total + bound.kl)[0]

    means_0, log_beta = means, np.log(beta)
    real = parameters.RealParameters(*(x[None] for x in (beta, a, b, pixels, centre)))
    now = evaluate(data, parameters.posterior(means[None], real), objective_with(vmf.Exact()))
    slow = naive.derivative(lambda x: total(x, log_beta), means)
    np.testing.assert_allclose(parameters.centred_gradient(real, now).dense()[0], slow, atol=1e-6)  # as above
    # a step of ln β follows the derivative at fixed centred fields, and the fields move along with the couplings
    new_means = np.clip(means + 0.1 * rng.normal(size=means.shape), -1, 1)
    learn = vmf.Learn(fields=True, beta="unit")
    next_beta = parameters.next_beta(real, means[None], now.slopes, learn, 7, 0.01, 50.0)
    pulls = parameters.CouplingChange.to(next_beta, real, means[None]).pulls(means[None], new_means[None])
    moved = parameters.next_parameters(real, next_beta, pulls, now, 7, 0.01)
    slow = naive.derivative(lambda x: total(means, x), log_beta)
    expected = parameters.BETA_SHARE * 0.01 * slow / (7 * beta**2)
    np.testing.assert_allclose(np.log(moved.beta[0] / beta), expected, atol=1e-9)
    along = fields(new_means, np.log(moved.beta[0]))
    for name in ("visible_fields", "hidden_fields"):
        expected = along[name] + 0.01 / 7 * getattr(now.slopes, name)[0]
        np.testing.assert_allclose(getattr(moved, name)[0], expected, atol=1e-12)


def planted_machine(beta=(0.9, 1.1, 1.3)):
    rng = np.random.default_rng(1)
    fields = 0.3 * rng.normal(size=101), 0.3 * rng.normal(size=3)
    machine = vmf.Machine(vmf.planted(101, 3, 1.0, seed=1).weights, np.array(beta), *fields)
    return machine, vmf.sample(machine, 3001, n_sweeps=None, seed=1)


# tap duplicates units here: it misses what that costs
@pytest.mark.parametrize("solver", [vmf.Exact(), vmf.Gibbs(n_chains=500, n_temperatures=100)], ids=str)
def test_a_planted_machine_is_recovered_with_its_fields_and_temperatures(solver):
    machine, spins = planted_machine()
    rule, learn = vmf.Natural(0.1, "linear"), vmf.Learn(fields=True, beta="unit", step_size=1.0)
    result = vmf.fit(spins, 3, 1.0, objective_with(solver), rule, learn=learn, n_steps=600, n_restarts=4, seed=0)
    order = vmf.match_hidden_units(result, machine).student
    assert vmf.overlap(result.weights, machine.weights).min() > 0.95  # two synapses of 101 may err, measured one
    # 3001 samples tell a field of a free spin to 1/√3001 = 0.018
    assert np.sqrt(np.mean((result.visible_fields - machine.visible_fields) ** 2)) < 2 * 0.018
    # 107 real parameters cost 107/6002 = 0.018 nats a new sample, each wrong synapse some more
    fresh = vmf.sample(machine, 3001, seed=2)
    best, got = (vmf.log_likelihood(fresh, x, seed=0).mean for x in (machine, result.machine.binarized))
    assert best - got < 3 * 0.018
    # what acts on a hidden unit is its own field and that of 101 synapses: known less well
    np.testing.assert_allclose(result.beta[order], machine.beta, rtol=0.15)
    assert (np.diff(result.beta[order]) > 0).all()
    assert result.converged == (solver == vmf.Exact())  # chains have noise
    exact = objective_with(vmf.Exact())
    true_fields = machine.visible_fields, machine.hidden_fields
    at_truth = vmf.bound(spins, machine.weights.astype(float), machine.beta, exact, fields=true_fields)
    learnt_fields = result.visible_fields, result.hidden_fields
    bound = vmf.bound(spins, result.means.astype(float), result.beta, exact, fields=learnt_fields)
    # 107 real parameters that fit the data better than the true ones, half a nat each
    assert 0 < bound.total - at_truth.total < 107
    # spread of ln w by 100 temperatures is about 0.1, a 500th of which is squared away in <w>
    assert result.bound.total / 3001 == pytest.approx(bound.total / 3001, abs=0.02)


def test_one_temperature_for_all_units():
    _, spins = planted_machine(beta=(1.2, 1.2, 1.2))
    learn = vmf.Learn(fields=True, beta="global", step_size=1.0)
    result = vmf.fit(spins, 3, 1.0, rule=vmf.Natural(0.1, "linear"), learn=learn, n_steps=600, n_restarts=4, seed=0)
    assert isinstance(result.beta, float)
    assert result.beta == pytest.approx(1.2, rel=0.05)
    assert result.history.beta[-1] == pytest.approx(result.beta, rel=0.01)


def test_given_fields_stay_where_they_are_not_learnt(rng):
    spins, _, beta, a, b = problem(rng, 11, 3, 53)
    result = vmf.fit(spins, 3, beta, fields=(a, b), n_steps=30, seed=0)
    for got, expected in ((result.beta, beta), (result.visible_fields, a), (result.hidden_fields, b)):
        np.testing.assert_array_equal(got, expected)
    machine = result.machine
    np.testing.assert_allclose(machine.couplings, beta / np.sqrt(11) * result.means)
    plain = vmf.fit(spins, 3, 1.2, n_steps=3, seed=0)
    assert plain.visible_fields is None
    assert not plain.machine.visible_fields.any()


def test_a_low_weight_of_the_kl_decides_synapses():
    _, spins = planted_machine()
    spins = spins[:101]
    size = []
    for kl_weight in (1.0, 0.3, (1.0, 0.1)):
        result = vmf.fit(spins, 3, 1.0, vmf.Objective(kl_weight=kl_weight), n_steps=200, seed=0)
        size.append(np.abs(result.means).mean())
    assert size[0] < size[1] < size[2]


def test_a_linear_schedule_ends_at_rest():
    _, spins = planted_machine()
    steps = {"constant": [], "linear": []}
    for schedule, seen in steps.items():
        options = {"rule": vmf.Natural(schedule=schedule), "learn": vmf.Learn(fields=True), "batch_size": 101}
        options |= {"n_steps": 100, "callback": lambda *now, seen=seen: seen.append(now[1].copy())}
        vmf.fit(spins, 3, 1.0, **options, seed=0)
    last = {schedule: np.abs(np.diff(seen[-6:], axis=0)).mean() for schedule, seen in steps.items()}
    assert last["linear"] < 0.2 * last["constant"]  # the last steps are up to 5 % of the constant ones


def test_steps_settle_in_the_last_part_of_a_climb():
    shares = [share_of_step(vmf.Natural(schedule="settling"), done) for done in np.linspace(0, 1, 101)]
    linear = [share_of_step(vmf.Natural(schedule="linear"), done) for done in np.linspace(0, 1, 101)]
    np.testing.assert_allclose(shares[:71], linear[:71])
    # from there the same factor at every step, down to 0.3e-4
    np.testing.assert_allclose(np.diff(np.log(shares[71:])), np.log(1e-4) / 30, rtol=1e-9)
    assert shares[-1] == pytest.approx(0.3e-4)
    assert linear[-1] == 0


def test_synapses_that_are_not_learnt_stay_where_they_are():
    truth, spins = planted_machine()
    means, n_hidden = 0.8 * truth.weights, truth.weights.shape[1]
    for rule in (vmf.Natural(), vmf.Adam()):
        learn = vmf.Learn(fields=True, beta="unit", synapses=False)
        result = vmf.fit(spins, n_hidden, 1.5, rule=rule, learn=learn, init=means, n_steps=20, seed=0)
        np.testing.assert_allclose(result.means, means, rtol=1e-14)  # tanh artanh λ
        assert np.any(result.beta != 1.5)


def test_bounds_are_known_where_they_are_asked_for(rng):
    spins, *_ = problem(rng, 23, 3, 53)
    options = {"n_steps": 7, "callback": vmf.Every(1), "seed": 2}
    every_third = objective_with(replace(CHAINS, bound_every=3))
    bounds = vmf.fit(spins, 3, 1.0, every_third, **options).history.bound
    assert list(np.isfinite(bounds)) == [True, False, False, True, False, False, True, False]
    once = vmf.fit(spins, 3, 1.0, objective_with(CHAINS), **options)
    assert list(np.isfinite(once.history.bound)) == [True] + 7 * [False]
    assert np.isfinite(once.bound.total)


def test_bounds_along_a_fit_are_those_of_the_exact_sum_up_to_the_error_that_is_told():
    _, spins = planted_machine()
    spins = spins[:101]
    seen = {}

    def look(step, means, bound):
        seen[step] = means.copy(), bound

    chains = objective_with(vmf.Gibbs(200, 100, bound_every=10))
    options = {"n_steps": 40, "batch_size": 50, "callback": vmf.Every(10, look), "seed": 2}
    history = vmf.fit(spins, 3, 1.0, chains, **options).history
    assert len(history.step) == 5
    for step, error in zip(history.step, history.residual, strict=True):
        means, bound = seen[step]
        exact = vmf.bound(spins, means, 1.0, objective_with(vmf.Exact()))
        # an error of ln Z counts for each sample
        assert 0 < error < 0.05
        assert bound.total == pytest.approx(exact.total, abs=4 * 101 * error)
        assert bound.kl == pytest.approx(exact.kl, rel=1e-12)


def test_restarts_with_chains_are_reproducible_and_differ(rng):
    spins, *_ = problem(rng, 23, 3, 53)
    options = {"objective": objective_with(CHAINS), "learn": vmf.Learn(fields=True, beta="unit")}
    options |= {"n_steps": 7, "batch_size": 17, "n_restarts": 3}
    one, same, other = (vmf.fit(spins, 3, 1.0, seed=seed, **options) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.means, same.means)
    np.testing.assert_array_equal(one.restart_bounds, same.restart_bounds)
    assert len(set(one.restart_bounds)) == 3
    assert (one.means != other.means).any()


def test_a_changing_weight_of_the_kl_is_not_cut_short_and_a_constant_one_settles():
    spins = vmf.sample(vmf.planted(31, 2, 1.0, seed=1), 211, seed=1)
    falling = vmf.Objective(kl_weight=(1.0, 0.3))
    scheduled = vmf.fit(spins, 2, 1.0, falling, n_steps=300, callback=vmf.Every(1), seed=0)
    assert len(scheduled.history.bound) == 301
    for kl_weight in (0.5, 2.0):
        objective = vmf.Objective(kl_weight=kl_weight)
        result = vmf.fit(spins, 2, 1.0, objective, vmf.Natural(tol=1e-6), n_steps=3000, seed=0)
        assert result.converged
        gradient = vmf.bound_gradient(spins, result.means, 1.0)  # of total = (total + KL) - KL
        natural = np.arctanh(result.means)
        # stationary: the gradient of total + KL is T θ; the distance 1e-6 divided by 1 - λ² of a decided synapse
        np.testing.assert_allclose(gradient + natural, kl_weight * natural, atol=1e-2)


def test_few_chains_are_reported(rng):
    spins, *_ = problem(rng, 23, 5)
    means, few = rng.uniform(-0.9, 0.9, size=(23, 5)), objective_with(vmf.Gibbs(n_chains=5, n_temperatures=1))
    with pytest.warns(vmf.ConvergenceWarning, match="fewer than 3 chains carry the estimate of ln Z"):
        vmf.bound(spins, means, 20.0, few)
    with pytest.warns(vmf.ConvergenceWarning, match="fewer than 3 chains"):
        vmf.fit(spins, 5, 20.0, few, init=means, n_steps=1, seed=2**64)
