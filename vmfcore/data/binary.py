"""Binary data as other programs write them: 0 and 1, True and False, or -1 and +1."""

import numpy as np

from vmfcore.data.packing import PackedSpins


def pack_binary(pixels: np.ndarray, threshold: float | None = None) -> tuple[PackedSpins, np.ndarray]:
    """Packed spins of finite pixels X, and how a pixel was written where it was off and where it was on.

    Parameters
    ----------
    pixels : (M, N) array
        1 is on, and what else it may hold is off, but not 0 and -1 in one array.
    threshold : float or None
        What is larger is on, whatever the pixels hold; off is written as 0, on as 1.

    Returns
    -------
    data : PackedSpins
    values : (2,) array
        Off and on, in the dtype of the pixels.

    Examples
    --------
    >>> import numpy as np
    >>> data, values = pack_binary(np.array([[True, False, True]]))
    >>> data.dense(), values
    (array([[ 1, -1,  1]], dtype=int8), array([False,  True]))
    """
    low = -1 if threshold is None and (pixels == -1).any() else 0
    is_on = pixels == 1 if threshold is None else pixels > threshold
    if threshold is None:
        _refuse_others(pixels, is_on | (pixels == low), low)
    return PackedSpins(np.packbits(is_on, axis=1), pixels.shape[1]), np.array([low, 1]).astype(pixels.dtype)


def _refuse_others(pixels, is_binary, low):
    if not is_binary.all():
        where = tuple(int(i) for i in np.argwhere(~is_binary)[0])
        either = "-1 and +1" if low else "0 and 1, or -1 and +1"
        raise ValueError(f"X must hold {either}, or binarize be a threshold, got {pixels[where]} at index {where}")
