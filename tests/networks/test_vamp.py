import warnings

import naive
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.networks.vamp import solve_vamp


def solve(couplings, visible_fields, hidden_fields, messages=None, **options):
    return vmf.Vamp(**options).solve(vmf.Network(couplings, visible_fields, hidden_fields), messages)


def instance(rng, n_visible, n_hidden, strength, field=0.3):
    couplings = strength / np.sqrt(n_visible) * rng.normal(size=(n_visible, n_hidden))
    return couplings, field * rng.normal(size=n_visible), field * rng.normal(size=n_hidden)


def steps(network, n_steps, **options):
    """A run of that many steps, which has not converged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vmf.ConvergenceWarning)
        return solve(*network, tol=1e-300, max_iter=n_steps, **options)


@pytest.mark.parametrize(("n_visible", "n_hidden", "strength"), [(13, 5, 0.9), (5, 11, 0.5), (7, 1, 0.8), (6, 6, 0.6)])
def test_every_step_equals_that_of_dense_matrices(rng, n_visible, n_hidden, strength):
    network = instance(rng, n_visible, n_hidden, strength)
    gamma = start = rng.normal(size=n_visible + n_hidden)
    for n_steps in range(1, 6):
        before = gamma
        gamma, chi, precisions, edge_ratio = naive.memory_free_step(*network, before)
        state = steps(network, n_steps, messages=start)
        # the reference loses the digits of 1/χ² and of its search for z
        np.testing.assert_allclose(state.messages, gamma, atol=1e-8)
        squares = (gamma - before) ** 2
        expected = squares[:n_visible].mean(), squares[n_visible:].mean()
        np.testing.assert_allclose(state.increments[-1], expected, atol=1e-8)
        assert state.increments.shape == (n_steps, 2)
    _, chi, precisions, edge_ratio = naive.memory_free_step(*network, gamma)
    np.testing.assert_allclose(state.susceptibilities, chi, rtol=1e-8)
    np.testing.assert_allclose(state.precisions, precisions, rtol=1e-7)
    assert state.edge_ratio == pytest.approx(edge_ratio, rel=1e-7)
    np.testing.assert_allclose(state.visible_means, np.tanh(network[1] + gamma[:n_visible]), atol=1e-8)


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(11, 7), (5, 13)])
def test_reported_averages_are_derivatives_of_log_partition(rng, n_visible, n_hidden):
    couplings, a, b = instance(rng, n_visible, n_hidden, 0.7)
    state = solve(couplings, a, b, tol=1e-13)

    def log_z(j=couplings, a=a, b=b):
        return solve(j, a, b, tol=1e-13).log_partition

    # ln Z is stationary in γ, χ and λ, so this holds to the accuracy of the differences
    np.testing.assert_allclose(naive.derivative(lambda j: log_z(j=j), couplings), state.correlations, atol=1e-9)
    np.testing.assert_allclose(naive.derivative(lambda a: log_z(a=a), a), state.visible_means, atol=1e-9)
    np.testing.assert_allclose(naive.derivative(lambda b: log_z(b=b), b), state.hidden_means, atol=1e-9)


@pytest.mark.parametrize("ensemble", ["iid", "orthogonal"])
def test_the_fixed_point_solves_the_tap_equations_with_its_reaction_terms(ensemble):
    n_visible, n_hidden = 601, 401
    couplings = vmf.theory.random_couplings(n_visible, n_hidden, ensemble, strength=0.8, seed=0)
    a, b = np.full(n_visible, 0.4), np.full(n_hidden, 0.3)
    state = solve(couplings, a, b)
    rho = state.precisions - 1 / state.susceptibilities
    m, r = np.zeros(n_visible), np.zeros(n_hidden)
    for _ in range(300):  # an iteration of its own, with memory
        r = np.tanh(b + couplings.T @ m - rho[1] * r)
        m = np.tanh(a + couplings @ r - rho[0] * m)
    # asked for: 1e-6; both iterations stop at 1e-9
    np.testing.assert_allclose(state.visible_means, m, atol=1e-8)
    np.testing.assert_allclose(state.hidden_means, r, atol=1e-8)


def test_for_iid_couplings_the_reaction_terms_become_those_of_tap():
    errors = []
    for n_visible in (151, 1201):
        n_hidden = 2 * n_visible // 3
        differences = []
        for seed in range(6):
            # of size 1/√N and random sign: Σ J²(1 - r²) is the same for every unit, as in the limit
            couplings = 0.8 / np.sqrt(n_visible) * np.random.default_rng(seed).choice([-1, 1], (n_visible, n_hidden))
            network = couplings, np.full(n_visible, 0.4), np.full(n_hidden, 0.3)
            vamp = solve(*network)
            tap = vmf.Tap().solve(vmf.Network(*network))
            differences.append(np.abs(vamp.visible_means - tap.visible_means).max())
        errors.append(np.mean(differences))
    # linear statistics of eigenvalues fluctuate by 1/N: measured 4.6e-3 and 4.9e-4, twice that is allowed
    assert errors[1] < 1e-3
    assert errors[0] / errors[1] > 4  # eight times the size


def test_twelve_and_eight_spins_against_enumeration():
    errors = {"vamp": [], "tap": []}
    for seed in range(50):
        rng = np.random.default_rng(seed)
        couplings = vmf.theory.random_couplings(12, 8, "iid", strength=0.8, seed=seed)
        network = couplings, 0.4 * rng.normal(size=12), 0.3 * rng.normal(size=8)
        exact = vmf.Exact().solve(vmf.Network(*network))
        for name, solver in (("vamp", vmf.Vamp()), ("tap", vmf.Tap())):
            state = solver.solve(vmf.Network(*network))
            difference = np.concatenate([x - y for x, y in zip(state[:2], exact[:2], strict=True)])
            errors[name].append([np.sqrt(np.mean(difference**2)), abs(state.log_partition - exact.log_partition)])
    # root mean square error of a magnetization and error of ln Z in nats, medians of 50 networks, as measured: one
    # susceptibility for a layer costs vamp what the square root of so few units makes of it
    np.testing.assert_allclose(np.median(errors["vamp"], axis=0), [0.0524, 0.0800], rtol=0.01)
    np.testing.assert_allclose(np.median(errors["tap"], axis=0), [0.0303, 0.0458], rtol=0.01)


def test_orthogonal_couplings_against_exact_sums():
    # the correlations between orthogonal couplings are of the order of the reaction term: TAP keeps an error, the
    # error of the memory-free equations is the finite-size one
    errors = {"vamp": [], "tap": [], "cavity": []}
    for seed in range(10):
        couplings = vmf.theory.random_couplings(17, 13, "orthogonal", strength=1.5, seed=seed)
        network = couplings, np.full(17, 0.4), np.full(13, 0.3)
        exact = vmf.Exact().solve(vmf.Network(*network))
        for name, solver in (("vamp", vmf.Vamp()), ("tap", vmf.Tap()), ("cavity", vmf.Cavity())):
            state = solver.solve(vmf.Network(*network))
            errors[name].append(np.sqrt(np.mean((state.visible_means - exact.visible_means) ** 2)))
    # measured 0.037, 0.209 and 0.189
    assert np.mean(errors["vamp"]) < 0.05
    assert min(np.mean(errors["tap"]), np.mean(errors["cavity"])) > 0.15


def test_without_couplings_spins_follow_their_fields(rng):
    a, b = rng.normal(size=5), rng.normal(size=3)
    state = solve(np.zeros((5, 3)), a, b)
    np.testing.assert_allclose(state.visible_means, np.tanh(a), atol=1e-14)
    np.testing.assert_allclose(state.correlations, np.outer(np.tanh(a), np.tanh(b)), atol=1e-14)
    assert state.log_partition == pytest.approx(naive.log2cosh(a).sum() + naive.log2cosh(b).sum(), rel=1e-14)
    assert state.edge_ratio == np.inf
    assert state.n_iter == 1


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(17, 3), (3, 17)])
def test_a_batch_equals_its_members(rng, n_visible, n_hidden):
    couplings, a, _ = instance(rng, n_visible, n_hidden, 0.5)
    b = rng.normal(size=(5, n_hidden))
    batch = solve(couplings, a, b, tol=1e-13)
    assert batch.converged.shape == (5,)
    for k in range(5):
        single = solve(couplings, a, b[k], tol=1e-13)
        for name in ("visible_means", "hidden_means", "correlations", "log_partition", "messages", "precisions"):
            # a batch goes on until its last member has converged, each to 1e-13
            np.testing.assert_allclose(getattr(batch, name)[k], getattr(single, name), atol=1e-11, rtol=1e-11)
        common = slice(0, single.n_iter)
        np.testing.assert_allclose(batch.increments[k][common], single.increments, atol=1e-12)


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(17, 3), (3, 17)])
def test_the_checked_form_adds_nothing_but_checks(rng, n_visible, n_hidden):
    couplings, a, _ = instance(rng, n_visible, n_hidden, 0.5)
    b = rng.normal(size=(5, n_hidden))
    start = rng.normal(size=(5, n_visible + n_hidden))
    for messages in (None, start):
        checked = solve(couplings, a, b, damping=0.2, tol=1e-7, max_iter=100, messages=messages)
        internal = solve_vamp(couplings, a, b, damping=0.2, tol=1e-7, max_iter=100, messages=messages)
        for name in checked._fields:
            np.testing.assert_array_equal(getattr(checked, name), getattr(internal, name), err_msg=name)


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(17, 11), (7, 13)])
def test_exchanged_layers_have_exchanged_averages(rng, n_visible, n_hidden):
    couplings, a, b = instance(rng, n_visible, n_hidden, 0.5)
    state = solve(couplings, a, b)
    mirrored = solve(couplings.T, b, a)
    # both run with the shorter layer as the hidden one: the same numbers in another order
    np.testing.assert_allclose(mirrored.visible_means, state.hidden_means, rtol=1e-12)
    np.testing.assert_allclose(mirrored.hidden_means, state.visible_means, rtol=1e-12)
    np.testing.assert_allclose(mirrored.correlations, state.correlations.T, rtol=1e-12)
    np.testing.assert_allclose(mirrored.messages, np.roll(state.messages, n_hidden), rtol=1e-12)
    # squares of differences that fall to 1e-7 of γ, whose digits end at 1e-16
    np.testing.assert_allclose(mirrored.increments, state.increments[:, ::-1], rtol=1e-12, atol=1e-20)
    np.testing.assert_allclose(mirrored.precisions, state.precisions[::-1], rtol=1e-12)
    assert mirrored.log_partition == pytest.approx(state.log_partition, rel=1e-12)


def test_warm_start_needs_one_step(rng):
    network = instance(rng, 101, 37, 0.8)
    cold = solve(*network)
    given = cold.messages.copy()
    warm = solve(*network, messages=given)
    np.testing.assert_array_equal(given, cold.messages)  # the caller's array is left alone
    assert warm.n_iter == 1 < cold.n_iter
    np.testing.assert_allclose(warm.visible_means, cold.visible_means, atol=1e-8)


def test_damping_changes_the_path_and_not_the_fixed_point(rng):
    network = instance(rng, 61, 31, 0.9)
    plain = solve(*network)
    damped = solve(*network, damping=0.6)
    assert damped.n_iter > plain.n_iter
    np.testing.assert_allclose(damped.visible_means, plain.visible_means, atol=1e-8)
    # residual and increments are those of the undamped step
    plain_step = steps(network, 1)
    damped_step = steps(network, 1, damping=0.6)
    assert plain_step.residual == damped_step.residual
    np.testing.assert_array_equal(plain_step.increments, damped_step.increments)


def test_a_network_without_fixed_point_is_reported():
    couplings = np.random.default_rng(0).normal(size=(37, 31))
    with pytest.warns(vmf.ConvergenceWarning, match="message passing did not converge: residual") as caught:
        state = solve(couplings, np.zeros(37), 0.1 * np.ones(31), max_iter=50)
    assert [warning.filename for warning in caught] == [__file__]
    assert not state.converged
    assert state.residual > 1e-9
    assert state.n_iter == 50
    assert np.isfinite(state.correlations).all()


@pytest.mark.parametrize(
    ("n_visible", "n_hidden", "strength", "field"),
    [
        (1, 1, 100.0, 0.1),
        (1, 7, 50.0, 1.0),
        (101, 103, 50.0, 1.0),
        (1009, 2, 50.0, 1.0),
        (13, 7, 1.0, 1000.0),
        (5, 3, 1e-200, 0.0),
    ],
)
def test_extreme_networks_stay_finite(rng, n_visible, n_hidden, strength, field):
    couplings, a, b = instance(rng, n_visible, n_hidden, strength, field)
    couplings = np.clip(couplings, -100, 100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vmf.ConvergenceWarning)  # glassy: finiteness is what is asked
        state = solve(couplings, a, b, max_iter=40)
    for name, part in state._asdict().items():
        assert np.isfinite(part).all() or name in ("precisions", "edge_ratio"), name  # inf: frozen or not coupled
        assert not np.isnan(part).any(), name
