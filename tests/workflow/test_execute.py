"""One run: its parameters and its arguments are checked before any work (tests/faults.py lets runs die)."""

import pytest
from nbclient.exceptions import DeadKernelError

import execute
from parameters import Refused, check_names_and_types, check_ranges


@pytest.mark.parametrize(
    ("given", "message"),
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
def test_a_parameter_that_does_not_fit_is_refused(given, message, notebook):
    with pytest.raises(Refused, match=message):
        check_names_and_types(notebook, given)


def test_text_becomes_what_the_notebook_wants(notebook):
    given = {"alpha": "1e-3", "n_visible": "7", "n_hidden": "[2, 3]", "model_term": "quenched"}
    parameters = check_names_and_types(notebook, given)
    assert (parameters["alpha"], parameters["n_visible"], parameters["n_hidden"]) == (1e-3, 7, [2, 3])
    assert (parameters["seed"], parameters["out"]) == (1, "")
    assert check_names_and_types(notebook, {"alpha": 2})["alpha"] == 2.0


def test_the_ranges_are_those_of_the_notebook(notebook):
    parameters = check_names_and_types(notebook, {})
    check_ranges(notebook, [parameters])
    with pytest.raises(Refused, match=r"^correlations\[1\] must be a real number in \[0, 1\], got 1.5$"):
        check_ranges(notebook, [parameters, parameters | {"correlations": [0.0, 1.5]}])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--timeout", "0"], "^--timeout must be at least 1 second, got 0$"),
        (["-y", "- 3"], r"^-y must be a YAML mapping of names, got \[3\]$"),
        (["--results", "results.npz"], "^out must be a folder where results are asked for, got ''$"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, message, notebook, tmp_path):
    arguments = execute.argument_parser().parse_args([str(notebook), str(tmp_path / "out.ipynb"), *options])
    with pytest.raises(Refused, match=message):
        execute.run(arguments)
    assert not list(tmp_path.iterdir())


def test_the_notebook_itself_is_never_the_output(notebook):
    arguments = execute.argument_parser().parse_args([str(notebook), str(notebook)])
    with pytest.raises(Refused, match=r"^output must be another file than the notebook, got"):
        execute.run(arguments)


def test_options_on_the_command_line_go_before_those_in_a_file(notebook, tmp_path):
    file = tmp_path / "parameters.yaml"
    file.write_text("{alpha: 1.0, beta: 1.0, seed: 1}")
    options = ["-f", str(file), "-y", "{beta: 2.0, seed: 2}", "-p", "seed", "3"]
    arguments = execute.argument_parser().parse_args([str(notebook), "out.ipynb", *options])
    assert execute.given_parameters(arguments) == {"alpha": 1.0, "beta": 2.0, "seed": "3"}


@pytest.mark.parametrize(
    ("errors", "n_runs", "raised"),
    [
        ([], 1, None),
        ([DeadKernelError("died")], 2, None),
        ([DeadKernelError("died")] * 3, 2, DeadKernelError),
        ([AssertionError("a check that fails once fails again")], 1, AssertionError),
    ],
)
def test_only_a_kernel_that_died_is_tried_again(errors, n_runs, raised, monkeypatch):
    runs = []

    def run_notebook(*arguments, **options):
        runs.append(arguments)
        if len(runs) <= len(errors):
            raise errors[len(runs) - 1]

    monkeypatch.setattr(execute.papermill, "execute_notebook", run_notebook)
    if raised:
        with pytest.raises(raised):
            execute.execute_with_another_kernel("in.ipynb", "out.ipynb", {})
    else:
        execute.execute_with_another_kernel("in.ipynb", "out.ipynb", {})
    assert runs == [("in.ipynb", "out.ipynb", {})] * n_runs
