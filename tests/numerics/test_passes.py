import numpy as np
import pytest

from vmfcore.numerics.passes import column_dots, column_products, to_tanh, turned_over


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (33, 17), (101, 48), (64, 16)])
def test_sums_and_transposed(shape, dtype, rng):
    x, y = rng.normal(size=(2, *shape)).astype(dtype)
    # 32 products at most are added in the precision of the matrix
    scale = 32 * np.finfo(dtype).eps
    expected = (x.astype(float) * y).sum(axis=0)
    np.testing.assert_allclose(column_dots(x, y), expected, atol=scale * np.abs(x * y).sum(axis=0).max(), rtol=0)
    vectors = rng.normal(size=(2, shape[0])).astype(dtype)
    expected = vectors.astype(float) @ x
    atol = scale * (np.abs(vectors) @ np.abs(x)).max()
    np.testing.assert_allclose(column_products(vectors, x), expected, atol=atol, rtol=0)
    np.testing.assert_array_equal(turned_over(x), x.T)
    # a rounding of 1 of each of numerator, denominator and exponential
    shift = y[0].copy()
    expected = np.tanh(x.astype(float) + shift)
    # of the exponential the series leaves 7e-15, of which tanh has half and more; roundings in single precision
    atol = 5e-15 if dtype == np.float64 else 6 * np.finfo(dtype).eps
    np.testing.assert_allclose(to_tanh(x, shift), expected, atol=atol, rtol=0)
