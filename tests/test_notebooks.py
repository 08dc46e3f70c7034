"""The committed notebooks: executed, parameterized, short, and strict about their parameters."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest

import vmfcore as vmf

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def tagged(path, tag):
    return [cell for cell in code_cells(path) if tag in cell.metadata.get("tags", [])]


def parsed(cell):
    """The syntax tree of a cell; a trailing ; and what it hides are Python, too."""
    return ast.parse(cell.source)


def nodes_outside_functions(tree):
    """Everything that a cell does when it is run, whatever it defines for later."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, (ast.FunctionDef, ast.Lambda)):
            yield node
            yield from nodes_outside_functions(node)


def calls(cell):
    """Sources of the calls that a cell makes when it is run."""
    nodes = nodes_outside_functions(parsed(cell))
    return [ast.unparse(node) for node in nodes if isinstance(node, ast.Call)]


def test_every_code_cell_was_executed_in_order(path):
    # nbval compares nothing in a cell without a count
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        if any(call.startswith(("print(", "plt.show(")) for call in calls(cell)):
            assert cell.outputs, cell.source
        assert all(output.output_type != "error" for output in cell.outputs)
        assert all(output.get("name") != "stderr" or "Warning" not in output.text for output in cell.outputs)


def test_anatomy(path):
    notebook = nbformat.read(path, as_version=4)
    assert len(notebook.cells) <= 30
    assert notebook.cells[0].source.startswith(f"# {path.name[:2]} ")
    assert "Run time" in notebook.cells[0].source
    assert len(tagged(path, "parameters")) == 1
    for cell in code_cells(path):
        lines = cell.source.splitlines()
        assert len(lines) <= 20, cell.source
        assert max(len(line) for line in lines) <= 100, cell.source
        assert "noqa" not in cell.source
    assert any("assert " in cell.source for cell in code_cells(path))
    assert "**References.**" in notebook.cells[-1].source


def test_code_is_read_from_top_to_bottom(path):
    for cell in code_cells(path):
        for node in ast.walk(parsed(cell)):
            assert not isinstance(node, ast.NamedExpr), cell.source
            if isinstance(node, ast.Assign):
                assert not isinstance(node.value, ast.Lambda), f"a lambda with a name in {cell.source}"
            if isinstance(node, ast.Expr):
                assert isinstance(node.value, (ast.Call, ast.Constant)), f"{ast.unparse(node)} for its effects"


def test_papermill_sees_names_types_and_meanings(path):
    parameters = papermill.inspect_notebook(str(path))
    assert {"seed", "out"} <= set(parameters)
    for name, parameter in parameters.items():
        assert parameter["inferred_type_name"] in {"int", "float", "str", "list"}, name
        assert parameter["help"], f"{name} has no comment that tells its unit or meaning"


def position_of_parameters(cells):
    return next(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))


def checked_with(path, **overrides):
    """Run the notebook's imports, its parameters with overrides, and its check, as papermill would."""
    cells = code_cells(path)
    position = position_of_parameters(cells)
    scope = {}
    for cell in cells[: position + 1]:
        exec(cell.source, scope)
    exec(cells[position + 1].source, scope | overrides)


def test_the_check_begins_with_the_names_of_parameters(path):
    cells = code_cells(path)
    position = position_of_parameters(cells)
    assert cells[position + 1].source.startswith("notebook.check_parameter_names()\n")


def test_defaults_pass_the_check(path):
    checked_with(path)


def test_papermill_knows_every_parameter(path):
    (cell,) = (cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", []))
    names = [line.split(":")[0] for line in cell.source.splitlines()]
    assert list(papermill.inspect_notebook(str(path))) == names  # it loses a line with a second "="


MAY_BE_EMPTY = ("kl_weights", "rivals")  # comparisons that may be left out


def bad_values(name, parameter):
    """Values that no parameter of this type may have: the wrong type, and the wrong range."""
    kind, default = parameter["inferred_type_name"], parameter["default"]
    if kind == "int":
        return [("three", TypeError), (1.5, TypeError), (-7, ValueError)]
    if kind == "float":
        return [("one", TypeError), (-1.0, ValueError), (np.nan, ValueError), (np.inf, ValueError)]
    if kind == "list":
        empty = [] if name in MAY_BE_EMPTY else [([], ValueError)]
        if '"' in default:  # of names
            return [(3, TypeError), *empty, ([1], TypeError), (["nonsense"], ValueError)]
        return [(3, TypeError), *empty, (["one"], TypeError), ([-1], ValueError)]
    bad = [(3, TypeError)]
    return bad if default == "''" or default == '""' else [*bad, ("nonsense", ValueError)]


def test_every_bad_parameter_is_named_before_any_work(path):
    for name, parameter in papermill.inspect_notebook(str(path)).items():
        for value, error in bad_values(name, parameter):
            with pytest.raises(error, match=rf"^{name}(\[0\])? must be .*, got"):
                checked_with(path, **{name: value})


SPECIAL = [
    ("01_planted_recovery", {"n_hidden": [2, 11]}, r"n_hidden must be at most 10 for message passing, got"),
    ("00_the_model", {"n_hidden": 11}, "n_hidden must be at most 10 for exact sums, got 11"),
    ("02_overlap_vs_density", {"n_jobs": 0}, "n_jobs must be an integer"),
    (
        "02_overlap_vs_density",
        {"alphas": [0.01, 2.0]},
        r"alphas\[0\] must be a real number in \(0.03, 1000\), got 0.01",
    ),
    ("03_mnist_features", {"n_hidden": 26}, r"widths must hold n_hidden, .* got \[25, 100\], 4000"),
    ("03_mnist_features", {"n_train": 4501}, r"widths must hold n_hidden, n_train be <= 4500, got .* 4501"),
    ("03_mnist_features", {"n_validation": 2001}, r"n_validation must be at most half of 4000, got 2001"),
    ("04_bounds_and_dual_networks", {"n_hidden": [1, 3]}, r"n_hidden must be at most 2 for .*, got \[1, 3\]"),
    ("07_which_model", {"teachers": [9]}, r"teachers must be at most 10 - n_extra, got \[9\] and 2"),
    ("07_which_model", {"studies": ["all"]}, r"studies\[0\] must be one of 'count', "),
    ("08_any_binary_data", {"n_compared": 30}, r"n_compared must be in widths, got 30, \[20, 100\]"),
    ("08_any_binary_data", {"kinds": ["dice"]}, r"kinds\[0\] must be one of 'planted', "),
    ("06_dynamical_mean_field", {"strengths": [1.0]}, "strengths must hold five numbers, got"),
    ("09_scikit_learn", {"n_train": 1700}, "n_train must be at most 1600, got 1700"),
    ("03_mnist_features", {"rival_steps": [1.5]}, r"rival_steps\[0\] must be a real number in \(0, 1\], got 1.5"),
]


def test_ranges_that_only_one_notebook_has(path):
    for name, overrides, message in SPECIAL:
        if name == path.stem:
            with pytest.raises(ValueError, match=message):
                checked_with(path, **overrides)


def test_imports_stand_in_the_first_cell_and_plots_in_the_style_of_the_pages(path):
    first, *others = code_cells(path)
    assert "from vmfcore import notebook" in first.source.splitlines()
    assert 'plt.style.use("vmfcore.pages")' in first.source.splitlines()
    for cell in others:
        assert not any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(parsed(cell)))


SAVED = re.compile(r"notebook\.save\(fig, [\"'](\w+)[\"'], out\)")


def saved_figures(path):
    """Names of the figures that a notebook writes."""
    return [name for cell in code_cells(path) for call in calls(cell) for name in SAVED.findall(call)]


def test_every_figure_is_saved(path):
    for cell in code_cells(path):
        shown = [call for call in calls(cell) if call == "plt.show()"]
        saved = [call for call in calls(cell) if SAVED.fullmatch(call)]
        assert len(shown) == len(saved), cell.source
    assert saved_figures(path)


def test_no_path_of_a_machine_and_no_path_that_depends_on_the_working_directory(path):
    text = path.read_text()
    assert not re.search(r"(?<![\w.])/(home|root|work|Users|tmp)/", text)
    assert "../" not in "".join(cell.source for cell in code_cells(path))


# columns that not every machine has: of page 03, and those of the Ising model and of data with a known truth in 08
OF_SOME_MACHINES = {
    f"table.{name}" for name in ("accuracy", "rarest_class", "p_value", "temperature", "truth", "train")
}
OF_SOME_MACHINES |= {
    f"table.{name}" for name in ("energy", "off_by", "specific_heat", *(f"correlation_{d}" for d in (1, 2, 3, 4)))
}
# each row of page 07 is of one study, and has the columns of it
OF_SOME_MACHINES |= {
    f"table.{name}"
    for study in (
        ("teacher", "q", "alpha", "found", "by_totals", "n_hidden", "above_uniform", "modes"),
        ("converged", "beta", "beta_error", "q_error", "bound", "held_out", "live"),
        ("student_beta", "overlap", "mean_square", "sign_overlap"),
        ("sweeps", "refused", "stable"),
    )
    for name in study
}
# and so has each of page 05
OF_SOME_MACHINES |= {
    f"table.{name}"
    for name in (
        *("step_size", "first", "held", "short", "start", "total"),
        *("cpu_seconds", "converged", "n_taken", "mean_square", "means_overlap"),
        *(f"{name}_{k}" for name in ("overlap", "n", "claimed", "right") for k in range(10)),
    )
}

SMALL = {
    "00_the_model": {"n_visible": 31, "n_steps": 10, "counted_samples": [5, 10], "n_data_sets": 2},
    "01_planted_recovery": {
        "n_visible": 31,
        "n_steps": 30,
        "n_restarts": 2,
        "n_instances": 2,
        "n_basins": 2,
        "alpha": 2,
    },
    "02_overlap_vs_density": {
        "n_visible": 31,
        "alphas": [1.0, 4.0],
        "n_seeds": 2,
        "n_restarts": 1,
        "beta": 1.2,
        "init": "random",
    },
    "04_bounds_and_dual_networks": {
        "sizes": [4, 8, 16],
        "n_problems": 4,
        "n_visible": 31,
        "alphas": [3.0],
        "n_seeds": 1,
        "n_middle": 8,
        "beta": 1.2,
    },
    "05_learning_rules": {
        "n_visible": 61,
        "alphas": [4.0],
        "step_sizes": [0.1, 1.0],
        "hard_hidden": 3,
        "n_seeds": 1,
        "n_starts": 2,
        "n_steps": 20,
        "n_jobs": 1,
    },
    "07_which_model": {
        "n_visible": 60,
        "teachers": [1, 2],
        "n_extra": 1,
        "learnt_visible": 60,
        "wrong_visible": 60,
        "wrong_betas": [0.8, 1.2],
        "widths": [5, 10],
        "n_steps": 20,
        "n_seeds": 1,
    },
    "08_any_binary_data": {
        "n_train": 200,
        "n_hidden": 20,
        "widths": [5, 10],
        "n_compared": 10,
        "ising_steps": 20,
        "n_steps": 20,
        "n_clustered": 100,
        "clustered_steps": 20,
        "rival_steps": [0.02],
        "n_components": [2],
        "n_temperatures": 20,
        "n_samples": 100,
        "n_sweeps": 10,
    },
    "09_scikit_learn": {
        "n_components": 8,
        "n_iter": 1,
        "rival_iter": 1,
        "learning_rates": [0.1],
        "penalties": [1.0],
        "n_train": 100,
        "grid_components": [2],
        "grid_betas": [1.0],
        "grid_iter": 1,
        "n_draws": 1,
        "n_sweeps": 1,
        "n_seeds": 1,
    },
    "06_dynamical_mean_field": {
        "n_visible": 150,
        "n_hidden": 60,
        "n_seeds": 3,
        "edge_sizes": [75],
        "border_ratios": [0.7],
        "n_sweeps": 50,
    },
    "03_mnist_features": {
        "n_hidden": 25,
        "paper_widths": [3],
        "widths": [25],
        "rivals": [25],
        "rival_steps": [0.05],
        "roundings": [2],
        "n_steps": 20,
        "n_train": 300,
        "n_validation": 50,
        "n_probed": 100,
        "n_samples": 100,
        "n_sweeps": 10,
        "n_temperatures": 20,
    },
}


def test_papermill_runs_it_from_any_directory_with_other_parameters(path, tmp_path):
    options = [word for name, value in SMALL[path.stem].items() for word in ("-p", name, str(value))]
    run = ROOT / "workflow" / "execute.py"
    command = [sys.executable, str(run), str(path), "done.ipynb", "-p", "out", "results", *options]
    command += ["--results", "results/results.npz"]  # as in make run
    # tests run in several processes, which share the cores
    threads = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1")
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | threads, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    results = tmp_path / "results"
    with np.load(results / "results.npz", allow_pickle=False) as saved:
        assert saved["vmfcore_version"] == vmf.__version__
        assert saved["seed"] >= 0
        numbers = [name for name in saved if saved[name].dtype.kind == "f" and name not in OF_SOME_MACHINES]
        assert all(np.isfinite(saved[name]).all() for name in numbers)
    pictures = {p.stem for p in results.glob("*.png")}
    assert pictures == set(saved_figures(path))
    assert pictures == {p.stem for p in results.glob("*.pdf")}
