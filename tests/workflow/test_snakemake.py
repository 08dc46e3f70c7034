"""Snakemake from the file of a sweep to its table, with every profile (tests/faults.py kills it)."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

import vmfcore as vmf
from parameters import check_names_and_types

ROOT = Path(__file__).resolve().parents[2]
# a page without figures: what the scheduler does with it is what it does with those in notebooks/
PAGE = {
    "imports": "import vmfcore as vmf",
    "parameters": "n_visible: int = 5  # N\nalpha: float = 1.0  # M/N\nseed: int = 0  # of the teacher\n"
    'out: str = ""  # folder for results',
    "check": "vmf.checks.integer(1, n_visible=n_visible)\nvmf.checks.folder(out=out)",
    "results": "teacher = vmf.planted(n_visible, 1, 1.0, seed=seed)\nn_samples = int(alpha * n_visible)\n"
    'vmf.save_results(f"{out}/results.npz", n_samples=n_samples, first=teacher.weights[0, 0], seed=seed)',
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """A folder with the workflow of this one, a notebook of its own, and a sweep over it."""
    folder = tmp_path_factory.mktemp("suite")
    shutil.copytree(ROOT / "workflow", folder / "workflow")
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": [name]}) for name, source in PAGE.items()]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (folder / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "notebooks" / "page.ipynb")
    sweep = {"notebook": "page", "values": {"alpha": [2.0]}, "fixed": {"n_visible": 7}, "seeds": 2}
    (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    return folder


def snakemake(profile, *arguments, cwd=ROOT):
    command = [Path(sys.executable).parent / "snakemake", "--workflow-profile", f"workflow/profiles/{profile}"]
    command = [str(part) for part in (*command, "--nolock", *arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def run_sweep(profile, suite, folder):
    # what make sweep runs
    command = [sys.executable, "workflow/batch.py", profile, "sweep", "sweep.yaml", "--nolock"]
    command += ["--seconds-between-status-checks", "1", "--config"]
    return subprocess.run([*command, f"runs={folder}"], cwd=suite, capture_output=True, text=True)


def test_the_profile_of_slurm_plans_the_same_jobs(suite, tmp_path):
    # there is no Slurm here: only that its plugin takes the profile and the graph
    done = snakemake("slurm", "sweep", "-n", "--config", "sweep=sweep.yaml", f"runs={tmp_path}", cwd=suite)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "\njob " in done.stdout + done.stderr


def test_make_run_plans_every_notebook(tmp_path):
    done = snakemake("local", "run", "-n", "--config", f"runs={tmp_path}")
    assert done.returncode == 0, done.stderr[-3000:]
    n_notebooks = len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert re.search(rf"^notebook +{n_notebooks}$", done.stdout + done.stderr, re.MULTILINE)


def test_a_sweep_from_its_file_to_its_table(suite, tmp_path):
    # cluster-generic submits jobs as to a cluster: to this machine
    tables = []
    for profile in ("cluster-generic", "local"):
        done = run_sweep(profile, suite, tmp_path / profile)
        assert done.returncode == 0, done.stderr[-3000:]
        # a line a notebook, and no word of the scheduler's
        assert re.fullmatch(r"(alpha-2.0_seed-[01]_\w{8} +\d+ s\n){2}", done.stdout)
        assert not re.search("rule|job|[\r\x1b]", done.stderr)
        tables.append((tmp_path / profile / "sweeps" / "sweep" / "table.csv").read_text())
    assert tables[0] == tables[1]
    header, *rows = tables[0].splitlines()
    assert header == "alpha,seed,n_samples,first"
    assert [row.split(",")[:3] for row in rows] == [["2.0", seed, "14"] for seed in "01"]
    files = sorted((tmp_path / "local" / "sweeps" / "sweep" / "jobs").glob("*.npz"))
    assert len(files) == 2
    for file in files:
        _, values = vmf.load_results(file)
        parameters = json.loads(values["parameters"])
        assert parameters == check_names_and_types(suite / "notebooks" / "page.ipynb", parameters)
        assert (values["seed"], values["vmfcore_version"]) == (parameters["seed"], vmf.__version__)
        assert values["seconds"] > 0
        assert values["peak_mb"] > 10
        assert values["revision"]
    assert_that_a_changed_byte_is_refused(suite, tmp_path / "local", files[0])


def assert_that_a_changed_byte_is_refused(suite, folder, file):
    (folder / "sweeps" / "sweep" / "table.csv").unlink()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    done = run_sweep("local", suite, folder)
    assert done.returncode != 0
    assert "its sha256 differs" in done.stderr
