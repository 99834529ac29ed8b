"""What a file is that is no table of text, told by its first bytes."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from crmnet.data import kinds
from crmnet.data.delimited import TableError, check, is_fasta, layout, rows

TABLE = "sequence,expression\nACGTACGTAA,1.5\nCCGTACGTAA,-0.25\n"
COLUMNS = {"sequence": "sequence", "expression": "expression"}


def packed(*names, first=b""):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, first or TABLE)
    return file.getvalue()


def tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("table.csv")
        info.size = len(TABLE)
        archive.addfile(info, io.BytesIO(TABLE.encode()))
    return file.getvalue()


def array():
    file = io.BytesIO()
    np.save(file, np.arange(9))
    return file.getvalue()


def opendocument():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<x/>")
    return file.getvalue()


OTHERS = {
    "an Excel workbook": packed("[Content_Types].xml", "xl/workbook.xml"),
    "a Word document": packed("[Content_Types].xml", "word/document.xml"),
    "an OpenDocument file": opendocument(),
    "a ZIP archive": packed("table.csv"),
    "a ZIP archive,": packed(),
    "an old Excel workbook": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "packed with bzip2": bz2.compress(TABLE.encode()),
    "packed with xz": lzma.compress(TABLE.encode()),
    "packed with zstd": b"\x28\xb5\x2f\xfd\x20" + TABLE.encode(),
    "packed with gzip twice": gzip.compress(gzip.compress(TABLE.encode())),
    "a 7z archive": b"7z\xbc\xaf\x27\x1c" + bytes(30),
    "a RAR archive": b"Rar!\x1a\x07\x01\x00" + bytes(30),
    "a tar archive": tar(),
    "a PDF document": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "a rich-text document": rb"{\rtf1\ansi sequence,expression}",
    "a Parquet table": b"PAR1" + bytes(range(200)),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(30),
    "an SQLite database": b"SQLite format 3\0" + bytes(90),
    "a NumPy array": array(),
    "a file of R": b"X\n\0\0\0\x03\0\x04\x03\x02",
    "a pickle of Python": pickle.dumps({"sequence": ["ACGT"]}),
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:9\nsize 9\n",
    "a FASTQ file": b"@read1\nACGTACGT\n+\nIIIIIIII\n",
    "a FASTA file": b">one\nACGT\n>two\nGGTT\n",
    "a SAM file": b"@HD\tVN:1.6\n@SQ\tSN:chr1\tLN:9\n",
    "a GenBank file": b"LOCUS       SCU49845     5028 bp    DNA\n",
    "YAML": b"outdir: results\nmedia:\n  glucose: 1\n",
    "JSON": json.dumps([{"sequence": "ACGT", "expression": 1}]).encode(),
    "JSON,": b'{"sequence": "ACGT", "expression": 1}\n{"sequence": "AC", "expression": 2}\n',
    "an HTML page": b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n",
    "an HTML page,": b"\n\n<html lang='en'>\n<head></head>\n",
    "XML": b"<?xml version='1.0'?>\n<table><row/></table>\n",
    "binary": bytes(range(256)) * 9,
    "a VCF file": b"##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\nchr1\t3\trs1\tG\tA\n",
    "a GFF or GTF file": b"##gff-version 3\nchr1\t.\tgene\t1\t9\t.\t+\t.\tID=a\n",
    "a track": b"track name=peaks\nchr1\t10\t20\n",
    "a BED file": b"chr1\t100\t200\tpeak1\t0\t+\nchr2\t5\t9\tpeak2\t0\t-\n",
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", OTHERS)
def test_a_file_of_another_kind_is_named_with_what_to_do(tmp_path, kind, zipped):
    path = tmp_path / "table.txt"
    path.write_bytes(gzip.compress(OTHERS[kind]) if zipped else OTHERS[kind])
    if zipped and kind == "packed with gzip twice":
        path.write_bytes(OTHERS[kind])
    for columns, header in ((COLUMNS, True), ({"sequence": 1, "expression": 2}, False)):
        with pytest.raises(TableError) as error:
            check(path, columns, header)
        said, _, mend = str(error.value).removeprefix(f"{path}: ").partition("; ")
        assert said.startswith(f"is {kind.rstrip(',')}")
        assert mend.startswith(("save", "unpack", "write", "name", "get", "if it was downloaded"))


@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_text_in_another_encoding(tmp_path, encoding, mark):
    path = tmp_path / "table.txt"
    path.write_bytes(("\ufeff" * mark + TABLE).encode(encoding))
    name = encoding[:6].upper()
    with pytest.raises(TableError, match=f"is text in {name}, not UTF-8; save it as UTF-8"):
        check(path, COLUMNS, True)


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        "\ufeff" + TABLE,
        "PKM2 site,sequence,expression\nx,ACGT,1\n",
        "@id,sequence,expression\nx,ACGT,1\n",
        "sequence,expression,note: a\nACGT,1,b: c\n",
        "séquence,sequence,expression\né,ACGT,1\n",
        "chr\tstart\tend\tsequence\texpression\nchr1\t1\t9\tACGT\t1\n",
        "seq\t1\t2\t3\nACGT\t1\t9\t2\n",
        "ACGTTT\t1\t9\n",
    ],
)
def test_a_table_is_none_of_these(text):
    for content in (text.encode(), text.encode("latin-1", "replace")):
        assert kinds.other_than_table(content, True) is None


def test_a_table_of_regions_with_sequences_is_a_table(tmp_path):
    path = tmp_path / "regions.bed"
    path.write_text("chr1\t100\t110\tACGTACGTAA\t1.5\nchr1\t200\t210\tCCGTACGTAA\t2\n")
    assert layout(path, {"sequence": 4, "expression": 5}, False).separator == "\t"


def test_variants_and_regions_are_tables_where_no_sequences_are_asked_for(tmp_path):
    path = tmp_path / "v.vcf"
    path.write_bytes(OTHERS["a VCF file"])
    columns = {"id": "#CHROM", "position": "POS"}
    assert list(rows(path, columns, True, comment="##")) == [(3, {"id": "chr1", "position": "3"})]
    path.write_bytes(OTHERS["a BED file"])
    assert [cells["id"] for _, cells in rows(path, {"id": 4}, False)] == ["peak1", "peak2"]


def test_fasta_is_known_and_other_kinds_are_refused(tmp_path):
    path = tmp_path / "s.fa"
    for content in (b">a\nACGT\n", b"\xef\xbb\xbf>a\nACGT\n", gzip.compress(b">a\nACGT\n")):
        path.write_bytes(content)
        assert is_fasta(path)
    path.write_text(TABLE)
    assert not is_fasta(path)
    path.write_bytes(OTHERS["an Excel workbook"])
    with pytest.raises(TableError, match="Excel"):
        is_fasta(path)
