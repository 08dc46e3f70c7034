"""Numerics under stress: every result is finite and no operation overflows, or the argument to blame is named."""

import itertools
import warnings

import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.bounds import model_term as dual

EDGE = np.nextafter(1.0, 0.0)  # the largest mean below 1
DATA = {  # distinct corners: sizes of one, more hidden units than spins, pixels that never change
    "one of each": (1, 1, 1),
    "one spin": (5, 1, 3),
    "one sample": (1, 7, 2),
    "more hidden units than spins": (11, 5, 12),
    "constant pixels": (13, 11, 3),
    "one image": (17, 7, 2),
}
TERMS = [
    ("gaussian", "annealed", "exact"),
    ("gaussian", "annealed", "cavity"),
    ("tap", "annealed", "tap"),
    ("exact", "annealed", "gibbs"),
    ("gaussian", "quenched", "exact"),
    ("tap", "quenched", "cavity"),
    ("exact", "quenched", "tap"),
]
SHORT = {"max_iter": 20, "n_points": 8, "n_chains": 4, "n_temperatures": 5}
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
    elif result is not None:
        yield name, np.asarray(result)


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
    fields = {"visible_fields": np.linspace(-1e6, 1e6, n_visible), "hidden_fields": np.linspace(-30, 1e6, n_hidden)}
    for (corner, means), terms in itertools.product(corners(n_visible, n_hidden).items(), TERMS):
        options = dict(zip(("data_term", "model_term", "expectation"), terms, strict=True)) | SHORT
        strictly(vmf.bound, spins, means, beta, **options)
        strictly(vmf.bound, spins, means, beta, prior_mean=EDGE, **options, **fields)
        if corner in ("nearly", "zero"):
            strictly(vmf.bound_gradient, spins, means, beta, **options)
            strictly(vmf.bound_gradient, spins, means, beta, prior_mean=-EDGE, **options, **fields)


def fits():
    """Options of fits: every rule, data term, dual network, precision, and what is learnt beside the synapses."""
    for k, (terms, rule) in enumerate(itertools.product(TERMS, ("natural", "adam"))):
        for dtype, start in itertools.product((np.float64, np.float32), ("random", "equal", "decided")):
            yield {
                "rule": rule,
                **dict(zip(("data_term", "model_term", "expectation"), terms, strict=True)),
                "dtype": dtype,
                "init": start,
                "learn_fields": bool(k % 2),
                "learn_beta": ("no", "global", "unit")[k % 3],
                "step_size": 1.0 if start == "decided" else None,
                "temperature": (1e3, 1.01e-6) if start == "equal" else 1.0,
            }


@pytest.mark.parametrize("beta", [1.01e-6, 8.0, 49.9])
@pytest.mark.parametrize("name", DATA)
def test_every_fit_is_finite(name, beta):
    spins, n_hidden = draw(name)
    starts = corners(spins.shape[1], n_hidden) | {"random": "random"}
    for options in fits():
        if options["dtype"] == np.float64 or beta <= 8.0:
            # the bound is not told between two estimates of ln Z by chains
            untold = ("history.bound", "history.model_term") if options["expectation"] == "gibbs" else ()
            options["init"] = starts[options["init"]]
            result = strictly(vmf.fit, spins, n_hidden, beta, n_steps=4, seed=0, untold=untold, **options, **SHORT)
            assert np.abs(result.means).max() <= 1


@pytest.mark.parametrize("beta", [1.01e-6, 1.0, 49.9])
@pytest.mark.parametrize("name", DATA)
def test_inference_is_finite(name, beta):
    spins, n_hidden = draw(name)
    n_hidden = min(n_hidden, 3)
    for corner in [*corners(spins.shape[1], n_hidden).values(), "random"]:
        for options in ({"learn_beta": True}, {"prior_mean": -EDGE}, {"damping": 0.95}):
            result = strictly(vmf.infer_weights, spins, n_hidden, beta, init=corner, n_steps=10, seed=0, **options)
            assert np.abs(result.means).max() <= 1


NETWORKS = [(1, 1), (1, 5), (5, 1), (3, 7), (23, 12), (WIDE, 2)]


@pytest.mark.parametrize(("n_visible", "n_hidden"), NETWORKS)
def test_solvers_of_extreme_networks_are_finite(n_visible, n_hidden):
    rng = np.random.default_rng(2)
    shape, max_iter = (n_visible, n_hidden), 40 if n_visible < WIDE else 2
    signs = {"any": rng.choice([-1.0, 1.0], size=shape), "equal": np.ones(shape)}
    for size, field, sign in itertools.product((0.0, 1e-300, 1.0, 100.0), (0.0, 1e-300, 1e6), signs.values()):
        network = size * sign, field * rng.choice([-1.0, 1.0], n_visible), field * rng.uniform(-1, 1, n_hidden)
        batch = (*network[:2], np.stack([network[2], -network[2]]))
        for run in (vmf.run_cavity, vmf.run_tap, vmf.run_vamp):
            # a frozen layer has no variance, and without couplings no mode rules
            infinite = ("precisions", "edge_ratio")
            cold = strictly(run, *network, max_iter=max_iter, infinite=infinite)
            warm = {"messages": cold.messages, "damping": 0.5, "max_iter": max_iter}
            strictly(run, *network, infinite=infinite, **warm)
            strictly(run, *batch, max_iter=max_iter, infinite=infinite)
        strictly(vmf.run_tap, network[0].astype(np.float32), *network[1:], max_iter=max_iter)
        strictly(vmf.log_partition, *network)


def test_messages_of_a_network_with_strong_couplings_start_one_with_weak_ones():
    # 701 messages of exp(40) to one spin saturate it, damped ones for longer than the spins would show; nor may
    # their product overflow, or that of the largest and smallest numbers
    network = 0.01 * np.ones((3, 701)), np.full(3, 0.3), np.zeros(701)
    strong = vmf.run_cavity(20 * np.ones((3, 701)), *network[1:]).messages
    cold = vmf.run_cavity(*network)
    for messages in (strong, np.full_like(strong, 1.7e308), np.full_like(strong, 5e-324)):
        warm = strictly(vmf.run_cavity, *network, damping=0.9, messages=messages)
        assert warm.converged
        # stationary: of second order in what the tolerance 1e-9 leaves of 2103 messages
        assert warm.log_partition == pytest.approx(cold.log_partition, rel=1e-10)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda x: vmf.run_cavity(np.eye(3), x * np.ones(3), np.zeros(3)), "visible_fields"),
        (lambda x: vmf.run_tap(np.eye(3, dtype=np.float32), np.zeros(3), x * np.ones(3)), "hidden_fields"),
        (lambda x: vmf.run_vamp(np.eye(3), np.zeros(3), x * np.ones((2, 3))), "hidden_fields"),
        (lambda x: vmf.run_vamp(np.eye(3), np.zeros(3), np.zeros(3), messages=x * np.ones(6)), "messages"),
        (lambda x: vmf.log_partition(x * np.eye(3), np.zeros(3), np.zeros(3)), "couplings"),
        (lambda x: vmf.log_partition(np.eye(3), x * np.ones(3), np.zeros(3)), "visible_fields"),
        (lambda x: vmf.sample_spins(np.eye(3), x, 2, seed=0), "beta"),
        (lambda x: vmf.hidden_from_visible(np.eye(3), x, np.ones((2, 3))), "beta"),
        (lambda x: vmf.visible_from_hidden(np.eye(3), x, np.ones((2, 3))), "beta"),
        (lambda x: vmf.hidden_means(np.ones((2, 3)), vmf.Machine(np.eye(3), x)), "machine.beta"),
        (lambda x: vmf.bound(np.ones((2, 3)), np.eye(3), 1 / x), "beta"),
        (lambda x: vmf.bound(np.ones((2, 3)), np.eye(3), 1.0, visible_fields=x * np.ones(3)), "visible_fields"),
        (lambda x: vmf.fit(np.ones((2, 3)), 3, 1 / x, learn_beta="unit", seed=0), "beta"),
        (lambda x: vmf.infer_weights(np.ones((2, 3)), 2, 1 / x, seed=0), "beta"),
        (lambda x: vmf.fit(np.ones((2, 3)), 3, 1.0, temperature=x, seed=0), "temperature"),
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
    chains = {"n_chains": 3, "n_temperatures": 3, "seed": 0}
    for corner, weights in corners(n_visible, n_hidden).items():
        for beta, field in itertools.product((1e-300, 49.9, 1e6), (0.0, 1e6)):
            machine = vmf.Machine(weights, beta, np.full(n_visible, field), np.full(n_hidden, -field))
            base = np.linspace(-1e6, 1e6, n_visible)
            strictly(vmf.hidden_means, spins, machine)
            strictly(vmf.sample, machine, 2, n_sweeps=2, seed=0)
            strictly(vmf.sample_spins, weights, beta, 2, n_sweeps=2, seed=0)
            strictly(vmf.estimate_log_partition, machine, base, reverse_from=spins, **chains)
            strictly(vmf.log_likelihood, spins, machine, method="ais", **chains)
            if n_hidden < 16:  # by exact sums
                strictly(vmf.sample_spins, weights, beta, 2, seed=0)
                strictly(vmf.log_likelihood, spins, machine, infinite=("effective_chains",), **chains)
        matched = strictly(vmf.overlap, weights, weights)
        assert matched.max() <= 1
        entropy = strictly(vmf.synaptic_entropy, weights)
        if corner in ("decided", "nearly", "equal"):  # one rounding from 1 a synapse has 2e-15 nats
            assert 0 <= entropy < 1e-14


@pytest.mark.parametrize("terms", [terms for terms in TERMS if terms[0] != "exact"])
def test_a_hundred_thousand_spins_are_finite(terms):
    spins = np.random.default_rng(4).choice(np.array([-1, 1], np.int8), size=(2, WIDE))
    options = dict(zip(("data_term", "model_term", "expectation"), terms, strict=True))
    options |= {"max_iter": 3, "n_points": 2}
    for name, means in corners(WIDE, 2).items():
        if name != "nearly":
            strictly(vmf.bound, spins, means, 49.9, **options)
    strictly(vmf.bound_gradient, spins, 0.5 * means, 49.9, **options)
    for dtype, beta in ((np.float64, 49.9), (np.float32, 8.0)):
        learnt = {"learn_fields": True, "learn_beta": "unit", "dtype": dtype}
        strictly(vmf.fit, spins, 2, beta, n_steps=2, seed=0, **options, **learnt)
    strictly(vmf.infer_weights, spins, 2, 1.0, n_steps=2, seed=0)


FRUSTRATED = 1.5 * np.random.default_rng(0).normal(size=(37, 41)), np.zeros(37), 0.1 * np.ones(41)
SPINS = vmf.sample_spins(vmf.planted_weights(31, 5, seed=1), 1.0, 93, seed=1)
MEANS = np.random.default_rng(5).uniform(-1, 1, size=(31, 5))
UNFINISHED = {
    **{
        run.__name__: (lambda run=run: run(*FRUSTRATED, max_iter=30), ("damping", "max_iter"))
        for run in (vmf.run_cavity, vmf.run_tap, vmf.run_vamp)
    },
    **{
        f"{call.__name__}, {term}, {expectation}": (
            lambda call=call, term=term, expectation=expectation: call(
                SPINS, MEANS, 3.0, model_term=term, expectation=expectation, max_iter=2
            ),
            ("max_iter", "beta"),
        )
        for call in (vmf.bound, vmf.bound_gradient)
        for term, expectation in itertools.product(dual.MODEL_TERMS, ("cavity", "tap"))
    },
    "bound, gibbs": (
        lambda: vmf.bound(SPINS, MEANS, 30.0, expectation="gibbs", n_chains=4, n_temperatures=1),
        ("n_temperatures",),
    ),
    **{
        f"fit, {expectation}": (
            lambda expectation=expectation: vmf.fit(
                SPINS, 5, 3.0, expectation=expectation, max_iter=1, n_steps=5, n_restarts=2, seed=3
            ),
            ("max_iter", "beta"),
        )
        for expectation in ("cavity", "tap")
    },
    "infer_weights": (
        lambda: vmf.infer_weights(SPINS, 5, 1.0, n_steps=2, n_restarts=2, seed=4),
        ("n_steps", "n_restarts", "damping"),
    ),
}


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
    assert all(np.isfinite(value).all() for _, value in numbers(result))
