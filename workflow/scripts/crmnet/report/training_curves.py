"""The training curves: loss and validation R2 of every training over the epochs."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crmnet.report.style import COLOURS, DOUBLE, LEGEND, LOWEST, SINGLE, figure, styled

# Number of models side by side; height of a panel, mm.
_CURVES, _CURVE = 5, 32.0


@styled()
def draw(models: dict[str, dict[str, list[pd.DataFrame]]]) -> Figure:
    """Draws the loss and below it the validation R2 over the epochs.

    Each model has a pair of panels, each training a line with its best epoch marked, and each stage
    a colour.

    Args:
        models: model -> stage -> one table per seed: epoch, loss, validation_r2.
    """
    stages = list(dict.fromkeys(stage for histories in models.values() for stage in histories))
    columns = min(_CURVES, len(models))
    rows = -(-len(models) // columns)
    width = max(SINGLE, DOUBLE * columns / _CURVES)
    page = figure(width, 2 * rows * _CURVE + LEGEND)
    axes = page.subplots(2 * rows, columns, squeeze=False)
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        pair = axes[2 * row : 2 * row + 2, column]
        if place >= len(models):
            for axis in pair:
                axis.remove()
            continue
        name, histories = list(models.items())[place]
        for stage, history in ((s, one) for s, of in histories.items() for one in of):
            scores = history["validation_r2"]
            best = [int(scores.argmax())] if scores.notna().any() else []
            for axis, values in zip(pair, (history["loss"], scores), strict=True):
                axis.plot(
                    history["epoch"],
                    values,
                    color=COLOURS[stages.index(stage) % len(COLOURS)],
                    marker="o",
                    markevery=best,
                    label=stage,
                )
        pair[0].set_title(name)
        # In first epochs R2 can be far below 0, which only means "worse than the mean".
        pair[1].set_ylim(LOWEST, 1)
        pair[1].set_xlabel("epoch")
        for axis in pair:
            axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        if not column:
            pair[0].set_ylabel("training loss")
            pair[1].set_ylabel("validation R²")
    lines = {line.get_label(): line for axis in page.axes for line in axis.lines}
    page.legend(
        handles=[lines[stage] for stage in stages],
        title="● best epoch",
        loc="outside lower left",
        ncols=len(stages),
        alignment="left",
    )
    return page
