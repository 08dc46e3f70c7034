"""What one measures on learnt synapses."""

from typing import Any, NamedTuple

import numpy as np
import scipy

from vmfcore import checks
from vmfcore.numerics.spins import binary_entropy


class Matching(NamedTuple):
    """Pairs of a hidden unit of the student and one of the teacher, in the order of the teacher's units.

    ``estimate[:, student] * signs`` stands beside ``teacher[:, teacher]``.
    """

    student: np.ndarray  # (min(P', P),) int, columns of the estimate
    teacher: np.ndarray  # (min(P', P),) int, columns of the teacher, ascending: 0, 1, ..., P - 1 where P <= P'
    signs: np.ndarray  # (min(P', P),) int, -1 where the student's unit is reversed


def overlap_matrix(estimate: Any, teacher: Any) -> np.ndarray:
    r"""Signed overlaps of all hidden units, Σ_i ξ̂_iμ ξ*_iν / N.

    Parameters
    ----------
    estimate : (N, P') array in [-1, 1], or anything with such ``weights``
        λ or sign λ, a result or a machine.
    teacher : (N, P) array in [-1, 1], or anything with such ``weights``
        ξ*.

    Returns
    -------
    (P', P) float64 array in [-1, 1]
        Rows: the student's hidden units μ, columns: the teacher's ν.

    Raises
    ------
    TypeError, ValueError
        If the numbers of sites differ or a value is outside [-1, 1].

    Examples
    --------
    >>> teacher = np.array([[1, 1], [1, -1], [1, 1], [1, -1]])
    >>> overlap_matrix(-teacher[:, [1]], teacher)
    array([[ 0., -1.]])
    """
    estimate = checks.means(_weights(estimate), name="estimate")
    teacher = checks.means(_weights(teacher), shape=(len(estimate), None), name="teacher")
    return estimate.T @ teacher / len(teacher)


def _weights(value):
    """The synapses of a machine or a result; an array as it is."""
    return value.weights if hasattr(value, "weights") else value


def _best_pairs(matrix):
    """Rows and columns of the pairs with the largest sum of |overlap|, each used once, columns ascending."""
    columns, rows = scipy.optimize.linear_sum_assignment(np.abs(matrix).T, maximize=True)
    return rows, columns


def match_hidden_units(estimate: Any, teacher: Any) -> Matching:
    """The matching of the student's hidden units with the teacher's that has the largest sum of |overlap|.

    Where the numbers of hidden units differ, every unit of the smaller set has a partner in the larger one.

    Parameters
    ----------
    estimate : (N, P') array in [-1, 1], or anything with such ``weights``
    teacher : (N, P) array in [-1, 1], or anything with such ``weights``

    Returns
    -------
    Matching
        Index arrays ``student`` and ``teacher`` and ``signs``, of min(P', P) entries each.

    Raises
    ------
    TypeError, ValueError
        If the numbers of sites differ or a value is outside [-1, 1].

    Examples
    --------
    >>> teacher = np.array([[1, 1], [1, -1], [1, 1], [1, -1]])
    >>> estimate = teacher[:, [1, 0]] * [-1, 1]
    >>> matching = match_hidden_units(estimate, teacher)
    >>> matching.student, matching.signs
    (array([1, 0]), array([ 1, -1]))
    >>> bool((estimate[:, matching.student] * matching.signs == teacher[:, matching.teacher]).all())
    True
    """
    matrix = overlap_matrix(estimate, teacher)
    rows, columns = _best_pairs(matrix)
    signs = np.where(matrix[rows, columns] < 0, -1, 1)
    return Matching(student=rows, teacher=columns, signs=signs)


def overlap(estimate: Any, teacher: Any) -> np.ndarray:
    r"""Overlap of each hidden unit of the teacher with its partner in the student, |Σ_i ξ*_iμ ξ̂_iπ(μ)| / N.

    The matching π maximizes the sum of the overlaps.  Both signs are allowed, since the model does not change when a
    hidden unit and its synapses are reversed.

    Parameters
    ----------
    estimate : (N, P') array in [-1, 1], or anything with such ``weights``
        λ or sign λ, a result or a machine.
    teacher : (N, P) array in [-1, 1], or anything with such ``weights``
        ξ*.

    Returns
    -------
    (min(P', P),) float64 array in [0, 1]
        In the teacher's order, of those of its units that have a partner: all of them where P' >= P.

    Raises
    ------
    TypeError, ValueError
        If the numbers of sites differ or a value is outside [-1, 1].

    Notes
    -----
    O(N P' P) and the assignment problem, by scipy.

    Chance is not zero.  The mean overlap of independent random ±1 synapses is √(2/(πN)) for P' = P = 1, and the choice
    among matchings raises it.  Measured at N = 2000, times √N, with standard errors of at most 0.003:

    ======== ===== ===== ===== ===== ===== ===== =====
    (P', P)  (1,1) (1,2) (2,2) (2,3) (3,3) (3,6) (5,5)
    overlap  0.80  1.12  1.04  1.27  1.19  1.61  1.41
    ======== ===== ===== ===== ===== ===== ===== =====

    Examples
    --------
    >>> teacher = np.array([[1, 1], [1, -1], [1, 1], [1, -1]])
    >>> overlap(teacher[:, [1, 0]] * [-1, 0.5], teacher)
    array([0.5, 1. ])
    >>> overlap(teacher[:, [1]], teacher)  # of the teacher's second unit, for the first has no partner
    array([1.])
    """
    matrix = overlap_matrix(estimate, teacher)
    return np.abs(matrix[_best_pairs(matrix)])


def synaptic_entropy(means: Any) -> float:
    r"""Entropy of the posterior Q per synapse, -Σ_iμ Σ_± (1 ± λ_iμ)/2 ln (1 ± λ_iμ)/2 / (N P).

    It is 0 where all synapses are decided, and ln 2 at λ = 0.

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

    Examples
    --------
    >>> round(synaptic_entropy([[0.0], [1.0]]), 4)  # half of ln 2
    0.3466
    """
    return float(binary_entropy(checks.means(means)).mean())
