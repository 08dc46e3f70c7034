r"""Persistent chains: averages over a network that changes slowly, by block-Gibbs sweeps that never start again.

Whether chains cross between the states of a network they say themselves.  What they remember of the visible spins that
they had t sweeps ago, beside what two samples of data of pixel means m have in common,

.. math::
    C(t) = \frac{q(t) - q_0}{1 - q_0}, \qquad
    q(t) = \frac1N \sum_i \langle \sigma_i(s) \sigma_i(s + t) \rangle, \qquad
    q_0 = \frac1N \sum_i m_i^2,

falls to 0 where each chain sees all of a network that has the means of the data.  Chains that are caught, each in a
state of its own or all in the same one, remember.  Rungs of a path to a mixture (`vmfcore.networks.tempering`) then
let them go.

A rare state hardly shows in C.  So chains also look how near they come to each component k of that mixture, which is
one of the data: one that they should have visited at least eight times, w_k times the looks, is missed where

.. math::
    \min_\sigma\ \bigl[\max_l \ln w_l g_l(\sigma) - \ln w_k g_k(\sigma)\bigr] > 20

among all that they were.
"""

from typing import NamedTuple

import numpy as np

from vmfcore.data.mixture import Mixture
from vmfcore.networks.annealing import anneal, log_mean
from vmfcore.networks.couplings import RealCouplings
from vmfcore.networks.gibbs import Place, sweep, words_a_sweep
from vmfcore.networks.tempering import OFFSET_STEP, Ladder, n_rungs_wanted, rejections, respaced, tempered_sweep
from vmfcore.numerics.bits import column_sums, transpose
from vmfcore.numerics.passes import column_products
from vmfcore.numerics.products import multiply
from vmfcore.numerics.spins import log2cosh
from vmfcore.numerics.streams import Stream, stream_key

LAG = 50  # sweeps between two looks at what chains remember
MEMORY = 0.25  # C beyond which chains do not cross
WINDOW = 10  # looks after which the components that were missed are counted
LATE = 2 * WINDOW * LAG  # sweeps before which they are not: the network has to be like the data first
EXPECTED = 8.0  # visits of a component, of which chance leaves none once in 3,000 times
FAR = 20.0  # nats from a component to what is not in it
FIRST_RUNGS = 8  # of a ladder, where the chains turn out to need one
LANES = 4  # last chains for every chain of another rung


class Annealing(NamedTuple):
    """How chains are started: from independent pixels, by way of weaker couplings, which also estimates ln Z."""

    base: np.ndarray  # (N,), fields of the independent pixels
    n_chains: int
    n_temperatures: int
    seed: int
    n_rungs: int | None  # None: as many as the chains turn out to need
    reference: Mixture  # where the path of these rungs begins


class Chains(NamedTuple):
    """Chains of R replicas, and what they have seen: as many rungs in each, of which the last is the network."""

    ladder: Ladder  # with a leading axis R
    n_hidden: np.ndarray  # (R,), P
    n_chains: np.ndarray  # (R,), K, of the last rung
    n_rungs: np.ndarray  # (R,), as it was asked for, 0 where the chains decide
    pixel_means: np.ndarray  # (R, N), of the data, that the network has learnt or is to learn
    remembered: np.ndarray  # (R, K, ⌈N/8⌉), packed visible spins of the last rung some sweeps ago
    memory: np.ndarray  # (R,), C(LAG) at the last look; nan before the first
    acceptance: np.ndarray  # (R,), least of the exchanges of a pair of rungs before the last look; nan of plain chains
    gaps: np.ndarray  # (R, K), the least, in nats, of the last rung to each component in this window
    missed: np.ndarray  # (R,), components that were never visited in the window before


class Crossing(NamedTuple):
    """How the chains of a fit cross between the states of the network."""

    memory: float  # C(50), what chains still remember after 50 sweeps; near 0 where they cross
    n_rungs: int  # 1 of plain chains
    acceptance: float  # of the exchanges between neighbouring rungs, the least; nan of plain chains
    round_trips: float  # between independent pixels and the network, of all chains since they began
    missed: int = 0  # components of a mixture of the data that no chain came near in 500 sweeps, against expectation


def start_chains(couplings, visible_fields, hidden_fields, annealing):
    """Chains of R networks and estimates of their ln Z: couplings (R, N, P), fields (R, N) and (R, P)."""
    n_replicas, n_visible, n_hidden = couplings.shape
    n_chains = annealing.n_chains
    words = annealing.n_temperatures * n_chains * words_a_sweep(n_visible, n_hidden)
    path = np.linspace(0.0, 1.0, annealing.n_temperatures + 1)
    ladders = []
    estimates = []
    for k, (replica, *fields) in enumerate(zip(couplings, visible_fields, hidden_fields, strict=True)):
        hidden = np.zeros((n_chains, -(-n_hidden // 8)), np.uint8)
        key = stream_key(annealing.seed, Stream.PERSISTENT_CHAINS, k)
        log_weights = anneal(RealCouplings.of(replica), fields, annealing.base, path, hidden, key)
        estimates.append(log_mean(log_weights))
        ladder = one_rung(hidden, annealing.reference, np.array([key, words], np.uint64))
        if annealing.n_rungs not in (None, 1):
            ladder = respaced(ladder, annealing.n_rungs, -(-n_chains // LANES))
        ladders.append(ladder)
    number_of = np.ones(n_replicas, np.int64)
    remembered = np.zeros((n_replicas, n_chains, -(-n_visible // 8)), np.uint8)
    asked = 0 if annealing.n_rungs is None else annealing.n_rungs
    sizes = n_hidden * number_of, n_chains * number_of, asked * number_of
    unknown = np.full(n_replicas, np.nan)
    means = np.tile(np.tanh(annealing.base), (n_replicas, 1))
    gaps = np.full((n_replicas, len(annealing.reference.log_weights)), np.inf)
    missed = np.zeros(n_replicas, np.int64)
    return Chains(_stacked(ladders), *sizes, means, remembered, unknown, unknown.copy(), gaps, missed), estimates


def one_rung(hidden, reference, stream):
    """A ladder of the network alone."""
    n_chains = len(hidden)
    nothing = np.zeros(0)
    return Ladder(
        hidden=hidden,
        component=np.zeros(n_chains, np.intp),
        order=np.arange(n_chains),
        heading=np.full(n_chains, -1, np.int8),
        places=np.ones(1),
        offsets=np.zeros((1, len(reference.log_weights))),
        log_weights=reference.log_weights,
        fields=reference.fields,
        acceptance=nothing,
        n_tried=nothing,
        round_trips=np.zeros(()),
        stream=stream,
        n_sweeps=np.zeros((), np.int64),
    )


def _stacked(ladders):
    return Ladder(*(np.stack(parts) for parts in zip(*ladders, strict=True)))


def move_chains(networks, chains):
    """One more sweep of the chains of R networks, pairs of `RealCouplings` and the fields a and b.

    Returns the chains, and lists of the packed visible spins of the last rung of each network (K, ⌈N/8⌉) and of what
    they make the hidden ones expect (K, P).
    """
    n_lanes = -(-int(chains.n_chains[0]) // LANES)
    moved = []
    for k, (couplings, fields) in enumerate(networks):
        # with the random numbers of this replica and this step
        ladder = Ladder(*(part[k] for part in chains.ladder))
        moved.append(_swept(couplings, fields, ladder, n_lanes))
    ladders, spins, hidden = (list(part) for part in zip(*moved, strict=True))
    if ladders[0].n_sweeps % LAG == 0:
        return _looked_at(chains, ladders, spins, n_lanes), spins, hidden
    return chains._replace(ladder=_stacked(ladders)), spins, hidden


def sample_chains(couplings, visible_fields, hidden_fields, chains):
    """Averages m (R, N), r (R, P), C (R, N, P) of R networks after one more sweep of their chains, which go on.

    Couplings (R, N, P), fields (R, N) and (R, P).  Given the visible spins the average over the hidden ones is exact.
    """
    n_replicas, n_visible, n_hidden = couplings.shape
    n_chains = int(chains.n_chains[0])
    fields = zip(visible_fields, hidden_fields, strict=True)
    networks = [(RealCouplings.of(replica), pair) for replica, pair in zip(couplings, fields, strict=True)]
    chains, states, means = move_chains(networks, chains)
    m = np.empty((n_replicas, n_visible))
    r = np.empty((n_replicas, n_hidden))
    ones = np.ones((1, n_chains), np.float32)
    correlations = []
    for k, (spins, hidden) in enumerate(zip(states, means, strict=True)):
        transposed = transpose(spins, n_visible)
        m[k] = column_sums(transposed, n_chains) / n_chains
        hidden /= n_chains
        r[k] = column_products(ones, hidden)
        correlations.append(multiply(transposed, hidden))
    averaged = correlations[0][None] if n_replicas == 1 else np.stack(correlations)
    return m, r, averaged, chains


def _swept(couplings, fields, ladder, n_lanes):
    """The ladder after a sweep, the visible spins of its last rung, and the means of the hidden ones given these."""
    if len(ladder.places) > 1:
        ladder, spins, hidden, _ = tempered_sweep(couplings, fields, ladder, n_lanes, step_size=OFFSET_STEP)
        return ladder, spins, hidden
    key, used = ladder.stream
    in_single = tuple(part.astype(np.float32) for part in fields)
    hidden_spins = ladder.hidden.copy()
    spins, hidden = sweep(couplings, in_single, hidden_spins, Place(key, int(used)), to_means=True)
    stream = np.array([key, int(used) + len(spins) * words_a_sweep(*couplings.shape)], np.uint64)
    return ladder._replace(hidden=hidden_spins, stream=stream, n_sweeps=ladder.n_sweeps + 1), spins, hidden


def _looked_at(chains, ladders, states, n_lanes):
    """The chains with what they remember, and with the rungs that they need, the same number in all replicas."""
    known = ladders[0].n_sweeps > LAG
    memory = np.array(
        [
            memory_of(before, now, means) if known else np.nan
            for before, now, means in zip(chains.remembered, states, chains.pixel_means, strict=True)
        ]
    )
    gaps = np.stack([gaps_of(ladder, spins) for ladder, spins in zip(ladders, states, strict=True)])
    gaps, missed = np.minimum(chains.gaps, gaps), chains.missed
    if ladders[0].n_sweeps % (WINDOW * LAG) == 0:
        if ladders[0].n_sweeps >= LATE:
            missed = np.array([missed_of(*pair, len(states[0])) for pair in zip(ladders, gaps, strict=True)])
        gaps = np.full_like(gaps, np.inf)
    acceptance = chains.acceptance
    n_rungs = len(ladders[0].places)
    wanted = n_rungs
    if n_rungs > 1:
        acceptance = np.array([1 - rejections(ladder).max() for ladder in ladders])
        if chains.n_rungs[0] == 0:
            wanted = max(n_rungs_wanted(ladder) for ladder in ladders)
    elif chains.n_rungs[0] == 0 and ((memory > MEMORY) | (missed > 0)).any():
        wanted = FIRST_RUNGS
    if wanted > 1:
        ladders = [respaced(ladder, wanted, n_lanes) for ladder in ladders]
    seen = {"remembered": np.stack(states), "memory": memory, "acceptance": acceptance}
    return chains._replace(ladder=_stacked(ladders), gaps=gaps, missed=missed, **seen)


def gaps_of(ladder, spins):
    """How far the nearest of the packed visible spins is from each component (K,), in nats behind its own best one."""
    fields = np.ascontiguousarray(ladder.fields.T, np.float32)
    log_joint = multiply(spins, fields) + (ladder.log_weights - log2cosh(ladder.fields).sum(axis=1))
    return (log_joint.max(axis=1, keepdims=True) - log_joint).min(axis=0)


def missed_of(ladder, gaps, n_chains):
    """Number of components that a window should have seen and did not; the last stands for independent pixels."""
    weights = np.exp(ladder.log_weights[:-1])
    expected = weights / max(weights.sum(), np.finfo(float).tiny) * WINDOW * n_chains
    return int(((gaps[:-1] > FAR) & (expected >= EXPECTED)).sum())


def memory_of(before, now, means):
    """C of packed visible spins (K, ⌈N/8⌉) at two times, beside data with pixel means (N,)."""
    in_common = np.mean(means**2)
    overlap = 1 - 2 * np.bitwise_count(before ^ now).sum(axis=1, dtype=np.int64).mean() / len(means)
    return (overlap - in_common) / (1 - in_common)


def crossing(chains):
    """`Crossing` of every replica."""
    n_rungs = chains.ladder.places.shape[1]
    columns = zip(chains.memory, chains.acceptance, chains.ladder.round_trips, chains.missed, strict=True)
    return [Crossing(float(memory), n_rungs, float(least), float(trips), int(k)) for memory, least, trips, k in columns]
