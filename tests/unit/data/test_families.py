"""Families: single linkage against a naive version, chains, lengths, strands, overlaps, N; medoids
by hand and by brute force; the ranked list that the script writes."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crmnet.data import words
from crmnet.data.families import families, medoids
from crmnet.data.fasta import read_fasta
from crmnet.data.relatives import Index
from crmnet.data.sequences import ALPHABET, N, encode, reverse_complement
from crmnet.data.words import TooAlike

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "rank.py"
CONSTRUCT = {"left_flank": "GGTG", "right_flank": "CCAC", "insert_length": 12, "length": 24}


def text_of(row):
    return "".join(ALPHABET[token] for token in row).rstrip("N")


def other_strand(text):
    return text.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def related(one, other, distance, overlap):
    """Whether two sequences are relatives, letter by letter with strings."""
    for two in (other, other_strand(other)):
        pairs = list(zip(one, two, strict=False))
        if len(one) == len(two) and sum(a != b for a, b in pairs) <= distance:
            return True
        if min(len(one), len(two)) >= overlap and (one in two or two in one):
            return True
        for letters in range(overlap, min(len(one), len(two)) + 1):
            if one[-letters:] == two[:letters] or two[-letters:] == one[:letters]:
                return True
    return False


def naive(tokens, distance, overlap):
    """Families as sets of rows, merged until no two of them have related members."""
    texts = [text_of(row) for row in tokens]
    groups = [{row} for row in range(len(tokens))]
    near = {
        (a, b): related(texts[a], texts[b], distance, overlap)
        for a in range(len(texts))
        for b in range(a)
    }
    merged = True
    while merged:
        merged = False
        for one in range(len(groups)):
            for other in range(len(groups) - 1, one, -1):
                if any(near[max(a, b), min(a, b)] for a in groups[one] for b in groups[other]):
                    groups[one] |= groups.pop(other)
                    merged = True
    return {frozenset(group) for group in groups}


def partition(numbers):
    return {frozenset(np.flatnonzero(numbers == number).tolist()) for number in set(numbers)}


def in_order_of_appearance(numbers):
    return list(dict.fromkeys(numbers.tolist())) == list(range(len(set(numbers.tolist()))))


def planted(seed, number=40, length=20, centres=8, unknown=0.02):
    """Variants of a few sequences, on either strand: some tiles of their neighbourhood, some of
    them shorter, and some with N within."""
    rng = np.random.default_rng(seed)
    around = rng.integers(0, 4, (centres, 2 * length))
    rows = []
    for centre in rng.integers(centres, size=number):
        begin = rng.choice([length // 2, length // 2, rng.integers(0, length)])
        row = around[centre, begin : begin + length - rng.choice([0, 0, 0, 1, 3, 9])]
        mutated = rng.random(len(row)) < rng.choice([0, 0.12])
        row = np.where(mutated, rng.integers(0, 4, len(row)), row)
        row = np.where(rng.random(len(row)) < unknown, N, row)
        rows.append("".join(ALPHABET[token] for token in row))
    turned = rng.random(number) < 0.3
    rows = [other_strand(row) if turn else row for row, turn in zip(rows, turned, strict=True)]
    return padded(rows, length)


def padded(texts, length):
    """Tokens letter for letter, including N at the start."""
    return np.array([[ALPHABET.index(x) for x in text.ljust(length, "N")] for text in texts], "u1")


@pytest.fixture(params=[4, 256])
def small(request, monkeypatch):
    """Lowers the size of groups that are compared in full, and the number of comparisons at
    once."""
    for name in ("SMALL", "TILE", "LINKS"):
        monkeypatch.setattr(f"crmnet.data.families.{name}", request.param)
    monkeypatch.setattr("crmnet.data.relatives.TILE", request.param)


@pytest.mark.parametrize("overlap", [6, 9, 99])
@pytest.mark.parametrize("distance", [0, 1, 3, 5, 30])
def test_families_are_those_of_naive_single_linkage(distance, overlap, small):
    counts = set()
    for seed in range(4):
        tokens = planted(seed)
        found = families(tokens, distance, overlap)
        assert partition(found) == naive(tokens, distance, overlap)
        assert in_order_of_appearance(found)
        counts.add(len(set(found)))
    if distance < 5:
        assert min(counts) > 1 and min(counts) < 40


@settings(deadline=None, max_examples=150, derandomize=True)
@given(
    arrays(np.uint8, st.tuples(st.integers(0, 7), st.integers(1, 7)), elements=st.integers(0, 4)),
    st.integers(0, 5),
    st.integers(1, 8),
)
def test_families_of_random_small_sequences(tokens, distance, overlap):
    found = families(tokens, distance, overlap)
    assert found.shape == (len(tokens),)
    assert partition(found) == naive(tokens, distance, overlap)
    assert in_order_of_appearance(found)


def test_the_largest_distance_is_within():
    one = np.zeros((1, 80), np.uint8)
    eight, nine = one.copy(), one.copy()
    eight[0, ::10] = 1
    nine[0, 1:80:9] = 2
    assert ((eight != 0).sum(), (nine != 0).sum()) == (8, 9)
    assert families(np.concatenate([one, eight]), overlap=80).tolist() == [0, 0]
    assert families(np.concatenate([one, nine]), overlap=80).tolist() == [0, 1]


@pytest.mark.parametrize("distance", range(12))
def test_relatives_at_the_distance_are_found_wherever_they_differ(distance):
    """Each pair has no other relatives, so that every set of positions is tested."""
    rng = np.random.default_rng(distance)
    one = rng.integers(0, 4, (1500, 60), dtype=np.uint8)
    other = one.copy()
    for row in other:
        places = rng.choice(60, distance, replace=False)
        row[places] = (row[places] + rng.integers(1, 4, distance)) % 4
    half = len(other) // 2
    other[half:] = reverse_complement(other[half:])
    found = families(np.concatenate([one, other]), distance, 60)
    assert found.tolist() == [*range(1500)] * 2


def test_a_chain_is_one_family():
    tokens = np.tril(np.ones((9, 8), np.uint8), -1)  # Each one letter further than the one before.
    assert families(tokens, 1, 9).tolist() == [0] * 9
    assert families(np.delete(tokens, 4, axis=0), 1, 9).tolist() == [0] * 4 + [1] * 4
    assert families(tokens[::2], 1, 9).tolist() == [0, 1, 2, 3, 4]


def test_no_family_across_lengths_by_distance():
    tokens = encode(["ACGTACGT", "ACGTACG", "ACGTACGA", "ACGTACC", "ACG"], 10)
    assert families(tokens, 8, 9).tolist() == [0, 1, 0, 1, 2]
    # Not by a chain either, however short the step.
    assert families(encode(["AAAA", "AAA", "AA", "A"], 4), 4, 5).tolist() == [0, 1, 2, 3]


def test_n_is_like_itself_alone():
    tokens = encode(["ANGT", "ANGT", "ACGT", "AAGT"], 4)
    assert families(tokens, 0, 5).tolist() == [0, 0, 1, 2]
    assert families(tokens[::2], 0, 5).tolist() == [0, 1]
    assert families(tokens, 1, 5).tolist() == [0] * 4


@pytest.mark.parametrize(
    ("other", "letters"),
    [
        (lambda x, more: x[-32:] + more, 32),
        (lambda x, more: more + x[:32], 32),
        (lambda x, more: other_strand(x[-32:] + more), 32),
        (lambda x, more: other_strand(more + x[:32]), 32),
        (lambda x, more: more[:5] + x + more[5:7], 80),
        (lambda x, more: other_strand(more[:5] + x + more[5:7]), 80),
        (lambda x, more: x[20:61], 41),
        (lambda x, more: other_strand(x[20:61]), 41),
        (lambda x, more: x[:40], 40),
    ],
)
def test_an_overlap_counts_on_either_strand_from_its_length_on(other, letters):
    rng = np.random.default_rng(5)
    random = ["".join(row) for row in rng.choice([*"ACGT"], (50, 80))]
    texts = [*random, other(random[7], "".join(rng.choice([*"ACGT"], 48)))]
    tokens = encode(texts, 100)
    assert families(tokens, 8, letters)[-1] == 7
    assert families(tokens, 8, letters + 1)[-1] == 50


def test_the_order_changes_only_the_numbers():
    tokens = planted(1, number=200, centres=60)
    found = families(tokens, 2, 12)
    assert 30 < len(set(found)) < 170
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(tokens))
        again = families(tokens[order], 2, 12)
        assert in_order_of_appearance(again)
        assert partition(again[np.argsort(order)]) == partition(found)


def test_many_the_same_are_one_family(small):
    tokens = encode(["ACGTTACGTA", "GGGATTTTCA", "CCATACCAGG"] * 200, 10)
    assert families(tokens, 0, 10).tolist() == [0, 1, 2] * 200


def counted(monkeypatch):
    """The numbers of comparisons, as they are made."""
    spent = []
    spend = words.Budget.spend
    monkeypatch.setattr(words.Budget, "spend", lambda self, n: (spent.append(n), spend(self, n))[1])
    return spent


def test_saturation_mutagenesis_is_no_square(monkeypatch):
    """Each of thousands of relatives needs a few comparisons, not one with each of the others."""
    spent = counted(monkeypatch)
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, 4, (2, 80), dtype=np.uint8)[rng.integers(2, size=6000)]
    mutated = rng.random(tokens.shape) < 0.03
    tokens[mutated] = rng.integers(0, 4, mutated.sum())
    assert len(set(families(tokens))) == 2
    assert sum(spent) < 100 * len(tokens)


def test_a_backbone_in_common_makes_no_relatives_and_costs_no_square(monkeypatch):
    spent = counted(monkeypatch)
    rng = np.random.default_rng(1)
    tokens = np.repeat(rng.integers(0, 4, (1, 80), dtype=np.uint8), 3000, axis=0)
    tokens[:, 20:60] = rng.integers(0, 4, (3000, 40))
    assert len(set(families(tokens, 8, 80))) == 3000
    assert sum(spent) < 100 * len(tokens)


def test_a_search_that_would_take_hours_is_refused(monkeypatch):
    rng = np.random.default_rng(1)
    tokens = np.repeat(rng.integers(0, 4, (1, 80), dtype=np.uint8), 3000, axis=0)
    tokens[:, 20:40] = rng.integers(0, 4, (3000, 20))
    few = families(tokens, 4, 80)
    monkeypatch.setattr("crmnet.data.families.MOST", 10)
    with pytest.raises(TooAlike, match="the 3,000 sequences .*`columns: {family: ...}`"):
        families(tokens, 4, 80)
    # Where words tell too little, but the sequences are few, all are compared with all.
    monkeypatch.setattr("crmnet.data.families.MOST", 10**8)
    monkeypatch.setattr(
        "crmnet.data.families.part_hashes", lambda text, *_: np.zeros((9, text.shape[1]), "u8")
    )
    assert (families(tokens, 4, 80) == few).all()


def compared(tokens, sets, others, distance, overlap):
    """With strings: the sets in which each other sequence has a relative, and the relatives."""
    texts, other_texts = ([text_of(row) for row in rows] for rows in (tokens, others))
    near = np.array([[related(a, b, distance, overlap) for a in texts] for b in other_texts], bool)
    near = near.reshape(len(others), len(tokens))
    either = [np.bitwise_or.reduce(sets[row], initial=np.uint64(0)) for row in near]
    return np.array(either, np.uint64), near.any(axis=0)


@pytest.mark.parametrize("overlap", [6, 9, 99])
@pytest.mark.parametrize("distance", [0, 1, 3, 5])
def test_an_index_finds_direct_relatives_alone(distance, overlap, small):
    met = set()
    for seed in range(4):
        rng = np.random.default_rng(seed)
        tokens = planted(seed, number=60, centres=int(rng.integers(3, 20)))
        sets = rng.integers(1, 8, 20).astype(np.uint64)
        index = Index(tokens[:20], sets, distance, overlap)
        found = np.concatenate([index.relatives(tokens[20:40]), index.relatives(tokens[40:])])
        expected, whose = compared(tokens[:20], sets, tokens[20:], distance, overlap)
        assert (found == expected).all() and (index.related == whose).all()
        met |= set(found.tolist())
    assert 0 in met and len(met) > 2


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 7)), elements=st.integers(0, 4)),
    st.integers(0, 8),
    st.integers(0, 5),
    st.integers(1, 8),
)
def test_an_index_of_random_small_sequences(tokens, number, distance, overlap):
    number = min(number, len(tokens) - 1)
    sets = np.uint64(1) << np.arange(number, dtype=np.uint64)
    index = Index(tokens[:number], sets, distance, overlap)
    expected, whose = compared(tokens[:number], sets, tokens[number:], distance, overlap)
    assert (index.relatives(tokens[number:]) == expected).all()
    assert (index.related == whose).all()


def test_an_index_of_many_relatives_compares_no_square(monkeypatch):
    spent = counted(monkeypatch)
    rng = np.random.default_rng(1)
    tokens = np.repeat(rng.integers(0, 4, (1, 80), dtype=np.uint8), 12000, axis=0)
    mutated = rng.random(tokens.shape) < 0.03
    tokens[mutated] = rng.integers(0, 4, mutated.sum())
    # One more is of a second set, and no relative of any.
    strange = rng.integers(0, 4, (1, 80), dtype=np.uint8)
    sets = np.append(np.ones(2000, np.uint64), np.uint64(2))
    index = Index(np.concatenate([tokens[:2000], strange]), sets)
    for start in range(2000, 12000, 2000):
        assert (index.relatives(tokens[start : start + 2000]) == 1).all()
    assert index.related.tolist() == [True] * 2000 + [False]
    assert sum(spent) < 100 * 10000


def test_an_index_in_which_a_search_would_take_hours_is_refused(monkeypatch):
    monkeypatch.setattr("crmnet.data.relatives.MOST", 10)
    rng = np.random.default_rng(1)
    tokens = np.repeat(rng.integers(0, 4, (1, 80), dtype=np.uint8), 6000, axis=0)
    tokens[:, 20:32] = rng.integers(0, 4, (6000, 12))
    tokens[:3000, 0:20], tokens[3000:, 60:80] = (tokens[:3000, 0:20] + 1) % 4, 0
    index = Index(tokens[:3000], np.ones(3000, np.uint64), 8, 80)
    with pytest.raises(TooAlike, match="3,000 sequences"):
        index.relatives(tokens[3000:])


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


def find_families(folder, tests, distance=2):
    """Runs the script that finds the families of test sets, and returns its table."""
    job = SimpleNamespace(
        output=[folder / "families.tsv"],
        params=SimpleNamespace(
            test=tests, construct=CONSTRUCT, relatives={"distance": distance, "overlap": 16}
        ),
        log=[folder / "log"],
    )
    runpy.run_path(str(SCRIPT.with_name("families.py")), init_globals={"snakemake": job})
    return pd.read_csv(folder / "families.tsv", sep="\t", keep_default_na=False)


def run_script(folder, mode):
    path = folder / "test.csv"
    columns = {"sequence": "seq", "expression": "mean"}
    entry = {"path": str(path), "columns": columns, "header": True}
    find_families(folder, {"other": entry, "NA": entry})
    job = SimpleNamespace(
        input=SimpleNamespace(test=path, families=folder / "families.tsv"),
        output=SimpleNamespace(fasta=folder / f"{mode}.fa", tsv=folder / f"{mode}.tsv"),
        params=SimpleNamespace(
            entry=entry,
            test_set="NA",
            length=CONSTRUCT["length"],
            construct=CONSTRUCT,
            families=mode,
        ),
        log=[folder / "log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    return pd.read_csv(job.output.tsv, sep="\t")


def records(path):
    lines = path.read_text().splitlines()
    return {
        name.removeprefix(">"): text for name, text in zip(lines[::2], lines[1::2], strict=True)
    }


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
    said = "6 sequences in 4 families; 3 families have one sequence, and the largest has 3"
    assert said + "; kept 6 sequences (all)" in capsys.readouterr().err


def test_families_of_test_sets_stand_in_the_order_of_their_tables(tmp_path):
    write_table(tmp_path / "test.csv", ROWS)
    entry = {
        "path": str(tmp_path / "test.csv"),
        "columns": {"sequence": "seq", "expression": "mean"},
        "header": True,
    }
    said = tmp_path / "named.csv"
    said.write_text("seq,mean,gene\nACGT,1,b\nTTTT,2,NA\nNACGTTN,3,b\n")
    columns = {"sequence": "seq", "expression": "mean", "family": "gene"}
    named = {"path": str(said), "columns": columns, "header": True}
    table = find_families(tmp_path, {"native": entry, "NA": named})
    assert table.to_dict("list") == {
        "test_set": ["native"] * 6 + ["NA"] * 3,
        "sequence": ["GGTG" + insert + "CCAC" for insert, _ in ROWS] + ["ACGT", "TTTT", "ACGTT"],
        "family": [0, 1, 1, 1, 2, 3, 0, 1, 0],
    }


def test_representatives_are_the_medoids_of_the_same_families(tmp_path, capsys):
    write_table(tmp_path / "test.csv", ROWS)
    whole = run_script(tmp_path, "all")
    table = run_script(tmp_path, "representatives")
    assert "kept 4 sequences (representatives)" in capsys.readouterr().err
    expected = whole[whole["medoid"]].assign(rank=range(4)).reset_index(drop=True)
    pd.testing.assert_frame_equal(table, expected)
    inserts = records(tmp_path / "representatives.fa")
    assert list(inserts) == table["sequence"].tolist() == ["s1", "s5", "s0", "s4"]
    assert inserts == {name: records(tmp_path / "all.fa")[name] for name in inserts}


def test_the_ranked_list_of_many(tmp_path):
    """Expression decreases, ties keep the order of the table, and the FASTA has the same
    inserts."""
    rng = np.random.default_rng(3)
    tokens = planted(3, number=300, length=12, centres=40, unknown=0)
    inserts = [text_of(row) for row in tokens]
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
    assert partition(found["family"].to_numpy()) == naive(tokens, 2, 30)
    assert in_order_of_appearance(found["family"].to_numpy())
    assert (found["size"] == found.groupby("family")["row"].transform("size")).all()
    assert (found.groupby("family")["medoid"].sum() == 1).all()


@pytest.mark.parametrize("insert", ["", "NN"])
def test_a_sequence_without_an_insert_is_named(tmp_path, insert):
    write_table(tmp_path / "test.csv", [*ROWS, (insert, 3.0), ("", 2.0)])
    with pytest.raises(ValueError, match=r"test.csv: 2 sequence.* the first in row 6 .from 0."):
        run_script(tmp_path, "all")
