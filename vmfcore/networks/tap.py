r"""Message passing on dual networks: the equations of Thouless, Anderson and Palmer on the nodes.

.. math::
    r_\mu = \tanh\Bigl(b_\mu + \sum_i J_{i\mu} m_i - r_\mu \sum_i J_{i\mu}^2 (1 - m_i^2)\Bigr), \qquad
    m_i = \tanh\Bigl(a_i + \sum_\mu J_{i\mu} r_\mu - m_i \sum_\mu J_{i\mu}^2 (1 - r_\mu^2)\Bigr)

They make the second-order expansion of the free energy in the couplings stationary; the reaction terms carry the
magnetizations of the iterate before (approximate message passing).  A sweep of a batch of networks is two pairs of
matrix products, with J and with J², and nothing is allocated on the way.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.networks.iteration import CHECK_EVERY, Iteration, Stopping, more_damping
from vmfcore.networks.network import Network, Networks, NetworkState, solve
from vmfcore.numerics.jit import kernel, numba_threads, one_blas_thread, parallel_kernel
from vmfcore.numerics.vectors import constants_of, exp

BATCH = 16  # networks whose matrix products are done together
GRAIN = 2**16  # multiplications of one of them that are worth a thread


@dataclass(frozen=True)
class Tap(Iteration):
    r"""Equations of Thouless, Anderson and Palmer on the nodes: approximate message passing.

    Parameters
    ----------
    damping, tol, max_iter
        As in `Cavity`, of magnetizations.  In single precision tol is 3e-6 where it is None, and must be at least 1e-6.

    Notes
    -----
    O(N P) a sweep and a network, as matrix products of batches of 16 networks; a batch iterates until the last of them
    has converged.  The two sides of the equations agree with the cavity method up to terms of third order in J; unlike
    it they are not exact on trees.  m = ∂lnZ/∂a, r = ∂lnZ/∂b and C = ∂lnZ/∂J at convergence.  Parallel updates fail to
    converge earlier than those of `Cavity` where couplings are strong.

    References
    ----------
    Thouless, Anderson & Palmer, Phil. Mag. 35, 593 (1977); for RBMs Gabrié, Tramel & Krzakala, arXiv:1506.02914.
    """

    def solve(self, network: Network, start: ArrayLike | None = None) -> NetworkState:
        """Averages of a network, in single precision where its couplings are float32, in double where not.

        Parameters
        ----------
        network : Network
        start : (N + P,) or (K, N + P) array in [-1, 1] or None
            ``NetworkState.messages`` of an earlier run, which are its magnetizations; None starts from 0.

        Returns
        -------
        NetworkState
            In the precision of the calculation, ln Z in float64.

        Warns
        -----
        ConvergenceWarning
            If a network has not converged after ``max_iter`` sweeps.
        """
        in_single = getattr(getattr(network, "couplings", None), "dtype", None) == np.float32
        with one_blas_thread():
            return solve(self, network, start, np.float32 if in_single else np.float64)

    def first_messages(self, start: ArrayLike | None, networks: Networks, single: bool) -> tuple | None:
        """Return the magnetizations m (1, K, N) and r (1, K, P) that a user starts from."""
        if start is None:
            return None
        _, n_visible, n_hidden = networks.couplings.shape
        lead = () if single else (networks.shape[1],)
        means = checks.means(start, shape=(*lead, n_visible + n_hidden), name="start")
        means = means.astype(networks.couplings.dtype).reshape(1, networks.shape[1], -1)
        return tuple(np.ascontiguousarray(part) for part in np.split(means, [n_visible], axis=2))

    def averages(self, networks: Networks, weights: np.ndarray | None, start: Any) -> NetworkState:
        """Return averages of networks, correlations with weights (K,) or, for None, of each; overwrites ``start``."""
        state = solve_tap(*networks, self.damping, self.tol, self.max_iter, start)
        if weights is not None:
            means = state.visible_means, state.hidden_means
            return state._replace(correlations=correlations(networks.couplings, *means, weights))
        m, r = state.visible_means[..., None], state.hidden_means[..., None, :]
        each = m * r + networks.couplings[:, None] * (1 - m**2) * (1 - r**2)
        return state._replace(correlations=each, messages=np.concatenate(state.messages, axis=2))


class _Couplings(NamedTuple):
    """Couplings as they act on rows of magnetizations, from one layer to the other."""

    linear: np.ndarray  # J
    squares: np.ndarray  # J²


class _Layer(NamedTuple):
    """One layer of a batch of n networks; all but the fields are arrays (n, units)."""

    means: np.ndarray  # magnetizations
    fields: np.ndarray  # (n, units), or (1, units) where the networks share them
    slack: np.ndarray  # 1 - means²
    pull: np.ndarray  # Σ J m of the other layer
    reaction: np.ndarray  # Σ J² (1 - m²) of the other layer
    spare: np.ndarray


class _Magnetizations(NamedTuple):
    """Of all networks, overwritten by those of the solution."""

    visible: np.ndarray  # (R, K, N)
    hidden: np.ndarray  # (R, K, P)


class _Outcome(NamedTuple):
    """Numbers of each network, (R, K), or of those of one batch, (n,)."""

    log_partition: np.ndarray
    n_iter: np.ndarray
    residual: np.ndarray


@kernel
def _layer(means, fields):
    """`_Layer` of these magnetizations, with room for what the other one exerts."""
    slack = np.empty_like(means)
    pull = np.empty_like(means)
    reaction = np.empty_like(means)
    spare = np.empty_like(means)
    return _Layer(means, fields, slack, pull, reaction, spare)


@kernel
def _product(x, matrix, out):
    """Rows of x times a matrix."""
    if len(x) == 1:
        np.dot(x[0], matrix, out[0])
    else:
        np.dot(x, matrix, out)


@kernel
def _exert(source, target, couplings, one):
    """What the ``source`` layer exerts on the ``target``: Σ J m, and Σ J² (1 - m²) for the reaction."""
    means = source.means.ravel()
    slack = source.slack.ravel()
    for i in range(means.size):
        slack[i] = one - means[i] * means[i]
    _product(source.means, couplings.linear, target.pull)
    _product(source.slack, couplings.squares, target.reaction)


@kernel
def _half_sweep(source, target, couplings, damping, constants, index):
    """Update the ``target`` magnetizations of a batch from the ``source``; return the largest change, undamped."""
    one = constants.one
    _exert(source, target, couplings, one)

    # fields, less the reaction to the magnetizations of the sweep before
    for k in range(len(target.means)):
        local = target.fields[k % len(target.fields)]
        means = target.means[k]
        reaction = target.reaction[k]
        fields = target.pull[k]
        for i in range(means.size):
            fields[i] += local[i] - means[i] * reaction[i]

    # tanh |x| = (1 - u)/(1 + u), u = exp(-2|x|)
    x = target.pull.ravel()
    u = target.reaction.ravel()
    exp(x, constants, u, target.spare.ravel(), index)
    means = target.means.ravel()
    for i in range(means.size):
        tanh = (one - u[i]) / (one + u[i])
        x[i] = (tanh if x[i] > 0 else -tanh) - means[i]
        means[i] += (one - damping) * x[i]

    change = one - one
    for i in range(means.size):
        change = max(change, abs(x[i]))
    return change


@kernel
def _entropy(m):
    """Entropy of one spin."""
    up = 0.5 * (1.0 + m)
    down = 0.5 * (1.0 - m)
    of_up = -up * math.log(up) if up > 0.0 else 0.0
    of_down = down * math.log(down) if down > 0.0 else 0.0
    return of_up - of_down


@kernel
def _free_energy(m, r, a, b, pull, reaction):
    """ln Z of one network; ``pull`` and ``reaction`` are Σ_i J m_i and Σ_i J² (1 - m_i²)."""
    log_z = np.float64(0.0)
    for i in range(m.size):
        log_z += a[i] * m[i] + _entropy(m[i])
    for mu in range(r.size):
        log_z += (b[mu] + pull[mu]) * r[mu] + 0.5 * reaction[mu] * (1.0 - r[mu] * r[mu]) + _entropy(r[mu])
    return log_z


@kernel
def _iterate(visible, hidden, down, up, stopping, constants):
    """Sweeps of one batch until it has converged; returns their number and the last residual."""
    index = np.empty(max(visible.means.size, hidden.means.size), np.int32)
    damping = stopping.damping
    residual = np.inf
    before = np.inf
    n_iter = 0
    while residual > stopping.tol and n_iter < stopping.max_iter:
        of_hidden = _half_sweep(visible, hidden, down, damping, constants, index)
        of_visible = _half_sweep(hidden, visible, up, damping, constants, index)
        residual = max(of_visible, of_hidden)
        n_iter += 1
        if n_iter % CHECK_EVERY == 0:
            damping = more_damping(damping, residual, before)
            before = residual
    return n_iter, residual


@kernel
def _solve(visible, hidden, down, up, stopping, constants, outcome):
    """Iterate one batch to convergence, and write its `_Outcome`."""
    n_iter, residual = _iterate(visible, hidden, down, up, stopping, constants)
    outcome.n_iter[:] = n_iter
    outcome.residual[:] = residual
    # ln Z needs what the last visible magnetizations exert
    _exert(visible, hidden, down, constants.one)
    a = visible.fields[0]
    for k in range(len(hidden.means)):
        m = visible.means[k]
        r = hidden.means[k]
        outcome.log_partition[k] = _free_energy(m, r, a, hidden.fields[k], hidden.pull[k], hidden.reaction[k])


@parallel_kernel
def _run(couplings, squares, visible_fields, hidden_fields, stopping, constants, magnetizations, outcome):
    """Solve all networks, in batches: J and J² (R, N, P), fields a (R, N) and b (R, K, P)."""
    n_replicas, n_networks, _ = hidden_fields.shape
    n_batches = -(-n_networks // BATCH)
    for job in numba.prange(n_replicas * n_batches):
        replica = job // n_batches
        first = job % n_batches * BATCH
        last = min(first + BATCH, n_networks)
        visible = _layer(magnetizations.visible[replica, first:last], visible_fields[replica : replica + 1])
        hidden = _layer(magnetizations.hidden[replica, first:last], hidden_fields[replica, first:last])
        down = _Couplings(couplings[replica], squares[replica])
        up = _Couplings(couplings[replica].T, squares[replica].T)
        log_partition = outcome.log_partition[replica, first:last]
        n_iter = outcome.n_iter[replica, first:last]
        residual = outcome.residual[replica, first:last]
        _solve(visible, hidden, down, up, stopping, constants, _Outcome(log_partition, n_iter, residual))


def solve_tap(couplings, visible_fields, hidden_fields, damping, tol, max_iter, messages=None):
    """`NetworkState` by TAP but its correlations: couplings (R, N, P), fields (R, N) and (R, K, P), without checks.

    Overwrites the messages, m (R, K, N) and r (R, K, P); everything in the state has leading axes R, K.
    """
    dtype = couplings.dtype
    _, n_visible, n_hidden = couplings.shape
    n_replicas, n_networks, _ = hidden_fields.shape
    lead = (n_replicas, n_networks)
    if messages is None:
        messages = np.zeros((*lead, n_visible), dtype), np.zeros((*lead, n_hidden), dtype)
    couplings = np.ascontiguousarray(couplings)
    a = np.ascontiguousarray(visible_fields, dtype)
    b = np.ascontiguousarray(hidden_fields, dtype)
    stopping = Stopping(dtype.type(damping), dtype.type(tol), int(max_iter))
    magnetizations = _Magnetizations(*messages)
    outcome = _Outcome(np.empty(lead), np.empty(lead, np.int64), np.empty(lead))
    n_batches = -(-n_networks // BATCH)
    with numba_threads(n_replicas * n_batches, n_networks * couplings.size / GRAIN):
        _run(couplings, couplings**2, a, b, stopping, constants_of(dtype), magnetizations, outcome)
    return NetworkState(
        visible_means=magnetizations.visible,
        hidden_means=magnetizations.hidden,
        correlations=None,
        log_partition=outcome.log_partition,
        n_iter=outcome.n_iter,
        residual=outcome.residual,
        converged=outcome.residual <= stopping.tol,
        messages=messages,
    )


@kernel
def _edges(couplings, m, r, out):
    """out = m r + J (1 - m²)(1 - r²) of one network a replica: J (R, N, P), m (R, N), r (R, P)."""
    slack = np.empty_like(r[0])
    for k in range(len(couplings)):
        for mu in range(slack.size):
            slack[mu] = (r[k, mu] + 1) * (1 - r[k, mu])
        for i in range(couplings.shape[1]):
            mean = m[k, i]
            square = mean * mean
            coupling = couplings[k, i]
            row = out[k, i]
            for mu in range(slack.size):
                row[mu] = mean * r[k, mu] + coupling[mu] * (slack[mu] - slack[mu] * square)


def correlations(couplings, visible_means, hidden_means, weights):
    """Σ_k w_k <σ_i h_μ>_k = Σ_k w_k [m r + J (1 - m²)(1 - r²)] of networks (R, K) with couplings (R, N, P)."""
    couplings = np.ascontiguousarray(couplings)
    if len(weights) == 1:  # matrix products are slow for an inner axis of one
        out = np.empty_like(couplings)
        _edges(couplings, visible_means[:, 0], hidden_means[:, 0], out)
        return out
    weights = weights.astype(couplings.dtype)[:, None]
    out = np.matmul(np.swapaxes(weights * (1 - visible_means**2), 1, 2), 1 - hidden_means**2)
    out *= couplings
    out += np.matmul(np.swapaxes(weights * visible_means, 1, 2), hidden_means)
    return out
