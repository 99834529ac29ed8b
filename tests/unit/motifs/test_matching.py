"""Matching: similarities compared with TFBSTools' numbers and plain loops, Tomtom's p-values with
all possible columns and the program's numbers; ties; the wrapper of the program."""

import json
import os
import runpy
import sys
from collections import Counter
from fractions import Fraction
from math import dist, floor, log, sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.motifs.known import YEAST, known_motifs
from crmnet.motifs.matching import (
    COLUMNS,
    match,
    read_tomtom,
    run_tomtom,
    tfbstools_similarity,
    tomtom,
)
from crmnet.motifs.motif import Motif, MotifError, read_background, read_meme, write_meme

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "match.py"
EVEN = np.full(4, 0.25)
AT_RICH = np.array([0.31, 0.19, 0.19, 0.31])

# What Tomtom 5.5 writes, letter for letter.
HEADER = "Query_ID Target_ID Optimal_offset p-value E-value q-value Overlap"
HEADER = "\t".join([*HEADER.split(), "Query_consensus\tTarget_consensus\tOrientation\n"])
ROWS = """\
1	MA0421.1	-3	1.53935e-06	0.00026169	0.000237816	10	TTTGTTACCCGGATT	TTTACCCGGC	+
1	MA0403.2	-1	0.00154327	0.262356	0.119211	14	TTTGTTACCCGGATT	AAATTTAGGGTTAATA	-
"""
NOTES = """
# Tomtom (Motif Comparison Tool): Version 5.5.9 compiled on Sep  3 2025 at 20:10:57
# The format of this file is described at https://meme-suite.org/meme/doc/tomtom-output-format.html.
# tomtom -text -dist ed queries.meme targets.meme
"""
FAKE_TOMTOM = """\
import json, os, pathlib, sys
if "-version" in sys.argv:
    print("5.5.9")
    sys.exit()
queries, targets = sys.argv[-2:]
seen = {"options": sys.argv[1:-2], "queries": queries, "targets": open(targets).read()}
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps(seen))
print(os.environ["WRITES"], end="")
"""


def random_motif(seed, width, name=None, sites=50):
    rows = np.random.default_rng(seed).dirichlet(np.full(4, 0.4), width)
    return Motif(name or f"random-{seed}", rows * sites, sites, alt=f"F{seed}")


@pytest.fixture(scope="module")
def known():
    return {motif.name: motif for motif in known_motifs().motifs}


@pytest.fixture(scope="module")
def targets():
    return [random_motif(seed, 5 + seed % 7) for seed in range(30)]


@pytest.mark.parametrize(
    ("query", "target", "pearson", "euclidean", "kl"),
    [
        ("MA0363.2", "MA0421.1", 0.841297225264157, 0.129938220303164, 0.39591134856908),
        ("MA0363.2", "MA0370.1", 0.17865119317322, 0.518992493341195, 2.17010266574838),
        ("MA0277.1", "MA0359.2", -0.00403896680526813, 0.636068086867966, 2.29185786279251),
        ("MA0277.1", "MA0370.1", 0.448706461132523, 0.324235791748647, 1.070274215029),
        ("MA0363.2", "MA0363.2", 1, 0, 0),
    ],
)
def test_the_numbers_of_tfbstools(known, query, target, pearson, euclidean, kl):
    """Numbers of TFBSTools 1.36.0 for the same matrices."""
    found = tfbstools_similarity(known[query].counts, known[target].counts)
    assert found == pytest.approx((pearson, euclidean, kl), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("one", "other"), [(4, 4), (3, 6), (6, 2)])
def test_similarities_by_plain_loops(one, other):
    counts = [random_motif(seed, width).counts for seed, width in ((1, one), (2, other))]
    short, long = ((c + 0.2) / (c.sum(axis=1)[:, None] + 0.8) for c in sorted(counts, key=len))
    found = []
    for start in range(len(long) - len(short) + 1):
        pairs = list(zip(short, long[start : start + len(short)], strict=True))
        found.append(
            (
                # Correlation about 1/4 is the usual one: each column sums to 1.
                np.mean([np.corrcoef(p, q)[0, 1] for p, q in pairs]),
                np.mean([dist(p, q) / sqrt(2) for p, q in pairs]),
                np.mean([(p @ np.log(p / q) + q @ np.log(q / p)) / 2 for p, q in pairs]),
            )
        )
    pearson, euclidean, kl = zip(*found, strict=True)
    expected = (max(pearson), min(euclidean), min(kl))
    assert tfbstools_similarity(*counts) == pytest.approx(expected)
    assert tfbstools_similarity(*counts[::-1]) == pytest.approx(expected)


def test_a_column_without_preference_correlates_with_none():
    even, one = np.ones((1, 4)), np.array([[9.0, 0, 0, 0]])
    found = tfbstools_similarity(even, one)
    probabilities = np.array([9.2, 0.2, 0.2, 0.2]) / 9.8
    assert found.pearson == 0
    assert found.kl == pytest.approx(sum((p - 0.25) * log(p / 0.25) for p in probabilities) / 2)


def naive_tomtom(query, targets, background):
    """Computes Tomtom's p-values exactly, from the distribution of each alignment's score over all
    possible columns, and of the best alignment as if alignments were independent."""

    def columns(motif):
        return motif.probabilities(0.1, background).tolist()

    rows = columns(query)
    drawn = [c for t in targets for c in columns(t) + columns(t.reverse_complement())]
    shifted = []
    for row in rows:
        scores = [-dist(row, column) for column in drawn]
        middle = sorted(scores)[len(scores) // 2 - 1]
        shifted.append([score - middle for score in scores])
    low, high = floor(min(map(min, shifted))), max(map(max, shifted))
    scale = floor(100 / (high - low))

    def whole(score):
        return floor((score - low) * scale + 0.5)

    outside = -low * scale
    one = Fraction(1, len(drawn))

    def scores_of(first, last):
        totals = Counter({outside * (len(rows) - last + first): Fraction(1)})
        for scores in shifted[first:last]:
            longer = Counter()
            for total, likely in totals.items():
                for score in scores:
                    longer[total + whole(score)] += likely * one
            totals = longer
        return totals

    p_values = []
    for target in targets:
        best, spans = -1, []
        for offset in range(1 - len(rows), target.width):
            first, last = max(0, -offset), min(len(rows), target.width - offset)
            spans.append((first, last))
            for oriented in (target, target.reverse_complement()):
                score = outside * (len(rows) - last + first)
                for position in range(first, last):
                    column = drawn.index(columns(oriented)[position + offset])
                    score += whole(shifted[position][column])
                best = max(best, score)
        below = Fraction(1)
        for span in spans:
            less = sum(likely for total, likely in scores_of(*span).items() if total < best)
            below *= less**2
        p_values.append(float(1 - below))
    return p_values


@pytest.mark.parametrize(("seed", "width"), [(1, 1), (2, 2), (3, 3)])
def test_p_values_are_those_of_all_columns(seed, width):
    targets = [random_motif(10 * seed + number, 1 + number) for number in range(4)]
    # One of them itself, so that the p-value is small.
    query = targets[width - 1]
    found = tomtom(query, targets, AT_RICH)
    assert found["p_value"].tolist() == pytest.approx(naive_tomtom(query, targets, AT_RICH))
    assert found["e_value"].tolist() == pytest.approx(4 * found["p_value"])


@pytest.mark.parametrize(
    ("query", "target", "p_value", "e_value", "offset", "orientation"),
    [
        ("MA0363.2", "MA0421.1", 1.53935e-06, 0.00026169, -3, "+"),
        ("MA0363.2", "MA0273.1", 0.00031579, 0.0536844, 2, "-"),
        ("MA0277.1", "MA0277.1", 1.82099e-24, 3.09567e-22, 0, "+"),
        ("MA0277.1", "MA0377.1", 0.0412728, 7.01637, 7, "+"),
    ],
)
def test_the_numbers_of_tomtom(known, query, target, p_value, e_value, offset, orientation):
    """Numbers of Tomtom 5.4.1 (-dist ed) for the same 170 matrices, with an even background."""
    found = tomtom(known[query], list(known.values()), EVEN).set_index("target").loc[target]
    assert found["p_value"] == pytest.approx(p_value, rel=1e-4)
    assert found["e_value"] == pytest.approx(e_value, rel=1e-4)
    assert (found["offset"], found["orientation"]) == (offset, orientation)


@pytest.mark.parametrize("orientation", "+-")
@pytest.mark.parametrize(("first", "last"), [(0, 6), (2, 8), (4, 10)])
def test_a_piece_is_found_where_it_was_cut_out(targets, orientation, first, last):
    whole = random_motif(99, 10, "whole")
    piece = Motif("piece", whole.counts[first:last], 50)
    other = whole if orientation == "+" else whole.reverse_complement()
    found = tomtom(piece, [*targets, other], AT_RICH).set_index("target")
    assert found["p_value"].idxmin() == "whole"
    assert found.loc["whole", ["offset", "orientation"]].tolist() == [first, orientation]
    # Seen from the other side, it starts as many columns before the piece.
    back = tomtom(other, [*targets, piece], AT_RICH).set_index("target").loc["piece"]
    assert back["offset"] == -(first if orientation == "+" else 10 - last)


def test_columns_that_are_all_the_same():
    same = Motif("same", [[1, 0, 0, 1]] * 3, 10)
    assert tomtom(same, [same], AT_RICH)["p_value"].tolist() == [1]


def test_no_target(targets):
    with pytest.raises(MotifError, match="no targets"):
        tomtom(targets[0], [], AT_RICH)


@pytest.fixture
def files(tmp_path, targets):
    """A file of three motifs and its table. One motif has two equal targets, another has one."""
    queries = [
        Motif("twice", targets[3].counts, 50),
        Motif("once", targets[8].reverse_complement().counts, 50),
        random_motif(1234, 8, "other"),
    ]
    write_meme(tmp_path / "q.meme", queries, AT_RICH)
    table = pd.DataFrame({"motif": ["other", "twice", "once"], "method": ["x", "y", "z"]})
    table.to_csv(tmp_path / "q.tsv", sep="\t", index=False)
    return tmp_path


def test_matches_and_ties(files, targets):
    twin = Motif("twin", targets[3].counts, 50, alt="T")
    found = match(files / "q.meme", [*targets, twin])
    assert list(found.columns) == COLUMNS
    assert found["motif"].drop_duplicates().tolist() == ["twice", "once", "other"]
    for by in ("tomtom", "pearson", "euclidean", "kl"):
        rows = found[(found["by"] == by) & (found["motif"] == "twice")]
        assert set(rows["target"][rows["tie"]]) == {"random-3", "twin"}
        assert set(rows["target"][:2]) == {"random-3", "twin"}
        (best,) = found[(found["by"] == by) & (found["motif"] == "once")][:1].itertuples()
        assert (best.target, best.target_name, best.tie) == ("random-8", "F8", False)
        assert best.orientation == "-"
        assert (best.pearson, best.euclidean) == pytest.approx((1, 0), abs=1e-5)
    by_tomtom = found[found["by"] == "tomtom"]
    assert by_tomtom.groupby("motif", sort=False)["p_value"].is_monotonic_increasing.all()
    assert by_tomtom["e_value"].max() <= 10
    assert by_tomtom["e_value"].max() > 1
    expected = tomtom(read_meme(files / "q.meme")[2], [*targets, twin], AT_RICH)
    listed = set(by_tomtom["target"][by_tomtom["motif"] == "other"])
    assert listed == set(expected["target"][expected["e_value"] <= 10])


def test_a_file_without_motifs(tmp_path, targets):
    write_meme(tmp_path / "none.meme", [], EVEN)
    found = match(tmp_path / "none.meme", targets)
    assert list(found.columns) == COLUMNS
    assert found.empty


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program `tomtom` on the PATH that keeps its options and writes a table."""
    path = tmp_path / "bin" / "tomtom"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\n{FAKE_TOMTOM}")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)
    monkeypatch.setenv("SEEN", str(tmp_path / "seen.json"))
    monkeypatch.setenv("WRITES", HEADER + ROWS + NOTES)
    return str(path)


def test_tomtom_is_asked_for_all_targets(files, program, targets):
    found = run_tomtom(program, files / "q.meme", targets)
    seen = json.loads((files / "seen.json").read_text())
    options = seen["options"]
    assert {"-text", "-evalue"} <= set(options)
    assert options[options.index("-dist") + 1] == "ed"
    # An E-value is at most the number of targets.
    assert float(options[options.index("-thresh") + 1]) >= len(targets)
    assert seen["queries"] == str(files / "q.meme")
    (files / "t.meme").write_text(seen["targets"])
    assert [t.name for t in read_meme(files / "t.meme")] == [t.name for t in targets]
    assert read_background(files / "t.meme") == pytest.approx(AT_RICH)
    assert found.to_dict("list") == {
        "motif": ["1", "1"],
        "target": ["MA0421.1", "MA0403.2"],
        "p_value": [1.53935e-06, 0.00154327],
        "e_value": [0.00026169, 0.262356],
        "q_value": [0.000237816, 0.119211],
        "offset": [-3, -1],
        "orientation": ["+", "-"],
    }


def test_another_table_is_refused():
    with pytest.raises(MotifError, match="not a table of Tomtom 5"):
        read_tomtom("Query\tTarget\n1\t2\n")
    with pytest.raises(MotifError, match="not a table of Tomtom 5"):
        read_tomtom("")


def run_script(files, engine):
    write_meme(files / "none.meme", [], AT_RICH)
    (files / "none.tsv").write_text("motif\tmethod\n")
    job = SimpleNamespace(
        input=SimpleNamespace(motifs=[str(files / "none.meme"), str(files / "q.meme")]),
        output=[files / "matches.tsv"],
        params=SimpleNamespace(engine=engine, known=YEAST),
        log=[files / "log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    return pd.read_csv(files / "matches.tsv", sep="\t")


def test_the_script_with_the_built_in_engine(files, known):
    reb1 = known["MA0363.2"]
    write_meme(files / "q.meme", [Motif("other", reb1.counts[3:13], reb1.sites)], AT_RICH)
    found = run_script(files, "builtin")
    assert list(found.columns) == ["motif", "method", *COLUMNS[1:], "engine", "known"]
    assert set(found["engine"]) == {"built in"}
    assert set(found["method"]) == {"x"}
    best = found.drop_duplicates("by")
    assert best["target_name"].tolist() == ["REB1"] * 4
    assert best["offset"].tolist() == [3] * 4


def test_the_script_with_tomtom(files, program, known, monkeypatch):
    queries = [motif.name for motif in read_meme(files / "q.meme")]
    numbers = ["1e-9\t1e-7\t1e-7", *["0.5\t9.5\t1"] * (len(known) - 1)]
    rows = [
        f"{query}\t{target}\t0\t{values}\t5\tA\tA\t+\n"
        for query in queries
        for target, values in zip(known, numbers, strict=True)
    ]
    monkeypatch.setenv("WRITES", HEADER + "".join(rows) + NOTES)
    found = run_script(files, "auto")
    assert set(found["engine"]) == {"tomtom 5.5.9"}
    methods = found.drop_duplicates("motif").set_index("motif")["method"]
    assert methods.to_dict() == {"twice": "y", "once": "z", "other": "x"}
    best = found[found["by"] == "tomtom"].drop_duplicates("motif")
    assert set(best["target"]) == {next(iter(known))}
    assert best["e_value"].tolist() == [1e-7] * 3
