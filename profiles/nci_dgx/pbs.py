"""Shared code of submit, status and cancel: the records of jobs, and the answers of the PBS server.

Each submitted job has a record, `.snakemake/pbs/<job id>.json`, until its end is known. The record
has the job's outputs, its marker (the file in which it leaves its exit status) and its log.
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

# Seconds for which one answer of the server is used for all jobs, however often Snakemake asks.
FRESH = 60
# Seconds after which a job has failed if the server does not know it and it has left no marker. A
# file from another machine can take a while to appear on this one.
GRACE = int(os.environ.get("CRMNET_PBS_GRACE", 120))
# Seconds after which the server counts as unreachable.
PATIENCE = 60

# qstat's exit statuses for jobs that the server does not know or has forgotten.
NO_JOB = (153, 35)
# The substate of a deleted job.
DELETED = "91"
# Occurs in the comment of a job that asks for more resources than the site has.
NEVER = "Can Never Run"

RUNNING, SUCCESS, FAILED = "running", "success", "failed"
ALIVE = set("QREHWSTBUM")
# The Exit_status of jobs that PBS has ended, from its header files.
KILLED = {
    -29: "its walltime was used up (`runtime`)",
    -28: "its CPU time was used up",
    -27: "it ran out of memory (`mem_mb`)",
    -26: "it ran out of virtual memory",
    -25: "it used more CPUs than it had asked for",
    -24: "it used more CPUs than it had asked for",
}
# Error texts about the server, not about the jobs.
_AWAY = re.compile(
    r"connect|connection|timed? ?out|timeout|communication|server (is )?(not|un)|Expired|No route",
    re.I,
)
# Error texts of a server without a history of jobs, or of a qstat without the option -x.
_NO_HISTORY = re.compile(r"job history|unknown option", re.I)


class Unreachable(Exception):
    """The server gives no answer, or an answer that cannot be read."""


def stop(message: str) -> None:
    """Ends the program with a message on standard error."""
    sys.exit(f"profiles/{Path(__file__).parent.name}: {message}")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a PBS command to its end, and returns it with its output.

    Raises:
        Unreachable: the command did not end within `PATIENCE` seconds.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError:
        stop(
            f"there is no {command[0]} here; run this on a machine that can submit PBS jobs, or "
            "use profiles/local"
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{command[0]} gave no answer for {PATIENCE} s") from None


def is_away(text: str) -> bool:
    """Tells whether an error text of PBS is about the server, so that a later try may succeed."""
    return bool(_AWAY.search(text))


# Records.


def records() -> dict[str, dict]:
    """Returns job id -> record of each job whose end is not known yet."""
    found = {}
    for path in FOLDER.glob("*.json"):
        # A full disk may have cut a record short, and a job that ended meanwhile has no record.
        with contextlib.suppress(OSError, ValueError):
            record = json.loads(path.read_text())
            if path != QSTAT:
                found[record["id"]] = record
    return found


def keep(record: dict) -> None:
    """Writes a record completely or not at all."""
    write(FOLDER / f"{record['id']}.json", record)


def write(path: Path, content: object) -> None:
    """Writes JSON completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(content))
    part.replace(path)


def forget(job: str) -> None:
    """Deletes the record and the marker of a job that has ended."""
    path = FOLDER / f"{job}.json"
    if path.exists():
        Path(json.loads(path.read_text())["marker"]).unlink(missing_ok=True)
        path.unlink()


# Answers of the server.


def parse(text: str) -> dict[str, dict[str, str]]:
    """Returns job id -> attributes, from the text of `qstat -f`.

    The JSON form of qstat is not used, because for several ids it has only the first.
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
            attributes[name] += line[1:]  # a long value continues
    return jobs


def ask(ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Returns job id -> attributes of the jobs that the server knows.

    Raises:
        Unreachable: the server gives no answer, or an answer that cannot be read.
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
    """Returns a job's attributes, or None if the server does not know the job. One call asks for
    all jobs, and its answer is used for `FRESH` seconds.

    Raises:
        Unreachable: see `ask`.
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
    """Judges a job by its attributes.

    Returns:
        "running", "success" or "failed", and the reason of a failure; None for a job that has ended
        on a server that keeps no exit status (state C of Torque).

    Raises:
        Unreachable: the state is not one of PBS.
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
    # If root has submitted a job, its exit status does not show that it was deleted.
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
    """Judges a job by its marker, as `judge` does; None if there is no marker."""
    try:
        status = marker.read_text().strip()
    except OSError:
        return None
    return (SUCCESS, "") if status == "0" else (FAILED, f"it ended with status {status}")
