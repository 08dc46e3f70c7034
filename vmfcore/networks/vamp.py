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

from vmfcore import checks
from vmfcore.networks.network import CHECK_EVERY, check_network, finished, more_damping
from vmfcore.networks.resolvent import resolvent
from vmfcore.numerics.jit import one_blas_thread
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


def run_vamp(couplings, visible_fields, hidden_fields, *, damping=0.0, tol=1e-9, max_iter=1000, messages=None):
    r"""Averages of an RBM by message passing without memory, for couplings of any spectrum.

    Parameters
    ----------
    couplings : (N, P) array in [-100, 100]
        J, dimensionless.
    visible_fields : (N,) array in [-1e6, 1e6]
        a.
    hidden_fields : (P,) or (K, P) array in [-1e6, 1e6]
        b; with a leading axis, K networks that share couplings and visible fields, solved as one batch.
    damping : float in [0, 0.95]
        Fraction of the old γ kept at the start; raised as in `vmfcore.run_cavity`.
    tol : float > 0
        A run has converged when no magnetization changes by more in a step (before damping).
    max_iter : int >= 1
        Largest number of steps.
    messages : (N + P,) or (K, N + P) array in [-1e100, 1e100] or None
        γ to start from: ``VampState.messages`` of an earlier run, or numbers Normal(0, C) of the variances of
        `vmfcore.dynamical_mean_field`, from which its theory of the increments holds.  None starts from 0.

    Returns
    -------
    VampState
        `CavityState` and the quantities of the theory; with a leading axis K where the hidden fields have one.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Warns
    -----
    ConvergenceWarning
        If a network has not converged after ``max_iter`` steps.

    Notes
    -----
    O(N P min(N, P)) once, for the eigenvalues of JᵀJ, then O(N P) a step.  χ and λ are computed anew at every step.
    The fixed points are those of the expectation-consistent approximation with one precision for each layer, and of
    vector approximate message passing: m = ∂lnZ/∂a, r = ∂lnZ/∂b and C = ∂lnZ/∂J at convergence.  Exact for N, P → ∞ if
    the singular vectors of J are random rotations and there is one state.  One susceptibility stands for all spins of
    a layer: where couplings of very different size or frozen spins share a layer, `run_tap` and `run_cavity` are
    more accurate.  An edge ratio near 1 is the warning sign.

    References
    ----------
    Çakmak & Opper, arXiv:2005.01560 and, for the Ising model, arXiv:1901.08583; ln Z: Opper & Winther, JMLR 6, 2177
    (2005), written for two layers in this project.
    """
    couplings, a, b, one = check_network(couplings, visible_fields, hidden_fields, damping, tol, max_iter)
    couplings, (n_networks, n_hidden), n_visible = couplings[0], b.shape[1:], a.shape[1]
    if messages is None:
        messages = np.zeros((n_networks, n_visible + n_hidden))
    else:
        shape = (n_visible + n_hidden,) if one else (n_networks, n_visible + n_hidden)
        messages = checks.array(shape, messages=messages).reshape(n_networks, -1)
        checks.within(MAX_MESSAGE, messages=messages)
    fields, gamma = (np.repeat(a, n_networks, axis=0), b[0]), np.split(messages, [n_visible], axis=1)
    with one_blas_thread():
        if n_visible >= n_hidden:
            state = _run(couplings, fields, gamma, damping, tol, max_iter)
        else:
            state = _exchanged(_run(couplings.T, fields[::-1], gamma[::-1], damping, tol, max_iter), n_hidden)
    return finished(VampState(*(x[None] for x in state)), one, tol, max_iter)
