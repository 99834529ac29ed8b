#!/usr/bin/env -S sh -c 'setsid qdel "$@" < /dev/null > /dev/null 2>&1 & exec python3 "$0" "$@"'
"""Deletes jobs without waiting for the server.

Snakemake gives this program two seconds. On a busy machine, Python may not even start in that time,
so the first line of this file runs `qdel`.

    cancel.py JOB ...
"""

from __future__ import annotations

import shutil
import sys

import pbs


def main(jobs: list[str]) -> None:
    if not shutil.which("qdel"):
        pbs.stop(
            f"there is no qdel here, so these jobs go on: {' '.join(jobs)}; delete them on a "
            "machine that has it, or run the same command again, which takes them over"
        )
    # A new run that starts at once must not take over jobs that are being deleted.
    for record in pbs.records():
        if record.id in jobs:
            record.cancelled = True
            record.write()


if __name__ == "__main__":
    main(sys.argv[1:])
