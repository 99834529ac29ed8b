"""Splits by families: relatives of every kind stay together, in all media."""

import numpy as np
import pytest

from crmnet.data import splits
from crmnet.data.sequences import Construct, hashes, leak_keys
from crmnet.data.splits import VALIDATION, Relatives, Split, purpose, split
from crmnet.data.tables import Rejects, Table, TableError, chunks

LEFT, RIGHT = "TGCATTTTTTTCACATC", "GGTTACGGCTGTT"
CONSTRUCT = Construct(LEFT, RIGHT, 80, 112)
NEAR = {"distance": 8, "overlap": 30}


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
