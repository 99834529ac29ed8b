"""The paper's selection of motifs: each branch of the rule, and similar and different motifs."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.motifs import known, selection
from crmnet.motifs.matching import COLUMNS as MATCH_COLUMNS
from crmnet.motifs.matching import match, tomtom
from crmnet.motifs.motif import Motif, MotifError, write_meme
from crmnet.motifs.selection import COLUMNS, best_matches, reproductions, select

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "selection.py"
EVEN = np.full(4, 0.25)
SELECT = {"motifs": 5, "e_value": 0.05}
RULE = {**SELECT, "measure": "tomtom", "cutoff": 0.1}


def random_motif(seed, width=10, name=None, alt=""):
    rows = np.random.default_rng(seed).dirichlet(np.full(4, 0.2), width)
    return Motif(name or f"K{seed}", rows * 40, 40, alt=alt)


def part(motif, name, first, last):
    """Some positions of a motif, as if another method had found it."""
    return Motif(name, motif.counts[first:last], motif.sites)


KNOWN = [random_motif(seed, alt=f"F{seed}") for seed in range(60)]


def row(motif, method="meme", e_value=1e-9, **changed):
    cells = {
        "method": method,
        "motif": motif,
        "ln_e_value": np.log(e_value) if e_value else -np.inf,
        "target": motif.upper(),
        "target_name": f"F-{motif}",
        "match": 1e-4,
        "reproduced_by": "drimust",
    }
    return cells | changed


def chosen(rows, **changed):
    """Motif -> its rank, or the reason why it is not selected, in the order of the table."""
    table = select(pd.DataFrame(rows), **RULE | changed)
    assert str(table["selected"].dtype) == "Int64"
    assert ((table["why"] == "") == table["selected"].notna()).all()
    places = table["selected"].astype(object).where(table["selected"].notna(), table["why"])
    return dict(zip(table["motif"], places, strict=True))


def test_each_branch_of_the_rule():
    rows = [
        row("last", e_value=0.05),
        row("weak", e_value=0.0501),
        row("unknown", match=0.11),
        row("unmatched", match=np.nan, target=np.nan),
        row("alone", reproduced_by=""),
        row("other", method="gadem", e_value=1e-30),
        row("best", e_value=1e-20, match=0.1),
        row("again", e_value=1e-15, target="BEST", target_name="F-best"),
        row("first_of_drimust", method="drimust", e_value=1e-40),
    ]
    places = chosen(rows)
    other = "a motif of the ranked list, which reproduces others"
    assert places == {
        "best": 1,
        "again": "F-best is selected already",
        "unknown": "no known motif matches (Tomtom's E at most 0.1)",
        "unmatched": "no known motif matches (Tomtom's E at most 0.1)",
        "alone": "no method on the ranked list reproduces it",
        "last": 2,
        "weak": "its E-value is above 0.05",
        "first_of_drimust": other,
        "other": other,
    }
    # By method and E-value, those that are equal as they were.
    assert list(places) == [
        *("best", "again", "unknown", "unmatched", "alone", "last", "weak"),
        *("first_of_drimust", "other"),
    ]


def test_no_more_motifs_are_selected_than_asked_for():
    rows = [row(name, e_value=10.0 ** -(9 - place)) for place, name in enumerate("abcd")]
    rows += [row("e", e_value=1e-3, target="A", target_name="F-a")]
    late = "2 are selected before it"
    places = chosen(rows, motifs=2)
    assert places == {"a": 1, "b": 2, "c": late, "d": late, "e": "F-a is selected already"}
    assert chosen(rows, motifs=4)["d"] == 4


def test_equal_e_values_and_those_below_the_smallest_double():
    rows = [row("b", e_value=0), row("a", e_value=0), row("c", ln_e_value=-2000.0)]
    rows += [row("d", ln_e_value=-3000.0), row("e", ln_e_value=np.nan)]
    places = chosen(rows)
    assert places == {"b": 1, "a": 2, "d": 3, "c": 4, "e": "its E-value is above 0.05"}
    assert list(places) == ["b", "a", "d", "c", "e"]


def test_a_correlation_must_be_at_least_its_limit():
    rows = [row("alike", match=0.9), row("other", match=0.89), row("none", match=np.nan)]
    places = chosen(rows, measure="pearson", cutoff=0.9)
    unlike = "no known motif matches (Pearson's r at least 0.9)"
    assert places == {"alike": 1, "other": unlike, "none": unlike}


def matches_of(*rows):
    columns = ["motif", "target", "target_name", "by", "e_value", "tie", "pearson"]
    return pd.DataFrame(rows, columns=columns)


def test_the_best_match_and_those_as_good():
    best = best_matches(
        matches_of(
            ("m1", "T2", "REB1", "tomtom", 1e-6, True, 0.8),
            ("m1", "T1", "RAP1", "tomtom", 2e-6, True, 0.7),
            ("m1", "T3", "ABF1", "tomtom", 1e-2, False, 0.6),
            ("m1", "T4", "OTHER", "pearson", 3.0, False, 0.95),
            ("m2", "T1", "RAP1", "tomtom", 9.0, False, 0.1),
        ),
        "tomtom",
    )
    assert best.index.tolist() == ["m1", "m2"]
    assert best.to_dict("list") == {
        "target": ["T2", "T1"],
        "target_name": ["REB1", "RAP1"],
        "match": [1e-6, 9.0],
        "ties": ["REB1, RAP1", ""],
    }
    best = best_matches(matches_of(("m1", "T4", "OTHER", "pearson", 3.0, False, 0.95)), "pearson")
    assert best.loc["m1", ["target", "match", "ties"]].tolist() == ["T4", 0.95, ""]
    assert best_matches(matches_of(), "pearson").empty


def methods():
    """A motif, another one, and the motifs of methods of which two find parts of the first."""
    motif, unlike = random_motif(500, 12, "meme_1"), random_motif(501, 12, "meme_2")
    others = {
        "drimust": [random_motif(600, 8, "d1"), part(motif, "d2", 3, 11)],
        "gadem": [part(motif.reverse_complement(), "g1", 0, 9)],
        "random": [random_motif(700 + i, 8, f"r{i}") for i in range(5)],
        "nothing": [],
    }
    return motif, unlike, others


def test_a_motif_found_elsewhere_is_reproduced():
    motif, unlike, others = methods()
    same = reproductions([motif, unlike], others, KNOWN, EVEN, "tomtom", 1e-3, {})
    assert same == {"meme_1": ["drimust", "gadem"], "meme_2": []}
    # Nothing known is needed to compare motifs, only their number.
    loose = (EVEN, "tomtom", 10.0, {})
    assert reproductions([motif], {"a": others["gadem"]}, [], *loose) == {"meme_1": ["a"]}
    assert reproductions([motif], {"a": []}, KNOWN, *loose) == {"meme_1": []}
    assert reproductions([], others, KNOWN, EVEN, "tomtom", 0.1, {}) == {}


@pytest.mark.parametrize(("measure", "cutoff"), [("pearson", 0.99), ("euclidean", 0.01)])
def test_a_motif_is_reproduced_by_tfbstools_similarity(measure, cutoff):
    motif, unlike, others = methods()
    same = reproductions([motif, unlike], others, KNOWN, EVEN, measure, cutoff, {})
    assert same == {"meme_1": ["drimust", "gadem"], "meme_2": []}
    none = reproductions([motif], {"nothing": []}, KNOWN, EVEN, measure, cutoff, {})
    assert none == {"meme_1": []}


def test_two_parts_of_a_known_motif_reproduce_each_other():
    motif = random_motif(500, 12)
    first, last = part(motif, "meme_1", 0, 9), part(motif, "gadem_1", 3, 12)
    names = {"meme_1": {"F1", "F2"}, "gadem_1": {"F2"}}
    found = [
        reproductions([first], {"gadem": [last]}, KNOWN, EVEN, "euclidean", 0.01, given)
        for given in (names, {}, names | {"gadem_1": {"F3"}})
    ]
    assert found == [{"meme_1": ["gadem"]}, {"meme_1": []}, {"meme_1": []}]


def test_the_e_value_counts_the_motifs_of_the_method():
    motif = random_motif(500, 12, "meme_1")
    alike = part(motif, "d1", 4, 8)
    many = [alike, *(random_motif(800 + i, 9, f"d{i + 2}") for i in range(9))]
    compared = tomtom(motif, [*many, *KNOWN], EVEN).set_index("target")["p_value"]
    best = compared[[m.name for m in many]].min() * 10
    for limit, said in ((best * 1.01, ["drimust"]), (best * 0.99, [])):
        same = reproductions([motif], {"drimust": many}, KNOWN, EVEN, "tomtom", limit, {})
        assert same == {"meme_1": said}


def test_a_method_that_finds_noise_reproduces_one_motif_in_ten():
    # As often as the E-value says, not by how many motifs the method finds.
    known = [random_motif(2000 + i, 12) for i in range(40)]
    found = [
        reproductions(
            [random_motif(3000 + i, 10, "m")],
            {"a": [random_motif(5000 + 9 * i + j, 8, f"a{j}") for j in range(5)]},
            known,
            EVEN,
            "tomtom",
            0.1,
            {},
        )["m"]
        for i in range(60)
    ]
    assert sum(map(bool, found)) <= 14


def method_table(method, found, ln_e_values):
    """Writes the files that the methods write."""
    return pd.DataFrame(
        {
            "motif": [motif.name for motif in found],
            "method": method,
            "engine": "built in",
            "width": [motif.width for motif in found],
            "sites": 40,
            "ln_e_value": ln_e_values,
            "e_value": [f"1e{logarithm / np.log(10):.0f}" for logarithm in ln_e_values],
            "consensus": [motif.consensus() for motif in found],
            "more": 1,
        }
    )


@pytest.fixture
def found():
    """MEME finds two known motifs and noise; DRIMust one of them, rGADEM the other."""
    reverse = KNOWN[1].reverse_complement()
    of = {
        "meme": [
            part(KNOWN[0], "meme_1", 0, 10),
            random_motif(900, 9, "meme_2"),
            part(reverse, "meme_3", 0, 9),
        ],
        "drimust": [part(KNOWN[0], "drimust_1", 1, 9)],
        "gadem": [part(KNOWN[1], "gadem_1", 1, 10)],
    }
    logarithms = {"meme": [-2000.0, -50.0, -9.0], "drimust": [-9.0], "gadem": [-9.0]}
    tables = {method: method_table(method, of[method], logarithms[method]) for method in of}
    return SimpleNamespace(of=of, tables=tables)


def write(found, folder):
    parts = []
    for method, table in found.tables.items():
        write_meme(folder / f"{method}.meme", found.of[method], EVEN)
        table.to_csv(folder / f"{method}.tsv", sep="\t", index=False)
        parts.append(match(folder / f"{method}.meme", KNOWN).assign(method=method))
    table = pd.concat(parts).assign(engine="built in", known="JASPAR")
    table.to_csv(folder / "matches.tsv", sep="\t", index=False)
    return table


def run_script(folder, monkeypatch):
    given = known.Known(KNOWN, "JASPAR")
    monkeypatch.setattr(known, "known_motifs", lambda _: given)
    job = SimpleNamespace(
        input=SimpleNamespace(
            motifs=[str(folder / f"{method}.meme") for method in ("meme", "drimust", "gadem")],
            matches=folder / "matches.tsv",
        ),
        output=[folder / "motifs.tsv"],
        params=SimpleNamespace(known="own.meme", select=SELECT, measure="tomtom", cutoff=0.1),
        log=[folder / "log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    return pd.read_csv(folder / "motifs.tsv", sep="\t", dtype={"e_value": str})


def test_the_script(found, tmp_path, monkeypatch):
    write(found, tmp_path)
    table = run_script(tmp_path, monkeypatch)
    assert list(table.columns) == COLUMNS
    assert table["motif"].tolist() == ["meme_1", "meme_2", "meme_3", "drimust_1", "gadem_1"]
    rows = table.set_index("motif")
    assert rows["selected"].dropna().astype(int).to_dict() == {"meme_1": 1, "meme_3": 2}
    assert rows.loc[["meme_1", "meme_3"], "target_name"].tolist() == ["F0", "F1"]
    assert rows.loc[["meme_1", "meme_3"], "reproduced_by"].tolist() == ["drimust", "gadem"]
    assert rows.loc["meme_1", "e_value"] == "1e-869"
    assert rows["why"].isna().tolist() == [True, False, True, False, False]
    # Both measures stand beside each other, whichever selects.
    for name in ("euclidean_name", "tomtom_name"):
        assert rows.loc[["meme_1", "meme_3"], name].tolist() == ["F0", "F1"]
    assert rows.loc[["meme_1", "meme_3"], "euclidean"].max() < 0.01
    assert rows["tomtom_e_value"].equals(rows["match"].rename("tomtom_e_value"))
    assert rows["known"].unique().tolist() == ["JASPAR"]


@pytest.mark.parametrize("empty", [("drimust",), ("meme",), ("meme", "drimust", "gadem")])
def test_methods_that_find_nothing(found, tmp_path, monkeypatch, empty):
    for method in empty:
        found.of[method] = []
        found.tables[method] = found.tables[method][:0]
    write(found, tmp_path)
    table = run_script(tmp_path, monkeypatch)
    assert list(table.columns) == COLUMNS
    left = [motif.name for method in found.of.values() for motif in method]
    assert table["motif"].tolist() == left
    selected = table.loc[table["selected"].notna(), "motif"].tolist()
    assert selected == (["meme_3"] if empty == ("drimust",) else [])


def test_all_methods_find_nothing_without_a_match_table(found):
    tables = [table[:0] for table in found.tables.values()]
    matches = pd.DataFrame(columns=[*MATCH_COLUMNS, "engine", "known"])
    everything = selection.table(tables, [], matches, KNOWN, EVEN, **RULE)
    assert list(everything.columns) == COLUMNS
    assert everything.empty


def test_tables_and_motifs_that_differ_are_refused(found, tmp_path):
    matches = write(found, tmp_path)
    every = [motif for method in found.of.values() for motif in method]
    tables = list(found.tables.values())
    for given, said in (
        (every[1:], "meme_1"),
        ([*every, random_motif(1, name="meme_4")], "meme_4"),
        ([*every, every[0]], "meme_1"),
    ):
        with pytest.raises(MotifError, match=f"differ in {said}; delete both"):
            selection.table(tables, given, matches, KNOWN, EVEN, **RULE)
    with pytest.raises(MotifError, match="differ in gadem_1; delete both"):
        selection.table([*tables, tables[-1]], every, matches, KNOWN, EVEN, **RULE)
