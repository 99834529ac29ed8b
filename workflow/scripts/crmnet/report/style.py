"""One style for every figure: sizes in mm, colours, fonts, and how a figure is saved. Importing it
changes nothing: it holds within `styled`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

# Journal column widths, mm.
SINGLE, DOUBLE = 85.0, 180.0
INCH = 25.4
# Okabe and Ito's colours, which the colour-blind tell apart.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, LIGHT_GREY = "#7F7F7F", "#E3E3E3"
# In the order in which they are given out; without yellow, hard to see as a thin line.
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DENSITY = "viridis"
# Points, of all text but that of panels.
SMALL = 6.5
# Of text beside a number.
WORSE, BETTER, UNLEARNED = "▼", "▲", "†"
# An adjusted P below it is marked.
SIGNIFICANT = 0.05
# Far below 0, a coefficient only says "worse than the mean", and would flatten the others.
LOWEST = -0.05
# Height of a legend below the panels, mm.
LEGEND = 11.0
STYLE = {
    # The one font that Matplotlib brings along: the same figure on every machine.
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.title_fontsize": SMALL,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 4,
    "patch.linewidth": 0.6,
    "image.cmap": DENSITY,
    # TrueType, so that the text in a figure stays text that an editor can change.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    # Of what is rasterised within a PDF.
    "savefig.dpi": 450,
}


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib has this style within a `with styled():`, or within a function decorated with
    `@styled()`: all that draws a figure, and its saving, stand in one."""
    with matplotlib.rc_context(STYLE):
        yield


@styled()
def figure(width: float, height: float) -> Figure:
    """An empty figure of so many mm, whose panels make room for their labels."""
    return Figure(figsize=(width / INCH, height / INCH), layout="constrained")


@styled()
def save(figure: Figure, path: str | Path) -> None:
    """Writes a PDF, the same bytes whenever it is made from the same data."""
    figure.savefig(path, format="pdf", metadata={"CreationDate": None})
