"""The figure for the user's own sequences and variants: saliency maps of the first sequences with
the effects of their variants, and histograms of all predictions and effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from crmnet.motifs.motif import LETTERS
from crmnet.report.drawings import BESIDE, LETTER, legend_columns, letters, panel, wrapped
from crmnet.report.logos import AROUND, LETTERS_PER_LINE, MAP, logo, map_heights
from crmnet.report.style import (
    BLUE,
    COLOURS,
    DOUBLE,
    PAGE,
    SMALL,
    TEXT_LINE,
    VERMILLION,
    YELLOW,
    figure,
    styled,
)

# The largest number of maps (one per sequence and medium); heights of the cells of SNV effects, of
# the histograms, of the ticks below a line of a map, and of a map's title, mm.
ROWS, CELLS, BARS, TICKS, TITLE = 6, 12.0, 32.0, 4.0, 4.5
BINS = 40
COLUMNS = ["panel", "measure", "id", "medium", "position", "ref", "alt", "low", "high", "value"]
EFFECTS = LinearSegmentedColormap.from_list("effects", [BLUE, "white", VERMILLION])


def mapped(predictions: pd.DataFrame, variants: pd.DataFrame | None, media: int) -> pd.DataFrame:
    """Returns the sequences whose maps are drawn, if these fit the page: some of the first ones.

    If there are variants, only sequences with variants are drawn.

    Args:
        predictions: one row per sequence: id, ...
        variants: one row per variant: id, ..., or None.
        media: number of media.
    """
    if variants is not None:
        predictions = predictions[predictions["id"].isin(variants["id"].unique())]
    return predictions.iloc[: max(1, ROWS // media)]


@styled()
def draw(
    predictions: pd.DataFrame,
    variants: pd.DataFrame | None,
    shown: pd.DataFrame,
    maps: pd.DataFrame | None,
    labels: Mapping[str, str],
    saturated: bool,
    expression: str,
) -> tuple[Figure, pd.DataFrame]:
    """Draws the figure; returns it and the numbers in it, with `COLUMNS`.

    Args:
        predictions: the predictions for all sequences: id, predicted_<medium>.
        variants: id, position, ref, alt, effect_<medium>; None if there are none.
        shown: the result of `mapped`.
        maps: one row per base of the shown sequences: id, position, base, saliency_<medium>; None
            if no maps were made.
        labels: medium -> its name in the figure.
        saturated: whether the variants are all possible SNVs.
        expression: the name of the predicted quantity on the axes, with its unit.
    """
    heights = [MAP, *([CELLS] if saturated else [])]
    panels = 1 + (variants is not None)
    place = DOUBLE / panels - BESIDE
    bars = [("predicted", predictions, wrapped(f"predicted {expression}", place), "sequences")]
    if variants is not None:
        name = wrapped(f"effect on predicted {expression}", place)
        bars.append(("effect", variants, name, "variants"))
    names = [wrapped(name, DOUBLE - 20, SMALL) for name in labels.values()]
    beside = legend_columns(names, DOUBLE)
    extra = max(name.count("\n") for _, _, name, _ in bars)
    entries = -(-len(names) // beside) + 1 if len(names) > 1 else 0
    foot = BARS + AROUND + TEXT_LINE * (extra + entries)

    lines = [] if maps is None else _lines(maps, shown["id"], labels, sum(heights), PAGE - foot)
    drawn = list(dict.fromkeys((name, medium) for name, medium, _ in lines))
    page = figure(DOUBLE, len(lines) * (sum(heights) + TICKS) + len(drawn) * TITLE + foot)
    page.get_layout_engine().set(h_pad=0.03, hspace=0)
    grid = page.add_gridspec(
        len(lines) * len(heights) + 1,
        panels + 1,
        height_ratios=[*heights * len(lines), BARS],
        # The last column is for the scale of the effects.
        width_ratios=[1] * panels + [0.02],
    )
    of_letter = iter(letters(len(drawn) + panels))
    several = len(drawn) + panels > 1
    numbers = []
    if drawn:
        own = None if variants is None else variants[variants["id"].isin(shown["id"])]
        rows = _Rows(page, grid, len(heights), labels, shown.set_index("id"), maps, own)
        for name, medium in drawn:
            spans = [span for *place, span in lines if place == [name, medium]]
            numbers += rows.draw(next(of_letter), name, medium, spans)
        page.axes[-1].set_xlabel("position in the sequence (bp)")
        if rows.image is not None:
            bar = page.colorbar(rows.image, cax=page.add_subplot(grid[-1, -1]))
            bar.set_label("effect of the SNV", fontsize=SMALL)
            bar.outline.set_linewidth(0.4)
    for column, (measure, table, name, kind) in enumerate(bars):
        axis, letter = page.add_subplot(grid[-1, column]), next(of_letter)
        numbers.append(_histogram(axis, measure, table, name, labels).assign(panel=letter))
        panel(axis, letter * several, f"All {len(table):,} {kind}")
    if len(labels) > 1:
        # Inside a panel, it would lie over the bars.
        handles = [
            Line2D([], [], color=colour, label=name)
            for name, colour in zip(names, COLOURS * 9, strict=False)
        ]
        page.legend(handles=handles, loc="outside lower left", ncols=beside, alignment="left")
    return page, pd.concat(numbers).reindex(columns=COLUMNS)


def _lines(
    maps: pd.DataFrame, ids: pd.Series, labels: Mapping[str, str], height: float, room: float
) -> list[tuple[str, str, tuple[int, int]]]:
    """Returns the lines of the maps: sequence, medium, first and last position.

    A line has at most `LETTERS_PER_LINE` letters, and the lines of a map are equally long. There
    are as many of the first sequences as fit the page, and at least one. A line of one that fits
    only alone has more letters if it must.

    Args:
        ids: the sequences.
        height: height of a line without its ticks, mm.
        room: height of all lines, mm.
    """
    lines, used = [], 0.0
    ends = maps.groupby("id")["position"].agg(["min", "max"])
    for name in ids:
        first, last = ends.loc[name]
        most = int((room / len(labels) - TITLE) / (height + TICKS))
        count = min(-(-(last - first + 1) // LETTERS_PER_LINE), max(most, 1))
        used += len(labels) * (count * (height + TICKS) + TITLE)
        if lines and used > room:
            break
        letters = -(-(last - first + 1) // count)
        starts = range(first, last + 1, letters)
        spans = [(start, min(start + letters - 1, last)) for start in starts]
        lines += [(name, medium, span) for medium in labels for span in spans]
    return lines


class _Rows:
    """The rows of maps. If all SNVs are scored, the effects are drawn below each map.

    Attributes:
        image: the last drawn image of effects, for the colour scale; None if there is none.
    """

    def __init__(
        self,
        page: Figure,
        grid: GridSpec,
        axes: int,
        labels: Mapping[str, str],
        shown: pd.DataFrame,
        maps: pd.DataFrame,
        variants: pd.DataFrame | None,
    ) -> None:
        self.page, self.grid, self.axes, self.labels = page, grid, axes, labels
        self.shown, self.maps, self.variants = shown, maps, variants
        self.image: AxesImage | None = None
        self._next = 0
        if variants is not None:
            effects = variants[[f"effect_{medium}" for medium in labels]]
            self._strongest = effects.abs().max(axis=None)

    def draw(
        self, letter: str, name: str, medium: str, spans: Sequence[tuple[int, int]]
    ) -> list[pd.DataFrame]:
        """Draws the lines of a sequence in a medium; returns its numbers.

        Args:
            letter: the letter of the panel.
            spans: first and last position of each line.
        """
        rows = self.maps[self.maps["id"] == name]
        saliency = rows[f"saliency_{medium}"]
        predicted = self.shown.loc[name, f"predicted_{medium}"]
        title = f"{name[:60]}, {self.labels[medium]}: predicted {predicted:z.2f}"
        place = {"panel": letter, "id": name, "medium": medium}
        columns = {"position": rows["position"], "ref": rows["base"], "value": saliency}
        numbers = [pd.DataFrame(columns).assign(measure="saliency", **place)]
        own = None
        if self.variants is not None:
            own = self.variants[self.variants["id"] == name]
            changes = own[["position", "ref", "alt"]].assign(value=own[f"effect_{medium}"])
            numbers.append(changes.assign(measure="effect", **place))
        # Letters have one width and one height in all lines.
        longest = spans[0][1] - spans[0][0] + 1
        low, high = min(saliency.min(), 0), max(saliency.max(), 0)
        margin = 0.05 * (high - low) or 1
        for span in spans:
            upper = self._line(rows, own, medium, span)
            upper.set(
                xlim=(span[0] - 0.5, span[0] + longest - 0.5),
                ylim=(low - margin, high + margin),
                ylabel="saliency",
            )
            upper.locator_params(axis="y", nbins=3)
            if span == spans[0]:
                panel(upper, letter, wrapped(title, DOUBLE - BESIDE - LETTER))
        return numbers

    def _line(
        self, rows: pd.DataFrame, own: pd.DataFrame | None, medium: str, span: tuple[int, int]
    ) -> Axes:
        """Draws the positions of a span; returns the axes of the map."""
        first, self._next = self._next, self._next + self.axes
        upper = self.page.add_subplot(self.grid[first, :])
        here = rows[rows["position"].between(*span)]
        heights = map_heights("".join(here["base"]), here[f"saliency_{medium}"].to_numpy())
        logo(upper, heights, span[0])
        if own is not None:
            own = own[own["position"].between(*span)]
            if self.axes > 1:
                lower = self.page.add_subplot(self.grid[first + 1, :], sharex=upper)
                effects = own[f"effect_{medium}"]
                self.image = _cells(lower, own, span, effects, self._strongest)
                upper.tick_params(labelbottom=False)
            else:
                _mark(upper, own)
        return upper


def _mark(axis: Axes, variants: pd.DataFrame) -> None:
    """Marks the bases that variants replace, behind the letters of a map."""
    for position, ref in variants[["position", "ref"]].itertuples(index=False):
        end = position + len(ref) - 0.5
        axis.axvspan(position - 0.5, end, color=YELLOW, alpha=0.5, lw=0, zorder=-1)


def _cells(
    axis: Axes, variants: pd.DataFrame, span: tuple[int, int], effects: pd.Series, strongest: float
) -> AxesImage:
    """Draws the effects of SNVs, with a column per position and a row per base."""
    cells = np.full((len(LETTERS), span[1] - span[0] + 1), np.nan)
    cells[variants["alt"].map(LETTERS.index), variants["position"] - span[0]] = effects
    image = axis.imshow(
        cells,
        cmap=EFFECTS,
        vmin=-strongest,
        vmax=strongest,
        extent=(span[0] - 0.5, span[1] + 0.5, len(LETTERS) - 0.5, -0.5),
        aspect="auto",
        interpolation="none",
    )
    axis.set_yticks(range(len(LETTERS)), list(LETTERS))
    axis.tick_params(axis="y", length=0)
    axis.set_ylabel("SNV to")
    return image


def _histogram(
    axis: Axes, measure: str, table: pd.DataFrame, name: str, labels: Mapping[str, str]
) -> pd.DataFrame:
    """Draws the distribution of a measure in each medium; returns its numbers."""
    by_medium = {medium: table[f"{measure}_{medium}"].to_numpy() for medium in labels}
    edges = np.histogram_bin_edges(np.concatenate(list(by_medium.values())), BINS)
    axis.set(xlabel=name, ylabel="number")
    parts = []
    for (medium, values), colour in zip(by_medium.items(), COLOURS * 9, strict=False):
        count, _ = np.histogram(values, edges)
        axis.stairs(count, edges, color=colour, label=labels[medium])
        bins = {"low": edges[:-1], "high": edges[1:], "value": count}
        parts.append(pd.DataFrame({"measure": f"number_{measure}", "medium": medium, **bins}))
    return pd.concat(parts)
