r"""Message passing on dual networks without memory: for couplings of any spectrum.

With f(x) = tanh(field + x)/χ - x and the matrix A = D⁻¹(Λ - J)⁻¹ - 1, whose blocks have no trace,

.. math::
    \gamma(t) = A f(\gamma(t - 1)), \qquad
    D = \mathrm{diag}(\chi_v, \chi_h), \quad \Lambda = \mathrm{diag}(\lambda_v, \lambda_h), \quad
    \chi_k = \overline{1 - m^2}, \quad m = \tanh(\mathrm{field} + \gamma),

where J stands for the couplings between both layers and λ is that of `vmfcore.spectra`.  A fixed point fulfils
equations of Thouless, Anderson and Palmer with a reaction term ρ = λ - 1/χ that the spectrum of the couplings decides,

.. math::
    \gamma_v = J r - \rho_v m, \qquad \gamma_h = J^{\mathsf T} m - \rho_h r, \qquad
    \rho_v = \frac{\chi_h t}{N}, \quad \rho_h = \frac{\chi_v t}{P}.
"""

from typing import NamedTuple

import numpy as np

from vmfcore.networks.network import CHECK_EVERY, more_damping
from vmfcore.networks.resolvent import resolvent
from vmfcore.numerics.spins import binary_entropy

MAX_MESSAGE = 1e100  # its square must stay finite


class VampState(NamedTuple):
    """`vmfcore.CavityState` and the two-layer averages of the algorithm; index 0 visible, 1 hidden units."""

    visible_means: np.ndarray  # (N,), magnetizations m_i
    hidden_means: np.ndarray  # (P,), magnetizations r_mu
    correlations: np.ndarray  # (N, P), <sigma_i h_mu>
    log_partition: np.ndarray  # ln Z, nats
    n_iter: np.ndarray  # steps done
    residual: np.ndarray  # largest change of a magnetization in the last step, undamped
    converged: np.ndarray  # residual <= tol
    messages: np.ndarray  # (N + P,), γ: what the next run may start from
    susceptibilities: np.ndarray  # (2,), χ
    precisions: np.ndarray  # (2,), λ; inf where all spins of the layer are frozen
    edge_ratio: np.ndarray  # z/s_max²: near 1 one mode of the couplings rules
    increments: np.ndarray  # (n_iter, 2), mean square of γ(t) - γ(t-1), undamped


class _Spectrum(NamedTuple):
    """Eigenvalues s² of JᵀJ and its eigenvectors, the modes."""

    squares: np.ndarray  # (P,)
    modes: np.ndarray  # (P, P), columns


def _spectrum(couplings):
    squares, modes = np.linalg.eigh(couplings.T @ couplings)
    return _Spectrum(np.maximum(squares, 0), modes)


class _Averages(NamedTuple):
    """Magnetizations (K, N) and (K, P) at given γ, susceptibilities (K, 2), and the resolvent at these."""

    means: tuple
    susceptibilities: np.ndarray
    resolvent: tuple


def _averages(fields, gamma, squares):
    means = tuple(np.tanh(field + x) for field, x in zip(fields, gamma, strict=True))
    chi = np.stack([((1 - m) * (1 + m)).mean(axis=-1) for m in means], axis=-1)
    return _Averages(means, chi, resolvent(squares, chi.prod(axis=-1), means[0].shape[1], means[1].shape[1]))


def _step(couplings, spectrum, averages, gamma):
    """A f(γ): D⁻¹(Λ - J)⁻¹(J - ρ)g with g = χ f, the longer layer eliminated."""
    (chi_v, chi_h), tau = averages.susceptibilities.T[..., None], averages.resolvent.tau
    total, (n_visible, n_hidden) = averages.resolvent.total[:, None], couplings.shape
    rho_v, rho_h = chi_h * total / n_visible, chi_v * total / n_hidden
    g_v, g_h = averages.means[0] - chi_v * gamma[0], averages.means[1] - chi_h * gamma[1]
    squares, modes = spectrum
    up, own = g_v @ couplings @ modes, g_h @ modes  # in the modes of the couplings
    source = (1 + tau[:, :1]) * (up - rho_h * own) + chi_v * (squares * own - rho_v * up)
    hidden = source / averages.resolvent.gaps @ modes.T
    visible = ((g_h + chi_h * hidden) @ couplings.T - rho_v * g_v) / (1 + tau[:, :1])
    return visible, hidden


def _free_energy(couplings, fields, averages):
    """ln Z = Σ [field m + H(m)] + mᵀJr + xt - ½ ln det of the precisions times χ, of networks (K,)."""
    (m, r), (gaps, total, tau, _) = averages.means, averages.resolvent
    spins = sum((field * x + binary_entropy(x)).sum(axis=-1) for field, x in zip(fields, (m, r), strict=True))
    logs = np.log(gaps).sum(axis=-1) + (m.shape[1] - r.shape[1]) * np.log1p(tau[:, 0])
    return spins + ((m @ couplings) * r).sum(axis=-1) + averages.susceptibilities.prod(axis=-1) * total - logs / 2


def _correlations(couplings, spectrum, averages):
    """<σ_i h_μ> = m r + (Λ - J)⁻¹ of networks (K,), (K, N, P)."""
    (m, r), gaps = averages.means, averages.resolvent.gaps
    response = averages.susceptibilities.prod(axis=-1)[:, None] / gaps
    return (couplings @ spectrum.modes * response[:, None]) @ spectrum.modes.T + m[:, :, None] * r[:, None]


def _run(couplings, fields, gamma, damping, tol, max_iter):
    """`VampState` of K networks: couplings (N, P) with N >= P, fields and γ (K, N) and (K, P)."""
    modes, increments, residual, before = _spectrum(couplings), [], np.array([np.inf]), np.inf
    averages = _averages(fields, gamma, modes.squares)
    while residual.max() > tol and len(increments) < max_iter:
        new = _step(couplings, modes, averages, gamma)
        increments.append([((x - y) ** 2).mean(axis=-1) for x, y in zip(new, gamma, strict=True)])
        updated = _averages(fields, new, modes.squares)
        residual = np.max([np.abs(x - y).max(axis=-1) for x, y in zip(updated.means, averages.means, strict=True)], 0)
        if damping > 0:
            new = tuple(damping * y + (1 - damping) * x for x, y in zip(new, gamma, strict=True))
            updated = _averages(fields, new, modes.squares)
        gamma, averages = new, updated
        if len(increments) % CHECK_EVERY == 0:
            damping, before = more_damping(damping, residual.max(), before), residual.max()
    with np.errstate(divide="ignore"):
        precisions = (1 + averages.resolvent.tau) / averages.susceptibilities
    return VampState(
        *averages.means,
        _correlations(couplings, modes, averages),
        _free_energy(couplings, fields, averages),
        np.full(len(residual), len(increments)),
        residual,
        residual <= tol,
        np.concatenate(gamma, axis=1),
        averages.susceptibilities,
        precisions,
        averages.resolvent.edge_ratio,
        np.moveaxis(increments, -1, 0),
    )


def _exchanged(state, n_longer):
    """The state with visible and hidden units exchanged; the messages of ``n_longer`` units come first in it."""
    return state._replace(
        visible_means=state.hidden_means,
        hidden_means=state.visible_means,
        correlations=np.swapaxes(state.correlations, 1, 2),
        messages=np.roll(state.messages, -n_longer, axis=1),
        susceptibilities=state.susceptibilities[:, ::-1],
        precisions=state.precisions[:, ::-1],
        increments=state.increments[:, :, ::-1],
    )


def solve_vamp(couplings, visible_fields, hidden_fields, damping, tol, max_iter, messages):
    n_visible, n_hidden = couplings.shape
    if messages is None:
        messages = np.zeros((len(hidden_fields), n_visible + n_hidden))
    fields = np.repeat(visible_fields[None], len(hidden_fields), axis=0), hidden_fields
    gamma = np.split(messages, [n_visible], axis=1)
    if n_visible >= n_hidden:
        return _run(couplings, fields, gamma, damping, tol, max_iter)
    return _exchanged(_run(couplings.T, fields[::-1], gamma[::-1], damping, tol, max_iter), n_hidden)
