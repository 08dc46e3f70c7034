"""Small problems that several tests share."""

import numpy as np

from vmfcore.machines.machine import Machine


def small_machine(rng, n_visible=5, n_hidden=3, weights=None):
    """One with fields and another temperature for each hidden unit."""
    weights = rng.choice([-1, 1], size=(n_visible, n_hidden)) if weights is None else weights
    beta = rng.uniform(0.5, 1.5, size=n_hidden)
    return Machine(weights, beta, rng.normal(scale=0.4, size=n_visible), rng.normal(scale=0.4, size=n_hidden))


def same(one, other):
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one, other, strict=True))
