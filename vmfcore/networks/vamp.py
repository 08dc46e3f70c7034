r"""Message passing on dual networks without memory: for couplings of any spectrum.

With f(x) = tanh(field + x)/χ - x and the matrix A = D⁻¹(Λ - J)⁻¹ - 1, whose blocks have no trace,

.. math::
    \gamma(t) = A f(\gamma(t - 1)), \qquad
    D = \mathrm{diag}(\chi_v, \chi_h), \quad \Lambda = \mathrm{diag}(\lambda_v, \lambda_h), \quad
    \chi_k = \overline{1 - m^2}, \quad m = \tanh(\mathrm{field} + \gamma),

where J stands for the couplings between both layers and λ is that of `vmfcore.networks.resolvent`.  A fixed point
fulfils equations of Thouless, Anderson and Palmer with a reaction term ρ = λ - 1/χ that the spectrum of the couplings
decides,

.. math::
    \gamma_v = J r - \rho_v m, \qquad \gamma_h = J^{\mathsf T} m - \rho_h r, \qquad
    \rho_v = \frac{\chi_h t}{N}, \quad \rho_h = \frac{\chi_v t}{P}.

There, with x = χ_v χ_h and t, d, τ of the resolvent,

.. math::
    \langle\sigma_i h_\mu\rangle = m_i r_\mu + [(\Lambda - J)^{-1}]_{i\mu}, \qquad
    \ln Z = \sum_{\mathrm{spins}} [\mathrm{field}\, m + H(m)] + m^{\mathsf T} J r + x t
        - \tfrac12 \sum_k \ln d_k - \tfrac{N - P}{2} \ln(1 + \tau_v), \quad N \ge P.

The fixed points are those of the expectation-consistent approximation with one precision for each layer, and of vector
approximate message passing: m = ∂lnZ/∂a, r = ∂lnZ/∂b and <σh> = ∂lnZ/∂J at convergence.  Exact for N, P → ∞ if the
singular vectors of J are random rotations and there is one state.  One susceptibility stands for all spins of a layer:
where couplings of very different size or frozen spins share a layer, the equations of `vmfcore.networks.tap` and
`vmfcore.networks.cavity` are more accurate.  An edge ratio near 1 is the warning sign.

References
----------
Çakmak & Opper, arXiv:2005.01560 and, for the Ising model, arXiv:1901.08583; ln Z: Opper & Winther, JMLR 6, 2177
(2005), written for two layers in this project.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.networks.iteration import CHECK_EVERY, Iteration, more_damping
from vmfcore.networks.network import Network, Networks, solve
from vmfcore.networks.resolvent import Resolvent, resolvent
from vmfcore.numerics.jit import one_blas_thread
from vmfcore.numerics.spins import binary_entropy


class VampState(NamedTuple):
    """Averages of a dual network and of its layers; a leading axis K where the hidden fields have one.

    In pairs, index 0 stands for the visible and 1 for the hidden units.
    """

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


@dataclass(frozen=True)
class Vamp(Iteration):
    r"""Message passing without memory, for couplings of any spectrum.

    Parameters
    ----------
    damping, tol, max_iter
        As in `Cavity`, of the fields γ.

    Notes
    -----
    O(N P min(N, P)) once, for the eigenvalues of JᵀJ, then O(N P) a step.  Exact for N, P → ∞ if the singular vectors
    of J are random rotations and there is one state.  One susceptibility stands for all spins of a layer: where
    couplings of very different size or frozen spins share a layer, `Tap` and `Cavity` are more accurate.  An edge
    ratio near 1 is the warning sign.  The model terms of the bound do not take it: on learnt couplings it is no better
    than they are, and slower.

    References
    ----------
    Çakmak & Opper, arXiv:2005.01560 and, for the Ising model, arXiv:1901.08583; ln Z: Opper & Winther, JMLR 6, 2177
    (2005), written for two layers in this project.
    """

    def solve(self, network: Network, start: ArrayLike | None = None) -> VampState:
        """Averages of a network and the quantities of the theory.

        Parameters
        ----------
        network : Network
        start : (N + P,) or (K, N + P) array in [-1e100, 1e100] or None
            γ: ``VampState.messages`` of an earlier run, or numbers Normal(0, C) of the variances of
            `vmfcore.theory.dynamical_mean_field`, from which its theory of the increments holds.  None starts from 0.

        Returns
        -------
        VampState

        Warns
        -----
        ConvergenceWarning
            If a network has not converged after ``max_iter`` steps.
        """
        return solve(self, network, start)

    def first_messages(self, start: ArrayLike | None, networks: Networks, single: bool) -> np.ndarray | None:
        """Return the fields γ (K, N + P) that a user starts from."""
        if start is None:
            return None
        lead = () if single else (networks.shape[1],)
        size = sum(networks.couplings.shape[1:])
        gamma = checks.array((*lead, size), start=start).reshape(-1, size)
        checks.within(checks.MAX_MESSAGE, start=gamma)
        return gamma

    def averages(self, networks: Networks, weights: None, start: np.ndarray | None) -> VampState:
        """Return averages of the networks of one replica."""
        couplings, visible_fields, hidden_fields = (part[0] for part in networks)
        assert self.tol is not None, "with_tol gives one"
        state = solve_vamp(couplings, visible_fields, hidden_fields, self.damping, self.tol, self.max_iter, start)
        return VampState(*(part[None] for part in state))


class _Layers(NamedTuple):
    """One array for each layer of K networks: fields, messages or magnetizations."""

    visible: np.ndarray  # (K, N)
    hidden: np.ndarray  # (K, P)


class _Spectrum(NamedTuple):
    """Eigenvalues s² of JᵀJ and its eigenvectors, the modes."""

    squares: np.ndarray  # (P,)
    modes: np.ndarray  # (P, P), columns


class _Averages(NamedTuple):
    """What given messages γ imply for K networks."""

    means: _Layers
    susceptibilities: np.ndarray  # (K, 2)
    resolvent: Resolvent


def solve_vamp(
    couplings: np.ndarray,
    visible_fields: np.ndarray,
    hidden_fields: np.ndarray,
    damping: float,
    tol: float,
    max_iter: int,
    messages: np.ndarray | None = None,
) -> VampState:
    r"""Averages of K dual networks by message passing without memory, γ(t) = A f(γ(t - 1)); arguments are not checked.

    Parameters
    ----------
    couplings : (N, P) float64 array
        J, dimensionless, shared by all networks.
    visible_fields : (N,) float64 array
        a, shared by all networks.
    hidden_fields : (K, P) float64 array
        b of each network; they are solved as one batch.
    damping : float in [0, 0.95]
        Fraction of the old γ kept at the start; raised where the residual has not halved in 20 steps.
    tol : float > 0
        A network has converged when no magnetization changes by more in a step (before damping).
    max_iter : int >= 1
        Largest number of steps.
    messages : (K, N + P) float64 array or None
        γ to start from: `VampState.messages` of an earlier run, or numbers Normal(0, C) of the variances of
        `dynamical_mean_field`, from which its theory of the increments holds.  None starts from 0.

    Returns
    -------
    VampState
        With a leading axis K.

    Notes
    -----
    O(N P min(N, P)) once, for the eigenvalues of JᵀJ, then O(N P) a step and network.  χ and λ are computed anew at
    every step.  The batch goes on until its last network has converged.

    Examples
    --------
    >>> import numpy as np
    >>> from vmfcore.networks.vamp import solve_vamp
    >>> couplings = np.array([[0.3], [-0.2]])
    >>> hidden_fields = np.array([[0.5], [-0.5]])
    >>> state = solve_vamp(couplings, np.zeros(2), hidden_fields, damping=0.0, tol=1e-9, max_iter=100)
    >>> state.hidden_means[:, 0].round(3)
    array([ 0.462, -0.462])
    """
    n_visible, n_hidden = couplings.shape
    n_networks = len(hidden_fields)
    if messages is None:
        messages = np.zeros((n_networks, n_visible + n_hidden))
    fields = _Layers(np.repeat(visible_fields[None], n_networks, axis=0), hidden_fields)
    gamma = _Layers(*np.split(messages, [n_visible], axis=1))

    # products over several threads would add in another order
    with one_blas_thread():
        if n_visible >= n_hidden:
            return _iterate(couplings, fields, gamma, damping, tol, max_iter)
        # the modes are those of the shorter layer, which has to be the hidden one
        mirrored = _iterate(couplings.T, _mirrored(fields), _mirrored(gamma), damping, tol, max_iter)
    return _mirrored_state(mirrored, n_hidden)


def _iterate(couplings, fields, gamma, damping, tol, max_iter):
    """`VampState` of K networks: couplings (N, P) with N >= P, fields and first messages of both layers."""
    spectrum = _spectrum(couplings)
    averages = _averages(fields, gamma, spectrum)
    increments: list[np.ndarray] = []
    residual = np.array([np.inf])
    last_residual = np.inf
    while residual.max() > tol and len(increments) < max_iter:
        # the undamped step tells residual and increments
        new_gamma = _step(couplings, spectrum, averages, gamma)
        new_averages = _averages(fields, new_gamma, spectrum)
        increments.append(_mean_squared_changes(new_gamma, gamma))
        residual = _largest_changes(new_averages.means, averages.means)

        # the damped one is taken
        if damping > 0:
            new_gamma = _damped(damping, gamma, new_gamma)
            new_averages = _averages(fields, new_gamma, spectrum)
        gamma = new_gamma
        averages = new_averages

        # more damping where the residual does not fall
        if len(increments) % CHECK_EVERY == 0:
            damping = more_damping(damping, residual.max(), last_residual)
            last_residual = residual.max()

    with np.errstate(divide="ignore"):  # frozen layers have χ = 0
        precisions = (1 + averages.resolvent.tau) / averages.susceptibilities
    return VampState(
        visible_means=averages.means.visible,
        hidden_means=averages.means.hidden,
        correlations=_correlations(couplings, spectrum, averages),
        log_partition=_log_partition(couplings, fields, averages),
        n_iter=np.full(len(residual), len(increments)),
        residual=residual,
        converged=residual <= tol,
        messages=np.concatenate(gamma, axis=1),
        susceptibilities=averages.susceptibilities,
        precisions=precisions,
        edge_ratio=averages.resolvent.edge_ratio,
        increments=np.moveaxis(np.array(increments), -1, 0),
    )


def _spectrum(couplings):
    squares, modes = np.linalg.eigh(couplings.T @ couplings)
    return _Spectrum(np.maximum(squares, 0), modes)  # rounding leaves -1e-16


def _averages(fields, gamma, spectrum):
    """`_Averages` at these messages: m = tanh(field + γ), χ their mean 1 - m², and the resolvent at these."""
    means = _Layers(np.tanh(fields.visible + gamma.visible), np.tanh(fields.hidden + gamma.hidden))
    variances = [((1 - m) * (1 + m)).mean(axis=-1) for m in means]
    susceptibilities = np.stack(variances, axis=-1)
    n_visible = means.visible.shape[1]
    n_hidden = means.hidden.shape[1]
    product = susceptibilities.prod(axis=-1)
    return _Averages(means, susceptibilities, resolvent(spectrum.squares, product, n_visible, n_hidden))


def _step(couplings, spectrum, averages, gamma):
    """A f(γ): D⁻¹(Λ - J)⁻¹(J - ρ)g with g = χ f, the longer layer eliminated."""
    n_visible, n_hidden = couplings.shape
    chi_v, chi_h = averages.susceptibilities.T[..., None]
    scale_v = 1 + averages.resolvent.tau[:, :1]  # λ_v χ_v
    total = averages.resolvent.total[:, None]
    rho_v = chi_h * total / n_visible
    rho_h = chi_v * total / n_hidden
    g_v = averages.means.visible - chi_v * gamma.visible
    g_h = averages.means.hidden - chi_h * gamma.hidden

    # the hidden layer in the modes of the couplings, where (Λ - J)⁻¹ is diagonal
    from_visible = g_v @ couplings @ spectrum.modes
    from_hidden = g_h @ spectrum.modes
    source = scale_v * (from_visible - rho_h * from_hidden)
    source = source + chi_v * (spectrum.squares * from_hidden - rho_v * from_visible)
    hidden = source / averages.resolvent.gaps @ spectrum.modes.T

    # the visible layer follows from it
    visible = ((g_h + chi_h * hidden) @ couplings.T - rho_v * g_v) / scale_v
    return _Layers(visible, hidden)


def _mean_squared_changes(new, old):
    """Of both layers, each (K,)."""
    return [((x - y) ** 2).mean(axis=-1) for x, y in zip(new, old, strict=True)]


def _largest_changes(new, old):
    """Over both layers, (K,)."""
    of_layers = [np.abs(x - y).max(axis=-1) for x, y in zip(new, old, strict=True)]
    return np.max(of_layers, axis=0)


def _damped(damping, old, new):
    return _Layers(*(damping * y + (1 - damping) * x for x, y in zip(new, old, strict=True)))


def _log_partition(couplings, fields, averages):
    """ln Z = Σ [field m + H(m)] + mᵀJr + xt - ½ ln det of the precisions times χ, of networks (K,)."""
    m, r = averages.means
    of_layers = [
        (field * means + binary_entropy(means)).sum(axis=-1)
        for field, means in zip(fields, averages.means, strict=True)
    ]
    pull = ((m @ couplings) * r).sum(axis=-1)
    reaction = averages.susceptibilities.prod(axis=-1) * averages.resolvent.total
    # the modes of the longer layer that have no singular value stand in the determinant, too
    n_rest = m.shape[1] - r.shape[1]
    log_det = np.log(averages.resolvent.gaps).sum(axis=-1) + n_rest * np.log1p(averages.resolvent.tau[:, 0])
    return sum(of_layers) + pull + reaction - log_det / 2


def _correlations(couplings, spectrum, averages):
    """<σ_i h_μ> = m r + (Λ - J)⁻¹ of networks (K,), (K, N, P)."""
    m, r = averages.means
    product = averages.susceptibilities.prod(axis=-1)[:, None]
    response = product / averages.resolvent.gaps
    connected = (couplings @ spectrum.modes * response[:, None]) @ spectrum.modes.T
    return connected + m[:, :, None] * r[:, None]


def _mirrored(layers):
    """The layers with visible and hidden units exchanged."""
    return _Layers(layers.hidden, layers.visible)


def _mirrored_state(state, n_longer):
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
