"""What a rehearsal says of the cost of a run."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest
from configs import config, overlaid

from crmnet.configuration import checked
from crmnet.plan import Plan
from crmnet.rehearsal import NOT_READY, NOTE, READY, Checks, Finding
from crmnet.report import pages, rehearsal_page

TEMPLATE = Path(__file__).parents[3] / "workflow" / "report" / "rehearsal.html.j2"
PAPER = Plan(checked(config()))


def cell(rate, batch=100, devices=2, parameters=1000):
    seconds = batch * devices / rate
    alone = {"seconds": [60, seconds, 5 * seconds, seconds]}
    return {
        "step_alone": alone,
        "device": "X100",
        **{"steps": 1, "batch_size": batch, "devices": devices, "parameters": parameters},
    }


def cells(plan, rate=1000):
    return {", ".join(plan.config["models"]): cell(rate)}


def test_the_papers_own_files_have_the_papers_numbers():
    assert rehearsal_page.rows(PAPER, {}) == {"complex": 30_722_376, "defined": 20_616_659}


def test_rows_of_other_files_are_estimated_from_their_sizes(tmp_path):
    mirrored = Plan(config(mirror=str(tmp_path)))
    paths = [mirrored.train_tables(medium)[0]["path"] for medium in ("complex", "defined")]
    files = {paths[0]: {"size": 12_000, "row": 120.0}, paths[1]: {"size": None, "row": 120.0}}
    rows = rehearsal_page.rows(mirrored, files)
    assert rows["complex"] == 100 and math.isnan(rows["defined"])


def test_simulated_rows_are_those_of_the_config():
    demo = Plan(checked(overlaid("demo")))
    wanted = demo.config["simulation"]["train"]
    assert rehearsal_page.rows(demo, {}) == dict.fromkeys(demo.config["media"], wanted)


def test_the_time_of_a_training_is_its_sequences_by_the_measured_rate():
    rows = rehearsal_page.rows(PAPER, {})
    table = rehearsal_page.trainings(PAPER, rows, cells(PAPER)).set_index("training")
    one = table.loc["crmnet/1/pretrained"]
    assert one["sequences"] == round(0.99 * 51_339_035) and one["rate"] == pytest.approx(1000)
    assert one["hours"] == pytest.approx(50 * one["sequences"] / 1000 / 3600)


def test_a_training_without_a_measured_step_has_no_time():
    rows = rehearsal_page.rows(PAPER, {})
    table = rehearsal_page.trainings(PAPER, rows, {"crmnet": cell(1000)}).set_index("training")
    assert table["hours"].isna().tolist() == [
        not name.startswith("crmnet/") for name in table.index
    ]


def test_the_longest_chain_is_a_pre_training_and_one_fine_tuning():
    names = ["a/1/pretrained", "a/1/complex", "a/1/defined", "b/1/complex"]
    table = pd.DataFrame({"training": names, "hours": [10.0, 3.0, 2.0, 12.5]})
    assert rehearsal_page.longest_chain(table) == 13
    assert rehearsal_page.longest_chain(table.iloc[:0]) == 0


def test_a_training_that_does_not_fit_into_its_attempts_is_not_ready():
    table = pd.DataFrame({"training": ["a", "b", "c"], "hours": [10.0, 30.0, 100.0]})
    minutes = [24 * 60, 48 * 60]
    found = rehearsal_page.interrupted(table, minutes)
    assert [(one.what, one.state) for one in found] == [
        ("time of training b", NOTE),
        ("time of training c", NOT_READY),
    ]
    # 28 h more than 24 h and 48 h are one more attempt.
    assert "--retries 2" in found[1].mend
    assert rehearsal_page.interrupted(table, []) == []


def test_disk_space_is_that_of_what_is_not_there_yet():
    rows = {"complex": 1000.0, "defined": 500.0}
    table = rehearsal_page.trainings(PAPER, rows, cells(PAPER))
    # Others of the config's files are not needed, such as released weights.
    needed = list(PAPER.downloads)[:5]
    files = {path: {"size": 100, "there": False} for path in needed}
    files[needed[0]] = {"size": None, "there": True}
    parts = {
        what: (folder, size)
        for what, folder, size in rehearsal_page.space(PAPER, rows, table, cells(PAPER), files)
    }
    assert parts["downloads"] == ("resources", 100 * (len(files) - 1))
    assert parts["shards"] == ("results", 33 * 1500)
    assert parts["models"] == ("results", 4 * 1000 * len(table))
    files[needed[0]] = {"size": None, "there": False}
    for unknown in (files, None):
        (_, _, size), *_ = rehearsal_page.space(PAPER, rows, table, cells(PAPER), unknown)
        assert math.isnan(size)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.01, "36 s"),
        (3.1, "3 h 6 min"),
        (29.2, "29 h"),
        (240, "10 days"),
        (24 * 365.25 * 12.34, "12.3 years"),
        (math.nan, "unknown"),
    ],
)
def test_hours_are_readable(number, text):
    assert rehearsal_page.hours(number) == text


def test_a_motif_job_says_which_tool_it_used(tmp_path):
    logs, results = tmp_path / "logs", tmp_path / "rehearsal" / "motifs"
    logs.mkdir()
    results.mkdir(parents=True)
    for name, said in (("rehearse_scan", "fimo 5.5.9"), ("rehearse_gadem", "built in stand-in; 9")):
        (logs / f"{name}.log").write_text(f"a line\nengine: {said}\n")
        (results / f"{name}.tsv").touch()
    files = {name: str(results / f"{name}.tsv") for name in ("rehearse_scan", "rehearse_gadem")}
    files |= {"rehearse_match": str(results / "missing.tsv"), "other": str(tmp_path / "a.json")}

    def states(engine):
        checks = Checks()
        rehearsal_page.name_engines(checks, files, engine)
        return {one.what: one.state for one in checks.findings}

    assert states("auto") == {
        "FIMO (job rehearse_scan)": READY,
        "rGADEM (job rehearse_gadem)": NOTE,
    }
    assert states("builtin")["rGADEM (job rehearse_gadem)"] == READY


@pytest.mark.parametrize("seen", [None, "cpu", "gpu"])
def test_the_page_has_the_findings_and_the_cost(seen):
    rows = rehearsal_page.rows(PAPER, {})
    measured = cells(PAPER) if seen else {}
    table = rehearsal_page.trainings(PAPER, rows, measured)
    findings = [
        Finding("<device>", NOT_READY, "no GPU", "buy one", "node1"),
        Finding("conda", READY, "there"),
    ]
    needs = rehearsal_page.space(PAPER, rows, table, measured, {})
    jobs = {"rehearse_training": {"host": "node1", "waited": 7200.0, "took": 30.0}}
    devices = seen and {"count": 8, "kind": seen, "device": "X100", "versions": {}}
    facts = rehearsal_page.facts(
        PAPER, findings, table, rows, needs, {"seen": devices, "cells": measured}, jobs, 75
    )
    html = pages.page(TEMPLATE, **facts)
    assert "1 of 2 things are not ready" in html and "&lt;device&gt;" in html and "buy one" in html
    assert ("No GPU was seen" in html) == (seen == "cpu")
    whole, used = (
        re.search(f">{head}<b>(.+?)</b>", html)[1]
        for head in ("All trainings, one after another", "[A-Za-z]+ time")
    )
    assert "2 h 0 min" in html
    if seen == "gpu":
        # The steps were measured on two devices.
        assert "2 × X100" in html
        assert whole == rehearsal_page.hours(table["hours"].sum())
        assert used == rehearsal_page.hours(2 * table["hours"].sum())
    if seen is None:
        assert whole == used == "unknown"
