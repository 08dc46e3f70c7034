"""What of the site is not written by hand: pages of the public names, and copies of texts that stand elsewhere."""

import ast
import importlib
import inspect
import itertools
import json
import re
import shutil
import textwrap
from pathlib import Path

import vmfcore

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
GENERATED = ("notebooks", "reference", "copied")  # folders of docs/ that git ignores

# modules whose names are not all in vmfcore.__all__
MODULES = ("vmfcore", "vmfcore.theory", "vmfcore.observables", "vmfcore.data.ising", "vmfcore.learning.full_precision")
MODULES += ("vmfcore.estimator", "vmfcore.notebook", "vmfcore.checks")
TITLES = {
    "learning": "Learning",
    "bounds": "Bounds",
    "networks": "Networks and their solvers",
    "machines": "Machines",
    "theory": "Theory for N → ∞",
    "data": "Data",
    "observables": "Observables",
    "files": "Files",
    "estimator": "scikit-learn",
    "notebook": "What the notebooks share",
    "checks": "Checks of arguments",
}


def public_names():
    """{wing: [(name as a user types it, the object)]} of everything that is public."""
    wings = {}
    seen = set()
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", sorted(vars(module))):
            value = getattr(module, name)
            if name.startswith("_") or not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            home = inspect.getmodule(value)
            imported = home is not module and not hasattr(module, "__all__")
            if not imported and id(value) not in seen:
                seen.add(id(value))
                wings.setdefault(home.__name__.split(".")[1], []).append((f"{module_name}.{name}", value))
    return wings


def constants():
    """Public values that are neither classes nor functions: presets."""
    return [name for name in vmfcore.__all__ if isinstance(getattr(vmfcore, name), dict)]


def first_line(value):
    return inspect.getdoc(value).split("\n")[0]


def write_pages(app):
    """Write the reference, and copy notebooks and texts that stand elsewhere, where they have changed."""
    for folder in GENERATED:
        (DOCS / folder).mkdir(exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        _write(DOCS / "notebooks" / path.name, folded(path.read_text()))
    _write(DOCS / "notebooks" / "index.md", notebooks_index((ROOT / "README.md").read_text()))
    shutil.copy(next((ROOT / "notebooks").glob("*.png")), DOCS / "_static")
    _write(DOCS / "copied" / "batch.md", without_links((ROOT / "workflow" / "README.md").read_text()))
    _write(DOCS / "copied" / "changelog.md", (ROOT / "CHANGELOG.md").read_text())
    _write(DOCS / "copied" / "contributing.md", (ROOT / "CONTRIBUTING.md").read_text())
    wings = public_names()
    rows = []
    for wing, title in TITLES.items():
        if wing in wings:
            _write(DOCS / "reference" / f"{wing}.md", page(title, wing, wings[wing]))
            rows.append(f"\n## {title}\n\n| name | what it is |\n|---|---|")
            rows += [f"| {{py:obj}}`{name}` | {escaped(first_line(value))} |" for name, value in wings[wing]]
    _write(DOCS / "reference" / "index.md", index(rows, [wing for wing in TITLES if wing in wings]))


def _write(path, text):
    if not path.is_file() or path.read_text() != text:  # Sphinx reads again what is newer than its last build
        path.write_text(text)


def folded(notebook):
    """The notebook with the check of its parameters, the cell below them, folded away."""
    content = json.loads(notebook)
    for above, cell in itertools.pairwise(content["cells"]):
        if "parameters" in above["metadata"].get("tags", []):
            cell["metadata"]["tags"] = [*cell["metadata"].get("tags", []), "hide-input"]
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def notebooks_index(readme):
    """The README's tables of the notebooks and of the figures of the papers, with links between pages of the site."""
    section = readme.partition("## Notebooks\n")[2].partition("Every notebook takes parameters")[0]
    section = section.replace(": notebooks/", ": ")
    return "\n".join(["# Notebooks", section, "```{toctree}", ":hidden:", ":glob:", "", "[0-9]*", "```", ""])


def without_links(text):
    """The text with the links to files of the repository, which the site does not have, as plain words."""
    return re.sub(r"\[([^\]]+)\]\((?!http)[^)]+\)", r"\1", text)


def escaped(text):
    """A line of a docstring as Markdown in a cell of a table."""
    return re.sub(r"([|*<>_\[\]$])", r"\\\1", text).replace("`", "")


def page(title, wing, names):
    lines = [f"# {title}", "", inspect.getdoc(importlib.import_module(f"vmfcore.{wing}")).split("\n")[0], ""]
    for name, value in names:
        kind = "autoclass" if inspect.isclass(value) else "autofunction"
        members = ":members:\n" if inspect.isclass(value) else ""
        lines += [f"## {name.rpartition('.')[2]}", "", "```{eval-rst}", f".. {kind}:: {name}"]
        lines += [textwrap.indent(members, "   ") + "```", ""]
    if wing == "learning":
        for name in constants():
            lines += [f"## {name}", "", "```{eval-rst}", f".. py:data:: vmfcore.{name}", "```", ""]
            lines += ["Arguments of `vmfcore.fit`, a dict:", ""]
            lines += [f"- {key}: `` {value!r} ``" for key, value in getattr(vmfcore, name).items()] + [""]
    return "\n".join(lines)


def index(rows, wings):
    tree = ["```{toctree}", ":hidden:", "", *wings, "```"]
    intro = "Every public name, with what it takes and returns. `vmf` stands for `import vmfcore as vmf`."
    return "\n".join(["# Reference", "", intro, *rows, "", *tree, ""])


def signature_as_written(app, what, name, obj, options, signature, returns):
    """Arguments, hints and defaults as they stand in the source, instead of what Python makes of them."""
    if inspect.isclass(obj):
        node = ast.parse(textwrap.dedent(inspect.getsource(obj))).body[0]
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and "ClassVar" not in ast.unparse(part)]
        return (f"({', '.join(ast.unparse(field) for field in fields)})", None) if fields else None
    if not inspect.isfunction(obj):
        return None
    node = ast.parse(textwrap.dedent(inspect.getsource(obj))).body[0]
    node.args.args = [argument for argument in node.args.args if argument.arg not in ("self", "cls")]
    return f"({ast.unparse(node.args)})", node.returns and ast.unparse(node.returns).strip("'")


def docstring_as_rst(app, what, name, obj, options, lines):
    """Bars, stars and underscores of formulas in prose as they are; fields of a tuple with what is said beside them."""
    in_code = False
    for i, line in enumerate(lines):
        starts_block = line.lstrip().startswith((".. math::", ">>>")) or line.rstrip().endswith("::")
        if starts_block:
            in_code, indent = True, len(line) - len(line.lstrip())
        elif in_code and line.strip() and len(line) - len(line.lstrip()) <= indent and not _is_output(lines, i):
            in_code = False
        if not in_code:
            lines[i] = _escaped_prose(line)
    if what == "class" and issubclass(obj, tuple) and "Parameters" not in lines:
        fields = list(_fields(obj))
        if fields:
            lines += ["", "Attributes", "----------"]
            for field, hint, comment in fields:
                lines += [f"{field} : {hint}", "    " + (_escaped_prose(comment) or "\\ ")]


def _is_output(lines, i):
    """Whether a line is what an example above it prints."""
    above = lines[:i]
    while above and above[-1].strip() and not above[-1].lstrip().startswith(">>>"):
        above.pop()
    return bool(above) and above[-1].lstrip().startswith(">>>")


def _escaped_prose(line):
    parts = re.split(r"(``[^`]*``|`[^`]*`|:\w+:`[^`]*`)", line)
    return "".join(part if part.startswith(("`", ":")) else _escaped_words(part) for part in parts)


def _escaped_words(text):
    text = re.sub(r"(?<!\\)([|*])", r"\\\1", text)
    return re.sub(r"(?<=\w)_(?!\w)", r"\_", text)


def _fields(obj):
    """Fields of a NamedTuple with their hints and the comments beside them."""
    source = inspect.getsource(obj)
    rows = source.split("\n")
    for node in ast.parse(textwrap.dedent(source)).body[0].body:
        if isinstance(node, ast.AnnAssign):
            comment = rows[node.end_lineno - 1].partition("  # ")[2]
            yield node.target.id, ast.unparse(node.annotation), comment


def skip_fields(app, what, name, obj, skip, options):
    """Fields of tuples stand in the docstring, not again one by one."""
    is_field = type(obj).__name__ in ("_tuplegetter", "member_descriptor")
    return True if is_field or name in ("count", "index") else None
