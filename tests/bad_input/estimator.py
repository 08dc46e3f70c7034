"""The estimator for scikit-learn: its constructor keeps what it is given, and `fit` looks at it."""

import copy
from functools import cache, wraps

import numpy as np
from bad_input.common import BETA, SPINS, Case
from scipy.sparse import csr_array

import vmfcore as vmf
from vmfcore.estimator import BinaryRBM


@wraps(BinaryRBM)
def fitted(**parameters):
    return BinaryRBM(**parameters).fit(SPINS)


@cache
def one_fitted():
    """Fitted by the first test that needs it, not while the tests are collected."""
    return fitted(n_components=3, n_iter=1, random_state=0)


def of_one_fitted(name):
    """A method of it."""

    @wraps(getattr(BinaryRBM(), name))
    def call(*arguments, **options):
        return getattr(one_fitted(), name)(*arguments, **options)

    return call


def fit(X):
    """A fit to X."""
    return BinaryRBM(3, n_iter=1, random_state=0).fit(X)


def partial_fit(X):
    """A pass over X."""
    return copy.copy(one_fitted()).partial_fit(X)


def score(X):
    """Of X."""
    return one_fitted().score(X)


def number(name):
    return [
        (0, ValueError, f"{name} must be an integer >= 1, got 0"),
        (1.5, TypeError, f"{name} must be an integer >= 1, got 1.5"),
        (None, TypeError, f"{name} must be an integer >= 1, got None"),
    ]


RANDOM_STATE = [
    (-1, ValueError, "random_state must be an integer >= 0, got -1"),
    ("zero", TypeError, "random_state must be an integer >= 0, got 'zero'"),
    (np.random.default_rng(0), TypeError, "random_state must be an integer >= 0, got Generator"),
]
NEW_DATA = [
    (SPINS * 0.5, ValueError, r"X must hold 0 and 1, or -1 and \+1, or binarize be a threshold, got 0.5 at index"),
    (2 * SPINS, ValueError, r"X must hold 0 and 1, or -1 and \+1, or binarize be a threshold, got 2 at index \(0, 0\)"),
    (SPINS * [1, 0, -1, 1, 1], ValueError, r"X must hold -1 and \+1, .*, got 0 at index \(0, 1\)"),
    (csr_array(SPINS * [1, 0, -1, 1, 1]), ValueError, r"X must hold -1 and \+1, .*, got 0 at index \(0, 1\)"),
    (np.full((7, 5), np.nan), ValueError, "Input X contains NaN"),
    (SPINS[0], ValueError, "Expected 2D array, got 1D array instead"),
    (SPINS[:0], ValueError, r"Found array with 0 sample\(s\)"),
    ([["a", "b"]], ValueError, "dtype='numeric' is not compatible with arrays of"),
]
OTHER_DATA = [*NEW_DATA, (SPINS[:, :3], ValueError, "X has 3 features, but BinaryRBM is expecting 5 features")]
N_SWEEPS = [(0, ValueError, "n_sweeps must be an integer >= 1, got 0")]

CASES = {
    "estimator.BinaryRBM": Case(
        fitted,
        {"n_components": 3, "n_iter": 1, "random_state": 0},
        {
            "n_components": number("n_components"),
            "beta": BETA,
            "objective": [(vmf.Annealed(), TypeError, "objective must be Objective or None, got Annealed")],
            "rule": [("adam", TypeError, "rule must be Natural, Adam or None, got 'adam'")],
            "learn": [(True, TypeError, "learn must be Learn or None, got True")],
            "batch_size": number("batch_size"),
            "n_iter": number("n_iter"),
            "binarize": [
                (np.nan, ValueError, r"binarize must be a real number in \(-inf, inf\), got nan"),
                ("half", TypeError, r"binarize must be a real number in \(-inf, inf\), got 'half'"),
            ],
            "verbose": [("yes", TypeError, "verbose must be int, got 'yes'")],
            "random_state": RANDOM_STATE,
        },
    ),
    "estimator.BinaryRBM.fit": Case(fit, {"X": SPINS}, {"X": NEW_DATA}),
    "estimator.BinaryRBM.partial_fit": Case(partial_fit, {"X": SPINS}, {"X": OTHER_DATA}),
    "estimator.BinaryRBM.transform": Case(of_one_fitted("transform"), {"X": SPINS}, {"X": OTHER_DATA}),
    "estimator.BinaryRBM.score_samples": Case(
        of_one_fitted("score_samples"),
        {"X": SPINS},
        {"X": OTHER_DATA, "normalized": [(1, TypeError, "normalized must be True or False, got 1")]},
    ),
    "estimator.BinaryRBM.score": Case(score, {"X": SPINS}, {"X": OTHER_DATA}),
    "estimator.BinaryRBM.sample": Case(
        of_one_fitted("sample"),
        {},
        {
            "n_samples": [(0, ValueError, "n_samples must be an integer >= 1, got 0")],
            "n_sweeps": N_SWEEPS,
            "random_state": RANDOM_STATE,
        },
    ),
    "estimator.BinaryRBM.inpaint": Case(
        of_one_fitted("inpaint"),
        {"X": SPINS, "mask": SPINS[0] == 1, "n_sweeps": 2},
        {
            "X": OTHER_DATA,
            "mask": [
                (SPINS[0], TypeError, "mask must hold True and False, got dtype int8"),
                (SPINS[0, :3] == 1, ValueError, r"mask must be a non-empty array of shape \(5\), got shape \(3,\)"),
                (SPINS[:3] == 1, ValueError, r"mask must be a non-empty array of shape \(7, 5\), got shape \(3, 5\)"),
                ("left", TypeError, "mask must be a real array"),
            ],
            "n_sweeps": N_SWEEPS,
            "random_state": RANDOM_STATE,
        },
    ),
}
