"""Runs one training on several hosts: the rule's script runs on each of them, and JAX joins
them."""

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

# The variables in which launchers number their processes: srun, Open MPI, PMIx, MPICH, a TPU VM.
RANKS = ("SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "TPU_WORKER_ID")
PARTS = ("input", "output", "params", "wildcards")


def joined() -> bool:
    """Tells whether `launch` has started this process."""
    return HOST in os.environ


def launch(script: Path | str, job: object, hosts: int, launcher: str | None, folder: Path) -> None:
    """Runs a rule's script on all hosts, and waits until it has ended on each.

    Args:
        script: the script. It and all files of the job are on a disk that all hosts can read.
        job: Snakemake's object in the script.
        hosts: the number of hosts.
        launcher: the command that starts another command once on each host, this host first, with
            `{hosts}` for their number, such as "srun --nodes={hosts} --ntasks-per-node=1"; None
            starts all processes on this host.
        folder: the folder for the file that describes the job to the hosts.

    Raises:
        RuntimeError: a process has failed.
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
    """Runs processes in parallel. If one fails, ends the others, which would wait for it."""
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
                    "see the log of each host for the reason"
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
        f"none of the variables {', '.join(RANKS)} is set, so that this host does not know its "
        "number; set `training: launcher` to a command that sets one of them"
    )


def main(script: str, description: str) -> None:
    """Runs the script of `launch` on this host. The first host writes to the job's log, and each
    other host to a log of its own."""
    rank = _rank()
    os.environ[HOST] = str(rank)
    job = json.loads(Path(description).read_text())
    log = job["log"][0] + (f".host{rank}" if rank else "")
    parts = {part: SimpleNamespace(**job[part]) for part in PARTS}
    snakemake = SimpleNamespace(**parts, log=[log], threads=job["threads"])
    runpy.run_path(script, init_globals={"snakemake": snakemake})


if __name__ == "__main__":
    main(*sys.argv[1:])
