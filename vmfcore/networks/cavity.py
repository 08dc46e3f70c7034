r"""Message passing on dual networks: cavity equations on the edges.

A message is kept as an odds ratio: Υ_iμ = exp(2 u_{μ→i}), where u_{μ→i} is the field that hidden unit μ exerts on
visible unit i.  In odds ratios the cavity equations

.. math::
    \chi_{\mu\to i} = b_\mu + \sum_{j\ne i} \mathrm{atanh}(\tanh J_{j\mu}\, m_{j\to\mu}), \qquad
    u_{\mu\to i} = \mathrm{atanh}(\tanh J_{i\mu} \tanh\chi_{\mu\to i}), \qquad
    m_{i\to\mu} = \tanh\Bigl(a_i + \sum_{\nu\ne\mu} u_{\nu\to i}\Bigr)

need three divisions an edge and no transcendental function, and nothing cancels at saturation.  They are
stationary points of the Bethe free energy, whose derivatives are therefore exactly the reported averages.
"""

import math

import numba
import numpy as np

from vmfcore.networks.network import CHECK_EVERY, NetworkState, more_damping
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel

MAX_FIELD = 250.0  # fields beyond it are saturated: tanh(x) is 1 to the last bit from x = 19
GRAIN = 2**12  # messages that are worth a thread
LANES = 8  # factors that a loop keeps apart, so that it runs in parallel


@kernel
def _log_products(odds, fields, chunk, out):
    """out_i = fields_i + ½ ln Π_μ odds_μi, one logarithm for every ``chunk`` factors."""
    n_rows, n_columns = odds.shape
    out[:] = fields
    product = np.empty(n_columns)
    for start in range(0, n_rows, chunk):
        product[:] = 1.0
        for row in range(start, min(start + chunk, n_rows)):
            for i in range(n_columns):
                product[i] *= odds[row, i]
        for i in range(n_columns):
            out[i] += 0.5 * math.log(product[i])


@kernel
def _odds(field):
    """exp(2 field), saturated at MAX_FIELD."""
    return math.exp(2.0 * min(max(field, -MAX_FIELD), MAX_FIELD))


@kernel
def _pull(coupling_odds, odds, cavity_odds, out):
    """Odds of the field that spins with cavity odds odds/cavity_odds exert through their couplings."""
    for i in range(out.size):
        out[i] = (odds[i] * coupling_odds[i] + cavity_odds[i]) / (odds[i] + cavity_odds[i] * coupling_odds[i])


@kernel
def _log_product(x, chunk):
    """½ ln Π_i x_i, one logarithm for every ``chunk`` factors, of which LANES are multiplied side by side."""
    whole, total, steps = x.size - x.size % LANES, 0.0, LANES * max(1, chunk // LANES)
    lanes = np.empty(LANES)
    for first in range(0, whole, steps):
        lanes[:] = 1.0
        for start in range(first, min(first + steps, whole), LANES):
            part = x[start : start + LANES]
            for k in range(LANES):
                lanes[k] *= part[k]
        product = 1.0
        for k in range(LANES):
            product *= lanes[k]
            if chunk < LANES:
                total += math.log(product)
                product = 1.0
        total += math.log(product)
    for i in range(whole, x.size):
        total += math.log(x[i])
    return 0.5 * total


@kernel
def _update(coupling_odds, hidden_odds, pull, damping, messages, visible_odds):
    """New messages of one hidden unit to all visible ones, and what these add up to."""
    low, high = math.exp(-2.0 * MAX_FIELD), math.exp(2.0 * MAX_FIELD)
    for i in range(messages.size):
        e, old = coupling_odds[i], messages[i]
        new = (hidden_odds * e + pull[i]) / (hidden_odds + pull[i] * e)
        new = (1.0 - damping) * new + damping * old
        visible_odds[i] = min(max(visible_odds[i] * (new / old), low), high)
        messages[i] = new


@kernel
def _sweep(coupling_odds, a, b, chunk, damping, messages, means, work):
    """Update the messages of one network in place, unit by unit; return the largest change of a magnetization.

    ``means`` holds the N + P magnetizations of the sweep before and is overwritten; ``work`` is (3, N).
    """
    n_hidden, n_visible = messages.shape
    visible_odds, pull, change = work[0], work[1], 0.0
    _log_products(messages, a, chunk, visible_odds)
    for i in range(n_visible):
        visible_odds[i] = _odds(visible_odds[i])
    for mu in range(n_hidden):
        _pull(coupling_odds[mu], visible_odds, messages[mu], pull)
        hidden_odds = _odds(b[mu] + _log_product(pull, chunk))
        _update(coupling_odds[mu], hidden_odds, pull, damping, messages[mu], visible_odds)
        r = (hidden_odds - 1.0) / (hidden_odds + 1.0)
        change = max(change, abs(r - means[n_visible + mu]))
        means[n_visible + mu] = r
    for i in range(n_visible):
        m = (visible_odds[i] - 1.0) / (visible_odds[i] + 1.0)
        change = max(change, abs(m - means[i]))
        means[i] = m
    return change / (1.0 - damping)


@kernel
def _bethe(coupling_odds, a, b, chunk, messages, work, correlations):
    """Edge correlations (P, N) and Bethe ln Z of one network from its messages."""
    n_hidden, n_visible = messages.shape
    visible_odds, pull, edge = work[0], work[1], work[2]
    _log_products(messages, a, chunk, visible_odds)
    log_z = 0.0
    for i in range(n_visible):
        field = visible_odds[i]
        log_z += max(2.0 * field, 0.0) + math.log1p(math.exp(-2.0 * abs(field))) - a[i]
        visible_odds[i] = _odds(field)
    for mu in range(n_hidden):
        _pull(coupling_odds[mu], visible_odds, messages[mu], pull)
        field = b[mu] + _log_product(pull, chunk)
        log_z += max(2.0 * field, 0.0) + math.log1p(math.exp(-2.0 * abs(field))) - b[mu]
        hidden_odds = _odds(field)
        for i in range(n_visible):
            e, root = coupling_odds[mu, i], math.sqrt(coupling_odds[mu, i])
            p, big_p = visible_odds[i] / (visible_odds[i] + messages[mu, i]), hidden_odds / (hidden_odds + pull[i])
            q, big_q = messages[mu, i] / (visible_odds[i] + messages[mu, i]), pull[i] / (hidden_odds + pull[i])
            equal, unequal = (p * big_p + q * big_q) * e, p * big_q + q * big_p
            correlations[mu, i] = (equal - unequal) / (equal + unequal)
            edge[i] = (big_p / root + big_q * root) * (p / root + q * root) * root / (equal + unequal)
        log_z += 2.0 * _log_product(edge, chunk)
    return log_z


@parallel_kernel
def _run(coupling_odds, a, fields, chunk, control, messages, means, correlations):
    """Iterate networks to convergence, each on its own; returns (R K, 3): Bethe ln Z, sweeps, residual.

    R couplings and rows of ``a``, each for K networks in a row; ``control`` holds damping, tolerance and the largest
    number of sweeps.
    """
    n_networks, _, n_visible = messages.shape
    out = np.empty((n_networks, 3))
    for k in numba.prange(n_networks):
        replica = k * len(coupling_odds) // n_networks
        odds, visible = coupling_odds[replica], a[replica]
        damping, residual, before, n_iter = control[0], np.inf, np.inf, 0
        work = np.empty((3, n_visible))
        while residual > control[1] and n_iter < control[2]:
            residual = _sweep(odds, visible, fields[k], chunk, damping, messages[k], means[k], work)
            n_iter += 1
            if n_iter % CHECK_EVERY == 0:
                damping, before = more_damping(damping, residual, before), residual
        out[k, 0] = _bethe(odds, visible, fields[k], chunk, messages[k], work, correlations[k])
        out[k, 1], out[k, 2] = n_iter, residual
    return out


def solve_cavity(couplings, visible_fields, hidden_fields, damping, tol, max_iter, messages=None):
    """`run_cavity` for couplings (R, N, P), fields (R, N) and (R, K, P), without checks and warnings.

    Overwrites the (R, K, P, N) messages; everything in the state has leading axes R, K.
    """
    _, n_visible, n_hidden = couplings.shape
    lead = hidden_fields.shape[:2]
    if messages is None:
        messages = np.ones((*lead, n_hidden, n_visible))
    flat = messages.reshape(-1, n_hidden, n_visible)
    chunk = max(1, int(700 / (3 * np.abs(couplings).max() + 1)))
    means, correlations = np.zeros((len(flat), n_visible + n_hidden)), np.empty_like(flat)
    coupling_odds = np.exp(2.0 * np.ascontiguousarray(np.swapaxes(couplings, 1, 2), dtype=np.float64))
    visible = np.ascontiguousarray(visible_fields, dtype=np.float64)
    fields = np.ascontiguousarray(hidden_fields.reshape(len(flat), n_hidden), dtype=np.float64)
    control = np.array([damping, tol, max_iter])
    with numba_threads(len(flat), flat.size / GRAIN):
        out = _run(coupling_odds, visible, fields, chunk, control, flat, means, correlations)
    log_z, n_iter, residual = out.T.reshape(3, *lead)
    means = means.reshape(*lead, -1)
    correlations = np.swapaxes(correlations.reshape(messages.shape), -1, -2)
    averages = means[..., :n_visible], means[..., n_visible:], correlations
    return NetworkState(*averages, log_z, n_iter.astype(np.int64), residual, residual <= tol, messages)
