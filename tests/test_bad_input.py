"""Every bad argument: the documented error, naming the argument and what it must be, before any work.

The calls and what each must refuse are in bad_input/, a file for each question.
"""

import inspect
import re
import warnings

import numpy as np
import pytest
from bad_input import bounds, estimator, learning, machines, networks, theory
from bad_input.common import MACHINE, MEANS, SPINS, made

import vmfcore as vmf
from vmfcore.estimator import BinaryRBM

CASES = networks.CASES | bounds.CASES | learning.CASES | machines.CASES | theory.CASES | estimator.CASES
SOLVERS = ("Exact", "Cavity", "Tap", "Vamp", "Gibbs")
# records that nobody but the package makes, or that are checked where they are used: machine, network and packed spins
RECORDS = {"Bound", "ConvergenceWarning", "FitResult", "Machine", "Network", "PackedSpins", "StandardErrors"}
RECORDS |= {"theory.CorrelatedOverlap", "theory.MismatchedOverlap", "theory.StationaryState"}
TABLE = [
    pytest.param(case.call, case.good | {argument: value}, error, message, id=f"{name}-{argument}-{i}")
    for name, case in CASES.items()
    for argument, rows in case.bad.items()
    for i, (value, error, message) in enumerate(rows)
]


@pytest.mark.parametrize(("call", "arguments", "error", "message"), TABLE)
def test_bad_argument(call, arguments, error, message):
    arguments = made(arguments)
    with pytest.raises(error, match=r"^" + message):
        call(**arguments)


@pytest.mark.parametrize("name", CASES)
def test_good_arguments_are_accepted(name):
    CASES[name].call(**made(CASES[name].good))


def test_every_public_call_is_in_the_table():
    public = {name for name in vmf.__all__ if callable(getattr(vmf, name))}
    public |= {f"{solver}.solve" for solver in SOLVERS}
    theory_names = {f"theory.{name}" for name in vmf.theory.__all__ if callable(getattr(vmf.theory, name))}
    public |= {name for name in theory_names if name.removeprefix("theory.") not in vmf.__all__}
    assert public - RECORDS - set(CASES) == set()
    # what is not listed in __all__ is of use to many all the same
    others = {name for name in CASES if name.count(".") == 2 or name.startswith(("observables.", "estimator."))}
    assert others == set(CASES) - public
    methods = {name for name in vars(BinaryRBM) if inspect.isfunction(vars(BinaryRBM)[name]) and name[0] != "_"}
    assert {f"estimator.BinaryRBM.{name}" for name in methods} <= others


@pytest.mark.parametrize("name", CASES)
def test_every_argument_has_bad_values(name):
    case = CASES[name]
    assert set(inspect.signature(case.call).parameters) == set(case.bad)


@pytest.mark.parametrize("name", CASES)
def test_public_docstrings_name_every_argument(name):
    call = CASES[name].call
    for argument in inspect.signature(call).parameters:
        assert re.search(rf"\b{argument}\b", inspect.getdoc(call)), f"{name} does not document {argument}"


# what holds an array is no value of this kind
VALUES = [name for name, case in CASES.items() if inspect.isclass(case.call) and name != "GreyPixels"]


@pytest.mark.parametrize("name", VALUES)
def test_a_value_can_be_printed_and_pasted_back_but_not_changed(name):
    value = CASES[name].call(**CASES[name].good)
    names = {known: getattr(vmf, known) for known in vmf.__all__}
    assert eval(repr(value), names) == value
    assert hash(eval(repr(value), names)) == hash(value)
    for argument in inspect.signature(CASES[name].call).parameters:
        with pytest.raises(AttributeError):
            setattr(value, argument, getattr(value, argument))


def objective(model_term):
    return vmf.Objective(model_term=model_term)


def test_priors_that_do_not_fit():
    with pytest.raises(ValueError, match=r"^correlation must be a real number in \[0, 0\], got 0.3"):
        vmf.planted(5, 1, 1.0, correlation=0.3, seed=0)
    with pytest.raises(ValueError, match=r"^correlation must be a real number in \[0, 1\], got -0.3"):
        vmf.planted(5, 3, 1.0, correlation=-0.3, seed=0)
    with pytest.raises(ValueError, match=r"^correlation must leave \|mean\| \+ √\|correlation\| < 1, got 0.5"):
        vmf.Prior(mean=0.3, correlation=0.5)
    for learner in (vmf.exact_posterior, lambda *args, **options: vmf.infer_weights(*args, **options, seed=0)):
        with pytest.raises(ValueError, match=r"^correlation must be a real number in \[0, 0\], got 0.3"):
            learner(SPINS, 1, 1.0, prior=vmf.Prior(correlation=0.3))
        with pytest.raises(ValueError, match=r"^correlation must be a real number in \[0, 1\], got -0.3"):
            learner(SPINS, 3, 1.0, prior=vmf.Prior(correlation=-0.3))


def test_starts_that_do_not_fit():
    with pytest.raises(ValueError, match=r"^n_restarts must be 1 where init is an array, got 2"):
        vmf.fit(SPINS, 3, 1.0, init=MEANS, n_restarts=2, seed=0)
    rows = np.random.default_rng(0).choice([-1, 1], size=(3, 5))
    with pytest.raises(ValueError, match=r'^init="pca" needs n_hidden <= the rank of the data covariance, 2, got 3'):
        vmf.fit(rows, 3, 1.0, init="pca", seed=0)
    # the hidden fields tell how many networks there are, and the messages must follow
    two = vmf.Network(MEANS, np.zeros(5), np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"^start must be a non-empty array of shape \(2, 8\), got shape \(8,\)"):
        vmf.Tap().solve(two, np.zeros(8))


def test_solvers_that_do_not_fit():
    message = r"^solver must be Cavity, Tap or Gibbs for more than 20 hidden units, got Exact\(\) and 23"
    for term in (vmf.Annealed(vmf.Exact()), vmf.Quenched(vmf.Exact())):
        with pytest.raises(ValueError, match=message):
            vmf.fit(SPINS, 23, 1.0, objective(term), seed=0)
        with pytest.raises(ValueError, match=message):
            vmf.bound(SPINS, np.zeros((5, 23)), 1.0, objective(term))
    wide = vmf.Machine(np.ones((21, 23)), 1.0)
    message = r"^solver must be Gibbs for more than 20 units in both layers, got Exact\(\) and 21"
    with pytest.raises(ValueError, match=message):
        vmf.log_likelihood(np.ones((2, 21)), wide, vmf.Exact(), seed=0)
    with pytest.raises(ValueError, match=r"^bound_every must be None outside a fit, got 2"):
        vmf.Gibbs(3, 2, bound_every=2).solve(networks.NETWORK)
    # two hidden units are averaged over by a product of Gauss' rules of any number of points, more by Sobol' points
    for solver in (None, vmf.Tap(), vmf.Exact()):
        term = vmf.Quenched(solver, n_points=48)
        assert np.isfinite(vmf.bound(SPINS, MEANS[:, :2], 1.0, objective(term)).total)
        with pytest.raises(ValueError, match=r"^n_points must be a power of two, got 48"):
            vmf.bound(SPINS, MEANS, 1.0, objective(term))
        with pytest.raises(ValueError, match=r"^n_points must be a power of two, got 48"):
            vmf.fit(SPINS, 3, 1.0, objective(term), seed=0)


def test_single_precision_that_does_not_suffice():
    with pytest.raises(ValueError, match=r"^dtype must be float64 for beta > 8, got float32 and beta 8.5"):
        vmf.fit(SPINS, 3, 8.5, dtype=np.float32, seed=0)
    for solver in (vmf.Cavity(tol=1e-8), vmf.Tap(tol=1e-8)):
        with pytest.raises(ValueError, match=r"^tol must be at least 1e-06 in single precision, got 1e-08"):
            vmf.fit(SPINS, 3, 1.0, objective(vmf.Annealed(solver)), dtype=np.float32, seed=0)
    network = vmf.Network(np.ones((3, 2), np.float32), np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match=r"^tol must be at least 1e-06 in single precision, got 1e-09"):
        vmf.Tap(tol=1e-9).solve(network)


def test_what_has_no_effect_is_refused():
    with pytest.raises(ValueError, match=r"^step_size must be left out where neither fields nor beta are learnt, got"):
        vmf.Learn(step_size=0.5)
    with pytest.raises(ValueError, match=r"^start must be None for an exact sum, got ndarray"):
        vmf.Exact().solve(networks.NETWORK, np.ones(8))
    with pytest.raises(ValueError, match=r"^base must be None for an exact sum"):
        vmf.log_likelihood(SPINS, MACHINE, vmf.Exact(), base=np.zeros(5), seed=0)
    for call in (vmf.Exact, vmf.Natural, vmf.Prior):
        with pytest.raises(TypeError):
            call(n_chains=3)


def test_presets_are_arguments_of_fit():
    for preset in (vmf.PAPER | {"beta": 1.0}, vmf.IMAGES | {"beta": 1.0}, vmf.recipe(SPINS, 3)):
        assert set(preset) <= set(inspect.signature(vmf.fit).parameters)
        options = preset | {"n_steps": 2, "batch_size": None}
        with warnings.catch_warnings():
            # chains of one sample are few; what is asked for is that the values fit together
            warnings.simplefilter("ignore", vmf.ConvergenceWarning)
            result = vmf.fit(SPINS, 3, **options, seed=0)
        assert result.rule == preset["rule"]
