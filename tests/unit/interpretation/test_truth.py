"""Planted against found: factors among the motifs, and sites among the matches and in the saliency
maps."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from crmnet.data import sequences, simulation
from crmnet.data.sequences import Construct, N
from crmnet.evaluation.statistics import average_precision
from crmnet.interpretation import maps
from crmnet.interpretation.truth import (
    ALL,
    CURVE_POINTS,
    EFFECTIVE,
    MAP_COLUMNS,
    MOTIF_COLUMNS,
    SITE_COLUMNS,
    TRUTH,
    curve,
    found_motifs,
    map_table,
    site_table,
    true_effects,
)
from crmnet.motifs.known import known_motifs


class Files(SimpleNamespace):
    """Values that can be read as attributes or by key."""

    def __getitem__(self, name):
        return getattr(self, name)


SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "truth.py"


def test_the_curve_is_sampled_at_even_recalls():
    rng = np.random.default_rng(2)
    label = rng.random(5000) < 0.2
    score = rng.normal(size=5000) + label
    points = curve(score, label)
    assert len(points) == CURVE_POINTS
    assert (np.diff(points["recall"]) >= 0).all()
    wanted = np.arange(1, CURVE_POINTS + 1) / CURVE_POINTS
    assert (points["recall"] >= wanted - 1e-9).all()
    assert (points["recall"] <= wanted + 1 / label.sum()).all()
    assert points["recall"].iloc[-1] == 1
    assert points["precision"].iloc[-1] >= label.mean()
    steps = (np.diff(points["recall"], prepend=0) * points["precision"]).sum()
    assert steps == pytest.approx(average_precision(score, label), abs=0.01)
    # One threshold: one point, many times.
    assert curve(np.arange(10.0), np.zeros(10, bool)).empty
    flat = curve(np.zeros(10), np.arange(10) < 4)
    assert set(flat["recall"]) == {1.0} and set(flat["precision"]) == {0.4}


METHODS = ["meme", "drimust"]
FACTORS = pd.DataFrame(
    {
        "factor": ["REB1", "RAP1", "UME6"],
        "matrix_id": ["MA1", "MA2", "MA3"],
        "complex": [1.5, 1.0, -2.0],
        "defined": [1.0, 0.5, -1.0],
    }
)


def matches_of(*rows):
    return pd.DataFrame(rows, columns=["motif", "target", "by", "e_value", "tie"])


def motifs_of(*rows):
    table = pd.DataFrame(rows, columns=["method", "motif", "ln_e_value"])
    return table.assign(e_value=[f"1e{x:.0f}" for x in table["ln_e_value"]], engine="MEME 5")


def test_factors_found_by_each_method():
    table = motifs_of(
        ("meme", "meme_1", -90.0),
        ("meme", "meme_2", -50.0),
        ("meme", "meme_3", -2000.0),
        ("drimust", "drimust_1", -9.0),
    )
    matches = matches_of(
        # Two motifs of one factor: that of the lower E-value counts, whatever it matches best.
        ("meme_2", "MA1", "tomtom", 1e-9, False),
        ("meme_1", "MA1", "tomtom", 1e-4, False),
        ("meme_1", "MA2", "tomtom", 1e-3, False),
        ("meme_1", "MA3", "pearson", 1e-3, True),
        # As good as the best, which is another's.
        ("meme_3", "MA9", "tomtom", 1e-6, True),
        ("meme_3", "MA3", "tomtom", 2e-6, True),
        ("meme_3", "MA2", "tomtom", 0.5, True),
        ("drimust_1", "MA2", "tomtom", 0.11, False),
    )
    found = found_motifs(table, matches, FACTORS, METHODS, "complex", "tomtom", 0.1)
    assert list(found.columns) == MOTIF_COLUMNS
    assert found["method"].tolist() == ["meme"] * 3 + ["drimust"] * 3
    assert found["factor"].tolist() == ["REB1", "RAP1", "UME6"] * 2
    assert found["activity"].tolist() == [1.5, 1.0, -2.0] * 2
    assert set(found["engine"]) == {"MEME 5"} and set(found["end"]) == {"high"}
    assert found["found"].tolist() == [True, False, True, False, False, False]
    rows = found.set_index(["method", "factor"]).loc["meme"]
    assert rows.loc["REB1", ["motif", "e_value", "ln_e_value", "tied"]].tolist() == [
        *("meme_1", "1e-90", -90.0, False)
    ]
    assert rows.loc["UME6", ["motif", "ln_e_value", "tied"]].tolist() == ["meme_3", -2000.0, True]
    assert (
        found.loc[~found["found"], ["motif", "e_value", "ln_e_value", "tied"]].isna().all(axis=None)
    )
    defined = found_motifs(table, matches, FACTORS, METHODS, "defined", "tomtom", 0.2)
    assert defined["activity"].tolist() == [1.0, 0.5, -1.0] * 2
    assert defined["found"].tolist() == [True, False, True, False, True, False]


def test_a_factor_is_found_by_a_correlation_of_at_least_the_limit():
    table = motifs_of(("meme", "meme_1", -90.0), ("meme", "meme_2", -50.0))
    rows = [("meme_1", "MA1", 0.9), ("meme_2", "MA2", 0.89)]
    matches = pd.DataFrame(rows, columns=["motif", "target", "pearson"])
    matches = matches.assign(by="pearson", e_value=1e-9, tie=False)
    found = found_motifs(table, matches, FACTORS, ["meme"], "complex", "pearson", 0.9)
    assert found["found"].tolist() == [True, False, False]


def test_no_motif_finds_a_factor():
    for table in (motifs_of(("meme", "meme_1", -9.0)), motifs_of()):
        found = found_motifs(table, matches_of(), FACTORS, METHODS, "complex", "tomtom", 0.1)
        assert list(found.columns) == MOTIF_COLUMNS
        # Also of a method without a motif.
        assert found["method"].tolist() == ["meme"] * 3 + ["drimust"] * 3
        assert not found["found"].any()


@pytest.fixture
def case():
    """Three sequences of two families with sites of two factors. One site has a substitution."""
    sites = [
        (4, "REB1", "MA1", 2, 3, "+"),
        (2, "REB1", "MA1", 2, 3, "+"),
        (2, "RAP1", "MA2", 3, 5, "-"),
        (9, "REB1", "MA1", 1, 2, "-"),
    ]
    hits = [
        ("MA1", "s4", 2, 3, "+"),
        # Elsewhere, or on the other strand, or of another factor, is no hit of the site in row 2.
        ("MA1", "s2", 3, 4, "+"),
        ("MA1", "s2", 2, 3, "-"),
        ("MA3", "s2", 2, 3, "+"),
        ("MA2", "s2", 3, 5, "-"),
        ("MA1", "s9", 1, 2, "-"),
        ("MA8", "s9", 1, 2, "-"),
    ]
    saliency = [[1, 4, 2, 0, -5], [1, -6, 2, 3, 4], [-4, 2, 1, 3, 9]]
    return SimpleNamespace(
        sites=pd.DataFrame(sites, columns=["row", "factor", "matrix_id", "start", "end", "strand"]),
        hits=pd.DataFrame(hits, columns=["motif", "sequence", "start", "end", "strand"]),
        ranked=pd.DataFrame(
            {"sequence": ["s4", "s2", "s9"], "row": [4, 2, 9], "family": [7, 7, 3]}
        ),
        saliency=np.array(saliency, np.float32),
        lengths=np.array([5, 5, 4]),
    )


def table_of(case, replicates=200, **changed):
    given = vars(case) | changed
    names = ("sites", "hits", "ranked", "saliency", "lengths")
    values = (given[name] for name in names)
    return site_table(*values, FACTORS, replicates=replicates, seed=1).set_index("factor")


def test_sites_that_scanning_finds(case):
    table = table_of(case)
    assert ["factor", *table.columns] == SITE_COLUMNS
    assert table.index.tolist() == ["REB1", "RAP1", "UME6", ALL]
    assert table["sites"].tolist() == [3, 1, 0, 4]
    assert table["found"].tolist() == [2, 1, 0, 3]
    assert table["share"].tolist()[:2] == pytest.approx([2 / 3, 1])
    assert np.isnan(table.loc["UME6", "share"])
    assert table.loc[ALL, "share"] == 0.75
    # Of all matches, those of a planted factor.
    assert table["matches"].tolist() == [4, 1, 1, 6]
    assert table["matches_planted"].tolist() == [2, 1, 0, 3]
    # Families: 7 has one site of two found, 3 its only one; both, or twice one of them, is drawn.
    assert table.loc["REB1", ["share_low", "share_high"]].tolist() == [0.5, 1]
    assert table.loc["RAP1", ["share_low", "share_high"]].tolist() == [1, 1]
    assert table.loc["UME6", SITE_COLUMNS[8:]].isna().all()


def test_saliency_on_sites(case):
    table = table_of(case)
    # In no site: 1, 0, 5 of the first, 1 of the second, 1, 3 of the last, which ends there.
    free = [1, 0, 5, 1, 1, 3]
    own = {"REB1": [4, 2, 6, 2, 4, 2], "RAP1": [2, 3, 4]}
    # Both factors' sites cover a position of the second.
    own[ALL] = [*own["REB1"], 3, 4]
    for factor, values in own.items():
        row = table.loc[factor]
        assert row["saliency"] == pytest.approx(np.mean(values))
        assert row["elsewhere"] == pytest.approx(np.mean(free))
        score = np.array([*values, *free], float)
        label = np.arange(len(score)) < len(values)
        expected = average_precision(score, label)
        assert row["average_precision"] == pytest.approx(expected)
        assert row["base_rate"] == pytest.approx(label.mean())
        assert row["average_precision_low"] <= expected + 1e-9
        assert row["average_precision_high"] >= expected - 1e-9


def test_intervals_draw_families(case):
    """The same by hand, from the drawn families with all their members."""
    table = table_of(case, replicates=60)
    # By `factorize` family 7 is 0 and 3 is 1.
    rng = np.random.default_rng(1)
    drawn = [rng.integers(2, size=2) for _ in range(60)]
    on = {0: [4, 2, 6, 2], 1: [4, 2]}
    off = {0: [1, 0, 5, 1], 1: [1, 3]}
    areas = []
    for families in drawn:
        score = np.array(
            [x for f in families for x in on[f]] + [x for f in families for x in off[f]]
        )
        label = np.arange(len(score)) < sum(len(on[f]) for f in families)
        areas.append(average_precision(score.astype(float), label))
    ends = table.loc["REB1", ["average_precision_low", "average_precision_high"]].tolist()
    assert ends == pytest.approx(np.percentile(areas, [2.5, 97.5]).tolist())
    assert ends[0] < ends[1]


def test_nothing_found_and_nothing_planted(case):
    none = table_of(case, hits=case.hits[:0].astype(object))
    assert none["found"].sum() == 0
    assert (none["matches"] == 0).all()
    assert none.loc["REB1", ["share", "share_low", "share_high"]].tolist() == [0, 0, 0]
    assert none["average_precision"].notna().tolist() == [True, True, False, True]


def test_sites_of_other_sequences_are_refused(case):
    case.sites.loc[1, "row"] = 5
    with pytest.raises(ValueError, match="sequence 5: .* not of the same sequences"):
        table_of(case)


CONSTRUCT = Construct("TGCATTTTTTTCACATC", "GGTTACGGCTGTT", 24, 56)


def simulated_factors():
    known = {m.alt: m for m in known_motifs().motifs}
    return [
        simulation.Factor.of_counts(name, known[name].name, known[name].counts)
        for name in ("REB1", "ROX1")
    ]


def test_the_true_effect_of_a_base_is_what_its_mutations_do():
    factors, activities = simulated_factors(), np.array([2.0, -1.5])
    tokens = np.random.default_rng(5).integers(0, 4, (3, 24), dtype=np.uint8)
    tokens[0, 3:10] = sequences.tokenise("TTACCCG")
    tokens[1, 20:] = N
    effects = true_effects(tokens, CONSTRUCT, factors, activities)
    for row, position in np.ndindex(*tokens.shape):
        mutants = np.tile(tokens[row], (4, 1))
        if tokens[row, position] == N:
            assert effects[row, position] == 0
            continue
        mutants[:, position] = range(4)
        whole = sequences.in_construct(mutants, CONSTRUCT)
        each = simulation.expression(whole, factors, activities)
        own = tokens[row, position]
        expected = each[own] - np.delete(each, own).mean()
        assert effects[row, position] == pytest.approx(expected, abs=1e-5)
    # A base of the site of an activator.
    assert effects[0, 5:9].min() > EFFECTIVE


def test_maps_are_compared_with_the_true_effects():
    rng = np.random.default_rng(6)
    effects = rng.normal(size=(40, 30)) * 0.3
    planted, known = rng.random((40, 30)) < 0.3, np.ones((40, 30), bool)
    known[3, 20:] = False
    families = np.arange(40) // 4
    maps = {"opposite": -2 * effects, "noisy": effects + rng.normal(size=effects.shape) * 0.3}
    maps["random"] = rng.normal(size=effects.shape)
    table = map_table(maps, effects, planted, known, families, replicates=100, seed=1)
    assert list(table.columns) == MAP_COLUMNS
    assert table["map"].tolist() == ["opposite", "noisy", "random", TRUTH]
    table = table.set_index("map")
    rho = table["rank_correlation"]
    assert rho[["opposite", TRUTH]].tolist() == pytest.approx([-1, 1])
    each = [
        scipy.stats.spearmanr(a[k], b[k]).statistic
        for a, b, k in zip(maps["noisy"], effects, known, strict=True)
    ]
    assert rho["noisy"] == pytest.approx(np.mean(each))
    assert table.loc["random", "rank_correlation_low"] < 0 < rho["noisy"]
    # By absolute value.
    effective = planted & (np.abs(effects) >= EFFECTIVE)
    for name, label in (("planted", planted), ("effective", effective)):
        assert table[f"{name}_base_rate"].to_numpy() == pytest.approx(label[known].mean())
        assert table.loc["opposite", name] == table.loc[TRUTH, name]
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
        expected = average_precision(np.abs(maps["random"][known]), label[known])
        assert table.loc["random", name] == pytest.approx(expected)
    assert table.loc[TRUTH, "effective"] > table.loc["noisy", "effective"]


def run_script(case, folder, test_set):
    width = case.saliency.shape[1]
    tokens = np.full((10, width), N, np.uint8)
    gradient = np.zeros((10, width, 4), np.float32)
    for row, values, length in zip(case.ranked["row"], case.saliency, case.lengths, strict=True):
        tokens[row, :length] = 1
        gradient[row, :, 1] = values
    zeros = np.zeros(10)
    whole = maps.Maps(np.arange(10), tokens, gradient, zeros, zeros, zeros)
    maps.save(folder / "maps.npz", whole)
    maps.save(folder / "mutagenesis.npz", whole.of([2, 9]))
    other = case.sites.assign(row=99)
    sites = pd.concat([case.sites.assign(set="native"), other.assign(set="random")])
    tables = {
        "motifs": motifs_of(("meme", "meme_1", -2000.0)).assign(e_value="2.5e-869"),
        "matches": matches_of(("meme_1", "MA1", "tomtom", 1e-4, False)),
        "low": motifs_of(("meme", "meme_1", -30.0)).assign(e_value="9e-14"),
        "low_matches": matches_of(("meme_1", "MA3", "tomtom", 1e-4, False)),
        "hits": case.hits,
        "ranked": case.ranked,
        "sites": sites,
        "factors": FACTORS,
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    job = SimpleNamespace(
        input=Files(
            saliency=folder / "maps.npz",
            mutagenesis=folder / "mutagenesis.npz",
            **{name: folder / f"{name}.tsv" for name in tables},
        ),
        output=SimpleNamespace(
            **{name: folder / f"truth_{name}.tsv" for name in ("found", "sites", "maps", "curve")}
        ),
        params=SimpleNamespace(
            test_set=test_set,
            medium="complex",
            measure="tomtom",
            cutoff=0.1,
            construct=vars(CONSTRUCT),
            maps=["mutagenesis"],
            replicates=20,
            seed=1,
        ),
        log=[folder / "log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    return {name: pd.read_csv(path, sep="\t") for name, path in vars(job.output).items()}


def test_the_script(case, tmp_path):
    written = run_script(case, tmp_path, "native")
    assert written["found"]["method"].unique().tolist() == ["meme", "drimust", "gadem"]
    # The repressor is found at the low end of the list.
    assert written["found"]["found"].tolist() == [True] + [False] * 10 + [True]
    assert written["found"]["end"].tolist() == ["high"] * 9 + ["low"] * 3
    # Below the smallest double.
    assert "\t2.5e-869\t" in (tmp_path / "truth_found.tsv").read_text()
    assert written["sites"]["found"].tolist() == [2, 1, 0, 3]
    expected = table_of(case, replicates=20)
    assert written["sites"]["average_precision"].to_numpy() == pytest.approx(
        expected["average_precision"].to_numpy(), rel=1e-5, nan_ok=True
    )
    assert written["curve"]["recall"].iloc[-1] == 1
    # All positions of the inserts that have every map: 6 of 9 are planted.
    assert written["curve"]["precision"].iloc[-1] >= 6 / 9
    compared = written["maps"]
    assert compared["map"].tolist() == ["gradient", "mutagenesis", TRUTH]
    assert set(compared["sequences"]) == {2}
    assert compared["planted_base_rate"].to_numpy() == pytest.approx(6 / 9)


def test_a_set_without_sites_is_refused(case, tmp_path):
    with pytest.raises(ValueError, match="sites.tsv: has no sites of a test set 'all_native'; set"):
        run_script(case, tmp_path, "all_native")
