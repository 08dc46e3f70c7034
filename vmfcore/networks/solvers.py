"""Solvers: how the averages of a network are found.  Each is a value that holds its own tolerances.

``solver.solve(network)`` is for a user and checks what it is given; ``solver.averages(networks, weights, start)`` is
for the model terms of the bound, which solve K networks in each of R replicas.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from vmfcore import checks
from vmfcore.networks.cavity import solve_cavity
from vmfcore.networks.chains import Annealing, Chains, sample_chains, start_chains
from vmfcore.networks.exact import MAX_SUMMED_UNITS, sum_over_hidden
from vmfcore.networks.network import (
    FEW_CHAINS,
    SOLVER_ADVICE,
    Averages,
    Network,
    NetworkState,
    check_network,
    of_one_replica,
    warn_few_chains,
    warn_unconverged,
)
from vmfcore.networks.tap import correlations, solve_tap
from vmfcore.networks.vamp import MAX_MESSAGE, VampState, solve_vamp
from vmfcore.numerics.jit import one_blas_thread

TOL = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 3e-6}  # of message passing, where none is given


def _keep_iteration(solver):
    """Check the three numbers of message passing and keep them as Python's own."""
    checks.keep(
        solver,
        damping=checks.real(0, checks.MAX_DAMPING, closed="both", damping=solver.damping),
        tol=None if solver.tol is None else checks.real(0, np.inf, tol=solver.tol),
        max_iter=checks.integer(1, max_iter=solver.max_iter),
    )


def _with_tol(solver, tol, dtype):
    """The solver with this tolerance where it has none of its own, if single precision can reach it."""
    solver = replace(solver, tol=tol) if solver.tol is None else solver
    if dtype == np.float32 and solver.tol < checks.MIN_SINGLE_TOL:
        raise ValueError(f"tol must be at least {checks.MIN_SINGLE_TOL:g} in single precision, got {solver.tol!r}")
    return solver


def _finished(state, single, solver):
    """The state of one replica, with a warning if one of its networks has not converged."""
    if not state.converged.all():
        warn_unconverged(state.residual.max(), solver.tol, solver.max_iter, SOLVER_ADVICE, stacklevel=4)
    return of_one_replica(state, single)


@dataclass(frozen=True)
class Exact:
    r"""The sum over all 2^P states of the hidden units, P <= 20.

    Notes
    -----
    O(2^P (N P + K P)) time for K networks, O(2^P (N + K)) memory in blocks.

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> state = vmf.Exact().solve(vmf.Network(np.array([[0.5]]), np.zeros(1), np.zeros(1)))
    >>> float(state.correlations[0, 0].round(6)) == round(np.tanh(0.5), 6)
    True
    """

    tol: ClassVar[float] = 0.0
    has_one_state: ClassVar[bool] = False  # it sees all states of the network, mirror images included

    def check_size(self, n_hidden):
        """ValueError where there are too many hidden units."""
        if n_hidden > MAX_SUMMED_UNITS:
            raise ValueError(
                f"solver must be Cavity, Tap or Gibbs for more than {MAX_SUMMED_UNITS} hidden units, "
                f"got {self} and {n_hidden}"
            )

    def with_tol(self, tol, dtype=np.float64):
        """The solver itself, which has no tolerance."""
        return self

    def cold_start(self, base, seed):
        """What the first call starts from: nothing."""
        return None

    def solve(self, network: Network, start=None) -> NetworkState:
        """Averages of a network: see `Network` and `NetworkState`; ``start`` must be None, since a sum has none."""
        if start is not None:
            raise ValueError(f"start must be None for an exact sum, got {type(start).__name__}")
        networks, single = check_network(network)
        self.check_size(networks.couplings.shape[2])
        log_z, m, r, c = sum_over_hidden(*(part[0] for part in networks))
        zeros, yes = np.zeros(log_z.shape), np.ones(log_z.shape, bool)
        state = NetworkState(m, r, c, log_z, zeros.astype(np.int64), zeros, yes, None)
        return of_one_replica(NetworkState(*(None if x is None else x[None] for x in state)), single)

    def averages(self, networks, weights, start):
        """`Averages` of networks, those of the correlations with weights (K,)."""
        # in double precision and in the order in which sums over states want them
        parts = [np.ascontiguousarray(part, np.float64) for part in networks]
        sums = [sum_over_hidden(*network) for network in zip(*parts, strict=True)]
        log_z, m, r = (np.stack(part) for part in zip(*(s[:3] for s in sums), strict=True))
        averaged = np.stack([np.tensordot(weights, s[3], axes=1) for s in sums])
        n_iter = np.zeros(networks.shape, np.int64)
        return Averages(log_z, m, r, averaged, None, n_iter, np.zeros(networks.shape), np.ones(networks.shape, bool))


@dataclass(frozen=True)
class Cavity:
    r"""The cavity method: belief propagation on the edges of the network, `vmfcore.networks.cavity`.

    Parameters
    ----------
    damping : float in [0, 0.95]
        Fraction of the old message kept at the start; raised by half the way to 1, up to 0.95, each time 20 sweeps
        have not halved the residual.
    tol : float > 0 or None
        A run has converged when no magnetization changes by more in a sweep, after removal of the damping.  None: 1e-9;
        in `vmfcore.fit` 1e-7, or 3e-5 in single precision.
    max_iter : int >= 1
        Largest number of sweeps.

    Notes
    -----
    O(N P) a sweep and a network.  Exact on trees (P = 1, or N = 1); elsewhere ln Z is off by O(1/N) for fixed P.
    Where a network without fields has several states, the messages stay in one of them or, started from None,
    in the symmetric one: fix one spin by a large field, and C and ln Z take the mirror images into account
    (as `Annealed` does).  Magnetizations, correlations and ln Z obey m = ∂lnZ/∂a, r = ∂lnZ/∂b, C = ∂lnZ/∂J.

    References
    ----------
    Huang, arXiv:1911.07662, eq. (7)-(8), there with tanh J ≈ J in the sum over j; Mézard & Montanari, *Information,
    Physics, and Computation* (Oxford, 2009), chapter 14, for the Bethe free energy.

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> network = vmf.Network(np.full((5, 1), 0.3), np.full(5, 0.1), np.zeros(1))
    >>> state = vmf.Cavity(tol=1e-10).solve(network)
    >>> exact = vmf.Exact().solve(network)
    >>> bool(state.converged), float(abs(state.log_partition - exact.log_partition).round(9))
    (True, 0.0)
    """

    damping: float = 0.0
    tol: float | None = None
    max_iter: int = 1000

    has_one_state: ClassVar[bool] = True

    def __post_init__(self):
        _keep_iteration(self)

    def check_size(self, n_hidden):
        """Any number of hidden units."""

    def with_tol(self, tol, dtype=np.float64):
        """The solver with this tolerance where it has none of its own."""
        return _with_tol(self, tol, dtype)

    def cold_start(self, base, seed):
        """What the first call starts from: no messages."""
        return None

    def solve(self, network: Network, start=None) -> NetworkState:
        """Averages of a network.

        Parameters
        ----------
        network : Network
        start : (P, N) or (K, P, N) array > 0 or None
            ``NetworkState.messages`` of an earlier run; None starts without fields from the hidden units.  Those of a
            network with stronger couplings start at the strongest that these can send, exp(±2J).

        Returns
        -------
        NetworkState

        Warns
        -----
        ConvergenceWarning
            If a network has not converged after ``max_iter`` sweeps.
        """
        networks, single = check_network(network)
        solver = self.with_tol(TOL[networks.couplings.dtype])
        messages = None if start is None else self._checked_messages(start, networks, single)
        return _finished(solve_cavity(*networks, solver.damping, solver.tol, solver.max_iter, messages), single, solver)

    @staticmethod
    def _checked_messages(start, networks, single):
        _, n_visible, n_hidden = networks.couplings.shape
        lead = () if single else (networks.shape[1],)
        messages = checks.array((*lead, n_hidden, n_visible), start=start).reshape(1, -1, n_hidden, n_visible)
        if messages.min() <= 0:
            raise ValueError(f"start must hold positive odds ratios, got {messages.min()!r}")
        # beyond it their products overflow, and damping takes long to leave states that are saturated
        strongest = np.exp(2.0 * np.abs(np.swapaxes(networks.couplings, 1, 2)))[:, None]
        return np.clip(messages, 1.0 / strongest, strongest, order="C")

    def averages(self, networks, weights, start):
        """`Averages` of networks, those of the correlations with weights (K,); overwrites the messages ``start``."""
        state = solve_cavity(*networks, self.damping, self.tol, self.max_iter, start)
        averaged = np.einsum("k,rknp->rnp", weights, state.correlations)
        means = state.visible_means, state.hidden_means
        return Averages(state.log_partition, *means, averaged, state.messages, *state[4:7])


@dataclass(frozen=True)
class Tap:
    r"""Equations of Thouless, Anderson and Palmer on the nodes: approximate message passing, `vmfcore.networks.tap`.

    Parameters
    ----------
    damping, tol, max_iter
        As in `Cavity`, of magnetizations.  In single precision tol is 3e-6 where it is None, and must be at least 1e-6.

    Notes
    -----
    O(N P) a sweep and a network, as matrix products of batches of 16 networks; a batch iterates until the last of them
    has converged.  The two sides of the equations agree with the cavity method up to terms of third order in J; unlike
    it they are not exact on trees.  m = ∂lnZ/∂a, r = ∂lnZ/∂b and C = ∂lnZ/∂J at convergence.  Parallel updates fail to
    converge earlier than those of `Cavity` where couplings are strong.

    References
    ----------
    Thouless, Anderson & Palmer, Phil. Mag. 35, 593 (1977); for RBMs Gabrié, Tramel & Krzakala, arXiv:1506.02914.
    """

    damping: float = 0.0
    tol: float | None = None
    max_iter: int = 1000

    has_one_state: ClassVar[bool] = True

    def __post_init__(self):
        _keep_iteration(self)

    def check_size(self, n_hidden):
        """Any number of hidden units."""

    def with_tol(self, tol, dtype=np.float64):
        """The solver with this tolerance where it has none of its own."""
        return _with_tol(self, tol, dtype)

    def cold_start(self, base, seed):
        """What the first call starts from: no magnetizations."""
        return None

    def solve(self, network: Network, start=None) -> NetworkState:
        """Averages of a network, in single precision where its couplings are float32, in double where not.

        Parameters
        ----------
        network : Network
        start : (N + P,) or (K, N + P) array in [-1, 1] or None
            ``NetworkState.messages`` of an earlier run, which are its magnetizations; None starts from 0.

        Returns
        -------
        NetworkState
            In the precision of the calculation, ln Z in float64.

        Warns
        -----
        ConvergenceWarning
            If a network has not converged after ``max_iter`` sweeps.
        """
        in_single = getattr(getattr(network, "couplings", None), "dtype", None) == np.float32
        dtype = np.dtype(np.float32 if in_single else np.float64)
        networks, single = check_network(network, dtype)
        solver = self.with_tol(TOL[dtype], dtype)
        messages = None if start is None else self._checked_messages(start, networks, single)
        with one_blas_thread():
            state = solve_tap(*networks, solver.damping, solver.tol, solver.max_iter, messages)
        m, r = state.visible_means[0, :, :, None], state.hidden_means[0, :, None, :]
        averages = (m * r + networks.couplings * (1 - m**2) * (1 - r**2))[None]
        state = state._replace(correlations=averages, messages=np.concatenate(state.messages, axis=2))
        return _finished(state, single, solver)

    @staticmethod
    def _checked_messages(start, networks, single):
        _, n_visible, n_hidden = networks.couplings.shape
        lead = () if single else (networks.shape[1],)
        means = checks.means(start, shape=(*lead, n_visible + n_hidden), name="start")
        means = means.astype(networks.couplings.dtype).reshape(1, networks.shape[1], -1)
        return tuple(np.ascontiguousarray(part) for part in np.split(means, [n_visible], axis=2))

    def averages(self, networks, weights, start):
        """`Averages` of networks, those of the correlations with weights (K,); overwrites ``start``."""
        state = solve_tap(*networks, self.damping, self.tol, self.max_iter, start)
        means = state.visible_means, state.hidden_means
        averaged = correlations(networks.couplings, *means, weights)
        return Averages(state.log_partition, *means, averaged, state.messages, *state[4:7])


@dataclass(frozen=True)
class Vamp:
    r"""Message passing without memory, for couplings of any spectrum, `vmfcore.networks.vamp`.

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

    damping: float = 0.0
    tol: float | None = None
    max_iter: int = 1000

    def __post_init__(self):
        _keep_iteration(self)

    def solve(self, network: Network, start=None) -> VampState:
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
        networks, single = check_network(network)
        solver = _with_tol(self, TOL[networks.couplings.dtype], networks.couplings.dtype)
        gamma = None if start is None else self._checked_messages(start, networks, single)
        with one_blas_thread():
            state = solve_vamp(*(part[0] for part in networks), solver.damping, solver.tol, solver.max_iter, gamma)
        return _finished(VampState(*(part[None] for part in state)), single, solver)

    @staticmethod
    def _checked_messages(start, networks, single):
        lead = () if single else (networks.shape[1],)
        size = sum(networks.couplings.shape[1:])
        gamma = checks.array((*lead, size), start=start).reshape(-1, size)
        checks.within(MAX_MESSAGE, start=gamma)
        return gamma


@dataclass(frozen=True)
class Gibbs:
    r"""Block-Gibbs chains: annealed from independent pixels at the first call, persistent from then on.

    Parameters
    ----------
    n_chains : int >= 2
        K, of each network.
    n_temperatures : int >= 1
        Steps of the annealing that starts the chains and estimates ln Z.
    bound_every : int >= 1 or None
        Of `vmfcore.fit` alone: steps between two bounds, which are entries of the history, each at the price of an
        annealing; None: at the first step only, and nan elsewhere.

    Notes
    -----
    O(n_chains N P) a sweep and n_temperatures times that for the start, in single precision.  The choice for images,
    whose networks have many states.  The estimate of ln Z is on average too small.

    References
    ----------
    R. M. Neal, Statistics and Computing 11, 125 (2001); R. Salakhutdinov, I. Murray, ICML (2008); persistent chains:
    T. Tieleman, ICML (2008).
    """

    n_chains: int = 100
    n_temperatures: int = 1000
    bound_every: int | None = None

    has_one_state: ClassVar[bool] = False

    def __post_init__(self):
        checks.keep(
            self,
            n_chains=checks.integer(2, n_chains=self.n_chains),
            n_temperatures=checks.integer(1, n_temperatures=self.n_temperatures),
            bound_every=None if self.bound_every is None else checks.integer(1, bound_every=self.bound_every),
        )

    def check_size(self, n_hidden):
        """Any number of hidden units."""

    def with_tol(self, tol, dtype=np.float64):
        """The solver itself, which has no tolerance."""
        return self

    def cold_start(self, base, seed):
        """What the first call starts from: independent pixels at fields ``base`` (N,)."""
        return Annealing(base, self.n_chains, self.n_temperatures, seed)

    def solve(self, network: Network, start=None, *, seed=0) -> NetworkState:
        """Averages of a network over its chains, after one sweep more.

        Parameters
        ----------
        network : Network
            With hidden fields (P,).
        start : Chains or None
            ``NetworkState.messages`` of an earlier run; None: chains are annealed from independent pixels at the
            visible fields, which also estimates ln Z.  Otherwise ln Z is nan.
        seed : int >= 0
            Of the annealing.

        Returns
        -------
        NetworkState
            With the standard error of ln Z as residual.

        Warns
        -----
        ConvergenceWarning
            If fewer than three chains carry the estimate of ln Z.
        """
        if self.bound_every is not None:
            raise ValueError(f"bound_every must be None outside a fit, got {self.bound_every}")
        networks, single = check_network(network)
        if not single:
            raise ValueError(f"hidden_fields must have shape (P,) for chains, got {networks.hidden_fields[0].shape}")
        if start is None:
            start = self.cold_start(networks.visible_fields[0], checks.integer(0, seed=seed))
        elif not isinstance(start, Chains):
            raise TypeError(f"start must be the messages of an earlier run or None, got {type(start).__name__}")
        found = self.averages(networks, np.ones(1), start)
        if not found.converged.all():
            warn_few_chains(stacklevel=3)
        correlations = found.correlations[:, None]
        means = found.visible_means, found.hidden_means, correlations
        state = NetworkState(*means, found.log_partition, found.n_iter, found.residual, found.converged, None)
        return of_one_replica(state, True)._replace(messages=found.messages)

    def averages(self, networks, weights, start):
        """`Averages` of one network a replica over its chains; ln Z is nan where persistent chains went on."""
        network = networks.couplings, networks.visible_fields, networks.hidden_fields[:, 0]
        log_z, error = np.full(networks.shape, np.nan), np.zeros(networks.shape)
        enough = np.ones(networks.shape, bool)
        if isinstance(start, Annealing):
            start, estimates = start_chains(*network, start)
            log_z[:, 0], error[:, 0], effective = np.transpose(estimates)
            enough[:, 0] = effective >= FEW_CHAINS
        m, r, averaged, chains = sample_chains(*network, start)
        one_sweep = np.ones(networks.shape, np.int64)
        return Averages(log_z, m[:, None], r[:, None], averaged, chains, one_sweep, error, enough)


Solver = Exact | Cavity | Tap | Gibbs
