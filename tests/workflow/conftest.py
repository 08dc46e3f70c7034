from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def notebook():
    return ROOT / "notebooks" / "01_planted_recovery.ipynb"


@pytest.fixture
def write_sweep(tmp_path):
    """Write a sweep with these keys, of notebook 01 where they name none; the path of its file."""

    def write(**keys):
        path = tmp_path / "sweep.yaml"
        path.write_text(yaml.safe_dump({"notebook": "01_planted_recovery"} | keys))
        return path

    return write
