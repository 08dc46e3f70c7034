import numpy as np
import pytest

from vmfcore.bounds.synapses import dual_couplings, total_entropy
from vmfcore.numerics.spins import binary_entropy

PRECISIONS = (np.float64, np.float32)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("spread", [0.1, 1.0, 8.0])
def test_total_entropy_is_that_of_all_synapses(rng, dtype, spread):
    means = np.tanh(spread * rng.normal(size=(2, 101, 7))).astype(dtype)
    means[1, :5, 0] = 1, -1, 0, 1 - 1e-6, 1e-9
    means[1, :, 1] = -1
    expected = binary_entropy(means.astype(float)).sum(axis=(1, 2))
    # a decided synapse counts the logarithm of the smallest probability, 21 or 41, twice with opposite signs, whose
    # rounding stays: measured 6e-7 and 2e-14 a synapse
    tolerance = (2e-14 if dtype == np.float64 else 1e-6) * means[0].size
    np.testing.assert_allclose(total_entropy(means), expected, atol=tolerance, rtol=0)
    assert total_entropy(means[1:])[0] == total_entropy(means)[1]


def test_entropies_at_the_ends_and_in_the_middle():
    for dtype, tolerance in ((np.float64, 2e-14), (np.float32, 1e-6)):  # as above
        assert total_entropy(np.ones((1, 5, 3), dtype))[0] == pytest.approx(0, abs=15 * tolerance)
        assert total_entropy(-np.ones((1, 5, 3), dtype))[0] == pytest.approx(0, abs=15 * tolerance)
        assert total_entropy(np.zeros((1, 5, 3), dtype))[0] == pytest.approx(15 * np.log(2), rel=1e-15)


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.float64, s) for s in (0.01, 0.9, 8.0, 50.0)] + [(np.float32, s) for s in (0.01, 0.9, 8.0)]
)
def test_dual_couplings_equal_their_equations(rng, dtype, scale):
    means = rng.uniform(-1, 1, size=(2, 101, 3))
    means[0, :3, 0] = 1, -1, 0
    means[1, :, 1] = 1
    means = means.astype(dtype)
    scales = scale * np.array([[1.0, 0.7, 0.9], [0.5, 1.0, 0.8]])  # every hidden unit its own
    couplings, log_slack = dual_couplings(means, scales)
    x, edge = means.astype(np.longdouble), np.exp(np.longdouble(-2) * scales)[:, None]
    # 1 ± λt = [(1 ± λ) + (1 ∓ λ) exp(-2 scale)]/(1 + exp(-2 scale)), the form in which λ = ±1 keeps its digits
    plus, minus = ((1 + s * x + (1 - s * x) * edge) / (1 + edge) for s in (1, -1))
    j, eps = np.log(plus / minus) / 2, float(np.finfo(dtype).eps)
    assert couplings.dtype == dtype
    # rounding of ln (1 + λt)/(1 - λt), absolute where it is small and relative where it is large
    np.testing.assert_allclose(couplings, j.astype(float), rtol=4 * eps, atol=eps)
    # the same of 303 synapses, summed in double precision
    slack = np.log(plus * minus).sum(axis=(1, 2)).astype(float)
    np.testing.assert_allclose(log_slack, slack, rtol=1e-15, atol=303 * eps)


@pytest.mark.parametrize("scale", [0.01, 0.05, 0.3, 0.9, 2.0])
def test_roundings_that_all_synapses_share_do_not_add_up(rng, scale):
    means = rng.uniform(-1, 1, size=(1, 100_003, 1)).astype(np.float32)
    _, log_slack = dual_couplings(means, np.full((1, 1), scale))
    x, edge = means.astype(float), np.exp(-2 * scale)
    slack = np.log((1 + x + (1 - x) * edge) * (1 - x + (1 + x) * edge) / (1 + edge) ** 2).sum()
    # an eighth of a rounding of 1.2e-7 a synapse: measured 6e-9; (1 + e)² in single precision would add up to 8e-8
    assert log_slack[0] == pytest.approx(slack, abs=1.5e-8 * means.size)


def test_a_decided_synapse_couples_with_the_scale_itself():
    for dtype in PRECISIONS:
        means = np.array([1, -1, 0, 1, 1], dtype)
        couplings, _ = dual_couplings(means[None, :, None], np.full((1, 1), 0.7))
        np.testing.assert_allclose(couplings[0, :, 0], 0.7 * means, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_couplings_without_the_value_are_the_same(rng, dtype):
    means, scales = rng.uniform(-1, 1, size=(2, 101, 3)).astype(dtype), rng.uniform(0.1, 1, size=(2, 3))
    couplings, log_slack = dual_couplings(means, scales)
    alone, unknown = dual_couplings(means, scales, with_value=False)
    np.testing.assert_array_equal(alone, couplings)
    assert np.isfinite(log_slack).all()
    assert unknown.shape == log_slack.shape
    assert np.isnan(unknown).all()
