r"""How long chains remember, and whether each sees all of the machine.

With the visible spins of K independent chains after t sweeps the overlap of a chain with itself, t sweeps later, falls
from 1 to that of two chains if each of them sees all of the machine:

.. math::
    q(t) = \frac1N \sum_i \langle \sigma_i(s) \sigma_i(s + t) \rangle, \qquad
    q_\infty = \frac1N \sum_i \langle \sigma^k_i \sigma^l_i \rangle_{k \ne l}, \qquad
    C(t) = \frac{q(t) - q_\infty}{1 - q_\infty}, \qquad \tau = \frac12 + \sum_{t \ge 1} C(t) .
"""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.machines.machine import Machine, check_machine
from vmfcore.machines.sampling import chain_bits
from vmfcore.networks.network import ConvergenceWarning
from vmfcore.numerics.streams import Stream, generator

WINDOW = 5  # times τ, the lags that are summed (Sokal)
SAMPLED = 2**12  # pairs of times or of chains that are compared, at most


class Mixing(NamedTuple):
    """What chains remember."""

    time: float  # τ, sweeps; infinite where the window is longer than half of the sweeps
    lags: np.ndarray  # (L,), sweeps
    correlation: np.ndarray  # (L,), C(t)
    overlap: float  # q_∞, of different chains


def autocorrelation_time(
    machine: Machine,
    n_chains: int = 50,
    *,
    n_sweeps: int = 1000,
    burn_in: int = 200,
    start: ArrayLike | None = None,
    seed: int,
) -> Mixing:
    r"""Integrated autocorrelation time of block-Gibbs chains, in sweeps, from the overlaps of their visible spins.

    Parameters
    ----------
    machine : Machine
    n_chains : int >= 2
        K.
    n_sweeps : int >= 10
        That are looked at.
    burn_in : int >= 0
        Sweeps before them.
    start : (K, N) array, ±1, or None
        Where the chains start; None: independent pixels at the visible fields.
    seed : int >= 0

    Returns
    -------
    Mixing

    Warns
    -----
    ConvergenceWarning
        If the chains remember their past over half of the sweeps: τ is infinite then.

    Notes
    -----
    O((burn_in + n_sweeps) K N P).  The sum ends at the first lag beyond 5 τ.  Chains that are all caught in the same
    states agree with each other, too: compare those that start from noise with those that start from data.

    References
    ----------
    A. Sokal, *Monte Carlo methods in statistical mechanics* (1997), for the window.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> weak = vmf.planted(30, 3, beta=0.5, seed=1)
    >>> mixing = vmf.autocorrelation_time(weak, seed=0)
    >>> bool(0.4 < mixing.time < 1.5), mixing.correlation[0].item()
    (True, 1.0)
    """
    checks.integer(2, n_chains=n_chains)
    checks.integer(10, n_sweeps=n_sweeps)
    checks.integer(0, burn_in=burn_in, seed=seed)
    machine = check_machine(machine)
    if start is not None:
        start = checks.spins(start, shape=(n_chains, machine.weights.shape[0]), name="start")
    bits = chain_bits(machine, n_chains, burn_in, n_sweeps, start, seed)
    rng = generator(seed, Stream.PAIRS)
    distance = _distance_of_chains(bits, rng)
    n_visible = machine.weights.shape[0]
    lags = np.arange(n_sweeps // 2)
    q = np.array([1 - 2 * _distance(bits[: n_sweeps - t], bits[t:], rng) / n_visible for t in lags])
    overlap = 1 - 2 * distance / n_visible
    correlation = (q - overlap) / (1 - overlap) if overlap < 1 else (q == 1).astype(float)
    times = 0.5 + np.cumsum(correlation) - correlation[0]
    inside = np.flatnonzero(lags > WINDOW * times)
    if len(inside) == 0:
        text = f"chains remember their past over more than {n_sweeps // 2} sweeps: take more n_sweeps"
        warnings.warn(text, ConvergenceWarning, stacklevel=2)
        return Mixing(np.inf, lags, correlation, overlap)
    return Mixing(float(times[inside[0]]), lags, correlation, overlap)


def _distance(one, other, rng):
    """Mean number of spins in which packed states (S, K, bytes) differ, pair by pair, of some of the S times."""
    size = max(1, SAMPLED // one.shape[1])
    if len(one) > size:
        chosen = rng.choice(len(one), size, replace=False)
        one, other = one[chosen], other[chosen]
    return np.bitwise_count(one ^ other).sum(axis=2, dtype=np.int64).mean()


def _distance_of_chains(bits, rng):
    """The same of different chains at random times."""
    n_times, n_chains, _ = bits.shape
    chains = rng.integers(n_chains, size=SAMPLED)
    others = (chains + rng.integers(1, n_chains, size=SAMPLED)) % n_chains
    one, other = bits[rng.integers(n_times, size=SAMPLED), chains], bits[rng.integers(n_times, size=SAMPLED), others]
    return np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64).mean()
