r"""Parallel tempering: chains on the rungs of a path to a network, which exchange places.

The path begins at a mixture of independent pixels of weights w_k and fields a_k (`vmfcore.data.mixture`).  Its rung at
s from 0 to 1 is a network with one more spin, the component k = 1 ... K:

.. math::
    P_s(\sigma, h, k) \propto \exp\Bigl( c_k(s) + (1-s) \ln w_k g_k(\sigma)
        + s\, \Bigl[a \cdot \sigma + \sum_\mu h_\mu \Bigl(b_\mu + \sum_i J_{i\mu} \sigma_i\Bigr)\Bigr] \Bigr),
    \qquad \ln g_k(\sigma) = a_k \cdot \sigma - \sum_i \ln 2\cosh a_{ki} .

With hidden spins and component summed, ln f_s(σ) is what it weighs.  At s = 0 a sweep draws the mixture exactly.
A chain at s and its neighbour at t change places with probability min(1, exp(D(σ_s) - D(σ_t))), where
D = ln f_t - ln f_s is the gain of a chain that goes from s to t: the chains of every rung stay in equilibrium, and
states that no chain at s = 1 could leave are left by way of s = 0.

With independent pixels, K = 1, a state of few samples that are far from the others has no weight until s is close to 1,
and is not found.  Components give it a weight all the way, that of the data by

.. math::
    c_k(s) \leftarrow c_k(s) + \eta\, [w_k - \langle k \rangle_s], \qquad c_k(0) = c_k(1) = 0,

so that the last exchange finds every state, and decides how much of it the network has.

The rungs below the last have few chains, one in each *lane*; the last has as many as the averages need, of which some
take part in an exchange at a time.

References
----------
R. H. Swendsen, J.-S. Wang, Phys. Rev. Lett. 57, 2607 (1986); K. Hukushima, K. Nemoto, J. Phys. Soc. Jpn. 65, 1604
(1996); pairs in turns: S. Syed et al., J. R. Stat. Soc. B 84, 321 (2022); for machines that learn: G. Desjardins et
al., AISTATS (2010).  The mixture as the start of the path is this project's.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from vmfcore import checks
from vmfcore.networks.annealing import Work, sum_of_log2cosh
from vmfcore.networks.gibbs import Place, Rungs, draw_hidden, draw_visible, words_a_sweep
from vmfcore.numerics.draws import uniform, words_of
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.products import multiply
from vmfcore.numerics.spins import log2cosh
from vmfcore.numerics.vectors import LANES, constants_of

GRAIN = 2**13  # logarithms that are worth a thread
MAX_RUNGS = 100
REJECTION = 0.55  # of an exchange, that the number of rungs aims at
LEAST_REJECTION = 0.02  # in the spacing: neighbours that never reject may move apart, but not without end
OFFSET_STEP = 0.5  # η, of chains that go on while a network learns
SPARE = 0.6  # rungs are taken away where so small a share of them would do


def check_rungs(n_rungs: int | None) -> int | None:
    """Number of rungs that a user asks for, None where the chains decide."""
    if n_rungs is None:
        return None
    n_rungs = checks.integer(1, n_rungs=n_rungs)
    if n_rungs > MAX_RUNGS:
        raise ValueError(f"n_rungs must be at most {MAX_RUNGS}, got {n_rungs}")
    return n_rungs


class Ladder(NamedTuple):
    """Chains on the rungs of a path, as they stand between two sweeps."""

    hidden: np.ndarray  # (n, ⌈P/8⌉) uint8, packed hidden spins of every chain
    component: np.ndarray  # (n,), k of every chain
    order: np.ndarray  # (n,), chain at every position: rung by rung from s = 0, lane by lane
    heading: np.ndarray  # (n,) int8, +1 of a chain that was at s = 0 after it was at s = 1, -1 the other way round
    places: np.ndarray  # (R,), s of the rungs, from 0 to 1
    offsets: np.ndarray  # (R, K), c of the rungs
    log_weights: np.ndarray  # (K,), ln w_k
    fields: np.ndarray  # (K, N), a_k
    acceptance: np.ndarray  # (R - 1,), Σ of the probabilities of exchanges since the rungs last moved
    n_tried: np.ndarray  # (R - 1,), how many these were
    round_trips: np.ndarray  # (), of all chains from s = 1 to s = 0 and back
    stream: np.ndarray  # (2,) uint64: key, words used
    n_sweeps: np.ndarray  # ()


class Gains(NamedTuple):
    """D of the chains that tried to exchange places, lane by lane."""

    rungs: np.ndarray  # (pairs,), the lower one of each
    upward: np.ndarray  # (pairs, L), of the lower chains, from their rung to the next
    downward: np.ndarray  # (pairs, L), of the upper chains, between the same rungs


class _Path(NamedTuple):
    """Of the rungs: places (R,) and offsets (R, K)."""

    places: np.ndarray
    offsets: np.ndarray


class _Seen(NamedTuple):
    """What D depends on of all chains: ln w_k g_k(σ) (n, K), a·σ (n,) and Jᵀσ (n, P)."""

    log_joint: np.ndarray
    pulls: np.ndarray
    exerted: np.ndarray


@kernel
def _of_hidden(exerted, hidden_fields, s, t, constants):
    """Σ_μ [ln 2cosh t x_μ - ln 2cosh s x_μ] of one chain, x = b + Jᵀσ."""
    rows = np.empty((4, exerted.size))
    work = Work(rows[0], rows[1], rows[2], np.empty(exerted.size, np.int32), np.empty(LANES))
    fields = rows[3]
    for mu in range(exerted.size):
        fields[mu] = exerted[mu] + hidden_fields[mu]
    return sum_of_log2cosh(t, fields, constants, work) - sum_of_log2cosh(s, fields, constants, work)


@kernel
def _of_mixture(log_joint, rest, offsets):
    """ln Σ_k exp(c_k + rest ln w_k g_k(σ)) of one chain, rest = 1 - s."""
    largest = -np.inf
    for k in range(log_joint.size):
        largest = max(largest, offsets[k] + rest * log_joint[k])
    total = 0.0
    for k in range(log_joint.size):
        total += math.exp(offsets[k] + rest * log_joint[k] - largest)
    return largest + math.log(total)


@parallel_kernel
def _gains(chains, lower, path, seen, hidden_fields, constants, gains):
    """D of some chains (n,), each from the rung ``lower`` (n,) to the next."""
    for n in numba.prange(len(chains)):
        k = chains[n]
        r = lower[n]
        s = path.places[r]
        t = path.places[r + 1]
        of_start = _of_mixture(seen.log_joint[k], 1 - t, path.offsets[r + 1])
        of_start -= _of_mixture(seen.log_joint[k], 1 - s, path.offsets[r])
        of_hidden = _of_hidden(seen.exerted[k], hidden_fields, s, t, constants)
        gains[n] = of_start + (t - s) * seen.pulls[k] + of_hidden


@kernel
def _draw_components(rungs, path, log_joint, log_weights, draws, components):
    """New components of all chains, k ~ P(k|σ); at s = 0 chains begin anew, with k as often as its weight says."""
    for n in range(len(components)):
        offsets = path.offsets[rungs[n]]
        row = log_weights if rungs[n] == 0 else log_joint[n]
        rest = 1 - path.places[rungs[n]]
        whole = _of_mixture(row, rest, offsets)
        total = 0.0
        component = 0
        for k in range(row.size):
            total += math.exp(offsets[k] + rest * row[k] - whole)
            component = k
            if total > draws[n]:
                break
        components[n] = component


def _pairs(ladder, n_lanes):
    """Positions (2, pairs, L) of the neighbours that are to exchange at this sweep, and the lower rung of each pair.

    Even and odd pairs take turns; of the last rung, which may have more chains than lanes, one group after the other.
    """
    n_rungs = len(ladder.places)
    n_last = len(ladder.order) - (n_rungs - 1) * n_lanes
    turn = int(ladder.n_sweeps)
    rungs = np.arange(turn % 2, n_rungs - 1, 2)
    lanes = np.arange(n_lanes)
    lower = n_lanes * rungs[:, None] + lanes
    upper = lower + n_lanes
    at_last = rungs == n_rungs - 2
    upper[at_last] = n_lanes * (n_rungs - 1) + (turn // 2 * n_lanes + lanes) % n_last
    return np.stack([lower, upper]), rungs


def _exchanged(ladder, positions, rungs, gains, draws):
    """The ladder after neighbours have changed places: with min(1, exp(D_lower - D_upper)), as the draws decide."""
    probability = np.exp(np.minimum(gains[0] - gains[1], 0.0))
    accepted = draws < probability
    order = ladder.order.copy()
    lower, upper = positions[:, accepted]
    order[lower], order[upper] = order[upper], order[lower]
    acceptance, n_tried = ladder.acceptance.copy(), ladder.n_tried.copy()
    acceptance[rungs] += probability.mean(axis=1)
    n_tried[rungs] += 1
    return ladder._replace(order=order, acceptance=acceptance, n_tried=n_tried)


def _headed(ladder, n_lanes):
    """The ladder with the directions of its chains and their round trips counted."""
    first = ladder.order[:n_lanes]
    last = ladder.order[n_lanes * (len(ladder.places) - 1) :]
    heading = ladder.heading.copy()
    arrived = heading[last] == 1
    heading[first] = np.where(heading[first] == -1, 1, heading[first])
    heading[last] = -1
    return ladder._replace(heading=heading, round_trips=ladder.round_trips + arrived.sum())


def _uniform(key, first, n):
    draws = np.empty(n, np.float32)
    uniform(key, first, draws)
    return draws


def _balanced(ladder, rung, component, step_size):
    """The ladder with offsets a step closer to components that are as frequent on all rungs as at s = 0."""
    n_rungs, n_components = ladder.offsets.shape
    counts = np.zeros((n_rungs, n_components))
    np.add.at(counts, (rung, component), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    offsets = ladder.offsets + step_size * (np.exp(ladder.log_weights) - shares)
    offsets[[0, -1]] = 0.0
    return ladder._replace(offsets=offsets)


def tempered_sweep(couplings, fields, ladder, n_lanes, clamped=None, *, step_size=0.0):
    """One sweep of all chains of a ladder, with a round of exchanges, in equilibrium at their places.

    ``couplings`` are `RealCouplings` or `OneBitCouplings` in single precision, ``fields`` a (N,) and b (P,), both
    float64; ``clamped`` (n, N) as `draw_visible` takes it, by chain: those of a lane must agree.  ``step_size`` is η.

    Returns the ladder, the packed visible spins of the last rung, what they make the hidden ones expect, and `Gains`.
    """
    n_visible, n_hidden = couplings.shape
    a, b = fields[0], fields[1].astype(np.float32)
    n_chains, n_rungs, n_components = len(ladder.order), len(ladder.places), len(ladder.log_weights)
    key, used = ladder.stream[0], int(ladder.stream[1])
    place = Place(key, used)
    used += n_chains * words_a_sweep(n_visible, n_hidden)
    rung_at = np.minimum(np.arange(n_chains) // n_lanes, n_rungs - 1)  # of every position

    # σ ~ P(σ|h,k), every chain at its place
    rung = np.empty(n_chains, np.intp)
    rung[ladder.order] = rung_at
    s = ladder.places[:, None, None]
    tables = ((1 - s) * ladder.fields + s * a).astype(np.float32).reshape(-1, n_visible)
    scales = np.repeat(ladder.places, n_components).astype(np.float32)
    rungs = Rungs(tables, scales, n_components * rung + ladder.component)
    spins = draw_visible(couplings, rungs, ladder.hidden, place, clamped)
    exerted = couplings.on_hidden(spins)

    # neighbours exchange their places: D with hidden spins and component summed
    pulls = multiply(spins, np.ascontiguousarray(np.vstack([a, ladder.fields]).T, np.float32)).astype(np.float64)
    log_joint = pulls[:, 1:] + (ladder.log_weights - log2cosh(ladder.fields).sum(axis=1))
    positions, lower = _pairs(ladder, n_lanes)
    chains = ladder.order[positions]
    lower_of_chains = np.ascontiguousarray(np.broadcast_to(lower[:, None], chains.shape))
    path, seen = _Path(ladder.places, ladder.offsets), _Seen(log_joint, pulls[:, 0].copy(), exerted)
    gains = np.empty(chains.shape)
    constants = constants_of(np.dtype(np.float64))
    with numba_threads(chains.size, 2 * chains.size * n_hidden / GRAIN):
        _gains(chains.ravel(), lower_of_chains.ravel(), path, seen, b, constants, gains.reshape(-1))
    draws = _uniform(key, used, gains[0].size).reshape(gains[0].shape)
    used += words_of(draws.size)
    ladder = _headed(_exchanged(ladder, positions, lower, gains, draws), n_lanes)

    # k ~ P(k|σ) and h ~ P(h|σ), at the new places
    rung = np.empty(n_chains, np.intp)
    rung[ladder.order] = rung_at
    component = np.empty(n_chains, np.intp)
    draws = _uniform(key, used, n_chains)
    used += words_of(n_chains)
    _draw_components(rung, path, log_joint, ladder.log_weights, draws, component)
    hidden = np.empty_like(ladder.hidden)
    rungs = rungs._replace(of_chain=n_components * rung + component)
    draw_hidden(exerted, n_visible, rungs, b, place, hidden, to_means=True)

    last = ladder.order[n_lanes * (n_rungs - 1) :]
    if step_size > 0:
        ladder = _balanced(ladder, rung, component, step_size)
    ladder = ladder._replace(
        hidden=hidden,
        component=component,
        stream=np.array([key, used], np.uint64),
        n_sweeps=ladder.n_sweeps + 1,
    )
    return ladder, spins[last], exerted[last], Gains(lower, *gains)


def rejections(ladder):
    """Mean probability that neighbours do not exchange their places, (R - 1,)."""
    return 1 - ladder.acceptance / np.maximum(ladder.n_tried, 1)


def n_rungs_wanted(ladder):
    """How many rungs would have the rejection aimed at: more or fewer where today's are far from it."""
    wanted = 2 + int(rejections(ladder).sum() / REJECTION)
    n_rungs = len(ladder.places)
    if SPARE * n_rungs < wanted <= n_rungs:
        return n_rungs
    return min(wanted, MAX_RUNGS)


def respaced(ladder, n_rungs, n_lanes):
    """The ladder with so many rungs, at equal steps of Σ √rejection; half the way there where their number stays.

    A new rung takes the chains of the nearest old one.  The counts of exchanges begin anew.
    """
    old = ladder.places
    if len(old) == 1:
        places = np.linspace(0.0, 1.0, n_rungs)
        offsets = np.zeros((n_rungs, len(ladder.log_weights)))
    else:
        steps = np.sqrt(np.maximum(rejections(ladder), LEAST_REJECTION))
        way = np.concatenate([[0.0], np.cumsum(steps)])
        places = np.interp(np.linspace(0.0, way[-1], n_rungs), way, old)
        if n_rungs == len(old):
            places = (places + old) / 2
        offsets = np.stack([np.interp(places, old, column) for column in ladder.offsets.T], axis=1)
        offsets[-1] = 0.0
    ladder = ladder._replace(acceptance=np.zeros(n_rungs - 1), n_tried=np.zeros(n_rungs - 1))
    if n_rungs == len(old):
        return ladder._replace(places=places, offsets=offsets)

    # the chains of the last rung stay; every other rung is filled from the old one whose place is the nearest
    last = ladder.order[n_lanes * (len(old) - 1) :]
    nearest = np.abs(places[:-1, None] - old).argmin(axis=1)
    sources = ladder.order[n_lanes * nearest[:, None] + np.arange(n_lanes)].ravel()
    chains = np.concatenate([sources, last])
    heading = np.concatenate([np.zeros(len(sources), np.int8), ladder.heading[last]])
    return ladder._replace(
        hidden=ladder.hidden[chains],
        component=ladder.component[chains],
        order=np.arange(len(chains)),
        heading=heading,
        places=places,
        offsets=offsets,
    )
