import warnings

import naive
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.networks.cavity import solve_cavity
from vmfcore.networks.exact import log_partition


def instance(rng, n_visible, n_hidden, strength, field=0.3):
    couplings = strength / np.sqrt(n_visible) * rng.choice([-1, 1], size=(n_visible, n_hidden))
    return couplings, field * rng.normal(size=n_visible), field * rng.normal(size=n_hidden)


def test_equals_the_message_by_message_version(rng):
    network = instance(rng, 13, 5, 1.1)
    state = vmf.Cavity(tol=1e-13).solve(vmf.Network(*network))
    m, r, c, log_z = naive.cavity(*network)
    assert state.converged
    assert state.log_partition == pytest.approx(log_z, rel=1e-12)
    np.testing.assert_allclose(state.visible_means, m, atol=1e-11)
    np.testing.assert_allclose(state.hidden_means, r, atol=1e-11)
    np.testing.assert_allclose(state.correlations, c, atol=1e-11)


@pytest.mark.parametrize(("n_visible", "n_hidden", "strength"), [(11, 1, 1.0), (1, 7, 30.0), (199, 1, 20.0)])
def test_exact_on_trees_at_any_strength(rng, n_visible, n_hidden, strength):
    network = instance(rng, n_visible, n_hidden, strength)
    state = vmf.Cavity().solve(vmf.Network(*network))
    # the logarithms of N products: rounding only
    assert state.log_partition == pytest.approx(log_partition(*network), rel=1e-12)


def median_errors(n_visible, strength):
    """Median errors over ten networks of three hidden units: ln Z, magnetizations, <h>, correlations."""
    errors = []
    for seed in range(10):
        network = instance(np.random.default_rng(seed), n_visible, 3, strength)
        exact, state = vmf.Exact().solve(vmf.Network(*network)), vmf.Cavity().solve(vmf.Network(*network))
        names = ("log_partition", "visible_means", "hidden_means", "correlations")
        errors.append([np.abs(getattr(state, name) - getattr(exact, name)).max() for name in names])
    return np.median(errors, axis=0)


def test_errors_fall_as_one_over_n():
    small, large = median_errors(101, 0.65), median_errors(809, 0.65)
    # measured 3e-3, 5e-4, 3e-3, 4e-3 at N=101, |J|=0.65/√N; twice that allowed
    assert (small < [6e-3, 1e-3, 6e-3, 8e-3]).all()
    # eight times the size: an error ∝ 1/N falls by 8; less than 3 in the median of ten would not be 1/N
    assert (small / large > 3).all()


@pytest.mark.parametrize("alike", [False, True])
def test_what_messages_miss_of_two_hidden_units_without_fields(rng, alike):
    couplings = rng.uniform(-0.4, 0.4, size=(7, 2))
    if alike:
        couplings[:, 1] = couplings[:, 0]
    nothing = np.zeros(7), np.zeros(2)
    state = vmf.Cavity().solve(vmf.Network(couplings, *nothing))
    assert np.abs(state.visible_means).max() < 1e-9  # the solver's tolerance
    x = np.tanh(couplings).prod(axis=1)
    pull, beside = np.log(np.cosh(np.arctanh(x).sum())), np.log1p(-(x**2)).sum() / 2
    missed = naive.network_averages(couplings, *nothing)[0] - state.log_partition
    assert missed == pytest.approx(pull + beside, abs=1e-12)  # logarithms of a sum over all states: rounding
    # the control: the first term alone, which is not enough for either kind
    assert abs(missed - pull) > 1e-3


@pytest.mark.parametrize("strength", [0.9, 2.5])
def test_reported_averages_are_derivatives_of_log_partition(rng, strength):
    couplings, a, b = instance(rng, 7, 3, strength)
    state = vmf.Cavity(tol=1e-13).solve(vmf.Network(couplings, a, b))

    def log_z(j=couplings, a=a, b=b):
        return vmf.Cavity(tol=1e-13).solve(vmf.Network(j, a, b)).log_partition

    # the Bethe free energy is stationary, so this holds to the accuracy of the differences
    np.testing.assert_allclose(naive.derivative(lambda j: log_z(j=j), couplings), state.correlations, atol=1e-9)
    np.testing.assert_allclose(naive.derivative(lambda a: log_z(a=a), a), state.visible_means, atol=1e-9)
    np.testing.assert_allclose(naive.derivative(lambda b: log_z(b=b), b), state.hidden_means, atol=1e-9)


def test_without_couplings_spins_follow_their_fields(rng):
    a, b = rng.normal(size=5), rng.normal(size=3)
    state = vmf.Cavity().solve(vmf.Network(np.zeros((5, 3)), a, b))
    np.testing.assert_allclose(state.visible_means, np.tanh(a), atol=1e-14)
    assert state.log_partition == pytest.approx(naive.log2cosh(a).sum() + naive.log2cosh(b).sum(), rel=1e-14)


def test_a_batch_equals_its_members_to_the_bit(rng):
    couplings, a, _ = instance(rng, 17, 3, 1.0)
    b = rng.normal(size=(5, 3))
    batch = vmf.Cavity().solve(vmf.Network(couplings, a, b))
    for k in range(5):
        for whole, single in zip(batch, vmf.Cavity().solve(vmf.Network(couplings, a, b[k])), strict=True):
            assert np.array_equal(whole[k], single)


def test_warm_start_needs_fewer_sweeps(rng):
    couplings, a, b = instance(rng, 101, 5, 1.3)
    cold = vmf.Cavity().solve(vmf.Network(couplings, a, b))
    warm = vmf.Cavity().solve(vmf.Network(couplings, a, b), cold.messages)
    assert warm.n_iter <= 2 < cold.n_iter
    # both stopped with a residual below 1e-9
    np.testing.assert_allclose(warm.visible_means, cold.visible_means, atol=1e-8)


def test_damping_changes_the_path_and_not_the_fixed_point(rng):
    network = instance(rng, 31, 5, 1.0)
    plain, damped = vmf.Cavity().solve(vmf.Network(*network)), vmf.Cavity(damping=0.6).solve(vmf.Network(*network))
    assert damped.n_iter > plain.n_iter
    np.testing.assert_allclose(damped.visible_means, plain.visible_means, atol=1e-8)


def test_the_residual_is_that_of_an_undamped_sweep():
    # one hidden unit: a sweep from scratch changes r from 0 to tanh(b), or with damping the messages by a part of it
    couplings, a, b = 0.01 * np.ones((7, 1)), np.zeros(7), np.array([0.5])
    with pytest.warns(vmf.ConvergenceWarning):
        states = [vmf.Cavity(damping=d, max_iter=2).solve(vmf.Network(couplings, a, b)) for d in (0.0, 0.9)]
    assert states[0].residual == pytest.approx(0, abs=1e-12)
    # after two damped sweeps u has gone 19 % of the way; the second covered 9 %, undamped 90 %
    assert states[1].residual == pytest.approx(0.9 * np.tanh(0.01) * np.tanh(0.5), rel=1e-2)


def test_long_aligned_columns_do_not_overflow():
    network = np.ones((3001, 2)), np.zeros(3001), np.array([20.0, 10.0])
    # every spin is saturated at +1; the mirror image weighs exp(-60)
    state = vmf.Cavity().solve(vmf.Network(*network))
    assert state.log_partition == pytest.approx(log_partition(*network), rel=1e-12)


def test_a_frustrated_network_is_damped_or_reported():
    rng = np.random.default_rng(0)
    couplings = rng.normal(size=(37, 41)) * 1.5
    with pytest.warns(vmf.ConvergenceWarning, match="message passing did not converge: residual"):
        # ten: a chaotic iteration, which without AVX-512 rounds otherwise, and then happens to converge in the 23rd
        state = vmf.Cavity(max_iter=10).solve(vmf.Network(couplings, np.zeros(37), 0.1 * np.ones(41)))
    assert not state.converged
    assert state.residual > 1
    assert state.n_iter == 10
    assert np.isfinite(state.correlations).all()


@pytest.mark.parametrize(("n_visible", "n_hidden", "beta"), [(1, 7, 50.0), (101, 103, 50.0), (10007, 2, 50.0)])
def test_extreme_networks_stay_finite(rng, n_visible, n_hidden, beta):
    couplings, a, b = instance(rng, n_visible, n_hidden, beta)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vmf.ConvergenceWarning)  # glassy: finiteness is what is asked
        state = vmf.Cavity(max_iter=40).solve(vmf.Network(couplings, a, b))
    for part in state:
        assert np.isfinite(part).all()
    assert np.abs(state.correlations).max() <= 1


def test_couplings_of_each_replica(rng):
    couplings, b = np.stack([instance(rng, 13, 5, 1.2)[0] for _ in range(3)]), rng.normal(size=(3, 7, 5))
    couplings[1] *= rng.uniform(0.1, 1, size=(13, 5))
    a = rng.normal(size=(3, 13))
    state = solve_cavity(couplings, a, b, 0.0, 1e-12, 1000)
    for replica in range(3):
        single = vmf.Cavity(tol=1e-12).solve(vmf.Network(couplings[replica], a[replica], b[replica]))
        for name, whole, part in zip(single._fields, state, single, strict=True):
            # the same operations, but for how many factors go into one logarithm
            np.testing.assert_allclose(whole[replica], part, rtol=1e-12, atol=1e-12, err_msg=name)
    warm = solve_cavity(couplings, a, b, 0.0, 1e-12, 1000, state.messages.copy())
    assert (warm.n_iter <= 2).all()
    np.testing.assert_allclose(warm.log_partition, state.log_partition, rtol=1e-13)
