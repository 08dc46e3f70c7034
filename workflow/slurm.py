"""Before jobs go to Slurm: does it answer, do its nodes see this folder, and what is still there of an earlier run?

What a node runs is this folder's own .venv, so both must be on a disk that all machines share.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import yaml
from snakemake_executor_plugin_slurm.job_status_query import get_min_job_age

CHECKOUT = Path(__file__).resolve().parents[1]
ANSWER = 60  # seconds within which Slurm must answer a command
PATIENCE = 60  # seconds that the try may wait for a node
PAUSE = 5  # seconds between two looks at jobs of an earlier run
LONGEST_CHECK = 200  # seconds that Snakemake may take between two looks at its jobs
SUBMIT = ["sbatch", "--parsable", "--job-name=try-a-node", "--chdir=/", "--output=/dev/null", "--time=5"]
# of the try on a node: exit codes that say what is wrong
NO_FOLDER, NO_VENV = 3, 4
TRY = """#!/bin/sh
test -e {token} || exit {no_folder}
{python} -c 'import numpy' || exit {no_venv}
"""


class NotReady(Exception):
    """Why no jobs can go to Slurm, in one line for the user."""


def say(text):
    """A line for the user, beside what Snakemake says."""
    print(f"slurm: {text}", flush=True)


def ask(*command, **options):
    """What a command of Slurm prints; `NotReady` with its last line if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER, check=True, **options)
    except subprocess.TimeoutExpired as error:
        raise NotReady(f"Slurm does not answer within {ANSWER} s: {' '.join(command)}") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or "nothing").splitlines()[-1]
        raise NotReady(f"Slurm refuses: {last}") from error
    return done.stdout


def status_command():
    """How Snakemake may ask what became of a job: "sacct", or "squeue" where Slurm keeps no accounts."""
    try:
        ask("sacct", "--allocations", "--noheader", "--name=nothing")
    except (NotReady, FileNotFoundError):
        age = get_min_job_age()
        if age is None or age < LONGEST_CHECK:
            raise NotReady(
                f"accounting is off, and squeue forgets how a job ended after MinJobAge = {age} s; "
                f"Snakemake may not look for {LONGEST_CHECK} s: ask for accounting, or a larger MinJobAge"
            ) from None
        say("accounting is off, so squeue is asked what became of jobs")
        return "squeue"
    return "sacct"


def name_of_jobs(folder):
    """What the names of all jobs that write to this folder begin with."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", folder.name)[:24]
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
    return f"{readable}-{digest}"


def own_jobs(name):
    """Jobs of this name that wait or run, by number, with their states."""
    lines = ask("squeue", "--noheader", "--me", "--format=%i %T %j").splitlines()
    rows = [line.split() for line in lines]
    return {number: state for number, state, job_name in rows if job_name.startswith(f"{name}_")}


def is_locked(folder):
    """True if a run that is not over, or was killed, has this folder: Snakemake then refuses by itself."""
    locks = Path(".snakemake/locks").glob("*.output.lock")
    return any(line.startswith(f"{folder}/") for lock in locks for line in lock.read_text().splitlines())


def settle(name):
    """Let no job run twice: of a run that was killed, cancel the jobs that wait, and wait for those that run."""
    told = set()
    while jobs := own_jobs(name):
        waiting = [number for number, state in jobs.items() if state == "PENDING"]
        if waiting:
            # one that has begun in the meantime goes on
            ask("scancel", "--state=PENDING", *waiting)
            say(f"{len(waiting)} jobs of an earlier run were in the queue: cancelled, to be handed in again")
        running = jobs.keys() - set(waiting)
        if running - told:
            say(f"{len(running)} jobs of an earlier run are still at work: waiting for them")
        told |= running
        time.sleep(PAUSE)


def account_and_partition(profile):
    """Options of sbatch, from the folder of a profile."""
    resources = yaml.safe_load((profile / "config.yaml").read_text()).get("default-resources") or {}
    options = {"slurm_account": "--account", "slurm_partition": "--partition"}
    return [f"{option}={resources[name]}" for name, option in options.items() if name in resources]


def try_a_node(profile):
    """A job of a second that looks whether its node sees this folder and can use its .venv."""
    token = CHECKOUT / ".snakemake" / f"try-{uuid.uuid4().hex}"
    token.parent.mkdir(exist_ok=True)
    token.touch()
    script = TRY.format(token=token, python=sys.executable, no_folder=NO_FOLDER, no_venv=NO_VENV)
    try:
        number = ask(*SUBMIT, *account_and_partition(profile), input=script).strip()
        code = exit_code(number)
    finally:
        token.unlink()
    if code is None:
        say(f"no node was free for a try within {PATIENCE} s; jobs are handed in untried")
    elif code == NO_FOLDER:
        raise NotReady(f"the compute node does not see {CHECKOUT}: move it to a disk that all nodes share")
    elif code == NO_VENV:
        raise NotReady(f"the compute node cannot use {sys.executable}: make .venv/ready where nodes find its python")
    elif code:
        raise NotReady(f"a job that only looks around ended with exit code {code}")


def exit_code(number):
    """Of a job, when it is over; None, and the job is cancelled, if that takes more than `PATIENCE` seconds."""
    for _ in range(PATIENCE):
        time.sleep(1)
        fields = dict(re.findall(r"(\w+)=(\S+)", ask("scontrol", "show", "job", number)))
        if fields["JobState"] in ("COMPLETED", "FAILED"):
            return int(fields["ExitCode"].split(":")[0])
    ask("scancel", number)
    return None


def prepare(profile, folder):
    """Options for Snakemake that fit this Slurm and this folder of results; `NotReady` if it cannot be."""
    if not shutil.which("sbatch"):
        raise NotReady("there is no sbatch on this machine: PROFILE=slurm is for the login node of a cluster")
    ask("sinfo")
    status = status_command()
    name = name_of_jobs(folder)
    if not is_locked(folder):
        settle(name)
    try_a_node(profile)
    return ["--slurm-status-command", status, "--slurm-jobname-prefix", name]
