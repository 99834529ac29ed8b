"""Sequence logos of motifs and saliency maps, and of a map above a motif."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import logomaker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crmnet.motifs.motif import LETTERS, Motif
from crmnet.report.drawings import LETTER, panel, wrapped
from crmnet.report.style import (
    BLUE,
    DOUBLE,
    GREEN,
    ORANGE,
    SMALL,
    TEXT_LINE,
    VERMILLION,
    YELLOW,
    figure,
    styled,
)

# Heights of a map, of the logo below it, and of the text around a panel, mm.
MAP, LOGO, AROUND = 12.0, 7.0, 10.0
# The same where several maps stand side by side.
SMALL_MAP, SMALL_LOGO = 7.0, 4.0
# Space left and right of a map, for the ticks below it, and more left of a panel of effects, mm.
LEFT, RIGHT, TICKS, BESIDE_PANEL = 13.0, 2.0, 3.8, 5.0
# Letters across the page: with more, they would be too thin to read. Largest number of examples in
# one column above panels, and on a page.
LETTERS_PER_LINE, ONE_COLUMN, EXAMPLES = 100, 6, 20

LETTER_COLOURS = dict(zip(LETTERS, (GREEN, BLUE, ORANGE, VERMILLION), strict=True))


def logo(axis: Axes, heights: np.ndarray, start: int = 1) -> None:
    """Draws the letters A C G T with heights (width, 4) from position `start` on.

    Letters with negative heights are drawn below the line."""
    frame = pd.DataFrame(heights, columns=list(LETTERS), index=range(start, start + len(heights)))
    logomaker.Logo(
        frame,
        ax=axis,
        color_scheme=LETTER_COLOURS,
        font_name="DejaVu Sans",
        font_weight="bold",
        show_spines=None,
        baseline_width=0.4,
    )


def map_heights(letters: str, values: np.ndarray) -> np.ndarray:
    """Returns heights (n, 4): each letter of a sequence with its value (n,), and 0 elsewhere.

    An N has no height."""
    return (np.array(list(letters))[:, None] == np.array(list(LETTERS))) * values[:, None]


def information(motif: Motif) -> np.ndarray:
    """Returns the heights (width, 4) of a motif's logo, in bits."""
    return motif.probabilities() * motif.information()[:, None]


def window(length: int, start: int, end: int, letters: int) -> tuple[int, int]:
    """Returns the first and the last position of the window of `letters` positions around a match,
    or of the whole sequence if it is not longer.

    Args:
        length: number of positions of the sequence.
        start, end: first and last position of the match, from 1.
    """
    letters = min(max(letters, end - start + 1), length)
    first = min(max((start + end - letters) // 2 + 1, 1), length - letters + 1)
    return first, first + letters - 1


@styled()
def example_page(
    examples: Sequence[Example],
    bottom: float = 0,
    panels: int = 0,
    below: float = 0,
    note: str = "",
) -> tuple[Figure, list[Axes]]:
    """Draws examples: saliency maps with a marked match, each above the logo of its motif.

    A map has all letters of its sequence or, if these are more than `LETTERS_PER_LINE`, those
    around the match. Several examples stand in two columns with half the letters each; up to
    `ONE_COLUMN` above panels stand in one.

    Args:
        examples: what is drawn.
        bottom: height of a row of empty panels below, mm.
        panels: number of panels in that row.
        below: height of the labels below these panels, mm.
        note: a line below all.

    Returns:
        The page, and the empty panels.
    """
    columns = 1 if len(examples) <= (ONE_COLUMN if panels else 1) else 2
    tall, low = (MAP, LOGO) if columns == 1 else (SMALL_MAP, SMALL_LOGO)
    width = DOUBLE / columns - LEFT - RIGHT
    texts = [one.texts(LETTERS_PER_LINE // columns, width) for one in examples]
    lines = max((title + said).count("\n") + 2 for title, said in texts) if texts else 0
    above, gap = TEXT_LINE * lines + 1.0, 1.0
    row = above + tall + gap + low + TICKS
    note = wrapped(note, DOUBLE - 4, SMALL)
    rows = -(-len(examples) // columns)
    # The maps end with the label of their axis; a title stands above the panels.
    top = rows * row + (TEXT_LINE + 1) * (rows > 0) + 6 * (panels > 0)
    height = top + bottom + below + TEXT_LINE * (note.count("\n") + 1) + 3
    page = figure(DOUBLE, height)
    page.set_layout_engine("none")

    def place(left: float, top: float, width: float, high: float) -> Axes:
        """Adds axes at a place in mm from the top left corner."""
        bounds = (left / DOUBLE, 1 - (top + high) / height, width / DOUBLE, high / height)
        return page.add_axes(bounds)

    pairs = []
    for number, one in enumerate(examples):
        line, column = divmod(number, columns)
        left, high = column * DOUBLE / columns + LEFT, line * row + above
        upper = place(left, high, width, tall)
        lower = place(left, high + tall + gap, width, low)
        _example(upper, lower, one, LETTERS_PER_LINE // columns)
        for axis, label in ((upper, "saliency"), (lower, "bits")):
            axis.set_ylabel(label, fontsize=SMALL - (columns > 1))
        panel(upper, one.letter * (len(examples) + panels > 1), *texts[number])
        pairs.append((upper, lower))
        if number + columns >= len(examples):
            lower.set_xlabel("position in the insert (bp)")
    for column in range(columns):
        page.align_ylabels([axis for pair in pairs[column::columns] for axis in pair])
    # The panels' labels are wider than the maps'.
    wide = DOUBLE / max(panels, 1)
    left = LEFT + BESIDE_PANEL
    empty = [
        place(number * wide + left, top, wide - left - RIGHT, bottom) for number in range(panels)
    ]
    page.text(1 / DOUBLE, 1 / height, note, fontsize=SMALL, va="bottom", linespacing=1.3)
    return page, empty


@dataclass(frozen=True)
class Example:
    """A sequence's saliency map with a match of a motif.

    Attributes:
        rows: one row per position, from 1 on: letter, saliency, match_start, match_end,
            match_strand, target, target_name.
        motif: the motif, on its given strand.
        letter: the letter of the panel.
        note: a text below the panel's title.
    """

    rows: pd.DataFrame
    motif: Motif
    letter: str
    note: str

    def span(self, letters: int) -> tuple[int, int]:
        """Returns the first and the last position that are drawn, see `window`."""
        first = self.rows.iloc[0]
        return window(len(self.rows), int(first["match_start"]), int(first["match_end"]), letters)

    def texts(self, letters: int, room: float) -> tuple[str, str]:
        """Returns the title and the note, with lines of at most `room` mm."""
        first, (start, end) = self.rows.iloc[0], self.span(letters)
        title = f"{first['target_name']} ({first['target']}, {first['match_strand']} strand)"
        if end - start + 1 < len(self.rows):
            title += f", {start} to {end} of {len(self.rows)} bp"
        return wrapped(title, room - LETTER), wrapped(self.note, room, SMALL)


def _example(upper: Axes, lower: Axes, one: Example, letters: int) -> None:
    """Draws a map with a marked match and, below it, the logo of the motif."""
    first = one.rows.iloc[0]
    start, end = int(first["match_start"]), int(first["match_end"])
    shown, last = one.span(letters)
    rows = one.rows.iloc[shown - 1 : last]
    upper.sharex(lower)
    for axis in (upper, lower):
        # Draw the mark behind the letters.
        axis.axvspan(start - 0.5, end + 0.5, color=YELLOW, alpha=0.35, linewidth=0, zorder=-1)
    logo(upper, map_heights("".join(rows["letter"]), rows["saliency"].to_numpy(float)), shown)
    matched = one.motif if first["match_strand"] == "+" else one.motif.reverse_complement()
    logo(lower, information(matched), start)
    upper.set_xlim(shown - 0.5, last + 0.5)
    upper.locator_params(axis="y", nbins=3)
    # The number must not touch those of the map above.
    lower.set(ylim=(0, 2), yticks=(0, 2))
    lower.set_yticklabels(["", "2"], verticalalignment="top")
    lower.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    upper.tick_params(labelbottom=False)


def short(number: str) -> str:
    """Returns a number with two digits. The number may be too small for a float."""
    value = Decimal(number)
    return f"{value:.1e}".lower() if value and not 0.01 <= value < 1000 else f"{value:.2g}"
