"""What one measures on learnt synapses."""

import numpy as np
import scipy

from vmfcore import checks
from vmfcore.numerics.spins import binary_entropy


def overlap_matrix(estimate, teacher):
    r"""Signed overlaps of all hidden units, Σ_i ξ̂_iμ ξ*_iν / N.

    Parameters
    ----------
    estimate, teacher : (N, P) arrays in [-1, 1]

    Returns
    -------
    (P, P) float64 array in [-1, 1]
        Rows: the student's hidden units μ, columns: the teacher's ν.

    Raises
    ------
    TypeError, ValueError
        If the shapes differ or a value is outside [-1, 1].
    """
    estimate = checks.means(estimate, name="estimate")
    teacher = checks.means(teacher, shape=estimate.shape, name="teacher")
    return estimate.T @ teacher / len(teacher)


def _match(matrix):
    """The row assigned to each column of an overlap matrix, and its entry: the largest sum of absolute values."""
    _, rows = scipy.optimize.linear_sum_assignment(np.abs(matrix).T, maximize=True)
    return rows, matrix[rows, np.arange(len(rows))]


def match_hidden_units(estimate, teacher):
    """The assignment of the student's hidden units to the teacher's that has the largest sum of |overlap|.

    Parameters
    ----------
    estimate, teacher : (N, P) arrays in [-1, 1]

    Returns
    -------
    order, signs : (P,) int arrays
        ``estimate[:, order] * signs`` is the student in the teacher's order and orientation.

    Raises
    ------
    TypeError, ValueError
        If the shapes differ or a value is outside [-1, 1].
    """
    order, matched = _match(overlap_matrix(estimate, teacher))
    return order, np.where(matched < 0, -1, 1)


def overlap(estimate, teacher):
    r"""Overlap of each hidden unit of the teacher with its partner in the student, |Σ_i ξ*_iμ ξ̂_iπ(μ)| / N.

    Parameters
    ----------
    estimate : (N, P) array in [-1, 1]
        λ or sign λ.
    teacher : (N, P) array in [-1, 1]

    Returns
    -------
    (P,) float64 array in [0, 1]
        In the teacher's order; the matching π of hidden units maximizes the sum (both signs are allowed, since
        the model does not change when a hidden unit and its synapses are reversed).

    Raises
    ------
    TypeError, ValueError
        If the shapes differ or a value is outside [-1, 1].

    Notes
    -----
    O(N P² + P³), the assignment by scipy.  Chance is not zero: √(2/(πN)) for P = 1, more for larger P.
    """
    _, matched = _match(overlap_matrix(estimate, teacher))
    return np.abs(matched)


def synaptic_entropy(means):
    """Entropy of the posterior Q per synapse: 0 where all synapses are decided, ln 2 at λ = 0.

    Parameters
    ----------
    means : (N, P) array in [-1, 1]
        λ.

    Returns
    -------
    float
        Nats, in [0, ln 2].

    Raises
    ------
    TypeError, ValueError
        If a value is outside [-1, 1].
    """
    return float(binary_entropy(checks.means(means)).mean())
