"""Faults on a real Slurm, that of start.sh or a cluster's: python tests/slurm/faults.py prints what became of them.

It works in a folder of its own beside the checkout's code, with a notebook that takes seconds and writes down when it
starts and ends.  A number as argument: how often the controller is killed, 20 if none; 0 leaves this out.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import nbformat
import psutil
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCRATCH = ROOT / "runs" / "slurm-faults"  # on a disk that the nodes see
N_JOBS = 16
SOON = 30.0  # seconds within which the controller is killed, after its first job is handed in
QUICK = ["--slurm-init-seconds-before-status-checks", "5", "--jobs", "4", "--latency-wait", "10"]
PARAMETERS = """seconds: float = 1.0  # that it works
mode: str = "good"  # or how it goes wrong: "check", "dies"
seed: int = 0  # tells jobs apart
out: str = ""  # folder for results"""
CHECK = "vmf.checks.real(0, 1e4, seconds=seconds)\nvmf.checks.integer(0, seed=seed)"
# a line for each execution: what was not to run twice would have two
WORK = """diary = Path(out).parents[1] / "diary.txt"
with open(diary, "a") as file:
    file.write(f"started {mode}-{seconds}-{seed}\\n")
time.sleep(seconds)
if mode == "dies":
    os.kill(os.getpid(), signal.SIGKILL)
assert mode != "check", "the overlap is not that of theory"
with open(diary, "a") as file:
    file.write(f"ended {mode}-{seconds}-{seed}\\n")
vmf.save_results(f"{out}/results.npz", seed=seed, found=2.0 * seed)"""


def prepare():
    """A checkout with one small notebook."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    (SCRATCH / "notebooks").mkdir(parents=True)
    for name in ("vmfcore", "data", ".venv", "tests"):
        (SCRATCH / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "workflow", SCRATCH / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    imports = "import os, signal, time\nfrom pathlib import Path\nimport vmfcore as vmf"
    cells = [nbformat.v4.new_code_cell(source) for source in (imports, PARAMETERS, CHECK, WORK)]
    cells[1].metadata.tags = ["parameters"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, SCRATCH / "notebooks" / "90_small.ipynb")


def write_sweep(name, **keys):
    """A sweep of the small notebook; where its jobs are."""
    sweep = {"notebook": "90_small"} | keys
    (SCRATCH / f"{name}.yaml").write_text(yaml.safe_dump(sweep))
    return SCRATCH / "runs" / "sweeps" / name


def start(name, *options, **environment):
    """What make sweep PROFILE=slurm starts."""
    command = [sys.executable, "workflow/batch.py", "slurm", "sweep", f"{name}.yaml", *QUICK, *options]
    paths = {"PYTHONPATH": str(SCRATCH), "IPYTHONDIR": str(SCRATCH / "tests" / "ipython")}
    return subprocess.Popen(
        command,
        cwd=SCRATCH,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | paths | environment,
    )


def unlock():
    """What make unlock does, without the seconds that Snakemake takes to start."""
    shutil.rmtree(SCRATCH / ".snakemake" / "locks", ignore_errors=True)


def run(name, *options, **environment):
    """A sweep to its end: exit code and what it told."""
    process = start(name, *options, **environment)
    told, _ = process.communicate()
    return process.returncode, told


def kill(process):
    """SIGKILL to the controller and all that descend from it; jobs descend from Slurm."""
    root = psutil.Process(process.pid)
    for victim in [*root.children(recursive=True), root]:
        try:
            victim.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    process.wait()


def written(folder):
    """Lines of the diary, one for each start and each end of a job."""
    diary = folder / "diary.txt"
    return diary.read_text().splitlines() if diary.exists() else []


def whole_sweep():
    folder = write_sweep("whole", seeds=3)
    code, told = run("whole")
    lines = written(folder)
    return code == 0 and len(lines) == 6 and (folder / "table.csv").exists(), told


def failed_check():
    folder = write_sweep("failed", fixed={"mode": "check"}, seeds=2)
    code, told = run("failed")
    once = sorted(written(folder)) == ["started check-1.0-0", "started check-1.0-1"]
    return code != 0 and once and told.count("AssertionError: the overlap is not that of theory") == 2, told


def dead_kernel():
    folder = write_sweep("dead", fixed={"mode": "dies"})
    code, told = run("dead")
    twice = written(folder) == ["started dies-1.0-0"] * 2
    return code != 0 and twice and "its kernel died, as it does without memory" in told, told


def time_out():
    folder = write_sweep("late", fixed={"seconds": 600.0})
    code, told = run("late", "--default-resources", "runtime=1", "mem_mb=500")
    # on a slow machine it may not even have begun
    return code != 0 and len(written(folder)) <= 1 and "Slurm says TIMEOUT" in told, told


def no_sbatch():
    write_sweep("nowhere")
    programs = SCRATCH / "bin"
    programs.mkdir()
    for name in ("sh", "bash", "which"):
        (programs / name).symlink_to(shutil.which(name))
    code, told = run("nowhere", PATH=str(programs))
    return code != 0 and told.count("\n") == 1 and "there is no sbatch on this machine" in told, told


def runs_at_slurm():
    """What jobs that wait or run are called, and how many there are of each; a run of a sweep has a name of its own."""
    command = ["squeue", "--noheader", "--me", "--format=%j"]
    return Counter(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def is_over(process, early):
    """Wait for the moment to kill a controller, at random; true if its sweep is over before it comes.

    After its first jobs are handed in; or ``early``, when it is about to look, plan, wait for others' jobs.
    """
    seconds = random.uniform(0.0, SOON)
    before = runs_at_slurm().keys()
    while not early and process.poll() is None and not runs_at_slurm().keys() - before - {"try-a-node"}:
        time.sleep(1)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def killed(n_kills):
    """The controller is killed at random moments, and the sweep started again."""
    folder = write_sweep("killed", values={"seconds": [1.0, 15.0]}, seeds=N_JOBS // 2)
    n_done = 0
    while n_done < n_kills:
        process = start("killed")
        if is_over(process, early=n_done % 4 == 3):
            print(f"  a whole sweep, exit {process.returncode}", flush=True)
            if process.returncode or not report(folder):
                return False, process.stdout.read()
            shutil.rmtree(folder)
        else:
            at_slurm = list(runs_at_slurm().values())
            kill(process)
            n_done += 1
            n_files = len(list((folder / "jobs").glob("*.npz")))
            told = [line for line in process.stdout.read().splitlines() if "earlier run" in line]
            print(
                f"  kill {n_done}: {n_files} of {N_JOBS} finished, {at_slurm} at Slurm {told}",
                flush=True,
            )
        unlock()
    code, told = run("killed")
    return code == 0 and report(folder), told


def report(folder):
    """Whether all jobs of a sweep ran to their end, once."""
    lines = written(folder)
    rows = (folder / "table.csv").read_text().splitlines()
    started = [line for line in lines if line.startswith("started")]
    ended = [line for line in lines if line.startswith("ended")]
    print(f"  {len(rows) - 1} rows, {len(started)} started, {len(ended)} ended of {N_JOBS} jobs", flush=True)
    return len(rows) - 1 == len(started) == len(ended) == len(set(started)) == N_JOBS


def main():
    n_kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    random.seed(0)
    good = []
    for part in (no_sbatch, whole_sweep, failed_check, dead_kernel, time_out):
        prepare()
        passed, told = part()
        good.append(passed)
        print(f"{part.__name__}: {'as it should' if passed else 'NOT as it should'}")
        print("".join(f"    {line}\n" for line in told.splitlines()), flush=True)
    if n_kills:
        prepare()
        passed, told = killed(n_kills)
        good.append(passed)
        print(f"killed {n_kills} times: {'nothing lost, nothing run twice' if passed else told}")
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
