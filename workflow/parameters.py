"""Which parameters does a notebook take, and do these fit?  All of it is asked before any work."""

import difflib
import functools
import json
from pathlib import Path

import nbformat
import papermill
import yaml
from pydantic import ConfigDict, ValidationError, create_model

TYPES = {"int": int, "float": float, "str": str, "list": list}  # that parameters may have


class Refused(Exception):
    """Parameters that a notebook does not take, or a sweep that is none; the text is for the user."""


def mapping(text, source):
    """The mapping with names as keys that a YAML text is; `Refused`, with its source, if it is not one."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refused(f"{source} must be a YAML mapping: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise Refused(f"{source} must be a YAML mapping of names, got {found!r}")
    return found


def parsed(kind, value):
    """A text as a value of this kind where it is one; anything else as it is.

    1e-3 is text in YAML, and everything is text on a command line.
    """
    if not isinstance(value, str):
        return value
    try:
        if kind == "list":
            return json.loads(value)
        if kind in ("int", "float"):
            return TYPES[kind](value)
    except ValueError:
        return value  # the check of types says what is wrong with it
    return value


@functools.cache
def _kinds_and_defaults(notebook):
    """The types of a notebook's parameters, "int" and the like, and their defaults: two mappings of names."""
    inspected = papermill.inspect_notebook(str(notebook))
    kinds = {name: about["inferred_type_name"] for name, about in inspected.items()}
    strange = [name for name, kind in kinds.items() if kind not in TYPES]
    if strange or "out" not in kinds:
        wanted = f"typed {', '.join(TYPES)}, out among them"
        raise Refused(f"{Path(notebook).name} must have parameters {wanted}; not so: {', '.join(strange) or 'out'}")
    defaults = {name: yaml.safe_load(about["default"]) for name, about in inspected.items()}
    return kinds, defaults


@functools.cache
def _model(notebook):
    """A pydantic model of the parameters of a notebook: strict about names and types."""
    kinds, defaults = _kinds_and_defaults(notebook)
    fields = {name: (TYPES[kinds[name]], defaults[name]) for name in kinds}
    # pydantic keeps names like model_term for itself, but for an empty list of protected namespaces
    config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())
    return create_model(Path(notebook).stem, __config__=config, **fields)


def _complaint(problem, notebook, kinds):
    """What pydantic found wrong with one parameter, for the user."""
    name = problem["loc"][0]
    if problem["type"] == "extra_forbidden":
        (nearest,) = difflib.get_close_matches(name, kinds, n=1, cutoff=0.0)
        return f"{name} is not a parameter of {Path(notebook).name}, did you mean {nearest}?"
    return f"{name} must be of type {kinds[name]}, got {problem['input']!r}"


def check_names_and_types(notebook, given):
    """All parameters of a notebook: those given, and its defaults; `Refused` if a name or a type is wrong."""
    kinds, _ = _kinds_and_defaults(notebook)
    values = {name: parsed(kinds.get(name), value) for name, value in given.items()}
    try:
        return _model(notebook)(**values).model_dump()
    except ValidationError as error:
        complaints = [_complaint(problem, notebook, kinds) for problem in error.errors()]
        raise Refused("; ".join(complaints)) from None


def check_ranges(notebook, parameter_sets):
    """Let the notebook's own check, the cell after its parameters, look at several sets of all its parameters."""
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    tagged = [index for index, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])]
    check = cells[tagged[0] + 1]
    # the imports, once for all sets
    scope = {}
    for cell in cells[: tagged[0] + 1]:
        exec(cell.source, scope)
    for parameters in parameter_sets:
        try:
            exec(check.source, scope | parameters)
        except (TypeError, ValueError) as error:
            raise Refused(str(error)) from error
