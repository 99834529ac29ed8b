#!/usr/bin/env python3
"""Submits a jobscript to PBS, and prints the job's id.

    submit.py JOBSCRIPT

If a job of a killed run still runs and writes the same files, it is taken over instead.
"""

from __future__ import annotations

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
    made = fingerprint(job)
    alive, others = earlier(job, made)
    if alive:
        print(alive)
        return
    unique = f"{name(job)}.{uuid.uuid4().hex[:8]}"
    folder = pbs.FOLDER.absolute()
    marker, log = folder / f"{unique}.status", folder / "logs" / f"{unique}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = ["qsub", *options(job, project, storage(project)), "-o", str(log)]
    command += ["-v", f"PATH,CRMNET_PBS_MARKER={marker}"]
    if others:
        command += ["-W", f"depend=afterany:{':'.join(others)}"]
    found = qsub([*command, str(script)])
    record = {"id": found, "name": name(job), "outputs": job["output"], "made": made}
    pbs.keep(record | {"marker": str(marker), "log": str(log), "cancelled": False})
    print(found)


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


def fingerprint(job: dict) -> str:
    """Returns a hash of what a job makes and how. Two jobs with the same hash are
    interchangeable."""
    parts = [job.get(key) for key in ("rule", "groupid", "output", "input", "params", "wildcards")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def earlier(job: dict, made: str) -> tuple[str | None, list[str]]:
    """Returns a running job of an earlier run that does the same; and the running jobs that make
    the same files in another way or are being cancelled. The latter are deleted, and the new job
    must wait for them."""
    outputs = set(job["output"] or ())
    adopted, others = None, []
    for record in pbs.records().values():
        if not outputs & set(record["outputs"] or ()):
            continue
        known = persistently(lambda record=record: pbs.ask([record["id"]]))
        found = known and pbs.judge(*known.values())
        if not found or found[0] != pbs.RUNNING:
            pbs.forget(record["id"])
        elif record["made"] == made and not record["cancelled"] and not adopted:
            adopted = record["id"]
        else:
            pbs.run("qdel", record["id"])
            others.append(record["id"])
    return adopted, others


def qsub(command: list[str]) -> str:
    """Submits a job, and returns its id."""

    def submit():
        done = pbs.run(*command)
        if done.returncode and pbs.is_away(done.stderr):
            raise pbs.Unreachable(done.stderr.strip())
        return done

    done = persistently(submit)
    if done.returncode:
        pbs.stop(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.split()[0]


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
