"""The figure for the user's own sequences and variants: saliency maps of the first sequences with
the effects of their variants, and histograms of all predictions and effects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.image import AxesImage

from crmnet.motifs.motif import LETTERS
from crmnet.report.drawings import letters, panel
from crmnet.report.logos import AROUND, MAP, logo, map_heights
from crmnet.report.style import BLUE, COLOURS, DOUBLE, SMALL, VERMILLION, YELLOW, figure, styled

# The largest number of maps (one per sequence and medium); heights of the cells of SNV effects and
# of the histograms, mm.
ROWS, CELLS, BARS = 6, 12.0, 32.0
BINS = 40
COLUMNS = ["panel", "measure", "id", "medium", "position", "ref", "alt", "low", "high", "value"]
EFFECTS = LinearSegmentedColormap.from_list("effects", [BLUE, "white", VERMILLION])


def mapped(predictions: pd.DataFrame, variants: pd.DataFrame | None, media: int) -> pd.DataFrame:
    """Returns the sequences whose maps are drawn: as many of the first ones as there is room for.

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
    drawn = [] if maps is None else [(name, medium) for name in shown["id"] for medium in labels]
    heights = [MAP, *([CELLS] if saturated else [])]
    panels = 1 + (variants is not None)
    page = figure(DOUBLE, len(drawn) * (sum(heights) + AROUND) + BARS + AROUND)
    page.get_layout_engine().set(h_pad=0.03, hspace=0)
    grid = page.add_gridspec(
        len(drawn) * len(heights) + 1,
        panels + 1,
        height_ratios=[*heights * len(drawn), BARS],
        # The last column is for the scale of the effects.
        width_ratios=[1] * panels + [0.02],
    )
    of_letter = iter(letters(len(drawn) + panels))
    numbers = []
    if drawn:
        own = None if variants is None else variants[variants["id"].isin(shown["id"])]
        rows = _Rows(page, grid, len(heights), labels, shown.set_index("id"), maps, own)
        numbers += [part for place in drawn for part in rows.draw(next(of_letter), *place)]
        page.axes[-1].set_xlabel("position in the sequence (bp)")
        if rows.image is not None:
            bar = page.colorbar(rows.image, cax=page.add_subplot(grid[-1, -1]))
            bar.set_label("effect of the SNV", fontsize=SMALL)
            bar.outline.set_linewidth(0.4)
    bars = [("predicted", predictions, f"predicted {expression}", "sequences")]
    if variants is not None:
        bars.append(("effect", variants, f"effect on predicted {expression}", "variants"))
    for column, (measure, table, name, kind) in enumerate(bars):
        axis, letter = page.add_subplot(grid[-1, column]), next(of_letter)
        numbers.append(_histogram(axis, measure, table, name, labels).assign(panel=letter))
        panel(axis, letter, f"All {len(table):,} {kind}")
    return page, pd.concat(numbers).reindex(columns=COLUMNS)


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

    def draw(self, letter: str, name: str, medium: str) -> list[pd.DataFrame]:
        """Draws the row of a sequence in a medium; returns its numbers."""
        first, self._next = self._next, self._next + self.axes
        rows = self.maps[self.maps["id"] == name]
        span = rows["position"].iloc[0], rows["position"].iloc[-1]
        upper = self.page.add_subplot(self.grid[first, :])
        saliency = rows[f"saliency_{medium}"]
        logo(upper, map_heights("".join(rows["base"]), saliency.to_numpy()), span[0])
        upper.set(xlim=(span[0] - 0.5, span[1] + 0.5), ylabel="saliency")
        upper.locator_params(axis="y", nbins=3)
        # Matplotlib would read a dollar sign as the start of a formula.
        short = name[:60].replace("$", r"\$")
        predicted = self.shown.loc[name, f"predicted_{medium}"]
        panel(upper, letter, f"{short}, {self.labels[medium]}: predicted {predicted:.2f}")
        place = {"panel": letter, "id": name, "medium": medium}
        columns = {"position": rows["position"], "ref": rows["base"], "value": saliency}
        numbers = [pd.DataFrame(columns).assign(measure="saliency", **place)]
        if self.variants is not None:
            own = self.variants[self.variants["id"] == name]
            effects = own[f"effect_{medium}"]
            if self.axes > 1:
                lower = self.page.add_subplot(self.grid[first + 1, :], sharex=upper)
                self.image = _cells(lower, own, span, effects, self._strongest)
                upper.tick_params(labelbottom=False)
            else:
                _mark(upper, own)
            changes = own[["position", "ref", "alt"]]
            numbers.append(changes.assign(value=effects, measure="effect", **place))
        return numbers


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
    if len(by_medium) > 1:
        axis.legend(loc="best")
    return pd.concat(parts)
