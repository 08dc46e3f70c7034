"""The climb of the bound: a batch of restarts, step by step, until each has come to rest."""

import itertools
from typing import NamedTuple

import numpy as np

from vmfcore.bounds.model_term import COLD, WarmStart
from vmfcore.bounds.objective import Bound, Evaluation, Objective, evaluate
from vmfcore.data.grey import GreyPixels
from vmfcore.data.packing import PackedSpins
from vmfcore.learning.parameters import (
    CouplingChange,
    Learn,
    RealParameters,
    centred_gradient,
    next_beta,
    next_parameters,
    posterior,
)
from vmfcore.learning.rules import Rule, share_of_step
from vmfcore.networks.chains import Chains, Crossing, crossing
from vmfcore.numerics.streams import Stream, generator

WINDOW = 20  # steps over which the distance from a stationary point is averaged


class Problem(NamedTuple):
    """What is climbed, and how: all that stays while the means change."""

    data: PackedSpins  # of grey values those of epoch 0
    grey: GreyPixels | None  # from which the steps draw theirs
    stages: tuple[Objective, ...]  # one climb after the other
    rule: Rule
    learn: Learn
    n_steps: int  # of a stage, at most
    batch_size: int | None
    max_beta: float
    seed: int

    @property
    def objective(self):
        """That of the last stage, which the result is about."""
        return self.stages[-1]

    @property
    def takes_all_steps(self):
        """Whether noise, or what else changes beside the synapses, keeps a restart from ending early."""
        changing = isinstance(self.objective.kl_weight, tuple)
        return self.grey is not None or self.objective.is_sampled or self.learn.anything or changing


class ClimbState(NamedTuple):
    """Where a climb of R restarts stands between two steps: all that the rest of it depends on.

    K of them still climb in this stage; the others have ended it.
    """

    stage: int
    step: int  # of this stage, the next one
    n_steps: int  # done, of all stages
    climbing: np.ndarray  # (K,), which restarts climb
    rule_state: tuple  # of these, as the next three
    real: RealParameters
    warm_start: WarmStart
    distances: np.ndarray  # (K, WINDOW), of the last steps, the latest at the end
    final_means: np.ndarray  # (R, N, P), of those that have ended, as the next three
    final_real: RealParameters
    crossing: np.ndarray  # (R, 5), `Crossing` of the chains of those that have ended; nan without chains
    settled: np.ndarray  # (R,)
    n_evaluations: np.ndarray  # (R,), of all stages
    histories: list  # R lists of rows of `History`

    @property
    def n_done(self):
        """Steps of all restarts and stages so far."""
        return int(np.maximum(self.n_evaluations - self.stage - 1, 0).sum())


def first_state(problem, means, real) -> ClimbState:
    """The start of the first stage for R restarts: means (R, N, P)."""
    n_restarts = len(means)
    empty: list[list] = [[] for _ in range(n_restarts)]
    return _stage_state(problem, 0, 0, means, real, np.zeros(n_restarts, np.int64), empty)


def _next_stage(problem, state):
    """The start of the stage that follows, from where the restarts have ended the one before."""
    ends = state.final_means, state.final_real
    return _stage_state(problem, state.stage + 1, state.n_steps, *ends, state.n_evaluations, state.histories)


def _stage_state(problem, stage, n_steps, means, real, n_evaluations, histories):
    n_restarts = len(means)
    return ClimbState(
        stage=stage,
        step=0,
        n_steps=n_steps,
        climbing=np.arange(n_restarts),
        rule_state=problem.rule.start(means),
        real=real,
        warm_start=COLD,
        distances=np.full((n_restarts, WINDOW), np.inf),
        final_means=np.zeros_like(means),
        final_real=_copied(real),
        crossing=np.full((n_restarts, len(Crossing._fields)), np.nan),
        settled=np.zeros(n_restarts, bool),
        n_evaluations=n_evaluations,
        histories=histories,
    )


def _copied(real):
    return RealParameters._make(None if part is None else part.copy() for part in real)


def batches(data, batch_size, seed, skip=0, grey=None):
    """All data again and again, or batches in random order, all samples once an epoch (but for what is left over).

    The first ``skip`` are left out.  Of grey values every epoch has its own spins, and is a step without batches.
    """
    rng = generator(seed, Stream.BATCHES)
    n_samples = len(data.bits)
    for epoch in itertools.count():
        if batch_size is None:
            parts = [None]
        else:
            order = rng.permutation(n_samples)
            starts = range(0, n_samples - batch_size + 1, batch_size)
            parts = [order[start : start + batch_size] for start in starts]
        for part in parts[skip:]:
            yield _spins_of_step(data, grey, epoch, part)
        skip = max(0, skip - len(parts))


def _spins_of_step(data, grey, epoch, part):
    """The samples of an epoch, or a part of them in their order."""
    if part is None:
        return data if grey is None else grey.draw(epoch)
    part = np.sort(part)
    return data.take(part) if grey is None else grey.draw(epoch, part)


def climb(problem, state, watch, keep) -> ClimbState:
    """Climb to the end of the last stage; ``keep(state, last)`` is called between the steps."""
    data_of_steps = batches(problem.data, problem.batch_size, problem.seed, skip=state.n_steps, grey=problem.grey)
    while True:
        stage_is_over = len(state.climbing) == 0
        last = stage_is_over and state.stage + 1 == len(problem.stages)
        keep(state, last)
        if last:
            return state
        if stage_is_over:
            state = _next_stage(problem, state)
        state = _step(problem, next(data_of_steps), state, watch)


def _step(problem, data, state, watch) -> ClimbState:
    """One step of all restarts that climb: look where they stand, let those go that are at rest, move the others."""
    is_asked_for = _belongs_to_history(problem, state, watch)
    evaluation = _evaluate(problem, data, state, is_asked_for or _may_settle(problem, state))
    state = _measure(problem, state, evaluation, is_asked_for)
    is_known = state.step == 0 and data is problem.data
    if _chains_tell_the_bound(problem, state) and not is_known:
        evaluation = _with_bound(problem, state, evaluation)
    # the end of a restart belongs to its history, too
    _record(state, evaluation, watch, is_asked_for | _at_rest(problem, state))
    watch.steps_done(len(state.climbing) if state.step else 0)
    state.n_evaluations[state.climbing] += 1
    means = state.rule_state.means
    stays = _retire(problem, state, evaluation, means)
    return _advance(problem, state, evaluation, means, stays)


def _belongs_to_history(problem, state, watch):
    """Whether the user wants to see this step: as `Every` says, the last, and where chains are to tell the bound."""
    return watch.asks_at(state.step) or state.step == problem.n_steps or _chains_tell_the_bound(problem, state)


def _chains_tell_the_bound(problem, state):
    bound_every = problem.objective.bound_every
    return bound_every is not None and state.step % bound_every == 0


def _evaluate(problem, data, state, with_value) -> Evaluation:
    """The objective of this stage on the data of this step, which stand for all."""
    objective = problem.stages[state.stage]
    is_cold = state.warm_start.messages is None
    warm_start = objective.cold_start(problem.data, problem.seed, goes_on=True) if is_cold else state.warm_start
    q = posterior(state.rule_state.means, state.real)
    return evaluate(data, q, objective, warm_start, n_samples=len(problem.data.bits), with_value=with_value)


def _measure(problem, state, evaluation, is_asked_for):
    """The state with the distance of this step, where something asks for it."""
    if problem.takes_all_steps and not is_asked_for:
        return state
    objective = problem.stages[state.stage]
    kl_weight = objective.kl_weight_at(state.step / problem.n_steps)
    now = evaluation.gradient.weighted(1 / kl_weight).distance(objective.prior.mean)
    return state._replace(distances=np.column_stack([state.distances[:, 1:], now]))


def _may_settle(problem, state):
    """Whether the distance of this step can be small enough for one of the restarts to come to rest."""
    if problem.takes_all_steps or state.step < WINDOW:
        return False
    return bool((state.distances[:, 1:].sum(axis=1) < WINDOW * problem.rule.tol).any())


def _at_rest(problem, state):
    """Which of those that climb are at rest, (K,) bool."""
    if problem.takes_all_steps or state.step < WINDOW:
        return np.zeros(len(state.climbing), bool)
    return state.distances.sum(axis=1) < WINDOW * problem.rule.tol


def _with_bound(problem, state, evaluation):
    """With the bound on all data, for which new chains are annealed: persistent ones do not know ln Z."""
    objective = problem.stages[state.stage]
    cold = objective.cold_start(problem.data, problem.seed)
    told = evaluate(problem.data, posterior(state.rule_state.means, state.real), objective, cold)
    return evaluation._replace(bound=told.bound, model=evaluation.model._replace(residual=told.model.residual))


def _record(state, evaluation, watch, which):
    """Add a row to the histories of some of those that climb, ``which`` (K,) bool, and tell the user."""
    if not which.any():
        return
    bound = evaluation.bound
    n_iter, residual = evaluation.model.n_iter, evaluation.model.residual
    columns = [*bound, evaluation.entropy, n_iter, residual, state.distances[:, -1], state.real.beta.mean(axis=1)]
    rows = np.array(columns, np.float64).T
    for restart, means, row in zip(state.climbing[which], state.rule_state.means[which], rows[which], strict=True):
        step = int(state.n_evaluations[restart])
        state.histories[restart].append(np.array([step, *row]))
        watch.look(step, means, Bound(*(float(part) for part in row[:4])))


def _retire(problem, state, evaluation, means):
    """Keep the ends of those that have settled, or have taken all their steps; which of the others stay, (K,) bool."""
    state.settled[state.climbing] = _at_rest(problem, state)
    stays = ~state.settled[state.climbing] & (state.step < problem.n_steps)
    if stays.all():
        return stays
    leaving = state.climbing[~stays]
    state.final_means[leaving] = means[~stays]
    if isinstance(evaluation.model.warm_start.messages, Chains):
        state.crossing[leaving] = np.array(crossing(evaluation.model.warm_start.messages))[~stays]
    for end, part in zip(state.final_real, state.real, strict=True):
        if part is not None:
            end[leaving] = part[~stays]
    return stays


def _advance(problem, state, evaluation, means, stays):
    """The state after a step of the synapses, fields and temperatures of those that stay."""
    rule_state, real, warm_start = state.rule_state, state.real, evaluation.model.warm_start
    if stays.any():
        objective = problem.stages[state.stage]
        done = state.step / problem.n_steps
        share = share_of_step(problem.rule, done)
        kl_weight = objective.kl_weight_at(done)
        gradient = centred_gradient(real, evaluation)
        step_size = share * problem.rule.step_size if problem.learn.synapses else 0.0
        real_step_size = share * problem.learn.step_size
        n_samples = len(problem.data.bits)
        # the temperatures first: the fields follow what they and the synapses do to the couplings
        beta = next_beta(real, means, evaluation.slopes, problem.learn, n_samples, real_step_size, problem.max_beta)
        change = CouplingChange.to(beta, real, means)
        rule_state, pulls = problem.rule.step(rule_state, gradient, objective.prior.mean, step_size, kl_weight, change)
        real = next_parameters(real, beta, pulls, evaluation, n_samples, real_step_size)
    if not stays.all():
        rule_state, real, warm_start = (_selected(part, stays) for part in (rule_state, real, warm_start))
    return state._replace(
        step=state.step + 1,
        n_steps=state.n_steps + 1,
        climbing=state.climbing[stays],
        rule_state=rule_state,
        real=real,
        warm_start=warm_start,
        distances=state.distances[stays],
    )


def _selected(state, which):
    """A tuple of arrays, or of such tuples, of some replicas only."""
    if state is None:
        return None
    if not isinstance(state, tuple):
        return state[which]
    parts = [_selected(part, which) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
