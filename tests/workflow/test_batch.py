"""Batch runs: parameters are checked before work, sweeps give tidy tables, files agree (tests/faults.py kills them)."""

import datetime
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import vmfcore as vmf

ROOT = Path(__file__).resolve().parents[2]
BATCH = ROOT / "notebooks" / "batch"
sys.path.insert(0, str(BATCH))

import figures  # noqa: E402
import run  # noqa: E402
import sweep as sweeps  # noqa: E402

NOTEBOOK = ROOT / "notebooks" / "01_planted_recovery.ipynb"
SMALL = {"n_visible": 31, "n_hidden": [2], "correlations": [0.0], "n_restarts": 2, "n_steps": 30}
EXAMPLES = sorted(BATCH.glob("*.yaml"))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_visble": 3}, r"^n_visble is not a parameter of 01_planted_recovery.ipynb, did you mean n_visible\?$"),
        ({"rule": "adam", "N": 3}, r"^rule is not a .*; N is not a parameter"),
        ({"n_visible": "three"}, "^n_visible must be of type int, got 'three'$"),
        ({"n_visible": 3.0}, "^n_visible must be of type int, got 3.0$"),
        ({"n_visible": True}, "^n_visible must be of type int, got True$"),
        ({"alpha": None}, "^alpha must be of type float, got None$"),
        ({"alpha": [1.0]}, r"^alpha must be of type float, got \[1.0\]$"),
        ({"n_hidden": "2"}, "^n_hidden must be of type list, got 2$"),
        ({"model_term": 1}, "^model_term must be of type str, got 1$"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(parameters, message):
    with pytest.raises(run.Refused, match=message):
        run.check_names_and_types(NOTEBOOK, parameters)


def test_text_becomes_what_the_notebook_wants():
    given = {"alpha": "1e-3", "n_visible": "7", "n_hidden": "[2, 3]", "model_term": "quenched"}
    known = run.check_names_and_types(NOTEBOOK, given)
    assert (known["alpha"], known["n_visible"], known["n_hidden"]) == (1e-3, 7, [2, 3])
    assert (known["seed"], known["out"]) == (1, "")
    assert run.check_names_and_types(NOTEBOOK, {"alpha": 2})["alpha"] == 2.0


def test_the_ranges_are_those_of_the_notebook():
    known = run.check_names_and_types(NOTEBOOK, {})
    run.check_ranges(NOTEBOOK, [known])
    with pytest.raises(run.Refused, match=r"^correlations\[1\] must be a real number in \[0, 1\], got 1.5$"):
        run.check_ranges(NOTEBOOK, [known, known | {"correlations": [0.0, 1.5]}])


def written(tmp_path, **fields):
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump({"notebook": NOTEBOOK.stem} | fields))
    return path


def test_jobs_are_all_combinations_and_keep_their_names_when_there_are_more(tmp_path):
    cases = [{"n_hidden": [2]}, {"n_hidden": [2, 3], "correlations": [0.3]}]
    fields = {"values": {"alpha": [1.0, 2]}, "cases": cases, "fixed": {"n_visible": 31}, "seeds": 3}
    found = sweeps.jobs(sweeps.load(written(tmp_path, **fields)))
    assert len(found) == 2 * 2 * 3
    assert {"alpha": 2.0, "n_hidden": [2], "n_visible": 31, "seed": 2} in found.values()
    fields["values"]["alpha"].insert(0, 0.5)
    more = sweeps.jobs(sweeps.load(written(tmp_path, **fields)))
    assert len(more) == 18
    assert more.items() >= found.items()
    fields["fixed"]["n_visible"] = 32
    assert not sweeps.jobs(sweeps.load(written(tmp_path, **fields))).keys() & more.keys()


def test_seeds_are_shared_out_where_a_notebook_loops_over_them(tmp_path):
    fields = {"notebook": "02_overlap_vs_density", "seeds": 6, "seeds_per_job": 2}
    found = sweeps.jobs(sweeps.load(written(tmp_path, **fields)))
    assert [(job["seed"], job["n_seeds"]) for job in found.values()] == [(0, 2), (2, 2), (4, 2)]


@pytest.mark.parametrize(
    ("fields", "message"),
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
def test_a_sweep_that_is_wrong_is_refused(fields, message, tmp_path):
    with pytest.raises(run.Refused, match=message):
        sweeps.jobs(sweeps.load(written(tmp_path, **fields)))


def test_no_file_and_no_mapping(tmp_path):
    for text in ("", "- 3", "{"):
        (tmp_path / "sweep.yaml").write_text(text)
        with pytest.raises(run.Refused, match=r"sweep\.yaml must be a YAML mapping"):
            sweeps.load(tmp_path / "sweep.yaml")
    with pytest.raises(run.Refused, match=r"must be a sweep: .*No such file"):
        sweeps.load(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_sweeps_are_right(path):
    assert sweeps.load(path).figure in figures.FIGURES
    assert len(sweeps.jobs(sweeps.load(path))) >= 12


def call(command, cwd=ROOT):
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)


def test_the_profile_of_slurm_plans_the_same_jobs(tmp_path):
    # there is no Slurm here: only that its plugin takes the profile and the graph
    path = written(tmp_path, values={"alpha": [2.0]}, fixed=SMALL, seeds=2)
    snakemake = [Path(sys.executable).parent / "snakemake", "--workflow-profile", "profiles/slurm", "sweep", "-n"]
    done = call([*snakemake, "--nolock", "--config", f"sweep={path}", f"runs={tmp_path}"])
    assert done.returncode == 0, done.stderr[-3000:]
    assert "\njob " in done.stdout + done.stderr


def test_a_sweep_from_its_file_to_its_table(tmp_path):
    # cluster-generic submits jobs as to a cluster: to this machine
    path = written(tmp_path, values={"alpha": [2.0]}, fixed=SMALL, seeds=2)
    options = ["sweep", "--ignore-incomplete", "--nolock", "--config", f"sweep={path}"]
    snakemake = Path(sys.executable).parent / "snakemake"
    for profile in ("cluster-generic", "local"):
        folder = tmp_path / profile / "sweeps" / "sweep"
        done = call([snakemake, "--workflow-profile", f"profiles/{profile}", *options, f"runs={tmp_path / profile}"])
        assert done.returncode == 0, done.stderr[-3000:]
    tables = [(tmp_path / p / "sweeps/sweep/table.csv").read_text() for p in ("cluster-generic", "local")]
    assert tables[0] == tables[1]
    header, *rows = tables[0].splitlines()
    assert header == "alpha,seed,n_hidden,correlation,rule,means_overlap,sign_overlap"
    assert [row.split(",")[:5] for row in rows] == [
        ["2.0", s, "2", "0.0", rule] for s in "01" for rule in ("natural", "adam")
    ]
    for file in (folder / "jobs").glob("*.npz"):
        _, values = vmf.load_results(file)
        given = json.loads(values["parameters"])
        assert given == run.check_names_and_types(NOTEBOOK, given)
        assert (values["seed"], values["vmfcore_version"]) == (given["seed"], vmf.__version__)
        assert values["seconds"] > 0
        assert values["peak_mb"] > 10
        assert values["revision"]
    # one byte of a result
    (folder / "table.csv").unlink()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    done = call([snakemake, "--workflow-profile", "profiles/local", *options, f"runs={tmp_path / 'local'}"])
    assert done.returncode != 0
    assert "its sha256 differs" in done.stderr
