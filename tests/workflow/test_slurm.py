"""What is asked of Slurm before jobs go there: here of commands that answer like it (tests/slurm/ has a real one)."""

import re
from pathlib import Path

import pytest

import slurm

PROFILE = Path(__file__).resolve().parents[2] / "workflow" / "profiles" / "slurm"
GOOD = {
    "sinfo": "echo idle",
    "sacct": "true",
    "scontrol": "echo JobState=COMPLETED ExitCode=0:0",
    "sbatch": "cat > /dev/null; echo 7",
    "squeue": "true",
}


@pytest.fixture
def cluster(tmp_path, monkeypatch, capsys):
    """Commands that answer as given, the others as all is well; what `prepare` returns and what it said."""
    monkeypatch.setattr(slurm.time, "sleep", lambda seconds: None)
    monkeypatch.chdir(tmp_path)

    def prepare(**answers):
        programs = tmp_path / "bin"
        programs.mkdir()
        for name, answer in (GOOD | answers).items():
            if answer:
                (programs / name).write_text(f"#!/bin/sh\n{answer}\n")
                (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin" if answers.get("sbatch", "x") else str(programs))
        return slurm.prepare(PROFILE, Path("runs/sweeps/density")), capsys.readouterr().out

    return prepare


def test_a_cluster_that_is_ready_gives_options_and_no_word(cluster):
    options, said = cluster()
    assert options[:3] == ["--slurm-status-command", "sacct", "--slurm-jobname-prefix"]
    assert re.fullmatch(r"density-[0-9a-f]{8}", options[3])
    assert said == ""


def test_without_accounting_squeue_is_asked(cluster):
    options, said = cluster(
        sacct="echo Slurm accounting storage is disabled >&2; exit 1",
        scontrol="echo 'MinJobAge = 300 sec'; echo JobState=COMPLETED ExitCode=0:0",
    )
    assert options[1] == "squeue"
    assert said == "slurm: accounting is off, so squeue is asked what became of jobs\n"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"sbatch": ""}, "there is no sbatch on this machine: PROFILE=slurm is for the login node"),
        ({"sinfo": "echo 'sinfo: error: no controller' >&2; exit 1"}, "Slurm refuses: sinfo: error: no controller"),
        ({"sacct": "exit 1", "scontrol": "echo MinJobAge = 60 sec"}, "squeue forgets how a job ended after MinJobAge"),
        ({"sbatch": "echo 'sbatch: error: invalid partition' >&2; exit 1"}, "Slurm refuses: sbatch: error: invalid pa"),
        ({"scontrol": "echo JobState=FAILED ExitCode=3:0"}, "the compute node does not see "),
        ({"scontrol": "echo JobState=FAILED ExitCode=4:0"}, "the compute node cannot use .*python"),
        ({"scontrol": "echo JobState=FAILED ExitCode=9:0"}, "ended with exit code 9"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(answers, message, cluster):
    with pytest.raises(slurm.NotReady, match=message) as error:
        cluster(**answers)
    assert "\n" not in str(error.value)


def test_a_busy_cluster_does_not_hold_up_the_run(cluster, tmp_path):
    _, said = cluster(scontrol="echo JobState=PENDING ExitCode=0:0", scancel=f"echo $@ >> {tmp_path}/cancelled")
    assert said == "slurm: no node was free for a try within 60 s; jobs are handed in untried\n"
    assert (tmp_path / "cancelled").read_text() == "7\n"


def test_jobs_of_a_run_that_was_killed_are_cancelled_where_they_wait_and_waited_for_where_they_run(cluster, tmp_path):
    name = slurm.name_of_jobs(tmp_path / "runs" / "sweeps" / "density")
    # three looks: one job waits and one runs, beside those of others; then it runs; then it is over
    looks = tmp_path / "looks"
    squeue = f"""echo >> {looks}
case $(wc -l < {looks}) in
    1) echo 11 PENDING {name}_a; echo 12 RUNNING {name}_a; echo 13 PENDING other_b; echo 14 RUNNING {name}x_c;;
    2) echo 12 COMPLETING {name}_a; echo 13 PENDING other_b;;
esac"""
    _, said = cluster(squeue=squeue, scancel=f"echo $@ >> {tmp_path}/cancelled")
    assert said.splitlines() == [
        "slurm: 1 jobs of an earlier run were in the queue: cancelled, to be handed in again",
        "slurm: 1 jobs of an earlier run are still at work: waiting for them",
    ]
    assert (tmp_path / "cancelled").read_text() == "--state=PENDING 11\n"
    assert looks.read_text() == "\n\n\n"


def test_nothing_is_cancelled_while_another_run_has_the_folder(cluster, tmp_path):
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("runs/sweeps/density/table.csv\nruns/sweeps/density/jobs.csv\n")
    assert slurm.is_locked(Path("runs/sweeps/density"))
    assert not slurm.is_locked(Path("runs/sweeps/dens"))
    cluster(squeue="echo must not be asked >&2; exit 1")
