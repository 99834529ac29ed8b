"""How a table is laid out: its separator, its first line and its columns; and its rows."""

import csv
import dataclasses
import gzip
import io
import random

import pytest

from crmnet.data import tables
from crmnet.data.delimited import TableError, check, first_row, layout, printable, rows
from crmnet.data.tables import Rejects, Table, chunks

DNA = ["ACGTACGTAA", "CCGTACGTAAT", "GCGTAC", "TTTTGGGGCCCCA"]
VALUES = ["1.5", "-0.25", "3", "2.0"]
NAMED = {"sequence": "sequence", "expression": "expression"}
NUMBERED = {"sequence": 1, "expression": 2}
PAIRS = list(zip(DNA, map(float, VALUES), strict=True))


@pytest.fixture
def file(tmp_path):
    def write(content, name="table.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def lines_of(separator, header="sequence{}expression"):
    first = [header.replace("{}", separator)] if header else []
    return first + [f"{a}{separator}{b}" for a, b in zip(DNA, VALUES, strict=True)]


def text_of(separator, header="sequence{}expression"):
    return "".join(f"{line}\n" for line in lines_of(separator, header))


def read(path, columns=NAMED, header=True, **how):
    """The pairs of a table, which both ways to read it find, after the check."""
    check(path, columns, header, **how)
    source = Table(path, columns["sequence"], {"expression": columns["expression"]}, header, **how)
    rejects = Rejects()
    found = []
    for chunk in chunks(source, rejects):
        spans = zip(chunk.starts, chunk.ends, strict=True)
        texts = [tables.letters(chunk.buffer[start:end]) for start, end in spans]
        found += zip(texts, chunk.values["expression"].tolist(), strict=True)
    cells = [row for _, row in rows(path, columns, header, **how)]
    assert found == [(row["sequence"].strip(), float(row["expression"])) for row in cells]
    return found


def refused(path, columns=NAMED, header=True, **how):
    """The one message of the check, of both ways to read, and of the check of a download."""
    source = Table(path, columns["sequence"], {"expression": columns["expression"]}, header, **how)

    def said(reading):
        with pytest.raises(TableError) as error:
            reading()
        return str(error.value)

    message = said(lambda: check(path, columns, header, **how))
    assert said(lambda: list(chunks(source, Rejects(io.StringIO())))) == message
    assert said(lambda: list(rows(path, columns, header, **how))) == message
    content = path.read_bytes()
    assert said(lambda: tables.preview(source, content, whole=True)) == message
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


# The first line


@pytest.mark.parametrize(
    "first",
    ["ACGTACGTAC\t1", "acgt\t-1.5e3", "NNACGT\t.5", "ACGTACGTAC\tNA", "ACRYMKACGT\t7"]
    + ["ACGTACGTACGTACGTACGTXX\thigh", " ACGT \t 2 "],
)
def test_a_first_line_of_data_is_no_header(file, first):
    path = file(f"{first}\n{text_of(chr(9), '')}")
    assert "line 1 reads as data" in refused(path, NUMBERED)
    assert "set `header: false`" in refused(path, NUMBERED)


@pytest.mark.parametrize("first", ["seq\t0", "tag\tlevel", "cat\tNA", "promoter\t0.5", "DNA\tx"])
def test_names_that_look_a_little_like_data_are_names(file, first):
    assert read(file(f"{first}\n{text_of(chr(9), '')}"), NUMBERED) == PAIRS


def test_a_name_that_is_found_proves_the_header(file):
    path = file(f"GATTACAGATTACA\t2\n{text_of(chr(9), '')}")
    columns = {"sequence": "GATTACAGATTACA", "expression": "2"}
    assert read(path, columns) == PAIRS


def test_names_sought_in_a_line_of_data(file):
    assert "set `header: false`, and give the columns" in refused(file(text_of(",", "")))


@pytest.mark.parametrize("first", ["sequence\texpression", "seq\tlog2(RNA)", "DNA\tmean", "id\tβ"])
def test_a_first_line_of_names_is_no_data(file, first):
    path = file(f"{first}\n{text_of(chr(9), '')}")
    assert "line 1 reads as names" in refused(path, NUMBERED, False)


@pytest.mark.parametrize("content", ["sequence,expression", "sequence,expression\n\n"])
def test_a_header_alone_has_no_row(file, content):
    with pytest.raises(TableError, match="has no usable row, only line 1 with the header"):
        check(file(content), NAMED, True)


# Columns


def test_a_number_that_is_another_columns_name_is_ambiguous(file):
    path = file("seq,1,2,3\nACGTACGTAA,10.1,20.2,30.3\n")
    said = refused(path, {"sequence": "seq", "expression": 2})
    assert "2 can mean column 2, which is named '1', or the column that is named '2'" in said
    for column, value in (("2", 20.2), ("1", 10.1), (4, 30.3)):
        assert read(path, {"sequence": "seq", "expression": column}) == [("ACGTACGTAA", value)]
    same = file("seq,2\nACGTACGTAA,10.1\n")
    assert read(same, {"sequence": "seq", "expression": 2}) == [("ACGTACGTAA", 10.1)]


@pytest.mark.parametrize(
    "header", ["sequence,expression,expression", 'sequence,"expression",expression']
)
def test_a_name_of_two_columns_is_ambiguous(file, header):
    path = file(f"{header}\nACGT,1,2\nAC,3,4\n")
    assert "columns 2 and 3 have the same name, 'expression'; give the number" in refused(path)
    assert read(path, {"sequence": "sequence", "expression": 3}) == [("ACGT", 2.0), ("AC", 4.0)]
    # Another name that occurs twice is no matter.
    assert read(file("sequence,x,x,expression\nACGT,,,1\n")) == [("ACGT", 1.0)]


@pytest.mark.parametrize("name", ["Expression", " expression", "expression ", "EXPRESSION"])
def test_a_name_that_differs_by_case_or_spaces_is_asked_for(file, name):
    said = refused(file(f"sequence,{name}\nACGT,1\n"))
    assert f"has no column 'expression', only 'sequence', {name!r}; did you mean {name!r}?" in said


def test_a_number_in_quotes_is_a_name(file):
    said = refused(file(text_of(",")), {"sequence": "sequence", "expression": "2"})
    assert "the number of a column has no quotes (2)" in said


# Separators


@pytest.mark.parametrize("word", ["tab", "comma", "semicolon", "pipe", "space"])
def test_separators_are_detected_or_given(file, word):
    separator = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}[word]
    path = file(text_of(separator))
    assert layout(path, NAMED, True).separator == separator
    for how in ({}, {"separator": word}, {"separator": separator}):
        assert read(path, **how) == PAIRS
    bare = file(text_of(separator, ""), "bare.txt")
    for how in ({}, {"separator": word}):
        assert read(bare, NUMBERED, False, **how) == PAIRS


@pytest.mark.parametrize("separator", ["~", "/", ":", "^"])
def test_any_character_can_be_given(file, separator):
    path = file(text_of(separator))
    assert read(path, separator=separator) == PAIRS
    assert "has only one column" in refused(path)


def test_a_separator_that_is_not_there(file):
    said = refused(file(text_of("\t")), separator="comma")
    assert "has only one column, if columns are separated by comma" in said


def test_the_first_lines_decide_not_the_first_alone(file):
    name = "log2(RNA/DNA), mean, rep 1; rep 2"
    path = file("\n".join([f"sequence\t{name}", *lines_of("\t", "")]))
    assert read(path, {"sequence": "sequence", "expression": name}) == PAIRS
    assert read(path, NUMBERED) == PAIRS
    path = file("a, b\tsequence\texpression\nx, y\tACGTACGT\t1\nz, w\tAC\t2\n")
    assert read(path) == [("ACGTACGT", 1.0), ("AC", 2.0)]


def test_a_bad_row_does_not_hide_the_separator(file):
    path = file("\n".join([*lines_of(";"), "ACGT,1", "x;y;z"]))
    assert layout(path, NAMED, True).separator == ";"


def test_two_separators_that_fit_equally_are_asked_for(file):
    path = file("a;b,c\n1;ACGT,2\n3;AC,4\n")
    with pytest.raises(TableError, match=r"separated by comma or semicolon.*set `separator`"):
        layout(path, {}, True)
    columns = {"sequence": 2, "expression": 1}
    assert "set `separator`" in refused(file("a;b,c\n1;AC2,2\n3;AC1,4\n"), columns)
    # The sequences tell, where they are whole with one separator only.
    path = file("n;m,s\n1;5,ACGT\n3;5,AC\n")
    assert layout(path, {"sequence": 2, "expression": 1}, True).separator == ","


def test_any_number_of_spaces_and_tabs(file):
    text = '  name  sequence\texpression \n"a  b" ACGT   1.5\n c\tAC \t 2\n"d" "GG" "3"\n'
    path = file(text)
    for how in ({}, {"separator": "space"}):
        if "\t" in text and not how:
            continue
        assert read(path, **how) == [("ACGT", 1.5), ("AC", 2.0), ("GG", 3.0)]
        columns = {"sequence": "sequence", "name": "name"}
        names = [cells["name"] for _, cells in rows(path, columns, True, **how)]
        assert names == ["a  b", "c", "d"]
    source = Table(path, "sequence", {"expression": 3}, True, "name", separator="space")
    assert [*chunks(source, Rejects())][0].families.tolist() == ["a  b", "c", "d"]


@pytest.mark.parametrize("separator", "\t,;|")
def test_quoted_cells_keep_the_separator(file, separator):
    note = f"x{separator}y{separator}z"
    lines = [["note", "sequence", "expression"], *([note, a, b] for a, b in PAIRS)]
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(lines)
    path = file(text.getvalue())
    assert read(path) == PAIRS
    if separator != "\t":
        source = Table(path, "sequence", {"expression": 3}, True, "note")
        assert set(next(chunks(source, Rejects())).families) == {note}


def test_a_list_of_sequences_is_a_table_of_one_column(file):
    for text, columns, header in (
        ("sequence\nACGT\nAC\n", {"sequence": "sequence"}, True),
        ("ACGT\nAC\n", {"sequence": 1}, False),
    ):
        path = file(text)
        check(path, columns, header)
        assert [cells["sequence"] for _, cells in rows(path, columns, header)] == ["ACGT", "AC"]
    assert first_row(file("sequence\nACGT\n"))[0] == ["sequence"]
    with pytest.raises(TableError, match="reads as data"):
        check(file("ACGTACGTAA\nAC\n"), {"sequence": 1}, True)


# Lines above the table, and lines that are narrower or wider than it


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("sequence\texpression", "R's write.table"),
        ("Table S1. Promoters, measured", "is a title or a note, delete it"),
        ("a\tb\tsequence\texpression", "put each name that contains the separator in quotes"),
        ('n\t"sequence\texpression', "a quote in it is not closed"),
    ],
)
def test_a_first_line_that_does_not_fit_the_lines_below(file, first, said):
    lines = [f"{n}\t{line}" for n, line in enumerate(lines_of("\t", ""))]
    message = refused(file("\n".join([first, *lines])))
    assert "column(s), separated by tab, but the lines below it have 3 (" in message
    assert said in message


def test_a_comma_for_a_point(file):
    path = file("sequence;expression\nACGT;1,5\nAC;2,25\n")
    said = "column 'expression' (`expression`) has no number in the first 2 row(s), but '1,5'"
    with pytest.raises(TableError) as error:
        check(path, NAMED, True)
    assert said in str(error.value) and "decimals need a point" in str(error.value)
    with pytest.raises(TableError, match="(?s)2 bad row.*decimals need a point"):
        read_all = Table(path, "sequence", {"expression": 2})
        list(chunks(read_all, Rejects()))
    # As conditions may leave the first rows out, these say nothing then.
    check(path, NAMED, True, where=["sequence"])


def test_a_wrong_column_is_seen_by_its_cells(file):
    path = file("name,sequence,expression\nx,ACGT,1\ny,AC,NA\n")
    for columns, said in (
        ({"sequence": "name", "expression": 3}, "no sequence of A, C, G, T and N.*but 'x'"),
        ({"sequence": 2, "expression": "name"}, "no number in the first 2 row.*but 'x'"),
    ):
        with pytest.raises(TableError, match=said):
            check(path, columns, True)
    # What is missing is no sign of a wrong column.
    check(file("name,sequence,expression\nx,ACGT,NA\n"), NAMED, True)


@pytest.mark.parametrize("mark", ["#", "!"])
def test_a_comment_needs_the_key(file, mark):
    path = file(f"{mark} exported 2024, by lab\n{mark} units\n{text_of(chr(9))}")
    assert f"line 1 begins with {mark!r}" in refused(path)
    assert f'`comment: "{mark}"`' in refused(path, NUMBERED)
    assert read(path, comment=mark) == PAIRS


def test_a_header_that_begins_with_a_sharp(file):
    path = file(text_of("\t", "#seq{}expression"))
    assert read(path, {"sequence": "#seq", "expression": "expression"}) == PAIRS
    assert read(path, {"sequence": 1, "expression": "expression"}) == PAIRS
    for columns in ({"sequence": "seq", "expression": "expression"}, NUMBERED):
        assert "give their names as they stand" in refused(path, columns)
    ids = file("".join(f"#{line}\n" for line in lines_of("\t#\t", "")))
    assert "line 1 begins" in refused(ids, NUMBERED, False)


@pytest.mark.parametrize("block", [64, 1 << 20])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("header", [True, False])
def test_comments_anywhere_keep_the_numbers_of_lines(file, monkeypatch, block, ending, header):
    monkeypatch.setattr(tables, "BLOCK_BYTES", block)
    # The quotes of a comment are no quotes.
    lines = ['// a "note', "", "// b,c,d"] + ["sequence,expression"] * header
    lines += ["AC,1", '// x "', "//", "GG,2", *["//," * 9] * 9, "TTR,3", "// y", "CC,4", "// end"]
    path = file(ending.join(lines))
    columns = NAMED if header else NUMBERED
    source = Table(path, columns["sequence"], {"expression": 2}, header, comment="//")
    rejects = Rejects(io.StringIO())
    dropping = dataclasses.replace(source, on_bad_rows="drop")
    found = [value for chunk in chunks(dropping, rejects) for value in chunk.values["expression"]]
    assert found == [1, 2, 4]
    bad = rejects.sink.getvalue().splitlines()
    line = lines.index("TTR,3") + 1
    assert [row.split("\t")[1] for row in bad] == [str(line)]
    with pytest.raises(TableError, match=f"(?s)1 bad row.*line {line}:"):
        list(chunks(source, Rejects()))
    numbers = [number for number, _ in rows(path, columns, header, comment="//")]
    assert [lines[number - 1] for number in numbers] == ["AC,1", "GG,2", "TTR,3", "CC,4"]


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_many_comments_before_the_table(file, packed):
    notes = "".join(f"## note {n}, of many\n" for n in range(9000))
    content = packed((notes + text_of("\t")).encode())
    path = file(content)
    assert len(notes) > 3 * 65536 and read(path, comment="##") == PAIRS
    # The start of a download may have nothing but these.
    source = Table(path, "sequence", {"expression": 2}, comment="##")
    assert tables.preview(source, notes[:5000].encode()) is None
    assert tables.preview(source, content, whole=True) > 0


def test_a_header_that_is_taken_for_a_comment(file):
    path = file(text_of("\t", "#seq{}expression"))
    said = refused(path, {"sequence": "#seq", "expression": "expression"}, comment="#")
    assert "a line that begins with '#seq' is a comment" in said
    assert read(path, NUMBERED, False, comment="#") == PAIRS


def test_a_line_for_spreadsheet_programs(file):
    for first in ("sep=;", '"sep=;"'):
        assert "delete that line" in refused(file(f"{first}\n{text_of(';')}"))


def test_comments_alone_are_an_empty_file(file):
    for text in ("# a", "# a\n# b\n", "# a\n\n"):
        assert "is empty" in refused(file(text), comment="#")


# Long lines


@pytest.mark.parametrize("zipped", [False, True])
def test_first_lines_of_more_than_64_kb(file, zipped):
    dress = gzip.compress if zipped else bytes
    names = ",".join(f"column{n}" for n in range(20_000))
    wide = f"sequence,{names},expression\n" + f"ACGT,{',' * 19_999},3\n" * 2
    assert read(file(dress(wide.encode()))) == [("ACGT", 3.0)] * 2
    long = "ACGTT" * 14_000
    assert read(file(dress(f"{long}\t1\nAC\t2\n".encode())), NUMBERED, False) == [
        (long, 1.0),
        ("AC", 2.0),
    ]
    assert "reads as data" in refused(file(dress(f"{long}\t1\nAC\t2\n".encode())), NUMBERED)


def test_a_first_line_without_end_is_refused(file):
    path = file(b"ACGT" * (2 << 20))
    with pytest.raises(TableError, match="line 1 has more than 4,194,304 letters"):
        check(path, NUMBERED, False)


# Rows


def test_names_of_families_that_would_break_a_table_are_refused(file):
    for cell in ("a\tb", "a\x1bb", "a\0b"):
        source = Table(file(f'f,s,e\n"{cell}",ACGT,1\nx,AC,2\n'), "s", {"e": "e"}, family="f")
        with pytest.raises(TableError, match="line 2: family .* has a control character"):
            list(chunks(source, Rejects()))


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"])
def test_a_cell_that_goes_on_in_the_next_line_is_refused(file, ending):
    path = file(f'id,sequence\nx,AC\n"a{ending}b",ACGT\n')
    with pytest.raises(TableError, match="line 3 has a quote that is not closed on that line"):
        list(rows(path, {"id": "id", "sequence": "sequence"}, True))


def test_nothing_that_a_terminal_obeys_is_in_a_message(file):
    wild = "\x1b]0;pwn\x07\x1b[2J\u202eACGT\x7f\x9b"
    for text in (f"sequence,{wild}\nAC,1\n", f"sequence,expression\n{wild},1\nAC,1\n", f"{wild},1"):
        for name in ("table.txt", "ta\x1bble.txt"):
            path = file(text, name)
            for call in (
                lambda path=path: list(rows(path, NAMED, True)),
                lambda path=path: list(chunks(Table(path, "sequence", {"e": 2}), Rejects())),
            ):
                try:
                    call()
                except TableError as error:
                    assert printable(str(error)) == str(error)
                    assert str(error).replace("\n", "").replace("\t", "").isprintable()


# Tables with all kinds of faults


def mangled(rng):
    """The text of a table, how the config reads it, and the pairs that are in it if it can be
    read."""
    separator = rng.choice("\t,;| ")
    header = rng.random() < 0.7
    dna = ["".join(rng.choices("ACGT", k=rng.randint(8, 30))) for _ in range(rng.randint(3, 40))]
    pairs = [(sequence, round(rng.uniform(-20, 20), 3)) for sequence in dna]
    names = [
        "sequence",
        "expression",
        *rng.sample(["1", "note", "id x", "rep, 2"], rng.randint(0, 2)),
    ]
    names = [name.replace(" ", "") for name in names] if separator == " " else names
    extra = [rng.choice(["x", "7", "a-b", "ACGT"]) for _ in names[2:]]
    table = [[sequence, str(value), *extra] for sequence, value in pairs]
    text = io.StringIO()
    ending = rng.choice(["\n", "\r\n", "\r"])
    csv.writer(text, delimiter=separator, lineterminator=ending).writerows([names] * header + table)
    columns = NAMED if header and rng.random() < 0.5 else NUMBERED
    how = {"separator": separator} if rng.random() < 0.3 else {}
    lines = text.getvalue().split(ending)[:-1]
    fault = rng.choice(
        ["none", "header", "title", "comment", "cut", "widen", "swap", "quote", "twice", "spaces"]
    )
    at = rng.randrange(len(lines))
    if fault == "header":
        header = not header
    elif fault == "title":
        lines.insert(0, rng.choice(["Table S1", "Table S1, all; of it", ""]))
    elif fault == "comment":
        lines.insert(rng.randint(0, at), "# a note, with; all| of\tthem")
        how["comment"] = "#"
    elif fault == "cut":
        lines[at] = lines[at].rpartition(separator)[0]
    elif fault == "widen":
        lines[at] += rng.choice(["\t", ",", ";", "|", " "]) + "9"
    elif fault == "swap" and separator != ",":
        lines = [line.replace(".", ",") for line in lines]
    elif fault == "quote":
        lines[at] = lines[at].replace(rng.choice(lines[at]), '"', 1)
    elif fault == "twice":
        lines[0] = lines[0].replace("1", "expression").replace("note", "expression")
    elif fault == "spaces":
        lines = [f" {line} " for line in lines]
    content = ending.join(lines).encode()
    content = gzip.compress(content) if rng.random() < 0.2 else content
    return content, columns, header, how, pairs


def outcome(path, columns, header, how):
    """The pairs that are read, and the lines that are set aside; or the message."""
    named = columns["sequence"], {"expression": columns["expression"]}
    source = Table(path, *named, header, on_bad_rows="drop", **how)
    rejects, found = Rejects(io.StringIO()), []
    try:
        check(path, columns, header, **how)
        for chunk in chunks(source, rejects):
            spans = zip(chunk.starts, chunk.ends, strict=True)
            texts = [tables.letters(chunk.buffer[start:end]) for start, end in spans]
            found += zip(texts, chunk.values["expression"].tolist(), strict=True)
    except TableError as error:
        return None, str(error)
    return found, rejects.sink.getvalue().splitlines()


def test_a_mangled_table_is_read_exactly_or_refused_clearly(file):
    read, refused = 0, 0
    for seed in range(400):
        content, columns, header, how, pairs = mangled(random.Random(seed))
        path = file(content)
        found, rest = outcome(path, columns, header, how)
        if found is None:
            refused += 1
            assert rest.startswith(f"{path}: ")
            continue
        read += 1
        # Every row is there, or it is set aside and told. So may be the header below a title.
        kept = iter(pairs)
        assert all(pair in kept for pair in found), seed
        assert len(found) + len(rest) - len(pairs) in (0, 1), seed
    assert read > 150 and refused > 100
