"""Figures 3 and 4: models side by side on several test sets, each compared with the first model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from crmnet.data.predictions import GIVEN
from crmnet.evaluation.metrics import undecided
from crmnet.evaluation.statistics import SIGNIFICANT, holm
from crmnet.plan import is_published
from crmnet.report.drawings import LETTER, legend_columns, letters, panel, text_width, wrapped
from crmnet.report.style import (
    BETTER,
    BLUE,
    DOUBLE,
    GREY,
    INCH,
    LEGEND,
    LIGHT_GREY,
    LOWEST,
    PAGE,
    SMALL,
    TEXT_LINE,
    UNLEARNED,
    VERMILLION,
    WORSE,
    figure,
    styled,
)

# The metrics that are drawn. The squared r, which the paper prints as "R2", is only in the table.
DRAWN = {"pearson_r": "Pearson's r", "r2": "R²"}
METRICS = [*DRAWN, "squared_r"]
KEY = ["medium", "test_set", "model", "metric"]
COLUMNS = [
    *("panel", *KEY, "seed", "value", "low", "high", "n", "families", "seeds", "comparison"),
    *("difference", "difference_low", "difference_high", "p_value", "p_holm", "undecided"),
    "problem",
]
# Height of a model's line and least height of it; height of the space above and below a panel; room
# for a model's label; all in mm.
_LINE, _LEAST_LINE, _AROUND = 4.0, 3.0, 17.0
_LABEL = 32.0
# More pairs of panels than these are three side by side.
_TWO_COLUMNS = 8


def panel_rows(
    first: str,
    models: Sequence[str],
    panels: Sequence[tuple[str, str, str]],
    metrics: pd.DataFrame,
    by_seed: pd.DataFrame,
    comparisons: pd.DataFrame,
) -> pd.DataFrame:
    """Returns the numbers of each model in each panel, and its comparison with the first model.

    Args:
        first: the model that the others are compared with.
        models: all models in their order, including the first.
        panels: medium, test set and title of each panel.
        metrics: the metrics of the models, see `metrics.metrics`.
        by_seed: the metrics `METRICS` of each training: `KEY`, seed, value, problem.
        comparisons: the comparisons of the first model, see `metrics.paired_difference`.

    Returns:
        One row per panel, model and metric: panel (its letter), `KEY`, the columns of `metrics`,
        values and problem (see `compare`), difference with its interval, p_value, p_holm (adjusted
        over the models of a panel), undecided.

    Raises:
        ValueError: a panel has no metrics of the first model, or its metrics and comparisons are
            not for the same sequences.
    """
    rows = metrics[metrics["model"].isin(models) & metrics["metric"].isin(METRICS)]
    rows = rows.drop(columns="p_value")
    rows = rows.sort_values("model", key=lambda names: names.map(models.index), kind="stable")
    rows = rows.merge(_trainings(by_seed), on=KEY, how="left", validate="one_to_one")
    tested = _tested(first, by_seed, comparisons)
    rows = rows.merge(tested, on=KEY, how="left", validate="one_to_one")
    rows = rows.fillna({"undecided": ""})
    parts = []
    for letter, (medium, test_set, _) in zip(letters(len(panels)), panels, strict=True):
        part = rows[(rows["medium"] == medium) & (rows["test_set"] == test_set)]
        if first not in set(part["model"]):
            raise ValueError(f"test set {test_set} of {medium}: there are no metrics of {first}")
        # All metrics and comparisons of a panel must be for the same sequences.
        others = part["model"] != first
        if part["n"].nunique() > 1 or (part["tested"] != part["n"])[others].any():
            raise ValueError(
                f"test set {test_set} of {medium}: the models' metrics are for n = "
                f"{sorted(part['n'].unique())}, but the comparisons are for n = "
                f"{sorted(part.loc[others, 'tested'].unique())}; delete the files in metrics/ and "
                "comparisons/ and run the workflow again"
            )
        adjusted = part.groupby("metric")["p_value"].transform(holm)
        parts.append(part.assign(panel=letter, p_holm=adjusted))
    return pd.concat(parts)


def _trainings(by_seed: pd.DataFrame) -> pd.DataFrame:
    """Returns `KEY`, the values of a model's trainings (empty for one training), and their
    problems."""
    rows = []
    for key, trainings in by_seed.groupby(KEY):
        values = list(trainings["value"]) if len(trainings) > 1 else []
        problems = zip(trainings["seed"], trainings["problem"], strict=True)
        rows.append(
            (*key, values, "; ".join(f"seed {seed}: {why}" for seed, why in problems if why))
        )
    return pd.DataFrame(rows, columns=[*KEY, "values", "problem"])


def _tested(first: str, by_seed: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """Returns the comparisons of the first model, keyed by the other model, with the reason why a
    comparison is undecided."""
    rows = comparisons[comparisons["model"] == first].drop(columns="model")
    names = {"against": "model", "low": "difference_low", "high": "difference_high", "n": "tested"}
    rows = rows.rename(columns=names)
    # Published predictions and released weights are taken as fixed: there is no other training.
    given = by_seed[by_seed["seed"].isin(GIVEN)]
    given = set(zip(given["model"], given["medium"], strict=True))
    rows["undecided"] = [
        undecided(
            row.seeds,
            row.against_seeds,
            published=(first, row.medium) in given,
            against_published=(row.model, row.medium) in given,
        )
        for row in rows.itertuples()
    ]
    return rows.drop(columns=["seeds", "against_seeds", "families"])


@styled()
def draw(
    rows: pd.DataFrame,
    models: Sequence[str],
    panels: Sequence[tuple[str, str, str]],
    labels: Mapping[str, str],
) -> Figure:
    """Draws a pair of panels for each test set: Pearson's r and R squared of all models.

    Args:
        rows: the result of `panel_rows`.
        models, panels: see `panel_rows`.
        labels: model -> its label, for models whose label is not their name.
    """
    shown = pd.DataFrame(
        {
            "label": [wrapped(labels.get(model, model), _LABEL, SMALL) for model in models],
            "published": list(map(is_published, models)),
        },
        index=pd.Index(models, name="model"),
    )
    parts = [part for _, part in rows.groupby("panel", sort=False)]
    columns, width = _columns(len(parts))
    # The last pair ends at the edge of the page, so that all titles have its room.
    room = (width - _widest(shown["label"])) / columns - 2
    titles = [
        wrapped(f"{title} (N = {part['n'].iloc[0]:,})", room - LETTER)
        for part, (_, _, title) in zip(parts, panels, strict=True)
    ]
    above = max(title.count("\n") for title in titles)
    lines = shown["label"].str.count("\n") + 1
    page, axes = pairs(len(parts), len(models), lines.rolling(2, min_periods=1).mean().max(), above)
    below = False
    for column, (metric, name) in enumerate(DRAWN.items()):
        limits = comparison_limits(rows[rows["metric"] == metric])
        for part, pair in zip(parts, axes, strict=True):
            numbers = part[part["metric"] == metric].set_index("model")
            compare(pair[column], shown.join(numbers), limits)
            pair[column].set_xlabel(name)
            below |= bool((numbers["value"] < limits[0]).any())
    for part, (left, _), title in zip(parts, axes, titles, strict=True):
        panel(left, part["panel"].iloc[0] * (len(parts) > 1), title)
    # The legend explains only the models that have predictions.
    predicted = rows.drop_duplicates("model").set_index("model")
    comparison_legend(page, shown.join(predicted, how="inner"), below)
    return page


def _columns(count: int) -> tuple[int, float]:
    """Returns how many of `count` pairs of panels stand side by side, and the page's width, mm."""
    columns = 3 if count > _TWO_COLUMNS else min(count, 2)
    return columns, DOUBLE if columns > 1 else 0.6 * DOUBLE


def _widest(labels: pd.Series) -> float:
    return max(map(text_width, labels)) + 3


def table(first: str, rows: pd.DataFrame, by_seed: pd.DataFrame) -> pd.DataFrame:
    """Returns the numbers in the figure, with `COLUMNS`, for each model and each single training.

    Args:
        first, by_seed: see `panel_rows`.
        rows: the result of `panel_rows`.
    """
    comparison = (first + " - " + rows["model"]).where(rows["model"] != first)
    several = by_seed.merge(rows.loc[rows["seeds"] > 1, ["panel", *KEY]], on=KEY)
    every = pd.concat([rows.assign(comparison=comparison, seed="all"), several])
    every = every.sort_values("panel", kind="stable")
    counts = ["n", "families", "seeds"]
    every[counts] = every[counts].astype("Int64")
    return every[COLUMNS]


@styled()
def pairs(
    count: int, models: int, lines: float = 1, above: int = 0
) -> tuple[Figure, list[list[Axes]]]:
    """Returns a figure with `count` pairs of panels, two or three pairs side by side.

    All panels share the y axis, whose labels are at the left of the page.

    Args:
        models: number of models in a panel.
        lines: number of lines of the labels of two neighbouring models, on average.
        above: number of lines of the panels' titles after the first.
    """
    columns, width = _columns(count)
    rows = -(-count // columns)
    around = _AROUND + TEXT_LINE * above
    room = ((PAGE - LEGEND - TEXT_LINE * 4) / rows - around) / models
    line = max(min(_LINE, room), _LEAST_LINE, 0.9 * TEXT_LINE * lines)
    page = figure(width, min(rows * (models * line + around) + LEGEND, PAGE))
    page.get_layout_engine().set(h_pad=0.02, hspace=0)
    axes = page.subplots(rows, 2 * columns, sharey=True, squeeze=False).reshape(-1, 2)
    for axis in axes[count:].ravel():
        axis.remove()
    return page, axes[:count].tolist()


def compare(axis: Axes, table: pd.DataFrame, limits: tuple[float, float]) -> None:
    """Draws a coefficient of several models, one below the other, as dots with intervals and
    numbers.

    The other models are compared with the first. A mark follows the number of a model that is
    significantly worse or better. A dot below the limits is drawn as an arrow at the edge.

    Args:
        table: one row per model, from the top. The columns are: label; published (whether the
            predictions are published, which gives an open dot); value, low and high; n (NaN if
            there are no predictions); values (those of several trainings, drawn as small dots);
            problem (empty, or why the numbers say little); difference (the first model minus this
            one); p_holm (the adjusted P of the difference); undecided (empty, or why no test can
            decide).
        limits: the limits of the x axis.
    """
    axis.set(xlim=limits, ylim=(len(table) - 0.5, -0.5))
    axis.set_yticks(range(len(table)), table["label"])
    for label in axis.get_yticklabels()[:1]:
        label.set_fontweight("bold")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="y", color=LIGHT_GREY, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
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
        # "z" makes -0.000 a 0.000.
        number = f"{row.value:z.3f}".replace("-", "−")
        if not row.undecided and row.p_holm < SIGNIFICANT:
            number += f" {WORSE if row.difference > 0 else BETTER}"
        if row.problem:
            number += f" {UNLEARNED}"
        axis.text(1.03, y, number, **text, fontweight=weight)


def comparison_limits(table: pd.DataFrame) -> tuple[float, float]:
    """Returns x limits that hold all values of a table and their intervals, but not below
    `LOWEST`."""
    ends = table[["value", "low", "high"]]
    low, high = max(ends.min(axis=None), LOWEST), max(ends.max(axis=None), 0)
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def comparison_legend(figure: Figure, table: pd.DataFrame, below: bool = False) -> None:
    """Draws a legend below the panels that explains the dots and marks of `compare`.

    Args:
        table: see `compare`.
        below: whether a value is below the limits.
    """
    marks = {"trained here": ("o", BLUE)}
    if table["published"].any():
        marks["published predictions"] = ("o", "white")
    if below:
        marks["below the axis"] = ("<", BLUE)
    several = table["values"].map(len).gt(1).any()
    title = "dots with 95 % intervals over families of sequences"
    title += " and trainings;\nsmall dots: single trainings" if several else ""
    reasons = table["undecided"].iloc[1:]
    first = table["label"].iloc[0].replace("\n", " ")
    if reasons.eq("").any():
        title += f"\n{WORSE} worse, {BETTER} better than {first} (P < {SIGNIFICANT}, paired, Holm)"
    for reason in reasons[reasons != ""].unique():
        title += (
            f"\nundecided, no {WORSE}{BETTER}: {reason}, and another seed could reverse the order"
        )
    if table["problem"].ne("").any():
        title += f"\n{UNLEARNED} a training has not learned or not ended (named in the table)"
    width = figure.get_figwidth() * INCH
    figure.legend(
        handles=[
            Line2D([], [], marker=mark, color=BLUE, markerfacecolor=face, label=label)
            for label, (mark, face) in marks.items()
        ],
        title=wrapped(title, width - 4, SMALL),
        loc="outside lower left",
        alignment="left",
        ncols=legend_columns(list(marks), width),
    )
