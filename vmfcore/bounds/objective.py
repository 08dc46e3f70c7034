r"""The variational bound on the log-likelihood of the data, and its gradient.

With Q(ξ) = Π_iμ (1 + λ_iμ ξ_iμ)/2,

.. math::
    L(\lambda) = \sum_a a\cdot\sigma^a + \sum_{a\mu}\langle\ln 2\cosh(b_\mu + \beta_\mu X^a_\mu)\rangle_Q
    - M\langle\ln Z(\xi)\rangle_Q - \mathrm{KL}(Q\|P_0), \qquad X^a_\mu = \frac{1}{\sqrt N}\sum_i \xi_{i\mu}\sigma^a_i .

The paper's model has no fields a, b, and one inverse temperature.
"""

from typing import NamedTuple

import numpy as np

from vmfcore import checks
from vmfcore.bounds import data_term as data_terms
from vmfcore.bounds import model_term as dual
from vmfcore.bounds.synapses import Slopes, combine, total_entropy
from vmfcore.data.packing import pack_spins, pixel_fields, total_spins
from vmfcore.machines.likelihood import check_chains
from vmfcore.networks.chains import Annealing
from vmfcore.networks.exact import MAX_SUMMED_UNITS
from vmfcore.networks.network import NETWORK_ADVICE, warn_few_chains, warn_unconverged
from vmfcore.numerics.jit import one_blas_thread

MAX_AUTO_EXACT = 10  # hidden units up to which exact sums are quicker than the data term
MIN_AUTO_TAP = 20_000  # synapses from which on the cavity method would take longer than the data term


class Bound(NamedTuple):
    """Totals over the data, in nats: total = data_term - model_term - kl."""

    total: float
    data_term: float
    model_term: float
    kl: float


class Evaluation(NamedTuple):
    """The bound, the derivatives of total + kl, the entropy of Q, the hidden spins over the data, the model term.

    For means (R, N, P) of replicas all numbers have shape (R,).
    """

    bound: Bound
    gradient: np.ndarray  # with respect to the means
    slopes: Slopes  # with respect to the real parameters
    entropy: np.ndarray  # nats
    hidden_means: np.ndarray  # (P,), of the hidden spins over the data
    model: dual.ModelTerm


def kl_divergence(means, entropy, prior_mean=0.0):
    """KL(Q || P0) = -S(Q) - <ln P0>_Q in nats, of synapses of known entropy S against independent ones of mean m0."""
    up, down = np.log(0.5 * (1.0 + prior_mean)), np.log(0.5 * (1.0 - prior_mean))
    total_mean = means.sum(axis=-2).sum(axis=-1, dtype=np.float64) if prior_mean else 0.0
    return -entropy - 0.5 * (up + down) * means.shape[-2] * means.shape[-1] - 0.5 * (up - down) * total_mean


def evaluate(
    data,
    means,
    beta,
    prior_mean=0.0,
    *,
    visible_fields=None,
    hidden_fields=None,
    data_term="gaussian",
    model_term="annealed",
    n_samples=None,
    **options,
):
    """Bound and derivatives at once, without checks: packed ``data``, ``options`` those of the model term.

    beta is a number or (R, P), fields are None, or (R, N) and (R, P).  With ``n_samples`` the data stand for so many.
    """
    share = 1 if n_samples is None else n_samples / len(data.bits)
    n_samples = len(data.bits) if n_samples is None else n_samples
    model = getattr(dual, model_term)(means, beta, visible_fields, hidden_fields, **options)
    of_data = getattr(data_terms, data_term)(data, means, beta, hidden_fields)
    gradient = combine(share, of_data.gradient, -n_samples, model.gradient)
    value, model_total, spins = share * of_data.value, n_samples * model.value, 0.0
    if visible_fields is not None:
        spins = total_spins(data)
        value = value + share * (visible_fields @ spins)
    from_data = of_data.log_beta, spins, of_data.hidden_fields
    slopes = Slopes(*(share * x - n_samples * y for x, y in zip(from_data, model.slopes, strict=True)))
    entropy = total_entropy(means)
    kl = kl_divergence(means, entropy, prior_mean)
    bound = Bound(value - model_total - kl, value, model_total, kl)
    return Evaluation(bound, gradient, slopes, entropy, of_data.hidden_fields / len(data.bits), model)


def check_fields(beta, visible_fields, hidden_fields, n_visible, n_hidden):
    """Check β, a number or one of each hidden unit, and the fields; return them as float64, the fields as a pair."""
    if isinstance(beta, (list, tuple)) or np.ndim(beta):
        beta = checks.array((n_hidden,), beta=beta)
        for value in (beta.min(), beta.max()):
            checks.real(checks.MIN_BETA, checks.MAX_BETA, beta=value)
    else:
        beta = checks.real(checks.MIN_BETA, checks.MAX_BETA, beta=beta)
    if visible_fields is not None:
        visible_fields = checks.array((n_visible,), visible_fields=visible_fields)
        checks.within(checks.MAX_SIZE, visible_fields=visible_fields)
    if hidden_fields is not None:
        hidden_fields = checks.array((n_hidden,), hidden_fields=hidden_fields)
        checks.within(checks.MAX_SIZE, hidden_fields=hidden_fields)
    return beta, (visible_fields, hidden_fields)


def check_options(n_visible, n_hidden, data_term, model_term, expectation, n_points, tol, max_iter):
    """Check the options of the data and model term and return those that they take, as a dict for `evaluate`."""
    checks.option(data_terms.DATA_TERMS, data_term=data_term)
    checks.option(dual.MODEL_TERMS, model_term=model_term)
    checks.option(("auto", *dual.EXPECTATIONS), expectation=expectation)
    if expectation == "auto":
        small = "cavity" if n_visible * n_hidden < MIN_AUTO_TAP else "tap"
        expectation = "exact" if n_hidden <= MAX_AUTO_EXACT else small
    checks.integer(1, n_points=n_points, max_iter=max_iter)
    checks.real(0, np.inf, tol=tol)
    if expectation == "exact" and n_hidden > MAX_SUMMED_UNITS:
        raise ValueError(
            f'expectation must be "cavity", "tap" or "gibbs" for more than {MAX_SUMMED_UNITS} hidden units, '
            f'got "exact" and {n_hidden}'
        )
    if expectation == "gibbs" and model_term == "quenched":
        raise ValueError('expectation must be "cavity", "tap" or "exact" for the quenched term, got "gibbs"')
    if n_hidden > 2:
        checks.power_of_two(n_points=n_points)
    options = {"data_term": data_term, "model_term": model_term, "expectation": expectation}
    options |= {"tol": tol, "max_iter": max_iter}
    if model_term == "quenched":
        options["n_points"] = n_points
    return options


def _evaluate_checked(
    spins, means, beta, prior_mean, open_interval, annealed, visible_fields, hidden_fields, **options
):
    data = pack_spins(spins)
    means = checks.means(means, shape=(data.n_visible, None))
    beta, fields = check_fields(beta, visible_fields, hidden_fields, *means.shape)
    checks.real(-1, 1, prior_mean=prior_mean)
    options = check_options(*means.shape, **options)
    check_chains(*annealed)
    if options["expectation"] == "gibbs":
        options["annealing"] = Annealing(pixel_fields(data), *annealed)
    if open_interval and np.abs(means).max() == 1:
        raise ValueError("means must be inside (-1, 1) for a gradient: that of the KL is infinite at 1, got 1 in size")
    with one_blas_thread():
        evaluation = evaluate(
            data, means, beta, prior_mean, visible_fields=fields[0], hidden_fields=fields[1], **options
        )
    if not evaluation.model.converged and options["expectation"] == "gibbs":
        warn_few_chains(stacklevel=4)
    elif not evaluation.model.converged:
        warn_unconverged(evaluation.model.residual, options["tol"], options["max_iter"], NETWORK_ADVICE, stacklevel=4)
    return evaluation, means


def bound(
    spins,
    means,
    beta,
    *,
    visible_fields=None,
    hidden_fields=None,
    data_term="gaussian",
    model_term="annealed",
    expectation="auto",
    prior_mean=0.0,
    n_points=64,
    tol=1e-9,
    max_iter=1000,
    n_chains=200,
    n_temperatures=2000,
    seed=0,
):
    r"""Variational bound L(λ) on the log-likelihood of the data, and its parts.

    Parameters
    ----------
    spins : (M, N) array or PackedSpins
        Data, ±1.
    means : (N, P) array in [-1, 1]
        λ, the means of the synapses.
    beta : float or (P,) array in (1e-6, 50)
        Inverse temperature, of all hidden units or of each.
    visible_fields, hidden_fields : (N,) and (P,) arrays, or None
        a and b; None: no fields, as in the paper.
    data_term : "gaussian", "exact" or "tap"
        `vmfcore.data_terms`: Gaussian for large N; exact, O(N) times dearer, with which the annealed bound is one at
        any N; or with the reaction on the synapses, which makes the means calibrated and the total an estimate of the
        log-evidence instead of a bound.
    model_term : "annealed" or "quenched"
        `vmfcore.dual.annealed` (an upper limit of <ln Z>, so that L is a bound) or the paper's `vmfcore.dual.quenched`.
    expectation : "auto", "cavity", "tap", "exact" or "gibbs"
        Message passing on edges (`run_cavity`) or nodes (`run_tap`), the sum over the 2^P hidden states (P <= 20), or
        annealed importance sampling (`estimate_log_partition`; of the annealed network only), which on average gives
        too small a model term.
        auto takes the sum for P <= 10, else edges below 20,000 synapses and nodes from there on.  Message passing
        misses most of what two hidden units that duplicate each other cost, see `vmfcore.dual.annealed`.
    prior_mean : float in (-1, 1)
        m0 of the prior.
    n_points : int >= 1, a power of two for P > 2
        Points of the average over the hidden fields of the quenched term.  Below 2P they are too few to be whitened,
        and the term is noisy (by 4 nats a sample for P = 64 hidden units, trained on digits, and 16 points).
    tol, max_iter : float > 0, int >= 1
        Of message passing.
    n_chains, n_temperatures, seed : int >= 2, int >= 1, int >= 0
        Of expectation="gibbs".

    Returns
    -------
    Bound
        total, data_term, model_term = M <ln Z>, kl; nats.  ln 2cosh is used in data and model term.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Warns
    -----
    ConvergenceWarning
        If message passing has not converged.

    Notes
    -----
    O(M N P) and the model term: O(N P) a sweep, times ``n_points`` for the quenched one.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (3).
    """
    evaluation, _ = _evaluate_checked(
        spins,
        means,
        beta,
        prior_mean,
        False,
        (n_chains, n_temperatures, seed),
        visible_fields,
        hidden_fields,
        data_term=data_term,
        model_term=model_term,
        expectation=expectation,
        n_points=n_points,
        tol=tol,
        max_iter=max_iter,
    )
    return Bound(*map(float, evaluation.bound))


def bound_gradient(
    spins,
    means,
    beta,
    *,
    visible_fields=None,
    hidden_fields=None,
    data_term="gaussian",
    model_term="annealed",
    expectation="auto",
    prior_mean=0.0,
    n_points=64,
    tol=1e-9,
    max_iter=1000,
    n_chains=200,
    n_temperatures=2000,
    seed=0,
):
    r"""Derivative ∂L/∂λ of `bound`, the same arguments, with |λ| < 1.

    Returns
    -------
    (N, P) float64 array
        Nats.  For message passing it is the derivative of the Bethe value.  For a hidden unit whose synapses are
        decided (Ξ < 0.03) the quenched term uses Stein's lemma, see `vmfcore.dual.quenched`, and differs from the
        derivative of the sum over its points by their error.  With "gibbs" its correlations are averages over chains,
        and have their noise.

    Raises
    ------
    TypeError, ValueError
        As `bound`, and if a mean is ±1.
    """
    evaluation, means = _evaluate_checked(
        spins,
        means,
        beta,
        prior_mean,
        True,
        (n_chains, n_temperatures, seed),
        visible_fields,
        hidden_fields,
        data_term=data_term,
        model_term=model_term,
        expectation=expectation,
        n_points=n_points,
        tol=tol,
        max_iter=max_iter,
    )
    return evaluation.gradient + np.arctanh(prior_mean) - np.arctanh(means)
