"""What the demo must find of what it planted. On the results of the README's command, so that the
demo is not run twice."""

import pandas as pd
import pytest
from conftest import ROOT

DEMO = ROOT / "results" / "demo"
MOTIFS = DEMO / "motifs" / "all"
ACTIVATORS = {"REB1", "ABF1", "RAP1", "AZF1", "NHP10"}

pytestmark = pytest.mark.skipif(
    not (DEMO / "figure_truth.pdf").exists(),
    reason="the demo has not been run: snakemake --profile profiles/demo",
)


@pytest.fixture(scope="module")
def found():
    return pd.read_csv(MOTIFS / "truth_motifs.tsv", sep="\t")


@pytest.fixture(scope="module")
def sites():
    return pd.read_csv(MOTIFS / "truth_sites.tsv", sep="\t").set_index("factor")


@pytest.mark.parametrize(("method", "least"), [("meme", 3), ("drimust", 2), ("gadem", 3)])
def test_a_method_finds_planted_activators(found, method, least):
    rows = found[(found["method"] == method) & found["found"] & (found["ln_e_value"] < -3)]
    assert len(ACTIVATORS & set(rows["factor"])) >= least


def test_each_activator_is_found_by_some_method(found):
    assert set(found.loc[found["found"], "factor"]) >= ACTIVATORS


def test_motifs_are_selected_and_are_planted_ones():
    table = pd.read_csv(MOTIFS / "motifs.tsv", sep="\t")
    shown = table[table["selected"].notna()]
    names = [{row.target_name, *str(row.ties).split(", ")} for row in shown.itertuples()]
    assert len(names) >= 3
    assert sum(bool(ACTIVATORS & name) for name in names) >= len(names) - 1


def test_scanning_finds_most_planted_sites_and_hardly_others(sites):
    assert sites.loc["all", "share"] > 0.6
    assert sites.loc["all", "matches_planted"] > 0.8 * sites.loc["all", "matches"]


def test_saliency_lies_on_planted_sites(sites):
    whole = sites.loc["all"]
    assert whole["average_precision_low"] > whole["base_rate"]
    assert whole["saliency"] > 1.1 * whole["elsewhere"]


def test_saliency_and_expression_are_higher_with_the_selected_motifs():
    effects = pd.read_csv(MOTIFS / "effects.tsv", sep="\t")
    assert (effects.loc[effects["measure"] == "expression", "difference"] > 0).all()
    saliency = effects[effects["measure"] == "saliency"]
    assert (saliency["p_holm"] < 0.05).mean() > 0.5


def test_saliency_depends_on_the_weights():
    checks = pd.read_csv(DEMO / "figure_sanity.tsv", sep="\t")
    assert list(checks["map"].unique()) == ["gradient", "mutagenesis"]
    for kind, most in (("gradient", 0.1), ("mutagenesis", 0.3)):
        rows = checks[checks["map"] == kind].set_index("stage")
        assert rows.loc["none", "signed"] == pytest.approx(1, abs=1e-3)
        assert rows.loc["all", ["signed", "absolute"]].abs().to_numpy().max() < most


@pytest.fixture(scope="module")
def correlation():
    metrics = pd.read_csv(DEMO / "metrics.tsv", sep="\t")
    metrics = metrics[metrics["metric"] == "pearson_r"]
    return metrics.set_index(["model", "medium", "test_set"])["value"]


@pytest.mark.parametrize("medium", ["complex", "defined"])
def test_crmnet_predicts_the_simulated_expression(correlation, medium):
    assert correlation["crmnet", medium, "native"] > 0.7
    assert correlation["crmnet", medium, "random"] > 0.85


def test_every_model_has_learned_and_crmnet_is_ahead_of_the_others(correlation):
    random = correlation.xs(("complex", "random"), level=["medium", "test_set"])
    assert random.min() > 0.7
    assert random["crmnet"] > random[["cnn", "deepsea"]].max()


def test_mutagenesis_is_nearer_to_the_truth_than_the_gradient():
    maps = pd.read_csv(MOTIFS / "truth_maps.tsv", sep="\t").set_index("map")
    measures = ["rank_correlation", "planted", "effective"]
    assert (maps.loc["mutagenesis", measures] > maps.loc["gradient", measures]).all()
    assert maps.loc["mutagenesis", "effective_low"] > maps.loc["mutagenesis", "effective_base_rate"]
    assert maps.loc["truth", "rank_correlation"] == pytest.approx(1)
