import numpy as np
import pytest

from vmfcore.numerics.passes import column_dots, turned_over


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (33, 17), (101, 48), (64, 16)])
def test_sums_and_transposed(shape, dtype, rng):
    x, y = rng.normal(size=(2, *shape)).astype(dtype)
    # 32 products at most are added in the precision of the matrix
    scale = 32 * np.finfo(dtype).eps
    expected = (x.astype(float) * y).sum(axis=0)
    np.testing.assert_allclose(column_dots(x, y), expected, atol=scale * np.abs(x * y).sum(axis=0).max(), rtol=0)
    np.testing.assert_array_equal(turned_over(x), x.T)
