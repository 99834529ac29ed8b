"""All uses of Snakemake's internals, which its documentation does not promise to keep.

This module was written for Snakemake 9.27. If another version changes these internals,
`tests/workflow/test_internals.py` fails, and a run stops or warns instead of going on silently.
"""

import gc
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml
from snakemake import __version__
from snakemake.common.argparse import ArgumentParser
from snakemake.common.configfile import load_configfile
from snakemake.common.workdir_handler import WorkdirHandler
from snakemake.exceptions import WorkflowError
from snakemake.logging import ColorizingTextHandler, logger
from snakemake.persistence.file import FilePersistence
from snakemake.settings.types import DeploymentMethod, Quietness
from snakemake.utils import listfiles
from snakemake_interface_logger_plugins.common import LogEvent

WRITTEN_FOR = "9.27"


def is_module(workflow) -> bool:
    """Whether another workflow imports this one (`module`), while the Snakefile is read."""
    return not workflow.modifier.is_main_snakefile()


def has_given_config(workflow) -> bool:
    """Whether the importing workflow gives the config (`config:`). Snakemake then ignores
    `configfile:`."""
    return workflow.modifier.skip_configfile


def given_configs(workflow) -> tuple[dict[Path, dict], list[str]]:
    """Returns the config files of a run with their content, and the `--config` entries (key=value).

    The first file is the workflow's own, unless others replace it."""
    with _known("the configs of the command line cannot be read", fatal=True):
        settings = workflow.config_settings
        # The workflow's own comes last in `configfiles`, although Snakemake lays the others over
        # it.
        own = [] if settings.replace_workflow_config else workflow.configfiles[-1:]
        files = dict.fromkeys(map(Path, (*own, *settings.configfiles)))
        return {path: load_configfile(path) for path in files}, list(settings.config_args or ())


def changes_paths(workflow) -> bool:
    """Whether the importing workflow changes the paths of rules (`prefix:`, `replace_prefix:`)."""
    path = "results/x"
    return workflow.modifier.path_modifier.replace_prefix(path) != path


def has_default_target(workflow) -> bool:
    """Whether the importing workflow has a rule of its own that runs by default."""
    return workflow.default_target is not None


def own_rules(workflow) -> list:
    """Returns the rules of this workflow without those of an importing one, after all rules are
    defined."""
    return [rule for rule in workflow.rules if rule in workflow.modifier.rules]


def give_code_to_jobs(rules: Iterable, fingerprint: Callable[[Path], str]) -> None:
    """Makes the fingerprint of a rule's script the parameter `code` of its jobs.

    Snakemake runs a job again if a parameter has changed. (Snakemake's own trigger `code` looks
    only at the time at which a script was written, so the profiles do not use it.)

    Args:
        rules: Snakemake's rules.
        fingerprint: script path -> fingerprint. It is called only for jobs that are planned.
    """
    with _known("no job would run again after an edit of the code", fatal=True):
        for rule in rules:
            if rule.script:
                script = _script(rule)
                rule.set_params(code=lambda wildcards, script=script: fingerprint(script))


def conda_is_missing(workflow) -> bool:
    """Whether jobs should use conda environments although conda is missing.

    If so, this removes conda from the deployment methods; otherwise a dry run would fail, too.
    """
    methods = workflow.deployment_settings.deployment_method
    ours = workflow.is_main_process and not is_module(workflow)
    wanted = ours and DeploymentMethod.CONDA in methods
    missing = wanted and not shutil.which("conda")
    if missing:
        methods.discard(DeploymentMethod.CONDA)
    return missing


def uses_conda(workflow) -> bool:
    """Whether jobs run in conda environments."""
    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


def cores_of_this_machine(workflow) -> int | None:
    """Returns the cores that all jobs together may use; None on a cluster or without a limit."""
    return workflow.resource_settings.cores if workflow.local_exec else None


def why_left_out(target: str, reason: str) -> Iterator:
    """Returns what stops a plan that has a target, in place of the target's input files."""
    return error(f"{target} is left out: {reason}")


def error(text: str) -> Iterator:
    """Returns an iterator that raises an error, in place of input files.

    Snakemake adds a traceback to an error of an input function, and to any other the lines of our
    files that it has come through last. So an iterator raises it, out of Snakemake's own code."""
    return map(listfiles("").throw, [WorkflowError(text)])


def targets(workflow) -> set[str]:
    """Returns the targets on the command line."""
    return set(workflow.dag_settings.targets)


def is_only_target(workflow, rule) -> bool:
    """Whether a rule (`rules.x`, which an importing workflow may call otherwise) is the only target
    on the command line."""
    return targets(workflow) == {rule.rule.name}


def producer(rules: Iterable, file: str):
    """Returns the first of the rules that makes a file, or None."""
    return next((rule for rule in rules if rule.is_producer(file)), None)


def environments_of_scripts(rules: Iterable) -> list[tuple[str, Path]]:
    """Returns the file of the conda environment and the script of each of the rules with both."""
    return [
        (str(rule.conda_env), _script(rule))
        for rule in rules
        if rule.script and isinstance(rule.conda_env, str)
    ]


def started_in() -> Path:
    """Returns the folder in which Snakemake was started, which `--directory` has left."""
    handlers = [each for each in gc.get_objects() if isinstance(each, WorkdirHandler)]
    left = [handler.olddir for handler in handlers if handler.olddir]
    return Path(left[0]) if left else Path.cwd()


def replaced_configs(workflow) -> list[str]:
    """Returns the config files that a profile of the command names, but that are not read, because
    the command has a `--configfile` of its own."""
    read = [Path(file).as_posix() for file in workflow.configfiles]
    replaced = []
    with _known("it is not known whether a profile's config is read"):
        parsers = [each for each in gc.get_objects() if isinstance(each, ArgumentParser)]
        for profile in {str(file) for each in parsers for file in each._default_config_files}:
            named = yaml.safe_load(Path(started_in(), profile).read_text()).get("configfile", [])
            named = [named] if isinstance(named, str) else named
            # The folder may be another if the command was given in another.
            replaced += [
                file for file in named if not any(path.endswith(f"/{file}") for path in read)
            ]
    return replaced


def attempts(workflow) -> int:
    """Returns how often a job on a cluster is tried; 0 if this machine runs the jobs itself."""
    return 0 if workflow.local_exec else workflow.execution_settings.retries + 1


def _script(rule) -> Path:
    return Path(rule.basedir.get_path_or_uri(secret_free=True), rule.script).resolve()


def job_files(rule, file: str) -> tuple[list[str], list[str], str, str]:
    """Returns the files of the job that makes a file: inputs, outputs, benchmark file, and the name
    of its conda environment."""
    wildcards = rule.get_wildcards(file)
    inputs, outputs = (
        list(map(str, expand(wildcards)[0])) for expand in (rule.expand_input, rule.expand_output)
    )
    return inputs, outputs, str(rule.expand_benchmark(wildcards)), Path(rule.conda_env).name


def forget_lost_outputs(workflow) -> None:
    """Makes the next run remake every file that depends on the outputs of failed jobs.

    Snakemake removes these outputs but records them as if the job had succeeded. Without this
    function, older files made from them would count as up to date once the outputs exist again.
    """
    with _known("files made from outputs of the failed jobs may count as up to date"):
        for job in workflow.dag.needrun_jobs() if workflow.dag else ():
            for path in job.output:
                record = workflow.persistence.metadata(path)
                if record and not Path(path).exists():
                    record.input = ["failed"]
                    workflow.persistence._write_record(str(path), record)


def failed_jobs(workflow) -> Iterable[tuple[str, list[str]]]:
    """Returns the rule and logs of each failed job."""
    with _known("the failed jobs cannot be listed here"):
        jobs = workflow.scheduler.failed if workflow.scheduler else ()
        return sorted((job.rule.name, list(job.log)) for job in jobs)
    return ()


# What a killed run leaves behind: one that `kill -9`, the end of its terminal or a machine out of
# memory has ended before it could clean up.

_LOCKS = Path(".snakemake", "locks")


def sign_locks(workflow) -> None:
    """Notes which process holds the locks of a run that begins, so that a later run can tell
    whether it still lives. Snakemake deletes the note with its locks."""
    with _known("after a kill, `snakemake --unlock` is needed"):
        locks = [Path(lock).name for lock in workflow.persistence._lockfile.values()]
        if locks and (holder := _this_process()):
            (_LOCKS / f"{holder}.holder").write_text("\n".join(locks))


def take_over_from_killed_run(workflow) -> None:
    """Makes the same command go on after a kill, when the Snakefile is read.

    It removes the locks of a run whose processes have all ended on this machine. Of a run on
    another machine this is not known, so its locks stay. And it makes Snakemake look at each job
    again that ran or waited on PBS at the kill (`_reopen`)."""
    if workflow.is_main_process and not is_module(workflow):
        for holder in _LOCKS.glob("*.holder"):
            with suppress(OSError):
                locks = holder.read_text().splitlines()
                if _has_ended(holder.stem):
                    # Only one of several runs that begin now can delete it.
                    holder.unlink()
                    for lock in locks:
                        (_LOCKS / lock).unlink(missing_ok=True)
                    print(
                        "An earlier run was killed; this one goes on from there.", file=sys.stderr
                    )
        with _known("jobs that have ended after a kill are not looked at again"):
            _reopen(Path(".snakemake", "pbs"))


def _this_process() -> str | None:
    """Returns what tells this process from all others of all machines and users, and its process
    group; None on a system without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        machine = (boot, os.stat("/proc/self/ns/pid").st_ino, os.getuid())
        return ".".join(map(str, [*machine, os.getpid(), _stat("self")[19], os.getpgid(0)]))
    except OSError:
        return None


def _stat(process: str) -> list[str]:
    """Returns what Linux tells of a process, from its state on (proc(5), /proc/pid/stat)."""
    return Path("/proc", process, "stat").read_text(errors="replace").rpartition(")")[2].split()


def _has_ended(holder: str) -> bool:
    """Whether a process (`_this_process`) and all others of its group, such as its local jobs, have
    certainly ended."""
    here, parts = _this_process(), holder.split(".")
    if not here or len(parts) != 6 or parts[:3] != here.split(".")[:3]:
        return False
    *_, number, start, group = parts
    processes = {}
    for process in Path("/proc").glob("[0-9]*"):
        # A process may end meanwhile.
        with suppress(OSError):
            processes[process.name] = _stat(process.name)
    # A script that starts Snakemake again and again is in the group of both, and so is this one.
    ours, process = set(), str(os.getpid())
    while process in processes:
        ours.add(process)
        process = processes[process][1]
    return not any(
        found[0] not in "ZX"
        and ((name, found[19]) == (number, start) or (found[2] == group and name not in ours))
        for name, found in processes.items()
    )


def _reopen(folder: Path) -> None:
    """Marks the outputs of jobs as incomplete whose end no run has seen.

    Without this, outputs of a job that has ended after the kill would count as up to date for ever:
    Snakemake has no record of what they were made from, and then looks at nothing but times. With
    it, Snakemake submits the job again (`rerun-incomplete`), and submit.py takes over the job that
    has run, if it is the same.

    Args:
        folder: the records of jobs that submit.py of profiles/nci_dgx keeps.
    """
    persistence = FilePersistence() if folder.exists() else None
    for path in folder.glob("*.json"):
        try:
            submitted = path.stat().st_mtime
            outputs = json.loads(path.read_text())["outputs"] or ()
            outputs = [output for output in outputs if isinstance(output, str)]
        except (OSError, ValueError, TypeError, KeyError):
            continue
        for output in outputs:
            made = persistence._read_record(output)
            # A record that is older than the submission is about the file before.
            unknown = not made or (made.endtime or 0) < submitted
            if unknown and not persistence._filter_incomplete_keys([output]):
                persistence._mark_incomplete(output, None)


@contextmanager
def _known(consequence: str, fatal: bool = False):
    """Explains an error that comes from a change in Snakemake's internals, and its consequence.

    It raises a WorkflowError if `fatal`; otherwise it prints a warning, for a run that has failed
    already."""
    try:
        yield
    except (AttributeError, TypeError) as error:
        text = (
            f"This workflow was written for Snakemake {WRITTEN_FOR}, and this is {__version__} "
            f"({error}): {consequence}. Install snakemake=={WRITTEN_FOR}.*"
        )
        if fatal:
            raise WorkflowError(text) from None
        print(f"Warning: {text}", file=sys.stderr)


def shorten_terminal(workflow) -> None:
    """Prints one line for each job if the setting `quiet` contains `reason`, as in all profiles.

    The run's log, in .snakemake/log, keeps all of Snakemake's messages."""
    settings = workflow.output_settings
    quiet = set(settings.quiet or ())
    # Snakemake prints a whole plan even where all is to be quiet.
    wanted = Quietness.REASON in quiet or (settings.dryrun and Quietness.ALL in quiet)
    if workflow.is_main_process and wanted and not is_module(workflow):
        for place, handler in enumerate(logger.handlers):
            if type(handler) is ColorizingTextHandler:
                formatter, stream = handler.formatter, handler.stream
                short = Terminal(settings.nocolor, stream, formatter, handler.filters[0])
                short.dry = settings.dryrun
                logger.handlers[place] = short


class Terminal(ColorizingTextHandler):
    """A log handler that prints the table of jobs, one line for each job with the number of jobs
    that are done, and the last lines of the log of a failed job."""

    HIDDEN = (
        "Assuming unrestricted",
        "Using shell",
        "Provided cores",
        "Provided resources",
        "Conda environments: ignored",
        "Rules claiming",
        "Select jobs",
        "Execute ",
        "Reasons:",
        "Elapsed time",
        # It names the command that ran a script. The script itself has said what was wrong.
        "RuleException:\nCalledProcessError",
    )
    TAIL = 10
    dry, done, total, shown = False, 0, 0, False

    def emit(self, record: logging.LogRecord) -> None:
        with self._output_lock:
            text = self.text(record)
            if text:
                self.stream.write(self.decorate(record, text) + "\n")
                self.flush()

    def text(self, record: logging.LogRecord) -> str:
        """Returns what to print for a record; for most records nothing."""
        event = getattr(record, "event", None)
        if event == LogEvent.PROGRESS:
            self.done, self.total = record.done, record.total
            return self.count() if self.done == self.total else ""
        if event == LogEvent.JOB_INFO:
            # A target has no log, because it only collects files.
            return f"{self.count()}  {_name(record)}" if record.log and not self.dry else ""
        if event == LogEvent.JOB_FINISHED:
            return ""
        if event == LogEvent.JOB_ERROR:
            # On a cluster, `aux` has the number of the job and the scheduler's log.
            where = "".join(f"\n  {key}: {value}" for key, value in record.aux.items())
            ends = "".join(f"\n  {path} ends:{_end(path, self.TAIL)}" for path in record.log)
            return f"{self.count()}  {_name(record)} has failed{where}{ends}"
        if event == LogEvent.RUN_INFO and hasattr(record, "stats"):
            self.total = record.stats.get("total", 0)
            # A dry run logs the table of jobs twice.
            again, self.shown = self.shown, True
            return "" if again else self.format(record).rstrip()
        text = self.format(record) or ""
        if text.startswith("This was a dry-run"):
            return "This is the plan. `--quiet host` shows each job's files and why it would run."
        return "" if text.startswith(self.HIDDEN) else text

    def count(self) -> str:
        """Returns the time and how much of the run is done."""
        percent = 100 * self.done // max(self.total, 1)
        return f"{time.strftime('%H:%M:%S')}  {self.done:3d} of {self.total} done, {percent:2d} %"


def _name(record: logging.LogRecord) -> str:
    """Returns a job's name, as its own messages give it."""
    logs = [Path(path).with_suffix("").as_posix().rpartition("/logs/")[2] for path in record.log]
    return next(iter(logs), record.rule_name)


def _end(path: str, lines: int) -> str:
    """Returns the last lines of a log, indented."""
    try:
        text = Path(path).read_text(errors="replace")
    except OSError:
        return " (there is none)"
    return "".join(f"\n    {line}" for line in text.splitlines()[-lines:])
