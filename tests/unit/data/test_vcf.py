"""Variants of VCF files: of sequences by their ids, and errors."""

import gzip

import pytest
from Bio import bgzf

from crmnet.data import variants
from crmnet.data.delimited import TableError
from crmnet.data.refused import Refused
from crmnet.data.sequences import Construct
from crmnet.data.vcf import is_vcf, lines

CONSTRUCT = Construct("TTGCA", "GGA", 8, 24)
HEAD = "##fileformat=VCFv4.2\n##contig=<ID=p1>\n"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\n"
LINES = (
    "p1\t2\trs7\tC\tA,T\t.\tPASS\t.\tGT\t0/1\n\n"
    "p2\t1\t.\tG\tGA\t9\tq10\t.\tGT\t1/1\n"
    "p1\t3\t.\tgt\tg\n"
)


@pytest.fixture
def read(tmp_path):
    """Reads the variants of sequences p1 and p2 from a VCF file of this text."""
    (tmp_path / "mine.fa").write_text(">p1\nACGTAC\n>p2\nGGCC\n")
    entry = {"file": tmp_path / "mine.fa", "columns": {}, "header": True, "flanks": "add"}
    sequences, _ = variants.read_sequences(entry, CONSTRUCT, Refused(), tmp_path)

    def read(content):
        path = tmp_path / "calls"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        assert is_vcf(path)
        entry = {"file": path, "columns": {}, "header": True}
        return list(variants.read_variants(entry, sequences, [], CONSTRUCT, "add", Refused()))

    return read


def bgzip(text, folder):
    with bgzf.BgzfWriter(folder / "packed", "wb") as file:
        file.write(text.encode())
    return (folder / "packed").read_bytes()


def test_chromosomes_are_ids_of_sequences(read, tmp_path):
    text = HEAD + COLUMNS + LINES
    found = read(text)
    assert [(v.id, v.position, v.ref, v.alt, v.name, v.genome) for v in found] == [
        ("p1", 2, "C", "A", "rs7", None),
        ("p1", 2, "C", "T", "rs7", None),
        ("p2", 1, "G", "GA", "", None),
        ("p1", 3, "GT", "G", "", None),
    ]
    assert [v.whole[5:-3] for v in found] == ["AAGTAC", "ATGTAC", "GAGCC", "ACGAC"]
    (table,) = variants.tables(found)
    assert list(table) == ["row", "id", "position", "ref", "alt", "whole", "name"]
    for other in (
        text.replace("\n", "\r\n"),
        COLUMNS + LINES,
        HEAD + LINES,
        "\ufeff" + text,
        gzip.compress(text.encode()),
        bgzip(text, tmp_path),
    ):
        assert read(other) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (COLUMNS.replace("\t", " ") + LINES, "line 1 must begin with the columns #CHROM, POS"),
        (HEAD + COLUMNS + LINES.replace("\t", " "), "line 4 has 1 column(s), but a line of a VCF"),
        (HEAD + COLUMNS, "has no variant"),
        (HEAD + COLUMNS + "chr1\t2\t.\tA\tC\n", "for positions in a genome, give `regions`"),
        (HEAD + COLUMNS + "p1\t2\t.\tC\t.\n", "alt is '.', so there is no variant"),
        (HEAD + COLUMNS + "p1\t2\t.\tC\t<NON_REF>\n", "alt is '<NON_REF>'"),
        (HEAD + COLUMNS + "p1\t2\t\x1b[31m\tC\tG\n", "the name has the control or invisible"),
        (HEAD + COLUMNS + "p1\tx\t.\tC\tG\n", "position 'x' is not a whole number"),
        (gzip.compress((HEAD + COLUMNS + 999 * LINES).encode())[:-20], "to its end"),
    ],
)
def test_bad_vcf(read, text, said):
    with pytest.raises(TableError) as error:
        read(text)
    assert said in str(error.value) and "calls: " in str(error.value)


def test_what_is_no_vcf(tmp_path):
    for text in (b"", b"id,position\n", b"#comment\n", b"\x1f\x8bdamaged", b">a\nACGT\n"):
        (tmp_path / "other").write_bytes(text)
        assert not is_vcf(tmp_path / "other")
    (tmp_path / "other").write_text(HEAD + COLUMNS + LINES)
    assert [line.number for line in lines(tmp_path / "other")] == [4, 6, 7]
