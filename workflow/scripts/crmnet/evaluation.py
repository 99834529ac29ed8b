"""How well predictions agree with measurements, with bootstrap intervals. Numpy and scipy only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    measured, predicted = _paired(measured, predicted)
    n = len(measured)
    rows = _all_metrics(np.ones((1, n)), measured, predicted)
    draws = [
        _all_metrics(counts, measured, predicted) for counts in _replicates(n, replicates, seed)
    ]
    table = []
    for name, value in rows.items():
        low, high = interval(_known(draws, name))
        p = p_value(value[0], n) if name == "pearson_r" else ""
        table.append((name, value[0], low, high, n, p))
    return pd.DataFrame(table, columns=["metric", "value", "low", "high", "n", "p_value"])


def paired_difference(
    measured: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    replicates: int = 1000,
    seed: int = 1,
) -> pd.DataFrame:
    """`METRICS` of the first predictions minus those of the second, each with a 95 % interval.

    A paired bootstrap: each replicate draws the sequences once, with both of their predictions
    (Efron and Tibshirani 1993). P, two-sided, is that of the widest percentile interval that
    leaves out 0: twice the smaller share of the replicates on either side of it, where 0 itself is
    on both, and the data count as one replicate more on either side, so that P is never 0.

    Args:
        measured, first, second: expression (n,).

    Returns:
        Columns metric, difference, low, high, n, p_value (NaN where the metric has no value).

    Raises:
        ValueError: see `metrics`.
    """
    measured, first, second = _paired(measured, first, second)
    n = len(measured)
    value = _differences(np.ones((1, n)), measured, first, second)
    draws = [
        _differences(counts, measured, first, second) for counts in _replicates(n, replicates, seed)
    ]
    table = []
    for name in METRICS:
        difference, spread = value[name][0], _known(draws, name)
        low, high = interval(spread)
        p = np.nan
        if np.isfinite(difference):
            fewer = min(np.sum(spread <= 0), np.sum(spread >= 0))
            p = min(1.0, 2 * (fewer + 1) / (len(spread) + 1))
        table.append((name, difference, low, high, n, p))
    return pd.DataFrame(table, columns=["metric", "difference", "low", "high", "n", "p_value"])


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values (n,) adjusted for their number, step down (Holm 1979); NaN, not counted, stays."""
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)  # NaN last
    left = np.isfinite(p_values).sum() - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(left * p_values[order]))
    return adjusted


def _paired(measured: np.ndarray, *predicted: np.ndarray) -> list[np.ndarray]:
    """All as arrays (n,), checked."""
    arrays = [np.asarray(values, float) for values in (measured, *predicted)]
    n = len(arrays[0])
    for values in arrays:
        if values.shape != (n,):
            raise ValueError(f"measured {arrays[0].shape} and predicted {values.shape} do not pair")
    if n < 3:
        raise ValueError(f"metrics need three sequences or more, not {n}")
    if not np.isfinite(arrays).all():
        raise ValueError("a measured or predicted expression is not finite")
    return arrays


def _replicates(n: int, replicates: int, seed: int) -> Iterator[np.ndarray]:
    """Counts (b, n), some replicates at a time: how often each sequence is in each of them."""
    random = np.random.default_rng(seed)
    for start in range(0, replicates, REPLICATES_AT_ONCE):
        size = min(REPLICATES_AT_ONCE, replicates - start)
        picked = random.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(picked.ravel(), minlength=size * n).reshape(size, n).astype(float)


def _known(draws: list[dict[str, np.ndarray]], name: str) -> np.ndarray:
    """A metric in all replicates where it has a value."""
    spread = np.concatenate([draw[name] for draw in draws]) if draws else np.empty(0)
    return spread[np.isfinite(spread)]


def interval(spread: Sequence[float]) -> tuple[float, float]:
    """95 % percentile interval of bootstrap replicates (b,); NaN where there is none."""
    return tuple(np.percentile(spread, [2.5, 97.5])) if len(spread) else (np.nan, np.nan)


def _differences(
    counts: np.ndarray, measured: np.ndarray, first: np.ndarray, second: np.ndarray
) -> dict[str, np.ndarray]:
    """Each metric of the first predictions minus that of the second (b,), see `_all_metrics`."""
    found, other = (_all_metrics(counts, measured, one) for one in (first, second))
    return {name: found[name] - other[name] for name in METRICS}


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
