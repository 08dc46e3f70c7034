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
import warnings
from typing import NamedTuple

import numba
import numpy as np

from vmfcore import checks

MAX_COUPLING = 100.0  # exp(2J) and its square must stay finite
MAX_FIELD = 250.0  # fields beyond it are saturated: tanh(x) is 1 to the last bit from x = 19
MAX_DAMPING = 0.95
CHECK_EVERY = 20  # sweeps between two looks at whether the residual still falls


class ConvergenceWarning(RuntimeWarning):
    """An iteration stopped before its residual fell below the tolerance."""


class CavityState(NamedTuple):
    """Averages of a dual network; a leading axis K (also of the numbers) where the hidden fields have one."""

    visible_means: np.ndarray  # (N,), magnetizations m_i
    hidden_means: np.ndarray  # (P,), magnetizations r_mu
    correlations: np.ndarray  # (N, P), <sigma_i h_mu>
    log_partition: np.ndarray  # Bethe value of ln Z, nats
    n_iter: np.ndarray  # sweeps done
    residual: np.ndarray  # largest change of a magnetization in the last sweep, undamped
    converged: np.ndarray  # residual <= tol
    messages: np.ndarray  # (P, N) odds ratios, to start the next run from


@numba.njit(cache=True, error_model="numpy")
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


@numba.njit(cache=True, error_model="numpy")
def _odds(field):
    """exp(2 field), saturated at MAX_FIELD."""
    return math.exp(2.0 * min(max(field, -MAX_FIELD), MAX_FIELD))


@numba.njit(cache=True, error_model="numpy")
def _pull(coupling_odds, odds, cavity_odds, out):
    """Odds of the field that spins with cavity odds odds/cavity_odds exert through their couplings."""
    for i in range(out.size):
        out[i] = (odds[i] * coupling_odds[i] + cavity_odds[i]) / (odds[i] + cavity_odds[i] * coupling_odds[i])


@numba.njit(cache=True, error_model="numpy")
def _log_product(x, chunk):
    """½ ln Π_i x_i, one logarithm for every ``chunk`` factors."""
    total = 0.0
    for start in range(0, x.size, chunk):
        product = 1.0
        for i in range(start, min(start + chunk, x.size)):
            product *= x[i]
        total += math.log(product)
    return 0.5 * total


@numba.njit(cache=True, error_model="numpy")
def _sweep(coupling_odds, a, b, chunk, damping, messages, means, work):
    """Update the messages of one network in place, unit by unit; return the largest change of a magnetization.

    ``means`` holds the N + P magnetizations of the sweep before and is overwritten; ``work`` is (3, N).
    """
    n_hidden, n_visible = messages.shape
    visible_odds, pull, change = work[0], work[1], 0.0
    _log_products(messages, a, chunk, visible_odds)
    for i in range(n_visible):
        visible_odds[i] = _odds(visible_odds[i])
    low, high = math.exp(-2.0 * MAX_FIELD), math.exp(2.0 * MAX_FIELD)
    for mu in range(n_hidden):
        _pull(coupling_odds[mu], visible_odds, messages[mu], pull)
        hidden_odds = _odds(b[mu] + _log_product(pull, chunk))
        for i in range(n_visible):
            e, old = coupling_odds[mu, i], messages[mu, i]
            new = (hidden_odds * e + pull[i]) / (hidden_odds + pull[i] * e)
            new = (1.0 - damping) * new + damping * old
            odds = visible_odds[i] * (new / old)
            visible_odds[i] = low if odds < low else (high if odds > high else odds)
            messages[mu, i] = new
        r = (hidden_odds - 1.0) / (hidden_odds + 1.0)
        change = max(change, abs(r - means[n_visible + mu]))
        means[n_visible + mu] = r
    for i in range(n_visible):
        m = (visible_odds[i] - 1.0) / (visible_odds[i] + 1.0)
        change = max(change, abs(m - means[i]))
        means[i] = m
    return change / (1.0 - damping)


@numba.njit(cache=True, error_model="numpy")
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


@numba.njit(cache=True, parallel=True, error_model="numpy")
def _run(coupling_odds, a, fields, chunk, control, messages, means, correlations):
    """Iterate K networks to convergence, each on its own; returns (K, 3): Bethe ln Z, sweeps, residual.

    ``control`` holds damping, tolerance and the largest number of sweeps.
    """
    n_networks, _, n_visible = messages.shape
    out = np.empty((n_networks, 3))
    for k in numba.prange(n_networks):
        damping, residual, before, n_iter = control[0], np.inf, np.inf, 0
        work = np.empty((3, n_visible))
        while residual > control[1] and n_iter < control[2]:
            residual = _sweep(coupling_odds, a, fields[k], chunk, damping, messages[k], means[k], work)
            n_iter += 1
            if n_iter % CHECK_EVERY == 0:
                if residual > 0.5 * before:
                    damping = min(0.5 * (1.0 + damping), MAX_DAMPING)
                before = residual
        out[k, 0] = _bethe(coupling_odds, a, fields[k], chunk, messages[k], work, correlations[k])
        out[k, 1], out[k, 2] = n_iter, residual
    return out


def solve_networks(couplings, visible_fields, hidden_fields, damping, tol, max_iter, messages):
    """`run_cavity` for hidden fields (K, P), without checks and warnings; overwrites the (K, P, N) messages."""
    n_visible = len(couplings)
    chunk = max(1, int(700 / (3 * np.abs(couplings).max() + 1)))
    means = np.zeros((len(hidden_fields), sum(couplings.shape)))
    correlations = np.empty_like(messages)
    control = np.array([damping, tol, max_iter])
    coupling_odds = np.ascontiguousarray(np.exp(2 * couplings.T))
    out = _run(coupling_odds, visible_fields, hidden_fields, chunk, control, messages, means, correlations)
    return CavityState(
        means[:, :n_visible],
        means[:, n_visible:],
        correlations.transpose(0, 2, 1),
        out[:, 0],
        out[:, 1].astype(np.int64),
        out[:, 2],
        out[:, 2] <= tol,
        messages,
    )


NETWORK_ADVICE = "try a larger max_iter, or a smaller beta: the network may have several states"


def warn_unconverged(residual, tol, n_sweeps, advice, stacklevel):
    """The one warning about an iteration that has not converged."""
    text = (
        f"message passing did not converge: residual {residual:.1e} > tol {tol:.1e} after {n_sweeps} sweeps; {advice}"
    )
    warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel)


def run_cavity(couplings, visible_fields, hidden_fields, *, damping=0.0, tol=1e-9, max_iter=1000, messages=None):
    r"""Averages of an RBM by the cavity method (belief propagation on its edges).

    Parameters
    ----------
    couplings : (N, P) array in [-100, 100]
        J, dimensionless.
    visible_fields : (N,) array
        a.
    hidden_fields : (P,) or (K, P) array
        b; with a leading axis, K networks that share couplings and visible fields, solved in parallel.
    damping : float in [0, 0.95]
        Fraction of the old message kept at the start; raised by half the way to 1, up to 0.95, each time 20 sweeps
        have not halved the residual.
    tol : float > 0
        A run has converged when no magnetization changes by more in a sweep (after removal of the damping).
    max_iter : int >= 1
        Largest number of sweeps.
    messages : (P, N) or (K, P, N) array > 0 or None
        ``CavityState.messages`` of an earlier run, for a warm start; None starts without fields from the hidden units.

    Returns
    -------
    CavityState

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Warns
    -----
    ConvergenceWarning
        If a network has not converged after ``max_iter`` sweeps.

    Notes
    -----
    O(N P) a sweep and a network.  Exact on trees (P = 1, or N = 1); elsewhere ln Z is off by O(1/N) for fixed P.
    Where a network without fields has several states, the messages stay in one of them or, started from None,
    in the symmetric one: fix one spin by a large field, and C and ln Z take the mirror images into account
    (as `vmfcore.dual` does).  Magnetizations, correlations and ln Z obey m = ∂lnZ/∂a, r = ∂lnZ/∂b, C = ∂lnZ/∂J.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (7)-(8), there with tanh J ≈ J in the sum over j; Mézard & Montanari, *Information,
    Physics, and Computation* (Oxford, 2009), chapter 14, for the Bethe free energy.
    """
    couplings = checks.array((None, None), couplings=couplings)
    n_visible, n_hidden = couplings.shape
    if np.abs(couplings).max() > MAX_COUPLING:
        raise ValueError(
            f"couplings must be in [-{MAX_COUPLING:g}, {MAX_COUPLING:g}], got {np.abs(couplings).max():g} in size"
        )
    a = checks.array((n_visible,), visible_fields=visible_fields)
    single = np.ndim(hidden_fields) == 1
    b = checks.array((None, n_hidden), hidden_fields=np.atleast_2d(hidden_fields))
    checks.real(0, MAX_DAMPING, closed="both", damping=damping)
    checks.real(0, np.inf, tol=tol)
    checks.integer(1, max_iter=max_iter)
    if messages is None:
        messages = np.ones((len(b), n_hidden, n_visible))
    else:
        shape = (n_hidden, n_visible) if single else (len(b), n_hidden, n_visible)
        messages = checks.array(shape, messages=messages).reshape(len(b), n_hidden, n_visible).copy()
        if messages.min() <= 0:
            raise ValueError(f"messages must be positive odds ratios, got {messages.min()!r}")
    state = solve_networks(couplings, a, b, damping, tol, max_iter, messages)
    if not state.converged.all():
        warn_unconverged(state.residual.max(), tol, max_iter, NETWORK_ADVICE, stacklevel=3)
    return CavityState(*(x[0] for x in state)) if single else state
