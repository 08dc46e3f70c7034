"""Persistent chains: averages over a network that changes slowly, by block-Gibbs sweeps that never start again."""

from typing import NamedTuple

import numpy as np

from vmfcore.networks.annealing import anneal, log_mean
from vmfcore.networks.couplings import RealCouplings
from vmfcore.networks.gibbs import Place, sweep, words_a_sweep
from vmfcore.numerics.bits import column_sums, transpose
from vmfcore.numerics.passes import column_products
from vmfcore.numerics.products import multiply
from vmfcore.numerics.streams import Stream, stream_key


class Annealing(NamedTuple):
    """How chains are started: from independent pixels, by way of weaker couplings, which also estimates ln Z."""

    base: np.ndarray  # (N,), fields of the independent pixels
    n_chains: int
    n_temperatures: int
    seed: int


class Chains(NamedTuple):
    """Hidden spins of K chains in each of R replicas, and where their random numbers stand."""

    hidden: np.ndarray  # (R, K, ⌈P/8⌉) uint8, packed
    streams: np.ndarray  # (R, 2) uint64: key of the stream, sweeps done
    n_hidden: np.ndarray  # (R,), P


def start_chains(couplings, visible_fields, hidden_fields, annealing):
    """Chains of R networks and estimates of their ln Z: couplings (R, N, P), fields (R, N) and (R, P)."""
    n_replicas, _, n_hidden = couplings.shape
    hidden = np.zeros((n_replicas, annealing.n_chains, -(-n_hidden // 8)), np.uint8)
    streams = np.zeros((n_replicas, 2), np.uint64)
    path = np.linspace(0.0, 1.0, annealing.n_temperatures + 1)
    estimates = []
    for k, (replica, *fields) in enumerate(zip(couplings, visible_fields, hidden_fields, strict=True)):
        key = stream_key(annealing.seed, Stream.PERSISTENT_CHAINS, k)
        log_weights = anneal(RealCouplings.of(replica), fields, annealing.base, path, hidden[k], key)
        estimates.append(log_mean(log_weights))
        streams[k] = key, annealing.n_temperatures
    return Chains(hidden, streams, np.full(n_replicas, n_hidden)), estimates


def sample_chains(couplings, visible_fields, hidden_fields, chains):
    """Averages m (R, N), r (R, P), C (R, N, P) of R networks after one more sweep of their chains, which go on.

    Couplings (R, N, P), fields (R, N) and (R, P).  Given the visible spins the average over the hidden ones is exact.
    """
    n_replicas, n_visible, n_hidden = couplings.shape
    n_chains = chains.hidden.shape[1]
    m = np.empty((n_replicas, n_visible))
    r = np.empty((n_replicas, n_hidden))
    ones = np.ones((1, n_chains), np.float32)
    correlations = []
    for k in range(n_replicas):
        # one sweep, with the random numbers of this replica and this step
        key, n_sweeps = chains.streams[k]
        place = Place(key, int(n_sweeps) * n_chains * words_a_sweep(n_visible, n_hidden))
        fields = visible_fields[k].astype(np.float32), hidden_fields[k].astype(np.float32)
        spins, hidden = sweep(RealCouplings.of(couplings[k]), fields, chains.hidden[k], place, to_means=True)
        chains.streams[k, 1] += np.uint64(1)
        # averages over the chains
        transposed = transpose(spins, n_visible)
        m[k] = column_sums(transposed, n_chains) / n_chains
        hidden /= n_chains
        r[k] = column_products(ones, hidden)
        correlations.append(multiply(transposed, hidden))
    averaged = correlations[0][None] if n_replicas == 1 else np.stack(correlations)
    return m, r, averaged, chains
