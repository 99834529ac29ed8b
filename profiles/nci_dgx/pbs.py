"""What submit, status and cancel share: this run's jobs on PBS, and what the server says of them.

For each job that was submitted there is a record, `.snakemake/pbs/<job id>.json`, until its end is
known: what it makes, its marker (the file in which it leaves its exit status) and its log.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(".snakemake", "pbs")
QSTAT = FOLDER / "qstat.json"

# Seconds for which one answer of the server serves all jobs, however often Snakemake asks.
FRESH = 60
# Seconds after which a job that the server does not know, and that left no marker, has failed: a
# file that another machine wrote can take a while to be seen here.
GRACE = int(os.environ.get("CRMNET_PBS_GRACE", 120))
# Seconds that the server has for an answer.
PATIENCE = 60

# qstat's exit statuses for jobs that the server does not know, or no longer.
NO_JOB = (153, 35)
# substate of a job that was deleted.
DELETED = "91"
# In the comment of a job that asks for more than there is.
NEVER = "Can Never Run"

RUNNING, SUCCESS, FAILED = "running", "success", "failed"
ALIVE = set("QREHWSTBUM")
# Exit_status of jobs that PBS has ended, as in its own headers.
KILLED = {
    -29: "its walltime was used up (`runtime`)",
    -28: "its CPU time was used up",
    -27: "its memory did not suffice (`mem_mb`)",
    -26: "its virtual memory did not suffice",
    -25: "it used more CPUs than it had asked for",
    -24: "it used more CPUs than it had asked for",
}
# No answer about the jobs, but of the server itself.
_AWAY = re.compile(
    r"connect|connection|timed? ?out|timeout|communication|server (is )?(not|un)|Expired|No route",
    re.I,
)
# Of a server without a history of jobs, or another qstat that knows no -x.
_NO_HISTORY = re.compile(r"job history|unknown option", re.I)


class Unreachable(Exception):
    """The server gives no answer, or one that cannot be read."""


def stop(message: str) -> None:
    """Ends the program with a sentence on standard error."""
    sys.exit(f"profiles/{Path(__file__).parent.name}: {message}")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A finished command of PBS, with what it printed.

    Raises:
        Unreachable: it did not end within `PATIENCE` seconds.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError:
        stop(
            f"there is no {command[0]} here; run this on a machine from which PBS jobs can be "
            "submitted, or use profiles/local"
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{command[0]} gave no answer for {PATIENCE} s") from None


def is_away(text: str) -> bool:
    """Whether an error text of PBS is about the server, not the job, so that a later try helps."""
    return bool(_AWAY.search(text))


# Records.


def records() -> dict[str, dict]:
    """Job id -> record of each job whose end is not known yet."""
    found = {}
    for path in FOLDER.glob("*.json"):
        # One that a full disk cut short says nothing; one that is gone has ended meanwhile.
        with contextlib.suppress(OSError, ValueError):
            record = json.loads(path.read_text())
            if path != QSTAT:
                found[record["id"]] = record
    return found


def keep(record: dict) -> None:
    """Writes a record, at once or not at all."""
    write(FOLDER / f"{record['id']}.json", record)


def write(path: Path, content: object) -> None:
    """Writes JSON, at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(content))
    part.replace(path)


def forget(job: str) -> None:
    """Takes away the record of a job that has ended, and its marker."""
    path = FOLDER / f"{job}.json"
    if path.exists():
        Path(json.loads(path.read_text())["marker"]).unlink(missing_ok=True)
        path.unlink()


# What the server says.


def parse(text: str) -> dict[str, dict[str, str]]:
    """Job id -> its attributes, from the text of `qstat -f`.

    Of its JSON form several ids get the first alone.
    """
    jobs: dict[str, dict[str, str]] = {}
    attributes: dict[str, str] = {}
    name = indent = None
    for line in text.splitlines():
        if found := re.match(r"Job Id:\s*(\S+)", line):
            attributes, name, indent = jobs.setdefault(found[1], {}), None, None
        elif (found := re.match(r"(\s+)([\w.]+) = (.*)", line)) and indent in (None, found[1]):
            indent, name = found[1], found[2]
            attributes[name] = found[3]
        elif line.startswith("\t") and name:
            attributes[name] += line[1:]  # a long value goes on
    return jobs


def ask(ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Job id -> attributes of those that the server knows.

    Raises:
        Unreachable: the server gives no answer, or one that cannot be read.
    """
    done = run("qstat", "-x", "-f", *ids)
    if _NO_HISTORY.search(done.stderr):
        # Such a server knows only the jobs that have not ended.
        done = run("qstat", "-f", *ids)
    jobs = parse(done.stdout)
    if not jobs and done.returncode not in (0, *NO_JOB):
        raise Unreachable(done.stderr.strip() or f"qstat ended with status {done.returncode}")
    return jobs


def ask_together(job: str) -> dict[str, str] | None:
    """A job's attributes, None where the server does not know it: from one call for all jobs,
    whose answer serves for `FRESH` seconds.

    Raises:
        Unreachable: as `ask`.
    """
    try:
        saved = json.loads(QSTAT.read_text())
    except (OSError, ValueError):
        saved = {"time": 0}
    if time.time() - saved["time"] > FRESH or job not in saved["ids"]:
        ids = sorted({job, *records()})
        saved = {"time": time.time(), "ids": ids, "jobs": None, "error": None}
        try:
            saved["jobs"] = ask(ids)
        except Unreachable as error:
            saved["error"] = str(error)
        write(QSTAT, saved)
    if saved["jobs"] is None:
        raise Unreachable(saved["error"])
    return saved["jobs"].get(job)


def judge(attributes: dict[str, str]) -> tuple[str, str] | None:
    """What is to be told of a job that the server knows, and why.

    Returns:
        "running", "success" or "failed", and the reason of a failure; None of a job that has ended
        on a server that keeps no exit status (state C, Torque's).

    Raises:
        Unreachable: the state is none that PBS has.
    """
    state, comment = attributes.get("job_state", ""), attributes.get("comment", "")
    if NEVER in comment:
        return FAILED, f"PBS says that it can never run: {comment}"
    if state in ALIVE:
        return RUNNING, ""
    if state == "C" and "Exit_status" not in attributes:
        return None
    if state not in ("F", "C"):
        raise Unreachable(f"job_state {state!r} is not known")
    status = attributes.get("Exit_status", "")
    # Of a job that root has submitted, PBS does not say that it was killed.
    if attributes.get("substate") == DELETED:
        return FAILED, "it was deleted"
    if status == "0":
        return SUCCESS, ""
    if not re.fullmatch(r"-?\d+", status):
        return FAILED, "it was deleted, or could not start"
    code = int(status)
    if code in KILLED:
        return FAILED, KILLED[code]
    if code > 256:
        return FAILED, f"it was deleted, or killed by signal {code - 256}"
    return FAILED, f"it ended with status {code}"


def judge_marker(marker: Path) -> tuple[str, str] | None:
    """The same from the file in which a job leaves its exit status; None without one."""
    try:
        status = marker.read_text().strip()
    except OSError:
        return None
    return (SUCCESS, "") if status == "0" else (FAILED, f"it ended with status {status}")
