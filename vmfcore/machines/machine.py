r"""Machines, trained or planted: their hidden representation and samples.

.. math::
    P(\sigma, h) \propto \exp\Bigl( \sum_i a_i \sigma_i + \sum_\mu b_\mu h_\mu
        + \sum_{i\mu} \frac{\beta_\mu}{\sqrt N} \xi_{i\mu} \sigma_i h_\mu \Bigr)
"""

from typing import NamedTuple

import numpy as np

from vmfcore import checks
from vmfcore.data.packing import PackedSpins, pack_spins
from vmfcore.networks.exact import draw_exactly
from vmfcore.networks.gibbs import Couplings, Place, sweep, words_a_sweep
from vmfcore.numerics.blocks import IN_SHARED_CACHE, blocks
from vmfcore.numerics.streams import Stream, generator, stream_key

MAX_EXACT_HIDDEN = 16  # hidden units up to which samples are drawn exactly, and ln Z is summed, unless told otherwise
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

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> vmf.Machine(np.array([[1, -1], [0.5, -0.2]]), 2.0).binarized.weights
    array([[ 1, -1],
           [ 1, -1]], dtype=int8)
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
        per_synapse = 1 if (np.abs(self.weights) == 1).all() else 32
        fields = [x for x in (self.visible_fields, self.hidden_fields) if x is not None and np.any(x)]
        n_betas = 1 if np.ptp(self.beta) == 0 else n_hidden
        return per_synapse * n_visible * n_hidden + 32 * (n_betas + sum(len(field) for field in fields))


def check_machine(machine) -> Machine:
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
    checks.instance(Machine, machine=machine)
    weights = checks.means(machine.weights, name="machine.weights")
    n_visible, n_hidden = weights.shape
    if (np.abs(weights) == 1).all():
        weights = weights.astype(np.int8)
    elif getattr(machine.weights, "dtype", None) == np.float32:
        weights = weights.astype(np.float32)
    beta = check_temperatures(machine.beta, n_hidden, "machine.beta")
    visible_fields = _checked_fields(machine.visible_fields, n_visible, "machine.visible_fields")
    hidden_fields = _checked_fields(machine.hidden_fields, n_hidden, "machine.hidden_fields")
    return Machine(weights, beta, visible_fields, hidden_fields)


def check_temperatures(beta, n_hidden, name="beta"):
    """Inverse temperatures (P,), float64, of a number for all hidden units or of one for each."""
    many = isinstance(beta, (list, tuple)) or np.ndim(beta)
    beta = checks.array((n_hidden,), **{name: beta if many else np.broadcast_to(beta, n_hidden)})
    if beta.min() <= 0:
        raise ValueError(f"{name} must hold positive numbers, got {beta.min()}")
    checks.within(checks.MAX_SIZE, **{name: beta})
    return beta


def _checked_fields(fields, size, name):
    fields = checks.array((size,), **{name: np.zeros(size) if fields is None else fields})
    checks.within(checks.MAX_SIZE, **{name: fields})
    return fields


def hidden_field_blocks(spins, machine):
    """Blocks of samples, as ±1 float64, and the fields b + Jᵀσ that they exert on the hidden units."""
    data, machine = pack_spins(spins), check_machine(machine)
    n_visible = len(machine.weights)
    if data.n_visible != n_visible:
        raise ValueError(f"spins must have shape (any, {n_visible}) for this machine, got shape {data.shape}")
    couplings = machine.couplings
    for sigma in data.blocks(np.float64):
        yield sigma, sigma @ couplings + machine.hidden_fields


def hidden_means(spins, machine: Machine) -> np.ndarray:
    r"""The hidden representation of data, <h_μ> = tanh(b_μ + Σ_i J_iμ σ_i).

    Parameters
    ----------
    spins : (M, N) array, ±1, or PackedSpins
    machine : Machine

    Returns
    -------
    (M, P) float64 array in [-1, 1]

    Notes
    -----
    O(M N P); packed data are unpacked block by block.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> teacher = vmf.planted(20, 3, beta=1.0, seed=1)
    >>> vmf.hidden_means(vmf.sample(teacher, 5, seed=1), teacher).shape
    (5, 3)
    """
    return np.concatenate([np.tanh(fields) for _, fields in hidden_field_blocks(spins, machine)])


def visible_means(hidden, machine: Machine) -> np.ndarray:
    r"""What hidden spins make the visible ones expect, <σ_i> = tanh(a_i + Σ_μ J_iμ h_μ).

    Parameters
    ----------
    hidden : (M, P) array, ±1
    machine : Machine

    Returns
    -------
    (M, N) float64 array in [-1, 1]

    Notes
    -----
    O(M N P).
    """
    machine = check_machine(machine)
    hidden = checks.spins(hidden, shape=(None, machine.weights.shape[1]), name="hidden").astype(np.float64)
    return np.tanh(hidden @ machine.couplings.T + machine.visible_fields)


def sample(machine: Machine, n_samples: int, *, start=None, clamped=None, n_sweeps=None, seed: int) -> np.ndarray:
    r"""Samples of the visible spins, exact or by independent block-Gibbs chains.

    Parameters
    ----------
    machine : Machine
    n_samples : int >= 1
        M.
    start : (M, N) array, ±1, or None
        Where the chains start, data for example; None: independent pixels at the visible fields.
    clamped : (N,) or (M, N) array of -1, 0 and +1, or None
        Spins that are held: those that are ±1, for all samples or for each.  The others are drawn given these.
    n_sweeps : int >= 1 or None
        Of each chain.  None: none and exact samples for P <= 16 without ``start`` and ``clamped``, otherwise 1000.
    seed : int >= 0

    Returns
    -------
    (M, N) int8 array
        ±1.

    Notes
    -----
    Exact: O(2^P N P + M N P).  Chains: O(n_sweeps M N P), in single precision.  They follow the machine's
    distribution only where they relax within ``n_sweeps``: a well trained machine has many states, and 1000 sweeps that
    start in data show the states around them rather than how often the machine visits each.  Same bits for any number
    of threads.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> teacher = vmf.planted(20, 3, beta=1.0, seed=1)
    >>> vmf.sample(teacher, 5, seed=1).shape
    (5, 20)
    """
    machine = check_machine(machine)
    n_visible, n_hidden = machine.weights.shape
    checks.integer(1, n_samples=n_samples)
    checks.integer(0, seed=seed)
    if start is not None:
        start = checks.spins(start, shape=(n_samples, n_visible), name="start")
    if clamped is not None:
        clamped = _checked_clamped(clamped, n_samples, n_visible)
        start = None if start is None else np.where(clamped == 0, start, clamped)
    is_free = start is None and clamped is None
    if n_sweeps is None and is_free and n_hidden <= MAX_EXACT_HIDDEN:
        fields = machine.visible_fields, machine.hidden_fields
        return draw_exactly(machine.couplings, *fields, n_samples, generator(seed, Stream.SAMPLES))
    n_sweeps = checks.integer(1, n_sweeps=N_SWEEPS if n_sweeps is None else n_sweeps)
    return _run_chains(machine, n_samples, start, clamped, n_sweeps, seed)


def _checked_clamped(clamped, n_samples, n_visible):
    """Spins to be held (M, N), int8: -1, 0 or +1."""
    shape = (n_visible,) if np.ndim(clamped) == 1 else (n_samples, n_visible)
    values = checks.array(shape, dtype=None, clamped=clamped)
    if not np.isin(values, (-1, 0, 1)).all():
        raise ValueError(f"clamped must hold -1, 0 and +1 only, got {values[~np.isin(values, (-1, 0, 1))][0]}")
    return np.broadcast_to(values.astype(np.int8), (n_samples, n_visible))


def _run_chains(machine, n_chains, start, clamped, n_sweeps, seed):
    """The visible spins (K, N) of chains after so many sweeps, a block of chains after the other."""
    n_visible, n_hidden = machine.weights.shape
    couplings = Couplings.of(machine.couplings)
    fields = machine.visible_fields.astype(np.float32), machine.hidden_fields.astype(np.float32)
    rng = generator(seed, Stream.SAMPLES)
    key = stream_key(seed, Stream.SAMPLES)
    words = words_a_sweep(n_visible, n_hidden)
    out = np.empty((n_chains, n_visible), np.int8)
    for rows in blocks(n_chains, n_visible + n_hidden, IN_SHARED_CACHE):
        held = None if clamped is None else clamped[rows]
        if start is None:
            # a sweep from independent pixels, which does not look at the hidden units
            hidden = np.zeros((len(out[rows]), -(-n_hidden // 8)), np.uint8)
            scales = [(0.0, 1.0)] + n_sweeps * [(1.0, 1.0)]
        else:
            hidden = draw_hidden(start[rows], machine, rng)
            scales = n_sweeps * [(1.0, 1.0)]
        for n, scales_of_sweep in enumerate(scales):
            place = Place(key, (n * n_chains + rows.start) * words)
            spins, _ = sweep(couplings, fields, hidden, place, scales_of_sweep, held)
        out[rows] = PackedSpins(spins, n_visible).dense()
    return out


def draw_hidden(spins, machine, rng):
    """Hidden units of a checked machine given the visible spins, packed (M, ⌈P/8⌉)."""
    means = hidden_means(spins, machine)
    return np.packbits(2 * rng.random(means.shape) - 1 < means, axis=1)
