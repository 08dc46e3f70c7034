import functools
import gzip
import hashlib
import http.server
import re
import sys
import threading

import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.data import digits as datasets


def test_all_digits():
    spins, labels = vmf.load_digits()
    assert spins.shape == (5000, 784)
    assert spins.dtype == np.int8
    assert set(np.unique(spins)) == {-1, 1}
    assert (np.bincount(labels) == 500).all()
    # the mean of MNIST's pixels above half: about 13 % are on
    assert (spins == 1).mean() == pytest.approx(0.133, abs=0.005)


def test_labels_belong_to_their_images():
    spins, labels = vmf.load_digits()
    known = {row.tobytes(): label for row, label in zip(spins, labels, strict=True)}
    part, part_labels = vmf.load_digits(100, seed=5)
    assert [known[row.tobytes()] for row in part] == list(part_labels)
    # a one is a thin stroke, a zero a ring: fewest pixels on, and none in the centre
    means = np.array([(spins[labels == digit] == 1).mean(axis=0) for digit in range(10)])
    assert means.mean(axis=1).argmin() == 1
    assert means.reshape(10, 28, 28)[:, 13:15, 13:15].mean(axis=(1, 2)).argmin() == 0


def test_a_part_is_balanced_random_and_made_of_real_rows():
    spins, labels = vmf.load_digits(37, seed=3)
    counts = np.bincount(labels, minlength=10)
    assert counts.max() - counts.min() <= 1
    everything = {row.tobytes() for row in vmf.load_digits()[0]}
    assert all(row.tobytes() in everything for row in spins)
    assert (vmf.load_digits(37, seed=3)[0] == spins).all()
    assert (vmf.load_digits(37, seed=4)[0] != spins).any()
    assert len({row.tobytes() for row in vmf.load_digits(5000, seed=1)[0]}) == len(everything)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:999] + bytes([b[999] ^ 1]) + b[1000:]])
def test_a_damaged_file_is_refused(tmp_path, damage):
    copy = tmp_path / "digits.npz"
    copy.write_bytes(damage(datasets.DIGITS.read_bytes()))
    with pytest.raises(ValueError, match="path must be the unaltered digits file"):
        vmf.load_digits(path=copy)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape("path must be the digits file")):
        vmf.load_digits(path=tmp_path / "nothing.npz")


def test_checksum_file_agrees_with_the_code():
    line = (datasets.DIGITS.parent / "SHA256SUMS").read_text().split()
    assert line == [datasets.DIGITS_SHA256, datasets.DIGITS.name]
    assert hashlib.sha256(datasets.DIGITS.read_bytes()).hexdigest() == datasets.DIGITS_SHA256


# MNIST itself is not in the repository: small files of the same format take its place, and their checksums that of its.
PIXELS = np.random.default_rng(0).integers(0, 256, size=(11, 5, 3), dtype=np.uint8)
PIXELS[0, 0] = 0, 127, 128  # the edge of the range: half of it is off
LABELS = np.random.default_rng(1).integers(0, 10, size=11, dtype=np.uint8)
N_TRAIN = 7
ARRAYS = {
    "train-images-idx3-ubyte": PIXELS[:N_TRAIN],
    "train-labels-idx1-ubyte": LABELS[:N_TRAIN],
    "t10k-images-idx3-ubyte": PIXELS[N_TRAIN:],
    "t10k-labels-idx1-ubyte": LABELS[N_TRAIN:],
}


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with two of the files gzipped, one gzipped under its plain name, one plain."""
    made = tmp_path / "idx"
    made.mkdir()
    endings = zip(ARRAYS.items(), [".gz", "", "", ".gz"], [True, True, False, True], strict=True)
    for (name, array), ending, zipped in endings:
        monkeypatch.setitem(datasets.MNIST_SHA256, name, hashlib.sha256(idx(array)).hexdigest())
        (made / (name + ending)).write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    return made


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror on this machine, and an empty cache; yields the mirror's folder."""
    served = tmp_path / "served"
    served.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=served)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr(datasets, "MIRROR", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache" / project)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield served
        server.shutdown()


def check_everything(spins, labels):
    assert spins.dtype == np.int8
    assert labels.dtype == np.int64
    assert (labels == LABELS).all()
    assert (spins == np.where(PIXELS.reshape(11, 15) > 127, 1, -1)).all()
    assert list(spins[0, :3]) == [-1, -1, 1]


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_the_full_set_from_a_directory(folder, kind):
    check_everything(*vmf.load_digits(full=True, directory=kind(folder)))


def test_the_full_set_in_grey(folder):
    grey, labels = vmf.load_digits(full=True, directory=folder, binarize="sample", seed=3)
    assert (grey.levels == PIXELS.reshape(11, 15)).all()
    assert (labels == LABELS).all()
    assert grey.seed == 3


def test_the_full_set_from_the_mirror_is_fetched_once(folder, mirror, tmp_path):
    for name, array in ARRAYS.items():
        (mirror / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    check_everything(*vmf.load_digits(full=True))
    for path in mirror.iterdir():
        path.unlink()
    check_everything(*vmf.load_digits(full=True))
    # a file that the cache has and that is damaged is named, and fetched anew once it is deleted
    name = "t10k-images-idx3-ubyte"
    cached = tmp_path / "cache" / "vmfcore" / f"{name}.gz"
    (mirror / cached.name).write_bytes(cached.read_bytes())
    cached.write_bytes(b"<html>please log in</html>")
    with pytest.raises(ValueError, match=f"^{name} must be .*, got {re.escape(str(cached))}, .*: delete that file"):
        vmf.load_digits(full=True)
    cached.unlink()
    check_everything(*vmf.load_digits(full=True))


@pytest.mark.usefixtures("mirror")
def test_a_mirror_without_the_files_is_named():
    with pytest.raises(
        ConnectionError, match=f"^MNIST cannot be fetched from {datasets.MIRROR}: 404 .*directory.*t10k"
    ):
        vmf.load_digits(full=True)


def test_without_a_network_the_directory_is_named(monkeypatch, tmp_path):
    # nothing listens at port 1 of this machine
    monkeypatch.setattr(datasets, "MIRROR", "http://127.0.0.1:1/")
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(ConnectionError, match=r"^MNIST cannot be fetched from http://127.0.0.1:1/: .* give directory"):
        vmf.load_digits(full=True)


def test_without_pooch_the_directory_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match="needs pooch to fetch MNIST: pip install pooch, or give directory"):
        vmf.load_digits(full=True)
    check_everything(*vmf.load_digits(full=True, directory=folder))


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b"",
        lambda b: b[:-1],  # the end of the zipped file
        lambda b: b[:20] + bytes([b[20] ^ 1]) + b[21:],
        lambda b: b[:2] + bytes(9) + b[11:],  # no known way of zipping
        lambda b: gzip.compress(gzip.decompress(b)[:-1]),
    ],
)
def test_a_damaged_idx_file_is_refused(folder, damage):
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=f"^train-images-idx3-ubyte must be the unaltered .*{re.escape(str(path))}"):
        vmf.load_digits(full=True, directory=folder)


def test_a_missing_idx_file_is_named(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"^directory must hold t10k-labels-idx1-ubyte or .*\.gz, neither is in"
    ):
        vmf.load_digits(full=True, directory=folder)


def test_arguments_that_do_not_combine_with_the_full_set(tmp_path):
    with pytest.raises(ValueError, match=r"^n_samples must be None where full is True, got 37"):
        vmf.load_digits(37, full=True, directory=tmp_path)
    with pytest.raises(ValueError, match=r"^path must be left out where full is True"):
        vmf.load_digits(full=True, path=tmp_path / "digits.npz")
    with pytest.raises(ValueError, match=r"^binarize must be 'threshold' where full is False"):
        vmf.load_digits(binarize="sample")
    with pytest.raises(ValueError, match=r"^directory must be None where full is False"):
        vmf.load_digits(directory=tmp_path)
    with pytest.raises(TypeError, match=r"^directory must be a path or None, got 5"):
        vmf.load_digits(full=True, directory=5)
