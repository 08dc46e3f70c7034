"""Which model: the table, its winner, and what is kept of it in a folder."""

from functools import partial

import numpy as np
import pytest
from small import planted

import vmfcore as vmf
from vmfcore.learning import choice as module


def by_messages(*numbers, **options):
    return {f"P = {p}": partial(vmf.infer_weights, n_hidden=p, beta=1.0, **options) for p in numbers}


def by_bound(*numbers, **options):
    return {f"P = {p}": partial(vmf.fit, n_hidden=p, beta=1.0, **options) for p in numbers}


_, SPINS = planted(103, 2, 6, seed=4)
SHORT = by_bound(1, 2, n_steps=7)


def test_the_table_is_what_the_learners_return():
    _, validation = planted(103, 2, 1, seed=5)
    choice = vmf.choose(SPINS, by_messages(1, 2, prior=vmf.Prior(0.1)), validation=validation, seed=3)
    for row, p in zip(choice.rows, (1, 2), strict=True):
        alone = vmf.infer_weights(SPINS, p, 1.0, prior=vmf.Prior(0.1), seed=3)
        assert row.total == alone.bound.total
        assert row.entropy == alone.history.entropy[-1]
        assert (row.n_hidden, row.beta, row.correlation, row.kind) == (p, 1.0, 0.0, "log-evidence estimated")
        assert row.held_out == vmf.log_likelihood(validation, alone.machine, seed=3).mean
        assert row.converged
        assert row.compared
        assert not row.remark
        np.testing.assert_array_equal(choice.machines[row.name].weights, alone.means)
        # a prior with a mean leaves the permutations: ln 2 of two distinct units, nothing of one
        assert row.modes == pytest.approx(np.log(p), abs=0.01)
        assert row.evidence == row.total + row.modes
    assert choice.margin == choice.rows[1].evidence - choice.rows[0].evidence
    assert choice.table["name"] == ["P = 1", "P = 2"]
    assert all(len(column) == 2 for column in choice.table.values())


@pytest.mark.parametrize("candidates", [by_messages(1, 2, 3, 4), by_bound(1, 2, 3, 4, n_restarts=3)])
def test_the_teacher_has_the_largest_evidence_and_the_largest_bound(candidates):
    choice = vmf.choose(SPINS, candidates, seed=0)
    assert choice.winner == "P = 2"
    # ln 2 is a bet of two to one; here the evidence leaves no doubt
    assert choice.margin > 10


def test_equivalent_modes_decide_between_close_totals(monkeypatch):
    # ln 8 of two distinct units against ln 2 of one
    for distance, winner in ((1.3, "P = 2"), (1.5, "P = 1")):
        totals = {1: -10.0, 2: -10.0 - distance}
        monkeypatch.setattr(module, "_total", lambda _, result, totals=totals: (totals[result.means.shape[1]], 0.0))
        choice = vmf.choose(SPINS, by_bound(1, 2, n_steps=50), seed=0)
        assert choice.winner == winner
        assert choice.margin == pytest.approx(abs(np.log(4) - distance), abs=0.01)


def test_modes_of_what_can_change_places():
    for learn, modes in ((vmf.Learn(), np.log(8)), (vmf.Learn(fields=True), 0), (vmf.Learn(beta="unit"), 0)):
        choice = vmf.choose(SPINS, by_bound(2, learn=learn, n_steps=50), seed=0)
        # two decided units of 103 sites overlap by less
        assert choice.rows[0].modes == pytest.approx(modes, abs=0.01)


def test_what_does_not_come_to_rest_is_told_as_such():
    choice = vmf.choose(SPINS, by_messages(2, 4), seed=0)
    two, four = choice.rows
    assert not four.converged
    assert four.wander > 0 == two.wander
    assert "de Almeida and Thouless" in four.remark
    assert "not at rest" in str(choice)
    with pytest.warns(vmf.ConvergenceWarning):
        alone = vmf.infer_weights(SPINS, 4, 1.0, seed=0)
    second_half = alone.history.bound[len(alone.history.bound) // 2 :]
    assert (four.total, four.wander) == (second_half.mean(), second_half.std())
    # two lost units, undecided: their places, 4!/2!, and the signs of the other two; all of ln(2^4 4!) is too much
    assert np.sum(alone.stability > 1) == 2
    assert four.modes == pytest.approx(np.log(48), abs=0.01)
    assert module.mode_gain(alone.means) > np.log(48) + 1


def test_what_has_no_total_cannot_win():
    # ln Z by two chains and one step; the calibrated total on the way to its maximum
    chains = vmf.Objective(model_term=vmf.Annealed(vmf.Gibbs(2, 1)))
    calibrated = vmf.Objective("calibrated")
    for objective in (chains, calibrated):
        one = partial(vmf.fit, n_hidden=2, beta=1.0, objective=objective, n_steps=3)
        with pytest.warns(vmf.ConvergenceWarning, match="no candidate has converged"):
            none = vmf.choose(SPINS, {"one": one}, seed=0)
        assert none.winner is None
        assert not none.rows[0].compared
        assert "none has converged" in str(none)


def test_a_bound_is_one_wherever_the_climb_stands():
    # and one by chains says so
    chains = vmf.Objective(model_term=vmf.Annealed(vmf.Gibbs(50, 200)))
    climbs = by_bound(1, n_steps=3) | {"chains": partial(vmf.fit, n_hidden=2, beta=1.0, objective=chains, n_steps=3)}
    short = vmf.choose(SPINS, climbs, seed=0)
    assert [row.compared for row in short.rows] == [True, True]
    assert [row.kind for row in short.rows] == ["bound", "bound with ln Z estimated"]


def test_a_file_of_an_older_table_is_refused(tmp_path):
    vmf.choose(SPINS, {"P = 1": SHORT["P = 1"]}, folder=tmp_path, seed=1)
    machine, about = vmf.load_machine(tmp_path / "P = 1.npz")
    del about["modes"]
    vmf.save_machine(tmp_path / "P = 1.npz", machine, **about)
    with pytest.raises(ValueError, match=r"^folder must .* of an older version"):
        vmf.choose(SPINS, {"P = 1": SHORT["P = 1"]}, folder=tmp_path, seed=1)


def test_a_folder_keeps_what_is_finished(tmp_path, monkeypatch):
    whole = vmf.choose(SPINS, SHORT, seed=1)
    vmf.choose(SPINS, {"P = 1": SHORT["P = 1"]}, folder=tmp_path, seed=1)
    learnt = []
    learn = module._learnt

    def noted(name, *arguments):
        learnt.append(name)
        return learn(name, *arguments)

    monkeypatch.setattr(module, "_learnt", noted)
    again = vmf.choose(SPINS, SHORT, folder=tmp_path, seed=1)
    assert learnt == ["P = 2"]
    for row, other in zip(again.rows, whole.rows, strict=True):
        assert row._replace(seconds=0, held_out=0) == other._replace(seconds=0, held_out=0)
        np.testing.assert_array_equal(again.machines[row.name].weights, whole.machines[row.name].weights)
    assert again.winner == whole.winner
    assert sorted(path.name for path in tmp_path.iterdir()) == ["P = 1.npz", "P = 2.npz"]
    for arguments in [
        (SPINS[1:], SHORT, 1),
        (SPINS, SHORT, 2),
        (SPINS, by_bound(1, 2, n_steps=8), 1),
    ]:
        with pytest.raises(ValueError, match=r"^folder must hold this candidate on these data"):
            vmf.choose(*arguments[:2], folder=tmp_path, seed=arguments[2])


def test_a_fit_that_was_stopped_goes_on(tmp_path):
    candidates = by_bound(2, n_steps=23)
    whole = vmf.choose(SPINS, candidates, seed=1)
    part = tmp_path / "P = 2.part.npz"

    def stop(step, means, bound):
        if step == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vmf.fit(SPINS, 2, 1.0, n_steps=23, seed=1, callback=stop, checkpoint=vmf.Checkpoint(part, every=10))
    assert part.exists()
    with pytest.raises(ValueError, match="of one with other n_steps"):  # so that it is read at all
        vmf.choose(SPINS, by_bound(2, n_steps=29), folder=tmp_path, seed=1)
    again = vmf.choose(SPINS, candidates, folder=tmp_path, seed=1)
    assert again.rows[0].total == whole.rows[0].total
    assert not part.exists()


def test_an_error_says_of_which_candidate():
    with pytest.raises(ValueError, match="beta") as caught:
        vmf.choose(SPINS, by_bound(1, n_steps=2) | {"cold": partial(vmf.fit, n_hidden=2, beta=-1.0)}, seed=1)
    assert caught.value.__notes__ == ["in candidate 'cold'"]
