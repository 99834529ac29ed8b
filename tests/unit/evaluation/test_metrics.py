"""Metrics and their intervals, compared with hand calculation, SciPy and simulation."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from crmnet.evaluation import agreement
from crmnet.evaluation import metrics as module
from crmnet.evaluation.agreement import pearson, r_squared, rmse
from crmnet.evaluation.metrics import (
    METRICS,
    metrics,
    p_value,
    paired_difference,
    undecided,
)
from crmnet.evaluation.statistics import interval

COMPARE = Path(__file__).parents[3] / "workflow" / "scripts" / "compare.py"


@pytest.fixture(scope="module")
def pairs():
    """Measured and predicted expression of 60 sequences, with many ties."""
    random = np.random.default_rng(3)
    measured = random.normal(10, 3, 60).round()
    return measured, (measured + random.normal(0, 2, 60)).round()


def by_scipy(measured, predicted):
    residual = np.sum((measured - predicted) ** 2)
    r = scipy.stats.pearsonr(measured, predicted).statistic
    return {
        "pearson_r": r,
        "squared_r": r**2,
        "r2": 1 - residual / np.sum((measured - measured.mean()) ** 2),
        "spearman_rho": scipy.stats.spearmanr(measured, predicted).statistic,
        "rmse": math.sqrt(residual / len(measured)),
    }


def values(measured, predicted):
    table = metrics(measured, predicted, replicates=0)
    return dict(zip(table["metric"], table["value"], strict=True))


def test_metrics_by_hand():
    # Products of the deviations sum to 4, their squares to 5; the residuals' squares to 2.
    measured, predicted = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])
    assert pearson(measured, predicted) == pytest.approx(4 / 5)
    assert r_squared(measured, predicted) == pytest.approx(1 - 2 / 5)
    assert rmse(measured, predicted) == pytest.approx(math.sqrt(2 / 4))
    assert values(measured, predicted)["spearman_rho"] == pytest.approx(4 / 5)
    assert values(measured, predicted)["squared_r"] == pytest.approx(16 / 25)


def test_r2_punishes_a_bias_that_correlation_forgives():
    measured = np.array([1.0, 2, 3])
    assert pearson(measured, measured + 2) == pytest.approx(1)
    assert r_squared(measured, measured + 2) == pytest.approx(1 - 12 / 2)
    # The variance explained is of the measurements, so the two are not exchangeable.
    assert r_squared(measured, 2 * measured) == pytest.approx(1 - 14 / 2)
    assert r_squared(2 * measured, measured) == pytest.approx(1 - 14 / 8)


def test_metrics_agree_with_scipy(pairs):
    assert values(*pairs) == pytest.approx(by_scipy(*pairs))
    assert list(values(*pairs)) == list(METRICS)


def test_correlation_keeps_its_digits_far_from_zero(pairs):
    measured, predicted = pairs
    expected = scipy.stats.pearsonr(measured, predicted).statistic
    assert pearson(measured + 1e8, predicted - 1e8) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("constant", [0.0, 0.1, 7.7])
def test_a_constant_has_no_correlation(pairs, constant):
    measured, _ = pairs
    constants = np.full(len(measured), constant)
    assert math.isnan(pearson(measured, constants))
    assert math.isnan(pearson(constants, measured))
    assert math.isnan(r_squared(constants, measured))
    assert r_squared(measured, constants) <= 0


@pytest.mark.parametrize(
    ("r", "n", "p"), [(0.8, 4, 0.2), (-0.8, 4, 0.2), (0, 4, 1), (0.5, 3, 2 / 3)]
)
def test_p_by_hand(r, n, p):
    # Without correlation, r of four pairs is uniform, and r of three the cosine of a uniform angle.
    assert float(p_value(r, n)) == pytest.approx(p, rel=0.005)


@pytest.mark.parametrize(("n", "noise"), [(5, 0.1), (30, 1), (30, 0.001), (300, 1), (3000, 2)])
def test_p_agrees_with_scipy(n, noise):
    random = np.random.default_rng(n)
    x = random.normal(size=n)
    result = scipy.stats.pearsonr(x, x + random.normal(0, noise, n))
    assert 0 < result.pvalue < 0.05
    assert p_value(result.statistic, n) == f"{result.pvalue:.3g}"


def log10_p(r, n):
    """The density of Fisher's z without correlation, cosh(z)^(2 - n), integrated from z(r) on."""

    def log_cosh(z):
        return z + math.log1p(math.exp(-2 * z)) - math.log(2)

    z, power = math.atanh(r), n - 2
    integral, _ = scipy.integrate.quad(
        lambda u: math.exp(power * (log_cosh(z) - log_cosh(z + u))), 0, 80 / (power * r)
    )
    logarithm = math.log(2 * integral) - power * log_cosh(z) - scipy.special.betaln(0.5, power / 2)
    return logarithm / math.log(10)


def r_of_p(exponent, n):
    low, high = 1e-3, 1 - 1e-15
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if log10_p(middle, n) > exponent else (low, middle)
    return low


@pytest.mark.parametrize("n", [60, 500, 3733, 61150])
def test_p_is_a_bound_only_below_the_smallest_double(n):
    for exponent in (-299.5, -300.5, -308.5, -312.2, -320.7, math.log10(5e-324) + 0.01):
        mantissa, power = p_value(r_of_p(exponent, n), n).split("e")
        assert math.log10(float(mantissa)) + int(power) == pytest.approx(exponent, abs=0.005)
    assert p_value(r_of_p(math.log10(5e-324) - 0.02, n), n) == "< 5e-324"


@pytest.mark.parametrize(
    ("r", "n"), [(0.971, 61150), (0.987, 2954), (0.955, 3782), (0.973, 5284), (-0.9, 61150), (1, 9)]
)
def test_p_of_the_published_correlations_is_below_the_smallest_double(r, n):
    assert p_value(r, n) == "< 5e-324"


def test_p_without_degrees_of_freedom_or_correlation_is_not_available():
    assert p_value(0.5, 2) == "NA"
    assert p_value(float("nan"), 100) == "NA"


def test_replicates_equal_scipy_on_the_resampled_sequences(pairs):
    measured, predicted = pairs
    n = len(measured)
    counts = np.random.default_rng(4).multinomial(n, np.full(n, 1 / n), size=20).astype(float)
    both = np.column_stack([predicted, measured - 2 * predicted])
    ranks = [module._Ranks(values) for values in (measured, *both.T)]
    found = module._all_metrics(counts, measured, both, ranks)
    for replicate, times in enumerate(counts.astype(int)):
        for training, column in enumerate(both.T):
            resampled = measured.repeat(times), column.repeat(times)
            assert {name: found[name][training, replicate] for name in METRICS} == pytest.approx(
                by_scipy(*resampled)
            )
        expected = scipy.stats.rankdata(measured.repeat(times))
        np.testing.assert_array_equal(
            ranks[0](counts)[replicate].repeat(times), expected - expected.mean()
        )


def test_a_replicate_of_one_sequence_has_no_correlation():
    random = np.random.default_rng(5)
    for _ in range(300):
        measured, predicted = random.normal(10, 3, (2, 4))
        found = agreement.moments(4 * np.eye(4), measured, predicted)
        assert np.isnan(found["pearson_r"]).all()
        assert np.isnan(found["r2"]).all()
        np.testing.assert_allclose(found["rmse"], abs(measured - predicted))


def test_intervals_depend_on_the_seed_alone(pairs, monkeypatch):
    table = metrics(*pairs, replicates=60, seed=1)
    monkeypatch.setattr("crmnet.evaluation.statistics.NUMBERS_AT_ONCE", 7 * 60)
    pd.testing.assert_frame_equal(metrics(*pairs, replicates=60, seed=1), table)
    other = metrics(*pairs, replicates=60, seed=2)
    assert (other["value"] == table["value"]).all()
    assert (other["low"] != table["low"]).all()


def test_table_has_p_beside_pearson_alone(pairs):
    table = metrics(*pairs, replicates=10).set_index("metric")
    assert (table["n"] == 60).all()
    assert table.loc["pearson_r", "p_value"] == p_value(table.loc["pearson_r", "value"], 60)
    assert (table["p_value"].drop("pearson_r") == "").all()


@pytest.mark.parametrize(
    ("measured", "predicted", "reason"),
    [
        ([1, 2], [1, 2], "three sequences"),
        ([1, 2, np.nan], [1, 2, 3], "not finite"),
        ([1, 2, 3], [1, 2, np.inf], "not finite"),
        ([1, 2, 3], [1, 2], "do not match"),
        ([1, 2, 3], [[1, 2, 3]], "do not match"),
        ([1, 2, 3], np.empty((3, 0)), "do not match"),
    ],
)
def test_unusable_expressions_are_refused(measured, predicted, reason):
    with pytest.raises(ValueError, match=reason):
        metrics(measured, predicted)


# Two predictions of the same sequences


@pytest.fixture(scope="module")
def third(pairs):
    """Other predictions for the sequences of `pairs`, with errors that correlate with the first."""
    measured, predicted = pairs
    return (measured + predicted) / 2 + np.random.default_rng(8).normal(0, 1, len(measured))


def test_equal_predictions_do_not_differ(pairs):
    measured, predicted = pairs
    table = paired_difference(measured, predicted, predicted.copy(), replicates=50)
    assert (table[["difference", "low", "high"]] == 0).all(axis=None)
    assert (table["p_value"] == 1).all()


def test_a_difference_without_spread_has_the_smallest_p():
    # Errors of 1 and of 3 everywhere: the difference of their roots of mean squares is 2 in any
    # replicate. None of 99 is beyond 0; the data are one more.
    measured, sign = np.arange(8.0), np.tile([1, -1], 4)
    table = paired_difference(measured, measured + 3 * sign, measured - sign, replicates=99)
    found = table.set_index("metric").loc["rmse"]
    assert (found[["difference", "low", "high"]] == 2).all()
    assert found["p_value"] == 2 / 100
    assert found["n"] == 8


def test_p_counts_the_replicates_on_the_smaller_side(pairs, third, monkeypatch):
    drawn = np.array([[0.5, 0.1, 0.2, -0.1, 0.3, 0.0, 0.4], np.zeros(7)])
    monkeypatch.setattr(module, "_bootstrap", lambda *_: dict.fromkeys(METRICS, drawn))
    table = paired_difference(*pairs, third, replicates=6)
    # The first is of the data; of six replicates two are at most 0, five at least.
    assert (table["difference"] == 0.5).all()
    assert (table["p_value"] == 2 * (2 + 1) / (6 + 1)).all()


def test_difference_is_that_of_the_metrics(pairs, third):
    table = paired_difference(*pairs, third, replicates=0).set_index("metric")
    first, second = values(*pairs), values(pairs[0], third)
    assert list(table.index) == list(METRICS)
    assert table["difference"].to_dict() == pytest.approx(
        {name: first[name] - second[name] for name in METRICS}
    )


def test_difference_is_symmetric(pairs, third):
    measured, predicted = pairs
    table = paired_difference(measured, predicted, third, replicates=200)
    swapped = paired_difference(measured, third, predicted, replicates=200)
    for name, other in (("difference", "difference"), ("low", "high"), ("high", "low")):
        np.testing.assert_allclose(table[name], -swapped[other], rtol=1e-12)
    assert (table["p_value"] == swapped["p_value"]).all()


def test_intervals_of_differences_are_scipys(pairs, third):
    def difference(measured, first, second, axis):
        return [
            rows(measured, first, axis) - rows(measured, second, axis)
            for rows in (correlations, errors)
        ]

    def correlations(measured, predicted, axis):
        return scipy.stats.pearsonr(measured, predicted, axis=axis).statistic

    def errors(measured, predicted, axis):
        return np.sqrt(np.mean((measured - predicted) ** 2, axis=axis))

    expected = scipy.stats.bootstrap(
        (*pairs, third),
        difference,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=4000,
        rng=np.random.default_rng(9),
    ).confidence_interval
    found = paired_difference(*pairs, third, replicates=4000).set_index("metric")
    found = found.loc[["pearson_r", "rmse"]]
    # As wide about the value as Student's t of 60 sequences asks.
    wider = math.sqrt(60 / 59) * scipy.stats.t.ppf(0.975, 59) / scipy.stats.norm.ppf(0.975)
    low, high = (
        found["difference"] + wider * (end - found["difference"])
        for end in (expected.low, expected.high)
    )
    # A percentile of 4,000 replicates is known to a hundredth of the interval's width.
    assert (abs(found["low"] - low) < 0.03 * (high - low)).all()
    assert (abs(found["high"] - high) < 0.03 * (high - low)).all()
    # What the pairing is for: drawn apart, the intervals would be wider.
    alone = [metrics(pairs[0], one).set_index("metric") for one in (pairs[1], third)]
    apart = np.hypot(*((one["high"] - one["low"])[found.index] for one in alone))
    assert (found["high"] - found["low"] < 0.8 * apart).all()


def test_a_constant_prediction_has_no_difference_of_correlations(pairs):
    measured, predicted = pairs
    table = paired_difference(measured, np.full(60, 7.7), predicted, replicates=20)
    table = table.set_index("metric")[["difference", "low", "high", "p_value"]]
    assert table.loc["pearson_r"].isna().all()
    assert table.loc[["r2", "rmse"]].notna().all(axis=None)


def test_predictions_of_another_number_of_sequences_are_refused():
    with pytest.raises(ValueError, match="do not match"):
        paired_difference([1, 2, 3], [1, 2, 3], [1, 2])


@pytest.mark.parametrize(
    ("seeds", "against", "published", "said"),
    [
        (1, 1, (False, False), "each was trained once"),
        (3, 1, (False, False), "one of them was trained once"),
        (1, 1, (False, True), "one of them was trained once"),
        (3, 1, (False, True), ""),
        (3, 3, (False, False), ""),
        (1, 1, (True, True), ""),
    ],
)
def test_one_training_of_a_model_decides_nothing(seeds, against, published, said):
    mine, other = published
    assert undecided(seeds, against, published=mine, against_published=other) == said
    assert undecided(against, seeds, published=other, against_published=mine) == said


# Families of sequences, and seeds of trainings


def test_copies_of_a_sequence_are_one_sequence(pairs):
    alone = metrics(*pairs, replicates=100)
    # Families of five, in an order of their own.
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(60), 5))
    copied = metrics(*(values[rows] for values in pairs), rows, replicates=100)
    assert (copied["n"] == 300).all() and (copied["families"] == 60).all()
    columns = ["value", "low", "high"]
    np.testing.assert_allclose(copied[columns], alone[columns], rtol=1e-9)
    # Taken for 300 sequences, they would promise more than they know.
    blind = metrics(*(values[rows] for values in pairs), replicates=100)
    assert (blind["high"] - blind["low"] < 0.6 * (alone["high"] - alone["low"])).all()


def test_names_of_families_do_not_matter(pairs):
    families = np.random.default_rng(2).integers(0, 20, 60)
    table = metrics(*pairs, families, replicates=50)
    pd.testing.assert_frame_equal(metrics(*pairs, 7 * families - 3, replicates=50), table)


def test_a_value_is_the_mean_over_trainings(pairs, third):
    measured, predicted = pairs
    both = metrics(measured, np.column_stack([predicted, third]), replicates=0)
    one, two = (metrics(measured, column, replicates=0) for column in (predicted, third))
    np.testing.assert_allclose(both["value"], (one["value"] + two["value"]) / 2)
    assert (both["seeds"] == 2).all() and (one["seeds"] == 1).all()
    r = both.set_index("metric").loc["pearson_r"]
    assert r["p_value"] == p_value(r["value"], 60)


def with_errors(sizes):
    """Measured (40,), and predictions with errors of equal size: each replicate has this RMSE."""
    measured = np.arange(40.0)
    return measured, measured[:, None] + np.tile([1, -1], 20)[:, None] * np.array(sizes)


def test_seeds_alone_make_students_interval():
    sizes = [1.0, 1.2, 1.9]
    table = metrics(*with_errors(sizes), replicates=50).set_index("metric").loc["rmse"]
    expected = scipy.stats.ttest_1samp(sizes, 0).confidence_interval()
    assert (table["low"], table["high"]) == pytest.approx(tuple(expected), rel=0.01)


@pytest.mark.parametrize(
    ("first", "second", "paired"),
    [
        ([1.0, 1.2, 1.9], [2.1, 2.6, 2.3], False),
        ([1.0, 1.2, 1.9], [2.1, 2.6, 2.3], True),
        ([1.0, 1.2], [2.1, 2.6, 2.3, 2.9, 1.0], False),
        ([1.0, 1.2, 1.9, 1.1], [2.5], False),
    ],
)
def test_seeds_alone_make_students_and_welchs_tests(first, second, paired):
    measured, first_predictions = with_errors(first)
    _, second_predictions = with_errors(second)
    pair = (measured, first_predictions, second_predictions)
    table = paired_difference(*pair, paired=paired, replicates=999)
    found = table.set_index("metric").loc["rmse"]
    if paired:
        expected = scipy.stats.ttest_rel(first, second)
    elif len(second) == 1:
        expected = scipy.stats.ttest_1samp(first, second[0])
    else:
        expected = scipy.stats.ttest_ind(first, second, equal_var=False)
    width = found["high"] - found["low"]
    low, high = expected.confidence_interval()
    shift = second[0] if len(second) == 1 else 0
    assert found["low"] == pytest.approx(low - shift, abs=0.01 * width)
    assert found["high"] == pytest.approx(high - shift, abs=0.01 * width)
    assert found["p_value"] == pytest.approx(expected.pvalue, abs=0.01)
    assert (found["seeds"], found["against_seeds"]) == (len(first), len(second))


def test_the_interaction_of_trainings_and_families_counts_once():
    # All trainings as good on these families (no spread of seeds); in replicates they differ.
    random = np.random.default_rng(11)
    shared, own = random.normal(size=4001), random.normal(0, 2, size=(3, 4001))
    model = shared + own
    model[:, 0] = 5
    model[:, 1:] += 5
    value, spread = module._spread(model, effective=1e6)
    assert value == 5
    # Counted twice, the half-width would be that of a standard deviation of sqrt(1 + 4 / 3).
    np.testing.assert_allclose(interval(spread), (5 - 1.96, 5 + 1.96), atol=0.15)
    # A single training has nothing to tell its own from the shared.
    _, spread = module._spread(model[:1], effective=1e6)
    half = 1.96 * math.sqrt(5)
    np.testing.assert_allclose(interval(spread), (5 - half, 5 + half), atol=0.3)


def test_few_families_make_students_interval():
    # Replicates of a mean of k values have the variance (k - 1) / k of what its estimate asks.
    k, normal = 5, scipy.stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    model = np.append(0, normal * math.sqrt((k - 1) / k))[None]
    _, spread = module._spread(model, effective=k)
    half = scipy.stats.t.ppf(0.975, k - 1)
    np.testing.assert_allclose(interval(spread), (-half, half), rtol=0.01)


def test_families_of_unequal_size_count_as_fewer():
    assert module._effective(np.repeat(np.arange(8), 3)) == pytest.approx(8)
    assert module._effective(np.array([0, 0, 0, 1])) == pytest.approx(16 / 10)


@pytest.mark.parametrize("families", [np.zeros(60, int), np.arange(60) // 59])
def test_fewer_than_two_effective_families_have_no_interval(pairs, third, families):
    measured, predicted = pairs
    table = metrics(measured, predicted, families, replicates=20)
    assert table["value"].notna().all() and table[["low", "high"]].isna().all(axis=None)
    table = paired_difference(measured, predicted, third, families, replicates=20)
    assert table["difference"].notna().all()
    assert table[["low", "high", "p_value"]].isna().all(axis=None)


def test_an_interval_stays_in_the_range_of_its_metric():
    random = np.random.default_rng(12)
    measured = random.normal(size=50)
    predicted = measured[:, None] + random.normal(size=(50, 3)) * [0.01, 0.6, 0.2]
    table = metrics(measured, predicted, replicates=50).set_index("metric")
    assert (table.loc[["pearson_r", "squared_r", "r2", "spearman_rho"], "high"] == 1).all()
    assert table.loc["rmse", "low"] == 0


def test_a_training_without_a_value_leaves_none(pairs):
    measured, predicted = pairs
    table = metrics(measured, np.column_stack([predicted, np.full(60, 7.7)]), replicates=20)
    table = table.set_index("metric")[["value", "low", "high"]]
    assert table.loc[["pearson_r", "spearman_rho"]].isna().all(axis=None)
    assert table.loc[["r2", "rmse"]].notna().all(axis=None)


def test_seeds_that_cannot_be_paired_are_refused(pairs):
    measured, predicted = pairs
    several = predicted[:, None] + np.zeros(3)
    with pytest.raises(ValueError, match="3 and 1 trainings cannot be paired"):
        paired_difference(measured, several, predicted, paired=True)
    with pytest.raises(ValueError, match="families .* do not match"):
        metrics(measured, predicted, np.zeros(59, int))


# Seven points, as r stays below 1 on them.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(7)


def expected_metrics(r, spread):
    """Returns data of a model whose trainings have Pearson's r near `r`.

    Predictions are the measurements, of variance 1, plus an error. Both are normal."""
    r = r + spread * NODES
    error = 1 / r**2 - 1
    values = {
        "pearson_r": r,
        "squared_r": r**2,
        "r2": 1 - error,
        "spearman_rho": 6 / math.pi * np.arcsin(r / 2),
        "rmse": np.sqrt(error),
    }
    return {name: WEIGHTS @ value / WEIGHTS.sum() for name, value in values.items()}


def simulated(random, families, size, models, shares, seeds, same_seeds=False):
    """Measured (n,), predictions (n, seeds) of each model, families (n,).

    Args:
        families, size: how many, and their mean size (geometric; 1: each a sequence).
        models: Pearson's r and its standard deviation over seeds, of each.
        shares: of an error's variance, what all models share and what trainings of one share.
    """
    sizes = random.geometric(1 / size, families)
    family = np.repeat(np.arange(families), sizes)

    def field(*shape):
        """Standard normal, correlated by 0.8 in families."""
        of_family = random.normal(size=(*shape, families))[..., family]
        return math.sqrt(0.8) * of_family + math.sqrt(0.2) * random.normal(
            size=(*shape, len(family))
        )

    measured, of_all = field(), field()
    luck = random.normal(size=(len(models), seeds))
    predictions = []
    for (r, spread), z in zip(models, luck[[0, 0]] if same_seeds else luck, strict=False):
        r = r + spread * z
        parts = of_all, field(), field(seeds)
        weights = np.sqrt([*shares, 1 - sum(shares)])
        error = sum(weight * part for weight, part in zip(weights, parts, strict=True))
        predictions.append((measured + np.sqrt(1 / r**2 - 1)[:, None] * error).T)
    return measured, predictions, family


def coverage(monkeypatch, case, truth, found, *, runs, ranks=False):
    """Returns the share of simulated data in which the interval covers the truth, by metric.

    Ranks, most of the time that metrics take, are left out unless they are asked for.
    """
    names = [name for name in METRICS if ranks or name != "spearman_rho"]
    if not ranks:
        monkeypatch.setattr(module._Ranks, "__call__", lambda _, counts: np.zeros_like(counts))
    random = np.random.default_rng(6)
    covered = dict.fromkeys(names, 0)
    for run in range(runs):
        table = found(*simulated(random, *case), seed=run).set_index("metric").loc[names]
        for row in table.itertuples():
            covered[row.Index] += row.low <= truth[row.Index] <= row.high
            # The interval leaves out 0 where P is small, but for the correction of P.
            if "difference" in table:
                assert row.p_value > 0.03 if row.low <= 0 <= row.high else row.p_value < 0.07
    return {name: count / runs for name, count in covered.items()}


@pytest.mark.parametrize(
    ("families", "size", "spread", "shares", "seeds"),
    [
        pytest.param(100, 1, 0, (0, 1), 1, marks=pytest.mark.slow),
        pytest.param(30, 7, 0, (0, 1), 1, marks=pytest.mark.slow),
        pytest.param(200, 2.5, 0, (0, 1), 1, marks=pytest.mark.slow),
        pytest.param(300, 1.2, 0.045, (0, 0.9), 3, marks=pytest.mark.slow),
        pytest.param(30, 7, 0.005, (0, 0.95), 3, marks=pytest.mark.slow),
        (80, 3, 0.045, (0, 0.8), 3),
    ],
    ids=["independent", "30 families", "200 families", "seeds", "families and few seeds", "both"],
)
def test_intervals_cover_the_truth_as_often_as_they_say(
    monkeypatch, families, size, spread, shares, seeds
):
    replicates = 299 if seeds == 1 else 99
    covered = coverage(
        monkeypatch,
        (families, size, [(0.8, spread)], shares, seeds),
        expected_metrics(0.8, spread),
        lambda measured, one, family, seed: metrics(
            measured, *one, family, replicates=replicates, seed=seed
        ),
        runs=600 if seeds == 1 else 800,
        ranks=size == 1,
    )
    for name, share in covered.items():
        # A mean square of few families is often too small, and so is what its replicates vary.
        least = 0.88 if name == "rmse" and families == 30 else 0.92
        assert least <= share <= 0.98, covered


@pytest.mark.parametrize(
    ("families", "size", "spread", "shares", "seeds", "paired"),
    [
        pytest.param(100, 1, 0, (0.5, 0.5), 1, False, marks=pytest.mark.slow),
        pytest.param(30, 7, 0, (0.5, 0.5), 1, False, marks=pytest.mark.slow),
        pytest.param(300, 1.2, 0.045, (0.5, 0.4), 3, False, marks=pytest.mark.slow),
        pytest.param(30, 7, 0.005, (0.3, 0.65), 3, False, marks=pytest.mark.slow),
        (80, 3, 0.03, (0.5, 0.4), 3, False),
        pytest.param(80, 3, 0.03, (0.5, 0.1), 3, True, marks=pytest.mark.slow),
    ],
    ids=["independent", "30 families", "seeds", "families and few seeds", "both", "paired"],
)
def test_differences_cover_the_truth_as_often_as_they_say(
    monkeypatch, families, size, spread, shares, seeds, paired
):
    models = [(0.8, spread), (0.76, spread)]
    first, second = (expected_metrics(*model) for model in models)
    replicates = 299 if seeds == 1 else 99
    covered = coverage(
        monkeypatch,
        (families, size, models, shares, seeds, paired),
        {name: first[name] - second[name] for name in METRICS},
        lambda measured, pair, family, seed: paired_difference(
            measured, *pair, family, paired=paired, replicates=replicates, seed=seed
        ),
        runs=600,
    )
    assert all(0.92 <= share <= 0.98 for share in covered.values()), covered


def trained(random, seeds):
    """Measured (n,), predictions (n, seeds) of two models, families (n,): 60 families of about four
    sequences. All trainings have the same truth about the sequences and the same faults, and each
    has a random linear function of 10 features of the sequences, as errors of its own."""
    family = np.repeat(np.arange(60), random.geometric(1 / 4, 60))
    features = random.normal(size=(60, 10))[family] + 0.3 * random.normal(size=(len(family), 10))
    truth = features @ random.normal(size=10)
    faults = features**2 @ random.normal(size=10) + random.normal(size=len(family))
    own = features @ random.normal(0, 0.4, size=(2, 10, seeds))
    first, second = (truth + faults)[:, None] + own
    return truth, (first, second), family


def share_found(runs, seeds, *, paired=False, by_sequence=False):
    """Returns in how many simulated pairs of models Pearson's r differs with P < 0.05."""
    random = np.random.default_rng(13)
    found = 0
    for run in range(runs):
        measured, pair, family = trained(random, seeds)
        family = None if by_sequence else family
        draw = {"replicates": 99, "seed": run}
        table = paired_difference(measured, *pair, family, paired=paired, **draw)
        found += table["p_value"][0] < 0.05
    return found / runs


@pytest.mark.slow
@pytest.mark.parametrize("paired", [False, True], ids=["apart", "paired"])
def test_a_model_differs_from_itself_at_most_at_the_nominal_rate(paired):
    # Two standard errors above 5 % of 400.
    assert share_found(400, 3, paired=paired) <= 0.072


def test_one_training_each_differs_from_itself_far_too_often():
    assert share_found(100, 1, by_sequence=True) > 0.4
    # Families do not mend what is of seeds.
    assert share_found(100, 1) > 0.2


def test_a_model_better_by_some_standard_deviations_of_seeds_is_found():
    random, found, runs = np.random.default_rng(14), 0, 100
    models = [(0.86, 0.01), (0.8, 0.01)]
    for run in range(runs):
        measured, pair, family = simulated(random, 200, 1.5, models, (0.9, 0.05), 3)
        table = paired_difference(measured, *pair, family, replicates=99, seed=run)
        found += table["p_value"][0] < 0.05
    assert found / runs > 0.8
