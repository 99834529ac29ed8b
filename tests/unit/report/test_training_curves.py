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
    figure = training_curves.draw(models)
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


def test_training_curves_and_their_numbers(tmp_path, run_script):
    names = ["crmnet/1/pretrained", "crmnet/1/complex"]
    paths = [tmp_path / "1.tsv", tmp_path / "2.tsv"]
    for path, scores in zip(paths, ([0.1, 0.5], [0.2, 0.6, 0.5]), strict=True):
        history(scores).to_csv(path, sep="\t", index=False)
    table = run_script(
        "training_curves",
        input={"histories": paths},
        params={"names": names, "labels": {"crmnet": "CRMnet"}},
    )
    assert list(table["training"]) == [names[0]] * 2 + [names[1]] * 3
    assert list(table["epoch"]) == [1, 2, 1, 2, 3]
    assert list(table["validation_r2"]) == [0.1, 0.5, 0.2, 0.6, 0.5]
