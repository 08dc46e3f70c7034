"""Small problems that several tests share."""

from typing import NamedTuple

import numpy as np

import vmfcore as vmf
from vmfcore.bounds.data_term import DataTerm
from vmfcore.machines.machine import Machine


def small_machine(rng, n_visible=5, n_hidden=3, weights=None):
    """One with fields and another temperature for each hidden unit."""
    weights = rng.choice([-1, 1], size=(n_visible, n_hidden)) if weights is None else weights
    beta = rng.uniform(0.5, 1.5, size=n_hidden)
    return Machine(weights, beta, rng.normal(scale=0.4, size=n_visible), rng.normal(scale=0.4, size=n_hidden))


def planted(n_visible, n_hidden, alpha, seed, beta=1.0, q=0.0):
    """A teacher, and α N samples of it."""
    teacher = vmf.planted(n_visible, n_hidden, beta, correlation=q, seed=seed)
    return teacher, vmf.sample(teacher, round(alpha * n_visible), seed=seed)


def same(one, other):
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(one, other, strict=True)]
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


class Term(NamedTuple):
    """A data term with its gradient as an array."""

    value: np.ndarray
    gradient: np.ndarray
    log_beta: np.ndarray
    hidden_fields: np.ndarray


def of_students(data_term):
    """A data term as a function of the means (N, P) of one student, or of those (R, N, P) of several."""

    def term(data, means, beta, hidden_fields=None, with_value=True):
        replicas = means if means.ndim == 3 else means[None]
        beta, hidden_fields = (x if np.ndim(x) != 1 else np.array(x)[None] for x in (beta, hidden_fields))
        found = data_term(data, np.ascontiguousarray(replicas), beta, hidden_fields, with_value)
        assert isinstance(found, DataTerm)
        whole = Term(found.value, found.gradient, found.log_beta, found.hidden_fields)
        return whole if means.ndim == 3 else Term(*(part[0] for part in whole))

    return term


def packed(spins):
    """Bits of ±1 spins."""
    return np.packbits(np.asarray(spins) > 0, axis=1)


def unpacked(bits, n):
    """±1 spins of bits."""
    return 2.0 * np.unpackbits(bits, axis=1, count=n) - 1
