import naive
import numpy as np
import pytest

from vmfcore.bounds.gradient import Centre, Gradient, Response

PRECISIONS = (np.float64, np.float32)


def parts(rng, shape, dtype):
    """Two replicas with all parts of a derivative."""
    n_replicas, n_visible, n_hidden = shape
    means = rng.uniform(-1, 1, size=shape).astype(dtype)
    means[0, 0, 0] = 1
    means[1, 0, 0] = -1
    t = rng.uniform(0.1, 0.9, size=(n_replicas, n_hidden))
    units = rng.normal(size=(6, n_replicas, n_hidden))
    sites = rng.normal(size=(2, n_replicas, n_visible))
    of_data, of_model = rng.uniform(-1, 1, size=(2, *shape)).astype(dtype)
    data = Response(means, of_data, units[0], units[1], np.ones_like(t))
    model = Response(means, of_model, units[2], units[3], (1 - t) / (1 + t))
    return Gradient(data, model, 1.7, 2.3, Centre(sites[0], sites[1], units[4], units[5])), t


def slow(gradient, t, r):
    """The same, one synapse after the other."""
    sides = []
    for response, weight, scale in ((gradient.data, gradient.share, 0 * t), (gradient.model, -gradient.n_samples, t)):
        side = {"means": response.means[r].astype(float), "correlations": response.correlations[r].astype(float)}
        side |= {"a": response.of_correlations[r], "b": response.of_means[r], "t": scale[r], "weight": weight}
        sides.append(side)
    centre = {name: part[r] for name, part in gradient.centre._asdict().items()}
    return naive.bound_gradient(*sides, centre)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("shape", [(2, 7, 3), (2, 101, 37), (2, 3, 2503)])
def test_gradient_equals_naive(shape, dtype, rng):
    gradient, t = parts(rng, shape, dtype)
    dense = gradient.dense()
    assert dense.dtype == dtype
    for r in range(2):
        # 1 - λ²t² is 0.19 at least: a few roundings of terms of order 10
        np.testing.assert_allclose(dense[r], slow(gradient, t, r), rtol=0, atol=300 * np.finfo(dtype).eps)
    # without centre, and weighted
    plain = gradient._replace(centre=None).weighted(0.5).dense()
    zero = gradient._replace(centre=Centre(*(0 * part for part in gradient.centre))).dense()
    np.testing.assert_allclose(plain, 0.5 * zero, rtol=0, atol=300 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_products_and_distances_are_those_of_the_gradient(dtype, rng):
    gradient, _ = parts(rng, (2, 101, 37), dtype)
    eps = np.finfo(dtype).eps
    model = gradient.model
    expected = (model.means.astype(float) * model.dense()).sum(axis=1)
    np.testing.assert_allclose(model.products(), expected, rtol=0, atol=100 * 101 * eps)
    dense = gradient.dense().astype(float)
    square = (np.tanh(dense + np.arctanh(0.3)) - gradient.data.means) ** 2
    np.testing.assert_allclose(gradient.distance(0.3), np.sqrt(square.mean(axis=(1, 2))), rtol=300 * eps)


def test_the_slack_of_decided_synapses_keeps_its_digits():
    """At t = 1 - 2e-22 the model's 1 - λ²t² is 4e-22 for λ = 1, which no difference of doubles can tell."""
    edges = np.full((1, 1), np.exp(-50.0))
    ones = np.ones((1, 1, 1))
    response = Response(ones, 0 * ones, np.ones((1, 1)), np.ones((1, 1)), edges)
    # slack = [2 * 2 e]/(1 + e)²
    assert response.dense()[0, 0, 0] == pytest.approx((1 + edges[0, 0]) ** 2 / (4 * edges[0, 0]), rel=1e-12)


def test_a_gradient_that_is_known_is_its_own_response(rng):
    means, gradient = rng.uniform(-1, 1, size=(2, 1, 5, 3))
    np.testing.assert_array_equal(Response.plain(means, gradient).dense(), gradient)
