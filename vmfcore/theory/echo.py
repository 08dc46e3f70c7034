r"""Message passing with fixed χ and λ: how its squared increments shrink or grow once it hears its own echo.

With F(γ) = tanh(field + γ) - χγ = χ f a step is γ_k(t+1) = Σ_l B_kl F_l(γ_l(t)), B_kl = A_kl/χ_l in the notation of
`vmfcore.networks.vamp`.  Where χ is measured in every step, F' has the mean 0 and γ stays Gaussian.  At fixed χ a
deviation δC of the variances gives it the mean g, F contains gγ, and γ(t+1) contains g B B F(t-1), of which the part
that the trace of B B leaves has not forgotten F(t-1): γ_k(t+1) = Gaussian + ν_k F_k(γ_k(t-1)).  To first order in δC
and ν, for N → ∞, with the responses b of `vmfcore.theory.responses`,

.. math::
    g_l &= \tfrac12 \langle F_l''' \rangle\, \delta C_l + \langle F_l'^2 + F_l F_l'' \rangle\, \nu_l, \\
    \delta C_k' &= \sum_l b_{kl} \bigl[ \langle F_l'^2 + F_l F_l'' \rangle\, \delta C_l
        + 2 \langle F_l^2 F_l' \rangle\, \nu_l \bigr]
        + \frac{2}{N_k} \sum_{lm} \mathrm{tr}(B_{km}^{\mathsf T} B_{kl} B_{lm})\, \langle F_m^2 \rangle\, g_l, \\
    \nu_k' &= \frac{1}{N_k} \sum_l \mathrm{tr}(B_{kl} B_{lk})\, g_l,

a linear map of four numbers.  Derived in this project.
"""

import numpy as np

from vmfcore.numerics.spins import line_grid

AVERAGE_ERROR = 1e-13  # of averages over u


def echo_matrix(squares, layers, variances, theory):
    """The map of (δC_v, δC_h, ν_v, ν_h) in one step, (4, 4), where the variances rest; with their `MeanField`."""
    sizes = np.array([layer.size for layer in layers])[:, None]
    blocks = _blocks(squares, theory, sizes[:, 0])
    moments = [_moments(*of) for of in zip(layers, theory.susceptibilities, variances, strict=True)]
    square, gain, skew, bend = np.transpose(moments)
    b = (blocks**2).sum(axis=2) / sizes
    b_echo = (blocks * blocks.swapaxes(0, 1)).sum(axis=2) / sizes
    twice = 2 * np.einsum("kmi,kli,lmi,m->kl", blocks, blocks, blocks, square) / sizes
    of_variances = np.hstack([b * gain + twice * bend, b * skew + twice * gain])
    of_echo = np.hstack([b_echo * bend, b_echo * gain])
    return np.vstack([of_variances, of_echo])


def _blocks(squares, theory, sizes):
    """B in the modes of the couplings, (2, 2, max(N, P)); the last, of no singular value, lie in one layer only."""
    n_rest = sizes.max() - len(squares)
    tau = theory.resolvent.tau
    squares = np.pad(squares, (0, n_rest))
    gaps = np.concatenate([theory.resolvent.gaps, np.full(n_rest, (1 + tau).prod())])
    blocks = np.empty((2, 2, len(squares)))
    for layer in (0, 1):
        other = 1 - layer
        shift = (1 + tau[other]) * theory.resolvent.total / sizes[layer]
        blocks[layer, layer] = theory.susceptibilities[other] * (squares - shift) / gaps
        blocks[layer, other] = np.sqrt(squares) / gaps
    shorter = np.argmin(sizes)
    blocks[shorter, shorter, len(squares) - n_rest :] = 0
    return blocks


def _moments(layer, chi, variance):
    """Of F, over the fields of a layer and a Gaussian γ: <F²>, <F'² + F F''>, 2 <F² F'> and <F'''>/2."""
    width = float(np.sqrt(variance))
    u, gauss = line_grid(width, AVERAGE_ERROR)
    m = np.tanh(layer.values[:, None] + width * u)
    sech2 = (1 - m) * (1 + m)
    f = m - chi * width * u
    slope = sech2 - chi
    moments = f**2, slope**2 - 2 * f * m * sech2, 2 * f**2 * slope, (3 * m**2 - 1) * sech2
    return [layer.weights @ (moment @ gauss) for moment in moments]
