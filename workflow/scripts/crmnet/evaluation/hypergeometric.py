"""Tails of the hypergeometric distribution, and the minimum hypergeometric statistic (mHG) of a
ranked list (Eden et al. 2007, PLoS Comput. Biol. 3:e39). Needs only numpy. All probabilities are
natural logarithms, so that none underflows.

A list ranks N sequences. B of them have a property, such as a word, and b of these B are among the
first n. The mHG score is the smallest tail P(at least b of the first n) over all n, so no threshold
has to divide the list.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

# Natural logarithms of probabilities count as equal if they differ by less than this, because
# rounding can make them differ.
TIE = 1e-9
# Members of all sets together that are processed at a time, for scores and for p-values.
BLOCK, AT_ONCE = 1 << 20, 1 << 15
# Number of terms of a tail that are added between two checks of convergence.
TERMS = 16


@lru_cache(maxsize=2)
def _ln_factorials(total: int) -> np.ndarray:
    """Returns ln 0! to ln N!, and after them infinity, which index -1 gives: 1/(-1)! is 0."""
    logarithms = np.log(np.arange(1, total + 1, dtype=np.longdouble))
    return np.concatenate([[0.0], logarithms.cumsum().astype(float), [np.inf]])


def _ln_choose(ln: np.ndarray, n: np.ndarray, k: np.ndarray | int) -> np.ndarray:
    return ln[n] - ln[k] - ln[n - k]


def _ln_point(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns ln P(exactly b of the first n)."""
    ln = _ln_factorials(total)
    ways = _ln_choose(ln, n, b) + _ln_choose(ln, total - n, size - b)
    return ways - _ln_choose(ln, total, size)


def _ratio(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns P(exactly b + 1 of the first n) / P(exactly b of the first n), which falls with b."""
    return (size - b) * (n - b) / ((b + 1.0) * (total - size - n + b + 1))


def lower_bound(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns a lower bound of ln P(at least b of the first n).

    For b up to the mean, a tail is about a half or more, because the median is next to the mean
    (Siegel 2001, J. Algorithms 38:184)."""
    size, n, b = np.broadcast_arrays(size, n, b)
    bound, above = np.full(b.shape, -1.0), b * total > n * size
    bound[above] = _ln_point(total, size[above], n[above], b[above])
    return bound


def upper_bound(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns an upper bound of ln P(at least b of the first n), from a geometric series."""
    size, n, b = np.broadcast_arrays(size, n, b)
    bound, above = np.zeros(b.shape), b * total > n * size
    size, n, b = size[above], n[above], b[above]
    series = -np.log1p(-np.minimum(_ratio(total, size, n, b), 1))
    bound[above] = np.minimum(_ln_point(total, size, n, b) + series, 0)
    return bound


def ln_tail(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns ln P(at least b of the first n) of the hypergeometric distribution.

    The smaller tail is summed term by term. No probability underflows.

    Args:
        total: N, the number of sequences in the list.
        size: B, the number of sequences with the word.
        n, b: arrays of any one shape, with 1 <= b <= min(n, B) and n - b <= N - B.
    """
    size, n, b = (np.asarray(x, np.int64) for x in np.broadcast_arrays(size, n, b))
    upper = b * total > n * size
    # "At most b - 1 of the first n" is the same as "at least B - b + 1 of the others".
    n, b = np.where(upper, n, total - n), np.where(upper, b, size - b + 1)
    smaller = _ln_point(total, size, n, b) + np.log(_series(total, *map(np.ravel, (size, n, b))))
    smaller = np.minimum(smaller.reshape(n.shape), 0)
    with np.errstate(divide="ignore"):
        return np.where(upper, smaller, np.log1p(-np.exp(smaller)))


def excess_of_stirling(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns by how much ln of a tail grows if factorials above 20! are bounds from Stirling's
    formula (Robbins 1955, Am. Math. Mon. 62:26), such that the tail is an upper bound."""
    x = np.arange(21, total + 1)
    upper, lower = np.zeros((2, total + 1))
    formula = (x + 0.5) * np.log(x) - x + math.log(2 * math.pi) / 2 - _ln_factorials(total)[21:-1]
    upper[21:], lower[21:] = formula + 1 / (12 * x), formula + 1 / (12 * x + 1)
    above = upper[n] + upper[total - n] + upper[size] + upper[total - size]
    below = lower[b] + lower[n - b] + lower[size - b] + lower[total - n - size + b] + lower[total]
    return above - below


def _series(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns P(at least b of the first n) / P(exactly b), for b above the mean; flat arrays."""
    sums, term = np.ones(len(b)), np.ones(len(b))
    tail, active = sums.copy(), np.arange(len(b))
    while len(active):
        for _ in range(TERMS):
            # After the largest possible b every term is 0.
            term = term * np.maximum(_ratio(total, size, n, b), 0)
            tail, b = tail + term, b + 1
        sums[active] = tail
        more = term > 1e-16 * tail
        active, size, n, b, term, tail = (x[more] for x in (active, size, n, b, term, tail))
    return sums


def minimum_hypergeometric(
    rows: np.ndarray, starts: np.ndarray, total: int, limit: float = math.inf
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the mHG scores of sets of sequences, and the first n with the smallest tail.

    The method is that of Eden et al. 2007. A tail is summed only if its bounds allow it to be the
    smallest.

    Args:
        rows: (m,) the ranks, from 0, of the members of all sets. The sets follow one another, and
            ranks are ascending within each set.
        starts: (sets + 1,) the index in `rows` at which each set begins. No set is empty.
        total: N, the number of sequences in the list.
        limit: sets with ln(B * score) above it get no score.

    Returns:
        ln score, n and b of each set. A set above the limit has infinity, 0 and 0.
    """
    sets = len(starts) - 1
    scores, numbers, hits = np.full(sets, np.inf), np.zeros(sets, int), np.zeros(sets, int)
    for first, last in _blocks(np.diff(starts)):
        part = rows[starts[first] : starts[last]], starts[first : last + 1] - starts[first]
        scores[first:last], numbers[first:last], hits[first:last] = _scores(*part, total, limit)
    return scores, numbers, hits


def _scores(
    rows: np.ndarray, starts: np.ndarray, total: int, limit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    begin, sizes = starts[:-1], np.diff(starts)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    n, b, size = rows.astype(np.int64) + 1, np.arange(len(rows)) - begin[owner] + 1, sizes[owner]
    least = lower_bound(total, size, n, b)
    cap = np.minimum(limit - np.log(sizes), 0)
    # Keep the tails that may be the smallest of a set that may be within the limit.
    likely = np.flatnonzero((np.minimum.reduceat(least, begin) <= cap + TIE)[owner])
    tails = np.full(len(rows), np.inf)
    tails[likely] = upper_bound(total, size[likely], n[likely], b[likely])
    cap = np.minimum(cap, np.minimum.reduceat(tails, begin))
    likely = likely[least[likely] <= cap[owner[likely]] + TIE]
    tails[:] = np.inf
    tails[likely] = ln_tail(total, size[likely], n[likely], b[likely])
    best = np.minimum.reduceat(tails, begin)
    within = best + np.log(sizes) <= limit
    at = np.flatnonzero((tails <= best[owner] + TIE) & within[owner])
    at = at[np.unique(owner[at], return_index=True)[1]]
    numbers, hits = np.zeros_like(sizes), np.zeros_like(sizes)
    numbers[within], hits[within] = n[at], b[at]
    # Among equal tails, take the first, so that rounding does not decide which score is returned.
    scores = np.full(len(sizes), np.inf)
    scores[within] = tails[at]
    return scores, numbers, hits


def _blocks(sizes: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yields the first and last (excluded) set of blocks of at most `BLOCK` members, or one set."""
    ends = np.cumsum(sizes)
    first = 0
    while first < len(sizes):
        done = ends[first - 1] if first else 0
        last = max(int(np.searchsorted(ends, done + BLOCK, "right")), first + 1)
        yield first, last
        first = last


def ln_p_value(total: int, sizes: np.ndarray, ln_scores: np.ndarray) -> np.ndarray:
    """ln of the exact p-values of mHG scores: that a random order of the list scores as low.

    A random order is a path from (0, 0) to (N, B) through the points (n, b). Those where the tail
    is at most the score are, for each b, the n up to some m(b). A path that comes to such points
    leaves them for the last time at one (m(b), b), by a sequence outside the set. So the p-value
    is the sum over b of P(path is at (m(b), b)) * P(next is without) * P(none of them after that),
    and the last factor follows from those of higher b. This takes O(B**2), and nothing underflows.

    Args:
        total: N.
        sizes: (sets,) B of each.
        ln_scores: (sets,) ln of its mHG score.
    """
    sizes, ln_scores = np.asarray(sizes, np.int64), np.asarray(ln_scores, float)
    result = np.zeros(len(sizes))
    chance = np.flatnonzero(ln_scores < -TIE)
    order = chance[np.argsort(-sizes[chance], kind="stable")]
    while len(order):
        part, order = np.split(order, [max(AT_ONCE // sizes[order[0]], 1)])
        result[part] = _ln_p_values(total, sizes[part], ln_scores[part])
    return np.minimum(result, 0)


def _ln_p_values(total: int, sizes: np.ndarray, ln_scores: np.ndarray) -> np.ndarray:
    """Returns `ln_p_value` for sets in the order of falling size, with scores below 1."""
    ln, widest = _ln_factorials(total), sizes[0]
    # One row per set. All rows end with b = B, so column c is b = B - widest + 1 + c.
    left = widest - 1 - np.arange(widest)
    size, b = sizes[:, None], sizes[:, None] - left
    there = b > 0
    last = np.zeros(b.shape, np.int64)
    flat = np.broadcast_to(size, b.shape)[there], b[there]
    last[there] = _boundary(total, *flat, np.broadcast_to(ln_scores[:, None], b.shape)[there])
    without = np.where(there, (total - size - last + b) / (total - last), 0)
    rest = np.where(there, _ln_choose(ln, total - last, left), -np.inf)
    never = np.zeros(b.shape)
    for column in range(widest - 1, -1, -1):
        sets = int(np.searchsorted(-sizes, column - widest, "right"))
        after = slice(column + 1, None)
        steps = np.arange(1, widest - column)
        between = last[:sets, after] - last[:sets, column, None] - 1
        ways = _ln_choose(ln, between, steps) + rest[:sets, after]
        again = np.exp(ways - _ln_choose(ln, total - last[:sets, column, None] - 1, left[column]))
        never[:sets, column] = np.maximum(1 - (again * never[:sets, after]).sum(axis=1), 0)
        # From now on the column includes the step by which the path leaves.
        never[:sets, column] *= without[:sets, column]
    with np.errstate(divide="ignore"):
        terms = np.log(never)
    reached = last >= np.maximum(b, 1)
    terms[~(there & reached)] = -np.inf
    at = np.nonzero(there & reached)
    terms[at] += _ln_point(total, np.broadcast_to(size, b.shape)[at], last[at], b[at])
    return np.logaddexp.reduce(terms, axis=1)


def _boundary(total: int, size: np.ndarray, b: np.ndarray, ln_score: np.ndarray) -> np.ndarray:
    """Returns the largest n with P(at least b of the first n) <= score, or b - 1; flat arrays."""
    n, certain = b - 1, total - size + b
    for power in range(int(total).bit_length(), -1, -1):
        trial = np.minimum(n + (1 << power), certain - 1)
        n = np.where(upper_bound(total, size, trial, b) <= ln_score, trial, n)
    # The bound is close. From there search with the exact tails, with steps that double until one
    # fails and are then halved.
    largest, active = n.copy(), np.arange(len(n))
    step, growing = np.ones(len(n), np.int64), np.ones(len(n), bool)
    while len(active):
        trial = n + step
        held = trial < certain
        tails = ln_tail(total, size[held], trial[held], b[held])
        held[held] = tails <= ln_score[held] + TIE
        n, growing = np.where(held, trial, n), growing & held
        step = np.where(growing, 2 * step, step // 2)
        largest[active] = n
        more = step > 0
        active, size, n, b, ln_score, certain, step, growing = (
            x[more] for x in (active, size, n, b, ln_score, certain, step, growing)
        )
    return largest


def ln_fisher(positives: np.ndarray, negatives: np.ndarray, top: int, bottom: int) -> np.ndarray:
    """Returns the natural logarithms of P of Fisher's exact test, one-sided.

    P is the probability that at least `positives` of the sequences with a site are in the top.

    Args:
        positives, negatives: numbers of sequences with a site in the top and in the bottom; any
            shape.
        top, bottom: numbers of sequences in the top and in the bottom.
    """
    positives, total = np.broadcast_arrays(positives, np.add(positives, negatives))
    ln = np.zeros(positives.shape)
    some = positives > 0
    ln[some] = ln_tail(top + bottom, total[some], np.full(some.sum(), top), positives[some])
    return ln
