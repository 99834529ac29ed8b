#!/usr/bin/env -S sh -c 'trap "" INT; exec python3 "$0" "$@"'
"""Prints the state of a job in one word: running, success or failed.

It always ends with status 0, because any other status ends the whole workflow. For this reason the
first line makes it ignore Ctrl-C, which is meant for Snakemake.

    status.py JOB
"""

from __future__ import annotations

import sys
import time
import traceback

import pbs


def main(job: str) -> str:
    record = pbs.record_of(job)
    word, reason = of(job, record)
    if word != pbs.RUNNING and record:
        if word == pbs.FAILED:
            said = f"{record.name} (job {job}): {reason}; see its log: {record.log}"
            print(said, file=sys.stderr)
        record.forget()
    return word


def of(job: str, record: pbs.Record | None) -> tuple[str, str]:
    """Returns the state of a job, and the reason of a failure."""
    marked = record and pbs.judge_marker(record)
    if marked and marked[0] == pbs.SUCCESS:
        return marked
    try:
        # If the marker tells that the job failed, the server may know the reason.
        attributes = pbs.ask([job]).get(job) if marked else pbs.ask_together(job)
        found = attributes and pbs.judge(attributes)
        if found and not (marked and found[0] == pbs.RUNNING):
            if pbs.NEVER in attributes.get("comment", ""):
                pbs.run("qdel", job)
            return found
    except pbs.Unreachable:
        return marked or (pbs.RUNNING, "")
    if marked:
        return marked
    if record is None:
        return pbs.FAILED, "neither PBS nor this folder knows the job"
    now, since = time.time(), record.unknown_since
    # A time from the future, or none at all, begins now.
    if not isinstance(since, (int, float)) or not since <= now:
        record.unknown_since = now
        record.write()
    elif now - since > pbs.GRACE:
        return pbs.FAILED, "PBS does not know the job, and the job has left no exit status"
    return pbs.RUNNING, ""


if __name__ == "__main__":
    try:
        print(main(sys.argv[1]))
    except OSError as error:
        # For instance a full disk.
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        print(pbs.RUNNING)
    except BaseException:
        traceback.print_exc()
        print(pbs.RUNNING)
    sys.exit(0)
