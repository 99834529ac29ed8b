"""Table 1: training times by local batch size, precision and devices, beside the paper's."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from crmnet.report.claims import OURS
from crmnet.report.drawings import text_width
from crmnet.report.style import BLACK, DOUBLE, SMALL, figure, styled
from crmnet.training.machine import NO_MEMORY

PAPER = "paper"
TIMES = ("step_seconds", "epoch_minutes", "total_hours")
COLUMNS = (
    *("source", "device", "kind", "devices", "backend", "precision", "batch_size", *TIMES),
    *("sequences_per_second", "step_alone_seconds", "step_alone_sequences_per_second"),
    *("input_bound", "peak_memory_gb", "flops_share", "peak_source", "not_measured"),
)
# The columns of the table for readers. All from the sixth on are numbers, and the paper has the
# first four of these.
HEADS = {
    "batch_size": "local\nbatch",
    "source": "source",
    "device": "hardware",
    "devices": "devices",
    "precision": "precision",
    "step_seconds": "step,\ns",
    "epoch_minutes": "epoch,\nmin",
    "total_hours": "total,\nh",
    "sequences_per_second": "sequences/s",
    "step_alone_seconds": "step\nalone, s",
    "input_bound": "input\nadds, %",
    "peak_memory_gb": "memory,\nGB",
    "flops_share": "of peak,\n%",
}
NUMBERS, PRINTED = tuple(HEADS)[5:], tuple(HEADS)[5:9]
SHARES = ("input_bound", "flops_share")
TEXT = ("source", "device", "precision")
# The PDF: height of a line and of the head, and margin, mm; characters in a line of the note.
LINE, HEAD, MARGIN, NOTE = 4.2, 8.4, 3.0, 165
# Space between the table's edge and its text, and least space between columns, mm.
INSET, GAP = 1.0, 2.0
TINT = "#DDEBF5"


def table(cells: Sequence[dict], paper: dict) -> pd.DataFrame:
    """Returns the paper's rows and ours, sorted by batch size, with `COLUMNS`, as objects.

    Args:
        cells: results of `benchmark.measure`.
        paper: the content of config/paper.yaml.
    """
    rows = [*(_paper_row(*entry) for entry in paper["training_times"]), *map(_our_row, cells)]
    rows.sort(key=lambda row: (row["batch_size"], row["source"]))
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def _our_row(cell: dict) -> dict:
    row = {key: cell[key] for key in ("device", "kind", "devices", "backend", "precision")}
    row |= {"source": OURS, "batch_size": cell["batch_size"], "not_measured": cell["not_measured"]}
    if cell["not_measured"]:
        return row
    alone, whole = cell["step_alone"], cell["with_input"]
    numbers = {key: whole[key] for key in (*TIMES, "sequences_per_second")}
    numbers |= {
        "step_alone_seconds": alone["step_seconds"],
        "step_alone_sequences_per_second": alone["sequences_per_second"],
        "input_bound": max(0.0, 1 - alone["step_seconds"] / whole["step_seconds"]),
        "peak_memory_gb": cell["peak_memory"]["bytes"] / 1e9,
        "flops_share": cell["flops_share"],
    }
    rates = {key: _rounded(number) for key, number in numbers.items()}
    return row | rates | {"peak_source": cell["peak_source"]}


def _paper_row(batch: int, device: str, count: int, precision: str, *times: str) -> dict:
    """Returns a row of the paper's Table 1 with its numbers as printed. A row without times ran out
    of memory."""
    row = {"source": PAPER, "device": device, "devices": count, "backend": "tensorflow"}
    row |= {"precision": precision, "batch_size": batch}
    if not times:
        return row | {"not_measured": NO_MEMORY}
    rate = _rounded(count * batch / float(times[0]))
    return row | dict(zip(TIMES, times, strict=True)) | {"sequences_per_second": rate}


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")


def _digits(number: float) -> str:
    """Returns a number with three significant digits and separated thousands."""
    places = 2 - math.floor(math.log10(abs(number))) if number else 0
    return f"{round(number, places):,.{max(0, places)}f}"


def texts(table: pd.DataFrame) -> list[list[str]]:
    """Returns the cells of each row as text, with the columns of `HEADS`."""
    records = table.to_dict("records")
    rows = [{key: value for key, value in row.items() if pd.notna(value)} for row in records]
    return [[_text(row, key) for key in HEADS] for row in rows]


def _text(row: dict, key: str) -> str:
    value = row.get(key)
    if row.get("not_measured") and key in (NUMBERS if row["source"] == OURS else PRINTED):
        return "-" if row["not_measured"] == NO_MEMORY else "n/a"
    if value is None:
        return ""
    if key in SHARES:
        return f"{100 * value:.0f}"
    if key in NUMBERS and not isinstance(value, str):
        return _digits(value)
    return re.sub(r"\((R|TM)\)|( CPU)? @.*", "", str(value)) if key == "device" else str(value)


def markdown(lines: Sequence[Sequence[str]], below: str) -> str:
    """Returns the table in Markdown, with a note below.

    Args:
        lines: the result of `texts`.
        below: the result of `note`.
    """
    heads = [head.replace("\n", " ").strip() for head in HEADS.values()]
    sides = [":---" if key in TEXT else "---:" for key in HEADS]
    rows = "".join(f"| {' | '.join(line)} |\n" for line in (heads, sides, *lines))
    return f"{rows}\n{below}\n"


def note(cells: Sequence[dict], paper: dict) -> str:
    """Returns a note on the measurements and estimates. For the arguments see `table`."""
    first = cells[0]
    measured = [cell for cell in cells if not cell["not_measured"]]
    run = f"{first['model']['architecture']}, {first['backend']}"
    if measured:
        run += f", {measured[0]['parameters']:,} parameters"
        peak = ", ".join(dict.fromkeys(cell["peak_source"] for cell in measured))
    text = (
        f"This run ({run}). Step: mean time of a step in the slowest of {first['epochs'] - 1} "
        f"epochs of {first['steps']} steps, after a first epoch that is not counted; it includes "
        "the input from shards. Epoch and total: estimates for "
        f"{first['estimate_epochs']} epochs of {first['sequences']:,} sequences. "
        "Step alone: time of a step whose data are on the device already. "
        "Input adds: share of the input in the time of a step. "
    )
    if measured:
        text += (
            f"Memory: peak of the {measured[0]['peak_memory']['of']}. Of peak: operations per "
            f"second of the step alone, as a share of the hardware's peak ({peak}). "
        )
    whole = next(claim["value"] for claim in paper["claims"] if claim["kind"] == "parameters")
    text += (
        f"Paper: Ding et al. 2023, Table 1; {whole} parameters, 30,722,376 sequences. "
        f"-: {NO_MEMORY}."
    )
    others = {cell["not_measured"] for cell in cells} - {None, NO_MEMORY}
    return text + "".join(f" n/a: {reason}." for reason in sorted(others))


@styled()
def draw(lines: Sequence[Sequence[str]], below: str) -> Figure:
    """Draws the table with our rows tinted, a rule between batch sizes, and the note below.

    For the arguments see `markdown`."""
    keys, heads = list(HEADS), list(HEADS.values())
    widths = [
        max(text_width(head, weight="bold"), *map(text_width, column))
        for head, *column in zip(heads, *lines, strict=True)
    ]
    edges, gaps = 2 * (MARGIN + INSET), len(widths) - 1
    page = max(DOUBLE, sum(widths) + edges + GAP * gaps)
    gap = (page - edges - sum(widths)) / gaps
    notes = textwrap.wrap(below, round(NOTE * page / DOUBLE))
    height = HEAD + LINE * len(lines) + 0.75 * LINE * len(notes) + 3 * MARGIN
    drawn = figure(page, height)
    drawn.set_layout_engine("none")
    axis = drawn.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, page), ylim=(height, 0))
    axis.set_axis_off()

    def rule(y, thickness):
        axis.plot([MARGIN, page - MARGIN], [y, y], color=BLACK, linewidth=thickness)

    def row(bottom, cells, **style):
        left = MARGIN + INSET
        for key, text, room in zip(keys, cells, widths, strict=True):
            at, side = (left, "left") if key in TEXT else (left + room, "right")
            for number, part in enumerate(reversed(text.split("\n"))):
                y = bottom - 0.3 * LINE - 0.8 * LINE * number
                axis.text(at, y, part, fontsize=SMALL, ha=side, **style)
            left += room + gap

    top = MARGIN + HEAD
    rule(MARGIN, 0.8)
    row(top, heads, fontweight="bold")
    rule(top, 0.6)
    for number, cells in enumerate(lines):
        y = top + LINE * number
        if cells[1] == OURS:
            axis.axhspan(
                y, y + LINE, MARGIN / page, 1 - MARGIN / page, color=TINT, linewidth=0, zorder=0
            )
        if number and cells[0] != lines[number - 1][0]:
            rule(y, 0.3)
        row(y + LINE, cells)
    bottom = top + LINE * len(lines)
    rule(bottom, 0.8)
    axis.text(
        MARGIN,
        bottom + 0.5 * MARGIN,
        "\n".join(notes),
        fontsize=SMALL - 0.5,
        va="top",
        linespacing=1.3,
    )
    return drawn
