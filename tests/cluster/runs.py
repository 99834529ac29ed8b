"""Snakemake through a cluster's profile, as a user would run it."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm import ACCOUNT, Slurm
from waiting import HANGS

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Profile:
    """What a user of this cluster would set for it, and where Slurm's words about a job stand."""

    name: str
    arguments: tuple[str, ...]
    logs: str

    def __str__(self):
        return self.name


# This machine, which needs no Slurm.
LOCAL = Profile("local", (), logs="")
PROFILES = [
    Profile(
        "slurm",
        # The profile's polling is made for jobs of more than seconds.
        (
            *("--sdm", "env-modules"),
            *("--slurm-init-seconds-before-status-checks", "2"),
            *("--max-status-checks-per-second", "1"),
        ),
        logs=".snakemake/slurm_logs/**/*.log",
    ),
    # By the commands of PBS that Slurm has.
    Profile(
        "nci_dgx",
        (
            *("--sdm", "env-modules"),
            *("--default-resources", "download_queue=copy", "gpu_queue=gpu", "cpu_queue=main"),
            *("cpus_per_gpu=1", "pbs_list=ncpus={ncpus},mem={mem_mb}mb,walltime={walltime}"),
            *("disk_mb=100", "mem_mb=500", "runtime=5"),
            *("--seconds-between-status-checks", "2"),
        ),
        logs=".snakemake/pbs/logs/*.log",
    ),
]


class Run:
    """One Snakemake command in a folder: started, then waited for or interrupted."""

    def __init__(self, profile: Profile, slurm: Slurm | None, folder: Path, *arguments: object):
        profile_folder = ROOT / "profiles" / profile.name
        command = [sys.executable, "-m", "snakemake", "--profile", profile_folder]
        self.folder = folder
        self.said = folder / "said.txt"
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen(
                [*map(str, [*command, "--directory", folder, *profile.arguments, *arguments])],
                cwd=ROOT,
                env={
                    **(slurm.environment if slurm else os.environ),
                    "PYTHONDONTWRITEBYTECODE": "",
                    "SBATCH_ACCOUNT": ACCOUNT,
                    "PROJECT": ACCOUNT,
                    # All is on one machine.
                    "CRMNET_PBS_GRACE": "5",
                },
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def interrupt(self) -> None:
        """Ctrl-C, as a terminal sends it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def finish(self) -> tuple[int, str]:
        """Exit status and text."""
        try:
            self.process.wait(HANGS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still runs after {HANGS} s:\n{self.text}", pytrace=False)
        return self.process.returncode, self.text

    @property
    def text(self) -> str:
        return self.said.read_text()
