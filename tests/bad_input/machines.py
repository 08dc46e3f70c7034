"""Machines, their samples and likelihoods, files of them, and what is measured on synapses."""

import numpy as np
from bad_input.common import DATA, MACHINE, MACHINES, MEANS, SEED, SPINS, Case
from bad_input.learning import A_MACHINE, FOLDER

import vmfcore as vmf
from vmfcore.data.mixture import fit_mixture
from vmfcore.data.packing import pack_spins
from vmfcore.machines.likelihood import estimate_log_partition
from vmfcore.machines.machine import visible_means
from vmfcore.observables import overlap_matrix

RESULTS = f"{FOLDER.name}/results"
vmf.save_results(RESULTS)

MACHINE_DATA = [
    *DATA,
    (SPINS[:, :3], ValueError, r"spins must have shape \(any, 5\) for this machine, got shape \(7, 3\)"),
]
BASE = [
    (np.zeros(3), ValueError, r"base must be a non-empty array of shape \(5\), got shape \(3,\)"),
    (np.full(5, np.inf), ValueError, "base must hold finite numbers, got inf"),
    ("images", TypeError, "base must be a real array"),
]
WITH_BOUNDS = (vmf.Gibbs(bound_every=3), ValueError, "bound_every must be None outside a fit, got 3")

CASES = {
    "planted": Case(
        vmf.planted,
        {"n_visible": 5, "n_hidden": 2, "beta": 1.0, "seed": 0},
        {
            "n_visible": [(0, ValueError, "n_visible must be an integer >= 1"), ("5", TypeError, "n_visible must be")],
            "n_hidden": [(-1, ValueError, "n_hidden must be an integer >= 1")],
            "beta": [
                (0.0, ValueError, "beta must hold positive numbers, got 0.0"),
                ([1.0, -1.0], ValueError, "beta must hold positive numbers, got -1.0"),
                (np.inf, ValueError, "beta must hold finite numbers"),
                (1e7, ValueError, r"beta must be in \[-1e\+06, 1e\+06\], got 1e\+07 in size"),
                (np.ones(3), ValueError, r"beta must be a non-empty array of shape \(2\), got shape \(3,\)"),
                ("1", TypeError, "beta must be a real array"),
            ],
            "correlation": [
                (1.1, ValueError, r"correlation must be a real number in \[-1, 1\], got 1.1"),
                ("q", TypeError, r"correlation must be a real number in \[-1, 1\], got 'q'"),
            ],
            "seed": SEED,
        },
    ),
    "sample": Case(
        vmf.sample,
        {"machine": MACHINE, "n_samples": 7, "n_sweeps": 2, "seed": 0},
        {
            "machine": MACHINES,
            "n_samples": [
                (0, ValueError, "n_samples must be an integer >= 1, got 0"),
                (7.0, TypeError, "n_samples must be an integer >= 1, got 7.0"),
            ],
            "start": [
                (SPINS[:3], ValueError, r"start must be a non-empty array of shape \(7, 5\), got shape \(3, 5\)"),
                (0 * SPINS, ValueError, r"start must hold only -1 and \+1, got 0"),
                ("data", TypeError, "start must be a real array"),
            ],
            "clamped": [
                (np.ones(3), ValueError, r"clamped must be a non-empty array of shape \(5\), got shape \(3,\)"),
                (SPINS[:3], ValueError, r"clamped must be a non-empty array of shape \(7, 5\), got shape \(3, 5\)"),
                (np.array([0, 1, 2, 0, 0]), ValueError, r"clamped must hold -1, 0 and \+1 only, got 2"),
                (np.array([0, 1, 0.5, 0, 0]), ValueError, r"clamped must hold -1, 0 and \+1 only, got 0.5"),
                (np.array([0, 1, np.nan, 0, 0]), ValueError, "clamped must hold finite numbers, got nan"),
                ("left", TypeError, "clamped must be a real array"),
            ],
            "n_sweeps": [
                (0, ValueError, "n_sweeps must be an integer >= 1, got 0"),
                (1.0, TypeError, "n_sweeps must be an integer >= 1, got 1.0"),
            ],
            "n_rungs": [
                (0, ValueError, "n_rungs must be an integer >= 1, got 0"),
                (2.0, TypeError, "n_rungs must be an integer >= 1, got 2.0"),
                (101, ValueError, "n_rungs must be at most 100, got 101"),
                (3, ValueError, "n_rungs must be 1 or None where start or n_sweeps is given, got 3"),
            ],
            "like": [(SPINS, ValueError, r"like must be None where no tempered chains are drawn \(n_rungs\)")],
            "seed": SEED,
        },
    ),
    "data.mixture.fit_mixture": Case(
        fit_mixture,
        {"spins": SPINS, "n_components": 2, "seed": 0},
        {
            "spins": DATA,
            "n_components": [
                (0, ValueError, "n_components must be an integer >= 1, got 0"),
                (2.0, TypeError, "n_components must be an integer >= 1, got 2.0"),
            ],
            "n_steps": [(0, ValueError, "n_steps must be an integer >= 1, got 0")],
            "seed": SEED,
        },
    ),
    "autocorrelation_time": Case(
        vmf.autocorrelation_time,
        {"machine": MACHINE, "n_chains": 7, "n_sweeps": 2000, "seed": 0},
        {
            "machine": MACHINES,
            "n_chains": [(1, ValueError, "n_chains must be an integer >= 2, got 1")],
            "n_sweeps": [(9, ValueError, "n_sweeps must be an integer >= 10, got 9")],
            "burn_in": [(-1, ValueError, "burn_in must be an integer >= 0, got -1")],
            "start": [(SPINS[:3], ValueError, r"start must be a non-empty array of shape \(7, 5\), got shape")],
            "seed": SEED,
        },
    ),
    "hidden_means": Case(
        vmf.hidden_means, {"spins": SPINS, "machine": MACHINE}, {"spins": MACHINE_DATA, "machine": MACHINES}
    ),
    "machines.machine.visible_means": Case(
        visible_means,
        {"hidden": SPINS[:, :3], "machine": MACHINE},
        {
            "hidden": [
                (SPINS, ValueError, r"hidden must be a non-empty array of shape \(any, 3\), got shape \(7, 5\)"),
                (0 * SPINS[:, :3], ValueError, r"hidden must hold only -1 and \+1, got 0"),
            ],
            "machine": MACHINES,
        },
    ),
    "log_likelihood": Case(
        vmf.log_likelihood,
        {"spins": SPINS, "machine": MACHINE, "seed": 0},
        {
            "spins": MACHINE_DATA,
            "machine": MACHINES,
            "solver": [
                ("exact", TypeError, "solver must be Exact or Gibbs, got 'exact'"),
                (vmf.Cavity(), TypeError, "solver must be Exact or Gibbs, got Cavity"),
                WITH_BOUNDS,
            ],
            "base": BASE,
            "seed": SEED,
        },
    ),
    "machines.likelihood.estimate_log_partition": Case(
        estimate_log_partition,
        {"machine": MACHINE, "base": np.zeros(5), "solver": vmf.Gibbs(3, 2), "seed": 0},
        {
            "machine": MACHINES,
            "base": [
                *BASE,
                (np.full(5, 1e39), ValueError, r"base must be in \[-1e\+06, 1e\+06\], got 1e\+39 in size"),
                (None, TypeError, "base must be a real array"),
            ],
            "solver": [(vmf.Exact(), TypeError, "solver must be Gibbs, got Exact"), WITH_BOUNDS],
            "reverse_from": [
                (SPINS[:1], ValueError, "reverse_from must hold at least 2 samples, got 1"),
                (SPINS[:, :3], ValueError, r"reverse_from must be a non-empty array of shape \(any, 5\)"),
                (0 * SPINS, ValueError, r"reverse_from must hold only -1 and \+1, got 0"),
            ],
            "seed": SEED,
        },
    ),
    "data.packing.pack_spins": Case(pack_spins, {"spins": SPINS}, {"spins": DATA}),
    "GreyPixels": Case(
        vmf.GreyPixels,
        {"levels": np.zeros((7, 5), np.uint8)},
        {
            "levels": [
                (np.zeros((7, 5)), TypeError, "levels must be an array of dtype uint8, got float64"),
                (np.zeros(5, np.uint8), ValueError, r"levels must be a non-empty array of shape \(any, any\)"),
                (np.zeros((0, 5), np.uint8), ValueError, "levels must be a non-empty array"),
                ("grey", TypeError, "levels must be"),
            ],
            "seed": SEED,
        },
    ),
    "load_digits": Case(
        vmf.load_digits,
        {},
        {
            "n_samples": [(0, ValueError, "n_samples must be"), (5001, ValueError, "n_samples must be at most 5000")],
            "full": [(1, TypeError, "full must be True or False, got 1"), ("yes", TypeError, "full must be True or")],
            "directory": [("data", ValueError, "directory must be None where full is False, got 'data'")],
            "binarize": [
                ("otsu", ValueError, "binarize must be"),
                ("sample", ValueError, "binarize must be 'threshold' where full is False"),
                (None, TypeError, "binarize must be"),
            ],
            "seed": [(-3, ValueError, "seed must be an integer >= 0")],
            "path": [
                ("no/digits.npz", FileNotFoundError, "path must be the digits file .* nothing is at no/digits.npz"),
                (A_MACHINE, ValueError, "path must be the unaltered digits file, got"),
            ],
        },
    ),
    "overlap": Case(
        vmf.overlap,
        {"estimate": MEANS, "teacher": MEANS + 1},
        {
            "estimate": [
                (MEANS * np.nan, ValueError, "estimate must hold finite"),
                (MEANS + 3, ValueError, "estimate must"),
            ],
            "teacher": [
                (MEANS[:3], ValueError, r"teacher must be a non-empty array of shape \(5, any\), got shape \(3, 3\)")
            ],
        },
    ),
    "observables.overlap_matrix": Case(
        overlap_matrix,
        {"estimate": MEANS, "teacher": MEANS + 1},
        {
            "estimate": [(MEANS[0], ValueError, "estimate must be a non-empty array of shape")],
            "teacher": [(MEANS[:3], ValueError, r"teacher must be a non-empty array of shape \(5, any\)")],
        },
    ),
    "match_hidden_units": Case(
        vmf.match_hidden_units,
        {"estimate": MEANS, "teacher": MEANS + 1},
        {
            "estimate": [(MEANS + 3, ValueError, r"estimate must hold means in \[-1, 1\]")],
            "teacher": [(MEANS[:3], ValueError, r"teacher must be a non-empty array of shape \(5, any\)")],
        },
    ),
    "synaptic_entropy": Case(
        vmf.synaptic_entropy, {"means": MEANS}, {"means": [(MEANS + 2, ValueError, "means must hold means")]}
    ),
    "save_machine": Case(
        vmf.save_machine,
        {"path": A_MACHINE, "machine": MACHINE},
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
    "load_machine": Case(
        vmf.load_machine,
        {"path": A_MACHINE},
        {
            "path": [
                (None, TypeError, "path must be the name of a file, got None"),
                ("no/machine.npz", FileNotFoundError, "path must be a machine that save_machine wrote, nothing is at"),
                (__file__, ValueError, "path must be a machine that save_machine wrote, and whole, got"),
            ]
        },
    ),
    "save_results": Case(
        vmf.save_results,
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
    "load_results": Case(
        vmf.load_results,
        {"path": RESULTS},
        {
            "path": [
                (None, TypeError, "path must be the name of a file, got None"),
                ("no/results.npz", FileNotFoundError, "path must be results that save_results wrote, nothing is at"),
                (A_MACHINE, ValueError, "path must be results that save_results wrote, got .*, which is a machine"),
            ]
        },
    ),
}
