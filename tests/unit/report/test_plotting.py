"""The shared style and drawings: densities against known ones, fonts and bytes of the PDFs."""

import re
import runpy
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
import scipy.stats

from crmnet.data import predictions
from crmnet.evaluation import metrics as module
from crmnet.report import plotting

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"


def gaussian(n, correlation=0.9, seed=1):
    covariance = np.array([[1, correlation], [correlation, 1]])
    drawn = np.random.default_rng(seed).multivariate_normal([5, 5], covariance, n)
    return drawn[:, 0], drawn[:, 1], covariance


def test_density_is_that_of_the_kernel_estimate():
    x, y, _ = gaussian(800)
    x = 30 * x  # axes of different units
    exact = scipy.stats.gaussian_kde([x, y])([x, y])
    np.testing.assert_allclose(plotting.local_density(x, y), exact, rtol=0.05)


def test_density_of_a_gaussian_is_the_gaussian():
    x, y, covariance = gaussian(50_000)
    density = plotting.local_density(x, y)
    # A kernel estimate is the truth widened by the kernel.
    widened = covariance * (1 + len(x) ** (-1 / 3))
    truth = scipy.stats.multivariate_normal([5, 5], widened).pdf(np.stack([x, y], axis=1))
    dense = truth > 0.2 * truth.max()
    np.testing.assert_allclose(density[dense], truth[dense], rtol=0.15)
    mode = density.argmax()
    assert np.hypot(x[mode] - 5, y[mode] - 5) < 0.5


def test_density_of_the_papers_61150_points_is_faster_than_the_exact_one_of_6115():
    x, y, _ = gaussian(61_150, 0.97)
    start = time.process_time()
    plotting.local_density(x, y)
    ours = time.process_time() - start
    scipy.stats.gaussian_kde([x[::10], y[::10]])([x[::10], y[::10]])
    assert ours < time.process_time() - start - ours


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([], []),
        ([1.0], [2.0]),
        ([1.0, 2.0, 4.0], [3.0, 1.0, 2.0]),
        ([2.0] * 50, [3.0] * 50),
        (list(range(50)), [3.0] * 50),
        ([7.0] * 50, list(range(50))),
        (list(range(50)), list(range(50))),
        ([*[1.0] * 50, 1e6], [*[1.0] * 50, -1e6]),
    ],
    ids=["none", "one", "three", "same", "constant y", "constant x", "line", "outlier"],
)
def test_scatter_of_odd_points(x, y, tmp_path):
    density = plotting.local_density(np.array(x), np.array(y))
    assert len(density) == len(x)
    assert np.isfinite(density).all() and (density > 0).all()
    figure, (axis,) = plotting.squares(1)
    plotting.density_scatter(axis, x, y, colour_bar=True)
    plotting.save(figure, tmp_path / "scatter.pdf")
    assert axis.get_xlim() == axis.get_ylim()
    assert axis.get_xlim()[0] < axis.get_xlim()[1]


def test_scatter_draws_the_densest_last_in_the_lightest_colour():
    x, y, _ = gaussian(2000)
    figure, (axis,) = plotting.squares(1)
    points = plotting.density_scatter(axis, x, y)
    drawn = points.get_array()
    assert (np.diff(drawn) >= 0).all()
    xy = np.asarray(points.get_offsets())
    assert sorted(map(tuple, xy)) == sorted(zip(x, y, strict=True))
    np.testing.assert_allclose(drawn, plotting.local_density(xy[:, 0], xy[:, 1]), rtol=1e-6)
    assert points.get_rasterized()
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted expression", "measured expression")


def metrics(p_value="< 5e-324"):
    return pd.DataFrame(
        {
            "metric": ["pearson_r", "squared_r", "r2", "spearman_rho", "rmse"],
            "value": [0.9712, 0.9432, 0.9401, 0.96, 1.1],
            "n": 61_150,
            "p_value": [p_value, "", "", "", ""],
        }
    )


def by_seed(*values, problem=""):
    """Pearson's r and R2 of trainings, and why the last of them has not learned."""
    rows = [
        {"seed": seed, "metric": metric, "value": value, "problem": ""}
        for seed, value in enumerate(values, start=1)
        for metric in ("pearson_r", "r2")
    ]
    table = pd.DataFrame(rows)
    table.loc[table["seed"] == len(values), "problem"] = problem
    return table


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("< 5e-324", "r = 0.971, P < 5e-324"),
        ("0.0312", "r = 0.971, P = 0.0312"),
        ("NA", "r = 0.971"),
        (np.nan, "r = 0.971"),
    ],
)
def test_statistics(given, shown):
    lines = plotting.statistics_text(metrics(given), by_seed(0.9712)).splitlines()
    assert lines == [f"N = 61,150, {shown}", "r² = 0.943, R² = 0.940"]


def test_statistics_of_several_trainings_say_so_and_which_has_not_learned():
    _, _, *lines = plotting.statistics_text(
        metrics(), by_seed(0.9712, 0.9, 0.97, problem="not learned: it predicts the same")
    ).splitlines()
    assert lines == [
        "means of 3 trainings (r 0.900 to 0.971)",
        "NOT LEARNED: seed 3",
    ]


def a_figure():
    x, y, _ = gaussian(300)
    figure, axes = plotting.squares(2)
    for letter, axis in zip(plotting.letters(2), axes, strict=True):
        plotting.density_scatter(axis, x, y, colour_bar=True)
        plotting.panel(
            axis, letter, "native promoters", plotting.statistics_text(metrics(), by_seed(0.9))
        )
    return figure


def test_pdf_has_truetype_fonts_the_journals_width_and_the_same_bytes(tmp_path):
    first, second = tmp_path / "1.pdf", tmp_path / "2.pdf"
    plotting.save(a_figure(), first)
    plotting.save(a_figure(), second)
    content = first.read_bytes()
    assert content == second.read_bytes()
    assert b"/CreationDate" not in content
    assert b"/Type3" not in content
    assert re.search(rb"/Subtype /(Type0|TrueType)", content)
    assert b"/FontFile2" in content
    width = float(re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", content)[1])
    assert width / 72 * 25.4 == pytest.approx(180, abs=0.1)


def test_colours_are_told_apart():
    colours = {matplotlib.colors.to_rgb(colour) for colour in plotting.COLOURS}
    assert len(colours) == len(plotting.COLOURS) >= 7


def test_import_loads_no_framework():
    code = (
        "import sys, crmnet.report.plotting; "
        "print({'keras', 'tensorflow', 'jax', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SCRIPTS)},
    )
    assert run.stdout.strip() == "set()"


def history(scores):
    return pd.DataFrame(
        {
            "epoch": range(1, len(scores) + 1),
            "loss": np.linspace(2, 1, len(scores)),
            "validation_r2": scores,
        }
    )


@pytest.mark.parametrize("others", [0, 1, 6])
def test_training_curves_mark_the_best_epoch(others):
    histories = {
        "pretrained": [history([-40.0, 0.5, 0.8, 0.7])],
        "complex": [history([np.nan, 0.9, 0.85]), history([0.5])],
        "defined": [history([0.2])],
    }
    models = {"crmnet": histories} | {
        str(n): {"complex": [history([0.1, 0.2])]} for n in range(others)
    }
    figure = plotting.training_curves(models)
    figure.draw_without_rendering()
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert len(figure.axes) == 2 * len(models) and sorted(titles) == sorted(models)
    loss = next(axis for axis in figure.axes if axis.get_title() == "crmnet")
    validation = next(axis for axis in figure.axes if axis.get_ylabel() == "validation R²")
    for axis in (loss, validation):
        # Two trainings of one stage, in its colour.
        labels = ["pretrained", "complex", "complex", "defined"]
        assert [line.get_label() for line in axis.lines] == labels
        assert [line.get_markevery() for line in axis.lines] == [[2], [1], [0], [0]]
        assert axis.lines[1].get_color() == axis.lines[2].get_color()
    # An R2 of -40 in the first epoch must not flatten the rest.
    assert validation.get_ylim() == pytest.approx((-0.05, 1))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(histories)


def run_script(name, tmp_path, **job):
    """Runs a script as Snakemake would; returns the table that it wrote."""
    job = {key: SimpleNamespace(**values) for key, values in job.items()}
    job["output"] = SimpleNamespace(pdf=tmp_path / f"{name}.pdf", tsv=tmp_path / f"{name}.tsv")
    job["log"] = [str(tmp_path / f"{name}.log")]
    stderr = sys.stderr
    try:
        runpy.run_path(
            str(SCRIPTS / f"{name}.py"), init_globals={"snakemake": SimpleNamespace(**job)}
        )
    finally:
        if sys.stderr is not stderr:
            sys.stderr.close()
        sys.stderr = stderr
    assert job["output"].pdf.read_bytes().startswith(b"%PDF")
    return pd.read_csv(job["output"].tsv, sep="\t", dtype={"p_value": str})


@pytest.fixture
def tables(tmp_path):
    """Paths of predictions and metrics, a file a medium."""
    paths = {"predictions": [], "metrics": [], "seeds": []}
    for medium, sizes in (("rich", {"native": 3000, "random_2": 40}), ("poor", {"native": 50})):
        sets, found = [], []
        for seed, (name, n) in enumerate(sizes.items(), start=1):
            measured, predicted, _ = gaussian(n, 0.97, seed)
            values = {"measured": measured, "1": predicted}
            sets.append(pd.DataFrame({"test_set": name, "sequence": "A", **values}))
            numbers = module.metrics(measured, predicted, replicates=5)
            found.append(numbers.assign(model="crmnet", medium=medium, test_set=name))
        for kind in paths:
            paths[kind].append(str(tmp_path / f"{kind}_{medium}.tsv"))
        predictions.write(paths["predictions"][-1], sets)
        table = pd.concat(found)
        table.to_csv(paths["metrics"][-1], sep="\t", index=False)
        table.assign(seed=1, problem="").to_csv(paths["seeds"][-1], sep="\t", index=False)
    return paths


def test_figure_2_and_its_numbers(tables, tmp_path):
    panels = [("rich", "random_2"), ("rich", "native"), ("poor", "native")]
    params = {"panels": [[*panel, "a title"] for panel in panels]}
    table = run_script("figure2", tmp_path, input=tables, params=params)
    drawn = table.drop_duplicates("panel")
    assert list(drawn["panel"]) == ["A", "B", "C"] and list(drawn["n"]) == [40, 3000, 50]
    assert list(zip(drawn["medium"], drawn["test_set"], strict=True)) == panels
    first = table[table["panel"] == "A"]
    assert set(first["test_set"]) == {"random_2"} and set(first["n"]) == {40}
    assert list(first["metric"]) == list(module.METRICS)
    p_values = table.set_index(["panel", "metric"])["p_value"]
    assert p_values["B", "pearson_r"] == "< 5e-324"
    assert 0 < float(p_values["A", "pearson_r"]) < 1e-6


def test_figure_2_names_a_test_set_that_is_not_there(tables, tmp_path):
    params = {"panels": [["rich", "all_native", "a title"], ["poor", "native", "a title"]]}
    with pytest.raises(ValueError, match="test set all_native of rich: 0 predictions"):
        run_script("figure2", tmp_path, input=tables, params=params)


def test_training_curves_and_their_numbers(tmp_path):
    names = ["crmnet/1/pretrained", "crmnet/1/complex"]
    paths = [tmp_path / "1.tsv", tmp_path / "2.tsv"]
    for path, scores in zip(paths, ([0.1, 0.5], [0.2, 0.6, 0.5]), strict=True):
        history(scores).to_csv(path, sep="\t", index=False)
    table = run_script(
        "training_curves",
        tmp_path,
        input={"histories": paths},
        params={"names": names, "labels": {"crmnet": "CRMnet"}},
    )
    assert list(table["training"]) == [names[0]] * 2 + [names[1]] * 3
    assert list(table["epoch"]) == [1, 2, 1, 2, 3]
    assert list(table["validation_r2"]) == [0.1, 0.5, 0.2, 0.6, 0.5]


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


def drawn(table):
    figure, ((axis, _),) = plotting.pairs(1, len(table))
    limits = plotting.comparison_limits(table)
    plotting.comparison(axis, table, limits)
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


def test_comparison_of_one_training_each_is_undecided():
    table = compared().assign(undecided="each was trained once")
    assert drawn(table)[2][1] == "0.960"
    figure, _ = plotting.pairs(1, 2)
    plotting.comparison_legend(figure, table)
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
def test_pairs_of_panels_do_not_overlap(count, rows, columns):
    figure, axes = plotting.pairs(count, 3)
    for left, right in axes:
        for axis in (left, right):
            plotting.comparison(axis, compared()[:3], (0.9, 1))
            axis.set_xlabel("R²")
    plotting.comparison_legend(figure, compared()[:3])
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
    width = {1: 0.6 * plotting.DOUBLE}.get(count, plotting.DOUBLE)
    assert figure.get_figwidth() * 25.4 == pytest.approx(width)


@pytest.mark.parametrize(
    ("published", "names"),
    [(True, ["trained here", "published predictions"]), (False, ["trained here"])],
)
def test_legend_shows_the_dots_that_there_are(published, names):
    figure, _ = plotting.pairs(1, 2)
    table = compared()[:2].assign(published=[False, published])
    plotting.comparison_legend(figure, table)
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


def figure_3(compared_files, tmp_path, panels=SETS):
    params = {
        "model": "crmnet",
        "models": MODELS,
        "labels": {"cnn": "CNN", "cnn-published": "CNN (published)"},
        "panels": [[*panel, " ".join(panel)] for panel in panels],
    }
    return run_script("figure3", tmp_path, input=compared_files, params=params)


def test_figure_3_and_its_numbers(compared_files, tmp_path):
    table = figure_3(compared_files, tmp_path)
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


def test_figure_3_draws_a_model_without_any_predictions(compared_files, tmp_path):
    params = {"model": "crmnet", "models": [*MODELS, "ghost"], "labels": {}}
    params["panels"] = [[*panel, "a title"] for panel in SETS]
    table = run_script("figure3", tmp_path, input=compared_files, params=params)
    assert set(table["model"]) == set(MODELS)


@pytest.mark.parametrize("change", ["not tested", "other sequences"])
def test_figure_3_refuses_models_that_are_not_compared(compared_files, tmp_path, change):
    table = pd.read_csv(compared_files["comparisons"], sep="\t")
    if change == "not tested":
        table = table[table["against"] != "danq"]
    else:
        table.loc[table["against"] == "danq", "n"] = 49
    table.to_csv(compared_files["comparisons"], sep="\t", index=False)
    with pytest.raises(ValueError, match="test set native of complex: .* n = .*comparisons.tsv"):
        figure_3(compared_files, tmp_path)


def test_figure_3_names_a_test_set_that_is_not_there(compared_files, tmp_path):
    with pytest.raises(ValueError, match="test set other of complex: .* no metrics of crmnet"):
        figure_3(compared_files, tmp_path, [("complex", "other")])
