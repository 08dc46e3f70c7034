"""Planted machines: teachers whose synapses a student is to find again."""

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.machines.machine import Machine, check_temperatures
from vmfcore.numerics.streams import Stream, generator


def planted(n_visible: int, n_hidden: int, beta: float | ArrayLike, *, correlation: float = 0.0, seed: int) -> Machine:
    r"""Random teacher: ±1 synapses, independent between sites, with <ξ_iμ ξ_iν> = q for every pair μ ≠ ν; no fields.

    Parameters
    ----------
    n_visible, n_hidden : int >= 1
        N and P.
    beta : float or (P,) array in (0, 1e6]
        Inverse temperature, of all hidden units or of each.
    correlation : float
        q in [-1, 1] for two hidden units, in [0, 1] for more, 0 for one.  Every synapse of a site equals a hidden
        common spin with probability (1 + √|q|)/2; for q < 0 the second unit is reversed.
    seed : int >= 0

    Returns
    -------
    Machine

    References
    ----------
    For P = 2 the ensemble of Hou, Wong & Huang, arXiv:1904.13052.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.planted(3, 2, beta=1.0, seed=0).weights.shape
    (3, 2)
    """
    checks.integer(1, n_visible=n_visible, n_hidden=n_hidden)
    checks.integer(0, seed=seed)
    checks.correlation(n_hidden, correlation=correlation)
    betas = check_temperatures(beta, n_hidden)
    rng = generator(seed, Stream.TEACHER)
    common = rng.choice(np.array([-1, 1], dtype=np.int8), size=(n_visible, 1))
    equal = rng.random((n_visible, n_hidden)) < 0.5 * (1 + np.sqrt(abs(correlation)))
    weights = np.where(equal, common, -common)
    if correlation < 0:
        weights[:, 1] *= -1
    return Machine(weights, betas, np.zeros(n_visible), np.zeros(n_hidden))
