"""The choice of exact sums."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from vmfcore.networks.exact import MAX_SUMMED_UNITS, sum_over_hidden
from vmfcore.networks.network import Averages, Network, Networks, NetworkState, check_network, of_one_replica


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
    >>> state.correlations.round(6), np.tanh(0.5).round(6)
    (array([[0.462117]]), np.float64(0.462117))
    """

    tol: ClassVar[float] = 0.0
    has_one_state: ClassVar[bool] = False  # it sees all states of the network, mirror images included

    def check_size(self, n_hidden: int) -> None:
        """ValueError where there are too many hidden units."""
        if n_hidden > MAX_SUMMED_UNITS:
            raise ValueError(
                f"solver must be Cavity, Tap or Gibbs for more than {MAX_SUMMED_UNITS} hidden units, "
                f"got {self} and {n_hidden}"
            )

    def with_tol(self, tol: float, dtype: DTypeLike = np.float64) -> "Exact":
        """The solver itself, which has no tolerance."""
        return self

    def cold_start(self, base: np.ndarray | None, seed: int) -> None:
        """What the first call starts from: nothing."""
        return None

    def solve(self, network: Network, start: None = None) -> NetworkState:
        """Averages of a network: see `Network` and `NetworkState`; ``start`` must be None, since a sum has none."""
        if start is not None:
            raise ValueError(f"start must be None for an exact sum, got {type(start).__name__}")
        networks, single = check_network(network)
        self.check_size(networks.couplings.shape[2])
        log_z, m, r, c = sum_over_hidden(*networks)
        zeros, yes = np.zeros(log_z.shape), np.ones(log_z.shape, bool)
        return of_one_replica(NetworkState(m, r, c, log_z, zeros.astype(np.int64), zeros, yes, None), single)

    def averages(self, networks: Networks, weights: np.ndarray, start: Any) -> Averages:
        """`Averages` of networks, those of the correlations with weights (K,)."""
        # in double precision and in the order in which sums over states want them
        log_z, m, r, c = sum_over_hidden(*(np.ascontiguousarray(part, np.float64) for part in networks))
        averaged = np.einsum("k,rknp->rnp", weights, c)
        n_iter = np.zeros(networks.shape, np.int64)
        return Averages(log_z, m, r, averaged, None, n_iter, np.zeros(networks.shape), np.ones(networks.shape, bool))
