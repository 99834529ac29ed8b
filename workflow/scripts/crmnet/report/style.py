"""One style for every figure: sizes in mm, colours, fonts, and how a figure is saved. The style
only applies within `styled`; importing this module changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

# Journal column widths, and the largest height of a figure that fits a page of A4, mm.
SINGLE, DOUBLE, PAGE = 85.0, 180.0, 245.0
INCH = 25.4
# Okabe and Ito's colours, which colour-blind readers can tell apart.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, LIGHT_GREY = "#7F7F7F", "#E3E3E3"
# The order in which colours are used. Yellow is left out because a thin yellow line is hard to see.
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DENSITY = "viridis"
# Font size of all text except in panels, points.
SMALL = 6.5
# Marks beside a number.
WORSE, BETTER, UNLEARNED = "▼", "▲", "†"
# Axes start here: a coefficient far below 0 only means "worse than the mean", and showing it would
# compress the others.
LOWEST = -0.05
# Height of a legend below the panels, and of a line of small text, mm.
LEGEND, TEXT_LINE = 11.0, 3.2
STYLE = {
    # Matplotlib contains this font, so that figures are the same on every machine.
    "font.family": "DejaVu Sans",
    "font.size": 7,
    # A label with two dollar signs is no formula.
    "text.parse_math": False,
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
    # TrueType fonts keep the text in a figure editable.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    # Resolution of the rasterised parts of a PDF.
    "savefig.dpi": 450,
}


@contextmanager
def styled() -> Iterator[None]:
    """Gives Matplotlib this style within a `with styled():` or a function with `@styled()`.

    All code that draws or saves a figure must run within it."""
    with matplotlib.rc_context(STYLE):
        yield


@styled()
def figure(width: float, height: float) -> Figure:
    """Returns an empty figure of `width` x `height` mm, whose panels make room for their labels."""
    return Figure(figsize=(width / INCH, height / INCH), layout="constrained")


@styled()
def save(figure: Figure, path: str | Path) -> None:
    """Writes a figure as a PDF. The same data always give the same bytes."""
    figure.savefig(path, format="pdf", metadata={"CreationDate": None})
