"""Exact sums over the states of a small dual network: the reference for everything approximate."""

import functools
import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy
from numpy.typing import DTypeLike

from vmfcore import checks
from vmfcore.networks.network import Network, Networks, NetworkState, solve
from vmfcore.numerics.blocks import IN_CACHE, IN_MEMORY, IN_SHARED_CACHE, blocks
from vmfcore.numerics.spins import log2cosh

MAX_SUMMED_UNITS = 20
BLOCK = IN_MEMORY  # numbers held at once


@dataclass(frozen=True)
class Exact:
    r"""The sum over all 2^P states of the hidden units, P <= 20.

    Notes
    -----
    O(2^P (N P + K P)) time for K networks, O(2^P (N + K)) memory in blocks.

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> state = vmf.Exact().solve(vmf.Network(np.array([[0.5]]), np.zeros(1), np.zeros(1)))
    >>> state.correlations.round(6), np.tanh(0.5).round(6)
    (array([[0.462117]]), np.float64(0.462117))
    """

    tol: ClassVar[float] = 0.0
    has_one_state: ClassVar[bool] = False  # it sees all states of the network, mirror images included

    def check_size(self, n_hidden: int) -> None:
        """ValueError where there are too many hidden units."""
        if n_hidden > MAX_SUMMED_UNITS:
            raise ValueError(
                f"solver must be Cavity, Tap or Gibbs for more than {MAX_SUMMED_UNITS} hidden units, "
                f"got {self} and {n_hidden}"
            )

    def with_tol(self, tol: float, dtype: DTypeLike = np.float64) -> "Exact":
        """The solver itself, which has no tolerance."""
        return self

    def cold_start(self, base: np.ndarray | None, seed: int) -> None:
        """What the first call starts from: nothing."""
        return None

    def solve(self, network: Network, start: None = None) -> NetworkState:
        """Averages of a network: see `Network` and `NetworkState`; ``start`` must be None, since a sum has none."""
        return solve(self, network, start)

    def first_messages(self, start: None, networks: Networks, single: bool) -> None:
        """Refuse a start: a sum has none."""
        if start is not None:
            raise ValueError(f"start must be None for an exact sum, got {type(start).__name__}")

    def averages(self, networks: Networks, weights: np.ndarray | None, start: Any) -> NetworkState:
        """Return averages of networks, correlations with weights (K,) or, for None, of each."""
        # in double precision and in the order in which sums over states want them
        log_z, m, r, c = sum_over_hidden(*(np.ascontiguousarray(part, np.float64) for part in networks))
        if weights is not None:
            c = np.einsum("k,rknp->rnp", weights, c)
        zeros, yes = np.zeros(networks.shape), np.ones(networks.shape, bool)
        return NetworkState(m, r, c, log_z, zeros.astype(np.int64), zeros, yes, None)

    def warn(self, state: NetworkState, stacklevel: int) -> None:
        """Warn of nothing: a sum is always at its end."""


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
    """ln of the weight of each hidden state without its own fields: Σ_i ln 2cosh(a_i + Σ_μ J_iμ h_μ).

    Of one network, or of several: couplings (..., N, P) and fields (..., N), weights (..., 2^P).
    """
    log_weights = np.empty((*couplings.shape[:-2], len(hidden)))
    for block in blocks(len(hidden), couplings.shape[-2], BLOCK):
        fields = hidden[block] @ np.swapaxes(couplings, -1, -2) + visible_fields[..., None, :]
        log_weights[..., block] = log2cosh(fields).sum(axis=-1)
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


def sum_over_hidden(couplings, visible_fields, hidden_fields):
    """ln Z (R, K), m (R, K, N), r (R, K, P) and <σ_i h_μ> (R, K, N, P) of R couplings, each with K hidden fields."""
    n_replicas, n_visible, n_hidden = couplings.shape
    lead = hidden_fields.shape[:2]
    hidden = hidden_states(n_hidden)
    log_z, r = np.empty(lead), np.empty((*lead, n_hidden))
    m, c = np.zeros((*lead, n_visible)), np.zeros((*lead, n_hidden, n_visible))
    # small networks several at once
    for replicas in blocks(n_replicas, len(hidden) * n_visible, IN_SHARED_CACHE):
        couplings_to_hidden, a = np.swapaxes(couplings[replicas], 1, 2), visible_fields[replicas, None]
        log_weights = hidden_log_weights(couplings[replicas], visible_fields[replicas], hidden)
        log_weights = log_weights[:, None] + hidden_fields[replicas] @ hidden.T
        log_z[replicas] = np.logaddexp.reduce(log_weights, axis=-1)
        p = np.exp(log_weights - log_z[replicas, :, None])
        r[replicas] = p @ hidden
        for block in blocks(len(hidden), n_visible, BLOCK):
            h = hidden[block]
            tanh = np.tanh(h @ couplings_to_hidden + a)
            m[replicas] += p[..., block] @ tanh
            c[replicas] += (p[..., None, block] * h.T) @ tanh[:, None]
    return log_z, m, r, np.swapaxes(c, 2, 3)


def draw_exactly(couplings, visible_fields, hidden_fields, n_samples, rng):
    """Independent samples (M, N) int8 of a network with few hidden units: h from its marginal, then σ."""
    n_visible, n_hidden = couplings.shape
    states = hidden_states(n_hidden)
    log_weights = hidden_log_weights(couplings, visible_fields, states) + states @ hidden_fields
    p = np.exp(log_weights - log_weights.max())
    drawn, which = np.unique(rng.choice(len(states), size=n_samples, p=p / p.sum()), return_inverse=True)
    up = scipy.special.expit(2 * (states[drawn] @ couplings.T + visible_fields))
    spins = np.empty((n_samples, n_visible), np.int8)
    for block in blocks(n_samples, n_visible, IN_CACHE):
        rows = which[block]
        np.less(rng.random((len(rows), n_visible)), up[rows], out=spins[block].view(bool))
    spins *= 2
    spins -= 1
    return spins
