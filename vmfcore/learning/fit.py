"""`fit`: learning by ascent on the variational bound."""

import numpy as np

from vmfcore import checks
from vmfcore.bounds.objective import Bound, check_fields, check_options
from vmfcore.data.packing import pixel_fields
from vmfcore.learning.checkpoints import kept_in
from vmfcore.learning.climb import Plan, begin, climb, distance, evaluate_machines, start_real
from vmfcore.learning.restarts import best_restart, check_learner, starting_means
from vmfcore.learning.result import FitResult, History
from vmfcore.learning.rules import RULES
from vmfcore.machines.likelihood import check_chains
from vmfcore.machines.machine import signs
from vmfcore.networks.chains import Annealing
from vmfcore.networks.network import NETWORK_ADVICE, check_tolerance, warn_few_chains, warn_unconverged

STEP_SIZES = {"natural": 0.15, "adam": 0.03}
TOLERANCES = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 3e-5}  # of message passing
SCHEDULES = ("constant", "linear")
LEARNT_BETAS = ("no", "global", "unit")
PAIR = (tuple, list, np.ndarray)


def fit(
    spins,
    n_hidden,
    beta,
    *,
    learn_beta="no",
    learn_fields=False,
    visible_fields=None,
    hidden_fields=None,
    rule="natural",
    data_term="gaussian",
    model_term="annealed",
    expectation="auto",
    n_steps=1000,
    step_size=None,
    field_step=0.02,
    schedule="constant",
    temperature=1.0,
    n_restarts=1,
    init="random",
    prior_mean=0.0,
    n_points=64,
    settled=3e-3,
    tol=None,
    max_iter=1000,
    dtype=np.float64,
    batch_size=None,
    n_chains=100,
    n_temperatures=1000,
    bound_every=None,
    checkpoint=None,
    checkpoint_every=100,
    seed,
    progress=False,
    callback=None,
):
    r"""Learn the means λ of ±1 synapses by ascent on the variational bound; the best of the restarts, by the bound.

    Parameters
    ----------
    spins : (M, N) array or PackedSpins
        Data, ±1; packed, they may stay in a file.
    n_hidden : int >= 1
        P.
    beta : float or (P,) array in (1e-6, 50)
        Inverse temperature, where it is learnt its start, of all hidden units or of each.
    learn_beta : "no", "global" or "unit"
        Climb the bound in β, too: one for all hidden units, or one for each.
    learn_fields : bool
        Climb it in visible and hidden fields, too, in centred coordinates (`vmfcore.rules.RealParameters`).  Images
        need it: without fields the hidden units spend themselves on the mean image.
    visible_fields, hidden_fields : (N,) and (P,) arrays, or None
        a and b, where they are learnt their start.  None: those of independent pixels where they are learnt, else none.
    rule : "natural" or "adam"
        The Bayesian learning rule on θ = atanh λ, or the paper's clipped Adam on λ.
    data_term, model_term, expectation, prior_mean, n_points, max_iter
        As in `bound`; messages are kept between steps.  data_term="tap" calibrates the means: on planted data mean λ²
        then follows the overlap, where the Gaussian one is overconfident.  Its total is flat or falls around λ = 0,
        so that from a random or principal-component start the Gaussian bound is climbed first (the history shows
        both climbs; the callback counts on), which costs about twice the steps, more near the threshold.  It is
        exact for N → ∞ and independent hidden units; for correlated ones see `infer_weights`.  Near the threshold
        prefer init="pca": random starts inherit the local optima of the Gaussian bound.
        expectation="gibbs" takes the averages from ``n_chains`` persistent chains of the dual network, one sweep a
        step: the choice for images, whose networks have many states.  The bound is told where `bound_every` asks for
        it, else nan, and is that of annealed importance sampling: rather too high than too low, by the error of ln Z
        for each sample, and of several restarts the one whose error is largest may be taken.
    n_steps : int >= 1
        Largest number of steps a climb.
    step_size : float > 0 or None
        ρ in (0, 1] of the natural rule (default 0.15), the learning rate in (0, 100] of Adam (default 0.03; the
        paper's 0.4 reaches the same overlap but does not settle).
    field_step : float in (0, 1]
        Step of the fields and of ln β, where they are learnt: of the fields in units of a natural step of a free spin;
        ln β takes 0.3 of it, so that synapses decide first.
    schedule : "constant" or "linear"
        All steps stay, or fall linearly to 0 at the last; with data_term="tap" in each of its two climbs.
    temperature : float in (1e-6, 1e6), or (first, last)
        T of the objective data term - model term - T KL, 1 for the bound itself; two numbers: from the first to the
        last in equal ratios.  Many hidden units leave synapses undecided at T = 1, each of which costs its entropy:
        below 1 they decide.  The bounds of history and result are at T = 1.
    n_restarts : int >= 1
        Independent starts, trained together; 1 where ``init`` is an array.
    init : "random", "pca" or (N, P) array in [-1, 1]
        θ uniform in ±0.1 (natural) or λ uniform in ±1 (adam); the leading principal components of the data,
        rotated at random; or given means.
    settled : float > 0
        A restart ends when `History.distance`, averaged over 20 steps, falls below it, whatever the step size; at the
        default planted problems are then within about 0.5 nats of the local optimum.  Where fields, β or a
        changing temperature are in play, or chains, it takes all its steps; `converged` then tells whether at the end
        the distance and, of the real parameters, the derivatives a sample are below it.  The noise of chains keeps it
        False.
    tol : float > 0 or None
        Of message passing; None: 1e-7, or 3e-5 in single precision, where it must be at least 1e-6.
    dtype : numpy.float64 or numpy.float32
        Precision of means, matrix products and averages.  Single precision, up to β = 8, takes less than half the time
        and changes the bound by about 1e-6 of its parts; sums over the data stay in double precision,
        chains always in single.
    batch_size : int in [1, M] or None
        Samples a step, drawn anew in every epoch: the stochastic natural gradient.  The bounds of history and callback
        are then estimates, whose noise may keep a run from settling: `converged` and `bound` come from all data at the
        end.  Average longer by a smaller step_size.  None: all data at every step.
    n_chains, n_temperatures : int >= 2, int >= 1
        Of expectation="gibbs": chains of each restart, and steps of the annealing that starts them and tells the bound.
    bound_every : int >= 1 or None
        Steps between two bounds that history and callback see with expectation="gibbs"; None: the first only.
    checkpoint : path or None
        A file that keeps where the climb stands: written before the first step, every so many steps, at the last, and
        when Ctrl-C stops the fit; each time whole, or as it was before.  If it is there already, the fit goes on from
        it, to the same bits as a fit that was never interrupted; the callback is told of the steps that remain.
    checkpoint_every : int >= 1
        Steps between two of them.
    seed : int >= 0
        Same seed, same bits, for any number of threads.
    progress : bool
        Show a progress bar.
    callback : callable or None
        Called as ``callback(step, means, bound)`` at every step of every restart, the start (step 0) included; the
        restarts follow one another within a step.

    Returns
    -------
    FitResult

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above; ValueError, too, if the checkpoint is damaged, or that of another fit.
    OSError
        If the checkpoint cannot be written; the one before it is still there.

    Warns
    -----
    ConvergenceWarning
        Once, if at the end of the best restart message passing had not converged, or ln Z rests on few chains.

    Notes
    -----
    O(M N P) a step and the model term (`bound`).  To run fits in several processes use joblib, or the start method
    "spawn" of multiprocessing: a process that has used threads must not be forked.

    References
    ----------
    Huang, arXiv:1911.07662; Meng, Bachmann & Khan, arXiv:2002.10778 and Meng, arXiv:2007.04676, for the natural rule.
    """
    data, init = check_learner(spins, n_hidden, prior_mean, n_steps, n_restarts, init, seed, callback)
    beta, fields = check_fields(beta, visible_fields, hidden_fields, data.n_visible, n_hidden)
    checks.option(LEARNT_BETAS, learn_beta=learn_beta)
    checks.flag(learn_fields=learn_fields)
    settled, prior_mean = checks.real(0, np.inf, settled=settled), float(prior_mean) + 0.0
    checks.option(RULES, rule=rule)
    checks.option(SCHEDULES, schedule=schedule)
    field_step = checks.real(0, 1, closed="right", field_step=field_step)
    dtype = checks.precision(dtype=dtype)
    if dtype == np.float32 and np.max(beta) > checks.MAX_SINGLE_BETA:
        raise ValueError(f"dtype must be float64 for beta > {checks.MAX_SINGLE_BETA:g}, got {dtype} and beta {beta!r}")
    tol = TOLERANCES[dtype] if tol is None else tol
    check_tolerance(tol, dtype)
    options = check_options(data.n_visible, n_hidden, data_term, model_term, expectation, n_points, tol, max_iter)
    step_size = STEP_SIZES[rule] if step_size is None else step_size
    step_size = checks.real(0, 1 if rule == "natural" else 100, closed="right", step_size=step_size)
    temperatures = tuple(temperature) if isinstance(temperature, PAIR) else (temperature, temperature)
    if len(temperatures) != 2:
        raise ValueError(f"temperature must be a number or (first, last), got {temperature!r}")
    temperatures = tuple(
        checks.real(checks.MIN_TEMPERATURE, checks.MAX_TEMPERATURE, temperature=value) for value in temperatures
    )
    if batch_size is not None:
        checks.integer(1, batch_size=batch_size)
        if batch_size > len(data.bits):
            raise ValueError(f"batch_size must be at most the number of samples, {len(data.bits)}, got {batch_size}")
    check_chains(n_chains, n_temperatures, seed)
    if bound_every is not None:
        checks.integer(1, bound_every=bound_every)
    checks.integer(1, checkpoint_every=checkpoint_every)
    sampled = options["expectation"] == "gibbs"
    to_the_end = sampled or learn_fields or learn_beta != "no" or temperatures[0] != temperatures[1]
    if sampled:
        options["annealing"] = Annealing(pixel_fields(data), n_chains, n_temperatures, seed)
    plan = Plan(
        rule,
        step_size,
        field_step,
        n_steps,
        schedule,
        temperatures,
        prior_mean,
        0.0 if to_the_end else settled,
        learn_beta,
        0.999 * (checks.MAX_SINGLE_BETA if dtype == np.float32 else checks.MAX_BETA),
        bound_every if sampled else None,
        batch_size,
        seed,
    )
    # the stationary point λ = 0 of the tap total holds small starts: the Gaussian bound leads them away from it
    stages = ["gaussian", "tap"] if data_term == "tap" and isinstance(init, str) else [data_term]
    stages = [options | {"data_term": stage} for stage in stages]
    problem = {"spins": data, "beta": beta, "visible_fields": fields[0], "hidden_fields": fields[1]}
    problem |= {
        "init": init,
        "n_hidden": n_hidden,
        "learn_fields": learn_fields,
        "n_restarts": n_restarts,
        "dtype": dtype.name,
    }
    problem |= plan._asdict() | stages[-1]

    def start(rngs):
        starts = [starting_means(init, data, n_hidden, rng, wide=rule == "adam") for rng in rngs]
        # in memory in the order (R, P, N), in which the matrix products want them
        means = np.swapaxes(np.stack([np.ascontiguousarray(start.T, dtype) for start in starts]), 1, 2)
        return begin(means, start_real(beta, fields, learn_fields, data, n_restarts, n_hidden), rule)

    def climb_all(rngs, report):
        standing = climb(data, start(rngs) if found is None else found, plan, stages, report, keep)
        means, real, at_rest = standing.ends, standing.end_reals, standing.at_rest
        final = evaluate_machines(data, means, real, prior_mean, stages[-1])
        if batch_size is not None or to_the_end:  # a batch is too noisy to tell
            at_rest = distance(means, final.gradient / temperatures[1], prior_mean) < settled
            at_rest &= real.distance(final, len(data.bits), learn_beta) < settled
        results = []
        for run, rows in enumerate(standing.rows):
            bound = Bound(*(float(part[run]) for part in final.bound))
            converged = bool(at_rest[run] and final.model.converged[run])
            history = History(*np.array(rows).T)
            learnt_beta = real.beta[run] if learn_beta == "unit" or np.ndim(beta) else float(real.beta[run, 0])
            learnt = (None if x is None else x[run] for x in (real.visible_fields, real.hidden_fields))
            result = FitResult(means[run], signs(means[run]), bound, history, converged, None, learnt_beta, *learnt)
            results.append((result, (final.model.converged[run], final.model.residual[run])))
        return results

    total = len(stages) * n_steps
    with kept_in(checkpoint, checkpoint_every, problem) as (found, keep):
        done = 0 if found is None else sum(max(len(rows) - 1, 0) for rows in found.rows)
        display = {"progress": progress, "callback": callback, "desc": "fit", "done": done}
        result, (solved, residual) = best_restart(
            climb_all, lambda run: run.bound.total, n_restarts, total, seed, **display
        )
    if not solved and sampled:
        warn_few_chains(stacklevel=3)
    elif not solved:
        warn_unconverged(residual, tol, max_iter, NETWORK_ADVICE, stacklevel=3)
    return result
