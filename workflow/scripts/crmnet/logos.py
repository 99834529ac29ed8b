"""Sequence logos: of motifs, of saliency maps, and of one above the other."""

from __future__ import annotations

from decimal import Decimal

import logomaker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from crmnet.motifs import LETTERS, Motif
from crmnet.plotting import BLUE, GREEN, ORANGE, SMALL, VERMILLION, YELLOW, panel

LETTER_COLOURS = dict(zip(LETTERS, (GREEN, BLUE, ORANGE, VERMILLION), strict=True))


def logo(axis: Axes, heights: np.ndarray, start: int = 0) -> None:
    """Letters A C G T of heights (width, 4), negative ones below the line, from position `start`."""
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
    """Heights (n, 4): the value (n,) of each letter that is there; N has none."""
    return (np.array(list(letters))[:, None] == np.array(list(LETTERS))) * values[:, None]


def information(motif: Motif) -> np.ndarray:
    """Heights (width, 4) of a motif's logo in bits (Schneider and Stephens 1990, Nucleic Acids Res.
    18:6097), without the correction for few sites."""
    p = motif.probabilities()
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = 2 + np.where(p > 0, p * np.log2(p), 0).sum(axis=1, keepdims=True)
    return p * bits


def example(page: SubFigure, rows: pd.DataFrame, known: Motif, letter: str, note: str) -> None:
    """A sequence's saliency map with a match marked, and aligned below it the known motif's logo.

    Args:
        page: where to draw.
        rows: a row a position: position, letter, saliency, match_start, match_end, match_strand.
        known: the motif, as on the given strand.
        letter, note: of the panel.
    """
    first = rows.iloc[0]
    start, end = int(first["match_start"]), int(first["match_end"])
    upper, lower = page.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for axis in (upper, lower):
        axis.axvspan(start - 0.5, end - 0.5, color=YELLOW, alpha=0.35, linewidth=0)
    letters = "".join(rows["letter"])
    logo(upper, map_heights(letters, rows["saliency"].to_numpy(float)))
    logo(lower, information(known if first["match_strand"] == "+" else known.reverse_complement()), start)
    upper.set(xlim=(-0.5, len(rows) - 0.5), ylabel="saliency")
    lower.set(ylim=(0, 2), yticks=(0, 2), ylabel="bits", xlabel="position in the insert (bp)")
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
    """A number that may be too small for a float, with two digits."""
    value = Decimal(number)
    return f"{value:.1e}".lower() if value and not 0.01 <= value < 1000 else f"{value:.2g}"
