"""Threads: matrix products run on one, so that their bits do not depend on the machine; blocks of work on all."""

import contextlib
import functools

import numba
from threadpoolctl import ThreadpoolController


@functools.cache
def _controller():
    """The matrix libraries of numpy and scipy; numba calls that of scipy, which must be loaded to be controlled."""
    import scipy.linalg.cython_blas  # noqa: F401

    return ThreadpoolController()


def one_blas_thread():
    """Context in which a matrix product takes one thread: over several it adds in another order."""
    return _controller().limit(limits=1, user_api="blas")


@contextlib.contextmanager
def numba_threads(n_jobs):
    """Context in which a parallel kernel of ``n_jobs`` jobs wakes no more threads than it has jobs."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(n_jobs, before))
    try:
        yield
    finally:
        numba.set_num_threads(before)
