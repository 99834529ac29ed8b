"""Where a job's messages go, and how far it is. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TextIO

# What the system says of a disk, and the mend.
MENDS = {
    os.strerror(errno.ENOSPC): "free some space for what this job writes",
    os.strerror(errno.EDQUOT): "free some space for what this job writes",
    os.strerror(errno.EIO): "have the disk looked at",
    os.strerror(errno.EROFS): "make it writable",
    os.strerror(errno.EACCES): "give yourself the right to it",
}
# Between two lines on how far a job is.
PROGRESS_SECONDS = 20.0
# The terminal, once messages go to a log, and the job's name on it.
_terminal: tuple[TextIO, str] | None = None


def say(text: str) -> None:
    """A line for whoever waits: in the log, and on the terminal with the job's name."""
    print(text, file=sys.stderr, flush=True)
    if _terminal:
        console, job = _terminal
        # The terminal may be gone, and the job goes on.
        with contextlib.suppress(OSError):
            print(f"{job}: {text}", file=console, flush=True)


def duration(seconds: float) -> str:
    """A time as a person says it: 45 s, 12 min, 3 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """How far a job is, how fast, and the time left: a line every `PROGRESS_SECONDS`.

    Args:
        total: what there is to do; None where that is not known.
        unit: of what, as a word behind a number.
        head: text before it.
        done: what is done already.
        rounds: how many as long rounds may follow this one.
    """

    def __init__(
        self, total: float | None, unit: str, head: str = "", done: float = 0, rounds: int = 0
    ):
        self.total, self.unit, self.head, self.rounds = total, unit, head, rounds
        self.first, self.started = done, time.monotonic()
        self.said = self.started

    def __call__(self, done: float) -> None:
        now = time.monotonic()
        if now - self.said < PROGRESS_SECONDS:
            return
        self.said = now
        rate = max(done - self.first, 1e-9) / max(now - self.started, 1e-9)
        speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
        if self.total is None:
            say(f"{self.head}{done:,.0f} {self.unit}, {speed} {self.unit}/s")
            return
        # An estimate may have been too small.
        total = max(self.total, done)
        left = duration((total - done + self.rounds * total) / rate)
        left = f"at most {left}" if self.rounds else left
        say(
            f"{self.head}{done:,.0f} of {total:,.0f} {self.unit}, {speed} {self.unit}/s, "
            f"{left} left"
        )


def log_to(path: str | Path) -> None:
    """Sends all that this process says, its libraries too, to a log file.

    What `say` says goes to the terminal too, and what ends it: in a sentence, with the log that has
    the rest.
    """
    global _terminal
    console = os.fdopen(os.dup(2), "w")
    name = Path(path).with_suffix("").as_posix().rpartition("/logs/")[2]
    _terminal = console, name
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
