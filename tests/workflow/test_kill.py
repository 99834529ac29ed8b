"""Kills at random moments: the same command again ends as if nothing had happened.

`KILLS=10 pytest -m '' tests/workflow/test_kill.py` kills so often, in the whole demo, against the
results of the README's command."""

import contextlib
import os
import random
import re
import signal
import time

import psutil
import pytest
from conftest import ROOT, run_snakemake, start_snakemake
from waiting import HANGS, wait_until

KILLS = int(os.environ.get("KILLS", 0))
WAYS = ("snakemake", "job", "all")


def finished(said):
    """The outputs of the jobs that Snakemake says to have finished."""
    jobs = re.findall(r"^    output: (.+)\n(?:    .+\n)*?    jobid: (\d+)$", said, re.M)
    outputs = {number: paths.split(", ") for paths, number in jobs}
    done = re.findall(r"^Finished jobid: (\d+)", said, re.M)
    return [path for number in done for path in outputs.get(number, [])]


def scripts_of(process):
    """The processes of rules' scripts that run under a Snakemake."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if ".snakemake/scripts" in " ".join(child.cmdline()) and not child.children():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def killed(folder, chance, way, arguments):
    """Runs Snakemake until some jobs are done, and then kills it, a job of it, or all; what it said
    and whether it was still running."""
    log = folder / "said.txt"
    wait_for, delay = chance.randint(1, 2), chance.uniform(0, 25 if KILLS else 4)
    with log.open("w") as file:
        process = start_snakemake(folder, *arguments, stdout=file, start_new_session=True)
        while process.poll() is None and log.read_text().count("Finished jobid") < wait_for:
            time.sleep(0.1)
        time.sleep(delay)
        scripts = []
        while way == "job" and process.poll() is None and not scripts:
            time.sleep(0.1)
            scripts = scripts_of(process)
        running = process.poll() is None
        if scripts:
            chance.choice(scripts).kill()
        elif running and way == "all":
            os.killpg(process.pid, signal.SIGKILL)
        elif running:
            process.kill()
        process.wait(HANGS)
    return process.pid, log.read_text(), running


@pytest.fixture
def undisturbed(request):
    """The folder of a run without kills."""
    if not KILLS:
        return request.getfixturevalue("tiny_run")[0]
    if not (ROOT / "results" / "demo" / "figure_truth.pdf").exists():
        pytest.skip("the demo has not been run: snakemake --profile profiles/demo")
    return ROOT


@pytest.mark.slow
def test_kills_change_nothing(undisturbed, tmp_path):
    if KILLS:
        config, targets, tables = ROOT / "config" / "demo.yaml", [], ("**/*.tsv",)
    else:
        config = undisturbed / "tiny.yaml"
        targets = ["results/demo/metrics/crmnet/complex.tsv"]
        tables = ("predictions/crmnet/complex.tsv", "metrics/crmnet/complex.tsv")
    command = (*targets, "--cores", 2, "--rerun-incomplete", "--configfile", config)
    chance, times, sessions, kills = random.Random(8), {}, [], 0
    try:
        for number in range(KILLS or len(WAYS)):
            way = WAYS[number % len(WAYS)]
            session, said, running = killed(tmp_path, chance, way, command)
            sessions.append(session)
            kills += running
            for path in map(tmp_path.joinpath, finished(said)):
                if path.is_file():
                    times.setdefault(path, path.stat().st_mtime_ns)
            # The lock stays while a job of the killed run may still write.
            wait_until(lambda session=session: not lives(session), "its jobs have ended")
        done = run_snakemake(tmp_path, *command)
        assert done.returncode == 0, done.stdout
    finally:
        for session in sessions:
            end(session)
    assert kills >= 2 and times
    for path, when in times.items():
        assert path.stat().st_mtime_ns == when, f"{path} was made twice"
    compared = 0
    for pattern in tables:
        for path in (undisturbed / "results" / "demo").glob(pattern):
            if not timed(path):
                other = tmp_path / path.relative_to(undisturbed)
                assert other.read_bytes() == path.read_bytes(), path
                compared += 1
    assert compared >= len(tables)


def end(session):
    """Ends what a killed Snakemake has left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)


def lives(session):
    """Whether a process that a killed Snakemake has left behind still runs."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def timed(path):
    """Whether a table has times in it."""
    names = ("history", "training_curves", "table1", "claims", "benchmarks")
    return any(name in str(path) for name in names)
