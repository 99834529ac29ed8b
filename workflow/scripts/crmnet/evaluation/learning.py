"""Tells whether a training has learned anything and has converged. Needs numpy and pandas only."""

from __future__ import annotations

import numpy as np
import pandas as pd

# A model with a lower validation R2 is hardly better than the mean of all measurements.
LOWEST_R2 = 0.1
# A validation R2 that rises by more over the last tenth of the epochs has not converged.
STILL_RISING = 0.01
# The words for a problem.
NOT_LEARNED, NOT_FINISHED, NOT_MEASURABLE = "not learned", "not finished", "not measurable"


def problem(
    history: pd.DataFrame | None, predicted: np.ndarray, measured: np.ndarray | None = None
) -> str:
    """Returns why the numbers of a training say little about its model; empty if they are sound.

    Args:
        history: the history of its last stage, one row per epoch: validation_r2, and the most
            epochs that it may have (`epochs`); None for a model that was not trained here.
        predicted: (n,), the predictions of test sequences.
        measured: (n,), their measurements, if known.
    """
    problems = []
    if history is not None:
        scores = history["validation_r2"].fillna(-np.inf).to_numpy()
        best = scores.max()
        if best < LOWEST_R2:
            problems.append(
                f"{NOT_LEARNED}: its validation R² is {best:.2f} at best, under {LOWEST_R2}"
            )
        last = max(1, len(scores) // 10)
        before = scores[:-last].max(initial=-np.inf)
        if len(scores) >= history["epochs"].iloc[-1] and best - before > STILL_RISING:
            problems.append(f"{NOT_FINISHED}: its validation R² still rose when its epochs ended")
    if _constant(predicted):
        problems.append(f"{NOT_LEARNED}: it predicts the same for every sequence")
    if measured is not None and _constant(measured):
        problems.append(f"{NOT_MEASURABLE}: all measured values of a test set are the same")
    return "; ".join(problems)


def _constant(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= 1e-6 * max(1.0, np.abs(values).max()))
