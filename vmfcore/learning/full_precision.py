r"""The rival of the one-bit machines: real couplings, by persistent contrastive divergence, whole or rounded.

References
----------
T. Tieleman, ICML (2008); centred coordinates: G. Montavon, K.-R. Müller, LNCS 7700, 621 (2012).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.data.grey import GreyPixels
from vmfcore.data.mixture import reference_of
from vmfcore.data.packing import pack_spins, pixel_fields, total_spins
from vmfcore.learning.climb import batches
from vmfcore.learning.parameters import CENTRE_MEMORY
from vmfcore.machines.likelihood import estimate_log_partition, visible_log_weights
from vmfcore.machines.machine import Machine, check_data, check_machine, hidden_means
from vmfcore.networks import Gibbs
from vmfcore.networks.chains import move_chains, start_chains
from vmfcore.networks.couplings import RealCouplings
from vmfcore.numerics.bits import column_sums, transpose
from vmfcore.numerics.passes import to_tanh, turned_over
from vmfcore.numerics.products import multiply
from vmfcore.numerics.streams import Stream, generator

INITIAL_SPREAD = 0.01  # of the couplings
N_LOOKS = 20  # at the validation data
ANNEALING = Gibbs(n_chains=100, n_temperatures=300)  # for ln Z of a look
N_WIDTHS = 200  # of the levels of rounded couplings, of which the best is taken


class _Parameters(NamedTuple):
    """Couplings (N, P) in single precision, fields (N,) and (P,)."""

    couplings: np.ndarray
    visible_fields: np.ndarray
    hidden_fields: np.ndarray

    def machine(self):
        """The machine of couplings J_iμ = β_μ ξ_iμ/√N, whose largest ξ of each hidden unit is 1 in size."""
        scale = np.maximum(np.abs(self.couplings).max(axis=0), np.finfo(np.float32).tiny)
        beta = scale * np.sqrt(len(self.couplings))
        return Machine(self.couplings / scale, beta, self.visible_fields, self.hidden_fields)


def train_full_precision(
    spins: ArrayLike,
    n_hidden: int,
    *,
    n_steps: int,
    batch_size: int,
    n_chains: int | Gibbs,
    step_size: float,
    validation: ArrayLike | None = None,
    seed: int,
) -> Machine:
    r"""The baseline of the one-bit machines: real couplings, by persistent contrastive divergence.

    A step goes along <σ_i h_μ> - <σ_i h_μ>_chains, in centred coordinates (`vmfcore.learning.parameters`).

    Parameters
    ----------
    spins : (M, N) array, ±1, PackedSpins or GreyPixels
        Of grey values they are drawn anew in every epoch.
    n_hidden : int >= 1
        P.
    n_steps, batch_size : int >= 1
        Steps; samples a step, drawn anew in every epoch, as `vmfcore.fit` draws them.
    n_chains : int >= 1, or Gibbs
        Persistent chains, plain ones or those of a solver with rungs, as `vmfcore.fit` takes them.
    step_size : float in (0, 1]
        Of couplings and fields, falling linearly to 0.
    validation : (M', N) array, ±1, or None
        Data that are not learnt from: of twenty looks, the last at the end, the machine that makes them most likely is
        returned.  None: the last.
    seed : int >= 0

    Returns
    -------
    Machine
        In each column the largest weight is 1 in size; the scale of the couplings is in beta.

    Notes
    -----
    O(n_steps (batch_size + n_chains) N P), in single precision, and 300 sweeps of 100 chains for ln Z at each look.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> from vmfcore.learning.full_precision import train_full_precision
    >>> spins = vmf.sample(vmf.planted(20, 2, beta=2.0, seed=1), 200, seed=1)
    >>> machine = train_full_precision(spins, 2, n_steps=50, batch_size=20, n_chains=20, step_size=0.1, seed=1)
    >>> machine.weights.shape
    (20, 2)
    """
    data = pack_spins(spins)
    checks.integer(1, n_hidden=n_hidden, n_steps=n_steps, batch_size=batch_size)
    if isinstance(n_chains, Gibbs):
        n_chains.check_outside_fit()
    else:
        checks.integer(1, n_chains=n_chains)
    if batch_size > len(data.bits):
        raise ValueError(f"batch_size must be at most the number of samples, {len(data.bits)}, got {batch_size}")
    checks.real(0, 1, closed="right", step_size=step_size)
    rng = generator(checks.integer(0, seed=seed), Stream.FULL_PRECISION)
    n_samples, n_visible = data.shape

    # couplings start small and random, fields at those of independent pixels, chains in the data
    couplings = (INITIAL_SPREAD * rng.normal(size=(n_visible, n_hidden))).astype(np.float32)
    a = pixel_fields(data)
    b = np.zeros(n_hidden)
    tempered = None
    if isinstance(n_chains, Gibbs):
        first = n_chains.cold_start(a, seed, reference_of(data, seed))
        tempered, _ = start_chains(couplings[None], a[None], b[None], first)
    else:
        chains = data.take(rng.integers(n_samples, size=n_chains)).bits
    looks = _Looks(data, validation, seed)

    # the origin of the coordinates: the mean image, and a running mean of the hidden spins
    pixels = total_spins(data) / n_samples
    centre = np.zeros(n_hidden)

    grey = spins if isinstance(spins, GreyPixels) else None
    samples = batches(data, batch_size, seed, grey=grey)
    for step in range(n_steps):
        batch = next(samples).bits
        rate = np.float32(step_size * (1 - step / n_steps))

        # hidden means given the data, and given the chains, by the same products as those of one-bit machines
        clamped = to_tanh(multiply(batch, couplings), b)
        if tempered is None:
            free = to_tanh(multiply(chains, couplings), b)
            hidden = _drawn(free, rng)
        else:
            tempered, (chains,), (free,) = move_chains([(RealCouplings.of(couplings), (a, b))], tempered)
        centre = CENTRE_MEMORY * centre + (1 - CENTRE_MEMORY) * clamped.mean(axis=0)

        # the couplings follow the difference of the correlations, the fields that of the means
        excess, of_visible, of_hidden = _difference((batch, clamped), (chains, free), pixels, centre)
        change = rate * excess
        couplings += change
        # and the fields the couplings, so that the mean fields of both layers stay
        a = a + rate * of_visible - change @ centre.astype(np.float32)
        b = b + rate * of_hidden - pixels.astype(np.float32) @ change

        # a Gibbs step of plain chains, at the new couplings
        if tempered is None:
            visible = to_tanh(multiply(hidden, turned_over(couplings)), a)
            chains = _drawn(visible, rng)
        if looks.are_due(step + 1, n_steps):
            looks.look(_Parameters(couplings, a, b))
    return looks.best(_Parameters(couplings, a, b)).machine()


class _Looks:
    """Which parameters make the validation data most likely; without such data the last."""

    def __init__(self, data, validation, seed):
        self._validation = None if validation is None else _checked_validation(validation, data)
        self._base = pixel_fields(data)
        self._seed = seed
        self._highest = -np.inf
        self._best = None

    def are_due(self, step, n_steps):
        """Twenty times, the last at the end."""
        return self._validation is not None and step * N_LOOKS // n_steps > (step - 1) * N_LOOKS // n_steps

    def look(self, parameters):
        """Keep a copy of these parameters if they are the best so far."""
        machine = check_machine(parameters.machine())
        log_z = estimate_log_partition(machine, self._base, ANNEALING, seed=self._seed).log_partition
        height = visible_log_weights(self._validation, machine).mean() - log_z
        if height > self._highest:
            self._highest = height
            self._best = _Parameters(*(part.copy() for part in parameters))

    def best(self, last):
        """Those that were kept, or the last."""
        return last if self._best is None else self._best


def _checked_validation(validation, data):
    """Packed data of as many visible units as those to learn from."""
    held_out = pack_spins(validation)
    if held_out.n_visible != data.n_visible:
        raise ValueError(f"validation must have {data.n_visible} columns like spins, got {held_out.n_visible}")
    return held_out


def _difference(data, chains, pixels, centre):
    """Correlations about the origin, means of pixels and of hidden units: of the data less those of the chains."""
    correlations = []
    visible = []
    hidden = []
    for bits, means in (data, chains):
        by_pixel = transpose(bits, len(pixels))
        correlations.append(multiply(by_pixel, means / len(bits)))
        visible.append(column_sums(by_pixel, len(bits)) / len(bits))
        hidden.append(means.mean(axis=0))
    of_visible = visible[0] - visible[1]
    of_hidden = hidden[0] - hidden[1]
    excess = correlations[0]
    excess -= correlations[1]
    excess -= np.outer(pixels, of_hidden).astype(np.float32)
    excess -= np.outer(of_visible, centre).astype(np.float32)
    return excess, of_visible, of_hidden


def _drawn(means, rng):
    """Packed spins of given means."""
    return np.packbits(2 * rng.random(means.shape, np.float32) - 1 < means, axis=1)


def rounded(machine: Machine, n_bits: int, spins: ArrayLike) -> Machine:
    r"""The machine with couplings of few bits: 2^n_bits levels in equal distances, about zero, a scale a hidden unit.

    The scale is the one of the least squared error; at one bit the levels are ± mean |J|.  The fields follow, so that
    both layers keep their mean fields at the means of the data and of the hidden units over the data.

    Parameters
    ----------
    machine : Machine
    n_bits : int in [1, 16]
        Of each coupling.
    spins : (M, N) array, ±1, or PackedSpins
        The data.

    Returns
    -------
    Machine

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> from vmfcore.learning.full_precision import rounded
    >>> rounded(vmf.Machine(np.array([[1.0], [-0.5]]), 2.0), 1, np.array([[1, 1], [-1, -1]])).weights
    array([[ 1.],
           [-1.]])
    """
    data, machine = check_data(spins, machine)
    checks.integer(1, n_bits=n_bits)
    if n_bits > 16:
        raise ValueError(f"n_bits must be at most 16, got {n_bits}")
    couplings = machine.couplings
    levels = np.stack([_rounded_column(column, n_bits) for column in couplings.T], axis=1)
    change = levels - couplings
    pixels = total_spins(data) / len(data.bits)
    centre = hidden_means(data, machine).mean(axis=0)
    a = machine.visible_fields - change @ centre
    b = machine.hidden_fields - pixels @ change
    return _Parameters(levels, a, b).machine()


def _rounded_column(column, n_bits):
    """The couplings (N,) of a hidden unit on levels ±1/2, ±3/2, ... times the width of the least squared error."""
    largest = np.abs(column).max()
    if n_bits == 1:
        return np.where(column >= 0, 1.0, -1.0) * np.abs(column).mean()
    top = 2 ** (n_bits - 1) - 0.5
    best = None
    lowest = np.inf
    for width in largest / top * np.linspace(1 / N_WIDTHS, 1, N_WIDTHS):
        levels = width * np.clip(np.floor(column / width) + 0.5, -top, top) if width > 0 else column
        error = ((levels - column) ** 2).sum()
        if error < lowest:
            best, lowest = levels, error
    return best
