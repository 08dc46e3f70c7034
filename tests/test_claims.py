"""The table of claims: its numbers are printed where it says, and held by an assert where it says."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
CLAIMS = (ROOT / "docs" / "claims.md").read_text()


def claims():
    """(page, claim, numbers, cell, assert or None, control) of every row."""
    page = None
    for line in CLAIMS.splitlines():
        if line.startswith("## "):
            page = line[3:5]
        elif line.startswith("|") and not line.startswith(("| claim", "|---")):
            claim, number, cell, held, control = (part.strip() for part in line.strip("|").split("|"))
            (cell,) = quoted(cell)
            yield page, claim, quoted(number), cell, (quoted(held) or [None])[0], control


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.mark.parametrize(("page", "claim", "numbers", "cell", "held", "control"), list(claims()))
def test_a_claim_stands_on_a_printed_number_and_an_assert_with_a_control(page, claim, numbers, cell, held, control):
    cells = {cell.id: cell for cell in nbformat.read(NOTEBOOKS[page], as_version=4).cells}
    for number in numbers:
        assert number in printed(cells[cell]), f"{claim}: {number} is not in the output of {cell}"
    if held:
        assert "assert " in cells[held].source, f"{claim}: no assert in {held}"
        assert control
    else:  # what no assert holds says so
        assert control.startswith("none: ")


def test_every_page_has_its_claims():
    assert {page for page, *_ in claims()} == set(NOTEBOOKS)
