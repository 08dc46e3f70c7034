r"""The resolvent of couplings that message passing without memory needs.

In a network of N visible and P hidden units every spin of a layer is given the same susceptibility, χ_v or χ_h.  The
Gaussian network of the same couplings J has these as averages over its layers if its precisions are

.. math::
    \lambda_v = \frac{1 + \tau_v}{\chi_v}, \quad \lambda_h = \frac{1 + \tau_h}{\chi_h}, \qquad
    \tau_v = \frac{x t}{N}, \quad \tau_h = \frac{x t}{P}, \quad t = \sum_k \frac{s_k^2}{d_k}, \quad
    d_k = (1 + \tau_v)(1 + \tau_h) - x s_k^2, \quad x = \chi_v\chi_h,

with the singular values s of J.  This is χ_v = λ_h tr(z - JJᵀ)⁻¹/N, z = λ_vλ_h, and its mirror image, in a form in
which nothing cancels or diverges where the spins are frozen, x → 0.

The unknown is the gap of the mode of the largest singular value: top = (1 + τ_v)(1 + τ_h) = x s_max² + gap is the root
of

.. math::
    F(\mathrm{top}) = \Bigl[\frac{\mathrm{top}}{(1 + \tau_v)(1 + \tau_h)}\Bigr]^{1/2} = 1.

F grows and is concave: Newton's method climbs from the lower limit that the largest singular value alone gives.
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
    sizes = np.array([n_visible, n_hidden])
    scaled = np.multiply.outer(x, squares)  # x s²
    edge = scaled.max(axis=-1)

    # Newton's method for the gap
    gap = _gap_of_largest_mode_alone(edge, sizes)
    for _ in range(MAX_STEPS):
        step = _newton_step(gap, edge, scaled, sizes)
        gap = np.maximum(gap + step, gap / 2)
        if (np.abs(step) <= ROUNDING * gap).all():
            break

    gaps = _gaps(gap, edge, scaled)
    with np.errstate(divide="ignore", over="ignore"):  # no couplings: the edge is 0
        edge_ratio = 1 + gap / edge
    return Resolvent(
        gaps=gaps,
        total=(squares / gaps).sum(axis=-1),
        tau=(scaled / gaps).sum(axis=-1)[..., None] / sizes,
        edge_ratio=edge_ratio,
    )


def _gap_of_largest_mode_alone(edge, sizes):
    """The positive root of gap² - (1 - edge) gap = edge (1/N + 1/P), by the form of it in which nothing cancels."""
    pull = edge * (1 / sizes).sum()
    half = (1 - edge) / 2
    root = np.sqrt(half**2 + pull)
    return np.where(half > 0, root + half, pull / (root + np.abs(half)))


def _gaps(gap, edge, scaled):
    """d_k of all modes, from that of the largest singular value."""
    return gap[..., None] + (edge[..., None] - scaled)


def _newton_step(gap, edge, scaled, sizes):
    """(1 - F)/F' at this gap."""
    ratios = scaled / _gaps(gap, edge, scaled)
    tau = ratios.sum(axis=-1)[..., None] / sizes
    tau_slopes = (ratios * (1 + ratios)).sum(axis=-1)[..., None] / sizes  # -top dτ/dtop
    top = edge + gap
    f = np.sqrt(top / (1 + tau).prod(axis=-1))
    log_slope = 1 + (tau_slopes / (1 + tau)).sum(axis=-1)  # 2 d ln F/d ln top
    return top * (1 - f) / (f / 2 * log_slope)


def check_spectrum(singular_values, n, name="singular_values"):
    """Singular values (n,) >= 0 as float64."""
    values = checks.array((n,), **{name: singular_values})
    if values.min() < 0:
        raise ValueError(f"{name} must hold numbers >= 0, got {values.min():g}")
    return values
