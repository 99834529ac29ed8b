"""Sequence logos of motifs and saliency maps, and of a map above a motif."""

from __future__ import annotations

from decimal import Decimal

import logomaker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crmnet.motifs.motif import LETTERS, Motif
from crmnet.report.drawings import panel
from crmnet.report.style import (
    BLUE,
    DOUBLE,
    GREEN,
    ORANGE,
    SMALL,
    VERMILLION,
    YELLOW,
    figure,
    styled,
)

# Heights of a map, of the logo below it, and of the text around a panel, mm.
MAP, LOGO, AROUND = 12.0, 7.0, 10.0

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


@styled()
def example_page(
    count: int, bottom: float = 0, panels: int = 0
) -> tuple[Figure, list[tuple[Axes, Axes]], list[Axes]]:
    """Returns a page with `count` places for examples (a map and a logo below it), above a row of
    panels.

    Args:
        count: number of examples.
        bottom: height of the row of panels, mm.
        panels: number of panels in that row.
    """
    heights = [MAP, LOGO] * count + [bottom] * (panels > 0)
    page = figure(DOUBLE, sum(heights) + AROUND * (count + (panels > 0)))
    page.get_layout_engine().set(h_pad=0.03, hspace=0)
    grid = page.add_gridspec(len(heights), max(panels, 1), height_ratios=heights)
    axes = [page.add_subplot(grid[row, :]) for row in range(2 * count)]
    if axes:
        axes[-1].set_xlabel("position in the insert (bp)")
    below = [page.add_subplot(grid[-1, column]) for column in range(panels)]
    return page, list(zip(axes[::2], axes[1::2], strict=True)), below


def example(
    place: tuple[Axes, Axes], rows: pd.DataFrame, motif: Motif, letter: str, note: str
) -> None:
    """Draws a sequence's saliency map with a marked match, and below it the logo of the motif.

    Args:
        place: the axes of the map and of the logo.
        rows: one row per position, from 1 on: letter, saliency, match_start, match_end,
            match_strand.
        motif: the motif, on its given strand.
        letter, note: texts of the panel.
    """
    first = rows.iloc[0]
    start, end = int(first["match_start"]), int(first["match_end"])
    upper, lower = place
    upper.sharex(lower)
    for axis in place:
        # Draw the mark behind the letters.
        axis.axvspan(start - 0.5, end + 0.5, color=YELLOW, alpha=0.35, linewidth=0, zorder=-1)
    letters = "".join(rows["letter"])
    logo(upper, map_heights(letters, rows["saliency"].to_numpy(float)))
    matched = motif if first["match_strand"] == "+" else motif.reverse_complement()
    logo(lower, information(matched), start)
    upper.set(xlim=(0.5, len(rows) + 0.5), ylabel="saliency")
    upper.locator_params(axis="y", nbins=3)
    lower.set(ylim=(0, 2), yticks=(0, 2), ylabel="bits")
    upper.tick_params(labelbottom=False)
    title = f"{first['target_name']} ({first['target']}, {first['match_strand']} strand)"
    panel(upper, letter, title)
    upper.annotate(
        note,
        (1, 1),
        (0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=SMALL,
        horizontalalignment="right",
        verticalalignment="baseline",
        in_layout=False,
    )


def short(number: str) -> str:
    """Returns a number with two digits. The number may be too small for a float."""
    value = Decimal(number)
    return f"{value:.1e}".lower() if value and not 0.01 <= value < 1000 else f"{value:.2g}"
