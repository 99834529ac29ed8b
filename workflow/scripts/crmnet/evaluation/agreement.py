"""How well predictions agree with measurements. Needs only numpy.

Trainings use these functions, so they stand apart from the intervals and comparisons of `metrics`:
an edit of those trains no model again.
"""

from __future__ import annotations

import numpy as np


def pearson(
    measured: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Returns Pearson's correlation coefficient, with weights (n,) if given; NaN if one of the
    arrays is constant."""
    return float(moments(_counts(measured, weights), measured, predicted)["pearson_r"][0])


def r_squared(
    measured: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Returns the coefficient of determination, 1 - SS_residual / SS_total, with weights (n,) if
    given; NaN for constant measurements."""
    return float(moments(_counts(measured, weights), measured, predicted)["r2"][0])


def rmse(measured: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Returns the root of the mean squared error, in the units of the measurements, with weights
    (n,) if given."""
    difference = np.asarray(measured, float) - np.asarray(predicted, float)
    return float(np.sqrt(np.average(difference**2, weights=weights)))


def _counts(measured: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return np.ones((1, len(measured))) if weights is None else np.asarray(weights, float)[None]


def moments(
    counts: np.ndarray, measured: np.ndarray, predicted: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns Pearson's r, R² and RMSE, each (b,), of b weightings of n sequences.

    Args:
        counts: (b, n), how often each sequence counts, as in a bootstrap replicate.
    """
    total = counts.sum(axis=1)

    def mean(values: np.ndarray) -> np.ndarray:
        # einsum uses one thread. The threads of a matrix product would cost more than they save.
        return np.einsum("bn,n->b", counts, values) / total

    y, x = np.asarray(measured, float), np.asarray(predicted, float)
    gap = y - x
    # Subtract the means first, because differences of large sums lose digits.
    y, x = y - y.mean(), x - x.mean()
    mean_y, mean_x, square_y, square_x = mean(y), mean(x), mean(y * y), mean(x * x)
    var_y, var_x = square_y - mean_y**2, square_x - mean_x**2
    covariance = mean(x * y) - mean_x * mean_y
    mse = mean(gap * gap)
    # A variance no larger than its rounding error means that the values are constant.
    constant_y, constant_x = var_y <= 1e-14 * square_y, var_x <= 1e-14 * square_x
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.where(constant_y | constant_x, np.nan, covariance / np.sqrt(var_x * var_y))
        r2 = np.where(constant_y, np.nan, 1 - mse / var_y)
    return {"pearson_r": np.clip(r, -1, 1), "r2": r2, "rmse": np.sqrt(mse)}
