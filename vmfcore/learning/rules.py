"""Learning rules: one step of the synapses, and of the real parameters of a machine."""

import math
from typing import NamedTuple

import numpy as np

from vmfcore import checks
from vmfcore.bounds.synapses import combine

CLIP = 0.99999  # of the means, for the rule that needs it
BETA_SHARE = 0.3  # of the step of the fields: synapses decide before the temperatures follow
MAX_BETA_STEP = 0.1  # of ln β
CENTRE_MEMORY = 0.99  # of the running mean of the hidden spins over the data


class _Natural(NamedTuple):
    """Bayesian learning rule: θ ← (1 - ρ) θ + ρ [θ₀ + ∂(L + T KL)/∂λ / T], λ = tanh θ (Meng, arXiv:2007.04676)."""

    natural: np.ndarray

    @classmethod
    def start(cls, means):
        return cls(np.arctanh(np.clip(means, -CLIP, CLIP)))

    @property
    def means(self):
        return np.tanh(self.natural)

    def step(self, gradient, prior_mean, step_size, temperature):
        prior = step_size * math.atanh(prior_mean)
        return _Natural(combine(1 - step_size, self.natural, step_size / temperature, gradient, prior))


class _Adam(NamedTuple):
    """Adam ascent on λ itself, decay rates 0.9 and 0.99, λ clipped to ±0.99999 (Huang, arXiv:1911.07662)."""

    means: np.ndarray
    first: np.ndarray
    second: np.ndarray
    n_steps: np.ndarray  # one number a replica

    @classmethod
    def start(cls, means):
        zeros = np.zeros_like(means)
        return cls(np.clip(means, -CLIP, CLIP), zeros, zeros, np.zeros_like(means[:, :1, :1]))

    def step(self, gradient, prior_mean, step_size, temperature):
        slope = gradient + temperature * (math.atanh(prior_mean) - np.arctanh(self.means))
        n = self.n_steps + 1
        first = 0.9 * self.first + 0.1 * slope
        second = 0.99 * self.second + 0.01 * slope**2
        move = step_size * (first / (1 - 0.9**n)) / (np.sqrt(second / (1 - 0.99**n)) + 1e-8)
        return _Adam(np.clip(self.means + move, -CLIP, CLIP), first, second, n)


RULES = {"natural": _Natural, "adam": _Adam}


class RealParameters(NamedTuple):
    r"""Inverse temperatures and fields of R replicas, which climb in centred coordinates.

    With J_iμ = β_μ λ_iμ/√N the energy is written as (σ - μ)ᵀ J (h - r) + a'·σ + b'·h, where μ and r are the means of
    the spins over the data: a = a' - J r, b = b' - Jᵀ μ.  Derivatives at fixed a', b' do not see the mean image, which
    otherwise rules the climb: a step of the couplings moves a and b so that both layers keep their mean fields.
    Without learnt fields there is nothing to move, and the coordinates are the plain ones.

    References
    ----------
    G. Montavon, K.-R. Müller, LNCS 7700, 621 (2012); K. Cho, T. Raiko, A. Ilin, ICML (2011).
    """

    beta: np.ndarray  # (R, P)
    visible_fields: np.ndarray | None  # (R, N); None: a model without fields
    hidden_fields: np.ndarray | None  # (R, P)
    pixel_means: np.ndarray | None  # (R, N), μ; None: fields are not learnt
    centre: np.ndarray | None  # (R, P), r, a running mean

    def _scales(self, means):
        """β/√N in the precision of the means, (R, 1, P)."""
        return (self.beta / math.sqrt(means.shape[1])).astype(means.dtype)[:, None]

    def gradient(self, means, now):
        """The derivative of total + KL with respect to the means, at fixed a' and b'."""
        if self.centre is None:
            return now.gradient
        scales, dtype = self._scales(means), means.dtype
        of_hidden, centre = (x[:, None].astype(dtype) * scales for x in (now.slopes.hidden_fields, self.centre))
        of_visible, pixels = (x[:, :, None].astype(dtype) for x in (now.slopes.visible_fields, self.pixel_means))
        return now.gradient - (pixels * of_hidden + of_visible * centre)

    def distance(self, now, n_samples, learn_beta):
        """Root mean square of the derivatives of what is learnt, a sample, of each replica."""
        learnt = [] if self.centre is None else [now.slopes.visible_fields, now.slopes.hidden_fields]
        of_beta = now.slopes.log_beta
        learnt += {"no": [], "unit": [of_beta], "global": [of_beta.mean(axis=1, keepdims=True)]}[learn_beta]
        return np.sqrt(np.mean(np.concatenate(learnt, axis=1) ** 2, axis=1)) / n_samples if learnt else 0.0

    def step(self, means, new_means, now, n_samples, learn_beta, step_size, max_beta):
        """Follow the derivatives, and the synapses from ``means`` to ``new_means``."""
        if learn_beta == "no" and self.centre is None:
            return self
        beta, slopes, couplings = self.beta, now.slopes, self._scales(means) * means
        if learn_beta != "no":
            slope = slopes.log_beta
            if self.centre is not None:
                slope = slope - slopes.hidden_fields * np.einsum("rnp,rn->rp", couplings, self.pixel_means)
                slope -= self.centre * np.einsum("rnp,rn->rp", couplings, slopes.visible_fields)
            curvature = n_samples * beta**2  # the Fisher information but for a factor of order 1
            if learn_beta == "global":
                slope, curvature = (x.mean(axis=1, keepdims=True) for x in (slope, curvature))
            move = np.clip(BETA_SHARE * step_size * slope / curvature, -MAX_BETA_STEP, MAX_BETA_STEP)
            beta = np.clip(beta * np.exp(move), 1.001 * checks.MIN_BETA, max_beta)
        moved = self._replace(beta=beta)
        if self.centre is None:
            return moved
        change = moved._scales(means) * new_means - couplings
        a, b = (
            x + step_size / n_samples * slope
            for x, slope in ((self.visible_fields, slopes.visible_fields), (self.hidden_fields, slopes.hidden_fields))
        )
        a -= np.einsum("rnp,rp->rn", change, self.centre)
        b -= np.einsum("rnp,rn->rp", change, self.pixel_means)
        centre = CENTRE_MEMORY * self.centre + (1 - CENTRE_MEMORY) * now.hidden_means
        return moved._replace(visible_fields=a, hidden_fields=b, centre=centre)
