"""Archives of arrays that are complete and unaltered, or refused: written in one step, sealed by their sha256."""

import hashlib
import io
import os
import secrets
import zipfile
from pathlib import Path

import numpy as np

DIGEST_SIZE = 64  # characters of a sha256
MAX_NAME = 230  # bytes: room for the ending of the temporary file


def check_path(path, name="path"):
    """The name of a file to be read or written, as a Path."""
    try:
        path = Path(path)
    except TypeError as error:
        raise TypeError(f"{name} must be the name of a file, got {path!r}") from error
    if "\0" in str(path) or len(path.name.encode()) > MAX_NAME:
        raise ValueError(
            f"{name} must be the name of a file, of up to {MAX_NAME} bytes and none of them 0, got {path!r}"
        )
    return path


def check_target(path, name="path"):
    """A Path that a file can be written to: not a folder, and in one."""
    given = check_path(path, name)
    try:
        path = Path(os.path.realpath(given))  # a link stays one, and a change of the folder changes nothing
        if path.exists() and not path.is_file():
            what = "the folder" if path.is_dir() else "the device"
            raise ValueError(f"{name} must be the name of a file, got {what} {given}")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{name} must be in a folder that exists, got {given}")
    except PermissionError as error:
        raise PermissionError(
            error.errno, f"{name} must be a file within reach ({error.strerror})", str(given)
        ) from None
    return path


def write_archive(path, kind, arrays):
    """Write arrays as an .npz of this kind whose comment is the sha256 of all before it: whole, or not at all.

    A temporary file beside it is written, forced to the disk, and takes its place in one step of the file system.
    """
    buffer = io.BytesIO()
    np.savez(buffer, kind=np.array(kind), **arrays)
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


def read_archive(path, kind, writer, name="path"):
    """The arrays of an archive of this kind that ``writer`` wrote."""
    path, what = check_path(path, name), f"{kind} that {writer} wrote"
    if not path.is_file():
        raise FileNotFoundError(f"{name} must be {what}, nothing is at {path}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OSError(error.errno, f"{name} must be {what}, and be read ({error.strerror})", str(path)) from error
    if hashlib.sha256(content[:-DIGEST_SIZE]).hexdigest().encode() != content[-DIGEST_SIZE:]:
        raise ValueError(f"{name} must be {what}, and whole, got {path}: its sha256 differs")
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = dict(archive)
    found = str(arrays.pop("kind", "a machine"))  # before 0.6 there were only machines
    if found != kind:
        raise ValueError(f"{name} must be {what}, got {path}, which is {found}")
    return arrays
