import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba

import vmfcore as vmf
from vmfcore.numerics import jit

SCRIPT = """
import vmfcore.numerics.vectors as a
print(a.__file__)
print(a.lane_sum._cache.cache_path if a.lane_sum._cache.cache_path else "none")
"""


def test_an_installation_that_cannot_be_written_keeps_its_cache_elsewhere_or_none(tmp_path):
    package = tmp_path / "site" / "vmfcore"
    shutil.copytree(Path(vmf.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "numerics" / "__pycache__").touch()  # a file where numba wants a folder: not even root can write there
    for home, expected in ((tmp_path / "home", str(tmp_path / "home")), (Path("/dev/null"), "none")):
        env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
        env |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(package.parent)}
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        where, cache = run.stdout.splitlines()
        assert where == str(package / "numerics" / "vectors.py")
        assert cache.startswith(expected)


def test_threads_are_no_more_than_jobs_and_grains_and_come_back():
    before = numba.get_num_threads()
    for jobs, grains, expected in ((1, 9.0, 1), (before + 1, 1e9, before), (before, 0.3, 1)):
        with jit.numba_threads(jobs, grains):
            assert numba.get_num_threads() == expected
        assert numba.get_num_threads() == before
