"""Commands that imitate PBS: qsub, qstat and qdel over a folder, which can truly run their jobs."""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path


class Server:
    """PBS as the profile's programs see it.

    `home/jobs.json` has its jobs. Other files in `home` change what the commands do:

    - `away`: for so many calls, the server cannot be reached;
    - `lost`: qsub accepts a job, and ends with this error;
    - `answer`: what qsub prints, with {id} for the id;
    - `job name`: the name of every job;
    - `everything`: qstat lists all jobs, whichever it is asked for;
    - `hidden`: qstat does not show the variables of jobs;
    - `no history`: jobs that have ended are forgotten;
    - `runs`: jobs truly run.
    """

    def __init__(self, home: Path, *does: str):
        self.home = home
        (home / "bin").mkdir(parents=True)
        for name in ("qsub", "qstat", "qdel"):
            command = shlex.join([sys.executable, __file__, str(home), name])
            self.program(name, f'exec {command} "$@"')
        self.set()
        for what in does:
            self.does(what)

    def program(self, name: str, text: str) -> None:
        """Puts a program on the PATH."""
        path = self.home / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def does(self, what: str, how: bytes = b"") -> None:
        """Changes what the commands do."""
        (self.home / what).write_bytes(how)

    def no_longer(self, what: str) -> None:
        (self.home / what).unlink()

    def told(self, what: str) -> bytes | None:
        path = self.home / what
        return path.read_bytes() if path.exists() else None

    def set(self, **jobs: dict) -> None:
        """Sets the jobs, by number."""
        self.keep({f"{number.strip('_')}.pbs": found for number, found in jobs.items()})

    def change(self, job: str, **attributes: str) -> None:
        """Changes what is known of a job."""
        jobs = self.jobs()
        jobs[job] |= attributes
        self.keep(jobs)

    def keep(self, jobs: dict[str, dict]) -> None:
        (self.home / "jobs.json").write_text(json.dumps(jobs))

    def jobs(self) -> dict[str, dict]:
        """Returns job id -> attributes."""
        jobs = json.loads((self.home / "jobs.json").read_text())
        for job, attributes in jobs.items():
            if status := self.told(f"{job}.ended"):
                attributes |= {"job_state": "F", "Exit_status": status.decode()}
        return jobs

    def calls(self, name: str) -> list[list[str]]:
        """Returns the calls of a command, as words."""
        calls = self.home / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line.split() for line in lines if line.split()[0] == name]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of programs that call this PBS."""
        return os.environ | {"PATH": f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def stop(self) -> None:
        """Ends all jobs that run."""
        for job in self.jobs():
            self.kill(job, signal.SIGKILL)

    def kill(self, job: str, number: int) -> None:
        """Sends a signal to the processes of a job."""
        if session := self.told(f"{job}.session"):
            try:
                os.killpg(int(session), number)
            except ProcessLookupError:
                return

    # The commands.

    def command(self, name: str, arguments: list[str]) -> str | int | None:
        """Runs a command, and returns its exit status or error."""
        if name == "run":
            return self.run(*arguments)
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with (self.home / "calls").open("a") as calls:
                calls.write(" ".join([name, *arguments]) + "\n")
            if left := int(self.told("away") or 0):
                self.does("away", str(left - 1).encode())
                return f"Connection refused\n{name}: cannot connect to server pbs (errno=111)"
            return getattr(self, name)(arguments)

    def qsub(self, arguments: list[str]) -> str | int | None:
        if "nowhere" in arguments:
            return "qsub: Unknown queue"
        jobs = self.jobs()
        new, variables = f"{len(jobs) + 1}.pbs", arguments[arguments.index("-v") + 1]
        jobs[new] = {"job_state": "Q", "Variable_List": f"PBS_O_HOME=/home/ab1234,{variables}"}
        if self.told("runs") is not None:
            jobs[new]["job_state"] = "R"
            # PBS keeps a copy of the script, which Snakemake may delete.
            (self.home / f"{new}.sh").write_text(Path(arguments[-1]).read_text())
            after = arguments[arguments.index("-W") + 1] if "-W" in arguments else ""
            given = dict(each.split("=", 1) for each in variables.split(",") if "=" in each)
            with Path(arguments[arguments.index("-o") + 1]).open("wb") as log:
                subprocess.Popen(
                    [sys.executable, __file__, self.home, "run", new, *after.split(":")[1:]],
                    env={**os.environ, **given, "PBS_JOBID": new},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        self.keep(jobs)
        if (error := self.told("lost")) is not None:
            sys.stderr.buffer.write(error + b"\n")
            return 162
        answer = self.told("answer") or b"{id}\n"
        sys.stdout.buffer.write(answer.replace(b"{id}", new.encode()))

    def run(self, job: str, *after: str) -> None:
        """Runs a job when others have ended, and notes its exit status."""
        while not all(self.told(f"{other}.ended") for other in after):
            time.sleep(0.1)
        process = subprocess.Popen(["bash", self.home / f"{job}.sh"], start_new_session=True)
        self.does(f"{job}.session", str(process.pid).encode())
        self.does(f"{job}.ended", str(process.wait()).encode())

    def qdel(self, arguments: list[str]) -> None:
        jobs = self.jobs()
        for job in arguments:
            jobs[job]["job_state"] = "E"
            self.kill(job, signal.SIGTERM)
        self.keep(jobs)

    def qstat(self, arguments: list[str]) -> int | None:
        jobs, name = self.jobs(), self.told("job name") or b"train"
        if self.told("no history") is not None and "-x" in arguments:
            print("qstat: PBS is not configured to maintain job history 1.pbs", file=sys.stderr)
            return None
        if "-x" not in arguments:
            jobs = {job: found for job, found in jobs.items() if found["job_state"] != "F"}
        out = sys.stdout.buffer
        if "-u" in arguments:
            out.write(b"\npbs: 5 nodes are down\n" + b" " * 60 + b"Req'd  Req'd   Elap\n")
            out.write(b"Job ID   Username Queue    Jobname    SessID NDS TSK Memory Time  S Time\n")
            for job in jobs:
                # Its columns are narrow.
                out.write(job[:3].encode() + b"*     ab1234   normal   " + name[:10] + b"  --  R\n")
            return None
        wanted = [job if "." in job else f"{job}.pbs" for job in arguments if job[0] != "-"]
        status = None
        for job in jobs if self.told("everything") is not None else wanted:
            if job not in jobs:
                print(f"qstat: Unknown Job Id {job}", file=sys.stderr)
                status = 153
                continue
            out.write(f"Job Id: {job}\n    Job_Name = ".encode() + name + b"\n")
            for key, value in jobs[job].items():
                if key != "Variable_List" or self.told("hidden") is None:
                    out.write(f"    {key} = {value}\n".encode())
            out.write(b"\n")
        return status


if __name__ == "__main__":
    server = Server.__new__(Server)
    server.home = Path(sys.argv[1])
    sys.exit(server.command(sys.argv[2], sys.argv[3:]))
