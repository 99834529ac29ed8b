#!/usr/bin/env -S sh -c 'setsid qdel "$@" < /dev/null > /dev/null 2>&1 & exec python3 "$0" "$@"'
"""Deletes jobs without waiting for the server.

Snakemake gives this program two seconds. On a busy machine, Python may not even start in that time,
so the first line of this file runs `qdel`.

    cancel.py JOB ...
"""

from __future__ import annotations

import sys

import pbs


def main(jobs: list[str]) -> None:
    # A new run that starts at once must not take over jobs that are being deleted.
    records = pbs.records()
    for job in set(jobs) & set(records):
        pbs.keep(records[job] | {"cancelled": True})


if __name__ == "__main__":
    main(sys.argv[1:])
