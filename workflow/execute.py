"""Execute a notebook as papermill does, but look at its parameters first and say in one line what went wrong.

python workflow/execute.py notebooks/02_overlap_vs_density.ipynb out.ipynb -p n_visible 1000 -p out results
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

import vmfcore as vmf
from parameters import Refused, check_names_and_types, mapping
from vmfcore.files.archives import check_target

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT = 120  # seconds that a kernel may take to start
N_KERNELS = 2  # one may die for want of memory that something else had; a check that fails would fail again
NO_REVISION = "no revision"  # of code outside a git checkout


class Failed(Exception):
    """A run that ended before its last cell did; the text is for the user."""


class Spent(NamedTuple):
    """What a run took."""

    seconds: float
    peak_mb: float  # memory of its largest process


def revision():
    """The git revision of the code, with -dirty where it was changed after it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return NO_REVISION


def execute(notebook, output, parameters, timeout=None):
    """What the run of a notebook with these parameters `Spent`; `Failed`, in one line, if it does not get through."""
    os.environ.setdefault("IPYTHONDIR", str(ROOT / "tests" / "ipython"))
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    name = Path(notebook).name
    options = {"start_timeout": START_TIMEOUT, "execution_timeout": timeout}
    start = time.perf_counter()
    try:
        execute_with_another_kernel(str(notebook), str(output), parameters, **options)
    except PapermillExecutionError as error:
        raise Failed(f"{name}, cell {error.exec_count}: {error.ename}: {error.evalue}") from error
    except DeadKernelError as error:
        raise Failed(f"{name}: its kernel died, as it does without memory; {output} has what came before") from error
    except (CellTimeoutError, TimeoutError) as error:
        raise Failed(f"{name}: a cell took longer than {timeout} s; {output} has what came before") from error
    seconds = time.perf_counter() - start
    # macOS counts in bytes, Linux in kilobytes
    per_mb = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return Spent(seconds, peak / per_mb)


def execute_with_another_kernel(*arguments, **options):
    """Execute a notebook, and once more from its start if its kernel dies."""
    for n_left in reversed(range(N_KERNELS)):
        try:
            return papermill.execute_notebook(*arguments, progress_bar=sys.stderr.isatty(), **options)
        except DeadKernelError:
            if not n_left:
                raise
            print("its kernel died: once more", file=sys.stderr)


def save_complete_results(source, target, parameters, spent):
    """Write the results of a run with its parameters, time, memory and revision: whole, or not at all."""
    table, values = vmf.load_results(source)
    # save_results writes the versions by itself
    values = {name: value for name, value in values.items() if not name.endswith("_version")}
    about = {"parameters": json.dumps(parameters), "revision": revision()} | spent._asdict()
    vmf.save_results(target, table=table, **(values | about))


def argument_parser():
    """The parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook")
    parser.add_argument("output", help="the executed notebook")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="a parameter")
    parser.add_argument("-y", default="{}", metavar="YAML", help="parameters as a mapping")
    parser.add_argument("-f", metavar="FILE", help="parameters in a YAML file; -y and -p go before them")
    parser.add_argument("--results", metavar="FILE", help="complete results: with parameters, time, memory, revision")
    parser.add_argument("--timeout", type=int, metavar="SECONDS", help="longest time of a cell")
    return parser


def check_arguments(arguments):
    """`Refused` if the notebook, the output or the timeout is not one."""
    if not arguments.notebook.endswith(".ipynb") or not Path(arguments.notebook).is_file():
        raise Refused(f"notebook must be a file, .ipynb, got {arguments.notebook}")
    if Path(arguments.output).resolve() == Path(arguments.notebook).resolve():
        raise Refused(f"output must be another file than the notebook, got {arguments.output}")
    if arguments.timeout is not None and arguments.timeout < 1:
        raise Refused(f"--timeout must be at least 1 second, got {arguments.timeout}")


def given_parameters(arguments):
    """The parameters on the command line: of -f, replaced by those of -y, replaced by those of -p."""
    given = {}
    if arguments.f:
        given |= mapping(Path(arguments.f).read_text(), arguments.f)
    given |= mapping(arguments.y, "-y")
    given |= dict(arguments.p)
    return given


def check_results(target, out):
    """`Refused` if the results cannot be written to this file, or if the notebook does not write them to a folder."""
    if not out:
        raise Refused("out must be a folder where results are asked for, got ''")
    vmf.checks.folder(out=out)
    check_target(target, "--results")


def run(arguments):
    """Check all that can be checked, execute the notebook, and complete its results if they are asked for."""
    check_arguments(arguments)
    given = given_parameters(arguments)
    parameters = check_names_and_types(arguments.notebook, given)
    if arguments.results:
        check_results(arguments.results, parameters["out"])
    # defaults are in the notebook already
    injected = {name: parameters[name] for name in given}
    spent = execute(arguments.notebook, arguments.output, injected, arguments.timeout)
    if arguments.results:
        save_complete_results(f"{parameters['out']}/results.npz", Path(arguments.results), parameters, spent)


def main():
    arguments = argument_parser().parse_args()
    try:
        run(arguments)
    except (Refused, Failed, OSError, ValueError) as error:
        sys.exit("error: " + " ".join(str(error).split()))
    except KeyboardInterrupt:
        sys.exit(f"stopped: {arguments.output} has what came before")


if __name__ == "__main__":
    main()
