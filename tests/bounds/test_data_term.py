import naive
import numpy as np
import pytest
from scipy.optimize import brentq
from small import of_students

from vmfcore.bounds import data_term as data_terms
from vmfcore.data.packing import pack_spins
from vmfcore.numerics.spins import binary_entropy

gaussian, exact, calibrated = (of_students(data_terms.DATA_TERMS[name]) for name in ("gaussian", "exact", "calibrated"))


def problem(rng, n_visible=7, n_hidden=3, n_samples=5):
    return rng.choice([-1.0, 1.0], size=(n_samples, n_visible)), rng.uniform(-0.9, 0.9, size=(n_visible, n_hidden))


@pytest.mark.parametrize("name", data_terms.DATA_TERMS)
@pytest.mark.parametrize("beta", [0.4, 2.3])
def test_gradient_is_the_derivative(name, beta, rng):
    spins, means = problem(rng)
    term = of_students(data_terms.DATA_TERMS[name])
    data = pack_spins(spins)
    slow = naive.derivative(lambda x: term(data, x, beta)[0], means)
    # finite differences of a sum of order 10: 1e-16/2e-4 of rounding, and for "gaussian" the averages' own 1e-9
    np.testing.assert_allclose(term(data, means, beta)[1], slow, atol=1e-7)


def test_exact_equals_the_sum_over_synapses(rng):
    spins, means = problem(rng)
    means[2, 1] = 1.0
    assert exact(pack_spins(spins), means, 1.7)[0] == pytest.approx(naive.data_term_exact(spins, means, 1.7), rel=1e-12)


def test_gaussian_approaches_exact_as_one_over_n():
    errors = []
    for n_visible in (16, 64, 256):
        rng = np.random.default_rng(0)
        spins, means = rng.choice([-1.0, 1.0], size=(400, n_visible)), np.full((n_visible, 1), 0.3)
        errors.append(gaussian(pack_spins(spins), means, 1.5)[0] - exact(pack_spins(spins), means, 1.5)[0])
    # four times the size, a quarter of the error; 400 random samples scatter it by 10 %
    np.testing.assert_allclose(np.divide(errors[1:], errors[:-1]), 0.25, rtol=0.3)


def test_exact_in_blocks_is_the_sum_of_its_samples(rng):
    spins, means = problem(rng, n_visible=331, n_hidden=2, n_samples=4001)  # more than one block of 2^21 slopes
    parts = [exact(pack_spins(part), means, 1.1) for part in np.array_split(spins[:, :331], 3)]
    value, gradient, *_ = exact(pack_spins(spins), means, 1.1)
    assert value == pytest.approx(sum(v for v, *_ in parts), rel=1e-12)
    np.testing.assert_allclose(gradient, sum(g for _, g, *_ in parts), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("beta", [0.4, 2.3])
def test_calibrated_is_the_extremum_over_the_hidden_means(beta, rng):
    spins, means = problem(rng)
    total = 0.0
    for sigma in spins:
        for column in means.T:
            field, variance = beta * sigma @ column / np.sqrt(7), beta**2 * np.mean(1 - column**2)
            r = brentq(lambda r, f=field, v=variance: r - np.tanh(f - v * r), -1, 1, xtol=1e-14)
            total += binary_entropy(r) + field * r + 0.5 * variance * (1 - r * r)
    assert calibrated(pack_spins(spins), means, beta)[0] == pytest.approx(total, rel=1e-12)


def test_all_three_agree_for_decided_synapses(rng):
    spins, means = problem(rng)
    means = np.sign(means)
    expected = naive.log2cosh(1.2 * spins @ means / np.sqrt(7)).sum()
    for name, term in data_terms.DATA_TERMS.items():
        assert of_students(term)(pack_spins(spins), means, 1.2)[0] == pytest.approx(expected, rel=1e-12), name


@pytest.mark.parametrize("name", ["gaussian", "calibrated"])
@pytest.mark.parametrize(
    ("n_samples", "n_visible", "n_hidden"),
    # one tile; some tiles; the same in narrow blocks of samples; several blocks of samples, of many columns
    [(131, 11, 3), (4001, 331, 3), (9001, 1009, 3), (17011, 101, 37)],
)
def test_blocks_add_up_to_the_sum_over_all_data(name, n_samples, n_visible, n_hidden, rng):
    spins, means = problem(rng, n_visible, n_hidden, n_samples)
    term, data = of_students(data_terms.DATA_TERMS[name]), pack_spins(spins)
    value, gradient, *_ = term(data, means, 1.1)
    # parts that are cut into other jobs and blocks, the first of them a single sample
    parts = [term(data.take(part), means, 1.1) for part in np.split(np.arange(n_samples), [1, 53, n_samples // 2])]
    assert value == pytest.approx(sum(v for v, *_ in parts), rel=1e-12)
    scale = 1.1 / np.sqrt(n_visible)  # of what a sample can add
    np.testing.assert_allclose(gradient, sum(g for _, g, *_ in parts), atol=1e-13 * scale * n_samples)
    slow = {"gaussian": naive.data_term, "calibrated": naive.data_term_tap}[name](spins[:7], means[:, :2], 1.1)
    assert term(data.take(slice(0, 7)), means[:, :2], 1.1)[0] == pytest.approx(slow, abs=14e-9)  # 1e-9 a term


@pytest.mark.parametrize("name", ["gaussian", "calibrated"])
@pytest.mark.parametrize("beta", [0.4, 1.0, 8.0])
def test_single_precision_follows_double(name, beta, rng):
    n_samples, n_visible = 601, 211
    spins, means = problem(rng, n_visible, 5, n_samples)
    means[:, 3] = np.sign(means[:, 3])  # decided
    means[:, 4] = 0
    means, term = means.astype(np.float32), of_students(data_terms.DATA_TERMS[name])
    (single, gradient, *_), double = (
        term(pack_spins(spins), means, beta),
        term(pack_spins(spins), means.astype(float), beta),
    )
    assert gradient.dtype == np.float32
    assert single.dtype == np.float64
    assert single == pytest.approx(double[0], abs=1e-5 * n_samples * 5)  # a term
    # a sample: the errors of different samples hardly cancel where the grid of `gaussian` makes them
    np.testing.assert_allclose(gradient, double[1], atol=2e-5 * n_samples * beta / np.sqrt(n_visible))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", data_terms.DATA_TERMS)
def test_replicas_equal_single_students(name, dtype, rng):
    spins, _ = problem(rng, 23, n_samples=67)
    means = rng.uniform(-0.9, 0.9, size=(3, 23, 5)).astype(dtype)
    means[1] = np.sign(means[1])
    means[2] *= 0.1
    data, term = pack_spins(spins), of_students(data_terms.DATA_TERMS[name])
    value, gradient, *_ = term(data, means, 1.3)
    assert value.shape == (3,)
    assert gradient.shape == means.shape
    # the grid of `gaussian` is made for the widest unit of all: 1e-10 a term, or 1e-6 in single precision
    tolerance = 1e-9 if dtype == np.float64 else 1e-5
    for replica in range(3):
        single = term(data, means[replica], 1.3)
        assert value[replica] == pytest.approx(single[0], abs=tolerance * 67 * 5)
        np.testing.assert_allclose(gradient[replica], single[1], atol=tolerance * 67 * 1.3 / np.sqrt(23))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", data_terms.DATA_TERMS)
def test_derivatives_alone_have_the_same_bits(name, dtype, rng):
    spins, _ = problem(rng, 23, n_samples=601)
    means = rng.uniform(-1, 1, size=(2, 23, 5)).astype(dtype)
    fields = rng.normal(size=(2, 5))
    term, data = of_students(data_terms.DATA_TERMS[name]), pack_spins(spins)
    whole = term(data, means, 1.3, fields)
    alone = term(data, means, 1.3, fields, with_value=False)
    assert np.isfinite(whole.value).all()
    assert alone.value.shape == whole.value.shape
    assert np.isnan(alone.value).all()
    for one, other in zip(alone[1:], whole[1:], strict=True):
        np.testing.assert_array_equal(one, other)
