import itertools
from types import SimpleNamespace

import naive
import numpy as np
import pytest

import vmfcore as vmf
from vmfcore.observables import overlap_matrix


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
    matching = vmf.match_hidden_units(estimate, teacher)
    np.testing.assert_array_equal(matching.teacher, range(3))
    np.testing.assert_array_equal(np.sign(estimate[:, matching.student] * matching.signs), teacher)


def injective_matchings(n_student, n_teacher):
    """All sets of pairs (student, teacher) in which every unit of the smaller set has a partner of its own."""
    if n_student >= n_teacher:
        for students in itertools.permutations(range(n_student), n_teacher):
            yield list(zip(students, range(n_teacher), strict=True))
    else:
        for teachers in itertools.permutations(range(n_teacher), n_student):
            yield list(zip(range(n_student), teachers, strict=True))


@pytest.mark.parametrize(("n_student", "n_teacher"), [(1, 3), (2, 3), (2, 5), (3, 1), (3, 2), (5, 2), (3, 3)])
def test_different_numbers_of_hidden_units_are_matched_as_well_as_can_be(rng, n_student, n_teacher):
    teacher = rng.choice([-1, 1], size=(31, n_teacher))
    estimate = rng.uniform(-1, 1, size=(31, n_student))
    matrix = overlap_matrix(estimate, teacher)
    assert matrix.shape == (n_student, n_teacher)
    np.testing.assert_allclose(matrix, [[x @ y / 31 for y in teacher.T] for x in estimate.T], atol=1e-15)

    best = max(
        injective_matchings(n_student, n_teacher),
        key=lambda pairs: sum(abs(matrix[pair]) for pair in pairs),
    )
    best.sort(key=lambda pair: pair[1])  # the teacher's order
    matching = vmf.match_hidden_units(estimate, teacher)
    assert list(zip(matching.student, matching.teacher, strict=True)) == best
    overlaps = vmf.overlap(estimate, teacher)
    np.testing.assert_allclose(overlaps, [abs(matrix[pair]) for pair in best], atol=1e-15)
    aligned = estimate[:, matching.student] * matching.signs
    np.testing.assert_allclose((aligned * teacher[:, matching.teacher]).mean(axis=0), overlaps, atol=1e-15)


def test_a_student_that_is_a_part_of_the_teacher_overlaps_with_that_part(rng):
    teacher = rng.choice([-1, 1], size=(101, 5))
    estimate = -teacher[:, [4, 1]]
    matching = vmf.match_hidden_units(estimate, teacher)
    np.testing.assert_array_equal(matching.teacher, [1, 4])
    np.testing.assert_array_equal(matching.student, [1, 0])
    np.testing.assert_array_equal(matching.signs, [-1, -1])
    np.testing.assert_array_equal(vmf.overlap(estimate, teacher), [1, 1])
    # the other way round the student has units to spare
    np.testing.assert_array_equal(vmf.match_hidden_units(teacher, estimate).student, [4, 1])
    np.testing.assert_array_equal(vmf.overlap(teacher, estimate), [1, 1])


def test_machines_stand_for_their_weights(rng):
    teacher = rng.choice([-1, 1], size=(31, 3))
    estimate = rng.choice([-1, 1], size=(31, 2))
    expected = vmf.overlap(estimate, teacher)
    machine = vmf.Machine(teacher, 1.0)
    result = SimpleNamespace(weights=estimate)
    for student in (estimate, result):
        for truth in (teacher, machine):
            np.testing.assert_array_equal(vmf.overlap(student, truth), expected)
            np.testing.assert_array_equal(overlap_matrix(student, truth), overlap_matrix(estimate, teacher))
            assert len(vmf.match_hidden_units(student, truth).student) == 2


def test_chance(rng):
    """The table of `overlap`: 5,000 draws for a pair of sizes make a standard error of 0.008 at most."""
    n_visible = 211
    for (n_student, n_teacher), expected in {(1, 1): np.sqrt(2 / np.pi), (1, 2): 1.12, (2, 3): 1.27}.items():
        sets = rng.choice(np.array([-1.0, 1.0]), size=(5000, n_visible, n_student + n_teacher))
        overlaps = [vmf.overlap(draw[:, :n_student], draw[:, n_student:]).mean() for draw in sets]
        assert np.mean(overlaps) * np.sqrt(n_visible) == pytest.approx(expected, abs=0.035)  # four of them


def test_overlap_matrix_has_students_in_rows(rng):
    teacher = rng.choice([-1, 1], size=(31, 2))
    estimate = np.stack([teacher[:, 1], -teacher[:, 0]], axis=1)
    matrix = overlap_matrix(estimate, teacher)
    assert matrix[0, 1] == 1
    assert matrix[1, 0] == -1


def test_synaptic_entropy_limits():
    assert vmf.synaptic_entropy(np.zeros((5, 3))) == pytest.approx(np.log(2))
    assert vmf.synaptic_entropy(np.ones((5, 3))) == 0
