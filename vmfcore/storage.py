"""Machines in files, which are complete and unaltered, or refused."""

import hashlib
import io
import os
import secrets
import zipfile
from pathlib import Path

import numpy as np

from vmfcore.machines import Machine, check_machine

FORMAT = 1  # of the files
DIGEST_SIZE = 64  # characters of a sha256


def _path(path):
    try:
        return Path(path)
    except TypeError as error:
        raise TypeError(f"path must be the name of a file, got {path!r}") from error


def save_machine(path, machine, **metadata):
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
    from vmfcore import __version__  # which imports this file

    path, machine = _path(path), check_machine(machine)
    if path.is_dir():
        raise ValueError(f"path must be the name of a file, got the folder {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path must be in a folder that exists, got {path}")
    arrays = {"format": np.array(FORMAT), "vmfcore_version": np.array(__version__)} | machine._asdict()
    if machine.weights.dtype == np.int8:
        arrays["weights"] = np.packbits(machine.weights > 0)
    for name, value in metadata.items():
        if isinstance(value, (list, tuple)) or np.asarray(value).dtype.kind not in "biufU":
            raise TypeError(f"{name} must be a string, a number or an array of them, got {value!r}")
        arrays[f"metadata.{name}"] = np.asarray(value)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = bytes(DIGEST_SIZE)
    content = buffer.getvalue()[:-DIGEST_SIZE]
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(part, "xb") as file:
            file.write(content + hashlib.sha256(content).hexdigest().encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load_machine(path):
    """A machine that `save_machine` wrote.

    Parameters
    ----------
    path : path

    Returns
    -------
    machine : Machine
    metadata : dict
        Numbers and strings as Python's, arrays as they were.

    Raises
    ------
    FileNotFoundError
        If there is no file at ``path``.
    TypeError, ValueError
        If the file is not one that `save_machine` wrote, or any of its bytes has changed.
    """
    path = _path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must be a machine that save_machine wrote, nothing is at {path}")
    content = path.read_bytes()
    if hashlib.sha256(content[:-DIGEST_SIZE]).hexdigest().encode() != content[-DIGEST_SIZE:]:
        raise ValueError(f"path must be a machine that save_machine wrote, and whole, got {path}: its sha256 differs")
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = dict(archive)
    if arrays["format"] != FORMAT:
        raise ValueError(f"path must be a machine of format {FORMAT}, got {path} of format {arrays['format']}")
    parts = [arrays[name] for name in Machine._fields]
    if parts[0].dtype == np.uint8:
        n_visible, n_hidden = parts[2].size, parts[3].size
        bits = np.unpackbits(parts[0], count=n_visible * n_hidden).view(np.int8)
        parts[0] = (2 * bits - 1).reshape(n_visible, n_hidden)
    metadata = {name.removeprefix("metadata."): a for name, a in arrays.items() if name.startswith("metadata.")}
    return Machine(*parts), {name: a if a.ndim else a.item() for name, a in metadata.items()}
