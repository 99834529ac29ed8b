"""All that this workflow uses of Snakemake beyond what its documentation promises.

Written for Snakemake 9.27. `tests/workflow/test_internals.py` fails when another version has
changed what is used here; a run then says so, and does not go on as if nothing were missing.
"""

import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path

from snakemake import __version__
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

WRITTEN_FOR = "9.27"


def give_code_to_jobs(workflow, fingerprint: Callable[[Path], str]) -> None:
    """Makes the fingerprint of a rule's script the parameter `code` of its jobs.

    Snakemake runs a job again when a parameter has changed. (Its own trigger `code` looks only at
    the time at which a script was written, so the profiles leave that one out.)

    Args:
        workflow: Snakemake's, after all rules.
        fingerprint: gives the text of a script's path; called for the jobs of a plan alone.
    """
    with _known("no job would run again after an edit of the code", fatal=True):
        for rule in workflow.rules:
            if rule.script:
                script = Path(rule.basedir.get_path_or_uri(secret_free=True), rule.script).resolve()
                rule.set_params(code=lambda wildcards, script=script: fingerprint(script))


def conda_is_missing(workflow) -> bool:
    """Whether jobs are to have conda environments and there is no conda.

    If so, conda is taken out of the deployment methods, without which no plan could be made.
    """
    methods = workflow.deployment_settings.deployment_method
    wanted = workflow.is_main_process and DeploymentMethod.CONDA in methods
    missing = wanted and not shutil.which("conda")
    if missing:
        methods.discard(DeploymentMethod.CONDA)
    return missing


def uses_conda(workflow) -> bool:
    """Whether jobs run in conda environments."""
    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


def cores_of_this_machine(workflow) -> int | None:
    """The cores that all jobs together may use; None where they run elsewhere, or without limit."""
    return workflow.resource_settings.cores if workflow.local_exec else None


def targets(workflow) -> set[str]:
    """What was asked for on the command line."""
    return set(workflow.dag_settings.targets)


def producer(workflow, file: str):
    """The first rule that makes a file, or None."""
    return next((rule for rule in workflow.rules if rule.is_producer(file)), None)


def job_files(rule, file: str) -> tuple[list[str], list[str], str, str]:
    """Of the job of a rule that makes a file: inputs, outputs, benchmark file, and the name of its
    conda environment."""
    wildcards = rule.get_wildcards(file)
    inputs, outputs = (
        list(map(str, expand(wildcards)[0])) for expand in (rule.expand_input, rule.expand_output)
    )
    return inputs, outputs, str(rule.expand_benchmark(wildcards)), Path(rule.conda_env).name


def forget_lost_outputs(workflow) -> None:
    """Makes the next run make anew what was made from the outputs of jobs that have failed.

    Snakemake removes these outputs, but notes the same of them as of those of a job that succeeds:
    without this, what was once made from them counts as up to date as soon as they are there again.
    """
    with _known("what was made from results of the failed jobs may count as up to date"):
        for job in workflow.dag.needrun_jobs() if workflow.dag else ():
            for path in job.output:
                record = workflow.persistence.metadata(path)
                if record and not Path(path).exists():
                    record.input = ["failed"]
                    workflow.persistence._write_record(str(path), record)


def failed_jobs(workflow) -> Iterable[tuple[str, list[str]]]:
    """Rule and logs of each job that has failed."""
    with _known("the jobs that have failed cannot be listed here"):
        jobs = workflow.scheduler.failed if workflow.scheduler else ()
        return sorted((job.rule.name, list(job.log)) for job in jobs)
    return ()


@contextmanager
def _known(consequence: str, fatal: bool = False):
    """Says what is the matter where this Snakemake lacks something that is used here: in an error,
    or, in a run that ends with one already, in a warning."""
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
