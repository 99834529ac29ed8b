"""FASTA: names and sequences as written, errors of bad files, and a round trip."""

import gzip

import pyfaidx
import pytest

from crmnet.data.delimited import TableError
from crmnet.data.fasta import read_fasta, records, write_fasta
from crmnet.data.sequences import N, letters


def test_names_are_first_words_and_shorter_sequences_end_in_n(tmp_path):
    path = tmp_path / "s.fa"
    path.write_text(">one first\nNAC\nGT\n>two\nacgtacg\n")
    names, tokens = read_fasta(path)
    assert names == ["one", "two"]
    assert tokens.tolist() == [[N, 0, 1, 2, 3, N, N], [0, 1, 2, 3, 0, 1, 2]]
    assert [file.name for file in tmp_path.iterdir()] == ["s.fa"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_line_ends_and_gzip(tmp_path, end, packed):
    path = tmp_path / "s.fa"
    content = end.join([b">a 1", b"AC", b"GT", b"", b">b", b"TTT"])
    path.write_bytes(gzip.compress(content) if packed else content)
    assert list(records(path)) == [("a 1", "ACGT"), ("b", "TTT")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("ACGT\n>a\nACGT\n", "cannot be read: .*before the first header"),
        (">a\nAC\n>a\nGT\n", "cannot be read: record 2 repeats the name 'a'"),
        (">a\nAC\n> \nGT\n", "cannot be read: record 2 has no name"),
        (">a\nACXT\n", "cannot be read: letter 'X' is not one of ACGTN"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, text, problem):
    (tmp_path / "s.fa").write_text(text)
    with pytest.raises(TableError, match=f"s.fa: {problem}"):
        read_fasta(tmp_path / "s.fa")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TableError, match="s.fa: there is no such file"):
        read_fasta(tmp_path / "s.fa")


def test_what_is_written_is_read(tmp_path):
    write_fasta(tmp_path / "s.fa", [("s1", "ACGT"), ("s0", "GG")])
    assert (tmp_path / "s.fa").read_text() == ">s1\nACGT\n>s0\nGG\n"
    assert list(records(tmp_path / "s.fa")) == [("s1", "ACGT"), ("s0", "GG")]


def test_another_projects_reader_reads_the_same(tmp_path):
    path = tmp_path / "s.fa"
    write_fasta(path, [("s1", "ACGTN"), ("s0", "GG"), ("s2", "TTTACG")])
    names, tokens = read_fasta(path)
    with pyfaidx.Fasta(str(path)) as fasta:
        theirs = [(record.name, str(record)) for record in fasta]
    assert [name for name, _ in theirs] == names
    assert [sequence.rstrip("N") for _, sequence in theirs] == [letters(row) for row in tokens]
