r"""The real parameters of a machine, inverse temperatures and fields, and how they climb.

With J_iμ = β_μ λ_iμ/√N the energy is written in centred coordinates as (σ - μ)ᵀ J (h - r) + a'·σ + b'·h, where μ and
r are the means of the spins over the data: a = a' - J r, b = b' - Jᵀ μ.  Derivatives at fixed a', b' do not see the
mean image, which otherwise rules the climb: a step of the couplings moves a and b so that both layers keep their mean
fields.  Without learnt fields there is nothing to move, and the coordinates are the plain ones.

References
----------
G. Montavon, K.-R. Müller, LNCS 7700, 621 (2012); K. Cho, T. Raiko, A. Ilin, ICML (2011).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from vmfcore import checks
from vmfcore.bounds.beliefs import Posterior
from vmfcore.bounds.gradient import Centre
from vmfcore.bounds.synapses import GRAIN, rows_of_sum
from vmfcore.data.packing import pixel_fields, total_spins
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.passes import column_products
from vmfcore.numerics.vectors import LANES, lane_dot

LEARNT_BETAS = ("no", "global", "unit")
STEP_SIZE = 0.02
BETA_SHARE = 0.3  # of the step of the fields: synapses decide before the temperatures follow
MAX_BETA_STEP = 0.1  # of ln β
CENTRE_MEMORY = 0.99  # of the running mean of the hidden spins over the data


@dataclass(frozen=True)
class Learn:
    """What is learnt.

    Parameters
    ----------
    fields : bool
        Visible and hidden fields, in centred coordinates.  Images need it: without fields the hidden units spend
        themselves on the mean image.
    beta : "no", "global" or "unit"
        The inverse temperature: not, one for all hidden units, or one for each.
    step_size : float in (0, 1]
        Of the fields, in units of a natural step of a free spin; ln β takes 0.3 of it, so that synapses decide first.
        Of no use where neither is learnt.
    synapses : bool
        False: they stay at ``init``, and only fields or temperatures move.
    correlation : bool
        That of the prior, which message passing alone can use (`vmfcore.infer_weights`).

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.Learn(fields=True, beta="unit")
    Learn(fields=True, beta='unit', step_size=0.02, synapses=True, correlation=False)
    """

    fields: bool = False
    beta: str = "no"
    step_size: float = STEP_SIZE
    synapses: bool = True
    correlation: bool = False

    def __post_init__(self):
        checks.flag(fields=self.fields, synapses=self.synapses, correlation=self.correlation)
        beta = checks.option(LEARNT_BETAS, beta=self.beta)
        step_size = checks.real(0, 1, closed="right", step_size=self.step_size)
        flags = {name: bool(getattr(self, name)) for name in ("fields", "synapses", "correlation")}
        checks.keep(self, beta=beta, step_size=step_size, **flags)
        if not (self.synapses or self.anything):
            raise ValueError("synapses must be True where neither fields nor beta are learnt, got False")
        if not self.anything and step_size != STEP_SIZE:
            raise ValueError(f"step_size must be left out where neither fields nor beta are learnt, got {step_size}")

    @property
    def anything(self) -> bool:
        """Whether anything but the synapses is learnt."""
        return self.fields or self.beta != "no"


class RealParameters(NamedTuple):
    """Inverse temperatures and fields of R replicas, and the centres of the coordinates in which they climb."""

    beta: np.ndarray  # (R, P)
    visible_fields: np.ndarray | None  # (R, N); None: a model without fields
    hidden_fields: np.ndarray | None  # (R, P)
    pixel_means: np.ndarray | None  # (R, N), μ; None: fields are not learnt
    centre: np.ndarray | None  # (R, P), r, a running mean

    @property
    def is_centred(self):
        return self.centre is not None


def start_parameters(beta, fields, learn, data, shape):
    """RealParameters of R replicas, shape (R, N, P): fields given or, where learnt, those of independent pixels."""
    n_replicas, n_visible, n_hidden = shape
    beta = np.broadcast_to(beta, (n_replicas, n_hidden)).astype(np.float64)
    visible_fields, hidden_fields = fields
    if learn.fields and visible_fields is None:
        visible_fields = pixel_fields(data)
    if visible_fields is None and hidden_fields is None:
        return RealParameters(beta, None, None, None, None)
    visible_fields = np.zeros(n_visible) if visible_fields is None else visible_fields
    hidden_fields = np.zeros(n_hidden) if hidden_fields is None else hidden_fields
    tiled = np.tile(visible_fields, (n_replicas, 1)), np.tile(hidden_fields, (n_replicas, 1))
    if not learn.fields:
        return RealParameters(beta, *tiled, None, None)
    pixel_means = np.tile(total_spins(data) / len(data.bits), (n_replicas, 1))
    return RealParameters(beta, *tiled, pixel_means, np.zeros((n_replicas, n_hidden)))


def posterior(means, real):
    """Q and the parameters of the machine, as the bound takes them."""
    return Posterior(means, real.beta, real.visible_fields, real.hidden_fields)


def centred_gradient(real, evaluation):
    """The derivative of total + KL with respect to the means, at fixed a' and b'."""
    if not real.is_centred:
        return evaluation.gradient
    slopes = evaluation.slopes
    scales = real.beta / np.sqrt(slopes.visible_fields.shape[1])
    centre = Centre(real.pixel_means, slopes.visible_fields, scales * slopes.hidden_fields, scales * real.centre)
    return evaluation.gradient._replace(centre=centre)


def real_distance(real, evaluation, n_samples, learn):
    """Root mean square of the derivatives of what is learnt, a sample, of each replica."""
    learnt = []
    if real.is_centred:
        learnt += [evaluation.slopes.visible_fields, evaluation.slopes.hidden_fields]
    if learn.beta == "unit":
        learnt.append(evaluation.slopes.log_beta)
    elif learn.beta == "global":
        learnt.append(evaluation.slopes.log_beta.mean(axis=1, keepdims=True))
    if not learnt:
        return 0.0
    return np.sqrt(np.mean(np.concatenate(learnt, axis=1) ** 2, axis=1)) / n_samples


def next_beta(real, means, slopes, learn, n_samples, step_size, max_beta):
    """β after a step in ln β, in units of its Fisher information, which but for a factor of order 1 is M β²."""
    if learn.beta == "no":
        return real.beta
    slope = slopes.log_beta
    if real.is_centred:
        # what the couplings pull the hidden units to, in the mean image and in its derivative
        vectors = np.stack([real.pixel_means, slopes.visible_fields], axis=1).astype(means.dtype)
        of_replicas = [column_products(*replica) for replica in zip(vectors, means, strict=True)]
        of_pixels, of_slopes = np.stack(of_replicas, axis=1)
        scales = real.beta / np.sqrt(means.shape[1])
        slope = slope - scales * (slopes.hidden_fields * of_pixels + real.centre * of_slopes)
    curvature = n_samples * real.beta**2
    if learn.beta == "global":
        slope = slope.mean(axis=1, keepdims=True)
        curvature = curvature.mean(axis=1, keepdims=True)
    move = np.clip(BETA_SHARE * step_size * slope / curvature, -MAX_BETA_STEP, MAX_BETA_STEP)
    return np.clip(real.beta * np.exp(move), 1.001 * checks.MIN_BETA, max_beta)


class CouplingChange(NamedTuple):
    """From which couplings to which a step leads, and with what their change is summed."""

    scales: np.ndarray  # (R, P), β/√N before
    new_scales: np.ndarray  # (R, P), and after
    pixels: np.ndarray  # (R, N)
    centre: np.ndarray  # (R, P)

    @classmethod
    def to(cls, beta, real, means):
        """From the parameters at these means to another β; None where nothing is centred, and no sum is needed."""
        if not real.is_centred:
            return None
        root = np.sqrt(means.shape[1])
        parts = real.beta / root, beta / root, real.pixel_means, real.centre
        return cls(*(part.astype(means.dtype) for part in parts))

    def pulls(self, means, new_means):
        """`Pulls` of the change from some means to others."""
        pulls = Pulls.empty(means)
        with numba_threads(len(means) * pulls.of_hidden.shape[1], means.size / GRAIN):
            _pulls(means, new_means, self, *pulls)
        return pulls


class Pulls(NamedTuple):
    """What a change of the couplings adds to the mean fields: summed as a change, it loses no digits."""

    of_visible: np.ndarray  # (R, N), Σ_μ change_iμ r_μ
    of_hidden: np.ndarray  # (R, jobs, P), Σ_i change_iμ μ_i of each job

    @classmethod
    def empty(cls, means):
        """Room for those of means (R, N, P)."""
        n_replicas, n_visible, n_hidden = means.shape
        n_jobs = -(-n_visible // rows_of_sum(n_hidden))
        return cls(np.empty((n_replicas, n_visible)), np.empty((n_replicas, n_jobs, n_hidden)))


@kernel
def add_pulls(replica, first, means, new_means, change, of_visible, of_hidden):
    """`Pulls` of some rows of one replica, added to those of the hidden units."""
    scales = change.scales[replica]
    new_scales = change.new_scales[replica]
    centre = change.centre[replica]
    difference = np.empty_like(means[0])
    lanes = np.empty(LANES, means.dtype)
    for n in range(len(means)):
        old = means[n]
        new = new_means[n]
        pixel = change.pixels[replica, first + n]
        for mu in range(difference.size):
            difference[mu] = new_scales[mu] * new[mu] - scales[mu] * old[mu]
        of_visible[n] = lane_dot(difference, centre, lanes)
        for mu in range(difference.size):
            of_hidden[mu] += pixel * difference[mu]


@parallel_kernel
def _pulls(means, new_means, change, of_visible, of_hidden):
    """`Pulls` of all rows, the sums over i of each job on its own."""
    n_replicas, n_visible, n_hidden = means.shape
    rows = rows_of_sum(n_hidden)
    n_jobs = of_hidden.shape[1]
    for job in numba.prange(n_replicas * n_jobs):
        r = job // n_jobs
        first = rows * (job % n_jobs)
        block = slice(first, min(first + rows, n_visible))
        of_hidden[r, job % n_jobs] = 0
        add_pulls(
            r, first, means[r, block], new_means[r, block], change, of_visible[r, block], of_hidden[r, job % n_jobs]
        )


def next_parameters(real, beta, pulls, evaluation, n_samples, step_size):
    """The parameters at a new β, with fields that follow their derivatives, and the couplings by their ``pulls``.

    So both layers keep the mean fields that they had.
    """
    moved = real._replace(beta=beta)
    if not real.is_centred:
        return moved
    a = real.visible_fields + step_size / n_samples * evaluation.slopes.visible_fields - pulls.of_visible
    b = real.hidden_fields + step_size / n_samples * evaluation.slopes.hidden_fields - pulls.of_hidden.sum(axis=1)
    centre = CENTRE_MEMORY * real.centre + (1 - CENTRE_MEMORY) * evaluation.hidden_means
    return moved._replace(visible_fields=a, hidden_fields=b, centre=centre)
