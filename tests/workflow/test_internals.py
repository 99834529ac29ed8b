"""What the workflow uses of Snakemake's inner parts is there, and what it says where it is not.

That it works shows in runs: test_faults.py (failed jobs), test_run.py (edits, provenance).
"""

import inspect
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import snakemake
from conftest import ROOT
from snakemake import api
from snakemake.cli import get_argument_parser
from snakemake.common import Rules
from snakemake.exceptions import WorkflowError
from snakemake.modules import WorkflowModifier
from snakemake.path_modifier import PathModifier
from snakemake.persistence import MetadataRecord, PersistenceBase
from snakemake.persistence.file import FilePersistence
from snakemake.rules import Rule, RuleProxy
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.types import (
    ConfigSettings,
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
        (ConfigSettings(), ["configfiles", "config_args", "replace_workflow_config"]),
        (WorkflowModifier, ["is_main_snakefile"]),
        (PathModifier, ["replace_prefix"]),
        (FilePersistence, ["_read_record", "_mark_incomplete", "_filter_incomplete_keys"]),
        (MetadataRecord(), ["endtime"]),
        (snakemake.dag.DAG, ["needrun_jobs"]),
        (PersistenceBase, ["metadata", "_write_record"]),
        (MetadataRecord(), ["input"]),
        (DAGSettings(), ["targets"]),
        (DeploymentSettings(), ["deployment_method"]),
        (ResourceSettings(), ["cores"]),
        (OutputSettings(), ["quiet", "nocolor", "dryrun"]),
        (get_argument_parser(), ["_default_config_files"]),
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


def said_by(code):
    """What a process says that has a group of its own, because other programs of a pipe may be in
    the group of this one."""
    command, here = [sys.executable, "-c", code], ROOT / "rules"
    done = subprocess.run(
        command, cwd=here, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    return done.stdout.strip()


@pytest.fixture
def locks(tmp_path, monkeypatch):
    """The locks of a run whose process has ended, and the name of the process."""
    monkeypatch.chdir(tmp_path)
    folder = Path(".snakemake", "locks")
    folder.mkdir(parents=True)
    for lock in ("0.input.lock", "0.output.lock"):
        (folder / lock).write_text("a.txt\n")
    return folder, said_by("import snakemake_internals as s; print(s._this_process())")


def left(folder, holder):
    """What a run finds after the run of this process."""
    (folder / f"{holder}.holder").write_text("0.input.lock\n0.output.lock")
    main = SimpleNamespace(is_main_snakefile=lambda: True)
    workflow = SimpleNamespace(is_main_process=True, modifier=main)
    snakemake_internals.take_over_from_killed_run(workflow)
    return sorted(path.name for path in folder.iterdir())


def test_the_locks_of_a_process_that_has_ended_are_removed(locks, capsys):
    assert left(*locks) == []
    assert "An earlier run was killed" in capsys.readouterr().err


def test_a_process_has_ended_though_its_group_is_that_of_this_run():
    """As in a script that starts Snakemake again and again."""
    code = """
import subprocess, sys, snakemake_internals as s
code = "import snakemake_internals as s; print(s._this_process())"
done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
print(s._has_ended(done.stdout.strip()))
"""
    assert said_by(code) == "True"


@pytest.mark.parametrize("place", range(3))
def test_the_locks_of_another_machine_or_user_stay(locks, place):
    folder, holder = locks
    parts = holder.split(".")
    parts[place] = "other"
    assert len(left(folder, ".".join(parts))) == 3


@pytest.mark.parametrize("holder", ["x", "1.2.3.4.5.6", "a.b.c.d.e.f"])
def test_locks_of_an_unknown_process_stay(locks, holder):
    assert len(left(locks[0], holder)) == 3


def test_the_locks_of_a_process_that_lives_stay(locks):
    assert len(left(locks[0], snakemake_internals._this_process())) == 3


def test_the_locks_of_a_process_stay_while_another_of_its_group_lives(locks):
    folder, holder = locks
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        *parts, _ = holder.split(".")
        assert len(left(folder, ".".join([*parts, str(child.pid)]))) == 3
    finally:
        child.kill()
        child.wait()


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
