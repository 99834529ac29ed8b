"""Figure 2, and Figure S1 in the other media: measured against predicted expression."""

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
from crmnet.evaluation.learning import NOT_FINISHED, NOT_LEARNED
from crmnet.report.drawings import letters, panel, squares
from crmnet.report.style import DENSITY, GREY, SMALL, styled


def local_density(x: np.ndarray, y: np.ndarray, bins: int = 256) -> np.ndarray:
    """Probability density of the points, at the points.

    A Gaussian kernel estimate with Scott's bandwidth, as `scipy.stats.gaussian_kde`, but on a grid
    along the principal axes of the points: 60,000 points take hundredths of a second.

    Args:
        x, y: coordinates (n,).
        bins: of the grid, along each axis.

    Returns:
        Density (n,), per unit of x times unit of y; where all points lie on one line, a density
        along that line, and where all are the same, a constant.
    """
    n = len(x)
    if not n:
        return np.empty(0)
    points = np.stack([x, y]).astype(float)
    points -= points.mean(axis=1, keepdims=True)
    variances, axes = np.linalg.eigh(points @ points.T / max(1, n - 1))
    # A direction in which nothing varies but rounding has no scale of its own.
    flat = variances <= 1e-12 * max(variances.max(), np.finfo(float).tiny)
    scales = np.where(flat, 1.0, np.sqrt(np.where(flat, 1.0, variances)))
    standard = np.where(flat[:, None], 0.0, axes.T @ points) / scales[:, None]
    bandwidth = n ** (-1 / 6)

    margin = 4 * bandwidth
    low, high = standard.min(axis=1) - margin, standard.max(axis=1) + margin
    # Cells must be smaller than the kernel, or a few outliers flatten all the rest.
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
    colour_bar: bool = False,
) -> PathCollection:
    """Measured against predicted expression, coloured by the local density of the points.

    Equal limits on both axes, with the line of identity; the densest points on top.

    Args:
        predicted, measured: expression (n,).
        colour_bar: draws the scale of the density beside the panel.

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
        xlabel="predicted expression",
        ylabel="measured expression",
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
    """The note of a scatter panel: N, Pearson's r with its P; r squared, R squared; of several
    trainings, whose mean these are, the range; and which of them have not learned or not ended.

    Args:
        metrics: the rows of one test set, as of `evaluation.metrics`.
        by_seed: the same of each training: seed, metric, value, problem (empty: none).
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
    for kind in (NOT_LEARNED, NOT_FINISHED):
        those = of_r.loc[of_r["problem"].str.contains(kind), "seed"].astype(str)
        if len(those):
            lines.append(f"{kind.upper()}: seed {', '.join(those)}")
    return "\n".join(lines)


def panel_numbers(
    panels: Sequence[tuple[str, str, str]],
    predictions: Mapping[str, pd.DataFrame],
    metrics: pd.DataFrame,
) -> pd.DataFrame:
    """The metrics of each panel, in a column `panel` its letter.

    Args:
        panels: medium, test set and title of each.
        predictions: medium -> as of `predictions.read`.
        metrics: of one model, as `metrics.metrics` gives them: medium, test_set, metric, ...

    Raises:
        ValueError: a panel's metrics are missing, or of other sequences than its predictions.
    """
    parts = []
    for letter, (medium, test_set, _) in zip(letters(len(panels)), panels, strict=True):
        rows = metrics[(metrics["medium"] == medium) & (metrics["test_set"] == test_set)]
        points = int((predictions[medium]["test_set"] == test_set).sum())
        # One model's five numbers, of these very sequences.
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
) -> Figure:
    """A panel each test set.

    Args:
        panels, predictions: see `panel_numbers`.
        numbers: of `panel_numbers`.
        by_seed: metrics of each training: medium, test_set, seed, metric, value, problem.
    """
    page, axes = squares(len(panels))
    for (letter, rows), axis, (medium, test_set, title) in zip(
        numbers.groupby("panel", sort=False), axes, panels, strict=True
    ):
        points = predictions[medium]
        points = points[points["test_set"] == test_set]
        density_scatter(axis, points[columns(points)[0]], points["measured"], colour_bar=True)
        own = by_seed[(by_seed["medium"] == medium) & (by_seed["test_set"] == test_set)]
        panel(axis, letter, title, statistics_text(rows, own))
    return page
