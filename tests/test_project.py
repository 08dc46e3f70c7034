"""Files around the code that must agree with each other."""

import ast
import graphlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import vmfcore as vmf
from vmfcore import estimator, notebook
from vmfcore.data import ising
from vmfcore.learning import full_precision

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


def test_repeatable_runs_do_without_all_that_numpy_has_beyond_avx2():
    extensions = np.show_config("dicts")["SIMD Extensions"]
    names = {*extensions.get("found", ()), *extensions.get("not found", ())}
    if "X86_V3" not in names:
        pytest.skip("another kind of processor, or a numpy older than that of requirements.lock")
    (left_out,) = re.findall(r'NPY_DISABLE_CPU_FEATURES="(.*?)"', (ROOT / "Makefile").read_text())
    assert set(left_out.split()) == names - {"X86_V3"}


PACKAGE_OF = {"sklearn": "scikit-learn"}  # where its name is not that of the module


def test_every_import_is_a_declared_dependency():
    declared = " ".join(
        PROJECT["dependencies"] + [d for extra in PROJECT["optional-dependencies"].values() for d in extra]
    )
    for path in (ROOT / "vmfcore").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            lines = [node.module] if isinstance(node, ast.ImportFrom) else []
            lines += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in (line.split(".")[0] for line in lines):
                known = name in sys.stdlib_module_names or name == "vmfcore"
                package = PACKAGE_OF.get(name, name)
                assert known or re.search(rf"\b{package}\b", declared), f"{path.name} imports {name}"


# the rooms in the order in which one may stand on another: a wing imports only itself and what comes before it
WINGS = [
    "_version",
    "checks",
    "numerics",
    "observables",
    "data",
    "networks",
    "machines",
    "theory",
    "bounds",
    "files",
    "learning",
    "estimator",
    "notebook",
]


def imported(tree):
    """Modules of this package that a file imports, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("vmfcore"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vmfcore"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_a_wing_imports_only_wings_before_it():
    for path in (ROOT / "vmfcore").rglob("*.py"):
        room = path.relative_to(ROOT / "vmfcore").with_suffix("").parts
        if room == ("__init__",):
            continue
        for name in imported(ast.parse(path.read_text())):
            other = name.split(".")[1]
            assert WINGS.index(other) <= WINGS.index(room[0]), f"{'/'.join(room)} imports {name}"


def test_no_files_import_each_other_in_a_circle():
    files = {}
    for path in (ROOT / "vmfcore").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts).removesuffix(".__init__")] = path
    del files["vmfcore"]
    arrows = {}
    for name, path in files.items():
        used = {
            module if module in files else module.rpartition(".")[0] for module in imported(ast.parse(path.read_text()))
        }
        arrows[name] = used & files.keys() - {name}
    assert arrows["vmfcore.learning.fit"] >= {"vmfcore.learning.climb", "vmfcore.checks"}
    graphlib.TopologicalSorter(arrows).prepare()  # raises CycleError where they do


MOST_ARGUMENTS = {"fit": 16, "infer_weights": 13}  # of public functions, 8 of all others


def test_public_functions_have_few_arguments():
    for module in (vmf, vmf.theory):
        for name in module.__all__:
            function = getattr(module, name)
            if inspect.isfunction(function):
                assert len(inspect.signature(function).parameters) <= MOST_ARGUMENTS.get(name, 8), name


def public_functions():
    """Functions that a user calls, and methods of the classes that a user makes, with their names."""
    for module in (vmf, vmf.theory, vmf.checks, vmf.observables, notebook, ising, full_precision, estimator):
        for name in getattr(module, "__all__", vars(module)):
            value = getattr(module, name)
            if name.startswith("_") or (not hasattr(module, "__all__") and inspect.getmodule(value) is not module):
                continue
            members = {name: value} if inspect.isfunction(value) else {}
            if inspect.isclass(value):
                members = {f"{name}.{key}": getattr(member, "fget", member) for key, member in vars(value).items()}
            for qualified, member in members.items():
                member = getattr(member, "__func__", member)  # of class methods
                if inspect.isfunction(member) and not qualified.rpartition(".")[2].startswith("_"):
                    yield qualified, member


def test_public_functions_carry_type_hints():
    found = dict(public_functions())
    assert {"fit", "Tap.solve", "Machine.binarized", "critical_strength", "sliders", "BinaryRBM.fit"} <= found.keys()
    for name, function in found.items():
        signature = inspect.signature(function)
        assert signature.return_annotation is not signature.empty, name
        for argument, parameter in signature.parameters.items():
            assert argument in ("self", "cls") or parameter.annotation is not parameter.empty, f"{name}: {argument}"


def functions():
    """Every function of the package, with the file that it is in."""
    for path in (ROOT / "vmfcore").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield path, node


def test_functions_and_files_can_be_read_at_once():
    for path, node in functions():
        start = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
        # the step of a method is one function, read from top to bottom
        assert node.end_lineno - start.lineno < 80, f"{path.name}: {node.name}"
    for path in (ROOT / "vmfcore").rglob("*.py"):
        assert len(path.read_text().splitlines()) < 420, path.name


def test_kernels_have_at_most_eight_arguments():
    names = [ast.unparse(decorator) for _, node in functions() for decorator in node.decorator_list]
    assert names.count("parallel_kernel") > 5
    for path, node in functions():
        if {ast.unparse(decorator) for decorator in node.decorator_list} & {"kernel", "parallel_kernel"}:
            assert len(node.args.args) <= 8, f"{path.name}: {node.name}"


def test_no_parallel_loop_writes_into_an_array_of_a_tuple():
    # numba does not see that the array outlives the loop, and silently deletes such a write: a kernel called from the
    # loop must do it
    for path, function in functions():
        for loop in ast.walk(function):
            if isinstance(loop, ast.For) and "prange" in ast.unparse(loop.iter):
                for node in ast.walk(loop):
                    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
                    for target in targets:
                        in_a_tuple = isinstance(target, ast.Subscript) and isinstance(target.value, ast.Attribute)
                        assert not in_a_tuple, f"{path.name}: {function.name}: {ast.unparse(node)}"


def test_version_is_told_once_and_the_same():
    for name, pattern in [("CITATION.cff", r"^version: (.+)$"), ("CHANGELOG.md", r"^## (\d\S*)")]:
        assert re.search(pattern, (ROOT / name).read_text(), re.MULTILINE).group(1) == vmf.__version__


def test_readme_example_runs_and_its_links_exist():
    text = (ROOT / "README.md").read_text()
    inline = re.findall(r"\]\(([^)#]+)\)", text)
    named = re.findall(r"^\[\w+\]: (.+)$", text, re.MULTILINE)
    assert len(named) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    for link in inline + named:
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


TOP_LEVEL = {
    "notebooks",
    "vmfcore",
    "workflow",
    "docs",
    "data",
    "tests",
    ".ci",
    ".pre-commit-config.yaml",
    ".zenodo.json",
    "Makefile",
    "pyproject.toml",
    "requirements.lock",
    "environment.yml",
    "README.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    ".gitignore",
}


def test_the_top_level_holds_only_the_rooms_and_what_tools_look_for_there():
    try:
        names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    assert {Path(name).parts[0] for name in names} <= TOP_LEVEL


def test_no_process_that_reads_a_notebook_builds_a_grammar_first():
    # of addresses, at the import of rfc3987-syntax, which jsonschema takes from 4.25 on: 2 s of each start of papermill
    locked = re.findall(r"^([\w.-]+)(?:\[.*\])?==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert "jsonschema" in locked
    assert "rfc3987-syntax" not in locked


def test_a_name_that_is_gone_says_what_became_of_it():
    with pytest.raises(AttributeError, match=r"has no attribute 'settled': chains that cross .*sample"):
        _ = vmf.settled
    with pytest.raises(AttributeError, match=r"has no attribute 'fitt'$"):
        _ = vmf.fitt
