"""One style for every figure of the paper, and the drawings that several figures share."""

from __future__ import annotations

import string
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import scipy.ndimage
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Polygon, Rectangle
from matplotlib.ticker import MaxNLocator

# Journal column widths, mm.
SINGLE, DOUBLE = 85.0, 180.0
INCH = 25.4

# Okabe and Ito's colours, which the colour-blind tell apart.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#7F7F7F"
# In the order in which they are given out; without yellow, hard to see as a thin line.
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DENSITY = "viridis"

SMALL = 6.5
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
matplotlib.rcParams.update(STYLE)


def figure(width: float, height: float) -> Figure:
    """An empty figure of so many mm, whose panels make room for their labels."""
    return Figure(figsize=(width / INCH, height / INCH), layout="constrained")


def squares(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of so many square panels: one in a single column, more in twos across the page."""
    columns = min(count, 2)
    rows = -(-count // columns)
    width = SINGLE if count == 1 else DOUBLE
    page = figure(width, rows * 0.85 * width / columns)
    axes = page.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axis in axes[count:]:
        axis.remove()
    return page, axes[:count]


def save(figure: Figure, path: str | Path) -> None:
    """Writes a PDF, the same bytes whenever it is made from the same data."""
    figure.savefig(path, format="pdf", metadata={"CreationDate": None})


def panel(axis: Axes, letter: str, title: str = "", note: str = "") -> None:
    """Letter and title above the top left corner of a panel, and a note between them and it."""
    above = 4 + (note.count("\n") + 1) * 9 if note else 4
    axis.set_title(letter, loc="left", fontsize=9, fontweight="bold", pad=above)
    axis.annotate(
        note,
        (0, 1),
        (0, 3),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=SMALL,
        verticalalignment="bottom",
        linespacing=1.3,
        in_layout=False,
    )
    axis.annotate(
        title,
        (0, 1),
        (13, above),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=STYLE["axes.titlesize"],
        verticalalignment="baseline",
        # A long title must not squeeze the panel.
        in_layout=False,
    )


def letters(count: int) -> list[str]:
    """Letters of so many panels: A, B, ..., Z, A2, B2, ..."""
    alphabet = string.ascii_uppercase
    rounds = range(count // len(alphabet) + 1)
    return [f"{letter}{turn + 1 if turn else ''}" for turn in rounds for letter in alphabet][:count]


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
    for kind in ("not learned", "not finished"):
        those = of_r.loc[of_r["problem"].str.contains(kind), "seed"].astype(str)
        if len(those):
            lines.append(f"{kind.upper()}: seed {', '.join(those)}")
    return "\n".join(lines)


# Models side by side among the training curves; height of a panel, mm.
_CURVES, _CURVE = 5, 32.0


def training_curves(models: dict[str, dict[str, list[pd.DataFrame]]]) -> Figure:
    """Loss, and below it validation R2, over the epochs: a pair of panels a model, a line a
    training, those of a stage in one colour, its best epoch marked.

    Args:
        models: model -> stage -> of each seed the columns epoch, loss, validation_r2.
    """
    stages = list(dict.fromkeys(stage for histories in models.values() for stage in histories))
    columns = min(_CURVES, len(models))
    rows = -(-len(models) // columns)
    width = max(SINGLE, DOUBLE * columns / _CURVES)
    page = figure(width, 2 * rows * _CURVE + _LEGEND)
    axes = page.subplots(2 * rows, columns, squeeze=False)
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        pair = axes[2 * row : 2 * row + 2, column]
        if place >= len(models):
            for axis in pair:
                axis.remove()
            continue
        name, histories = list(models.items())[place]
        for stage, history in ((s, one) for s, of in histories.items() for one in of):
            scores = history["validation_r2"]
            best = [int(scores.argmax())] if scores.notna().any() else []
            for axis, values in zip(pair, (history["loss"], scores), strict=True):
                axis.plot(
                    history["epoch"],
                    values,
                    color=COLOURS[stages.index(stage) % len(COLOURS)],
                    marker="o",
                    markevery=best,
                    label=stage,
                )
        pair[0].set_title(name)
        # Far below 0, as first epochs can be, R2 only says "worse than the mean".
        pair[1].set_ylim(LOWEST, 1)
        pair[1].set_xlabel("epoch")
        for axis in pair:
            axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        if not column:
            pair[0].set_ylabel("training loss")
            pair[1].set_ylabel("validation R²")
    lines = {line.get_label(): line for axis in page.axes for line in axis.lines}
    page.legend(
        handles=[lines[stage] for stage in stages],
        title="● best epoch",
        loc="outside lower left",
        ncols=len(stages),
        alignment="left",
    )
    return page


# Figures 3 and 4, mm: the line of a model; what is above and below a panel; the legend.
_LINE, _AROUND, _LEGEND = 4.0, 17.0, 11.0
LIGHT_GREY = "#E3E3E3"
SIGNIFICANT = 0.05
WORSE, BETTER, UNLEARNED = "▼", "▲", "†"
# Far below 0, a coefficient only says "worse than the mean", and would flatten the others.
LOWEST = -0.05


def pairs(count: int, lines: int) -> tuple[Figure, list[list[Axes]]]:
    """A figure of so many pairs of panels, two pairs side by side, each of so many lines of text.

    All share their y axis, with its labels at the left of the page.
    """
    rows, columns = -(-count // 2), min(count, 2)
    width = DOUBLE if columns == 2 else 0.6 * DOUBLE
    page = figure(width, rows * (lines * _LINE + _AROUND) + _LEGEND)
    axes = page.subplots(rows, 2 * columns, sharey=True, squeeze=False).reshape(-1, 2)
    for axis in axes[count:].ravel():
        axis.remove()
    return page, axes[:count].tolist()


def comparison(axis: Axes, table: pd.DataFrame, limits: tuple[float, float]) -> None:
    """A coefficient of several models, one below the other: dots with their intervals, and numbers.

    The others are compared with the first: behind the number of each that is significantly worse
    or better stands a mark. A dot below the limits is an arrow at the edge.

    Args:
        table: a row a model, from the top: label, published (whether its predictions are; then the
            dot is open), value, low, high, n (NaN: no predictions), values (of its trainings, where
            it has several; each a small dot), problem (empty, or why its numbers say little),
            difference (of the first model minus this one), p_holm (of the difference, adjusted),
            undecided (empty, or why no test decides).
        limits: of the x axis.
    """
    axis.set(xlim=limits, ylim=(len(table) - 0.5, -0.5))
    axis.set_yticks(range(len(table)), table["label"])
    for label in axis.get_yticklabels()[:1]:
        label.set_fontweight("bold")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="y", color=LIGHT_GREY, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axis.axvline(table["value"].iloc[0], color=GREY, linewidth=0.6, dashes=(4, 3), zorder=1)
    text = {
        "transform": axis.get_yaxis_transform(),
        "verticalalignment": "center",
        "fontsize": SMALL,
    }
    for y, row in enumerate(table.itertuples()):
        if pd.isna(row.value):
            axis.text(
                0.5,
                y,
                "no predictions" if pd.isna(row.n) else "not defined",
                **text,
                color=GREY,
                horizontalalignment="center",
                bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
            )
            continue
        colour, weight = (BLUE, "normal") if y else (VERMILLION, "bold")
        axis.plot([row.low, row.high], [y, y], color=colour)
        for value in row.values:
            axis.plot(value, y + 0.28, ".", color=colour, markersize=2.5)
        axis.plot(
            max(row.value, limits[0]),
            y,
            "<" if row.value < limits[0] else "o",
            color=colour,
            markerfacecolor="white" if row.published else colour,
            clip_on=False,
        )
        number = f"{row.value:.3f}".replace("-", "−")
        if not row.undecided and row.p_holm < SIGNIFICANT:
            number += f" {WORSE if row.difference > 0 else BETTER}"
        if row.problem:
            number += f" {UNLEARNED}"
        axis.text(1.03, y, number, **text, fontweight=weight)


def comparison_limits(table: pd.DataFrame) -> tuple[float, float]:
    """Limits of an x axis for all values of a table with their intervals, from `LOWEST` on."""
    ends = table[["value", "low", "high"]]
    low, high = max(ends.min(axis=None), LOWEST), max(ends.max(axis=None), 0)
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def comparison_legend(figure: Figure, table: pd.DataFrame) -> None:
    """What the dots and marks of `comparison` say, below its panels.

    Args:
        table: as of `comparison`.
    """
    faces = {"trained here": BLUE}
    if table["published"].any():
        faces["published predictions"] = "white"
    several = table["values"].map(len).gt(1).any()
    title = "dots with 95 % intervals over families of sequences"
    title += " and trainings;\nsmall dots: single trainings" if several else ""
    reasons = table["undecided"].iloc[1:]
    if reasons.eq("").any():
        title += (
            f"\n{WORSE} worse, {BETTER} better than {table['label'].iloc[0]} (P < {SIGNIFICANT}, "
            "paired, Holm)"
        )
    for reason in reasons[reasons != ""].unique():
        title += (
            f"\nundecided, no {WORSE}{BETTER}: {reason}, and another seed could reverse the order"
        )
    if table["problem"].ne("").any():
        title += f"\n{UNLEARNED} a training has not learned or not ended (the table says which)"
    figure.legend(
        handles=[
            Line2D([], [], marker="o", color=BLUE, markerfacecolor=face, label=label)
            for label, face in faces.items()
        ],
        title=title,
        loc="outside lower left",
        alignment="left",
        ncols=2,
    )


# Figure 1, all in mm: its size; the middles of the arms of the U; its lowest row, and from row to
# row; the longest and the thickest bar.
ARCHITECTURE = (DOUBLE, 125.0)
_LEFT, _RIGHT = 52.0, 128.0
_LOWEST, _ROW = 41.0, 15.0
_LONGEST, _THICKEST = 44.0, 10.0
_KINDS = {
    "input": ("Input", GREY),
    "encoder": ("Encoder", SKY),
    "position": ("Position encoding", GREY),
    "transformer": ("Transformer", ORANGE),
    "decoder": ("Decoder", GREEN),
    "se_block": ("SE block", PURPLE),
    "mlp": ("MLP", VERMILLION),
}


def effects(axis: Axes, table: pd.DataFrame, name: str) -> None:
    """What motifs do: a dot with its interval each, the control as a line with its band, and the
    P of each above.

    Args:
        table: a row a motif: target_name, value, low, high, control, control_low, control_high,
            p_holm; all of the same control.
        name: of the value.
    """
    control = table.iloc[0]
    axis.axhspan(control["control_low"], control["control_high"], color=GREY, alpha=0.3, lw=0)
    axis.axhline(control["control"], color=GREY, linestyle="--", label="all")
    x = np.arange(len(table))
    gaps = np.abs(table[["low", "high"]].to_numpy() - table[["value"]].to_numpy()).T
    axis.errorbar(x, table["value"], gaps, fmt="o", color=BLUE, capsize=2, linewidth=0.8)
    axis.set(xticks=x, xticklabels=table["target_name"], xlim=(-0.6, len(x) - 0.4), ylabel=name)
    axis.margins(y=0.25)
    for place, p in zip(x, table["p_holm"], strict=True):
        axis.annotate(
            "not tested" if np.isnan(p) else f"P = {p:.2g}",
            (place, 0.99),
            xycoords=("data", "axes fraction"),
            fontsize=SMALL - 0.5,
            horizontalalignment="center",
            verticalalignment="top",
        )
    axis.annotate(
        "all",
        (1, control["control"]),
        (-2, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize=SMALL,
        horizontalalignment="right",
    )


def note_page(text: str) -> Figure:
    """A figure that says why it shows nothing."""
    page = figure(SINGLE, 20.0)
    page.text(0.5, 0.5, text, horizontalalignment="center", verticalalignment="center", wrap=True)
    return page


def draw_architecture(axis: Axes, blocks: pd.DataFrame) -> None:
    """Figure 1: the U of encoders, transformer blocks and decoders, and what follows it.

    Bars are to scale: as long as a block's output has positions, as thick as it has channels.

    Args:
        axis: the only one of a figure of `ARCHITECTURE`, which it is made to fill.
        blocks: of `architecture.blocks`.
    """
    width, height = ARCHITECTURE
    axis.set_position((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.axis("off")
    table = blocks.set_index("block")
    for link in ("skip", "beside"):
        # Read from a table, an empty text is a missing number.
        table[link] = table[link].astype(object).fillna("")
    kinds = dict(iter(table.groupby("kind", sort=False)))
    lengths = table["positions"] * _LONGEST / table["positions"].max()
    maps = table[table["positions"] > 1]
    # So thin a bar as that of the five letters would not print.
    thicknesses = (table["channels"] * _THICKEST / maps["channels"].max()).clip(lower=0.8)

    # Down the left arm.
    down = [*kinds["input"].index, *kinds["encoder"].index]
    y = {name: _LOWEST + _ROW * (len(down) - 1 - row) for row, name in enumerate(down)}
    for name in down:
        _bar(axis, table.loc[name], _LEFT, y[name], lengths[name], thicknesses[name])
        _caption(axis, table.loc[name], _LEFT - lengths[name] / 2 - 2, y[name], "right")
    for above, below in pairwise(down):
        _arrow(
            axis,
            (_LEFT, y[above] - thicknesses[above] / 2 - 0.4),
            (_LEFT, y[below] + thicknesses[below] / 2 + 0.4),
        )

    # Up the right arm: each decoder beside its skip, then row by row.
    up = [*kinds["decoder"].index, *kinds["se_block"].index]
    for row, name in enumerate(up, start=1):
        y[name] = _LOWEST + _ROW * row
        _bar(axis, table.loc[name], _RIGHT, y[name], lengths[name], thicknesses[name])
        _caption(axis, table.loc[name], _RIGHT + lengths[name] / 2 + 2, y[name], "left")
    for below, above in pairwise(up):
        _arrow(
            axis,
            (_RIGHT, y[below] + thicknesses[below] / 2 + 0.4),
            (_RIGHT, y[above] - thicknesses[above] / 2 - 0.4),
        )
    for name, skip in table["skip"][table["skip"] != ""].items():
        ends = (_LEFT + lengths[skip] / 2 + 0.8, _RIGHT - lengths[name] / 2 - 0.8)
        _arrow(axis, (ends[0], y[skip]), (ends[1], y[name]), color=GREY, linestyle=(0, (4, 2)))
        axis.text(
            sum(ends) / 2,
            y[name] + 0.8,
            f"skip, {_shape(table.loc[skip])}",
            ha="center",
            fontsize=SMALL,
        )

    # Along the lowest row, from the last encoder to below the first decoder.
    last, first = down[-1], up[0]
    _arrow(
        axis,
        (_LEFT + lengths[last] / 2 + 0.4, _LOWEST),
        (_RIGHT, _LOWEST),
        (_RIGHT, y[first] - thicknesses[first] / 2 - 0.4),
    )
    if "position" in kinds:
        _position_encoding(axis, kinds["position"].iloc[0], _LEFT + 9)
    if "transformer" in kinds:
        _transformers(
            axis,
            kinds["transformer"],
            (_LEFT + 14, _RIGHT - 4),
            lengths[last],
            thicknesses[kinds["transformer"].index[0]],
        )

    # Above the right arm: the MLP narrows to the one value.
    foot = y[up[-1]] + 9
    corners = [(-_LONGEST / 2, foot), (_LONGEST / 2, foot), (2, foot + 6), (-2, foot + 6)]
    axis.add_patch(
        Polygon([(_RIGHT + x, at) for x, at in corners], facecolor=_KINDS["mlp"][1], linewidth=0)
    )
    whole = kinds["mlp"].iloc[-1].copy()
    whole["parameters"] = kinds["mlp"]["parameters"].sum()
    _caption(axis, whole, _RIGHT + _LONGEST / 2 + 2, foot + 3, "left")
    _arrow(axis, (_RIGHT, y[up[-1]] + thicknesses[up[-1]] / 2 + 0.4), (_RIGHT, foot - 0.4))
    _arrow(axis, (_RIGHT, foot + 6.4), (_RIGHT, foot + 10.5))
    axis.text(_RIGHT, foot + 11, "predicted expression", ha="center", fontweight="bold")

    axis.text(2, height - 5, "CRMnet", fontsize=9, fontweight="bold")
    axis.text(
        2,
        height - 6,
        f"{table['parameters'].sum():,} parameters\n"
        "bars: positions (length), channels (thickness)\n"
        "numbers: positions × channels · parameters",
        va="top",
        fontsize=SMALL,
        linespacing=1.35,
    )
    _inside(axis, kinds)


def _bar(axis: Axes, block: pd.Series, x: float, y: float, length: float, thickness: float) -> None:
    colour = _KINDS[block["kind"]][1]
    corner = (x - length / 2, y - thickness / 2)
    axis.add_patch(Rectangle(corner, length, thickness, facecolor=colour, linewidth=0, zorder=2))


def _caption(axis: Axes, block: pd.Series, x: float, y: float, align: str) -> None:
    name, number = _KINDS[block["kind"]][0], block.name.rpartition("_")[2]
    title = f"{name} {number}" if number.isdigit() else name
    size = f" · {_short(block['parameters'])}" if block["parameters"] else ""
    axis.text(x, y + 0.4, title, ha=align, va="bottom", fontweight="bold")
    axis.text(x, y - 0.4, _shape(block) + size, ha=align, va="top", fontsize=SMALL)


def _arrow(axis: Axes, *path: tuple[float, float], **style) -> None:
    """A line through points, with a head at the last."""
    style = {"color": BLACK, "linewidth": 0.8} | style
    axis.plot(*zip(*path, strict=True), **style, zorder=1)
    head = {"arrowstyle": "-|>", "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0}
    # Only the head: dashes of the line would cut it.
    (x, y), (x_before, y_before) = path[-1], path[-2]
    away = np.hypot(x - x_before, y - y_before)
    from_ = (x - (x - x_before) / away, y - (y - y_before) / away)
    axis.annotate(
        "", path[-1], from_, arrowprops=head | {"color": style["color"], "linewidth": 0.8}
    )


def _sign(axis: Axes, sign: str, x: float, radius: float) -> None:
    """A sign in a circle on the lowest row."""
    axis.add_patch(Circle((x, _LOWEST), radius, facecolor="white", edgecolor=BLACK, zorder=2))
    axis.text(x, _LOWEST - 0.1, sign, ha="center", va="center_baseline", zorder=3)


def _position_encoding(axis: Axes, block: pd.Series, x: float) -> None:
    _sign(axis, "+" if "add" in block["layers"] else "×", x, 1.7)
    axis.text(x, _LOWEST - 2.5, "position\nencoding", ha="center", va="top", fontsize=SMALL)


def _transformers(
    axis: Axes, rows: pd.DataFrame, span: tuple[float, float], length: float, thickness: float
) -> None:
    """The transformer blocks in a row, with a plus between those that stand side by side."""
    x = np.mean(span)
    pitch = min((span[1] - span[0]) / len(rows), 2 * length)
    length = min(length, 0.7 * pitch)
    middle = {name: x + (i - (len(rows) - 1) / 2) * pitch for i, name in enumerate(rows.index)}
    for number, (name, row) in enumerate(rows.iterrows(), start=1):
        _bar(axis, row, middle[name], _LOWEST, length, thickness)
        axis.text(
            middle[name],
            _LOWEST,
            number,
            ha="center",
            va="center_baseline",
            fontsize=SMALL,
            zorder=3,
        )
        if row["beside"]:
            between = (middle[name] + middle[row["beside"]]) / 2
            _sign(axis, "+", between, min(1.7, (pitch - length) / 2))
    y = _LOWEST - thickness / 2
    same = rows["parameters"].nunique() == 1
    total = (
        f"{_short(rows['parameters'].iloc[0])} each" if same else _short(rows["parameters"].sum())
    )
    plural = "s" * (len(rows) > 1)
    axis.text(
        x,
        y - 1.2,
        f"{len(rows)} transformer block{plural}",
        ha="center",
        va="top",
        fontweight="bold",
    )
    axis.text(
        x, y - 4.4, f"{_shape(rows.iloc[0])} · {total}", ha="center", va="top", fontsize=SMALL
    )
    if (rows["beside"] != "").any():
        axis.text(
            x,
            _LOWEST + thickness / 2 + 2.8,
            "+: of the same input, outputs added",
            ha="center",
            fontsize=SMALL,
        )


def _inside(axis: Axes, kinds: dict[str, pd.DataFrame]) -> None:
    """The legend: the colour of each kind of block, and the layers in it."""
    shown = [kind for kind in _KINDS if kind in kinds and kind not in ("input", "position")]
    for line, kind in enumerate(shown):
        y = 2.0 + 4.0 * (len(shown) - line)
        name, colour = _KINDS[kind]
        rows = kinds[kind]
        text = rows["layers"].iloc[0]
        if kind == "mlp":
            text = " → ".join(rows["layers"])
        elif kind == "encoder":
            text += f" (not in encoder {len(rows)})"
        axis.add_patch(Rectangle((2, y), 3, 2.2, facecolor=colour, linewidth=0))
        axis.text(7, y + 0.2, name, fontweight="bold")
        axis.text(30, y + 0.2, text, fontsize=SMALL)
    axis.text(
        2,
        2,
        "After Conv stands the kernel's width, after Dense the units. SE: squeeze and excitation.",
        fontsize=SMALL,
    )


def _shape(block: pd.Series) -> str:
    return f"{block['positions']} × {block['channels']}"


def _short(count: int) -> str:
    """1234567 as "1.23 M"."""
    for limit, unit, sign in ((999_500, 1e6, " M"), (1000, 1e3, " k")):
        if count >= limit:
            return f"{count / unit:#.3g}".rstrip(".") + sign
    return str(count)
