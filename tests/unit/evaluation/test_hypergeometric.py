"""Hypergeometric tails, minimum hypergeometric scores and their p-values, against all orders of
small lists, exact fractions and scipy."""

import itertools
import math
import sys
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from crmnet.evaluation import hypergeometric
from crmnet.evaluation.hypergeometric import (
    ln_fisher,
    ln_p_value,
    ln_tail,
    minimum_hypergeometric,
)

SMALL = [(6, 1), (7, 3), (8, 4), (9, 8), (10, 5), (5, 5)]


def tail(total, size, n, b):
    """P(at least b of the first n), exactly."""
    ways = sum(math.comb(size, k) * math.comb(total - size, n - k) for k in range(b, n + 1))
    return Fraction(ways, math.comb(total, n))


def naive_score(ranks, total):
    """Score, n, b by the definition; ranks from 0."""
    tails = [(tail(total, len(ranks), rank + 1, b + 1), b) for b, rank in enumerate(ranks)]
    score, b = min(tails)
    return score, ranks[b] + 1, b + 1


def scored(*sets, total, **options):
    starts = np.cumsum([0, *map(len, sets)])
    return minimum_hypergeometric(np.concatenate(sets), starts, total, **options)


def absorbed(total, size, ln_score):
    """The p-value by walking through all points (n, b), with tails of `math.comb`."""
    paths, hit = {0: 1}, 0
    for n in range(1, total + 1):
        following = defaultdict(int)
        for b, ways in paths.items():
            following[b] += ways
            following[b + 1] += ways
        paths = {}
        for b, ways in following.items():
            if b > size or n - b > total - size:
                continue
            if b and math.log(tail(total, size, n, b)) <= ln_score + 1e-9:
                hit += ways * math.comb(total - n, size - b)
            else:
                paths[b] = ways
    return Fraction(hit, math.comb(total, size))


@pytest.mark.parametrize(("total", "size"), [(12, 5), (9, 1), (7, 7), (40, 33)])
def test_tails_are_exact(total, size):
    points = [
        (n, b)
        for n in range(1, total + 1)
        for b in range(1, min(n, size) + 1)
        if n - b <= total - size
    ]
    n, b = np.array(points).T
    expected = [math.log(tail(total, size, *point)) for point in points]
    assert ln_tail(total, size, n, b) == pytest.approx(expected, rel=1e-11, abs=1e-13)


@pytest.mark.parametrize(("total", "size"), SMALL)
def test_scores_and_p_values_of_all_orders(total, size):
    sets = list(itertools.combinations(range(total), size))
    expected = [naive_score(ranks, total) for ranks in sets]
    scores, n, b = scored(*sets, total=total)
    assert np.exp(scores) == pytest.approx([float(score) for score, _, _ in expected], rel=1e-12)
    assert [*zip(n, b, strict=True)] == [(n, b) for _, n, b in expected]
    counts = [sum(other <= score for other, _, _ in expected) for score, _, _ in expected]
    p_values = np.exp(ln_p_value(total, np.full(len(sets), size), scores))
    assert p_values == pytest.approx(np.array(counts) / len(sets), rel=1e-11)


@pytest.mark.parametrize(("total", "size"), [(40, 6), (45, 20), (30, 27), (60, 2)])
def test_p_values_of_longer_lists(total, size):
    rng = np.random.default_rng(total)
    sets = [np.sort(rng.choice(total - drop, size, replace=False)) for drop in (0, 1, 2, 3)]
    scores, _, _ = scored(*sets, total=total)
    found = ln_p_value(total, np.full(4, size), scores)
    expected = [math.log(absorbed(total, size, score)) for score in scores]
    assert found == pytest.approx(expected, abs=1e-9)


def test_p_values_of_different_sizes_at_once(monkeypatch):
    monkeypatch.setattr(hypergeometric, "BLOCK", 20)
    rng = np.random.default_rng(3)
    sizes = [5, 60, 1, 17, 18, 60, 99]
    sets = [np.sort(rng.choice(100, size, replace=False)) for size in sizes]
    together = scored(*sets, total=100)
    alone = [np.concatenate(x) for x in zip(*(scored(s, total=100) for s in sets), strict=True)]
    assert [x.tolist() for x in together] == [x.tolist() for x in alone]
    p_values = [ln_p_value(100, [z], [s])[0] for z, s in zip(sizes, together[0], strict=True)]
    assert ln_p_value(100, sizes, together[0]) == pytest.approx(p_values, rel=1e-12)


def test_probabilities_below_the_smallest_double():
    """All at the top: one order of all has this score."""
    (score,), (n,), (b,) = scored(np.arange(700), total=3000)
    expected = math.lgamma(2301) + math.lgamma(701) - math.lgamma(3001)
    assert (n, b) == (700, 700)
    assert score == pytest.approx(expected, rel=1e-12)
    assert score < -1000
    assert ln_p_value(3000, [700], [score]) == pytest.approx([expected], rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 199), min_size=1, max_size=120), st.data())
def test_properties_of_scores(ranks, data):
    ranks = sorted(ranks)
    (score,), (n,), (b,) = scored(ranks, total=200)
    ln_p = ln_p_value(200, [len(ranks)], [score])[0]
    assert score - 1e-9 <= ln_p <= min(score + math.log(len(ranks)), 0) + 1e-9
    assert ranks[b - 1] + 1 == n
    # One further up never raises the score, nor its p-value.
    moved = data.draw(st.sampled_from(ranks))
    free = [rank for rank in range(moved) if rank not in ranks]
    if free:
        other = sorted({*ranks, data.draw(st.sampled_from(free))} - {moved})
        (better,), _, _ = scored(other, total=200)
        assert better <= score + 1e-9
        assert ln_p_value(200, [len(ranks)], [better])[0] <= ln_p + 1e-9


def test_scores_above_a_limit_are_left_out():
    sets = [np.arange(5), np.array([3, 50, 90]), np.arange(8)]
    everything = scored(*sets, total=100)
    some = scored(*sets, total=100, limit=math.log(1e-4))
    assert some[0].tolist() == [everything[0][0], np.inf, everything[0][2]]
    assert some[1].tolist() == [5, 0, 8]
    # B * mHG of the first is the limit itself.
    limit = everything[0][0] + math.log(5)
    assert np.isfinite(scored(sets[0], total=100, limit=limit)[0])
    assert np.isinf(scored(sets[0], total=100, limit=limit - 1e-6)[0])


@pytest.mark.parametrize(("top", "bottom"), [(7, 9), (1, 1), (20, 6), (5, 0), (0, 5)])
def test_fishers_test_is_that_of_scipy(top, bottom):
    positives, negatives = np.mgrid[: top + 1, : bottom + 1]
    ours = np.exp(ln_fisher(positives, negatives, top, bottom))
    for a, b in np.ndindex(ours.shape):
        table = [[a, top - a], [b, bottom - b]]
        expected = scipy.stats.fisher_exact(table, alternative="greater").pvalue
        assert ours[a, b] == pytest.approx(expected, rel=1e-9)


def test_fishers_test_does_not_underflow():
    everything = ln_fisher(2000, 0, 2000, 2000)
    assert everything == pytest.approx(-math.log(math.comb(4000, 2000)), rel=1e-9)
    tail = [math.comb(2000, k) * math.comb(2000, 1900 - k) for k in range(1800, 1901)]
    expected = math.log(sum(tail)) - math.log(math.comb(4000, 1900))
    assert expected < math.log(sys.float_info.min)
    assert ln_fisher(1800, 100, 2000, 2000) == pytest.approx(expected, rel=1e-9)
    assert ln_fisher(0, 0, 10, 10) == 0
