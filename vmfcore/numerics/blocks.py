"""How much is done at once: blocks of rows that stay in a cache, or that the memory can hold.

Some of these sizes decide the order in which numbers are added or random numbers are drawn, and with it the last bits
of the results: they are part of what a seed means, and do not follow the machine.
"""

IN_CACHE = 2**17  # numbers of one thread: half a megabyte in single precision, beside what is computed from them
IN_SHARED_CACHE = 2**18  # numbers of a numpy loop that is alone on the machine
IN_MEMORY = 2**21  # numbers of a temporary array: 16 MB in double precision


def rows_at_once(row_size, size, min_rows=1):
    """How many rows of ``row_size`` numbers a block of about ``size`` numbers has, at least ``min_rows``."""
    return max(min_rows, size // row_size)


def blocks(n_rows, row_size, size, min_rows=1):
    """Slices that cut ``n_rows`` rows into blocks of `rows_at_once`, of which the last may be shorter.

    Examples
    --------
    >>> list(blocks(n_rows=7, row_size=10, size=35))
    [slice(0, 3, None), slice(3, 6, None), slice(6, 7, None)]
    """
    rows = rows_at_once(row_size, size, min_rows)
    for start in range(0, n_rows, rows):
        yield slice(start, min(start + rows, n_rows))
