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

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from vmfcore import checks
from vmfcore.data.mixture import Mixture, independent_pixels
from vmfcore.networks.annealing import anneal, log_mean
from vmfcore.networks.couplings import RealCouplings
from vmfcore.networks.gibbs import Place, sweep, words_a_sweep
from vmfcore.networks.network import FEW_CHAINS, Network, Networks, NetworkState, solve, warn_few_chains
from vmfcore.networks.tempering import (
    OFFSET_STEP,
    Ladder,
    check_rungs,
    n_rungs_wanted,
    rejections,
    respaced,
    tempered_sweep,
)
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
FARTHEST = 1e300  # before the first look
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


@dataclass(frozen=True)
class Gibbs:
    r"""Block-Gibbs chains: annealed from independent pixels at the first call, persistent from then on.

    With more than one rung they are tempered: chains on a path from independent pixels to the network exchange places,
    so that those of the network come out of states that no sweep leaves.

    Parameters
    ----------
    n_chains : int >= 2
        K, of each network.
    n_temperatures : int >= 1
        Steps of the annealing that starts the chains and estimates ln Z.
    bound_every : int >= 1 or None
        Of `vmfcore.fit` alone: steps between two bounds, which are entries of the history, each at the price of an
        annealing; None: at the first step only, and nan elsewhere.
    n_rungs : int in [1, 100] or None
        Networks on the path, the last of which is the network itself; 1: plain chains.  None: plain ones until they
        are seen to remember the states that they are in, from then on as many as exchanges need to be accepted half
        the time.  Those below the last have a quarter of the chains each.

    Notes
    -----
    O(n_chains N P) a sweep and n_temperatures times that for the start, in single precision; of R rungs (R + 3)/4 times
    that.  The choice for images, whose networks have many states.  The estimate of ln Z is on average too small.

    References
    ----------
    R. M. Neal, Statistics and Computing 11, 125 (2001); R. Salakhutdinov, I. Murray, ICML (2008); persistent chains:
    T. Tieleman, ICML (2008); tempered: `vmfcore.networks.tempering`.
    """

    n_chains: int = 100
    n_temperatures: int = 1000
    bound_every: int | None = None
    n_rungs: int | None = 1

    has_one_state: ClassVar[bool] = False

    def __post_init__(self):
        checks.keep(
            self,
            n_chains=checks.integer(2, n_chains=self.n_chains),
            n_temperatures=checks.integer(1, n_temperatures=self.n_temperatures),
            bound_every=None if self.bound_every is None else checks.integer(1, bound_every=self.bound_every),
            n_rungs=check_rungs(self.n_rungs),
        )

    def check_size(self, n_hidden: int) -> None:
        """Any number of hidden units."""

    def check_outside_fit(self) -> None:
        """ValueError where something is set that only a fit reads."""
        if self.bound_every is not None:
            raise ValueError(f"bound_every must be None outside a fit, got {self.bound_every}")

    def check_anneals(self) -> None:
        """ValueError where something is set that only chains that go on can use."""
        self.check_outside_fit()
        if self.n_rungs != 1:
            raise ValueError(f"n_rungs must be 1 where chains are annealed once, got {self.n_rungs}")

    def with_tol(self, tol: float, dtype: DTypeLike = np.float64) -> "Gibbs":
        """The solver itself, which has no tolerance."""
        return self

    def cold_start(self, base: Any, seed: int, reference: Mixture | None = None) -> Annealing:
        """What the first call starts from: independent pixels at fields ``base`` (N,), and rungs at a mixture."""
        reference = independent_pixels(base) if reference is None else reference
        return Annealing(base, self.n_chains, self.n_temperatures, seed, self.n_rungs, reference)

    def solve(self, network: Network, start: Chains | None = None, *, seed: int = 0) -> NetworkState:
        """Averages of a network over its chains, after one sweep more.

        Parameters
        ----------
        network : Network
            With hidden fields (P,).
        start : Chains or None
            ``NetworkState.messages`` of an earlier run; None: chains are annealed from independent pixels at the
            visible fields, which also estimates ln Z.  Otherwise ln Z is nan.
        seed : int >= 0
            Of the annealing.

        Returns
        -------
        NetworkState
            With the standard error of ln Z as residual.

        Warns
        -----
        ConvergenceWarning
            If fewer than three chains carry the estimate of ln Z.
        """
        self.check_outside_fit()
        return solve(self, network, start, seed=checks.integer(0, seed=seed))

    def first_messages(self, start: Chains | None, networks: Networks, single: bool, seed: int) -> Annealing | Chains:
        """Return what the first sweep goes on from: the chains of an earlier run, or how to anneal new ones."""
        if not single:
            raise ValueError(f"hidden_fields must have shape (P,) for chains, got {networks.hidden_fields[0].shape}")
        if start is None:
            return self.cold_start(networks.visible_fields[0], seed)
        return self._checked_chains(start, networks.couplings.shape[2])

    def _checked_chains(self, start, n_hidden):
        """The chains of an earlier run, which a sweep leaves as they were."""
        if not isinstance(start, Chains):
            raise TypeError(f"start must be the messages of an earlier run or None, got {type(start).__name__}")
        if (start.n_chains[0], start.n_hidden[0]) != (self.n_chains, n_hidden):
            raise ValueError(
                f"start must hold {self.n_chains} chains of {n_hidden} hidden units, "
                f"got {start.n_chains[0]} of {start.n_hidden[0]}"
            )
        if start.n_rungs[0] != (self.n_rungs or 0):
            raise ValueError(f"start must hold chains of n_rungs={self.n_rungs}, got {start.n_rungs[0] or None}")
        return start

    def averages(self, networks: Networks, weights: np.ndarray | None, start: Any) -> NetworkState:
        """Return averages of one network a replica over its chains; ln Z is nan where persistent chains went on."""
        network = networks.couplings, networks.visible_fields, networks.hidden_fields[:, 0]
        log_z, error = np.full(networks.shape, np.nan), np.zeros(networks.shape)
        enough = np.ones(networks.shape, bool)
        if isinstance(start, Annealing):
            start, estimates = start_chains(*network, start)
            log_z[:, 0], error[:, 0], effective = np.transpose(estimates)
            enough[:, 0] = effective >= FEW_CHAINS
        m, r, c, chains = sample_chains(*network, start)
        c = c[:, None] if weights is None else c
        one_sweep = np.ones(networks.shape, np.int64)
        return NetworkState(m[:, None], r[:, None], c, log_z, one_sweep, error, enough, chains)

    def warn(self, state: NetworkState, stacklevel: int) -> None:
        """Warn that ln Z rests on few chains."""
        warn_few_chains(stacklevel)


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
    gaps = np.full((n_replicas, len(annealing.reference.log_weights)), FARTHEST)
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
        gaps = np.full_like(gaps, FARTHEST)
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
