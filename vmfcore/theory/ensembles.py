r"""Random couplings of a given spectrum."""

import numpy as np
import scipy

from vmfcore import checks
from vmfcore.networks.resolvent import check_spectrum

ENSEMBLES = ("iid", "orthogonal", "power-law")
COUPLINGS = 7  # stream of random numbers
ANGLES = 2**14  # at which the law of Marchenko and Pastur is integrated


def _marchenko_pastur(n_visible, n_hidden):
    """Quantiles of the singular values of iid couplings of variance 1/N, (min(N, P),), from the largest down."""
    n, longer = sorted((n_visible, n_hidden))
    ratio = n / longer
    # s²N/longer = 1 + ratio - 2 √ratio cos θ, of density 2 sin²θ/(π s²N/longer) in θ
    angle = np.linspace(0, np.pi, ANGLES + 1)
    s2 = 1 + ratio - 2 * np.sqrt(ratio) * np.cos(angle)
    density = np.divide(np.sin(angle) ** 2, s2, out=np.ones_like(s2), where=s2 > 0)
    below = scipy.integrate.cumulative_simpson(density, x=angle, initial=0)
    angles = np.interp((np.arange(n)[::-1] + 0.5) / n, below / below[-1], angle)
    return np.sqrt((1 + ratio - 2 * np.sqrt(ratio) * np.cos(angles)) * longer / n_visible)


def ensemble_spectrum(n_visible, n_hidden, ensemble, *, strength=1.0, exponent=None):
    r"""Singular values of a random ensemble of couplings: its limit for large networks, at min(N, P) quantiles.

    Parameters
    ----------
    n_visible, n_hidden : int >= 1
        N and P.
    ensemble : "iid", "orthogonal", "power-law" or (min(N, P),) array >= 0
        iid: couplings of variance strength²/N; the law of Marchenko and Pastur.
        orthogonal: all singular values are the strength (orthogonal columns for P <= N).
        power-law: s = strength × u^exponent with u uniform on [0, 1], thus a density ∝ s^(1/exponent - 1) up to a
        sharp edge; exponent 1 is the uniform spectrum on [0, strength].
        An array is a spectrum of your own, to be multiplied by the strength.
    strength : float in [0, 100]
        Dimensionless.
    exponent : float in [0, 20] or None
        Of the power law, which needs it and alone takes it.

    Returns
    -------
    (min(N, P),) float64 array
        From the largest down, except for a spectrum of your own, which keeps its order.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    References
    ----------
    V. A. Marchenko, L. A. Pastur, Math. USSR Sb. 1, 457 (1967).
    """
    checks.integer(1, n_visible=n_visible, n_hidden=n_hidden)
    strength = checks.real(0, 100, closed="both", strength=strength)
    n, named = min(n_visible, n_hidden), isinstance(ensemble, str)
    if named:
        checks.option(ENSEMBLES, ensemble=ensemble)
        if ensemble == "power-law":
            exponent = checks.real(0, 20, closed="both", exponent=exponent)
            return strength * ((np.arange(n)[::-1] + 0.5) / n) ** exponent
    if exponent is not None:
        raise ValueError(f"exponent must be None unless ensemble is 'power-law', got {exponent!r}")
    if not named:
        return strength * check_spectrum(ensemble, n, "ensemble")
    return strength * (_marchenko_pastur(n_visible, n_hidden) if ensemble == "iid" else np.ones(n))


def random_couplings(n_visible, n_hidden, ensemble, *, strength=1.0, exponent=None, seed):
    r"""Random couplings J = U diag(s) Vᵀ: independent numbers, or given singular values with random singular vectors.

    Parameters
    ----------
    n_visible, n_hidden, ensemble, strength, exponent
        As in `ensemble_spectrum`.  iid couplings are drawn, Normal(0, strength²/N); all others have exactly the
        singular values that it returns, and singular vectors uniform over all rotations (Haar).
    seed : int >= 0

    Returns
    -------
    (N, P) float64 array

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Notes
    -----
    O(N P min(N, P)) for the QR decompositions.

    References
    ----------
    F. Mezzadri, Notices AMS 54, 592 (2007), on rotations from Gaussian matrices.
    """
    singular_values = ensemble_spectrum(n_visible, n_hidden, ensemble, strength=strength, exponent=exponent)
    checks.integer(0, seed=seed)
    rng = np.random.default_rng([seed, COUPLINGS])
    if isinstance(ensemble, str) and ensemble == "iid":
        return strength / np.sqrt(n_visible) * rng.normal(size=(n_visible, n_hidden))
    left, right = (_orthogonal(n, len(singular_values), rng) for n in (n_visible, n_hidden))
    return (left * singular_values) @ right.T


def _orthogonal(n_rows, n_columns, rng):
    """Orthogonal columns, uniform over all rotations: QR with the signs of the diagonal of R made positive."""
    q, r = np.linalg.qr(rng.normal(size=(n_rows, n_columns)))
    return q * np.where(np.diag(r) < 0, -1.0, 1.0)
