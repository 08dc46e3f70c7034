r"""The model term <ln Z(ξ)>_Q: two dual networks whose couplings are set by the means of the synapses.

Each replaces the average of ln Z over the binary synapses by ordinary RBMs with couplings of order β λ/√N, which
message passing, sampling or, for few hidden units, exact sums solve.  Both are values that hold their solver, and
return <ln Z>_Q of *one* sample and its derivatives.
"""

import functools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import DTypeLike

from vmfcore import checks
from vmfcore.bounds.beliefs import Posterior
from vmfcore.bounds.gradient import Response
from vmfcore.bounds.synapses import Slopes, dual_couplings
from vmfcore.networks import Cavity, Exact, Solver, Tap
from vmfcore.networks.network import Networks
from vmfcore.numerics.spins import gauss_hermite, log2cosh

MAX_AUTO_EXACT = 10  # hidden units up to which exact sums are quicker than the data term
MIN_AUTO_TAP = 20_000  # synapses from which on the cavity method would take longer than the data term
PINNED = 30.0  # a field that leaves a spin 1e-26 of freedom
SMALL_WIDTH = 0.03  # of Ξ: the error of the sum over z enters E z r/Ξ divided by Ξ


class WarmStart(NamedTuple):
    """What the next call with the same shapes may start from; its messages are overwritten there."""

    messages: np.ndarray | tuple | None = None  # of the solver: its `cold_start`, or those of the call before
    pinned: np.ndarray | None = None  # (R,), hidden unit of the annealed network


COLD = WarmStart()


class ModelTerm(NamedTuple):
    """<ln Z>_Q per sample of R replicas, its derivatives, and how the solver fared."""

    value: np.ndarray  # (R,); nan where it was not asked for, or where persistent chains went on
    response: Response  # the derivative with respect to the means
    slopes: Slopes
    warm_start: WarmStart
    n_iter: np.ndarray  # (R,), sweeps of the slowest network
    residual: np.ndarray  # (R,); of chains the standard error of ln Z where it was estimated, else 0
    converged: np.ndarray  # (R,); of chains: no estimate rests on fewer than three of them

    @property
    def gradient(self):
        """The derivative with respect to the means, (R, N, P), in their precision."""
        return self.response.dense()


def solver_for_size(n_visible, n_hidden):
    """The solver where none is given: exact sums of few hidden units, else the quicker message passing."""
    if n_hidden <= MAX_AUTO_EXACT:
        return Exact()
    return Cavity() if n_visible * n_hidden < MIN_AUTO_TAP else Tap()


def _with_solver(term, n_visible, n_hidden, tol, dtype):
    """The model term with a solver that is chosen and has its tolerance, if it can solve networks of this size."""
    solver = solver_for_size(n_visible, n_hidden) if term.solver is None else term.solver
    solver.check_size(n_hidden)
    return replace(term, solver=solver.with_tol(tol, dtype))


def _model_term(value, response, slopes, averages, pinned=None):
    """ModelTerm of solved dual networks."""
    slopes = Slopes(*(slope.astype(np.float64, copy=False) for slope in slopes))
    warm_start = WarmStart(averages.messages, pinned)
    n_iter, residual = averages.n_iter.max(axis=1), averages.residual.max(axis=1)
    return ModelTerm(value, response, slopes, warm_start, n_iter, residual, averages.converged.all(axis=1))


@dataclass(frozen=True)
class Annealed:
    r"""Upper limit ln <Z>_Q >= <ln Z>_Q, which is the ln Z of one network with tanh J_iμ = λ_iμ tanh(β_μ/√N).

    .. math::
        \ln\langle Z\rangle_Q = N \sum_\mu \ln\cosh\tfrac{\beta_\mu}{\sqrt N}
            + \tfrac12\sum_{i\mu}\ln(1-\lambda_{i\mu}^2t_\mu^2) + \ln Z_\mathrm{RBM}(J, a, b),
        \qquad t_\mu = \tanh\tfrac{\beta_\mu}{\sqrt N}

    Parameters
    ----------
    solver : Exact, Cavity, Tap, Gibbs or None
        Of that network.  None: exact sums up to ten hidden units, the cavity method below 20,000 synapses, TAP from
        there on; the result tells which.

    Notes
    -----
    Jensen's inequality makes the bound built on it a bound; equality holds for P = 1.  Without fields every state of
    the dual network has a mirror image: the hidden unit most strongly coupled to the others is then pinned to +1
    by a field and the factor 2 restored.  That is exact, keeps message passing out of the symmetric point where it
    is unstable, and removes the loops of one hidden unit (cavity is then exact for P = 2).  Between two others of
    overlap R = Σ_i λ_iμ λ_iν/N, message passing misses β⁴(R² - Σ_i λ_iμ²λ_iν²/N²)/2 to leading order, as long as it
    finds no magnetization: with it, student units that duplicate each other are hardly punished, and the value need
    not be an upper limit:
    three equal columns of |λ| = 0.6 at N = 32, β = 1 give 0.029 too little.  Prefer exact sums for few hidden units.

    References
    ----------
    Jensen's step and the gradient are derived in this project; <ln Z>_Q is that of Huang, arXiv:1911.07662.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.Annealed(vmf.Tap(max_iter=50))
    Annealed(solver=Tap(damping=0.0, tol=None, max_iter=50))
    """

    solver: Solver | None = None

    def __post_init__(self):
        if self.solver is not None:
            checks.instance(Solver, solver=self.solver)

    def for_size(self, n_visible: int, n_hidden: int, tol: float, dtype: DTypeLike = np.float64) -> "Annealed":
        """The term with the solver that it takes for so many units, and this tolerance where that has none."""
        return _with_solver(self, n_visible, n_hidden, tol, dtype)

    def evaluate(self, q: Posterior, warm_start: WarmStart = COLD, with_value: bool = True) -> ModelTerm:
        """<ln Z>_Q a sample and its derivatives; without the value where it is not asked for."""
        n_visible = q.means.shape[1]
        scales = q.scales
        t = np.tanh(scales)
        couplings, log_slack = dual_couplings(q.means, scales, with_value)
        # message passing sees one state of the network: of two that mirror each other, one is chosen
        visible_fields, hidden_fields = q.fields
        assert self.solver is not None, "for_size chooses one"
        of_the_mirror, pinned = 0.0, None
        if self.solver.has_one_state and not q.has_fields:
            pinned = _most_coupled(couplings, warm_start.pinned)
            hidden_fields[np.arange(len(pinned)), pinned] = PINNED
            of_the_mirror = np.log(2.0) - PINNED
        networks = Networks(couplings, visible_fields, hidden_fields[:, None])
        averages = self.solver.averages(networks, np.ones(1), warm_start.messages)
        # the value, and the chain rule from J to λ and β
        log_z = of_the_mirror + averages.log_partition[:, 0]
        value = n_visible * (log2cosh(scales) - np.log(2.0)).sum(axis=1) + 0.5 * log_slack + log_z
        correlations = np.ascontiguousarray(averages.correlations, q.means.dtype)
        response = Response(q.means, correlations, t, -(t**2), np.exp(-2 * scales))
        # Σ_i β d/dβ of ln(cosh s + λ sinh s σh) = s/t [t² + (1 - t²) λ d/dλ]
        of_beta = scales / t * (n_visible * t**2 + (1 - t**2) * response.products())
        slopes = Slopes(of_beta, averages.visible_means[:, 0], averages.hidden_means[:, 0])
        return _model_term(value, response, slopes, averages, pinned)


def _most_coupled(couplings, previous):
    """The hidden unit most strongly coupled to all; the previous one while it is not weak, so that it stays."""
    norms = np.sqrt(np.einsum("rnp,rnp->rp", couplings, couplings))
    stays = np.zeros(len(norms), bool)
    if previous is not None:
        stays = norms[np.arange(len(norms)), previous] > 0.5 * norms.max(axis=1)
        if stays.all():
            return previous
    strongest = np.abs(np.swapaxes(couplings, 1, 2) @ couplings).sum(axis=1).argmax(axis=1)
    return np.where(stays, strongest if previous is None else previous, strongest)


@dataclass(frozen=True)
class Quenched:
    r"""The paper's estimate E_z ln Z(J = βλ/√N, a, b_μ + β_μ Ξ_μ z_μ), with Ξ_μ² = Σ_i (1 - λ_iμ²)/N.

    Parameters
    ----------
    solver : Exact, Cavity, Tap or None
        Of the networks; None: by size, as in `Annealed`.
    n_points : int >= 1, a power of two for P > 2
        Fields z at which the dual network is solved, the same at every call, so that the estimate is a smooth function
        of the means: for P <= 2 the largest Gauss-Hermite grid of up to so many and 256 a direction, above Sobol'
        points.  Without fields f(-z) = f(z) doubles their number for free; with them both are solved.

    Notes
    -----
    For N → ∞ it lies below <ln Z>_Q by an amount of order 1 (0.16 nats a sample at β = 1, |λ| = 0.5, P = 2), so that
    the objective built on it is *not* a bound.  For small N and nearly decided synapses it may lie above, too: by 0.115
    for two equal columns at N = 8, |λ| = 0.9, β = 2.  Below 2P points are too few to be whitened, and the term is noisy
    (by 4 nats a sample for P = 64 hidden units, trained on digits, and 16 points).
    The gradient is the derivative of the sum over the chosen points; for a hidden unit with Ξ < 0.03 it is that of the
    average, E z r/Ξ = β E (1 - r²) by Stein's lemma, which has no pole where Ξ vanishes.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (5)-(8).
    """

    solver: Exact | Cavity | Tap | None = None
    n_points: int = 64

    def __post_init__(self):
        if self.solver is not None:
            checks.instance(Exact | Cavity | Tap, solver=self.solver)
        checks.keep(self, n_points=checks.integer(1, n_points=self.n_points))

    def for_size(self, n_visible: int, n_hidden: int, tol: float, dtype: DTypeLike = np.float64) -> "Quenched":
        """The term with the solver that it takes for so many units, and this tolerance where that has none."""
        if n_hidden > 2:
            checks.power_of_two(n_points=self.n_points)
        return _with_solver(self, n_visible, n_hidden, tol, dtype)

    def evaluate(self, q: Posterior, warm_start: WarmStart = COLD, with_value: bool = True) -> ModelTerm:
        """E_z ln Z a sample and its derivatives, always with the value, which costs nothing beside them."""
        means, dtype = q.means, q.means.dtype.type
        n_visible, n_hidden = means.shape[1:]
        visible_fields, hidden_fields = q.fields
        z, weights = hidden_field_points(n_hidden, self.n_points)
        if q.has_fields:
            z, weights = np.concatenate([z, -z]), np.concatenate([weights, weights]) / 2
        assert self.solver is not None, "for_size chooses one"
        # one network for each z: what λ leaves open acts as a random field on the hidden units
        scales = q.scales.astype(dtype)[:, None]
        couplings = scales * means
        width = np.sqrt(np.mean(1.0 - means**2, axis=1, dtype=np.float64))
        fields = hidden_fields[:, None] + (q.beta * width)[:, None] * z
        averages = self.solver.averages(Networks(couplings, visible_fields, fields), weights, warm_start.messages)
        # the derivative of J = βλ/√N, and that of the width Ξ: E z r, in units of Ξ, or its limit for Ξ → 0
        r = averages.hidden_means
        of_width = np.einsum("k,kp,rkp->rp", weights, z, r)
        limit = q.beta * np.einsum("k,rkp->rp", weights, 1.0 - r**2)
        ratio = np.where(width > SMALL_WIDTH, of_width / np.maximum(width, SMALL_WIDTH), limit)
        ratio = q.scales / np.sqrt(n_visible) * ratio
        correlations = np.ascontiguousarray(averages.correlations, dtype)
        response = Response(means, correlations, q.scales, -ratio, np.ones_like(ratio))
        products = np.vecdot(couplings, averages.correlations, axis=1)  # type: ignore[call-overload]  # it has axis
        of_beta = products + q.beta * width * of_width
        m = np.einsum("k,rkn->rn", weights, averages.visible_means)
        slopes = Slopes(of_beta, m, np.einsum("k,rkp->rp", weights, r))
        return _model_term(averages.log_partition @ weights, response, slopes, averages)


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
    uniform = scipy.stats.qmc.Sobol(n_hidden, scramble=True, rng=np.random.default_rng(0)).random(n_points)
    points = scipy.special.ndtri(uniform)
    if n_points >= 2 * n_hidden:
        root = np.linalg.cholesky(points.T @ points / n_points)
        points = np.linalg.solve(root, points.T).T.copy()
    return points, np.full(n_points, 1.0 / n_points)
