import warnings

import naive
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.networks import tap

NAMES = ("log_partition", "visible_means", "hidden_means", "correlations")


def instance(rng, n_visible, n_hidden, strength, field=0.3):
    """Couplings βλ/√N of random means λ, as dual networks have them."""
    couplings = strength / np.sqrt(n_visible) * rng.uniform(-1, 1, size=(n_visible, n_hidden))
    return couplings, field * rng.normal(size=n_visible), field * rng.normal(size=n_hidden)


@pytest.mark.parametrize(("n_visible", "n_hidden", "strength"), [(13, 5, 1.7), (5, 11, 0.9), (7, 1, 1.0)])
def test_equals_the_node_by_node_version(rng, n_visible, n_hidden, strength):
    network = instance(rng, n_visible, n_hidden, strength)
    state = vmf.Tap(tol=1e-13).solve(vmf.Network(*network))
    m, r, c, log_z = naive.tap(*network)
    assert state.converged
    assert state.log_partition == pytest.approx(log_z, rel=1e-12)
    np.testing.assert_allclose(state.visible_means, m, atol=1e-11)
    np.testing.assert_allclose(state.hidden_means, r, atol=1e-11)
    np.testing.assert_allclose(state.correlations, c, atol=1e-11)
    np.testing.assert_array_equal(state.messages, np.concatenate([state.visible_means, state.hidden_means]))


def test_reported_averages_are_derivatives_of_log_partition(rng):
    couplings, a, b = instance(rng, 7, 3, 1.9)
    state = vmf.Tap(tol=1e-13).solve(vmf.Network(couplings, a, b))

    def log_z(j=couplings, a=a, b=b):
        return vmf.Tap(tol=1e-13).solve(vmf.Network(j, a, b)).log_partition

    # ln Z is stationary in the magnetizations, so this holds to the accuracy of the differences
    np.testing.assert_allclose(naive.derivative(lambda j: log_z(j=j), couplings), state.correlations, atol=1e-9)
    np.testing.assert_allclose(naive.derivative(lambda a: log_z(a=a), a), state.visible_means, atol=1e-9)
    np.testing.assert_allclose(naive.derivative(lambda b: log_z(b=b), b), state.hidden_means, atol=1e-9)


def median_errors(n_visible, reference):
    """Median over ten networks of three hidden units of the largest errors of `NAMES`."""
    errors = []
    for seed in range(10):
        network = instance(np.random.default_rng(seed), n_visible, 3, 1.0)
        expected = reference.solve(vmf.Network(*network))
        state = vmf.Tap().solve(vmf.Network(*network))
        errors.append([np.abs(getattr(state, name) - getattr(expected, name)).max() for name in NAMES])
    return np.median(errors, axis=0)


@pytest.mark.parametrize(
    ("reference", "measured"),
    [(vmf.Exact(), [8.5e-4, 4.5e-4, 9.3e-4, 6.1e-3]), (vmf.Cavity(), [3.2e-4, 3.6e-4, 7.7e-4, 2.4e-3])],
)
def test_errors_fall_as_one_over_n(reference, measured):
    # terms of third order: N P² of size (βλ/√N)⁴ in ln Z, thus 1/N.  Twice what was measured is allowed
    small, large = median_errors(101, reference), median_errors(809, reference)
    assert (small < 2 * np.array(measured)).all()
    # eight times the size: an error ∝ 1/N falls by 8; less than 4 in the median of ten would not be 1/N
    assert (small / large > 4).all()


def test_without_couplings_spins_follow_their_fields(rng):
    a, b = rng.normal(size=5), rng.normal(size=3)
    state = vmf.Tap().solve(vmf.Network(np.zeros((5, 3)), a, b))
    np.testing.assert_allclose(state.visible_means, np.tanh(a), atol=1e-14)
    np.testing.assert_allclose(state.correlations, np.outer(np.tanh(a), np.tanh(b)), atol=1e-14)
    assert state.log_partition == pytest.approx(naive.log2cosh(a).sum() + naive.log2cosh(b).sum(), rel=1e-14)


def test_single_precision_follows_double(rng):
    couplings, a, b = instance(rng, 211, 7, 1.3)
    couplings = couplings.astype(np.float32)
    single = vmf.Tap().solve(vmf.Network(couplings, a, b))
    double = vmf.Tap().solve(vmf.Network(couplings.astype(float), a, b))
    assert single.converged
    for name in ("visible_means", "hidden_means", "correlations", "messages"):
        assert getattr(single, name).dtype == np.float32
        assert getattr(double, name).dtype == np.float64
        # stops at 3e-6 after the change of one more contracting sweep: measured 6e-7
        np.testing.assert_allclose(getattr(single, name), getattr(double, name), atol=3e-6)
    # stationary: 218 terms of single rounding, 6e-8, are what is left
    assert single.log_partition.dtype == np.float64
    assert single.log_partition == pytest.approx(double.log_partition, abs=218 * 6e-8)


@pytest.mark.parametrize("n_networks", [5, tap.BATCH, 2 * tap.BATCH + 3])
def test_a_batch_equals_its_members(rng, n_networks):
    couplings, a, _ = instance(rng, 17, 3, 1.4)
    b = rng.normal(size=(n_networks, 3))
    batch = vmf.Tap(tol=1e-13).solve(vmf.Network(couplings, a, b))
    assert batch.converged.shape == (n_networks,)
    for k in range(n_networks):
        single = vmf.Tap(tol=1e-13).solve(vmf.Network(couplings, a, b[k]))
        for name in (*NAMES, "messages"):
            # a batch goes on until its last member has converged, each to 1e-13
            np.testing.assert_allclose(getattr(batch, name)[k], getattr(single, name), atol=1e-11, rtol=1e-12)


def test_couplings_of_each_replica_and_warm_starts_of_a_batch(rng):
    couplings, b = np.stack([instance(rng, 13, 5, 1.2)[0] for _ in range(3)]), rng.normal(size=(3, 19, 5))
    a = rng.normal(size=(3, 13))
    state = tap.solve_tap(couplings, a, b, 0.0, 1e-13, 1000)
    weights = rng.dirichlet(np.ones(19))
    averaged = tap.correlations(couplings, state.visible_means, state.hidden_means, weights)
    of_first = tap.correlations(couplings, state.visible_means[:, :1], state.hidden_means[:, :1], np.ones(1))
    for replica in range(3):
        single = vmf.Tap(tol=1e-13).solve(vmf.Network(couplings[replica], a[replica], b[replica]))
        for name in NAMES[:3]:
            np.testing.assert_allclose(getattr(state, name)[replica], getattr(single, name), atol=1e-11)
        np.testing.assert_allclose(averaged[replica], np.tensordot(weights, single.correlations, axes=1), atol=1e-11)
        np.testing.assert_allclose(of_first[replica], single.correlations[0], atol=1e-11)
        again = vmf.Tap(tol=1e-9).solve(vmf.Network(couplings[replica], a[replica], b[replica]), single.messages)
        assert (again.n_iter == 1).all()


def test_warm_start_needs_fewer_sweeps(rng):
    couplings, a, b = instance(rng, 101, 5, 1.3)
    cold = vmf.Tap().solve(vmf.Network(couplings, a, b))
    given = cold.messages.copy()
    warm = vmf.Tap().solve(vmf.Network(couplings, a, b), given)
    np.testing.assert_array_equal(given, cold.messages)  # the caller's array is left alone
    assert warm.n_iter <= 2 < cold.n_iter
    # both stopped with a residual below 1e-9
    np.testing.assert_allclose(warm.visible_means, cold.visible_means, atol=1e-8)


def test_damping_changes_the_path_and_not_the_fixed_point(rng):
    network = instance(rng, 31, 5, 1.7)
    plain, damped = vmf.Tap().solve(vmf.Network(*network)), vmf.Tap(damping=0.6).solve(vmf.Network(*network))
    assert damped.n_iter > plain.n_iter
    np.testing.assert_allclose(damped.visible_means, plain.visible_means, atol=1e-8)
    assert damped.log_partition == pytest.approx(plain.log_partition, rel=1e-12)  # stationary


def test_the_residual_is_that_of_an_undamped_sweep():
    # one hidden unit, hardly coupled: after one sweep r has gone a tenth of the way to tanh(b); the second covers 9 %
    network = 1e-6 * np.ones((7, 1)), np.zeros(7), np.array([0.5])
    with pytest.warns(vmf.ConvergenceWarning):
        state = vmf.Tap(damping=0.9, max_iter=2).solve(vmf.Network(*network))
    assert state.residual == pytest.approx(0.9 * np.tanh(0.5), rel=1e-5)
    assert state.hidden_means[0] == pytest.approx(0.19 * np.tanh(0.5), rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_frustrated_network_is_damped_or_reported(dtype):
    couplings = (np.random.default_rng(0).normal(size=(37, 41)) * 1.5).astype(dtype)
    with pytest.warns(vmf.ConvergenceWarning, match="message passing did not converge: residual") as caught:
        state = vmf.Tap(max_iter=50).solve(vmf.Network(couplings, np.zeros(37), 0.1 * np.ones(41)))
    assert [warning.filename for warning in caught] == [__file__]
    assert not state.converged
    assert state.residual > 1e-9
    assert state.n_iter == 50
    assert np.isfinite(state.correlations).all()


@pytest.mark.parametrize(("n_visible", "n_hidden", "beta"), [(1, 7, 50.0), (101, 103, 50.0), (10007, 2, 50.0)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_extreme_networks_stay_finite(rng, n_visible, n_hidden, beta, dtype):
    couplings, a, b = instance(rng, n_visible, n_hidden, beta)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vmf.ConvergenceWarning)  # glassy: finiteness is what is asked
        state = vmf.Tap(max_iter=40).solve(vmf.Network(couplings.astype(dtype), a, b))
    for part in state:
        assert np.isfinite(part).all()
    assert np.abs(state.messages).max() <= 1
