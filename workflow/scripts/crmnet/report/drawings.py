"""Parts that several figures share: panels and their letters, dots with intervals, notes, texts of
a limited width."""

from __future__ import annotations

import string
import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from crmnet.report.style import (
    BLUE,
    DOUBLE,
    INCH,
    PAGE,
    SINGLE,
    SMALL,
    STYLE,
    TEXT_LINE,
    figure,
    styled,
)

# Width of the labels beside a panel, mm. The rest of its place is for the panel and its title.
BESIDE = 17.0
# Width of the letter before a panel's title, mm.
LETTER = 5.0


@styled()
def text_width(text: str, size: float = SMALL, weight: str = "normal") -> float:
    """Returns the width of a text in mm, for a font size in points."""
    font = FontProperties(family=STYLE["font.family"], weight=weight)
    paths = [TextPath((0, 0), line, size, prop=font) for line in text.split("\n") if line]
    return max((path.get_extents().width for path in paths), default=0) / 72 * INCH


def wrapped(text: str, room: float, size: float = STYLE["font.size"]) -> str:
    """Returns a text with line breaks, so that each line is at most `room` mm wide.

    A word that is too long is broken. The font size is in points."""
    lines = []
    for line in text.split("\n"):
        width = text_width(line, size)
        letters = round(1.1 * len(line) * room / width) if width > room else 0
        broken = line
        while width > room and letters > 1:
            broken = textwrap.fill(line, letters)
            width = text_width(broken, size)
            letters -= 1
        lines.append(broken)
    return "\n".join(lines)


def grid_columns(count: int) -> int:
    """Returns how many of `count` panels stand side by side, at least two, so that the rows fill
    the page."""
    return min(count, next(c for c in range(2, count + 2) if count <= c * (c + 1)))


@styled()
def squares(
    count: int, lines: int = 3, below: float = 0, columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """Returns a figure with `count` square panels: one in a single column, or up to six in two
    columns, twelve in three and so on.

    Args:
        lines: number of lines of text above a panel.
        below: height of what is drawn below all panels, mm.
        columns: another number of columns.
    """
    columns = columns or grid_columns(count)
    rows = -(-count // columns)
    width = SINGLE if count == 1 else DOUBLE
    height = 0.62 * width / columns + 12 + TEXT_LINE * lines
    page = figure(width, min(rows * height + below, PAGE))
    axes = page.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axis in axes[count:]:
        axis.remove()
    return page, axes[:count]


def panel(axis: Axes, letter: str, title: str = "", note: str = "") -> None:
    """Writes a letter, a title and below them a note above the top left corner of a panel.

    The title and the note must fit the page, see `wrapped`. The only panel of a figure has no
    letter, "".
    """
    above = 4 + (note.count("\n") + 1) * 9 if note else 4
    # The letter stands beside the first line of the title. It makes the layout leave room, also
    # where there is no letter.
    first = above + title.count("\n") * 9
    axis.set_title(letter or " ", loc="left", fontsize=9, fontweight="bold", pad=first)
    text = {"xycoords": "axes fraction", "textcoords": "offset points", "linespacing": 1.3}
    # A long text must not squeeze the panel.
    text["in_layout"] = False
    axis.annotate(note, (0, 1), (0, 3), **text, fontsize=SMALL, verticalalignment="bottom")
    size = STYLE["axes.titlesize"]
    place = (13 if letter else 0, above)
    axis.annotate(title, (0, 1), place, **text, fontsize=size, verticalalignment="baseline")


def letters(count: int) -> list[str]:
    """Returns the letters of `count` panels: A, B, ..., Z, A2, B2, ..."""
    alphabet = string.ascii_uppercase
    rounds = range(count // len(alphabet) + 1)
    return [f"{letter}{turn + 1 if turn else ''}" for turn in rounds for letter in alphabet][:count]


@styled()
def note_page(text: str) -> Figure:
    """Returns a figure with only a text, which says why there is nothing to show."""
    page = figure(SINGLE, 20.0)
    text = wrapped(text, SINGLE - 4)
    page.text(0.5, 0.5, text, horizontalalignment="center", verticalalignment="center")
    return page


def legend_columns(labels: Sequence[str], width: float) -> int:
    """Returns how many entries of a legend stand side by side on `width` mm.

    It is at least one."""
    widest = max(map(text_width, labels), default=0) + 12
    return min(max(int((width - 4) / widest), 1), max(len(labels), 1))


def intervals(
    axis: Axes, values: pd.Series, low: pd.Series, high: pd.Series, *, label: str = ""
) -> None:
    """Draws dots with their intervals, side by side at 0, 1, 2, ..."""
    gaps = [values - low, high - values]
    style = {"fmt": "o", "color": BLUE, "capsize": 2, "linewidth": 0.8}
    axis.errorbar(range(len(values)), values, gaps, label=label, **style)
