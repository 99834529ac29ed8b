"""How well predictions agree with measurements, with bootstrap intervals. Numpy and scipy only."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import chain

import numpy as np
import pandas as pd
import scipy.special

from crmnet.evaluation.statistics import interval, resamples

# Each with its range. `squared_r` is what the published "R2" of this assay is; `r2` is the
# coefficient of determination.
METRICS = {
    "pearson_r": (-1, 1),
    "squared_r": (0, 1),
    "r2": (None, 1),
    "spearman_rho": (-1, 1),
    "rmse": (0, None),
}
# One of them is the 2.5 % quantile itself.
SEED_QUANTILES = 220
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
    measured: np.ndarray,
    predicted: np.ndarray,
    families: np.ndarray | None = None,
    *,
    replicates: int = 1000,
    seed: int = 1,
) -> pd.DataFrame:
    """`METRICS`, with P of Pearson's r, each with a 95 % interval.

    A value is the mean of the metric over trainings. Its interval holds which sequences were
    measured and, of several trainings, which seeds they had: see `_spread`. P is of the t-test over
    n sequences (of the mean r of several trainings), as it is commonly printed beside r. It takes
    sequences for independent and knows nothing of families or seeds; the interval does.

    Args:
        measured: expression (n,).
        predicted: (n,), or (n, S) with a column for each of S trainings of one model.
        families: int (n,), which sequences are relatives; None: each is by itself.

    Returns:
        Columns metric, value, low, high, n, families (how many), seeds (S), p_value. The interval
        is NaN of fewer than two families (`_effective`), and where the metric of any training has
        no value.

    Raises:
        ValueError: fewer than three sequences, not one prediction of each training and one family
            for each sequence, or a value that is not finite.
    """
    measured, families, (predicted,) = _checked(measured, families, predicted)
    n, seeds = predicted.shape
    values_of = _bootstrap(measured, predicted, families, replicates, seed)
    effective = _effective(families)
    table = []
    for name, limits in METRICS.items():
        value, spread = _spread(values_of[name], effective=effective)
        low, high = np.clip(interval(spread), *limits)
        p = p_value(value, n) if name == "pearson_r" else ""
        table.append((name, value, low, high, n, families.max() + 1, seeds, p))
    columns = ["metric", "value", "low", "high", "n", "families", "seeds", "p_value"]
    return pd.DataFrame(table, columns=columns)


def paired_difference(
    measured: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    families: np.ndarray | None = None,
    *,
    paired: bool = False,
    replicates: int = 1000,
    seed: int = 1,
) -> pd.DataFrame:
    """`METRICS` of the first model minus those of the second, each with a 95 % interval.

    Means over the trainings of each. Both are measured on the same sequences: each replicate draws
    families once, for all predictions (Efron and Tibshirani 1993). What the interval holds is said
    in `_spread`: of a model with one training, not its seed. P, two-sided, is that of the widest
    percentile interval that leaves out 0: twice the smaller share of the replicates on either side
    of it, where 0 itself is on both, and the data count as one replicate more on either side, so
    that P is never 0.

    Args:
        measured: expression (n,).
        first, second: (n,), or (n, a) and (n, b) with a column for each training.
        families: see `metrics`.
        paired: column k of both is of one seed, which shares what varies between trainings; a = b.
            Where seeds share nothing, pairing is as right but finds less, as 2 (a - 1) degrees of
            freedom become a - 1.

    Returns:
        Columns metric, difference, low, high, n, families, seeds (a), against_seeds (b), p_value
        (NaN as the interval in `metrics`).

    Raises:
        ValueError: see `metrics`; or paired, and not as many trainings of both.
    """
    measured, families, (first, second) = _checked(measured, families, first, second)
    n, seeds, against_seeds = *first.shape, second.shape[1]
    if paired and seeds != against_seeds:
        raise ValueError(f"{seeds} and {against_seeds} trainings do not pair")
    both = np.hstack([first, second])
    values_of = _bootstrap(measured, both, families, replicates, seed)
    effective = _effective(families)
    table = []
    for name in METRICS:
        mine, other = values_of[name][:seeds], -values_of[name][seeds:]
        models = [mine + other] if paired else [mine, other]
        difference, spread = _spread(*models, effective=effective)
        low, high = interval(spread)
        p = np.nan
        if np.isfinite(difference) and effective >= 2:
            fewer = min(np.sum(spread <= 0), np.sum(spread >= 0)) / SEED_QUANTILES
            p = min(1.0, 2 * (fewer + 1) / (spread.size / SEED_QUANTILES + 1))
        row = (name, difference, low, high, n, families.max() + 1, seeds, against_seeds, p)
        table.append(row)
    columns = ["metric", "difference", "low", "high", "n", "families", "seeds", "against_seeds"]
    return pd.DataFrame(table, columns=[*columns, "p_value"])


def undecided(
    seeds: int, against_seeds: int, *, published: bool = False, against_published: bool = False
) -> str:
    """Why a difference between two models cannot be generalised to new trainings, or "" where it
    can.

    Trained again with another seed, a model gives other predictions, and a single training does not
    say how other. Published predictions are the one predictor that they are.

    Args:
        seeds, against_seeds: trainings of either model.
        published, against_published: its predictions are given, and not of a training here.
    """
    once = [seeds == 1 and not published, against_seeds == 1 and not against_published]
    if not any(once):
        return ""
    return "each was trained once" if all(once) else "one of them was trained once"


def _checked(
    measured: np.ndarray, families: np.ndarray | None, *predicted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Measured (n,), families numbered from 0 without a gap (n,), each of predicted (n, S)."""
    measured = np.asarray(measured, float)
    n = len(measured)
    predicted = [np.asarray(values, float) for values in predicted]
    predicted = [values[:, None] if values.ndim == 1 else values for values in predicted]
    for values in predicted:
        if measured.shape != (n,) or values.ndim != 2 or len(values) != n or not values.size:
            raise ValueError(f"measured {measured.shape} and predicted {values.shape} do not pair")
    if n < 3:
        raise ValueError(f"metrics need three sequences or more, not {n}")
    if not all(np.isfinite(values).all() for values in (measured, *predicted)):
        raise ValueError("a measured or predicted expression is not finite")
    families = np.arange(n) if families is None else np.asarray(families)
    if families.shape != (n,):
        raise ValueError(f"measured {measured.shape} and families {families.shape} do not pair")
    return measured, np.unique(families, return_inverse=True)[1], predicted


def _bootstrap(
    measured: np.ndarray, predicted: np.ndarray, families: np.ndarray, replicates: int, seed: int
) -> dict[str, np.ndarray]:
    """Each metric (S, 1 + replicates) of each column of predicted (n, S): of the data, then of
    bootstrap replicates of the families, the same ones for all columns."""
    n, number = len(measured), families.max() + 1
    draws = resamples(number, replicates, seed, n)
    alone = number == n and (families == np.arange(n)).all()
    sequences = (draw if alone else draw[:, families] for draw in draws)
    ranks = [_Ranks(values) for values in (measured, *predicted.T)]
    parts = [
        _all_metrics(counts, measured, predicted, ranks)
        for counts in chain([np.ones((1, n))], sequences)
    ]
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in METRICS}


def _effective(families: np.ndarray) -> float:
    """How many families of one size would tell as much as these: n^2 / sum of squared sizes (Kish
    1965)."""
    return len(families) ** 2 / float(np.sum(np.bincount(families) ** 2.0))


def _spread(*models: np.ndarray, effective: float) -> tuple[float, np.ndarray]:
    """A statistic, and a sample of its distribution over families and seeds.

    The statistic is the sum over models of the mean over trainings. A training's value varies with
    its seed alone (A), with the families alone (B), and with both together (C):

    - The standard error of the mean of S trainings on these families, s / sqrt(S), holds A and C.
      With so few trainings its law is Student's t with S - 1 degrees of freedom; of two models the
      squares add, with the degrees of freedom of Satterthwaite (1946) and Welch (1947).
    - Replicates of the families, averaged over the trainings, hold B, and C once more, as the share
      in which the trainings differ from each other. It is subtracted: the replicates are shrunk
      towards the value of the data until their variance is that of B alone. Of a single training,
      nothing is subtracted.
    - Replicates of few families vary less than the families do, and their tails are those of a
      normal law. They are stretched away from the value of the data until their 95 % percentile
      interval is as wide as Student's t would have it (Hesterberg 2015, Am. Stat. 69:371, for the
      number of families that `_effective` says).

    What is left of families and of seeds is independent and is added: each replicate with each of
    `SEED_QUANTILES` quantiles of t, as in the fiducial solution of Behrens and Fisher. That is
    careful where both matter: of 3 trainings, 95 % intervals covered the truth in 95 to 98 % of
    simulated data. (Degrees of freedom of Welch for the sum of all gave 92.3 to 95.6 %.)

    Args:
        models: (S, 1 + replicates) each: a statistic of each training of a model, of the data and
            of bootstrap replicates of the families.
        effective: the number of families.

    Returns:
        The statistic, and its sample (replicates * `SEED_QUANTILES`,), without the replicates in
        which it has no value; of fewer than two families, no sample.
    """
    value = sum(model[:, 0].mean() for model in models)
    known = np.all([np.isfinite(model).all(axis=0) for model in models], axis=0)
    if not (known[0] and known[1:].any() and effective >= 2):
        return value, np.empty(0)
    models = [model[:, known] for model in models]
    replicates = sum(model[:, 1:].mean(axis=0) for model in models)
    several = [model for model in models if len(model) > 1]
    number = np.array([len(model) for model in several])
    squares = np.array([model[:, 0].var(ddof=1) for model in several]) / number
    twice = np.array(
        [(model[:, 1:] - model[:, :1]).var(axis=0, ddof=1).mean() for model in several]
    )
    seeds = np.zeros(SEED_QUANTILES)
    if squares.any():
        freedom = squares.sum() ** 2 / np.sum(squares**2 / (number - 1))
        shares = (np.arange(SEED_QUANTILES) + 0.5) / SEED_QUANTILES
        seeds = np.sqrt(squares.sum()) * scipy.special.stdtrit(freedom, shares)
    student = scipy.special.stdtrit(effective - 1, 0.975) / scipy.special.ndtri(0.975)
    scale = student * np.sqrt(effective / (effective - 1))
    if len(several):
        variance = replicates.var()
        scale *= np.sqrt(max(0, 1 - np.sum(twice / number) / variance)) if variance else 1
    return value, np.add.outer(value + scale * (replicates - value), seeds).ravel()


def _all_metrics(
    counts: np.ndarray, measured: np.ndarray, predicted: np.ndarray, ranks: Sequence[_Ranks]
) -> dict[str, np.ndarray]:
    """Each metric (S, b) of S predictions in b replicates.

    Args:
        counts: (b, n), how often each sequence is in each replicate.
        measured, predicted: (n,) and (n, S).
        ranks: of measured, then of each column of predicted.
    """
    moments = [_moments(counts, measured, column) for column in predicted.T]
    values_of = {name: np.array([one[name] for one in moments]) for name in moments[0]}
    values_of["squared_r"] = values_of["pearson_r"] ** 2
    y = ranks[0](counts)
    weighted = counts * y
    square_y = np.einsum("bn,bn->b", weighted, y)
    rho = []
    for column in ranks[1:]:
        x = column(counts)
        square_x = np.einsum("bn,bn,bn->b", counts, x, x)
        with np.errstate(invalid="ignore"):
            rho.append(np.einsum("bn,bn->b", weighted, x) / np.sqrt(square_x * square_y))
    values_of["spearman_rho"] = np.array(rho)
    return {name: values_of[name] for name in METRICS}


def _moments(
    counts: np.ndarray, measured: np.ndarray, predicted: np.ndarray
) -> dict[str, np.ndarray]:
    total = counts.sum(axis=1)

    def mean(values: np.ndarray) -> np.ndarray:
        # By one thread: those of a matrix product cost more here than they do.
        return np.einsum("bn,n->b", counts, values) / total

    y, x = np.asarray(measured, float), np.asarray(predicted, float)
    gap = y - x
    # Around the means, or the differences of large sums lose the digits.
    y, x = y - y.mean(), x - x.mean()
    mean_y, mean_x, square_y, square_x = mean(y), mean(x), mean(y * y), mean(x * x)
    var_y, var_x = square_y - mean_y**2, square_x - mean_x**2
    covariance = mean(x * y) - mean_x * mean_y
    mse = mean(gap * gap)
    # A variance that is no more than the rounding of its difference is that of a constant.
    constant_y, constant_x = var_y <= 1e-14 * square_y, var_x <= 1e-14 * square_x
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.where(constant_y | constant_x, np.nan, covariance / np.sqrt(var_x * var_y))
        r2 = np.where(constant_y, np.nan, 1 - mse / var_y)
    return {"pearson_r": np.clip(r, -1, 1), "r2": r2, "rmse": np.sqrt(mse)}


class _Ranks:
    """Ranks of the same values in many replicates; sorts them once."""

    def __init__(self, values: np.ndarray):
        _, self.group = np.unique(values, return_inverse=True)
        self.order = np.argsort(self.group, kind="stable")
        self.last = np.flatnonzero(np.diff(self.group[self.order], append=-1))

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        """Mid-ranks (b, n), less their mean, within each of b replicates; counts as in
        `_all_metrics`."""
        up_to = counts.take(self.order, axis=1).cumsum(axis=1).take(self.last, axis=1)
        # Half of how many are in ranks up to this one and below it, less half of all.
        twice = up_to - up_to[:, -1:]
        twice[:, 1:] += up_to[:, :-1]
        return (twice / 2).take(self.group, axis=1)
