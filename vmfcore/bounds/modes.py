r"""Equivalent modes of a posterior: what a comparison of models gains from those that Q leaves out.

Hidden units of one temperature and without fields may change places, ξ_iμ -> ξ_iπ(μ), and signs, ξ_iμ -> -ξ_iμ: the
likelihood is the same, and so is a prior of mean 0 and without correlation.  A factorized Q, and message passing, sit
in one of the K = 2^P P! modes that follow.  The mixture of all K copies Q_g has the same average of ln P(data, ξ) as Q
and more entropy,

.. math::
    S\Big(\tfrac1K\sum_g Q_g\Big) = S(Q) + \ln K - S(g \mid \xi),

where S(g|ξ) is what is left unknown of the copy when ξ is seen: 0 for copies that do not overlap, ln K for equal ones.
So much is gained by the bound, which remains one.  Of S(g|ξ) an upper limit takes no sum over all ξ (Kolchinsky &
Tracey, Entropy 19, 361 (2017), with Bhattacharyya's coefficients B):

.. math::
    S(g\mid\xi) \le \ln \sum_g \sum_\xi \sqrt{Q(\xi)\,Q_g(\xi)} = \ln \mathrm{perm}(B^+ + B^-), \qquad
    B^\pm_{\mu\nu} = \prod_i \tfrac12\Big[\sqrt{(1+\lambda_{i\mu})(1\pm\lambda_{i\nu})}
        + \sqrt{(1-\lambda_{i\mu})(1\mp\lambda_{i\nu})}\Big] .

A correlation in the prior leaves the flip of all units at once, K = 2 P! and perm(B+) + perm(B-), a mean leaves the
permutations, K = P! and perm(B+).
"""

import numpy as np
import scipy

from vmfcore.bounds.beliefs import Prior

MOST_PERMUTED = 12  # hidden units whose permanent is summed exactly, over 2^P sets


def mode_gain(means: np.ndarray, prior: Prior = Prior()) -> float:
    """Lower limit of ln K - S(g|ξ) in nats, of a Q with these means, (N, P), at least 0.

    Of more than twelve hidden units the permanent is replaced by the product of its row sums, which is larger.
    """
    n_hidden = means.shape[1]
    same, opposite = (_coefficients(means, sign * means) for sign in (1, -1))
    log_copies = scipy.special.gammaln(n_hidden + 1)
    if prior.mean:
        overlap = _permanent(same)
    elif prior.correlation:
        log_copies += np.log(2)
        overlap = _permanent(same) + _permanent(opposite)
    else:
        log_copies += n_hidden * np.log(2)
        overlap = _permanent(same + opposite)
    return max(0.0, float(log_copies - np.log(overlap)))


def _coefficients(means, others):
    """Bhattacharyya's coefficient of each hidden unit of one Q with each of another, (P, P)."""
    up, down = (np.sqrt((1 + sign * np.asarray(means, np.float64)) / 2) for sign in (1, -1))
    other_up, other_down = (np.sqrt((1 + sign * np.asarray(others, np.float64)) / 2) for sign in (1, -1))
    sites = up[:, :, None] * other_up[:, None, :] + down[:, :, None] * other_down[:, None, :]
    return sites.prod(axis=0)


def _permanent(matrix):
    """Σ_π Π_μ A_μπ(μ) of a small matrix of no negative elements; of a larger one an upper limit."""
    size = len(matrix)
    if size > MOST_PERMUTED:
        return matrix.sum(axis=1).prod()
    # of the first rows, over each set of as many columns: sums of positive terms, in which nothing cancels
    sums = {0: 1.0}
    for row in matrix:
        longer: dict[int, float] = {}
        for columns, value in sums.items():
            for column in range(size):
                if not columns >> column & 1:
                    joined = columns | 1 << column
                    longer[joined] = longer.get(joined, 0.0) + value * row[column]
        sums = longer
    return sums[2**size - 1]
