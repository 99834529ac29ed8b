"""Metrics and their intervals against numbers worked out by hand, scipy and simulation."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from crmnet import evaluation
from crmnet.evaluation import METRICS, metrics, p_value, pearson, r_squared, rmse


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
def test_p_is_a_number_down_to_its_bound_and_a_bound_only_below(n):
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
    found = evaluation._all_metrics(counts, measured, predicted)
    ranks = evaluation._ranks(counts, measured)
    for replicate, times in enumerate(counts.astype(int)):
        resampled = measured.repeat(times), predicted.repeat(times)
        assert {name: found[name][replicate] for name in METRICS} == pytest.approx(
            by_scipy(*resampled)
        )
        np.testing.assert_array_equal(
            ranks[replicate].repeat(times), scipy.stats.rankdata(resampled[0])
        )


def test_a_replicate_of_one_sequence_has_no_correlation():
    random = np.random.default_rng(5)
    for _ in range(300):
        measured, predicted = random.normal(10, 3, (2, 4))
        found = evaluation._moments(4 * np.eye(4), measured, predicted)
        assert np.isnan(found["pearson_r"]).all()
        assert np.isnan(found["r2"]).all()
        np.testing.assert_allclose(found["rmse"], abs(measured - predicted))


def test_intervals_depend_on_the_seed_alone(pairs, monkeypatch):
    table = metrics(*pairs, replicates=60, seed=1)
    monkeypatch.setattr(evaluation, "REPLICATES_AT_ONCE", 7)
    pd.testing.assert_frame_equal(metrics(*pairs, replicates=60, seed=1), table)
    other = metrics(*pairs, replicates=60, seed=2)
    assert (other["value"] == table["value"]).all()
    assert (other["low"] != table["low"]).all()


def test_intervals_cover_the_truth_as_often_as_they_say():
    # Bivariate normal: both coefficients are known, Spearman's by 6 / pi asin(rho / 2).
    rho, n, runs = 0.8, 100, 200
    truth = {
        "pearson_r": rho,
        "squared_r": rho**2,
        "spearman_rho": 6 / math.pi * math.asin(rho / 2),
        "r2": 2 * rho - 1,
        "rmse": math.sqrt(2 - 2 * rho),
    }
    random = np.random.default_rng(6)
    covered = dict.fromkeys(METRICS, 0)
    for run in range(runs):
        measured, noise = random.normal(size=(2, n))
        predicted = rho * measured + math.sqrt(1 - rho**2) * noise
        for row in metrics(measured, predicted, replicates=200, seed=run).itertuples():
            covered[row.metric] += row.low <= truth[row.metric] <= row.high
    for name, count in covered.items():
        assert 0.88 <= count / runs <= 0.99, name


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
        ([1, 2, 3], [1, 2], "do not pair"),
        ([1, 2, 3], [[1], [2], [3]], "do not pair"),
    ],
)
def test_unusable_expressions_are_refused(measured, predicted, reason):
    with pytest.raises(ValueError, match=reason):
        metrics(measured, predicted)
