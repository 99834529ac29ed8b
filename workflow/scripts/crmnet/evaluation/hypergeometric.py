"""Tails of the hypergeometric law, and the minimum hypergeometric statistic of a ranked list (Eden
et al. 2007, PLoS Comput. Biol. 3:e39). Numpy only; everything is in natural logarithms, so that no
probability underflows.

Of N sequences, best first, B have a property (such as a word); b of them are among the first n. The
score (mHG) is the smallest hypergeometric tail P(at least b of the first n) over all n: no
threshold parts the list.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

# Natural logarithms of probabilities that differ by less are the same one, but for rounding.
TIE = 1e-9
# Pairs of set and member to score at once, and to find p-values with.
BLOCK, AT_ONCE = 1 << 20, 1 << 15
# Terms of a tail between two looks at which have converged.
TERMS = 16


@lru_cache(maxsize=2)
def _ln_factorials(total: int) -> np.ndarray:
    """ln 0! to ln N!, and behind them, so at -1, infinity: 1/(-1)! is 0."""
    logarithms = np.log(np.arange(1, total + 1, dtype=np.longdouble))
    return np.concatenate([[0.0], logarithms.cumsum().astype(float), [np.inf]])


def _ln_choose(ln: np.ndarray, n: np.ndarray, k: np.ndarray | int) -> np.ndarray:
    return ln[n] - ln[k] - ln[n - k]


def _ln_point(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """ln P(just b of the first n)."""
    ln = _ln_factorials(total)
    ways = _ln_choose(ln, n, b) + _ln_choose(ln, total - n, size - b)
    return ways - _ln_choose(ln, total, size)


def _ratio(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """P(just b + 1 of the first n) / P(just b); it falls with b."""
    return (size - b) * (n - b) / ((b + 1.0) * (total - size - n + b + 1))


def _ln_bound(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """At least ln P(at least b of the first n): the sum of a geometric series."""
    with np.errstate(divide="ignore"):
        series = -np.log1p(-np.minimum(_ratio(total, size, n, b), 1))
    return np.minimum(_ln_point(total, size, n, b) + series, 0)


def ln_tail(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """ln P(at least b of the first n), hypergeometric; no probability underflows.

    The smaller tail is summed term by term.

    Args:
        total: N, sequences of the list.
        size: B, how many of them have the word.
        n, b: of the same shape, which may be any; 1 <= b <= min(n, B) and n - b <= N - B.
    """
    size, n, b = (np.asarray(x, np.int64) for x in np.broadcast_arrays(size, n, b))
    upper = b * total > n * size
    # At most b - 1 of the first n are at least B - b + 1 of the others.
    n, b = np.where(upper, n, total - n), np.where(upper, b, size - b + 1)
    smaller = _ln_point(total, size, n, b) + np.log(_series(total, *map(np.ravel, (size, n, b))))
    smaller = np.minimum(smaller.reshape(n.shape), 0)
    with np.errstate(divide="ignore"):
        return np.where(upper, smaller, np.log1p(-np.exp(smaller)))


def _series(total: int, size: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """P(at least b of the first n) / P(just b), above the mean; flat arrays."""
    sums, term = np.ones(len(b)), np.ones(len(b))
    tail, active = sums.copy(), np.arange(len(b))
    while len(active):
        for _ in range(TERMS):
            # Behind the last possible number every term is 0.
            term = term * np.maximum(_ratio(total, size, n, b), 0)
            tail, b = tail + term, b + 1
        sums[active] = tail
        more = term > 1e-16 * tail
        active, size, n, b, term, tail = (x[more] for x in (active, size, n, b, term, tail))
    return sums


def minimum_hypergeometric(
    rows: np.ndarray, starts: np.ndarray, total: int, limit: float = math.inf
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mHG scores of sets of sequences (Eden et al. 2007), at the first n with the smallest tail.

    A tail is summed only where its bounds say that it may be the smallest.

    Args:
        rows: (m,) ranks from 0 of all sets, one set behind the other, ascending in each.
        starts: (sets + 1,) where each set begins in `rows`; no set is empty.
        total: N, sequences of the list.
        limit: sets with ln(B * score) above it need no score.

    Returns:
        ln score, n and b of each set; infinity, 0 and 0 above the limit.
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
    # At least so large are the tails. Up to the mean they are about a half or more (Siegel 2001,
    # J. Algorithms 38:184: the median is next to the mean).
    least = np.where(b * total > n * size, _ln_point(total, size, n, b), -1.0)
    cap = np.minimum(limit - np.log(sizes), 0)
    # Of sets that may be within the limit, the tails that may be the smallest.
    likely = np.flatnonzero((np.minimum.reduceat(least, begin) <= cap + TIE)[owner])
    tails = np.full(len(rows), np.inf)
    tails[likely] = _ln_bound(total, size[likely], n[likely], b[likely])
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
    # The same number, whichever of equal tails rounding has made the smallest.
    scores = np.full(len(sizes), np.inf)
    scores[within] = tails[at]
    return scores, numbers, hits


def _blocks(sizes: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last (excluded) of runs of sets with `BLOCK` elements, or one set, at most."""
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
    """The same for sets of falling size, with scores below 1."""
    ln, widest = _ln_factorials(total), sizes[0]
    # A row a set, all ending with b = B: column c is b = B - widest + 1 + c.
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
        # From here on with the step that leaves.
        never[:sets, column] *= without[:sets, column]
    with np.errstate(divide="ignore"):
        terms = np.log(never)
    reached = last >= np.maximum(b, 1)
    terms[~(there & reached)] = -np.inf
    at = np.nonzero(there & reached)
    terms[at] += _ln_point(total, np.broadcast_to(size, b.shape)[at], last[at], b[at])
    return np.logaddexp.reduce(terms, axis=1)


def _boundary(total: int, size: np.ndarray, b: np.ndarray, ln_score: np.ndarray) -> np.ndarray:
    """The largest n with P(at least b of the first n) <= score, or b - 1; flat arrays."""
    n, certain = b - 1, total - size + b
    for power in range(int(total).bit_length(), -1, -1):
        trial = np.minimum(n + (1 << power), certain - 1)
        n = np.where(_ln_bound(total, size, trial, b) <= ln_score, trial, n)
    # The bound is close: from there on with the tails, by steps that grow as long as they may.
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
    """Natural logarithms of Fisher's exact test, one-sided: how likely at least so many of the
    sequences with a site are in the top.

    Args:
        positives, negatives: sequences with a site, of `top` and of `bottom` ones; any shape.
    """
    positives, total = np.broadcast_arrays(positives, np.add(positives, negatives))
    ln = np.zeros(positives.shape)
    some = positives > 0
    ln[some] = ln_tail(top + bottom, total[some], np.full(some.sum(), top), positives[some])
    return ln
