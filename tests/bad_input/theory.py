"""The theory for N → ∞."""

import numpy as np
from bad_input.common import SEED, Case

import vmfcore as vmf
from vmfcore import theory

DENSITIES = [
    (0.0, ValueError, "alpha must hold positive numbers, got 0.0"),
    (-1.0, ValueError, "alpha must hold positive numbers, got -1.0"),
    ([], ValueError, "alpha must be a non-empty array"),
    ([1, np.nan], ValueError, "alpha must hold finite numbers"),
    ("one", TypeError, "alpha must be a real array"),
]
LIMIT = {"alpha": DENSITIES, "beta": [(np.inf, ValueError, "beta must be"), ("1", TypeError, "beta must be")]}
AT = {"alpha": 2.0, "beta": 1.0}
STATIONARY = {"singular_values": np.ones(3), "visible_fields": np.ones(5), "hidden_fields": np.ones(3)}
DYNAMICS = {
    "singular_values": [
        (np.array([1.0, -0.1, 0.5]), ValueError, "singular_values must hold numbers >= 0, got -0.1"),
        (np.ones(5), ValueError, r"singular_values must be a non-empty array of shape \(3\), got shape \(5,\)"),
        (np.array([1.0, np.nan, 0.5]), ValueError, "singular_values must hold finite numbers, got nan"),
        (np.array([1.0, 1001.0, 0.5]), ValueError, r"singular_values must be in \[-1000, 1000\], got 1001"),
        ("iid", TypeError, "singular_values must be a real array"),
    ],
    "visible_fields": [
        (np.ones((5, 1)), ValueError, r"visible_fields must be a non-empty array of shape \(any\)"),
        (np.full(5, 2000.0), ValueError, r"visible_fields must be in \[-1000, 1000\], got 2000"),
    ],
    "hidden_fields": [(np.full(3, np.nan), ValueError, "hidden_fields must hold finite numbers")],
}
SPECTRUM = {
    "n_visible": [(0, ValueError, "n_visible must be an integer >= 1, got 0")],
    "n_hidden": [(3.0, TypeError, "n_hidden must be an integer >= 1, got 3.0")],
    "ensemble": [
        ("gauss", ValueError, "ensemble must be one of 'iid', 'orthogonal', 'power-law', got 'gauss'"),
        ("power-law", TypeError, r"exponent must be a real number in \[0, 20\], got None"),
        (np.ones(5), ValueError, r"ensemble must be a non-empty array of shape \(3\), got shape \(5,\)"),
        (np.array([1.0, 2.0, -3.0]), ValueError, "ensemble must hold numbers >= 0, got -3"),
        (None, TypeError, "ensemble must be a real array"),
    ],
    "strength": [
        (-1.0, ValueError, r"strength must be a real number in \[0, 100\], got -1.0"),
        ("2", TypeError, r"strength must be a real number in \[0, 100\], got '2'"),
    ],
    "exponent": [(1.0, ValueError, "exponent must be None unless ensemble is 'power-law', got 1.0")],
}
IN_RANGE = r"must be a real number in \(1e-06, 50\), got"
TEMPERATURES = {
    name: [*((value, ValueError, f"{name} {IN_RANGE}") for value in (0, 1e-6, 50, np.inf)), ("1", TypeError, name)]
    for name in ("beta", "teacher_beta")
}
CASES = {
    "bayes_optimal_overlap": Case(vmf.bayes_optimal_overlap, AT, LIMIT),
    "theory.bayes_optimal_entropy": Case(theory.bayes_optimal_entropy, AT, LIMIT),
    "theory.free_entropy": Case(theory.free_entropy, AT, LIMIT),
    "theory.evidence_ceiling": Case(theory.evidence_ceiling, AT, LIMIT),
    "theory.principal_component_overlap": Case(theory.principal_component_overlap, AT, LIMIT),
    "theory.mismatched_overlap": Case(
        theory.mismatched_overlap,
        AT | {"teacher_beta": 1.2},
        {"alpha": DENSITIES}
        | TEMPERATURES
        | {
            "prior_mean": [(1.0, ValueError, r"prior_mean must be a real number in \(-1, 1\), got 1.0")],
            "teacher_mean": [("none", TypeError, "teacher_mean must be a real number in")],
        },
    ),
    "theory.recovery_density": Case(theory.recovery_density, {"beta": 1.0, "teacher_beta": 0.9}, TEMPERATURES),
    "critical_density": Case(
        vmf.critical_density,
        {"beta": 1.0},
        {
            "beta": [(0, ValueError, "beta must be"), (1e-100, ValueError, "beta must be a real number in")],
            "correlation": [(2.0, ValueError, "correlation must be")],
            "prior": [("flat", ValueError, "prior must be one of 'uniform', 'matched'")],
        },
    ),
    "theory.correlated_overlap": Case(
        theory.correlated_overlap,
        {"alpha": [0.5, 2.0], "beta": 1.0, "correlation": 0.3},
        {
            "alpha": DENSITIES,
            "beta": [(0.0, ValueError, "beta must be a real number in"), (50, ValueError, "beta must be")],
            "correlation": [(1.0, ValueError, r"correlation must be a real number in \(-1, 1\), got 1.0")],
            "prior": [("right", ValueError, "prior must be one of 'uniform', 'matched', got 'right'")],
        },
    ),
    "theory.dynamical_mean_field": Case(
        theory.dynamical_mean_field,
        STATIONARY,
        DYNAMICS
        | {
            "tol": [(0.0, ValueError, "tol must be a real number")],
            "max_iter": [(0, ValueError, "max_iter must be an integer >= 1")],
        },
    ),
    "theory.critical_strength": Case(
        theory.critical_strength,
        STATIONARY,
        DYNAMICS
        | {
            "singular_values": [
                *DYNAMICS["singular_values"],
                (np.zeros(3), ValueError, "singular_values must hold a positive number, got only 0"),
            ]
        },
    ),
    "theory.ensemble_spectrum": Case(
        theory.ensemble_spectrum, {"n_visible": 5, "n_hidden": 3, "ensemble": "iid"}, SPECTRUM
    ),
    "theory.random_couplings": Case(
        theory.random_couplings,
        {"n_visible": 5, "n_hidden": 3, "ensemble": "iid", "seed": 0},
        SPECTRUM | {"seed": SEED},
    ),
}
