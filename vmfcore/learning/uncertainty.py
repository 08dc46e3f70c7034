"""How well the data tell β and q: standard errors from the curvature of the log-evidence."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.bounds.beliefs import Prior
from vmfcore.learning.message_passing import infer_weights
from vmfcore.learning.result import FitResult
from vmfcore.machines.machine import check_data

STEP = 0.003  # of β, relative, and of q, in differences of the log-evidence: a seventh of an error of 3 10⁶ spins
N_SWEEPS = 2000  # at most, for each of them
TOL = 1e-7  # of the sweeps, after which the log-evidence, stationary in the means, is good to 1e-8 nats


class StandardErrors(NamedTuple):
    """Of what message passing has learnt; NaN of what it has not."""

    beta: float
    correlation: float


def standard_errors(spins: ArrayLike, result: FitResult) -> StandardErrors:
    r"""Standard errors of the β and the q that `vmfcore.infer_weights` has learnt.

    .. math:: \mathrm{Cov}(\beta, q) = -\Bigl[\frac{\partial^2 \Phi}{\partial(\beta, q)^2}\Bigr]^{-1}

    with the log-evidence Φ at the fixed point of message passing for each β and q, by differences of steps 0.003.

    Parameters
    ----------
    spins : (M, N) array or PackedSpins
        The data that the result was learnt from.
    result : FitResult
        Of `vmfcore.infer_weights` with ``learn=Learn(beta="global")``, ``Learn(correlation=True)`` or both.

    Returns
    -------
    StandardErrors
        NaN of what was not learnt, and where the log-evidence has no maximum at the result: message passing has not
        converged, the data do not tell β (below the threshold of learning), or q is at an end of its range.

    Warns
    -----
    ConvergenceWarning
        If message passing has not converged beside the β and q of the result.

    Notes
    -----
    Nine runs of message passing for both, three for one of them, from the means of the result.  They are errors of a
    posterior under a flat prior of β and q, of data that the model could have drawn.

    References
    ----------
    Derived in this project; that Φ is stationary in both are Nishimori's conditions, Hou & Huang, arXiv:1911.02344.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> spins = vmf.sample(vmf.planted(200, 1, beta=1.0, seed=1), 1000, seed=1)
    >>> result = vmf.infer_weights(spins, 1, 1.0, learn=vmf.Learn(beta="global"), seed=1)
    >>> errors = vmf.standard_errors(spins, result)
    >>> bool(abs(result.beta - 1.0) < 3 * errors.beta)
    True
    """
    checks.instance(FitResult, result=result)
    learnt = np.array([result.learn.beta == "global", result.learn.correlation])
    if result.objective is not None:
        raise ValueError("result must be of infer_weights, got one of fit")
    if not learnt.any():
        raise ValueError("result must have learnt beta or correlation (learn=), got neither")
    data, _ = check_data(spins, result.machine)
    n_hidden = result.means.shape[1]
    centre = np.array([result.beta, result.prior.correlation])
    lengths = STEP * np.array([result.beta, 1.0])
    lowest, highest = np.transpose([(checks.MIN_BETA, checks.MAX_BETA), result.prior.correlations(n_hidden)])
    told = learnt & (lowest < centre - lengths) & (centre + lengths < highest)

    def evidence(shift):
        beta, correlation = centre + shift
        prior = Prior(result.prior.mean, correlation)
        again = infer_weights(data, n_hidden, beta, prior=prior, init=result.means, n_steps=N_SWEEPS, tol=TOL, seed=0)
        return again.bound.total if again.converged else np.nan

    errors = np.full(2, np.nan)
    if result.converged and told.any():
        curvature = _curvature(evidence, np.diag(lengths)[told])
        if np.isfinite(curvature).all() and (np.linalg.eigvalsh(curvature) < 0).all():
            errors[told] = np.sqrt(np.diag(np.linalg.inv(-curvature)))
    return StandardErrors(*errors.tolist())


def _curvature(function, steps):
    """Second derivatives of a function of a shift along the steps, (K, 2), at none."""
    middle = function(np.zeros(2))
    n_steps, lengths = len(steps), np.abs(steps).sum(axis=1)
    second = np.empty((n_steps, n_steps))
    for i, step in enumerate(steps):
        second[i, i] = function(step) + function(-step) - 2 * middle
    for i in range(n_steps):
        for j in range(i):
            equal = function(steps[i] + steps[j]) + function(-steps[i] - steps[j])
            opposite = function(steps[i] - steps[j]) + function(steps[j] - steps[i])
            second[i, j] = second[j, i] = (equal - opposite) / 4
    return second / np.outer(lengths, lengths)
