r"""The fields K that act on the pairs of synapses of every site, in which the data meet the model.

.. math::
    K = \alpha\beta^2 [D - C(R(K))], \qquad \mu \ne \nu

R(K), the mean of <ξ_μ ξ_ν> over the sites, is the derivative of a convex function of K, and C(R) = <h_μ h_ν> is one of
the convex ln Z(R).  The solution is thus the saddle of a function that is convex in K and concave in R: there is one,
and the Jacobian 1 + αβ⁴ Cov(hh) Cov(ξξ) of Newton's method has an inverse everywhere.  That one sweep solves for K,
where it could as well take a step towards it, is what lets hidden units that nothing speaks for leave the others alone.
"""

from typing import NamedTuple

import numpy as np
import scipy

TOL = 1e-10  # of K, relative to 1 + |K|; sweeps end at 1e-6
MAX_NEWTON = 50  # steps; from the K of the last sweep it takes two or three
MAX_HALVINGS = 40  # of a step that would not lower the residual


class PairEquation(NamedTuple):
    """What is given while K is sought; pairs are counted along their last axis, P (P - 1)/2 of them."""

    site_weights: np.ndarray  # (N, 2^P), log weights of the states of every site without K
    pairs: np.ndarray  # (2^P, pairs), s_μ s_ν of every state
    slack: np.ndarray  # (pairs,), D
    alpha: float  # M/N
    beta: float

    def at(self, pair_fields):
        """What is left of the equation at K, and its derivative by K."""
        of_states = scipy.special.softmax(self.site_weights + self.pairs @ pair_fields, axis=1)
        of_sites = of_states @ self.pairs
        moments = of_sites.mean(axis=0)
        of_model = scipy.special.softmax(self.beta**2 * self.pairs @ moments)
        model_pairs = of_model @ self.pairs
        site_covariance = (self.pairs.T * of_states.mean(axis=0)) @ self.pairs - of_sites.T @ of_sites / len(of_sites)
        model_covariance = (self.pairs.T * of_model) @ self.pairs - np.outer(model_pairs, model_pairs)
        residual = pair_fields - self.alpha * self.beta**2 * (self.slack - model_pairs)
        jacobian = np.eye(len(residual)) + self.alpha * self.beta**4 * model_covariance @ site_covariance
        return residual, jacobian


def solve(equation, start):
    """The K of the equation, (pairs,), by Newton's method from start with steps that lower the residual."""
    pair_fields = start
    if not pair_fields.size:
        return pair_fields  # of one hidden unit
    residual, jacobian = equation.at(pair_fields)
    for _ in range(MAX_NEWTON):
        size = np.abs(residual).max()
        if size <= TOL * (1 + np.abs(pair_fields).max()):
            break
        step = np.linalg.solve(jacobian, residual)
        for _ in range(MAX_HALVINGS):
            residual, jacobian = equation.at(pair_fields - step)
            if np.abs(residual).max() < size:
                break
            step = step / 2
        else:
            break  # all that is left of the residual is rounding, as at large β
        pair_fields = pair_fields - step
    return pair_fields
