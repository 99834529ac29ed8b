"""The message at the end of a run: the files it made, the figures it left out, the main numbers and
the trainings to check. It uses only the standard library, because Snakemake's own process runs it.
"""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

WIDTH = 100


def summary(
    outdir: Path, model: str, label: str, left_out: dict[str, str], medium: Callable[[str], str]
) -> str:
    """Returns the message after a run that succeeded.

    It lists the figures and tables in the folder of results, the figures that were left out, the
    correlations of one model's predictions with the measurements, and the trainings to check.

    Args:
        outdir: the folder of results.
        model: the model's name in metrics.tsv.
        label: the model's name for readers.
        left_out: figure -> reason.
        medium: gives a medium's name for readers.
    """
    there = [*outdir.glob("*"), *outdir.glob("score/*")]
    shown = (path for path in there if path.suffix in (".pdf", ".md"))
    made = sorted(path.relative_to(outdir).as_posix() for path in shown)
    lines = [f"{outdir} has {', '.join(made)}."] if made else []
    lines += [f"Left out: {figure}: {reason}." for figure, reason in left_out.items()]
    if correlations := _correlations(outdir / "metrics.tsv", model):
        lines.append(f"Pearson's r of {label}, with its 95 % interval: {'; '.join(correlations)}.")
    by_seed = _rows(outdir / "metrics_by_seed.tsv")
    lines += [f"Caution: {training}." for training in cautions(by_seed, medium=medium)]
    if (page := outdir / "index.html").exists():
        lines.append(f"All on one page: {page}")
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines)


def failure(failed: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Returns the message after jobs failed: which ones, and what to do.

    Args:
        failed: rule and logs of each failed job.
    """
    lines = [f"Failed: {rule}" + (f" ({', '.join(logs)})" if logs else "") for rule, logs in failed]
    lines.append(
        "All finished files are kept. Fix what the errors above name (the logs have the details), "
        "then run the same command again."
    )
    return "\n".join(lines)


def cautions(
    rows: Iterable[Mapping[str, str]],
    label: Callable[[str], str] = str,
    medium: Callable[[str], str] = str,
) -> list[str]:
    """Returns a text for each training that has not learned or not ended, with the reason.

    Args:
        rows: rows of metrics_by_seed.tsv.
        label: gives a model's name for readers.
        medium: gives a medium's name for readers.
    """
    texts = {}
    for row in rows:
        if row["problem"]:
            seed = f"seed {row['seed']}" if row["seed"].isdigit() else row["seed"]
            names = f"{label(row['model'])}, {medium(row['medium'])}, {seed}"
            texts[f"{names}: {row['problem']}"] = None
    return list(texts)


def interval(row: Mapping[str, str]) -> str:
    """Returns a metric with its interval, with three decimals. A metric can be undefined, as r of
    equal values is, and a test set of a single family has no interval."""
    value, low, high = (
        f"{float(row[key]):z.3f}" if row[key] else "" for key in ("value", "low", "high")
    )
    return f"{value or 'undefined'} ({f'{low} to {high}' if low else 'no interval'})"


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _correlations(metrics: Path, model: str) -> list[str]:
    rows = [row for row in _rows(metrics) if row["model"] == model]
    return [
        f"{row['medium']} {row['test_set']} {interval(row)[:-1]}, N = {int(row['n']):,})"
        for row in rows
        if row["metric"] == "pearson_r"
    ]
