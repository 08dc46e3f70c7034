"""Random numbers drawn inside kernels: a stream is a key, and every number of it has its place.

Number n of the stream is a function of the key and n alone, the finalizer of SplitMix64, whose period is 2^64: whoever
draws it, on whatever thread, draws the same.

References
----------
G. L. Steele, D. Lea, C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA (2014).
"""

import numpy as np

from vmfcore.numerics.jit import kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: how far the counter goes in a step
FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
SECOND_FACTOR = np.uint64(0x94D049BB133111EB)
UNIT = np.float32(2.0**-24)


@kernel
def word(key, n):
    """Word n of the stream of a key, uint64."""
    z = key + np.uint64(n + 1) * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * FIRST_FACTOR
    z = (z ^ (z >> np.uint64(27))) * SECOND_FACTOR
    return z ^ (z >> np.uint64(31))


def words_of(n):
    """How many words n uniform numbers take."""
    return -(-n // 2)


@kernel
def uniform(key, first, out):
    """Fill a row, float32, with multiples of 2^-24 in [0, 1): the words from ``first`` on, two numbers of each."""
    half = (out.size + 1) // 2
    left = out[:half]
    right = out[half:]
    for i in range(right.size):
        z = word(key, first + i)
        left[i] = np.int32(z >> np.uint64(40)) * UNIT
        right[i] = np.int32((z >> np.uint64(16)) & np.uint64(0xFFFFFF)) * UNIT
    if left.size > right.size:
        left[half - 1] = np.int32(word(key, first + half - 1) >> np.uint64(40)) * UNIT
