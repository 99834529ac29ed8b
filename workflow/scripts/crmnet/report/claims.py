"""The paper's claims beside this run's numbers: whether the run's own numbers support each claim,
and a verdict on the paper's number if the two can be compared. Needs no deep learning framework."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from math import hypot, isfinite
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from crmnet.data.tsv import read_table
from crmnet.evaluation.metrics import undecided
from crmnet.evaluation.statistics import SIGNIFICANT, rank_correlation
from crmnet.motifs.motif import MEME, selected
from crmnet.motifs.programs import BUILTIN
from crmnet.plan import is_published
from crmnet.training.machine import NO_MEMORY

NOT_COMPARED = "not compared"
VERDICTS = ("reproduced", "higher", "lower", "undecided", NOT_COMPARED)
COLUMNS = ("id", "claim", "where", "paper", "ours", "low", "high", "n", "here", "verdict", "why")
# Verdict as if all conditions were met -> whether this run's own numbers support the statement.
HERE = {"reproduced": "yes", "higher": "no", "lower": "no", "undecided": "undecided"}
# A set counts as the paper's if its size differs by no more than this share, because the public
# files differ from the paper's by a few rows.
TOLERANCE = 0.01
# Times count as equal if they differ by no more than this share, as machines of one make do.
NEAR_TIME = 0.1
# The source of our rows in Table 1.
OURS = "this run"
# The fewest motifs for a rank correlation.
FEWEST_RANKED = 3


class _Evidence(NamedTuple):
    """The arguments of `table`."""

    paper: dict
    run: dict
    tables: dict[str, pd.DataFrame]


@dataclass
class _Finding:
    """The columns `ours` to `why` of the table of claims.

    Before `_judged`, `verdict` is the verdict as if all conditions were met, and `why` explains it
    if it needs an explanation."""

    ours: float | int | str | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    here: str = ""
    verdict: str = NOT_COMPARED
    why: str = ""


def read(path: str | Path) -> pd.DataFrame:
    """Reads a table that claims are compared with. An empty cell is missing; "NA" is text."""
    return read_table(path, ["p_value"])


def claims_of(paper: dict) -> list[dict]:
    """Returns the claims of config/paper.yaml, one for each number.

    Each has `id`, `claim`, `where`, `kind`, `value` and the keys that its kind needs."""
    claims = []
    for entry in paper["claims"]:
        if "value" in entry:
            claims.append(entry)
        for medium, values in entry.get("values", {}).items():
            for name, value in values.items():
                one = {
                    "id": f"{entry['id']}-{medium}-{name}",
                    "claim": f"{entry['claim']}: {paper['set_names'][name]}, {medium} medium",
                    "medium": medium,
                    "media": [medium],
                    "set": name,
                    "value": value,
                }
                claims.append(entry | one)
    for number, (batch, device, count, precision, *times) in enumerate(paper["training_times"], 1):
        setting = f"{count} x {device}, {batch:,} sequences on each, {precision}"
        value = "{} s a step, {} min an epoch, {} h".format(*times) if times else NO_MEMORY
        claims.append(
            {
                "id": f"table1-{number}",
                "claim": f"Training time: {setting}",
                "where": f"Table 1, row {number}",
                "kind": "time",
                "value": value,
                "cell": {"batch_size": batch, "devices": count, "precision": precision},
                "device": device,
                "step": float(times[0]) if times else None,
            }
        )
    return claims


def table(paper: dict, run: dict, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Returns the table of claims: the paper's number, this run's number and a verdict for each.

    A claim is compared with the paper only if the run meets its conditions: the data are measured,
    and the test set is the paper's (by its size). Claims on CRMnet also need the paper's
    architecture, with either the authors' weights or the paper's recipe on all of its training
    data, on eight devices with TensorFlow, in float32 or mixed_float16, with 8,192 sequences per
    step. Claims on motifs need MEME itself, on all sequences of the test set; only those on
    saliency depend on the model. If a condition is not met, the verdict is `not compared`, and
    `why` names every such condition. Our number is shown in any case.

    The verdicts are:

    - For a number: `reproduced` if the paper's number lies within our 95 % interval, widened by
      half a unit of the last printed digit. Otherwise `higher` or `lower`, which says how our
      number differs from the paper's. A count is `reproduced` only if it is equal.
    - For an order: `reproduced` or `lower` if the interval of the difference lies above or below 0.
      Otherwise `undecided`.
    - For a claim that nothing is lost: `reproduced` or `higher` if the interval of the loss lies
      below or above the margin. Otherwise `undecided`.
    - For a claim on every motif: `reproduced` if it holds for each of ours, `lower` if the opposite
      holds for each. Otherwise `undecided`.

    An interval over one training says nothing about the next training. If our model, or the model
    that it is compared with, was trained only once, an order is `undecided`, and so is a number
    outside the interval. This does not apply to published predictions and released weights, which
    are taken as fixed.

    `here` tells whether the run's own numbers support a statement, whatever the conditions: "yes",
    "no" or "undecided". It is "" for a plain number.

    Args:
        paper: the content of config/paper.yaml.
        run: the conditions of the run: `simulated` (whether the data are simulated), `main_model`
            (the model that stands for CRMnet), its `model` (see `plan.Plan.architecture`),
            `pretrain`, `recipe` (a name) and `training` (stage -> see `plan.Plan.recipe`),
            `precision` (model -> precision of its training), `weights` (medium -> "trained" or
            "released", for the main model), `backend`, and `motifs` (`model`, `medium`, `test_set`
            and `families` of the motif jobs; None if there are no motif jobs).
        tables: those that the run made of `metrics`, `comparisons`, `tableS1`, `figure1`, `table1`,
            `motifs` (see `selection.table`) and `effects` (see `effects.motif_effects`).

    Returns:
        `COLUMNS` with one row per claim, as objects. `paper` is the number as printed. `ours` is a
        float, an int (a count), a text, or None if there is no number.

    Raises:
        ValueError: a claim has an unknown kind, or a table has an unknown name.
    """
    for name in tables:
        if name not in MISSING:
            known = ", ".join(MISSING)
            raise ValueError(f"table {name!r}: no claim needs it; the known tables are {known}")
    evidence = _Evidence(paper, run, tables)
    rows = []
    for claim in claims_of(paper):
        stated = {"id": claim["id"], "claim": claim["claim"], "where": claim["where"]}
        rows.append(stated | {"paper": claim["value"]} | vars(_finding(claim, evidence)))
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def _finding(claim: dict, evidence: _Evidence) -> _Finding:
    kind = claim["kind"]
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise ValueError(f"config/paper.yaml: {claim['id']}: kind {kind!r} is not one of {known}")
    needed, judge, _ = KINDS[kind]
    if needed not in evidence.tables:
        return _Finding(why=MISSING[needed])
    return judge(claim, evidence)


def _performance(claim: dict, evidence: _Evidence) -> _Finding:
    metric, main = claim["metric"], claim["model"] == "main"
    keys = {
        "medium": claim["medium"],
        "model": evidence.run["main_model"] if main else claim["model"],
        "metric": {"mse": "rmse", "p_value": "pearson_r"}.get(metric, metric),
    }
    row = _row(evidence, "metrics", claim["set"], keys)
    if row is None:
        return _Finding(why=f"this run has no predictions of {keys['model']} for it")
    unmet, notes = _set(int(row["n"]), claim["medium"], claim["set"], evidence)
    if main:
        unmet += _model(claim["medium"], evidence)
    if metric == "p_value":
        p = None if row["p_value"] == "NA" else row["p_value"]
        finding = _Finding(p, n=int(row["n"]))
        finding.verdict = "reproduced" if p == claim["value"] else "higher" if p else "undecided"
    else:
        # Squaring keeps the order of positive numbers, so it keeps the ends of the interval.
        power = 2 if metric == "mse" else 1
        ours, low, high = (float(row[column]) ** power for column in ("value", "low", "high"))
        finding = _Finding(ours, low, high, int(row["n"]))
        finding.verdict = _number(claim["value"], low, high)
    if finding.verdict in ("higher", "lower") and main:
        _need_trainings(finding, claim, row, evidence)
    return _judged(claim, finding, unmet, notes)


def _ordering(claim: dict, evidence: _Evidence) -> _Finding:
    return _compared(claim, evidence, [])


def _no_loss(claim: dict, evidence: _Evidence) -> _Finding:
    """Tests non-inferiority: the loss against a margin."""
    model, run = claim["against"], evidence.run
    wanted = {run["main_model"]: "float32", model: "mixed_float16"}
    unmet = [
        f"{name} trained in {run['precision'][name]} instead of {precision}"
        for name, precision in wanted.items()
        if run["precision"].get(name, precision) != precision
    ]
    return _compared(claim, evidence, unmet)


def _compared(claim: dict, evidence: _Evidence, unmet: list[str]) -> _Finding:
    """Compares the main model's Pearson's r minus another model's with 0 or a margin."""
    row = _difference(claim, claim["set"], evidence)
    if row is None:
        return _Finding(why=f"this run has no comparison with {claim['against']} for it")
    of_set, notes = _set(int(row["n"]), claim["medium"], claim["set"], evidence)
    ours, low, high = (float(row[column]) for column in ("difference", "low", "high"))
    finding = _Finding(ours, low, high, int(row["n"]), verdict=_order(low, high, claim["value"]))
    _need_trainings(finding, claim, row, evidence)
    return _judged(claim, finding, of_set + _pair(claim, evidence) + unmet, notes)


def _contrast(claim: dict, evidence: _Evidence) -> _Finding:
    """Compares the differences between two models on two independent sets of sequences.

    The half-widths of the two intervals are added in squares (Zou and Donner 2008). Both
    differences use the same trainings. An effect that a training has on both sets cancels in the
    difference but not in the intervals, so the interval is too wide rather than too narrow."""
    unmet, notes, ends = [], [], []
    for name in (claim["on"], claim["than"]):
        row = _difference(claim, name, evidence)
        if row is None:
            return _Finding(why=f"this run has no comparison with {claim['against']} for it")
        of_set = _set(int(row["n"]), claim["medium"], name, evidence)
        unmet, notes = unmet + of_set[0], notes + of_set[1]
        ends.append([float(row[column]) for column in ("difference", "low", "high")])
    (on, on_low, on_high), (than, than_low, than_high) = ends
    low = on - than - hypot(on - on_low, than_high - than)
    high = on - than + hypot(on_high - on, than - than_low)
    finding = _Finding(on - than, low, high, verdict=_order(low, high, claim["value"]))
    _need_trainings(finding, claim, row, evidence)
    return _judged(claim, finding, unmet + _pair(claim, evidence), notes)


def _size(claim: dict, evidence: _Evidence) -> _Finding:
    name, sizes = claim["set"], evidence.paper["data_sizes"]
    rows = [_row(evidence, "tableS1", name, {"medium": m}, "set") for m in claim["media"]]
    if any(row is None for row in rows):
        return _Finding(why="this run has no such set")
    here = sum(int(row["sequences"]) for row in rows)
    unmet, _ = _near(here, sum(sizes[medium][name] for medium in claim["media"]))
    ours = sum(int(row[claim.get("column", "sequences")]) for row in rows)
    return _count(claim, ours, SIMULATED if evidence.run["simulated"] else unmet)


def _parameters(claim: dict, evidence: _Evidence) -> _Finding:
    ours = int(evidence.tables["figure1"]["parameters"].sum())
    return _count(claim, ours, _architecture(evidence))


def _motifs(claim: dict, evidence: _Evidence) -> _Finding:
    """Compares the paper's first motifs with as many of ours.

    If several known motifs match one of ours equally well, each of them counts as that motif."""
    wanted = claim["value"].split(", ")
    rows = selected(evidence.tables["motifs"]).head(len(wanted))
    names = list(rows["target_name"])
    same = {name: name for name in names}
    for name, ties in zip(names, rows["ties"].fillna(""), strict=True):
        same = dict.fromkeys(ties.split(", "), name) | same
    there = [name for name in wanted if name in same]
    ours = f"{', '.join(names) or 'none'} ({len(there)} of the paper's {len(wanted)})"
    verdict = "reproduced" if there == wanted else "lower"
    unmet, notes = _motif_jobs(claim, evidence)
    tied = [name for name in there if same[name] != name]
    notes = [f"{name} matches as well as {same[name]}" for name in tied] + notes
    return _judged(claim, _Finding(ours, n=len(rows), verdict=verdict), unmet, notes)


def _motif_saliency(claim: dict, evidence: _Evidence) -> _Finding:
    return _motif_map("saliency", claim, evidence)


def _motif_map(measure: str, claim: dict, evidence: _Evidence) -> _Finding:
    """Compares a measure of the saliency map at the matches of each motif with other positions."""
    rows = _measured(measure, evidence)
    above = (rows["difference"] > 0) & (rows["p_holm"] < SIGNIFICANT)
    finding = _each(rows, above, rows["difference"] <= 0)
    unmet, notes = _motif_jobs(claim, evidence)
    return _judged(claim, finding, unmet + _motif_model(evidence), notes)


def _motif_expression(claim: dict, evidence: _Evidence) -> _Finding:
    rows = _measured("expression", evidence)
    finding = _each(rows, rows["low"] > rows["control"], rows["high"] < rows["control"])
    unmet, notes = _motif_jobs(claim, evidence)
    passed = (rows["p_holm"] < SIGNIFICANT).sum()
    # The comparison of relatives with and without the motif answers another question.
    within = f"within families, P < {SIGNIFICANT:g} for {passed} of {len(rows)} motifs"
    return _judged(claim, finding, unmet, [within, *notes] if len(rows) else notes)


def _motif_order(claim: dict, evidence: _Evidence) -> _Finding:
    """Computes Spearman's rank correlation of saliency with expression over the motifs."""
    measured = [
        _measured(measure, evidence).set_index("target")["value"].rename(measure)
        for measure in ("saliency", "expression")
    ]
    pairs = pd.concat(measured, axis=1).dropna()
    finding = _Finding(n=len(pairs), verdict="undecided", why=f"over {len(pairs)} motifs")
    if len(pairs) < FEWEST_RANKED:
        finding.why = f"a rank correlation needs {FEWEST_RANKED} motifs"
    elif (pairs.nunique() > 1).all():
        finding.ours, p = rank_correlation(*pairs.to_numpy(float).T)
        finding.why += f", P = {p:.2g}"
        if p < SIGNIFICANT:
            finding.verdict = "reproduced" if finding.ours > 0 else "lower"
    else:
        finding.why += ", which do not differ"
    unmet, notes = _motif_jobs(claim, evidence)
    return _judged(claim, finding, unmet + _motif_model(evidence), notes)


def _motif_logo(claim: dict, evidence: _Evidence) -> _Finding:
    return _motif_map("logo_similarity", claim, evidence)


def _time(claim: dict, evidence: _Evidence) -> _Finding:
    """Compares one cell of Table 1, on the paper's hardware if this run has it, else on another."""
    cells = _cells(evidence, **claim["cell"])
    if not len(cells):
        return _Finding(why="this run has no such cell")
    same = cells["device"].fillna("").str.contains(claim["device"].split()[0], regex=False)
    cell = (cells[same] if same.any() else cells).iloc[0]
    unmet = _architecture(evidence)
    if not same.any():
        unmet.append(f"on {cell['device']}")
    if isinstance(cell["not_measured"], str):
        finding = _Finding(cell["not_measured"], verdict="undecided", why="no time")
        if finding.ours != NO_MEMORY:
            unmet.append(finding.ours)
        elif claim["step"] is None:
            finding = _Finding(NO_MEMORY, verdict="reproduced")
        return _judged(claim, finding, unmet, [])
    step, epoch, total = (
        float(cell[key]) for key in ("step_seconds", "epoch_minutes", "total_hours")
    )
    finding = _Finding(f"{step:.3f} s a step, {epoch:.2f} min an epoch, {total:.2f} h")
    ratio = step / claim["step"] if claim["step"] else 0.0
    near = abs(ratio - 1) <= NEAR_TIME
    finding.verdict = "reproduced" if near else "higher" if ratio > 1 else "lower"
    return _judged(claim, finding, unmet, [f"{ratio:.2f} times the paper's step"] if ratio else [])


def _faster_devices(claim: dict, evidence: _Evidence) -> _Finding:
    """Compares the hours on the fewest and the most devices, for the smallest batch with both."""
    for _, cells in _measured_cells(evidence).groupby(["batch_size", "precision"]):
        few, many = (
            cells[cells["devices"] == count(cells["devices"])]["total_hours"].astype(float).min()
            for count in (min, max)
        )
        if cells["devices"].nunique() > 1:
            verdict = "reproduced" if many < few else "lower"
            return _judged(
                claim,
                _Finding(f"{few:.3g} h to {many:.3g} h", verdict=verdict),
                _accelerated(cells, evidence),
                [],
            )
    return _Finding(why="this run has no cell on one and on several devices")


def _faster_precision(claim: dict, evidence: _Evidence) -> _Finding:
    return _precision(claim, "step_seconds", "{:.2f} times the time", evidence)


def _less_memory(claim: dict, evidence: _Evidence) -> _Finding:
    return _precision(claim, "peak_memory_gb", "{:.2f} times the memory", evidence)


def _precision(claim: dict, column: str, text: str, evidence: _Evidence) -> _Finding:
    """Gives the time or memory in half precision relative to float32, at the largest batch that
    was measured in both."""
    cells = _measured_cells(evidence).dropna(subset=[column])
    for (batch, *_), group in sorted(
        cells.groupby(["batch_size", "devices", "device"]), key=lambda pair: -pair[0][0]
    ):
        values = group.set_index("precision")[column].astype(float)
        halves = values.drop("float32", errors="ignore")
        if "float32" in values and len(halves):
            ratio = float(halves.min() / values["float32"])
            ours = f"{text.format(ratio)}, at {batch:,} sequences"
            verdict = "reproduced" if ratio < 1 else "lower"
            return _judged(
                claim, _Finding(ours, verdict=verdict), _accelerated(group, evidence), []
            )
    return _Finding(why="this run has no cell in float32 and in a half precision")


def _larger_batch(claim: dict, evidence: _Evidence) -> _Finding:
    cells = _measured_cells(evidence)
    most = [
        cells.loc[cells["device"].str.contains(name, regex=False), "batch_size"].max()
        for name in claim["devices"]
    ]
    if any(pd.isna(batch) for batch in most):
        return _Finding(why=f"this run has not both of {' and '.join(claim['devices'])}")
    verdict = "reproduced" if most[0] > most[1] else "lower"
    ours = f"{most[0]:,} against {most[1]:,} sequences"
    return _judged(claim, _Finding(ours, verdict=verdict), _architecture(evidence), [])


# Kind of claim -> the table that it needs, the function that compares it, and whether it is a
# statement, whose truth a run's own numbers can decide.
KINDS = {
    "performance": ("metrics", _performance, False),
    "ordering": ("comparisons", _ordering, True),
    "contrast": ("comparisons", _contrast, True),
    "no_loss": ("comparisons", _no_loss, True),
    "size": ("tableS1", _size, False),
    "parameters": ("figure1", _parameters, False),
    "motifs": ("motifs", _motifs, True),
    "motif_saliency": ("effects", _motif_saliency, True),
    "motif_expression": ("effects", _motif_expression, True),
    "motif_order": ("effects", _motif_order, True),
    "motif_logo": ("effects", _motif_logo, True),
    "time": ("table1", _time, False),
    "faster_devices": ("table1", _faster_devices, True),
    "faster_precision": ("table1", _faster_precision, True),
    "less_memory": ("table1", _less_memory, True),
    "larger_batch": ("table1", _larger_batch, True),
}
# Why a claim is not compared when its table is missing.
MISSING = {
    "metrics": "no metrics were made",
    "comparisons": "no models were compared",
    "tableS1": "the data sets were not counted",
    "figure1": "the model was not drawn",
    "motifs": "the motif jobs were not run",
    "effects": "the motif jobs were not run",
    "table1": "the benchmark was not run",
}
SIMULATED = ["simulated data"]


def _row(
    evidence: _Evidence, table: str, name: str, keys: dict[str, str], column: str = "test_set"
) -> pd.Series | None:
    """Returns the row of a set, or of the first of its stand-ins that has a row."""
    for candidate in (name, *evidence.paper["stand_ins"].get(name, ())):
        rows = evidence.tables[table]
        for key, value in {**keys, column: candidate}.items():
            rows = rows[rows[key] == value]
        if len(rows):
            return rows.iloc[0]
    return None


def _difference(claim: dict, name: str, evidence: _Evidence) -> pd.Series | None:
    models = {"model": evidence.run["main_model"], "against": claim["against"]}
    keys = {"medium": claim["medium"], "metric": "pearson_r", **models}
    return _row(evidence, "comparisons", name, keys)


def _need_trainings(finding: _Finding, claim: dict, row: pd.Series, evidence: _Evidence) -> None:
    """Makes a finding undecided if one of the compared models was trained only once.

    It is then unknown what another seed would give. Published predictions and released weights
    depend on no seed of ours."""
    alone = "against" not in claim
    published = alone or is_published(claim["against"])
    why = undecided(
        row["seeds"],
        1 if alone else row["against_seeds"],
        published=evidence.run["weights"][claim["medium"]] == "released",
        against_published=published,
    )
    if why:
        finding.verdict, finding.why = "undecided", "it was trained once" if alone else why


def _measured(measure: str, evidence: _Evidence) -> pd.DataFrame:
    """Returns the effects of the selected motifs on one measure, one row per motif."""
    rows = evidence.tables["effects"]
    return rows[rows["measure"] == measure]


def _cells(evidence: _Evidence, **values: object) -> pd.DataFrame:
    """Returns our rows of Table 1 that have these values."""
    rows = evidence.tables["table1"]
    rows = rows[rows["source"] == OURS]
    for key, value in values.items():
        rows = rows[rows[key] == value]
    return rows


def _measured_cells(evidence: _Evidence) -> pd.DataFrame:
    rows = _cells(evidence)
    return rows[rows["not_measured"].isna()]


def _each(rows: pd.DataFrame, above: pd.Series, below: pd.Series) -> _Finding:
    """Judges a claim on every motif by the smallest difference and the motifs that fail."""
    if not len(rows):
        return _Finding(n=0, verdict="undecided", why="no motif is selected")
    verdict = "reproduced" if above.all() else "lower" if below.all() else "undecided"
    failing = ", ".join(rows["target_name"][~above])
    why = f"does not hold for {failing}" if failing else ""
    return _Finding(float(rows["difference"].min()), n=len(rows), verdict=verdict, why=why)


# The following functions return the conditions that are not met. `_set`, `_near`, `_motif_jobs` and
# `_motif_set` also return notes for the case that all conditions are met.


def _set(n: int, medium: str, name: str, evidence: _Evidence) -> tuple[list[str], list[str]]:
    if evidence.run["simulated"]:
        return SIMULATED[:], []
    return _near(n, evidence.paper["data_sizes"][medium][name])


def _near(n: int, wanted: int) -> tuple[list[str], list[str]]:
    if abs(n - wanted) > TOLERANCE * wanted:
        than = f"of the {wanted:,} sequences" if n < wanted else f"sequences instead of {wanted:,}"
        return [f"this run has {n:,} {than}"], []
    return [], [f"{n:,} sequences here, {wanted:,} in the paper"] if n != wanted else []


def _architecture(evidence: _Evidence) -> list[str]:
    return _differences(evidence.run["model"], evidence.paper["model"])


def _accelerated(cells: pd.DataFrame, evidence: _Evidence) -> list[str]:
    """Checks that cells of Table 1 were measured for the paper's model and not on a CPU."""
    return _architecture(evidence) + (["on a CPU"] if "cpu" in set(cells["kind"]) else [])


def _differences(ours: dict, wanted: dict) -> list[str]:
    """Returns a text for each value that is not the wanted one, or not one of several wanted."""
    return [
        f"{key.replace('_', ' ')} {_said(ours.get(key))} instead of {_said(value)}"
        for key, value in wanted.items()
        if ours.get(key) not in (value if isinstance(value, list) else [value])
    ]


def _said(value: object) -> str:
    if isinstance(value, list):
        return " or ".join(map(_said, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "unknown" if value is None else str(value)


def _execution(recipe: dict, run: dict) -> dict:
    """Returns the hardware and software of a training; a number that is not set is None."""
    devices = recipe["devices"] and recipe["devices"] * recipe["hosts"]
    return {
        "flavour": run["model"].get("flavour"),
        "backend": run["backend"],
        "precision": recipe["precision"],
        "devices": devices,
        "global_batch": devices and devices * recipe["batch_size"],
    }


def _model(medium: str, evidence: _Evidence) -> list[str]:
    """Checks that the main model is the paper's CRMnet."""
    paper, run, tables = evidence
    unmet = _architecture(evidence)
    if run["weights"][medium] == "released":
        return unmet
    wanted, stages = paper["training"], run["training"].values()
    for stage in stages:
        unmet += _differences(_execution(stage, run), paper["execution"])
    other = [key for key in wanted if any(stage.get(key) != wanted[key] for stage in stages)]
    if other:
        unmet.append(f"other training settings ({', '.join(other).replace('_', ' ')})")
    if not run["pretrain"]:
        unmet.append("not pre-trained")
    if not run["simulated"]:
        # Check every medium, because pre-training uses all of them.
        for name, sizes in paper["data_sizes"].items():
            unmet += _training(name, sizes["train"], paper["validation_fraction"], tables)
    return unmet


def _training(
    medium: str, wanted: int, validation: float, tables: dict[str, pd.DataFrame]
) -> list[str]:
    ours = trained_on(tables, medium)
    if ours is None:
        return [f"size of the training set unknown, {medium} medium"]
    if abs(ours - (1 - validation) * wanted) <= TOLERANCE * wanted:
        return []
    than = f"of {wanted:,} sequences" if ours < wanted else f"sequences instead of {wanted:,}"
    return [f"trained on {ours:,} {than}, {medium} medium"]


def _pair(claim: dict, evidence: _Evidence) -> list[str]:
    """Checks the main model and the model that it is compared with."""
    medium, against = claim["medium"], claim["against"]
    unmet = _model(medium, evidence)
    if evidence.run["weights"][medium] == "released" and not is_published(against):
        unmet.append(f"released weights against {against} trained here")
    return unmet


def _motif_jobs(claim: dict, evidence: _Evidence) -> tuple[list[str], list[str]]:
    """Checks that the motif jobs used the paper's sequences and its program."""
    families = evidence.run["motifs"]["families"]
    unmet, notes = _motif_set(claim, evidence)
    if families != "all":
        unmet.append(f"families: {families} instead of all")
    return unmet + _meme(evidence.tables), notes


def _motif_set(claim: dict, evidence: _Evidence) -> tuple[list[str], list[str]]:
    paper, run, tables = evidence
    medium, name = run["motifs"]["medium"], run["motifs"]["test_set"]
    if run["simulated"]:
        return SIMULATED[:], []
    known = (claim["set"], *paper["stand_ins"].get(claim["set"], ()))
    if medium != claim["medium"] or name not in known:
        wanted = f"{claim['set']} in {claim['medium']} medium"
        return [f"motifs of {name} in {medium} medium instead of {wanted}"], []
    keys = {"medium": medium}
    row = _row(evidence, "tableS1", name, keys, "set") if "tableS1" in tables else None
    if row is None:
        return ["size of the test set unknown"], []
    return _near(int(row["sequences"]), paper["data_sizes"][medium][claim["set"]])


def _meme(tables: dict[str, pd.DataFrame]) -> list[str]:
    rows = tables.get("motifs", pd.DataFrame(columns=["method", "engine"]))
    engines = set(rows.loc[rows["method"] == MEME, "engine"])
    if not engines:
        return ["engine of MEME unknown"]
    return ["MEME is the built-in one"] if BUILTIN in engines else []


def _motif_model(evidence: _Evidence) -> list[str]:
    """Checks that the saliency maps are of the paper's CRMnet."""
    jobs, main = evidence.run["motifs"], evidence.run["main_model"]
    if jobs["model"] != main:
        return [f"saliency of {jobs['model']} instead of {main}"]
    return _model(jobs["medium"], evidence)


def trained_on(tables: dict[str, pd.DataFrame], medium: str) -> int | None:
    """Returns how many sequences a model of one medium is trained on; None if it is not known."""
    if "tableS1" not in tables:
        return None
    sizes = tables["tableS1"]
    rows = sizes[(sizes["medium"] == medium) & (sizes["set"] == "train")]
    # A sequence in another medium's test set is left out of pre-training only.
    return int(rows[["trained on", "in another medium's"]].sum().sum()) if len(rows) else None


def _number(printed: str, low: float, high: float) -> str:
    """Compares our interval with a printed number, i.e. with all numbers that round to it."""
    if not (isfinite(low) and isfinite(high)):
        return "undecided"
    value = Decimal(printed)
    half = Decimal(1).scaleb(value.as_tuple().exponent) / 2
    # Decimals are exact; in doubles, 0.9705 + 0.0005 may differ from 0.971.
    if Decimal(repr(low)) - half > value:
        return "higher"
    return "lower" if Decimal(repr(high)) + half < value else "reproduced"


def _order(low: float, high: float, claimed: str) -> str:
    """Compares the interval of a difference with the claim: "> 0", or "< " and a margin."""
    sign, bound = claimed[0], float(claimed[1:])
    if low > bound:
        return "reproduced" if sign == ">" else "higher"
    if high < bound:
        return "reproduced" if sign == "<" else "lower"
    return "undecided"


def _count(claim: dict, ours: int, unmet: list[str]) -> _Finding:
    more = ours - int(claim["value"].replace(",", ""))
    verdict = "higher" if more > 0 else "lower" if more < 0 else "reproduced"
    notes = [f"{abs(more):,} {'more' if more > 0 else 'fewer'} than in the paper"] if more else []
    return _judged(claim, _Finding(ours, verdict=verdict), unmet, notes)


def _judged(claim: dict, finding: _Finding, unmet: list[str], notes: list[str]) -> _Finding:
    """Completes a finding: it adds the reasons, and keeps the verdict only if all conditions are
    met."""
    for name in ("ours", "low", "high"):
        value = getattr(finding, name)
        if isinstance(value, float) and not isfinite(value):
            setattr(finding, name, None)
    *_, is_statement = KINDS[claim["kind"]]
    if is_statement:
        finding.here = HERE[finding.verdict]
    if finding.verdict == "undecided" and not finding.why:
        known = finding.low is not None and finding.high is not None
        bound = claim["value"].split()[-1]
        finding.why = f"the interval holds {bound}" if known else "no value, or no interval of it"
    if unmet:
        # The reason why a statement is undecided in this run does not depend on the paper.
        reasons = [finding.why] if is_statement else []
        finding.verdict, notes = NOT_COMPARED, dict.fromkeys(unmet)
    else:
        reasons = [finding.why]
    finding.why = "; ".join(filter(None, [*reasons, *notes]))
    return finding


def markdown(claims: pd.DataFrame, run: dict, tables: dict[str, pd.DataFrame]) -> str:
    """Returns the table of claims for a reader, below an introduction that describes the run and
    counts the verdicts.

    Args:
        claims: the result of `table`.
        run, tables: the arguments of `table`.
    """
    lines = [
        ["claim", "where", "paper", "ours (95 % interval)", "n", "in this run", "against the paper"]
        + ["why"],
        ["---"] * 8,
    ]
    for row in claims.itertuples():
        n = "" if row.n is None else f"{row.n:,}"
        cells = [row.claim, row.where, row.paper, _shown(row), n, row.here, row.verdict, row.why]
        lines.append([re.sub(r"([\\|])", r"\\\1", cell) for cell in cells])
    rows = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"{_head(claims, run, tables)}\n\n{rows}"


def _head(claims: pd.DataFrame, run: dict, tables: dict[str, pd.DataFrame]) -> str:
    media = list(run["weights"])
    sizes = {medium: trained_on(tables, medium) for medium in media}
    counted = ", ".join(f"{medium} medium {n:,}" for medium, n in sizes.items() if n is not None)
    model = [f"{key} {run['model'].get(key, 'unknown')}" for key in ("width", "flavour")]
    if "figure1" in tables:
        model.append(f"{tables['figure1']['parameters'].sum():,} parameters")
    model.append("pre-trained on all media" if run["pretrain"] else "not pre-trained")
    weights = ", ".join(f"{medium} medium {run['weights'][medium]}" for medium in media)
    verdicts, here = (
        ", ".join(f"{(claims[column] == word).sum()} {word}" for word in words)
        for column, words in (("verdict", VERDICTS), ("here", dict.fromkeys(HERE.values())))
    )
    return (
        f"This run uses {'simulated' if run['simulated'] else 'measured'} data. Training "
        f"sequences: {counted or 'not counted'}. Model: {run['main_model']} ({', '.join(model)}). "
        f"Weights: {weights}. Recipe: {run['recipe']}. Backend: {run['backend']}. Verdicts on the "
        f"paper's {len(claims)} claims: {verdicts}. A claim is compared with the paper only if "
        "this run meets its conditions. Otherwise our number is no test of the paper's. The "
        'column "in this run" tells whether this run\'s own numbers support a statement, whatever '
        f"the conditions: {here}."
    )


def _shown(row) -> str:
    """Returns our number with three decimals, or four for a difference, and its interval."""
    if row.ours is None or isinstance(row.ours, str):
        return row.ours or ""
    if isinstance(row.ours, int):
        return f"{row.ours:,}"
    form = "z.4f" if row.paper[0] in "<>" else "z.3f"
    if row.low is None or row.high is None:
        return format(row.ours, form)
    return f"{row.ours:{form}} ({row.low:{form}} to {row.high:{form}})"
