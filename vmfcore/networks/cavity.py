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
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.networks.iteration import CHECK_EVERY, Iteration, Stopping, more_damping
from vmfcore.networks.network import Network, Networks, NetworkState, solve
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel

MAX_FIELD = 250.0  # fields beyond it are saturated: tanh(x) is 1 to the last bit from x = 19
MAX_LOG = 700.0  # of a product: exp of it is finite
GRAIN = 2**12  # messages that are worth a thread
LANES = 8  # factors that a loop keeps apart, so that it runs in parallel


@dataclass(frozen=True)
class Cavity(Iteration):
    r"""The cavity method: belief propagation on the edges of the network.

    Parameters
    ----------
    damping : float in [0, 0.95]
        Fraction of the old message kept at the start; raised by half the way to 1, up to 0.95, each time 20 sweeps
        have not halved the residual.
    tol : float > 0 or None
        A run has converged when no magnetization changes by more in a sweep, after removal of the damping.  None: 1e-9;
        in `vmfcore.fit` 1e-7, or 3e-5 in single precision.
    max_iter : int >= 1
        Largest number of sweeps.

    Notes
    -----
    O(N P) a sweep and a network.  Exact on trees (P = 1, or N = 1).  Elsewhere two hidden units feel each other through
    all visible ones at once, with K = Σ_i J_iμ J_iν, of which messages miss a part: of order K²/2 in ln Z, 1/N where
    hidden units are independent.  For P = 2, where all messages vanish, it is ln cosh K + ½ Σ_i ln(1 - x_i²) exactly,
    with x_i = tanh J_i1 tanh J_i2 and K = Σ_i atanh x_i; both terms are of order 1/N for independent units.
    Where a network without fields has several states, the messages stay in one of them or, started from None,
    in the symmetric one: fix one spin by a large field, and C and ln Z take the mirror images into account
    (as `Annealed` does).  Magnetizations, correlations and ln Z obey m = ∂lnZ/∂a, r = ∂lnZ/∂b, C = ∂lnZ/∂J.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (7)-(8), there with tanh J ≈ J in the sum over j; Mézard & Montanari, *Information,
    Physics, and Computation* (Oxford, 2009), chapter 14, for the Bethe free energy.

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> network = vmf.Network(np.full((5, 1), 0.3), np.full(5, 0.1), np.zeros(1))
    >>> state = vmf.Cavity(tol=1e-10).solve(network)
    >>> exact = vmf.Exact().solve(network)
    >>> bool(state.converged), float(abs(state.log_partition - exact.log_partition).round(9))
    (True, 0.0)
    """

    def solve(self, network: Network, start: ArrayLike | None = None) -> NetworkState:
        """Averages of a network.

        Parameters
        ----------
        network : Network
        start : (P, N) or (K, P, N) array > 0 or None
            ``NetworkState.messages`` of an earlier run; None starts without fields from the hidden units.  Those of a
            network with stronger couplings start at the strongest that these can send, exp(±2J).

        Returns
        -------
        NetworkState

        Warns
        -----
        ConvergenceWarning
            If a network has not converged after ``max_iter`` sweeps.
        """
        return solve(self, network, start)

    def first_messages(self, start: ArrayLike | None, networks: Networks, single: bool) -> np.ndarray | None:
        """Return the odds ratios (1, K, P, N) that a user starts from."""
        if start is None:
            return None
        _, n_visible, n_hidden = networks.couplings.shape
        lead = () if single else (networks.shape[1],)
        messages = checks.array((*lead, n_hidden, n_visible), start=start).reshape(1, -1, n_hidden, n_visible)
        if messages.min() <= 0:
            raise ValueError(f"start must hold positive odds ratios, got {messages.min()!r}")
        # beyond it their products overflow, and damping takes long to leave states that are saturated
        strongest = np.exp(2.0 * np.abs(np.swapaxes(networks.couplings, 1, 2)))[:, None]
        return np.clip(messages, 1.0 / strongest, strongest, order="C")

    def averages(self, networks: Networks, weights: np.ndarray | None, start: Any) -> NetworkState:
        """Return averages of networks, correlations with weights (K,) or, for None, of each; overwrites ``start``."""
        state = solve_cavity(*networks, self.damping, self.tol, self.max_iter, start)
        if weights is None:
            return state
        return state._replace(correlations=np.einsum("k,rknp->rnp", weights, state.correlations))


class _Network(NamedTuple):
    """One network, as its kernels want it."""

    coupling_odds: np.ndarray  # (P, N), exp(2J)
    visible_fields: np.ndarray  # (N,), a
    hidden_fields: np.ndarray  # (P,), b
    max_factors: int  # odds ratios that may be multiplied without overflow


class _Work(NamedTuple):
    """What a sweep overwrites, (N,)."""

    visible_odds: np.ndarray  # exp(2 field), by all hidden units
    pull: np.ndarray  # odds of the fields on one hidden unit
    edge: np.ndarray  # weights of the edges of one hidden unit


class _Results(NamedTuple):
    """Of all networks k, overwritten by the solution."""

    messages: np.ndarray  # (R K, P, N)
    visible_means: np.ndarray  # (R K, N)
    hidden_means: np.ndarray  # (R K, P)
    correlations: np.ndarray  # (R K, P, N)
    log_partition: np.ndarray  # (R K,)
    n_iter: np.ndarray  # (R K,)
    residual: np.ndarray  # (R K,)


@kernel
def _log_products(odds, fields, max_factors, out):
    """out_i = fields_i + ½ ln Π_μ odds_μi, one logarithm for every ``max_factors``."""
    n_rows, n_columns = odds.shape
    for i in range(n_columns):
        out[i] = fields[i]
    product = np.empty(n_columns)
    for start in range(0, n_rows, max_factors):
        product[:] = 1.0
        for row in range(start, min(start + max_factors, n_rows)):
            for i in range(n_columns):
                product[i] *= odds[row, i]
        for i in range(n_columns):
            out[i] += 0.5 * math.log(product[i])


@kernel
def _log_product(x, max_factors):
    """½ ln Π_i x_i, one logarithm for every ``max_factors``, of which LANES are multiplied side by side."""
    whole = x.size - x.size % LANES
    n_between = LANES * max(1, max_factors // LANES)
    lanes = np.empty(LANES)
    total = 0.0
    for first in range(0, whole, n_between):
        lanes[:] = 1.0
        for start in range(first, min(first + n_between, whole), LANES):
            part = x[start : start + LANES]
            for k in range(LANES):
                lanes[k] *= part[k]
        # the lanes together, or each alone where that would overflow
        product = 1.0
        for k in range(LANES):
            product *= lanes[k]
            if max_factors < LANES:
                total += math.log(product)
                product = 1.0
        total += math.log(product)
    for i in range(whole, x.size):
        total += math.log(x[i])
    return 0.5 * total


@kernel
def _odds(field):
    """exp(2 field), saturated at MAX_FIELD."""
    return math.exp(2.0 * min(max(field, -MAX_FIELD), MAX_FIELD))


@kernel
def _mean(odds):
    """tanh(field) from exp(2 field)."""
    return (odds - 1.0) / (odds + 1.0)


@kernel
def _log_weight(field):
    """ln 2cosh(field) + field."""
    return max(2.0 * field, 0.0) + math.log1p(math.exp(-2.0 * abs(field)))


@kernel
def _pull(coupling_odds, odds, cavity_odds, out):
    """Odds of the field that spins with cavity odds odds/cavity_odds exert through their couplings."""
    for i in range(out.size):
        out[i] = (odds[i] * coupling_odds[i] + cavity_odds[i]) / (odds[i] + cavity_odds[i] * coupling_odds[i])


@kernel
def _update(coupling_odds, hidden_odds, pull, damping, messages, visible_odds):
    """New messages of one hidden unit to all visible ones, and what these add up to."""
    low = math.exp(-2.0 * MAX_FIELD)
    high = math.exp(2.0 * MAX_FIELD)
    for i in range(messages.size):
        coupling = coupling_odds[i]
        old = messages[i]
        # u = artanh(tanh J tanh χ), where the cavity field χ has odds hidden_odds/pull
        new = (hidden_odds * coupling + pull[i]) / (hidden_odds + pull[i] * coupling)
        new = (1.0 - damping) * new + damping * old
        visible_odds[i] = min(max(visible_odds[i] * (new / old), low), high)
        messages[i] = new


@kernel
def _sweep(network, damping, messages, visible_means, hidden_means, work):
    """Update the messages of one network in place, unit by unit; return the largest change of a magnetization.

    The means are those of the sweep before and are overwritten.
    """
    visible_odds = work.visible_odds
    change = 0.0
    # all fields on the visible units
    _log_products(messages, network.visible_fields, network.max_factors, visible_odds)
    for i in range(visible_odds.size):
        visible_odds[i] = _odds(visible_odds[i])
    # each hidden unit: what it sees, what it says
    for mu in range(len(messages)):
        coupling_odds = network.coupling_odds[mu]
        _pull(coupling_odds, visible_odds, messages[mu], work.pull)
        hidden_odds = _odds(network.hidden_fields[mu] + _log_product(work.pull, network.max_factors))
        _update(coupling_odds, hidden_odds, work.pull, damping, messages[mu], visible_odds)
        r = _mean(hidden_odds)
        change = max(change, abs(r - hidden_means[mu]))
        hidden_means[mu] = r
    for i in range(visible_odds.size):
        m = _mean(visible_odds[i])
        change = max(change, abs(m - visible_means[i]))
        visible_means[i] = m
    return change / (1.0 - damping)


@kernel
def _edges(coupling_odds, hidden_odds, messages, work, correlations):
    """Correlations <σ_i h_μ> of one hidden unit, and in ``work.edge`` the weights of its edges in the Bethe ln Z."""
    visible_odds = work.visible_odds
    pull = work.pull
    for i in range(messages.size):
        coupling = coupling_odds[i]
        root = math.sqrt(coupling)
        # probabilities of ±1 in the absence of the edge
        visible_up = visible_odds[i] / (visible_odds[i] + messages[i])
        visible_down = messages[i] / (visible_odds[i] + messages[i])
        hidden_up = hidden_odds / (hidden_odds + pull[i])
        hidden_down = pull[i] / (hidden_odds + pull[i])
        # weights of equal and opposite spins with it
        equal = (visible_up * hidden_up + visible_down * hidden_down) * coupling
        unequal = visible_up * hidden_down + visible_down * hidden_up
        correlations[i] = (equal - unequal) / (equal + unequal)
        of_hidden = hidden_up / root + hidden_down * root
        of_visible = visible_up / root + visible_down * root
        work.edge[i] = of_hidden * of_visible * root / (equal + unequal)


@kernel
def _bethe(network, messages, work, correlations):
    """Edge correlations (P, N) and Bethe ln Z of one network from its messages."""
    visible_odds = work.visible_odds
    log_z = 0.0
    # visible units
    _log_products(messages, network.visible_fields, network.max_factors, visible_odds)
    for i in range(visible_odds.size):
        field = visible_odds[i]
        log_z += _log_weight(field) - network.visible_fields[i]
        visible_odds[i] = _odds(field)
    # hidden units, and the edges of each
    for mu in range(len(messages)):
        coupling_odds = network.coupling_odds[mu]
        _pull(coupling_odds, visible_odds, messages[mu], work.pull)
        field = network.hidden_fields[mu] + _log_product(work.pull, network.max_factors)
        log_z += _log_weight(field) - network.hidden_fields[mu]
        _edges(coupling_odds, _odds(field), messages[mu], work, correlations[mu])
        log_z += 2.0 * _log_product(work.edge, network.max_factors)
    return log_z


@kernel
def _solve(k, network, stopping, results):
    """Iterate network k to convergence."""
    n_visible = network.visible_fields.size
    work = _Work(np.empty(n_visible), np.empty(n_visible), np.empty(n_visible))
    messages = results.messages[k]
    visible_means = results.visible_means[k]
    hidden_means = results.hidden_means[k]
    damping = stopping.damping
    residual = np.inf
    before = np.inf
    n_iter = 0
    while residual > stopping.tol and n_iter < stopping.max_iter:
        residual = _sweep(network, damping, messages, visible_means, hidden_means, work)
        n_iter += 1
        if n_iter % CHECK_EVERY == 0:
            damping = more_damping(damping, residual, before)
            before = residual
    results.log_partition[k] = _bethe(network, messages, work, results.correlations[k])
    results.n_iter[k] = n_iter
    results.residual[k] = residual


@parallel_kernel
def _run(coupling_odds, visible_fields, hidden_fields, max_factors, stopping, results):
    """Solve all networks, each on its own: R couplings and rows of ``visible_fields``, each for K networks in a row."""
    n_networks = len(hidden_fields)
    for k in numba.prange(n_networks):
        replica = k * len(coupling_odds) // n_networks
        network = _Network(coupling_odds[replica], visible_fields[replica], hidden_fields[k], max_factors)
        _solve(np.int64(k), network, stopping, results)


def solve_cavity(couplings, visible_fields, hidden_fields, damping, tol, max_iter, messages=None):
    """`NetworkState` by the cavity method: couplings (R, N, P), fields (R, N) and (R, K, P), without checks.

    Overwrites the (R, K, P, N) messages; everything in the state has leading axes R, K.
    """
    _, n_visible, n_hidden = couplings.shape
    lead = hidden_fields.shape[:2]
    n_networks = math.prod(lead)
    if messages is None:
        messages = np.ones((*lead, n_hidden, n_visible))
    coupling_odds = np.exp(2.0 * np.ascontiguousarray(np.swapaxes(couplings, 1, 2), dtype=np.float64))
    a = np.ascontiguousarray(visible_fields, dtype=np.float64)
    b = np.ascontiguousarray(hidden_fields.reshape(n_networks, n_hidden), dtype=np.float64)
    # an odds ratio is at most exp(2|J|), the weight of an edge at most exp(3|J| + 1)
    max_factors = max(1, int(MAX_LOG / (3 * np.abs(couplings).max() + 1)))
    results = _Results(
        messages=messages.reshape(n_networks, n_hidden, n_visible),
        visible_means=np.zeros((n_networks, n_visible)),
        hidden_means=np.zeros((n_networks, n_hidden)),
        correlations=np.empty((n_networks, n_hidden, n_visible)),
        log_partition=np.empty(n_networks),
        n_iter=np.empty(n_networks, np.int64),
        residual=np.empty(n_networks),
    )
    stopping = Stopping(float(damping), float(tol), int(max_iter))
    with numba_threads(n_networks, messages.size / GRAIN):
        _run(coupling_odds, a, b, max_factors, stopping, results)
    residual = results.residual.reshape(lead)
    return NetworkState(
        visible_means=results.visible_means.reshape(*lead, n_visible),
        hidden_means=results.hidden_means.reshape(*lead, n_hidden),
        correlations=np.swapaxes(results.correlations.reshape(messages.shape), -1, -2),
        log_partition=results.log_partition.reshape(lead),
        n_iter=results.n_iter.reshape(lead),
        residual=residual,
        converged=residual <= tol,
        messages=messages,
    )
