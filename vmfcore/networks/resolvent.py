r"""The resolvent of couplings that message passing without memory needs.

In a network of N visible and P hidden units every spin of a layer is given the same susceptibility, χ_v or χ_h.  The
Gaussian network of the same couplings J has these as averages over its layers if its precisions are

.. math::
    \lambda_v = \frac{1 + \tau_v}{\chi_v}, \quad \lambda_h = \frac{1 + \tau_h}{\chi_h}, \qquad
    \tau_v = \frac{x t}{N}, \quad \tau_h = \frac{x t}{P}, \quad t = \sum_k \frac{s_k^2}{d_k}, \quad
    d_k = (1 + \tau_v)(1 + \tau_h) - x s_k^2, \quad x = \chi_v\chi_h,

with the singular values s of J.  This is χ_v = λ_h tr(z - JJᵀ)⁻¹/N, z = λ_vλ_h, and its mirror image, in a form in
which nothing cancels or diverges where the spins are frozen, x → 0.
"""

from typing import NamedTuple

import numpy as np

from vmfcore import checks

ROUNDING = 1e-14
MAX_STEPS = 100  # of Newton's method, which takes about ten


class Resolvent(NamedTuple):
    """Solution of the equations above; leading axes as x has."""

    gaps: np.ndarray  # (..., n), d_k > 0
    total: np.ndarray  # t
    tau: np.ndarray  # (..., 2), τ_v and τ_h
    edge_ratio: np.ndarray  # z/s_max² > 1; inf without couplings


def resolvent(squares, x, n_visible, n_hidden):
    """`Resolvent` of squared singular values (n,), n = min(N, P), for x (...) >= 0."""
    sizes, scaled = np.array([n_visible, n_hidden]), np.multiply.outer(x, squares)
    edge = scaled.max(axis=-1)
    # top = (1 + τ_v)(1 + τ_h) = edge + gap is the root of F(top) = [top/(1 + τ_v)(1 + τ_h)]^½ = 1.  F grows and is
    # concave: Newton's method climbs from the lower limit that the largest singular value alone gives
    pull, half = edge * (1 / sizes).sum(), (1 - edge) / 2
    root = np.sqrt(half**2 + pull)
    gap = np.where(half > 0, root + half, pull / (root + np.abs(half)))
    for _ in range(MAX_STEPS):
        gaps = gap[..., None] + (edge[..., None] - scaled)
        ratios = scaled / gaps
        tau = ratios.sum(axis=-1)[..., None] / sizes
        slopes = (ratios * (1 + ratios)).sum(axis=-1)[..., None] / sizes  # -top dτ/dtop
        top = edge + gap
        f = np.sqrt(top / (1 + tau).prod(axis=-1))
        step = top * (1 - f) / (f / 2 * (1 + (slopes / (1 + tau)).sum(axis=-1)))
        gap = np.maximum(gap + step, gap / 2)
        if (np.abs(step) <= ROUNDING * gap).all():
            break
    gaps = gap[..., None] + (edge[..., None] - scaled)
    with np.errstate(divide="ignore", over="ignore"):
        ratio = 1 + gap / edge
    return Resolvent(gaps, (squares / gaps).sum(axis=-1), (scaled / gaps).sum(axis=-1)[..., None] / sizes, ratio)


def check_spectrum(singular_values, n, name="singular_values"):
    """Singular values (n,) >= 0 as float64."""
    values = checks.array((n,), **{name: singular_values})
    if values.min() < 0:
        raise ValueError(f"{name} must hold numbers >= 0, got {values.min():g}")
    return values
