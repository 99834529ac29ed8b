"""Metrics and their intervals against numbers worked out by hand, scipy and simulation."""

import math
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from crmnet import evaluation
from crmnet.evaluation import (
    METRICS,
    holm,
    metrics,
    p_value,
    paired_difference,
    pearson,
    r_squared,
    rmse,
)
from crmnet.predictions import write

COMPARE = Path(__file__).parents[2] / "workflow" / "scripts" / "compare.py"


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


# Two predictions of the same sequences


@pytest.fixture(scope="module")
def third(pairs):
    """Other predictions of the sequences of `pairs`, whose errors share some of the first ones'."""
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
    drawn = iter([0.5, 0.1, 0.2, -0.1, 0.3, 0.0, 0.4])
    monkeypatch.setattr(evaluation, "REPLICATES_AT_ONCE", 1)
    monkeypatch.setattr(
        evaluation, "_differences", lambda *_: dict.fromkeys(METRICS, np.array([next(drawn)]))
    )
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
    # A percentile of 4,000 replicates is known to a hundredth of the interval's width.
    width = expected.high - expected.low
    assert (abs(found["low"] - expected.low) < 0.05 * width).all()
    assert (abs(found["high"] - expected.high) < 0.05 * width).all()
    # What the pairing is for: drawn apart, the intervals would be wider.
    alone = [metrics(pairs[0], one).set_index("metric") for one in (pairs[1], third)]
    apart = np.hypot(*((one["high"] - one["low"])[found.index] for one in alone))
    assert (found["high"] - found["low"] < 0.8 * apart).all()


@pytest.mark.parametrize(
    ("first", "second"), [(0.8, 0.7), (0.8, 0.8)], ids=["different", "equally good"]
)
def test_differences_cover_the_truth_as_often_as_they_say(first, second):
    n, runs = 100, 100
    truth = {
        "pearson_r": first - second,
        "squared_r": first**2 - second**2,
        "spearman_rho": 6 / math.pi * (math.asin(first / 2) - math.asin(second / 2)),
        "r2": 2 * (first - second),
        "rmse": math.sqrt(2 - 2 * first) - math.sqrt(2 - 2 * second),
    }
    random = np.random.default_rng(10)
    covered = dict.fromkeys(METRICS, 0)
    for run in range(runs):
        measured, *noise = random.normal(size=(3, n))
        predicted = [
            rho * measured + math.sqrt(1 - rho**2) * one
            for rho, one in zip((first, second), noise, strict=True)
        ]
        for row in paired_difference(measured, *predicted, replicates=200, seed=run).itertuples():
            covered[row.metric] += row.low <= truth[row.metric] <= row.high
            # The interval leaves out 0 where P is small, but for the correction of P.
            assert row.p_value > 0.03 if row.low <= 0 <= row.high else row.p_value < 0.07
    for name, count in covered.items():
        assert 0.88 <= count / runs <= 0.99, name


def test_a_constant_prediction_has_no_difference_of_correlations(pairs):
    measured, predicted = pairs
    table = paired_difference(measured, np.full(60, 7.7), predicted, replicates=20)
    table = table.set_index("metric").drop(columns="n")
    assert table.loc["pearson_r"].isna().all()
    assert table.loc[["r2", "rmse"]].notna().all(axis=None)


def test_predictions_that_do_not_pair_have_no_difference():
    with pytest.raises(ValueError, match="do not pair"):
        paired_difference([1, 2, 3], [1, 2, 3], [1, 2])


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


def compare(tmp_path, predictions, against):
    """Runs the script on predictions {(model, medium): table}; returns the table that it wrote."""
    files = []
    for (model, medium), table in predictions.items():
        files.append(str(tmp_path / f"{model}_{medium}.tsv"))
        write(files[-1], [table])
    params = SimpleNamespace(
        model="crmnet",
        against=against,
        tables=[list(key) for key in predictions],
        replicates=50,
        seed=1,
    )
    out = tmp_path / "comparisons.tsv"
    job = SimpleNamespace(
        input=SimpleNamespace(predictions=files), output=[str(out)], log=[""], params=params
    )
    runpy.run_path(str(COMPARE), init_globals={"snakemake": job})
    return pd.read_csv(out, sep="\t")


@pytest.fixture
def predictions(pairs, third):
    """Of two models on two test sets in two media, but none of `cnn` on random ones in defined."""
    tables = {}
    for model, predicted in (("crmnet", pairs[1]), ("cnn", third)):
        table = pd.DataFrame({"measured": pairs[0], "predicted": predicted})
        table["sequence"] = [f"A{number}" for number in range(60)]
        sets = [table[:40].assign(test_set="random"), table[30:].assign(test_set="native")]
        tables[model, "complex"] = pd.concat(sets)
        tables[model, "defined"] = pd.concat(sets[model == "cnn" :])
    return tables


def test_script_compares_wherever_there_are_predictions(tmp_path, predictions, pairs, third):
    table = compare(tmp_path, predictions, ["danq", "cnn"])
    keys, numbers = ["medium", "test_set", "model", "against"], ["difference", "low", "high"]
    assert list(table) == [*keys, "metric", *numbers, "n", "p_value"]
    found = table.groupby(["medium", "test_set"], sort=False)
    assert list(found.groups) == [
        ("complex", "random"),
        ("complex", "native"),
        ("defined", "native"),
    ]
    assert set(table["model"]) == {"crmnet"} and set(table["against"]) == {"cnn"}
    expected = paired_difference(
        *(one[30:] for one in (*pairs, third)), replicates=50, seed=1
    ).reset_index(drop=True)
    native = found.get_group(("defined", "native"))[list(expected)].reset_index(drop=True)
    pd.testing.assert_frame_equal(native, expected)


@pytest.mark.parametrize("change", ["order", "sequence", "measurement", "test set"])
def test_script_refuses_other_sequences(tmp_path, predictions, change):
    table = predictions["cnn", "defined"].reset_index(drop=True)
    if change == "order":
        table = table[::-1]
    elif change == "sequence":
        table.loc[3, "sequence"] = "C"
    elif change == "measurement":
        table.loc[3, "measured"] += 1
    else:
        table["test_set"] = "other"
    predictions["cnn", "defined"] = table
    with pytest.raises(ValueError, match="crmnet_defined.tsv and .*cnn_defined.tsv do not hold"):
        compare(tmp_path, predictions, ["cnn"])


def test_script_refuses_to_compare_with_nothing(tmp_path, predictions):
    with pytest.raises(ValueError, match="no predictions of danq"):
        compare(tmp_path, predictions, ["danq"])
