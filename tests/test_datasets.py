import hashlib
import re

import numpy as np
import pytest

import vmfcore as vmf
from vmfcore import datasets


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
