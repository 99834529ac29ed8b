"""Figure 1: a drawing of CRMnet from the table of its blocks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle

from crmnet.report.drawings import wrapped
from crmnet.report.style import (
    BLACK,
    DOUBLE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    SMALL,
    TEXT_LINE,
    VERMILLION,
    figure,
    styled,
)

# All in mm: size of the drawing; x of the middle of each arm of the U; y of its lowest row, and the
# distance between rows; the longest and the thickest bar.
WIDTH, HEIGHT = DOUBLE, 125.0
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


@styled()
def draw(blocks: pd.DataFrame, expression: str = "expression") -> Figure:
    """Draws the U of encoders, transformer blocks and decoders, and the blocks after it.

    The length of a bar is proportional to the positions of the block's output, its thickness to the
    channels.

    Args:
        blocks: the result of `models.blocks.blocks`.
    """
    label = wrapped(f"predicted {expression}", 1.6 * (WIDTH - _RIGHT))
    height = HEIGHT + TEXT_LINE * label.count("\n")
    page = figure(WIDTH, height)
    axis = page.subplots()
    axis.set_position((0, 0, 1, 1))
    axis.set(xlim=(0, WIDTH), ylim=(0, height))
    axis.axis("off")
    table = blocks.set_index("block")
    for link in ("skip", "beside"):
        # In a table that was read from a file, an empty text is NaN.
        table[link] = table[link].astype(object).fillna("")
    kinds = dict(iter(table.groupby("kind", sort=False)))
    lengths = table["positions"] * _LONGEST / table["positions"].max()
    maps = table[table["positions"] > 1]
    # The input has so few channels that its bar would be too thin to print.
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

    # Up the right arm: each decoder is level with its skip connection.
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

    # Above the right arm: the MLP narrows to one value.
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
    axis.text(_RIGHT, foot + 11, label, ha="center", fontweight="bold")

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
    return page


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
    """Draws a line through points, with an arrow head at the last one."""
    style = {"color": BLACK, "linewidth": 0.8} | style
    axis.plot(*zip(*path, strict=True), **style, zorder=1)
    head = {"arrowstyle": "-|>", "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0}
    # Draw the head separately, because a dashed line would cut it.
    (x, y), (x_before, y_before) = path[-1], path[-2]
    away = np.hypot(x - x_before, y - y_before)
    from_ = (x - (x - x_before) / away, y - (y - y_before) / away)
    axis.annotate(
        "", path[-1], from_, arrowprops=head | {"color": style["color"], "linewidth": 0.8}
    )


def _sign(axis: Axes, sign: str, x: float, radius: float) -> None:
    """Draws a sign in a circle on the lowest row."""
    axis.add_patch(Circle((x, _LOWEST), radius, facecolor="white", edgecolor=BLACK, zorder=2))
    axis.text(x, _LOWEST - 0.1, sign, ha="center", va="center_baseline", zorder=3)


def _position_encoding(axis: Axes, block: pd.Series, x: float) -> None:
    _sign(axis, "+" if "add" in block["layers"] else "×", x, 1.7)
    axis.text(x, _LOWEST - 2.5, "position\nencoding", ha="center", va="top", fontsize=SMALL)


def _transformers(
    axis: Axes, rows: pd.DataFrame, span: tuple[float, float], length: float, thickness: float
) -> None:
    """Draws the transformer blocks in a row, with a plus between parallel ones."""
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
            "+: blocks with the same input, whose outputs are added",
            ha="center",
            fontsize=SMALL,
        )


def _inside(axis: Axes, kinds: dict[str, pd.DataFrame]) -> None:
    """Draws the legend: the colour of each kind of block and the layers in it."""
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
        "Conv: kernel width. Dense: number of units. SE: squeeze and excitation.",
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
