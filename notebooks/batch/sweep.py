"""Sweeps: a few lines of YAML become jobs, their results one tidy table.

notebook: 02_overlap_vs_density
values: {beta: [0.8, 1.0, 1.2]}     # each combination of values is a job
cases: [{n_hidden: [1]}, {n_hidden: [2], correlation: 0.3}]     # and each of these with each of those
fixed: {n_visible: 400}             # the same in all of them
seeds: 20                           # of each combination, from seed 0 on
seeds_per_job: 5                    # of a notebook with n_seeds
threads: 1                          # of a job
figure: phase_diagram               # of `figures`, or none
"""

import csv
import hashlib
import itertools
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

import figures
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from run import ROOT, Refused, check_names_and_types, check_ranges, mapping

import vmfcore as vmf

Count = Annotated[int, Field(ge=1)]
ABOUT_JOBS = ("seconds", "peak_mb", "revision", "vmfcore_version", "numpy_version", "numba_version", "parameters")


class Sweep(BaseModel):
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
        return list(dict.fromkeys([*self.values, *(name for case in self.cases for name in case)]))

    @property
    def path(self):
        return ROOT / "notebooks" / f"{self.notebook}.ipynb"


def load(path):
    """The sweep in a file; `Refused` if it is not one."""
    try:
        sweep = Sweep(**mapping(Path(path).read_text(), path))
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} must be a sweep: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r}" for e in error.errors())
        raise Refused(f"{path} must be a sweep: {problems}") from None
    if re.search(r"[^-+.=_/0-9A-Za-z]", str(path)):
        raise Refused(f"{path}: a sweep must have a name without spaces and the like")
    if not sweep.path.is_file() or "/" in sweep.notebook:
        raise Refused(f"{path}: notebook must be a name in notebooks/ without .ipynb, got {sweep.notebook!r}")
    known = [name for name, (notebook, _) in figures.FIGURES.items() if notebook == sweep.notebook]
    if sweep.figure and sweep.figure not in known:
        raise Refused(f"{path}: figure must be one of {', '.join(known) or 'none'}, got {sweep.figure!r}")
    return sweep


def jobs(sweep, check=True):
    """Parameters of every job, by a name that does not change when the sweep gets more values; all are checked."""
    defaults, found = check_names_and_types(sweep.path, {}), {}
    if sweep.seeds % sweep.seeds_per_job or (sweep.seeds_per_job > 1 and "n_seeds" not in defaults):
        raise Refused(f"seeds_per_job must divide seeds, and be 1 for {sweep.notebook}, got {sweep.seeds_per_job}")
    places = [*sweep.values, *{name for case in sweep.cases for name in case}, *sweep.fixed, "seed", "n_seeds", "out"]
    twice = sorted({name for name in places if places.count(name) > 1})
    if twice:
        raise Refused(f"{', '.join(twice)} must stand in one of values, cases and fixed; seed, n_seeds, out in none")
    per_job = {"n_seeds": sweep.seeds_per_job} if "n_seeds" in defaults else {}
    for case, *combination in itertools.product(sweep.cases, *sweep.values.values()):
        varied = dict(zip(sweep.values, combination, strict=True)) | case
        for seed in range(0, sweep.seeds, sweep.seeds_per_job):
            given = sweep.fixed | varied | {"seed": seed} | per_job
            known = check_names_and_types(sweep.path, given)
            text = json.dumps({name: known[name] for name in sorted(given)}, default=str)
            told = "_".join(f"{name}-{json.dumps(known[name], default=str)}" for name in (*varied, "seed"))
            name = f"{re.sub(r'[^-+.=_0-9A-Za-z]+', '', told)[:80]}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
            if name in found:
                raise Refused(f"values and cases must not have the same parameters twice, got {told}")
            found[name] = {name: known[name] for name in given}
    if check:
        check_ranges(sweep.path, [defaults | given for given in found.values()])
    return found


def _write_csv(path, rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())


def _write_about(path, rows):
    """What runs took, as a table, and as one to look at."""
    _write_csv(path, rows)
    pd.read_csv(path).to_html(Path(path).with_suffix(".html"), index=False)


def summarize(results, path):
    """A table of what several runs took, from the files of their results."""
    values = {name: vmf.load_results(file)[1] for name, file in results.items()}
    _write_about(path, [{"run": name} | {key: found[key] for key in ABOUT_JOBS} for name, found in values.items()])


def gather(sweep, found, folder):
    """Of the finished jobs in ``folder``/jobs: jobs.csv, what each took; the figure; and at last table.csv.

    The table has a row for each row of the jobs' tables, or a row a job with its numbers, after what was varied.
    """
    rows, about, defaults = [], [], check_names_and_types(sweep.path, {})
    for name, given in found.items():
        table, values = vmf.load_results(folder / "jobs" / f"{name}.npz")
        scalars = {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}
        varied = {key: given.get(key, defaults[key]) for key in (*sweep.varied, "seed")}
        about.append({"job": name, **varied, **{key: scalars.pop(key) for key in ABOUT_JOBS}})
        columns = {key: column.tolist() for key, column in table.items()}
        observed = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] or [scalars]
        rows += [varied | row for row in observed]
    part = folder / ".table.csv"
    _write_about(folder / "jobs.csv", about)
    _write_csv(part, rows)
    if sweep.figure:
        figures.FIGURES[sweep.figure][1](part, folder / "figure", defaults | sweep.fixed)
    os.replace(part, folder / "table.csv")
