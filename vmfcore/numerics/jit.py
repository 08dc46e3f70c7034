"""How kernels are compiled and on how many threads they run."""

import functools
from pathlib import Path

import numba
from threadpoolctl import ThreadpoolController

from vmfcore.numerics.kernel_cache import open_folder

# without compilation there is nothing to keep
KERNELS = None if numba.config.DISABLE_JIT else open_folder(Path(__file__).resolve().parents[1])

MAX_THREADS = numba.config.NUMBA_NUM_THREADS


def _compile(function, **options):
    """The compiled function, kept in KERNELS; compiled anew in each process where that is None."""
    # numba decides while it decorates where a function is kept; other packages' functions go where they always go
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(KERNELS or "")
    try:
        return numba.njit(cache=KERNELS is not None, error_model="numpy", **options)(function)
    finally:
        numba.config.CACHE_DIR = before


def kernel(function):
    """Compiled at its first call, and kept on disk.

    Rows are copied number by number: ``a[:] = b`` compiles the text of numba's error message, too, in every kernel that
    calls this one.
    """
    return _compile(function)


def parallel_kernel(function):
    """A kernel whose `numba.prange` runs on all threads.

    Its index is handed to other kernels as np.int64: numba makes of it an int64 and a uint64, and would compile both.
    """
    return _compile(function, parallel=True)


@functools.cache
def _controller():
    """The matrix libraries of numpy and scipy; numba calls that of scipy, which must be loaded to be controlled."""
    import scipy.linalg.cython_blas  # noqa: F401

    return ThreadpoolController()


def one_blas_thread():
    """Context in which a matrix product takes one thread: over several it adds in another order."""
    return _controller().limit(limits=1, user_api="blas")


class numba_threads:
    """Context in which a parallel kernel wakes no more threads than it has jobs, and grains of work worth a thread.

    To wake a thread takes some 10 µs, and milliseconds where another process holds its core.
    """

    __slots__ = ("before", "wanted")

    def __init__(self, n_jobs, n_grains):
        n_useful = max(1, min(n_jobs, int(n_grains)))
        # numba is not even asked where there is work for all threads that it has
        self.before = MAX_THREADS if n_useful >= MAX_THREADS else numba.get_num_threads()
        self.wanted = min(n_useful, self.before)

    def __enter__(self):
        if self.wanted != self.before:
            numba.set_num_threads(self.wanted)

    def __exit__(self, *_):
        if self.wanted != self.before:
            numba.set_num_threads(self.before)
