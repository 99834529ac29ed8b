"""Where a job's messages go. Standard library only."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path


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
        traceback.print_exception(kind, error, trace)
        print(f"{kind.__name__}: {error}\n(more in {path})", file=console, flush=True)

    sys.excepthook = say
