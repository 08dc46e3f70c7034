r"""The data term Σ_aμ <ln 2cosh(b_μ + β_μ X_μ^a)>_Q, X_μ^a = Σ_i ξ_iμ σ_i^a/√N: Gaussian, exact, calibrated.

Each function takes packed data of M spins σ^a, means (R, N, P) in [-1, 1] of R replicas, contiguous, beta (a number, or
(R, P) of each hidden unit) and hidden fields (None or (R, P)); it returns the value in nats of each replica, its
derivative with respect to the means, as a `Response`, and those to ln β and the hidden fields, (R, P).  Visible fields
add a·Σ_a σ^a.
"""

from typing import NamedTuple

import numpy as np

from vmfcore.bounds.gradient import Response
from vmfcore.bounds.poisson_binomial import Expectations, average_tables, tables_of
from vmfcore.bounds.samples import columns_of, gaussian_averages, reaction_averages, sum_over_samples
from vmfcore.data.packing import total_spins
from vmfcore.numerics.blocks import IN_MEMORY, blocks


class DataTerm(NamedTuple):
    """Value and derivatives of the data term of R replicas."""

    value: np.ndarray  # (R,), nats; nan where it was not asked for
    response: Response  # the derivative with respect to the means
    log_beta: np.ndarray  # (R, P), with respect to ln β of each hidden unit
    hidden_fields: np.ndarray  # (R, P)
    spins: np.ndarray  # (N,), Σ_a σ^a, the derivative with respect to visible fields

    @property
    def gradient(self):
        """The derivative with respect to the means, (R, N, P)."""
        return self.response.dense()


def _of_units(x, means):
    """A number, or one of each hidden unit, as (R, P) float64."""
    return np.full((len(means), means.shape[2]), 0.0 if x is None else x, np.float64)


def _sum_of_averages(data, means, beta, hidden_fields, averages_of, with_value):
    """A data term whose averages are functions of the fields and of the width Ξ that each hidden unit leaves open."""
    n_replicas, n_visible, n_hidden = means.shape
    betas = _of_units(beta, means)
    columns = columns_of(means, betas.ravel(), _of_units(hidden_fields, means).ravel())
    totals = sum_over_samples(data, columns, *averages_of(columns, with_value))
    values, slopes, of_fields, energies = (total.reshape(n_replicas, n_hidden) for total in totals[:4])
    # β/√N [Σ_a σ^a f_a - slope β/√N λ]
    correlations = totals.correlations.reshape(n_visible, n_replicas, n_hidden).swapaxes(0, 1)
    scales = betas / np.sqrt(n_visible)
    response = Response(means, np.ascontiguousarray(correlations), scales, -(scales**2) * slopes, np.ones_like(scales))
    # Σ_a f_a β X̄^a + slope β²Ξ²
    log_beta = energies + columns.variances.reshape(n_replicas, n_hidden) * slopes
    return DataTerm(values.sum(axis=1), response, log_beta, of_fields, totals.spins)


def gaussian(data, means, beta, hidden_fields=None, with_value=True):
    r"""X Gaussian, of mean Σ_i λ_i σ_i/√N and variance Ξ² = Σ_i (1 - λ_i²)/N: the central limit theorem.

    Parameters
    ----------
    data : PackedSpins
        (M, N).
    means : (R, N, P) float64 or float32 array in [-1, 1]
    beta : float or (R, P) array
    hidden_fields : (R, P) array or None
    with_value : bool
        False: only the derivatives, to the same bits; no logarithm is computed and the value is nan.

    Returns
    -------
    DataTerm
        The value to 1e-9 a term, or 2e-5 from float32; the gradient, in the precision of the means, to 1e-9, or 2e-5
        from float32, of what a sample can add, β/√N.

    Notes
    -----
    O(M N P): two products with the ±1 data, by table, and between them 17 nodes a field for βΞ <= 1
    (8 from float32), in proportion to βΞ above.  The Gaussian step is exact for |λ| = 1 and costs O(1/N) a term
    elsewhere.  The bits of the result do not depend on the number of threads.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (4).
    """
    return _sum_of_averages(data, means, beta, hidden_fields, gaussian_averages, with_value)


def exact(data, means, beta, hidden_fields=None, with_value=True):
    r"""The average over Q itself: X takes N + 1 values, whose probabilities follow one spin after the other.

    Parameters
    ----------
    data, means, beta, hidden_fields, with_value
        As in `gaussian`; the derivatives alone cost the same.

    Returns
    -------
    DataTerm
        To rounding.

    Notes
    -----
    O(M N² P): of use for N up to some hundred.

    References
    ----------
    The Poisson binomial distribution by its recursion, R. E. Barlow, K. D. Heidtmann, IEEE Trans. Reliability 33, 322
    (1984); the gradient is its transpose.
    """
    _, n_visible, n_hidden = means.shape
    betas = _of_units(beta, means)
    fields = _of_units(hidden_fields, means)
    replicas = means.astype(np.float64)
    value = np.zeros(len(replicas))
    gradient = np.zeros(replicas.shape)
    others = np.zeros((len(replicas), n_hidden, 2))
    for k, replica in enumerate(replicas):
        tables = tables_of(betas[k], fields[k], n_visible)
        for block in blocks(len(data.bits), means.size, IN_MEMORY):
            spins = data.take(block).dense(np.float64)
            # derivatives to ln β and b are the last axis, so that numpy adds one sample after the other
            gradients = np.empty((len(spins), n_visible, n_hidden))
            expectations = Expectations(gradients, np.empty((len(spins), n_hidden, 2)))
            value[k] += average_tables(spins, replica, tables, expectations).sum()
            gradient[k] += gradients.sum(axis=0)
            others[k] += expectations.others.sum(axis=0)
    if not with_value:
        value[:] = np.nan
    log_beta, of_fields = np.moveaxis(others, -1, 0)
    response = Response.plain(means, gradient.astype(means.dtype))
    return DataTerm(value, response, log_beta, of_fields, total_spins(data))


def calibrated(data, means, beta, hidden_fields=None, with_value=True):
    r"""With the reaction of each sample on the synapses that it informs; on planted data mean λ² is then the overlap.

    .. math::
        \sum_{a\mu} \operatorname*{ext}_r \Bigl[ H\bigl(\tfrac{1+r}{2}\bigr) + (b + \beta G) r
            + \tfrac{\beta^2\Xi^2}{2}(1 - r^2) \Bigr], \qquad r = \tanh(b + \beta G - \beta^2\Xi^2 r)

    Parameters
    ----------
    data, means, beta, hidden_fields, with_value
        As in `gaussian`.

    Returns
    -------
    DataTerm

    Notes
    -----
    The price of `gaussian`.  Data term, model term and KL then add up to the free entropy of Thouless, Anderson and
    Palmer: an estimate of the log-evidence, exact for N → ∞ at its stationary points on planted data with independent
    hidden units, and *not* a bound.  At λ = 0 it is stationary and curves upwards in no direction, whatever α is, so
    that a climb must not start there.

    References
    ----------
    Derived here as the second-order Plefka expansion in the couplings of synapses and hidden units; with time indices
    it is the algorithm of Huang & Toyoizumi, arXiv:1608.03714.
    """
    return _sum_of_averages(data, means, beta, hidden_fields, reaction_averages, with_value)


DATA_TERMS = {"gaussian": gaussian, "exact": exact, "calibrated": calibrated}
