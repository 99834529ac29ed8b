"""Rehearses a run: tries in minutes, where the run will do it, what a run of days depends on.

Each job of a rehearsal collects what it finds in `Checks`, so that one failure hides none of the
others. `Snakemake` starts these jobs by the command with which the rehearsal was started, and so on
the same queues. Needs the standard library only, because it runs in every environment.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from crmnet.fingerprint import PACKAGE, imports, modules, reached
from crmnet.logs import say

# The states of a finding (`Finding`).
READY, NOTE, UNTESTED, NOT_READY = "ready", "note", "not tested", "not ready"
# The target of a rehearsal.
TARGET = "rehearse"
# The line of a run's terminal that names a job which has failed, and the line with which the next
# job begins (see `rules/snakemake_internals.py`).
_FAILED = re.compile(r"^[\d:]{8} .* done, +\d+ %  (\S+) has failed$")
_NO_LOG = "(there is none)"
_ENDED = re.compile(r"^\w+ \(job (\S+)\): (.*?)(?:; see its log: .*)?$")
# What Snakemake says at the end of every run that has failed.
_CLOSING = (
    *("Shutting down", "Exiting because", "Complete log", "WorkflowError:"),
    *("At least one job did not", "Trying to restart", "Failed:", "All finished files are kept"),
)
_JOB = re.compile(r"^[\d:]{8} .* done, +\d+ %")


@dataclass(frozen=True)
class Finding:
    """What a rehearsal has found about one thing that the run depends on.

    Attributes:
        what: the thing.
        state: `READY`; `NOTE`: the run comes through, but not as one might think; `UNTESTED`; or
            `NOT_READY`: the run would fail.
        found: what was seen.
        mend: what to do; empty if there is nothing to do.
        where: the machine.
    """

    what: str
    state: str
    found: str
    mend: str = ""
    where: str = ""


class Checks:
    """Collects the findings of a job."""

    def __init__(self):
        self.findings: list[Finding] = []
        self.host, self.started = socket.gethostname(), time.time()

    def add(
        self, what: str, state: str, found: str, mend: str = "", where: str | None = None
    ) -> None:
        """Adds a finding, by default of this machine."""
        where = self.host if where is None else where
        self.findings.append(Finding(what, state, found, mend, where))
        print(f"{what}: {state}: {found}{mend and '; ' + mend}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def check(self, what: str, mend: str, state: str = READY) -> Iterator[list[str]]:
        """Adds a finding with a state, or with `NOT_READY` if an error occurs in the `with` block.

        Yields:
            A list to which the block adds what it sees.
        """
        seen: list[str] = []
        try:
            yield seen
        # Whatever goes wrong is a finding, and the other checks go on.
        except Exception as error:
            # The errors of this project are whole sentences and say what to do.
            own = type(error).__module__.startswith(f"{PACKAGE.name}.")
            said = str(error) if own else f"{type(error).__name__}: {error}"
            self.add(what, NOT_READY, said, mend)
        else:
            self.add(what, state, "; ".join(seen))

    def write(self, path: str | Path, **more: object) -> None:
        """Writes the findings, and whatever else the job has measured, as a JSON object."""
        content = {"host": self.host, "started": self.started, "ended": time.time(), **more}
        content["findings"] = [asdict(finding) for finding in self.findings]
        Path(path).write_text(json.dumps(content, indent=1) + "\n")


# Environments


def libraries(scripts: Iterable[Path]) -> tuple[set[str], set[str]]:
    """Returns the modules of other projects that scripts and what they reach of the package import:
    first those that are imported with the file, then those that only a function imports."""
    at_once, later = set(), set()
    for path in set().union(*(reached(Path(script)) for script in scripts)):
        tree = ast.parse(path.read_bytes())
        for functions, names in ((False, at_once), (True, later)):
            # What is imported for type hints alone need not be there.
            for node in imports(tree, functions, hints=False):
                names |= {name for name, _ in modules(node)}
    own = sys.stdlib_module_names | {PACKAGE.name}
    first, second = ({n for n in names if n.split(".")[0] not in own} for names in (at_once, later))
    return first, second - first


def pins(entries: Iterable[str | Mapping]) -> tuple[dict[str, str], dict[str, str]]:
    """Returns package -> version of the packages from conda and of those from pip.

    Args:
        entries: the `dependencies` in the file of a conda environment.
    """
    conda = dict(entry.split("=", 1) for entry in entries if isinstance(entry, str))
    pip = [line for entry in entries if isinstance(entry, dict) for line in entry["pip"]]
    # A package with a marker is for some machines only, and an import tells whether it is needed.
    plain = (re.sub(r"\[.*?\]", "", line) for line in pip if ";" not in line)
    return conda, dict(line.split("==") for line in plain)


def check_environment(
    checks: Checks,
    name: str,
    dependencies: Sequence[str | Mapping],
    scripts: Iterable[Path],
    conda: bool,
) -> None:
    """Checks that this process can import what scripts import, and that it has the versions that
    the file of their environment pins.

    Args:
        name: the name of the environment.
        dependencies: see `pins`.
        scripts: the scripts that run in it.
        conda: whether this process runs in that environment. Otherwise it runs in the environment
            of Snakemake, where another version is no error.
    """
    mend = (
        f"remove the environment (`snakemake --list-conda-envs` names its folder) and rehearse "
        f"again, or correct envs/{name}.yaml"
        if conda
        else f"add `--sdm conda`, or install the packages of envs/{name}.yaml where Snakemake runs"
    )
    at_once, later = libraries(scripts)
    broken, versions = [], []
    present = {module for module in later if importlib.util.find_spec(module.split(".")[0])}
    for module in sorted(at_once | present):
        say(f"imports {module}")
        try:
            importlib.import_module(module)
        # A library that does not fit another one can fail with any error.
        except Exception as error:
            broken.append(f"{module} ({type(error).__name__}: {error})")
    from_conda, from_pip = pins(dependencies)
    for package, wanted in (from_pip | (from_conda if conda else {})).items():
        has = _installed(package, package in from_conda)
        if not (has == wanted or package in from_conda and str(has).startswith(f"{wanted}.")):
            versions.append(
                f"{package} is {has} instead of {wanted}"
                if has
                else f"{package} {wanted} is missing"
            )
    what = f"{name}: {'environment' if conda else 'packages, without conda'}"
    if broken:
        checks.add(what, NOT_READY, f"cannot import {'; '.join(broken)}", mend)
    if versions:
        state = NOT_READY if conda else NOTE
        checks.add(what, state, "; ".join(versions), mend)
    if not broken + versions:
        checks.add(what, READY, f"{len(at_once | present)} imports, all packages as pinned")


def _installed(name: str, from_conda: bool) -> str | None:
    """Returns the version of a package in this environment, or None."""
    if from_conda:
        files = Path(sys.prefix, "conda-meta").glob(f"{name}-*.json")
        found = [json.loads(file.read_text()) for file in files]
        return next((one["version"] for one in found if one["name"] == name), None)
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return None


# Disks


def check_disks(checks: Checks, needs: Iterable[tuple[str, str, float]]) -> None:
    """Checks that each disk has the space that the run needs.

    It takes the space and gives it back, because the free space that a system tells of does not
    count the quotas of users and projects.

    Args:
        needs: what for, the folder, and the bytes, which are NaN if they are unknown.
    """
    disks: dict[int, list[tuple[str, Path, float]]] = {}
    for what, folder, size in needs:
        Path(folder).mkdir(parents=True, exist_ok=True)
        disks.setdefault(Path(folder).stat().st_dev, []).append((what, Path(folder), size))
    for parts in disks.values():
        folders = list(dict.fromkeys(str(folder) for _, folder, _ in parts))
        what = f"disk of {' and '.join(folders)}"
        known = sum(size for *_, size in parts if not math.isnan(size))
        unknown = [what for what, _, size in parts if math.isnan(size)]
        free = shutil.disk_usage(parts[0][1]).free
        found = f"the run needs {byte_size(known)}, {byte_size(free)} are free"
        other = "or choose other folders (`outdir`, `resources`)"
        mend = f"free {byte_size(max(known - free, 0))}, {other}"
        if unknown:
            found += f"; it is not known what it needs for {', '.join(unknown)}"
        if known > free:
            checks.add(what, NOT_READY, found, mend)
            continue
        mend = f"raise your quota, {other}"
        with checks.check(what, mend, UNTESTED if unknown else READY) as said:
            said.append(found)
            with tempfile.TemporaryFile(dir=parts[0][1]) as file:
                os.posix_fallocate(file.fileno(), 0, max(math.ceil(known), 1))


def byte_size(number: float) -> str:
    """Returns bytes in a readable form; NaN is unknown."""
    if math.isnan(number):
        return "unknown"
    for unit, power in (("TB", 12), ("GB", 9), ("MB", 6)):
        if number >= 10**power:
            return f"{number / 10**power:,.1f} {unit}"
    return f"{number / 1000:,.1f} kB"


# Jobs


class Snakemake:
    """Runs targets of the workflow by the command with which the user started a rehearsal.

    Args:
        command: the user's command, in which one word is `TARGET`.
        folder: the folder in which the user started it.
        log: the file to which all output is added.
    """

    def __init__(self, command: Sequence[str], folder: str, log: Path):
        self.command, self.folder, self.log = list(command), folder, log
        self.see = f"see {log}, and the logs that it names"

    def run(self, targets: Sequence[str], *options: str, show: bool = False) -> tuple[bool, str]:
        """Runs targets; a job that fails ends none that does not depend on it.

        Args:
            targets: the files to make.
            options: further options of the command line.
            show: whether to pass a line for each job on to the terminal.

        Returns:
            Whether Snakemake succeeded, and all that it said.
        """
        place = self.command.index(TARGET)
        whole = [*self.command[:place], *targets, *self.command[place + 1 :]]
        # The rehearsal has locked the folder itself.
        whole += ["--nolock", "--keep-going", "--retries", "0", "--rerun-incomplete"]
        whole += ["--quiet", "host", "reason", "--nocolor", *options]
        lines = []
        with (
            open(self.log, "a") as log,
            subprocess.Popen(
                whole,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
        ):
            for line in process.stdout:
                lines.append(line)
                log.write(line)
                log.flush()
                if show and _JOB.match(line):
                    say(line.strip())
        return process.returncode == 0, "".join(lines)


def tell_missing_conda(checks: Checks) -> None:
    """Adds the finding that jobs should run in conda environments, but conda is missing."""
    checks.add(
        "conda",
        NOT_READY,
        "the profile runs each job in a conda environment (`software-deployment-method: conda`), "
        "but conda is not on the PATH; the jobs of this rehearsal ran without it",
        "load or install conda, or add `--sdm env-modules` to take all programs from the PATH",
    )


def make_environments(
    checks: Checks, snakemake: Snakemake, jobs: Mapping[str, Sequence[str]]
) -> set[str]:
    """Makes each conda environment by a command of its own, because Snakemake starts no job if one
    of the environments cannot be made.

    Args:
        jobs: name of a job -> the file that it makes, and the name of its environment.

    Returns:
        The environments that could not be made.
    """
    broken = set()
    for environment, file in {environment: file for file, environment in jobs.values()}.items():
        started = time.monotonic()
        say(f"environment {environment}")
        done, said = snakemake.run([file], "--conda-create-envs-only")
        what = f"{environment}: made by conda"
        if done:
            checks.add(what, READY, f"there after {time.monotonic() - started:.0f} s")
        else:
            broken.add(environment)
            mend = f"envs/{environment}.yaml has its packages and channels; {snakemake.see}"
            checks.add(what, NOT_READY, errors(said), mend)
    for name, (_, environment) in jobs.items():
        if environment in broken:
            checks.add(f"job {name}", UNTESTED, f"there is no environment {environment}", where="")
    return broken


def run_jobs(
    checks: Checks, snakemake: Snakemake, jobs: Mapping[str, str], logs: Path, *options: str
) -> dict[str, Mapping]:
    """Runs the jobs of a rehearsal, and adds their findings.

    Args:
        jobs: name of a job, which is that of its log -> the file that it makes.
        logs: the folder of the jobs' logs.
        options: options of Snakemake's command line.

    Returns:
        name of a job -> what it has written (`Checks.write`). A job that has failed may have
        written a part (`part_of`).
    """
    for name in jobs:
        # Logs of an earlier rehearsal would be taken for the reasons of failures.
        (logs / f"{name}.log").unlink(missing_ok=True)
    _, said = snakemake.run([*jobs.values()], *options, show=True)
    if not re.search(_JOB.pattern, said, re.M):
        checks.add("Snakemake", NOT_READY, f"has started no job: {errors(said)}", snakemake.see)
        return {}
    why, results = reasons(said), {}
    failed: dict[str, list[str]] = {}
    for name, file in jobs.items():
        if not Path(file).exists():
            failed.setdefault(why.get(name) or errors(said), []).append(name)
        for path in (Path(file), part_of(file)):
            if path.suffix == ".json" and path.exists():
                results[name] = json.loads(path.read_text())
                checks.findings += [Finding(**finding) for finding in results[name]["findings"]]
                break
    for reason, names in failed.items():
        what = f"job{'s' * (len(names) > 1)} {', '.join(names)}"
        checks.add(what, NOT_READY, reason, snakemake.see, where="")
    return results


def part_of(file: str | Path) -> Path:
    """Returns the file into which a job writes its findings as it goes on. Snakemake deletes the
    output itself if the job fails."""
    return Path(file).with_suffix(".part.json")


def reasons(said: str) -> dict[str, str]:
    """Returns job -> why it has failed, from the output of `Snakemake.run`: what the scheduler said
    of it (profiles/nci_dgx/status.py), and the last line of its log. A job without either, such as
    one that no scheduler has accepted, is left out."""
    found: dict[str, list[str]] = {}
    scheduler, job = {}, None
    for line in said.splitlines():
        if match := _ENDED.match(line):
            scheduler[match[1]] = match[2]
        if match := _FAILED.match(line):
            job = match[1]
            found[job] = []
        elif not line.startswith(" "):
            job = None
        elif job:
            found[job].append(line.strip())
    why = {}
    for job, lines in found.items():
        ids = [line.rpartition(" ")[2] for line in lines if line.startswith("external_jobid:")]
        parts = [scheduler[one] for one in ids if one in scheduler]
        last = lines[-1] if lines else _NO_LOG
        if not (_NO_LOG in last or last.endswith(" ends:")):
            # The errors of this project are whole sentences.
            parts.append(re.sub(rf"^{PACKAGE.name}\.[\w.]+: ", "", last))
        if parts:
            why[job] = "; its log ends: ".join(parts)
    return why


def errors(said: str, most: int = 12) -> str:
    """Returns the first error in the output of `Snakemake.run` with some lines that follow it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_CLOSING)]
    error = re.compile(r"error|exception|^profiles/\w+:", re.I)
    first = next((n for n, line in enumerate(lines) if error.search(line)), None)
    if first is None:
        return "it has ended without an error; it may have been killed"
    return " ".join(lines[first : first + most])
