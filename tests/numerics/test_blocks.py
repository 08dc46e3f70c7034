import pytest

from vmfcore.numerics.blocks import blocks, rows_at_once


@pytest.mark.parametrize(("n_rows", "row_size", "size", "min_rows"), [(13, 5, 17, 1), (7, 101, 11, 2), (3, 1, 97, 1)])
def test_blocks_cover_every_row_once_in_order(n_rows, row_size, size, min_rows):
    slices = list(blocks(n_rows, row_size, size, min_rows))
    covered = [row for block in slices for row in range(n_rows)[block]]
    assert covered == list(range(n_rows))
    rows = rows_at_once(row_size, size, min_rows)
    assert all(block.stop - block.start == rows for block in slices[:-1])
    assert rows >= min_rows


def test_no_rows_are_no_blocks():
    assert list(blocks(0, 3, 5)) == []
