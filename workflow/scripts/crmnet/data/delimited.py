"""Reads the first lines, the columns and the rows of a delimited text file. Needs the standard
library only."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from crmnet.data import damage, kinds
from crmnet.logs import printable

# The words for separators in a config. A space stands for any number of spaces and tabs.
SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
# A name may well contain spaces, so these are looked for first.
_DETECTED = "\t,;|"
GZIP = b"\x1f\x8b"
START = 1 << 16
# The first line has at most this many bytes.
LONGEST = 1 << 22
# The number of lines below the first that show how a table is laid out.
LINES = 20
# csv refuses longer cells, and 131,072 letters are too few for the longest first line.
csv.field_size_limit(4 * LONGEST)

_DNA = re.compile("[ACGTN]+", re.IGNORECASE)
# No name of a column is so long a word of only these letters, or nearly only.
_LONG, _LONGER, _SHARE = 8, 20, 0.8
_IUPAC = re.compile("[ACGTUNRYSWKMBDHV]+", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WORD = re.compile(r"[^\W\d][^\x00-\x1f]*")
_MISSING = ("", "-", ".", "na", "n/a", "nan", "null", "none", "inf", "+inf", "-inf")
# What the cells of some columns are.
_SEQUENCES = ("sequence", "ref", "alt")
_NUMBERS = ("expression", "prediction", "position")
# Any number of spaces and tabs outside quotes; those around a line are in the second group.
_SPACES = re.compile(r'("[^"\r\n]*")|((?<![^\r\n])[ \t]+|[ \t]+(?![^\r\n]))|[ \t]+')
_SHOWN = 60

# Name -> column, given by its name or its number from 1, or several columns.
Columns = Mapping[str, "str | int | list[str | int]"]


class TableError(ValueError):
    """A table cannot be used as it is. The message names the file, the line and what to change."""

    def __init__(self, message: str):
        super().__init__(printable(message))


@dataclass(frozen=True)
class Layout:
    """How a table is laid out.

    Attributes:
        cells: the cells of its first line that is no comment.
        separator: what separates them; " " stands for any number of spaces and tabs.
        line: the number of that line in the file, from 1.
        offset: the number of bytes of the text before that line.
        rows: the cells of the next lines, some `LINES`; blank lines are left out.
    """

    cells: list[str]
    separator: str
    line: int
    offset: int
    rows: list[list[str]]


def is_gzip(path: Path) -> bool:
    """Tells by the first bytes of a file, not by its name, whether it is gzip."""
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def open_text(path: Path) -> TextIO:
    """Opens the text of a file (plain or gzip) without translating its line ends."""
    opened = gzip.open if is_gzip(path) else open
    return opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="")


# The first lines


def read_start(path: Path, comment: str | None = None) -> bytes:
    """Returns the whole lines at the start of a file's text: 64 KB of it, and if that is not
    enough, as much as has the first line that is no comment and some of the line below it.

    Raises:
        TableError: the file does not exist or cannot be read.
    """
    try:
        opened = gzip.open if is_gzip(path) else open
        with opened(path, "rb") as file:
            text = b""
            while part := file.read(max(START, len(text))):
                text += part
                lines = text[first_line(text, comment)[1] :].splitlines()
                if len(text) > LONGEST or len(text) >= START and len(lines) > 2:
                    return text[: max(text.rfind(b"\n"), text.rfind(b"\r")) + 1] or text
            return text
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file") from None
    except damage.TEXT as error:
        raise TableError(
            f"{path}: cannot be read ({error}); download or create it again"
        ) from error


def first_line(text: bytes, comment: str | None) -> tuple[int, int]:
    """Returns the number of the first line that is no comment, and the number of bytes before it,
    of a text that starts with these lines. Blank lines beside comments are skipped, too."""
    offset = len(codecs.BOM_UTF8) if text.startswith(codecs.BOM_UTF8) else 0
    if comment is None:
        return 1, offset
    mark = re.escape(comment.encode())
    skipped = re.compile(rb"(?:(?:%b[^\r\n]*)?(?:\r\n|\r|\n))*" % mark).match(text, offset).end()
    return 1 + len(text[offset:skipped].splitlines()), skipped


def layout(
    path: Path,
    columns: Columns,
    header: bool,
    separator: str | None = None,
    comment: str | None = None,
) -> Layout:
    """Returns how a table is laid out.

    Args:
        columns: name -> column, given by its name or its number from 1, or a list of columns.
        header: whether the first line names the columns.
        separator: one character, or a word in `SEPARATORS`. None detects it.
        comment: a line that begins with this text is no row. None if there are no such lines.

    Raises:
        TableError: the file does not exist, cannot be read, is empty, is no table, starts with a
            blank line or a comment, or has no columns or other columns than the config says.
    """
    return layout_of(path, read_start(path, comment), columns, header, separator, comment)


def layout_of(
    path: Path,
    start: bytes,
    columns: Columns,
    header: bool,
    separator: str | None = None,
    comment: str | None = None,
) -> Layout:
    """Returns the same as `layout`, of a file whose text starts with these whole lines."""
    line, offset = first_line(start, comment)
    text = start[offset:]
    if not text.decode(errors="replace").strip() or comment and text.startswith(comment.encode()):
        raise TableError(f"{path}: is empty" + " but for comments" * (line > 1))
    if fault := kinds.other_than_table(text, "sequence" in columns):
        raise TableError(f"{path}: {fault}")
    if text[:1] in (b"\r", b"\n"):
        raise TableError(f"{path}: line {line} is blank; delete that line")
    first, *below = [part.decode(errors="replace") for part in text.splitlines()[: LINES + 1]]
    if len(first) > LONGEST:
        raise TableError(
            f"{path}: line {line} has more than {LONGEST:,} letters; name a table of text that has "
            "a line for each sequence"
        )
    if re.fullmatch('"?sep=.?"?', first):
        raise TableError(
            f"{path}: line {line} is {first!r}, which only spreadsheet programs understand; delete "
            "that line"
        )
    below = [text for text in below if text and not (comment and text.startswith(comment))]
    shown = _shown_line(first)
    commented = first[0] in "#!" and TableError(
        f"{path}: line {line} begins with {first[0]!r} ({shown}); if such lines are comments, set "
        f'`comment: "{first[0]}"` for this table; if line {line} names the columns, give their '
        "names as they stand in it"
    )
    try:
        found = _separated(path, line, [first, *below], columns, header, separator)
        cells, *rows = (_split(text, found) for text in (first, *below))
        numbers = [(name, at) for name, at in _pairs(columns) if isinstance(at, int)]
        named = len(numbers) < len(_pairs(columns))
        wanted = _wanted(cells, numbers)
        is_data = not named and _reads_as_data(wanted)
        if header and is_data:
            raise TableError(
                f"{path}: line {line} reads as data, not as names of columns ({shown}); set "
                "`header: false` for this table"
            )
        for _, at in _pairs(columns):
            column_number(path, at, cells, header)
    except TableError:
        if commented:
            raise commented from None
        hidden = [at for _, at in _pairs(columns) if comment and str(at).startswith(comment)]
        if hidden:
            raise TableError(
                f"{path}: a line that begins with {hidden[0]!r} is a comment, because the config "
                f"sets `comment: {comment!r}` for this table; set a longer text that only comments "
                "begin with"
            ) from None
        raise
    # A name that is found shows that the line is the header.
    if commented and columns and not (named or is_data):
        raise commented
    if not header and _reads_as_names(wanted):
        same = [row for row in rows if len(row) == len(cells)]
        if any(_reads_as_data(_wanted(row, numbers)) for row in same):
            raise TableError(
                f"{path}: line {line} reads as names of columns, not as data ({shown}); if it is a "
                "header, set `header: true` and name the columns"
            )
    return Layout(cells, found, line, offset, rows)


def first_row(
    path: Path, separator: str | None = None, comment: str | None = None
) -> tuple[list[str], str]:
    """Returns the cells of the first line of a table (plain or gzip), and the separator between
    them.

    Raises:
        TableError: see `layout`.
    """
    found = layout(path, {}, True, separator, comment)
    return found.cells, found.separator


def check(
    path: Path,
    columns: Columns,
    header: bool,
    separator: str | None = None,
    comment: str | None = None,
    where: Iterable[str | int] = (),
    by: Iterable[str | int] = (),
) -> None:
    """Checks that the first lines of a table are as the config says. The arguments are those of
    `layout`.

    Args:
        where: columns that decide which rows are used. Without them, the first lines must have at
            least one sequence, and a number in each column of numbers.
        by: columns that decide what the rows are for.

    Raises:
        TableError: see `layout`; also if there is no row.
    """
    found = layout(path, columns, header, separator, comment)
    rows = found.rows if header else [found.cells, *found.rows]
    if not rows:
        raise TableError(f"{path}: has no usable row, only line {found.line} with the header")
    rows = [row for row in rows if len(row) == len(found.cells)]
    for key, further in ("where", where), ("by", by):
        for column in further:
            column_number(path, column, found.cells, header, key)
    for name, column in () if where else _pairs(columns):
        at = column_number(path, column, found.cells, header)
        given = [cell for row in rows if (cell := row[at].strip()).lower() not in _MISSING]
        if not given:
            continue
        of = f"{path}: column {column!r} (`{name}`)"
        if name == "sequence" and not any(map(_DNA.fullmatch, given)):
            raise TableError(
                f"{of} has no sequence of A, C, G, T and N in the first {len(rows)} row(s), but "
                f"{_shown(given[0])}; correct `columns:` of this file in the config"
            )
        if name in _NUMBERS and not any(map(NUMBER.fullmatch, given)):
            raise TableError(
                f"{of} has no number in the first {len(rows)} row(s), but "
                f"{_shown(given[0])}{no_number(given[0])}; correct the file, or "
                "`columns:` of this file in the config"
            )


# Separators


def _separated(
    path: Path,
    line: int,
    lines: Sequence[str],
    columns: Columns,
    header: bool,
    separator: str | None,
) -> str:
    """Returns the separator with which the first line has more than one cell, and lines below it
    have as many."""
    tried = [SEPARATORS.get(separator, separator)] if separator else [*_DETECTED]
    cells = {one: [_split(text, one) for text in lines] for one in tried}
    fitting = {one: agree for one in tried if (agree := _agreement(cells[one]))}
    if not (fitting or separator or any("\t" in text for text in lines)):
        cells[" "] = [_split(text, " ") for text in lines]
        if agree := _agreement(cells[" "]):
            fitting[" "] = agree
    if not fitting:
        if misfit := _misfit(path, line, lines, cells, header):
            raise misfit
        # No line below has a second cell, so these are bad rows.
        fitting = {one: 1 for one in cells if len(cells[one][0]) > 1}
    # What the cells of the columns say outweighs a bad row more or less.
    likely = [one for one in fitting if _is_likely(path, cells[one], columns, header)]
    agree = {one: fitting[one] for one in likely or fitting}
    best = [one for one in agree if agree[one] == max(agree.values())]
    if len(best) > 1:
        raise TableError(
            f"{path}: its columns can be separated by {' or '.join(map(_word, best))} "
            f"({_shown_line(lines[0])}); set `separator` for this table to one of these words"
        )
    # A list of sequences alone is a table of one column.
    if not best and len(columns) < 2:
        return tried[0]
    if not best:
        missing = next((f"has no column {at!r}: " for _, at in _pairs(columns) if at != 1), "")
        raise TableError(
            f"{path}: {missing}line {line} has only one column, if columns are separated by "
            f"{' or '.join(map(_word, tried if separator else [*tried, ' ']))} "
            f"({_shown_line(lines[0])}); name a table that has the columns in `columns`, or "
            "set `separator` for this table"
        )
    return best[0]


def _agreement(cells: Sequence[Sequence[str]]) -> int:
    """Returns how many of the lines have as many cells as the first. It is 0 if that has only one
    cell, or if there are lines below it, but none agrees."""
    first, *rows = map(len, cells)
    agree = sum(width == first for width in rows)
    return 1 + agree if first > 1 and (agree or not rows) else 0


def _is_likely(path: Path, cells: Sequence[list[str]], columns: Columns, header: bool) -> bool:
    """Tells whether the columns are there, and that of sequences has sequences."""
    first, *rows = cells
    try:
        at = {name: column_number(path, at, first, header) for name, at in _pairs(columns)}
    except TableError:
        return False
    data = [row for row in (rows if header else cells) if len(row) == len(first)]
    sequences = [_DNA.fullmatch(row[at["sequence"]].strip()) for row in data if "sequence" in at]
    return not sequences or any(sequences)


def _misfit(
    path: Path,
    line: int,
    lines: Sequence[str],
    cells: Mapping[str, Sequence[Sequence[str]]],
    header: bool,
) -> TableError | None:
    """Returns the error for a first line that has another number of cells than the lines below it;
    None if these have one cell each."""
    widths = {one: Counter(map(len, rows[1:])).most_common(1) for one, rows in cells.items()}
    # Most lines agree on more than one cell.
    wide = {
        one: common[0]
        for one, common in widths.items()
        if common and common[0][0] > 1 and 2 * common[0][1] > len(lines) - 1
    }
    if not wide:
        return None
    one = max(wide, key=lambda one: wide[one][1])
    first, below = len(cells[one][0]), wide[one][0]
    if lines[0].count('"') % 2:
        mend = "a quote in it is not closed; correct the line"
    elif not header:
        mend = f"correct line {line}, or delete it if it is a title"
    elif first > below:
        mend = "put each name that contains the separator in quotes"
    elif first == below - 1 > 1:
        mend = (
            "if R's write.table has written the file, add a name for the row names at the start of "
            f"line {line}, or write it with `row.names = FALSE`; if line {line} is a title, delete "
            "it"
        )
    else:
        mend = f"if line {line} is a title or a note, delete it; otherwise correct it"
    return TableError(
        f"{path}: line {line} has {first} column(s), separated by {_word(one)}, but the lines "
        f"below it have {below} ({_shown_line(lines[0])}); {mend}"
    )


def _split(line: str, separator: str) -> list[str]:
    line = squeezed(line) if separator == " " else line
    return next(csv.reader([line], delimiter=separator), [])


def squeezed(text: str) -> str:
    """Returns lines with one space in place of any number of spaces and tabs outside quotes, and
    none around a line."""
    if '"' not in text:
        # This is ten times as fast.
        text = text.replace("\t", " ")
        while "  " in text:
            text = text.replace("  ", " ")
        for end in "\r\n":
            text = text.replace(f" {end}", end).replace(f"{end} ", end)
        return text.strip(" ")
    return _SPACES.sub(lambda found: found[1] or ("" if found[2] else " "), text)


def _word(separator: str) -> str:
    words = {character: word for word, character in SEPARATORS.items()}
    return words.get(separator, repr(separator))


# What the cells of a line are


def _pairs(columns: Columns) -> list[tuple[str, str | int]]:
    """Returns the name and the column of each column."""
    return [
        (name, at)
        for name, given in columns.items()
        for at in (given if isinstance(given, list) else [given])
    ]


def _wanted(
    cells: Sequence[str], columns: Iterable[tuple[str, int]]
) -> tuple[list[str], list[str]]:
    """Returns the cells of a line that should be sequences, and those that should be numbers, of
    the columns (name, number from 1) that it has."""
    given = [(name, cells[at - 1].strip()) for name, at in columns if 1 <= at <= len(cells)]
    return tuple(
        [cell for name, cell in given if name in names] for names in (_SEQUENCES, _NUMBERS)
    )


def _reads_as_data(wanted: tuple[list[str], list[str]]) -> bool:
    """Tells whether cells (see `_wanted`) are surely no names: long sequences, or sequences and
    numbers."""
    sequences, numbers = wanted
    if any(map(_is_sequence, sequences)):
        return True
    return (
        bool(sequences and numbers)
        and all(map(_IUPAC.fullmatch, sequences))
        and all(map(NUMBER.fullmatch, numbers))
    )


def _is_sequence(cell: str) -> bool:
    """Tells whether a cell is surely a sequence of DNA, perhaps with wrong letters."""
    bases = sum(map(cell.upper().count, "ACGTN"))
    return bases == len(cell) >= _LONG or len(cell) >= _LONGER and bases >= _SHARE * len(cell)


def _reads_as_names(wanted: tuple[list[str], list[str]]) -> bool:
    """Tells whether cells (see `_wanted`) are words where there should be sequences and numbers."""
    sequences, numbers = wanted
    return (
        all(map(_WORD.fullmatch, sequences + numbers))
        and not any(map(_DNA.fullmatch, sequences))
        and not any(cell.lower() in _MISSING for cell in sequences + numbers)
        and bool(numbers or not all(map(_IUPAC.fullmatch, sequences)))
    )


def no_number(cell: str) -> str:
    """Returns a hint, as the end of a sentence, why a cell that looks like a number is none. It is
    empty if there is nothing to say."""
    cell = cell.strip(" \t")
    if re.fullmatch(r"[+-]?\d{1,3}([ ,.'\u00a0\u202f]\d{3})+([.,]\d+)?", cell):
        return " (leave out separators of thousands; decimals need a point)"
    if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", cell):
        return " (decimals need a point, not a comma)"
    if re.fullmatch(r"[\u2010-\u2015\u2212]\s?[\d.,]+", cell):
        return " (its minus is not the sign of the keyboard, -)"
    if re.fullmatch(r"[+-]?0[xX][\da-fA-F]+", cell):
        return " (a hexadecimal number)"
    if NUMBER.fullmatch(cell):
        return " (too large)"
    return ""


# Columns


def column_number(
    path: Path, column: str | int, cells: list[str], header: bool, key: str = "columns"
) -> int:
    """Returns the number, from 0, of a column that is given by its name or its number from 1.

    Args:
        key: the key of the config that names the column.

    Raises:
        TableError: the file has no such column, or several that could be meant.
    """
    mend = f"correct `{key}:` of this file in the config"
    if key == "by":
        mend = "correct `by` (of `held_out`, `validation` or `cross_validation`) in the config"
    if isinstance(column, int):
        if not 1 <= column <= len(cells):
            raise TableError(f"{path}: has no column {column}, only {len(cells)} column(s); {mend}")
        if header and str(column) in cells and cells[column - 1] != str(column):
            raise TableError(
                f"{path}: {column} can mean column {column}, which is named "
                f"{_shown(cells[column - 1])}, or the column that is named '{column}'; in "
                f'`{key}:`, write the name of the first, or `"{column}"` in quotes for the second'
            )
        return column - 1
    if not header:
        raise TableError(
            f"{path}: the config gives column {column!r} by name, but sets `header: false`; "
            "give the number of the column, or set `header: true`"
        )
    places = [place for place, cell in enumerate(cells, start=1) if cell == column]
    if len(places) > 1:
        raise TableError(
            f"{path}: columns {', '.join(map(str, places[:-1]))} and {places[-1]} have the same "
            f"name, {_shown(column)}; give the number of the one that you mean, or rename them"
        )
    if places:
        return places[0] - 1
    if any(_is_sequence(cell.strip()) for cell in cells):
        mend = (
            "the first line reads as data, so set `header: false`, and give the columns by their "
            "numbers"
        )
    near = [cell for cell in cells if _plain(cell) == _plain(column)]
    if near:
        mend = f"did you mean {_shown(near[0])}? {mend[0].upper()}{mend[1:]}"
    elif column.isdecimal():
        mend += f"; the number of a column has no quotes ({column})"
    names = ", ".join(map(_shown, cells[:12])) + ", ..." * (len(cells) > 12)
    raise TableError(f"{path}: has no column {column!r}, only {names}; {mend}")


def _plain(name: str) -> str:
    return name.strip(" \t\u00a0#!\ufeff").casefold()


def _shown_line(line: str) -> str:
    return printable(line, _SHOWN).replace("\t", r"\t")


def _shown(cell: str) -> str:
    return repr(cell) if len(cell) <= _SHOWN else f"{cell[:_SHOWN]!r}..."


# Whole files


def is_fasta(path: Path) -> bool:
    """Tells whether a file's first line is the header of a FASTA record.

    Raises:
        TableError: the file does not exist, cannot be read, is empty or is no text, or its first
            line is blank.
    """
    start = read_start(path)
    if kinds.is_fasta(start):
        return True
    text = start.removeprefix(codecs.BOM_UTF8)
    if not text.strip():
        raise TableError(f"{path}: is empty")
    if text[:1] in (b"\r", b"\n"):
        raise TableError(f"{path}: line 1 is blank; delete that line")
    if fault := kinds.other_than_table(start, False):
        raise TableError(f"{path}: {fault}")
    return False


def rows(
    path: Path,
    columns: dict[str, str | int],
    header: bool,
    separator: str | None = None,
    comment: str | None = None,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number (from 1) and the cells (name -> text) of each row of a table. Blank
    lines are skipped. The arguments are those of `layout`.

    Raises:
        TableError: see `layout`; also if a row has another number of columns than the first line,
            a quoted cell continues beyond the end of its line, or the file cannot be read to its
            end.
    """
    found = layout(path, columns, header, separator, comment)
    cells = found.cells
    numbers = {name: column_number(path, at, cells, header) for name, at in columns.items()}

    def prepared(line):
        if comment and line.startswith(comment):
            return ""
        return squeezed(line) if found.separator == " " else line

    before = 0
    try:
        with open_text(path) as file:
            reader = csv.reader(map(prepared, file), delimiter=found.separator)
            for row in reader:
                number, before = before + 1, reader.line_num
                if not row or (header and number == found.line):
                    continue
                if number != before:
                    raise TableError(
                        f"{path}: line {number} has a quote that is not closed on that line; "
                        "correct that line"
                    )
                if len(row) != len(cells):
                    raise TableError(
                        f"{path}: line {number} has {len(row)} column(s), but line {found.line} "
                        f"has {len(cells)}; correct line {number}"
                    )
                yield number, {name: row[at] for name, at in numbers.items()}
    except (*damage.TEXT, csv.Error) as error:
        raise TableError(
            f"{path}: cannot be read to its end ({error}); download or create it again"
        ) from error
