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
