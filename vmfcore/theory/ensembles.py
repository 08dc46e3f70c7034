r"""Random couplings of a given spectrum: J = U diag(s) Vᵀ with U and V random rotations, or independent numbers."""

import numpy as np
import scipy
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.networks.resolvent import check_spectrum
from vmfcore.numerics.streams import Stream, generator

ENSEMBLES = ("iid", "orthogonal", "power-law")
ANGLES = 2**14  # at which the law of Marchenko and Pastur is integrated


def ensemble_spectrum(
    n_visible: int,
    n_hidden: int,
    ensemble: str | ArrayLike,
    *,
    strength: float = 1.0,
    exponent: float | None = None,
) -> np.ndarray:
    r"""Singular values of a random ensemble of couplings: its limit for large networks, at min(N, P) quantiles.

    .. math::
        s_k = F^{-1}\Bigl(\frac{k - 1/2}{n}\Bigr), \quad k = n, \dots, 1, \quad n = \min(N, P), \qquad
        F \text{ the cumulative distribution of } s

    Parameters
    ----------
    n_visible : int >= 1
        N, the number of rows of the couplings.
    n_hidden : int >= 1
        P, the number of their columns.
    ensemble : "iid", "orthogonal", "power-law" or (min(N, P),) array >= 0
        iid: couplings of variance strength²/N; the law of Marchenko and Pastur.
        orthogonal: all singular values are the strength (orthogonal columns for P <= N).
        power-law: s = strength × u^exponent with u uniform on [0, 1].
        An array is a spectrum of your own, to be multiplied by the strength.
    strength : float in [0, 100]
        Dimensionless.
    exponent : float in [0, 20] or None
        Of the power law, which needs it and alone takes it.

    Returns
    -------
    (min(N, P),) float64 array
        From the largest down, except for a spectrum of your own, which keeps its order.

    Notes
    -----
    The density of the power law is ∝ s^(1/exponent - 1) up to a sharp edge; exponent 1 is the uniform spectrum on
    [0, strength].

    References
    ----------
    V. A. Marchenko, L. A. Pastur, Math. USSR Sb. 1, 457 (1967).

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.theory.ensemble_spectrum(6, 4, "iid").round(2)
    array([1.46, 1.05, 0.71, 0.39])
    >>> vmf.theory.ensemble_spectrum(6, 4, "power-law", strength=2.0, exponent=1.0)
    array([1.75, 1.25, 0.75, 0.25])
    """
    checks.integer(1, n_visible=n_visible, n_hidden=n_hidden)
    strength = checks.real(0, checks.MAX_STRENGTH, closed="both", strength=strength)
    n_values = min(n_visible, n_hidden)

    if not isinstance(ensemble, str):
        _refuse_exponent(exponent)
        return strength * check_spectrum(ensemble, n_values, "ensemble")

    checks.option(ENSEMBLES, ensemble=ensemble)
    if ensemble == "power-law":
        exponent = checks.real(0, checks.MAX_EXPONENT, closed="both", exponent=exponent)
        return strength * _levels(n_values) ** exponent

    _refuse_exponent(exponent)
    if ensemble == "iid":
        return strength * _marchenko_pastur(n_visible, n_hidden)
    return strength * np.ones(n_values)


def random_couplings(
    n_visible: int,
    n_hidden: int,
    ensemble: str | ArrayLike,
    *,
    strength: float = 1.0,
    exponent: float | None = None,
    seed: int,
) -> np.ndarray:
    r"""Random couplings J = U diag(s) Vᵀ: independent numbers, or given singular values with random singular vectors.

    .. math::
        \text{iid: } J_{i\mu} \sim \mathrm{Normal}(0, \mathrm{strength}^2/N); \qquad
        \text{else: } J = U\, \mathrm{diag}(s)\, V^{\mathsf T}, \quad U, V \sim \mathrm{Haar}

    Parameters
    ----------
    n_visible : int >= 1
        N, the number of rows of the couplings.
    n_hidden : int >= 1
        P, the number of their columns.
    ensemble : "iid", "orthogonal", "power-law" or (min(N, P),) array >= 0
        The singular values s, those of `ensemble_spectrum`; an array holds values of your own.
    strength : float in [0, 100]
        Factor of all couplings, dimensionless.
    exponent : float in [0, 20] or None
        Of the power law, which needs it and alone takes it.
    seed : int >= 0
        Of the random numbers.

    Returns
    -------
    (N, P) float64 array
        Dimensionless.

    Notes
    -----
    O(N P min(N, P)) for the QR decompositions.  iid couplings have their spectrum in the limit only; all others have
    exactly the singular values that `ensemble_spectrum` returns.

    References
    ----------
    F. Mezzadri, Notices AMS 54, 592 (2007), on rotations from Gaussian matrices.

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> couplings = vmf.theory.random_couplings(6, 2, "orthogonal", strength=1.5, seed=0)
    >>> np.linalg.svd(couplings, compute_uv=False).round(6)
    array([1.5, 1.5])
    """
    singular_values = ensemble_spectrum(n_visible, n_hidden, ensemble, strength=strength, exponent=exponent)
    checks.integer(0, seed=seed)
    rng = generator(seed, Stream.COUPLINGS)
    if isinstance(ensemble, str) and ensemble == "iid":
        return strength / np.sqrt(n_visible) * rng.normal(size=(n_visible, n_hidden))
    left = _orthogonal_columns(n_visible, len(singular_values), rng)
    right = _orthogonal_columns(n_hidden, len(singular_values), rng)
    return (left * singular_values) @ right.T


def _refuse_exponent(exponent):
    if exponent is not None:
        raise ValueError(f"exponent must be None unless ensemble is 'power-law', got {exponent!r}")


def _levels(n):
    """Levels (k - 1/2)/n of n quantiles, from the largest down."""
    return (np.arange(n)[::-1] + 0.5) / n


def _marchenko_pastur(n_visible, n_hidden):
    """Quantiles of the singular values of iid couplings of variance 1/N, (min(N, P),), from the largest down."""
    n_values, longer = sorted((n_visible, n_hidden))
    ratio = n_values / longer
    # s²N/longer = 1 + ratio - 2 √ratio cos θ, of density 2 sin²θ/(π s²N/longer) in θ
    angle = np.linspace(0, np.pi, ANGLES + 1)
    square = _scaled_square(ratio, angle)
    density = np.divide(np.sin(angle) ** 2, square, out=np.ones_like(square), where=square > 0)
    cumulative = scipy.integrate.cumulative_simpson(density, x=angle, initial=0)
    # the angles at which it passes the levels, and their singular values
    angles = np.interp(_levels(n_values), cumulative / cumulative[-1], angle)
    return np.sqrt(_scaled_square(ratio, angles) * longer / n_visible)


def _scaled_square(ratio, angle):
    """s²N/longer at an angle of the law of Marchenko and Pastur; between (1 - √ratio)² and (1 + √ratio)²."""
    return 1 + ratio - 2 * np.sqrt(ratio) * np.cos(angle)


def _orthogonal_columns(n_rows, n_columns, rng):
    """Orthogonal columns, uniform over all rotations: QR with the signs of the diagonal of R made positive."""
    q, r = np.linalg.qr(rng.normal(size=(n_rows, n_columns)))
    return q * np.where(np.diag(r) < 0, -1.0, 1.0)
