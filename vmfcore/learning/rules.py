"""Learning rules: how the synapses follow the derivative of the objective, one step after the other.

A rule is a value; what it remembers between two steps is its state.  ``schedule`` says how the steps, also those of
fields and temperatures, change during a climb: "constant"; "linear", falling to 0 at the last step; or "settling",
which falls linearly at first, and by the same factor at every step of the last part.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from vmfcore import checks
from vmfcore.bounds.gradient import Gradient, gradient_of_rows
from vmfcore.bounds.synapses import GRAIN, rows_of_block, rows_of_sum
from vmfcore.learning.parameters import CouplingChange, Pulls, add_pulls
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.vectors import constants_of, tanh

SCHEDULES = "constant", "linear", "settling"
SETTLING_PART = 0.3  # of a climb, in which its steps settle
SETTLED_STEP = 1e-4  # the last step of this part, in units of its first
CLIP = 0.99999  # of the means, for the rule that needs it
FIRST_DECAY, SECOND_DECAY = 0.9, 0.99  # of Adam's running moments
FIRST_SHARE, SECOND_SHARE = 0.1, 0.01  # of what a step adds to them
SMALLEST_STEP = 1e-8  # in Adam's denominator


class NaturalState(NamedTuple):
    """Where the natural rule stands."""

    natural: np.ndarray  # (R, N, P), θ
    means: np.ndarray  # λ = tanh θ


class AdamState(NamedTuple):
    """Where Adam stands."""

    means: np.ndarray  # (R, N, P), λ
    first: np.ndarray  # running mean of the slopes
    second: np.ndarray  # running mean of their squares
    n_steps: np.ndarray  # (R, 1, 1)


def _check_rule(rule, largest_step):
    checks.keep(
        rule,
        schedule=checks.option(SCHEDULES, schedule=rule.schedule),
        step_size=checks.real(0, largest_step, closed="right", step_size=rule.step_size),
        tol=checks.real(0, np.inf, tol=rule.tol),
    )


@dataclass(frozen=True)
class Natural:
    r"""Bayesian learning rule on θ = atanh λ: θ ← (1 - ρ) θ + ρ [θ₀ + ∂(L + T KL)/∂λ / T].

    Parameters
    ----------
    step_size : float in (0, 1]
        ρ.
    schedule : "constant", "linear" or "settling"
    tol : float > 0
        A restart ends when its distance from a stationary point, the root mean square of what an undamped step would
        change in λ, averaged over 20 steps, falls below it, whatever the step size; at the default planted problems
        are then within about 0.5 nats of the local optimum.  Where fields, β or a changing T are in play, or chains,
        it takes all its steps, and `FitResult.converged` tells whether the distance and, of the real parameters, the
        derivatives a sample are below it at the end.  The noise of chains keeps it False.

    References
    ----------
    Meng, arXiv:2007.04676; Meng, Bachmann & Khan, arXiv:2002.10778.
    """

    step_size: float = 0.15
    schedule: str = "constant"
    tol: float = 3e-3

    def __post_init__(self):
        _check_rule(self, 1.0)

    def random_means(self, rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
        """Where a random start begins: θ uniform in ±0.1."""
        return np.tanh(rng.uniform(-0.1, 0.1, size))

    def start(self, means: np.ndarray) -> NaturalState:
        """The state at given means (R, N, P)."""
        natural = np.arctanh(np.clip(means, -CLIP, CLIP))
        return NaturalState(natural, np.tanh(natural))

    def step(
        self,
        state: NaturalState,
        gradient: Gradient,
        prior_mean: float,
        step_size: float,
        kl_weight: float | np.ndarray,
        change: CouplingChange | None = None,
    ) -> tuple[NaturalState, Pulls | None]:
        """The next state, and the `Pulls` of a `CouplingChange` if there is one.

        From the `Gradient` of the objective without its KL; all in one pass, in which θ is overwritten.
        """
        dtype = state.means.dtype
        numbers = _Step(
            dtype.type(1 - step_size),
            dtype.type(step_size / kl_weight),
            dtype.type(step_size * math.atanh(prior_mean)),
        )
        pulls = Pulls.empty(state.means)
        out = _NaturalOutput(state.natural, np.empty_like(state.means), *pulls)
        with numba_threads(len(out.means) * pulls.of_hidden.shape[1], out.means.size / GRAIN):
            _natural_step(gradient.terms(), numbers, constants_of(dtype), change, out)
        return NaturalState(out.natural, out.means), None if change is None else pulls


class _Step(NamedTuple):
    """The numbers of a natural step θ' = keep θ + gain gradient + prior."""

    keep: np.floating
    gain: np.floating
    prior: np.floating


class _NaturalOutput(NamedTuple):
    """What a natural step writes."""

    natural: np.ndarray  # (R, N, P), θ, which is read first
    means: np.ndarray  # (R, N, P), λ
    of_visible: np.ndarray  # as in `Pulls`
    of_hidden: np.ndarray


@kernel
def _natural_step_of_block(replica, first, terms, step, constants, natural, means):
    """A natural step of some rows: their derivative, θ and λ while they are in cache."""
    rows = np.empty_like(natural)
    gradient_of_rows(replica, first, terms, rows)
    gradient = rows.ravel()
    theta = natural.ravel()
    for a in range(theta.size):
        theta[a] = step.keep * theta[a] + (step.gain * gradient[a] + step.prior)
    tanh(theta, constants, means.ravel())


@kernel
def _natural_step_of_job(replica, job, terms, step, constants, change, out):
    """A natural step of the rows of a job, block by block, and what their change adds to the mean fields."""
    _, n_visible, n_hidden = out.means.shape
    rows = rows_of_block(n_hidden)
    first = job * rows_of_sum(n_hidden)
    last = min(first + rows_of_sum(n_hidden), n_visible)
    of_hidden = out.of_hidden[replica, job]
    of_hidden[:] = 0
    for start in range(first, last, rows):
        block = slice(start, min(start + rows, last))
        means = out.means[replica, block]
        _natural_step_of_block(replica, start, terms, step, constants, out.natural[replica, block], means)
        if change is not None:
            of_visible = out.of_visible[replica, block]
            add_pulls(replica, start, terms.means[replica, block], means, change, of_visible, of_hidden)


@parallel_kernel
def _natural_step(terms, step, constants, change, out):
    """A natural step of all synapses."""
    n_jobs = out.of_hidden.shape[1]
    for job in numba.prange(len(out.means) * n_jobs):
        _natural_step_of_job(job // n_jobs, job % n_jobs, terms, step, constants, change, out)


@dataclass(frozen=True)
class Adam:
    r"""Adam ascent on λ itself, decay rates 0.9 and 0.99, λ clipped to ±0.99999.

    Parameters
    ----------
    step_size : float in (0, 100]
        The learning rate; the paper's 0.4 reaches the same overlap but does not settle.
    schedule : "constant", "linear" or "settling"
    tol : float > 0
        As in `Natural`.

    References
    ----------
    Huang, arXiv:1911.07662.
    """

    step_size: float = 0.03
    schedule: str = "constant"
    tol: float = 3e-3

    def __post_init__(self):
        _check_rule(self, 100.0)

    def random_means(self, rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
        """Where a random start begins: λ uniform in ±1."""
        return rng.uniform(-1, 1, size)

    def start(self, means: np.ndarray) -> AdamState:
        """The state at given means (R, N, P)."""
        zeros = np.zeros_like(means)
        return AdamState(np.clip(means, -CLIP, CLIP), zeros, zeros, np.zeros_like(means[:, :1, :1]))

    def step(
        self,
        state: AdamState,
        gradient: Gradient,
        prior_mean: float,
        step_size: float,
        kl_weight: float | np.ndarray,
        change: CouplingChange | None = None,
    ) -> tuple[AdamState, Pulls | None]:
        """The next state, and the `Pulls` of a `CouplingChange` if there is one.

        From the `Gradient` of the objective without its KL.
        """
        slope = gradient.dense() + kl_weight * (math.atanh(prior_mean) - np.arctanh(state.means))
        first = FIRST_DECAY * state.first + FIRST_SHARE * slope
        second = SECOND_DECAY * state.second + SECOND_SHARE * slope**2
        # both begin at zero: without the bias that this gives them
        n = state.n_steps + 1
        first_moment = first / (1 - FIRST_DECAY**n)
        second_moment = second / (1 - SECOND_DECAY**n)
        move = step_size * first_moment / (np.sqrt(second_moment) + SMALLEST_STEP)
        means = np.clip(state.means + move, -CLIP, CLIP)
        return AdamState(means, first, second, n), None if change is None else change.pulls(state.means, means)


Rule = Natural | Adam


def share_of_step(rule, done):
    r"""Return the size of a step in units of ``step_size`` where a share t of a climb is done.

    "settling" is :math:`1 - t` up to :math:`t = 1 - p`, and :math:`p\, \epsilon^{1 - (1-t)/p}` from there on, with
    p = 0.3 and ε = 1e-4.  All samples of a state push its weight in one direction, so that states want much smaller
    steps than synapses do, and time to come to rest with them.
    """
    left = 1 - done
    if rule.schedule == "constant":
        return 1.0
    if rule.schedule == "settling" and left < SETTLING_PART:
        return SETTLING_PART * SETTLED_STEP ** (1 - left / SETTLING_PART)
    return left
