"""The figure of a cross-validation: measured expression against out-of-fold predictions, and
Pearson's r in each fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crmnet.report.drawings import BESIDE, LETTER, intervals, letters, panel, squares, wrapped
from crmnet.report.scatter import BAR, density_scale, density_scatter, statistics_text
from crmnet.report.style import DOUBLE, GREY, LOWEST, SMALL, styled

# The name of the rows with the metrics over all folds.
ALL = "all"
# The metrics of the single trainings, which this figure does not show.
NO_SEEDS = pd.DataFrame(columns=["seed", "metric", "value", "problem"], dtype=str)
# With more models and media than this, there are four panels in a row.
PAIRS = 4
# With more folds than this, or longer names, the names of the folds are upright.
FLAT = 6
# Longer names of folds are cut.
LONG = 18


def panel_numbers(panels: Sequence[tuple[str, str]], metrics: pd.DataFrame) -> pd.DataFrame:
    """Returns the metrics with the letter of their panel: for each model and medium, that of the
    scatter for all folds together, and the next one for the single folds.

    Args:
        panels: model and medium of each pair of panels.
        metrics: model, medium, fold, and the columns of `metrics.metrics`.
    """
    of = {pair: letters(2 * len(panels))[2 * n : 2 * n + 2] for n, pair in enumerate(panels)}
    panel_ = [
        of[model, medium][fold != ALL]
        for model, medium, fold in metrics[["model", "medium", "fold"]].itertuples(index=False)
    ]
    return metrics.assign(panel=panel_)[["panel", *metrics.columns]].sort_values(
        "panel", key=lambda names: names.str.rjust(3), kind="stable"
    )


@styled()
def draw(
    titles: Mapping[tuple[str, str], str],
    predictions: pd.DataFrame,
    numbers: pd.DataFrame,
    expression: str,
) -> Figure:
    """Draws two panels for each model and medium.

    Args:
        titles: model and medium -> the title of their panels.
        predictions: model, medium, fold, measured, prediction.
        numbers: the result of `panel_numbers`, with the column `problem`.
        expression: the name of the quantity on the axes, with its unit.
    """
    # Both panels of a pair stand side by side.
    columns = 2 if len(titles) <= PAIRS else 4
    room = DOUBLE / columns - BESIDE
    page, axes = squares(2 * len(titles), 4, BAR, columns)
    names = letters(len(axes))
    for number, ((model, medium), title) in enumerate(titles.items()):
        left, right = axes[2 * number : 2 * number + 2]
        of = numbers[(numbers["model"] == model) & (numbers["medium"] == medium)]
        rows = predictions[(predictions["model"] == model) & (predictions["medium"] == medium)]
        points = density_scatter(
            left, rows["prediction"], rows["measured"], expression=expression, room=room
        )
        left.set_xlabel(wrapped(f"predicted {expression}, out of fold", room))
        note = statistics_text(of[of["fold"] == ALL], NO_SEEDS)
        above = DOUBLE / columns - LETTER
        panel(left, names[2 * number], wrapped(title, above), wrapped(note, above, SMALL))
        _folds(right, of[of["metric"] == "pearson_r"])
        note = wrapped(_note(of[of["fold"] != ALL]), above, SMALL)
        panel(right, names[2 * number + 1], "each fold", note)
    density_scale(page, points, axes, "bottom")
    return page


def _folds(axis: Axes, rows: pd.DataFrame) -> None:
    """Draws r of each fold with its interval, and r over all folds as a line."""
    folds = rows[rows["fold"] != ALL]
    (whole,) = rows.loc[rows["fold"] == ALL, "value"]
    axis.axhline(whole, color=GREY, linewidth=0.6, dashes=(4, 3), zorder=1)
    intervals(axis, folds["value"], folds["low"], folds["high"])
    lowest = min(LOWEST, folds[["value", "low"]].min(axis=None) - 0.05)
    axis.set(xlabel="fold", ylabel="Pearson's r", ylim=(lowest, 1.03), box_aspect=1)
    axis.set_xlim(-0.5, len(folds) - 0.5)
    names = [name if len(name) <= LONG else f"{name[: LONG - 1]}…" for name in folds["fold"]]
    upright = len(names) > FLAT or max(map(len, names)) > FLAT
    axis.set_xticks(range(len(names)), names, rotation=90 if upright else 0)


def _note(folds: pd.DataFrame) -> str:
    """Returns the range of r over the folds, and how many have a training with a problem."""
    r = folds.loc[folds["metric"] == "pearson_r"]
    lines = [f"r from {r['value'].min():.3f} to {r['value'].max():.3f}"]
    if wrong := int((r["problem"] != "").sum()):
        lines.append(f"NOT LEARNED OR NOT FINISHED: {wrong} of {len(r)} folds")
    return "\n".join(lines)
