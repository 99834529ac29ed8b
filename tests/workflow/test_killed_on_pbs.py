"""`kill -9` of a Snakemake whose jobs run on PBS, and the same command again: one job writes.

The jobs truly run, by commands that imitate PBS (tests/pbs_server.py)."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT, tiny_config
from pbs_server import Server
from waiting import HANGS, wait_until

# The whole workflow, and a job that writes half of its output and waits for a word.
SNAKEFILE = """
include: "{root}/Snakefile"

rule waiting:
    output: "output.txt"
    params: seed=config["seed"]
    shell:
        "echo $PBS_JOBID >> ids.txt; echo half >> {{output}};"
        " until [ -e go ]; do sleep 0.1; done; echo whole >> {{output}}"
"""


class Killed:
    """Runs of the same command in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.server = Server(folder / "pbs", "runs")
        self.started = []
        (folder / "Snakefile").write_text(SNAKEFILE.format(root=ROOT))
        (folder / "tiny.yaml").write_text(yaml.safe_dump(tiny_config()))

    def start(self, *arguments):
        """Starts the command."""
        command = [sys.executable, "-m", "snakemake", "--profile", ROOT / "profiles" / "nci_dgx"]
        options = ("--directory", self.folder, "--snakefile", self.folder / "Snakefile")
        options = (*options, "--configfile", self.folder / "tiny.yaml", "--sdm", "env-modules")
        options = (*options, "--seconds-between-status-checks", 1)
        process = subprocess.Popen(
            [*map(str, (*command, "waiting", *options, *arguments))],
            cwd=ROOT,
            env={
                **self.server.environment,
                **{"PROJECT": "ab12", "CRMNET_PBS_GRACE": "5", "PYTHONDONTWRITEBYTECODE": ""},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def stop(self):
        """Ends all that still runs."""
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self.server.stop()

    def finish(self, *arguments):
        """Runs the command to its end, and returns what it has said."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=HANGS)
        assert process.returncode == 0, said
        return said

    def killed(self):
        """Kills the command while its job writes."""
        process = self.start()
        wait_until(self.ids, "a job writes")
        wait_until(lambda: self.record()["id"], "Snakemake knows the job")
        wait_until(lambda: list(self.folder.glob(".snakemake/incomplete/*")), "it is marked")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(HANGS)

    def record(self):
        (path,) = self.folder.glob(".snakemake/pbs/waiting.*.json")
        return json.loads(path.read_text())

    def ids(self):
        """The jobs that have begun to write."""
        path = self.folder / "ids.txt"
        return path.read_text().split() if path.exists() else []

    def text(self):
        return (self.folder / "output.txt").read_text()

    def go(self):
        (self.folder / "go").touch()


@pytest.fixture
def runs(tmp_path):
    runs = Killed(tmp_path)
    yield runs
    runs.stop()


FAST = ("--seconds-between-status-checks", "1")


def test_the_live_job_is_waited_for_and_taken_over(runs):
    runs.killed()
    second = runs.start()
    looked = runs.folder / ".snakemake" / "pbs" / "qstat.json"
    looked.unlink(missing_ok=True)
    wait_until(lambda: looked.exists() or second.poll(), "the second run looks at the job")
    assert runs.text() == "half\n"
    runs.go()
    said, _ = second.communicate(timeout=HANGS)
    assert second.returncode == 0, said
    assert "An earlier run was killed; this one goes on from there." in said
    assert runs.text() == "half\nwhole\n" and runs.ids() == ["1.pbs"]
    assert not list(runs.folder.glob(".snakemake/pbs/waiting.*"))
    assert "Nothing to be done" in runs.finish()


def test_a_job_that_has_ended_after_the_kill_is_not_repeated(runs):
    runs.killed()
    runs.go()
    wait_until(lambda: runs.server.told("1.pbs.ended"), "the job has ended")
    runs.finish()
    assert runs.text() == "half\nwhole\n" and runs.ids() == ["1.pbs"]
    # Snakemake knows from what it was made, and makes it anew if that changes.
    assert "Nothing to be done" in runs.finish()
    runs.finish("--config", "seed=7")
    assert runs.ids() == ["1.pbs", "2.pbs"]


def test_a_live_job_with_other_settings_ends_before_the_new_one_begins(runs):
    runs.killed()
    second = runs.start("--config", "seed=7")
    wait_until(lambda: len(runs.ids()) == 2 or second.poll(), "the second job writes")
    assert runs.server.told("1.pbs.ended")
    runs.go()
    said, _ = second.communicate(timeout=HANGS)
    assert second.returncode == 0, said
    assert runs.text() == "half\nwhole\n" and runs.ids() == ["1.pbs", "2.pbs"]


def test_after_a_kill_of_all_processes_no_lock_stays(runs):
    """A local job that outlives its Snakemake still writes, so its lock stays as long."""
    local = SNAKEFILE.replace("$PBS_JOBID", "local").replace(
        "rule waiting:", "rule waiting:\n    localrule: True"
    )
    (runs.folder / "Snakefile").write_text(local.format(root=ROOT))
    process = runs.start()
    wait_until(runs.ids, "the job writes")
    process.kill()
    process.wait(HANGS)
    other = runs.start()
    said, _ = other.communicate(timeout=HANGS)
    assert other.returncode != 0 and "--unlock" in said
    os.killpg(process.pid, signal.SIGKILL)
    runs.go()
    runs.finish()
    assert runs.text() == "half\nwhole\n"
