"""A user's sequences and their variants in the construct: known answers, and bad files."""

import gzip

import numpy as np
import pytest

from crmnet.data import variants
from crmnet.data.delimited import TableError
from crmnet.data.sequences import Construct, encode, insert_span, letters
from crmnet.data.variants import (
    ADD,
    PRESENT,
    changed,
    place,
    read_sequences,
    read_variants,
    saturation,
    single_changes,
    tables,
)

CONSTRUCT = Construct("TTGCA", "GGA", 8, 24)
SEQUENCES = {"id": None, "sequence": "sequence"}
VARIANTS = {"id": "id", "position": "position", "ref": "ref", "alt": "alt"}


def sequences_of(folder, text, flanks=ADD, header=True, name="mine.txt", **columns):
    path = folder / name
    path.write_text(text)
    return read_sequences(path, SEQUENCES | columns, header, flanks, CONSTRUCT)


def variants_of(folder, rows, sequences, flanks=ADD):
    path = folder / "variants.csv"
    path.write_text("id,position,ref,alt\n" + "".join(f"{row}\n" for row in rows))
    return list(read_variants(path, VARIANTS, True, sequences, CONSTRUCT, flanks))


def test_records_are_tables_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(variants, "ROWS", 4)
    records = list(saturation(sequences_of(tmp_path, ">a\nACGT\n"), CONSTRUCT, ADD))
    parts = list(tables(iter(records)))
    assert [len(part) for part in parts] == [4, 4, 4]
    assert list(parts[0]) == ["row", "id", "position", "ref", "alt", "whole"]
    rows = [row for part in parts for row in part.itertuples(index=False, name=None)]
    assert rows == [tuple(record) for record in records]


def refused(what, *arguments, **options):
    with pytest.raises(TableError) as error:
        what(*arguments, **options)
    return str(error.value)


@pytest.mark.parametrize(
    ("position", "ref", "alt", "expected"),
    [
        (1, "A", "G", "GCGTAC"),
        (6, "C", "T", "ACGTAT"),
        (3, "G", "GTT", "ACGTTTAC"),
        (2, "CGT", "C", "ACAC"),
        (2, "CG", "TT", "ATTTAC"),
        (4, "T", "T", "ACGTAC"),
    ],
)
def test_a_change_and_back(position, ref, alt, expected):
    assert changed("ACGTAC", position, ref, alt) == expected
    assert changed(expected, position, alt, ref) == "ACGTAC"


@pytest.mark.parametrize(
    ("position", "ref", "said"),
    [(0, "A", "position 0"), (7, "A", "6 letters"), (6, "CA", "6 to 7"), (2, "A", "has C at 2")],
)
def test_a_change_of_a_base_that_is_not_there(position, ref, said):
    with pytest.raises(ValueError, match=said):
        changed("ACGTAC", position, ref, "G")


def test_flanks_are_added_around_an_insert_without_its_padding():
    placed = place("a", "NNacgtacNN", CONSTRUCT, ADD)
    assert placed.sequence == "NNACGTACNN"
    assert placed.whole == "TTGCAACGTACGGA"
    assert (placed.first, placed.last, placed.start) == (3, 8, 6)


@pytest.mark.parametrize(
    ("sequence", "first", "last"),
    [("TTGCAACGTACGGA", 6, 11), ("NTTGCAACGTACGGAN", 7, 12), ("GCAACGTACGGA", 1, 9)],
)
def test_flanks_that_are_present_are_found_as_the_maps_find_them(sequence, first, last):
    placed = place("a", sequence, CONSTRUCT, PRESENT)
    assert placed.whole == sequence.strip("N")
    assert (placed.first, placed.last) == (first, last)
    start, end = insert_span(encode([placed.whole], CONSTRUCT.length), CONSTRUCT)
    assert (start[0] + 1, end[0] - start[0]) == (placed.start, last - first + 1)
    assert sequence[first - 1 : last] == placed.whole[placed.start - 1 :][: last - first + 1]


def test_a_fasta_file_a_table_and_their_gzip_give_the_same(tmp_path):
    fasta = sequences_of(tmp_path, ">p1 the first\nACGT\nAC\n>p2\nGGTT\n")
    table = sequences_of(tmp_path, "sequence\tid\nACGTAC\tp1\nggtt\tp2\n\n")
    other = sequences_of(tmp_path, "p1;ACGTAC\np2;GGTT\n", header=False, id=1, sequence=2)
    assert fasta == table == other
    assert [placed.id for placed in fasta] == ["p1", "p2"]
    for text in (b">p1\r\nACGTAC\r\n>p2\r\nGGTT\r\n", b"id,sequence\np1,ACGTAC\np2,GGTT"):
        packed = tmp_path / "packed"
        packed.write_bytes(gzip.compress(text))
        assert read_sequences(packed, SEQUENCES, True, ADD, CONSTRUCT) == fasta


def test_sequences_of_a_table_without_ids_are_numbered(tmp_path):
    found = sequences_of(tmp_path, "sequence,x\nACGT,1\nGG,2\n")
    assert [placed.id for placed in found] == ["1", "2"]


def test_variants_in_the_construct(tmp_path):
    sequences = sequences_of(tmp_path, ">a\nCCCC\n>b\nNACGTAC\n")
    rows = ["b,2,A,g", "b,4,G,GTT", "a,1,CCC,C", "b,7,C,C"]
    found = variants_of(tmp_path, rows, sequences)
    assert [variant.whole[5:-3] for variant in found] == ["GCGTAC", "ACGTTTAC", "CC", "ACGTAC"]
    assert {variant.whole[:5] + variant.whole[-3:] for variant in found} == {"TTGCAGGA"}
    assert [variant.row for variant in found] == [1, 1, 0, 1]
    assert found[3].whole == sequences[1].whole


def test_variants_are_the_same_whether_flanks_are_added_or_present(tmp_path):
    bare = sequences_of(tmp_path, ">a\nACGTAC\n")
    whole = sequences_of(tmp_path, ">a\nTTGCAACGTACGGA\n", PRESENT)
    (one,) = variants_of(tmp_path, ["a,3,GT,G"], bare)
    (other,) = variants_of(tmp_path, ["a,8,GT,G"], whole, PRESENT)
    assert one.whole == other.whole == "TTGCAACGACGGA"


def test_saturation_has_every_snv_of_the_insert_once(tmp_path):
    sequences = sequences_of(tmp_path, ">a\nTTGCAACGNACGGA\n>b\nTTGCACGGA\n", PRESENT)
    found = list(saturation(sequences, CONSTRUCT, PRESENT))
    assert len(found) == 3 * (5 + 1) and len({variant.whole for variant in found}) == len(found)
    for variant in found:
        before, after = (list(text) for text in (sequences[variant.row].whole, variant.whole))
        assert np.flatnonzero(np.array(before) != after).tolist() == [variant.position - 1]
    assert [change[0] for change in single_changes(sequences[1])] == [6, 6, 6]


def test_a_base_that_becomes_unknown_moves_nothing(tmp_path):
    sequences = sequences_of(tmp_path, ">a\nACGTAC\n")
    (variant,) = variants_of(tmp_path, ["a,1,A,N"], sequences)
    assert variant.whole == "TTGCANCGTACGGA"
    assert letters(encode([variant.whole], 24)[0]) == variant.whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (">a\nACRT\n", ["record 1 ('a')", "'R' (position 3)", "ACGTN"]),
        (">a\nACGT\n>a\nACG\n", ["record 2 ('a')", "record 1", "another"]),
        (">a\n>b\nA\n", ["record 1 ('a'): no sequence"]),
        (">a\nNNN\n", ["no sequence"]),
        (">\nACGT\n", ["record 1 (''): no id"]),
        (">a\n" + "A" * 17, ["25 letters with the added flanks", "reads only 24", "shorten"]),
        (">a\nTTGCAACGTGGA\n", ["flanks already", "`flanks: present`"]),
        ("id,sequence\na,ACGT\nb,AC-T\n", ["line 3 ('b')", "'-' (position 3)"]),
        ("id,sequence\na,ACGT\nb\n", ["line 3", "1 column(s)", "2"]),
        ("id,sequence\na,\n", ["line 2 ('a'): no sequence"]),
        ("id,sequence\n", ["has no sequence"]),
        ("id,seq\na,ACGT\n", ["no column 'sequence'", "'seq'"]),
        ("", ["is empty"]),
    ],
)
def test_bad_sequences(tmp_path, text, said):
    message = refused(sequences_of, tmp_path, text)
    assert message.startswith(f"{tmp_path / 'mine.txt'}: ")
    assert all(part in message for part in said), message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (">a\nACGT\n", ["no sequence begins with TTGCA", "`flanks: add`"]),
        (">a\nTTGCAGGA\n", ["no insert between"]),
        (">a\nTTGCAGGA\n>b\n" + "A" * 25, ["2 bad", "25 letters, but the model reads only 24"]),
    ],
)
def test_bad_constructs(tmp_path, text, said):
    message = refused(sequences_of, tmp_path, text, PRESENT)
    assert all(part in message for part in said), message


def test_a_truncated_file(tmp_path):
    rng = np.random.default_rng(1)
    text = "".join(f">{n}\n{letters(rng.integers(0, 4, 15))}\n" for n in range(20000))
    path = tmp_path / "cut.fa.gz"
    path.write_bytes(gzip.compress(text.encode())[:-1000])
    assert "to its end" in refused(read_sequences, path, SEQUENCES, True, ADD, CONSTRUCT)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("c,1,A,G", ["('c')", "no sequence has this id"]),
        ("a,2,A,G", ["ref is A", "has C at 2"]),
        ("a,0,A,G", ["position 0"]),
        ("a,7,A,G", ["position 7", "6 letters"]),
        ("a,1.5,A,G", ["position '1.5'"]),
        ("a,-1,A,G", ["position '-1'"]),
        ("a,1,,G", ["ref is empty", "VCF"]),
        ("a,1,A,", ["alt is empty"]),
        ("a,1,A,R", ["alt: letter 'R'"]),
        ("a,1,A," + "A" * 12, ["25 letters", "reads only 24"]),
        ("b,1,N,A", ["not in the insert", "2 to 5"]),
        ("b,5,AN,A", ["not in the insert"]),
    ],
)
def test_bad_variants(tmp_path, row, said):
    sequences = sequences_of(tmp_path, ">a\nACGTAC\n>b\nNACGAN\n")
    message = refused(variants_of, tmp_path, ["a,1,A,C", row], sequences)
    assert message.startswith(f"{tmp_path / 'variants.csv'}: 1 bad row(s):\n  line 3 ")
    assert all(part in message for part in said), message


def test_the_flanks_are_no_place_for_a_variant(tmp_path):
    sequences = sequences_of(tmp_path, ">a\nTTGCAACGTACGGA\n", PRESENT)
    for row in ("a,1,T,A", "a,11,CG,C"):
        message = refused(variants_of, tmp_path, [row], sequences, PRESENT)
        assert "the insert, which is 6 to 11" in message


def test_no_variant_and_many_bad_ones(tmp_path):
    sequences = sequences_of(tmp_path, ">a\nACGTAC\n")
    assert "has no variant" in refused(variants_of, tmp_path, [], sequences)
    message = refused(variants_of, tmp_path, ["a,1,C,G"] * 8, sequences)
    assert "8 bad row(s)" in message and message.count("line ") == 5
