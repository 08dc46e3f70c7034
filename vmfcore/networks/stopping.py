"""When message passing stops, and how much of the old messages it keeps on the way."""

from typing import NamedTuple


class Stopping(NamedTuple):
    """What the kernels of message passing are told about damping and the end, in their precision."""

    damping: float  # fraction of the old message kept at the start
    tol: float  # of the residual
    max_iter: int  # sweeps
