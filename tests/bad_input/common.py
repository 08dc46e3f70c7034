"""Arguments that many calls share, good and bad: a bad one is (value, error, what the message begins with)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import vmfcore as vmf

SPINS = np.ones((7, 5), dtype=np.int8)
MEANS = np.zeros((5, 3))
DRAWN = np.random.default_rng(0).choice([-1, 1], size=(7, 5))
NAN = np.full((7, 5), np.nan)
BITS = np.full((7, 1), 255, np.uint8)


class Case(NamedTuple):
    """A public call, arguments that it takes, and for each of them some that it must refuse."""

    call: Any
    good: dict
    bad: dict


class Later(NamedTuple):
    """An argument that takes a fit: it is made for the test that needs it, not while the tests are collected."""

    make: Callable


def made(arguments):
    """The arguments themselves, those made that were left for later."""
    return {name: value.make() if isinstance(value, Later) else value for name, value in arguments.items()}


PACKED = [
    (vmf.PackedSpins(BITS.astype(int), 5), TypeError, "spins.bits must be an array of dtype uint8, got int64"),
    (vmf.PackedSpins([[255]], 5), TypeError, "spins.bits must be an array of dtype uint8, got <class 'list'>"),
    (vmf.PackedSpins(BITS, 9), ValueError, r"spins.bits must have shape \(any, 2\) for 9 spins, got \(7, 1\)"),
    (vmf.PackedSpins(BITS[0], 5), ValueError, r"spins.bits must have shape \(any, 1\) for 5 spins, got \(1,\)"),
    (vmf.PackedSpins(BITS[:0], 5), ValueError, r"spins.bits must have shape \(any, 1\) for 5 spins, got \(0, 1\)"),
    (vmf.PackedSpins(BITS, 0), ValueError, "n_visible must be an integer >= 1, got 0"),
    (vmf.PackedSpins(BITS, 5.0), TypeError, "n_visible must be an integer >= 1, got 5.0"),
]
DATA = [
    (SPINS[0], ValueError, "spins must be a non-empty array of"),
    (SPINS[:0], ValueError, "spins must be a non-empty array of"),
    (2 * SPINS, ValueError, r"spins must hold only -1 and \+1, got 2"),
    (0 * SPINS, ValueError, r"spins must hold only -1 and \+1, got 0"),
    (SPINS * 0.5, ValueError, r"spins must hold only -1 and \+1, got 0.5"),
    (NAN, ValueError, "spins must hold finite numbers, got nan at index"),
    ("spins", TypeError, "spins must be a real array"),
    (None, TypeError, "spins must be a real array"),
    ([[1, -1], [1]], ValueError, r"spins must be a real array of shape \(any, any\)"),
    *PACKED,
]
ONE_BETA = [
    (0, ValueError, r"beta must be a real number in \(1e-06, 50\), got 0"),
    (-1.0, ValueError, "beta must be a real number in"),
    (np.inf, ValueError, "beta must be a real number in"),
    (np.nan, ValueError, "beta must be a real number in"),
    ("1", TypeError, "beta must be a real number in"),
    (True, TypeError, "beta must be a real number in"),
]
BETA = [
    *ONE_BETA,
    ([[1, 2], [3]], ValueError, "beta must be a real array of shape"),
    (np.ones(2), ValueError, r"beta must be a non-empty array of shape \(3\), got shape \(2,\)"),
    (np.array([1.0, 0.0, 2.0]), ValueError, r"beta must be a real number in \(1e-06, 50\), got"),
    (np.array([1.0, np.nan, 2.0]), ValueError, "beta must hold finite numbers"),
]
FIELDS = [
    (np.zeros(5), TypeError, r"fields must be \(visible_fields, hidden_fields\) or None, got ndarray"),
    ((np.zeros(5),), TypeError, r"fields must be \(visible_fields, hidden_fields\) or None, got tuple"),
    ((np.zeros(3), None), ValueError, r"fields\[0\] must be a non-empty array of shape \(5\), got shape \(3,\)"),
    ((np.full(5, np.inf), None), ValueError, r"fields\[0\] must hold finite numbers"),
    ((np.full(5, -1e7), None), ValueError, r"fields\[0\] must be in \[-1e\+06, 1e\+06\], got 1e\+07 in size"),
    ((None, 0.5), ValueError, r"fields\[1\] must be a non-empty array of shape \(3\), got shape \(\)"),
    ((None, ["a", "b", "c"]), TypeError, r"fields\[1\] must be a real array"),
]
SEED = [
    (-1, ValueError, "seed must be an integer >= 0, got -1"),
    (0.5, TypeError, "seed must be an integer >= 0, got 0.5"),
    (None, TypeError, "seed must be an integer >= 0, got None"),
]
MACHINE = vmf.Machine(np.ones((5, 3)), 1.0)
MACHINES = [
    (MACHINE.couplings, TypeError, "machine must be Machine, got "),
    (None, TypeError, "machine must be Machine, got None"),
    (MACHINE._replace(weights=MEANS + 2), ValueError, r"machine.weights must hold means in \[-1, 1\], got 2.0"),
    (MACHINE._replace(weights=MEANS[0]), ValueError, "machine.weights must be a non-empty array of shape"),
    (MACHINE._replace(weights=NAN), ValueError, "machine.weights must hold finite numbers"),
    (
        MACHINE._replace(weights=vmf.PackedSpins(np.zeros((7, 1)), 3)),
        TypeError,
        "machine.weights.bits must be an array of dtype uint8, got float64",
    ),
    (
        MACHINE._replace(weights=vmf.PackedSpins(np.zeros((7, 2), np.uint8), 3)),
        ValueError,
        r"machine.weights.bits must have shape \(any, 1\) for 3 spins, got \(7, 2\)",
    ),
    (MACHINE._replace(beta=0.0), ValueError, "machine.beta must hold positive numbers, got 0.0"),
    (MACHINE._replace(beta=[1.0, -1.0, 1.0]), ValueError, "machine.beta must hold positive numbers, got -1.0"),
    (MACHINE._replace(beta=[1.0, 1.0]), ValueError, r"machine.beta must be a non-empty array of shape \(3\)"),
    (MACHINE._replace(beta=np.inf), ValueError, "machine.beta must hold finite numbers"),
    (MACHINE._replace(beta="1"), TypeError, "machine.beta must be a real array"),
    (MACHINE._replace(beta=[[1.0], [2.0, 3.0]]), ValueError, "machine.beta must be a real array of shape"),
    (MACHINE._replace(beta=1e39), ValueError, r"machine.beta must be in \[-1e\+06, 1e\+06\], got 1e\+39 in size"),
    (MACHINE._replace(hidden_fields=[1e39, 0, 0]), ValueError, r"machine.hidden_fields must be in \[-1e\+06, 1e\+06\]"),
    (MACHINE._replace(visible_fields=np.ones(3)), ValueError, r"machine.visible_fields must be .* shape \(5\)"),
    (MACHINE._replace(hidden_fields=np.ones(5)), ValueError, r"machine.hidden_fields must be .* shape \(3\)"),
]
