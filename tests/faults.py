"""Faults, and what is left after them: python tests/faults.py prints the counts; some minutes on two cores.

A sweep of 24 jobs is killed with SIGKILL at five moments, all its processes at once: at three random ones and twice
in the middle of writing a result.  A fit is killed at 20 random moments.  Then bad parameters and dead kernels.
python tests/faults.py 7 takes other random moments.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
import psutil
import yaml

import vmfcore as vmf

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
LOG = ROOT / "runs" / "faults.log"
N_JOBS = 24
N_FITS = 20  # kills of fits
NOTEBOOK = "01_planted_recovery"
SMALL = {"n_visible": 31, "n_hidden": [2], "correlations": [0.0], "n_restarts": 2, "n_steps": 30}

# a sitecustomize.py: kills everything, as a power failure would, when a result was written but is not yet in its place
IN_THE_MIDDLE = """
import os, pathlib, signal
marker, before = pathlib.Path(os.environ["KILL_AT_WRITE"]), os.fsync
def fsync(file):
    before(file)
    if os.path.basename(os.readlink(f"/proc/self/fd/{file}")).startswith(".alpha") and marker.exists():
        import psutil
        root = psutil.Process(int(marker.read_text()))
        marker.unlink()
        for process in [root, *root.children(recursive=True)]:
            if process.pid != os.getpid():
                process.kill()
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
"""


def fit(checkpoint, target):
    """The fit that is killed, in a process of its own: python tests/faults.py fit CHECKPOINT RESULTS."""
    spins = vmf.sample(vmf.planted(101, 3, 1.0, seed=1), 307, seed=2)
    print("started", flush=True)
    result = vmf.fit(
        spins,
        3,
        1.0,
        vmf.Objective(model_term=vmf.Annealed(vmf.Cavity())),
        vmf.Natural(tol=1e-12),
        n_steps=3000,
        n_restarts=2,
        batch_size=100,
        checkpoint=vmf.Checkpoint(checkpoint, every=5),
        callback=vmf.Every(1),
        seed=3,
    )
    history = np.array(result.history)
    vmf.save_results(target, means=result.means, history=history, bound=np.array(result.bound))


def kill(root):
    """SIGKILL to a process and all that descend from it."""
    try:
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=10)


def start_sweep(path, folder, environment):
    # what make sweep and make unlock sweep run, without the set-up
    options = ["--workflow-profile", "workflow/profiles/local", "--ignore-incomplete"]
    command = [BIN / "snakemake", "sweep", *options, "--config", f"sweep={path}", f"runs={folder}"]
    with open(LOG, "a") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | environment)


def finish_sweep(path, folder):
    assert start_sweep(path, folder, {}).wait() == 0, LOG.read_text()[-3000:]


def finished(folder):
    """When each finished job of the sweep was written, by its file's name."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "sweeps/faults/jobs").glob("*.npz")}


def kill_sweep(path, folder, scratch, in_the_middle):
    """Start the sweep and kill it after some seconds; ``in_the_middle``: when the next result is written after them."""
    marker = scratch / "kill"
    search = os.pathsep.join([str(scratch), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = start_sweep(path, folder, {"PYTHONPATH": search, "KILL_AT_WRITE": str(marker)})
    time.sleep(random.uniform(8, 30))
    if in_the_middle:
        # whoever writes next finds the marker, whole, and in it whom to kill
        (scratch / "pid").write_text(str(process.pid))
        (scratch / "pid").rename(marker)
        process.wait(timeout=300)
    else:
        kill(psutil.Process(process.pid))
        process.wait()
    subprocess.run([BIN / "snakemake", "--unlock", "--quiet", "all"], cwd=ROOT, check=True, capture_output=True)
    time.sleep(2)  # a kernel outlives its parent by a second


def sweep_faults(scratch):
    """Whether a sweep that was killed five times ends with the table of an unbroken one, and no job ran twice."""
    path = scratch / "faults.yaml"
    sweep = {"notebook": NOTEBOOK, "values": {"alpha": [2.0, 4.0]}, "fixed": SMALL, "seeds": N_JOBS // 2}
    path.write_text(yaml.safe_dump(sweep))
    (scratch / "sitecustomize.py").write_text(IN_THE_MIDDLE)
    unbroken = scratch / "unbroken"
    broken = scratch / "broken"
    finish_sweep(path, unbroken)
    known = {}
    n_again = 0
    n_partial = 0
    for k, in_the_middle in enumerate((False, True, False, True, False)):
        kill_sweep(path, broken, scratch, in_the_middle)
        now = finished(broken)
        n_again += sum(now.get(name) != when for name, when in known.items())
        n_partial += len(list((broken / "sweeps/faults/jobs").glob(".*.npz.*")))
        known = now
        moment = ", in the middle of writing" if in_the_middle else ""
        print(f"  kill {k + 1} of 5{moment}: {len(now)} of {N_JOBS} jobs finished")
    finish_sweep(path, broken)
    now = finished(broken)
    n_again += sum(now[name] != when for name, when in known.items())
    tables = [(folder / "sweeps/faults/table.csv").read_bytes() for folder in (unbroken, broken)]
    same = tables[0] == tables[1]
    print(f"sweep: {len(now)} jobs, 5 kills, {n_partial} files left half written; table the same as unbroken: {same};")
    print(f"       finished jobs that ran twice: {n_again}")
    return same and not n_again


def killed_fit(command, longest):
    """How often a fit was killed, each time within ``longest`` seconds, until it came to its end."""
    *_, target = command
    n_kills = 0
    while not target.exists():
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        try:
            process.wait(random.uniform(0.0, longest))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            n_kills += 1
    return n_kills


def fit_faults(scratch):
    """True if fits that were killed and called again end with the bits of an unbroken one; an error if not."""
    command = [sys.executable, __file__, "fit"]
    for name in ("compiled", "whole"):  # the second of them is timed
        started = time.perf_counter()
        subprocess.run([*command, scratch / f"{name}_checkpoint", scratch / name], check=True, capture_output=True)
        length = time.perf_counter() - started
    _, whole = vmf.load_results(scratch / "whole")
    checkpoint = scratch / "part_checkpoint"
    target = scratch / "part"
    n_kills = 0
    n_resumed = 0
    while n_kills < N_FITS:
        checkpoint.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        n_kills += killed_fit([*command, checkpoint, target], length / 3)
        n_resumed += 1
        _, part = vmf.load_results(target)
        for key in ("means", "history", "bound"):
            np.testing.assert_array_equal(whole[key], part[key])
    print(f"fit: killed {n_kills} times in {n_resumed} fits; means, histories, bounds bit-equal to the unbroken one's")
    return True


def write_notebook_that_dies(path):
    notebook = nbformat.read(ROOT / "notebooks" / f"{NOTEBOOK}.ipynb", 4)
    cell = next(cell for cell in notebook.cells if "vmf.fit(" in cell.source)
    cell.source = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    nbformat.write(notebook, path)


def bad_runs(scratch):
    """Runs that must fail, by what is wrong with them: the command, and words that its message must have."""
    notebook = f"notebooks/{NOTEBOOK}.ipynb"
    output = scratch / "o.ipynb"
    execute = [sys.executable, "workflow/execute.py"]
    write_notebook_that_dies(scratch / "dead.ipynb")
    return {
        "misspelt -p": ([*execute, notebook, output, "-p", "n_visble", "9"], "did you mean n_visible?"),
        "wrong type -p": ([*execute, notebook, output, "-p", "n_visible", "9.5"], "n_visible must be of type int, got"),
        "out of range -p": ([*execute, notebook, output, "-p", "alpha", "-1"], "alpha must be a real number in"),
        "dead kernel": ([*execute, scratch / "dead.ipynb", output], "its kernel died"),
        "no notebook": ([*execute, "notebooks/none.ipynb", output], "notebook must be a file, .ipynb"),
    }


def bad_sweeps(scratch):
    """Sweeps that must fail, in the same form."""
    sweeps = {
        "misspelt in a sweep": ({"notebook": NOTEBOOK, "values": {"alphaa": [1.0]}}, "did you mean alpha?"),
        "wrong type in a sweep": (
            {"notebook": NOTEBOOK, "values": {"alpha": ["one"]}},
            "alpha must be of type float, got 'one'",
        ),
        "out of range in a sweep": (
            {"notebook": NOTEBOOK, "values": {"alpha": [1.0, -1.0]}},
            "alpha must be a real number in",
        ),
        "misspelt key of a sweep": ({"notebok": NOTEBOOK}, "notebok"),
    }
    snakemake = [BIN / "snakemake", "sweep", "--workflow-profile", "workflow/profiles/local", "--config"]
    cases = {}
    for k, (name, (sweep, words)) in enumerate(sweeps.items()):
        path = scratch / f"bad_{k}.yaml"
        path.write_text(yaml.safe_dump(sweep))
        cases[name] = ([*snakemake, f"sweep={path}"], words)
    return cases


def bad_parameters(scratch):
    """Whether all that must fail does, with a non-zero exit and one readable line that has the right words."""
    cases = bad_runs(scratch) | bad_sweeps(scratch)
    n_good = 0
    for name, (command, words) in cases.items():
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        readable = len(lines) == 1 and words in lines[0] and "Traceback" not in done.stderr
        good = done.returncode != 0 and readable
        n_good += good
        print(f"  {name}: exit {done.returncode}, {lines[0] if good else done.stderr}")
    print(f"bad runs: {n_good} of {len(cases)} end with a non-zero exit and a readable line")
    return n_good == len(cases)


def main():
    if sys.argv[1:2] == ["fit"]:
        fit(*sys.argv[2:])
        return
    (ROOT / "runs").mkdir(exist_ok=True)
    random.seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    scratch = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        good = [part(scratch) for part in (bad_parameters, fit_faults, sweep_faults)]
    finally:
        shutil.rmtree(scratch)
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
