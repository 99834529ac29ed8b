"""One training on several hosts: a rule's script runs on each of them, joined by JAX."""

from __future__ import annotations

import json
import os
import runpy
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from crmnet.training.devices import ADDRESS, HOST, HOSTS

# Where launchers say which of their processes this is: srun, Open MPI, PMIx, MPICH, a TPU VM.
RANKS = ("SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "TPU_WORKER_ID")
PARTS = ("input", "output", "params", "wildcards")


def joined() -> bool:
    """Whether this process is one that `launch` has started."""
    return HOST in os.environ


def launch(script: Path | str, job: object, hosts: int, launcher: str | None, folder: Path) -> None:
    """Runs a rule's script on all hosts, and waits for it.

    Args:
        script: which, on a disk that all hosts see, as all that the job names.
        job: Snakemake's object in the script.
        hosts: how many.
        launcher: the command that starts another command once on each host, this one first, with
            `{hosts}` for their number, such as "srun --nodes={hosts} --ntasks-per-node=1"; None
            starts all processes here.
        folder: where the description of the job is left for the hosts.

    Raises:
        RuntimeError: a process failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    description = folder / f"{Path(script).stem}.{os.getpid()}.json"
    described = {part: dict(getattr(job, part).items()) for part in PARTS}
    described |= {"log": list(job.log), "threads": job.threads}
    description.write_text(json.dumps(described, default=str))
    host = socket.gethostname() if launcher else "127.0.0.1"
    with socket.socket() as free:
        free.bind(("", 0))
        address = f"{host}:{free.getsockname()[1]}"
    environment = os.environ | {
        ADDRESS: address,
        HOSTS: str(hosts),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [sys.executable, "-m", "crmnet.training.hosts", str(script), str(description)]
    try:
        if launcher:
            commands = [(shlex.split(launcher.format(hosts=hosts)) + command, environment)]
        else:
            commands = [(command, environment | {HOST: str(rank)}) for rank in range(hosts)]
        _together(commands)
    finally:
        description.unlink()


def _together(commands: list[tuple[list[str], dict]]) -> None:
    """Runs processes side by side; when one fails, ends the others, which would wait for it."""
    running = []
    try:
        for command, environment in commands:
            running.append(subprocess.Popen(command, env=environment))
        while any(process.poll() is None for process in running):
            if any(process.poll() for process in running):
                break
            time.sleep(0.1)
        for process in running:
            if process.poll():
                raise RuntimeError(
                    f"{shlex.join(process.args)} ended with status {process.returncode}; "
                    "the log of each host says why"
                )
    finally:
        for process in running:
            process.kill()
            process.wait()


def _rank() -> int:
    for name in (HOST, *RANKS):
        if name in os.environ:
            return int(os.environ[name])
    raise RuntimeError(
        f"none of {', '.join(RANKS)} is set, so that this host does not know which one it is; "
        "set `training: launcher` to a command that sets one of them"
    )


def main(script: str, description: str) -> None:
    """Runs a script on this host, as `launch` asks: the first host has the job's log, each other
    one of its own."""
    rank = _rank()
    os.environ[HOST] = str(rank)
    job = json.loads(Path(description).read_text())
    log = job["log"][0] + (f".host{rank}" if rank else "")
    parts = {part: SimpleNamespace(**job[part]) for part in PARTS}
    snakemake = SimpleNamespace(**parts, log=[log], threads=job["threads"])
    runpy.run_path(script, init_globals={"snakemake": snakemake})


if __name__ == "__main__":
    main(*sys.argv[1:])
