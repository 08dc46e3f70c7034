"""Functions of +-1 spins that neither overflow nor lose digits, and nodes for averages over Gaussian fields."""

import functools
import math

import numpy as np


def log2cosh(x):
    """ln 2cosh(x) = |x| + ln(1 + exp(-2|x|)), elementwise, for any real x."""
    x = np.abs(x)
    return x + np.log1p(np.exp(-2.0 * x))


def binary_entropy(means):
    """Entropy in nats of +-1 variables with the given means, elementwise, in [0, ln 2]; keeps single precision."""
    means = np.asarray(means)
    if means.dtype != np.float32:
        means = means.astype(np.float64, copy=False)
    up = 0.5 * (1.0 + means)
    down = 0.5 * (1.0 - means)
    # p ln p is 0 at p = 0
    tiny = np.finfo(means.dtype).tiny
    return -(up * np.log(np.maximum(up, tiny)) + down * np.log(np.maximum(down, tiny)))


@functools.lru_cache(maxsize=32)
def gauss_hermite(n):
    """Nodes and weights (n,) of E f(z), z ~ Normal(0, 1): exact for polynomials below degree 2n."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return nodes, weights / weights.sum()


@functools.lru_cache(maxsize=128)
def half_line_grid(sharpness, error=1e-10):
    r"""Nodes z_k >= 0 and weights of E f(z) = Σ_k w_k [f(z_k) + f(-z_k)], z ~ Normal(0, 1).

    The trapezoidal rule for f(z) = ln 2cosh(x + sharpness z) or its derivatives, whose nearest pole lies at
    distance d = π/(2 sharpness) from the real axis: its error is about exp(d²/2 - 2πd/h), so the step h is
    chosen for ``error``.  The number of nodes grows in proportion to the sharpness, where Gauss-Hermite
    needs its square: at sharpness 1 and 3, 18 and 49 nodes for 1e-9 against 100 Gauss-Hermite nodes for
    1e-11 and 1e-5.

    References
    ----------
    L. N. Trefethen, J. A. C. Weideman, SIAM Review 56, 385 (2014), section 5.
    """
    log_error = -math.log(error)
    # beyond z = √(2 ln 1/error) the density itself is below the error, and so is what a farther pole would save
    last_node = math.sqrt(2 * log_error)
    distance = min(math.pi / (2 * max(sharpness, 1e-300)), last_node)
    step = 2 * math.pi * distance / (log_error + distance**2 / 2)
    nodes = step * np.arange(int(last_node / step) + 1)
    weights = np.exp(-(nodes**2) / 2)
    # z = 0 is met twice, as z and as -z
    weights[0] /= 2
    return nodes, weights / (2 * weights.sum())


def line_grid(sharpness, error=1e-10):
    """The nodes and weights of `half_line_grid` on both halves of the line, for functions without symmetry."""
    nodes, weights = half_line_grid(sharpness, error)
    return np.concatenate([-nodes, nodes]), np.concatenate([weights, weights])
