r"""The derivative of the bound with respect to the means, kept in parts until all of it is formed in one pass.

Data term and model term answer the mean of a synapse in the same form,

.. math::
    \frac{\partial}{\partial\lambda_{i\mu}}
        = \frac{a_\mu C_{i\mu} + b_\mu \lambda_{i\mu}}{1 - \lambda_{i\mu}^2 t_\mu^2},

with correlations C of a visible and a hidden unit, and a reaction to the synapse itself.
"""

from typing import NamedTuple

import numba
import numpy as np

from vmfcore.bounds.synapses import GRAIN, rows_of_block, rows_of_sum
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.vectors import constants_of, tanh


class Response(NamedTuple):
    """What R replicas answer to their means: (a C + b λ)/(1 - λ²t²)."""

    means: np.ndarray  # (R, N, P), λ
    correlations: np.ndarray  # (R, N, P), C
    of_correlations: np.ndarray  # (R, P), a
    of_means: np.ndarray  # (R, P), b
    edges: np.ndarray  # (R, P), (1 - t)/(1 + t) in [0, 1], which tells t = 1 apart from its neighbours

    @classmethod
    def plain(cls, means, gradient):
        """Of a gradient (R, N, P) that is known already."""
        one = np.ones((len(means), means.shape[2]))
        return cls(means, gradient, one, 0 * one, one)

    def dense(self):
        """All of it, (R, N, P)."""
        return _dense(self._terms())

    def products(self):
        """Σ_i λ_iμ times it, (R, P) float64."""
        terms = self._terms()
        n_replicas, n_visible, n_hidden = self.means.shape
        sums = np.empty((n_replicas, -(-n_visible // rows_of_sum(n_hidden)), n_hidden))
        with numba_threads(sums.shape[0] * sums.shape[1], self.means.size / GRAIN):
            _products(terms, sums)
        return sums.sum(axis=1)

    def _terms(self):
        return Gradient(self, None, 1.0, 0.0, None).terms()


class Centre(NamedTuple):
    """What centred coordinates take from the derivative: pixels_i hidden_μ + visible_i centre_μ."""

    pixels: np.ndarray  # (R, N), means of the data
    visible: np.ndarray  # (R, N), derivative with respect to the visible fields
    hidden: np.ndarray  # (R, P), to the hidden fields, in units of the couplings
    centre: np.ndarray  # (R, P), of the hidden spins, in units of the couplings


class _Terms(NamedTuple):
    """All parts of the derivative in the precision of the means, with the weights that they have in it."""

    means: np.ndarray  # (R, N, P)
    of_data: np.ndarray  # (R, N, P), C of the data
    data_correlations: np.ndarray  # (R, P), a of the data, as all that follow but the pixels and visible, (R, N)
    data_means: np.ndarray
    of_model: np.ndarray  # (R, N, P), or without entries where there is none
    model_correlations: np.ndarray
    model_means: np.ndarray
    edges: np.ndarray  # of the model
    pixels: np.ndarray  # without entries where nothing is centred
    visible: np.ndarray
    hidden: np.ndarray
    centre: np.ndarray


class Gradient(NamedTuple):
    """share × data - n_samples × model, less what is centred."""

    data: Response
    model: Response | None
    share: float
    n_samples: float
    centre: Centre | None

    def terms(self):
        """`_Terms` of the kernels."""
        means = self.data.means
        dtype = means.dtype
        # without a model there is nothing to divide by but the data's own 1 - λ²t²
        single = self.model is None
        model = self.data if self.model is None else self.model
        weight = self.share if single else -self.n_samples
        data_share = 0.0 if single else self.share
        empty = np.empty((0, 0))
        centre = Centre(empty, empty, empty, empty) if self.centre is None else self.centre
        numbers = (
            data_share * self.data.of_correlations,
            data_share * self.data.of_means,
            weight * model.of_correlations,
            weight * model.of_means,
            model.edges,
            *centre,
        )
        data_a, data_b, model_a, model_b, edges, *centred = (np.ascontiguousarray(x, dtype) for x in numbers)
        data = np.ascontiguousarray(self.data.correlations, dtype)
        of_model = data if single else np.ascontiguousarray(model.correlations, dtype)
        return _Terms(means, data, data_a, data_b, of_model, model_a, model_b, edges, *centred)

    def dense(self):
        """All of it, (R, N, P)."""
        return _dense(self.terms())

    def weighted(self, factor):
        """The same times a number."""
        return self._replace(share=factor * self.share, n_samples=factor * self.n_samples)

    def distance(self, prior_mean):
        """Root mean square of what an undamped natural step along it would change in λ, (R,)."""
        means = self.data.means
        n_replicas, n_visible, n_hidden = means.shape
        sums = np.empty((n_replicas, -(-n_visible // rows_of_block(n_hidden))))
        prior = means.dtype.type(np.arctanh(prior_mean))
        with numba_threads(sums.size, means.size / GRAIN):
            _square_distances(self.terms(), prior, constants_of(means.dtype), sums)
        return np.sqrt(sums.sum(axis=1) / (n_visible * n_hidden))


def _dense(terms):
    """The derivative as an array."""
    out = np.empty_like(terms.means)
    with numba_threads(out.shape[0] * out.shape[1], out.size / GRAIN):
        _gradient(terms, out)
    return out


@kernel
def gradient_of_rows(replica, first, terms, out):
    """The derivative for some rows of one replica, from visible unit ``first`` on."""
    data_a = terms.data_correlations[replica]
    data_b = terms.data_means[replica]
    model_a = terms.model_correlations[replica]
    model_b = terms.model_means[replica]
    edges = terms.edges[replica]
    one = out.dtype.type(1)
    for n in range(len(out)):
        row = out[n]
        means = terms.means[replica, first + n]
        of_data = terms.of_data[replica, first + n]
        of_model = terms.of_model[replica, first + n]
        for mu in range(row.size):
            # 1 - λ²t² as a product in which nothing cancels at λ = ±1
            up = one + means[mu]
            down = one - means[mu]
            slack = (up + down * edges[mu]) * (down + up * edges[mu])
            square = (one + edges[mu]) * (one + edges[mu])
            model = (model_a[mu] * of_model[mu] + model_b[mu] * means[mu]) * square / slack
            row[mu] = (data_a[mu] * of_data[mu] + data_b[mu] * means[mu]) + model
        if terms.pixels.size:
            _centre_row(terms.pixels[replica, first + n], terms.visible[replica, first + n], replica, terms, row)


@kernel
def _centre_row(pixel, visible, replica, terms, row):
    """Subtract what centred coordinates take from one row."""
    hidden = terms.hidden[replica]
    centre = terms.centre[replica]
    for mu in range(row.size):
        row[mu] -= pixel * hidden[mu] + visible * centre[mu]


@parallel_kernel
def _gradient(terms, out):
    """The derivative for all rows."""
    n_replicas, n_visible, n_hidden = out.shape
    rows = rows_of_block(n_hidden)
    n_blocks = -(-n_visible // rows)
    for job in numba.prange(n_replicas * n_blocks):
        first = rows * (job % n_blocks)
        gradient_of_rows(job // n_blocks, first, terms, out[job // n_blocks, first : first + rows])


@kernel
def _products_of_block(replica, first, n_rows, terms, sums):
    """Add Σ λ times the derivative of every hidden unit, over some rows."""
    rows = np.empty((n_rows, sums.size), terms.means.dtype)
    gradient_of_rows(replica, first, terms, rows)
    for n in range(n_rows):
        row = rows[n]
        means = terms.means[replica, first + n]
        for mu in range(sums.size):
            sums[mu] += means[mu] * row[mu]


@kernel
def _products_of_job(replica, first, last, terms, sums):
    """The same for the blocks of a job, one after the other."""
    rows = rows_of_block(sums.size)
    sums[:] = 0
    for start in range(first, last, rows):
        _products_of_block(replica, start, min(rows, last - start), terms, sums)


@parallel_kernel
def _products(terms, sums):
    """Σ λ times the derivative, of each job of each replica."""
    n_visible = terms.means.shape[1]
    n_jobs = sums.shape[1]
    rows = rows_of_sum(sums.shape[2])
    for job in numba.prange(len(sums) * n_jobs):
        first = rows * (job % n_jobs)
        last = min(first + rows, n_visible)
        _products_of_job(job // n_jobs, first, last, terms, sums[job // n_jobs, job % n_jobs])


@kernel
def _square_distance_of_block(replica, first, n_rows, terms, prior, constants):
    """Σ [tanh(gradient + θ₀) - λ]² over some rows."""
    n_hidden = terms.means.shape[2]
    rows = np.empty((n_rows, n_hidden), terms.means.dtype)
    gradient_of_rows(replica, first, terms, rows)
    x = rows.ravel()
    for a in range(x.size):
        x[a] += prior
    targets = np.empty_like(x)
    tanh(x, constants, targets)
    means = terms.means[replica, first : first + n_rows].ravel()
    total = 0.0
    for a in range(x.size):
        change = targets[a] - means[a]
        total += change * change
    return total


@parallel_kernel
def _square_distances(terms, prior, constants, sums):
    """Σ [tanh(gradient + θ₀) - λ]² of each block of rows of each replica."""
    _, n_visible, n_hidden = terms.means.shape
    n_blocks = sums.shape[1]
    rows = rows_of_block(n_hidden)
    for job in numba.prange(sums.size):
        first = rows * (job % n_blocks)
        n_rows = min(rows, n_visible - first)
        square = _square_distance_of_block(job // n_blocks, first, n_rows, terms, prior, constants)
        sums[job // n_blocks, job % n_blocks] = square
