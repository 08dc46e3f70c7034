"""Checks of arguments: each names the argument, what it was and what it must be.

They run before any work.  The notebooks use the same functions on their parameters.
Every function returns the value in the type that the rest of the code expects.
"""

import numbers
from pathlib import Path

import numpy as np

MIN_BETA, MAX_BETA = 1e-6, 50.0  # the square of a much smaller number underflows
MAX_COUPLING = 100.0  # exp(2J) and its square must stay finite
MAX_DAMPING = 0.95
MIN_SINGLE_TOL = 1e-6  # single precision does not settle to less than some of its rounding errors
MIN_KL_WEIGHT, MAX_KL_WEIGHT = 1e-6, 1e6
MAX_SINGLE_BETA = 8.0  # beyond it the averages of the data term leave the range of single precision
MAX_SIZE = 1e6  # of fields, couplings and temperatures: single precision must hold their sums
MAX_THEORY_FIELD = 1000.0  # of fields and singular values whose Gaussian averages the dynamical theory takes
MAX_STRENGTH = 100.0  # of random couplings
MAX_EXPONENT = 20.0  # of a spectrum that is a power law
MAX_MESSAGE = 1e100  # of message passing without memory: its square must stay finite


def _is_number(value, kind):
    return isinstance(value, kind) and not isinstance(value, (bool, np.bool_))


def integer(minimum, **named):
    """Integers >= ``minimum``; ``integer(1, n_hidden=n_hidden)`` returns an int, several names a list."""
    for name, value in named.items():
        if not _is_number(value, numbers.Integral):
            raise TypeError(f"{name} must be an integer >= {minimum}, got {value!r}")
        if value < minimum:
            raise ValueError(f"{name} must be an integer >= {minimum}, got {value!r}")
    values = [int(value) for value in named.values()]
    return values[0] if len(values) == 1 else values


def real(low, high, *, closed="", **named):
    """Real numbers from ``low`` to ``high``, ends included as ``closed`` says: "", "right" or "both"."""
    bounds = f"{'[' if closed == 'both' else '('}{low:g}, {high:g}{']' if closed else ')'}"
    for name, value in named.items():
        if not _is_number(value, numbers.Real):
            raise TypeError(f"{name} must be a real number in {bounds}, got {value!r}")
        if not (low < value < high or (closed and value == high) or (closed == "both" and value == low)):
            raise ValueError(f"{name} must be a real number in {bounds}, got {value!r}")
    values = [float(value) for value in named.values()]
    return values[0] if len(values) == 1 else values


def flag(**named):
    """True or False."""
    for name, value in named.items():
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{name} must be True or False, got {value!r}")


def option(allowed, **named):
    """Strings out of ``allowed``."""
    for name, value in named.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def precision(**named):
    """numpy.float64 or numpy.float32, or their names, as a numpy dtype."""
    for name, value in named.items():
        try:
            dtype = np.dtype(value)
        except TypeError as error:
            raise TypeError(f"{name} must be numpy.float64 or numpy.float32, got {value!r}") from error
        if value is None or dtype not in (np.float64, np.float32):
            raise ValueError(f"{name} must be numpy.float64 or numpy.float32, got {value!r}")
    return dtype


def power_of_two(**named):
    """Integers 1, 2, 4, ..."""
    for name, value in named.items():
        if integer(1, **{name: value}) & (value - 1):
            raise ValueError(f"{name} must be a power of two, got {value!r}")


def list_of(check, **named):
    """Non-empty lists whose items all pass ``check(name=item)``: for parameters of notebooks."""
    for name, values in named.items():
        if not isinstance(values, (list, tuple)):
            raise TypeError(f"{name} must be a list, got {values!r}")
        if not values:
            raise ValueError(f"{name} must be a list with at least one item, got {values!r}")
        for index, value in enumerate(values):
            check(**{f"{name}[{index}]": value})


def folder(**named):
    """Folders for output: "" for none, otherwise made where missing."""
    for name, value in named.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} must be the name of a folder or '', got {value!r}")
        try:
            Path(value).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"{name} must be a folder that can be made, got {value!r}: {error}") from error


def array(shape, *, dtype=np.float64, **named):
    """Finite real arrays of the given ``shape`` (None: any length), contiguous, as ``dtype`` (None: as they are)."""
    out = []
    for name, value in named.items():
        form = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        try:
            a = np.asarray(value)
        except ValueError as error:  # rows of different lengths
            raise ValueError(f"{name} must be a real array of shape {form}: {error}") from error
        if a.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be a real array of shape {form}, got dtype {a.dtype}")
        fits = a.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, a.shape, strict=True))
        if not fits or a.size == 0:
            raise ValueError(f"{name} must be a non-empty array of shape {form}, got shape {a.shape}")
        if a.dtype.kind == "f":
            _refuse(name, a, np.isfinite(a), "finite numbers")
        out.append(np.ascontiguousarray(a, dtype=dtype))
    return out[0] if len(out) == 1 else out


def within(limit, **named):
    """Numbers and arrays of size up to ``limit``."""
    for name, value in named.items():
        largest = np.abs(value).max()
        if largest > limit:
            raise ValueError(f"{name} must be in [-{limit:g}, {limit:g}], got {largest:g} in size")


def means(value, *, shape=(None, None), name="means"):
    """An array of means of +-1 variables: shape (N, P), float64, each in [-1, 1]."""
    a = array(shape, **{name: value})
    _refuse(name, a, np.abs(a) <= 1, "means in [-1, 1]")
    return a


def spins(value, *, shape=(None, None), name="spins"):
    """An array of ±1 spins of the given shape, as contiguous int8."""
    a = array(shape, dtype=None, **{name: value})
    _refuse(name, a, np.abs(a) == 1, "only -1 and +1")
    return a.astype(np.int8, copy=False)


def _refuse(name, a, good, what):
    if not good.all():
        where = tuple(int(i) for i in np.argwhere(~good)[0])
        raise ValueError(f"{name} must hold {what}, got {a[where]} at index {where}")


def keep(value, **checked):
    """Give a frozen value its checked parts: numbers as Python's own, so that its repr can be pasted back."""
    for name, part in checked.items():
        object.__setattr__(value, name, part)


def instance(kinds, **named):
    """Values of one of several classes, given as a union."""
    known = getattr(kinds, "__args__", (kinds,))
    for name, value in named.items():
        if not isinstance(value, known):
            words = [kind.__name__ for kind in known]
            listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
            raise TypeError(f"{name} must be {listed}, got {value!r}")


def correlation(n_hidden, **named):
    """Correlations q between hidden units: in [-1, 1] for two of them, in [0, 1] for more, 0 for one."""
    low = -1.0 if n_hidden == 2 else 0.0
    high = 0.0 if n_hidden == 1 else 1.0
    return real(low, high, closed="both", **named)
