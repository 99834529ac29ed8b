"""Other projects' programs (MEME Suite, R): which one to use, running it, its version."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from crmnet.motifs.motif import MotifError

ENGINES = ("auto", "tool", "builtin")
BUILTIN = "built in"


def tool(program: str, engine: str) -> str | None:
    """The path of a real program to use, or None where the built-in engine does its job.

    Args:
        engine: `tool` insists on the program, `builtin` on ours, `auto` takes the program where it
            is on the PATH.

    Raises:
        MotifError: the engine is none of these, or `tool` finds no program.
    """
    if engine not in ENGINES:
        raise MotifError(f"engine {engine!r} is none of {', '.join(ENGINES)}")
    path = None if engine == "builtin" else shutil.which(program)
    if engine == "tool" and not path:
        raise MotifError(
            f"engine `tool`: there is no program {program} on the PATH; install it, or set "
            "`engine: auto` or `builtin`"
        )
    return path


def run_tool(command: Sequence[str | Path], errors: int | None = subprocess.PIPE) -> str:
    """What a program prints.

    Args:
        command: the program and its arguments.
        errors: where its errors go; by default into the message of the exception. With None they
            go to this process's own, as they come: to the log of a job that takes hours.

    Raises:
        MotifError: it fails; with the last of what it printed.
    """
    command = [str(part) for part in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    if done.returncode:
        why = "; see the log"
        if done.stderr is not None:
            why = "\n".join([":", *(done.stdout + done.stderr).strip().splitlines()[-5:]])
        raise MotifError(f"{' '.join(command)}: failed ({done.returncode}){why}")
    return done.stdout


def version(program: str) -> str:
    """Name and version of a program of the MEME Suite."""
    # MEME itself knows no `--version`, the others both.
    return f"{Path(program).name} {run_tool([program, '-version']).strip()}"
