"""Exact sums over the states of a small dual network: the reference for everything approximate."""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from vmfcore import checks
from vmfcore.numerics.blocks import IN_MEMORY, blocks
from vmfcore.numerics.spins import log2cosh

MAX_SUMMED_UNITS = 20
BLOCK = IN_MEMORY  # numbers held at once


class ExactState(NamedTuple):
    """Exact averages of a dual network; a leading axis K where the hidden fields have one."""

    visible_means: np.ndarray  # (N,)
    hidden_means: np.ndarray  # (P,)
    correlations: np.ndarray  # (N, P), <sigma_i h_mu>
    log_partition: np.ndarray  # nats


@functools.lru_cache(maxsize=4)
def hidden_states(n_hidden):
    """All states of ``n_hidden`` spins, shape (2^P, P), float64, not to be written to."""
    if n_hidden > MAX_SUMMED_UNITS:
        raise ValueError(
            f"n_hidden must be at most {MAX_SUMMED_UNITS} for a sum over all hidden states, got {n_hidden}"
        )
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=n_hidden)))
    states.flags.writeable = False
    return states


def hidden_log_weights(couplings, visible_fields, hidden):
    """ln of the weight of each hidden state without its own fields: Σ_i ln 2cosh(a_i + Σ_μ J_iμ h_μ)."""
    log_weights = np.empty(len(hidden))
    for block in blocks(len(hidden), len(couplings), BLOCK):
        fields = hidden[block] @ couplings.T + visible_fields
        log_weights[block] = log2cosh(fields).sum(axis=1)
    return log_weights


def log_partition(couplings, visible_fields, hidden_fields):
    r"""Exact ln Z of an RBM: ln Σ_σh exp(Σ J_iμ σ_i h_μ + a·σ + b·h).

    Parameters
    ----------
    couplings : (N, P) array in [-1e6, 1e6]
        J, dimensionless.
    visible_fields, hidden_fields : (N,) and (P,) arrays in [-1e6, 1e6]
        a and b.

    Returns
    -------
    float
        Nats; 2^(N+P) states are counted, so that ln Z = (N + P) ln 2 without couplings and fields.

    Raises
    ------
    ValueError
        If both layers have more than 20 units, or an argument has the wrong shape or a value that is not as above.

    Notes
    -----
    Sums over the smaller layer: O(2^min(N, P) N P).
    """
    couplings = checks.array((None, None), couplings=couplings)
    if min(couplings.shape) > MAX_SUMMED_UNITS:
        raise ValueError(
            f"couplings must have at most {MAX_SUMMED_UNITS} visible or hidden units for an exact sum, "
            f"got shape {couplings.shape}"
        )
    a = checks.array((couplings.shape[0],), visible_fields=visible_fields)
    b = checks.array((couplings.shape[1],), hidden_fields=hidden_fields)
    checks.within(checks.MAX_SIZE, couplings=couplings, visible_fields=a, hidden_fields=b)
    # the visible units are summed by their cosh, the hidden ones, which should be fewer, state by state
    if couplings.shape[0] < couplings.shape[1]:
        couplings, a, b = couplings.T, b, a
    hidden = hidden_states(couplings.shape[1])
    return float(np.logaddexp.reduce(hidden_log_weights(couplings, a, hidden) + hidden @ b))


def run_exact(couplings, visible_fields, hidden_fields):
    r"""Exact averages of an RBM by the sum over its hidden states, :math:`h \in \{-1, 1\}^P`.

    Parameters
    ----------
    couplings : (N, P) array
        J, dimensionless.
    visible_fields : (N,) array
        a.
    hidden_fields : (P,) or (K, P) array
        b; with a leading axis, K networks that share couplings and visible fields.

    Returns
    -------
    ExactState

    Raises
    ------
    ValueError
        If P > 20.

    Notes
    -----
    O(2^P (N P + K P)) time, O(2^P (N + K)) memory in blocks; the K networks share the costly part.
    """
    couplings = checks.array((None, None), couplings=couplings)
    n_visible, n_hidden = couplings.shape
    a = checks.array((n_visible,), visible_fields=visible_fields)
    single = np.ndim(hidden_fields) == 1
    b = checks.array((None, n_hidden), hidden_fields=np.atleast_2d(hidden_fields))
    hidden = hidden_states(n_hidden)
    log_weights = hidden_log_weights(couplings, a, hidden) + b @ hidden.T
    log_z = np.logaddexp.reduce(log_weights, axis=1)
    p = np.exp(log_weights - log_z[:, None])
    m = np.zeros((len(b), n_visible))
    c = np.swapaxes(np.zeros((len(b), n_hidden, n_visible)), 1, 2)
    block = max(1, BLOCK // n_visible)
    for start in range(0, len(hidden), block):
        h = hidden[start : start + block]
        tanh = np.tanh(h @ couplings.T + a)
        m += p[:, start : start + block] @ tanh
        c += np.swapaxes(np.matmul(p[:, None, start : start + block] * h.T, tanh), 1, 2)
    state = ExactState(m, p @ hidden, c, log_z)
    return ExactState(*(x[0] for x in state)) if single else state
