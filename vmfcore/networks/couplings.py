"""The couplings of a network as they act on packed spins of either layer: real ones, and those of one bit."""

from typing import NamedTuple

import numpy as np

from vmfcore.numerics.bits import one_bit_products, transpose
from vmfcore.numerics.passes import turned_over
from vmfcore.numerics.products import multiply


class RealCouplings(NamedTuple):
    """J in both orders, contiguous."""

    rows: np.ndarray  # (N, P), a visible unit a row
    columns: np.ndarray  # (P, N), a hidden unit a row

    @classmethod
    def of(cls, couplings, dtype=np.float32):
        """Those of an array (N, P) in any order and precision."""
        rows = np.ascontiguousarray(couplings, dtype)
        return cls(rows, turned_over(rows))

    @property
    def shape(self):
        """(N, P)."""
        return self.rows.shape

    def on_visible(self, hidden):
        """J h (K, N) of packed hidden spins (K, ⌈P/8⌉)."""
        return multiply(hidden, self.columns)

    def on_hidden(self, visible):
        """Jᵀσ (K, P) of packed visible spins (K, ⌈N/8⌉)."""
        return multiply(visible, self.rows)


class OneBitCouplings(NamedTuple):
    """J_iμ = s_μ ξ_iμ with ξ = ±1: what the hidden units see is a count of bits, what the visible ones see as well if
    all scales s are the same."""

    visible: np.ndarray  # (N, ⌈P/8⌉) uint8, ξ of a visible unit a row
    hidden: np.ndarray  # (P, ⌈N/8⌉) uint8, ξ of a hidden unit a row
    scales: np.ndarray  # (P,), s
    columns: np.ndarray | None  # (P, N), J of a hidden unit a row; None where all scales are the same

    @classmethod
    def of(cls, bits, scales, dtype=np.float32):
        """Of packed synapses (N, ⌈P/8⌉) and the scales (P,) of the hidden units."""
        hidden = transpose(bits, len(scales))
        visible = transpose(hidden, len(bits))
        scales = scales.astype(dtype)
        if np.ptp(scales) == 0:
            return cls(visible, hidden, scales, None)
        signs = np.unpackbits(hidden, axis=1, count=len(bits)).astype(dtype)
        return cls(visible, hidden, scales, (2 * signs - 1) * scales[:, None])

    @property
    def shape(self):
        """(N, P)."""
        return len(self.visible), len(self.hidden)

    def on_visible(self, hidden):
        """J h (K, N) of packed hidden spins (K, ⌈P/8⌉)."""
        n_visible, n_hidden = self.shape
        if self.columns is not None:
            return multiply(hidden, self.columns)
        return one_bit_products(hidden, self.visible, n_hidden, np.full(n_visible, self.scales[0]))

    def on_hidden(self, visible):
        """Jᵀσ (K, P) of packed visible spins (K, ⌈N/8⌉)."""
        return one_bit_products(visible, self.hidden, len(self.visible), self.scales)
