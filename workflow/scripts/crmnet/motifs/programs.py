"""External programs (MEME Suite, R): choosing and running them, and finding their versions."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from crmnet.motifs.motif import MotifError

ENGINES = ("auto", "tool", "builtin")
BUILTIN = "built in"


def tool(program: str, engine: str) -> str | None:
    """Returns the path of a program to use, or None if the built-in engine is to be used.

    Args:
        program: the name of the program.
        engine: `tool` requires the program, `builtin` uses the built-in engine, and `auto` uses the
            program if it is on the PATH.

    Raises:
        MotifError: the engine is none of these, or it is `tool` and the program is missing.
    """
    if engine not in ENGINES:
        raise MotifError(f"engine {engine!r} is not one of {', '.join(ENGINES)}")
    path = None if engine == "builtin" else shutil.which(program)
    if engine == "tool" and not path:
        raise MotifError(
            f"engine `tool`: the program {program} is not on the PATH; install it, or set `engine: "
            "auto` or `builtin`"
        )
    return path


def run_tool(command: Sequence[str | Path], errors: int | None = subprocess.PIPE) -> str:
    """Runs a program and returns its output.

    Args:
        command: the program and its arguments.
        errors: where the program's stderr goes; by default into the message of the exception. With
            None it goes to the stderr of this process at once, which is the log of the job.

    Raises:
        MotifError: the program fails. The message has the last lines of its output, in one line.
    """
    command = [str(part) for part in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    if done.returncode:
        why = "; see the log"
        if done.stderr is not None:
            lines = (done.stdout + done.stderr).strip().splitlines()[-5:]
            # A rehearsal shows the last line of a log.
            why = ": " + "; ".join(line.strip() for line in lines)
        raise MotifError(f"{' '.join(command)}: failed ({done.returncode}){why}")
    return done.stdout


def version(program: str) -> str:
    """Returns the name and version of a program of the MEME Suite."""
    # MEME itself has no option `--version`. All programs have `-version`.
    return f"{Path(program).name} {run_tool([program, '-version']).strip()}"
