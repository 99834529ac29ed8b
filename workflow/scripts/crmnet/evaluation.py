"""How well predictions agree with measurements, with bootstrap intervals. Numpy and scipy only."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import scipy.special

# `squared_r` is what the published "R2" of this assay is; `r2` is the coefficient of determination.
METRICS = ("pearson_r", "squared_r", "r2", "spearman_rho", "rmse")
REPLICATES_AT_ONCE = 50
SMALLEST_P = "< 5e-324"


def pearson(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Pearson's correlation coefficient; NaN where either is constant."""
    ones = np.ones((1, len(measured)))
    return float(_moments(ones, measured, predicted)["pearson_r"][0])


def r_squared(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Coefficient of determination, 1 - SS_residual / SS_total; NaN for constant measurements."""
    ones = np.ones((1, len(measured)))
    return float(_moments(ones, measured, predicted)["r2"][0])


def rmse(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Root of the mean squared error, in the units of the measurements."""
    difference = np.asarray(measured, float) - np.asarray(predicted, float)
    return float(np.sqrt(np.mean(difference**2)))


def p_value(r: float, n: int) -> str:
    """Two-tailed P of Pearson's r under no correlation, exact t-test with n - 2 degrees of freedom:
    the regularised incomplete beta function of 1 - r^2, with parameters n / 2 - 1 and 1/2.

    Worked out as a logarithm where doubles lose digits, so that "< 5e-324" stands only where it is
    true.
    """
    if n < 3 or not np.isfinite(r):
        return "NA"
    if abs(r) >= 1:
        return SMALLEST_P
    a, x = n / 2 - 1, (1 - r) * (1 + r)
    p = scipy.special.betainc(a, 0.5, x)
    if p > 1e-300:
        return f"{p:.3g}"
    # The first term of the function's series; the next is less than a thousandth of it out here.
    p = Decimal(a * np.log(x) - np.log(a * abs(r)) - scipy.special.betaln(a, 0.5)).exp()
    return f"{p:.3g}" if p >= Decimal("5e-324") else SMALLEST_P


def metrics(
    measured: np.ndarray, predicted: np.ndarray, *, replicates: int = 1000, seed: int = 1
) -> pd.DataFrame:
    """`METRICS`, with P of Pearson's r, each with a 95 % interval.

    The intervals are percentiles over bootstrap replicates of the sequences (Efron 1979).

    Args:
        measured, predicted: expression (n,).

    Returns:
        Columns metric, value, low, high, n, p_value.

    Raises:
        ValueError: fewer than three sequences, not one prediction for each, or a value that is not
            finite.
    """
    measured, predicted = np.asarray(measured, float), np.asarray(predicted, float)
    n = len(measured)
    if measured.shape != (n,) or predicted.shape != (n,):
        raise ValueError(f"measured {measured.shape} and predicted {predicted.shape} do not pair")
    if n < 3:
        raise ValueError(f"metrics need three sequences or more, not {n}")
    if not (np.isfinite(measured).all() and np.isfinite(predicted).all()):
        raise ValueError("a measured or predicted expression is not finite")
    rows = _all_metrics(np.ones((1, n)), measured, predicted)
    random = np.random.default_rng(seed)
    draws = []
    for start in range(0, replicates, REPLICATES_AT_ONCE):
        size = min(REPLICATES_AT_ONCE, replicates - start)
        picked = random.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(picked.ravel(), minlength=size * n).reshape(size, n)
        draws.append(_all_metrics(counts.astype(float), measured, predicted))
    table = []
    for name, value in rows.items():
        spread = np.concatenate([draw[name] for draw in draws]) if draws else np.full(1, np.nan)
        known = spread[np.isfinite(spread)]
        low, high = np.percentile(known, [2.5, 97.5]) if known.size else (np.nan, np.nan)
        p = p_value(value[0], n) if name == "pearson_r" else ""
        table.append((name, value[0], low, high, n, p))
    return pd.DataFrame(table, columns=["metric", "value", "low", "high", "n", "p_value"])


def _all_metrics(
    counts: np.ndarray, measured: np.ndarray, predicted: np.ndarray
) -> dict[str, np.ndarray]:
    """Each metric (b,) of b replicates; counts (b, n) says how often each sequence is in each."""
    found = _moments(counts, measured, predicted)
    ranks = [_ranks(counts, values) for values in (measured, predicted)]
    found["spearman_rho"] = np.array(
        [
            _moments(row[None], *ranks_of)["pearson_r"][0]
            for row, *ranks_of in zip(counts, *ranks, strict=True)
        ]
    )
    found["squared_r"] = found["pearson_r"] ** 2
    return {name: found[name] for name in METRICS}


def _moments(
    counts: np.ndarray, measured: np.ndarray, predicted: np.ndarray
) -> dict[str, np.ndarray]:
    total = counts.sum(axis=1)
    y, x = np.asarray(measured, float), np.asarray(predicted, float)
    gap = y - x
    # Around the means, or the differences of large sums lose the digits.
    y, x = y - y.mean(), x - x.mean()
    mean_y, mean_x = counts @ y / total, counts @ x / total
    square_y, square_x = counts @ (y * y) / total, counts @ (x * x) / total
    var_y, var_x = square_y - mean_y**2, square_x - mean_x**2
    covariance = counts @ (x * y) / total - mean_x * mean_y
    mse = counts @ (gap * gap) / total
    # A variance that is no more than the rounding of its difference is that of a constant.
    constant_y, constant_x = var_y <= 1e-14 * square_y, var_x <= 1e-14 * square_x
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.where(constant_y | constant_x, np.nan, covariance / np.sqrt(var_x * var_y))
        r2 = np.where(constant_y, np.nan, 1 - mse / var_y)
    return {"pearson_r": np.clip(r, -1, 1), "r2": r2, "rmse": np.sqrt(mse)}


def _ranks(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mid-ranks (b, n) of the values within each of b replicates."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    in_group = np.add.reduceat(counts[:, order], starts, axis=1)
    return (np.cumsum(in_group, axis=1) - (in_group - 1) / 2)[:, group]
