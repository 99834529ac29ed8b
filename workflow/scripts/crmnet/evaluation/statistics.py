"""Statistics that several methods share: adjusted P-values, bootstrap replicates and intervals,
rank correlation, precision and recall. Needs only numpy and pandas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations

import numpy as np
import pandas as pd

# An adjusted P below this is significant.
SIGNIFICANT = 0.05
# Numbers in the arrays of a bootstrap that are processed at a time.
NUMBERS_AT_ONCE = 1 << 16
# A rank correlation tests all orders of up to MOST_RANKED values, and RANDOM_ORDERS of more values.
MOST_RANKED = 8
RANDOM_ORDERS = 10_000


def holm(p_values: np.ndarray) -> np.ndarray:
    """Returns P-values (n,) adjusted by Holm's step-down method (1979).

    A NaN stays NaN and does not count as a test."""
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)  # NaN last
    left = np.isfinite(p_values).sum() - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(left * p_values[order]))
    return adjusted


def resamples(number: int, replicates: int, seed: int, width: int = 1) -> Iterator[np.ndarray]:
    """Yields bootstrap replicates of independent units, such as families.

    The method is that of Efron 1979, and for clusters that of Davison and Hinkley 1997, section
    3.8. Each array has counts (b, number): how often each unit is in each of b replicates. b is
    chosen so that an array of b times `width` numbers fits into the cache."""
    random = np.random.default_rng(seed)
    at_once = max(1, NUMBERS_AT_ONCE // max(number, width))
    for start in range(0, replicates, at_once):
        size = min(at_once, replicates - start)
        picked = random.integers(0, number, (size, number)) + number * np.arange(size)[:, None]
        counts = np.bincount(picked.ravel(), minlength=size * number).reshape(size, number)
        yield counts.astype(float)


def interval(spread: Sequence[float]) -> tuple[float, float]:
    """Returns the 95 % percentile interval of bootstrap replicates (b,); NaN if there are none."""
    return tuple(np.percentile(spread, [2.5, 97.5])) if len(spread) else (np.nan, np.nan)


def q_values(p_values: np.ndarray, tests: int) -> np.ndarray:
    """Returns q-values for the smallest of `tests` p-values (Benjamini and Hochberg 1995).

    FIMO multiplies such q-values by its estimate of the share of sites that are background.
    """
    order = np.argsort(p_values, kind="stable")
    ranked = p_values[order] * tests / np.arange(1, len(order) + 1)
    q = np.empty(len(order))
    q[order] = np.minimum.accumulate(ranked[::-1])[::-1]
    return np.minimum(q, 1)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Returns Spearman's rho of two arrays (n,) that are not constant, and its two-sided P.

    P is the share of the orders of one array whose rho is at least as far from 0. With more than
    `MOST_RANKED` values, `RANDOM_ORDERS` random orders stand for all orders. The observed order is
    one of them (Phipson and Smyth 2010)."""
    ranks = [pd.Series(values).rank().to_numpy() for values in (first, second)]
    one, other = (rank - rank.mean() for rank in ranks)
    n = len(one)
    if n <= MOST_RANKED:
        orders = np.array(list(permutations(range(n))))
    else:
        orders = np.tile(np.arange(n), (RANDOM_ORDERS, 1))
        orders[1:] = np.random.default_rng(1).permuted(orders[1:], axis=1)
    rho = one[orders] @ other / np.sqrt((one @ one) * (other @ other))
    # The first order is the observed one. Round, because equal correlations may differ as sums.
    rho = rho.round(9)
    return float(rho[0]), float(np.mean(np.abs(rho) >= abs(rho[0])))


def rank_correlations(first: np.ndarray, second: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Returns Spearman's rank correlation (n,) of each row of two arrays (n, width).

    Only positions that are `known` (n, width), bool, count. The result is NaN if a row is constant
    in one of the arrays."""
    ranks = []
    for values in (first, second):
        rank = pd.DataFrame(np.where(known, values, np.nan)).rank(axis=1).to_numpy()
        # The ranks of n values sum to n (n + 1) / 2, also with ties.
        ranks.append(np.where(known, rank - (known.sum(axis=1, keepdims=True) + 1) / 2, 0))
    spread = [(rank**2).sum(axis=1) for rank in ranks]
    with np.errstate(invalid="ignore"):
        return (ranks[0] * ranks[1]).sum(axis=1) / np.sqrt(spread[0] * spread[1])


def precision_recall(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns precision and recall (k,) at each of the k different scores.

    At a threshold, all items with this score or a higher one are selected.

    Args:
        score: (n,).
        label: (n,) bool.
    """
    order = np.argsort(-score, kind="stable")
    score, label = score[order], label[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    true = np.cumsum(label)[last]
    return true / (last + 1), true / true[-1]


def average_precision(score: np.ndarray, label: np.ndarray) -> float:
    """Returns the area under the precision-recall curve as a sum of steps.

    With straight lines between the thresholds, the area would be too large (Davis and Goadrich
    2006)."""
    precision, recall = precision_recall(score, label)
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def average_precision_interval(
    score: np.ndarray, label: np.ndarray, unit: np.ndarray, draws: Iterable[np.ndarray]
) -> tuple[float, float]:
    """Returns the 95 % interval of the average precision over bootstrap replicates of units.

    Args:
        score: (n,).
        label: (n,) bool.
        unit: (n,) int, from 0, the unit of each item, such as a family.
        draws: for each replicate, how often each unit is drawn. Those without a labelled item do
            not count.
    """
    # The order is the same in every replicate, and precision counts only at labelled items.
    order = np.argsort(-score, kind="stable")
    score, label, unit = score[order], label[order], unit[order]
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    last = ends[np.searchsorted(ends, np.flatnonzero(label))]
    true_until, labelled = np.cumsum(label)[last] - 1, unit[label]
    areas = []
    for draw in draws:
        weight = draw[labelled]
        if not weight.any():
            continue
        true, taken = np.cumsum(weight)[true_until], np.cumsum(draw[unit])[last]
        areas.append(np.sum(weight * true / np.maximum(taken, 1)) / weight.sum())
    return interval(areas)
