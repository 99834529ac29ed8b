"""Splits by families: relatives of every kind stay together, in all media."""

import dataclasses
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from crmnet.data import folds, splits
from crmnet.data.sequences import Construct, hashes, leak_keys, strand_hashes
from crmnet.data.splits import VALIDATION, Draw, Relatives, Split, split
from crmnet.data.tables import Rejects, Table, TableError, chunks
from crmnet.data.tsv import read_table

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"

LEFT, RIGHT = "TGCATTTTTTTCACATC", "GGTTACGGCTGTT"
CONSTRUCT = Construct(LEFT, RIGHT, 80, 112)
NEAR = {"distance": 8, "overlap": 30}


def purpose(test_set, given):
    """The purpose of the sequences of a test set that the config holds out in this way."""
    return Draw.of("", given).purpose(test_set)


def random_inserts(rng, number, length=80):
    return ["".join(row) for row in rng.choice([*"ACGT"], (number, length))]


def other_strand(text):
    return text.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def mutated(rng, text, number):
    letters = list(text)
    for place in rng.choice(len(text), number, replace=False):
        letters[place] = rng.choice([x for x in "ACGT" if x != letters[place]])
    return "".join(letters)


def table(path, inserts, names=None):
    """A table with the inserts in their flanks, and with the names of families if there are any."""
    columns = [[LEFT + insert + RIGHT for insert in inserts], ["1"] * len(inserts)]
    columns += [names] if names else []
    rows = zip(*columns, strict=True)
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return Table(path, 1, {"expression": 2}, header=False, family=3 if names else None)


def library(rng, kind, number=40):
    """Families of relatives of one kind, and the number of the family of each insert."""
    inserts, family = [], []
    for place, start in enumerate(random_inserts(rng, number)):
        if kind == "variants":
            members = [start, *(mutated(rng, start, 4) for _ in range(4))]
        elif kind == "strands":
            members = [start, other_strand(start), other_strand(mutated(rng, start, 8))]
        else:
            whole = start + random_inserts(rng, 1)[0]
            members = [whole[begin : begin + 80] for begin in range(0, 81, 40)]
            members[1] = other_strand(members[1])
        inserts += members
        family += [place] * len(members)
    order = rng.permutation(len(inserts))
    return [inserts[n] for n in order], np.array(family)[order]


def made(training, tests=(), held_out=None, fraction=0.1, seed=1, **near):
    return split(
        training,
        tests,
        held_out or {},
        CONSTRUCT,
        validation_fraction=fraction,
        seed=seed,
        rejects=Rejects(),
        **NEAR | near,
    )


def uses(found, source):
    """The purpose of each row of a table; empty for training."""
    keys = np.concatenate(
        [leak_keys(c.buffer, c.starts, c.ends, CONSTRUCT) for c in chunks(source, Rejects())]
    )
    mask, place = found.find(hashes(keys))
    purposes = np.full(len(keys), "", object)
    purposes[mask] = found.purposes[place]
    return purposes


def straddling(purposes, family):
    return [f for f in set(family.tolist()) if len(set(purposes[family == f])) > 1]


@pytest.mark.parametrize("kind", ["variants", "strands", "tiles"])
def test_no_relatives_straddle_the_split(tmp_path, kind):
    rng = np.random.default_rng(1)
    inserts, family = library(rng, kind)
    source = table(tmp_path / "rows.tsv", inserts)
    found = made({"a": [source]}, held_out={"a": {"kept": 0.2}})
    purposes = uses(found, source)
    assert straddling(purposes, family) == []
    rows = len(inserts)
    assert 0.15 * rows < (purposes == purpose("kept", 0.2)).sum() < 0.25 * rows
    assert 0.07 * rows < (purposes == VALIDATION).sum() < 0.13 * rows
    # One by one, as without families, many do.
    keys = np.arange(rows)[:, None].astype(np.uint8)
    assert straddling(hashes(keys, 1) < 0.1 * 2.0**64, family)
    assert found.counts["a"] == {
        "sequences": rows,
        "families": 40,
        "largest": np.bincount(family).max(),
    }


def test_a_column_of_families_takes_the_place_of_the_search(tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    inserts, _ = library(rng, "variants", 30)
    genes = rng.integers(0, 20, len(inserts))
    source = table(tmp_path / "rows.tsv", inserts, [f"gene{n}" for n in genes])
    searched = []
    search = splits.families
    monkeypatch.setattr(splits, "families", lambda t, *_: searched.append(len(t)) or search(t, *_))
    found = made({"a": [source]}, held_out={"a": {"kept": 0.2}})
    assert searched == [0]
    purposes = uses(found, source)
    assert straddling(purposes, genes) == [] and len(set(purposes)) == 3
    mask, place = found.find(found.hashes)
    assert mask.all() and set(found.families[place]) <= {f"gene{n}" for n in range(20)}


def test_equal_sequences_join_the_groups_that_they_are_in(tmp_path):
    rng = np.random.default_rng(3)
    inserts = random_inserts(rng, 60)
    names = [f"g{n // 2}" for n in range(60)]
    # The last of each pair of genes is the first of the next pair, in another table.
    first = table(tmp_path / "first.tsv", inserts, names)
    joined = [x for n in range(3, 57, 4) for x in (inserts[n], mutated(rng, inserts[n + 1], 3))]
    second = table(tmp_path / "second.tsv", joined)
    third = table(tmp_path / "third.tsv", inserts[1:57:4], [f"x{n}" for n in range(14)])
    fourth = table(tmp_path / "fourth.tsv", inserts[2:57:4], [f"x{n}" for n in range(14)])
    found = made({"a": [first, second], "b": [third, fourth]}, fraction=0.2)
    # x joins genes 2n and 2n + 1; the search finds no relatives among the joined.
    purposes = uses(found, first)
    assert straddling(purposes[:56], np.arange(56) // 4) == []
    assert set(purposes) == {"", VALIDATION}
    assert (uses(found, second)[::2] == purposes[3:57:4]).all()


def test_a_sequence_is_for_one_thing_in_every_medium(tmp_path):
    rng = np.random.default_rng(4)
    inserts, family = library(rng, "variants", 60)
    half = len(inserts) // 2
    first = table(tmp_path / "first.tsv", inserts[: half + 40])
    second = table(tmp_path / "second.tsv", inserts[half - 40 :])
    kept = {"a": {"kept": 0.1}, "b": {"kept": 0.1}}
    found = made({"a": [first], "b": [second]}, held_out=kept)
    one, other = uses(found, first), uses(found, second)
    assert (one[half - 40 :] == other[:80]).all()
    assert straddling(np.append(one, other[80:]), family) == []
    for purposes in (one, other):
        for use in (purpose("kept", 0.1), VALIDATION):
            assert 0.05 * len(purposes) <= (purposes == use).sum() <= 0.125 * len(purposes)


def test_families_of_test_tables_are_for_training_alone(tmp_path):
    rng = np.random.default_rng(5)
    inserts, family = library(rng, "strands", 50)
    source = table(tmp_path / "rows.tsv", inserts)
    # Of three families in four the test set has one relative of a relative.
    tested = [int(np.flatnonzero(family == f)[0]) for f in range(50) if f % 4]
    test = table(tmp_path / "test.tsv", [mutated(rng, inserts[n], 2) for n in tested])
    found = made({"a": [source]}, [test])
    purposes = uses(found, source)
    assert (purposes[family % 4 > 0] == "").all()
    assert (purposes == VALIDATION).sum() >= 0.05 * len(inserts)
    assert (uses(found, test) == "").all()


def test_the_split_depends_on_the_seed_and_not_on_the_order(tmp_path):
    rng = np.random.default_rng(6)
    inserts, _ = library(rng, "variants", 300)
    source = table(tmp_path / "rows.tsv", inserts)
    turned = table(tmp_path / "turned.tsv", inserts[::-1])
    first, again = made({"a": [source]}), made({"a": [turned]})
    assert first.hashes.tolist() == again.hashes.tolist()
    other = made({"a": [source]}, seed=2)
    assert len(set(first.hashes.tolist()) & set(other.hashes.tolist())) < len(first.hashes) / 2


def test_a_large_family_is_not_preferred(tmp_path):
    """If half of a library is single sequences and half families of 20, so is half of the
    validation."""
    rng = np.random.default_rng(7)
    singles = random_inserts(rng, 2000)
    starts = random_inserts(rng, 100)
    variants = [mutated(rng, start, 2) for start in starts for _ in range(20)]
    source = table(tmp_path / "rows.tsv", singles + variants)
    shares = []
    for seed in range(10):
        purposes = uses(made({"a": [source]}, fraction=0.2, seed=seed), source)
        shares.append((purposes[2000:] == VALIDATION).mean())
    assert 0.15 < np.mean(shares) < 0.25


def test_a_family_that_holds_everything_is_refused(tmp_path):
    rng = np.random.default_rng(8)
    (start,) = random_inserts(rng, 1)
    source = table(tmp_path / "rows.tsv", [mutated(rng, start, 3) for _ in range(100)])
    with pytest.raises(TableError) as error:
        made({"a": [source]}, held_out={"a": {"kept": 0.2}})
    said = str(error.value)
    assert "media.a.test.kept.held_out: 20 rows (0.2 of 100) of medium a are wanted" in said
    assert "give only 0: the smallest free family has 100 rows" in said
    assert "`media: a: split: sequences`" in said
    with pytest.raises(TableError, match="data.validation_fraction.* test table|of a test set"):
        made({"a": [source]}, [table(tmp_path / "test.tsv", [start])])


def test_a_split_that_is_saved_is_read_again(tmp_path):
    rng = np.random.default_rng(9)
    inserts, _ = library(rng, "tiles")
    source = table(tmp_path / "rows.tsv", inserts, ["NA" if n % 9 else "x" for n in range(120)])
    other = table(tmp_path / "other.tsv", random_inserts(rng, 50))
    found = made({"a": [other], "b": [source, other]}, fraction=0.3)
    found.save(tmp_path / "split.npz")
    again = Split.load(tmp_path / "split.npz")
    for part in ("hashes", "purposes", "families"):
        assert (getattr(again, part) == getattr(found, part)).all()
    assert again.counts == found.counts and list(again.counts) == ["a", "b"]


def relatives_of(tests, inserts, names=None):
    found = Relatives(tests, CONSTRUCT, **NEAR)
    text = "".join(inserts)
    ends = np.cumsum([len(insert) for insert in inserts])
    buffer = np.array(["ACGTN".index(letter) for letter in text], np.uint8)
    keys = leak_keys(buffer, ends - [len(i) for i in inserts], ends, CONSTRUCT)
    sets = found.among(keys, names if names is None else np.array(names, object))
    found.count(sets)
    return found, [{n for n, bit in found.bits.items() if row & bit} for row in sets]


def test_relatives_of_each_test_set_are_found_and_counted(tmp_path):
    rng = np.random.default_rng(10)
    inserts = random_inserts(rng, 30)
    tests = {
        # One sequence stands in both, and twice in one.
        "one": table(tmp_path / "one.tsv", [inserts[0], *inserts[:10]]),
        "two": table(tmp_path / "two.tsv", inserts[9:20]),
    }
    rows = [mutated(rng, inserts[0], 8), other_strand(inserts[9]), inserts[12][40:], inserts[25]]
    found, sets = relatives_of(tests, [*rows, mutated(rng, inserts[1], 30), rows[0]])
    assert sets == [{"one"}, {"one", "two"}, {"two"}, set(), set(), {"one"}]
    assert found.rows == {"one": 3, "two": 2} and found.sequences() == {"one": 2, "two": 2}


def test_relatives_are_those_of_one_name_where_both_tables_have_names(tmp_path):
    rng = np.random.default_rng(11)
    inserts = random_inserts(rng, 30)
    tests = {
        "named": table(tmp_path / "one.tsv", inserts[:10], [f"g{n // 2}" for n in range(10)]),
        "other": table(tmp_path / "two.tsv", inserts[10:20]),
    }
    rows = [inserts[25], mutated(rng, inserts[0], 3), mutated(rng, inserts[10], 3)]
    found, sets = relatives_of(tests, rows, ["g1", "x", "x"])
    assert sets == [{"named"}, set(), {"other"}]
    assert found.sequences() == {"named": 2, "other": 1}
    found, sets = relatives_of(tests, rows)
    assert sets == [set(), {"named"}, {"other"}]
    assert found.rows == {"named": 1, "other": 1} and found.sequences() == {"named": 1, "other": 1}


def labelled(path, inserts, columns, **options):
    """A table with a header, and a column of text for each of `columns`."""
    rows = [["sequence", "value", *columns]]
    rows += [
        [LEFT + insert + RIGHT, "1", *texts]
        for insert, *texts in zip(inserts, *columns.values(), strict=True)
    ]
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return Table(path, "sequence", {"expression": "value"}, **options)


def chromosomes(rng, inserts, number=8):
    """Chromosomes that cut families, of unequal size."""
    share = np.arange(1, number + 1) / sum(range(1, number + 1))
    return [f"chr{n + 1}" for n in rng.choice(number, len(inserts), p=share)]


def test_values_of_a_column_decide_whatever_the_relatives_are(tmp_path):
    rng = np.random.default_rng(12)
    inserts, family = library(rng, "variants", 60)
    chrom = chromosomes(rng, inserts)
    source = labelled(tmp_path / "rows.tsv", inserts, {"chrom": chrom}, by=["chrom"])
    other = labelled(tmp_path / "other.tsv", inserts[:100], {"chrom": chrom[:100]}, by=["chrom"])
    given = {"by": "chrom", "values": ["chr8", "chr2"]}
    found = made(
        {"a": [source], "b": [other]},
        held_out={m: {"far": given} for m in "ab"},
        validation={m: {"by": "chrom", "values": ["chr5"]} for m in "ab"},
    )
    expected = {"chr8": purpose("far", given), "chr2": purpose("far", given), "chr5": VALIDATION}
    assert uses(found, source).tolist() == [expected.get(name, "") for name in chrom]
    assert uses(found, other).tolist() == [expected.get(name, "") for name in chrom[:100]]
    # Here relatives are on both sides. Without `validation`, whole families that are not cut are
    # for validation.
    assert straddling(uses(found, source), family)
    found = made({"a": [source]}, held_out={"a": {"far": {"by": "chrom", "values": ["chr1"]}}})
    purposes = uses(found, source)
    assert [use for use, name in zip(purposes, chrom, strict=True) if name == "chr1"] == [
        "chrom: chr1"
    ] * chrom.count("chr1")
    assert (purposes == VALIDATION).sum() >= 0.05 * len(inserts)
    assert all(
        set(purposes[family == f]) == {VALIDATION} for f in set(family[purposes == VALIDATION])
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_share_by_a_column_takes_whole_values_and_the_same_in_all_media(tmp_path, seed):
    rng = np.random.default_rng(seed)
    inserts = random_inserts(rng, 400)
    chrom = chromosomes(rng, inserts, 20)
    first = labelled(tmp_path / "a.tsv", inserts[:250], {"chrom": chrom[:250]}, by=["chrom"])
    second = labelled(tmp_path / "b.tsv", inserts[150:], {"chrom": chrom[150:]}, by=["chrom"])
    given = {"by": "chrom", "fraction": 0.2}
    found = made(
        {"a": [first], "b": [second]},
        held_out={m: {"far": given} for m in "ab"},
        validation={m: {"by": "chrom", "fraction": 0.15} for m in "ab"},
        seed=seed,
    )
    one, two = uses(found, first), uses(found, second)
    purposes = np.append(one, two[100:])
    assert (one[150:] == two[:100]).all()
    assert straddling(purposes, np.array(chrom)) == []
    for rows in (one, two):
        assert 0.1 <= (rows == purpose("far", given)).mean() <= 0.25
        assert 0.075 <= (rows == VALIDATION).mean() <= 0.1875


def test_marks_in_a_column_decide_and_test_wins(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(splits, "say", said.append)
    rng = np.random.default_rng(13)
    inserts = random_inserts(rng, 60)
    marks = ["Train", "TEST", "valid", "train", "Validation", "val"] * 10
    # Three sequences that are marked `test` are marked otherwise in another row.
    rows = [*inserts, inserts[1], inserts[7], inserts[13]]
    marks += ["train", "val", "train"]
    source = labelled(tmp_path / "rows.tsv", rows, {"set": marks}, split="set")
    found = made({"a": [source]}, held_out={"a": {"t": {"by": "split"}}})
    use = {"t": "marked test", "v": VALIDATION}
    expected = [use.get(mark[:1].lower() if mark.lower() != "train" else "", "") for mark in marks]
    assert uses(found, source).tolist() == [*expected[:60], *["marked test"] * 3]
    assert said == [
        "3 sequences have rows in the set 'marked test' and rows with other values of column "
        "split; all their rows are in the set, and none is trained on"
    ]
    with pytest.raises(TableError, match="media.a: rows .* marked `test` .* no test set takes"):
        made({"a": [source]})


def test_without_a_mark_for_validation_families_are_drawn(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(splits, "say", said.append)
    rng = np.random.default_rng(14)
    inserts, family = library(rng, "variants")
    marks = ["test" if f < 10 else "train" for f in family]
    source = labelled(tmp_path / "rows.tsv", inserts, {"set": marks}, split="set")
    found = made({"a": [source]}, held_out={"a": {"t": {"by": "split"}}}, fraction=0.2)
    purposes = uses(found, source)
    assert straddling(purposes, family) == []
    # A fifth of the 30 families that are left.
    assert (purposes == VALIDATION).sum() == 30
    assert said == [
        "no row of medium a is marked `validation`, so 0.2 of its other rows are drawn (`data: "
        "validation_fraction`)"
    ]


def test_what_a_column_cannot_give_is_refused(tmp_path):
    rng = np.random.default_rng(15)
    inserts = random_inserts(rng, 100)
    chrom = [f"chr{1 + n % 2 + 9 * (n > 90)}" for n in range(100)]
    source = labelled(tmp_path / "rows.tsv", inserts, {"chrom": chrom}, by=["chrom"])

    def refused(given, **options):
        with pytest.raises(TableError) as error:
            made({"a": [source]}, held_out={"a": {"far": {"by": "chrom", **given}}}, **options)
        return str(error.value)

    said = refused({"values": ["chr8", "chr1"]})
    assert "media.a.test.far.held_out: no row of medium a has 'chr8' in column chrom" in said
    assert said.endswith("the column has chr1, chr2, chr10, chr11")
    said = refused({"fraction": 0.3})
    assert "30 rows (0.3 of them) of medium a are wanted, but whole values of column chrom" in said
    assert "the smallest free value has 45 rows" in said
    everything = {"values": ["chr1", "chr2", "chr10", "chr11"]}
    said = refused(everything, validation={"a": {"by": "chrom", "values": ["chr1"]}})
    assert "media.a.validation: no row of medium a is left for this set" in said
    said = refused(
        {"values": everything["values"][:3]}, validation={"a": {"by": "chrom", "values": ["chr11"]}}
    )
    assert "media.a: no row is left to train on" in said and f"{VALIDATION}, " in said
    # There is nothing to draw validation rows from, either.
    assert "media.a: no row is left to train on" in refused(everything)


@pytest.mark.parametrize("flanks", [True, False])
def test_the_strands_of_a_sequence_stay_together_without_families(tmp_path, flanks):
    rng = np.random.default_rng(16)
    starts = random_inserts(rng, 150) + random_inserts(rng, 50, 61)
    inserts = [insert for start in starts for insert in (start, other_strand(start))]
    source = labelled(tmp_path / "rows.tsv", inserts, {"chrom": ["x"] * 400}, by=["chrom"])
    if not flanks:
        source.path.write_text(source.path.read_text().replace(LEFT, "").replace(RIGHT, ""))
    found = made({"a": [source]}, held_out={"a": {"kept": 0.2}}, fraction=0.2, single=["a"])
    purposes = uses(found, source)
    pairs = np.arange(400) // 2
    assert straddling(purposes, pairs) == []
    assert [(purposes == use).sum() for use in (purpose("kept", 0.2), VALIDATION)] == [80, 80]
    # The search finds them too.
    assert straddling(uses(made({"a": [source]}), source), pairs) == []
    keys = splits.keys_of([source], CONSTRUCT)
    both = strand_hashes(keys, 3).reshape(-1, 2)
    assert (both[:, 0] == both[:, 1]).all() and len(np.unique(both)) == 200
    assert 0.1 < (strand_hashes(keys, 1) < 0.2 * 2.0**64).mean() < 0.3


def dealt(training, number, tests=(), **options):
    return folds.folds(
        training,
        tests,
        number,
        CONSTRUCT,
        **{"validation_fraction": 0.15, "seed": 1, "rejects": Rejects(), **NEAR, **options},
    )


@pytest.mark.parametrize("kind", ["variants", "strands", "tiles"])
def test_each_sequence_is_in_one_fold_and_its_family_in_no_other_use(tmp_path, kind):
    rng = np.random.default_rng(17)
    inserts, family = library(rng, kind, 60)
    half = len(inserts) // 2
    first = table(tmp_path / "first.tsv", inserts[: half + 30])
    second = table(tmp_path / "second.tsv", inserts[half - 30 :])
    test = table(tmp_path / "test.tsv", inserts[:6])
    found, sizes = dealt({"a": [first], "b": [second]}, 4, [test])
    whole = [np.append(uses(split, first), uses(split, second)[60:]) for split in found]
    in_fold = np.stack([purposes == splits.FOLD for purposes in whole])
    assert (in_fold.sum(axis=0) == 1).all()
    for purposes in whole:
        assert straddling(purposes, family) == []
        assert {*purposes} == {splits.FOLD, VALIDATION, ""}
    # The folds are about equal, without the sequences of the test set.
    for medium, rows in (("a", half + 30 - 6), ("b", len(inserts) - half + 30)):
        of = sizes[sizes["medium"] == medium]
        assert of["rows"].sum() == rows and of["fold"].tolist() == [1, 2, 3, 4]
        assert of["rows"].between(0.6 * rows / 4, 1.4 * rows / 4).all()
    assert (sizes["values"] == "").all()


def test_values_of_a_column_are_dealt_to_folds(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(folds, "say", said.append)
    rng = np.random.default_rng(18)
    inserts = random_inserts(rng, 200)
    chrom = [f"chr{1 + n % 10}" for n in range(200)]
    # The first sequence is on two chromosomes.
    source = labelled(
        tmp_path / "rows.tsv", [*inserts, inserts[0]], {"chrom": [*chrom, "chr2"]}, by=["chrom"]
    )
    found, sizes = dealt({"a": [source]}, 10, by="chrom")
    assert sizes["values"].tolist() == [f"chr{n}" for n in range(1, 11)]
    for number, one in enumerate(found, start=1):
        fold = uses(one, source) == splits.FOLD
        expected = np.array([name == f"chr{number}" for name in [*chrom, "chr2"]])
        if number < 3:
            expected[[0, -1]] = True
        assert (fold == expected).all()
    assert said[0].startswith("1 sequences have values of column chrom in several folds")
    found, sizes = dealt({"a": [source]}, 3, by="chrom")
    fold = np.stack([uses(split, source) == splits.FOLD for split in found])
    for one in fold:
        assert straddling(one[1:-1], np.array(chrom[1:])) == []
    assert sizes["rows"].between(60, 82).all() and (sizes["values"].str.count("chr") > 2).all()


def test_too_many_folds_are_refused(tmp_path):
    rng = np.random.default_rng(19)
    inserts, _ = library(rng, "variants", 3)
    source = table(tmp_path / "rows.tsv", inserts)
    with pytest.raises(TableError) as error:
        dealt({"a": [source]}, 4)
    assert "cross_validation.folds: fold 4 of 4 has 0 sequences of medium a" in str(error.value)
    assert "(there are 3 families to deal)" in str(error.value)


def hold_out(folder, source, given, split=(), tests=(), families=False):
    """Runs the script `hold_out`; returns its table."""
    entry = {
        "path": str(source.path),
        "header": True,
        "columns": {"sequence": "sequence", "expression": "value"},
    }
    job = SimpleNamespace(
        input=SimpleNamespace(split=split),
        output=[folder / "kept.tsv"],
        wildcards=SimpleNamespace(test_set="kept"),
        params=SimpleNamespace(
            train=[entry],
            given=given,
            test=[entry | {"path": str(test.path)} for test in tests],
            families=families,
            construct=dataclasses.asdict(CONSTRUCT),
            on_bad_rows="stop",
            seed=1,
        ),
        log=[folder / "log"],
    )
    runpy.run_path(str(SCRIPTS / "hold_out.py"), init_globals={"snakemake": job})
    return read_table(job.output[0])


@pytest.mark.parametrize("given", [0.2, {"fraction": 0.2}])
def test_the_strands_of_a_sequence_are_held_out_together_without_families(tmp_path, given):
    rng = np.random.default_rng(20)
    inserts = [
        strand for start in random_inserts(rng, 200) for strand in (start, other_strand(start))
    ]
    kept = hold_out(tmp_path, labelled(tmp_path / "rows.tsv", inserts, {}), given)
    bare = {text[len(LEFT) : -len(RIGHT)] for text in kept["sequence"]}
    assert 40 < len(bare) < 120 and bare == set(map(other_strand, bare))
    assert list(kept) == ["sequence", "expression", "rows"]


@pytest.mark.parametrize("single", [[], ["a"]])
def test_a_fold_has_its_sequences_without_those_of_test_sets(tmp_path, single):
    rng = np.random.default_rng(21)
    inserts, _ = library(rng, "variants")
    source = labelled(tmp_path / "rows.tsv", [*inserts, inserts[50]], {})
    test = labelled(tmp_path / "test.tsv", inserts[:20], {})
    found, sizes = dealt({"a": [source]}, 3, [test], single=single)
    whole = []
    for fold, split_ in enumerate(found, start=1):
        split_.save(tmp_path / "split.npz")
        kept = hold_out(tmp_path, source, None, tmp_path / "split.npz", [test], families=not single)
        assert ("family" in kept) == (not single)
        of = sizes[sizes["fold"] == fold].iloc[0]
        assert len(kept) == of["sequences"] and kept["rows"].sum() == of["rows"]
        whole += [text[len(LEFT) : -len(RIGHT)] for text in kept["sequence"]]
    assert sorted(whole) == sorted(set(inserts[20:]))
