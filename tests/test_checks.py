"""Checks of arguments that the package and its notebooks share: what an array of spins is, and what it is not."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy
from bad_input.common import DRAWN, MEANS, SPINS

import vmfcore as vmf
from vmfcore import checks
from vmfcore.data.packing import pack_spins

TAKES_SPINS = {
    "pack_spins": pack_spins,
    "bound": lambda spins: vmf.bound(spins, MEANS, 1.0),
    "checks.spins": checks.spins,
}


@pytest.mark.parametrize("function", TAKES_SPINS.values(), ids=TAKES_SPINS)
def test_bits_in_place_of_spins_get_a_hint(function):
    bits = (DRAWN + 1) // 2
    where = tuple(int(i) for i in np.argwhere(bits == 0)[0])
    message = rf"^spins must hold only -1 and \+1, got {{}} at index {re.escape(str(where))}: use 2 \* x - 1$"
    for kind, zero in ((np.int8, "0"), (float, "0.0")):
        with pytest.raises(ValueError, match=message.format(zero)):
            function(bits.astype(kind))
        np.testing.assert_array_equal(2 * bits.astype(kind) - 1, DRAWN)
    # of unsigned integers, the hint must not lead to 255
    with pytest.raises(ValueError, match=r": use 2 \* x.astype\(int\) - 1$"):
        function(bits.astype(np.uint8))
    # all True might be all +1 or all 1: it is no array of spins, either
    for flags in (bits.astype(bool), bits.astype(bool) | True, pd.DataFrame(bits.astype(bool))):
        with pytest.raises(TypeError, match=r"^spins must hold only -1 and \+1, got True and False: use 2 \* x - 1$"):
            function(flags)
    # where there are other numbers, too, the hint would mislead
    with pytest.raises(ValueError, match=r"^spins must hold only -1 and \+1, got 0 at index \(0, 0\)$"):
        function(np.where(np.arange(5) == 0, 0, DRAWN))


@pytest.mark.parametrize("function", TAKES_SPINS.values(), ids=TAKES_SPINS)
def test_masked_and_sparse_arrays_are_refused(function):
    for mask in (np.ma.nomask, DRAWN > 0):
        with pytest.raises(TypeError, match=r"^spins must be .*, got a masked array, whose mask would .*\.filled\(\)"):
            function(np.ma.MaskedArray(DRAWN, mask=mask))
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.csr_array, scipy.sparse.coo_array):
        with pytest.raises(TypeError, match=rf"^spins must be .*, got a sparse {kind.__name__}: use \.toarray\(\)"):
            function(kind(DRAWN))
    with pytest.raises(TypeError, match=r"^means must be a real array of shape .*, got a masked array"):
        vmf.bound(SPINS, np.ma.MaskedArray(MEANS), 1.0)


def test_tables_are_arrays():
    for kind in (np.int8, float):
        table = pd.DataFrame(DRAWN.astype(kind), columns=list("abcde"))
        np.testing.assert_array_equal(pack_spins(table).dense(), DRAWN)
        np.testing.assert_array_equal(checks.spins(table), DRAWN)
        assert vmf.bound(table, MEANS, 1.0) == vmf.bound(DRAWN, MEANS, 1.0)
    with pytest.raises(TypeError, match=r"^spins must be a real array of shape \(any, any\), got dtype object"):
        pack_spins(table.assign(e=list("abcdefg")))


class Exact:
    pass


class Cavity:
    pass


def test_instances():
    checks.instance(Exact | Cavity, solver=Exact())
    checks.instance(Exact | None, solver=None, other=Exact())
    with pytest.raises(TypeError, match=r"^solver must be Exact, Cavity or int, got 'exact'$"):
        checks.instance(Exact | Cavity | int, solver="exact")
    with pytest.raises(TypeError, match=r"^solver must be Exact or None, got <class '.*\.Exact'>$"):
        checks.instance(Exact | None, solver=Exact)
    with pytest.raises(TypeError, match=r"^rule must be Exact, got None$"):
        checks.instance(Exact, rule=None)
    # what `load_machine` returns is a machine and its settings, which fill pages
    with pytest.raises(TypeError, match=r"^rule must be Exact, got .{,200}$"):
        checks.instance(Exact, rule=(vmf.Machine(np.ones((50, 50)), np.ones(50)), {"seed": 0}))


def test_correlations():
    for n_hidden, low, high in ((1, 0, 0), (2, -1, 1), (3, 0, 1), (7, 0, 1)):
        for value in (low, 0.5 * (low + high), high):
            assert checks.correlation(n_hidden, value) == value
        for value in (low - 0.01, high + 0.01, np.nan):
            message = rf"^correlation must be a real number in \[{low}, {high}\], got {value!r}"
            with pytest.raises(ValueError, match=message):
                checks.correlation(n_hidden, value)
    with pytest.raises(TypeError, match=r"^correlation must be a real number in \[-1, 1\], got None"):
        checks.correlation(2, None)
