"""Persistent chains: averages over a network that changes slowly, by block-Gibbs sweeps that never start again."""

from typing import NamedTuple

import numpy as np

from vmfcore.networks.annealing import anneal, log_mean
from vmfcore.networks.gibbs import sweep

STREAM = 6  # of random numbers, apart from those of teachers, data, batches and likelihoods


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
    hidden = np.ones((len(couplings), annealing.n_chains, couplings.shape[2]), np.float32)
    streams, estimates = np.zeros((len(couplings), 3), np.uint64), []
    (number,) = np.random.SeedSequence([annealing.seed, STREAM]).generate_state(1, np.uint64)
    path = np.linspace(0.0, 1.0, annealing.n_temperatures + 1)
    for k, network in enumerate(zip(couplings, visible_fields, hidden_fields, strict=True)):
        streams[k] = number, k, 1
        rng = np.random.default_rng([number, k])
        estimates.append(log_mean(anneal(*network, annealing.base, path, hidden[k], rng)))
    return Chains(hidden, streams), estimates


def sample_chains(couplings, visible_fields, hidden_fields, chains):
    """Averages m (R, N), r (R, P), C (R, N, P) of R networks after one more sweep of their chains, which go on.

    Couplings (R, N, P), fields (R, N) and (R, P).  Given the visible spins the average over the hidden ones is exact.
    """
    dtype, (n_replicas, n_chains, n_hidden) = chains.hidden.dtype, chains.hidden.shape
    n_visible = couplings.shape[1]
    m, r = np.empty((n_replicas, n_visible)), np.empty((n_replicas, n_hidden))
    correlations = np.empty((n_replicas, n_hidden, n_visible), dtype)
    for k in range(n_replicas):
        columns = np.ascontiguousarray(couplings[k].T, dtype)
        a, b = visible_fields[k].astype(dtype), hidden_fields[k].astype(dtype)
        spins, fields = sweep(columns, a, b, chains.hidden[k], np.random.default_rng(chains.streams[k]))
        chains.streams[k, 2] += 1
        hidden = np.tanh(fields)
        m[k], r[k] = spins.mean(axis=0, dtype=np.float64), hidden.mean(axis=0, dtype=np.float64)
        correlations[k] = hidden.T @ spins
    correlations /= n_chains
    return m, r, np.swapaxes(correlations, 1, 2), chains
