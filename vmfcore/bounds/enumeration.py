"""Exact sums over synapses: the posterior of a small problem, and <ln Z>_Q of a few hidden units."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.bounds.beliefs import Prior
from vmfcore.data.packing import pack_spins
from vmfcore.networks.exact import hidden_states
from vmfcore.numerics.blocks import IN_MEMORY, blocks
from vmfcore.numerics.spins import log2cosh

MAX_SUMMED_SYNAPSES = 20
MAX_COUNTS = 2**21  # numbers of sites of each kind


class ExactPosterior(NamedTuple):
    """P(ξ | data) of a small problem."""

    log_evidence: float  # ln P(data), nats
    means: np.ndarray  # (N, P), posterior means of the synapses


def exact_posterior(spins: ArrayLike, n_hidden: int, beta: float, *, prior: Prior = Prior()) -> ExactPosterior:
    r"""Log-evidence ln Σ_ξ P0(ξ) Π_a P(σ^a|ξ) and posterior means by the sum over all 2^(NP) weights.

    Parameters
    ----------
    spins : (M, N) array, ±1, or PackedSpins
    n_hidden : int >= 1
        P, with N P <= 20.
    beta : float > 0
        Inverse temperature.
    prior : Prior

    Returns
    -------
    ExactPosterior
        For a prior of mean 0 the means vanish: every ξ has a mirror image with the same posterior.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Notes
    -----
    O(2^(NP) N 2^P + 2^N M N).
    """
    spins = pack_spins(spins).dense()
    checks.integer(1, n_hidden=n_hidden)
    checks.real(0, np.inf, beta=beta)
    checks.instance(Prior, prior=prior)
    n_visible = spins.shape[1]
    if n_visible * n_hidden > MAX_SUMMED_SYNAPSES:
        raise ValueError(
            f"n_hidden must leave N P <= {MAX_SUMMED_SYNAPSES} for a sum over all synapses, "
            f"got {n_hidden} with N = {n_visible}"
        )
    log_weights = _log_weights(spins, beta, prior.log_weights(n_hidden), n_hidden)
    log_evidence = np.logaddexp.reduce(log_weights)
    columns = hidden_states(n_visible)
    p = np.exp(log_weights - log_evidence).reshape((len(columns),) * n_hidden)
    means = []
    for mu in range(n_hidden):
        other_axes = tuple(nu for nu in range(n_hidden) if nu != mu)
        means.append(p.sum(axis=other_axes) @ columns)
    return ExactPosterior(float(log_evidence), np.stack(means, axis=1))


def _log_weights(spins, beta, site_prior, n_hidden):
    """ln P0(ξ) Π_a P(σ^a|ξ) of all ξ, one hidden unit's column of synapses an axis, the axes flattened."""
    n_samples, n_visible = spins.shape
    scale = beta / np.sqrt(n_visible)
    columns = hidden_states(n_visible)
    hidden = hidden_states(n_hidden)
    # ln 2cosh of one site in state ξ under h, and of all samples under one column of synapses
    of_site = log2cosh(scale * hidden @ hidden.T)
    of_column = log2cosh(scale * columns @ spins.T).sum(axis=1)
    is_up = (columns > 0).astype(np.int64)
    shape = (len(columns),) * n_hidden
    log_weights = np.empty(len(columns) ** n_hidden)
    for block in blocks(len(log_weights), n_visible * len(hidden), IN_MEMORY):
        index = np.unravel_index(np.arange(block.start, block.stop), shape)
        # which of the 2^P states each site is in: its row of `hidden`
        site = sum(is_up[column] << (n_hidden - 1 - mu) for mu, column in enumerate(index))
        log_z = np.logaddexp.reduce(of_site[site].sum(axis=1), axis=1)
        data = sum(of_column[column] for column in index)
        log_weights[block] = data - n_samples * log_z + site_prior[site].sum(axis=1)
    return log_weights


def mean_log_partition(means: ArrayLike, beta: float) -> float:
    r"""<ln Z(ξ)>_Q itself, which `bound` must approximate, for few hidden units and any number of visible ones.

    ln Z depends only on how many sites have each of the 2^(P-1) kinds of synapses, counted up to a common sign; the
    distribution of these numbers under Q follows one site after the other.

    Parameters
    ----------
    means : (N, P) array in [-1, 1]
        λ.
    beta : float > 0
        Inverse temperature.

    Returns
    -------
    float
        Nats per sample.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above, or if (N + 1)^(2^(P-1) - 1) > 2²¹: N up to 127 for P = 3, 7 for P = 4.

    Notes
    -----
    O(N 2^P) numbers of sites, each (N + 1)^(2^(P-1) - 1) of them.
    """
    means = checks.means(means)
    checks.real(0, np.inf, beta=beta)
    n_visible, n_hidden = means.shape
    hidden = hidden_states(n_hidden)
    kinds = hidden[len(hidden) // 2 :]  # first synapse +1
    shape = (n_visible + 1,) * (len(kinds) - 1)
    if float(n_visible + 1) ** (len(kinds) - 1) > MAX_COUNTS:
        raise ValueError(f"means must have few hidden units for an exact average of ln Z, got shape {means.shape}")
    likelihoods = sum(np.prod(0.5 * (1 + sign * means[:, None, :] * kinds), axis=2) for sign in (-1, 1))
    p = np.zeros(shape)
    p[(0,) * len(shape)] = 1.0
    for site in likelihoods:
        new = site[0] * p
        for axis in range(len(shape)):
            new += site[axis + 1] * np.roll(p, 1, axis=axis)  # what rolls over is zero: no count exceeds N
        p = new
    energies = log2cosh(beta / np.sqrt(n_visible) * kinds @ hidden.T)
    counts = np.argwhere(p > 0)
    counts = np.column_stack([n_visible - counts.sum(axis=1), counts])
    return float(p[p > 0] @ np.logaddexp.reduce(counts @ energies, axis=1))
