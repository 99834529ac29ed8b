"""Figure 2 and, for the other media, Figure S1: measured and predicted expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import pandas as pd
import scipy.ndimage
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crmnet.data.predictions import columns
from crmnet.evaluation.learning import NOT_FINISHED, NOT_LEARNED, NOT_MEASURABLE
from crmnet.evaluation.metrics import SMALLEST_P
from crmnet.report.drawings import (
    BESIDE,
    LETTER,
    grid_columns,
    letters,
    panel,
    squares,
    wrapped,
)
from crmnet.report.style import (
    DENSITY,
    DOUBLE,
    GREY,
    INCH,
    PAGE,
    SINGLE,
    SMALL,
    STYLE,
    TEXT_LINE,
    styled,
)

# Figures print a smaller P as less than this one.
LEAST_P = "1e-300"
# Room for the label of the y axis, as a share of that of the x axis.
HIGH = 0.7
# Up to this width of a panel, mm, its axes have few ticks.
FEW = 50.0
# Length of the scale of densities, mm.
SCALE = 45.0
# Height of the scale and its labels, mm.
BAR = 10.0


def local_density(x: np.ndarray, y: np.ndarray, bins: int = 256) -> np.ndarray:
    """Estimates the probability density at each of the points.

    This is a Gaussian kernel estimate with Scott's bandwidth, as in `scipy.stats.gaussian_kde`, but
    on a grid along the principal axes of the points. It takes hundredths of a second for 60,000
    points.

    Args:
        x, y: coordinates (n,).
        bins: least number of grid cells along each axis.

    Returns:
        Density (n,), per unit of x times unit of y. If all points lie on one line, it is a density
        along that line. If all points are the same, it is a constant.
    """
    n = len(x)
    if not n:
        return np.empty(0)
    points = np.stack([x, y]).astype(float)
    points -= points.mean(axis=1, keepdims=True)
    variances, axes = np.linalg.eigh(points @ points.T / max(1, n - 1))
    # A direction in which the points differ only by rounding errors has no scale.
    flat = variances <= 1e-12 * max(variances.max(), np.finfo(float).tiny)
    scales = np.where(flat, 1.0, np.sqrt(np.where(flat, 1.0, variances)))
    standard = np.where(flat[:, None], 0.0, axes.T @ points) / scales[:, None]
    bandwidth = n ** (-1 / 6)

    margin = 4 * bandwidth
    low, high = standard.min(axis=1) - margin, standard.max(axis=1) + margin
    # Cells must be smaller than the kernel. With outliers, a fixed number would be too few.
    cells = np.clip(np.ceil(2.5 * (high - low) / bandwidth), bins, 4 * bins).astype(int)
    step = (high - low) / cells
    cell = (standard - low[:, None]) / step[:, None]
    inside = np.minimum(cell.astype(int), cells[:, None] - 1)
    flat_index = np.ravel_multi_index(tuple(inside), tuple(cells))
    counts = np.bincount(flat_index, minlength=cells.prod()).reshape(cells)
    smooth = scipy.ndimage.gaussian_filter(counts.astype(float), bandwidth / step, mode="constant")
    at_points = scipy.ndimage.map_coordinates(smooth, cell - 0.5, order=1, mode="nearest")
    return at_points / (n * step.prod() * scales.prod())


def density_scatter(
    axis: Axes,
    predicted: np.ndarray,
    measured: np.ndarray,
    *,
    expression: str = "expression",
    room: float = SINGLE - BESIDE,
) -> PathCollection:
    """Draws measured against predicted expression, coloured by the local density of the points
    relative to the densest place of the panel, so that a colour means the same in all panels.

    Both axes have the same limits. The dashed line is the line of identity. The densest points are
    on top.

    Args:
        predicted, measured: expression (n,).
        expression: the name of the quantity on the axes, with its unit.
        room: width of the panel, mm.

    Returns:
        The points.
    """
    predicted, measured = np.asarray(predicted, float), np.asarray(measured, float)
    density = local_density(predicted, measured)
    density /= density.max(initial=np.finfo(float).tiny)
    order = np.argsort(density, kind="stable")
    points = axis.scatter(
        predicted[order],
        measured[order],
        c=density[order],
        s=float(np.clip(10_000 / max(1, len(order)), 1, 3)),
        cmap=DENSITY,
        vmin=0,
        vmax=1,
        linewidths=0,
        rasterized=True,
        zorder=2,
    )
    both = np.concatenate([predicted, measured])
    low, high = (both.min(), both.max()) if len(both) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 0.5
    limits = (low - margin, high + margin)
    axis.plot(limits, limits, color=GREY, linewidth=0.6, dashes=(4, 3), zorder=1)
    axis.set(
        xlim=limits,
        ylim=limits,
        aspect="equal",
        anchor="NW",
        xlabel=wrapped(f"predicted {expression}", room),
        ylabel=wrapped(f"measured {expression}", HIGH * room),
    )
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(6 if room > FEW else 3, steps=[1, 2, 5, 10]))
    return points


def statistics_text(metrics: pd.DataFrame, by_seed: pd.DataFrame) -> str:
    """Returns the note of a scatter panel: N, Pearson's r with its P, r squared and R squared.

    If the numbers are means over several trainings, the note also gives the range of r. It names
    the trainings that have not learned or not ended.

    Args:
        metrics: the rows of one test set, see `evaluation.metrics`.
        by_seed: the metrics of each training: seed, metric, value, problem (empty if none).
    """
    rows = metrics.set_index("metric")
    r = rows.loc["pearson_r"]
    text = [f"N = {int(r['n']):,}", f"r = {r['value']:z.3f}"]
    if pd.notna(r["p_value"]) and str(r["p_value"]) not in ("", "NA"):
        p = str(r["p_value"])
        least = p == SMALLEST_P or Decimal(p) < Decimal(LEAST_P)
        text[-1] += f", P < {LEAST_P}" if least else f", P = {p}"
    text += [f"r² = {rows.loc['squared_r', 'value']:.3f}", f"R² = {rows.loc['r2', 'value']:z.3f}"]
    lines = [f"{text[0]}, {text[1]}", f"{text[2]}, {text[3]}"]
    of_r = by_seed[by_seed["metric"] == "pearson_r"]
    if len(of_r) > 1:
        low, high = of_r["value"].min(), of_r["value"].max()
        lines.append(f"means of {len(of_r)} trainings (r {low:z.3f} to {high:z.3f})")
    for kind in (NOT_LEARNED, NOT_FINISHED, NOT_MEASURABLE):
        those = of_r.loc[of_r["problem"].str.contains(kind), "seed"].astype(str)
        if len(those):
            lines.append(f"{kind.upper()}: seed {', '.join(those)}")
    return "\n".join(lines)


def panel_numbers(
    panels: Sequence[tuple[str, str, str]],
    predictions: Mapping[str, pd.DataFrame],
    metrics: pd.DataFrame,
) -> pd.DataFrame:
    """Returns the metrics of each panel, with the panel's letter in the column `panel`.

    Args:
        panels: medium, test set and title of each panel.
        predictions: medium -> predictions, see `predictions.read`.
        metrics: the metrics of one model, see `metrics.metrics`.

    Raises:
        ValueError: a panel's metrics are missing, or not for the same sequences as its predictions.
    """
    parts = []
    for letter, (medium, test_set, _) in zip(letters(len(panels)), panels, strict=True):
        rows = metrics[(metrics["medium"] == medium) & (metrics["test_set"] == test_set)]
        points = int((predictions[medium]["test_set"] == test_set).sum())
        # The panel needs each metric once, for exactly these sequences.
        if rows.empty or rows["metric"].duplicated().any() or set(rows["n"]) != {points}:
            raise ValueError(
                f"test set {test_set} of {medium}: {points} predictions, but metrics of n = "
                f"{sorted(rows['n'])}"
            )
        parts.append(rows.assign(panel=letter))
    table = pd.concat(parts)
    table.insert(0, "panel", table.pop("panel"))
    return table


@styled()
def draw(
    panels: Sequence[tuple[str, str, str]],
    predictions: Mapping[str, pd.DataFrame],
    numbers: pd.DataFrame,
    by_seed: pd.DataFrame,
    expression: str,
) -> Figure:
    """Draws one panel per test set.

    Args:
        panels, predictions: see `panel_numbers`.
        numbers: the result of `panel_numbers`.
        by_seed: the metrics of each training: medium, test_set, seed, metric, value, problem.
        expression: see `density_scatter`.
    """
    pitch = DOUBLE / grid_columns(len(panels)) if len(panels) > 1 else SINGLE
    room = pitch - BESIDE
    # Lines of the labels after their first.
    below = wrapped(f"predicted {expression}", room).count("\n")
    small = grid_columns(len(panels)) > 2
    beside = 3 if small else wrapped(f"measured {expression}", HIGH * room).count("\n")
    above = room - TEXT_LINE * beside
    texts = []
    for (medium, test_set, title), (_, rows) in zip(
        panels, numbers.groupby("panel", sort=False), strict=True
    ):
        own = by_seed[(by_seed["medium"] == medium) & (by_seed["test_set"] == test_set)]
        note = wrapped(statistics_text(rows, own), above, SMALL)
        texts.append((wrapped(title, above - LETTER), note))
    lines = max("\n".join(text).count("\n") + 1 for text in texts)
    page, axes = squares(len(panels), lines + below * (not small), BAR)
    names = numbers["panel"].unique()
    for letter, axis, text, (medium, test_set, _) in zip(names, axes, texts, panels, strict=True):
        points = predictions[medium]
        points = points[points["test_set"] == test_set]
        drawn = density_scatter(
            axis, points[columns(points)[0]], points["measured"], expression=expression, room=room
        )
        panel(axis, letter * (len(panels) > 1), *text)
        if small:
            axis.set(xlabel="", ylabel="")
    if small:
        # There is no room for labels at each panel.
        size = STYLE["font.size"]
        page.supxlabel(wrapped(f"predicted {expression}", DOUBLE / 2), fontsize=size)
        page.supylabel(wrapped(f"measured {expression}", PAGE / 2), fontsize=size)
    density_scale(page, drawn, axes, "top" if small else "bottom")
    return page


def density_scale(
    page: Figure, points: PathCollection, axes: Sequence[Axes], location: str
) -> None:
    """Draws the one scale of colours for the points of all panels (`density_scatter`), above or
    below them ("top", "bottom"), where it takes no width from their titles."""
    width = page.get_figwidth() * INCH
    bar = page.colorbar(
        points,
        ax=axes,
        location=location,
        shrink=SCALE / width,
        aspect=SCALE / 2,
        pad=0.02,
        ticks=[0, 0.5, 1],
    )
    bar.set_label("density of sequences (densest place of each panel = 1)", fontsize=SMALL)
    bar.outline.set_linewidth(0.4)
