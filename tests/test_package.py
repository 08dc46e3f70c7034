"""Wheel and sdist: built here, installed into an environment that knows nothing of the checkout, and used there."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).with_name("uv")


def run(*command, cwd, **changes):
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | changes
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=outside, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


def members(wheel):
    with zipfile.ZipFile(wheel) as file:
        return {info.filename: info.CRC for info in file.infolist() if "/RECORD" not in info.filename}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with the sdist, the wheel of the checkout in it, and in another folder the wheel of the sdist."""
    target = tmp_path_factory.mktemp("built")
    untracked = ["git", "status", "--short", "--untracked-files=all"]
    before = subprocess.run(untracked, cwd=ROOT, capture_output=True, text=True).stdout
    run(sys.executable, "-m", "hatchling", "build", "--directory", target, cwd=ROOT)
    assert subprocess.run(untracked, cwd=ROOT, capture_output=True, text=True).stdout == before
    (sdist,) = target.glob("*.tar.gz")
    with tarfile.open(sdist) as file:
        file.extractall(target, filter="data")
    unpacked = target / sdist.name.removesuffix(".tar.gz")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", target / "again", cwd=unpacked)
    return target


@pytest.fixture(scope="module")
def python(built, tmp_path_factory):
    """The interpreter of a fresh environment with the wheel; what it depends on is that of this environment."""
    place = tmp_path_factory.mktemp("fresh")
    (wheel,) = built.glob("*.whl")
    run(UV, "venv", "--offline", "--python", sys.executable, place / "venv", cwd=place)
    interpreter = place / "venv" / "bin" / "python"
    run(UV, "pip", "install", "--offline", "--no-deps", "--python", interpreter, wheel, cwd=place)
    packages = run(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place).strip()
    # a path in a .pth is searched, but the .pth files in it, such as the one of an editable install, are not read
    Path(packages, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter


def test_the_sdist_gives_the_same_wheel_as_the_checkout(built):
    (wheel,) = built.glob("*.whl")
    (again,) = built.glob("again/*.whl")
    assert members(wheel) == members(again)


def test_the_wheel_holds_the_package_its_data_and_their_licence(built):
    (wheel,) = built.glob("*.whl")
    names = members(wheel).keys()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"vmfcore"}
    assert {"vmfcore/py.typed", "vmfcore/pages.mplstyle", "vmfcore/shipped/README.md"} <= names
    tables = {f"vmfcore/shipped/{path.name}" for path in (ROOT / "data").glob("*.npz")}
    assert len(tables) >= 5
    assert {name for name in names if name.endswith(".npz")} == tables
    assert any(name.endswith("licenses/LICENSE") for name in names)


def isolated(python, code, cwd):
    """What a script prints in the fresh environment; -I: PYTHONPATH and the working directory are not searched."""
    return run(python, "-I", "-c", code, cwd=cwd)


def test_the_wheel_is_what_is_imported_and_has_its_data(python, tmp_path):
    code = """
import matplotlib.pyplot as plt
import vmfcore as vmf
from vmfcore import notebook
plt.style.use("vmfcore.pages")
spins, labels = vmf.load_digits(20, seed=1)
table, _ = notebook.committed("density")
print(vmf.__file__, spins.shape, len(table) > 3, sep="\\n")
"""
    place, shape, has_columns = isolated(python, code, tmp_path).splitlines()
    assert Path(place).is_relative_to(python.parents[1])
    assert not Path(place).is_relative_to(ROOT)
    assert (shape, has_columns) == ("(20, 784)", "True")


def test_ten_lines_and_a_notebook_run_from_the_wheel(python, tmp_path):
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    assert "Bound(total=" in isolated(python, example, tmp_path)
    shutil.copy(ROOT / "notebooks" / "00_the_model.ipynb", tmp_path)
    (tmp_path / "results").mkdir()
    small = "{n_visible: 11, n_steps: 1, counted_samples: [5], n_data_sets: 2, out: results}"
    command = [python, "-I", "-m", "papermill", "00_the_model.ipynb", "done.ipynb", "-y", small]
    # uncompiled: the ten lines have shown that kernels compile here, and this page needs others
    run(*command, cwd=tmp_path, NUMBA_DISABLE_JIT="1")
    assert (tmp_path / "results" / "results.npz").is_file()
