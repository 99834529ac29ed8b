"""Training curves: best epochs, stages, limits, and the numbers of the figure."""

import numpy as np
import pandas as pd
import pytest

from crmnet.report import training_curves


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
    figure = training_curves.draw(models, {"defined": "defined medium"})
    figure.draw_without_rendering()
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert len(figure.axes) == 2 * len(models) and sorted(titles) == sorted(models)
    loss = next(axis for axis in figure.axes if axis.get_title() == "crmnet")
    validation = next(axis for axis in figure.axes if axis.get_ylabel() == "validation R²")
    for axis in (loss, validation):
        # Two trainings of one stage, in its colour.
        lines = [line for line in axis.lines if line.get_marker() == "o"]
        labels = ["pretrained", "complex", "complex", "defined medium"]
        assert [line.get_label() for line in lines] == labels
        assert [line.get_markevery() for line in lines] == [[2], [1], [0], [0]]
        assert lines[1].get_color() == lines[2].get_color()
    # An R2 of -40 in the first epoch must not flatten the rest, but its line must not vanish.
    (edge,) = (line for line in validation.lines if line.get_marker() == "v")
    assert edge.get_xydata().tolist() == [[1, -0.05]]
    assert validation.lines[0].get_ydata().min() == -0.05 == validation.get_ylim()[0]
    scores = [axis for axis in figure.axes if not axis.get_title()]
    assert {axis.get_ylim() for axis in scores} == {validation.get_ylim()}
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    labels = ["pretrained", "complex", "defined medium", "best epoch", "R² below −0.05"]
    assert names == labels


def test_no_mark_is_explained_that_is_not_there():
    figure = training_curves.draw({"crmnet": {"complex": [history([0.1, 0.5])]}})
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["complex", "best epoch"]


@pytest.mark.parametrize(("models", "rows", "columns"), [(1, 1, 1), (6, 2, 3), (11, 3, 4)])
def test_models_fill_the_rows(models, rows, columns):
    each = {"complex": [history([0.1, 0.5])]}
    figure = training_curves.draw({str(number): each for number in range(models)})
    geometry = figure.axes[0].get_gridspec().get_geometry()
    assert geometry == (2 * rows, columns)


@pytest.mark.parametrize("count", [1, 2, 6, 11, 20])
def test_long_names_of_models_and_media_fit(count, fits):
    media = {
        f"medium_{number}": f"primary human hepatocytes, donor {number}" for number in range(5)
    }
    stages = {stage: [history([-2.0, 0.1, 0.5])] * 3 for stage in ("pretrained", *media)}
    label = "CRMnet, improved recipe of this laboratory, version"
    fits(training_curves.draw({f"{label} {n}": stages for n in range(count)}, media))


def test_training_curves_and_their_numbers(tmp_path, run_script):
    names = ["crmnet/1/pretrained", "crmnet/1/complex"]
    paths = [tmp_path / "1.tsv", tmp_path / "2.tsv"]
    for path, scores in zip(paths, ([0.1, 0.5], [0.2, 0.6, 0.5]), strict=True):
        history(scores).to_csv(path, sep="\t", index=False)
    table = run_script(
        "training_curves",
        input={"histories": paths},
        params={"names": names, "labels": {"crmnet": "CRMnet"}, "stages": {"complex": "rich"}},
    )
    assert list(table["training"]) == [names[0]] * 2 + [names[1]] * 3
    assert list(table["epoch"]) == [1, 2, 1, 2, 3]
    assert list(table["validation_r2"]) == [0.1, 0.5, 0.2, 0.6, 0.5]
