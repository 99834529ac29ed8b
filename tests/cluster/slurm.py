"""A real Slurm of one machine, for tests: started as root in a folder of its own, on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from waiting import HANGS, wait_until

# All that is run here, by the profiles, and by other programs of these.
PROGRAMS = [
    *("munged", "mariadbd", "mariadb-install-db", "my_print_defaults", "slurmdbd", "slurmctld"),
    *("slurmd", "slurmstepd", "sacct", "sacctmgr", "sbatch", "scancel", "sinfo", "squeue", "srun"),
    *("qsub", "qstat", "qdel"),
]
# Daemons are where the PATH of a user may not lead.
PATH = os.pathsep.join([os.environ["PATH"], "/usr/local/sbin", "/usr/sbin", "/sbin"])
# Who pays for jobs.
ACCOUNT = "lab"

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge/socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MessageTimeout=100
TCPTimeout=60
BatchStartTimeout=600
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SlurmdParameters=config_overrides
DefMemPerCPU=500
KillWait=2
ReturnToService=2
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounting_port}
AccountingStoragePass={folder}/munge/socket
AccountingStorageEnforce=associations
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=256000 Gres=gpu:2
PartitionName=main Nodes={host} Default=YES
PartitionName=gpu Nodes={host}
PartitionName=copy Nodes={host}
"""
ACCOUNTING = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={accounting_port}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=root
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
"""
# A GPU is a device file that the job has to itself; any does where none is used.
DEVICES = "AutoDetect=off\nNodeName={host} Name=gpu File=/dev/null,/dev/zero\n"


def missing() -> str:
    """Returns why this machine cannot run Slurm and what to do, or nothing if it can."""
    if lack := [program for program in PROGRAMS if not shutil.which(program, path=PATH)]:
        return f"there is no {', '.join(lack)}; on Debian, .ci/install-slurm installs them"
    return "" if os.geteuid() == 0 else "only root can start Slurm here; run these tests as root"


def free_ports(number: int) -> list[int]:
    """Ports on which nothing listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Slurm:
    """Controller, node and authentication of one cluster; `environment` is for its commands."""

    def __init__(self, folder: Path):
        self.folder = folder
        configuration = folder / "slurm.conf"
        # The Slurm plugin takes SLURM_CONF from its jobs, where srun then lacks it.
        srun = folder / "bin" / "srun"
        srun.parent.mkdir()
        real = shutil.which("srun", path=PATH)
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={configuration} exec {real} "$@"\n')
        srun.chmod(0o755)
        path = os.pathsep.join([str(srun.parent), PATH])
        self.environment = os.environ | {"SLURM_CONF": str(configuration), "PATH": path}
        self.daemons: dict[str, subprocess.Popen] = {}
        for name in ("munge", "database", "state", "spool"):
            (folder / name).mkdir(mode=0o700)
        host = socket.gethostname().split(".")[0]
        names = ("controller_port", "node_port", "accounting_port", "database_port")
        self.values = {
            "folder": folder,
            "host": host,
            **dict(zip(names, free_ports(4), strict=True)),
        }
        configuration.write_text(CONFIGURATION.format(**self.values))
        (folder / "slurmdbd.conf").write_text(ACCOUNTING.format(**self.values))
        (folder / "slurmdbd.conf").chmod(0o600)
        (folder / "gres.conf").write_text(DEVICES.format(host=host))

    def start(self) -> None:
        """Starts everything, and waits until jobs can run."""
        munge = self.folder / "munge"
        (munge / "key").write_bytes(os.urandom(1024))
        (munge / "key").chmod(0o400)
        # --force: the folder of the test is not open to all, as munged would have it.
        options = {"socket": "socket", "key-file": "key", "seed-file": "seed", "pid-file": "pid"}
        places = [f"--{option}={munge / name}" for option, name in options.items()]
        self._start("munged", "--foreground", "--force", *places)
        wait_until((munge / "socket").exists, "munged answers")
        database = ["--no-defaults", "--user=root", f"--datadir={self.folder}/database"]
        subprocess.run(["mariadb-install-db", *database], check=True, capture_output=True)
        listen = ["--bind-address=127.0.0.1", f"--port={self.values['database_port']}"]
        place = f"--socket={self.folder}/database/socket"
        self._start("mariadbd", *database, *listen, place, "--skip-grant-tables")
        wait_until((self.folder / "database" / "socket").exists, "the database answers")
        self._start("slurmdbd", "-D")
        sacctmgr = ("sacctmgr", "--immediate", "add")
        wait_until(lambda: self.ask(*sacctmgr, "cluster", "test"), "slurmdbd answers")
        self.ask(*sacctmgr, "account", ACCOUNT)
        self.ask(*sacctmgr, "user", "root", f"account={ACCOUNT}")
        self._start("slurmctld", "-D")
        self._start("slurmd", "-D")
        wait_until(lambda: self.ask("sinfo", "-h", "-o", "%T") == "idle", "the node is idle")

    def _start(self, program: str, *arguments: str) -> None:
        with open(self.folder / f"{program}.out", "ab") as said:
            self.daemons[program] = subprocess.Popen(
                [program, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def go_away(self) -> None:
        """Stops controller and accounting, as when their machine is started anew; jobs go on."""
        for program in ("slurmctld", "slurmdbd"):
            daemon = self.daemons.pop(program)
            daemon.terminate()
            daemon.wait(HANGS)

    def come_back(self) -> None:
        """Starts them again, with the jobs that they knew."""
        self._start("slurmdbd", "-D")
        wait_until(lambda: self.ask("sacctmgr", "list", "cluster"), "slurmdbd answers")
        self._start("slurmctld", "-D")
        wait_until(lambda: self.ask("sinfo"), "slurmctld answers")

    def ask(self, *command: str) -> str:
        """What a Slurm command says, or nothing if it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    def jobs(self, *states: str) -> list[str]:
        """The ids of the jobs in these states; without any, of those that wait or run."""
        chosen = ["--states", ",".join(states)] if states else []
        return self.ask("squeue", "--noheader", "--format", "%A", *chosen).split()

    def stop(self) -> None:
        """Ends every process that was started with this Slurm's configuration."""
        mark = f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()
        for attempt in range(3):
            for path in Path("/proc").glob("[0-9]*/environ"):
                try:
                    if mark in path.read_bytes().split(b"\0"):
                        os.kill(int(path.parent.name), signal.SIGKILL)
                except OSError:
                    continue
            # A job may have been about to start another process.
            time.sleep(0.1 * attempt)
        for daemon in self.daemons.values():
            daemon.kill()
            daemon.wait()
