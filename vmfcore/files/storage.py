"""Machines and results in files, which are complete and unaltered, or refused."""

from os import PathLike
from typing import Any

import numba
import numpy as np

from vmfcore._version import __version__
from vmfcore.data.packing import PackedSpins
from vmfcore.files.archives import check_target, read_archive, write_archive
from vmfcore.machines.machine import Machine, check_machine

FORMAT = 1  # of the files of machines
COLUMN = "table."  # what the names of a table's columns begin with in the file
RESERVED = ("kind", "file", "vmfcore_version", "numpy_version", "numba_version")
STORED = "biufU"  # kinds of arrays that files keep: no pickled objects


def save_machine(path: str | PathLike, machine: Machine, **metadata: Any) -> None:
    """Keep a machine in a file, synapses of ±1 as bits; the file is complete or, if anything fails, as it was before.

    Parameters
    ----------
    path : path
        The file, an archive that `numpy.load` reads; the name is taken as it is.
    machine : Machine
    **metadata : str, int, float, bool or array
        Anything to be kept with it.

    Raises
    ------
    FileNotFoundError
        If there is no folder for the file.
    TypeError, ValueError
        If an argument is not as above.

    Notes
    -----
    The archive's comment is the sha256 of all that comes before it.
    """
    path, machine = check_target(path), check_machine(machine)
    arrays = {"format": np.array(FORMAT), "vmfcore_version": np.array(__version__)} | machine._asdict()
    weights = machine.weights
    if isinstance(weights, PackedSpins) or weights.dtype == np.int8:
        arrays["weights"] = np.packbits(np.asarray(weights) > 0)
    for name, value in metadata.items():
        if isinstance(value, (list, tuple)):
            raise TypeError(f"{name} must be a string, a number or an array of them, got {value!r}")
        arrays[f"metadata.{name}"] = _stored(name, value)
    write_archive(path, "a machine", arrays)


def load_machine(path: str | PathLike) -> tuple[Machine, dict]:
    """A machine that `save_machine` wrote.

    Parameters
    ----------
    path : path

    Returns
    -------
    machine : Machine
        Synapses of ±1 stay packed, and are worked with as they are; ``machine.weights.dense()`` is an array of them.
    metadata : dict
        Numbers and strings as Python's, arrays as they were.

    Raises
    ------
    FileNotFoundError
        If there is no file at ``path``.
    TypeError, ValueError
        If the file is not one that `save_machine` wrote, or any of its bytes has changed.
    """
    arrays = read_archive(path, "a machine", "save_machine")
    if arrays["format"] != FORMAT:
        raise ValueError(f"path must be a machine of format {FORMAT}, got {path} of format {arrays['format']}")
    parts = [arrays[name] for name in Machine._fields]
    if parts[0].dtype == np.uint8:
        n_visible, n_hidden = parts[2].size, parts[3].size
        bits = np.unpackbits(parts[0], count=n_visible * n_hidden).reshape(n_visible, n_hidden)
        parts[0] = PackedSpins(np.packbits(bits, axis=1), n_hidden)
    return Machine(*parts), _plain(_under("metadata.", arrays))


def save_results(path: str | PathLike, *, table: dict | None = None, **arrays: Any) -> None:
    """Keep results in a file, with the versions of what computed them: whole or, if anything fails, as it was before.

    Parameters
    ----------
    path : path
        The file, an archive that `numpy.load` reads; the name is taken as it is.
    table : dict of columns, or None
        A tidy table: a list or array of numbers or strings each, all of the same length; one row an observation.
    **arrays : str, number, list or array of them
        Anything else: parameters, seed, arrays.

    Raises
    ------
    FileNotFoundError
        If there is no folder for the file.
    TypeError, ValueError
        If an argument is not as above.

    Notes
    -----
    The archive's comment is the sha256 of all that comes before it.
    """
    path, columns = check_target(path), {}
    if table is not None:
        if not isinstance(table, dict) or not all(isinstance(name, str) for name in table):
            raise TypeError(f"table must be a dict of columns with names or None, got {table!r}")
        columns = {COLUMN + name: _stored(f"table[{name!r}]", column) for name, column in table.items()}
        shapes = {column.shape for column in columns.values()}
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
            raise ValueError(f"table must have columns of one length, got shapes {sorted(shapes)}")
    for name in arrays:
        if name in RESERVED or name.startswith(COLUMN):
            raise ValueError(f"arrays must have other names than {', '.join(RESERVED)} and {COLUMN}..., got {name}")
    named = {name: _stored(name, value) for name, value in arrays.items()}
    versions = {"vmfcore": __version__, "numpy": np.__version__, "numba": numba.__version__}
    versions = {f"{name}_version": np.array(version) for name, version in versions.items()}
    write_archive(path, "results", named | columns | versions)


def _stored(name, value):
    """What a file can keep of a value, as an array."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} must be a string, a number or an array of them: {error}") from error
    if array.dtype.kind not in STORED:
        raise TypeError(f"{name} must be a string, a number or an array of them, got {value!r}")
    return array


def _under(prefix, arrays):
    """Those whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _plain(arrays):
    """Numbers and strings as Python's, arrays as they are."""
    return {name: a if a.ndim else a.item() for name, a in arrays.items()}


def load_results(path: str | PathLike) -> tuple[dict, dict]:
    """Results that `save_results` wrote.

    Parameters
    ----------
    path : path

    Returns
    -------
    table : dict of (n,) arrays
        Columns, of no length if none was saved.
    values : dict
        All else, with vmfcore_version, numpy_version and numba_version; numbers and strings as Python's, arrays as
        they were.

    Raises
    ------
    FileNotFoundError
        If there is no file at ``path``.
    TypeError, ValueError
        If the file is not one that `save_results` wrote, or any of its bytes has changed.
    """
    arrays = read_archive(path, "results", "save_results")
    values = {name: a for name, a in arrays.items() if not name.startswith(COLUMN)}
    return _under(COLUMN, arrays), _plain(values)
