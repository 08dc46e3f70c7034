"""Every stream of random numbers, once: what is drawn with the same seed for different ends is independent.

The starts of a fit are drawn from children of the seed itself, the order of digits from the seed; no stream meets them.
"""

import enum

import numpy as np


@enum.unique
class Stream(enum.IntEnum):
    """What the random numbers are for.  The numbers are part of what a seed means: a new stream takes a new one."""

    TEACHER = 1  # planted weights
    SAMPLES = 2  # spins of a machine
    BATCHES = 3  # the order of the samples in stochastic steps
    ANNEALING = 5  # chains of a log-likelihood
    PERSISTENT_CHAINS = 6  # chains that go on through the steps of a fit
    COUPLINGS = 7  # ensembles of random networks
    PIXELS = 8  # spins of grey values, anew in every epoch
    FULL_PRECISION = 9  # couplings at the start and chains of the machine of full precision
    PAIRS = 10  # of states of chains that are compared
    TEMPERING = 11  # tempered chains of a machine
    MIXTURE = 12  # samples that the components of a mixture begin at


def generator(seed, stream):
    """The generator of one stream of a seed, an integer >= 0.

    Examples
    --------
    >>> generator(9, Stream.TEACHER).random() == generator(9, Stream.SAMPLES).random()
    False
    """
    return np.random.default_rng([seed, stream])


def stream_key(seed, stream, *path):
    """The key, a uint64, of one stream of a seed that kernels draw from (`draws`), or of one of its branches."""
    (key,) = np.random.SeedSequence([seed, stream, *path]).generate_state(1, np.uint64)
    return key


def restart_generators(seed, n_restarts):
    """Random numbers of each restart of a learner, which do not depend on how many restarts there are."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(n_restarts)]
