r"""The square Ising model on a small torus: data whose truth is known, drawn and summed up row by row.

.. math::
    E(\sigma) = -\sum_{\langle ij \rangle} \sigma_i \sigma_j, \qquad Z = \mathrm{Tr}\, V^L, \qquad
    V_{rr'} = e^{A_{rr'}/T}, \qquad A_{rr'} = \tfrac12 A_r + \tfrac12 A_{r'} + \sum_i r_i r'_i, \qquad
    A_r = \sum_i r_i r_{i+1},

with the 2^L states r of a row.  Of the rows of a sample each is drawn given the one before and the first.

References
----------
H. A. Kramers, G. H. Wannier, Phys. Rev. 60, 252 (1941).
"""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks

MAX_SIDE = 10


class Thermodynamics(NamedTuple):
    """Exact averages of the model on L x L sites, in units of the coupling; Boltzmann's constant is 1."""

    log_partition: float  # ln Z
    energy: float  # <E>
    specific_heat: float  # (<E²> - <E>²)/T²
    correlations: np.ndarray  # (L//2 + 1,), <σ_i σ_j> at distances 0, 1, ... along a row

    def entropy(self, temperature: float) -> float:
        """ln Z + <E>/T, nats: what no model of the samples can be better than."""
        return self.log_partition + self.energy / temperature


class _Rows(NamedTuple):
    """The states of a row, and what a row and the next have of -E."""

    states: np.ndarray  # (2^L, L), ±1
    bonds: np.ndarray  # (2^L, 2^L), A


@functools.lru_cache(maxsize=4)
def _rows(side):
    states = 2 * (np.arange(2**side)[:, None] >> np.arange(side) & 1) - 1
    within = (states * np.roll(states, 1, axis=1)).sum(axis=1)
    return _Rows(states, 0.5 * within[:, None] + 0.5 * within + states @ states.T)


def _checked(side, temperature):
    checks.integer(3, side=side)
    if side > MAX_SIDE:
        raise ValueError(f"side must be at most {MAX_SIDE}, got {side}")
    return checks.real(0.1, 1e6, temperature=temperature)


def _powers(side, temperature):
    """V, V², ..., V^L without a common factor of V, and the logarithm of that."""
    exponents = _rows(side).bonds / temperature
    largest = exponents.max()
    powers = [np.exp(exponents - largest)]
    while len(powers) < side:
        powers.append(powers[-1] @ powers[0])
    return powers, largest


def ising_thermodynamics(side: int, temperature: float) -> Thermodynamics:
    """Exact averages of the square Ising model with periodic boundaries.

    Parameters
    ----------
    side : int in [3, 10]
        L.
    temperature : float in (0.1, 1e6)
        T; the infinite lattice has its transition at 2.269.

    Returns
    -------
    Thermodynamics

    Notes
    -----
    O(L 8^L): milliseconds for L = 8.

    Examples
    --------
    >>> from vmfcore.data.ising import ising_thermodynamics
    >>> exact = ising_thermodynamics(8, 2.27)
    >>> round(exact.energy / 64, 3), round(exact.entropy(2.27), 2)
    (-1.491, 18.1)
    """
    temperature = _checked(side, temperature)
    powers, largest = _powers(side, temperature)
    states, bonds = _rows(side)
    z = np.trace(powers[-1])
    once = powers[0] * bonds
    mean = side * (once * powers[-2].T).sum() / z
    # the same pair of rows twice, and two pairs that are k rows apart
    square = side * (powers[0] * bonds**2 * powers[-2].T).sum()
    for k in range(side - 1):
        left = once if k == 0 else once @ powers[k - 1]
        right = once if k == side - 2 else once @ powers[side - 3 - k]
        square += side * (left * right.T).sum()
    weights = np.diag(powers[-1]) / z
    at = [(states * np.roll(states, d, axis=1)).mean(axis=1) for d in range(side // 2 + 1)]
    return Thermodynamics(
        log_partition=float(np.log(z) + side * largest),
        energy=float(-mean),
        specific_heat=float((square / z - mean**2) / temperature**2),
        correlations=np.array([weights @ product for product in at]),
    )


def ising_spins(side: int, temperature: float, n_samples: int, *, seed: int) -> np.ndarray:
    """Independent samples of the square Ising model with periodic boundaries.

    Parameters
    ----------
    side : int in [3, 10]
        L.
    temperature : float in (0.1, 1e6)
        T.
    n_samples : int >= 1
        M.
    seed : int >= 0

    Returns
    -------
    (M, L²) int8 array, ±1
        Rows of the lattice one after the other.

    Notes
    -----
    O(L 8^L + M L 2^L).

    Examples
    --------
    >>> from vmfcore.data.ising import ising_energies, ising_spins
    >>> spins = ising_spins(8, 2.27, 1000, seed=0)
    >>> spins.shape
    (1000, 64)
    >>> bool(abs(ising_energies(spins).mean() / 64 + 1.49) < 0.02)
    True
    """
    temperature = _checked(side, temperature)
    checks.integer(1, n_samples=n_samples)
    rng = np.random.default_rng(checks.integer(0, seed=seed))
    powers, _ = _powers(side, temperature)
    states = _rows(side).states
    first = _drawn(np.diag(powers[-1])[None], rng.random(n_samples))
    rows = [first]
    for k in range(1, side):
        # given the row before, and the first, which lies L - k rows further on
        weights = powers[0][rows[-1]] * powers[side - k - 1][:, first].T
        rows.append(_drawn(weights, rng.random(n_samples)))
    return states[np.stack(rows, axis=1)].reshape(n_samples, -1).astype(np.int8)


def _drawn(weights, u):
    """A number for each row of weights, by one random number each."""
    ends = np.cumsum(weights, axis=1)
    return (ends < u[:, None] * ends[:, -1:]).sum(axis=1)


def ising_energies(spins: ArrayLike) -> np.ndarray:
    """E of states (M, L²) on a torus of L x L sites, (M,) float64."""
    spins = checks.spins(spins, shape=(None, None), name="spins")
    side = round(np.sqrt(spins.shape[1]))
    if side**2 != spins.shape[1]:
        raise ValueError(f"spins must have a square number of columns, got {spins.shape[1]}")
    lattice = spins.reshape(-1, side, side).astype(np.float64)
    return -sum((lattice * np.roll(lattice, 1, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
