"""The training curves: loss and validation R2 of every training over the epochs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from crmnet.report.drawings import legend_columns, wrapped
from crmnet.report.style import (
    BLACK,
    COLOURS,
    DOUBLE,
    LEGEND,
    LOWEST,
    PAGE,
    SINGLE,
    TEXT_LINE,
    figure,
    styled,
)

# Largest number of models side by side; height of a panel, mm.
_CURVES, _CURVE = 5, 32.0


@styled()
def draw(
    models: Mapping[str, Mapping[str, list[pd.DataFrame]]], labels: Mapping[str, str] | None = None
) -> Figure:
    """Draws the loss and below it the validation R2 over the epochs.

    Each model has a pair of panels, each training a line with its best epoch marked, and each stage
    a colour. All panels have the same R2 axis. It starts at `LOWEST`, because an R2 far below 0
    would compress the others: a line goes along the edge, with a mark at each epoch that is below.

    Args:
        models: model -> stage -> one table per seed: epoch, loss, validation_r2.
        labels: stage -> its label, for stages whose label is not their name.
    """
    stages = list(dict.fromkeys(stage for histories in models.values() for stage in histories))
    # Rows that are as full as possible.
    rows = -(-len(models) // _CURVES)
    columns = -(-len(models) // rows)
    width = min(max(SINGLE, DOUBLE * columns / 3), DOUBLE)
    titles = [wrapped(name, width / columns - 8) for name in models]
    names = {stage: wrapped((labels or {}).get(stage, stage), width - 20) for stage in stages}
    beside = legend_columns([*names.values(), "best epoch", f"below {LOWEST}"], width)
    below = LEGEND + TEXT_LINE * -(-(len(stages) + 2) // beside)
    extra = TEXT_LINE * max(title.count("\n") for title in titles)
    height = min(_CURVE, (PAGE - below) / (2 * rows) - extra / 2)
    page = figure(width, rows * (2 * height + extra) + below)
    axes = page.subplots(2 * rows, columns, squeeze=False)
    every = [one for histories in models.values() for of in histories.values() for one in of]
    highest = max((one["validation_r2"].max() for one in every), default=0)
    limits = LOWEST, 1.06 * max(highest if pd.notna(highest) else 0, 0.01)
    hidden = False
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        pair = axes[2 * row : 2 * row + 2, column]
        if place >= len(models):
            for axis in pair:
                axis.remove()
            continue
        histories = list(models.values())[place]
        for stage, history in ((s, one) for s, of in histories.items() for one in of):
            scores = history["validation_r2"]
            best = [int(scores.argmax())] if scores.notna().any() else []
            colour = COLOURS[stages.index(stage) % len(COLOURS)]
            style = {"color": colour, "marker": "o", "markevery": best, "label": names[stage]}
            pair[0].plot(history["epoch"], history["loss"], **style)
            # A mark at the edge must be whole.
            pair[1].plot(history["epoch"], scores.clip(lower=LOWEST), **style, clip_on=False)
            # Matplotlib would lay out a line without points at the corner of the page.
            if (low := scores < LOWEST).any():
                hidden = True
                edge = {"color": colour, "marker": "v", "linestyle": "", "clip_on": False}
                pair[1].plot(history["epoch"][low], [LOWEST] * low.sum(), **edge)
        pair[0].set_title(titles[place])
        pair[1].set_ylim(limits)
        pair[1].set_xlabel("epoch")
        for axis in pair:
            axis.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
        if not column:
            pair[0].set_ylabel("training loss")
            pair[1].set_ylabel("validation R²")
    page.align_ylabels(axes[:, 0])
    handles = [
        Line2D([], [], color=COLOURS[number % len(COLOURS)], label=names[stage])
        for number, stage in enumerate(stages)
    ]
    handles.append(Line2D([], [], color=BLACK, marker="o", linestyle="", label="best epoch"))
    if hidden:
        label = f"R² below {LOWEST}".replace("-", "−")
        handles.append(Line2D([], [], color=BLACK, marker="v", linestyle="", label=label))
    page.legend(handles=handles, loc="outside lower left", ncols=beside, alignment="left")
    return page
