"""The shared style and drawings: densities against known ones, fonts and bytes of the PDFs."""

import re
import runpy
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
import scipy.stats

from crmnet import evaluation, plotting

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


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


def test_density_of_the_papers_61150_points_is_fast():
    x, y, _ = gaussian(61_150, 0.97)
    start = time.perf_counter()
    plotting.local_density(x, y)
    assert time.perf_counter() - start < 1


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
    lines = plotting.statistics_text(metrics(given)).splitlines()
    assert lines == [f"N = 61,150, {shown}", "r² = 0.943, R² = 0.940"]


def a_figure():
    x, y, _ = gaussian(300)
    figure, axes = plotting.squares(2)
    for letter, axis in zip(plotting.letters(2), axes, strict=True):
        plotting.density_scatter(axis, x, y, colour_bar=True)
        plotting.panel(axis, letter, "native promoters", plotting.statistics_text(metrics()))
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
        "import sys, crmnet.plotting; "
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


def test_training_curves_mark_the_best_epoch():
    histories = {
        "crmnet/pretrained": history([-40.0, 0.5, 0.8, 0.7]),
        "crmnet/complex": history([np.nan, 0.9, 0.85]),
        "one epoch": history([0.2]),
    }
    figure = plotting.figure(plotting.DOUBLE, 65)
    loss, validation = figure.subplots(1, 2)
    plotting.training_curves(loss, validation, histories)
    for axis in (loss, validation):
        assert [line.get_label() for line in axis.lines] == list(histories)
        assert [line.get_markevery() for line in axis.lines] == [[2], [1], [0]]
    # An R2 of -40 in the first epoch must not flatten the rest.
    assert validation.get_ylim()[0] == pytest.approx(-0.05)
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
    """Paths of predictions and metrics of two test sets."""
    sets = []
    for name, n, seed in (("native", 3000, 1), ("random_2", 40, 2)):
        measured, predicted, _ = gaussian(n, 0.97, seed)
        sets.append(
            pd.DataFrame(
                {"test_set": name, "sequence": "A", "measured": measured, "predicted": predicted}
            )
        )
    found = pd.concat(
        evaluation.metrics(one["measured"], one["predicted"], replicates=5).assign(
            model="crmnet", medium="complex", test_set=one["test_set"].iloc[0]
        )
        for one in sets
    )
    paths = {"predictions": tmp_path / "predictions.tsv", "metrics": tmp_path / "metrics.tsv"}
    for path, table in zip(paths.values(), (pd.concat(sets), found), strict=True):
        table.to_csv(path, sep="\t", index=False)
    return paths


def test_figure_2_and_its_numbers(tables, tmp_path):
    params = {"panels": ["random_2", "native"], "title": "complex medium"}
    table = run_script("figure2", tmp_path, input=tables, params=params)
    assert list(table["panel"].unique()) == ["A", "B"]
    first = table[table["panel"] == "A"]
    assert set(first["test_set"]) == {"random_2"} and set(first["n"]) == {40}
    assert list(first["metric"]) == list(evaluation.METRICS)
    p_values = table.set_index(["panel", "metric"])["p_value"]
    assert p_values["B", "pearson_r"] == "< 5e-324"
    assert 0 < float(p_values["A", "pearson_r"]) < 1e-6


def test_figure_2_names_a_test_set_that_is_not_there(tables, tmp_path):
    params = {"panels": ["all_native"], "title": "complex medium"}
    with pytest.raises(ValueError, match="all_native"):
        run_script("figure2", tmp_path, input=tables, params=params)


def test_training_curves_and_their_numbers(tmp_path):
    names = ["crmnet/pretrained", "crmnet/complex"]
    paths = [tmp_path / "1.tsv", tmp_path / "2.tsv"]
    for path, scores in zip(paths, ([0.1, 0.5], [0.2, 0.6, 0.5]), strict=True):
        history(scores).to_csv(path, sep="\t", index=False)
    table = run_script(
        "training_curves", tmp_path, input={"histories": paths}, params={"names": names}
    )
    assert list(table["training"]) == [names[0]] * 2 + [names[1]] * 3
    assert list(table["epoch"]) == [1, 2, 1, 2, 3]
    assert list(table["validation_r2"]) == [0.1, 0.5, 0.2, 0.6, 0.5]
