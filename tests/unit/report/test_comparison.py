"""Figures 3 and 4: who is better than the first model, what is drawn of it, the numbers."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from crmnet.evaluation import metrics as module
from crmnet.report import comparison
from crmnet.report.drawings import letters as panel_letters
from crmnet.report.style import DOUBLE, styled


def compared():
    """Five models on one test set: the first; one better, published; two worse; one without."""
    table = pd.DataFrame(
        {
            "label": ["CRMnet", "LegNet (published)", "CNN", "broken", "DanQ"],
            "published": [False, True, False, False, False],
            "value": [0.95, 0.96, 0.94, -3.2, np.nan],
            "low": [0.94, 0.955, 0.93, -4, np.nan],
            "high": [0.96, 0.965, 0.95, -3, np.nan],
            "n": [60, 60, 60, 60, np.nan],
            "values": [[0.94, 0.96], [], [0.94, 0.94], [-3, -3.4], []],
            "problem": ["", "", "", "its validation R² is -3", ""],
            "difference": [np.nan, -0.01, 0.01, 4.15, np.nan],
            "p_holm": [np.nan, 0.049, 0.051, 0.01, np.nan],
            "undecided": [""] * 5,
        }
    )
    return table


@styled()
def drawn(table):
    figure, ((axis, _),) = comparison.pairs(1, len(table))
    limits = comparison.comparison_limits(table)
    comparison.compare(axis, table, limits)
    figure.draw_without_rendering()
    dots = {
        int(line.get_ydata()[0]): line for line in axis.lines if line.get_marker() in ("o", "<")
    }
    texts = {round(text.get_position()[1]): text.get_text() for text in axis.texts}
    return axis, dots, texts


def test_comparison_says_who_is_worse_and_better_than_the_first():
    axis, dots, texts = drawn(compared())
    assert texts == {0: "0.950", 1: "0.960 ▲", 2: "0.940", 3: "−3.200 ▼ †", 4: "no predictions"}
    assert [label.get_text() for label in axis.get_yticklabels()] == list(compared()["label"])
    assert [label.get_fontweight() for label in axis.get_yticklabels()][:2] == ["bold", "normal"]
    low, high = axis.get_ylim()
    assert low > high  # the first on top


@pytest.mark.usefixtures("styled")
def test_comparison_of_one_training_each_is_undecided():
    table = compared().assign(undecided="each was trained once")
    assert drawn(table)[2][1] == "0.960"
    figure, _ = comparison.pairs(1, 2)
    comparison.comparison_legend(figure, table)
    title = figure.legends[0].get_title().get_text()
    assert "undecided, no ▼▲: each was trained once, and another seed" in title
    assert "better than" not in title
    assert "† a training has not learned or not ended" in title


def test_comparison_draws_each_training():
    axis, _, _ = drawn(compared())
    small = [line.get_xydata()[0] for line in axis.lines if line.get_marker() == "."]
    assert [(round(y), x) for x, y in small] == [
        *((0, 0.94), (0, 0.96), (2, 0.94), (2, 0.94), (3, -3), (3, -3.4))
    ]


def test_comparison_draws_published_predictions_open_and_what_is_far_off_as_an_arrow():
    axis, dots, _ = drawn(compared())
    assert list(dots) == [0, 1, 2, 3]
    faces = {y: dot.get_markerfacecolor() == "white" for y, dot in dots.items()}
    assert faces == {0: False, 1: True, 2: False, 3: False}
    assert [dot.get_marker() for dot in dots.values()] == ["o", "o", "o", "<"]
    assert [dot.get_xdata()[0] for dot in dots.values()] == [0.95, 0.96, 0.94, axis.get_xlim()[0]]
    # An R2 of -3 must not flatten the rest.
    assert axis.get_xlim()[0] == pytest.approx(-0.05, abs=0.1)
    assert dots[0].get_color() != dots[2].get_color() == dots[1].get_color()


def test_a_correlation_that_is_not_defined_is_not_a_model_without_predictions():
    table = compared()
    table.loc[2, ["value", "low", "high", "difference", "p_holm"]] = np.nan
    assert drawn(table)[2][2] == "not defined"


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 2), (2, 1, 4), (5, 3, 4)])
@pytest.mark.usefixtures("styled")
def test_pairs_of_panels_do_not_overlap(count, rows, columns):
    figure, axes = comparison.pairs(count, 3)
    for left, right in axes:
        for axis in (left, right):
            comparison.compare(axis, compared()[:3], (0.9, 1))
            axis.set_xlabel("R²")
    comparison.comparison_legend(figure, compared()[:3])
    assert len(axes) == count
    assert axes[0][0].get_gridspec().get_geometry() == (rows, columns)
    figure.draw_without_rendering()
    boxes = [axis.get_tightbbox() for pair in axes for axis in pair]
    boxes.append(figure.legends[0].get_window_extent())
    for axis in axes[0]:
        numbers = [text.get_window_extent() for text in axis.texts[:3]]
        assert all(above.y0 > below.y1 for above, below in pairwise(numbers))
    for number, box in enumerate(boxes):
        assert figure.bbox.padded(1).containsx(box.x0) and figure.bbox.padded(1).containsx(box.x1)
        assert figure.bbox.padded(1).containsy(box.y0) and figure.bbox.padded(1).containsy(box.y1)
        assert not any(box.padded(-1).overlaps(other) for other in boxes[number + 1 :])
    width = {1: 0.6 * DOUBLE}.get(count, DOUBLE)
    assert figure.get_figwidth() * 25.4 == pytest.approx(width)


@pytest.mark.parametrize(
    ("published", "names"),
    [(True, ["trained here", "published predictions"]), (False, ["trained here"])],
)
@pytest.mark.usefixtures("styled")
def test_the_legend_explains_only_the_dots_in_the_figure(published, names):
    figure, _ = comparison.pairs(1, 2)
    table = compared()[:2].assign(published=[False, published])
    comparison.comparison_legend(figure, table)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == names
    assert "better than CRMnet (P < 0.05" in legend.get_title().get_text()


MODELS = ["crmnet", "cnn", "cnn-published", "danq"]
RISES = {model: [1.0] if model.endswith("published") else [1.0, 1.01, 1.02] for model in MODELS}
SETS = [("complex", "native"), ("complex", "random"), ("defined", "native")]


@pytest.fixture
def compared_files(tmp_path):
    """Metrics of each model, and the comparisons of the first; `danq` has none in defined."""
    found, comparisons = {model: [] for model in MODELS}, []
    for medium, test_set in SETS:
        measured = np.random.default_rng(len(test_set)).normal(10, 3, 50)
        noise = np.random.default_rng(1).normal(0, 1, 50)
        predicted = {
            # Three trainings of each but the published.
            model: measured[:, None] + k * noise[:, None] * np.array(RISES[model])
            for k, model in enumerate(MODELS, start=1)
        }
        if medium == "defined":
            del predicted["danq"]
        key = {"medium": medium, "test_set": test_set}
        for model, one in predicted.items():
            table = module.metrics(measured, one, replicates=20)
            found[model].append(table.assign(model=model, **key))
            if model != "crmnet":
                pair = predicted["crmnet"], one
                table = module.paired_difference(
                    measured, *pair, paired=model != "cnn-published", replicates=200
                )
                comparisons.append(table.assign(model="crmnet", against=model, **key))
    paths = {"metrics": [], "seeds": [], "comparisons": str(tmp_path / "comparisons.tsv")}
    for model, tables in found.items():
        paths["metrics"].append(str(tmp_path / f"{model}.tsv"))
        paths["seeds"].append(str(tmp_path / f"{model}.seeds.tsv"))
        table = pd.concat(tables)
        table.to_csv(paths["metrics"][-1], sep="\t", index=False)
        seeds = ["published"] if model.endswith("published") else [1, 2, 3]
        trainings = [table.assign(seed=seed, problem="") for seed in seeds]
        pd.concat(trainings).to_csv(paths["seeds"][-1], sep="\t", index=False)
    pd.concat(comparisons).to_csv(paths["comparisons"], sep="\t", index=False)
    return paths


def figure_3(run_script, compared_files, panels=SETS):
    params = {
        "model": "crmnet",
        "models": MODELS,
        "labels": {"cnn": "CNN", "cnn-published": "CNN (published)"},
        "panels": [[*panel, " ".join(panel)] for panel in panels],
    }
    return run_script("figure3", input=compared_files, params=params)


def test_figure_3_and_its_numbers(compared_files, run_script):
    table = figure_3(run_script, compared_files)
    assert list(table["panel"].unique()) == ["A", "B", "C"]
    assert list(table.loc[table["panel"] == "A", "model"].unique()) == MODELS
    assert list(table.loc[table["panel"] == "C", "model"].unique()) == MODELS[:3]
    assert set(table["metric"]) == {"pearson_r", "squared_r", "r2"}
    ours = table["model"] == "crmnet"
    tested = ["comparison", "difference", "difference_low", "difference_high", "p_value", "p_holm"]
    assert list(table.loc[table["panel"] == "C", "seed"].unique()) == ["all", "1", "2", "3"]
    trainings, table = table[table["seed"] != "all"], table[table["seed"] == "all"]
    assert trainings.groupby(["panel", "metric", "model"]).size().eq(3).all()
    assert not trainings["model"].str.endswith("-published").any()
    ours = table["model"] == "crmnet"
    assert table.loc[ours, tested].isna().all(axis=None)
    assert table.loc[~ours, tested].notna().all(axis=None)
    assert table["undecided"].isna().all()
    # The difference is of the values beside it, in the order that it says.
    values = table.set_index(["panel", "metric", "model"])["value"]
    for row in table[~ours].itertuples():
        assert row.comparison == f"crmnet - {row.model}"
        expected = values[row.panel, row.metric, "crmnet"] - row.value
        assert row.difference == pytest.approx(expected)
        assert row.difference_low <= row.difference <= row.difference_high
    # Adjusted over the others in a panel, metric by metric: all have the smallest P of 200
    # replicates, 2 / 201, times three others in A, and two in C.
    r = table[table["metric"] == "pearson_r"].groupby("panel")["p_holm"].max()
    assert r["A"] == pytest.approx(3 * 2 / 201) and r["C"] == pytest.approx(2 * 2 / 201)


def test_figure_3_draws_a_model_without_any_predictions(compared_files, run_script):
    params = {"model": "crmnet", "models": [*MODELS, "ghost"], "labels": {}}
    params["panels"] = [[*panel, "a title"] for panel in SETS]
    table = run_script("figure3", input=compared_files, params=params)
    assert set(table["model"]) == set(MODELS)


@pytest.mark.parametrize("change", ["not tested", "other sequences"])
def test_figure_3_refuses_models_that_are_not_compared(compared_files, run_script, change):
    table = pd.read_csv(compared_files["comparisons"], sep="\t")
    if change == "not tested":
        table = table[table["against"] != "danq"]
    else:
        table.loc[table["against"] == "danq", "n"] = 49
    table.to_csv(compared_files["comparisons"], sep="\t", index=False)
    with pytest.raises(ValueError, match="test set native of complex: .* n = .*comparisons.tsv"):
        figure_3(run_script, compared_files)


def test_figure_3_names_a_test_set_that_is_not_there(compared_files, run_script):
    with pytest.raises(ValueError, match="test set other of complex: .* no metrics of crmnet"):
        figure_3(run_script, compared_files, [("complex", "other")])


@pytest.mark.parametrize(("value", "shown"), [(-0.0002, "0.000"), (-0.0006, "−0.001")])
def test_no_number_is_minus_zero(value, shown):
    table = compared()
    table.loc[2, ["value", "low", "high"]] = [value, value - 0.1, value + 0.1]
    assert drawn(table)[2][2] == shown


def numbers(models, panels, value):
    """The rows of a figure, with the value of the last model in all panels."""
    rows = [
        {
            **{"panel": letter, "medium": letter, "test_set": "t", "model": model, "n": 3733},
            **{"metric": metric, "value": value if model == models[-1] else 0.9, "seeds": 1},
            **{"values": [], "problem": "", "difference": 0.1, "p_holm": 0.01, "undecided": ""},
        }
        for letter in panel_letters(panels)
        for model in models
        for metric in ("pearson_r", "r2")
    ]
    table = pd.DataFrame(rows)
    return table.assign(low=table["value"] - 0.01, high=table["value"] + 0.01)


@pytest.mark.parametrize(("value", "explained"), [(-3.2, True), (0.8, False)])
def test_the_legend_explains_the_mark_of_a_value_below_the_axis(value, explained, fits):
    models = ["crmnet", "cnn"]
    figure = comparison.draw(numbers(models, 1, value), models, [("A", "t", "a title")], {})
    fits(figure)
    names = {text.get_text() for text in figure.legends[0].get_texts()}
    assert ("below the axis" in names) == explained
    # The only panel needs no letter.
    assert not any(axis.get_title(loc="left").strip() for axis in figure.axes)


@pytest.mark.parametrize(("panels", "models"), [(1, 3), (2, 9), (5, 9), (12, 9)])
def test_long_names_of_models_and_test_sets_fit(panels, models, fits, long_words):
    names = [f"model {number}" for number in range(models)]
    sets = [(letter, "t", long_words[1]) for letter in panel_letters(panels)]
    labels = {"model 0": "CRMnet, improved recipe of this laboratory, version 2"}
    if panels > 8:
        # They are as small as a page makes them, and have no room for two lines.
        labels = {"model 0": "CRMnet, improved"}
    fits(comparison.draw(numbers(names, panels, -3.2), names, sets, labels))
