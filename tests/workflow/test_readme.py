"""What workflow/README.md shows is there."""

import re
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "workflow"
TEXT = (FOLDER / "README.md").read_text()


def test_its_links_exist():
    for link in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert link.startswith("http") or (FOLDER / link).exists(), link


def test_its_sweep_is_the_one_that_it_says():
    (shown,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert yaml.safe_load(shown) == yaml.safe_load((FOLDER / "sweeps" / "phase_diagram.yaml").read_text())


def test_its_first_table_has_every_file():
    table = TEXT.split("## One run")[0]
    for path in FOLDER.iterdir():
        if path.name not in ("README.md", "__pycache__"):
            assert f"`{path.name}" in table, path.name
