"""Reads and checks tables of measured sequences in a stream, so that memory stays bounded."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from crmnet.data import conditions, damage
from crmnet.data.cells import TRANSFORMS, known_numbers, meets, missing, numbers, trimmed
from crmnet.data.delimited import (
    GZIP,
    Layout,
    TableError,
    column_number,
    first_line,
    is_gzip,
    layout,
    layout_of,
    no_number,
    squeezed,
)
from crmnet.data.flanks import ADD, CUT, PRESENT, STOP, add_flanks
from crmnet.data.sequences import (
    INVALID,
    TOKEN_OF_BYTE,
    Construct,
    bad_letter,
    has_flanks,
    leak_keys,
    letters,
    pad,
    strip_n,
)
from crmnet.logs import printable

# A block is small enough for its tokens to stay in a processor's cache, and large enough for the
# time of the loop itself not to count.
BLOCK_BYTES = 1 << 20
EXAMPLES = 5
# A larger number is infinite as float32.
LARGEST = float(np.finfo(np.float32).max)
# The words in a column `split`, in any case -> what the row is for.
USES = TRAIN, VALIDATION, TEST = "train", "validation", "test"
_WORDS = {word: word for word in USES} | dict.fromkeys(("val", "valid"), VALIDATION)
# The beginnings of reasons for a bad row -> what to do besides dropping or correcting the row.
_MENDS = {
    "too long": "raise `construct: length`, or set `longer: cut` for the medium to cut such "
    "sequences at their end",
    "has the construct's flanks already": "set `flanks: present` for this table",
}
# Why rows are left out, in the counts of a table.
LEFT_OUT = ("rejected", "filtered", "missing")
# The number of values of a column that a message shows.
VALUES = 5


@dataclass(frozen=True)
class Table:
    """A text file with measured sequences (plain or gzip; any separator), and its columns.

    Attributes:
        path: the file.
        sequence: column of the sequence, by its name or its number from 1.
        values: name -> column, for each column of numbers to read ("expression", ...); or a list of
            columns, whose mean is taken after the `transform`.
        header: whether the first line names the columns.
        family: column of the family's name, if the table tells which sequences are relatives.
        weight: column of the weight of a row in training.
        split: column that says whether a row is for training, validation or test.
        by: other columns whose values decide what rows are for (chromosome, fold, ...).
        separator: what separates the columns, a character or a word of `delimited.SEPARATORS`;
            None detects it.
        comment: a line that begins with this text is no row.
        where: column -> condition that a row must meet to be used.
        transform: the function of each expression that is used in its place ("log2", ...).
        missing: whether a row without an expression is a bad row ("stop") or is left out ("skip").
            With several columns of it, those without a value do not count ("skip").
        flanks: whether sequences have the construct's flanks ("present") or get them ("add").
        construct: the construct of the sequences, if it is to be compared with them.
        longer: whether a sequence that is longer than the construct's `length` is a bad row
            ("stop"), or is left for the reader to cut ("cut").
        on_bad_rows: whether a bad row ends the reading with an error ("stop") or is left out
            ("drop").
    """

    path: Path
    sequence: str | int
    values: dict[str, str | int | list[str | int]]
    header: bool = True
    family: str | int | None = None
    weight: str | int | None = None
    split: str | int | None = None
    by: Sequence[str | int] = ()
    separator: str | None = None
    comment: str | None = None
    where: dict[str, object] | None = None
    transform: str | None = None
    missing: str = "stop"
    flanks: str = PRESENT
    construct: Construct | None = None
    longer: str = CUT
    on_bad_rows: str = "stop"


@dataclass
class Rejects:
    """Counts the rows of tables that are left out, and records the bad ones.

    Attributes:
        sink: a text file to which bad rows are written as TSV (file, line, reason, row), if any.
        count: the number of bad rows.
        filtered: the number of rows that do not meet `where`.
        missing: the number of rows without an expression, left out by `missing: skip`.
    """

    sink: TextIO | None = None
    count: int = 0
    filtered: int = 0
    missing: int = 0

    def add(self, other: Rejects) -> None:
        self.count += other.count
        self.filtered += other.filtered
        self.missing += other.missing

    def counts(self, used: int) -> dict[str, int]:
        """Returns what became of the rows of a table of which so many are used."""
        return {
            "rows": used,
            "rejected": self.count,
            "filtered": self.filtered,
            "missing": self.missing,
        }


def account(table: Table, counts: dict[str, int]) -> list[str]:
    """Returns a sentence on each reason for which rows of a table are left out, if there are such
    rows, and on `where` in any case.

    Args:
        counts: see `Rejects.counts`.
    """
    total = counts["rows"] + sum(counts[reason] for reason in LEFT_OUT)
    sentences = []
    if table.where and not counts["filtered"]:
        sentences.append(
            f"{table.path}: all {total:,} rows meet `where` ({conditions.text(table.where)})"
        )
    elif table.where:
        sentences.append(
            f"{table.path}: {counts['filtered']:,} of {total:,} rows do not meet `where` "
            f"({conditions.text(table.where)}) and are left out"
        )
    if counts["missing"]:
        sentences.append(
            f"{table.path}: {counts['missing']:,} of {total:,} rows have no expression and are "
            "left out (`missing: skip`)"
        )
    if counts["rejected"]:
        sentences.append(
            f"{table.path}: {counts['rejected']:,} of {total:,} rows are bad and are left out "
            "(`on_bad_rows: drop`)"
        )
    return sentences


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table.

    Attributes:
        buffer: tokens (uint8) of all its sequences, one after the other.
        starts, ends: where each row's sequence lies in the buffer, without the N around it.
        values: name -> (n,) float64.
        families: (n,) names, as objects; None if the table has no such column.
        weights: (n,) float64; None if the table has no such column.
        labels: column of `Table.by`, or "split" -> (n,) the text of each row, as objects. That of
            "split" is one of `USES`.
    """

    buffer: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    values: dict[str, np.ndarray]
    families: np.ndarray | None = None
    weights: np.ndarray | None = None
    labels: dict[str | int, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.starts)


def table_of(entry: dict) -> Table:
    """Returns the table that an entry of the config declares."""
    columns = dict(entry["columns"])
    named = {name: columns.pop(name, None) for name in ("sequence", "family", "weight", "split")}
    read = {key: value for key, value in entry.items() if key not in ("path", "columns")}
    if "construct" in read:
        read["construct"] = Construct(**read["construct"])
    return Table(Path(entry["path"]), values=columns, **named, **read)


def read(
    table: Table, length: int, rejects: Rejects | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Reads a small table whole: tokens (n, length) of uint8, and its columns of numbers (n,).

    Args:
        rejects: counts and records the rows that are left out.

    Raises:
        TableError: see `chunks`.
    """
    parts = list(chunks(table, rejects or Rejects()))
    tokens = np.concatenate([pad(p.buffer, p.starts, p.ends, length) for p in parts])
    return tokens, {name: np.concatenate([p.values[name] for p in parts]) for name in table.values}


def hold_out(
    sources: Sequence[Table],
    construct: Construct,
    chosen: Callable[[np.ndarray], np.ndarray],
    rejects: Rejects,
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Returns the sequences of some tables that are held out as a test set.

    Args:
        chosen: takes keys (n, insert_length) and returns a mask (n,) of the sequences to hold out.

    Returns:
        The sequences without the N around them, in the order of the tables, each once (two are the
        same if their `sequences.leak_keys` are); their mean expression (n,); the number of rows of
        each (n,); and their keys (n, insert_length).

    Raises:
        TableError: see `chunks`; also if no sequence is held out.
    """
    places: dict[bytes, int] = {}
    sequences, total, rows, kept = [], [], [], []
    for source in sources:
        for chunk in chunks(source, rejects):
            keys = leak_keys(chunk.buffer, chunk.starts, chunk.ends, construct)
            for row in np.flatnonzero(chosen(keys)):
                place = places.setdefault(keys[row].tobytes(), len(sequences))
                if place == len(sequences):
                    sequences.append(letters(chunk.buffer[chunk.starts[row] : chunk.ends[row]]))
                    total.append(0.0)
                    rows.append(0)
                    kept.append(keys[row])
                total[place] += chunk.values["expression"][row]
                rows[place] += 1
    if not sequences:
        raise TableError(
            f"{', '.join(str(source.path) for source in sources)}: no sequence is held out; raise "
            "`held_out` in the config"
        )
    return sequences, np.array(total) / np.array(rows), np.array(rows), np.array(kept)


def chunks(table: Table, rejects: Rejects) -> Iterator[Chunk]:
    """Yields the rows of a table, some ten thousand at a time, without those that are left out.

    A row that does not meet `where` is left out first, then, with `missing: skip`, one without an
    expression. Of the others, a row is bad if it has a wrong number of columns, no sequence, a
    letter outside ACGTN (lower case is read as upper case), a value that is not a finite number
    (float32) or has no `transform`, a weight that is not a finite number of 0 or more, a family
    name that is empty or has a control character, an empty label, or another word than those for
    `USES` in the column `split`; if it does not fit the construct; or if a condition of `where`
    cannot be told (see `cells.meets`). Spaces and tabs around sequences and numbers, blank lines at
    the end of the file, and comments are ignored.

    Args:
        rejects: counts and records the rows that are left out.

    Raises:
        TableError: the file is empty, truncated or no table of text, or lacks a column (see
            `delimited.layout`); or a quoted cell continues beyond the end of its line; or no row is
            left; or there are bad rows, which the table does not drop (the message gives the reason
            and the line of the first ones).
    """
    any_rows = False
    first, left_out = layout(table.path, *_how(table)), Rejects(rejects.sink)

    def opened():
        return _open(table.path)

    for chunk in _chunks(table, first, opened, left_out):
        any_rows |= len(chunk) > 0
        yield chunk
    rejects.add(left_out)
    if not any_rows:
        raise _without_rows(table, first, opened, left_out)


def preview(table: Table, start: bytes, whole: bool = False) -> float | None:
    """Checks a table by the start of its file, before the file is there, as `chunks` would.

    Args:
        start: the first bytes of the file (plain or gzip). If the last line is cut, it is ignored.
        whole: whether these are all bytes of the file.

    Returns:
        The mean number of bytes that a row takes in the file (compressed, if the file is). None if
        the bytes have no complete row.

    Raises:
        TableError: see `chunks`.
    """
    text = _uncompressed(table.path, start, whole)
    lines = text if whole else text[: max(text.rfind(b"\n"), text.rfind(b"\r")) + 1]
    _, before = first_line(lines, table.comment)
    if not (lines[before:] or whole):
        return None
    first = layout_of(table.path, lines, *_how(table))
    left_out = Rejects()

    def opened():
        return pa.BufferReader(lines)

    usable = sum(map(len, _chunks(table, first, opened, left_out)))
    if whole and not usable:
        raise _without_rows(table, first, opened, left_out)
    rows = lines.splitlines(keepends=True)[int(table.header) :]
    return sum(map(len, rows)) / len(rows) * len(start) / len(text) if rows else None


def _how(table: Table) -> tuple[dict, bool, str | None, str | None]:
    """Returns the arguments with which `delimited.layout` finds the layout of a table."""
    columns = {"sequence": table.sequence, **table.values}
    return columns, table.header, table.separator, table.comment


def _uncompressed(path: Path, start: bytes, whole: bool) -> bytes:
    """Returns the text of a file of which these are the first bytes."""
    if not start.startswith(GZIP):
        return start
    text = b""
    try:
        with gzip.open(io.BytesIO(start)) as file:
            while part := file.read1():
                text += part
    except damage.TEXT as error:
        # A file of which this is the start may well go on.
        if whole or not isinstance(error, EOFError):
            raise TableError(
                f"{path}: cannot be read ({error}); download or create it again"
            ) from error
    return text


def _chunks(
    table: Table,
    first: Layout,
    opened: Callable[[], pa.NativeFile],
    rejects: Rejects,
) -> Iterator[Chunk]:
    """Yields the rows of a table with this layout, from the text that `opened` opens."""
    wanted = _wanted(table, first.cells)
    # Lines of the file before the first row of the block.
    before = first.line - 1 + int(table.header)
    try:
        for block, cells, bad, comments in _parsed(table, first, opened, wanted):
            rows = len(cells["sequence"]) + len(bad)
            if b'"' in block:
                _check_quotes(table, block, first.separator, before, rows)
            lines = np.delete(np.arange(1, rows + 1), [line - 1 for line in bad])
            if table.where:
                kept, unclear = _meeting(table, cells)
                rejects.filtered += len(lines) - int(kept.sum()) - len(unclear)
                bad |= {int(lines[row]): reason for row, reason in unclear.items()}
                cells, lines = _rows(cells, kept), lines[kept]
            if table.missing == "skip":
                there = ~_absent(table, cells).all(axis=0)
                rejects.missing += len(lines) - int(there.sum())
                cells, lines = _rows(cells, there), lines[there]
            chunk, reasons = _check(table, cells)
            bad |= {int(lines[row]): reason for row, reason in reasons.items()}
            bad = {line: reason for line, reason in bad.items() if line not in comments}
            if bad:
                _reject(table, block, before, bad, rejects, _absent(table, cells).any())
            before += rows
            yield chunk
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise TableError(
            f"{table.path}: cannot be read to its end ({_first_line(error)}); it may be truncated "
            "or not be text; delete it, and download or create it again"
        ) from error


def _parsed(
    table: Table, first: Layout, opened: Callable[[], pa.NativeFile], wanted: dict[str, int]
) -> Iterator[tuple[bytes, dict[str, pa.BinaryArray], dict[int, str], set[int]]]:
    """Yields each block of text, its cells in the wanted columns, its lines that have another
    number of columns (line of the block -> reason), and those of them that are comments."""
    with opened() as stream:
        stream.read(first.offset)
        for block in _blocks(stream, table.header):
            block, comments = _without_comments(block, table.comment)
            if first.separator == " ":
                block = squeezed(block.decode(errors="replace")).encode()
            cells, bad = _parse(block, first.separator, len(first.cells), wanted)
            yield block, cells, bad, comments


def _wanted(table: Table, names: list[str]) -> dict[str, int]:
    """Returns the role of each column that is read -> its number, from 0. `names` are the cells of
    the first line."""
    columns = {"sequence": table.sequence}
    for roles in _value_roles(table).values():
        columns |= roles
    optional = {"family": table.family, "weight": table.weight}
    columns |= {role: column for role, column in optional.items() if column is not None}
    columns |= {_label_role(label): column for label, column in _labelled(table).items()}
    numbered = {
        role: column_number(table.path, column, names, table.header)
        for role, column in columns.items()
    }
    return numbered | {
        _where_role(column): column_number(table.path, column, names, table.header, key="where")
        for column in table.where or ()
    }


def _value_roles(table: Table) -> dict[str, dict[str, str | int]]:
    """Returns the name of each value -> the roles of its columns -> these columns."""
    return {
        name: {f"{name} (column {column!r})": column for column in given}
        if isinstance(given, list)
        else {name: given}
        for name, given in table.values.items()
    }


def _where_role(column: str | int) -> str:
    return f"where {column!r}"


def _without_rows(
    table: Table,
    first: Layout,
    opened: Callable[[], pa.NativeFile],
    left_out: Rejects,
) -> TableError:
    """Returns the error for a table of which all rows are left out."""
    if left_out.filtered and not (left_out.missing or left_out.count):
        found = "; ".join(_first_values(table, first, opened))
        return TableError(
            f"{table.path}: none of {left_out.filtered:,} rows meets `where` "
            f"({conditions.text(table.where)}); {found}. Correct `where` of this file in the config"
        )
    reasons = {
        "do not meet `where`": left_out.filtered,
        "have no expression": left_out.missing,
        "are bad": left_out.count,
    }
    counted = ", ".join(f"{number:,} {reason}" for reason, number in reasons.items() if number)
    return TableError(
        f"{table.path}: has no usable row{counted and f' ({counted})'}; name a file with measured "
        "sequences in the config"
    )


def _first_values(
    table: Table, first: Layout, opened: Callable[[], pa.NativeFile]
) -> Iterator[str]:
    """Yields for each column of `where` a text with the first of its different values."""
    _, cells, *_ = next(_parsed(table, first, opened, _wanted(table, first.cells)))
    for column in table.where:
        values = pc.unique(cells[_where_role(column)])[:VALUES].to_pylist()
        shown = ", ".join(repr(value.decode()[:30]) for value in values)
        yield f"the first values of column {column!r} are {shown}"


def _blocks(stream: pa.NativeFile, header: bool) -> Iterator[bytes]:
    """Yields the text in blocks of whole lines, without blank lines at its end.

    Line 0 of a block is not a row. It is the header, or else the line end of the row before.
    """
    text = b"" if header else b"\n"
    more = True
    while more:
        part = stream.read(BLOCK_BYTES)
        more = bool(part)
        text += part
        end = max(text.rfind(b"\n"), text.rfind(b"\r"), 0) if more else len(text)
        block = text[:end].rstrip(b"\r\n")
        if b"\n" in block or b"\r" in block:
            yield block
            text = text[len(block) :]
        elif len(text) > 4 * BLOCK_BYTES:
            raise pa.ArrowInvalid(f"no row in {len(text):,} bytes")


def _without_comments(block: bytes, comment: str | None) -> tuple[bytes, set[int]]:
    """Returns a block in which each comment is one cell, and the lines of comments in the block."""
    mark = comment and comment.encode()
    if not mark or mark not in block:
        return block, set()
    lines = block.splitlines(keepends=True)
    found = {number for number, line in enumerate(lines) if number and line.startswith(mark)}
    for number in found:
        lines[number] = b"x" + lines[number][len(lines[number].rstrip(b"\r\n")) :]
    return b"".join(lines), found


def _parse(
    block: bytes, separator: str, width: int, wanted: dict[str, int]
) -> tuple[dict[str, pa.BinaryArray], dict[int, str]]:
    """Returns the cells of the wanted columns, and the lines that have another number of columns
    (line of the block -> reason)."""
    bad = {}

    def set_aside(row):
        bad[row.number - 1] = f"{row.actual_columns} columns instead of {width}"
        return "skip"

    if not block.isascii():
        block = block.decode(errors="replace").encode()
    parsed = pyarrow.csv.read_csv(
        # An open quote at the end of the block takes in this line end, as it would within the
        # block.
        pa.BufferReader(block + b"\n"),
        pyarrow.csv.ReadOptions(
            use_threads=False,
            block_size=len(block) + 1,
            skip_rows=1,
            column_names=[str(number) for number in range(width)],
        ),
        pyarrow.csv.ParseOptions(
            delimiter=separator, ignore_empty_lines=False, invalid_row_handler=set_aside
        ),
        pyarrow.csv.ConvertOptions(
            include_columns=sorted({str(column) for column in wanted.values()}),
            column_types={str(column): pa.binary() for column in wanted.values()},
        ),
    )
    return {name: parsed[str(n)].combine_chunks() for name, n in wanted.items()}, bad


def _rows(cells: dict[str, pa.BinaryArray], kept: np.ndarray) -> dict[str, pa.BinaryArray]:
    """Returns the cells of some rows, by their mask (n,)."""
    if kept.all():
        return cells
    mask = pa.array(kept)
    return {role: column.filter(mask) for role, column in cells.items()}


def _meeting(table: Table, cells: dict[str, pa.BinaryArray]) -> tuple[np.ndarray, dict[int, str]]:
    """Returns a mask (n,) of the rows that meet `where`, and why this cannot be told of other rows
    (row -> reason). A row that fails one condition does not meet `where`, whatever the others
    are."""
    kept = np.ones(len(cells["sequence"]), bool)
    unclear: dict[int, str] = {}
    for column, wanted in conditions.conditions(table.where):
        column_cells = cells[_where_role(column)]
        met, doubtful = meets(column_cells, wanted)
        kept &= met | doubtful
        for row in np.flatnonzero(doubtful).tolist():
            cell = column_cells[row].as_py().decode()
            unclear.setdefault(row, f"{cell!r} in column {column!r} is no number ({wanted})")
    unclear = {row: reason for row, reason in unclear.items() if kept[row]}
    kept[list(unclear)] = False
    return kept, unclear


def _absent(table: Table, cells: dict[str, pa.BinaryArray]) -> np.ndarray:
    """Returns a mask (columns, n) of the cells of the expression's columns that have no value."""
    roles = _value_roles(table).get("expression", ())
    mask = [missing(cells[role]) for role in roles]
    return np.array(mask, bool).reshape(len(mask), len(cells["sequence"]))


def _check(table: Table, cells: dict[str, pa.BinaryArray]) -> tuple[Chunk, dict[int, str]]:
    """Returns the usable rows, and why each of the others is not usable (row -> reason)."""
    bad: dict[int, str] = {}

    def refuse(rows, role, reason):
        for row in rows.tolist():
            if row not in bad:
                bad[row] = reason(cells[role][row].as_py().decode())

    buffer, starts, ends = _tokens(cells["sequence"])
    invalid = np.flatnonzero(buffer == INVALID)
    if len(invalid):
        cells["sequence"] = trimmed(cells["sequence"])
        buffer, starts, ends = _tokens(cells["sequence"])
        invalid = np.flatnonzero(buffer == INVALID)
    rows = np.unique(np.searchsorted(starts, invalid, side="right") - 1)
    refuse(rows, "sequence", bad_letter)
    starts, ends = strip_n(buffer, starts, ends)
    refuse(np.flatnonzero(ends == starts), "sequence", lambda _: "no sequence")
    for rows, reason in _unfit(buffer, starts, ends, table):
        refuse(rows, "sequence", reason)
    values = {
        name: _mean([_measured(table, role, cells[role], refuse) for role in roles])
        for name, roles in _value_roles(table).items()
    }
    families = weights = None
    if "family" in cells:
        families = _text(cells["family"], str.strip)
        refuse(np.flatnonzero(families == ""), "family", lambda _: "no family")
        odd = pc.match_substring_regex(pc.cast(cells["family"], pa.string()), r"[\x00-\x1f\x7f]")
        rows = np.flatnonzero(np.asarray(odd))
        refuse(rows, "family", lambda cell: f"family {cell!r} has a control character")
    if "weight" in cells:
        weights = numbers(cells["weight"])
        rows = np.flatnonzero(~((weights >= 0) & (weights <= LARGEST)))
        refuse(rows, "weight", lambda cell: f"weight {cell!r} is not a finite number of 0 or more")
    labels = {label: _labels(label, cells[_label_role(label)], bad) for label in _labelled(table)}
    if bad:
        usable = np.ones(len(starts), bool)
        usable[list(bad)] = False
        starts, ends = starts[usable], ends[usable]
        values, labels = (
            {name: column[usable] for name, column in columns.items()}
            for columns in (values, labels)
        )
        families, weights = (x if x is None else x[usable] for x in (families, weights))
    places = buffer, starts, ends
    if table.flanks == ADD:
        places = add_flanks(*places, table.construct)
    return Chunk(*places, values, families, weights, labels), bad


def _labelled(table: Table) -> dict[str | int, str | int]:
    """Returns label -> column for the columns that decide what rows are for."""
    marks = {} if table.split is None else {"split": table.split}
    return marks | {column: column for column in table.by}


def _label_role(label: str | int) -> str:
    return f"label {label!r}"


def _text(column: pa.BinaryArray, read: Callable[[str], str] = str) -> np.ndarray:
    """Returns the text (n,) of a column, as objects. Each distinct text is `read` once."""
    coded = column.dictionary_encode()
    words = np.array([read(word.decode()) for word in coded.dictionary.to_pylist()], object)
    return words[np.asarray(coded.indices)]


def _mark(word: str) -> str:
    return _WORDS.get(word.strip().lower(), "")


def _labels(label: str | int, column: pa.BinaryArray, bad: dict[int, str]) -> np.ndarray:
    """Returns the labels (n,) of a column. Adds the reason of each row without one to `bad`."""
    marks = label == "split"
    labels = _text(column, _mark if marks else str.strip)
    for row in np.flatnonzero(labels == "").tolist():
        reason = f"no value in column {label}"
        if marks:
            word = column[row].as_py().decode()
            reason = f"split {word!r} is not one of train, validation (val, valid) and test"
        bad.setdefault(row, reason)
    return labels


def _unfit(
    buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, table: Table
) -> Iterator[tuple[np.ndarray, Callable[[str], str]]]:
    """Yields the rows that do not fit the construct, and the reason for a cell among them."""
    construct, added = table.construct, 0
    if table.flanks == ADD:
        added = len(construct.left_flank + construct.right_flank)
        if added:
            left, right = has_flanks(buffer, starts, ends, construct)
            yield np.flatnonzero(left & right), lambda _: "has the construct's flanks already"
    if construct and table.longer == STOP:
        rows = np.flatnonzero(ends - starts > construct.length - added)
        with_flanks = " with the flanks" if added else ""
        yield (
            rows,
            lambda cell: (
                f"too long: {len(cell.strip('Nn')) + added} letters{with_flanks}, but the model "
                f"reads {construct.length}"
            ),
        )


def _measured(
    table: Table, role: str, cells: pa.BinaryArray, refuse: Callable[..., None]
) -> np.ndarray:
    """Returns a column of values (n,), after the `transform`, and refuses the rows in which it is
    not a finite number. With `missing: skip`, a cell without a value is NaN."""
    if table.missing == "skip":
        column, absent = known_numbers(cells)
    else:
        column, absent = numbers(cells), False
    rows = np.flatnonzero(~(np.abs(column) <= LARGEST) & ~np.asarray(absent))
    refuse(rows, role, lambda cell: f"{role} {cell!r} is not a finite number{no_number(cell)}")
    if not table.transform:
        return column
    function, limit = TRANSFORMS[table.transform]
    rows = np.flatnonzero(column <= limit)
    refuse(
        rows,
        role,
        lambda cell: f"{role} {cell!r} has no {table.transform}, because it is not above {limit:g}",
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return function(column)


def _mean(columns: list[np.ndarray]) -> np.ndarray:
    """Returns the mean (n,) of the numbers of each row of several columns; NaN does not count."""
    if len(columns) == 1:
        return columns[0]
    together = np.stack(columns)
    there = ~np.isnan(together)
    return np.where(there, together, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)


def _reject(
    table: Table, block: bytes, before: int, bad: dict[int, str], rejects: Rejects, absent: bool
) -> None:
    """Counts and records the bad lines of a block (line of the block -> reason), or raises.

    Args:
        absent: whether one of them has no expression.
    """
    lines = _lines(block)
    ordered = [
        (before + line, bad[line] if lines[line] else "an empty line", lines[line])
        for line in sorted(bad)
    ]
    if table.on_bad_rows == "drop":
        if rejects.sink:
            for line, reason, text in ordered:
                rejects.sink.write(f"{table.path}\t{line}\t{reason}\t{text!r}\n")
        rejects.count += len(ordered)
        return
    examples = "\n".join(
        f"  line {line}: {reason}" + (f": {printable(text, 60)}" if text else "")
        for line, reason, text in ordered[:EXAMPLES]
    )
    hint = ""
    if absent and table.missing == "stop":
        hint = " Set `missing: skip` for this file to leave out only rows without an expression."
    if ordered[0][0] == 1:
        hint += " If line 1 is a header, set `header: true` and name the columns."
    reasons = {reason for _, reason, _ in ordered}
    for start, mend in _MENDS.items():
        if any(reason.startswith(start) for reason in reasons):
            hint += f" {mend[0].upper()}{mend[1:]}."
    raise TableError(
        f"{table.path}: {len(ordered)} bad row(s), the first in line {ordered[0][0]}:\n{examples}\n"
        f"Correct the file, or set `on_bad_rows: drop` to leave bad rows out.{hint}"
    )


def _check_quotes(table: Table, block: bytes, separator: str, before: int, rows: int) -> None:
    """Raises if a quoted cell continues beyond the end of its line, because then lines are not
    rows."""

    def closed(line):
        try:
            next(csv.reader([line], delimiter=separator, strict=True), None)
        except csv.Error:
            return False
        return True

    lines = _lines(block)
    if rows != len(lines) - 1:
        line = next((n for n in range(1, len(lines)) if not closed(lines[n])), 1)
        raise TableError(
            f"{table.path}: line {before + line} has a quote that is not closed on that line: "
            f"{printable(lines[line], 60)}\nCorrect the line."
        )


def _lines(block: bytes) -> list[str]:
    return [line.decode(errors="replace") for line in block.splitlines()]


def _open(path: Path) -> pa.NativeFile:
    """Opens the text of a file (plain or gzip)."""
    file = pa.OSFile(str(path))
    return pa.CompressedInputStream(file, "gzip") if is_gzip(path) else file


def _tokens(column: pa.BinaryArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the tokens of a column of sequences, one after the other, and where each starts and
    ends."""
    _, offsets, data = column.buffers()
    offsets = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    offsets = offsets.astype(np.int64)
    text = data[offsets[0] : offsets[-1]].to_pybytes() if data else b""
    # This is five times as fast as indexing one array by another.
    tokens = np.frombuffer(text.translate(TOKEN_OF_BYTE.tobytes()), np.uint8)
    return tokens, offsets[:-1] - offsets[0], offsets[1:] - offsets[0]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
