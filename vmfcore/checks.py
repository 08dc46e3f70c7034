"""Checks of arguments: each names the argument, what it was and what it must be.

They run before any work.  The notebooks use the same functions on their parameters.
Every function returns the value in the type that the rest of the code expects.
"""

import numbers
import reprlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# Limits of arguments, each with its reason.
MIN_BETA = 1e-6  # the square of a much smaller number underflows
MAX_BETA = 50.0  # long before, every spin follows the sign of its field
MAX_SINGLE_BETA = 8.0  # beyond it the averages of the data term leave the range of single precision
MAX_COUPLING = 100.0  # exp(2 J) and its square must stay finite
MAX_SIZE = 1e6  # of fields, couplings and temperatures: single precision must hold their sums
MAX_DAMPING = 0.95  # a sweep then takes a twentieth of its step; beyond, it hardly moves
MIN_SINGLE_TOL = 1e-6  # some rounding errors of single precision: a residual does not settle below
MIN_KL_WEIGHT = 1e-6  # single precision then holds one digit of the KL beside the rest of the bound
MAX_KL_WEIGHT = 1e6  # and then one digit of the rest
MAX_THEORY_FIELD = 1000.0  # of fields and singular values whose Gaussian averages the dynamical theory takes
MAX_STRENGTH = 100.0  # of random couplings
MAX_EXPONENT = 20.0  # of a spectrum that is a power law
MAX_MESSAGE = 1e100  # of message passing without memory: its square must stay finite


def _is_number(value, kind):
    return isinstance(value, kind) and not isinstance(value, (bool, np.bool_))


def _one_or_list(values):
    return values[0] if len(values) == 1 else values


def integer(minimum: int, **named: Any) -> Any:
    """Integers >= ``minimum``; ``integer(1, n_hidden=n_hidden)`` returns an int, several names a list."""
    for name, value in named.items():
        if not _is_number(value, numbers.Integral):
            raise TypeError(f"{name} must be an integer >= {minimum}, got {value!r}")
        if value < minimum:
            raise ValueError(f"{name} must be an integer >= {minimum}, got {value!r}")
    return _one_or_list([int(value) for value in named.values()])


def real(low: float, high: float, *, closed: str = "", **named: Any) -> Any:
    """Real numbers from ``low`` to ``high``, ends included as ``closed`` says: "", "right" or "both"."""
    opening = "[" if closed == "both" else "("
    closing = "]" if closed else ")"
    interval = f"{opening}{low:g}, {high:g}{closing}"
    for name, value in named.items():
        if not _is_number(value, numbers.Real):
            raise TypeError(f"{name} must be a real number in {interval}, got {value!r}")
        at_low_end = closed == "both" and value == low
        at_high_end = closed != "" and value == high
        if not (low < value < high or at_low_end or at_high_end):
            raise ValueError(f"{name} must be a real number in {interval}, got {value!r}")
    return _one_or_list([float(value) for value in named.values()])


def correlation(n_hidden: int, correlation: Any) -> float:
    """The correlation q of the synapses of a site: in [-1, 1] for two hidden units, in [0, 1] for more, 0 for one.

    More than two ±1 variables cannot all be opposed to each other.
    """
    low = -1.0 if n_hidden == 2 else 0.0
    high = 0.0 if n_hidden == 1 else 1.0
    return real(low, high, closed="both", correlation=correlation)


def flag(**named: Any) -> None:
    """True or False."""
    for name, value in named.items():
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{name} must be True or False, got {value!r}")


def option(allowed: Iterable[str], **named: Any) -> Any:
    """Strings out of ``allowed``."""
    for name, value in named.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return _one_or_list([str(value) for value in named.values()])


def instance(kinds: Any, **named: Any) -> None:
    """Values of a class, or of one of several, as a type hint writes them.

    Examples
    --------
    >>> instance(int | str | None, solver=2.5)
    Traceback (most recent call last):
    TypeError: solver must be int, str or None, got 2.5
    """
    classes = getattr(kinds, "__args__", (kinds,))
    names = ["None" if kind is type(None) else kind.__name__ for kind in classes]
    allowed = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    for name, value in named.items():
        if not isinstance(value, classes):
            raise TypeError(f"{name} must be {allowed}, got {reprlib.repr(value)}")


def precision(**named: Any) -> np.dtype:
    """numpy.float64 or numpy.float32, or their names, as a numpy dtype."""
    for name, value in named.items():
        try:
            dtype = np.dtype(value)
        except TypeError as error:
            raise TypeError(f"{name} must be numpy.float64 or numpy.float32, got {value!r}") from error
        if value is None or dtype not in (np.float64, np.float32):
            raise ValueError(f"{name} must be numpy.float64 or numpy.float32, got {value!r}")
    return dtype


def power_of_two(**named: Any) -> None:
    """Integers 1, 2, 4, ..."""
    for name, value in named.items():
        number = integer(1, **{name: value})
        if number & (number - 1):
            raise ValueError(f"{name} must be a power of two, got {value!r}")


def list_of(check: Callable, **named: Any) -> None:
    """Non-empty lists whose items all pass ``check(name=item)``: for parameters of notebooks."""
    for name, values in named.items():
        if not isinstance(values, (list, tuple)):
            raise TypeError(f"{name} must be a list, got {values!r}")
        if not values:
            raise ValueError(f"{name} must be a list with at least one item, got {values!r}")
        for index, value in enumerate(values):
            check(**{f"{name}[{index}]": value})


def folder(**named: Any) -> None:
    """Folders for output: "" for none, otherwise made where missing."""
    for name, value in named.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} must be the name of a folder or '', got {value!r}")
        try:
            Path(value).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"{name} must be a folder that can be made, got {value!r}: {error}") from error


def array(shape: Sequence[int | None], *, dtype: Any = np.float64, **named: Any) -> Any:
    """Finite real arrays of the given ``shape`` (None: any length), contiguous, as ``dtype`` (None: as they are).

    Whatever numpy makes an array of will do: lists, tables of pandas, files in memory.  Not so masked and sparse
    arrays, of which it would make another array than the user means.
    """
    return _one_or_list([_array(name, value, tuple(shape), dtype) for name, value in named.items()])


def _array(name, value, shape, dtype):
    form = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be a real array of shape {form}, got a masked array, whose mask would be ignored: "
            "use .filled(), or select the rows that are whole"
        )
    if hasattr(value, "toarray"):  # every sparse class of scipy
        raise TypeError(
            f"{name} must be a real array of shape {form}, got a sparse {type(value).__name__}: use .toarray()"
        )
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
    return np.ascontiguousarray(a, dtype=dtype)


def within(limit: float, **named: Any) -> None:
    """Numbers and arrays of size up to ``limit``."""
    for name, value in named.items():
        largest = np.abs(value).max()
        if largest > limit:
            raise ValueError(f"{name} must be in [-{limit:g}, {limit:g}], got {largest:g} in size")


def means(value: Any, *, shape: Sequence[int | None] = (None, None), name: str = "means") -> np.ndarray:
    """An array of means of ±1 variables: shape (N, P), float64, each in [-1, 1]."""
    a = array(shape, **{name: value})
    _refuse(name, a, np.abs(a) <= 1, "means in [-1, 1]")
    return a


def spins(value: Any, *, shape: Sequence[int | None] = (None, None), name: str = "spins") -> np.ndarray:
    """An array of ±1 spins of the given shape, as contiguous int8."""
    a = array(shape, dtype=None, **{name: value})
    if not are_spins(a):
        refuse_spins(name, a)
    return a.astype(np.int8, copy=False)


def are_spins(a: np.ndarray) -> bool:
    """Whether an array holds -1 and +1 alone; one of True and False does not, even where all are True."""
    return a.dtype.kind != "b" and bool((np.abs(a) == 1).all())


def refuse_spins(name: str, a: np.ndarray) -> None:
    """Raise the error of an array that does not hold spins, with a hint where it holds bits."""
    if a.dtype.kind == "b":
        raise TypeError(f"{name} must hold only -1 and +1, got True and False: use 2 * x - 1")
    hint = ""
    if ((a == 0) | (a == 1)).all():
        # an unsigned -1 would be 255
        hint = ": use 2 * x.astype(int) - 1" if a.dtype.kind == "u" else ": use 2 * x - 1"
    _refuse(name, a, np.abs(a) == 1, "only -1 and +1", hint)


def _refuse(name, a, good, what, hint=""):
    if not good.all():
        where = tuple(int(i) for i in np.argwhere(~good)[0])
        raise ValueError(f"{name} must hold {what}, got {a[where]} at index {where}{hint}")


def keep(value: Any, **checked: Any) -> None:
    """Give a frozen value its checked parts: numbers as Python's own, so that its repr can be pasted back."""
    for name, part in checked.items():
        object.__setattr__(value, name, part)
