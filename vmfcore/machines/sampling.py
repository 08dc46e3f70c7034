"""Samples of machines: exact ones of few hidden units, or block-Gibbs chains."""

from collections import deque

import numpy as np
from numpy.typing import ArrayLike

from vmfcore import checks
from vmfcore.data.packing import PackedSpins
from vmfcore.machines.machine import Machine, check_data, check_machine, couplings_of, hidden_means
from vmfcore.machines.tempered import tempered_completions, tempered_samples
from vmfcore.networks.exact import draw_exactly
from vmfcore.networks.gibbs import Place, sweep, words_a_sweep
from vmfcore.networks.tempering import MAX_RUNGS, check_rungs
from vmfcore.numerics.blocks import IN_MEMORY, IN_SHARED_CACHE, blocks
from vmfcore.numerics.streams import Stream, generator, stream_key

MAX_EXACT_HIDDEN = 16  # hidden units up to which samples are drawn exactly, and ln Z is summed, unless told otherwise
N_SWEEPS = 1000  # by default, where samples cannot be drawn exactly


def sample(
    machine: Machine,
    n_samples: int,
    *,
    start: ArrayLike | None = None,
    clamped: ArrayLike | None = None,
    n_sweeps: int | None = None,
    n_rungs: int | None = None,
    like: ArrayLike | None = None,
    seed: int,
) -> np.ndarray:
    r"""Samples of the visible spins: exact, by tempered chains, or by independent block-Gibbs chains.

    Parameters
    ----------
    machine : Machine
    n_samples : int >= 1
        M.
    start : (M, N) array, ±1, or None
        Where the chains start, data for example; None: independent pixels at the visible fields.
    clamped : (N,) or (M, N) array of -1, 0 and +1, or None
        Spins that are held: those that are ±1, for all samples or for each.  The others are drawn given these.
    n_sweeps : int >= 1 or None
        Of each plain chain.  None: tempered chains, or exact samples for P <= 16 without ``clamped``; with ``start``
        plain chains of 1000.
    n_rungs : int in [1, 100] or None
        Of tempered chains, `vmfcore.networks.tempering`; 1: plain ones.  None: as many as exchanges need, or plain
        chains where ``start`` or ``n_sweeps`` is given.
    like : (M', N) array, ±1, PackedSpins or None
        Data that the machine has learnt from, if there are any: the path of tempered chains begins at a mixture of
        them.  None: at a mixture of the states that some chains come upon, which may miss one.
    seed : int >= 0

    Returns
    -------
    (M, N) int8 array
        ±1.

    Warns
    -----
    ConvergenceWarning
        If tempered chains hardly cross between the machine and the start of their path.

    Notes
    -----
    Exact: O(2^P N P + M N P).  Plain chains: O(n_sweeps M N P), in single precision.  They follow the machine's
    distribution only where they relax within ``n_sweeps``: a well trained machine has many states, and 1000 sweeps that
    start in data show the states around them rather than how often the machine visits each.  Tempered ones go to
    independent pixels and back: of R rungs O((2 M + 1500 min(M, 50)) R N P), or with ``clamped`` O(1600 M R N P).  Same
    bits for any number of threads.

    Examples
    --------
    >>> import vmfcore as vmf
    >>> teacher = vmf.planted(20, 3, beta=1.0, seed=1)
    >>> vmf.sample(teacher, 5, seed=1).shape
    (5, 20)
    """
    machine = check_machine(machine)
    n_visible, n_hidden = machine.weights.shape
    checks.integer(1, n_samples=n_samples)
    checks.integer(0, seed=seed)
    if start is not None:
        start = checks.spins(start, shape=(n_samples, n_visible), name="start")
    if clamped is not None:
        clamped = _checked_clamped(clamped, n_samples, n_visible)
        start = None if start is None else np.where(clamped == 0, start, clamped)
    n_rungs = check_rungs(n_rungs)
    if n_rungs is not None and n_rungs > 1 and not (start is None and n_sweeps is None):
        raise ValueError(f"n_rungs must be 1 or None where start or n_sweeps is given, got {n_rungs}")
    is_free = start is None and clamped is None
    if n_sweeps is None and n_rungs is None and like is None and is_free and n_hidden <= MAX_EXACT_HIDDEN:
        fields = machine.visible_fields, machine.hidden_fields
        return draw_exactly(machine.couplings, *fields, n_samples, generator(seed, Stream.SAMPLES))
    if n_rungs is None and n_sweeps is None and start is None:
        return _tempered(machine, n_samples, clamped, None, like, seed)
    if n_rungs is not None and n_rungs > 1:
        return _tempered(machine, n_samples, clamped, n_rungs, like, seed)
    if like is not None:
        raise ValueError("like must be None where no tempered chains are drawn (n_rungs)")
    n_sweeps = checks.integer(1, n_sweeps=N_SWEEPS if n_sweeps is None else n_sweeps)
    return _run_chains(machine, n_samples, start, clamped, n_sweeps, seed)


def _tempered(machine, n_samples, clamped, n_rungs, like, seed):
    """Samples (M, N) of a checked machine by tempered chains."""
    couplings, fields = couplings_of(machine, np.float32), (machine.visible_fields, machine.hidden_fields)
    if clamped is None:
        like = None if like is None else check_data(like, machine)[0]
        bits = tempered_samples(couplings, fields, n_samples, n_rungs, like, seed)
        return PackedSpins(bits, len(fields[0])).dense()
    if like is not None:
        raise ValueError("like must be None where spins are clamped: they say where the path begins")
    out = np.empty(clamped.shape, np.int8)
    for k, rows in enumerate(blocks(n_samples, MAX_RUNGS * sum(couplings.shape), IN_MEMORY)):
        bits = tempered_completions(couplings, fields, np.ascontiguousarray(clamped[rows]), n_rungs, seed + k)
        out[rows] = PackedSpins(bits, len(fields[0])).dense()
    return out


def _checked_clamped(clamped, n_samples, n_visible):
    """Spins to be held (M, N), int8: -1, 0 or +1."""
    shape = (n_visible,) if np.ndim(clamped) == 1 else (n_samples, n_visible)
    values = checks.array(shape, dtype=None, clamped=clamped)
    if not np.isin(values, (-1, 0, 1)).all():
        raise ValueError(f"clamped must hold -1, 0 and +1 only, got {values[~np.isin(values, (-1, 0, 1))][0]}")
    return np.broadcast_to(values.astype(np.int8), (n_samples, n_visible))


class _Runner:
    """Independent block-Gibbs chains of a checked machine, K of them."""

    def __init__(self, machine, n_chains, start, seed):
        self._machine = machine
        self._couplings = couplings_of(machine, np.float32)
        self._fields = machine.visible_fields.astype(np.float32), machine.hidden_fields.astype(np.float32)
        self._n_chains = n_chains
        self._start = start
        self._rng = generator(seed, Stream.SAMPLES)
        self._key = stream_key(seed, Stream.SAMPLES)

    def states(self, rows, n_sweeps, clamped=None):
        """The packed visible spins of some of the chains after each sweep; what has no start has a sweep more."""
        held = None if clamped is None else clamped[rows]
        n_visible, n_hidden = self._couplings.shape
        if self._start is None:
            # a sweep from independent pixels, which does not look at the hidden units
            hidden = np.zeros((len(range(self._n_chains)[rows]), -(-n_hidden // 8)), np.uint8)
            scales = [(0.0, 1.0)] + n_sweeps * [(1.0, 1.0)]
        else:
            hidden = draw_hidden(self._start[rows], self._machine, self._rng)
            scales = n_sweeps * [(1.0, 1.0)]
        words = words_a_sweep(n_visible, n_hidden)
        for n, scales_of_sweep in enumerate(scales):
            place = Place(self._key, (n * self._n_chains + rows.start) * words)
            spins, _ = sweep(self._couplings, self._fields, hidden, place, scales_of_sweep, held)
            yield spins


def _run_chains(machine, n_chains, start, clamped, n_sweeps, seed):
    """The visible spins (K, N) of chains after so many sweeps, a block of chains after the other."""
    n_visible, n_hidden = machine.weights.shape
    runner = _Runner(machine, n_chains, start, seed)
    out = np.empty((n_chains, n_visible), np.int8)
    for rows in blocks(n_chains, n_visible + n_hidden, IN_SHARED_CACHE):
        (spins,) = deque(runner.states(rows, n_sweeps, clamped), maxlen=1)
        out[rows] = PackedSpins(spins, n_visible).dense()
    return out


def chain_bits(machine, n_chains, burn_in, n_sweeps, start, seed):
    """The packed visible spins (sweeps, K, bytes) of chains of a checked machine, after ``burn_in`` sweeps."""
    states = _Runner(machine, n_chains, start, seed).states(slice(0, n_chains), burn_in + n_sweeps)
    return np.stack(deque(states, maxlen=n_sweeps))


def draw_hidden(spins, machine, rng):
    """Hidden units of a checked machine given the visible spins, packed (M, ⌈P/8⌉)."""
    means = hidden_means(spins, machine)
    return np.packbits(2 * rng.random(means.shape) - 1 < means, axis=1)
