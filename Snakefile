# The graph of papermill runs: `run`, every notebook with its parameters in config.yaml; `sweep`, the jobs of a sweep.
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "notebooks" / "batch"))
import run as notebooks
import sweep as sweeps

import vmfcore as vmf


configfile: "config.yaml"


PYTHON = sys.executable
RUN = f"{PYTHON} notebooks/batch/run.py --timeout {config['cell_timeout']}"
RUNS = config["runs"]
NAMES = sorted(path.stem for path in Path("notebooks").glob("*.ipynb"))
CODE = sorted(map(str, [*Path("vmfcore").glob("*.py"), *Path("data").glob("*"), "notebooks/digits.py", "notebooks/vmf.mplstyle"]))
GIVEN = config["parameters"]
SWEEP, JOBS, FOLDER = None, {}, ""


def shared(threads):
    """Environment of a job that shares the machine with others, on so many threads."""
    return " ".join(f"{name}={threads}" for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"))


# names, types and ranges of all parameters are checked before the first job
try:
    for name in ("threads", "cell_timeout"):
        vmf.checks.integer(1, **{name: config[name]})
    if not isinstance(GIVEN, dict):
        raise notebooks.Refused(f"parameters must be a mapping, got {GIVEN!r}")
    for name in GIVEN:
        if name not in NAMES or not isinstance(GIVEN[name], dict):
            raise notebooks.Refused(f"parameters must be mappings for {', '.join(NAMES)}, got {name!r}: {GIVEN[name]!r}")
        if workflow.is_main_process:
            known = notebooks.check_names_and_types(f"notebooks/{name}.ipynb", GIVEN[name])
            notebooks.check_ranges(f"notebooks/{name}.ipynb", [known])
    if config.get("sweep"):
        SWEEP, FOLDER = sweeps.load(config["sweep"]), f"{RUNS}/sweeps/{Path(config['sweep']).stem}"
        JOBS = sweeps.jobs(SWEEP, check=workflow.is_main_process)
except (notebooks.Refused, TypeError, ValueError) as error:
    sys.exit("error: " + " ".join(str(error).split()))


wildcard_constraints:
    name="|".join(NAMES),


rule run:
    input:
        expand(f"{RUNS}/{{name}}.html", name=NAMES),
        f"{RUNS}/summary.csv",


rule notebook:
    input:
        "notebooks/{name}.ipynb",
        CODE,
    output:
        html=f"{RUNS}/{{name}}.html",
        folder=report(directory(f"{RUNS}/{{name}}"), patterns=["{figure}.png"], category="notebooks", subcategory="{name}"),
    log:
        notebook=f"{RUNS}/{{name}}.ipynb",
    params:
        given=lambda wildcards: json.dumps(GIVEN.get(wildcards.name, {})),
        environment=shared(config["threads"]),
    threads: config["threads"]
    shell:
        "{params.environment} {RUN} {input[0]} {log.notebook} --progress -y {params.given:q} -p out {output.folder}"
        " --results {output.folder}/results.npz"
        " && {PYTHON} -m jupyter nbconvert --log-level=ERROR --to html {log.notebook}"


rule summary:
    input:
        expand(f"{RUNS}/{{name}}", name=NAMES),
    output:
        f"{RUNS}/summary.csv",
        report(f"{RUNS}/summary.html", category="parameters, times, memory"),
    localrule: True
    run:
        sweeps.summarize({name: f"{RUNS}/{name}/results.npz" for name in NAMES}, output[0])


if SWEEP:

    rule sweep:
        input:
            f"{FOLDER}/table.csv",

    rule job:
        input:
            ancient(str(SWEEP.path)),
        output:
            f"{FOLDER}/jobs/{{job}}.npz",
        log:
            notebook=f"{FOLDER}/jobs/{{job}}.ipynb",
        params:
            given=lambda wildcards: json.dumps(JOBS[wildcards.job]),
            folder=lambda wildcards: f"{FOLDER}/jobs/{wildcards.job}",
            environment=shared(SWEEP.threads),
        threads: SWEEP.threads
        shell:
            "{params.environment} {RUN} {input} {log.notebook} -y {params.given:q} -p out {params.folder} --results {output}"

    rule gather:
        input:
            expand(f"{FOLDER}/jobs/{{job}}.npz", job=JOBS),
        output:
            report(f"{FOLDER}/table.csv", category="sweep"),
            f"{FOLDER}/jobs.csv",
            report(f"{FOLDER}/jobs.html", category="parameters, times, memory"),
            [report(f"{FOLDER}/figure.png", category="sweep")] if SWEEP.figure else [],
        params:
            figure=SWEEP.figure,
        localrule: True
        run:
            sweeps.gather(SWEEP, JOBS, Path(FOLDER))
