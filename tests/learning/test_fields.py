"""Fields, an inverse temperature for each hidden unit, and learning them."""

import naive
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.bounds import data_term as data_terms
from vmfcore.bounds import model_term as dual
from vmfcore.bounds.objective import evaluate
from vmfcore.learning import rules
from vmfcore.networks import chains
from vmfcore.networks.exact import run_exact


def problem(rng, n_visible=5, n_hidden=2, n_samples=7):
    spins = rng.choice([-1.0, 1.0], size=(n_samples, n_visible))
    means = rng.uniform(-0.9, 0.9, size=(n_visible, n_hidden))
    beta, a, b = rng.uniform(0.5, 2.5, n_hidden), 0.6 * rng.normal(size=n_visible), 0.6 * rng.normal(size=n_hidden)
    return spins, means, beta, a, b


def test_annealed_bound_is_the_sum_over_all_synapses_and_below_the_evidence_bound(rng):
    spins, means, beta, a, b = problem(rng)
    options = {"visible_fields": a, "hidden_fields": b, "data_term": "exact", "expectation": "exact"}
    got = vmf.bound(spins, means, beta, prior_mean=0.2, **options).total
    evidence_bound, annealed = naive.machine_bound(spins, means, beta, a, b, 0.2)
    assert got == pytest.approx(annealed, rel=1e-12)
    assert got < evidence_bound


def test_without_fields_the_model_is_the_papers(rng):
    spins, means, *_ = problem(rng, 13, 3)
    plain = vmf.bound(spins, means, 1.3)
    zeros = {"visible_fields": np.zeros(13), "hidden_fields": np.zeros(3)}
    for got, expected in zip(vmf.bound(spins, means, np.full(3, 1.3), **zeros), plain, strict=True):
        assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("data_term", data_terms.DATA_TERMS)
@pytest.mark.parametrize(("model_term", "expectation"), [(m, e) for m in dual.MODEL_TERMS for e in dual.SOLVERS])
def test_all_derivatives(rng, data_term, model_term, expectation):
    spins, means, beta, a, b = problem(rng, 11, 3)
    data, options = vmf.pack_spins(spins), {"data_term": data_term, "model_term": model_term}
    options |= {"expectation": expectation, "tol": 1e-14}

    def total(means=means, beta=beta, a=a, b=b):
        bound = evaluate(data, means, beta, visible_fields=a, hidden_fields=b, **options).bound
        return bound.total + bound.kl

    now = evaluate(data, means, beta, visible_fields=a, hidden_fields=b, **options)
    # finite differences of a total of order 100: 1e-14/2e-4 of rounding, and the 1e-9 of the averages; the second-order
    # gradient of quenched holds to the error of its points, which the reaction to their width does not see
    np.testing.assert_allclose(now.gradient, naive.derivative(lambda x: total(means=x), means), atol=1e-6)
    slow = naive.derivative(lambda x: total(beta=np.exp(x)), np.log(beta))
    np.testing.assert_allclose(now.slopes.log_beta, slow, atol=1e-6)
    np.testing.assert_allclose(now.slopes.visible_fields, naive.derivative(lambda x: total(a=x), a), atol=1e-6)
    np.testing.assert_allclose(now.slopes.hidden_fields, naive.derivative(lambda x: total(b=x), b), atol=1e-6)


@pytest.mark.parametrize("n_hidden", [1, 2])
def test_quenched_with_fields_is_the_average_over_z(rng, n_hidden):
    _, means, beta, a, b = problem(rng, 5, n_hidden)
    width, total = np.sqrt(np.mean(1 - means**2, axis=0)), 0.0
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    for index in np.ndindex(*[40] * n_hidden):
        fields = b + beta * width * nodes[list(index)]
        total += np.prod(weights[list(index)]) * vmf.log_partition(means * beta / np.sqrt(5), a, fields)
    value = dual.quenched(means, beta, a, b, expectation="exact", n_points=512).value
    assert value == pytest.approx(total, abs=1e-5)  # 40 nodes, up to β = 2.5: measured 6e-7


def test_data_terms_see_fields_as_a_loop_does(rng):
    spins, means, beta, _, b = problem(rng)
    expected = sum(
        naive.gaussian_sum(lambda z, x=x, w=w: naive.log2cosh(x + w * z))
        for sigma in spins
        for x, w in zip(
            b + sigma @ means * beta / np.sqrt(5), beta * np.sqrt(np.mean(1 - means**2, axis=0)), strict=True
        )
    )
    got = data_terms.gaussian(vmf.pack_spins(spins), means, beta, b).value
    assert got == pytest.approx(expected, abs=1e-9 * means.size * len(spins))  # a term


def test_replicas_have_their_own_fields(rng):
    spins, *_ = problem(rng, 13, 3)
    data, replicas = vmf.pack_spins(spins), [problem(rng, 13, 3)[1:] for _ in range(3)]
    means, beta, a, b = map(np.stack, zip(*replicas, strict=True))
    for data_term in data_terms.DATA_TERMS:
        for model_term in dual.MODEL_TERMS:
            options = {"data_term": data_term, "model_term": model_term, "tol": 1e-13}
            together = evaluate(data, means, beta, visible_fields=a, hidden_fields=b, **options)
            for k in range(3):
                alone = evaluate(data, means[k], beta[k], visible_fields=a[k], hidden_fields=b[k], **options)
                # the grid of `gaussian` is made for the widest unit of all: 1e-9 a term
                assert together.bound.total[k] == pytest.approx(alone.bound.total, abs=1e-7)
                np.testing.assert_allclose(together.gradient[k], alone.gradient, atol=1e-7)
                for got, expected in zip(together.slopes, alone.slopes, strict=True):
                    np.testing.assert_allclose(got[k], expected, atol=1e-7)


def test_chains_give_ln_z_and_the_averages_of_the_network(rng):
    couplings, a, b = 0.3 * rng.normal(size=(2, 23, 5)), rng.normal(size=(2, 23)), rng.normal(size=(2, 5))
    annealing = chains.Annealing(np.zeros(23), 2003, 101, 7)
    going, estimates = chains.start_chains(couplings, a, b, annealing)
    assert max(estimate.standard_error for estimate in estimates) < 0.02  # so that the next is a test
    sums, n_sweeps = [0.0, 0.0, 0.0], 50
    for _ in range(n_sweeps):
        *averages, going = chains.sample_chains(couplings, a, b, going)
        sums = [x + y / n_sweeps for x, y in zip(sums, averages, strict=True)]
    for k in range(2):
        exact = run_exact(couplings[k], a[k], b[k])
        # 2003 chains, 50 sweeps that forget within a few: 1/√20,000 each, 4.5 times that among 140 averages
        for got, expected in zip(sums, exact[:3], strict=True):
            np.testing.assert_allclose(got[k], expected, atol=4.5 / np.sqrt(20_000))
        error = estimates[k].standard_error
        assert estimates[k].log_partition == pytest.approx(exact.log_partition, abs=4 * error)


def test_bound_by_sampling_is_the_exact_one(rng):
    spins, means, beta, a, b = problem(rng, 23, 5)
    options = {"visible_fields": a, "hidden_fields": b}
    exact = vmf.bound(spins, means, beta, expectation="exact", **options)
    sampled = vmf.bound(spins, means, beta, expectation="gibbs", n_chains=503, seed=3, **options)
    assert sampled.model_term / 7 == pytest.approx(exact.model_term / 7, abs=0.02)  # 2000 steps: spread 0.05/√503, × 4
    assert sampled[1::2] == exact[1::2]


def test_centred_gradient_is_the_derivative_at_fixed_centred_fields(rng):
    spins, means, beta, a, b = problem(rng, 11, 3)
    data, pixels, centre = vmf.pack_spins(spins), rng.uniform(-1, 1, 11), rng.uniform(-1, 1, 3)

    def fields(means, log_beta):
        couplings = np.exp(log_beta) / np.sqrt(11) * means
        change = couplings - beta / np.sqrt(11) * means_0
        return {"visible_fields": a - change @ centre, "hidden_fields": b - change.T @ pixels}

    def total(means, log_beta):
        bound = evaluate(data, means, np.exp(log_beta), expectation="exact", **fields(means, log_beta)).bound
        return bound.total + bound.kl

    means_0, log_beta = means, np.log(beta)
    real = rules.RealParameters(*(x[None] for x in (beta, a, b, pixels, centre)))
    now = evaluate(data, means[None], beta[None], visible_fields=a[None], hidden_fields=b[None], expectation="exact")
    slow = naive.derivative(lambda x: total(x, log_beta), means)
    np.testing.assert_allclose(real.gradient(means[None], now)[0], slow, atol=1e-6)  # as above
    # a step of ln β follows the derivative at fixed centred fields, and the fields move along with the couplings
    new_means = np.clip(means + 0.1 * rng.normal(size=means.shape), -1, 1)
    moved = real.step(means[None], new_means[None], now, 7, "unit", 0.01, 50.0)
    slow = naive.derivative(lambda x: total(means, x), log_beta)
    np.testing.assert_allclose(np.log(moved.beta[0] / beta), rules.BETA_SHARE * 0.01 * slow / (7 * beta**2), atol=1e-9)
    along = fields(new_means, np.log(moved.beta[0]))
    for name in ("visible_fields", "hidden_fields"):
        expected = along[name] + 0.01 / 7 * getattr(now.slopes, name)[0]
        np.testing.assert_allclose(getattr(moved, name)[0], expected, atol=1e-12)


def planted_machine(beta=(0.9, 1.1, 1.3)):
    rng = np.random.default_rng(1)
    fields = 0.3 * rng.normal(size=101), 0.3 * rng.normal(size=3)
    machine = vmf.Machine(vmf.planted_weights(101, 3, seed=1), np.array(beta), *fields)
    return machine, vmf.sample(machine, 3001, n_sweeps=None, seed=1)


@pytest.mark.parametrize("expectation", ["exact", "gibbs"])  # tap duplicates units here: it misses what that costs
def test_a_planted_machine_is_recovered_with_its_fields_and_temperatures(expectation):
    machine, spins = planted_machine()
    options = {"schedule": "linear", "n_steps": 600, "n_chains": 500, "n_temperatures": 100, "n_restarts": 4}
    options |= {"learn_beta": "unit", "learn_fields": True, "step_size": 0.1, "field_step": 1.0, "seed": 0}
    result = vmf.fit(spins, 3, 1.0, expectation=expectation, **options)
    order, _ = vmf.match_hidden_units(result.weights, machine.weights)
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
    assert result.converged == (expectation == "exact")  # chains have noise
    truth = {"visible_fields": machine.visible_fields, "hidden_fields": machine.hidden_fields}
    at_truth = vmf.bound(spins, machine.weights.astype(float), machine.beta, expectation="exact", **truth)
    learnt = {"visible_fields": result.visible_fields, "hidden_fields": result.hidden_fields}
    bound = vmf.bound(spins, result.means.astype(float), result.beta, expectation="exact", **learnt)
    # 107 real parameters that fit the data better than the true ones, half a nat each
    assert 0 < bound.total - at_truth.total < 107
    # spread of ln w by 100 temperatures is about 0.1, a 500th of which is squared away in <w>
    assert result.bound.total / 3001 == pytest.approx(bound.total / 3001, abs=0.02)


def test_one_temperature_for_all_units():
    _, spins = planted_machine(beta=(1.2, 1.2, 1.2))
    options = {"learn_fields": True, "n_steps": 600, "step_size": 0.1, "field_step": 1.0, "n_restarts": 4}
    options["schedule"] = "linear"
    result = vmf.fit(spins, 3, 1.0, learn_beta="global", **options, seed=0)
    assert isinstance(result.beta, float)
    assert result.beta == pytest.approx(1.2, rel=0.05)
    assert result.history.beta[-1] == pytest.approx(result.beta, rel=0.01)


def test_given_fields_stay_where_they_are_not_learnt(rng):
    spins, _, beta, a, b = problem(rng, 11, 3, 53)
    result = vmf.fit(spins, 3, beta, visible_fields=a, hidden_fields=b, n_steps=30, seed=0)
    for got, expected in ((result.beta, beta), (result.visible_fields, a), (result.hidden_fields, b)):
        np.testing.assert_array_equal(got, expected)
    machine = result.machine
    np.testing.assert_allclose(machine.couplings, beta / np.sqrt(11) * result.means)
    plain = vmf.fit(spins, 3, 1.2, n_steps=3, seed=0)
    assert plain.visible_fields is None
    assert not plain.machine.visible_fields.any()


def test_a_low_temperature_decides_synapses():
    _, spins = planted_machine()
    spins = spins[:101]
    size = [
        np.abs(vmf.fit(spins, 3, 1.0, temperature=t, n_steps=200, seed=0).means).mean() for t in (1.0, 0.3, (1.0, 0.1))
    ]
    assert size[0] < size[1] < size[2]


def test_a_linear_schedule_ends_at_rest():
    _, spins = planted_machine()
    steps = {"constant": [], "linear": []}
    for schedule, seen in steps.items():
        options = {"batch_size": 101, "n_steps": 100, "schedule": schedule, "learn_fields": True}
        vmf.fit(spins, 3, 1.0, callback=lambda *x, seen=seen: seen.append(x[1].copy()), **options, seed=0)
    last = {schedule: np.abs(np.diff(seen[-6:], axis=0)).mean() for schedule, seen in steps.items()}
    assert last["linear"] < 0.2 * last["constant"]  # the last steps are up to 5 % of the constant ones


def test_bounds_are_told_where_they_are_asked_for(rng):
    spins, *_ = problem(rng, 23, 3, 53)
    options = {"expectation": "gibbs", "n_steps": 7, "n_chains": 11, "n_temperatures": 13, "seed": 2}
    told = vmf.fit(spins, 3, 1.0, bound_every=3, **options).history.bound
    assert list(np.isfinite(told)) == [True, False, False, True, False, False, True, False]
    once = vmf.fit(spins, 3, 1.0, **options)
    assert list(np.isfinite(once.history.bound)) == [True] + 7 * [False]
    assert np.isfinite(once.bound.total)


def test_restarts_with_chains_are_reproducible_and_differ(rng):
    spins, *_ = problem(rng, 23, 3, 53)
    options = {"expectation": "gibbs", "n_steps": 7, "n_chains": 11, "n_temperatures": 13, "learn_fields": True}
    options |= {"learn_beta": "unit", "batch_size": 17, "n_restarts": 3}
    one, same, other = (vmf.fit(spins, 3, 1.0, seed=seed, **options) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.means, same.means)
    np.testing.assert_array_equal(one.restart_bounds, same.restart_bounds)
    assert len(set(one.restart_bounds)) == 3
    assert (one.means != other.means).any()


def test_a_schedule_of_temperatures_is_not_cut_short_and_a_temperature_settles():
    spins = vmf.sample_spins(vmf.planted_weights(31, 2, seed=1), 1.0, 211, seed=1)
    scheduled = vmf.fit(spins, 2, 1.0, n_steps=300, temperature=(1.0, 0.3), seed=0)
    assert len(scheduled.history.bound) == 301
    for temperature in (0.5, 2.0):
        result = vmf.fit(spins, 2, 1.0, temperature=temperature, settled=1e-6, n_steps=3000, seed=0)
        assert result.converged
        gradient = vmf.bound_gradient(spins, result.means, 1.0)  # of total = (total + KL) - KL
        natural = np.arctanh(result.means)
        # stationary: the gradient of total + KL is T θ; the distance 1e-6 divided by 1 - λ² of a decided synapse
        np.testing.assert_allclose(gradient + natural, temperature * natural, atol=1e-2)


def test_few_chains_are_reported(rng):
    spins, *_ = problem(rng, 23, 5)
    means = rng.uniform(-0.9, 0.9, size=(23, 5))
    with pytest.warns(vmf.ConvergenceWarning, match="fewer than 3 chains carry the estimate of ln Z"):
        vmf.bound(spins, means, 20.0, expectation="gibbs", n_chains=5, n_temperatures=1)
    with pytest.warns(vmf.ConvergenceWarning, match="fewer than 3 chains"):
        vmf.fit(spins, 5, 20.0, init=means, expectation="gibbs", n_chains=5, n_temperatures=1, n_steps=1, seed=2**64)
