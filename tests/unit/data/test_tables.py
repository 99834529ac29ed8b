"""Tables of measured sequences: every line is kept exactly, or refused with its line number."""

import csv
import dataclasses
import gzip
import io
import math
import re
import zlib
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmnet.data import sequences, tables
from crmnet.data.delimited import layout
from crmnet.data.sequences import Construct, hashes, letters
from crmnet.data.tables import Rejects, Table, TableError, chunks, hold_out, preview

ROWS = [("ACGT", 1.0), ("GATTACA", -2.5), ("TTNAA", 17.25)]
FLOAT32_MAX = float(np.finfo(np.float32).max)


@pytest.fixture
def file(tmp_path):
    """Writes a file, and returns its path."""

    def write(content, name="table.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def table(path, sequence=1, value=2, header=False):
    return Table(path, sequence, {"expression": value}, header)


def rows_of(source, rejects=None):
    """The usable rows: (sequence, expression), in order."""
    rows = []
    for chunk in tables.chunks(source, rejects or Rejects()):
        spans = zip(chunk.starts, chunk.ends, strict=True)
        texts = [sequences.letters(chunk.buffer[start:end]) for start, end in spans]
        rows += zip(texts, chunk.values["expression"].tolist(), strict=True)
    return rows


def dropping(source):
    """The table, read with `on_bad_rows: drop`."""
    return dataclasses.replace(source, on_bad_rows="drop")


def rejected(source):
    """The usable rows, and the bad ones: (line, reason, row)."""
    rejects = Rejects(io.StringIO())
    rows = rows_of(dropping(source), rejects)
    bad = [line.split("\t") for line in rejects.sink.getvalue().splitlines()]
    assert rejects.count == len(bad)
    assert {path for path, *_ in bad} <= {str(source.path)}
    return rows, [(int(line), reason, row) for _, line, reason, row in bad]


def refused(source):
    """The error message for a bad table."""
    with pytest.raises(TableError) as error:
        rows_of(source)
    assert str(source.path) in str(error.value)
    return str(error.value)


TEXT = "".join(f"{sequence}\t{value}\n" for sequence, value in ROWS)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TEXT.encode(), id="plain"),
        pytest.param(TEXT.rstrip().encode(), id="no line end at the end"),
        pytest.param(TEXT.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(TEXT.replace("\n", "\r").encode(), id="CR"),
        pytest.param(b"\xef\xbb\xbf" + TEXT.encode(), id="byte order mark"),
        pytest.param(TEXT.lower().encode(), id="lower case"),
        pytest.param(TEXT.replace("\t", ",").encode(), id="commas"),
        pytest.param(TEXT.replace("\t", ";").encode(), id="semicolons"),
        pytest.param(TEXT.replace("T", "T").encode() + b"\n\n\r\n", id="blank lines at the end"),
        pytest.param(re.sub(r"([^\t\n]+)", r'"\1"', TEXT).encode(), id="quoted cells"),
        pytest.param(gzip.compress(TEXT.encode()), id="gzip"),
        pytest.param(
            gzip.compress(TEXT[:20].encode()) + gzip.compress(TEXT[20:].encode()),
            id="gzip of two members",
        ),
        pytest.param(gzip.compress(b"\xef\xbb\xbf" + TEXT.encode()), id="gzip, byte order mark"),
        pytest.param(TEXT.replace("ACGT", "NNACGTN").encode(), id="N around a sequence"),
    ],
)
def test_the_same_rows_in_any_dress(file, content):
    assert rows_of(table(file(content))) == ROWS


@pytest.mark.parametrize("name", ["table.txt", "table.csv", "table.gz", "table"])
def test_gzip_is_known_by_content_not_name(file, name):
    assert rows_of(table(file(gzip.compress(TEXT.encode()), name))) == ROWS
    assert rows_of(table(file(TEXT, name))) == ROWS


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_columns_by_name_or_number_under_a_header(file, mark, ending):
    lines = ['sequence,"a, b",Measured Expression', '"ACGT","x, y",1.5', "GG,z,2"]
    path = file(mark + ending.join(lines))
    for columns in [("sequence", "Measured Expression"), (1, 3), ("sequence", 3)]:
        assert rows_of(table(path, *columns, header=True)) == [("ACGT", 1.5), ("GG", 2.0)]


def test_several_columns_of_numbers_in_any_order(file):
    path = file(",sequence,Measured Expression,Predicted Expression\n0,ACGT,1.5,2.5\n1,GG,3,4\n")
    source = Table(
        path, "sequence", {"predicted": 4, "expression": "Measured Expression", "same": 4}
    )
    tokens, values = tables.read(source, 6)
    assert tokens.tolist() == [[0, 1, 2, 3, 4, 4], [2, 2, 4, 4, 4, 4]]
    assert {name: column.tolist() for name, column in values.items()} == {
        "predicted": [2.5, 4.0],
        "expression": [1.5, 3.0],
        "same": [2.5, 4.0],
    }


def test_read_pads_and_cuts_at_the_end(file):
    longest = "ACGTA" * 22 + "CCG"
    assert len(longest) == 113
    tokens, values = tables.read(table(file(f"{longest}\t1\nAC\t2\n")), 112)
    assert tokens.shape == (2, 112) and tokens.dtype == np.uint8
    assert sequences.letters(tokens[0]) == longest[:112]
    assert sequences.letters(tokens[1]) == "AC"
    assert values["expression"].tolist() == [1.0, 2.0]


def test_read_stops_at_a_bad_row(file):
    with pytest.raises(TableError, match="line 2"):
        tables.read(table(file("ACGT\t1\nACGR\t2\n")), 112)


def test_a_chunk_keeps_the_whole_sequence_of_113_bases(file):
    longest = "ACGTA" * 22 + "CCG"
    assert rows_of(table(file(f"{longest}\t1\n"))) == [(longest, 1.0)]


@pytest.mark.parametrize(
    "cell",
    [
        "0",
        "-0",
        "1",
        "+1",
        "01",
        "1.",
        ".5",
        "-.5",
        "1e3",
        "1E-3",
        "+1.5e+2",
        "1e-400",
        "0.1",
        "12.345678901234567",
        "3.4e38",
    ],
)
def test_a_number_is_read_to_the_last_bit(file, cell):
    assert rows_of(table(file(f"ACGT\t{cell}\nAC\t2\n"))) == [("ACGT", float(cell)), ("AC", 2.0)]


@pytest.mark.parametrize(
    "cell",
    [
        *("", " ", "NA", "N/A", "null", "None", "nan", "NaN", "-nan", "inf", "-Inf", "Infinity"),
        *("1_000", "1e", "e5", ".", "--1", "- 1", "high", "true", "1.2.3", "１"),
        *(pytest.param(cell, id=f"{cell} too large") for cell in ("1e400", "1e39", "-3.5e38")),
        *("0x10", "1,5", ",5", "-1,5e3", "1,234.5", "1 234", "1.234.567", "−1.5", "–1"),
        *("\u00a01", "1\u00a0"),
    ],
)
def test_a_value_that_is_no_finite_number_is_bad(file, cell):
    path = file(f"GATTACA\t3\nACGT\t{cell}\nAC\t2\n")
    message = refused(table(path))
    assert "1 bad row(s), the first in line 2" in message
    assert f"expression {cell!r} is not a finite number" in message
    rows, [(line, reason, row)] = rejected(table(path))
    assert rows == [("GATTACA", 3.0), ("AC", 2.0)]
    assert (line, row) == (2, repr(f"ACGT\t{cell}"))
    assert reason.startswith(f"expression {cell!r} is not a finite number")


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("1,5", "decimals need a point"),
        ("-,5", "decimals need a point"),
        ("1,234", "separators of thousands"),
        ("1,234,567.5", "separators of thousands"),
        ("1.234,5", "separators of thousands"),
        ("1 234.5", "separators of thousands"),
        ("−1.5", "minus"),
        ("0x1F", "hexadecimal"),
        ("1e400", "too large"),
        ("-3.5e38", "too large"),
        ("high", "number: ACGT"),
    ],
)
def test_what_is_wrong_with_a_number_is_said(file, cell, hint):
    assert hint in refused(table(file(f"GATTACA\t3\nACGT\t{cell}\nAC\t2\n")))


@pytest.mark.parametrize("separator", "\t,;|")
def test_spaces_around_sequences_and_numbers_are_no_matter(file, separator):
    text = "ACGT , 1.5\n  GG,\t2 \nAC GT,3\nAC,4 5\nACGR ,6\nTT, \n NAN ,-1e3\n"
    rows, bad = rejected(table(file(text.replace(",", separator))))
    assert rows[0] == ("ACGT", 1.5) and rows[-1] == ("A", -1000.0)
    if separator != "\t":
        assert rows[1:-1] == [("GG", 2.0)]
        assert [line for line, *_ in bad] == [3, 4, 5, 6]
        assert [reason for _, reason, _ in bad][0] == "letter ' ' (position 3) is not one of ACGTN"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ACRT\t1", "letter 'R' (position 3) is not one of ACGTN"),
        ("yACT\t1", "letter 'y' (position 1) is not one of ACGTN"),
        ("NNAC-\t1", "letter '-' (position 5) is not one of ACGTN"),
        ("AC GT\t1", "letter ' ' (position 3) is not one of ACGTN"),
        ("ACGU\tx", "letter 'U' (position 4) is not one of ACGTN"),
        ("AC\0\t1", "letter '\\x00' (position 3) is not one of ACGTN"),
        ("ACé\t1", "letter 'é' (position 3) is not one of ACGTN"),
        ("\t1", "no sequence"),
        ("NNN\t1", "no sequence"),
        ("\t", "no sequence"),
        ("", "an empty line"),
        ("ACGT", "1 columns instead of 2"),
        ("ACGT\t1\t2", "3 columns instead of 2"),
        ("\t\t", "3 columns instead of 2"),
        ("ACGT,1", "1 columns instead of 2"),
        ("é", "1 columns instead of 2"),
    ],
)
def test_every_kind_of_bad_row_has_its_line_and_reason(file, line, reason):
    path = file(f"GATTACA\t3\nTT\t4\n{line}\nAC\t2\n")
    message = refused(table(path))
    assert "1 bad row(s), the first in line 3" in message
    assert f"line 3: {reason}" in message
    rows, bad = rejected(table(path))
    assert rows == [("GATTACA", 3.0), ("TT", 4.0), ("AC", 2.0)]
    assert bad == [(3, reason, repr(line))]


@pytest.mark.parametrize("line", ["AC\xff\t1", "\xff\xfe", "ACGT\t\xff"])
def test_a_row_that_is_no_text_is_bad(file, line):
    path = file(b"GATTACA\t3\n" + line.encode("latin-1") + b"\nAC\t2\n")
    assert "the first in line 2" in refused(table(path))
    rows, bad = rejected(table(path))
    assert rows == [("GATTACA", 3.0), ("AC", 2.0)]
    assert [number for number, *_ in bad] == [2]


def test_text_of_any_encoding_beside_the_wanted_columns_is_no_matter(file):
    path = file("sequence,name,value\nACGT,levée,1\nGG,é,2\n".encode("latin-1"))
    assert rows_of(table(path, "sequence", "value", True)) == [("ACGT", 1.0), ("GG", 2.0)]


@pytest.mark.parametrize("row", ["2,,", "2,N,", "2, ,", ",,"])
def test_a_last_row_of_empty_cells_is_not_lost(file, row):
    path = file(f"0,ACGT,1\n1,GG,2\n{row}\n")
    assert "line 3" in refused(table(path, 2, 3))
    rows, bad = rejected(table(path, 2, 3))
    assert rows == [("ACGT", 1.0), ("GG", 2.0)]
    assert [number for number, *_ in bad] == [3]


def test_blank_lines_are_no_rows_at_the_end_and_bad_before_it(file):
    path = file("ACGT\t1\n\n\r\nGG\t2\n\nAC\t3\n\n\n\n")
    assert "3 bad row(s), the first in line 2" in refused(table(path))
    rows, bad = rejected(table(path))
    assert rows == [("ACGT", 1.0), ("GG", 2.0), ("AC", 3.0)]
    assert bad == [(number, "an empty line", "''") for number in (2, 3, 5)]


@pytest.mark.parametrize("header", [True, False])
def test_a_file_that_starts_with_a_blank_line_is_refused(file, header):
    message = refused(table(file("\nACGT\t1\n"), header=header))
    assert "line 1 is blank" in message


@pytest.mark.parametrize("content", ["", "\n", "\r\n\n", " \n", "\ufeff", "\ufeff\n"])
@pytest.mark.parametrize("header", [True, False])
def test_an_empty_file_is_refused(file, content, header):
    assert "is empty" in refused(table(file(content), header=header))
    assert "is empty" in refused(table(file(gzip.compress(content.encode())), header=header))


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\r", "\n\n"])
def test_a_file_of_a_header_alone_is_refused(file, ending):
    assert "no usable row" in refused(table(file("sequence\texpression" + ending), header=True))


def test_a_file_of_bad_rows_alone_is_refused_also_when_they_are_dropped(file):
    with pytest.raises(TableError, match="no usable row"):
        rejected(table(file("ACGR\t1\nACGT\tNA\nACGT\n")))


@pytest.mark.parametrize("cut", [11, 12, 60, -9, -8, -1])
def test_a_truncated_gzip_file_is_refused(file, cut):
    random = np.random.default_rng(0)
    text = "".join(f"{''.join(random.choice(list('ACGT'), 20))}\t1\n" for _ in range(50))
    whole = gzip.compress(text.encode())
    assert len(rows_of(table(file(whole, "whole.gz")))) == 50
    for source in (table(file(whole[:cut])), table(file(whole[:cut]), header=True)):
        assert "download or create it again" in refused(source)
        with pytest.raises(TableError):
            rejected(source)


def test_a_gzip_file_truncated_far_behind_its_start_is_refused(file):
    random = np.random.default_rng(0)
    text = "".join(f"{''.join(row)}\t1\n" for row in random.choice(list("ACGT"), (40_000, 40)))
    path = file(gzip.compress(text.encode(), 1)[:-50_000])
    with mock.patch.object(tables, "BLOCK_BYTES", 4096):
        assert "truncated" in refused(table(path))


def test_a_damaged_gzip_file_is_refused(file):
    whole = gzip.compress(TEXT.encode())
    damaged = whole[:-8] + bytes(byte ^ 255 for byte in whole[-8:-4]) + whole[-4:]
    assert "download or create it again" in refused(table(file(damaged)))


def test_binary_garbage_is_refused(file, capfd):
    random = np.random.default_rng(1)
    for size in (100, 10_000):
        garbage = random.integers(0, 256, size, dtype=np.uint8).tobytes()
        for header in (True, False):
            with pytest.raises(TableError):
                rejected(table(file(garbage), header=header))
            refused(table(file(garbage), header=header))
    assert capfd.readouterr().err == ""


def test_a_line_without_end_is_refused(file):
    path = file(b"ACGT\t1\nACGT\t1\n" + b"A" * 10_000)
    with mock.patch.object(tables, "BLOCK_BYTES", 64), pytest.raises(TableError, match="no row"):
        rejected(table(path))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "there is no such file" in refused(table(tmp_path / "nothing.txt"))
    refused(table(tmp_path))


def test_an_undeclared_header_is_refused_with_a_hint(file):
    path = file("sequence\texpression\n" + TEXT)
    message = refused(table(path))
    assert "line 1" in message and "header: true" in message
    assert "header: true" not in refused(table(file(TEXT + "ACGR\t1\n")))


def test_an_undeclared_header_is_an_error_also_where_bad_rows_are_dropped(file):
    with pytest.raises(TableError, match="line 1 reads as names.*header: true"):
        rejected(table(file("sequence\texpression\n" + TEXT)))


@pytest.mark.parametrize("line", ["ACGR\t1", "ACGT\tNA", "ACGT\thigh", "\t1", "x y z\t2", "NNN\t"])
def test_a_bad_first_row_is_not_taken_for_a_header(file, line):
    rows, bad = rejected(table(file(f"{line}\n{TEXT}")))
    assert rows == ROWS and [number for number, *_ in bad] == [1]


def test_a_missing_column_is_refused_with_the_names_that_there_are(file):
    path = file("id,sequence,Expression\n0,ACGT,1\n")
    message = refused(table(path, "sequence", "Measured Expression", True))
    assert "'Measured Expression'" in message
    assert "'id', 'sequence', 'Expression'" in message


@pytest.mark.parametrize("number", [0, -1, 3])
def test_a_column_number_outside_the_file_is_refused(file, number):
    message = refused(table(file(TEXT), 1, number))
    assert f"no column {number}" in message and "2 column(s)" in message


def test_a_column_by_name_without_a_header_is_refused(file):
    message = refused(table(file(TEXT), "sequence", 2))
    assert "'sequence'" in message and "header: false" in message


@pytest.mark.parametrize("position", [1, 3, 7])
@pytest.mark.parametrize("quoted", ['"ACGT\t5', 'ACGT\t"5', '"ACGT\t"5"', 'x"\t"5'])
def test_a_quote_never_swallows_the_lines_behind_it(file, quoted, position):
    lines = [f"{'ACGT'[n % 4]}\t{n}" for n in range(1, 9)]
    lines[position] = quoted
    path = file("\n".join(lines))
    message = refused(table(path))
    assert f"line {position + 1}" in message
    good = [(line.split("\t")[0], float(line.split("\t")[1])) for line in lines if '"' not in line]
    try:
        rows, bad = rejected(table(path))
    except TableError as error:
        assert f"line {position + 1}" in str(error)
    else:
        assert rows == good and [number for number, *_ in bad] == [position + 1]


def test_the_message_has_the_first_examples_and_how_to_go_on(file):
    message = refused(table(file(TEXT + "".join(f"ACGX\t{n}\n" for n in range(9)))))
    assert "9 bad row(s), the first in line 4" in message
    assert re.findall(r"line (\d+): letter 'X'", message) == ["4", "5", "6", "7", "8"]
    assert "ACGX\t0" in message and "ACGX\t4" in message and "ACGX\t5" not in message
    assert "on_bad_rows: drop" in message


def bad_rows(random, number):
    """Lines of every kind, good and bad: the file's lines, the good rows, reasons by line."""
    lines, good, reasons = [], [], {}
    for line in range(1, number + 1):
        sequence = "".join(random.choice(list("ACGT"), random.integers(1, 12)))
        value = float(random.normal())
        kind = random.choice(
            ["good", "good", "good", "columns", "blank", "letter", "value", "none"]
        )
        if kind == "good" or line in (1, number):
            lines.append(f"{sequence}\t{value!r}".replace("np.float64(", "").replace(")", ""))
            good.append((sequence, float(value)))
            continue
        text, reasons[line] = {
            "columns": ("x\ty\tz", "3 columns instead of 2"),
            "blank": ("", "an empty line"),
            "letter": (f"{sequence}R\t1", f"letter 'R' (position {len(sequence) + 1})"),
            "value": (f"{sequence}\tNA", "expression 'NA' is not a finite number"),
            "none": ("NN\t1", "no sequence"),
        }[kind]
        lines.append(text)
    return lines, good, reasons


@pytest.mark.parametrize("block", [40, 100, 1000, 1 << 20])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("header", [False, True])
def test_line_numbers_hold_across_blocks_and_bad_rows_of_every_kind(file, block, ending, header):
    lines, good, reasons = bad_rows(np.random.default_rng(block), 400)
    start = ["sequence\texpression"] if header else []
    path = file(ending.join(start + lines) + ending)
    with mock.patch.object(tables, "BLOCK_BYTES", block):
        rows, bad = rejected(table(path, header=header))
    assert rows == good
    assert [line - header for line, *_ in bad] == list(reasons)
    for line, reason, row in bad:
        assert reason.startswith(reasons[line - header])
        assert row == repr(lines[line - header - 1])


@pytest.mark.parametrize("block", [40, 1000])
@pytest.mark.parametrize("line", ["x", "", "ACGR\t1", "ACGT\tNA", "NN\t1"])
def test_one_bad_row_far_behind_the_start_is_found_by_its_line(file, block, line):
    good = ["ACGTACGT\t1"] * 300
    path = file("\n".join([*good[:251], line, *good[251:]]))
    with mock.patch.object(tables, "BLOCK_BYTES", block):
        assert "1 bad row(s), the first in line 252:" in refused(table(path))


def test_many_bad_rows_in_a_row_keep_the_line_numbers(file):
    path = file("AC\t1\n" + "x\n" * 100 + "\n" * 50 + "AC\tX\n" * 2 + "y\nGG\t2\n\n\n")
    with mock.patch.object(tables, "BLOCK_BYTES", 32):
        rows, bad = rejected(table(path))
    assert rows == [("AC", 1.0), ("GG", 2.0)]
    assert [line for line, *_ in bad] == list(range(2, 155))


def reference(lines, header):
    """Good rows and the lines of bad ones, read line by line."""
    separator = max("\t,;", key=lines[0].count)
    width = len(next(csv.reader([lines[0]], delimiter=separator)))
    while lines and not lines[-1]:
        lines = lines[:-1]
    good, bad = [], []
    for number, line in enumerate(lines, 1):
        if header and number == 1:
            continue
        cells = next(csv.reader([line], delimiter=separator), [])
        sequence = cells[0].upper() if len(cells) == width else "?"
        try:
            value = math.nan if re.search(r"[\s_]", cells[1]) else float(cells[1])
        except (ValueError, IndexError):
            value = math.nan
        usable = sequence.strip("N") and set(sequence) <= set("ACGTN")
        if usable and abs(value) <= FLOAT32_MAX:
            good.append((sequence.strip("N"), value))
        else:
            bad.append(number)
    return good, bad


CELLS = st.one_of(
    st.text("ACGTNacgtn", min_size=1, max_size=12),
    st.floats(allow_nan=False, width=32).map(repr),
    st.sampled_from(
        ["", "NA", "nan", "inf", "1e999", "R", "ACGR", "N", "1.5", "-3", '"AC"', '"A,C;\tG"', "é"]
    ),
)
GOOD = st.tuples(
    st.text("ACGT", min_size=1, max_size=12),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
)
RECORDS = st.lists(
    st.one_of(GOOD, GOOD, GOOD, st.tuples(CELLS, CELLS), st.lists(CELLS, max_size=3)), max_size=40
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    records=RECORDS,
    header=st.booleans(),
    separator=st.sampled_from("\t,;"),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    end=st.sampled_from(["", "\n", "\r\n", "\n\n\n"]),
    block=st.sampled_from([1, 64, 256, 1 << 20]),
    packed=st.booleans(),
)
def test_every_line_is_kept_or_refused_as_a_reader_of_single_lines_does(
    tmp_path_factory, records, header, separator, ending, end, block, packed
):
    first = ["sequence", "expression"] if header else ["ACGT", "0.5"]
    lines = [separator.join(cells) for cells in [first, *records, ["GATTACA", "1"]]]
    content = (ending.join(lines) + end).encode()
    path = tmp_path_factory.getbasetemp() / "random.txt"
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    good, bad = reference(lines, header)
    # No line is longer than a block.
    with mock.patch.object(tables, "BLOCK_BYTES", max(block, *map(len, lines))):
        rows, refusals = rejected(table(path, header=header))
        assert rows == good
        assert [line for line, *_ in refusals] == bad
        if bad:
            assert f"the first in line {bad[0]}:" in refused(table(path, header=header))
        else:
            assert rows_of(table(path, header=header)) == good


# Files with faults of every kind, byte by byte.

NUMBERS = ["1e5", "1_000", "NaN", "-inf", "0x1p3", "1e-400", "3.5e38", "١٢", "1.5 ", "1,5", "1d5"]
PIECES = [
    b'"',
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\r",
    b"\t",
    b",",
    b";",
    b" ",
    b"\xff",
    b"\xc2\xa0",
]
PIECES += [b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\x0b", b"\x1c", b"\x1f\x8b", b"N" * 300, b"A\t1\n"]
FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "replace", "flip", "delete", "cut"]),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(PIECES),
        st.integers(0, 7),
    ),
    max_size=3,
)


def with_faults(content, faults):
    for kind, place, piece, number in faults:
        at = int(place * len(content))
        before, behind = content[:at], content[at:]
        if kind == "insert":
            content = before + piece + behind
        elif kind == "replace":
            content = before + piece + behind[len(piece) :]
        elif kind == "flip" and behind:
            content = before + bytes([behind[0] ^ 1 << number]) + behind[1:]
        elif kind == "delete":
            content = before + behind[number:]
        elif kind == "cut":
            content = before
    return content


@st.composite
def files_with_faults(draw):
    """The bytes of files that are damaged in many ways."""
    value = st.one_of(st.sampled_from(NUMBERS), GOOD.map(lambda row: row[1]))
    row = st.tuples(st.text("ACGTNacgt", max_size=9), value)
    header = draw(st.booleans())
    first = ("insert", "level") if header else ("ACGT", "0.5")
    records = [first, *draw(st.lists(st.one_of(GOOD, GOOD, row), max_size=30))]
    separator = draw(st.sampled_from("\t,;"))
    endings = draw(
        st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"], ["\n", "\r", "\r\n"]])
    )
    text = "".join(
        separator.join(cells) + endings[number % len(endings)]
        for number, cells in enumerate(records)
    )
    content = with_faults(text.encode(), draw(FAULTS))
    if draw(st.booleans()):
        content = with_faults(gzip.compress(content, 1), draw(st.just([]) | FAULTS))
    return content, header


def read_singly(path, header):
    """All lines of a file, each with its row, or None if it is bad; None if the file cannot be
    read. What is refused by the layout of the first lines has tests of its own."""
    content = path.read_bytes()
    try:
        separator = layout(path, {"sequence": 1, "expression": 2}, header).separator
    except TableError:
        return None
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return None
    text = content.decode("utf-8-sig", errors="replace")
    lines = re.split("\r\n|\r|\n", text)
    width = len(next(csv.reader([lines[0]], delimiter=separator), []))
    while lines and not lines[-1]:
        lines.pop()
    if not lines or width < 2 or not text.strip():
        return None
    found = [row_of(line, separator, width) for line in lines]
    if header:
        found[0] = None
    return (lines, found) if any(found) else None


def row_of(line, separator, width):
    cells = next(csv.reader([line], delimiter=separator), [])
    if len(cells) != width or set(cells[0].strip(" \t").upper()) - set("ACGTN"):
        return None
    number = cells[1].strip(" \t")
    if not number.isascii() or re.search(r"[\s_]", number):
        return None
    try:
        value = float(number)
    except ValueError:
        return None
    sequence = cells[0].upper().strip(" \t").strip("N")
    return (sequence, value) if sequence and abs(value) <= FLOAT32_MAX else None


@settings(max_examples=500, deadline=None, derandomize=True)
@given(mangled=files_with_faults(), block=st.sampled_from([1, 64, 1 << 20]))
def test_a_file_with_faults_is_read_exactly_or_refused(tmp_path_factory, mangled, block):
    content, header = mangled
    path = tmp_path_factory.getbasetemp() / "faults.txt"
    path.write_bytes(content)
    expected = read_singly(path, header)
    # No line is longer than a block.
    longest = max(map(len, expected[0]), default=0) if expected else 0
    with mock.patch.object(tables, "BLOCK_BYTES", max(block, 4 * longest)):
        try:
            rows, bad = rejected(table(path, header=header))
        except TableError as error:
            assert str(path) in str(error)
            # Who reads line by line may find less amiss in a quote or in the dress of a gzip file.
            assert expected is None or content.startswith(b"\x1f\x8b") or b'"' in content
            return
    assert expected is not None
    lines, found = expected
    refused_lines = {number for number, *_ in bad}
    kept = [number for number in range(1 + header, len(lines) + 1) if number not in refused_lines]
    assert len(kept) == len(rows)
    for number, row in zip(kept, rows, strict=True):
        assert row == found[number - 1]
    for number in refused_lines:
        assert found[number - 1] is None or '"' in lines[number - 1]


# Flanks so long that no insert has one by chance.
CONSTRUCT = Construct("AACCTTAACC", "GGTTCCAAGG", 8, 32)


def random_inserts(count, seed=1):
    return ["".join(row) for row in np.random.default_rng(seed).choice([*"ACGT"], (count, 8))]


def by_hash(fraction, seed):
    return lambda keys: hashes(keys, seed) < fraction * 2.0**64


def test_the_same_sequences_are_held_out_of_every_table_in_either_form(file):
    inserts = random_inserts(2000)
    with_flanks = "".join(f"AACCTTAACC{insert}GGTTCCAAGG,1\n" for insert in inserts)
    without = "".join(f"{insert},2\n" for insert in inserts[::-1])
    chosen = by_hash(0.1, 7)
    first, *_, keys = hold_out([table(file(with_flanks))], CONSTRUCT, chosen, Rejects())
    second, *_ = hold_out([table(file(without, "other.txt"))], CONSTRUCT, chosen, Rejects())
    assert {text[10:-10] for text in first} == set(second)
    assert [letters(key) for key in keys] == [text[10:-10] for text in first]
    assert 150 < len(first) < 250  # 200 expected, standard deviation 13


def test_rows_of_one_sequence_are_held_out_together_with_their_mean(file):
    inserts = random_inserts(300)
    text = "".join(f"{insert},{n}\n" for n in (1, 2, 6) for insert in inserts)
    found, mean, rows, _ = hold_out([table(file(text))], CONSTRUCT, by_hash(0.2, 7), Rejects())
    assert found == [insert for insert in inserts if insert in set(found)]
    assert set(rows) == {3} and set(mean) == {3.0}


def test_no_sequence_that_is_held_out_is_refused(file):
    with pytest.raises(TableError, match="no sequence is held out; raise `held_out`"):
        hold_out([table(file("ACGTACGT,1\n"))], CONSTRUCT, by_hash(1e-6, 7), Rejects())


def test_labels_are_read_without_the_blanks_around_them(file):
    text = 's,v,chrom,set\nACGT,1,chr1 ,Train\nAC,2,X, VAL\nGG,3,"a,b",test\nTT,4,X,valid\n'
    source = Table(file(text), "s", {"v": "v"}, split="set", by=["chrom", 4])
    (chunk,) = chunks(source, Rejects())
    assert {name: found.tolist() for name, found in chunk.labels.items()} == {
        "split": ["train", "validation", "test", "validation"],
        "chrom": ["chr1", "X", "a,b", "X"],
        4: ["Train", "VAL", "test", "valid"],
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("ACGT,1,,train", "no value in column chrom"),
        ("ACGT,1,chr1,", "split '' is not one of train, validation (val, valid) and test"),
        ("ACGT,1,chr1,dev", "split 'dev' is not one of train, validation (val, valid) and test"),
        ("ACGX,1,,dev", "letter 'X' (position 4) is not one of ACGTN"),
    ],
)
def test_a_row_without_a_label_is_bad(file, row, reason):
    source = Table(
        file(f"s,v,chrom,set\nACGT,1,chr1,test\n{row}\n"),
        "s",
        {"v": "v"},
        split="set",
        by=["chrom"],
    )
    with pytest.raises(TableError, match=re.escape(f"line 3: {reason}")):
        list(chunks(source, Rejects()))
    (chunk,) = chunks(dropping(source), Rejects())
    assert {name: found.tolist() for name, found in chunk.labels.items()} == {
        "split": ["test"],
        "chrom": ["chr1"],
    }


def test_names_of_families_are_read_as_they_stand(file):
    source = Table(
        file('s,v,gene\nACGT,1,NA\nAC,2, 7\nGG,3,"a,b"\n'), "s", {"v": "v"}, True, "gene"
    )
    (chunk,) = chunks(source, Rejects())
    assert chunk.families.tolist() == ["NA", "7", "a,b"]
    source = Table(file("s,v,gene\nACGT,1,x\nAC,2,\n", "empty.csv"), "s", {"v": "v"}, True, "gene")
    with pytest.raises(TableError, match="line 3: no family"):
        list(chunks(source, Rejects()))
    (chunk,) = chunks(dropping(source), Rejects())
    assert chunk.families.tolist() == ["x"] and len(chunk) == 1


# The start of a file that is not there yet.


def many_rows(count=3000):
    random = np.random.default_rng(2)
    inserts = random.choice(list("ACGT"), (count, 80))
    return [f"{''.join(insert)}\t{row % 18}.{row % 7}\n" for row, insert in enumerate(inserts)]


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_start_of_a_file_tells_how_many_rows_it_has(tmp_path, packed, header):
    """Nothing is read from the disk."""
    rows = many_rows()
    head = "insert\tlevel and more\n" if header else ""
    content = packed((head + "".join(rows)).encode())
    source = table(tmp_path / "none.txt", header=header)
    for size in (64 * 1024, len(content)):
        found = preview(source, content[:size], whole=size == len(content))
        assert len(content) / found == pytest.approx(len(rows), rel=0.02)


def test_a_line_that_the_start_cuts_is_no_matter(tmp_path):
    text = b"sequence,expression\r\nACGT,1\r\nGGCC,-2.5\r\n"
    source = table(tmp_path / "none.csv", "sequence", "expression", header=True)
    for size in range(len(text) + 1):
        found = preview(source, text[:size])
        # Whether "\n" follows a line's "\r" cannot be known, and matters little.
        complete = text[:size].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") - 1
        assert found is None if complete < 1 else 7 <= found <= 10


def test_a_gzip_file_that_the_start_cuts_is_no_matter(tmp_path):
    content = gzip.compress("".join(many_rows(50)).encode())
    found = [preview(table(tmp_path), content[:size]) for size in range(len(content))]
    assert found[0] is None and 30 < found[-1] < 40


@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("\n\n", {}),
        ("\nACGT\t1\n", {}),
        ("insert\tlevel\n", {"header": True}),
        ("insert\tlevel\nACGT\t1\n", {"sequence": "sequence", "header": True}),
        ("insert\tlevel\nACGT\t1\n", {}),
        ("ACGT\t1\n", {"value": 3}),
        ("ACGT\t1\n", {"value": "level"}),
        ("ACGT\t1\nACXT\t1\nACGT\n", {}),
        ("ACGT\t1\n\nACGT\t1\n", {}),
        ('ACGT\t1\n"ACGT\t1\n', {}),
        ("\0\xff\n\0", {}),
        (TEXT, {}),
        (TEXT.rstrip(), {}),
    ],
)
def test_the_start_of_a_file_is_refused_as_the_file_is(file, text, options, packed):
    """The same message, or none."""
    content = packed(text.encode())
    source = table(file(content), **options)

    def said(reading):
        try:
            reading()
        except TableError as error:
            return str(error)

    expected = said(lambda: rows_of(source))
    source.path.unlink()
    assert said(lambda: preview(source, content, whole=True)) == expected


def test_the_first_rows_are_checked(tmp_path):
    rows = many_rows()
    rows[99] = "ACXT\t1\n"
    start = "".join(rows).encode()[: 64 * 1024]
    source = table(tmp_path / "none.txt")
    with pytest.raises(TableError, match=r"none\.txt: 1 bad row.*line 100:"):
        preview(source, start)
    source = dropping(source)
    assert preview(source, start) == pytest.approx(85, abs=1)
    rows = ["ACXT\t1\n"] * 9
    start = "".join(rows).encode()
    # The rows behind them may be usable.
    assert preview(source, start) == 7
    with pytest.raises(TableError, match="no usable row"):
        preview(source, start, whole=True)


def test_the_start_of_a_damaged_gzip_file_is_refused(tmp_path):
    content = gzip.compress("".join(many_rows()).encode())
    damaged = content[:3000] + bytes(99) + content[3099:64_000]
    with pytest.raises(TableError, match="download or create it again"):
        preview(table(tmp_path / "none.gz"), damaged)


@pytest.mark.parametrize("cut", [11, 60, -9, -1])
def test_a_whole_gzip_file_that_is_truncated_is_refused(tmp_path, cut):
    content = gzip.compress("".join(many_rows(50)).encode())[:cut]
    with pytest.raises(TableError, match="download or create it again"):
        preview(table(tmp_path / "none.gz"), content, whole=True)


# The construct against the data.
FLANKS = ("GACTACGG", "CTCGAG")
FLANKED = Construct(*FLANKS, 10, 32)


def declared(path, **changes):
    return dataclasses.replace(table(path), construct=FLANKED, longer="stop", **changes)


def test_a_sequence_longer_than_the_model_reads_is_a_bad_row(file):
    path = file(f"{'A' * 32}\t1\nNN{'A' * 32}NNN\t2\n{'C' * 33}\t3\n{'g' * 40}\t4\n")
    said = refused(declared(path))
    assert "2 bad row(s), the first in line 3" in said
    assert "line 4: too long: 40 letters, but the model reads 32" in said
    assert "Raise `construct: length`, or set `longer: cut`" in said
    rows, bad = rejected(declared(path))
    assert len(rows) == 2 and [line for line, *_ in bad] == [3, 4]
    assert len(rows_of(dataclasses.replace(declared(path), longer="cut"))) == 4
    assert len(rows_of(table(path))) == 4


def test_flanks_are_added_to_bare_inserts(file):
    path = file("acgtn\t1\nNNTTTNN\t2\nAC\t3\n")
    wanted = [(insert.join(FLANKS), n) for n, insert in enumerate(("ACGT", "TTT", "AC"), 1)]
    assert rows_of(declared(path, flanks="add")) == wanted
    tokens, values = tables.read(declared(path, flanks="add"), 32)
    assert [letters(row) for row in tokens] == [sequence for sequence, _ in wanted]


def test_flanks_are_not_added_twice_nor_beyond_the_length(file):
    path = file(f"{'ACGT'.join(FLANKS)}\t1\n{'A' * 18}\t2\n{'A' * 19}\t3\nxx\t4\n")
    said = refused(declared(path, flanks="add"))
    assert "line 1: has the construct's flanks already" in said and "`flanks: present`" in said
    assert "line 3: too long: 33 letters with the flanks, but the model reads 32" in said
    rows, bad = rejected(declared(path, flanks="add"))
    assert rows == [((18 * "A").join(FLANKS), 2.0)] and [line for line, *_ in bad] == [1, 3, 4]


# Rows and columns that the config chooses.

CHOICES = (
    "sequence,set,quality,barcodes,rep1,rep2,cells\n"
    "ACGT,train,12,5,1,3,2\n"
    "GG,train,9,5,high,4,1\n"  # bad, but of low quality
    "TTA,test,20,9,NA,8,0.5\n"
    "CC,train,NA,7,2,2,1\n"
    "GATTACA,train,30,6,4,,4\n"
    "AACC,train,15,4,1,1,1\n"
)


def chosen(file, text=CHOICES, expression="rep2", **keys):
    return Table(file(text), "sequence", {"expression": expression}, **keys)


def counted(source):
    """The usable rows, and the numbers of bad, filtered and missing rows."""
    rejects = Rejects()
    return rows_of(source, rejects), (rejects.count, rejects.filtered, rejects.missing)


def test_rows_are_chosen_before_they_are_checked(file):
    source = chosen(file, where={"quality": ">= 10", "barcodes": ">= 5", "set": "train"})
    assert "expression '' is not a finite number" in refused(source)
    source = dataclasses.replace(source, missing="skip")
    assert counted(source) == ([("ACGT", 3.0)], (0, 4, 1))
    source = dataclasses.replace(source, values={"expression": "rep1"})
    assert counted(source) == ([("ACGT", 1.0), ("GATTACA", 4.0)], (0, 4, 0))


def test_a_column_of_a_condition_by_its_number(file):
    source = chosen(file, "AC,5\nGG,3\nTT,4\n", 2, where={2: [3, 4]})
    source = dataclasses.replace(source, sequence=1, header=False)
    assert counted(source) == ([("GG", 3.0), ("TT", 4.0)], (0, 1, 0))
    with pytest.raises(TableError, match="no column 3.*correct `where:`"):
        rows_of(dataclasses.replace(source, where={3: 1}))


def test_a_cell_that_cannot_be_compared_is_bad_unless_another_condition_fails(file):
    text = "sequence,quality,set,x\nAC,low,train,1\nGG,low,test,2\nTT,5,train,3\nCC,.,train,4\n"
    source = chosen(file, text, "x", where={"quality": "> 1", "set": "train"})
    assert "line 2: 'low' in column 'quality' is no number (> 1)" in refused(source)
    rows, bad = rejected(source)
    assert rows == [("TT", 3.0)]
    assert [(line, reason) for line, reason, _ in bad] == [
        (2, "'low' in column 'quality' is no number (> 1)")
    ]
    assert counted(dropping(source))[1] == (1, 2, 0)


def test_a_filter_that_leaves_no_row_names_the_conditions_and_the_values(file):
    message = refused(chosen(file, where={"set": "Train", "quality": ">= 10"}))
    assert "none of 6 rows meets `where` (set == Train, quality >= 10)" in message
    assert "column 'set' are 'train', 'test'" in message
    assert "column 'quality' are '12', '9', '20', 'NA', '30'" in message
    source = chosen(file, where={"set": "Train"})
    with pytest.raises(TableError, match="none of 6 rows meets `where`"):
        preview(source, CHOICES.encode(), whole=True)
    # The rows behind these may meet it.
    assert preview(source, CHOICES.encode()) > 0


def test_a_table_without_any_row_says_where_its_rows_went(file):
    text = "sequence,x,set\nAC,NA,a\nGX,1,a\nTT,2,b\n"
    source = dropping(chosen(file, text, "x", where={"set": "a"}, missing="skip"))
    message = refused(source)
    assert "no usable row (1 do not meet `where`, 1 have no expression, 1 are bad)" in message


@pytest.mark.parametrize(
    "cell",
    ["", " ", "NA", "na ", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "none", ".", "-"],
)
def test_a_row_without_an_expression_is_left_out_and_counted(file, cell):
    source = table(file(f"GATTACA\t3\nACRT\t{cell}\nAC\t2\n"))
    source = dataclasses.replace(source, missing="skip")
    assert counted(source) == ([("GATTACA", 3.0), ("AC", 2.0)], (0, 0, 1))


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e39", "high", "-nan"])
def test_what_is_no_missing_value_stays_bad(file, cell):
    source = table(file(f"GATTACA\t3\nACGT\t{cell}\nAC\t2\n"))
    message = refused(dataclasses.replace(source, missing="skip"))
    assert f"line 2: expression {cell!r} is not a finite number" in message
    assert "missing: skip" not in message


def test_a_row_without_an_expression_names_its_mends(file):
    message = refused(table(file("GATTACA\t3\nACGT\tNA\n")))
    assert "`on_bad_rows: drop`" in message and "`missing: skip`" in message
    assert "missing: skip" not in refused(table(file("GATTACA\t3\nACGT\tx\n")))


def test_replicates_are_averaged(file):
    both = ["rep1", 6]
    source = chosen(file, expression=both, where={"quality": ">= 10"})
    assert "line 4: expression (column 'rep1') 'NA' is not a finite number" in refused(source)
    rows, bad = rejected(source)
    assert rows == [("ACGT", 2.0), ("AACC", 1.0)]
    assert [line for line, *_ in bad] == [4, 6]
    # With `missing: skip`, the mean of those that are there.
    source = dataclasses.replace(source, missing="skip")
    expected = [("ACGT", 2.0), ("TTA", 8.0), ("GATTACA", 4.0), ("AACC", 1.0)]
    assert counted(source) == (expected, (0, 2, 0))
    source = chosen(file, "sequence,a,b\nAC,NA,\nGG,1,NA\nTT,x,1\n", ["a", "b"], missing="skip")
    assert "line 4: expression (column 'a') 'x' is not a finite number" in refused(source)
    assert counted(dropping(source)) == ([("GG", 1.0)], (1, 0, 1))


@pytest.mark.parametrize(
    ("name", "function", "undefined"),
    [
        ("log2", math.log2, "0"),
        ("log10", math.log10, "-1e-9"),
        ("log", math.log, "-0"),
        ("log1p", math.log1p, "-1"),
    ],
)
def test_each_value_is_transformed_then_averaged(file, name, function, undefined):
    text = f"sequence,a,b\nAC,1,8\nGG,0.5,2e3\nTT,3,{undefined}\n"
    source = chosen(file, text, ["a", "b"], transform=name)
    reason = f"expression (column 'b') {undefined!r} has no {name}"
    assert f"line 4: {reason}" in refused(source)
    rows, bad = rejected(source)
    expected = [(function(1) + function(8)) / 2, (function(0.5) + function(2e3)) / 2]
    assert [value for _, value in rows] == pytest.approx(expected, rel=1e-14)
    assert [reason for _, reason, _ in bad] == [
        f"{reason}, because it is not above {-1 if name == 'log1p' else 0}"
    ]


def test_weights(file):
    source = chosen(file, weight="cells", missing="skip", where={"rep1": "!= high"})
    (chunk,) = chunks(source, Rejects())
    assert chunk.weights.tolist() == [2, 0.5, 1, 1]
    assert next(chunks(table(file(TEXT)), Rejects())).weights is None


@pytest.mark.parametrize("cell", ["-1", "NA", "", "inf", "1e39", "many"])
def test_a_weight_that_is_no_number_of_zero_or_more_is_bad(file, cell):
    text = f"sequence,x,cells\nAC,1,0\nGG,2,{cell}\nTT,NA,5\n"
    source = chosen(file, text, "x", weight="cells", missing="skip")
    reason = f"weight {cell!r} is not a finite number of 0 or more"
    assert f"line 3: {reason}" in refused(source)
    (chunk,) = chunks(dropping(source), Rejects())
    assert chunk.weights.tolist() == [0]


def test_the_account_of_a_table(file):
    text = "sequence,x,set\nAC,NA,a\nGX,1,a\nTT,2,b\nTTT,2,a\n"
    source = dropping(chosen(file, text, "x", where={"set": "a"}, missing="skip"))
    rejects = Rejects()
    counts = [len(rows_of(source, rejects)), rejects]
    filtered, absent, bad = tables.account(source, rejects.counts(counts[0]))
    assert "1 of 4 rows do not meet `where` (set == a) and are left out" in filtered
    assert "1 of 4 rows have no expression" in absent and "1 of 4 rows are bad" in bad
    every = dataclasses.replace(source, where={"set": ["a", "b"]}, missing="stop")
    counts = {"rows": 4, "rejected": 0, "filtered": 0, "missing": 0}
    assert tables.account(every, counts) == [
        f"{source.path}: all 4 rows meet `where` (set one of a, b)"
    ]
    assert tables.account(table(file(TEXT)), counts) == []


def test_choosing_goes_by_rows_also_over_many_blocks(file):
    """Against the same choice of rows by Python, with bad rows among them and small blocks."""
    random = np.random.default_rng(4)
    lines = [
        (
            "".join(random.choice([*"ACGT"], 12)) + random.choice(["", "", "X"]),
            random.choice(["3", "7", "NA", "11", "8.5"]),
            random.choice(["a", "b", "c"]),
            random.choice(["1.5", "", "nan", "bad", "4"]),
            random.choice(["", "2", "NA", "6"]),
        )
        for _ in range(900)
    ]
    text = "".join(",".join(line) + "\n" for line in lines)
    source = Table(
        file(text),
        1,
        {"expression": [4, 5]},
        header=False,
        where={2: ">= 7", 3: ["a", "c"]},
        missing="skip",
        on_bad_rows="drop",
    )
    expected, bad, counts = [], [], [0, 0, 0]
    for number, (sequence, quality, group, *values) in enumerate(lines, start=1):
        there = [value for value in values if value not in ("", "nan", "NA")]
        if quality == "NA" or float(quality) < 7 or group == "b":
            counts[1] += 1
        elif not there:
            counts[2] += 1
        elif "X" in sequence or "bad" in there:
            counts[0] += 1
            bad.append(number)
        else:
            expected.append((sequence, sum(map(float, there)) / len(there)))
    rejects = Rejects(io.StringIO())
    with mock.patch.object(tables, "BLOCK_BYTES", 500):
        assert rows_of(source, rejects) == expected
    assert [rejects.count, rejects.filtered, rejects.missing] == counts
    lines = rejects.sink.getvalue().splitlines()
    assert [int(line.split("\t")[1]) for line in lines] == bad


def test_spaces_around_the_name_of_a_family_do_not_count(file):
    source = Table(file("ACGT\t1\tg1\nACCT\t2\tg1 \nAGGT\t3\t \n"), 1, {"expression": 2}, False, 3)
    (chunk,) = chunks(dropping(source), Rejects())
    assert chunk.families.tolist() == ["g1", "g1"]
