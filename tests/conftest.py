import os

import numba
import numpy as np
import pytest

if numba.config.DISABLE_JIT:
    # integers of kernels wrap around, of which numpy's numbers warn
    np.seterr(over="ignore")

if "PYTEST_XDIST_WORKER" in os.environ:
    # processes that share the cores have one thread each; a test of several threads asks for them
    numba.set_num_threads(1)
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"


@pytest.fixture
def rng():
    return np.random.default_rng(20260)


# Files in this order come first, the others after them.  Two processes share the work, a file at a time: one compiles
# the kernels, small problem by small problem, while the other is at what needs none of them, or has kernels of its own;
# then the longest, so that both end at about the same time.
FIRST = (
    "test_bad_input.py",
    "test_package.py",
    "numerics/test_jit.py",
    "theory/test_dynamics.py",
    "test_notebooks.py",
    "workflow/test_snakemake.py",
    "test_stress.py",
    "learning/test_fit.py",
)


def pytest_collection_modifyitems(config, items):
    place = {config.rootpath / "tests" / name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(FIRST)))
