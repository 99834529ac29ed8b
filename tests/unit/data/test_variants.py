"""A user's sequences and their variants in the construct: known answers, and bad files."""

import gzip

import numpy as np
import pytest

from crmnet.data import variants
from crmnet.data.delimited import TableError
from crmnet.data.refused import Refused
from crmnet.data.sequences import Construct, encode, insert_span, letters
from crmnet.data.tsv import read_table, write_tsv
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


def read(path, flanks=ADD, header=True, refused=None, construct=CONSTRUCT, **columns):
    entry = {"file": path, "columns": SEQUENCES | columns, "header": header, "flanks": flanks}
    return read_sequences(entry, construct, refused or Refused(), path.parent)[0]


def sequences_of(folder, text, flanks=ADD, header=True, name="mine.txt", refused=None, **columns):
    path = folder / name
    path.write_text(text, newline="")
    return read(path, flanks, header, refused, **columns)


def variants_of(folder, rows, sequences, flanks=ADD, refused=None):
    path = folder / "variants.csv"
    path.write_text("id;position;ref;alt\n" + "".join(f"{row}\n" for row in rows))
    entry = {"file": path, "columns": VARIANTS, "header": True}
    return list(read_variants(entry, sequences, [], CONSTRUCT, flanks, refused or Refused()))


def test_records_are_tables_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(variants, "ROWS", 4)
    records = list(saturation(sequences_of(tmp_path, ">a\nACGT\n"), CONSTRUCT, ADD))
    parts = list(tables(iter(records)))
    assert [len(part) for part in parts] == [4, 4, 4]
    assert list(parts[0]) == ["row", "id", "position", "ref", "alt", "whole"]
    rows = [row for part in parts for row in part.itertuples(index=False, name=None)]
    assert rows == [tuple(record)[:6] for record in records]


def error_of(what, *arguments, **options):
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
        assert read(packed) == fasta


def test_sequences_of_a_table_without_ids_are_numbered(tmp_path):
    found = sequences_of(tmp_path, "sequence,x\nACGT,1\nGG,2\n")
    assert [placed.id for placed in found] == ["1", "2"]


def test_variants_in_the_construct(tmp_path):
    sequences = sequences_of(tmp_path, ">a\nCCCC\n>b\nNACGTAC\n")
    rows = ["b;2;A;g", " b;4;G;GTT", "a;1;CCC;C"]
    found = variants_of(tmp_path, rows, sequences)
    assert [variant.whole[5:-3] for variant in found] == ["GCGTAC", "ACGTTTAC", "CC"]
    assert {variant.whole[:5] + variant.whole[-3:] for variant in found} == {"TTGCAGGA"}
    assert [variant.row for variant in found] == [1, 1, 0]


def test_variants_are_the_same_whether_flanks_are_added_or_present(tmp_path):
    bare = sequences_of(tmp_path, ">a\nACGTAC\n")
    whole = sequences_of(tmp_path, ">a\nTTGCAACGTACGGA\n", PRESENT)
    (one,) = variants_of(tmp_path, ["a;3;GT;G"], bare)
    (other,) = variants_of(tmp_path, ["a;8;GT;G"], whole, PRESENT)
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
    (variant,) = variants_of(tmp_path, ["a;1;A;N"], sequences)
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
    message = error_of(sequences_of, tmp_path, text)
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
    message = error_of(sequences_of, tmp_path, text, PRESENT)
    assert all(part in message for part in said), message


def test_a_truncated_file(tmp_path):
    rng = np.random.default_rng(1)
    text = "".join(f">{n}\n{letters(rng.integers(0, 4, 15))}\n" for n in range(20000))
    path = tmp_path / "cut.fa.gz"
    path.write_bytes(gzip.compress(text.encode())[:-1000])
    assert "to its end" in error_of(read, path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("c;1;A;G", ["('c')", "no sequence has this id"]),
        ("a;2;A;G", ["ref is A", "has C at 2"]),
        ("a;0;A;G", ["position 0"]),
        ("a;7;A;G", ["position 7", "6 letters"]),
        ("a;1.5;A;G", ["position '1.5'"]),
        ("a;-1;A;G", ["position '-1'"]),
        ("a;1;;G", ["ref is empty", "VCF"]),
        ("a;1;A;", ["alt is empty"]),
        ("a;1;A;R", ["alt: letter 'R'"]),
        ("a;1;A;" + "A" * 12, ["25 letters", "reads only 24"]),
        ("b;1;N;A", ["not in the insert", "2 to 5"]),
        ("b;5;AN;A", ["not in the insert"]),
    ],
)
def test_bad_variants(tmp_path, row, said):
    sequences = sequences_of(tmp_path, ">a\nACGTAC\n>b\nNACGAN\n")
    message = error_of(variants_of, tmp_path, ["a;1;A;C", row], sequences)
    assert message.startswith(f"{tmp_path / 'variants.csv'}: 1 bad row(s):\n  line 3 ")
    assert all(part in message for part in said), message


def test_the_flanks_are_no_place_for_a_variant(tmp_path):
    sequences = sequences_of(tmp_path, ">a\nTTGCAACGTACGGA\n", PRESENT)
    for row in ("a;1;T;A", "a;11;CG;C"):
        message = error_of(variants_of, tmp_path, [row], sequences, PRESENT)
        assert "the insert, which is 6 to 11" in message


def test_no_variant_and_many_bad_ones(tmp_path):
    sequences = sequences_of(tmp_path, ">a\nACGTAC\n")
    assert "has no variant" in error_of(variants_of, tmp_path, [], sequences)
    message = error_of(variants_of, tmp_path, ["a;1;C;G"] * 8, sequences)
    assert "8 bad row(s)" in message and message.count("line ") == 5


def test_ids_stay_as_they_are(tmp_path):
    names = ["NA", "1", "1.0", "001", "nan", "p1", "P1", "=cmd()", "-35", "+1", "@x", "é", "日本"]
    names += ['a"b', "a'b", "../a", "x" * 300]
    fasta = sequences_of(tmp_path, "".join(f">{name}\nACGT\n" for name in names))
    assert [placed.id for placed in fasta] == names
    quoted = [name.replace('"', '""') for name in names]
    rows = "".join(f'" {name} ",ACGT\n' for name in quoted)
    table = sequences_of(tmp_path, f"id,sequence\n{rows}")
    assert table == fasta
    write_tsv(tmp_path / "out.tsv.gz", tables(fasta))
    assert read_table(tmp_path / "out.tsv.gz")["id"].tolist() == names


@pytest.mark.parametrize("letter", ["\x00", "\x1b", "\x7f", "\u200b", "\u202e"])
def test_an_id_that_cannot_be_printed(tmp_path, letter):
    message = error_of(sequences_of, tmp_path, f">b\nAC\n>a{letter}b\nAC\n")
    assert "record 2 ('a" in message and letter not in message
    assert f"control or invisible character {ascii(letter)}; remove it" in message


@pytest.mark.parametrize("letter", ["\x85", "\xa0", "\u2028"])
def test_an_id_of_a_table_with_a_space_that_is_none(tmp_path, letter):
    message = error_of(sequences_of, tmp_path, f"id,sequence\nb,AC\na{letter}b,AC\n")
    assert "line 3 ('a" in message and letter not in message
    assert f"control or invisible character {ascii(letter)}; remove it" in message


def test_line_breaks_in_an_id_make_no_third_row(tmp_path):
    for end in ("\r", "\n", "\r\n", "\t"):
        message = error_of(sequences_of, tmp_path, f'id,sequence\n"a{end}b",ACGT\nc,GG\n')
        assert "1 bad row(s)" in message or "line 2" in message
        assert "control" in message or "quote" in message


def test_an_id_in_another_encoding(tmp_path):
    (tmp_path / "mine.csv").write_bytes("id,sequence\né,ACGT\nè,ACGT\n".encode("latin-1"))
    assert "2 bad row(s)" in (message := error_of(read, tmp_path / "mine.csv"))
    assert "not UTF-8; save the file as UTF-8" in message


def test_headers_with_the_same_first_word(tmp_path):
    message = error_of(sequences_of, tmp_path, ">gene a\nACGT\n>gene b\nACG\n")
    assert "record 2 ('gene'): record 1 has the same id" in message
    assert "('gene a' and 'gene b'); make the first words differ" in message


@pytest.mark.parametrize(
    ("sequence", "said"),
    [
        ("ACGUUU", "letter 'U' (position 4) is not one of ACGTN; this is RNA: replace U by T"),
        ("AC--GT", "letter '-' (position 3) is not one of ACGTN; remove the gaps"),
        ("MKVLLA*", "this looks like a protein"),
        ("ACGT*", "this looks like a protein"),
        ("ACRGT", "it stands for several bases"),
        ("AC\n;note\nGT", "remove comments that begin with `;`"),
    ],
)
def test_letters_that_are_not_dna(tmp_path, sequence, said):
    assert said in error_of(sequences_of, tmp_path, f">a\nACGT\n>b\n{sequence}\n")


def test_blank_lines_and_lower_case_are_read(tmp_path):
    (one,) = sequences_of(tmp_path, "\n>a b\n\nacg t\n\nac\n\n".lstrip())
    assert (one.id, one.sequence) == ("a", "ACGTAC")


def test_bad_rows_can_be_dropped_and_are_listed(tmp_path):
    with (tmp_path / "refused.tsv").open("w") as sink:
        refused = Refused(sink, drop=True)
        text = ">a\nACGTAC\n>b\nACRT\n>a\nGG\n>c\tx\nGGG\n>d\x1b[31m\nAC\n"
        sequences = sequences_of(tmp_path, text, refused=refused)
        assert [placed.id for placed in sequences] == ["a", "c"]
        rows = ["a;1;A;G", "a;1;C;G", "b;1;A;C", "e;1;A;C", "c;1;G;G", "a;1;A;G,T"]
        found = variants_of(tmp_path, rows, sequences, refused=refused)
    assert [variant[:5] for variant in found] == [(0, "a", 1, "A", "G"), (0, "a", 1, "A", "T")]
    lines = (tmp_path / "refused.tsv").read_text().splitlines()
    table = [line.split("\t") for line in lines]
    assert table[0] == ["kind", "file", "place", "id", "reason"]
    assert [[row[0], row[2], row[3]] for row in table[1:]] == [
        ["sequence", "record 2", "b"],
        ["sequence", "record 3", "a"],
        ["sequence", "record 5", "d\\x1b[31m"],
        ["variant", "line 3", "a"],
        ["variant", "line 4", "b"],
        ["variant", "line 5", "e"],
        ["variant", "line 6", "c"],
        ["variant", "line 7", "a"],
    ]
    assert [row[4] for row in table[4:]] == [
        "ref is C, but the sequence has A at 1",
        "the sequence with this id is refused",
        "no sequence has this id; correct the id, or add the sequence",
        "ref and alt are both G, which changes nothing",
        "line 2 has the same variant; remove one of them",
    ]
    assert dict(refused.counts) == {"sequence": 3, "variant": 5}


def test_an_error_names_the_way_to_drop_unless_nothing_would_be_left(tmp_path):
    message = error_of(sequences_of, tmp_path, ">a\nACRT\n>b\nAC\n")
    assert message.endswith(
        "Correct the file, or set `on_bad_rows: drop` in the section `score` to leave bad rows out."
    )
    message = error_of(sequences_of, tmp_path, ">a\nACRT\n", refused=Refused(drop=True))
    assert message.endswith("\nCorrect the file.")
    sequences = sequences_of(tmp_path, ">a\nACGTAC\n")
    message = error_of(variants_of, tmp_path, ["a;1;T;G"], sequences, refused=Refused(drop=True))
    assert "1 bad row(s)" in message and message.endswith("\nCorrect the file.")


def test_several_alternatives_are_several_variants(tmp_path):
    sequences = sequences_of(tmp_path, ">a\nACGTAC\n")
    found = variants_of(tmp_path, ["a;2;C;g, T,CA"], sequences)
    assert [(variant.ref, variant.alt) for variant in found] == [
        ("C", "G"),
        ("C", "T"),
        ("C", "CA"),
    ]


@pytest.mark.parametrize(
    ("ref", "alt", "said"),
    [
        ("A", "A", "changes nothing"),
        ("a", "A", "changes nothing"),
        ("A", ".", "alt is '.', so there is no variant"),
        (".", "A", "ref is '.'"),
        ("A", "-", "alt is '-'; give an insertion or deletion with the base before it"),
        ("-", "A", "ref is '-'; give"),
        ("A", "*", "alt is '*', a base that another variant deletes"),
        ("A", "<DEL>", "alt is '<DEL>', which has no letters"),
        ("A", "A[chr2:5[", "alt is 'A[CHR2:5[', which has no letters"),
        ("A", "C,", "alt is empty"),
        ("A", "U", "RNA"),
    ],
)
def test_alleles_without_bases(tmp_path, ref, alt, said):
    sequences = sequences_of(tmp_path, ">a\nACGTAC\n")
    message = error_of(variants_of, tmp_path, ["a;2;C;G", f"a;1;{ref};{alt}"], sequences)
    assert "1 bad row(s):\n  line 3 ('a'): " in message and said in message


def test_the_same_variant_twice(tmp_path):
    sequences = sequences_of(tmp_path, ">a\nACGTAC\n")
    for rows in (["a;2;C;G", "a;2;c;g"], ["a;2;C;G,G"]):
        message = error_of(variants_of, tmp_path, rows, sequences)
        assert "line 2 has the same variant; remove one of them" in message


def test_an_id_that_differs_in_case(tmp_path):
    sequences = sequences_of(tmp_path, ">Gene\nACGTAC\n")
    message = error_of(variants_of, tmp_path, ["gene;1;A;G"], sequences)
    assert "no sequence has this id, but one has the id 'Gene'" in message


@pytest.mark.parametrize("drop", [False, True])
def test_positions_that_count_from_0_are_told(tmp_path, drop):
    sequences = sequences_of(tmp_path, ">a\nAACGTAC\n")
    # The first fits as well as it is.
    rows = ["a;1;A;G", "a;2;C;G", "a;3;GT;G", "unknown;2;C;G", "a;4;-;G"]
    refused = Refused(drop=drop)
    message = error_of(variants_of, tmp_path, rows, sequences, refused=refused)
    assert "the positions seem to count from 0; add 1 to each" in message
    assert "from 0" in error_of(variants_of, tmp_path, ["a;0;A;G"], sequences)
    message = error_of(variants_of, tmp_path, [*rows, "a;7;C;G"], sequences)
    assert "4 bad row(s)" in message and "from 0" not in message


def test_an_unknown_base_at_the_start_moves_nothing(tmp_path):
    bare = Construct("", "", 8, 24)
    (tmp_path / "mine.fa").write_text(">a\nACGTAC\n")
    sequences = read(tmp_path / "mine.fa", construct=bare)
    (tmp_path / "v.csv").write_text("id,position,ref,alt\na,1,A,N\na,1,A,NNNA\na,6,C,N\n")
    entry = {"file": tmp_path / "v.csv", "columns": VARIANTS, "header": True}
    found = list(read_variants(entry, sequences, [], bare, ADD, Refused()))
    tokens = encode([variant.whole for variant in found], 24, strip=False)
    assert [letters(row) for row in tokens] == ["CGTAC", "ACGTAC", "ACGTA"]
    assert tokens[0, :6].tolist() == [4, 1, 2, 3, 0, 1]
    assert tokens[1, :9].tolist() == [4, 4, 4, 0, 1, 2, 3, 0, 1]


def test_a_table_is_read_as_the_config_says(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(
        variants, "first_row", lambda path, **how: (given.append(how), (["id"], ","))[1]
    )
    monkeypatch.setattr(variants, "rows", lambda *a, **how: given.append(how) or iter(()))
    (tmp_path / "mine.csv").write_text("id|sequence\n")
    entry = {"file": tmp_path / "mine.csv", "columns": SEQUENCES, "header": True, "flanks": ADD}
    with pytest.raises(TableError, match="has no sequence"):
        read_sequences(entry | {"separator": "|", "comment": "#"}, CONSTRUCT, Refused(), tmp_path)
    assert given == [{"separator": "|", "comment": "#"}] * 2
