"""Learners, and the values that say how they learn."""

import tempfile
from functools import partial

import numpy as np
from bad_input.bounds import OBJECTIVE, PRIOR
from bad_input.common import BETA, BITS, DATA, DRAWN, FIELDS, MACHINE, MEANS, ONE_BETA, SEED, SPINS, Case, Later

import vmfcore as vmf

FOLDER = tempfile.TemporaryDirectory()
A_MACHINE = f"{FOLDER.name}/machine"
vmf.save_machine(A_MACHINE, MACHINE)

RULE = {
    "schedule": [
        ("cosine", ValueError, "schedule must be one of 'constant', 'linear', 'settling', got 'cosine'"),
        (None, TypeError, "schedule must be one of 'constant', 'linear', 'settling', got None"),
    ],
    "tol": [
        (-1.0, ValueError, "tol must be a real number in"),
        (np.nan, ValueError, "tol must be a real number in"),
        ("small", TypeError, "tol must be a real number in"),
    ],
}
N_HIDDEN = [
    (0, ValueError, "n_hidden must be an integer >= 1, got 0"),
    (1.5, TypeError, "n_hidden must be an integer >= 1, got 1.5"),
]
RUN = {  # of both learners
    "spins": DATA,
    "n_steps": [
        (0, ValueError, "n_steps must be an integer >= 1, got 0"),
        (1e3, TypeError, "n_steps must be an integer >= 1, got 1000.0"),
    ],
    "n_restarts": [
        (0, ValueError, "n_restarts must be an integer >= 1, got 0"),
        (None, TypeError, "n_restarts must be an integer >= 1, got None"),
    ],
    "seed": SEED,
    "progress": [("yes", TypeError, "progress must be True or False, got 'yes'")],
    "callback": [
        (3, TypeError, "callback must be callable, Every or None, got 3"),
        ("print", TypeError, "callback must be callable, Every or None, got 'print'"),
    ],
}
LEARN = [
    ("fields", TypeError, "learn must be Learn, got 'fields'"),
    (True, TypeError, "learn must be Learn, got True"),
]
FILE = [  # where a fit is to be kept
    (3, TypeError, "checkpoint must be Checkpoint, the name of a file or None, got 3"),
    (FOLDER.name, ValueError, "checkpoint must be the name of a file, got the folder"),
    ("a\0b", ValueError, "checkpoint must be the name of a file, of up to 230 bytes and none of them 0"),
    ("a" * 300, ValueError, "checkpoint must be the name of a file, of up to 230 bytes and none of them 0"),
    ("/dev/null", ValueError, "checkpoint must be the name of a file, got the device /dev/null"),
    ("no/folder/fit.npz", FileNotFoundError, "checkpoint must be in a folder that exists, got no/folder"),
    (A_MACHINE, ValueError, "checkpoint must be a checkpoint that fit wrote, got .*, which is a machine"),
    (vmf.Checkpoint(A_MACHINE), ValueError, "checkpoint must be a checkpoint that fit wrote, got .* a machine"),
    (__file__, ValueError, "checkpoint must be a checkpoint that fit wrote, and whole, got"),
]

ONE_UNIT = partial(vmf.fit, n_hidden=1, beta=1.0, n_steps=1)


def fitted():
    return vmf.fit(DRAWN, 2, 0.5, n_steps=1, seed=0)


def inferred():
    return vmf.infer_weights(DRAWN, 2, 0.5, learn=vmf.Learn(beta="global"), seed=0)


def inferred_without_errors():
    return inferred()._replace(learn=vmf.Learn())


CASES = {
    "recipe": Case(
        vmf.recipe,
        {"spins": SPINS, "n_hidden": 3},
        {
            "spins": [(SPINS[0], ValueError, r"spins must be a non-empty array of shape \(any, any\), got shape")],
            "n_hidden": N_HIDDEN,
            "n_steps": RUN["n_steps"],
            "slowness": [
                (0.1, ValueError, r"slowness must be a real number in \[0.2, 1000\], got 0.1"),
                ("slow", TypeError, r"slowness must be a real number in \[0.2, 1000\], got 'slow'"),
            ],
        },
    ),
    "Natural": Case(
        vmf.Natural,
        {},
        RULE
        | {
            "step_size": [
                (0.0, ValueError, r"step_size must be a real number in \(0, 1\], got 0.0"),
                (1.5, ValueError, r"step_size must be a real number in \(0, 1\], got 1.5"),
                ("fast", TypeError, "step_size must be a real number"),
                (None, TypeError, "step_size must be a real number"),
            ]
        },
    ),
    "Adam": Case(
        vmf.Adam,
        {},
        RULE
        | {
            "step_size": [
                (0.0, ValueError, r"step_size must be a real number in \(0, 100\], got 0.0"),
                (101, ValueError, r"step_size must be a real number in \(0, 100\], got 101"),
            ]
        },
    ),
    "Learn": Case(
        vmf.Learn,
        {"fields": True},
        {
            "fields": [("yes", TypeError, "fields must be True or False, got 'yes'")],
            "synapses": [("yes", TypeError, "synapses must be True or False, got 'yes'")],
            "correlation": [("yes", TypeError, "correlation must be True or False, got 'yes'")],
            "beta": [
                (True, TypeError, "beta must be one of 'no', 'global', 'unit', got True"),
                ("units", ValueError, "beta must be one of 'no', 'global', 'unit', got 'units'"),
            ],
            "step_size": [
                (0, ValueError, r"step_size must be a real number in \(0, 1\], got 0"),
                (2.0, ValueError, r"step_size must be a real number in \(0, 1\], got 2.0"),
                ("slow", TypeError, r"step_size must be a real number in \(0, 1\], got 'slow'"),
            ],
        },
    ),
    "Checkpoint": Case(
        vmf.Checkpoint,
        {"path": "fit.npz"},
        {
            "path": [
                (3, TypeError, "path must be the name of a file, got 3"),
                (None, TypeError, "path must be the name of a file, got None"),
            ],
            "every": [
                (0, ValueError, "every must be an integer >= 1, got 0"),
                (1.0, TypeError, "every must be an integer >= 1, got 1.0"),
            ],
        },
    ),
    "Every": Case(
        vmf.Every,
        {},
        {
            "n_steps": [
                (0, ValueError, "n_steps must be an integer >= 1, got 0"),
                (None, TypeError, "n_steps must be an integer >= 1, got None"),
            ],
            "callback": [(3, TypeError, "callback must be callable or None, got 3")],
        },
    ),
    "fit": Case(
        vmf.fit,
        {"spins": SPINS, "n_hidden": 3, "beta": 1.0, "seed": 0},
        RUN
        | {
            "n_hidden": N_HIDDEN,
            "beta": BETA,
            "objective": OBJECTIVE,
            "rule": [
                ("adam", TypeError, "rule must be Natural or Adam, got 'adam'"),
                (vmf.Natural, TypeError, "rule must be Natural or Adam, got <class"),
                (None, TypeError, "rule must be Natural or Adam, got None"),
            ],
            "learn": LEARN,
            "fields": FIELDS,
            "init": [
                ("zeros", ValueError, "init must be one of 'random', 'pca', got 'zeros'"),
                (MEANS[:, :2], ValueError, r"init must be a non-empty array of shape \(5, 3\)"),
                (MEANS + 2, ValueError, r"init must hold means in \[-1, 1\]"),
                (None, TypeError, "init must be a real array"),
            ],
            "batch_size": [
                (0, ValueError, "batch_size must be an integer >= 1, got 0"),
                (8, ValueError, "batch_size must be at most the number of samples, 7, got 8"),
                (3.0, TypeError, "batch_size must be an integer >= 1, got 3.0"),
                (True, TypeError, "batch_size must be an integer >= 1, got True"),
            ],
            "dtype": [
                (np.float16, ValueError, "dtype must be numpy.float64 or numpy.float32, got <class 'numpy.float16'>"),
                (int, ValueError, "dtype must be numpy.float64 or numpy.float32, got <class 'int'>"),
                ("half precision", TypeError, "dtype must be numpy.float64 or numpy.float32, got 'half precision'"),
                (None, ValueError, "dtype must be numpy.float64 or numpy.float32, got None"),
            ],
            "checkpoint": FILE,
        },
    ),
    "infer_weights": Case(
        vmf.infer_weights,
        {"spins": DRAWN, "n_hidden": 2, "beta": 0.5, "seed": 0},
        RUN
        | {
            "n_hidden": [
                *N_HIDDEN,
                (11, ValueError, "n_hidden must be at most 10 for sums over joint states, got 11"),
            ],
            "beta": [*ONE_BETA, (np.ones(2), TypeError, "beta must be a real number in")],
            "prior": PRIOR,
            "learn": [
                *LEARN,
                (vmf.Learn(fields=True), ValueError, "learn.fields must be False for message passing"),
                (vmf.Learn(beta="unit"), ValueError, 'learn.beta must be "no" or "global" for message passing'),
                (vmf.Learn(beta="global", step_size=0.5), ValueError, "learn.step_size must be left out for message"),
                (vmf.Learn(beta="global", synapses=False), ValueError, "learn.synapses must be True for message"),
            ],
            "tol": [
                (0.0, ValueError, "tol must be a real number in"),
                (None, TypeError, "tol must be a real number in"),
            ],
            "init": [
                ("teacher", ValueError, "init must be one of 'random', 'pca', got 'teacher'"),
                (np.zeros((3, 5)), ValueError, r"init must be a non-empty array of shape \(5, 2\)"),
            ],
        },
    ),
    "choose": Case(
        vmf.choose,
        {"spins": SPINS, "candidates": {"one": ONE_UNIT}, "seed": 0},
        {
            "spins": DATA,
            "candidates": [
                ({}, TypeError, "candidates must be a dict of at least one name and learner, got {}"),
                ([ONE_UNIT], TypeError, "candidates must be a dict of at least one name and learner, got"),
                ({1: ONE_UNIT}, ValueError, "candidates must have names that files can have, got 1"),
                ({"a/b": ONE_UNIT}, ValueError, "candidates must have names that files can have, got 'a/b'"),
                ({"one": vmf.fit}, TypeError, r"candidates\['one'\] must be a partial of fit or infer_weights, got"),
                ({"one": partial(vmf.fit, SPINS)}, TypeError, r"candidates\['one'\] must name its arguments, got"),
                ({"one": partial(vmf.fit, seed=1)}, TypeError, r"candidates\['one'\] must leave seed to choose"),
                (
                    {"one": ONE_UNIT, "two": partial(vmf.infer_weights, n_hidden=2, beta=1.0)},
                    ValueError,
                    "candidates must all give bounds or all estimates of the log-evidence, got some of both",
                ),
            ],
            "validation": [
                (SPINS[:, 1:], ValueError, r"validation must be a non-empty array of shape \(any, 5\)"),
                (2 * SPINS, ValueError, r"validation must hold only -1 and \+1, got 2"),
                (vmf.PackedSpins(BITS, 6), ValueError, r"validation must have shape \(any, 5\) as spins, got"),
            ],
            "folder": [
                (3, TypeError, "folder must be the name of a folder or None, got 3"),
                (A_MACHINE, ValueError, "folder must be a folder that can be made, got"),
            ],
            "progress": RUN["progress"],
            "seed": SEED,
        },
    ),
    "standard_errors": Case(
        vmf.standard_errors,
        {"spins": DRAWN, "result": Later(inferred)},
        {
            "spins": [*DATA, (DRAWN[:, 1:], ValueError, r"spins must have shape \(any, 5\) for this machine, got")],
            "result": [
                (None, TypeError, "result must be FitResult, got None"),
                (Later(fitted), ValueError, "result must be of infer_weights, got one of fit"),
                (Later(inferred_without_errors), ValueError, "result must have learnt beta or correlation"),
            ],
        },
    ),
}
