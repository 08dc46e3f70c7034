r"""What given variances C of the messages γ imply in the dynamical theory: susceptibilities, responses, the next C.

Layer k feels its fields and a Gaussian field of variance C_k,

.. math::
    \chi_k = \overline{E\,\mathrm{sech}^2(\mathrm{field} + \sqrt{C_k}\,u)}, \qquad u \sim \mathrm{Normal}(0, 1),

and squared differences of γ are handed on by

.. math::
    b_{vv} = \frac{\chi_h^2}{N} \sum_i \Bigl[\frac{s_i^2 - (1 + \tau_h) t/N}{d_i}\Bigr]^2, \quad
    b_{vh} = \frac1N \sum_k \frac{s_k^2}{d_k^2},

in the notation of `vmfcore.networks.resolvent`; the row of the hidden units with v ↔ h.  A mode of the longer layer
without singular value has s = 0, d = (1 + τ_v)(1 + τ_h).
"""

from typing import NamedTuple

import numpy as np

from vmfcore.networks.resolvent import Resolvent, resolvent
from vmfcore.numerics.spins import line_grid

AVERAGE_ERROR = 1e-13  # of averages over u


class Layer(NamedTuple):
    """Fields of a layer, each value once, how often it occurs, and the size of the layer."""

    values: np.ndarray
    weights: np.ndarray  # of sum 1
    size: int


class MeanField(NamedTuple):
    """What follows from variances C; index 0 visible, 1 hidden units."""

    susceptibilities: np.ndarray  # (2,), χ
    resolvent: Resolvent
    rate_matrix: np.ndarray  # (2, 2), K
    after_step: np.ndarray  # (2,), C after one step of the algorithm
    consistent: np.ndarray  # (2,), the C that reproduces itself at these susceptibilities


class _Moments(NamedTuple):
    """Averages over the fields of a layer and a Gaussian field."""

    susceptibility: float  # χ
    order: float  # 1 - χ, without cancellation
    spread: float  # E sech⁴ - χ²


def layer_of(fields):
    """The `Layer` with these fields."""
    values, counts = np.unique(fields, return_counts=True)
    return Layer(values, counts / counts.sum(), len(fields))


def mean_field(squares, layers, variances):
    """`MeanField` of squared singular values (n,), two layers and the variances (2,) of their messages."""
    moments = [_moments(layer, variance) for layer, variance in zip(layers, variances, strict=True)]
    susceptibilities = np.array([moment.susceptibility for moment in moments])
    order = np.array([moment.order for moment in moments])
    spread = np.array([moment.spread for moment in moments])

    sizes = [layer.size for layer in layers]
    solution = resolvent(squares, susceptibilities.prod(), *sizes)
    b = _responses(squares, solution, susceptibilities, sizes)
    # C = b (1 - χ - χ² C) at fixed χ is a linear equation; a variance below 0 becomes 0
    self_response = np.eye(2) + b * susceptibilities**2
    consistent = np.linalg.solve(self_response, b @ order)
    return MeanField(
        susceptibilities=susceptibilities,
        resolvent=solution,
        rate_matrix=b * spread,
        after_step=b @ (order - susceptibilities**2 * variances),
        consistent=np.maximum(consistent, 0),
    )


def _moments(layer, variance):
    """`_Moments` of a layer in a Gaussian field of this variance."""
    width = float(np.sqrt(variance))
    u, gauss = line_grid(width, AVERAGE_ERROR)
    # sech² and tanh² by exp(-2|x|), which neither overflows nor cancels
    decay = np.exp(-2 * np.abs(layer.values[:, None] + width * u))
    sech2 = 4 * decay / (1 + decay) ** 2
    tanh2 = ((1 - decay) / (1 + decay)) ** 2
    susceptibility = layer.weights @ (sech2 @ gauss)
    order = layer.weights @ (tanh2 @ gauss)
    spread = layer.weights @ ((sech2 - susceptibility) ** 2 @ gauss)
    return _Moments(susceptibility, order, spread)


def _responses(squares, solution, susceptibilities, sizes):
    """b, (2, 2)."""
    b = np.empty((2, 2))
    for layer in (0, 1):
        other = 1 - layer
        size = sizes[layer]
        shift = solution.total / size
        # on itself: by the modes of the couplings, and by those of the longer layer that have no singular value
        of_modes = (((squares - (1 + solution.tau[other]) * shift) / solution.gaps) ** 2).sum()
        of_rest = (size - len(squares)) * (shift / (1 + solution.tau[layer])) ** 2
        b[layer, layer] = susceptibilities[other] ** 2 * (of_modes + of_rest) / size
        b[layer, other] = (squares / solution.gaps**2).sum() / size
    return b
