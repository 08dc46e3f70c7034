import numba
import numpy as np
import pytest

if numba.config.DISABLE_JIT:
    # integers of kernels wrap around, of which numpy's numbers warn
    np.seterr(over="ignore")


@pytest.fixture
def rng():
    return np.random.default_rng(20260)
