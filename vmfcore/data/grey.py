"""Grey values as probabilities: spins that are drawn from them, anew in every epoch."""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import DTypeLike

from vmfcore import checks
from vmfcore.data.packing import PackedSpins
from vmfcore.numerics.bits import pack
from vmfcore.numerics.blocks import IN_SHARED_CACHE, blocks
from vmfcore.numerics.draws import uniform, words_of
from vmfcore.numerics.jit import kernel, numba_threads, parallel_kernel
from vmfcore.numerics.streams import Stream, stream_key

BRIGHTEST = 255
GRAIN = 2**14  # spins whose drawing is worth a thread


@dataclass(frozen=True, eq=False)
class GreyPixels:
    r"""Data whose spins are drawn from grey values: σ = +1 with probability level/255.

    `vmfcore.fit` draws them anew in every epoch, or at every step without batches; what needs the data once takes
    those of epoch 0, as `draw` has them.

    Parameters
    ----------
    levels : (M, N) uint8 array
        Grey values.
    seed : int >= 0
        Same seed, same bits, for any number of threads.

    References
    ----------
    R. Salakhutdinov, I. Murray, ICML (2008).

    Examples
    --------
    >>> import numpy as np
    >>> import vmfcore as vmf
    >>> pixels = vmf.GreyPixels(np.array([[0, 90, 255]] * 4, np.uint8), seed=2)
    >>> pixels.draw(epoch=0).dense().tolist()
    [[-1, 1, 1], [-1, -1, 1], [-1, -1, 1], [-1, -1, 1]]
    >>> pixels.draw(epoch=1).dense().tolist()
    [[-1, -1, 1], [-1, 1, 1], [-1, 1, 1], [-1, 1, 1]]
    >>> pixels[:2].shape
    (2, 3)
    """

    levels: np.ndarray
    seed: int = 0

    def __post_init__(self):
        levels = checks.array((None, None), dtype=None, levels=self.levels)
        if levels.dtype != np.uint8:
            raise TypeError(f"levels must be an array of dtype uint8, got {levels.dtype}")
        checks.keep(self, levels=levels, seed=checks.integer(0, seed=self.seed))

    @property
    def shape(self) -> tuple[int, int]:
        """(M, N)."""
        return self.levels.shape

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """The spins of epoch 0, as numpy asks for them."""
        if copy is False:
            raise ValueError("copy must not be False: spins are drawn from grey values")
        return self.draw().dense(np.int8 if dtype is None else dtype)

    def __getitem__(self, samples) -> "GreyPixels":
        """The samples of a slice or of an index array."""
        return GreyPixels(self.levels[samples], self.seed)

    def draw(self, epoch: int = 0, samples: np.ndarray | None = None) -> PackedSpins:
        """The spins of an epoch, packed: of all samples, or of an array of their numbers."""
        n_visible = self.levels.shape[1]
        key = stream_key(self.seed, Stream.PIXELS, checks.integer(0, epoch=epoch))
        samples = np.arange(len(self.levels)) if samples is None else np.asarray(samples)
        bits = np.empty((len(samples), -(-n_visible // 8)), np.uint8)
        words = words_of(n_visible)
        for block in blocks(len(samples), n_visible, IN_SHARED_CACHE):
            chosen = samples[block]
            levels = np.ascontiguousarray(self.levels[chosen])
            with numba_threads(len(levels), levels.size / GRAIN):
                _draw(levels, chosen * words, key, bits[block])
        return PackedSpins(bits, n_visible)


@kernel
def _draw_sample(levels, key, first, bits):
    """Spins of one sample, with the random numbers from word ``first`` on."""
    u = np.empty(levels.size, np.float32)
    up = np.empty(levels.size, np.bool_)
    uniform(key, first, u)
    for i in range(levels.size):
        up[i] = BRIGHTEST * u[i] < levels[i]
    pack(up, bits)


@parallel_kernel
def _draw(levels, first, key, bits):
    """Spins of some samples, each with random numbers of its own."""
    for n in numba.prange(len(levels)):
        _draw_sample(levels[n], key, first[n], bits[n])
