import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import naive
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.bounds.beliefs import Posterior
from vmfcore.data.packing import pack_spins
from vmfcore.learning import climb, restarts, rules

QUENCHED = vmf.Objective(model_term=vmf.Quenched(vmf.Cavity(), n_points=8))


def planted(n_visible, n_hidden, alpha, seed, beta=1.0):
    teacher = vmf.planted(n_visible, n_hidden, beta, seed=seed)
    return teacher, vmf.sample(teacher, int(alpha * n_visible), seed=seed + 1000)


def cold_sweeps(means):
    """Sweeps of the quenched term above, from a cold start, with the tolerance of a fit."""
    sized = QUENCHED.for_size(*means.shape, tol=1e-7)
    return sized.model_term.evaluate(Posterior.of(means, 1.0)).n_iter[0]


@pytest.mark.parametrize("n_hidden", [1, 2, 3])
@pytest.mark.parametrize(("alpha", "target"), [(8, 0.93), (5, 0.84)])
def test_planted_weights_are_recovered(n_hidden, alpha, target):
    # the limit N → ∞ is 0.961 and 0.883; the targets leave room for N = 200 and five seeds
    overlaps = []
    for seed in range(5):
        teacher, spins = planted(200, n_hidden, alpha, seed)
        result = vmf.fit(spins, n_hidden, 1.0, seed=seed, n_restarts=4)
        overlaps.append(vmf.overlap(result.weights, teacher).mean())
    assert np.mean(overlaps) >= target


def below_threshold(n_visible, n_hidden, n_seeds):
    """Overlaps at α = 0.3 over seeds, of sign λ and of λ, and those of random weights."""
    rng, signs, means, chance = np.random.default_rng(1), [], [], []
    for seed in range(n_seeds):
        teacher, spins = planted(n_visible, n_hidden, 0.3, seed)
        result = vmf.fit(spins, n_hidden, 1.0, seed=seed)
        signs.append(vmf.overlap(result.weights, teacher).mean())
        means.append(vmf.overlap(result.means, teacher).mean())
        chance += [vmf.overlap(rng.choice([-1, 1], size=(n_visible, n_hidden)), teacher).mean() for _ in range(20)]
    return np.array(signs), np.array(means), np.array(chance)


@pytest.mark.parametrize("n_hidden", [1, 2, 3])
def test_nothing_is_found_far_below_the_threshold(n_hidden):
    signs, means, chance = below_threshold(200, n_hidden, 20)
    # the student knows that it knows nothing (in one instance of twenty a factorized Q moves off λ = 0 all the same)
    assert np.median(means) < 0.01
    # the sign of the last ripple of λ lies along the data: measured 1.4 to 2.2 times the chance level at every N
    assert signs.mean() < 2.5 * chance.mean()
    # and like chance it vanishes as 1/√N: 16 times the size, a quarter of the overlap, three standard errors
    large, _, _ = below_threshold(3200, n_hidden, 10)
    error = np.hypot(signs.std() / 4 / np.sqrt(20), large.std() / np.sqrt(10))
    assert abs(large.mean() - signs.mean() / 4) < 3 * error


MESSAGES = [vmf.Exact(), vmf.Cavity(), vmf.Tap()]
MODEL_TERMS = [term(solver) for term in (vmf.Annealed, vmf.Quenched) for solver in MESSAGES]


@pytest.mark.parametrize("rule", [vmf.Natural(), vmf.Adam()], ids=str)
@pytest.mark.parametrize("model_term", [*MODEL_TERMS, vmf.Annealed(vmf.Gibbs())], ids=str)
def test_every_combination_learns(rule, model_term):
    teacher, spins = planted(101, 2, 8, seed=3)
    if isinstance(model_term.solver, vmf.Gibbs):
        # steps that do not fall carry the noise of the chains into the end: overlaps scatter by 0.03, not by 0.006
        rule = replace(rule, schedule="linear")
    result = vmf.fit(spins, 2, 1.0, vmf.Objective(model_term=model_term), rule, n_restarts=2, seed=1)
    # N = 101 and one instance: the limit 0.961 less three times the spread 0.02
    assert vmf.overlap(result.weights, teacher).mean() > 0.9


def test_natural_rule_ends_at_a_stationary_point():
    _, spins = planted(53, 2, 8, seed=5)
    result = vmf.fit(spins, 2, 1.0, rule=vmf.Natural(tol=1e-9), n_steps=2000, seed=0)
    gradient = vmf.bound_gradient(spins, result.means, 1.0)
    assert result.converged
    # to first order, (1 - λ²) ∂L/∂λ is the distance whose root mean square is below 1e-9
    assert np.abs(gradient * (1 - result.means**2)).max() < 1e-7


def test_one_natural_step_is_the_equation():
    _, spins = planted(13, 3, 5, seed=2)
    start = np.random.default_rng(0).uniform(-0.5, 0.5, size=(13, 3))
    objective = vmf.Objective(prior=vmf.Prior(0.2))
    got = vmf.fit(spins, 3, 0.9, objective, vmf.Natural(0.3), init=start, n_steps=1, seed=0).means
    gradient = naive.derivative(lambda x: vmf.bound(spins, x, 0.9, objective).total + naive.kl(x, 0.2), start)
    expected = np.tanh(0.7 * np.arctanh(start) + 0.3 * (np.arctanh(0.2) + gradient))
    np.testing.assert_allclose(got, expected, atol=1e-6)  # fit's message passing stops at 1e-7


def test_adam_steps_are_the_equations():
    _, spins = planted(13, 3, 5, seed=2)
    start = np.random.default_rng(0).uniform(-0.5, 0.5, size=(13, 3))
    means, first, second = start.copy(), 0.0, 0.0
    for n in range(1, 6):
        gradient = vmf.bound_gradient(spins, means, 0.9)
        first, second = 0.9 * first + 0.1 * gradient, 0.99 * second + 0.01 * gradient**2
        move = 0.05 * first / (1 - 0.9**n) / (np.sqrt(second / (1 - 0.99**n)) + 1e-8)
        means = np.clip(means + move, -0.99999, 0.99999)
    got = vmf.fit(spins, 3, 0.9, rule=vmf.Adam(0.05), init=start, n_steps=5, seed=0).means
    np.testing.assert_allclose(got, means, atol=1e-10)
    far = vmf.fit(spins, 3, 0.9, rule=vmf.Adam(5.0), init=start, n_steps=1, seed=0).means
    np.testing.assert_allclose(np.abs(far), rules.CLIP)


def test_a_start_with_decided_synapses_is_kept():
    _, spins = planted(13, 3, 5, seed=2)
    start = np.full((13, 3), 0.999)
    seen = []
    vmf.fit(spins, 3, 0.9, init=start, n_steps=1, seed=0, callback=lambda *now: seen.append(now[1]))
    np.testing.assert_allclose(seen[0], start, rtol=1e-12)


@pytest.mark.parametrize("step_size", [1e-5, 1e-3])
def test_a_step_too_small_is_not_taken_for_convergence(step_size):
    _, spins = planted(100, 2, 8, seed=0)
    assert not vmf.fit(spins, 2, 1.0, rule=vmf.Natural(step_size), n_steps=60, seed=0).converged


def test_messages_are_kept_between_steps():
    _, spins = planted(53, 3, 8, seed=5)
    result = vmf.fit(spins, 3, 1.0, QUENCHED, callback=vmf.Every(1), seed=0)
    assert result.history.n_iter[-1] < cold_sweeps(result.means)


def test_history_and_callback_tell_the_same_story():
    _, spins = planted(31, 2, 3, seed=1)
    seen = []
    result = vmf.fit(spins, 2, 1.0, n_steps=7, seed=3, callback=lambda *args: seen.append(args))
    assert [step for step, _, _ in seen] == list(range(8))
    np.testing.assert_array_equal([b.total for _, _, b in seen], result.history.bound)
    np.testing.assert_array_equal(seen[-1][1], result.means)
    assert not result.converged  # seven steps are too few
    assert result.bound == vmf.bound(spins, result.means, 1.0)
    parts = result.history
    np.testing.assert_allclose(parts.data_term - parts.model_term - parts.kl, parts.bound, rtol=1e-13)
    np.testing.assert_allclose(parts.kl + parts.entropy, 62 * np.log(2), rtol=1e-13)


def test_the_best_restart_is_chosen_by_the_bound():
    _, spins = planted(101, 3, 3, seed=4)
    result = vmf.fit(spins, 3, 1.0, n_restarts=4, n_steps=60, seed=9)
    assert len(result.restart_bounds) == 4
    assert result.bound.total == result.restart_bounds.max()
    assert len(set(result.restart_bounds)) == 4


def test_principal_component_start_sees_the_teacher():
    teacher, spins = planted(199, 2, 5, seed=8)
    start = restarts.principal_components(pack_spins(spins), 2, np.random.default_rng(0))
    span = np.linalg.qr(start)[0]
    inside = np.linalg.norm(span.T @ teacher.weights, axis=0) / np.sqrt(199)
    # theory for P = 1: cos = 0.816; finite N and two units scatter by 0.05
    assert (inside > 0.65).all()
    other = restarts.principal_components(pack_spins(spins), 2, np.random.default_rng(1))
    assert np.abs(other.T @ start).max() < 0.99 * np.linalg.norm(start[:, 0]) ** 2  # another rotation
    assert np.sqrt((start**2).mean()) == pytest.approx(0.2, rel=0.05)  # tanh shrinks the largest
    rows = spins[:97].astype(float)
    few = restarts.principal_components(pack_spins(rows), 2, np.random.default_rng(0))
    top = np.linalg.svd(rows - rows.mean(axis=0))[2][:2]
    # fewer data than spins: the same plane by the small Gram matrix, up to the tanh
    np.testing.assert_allclose(np.arctanh(few), np.arctanh(few) @ np.eye(2), atol=0)
    np.testing.assert_allclose(top.T @ (top @ np.arctanh(few)), np.arctanh(few), atol=1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"objective": vmf.Objective(model_term=vmf.Annealed(vmf.Cavity()))},
        {"objective": vmf.Objective(model_term=vmf.Annealed(vmf.Tap()), prior=vmf.Prior(0.1))},
        {"objective": vmf.Objective(model_term=vmf.Quenched(n_points=16))},
        {"rule": vmf.Adam()},
        {"batch_size": 127},
        {"objective": vmf.Objective("calibrated")},
    ],
)
def test_restarts_trained_together_equal_restarts_alone(options):
    _, spins = planted(101, 3, 5, seed=7)
    is_calibrated = options.get("objective") == vmf.Objective("calibrated")
    options = {"seed": 5, "n_steps": 40} | options
    seen = []
    together = vmf.fit(spins, 3, 1.0, n_restarts=3, callback=lambda *now: seen.append(now), **options)
    alone = []
    for start in [means for step, means, _ in seen if step == 0]:
        if is_calibrated:  # which climbs the Gaussian bound first, unless it is told where to start
            start = vmf.fit(spins, 3, 1.0, init=start, **options | {"objective": vmf.Objective()}).means
        alone.append(vmf.fit(spins, 3, 1.0, init=start, callback=vmf.Every(1), **options))
    # replicas share the grid of the data term, of error 1e-10 a term, and what it changes grows while they part from
    # the saddle at λ = 0: measured 1e-8 in the means and 1e-7 nats of 35,000
    np.testing.assert_allclose(together.restart_bounds, [run.bound.total for run in alone], rtol=1e-11)
    best = max(alone, key=lambda run: run.bound.total)
    assert len(together.history.bound) >= len(best.history.bound)
    np.testing.assert_allclose(together.history.bound[-len(best.history.bound) :], best.history.bound, rtol=1e-11)
    np.testing.assert_allclose(together.means, best.means, atol=1e-7)
    assert together.converged == best.converged


def test_a_restart_that_has_settled_leaves_and_the_others_keep_their_messages():
    _, spins = planted(101, 2, 8, seed=3)
    counts = []
    result = vmf.fit(spins, 2, 1.0, QUENCHED, n_restarts=3, seed=0, callback=lambda step, *_: counts.append(step))
    together = [counts.count(step) for step in range(max(counts) + 1)]
    assert together[0] == 3  # all start at once
    assert 0 < together[-1] < 3  # and end one after the other
    assert together == sorted(together, reverse=True)
    lengths = [sum(n >= k for n in together) for k in (3, 2, 1)]
    assert len(result.history.bound) in lengths[1:]  # here the best one goes on after the first has left
    assert result.history.n_iter[lengths[0] :].max() < cold_sweeps(result.means)
    assert result.converged
    assert result.bound.total == result.restart_bounds.max()
    # the replicas' common grid changes 1,616 terms by 1e-10
    again = vmf.bound(spins, result.means, 1.0, result.objective)
    assert result.bound.total == pytest.approx(again.total, abs=2e-7)


def test_callback_is_told_of_all_restarts_step_by_step():
    _, spins = planted(31, 2, 3, seed=1)
    for data_term, n in (("gaussian", 6), ("calibrated", 12)):  # the second climb counts on
        seen = []
        options = {"n_restarts": 2, "n_steps": 5, "callback": lambda *now, seen=seen: seen.append(now)}
        result = vmf.fit(spins, 2, 1.0, vmf.Objective(data_term), **options, seed=3)
        assert [step for step, _, _ in seen] == np.repeat(np.arange(n), 2).tolist()
        best = int(result.restart_bounds.argmax())
        np.testing.assert_array_equal([bound.total for _, _, bound in seen[best::2]], result.history.bound)
        np.testing.assert_array_equal(seen[-2 + best][1], result.means)
        assert (seen[0][1] != seen[1][1]).all()


def test_a_batch_of_all_data_is_the_full_step():
    _, spins = planted(53, 3, 5, seed=2)
    quenched = vmf.Objective(model_term=vmf.Quenched(n_points=8))
    for options in ({}, {"rule": vmf.Adam(), "objective": quenched}, {"dtype": np.float32}):
        full, batch = (
            vmf.fit(spins, 3, 1.0, seed=4, n_steps=15, batch_size=size, callback=vmf.Every(1), **options)
            for size in (None, len(spins))
        )
        np.testing.assert_array_equal(batch.means, full.means)
        np.testing.assert_array_equal(batch.history, full.history)
        assert batch.bound == full.bound


def test_batches_reach_what_all_data_reach():
    overlaps = []
    for seed in range(3):
        teacher, spins = planted(199, 2, 8, seed=seed)
        full = vmf.fit(spins, 2, 1.0, seed=seed)
        options = {"batch_size": 199, "n_steps": 300, "callback": vmf.Every(1)}
        batch = vmf.fit(spins, 2, 1.0, rule=vmf.Natural(0.03), **options, seed=seed)
        assert batch.bound == vmf.bound(spins, batch.means, 1.0)
        # an estimate from an eighth of the data scatters by more than the climb's last steps
        assert np.std(batch.history.bound[-20:]) > 1
        for name in ("bound", "data_term", "model_term", "kl"):
            # 100 estimates, which scatter by less than 1 %
            assert getattr(batch.history, name)[-100:].mean() == pytest.approx(
                getattr(full.history, name)[-1], rel=1e-2
            )
        assert batch.bound.total == pytest.approx(full.bound.total, abs=1)  # nats; measured 0.05
        overlaps.append([vmf.overlap(result.means, teacher).mean() for result in (full, batch)])
    full, batch = np.transpose(overlaps)
    # one synapse of 398 counts 5e-3: up to three may decide otherwise, measured one
    np.testing.assert_allclose(batch, full, atol=3.01 * 2 / 398)
    assert full.min() > 0.85


def test_every_sample_is_in_one_batch_of_an_epoch():
    data = pack_spins(np.random.default_rng(0).choice([-1, 1], size=(37, 40)))
    whole = {row.tobytes() for row in data.bits}
    assert len(whole) == 37
    batches = climb.batches(data, 11, seed=3)
    epochs = [[next(batches) for _ in range(3)] for _ in range(2)]
    for epoch in epochs:
        rows = [row.tobytes() for batch in epoch for row in batch.bits]
        assert len(rows) == len(set(rows)) == 33  # the 4 left over wait for the next epoch
        assert set(rows) < whole
    assert (epochs[0][0].bits != epochs[1][0].bits).any()


@pytest.mark.parametrize(
    ("objective", "rule"),
    [
        (vmf.Objective(), vmf.Natural()),
        (vmf.Objective(model_term=vmf.Annealed(vmf.Tap())), vmf.Natural()),
        (vmf.Objective(), vmf.Adam()),
        (vmf.Objective("calibrated"), vmf.Natural()),
    ],
)
def test_single_precision_learns_the_same(objective, rule):
    teacher, spins = planted(199, 2, 8, seed=2)
    double = vmf.fit(spins, 2, 1.0, objective, rule, seed=2)
    single = vmf.fit(spins, 2, 1.0, objective, rule, seed=2, dtype=np.float32)
    assert single.means.dtype == np.float32
    assert double.means.dtype == np.float64
    assert single.converged
    assert single.bound.total == pytest.approx(double.bound.total, rel=1e-6)  # measured 1e-8
    for got, expected in zip(single.bound, vmf.bound(spins, single.means, 1.0, double.objective), strict=True):
        assert got == pytest.approx(expected, rel=2e-6)  # of each part, as documented
    one, other = (vmf.overlap(result.means, teacher) for result in (single, double))
    np.testing.assert_allclose(one, other, atol=2e-3)  # near rest, not at it
    assert other.min() > 0.85


def test_single_precision_stays_finite_when_all_is_decided():
    _, spins = planted(101, 2, 60, seed=3, beta=2.0)
    for options in (
        {"rule": vmf.Adam(0.3)},
        {"rule": vmf.Natural(1.0), "objective": vmf.Objective("calibrated")},
        {"objective": vmf.Objective(model_term=vmf.Quenched())},
    ):
        result = vmf.fit(spins, 2, 2.0, seed=0, n_steps=60, dtype=np.float32, **options)
        assert np.isfinite(result.bound).all()
        assert np.isfinite(result.means).all()
        assert np.abs(result.means).max() <= 1


ONE_SWEEP = vmf.Objective(model_term=vmf.Annealed(vmf.Cavity(max_iter=1)))


def test_unconverged_messages_give_one_warning():
    _, spins = planted(31, 5, 3, seed=1)
    with pytest.warns(vmf.ConvergenceWarning) as caught:
        result = vmf.fit(spins, 5, 1.0, ONE_SWEEP, n_steps=5, seed=3)
    assert [warning.filename for warning in caught] == [__file__]
    assert not result.converged


def test_a_settled_bound_with_unconverged_messages_is_not_converged():
    _, spins = planted(53, 3, 8, seed=1)
    with pytest.warns(vmf.ConvergenceWarning):
        result = vmf.fit(spins, 3, 1.0, ONE_SWEEP, callback=vmf.Every(1), seed=3)
    assert np.mean(result.history.distance[-20:]) < 3e-3
    assert not result.converged


SCRIPT = """
import vmfcore as vmf

spins = vmf.sample(vmf.planted(500, 2, 1.0, seed=0), 4500, seed=1)


def show(n_hidden, **options):
    result = vmf.fit(spins, n_hidden, 1.0, **options, seed=3)
    print(result.means.tobytes().hex(), result.beta, *result.bound, *result.restart_bounds)
    print(result.visible_fields if result.visible_fields is None else result.visible_fields.tobytes().hex())


def objective(model_term):
    return vmf.Objective(model_term=model_term)


show(2, init="pca", n_steps=15)
show(2, objective=objective(vmf.Quenched(n_points=8)), rule=vmf.Adam(), n_steps=15)
show(2, objective=objective(vmf.Quenched(vmf.Cavity(), 16)), n_steps=9)
for term in (vmf.Annealed(vmf.Tap()), vmf.Quenched(vmf.Tap(), 32)):  # 24 units in all are narrow, 36 wide blocks
    for n_hidden in (12, 18):
        show(n_hidden, objective=objective(term), dtype="float32", n_restarts=2, n_steps=4)
sampled = objective(vmf.Annealed(vmf.Gibbs(n_temperatures=50)))
show(18, objective=sampled, learn=vmf.Learn(fields=True, beta="unit"), batch_size=300, n_steps=9)
"""


def test_same_bits_twice_and_with_one_and_two_threads():
    digests = []
    for threads in ("1", "2", "2"):
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        env = os.environ | dict.fromkeys(names, threads)
        out = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, check=True).stdout
        digests.append(hashlib.sha256(out).hexdigest())
    assert digests[0] == digests[1] == digests[2]


@pytest.mark.parametrize(("n_hidden", "alpha"), [(1, 2), (2, 3), (3, 5)])
def test_the_calibrated_data_term_calibrates_the_means(n_hidden, alpha):
    rows = []
    for seed in range(4):
        teacher, spins = planted(500, n_hidden, alpha, seed)
        calibrated = vmf.fit(spins, n_hidden, 1.0, vmf.Objective("calibrated"), n_restarts=2, seed=seed)
        plain = vmf.fit(spins, n_hidden, 1.0, n_restarts=2, seed=seed)
        overlaps = [vmf.overlap(result.means, teacher).mean() for result in (calibrated, plain)]
        rows.append(np.array([(r.means**2).mean() for r in (calibrated, plain)]) - overlaps)
    error, excess = np.mean(rows, axis=0)
    # both are averages over 500 P synapses of four instances: 0.5/√2000 = 0.011 for P = 1, three of these
    assert abs(error) < 0.035
    assert excess > abs(error)  # measured 0.2, 0.12, 0.03 against 0.03


def test_the_calibrated_climb_starts_where_the_gaussian_one_ends_or_where_it_is_told_to():
    _, spins = planted(101, 1, 4, seed=3)
    calibrated, options = vmf.Objective("calibrated"), {"callback": vmf.Every(1), "seed": 1}
    both = vmf.fit(spins, 1, 1.0, calibrated, **options)
    gaussian = vmf.fit(spins, 1, 1.0, **options)
    n = len(gaussian.history.bound)
    np.testing.assert_array_equal(both.history.bound[:n], gaussian.history.bound)
    given = vmf.fit(spins, 1, 1.0, calibrated, init=gaussian.means, **options)
    np.testing.assert_array_equal(both.means, given.means)
    np.testing.assert_array_equal(both.history.bound[n:], given.history.bound)
    assert both.bound == vmf.bound(spins, both.means, 1.0, calibrated)


def test_a_result_keeps_the_choices_that_it_was_learnt_with():
    _, spins = planted(31, 11, 2, seed=1)
    rule, learn = vmf.Adam(0.02, "linear"), vmf.Learn(beta="global")
    for n_hidden, dtype, solver in (
        (2, np.float64, vmf.Exact()),
        (11, np.float64, vmf.Cavity(tol=1e-7)),
        (11, np.float32, vmf.Cavity(tol=3e-5)),
    ):
        objective = vmf.Objective("exact", prior=vmf.Prior(0.1))
        result = vmf.fit(spins, n_hidden, 1.0, objective, rule, learn=learn, n_steps=2, dtype=dtype, seed=0)
        # the solver, which size and precision have chosen, among them
        assert result.objective == replace(objective, model_term=vmf.Annealed(solver))
        assert result.rule == rule
        assert result.learn == learn
        assert result.prior == vmf.Prior(0.1)
    given = vmf.Objective(model_term=vmf.Quenched(vmf.Tap(damping=0.5, tol=1e-6, max_iter=70), n_points=4))
    assert vmf.fit(spins, 2, 1.0, given, n_steps=2, seed=0).objective == given
    # the last of two climbs is what the result is about
    assert vmf.fit(spins, 1, 1.0, vmf.Objective("calibrated"), n_steps=2, seed=0).objective.data_term == "calibrated"


def test_a_history_that_nobody_watches_has_every_tenth_step_and_the_end():
    _, spins = planted(53, 2, 5, seed=1)
    still_climbing = vmf.fit(spins, 2, 1.0, n_steps=23, seed=0)
    assert still_climbing.history.step.tolist() == [0, 10, 20, 23]
    at_rest = vmf.fit(spins, 2, 1.0, seed=0)
    last = at_rest.history.step[-1]
    assert at_rest.converged
    assert at_rest.history.step.tolist() == [*range(0, last, 10), last]
    assert len(vmf.fit(spins, 2, 1.0, callback=vmf.Every(1), seed=0).history.step) == last + 1
    assert vmf.fit(spins, 2, 1.0, n_steps=20, seed=0).history.step.tolist() == [0, 10, 20]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rule": vmf.Adam(), "batch_size": 53, "n_restarts": 2, "n_steps": 37},
        {"objective": vmf.Objective("calibrated"), "n_restarts": 3},
        {"objective": vmf.Objective(model_term=vmf.Annealed(vmf.Cavity()), kl_weight=(2.0, 0.5)), "n_steps": 37},
        {"objective": QUENCHED, "learn": vmf.Learn(fields=True, beta="unit"), "n_steps": 37},
        {"objective": vmf.Objective(model_term=vmf.Annealed(vmf.Gibbs(20, 50, bound_every=2))), "n_steps": 37},
    ],
)
def test_who_looks_changes_nothing(options):
    _, spins = planted(53, 3, 5, seed=1)
    results = [
        vmf.fit(spins, 3, 1.0, **options, callback=callback, seed=5)
        for callback in (vmf.Every(1), None, vmf.Every(7), vmf.Every(10**6), lambda *now: None)
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(other.means, results[0].means)
        assert other.bound == results[0].bound
        np.testing.assert_array_equal(other.restart_bounds, results[0].restart_bounds)
        np.testing.assert_array_equal(other.beta, results[0].beta)
        assert other.converged == results[0].converged
        # what both have looked at, they have seen alike; the end of a climb at rest is evaluated from a cold start
        both, of_every, of_other = np.intersect1d(results[0].history.step, other.history.step, return_indices=True)
        assert len(both) >= 2
        for every, some in zip(results[0].history, other.history, strict=True):
            np.testing.assert_array_equal(some[of_other[:-1]], every[of_every[:-1]])
