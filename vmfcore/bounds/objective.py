r"""The variational bound on the log-likelihood of the data, and its gradient.

With Q(ξ) = Π_iμ (1 + λ_iμ ξ_iμ)/2,

.. math::
    L(\lambda) = \sum_a a\cdot\sigma^a + \sum_{a\mu}\langle\ln 2\cosh(b_\mu + \beta_\mu X^a_\mu)\rangle_Q
    - M\langle\ln Z(\xi)\rangle_Q - \mathrm{KL}(Q\|P_0), \qquad X^a_\mu = \frac{1}{\sqrt N}\sum_i \xi_{i\mu}\sigma^a_i .

The paper's model has no fields a, b, and one inverse temperature.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from vmfcore import checks
from vmfcore.bounds.beliefs import Posterior, Prior, kl_divergence
from vmfcore.bounds.data_term import DATA_TERMS
from vmfcore.bounds.gradient import Gradient
from vmfcore.bounds.model_term import COLD, Annealed, ModelTerm, Quenched, WarmStart
from vmfcore.bounds.synapses import Slopes, total_entropy
from vmfcore.data.mixture import reference_of
from vmfcore.data.packing import PackedSpins, pack_spins, pixel_fields
from vmfcore.networks import Gibbs
from vmfcore.networks.network import NETWORK_ADVICE, TOL, warn_few_chains, warn_unconverged
from vmfcore.numerics.jit import one_blas_thread


@dataclass(frozen=True)
class Objective:
    r"""What is climbed: data term - model term - T KL.

    Parameters
    ----------
    data_term : "gaussian", "exact" or "calibrated"
        `vmfcore.bounds.data_term`: Gaussian for large N; exact, O(N) times dearer, with which the annealed bound is one
        at any N; or with the reaction on the synapses, which makes the means calibrated (on planted data mean λ² then
        follows the overlap) and the total an estimate of the log-evidence instead of a bound.
    model_term : Annealed or Quenched
        An upper limit of <ln Z>, so that L is a bound, or the paper's estimate; each holds the solver of its networks.
    prior : Prior
        Of the synapses; independent ones, since Q is factorized.
    kl_weight : float in (1e-6, 1e6), or (first, last)
        T, 1 for the bound itself; two numbers: from the first step to the last in equal ratios.  Many hidden units
        leave synapses undecided at T = 1, each of which costs its entropy: below 1 they decide.  The bounds of history
        and result are at T = 1.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.Objective(kl_weight=0.3).model_term
    Annealed(solver=None)
    """

    data_term: str = "gaussian"
    model_term: Annealed | Quenched = Annealed()
    prior: Prior = Prior()
    kl_weight: float | tuple[float, float] = 1.0

    def __post_init__(self):
        data_term = checks.option(DATA_TERMS, data_term=self.data_term)
        checks.instance(Annealed | Quenched, model_term=self.model_term)
        checks.instance(Prior, prior=self.prior)
        self.prior.check_independent()
        checks.keep(self, data_term=data_term, kl_weight=_checked_weight(self.kl_weight))

    def kl_weight_at(self, done: float) -> float:
        """T where so much of a climb is done, from 0 to 1."""
        if not isinstance(self.kl_weight, tuple):
            return self.kl_weight
        first, last = self.kl_weight
        return first * (last / first) ** done

    @property
    def is_sampled(self) -> bool:
        """Whether the averages of the dual network come from chains."""
        return isinstance(self.model_term.solver, Gibbs)

    @property
    def bound_every(self) -> int | None:
        """Steps between two bounds that chains are to tell in a fit; None of other solvers."""
        solver = self.model_term.solver
        return solver.bound_every if isinstance(solver, Gibbs) else None

    def for_size(self, n_visible: int, n_hidden: int, tol: float, dtype: DTypeLike = np.float64) -> "Objective":
        """The objective whose model term has a solver that fits, with this tolerance where that has none."""
        return replace(self, model_term=self.model_term.for_size(n_visible, n_hidden, tol, dtype))

    def cold_start(self, data: PackedSpins, seed: int, *, goes_on: bool = False) -> WarmStart:
        """What the first evaluation starts from; chains start from independent pixels with the means of the data.

        Where they go on afterwards, they look for the components of a mixture, at which the path of their rungs begins.
        """
        solver = self.model_term.solver
        assert solver is not None, "for_size chooses one"
        if not isinstance(solver, Gibbs):
            return WarmStart(solver.cold_start(None, seed))
        if not goes_on:
            return WarmStart(replace(solver, n_rungs=1).cold_start(pixel_fields(data), seed))
        return WarmStart(solver.cold_start(pixel_fields(data), seed, reference_of(data, seed)))


def _checked_weight(kl_weight):
    pair = isinstance(kl_weight, (tuple, list)) or np.ndim(kl_weight) > 0
    weights = tuple(kl_weight) if pair else (kl_weight,)
    if pair and len(weights) != 2:
        raise ValueError(f"kl_weight must be a number or (first, last), got {kl_weight!r}")
    weights = tuple(checks.real(checks.MIN_KL_WEIGHT, checks.MAX_KL_WEIGHT, kl_weight=weight) for weight in weights)
    return weights[0] if len(set(weights)) == 1 else weights


class Bound(NamedTuple):
    """Totals over the data, in nats: total = data_term - model_term - kl."""

    total: float
    data_term: float
    model_term: float
    kl: float


class Evaluation(NamedTuple):
    """The bound of R replicas, the derivatives of total + kl, and how the model term was solved."""

    bound: Bound  # of (R,) arrays; nan where it was not asked for
    gradient: Gradient  # of total + kl with respect to the means
    slopes: Slopes  # with respect to the real parameters
    entropy: np.ndarray  # (R,), of Q, nats; nan where it was not asked for
    hidden_means: np.ndarray  # (R, P), of the hidden spins over the data
    model: ModelTerm


def evaluate(data, q: Posterior, objective, warm_start=COLD, *, n_samples=None, with_value=True) -> Evaluation:
    """Bound and derivatives at once, without checks, of packed data; with ``n_samples`` they stand for so many.

    The derivatives alone cost less: ``with_value`` says whether bound and entropy are asked for.
    """
    n_samples = len(data.bits) if n_samples is None else n_samples
    share = n_samples / len(data.bits)
    model = objective.model_term.evaluate(q, warm_start, with_value)
    of_data = DATA_TERMS[objective.data_term](data, q.means, q.beta, q.hidden_fields, with_value)
    gradient = Gradient(of_data.response, model.response, share, n_samples, centre=None)
    # Σ_a a·σ^a, the part of the data term that only machines with fields have
    spins = of_data.spins if q.has_fields else 0.0
    slopes = Slopes(
        share * of_data.log_beta - n_samples * model.slopes.log_beta,
        share * spins - n_samples * model.slopes.visible_fields,
        share * of_data.hidden_fields - n_samples * model.slopes.hidden_fields,
    )
    hidden_means = of_data.hidden_fields / len(data.bits)
    if not with_value:
        unknown: Any = np.full(len(q.means), np.nan)
        return Evaluation(Bound(unknown, unknown, unknown, unknown), gradient, slopes, unknown, hidden_means, model)
    value = share * of_data.value
    if q.visible_fields is not None:
        value = value + share * (q.visible_fields @ spins)
    entropy = total_entropy(q.means)
    kl = kl_divergence(q.means, entropy, objective.prior.mean)
    model_total = n_samples * model.value
    bound = Bound(value - model_total - kl, value, model_total, kl)
    return Evaluation(bound, gradient, slopes, entropy, hidden_means, model)


def check_beta(beta, n_hidden):
    """β of all hidden units as a float, or (P,) of each as float64."""
    if not isinstance(beta, (list, tuple)) and not np.ndim(beta):
        return checks.real(checks.MIN_BETA, checks.MAX_BETA, beta=beta)
    beta = checks.array((n_hidden,), beta=beta)
    for value in (beta.min(), beta.max()):
        checks.real(checks.MIN_BETA, checks.MAX_BETA, beta=value)
    return beta


def check_fields(fields, n_visible, n_hidden):
    """Visible and hidden fields as float64, each of which may be None."""
    if fields is None:
        return None, None
    if not isinstance(fields, (tuple, list)) or len(fields) != 2:
        raise TypeError(f"fields must be (visible_fields, hidden_fields) or None, got {type(fields).__name__}")
    checked = []
    for name, values, size in zip(("fields[0]", "fields[1]"), fields, (n_visible, n_hidden), strict=True):
        if values is not None:
            values = checks.array((size,), **{name: values})
            checks.within(checks.MAX_SIZE, **{name: values})
        checked.append(values)
    return tuple(checked)


def _evaluate_checked(spins, means, beta, objective, fields, seed, open_interval):
    """Evaluation of what a user gave, and the means as an array."""
    data = pack_spins(spins)
    means = checks.means(means, shape=(data.n_visible, None))
    beta = check_beta(beta, means.shape[1])
    fields = check_fields(fields, *means.shape)
    checks.instance(Objective, objective=objective)
    checks.integer(0, seed=seed)
    if objective.kl_weight != 1:
        raise ValueError(f"objective.kl_weight must be 1 for a bound, got {objective.kl_weight}")
    objective = objective.for_size(*means.shape, TOL[means.dtype])
    solver = objective.model_term.solver
    if objective.is_sampled:
        solver.check_anneals()
    if open_interval and np.abs(means).max() == 1:
        raise ValueError("means must be inside (-1, 1) for a gradient: that of the KL is infinite at 1, got 1 in size")
    with one_blas_thread():
        evaluation = evaluate(data, Posterior.of(means, beta, *fields), objective, objective.cold_start(data, seed))
    if not evaluation.model.converged.all():
        warn_unsolved(evaluation.model.residual[0], solver, stacklevel=5)
    return evaluation, means


def warn_unsolved(residual, solver, stacklevel):
    """The one warning about a dual network whose averages are not to be trusted."""
    if isinstance(solver, Gibbs):
        warn_few_chains(stacklevel)
    else:
        warn_unconverged(residual, solver.tol, solver.max_iter, NETWORK_ADVICE, stacklevel)


def bound(
    spins: ArrayLike,
    means: ArrayLike,
    beta: float | ArrayLike,
    objective: Objective = Objective(),
    *,
    fields: tuple[ArrayLike | None, ArrayLike | None] | None = None,
    seed: int = 0,
) -> Bound:
    r"""Variational bound L(λ) on the log-likelihood of the data, and its parts.

    Parameters
    ----------
    spins : (M, N) array or PackedSpins
        Data, ±1.
    means : (N, P) array in [-1, 1]
        λ, the means of the synapses.
    beta : float or (P,) array in (1e-6, 50)
        Inverse temperature, of all hidden units or of each.
    objective : Objective
        With kl_weight 1.  `Annealed` makes L a bound, `Quenched` is the paper's; with data_term "calibrated" the
        total is an estimate of the log-evidence.
    fields : pair of arrays (N,) and (P,), either of which may be None, or None
        a and b; None: no fields, as in the paper.
    seed : int >= 0
        Of the chains, where the solver is `Gibbs`.

    Returns
    -------
    Bound
        total, data_term, model_term = M <ln Z>, kl; nats.  ln 2cosh is used in data and model term.

    Warns
    -----
    ConvergenceWarning
        If message passing has not converged, or ln Z rests on few chains.

    Notes
    -----
    O(M N P) and the model term: O(N P) a sweep, times n_points for the quenched one.  Message passing misses most of
    what two hidden units that duplicate each other cost, see `Annealed`; chains on average give too small a model term.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (3).

    Examples
    --------
    >>> import vmfcore as vmf
    >>> teacher = vmf.planted(50, 2, beta=1.0, seed=1)
    >>> spins = vmf.sample(teacher, 200, seed=1)
    >>> value = vmf.bound(spins, 0.9 * teacher.weights, 1.0)
    >>> round(value.total - (value.data_term - value.model_term - value.kl), 9)
    0.0
    """
    evaluation, _ = _evaluate_checked(spins, means, beta, objective, fields, seed, open_interval=False)
    return Bound(*(float(part[0]) for part in evaluation.bound))


def bound_gradient(
    spins: ArrayLike,
    means: ArrayLike,
    beta: float | ArrayLike,
    objective: Objective = Objective(),
    *,
    fields: tuple[ArrayLike | None, ArrayLike | None] | None = None,
    seed: int = 0,
) -> np.ndarray:
    r"""Derivative ∂L/∂λ of `bound`.

    Parameters
    ----------
    spins, means, beta, objective, fields, seed
        As in `bound`, with |λ| < 1.

    Returns
    -------
    (N, P) float64 array
        Nats.  For message passing it is the derivative of the Bethe value.  For a hidden unit whose synapses are
        decided (Ξ < 0.03) the quenched term uses Stein's lemma, see `Quenched`, and differs from the derivative of the
        sum over its points by their error.  With `Gibbs` its correlations are averages over chains, and have their
        noise.
    """
    evaluation, means = _evaluate_checked(spins, means, beta, objective, fields, seed, open_interval=True)
    return evaluation.gradient.dense()[0] + np.arctanh(objective.prior.mean) - np.arctanh(means)
