r"""Message passing on dual networks: the equations of Thouless, Anderson and Palmer on the nodes.

.. math::
    r_\mu = \tanh\Bigl(b_\mu + \sum_i J_{i\mu} m_i - r_\mu \sum_i J_{i\mu}^2 (1 - m_i^2)\Bigr), \qquad
    m_i = \tanh\Bigl(a_i + \sum_\mu J_{i\mu} r_\mu - m_i \sum_\mu J_{i\mu}^2 (1 - r_\mu^2)\Bigr)

They make the second-order expansion of the free energy in the couplings stationary; the reaction terms carry the
magnetizations of the iterate before (approximate message passing).  A sweep of a batch of networks is two pairs of
matrix products, with J and with J², and nothing is allocated on the way.
"""

import math

import numba
import numpy as np

from vmfcore.networks.network import CHECK_EVERY, NetworkState, more_damping
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.vectors import exp, numbers

BATCH = 16  # networks whose matrix products are done together
GRAIN = 2**16  # multiplications of one of them that are worth a thread


@kernel
def _product(x, matrix, out):
    """Rows of x times a matrix."""
    if len(x) == 1:
        np.dot(x[0], matrix, out[0])
    else:
        np.dot(x, matrix, out)


@kernel
def _half_sweep(source, target, fields, matrices, damping, constants, work):
    """Update the ``target`` magnetizations of a batch from those of the other layer; return the largest change.

    ``matrices`` are J and J² as they act on rows of ``source``; ``work`` four arrays like source, four like target and
    integers.
    """
    slack, field, reaction, spare, index = work[0][0], work[1][1], work[1][2], work[1][3], work[2]
    one = constants[0]
    x, y, z = source.ravel(), slack.ravel(), target.ravel()
    for i in range(x.size):
        y[i] = one - x[i] * x[i]
    _product(source, matrices[0], field)
    _product(slack, matrices[1], reaction)
    for k in range(len(target)):
        local, row, pull, own = fields[k % len(fields)], field[k], reaction[k], target[k]
        for i in range(own.size):
            row[i] += local[i] - own[i] * pull[i]
    # tanh |x| = (1 - u)/(1 + u), u = exp(-2|x|)
    x, u, change = field.ravel(), reaction.ravel(), one - one
    exp(x, constants, u, spare.ravel(), index)
    for i in range(z.size):
        tanh = (one - u[i]) / (one + u[i])
        x[i] = (tanh if x[i] > 0 else -tanh) - z[i]
        z[i] += (one - damping) * x[i]
    for i in range(z.size):
        change = max(change, abs(x[i]))
    return change


@kernel
def _entropy(m):
    """Entropy of one spin."""
    p, q = 0.5 * (1.0 + m), 0.5 * (1.0 - m)
    return (-p * math.log(p) if p > 0.0 else 0.0) - (q * math.log(q) if q > 0.0 else 0.0)


@kernel
def _free_energy(m, r, a, b, pull, reaction):
    """ln Z of one network; ``pull`` and ``reaction`` are Σ_i J m_i and Σ_i J² (1 - m_i²)."""
    log_z = np.float64(0.0)
    for i in range(m.size):
        log_z += a[i] * m[i] + _entropy(m[i])
    for mu in range(r.size):
        log_z += (b[mu] + pull[mu]) * r[mu] + 0.5 * reaction[mu] * (1.0 - r[mu] * r[mu]) + _entropy(r[mu])
    return log_z


@parallel_kernel
def _run(columns, squares, a, b, control, constants, states, out):
    """Iterate networks to convergence, in batches.

    J and J² as columns (R, P, N), fields a (R, N) and b (R, K, P); ``control`` holds damping, tolerance and the largest
    number of sweeps, ``states`` m (R, K, N) and r (R, K, P); ``out`` gets ln Z, sweeps and residual, (3, R, K).
    """
    n_replicas, n_networks, n_hidden = b.shape
    n_visible, n_batches = a.shape[1], -(-n_networks // BATCH)
    for job in numba.prange(n_replicas * n_batches):
        replica, first = job // n_batches, job % n_batches * BATCH
        last = min(first + BATCH, n_networks)
        m, r, fields = states[0][replica, first:last], states[1][replica, first:last], b[replica, first:last]
        n, visible_fields = last - first, a[replica : replica + 1]
        index = np.empty(n * max(n_visible, n_hidden), np.int32)
        visible, hidden = np.empty((4, n, n_visible), m.dtype), np.empty((4, n, n_hidden), m.dtype)
        down, up = (columns[replica].T, squares[replica].T), (columns[replica], squares[replica])
        damping, residual, before, n_iter = control[0], control[1] + control[1], np.inf, 0
        while residual > control[1] and n_iter < control[2]:
            changed = _half_sweep(m, r, fields, down, damping, constants, (visible, hidden, index))
            residual = max(_half_sweep(r, m, visible_fields, up, damping, constants, (hidden, visible, index)), changed)
            n_iter += 1
            if n_iter % CHECK_EVERY == 0:
                damping, before = more_damping(damping, residual, before), residual
        for k in range(n):
            for i in range(n_visible):
                visible[0, k, i] = 1.0 - m[k, i] * m[k, i]
        _product(m, down[0], hidden[0])
        _product(visible[0], down[1], hidden[1])
        for k in range(n):
            out[0, replica, first + k] = _free_energy(m[k], r[k], a[replica], fields[k], hidden[0, k], hidden[1, k])
            out[1, replica, first + k], out[2, replica, first + k] = n_iter, residual


def solve_tap(couplings, visible_fields, hidden_fields, damping, tol, max_iter, messages=None):
    """`run_tap` for couplings (R, N, P), fields (R, N) and (R, K, P), without checks, warnings and correlations.

    Overwrites the messages, m (R, K, N) and r (R, K, P); everything in the state has leading axes R, K.
    """
    dtype, lead = couplings.dtype, hidden_fields.shape[:2]
    columns = np.ascontiguousarray(np.swapaxes(couplings, 1, 2))
    if messages is None:
        messages = tuple(np.zeros((*lead, n), dtype) for n in couplings.shape[1:])
    out, control = np.empty((3, *lead)), np.array([damping, tol, max_iter], dtype)
    fields = np.ascontiguousarray(visible_fields, dtype), np.ascontiguousarray(hidden_fields, dtype)
    with numba_threads(lead[0] * -(-lead[1] // BATCH), lead[1] * columns.size / GRAIN):
        _run(columns, columns**2, *fields, control, numbers(dtype)[0], messages, out)
    log_z, n_iter, residual = out
    return NetworkState(*messages, None, log_z, n_iter.astype(np.int64), residual, residual <= control[1], messages)


@kernel
def _edges(columns, m, r, out):
    """out = m r + J (1 - m²)(1 - r²) of one network a replica: columns (R, P, N), m (R, N), r (R, P)."""
    slack = np.empty_like(m[0])
    for k in range(len(columns)):
        for i in range(slack.size):
            slack[i] = (m[k, i] + 1) * (1 - m[k, i])
        for mu in range(columns.shape[1]):
            x, row, coupling = r[k, mu], out[k, mu], columns[k, mu]
            y = x * x
            for i in range(slack.size):
                row[i] = m[k, i] * x + coupling[i] * (slack[i] - slack[i] * y)


def correlations(couplings, visible_means, hidden_means, weights):
    """Σ_k w_k <σ_i h_μ>_k = Σ_k w_k [m r + J (1 - m²)(1 - r²)] of networks (R, K) with couplings (R, N, P)."""
    columns = np.ascontiguousarray(np.swapaxes(couplings, 1, 2))
    if len(weights) == 1:  # matrix products are slow for an inner axis of one
        out = np.empty_like(columns)
        _edges(columns, visible_means[:, 0], hidden_means[:, 0], out)
        return np.swapaxes(out, 1, 2)
    weights = weights.astype(couplings.dtype)[:, None]
    out = np.matmul(np.swapaxes(1 - hidden_means**2, 1, 2), weights * (1 - visible_means**2))
    out *= columns
    out += np.matmul(np.swapaxes(hidden_means, 1, 2), weights * visible_means)
    return np.swapaxes(out, 1, 2)
