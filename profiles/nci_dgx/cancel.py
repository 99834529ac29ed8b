#!/usr/bin/env python3
"""Deletes jobs, without waiting for the server: Snakemake gives this program two seconds.

cancel.py JOB ...
"""

from __future__ import annotations

import subprocess
import sys

import pbs


def main(jobs: list[str]) -> None:
    subprocess.Popen(
        ["qdel", *jobs],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # A run that follows at once must not take over what is being deleted.
    records = pbs.records()
    for job in set(jobs) & set(records):
        pbs.keep(records[job] | {"cancelled": True})


if __name__ == "__main__":
    main(sys.argv[1:])
