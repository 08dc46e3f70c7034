import naive
import numpy as np
import pytest
from small import of_students

import vmfcore as vmf
from vmfcore.bounds import data_term as data_terms
from vmfcore.bounds.beliefs import kl_divergence
from vmfcore.data.packing import pack_spins
from vmfcore.numerics.spins import binary_entropy

SOLVERS = [vmf.Exact(), vmf.Cavity(tol=1e-12), vmf.Tap(tol=1e-12)]
MODEL_TERMS = [term(solver) for term in (vmf.Annealed, vmf.Quenched) for solver in SOLVERS]


def annealed(solver, prior_mean=0.0):
    return vmf.Objective(model_term=vmf.Annealed(solver), prior=vmf.Prior(prior_mean))


def problem(rng, n_visible, n_hidden, n_samples=7):
    return rng.choice([-1, 1], size=(n_samples, n_visible)), rng.uniform(-0.9, 0.9, size=(n_visible, n_hidden))


def test_data_term_equals_one_integral_a_datum(rng):
    spins, means = problem(rng, 11, 3)
    value, *_ = of_students(data_terms.gaussian)(pack_spins(spins), means, 1.4)
    assert value == pytest.approx(naive.data_term(spins, means, 1.4), abs=1e-7)  # 21 terms of 1e-9


def test_data_term_of_decided_synapses_is_exact(rng):
    spins, _ = problem(rng, 11, 3)
    weights = rng.choice([-1.0, 1.0], size=(11, 3))
    expected = naive.log2cosh(0.7 * spins @ weights / np.sqrt(11)).sum()
    assert of_students(data_terms.gaussian)(pack_spins(spins), weights, 0.7)[0] == pytest.approx(expected, rel=1e-12)


def test_kl(rng):
    means = rng.uniform(-1, 1, size=(5, 3))
    for prior_mean in (0.0, 0.4):
        got = kl_divergence(means, binary_entropy(means).sum(), prior_mean)
        assert got == pytest.approx(naive.kl(means, prior_mean), rel=1e-12)
    assert kl_divergence(np.array([[1.0, -1.0]]), 0.0) == pytest.approx(2 * np.log(2), rel=1e-15)


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(5, 2), (3, 3), (7, 1)])
def test_annealed_bound_is_the_naive_sum_of_its_parts(rng, n_visible, n_hidden):
    spins, means = problem(rng, n_visible, n_hidden)
    got = vmf.bound(spins, means, 0.9, annealed(vmf.Exact(), prior_mean=0.2))
    data, model, kl = (
        naive.data_term(spins, means, 0.9),
        len(spins) * naive.log_mean_z(means, 0.9),
        naive.kl(means, 0.2),
    )
    np.testing.assert_allclose(got, [data - model - kl, data, model, kl], atol=1e-7)


@pytest.mark.parametrize("model_term", MODEL_TERMS, ids=str)
@pytest.mark.parametrize(("n_visible", "n_hidden"), [(11, 1), (11, 2), (11, 3), (29, 1), (29, 2), (29, 3)])
def test_gradient_is_the_derivative_of_the_bound(rng, model_term, n_visible, n_hidden):
    spins, means = problem(rng, n_visible, n_hidden)
    objective = vmf.Objective(model_term=model_term, prior=vmf.Prior(0.1))
    gradient = vmf.bound_gradient(spins, means, 1.1, objective)
    numeric = naive.derivative(lambda x: vmf.bound(spins, x, 1.1, objective).total, means)
    assert np.abs(gradient - numeric).max() < 1e-8 * np.abs(gradient).max()  # measured 1e-9; 1e-6 is what we promise


def test_a_hidden_unit_may_be_reversed_and_units_and_data_permuted(rng):
    spins, means = problem(rng, 13, 3)
    reference = vmf.bound(spins, means, 1.2).total
    assert vmf.bound(spins, means * [1, -1, 1], 1.2).total == pytest.approx(reference, rel=1e-12)
    assert vmf.bound(spins, means[:, [2, 0, 1]], 1.2).total == pytest.approx(reference, rel=1e-12)
    assert vmf.bound(spins[::-1], means, 1.2).total == pytest.approx(reference, rel=1e-12)


@pytest.mark.parametrize(
    ("n_visible", "n_hidden", "solver"),
    [
        (17, 10, vmf.Exact()),
        (17, 11, vmf.Cavity()),
        (1811, 11, vmf.Cavity()),
        (1823, 11, vmf.Tap()),
        (2003, 10, vmf.Exact()),
    ],
    ids=str,
)
def test_none_takes_exact_sums_then_edges_then_nodes(rng, n_visible, n_hidden, solver):
    # up to ten hidden units; below 20,000 synapses; from there on
    spins, means = problem(rng, n_visible, n_hidden)
    got = vmf.bound(spins, means, 0.9)
    for other in (vmf.Exact(), vmf.Cavity(), vmf.Tap()):
        equal = got == vmf.bound(spins, means, 0.9, annealed(other))
        assert equal == (other == solver), other


def test_unconverged_message_passing_is_reported(rng):
    spins, means = problem(rng, 31, 5)
    with pytest.warns(vmf.ConvergenceWarning, match="did not converge"):
        vmf.bound(spins, means, 2.0, annealed(vmf.Cavity(max_iter=1)))
