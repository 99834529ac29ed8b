"""How well predictions agree with measurements. Needs only numpy.

Trainings use these functions, so they stand apart from the intervals and comparisons of `metrics`:
an edit of those trains no model again.
"""

from __future__ import annotations

import numpy as np


def pearson(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Returns Pearson's correlation coefficient; NaN if one of the arrays is constant."""
    ones = np.ones((1, len(measured)))
    return float(moments(ones, measured, predicted)["pearson_r"][0])


def r_squared(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Returns the coefficient of determination, 1 - SS_residual / SS_total; NaN for constant
    measurements."""
    ones = np.ones((1, len(measured)))
    return float(moments(ones, measured, predicted)["r2"][0])


def rmse(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Returns the root of the mean squared error, in the units of the measurements."""
    difference = np.asarray(measured, float) - np.asarray(predicted, float)
    return float(np.sqrt(np.mean(difference**2)))


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
