"""The tables of finished runs, from the command line, as the workflow makes them."""

import sys

import pandas as pd
import pytest

import summaries
import vmfcore as vmf


@pytest.fixture
def called(monkeypatch):
    """Call it with these words."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["summaries.py", *map(str, words)])
        summaries.main()

    return call


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run."""
    folder = tmp_path / "00_the_model"
    folder.mkdir()
    about = {"seconds": 12.5, "peak_mb": 300.0, "revision": "abc", "parameters": "{}"}
    vmf.save_results(folder / "results.npz", bound=-1.0, **about)
    return folder


def test_a_run_has_a_row_a_notebook(called, run, tmp_path):
    called("run", tmp_path / "summary.csv", run)
    (row,) = pd.read_csv(tmp_path / "summary.csv").to_dict("records")
    assert (row["run"], row["seconds"], row["vmfcore_version"]) == ("00_the_model", 12.5, vmf.__version__)
    assert "<td>12.5</td>" in (tmp_path / "summary.html").read_text()


@pytest.mark.parametrize("words", [("run", "table.csv", "nowhere"), ("sweep", "nowhere.yaml", "nowhere")])
def test_what_is_not_there_is_named_in_one_line(called, words):
    with pytest.raises(SystemExit, match=r"^error: [^\n]*nowhere[^\n]*$"):
        called(*words)
