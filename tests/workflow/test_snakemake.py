"""Snakemake from the file of a sweep to its table, with every profile (tests/faults.py kills it)."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vmfcore as vmf
from parameters import check_names_and_types

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "00_the_model.ipynb"
SMALL = {"n_visible": 31, "n_steps": 2, "counted_samples": [5], "n_data_sets": 2}


@pytest.fixture
def small_sweep(write_sweep):
    return write_sweep(notebook=NOTEBOOK.stem, values={"alpha": [2.0]}, fixed=SMALL, seeds=2)


def snakemake(profile, *arguments):
    command = [Path(sys.executable).parent / "snakemake", "--workflow-profile", f"workflow/profiles/{profile}"]
    command = [str(part) for part in (*command, "--nolock", *arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def run_sweep(profile, path, folder):
    # what make sweep runs
    command = [sys.executable, "workflow/batch.py", profile, "sweep", str(path), "--nolock"]
    command += ["--seconds-between-status-checks", "1", "--config"]
    return subprocess.run([*command, f"runs={folder}"], cwd=ROOT, capture_output=True, text=True)


def test_the_profile_of_slurm_plans_the_same_jobs(small_sweep, tmp_path):
    # there is no Slurm here: only that its plugin takes the profile and the graph
    done = snakemake("slurm", "sweep", "-n", "--config", f"sweep={small_sweep}", f"runs={tmp_path}")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "\njob " in done.stdout + done.stderr


def test_make_run_plans_every_notebook(tmp_path):
    done = snakemake("local", "run", "-n", "--config", f"runs={tmp_path}")
    assert done.returncode == 0, done.stderr[-3000:]
    n_notebooks = len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert re.search(rf"^notebook +{n_notebooks}$", done.stdout + done.stderr, re.MULTILINE)


def test_a_sweep_from_its_file_to_its_table(small_sweep, tmp_path):
    # cluster-generic submits jobs as to a cluster: to this machine
    tables = []
    for profile in ("cluster-generic", "local"):
        done = run_sweep(profile, small_sweep, tmp_path / profile)
        assert done.returncode == 0, done.stderr[-3000:]
        # a line a notebook, and no word of the scheduler's
        assert re.fullmatch(r"(alpha-2.0_seed-[01]_\w{8} +\d+ s\n){2}", done.stdout)
        assert not re.search("rule|job|[\r\x1b]", done.stderr)
        tables.append((tmp_path / profile / "sweeps" / "sweep" / "table.csv").read_text())
    assert tables[0] == tables[1]
    header, *rows = tables[0].splitlines()
    assert header == "alpha,seed,n_samples,log_evidence,bound,quenched"
    assert [row.split(",")[:3] for row in rows] == [["2.0", seed, "5.0"] for seed in "0011"]
    files = sorted((tmp_path / "local" / "sweeps" / "sweep" / "jobs").glob("*.npz"))
    assert len(files) == 2
    for file in files:
        _, values = vmf.load_results(file)
        parameters = json.loads(values["parameters"])
        assert parameters == check_names_and_types(NOTEBOOK, parameters)
        assert (values["seed"], values["vmfcore_version"]) == (parameters["seed"], vmf.__version__)
        assert values["seconds"] > 0
        assert values["peak_mb"] > 10
        assert values["revision"]
    assert_that_a_changed_byte_is_refused(small_sweep, tmp_path / "local", files[0])


def assert_that_a_changed_byte_is_refused(path, folder, file):
    (folder / "sweeps" / "sweep" / "table.csv").unlink()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    done = run_sweep("local", path, folder)
    assert done.returncode != 0
    assert "its sha256 differs" in done.stderr
