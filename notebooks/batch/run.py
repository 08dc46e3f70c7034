"""Run a notebook as papermill does, but look at its parameters first and say in one line what went wrong.

python notebooks/batch/run.py notebooks/02_overlap_vs_density.ipynb out.ipynb -p n_visible 1000 -p out results
"""

import argparse
import difflib
import functools
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import papermill
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from pydantic import ConfigDict, ValidationError, create_model

import vmfcore as vmf
from vmfcore.files.archives import check_target

ROOT = Path(__file__).resolve().parents[2]
TYPES = {"int": int, "float": float, "str": str, "list": list}
START_TIMEOUT = 120  # seconds that a kernel may take to start
NO_REVISION = "no revision"  # of code outside a git checkout


# A client that answers a cell's sliders, as nbclient 0.11 does, now and then misses the reply to the cell and waits for
# ever: 2 of 96 runs of one slider; without the answer none of 96.  What a slider draws then stands below it.
NotebookClient.on_comm_open_jupyter_widget = lambda self, message: None


class Refused(Exception):
    """Parameters that a notebook does not take; the text is for the user."""


def parse(kind, value):
    """Text as a value of this kind where it is one (1e-3 is text in YAML, and everything is on a command line)."""
    if not isinstance(value, str) or kind not in ("int", "float", "list"):
        return value
    try:
        return json.loads(value) if kind == "list" else TYPES[kind](value)
    except ValueError:
        return value


def mapping(text, source):
    """The mapping with names as keys that a YAML text is; `Refused` if it is not one."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refused(f"{source} must be a YAML mapping: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise Refused(f"{source} must be a YAML mapping of names, got {found!r}")
    return found


@functools.cache
def _model(notebook):
    """A pydantic model of the parameters of a notebook, and the type of each."""
    known = papermill.inspect_notebook(str(notebook))
    kinds = {name: about["inferred_type_name"] for name, about in known.items()}
    strange = [name for name, kind in kinds.items() if kind not in TYPES]
    if strange or "out" not in kinds:
        what = f"typed {', '.join(TYPES)}, out among them; not so: {', '.join(strange) or 'out'}"
        raise Refused(f"{Path(notebook).name} must have parameters {what}")
    fields = {name: (TYPES[kind], yaml.safe_load(known[name]["default"])) for name, kind in kinds.items()}
    return create_model(
        Path(notebook).stem, __config__=ConfigDict(extra="forbid", strict=True, protected_namespaces=()), **fields
    ), kinds


def check_names_and_types(notebook, parameters):
    """Parameters of a notebook with their defaults, after its cell of parameters; `Refused` if one does not fit."""
    model, kinds = _model(notebook)
    given = {name: parse(kinds.get(name), value) for name, value in parameters.items()}
    try:
        return model(**given).model_dump()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name, found = problem["loc"][0], problem["input"]
            if problem["type"] == "extra_forbidden":
                near = difflib.get_close_matches(name, kinds, 1, 0.0)
                lines.append(f"{name} is not a parameter of {Path(notebook).name}, did you mean {near[0]}?")
            else:
                lines.append(f"{name} must be of type {kinds[name]}, got {found!r}")
        raise Refused("; ".join(lines)) from None


def check_ranges(notebook, all_parameters):
    """Let the notebook's own check, the cell after its parameters, look at several sets of them."""
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    position = next(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
    scope = {}
    for cell in cells[: position + 1]:
        exec(cell.source, scope)
    for parameters in all_parameters:
        try:
            exec(cells[position + 1].source, scope | parameters)
        except (TypeError, ValueError) as error:
            raise Refused(str(error)) from error


def revision():
    """The git revision of the code, with -dirty where it was changed after it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return NO_REVISION


def execute(notebook, output, parameters, timeout=None, progress=False):
    """Seconds and peak memory (of the largest process, MB) of a run; `Refused`, in one line, if it fails."""
    os.environ.setdefault("IPYTHONDIR", str(ROOT / "tests" / "ipython"))
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    start, name = time.perf_counter(), Path(notebook).name
    options = {"progress_bar": progress, "start_timeout": START_TIMEOUT, "execution_timeout": timeout}
    try:
        papermill.execute_notebook(str(notebook), str(output), parameters, **options)
    except PapermillExecutionError as error:
        raise Refused(f"{name}, cell {error.exec_count}: {error.ename}: {error.evalue}") from error
    except DeadKernelError as error:
        raise Refused(f"{name}: its kernel died, as it does without memory; {output} has what came before") from error
    except (CellTimeoutError, TimeoutError) as error:
        raise Refused(f"{name}: a cell took longer than {timeout} s; {output} has what came before") from error
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return time.perf_counter() - start, peak


def complete(source, target, parameters, seconds, peak):
    """Write the results of a run with its parameters, time, memory and revision: whole, or not at all."""
    table, values = vmf.load_results(source)
    values = {name: value for name, value in values.items() if not name.endswith("_version")}
    about = {"parameters": json.dumps(parameters), "seconds": seconds, "peak_mb": peak, "revision": revision()}
    vmf.save_results(target, table=table, **(values | about))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook")
    parser.add_argument("output", help="the executed notebook")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="a parameter")
    parser.add_argument("-y", default="{}", metavar="YAML", help="parameters as a mapping")
    parser.add_argument("-f", metavar="FILE", help="parameters in a YAML file; -y and -p go before them")
    parser.add_argument("--results", metavar="FILE", help="complete results: with parameters, time, memory, revision")
    parser.add_argument("--timeout", type=int, metavar="SECONDS", help="longest time of a cell")
    parser.add_argument("--progress", action="store_true", help="show a bar")
    given = parser.parse_args()
    try:
        if not given.notebook.endswith(".ipynb") or not Path(given.notebook).is_file():
            raise Refused(f"notebook must be a file, .ipynb, got {given.notebook}")
        if Path(given.output).resolve() == Path(given.notebook).resolve():
            raise Refused(f"output must be another file than the notebook, got {given.output}")
        if given.timeout is not None and given.timeout < 1:
            raise Refused(f"--timeout must be at least 1 second, got {given.timeout}")
        parameters = mapping(Path(given.f).read_text(), given.f) if given.f else {}
        parameters |= mapping(given.y, "-y") | dict(given.p)
        known = check_names_and_types(given.notebook, parameters)
        changed = {name: known[name] for name in parameters}
        if given.results and not known["out"]:
            raise Refused("out must be a folder where results are asked for, got ''")
        if given.results:
            vmf.checks.folder(out=known["out"])
            check_target(given.results, "--results")
        spent = execute(given.notebook, given.output, changed, given.timeout, given.progress)
        if given.results:
            complete(f"{known['out']}/results.npz", Path(given.results), known, *spent)
    except (Refused, OSError, ValueError) as error:
        sys.exit("error: " + " ".join(str(error).split()))
    except KeyboardInterrupt:
        sys.exit(f"stopped: {given.output} has what came before")


if __name__ == "__main__":
    main()
