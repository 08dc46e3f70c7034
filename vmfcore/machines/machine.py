r"""Machines, trained or planted: their hidden representation and samples.

.. math::
    P(\sigma, h) \propto \exp\Bigl( \sum_i a_i \sigma_i + \sum_\mu b_\mu h_\mu
        + \sum_{i\mu} \frac{\beta_\mu}{\sqrt N} \xi_{i\mu} \sigma_i h_\mu \Bigr)
"""

from typing import NamedTuple

import numpy as np

from vmfcore import checks
from vmfcore.data.packing import pack_spins
from vmfcore.machines.planted import MAX_EXACT_HIDDEN, SAMPLES, draw_exactly
from vmfcore.networks.gibbs import sweep
from vmfcore.numerics.jit import one_blas_thread

BLOCK = 2**18  # spins of samples, or of chains, at once: they stay in cache
N_SWEEPS = 1000  # by default, where samples cannot be drawn exactly


def signs(means):
    """Decided synapses, int8: +1 where the mean is not negative."""
    return np.where(np.asarray(means) >= 0, np.int8(1), np.int8(-1))


class Machine(NamedTuple):
    r"""A restricted Boltzmann machine with ±1 synapses, or their means, and an inverse temperature a hidden unit.

    Parameters
    ----------
    weights : (N, P) array in [-1, 1]
        ξ; ±1, which takes one bit a synapse, or means λ.
    beta : (P,) array or float > 0
        Inverse temperature of each hidden unit.
    visible_fields, hidden_fields : (N,) and (P,) arrays, or None
        a and b, dimensionless; None: none.
    """

    weights: np.ndarray
    beta: np.ndarray
    visible_fields: np.ndarray = None
    hidden_fields: np.ndarray = None

    @property
    def couplings(self):
        """J_iμ = β_μ ξ_iμ/√N, (N, P) float64."""
        return np.asarray(self.beta, np.float64) / np.sqrt(len(self.weights)) * self.weights

    @property
    def binarized(self):
        """The machine whose synapses are the signs of these, +1 where a mean is 0."""
        return self._replace(weights=signs(self.weights))

    @property
    def n_bits(self):
        """Bits to keep it: 1 a synapse if all are ±1, else 32; 32 a field, if there are any, and a different β."""
        n_visible, n_hidden = np.shape(self.weights)
        a_synapse = 1 if (np.abs(self.weights) == 1).all() else 32
        fields = [x for x in (self.visible_fields, self.hidden_fields) if x is not None and np.any(x)]
        n_betas = 1 if np.ptp(self.beta) == 0 else n_hidden
        return a_synapse * n_visible * n_hidden + 32 * (n_betas + sum(map(len, fields)))


def check_machine(machine):
    """The machine with all its arrays, in the types that the rest of the code expects.

    Parameters
    ----------
    machine : Machine

    Returns
    -------
    Machine
        Weights int8 where all are ±1, else float32 if they were, or float64; the others contiguous float64 arrays.

    Raises
    ------
    TypeError, ValueError
        If a part is not as `Machine` says.
    """
    if not isinstance(machine, Machine):
        raise TypeError(f"machine must be a Machine, got {type(machine).__name__}")
    weights = checks.means(machine.weights, name="machine.weights")
    n_visible, n_hidden = weights.shape
    if (np.abs(weights) == 1).all():
        weights = weights.astype(np.int8)
    elif getattr(machine.weights, "dtype", None) == np.float32:
        weights = weights.astype(np.float32)
    many = isinstance(machine.beta, (list, tuple)) or np.ndim(machine.beta)
    beta = checks.array(
        (n_hidden,), **{"machine.beta": machine.beta if many else np.broadcast_to(machine.beta, n_hidden)}
    )
    if beta.min() <= 0:
        raise ValueError(f"machine.beta must hold positive numbers, got {beta.min()}")
    a = np.zeros(n_visible) if machine.visible_fields is None else machine.visible_fields
    b = np.zeros(n_hidden) if machine.hidden_fields is None else machine.hidden_fields
    a = checks.array((n_visible,), **{"machine.visible_fields": a})
    b = checks.array((n_hidden,), **{"machine.hidden_fields": b})
    sizes = {"machine.beta": beta, "machine.visible_fields": a, "machine.hidden_fields": b}
    checks.within(checks.MAX_SIZE, **sizes)
    return Machine(weights, beta, a, b)


def hidden_field_blocks(spins, machine):
    """Blocks of samples, as ±1 float64, and the fields b + Jᵀσ that they exert on the hidden units."""
    data, machine = pack_spins(spins), check_machine(machine)
    n_visible = len(machine.weights)
    if data.n_visible != n_visible:
        raise ValueError(f"spins must have shape (any, {n_visible}) for this machine, got shape {data.shape}")
    couplings, block = machine.couplings, max(1, BLOCK // n_visible)
    for start in range(0, len(data.bits), block):
        sigma = data.take(slice(start, start + block)).dense(np.float64)
        yield sigma, sigma @ couplings + machine.hidden_fields


def hidden_means(spins, machine):
    r"""The hidden representation of data, <h_μ> = tanh(b_μ + Σ_i J_iμ σ_i).

    Parameters
    ----------
    spins : (M, N) array, ±1, or PackedSpins
    machine : Machine

    Returns
    -------
    (M, P) float64 array in [-1, 1]

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Notes
    -----
    O(M N P); packed data are unpacked block by block.
    """
    return np.concatenate([np.tanh(fields) for _, fields in hidden_field_blocks(spins, machine)])


def sample(machine, n_samples, *, start=None, n_sweeps=None, seed):
    r"""Samples of the visible spins, exact or by independent block-Gibbs chains.

    Parameters
    ----------
    machine : Machine
    n_samples : int >= 1
        M.
    start : (M, N) array, ±1, or None
        Where the chains start, data for example; None: independent pixels at the visible fields.
    n_sweeps : int >= 1 or None
        Of each chain.  None: none and exact samples for P <= 16 without ``start``, otherwise 1000.
    seed : int >= 0

    Returns
    -------
    (M, N) int8 array
        ±1.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Notes
    -----
    Exact: O(2^P N P + M N P).  Chains: O(n_sweeps M N P), in single precision.  They follow the machine's
    distribution only where they relax within ``n_sweeps``: a well trained machine has many states, and 1000 sweeps that
    start in data show the states around them rather than how often the machine visits each.  Same bits for any number
    of threads.
    """
    machine = check_machine(machine)
    checks.integer(1, n_samples=n_samples)
    checks.integer(0, seed=seed)
    n_visible, n_hidden = machine.weights.shape
    if start is not None:
        start = checks.spins(start, shape=(n_samples, n_visible), name="start")
    rng = np.random.default_rng([seed, SAMPLES])
    if n_sweeps is None and start is None and n_hidden <= MAX_EXACT_HIDDEN:
        return draw_exactly(machine.couplings, machine.visible_fields, machine.hidden_fields, n_samples, rng)
    n_sweeps = checks.integer(1, n_sweeps=N_SWEEPS if n_sweeps is None else n_sweeps)
    columns = np.ascontiguousarray(machine.couplings.T, dtype=np.float32)
    a, b = machine.visible_fields.astype(np.float32), machine.hidden_fields.astype(np.float32)
    out, block = np.empty((n_samples, n_visible), np.int8), max(2, BLOCK // n_visible)
    with one_blas_thread():
        for first in range(0, n_samples, block):
            part = out[first : first + block]
            if start is None:
                hidden = np.ones((len(part), n_hidden), np.float32)
                sweep(columns, a, b, hidden, rng, scales=(0.0, 1.0))  # which does not look at the hidden units
            else:
                hidden = draw_hidden(start[first : first + block], machine, rng)
            for _ in range(n_sweeps):
                spins, _ = sweep(columns, a, b, hidden, rng)
            part[:] = spins
    return out


def draw_hidden(spins, machine, rng):
    """Hidden units (M, P) of a checked machine given the visible spins, ±1 in single precision."""
    means = hidden_means(spins, machine)
    return np.where(2 * rng.random(means.shape) - 1 < means, np.float32(1), np.float32(-1))
