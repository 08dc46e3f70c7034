r"""ln Z along a path of networks: chains that walk from each to the next, weighted on the way and drawn anew.

Between two networks (J, a, b) and (J', a', b') couplings and fields change in a straight line.  With the hidden units
summed the visible spins have the weight

.. math::
    \ln f_s(\sigma) = \sum_i a_i(s) \sigma_i + \sum_\mu \ln 2\cosh\Bigl(b_\mu(s) + \sum_i J_{i\mu}(s) \sigma_i\Bigr),
    \qquad \frac{Z'}{Z} = \Bigl\langle \prod_k \frac{f_{s_{k+1}}(\sigma^k)}{f_{s_k}(\sigma^k)} \Bigr\rangle .

Where half of the chains would carry the average, all are drawn anew by their weights, and the average so far is kept.
The networks of a climb are such a path: the next bound costs a walk from the last one, not from independent pixels.

References
----------
R. M. Neal, Statistics and Computing 11, 125 (2001); drawn anew: P. Del Moral, A. Doucet, A. Jasra, J. R. Stat. Soc. B
68, 411 (2006); along a training: G. Desjardins, A. Courville, Y. Bengio, NIPS (2011).
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from vmfcore.networks.annealing import add_log2cosh, log_mean
from vmfcore.networks.chains import Chains
from vmfcore.networks.couplings import RealCouplings
from vmfcore.networks.gibbs import Place, sweep, words_a_sweep
from vmfcore.numerics.products import multiply
from vmfcore.numerics.spins import log2cosh
from vmfcore.numerics.streams import Stream, stream_key

TOO_FEW = 0.5  # of the chains: where fewer carry the average, they are drawn anew


class Walkers(NamedTuple):
    """K chains in each of R replicas, the networks where they are in equilibrium, and what they know of ln Z."""

    chains: Chains
    couplings: np.ndarray  # (R, N, P) float32, J
    visible_fields: np.ndarray  # (R, N), a
    hidden_fields: np.ndarray  # (R, P), b
    log_partition: np.ndarray  # (R,)
    variance: np.ndarray  # (R,), of that
    fewest: np.ndarray  # (R,), chains that have carried an average


def at_independent_pixels(base, n_chains, shape, seed) -> Walkers:
    """Walkers of R replicas, shape (R, N, P), at fields ``base`` (N,) and no couplings, where ln Z is known."""
    n_replicas, _, n_hidden = shape
    keys = [stream_key(seed, Stream.WALKERS, k) for k in range(n_replicas)]
    hidden = np.zeros((n_replicas, n_chains, -(-n_hidden // 8)), np.uint8)
    streams = np.array([[key, 0] for key in keys], np.uint64)
    return Walkers(
        Chains(hidden, streams, np.full(n_replicas, n_hidden)),
        couplings=np.zeros(shape, np.float32),
        visible_fields=np.tile(base, (n_replicas, 1)),
        hidden_fields=np.zeros((n_replicas, n_hidden)),
        log_partition=np.full(n_replicas, log2cosh(base).sum() + n_hidden * np.log(2)),
        variance=np.zeros(n_replicas),
        fewest=np.full(n_replicas, float(n_chains)),
    )


def walk(walkers, couplings, visible_fields, hidden_fields, n_steps) -> Walkers:
    """The walkers at other networks: couplings (R, N, P), fields (R, N) and (R, P), after so many steps of equal size.

    Those that came are overwritten.
    """
    log_partition, variance, fewest = walkers.log_partition.copy(), walkers.variance.copy(), walkers.fewest.copy()
    arrived = walkers._replace(
        couplings=couplings.astype(np.float32),
        visible_fields=visible_fields.copy(),
        hidden_fields=hidden_fields.copy(),
        log_partition=log_partition,
        variance=variance,
        fewest=fewest,
    )
    chains = walkers.chains
    for k in range(len(couplings)):
        here = walkers.couplings[k], walkers.visible_fields[k], walkers.hidden_fields[k]
        there = arrived.couplings[k], arrived.visible_fields[k], arrived.hidden_fields[k]
        for estimate in _walk(here, there, n_steps, chains.hidden[k], chains.streams[k]):
            log_partition[k] += estimate.log_partition
            variance[k] += estimate.standard_error**2
            fewest[k] = min(fewest[k], estimate.effective_chains)
    return arrived


def _walk(here, there, n_steps, hidden, stream):
    """The estimates of ln Z'/Z of each part of the way, at whose end the chains are drawn anew."""
    n_chains = len(hidden)
    n_visible, n_hidden = here[0].shape
    key, n_sweeps = stream
    rng = np.random.default_rng([key, n_sweeps])
    words = n_chains * words_a_sweep(n_visible, n_hidden)
    log_weights = np.zeros(n_chains)
    at_s = RealCouplings.of(here[0])
    path = np.linspace(0.0, 1.0, n_steps + 1)
    for n, (s, t) in enumerate(pairwise(path), start=int(n_sweeps)):
        # equilibrium at s, and the weight of going on to t
        a, b = (((1 - s) * x + s * y).astype(np.float32) for x, y in zip(here[1:], there[1:], strict=True))
        next_a, next_b = (((1 - t) * x + t * y).astype(np.float32) for x, y in zip(here[1:], there[1:], strict=True))
        at_t = RealCouplings.of(_between(here[0], there[0], np.float32(t)))
        spins, fields = sweep(at_s, (a, b), hidden, Place(key, n * words))
        log_weights += multiply(spins, (next_a - a)[:, None])[:, 0]
        add_log2cosh(fields, -1, log_weights)
        add_log2cosh(at_t.on_hidden(spins) + next_b, 1, log_weights)
        at_s = at_t
        # draw the chains anew
        estimate = log_mean(log_weights)
        if estimate.effective_chains < TOO_FEW * n_chains or t == 1:
            hidden[:] = hidden[_drawn_by_weight(log_weights, rng.random())]
            log_weights[:] = 0
            yield estimate
    stream[1] += np.uint64(n_steps)


def _between(here, there, t):
    """(1 - t) here + t there, which at t = 1 is there to the bit."""
    return there if t == 1 else here + t * (there - here)


def _drawn_by_weight(log_weights, u):
    """Numbers of chains, each as often as its weight says, up to one: systematic sampling with one random number u."""
    weights = np.exp(log_weights - log_weights.max())
    ends = np.cumsum(weights)
    return np.searchsorted(ends, (u + np.arange(weights.size)) / weights.size * ends[-1])
