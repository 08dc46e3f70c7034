"""Choices are values: they can be pasted back, compared and trusted, and nothing can be set that is not used."""

import contextlib
import inspect
import itertools
import pathlib
import tempfile
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.learning import checkpoints
from vmfcore.machines.likelihood import estimate_log_partition

# grey values are data, no choice
CLASSES = [x for x in vars(vmf).values() if isinstance(x, type) and is_dataclass(x) and x is not vmf.GreyPixels]
FIELDS = {f"{choice.__name__}.{field.name}" for choice in CLASSES for field in fields(choice)}

# every choice in Python's own numbers, and again in numpy's
TWINS = [
    (vmf.Exact(), vmf.Exact()),
    (vmf.Cavity(0.5, 1e-6, 70), vmf.Cavity(np.float32(0.5), np.float64(1e-6), np.int64(70))),
    (vmf.Tap(0.5, 1e-6, 70), vmf.Tap(np.float16(0.5), np.float64(1e-6), np.uint8(70))),
    (vmf.Vamp(0, 2, 70), vmf.Vamp(np.int64(0), np.int8(2), np.int32(70))),
    (vmf.Gibbs(7, 11, 13), vmf.Gibbs(np.int64(7), np.int16(11), np.uint64(13))),
    (vmf.Annealed(vmf.Cavity(0.25)), vmf.Annealed(vmf.Cavity(np.float64(0.25)))),
    (vmf.Quenched(vmf.Cavity(0.25), 16), vmf.Quenched(vmf.Cavity(np.float32(0.25)), np.int64(16))),
    (
        vmf.Objective("exact", vmf.Quenched(vmf.Exact(), 8), vmf.Prior(0.125), 0.5),
        vmf.Objective(
            np.str_("exact"), vmf.Quenched(vmf.Exact(), np.int8(8)), vmf.Prior(np.float32(0.125)), np.float32(0.5)
        ),
    ),
    (vmf.Objective(kl_weight=(1.0, 0.25)), vmf.Objective(kl_weight=np.array([1, 0.25], np.float32))),
    (vmf.Objective(kl_weight=0.5), vmf.Objective(kl_weight=[np.float64(0.5), np.float32(0.5)])),
    (vmf.Prior(0.25, -0.125), vmf.Prior(np.float32(0.25), np.float64(-0.125))),
    (vmf.Natural(0.25, "linear", 2.0), vmf.Natural(np.float32(0.25), np.str_("linear"), np.int64(2))),
    (vmf.Adam(0.25, "linear", 2.0), vmf.Adam(np.float32(0.25), np.str_("linear"), np.int64(2))),
    (vmf.Learn(True, "unit", 0.25, True), vmf.Learn(np.True_, np.str_("unit"), np.float32(0.25), np.True_)),
    (vmf.Checkpoint("a.npz", 7), vmf.Checkpoint(pathlib.Path("a.npz"), np.int64(7))),
    (vmf.Checkpoint("b.npz"), vmf.Checkpoint(np.str_("b.npz"))),
    (vmf.Every(7), vmf.Every(np.int64(7))),
]
VALUES = [choice() for choice in CLASSES if choice is not vmf.Checkpoint] + [plain for plain, _ in TWINS]


@pytest.mark.parametrize(("plain", "twin"), TWINS, ids=[str(plain) for plain, _ in TWINS])
def test_a_value_of_numpys_numbers_is_that_of_pythons(plain, twin):
    assert twin == plain
    assert hash(twin) == hash(plain)
    assert repr(twin) == repr(plain)
    for field in fields(plain):
        assert type(getattr(twin, field.name)) is type(getattr(plain, field.name))


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_value_can_be_pasted_back(value):
    assert eval(repr(value), vars(vmf)) == value


@pytest.mark.parametrize("preset", [vmf.PAPER, vmf.IMAGES], ids=["PAPER", "IMAGES"])
def test_a_preset_can_be_pasted_back_and_names_arguments_of_fit(preset):
    assert eval(repr(preset), vars(vmf)) == preset
    assert set(preset) < set(inspect.signature(vmf.fit).parameters)
    spins = np.random.default_rng(0).choice([-1, 1], size=(101, 7))
    short = preset | {"n_steps": 1}
    assert np.isfinite(vmf.fit(spins, 2, 1.0, **short, seed=0).bound.total)


def test_values_are_equal_where_they_are_the_same_and_only_there():
    distinct = [*(choice() for choice in CLASSES if choice is not vmf.Checkpoint), vmf.Checkpoint("a.npz")]
    # equal numbers, other classes
    distinct += [choice(0.5, 1e-6, 70) for choice in (vmf.Cavity, vmf.Tap, vmf.Vamp)]
    distinct += [choice(0.25, "linear", 2.0) for choice in (vmf.Natural, vmf.Adam)]
    distinct += [choice(vmf.Exact()) for choice in (vmf.Annealed, vmf.Quenched)]
    distinct += [vmf.Annealed(choice()) for choice in (vmf.Cavity, vmf.Tap)]
    distinct += [vmf.Objective(model_term=choice(vmf.Exact())) for choice in (vmf.Annealed, vmf.Quenched)]
    for one, other in itertools.combinations(distinct, 2):
        assert one != other
    for value in distinct:
        assert replace(value) == value
        assert hash(replace(value)) == hash(value)
    assert len({*distinct, *map(replace, distinct)}) == len(distinct)


@pytest.mark.parametrize("value", [plain for plain, _ in TWINS], ids=str)
def test_a_value_is_frozen(value):
    for name in [field.name for field in fields(value)] + ["new"]:
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, getattr(value, name, None))


# what is neither a number from 0 to 1 nor an integer >= 1, nor one of the words
NO_REALS = [-0.1, 1e9, float("nan"), float("inf"), "0.5", True, 0.5j, [0.5], np.array(0.5), np.array([0.5])]
NO_INTEGERS = [0, -1, 2.0, "2", True, [2], np.array(2), np.float64(2)]
NO_WORDS = ["Linear", "", 1, True, None, ["linear"], b"linear"]
NO_VALUES = ["exact", 1, {}, vmf.Exact, vmf.Prior]
NO_TOLERANCES = [0.0, -1e-9, float("nan"), float("inf"), "1e-6", True, [1e-6]]

BAD = {
    **{f"{choice}.damping": [None, 0.96, *NO_REALS] for choice in ("Cavity", "Tap", "Vamp")},
    **{f"{choice}.tol": NO_TOLERANCES for choice in ("Cavity", "Tap", "Vamp")},
    **{f"{choice}.max_iter": [None, *NO_INTEGERS] for choice in ("Cavity", "Tap", "Vamp")},
    "Gibbs.n_chains": [None, 1, *NO_INTEGERS],
    "Gibbs.n_temperatures": [None, *NO_INTEGERS],
    "Gibbs.bound_every": NO_INTEGERS,
    "Gibbs.n_rungs": [101, *NO_INTEGERS],
    "Annealed.solver": [*NO_VALUES, vmf.Vamp(), vmf.Annealed()],
    "Quenched.solver": [*NO_VALUES, vmf.Vamp(), vmf.Gibbs()],
    "Quenched.n_points": [None, *NO_INTEGERS],
    "Objective.data_term": [*NO_WORDS, "tap"],
    "Objective.model_term": [*NO_VALUES, None, "annealed", vmf.Annealed, vmf.Exact()],
    "Objective.prior": [*NO_VALUES, None, 0.0, vmf.Prior(correlation=0.1)],
    "Objective.kl_weight": [None, 0.0, (1.0,), (1.0, 0.5, 0.1), (1.0, 0.0), (1.0, "0.5"), [[1.0, 2.0]] * 2, *NO_REALS],
    "Prior.mean": [None, 1.0, -1.0, *NO_REALS[1:]],
    "Prior.correlation": [None, 1.0, -1.0, *NO_REALS[1:]],
    **{f"{rule}.step_size": [None, 0.0, *NO_REALS] for rule in ("Natural", "Adam")},
    **{f"{rule}.schedule": NO_WORDS for rule in ("Natural", "Adam")},
    **{f"{rule}.tol": [None, *NO_TOLERANCES] for rule in ("Natural", "Adam")},
    "Learn.fields": [None, 0, 1, "yes", [True]],
    "Learn.synapses": [None, 0, 1, "yes", [True]],
    "Learn.correlation": [None, 0, 1, "yes", [True]],
    "Learn.beta": [*NO_WORDS[1:], "yes"],
    "Learn.step_size": [None, 0.0, *NO_REALS],
    "Checkpoint.path": [None, 1, True, b"a.npz", ["a.npz"]],
    "Checkpoint.every": [None, *NO_INTEGERS],
    "Every.n_steps": [None, *NO_INTEGERS],
    "Every.callback": [1, "print", [print]],
}


def test_bad_values_are_known_of_every_field():
    assert set(BAD) == FIELDS


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_a_bad_field_is_named_when_the_value_is_made(field):
    choice, name = field.split(".")
    needed = {"path": "a.npz"} if choice == "Checkpoint" else {}
    for bad in BAD[field]:
        with pytest.raises((TypeError, ValueError), match=rf"^{name}\b.* must "):
            getattr(vmf, choice)(**needed | {name: bad})


def test_two_fields_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match=r"^correlation must leave"):
        vmf.Prior(0.5, 0.25)
    with pytest.raises(TypeError, match="positional argument"):
        vmf.Exact(1e-9)


# Nothing can be set that is not used: what changes where a field does

TEACHER = vmf.planted(23, 3, 1.0, seed=1)
SPINS = vmf.sample(TEACHER, 53, seed=2)
MEANS = np.random.default_rng(3).uniform(-0.9, 0.9, size=(23, 3))
NETWORK = vmf.Network(TEACHER.couplings, np.linspace(-0.5, 0.5, 23), np.linspace(-0.2, 0.3, 3))


def bits(*parts):
    """What a user can see of results, in a form in which nan equals itself."""
    return [np.asarray(part).tobytes() for part in parts]


def bits_of_fit(**options):
    result = vmf.fit(SPINS, 3, 1.0, **{"n_steps": 12, "seed": 0} | options)
    return bits(result.means, result.converged, *result.bound, *result.history)


def bits_of_bound(objective):
    return bits(*vmf.bound(SPINS, MEANS, 1.0, objective), vmf.bound_gradient(SPINS, MEANS, 1.0, objective))


def annealed(solver):
    return vmf.Objective(model_term=vmf.Annealed(solver))


def quenched(solver):
    return vmf.Objective(model_term=vmf.Quenched(solver, n_points=4))


def solve(solver):
    return bits(*solver.solve(NETWORK)[:-1])


def annealed_bound(solver):
    return bits_of_bound(annealed(solver))


def annealed_fit(solver):
    return bits_of_fit(objective=annealed(solver))


def watched_fit(solver):
    return bits_of_fit(objective=annealed(solver), callback=vmf.Every(1))


def quenched_bound(solver):
    return bits_of_bound(quenched(solver))


def quenched_fit(solver):
    return bits_of_fit(objective=quenched(solver))


def log_likelihood(solver):
    found = vmf.log_likelihood(SPINS, TEACHER, solver, seed=0)
    return bits(found.per_sample, found.standard_error, found.bracket, found.effective_chains)


def log_partition(solver):
    return bits(*estimate_log_partition(TEACHER, np.zeros(23), solver, seed=0))


def bound_with_term(model_term):
    return bits_of_bound(vmf.Objective(model_term=model_term))


def fit_with_term(model_term):
    return bits_of_fit(objective=vmf.Objective(model_term=model_term))


def bound_with(objective):
    return bits_of_bound(objective)


def fit_with(objective):
    return bits_of_fit(objective=objective)


def bound_with_prior(prior):
    return bits_of_bound(vmf.Objective(prior=prior))


def fit_with_prior(prior):
    return bits_of_fit(objective=vmf.Objective(prior=prior))


def infer_with_prior(prior):
    result = vmf.infer_weights(SPINS, 3, 1.0, prior=prior, n_steps=5, seed=0)
    return bits(result.means, *result.bound)


def enumerate_with_prior(prior):
    return bits(*vmf.exact_posterior(SPINS[:, :5], 2, 1.0, prior=prior))


def fit_by(rule):
    return bits_of_fit(rule=rule, n_steps=60)


def fit_of_fields_by(rule):
    return bits_of_fit(rule=rule, learn=vmf.Learn(fields=True))


def fit_that_learns(learn):
    return bits_of_fit(learn=learn)


def infer_that_learns(learn):
    result = vmf.infer_weights(SPINS, 3, 1.1, learn=learn, n_steps=5, seed=0)
    return bits(result.means, result.beta)


def files_of_fit(checkpoint):
    """The files that a fit leaves, and how often it has written."""
    written = mock.Mock(wraps=checkpoints.write_archive)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        with mock.patch.object(checkpoints, "write_archive", written):
            bits_of_fit(checkpoint=checkpoint)
        return sorted(path.name for path in pathlib.Path().iterdir()), written.call_count


def history_of_fit(every):
    return vmf.fit(SPINS, 3, 1.0, n_steps=12, callback=every, seed=0).history.step.tolist()


def history_of_infer(every):
    return vmf.infer_weights(SPINS, 3, 1.0, n_steps=12, callback=every, seed=0).history.step.tolist()


CALLS = []


def note(step, means, bound):
    CALLS.append(step)


def calls_of_fit(every):
    CALLS.clear()
    vmf.fit(SPINS, 3, 1.0, n_steps=12, callback=every, seed=0)
    return list(CALLS)


def calls_of_infer(every):
    CALLS.clear()
    vmf.infer_weights(SPINS, 3, 1.0, n_steps=12, callback=every, seed=0)
    return list(CALLS)


class Case(NamedTuple):
    """A field that is set otherwise, and a use in which this must be seen."""

    field: str
    use: Callable
    base: Any
    changed: Any


def cases(base, *uses, **changed):
    """One case for each use and each field that is changed."""
    name = type(base).__name__
    return [
        Case(f"{name}.{field}", use, base, replace(base, **{field: value}))
        for field, value in changed.items()
        for use in uses
    ]


MESSAGE_USES = [solve, annealed_bound, annealed_fit, quenched_bound, quenched_fit]
CHAIN_USES = [solve, annealed_bound, annealed_fit, log_likelihood, log_partition]
ITERATION = {"damping": 0.5, "tol": 1e-3, "max_iter": 2}
LINEAR, CLOSE_BY = {"schedule": "linear"}, {"tol": 50.0}
CASES = [
    *cases(vmf.Cavity(), *MESSAGE_USES, **ITERATION),
    *cases(vmf.Tap(), *MESSAGE_USES, **ITERATION),
    *cases(vmf.Vamp(), solve, **ITERATION),
    *cases(vmf.Gibbs(20, 50), *CHAIN_USES, n_chains=21, n_temperatures=51),
    *cases(vmf.Gibbs(20, 50), watched_fit, bound_every=5),
    *cases(vmf.Gibbs(20, 50), solve, annealed_fit, log_likelihood, n_rungs=3),
    *cases(vmf.Annealed(), bound_with_term, fit_with_term, solver=vmf.Cavity()),
    *cases(vmf.Quenched(), bound_with_term, fit_with_term, solver=vmf.Cavity(), n_points=32),
    *cases(vmf.Objective(), bound_with, fit_with, data_term="exact", model_term=vmf.Quenched(), prior=vmf.Prior(0.1)),
    *cases(vmf.Objective(), fit_with, data_term="calibrated", kl_weight=0.5),
    *cases(vmf.Objective(kl_weight=(2.0, 0.5)), fit_with, kl_weight=(1.0, 0.5)),
    *cases(vmf.Objective(kl_weight=(2.0, 0.5)), fit_with, kl_weight=(2.0, 0.4)),
    *cases(vmf.Prior(), bound_with_prior, fit_with_prior, infer_with_prior, enumerate_with_prior, mean=0.1),
    *cases(vmf.Prior(), infer_with_prior, enumerate_with_prior, correlation=0.1),
    *cases(vmf.Natural(), fit_by, fit_of_fields_by, step_size=0.1, **LINEAR, **CLOSE_BY),
    *cases(vmf.Adam(), fit_by, fit_of_fields_by, step_size=0.1, **LINEAR, **CLOSE_BY),
    *cases(vmf.Learn(), fit_that_learns, fields=True, beta="unit"),
    *cases(vmf.Learn(), fit_that_learns, infer_that_learns, beta="global"),
    *cases(vmf.Learn(), infer_that_learns, correlation=True),
    *cases(vmf.Learn(fields=True), fit_that_learns, step_size=0.1, synapses=False),
    *cases(vmf.Learn(beta="unit"), fit_that_learns, step_size=0.1),
    *cases(vmf.Learn(beta="global"), fit_that_learns, step_size=0.1),
    *cases(vmf.Checkpoint("a.npz"), files_of_fit, path="b.npz", every=5),
    *cases(vmf.Every(), history_of_fit, history_of_infer, n_steps=5),
    *cases(vmf.Every(4, note), calls_of_fit, calls_of_infer, n_steps=5),
    *cases(vmf.Every(), calls_of_fit, calls_of_infer, callback=note),
]


def test_all_fields_are_in_the_table():
    assert {case.field for case in CASES} == FIELDS


@pytest.mark.filterwarnings("ignore::vmfcore.ConvergenceWarning")
@pytest.mark.parametrize("case", CASES, ids=[f"{case.field} in {case.use.__name__}" for case in CASES])
def test_what_is_set_is_used(case):
    seen = case.use(case.base)
    assert case.use(replace(case.base)) == seen  # it is not noise that the next sees
    assert case.use(case.changed) != seen


# what a use cannot use, it refuses by name

SINGLE = {"n_steps": 1, "dtype": np.float32, "seed": 0}


@pytest.mark.parametrize(
    ("field", "use", "value"),
    [
        ("bound_every", annealed_bound, vmf.Gibbs(bound_every=5)),
        ("bound_every", solve, vmf.Gibbs(bound_every=5)),
        ("bound_every", log_likelihood, vmf.Gibbs(bound_every=5)),
        ("bound_every", log_partition, vmf.Gibbs(bound_every=5)),
        ("n_rungs", annealed_bound, vmf.Gibbs(n_rungs=3)),
        ("n_rungs", log_partition, vmf.Gibbs(n_rungs=None)),
        ("objective.kl_weight", bound_with, vmf.Objective(kl_weight=0.5)),
        ("objective.kl_weight", bound_with, vmf.Objective(kl_weight=(1.0, 0.5))),
        ("prior.correlation", bound_with_prior, vmf.Prior(correlation=0.1)),
        ("prior.correlation", fit_with_prior, vmf.Prior(correlation=0.1)),
        ("correlation", infer_with_prior, vmf.Prior(correlation=-0.1)),  # three hidden units cannot have it
        ("solver", annealed_bound, vmf.Vamp()),
        ("solver", annealed_fit, vmf.Vamp()),
        ("solver", quenched_bound, vmf.Vamp()),
        ("solver", quenched_fit, vmf.Vamp()),
        ("solver", quenched_bound, vmf.Gibbs()),
        ("solver", quenched_fit, vmf.Gibbs()),
        ("solver", log_likelihood, vmf.Cavity()),
        ("solver", log_likelihood, vmf.Tap()),
        ("solver", log_likelihood, vmf.Vamp()),
        ("solver", log_partition, vmf.Exact()),
        ("n_points", bound_with_term, vmf.Quenched(n_points=6)),  # of three hidden units: Sobol' points
        ("n_points", fit_with_term, vmf.Quenched(n_points=6)),
        ("learn.fields", infer_that_learns, vmf.Learn(fields=True)),
        ("learn.beta", infer_that_learns, vmf.Learn(beta="unit")),
        ("learn.step_size", infer_that_learns, vmf.Learn(beta="global", step_size=0.1)),
        ("learn.synapses", infer_that_learns, vmf.Learn(beta="global", synapses=False)),
        ("learn.correlation", fit_that_learns, vmf.Learn(correlation=True)),
    ],
)
def test_what_is_not_used_is_refused(field, use, value):
    with pytest.raises((TypeError, ValueError), match=rf"^{field} must "):
        use(value)


def test_what_is_not_used_is_refused_when_the_value_is_made():
    with pytest.raises(ValueError, match=r"^step_size must be left out where neither fields nor beta are learnt"):
        vmf.Learn(step_size=0.1)
    with pytest.raises(ValueError, match=r"^synapses must be True where neither fields nor beta are learnt"):
        vmf.Learn(synapses=False)


@pytest.mark.parametrize("solver", [vmf.Cavity(tol=1e-7), vmf.Tap(tol=1e-7)], ids=str)
def test_a_tolerance_that_single_precision_cannot_reach_is_refused(solver):
    with pytest.raises(ValueError, match=r"^tol must be at least 1e-06 in single precision"):
        vmf.fit(SPINS, 3, 1.0, annealed(solver), **SINGLE)
