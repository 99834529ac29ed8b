"""Rehearses a run by jobs of its own, and writes the page on what is ready and what it costs."""

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from crmnet import rehearsal
from crmnet.data.checksums import sha256
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to, say
from crmnet.motifs import trial
from crmnet.plan import Plan
from crmnet.report import pages, rehearsal_page
from crmnet.training.first_step import stands_in

job = snakemake

log_to(job.log[0])
started = time.monotonic()
folder = Path(job.output.table).parent
shutil.rmtree(folder)
trial.write(folder / "motifs")
plan, checks = Plan(job.params.config), rehearsal.Checks()
command = rehearsal.Snakemake(job.params.command, job.params.started_in, Path(job.log.jobs))
command.log.unlink(missing_ok=True)
jobs, options, broken = job.params.jobs, [], set()
if job.params.conda_is_missing:
    rehearsal.tell_missing_conda(checks)
    options = ["--sdm", "env-modules"]
elif job.params.conda:
    # Snakemake starts no job if one of the environments cannot be made.
    broken = rehearsal.make_environments(checks, command, jobs)
possible = {name: file for name, (file, environment) in jobs.items() if environment not in broken}
asked, logs = time.time(), Path(job.params.logs)
results = rehearsal.run_jobs(checks, command, possible, logs, *options)
rehearsal_page.name_engines(checks, possible, job.params.engine)

written = {
    possible[name]: {"host": result["host"], "sha256": sha256(Path(possible[name]))}
    for name, result in results.items()
    if Path(possible[name]).exists()
}
(folder / "written.json").write_text(json.dumps(written))
if "analysis" not in broken:
    rehearsal.run_jobs(checks, command, {"rehearse_disk": job.params.disk}, logs, *options)

training = results.get("rehearse_training", {"seen": None, "cells": {}})
files = results.get("rehearse_downloads", {}).get("files")
rows = rehearsal_page.rows(plan, files or {})
trainings = rehearsal_page.trainings(plan, rows, training["cells"])
seen = training["seen"]
if seen and not stands_in(plan.config["training"]["device"], seen):
    checks.findings += rehearsal_page.interrupted(trainings, job.params.minutes)
needs = rehearsal_page.space(plan, rows, trainings, training["cells"], files)
rehearsal.check_disks(checks, needs)

for one in checks.findings:
    if one.state == rehearsal.NOT_READY:
        say(f"{one.what}: {one.state}: {one.found}{one.mend and '; ' + one.mend}")
waits = {
    name: {
        "host": result["host"],
        "waited": result["started"] - asked,
        "took": result["ended"] - result["started"],
    }
    for name, result in results.items()
}
findings = pd.DataFrame(map(asdict, checks.findings))
write_tsv(job.output.table, findings)
write_tsv(job.output.trainings, trainings, digits=6)
facts = rehearsal_page.facts(
    plan,
    checks.findings,
    trainings,
    rows,
    needs,
    training,
    waits,
    time.monotonic() - started,
)
Path(job.output.page).write_text(pages.page(job.input.template, **facts))
