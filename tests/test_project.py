"""Files around the code that must agree with each other."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import vmfcore as vmf

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_yml_points_at_pyproject():
    lines = [line.strip("- ").strip() for line in (ROOT / "environment.yml").read_text().splitlines()]
    assert f"python{PROJECT['requires-python']}" in lines
    extra = next(
        re.fullmatch(r"-?e \.\[(\w+)\]", line).group(1) for line in lines if line.endswith("]") and "e ." in line
    )
    assert extra in PROJECT["optional-dependencies"]
    assert f"'.[{extra}]'" in (ROOT / "Makefile").read_text()


def test_every_import_is_a_declared_dependency():
    declared = " ".join(
        PROJECT["dependencies"] + [d for extra in PROJECT["optional-dependencies"].values() for d in extra]
    )
    for path in (ROOT / "vmfcore").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            lines = [node.module] if isinstance(node, ast.ImportFrom) else []
            lines += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in (line.split(".")[0] for line in lines):
                known = name in sys.stdlib_module_names or name == "vmfcore"
                assert known or re.search(rf"\b{name}\b", declared), f"{path.name} imports {name}"


ORDER = [
    "checks",
    "jit",
    "spins",
    "averages",
    "packing",
    "exact",
    "rbm",
    "enumeration",
    "gibbs",
    "machines",
    "archives",
    "storage",
    "likelihood",
    "chains",
    "networks",
    "cavity",
    "synapses",
    "tap",
    "spectra",
    "vamp",
    "data_terms",
    "dual",
    "variational",
    "restarts",
    "rules",
    "climb",
    "checkpoints",
    "learning",
    "inference",
    "observables",
    "theory",
    "state_evolution",
    "dynamics",
    "datasets",
]


def test_a_file_imports_only_what_comes_before_it():
    modules = {path.stem: path.read_text() for path in (ROOT / "vmfcore").glob("*.py") if path.stem != "__init__"}
    assert set(modules) == set(ORDER)
    for name, text in modules.items():
        used = re.findall(r"^from vmfcore\.(\w+) import", text, re.MULTILINE)
        for line in re.findall(r"^from vmfcore import (.*)$", text, re.MULTILINE):
            used += line.split(", ")
        assert all(ORDER.index(other) < ORDER.index(name) for other in used), f"{name} imports {used}"


def test_version_is_told_once_and_the_same():
    for name, pattern in [("CITATION.cff", r"^version: (.+)$"), ("CHANGELOG.md", r"^## (\d\S*)")]:
        assert re.search(pattern, (ROOT / name).read_text(), re.MULTILINE).group(1) == vmf.__version__


def test_readme_example_runs_and_its_links_exist():
    text = (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("http") or (ROOT / link).exists(), link
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    assert len(example.splitlines()) <= 12
    exec(example, {})


def test_no_path_of_a_machine_in_any_tracked_file():
    try:
        names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    for name in names:
        path = ROOT / name
        if path.is_file() and path.suffix not in {".npz", ".png"}:
            found = re.search(r"(?<![\w.*(|])/(?:home|root|work|Users)/\w+", path.read_text())
            assert not found, f"{name} has {found.group(0)}"
