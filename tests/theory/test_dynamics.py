import warnings

import naive
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.theory.responses import layer_of, mean_field


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(7, 5), (5, 7), (7, 7)])
def test_stationary_state_is_that_of_the_slow_version(rng, n_visible, n_hidden):
    values = rng.uniform(0.2, 1.1, size=min(n_visible, n_hidden))
    a = rng.normal(size=n_visible)
    b = rng.normal(size=n_hidden)
    state = vmf.theory.dynamical_mean_field(values, a, b, tol=1e-12)
    after, rates = naive.next_variances(values, a, b, state.variances)
    np.testing.assert_allclose(after, state.variances, rtol=1e-8)
    np.testing.assert_allclose(rates, state.rate_matrix, rtol=1e-6)
    assert state.rate == pytest.approx(np.abs(np.linalg.eigvals(rates)).max(), rel=1e-6)
    # dC'/dC by differences of the slow version
    rows = [
        naive.derivative(lambda c, k=k: naive.next_variances(values, a, b, c)[0][k], state.variances) for k in (0, 1)
    ]
    radius = np.abs(np.linalg.eigvals(np.array(rows))).max()
    assert state.variance_rate == pytest.approx(radius**2, rel=1e-4)
    # and away from rest: one step of the variances
    for variances in rng.uniform(0.1, 2.0, size=(3, 2)):
        after, rates = naive.next_variances(values, a, b, variances)
        mine = mean_field(values**2, (layer_of(a), layer_of(b)), variances)
        np.testing.assert_allclose(mine.after_step, after, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(mine.rate_matrix, rates, rtol=1e-6)


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(7, 5), (5, 7), (7, 7)])
def test_rate_with_fixed_susceptibilities_is_that_of_the_slow_version(rng, n_visible, n_hidden):
    couplings = rng.normal(scale=0.3, size=(n_visible, n_hidden))
    a = rng.normal(size=n_visible)
    b = rng.normal(size=n_hidden)
    state = vmf.theory.dynamical_mean_field(np.linalg.svd(couplings, compute_uv=False), a, b, tol=1e-12)
    # the differences of the slow version leave 1e-6 of the matrix
    assert state.fixed_rate == pytest.approx(naive.echo_rate(couplings, a, b, state), rel=1e-4)


def test_with_fixed_susceptibilities_increments_shrink_at_the_rate_of_the_echo():
    sizes = (1201, 801)
    fields = uniform_fields(sizes, (0.4, 0.3))
    factors, rates = [], []
    for seed in range(8):
        couplings = vmf.theory.random_couplings(*sizes, "iid", strength=0.8, seed=seed)
        state = vmf.theory.dynamical_mean_field(np.linalg.svd(couplings, compute_uv=False), *fields)
        increments = naive.fixed_increments(couplings, *fields, state, 14, np.random.default_rng(seed))
        factors.append(np.log(increments[13] / increments[7]) / 6)
        rates.append(np.log(state.fixed_rate))
    error = np.std(factors, ddof=1) / np.sqrt(8)
    assert error < 0.15  # networks differ by a quarter
    assert np.mean(factors) == pytest.approx(np.mean(rates), abs=0.05 + 3 * error)  # 0.05: bias of the finite size
    # neither K nor the variances, of measured χ, tell it
    assert state.fixed_rate > 4 * max(state.rate, state.variance_rate)


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(60_000, 40_000), (40_000, 60_000)])
def test_iid_couplings_have_the_stationary_state_of_tap(n_visible, n_hidden):
    strength = 0.8
    ratio = n_hidden / n_visible
    spectrum = vmf.theory.ensemble_spectrum(n_visible, n_hidden, "iid", strength=strength)
    state = vmf.theory.dynamical_mean_field(spectrum, np.full(n_visible, 0.4), np.full(n_hidden, 0.3))
    chi_v, chi_h = state.susceptibilities
    expected = strength**2 * np.array([ratio * (1 - chi_h), 1 - chi_v])
    # midpoint quantiles of the spectrum: errors of about n^(-5/3), from its edges; asked for: 1e-6
    np.testing.assert_allclose(state.variances, expected, atol=1e-6)
    reactions = strength**2 * np.array([ratio * chi_h, chi_v])
    np.testing.assert_allclose(state.precisions - 1 / state.susceptibilities, reactions, atol=1e-6)


# strength, exponent, fields, and the rate that shared theory and this code give for 2400 x 1600
KNOWN = [
    ("orthogonal", 1.5, None, (0.6, 0.5), 0.0475),
    ("power-law", 2.0, 1.0, (0.6, 0.5), 0.143),
    ("iid", 0.8, None, (0.4, 0.3), 0.0188),
    ("iid", 1.2, None, (0.4, 0.3), 0.19),
]


@pytest.mark.parametrize(("ensemble", "strength", "exponent", "fields", "rate"), KNOWN)
def test_rates_that_were_known(ensemble, strength, exponent, fields, rate):
    spectrum = vmf.theory.ensemble_spectrum(2400, 1600, ensemble, strength=strength, exponent=exponent)
    state = vmf.theory.dynamical_mean_field(spectrum, np.full(2400, fields[0]), np.full(1600, fields[1]))
    assert state.rate == pytest.approx(rate, rel=0.01)  # their digits


def uniform_fields(sizes, fields):
    return np.full(sizes[0], fields[0]), np.full(sizes[1], fields[1])


def network_run(spectrum_of, sizes, fields, variances, n_steps, seed):
    """That many steps of message passing on one network, from messages of these variances."""
    rng = np.random.default_rng(seed)
    start = np.concatenate([rng.normal(size=n) * np.sqrt(c) for n, c in zip(sizes, variances, strict=True)])
    couplings = vmf.theory.random_couplings(*sizes, **spectrum_of, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vmf.ConvergenceWarning)  # the number of steps is given
        return vmf.Vamp(tol=1e-300, max_iter=n_steps).solve(vmf.Network(couplings, *fields), start)


def log_ratios(spectrum_of, sizes, fields, n_instances, n_steps):
    """Predicted state, and ln of the factors of the squared increments of several networks."""
    fields = uniform_fields(sizes, fields)
    state = vmf.theory.dynamical_mean_field(vmf.theory.ensemble_spectrum(*sizes, **spectrum_of), *fields)
    logs = []
    for seed in range(n_instances):
        run = network_run(spectrum_of, sizes, fields, state.variances, n_steps, seed)
        logs.append(np.diff(np.log(run.increments.sum(axis=1))))
    return state, np.array(logs)


@pytest.mark.parametrize(
    ("spectrum_of", "fields"),
    [
        ({"ensemble": "orthogonal", "strength": 1.5}, (0.6, 0.5)),
        ({"ensemble": "power-law", "strength": 2.0, "exponent": 1.0}, (0.6, 0.5)),
        ({"ensemble": "power-law", "strength": 3.0, "exponent": 0.3}, (0.6, 0.5)),
    ],
)
def test_increments_shrink_at_the_predicted_rate(spectrum_of, fields):
    state, logs = log_ratios(spectrum_of, (601, 401), fields, 16, 6)
    # without the first factor, which forgets the start; networks differ by some 10 %, their mean is asked for
    mean = logs[:, 1:].mean(axis=1)
    error = mean.std(ddof=1) / 4
    assert error < 0.05
    assert mean.mean() == pytest.approx(np.log(state.rate), abs=0.02 + 3 * error)  # 0.02: bias of the finite size


def test_variances_take_one_step_as_predicted():
    sizes = (1601, 1201)
    variances = np.array([0.5, 0.2])
    fields = uniform_fields(sizes, (0.3, -0.4))
    spectrum_of = {"ensemble": "power-law", "strength": 1.5, "exponent": 1.0}
    measured = []
    for seed in range(4):
        gamma = network_run(spectrum_of, sizes, fields, variances, 1, seed).messages
        measured.append([np.mean(gamma[: sizes[0]] ** 2), np.mean(gamma[sizes[0] :] ** 2)])
    expected, _ = naive.next_variances(vmf.theory.ensemble_spectrum(*sizes, **spectrum_of), *fields, variances)
    # the mean of four; χ fluctuates by 1/√1201, and so do squared sums over few modes near the edge
    np.testing.assert_allclose(np.mean(measured, axis=0), expected, rtol=0.06)


def test_in_the_long_run_the_variances_rule():
    # far from the edge (z/s² = 1.15), yet slower than K: every network moves its variances, too
    state, logs = log_ratios(
        {"ensemble": "power-law", "strength": 1.8, "exponent": 3.0}, (1201, 801), (0.6, 0.5), 8, 18
    )
    assert state.variance_rate > 3 * state.rate
    # networks differ by a factor of two in the rate (0.42 in the mean, theory 0.58; at 2400 units 0.58): but not by K
    assert np.exp(logs[:, 12:].mean()) > 2 * state.rate


def test_without_fields_or_couplings():
    state = vmf.theory.dynamical_mean_field(np.array([0.5, 2.0]), np.zeros(3), np.zeros(2))
    np.testing.assert_array_equal(state.variances, 0)
    np.testing.assert_allclose(state.susceptibilities, 1, rtol=1e-15)
    assert max(state.rate, state.variance_rate, state.fixed_rate) < 1e-30
    state = vmf.theory.dynamical_mean_field(np.zeros(2), np.ones(3), np.ones(2))
    np.testing.assert_allclose(state.susceptibilities, np.cosh(1) ** -2, rtol=1e-13)
    assert state.rate == state.fixed_rate == 0
    assert state.edge_ratio == np.inf
    frozen = vmf.theory.dynamical_mean_field(np.ones(2), np.full(3, 1000.0), np.full(2, 1000.0))
    np.testing.assert_allclose(frozen.variances, [2 / 3, 1], rtol=1e-12)  # sums of J² over frozen spins
    assert frozen.rate == frozen.fixed_rate == 0


@pytest.mark.parametrize(("exponent", "fields"), [(1.0, (0.4, 0.3)), (3.0, (0.1, 0.2))])
def test_border_of_stability(exponent, fields):
    a, b = uniform_fields((300, 200), fields)
    spectrum = vmf.theory.ensemble_spectrum(300, 200, "power-law", exponent=exponent)
    border = vmf.theory.critical_strength(spectrum, a, b)

    def rate(factor):
        state = vmf.theory.dynamical_mean_field(factor * border * spectrum, a, b)
        return max(state.rate, state.variance_rate)

    assert rate(0.9) < 1 < rate(1.1)
    assert rate(1.0) == pytest.approx(1, abs=1e-4)
    assert vmf.theory.critical_strength(2 * spectrum, a, b) == pytest.approx(border / 2, rel=1e-5)


def test_orthogonal_couplings_are_stable_at_any_strength():
    assert vmf.theory.critical_strength(np.ones(200), np.full(300, 0.4), np.full(200, 0.3)) == np.inf


def test_a_search_that_does_not_reach_its_tolerance_is_reported():
    with pytest.warns(vmf.ConvergenceWarning, match="no stationary state found: residual") as caught:
        state = vmf.theory.dynamical_mean_field(np.ones(2), np.ones(3), np.ones(2), tol=1e-300, max_iter=3)
    assert [warning.filename for warning in caught] == [__file__]
    assert not state.converged
    assert state.residual > 1e-300
