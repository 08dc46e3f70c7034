"""The choice of block-Gibbs chains."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from vmfcore import checks
from vmfcore.data.mixture import Mixture, independent_pixels
from vmfcore.networks.chains import Annealing, Chains, sample_chains, start_chains
from vmfcore.networks.network import (
    FEW_CHAINS,
    Averages,
    Network,
    Networks,
    NetworkState,
    check_network,
    of_one_replica,
    warn_few_chains,
)
from vmfcore.networks.tempering import check_rungs


@dataclass(frozen=True)
class Gibbs:
    r"""Block-Gibbs chains: annealed from independent pixels at the first call, persistent from then on.

    With more than one rung they are tempered: chains on a path from independent pixels to the network exchange places,
    so that those of the network come out of states that no sweep leaves.

    Parameters
    ----------
    n_chains : int >= 2
        K, of each network.
    n_temperatures : int >= 1
        Steps of the annealing that starts the chains and estimates ln Z.
    bound_every : int >= 1 or None
        Of `vmfcore.fit` alone: steps between two bounds, which are entries of the history, each at the price of an
        annealing; None: at the first step only, and nan elsewhere.
    n_rungs : int in [1, 100] or None
        Networks on the path, the last of which is the network itself; 1: plain chains.  None: plain ones until they
        are seen to remember the states that they are in, from then on as many as exchanges need to be accepted half
        the time.  Those below the last have a quarter of the chains each.

    Notes
    -----
    O(n_chains N P) a sweep and n_temperatures times that for the start, in single precision; of R rungs (R + 3)/4 times
    that.  The choice for images, whose networks have many states.  The estimate of ln Z is on average too small.

    References
    ----------
    R. M. Neal, Statistics and Computing 11, 125 (2001); R. Salakhutdinov, I. Murray, ICML (2008); persistent chains:
    T. Tieleman, ICML (2008); tempered: `vmfcore.networks.tempering`.
    """

    n_chains: int = 100
    n_temperatures: int = 1000
    bound_every: int | None = None
    n_rungs: int | None = 1

    has_one_state: ClassVar[bool] = False

    def __post_init__(self):
        checks.keep(
            self,
            n_chains=checks.integer(2, n_chains=self.n_chains),
            n_temperatures=checks.integer(1, n_temperatures=self.n_temperatures),
            bound_every=None if self.bound_every is None else checks.integer(1, bound_every=self.bound_every),
            n_rungs=check_rungs(self.n_rungs),
        )

    def check_size(self, n_hidden: int) -> None:
        """Any number of hidden units."""

    def check_outside_fit(self) -> None:
        """ValueError where something is set that only a fit reads."""
        if self.bound_every is not None:
            raise ValueError(f"bound_every must be None outside a fit, got {self.bound_every}")

    def check_anneals(self) -> None:
        """ValueError where something is set that only chains that go on can use."""
        self.check_outside_fit()
        if self.n_rungs != 1:
            raise ValueError(f"n_rungs must be 1 where chains are annealed once, got {self.n_rungs}")

    def with_tol(self, tol: float, dtype: DTypeLike = np.float64) -> "Gibbs":
        """The solver itself, which has no tolerance."""
        return self

    def cold_start(self, base: Any, seed: int, reference: Mixture | None = None) -> Annealing:
        """What the first call starts from: independent pixels at fields ``base`` (N,), and rungs at a mixture."""
        reference = independent_pixels(base) if reference is None else reference
        return Annealing(base, self.n_chains, self.n_temperatures, seed, self.n_rungs, reference)

    def solve(self, network: Network, start: Chains | None = None, *, seed: int = 0) -> NetworkState:
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
        self.check_outside_fit()
        networks, single = check_network(network)
        if not single:
            raise ValueError(f"hidden_fields must have shape (P,) for chains, got {networks.hidden_fields[0].shape}")
        if start is None:
            first = self.cold_start(networks.visible_fields[0], checks.integer(0, seed=seed))
        else:
            first = self._checked_chains(start, networks.couplings.shape[2])
        found = self.averages(networks, np.ones(1), first)
        if not found.converged.all():
            warn_few_chains(stacklevel=3)
        correlations = found.correlations[:, None]
        means = found.visible_means, found.hidden_means, correlations
        state = NetworkState(*means, found.log_partition, found.n_iter, found.residual, found.converged, None)
        return of_one_replica(state, True)._replace(messages=found.messages)

    def _checked_chains(self, start, n_hidden):
        """The chains of an earlier run, which a sweep leaves as they were."""
        if not isinstance(start, Chains):
            raise TypeError(f"start must be the messages of an earlier run or None, got {type(start).__name__}")
        if (start.n_chains[0], start.n_hidden[0]) != (self.n_chains, n_hidden):
            raise ValueError(
                f"start must hold {self.n_chains} chains of {n_hidden} hidden units, "
                f"got {start.n_chains[0]} of {start.n_hidden[0]}"
            )
        if start.n_rungs[0] != (self.n_rungs or 0):
            raise ValueError(f"start must hold chains of n_rungs={self.n_rungs}, got {start.n_rungs[0] or None}")
        return start

    def averages(self, networks: Networks, weights: np.ndarray, start: Any) -> Averages:
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
