"""Persistent chains: averages over a network that changes slowly, by block-Gibbs sweeps that never start again."""

from typing import NamedTuple

import numpy as np

from vmfcore.networks.annealing import anneal, log_mean
from vmfcore.networks.gibbs import sweep
from vmfcore.numerics.streams import Stream, stream_number


class Annealing(NamedTuple):
    """How chains are started: from independent pixels, by way of weaker couplings, which also estimates ln Z."""

    base: np.ndarray  # (N,), fields of the independent pixels
    n_chains: int
    n_temperatures: int
    seed: int


class Chains(NamedTuple):
    """Hidden spins of K chains in each of R replicas, and where their random numbers stand."""

    hidden: np.ndarray  # (R, K, P), ±1, in the precision of the sweeps
    streams: np.ndarray  # (R, 3) uint64: a number from the seed, replica, sweeps done


def start_chains(couplings, visible_fields, hidden_fields, annealing):
    """Chains of R networks and estimates of their ln Z: couplings (R, N, P), fields (R, N) and (R, P)."""
    n_replicas, _, n_hidden = couplings.shape
    hidden = np.ones((n_replicas, annealing.n_chains, n_hidden), np.float32)
    streams = np.zeros((n_replicas, 3), np.uint64)
    number = stream_number(annealing.seed, Stream.PERSISTENT_CHAINS)
    path = np.linspace(0.0, 1.0, annealing.n_temperatures + 1)
    estimates = []
    for k, network in enumerate(zip(couplings, visible_fields, hidden_fields, strict=True)):
        rng = np.random.default_rng([number, k])
        log_weights = anneal(*network, annealing.base, path, hidden[k], rng)
        estimates.append(log_mean(log_weights))
        streams[k] = number, k, 1
    return Chains(hidden, streams), estimates


def sample_chains(couplings, visible_fields, hidden_fields, chains):
    """Averages m (R, N), r (R, P), C (R, N, P) of R networks after one more sweep of their chains, which go on.

    Couplings (R, N, P), fields (R, N) and (R, P).  Given the visible spins the average over the hidden ones is exact.
    """
    dtype = chains.hidden.dtype
    n_replicas, n_visible, n_hidden = couplings.shape
    n_chains = chains.hidden.shape[1]
    m = np.empty((n_replicas, n_visible))
    r = np.empty((n_replicas, n_hidden))
    correlations = np.empty((n_replicas, n_hidden, n_visible), dtype)
    for k in range(n_replicas):
        # one sweep, with the random numbers of this replica and this step
        columns = np.ascontiguousarray(couplings[k].T, dtype)
        a = visible_fields[k].astype(dtype)
        b = hidden_fields[k].astype(dtype)
        rng = np.random.default_rng(chains.streams[k])
        spins, fields = sweep(columns, a, b, chains.hidden[k], rng)
        chains.streams[k, 2] += 1
        # averages over the chains
        hidden = np.tanh(fields)
        m[k] = spins.mean(axis=0, dtype=np.float64)
        r[k] = hidden.mean(axis=0, dtype=np.float64)
        correlations[k] = hidden.T @ spins
    correlations /= n_chains
    return m, r, np.swapaxes(correlations, 1, 2), chains
