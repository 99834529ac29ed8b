"""Shared code of submit, status and cancel: the records of jobs, and the answers of the PBS server.

Each job has a unique name and a few files of that name in `.snakemake/pbs` until its end is known:

- `.json`, its record: what it makes, and its id once PBS has given one;
- `.permit`, without which it does not start. The job renames it to `.started.<its id>`. Whoever no
  longer wants a job that PBS may or may not have accepted deletes the permit: then the job can
  never write a file, whenever it turns up;
- `.status`, its marker: its exit status, which it writes when it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(".snakemake", "pbs")
QSTAT = FOLDER / "qstat.json"
# How the names of a job's other files end.
PERMIT, STARTED, MARKER = ".permit", ".started.", ".status"

# Seconds for which one answer of the server is used for all jobs, however often Snakemake asks.
FRESH = 60
# Seconds after which a job has failed if the server does not know it and it has left no marker. A
# file from another machine can take a while to appear on this one.
GRACE = int(os.environ.get("CRMNET_PBS_GRACE", 120))
# Seconds after which the server counts as unreachable.
PATIENCE = 60

# The id of a job: 123.server, 123[].server for an array, or only 123.
ID = re.compile(r"\d+(\[\d*\])?(\.[A-Za-z][\w.-]*)?")
_MARKER = re.compile(r"[\w.-]+\.status")
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
# Error texts and codes about the server or the way to it, not about the job (OpenPBS, pbs_error.h,
# pbs_messages.c, dis.c and cnt2server.c). Others, such as 15007, "no permission", are final.
_AWAY = re.compile(
    r"connect|communication|timed? ?out|timeout|no route|broken pipe|end of file"
    r"|premature end|protocol (failure|error)|system (error|call failure)|internal error"
    r"|server (is )?(not|un|shut)|temporarily unavailable|try again|expired cred|Failed to save job"
    r"|\b150(10|11|20|31|33|56|60)\b|\b15(117|161|208)\b",
    re.I,
)
# Error texts of a server without a history of jobs, or of a qstat without the option -x.
_NO_HISTORY = re.compile(r"job history|(unknown|invalid|illegal) option", re.I)


class Unreachable(Exception):
    """The server gives no answer, or an answer that cannot be read."""


def stop(message: str) -> None:
    """Ends the program with a message on standard error."""
    sys.exit(f"profiles/{Path(__file__).parent.name}: {message}")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a PBS command to its end, and returns it with its output. Bytes that are not UTF-8, for
    instance in the name of somebody's job, are replaced.

    Raises:
        Unreachable: the command could not start, was killed, or did not end within `PATIENCE`
            seconds.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=PATIENCE
        )
    except OSError as error:
        raise Unreachable(f"{command[0]} cannot run here: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{command[0]} gave no answer for {PATIENCE} s") from None
    if done.returncode < 0:
        raise Unreachable(f"{command[0]} was killed by signal {-done.returncode}")
    return done


def is_away(text: str) -> bool:
    """Tells whether an error text of PBS is about the server, so that a later try may succeed."""
    return bool(_AWAY.search(text))


def ids(text: str) -> list[str]:
    """Returns the job ids in an answer of qsub, whatever notes of the site stand around them.

    An id without a server is one only in a line of its own, because notes have other numbers."""
    words = dict.fromkeys(word.strip(".,:;()<>'\"") for word in text.split())
    lines = dict.fromkeys(line.strip() for line in text.split("\n"))
    found = [word for word in words if "." in word and ID.fullmatch(word)]
    return found or [line for line in lines if ID.fullmatch(line)]


# Records.


@dataclass
class Record:
    """What is known of a job whose end is not known yet."""

    name: str
    outputs: list[str] | None
    # The hash of what the job makes and how, or None if that is not known.
    made: str | None
    # The path of the marker. Only its name counts.
    marker: str
    log: str
    # None until PBS has given one.
    id: str | None = None
    cancelled: bool = False
    # When the server did not know the job for the first time.
    unknown_since: float | None = None

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """Reads a record; None if the file is damaged or something else."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            record = cls(**{key: found[key] for key in cls.__annotations__ if key in found})
            texts = [record.name, record.marker, record.log, record.made or "", record.id or "0"]
            texts += record.outputs or []
            whole = all(isinstance(text, str) for text in texts) and ID.fullmatch(record.id or "0")
            if not whole or not _MARKER.fullmatch(Path(record.marker).name):
                return None
            # Earlier versions of this program named a record by the id.
            path.replace(record.file(".json"))
            return record
        except (OSError, ValueError, TypeError):
            return None

    def file(self, ending: str) -> Path:
        """Returns a file of the job, which lies in the folder of the records whatever they say."""
        return FOLDER.absolute() / (Path(self.marker).stem + ending)

    def write(self) -> None:
        """Writes the record completely or not at all."""
        write(self.file(".json"), asdict(self))

    def forget(self) -> None:
        """Deletes the files of a job that has ended or never starts."""
        started = self.file(f"{STARTED}{self.started()}")
        for path in (self.file(PERMIT), started, self.file(MARKER), self.file(".json")):
            path.unlink(missing_ok=True)

    def started(self) -> str | None:
        """Returns the id of the job if it has started; "" if the job did not know its id."""
        begun = self.file(STARTED).name
        found = [path.name for path in FOLDER.iterdir() if path.name.startswith(begun)]
        return found[0].removeprefix(begun) if found else None

    def give_up(self) -> bool:
        """Sees to it that the job never starts. Returns False if it has started already."""
        self.file(PERMIT).unlink(missing_ok=True)
        return self.started() is None


def records() -> list[Record]:
    """Returns the records of all jobs whose end is not known yet. Damaged ones are left out."""
    found = (Record.read(path) for path in sorted(FOLDER.glob("*.json")))
    return [record for record in found if record]


def record_of(job: str) -> Record | None:
    """Returns the record of a job."""
    return next((record for record in records() if record.id == job), None)


def write(path: Path, content: object) -> None:
    """Writes JSON completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(content))
    part.replace(path)


# Answers of the server.


def parse(text: str) -> dict[str, dict[str, str]]:
    """Returns job id -> attributes, from the text of `qstat -f`.

    The JSON form of qstat is not used, because for several ids it has only the first.
    """
    jobs: dict[str, dict[str, str]] = {}
    attributes: dict[str, str] = {}
    name = indent = None
    for line in text.split("\n"):
        if found := re.match(r"Job Id:\s*(\S+)", line):
            attributes, name, indent = jobs.setdefault(found[1], {}), None, None
        elif (found := re.match(r"(\s+)([\w.]+) = (.*)", line)) and indent in (None, found[1]):
            indent, name = found[1], found[2]
            attributes[name] = found[3]
        elif line.startswith("\t") and name:
            attributes[name] += line[1:]  # a long value continues
    return jobs


def qstat(*arguments: str) -> str:
    """Returns what qstat says of the jobs that the server knows.

    Raises:
        Unreachable: the server gives no answer, or only a part of it.
    """
    done = run("qstat", *arguments)
    if "-x" in arguments and _NO_HISTORY.search(done.stderr):
        # Such a server knows only the jobs that have not ended.
        done = run("qstat", *(each for each in arguments if each != "-x"))
    if done.returncode not in (0, *NO_JOB) and (not done.stdout.strip() or is_away(done.stderr)):
        raise Unreachable(done.stderr.strip() or f"qstat ended with status {done.returncode}")
    return done.stdout


def ask(jobs: Iterable[str]) -> dict[str, dict[str, str]]:
    """Returns job id -> attributes of those of the jobs that the server knows.

    Raises:
        Unreachable: see `qstat`.
    """
    # The server may call itself otherwise than in qsub's answer, and list other jobs too.
    told = {_number(job): found for job, found in parse(qstat("-x", "-f", *jobs)).items()}
    return {job: told[_number(job)] for job in jobs if _number(job) in told}


def _number(job: str) -> str:
    """Returns a job's id without the server."""
    return job.partition(".")[0]


def ask_together(job: str) -> dict[str, str] | None:
    """Returns a job's attributes, or None if the server does not know the job. One call asks for
    all jobs, and its answer is used for `FRESH` seconds.

    Raises:
        Unreachable: see `ask`.
    """
    saved = _saved(job)
    if saved is None:
        together = sorted({job, *(record.id for record in records() if record.id)})
        saved = {"time": time.time(), "ids": together, "jobs": None, "error": None}
        try:
            saved["jobs"] = ask(together)
        except Unreachable as error:
            saved["error"] = str(error)
        # On a full disk, each call asks the server.
        with contextlib.suppress(OSError):
            write(QSTAT, saved)
    if saved["jobs"] is None:
        raise Unreachable(saved["error"])
    return saved["jobs"].get(job)


def _saved(job: str) -> dict | None:
    """Returns the last answer of the server, if it is about the job, fresh and whole."""
    try:
        saved = json.loads(QSTAT.read_text(encoding="utf-8"))
        # One from the future counts as old, because a clock was wrong.
        fresh = 0 <= time.time() - saved["time"] <= FRESH and job in saved["ids"]
        told = {} if saved["jobs"] is None else saved["jobs"].get(job, {})
        texts = [saved["error"] or "", *told.values()]
        return saved if fresh and all(isinstance(text, str) for text in texts) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def find(record: Record) -> str | None:
    """Returns the id of the job that was submitted with this record, although qsub's answer was
    lost; None if PBS knows no such job and it has not started.

    The job is recognised by its marker, among the live jobs of this user.

    Raises:
        Unreachable: see `ask`.
    """
    user = pwd.getpwuid(os.getuid()).pw_name
    # The columns of this list are narrow and cut ids and names, but not numbers.
    numbers = re.findall(r"^ *(\d+(?:\[\d*\])?)(?=[.* ])", qstat("-u", user), re.M)
    if not record.started() and numbers:
        for job, attributes in parse(qstat("-f", *numbers)).items():
            if Path(record.marker).name in attributes.get("Variable_List", ""):
                return job if ID.fullmatch(job) else _number(job)
    return record.started() or None


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


def judge_marker(record: Record) -> tuple[str, str] | None:
    """Judges a job by its marker, as `judge` does; None if there is no marker, or a damaged one."""
    try:
        status = record.file(MARKER).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
    if not re.fullmatch(r"\d+", status):
        return None
    return (SUCCESS, "") if status == "0" else (FAILED, f"it ended with status {status}")
