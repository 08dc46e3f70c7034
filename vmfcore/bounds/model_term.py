r"""The model term <ln Z(ξ)>_Q: two dual networks whose couplings are set by the means of the synapses.

Each replaces the average of ln Z over the binary synapses by ordinary RBMs with couplings of order β λ/√N, which
message passing, sampling or, for few hidden units, exact sums solve.  Both return <ln Z>_Q of *one* sample and its
derivatives.  beta is a number, or (R, P) of each hidden unit; fields are (R, N) and (R, P), or None: none.
"""

import functools
from typing import NamedTuple

import numpy as np
import scipy

from vmfcore.bounds.synapses import Slopes, annealed_gradient, dual_couplings
from vmfcore.networks.cavity import solve_cavity
from vmfcore.networks.chains import Annealing, sample_chains, start_chains
from vmfcore.networks.exact import run_exact
from vmfcore.networks.network import FEW_CHAINS
from vmfcore.networks.tap import correlations, solve_tap
from vmfcore.numerics.spins import gauss_hermite, log2cosh

MODEL_TERMS = ("annealed", "quenched")
SOLVERS = ("cavity", "tap", "exact")
EXPECTATIONS = (*SOLVERS, "gibbs")
PINNED = 30.0  # a field that leaves a spin 1e-26 of freedom
SMALL_WIDTH = 0.03  # of Ξ: the error of the sum over z enters E z r/Ξ divided by Ξ


class WarmStart(NamedTuple):
    """What the next call with the same shapes may start from; its messages are overwritten there."""

    # (R, K, P, N) of `solve_cavity`; m (R, K, N), r (R, K, P) of `solve_tap`; `Chains`
    messages: np.ndarray | tuple | None = None
    pinned: np.ndarray | None = None  # (R,), hidden unit of the annealed network


COLD = WarmStart()


class ModelTerm(NamedTuple):
    """<ln Z>_Q per sample, its derivatives, and how message passing went.

    The numbers have the leading axis R of the means, if they have it.
    """

    value: np.ndarray  # nan where persistent chains went on
    gradient: np.ndarray  # (N, P), with respect to the means
    slopes: Slopes
    warm_start: WarmStart
    n_iter: np.ndarray  # sweeps of the slowest network
    residual: np.ndarray  # of sampling: the standard error of ln Z where it was estimated, else 0
    converged: np.ndarray  # of sampling: no estimate rests on fewer than three chains


class _Solved(NamedTuple):
    """What the model terms need of K networks in each of R replicas."""

    log_partition: np.ndarray  # (R, K)
    visible_means: np.ndarray  # (R, K, N)
    hidden_means: np.ndarray  # (R, K, P)
    correlations: np.ndarray  # (R, N, P), averaged over the networks
    messages: np.ndarray | tuple | None
    n_iter: np.ndarray  # (R, K), as the next two
    residual: np.ndarray
    converged: np.ndarray


def _solve(couplings, visible_fields, hidden_fields, weights, expectation, messages, tol, max_iter):
    """State of K networks of weights (K,) in each of R replicas: couplings (R, N, P), fields (R, N) and (R, K, P)."""
    lead = hidden_fields.shape[:2]
    if expectation == "exact":
        states = [run_exact(*network) for network in zip(couplings, visible_fields, hidden_fields, strict=True)]
        averaged = np.stack([np.tensordot(weights, state.correlations, axes=1) for state in states])
        m, r, _, log_z = (np.stack(averages) for averages in zip(*states, strict=True))
        return _Solved(log_z, m, r, averaged, None, np.zeros(lead, np.int64), np.zeros(lead), np.ones(lead, bool))
    if expectation == "gibbs":
        network, log_z, error = (couplings, visible_fields, hidden_fields[:, 0]), np.full(lead, np.nan), np.zeros(lead)
        enough, one = np.ones(lead, bool), np.ones(lead, np.int64)
        if isinstance(messages, Annealing):
            messages, estimates = start_chains(*network, messages)
            log_z[:, 0], error[:, 0], effective = np.transpose(estimates)
            enough[:, 0] = effective >= FEW_CHAINS
        m, r, averaged, messages = sample_chains(*network, messages)
        return _Solved(log_z, m[:, None], r[:, None], averaged, messages, one, error, enough)
    if expectation == "tap":
        state = solve_tap(couplings, visible_fields, hidden_fields, 0.0, tol, max_iter, messages)
        averaged = correlations(couplings, state.visible_means, state.hidden_means, weights)
    else:
        state = solve_cavity(couplings, visible_fields, hidden_fields, 0.0, tol, max_iter, messages)
        averaged = np.einsum("k,rknp->rnp", weights, state.correlations)
    return _Solved(state.log_partition, *state[:2], averaged, state.messages, *state[4:7])


def _model_term(value, gradient, slopes, solved, means, pinned=None):
    """ModelTerm of solved dual networks, in the shape and precision of the means."""
    lead = means.shape[:-2]
    numbers = (x.reshape(lead) for x in (solved.n_iter.max(1), solved.residual.max(1), solved.converged.all(1)))
    gradient = gradient.astype(means.dtype, copy=False).reshape(means.shape)
    slopes = Slopes(*(x.astype(np.float64, copy=False).reshape(*lead, -1) for x in slopes))
    return ModelTerm(np.reshape(value, lead), gradient, slopes, WarmStart(solved.messages, pinned), *numbers)


def _replicas(means, beta, visible_fields, hidden_fields):
    """Means (R, N, P), beta (R, P) and fields (R, N), (R, P) as float64, from what may lack R or be None."""
    n_visible, n_hidden = means.shape[-2:]
    replicas = means.reshape(-1, n_visible, n_hidden)
    beta, a, b = (
        np.full((*means.shape[:-2], n), 0.0 if x is None else x, np.float64).reshape(-1, n)
        for x, n in ((beta, n_hidden), (visible_fields, n_visible), (hidden_fields, n_hidden))
    )
    return replicas, beta, a, b


def _most_coupled(couplings, norms, previous):
    """The hidden unit most strongly coupled to all; the previous one while it is not weak, so that it stays."""
    stays = np.zeros(len(norms), bool)
    if previous is not None:
        stays = norms[np.arange(len(norms)), previous] > 0.5 * norms.max(axis=1)
        if stays.all():
            return previous
    strongest = np.abs(np.swapaxes(couplings, 1, 2) @ couplings).sum(axis=1).argmax(axis=1)
    return np.where(stays, strongest if previous is None else previous, strongest)


def annealed(
    means,
    beta,
    visible_fields=None,
    hidden_fields=None,
    *,
    expectation="cavity",
    warm_start=COLD,
    tol=1e-9,
    max_iter=1000,
    annealing=None,
):
    r"""Upper limit ln <Z>_Q >= <ln Z>_Q, which is the ln Z of one network with tanh J_iμ = λ_iμ tanh(β_μ/√N).

    .. math::
        \ln\langle Z\rangle_Q = N \sum_\mu \ln\cosh\tfrac{\beta_\mu}{\sqrt N}
            + \tfrac12\sum_{i\mu}\ln(1-\lambda_{i\mu}^2t_\mu^2) + \ln Z_\mathrm{RBM}(J, a, b),
        \qquad t_\mu = \tanh\tfrac{\beta_\mu}{\sqrt N}

    Parameters
    ----------
    means : (N, P) or (R, N, P) array in [-1, 1], float64 or float32
        A leading axis R of replicas is kept in the result.
    beta, visible_fields, hidden_fields
        β > 0, a and b, as the head of this file says.
    expectation : "cavity", "tap", "exact" or "gibbs"
        gibbs: averages over persistent chains after one more sweep, and no value: nan.  A cold start anneals them
        from independent pixels, which estimates the value, too.
    warm_start : WarmStart
        Of an earlier call with the same shapes.
    tol, max_iter : float, int
        Of `run_cavity`.
    annealing : Annealing
        Of the cold start of chains.

    Returns
    -------
    ModelTerm

    Notes
    -----
    Jensen's inequality makes the bound built on it a bound; equality holds for P = 1.  Without fields every state of
    the dual network has a mirror image: the hidden unit most strongly coupled to the others is then pinned to +1
    by a field and the factor 2 restored.  That is exact, keeps message passing out of the symmetric point where it
    is unstable, and removes the loops of one hidden unit (cavity is then exact for P = 2).  Between two others of
    overlap R = Σ_i λ_iμ λ_iν/N, message passing misses a term of order β⁴R²/2 as long as it finds no magnetization:
    with it, student units that duplicate each other are hardly punished, and the value need not be an upper limit:
    three equal columns of |λ| = 0.6 at N = 32, β = 1 give 0.029 too little.  Prefer exact sums for few hidden units.

    References
    ----------
    Jensen's step and the gradient are derived in this project; <ln Z>_Q is that of Huang, arXiv:1911.07662.
    """
    replicas, beta, a, b = _replicas(means, beta, visible_fields, hidden_fields)
    n_visible = means.shape[-2]
    scales = beta / np.sqrt(n_visible)
    t = np.tanh(scales)
    # all synapses in the order (R, P, N), in which the matrix products want them
    columns = np.ascontiguousarray(np.swapaxes(replicas, 1, 2))
    couplings, inverse_slack, log_slack, norms = dual_couplings(columns, scales)
    couplings = np.swapaxes(couplings, 1, 2)
    log_z, pinned = 0.0, None
    if expectation in ("cavity", "tap") and visible_fields is None and hidden_fields is None:
        pinned = _most_coupled(couplings, norms, warm_start.pinned)
        b[np.arange(len(b)), pinned], log_z = PINNED, np.log(2.0) - PINNED
    messages = annealing if warm_start.messages is None else warm_start.messages
    solved = _solve(couplings, a, b[:, None], np.ones(1), expectation, messages, tol, max_iter)
    log_z += solved.log_partition[:, 0]
    value = n_visible * (log2cosh(scales) - np.log(2.0)).sum(axis=1) + 0.5 * log_slack + log_z
    gradient, products = annealed_gradient(columns, t, inverse_slack, solved.correlations)
    # Σ_i β d/dβ of ln(cosh s + λ sinh s σh) = s/t [t² + (1 - t²) λ d/dλ]
    of_beta = scales / t * (n_visible * t**2 + (1 - t**2) * products)
    slopes = Slopes(of_beta, solved.visible_means[:, 0], solved.hidden_means[:, 0])
    return _model_term(value, gradient, slopes, solved, means, pinned)


@functools.lru_cache(maxsize=32)
def hidden_field_points(n_hidden, n_points):
    """Points (K, P) and weights (K,) of averages over z ~ Normal(0, 1)^P of functions with f(-z) = f(z).

    One or two hidden units: the half with z_1 > 0 of a product of Gauss-Hermite rules with an even number of nodes,
    2 to 256 a direction; K is the largest such number up to ``n_points``.
    More: n_points scrambled Sobol' points with a fixed seed, whitened so that E z zᵀ = 1 without error where there
    are enough of them (n_points >= 2P).
    """
    if n_hidden <= 2:
        n = 2 * n_points if n_hidden == 1 else int(np.sqrt(2 * n_points)) // 2 * 2
        nodes, weights = gauss_hermite(min(max(n, 2), 256))
        points = np.stack(np.meshgrid(*[nodes] * n_hidden, indexing="ij"), axis=-1).reshape(-1, n_hidden)
        products = functools.reduce(np.multiply.outer, [weights] * n_hidden).ravel()
        half = points[:, 0] > 0
        return points[half], 2 * products[half]
    points = scipy.special.ndtri(
        scipy.stats.qmc.Sobol(n_hidden, scramble=True, rng=np.random.default_rng(0)).random(n_points)
    )
    if n_points >= 2 * n_hidden:
        root = np.linalg.cholesky(points.T @ points / n_points)
        points = np.linalg.solve(root, points.T).T.copy()
    return points, np.full(n_points, 1.0 / n_points)


def quenched(
    means,
    beta,
    visible_fields=None,
    hidden_fields=None,
    *,
    expectation="cavity",
    n_points=64,
    warm_start=COLD,
    tol=1e-9,
    max_iter=1000,
):
    r"""The paper's estimate E_z ln Z(J = βλ/√N, a, b_μ + β_μ Ξ_μ z_μ), with Ξ_μ² = Σ_i (1 - λ_iμ²)/N.

    Parameters
    ----------
    means, beta, visible_fields, hidden_fields, warm_start, tol, max_iter
        As in `annealed`.
    expectation : "cavity", "tap" or "exact"
    n_points : int >= 1, a power of two for P > 2
        Fields z at which the dual network is solved.  The same at every call, so that the estimate is a smooth
        function of the means.  Without fields f(-z) = f(z) doubles their number for free; with them both are solved.

    Returns
    -------
    ModelTerm
        The gradient is the derivative of the sum over the chosen points; for a hidden unit with Ξ < 0.03 it is
        that of the average, E z r/Ξ = β E (1 - r²) by Stein's lemma, which has no pole where Ξ vanishes.

    Notes
    -----
    For N → ∞ it lies below <ln Z>_Q by an amount of order 1 (0.16 nats a sample at β = 1, |λ| = 0.5, P = 2), so that
    the objective built on it is *not* a bound.  For small N and nearly decided synapses it may lie above, too: by 0.115
    for two equal columns at N = 8, |λ| = 0.9, β = 2.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (5)-(8).
    """
    replicas, beta, a, b = _replicas(means, beta, visible_fields, hidden_fields)
    n_visible, n_hidden = means.shape[-2:]
    dtype = means.dtype.type
    scales = (beta / np.sqrt(n_visible)).astype(dtype)[:, None]
    z, weights = hidden_field_points(n_hidden, n_points)
    if visible_fields is not None or hidden_fields is not None:
        z, weights = np.concatenate([z, -z]), np.concatenate([weights, weights]) / 2
    width = np.sqrt(np.mean(1.0 - replicas**2, axis=1, dtype=np.float64))
    fields = b[:, None] + (beta * width)[:, None] * z
    solved = _solve(scales * replicas, a, fields, weights, expectation, warm_start.messages, tol, max_iter)
    r = solved.hidden_means
    limit = beta * np.einsum("k,rkp->rp", weights, 1.0 - r**2)
    of_width = np.einsum("k,kp,rkp->rp", weights, z, r)
    ratio = np.where(width > SMALL_WIDTH, of_width / np.maximum(width, SMALL_WIDTH), limit)
    ratio = (scales / np.sqrt(n_visible) * ratio[:, None]).astype(dtype)
    gradient = scales * solved.correlations - replicas * ratio
    of_beta = np.vecdot(scales * replicas, solved.correlations, axis=1) + beta * width * of_width
    averages = np.einsum("k,rkn->rn", weights, solved.visible_means), np.einsum("k,rkp->rp", weights, r)
    return _model_term(solved.log_partition @ weights, gradient, Slopes(of_beta, *averages), solved, means)
