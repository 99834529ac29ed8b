#!/usr/bin/env -S sh -c 'trap "" INT; exec python3 "$0" "$@"'
"""Prints one word on a job: running, success or failed. Always ends with status 0, for any other
ends the whole workflow; so Ctrl-C, which is for Snakemake, is ignored from the first line on.

    status.py JOB
"""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path

import pbs


def main(job: str) -> str:
    record = pbs.records().get(job)
    word, reason = of(job, record)
    if word != pbs.RUNNING and record:
        if word == pbs.FAILED:
            said = f"{record['name']} (job {job}): {reason}; what it printed: {record['log']}"
            print(said, file=sys.stderr)
        pbs.forget(job)
    return word


def of(job: str, record: dict | None) -> tuple[str, str]:
    """The word on a job, and the reason of a failure."""
    marked = record and pbs.judge_marker(Path(record["marker"]))
    if marked and marked[0] == pbs.SUCCESS:
        return marked
    try:
        # Of a job that says itself that it failed, the server may know why.
        attributes = pbs.ask([job]).get(job) if marked else pbs.ask_together(job)
        found = attributes and pbs.judge(attributes)
    except pbs.Unreachable:
        return marked or (pbs.RUNNING, "")
    if found and not (marked and found[0] == pbs.RUNNING):
        if pbs.NEVER in attributes.get("comment", ""):
            pbs.run("qdel", job)
        return found
    if marked:
        return marked
    if record is None:
        return pbs.FAILED, "neither PBS nor this folder knows it"
    since = record.setdefault("unknown_since", time.time())
    if time.time() - since > pbs.GRACE:
        return pbs.FAILED, "PBS knows of no end, and it has left no exit status"
    pbs.keep(record)
    return pbs.RUNNING, ""


if __name__ == "__main__":
    try:
        print(main(sys.argv[1]))
    except BaseException:
        traceback.print_exc()
        print(pbs.RUNNING)
    sys.exit(0)
