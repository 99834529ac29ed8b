#!/usr/bin/env python3
"""Submits a jobscript to PBS, and prints the job's id.

    submit.py JOBSCRIPT

If a job of a killed run does the same work, or has done it, it is taken over instead.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pbs

T = TypeVar("T")

# The number of tries while the server is unreachable, and the seconds between them.
TRIES, PAUSE = 10, 30


def main(script: Path) -> None:
    for program in ("qsub", "qstat", "qdel"):
        if not shutil.which(program):
            pbs.stop(
                f"there is no {program} here; run this on a machine that can submit PBS jobs, or "
                "use profiles/local"
            )
    project = os.environ.get("PROJECT")
    if not project:
        pbs.stop(
            "PROJECT is not set; `export PROJECT=ab12` with the project that pays for the jobs"
        )
    job = properties(script)
    try:
        adopted, others = earlier(job)
        print(adopted or submit(job, script, project, others))
    except OSError as error:
        pbs.stop(f"{pbs.FOLDER} cannot be written, so the job is not submitted: {error}")


def properties(script: Path) -> dict:
    """Returns the properties of the job, which Snakemake writes in a line of the jobscript."""
    for line in script.read_text().splitlines():
        if line.startswith("# properties = "):
            return json.loads(line.partition("=")[2])
    pbs.stop(f"{script} has no line `# properties = ...`; add it to the profile's `jobscript:`")


def name(job: dict) -> str:
    """Returns the name of the job: the name of its rule or of its group."""
    return re.sub(r"\W", "_", str(job.get("rule") or job.get("groupid") or "job"))


def storage(project: str) -> str:
    """Returns the file systems that jobs need, in the form of NCI's `-l storage`."""
    return os.environ.get("CRMNET_STORAGE") or f"scratch/{project}+gdata/{project}"


def options(job: dict, project: str, storage: str) -> list[str]:
    """Returns qsub's options for a job, from the resources of its rule and of the profile
    (`default-resources`)."""
    wanted = job["resources"]
    gpus, nodes = wanted.get("gpu", 0), wanted.get("nodes", 1)
    if wanted.get("downloads"):
        queue = wanted["download_queue"]
    else:
        queue = wanted["gpu_queue" if gpus else "cpu_queue"]
    template = wanted["pbs_list"]
    # The template describes either the whole job, or one chunk for each node.
    times = 1 if "{nodes}" in template else nodes
    minutes = wanted["runtime"]
    listed = template.format(
        nodes=nodes,
        ncpus=times * (gpus * wanted["cpus_per_gpu"] if gpus else job["threads"]),
        ngpus=times * gpus,
        mem_mb=times * wanted["mem_mb"],
        jobfs_mb=times * wanted["disk_mb"],
        walltime=f"{minutes // 60:02}:{minutes % 60:02}:00",
        storage=storage,
    )
    # Resources of 0 are left out, because a queue without GPUs refuses ngpus=0.
    parts = [part for part in listed.split(",") if not re.fullmatch(r"\w+=(0(mb)?)?", part)]
    return ["-q", queue, "-P", project, "-N", name(job), "-j", "oe", "-l", ",".join(parts)]


def fingerprint(job: dict) -> str | None:
    """Returns a hash of what a job makes, how and from what. Two jobs with the same hash are
    interchangeable. It is None if Snakemake does not tell: groups have no parameters, and jobs with
    more than a hundred inputs no inputs."""
    if job.get("input") is None or job.get("params") is None:
        return None
    # An input that was made anew is another input.
    times = [os.stat(path).st_mtime_ns if os.path.exists(path) else None for path in job["input"]]
    parts = [times, *(job.get(key) for key in ("rule", "output", "input", "params", "wildcards"))]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


# Jobs of earlier runs.


def earlier(job: dict) -> tuple[str | None, list[str]]:
    """Returns a job of an earlier run that does the same or has done it; and the running jobs that
    make the same files in another way or are being cancelled. The latter are deleted, and the new
    job must wait for them."""
    outputs, made = set(job["output"] or ()), fingerprint(job)
    running, ended, others = [], [], []
    for record in pbs.records():
        if not outputs & set(record.outputs or ()):
            continue
        word = persistently(lambda record=record: state(record))
        same = made is not None and record.made == made
        if word == pbs.RUNNING:
            (running if same and not record.cancelled else others).append(record)
        elif word == pbs.SUCCESS and same and all(map(os.path.exists, outputs)):
            ended.append(record)
        else:
            record.forget()
    for record in (*running[1:], *others):
        persistently(lambda record=record: pbs.run("qdel", record.id))
    taken = running[:1] or ([] if others else ended[:1])
    for record in ended:
        if record not in taken:
            record.forget()
    return (taken[0].id, []) if taken else (None, [record.id for record in others])


def state(record: pbs.Record) -> str | None:
    """Returns the word for a job of an earlier run, or None if it does not exist (any more)."""
    marked = pbs.judge_marker(record)
    if record.id is None:
        record.id = None if marked else accepted(record)
        if record.id is None:
            return None
        record.write()
    attributes = pbs.ask([record.id]).get(record.id)
    found = (attributes and pbs.judge(attributes)) or marked
    return found[0] if found else None


def accepted(record: pbs.Record) -> str | None:
    """Returns the id of a job of which it is not known whether PBS has accepted it. If there is
    none, this sees to it that the job does nothing, should it turn up later."""
    if not (found := pbs.find(record)) and not record.give_up():
        # It has started in the meantime.
        found = record.started() or pbs.stop(
            f"a job writes {', '.join(record.outputs)}, but PBS does not tell which one; delete "
            f"it, and then {record.file('.json')}"
        )
    return found


# The new job.


def submit(job: dict, script: Path, project: str, after: list[str]) -> str:
    """Submits a job that starts when the jobs `after` have ended, and returns its id.

    If qsub's answer is lost, PBS is asked for the job before it is submitted again."""
    asked = options(job, project, storage(project))
    if after:
        asked += ["-W", f"depend=afterany:{':'.join(after)}"]
    made = fingerprint(job)
    sent = None

    def attempt() -> pbs.Record:
        nonlocal sent
        if sent:
            if not sent.file(".json").exists():
                pbs.stop("another run of the workflow has taken this job over")
            sent.id = accepted(sent)
            if sent.id:
                return sent
            sent.forget()
        sent = begun(job, made)
        where = ["-o", sent.log, "-v", f"PATH,CRMNET_PBS_MARKER={sent.marker}"]
        sent.id = qsub(["qsub", *asked, *where, str(script)], sent)
        return sent

    record = persistently(attempt)
    # Without its id in the record, a later run asks PBS for it.
    with contextlib.suppress(OSError):
        record.write()
    return record.id


def begun(job: dict, made: str | None) -> pbs.Record:
    """Returns the record of a job that is about to be submitted, and gives the job its permit."""
    unique = f"{name(job)}.{uuid.uuid4().hex[:8]}"
    folder = pbs.FOLDER.absolute()
    log = folder / "logs" / f"{unique}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    marker = folder / f"{unique}{pbs.MARKER}"
    record = pbs.Record(name(job), job["output"], made, str(marker), str(log))
    record.write()
    record.file(pbs.PERMIT).touch()
    return record


def qsub(command: list[str], record: pbs.Record) -> str:
    """Calls qsub once, and returns the id of the job.

    Raises:
        Unreachable: PBS may have accepted the job or not.
    """
    done = pbs.run(*command)
    said = done.stderr.strip() or done.stdout.strip()
    if done.returncode == 0:
        found = pbs.ids(done.stdout)
        if len(found) == 1:
            return found[0]
        return persistently(lambda: accepted(record)) or pbs.stop(
            f"qsub's answer has {'several job ids' if found else 'no job id'}, so it is not known "
            f"which job it has submitted, and that job will do nothing: {done.stdout!r}"
        )
    if pbs.is_away(said):
        raise pbs.Unreachable(said)
    if record.give_up():
        record.forget()
    pbs.stop(f"{' '.join(command)}: {said}")


def persistently(call: Callable[[], T]) -> T:
    """Returns the result of a call, which is repeated while the server is unreachable."""
    for number in range(1, TRIES + 1):
        try:
            return call()
        except pbs.Unreachable as error:
            if number == TRIES:
                pbs.stop(f"{error}; the server cannot be reached, so try again later")
            print(f"{error}; trying again in {PAUSE} s", file=sys.stderr)
            time.sleep(PAUSE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
