"""Every bad argument: the documented error, naming the argument and what it must be, before any work."""

import inspect
import re
import tempfile

import numpy as np
import pandas as pd
import pytest
import scipy

import vmfcore as vmf
from vmfcore import checks

SPINS = np.ones((7, 5), dtype=np.int8)
MEANS = np.zeros((5, 3))
DRAWN = np.random.default_rng(0).choice([-1, 1], size=(7, 5))
NAN = np.full((7, 5), np.nan)

BITS = np.full((7, 1), 255, np.uint8)
MACHINE = vmf.Machine(np.ones((5, 3)), 1.0)
FOLDER = tempfile.TemporaryDirectory()
PATH = f"{FOLDER.name}/machine"
vmf.save_machine(PATH, MACHINE)
RESULTS = f"{FOLDER.name}/results"
vmf.save_results(RESULTS)

PACKED = [  # where data may be packed
    (vmf.PackedSpins(BITS.astype(int), 5), TypeError, "spins.bits must be an array of dtype uint8, got int64"),
    (vmf.PackedSpins([[255]], 5), TypeError, "spins.bits must be an array of dtype uint8, got <class 'list'>"),
    (vmf.PackedSpins(BITS, 9), ValueError, r"spins.bits must have shape \(any, 2\) for 9 spins, got \(7, 1\)"),
    (vmf.PackedSpins(BITS[0], 5), ValueError, r"spins.bits must have shape \(any, 1\) for 5 spins, got \(1,\)"),
    (vmf.PackedSpins(BITS[:0], 5), ValueError, r"spins.bits must have shape \(any, 1\) for 5 spins, got \(0, 1\)"),
    (vmf.PackedSpins(BITS, 0), ValueError, "n_visible must be an integer >= 1, got 0"),
    (vmf.PackedSpins(BITS, 5.0), TypeError, "n_visible must be an integer >= 1, got 5.0"),
]
BOUND = {
    "spins": [
        (SPINS[0], ValueError, "spins must be a non-empty array of"),
        (SPINS[:0], ValueError, "spins must be a non-empty array of"),
        (2 * SPINS, ValueError, r"spins must hold only -1 and \+1, got 2"),
        (0 * SPINS, ValueError, r"spins must hold only -1 and \+1, got 0"),
        (SPINS * 0.5, ValueError, r"spins must hold only -1 and \+1, got 0.5"),
        (NAN, ValueError, "spins must hold finite numbers, got nan at index"),
        ("spins", TypeError, "spins must be a real array"),
        (None, TypeError, "spins must be a real array"),
    ],
    "beta": [
        (0, ValueError, r"beta must be a real number in \(1e-06, 50\), got 0"),
        (-1.0, ValueError, "beta must be a real number in"),
        (np.inf, ValueError, "beta must be a real number in"),
        (np.nan, ValueError, "beta must be a real number in"),
        ("1", TypeError, "beta must be a real number in"),
        (True, TypeError, "beta must be a real number in"),
    ],
    "data_term": [
        ("gauss", ValueError, "data_term must be one of 'gaussian', 'exact', 'tap', got 'gauss'"),
        (1, TypeError, "data_term must be one of"),
    ],
    "model_term": [("anealed", ValueError, "model_term must be one of 'annealed', 'quenched', got 'anealed'")],
    "expectation": [
        ("bethe", ValueError, "expectation must be one of 'auto', 'cavity', 'tap', 'exact', 'gibbs', got 'bethe'"),
        (None, TypeError, "expectation must be one of"),
    ],
    "prior_mean": [(1.0, ValueError, r"prior_mean must be a real number in \(-1, 1\)")],
    "n_points": [
        (0, ValueError, "n_points must be an integer >= 1"),
        (64.0, TypeError, "n_points must be an integer >= 1"),
    ],
    "tol": [(0.0, ValueError, "tol must be a real number in")],
    "max_iter": [(0, ValueError, "max_iter must be an integer >= 1")],
}
FIELDS = {  # of bound, bound_gradient and fit
    "beta": [
        ([[1, 2], [3]], ValueError, "beta must be a real array of shape"),
        (np.ones(2), ValueError, r"beta must be a non-empty array of shape \(3\), got shape \(2,\)"),
        (np.array([1.0, 0.0, 2.0]), ValueError, r"beta must be a real number in \(1e-06, 50\), got"),
        (np.array([1.0, np.nan, 2.0]), ValueError, "beta must hold finite numbers"),
    ],
    "visible_fields": [
        (np.zeros(3), ValueError, r"visible_fields must be a non-empty array of shape \(5\), got shape \(3,\)"),
        (np.full(5, np.inf), ValueError, "visible_fields must hold finite numbers"),
        (np.full(5, -1e7), ValueError, r"visible_fields must be in \[-1e\+06, 1e\+06\], got 1e\+07 in size"),
    ],
    "hidden_fields": [
        (0.5, ValueError, r"hidden_fields must be a non-empty array of shape \(3\), got shape \(\)"),
        (["a", "b", "c"], TypeError, "hidden_fields must be a real array"),
    ],
    "n_chains": [(1, ValueError, "n_chains must be an integer >= 2, got 1")],
    "n_temperatures": [(0, ValueError, "n_temperatures must be an integer >= 1, got 0")],
}
THEORY = {
    "alpha": [
        (0.0, ValueError, "alpha must hold positive numbers, got 0.0"),
        ([], ValueError, "alpha must be a non-empty array"),
        ([1, np.nan], ValueError, "alpha must hold finite numbers"),
        ("one", TypeError, "alpha must be a real array"),
    ],
    "beta": [(np.inf, ValueError, "beta must be")],
}
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
CASES = {
    "bound": (
        {"spins": SPINS, "means": MEANS, "beta": 1.0},
        BOUND
        | FIELDS
        | {
            "spins": BOUND["spins"] + PACKED,
            "beta": BOUND["beta"] + FIELDS["beta"],
            "seed": [(-1, ValueError, "seed must be an integer >= 0, got -1")],
            "means": [
                (MEANS[:3], ValueError, r"means must be a non-empty array of shape \(5, any\), got shape \(3, 3\)"),
                (MEANS + 1.1, ValueError, r"means must hold means in \[-1, 1\], got 1.1"),
                (MEANS * np.nan, ValueError, "means must hold finite numbers"),
                (MEANS * 1j, TypeError, "means must be a real array"),
            ],
        },
    ),
    "bound_gradient": (
        {"spins": SPINS, "means": MEANS, "beta": 1.0},
        BOUND | FIELDS | {"spins": PACKED, "means": [(MEANS - 1, ValueError, r"means must be inside \(-1, 1\)")]},
    ),
    "fit": (
        {"spins": SPINS, "n_hidden": 3, "beta": 1.0, "seed": 0},
        BOUND
        | FIELDS
        | {
            "spins": BOUND["spins"] + PACKED,
            "beta": BOUND["beta"] + FIELDS["beta"],
            "learn_beta": [
                (True, TypeError, "learn_beta must be one of 'no', 'global', 'unit', got True"),
                ("units", ValueError, "learn_beta must be one of 'no', 'global', 'unit', got 'units'"),
            ],
            "learn_fields": [("yes", TypeError, "learn_fields must be True or False, got 'yes'")],
            "field_step": [
                (0, ValueError, r"field_step must be a real number in \(0, 1\], got 0"),
                (2.0, ValueError, r"field_step must be a real number in \(0, 1\], got 2.0"),
            ],
            "schedule": [("cosine", ValueError, "schedule must be one of 'constant', 'linear', got 'cosine'")],
            "temperature": [
                (0.0, ValueError, r"temperature must be a real number in \(1e-06, 1e\+06\), got 0.0"),
                ((1.0,), ValueError, r"temperature must be a number or \(first, last\), got \(1.0,\)"),
                ((1.0, -1.0), ValueError, r"temperature must be a real number in \(1e-06, 1e\+06\), got -1.0"),
                ("cold", TypeError, "temperature must be a real number in"),
            ],
            "bound_every": [(0, ValueError, "bound_every must be an integer >= 1, got 0")],
            "n_hidden": [
                (0, ValueError, "n_hidden must be an integer >= 1, got 0"),
                (1.5, TypeError, "n_hidden must be an integer >= 1"),
            ],
            "rule": [("sgd", ValueError, "rule must be one of 'natural', 'adam', got 'sgd'")],
            "n_steps": [(0, ValueError, "n_steps must be an integer >= 1")],
            "step_size": [
                (0.0, ValueError, r"step_size must be a real number in \(0, 1\]"),
                (1.5, ValueError, r"step_size must be a real number in \(0, 1\]"),
                ("fast", TypeError, "step_size must be a real number"),
            ],
            "n_restarts": [(0, ValueError, "n_restarts must be an integer >= 1")],
            "init": [
                ("zeros", ValueError, "init must be one of 'random', 'pca', got 'zeros'"),
                (MEANS[:, :2], ValueError, r"init must be a non-empty array of shape \(5, 3\)"),
                (MEANS + 2, ValueError, r"init must hold means in \[-1, 1\]"),
            ],
            "settled": [(-1.0, ValueError, "settled must be a real number")],
            "tol": [
                (0.0, ValueError, "tol must be a real number in"),
                (np.nan, ValueError, "tol must be a real number in"),
                ("small", TypeError, "tol must be a real number in"),
            ],
            "dtype": [
                (np.float16, ValueError, "dtype must be numpy.float64 or numpy.float32, got <class 'numpy.float16'>"),
                (int, ValueError, "dtype must be numpy.float64 or numpy.float32, got <class 'int'>"),
                ("half precision", TypeError, "dtype must be numpy.float64 or numpy.float32, got 'half precision'"),
                (None, ValueError, "dtype must be numpy.float64 or numpy.float32, got None"),
            ],
            "batch_size": [
                (0, ValueError, "batch_size must be an integer >= 1, got 0"),
                (8, ValueError, "batch_size must be at most the number of samples, 7, got 8"),
                (3.0, TypeError, "batch_size must be an integer >= 1, got 3.0"),
                (True, TypeError, "batch_size must be an integer >= 1, got True"),
            ],
            "seed": [(-1, ValueError, "seed must be an integer >= 0"), (None, TypeError, "seed must be an integer")],
            "callback": [(3, TypeError, "callback must be callable or None")],
            "checkpoint": [
                (3, TypeError, "checkpoint must be the name of a file, got 3"),
                (FOLDER.name, ValueError, "checkpoint must be the name of a file, got the folder"),
                ("a\0b", ValueError, "checkpoint must be the name of a file, of up to 230 bytes and none of them 0"),
                ("a" * 300, ValueError, "checkpoint must be the name of a file, of up to 230 bytes and none of them 0"),
                ("/dev/null", ValueError, "checkpoint must be the name of a file, got the device /dev/null"),
                ("no/folder/fit.npz", FileNotFoundError, "checkpoint must be in a folder that exists, got no/folder"),
                (PATH, ValueError, "checkpoint must be a checkpoint that fit wrote, got .*, which is a machine"),
                (__file__, ValueError, "checkpoint must be a checkpoint that fit wrote, and whole, got"),
            ],
            "checkpoint_every": [(0, ValueError, "checkpoint_every must be an integer >= 1, got 0")],
        },
    ),
    "infer_weights": (
        {"spins": DRAWN, "n_hidden": 2, "beta": 0.5, "seed": 0},
        {name: BOUND[name] for name in ("beta", "prior_mean", "tol")}
        | {
            "spins": BOUND["spins"] + PACKED,
            "n_hidden": [
                (0, ValueError, "n_hidden must be an integer >= 1, got 0"),
                (11, ValueError, "n_hidden must be at most 10 for sums over joint states, got 11"),
                (2.0, TypeError, "n_hidden must be an integer >= 1"),
            ],
            "correlation": [
                (1.0, ValueError, r"correlation must leave \|prior_mean\| \+ √\|correlation\| < 1, got 1.0"),
                (1.5, ValueError, r"correlation must be a real number in \[-1, 1\], got 1.5"),
                ("q", TypeError, "correlation must be a real number"),
            ],
            "learn_beta": [(1, TypeError, "learn_beta must be True or False, got 1")],
            "n_steps": [(0, ValueError, "n_steps must be an integer >= 1")],
            "damping": [(0.99, ValueError, r"damping must be a real number in \[0, 0.95\], got 0.99")],
            "n_restarts": [(0, ValueError, "n_restarts must be an integer >= 1")],
            "init": [
                ("teacher", ValueError, "init must be one of 'random', 'pca', got 'teacher'"),
                (np.zeros((3, 5)), ValueError, r"init must be a non-empty array of shape \(5, 2\)"),
            ],
            "seed": [(-1, ValueError, "seed must be an integer >= 0")],
            "callback": [("print", TypeError, "callback must be callable or None")],
        },
    ),
    "exact_posterior": (
        {"spins": SPINS, "n_hidden": 2, "beta": 1.0},
        {name: BOUND[name] for name in ("spins", "prior_mean")}
        | {
            "n_hidden": [
                (5, ValueError, "n_hidden must leave N P <= 20 for a sum over all synapses, got 5 with N = 5"),
                (0, ValueError, "n_hidden must be an integer >= 1"),
            ],
            "beta": [(0.0, ValueError, "beta must be a real number in")],
            "correlation": [(-1.1, ValueError, "correlation must be a real number in")],
        },
    ),
    "mean_log_partition": (
        {"means": MEANS, "beta": 1.0},
        {
            "means": [
                (np.zeros((200, 3)), ValueError, r"means must have few hidden units .* got shape \(200, 3\)"),
                (MEANS + 2, ValueError, r"means must hold means in \[-1, 1\]"),
            ],
            "beta": [(-1, ValueError, "beta must be a real number in")],
        },
    ),
    "correlated_overlap": (
        {"alpha": [0.5, 2.0], "beta": 1.0, "correlation": 0.3},
        {
            "alpha": [(-1.0, ValueError, "alpha must hold positive numbers"), ("one", TypeError, "alpha must be")],
            "beta": [(0.0, ValueError, "beta must be a real number in"), (50, ValueError, "beta must be")],
            "correlation": [(1.0, ValueError, r"correlation must be a real number in \(-1, 1\), got 1.0")],
            "prior": [("right", ValueError, "prior must be one of 'uniform', 'matched', got 'right'")],
        },
    ),
    "free_entropy": ({"alpha": 2.0, "beta": 1.0}, THEORY),
    "evidence_ceiling": ({"alpha": 2.0, "beta": 1.0}, THEORY),
    "bayes_optimal_entropy": ({"alpha": 2.0, "beta": 1.0}, THEORY),
    "run_cavity": (
        {"couplings": MEANS, "visible_fields": np.zeros(5), "hidden_fields": np.zeros(3)},
        {
            "couplings": [
                (MEANS[0], ValueError, "couplings must be a non-empty array of shape"),
                (MEANS * np.nan, ValueError, "couplings must hold finite numbers"),
                (MEANS + 101, ValueError, r"couplings must be in \[-100, 100\]"),
            ],
            "visible_fields": [(np.zeros(3), ValueError, r"visible_fields must be a non-empty array of shape \(5\)")],
            "hidden_fields": [
                (np.zeros(5), ValueError, r"hidden_fields must be a non-empty array of shape \(any, 3\)"),
                (np.full(3, np.inf), ValueError, "hidden_fields must hold finite numbers"),
            ],
            "damping": [(1.0, ValueError, r"damping must be a real number in \[0, 0.95\]")],
            "tol": [(-1e-9, ValueError, "tol must be a real number")],
            "max_iter": [(1e3, TypeError, "max_iter must be an integer >= 1")],
            "messages": [
                (np.ones((5, 3)), ValueError, r"messages must be a non-empty array of shape \(3, 5\)"),
                (np.zeros((3, 5)), ValueError, "messages must be positive"),
                ("abc", TypeError, "messages must be a real array"),
            ],
        },
    ),
    "run_tap": (
        {"couplings": MEANS, "visible_fields": np.zeros(5), "hidden_fields": np.zeros(3)},
        {
            "couplings": [
                (MEANS[0], ValueError, "couplings must be a non-empty array of shape"),
                (MEANS * np.nan, ValueError, "couplings must hold finite numbers"),
                (MEANS + 101, ValueError, r"couplings must be in \[-100, 100\]"),
            ],
            "visible_fields": [(np.zeros(3), ValueError, r"visible_fields must be a non-empty array of shape \(5\)")],
            "hidden_fields": [
                (np.zeros(5), ValueError, r"hidden_fields must be a non-empty array of shape \(any, 3\)"),
                (np.full(3, np.inf), ValueError, "hidden_fields must hold finite numbers"),
            ],
            "damping": [(1.0, ValueError, r"damping must be a real number in \[0, 0.95\]")],
            "tol": [
                (-1e-9, ValueError, "tol must be a real number"),
                ("small", TypeError, "tol must be a real number"),
            ],
            "max_iter": [(1e3, TypeError, "max_iter must be an integer >= 1")],
            "messages": [
                (np.ones((3, 5)), ValueError, r"messages must be a non-empty array of shape \(8\), got shape \(3, 5\)"),
                (np.ones(5), ValueError, r"messages must be a non-empty array of shape \(8\), got shape \(5,\)"),
                (np.full(8, 1.5), ValueError, r"messages must hold means in \[-1, 1\], got 1.5"),
                (np.full(8, np.nan), ValueError, "messages must hold finite numbers"),
                ("abc", TypeError, "messages must be a real array"),
            ],
        },
    ),
    "run_vamp": (
        {"couplings": MEANS, "visible_fields": np.zeros(5), "hidden_fields": np.zeros(3)},
        {
            "couplings": [
                (MEANS[0], ValueError, "couplings must be a non-empty array of shape"),
                (MEANS * np.nan, ValueError, "couplings must hold finite numbers"),
                (MEANS + 101, ValueError, r"couplings must be in \[-100, 100\]"),
            ],
            "visible_fields": [(np.zeros(3), ValueError, r"visible_fields must be a non-empty array of shape \(5\)")],
            "hidden_fields": [
                (np.zeros(5), ValueError, r"hidden_fields must be a non-empty array of shape \(any, 3\)")
            ],
            "damping": [(0.96, ValueError, r"damping must be a real number in \[0, 0.95\]")],
            "tol": [(0.0, ValueError, "tol must be a real number")],
            "max_iter": [(0, ValueError, "max_iter must be an integer >= 1")],
            "messages": [
                (np.ones((3, 5)), ValueError, r"messages must be a non-empty array of shape \(8\), got shape \(3, 5\)"),
                (np.full(8, np.inf), ValueError, "messages must hold finite numbers"),
            ],
        },
    ),
    "dynamical_mean_field": (
        STATIONARY,
        DYNAMICS
        | {
            "tol": [(0.0, ValueError, "tol must be a real number")],
            "max_iter": [(0, ValueError, "max_iter must be an integer >= 1")],
        },
    ),
    "critical_strength": (
        STATIONARY,
        DYNAMICS
        | {
            "singular_values": DYNAMICS["singular_values"]
            + [
                (np.zeros(3), ValueError, "singular_values must hold a positive number, got only 0"),
            ],
        },
    ),
    "ensemble_spectrum": ({"n_visible": 5, "n_hidden": 3, "ensemble": "iid"}, SPECTRUM),
    "random_couplings": (
        {"n_visible": 5, "n_hidden": 3, "ensemble": "iid", "seed": 0},
        SPECTRUM | {"seed": [(-1, ValueError, "seed must be an integer >= 0")]},
    ),
    "pack_spins": ({"spins": SPINS}, {"spins": BOUND["spins"] + PACKED}),
    "log_partition": (
        {"couplings": MEANS, "visible_fields": np.zeros(5), "hidden_fields": np.zeros(3)},
        {
            "couplings": [
                (np.zeros((21, 21)), ValueError, "couplings must have at most 20"),
                ([[]], ValueError, "coupl"),
            ],
            "hidden_fields": [(np.zeros(5), ValueError, r"hidden_fields must be a non-empty array of shape \(3\)")],
        },
    ),
    "planted_weights": (
        {"n_visible": 5, "n_hidden": 2, "seed": 0},
        {
            "n_visible": [(0, ValueError, "n_visible must be an integer >= 1"), ("5", TypeError, "n_visible must be")],
            "n_hidden": [(-1, ValueError, "n_hidden must be an integer >= 1")],
            "correlation": [(1.1, ValueError, r"correlation must be a real number in \[-1, 1\], got 1.1")],
            "seed": [(0.5, TypeError, "seed must be an integer >= 0")],
        },
    ),
    "sample_spins": (
        {"weights": MEANS, "beta": 1.0, "n_samples": 3, "seed": 0},
        {
            "weights": [
                (MEANS + 2, ValueError, r"weights must hold means in \[-1, 1\]"),
                (NAN, ValueError, "weights must"),
            ],
            "beta": [(0.0, ValueError, "beta must be"), (np.inf, ValueError, "beta must be")],
            "n_samples": [(0, ValueError, "n_samples must be an integer >= 1")],
            "n_sweeps": [(0, ValueError, "n_sweeps must be an integer >= 1")],
        },
    ),
    "hidden_from_visible": (
        {"weights": MEANS, "beta": 1.0, "spins": SPINS},
        {
            "spins": [
                (SPINS[:, :3], ValueError, "spins must be a non-empty"),
                (0 * SPINS, ValueError, "spins must hold"),
            ]
        },
    ),
    "visible_from_hidden": (
        {"weights": MEANS, "beta": 1.0, "hidden": SPINS[:, :3]},
        {
            "hidden": [(SPINS, ValueError, "hidden must be a non-empty array")],
            "beta": [(-1, ValueError, "beta must be")],
        },
    ),
    "overlap": (
        {"estimate": MEANS, "teacher": MEANS + 1},
        {
            "estimate": [
                (MEANS * np.nan, ValueError, "estimate must hold finite"),
                (MEANS + 3, ValueError, "estimate must"),
            ],
            "teacher": [(MEANS[:3], ValueError, r"teacher must be a non-empty array of shape \(5, any\)")],
        },
    ),
    "overlap_matrix": (
        {"estimate": MEANS, "teacher": MEANS + 1},
        {"teacher": [(MEANS[:3], ValueError, r"teacher must be a non-empty array of shape \(5, any\)")]},
    ),
    "match_hidden_units": (
        {"estimate": MEANS, "teacher": MEANS + 1},
        {"estimate": [(MEANS + 3, ValueError, r"estimate must hold means in \[-1, 1\]")]},
    ),
    "synaptic_entropy": ({"means": MEANS}, {"means": [(MEANS + 2, ValueError, "means must hold means")]}),
    "critical_density": (
        {"beta": 1.0},
        {
            "beta": [(0, ValueError, "beta must be"), (1e-100, ValueError, "beta must be a real number in")],
            "correlation": [(2.0, ValueError, "correlation must be")],
            "prior": [("flat", ValueError, "prior must be one of 'uniform', 'matched'")],
        },
    ),
    "bayes_optimal_overlap": ({"alpha": 1.0, "beta": 1.0}, THEORY),
    "principal_component_overlap": (
        {"alpha": 1.0, "beta": 1.0},
        {"alpha": [(-1.0, ValueError, "alpha must hold positive numbers"), ("one", TypeError, "alpha must be")]},
    ),
    "load_digits": (
        {},
        {
            "n_samples": [(0, ValueError, "n_samples must be"), (5001, ValueError, "n_samples must be at most 5000")],
            "full": [(1, TypeError, "full must be True or False, got 1"), ("yes", TypeError, "full must be True or")],
            "directory": [("data", ValueError, "directory must be None where full is False, got 'data'")],
            "seed": [(-3, ValueError, "seed must be an integer >= 0")],
        },
    ),
}
MACHINES = [  # where there is a machine
    (MACHINE.couplings, TypeError, "machine must be a Machine, got ndarray"),
    (None, TypeError, "machine must be a Machine, got NoneType"),
    (MACHINE._replace(weights=MEANS + 2), ValueError, r"machine.weights must hold means in \[-1, 1\], got 2.0"),
    (MACHINE._replace(weights=MEANS[0]), ValueError, "machine.weights must be a non-empty array of shape"),
    (MACHINE._replace(weights=NAN), ValueError, "machine.weights must hold finite numbers"),
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
MACHINE_DATA = [
    *BOUND["spins"],
    *PACKED,
    (SPINS[:, :3], ValueError, r"spins must have shape \(any, 5\) for this machine, got shape \(7, 3\)"),
]
ANNEALING = {
    "n_chains": [
        (1, ValueError, "n_chains must be an integer >= 2, got 1"),
        (2.0, TypeError, "n_chains must be an integer >= 2, got 2.0"),
    ],
    "n_temperatures": [(0, ValueError, "n_temperatures must be an integer >= 1, got 0")],
    "seed": [(-1, ValueError, "seed must be an integer >= 0"), (None, TypeError, "seed must be an integer >= 0")],
}
CASES |= {
    "hidden_means": ({"spins": SPINS, "machine": MACHINE}, {"spins": MACHINE_DATA, "machine": MACHINES}),
    "sample": (
        {"machine": MACHINE, "n_samples": 7, "n_sweeps": 2, "seed": 0},
        {
            "machine": MACHINES,
            "n_samples": [(0, ValueError, "n_samples must be an integer >= 1, got 0")],
            "start": [
                (SPINS[:3], ValueError, r"start must be a non-empty array of shape \(7, 5\), got shape \(3, 5\)"),
                (0 * SPINS, ValueError, r"start must hold only -1 and \+1, got 0"),
            ],
            "n_sweeps": [
                (0, ValueError, "n_sweeps must be an integer >= 1, got 0"),
                (1.0, TypeError, "n_sweeps must be an integer >= 1, got 1.0"),
            ],
            "seed": ANNEALING["seed"],
        },
    ),
    "save_machine": (
        {"path": PATH, "machine": MACHINE},
        {
            "path": [
                (3, TypeError, "path must be the name of a file, got 3"),
                (FOLDER.name, ValueError, "path must be the name of a file, got the folder"),
                ("no/folder/machine.npz", FileNotFoundError, "path must be in a folder that exists, got no/folder"),
            ],
            "machine": MACHINES,
            "metadata": [
                ([1, "a"], TypeError, r"metadata must be a string, a number or an array of them, got \[1, 'a'\]"),
                (None, TypeError, "metadata must be a string, a number or an array of them, got None"),
                (2**70, TypeError, "metadata must be a string, a number or an array of them, got 11"),
            ],
        },
    ),
    "load_machine": (
        {"path": PATH},
        {
            "path": [
                (None, TypeError, "path must be the name of a file, got None"),
                ("no/machine.npz", FileNotFoundError, "path must be a machine that save_machine wrote, nothing is at"),
                (__file__, ValueError, "path must be a machine that save_machine wrote, and whole, got"),
            ]
        },
    ),
    "save_results": (
        {"path": RESULTS},
        {
            "path": [(3, TypeError, "path must be the name of a file, got 3")],
            "table": [
                ([1, 2], TypeError, r"table must be a dict of columns with names or None, got \[1, 2\]"),
                ({1: [2]}, TypeError, "table must be a dict of columns with names or None, got"),
                ({"x": [1, 2], "y": [1]}, ValueError, "table must have columns of one length, got shapes"),
                ({"x": 1}, ValueError, r"table must have columns of one length, got shapes \[\(\)\]"),
                ({"x": [None]}, TypeError, r"table\['x'\] must be a string, a number or an array of them, got"),
            ],
            "arrays": [
                (None, TypeError, "arrays must be a string, a number or an array of them, got None"),
                ([[1], [2, 3]], ValueError, "arrays must be a string, a number or an array of them: "),
            ],
        },
    ),
    "load_results": (
        {"path": RESULTS},
        {
            "path": [
                (None, TypeError, "path must be the name of a file, got None"),
                ("no/results.npz", FileNotFoundError, "path must be results that save_results wrote, nothing is at"),
                (PATH, ValueError, "path must be results that save_results wrote, got .*, which is a machine"),
            ]
        },
    ),
    "estimate_log_partition": (
        {"machine": MACHINE, "base": np.zeros(5), "n_chains": 3, "n_temperatures": 2, "seed": 0},
        ANNEALING
        | {
            "machine": MACHINES,
            "base": [
                (np.zeros(3), ValueError, r"base must be a non-empty array of shape \(5\), got shape \(3,\)"),
                (np.full(5, np.inf), ValueError, "base must hold finite numbers, got inf"),
                (np.full(5, 1e39), ValueError, r"base must be in \[-1e\+06, 1e\+06\], got 1e\+39 in size"),
                (None, TypeError, "base must be a real array"),
            ],
            "reverse_from": [
                (SPINS[:1], ValueError, "reverse_from must hold at least 2 samples, got 1"),
                (SPINS[:, :3], ValueError, r"reverse_from must be a non-empty array of shape \(any, 5\)"),
                (0 * SPINS, ValueError, r"reverse_from must hold only -1 and \+1, got 0"),
            ],
        },
    ),
    "log_likelihood": (
        {"spins": SPINS, "machine": MACHINE, "seed": 0},
        ANNEALING
        | {
            "spins": MACHINE_DATA,
            "machine": MACHINES,
            "base": [(np.zeros(3), ValueError, r"base must be a non-empty array of shape \(5\), got shape \(3,\)")],
            "method": [("AIS", ValueError, "method must be one of 'auto', 'exact', 'ais', got 'AIS'")],
        },
    ),
}
TABLE = [
    pytest.param(name, good | {argument: value}, error, message, id=f"{name}-{argument}-{i}")
    for name, (good, bad) in CASES.items()
    for argument, rows in bad.items()
    for i, (value, error, message) in enumerate(rows)
]


@pytest.mark.parametrize(("name", "arguments", "error", "message"), TABLE)
def test_bad_argument(name, arguments, error, message):
    with pytest.raises(error, match="^" + message):
        getattr(vmf, name)(**arguments)


@pytest.mark.parametrize("name", CASES)
def test_good_arguments_are_accepted(name):
    getattr(vmf, name)(**CASES[name][0])


def test_combinations_that_do_not_fit():
    with pytest.raises(ValueError, match=r"correlation must be a real number in \[0, 0\], got 0.3"):
        vmf.planted_weights(5, 1, correlation=0.3, seed=0)
    with pytest.raises(ValueError, match=r"correlation must be a real number in \[0, 1\], got -0.3"):
        vmf.planted_weights(5, 3, correlation=-0.3, seed=0)
    with pytest.raises(ValueError, match="n_points must be a power of two, got 48"):
        vmf.bound(SPINS, MEANS, 1.0, n_points=48)
    with pytest.raises(ValueError, match="n_restarts must be 1 where init is an array, got 2"):
        vmf.fit(SPINS, 3, 1.0, init=MEANS, n_restarts=2, seed=0)
    rows = np.random.default_rng(0).choice([-1, 1], size=(3, 5))
    with pytest.raises(ValueError, match='init="pca" needs n_hidden <= the rank of the data covariance, 2, got 3'):
        vmf.fit(rows, 3, 1.0, init="pca", seed=0)
    with pytest.raises(
        ValueError,
        match='expectation must be "cavity", "tap" or "gibbs" for more than 20 hidden units, got "exact" and 23',
    ):
        vmf.fit(SPINS, 23, 1.0, expectation="exact", seed=0)
    with pytest.raises(ValueError, match='expectation must be "cavity", "tap" or "exact" for the quenched term, got'):
        vmf.bound(SPINS, MEANS, 1.0, model_term="quenched", expectation="gibbs")
    with pytest.raises(ValueError, match=r"dtype must be float64 for beta > 8, got float32 and beta 8.5"):
        vmf.fit(SPINS, 3, 8.5, dtype=np.float32, seed=0)
    with pytest.raises(ValueError, match=r"tol must be at least 1e-06 in single precision, got 1e-08"):
        vmf.fit(SPINS, 3, 1.0, dtype=np.float32, tol=1e-8, seed=0)
    with pytest.raises(ValueError, match=r"tol must be at least 1e-06 in single precision, got 1e-09"):
        vmf.run_tap(np.ones((3, 2), np.float32), np.ones(3), np.ones(2), tol=1e-9)
    # the hidden fields tell how many networks there are, and the messages must follow
    with pytest.raises(ValueError, match=r"messages must be a non-empty array of shape \(2, 8\), got shape \(8,\)"):
        vmf.run_tap(MEANS, np.zeros(5), np.zeros((2, 3)), messages=np.zeros(8))
    # "tap" is a data term and an expectation, not a model term; the quenched term checks its points with it, too
    with pytest.raises(ValueError, match="model_term must be one of 'annealed', 'quenched', got 'tap'"):
        vmf.bound(SPINS, MEANS, 1.0, model_term="tap")
    with pytest.raises(ValueError, match="n_points must be a power of two, got 48"):
        vmf.bound(SPINS, MEANS, 1.0, model_term="quenched", expectation="tap", n_points=48)
    with pytest.raises(ValueError, match=r"spins must be a real array of shape \(any, any\)"):
        vmf.fit([[1, -1], [1]], 2, 1.0, seed=0)


@pytest.mark.parametrize("name", CASES)
def test_public_docstrings_name_every_argument(name):
    function = getattr(vmf, name)
    for argument in inspect.signature(function).parameters:
        # bound_gradient refers to bound for its arguments
        text = inspect.getdoc(vmf.bound if name == "bound_gradient" else function)
        assert re.search(rf"\b{argument}\b", text), f"{name} does not document {argument}"


TAKES_SPINS = {
    "pack_spins": vmf.pack_spins,
    "bound": lambda spins: vmf.bound(spins, MEANS, 1.0),
    "checks.spins": checks.spins,
}


@pytest.mark.parametrize("function", TAKES_SPINS.values(), ids=TAKES_SPINS)
def test_bits_in_place_of_spins_get_a_hint(function):
    bits = (DRAWN + 1) // 2
    where = tuple(int(i) for i in np.argwhere(bits == 0)[0])
    message = rf"^spins must hold only -1 and \+1, got {{}} at index {re.escape(str(where))}: use 2 \* x - 1$"
    for kind, zero in ((np.int8, "0"), (float, "0.0")):
        with pytest.raises(ValueError, match=message.format(zero)):
            function(bits.astype(kind))
        np.testing.assert_array_equal(2 * bits.astype(kind) - 1, DRAWN)
    # of unsigned integers, the hint must not lead to 255
    with pytest.raises(ValueError, match=r": use 2 \* x.astype\(int\) - 1$"):
        function(bits.astype(np.uint8))
    # all True might be all +1 or all 1: it is no array of spins, either
    for flags in (bits.astype(bool), bits.astype(bool) | True, pd.DataFrame(bits.astype(bool))):
        with pytest.raises(TypeError, match=r"^spins must hold only -1 and \+1, got True and False: use 2 \* x - 1$"):
            function(flags)
    # where there are other numbers, too, the hint would mislead
    with pytest.raises(ValueError, match=r"^spins must hold only -1 and \+1, got 0 at index \(0, 0\)$"):
        function(np.where(np.arange(5) == 0, 0, DRAWN))


@pytest.mark.parametrize("function", TAKES_SPINS.values(), ids=TAKES_SPINS)
def test_masked_and_sparse_arrays_are_refused(function):
    for mask in (np.ma.nomask, DRAWN > 0):
        with pytest.raises(TypeError, match=r"^spins must be .*, got a masked array, whose mask would .*\.filled\(\)"):
            function(np.ma.MaskedArray(DRAWN, mask=mask))
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.csr_array, scipy.sparse.coo_array):
        with pytest.raises(TypeError, match=rf"^spins must be .*, got a sparse {kind.__name__}: use \.toarray\(\)"):
            function(kind(DRAWN))
    with pytest.raises(TypeError, match=r"^means must be a real array of shape .*, got a masked array"):
        vmf.bound(SPINS, np.ma.MaskedArray(MEANS), 1.0)


def test_tables_are_arrays():
    for kind in (np.int8, float):
        table = pd.DataFrame(DRAWN.astype(kind), columns=list("abcde"))
        np.testing.assert_array_equal(vmf.pack_spins(table).dense(), DRAWN)
        np.testing.assert_array_equal(checks.spins(table), DRAWN)
        assert vmf.bound(table, MEANS, 1.0) == vmf.bound(DRAWN, MEANS, 1.0)
    with pytest.raises(TypeError, match=r"^spins must be a real array of shape \(any, any\), got dtype object"):
        vmf.pack_spins(table.assign(e=list("abcdefg")))


class Exact:
    pass


class Cavity:
    pass


def test_instances():
    checks.instance((Exact, Cavity), solver=Exact())
    checks.instance((Exact, None), solver=None, other=Exact())
    with pytest.raises(TypeError, match=r"^solver must be Exact, Cavity or int, got 'exact'$"):
        checks.instance((Exact, Cavity, int), solver="exact")
    with pytest.raises(TypeError, match=r"^solver must be Exact or None, got <class '.*\.Exact'>$"):
        checks.instance((Exact, None), solver=Exact)
    with pytest.raises(TypeError, match=r"^rule must be Exact, got None$"):
        checks.instance((Exact,), rule=None)


def test_correlations():
    for n_hidden, low, high in ((1, 0, 0), (2, -1, 1), (3, 0, 1), (7, 0, 1)):
        for value in (low, 0.5 * (low + high), high):
            assert checks.correlation(n_hidden, value) == value
        for value in (low - 0.01, high + 0.01, np.nan):
            message = rf"^correlation must be a real number in \[{low}, {high}\], got {value!r}"
            with pytest.raises(ValueError, match=message):
                checks.correlation(n_hidden, value)
    with pytest.raises(TypeError, match=r"^correlation must be a real number in \[-1, 1\], got None"):
        checks.correlation(2, None)
