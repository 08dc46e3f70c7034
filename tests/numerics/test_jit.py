import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import vmfcore as vmf
from vmfcore.numerics import jit, kernel_cache

# two files more in the package: kernels that call a kernel of the other file, directly and from threads
INNER = """
from vmfcore.numerics.jit import kernel

@kernel
def scaled(x):
    return 3.0 * x
"""
OUTER = """
import numba
from vmfcore.numerics.inner import scaled
from vmfcore.numerics.jit import kernel, parallel_kernel

@kernel
def shifted(x):
    return scaled(x) + 1.0

@parallel_kernel
def shift_all(x):
    for i in numba.prange(x.size):
        x[i] = shifted(x[i])
    return x
"""
# what the kernels give, how many functions were compiled for it, and where the kernels are kept
SCRIPT = """
import json
import numba.core.event
import numpy as np
from vmfcore.networks import outer
from vmfcore.numerics import jit

with numba.core.event.install_recorder("numba:compile") as recorder:
    values = [outer.shifted(1.0)]
compiled = sum(event.is_start for _, event in recorder.buffer)
path = getattr(outer.shifted, "stats", None) and outer.shifted.stats.cache_path
print(json.dumps([values, compiled, str(jit.KERNELS), path]))
"""
THREADS = SCRIPT.replace("[outer.shifted(1.0)]", "[outer.shifted(1.0), *outer.shift_all(np.ones(4))]")
# the same through the equations themselves
ENTROPY = """
import numpy as np
from vmfcore.bounds.synapses import total_entropy
print(total_entropy(np.full((1, 7, 2), 0.3)))
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package that nothing was compiled of."""
    folder = tmp_path / "site" / "vmfcore"
    shutil.copytree(Path(vmf.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "numerics" / "inner.py").write_text(INNER)
    (folder / "networks" / "outer.py").write_text(OUTER)
    return folder


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def command(package, script, **changes):
    """Arguments of `subprocess.run` for a script that finds this package, and a home of its own beside it."""
    home = package.parents[1] / "home"
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    env |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(package.parent)}
    return {"args": [sys.executable, "-c", script], "env": env | changes, "cwd": package.parents[1], "text": True}


def run(package, script=SCRIPT, **changes):
    done = subprocess.run(**command(package, script, **changes), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def kept(place):
    return {path.name for path in place.glob("kernels-*")}


def test_an_edited_kernel_takes_effect_in_kernels_of_other_files(package):
    values, compiled, folder, path = run(package, THREADS)
    assert values == [4.0] * 5
    assert compiled > 0
    assert Path(folder).parent == package / "__pycache__"
    assert path.startswith(folder)
    # a second start finds everything, and compiles nothing
    assert run(package, THREADS) == [values, 0, folder, path]

    edit(package / "numerics" / "inner.py", "3.0 * x", "6.0 * x")
    values, compiled, new, _ = run(package, THREADS)
    assert values == [7.0] * 5
    assert compiled > 0
    assert new != folder
    assert kept(package / "__pycache__") == {Path(new).name}
    assert run(package, THREADS)[:2] == [values, 0]


def test_an_edited_equation_takes_effect(package):
    before = run(package, ENTROPY)
    edit(
        package / "numerics" / "vectors.py",
        "return total + math.log(product)",
        "return 2 * (total + math.log(product))",
    )
    assert run(package, ENTROPY) != pytest.approx(before, rel=0.01)


def test_a_folder_in_use_stays_until_its_last_user_ends(package):
    wait = "import sys, vmfcore; print('ready', flush=True); sys.stdin.read()"
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(**command(package, wait), **options) as user:
        assert user.stdout.readline() == "ready\n"
        (old,) = kept(package / "__pycache__")
        edit(package / "numerics" / "inner.py", "3.0 * x", "6.0 * x")
        new = Path(run(package)[2]).name
        assert kept(package / "__pycache__") == {old, new}
        user.communicate("")
    run(package)
    assert kept(package / "__pycache__") == {new}


def test_processes_that_start_at_once_agree(package):
    (package / "__pycache__" / "kernels-0").mkdir(parents=True)
    (package / "__pycache__" / "kernels-0" / "old.nbi").touch()
    runs = [subprocess.Popen(**command(package, SCRIPT), stdout=subprocess.PIPE) for _ in range(4)]
    results = [json.loads(process.communicate()[0]) for process in runs]
    assert all(process.returncode == 0 for process in runs)
    assert all(result[0] == [4.0] for result in results)
    assert kept(package / "__pycache__") == {Path(results[0][2]).name}
    assert run(package)[1] == 0


def test_an_installation_that_cannot_be_written_keeps_its_kernels_elsewhere_or_nowhere(package, tmp_path):
    (package / "__pycache__").touch()  # a file where a folder is wanted: not even root can write there
    places = kernel_cache.candidate_places(package, "")
    assert places[0] == package / "__pycache__"
    values, _, folder, path = run(package)
    assert values == [4.0]
    assert Path(folder).parent == tmp_path / "home" / "cache" / "vmfcore" / places[1].name
    assert path.startswith(folder)
    assert run(package)[1] == 0
    # and where the user has no folder either, nothing is kept, and the numbers are the same
    values, compiled, folder, path = run(package, HOME="/dev/null", XDG_CACHE_HOME="/dev/null/cache")
    assert values == [4.0]
    assert compiled > 0
    assert folder == "None"
    assert path is None


def test_the_folder_that_the_user_names_is_used(package, tmp_path):
    for _ in range(2):
        _, compiled, folder, path = run(package, NUMBA_CACHE_DIR=str(tmp_path / "mine"))
    assert compiled == 0
    assert Path(folder).is_relative_to(tmp_path / "mine")
    assert path.startswith(folder)
    assert not kept(package / "__pycache__")


def test_without_compilation_nothing_is_kept(package):
    values, compiled, folder, _ = run(package, NUMBA_DISABLE_JIT="1")
    assert values == [4.0]
    assert compiled == 0
    assert folder == "None"
    assert not kept(package / "__pycache__")


def test_the_hash_sees_contents_and_names_of_sources_alone(package):
    before = kernel_cache.sources_hash(package)
    os.utime(package / "checks.py", (0, 0))
    (package / "numerics" / "notes.txt").write_text("no source")
    (package / "numerics" / ".#jit.py").symlink_to("nowhere")  # an editor's
    assert kernel_cache.sources_hash(package) == before
    (package / "numerics" / "inner.py").rename(package / "numerics" / "renamed.py")
    assert kernel_cache.sources_hash(package) != before


def test_functions_of_other_packages_are_kept_where_they_always_are():
    assert os.environ.get("NUMBA_CACHE_DIR", "") == numba.config.CACHE_DIR


def test_threads_are_no_more_than_jobs_and_grains_and_come_back():
    before = numba.get_num_threads()
    numba.set_num_threads(jit.MAX_THREADS)
    try:
        for jobs, grains, expected in ((1, 9.0, 1), (jit.MAX_THREADS + 1, 1e9, jit.MAX_THREADS), (2, 0.3, 1)):
            with jit.numba_threads(jobs, grains):
                assert numba.get_num_threads() == expected
            assert numba.get_num_threads() == jit.MAX_THREADS
    finally:
        numba.set_num_threads(before)
