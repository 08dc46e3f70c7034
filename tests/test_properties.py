"""What holds for any valid problem, on hundreds of random ones: finite results and the symmetries of the model."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmfcore as vmf
from vmfcore.networks.exact import log_partition

MANY = settings(max_examples=200, deadline=None, derandomize=True)
MORE = settings(MANY, max_examples=300)
PRECISE = {"tol": 1e-13}
SOLVERS = [vmf.Exact(), vmf.Cavity(**PRECISE), vmf.Tap(**PRECISE)]
MODEL_TERMS = [term for solver in SOLVERS for term in (vmf.Annealed(solver), vmf.Quenched(solver, n_points=8))]
OBJECTIVES = st.builds(
    vmf.Objective,
    data_term=st.sampled_from(["gaussian", "exact", "calibrated"]),
    model_term=st.sampled_from(MODEL_TERMS),
    prior=st.builds(vmf.Prior, mean=st.just(0.0) | st.floats(-0.9, 0.9)),
)
# steps of a fit, which may weigh the KL otherwise; small weights make a step large, and rounding errors with it
KL_WEIGHTS = st.just(1.0) | st.floats(0.5, 2.0) | st.tuples(st.floats(0.5, 2.0), st.floats(0.5, 2.0))
SCHEDULES = st.sampled_from(["constant", "linear", "settling"])
RULES = st.builds(vmf.Natural, schedule=SCHEDULES) | st.builds(vmf.Adam, schedule=SCHEDULES)
LEARNS = st.builds(vmf.Learn, fields=st.booleans(), beta=st.sampled_from(["no", "global", "unit"]))
SEEDS = st.integers(0, 2**32 - 1)
PROBLEM = st.fixed_dictionaries(
    {
        "n_visible": st.integers(1, 9),
        "n_hidden": st.integers(1, 4),
        "n_samples": st.integers(1, 12),
        "beta": st.floats(0.05, 2.0),
        "spread": st.floats(0.1, 1.0),  # at λ = 0 derivatives are rounding errors, of which Adam takes the sign
        "with_fields": st.booleans(),
        "seed": SEEDS,
    }
)
NETWORK = st.tuples(st.integers(1, 9), st.integers(1, 6), st.floats(0.0, 1.0), SEEDS)
SYMMETRIES = st.sampled_from(["samples", "order", "signs"])


@pytest.fixture(autouse=True)
def _unconverged_networks_must_be_finite_too():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vmf.ConvergenceWarning)
        yield


def draw(n_visible, n_hidden, n_samples, beta, spread, with_fields, seed):
    """A generator, data, means, inverse temperatures of the hidden units, and fields or none."""
    rng = np.random.default_rng(seed)
    spins = rng.choice([-1, 1], size=(n_samples, n_visible))
    means = spread * rng.uniform(-1, 1, size=(n_visible, n_hidden))
    a, b = rng.normal(size=n_visible), rng.normal(size=n_hidden)
    fields = (a, b) if with_fields else None
    return rng, spins, means, beta * rng.uniform(0.5, 1, size=n_hidden), fields


def draw_network(n_visible, n_hidden, strength, seed):
    rng = np.random.default_rng(seed)
    couplings = strength / np.sqrt(n_visible) * rng.normal(size=(n_visible, n_hidden))
    return rng, couplings, rng.normal(size=n_visible), rng.normal(size=n_hidden)


def relabelling(rng, symmetry, n_samples, n_hidden):
    """Order of the samples, order and signs of the hidden units, of which the symmetry changes one."""
    rows, order, signs = np.arange(n_samples), np.arange(n_hidden), np.ones(n_hidden, int)
    if symmetry == "samples":
        rows = rng.permutation(n_samples)
    elif symmetry == "order":
        order = rng.permutation(n_hidden)
    else:
        signs = rng.choice([-1, 1], size=n_hidden)
    return rows, order, signs


def twins(problem, symmetry, objective):
    """Arguments (spins, means, beta, fields) of a problem and of its image, and the image of an array of columns."""
    if isinstance(objective.model_term, vmf.Quenched):  # more fields are Sobol' points, which have no symmetry
        problem = problem | {"n_hidden": min(problem["n_hidden"], 2)}
    rng, spins, means, beta, fields = draw(**problem)
    rows, order, signs = relabelling(rng, symmetry, *map(len, (spins, beta)))
    other = fields and (fields[0], (signs * fields[1])[order])
    one = spins, means, beta, fields
    two = spins[rows], (signs * means)[:, order], beta[order], other
    return one, two, lambda x: (signs * x)[..., order]


@MORE
@given(problem=PROBLEM, symmetry=SYMMETRIES, objective=OBJECTIVES, kl_weight=KL_WEIGHTS, rule=RULES, learn=LEARNS)
def test_a_fit_is_finite_and_knows_no_labels(problem, symmetry, objective, kl_weight, rule, learn):
    if symmetry == "signs":  # of a unit that is reversed the prior mean is, too
        objective = replace(objective, prior=vmf.Prior())
    objective = replace(objective, kl_weight=kl_weight)
    one, two, image = twins(problem, symmetry, objective)
    options = {"learn": learn, "n_steps": 3, "callback": vmf.Every(1), "seed": 0}
    first, second = (
        vmf.fit(spins, means.shape[1], beta, objective, rule, fields=fields, init=means, **options)
        for spins, means, beta, fields in (one, two)
    )
    for part in (first.means, *first.bound, *first.history, first.beta, first.restart_bounds):
        assert np.isfinite(part).all()
    assert np.abs(first.means).max() <= 1
    np.testing.assert_array_equal(first.history.step, np.arange(4))
    # rounding, 1e-16, or what message passing leaves, 1e-13, grows by derivatives of up to M β² = 48 in each of three
    # steps: 1e-13 * 48² = 2e-10
    np.testing.assert_allclose(second.means, image(first.means), atol=1e-9)
    assert second.bound.total == pytest.approx(first.bound.total, rel=1e-9, abs=1e-9)
    if learn.fields:
        np.testing.assert_allclose(second.visible_fields, first.visible_fields, atol=1e-9)
        np.testing.assert_allclose(second.hidden_fields, image(first.hidden_fields), atol=1e-9)


@MORE
@given(problem=PROBLEM, symmetry=SYMMETRIES, objective=OBJECTIVES)
def test_a_bound_is_finite_and_knows_no_labels(problem, symmetry, objective):
    if symmetry == "signs":
        objective = replace(objective, prior=vmf.Prior())
    one, two, _ = twins(problem, symmetry, objective)
    first, second = (vmf.bound(*args, objective, fields=fields) for *args, fields in (one, two))
    assert np.isfinite(first).all()
    assert first.total == pytest.approx(first.data_term - first.model_term - first.kl, rel=1e-12, abs=1e-12)
    assert first.kl >= -1e-12  # rounding of up to 36 terms of order one
    # sums of some hundred terms in another order, and message passing to 1e-13, at which ln Z is stationary
    np.testing.assert_allclose(second, first, rtol=1e-11, atol=1e-11)


@MANY
@given(
    size=st.sampled_from([(n, p) for p in (1, 2, 3) for n in range(1, 13) if n * p <= 12]),
    n_samples=st.integers(1, 20),
    beta=st.floats(0.05, 3.0),
    rule=RULES,
    learn_beta=st.sampled_from(["no", "global"]),
    prior=st.builds(vmf.Prior, mean=st.just(0.0) | st.floats(-0.9, 0.9)),
    seed=SEEDS,
)
def test_what_an_exact_fit_reports_is_below_the_log_evidence(size, n_samples, beta, rule, learn_beta, prior, seed):
    spins = np.random.default_rng(seed).choice([-1, 1], size=(n_samples, size[0]))
    objective = vmf.Objective(data_term="exact", prior=prior)
    result = vmf.fit(spins, size[1], beta, objective, rule, learn=vmf.Learn(beta=learn_beta), n_steps=20, seed=seed)
    log_evidence = vmf.exact_posterior(spins, size[1], result.beta, prior=prior).log_evidence
    assert result.bound.total <= log_evidence + 1e-10 * abs(log_evidence)  # rounding


@MANY
@given(network=NETWORK, symmetry=SYMMETRIES)
def test_messages_are_finite_and_know_no_labels(network, symmetry):
    rng, couplings, a, b = draw_network(*network)
    # of a network the "samples" are its visible units
    rows, order, signs = relabelling(rng, symmetry, *couplings.shape)
    relabelled = (signs * couplings)[rows][:, order], a[rows], (signs * b)[order]
    first = vmf.Cavity(**PRECISE).solve(vmf.Network(couplings, a, b))
    second = vmf.Cavity(**PRECISE).solve(vmf.Network(*relabelled))
    for part in first:
        assert np.isfinite(part).all()
    assert first.converged
    assert max(np.abs(x).max() for x in first[:3]) <= 1
    # units are updated in another order, to 1e-13 of a contraction that is slow, by 10, at strength 1
    np.testing.assert_allclose(second.visible_means, first.visible_means[rows], atol=1e-11)
    np.testing.assert_allclose(second.hidden_means, (signs * first.hidden_means)[order], atol=1e-11)
    np.testing.assert_allclose(second.correlations, (signs * first.correlations)[rows][:, order], atol=1e-11)
    assert second.log_partition == pytest.approx(first.log_partition, rel=1e-12)


@MANY
@given(network=NETWORK, symmetry=SYMMETRIES, scale=st.sampled_from([1.0, 30.0, 1e4]))
def test_the_partition_function_is_finite_and_knows_no_labels(network, symmetry, scale):
    rng, couplings, a, b = draw_network(*network)
    rows, order, signs = relabelling(rng, symmetry, *couplings.shape)
    couplings *= scale
    log_z = log_partition(couplings, a, b)
    # all 2^(N+P) states have the weight exp(0) on average or more; no state has more than all terms at their size
    n_units = sum(couplings.shape)
    sizes = sum(np.abs(x).sum() for x in (couplings, a, b))
    assert (1 - 1e-13) * n_units * np.log(2) <= log_z <= (1 + 1e-13) * (n_units * np.log(2) + sizes)
    # the sum over up to 64 states of up to 60 terms in another order
    relabelled = (signs * couplings)[rows][:, order], a[rows], (signs * b)[order]
    assert log_partition(*relabelled) == pytest.approx(log_z, rel=1e-13)
    exchanged = couplings.T, b, a
    assert log_partition(*exchanged) == pytest.approx(log_z, rel=1e-13)


@MANY
@given(n_visible=st.integers(1, 40), n_hidden=st.integers(1, 8), decided=st.booleans(), seed=SEEDS)
def test_an_overlap_is_finite_and_knows_no_labels(n_visible, n_hidden, decided, seed):
    rng = np.random.default_rng(seed)
    estimate, teacher = rng.uniform(-1, 1, size=(2, n_visible, n_hidden))
    if decided:
        estimate, teacher = np.sign(estimate), np.sign(teacher)
    found = vmf.overlap(estimate, teacher)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1
    order, signs = rng.permutation(n_hidden), rng.choice([-1, 1], size=n_hidden)
    student = vmf.overlap((signs * estimate)[:, order], teacher)
    exchanged = vmf.overlap(estimate, (signs * teacher)[:, order])
    # sums of up to 40 terms of order one and eight of these; the tolerance is that of 64 roundings
    if decided:  # several assignments may be best: what they have in common is their sum
        np.testing.assert_allclose([student.sum(), exchanged.sum()], found.sum(), atol=1e-14)
        np.testing.assert_allclose(vmf.overlap((signs * teacher)[:, order], teacher), np.ones(n_hidden), atol=1e-14)
    else:
        np.testing.assert_allclose(student, found, atol=1e-14)
        np.testing.assert_allclose(exchanged, found[order], atol=1e-14)


@MANY
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 4)),
    n_samples=st.integers(1, 7),
    beta=st.floats(0.05, 3.0),
    with_start=st.booleans(),
    seed=SEEDS,
)
def test_samples_are_spins_and_keep_those_that_are_held(size, n_samples, beta, with_start, seed):
    rng = np.random.default_rng(seed)
    machine = vmf.Machine(rng.uniform(-1, 1, size), beta, rng.normal(size=size[0]), rng.normal(size=size[1]))
    start = rng.choice([-1, 1], size=(n_samples, size[0])) if with_start else None
    free = vmf.sample(machine, n_samples, start=start, n_sweeps=2, seed=seed)
    assert free.dtype == np.int8
    assert (np.abs(free) == 1).all()
    for shape in (size[0], (n_samples, size[0])):
        clamped = rng.choice([-1, 0, 1], size=shape)
        spins = vmf.sample(machine, n_samples, start=start, clamped=clamped, n_sweeps=2, seed=seed)
        assert (np.abs(spins) == 1).all()
        assert (spins == clamped)[np.broadcast_to(clamped != 0, spins.shape)].all()
    means = vmf.hidden_means(free, machine)
    assert np.isfinite(means).all()
    assert np.abs(means).max() <= 1
