"""Standard errors of what message passing learns of β and q."""

import numpy as np
import pytest
from small import planted

import vmfcore as vmf
from vmfcore.learning.uncertainty import _curvature

BOTH = vmf.Learn(beta="global", correlation=True)


def evidence(spins, learnt, beta, q):
    """Log-evidence of message passing to the end, from the means of a result."""
    prior, options = vmf.Prior(correlation=q), {"init": learnt.means, "tol": 1e-9, "seed": 0}
    result = vmf.infer_weights(spins, learnt.means.shape[1], beta, prior=prior, **options)
    assert result.converged
    return result.bound.total


@pytest.mark.parametrize("steps", [[[0.1, 0.0], [0.0, 0.2]], [[0.3, 0.0]], [[0.0, 0.01]]])
def test_curvature_of_a_parabola(steps):
    matrix = np.array([[-3.0, 1.25], [1.25, -2.0]])
    steps = np.array(steps)
    learnt = steps.any(axis=0)
    found = _curvature(lambda shift: 0.5 * shift @ matrix @ shift + shift @ [0.3, -0.4] + 7.0, steps)
    # rounding of a value of 7 over the square of the smallest step
    np.testing.assert_allclose(found, matrix[np.ix_(learnt, learnt)], atol=1e-10)


def test_errors_are_those_of_a_parabola_through_the_log_evidence():
    _, spins = planted(211, 2, 7, seed=3, q=0.3)
    learnt = vmf.infer_weights(spins, 2, 1.0, prior=vmf.Prior(correlation=0.1), learn=BOTH, tol=1e-9, seed=1)
    assert learnt.converged
    beta, q = learnt.beta, learnt.prior.correlation
    # a fit of all six coefficients to twelve points on two ellipses, instead of differences
    angles = np.arange(12) * 2 * np.pi / 12
    size = np.where(np.arange(12) % 2, 0.02, 0.01)
    x, y = size * np.cos(angles), size * np.sin(angles)
    values = np.array([evidence(spins, learnt, beta + dx, q + dy) for dx, dy in zip(x, y, strict=True)])
    terms = np.stack([np.ones(12), x, y, x**2 / 2, x * y, y**2 / 2], axis=1)
    *_, xx, xy, yy = np.linalg.lstsq(terms, values, rcond=None)[0]
    expected = np.sqrt(np.diag(np.linalg.inv(-np.array([[xx, xy], [xy, yy]]))))
    # steps of 0.02 are a half of the error of β: cubic and quartic terms are per cents of the square
    np.testing.assert_allclose(vmf.standard_errors(spins, learnt), expected, rtol=0.02)


def test_one_that_is_learnt_alone_is_known_better():
    _, spins = planted(211, 2, 7, seed=3, q=0.3)
    start = {"prior": vmf.Prior(correlation=0.3), "seed": 1}
    learns = {"both": BOTH, "beta": vmf.Learn(beta="global"), "q": vmf.Learn(correlation=True)}
    found = {
        name: vmf.standard_errors(spins, vmf.infer_weights(spins, 2, 1.0, learn=learn, **start))
        for name, learn in learns.items()
    }
    assert np.isnan(found["beta"].correlation)
    assert np.isnan(found["q"].beta)
    assert found["beta"].beta < found["both"].beta
    assert found["q"].correlation < found["both"].correlation


def test_what_the_data_do_not_tell_has_no_error():
    # below the threshold of learning no means, and an evidence that is flat in β but for what a few sweeps leave
    spins = np.random.default_rng(1).choice([-1, 1], size=(53, 211))
    learnt = vmf.infer_weights(spins, 1, 0.5, learn=vmf.Learn(beta="global"), seed=1)
    assert np.abs(learnt.means).max() < 1e-3
    assert np.isnan(vmf.standard_errors(spins, learnt)).all()
    # at the end of its range q can go one way only, and β is told alone
    _, spins = planted(211, 3, 7, seed=2)
    learnt = vmf.infer_weights(spins, 3, 1.0, learn=BOTH, seed=1)
    at_end = vmf.standard_errors(spins, learnt._replace(prior=vmf.Prior()))
    assert np.isnan(at_end.correlation)
    assert at_end.beta > 0
