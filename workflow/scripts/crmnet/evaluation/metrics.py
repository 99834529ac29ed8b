"""Metrics of the agreement between predictions and measurements, with bootstrap intervals. Needs
only numpy, pandas and scipy."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import chain

import numpy as np
import pandas as pd
import scipy.special

from crmnet.evaluation.agreement import moments
from crmnet.evaluation.statistics import interval, resamples

# Each metric with its range. `squared_r` is the number that papers on this assay print as "R2";
# `r2` is the coefficient of determination.
METRICS = {
    "pearson_r": (-1, 1),
    "squared_r": (0, 1),
    "r2": (None, 1),
    "spearman_rho": (-1, 1),
    "rmse": (0, None),
}
# With this number, one of the quantiles is the 2.5 % quantile itself.
SEED_QUANTILES = 220
SMALLEST_P = "< 5e-324"


def p_value(r: float, n: int) -> str:
    """Returns the two-tailed P of Pearson's r for no correlation, as text.

    This is the exact t-test with n - 2 degrees of freedom. P is the regularised incomplete beta
    function of 1 - r^2 with the parameters n / 2 - 1 and 1/2. Where doubles lose digits, its
    logarithm is computed, so that "< 5e-324" is returned only if it is true.
    """
    if n < 3 or not np.isfinite(r):
        return "NA"
    if abs(r) >= 1:
        return SMALLEST_P
    a, x = n / 2 - 1, (1 - r) * (1 + r)
    p = scipy.special.betainc(a, 0.5, x)
    if p > 1e-300:
        return f"{p:.3g}"
    # The first term of the function's series. At such a small P, the next term is less than a
    # thousandth of it.
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
    """Returns all `METRICS` with 95 % intervals, and P of Pearson's r.

    A value is the mean of the metric over trainings. Its interval covers the choice of sequences
    and, for several trainings, the choice of seeds; see `_spread`. P is that of the t-test over n
    sequences (for the mean r of several trainings), as it is commonly printed beside r. The t-test
    treats sequences as independent and ignores families and seeds; the interval does not.

    Args:
        measured: expression (n,).
        predicted: (n,), or (n, S) with a column for each of S trainings of one model.
        families: int (n,), the family of each sequence; None if no sequences are related.
        replicates: number of bootstrap replicates.
        seed: seed of the bootstrap.

    Returns:
        Columns metric, value, low, high, n, families (their number), seeds (S), p_value. The
        interval is NaN if there are fewer than two families (see `_effective`), or if the metric of
        any training is undefined.

    Raises:
        ValueError: there are fewer than three sequences, the arrays have different lengths, or a
            value is not finite.
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
    """Returns the `METRICS` of one model minus those of another, with 95 % intervals and P.

    The metrics are means over the trainings of each model. Both models are measured on the same
    sequences: each replicate draws families once for all predictions (Efron and Tibshirani 1993).
    `_spread` explains what the interval covers; for a model with one training, it does not cover
    the choice of the seed. P is two-sided. It is twice the share of the replicates on one side of
    0, for the side with fewer of them, which corresponds to the widest percentile interval without
    0. A replicate at 0 counts on both sides. The data count as one more replicate on each side, so
    that P is never 0.

    Args:
        measured: expression (n,).
        first, second: (n,), or (n, a) and (n, b) with a column for each training.
        families: see `metrics`.
        paired: whether column k of both models comes from the same seed, so that the two trainings
            share random effects; then a = b. If seeds share no effects, pairing stays valid but has
            less power, because 2 (a - 1) degrees of freedom become a - 1.
        replicates, seed: see `metrics`.

    Returns:
        Columns metric, difference, low, high, n, families, seeds (a), against_seeds (b), p_value.
        Interval and P are NaN in the cases in which `metrics` has no interval.

    Raises:
        ValueError: see `metrics`; or `paired` is set, but the numbers of trainings differ.
    """
    measured, families, (first, second) = _checked(measured, families, first, second)
    n, seeds, against_seeds = *first.shape, second.shape[1]
    if paired and seeds != against_seeds:
        raise ValueError(f"{seeds} and {against_seeds} trainings cannot be paired")
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
    """Returns why a difference between two models does not generalise to new trainings, or "".

    A model that is trained again with another seed predicts differently, and a single training does
    not tell by how much. Published predictions are taken as fixed.

    Args:
        seeds, against_seeds: the numbers of trainings of the two models.
        published, against_published: whether a model's predictions (or weights) are published, so
            that they do not depend on a training here.
    """
    once = [seeds == 1 and not published, against_seeds == 1 and not against_published]
    if not any(once):
        return ""
    return "each was trained once" if all(once) else "one of them was trained once"


def _checked(
    measured: np.ndarray, families: np.ndarray | None, *predicted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Checks the arguments of `metrics`; returns measured (n,), families (n,) numbered from 0
    without gaps, and each of predicted as (n, S)."""
    measured = np.asarray(measured, float)
    n = len(measured)
    predicted = [np.asarray(values, float) for values in predicted]
    predicted = [values[:, None] if values.ndim == 1 else values for values in predicted]
    for values in predicted:
        if measured.shape != (n,) or values.ndim != 2 or len(values) != n or not values.size:
            raise ValueError(
                f"the shapes of measured {measured.shape} and predicted {values.shape} do not match"
            )
    if n < 3:
        raise ValueError(f"metrics need at least three sequences, but there are {n}")
    if not all(np.isfinite(values).all() for values in (measured, *predicted)):
        raise ValueError("a measured or predicted expression is not finite")
    families = np.arange(n) if families is None else np.asarray(families)
    if families.shape != (n,):
        raise ValueError(
            f"the shapes of measured {measured.shape} and families {families.shape} do not match"
        )
    return measured, np.unique(families, return_inverse=True)[1], predicted


def _bootstrap(
    measured: np.ndarray, predicted: np.ndarray, families: np.ndarray, replicates: int, seed: int
) -> dict[str, np.ndarray]:
    """Returns each metric (S, 1 + replicates) of each column of predicted (n, S).

    The first value is that of the data. The others are those of bootstrap replicates of the
    families, which are the same for all columns."""
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
    """Returns the effective number of families: how many families of equal size would carry as much
    information as these, n^2 / sum of squared sizes (Kish 1965)."""
    return len(families) ** 2 / float(np.sum(np.bincount(families) ** 2.0))


def _spread(*models: np.ndarray, effective: float) -> tuple[float, np.ndarray]:
    """Returns a statistic, and a sample of its distribution over families and seeds.

    The statistic is the sum over models of the mean over trainings. The variance of a training's
    value has three parts: the seed (A), the families (B), and their interaction (C).

    - The standard error of the mean of S trainings on these families, s / sqrt(S), contains A and
      C. With few trainings, it follows Student's t with S - 1 degrees of freedom. For two models
      the squares are added, with the degrees of freedom of Satterthwaite (1946) and Welch (1947).
    - Bootstrap replicates of the families, averaged over the trainings, contain B and C. C shows in
      the differences between the trainings, and it must not count twice. So the replicates are
      shrunk towards the value of the data until their variance is B alone. For a single training,
      nothing is subtracted.
    - Replicates of few families vary less than families do, and their tails are those of a normal
      distribution. So the replicates are stretched away from the value of the data until their 95 %
      percentile interval is as wide as that of Student's t (Hesterberg 2015, Am. Stat. 69:371, with
      the number of families from `_effective`).

    The two remaining parts, families and seeds, are independent and are added: each replicate is
    combined with each of `SEED_QUANTILES` quantiles of t, as in the fiducial solution of Behrens
    and Fisher. This is conservative if both parts matter: with 3 trainings, 95 % intervals covered
    the truth in 95 to 98 % of simulated data. (With Welch's degrees of freedom for the sum of all
    parts, they covered it in 92.3 to 95.6 %.)

    Args:
        models: for each model (S, 1 + replicates), the statistic of each training, for the data and
            for bootstrap replicates of the families.
        effective: the effective number of families.

    Returns:
        The statistic, and its sample (replicates * `SEED_QUANTILES`,) without the replicates in
        which it is undefined. With fewer than two families the sample is empty.
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
    """Returns each metric (S, b) of S predictions in b replicates.

    Args:
        counts: (b, n), how often each sequence is in each replicate.
        measured, predicted: (n,) and (n, S).
        ranks: the ranks of measured, then of each column of predicted.
    """
    by_model = [moments(counts, measured, column) for column in predicted.T]
    values_of = {name: np.array([one[name] for one in by_model]) for name in by_model[0]}
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


class _Ranks:
    """Ranks of the same values in many replicates. The values are sorted only once."""

    def __init__(self, values: np.ndarray):
        _, self.group = np.unique(values, return_inverse=True)
        self.order = np.argsort(self.group, kind="stable")
        self.last = np.flatnonzero(np.diff(self.group[self.order], append=-1))

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        """Returns the mid-ranks (b, n) minus their mean within each of b replicates.

        For `counts` see `_all_metrics`."""
        up_to = counts.take(self.order, axis=1).cumsum(axis=1).take(self.last, axis=1)
        # Twice the centred mid-rank: the number of values up to and including this rank, plus the
        # number below it, minus the number of all values.
        twice = up_to - up_to[:, -1:]
        twice[:, 1:] += up_to[:, :-1]
        return (twice / 2).take(self.group, axis=1)
