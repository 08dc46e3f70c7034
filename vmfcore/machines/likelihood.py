r"""Log-likelihood of a machine, with ln Z by annealed importance sampling or, of few units, by the sum over all states.

Chains are carried from independent pixels (fields a⁰, ``base``) to the machine (J, a, b) through the networks s J,
(1 - s) a⁰ + s a, s b for s from 0 to 1, with the weights

.. math::
    \ln w = \sum_k \ln \frac{f_{s_{k+1}}(\sigma^k)}{f_{s_k}(\sigma^k)}, \qquad
    \ln f_s(\sigma) = \sum_i [(1-s) a^0_i + s a_i] \sigma_i + \sum_\mu \ln 2\cosh s \Bigl(b_\mu + \sum_i J_{i\mu}
    \sigma_i\Bigr), \qquad <w> = Z/Z_0
"""

from typing import NamedTuple

import numpy as np

from vmfcore import checks
from vmfcore.data.packing import pack_spins, pixel_fields
from vmfcore.machines.machine import check_machine, draw_hidden, hidden_field_blocks
from vmfcore.machines.planted import MAX_EXACT_HIDDEN
from vmfcore.networks.annealing import PartitionEstimate, anneal, log_mean
from vmfcore.networks.exact import MAX_SUMMED_UNITS, log_partition
from vmfcore.numerics.spins import log2cosh

METHODS = ("auto", "exact", "ais")
CHAINS = 5  # stream: chains are independent of samples of the same seed


class LogLikelihood(NamedTuple):
    """ln P(σ) of data."""

    mean: float  # over the samples, nats a sample
    standard_error: float  # of the mean, as far as it comes from ln Z; 0 where ln Z is exact
    log_partition: float  # nats
    effective_chains: float  # of annealed importance sampling; infinite where ln Z is exact
    per_sample: np.ndarray  # (M,), nats


def check_chains(n_chains, n_temperatures, seed):
    checks.integer(2, n_chains=n_chains)
    checks.integer(1, n_temperatures=n_temperatures)
    checks.integer(0, seed=seed)


def estimate_log_partition(machine, base, *, n_chains=200, n_temperatures=2000, reverse_from=None, seed):
    r"""Estimate ln Z by annealed importance sampling, from independent pixels to the machine or back.

    Parameters
    ----------
    machine : Machine
    base : (N,) array
        Fields a⁰ of the independent pixels; the closer they are to the data, the smaller the error.
    n_chains : int >= 2
        K, of the way forward.
    n_temperatures : int >= 1
        Steps from s = 0 to 1, of equal size.
    reverse_from : (K, N) array, ±1, or None
        Independent samples of the machine itself, at least 2: each is carried back to the independent pixels.
    seed : int >= 0

    Returns
    -------
    PartitionEstimate
        Z counts all 2^(N+P) states.  On average the way forward gives too small a value of ln Z and the way back too
        large a one, so that the two bracket it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Notes
    -----
    O(n_temperatures K N P).  The chains are in single precision, their weights in double precision.  With few
    effective chains, less than ten or so, the standard error is not to be trusted either: take more temperatures.
    Same bits for any number of threads.

    References
    ----------
    R. M. Neal, Statistics and Computing 11, 125 (2001); R. Salakhutdinov, I. Murray, ICML (2008); the way back:
    Y. Burda, R. Grosse, R. Salakhutdinov, AISTATS (2015).
    """
    machine = check_machine(machine)
    n_visible, n_hidden = machine.weights.shape
    base = checks.array((n_visible,), base=base)
    checks.within(checks.MAX_SIZE, base=base)
    check_chains(n_chains, n_temperatures, seed)
    rng, path = np.random.default_rng([seed, CHAINS]), np.linspace(0.0, 1.0, n_temperatures + 1)
    if reverse_from is None:
        hidden = np.ones((n_chains, n_hidden), np.float32)
    else:
        samples, path = checks.spins(reverse_from, shape=(None, n_visible), name="reverse_from"), path[::-1]
        if len(samples) < 2:
            raise ValueError(f"reverse_from must hold at least 2 samples, got {len(samples)}")
        hidden = draw_hidden(samples, machine, rng)
    network = machine.couplings, machine.visible_fields, machine.hidden_fields
    estimate = log_mean(anneal(*network, base, path, hidden, rng))
    return estimate._replace(log_partition=estimate.log_partition * (path[-1] - path[0]))


def log_likelihood(spins, machine, *, base=None, method="auto", n_chains=200, n_temperatures=2000, seed):
    r"""Log-likelihood of data, ln P(σ) = Σ_i a_i σ_i + Σ_μ ln 2cosh(b_μ + Σ_i J_iμ σ_i) - ln Z.

    Parameters
    ----------
    spins : (M, N) array, ±1, or PackedSpins
    machine : Machine
    base : (N,) array or None
        Fields of the independent pixels from which ln Z is annealed; None: those of ``spins``.  They alter its
        error and not its value: a test set is better served by the fields of its training set.
    method : {"auto", "exact", "ais"}
        Of ln Z: the sum over all states of the smaller layer, up to 20 units, or annealed importance sampling.
        "auto": the sum up to 16 units.
    n_chains, n_temperatures : int
        As in `estimate_log_partition`.
    seed : int >= 0
        Of the chains.

    Returns
    -------
    LogLikelihood

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Notes
    -----
    O(M N P) and the price of ln Z, O(2^min(N, P) N P) or O(n_temperatures n_chains N P).  Where importance sampling
    errs it is ln Z that comes out too small and the likelihood too large: see `estimate_log_partition`.
    """
    data, machine = pack_spins(spins), check_machine(machine)
    base = pixel_fields(data) if base is None else checks.array(machine.weights.shape[:1], base=base)
    checks.option(METHODS, method=method)
    check_chains(n_chains, n_temperatures, seed)
    fewest = min(machine.weights.shape)
    if method == "exact" and fewest > MAX_SUMMED_UNITS:
        raise ValueError(
            f'method must be "ais" for more than {MAX_SUMMED_UNITS} units in both layers, got "exact" and {fewest}'
        )
    a = machine.visible_fields
    per_sample = np.concatenate(
        [sigma @ a + log2cosh(fields).sum(axis=1) for sigma, fields in hidden_field_blocks(data, machine)]
    )
    if method == "exact" or (method == "auto" and fewest <= MAX_EXACT_HIDDEN):
        log_z = PartitionEstimate(log_partition(machine.couplings, a, machine.hidden_fields), 0.0, np.inf)
    else:
        log_z = estimate_log_partition(machine, base, n_chains=n_chains, n_temperatures=n_temperatures, seed=seed)
    per_sample -= log_z.log_partition
    mean, error = float(per_sample.mean()), log_z.standard_error
    return LogLikelihood(mean, error, log_z.log_partition, log_z.effective_chains, per_sample)
