"""What make run and make sweep show for the events of Snakemake."""

import io
import logging
import sys

import numpy as np
import pytest
from snakemake_interface_logger_plugins.common import LogEvent

import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def record(event, level=logging.INFO, text="chatter", **fields):
    made = logging.LogRecord("snakemake", level, "", 0, text, (), None)
    made.__dict__.update(fields | ({"event": event} if event else {}))
    return made


@pytest.fixture
def job(tmp_path):
    """The fields of a job, whose notebook has done one of its four cells."""
    np.savez(tmp_path / "one.npz", seconds=12.3)
    notebook = tmp_path / "one.ipynb"
    notebook.write_text('"status": "completed" "status": "running" "status": "pending" "status": "pending"')
    logs = [str(notebook), str(tmp_path / "one.log")]
    return {"jobid": 3, "wildcards": {"job": "one"}, "output": [str(tmp_path / "one.npz")], "log": logs}


def show(*records):
    handler = progress.LogHandler(None, None)
    for one in records:
        handler.emit(one)
    handler.close()


def test_a_run_in_a_pipe_is_a_line_a_notebook_and_nothing_else(job, capsys):
    show(
        record(None),
        record(LogEvent.RUN_INFO, stats={"job": 1, "gather": 1}),
        record(LogEvent.JOB_INFO, **job),
        record(LogEvent.JOB_INFO, jobid=4, wildcards={}, output=[], log=[]),
        record(LogEvent.JOB_FINISHED, job_id=3),
        record(LogEvent.JOB_FINISHED, job_id=4),
    )
    out, err = capsys.readouterr()
    assert out == f"{'one':<32}     12 s\n"
    assert err == ""


def test_a_failed_job_is_one_line_with_what_it_said_last(job, tmp_path, capsys):
    (tmp_path / "one.log").write_text("warning\nerror: one.ipynb, cell 5: AssertionError: overlap 0.1\n")
    failed = record(LogEvent.JOB_ERROR, logging.ERROR, rule_name="job", rule_msg=None, **job)
    show(
        record(LogEvent.RUN_INFO, stats={"job": 1}),
        record(LogEvent.JOB_INFO, **job),
        record(None, logging.ERROR, "CalledProcessError in file Snakefile"),
        failed,
        record(None, logging.ERROR, "At least one job did not complete successfully."),
    )
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: one: one.ipynb, cell 5: AssertionError: overlap 0.1\n")


@pytest.mark.parametrize(
    ("message", "text", "reason"),
    [
        (
            "SLURM-job '5' failed, SLURM status is: 'TIMEOUT'. ",
            "error: of before",
            "Slurm says TIMEOUT, it took longer",
        ),
        ("SLURM-job '5' failed, SLURM status is: 'FAILED'. ", "error: a check", "a check"),
        (None, "killed\n", "killed"),
        (None, None, "it left no word: does the machine that it ran on see this folder?"),
    ],
)
def test_the_reason_is_found(message, text, reason, job, tmp_path):
    if text:
        (tmp_path / "one.log").write_text(text)
    failed = record(LogEvent.JOB_ERROR, rule_msg=message, **job)
    assert progress.reason_of_failure(failed).startswith(reason)


def test_other_errors_are_shown_whole(capsys):
    show(record(None, logging.ERROR, "LockException:\nthe folder is locked"), record(None, logging.WARNING, "hm"))
    assert capsys.readouterr().err == "error: LockException:\nthe folder is locked\n"


def test_on_a_terminal_a_bar_moves_with_the_cells(job, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "TICK", 0.01)
    monkeypatch.setattr(progress.time, "time", lambda: 0.0)  # the notebook is written after the job begins
    handler = progress.LogHandler(None, None)
    handler.emit(record(LogEvent.RUN_INFO, stats={"job": 2}))
    handler.emit(record(LogEvent.JOB_INFO, **job))
    while handler.bar.n == 0:
        handler.closing.wait(0.01)
    handler.close()
    handler.clock.join()
    assert handler.bar.n == 0.25
    assert handler.bar.postfix == "one"
    assert "of 2" in terminal.getvalue()
