import naive
import numpy as np
import pytest

import vmfcore as vmf


@pytest.mark.parametrize("n_hidden", [1, 2, 3, 5])
def test_overlap_equals_the_best_permutation(rng, n_hidden):
    teacher = rng.choice([-1, 1], size=(31, n_hidden))
    estimate = rng.uniform(-1, 1, size=(31, n_hidden))
    np.testing.assert_allclose(vmf.overlap(estimate, teacher), naive.overlap(estimate, teacher), atol=1e-14)


def test_overlap_of_the_permuted_and_reversed_teacher_is_one_in_its_order(rng):
    teacher = rng.choice([-1, 1], size=(31, 3))
    estimate = teacher[:, [2, 0, 1]] * np.array([1, -1, 0.5])
    # teacher's unit 1 is the student's third column, which was scaled by a half
    np.testing.assert_allclose(vmf.overlap(estimate, teacher), [1, 0.5, 1], atol=1e-15)


def test_matching_aligns_the_student_with_the_teacher(rng):
    teacher = rng.choice([-1, 1], size=(31, 3))
    estimate = teacher[:, [2, 0, 1]] * np.array([1, -1, 0.5])
    order, signs = vmf.match_hidden_units(estimate, teacher)
    np.testing.assert_array_equal(np.sign(estimate[:, order] * signs), teacher)


def test_overlap_matrix_has_students_in_rows(rng):
    teacher = rng.choice([-1, 1], size=(31, 2))
    estimate = np.stack([teacher[:, 1], -teacher[:, 0]], axis=1)
    matrix = vmf.overlap_matrix(estimate, teacher)
    assert matrix[0, 1] == 1
    assert matrix[1, 0] == -1


def test_synaptic_entropy_limits():
    assert vmf.synaptic_entropy(np.zeros((5, 3))) == pytest.approx(np.log(2))
    assert vmf.synaptic_entropy(np.ones((5, 3))) == 0
