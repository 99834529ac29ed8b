"""Families: single linkage against a naive one, chains, lengths, N; medoids by hand and by brute
force; the ranked list that the script writes."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyfaidx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crmnet import families as module
from crmnet.families import families, medoids
from crmnet.scanning import read_fasta
from crmnet.sequences import ALPHABET, N, encode

SCRIPT = Path(__file__).parents[2] / "workflow" / "scripts" / "rank.py"
CONSTRUCT = {"left_flank": "GGTG", "right_flank": "CCAC", "insert_length": 12, "length": 24}


def length_of(row):
    return max((place for place, token in enumerate(row, 1) if token != N), default=0)


def naive(tokens, distance):
    """Families as sets of rows: merged as long as two of them have near members."""
    groups = [{row} for row in range(len(tokens))]

    def linked(one, other):
        return any(
            length_of(tokens[a]) == length_of(tokens[b]) and sum(tokens[a] != tokens[b]) <= distance
            for a in one
            for b in other
        )

    merged = True
    while merged:
        merged = False
        for one in range(len(groups)):
            for other in range(len(groups) - 1, one, -1):
                if linked(groups[one], groups[other]):
                    groups[one] |= groups.pop(other)
                    merged = True
    return {frozenset(group) for group in groups}


def partition(numbers):
    return {frozenset(np.flatnonzero(numbers == number).tolist()) for number in set(numbers)}


def in_order_of_appearance(numbers):
    return list(dict.fromkeys(numbers.tolist())) == list(range(len(set(numbers.tolist()))))


def planted(seed, number=40, length=20, centres=8, unknown=0.02):
    """Variants of a few sequences, some of them shorter, and some with N within."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (centres, length))[rng.integers(centres, size=number)]
    mutated = rng.random(tokens.shape) < 0.12
    tokens[mutated] = rng.integers(0, 4, mutated.sum())
    tokens[rng.random(tokens.shape) < unknown] = N
    cut = length - rng.choice([0, 0, 0, 1, 3], number)
    tokens[np.arange(length) >= cut[:, None]] = N
    return tokens.astype(np.uint8)


@pytest.mark.parametrize("tile", [1, 7, 2048])
@pytest.mark.parametrize("distance", [0, 3, 5, 30])
def test_families_are_those_of_naive_single_linkage(distance, tile, monkeypatch):
    monkeypatch.setattr(module, "TILE", tile)
    for seed in range(3):
        tokens = planted(seed)
        found = families(tokens, distance)
        assert partition(found) == naive(tokens, distance)
        assert in_order_of_appearance(found)


@settings(deadline=None, max_examples=100)
@given(
    arrays(np.uint8, st.tuples(st.integers(0, 7), st.integers(1, 5)), elements=st.integers(0, 4)),
    st.integers(0, 5),
)
def test_families_of_whatever_small_sequences(tokens, distance):
    found = families(tokens, distance)
    assert found.shape == (len(tokens),)
    assert partition(found) == naive(tokens, distance)
    assert in_order_of_appearance(found)


def test_the_largest_distance_is_within():
    one = np.zeros((1, 80), np.uint8)
    eight, nine = one.copy(), one.copy()
    eight[0, ::10] = 1
    nine[0, 1:80:9] = 2
    assert ((eight != 0).sum(), (nine != 0).sum()) == (8, 9)
    assert families(np.concatenate([one, eight])).tolist() == [0, 0]
    assert families(np.concatenate([one, nine])).tolist() == [0, 1]


def test_a_chain_is_one_family():
    tokens = np.tril(np.ones((9, 8), np.uint8), -1)  # Each one letter further than the one before.
    assert families(tokens, 1).tolist() == [0] * 9
    assert families(np.delete(tokens, 4, axis=0), 1).tolist() == [0] * 4 + [1] * 4
    assert families(tokens[::2], 1).tolist() == [0, 1, 2, 3, 4]


def test_no_family_across_lengths():
    tokens = encode(["ACGTACGT", "ACGTACG", "ACGTACGA", "ACGTACC", "ACG"], 10)
    assert families(tokens, 8).tolist() == [0, 1, 0, 1, 2]
    # Not by a chain either, however short the step.
    assert families(encode(["AAAA", "AAA", "AA", "A"], 4), 4).tolist() == [0, 1, 2, 3]


def test_n_is_like_itself_alone():
    tokens = encode(["ANGT", "ANGT", "ACGT", "AAGT"], 4)
    assert families(tokens, 0).tolist() == [0, 0, 1, 2]
    assert families(tokens[::2], 0).tolist() == [0, 1]
    assert families(tokens, 1).tolist() == [0] * 4


def test_the_order_changes_only_the_numbers():
    tokens = planted(1, number=200, centres=60)
    found = families(tokens, 4)
    assert 30 < len(set(found)) < 150
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(tokens))
        again = families(tokens[order], 4)
        assert in_order_of_appearance(again)
        assert partition(again[np.argsort(order)]) == partition(found)


def test_many_the_same_are_one_family(monkeypatch):
    monkeypatch.setattr(module, "TILE", 64)
    tokens = np.repeat(planted(2, number=3, centres=3, unknown=0), 200, axis=0)
    assert families(tokens, 0).tolist() == [0] * 200 + [1] * 200 + [2] * 200


def test_medoids_by_hand():
    # Sums of distances 2 + 2, 2 + 3, 2 + 3; a pair, which is a tie; one alone.
    tokens = encode(["ACGTAC", "ACGTGG", "TCATAC", "CCCCCC", "CCCCCA", "GGGGGG"], 6)
    tokens = tokens[[1, 0, 3, 2, 5, 4]]
    family = np.array([0, 0, 1, 0, 2, 1])
    assert medoids(tokens, family).tolist() == [False, True, True, False, True, False]


@pytest.mark.parametrize("seed", range(5))
def test_medoids_are_those_of_all_pairs(seed):
    tokens = planted(seed, number=60)
    family = families(tokens, 5)
    distance = (tokens[:, None] != tokens).sum(axis=2)
    expected = np.zeros(len(tokens), bool)
    for number in range(family.max() + 1):
        members = np.flatnonzero(family == number)
        # The first of the smallest.
        expected[members[distance[np.ix_(members, members)].sum(axis=1).argmin()]] = True
    assert medoids(tokens, family).tolist() == expected.tolist()


# Insert, expression; with a row of the first family twice, and two equally expressed.
ROWS = [
    ("TTTTTTTTTTTT", 4.0),
    ("ACACACACACAC", 7.5),
    ("ACACACACACAG", 4.0),
    ("ACACACACACAC", 9.25),
    ("ACACACAC", -1.0),
    ("NACGNTTGACAN", 5.0),
]


def write_table(path, inserts):
    left, right = CONSTRUCT["left_flank"], CONSTRUCT["right_flank"]
    lines = [f"{left}{insert}{right},{value}\n" for insert, value in inserts]
    path.write_text("seq,mean\n" + "".join(lines))


def run_script(folder, mode, distance=2):
    path = folder / "test.csv"
    columns = {"sequence": "seq", "expression": "mean"}
    job = SimpleNamespace(
        input=SimpleNamespace(test=path),
        output=SimpleNamespace(fasta=folder / f"{mode}.fa", tsv=folder / f"{mode}.tsv"),
        params=SimpleNamespace(
            entry={"path": str(path), "columns": columns, "header": True},
            length=CONSTRUCT["length"],
            construct=CONSTRUCT,
            distance=distance,
            families=mode,
        ),
        log=[folder / "log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    return pd.read_csv(job.output.tsv, sep="\t")


def records(path):
    with pyfaidx.Fasta(str(path), as_raw=True) as fasta:
        return {record.name: record[:] for record in fasta}


def test_the_ranked_list(tmp_path, capsys):
    write_table(tmp_path / "test.csv", ROWS)
    table = run_script(tmp_path, "all")
    assert table.to_dict("list") == {
        "sequence": ["s3", "s1", "s5", "s0", "s2", "s4"],
        "row": [3, 1, 5, 0, 2, 4],
        "rank": [0, 1, 2, 3, 4, 5],
        "expression": [9.25, 7.5, 5.0, 4.0, 4.0, -1.0],
        "family": [1, 1, 3, 0, 1, 2],
        # Of two that are the same, the first of the table, not the higher expressed.
        "medoid": [False, True, True, True, False, True],
        "size": [3, 3, 1, 1, 3, 1],
    }
    # Flanks off, but every letter between them kept.
    assert list(records(tmp_path / "all.fa").items()) == [
        (name, ROWS[row][0]) for name, row in zip(table["sequence"], table["row"], strict=True)
    ]
    said = "6 sequences in 4 families within a Hamming distance of 2: 3 singletons, the largest of "
    assert said + "3; 6 sequences are left (all)" in capsys.readouterr().err


def test_representatives_are_the_medoids_of_the_same_families(tmp_path, capsys):
    write_table(tmp_path / "test.csv", ROWS)
    whole = run_script(tmp_path, "all")
    table = run_script(tmp_path, "representatives")
    assert "4 sequences are left (representatives)" in capsys.readouterr().err
    expected = whole[whole["medoid"]].assign(rank=range(4)).reset_index(drop=True)
    pd.testing.assert_frame_equal(table, expected)
    inserts = records(tmp_path / "representatives.fa")
    assert list(inserts) == table["sequence"].tolist() == ["s1", "s5", "s0", "s4"]
    assert inserts == {name: records(tmp_path / "all.fa")[name] for name in inserts}


def test_the_ranked_list_of_many(tmp_path):
    """Expression falls, ties stay in the table's order, and the FASTA has the table's inserts."""
    rng = np.random.default_rng(3)
    tokens = planted(3, number=300, length=12, centres=40, unknown=0)
    inserts = ["".join(ALPHABET[token] for token in row[: length_of(row)]) for row in tokens]
    write_table(tmp_path / "test.csv", zip(inserts, rng.integers(0, 18, 300) / 2, strict=True))
    table = run_script(tmp_path, "all")
    once = [(tmp_path / f"all.{end}").read_bytes() for end in ("fa", "tsv")]
    run_script(tmp_path, "all")
    assert [(tmp_path / f"all.{end}").read_bytes() for end in ("fa", "tsv")] == once
    keys = list(zip(-table["expression"], table["row"], strict=True))
    assert keys == sorted(keys)
    names, read = read_fasta(tmp_path / "all.fa")
    assert names == table["sequence"].tolist() == [f"s{row}" for row in table["row"]]
    assert (read == tokens[table["row"]]).all()
    found = table.sort_values("row")
    assert partition(found["family"].to_numpy()) == naive(tokens, 2)
    assert in_order_of_appearance(found["family"].to_numpy())
    assert (found["size"] == found.groupby("family")["row"].transform("size")).all()
    assert (found.groupby("family")["medoid"].sum() == 1).all()


@pytest.mark.parametrize("insert", ["", "NN"])
def test_a_sequence_without_an_insert_is_named(tmp_path, insert):
    write_table(tmp_path / "test.csv", [*ROWS, (insert, 3.0), ("", 2.0)])
    with pytest.raises(ValueError, match=r"test.csv: 2 sequence.* the first in row 6 .from 0."):
        run_script(tmp_path, "all")
