"""Where compiled kernels are kept: in a folder that is named after the sources of the whole package.

numba keeps a compiled function as long as the *file* of that function stays as it is.  But a kernel has the kernels
that it calls compiled into it, and these stand in other files: after an edit there, numba would go on with the old
equation.  So the folder carries a hash of every source of the package; an edit anywhere leads to a new folder, and the
old one is removed.

Several processes may start, compile and edit at once.  Each holds a shared lock on the folder that it uses, and a
folder is removed only under an exclusive one.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import numba

try:
    import fcntl
except ImportError:  # not on Windows: there old folders stay
    fcntl = None

PREFIX = "kernels-"


def sources_hash(package: Path) -> str:
    """Sixteen hexadecimal digits that change with any source of the package, and with the version of numba."""
    digest = hashlib.sha256(numba.__version__.encode())
    for folder, subfolders, names in os.walk(package):
        # sorted, since the order of a listing differs from disk to disk
        subfolders[:] = sorted(name for name in subfolders if name != "__pycache__")
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix == ".py" and path.is_file():  # an editor may leave links to nowhere
                content = path.read_bytes()
                digest.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode())
                digest.update(content)
    return digest.hexdigest()[:16]


def candidate_places(package: Path, user_folder: str) -> list[Path]:
    """Folders in which the kernels of this package may be kept, the best first.

    Parameters
    ----------
    package : Path
    user_folder : str
        NUMBA_CACHE_DIR, or "" where the user has not set it.
    """
    # packages of this name may be installed in several places, and share the folders of the user
    name = hashlib.sha256(str(package).encode()).hexdigest()[:16]
    places = [package / "__pycache__"]
    if user_folder:
        places.insert(0, Path(user_folder, "vmfcore", name))
    with contextlib.suppress(RuntimeError):  # a user without a home
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        places.append(Path(home, "vmfcore", name))
    return places


def open_folder(package: Path) -> Path | None:
    """The folder for the kernels of the package as it is now, made where it is missing; None if none can be written."""
    try:
        name = PREFIX + sources_hash(package)
    except OSError:  # a source that is being replaced this very moment
        return None
    for place in candidate_places(package, numba.config.CACHE_DIR):
        try:
            place.mkdir(parents=True, exist_ok=True)
            with _lock(place):  # one process at a time makes, begins to use, or removes folders
                folder = place / name
                folder.mkdir(exist_ok=True)
                tempfile.TemporaryFile(dir=folder).close()  # can it be written?
                _hold(folder)
                _remove_others(place, folder)
        except OSError:
            continue
        return folder
    return None


@contextlib.contextmanager
def _lock(place):
    """Context in which no other process is in this context for the same folder."""
    handle = _handle(place)
    if handle is None:
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _hold(folder):
    """Tell other processes, until this one ends, that it uses the folder."""
    handle = _handle(folder)
    if handle is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)  # stays open, and so locked, on purpose


def _remove_others(place, folder):
    """Remove the folders of other versions of the package that no process uses."""
    for other in place.glob(PREFIX + "*"):
        if other != folder and _is_unused(other):
            shutil.rmtree(other, ignore_errors=True)


def _is_unused(folder):
    handle = _handle(folder)
    if handle is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # used by another process, or a file system without locks
        return False
    finally:
        os.close(handle)
    return True


def _handle(folder):
    """A file descriptor of the folder, or None where folders cannot be locked."""
    return None if fcntl is None else os.open(folder, os.O_RDONLY)
