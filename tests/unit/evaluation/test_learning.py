"""A training that has not learned or not converged is reported."""

import numpy as np
import pandas as pd
import pytest

from crmnet.evaluation.learning import problem

VARIED = np.arange(10.0)


def history(scores, epochs=None):
    return pd.DataFrame(
        {
            "epoch": np.arange(1, len(scores) + 1),
            "epochs": epochs or len(scores),
            "validation_r2": scores,
        }
    )


@pytest.mark.parametrize(
    ("scores", "epochs", "said"),
    [
        ([0.1, 0.6, 0.7, 0.705], 4, ""),
        # It rose at its last epoch, but it could have had more: patience ended it.
        ([0.1, 0.3, 0.5, 0.7], 20, ""),
        ([0.1, 0.3, 0.5, 0.7], 4, "still rose when its epochs ended"),
        ([0.02, 0.05, 0.05, 0.05], 4, "R² is 0.05 at best, under 0.1"),
        ([-30, -2, np.nan], 3, "R² is -2.00 at best, under 0.1"),
        # Twenty epochs: the last two decide.
        ([0.5] * 18 + [0.505, 0.509], 20, ""),
        ([0.5] * 18 + [0.51, 0.52], 20, "still rose"),
        # The best is behind it, and its last epochs only climb back.
        ([0.8] + [0.3] * 18 + [0.7], 20, ""),
    ],
)
def test_what_the_validation_says(scores, epochs, said):
    found = problem(history(scores, epochs), VARIED)
    assert said in found and bool(found) == bool(said)


def test_one_epoch_cannot_have_ended():
    assert "still rose" in problem(history([0.6]), VARIED)


@pytest.mark.parametrize("value", [0.0, 11.3])
def test_the_same_prediction_for_all_is_found_in_any_model(value):
    said = "not learned: it predicts the same for every sequence"
    assert problem(None, np.full(5, value)) == said
    assert problem(history([0.7, 0.7]), np.full(5, value) + 1e-8 * np.arange(5)) == said
    assert problem(None, VARIED) == ""


@pytest.mark.parametrize("value", [0.0, 11.3])
def test_measurements_that_are_all_the_same_cannot_be_correlated_with(value):
    said = "not measurable: all measured values of a test set are the same"
    assert problem(None, VARIED, np.full(10, value)) == said
    assert problem(None, VARIED, VARIED) == ""


def test_all_that_is_wrong_is_said():
    found = problem(history([0.0, 0.05]), np.zeros(3))
    assert found.count("not learned: ") == 2 and found.count("not finished: ") == 1
