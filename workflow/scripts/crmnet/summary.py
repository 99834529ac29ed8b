"""What a run says at its end: what it made, what it left out, and the headline numbers. Standard
library only: Snakemake itself says it."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Sequence
from pathlib import Path

WIDTH = 100


def summary(outdir: Path, model: str, label: str, left_out: dict[str, str]) -> str:
    """The figures and tables that are in the folder of results, what is left out, and the
    correlations of one model's predictions with the measurements.

    Args:
        outdir: the folder of results.
        model: in metrics.tsv.
        label: the model's name for readers.
        left_out: figure -> why it is.
    """
    there = [*outdir.glob("*"), *outdir.glob("score/*")]
    shown = (path for path in there if path.suffix in (".pdf", ".md"))
    made = sorted(path.relative_to(outdir).as_posix() for path in shown)
    lines = [f"{outdir} has {', '.join(made)}."] if made else []
    lines += [f"Left out: {figure}: {reason}." for figure, reason in left_out.items()]
    if found := _correlations(outdir / "metrics.tsv", model):
        lines.append(f"Pearson's r of {label}, with its 95 % interval: {'; '.join(found)}.")
    if (page := outdir / "index.html").exists():
        lines.append(f"All on one page: {page}")
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines)


def failure(failed: Sequence[tuple[str, Sequence[str]]]) -> str:
    """What to do after jobs failed.

    Args:
        failed: rule and logs of each failed job.
    """
    lines = [f"Failed: {rule}" + (f" ({', '.join(logs)})" if logs else "") for rule, logs in failed]
    lines.append(
        "What is finished is kept. Mend what the errors above say (the logs say more), and run the "
        "same command again."
    )
    return "\n".join(lines)


def _correlations(metrics: Path, model: str) -> list[str]:
    if not metrics.exists():
        return []
    with metrics.open() as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["model"] == model]
    return [
        f"{row['medium']} {row['test_set']} {float(row['value']):.3f} "
        f"({float(row['low']):.3f} to {float(row['high']):.3f}, N = {int(row['n']):,})"
        for row in rows
        if row["metric"] == "pearson_r"
    ]
