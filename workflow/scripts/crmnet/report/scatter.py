"""Figure 2 and, for the other media, Figure S1: measured and predicted expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.ndimage
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crmnet.data.predictions import columns
from crmnet.evaluation.learning import NOT_FINISHED, NOT_LEARNED, NOT_MEASURABLE
from crmnet.report.drawings import letters, panel, squares
from crmnet.report.style import DENSITY, GREY, SMALL, styled


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
    colour_bar: bool = False,
) -> PathCollection:
    """Draws measured against predicted expression, coloured by the local density of the points.

    Both axes have the same limits. The dashed line is the line of identity. The densest points are
    on top.

    Args:
        predicted, measured: expression (n,).
        expression: the name of the quantity on the axes, with its unit.
        colour_bar: whether to draw the scale of the density beside the panel.

    Returns:
        The points.
    """
    predicted, measured = np.asarray(predicted, float), np.asarray(measured, float)
    density = local_density(predicted, measured)
    order = np.argsort(density, kind="stable")
    points = axis.scatter(
        predicted[order],
        measured[order],
        c=density[order],
        s=float(np.clip(10_000 / max(1, len(order)), 1, 3)),
        cmap=DENSITY,
        vmin=0,
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
        xlabel=f"predicted {expression}",
        ylabel=f"measured {expression}",
    )
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if colour_bar:
        bar = axis.figure.colorbar(points, ax=axis, shrink=0.5, aspect=16, pad=0.02)
        bar.set_label("density of sequences", fontsize=SMALL)
        bar.outline.set_linewidth(0.4)
        bar.locator = MaxNLocator(4)
        bar.update_ticks()
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
    text = [f"N = {int(r['n']):,}", f"r = {r['value']:.3f}"]
    if pd.notna(r["p_value"]) and str(r["p_value"]) not in ("", "NA"):
        p = str(r["p_value"])
        text[-1] += f", P {p}" if p.startswith("<") else f", P = {p}"
    text += [f"r² = {rows.loc['squared_r', 'value']:.3f}", f"R² = {rows.loc['r2', 'value']:.3f}"]
    lines = [f"{text[0]}, {text[1]}", f"{text[2]}, {text[3]}"]
    of_r = by_seed[by_seed["metric"] == "pearson_r"]
    if len(of_r) > 1:
        low, high = of_r["value"].min(), of_r["value"].max()
        lines.append(f"means of {len(of_r)} trainings (r {low:.3f} to {high:.3f})")
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
    page, axes = squares(len(panels))
    for (letter, rows), axis, (medium, test_set, title) in zip(
        numbers.groupby("panel", sort=False), axes, panels, strict=True
    ):
        points = predictions[medium]
        points = points[points["test_set"] == test_set]
        density_scatter(
            axis,
            points[columns(points)[0]],
            points["measured"],
            expression=expression,
            colour_bar=True,
        )
        own = by_seed[(by_seed["medium"] == medium) & (by_seed["test_set"] == test_set)]
        panel(axis, letter, title, statistics_text(rows, own))
    return page
