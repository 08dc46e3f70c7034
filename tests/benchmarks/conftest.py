"""The machine, and one line a benchmark: what was measured, against what, the ratio and its limit."""

import os
import platform
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # naive

ROWS = []


def machine():
    """The processor in words: its model, the cores that this process may use, and whether it has AVX-512."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    info = {}
    for line in lines:
        name, _, value = line.partition(":")
        info.setdefault(name.strip(), value.strip())
    model = info.get("model name", platform.machine())
    flags = info.get("flags", "").split()
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, {'with' if 'avx512f' in flags else 'without'} AVX-512"


@pytest.fixture
def row(request, benchmark):
    """``row(what, against, value, limit)`` puts a line into the table and the JSON.

    A value beyond its limit fails the benchmark, when all its lines are there.  The value is None, and no limit counts,
    where what the line is about is not installed.
    """
    missed = []

    def add(what, against, value, limit=None):
        limit = None if value is None else limit
        ROWS.append((what, against, value, limit))
        benchmark.extra_info.setdefault("rows", []).append(
            {"what": what, "against": against, "value": value, "limit": limit}
        )
        if not _is_within(value, limit):
            missed.append(f"{what}: {value:.4g} > {limit:g} ({against})")

    yield add
    if missed:
        pytest.fail("\n".join(missed), pytrace=False)


def _is_within(value, limit):
    return limit is None or value <= limit  # nan is not


def pytest_terminal_summary(terminalreporter):
    if not ROWS:  # a run of the unit tests passes here, too
        return
    terminalreporter.section("what, ratio (limit), against what")
    terminalreporter.write_line(machine())
    width = max(len(what) for what, *_ in ROWS)
    for what, against, value, limit in ROWS:
        text = "not installed" if value is None else f"{value:9.4g}"
        mark = "" if limit is None else f"  (<= {limit:.3g})" + ("" if _is_within(value, limit) else "  MISSED")
        terminalreporter.write_line(f"{what:<{width}}  {text}{mark}  {against}")
