"""The table of claims: its numbers are printed where it says, and an assert there accepts them and no control."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
CLAIMS = (ROOT / "docs" / "claims.md").read_text()
# pages whose rows do not yet name what accepts the claim and rejects the control: of these an assert is enough
TO_CONVERT = ("08",)


def claims():
    """(page, claim, numbers, cell, [cell of the assert, its predicate], control) of every row."""
    page = None
    for line in CLAIMS.splitlines():
        if line.startswith("## "):
            page = line[3:5]
        elif line.startswith("|") and not line.startswith(("| claim", "|---")):
            claim, number, cell, held, control = (part.strip() for part in line.strip("|").split("|"))
            (cell,) = quoted(cell)
            yield page, claim, quoted(number), cell, quoted(held), control


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def parameters_of(page):
    """The values with which the committed page was run."""
    (cell,) = (cell for cell in page.cells if "parameters" in cell.metadata.get("tags", []))
    scope = {}
    exec(cell.source, scope)
    return scope


def asserts_that_run(statements, parameters):
    """What is asserted, wherever the conditions around it hold for the parameters; they may look at nothing else."""
    for statement in statements:
        if isinstance(statement, ast.Assert):
            yield statement.test
        elif isinstance(statement, ast.If) and any(isinstance(node, ast.Assert) for node in ast.walk(statement)):
            condition = compile(ast.Expression(statement.test), "condition of an assert", "eval")
            branch = statement.body if eval(condition, dict(parameters)) else statement.orelse
            yield from asserts_that_run(branch, parameters)
        elif isinstance(statement, ast.For):
            yield from asserts_that_run(statement.body, parameters)


def rejects_a_control(asserted, predicate):
    """Whether an assert is that a predicate holds for one thing and for no other: each time it is run, it is tried.

    Either ``notebook.separates(predicate, claimed, control, ...)``, or ``claimed < predicate < control``, in which the
    predicate is to be on the side of the limit of this name where what is claimed is.
    """
    if isinstance(asserted, ast.Call) and ast.unparse(asserted.func) == "notebook.separates":
        holds, *tried = map(ast.unparse, asserted.args)
        return holds == predicate and len(tried) >= 2 and len(set(tried)) == len(tried)
    if isinstance(asserted, ast.Compare) and len(asserted.ops) == 2:
        below, limit, above = map(ast.unparse, (asserted.left, *asserted.comparators))
        return limit == predicate and below != above and {*map(type, asserted.ops)} in ({ast.Lt}, {ast.Gt})
    return False


@pytest.mark.parametrize(("page", "claim", "numbers", "cell", "held", "control"), list(claims()))
def test_a_claim_stands_on_a_printed_number_and_an_assert_with_a_control(page, claim, numbers, cell, held, control):
    notebook = nbformat.read(NOTEBOOKS[page], as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    for number in numbers:
        assert number in printed(cells[cell]), f"{claim}: {number} is not in the output of {cell}"
    if not held:  # what no assert holds says so
        assert control.startswith("none: ")
        return
    assert control
    source = cells[held[0]].source
    if page in TO_CONVERT:
        assert "assert " in source, f"{claim}: no assert in {held[0]}"
    else:
        tried = asserts_that_run(ast.parse(source).body, parameters_of(notebook))
        assert any(rejects_a_control(asserted, held[1]) for asserted in tried), f"{claim}: no control of {held}"


@pytest.mark.parametrize(
    ("source", "right"),
    [
        ("assert notebook.separates(small, error, other)", True),
        ("assert notebook.separates(small, error)", False),
        ("assert notebook.separates(small, error, error)", False),
        ("assert notebook.separates(large, error, other)", False),
        ("assert small(error)", False),
        ("assert error < small < other", True),
        ("assert error < small <= other", False),
        ("assert error < small", False),
        ("assert error < small < error", False),
        ("for error in errors:\n    assert error < small < other", True),
        ("if n >= 3:\n    assert error < small < other", True),
        ("if n > 3:\n    assert error < small < other", False),
        ("if n > 3:\n    pass\nelse:\n    assert error < small < other", True),
        ("def never():\n    assert error < small < other", False),
    ],
)
def test_what_is_taken_for_a_control(source, right):
    tried = asserts_that_run(ast.parse(source).body, {"n": 3})
    assert any(rejects_a_control(asserted, "small") for asserted in tried) == right


def test_whether_an_assert_runs_must_not_hang_on_results():
    with pytest.raises(NameError, match="converged"):
        list(asserts_that_run(ast.parse("if converged:\n    assert error < small < other").body, {"n": 3}))


def test_every_page_has_its_claims():
    assert {page for page, *_ in claims()} == set(NOTEBOOKS)
    assert set(TO_CONVERT) < set(NOTEBOOKS)
