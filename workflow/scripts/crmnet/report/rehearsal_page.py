"""The page of a rehearsal: what is ready, what is not, and what the run would cost."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from crmnet.configuration import CONFIG
from crmnet.logs import duration
from crmnet.motifs.gadem import STAND_IN
from crmnet.motifs.programs import BUILTIN
from crmnet.plan import PRETRAINED, Plan
from crmnet.rehearsal import NOT_READY, NOTE, READY, UNTESTED, Checks, Finding, byte_size
from crmnet.report.pages import Table
from crmnet.training import cost
from crmnet.training.first_step import rate, stands_in

# The order of the page, with a heading for each state.
HEADINGS = {
    NOT_READY: "Not ready",
    NOTE: "To know",
    UNTESTED: "Not tested",
    READY: "Ready",
}
# Bytes of a sequence in the shards, and while they are made (its tokens and its expression).
SHARD_BYTES, SPILLED_BYTES = 33, 116
# Bytes of a parameter in a model's file, and in the checkpoint of its training: the weights, two
# moments of Adam, and the best weights.
MODEL_BYTES, CHECKPOINT_BYTES = 4, 16
# The tool of each motif job.
TOOLS = {
    "rehearse_discover": "MEME",
    "rehearse_scan": "FIMO",
    "rehearse_match": "Tomtom",
    "rehearse_gadem": "rGADEM",
}
YEAR = 24 * 365.25


def rows(plan: Plan, files: Mapping[str, Mapping]) -> dict[str, float]:
    """Returns medium -> number of sequences in its training files, NaN if it is unknown.

    The paper's own files have the paper's numbers. Those of other files are estimated from their
    sizes.

    Args:
        files: path -> `size` in bytes and `row` (mean bytes of a row) of each file, where known.
    """
    papers = yaml.safe_load((CONFIG / "config.yaml").read_text())["media"]
    published = yaml.safe_load((CONFIG / "paper.yaml").read_text())["data_sizes"]

    def urls(entry):
        return [table["file"] for table in entry["train"]]

    def estimated(path):
        size, row = (files.get(path, {}).get(key) for key in ("size", "row"))
        return size / row if size and row else math.nan

    known = {}
    for medium, entry in plan.config["media"].items():
        tables = [table["path"] for table in plan.train_tables(medium)]
        if all(plan.simulated() in Path(path).parents for path in tables):
            known[medium] = plan.config["simulation"]["train"]
        elif medium in papers and urls(entry) == urls(papers[medium]) and not plan.config["mirror"]:
            known[medium] = published[medium]["train"]
        else:
            known[medium] = sum(map(estimated, tables))
    return known


def trainings(plan: Plan, rows: Mapping[str, float], cells: Mapping[str, Mapping]) -> pd.DataFrame:
    """Returns the trainings of a run with their times.

    Args:
        rows: see `rows`.
        cells: models whose steps are alike, as text -> measured step (`benchmark.main`).

    Returns:
        The table of `cost.trainings` with rate (sequences per second on all devices), the number of
        devices, and hours; NaN if unknown.
        The epochs are the most that there can be: early stopping often ends a training sooner.
    """
    measured = by_model(cells)
    table = cost.trainings(plan, dict(rows))
    for column, of in (("rate", rate), ("devices", lambda cell: float(cell["devices"]))):
        known = [of(measured[model]) if model in measured else math.nan for model in table["model"]]
        table[column] = np.array(known, float)
    return table.assign(hours=cost.hours(table, table["rate"].to_numpy()))


def by_model(cells: Mapping[str, Mapping]) -> dict[str, Mapping]:
    """Returns model -> its measured step."""
    return {model: cell for models, cell in cells.items() for model in models.split(", ")}


def longest_chain(table: pd.DataFrame) -> float:
    """Returns the hours of the longest chain of trainings of which each continues another: of a
    pre-training and the fine-tuning in one medium."""
    hours = dict(zip(table["training"], table["hours"], strict=True))

    def before(training):
        start = f"{training.rpartition('/')[0]}/{PRETRAINED}"
        return 0.0 if training == start else hours.get(start, 0.0)

    return max((time + before(training) for training, time in hours.items()), default=0.0)


def interrupted(table: pd.DataFrame, minutes: Sequence[int]) -> list[Finding]:
    """Returns findings about the trainings that the time limit of a job would interrupt.

    Args:
        table: see `trainings`.
        minutes: the minutes that a training may take at each attempt; empty if there is no limit.
    """
    if not minutes:
        return []
    found = []
    whole = sum(minutes) / 60
    for row in table.itertuples():
        what = f"time of training {row.training}"
        if row.hours > whole:
            state = NOT_READY
            said = (
                f"up to {hours(row.hours)}, but its job has only {hours(whole)} in "
                f"{len(minutes)} attempts"
            )
            more = math.ceil((row.hours * 60 - sum(minutes)) / minutes[-1])
            mend = f"add `--retries {len(minutes) - 1 + more}`, or use more or faster devices"
        elif row.hours * 60 > minutes[0]:
            state, mend = NOTE, ""
            said = (
                f"up to {hours(row.hours)}: its job may be ended after {hours(minutes[0] / 60)}, "
                "and continues from its last epoch at the next attempt"
            )
        else:
            continue
        found.append(Finding(what, state, said, mend))
    return found


def space(
    plan: Plan,
    rows: Mapping[str, float],
    table: pd.DataFrame,
    cells: Mapping[str, Mapping],
    files: Mapping[str, Mapping] | None,
) -> list[tuple[str, str, float]]:
    """Returns what a run writes: what, the folder, and the bytes (at most; NaN if unknown).

    Args:
        rows, table, cells: see `trainings`.
        files: path -> `size` in bytes, None if unknown, and whether the file is `there`, for each
            file that the run needs; or None.
    """
    sequences, measured = sum(rows.values()), by_model(cells)
    parameters = sum(
        measured[model]["parameters"] if model in measured else math.nan for model in table["model"]
    )
    downloads = math.nan
    if files is not None:
        asked = [one for path, one in files.items() if path in plan.downloads and not one["there"]]
        downloads = sum(math.nan if one["size"] is None else one["size"] for one in asked)
    out = plan.config["outdir"]
    return [
        ("downloads", plan.config["resources"], downloads),
        ("shards", out, SHARD_BYTES * sequences),
        ("shards while they are made", out, SPILLED_BYTES * sequences),
        ("models", out, MODEL_BYTES * parameters),
        ("checkpoints while models are trained", out, CHECKPOINT_BYTES * parameters),
    ]


def name_engines(checks: Checks, jobs: Mapping[str, str], engine: str | None) -> None:
    """Adds a finding on each motif job that has succeeded: the tool that it used, from its log.

    Args:
        jobs: name -> file of the jobs of the rehearsal.
        engine: the engine that the config asks for (`motifs: engine`).
    """
    for name, file in jobs.items():
        what = f"{TOOLS.get(name)} (job {name})"
        log = Path(file).parents[2] / "logs" / f"{name}.log"
        if not file.endswith(".tsv") or not Path(file).exists():
            continue
        used = re.findall(r"^engine: (.+?)(?:;|$)", log.read_text(), re.M)[-1]
        builtin = used in (BUILTIN, STAND_IN)
        if builtin and engine != "builtin":
            mend = "install the tool, or use conda (`--sdm conda`)"
            said = f"{used}, because the tool is not installed; every table and figure says so"
            checks.add(what, NOTE, said, mend, where="")
        else:
            checks.add(what, READY, used, where="")


def facts(
    plan: Plan,
    findings: Sequence[Finding],
    table: pd.DataFrame,
    rows: Mapping[str, float],
    needs: Sequence[tuple[str, str, float]],
    training: Mapping,
    jobs: Mapping[str, Mapping],
    seconds: float,
) -> dict[str, object]:
    """Returns the facts that the template of the page needs.

    Args:
        findings: all findings.
        table, rows: see `trainings`.
        needs: see `space`.
        training: what the job on trainings has written: `seen`, the devices.
        jobs: name of each job -> its `host`, and the seconds that it `waited` and `took`.
        seconds: the time of the rehearsal.
    """
    seen, asked = training["seen"], plan.config["training"]
    whole = table["hours"].sum(skipna=False)
    used = (table["hours"] * table["devices"] * asked["hosts"]).sum(skipna=False)
    count = table["devices"].max() if table["devices"].notna().any() else math.nan
    sizes = [number for *_, number in needs]
    cells = [
        [
            row.training,
            f"{row.epochs:,.0f}",
            "unknown" if math.isnan(row.sequences) else f"{row.sequences:,.0f}",
            "unknown" if math.isnan(row.rate) else f"{row.rate:,.0f}",
            hours(row.hours),
        ]
        for row in table.itertuples()
    ]
    columns = ["training", "epochs, at most", "sequences", "sequences/s", "time, at most"]
    return {
        "config": plan.config,
        "groups": {
            heading: [one for one in findings if one.state == state]
            for state, heading in HEADINGS.items()
        },
        "ready": not any(one.state == NOT_READY for one in findings),
        "stands_in": bool(seen) and stands_in(asked["device"], seen),
        "device": f"{count:.0f} × {seen['device']}" if count > 0 else "unknown devices",
        "kind": seen["kind"].upper() if seen else "device",
        "whole": hours(whole),
        "used": hours(used),
        "chain": hours(longest_chain(table)),
        "trainings": Table(columns, cells),
        "space": Table(
            ["what", "folder", "size"],
            [[what, folder, byte_size(number)] for what, folder, number in needs],
        ),
        "total": ("more than " if any(map(math.isnan, sizes)) else "up to ")
        + byte_size(sum(number for number in sizes if not math.isnan(number))),
        "jobs": Table(
            ["job", "machine", "waited", "took"],
            [
                [name, one["host"], duration(one["waited"]), duration(one["took"])]
                for name, one in jobs.items()
            ],
        ),
        "rows": {medium: f"{number:,.0f}" for medium, number in rows.items()},
        "took": duration(seconds),
    }


def hours(number: float) -> str:
    """Returns hours in a readable form: 12 min, 3 h 5 min, 29 h, 12 days, 3.4 years."""
    if math.isnan(number):
        return "unknown"
    if number >= YEAR:
        return f"{number / YEAR:,.1f} years"
    if number >= 96:
        return f"{number / 24:,.0f} days"
    return f"{number:.0f} h" if number >= 10 else duration(3600 * number)
