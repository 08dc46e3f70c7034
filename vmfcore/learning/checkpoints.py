"""Checkpoints of `vmfcore.fit`: where a climb stands, in a file from which it goes on to the same bits."""

import contextlib
import hashlib
import json
import signal
import threading

import numpy as np

from vmfcore._version import __version__
from vmfcore.bounds.model_term import WarmStart
from vmfcore.data.packing import PackedSpins
from vmfcore.files.archives import check_target, read_archive, write_archive
from vmfcore.learning.climb import Standing
from vmfcore.learning.rules import RULES, RealParameters
from vmfcore.networks.chains import Chains

KIND = "a checkpoint"
ROWS = 4096  # of data that are looked at together
TYPES = {part.__name__: part for part in (Standing, RealParameters, WarmStart, Chains, *RULES.values())}


def _digest(value):
    """A number, string, array, None or tuple of these, or data, as characters that differ where it does."""
    if isinstance(value, PackedSpins):
        seen, used = hashlib.sha256(), 0xFF << -value.n_visible % 8 & 0xFF  # bits of the last byte that are spins
        for start in range(0, len(value.bits), ROWS):
            bits = np.array(value.bits[start : start + ROWS])
            bits[:, -1] &= used
            seen.update(bits)
        return f"{value.shape} {seen.hexdigest()}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(np.ascontiguousarray(value)).hexdigest()}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_digest, value))})"
    return repr(value.item() if isinstance(value, np.generic) else value)


def _plant(tree, arrays):
    """Put the arrays of nested tuples and lists into a dict; return their structure for JSON.

    Arrays keep the order of their axes in memory, on which the bits of matrix products may depend.
    """
    if isinstance(tree, np.ndarray):
        order = sorted(range(tree.ndim), key=lambda axis: -abs(tree.strides[axis]))
        arrays[f"array.{len(arrays)}"] = tree.transpose(order)
        return {"array": len(arrays) - 1, "order": order}
    if isinstance(tree, (tuple, list)):
        name = type(tree).__name__
        return {"type": name, "parts": [_plant(part, arrays) for part in tree]}
    return tree


def _grow(structure, arrays):
    """What `_plant` took apart."""
    if not isinstance(structure, dict):
        return structure
    if "array" in structure:
        return arrays[f"array.{structure['array']}"].transpose(np.argsort(structure["order"]))
    parts, name = [_grow(part, arrays) for part in structure["parts"]], structure["type"]
    return TYPES[name](*parts) if name in TYPES else {"tuple": tuple, "list": list}[name](parts)


def _write(path, standing, problem):
    lengths = [len(rows) for rows in standing.rows]
    packed = standing._replace(rows=(np.concatenate(standing.rows) if sum(lengths) else np.empty((0, 0)), *lengths))
    arrays = {}
    told = {"vmfcore": __version__, "problem": problem, "standing": _plant(packed, arrays)}
    try:
        write_archive(path, KIND, arrays | {"told": np.array(json.dumps(told))})
    except OSError as error:
        kept = "what an earlier step left there is whole" if path.exists() else "nothing was written"
        raise OSError(error.errno, f"checkpoint cannot be written ({error.strerror}); {kept}", str(path)) from error


def _read(path, problem):
    """The Standing in a file that was written for the same problem."""
    arrays = read_archive(path, KIND, "fit", "checkpoint")
    told = json.loads(str(arrays["told"]))
    saved = told["problem"] | {"the version of vmfcore": told["vmfcore"]}
    wanted = problem | {"the version of vmfcore": __version__}
    other = sorted(name for name in saved | wanted if saved.get(name) != wanted.get(name))
    if other:
        raise ValueError(
            f"checkpoint must be of the same fit, got {path}, of one with other {', '.join(other)}: "
            "give another file, or delete this one to start again"
        )
    standing = _grow(told["standing"], arrays)
    rows, *lengths = standing.rows
    ends = np.cumsum(lengths)
    return standing._replace(rows=[[*rows[end - n : end]] for end, n in zip(ends, lengths, strict=True)])


@contextlib.contextmanager
def _deferred_interrupt():
    """Context that yields a flag, which the first Ctrl-C sets; a second stops at once.  Other handlers stay."""
    flag = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield flag
        return

    def note(number, frame):
        flag.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)
    if flag.is_set():
        raise KeyboardInterrupt


@contextlib.contextmanager
def kept_in(path, every, problem):
    """Context that yields the Standing in the file, None where there is none, and ``keep(standing, last)``.

    keep writes at every so many steps, at the last, and at Ctrl-C, which then takes effect.  ``problem`` holds all that
    the climb depends on.  Without a path nothing is read or written.
    """
    if path is None:
        yield None, lambda standing, last: None
        return
    path, problem = check_target(path, "checkpoint"), {name: _digest(value) for name, value in problem.items()}
    found = _read(path, problem) if path.exists() else None
    with _deferred_interrupt() as interrupted:

        def keep(standing, last):
            stop = interrupted.is_set()
            if last or standing.n_steps % every == 0 or stop:
                _write(path, standing, problem)
            if stop:
                raise KeyboardInterrupt(f"fit stopped; all that it did is kept in {path}")

        yield found, keep
