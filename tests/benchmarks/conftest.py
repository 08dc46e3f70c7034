"""One line a benchmark: what was measured, against what, the ratio and its limit."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # naive

ROWS = []


@pytest.fixture
def row(request, benchmark):
    """``row(what, against, value, limit)`` puts a line into the table and the JSON, and fails beyond the limit."""

    def add(what, against, value, limit=None):
        ROWS.append((what, against, value, limit))
        benchmark.extra_info.setdefault("rows", []).append(
            {"what": what, "against": against, "value": value, "limit": limit}
        )
        assert limit is None or value <= limit, f"{what}: {value:.4g} > {limit:g} ({against})"

    return add


def pytest_terminal_summary(terminalreporter):
    if not ROWS:  # a run of the unit tests passes here, too
        return
    terminalreporter.section("what, ratio (limit), against what")
    width = max(len(what) for what, *_ in ROWS)
    for what, against, value, limit in ROWS:
        mark = "" if limit is None else f"  (<= {limit:.3g})" + ("" if value <= limit else "  MISSED")
        terminalreporter.write_line(f"{what:<{width}}  {value:9.4g}{mark}  {against}")
