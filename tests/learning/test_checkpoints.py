"""A fit that was stopped anywhere goes on to the same bits; no checkpoint is trusted or overwritten by mistake."""

import errno
import os
import re
import signal
import threading

import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.data.packing import pack_spins
from vmfcore.files import archives
from vmfcore.learning import checkpoints

SPINS = vmf.sample(vmf.planted(61, 3, 1.0, seed=1), 97, seed=2)
NEVER_SETTLED = vmf.Natural(tol=1e-9)


def objective_with(model_term, **options):
    return vmf.Objective(model_term=model_term, **options)


FITS = {
    "natural, several restarts that end at different steps": {"n_restarts": 3, "n_steps": 300},
    "adam": {"rule": vmf.Adam(), "n_steps": 23, "n_restarts": 2},
    "two stages": {"objective": vmf.Objective("calibrated"), "init": "pca", "n_restarts": 2, "n_steps": 200},
    "messages of edges": {"objective": objective_with(vmf.Annealed(vmf.Cavity())), "n_steps": 23},
    "messages of nodes": {
        "objective": objective_with(vmf.Annealed(vmf.Tap())),
        "n_steps": 23,
        "n_restarts": 2,
        "dtype": np.float32,
    },
    "quenched": {"objective": objective_with(vmf.Quenched(vmf.Tap())), "n_steps": 23, "n_restarts": 2},
    "batches": {"batch_size": 30, "n_steps": 23, "n_restarts": 2},
    "chains, fields, temperatures": {
        "objective": objective_with(vmf.Annealed(vmf.Gibbs(n_temperatures=20, bound_every=5)), kl_weight=(1.0, 0.5)),
        "rule": vmf.Natural(schedule="linear"),
        "learn": vmf.Learn(fields=True, beta="unit"),
        "batch_size": 30,
        "n_steps": 23,
        "n_restarts": 2,
    },
    "tempered chains": {
        "objective": objective_with(vmf.Annealed(vmf.Gibbs(20, 20, n_rungs=3)), kl_weight=(1.0, 0.5)),
        "learn": vmf.Learn(fields=True, beta="unit"),
        "batch_size": 30,
        "n_steps": 60,  # rungs move at the fiftieth
        "n_restarts": 2,
    },
}


class Stop(Exception):
    pass


def stopping_after(n_calls, stop):
    calls = []

    def callback(step, means, bound):
        calls.append(step)
        if len(calls) == n_calls:
            stop()

    return callback


def raise_stop():
    raise Stop


def assert_same(result, expected):
    for name, part, other in zip(result._fields, result, expected, strict=True):
        for x, y in zip(part, other, strict=True) if isinstance(part, tuple) else [(part, other)]:
            np.testing.assert_array_equal(x, y, err_msg=name)
    assert result.means.dtype == expected.means.dtype


@pytest.mark.filterwarnings("ignore::vmfcore.ConvergenceWarning")
@pytest.mark.parametrize("name", FITS)
def test_a_stopped_fit_goes_on_to_the_same_bits(name, rng, tmp_path):
    options, path, counted = FITS[name] | {"seed": 5}, tmp_path / "fit.npz", []
    unbroken = vmf.fit(SPINS, 3, 1.0, **options, callback=lambda *now: counted.append(now[0]))
    for every in (1, 4):
        for moment in rng.integers(1, len(counted), size=3).tolist():
            path.unlink(missing_ok=True)
            keeping = options | {"checkpoint": vmf.Checkpoint(path, every)}
            with pytest.raises(Stop):
                vmf.fit(SPINS, 3, 1.0, **keeping, callback=stopping_after(moment, raise_stop))
            seen = []
            resumed = vmf.fit(SPINS, 3, 1.0, **keeping, callback=lambda *now, seen=seen: seen.append(now[0]))
            assert_same(resumed, unbroken)
            assert len(seen) < len(counted) or moment <= every * 3  # steps that are kept are not done again
            # and what has ended is not climbed again
            assert_same(vmf.fit(SPINS, 3, 1.0, **keeping, callback=stopping_after(1, raise_stop)), unbroken)


@pytest.fixture
def interrupts():
    """Ctrl-C as in a terminal, also where the shell that began the tests ignores it (nohup)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_interrupt_keeps_the_last_step_and_returns_control(tmp_path):
    path, options = tmp_path / "fit.npz", {"rule": NEVER_SETTLED, "n_steps": 60, "seed": 5, "n_restarts": 2}
    unbroken = vmf.fit(SPINS, 3, 1.0, **options, callback=vmf.Every(1))
    handler = signal.getsignal(signal.SIGINT)
    press = stopping_after(39, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt, match=r"fit stopped; all that it did is kept in .*fit\.npz"):
        vmf.fit(SPINS, 3, 1.0, **options, checkpoint=path, callback=press)
    assert signal.getsignal(signal.SIGINT) is handler
    seen = []
    resumed = vmf.fit(SPINS, 3, 1.0, **options, checkpoint=path, callback=lambda *now: seen.append(now[0]))
    assert seen[0] == 20
    assert_same(resumed, unbroken)


@pytest.mark.usefixtures("interrupts")
def test_a_second_interrupt_does_not_wait_for_the_step(tmp_path):
    def press_twice():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        vmf.fit(SPINS, 3, 1.0, seed=5, checkpoint=tmp_path / "fit.npz", callback=stopping_after(9, press_twice))


def test_other_threads_keep_checkpoints_too(tmp_path):
    results, path = [], tmp_path / "fit.npz"
    options = {"n_steps": 7, "seed": 5, "checkpoint": path}
    thread = threading.Thread(target=lambda: results.append(vmf.fit(SPINS, 3, 1.0, **options)))
    thread.start()
    thread.join()
    assert_same(results[0], vmf.fit(SPINS, 3, 1.0, **options))


def test_a_checkpoint_of_another_fit_is_refused_and_left_alone(tmp_path):
    path, options = tmp_path / "fit.npz", {"n_steps": 7, "seed": 5, "checkpoint": tmp_path / "fit.npz"}
    vmf.fit(SPINS, 3, 1.0, **options)
    content = path.read_bytes()
    others = [
        ((-SPINS, 3, 1.0), {}, "spins"),
        ((SPINS, 3, 1.1), {}, "beta"),
        ((SPINS, 2, 1.0), {}, "n_hidden"),
        ((SPINS, 3, 1.0), {"seed": 6}, "seed"),
        ((SPINS, 3, 1.0), {"n_steps": 8, "rule": vmf.Natural(0.1)}, "n_steps, rule.step_size"),
        ((SPINS, 3, 1.0), {"init": np.zeros((61, 3))}, "init"),
        ((SPINS, 3, 1.0), {"dtype": np.float32}, "dtype"),
        ((SPINS, 3, 1.0), {"rule": vmf.Adam()}, "rule, rule.step_size"),
        ((SPINS, 3, 1.0), {"rule": vmf.Natural(tol=1e-3)}, "rule.tol"),
        (
            (SPINS, 3, 1.0),
            {"objective": objective_with(vmf.Quenched())},
            "objective.model_term, objective.model_term.n_points",
        ),
        (
            (SPINS, 3, 1.0),
            {"objective": objective_with(vmf.Annealed(vmf.Tap()))},
            "objective.model_term.solver, objective.model_term.solver.damping, "
            "objective.model_term.solver.max_iter, objective.model_term.solver.tol",
        ),
        ((SPINS, 3, 1.0), {"objective": vmf.Objective(prior=vmf.Prior(0.1))}, "objective.prior.mean"),
        ((SPINS, 3, 1.0), {"learn": vmf.Learn(beta="unit")}, "learn.beta"),
        ((SPINS, 3, 1.0), {"fields": (None, np.zeros(3))}, "hidden_fields"),
    ]
    for arguments, changed, names in others:
        message = rf"^checkpoint must be of the same fit, got .*fit\.npz, of one with other {names}: give another file"
        with pytest.raises(ValueError, match=message):
            vmf.fit(*arguments, **(options | changed))
    assert path.read_bytes() == content


def test_the_same_fit_in_other_words_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.npz").symlink_to("fit.npz")
    data = pack_spins(SPINS)
    bits = data.bits.copy()
    bits[:, -1] |= 7  # beyond the 61 spins
    first = {
        "objective": vmf.Objective(kl_weight=1, prior=vmf.Prior(-0.0)),
        "rule": vmf.Natural(1),
        "learn": vmf.Learn(beta="global", step_size=1),
        "n_steps": 7,
        "seed": 5,
    }
    expected = vmf.fit(data, 3, 1, **first, checkpoint="link.npz", callback=vmf.Every(1))
    assert (tmp_path / "link.npz").is_symlink()
    again = first | {
        "objective": vmf.Objective(kl_weight=[1.0, 1.0], prior=vmf.Prior(0)),
        "rule": vmf.Natural(np.float64(1)),
        "learn": vmf.Learn(beta="global", step_size=1.0),
        "seed": np.int64(5),
    }
    options = {"checkpoint": tmp_path / "fit.npz", "callback": stopping_after(1, raise_stop)}
    assert_same(vmf.fit(vmf.PackedSpins(bits, 61), 3, np.float64(1), **again, **options), expected)


def test_who_looks_how_often_is_not_part_of_the_fit(tmp_path):
    options = {"rule": NEVER_SETTLED, "n_steps": 60, "n_restarts": 2, "seed": 5}
    unbroken = vmf.fit(SPINS, 3, 1.0, **options)
    for n_steps, moment, kept in ((1, 61, 28), (7, 8, 20)):  # two calls at each step that is looked at
        keeping = options | {"checkpoint": vmf.Checkpoint(tmp_path / f"{n_steps}.npz", every=4)}
        with pytest.raises(Stop):
            vmf.fit(SPINS, 3, 1.0, **keeping, callback=vmf.Every(n_steps, stopping_after(moment, raise_stop)))
        resumed = vmf.fit(SPINS, 3, 1.0, **keeping, callback=vmf.Every(13))
        np.testing.assert_array_equal(resumed.means, unbroken.means)
        assert resumed.bound == unbroken.bound
        # what the first has looked at up to the step that was kept, and then what the second has
        expected = {*range(0, kept, n_steps), *range(26, 60, 13), 60}
        assert resumed.history.step.tolist() == sorted(expected)


def test_who_handles_interrupts_goes_on_to_do_so(tmp_path):
    heard, before = [], signal.getsignal(signal.SIGINT)
    press = stopping_after(9, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        signal.signal(signal.SIGINT, lambda *event: heard.append(event))
        vmf.fit(SPINS, 3, 1.0, n_steps=20, seed=5, checkpoint=tmp_path / "fit.npz", callback=press)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(heard) == 1


def test_checkpoints_of_another_version_are_refused(tmp_path, monkeypatch):
    options = {"n_steps": 7, "seed": 5, "checkpoint": tmp_path / "fit.npz"}
    vmf.fit(SPINS, 3, 1.0, **options)
    monkeypatch.setattr(checkpoints, "__version__", "0.0.1")
    with pytest.raises(ValueError, match="of one with other the version of vmfcore: give"):
        vmf.fit(SPINS, 3, 1.0, **options)


def test_every_changed_byte_is_noticed_and_left_alone(rng, tmp_path):
    path = tmp_path / "fit.npz"
    options = {"n_steps": 7, "seed": 5, "checkpoint": path}
    vmf.fit(SPINS, 3, 1.0, **options)
    content = path.read_bytes()
    damaged = [content[:n] for n in (0, 1, 64, len(content) // 2, len(content) - 1)] + [content + b"\0"]
    for where in [*rng.integers(len(content), size=101), 0, len(content) - 1]:
        damaged.append(content[:where] + bytes([content[where] ^ rng.integers(1, 256)]) + content[where + 1 :])
    for wrong in damaged:
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"^checkpoint must be a checkpoint that fit wrote, and whole, got .*npz"):
            vmf.fit(SPINS, 3, 1.0, **options)
        assert path.read_bytes() == wrong
    vmf.save_results(path)
    with pytest.raises(ValueError, match=r"^checkpoint must be a checkpoint that fit wrote, got .*, which is results"):
        vmf.fit(SPINS, 3, 1.0, **options)


def full(_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_cannot_be_written_is_an_error_before_any_step(tmp_path, monkeypatch):
    monkeypatch.setattr(archives.os, "fsync", full)
    steps = []
    with pytest.raises(OSError, match=re.escape("checkpoint cannot be written (No space left on device); nothing was")):
        vmf.fit(SPINS, 3, 1.0, seed=5, checkpoint=tmp_path / "a", callback=lambda *now: steps.append(now))
    assert not steps
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    options = {"rule": NEVER_SETTLED, "n_steps": 60, "seed": 5, "checkpoint": vmf.Checkpoint(path, every=10)}
    fill = stopping_after(25, lambda: monkeypatch.setattr(archives.os, "fsync", full))
    with pytest.raises(OSError, match=re.escape("what an earlier step left there is whole")) as caught:
        vmf.fit(SPINS, 3, 1.0, **options, callback=fill)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    monkeypatch.undo()
    seen = []
    resumed = vmf.fit(SPINS, 3, 1.0, **options, callback=lambda *now: seen.append(now[0]))
    assert seen[0] == 20
    assert_same(resumed, vmf.fit(SPINS, 3, 1.0, **(options | {"checkpoint": None}), callback=vmf.Every(1)))
