"""Tells by the first bytes of a file that it is no table of text, and what to do with it. Needs the
standard library only."""

from __future__ import annotations

import codecs
import re

from crmnet.data import web

_SHEET = "save the sheet with the table as CSV (UTF-8) or as tab-separated text"
_UNPACK = "unpack it, and name the table in it (of all packed files, only gzip is read as it is)"
_EXPORT = "write its table as CSV or tab-separated text"
_TABLE = "name a table that has a column for each thing in `columns`"
_MEASURED = "name a table with a column of sequences and one of what was measured"
_LFS = "get the file itself with `git lfs pull`"
_AS_UTF8 = "save it as UTF-8 (in a spreadsheet program: CSV UTF-8)"

# What a file begins with -> what it is, and what to do. The first that matches decides.
SIGNATURES = (
    (
        rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis\.opendocument",
        "an OpenDocument file",
        _SHEET,
    ),
    (rb"PK\x03\x04.*word/document", "a Word document", _EXPORT),
    (rb"PK\x03\x04.*(\[Content_Types\]\.xml|xl/workbook)", "an Excel workbook", _SHEET),
    (rb"PK(\x03\x04|\x05\x06)", "a ZIP archive", _UNPACK),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook or Office document", _SHEET),
    (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", "packed with bzip2", _UNPACK),
    (rb"\xfd7zXZ\0", "packed with xz", _UNPACK),
    (rb"\x28\xb5\x2f\xfd", "packed with zstd", _UNPACK),
    (rb"\x04\x22\x4d\x18", "packed with lz4", _UNPACK),
    (rb"\x1f\x9d", "packed with compress", _UNPACK),
    (rb"\x1f\x8b", "packed with gzip twice", _UNPACK),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (rb"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (rb".{257}ustar", "a tar archive", _UNPACK),
    (rb"%PDF-", "a PDF document", _EXPORT),
    (rb"%!PS", "a PostScript document", _EXPORT),
    (rb"\{\\rtf", "a rich-text document", _EXPORT),
    (rb"PAR1", "a Parquet table", _EXPORT),
    (rb"(ARROW1|FEA1)", "a Feather table", _EXPORT),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file", _EXPORT),
    (rb"SQLite format 3\0", "an SQLite database", _EXPORT),
    (rb"\x93NUMPY", "a NumPy array", _EXPORT),
    (rb"(RDX[23]\n|[XAB]\n\0\0\0)", "a file of R", _EXPORT),
    (rb"\x80[\x02-\x05]", "a pickle of Python", _EXPORT),
    (rb"(BAM|CRAM|BCF)[\x01-\x04]", "a BAM, CRAM or BCF file", _MEASURED),
    (rb"\x89PNG|\xff\xd8\xff|GIF8", "a picture", _EXPORT),
    (rb"version https://git-lfs", "a pointer of Git LFS", _LFS),
    (rb"@[^\r\n]*[\r\n]+[A-Za-z.]+[\r\n]+\+", "a FASTQ file (reads)", _MEASURED),
    (rb"@(HD|SQ|RG|PG|CO)\t", "a SAM file (alignments)", _MEASURED),
    (rb"LOCUS  ", "a GenBank file", _MEASURED),
    (
        rb"(---[ \t]*(\r\n|\r|\n))?([\w.-]+:([ \t][^\r\n]*)?(\r\n|\r|\n)[ \t]*(- )?){2}",
        "YAML",
        _TABLE,
    ),
)
FASTA = (rb">", "a FASTA file", _TABLE)
# Tables of text, but without sequences.
GENOMIC = (
    (rb"##fileformat=VCF|#CHROM\tPOS\t", "a VCF file (variants)", _MEASURED),
    (rb"##gff-version|#!genome-build", "a GFF or GTF file (annotations)", _MEASURED),
    (rb"(browser|track) ", "a track of a genome browser", _MEASURED),
    (
        rb"(?![^\r\n]*\t[ACGTNacgtn]{4,}(\t|[\r\n]|$))"
        rb"(chr\w+|NC_[\d.]+|[IVX]+|[XY]|\d{1,2})\t\d+\t\d+(\t|[\r\n]|$)",
        "a BED file (regions)",
        _MEASURED,
    ),
)
# UTF-32 first, because its mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# This much of a file tells whether it is text.
_HEAD = 4096
_CONTROL = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")


def is_fasta(start: bytes) -> bool:
    """Tells whether a file that begins with these bytes is FASTA."""
    return start.removeprefix(codecs.BOM_UTF8).startswith(b">")


def other_than_table(start: bytes, sequences: bool) -> str | None:
    """Returns what a file is that begins with these bytes, and what to do, as the end of a sentence
    that starts with the file's name; None for a table of text.

    Args:
        start: the first bytes of the file, or of its text if it is gzip.
        sequences: whether the table should have sequences, so that a table of regions or variants
            is of no use.
    """
    encoding = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    if encoding:
        return f"is text in {encoding}, not UTF-8; {_AS_UTF8}"
    text = start.removeprefix(codecs.BOM_UTF8)
    for pattern, what, mend in (*SIGNATURES, FASTA):
        if re.match(pattern, text, re.DOTALL):
            return f"is {what}, not a table of plain text; {mend}"
    for pattern, what, mend in GENOMIC if sequences else ():
        if re.match(pattern, text):
            return f"is {what}, not a table of sequences; {mend}"
    if page := web.other_content(start[:_HEAD]):
        return (
            f"is {page.rstrip(',')}, not a table of plain text; if it was downloaded, the server "
            "sent an error or a login page, so open the link in a browser"
        )
    if encoding := _wide(start[:_HEAD]):
        return f"is text in {encoding}, not UTF-8; {_AS_UTF8}"
    head = text[:_HEAD].decode(errors="replace")
    first = re.split(r"[\r\n]", head, maxsplit=1)[0]
    if "\0" in first or len(_CONTROL.findall(head)) > 0.25 * len(head):
        return f"is binary, not a table of plain text; {_EXPORT}"
    return None


def _wide(start: bytes) -> str | None:
    """Returns the encoding of text without a mark that has two or four bytes a letter, most of
    them 0."""
    empty = [start[place::4].count(0) > len(start) / 5 for place in range(4)]
    if sum(empty) == 3:
        return "UTF-32"
    return "UTF-16" if sum(empty) == 2 and empty[0] == empty[2] else None
