import naive
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.networks import exact
from vmfcore.networks.exact import log_partition


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(7, 3), (3, 7), (5, 1), (1, 5)])
def test_exact_sums_equal_the_sum_over_both_layers(rng, n_visible, n_hidden):
    couplings, a = rng.normal(size=(n_visible, n_hidden)), rng.normal(size=n_visible)
    b = rng.normal(size=(2, n_hidden))
    state = vmf.Exact().solve(vmf.Network(couplings, a, b))
    for k in range(2):
        log_z, m, r, c = naive.network_averages(couplings, a, b[k])
        assert state.log_partition[k] == pytest.approx(log_z, rel=1e-13)
        assert log_partition(couplings, a, b[k]) == pytest.approx(log_z, rel=1e-13)
        np.testing.assert_allclose(state.visible_means[k], m, atol=1e-13)
        np.testing.assert_allclose(state.hidden_means[k], r, atol=1e-13)
        np.testing.assert_allclose(state.correlations[k], c, atol=1e-13)


def test_blocks_of_hidden_states_add_up(rng, monkeypatch):
    couplings, a, b = rng.normal(size=(5, 4)), rng.normal(size=5), rng.normal(size=(2, 4))
    whole = vmf.Exact().solve(vmf.Network(couplings, a, b))
    monkeypatch.setattr(exact, "BLOCK", 5 * 3)  # 3 of the 16 hidden states at a time
    parts = vmf.Exact().solve(vmf.Network(couplings, a, b))
    for part, reference in zip(parts[:-1], whole[:-1], strict=True):  # all but the messages, which a sum has not
        np.testing.assert_allclose(part, reference, atol=1e-14)


def test_counting_without_couplings():
    assert log_partition(np.zeros((13, 5)), np.zeros(13), np.zeros(5)) == pytest.approx(18 * np.log(2), rel=1e-14)


def test_too_many_units_are_refused_before_work():
    with pytest.raises(ValueError, match="couplings must have at most 20"):
        log_partition(np.zeros((23, 29)), np.zeros(23), np.zeros(29))
    with pytest.raises(ValueError, match="more than 20 hidden units, got Exact\\(\\) and 29"):
        vmf.Exact().solve(vmf.Network(np.zeros((31, 29)), np.zeros(31), np.zeros(29)))
