"""Bounds: what they are made of, and what they are evaluated on."""

import numpy as np
from bad_input.common import BETA, DATA, FIELDS, MEANS, SEED, SPINS, Case

import vmfcore as vmf
from vmfcore.bounds.enumeration import mean_log_partition

PRIOR = [(0.3, TypeError, "prior must be Prior, got 0.3"), (vmf.Prior, TypeError, "prior must be Prior, got <class")]
OBJECTIVE = [
    ("gaussian", TypeError, "objective must be Objective, got 'gaussian'"),
    (vmf.Annealed(), TypeError, "objective must be Objective, got Annealed"),
    (None, TypeError, "objective must be Objective, got None"),
]
OF_A_BOUND = [
    *OBJECTIVE,
    (vmf.Objective(kl_weight=0.5), ValueError, "objective.kl_weight must be 1 for a bound, got 0.5"),
    (vmf.Objective(kl_weight=(2.0, 1.0)), ValueError, r"objective.kl_weight must be 1 for a bound, got \(2.0, 1.0\)"),
    (
        vmf.Objective(model_term=vmf.Annealed(vmf.Gibbs(3, 2, bound_every=2))),
        ValueError,
        "bound_every must be None outside a fit, got 2",
    ),
    (vmf.Objective(model_term=vmf.Quenched(n_points=48)), ValueError, "n_points must be a power of two, got 48"),
]
MEANS_ROWS = [
    (MEANS[:3], ValueError, r"means must be a non-empty array of shape \(5, any\), got shape \(3, 3\)"),
    (MEANS + 1.1, ValueError, r"means must hold means in \[-1, 1\], got 1.1"),
    (MEANS * np.nan, ValueError, "means must hold finite numbers"),
    (MEANS * 1j, TypeError, "means must be a real array"),
]
ON = {"spins": SPINS, "means": MEANS, "beta": 1.0}
BOUND = {"spins": DATA, "means": MEANS_ROWS, "beta": BETA, "objective": OF_A_BOUND, "fields": FIELDS, "seed": SEED}

CASES = {
    "Annealed": Case(
        vmf.Annealed,
        {},
        {
            "solver": [
                ("exact", TypeError, "solver must be Exact, Cavity, Tap or Gibbs, got 'exact'"),
                (vmf.Vamp(), TypeError, "solver must be Exact, Cavity, Tap or Gibbs, got Vamp"),
                (vmf.Exact, TypeError, "solver must be Exact, Cavity, Tap or Gibbs, got <class"),
            ]
        },
    ),
    "Quenched": Case(
        vmf.Quenched,
        {},
        {
            "solver": [
                ("tap", TypeError, "solver must be Exact, Cavity or Tap, got 'tap'"),
                (vmf.Gibbs(), TypeError, "solver must be Exact, Cavity or Tap, got Gibbs"),
            ],
            "n_points": [
                (0, ValueError, "n_points must be an integer >= 1, got 0"),
                (64.0, TypeError, "n_points must be an integer >= 1, got 64.0"),
            ],
        },
    ),
    "Prior": Case(
        vmf.Prior,
        {},
        {
            "mean": [
                (1.0, ValueError, r"mean must be a real number in \(-1, 1\), got 1.0"),
                (-1.0, ValueError, r"mean must be a real number in \(-1, 1\), got -1.0"),
                ("up", TypeError, r"mean must be a real number in \(-1, 1\), got 'up'"),
            ],
            "correlation": [
                (1.0, ValueError, r"correlation must be a real number in \(-1, 1\), got 1.0"),
                (1.5, ValueError, r"correlation must be a real number in \(-1, 1\), got 1.5"),
                (-1.1, ValueError, r"correlation must be a real number in \(-1, 1\), got -1.1"),
                ("q", TypeError, "correlation must be a real number"),
            ],
        },
    ),
    "Objective": Case(
        vmf.Objective,
        {},
        {
            "data_term": [
                ("gauss", ValueError, "data_term must be one of 'gaussian', 'exact', 'calibrated', got 'gauss'"),
                ("tap", ValueError, "data_term must be one of 'gaussian', 'exact', 'calibrated', got 'tap'"),
                (1, TypeError, "data_term must be one of"),
            ],
            "model_term": [
                ("annealed", TypeError, "model_term must be Annealed or Quenched, got 'annealed'"),
                (vmf.Tap(), TypeError, "model_term must be Annealed or Quenched, got Tap"),
                (None, TypeError, "model_term must be Annealed or Quenched, got None"),
            ],
            "prior": [
                *PRIOR,
                (
                    vmf.Prior(correlation=0.3),
                    ValueError,
                    "prior.correlation must be 0 for a factorized Q, got 0.3: infer_weights can use it",
                ),
            ],
            "kl_weight": [
                (0.0, ValueError, r"kl_weight must be a real number in \(1e-06, 1e\+06\), got 0.0"),
                ((1.0,), ValueError, r"kl_weight must be a number or \(first, last\), got \(1.0,\)"),
                ((1.0, -1.0), ValueError, r"kl_weight must be a real number in \(1e-06, 1e\+06\), got -1.0"),
                (np.ones(3), ValueError, r"kl_weight must be a number or \(first, last\), got array"),
                ("cold", TypeError, "kl_weight must be a real number in"),
            ],
        },
    ),
    "bound": Case(vmf.bound, ON, BOUND),
    "bound_gradient": Case(
        vmf.bound_gradient,
        ON,
        BOUND | {"means": [*MEANS_ROWS, (MEANS - 1, ValueError, r"means must be inside \(-1, 1\)")]},
    ),
    "exact_posterior": Case(
        vmf.exact_posterior,
        {"spins": SPINS, "n_hidden": 2, "beta": 1.0},
        {
            "spins": DATA,
            "n_hidden": [
                (5, ValueError, "n_hidden must leave N P <= 20 for a sum over all synapses, got 5 with N = 5"),
                (0, ValueError, "n_hidden must be an integer >= 1, got 0"),
                (2.0, TypeError, "n_hidden must be an integer >= 1, got 2.0"),
            ],
            "beta": [
                (0.0, ValueError, "beta must be a real number in"),
                (np.ones(2), TypeError, "beta must be a real number in"),
            ],
            "prior": PRIOR,
        },
    ),
    "bounds.enumeration.mean_log_partition": Case(
        mean_log_partition,
        {"means": MEANS, "beta": 1.0},
        {
            "means": [
                (np.zeros((200, 3)), ValueError, r"means must have few hidden units .* got shape \(200, 3\)"),
                (MEANS + 2, ValueError, r"means must hold means in \[-1, 1\]"),
            ],
            "beta": [(-1, ValueError, "beta must be a real number in")],
        },
    ),
}
