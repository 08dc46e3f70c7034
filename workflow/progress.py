"""What make run and make sweep show: a line a notebook with its time, a bar, and errors in full; a plugin of Snakemake.

Snakemake tells of each job as an event with the fields of a log record.  All else that it says is in .snakemake/log.
"""

import logging
import re
import sys
import threading
import time
from pathlib import Path

import numpy as np
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from tqdm import tqdm

WIDTH = 32  # of names, before the times
SHORT = 24  # characters of a name beside the bar
TICK = 1.0  # seconds between two moves of the bar
BAR = "{l_bar}{bar}| {n:.1f} of {total}, {elapsed}, {remaining} to go{postfix}"
# of Snakemake's own errors: what one job returned, and that one failed, which the job's line has told already
TOLD = ("CalledProcessError", "At least one job did not complete", "Exiting because a job execution failed")
# the status of a job that Slurm ended, and what one may do about it
ENDED_BY_SLURM = {
    "TIMEOUT": "it took longer than runtime, in the profile",
    "OUT_OF_MEMORY": "it took more memory than mem_mb, in the profile",
    "NODE_FAIL": "its node failed",
    "CANCELLED": "somebody cancelled it",
}


class Job:
    """A notebook that runs, from the event that starts it."""

    def __init__(self, record):
        (self.name,) = record.wildcards.values()
        self.results = Path(record.output[-1])  # a file, or the folder that holds it
        self.notebook = Path(record.log[0])  # grows by a cell at a time
        self.handed_over = time.time()
        self.fraction = 0.0  # of its cells that are done

    def seconds(self):
        """How long the notebook took, as its results tell."""
        file = self.results / "results.npz" if self.results.is_dir() else self.results
        with np.load(file) as results:
            return float(results["seconds"])

    def look(self):
        """See how many of its cells are done, if it has begun."""
        if not self.notebook.is_file() or self.notebook.stat().st_mtime < self.handed_over:
            return
        text = self.notebook.read_text()
        n_cells = text.count('"status":')
        self.fraction = text.count('"status": "completed"') / max(n_cells, 1)


def reason_of_failure(record):
    """The last thing that a job said, or what Slurm did to it."""
    status = re.search(r"SLURM status is: '(\w+)'", record.rule_msg or "")
    if status and status[1] in ENDED_BY_SLURM:
        return f"Slurm says {status[1]}, {ENDED_BY_SLURM[status[1]]}"
    texts = [Path(log).read_text() for log in record.log if Path(log).suffix == ".log" and Path(log).is_file()]
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if errors or lines:
        return (errors or lines)[-1]
    return "it left no word: does the machine that it ran on see this folder?"


class LogHandler(LogHandlerBase):
    """Shows events as lines above a bar; without a terminal there is no bar."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self):
        self.jobs = {}  # that run, by Snakemake's number
        self.n_over = 0  # finished or failed
        self.bar = None
        self.closing = threading.Event()
        self.clock = threading.Thread(target=self._move_bar, daemon=True)

    def emit(self, record):
        shown = {
            LogEvent.RUN_INFO: self._start,
            LogEvent.JOB_INFO: self._begin,
            LogEvent.JOB_FINISHED: self._finish,
            LogEvent.JOB_ERROR: self._fail,
        }
        event = getattr(record, "event", None)
        if event in shown:
            shown[event](record)
        elif record.levelno >= logging.ERROR:
            self._tell_error(record.getMessage())

    def _start(self, record):
        """The bar, as long as there are notebooks to run."""
        total = sum(record.stats.get(rule, 0) for rule in ("notebook", "job"))
        if total and not self.bar:
            self.bar = tqdm(total=total, bar_format=BAR, dynamic_ncols=True, disable=None)
            if not self.bar.disable:
                self.clock.start()

    def _begin(self, record):
        if record.wildcards:
            self.jobs[record.jobid] = Job(record)

    def _finish(self, record):
        job = self.jobs.pop(record.job_id, None)
        if job:
            self.n_over += 1
            tqdm.write(f"{job.name:<{WIDTH}} {job.seconds():6.0f} s")

    def _fail(self, record):
        job = self.jobs.pop(record.jobid, None)
        if job:
            self.n_over += 1
            self._tell_error(f"{job.name}: {reason_of_failure(record)}")
        else:
            # a table or a figure, made by a process that has told what was wrong
            self._tell_error(f"{record.rule_name} failed")

    def _tell_error(self, text):
        if not any(words in text for words in TOLD):
            tqdm.write(f"error: {text.strip()}", file=sys.stderr)

    def _move_bar(self):
        """Look at one of the notebooks that run, in turn, and move the bar."""
        turn = 0
        while not self.closing.wait(TICK):
            handed_over = list(self.jobs.values())
            if handed_over:
                turn = (turn + 1) % len(handed_over)
                handed_over[turn].look()
            running = [job for job in handed_over if job.fraction]
            self.bar.n = self.n_over + sum(job.fraction for job in running)
            self.bar.set_postfix_str(", ".join(job.name[:SHORT] for job in running[:2]))

    def close(self):
        self.closing.set()
        if self.bar:
            self.bar.close()
        super().close()
