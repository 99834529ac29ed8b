"""Parts that several figures share: panels and their letters, dots with intervals, notes."""

from __future__ import annotations

import string

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crmnet.report.style import BLUE, DOUBLE, SINGLE, SMALL, STYLE, figure, styled


@styled()
def squares(count: int) -> tuple[Figure, list[Axes]]:
    """Returns a figure with `count` square panels: one in a single column, or two side by side."""
    columns = min(count, 2)
    rows = -(-count // columns)
    width = SINGLE if count == 1 else DOUBLE
    page = figure(width, rows * 0.85 * width / columns)
    axes = page.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axis in axes[count:]:
        axis.remove()
    return page, axes[:count]


def panel(axis: Axes, letter: str, title: str = "", note: str = "") -> None:
    """Writes a letter, a title and below them a note above the top left corner of a panel."""
    above = 4 + (note.count("\n") + 1) * 9 if note else 4
    axis.set_title(letter, loc="left", fontsize=9, fontweight="bold", pad=above)
    axis.annotate(
        note,
        (0, 1),
        (0, 3),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=SMALL,
        verticalalignment="bottom",
        linespacing=1.3,
        in_layout=False,
    )
    axis.annotate(
        title,
        (0, 1),
        (13, above),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=STYLE["axes.titlesize"],
        verticalalignment="baseline",
        # A long title must not squeeze the panel.
        in_layout=False,
    )


def letters(count: int) -> list[str]:
    """Returns the letters of `count` panels: A, B, ..., Z, A2, B2, ..."""
    alphabet = string.ascii_uppercase
    rounds = range(count // len(alphabet) + 1)
    return [f"{letter}{turn + 1 if turn else ''}" for turn in rounds for letter in alphabet][:count]


@styled()
def note_page(text: str) -> Figure:
    """Returns a figure with only a text, which says why there is nothing to show."""
    page = figure(SINGLE, 20.0)
    page.text(0.5, 0.5, text, horizontalalignment="center", verticalalignment="center", wrap=True)
    return page


def intervals(
    axis: Axes, values: pd.Series, low: pd.Series, high: pd.Series, *, label: str = ""
) -> None:
    """Draws dots with their intervals, side by side at 0, 1, 2, ..."""
    gaps = [values - low, high - values]
    style = {"fmt": "o", "color": BLUE, "capsize": 2, "linewidth": 0.8}
    axis.errorbar(range(len(values)), values, gaps, label=label, **style)
