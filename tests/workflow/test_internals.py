"""What the workflow uses of Snakemake's inner parts is there, and what it says where it is not.

That it works shows in runs: test_faults.py (failed jobs), test_run.py (edits, provenance).
"""

import inspect
import sys
from types import SimpleNamespace

import pytest
import snakemake
from conftest import ROOT
from snakemake import api
from snakemake.common import Rules
from snakemake.exceptions import WorkflowError
from snakemake.modules import WorkflowModifier
from snakemake.path_modifier import PathModifier
from snakemake.persistence import MetadataRecord, PersistenceBase
from snakemake.rules import Rule, RuleProxy
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.types import (
    DAGSettings,
    DeploymentSettings,
    OutputSettings,
    ResourceSettings,
)

sys.path.append(str(ROOT / "rules"))
import snakemake_internals


def test_snakemake_is_the_one_that_the_workflow_was_written_for():
    """Another needs a look at rules/snakemake_internals.py, and at what the tests below name."""
    written_for = snakemake_internals.WRITTEN_FOR
    assert snakemake.__version__.startswith(f"{written_for}.")
    assert f"snakemake=={snakemake.__version__}\n" in (ROOT / "requirements.txt").read_text()


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (Rule, ["set_params", "is_producer", "get_wildcards", "expand_input", "expand_output"]),
        (Rule, ["expand_benchmark"]),
        (Rules, ["has"]),
        (RuleProxy(None), ["rule"]),
        (api.Workflow, ["rules", "is_main_process", "local_exec", "scheduler", "persistence"]),
        (api.Workflow, ["modifier"]),
        (WorkflowModifier, ["is_main_snakefile"]),
        (PathModifier, ["replace_prefix"]),
        (snakemake.dag.DAG, ["needrun_jobs"]),
        (PersistenceBase, ["metadata", "_write_record"]),
        (MetadataRecord(), ["input"]),
        (DAGSettings(), ["targets"]),
        (DeploymentSettings(), ["deployment_method"]),
        (ResourceSettings(), ["cores"]),
        (OutputSettings(), ["quiet", "nocolor", "dryrun"]),
    ],
)
def test_what_is_used_is_there(owner, names):
    assert not [name for name in names if not hasattr(owner, name)]


def test_the_scheduler_keeps_the_jobs_that_have_failed():
    assert "self.failed.add(job)" in inspect.getsource(JobScheduler)


def test_a_run_says_that_its_snakemake_is_another(capsys):
    workflow = SimpleNamespace(dag=SimpleNamespace(), scheduler=SimpleNamespace())
    snakemake_internals.forget_lost_outputs(workflow)
    assert snakemake_internals.failed_jobs(workflow) == ()
    said = capsys.readouterr().err
    assert said.count(f"written for Snakemake {snakemake_internals.WRITTEN_FOR}") == 2
    assert "may count as up to date" in said and "cannot be listed" in said


def test_without_fingerprints_no_run_starts():
    rule = SimpleNamespace(script="train.py", basedir=ROOT)
    with pytest.raises(WorkflowError, match="no job would run again after an edit of the code"):
        snakemake_internals.give_code_to_jobs([rule], str)


def test_no_other_file_touches_inner_parts():
    parts = ("workflow.persistence", "workflow.scheduler", "workflow.dag", "is_producer")
    parts += ("workflow.modifier", "workflow.default_target", "workflow.rules")
    parts += (
        "set_params",
        "deployment_settings",
        "resource_settings",
        "local_exec",
        "expand_input",
    )
    files = [ROOT / "Snakefile", *(ROOT / "rules").rglob("*.smk")]
    assert len(files) > 20
    assert not [(file.name, part) for file in files for part in parts if part in file.read_text()]
