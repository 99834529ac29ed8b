"""Writes the messages and the progress of a job. Needs the standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TextIO

# Errors that the system reports about a disk -> what to do.
MENDS = {
    os.strerror(errno.ENOSPC): "free some space for what this job writes",
    os.strerror(errno.EDQUOT): "free some space for what this job writes",
    os.strerror(errno.EIO): "have the disk checked",
    os.strerror(errno.EROFS): "make it writable",
    os.strerror(errno.EACCES): "give yourself the permission",
}
# The time between two progress messages.
PROGRESS_SECONDS = 20.0
# The terminal and the name of the job on it, once `log_to` has been called.
_terminal: tuple[TextIO, str] | None = None


def printable(text: str, most: int | None = None, kept: str = "\n\t") -> str:
    """Returns text, such as that of a file, fit to print: with escapes in place of whatever a
    terminal would obey, but for the letters `kept`, and without what is beyond `most` letters."""
    if most is not None and len(text) > most:
        text = f"{text[:most]}..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text)


def say(text: str) -> None:
    """Writes a line to the log, and with the job's name to the terminal."""
    text = printable(text)
    print(text, file=sys.stderr, flush=True)
    if _terminal:
        console, job = _terminal
        # The job continues even if the terminal is gone.
        with contextlib.suppress(OSError):
            print(f"{job}: {text}", file=console, flush=True)


def duration(seconds: float) -> str:
    """Returns a time in a readable form: 45 s, 12 min, 3 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """Logs how much a job has done, its rate and the time left, every `PROGRESS_SECONDS`.

    Args:
        total: the amount of work; None if it is unknown.
        unit: the unit of work, as a word after a number.
        head: the text at the start of each line.
        done: the amount that is done already.
        rounds: the number of equally long rounds that may follow this one.
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
        # The total may be an estimate that was too small.
        total = max(self.total, done)
        left = duration((total - done + self.rounds * total) / rate)
        left = f"at most {left}" if self.rounds else left
        say(
            f"{self.head}{done:,.0f} of {total:,.0f} {self.unit}, {speed} {self.unit}/s, "
            f"{left} left"
        )


def log_to(path: str | Path) -> None:
    """Sends all messages of this process and its libraries to a log file.

    The lines of `say` also go to the terminal. So does an error that ends the process, as one
    sentence and the name of the log with the details.
    """
    global _terminal
    console = os.fdopen(os.dup(2), "w")
    name = Path(path).with_suffix("").as_posix().rpartition("/logs/")[2]
    _terminal = console, name
    # The file stays open, because it is the standard error of the process from here on.
    log = open(path, "w", buffering=1)  # noqa: SIM115
    os.dup2(log.fileno(), 2)
    sys.stderr = log

    def say(kind, error, trace):
        mend = next((mend for fault, mend in MENDS.items() if fault in str(error)), "")
        mend = f"; {mend}, and run the same command again" if mend else ""
        sentence = printable(f"{kind.__name__}: {error}{mend}\n(more in {path})")
        print(sentence, file=console, flush=True)
        # If the disk is full, the log cannot be written either.
        with contextlib.suppress(OSError):
            traceback.print_exception(kind, error, trace)

    sys.excepthook = say
