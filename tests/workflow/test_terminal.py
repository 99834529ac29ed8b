"""What a person sees of a run with a profile: a line for each job, and what has failed."""

import logging
import re
import sys

import pytest
from conftest import ROOT
from snakemake_interface_logger_plugins.common import LogEvent

sys.path.append(str(ROOT / "rules"))
from snakemake_internals import Terminal

DEMO = ("--profile", ROOT / "profiles" / "demo")
CLOCK = r"^\d\d:\d\d:\d\d  "


@pytest.fixture
def terminal():
    return Terminal(nocolor=True)


def said(terminal, event, **what):
    record = logging.makeLogRecord({"msg": None, "event": event, "aux": {}, **what})
    return terminal.text(record)


def test_a_line_for_each_job_says_how_many_are_done(snakemake):
    done = snakemake("results/demo/motifs/known.meme", *DEMO)
    assert done.returncode == 0, done.stdout
    lines = re.findall(rf"{CLOCK}(.*)$", done.stdout, re.M)
    assert lines == ["  0 of 1 done,  0 %  known", "  1 of 1 done, 100 %"]
    for detail in ("input:", "output:", "resources:", "jobid:", "Select jobs"):
        assert detail not in done.stdout


def test_a_failed_job_shows_its_error_its_log_and_the_end_of_it(snakemake, tmp_path):
    (tmp_path / "mine.fa").write_text(">a\nACGR\n")
    (tmp_path / "score.yaml").write_text("score: {sequences: {file: mine.fa}}\n")
    configs = (ROOT / "config" / "demo.yaml", tmp_path / "score.yaml")
    file = "results/demo/score/input/sequences.tsv.gz"
    done = snakemake(*DEMO, "--configfile", *configs, "--", file)
    assert done.returncode != 0
    job, log, end = re.search(
        rf"{CLOCK}.*%  (\S+) has failed\n  (\S+) ends:\n((?:    .*\n)+)", done.stdout, re.M
    ).groups()
    assert (job, log) == ("score_input", "results/demo/logs/score_input.log")
    assert end.splitlines()[-1].strip() == (tmp_path / log).read_text().splitlines()[-1].strip()
    # The sentence of the job itself before that, and what to do after it.
    before, _, after = done.stdout.partition("has failed")
    assert f"(more in {log})" in before and "mine.fa" in before
    assert f"Failed: score_input ({log})" in after and "same command again" in after
    assert "CalledProcessError" not in done.stdout


def test_without_a_profile_snakemake_says_what_it_always_says(snakemake):
    demo = ("--configfile", ROOT / "config" / "demo.yaml")
    done = snakemake("results/demo/motifs/known.meme", "--cores", 1, "-n", *demo)
    assert "    output: results/demo/motifs/known.meme" in done.stdout


def test_the_whole_log_of_a_run_keeps_everything(snakemake, tmp_path):
    assert snakemake("results/demo/motifs/known.meme", *DEMO).returncode == 0
    (log,) = (tmp_path / ".snakemake" / "log").glob("*.log")
    assert "output: results/demo/motifs/known.meme" in log.read_text()


def test_jobs_of_a_cluster_that_fail_name_the_schedulers_log(terminal, tmp_path):
    text = said(
        terminal,
        LogEvent.JOB_ERROR,
        rule_name="train",
        log=[str(tmp_path / "logs" / "train" / "cnn.log")],
        aux={"external_jobid": "42", "slurm log": "42.log"},
    )
    lines = text.split("\n")
    assert lines[0].endswith("train/cnn has failed")
    assert lines[1:3] == ["  external_jobid: 42", "  slurm log: 42.log"]
    assert lines[3].endswith("cnn.log ends: (there is none)")


def test_targets_are_no_jobs(terminal):
    assert said(terminal, LogEvent.JOB_INFO, rule_name="all", log=[]) == ""


def test_other_messages_stay(terminal):
    assert said(terminal, None, msg="Trying to restart job 3.") == "Trying to restart job 3."
    assert said(terminal, LogEvent.ERROR, msg="WorkflowError:\nno") == "WorkflowError:\nno"
