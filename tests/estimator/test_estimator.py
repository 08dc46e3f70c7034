"""BinaryRBM: it is `vmfcore.fit` and `Machine`, and it is an estimator as scikit-learn knows them."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import vmfcore as vmf
from vmfcore.estimator import BinaryRBM

# chains of a few samples are few, and ln Z rests on them: what is asked for here is something else
pytestmark = pytest.mark.filterwarnings("ignore::vmfcore.ConvergenceWarning")

# checks of scikit-learn hand over real numbers
REFUSED = {
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimator_sparse_tag",
    "check_estimators_dtypes",
    "check_estimators_fit_returns_self",
    "check_estimators_nan_inf",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit2d_predict1d",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
    "check_transformer_data_not_an_array",
    "check_transformer_general",
    "check_transformer_preserve_dtypes",
}


def expected_failures(estimator):
    """None with a threshold; a machine that is not told one refuses what is not binary."""
    return (
        {} if estimator.binarize is not None else dict.fromkeys(REFUSED, "X is real, and no threshold says what is on")
    )


EXACT = vmf.Objective(model_term=vmf.Annealed(vmf.Exact()))  # without chains, of which each fit would anneal some


@parametrize_with_checks(
    [BinaryRBM(3, n_iter=2, objective=EXACT, binarize=0.0), BinaryRBM(3, n_iter=2, objective=EXACT)],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def planted(n_samples=500, n_hidden=2, beta=2.0):
    """A machine whose correlations are strong, and samples of it."""
    teacher = vmf.planted(11, n_hidden, beta, seed=1)
    return teacher, vmf.sample(teacher, n_samples, seed=1)


SPINS = planted()[1]
BITS = (SPINS > 0).astype(np.uint8)


@pytest.fixture(scope="module")
def fitted():
    return BinaryRBM(2, n_iter=20, random_state=3).fit(SPINS)


def same_machine(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.machine_, other.machine_, strict=True))


def test_it_is_fit_with_the_recipe(fitted):
    result = vmf.fit(SPINS, 2, **vmf.recipe(SPINS, 2, n_steps=20 * 5), seed=3)
    machine = result.machine.binarized
    assert fitted.components_.dtype == np.int8
    np.testing.assert_array_equal(fitted.components_, machine.weights.T)
    np.testing.assert_array_equal(fitted.beta_, machine.beta)
    np.testing.assert_array_equal(fitted.visible_fields_, machine.visible_fields)
    np.testing.assert_array_equal(fitted.hidden_fields_, machine.hidden_fields)
    assert not same_machine(fitted, clone(fitted).set_params(random_state=4).fit(SPINS))


def test_every_value_reaches_fit():
    values = {"objective": vmf.Objective(kl_weight=0.5), "rule": vmf.Natural(0.1), "learn": vmf.Learn(fields=True)}
    model = BinaryRBM(2, beta=1.3, batch_size=70, n_iter=3, random_state=0, **values).fit(SPINS)
    options = vmf.recipe(SPINS, 2) | values | {"beta": 1.3, "batch_size": 70, "n_steps": 3 * 7}
    machine = vmf.fit(SPINS, 2, **options, seed=0).machine.binarized
    np.testing.assert_array_equal(model.components_, machine.weights.T)
    np.testing.assert_array_equal(model.visible_fields_, machine.visible_fields)
    np.testing.assert_array_equal(model.beta_, machine.beta)


def test_batches_are_no_larger_than_the_data():
    model = BinaryRBM(2, n_iter=20, batch_size=10_000, random_state=0).fit(SPINS)
    machine = vmf.fit(SPINS, 2, **vmf.recipe(SPINS, 2, n_steps=20) | {"batch_size": 500}, seed=0).machine.binarized
    np.testing.assert_array_equal(model.beta_, machine.beta)


FORMS = {
    "bits": BITS,
    "bool": BITS == 1,
    "float": BITS.astype(np.float32),
    "list": SPINS.tolist(),
    "table": pd.DataFrame(BITS, columns=[f"pixel {i}" for i in range(11)]),
    "sparse array": csr_array(BITS),
    "sparse matrix": csr_matrix(SPINS),
}


@pytest.mark.parametrize("form", FORMS)
def test_data_are_the_same_in_every_form(fitted, form):
    X = FORMS[form]
    model = clone(fitted).fit(X)
    assert same_machine(model, fitted)
    np.testing.assert_array_equal(model.transform(X), fitted.transform(SPINS))
    np.testing.assert_array_equal(model.score_samples(X), fitted.score_samples(SPINS))
    # and samples are written as they were
    low = -1 if form in ("list", "sparse matrix") else 0
    drawn = model.sample(50)
    assert set(np.unique(drawn)) == {low, 1}
    assert drawn.dtype == (np.asarray(X).dtype if form != "sparse array" and form != "sparse matrix" else X.dtype)
    np.testing.assert_array_equal(drawn == 1, fitted.sample(50) == 1)


def test_a_threshold_says_what_is_on(fitted):
    grey = np.where(BITS == 1, 200, 100)
    assert same_machine(clone(fitted).set_params(binarize=150).fit(grey), fitted)
    assert same_machine(clone(fitted).set_params(binarize=0).fit(SPINS), fitted)
    with pytest.raises(ValueError, match=r"^X must hold 0 and 1"):
        clone(fitted).fit(grey)


def all_states(n):
    return np.array(list(np.ndindex(*[2] * n)))


def test_probabilities_of_all_states_add_up_to_one(fitted):
    states = all_states(11)
    log_p = fitted.score_samples(states, normalized=True)
    assert np.exp(log_p).sum() == pytest.approx(1, rel=1e-10)  # 2048 terms of double precision
    unnormalized = fitted.score_samples(states)
    assert np.ptp(unnormalized - log_p) < 1e-10
    assert np.exp(unnormalized).sum() > 10  # they are not the same
    assert fitted.score(BITS) == pytest.approx(fitted.score_samples(BITS, normalized=True).mean(), rel=1e-12)


def test_features_are_means_of_hidden_spins(fitted):
    couplings = fitted.beta_ / np.sqrt(11) * fitted.components_.T
    expected = np.tanh(fitted.hidden_fields_ + SPINS @ couplings)
    np.testing.assert_allclose(fitted.transform(BITS), expected, atol=1e-12)  # sums of 11 terms of order 1


def test_samples_follow_the_machine_and_the_random_state(fitted):
    drawn = fitted.sample(4000, random_state=5)
    p = np.exp(fitted.score_samples(all_states(11), normalized=True))
    means = p @ (2 * all_states(11) - 1)
    assert np.abs(drawn.mean(axis=0) - means).max() < 5 / np.sqrt(4000)  # five standard errors of a spin, at most
    np.testing.assert_array_equal(fitted.sample(9), fitted.sample(9))
    np.testing.assert_array_equal(drawn, fitted.sample(4000, random_state=5))
    state = np.random.RandomState(0)
    assert not np.array_equal(fitted.sample(90, random_state=state), fitted.sample(90, random_state=state))


def test_inpainting_keeps_what_is_known_and_follows_it():
    _, spins = planted(2000, n_hidden=1, beta=4.0)
    model = BinaryRBM(1, n_iter=20, random_state=0).fit(spins[:1000])
    test, mask = spins[1000:], np.arange(11) >= 5
    full = model.inpaint(test, mask, n_sweeps=20)
    np.testing.assert_array_equal(full[:, ~mask], test[:, ~mask])
    # what is hidden has no effect, also if it is told for each sample
    np.testing.assert_array_equal(full, model.inpaint(np.where(mask, 1, test), np.tile(mask, (1000, 1)), n_sweeps=20))
    # hidden pixels of a cold machine with one hidden unit are all but known; blindly, half of them are right
    assert np.mean(full[:, mask] == test[:, mask]) > 0.75
    assert np.mean(model.sample(1000)[:, mask] == test[:, mask]) < 0.6


def test_a_file_holds_a_bit_for_a_synapse(tmp_path):
    spins = np.random.default_rng(0).choice([-1, 1], size=(200, 300))
    model = BinaryRBM(200, n_iter=1, random_state=0).fit(spins)
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(again.transform(spins), model.transform(spins))
    np.testing.assert_array_equal(again.sample(3, n_sweeps=5), model.sample(3, n_sweeps=5))
    # beside the bits fields and temperatures of 8 bytes, and 2 kB of names
    assert (tmp_path / "model.joblib").stat().st_size < 200 * 300 / 8 + 8 * (300 + 2 * 200) + 2000
    # what goes on learning needs more
    model.partial_fit(spins)
    assert len(pickle.dumps(model)) > 4 * 200 * 300
    assert same_machine(clone(again).fit(spins), again)


def test_grid_search_finds_the_hidden_units_that_were_planted():
    _, spins = planted(1500, n_hidden=2, beta=2.5)
    search = GridSearchCV(BinaryRBM(n_iter=20, random_state=0), {"n_components": [1, 2], "beta": [0.5, 2.0]}, cv=2)
    search.fit(spins)
    assert search.best_params_["n_components"] == 2
    scores, widths = search.cv_results_["mean_test_score"], search.cv_results_["param_n_components"]
    assert scores[widths == 2].max() > scores[widths == 1].max() + 0.05


def test_features_in_a_pipeline_have_names(fitted):
    table = FORMS["table"]
    labels = fitted.transform(SPINS)[:, 0] > 0
    pipeline = make_pipeline(clone(fitted), LogisticRegression()).fit(table, labels)
    assert pipeline.score(table, labels) > 0.95
    names = pipeline[0].get_feature_names_out()
    assert list(names) == ["binaryrbm0", "binaryrbm1"]
    assert list(pipeline[0].feature_names_in_) == list(table.columns)
    features = clone(fitted).set_output(transform="pandas").fit_transform(table)
    assert isinstance(features, pd.DataFrame)
    assert list(features.columns) == list(names)
    with pytest.raises(ValueError, match="feature names should match"):
        pipeline[0].transform(table.rename(columns={"pixel 0": "another"}))


@pytest.mark.parametrize("seed", [0, 1])
def test_partial_fit_goes_on_where_it_stood(seed):
    _, spins = planted(6000, n_hidden=2, beta=2.0)
    train, test = spins[:5000], spins[5000:]
    model = BinaryRBM(2, random_state=seed)
    scores = [model.partial_fit(chunk).score(test) for chunk in np.split(train, 10)]
    assert model.n_samples_seen_ == 5000
    assert scores[-1] > scores[0]
    # better than what is learnt from the last chunk alone
    fresh = clone(model).partial_fit(train[4500:])
    assert scores[-1] > fresh.score(test) + 0.1
    # and near a pass over all at once: steps that do not shrink leave noise, of up to 0.19 nats here, where fair coins
    # are more than 2 nats below
    once = clone(model).set_params(n_iter=1).fit(train)
    assert scores[-1] > once.score(test) - 0.3
    assert -11 * np.log(2) < scores[-1] - 2
    # after fit it begins with the signs
    before = once.components_
    after = once.partial_fit(train[:1000])
    assert np.mean(after.components_ == before) > 0.9
    assert after.n_samples_seen_ == 6000
    assert not hasattr(after.fit(train[:500]), "posterior_")
