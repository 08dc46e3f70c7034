"""Checkpoints of `vmfcore.fit`: where a climb stands, in a file from which it goes on to the same bits."""

import contextlib
import hashlib
import json
import os
import signal
import threading
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from vmfcore import checks
from vmfcore._version import __version__
from vmfcore.bounds.model_term import WarmStart
from vmfcore.data.packing import PackedSpins
from vmfcore.files.archives import check_target, read_archive, write_archive
from vmfcore.learning.climb import ClimbState
from vmfcore.learning.parameters import RealParameters
from vmfcore.learning.rules import AdamState, NaturalState
from vmfcore.networks.chains import Chains
from vmfcore.networks.tempering import Ladder

KIND = "a checkpoint"
ROWS = 4096  # of data that are looked at together
TYPES = {
    part.__name__: part for part in (ClimbState, RealParameters, WarmStart, Chains, Ladder, NaturalState, AdamState)
}


@dataclass(frozen=True)
class Checkpoint:
    """A file that keeps where a fit stands: whole, or as it was before.

    It is written before the first step, every so many steps, at the last, and when Ctrl-C stops the fit.

    Parameters
    ----------
    path : path
        Of the file.
    every : int >= 1
        Steps between two writes.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.Checkpoint("fit.npz")
    Checkpoint(path='fit.npz', every=100)
    """

    path: str | os.PathLike
    every: int = 100

    def __post_init__(self):
        if not isinstance(self.path, (str, os.PathLike)):
            raise TypeError(f"path must be the name of a file, got {self.path!r}")
        checks.keep(self, path=str(os.fspath(self.path)), every=checks.integer(1, every=self.every))


def check_checkpoint(checkpoint) -> Checkpoint | None:
    """A path is a `Checkpoint` with its defaults."""
    if checkpoint is None or isinstance(checkpoint, Checkpoint):
        return checkpoint
    if not isinstance(checkpoint, (str, os.PathLike)):
        raise TypeError(f"checkpoint must be Checkpoint, the name of a file or None, got {checkpoint!r}")
    return Checkpoint(checkpoint)


def _description(name, value):
    """A dict of what ``value`` consists of, by dotted names: characters that differ where it does."""
    if is_dataclass(value):
        parts = {name: type(value).__name__}
        for field in fields(value):
            parts |= _description(f"{name}.{field.name}", getattr(value, field.name))
        return parts
    if isinstance(value, PackedSpins):
        return {name: f"{value.shape} {_digest_of_spins(value)}"}
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
        return {name: f"{value.dtype} {value.shape} {digest}"}
    return {name: repr(value.item() if isinstance(value, np.generic) else value)}


def _digest_of_spins(data):
    seen = hashlib.sha256()
    used = 0xFF << -data.n_visible % 8 & 0xFF  # bits of the last byte that are spins
    for start in range(0, len(data.bits), ROWS):
        bits = np.array(data.bits[start : start + ROWS])
        bits[:, -1] &= used
        seen.update(bits.data)
    return seen.hexdigest()


def described(parts):
    """All that something depends on, a dict of named values, as a dict of strings that differ where it does."""
    strings = {"the version of vmfcore": __version__}
    for name, value in parts.items():
        strings |= _description(name, value)
    return strings


def _described(problem, start):
    """All that a climb depends on: the `Problem`, and ``start``, a dict."""
    parts = {
        "spins": problem.data if problem.grey is None else problem.grey,
        "objective": problem.objective,
        "rule": problem.rule,
        "learn": problem.learn,
        "n_steps": problem.n_steps,
        "batch_size": problem.batch_size,
        "seed": problem.seed,
    }
    return described(parts | start)


def _take_apart(tree, arrays):
    """Put the arrays of nested tuples and lists into a dict; return their structure for JSON.

    Arrays keep the order of their axes in memory, on which the bits of matrix products may depend.
    """
    if isinstance(tree, np.ndarray):
        order = sorted(range(tree.ndim), key=lambda axis: -abs(tree.strides[axis]))
        arrays[f"array.{len(arrays)}"] = tree.transpose(order)
        return {"array": len(arrays) - 1, "order": order}
    if isinstance(tree, (tuple, list)):
        return {"type": type(tree).__name__, "parts": [_take_apart(part, arrays) for part in tree]}
    return tree


def _put_together(structure, arrays):
    """What `_take_apart` took apart."""
    if not isinstance(structure, dict):
        return structure
    if "array" in structure:
        return arrays[f"array.{structure['array']}"].transpose(np.argsort(structure["order"]))
    parts = [_put_together(part, arrays) for part in structure["parts"]]
    name = structure["type"]
    return TYPES[name](*parts) if name in TYPES else {"tuple": tuple, "list": list}[name](parts)


def _write(path, state, described):
    # the rows of all histories as one array, and how many each restart has
    lengths = [len(rows) for rows in state.histories]
    rows = np.concatenate(state.histories) if sum(lengths) else np.empty((0, 0))
    arrays: dict[str, np.ndarray] = {}
    structure = _take_apart(state._replace(histories=(rows, *lengths)), arrays)
    about = json.dumps({"problem": described, "state": structure})
    try:
        write_archive(path, KIND, arrays | {"about": np.array(about)})
    except OSError as error:
        kept = "what an earlier step left there is whole" if path.exists() else "nothing was written"
        raise OSError(error.errno, f"checkpoint cannot be written ({error.strerror}); {kept}", str(path)) from error


def _read(path, described):
    """The state in a file that was written for the same problem."""
    arrays = read_archive(path, KIND, "fit", "checkpoint")
    if "about" in arrays:
        about = json.loads(str(arrays["about"]))
        saved = about["problem"]
        differing = sorted(name for name in saved | described if saved.get(name) != described.get(name))
    else:
        differing = ["the version of vmfcore"]  # before 0.7
    if differing:
        raise ValueError(
            f"checkpoint must be of the same fit, got {path}, of one with other {', '.join(differing)}: "
            "give another file, or delete this one to start again"
        )
    state = _put_together(about["state"], arrays)
    rows, *lengths = state.histories
    ends = np.cumsum(lengths)
    return state._replace(histories=[[*rows[end - n : end]] for end, n in zip(ends, lengths, strict=True)])


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
def kept_in(checkpoint, problem, start):
    """Context that yields the state in the file, None where there is none, and ``keep(state, last)``.

    keep writes at every so many steps, at the last, and at Ctrl-C, which then takes effect.  Without a checkpoint
    nothing is read or written.
    """
    checkpoint = check_checkpoint(checkpoint)
    if checkpoint is None:
        yield None, lambda state, last: None
        return
    path = check_target(checkpoint.path, "checkpoint")
    described = _described(problem, start)
    found = _read(path, described) if path.exists() else None
    with _deferred_interrupt() as interrupted:

        def keep(state, last):
            stop = interrupted.is_set()
            if last or state.n_steps % checkpoint.every == 0 or stop:
                _write(path, state, described)
            if stop:
                raise KeyboardInterrupt(f"fit stopped; all that it did is kept in {path}")

        yield found, keep
