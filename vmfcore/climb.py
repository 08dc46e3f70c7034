"""The climb of the bound: a batch of restarts, step by step, until each has come to rest."""

import math
from typing import NamedTuple

import numpy as np

from vmfcore.dual import COLD
from vmfcore.packing import pixel_fields, total_spins
from vmfcore.rules import RULES, RealParameters
from vmfcore.variational import Bound, evaluate

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


def batches(data, batch_size, seed):
    """All data again and again, or batches in random order, all samples once an epoch (but for what is left over)."""
    rng, n_samples = np.random.default_rng([seed, BATCHES]), len(data.bits)
    while batch_size is None:
        yield data
    while True:
        order = rng.permutation(n_samples)
        for start in range(0, n_samples - batch_size + 1, batch_size):
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


def climb(data, parts, starts, real, plan, options, report):
    """Climb from R starts at once: means (R, N, P), real parameters, lists of History rows, whether each came to rest.

    A replica that has settled leaves the batch; ``report(run, means, bound)`` follows each.
    """
    n_samples, n_steps = len(data.bits), plan.n_steps
    state, warm_start, ends, end_reals = RULES[plan.rule].start(starts), COLD, np.empty_like(starts), real
    rows, runs, at_rest = [[] for _ in starts], np.arange(len(starts)), np.zeros(len(starts), bool)
    means = state.means
    for step, batch in zip(range(n_steps + 1), parts, strict=False):
        step_size, field_step, temperature = plan.at(step)
        now = evaluate_machines(batch, means, real, plan.prior_mean, options | {"n_samples": n_samples}, warm_start)
        told = now.bound
        if plan.bound_every and step % plan.bound_every == 0 and (step or batch is not data):
            told = evaluate_machines(data, means, real, plan.prior_mean, options).bound
        gradient = real.gradient(means, now)
        moved = distance(means, now.gradient / temperature if temperature != 1 else now.gradient, plan.prior_mean)
        numbers = [*told, now.entropy, now.model.n_iter, now.model.residual, moved, real.beta.mean(axis=1)]
        for run, mean, row in zip(runs, means, np.array(numbers).T, strict=True):
            rows[run].append(row)
            report(run, mean, Bound(*map(float, row[:4])))
            at_rest[run] = step >= WINDOW and sum(row[-2] for row in rows[run][-WINDOW:]) < WINDOW * plan.settled
        going = ~at_rest[runs] if step < n_steps else np.zeros(len(runs), bool)
        if not going.all():
            ends[runs[~going]] = means[~going]
            for end, part in zip(end_reals, _keep(real, ~going), strict=True):
                if end is not None:
                    end[runs[~going]] = part
        state = state.step(gradient, plan.prior_mean, step_size, temperature)
        before, means, warm_start = means, state.means, now.model.warm_start
        real = real.step(before, means, now, n_samples, plan.learn_beta, field_step, plan.max_beta)
        if not going.all():
            state, real, warm_start = (_keep(x, going) for x in (state, real, warm_start))
            means, runs = state.means, runs[going]
        if not len(runs):
            break
    return ends, end_reals, rows, at_rest
