"""What machines of images cost, to learn and to use: against their bare matrix products, and against rbms.

rbms is a program for the same task, on torch; `make bench-peers` installs it into an environment of its own, and where
it is not there its lines say so.  It runs in another process, in turns with the code.  Two threads of torch wait for
each other at every turn: where something else runs on the machine, its times are of no use.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from timing import NO_LOG_Z, images, in_turns, rested, seconds, seconds_each, step_seconds

import vmfcore as vmf
from vmfcore.data.packing import pack_spins
from vmfcore.learning.full_precision import train_full_precision
from vmfcore.machines.likelihood import estimate_log_partition

PEERS = Path(__file__).resolve().parents[2] / ".venv-peers"
N, P, K = 784, 500, 100  # visible and hidden units of the machines that are used, and their chains
BETA = 6.0  # of these, about that of a trained one


@pytest.fixture(scope="module")
def rbms(tmp_path_factory):
    """``rbms(question)``: the seconds that `peer_rbms.py` answers; nan where it is not installed."""
    if not (PEERS / "ready").exists():
        yield lambda question: np.nan
        return
    digits = tmp_path_factory.mktemp("rbms") / "digits.npy"
    np.save(digits, vmf.load_digits()[0])
    command = [PEERS / "bin" / "python", Path(__file__).with_name("peer_rbms.py"), digits]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(question):
            print(json.dumps(question), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield ask


def against(ours, peer):
    """Ratio to a peer, for a row: None where it is not installed."""
    return None if np.isnan(peer) else ours / peer


def products(*factors):
    """What does these matrix products, by numpy on all threads."""
    return lambda: [left @ right for left, right in factors]


def random_spins(n_samples, n_units):
    """Spins ±1 in single precision."""
    return np.random.default_rng(n_units).choice(np.array([-1, 1], np.float32), (n_samples, n_units))


def random_machine(*, one_bit):
    """A machine of the size of a trained one, with real or with one-bit synapses."""
    rng = np.random.default_rng(0)
    weights = rng.choice(np.array([-1, 1], np.int8), (N, P)) if one_bit else rng.uniform(-1, 1, (N, P))
    return vmf.Machine(weights, BETA)


def sweep_products():
    """The two products of a sweep of all chains, in single precision."""
    couplings = random_machine(one_bit=False).couplings.astype(np.float32)
    return products((random_spins(K, P), couplings.T), (random_spins(K, N), couplings))


def step_products(n_hidden, batch_size):
    """The five products of a step: data, then as many chains."""
    couplings = np.random.default_rng(0).uniform(-0.2, 0.2, (N, n_hidden)).astype(np.float32)
    spins, hidden = random_spins(batch_size, N), random_spins(batch_size, n_hidden)
    of_data = (spins, couplings), (spins.T, hidden)
    of_chains = (hidden, couplings.T), (spins, couplings), (spins.T, hidden)
    return products(*of_data, *of_chains)


STEPS = {(500, 100): (1.5, 0.45), (500, 500): (None, 1 / 3), (100, 100): (None, None)}  # limits: products, rbms


@pytest.mark.filterwarnings(NO_LOG_Z)
@pytest.mark.parametrize(("n_hidden", "batch_size"), STEPS)
def bench_image_step(benchmark, row, rbms, n_hidden, batch_size):
    digits, _ = vmf.load_digits()
    options, five = images(batch_size), step_products(n_hidden, batch_size)

    def of_baseline(n_steps):
        size = {"batch_size": batch_size, "n_chains": batch_size}
        train_full_precision(digits, n_hidden, n_steps=n_steps, step_size=0.02, seed=0, **size)

    ours, reference, peer, baseline = in_turns(
        benchmark,
        lambda: step_seconds(digits, n_hidden, 100, every=25, **options),
        lambda: seconds(five, 40),
        lambda: rbms({"step": [n_hidden, batch_size]}),
        lambda: seconds_each(of_baseline, 20, 60),
    )
    products_limit, rbms_limit = STEPS[n_hidden, batch_size]
    what = f"step of vmf.IMAGES, P={n_hidden}, batch and chains of {batch_size}, float32"
    row(what, "milliseconds", 1e3 * ours)
    row(what, "its five products", ours / reference, products_limit)
    row(what, "a step of rbms, centred, one Gibbs step", against(ours, peer), rbms_limit)
    row(what, "a step of train_full_precision", ours / baseline)


@pytest.mark.filterwarnings(NO_LOG_Z)
def bench_training(benchmark, row):
    digits = np.tile(vmf.load_digits()[0], (12, 1))
    n_steps, size = 20_000, 100
    options = vmf.IMAGES | {"n_steps": n_steps}

    def ours():
        vmf.fit(digits, P, 2.0, seed=0, **options)

    def of_baseline():
        chains = {"batch_size": size, "n_chains": size}
        train_full_precision(digits, P, n_steps=n_steps, step_size=0.02, seed=0, **chains)

    def in_one_round():
        times.append([rested(lambda f=f: seconds(f, 1)) for f in (ours, of_baseline)])

    times = []
    benchmark.pedantic(in_one_round, rounds=1)
    time_of_fit, time_of_baseline = times[0]
    what = f"vmf.IMAGES, {n_steps:,} updates of {size} of {len(digits):,} digits, P={P}"
    row(what, "seconds", time_of_fit, 110)
    row(what, "train_full_precision, the same updates", time_of_fit / time_of_baseline)


def bench_annealed_importance_sampling(benchmark, row):
    machine, base, two = random_machine(one_bit=False), np.zeros(N), sweep_products()

    def anneal(n_temperatures):
        estimate_log_partition(machine, base, vmf.Gibbs(K, n_temperatures), seed=0)

    ours, reference = in_turns(benchmark, lambda: seconds_each(anneal, 100, 200), lambda: seconds(two, 40))
    row(f"a temperature of AIS, {K} chains, {N} x {P}", "its two products", ours / reference, 0.8)


SWEEPS = {"real": None, "one-bit": 0.5}  # limits: rbms, whose couplings are real


@pytest.mark.parametrize("synapses", SWEEPS)
def bench_gibbs_sweep(benchmark, row, rbms, synapses):
    machine, two = random_machine(one_bit=synapses == "one-bit"), sweep_products()

    def sample(n_sweeps):
        vmf.sample(machine, K, n_sweeps=n_sweeps, seed=0)

    ours, reference, peer = in_turns(
        benchmark,
        lambda: seconds_each(sample, 100, 200),
        lambda: seconds(two, 40),
        lambda: rbms({"sweep": [P, K]}),
    )
    what = f"a Gibbs sweep, {synapses} synapses, {K} chains, {N} x {P}"
    row(what, "its two products", ours / reference, 0.8)
    row(what, "a Gibbs sweep of rbms", against(ours, peer), SWEEPS[synapses])


def bench_hidden_means(benchmark, row):
    spins = np.tile(vmf.load_digits()[0], (4, 1))
    packed, machine = pack_spins(spins), random_machine(one_bit=True)
    one = products((spins.astype(np.float32), machine.couplings.astype(np.float32)))
    ours, reference = in_turns(
        benchmark, lambda: seconds(lambda: vmf.hidden_means(packed, machine), 1), lambda: seconds(one, 3)
    )
    row(f"hidden means of {len(spins):,} digits, one-bit synapses, {N} x {P}", "its product", ours / reference, 0.4)
