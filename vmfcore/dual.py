r"""The model term <ln Z(ξ)>_Q: two dual networks whose couplings are set by the means of the synapses.

Each replaces the average of ln Z over the binary synapses by ordinary RBMs with couplings of order β λ/√N, which
message passing or, for few hidden units, exact sums solve.  Both return <ln Z>_Q of *one* sample and its gradient.
"""

import functools
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from vmfcore.cavity import solve_networks
from vmfcore.exact import ExactState, run_exact
from vmfcore.spins import gauss_hermite, log2cosh

MODEL_TERMS = ("annealed", "quenched")
EXPECTATIONS = ("cavity", "exact")
PINNED = 30.0  # a field that leaves a spin 1e-26 of freedom
SMALL_WIDTH = 0.03  # of Ξ: the error of the sum over z enters E z r/Ξ divided by Ξ


class WarmStart(NamedTuple):
    """What the next call with the same shapes may start from; its messages are overwritten there."""

    messages: np.ndarray | None = None  # (K, P, N) of `run_cavity`
    pinned: int | None = None  # hidden unit of the annealed network


COLD = WarmStart()


class ModelTerm(NamedTuple):
    """<ln Z>_Q per sample, its derivatives with respect to the means, and how message passing went."""

    value: float
    gradient: np.ndarray  # (N, P)
    warm_start: WarmStart
    n_iter: int  # sweeps of the slowest network
    residual: float
    converged: bool


def _solve(couplings, hidden_fields, expectation, messages, tol, max_iter):
    """Exact or cavity state of K networks that share couplings and have no visible fields."""
    visible_fields = np.zeros(len(couplings))
    if expectation == "exact":
        return run_exact(couplings, visible_fields, hidden_fields)
    messages = np.ones(hidden_fields.shape + visible_fields.shape) if messages is None else messages
    return solve_networks(couplings, visible_fields, hidden_fields, 0.0, tol, max_iter, messages)


def _model_term(value, gradient, state, pinned=None):
    """ModelTerm of a solved dual network; exact sums always converge and keep nothing."""
    if isinstance(state, ExactState):
        return ModelTerm(float(value), gradient, WarmStart(), 0, 0.0, True)
    warm_start, residual = WarmStart(state.messages, pinned), float(state.residual.max())
    return ModelTerm(float(value), gradient, warm_start, int(state.n_iter.max()), residual, bool(state.converged.all()))


def _most_coupled(couplings, previous):
    """The hidden unit most strongly coupled to all; the previous one while it is half as strong, so that it stays."""
    strength = np.abs(couplings.T @ couplings).sum(axis=0)
    if previous is not None and strength[previous] > 0.5 * strength.max():
        return previous
    return int(strength.argmax())


def annealed(means, beta, *, expectation="cavity", warm_start=COLD, tol=1e-9, max_iter=1000):
    r"""Upper limit ln <Z>_Q >= <ln Z>_Q, which is the ln Z of one network with tanh J_iμ = λ_iμ tanh(β/√N).

    .. math::
        \ln\langle Z\rangle_Q = NP \ln\cosh\tfrac{\beta}{\sqrt N}
            + \tfrac12\sum_{i\mu}\ln(1-\lambda_{i\mu}^2t^2) + \ln Z_\mathrm{RBM}(J),
        \qquad t = \tanh\tfrac{\beta}{\sqrt N}

    Parameters
    ----------
    means : (N, P) float64 in [-1, 1]
    beta : float > 0
    expectation : "cavity" or "exact"
    warm_start : WarmStart
        Of an earlier call with the same shapes.
    tol, max_iter : float, int
        Of `run_cavity`.

    Returns
    -------
    ModelTerm

    Notes
    -----
    Jensen's inequality makes the bound built on it a bound; equality holds for P = 1.  The dual network has no
    fields, so every state has a mirror image: the hidden unit most strongly coupled to the others is pinned to +1
    by a field and the factor 2 restored.  That is exact, keeps message passing out of the symmetric point where it
    is unstable, and removes the loops of one hidden unit (cavity is then exact for P = 2).  Between two others of
    overlap R = Σ_i λ_iμ λ_iν/N, message passing misses a term of order β⁴R²/2 as long as it finds no magnetization:
    with it, student units that duplicate each other are hardly punished, and the value need not be an upper limit:
    three equal columns of |λ| = 0.6 at N = 32, β = 1 give 0.029 too little.  Prefer exact sums for few hidden units.

    References
    ----------
    Jensen's step and the gradient are derived in this project; <ln Z>_Q is that of Huang, arXiv:1911.07662.
    """
    n_visible, n_hidden = means.shape
    scale = beta / np.sqrt(n_visible)
    t, edge = np.tanh(scale), np.exp(-2 * scale)
    plus, minus = (1 + means) + (1 - means) * edge, (1 - means) + (1 + means) * edge  # (1 +- λt)(1 + edge)
    couplings = 0.5 * np.log(plus / minus)
    fields, log_z, pinned = np.zeros((1, n_hidden)), 0.0, None
    if expectation == "cavity":
        pinned = _most_coupled(couplings, warm_start.pinned)
        fields[0, pinned], log_z = PINNED, np.log(2.0) - PINNED
    state = _solve(couplings, fields, expectation, warm_start.messages, tol, max_iter)
    log_z += state.log_partition[0]
    slack = plus * minus / (1 + edge) ** 2
    value = means.size * (log2cosh(scale) - np.log(2.0)) + 0.5 * np.log(slack).sum() + log_z
    gradient = t * (state.correlations[0] - means * t) / slack
    return _model_term(value, gradient, state, pinned)


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
    from scipy.stats import qmc  # slow to import, needed only here

    points = ndtri(qmc.Sobol(n_hidden, scramble=True, rng=np.random.default_rng(0)).random(n_points))
    if n_points >= 2 * n_hidden:
        root = np.linalg.cholesky(points.T @ points / n_points)
        points = np.linalg.solve(root, points.T).T.copy()
    return points, np.full(n_points, 1.0 / n_points)


def quenched(means, beta, *, expectation="cavity", n_points=64, warm_start=COLD, tol=1e-9, max_iter=1000):
    r"""The paper's estimate E_z ln Z(J = βλ/√N, b_μ = β Ξ_μ z_μ), with Ξ_μ² = Σ_i (1 - λ_iμ²)/N.

    Parameters
    ----------
    means, beta, expectation, warm_start, tol, max_iter
        As in `annealed`.
    n_points : int >= 1, a power of two for P > 2
        Fields z at which the dual network is solved.  The same at every call, so that the estimate is a smooth
        function of the means; f(-z) = f(z) doubles their number for free.

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
    n_visible, n_hidden = means.shape
    scale = beta / np.sqrt(n_visible)
    z, weights = hidden_field_points(n_hidden, n_points)
    width = np.sqrt(np.mean(1.0 - means**2, axis=0))
    state = _solve(scale * means, beta * width * z, expectation, warm_start.messages, tol, max_iter)
    r = state.hidden_means
    limit = beta * (weights @ (1.0 - r**2))
    ratio = np.where(width > SMALL_WIDTH, weights @ (z * r) / np.maximum(width, SMALL_WIDTH), limit)
    correlations = np.tensordot(weights, state.correlations, axes=1)
    gradient = scale * (correlations - means / np.sqrt(n_visible) * ratio)
    return _model_term(weights @ state.log_partition, gradient, state)
