"""What is believed of the synapses: before the data, the prior P0; after them, the posterior Q; and the KL between."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy

from vmfcore import checks
from vmfcore.networks.exact import hidden_states

CERTAIN = 1e-6  # how much smaller, relative to it, the largest is than one that leaves a state without weight
MATCHED_ERROR = 1e-10  # of it


@dataclass(frozen=True)
class Prior:
    r"""What is known of ±1 synapses beforehand: independent between sites, a mixture over one common spin c at each.

    .. math::
        P_0(\xi) = \tfrac12 \sum_{c=\pm1} \prod_\mu \tfrac12 (1 + (m_0 + c \sqrt{|q|}) \xi_\mu),
        \qquad \text{second unit with } -c \text{ if } q < 0

    Parameters
    ----------
    mean : float in (-1, 1)
        m0, of every synapse.
    correlation : float in (-1, 1)
        q, the covariance of every two synapses of a site, with |m0| + √|q| < 1: 0 for one hidden unit, negative for
        two hidden units only.  A factorized Q cannot use it: `vmfcore.infer_weights` and `vmfcore.exact_posterior` can.

    Notes
    -----
    For mean 0 it is the ensemble of `vmfcore.planted`.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> vmf.Prior(correlation=0.3)
    Prior(mean=0.0, correlation=0.3)
    """

    mean: float = 0.0
    correlation: float = 0.0

    def __post_init__(self):
        # + 0.0 makes -0.0, which compares equal, print equal, too
        checks.keep(
            self,
            mean=checks.real(-1, 1, mean=self.mean) + 0.0,
            correlation=checks.real(-1, 1, correlation=self.correlation) + 0.0,
        )
        if abs(self.mean) + np.sqrt(abs(self.correlation)) >= 1:
            raise ValueError(
                f"correlation must leave |mean| + √|correlation| < 1, got {self.correlation} and mean {self.mean}"
            )

    def check_independent(self) -> None:
        """ValueError unless the synapses are independent, as a factorized Q takes them."""
        if self.correlation:
            raise ValueError(
                f"prior.correlation must be 0 for a factorized Q, got {self.correlation}: infer_weights can use it"
            )

    def log_weights(self, n_hidden: int) -> np.ndarray:
        """ln P0 of all 2^P states of one site, in the order of `hidden_states`."""
        checks.correlation(n_hidden, correlation=self.correlation)
        spread = np.full(n_hidden, np.sqrt(abs(self.correlation)))
        if self.correlation < 0:
            spread[1] *= -1
        states = hidden_states(n_hidden)
        components = [np.prod(0.5 * (1 + (self.mean + c * spread) * states), axis=1) for c in (-1, 1)]
        return np.log(0.5 * sum(components))

    def correlations(self, n_hidden: int) -> tuple[float, float]:
        """The smallest and the largest q that so many hidden units can have with this mean."""
        largest = (1 - abs(self.mean)) ** 2 * (1 - CERTAIN)
        return -largest if n_hidden == 2 else 0.0, largest

    def matched(self, average: np.ndarray) -> "Prior":
        r"""This prior with the correlation at which states drawn from average, (2^P,), are most likely.

        .. math:: q = \arg\max_q \sum_\xi \bar b(\xi) \ln P_0(\xi; q), \qquad P = 2: q = \langle\xi_1\xi_2\rangle
        """
        n_hidden = int(np.log2(len(average)))

        def cost(correlation):
            return -average @ Prior(self.mean, correlation).log_weights(n_hidden)

        options = {"bounds": self.correlations(n_hidden), "method": "bounded", "options": {"xatol": MATCHED_ERROR}}
        return Prior(self.mean, float(scipy.optimize.minimize_scalar(cost, **options).x))


class Posterior(NamedTuple):
    """What a bound is a function of, in R replicas: the means of Q, and the real parameters of the machine."""

    means: np.ndarray  # (R, N, P), λ
    beta: np.ndarray  # (R, P)
    visible_fields: np.ndarray | None  # (R, N); None where the model has no fields at all
    hidden_fields: np.ndarray | None  # (R, P)

    @classmethod
    def of(cls, means, beta, visible_fields=None, hidden_fields=None):
        """Of means (N, P) or (R, N, P), a β and fields for all replicas, for each, or None: none."""
        n_visible, n_hidden = means.shape[-2:]
        replicas = np.ascontiguousarray(means).reshape(-1, n_visible, n_hidden)
        has_fields = visible_fields is not None or hidden_fields is not None
        return cls(
            replicas,
            _of_each_replica(beta, n_hidden, len(replicas)),
            _of_each_replica(visible_fields, n_visible, len(replicas)) if has_fields else None,
            _of_each_replica(hidden_fields, n_hidden, len(replicas)) if has_fields else None,
        )

    @property
    def has_fields(self):
        return self.visible_fields is not None

    @property
    def fields(self):
        """a (R, N) and b (R, P), zeros where the model has none."""
        if self.has_fields:
            return self.visible_fields, self.hidden_fields
        n_replicas, n_visible, n_hidden = self.means.shape
        return np.zeros((n_replicas, n_visible)), np.zeros((n_replicas, n_hidden))

    @property
    def scales(self):
        """β_μ/√N, (R, P)."""
        return self.beta / np.sqrt(self.means.shape[1])


def _of_each_replica(value, size, n_replicas):
    return np.full((n_replicas, size), 0.0 if value is None else value, np.float64)


def kl_divergence(means, entropy, prior_mean=0.0):
    """KL(Q || P0) = -S(Q) - <ln P0>_Q in nats, of synapses of known entropy S against independent ones of mean m0."""
    up = np.log(0.5 * (1.0 + prior_mean))
    down = np.log(0.5 * (1.0 - prior_mean))
    total_mean = means.sum(axis=-2).sum(axis=-1, dtype=np.float64) if prior_mean else 0.0
    return -entropy - 0.5 * (up + down) * means.shape[-2] * means.shape[-1] - 0.5 * (up - down) * total_mean
