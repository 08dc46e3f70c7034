r"""A machine on a ladder of its own: tempered chains that are tuned, then watched, for ln Z and for samples.

Between neighbours of the path, at s and t, Bennett's equation gives Δ = ln Z_t - ln Z_s from the gains D of the chains
of both (`vmfcore.networks.tempering`),

.. math::
    \sum_{\sigma \sim s} \frac{1}{1 + e^{\Delta - D(\sigma)}} = \sum_{\sigma \sim t} \frac{1}{1 + e^{D(\sigma) -
    \Delta}} ,

and the sum over the path ln Z, since the mixture at its start is normalized.  The mean of exp D over the chains at s
alone makes Δ rather too small, that of exp(-D) over those at t too large.  No chain goes from one lane to another: the
spread of the lanes is the error.

References
----------
C. H. Bennett, J. Comput. Phys. 22, 245 (1976).
"""

import warnings
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy

from vmfcore.data.mixture import Mixture, independent_pixels, reference_of
from vmfcore.data.packing import PackedSpins
from vmfcore.networks.annealing import anneal
from vmfcore.networks.chains import FIRST_RUNGS, LAG, LANES, Crossing, memory_of, one_rung
from vmfcore.networks.gibbs import Place, sweep, words_a_sweep
from vmfcore.networks.network import ConvergenceWarning
from vmfcore.networks.tempering import n_rungs_wanted, rejections, respaced, tempered_sweep
from vmfcore.numerics.streams import Stream, generator, stream_key

MAX_LANES = 50  # that draw samples
TUNING = 1500  # sweeps before the first sample
SPACING = 100  # sweeps between two samples of a lane
N_SCOUTS = 400  # chains, twice, that look for the states of a machine
SCOUTING = 200  # and the temperatures on the way of half of them
ROUND = 50  # sweeps between two moves of the rungs
OFFSET_STEPS = 0.5, 0.02  # η, while the ladder is tuned, from the first sweep to the last in equal ratios
BISECTIONS = 50  # of Bennett's equation, from some tens of nats to the last bit


class TemperedEstimate(NamedTuple):
    """ln Z by tempered chains, and how they crossed."""

    log_partition: float  # nats, by Bennett's equation
    standard_error: float  # from the spread of the lanes
    from_below: float  # from the chains below each pair of rungs alone: on average too small
    from_above: float  # from those above: too large
    crossing: Crossing


def start_ladder(couplings, reference, n_rungs, n_lanes, seed):
    """A ladder whose chains have no order yet, from a `Mixture` to the machine with these couplings."""
    n_hidden = couplings.shape[1]
    rng = generator(seed, Stream.TEMPERING)
    hidden = rng.integers(0, 256, (n_lanes, -(-n_hidden // 8)), np.uint8)
    ladder = one_rung(hidden, reference, np.array([stream_key(seed, Stream.TEMPERING), 0], np.uint64))
    ladder = respaced(ladder, n_rungs, n_lanes)
    # every chain begins with the pixels of a component
    components = rng.choice(len(reference.log_weights), len(ladder.order), p=np.exp(reference.log_weights))
    return ladder._replace(component=components)


def tuned(couplings, fields, ladder, n_lanes, n_sweeps, *, may_grow=True, clamped=None):
    """The ladder after so many sweeps, during which its rungs move, grow in number and balance the components."""
    first, last = OFFSET_STEPS
    for n in range(n_sweeps):
        step_size = first * (last / first) ** (n / n_sweeps)
        held = None if clamped is None else np.tile(clamped, (len(ladder.places), 1))
        ladder, *_ = tempered_sweep(couplings, fields, ladder, n_lanes, held, step_size=step_size)
        if (n + 1) % ROUND == 0:
            n_rungs = n_rungs_wanted(ladder) if may_grow and n < n_sweeps // 2 else len(ladder.places)
            ladder = respaced(ladder, n_rungs, n_lanes)
    counts = {name: np.zeros_like(getattr(ladder, name)) for name in ("acceptance", "n_tried", "round_trips")}
    return ladder._replace(**counts, heading=np.zeros_like(ladder.heading))


def tempered_log_partition(couplings, fields, reference, solver, seed) -> TemperedEstimate:
    """ln Z of a machine by ``solver``: a quarter of its chains are lanes, and each does as many sweeps as temperatures.

    ``couplings`` as `tempered_sweep` takes them, fields float64.  Half as many sweeps before them tune the ladder.
    """
    n_lanes = max(2, solver.n_chains // LANES)
    n_sweeps = max(solver.n_temperatures, 8 * ROUND)
    n_tuning = n_sweeps // 2
    n_rungs = FIRST_RUNGS if solver.n_rungs is None else solver.n_rungs
    ladder = start_ladder(couplings, reference, n_rungs, n_lanes, seed)
    ladder = tuned(couplings, fields, ladder, n_lanes, n_tuning, may_grow=solver.n_rungs is None)

    # D of every pair of rungs at every other sweep, lane by lane
    n_pairs = len(ladder.places) - 1
    upward: list[list] = [[] for _ in range(n_pairs)]
    downward: list[list] = [[] for _ in range(n_pairs)]
    states = []
    for n in range(n_sweeps):
        ladder, spins, _, gains = tempered_sweep(couplings, fields, ladder, n_lanes)
        for pair, up, down in zip(*gains, strict=True):
            upward[pair].append(up)
            downward[pair].append(down)
        if n % LAG == 0:
            states.append(spins)
    steps = np.array([_bennett(np.array(up), np.array(down)) for up, down in zip(upward, downward, strict=True)])

    # at s = 0 the hidden spins are free, at s = 1 the component
    ends = couplings.shape[1] * np.log(2) - np.log(len(reference.log_weights))
    bennett, below, above = ends + steps[:, :3].sum(axis=0)
    error = steps[:, 3:].sum(axis=0).std(ddof=1) / np.sqrt(n_lanes)
    crossing = Crossing(
        memory=_memory(np.array(states), couplings.shape[0]),
        n_rungs=n_pairs + 1,
        acceptance=float(1 - rejections(ladder).max()),
        round_trips=float(ladder.round_trips),
    )
    return TemperedEstimate(float(bennett), float(error), float(below), float(above), crossing)


def machine_reference(couplings, fields, seed) -> Mixture:
    """A mixture at the states of a machine that chains come upon, whatever these weigh.

    Half of the chains are annealed from independent pixels, half begin at the machine with hidden spins at random.
    """
    a, b = fields
    n_visible, n_hidden = couplings.shape
    annealed = np.zeros((N_SCOUTS, -(-n_hidden // 8)), np.uint8)
    path = np.linspace(0.0, 1.0, SCOUTING + 1)
    anneal(couplings, fields, a, path, annealed, stream_key(seed, Stream.TEMPERING, 1))
    quenched = generator(seed, Stream.TEMPERING).integers(0, 256, annealed.shape, np.uint8)
    hidden = np.concatenate([annealed, quenched])
    key = stream_key(seed, Stream.TEMPERING, 2)
    for n in range(SCOUTING // 4):
        place = Place(key, n * len(hidden) * words_a_sweep(n_visible, n_hidden))
        spins, _ = sweep(couplings, (a.astype(np.float32), b.astype(np.float32)), hidden, place)
    return reference_of(PackedSpins(spins, n_visible), seed)


def tempered_samples(couplings, fields, n_samples, n_rungs, like, seed):
    """Packed samples (M, ⌈N/8⌉) of a machine by tempered chains, some of each lane, far from each other in time.

    The path begins at a mixture of the packed data ``like``, or of what the machine itself is found to have.
    """
    n_lanes = min(max(n_samples, 2), MAX_LANES)
    reference = machine_reference(couplings, fields, seed) if like is None else reference_of(like, seed)
    ladder = start_ladder(couplings, reference, n_rungs or FIRST_RUNGS, n_lanes, seed)
    ladder = tuned(couplings, fields, ladder, n_lanes, TUNING, may_grow=n_rungs is None)
    found = []
    for n in range(SPACING * -(-n_samples // n_lanes)):
        ladder, spins, _, _ = tempered_sweep(couplings, fields, ladder, n_lanes)
        if (n + 1) % SPACING == 0:
            found.append(spins)
    warn_untraveled(ladder, n_lanes)
    return generator(seed, Stream.TEMPERING).permutation(np.concatenate(found))[:n_samples]


def tempered_completions(couplings, fields, clamped, n_rungs, seed):
    """The same, packed (M, ⌈N/8⌉), given the spins that are ±1 in ``clamped`` (M, N): a lane for every sample."""
    n_lanes = len(clamped)
    ladder = start_ladder(couplings, independent_pixels(fields[0]), n_rungs or FIRST_RUNGS, n_lanes, seed)
    ladder = tuned(couplings, fields, ladder, n_lanes, TUNING, may_grow=n_rungs is None, clamped=clamped)
    held = np.tile(clamped, (len(ladder.places), 1))
    for _ in range(SPACING):
        ladder, spins, _, _ = tempered_sweep(couplings, fields, ladder, n_lanes, held)
    return spins


def warn_untraveled(ladder, n_lanes):
    """The one warning about samples of chains that hardly ever went to the start of the path and back."""
    if ladder.round_trips < n_lanes:
        text = (
            f"tempered chains went to the start of their path and back {ladder.round_trips:.0f} times on {n_lanes} "
            "lanes: the weights of the states may be wrong; take more n_rungs, or more samples"
        )
        warnings.warn(text, ConvergenceWarning, stacklevel=4)


def _memory(states, n_visible):
    """C(LAG) of the packed spins (looks, L, bytes) of the last rung, beside the means that these have themselves."""
    means = 2 * np.unpackbits(states, axis=2, count=n_visible).mean(axis=(0, 1)) - 1
    if (np.abs(means) == 1).all():
        return 0.0
    return float(np.mean([memory_of(before, now, means) for before, now in pairwise(states)]))


def _bennett(upward, downward):
    """Δ of one pair by Bennett's equation, from below and from above, and how much each lane (L) pulls at the first.

    ``upward`` and ``downward`` are the gains (sweeps, L) of the chains below and above.
    """
    low = min(upward.min(), downward.min())
    high = max(upward.max(), downward.max())
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        excess = scipy.special.expit(upward - middle).mean() - scipy.special.expit(middle - downward).mean()
        low, high = (middle, high) if excess > 0 else (low, middle)
    middle = (low + high) / 2

    # a lane by itself would move Δ by its excess over the slope
    of_below = scipy.special.expit(upward - middle)
    of_above = scipy.special.expit(middle - downward)
    slope = (of_below * (1 - of_below)).mean() + (of_above * (1 - of_above)).mean()
    pulls = (of_below - of_above).mean(axis=0) / max(slope, np.finfo(float).tiny)

    below = scipy.special.logsumexp(upward) - np.log(upward.size)
    above = np.log(downward.size) - scipy.special.logsumexp(-downward)
    return np.concatenate([[middle, below, above], pulls])
