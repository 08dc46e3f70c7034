"""`infer_weights`: message passing between data and synapses, the Bayes-optimal companion of `fit`.

The equations of a sweep stand in `vmfcore.learning.sweep`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.bounds.beliefs import Prior
from vmfcore.bounds.objective import Bound
from vmfcore.learning.parameters import STEP_SIZE, Learn
from vmfcore.learning.restarts import check_learner, starting_means
from vmfcore.learning.result import FitResult, History
from vmfcore.learning.rules import Natural
from vmfcore.learning.sweep import Task, aligned, first_state, halfway, pairs_of, stability, sweep
from vmfcore.learning.watch import Every, check_callback, watched
from vmfcore.machines.machine import signs
from vmfcore.networks.exact import hidden_states
from vmfcore.networks.network import warn_unconverged
from vmfcore.numerics.bits import transpose
from vmfcore.numerics.jit import one_blas_thread
from vmfcore.numerics.streams import restart_generators

MAX_JOINT_UNITS = 10  # 2^P states are summed at every sample and every site
SMALLEST_BETA = 1e-3  # of the search by Nishimori's condition
NOTHING = 1e-3  # of λ: where no synapse has more, β has no maximum but at orders in 1/N that Φ leaves out
RESTLESS = 0.1  # root mean square of a change of λ
PATIENCE = 150  # sweeps of such changes that end a restart: of 225 runs that converged none made more than 99
LATE = 50  # sweeps, which most runs of a right model do with; what then turns back and forth is calmed by half steps
ADVICE = "try more n_steps or n_restarts; with a wrong prior or beta there may be no fixed point"


class _Run(NamedTuple):
    """One restart at its end."""

    means: np.ndarray
    beta: float
    bound: Bound
    history: History
    converged: bool
    stability: np.ndarray  # (P,)
    prior: Prior
    moved: float  # in the last sweep: the root mean square of λ, or what is learnt beside it, whichever moved more


def _iterate(task, state, prior, learn, n_steps, tol, watch) -> _Run:
    """Sweep until nothing changes, or until it is plain that nothing comes to rest."""
    rows = []
    restless = 0  # sweeps
    last_change = 0.0
    takes_half_steps = False
    for step in range(n_steps):
        before = state
        state, bound, entropy = sweep(task, before)
        change = state.means - before.means
        distance = np.sqrt(np.mean(change**2))
        tells_beta = learn.beta == "global" and np.abs(state.means).max() > NOTHING
        beta = min(max(state.beta, SMALLEST_BETA), checks.MAX_BETA) if tells_beta else before.beta
        state = state._replace(beta=beta)
        takes_half_steps = takes_half_steps or (step >= LATE and (change * last_change).sum() < 0)
        last_change = change
        if takes_half_steps:
            state = halfway(before, state)
        if (prior.correlation or learn.correlation) and not prior.mean:
            state = aligned(task, state, 1.0 if learn.correlation else prior.correlation)
        used = prior
        if learn.correlation:
            prior = prior.matched(state.average)
            task = task._replace(log_prior=prior.log_weights(state.means.shape[1]))
        moved = max(distance, abs(beta - before.beta), abs(prior.correlation - used.correlation))
        converged = moved < tol
        restless += distance > RESTLESS
        is_last = converged or restless == PATIENCE or step == n_steps - 1
        if watch.asks_at(step) or is_last:
            rows.append((step, *bound, entropy, 1, np.abs(change).max(), distance, before.beta))
            watch.look(step, state.means, bound)
        watch.steps_done(1 if step else 0)
        if is_last:
            break
    steps, *columns = np.array(rows).T
    history = History(steps.astype(np.int64), *columns)
    return _Run(state.means, before.beta, bound, history, bool(converged), stability(task, state), used, moved)


def _advice(run, n_steps):
    """What to do about a run that has not converged: for hidden units that cannot come to rest, fewer of them."""
    lost = np.flatnonzero(run.stability > 1)
    ended_early = run.history.step[-1] + 1 < n_steps
    if not (ended_early and lost.size):
        return ADVICE
    units = ", ".join(f"{unit} ({run.stability[unit]:.2f})" for unit in lost)
    return (
        f"hidden units {units} are beyond the line of de Almeida and Thouless at 1, where no message passing comes to "
        "rest: the data speak for fewer hidden units, or for a smaller beta"
    )


def _check_learn(learn, n_hidden):
    checks.instance(Learn, learn=learn)
    if learn.fields:
        raise ValueError("learn.fields must be False for message passing, whose model has no fields")
    if learn.beta == "unit":
        raise ValueError('learn.beta must be "no" or "global" for message passing, got "unit"')
    if not learn.synapses:
        raise ValueError("learn.synapses must be True for message passing, whose synapses are inferred")
    if learn.correlation and n_hidden == 1:
        raise ValueError("learn.correlation must be False for one hidden unit, got True")
    if learn.step_size != STEP_SIZE:
        raise ValueError(
            f"learn.step_size must be left out for message passing, which takes no steps in beta, got {learn.step_size}"
        )


def infer_weights(
    spins: ArrayLike,
    n_hidden: int,
    beta: float,
    *,
    prior: Prior = Prior(),
    learn: Learn = Learn(),
    n_steps: int = 1000,
    tol: float = 1e-6,
    n_restarts: int = 1,
    init: str | ArrayLike = "random",
    seed: int,
    progress: bool = False,
    callback: Callable | Every | None = None,
) -> FitResult:
    r"""Posterior means of ±1 synapses by message passing between data and synapses, and the log-evidence.

    Parameters
    ----------
    spins : (M, N) array or PackedSpins
        Data, ±1.
    n_hidden : int in [1, 10]
        P.
    beta : float in (1e-6, 50)
        Inverse temperature, or where its search starts.
    prior : Prior
        Of the synapses; their correlation at a site may be known.
    learn : Learn
        beta="global" finds β by Nishimori's condition, that the energy of the data equals that of the model, which
        makes the log-evidence stationary.  Below the threshold of learning the data do not tell β, and it stays where
        it is.  correlation=True finds q, of two or more hidden units, by the other of the two: that the synapses are as
        correlated as the prior has them; `prior.correlation` is where the search starts.  Its sign is that of hidden
        units that are turned to agree.  Nothing else can be learnt.
    n_steps : int >= 1
        Largest number of sweeps of a restart; one whose means change by 0.1 and more in 150 of them ends early.
    tol : float > 0
        A restart ends when the root mean square of the change of λ in a sweep falls below it.
    n_restarts, init, seed, progress, callback
        As in `fit`; the restart of the largest log-evidence is chosen, among those that converged if any did.

    Returns
    -------
    FitResult
        `bound` is the Bethe estimate of the log-evidence, split in the same way: not a bound, and meant at convergence.
        In the history one sweep is a step, `entropy` is that of the joint distributions of the sites.

    Warns
    -----
    ConvergenceWarning
        If the best restart has not converged.

    Notes
    -----
    Two matrix products O(M N P) and O(2^P P (M + N)) a sweep.  On planted data with a right prior it reaches the
    Bayes-optimal overlap for N → ∞ (`bayes_optimal_overlap`, `correlated_overlap`); at N = 1000 it is some hundredths
    lower near the threshold.  A prior with a correlation and without a mean turns hidden units over, ξ, h → -ξ, -h, to
    agree with its sign, which the data cannot tell.  With more hidden units than the data speak for, those too many
    never come to rest: each is a student of noise, in a glass for αβ⁴ > 1, with a `stability` beyond 1, while the
    others find what there is.

    References
    ----------
    P = 1, 2: Huang & Toyoizumi, arXiv:1608.03714; Hou, Wong & Huang, arXiv:1904.13052, on edges; β and q by Nishimori's
    conditions: Hou & Huang, arXiv:1911.02344.  The node form for any P, with ln Z(R) as one more factor, is derived in
    this project; without it, it is that of Lesieur, Krzakala & Zdeborová, arXiv:1701.00858.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> teacher = vmf.planted(200, 1, beta=1.0, seed=1)
    >>> result = vmf.infer_weights(vmf.sample(teacher, 1000, seed=1), 1, 1.0, seed=1)
    >>> result.converged, bool(vmf.overlap(result.means, teacher)[0] > 0.7)
    (True, True)
    """
    data, init = check_learner(spins, n_hidden, n_steps, n_restarts, init, seed)
    if n_hidden > MAX_JOINT_UNITS:
        raise ValueError(f"n_hidden must be at most {MAX_JOINT_UNITS} for sums over joint states, got {n_hidden}")
    checks.instance(Prior, prior=prior)
    _check_learn(learn, n_hidden)
    checks.real(0, np.inf, tol=tol)
    checks.real(checks.MIN_BETA, checks.MAX_BETA, beta=beta)
    checks.flag(progress=progress)
    every = check_callback(callback)

    log_prior = prior.log_weights(n_hidden)
    transposed = transpose(data.bits, data.n_visible)
    states = hidden_states(n_hidden)
    task = Task(data, transposed, states, pairs_of(states), log_prior, prior.mean)
    total = n_restarts * n_steps
    runs = []
    with one_blas_thread(), watched(every, total, progress=progress, name="infer") as watch:
        for rng in restart_generators(seed, n_restarts):
            start = starting_means(init, data, n_hidden, rng, Natural().random_means)
            runs.append(_iterate(task, first_state(task, start, beta), prior, learn, n_steps, tol, watch))
    # those that converged first, then by log-evidence: Φ means nothing away from a fixed point
    best = max(runs, key=lambda run: (run.converged, run.bound.total))
    if not best.converged:
        n_sweeps = best.history.step[-1] + 1
        warn_unconverged(best.moved, tol, n_sweeps, _advice(best, n_steps), stacklevel=3)
    return FitResult(
        means=best.means,
        weights=signs(best.means),
        bound=best.bound,
        history=best.history,
        converged=best.converged,
        restart_bounds=np.array([run.bound.total for run in runs]),
        beta=best.beta,
        visible_fields=None,
        hidden_fields=None,
        objective=None,
        rule=None,
        learn=learn,
        prior=best.prior,
        stability=best.stability,
    )
