"""Adjusted P-values, rank correlation, precision and recall: by hand, by loops, by scipy."""

import itertools

import numpy as np
import pytest
import scipy.stats

from crmnet.evaluation.statistics import (
    RANDOM_ORDERS,
    average_precision,
    average_precision_interval,
    holm,
    precision_recall,
    q_values,
    rank_correlation,
    rank_correlations,
)


@pytest.mark.parametrize(
    ("given", "adjusted"),
    [
        # 4 x 0.005; 3 x 0.01; 2 x 0.03; 1 x 0.04, but no less than the one before.
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.01, np.nan, 0.04], [0.02, np.nan, 0.04]),
        ([0.9, 0.8], [1, 1]),
        ([0.02, 0.02], [0.04, 0.04]),
        ([], []),
    ],
)
def test_holm_by_hand(given, adjusted):
    np.testing.assert_allclose(holm(np.array(given)), adjusted, rtol=1e-12)


def test_q_values_are_those_of_benjamini_and_hochberg():
    p_values = np.random.default_rng(1).random(200) ** 3
    p_values[50:60] = p_values[40:50]
    expected = scipy.stats.false_discovery_control(p_values)
    assert q_values(p_values, 200) == pytest.approx(expected)
    few = p_values < 0.05
    # The others can only lower them.
    assert (q_values(p_values[few], 200) >= expected[few] - 1e-12).all()
    # By hand: 100 x 0.001, 100 x 0.004 / 3 for the next two, as the third is as small.
    values = q_values(np.array([0.004, 0.001, 0.0039]), 100)
    assert values == pytest.approx([0.4 / 3, 0.1, 0.4 / 3])
    assert q_values(np.array([0.5]), 100).tolist() == [1]


def test_random_orders_of_many_values_have_a_uniform_p():
    """Twelve values have too many orders to look at all; P against that of Student's t."""
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(60):
        one, other = rng.normal(size=(2, 12))
        rho, p = rank_correlation(one, other)
        expected = scipy.stats.spearmanr(one, other)
        assert rho == pytest.approx(expected.statistic)
        assert p == pytest.approx(expected.pvalue, abs=0.03)
        drawn.append(p)
    assert scipy.stats.kstest(drawn, "uniform").pvalue > 0.001
    assert rank_correlation(one, one) == (1, 1 / RANDOM_ORDERS)


def test_ties_are_ranked_in_the_middle():
    one, other = np.array([1.0, 1.0, 2.0, 3.0]), np.array([5.0, 6.0, 6.0, 9.0])
    rho, p = rank_correlation(one, other)
    every = [scipy.stats.spearmanr(one, order).statistic for order in itertools.permutations(other)]
    assert rho == pytest.approx(every[0])
    assert p == np.mean(np.abs(every) >= abs(every[0]) - 1e-9)


def naive_average_precision(score, label, weight):
    """By each threshold in turn: the recall that it adds, times the precision there."""
    area, before = 0.0, 0.0
    for threshold in sorted(set(score), reverse=True):
        taken = score >= threshold
        true = weight[taken & label].sum()
        recall = true / weight[label].sum()
        if weight[taken].sum():
            area += (recall - before) * true / weight[taken].sum()
        before = recall
    return area


@pytest.mark.parametrize(
    ("score", "label", "expected"),
    [
        ([4, 3, 2, 1], [1, 1, 0, 0], 1),
        ([4, 3, 2, 1], [0, 0, 1, 1], (1 / 3 + 2 / 4) / 2),
        ([4, 3, 2, 1], [1, 0, 1, 0], (1 + 2 / 3) / 2),
        # Of equal scores, any order gives the same.
        ([1, 1, 1, 1], [1, 0, 0, 0], 1 / 4),
        ([2, 1, 1, 1], [1, 0, 0, 1], (1 + 2 / 4) / 2),
        ([5], [1], 1),
    ],
)
def test_average_precision_by_hand(score, label, expected):
    score, label = np.array(score, float), np.array(label, bool)
    assert average_precision(score, label) == pytest.approx(expected)
    assert average_precision(score[::-1], label[::-1]) == pytest.approx(expected)


@pytest.mark.parametrize("levels", [3, 20, 10**6])
def test_average_precision_is_that_of_a_loop(levels):
    rng = np.random.default_rng(levels)
    for number in (2, 7, 60):
        score = rng.integers(levels, size=number).astype(float)
        label = rng.random(number) < 0.4
        label[0] = True
        weight = rng.integers(0, 4, number)
        weight[0] = 1
        once = naive_average_precision(score, label, np.ones(number))
        assert average_precision(score, label) == pytest.approx(once)
        # A weight says how often a unit is drawn. Here each item is a unit, and there is one draw.
        ends = average_precision_interval(score, label, np.arange(number), [weight])
        assert ends == pytest.approx([naive_average_precision(score, label, weight)] * 2)
        repeated = average_precision(score.repeat(weight), label.repeat(weight))
        assert ends == pytest.approx([repeated] * 2)


def test_the_interval_of_an_average_precision_draws_units():
    rng = np.random.default_rng(3)
    score, label = rng.integers(9, size=80).astype(float), rng.random(80) < 0.3
    unit = rng.integers(6, size=80)
    draws = [np.bincount(rng.integers(6, size=6), minlength=6) for _ in range(50)]
    areas = [
        naive_average_precision(score, label, weight)
        for weight in (draw[unit] for draw in draws)
        if weight[label].any()
    ]
    found = average_precision_interval(score, label, unit, draws)
    assert found == pytest.approx(np.percentile(areas, [2.5, 97.5]))
    assert found[0] < found[1]
    # A draw without a labelled item does not count.
    nothing = np.zeros(6, int)
    assert average_precision_interval(score, label, unit, [*draws, nothing]) == found
    assert np.isnan(average_precision_interval(score, label, unit, [nothing])).all()


def test_rank_correlations_are_spearman_s():
    random = np.random.default_rng(3)
    # Whole numbers: with ties.
    first, second = random.integers(0, 9, (2, 50, 12)).astype(float)
    known = random.random((50, 12)) < 0.8
    first[7] = 3
    expected = [
        scipy.stats.spearmanr(a[k], b[k]).statistic if a[k].std() else np.nan
        for a, b, k in zip(first, second, known, strict=True)
    ]
    found = rank_correlations(first, second, known)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isnan(found[7])
    np.testing.assert_allclose(rank_correlations(first, first**3, known)[8:], 1)


def test_a_random_score_has_the_precision_of_chance():
    rng = np.random.default_rng(1)
    label = rng.random(20_000) < 0.1
    assert average_precision(rng.random(20_000), label) == pytest.approx(label.mean(), abs=0.01)
    constant = average_precision(np.zeros(20_000), label)
    assert constant == pytest.approx(label.mean())


def test_precision_and_recall_by_hand():
    score, label = np.array([1.0, 3, 2, 3, 0]), np.array([1, 1, 0, 0, 1], bool)
    precision, recall = precision_recall(score, label)
    assert precision.tolist() == pytest.approx([1 / 2, 1 / 3, 2 / 4, 3 / 5])
    assert recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1])
