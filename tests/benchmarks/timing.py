"""What the benchmarks share: times of calls, of steps and of what a loop adds, in turns with their references."""

import time
from dataclasses import replace

import numpy as np

import vmfcore as vmf

ROUNDS = 5


def seconds(function, n):
    """Median time of n calls."""
    times = []
    for _ in range(n):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def seconds_each(function, few, many):
    """Time that ``function(n)`` takes for each of the n of its loop, of the difference between many and few."""
    start = time.perf_counter()
    function(few)
    between = time.perf_counter()
    function(many)
    return (time.perf_counter() - between - (between - start)) / (many - few)


def step_seconds(spins, n_hidden, n_steps, *, every=1, **options):
    """Median time of a step of `fit`, from one call of the callback to the next; the first ten steps are left out.

    At a step that the callback sees the bound is computed as well.
    """
    ticks = []
    callback = vmf.Every(every, lambda *_: ticks.append(time.perf_counter()))
    vmf.fit(spins, n_hidden, 1.0, n_steps=n_steps, callback=callback, seed=0, **options)
    return float(np.median(np.diff(ticks)[max(1, 10 // every) :])) / every


def rested(function):
    """Call a function when the idle threads of the one before have stopped to spin."""
    time.sleep(0.3)
    return function()


def in_turns(benchmark, *functions):
    """Medians over rounds of what the functions return, called in turns after one round unrecorded."""
    times = []

    def one_round():
        times.append([rested(function) for function in functions])

    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=1)
    return np.median(times[1:], axis=0)


def images(batch_size):
    """`vmf.IMAGES` with batches of this size and as many chains, and without its number of steps.

    Its chains start and end with an annealing of 10 temperatures, since it is the steps that are timed; what that says
    about ln Z is worth nothing, which is what `NO_LOG_Z` is for.
    """
    model_term = replace(vmf.IMAGES["objective"].model_term, solver=vmf.Gibbs(batch_size, n_temperatures=10))
    options = vmf.IMAGES | {"objective": replace(vmf.IMAGES["objective"], model_term=model_term)}
    options["batch_size"] = batch_size
    del options["n_steps"]
    return options


NO_LOG_Z = "ignore:fewer than 3 chains:vmfcore.ConvergenceWarning"  # a filter of warnings
