"""Solvers and the networks that they are given."""

import numpy as np
from bad_input.common import MEANS, SEED, Case

import vmfcore as vmf
from vmfcore.networks.chains import start_chains
from vmfcore.networks.exact import log_partition

ITERATION = {  # of every message passing
    "damping": [
        (1.0, ValueError, r"damping must be a real number in \[0, 0.95\], got 1.0"),
        (0.96, ValueError, r"damping must be a real number in \[0, 0.95\], got 0.96"),
        (-0.1, ValueError, r"damping must be a real number in \[0, 0.95\], got -0.1"),
        (None, TypeError, r"damping must be a real number in \[0, 0.95\], got None"),
    ],
    "tol": [
        (0.0, ValueError, "tol must be a real number in"),
        (-1e-9, ValueError, "tol must be a real number in"),
        (np.nan, ValueError, "tol must be a real number in"),
        ("small", TypeError, "tol must be a real number in"),
    ],
    "max_iter": [
        (0, ValueError, "max_iter must be an integer >= 1, got 0"),
        (1e3, TypeError, "max_iter must be an integer >= 1, got 1000.0"),
    ],
}
CHAINS = {
    "n_chains": [
        (1, ValueError, "n_chains must be an integer >= 2, got 1"),
        (2.0, TypeError, "n_chains must be an integer >= 2, got 2.0"),
    ],
    "n_temperatures": [
        (0, ValueError, "n_temperatures must be an integer >= 1, got 0"),
        (True, TypeError, "n_temperatures must be an integer >= 1, got True"),
    ],
    "bound_every": [
        (0, ValueError, "bound_every must be an integer >= 1, got 0"),
        (0.5, TypeError, "bound_every must be an integer >= 1, got 0.5"),
    ],
    "n_rungs": [
        (0, ValueError, "n_rungs must be an integer >= 1, got 0"),
        (2.0, TypeError, "n_rungs must be an integer >= 1, got 2.0"),
        (101, ValueError, "n_rungs must be at most 100, got 101"),
    ],
}
NETWORK = vmf.Network(MEANS, np.zeros(5), np.zeros(3))
NETWORKS = [
    (MEANS, TypeError, "network must be a Network, got ndarray"),
    (tuple(NETWORK), TypeError, "network must be a Network, got tuple"),
    (NETWORK._replace(couplings=MEANS[0]), ValueError, "couplings must be a non-empty array of shape"),
    (NETWORK._replace(couplings=MEANS * np.nan), ValueError, "couplings must hold finite numbers"),
    (NETWORK._replace(couplings=MEANS + 101), ValueError, r"couplings must be in \[-100, 100\], got 101 in size"),
    (NETWORK._replace(couplings="J"), TypeError, "couplings must be a real array"),
    (
        NETWORK._replace(visible_fields=np.zeros(3)),
        ValueError,
        r"visible_fields must be a non-empty array of shape \(5\), got shape \(3,\)",
    ),
    (NETWORK._replace(visible_fields=np.full(5, 1e7)), ValueError, r"visible_fields must be in \[-1e\+06, 1e\+06\]"),
    (
        NETWORK._replace(hidden_fields=np.zeros(5)),
        ValueError,
        r"hidden_fields must be a non-empty array of shape \(any, 3\), got shape \(1, 5\)",
    ),
    (NETWORK._replace(hidden_fields=np.full(3, np.inf)), ValueError, "hidden_fields must hold finite numbers"),
    (NETWORK._replace(hidden_fields=np.full(3, 1e7)), ValueError, r"hidden_fields must be in \[-1e\+06, 1e\+06\]"),
]
MAGNETIZATIONS = [
    (np.ones((3, 5)), ValueError, r"start must be a non-empty array of shape \(8\), got shape \(3, 5\)"),
    (np.ones(5), ValueError, r"start must be a non-empty array of shape \(8\), got shape \(5,\)"),
    (np.full(8, np.nan), ValueError, "start must hold finite numbers"),
    ("abc", TypeError, "start must be a real array"),
]
WIDE = vmf.Network(np.zeros((2, 21)), np.zeros(2), np.zeros(21))


def chains(n_chains, n_hidden, n_rungs=1):
    """Chains of one network, as `Gibbs` hands them back."""
    network = np.zeros((1, 5, n_hidden)), np.zeros((1, 5)), np.zeros((1, n_hidden))
    return start_chains(*network, vmf.Gibbs(n_chains, 1, n_rungs=n_rungs).cold_start(np.zeros(5), 0))[0]


def solve(solver, bad):
    return Case(solver.solve, {"network": NETWORK}, {"network": NETWORKS} | bad)


CASES = {
    "Exact": Case(vmf.Exact, {}, {}),
    "Cavity": Case(vmf.Cavity, {}, ITERATION),
    "Tap": Case(vmf.Tap, {}, ITERATION),
    "Vamp": Case(vmf.Vamp, {}, ITERATION),
    "Gibbs": Case(vmf.Gibbs, {}, CHAINS),
    "Exact.solve": solve(
        vmf.Exact(),
        {
            "network": [
                *NETWORKS,
                (WIDE, ValueError, r"solver must be Cavity, Tap or Gibbs for more than 20 hidden units, .* and 21"),
            ],
            "start": [(np.ones(8), ValueError, "start must be None for an exact sum, got ndarray")],
        },
    ),
    "Cavity.solve": solve(
        vmf.Cavity(),
        {
            "start": [
                (np.ones((5, 3)), ValueError, r"start must be a non-empty array of shape \(3, 5\), got shape \(5, 3\)"),
                (np.zeros((3, 5)), ValueError, "start must hold positive odds ratios, got "),
                (np.full((3, 5), np.inf), ValueError, "start must hold finite numbers"),
                ("abc", TypeError, "start must be a real array"),
            ]
        },
    ),
    "Tap.solve": solve(
        vmf.Tap(),
        {"start": [*MAGNETIZATIONS, (np.full(8, 1.5), ValueError, r"start must hold means in \[-1, 1\], got 1.5")]},
    ),
    "Vamp.solve": solve(
        vmf.Vamp(),
        {
            "start": [
                *MAGNETIZATIONS,
                (np.full(8, np.inf), ValueError, "start must hold finite numbers"),
                (np.full(8, 1e101), ValueError, r"start must be in \[-1e\+100, 1e\+100\], got 1e\+101 in size"),
            ]
        },
    ),
    "Gibbs.solve": solve(
        vmf.Gibbs(3, 2),
        {
            "network": [
                *NETWORKS,
                (
                    NETWORK._replace(hidden_fields=np.zeros((2, 3))),
                    ValueError,
                    r"hidden_fields must have shape \(P,\) for chains, got \(2, 3\)",
                ),
            ],
            "start": [
                (MEANS, TypeError, "start must be the messages of an earlier run or None, got ndarray"),
                (chains(3, 4), ValueError, "start must hold 3 chains of 3 hidden units, got 3 of 4"),
                (chains(5, 3), ValueError, "start must hold 3 chains of 3 hidden units, got 5 of 3"),
                (chains(3, 3, 2), ValueError, "start must hold chains of n_rungs=1, got 2"),
            ],
            "seed": SEED,
        },
    ),
    "networks.exact.log_partition": Case(
        log_partition,
        NETWORK._asdict(),
        {
            "couplings": [
                (np.zeros((21, 21)), ValueError, "couplings must have at most 20"),
                ([[]], ValueError, "coupl"),
                (MEANS + 2e6, ValueError, r"couplings must be in \[-1e\+06, 1e\+06\], got 2e\+06 in size"),
            ],
            "visible_fields": [
                (np.full(5, 1e7), ValueError, r"visible_fields must be in \[-1e\+06, 1e\+06\], got 1e\+07 in size")
            ],
            "hidden_fields": [(np.zeros(5), ValueError, r"hidden_fields must be a non-empty array of shape \(3\)")],
        },
    ),
}
