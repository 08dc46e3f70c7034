"""Tables of finished runs: what they found, and what they took.

python workflow/summaries.py run runs/summary.csv runs/00_the_model runs/01_planted_recovery
python workflow/summaries.py sweep workflow/sweeps/density.yaml runs/sweeps/density
"""

import argparse
import csv
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import sweep as sweeps
import vmfcore as vmf
from figures import FIGURES
from parameters import Refused, check_names_and_types

# what the file of every run tells beside its results
ABOUT_RUNS = ("seconds", "peak_mb", "revision", "vmfcore_version", "numpy_version", "numba_version", "parameters")


def write_summary(results, path):
    """A table of what several runs took, from the files of their results, by name; as .csv and, to look at, .html."""
    rows = []
    for name, file in results.items():
        _, values = vmf.load_results(file)
        rows.append({"run": name} | {key: values[key] for key in ABOUT_RUNS})
    _write_csv_and_html(path, rows)


def write_sweep(sweep, jobs, folder):
    """Of the finished jobs in ``folder``/jobs: jobs.csv, what each took; the figure, table.npz, and at last table.csv.

    The table has a row for each row of the jobs' tables, or a row a job with its numbers, after what was varied.
    """
    defaults = check_names_and_types(sweep.path, {})
    observed, about = [], []
    for name, given in jobs.items():
        table, values = vmf.load_results(folder / "jobs" / f"{name}.npz")
        varied = {key: given.get(key, defaults[key]) for key in (*sweep.varied, "seed")}
        about.append({"job": name} | varied | {key: values[key] for key in ABOUT_RUNS})
        observed += [varied | row for row in _rows(table, values)]
    _write_csv_and_html(folder / "jobs.csv", about)
    # the table takes its name when all else is there: then the sweep is finished
    part = folder / ".table.csv"
    _write_csv(part, observed)
    names = list(dict.fromkeys(name for row in observed for name in row))
    columns = {name: [_plain(row.get(name, np.nan)) for row in observed] for name in names}
    vmf.save_results(folder / "table.npz", table=columns)
    if sweep.figure:
        FIGURES[sweep.figure].draw(part, folder / "figure", defaults | sweep.fixed)
    os.replace(part, folder / "table.csv")


def _plain(value):
    """A number or a string; of a list its items as one."""
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _rows(table, values):
    """The rows of a run's table as mappings; of a run without one, a single row of its numbers."""
    columns = [column.tolist() for column in table.values()]
    rows = [dict(zip(table, row, strict=True)) for row in zip(*columns, strict=True)]
    if rows:
        return rows
    numbers = {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}
    return [{key: value for key, value in numbers.items() if key not in ABOUT_RUNS}]


def _write_csv_and_html(path, rows):
    _write_csv(path, rows)
    pd.read_csv(path).to_html(Path(path).with_suffix(".html"), index=False)


def _write_csv(path, rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
        # on the disk before the file is renamed
        file.flush()
        os.fsync(file.fileno())


def argument_parser():
    """The parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    of_what = parser.add_subparsers(dest="of_what", required=True)
    of_run = of_what.add_parser("run", help="what notebooks took")
    of_run.add_argument("table", help="the file to write, .csv")
    of_run.add_argument("folders", nargs="+", help="of the notebooks' figures and results")
    of_sweep = of_what.add_parser("sweep", help="what the jobs of a sweep found and took")
    of_sweep.add_argument("sweep", metavar="SWEEP.yaml")
    of_sweep.add_argument("folder", help="where its jobs are")
    return parser


def main():
    arguments = argument_parser().parse_args()
    try:
        if arguments.of_what == "run":
            write_summary({Path(folder).name: f"{folder}/results.npz" for folder in arguments.folders}, arguments.table)
        else:
            sweep = sweeps.load(arguments.sweep)
            write_sweep(sweep, sweeps.jobs(sweep, ranges=False), Path(arguments.folder))
    except (Refused, OSError, ValueError) as error:
        sys.exit("error: " + " ".join(str(error).split()))


if __name__ == "__main__":
    main()
