"""The climb of the bound: a batch of restarts, step by step, until each has come to rest."""

import math
from typing import NamedTuple

import numpy as np

from vmfcore.bounds.model_term import COLD, WarmStart
from vmfcore.bounds.objective import Bound, evaluate
from vmfcore.data.packing import pixel_fields, total_spins
from vmfcore.learning.rules import RULES, RealParameters

WINDOW = 20  # steps over which the distance from a stationary point is averaged
BATCHES = 3  # stream of random numbers, apart from those of the starts


class Plan(NamedTuple):
    """How `fit` climbs."""

    rule: str
    step_size: float
    field_step: float
    n_steps: int
    schedule: str
    temperatures: tuple[float, float]
    prior_mean: float
    settled: float
    learn_beta: str
    max_beta: float
    bound_every: int | None
    batch_size: int | None
    seed: int

    def at(self, step):
        """Step sizes of synapses and fields, and temperature."""
        done = step / self.n_steps
        share = 1 - done if self.schedule == "linear" else 1.0
        first, last = self.temperatures
        return share * self.step_size, share * self.field_step, first * (last / first) ** done


def _keep(state, which):
    """A tuple of arrays, or of such tuples, without the replicas that are done."""
    if isinstance(state, tuple):
        kept = [_keep(x, which) for x in state]
        return (
            state._replace(**dict(zip(state._fields, kept, strict=True))) if hasattr(state, "_fields") else tuple(kept)
        )
    return None if state is None else state[which]


def batches(data, batch_size, seed, skip=0):
    """All data again and again, or batches in random order, all samples once an epoch (but for what is left over).

    The first ``skip`` are left out.
    """
    rng, n_samples = np.random.default_rng([seed, BATCHES]), len(data.bits)
    while batch_size is None:
        yield data
    while True:
        order = rng.permutation(n_samples)
        for start in range(0, n_samples - batch_size + 1, batch_size):
            if skip > 0:
                skip -= 1
            else:
                yield data.take(np.sort(order[start : start + batch_size]))


def distance(means, gradient, prior_mean):
    """Root mean square of what an undamped natural step would change in λ, of each replica."""
    change = np.tanh(gradient + math.atanh(prior_mean) if prior_mean else gradient)
    change -= means
    return np.sqrt(np.einsum("rpn,rpn->r", *[np.swapaxes(change, 1, 2)] * 2) / means[0].size)


def start_real(beta, fields, learn_fields, data, n_replicas, n_hidden):
    """RealParameters of all replicas: fields given or, where they are learnt, those of independent pixels."""
    beta, sizes = np.broadcast_to(beta, (n_replicas, n_hidden)).astype(np.float64), (data.n_visible, n_hidden)
    if learn_fields:
        fields = (pixel_fields(data) if fields[0] is None else fields[0]), fields[1]
    if any(x is not None for x in fields):
        fields = tuple(
            np.tile(np.zeros(n) if x is None else x, (n_replicas, 1)) for x, n in zip(fields, sizes, strict=True)
        )
    centres = None, None
    if learn_fields:
        centres = np.tile(total_spins(data) / len(data.bits), (n_replicas, 1)), np.zeros((n_replicas, n_hidden))
    return RealParameters(beta, *fields, *centres)


def evaluate_machines(data, means, real, prior_mean, options, warm_start=COLD):
    fields = {"visible_fields": real.visible_fields, "hidden_fields": real.hidden_fields}
    return evaluate(data, means, real.beta, prior_mean, warm_start=warm_start, **fields, **options)


class Standing(NamedTuple):
    """Where a climb of R restarts stands between two steps: all that the rest of it depends on.

    K of them still climb in this stage; the others have ended it.
    """

    stage: int
    step: int  # of this stage, the next one
    n_steps: int  # done, of all stages
    rows: list  # R lists of rows of `History`
    runs: np.ndarray  # (K,), which restarts climb
    rule: tuple  # of these, as the next two
    real: RealParameters
    warm_start: WarmStart
    ends: np.ndarray  # (R, N, P), means of those that have ended
    end_reals: RealParameters
    at_rest: np.ndarray  # (R,)


def begin(starts, real, rule, before=None):
    """The start of the first stage, or of the one that follows ``before``, for R restarts: means (R, N, P)."""
    stage, n_steps, rows = (before.stage + 1, before.n_steps, before.rows) if before else (0, 0, [[] for _ in starts])
    ends = np.zeros_like(starts), real, np.zeros(len(starts), bool)
    return Standing(stage, 0, n_steps, rows, np.arange(len(starts)), RULES[rule].start(starts), real, COLD, *ends)


def _step(data, batch, standing, plan, options, report):
    """One step of all that climb; one that has settled, or has taken all its steps, ends the stage."""
    n_samples, step, runs, state, real = len(data.bits), standing.step, standing.runs, standing.rule, standing.real
    means, at_rest, rows = state.means, standing.at_rest, standing.rows
    step_size, field_step, temperature = plan.at(step)
    options_now = options | {"n_samples": n_samples}
    now = evaluate_machines(batch, means, real, plan.prior_mean, options_now, standing.warm_start)
    told = now.bound
    if plan.bound_every and step % plan.bound_every == 0 and (step or batch is not data):
        told = evaluate_machines(data, means, real, plan.prior_mean, options).bound
    gradient = real.gradient(means, now)
    moved = distance(means, now.gradient / temperature if temperature != 1 else now.gradient, plan.prior_mean)
    numbers = [*told, now.entropy, now.model.n_iter, now.model.residual, moved, real.beta.mean(axis=1)]
    for run, mean, row in zip(runs, means, np.array(numbers).T, strict=True):
        rows[run].append(row)
        report(len(rows[run]) - 1, mean, Bound(*map(float, row[:4])))
        at_rest[run] = step >= WINDOW and sum(row[-2] for row in rows[run][-WINDOW:]) < WINDOW * plan.settled
    going = ~at_rest[runs] if step < plan.n_steps else np.zeros(len(runs), bool)
    if not going.all():
        standing.ends[runs[~going]] = means[~going]
        for end, part in zip(standing.end_reals, _keep(real, ~going), strict=True):
            if end is not None:
                end[runs[~going]] = part
    warm_start = now.model.warm_start
    if going.any():
        state = state.step(gradient, plan.prior_mean, step_size, temperature)
        real = real.step(means, state.means, now, n_samples, plan.learn_beta, field_step, plan.max_beta)
    if not going.all():
        state, real, warm_start = (_keep(x, going) for x in (state, real, warm_start))
    done = {"step": step + 1, "n_steps": standing.n_steps + 1, "runs": runs[going]}
    return standing._replace(**done, rule=state, real=real, warm_start=warm_start)


def climb(data, standing, plan, stages, report, keep):
    """Climb to the end of the last stage from where R restarts stand; ``stages`` hold options of `evaluate_machines`.

    ``report(step, means, bound)`` follows each restart, ``keep(standing, last)`` all of them.
    """
    parts = batches(data, plan.batch_size, plan.seed, skip=standing.n_steps)
    while True:
        last = not len(standing.runs) and standing.stage + 1 == len(stages)
        keep(standing, last)
        if last:
            return standing
        if not len(standing.runs):
            standing = begin(standing.ends, standing.end_reals, plan.rule, standing)
        standing = _step(data, next(parts), standing, plan, stages[standing.stage], report)
