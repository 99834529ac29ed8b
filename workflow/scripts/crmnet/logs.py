"""Where a job's messages go. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from pathlib import Path

# What the system says of a disk, and the mend.
MENDS = {
    os.strerror(errno.ENOSPC): "free some space for what this job writes",
    os.strerror(errno.EDQUOT): "free some space for what this job writes",
    os.strerror(errno.EIO): "have the disk looked at",
    os.strerror(errno.EROFS): "make it writable",
    os.strerror(errno.EACCES): "give yourself the right to it",
}


def log_to(path: str | Path) -> None:
    """Sends all that this process says, its libraries too, to a log file.

    What ends it is also said on the terminal: in a sentence, with the log that has the rest.
    """
    console = os.fdopen(os.dup(2), "w")
    # Not closed: it is the process's standard error from here on.
    log = open(path, "w", buffering=1)  # noqa: SIM115
    os.dup2(log.fileno(), 2)
    sys.stderr = log

    def say(kind, error, trace):
        mend = next((mend for fault, mend in MENDS.items() if fault in str(error)), "")
        mend = f"; {mend}, and run the same command again" if mend else ""
        print(f"{kind.__name__}: {error}{mend}\n(more in {path})", file=console, flush=True)
        # A full disk takes no log either.
        with contextlib.suppress(OSError):
            traceback.print_exception(kind, error, trace)

    sys.excepthook = say
