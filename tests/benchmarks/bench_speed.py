"""What a training step costs, side by side with something that everyone can time.  `make bench` runs it.

Every benchmark runs once before it is timed, so that nothing is compiled on the clock; the reference is timed in the
same process, in turns with the code.  Times are for two cores; ratios are what counts.
"""

import json
import subprocess
import sys
import time

import naive
import numpy as np
import pytest
from sklearn.neural_network import BernoulliRBM
from timing import NO_LOG_Z, ROUNDS, images, in_turns, rested, seconds, step_seconds

import vmfcore as vmf
from vmfcore.bounds.beliefs import Posterior

TAP = vmf.Objective(model_term=vmf.Annealed(vmf.Tap()))
PLAIN = vmf.Natural(tol=1e-12)  # a fit that takes all its steps


def annealed(rule_step):
    """Arguments of a fit by TAP, the default of large machines, that takes all its steps."""
    return {"objective": TAP, "rule": vmf.Natural(step_size=rule_step, tol=1e-12)}


def gemm_pair(spins, n_hidden, dtype):
    """The two matrix products of a data term, by numpy on all threads."""
    x, means = spins.astype(dtype), np.ones((spins.shape[1], n_hidden), dtype)
    response = np.ones((len(spins), n_hidden), dtype)
    return lambda: (x @ means, x.T @ response)


def script(text):
    """What a fresh process prints as JSON, its peak memory in MB included."""
    # not ru_maxrss, which starts at what the parent had
    text += "\nimport json\nstatus = dict(line.split(':', 1) for line in open('/proc/self/status'))"
    text += "\nout['rss'] = int(status['VmHWM'].split()[0]) / 1024"
    text += "\nprint(json.dumps(out))"
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("n_hidden", [100, 400])
@pytest.mark.parametrize(("dtype", "limit"), [("float32", 1.2), ("float64", 1.2)])
def bench_full_step(benchmark, row, n_hidden, dtype, limit):
    spins, _ = vmf.load_digits(2000)
    pair = gemm_pair(spins, n_hidden, dtype)
    options = {"dtype": np.dtype(dtype)} | annealed(0.005)
    ours, reference = in_turns(
        benchmark, lambda: step_seconds(spins, n_hidden, 60, **options), lambda: seconds(pair, 40)
    )
    what = f"full step, M=2000, N=784, P={n_hidden}, {dtype}, annealed + tap"
    row(what, "its two matrix products", ours / reference, limit if n_hidden == 100 else None)
    tenth = rested(lambda: step_seconds(spins, n_hidden, 100, every=10, **options))
    row("the same, with its bound at every tenth step, the default", "its two matrix products", tenth / reference)


# What learns from one pass: options of fit, and the limit.  With batches of 100 a step of 0.002 moves the synapses by
# so much that the iteration for their network often comes to no end (NOTES.md); one of 0.0001 does not.  Chains take
# any step.
PASSES = {
    "500, tap, step 0.002": ({"batch_size": 500, "rule": vmf.Natural(step_size=0.002)}, 0.5),
    "100, tap, step 0.0001": ({"batch_size": 100, "rule": vmf.Natural(step_size=0.0001)}, None),
    "100, vmf.IMAGES, twice 1000 temperatures included": (vmf.IMAGES, None),
    "100, vmf.IMAGES": (images(100), 1.0),
    "500, vmf.IMAGES, 500 chains": (images(500), None),
}


@pytest.mark.filterwarnings(NO_LOG_Z)
def bench_one_pass(benchmark, row):
    digits, _ = vmf.load_digits()
    spins = np.tile(digits, (12, 1))
    pixels = (spins > 0).astype(np.float32)

    def ours(options):
        options = options | {"n_steps": len(spins) // options["batch_size"], "dtype": np.float32}
        return seconds(lambda: vmf.fit(spins, 100, 1.0, seed=0, **options), 1)

    def reference():
        return seconds(lambda: BernoulliRBM(100, batch_size=100, n_iter=1, random_state=0).fit(pixels), 1)

    def in_one_round():
        rounds.append([rested(reference), *(rested(lambda o=options: ours(o)) for options, _ in PASSES.values())])

    rounds = []
    # a short run of each, so that nothing is compiled on the clock
    for options, _ in PASSES.values():
        vmf.fit(digits, 100, 1.0, seed=0, **(options | {"n_steps": 2, "dtype": np.float32}))
    benchmark.pedantic(in_one_round, rounds=3)
    epoch, *passes = np.median(rounds, axis=0)
    for (what, (_, limit)), time_of_pass in zip(PASSES.items(), passes, strict=True):
        row(
            f"one pass, 60,000 x 784, P=100, float32, batches of {what}",
            "an epoch of BernoulliRBM(100, batch_size=100), float32",
            time_of_pass / epoch,
            limit,
        )


def bench_quenched_step(benchmark, row):
    spins = vmf.sample(vmf.planted(100, 2, 1.0, seed=0), 500, seed=1)
    means = np.random.default_rng(2).uniform(-0.5, 0.5, (100, 2))
    objective = vmf.Objective(model_term=vmf.Quenched(vmf.Cavity()))
    plain = []

    def reference():
        return seconds(lambda: plain.append(naive.quenched_gradient(spins, means, 1.0, 1000, 100, seed=len(plain))), 1)

    ours, slow = in_turns(benchmark, lambda: step_seconds(spins, 2, 60, objective=objective, rule=PLAIN), reference)
    row(
        "one step, N=100, P=2, M=500, quenched + cavity, 64 z",
        "naive Monte-Carlo, 1000 z, 100 iterations",
        ours / slow,
        1 / 300,
    )
    # the gradient of the data term is what the exact annealed one leaves; from it, that of the exact quenched bound
    q, exact_annealed = Posterior.of(means, 1.0), vmf.Annealed(vmf.Exact())
    data = vmf.bound_gradient(spins, means, 1.0, vmf.Objective(model_term=exact_annealed)) + np.arctanh(means)
    data += len(spins) * exact_annealed.evaluate(q).gradient[0]
    exact = data - len(spins) * vmf.Quenched(vmf.Exact(), n_points=4096).evaluate(q).gradient[0]
    got = vmf.bound_gradient(spins, means, 1.0, objective) + np.arctanh(means)
    error, slow_error = (np.sqrt(np.mean((g - exact) ** 2)) for g in (got, plain[0]))
    row("error of its gradient (root mean square)", "that of the naive one", error / slow_error, 1.0)


def bench_time_to_overlap(benchmark, row):
    teacher = vmf.planted(1000, 3, 1.0, seed=0)
    spins = vmf.sample(teacher, 5000, seed=1)
    _, target = vmf.bayes_optimal_overlap(5.0, 1.0)
    pair, seeds = gemm_pair(spins, 3, np.float64), iter(range(100))

    def ours():
        seen, start = [], time.perf_counter()
        vmf.fit(spins, 3, 1.0, seed=next(seeds), callback=lambda _, m, __: seen.append((time.perf_counter(), m)))
        overlaps = [vmf.overlap(np.where(m >= 0, 1, -1), teacher).mean() for _, m in seen]
        reached = np.array(overlaps) >= target - 0.03
        return seen[int(reached.argmax())][0] - start if reached.any() else np.inf

    time_to, reference = in_turns(benchmark, ours, lambda: seconds(pair, 20))
    row(
        "to sign overlap >= theory - 0.03, N=1000, P=3, alpha=5",
        "100 pairs of its matrix products",
        time_to / reference / 100,
        20,
    )
    sampling = seconds(lambda: vmf.sample(teacher, 5000, seed=1), 5)
    row("drawing its data", "100 pairs of its matrix products", sampling / reference / 100)


SIZES = {"N": [98, 196, 392, 784, 1568], "P": [25, 50, 100, 200, 400], "M": [500, 1000, 2000, 4000, 8000]}


@pytest.mark.parametrize("name", SIZES)
def bench_growth(benchmark, row, name):
    rng, times = np.random.default_rng(0), []

    def all_sizes():
        times.append([])
        for size in SIZES[name]:
            n = {"N": 784, "P": 100, "M": 2000} | {name: size}
            spins = vmf.sample(vmf.Machine(rng.uniform(-1, 1, (n["N"], 3)), 1.0), n["M"], seed=0)
            times[-1].append(step_seconds(spins, n["P"], 30, dtype=np.float32, **annealed(0.005)))

    benchmark.pedantic(all_sizes, rounds=ROUNDS, warmup_rounds=1)
    step = np.median(times[1:], axis=0)
    for size, now, then in zip(SIZES[name][1:], step[1:], step, strict=False):
        row(f"step at {name}={size}", f"at {name}={size // 2}: {1e3 * then:.2f} ms", now / then, 2.2)


MEMORY = """
import numpy as np, vmfcore as vmf
spins = np.tile(vmf.load_digits({m})[0] if {m} <= 5000 else vmf.load_digits()[0], ({m} // 5000 or 1, 1))
objective, rule = vmf.Objective(model_term=vmf.Annealed(vmf.Tap())), vmf.Natural(step_size=0.001)
vmf.fit(spins, {p}, 1.0, objective, rule, dtype=np.{dtype}, n_steps=3, batch_size={batch}, seed=0)
out = {{}}
"""


def bench_memory(benchmark, row):
    peaks = {}

    def measure():
        for p in (125, 250, 500, 1000):
            peaks[f"step, P={p}, N=784, M=2000, float64"] = MEMORY.format(m=2000, p=p, dtype="float64", batch=None)
        for m in (5000, 10000, 20000, 40000, 60000):
            peaks[f"M={m}, P=100, float32, batches of 500"] = MEMORY.format(m=m, p=100, dtype="float32", batch=500)
        for what, text in peaks.items():
            peaks[what] = script(text)["rss"] / 1024

    benchmark.pedantic(measure, rounds=1)
    for what, gigabytes in peaks.items():
        row(f"peak memory, {what}", "GB", gigabytes, 1.0)


START = """
import time; start = time.perf_counter()
import numpy as np, vmfcore as vmf
out = {"import": time.perf_counter() - start}
spins, ticks, start = np.ones((500, 200), np.int8), [], time.perf_counter()
spins[np.random.default_rng(0).random(spins.shape) < 0.5] = -1
vmf.fit(spins, 20, 1.0, n_steps=1, seed=0, callback=lambda *_: ticks.append(time.perf_counter()))
out["first"] = ticks[0] - start
"""


def bench_start(benchmark, row):
    runs = []
    benchmark.pedantic(lambda: runs.append(script(START)), rounds=ROUNDS, warmup_rounds=1)
    row("import vmfcore", "seconds", float(np.median([run["import"] for run in runs[1:]])), 0.4)
    row(
        "first fit of a process, until its first step",
        "seconds",
        float(np.median([run["first"] for run in runs[1:]])),
        1.0,
    )
