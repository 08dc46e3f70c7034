r"""Log-likelihood of a machine, with ln Z by annealed importance sampling or, of few units, by the sum over all states.

Chains are carried from independent pixels (fields a⁰, ``base``) to the machine (J, a, b) through the networks s J,
(1 - s) a⁰ + s a, s b for s from 0 to 1, with the weights

.. math::
    \ln w = \sum_k \ln \frac{f_{s_{k+1}}(\sigma^k)}{f_{s_k}(\sigma^k)}, \qquad
    \ln f_s(\sigma) = \sum_i [(1-s) a^0_i + s a_i] \sigma_i + \sum_\mu \ln 2\cosh s \Bigl(b_\mu + \sum_i J_{i\mu}
    \sigma_i\Bigr), \qquad <w> = Z/Z_0
"""

import warnings
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.data.mixture import reference_of
from vmfcore.data.packing import pixel_fields
from vmfcore.machines.machine import Machine, check_data, check_machine, couplings_of, hidden_field_blocks
from vmfcore.machines.sampling import MAX_EXACT_HIDDEN, draw_hidden
from vmfcore.machines.tempered import TemperedEstimate, tempered_log_partition
from vmfcore.networks import Exact, Gibbs
from vmfcore.networks.annealing import PartitionEstimate, anneal, log_mean
from vmfcore.networks.exact import MAX_SUMMED_UNITS, log_partition
from vmfcore.networks.gibbs import relax
from vmfcore.networks.network import ConvergenceWarning
from vmfcore.numerics.products import multiply
from vmfcore.numerics.spins import log2cosh
from vmfcore.numerics.streams import Stream, generator, stream_key

MANY_ANNEALED = Gibbs(n_chains=200, n_temperatures=2000)
MANY_CHAINS = Gibbs(n_chains=200, n_temperatures=2000, n_rungs=None)
MIN_ROUND_TRIPS = 100  # of tempered chains, that an estimate of ln Z is to rest on
ROUNDING = 1e-6  # nats by which samples that are all states may weigh more than Z
OPEN = 1.0  # nats between two estimates of ln Z that are too many to pass over


class LogLikelihood(NamedTuple):
    """ln P(σ) of data."""

    mean: float  # over the samples, nats a sample
    standard_error: float  # of the mean, as far as it comes from ln Z; 0 where ln Z is exact
    log_partition: float  # nats
    effective_chains: float  # of annealed importance sampling; infinite where ln Z is exact
    per_sample: np.ndarray  # (M,), nats
    from_data: PartitionEstimate | None  # ln Z by the way back, of chains from data; None where it is exact
    from_noise: PartitionEstimate | None  # the same of those that took the way forward
    forward: PartitionEstimate | None = None  # ln Z by the way forward
    tempered: TemperedEstimate | None = None  # ln Z by tempered chains; None where they were not asked for
    least_log_partition: float = -np.inf  # ln Σ f(σ) of the distinct samples, below which ln Z cannot be

    @property
    def bracket(self) -> tuple[float, float]:
        """The smallest and the largest mean, nats a sample, that the estimates of ln Z leave.

        Where tempered chains cross, theirs from both sides and two standard errors, and the way forward where it finds
        more: it is rarely too large.  Otherwise all estimates.  None is below what the samples themselves weigh.
        """
        annealed = [x.log_partition for x in (self.forward, self.from_data, self.from_noise) if x is not None]
        if self.tempered is not None and crosses(self.tempered):
            low, high = _sides(self.tempered)
            high = max(high, annealed[0])
        else:
            estimates = [self.log_partition, *annealed]
            low, high = min(estimates), max(estimates)
        of_spins = self.mean + self.log_partition
        return of_spins - max(high, self.least_log_partition), of_spins - max(low, self.least_log_partition)


def crosses(tempered: TemperedEstimate) -> bool:
    """Whether tempered chains go round often enough."""
    return tempered.crossing.round_trips >= MIN_ROUND_TRIPS


def _sides(tempered):
    """The smallest and the largest ln Z by tempered chains."""
    error = 2 * tempered.standard_error
    estimates = tempered.from_below, tempered.from_above, tempered.log_partition - error
    return min(estimates), max(*estimates, tempered.log_partition + error)


def estimate_log_partition(
    machine: Machine,
    base: ArrayLike,
    solver: Gibbs = MANY_ANNEALED,
    *,
    reverse_from: ArrayLike | None = None,
    seed: int,
) -> PartitionEstimate:
    r"""Estimate ln Z by annealed importance sampling, from independent pixels to the machine or back.

    Parameters
    ----------
    machine : Machine
    base : (N,) array
        Fields a⁰ of the independent pixels; the closer they are to the data, the smaller the error.
    solver : Gibbs
        Chains of the way forward, and steps from s = 0 to 1, of equal size.
    reverse_from : (K, N) array, ±1, or None
        Independent samples of the machine itself, at least 2: each is carried back to the independent pixels, in place
        of the chains.
    seed : int >= 0

    Returns
    -------
    PartitionEstimate
        Z counts all 2^(N+P) states.  On average the way forward gives too small a value of ln Z and the way back too
        large a one, so that the two bracket it.

    Notes
    -----
    O(n_temperatures K N P).  The chains are in single precision, their weights in double precision.  With few
    effective chains, less than ten or so, the standard error is not to be trusted either: take more temperatures.
    Same bits for any number of threads.

    References
    ----------
    R. M. Neal, Statistics and Computing 11, 125 (2001); R. Salakhutdinov, I. Murray, ICML (2008); the way back:
    Y. Burda, R. Grosse, R. Salakhutdinov, AISTATS (2015).

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> from vmfcore.machines.likelihood import estimate_log_partition
    >>> machine = vmf.planted(20, 3, beta=1.0, seed=1)
    >>> estimate = estimate_log_partition(machine, np.zeros(20), vmf.Gibbs(100, 200), seed=1)
    >>> exact = vmf.Exact().solve(vmf.Network(machine.couplings, np.zeros(20), np.zeros(3)))
    >>> bool(abs(estimate.log_partition - exact.log_partition) < 5 * estimate.standard_error)
    True
    """
    machine = check_machine(machine)
    n_visible, n_hidden = machine.weights.shape
    base = checks.array((n_visible,), base=base)
    checks.within(checks.MAX_SIZE, base=base)
    checks.instance(Gibbs, solver=solver)
    solver.check_anneals()
    checks.integer(0, seed=seed)
    couplings, fields = couplings_of(machine, np.float32), (machine.visible_fields, machine.hidden_fields)
    path, key = np.linspace(0.0, 1.0, solver.n_temperatures + 1), stream_key(seed, Stream.ANNEALING)
    if reverse_from is not None:
        samples = checks.spins(reverse_from, shape=(None, n_visible), name="reverse_from")
        if len(samples) < 2:
            raise ValueError(f"reverse_from must hold at least 2 samples, got {len(samples)}")
        hidden = draw_hidden(samples, machine, generator(seed, Stream.ANNEALING))
        return _way_back(couplings, fields, base, path, hidden, key)
    hidden = np.zeros((solver.n_chains, -(-n_hidden // 8)), np.uint8)
    return log_mean(anneal(couplings, fields, base, path, hidden, key))


def _way_back(couplings, fields, base, path, hidden, key):
    """ln Z by chains that are in equilibrium at the machine, carried from there to the independent pixels."""
    estimate = log_mean(anneal(couplings, fields, base, path[::-1], hidden, key))
    return estimate._replace(log_partition=-estimate.log_partition)


class _Bracket(NamedTuple):
    """ln Z by the way forward, and by the way back of chains that began in the data or came forward."""

    forward: PartitionEstimate
    from_data: PartitionEstimate | None
    from_noise: PartitionEstimate | None


def _bracket(machine, data, base, solver, seed):
    """`_Bracket` of a checked machine; before the way back all chains sweep at s = 1 as often as on it."""
    couplings = couplings_of(machine, np.float32)
    fields = machine.visible_fields, machine.hidden_fields
    in_single = tuple(field.astype(np.float32) for field in fields)
    path = np.linspace(0.0, 1.0, solver.n_temperatures + 1)
    keys = [stream_key(seed, Stream.ANNEALING, *branch) for branch in ((), (0,), (1,), (2,), (3,))]

    came_forward = np.zeros((solver.n_chains, -(-machine.weights.shape[1] // 8)), np.uint8)
    log_weights = anneal(couplings, fields, base, path, came_forward, keys[0])
    forward = log_mean(log_weights)
    rng = generator(seed, Stream.ANNEALING)
    chosen = rng.choice(len(data.bits), solver.n_chains, replace=len(data.bits) < solver.n_chains)
    began_in_data = draw_hidden(data.take(chosen), machine, rng)
    # they stand for samples of the machine with their weights
    came_forward = came_forward[rng.choice(solver.n_chains, solver.n_chains, p=scipy.special.softmax(log_weights))]

    ways_back = []
    for hidden, key, key_back in ((began_in_data, *keys[1:3]), (came_forward, *keys[3:])):
        relax(couplings, in_single, hidden, solver.n_temperatures, key)
        ways_back.append(_way_back(couplings, fields, base, path, hidden, key_back))
    return _Bracket(forward, *ways_back)


def _warn_open(bracket):
    """The one warning about estimates of ln Z that do not agree."""
    forward, from_data, from_noise = (estimate.log_partition for estimate in bracket)
    if max(abs(from_data - forward), abs(from_noise - forward)) > OPEN:
        text = (
            f"ln Z is {forward:.2f} by the way forward, {from_data:.2f} and {from_noise:.2f} by the way back, "
            "from data and from noise: take more n_temperatures, or do not trust the likelihood to better than that"
        )
        warnings.warn(text, ConvergenceWarning, stacklevel=3)


def _warn_untempered(tempered, forward):
    """The one warning about ln Z by tempered chains that do not cross, or that miss a state."""
    low, high = _sides(tempered)
    if not crosses(tempered) or high - low > OPEN or forward.log_partition > high + OPEN:
        text = (
            f"ln Z is {tempered.log_partition:.2f} by tempered chains, {low:.2f} to {high:.2f} from both sides, and "
            f"{forward.log_partition:.2f} by annealing; round trips: {tempered.crossing.round_trips:.0f}. "
            "Take more n_temperatures, or do not trust the likelihood to better than that"
        )
        warnings.warn(text, ConvergenceWarning, stacklevel=3)


def _least_log_partition(data, log_weights):
    """ln Σ f(σ) over distinct samples: Z sums all states, and these are some of them."""
    used = data.bits.copy()
    used[:, -1] &= np.uint8(0xFF << -data.n_visible % 8 & 0xFF)
    _, first = np.unique(used, axis=0, return_index=True)
    return float(scipy.special.logsumexp(log_weights[first]))


def visible_log_weights(data, machine):
    """ln f(σ) (M,) of packed data and a checked machine, which is ln P(σ) + ln Z."""
    log_weights = multiply(data.bits, machine.visible_fields[:, None])[:, 0]
    for block, fields in hidden_field_blocks(data, machine):
        log_weights[block] += log2cosh(fields).sum(axis=1)
    return log_weights


def log_likelihood(
    spins: ArrayLike, machine: Machine, solver: Exact | Gibbs | None = None, *, base: ArrayLike | None = None, seed: int
) -> LogLikelihood:
    r"""Log-likelihood of data, ln P(σ) = Σ_i a_i σ_i + Σ_μ ln 2cosh(b_μ + Σ_i J_iμ σ_i) - ln Z.

    Parameters
    ----------
    spins : (M, N) array, ±1, or PackedSpins
    machine : Machine
    solver : Exact, Gibbs or None
        Of ln Z: the sum over all states of the smaller layer, up to 20 units, or annealed importance sampling.
        None: the sum up to 16 units, ``Gibbs(200, 2000, n_rungs=None)`` above: tempered and annealed chains.
    base : (N,) array or None
        Fields of the independent pixels from which ln Z is annealed, where it is; None: those of ``spins``.  They alter
        its error and not its value: a test set is better served by the fields of its training set.
    seed : int >= 0
        Of the chains.

    Returns
    -------
    LogLikelihood
        With the ln Z of tempered chains (`vmfcore.machines.tempered`), or of the way forward where the solver has one
        rung.  Of two ways back, one begins at the machine with chains that began in the
        data, the other with those that came forward, drawn anew by their weights; both have relaxed there for as many
        sweeps as there are temperatures.  ``bracket`` is what the estimates leave of the mean.

    Warns
    -----
    ConvergenceWarning
        If two estimates of ln Z differ by more than a nat, or tempered chains do not cross between states; if the
        samples weigh more than the estimate of Z, beyond its error.  Their weight is taken in its place.

    Notes
    -----
    O(M N P) and the price of ln Z, O(2^min(N, P) N P) or, five times, O(n_temperatures n_chains N P).  On average the
    way forward makes ln Z too small and the likelihood too large, and a way back, from chains that are in equilibrium,
    the other way round.  Chains that have stayed where the data are know nothing of what else the machine has: their
    way back can be too small as well.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> machine = vmf.planted(20, 3, beta=1.0, seed=1)
    >>> result = vmf.log_likelihood(vmf.sample(machine, 100, seed=1), machine, seed=0)
    >>> bool(-20 * 0.7 < result.mean < 0), result.standard_error
    (True, 0.0)
    """
    data, machine = check_data(spins, machine)
    base = None if base is None else checks.array(machine.weights.shape[:1], base=base)
    checks.integer(0, seed=seed)
    if base is not None and isinstance(solver, Exact):
        raise ValueError("base must be None for an exact sum, which starts from nothing")
    solver = _checked_solver(solver, min(machine.weights.shape))
    per_sample = visible_log_weights(data, machine)
    if isinstance(solver, Exact):
        log_z = log_partition(machine.couplings, machine.visible_fields, machine.hidden_fields)
        per_sample -= log_z
        return LogLikelihood(float(per_sample.mean()), 0.0, log_z, np.inf, per_sample, None, None)

    # by annealing, and by tempered chains where the solver has rungs
    base = pixel_fields(data) if base is None else base
    bracket = _bracket(machine, data, base, solver, seed)
    log_z, error, effective_chains = bracket.forward
    tempered = None
    if solver.n_rungs == 1:
        _warn_open(bracket)
    else:
        fields = machine.visible_fields, machine.hidden_fields
        path = couplings_of(machine, np.float32), fields, reference_of(data, seed)
        tempered = tempered_log_partition(*path, solver, seed)
        log_z, error = tempered.log_partition, tempered.standard_error
        _warn_untempered(tempered, bracket.forward)

    # the samples are states: Z cannot be less than what they weigh
    least = _least_log_partition(data, per_sample)
    if log_z < least - 3 * error - ROUNDING:
        text = f"ln Z is estimated as {log_z:.2f}, but the samples alone weigh {least:.2f}, which is taken instead"
        warnings.warn(text, ConvergenceWarning, stacklevel=2)
    log_z = max(log_z, least)
    per_sample -= log_z
    return LogLikelihood(
        mean=float(per_sample.mean()),
        standard_error=error,
        log_partition=log_z,
        effective_chains=effective_chains,
        per_sample=per_sample,
        from_data=bracket.from_data,
        from_noise=bracket.from_noise,
        forward=bracket.forward,
        tempered=tempered,
        least_log_partition=least,
    )


def _checked_solver(solver, n_fewest):
    """The solver of ln Z of a machine whose smaller layer has so many units."""
    if solver is None:
        return Exact() if n_fewest <= MAX_EXACT_HIDDEN else MANY_CHAINS
    checks.instance(Exact | Gibbs, solver=solver)
    if isinstance(solver, Gibbs):
        solver.check_outside_fit()
    elif n_fewest > MAX_SUMMED_UNITS:
        raise ValueError(
            f"solver must be Gibbs for more than {MAX_SUMMED_UNITS} units in both layers, got {solver} and {n_fewest}"
        )
    return solver
