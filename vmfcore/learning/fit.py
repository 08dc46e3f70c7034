"""`fit`: learning by ascent on the variational bound."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from vmfcore import checks
from vmfcore.bounds.objective import Bound, Objective, check_beta, check_fields, evaluate, warn_unsolved
from vmfcore.data.grey import GreyPixels
from vmfcore.data.mixture import independent_pixels
from vmfcore.data.packing import pixel_fields
from vmfcore.learning.checkpoints import Checkpoint, kept_in
from vmfcore.learning.climb import Problem, climb, first_state
from vmfcore.learning.parameters import Learn, posterior, real_distance, start_parameters
from vmfcore.learning.restarts import check_learner, starting_means
from vmfcore.learning.result import FitResult, History
from vmfcore.learning.rules import Natural, Rule
from vmfcore.learning.watch import Every, check_callback, watched
from vmfcore.machines.machine import signs
from vmfcore.networks.chains import MEMORY, Crossing
from vmfcore.networks.network import ConvergenceWarning, warn_uncrossed
from vmfcore.numerics.jit import one_blas_thread
from vmfcore.numerics.streams import restart_generators

NOTICED = 1.0  # nats per sample below independent pixels that are too many to pass over
TOL = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 3e-5}  # of message passing, where none is given


def fit(
    spins: ArrayLike,
    n_hidden: int,
    beta: float | ArrayLike,
    objective: Objective = Objective(),
    rule: Rule = Natural(),
    *,
    learn: Learn = Learn(),
    fields: tuple[ArrayLike | None, ArrayLike | None] | None = None,
    init: str | ArrayLike = "random",
    n_restarts: int = 1,
    n_steps: int = 1000,
    batch_size: int | None = None,
    dtype: DTypeLike = np.float64,
    checkpoint: Checkpoint | str | PathLike | None = None,
    callback: Callable | Every | None = None,
    progress: bool = False,
    seed: int,
) -> FitResult:
    r"""Learn the means λ of ±1 synapses by ascent on the variational bound; the best of the restarts, by the bound.

    Parameters
    ----------
    spins : (M, N) array, PackedSpins or GreyPixels
        Data, ±1; packed, they may stay in a file; of grey values they are drawn anew in every epoch.
    n_hidden : int >= 1
        P.
    beta : float or (P,) array in (1e-6, 50)
        Inverse temperature, where it is learnt its start, of all hidden units or of each.
    objective : Objective
        What is climbed: data term, model term with its solver, prior, weight of the KL.
    rule : Natural or Adam
        How the synapses follow its derivative, and when they have come to rest.
    learn : Learn
        What is learnt: synapses, and what beside them.
    fields : pair of arrays (N,) and (P,), either of which may be None, or None
        a and b, where they are learnt their start.  None: those of independent pixels where they are learnt, else none.
    init : "random", "pca" or (N, P) array in [-1, 1]
        As the rule has it: θ uniform in ±0.1 or λ uniform in ±1; the leading principal components of the data, rotated
        at random; or given means.
    n_restarts : int >= 1
        Independent starts, trained together; 1 where ``init`` is an array.
    n_steps : int >= 1
        Largest number of steps of a climb.
    batch_size : int in [1, M] or None
        Samples a step, drawn anew in every epoch: the stochastic natural gradient.  None: all data at every step.
    dtype : numpy.float64 or numpy.float32
        Precision of means, matrix products and averages; sums over the data stay in double precision, chains always
        in single.  Single precision needs β <= 8.
    checkpoint : Checkpoint, path or None
        A file that keeps where the climb stands.  If it is there already, the fit goes on from it, to the same bits
        as a fit that was never interrupted; the callback sees the steps that remain.
    callback : callable, Every or None
        ``callback(step, means, bound)`` is called at every step of every restart, the start (step 0) included; the
        restarts follow one another within a step.  `Every` says how often; None: the history has every tenth step.
    progress : bool
        Show a progress bar.
    seed : int >= 0
        Same seed, same bits, for any number of threads.

    Returns
    -------
    FitResult

    Raises
    ------
    ValueError
        If the checkpoint is damaged, or that of another fit.
    OSError
        If the checkpoint cannot be written; the one before it is still there.

    Warns
    -----
    ConvergenceWarning
        If at the end of the best restart message passing had not converged or ln Z rests on few chains; if the chains
        do not cross between the states of the network (`FitResult.crossing`); if fields are learnt and the training
        data are less likely than by independent pixels.

    Notes
    -----
    O(M N P) a step and the model term (`bound`).  Single precision takes less than half the time and changes the bound
    by about 1e-6 of its parts.
    With batches, the bounds of history and callback are estimates, whose noise may keep a run from settling:
    `converged` and `bound` come from all data at the end.  Average longer by a smaller step.
    With data_term "calibrated" the total is flat or falls around λ = 0, so that from a random or principal-component
    start the Gaussian bound is climbed first (the history shows both climbs; the steps count on), which costs about
    twice the steps, more near the threshold.  It is exact for N → ∞ and independent hidden units; for correlated ones
    see `infer_weights`.  Near the threshold prefer init="pca": random starts inherit the local optima of the Gaussian
    bound.
    With `Gibbs` the averages of the dual network come from persistent chains, one sweep a step.  The bound is that of
    annealed importance sampling: rather too high than too low, by the error of ln Z for each sample, and of several
    restarts the one whose error is largest may be taken.
    To run fits in several processes use joblib, or the start method "spawn" of multiprocessing: a process that has used
    threads must not be forked.

    References
    ----------
    Huang, arXiv:1911.07662; Meng, Bachmann & Khan, arXiv:2002.10778 and Meng, arXiv:2007.04676, for the natural rule.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> teacher = vmf.planted(100, 1, beta=1.0, seed=1)
    >>> result = vmf.fit(vmf.sample(teacher, 1000, seed=1), 1, 1.0, seed=1)
    >>> result.converged, bool(vmf.overlap(result.weights, teacher)[0] > 0.9)
    (True, True)
    """
    # what may the arguments be?
    data, init = check_learner(spins, n_hidden, n_steps, n_restarts, init, seed)
    beta = check_beta(beta, n_hidden)
    fields = check_fields(fields, data.n_visible, n_hidden)
    dtype = _checked_dtype(dtype, beta)
    checks.flag(progress=progress)
    every = check_callback(callback)
    grey = spins if isinstance(spins, GreyPixels) else None
    problem = _problem(data, grey, n_hidden, objective, rule, learn, n_steps, batch_size, dtype, init, seed)

    # climb, from the start or from where the checkpoint stands, and compare the restarts at their ends
    start = {"beta": beta, "visible_fields": fields[0], "hidden_fields": fields[1], "init": init}
    size = {"n_hidden": n_hidden, "n_restarts": n_restarts, "dtype": np.dtype(dtype).name}
    with one_blas_thread(), kept_in(checkpoint, problem, start | size) as (state, keep):
        if state is None:
            state = _start(problem, beta, fields, init, (n_restarts, data.n_visible, n_hidden), dtype)
        total = n_restarts * len(problem.stages) * n_steps
        with watched(every, total, progress=progress, name="fit", done=state.n_done) as watch:
            state = climb(problem, state, watch, keep)
            final = _evaluate_ends(problem, state)
            best = int(final.bound.total.argmax())
    _warn(problem, state, final, best)
    return _result(problem, state, final, best, one_beta=learn.beta != "unit" and not np.ndim(beta))


def _checked_dtype(dtype, beta):
    dtype = checks.precision(dtype=dtype)
    if dtype == np.float32 and np.max(beta) > checks.MAX_SINGLE_BETA:
        raise ValueError(f"dtype must be float64 for beta > {checks.MAX_SINGLE_BETA:g}, got {dtype} and beta {beta!r}")
    return dtype


def _problem(data, grey, n_hidden, objective, rule, learn, n_steps, batch_size, dtype, init, seed) -> Problem:
    """What is climbed, and how, once it is known to fit together."""
    checks.instance(Objective, objective=objective)
    checks.instance(Rule, rule=rule)
    checks.instance(Learn, learn=learn)
    if learn.correlation:
        raise ValueError("learn.correlation must be False for a factorized Q: infer_weights can learn it")
    if batch_size is not None and checks.integer(1, batch_size=batch_size) > len(data.bits):
        raise ValueError(f"batch_size must be at most the number of samples, {len(data.bits)}, got {batch_size}")
    objective = objective.for_size(data.n_visible, n_hidden, TOL[dtype], dtype)
    # the stationary point λ = 0 of the calibrated total holds small starts: the Gaussian bound leads them away from it
    stages: tuple[Objective, ...] = (objective,)
    if objective.data_term == "calibrated" and isinstance(init, str):
        stages = (replace(objective, data_term="gaussian"), objective)
    max_beta = 0.999 * (checks.MAX_SINGLE_BETA if dtype == np.float32 else checks.MAX_BETA)
    return Problem(data, grey, stages, rule, learn, int(n_steps), batch_size, max_beta, int(seed))


def _start(problem, beta, fields, init, shape, dtype):
    """The first state of all restarts, shape (R, N, P)."""
    n_restarts, _, n_hidden = shape
    random_means = problem.rule.random_means
    starts = [
        starting_means(init, problem.data, n_hidden, rng, random_means)
        for rng in restart_generators(problem.seed, n_restarts)
    ]
    means = np.stack([start.astype(dtype) for start in starts])
    real = start_parameters(beta, fields, problem.learn, problem.data, shape)
    return first_state(problem, means, real)


def _evaluate_ends(problem, state):
    """The objective of the last stage on all data, where the restarts have ended."""
    cold = problem.objective.cold_start(problem.data, problem.seed)
    return evaluate(problem.data, posterior(state.final_means, state.final_real), problem.objective, cold)


def _warn(problem, state, final, best):
    """The one warning about what is not to be trusted of the best restart."""
    memory, n_rungs, _, _, missed = state.crossing[best]
    if problem.learn.fields:
        # <ln P> under Q, beside what the same fields would give without synapses
        bound = final.bound
        likelihood = (bound.data_term[best] - bound.model_term[best]) / len(problem.data.bits)
        of_pixels = independent_pixels(pixel_fields(problem.data)).log_probabilities(problem.data).mean()
        if likelihood < of_pixels - NOTICED:
            text = (
                f"the machine gives its own training data {likelihood:.1f} nats per sample, independent pixels "
                f"{of_pixels:.1f}: look at FitResult.crossing, take smaller steps or more of them"
            )
            warnings.warn(text, ConvergenceWarning, stacklevel=4)
            return
    if not final.model.converged[best]:
        warn_unsolved(final.model.residual[best], problem.objective.model_term.solver, stacklevel=5)
    elif memory > MEMORY or missed > 0:
        warn_uncrossed(memory, int(missed), int(n_rungs), stacklevel=4)


def _end_distances(problem, final):
    """Distance of each restart's end from a stationary point."""
    objective = problem.objective
    return final.gradient.weighted(1 / objective.kl_weight_at(1.0)).distance(objective.prior.mean)


def _is_at_rest(problem, state, final, restart):
    """Whether a restart has ended near a stationary point; what is too noisy to tell on the way is told by its end."""
    if problem.batch_size is None and not problem.takes_all_steps:
        return state.settled[restart]
    at_rest = real_distance(state.final_real, final, len(problem.data.bits), problem.learn) < problem.rule.tol
    if problem.learn.synapses:
        at_rest &= _end_distances(problem, final) < problem.rule.tol
    return at_rest[restart]


def _result(problem, state, final, restart, one_beta) -> FitResult:
    """The result of one restart."""
    means, real = state.final_means[restart], state.final_real
    step, *columns = np.array(state.histories[restart]).T
    return FitResult(
        means=means,
        weights=signs(means),
        bound=Bound(*(float(part[restart]) for part in final.bound)),
        history=History(step.astype(np.int64), *columns),
        converged=bool(_is_at_rest(problem, state, final, restart) and final.model.converged[restart]),
        restart_bounds=np.array(final.bound.total),
        beta=float(real.beta[restart, 0]) if one_beta else real.beta[restart],
        visible_fields=None if real.visible_fields is None else real.visible_fields[restart],
        hidden_fields=None if real.hidden_fields is None else real.hidden_fields[restart],
        objective=problem.objective,
        rule=problem.rule,
        learn=problem.learn,
        prior=problem.objective.prior,
        crossing=_crossing(state.crossing[restart]) if problem.objective.is_sampled else None,
    )


def _crossing(numbers):
    memory, n_rungs, acceptance, round_trips, missed = (float(x) for x in numbers)
    return Crossing(memory, int(n_rungs), acceptance, round_trips, int(missed))
