#!/usr/bin/env -S sh -c 'setsid qdel "$@" < /dev/null > /dev/null 2>&1 & exec python3 "$0" "$@"'
"""Deletes jobs, without waiting for the server: Snakemake gives this program two seconds, in which
Python may not even have started on a busy machine; so the line above does it.

    cancel.py JOB ...
"""

from __future__ import annotations

import sys

import pbs


def main(jobs: list[str]) -> None:
    # A run that follows at once must not take over what is being deleted.
    records = pbs.records()
    for job in set(jobs) & set(records):
        pbs.keep(records[job] | {"cancelled": True})


if __name__ == "__main__":
    main(sys.argv[1:])
