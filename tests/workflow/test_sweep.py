"""Sweeps become jobs: all combinations, under names that last, and nothing that is wrong."""

import datetime
from pathlib import Path

import pytest

import sweep as sweeps
from figures import FIGURES
from parameters import Refused

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "workflow" / "sweeps").glob("*.yaml"))


def test_jobs_are_all_combinations_and_keep_their_names_when_there_are_more(write_sweep):
    cases = [{"n_hidden": [2]}, {"n_hidden": [2, 3], "correlations": [0.3]}]
    keys = {"values": {"alpha": [1.0, 2]}, "cases": cases, "fixed": {"n_visible": 31}, "seeds": 3}
    found = sweeps.jobs(sweeps.load(write_sweep(**keys)))
    assert len(found) == 2 * 2 * 3
    assert {"alpha": 2.0, "n_hidden": [2], "n_visible": 31, "seed": 2} in found.values()
    keys["values"]["alpha"].insert(0, 0.5)
    more = sweeps.jobs(sweeps.load(write_sweep(**keys)))
    assert len(more) == 18
    assert more.items() >= found.items()
    keys["fixed"]["n_visible"] = 32
    assert not sweeps.jobs(sweeps.load(write_sweep(**keys))).keys() & more.keys()


def test_seeds_are_shared_out_where_a_notebook_loops_over_them(write_sweep):
    keys = {"notebook": "02_overlap_vs_density", "seeds": 6, "seeds_per_job": 2}
    found = sweeps.jobs(sweeps.load(write_sweep(**keys)))
    assert [(job["seed"], job["n_seeds"]) for job in found.values()] == [(0, 2), (2, 2), (4, 2)]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"value": {}}, "value: Extra inputs are not permitted"),
        ({"notebook": "01"}, r"notebook must be a name in notebooks/ without \.ipynb, got '01'"),
        ({"values": {"alpha": 1.0}}, "values.alpha: Input should be a valid list, got 1.0"),
        ({"values": {"alpha": []}}, "values.alpha: List should have at least 1 item"),
        ({"seeds": 0}, "seeds: Input should be greater than or equal to 1, got 0"),
        ({"seeds": "many"}, "seeds: Input should be a valid integer, got 'many'"),
        ({"threads": 1.5}, "threads: Input should be a valid integer, got 1.5"),
        ({"figure": "pareto"}, "figure must be one of none, got 'pareto'"),
        (
            {"notebook": "02_overlap_vs_density", "figure": "pie"},
            "figure must be one of phase_diagram, finite_size, got",
        ),
        ({"notebook": "../notebooks/01_planted_recovery"}, "notebook must be a name in notebooks/"),
        (
            {"values": {"alpha": [1.0, 1]}},
            "values and cases must not have the same parameters twice, got alpha-1.0_seed",
        ),
        ({"fixed": {"n_hidden": [datetime.date(2020, 1, 1)]}}, r"^n_hidden\[0\] must be an integer >= 2, got"),
        ({"values": {"alfa": [1.0]}}, r"alfa is not a parameter of 01_planted_recovery.ipynb, did you mean alpha\?"),
        ({"values": {"alpha": [1.0, "x"]}}, "alpha must be of type float, got 'x'"),
        ({"fixed": {"beta": -1.0}}, r"beta must be a real number in \(0, 50\), got -1.0"),
        ({"values": {"seed": [1]}}, "seed must stand in one of values, cases and fixed; seed, n_seeds, out in none"),
        ({"values": {"beta": [1.0]}, "fixed": {"beta": 1.0}}, "beta must stand in one of values, cases and fixed"),
        ({"seeds": 4, "seeds_per_job": 2}, "seeds_per_job must divide seeds, and be 1 for 01_planted_recovery, got 2"),
    ],
)
def test_a_sweep_that_is_wrong_is_refused(keys, message, write_sweep):
    with pytest.raises(Refused, match=message):
        sweeps.jobs(sweeps.load(write_sweep(**keys)))


def test_no_file_and_no_mapping(tmp_path):
    for text in ("", "- 3", "{"):
        (tmp_path / "sweep.yaml").write_text(text)
        with pytest.raises(Refused, match=r"sweep\.yaml must be a YAML mapping"):
            sweeps.load(tmp_path / "sweep.yaml")
    with pytest.raises(Refused, match=r"must be a sweep: .*No such file"):
        sweeps.load(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_sweeps_are_right(path):
    assert sweeps.load(path).figure in {"", *FIGURES}  # page 08 draws its own from the table
    assert len(sweeps.jobs(sweeps.load(path))) >= 12
