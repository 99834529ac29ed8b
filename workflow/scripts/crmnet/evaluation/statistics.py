"""Statistics that several methods share: adjusted P-values, bootstrap replicates and intervals,
rank correlation, precision and recall. Numpy and pandas only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np
import pandas as pd

# Counts of a bootstrap that are worked on at once.
NUMBERS_AT_ONCE = 1 << 16
# Of so many values or fewer, all orders are looked at; of more, so many random ones.
MOST_RANKED = 8
RANDOM_ORDERS = 10_000


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values (n,) adjusted for their number, step down (Holm 1979); NaN, not counted, stays."""
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)  # NaN last
    left = np.isfinite(p_values).sum() - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(left * p_values[order]))
    return adjusted


def resamples(number: int, replicates: int, seed: int, width: int = 1) -> Iterator[np.ndarray]:
    """Bootstrap replicates of independent units, such as families (Efron 1979; of clusters, Davison
    and Hinkley 1997, section 3.8): counts (b, number), how often each unit is in each of some
    replicates. So many at a time that an array of b times `width` numbers stays in the cache."""
    random = np.random.default_rng(seed)
    at_once = max(1, NUMBERS_AT_ONCE // max(number, width))
    for start in range(0, replicates, at_once):
        size = min(at_once, replicates - start)
        picked = random.integers(0, number, (size, number)) + number * np.arange(size)[:, None]
        counts = np.bincount(picked.ravel(), minlength=size * number).reshape(size, number)
        yield counts.astype(float)


def interval(spread: Sequence[float]) -> tuple[float, float]:
    """95 % percentile interval of bootstrap replicates (b,); NaN where there is none."""
    return tuple(np.percentile(spread, [2.5, 97.5])) if len(spread) else (np.nan, np.nan)


def q_values(p_values: np.ndarray, tests: int) -> np.ndarray:
    """q-values of the smallest of `tests` p-values (Benjamini and Hochberg 1995).

    FIMO's are these times its estimate of the share of sites that are background.
    """
    order = np.argsort(p_values, kind="stable")
    ranked = p_values[order] * tests / np.arange(1, len(order) + 1)
    q = np.empty(len(order))
    q[order] = np.minimum.accumulate(ranked[::-1])[::-1]
    return np.minimum(q, 1)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Spearman's rho of values (n,) that differ, and its P, two-sided: the share of the orders of
    one of them whose rho is as far from 0. Of more than `MOST_RANKED`, `RANDOM_ORDERS` stand for
    all, and the observed one is among them (Phipson and Smyth 2010)."""
    ranks = [pd.Series(values).rank().to_numpy() for values in (first, second)]
    one, other = (rank - rank.mean() for rank in ranks)
    n = len(one)
    if n <= MOST_RANKED:
        orders = np.array(list(permutations(range(n))))
    else:
        orders = np.tile(np.arange(n), (RANDOM_ORDERS, 1))
        orders[1:] = np.random.default_rng(1).permuted(orders[1:], axis=1)
    rho = one[orders] @ other / np.sqrt((one @ one) * (other @ other))
    # The first order is the observed one; rounded, for equal ones need not be equal as sums.
    rho = rho.round(9)
    return float(rho[0]), float(np.mean(np.abs(rho) >= abs(rho[0])))


def precision_recall(
    score: np.ndarray, label: np.ndarray, weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall (k,) where all of the k highest different scores and above are taken.

    Args:
        score, label: (n,); label bool.
        weight: (n,) how often each counts; once by default.
    """
    order = np.argsort(-score, kind="stable")
    score, label = score[order], label[order]
    weight = np.ones(len(score)) if weight is None else weight[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    true, taken = np.cumsum(weight * label)[last], np.cumsum(weight)[last]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(taken > 0, true / taken, 1.0), true / true[-1]


def average_precision(
    score: np.ndarray, label: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Area under the precision-recall curve, as a sum of steps. Straight lines between the
    thresholds would make it too large (Davis and Goadrich 2006)."""
    precision, recall = precision_recall(score, label, weight)
    return float(np.sum(np.diff(recall, prepend=0) * precision))
