"""Figures 2 and S1: densities against known ones, the note of a panel, the numbers."""

import time

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from crmnet.data import predictions
from crmnet.evaluation import metrics as module
from crmnet.report.drawings import letters, squares
from crmnet.report.scatter import density_scatter, draw, local_density, statistics_text
from crmnet.report.style import save


def gaussian(n, correlation=0.9, seed=1):
    covariance = np.array([[1, correlation], [correlation, 1]])
    drawn = np.random.default_rng(seed).multivariate_normal([5, 5], covariance, n)
    return drawn[:, 0], drawn[:, 1], covariance


def test_density_is_that_of_the_kernel_estimate():
    x, y, _ = gaussian(800)
    x = 30 * x  # axes of different units
    exact = scipy.stats.gaussian_kde([x, y])([x, y])
    np.testing.assert_allclose(local_density(x, y), exact, rtol=0.05)


def test_density_of_a_gaussian_is_the_gaussian():
    x, y, covariance = gaussian(50_000)
    density = local_density(x, y)
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
    local_density(x, y)
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
    density = local_density(np.array(x), np.array(y))
    assert len(density) == len(x)
    assert np.isfinite(density).all() and (density > 0).all()
    figure, (axis,) = squares(1)
    density_scatter(axis, x, y)
    save(figure, tmp_path / "scatter.pdf")
    assert axis.get_xlim() == axis.get_ylim()
    assert axis.get_xlim()[0] < axis.get_xlim()[1]


def test_scatter_draws_the_densest_last_in_the_lightest_colour():
    x, y, _ = gaussian(2000)
    figure, (axis,) = squares(1)
    points = density_scatter(axis, x, y, expression="activity (log2)")
    drawn = points.get_array()
    assert (np.diff(drawn) >= 0).all()
    xy = np.asarray(points.get_offsets())
    assert sorted(map(tuple, xy)) == sorted(zip(x, y, strict=True))
    density = local_density(xy[:, 0], xy[:, 1])
    # A colour means the same in all panels.
    np.testing.assert_allclose(drawn, density / density.max(), rtol=1e-6)
    assert points.get_clim() == (0, 1)
    assert points.get_rasterized()
    assert (axis.get_xlabel(), axis.get_ylabel()) == (
        "predicted activity (log2)",
        "measured activity (log2)",
    )


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
        ("< 5e-324", "r = 0.971, P < 1e-300"),
        ("3.1e-301", "r = 0.971, P < 1e-300"),
        ("3.1e-299", "r = 0.971, P = 3.1e-299"),
        ("0.0312", "r = 0.971, P = 0.0312"),
        ("NA", "r = 0.971"),
        (np.nan, "r = 0.971"),
    ],
)
def test_statistics(given, shown):
    lines = statistics_text(metrics(given), by_seed(0.9712)).splitlines()
    assert lines == [f"N = 61,150, {shown}", "r² = 0.943, R² = 0.940"]


def test_statistics_of_several_trainings_say_so_and_which_has_not_learned():
    _, _, *lines = statistics_text(
        metrics(), by_seed(0.9712, 0.9, 0.97, problem="not learned: it predicts the same")
    ).splitlines()
    assert lines == [
        "means of 3 trainings (r 0.900 to 0.971)",
        "NOT LEARNED: seed 3",
    ]


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


def test_figure_2_and_its_numbers(tables, run_script):
    panels = [("rich", "random_2"), ("rich", "native"), ("poor", "native")]
    params = {"panels": [[*panel, "a title"] for panel in panels], "expression": "expression"}
    table = run_script("figure2", input=tables, params=params)
    drawn = table.drop_duplicates("panel")
    assert list(drawn["panel"]) == ["A", "B", "C"] and list(drawn["n"]) == [40, 3000, 50]
    assert list(zip(drawn["medium"], drawn["test_set"], strict=True)) == panels
    first = table[table["panel"] == "A"]
    assert set(first["test_set"]) == {"random_2"} and set(first["n"]) == {40}
    assert list(first["metric"]) == list(module.METRICS)
    p_values = table.set_index(["panel", "metric"])["p_value"]
    assert p_values["B", "pearson_r"] == "< 5e-324"
    assert 0 < float(p_values["A", "pearson_r"]) < 1e-6


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_long_words_fit_and_all_panels_share_one_scale(count, fits, long_words):
    unit, title = long_words
    measured, predicted, _ = gaussian(40)
    values = {"sequence": "A", "measured": measured, "1": predicted}
    points = pd.DataFrame({"test_set": "t", **values})
    panels = [(letter, "t", title) for letter in letters(count)]
    given = {medium: points for medium, *_ in panels}
    numbers = pd.concat(
        metrics().assign(medium=medium, test_set="t", panel=medium) for medium, *_ in panels
    )
    trainings = by_seed(0.9, 0.97, problem="not learned: it predicts the same")
    seeds = pd.concat(trainings.assign(medium=medium, test_set="t") for medium, *_ in panels)
    figure = draw(panels, given, numbers, seeds, unit)
    fits(figure)
    assert len(figure.axes) == count + 1
    assert figure.axes[-1].get_xlabel().startswith("density of sequences (densest place")
    shown = [axis.get_title(loc="left").strip() for axis in figure.axes[:-1]]
    assert shown == ([""] if count == 1 else letters(count))


def test_figure_2_names_a_test_set_that_is_not_there(tables, run_script):
    params = {
        "expression": "expression",
        "panels": [["rich", "all_native", "a title"], ["poor", "native", "a title"]],
    }
    with pytest.raises(ValueError, match="test set all_native of rich: 0 predictions"):
        run_script("figure2", input=tables, params=params)
