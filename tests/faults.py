"""Faults, and what is left after them: python tests/faults.py prints the counts; some minutes on two cores.

A sweep of 24 jobs is killed with SIGKILL at five moments, all its processes at once: at three random ones and twice
in the middle of writing a result.  A fit is killed at 20 random moments.  Then bad parameters and dead kernels.
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
N_JOBS, N_FITS = 24, 20
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

FIT = """
import sys
import numpy as np, vmfcore as vmf
spins = vmf.sample_spins(vmf.planted_weights(101, 3, seed=1), 1.0, 307, seed=2)
print("started", flush=True)
result = vmf.fit(spins, 3, 1.0, n_steps=3000, settled=1e-12, n_restarts=2, seed=3, expectation="cavity",
                 batch_size=100, checkpoint=sys.argv[1], checkpoint_every=5)
vmf.save_results(sys.argv[2], means=result.means, history=np.array(result.history), bound=np.array(result.bound))
"""


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


def start_sweep(folder, environment):
    # what make sweep and make unlock sweep run, without the set-up
    options = ["--workflow-profile", "profiles/local", "--ignore-incomplete", "--config", "sweep=faults.yaml"]
    command = [BIN / "snakemake", "sweep", *options, f"runs={folder}"]
    with open(LOG, "a") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | environment)


def finished(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "sweeps/faults/jobs").glob("*.npz")}


def sweep_faults(scratch):
    sweep = {"notebook": "01_planted_recovery", "values": {"alpha": [2.0, 4.0]}, "fixed": SMALL, "seeds": N_JOBS // 2}
    (ROOT / "faults.yaml").write_text(yaml.safe_dump(sweep))
    unbroken, broken = scratch / "unbroken", scratch / "broken"
    assert start_sweep(unbroken, {}).wait() == 0, LOG.read_text()[-3000:]
    (scratch / "sitecustomize.py").write_text(IN_THE_MIDDLE)
    marker, known, again, partial = scratch / "kill", {}, 0, 0
    for k, in_the_middle in enumerate((False, True, False, True, False)):
        env = {"PYTHONPATH": str(scratch), "KILL_AT_WRITE": str(marker)}
        process = start_sweep(broken, env)
        time.sleep(random.uniform(8, 30))
        if in_the_middle:
            (scratch / "pid").write_text(str(process.pid))
            (scratch / "pid").rename(marker)
            process.wait(timeout=300)
        else:
            kill(psutil.Process(process.pid))
            process.wait()
        subprocess.run([BIN / "snakemake", "--unlock", "--quiet", "all"], cwd=ROOT, check=True, capture_output=True)
        time.sleep(2)  # a kernel outlives its parent by a second
        now = finished(broken)
        again += sum(now.get(name) != when for name, when in known.items())
        partial += len(list((broken / "sweeps/faults/jobs").glob(".*.npz.*")))
        known = now
        print(
            f"  kill {k + 1} of 5{', in the middle of writing' * in_the_middle}: {len(now)} of {N_JOBS} jobs finished"
        )
    assert start_sweep(broken, {}).wait() == 0, LOG.read_text()[-3000:]
    now = finished(broken)
    again += sum(now[name] != when for name, when in known.items())
    same = (unbroken / "sweeps/faults/table.csv").read_bytes() == (broken / "sweeps/faults/table.csv").read_bytes()
    (ROOT / "faults.yaml").unlink()
    print(f"sweep: {len(now)} jobs, 5 kills, {partial} files left half written; table the same as unbroken: {same};")
    print(f"       finished jobs that ran twice: {again}")
    return same and not again


def fit_faults(scratch):
    command = [sys.executable, "-c", FIT]
    for name in ("compiled", "whole"):
        started = time.perf_counter()
        subprocess.run([*command, scratch / f"{name}_checkpoint", scratch / name], check=True, capture_output=True)
        length = time.perf_counter() - started
    kills, resumed = 0, 0
    while kills < N_FITS:
        for name in ("part_checkpoint", "part"):
            (scratch / name).unlink(missing_ok=True)
        while not (scratch / "part").exists():
            process = subprocess.Popen(
                [*command, scratch / "part_checkpoint", scratch / "part"], stdout=subprocess.PIPE
            )
            process.stdout.readline()
            try:
                process.wait(random.uniform(0.0, length / 3))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        resumed += 1
        results = [vmf.load_results(scratch / name)[1] for name in ("whole", "part")]
        for key in ("means", "history", "bound"):
            np.testing.assert_array_equal(*(result[key] for result in results))
    print(f"fit: killed {kills} times in {resumed} fits; means, histories and bounds bit-equal to the unbroken one's")
    return True


def one_line(scratch):
    """Runs that must fail: exit status, and one readable line that has the given words."""
    dead = nbformat.read(ROOT / "notebooks/01_planted_recovery.ipynb", 4)
    cell = next(c for c in dead.cells if "vmf.fit(" in c.source)
    cell.source = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    nbformat.write(dead, scratch / "dead.ipynb")
    notebook, run = "notebooks/01_planted_recovery.ipynb", [sys.executable, "notebooks/batch/run.py"]
    sweep = {"notebook": "01_planted_recovery", "values": {"alphaa": [1.0]}}
    (scratch / "misspelt.yaml").write_text(yaml.safe_dump(sweep))
    (scratch / "range.yaml").write_text(yaml.safe_dump(sweep | {"values": {"alpha": [1.0, -1.0]}}))
    (scratch / "type.yaml").write_text(yaml.safe_dump(sweep | {"values": {"alpha": ["one"]}}))
    (scratch / "key.yaml").write_text(yaml.safe_dump({"notebok": "01_planted_recovery"}))
    snakemake = [BIN / "snakemake", "sweep", "--workflow-profile", "profiles/local", "--config"]
    cases = {
        "misspelt -p": ([*run, notebook, "o.ipynb", "-p", "n_visble", "9"], "did you mean n_visible?"),
        "wrong type -p": ([*run, notebook, "o.ipynb", "-p", "n_visible", "9.5"], "n_visible must be of type int, got"),
        "out of range -p": ([*run, notebook, "o.ipynb", "-p", "alpha", "-1"], "alpha must be a real number in"),
        "dead kernel": ([*run, scratch / "dead.ipynb", "o.ipynb"], "its kernel died"),
        "no notebook": ([*run, "notebooks/00.ipynb", "o.ipynb"], "notebook must be a file, .ipynb"),
        "misspelt in a sweep": ([*snakemake, f"sweep={scratch}/misspelt.yaml"], "did you mean alpha?"),
        "wrong type in a sweep": ([*snakemake, f"sweep={scratch}/type.yaml"], "alpha must be of type float, got 'one'"),
        "out of range in a sweep": ([*snakemake, f"sweep={scratch}/range.yaml"], "alpha must be a real number in"),
        "misspelt key of a sweep": ([*snakemake, f"sweep={scratch}/key.yaml"], "notebok"),
    }
    passed = 0
    for name, (command, words) in cases.items():
        command = [str(scratch / part) if part == "o.ipynb" else str(part) for part in command]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        good = done.returncode != 0 and len(lines) == 1 and words in lines[0] and "Traceback" not in done.stderr
        passed += good
        print(f"  {name}: exit {done.returncode}, {lines[0] if good else done.stderr}")
    print(f"bad runs: {passed} of {len(cases)} end with a non-zero exit and a readable line")
    return passed == len(cases)


def main():
    (ROOT / "runs").mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="faults-"))
    random.seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    try:
        good = [part(scratch) for part in (one_line, fit_faults, sweep_faults)]
    finally:
        shutil.rmtree(scratch)
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
