r"""Machines, trained or planted, and what one layer of them makes the other expect.

.. math::
    P(\sigma, h) \propto \exp\Bigl( \sum_i a_i \sigma_i + \sum_\mu b_\mu h_\mu
        + \sum_{i\mu} \frac{\beta_\mu}{\sqrt N} \xi_{i\mu} \sigma_i h_\mu \Bigr)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.data.packing import PackedSpins, check_packed, pack_spins
from vmfcore.networks.couplings import OneBitCouplings, RealCouplings
from vmfcore.numerics.blocks import IN_SHARED_CACHE, blocks
from vmfcore.numerics.passes import to_tanh

FAINT = 0.1  # β mean |ξ|: with 1/√N of it a coupling, all of a unit's change Σ ln cosh by some 0.005 nats
SMALLEST_SIZE = 1e-9  # mean |λ| of a hidden unit of which nothing is left: β stays positive


def signs(means: ArrayLike) -> np.ndarray:
    """Decided synapses, int8: +1 where the mean is not negative."""
    return np.where(np.asarray(means) >= 0, np.int8(1), np.int8(-1))


class Machine(NamedTuple):
    r"""A restricted Boltzmann machine with ±1 synapses, or their means, and an inverse temperature a hidden unit.

    Parameters
    ----------
    weights : (N, P) array in [-1, 1], or PackedSpins of this shape
        ξ; ±1, which takes one bit a synapse, or means λ.
    beta : (P,) array or float > 0
        Inverse temperature of each hidden unit.
    visible_fields, hidden_fields : (N,) and (P,) arrays, or None
        a and b, dimensionless; None: none.

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> signs = vmf.Machine(np.array([[1, -1], [0.5, -0.2]]), 2.0).binarized
    >>> signs.weights
    array([[ 1, -1],
           [ 1, -1]], dtype=int8)
    >>> signs.beta
    array([1.5, 1.2])
    """

    weights: np.ndarray | PackedSpins
    beta: float | np.ndarray
    visible_fields: np.ndarray | None = None
    hidden_fields: np.ndarray | None = None

    @property
    def couplings(self) -> np.ndarray:
        """J_iμ = β_μ ξ_iμ/√N, (N, P) float64."""
        return np.asarray(self.beta, np.float64) / np.sqrt(self.weights.shape[0]) * np.asarray(self.weights)

    @property
    def binarized(self) -> "Machine":
        """The machine of one-bit synapses whose couplings are the closest: the signs of these, +1 where a mean is 0.

        Σ_i (β_μ λ_iμ - s ξ_iμ)² is least at ξ = sign λ and s = β_μ Σ_i |λ_iμ|/N: that is its inverse temperature, so
        that a hidden unit whose synapses are undecided says little.
        """
        if isinstance(self.weights, PackedSpins):
            return self
        sizes = np.abs(np.asarray(self.weights, np.float64)).mean(axis=0)
        if (sizes == 1).all():
            return self._replace(weights=signs(self.weights))
        return self._replace(weights=signs(self.weights), beta=self.beta * np.maximum(sizes, SMALLEST_SIZE))

    @property
    def live(self) -> np.ndarray:
        """Which hidden units say something, (P,) bool: those with β_μ Σ_i |ξ_iμ|/N above 0.1."""
        return np.asarray(self.beta) * np.abs(np.asarray(self.weights, np.float64)).mean(axis=0) > FAINT

    @property
    def n_bits(self) -> int:
        """Bits to keep it: 1 a synapse if all are ±1, else 32; 32 a field, if there are any, and a different β."""
        n_visible, n_hidden = self.weights.shape
        per_synapse = 1 if isinstance(self.weights, PackedSpins) or (np.abs(self.weights) == 1).all() else 32
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
        Weights as they are if packed, int8 where all are ±1, else float32 if they were, or float64; the others
        contiguous float64 arrays.

    Raises
    ------
    TypeError, ValueError
        If a part is not as `Machine` says.
    """
    checks.instance(Machine, machine=machine)
    weights = _checked_weights(machine.weights)
    n_visible, n_hidden = weights.shape
    beta = check_temperatures(machine.beta, n_hidden, "machine.beta")
    visible_fields = _checked_fields(machine.visible_fields, n_visible, "machine.visible_fields")
    hidden_fields = _checked_fields(machine.hidden_fields, n_hidden, "machine.hidden_fields")
    return Machine(weights, beta, visible_fields, hidden_fields)


def _checked_weights(weights):
    if isinstance(weights, PackedSpins):
        return check_packed(weights, name="machine.weights")
    checked = checks.means(weights, name="machine.weights")
    if (np.abs(checked) == 1).all():
        return checked.astype(np.int8)
    return checked.astype(np.float32) if getattr(weights, "dtype", None) == np.float32 else checked


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


def couplings_of(machine, dtype):
    """How a checked machine's couplings act on packed spins, in this precision: those of ±1 synapses stay bits."""
    weights = machine.weights
    if isinstance(weights, PackedSpins) or weights.dtype == np.int8:
        scales = machine.beta / np.sqrt(weights.shape[0])
        return OneBitCouplings.of(pack_spins(weights).bits, scales, dtype)
    return RealCouplings.of(machine.couplings, dtype)


def check_data(spins, machine):
    """Packed data and the checked machine that they belong to."""
    data, machine = pack_spins(spins), check_machine(machine)
    n_visible = machine.weights.shape[0]
    if data.n_visible != n_visible:
        raise ValueError(f"spins must have shape (any, {n_visible}) for this machine, got shape {data.shape}")
    return data, machine


def hidden_field_blocks(data, machine):
    """Slices of checked data, and the fields b + Jᵀσ that their samples exert on the hidden units."""
    couplings = couplings_of(machine, np.float64)
    for block in blocks(len(data.bits), machine.weights.shape[1], IN_SHARED_CACHE):
        fields = couplings.on_hidden(data.bits[block])
        fields += machine.hidden_fields
        yield block, fields


def hidden_means(spins: ArrayLike, machine: Machine) -> np.ndarray:
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
    O(M N P), in counts of bits where the synapses are ±1.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> teacher = vmf.planted(20, 3, beta=1.0, seed=1)
    >>> vmf.hidden_means(vmf.sample(teacher, 5, seed=1), teacher).shape
    (5, 3)
    """
    data, machine = check_data(spins, machine)
    return to_tanh(couplings_of(machine, np.float64).on_hidden(data.bits), machine.hidden_fields)


def visible_means(hidden: ArrayLike, machine: Machine) -> np.ndarray:
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
