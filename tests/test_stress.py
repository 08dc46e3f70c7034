"""Numerics under stress: every result is finite and no operation overflows, or the argument to blame is named."""

import itertools
import warnings
from dataclasses import is_dataclass
from functools import partial

import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.machines.likelihood import estimate_log_partition
from vmfcore.machines.machine import visible_means
from vmfcore.networks.exact import log_partition

EDGE = np.nextafter(1.0, 0.0)  # the largest mean below 1
DATA = {  # distinct corners: sizes of one, more hidden units than spins, pixels that never change
    "one of each": (1, 1, 1),
    "one spin": (5, 1, 3),
    "one sample": (1, 7, 2),
    "more hidden units than spins": (11, 5, 12),
    "constant pixels": (13, 11, 3),
    "one image": (17, 7, 2),
}
SHORT = {"max_iter": 20}
FEW_CHAINS = vmf.Gibbs(n_chains=4, n_temperatures=5)
TERMS = [
    ("gaussian", vmf.Annealed(vmf.Exact())),
    ("gaussian", vmf.Annealed(vmf.Cavity(**SHORT))),
    ("calibrated", vmf.Annealed(vmf.Tap(**SHORT))),
    ("exact", vmf.Annealed(FEW_CHAINS)),
    ("gaussian", vmf.Quenched(vmf.Exact(), n_points=8)),
    ("calibrated", vmf.Quenched(vmf.Cavity(**SHORT), n_points=8)),
    ("exact", vmf.Quenched(vmf.Tap(**SHORT), n_points=8)),
]
WIDE = 100_000


def draw(name):
    """Data and the number of hidden units."""
    n_samples, n_visible, n_hidden = DATA[name]
    spins = np.random.default_rng(0).choice([-1, 1], size=(n_samples, n_visible))
    if name == "constant pixels":
        spins[:, 2], spins[:, 3] = 1, -1
    return (np.ones_like(spins) if name == "one image" else spins), n_hidden


def corners(n_visible, n_hidden):
    """Means in the corners of the cube, next to them, and of units that duplicate each other."""
    rng = np.random.default_rng(1)
    signs = rng.choice([-1.0, 1.0], size=(n_visible, n_hidden))
    some = np.where(rng.random(signs.shape) < 0.3, signs, rng.uniform(-1, 1, size=signs.shape))
    return {"decided": signs, "nearly": EDGE * signs, "some": some, "equal": np.ones_like(signs), "zero": 0.0 * signs}


def numbers(result, name=""):
    """Names and values of all numbers in a result."""
    if isinstance(result, tuple):
        names = getattr(result, "_fields", map(str, range(len(result))))
        for field, part in zip(names, result, strict=True):
            yield from numbers(part, f"{name}.{field}")
    elif result is not None and not is_dataclass(result):  # choices are no numbers
        yield name, np.asarray(result)


# of chains: what they remember after fifty sweeps, and how exchanges fare where there are some
NOT_YET_SEEN = (".memory", ".acceptance")


def strictly(call, *args, infinite=(), untold=(), **options):
    """What the call returns: finite but for the documented, without a RuntimeWarning, with at most one advice."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", vmf.ConvergenceWarning)
        result = call(*args, **options)
    assert len(caught) <= 1
    for name, value in numbers(result):
        if not name.endswith(untold):
            good = ~np.isnan(value) if name.endswith(infinite) else np.isfinite(value)
            assert good.all(), name
    return result


@pytest.mark.parametrize("beta", [1.01e-6, 1.0, 49.9])
@pytest.mark.parametrize("name", DATA)
def test_bound_and_gradient_are_finite_in_the_corners(name, beta):
    spins, n_hidden = draw(name)
    n_visible = spins.shape[1]
    fields = np.linspace(-1e6, 1e6, n_visible), np.linspace(-30, 1e6, n_hidden)
    for (corner, means), terms in itertools.product(corners(n_visible, n_hidden).items(), TERMS):
        objective = vmf.Objective(*terms)
        up, down = (vmf.Objective(*terms, prior=vmf.Prior(mean=mean)) for mean in (EDGE, -EDGE))
        strictly(vmf.bound, spins, means, beta, objective)
        strictly(vmf.bound, spins, means, beta, up, fields=fields)
        if corner in ("nearly", "zero"):
            strictly(vmf.bound_gradient, spins, means, beta, objective)
            strictly(vmf.bound_gradient, spins, means, beta, down, fields=fields)


def fits():
    """Arguments of fits: every rule, data term, dual network, precision, and what is learnt beside the synapses."""
    for k, (terms, rule) in enumerate(itertools.product(TERMS, (vmf.Natural, vmf.Adam))):
        for dtype, start in itertools.product((np.float64, np.float32), ("random", "equal", "decided")):
            yield {
                "objective": vmf.Objective(*terms, kl_weight=(1e3, 1.01e-6) if start == "equal" else 1.0),
                "rule": rule(step_size=1.0) if start == "decided" else rule(),
                "learn": vmf.Learn(fields=bool(k % 2), beta=("no", "global", "unit")[k % 3]),
                "dtype": dtype,
                "init": start,
            }


@pytest.mark.parametrize("beta", [1.01e-6, 8.0, 49.9])
@pytest.mark.parametrize("name", DATA)
def test_every_fit_is_finite(name, beta):
    spins, n_hidden = draw(name)
    starts = corners(spins.shape[1], n_hidden) | {"random": "random"}
    run = {"n_steps": 4, "callback": vmf.Every(1), "seed": 0}
    for options in fits():
        if options["dtype"] == np.float64 or beta <= 8.0:
            # the bound is not told between two estimates of ln Z by chains
            untold = ("history.bound", "history.model_term") if options["objective"].is_sampled else ()
            untold += NOT_YET_SEEN
            options["init"] = starts[options["init"]]
            result = strictly(vmf.fit, spins, n_hidden, beta, untold=untold, **options, **run)
            assert len(result.history.step) == len(result.history.bound) >= 5
            assert np.abs(result.means).max() <= 1


@pytest.mark.parametrize("beta", [1.01e-6, 1.0, 49.9])
@pytest.mark.parametrize("name", DATA)
def test_inference_is_finite(name, beta):
    spins, n_hidden = draw(name)
    n_hidden = min(n_hidden, 3)
    run = {"n_steps": 10, "callback": vmf.Every(1), "seed": 0}
    for corner in [*corners(spins.shape[1], n_hidden).values(), "random"]:
        for options in ({"learn": vmf.Learn(beta="global")}, {"prior": vmf.Prior(mean=-EDGE)}):
            result = strictly(vmf.infer_weights, spins, n_hidden, beta, init=corner, **run, **options)
            assert np.abs(result.means).max() <= 1


NETWORKS = [(1, 1), (1, 5), (5, 1), (3, 7), (23, 12), (WIDE, 2)]


@pytest.mark.parametrize(("n_visible", "n_hidden"), NETWORKS)
def test_solvers_of_extreme_networks_are_finite(n_visible, n_hidden):
    rng = np.random.default_rng(2)
    shape, max_iter = (n_visible, n_hidden), 40 if n_visible < WIDE else 2
    signs = {"any": rng.choice([-1.0, 1.0], size=shape), "equal": np.ones(shape)}
    for size, field, sign in itertools.product((0.0, 1e-300, 1.0, 100.0), (0.0, 1e-300, 1e6), signs.values()):
        couplings, a, b = size * sign, field * rng.choice([-1.0, 1.0], n_visible), field * rng.uniform(-1, 1, n_hidden)
        network, two = vmf.Network(couplings, a, b), vmf.Network(couplings, a, np.stack([b, -b]))
        for solver in (vmf.Cavity, vmf.Tap, vmf.Vamp):
            # a frozen layer has no variance, and without couplings no mode rules
            infinite = ("precisions", "edge_ratio")
            cold = strictly(solver(max_iter=max_iter).solve, network, infinite=infinite)
            warm = solver(damping=0.5, max_iter=max_iter)
            strictly(warm.solve, network, cold.messages, infinite=infinite)
            strictly(solver(max_iter=max_iter).solve, two, infinite=infinite)
        single = network._replace(couplings=couplings.astype(np.float32))
        strictly(vmf.Tap(max_iter=max_iter).solve, single)
        strictly(log_partition, *network)
        strictly(vmf.Exact().solve, network)
        strictly(vmf.Exact().solve, two)
        chains = strictly(FEW_CHAINS.solve, network, untold=NOT_YET_SEEN)
        # persistent chains do not know ln Z
        strictly(FEW_CHAINS.solve, network, chains.messages, untold=("log_partition", *NOT_YET_SEEN))


def test_messages_of_a_network_with_strong_couplings_start_one_with_weak_ones():
    # 701 messages of exp(40) to one spin saturate it, damped ones for longer than the spins would show; nor may
    # their product overflow, or that of the largest and smallest numbers
    fields = np.full(3, 0.3), np.zeros(701)
    weak = vmf.Network(0.01 * np.ones((3, 701)), *fields)
    strong = vmf.Cavity().solve(vmf.Network(20 * np.ones((3, 701)), *fields)).messages
    cold = vmf.Cavity().solve(weak)
    for messages in (strong, np.full_like(strong, 1.7e308), np.full_like(strong, 5e-324)):
        warm = strictly(vmf.Cavity(damping=0.9).solve, weak, messages)
        assert warm.converged
        # stationary: of second order in what the tolerance 1e-9 leaves of 2103 messages
        assert warm.log_partition == pytest.approx(cold.log_partition, rel=1e-10)


@pytest.mark.parametrize("solver", [vmf.Cavity(), vmf.Tap(), vmf.Vamp(), FEW_CHAINS])
def test_a_start_stays_as_it_was(solver):
    weak = vmf.Network(np.full((5, 3), 0.2), np.full(5, 0.3), np.zeros(3))
    messages = solver.solve(weak).messages
    before = {name: np.copy(part) for name, part in numbers((messages,))}
    first, second = (solver.solve(weak._replace(visible_fields=np.full(5, -0.3)), messages) for _ in range(2))
    for name, part in numbers((messages,)):
        np.testing.assert_array_equal(before[name], part)
    # and so the same start gives the same bits
    np.testing.assert_array_equal(first.correlations, second.correlations)


def network(couplings=1.0, visible_fields=0.0, hidden_fields=0.0, **kinds):
    """Three visible and three hidden units, with arrays of the given sizes."""
    eye = np.eye(3, dtype=kinds.get("dtype", float))
    return vmf.Network(couplings * eye, visible_fields * np.ones(3), hidden_fields * np.ones(kinds.get("shape", 3)))


def machine(beta):
    return vmf.Machine(np.eye(3), beta)


ONES, EYE = np.ones((2, 3)), np.eye(3)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda x: vmf.Cavity().solve(network(visible_fields=x)), "visible_fields"),
        (lambda x: vmf.Tap().solve(network(hidden_fields=x, dtype=np.float32)), "hidden_fields"),
        (lambda x: vmf.Vamp().solve(network(hidden_fields=x, shape=(2, 3))), "hidden_fields"),
        (lambda x: vmf.Exact().solve(network(couplings=x)), "couplings"),
        (lambda x: FEW_CHAINS.solve(network(couplings=x)), "couplings"),
        (lambda x: vmf.Vamp().solve(network(), x * np.ones(6)), "start"),
        (lambda x: log_partition(*network(couplings=x)), "couplings"),
        (lambda x: log_partition(*network(visible_fields=x)), "visible_fields"),
        (lambda x: vmf.planted(3, 2, x, seed=0), "beta"),
        (lambda x: vmf.sample(machine(x), 2, seed=0), "machine.beta"),
        (lambda x: vmf.hidden_means(ONES, machine(x)), "machine.beta"),
        (lambda x: visible_means(ONES, machine(x)), "machine.beta"),
        (lambda x: vmf.bound(ONES, EYE, 1 / x), "beta"),
        (lambda x: vmf.bound(ONES, EYE, 1.0, fields=(x * np.ones(3), None)), r"fields\[0\]"),
        (lambda x: vmf.bound(ONES, EYE, 1.0, fields=(None, x * np.ones(3))), r"fields\[1\]"),
        (lambda x: vmf.fit(ONES, 3, 1 / x, learn=vmf.Learn(beta="unit"), seed=0), "beta"),
        (lambda x: vmf.infer_weights(ONES, 2, 1 / x, seed=0), "beta"),
        (lambda x: vmf.Objective(kl_weight=x), "kl_weight"),
    ],
)
@pytest.mark.parametrize("size", [1e150, 1e307])
def test_what_would_overflow_or_underflow_is_refused_by_name(call, argument, size):
    with pytest.raises(ValueError, match=f"^{argument} must be"):
        strictly(call, size)


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(1, 1), (3, 7), (29, 23), (WIDE, 2)])
def test_machines_and_observables_are_finite_in_the_corners(n_visible, n_hidden):
    rng = np.random.default_rng(3)
    spins = rng.choice([-1, 1], size=(2, n_visible))
    hidden, solver = rng.choice([-1, 1], size=(2, n_hidden)), vmf.Gibbs(n_chains=3, n_temperatures=3)
    for corner, weights in corners(n_visible, n_hidden).items():
        for beta, field in itertools.product((1e-300, 49.9, 1e6), (0.0, 1e6)):
            machine = vmf.Machine(weights, beta, np.full(n_visible, field), np.full(n_hidden, -field))
            base = np.linspace(-1e6, 1e6, n_visible)
            strictly(vmf.hidden_means, spins, machine)
            strictly(visible_means, hidden, machine)
            strictly(vmf.sample, machine, 2, n_sweeps=2, seed=0)
            strictly(vmf.sample, vmf.Machine(weights, beta), 2, n_sweeps=2, seed=0)
            strictly(vmf.sample, machine, 2, clamped=np.sign(np.arange(n_visible) % 3 - 1), n_sweeps=2, seed=0)
            strictly(estimate_log_partition, machine, base, solver, seed=0)
            strictly(estimate_log_partition, machine, base, solver, reverse_from=spins, seed=0)
            strictly(vmf.log_likelihood, spins, machine, solver, seed=0)
            if n_hidden < 16:  # by exact sums
                strictly(vmf.sample, machine, 2, seed=0)
                strictly(vmf.sample, vmf.Machine(weights, beta), 2, seed=0)
                strictly(
                    vmf.log_likelihood, spins, machine, infinite=("effective_chains", "least_log_partition"), seed=0
                )
        matched = strictly(vmf.overlap, weights, weights)
        assert matched.max() <= 1
        entropy = strictly(vmf.synaptic_entropy, weights)
        if corner in ("decided", "nearly", "equal"):  # one rounding from 1 a synapse has 2e-15 nats
            assert 0 <= entropy < 1e-14


BRIEF = {"max_iter": 3}


@pytest.mark.parametrize(
    ("data_term", "model_term"),
    [
        ("gaussian", vmf.Annealed(vmf.Exact())),
        ("gaussian", vmf.Annealed(vmf.Cavity(**BRIEF))),
        ("calibrated", vmf.Annealed(vmf.Tap(**BRIEF))),
        ("gaussian", vmf.Quenched(vmf.Exact(), n_points=2)),
        ("calibrated", vmf.Quenched(vmf.Cavity(**BRIEF), n_points=2)),
    ],
)
def test_a_hundred_thousand_spins_are_finite(data_term, model_term):
    spins = np.random.default_rng(4).choice(np.array([-1, 1], np.int8), size=(2, WIDE))
    objective = vmf.Objective(data_term, model_term)
    for name, means in corners(WIDE, 2).items():
        if name != "nearly":
            strictly(vmf.bound, spins, means, 49.9, objective)
    strictly(vmf.bound_gradient, spins, 0.5 * means, 49.9, objective)
    learn = vmf.Learn(fields=True, beta="unit")
    for dtype, beta in ((np.float64, 49.9), (np.float32, 8.0)):
        strictly(vmf.fit, spins, 2, beta, objective, learn=learn, dtype=dtype, n_steps=2, seed=0)
    strictly(vmf.infer_weights, spins, 2, 1.0, n_steps=2, seed=0)


FRUSTRATED = vmf.Network(1.5 * np.random.default_rng(0).normal(size=(37, 41)), np.zeros(37), 0.1 * np.ones(41))
SPINS = vmf.sample(vmf.planted(31, 5, 1.0, seed=1), 93, seed=1)
MEANS = np.random.default_rng(5).uniform(-1, 1, size=(31, 5))


def objective_of(term, solver):
    return vmf.Objective(model_term=term(solver))


def unfinished():
    """Calls that end before they have converged, and the words of the advice that each must give."""
    for solver in (vmf.Cavity, vmf.Tap, vmf.Vamp):
        # ten: on some processors the cavity method happens to converge in the 23rd sweep
        yield solver.__name__, partial(solver(max_iter=10).solve, FRUSTRATED), ("damping", "max_iter")
    for solver, term in itertools.product((vmf.Cavity, vmf.Tap), (vmf.Annealed, vmf.Quenched)):
        objective, advice = objective_of(term, solver(max_iter=2)), ("max_iter", "beta")
        for call in (vmf.bound, vmf.bound_gradient):
            name = f"{call.__name__}, {term.__name__}, {solver.__name__}"
            yield name, partial(call, SPINS, MEANS, 3.0, objective), advice
    for solver in (vmf.Cavity, vmf.Tap):
        objective, run = objective_of(vmf.Annealed, solver(max_iter=1)), {"n_steps": 5, "n_restarts": 2, "seed": 3}
        yield f"fit, {solver.__name__}", partial(vmf.fit, SPINS, 5, 3.0, objective, **run), ("max_iter", "beta")
    chains = vmf.Gibbs(n_chains=4, n_temperatures=1)
    strong = vmf.Network(30 / np.sqrt(31) * MEANS, np.zeros(31), np.zeros(5))
    yield "Gibbs", partial(chains.solve, strong), ("n_temperatures",)
    objective = objective_of(vmf.Annealed, chains)
    yield "bound, Gibbs", partial(vmf.bound, SPINS, MEANS, 30.0, objective), ("n_temperatures",)
    run = {"n_steps": 2, "n_restarts": 2, "seed": 4}
    yield "infer_weights", partial(vmf.infer_weights, SPINS, 5, 1.0, **run), ("n_steps", "n_restarts")


UNFINISHED = {name: (call, advice) for name, call, advice in unfinished()}


@pytest.mark.parametrize("name", UNFINISHED)
def test_what_does_not_converge_says_so_once_and_what_to_try(name):
    call, advice = UNFINISHED[name]
    with pytest.warns(vmf.ConvergenceWarning) as caught:
        result = call()
    (warning,) = caught
    assert warning.filename == __file__  # the line that the user wrote
    text = str(warning.message)
    assert all(word in text.partition("; ")[2] for word in advice), text
    assert not getattr(result, "converged", False)
    assert all(np.isfinite(value).all() for name, value in numbers(result) if not name.endswith(NOT_YET_SEEN))
