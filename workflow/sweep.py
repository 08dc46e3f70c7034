"""Sweeps: a few lines of YAML become jobs.

notebook: 02_overlap_vs_density
values: {beta: [0.8, 1.0, 1.2]}     # each combination of values is a job
cases: [{n_hidden: [1]}, {n_hidden: [2], correlation: 0.3}]     # and each of these with each of those
fixed: {n_visible: 400}             # the same in all of them
seeds: 20                           # of each combination, from seed 0 on
seeds_per_job: 5                    # of a notebook with n_seeds
threads: 1                          # of a job
figure: phase_diagram               # of `figures`, or none
"""

import hashlib
import itertools
import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from figures import FIGURES
from parameters import Refused, check_names_and_types, check_ranges, mapping

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
MAX_NAME = 80  # characters of a job's name before its hash
Count = Annotated[int, Field(ge=1)]


class Sweep(BaseModel):
    """The file of a sweep; its keys are explained above."""

    model_config = ConfigDict(extra="forbid", strict=True)

    notebook: str
    values: dict[str, Annotated[list, Field(min_length=1)]] = {}
    cases: Annotated[list[dict[str, Any]], Field(min_length=1)] = [{}]
    fixed: dict[str, Any] = {}
    seeds: Count = 1
    seeds_per_job: Count = 1
    threads: Count = 1
    figure: str = ""

    @property
    def varied(self):
        """Names of the parameters in which the jobs differ, but for the seed."""
        in_cases = [name for case in self.cases for name in case]
        return list(dict.fromkeys([*self.values, *in_cases]))

    @property
    def path(self):
        """The notebook's file."""
        return NOTEBOOKS / f"{self.notebook}.ipynb"


def load(path):
    """The sweep in a file; `Refused` if it is not one."""
    try:
        sweep = Sweep(**mapping(Path(path).read_text(), path))
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} must be a sweep: {error}") from error
    except ValidationError as error:
        problems = "; ".join(_complaint(problem) for problem in error.errors())
        raise Refused(f"{path} must be a sweep: {problems}") from None
    # the name becomes a folder, and part of a shell command
    if re.search(r"[^-+.=_/0-9A-Za-z]", str(path)):
        raise Refused(f"{path}: a sweep must have a name without spaces and the like")
    if not sweep.path.is_file() or "/" in sweep.notebook:
        raise Refused(f"{path}: notebook must be a name in notebooks/ without .ipynb, got {sweep.notebook!r}")
    known = [name for name, figure in FIGURES.items() if figure.notebook == sweep.notebook]
    if sweep.figure and sweep.figure not in known:
        raise Refused(f"{path}: figure must be one of {', '.join(known) or 'none'}, got {sweep.figure!r}")
    return sweep


def _complaint(problem):
    """What pydantic found wrong with a key of a sweep, for the user."""
    key = ".".join(str(part) for part in problem["loc"])
    return f"{key}: {problem['msg']}, got {problem['input']!r}"


def _check_seeds(sweep, defaults):
    divides = sweep.seeds % sweep.seeds_per_job == 0
    loops_over_seeds = "n_seeds" in defaults
    if not divides or (sweep.seeds_per_job > 1 and not loops_over_seeds):
        raise Refused(f"seeds_per_job must divide seeds, and be 1 for {sweep.notebook}, got {sweep.seeds_per_job}")


def _check_that_each_parameter_stands_once(sweep):
    in_cases = {name for case in sweep.cases for name in case}
    places = [*sweep.values, *in_cases, *sweep.fixed, "seed", "n_seeds", "out"]
    twice = sorted({name for name in places if places.count(name) > 1})
    if twice:
        raise Refused(f"{', '.join(twice)} must stand in one of values, cases and fixed; seed, n_seeds, out in none")


def _combinations(sweep):
    """What is varied, one mapping for each case and each combination of values."""
    for case, *combination in itertools.product(sweep.cases, *sweep.values.values()):
        yield dict(zip(sweep.values, combination, strict=True)) | case


def _job_name(varied, job):
    """What is varied, as far as a file's name has room for it, and a hash of all that the job is given."""
    readable = "_".join(f"{name}-{json.dumps(job[name], default=str)}" for name in (*varied, "seed"))
    short = re.sub(r"[^-+.=_0-9A-Za-z]+", "", readable)[:MAX_NAME]
    text = json.dumps({name: job[name] for name in sorted(job)}, default=str)
    return f"{short}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def jobs(sweep, *, ranges=True):
    """Parameters of every job, by a name that does not change when the sweep gets more values.

    Names and types are checked; ranges, which takes the notebook's imports, only if ``ranges`` is true.
    """
    defaults = check_names_and_types(sweep.path, {})
    _check_seeds(sweep, defaults)
    _check_that_each_parameter_stands_once(sweep)
    found = {}
    for varied in _combinations(sweep):
        for seed in range(0, sweep.seeds, sweep.seeds_per_job):
            given = sweep.fixed | varied | {"seed": seed}
            if "n_seeds" in defaults:
                given["n_seeds"] = sweep.seeds_per_job
            # as the notebook takes them: 2 is 2.0 where it wants a float, so that equal jobs have equal names
            parameters = check_names_and_types(sweep.path, given)
            job = {name: parameters[name] for name in given}
            name = _job_name(varied, job)
            if name in found:
                raise Refused(f"values and cases must not have the same parameters twice, got {name}")
            found[name] = job
    if ranges:
        check_ranges(sweep.path, [defaults | job for job in found.values()])
    return found
