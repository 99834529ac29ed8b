"""Reads the first line, the columns and the rows of a delimited text file. Needs the standard
library only."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from crmnet.data import damage

SEPARATORS = "\t,;"
GZIP = b"\x1f\x8b"


class TableError(ValueError):
    """A table cannot be used as it is. The message names the file, the line and what to change."""


def is_gzip(path: Path) -> bool:
    """Tells by the first bytes of a file, not by its name, whether it is gzip."""
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def open_text(path: Path) -> TextIO:
    """Opens the text of a file (plain or gzip) without translating its line ends."""
    opened = gzip.open if is_gzip(path) else open
    return opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="")


def first_row(path: Path) -> tuple[list[str], str]:
    """Returns the cells of the first line of a file (plain or gzip), and the separator between
    them.

    Raises:
        TableError: the file does not exist, cannot be read, is empty or starts with a blank line.
    """
    try:
        with open_text(path) as file:
            start = file.read(1 << 16)
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file") from None
    except damage.TEXT as error:
        raise TableError(
            f"{path}: cannot be read ({error}); download or create it again"
        ) from error
    return first_row_of(path, start)


def first_row_of(path: Path, start: str) -> tuple[list[str], str]:
    """Returns the same as `first_row`, of a file that starts with this text."""
    if not start.strip():
        raise TableError(f"{path}: is empty")
    first = re.split(r"[\r\n]", start, maxsplit=1)[0]
    if not first:
        raise TableError(f"{path}: line 1 is blank; delete that line")
    separator = max(SEPARATORS, key=first.count)
    return next(csv.reader([first], delimiter=separator)), separator


def column_number(
    path: Path, column: str | int, cells: list[str], header: bool, key: str = "columns"
) -> int:
    """Returns the number, from 0, of a column that is given by its name or its number from 1.

    Args:
        key: the key of the config that names the column.

    Raises:
        TableError: the file has no such column.
    """
    mend = f"correct `{key}:` of this file in the config"
    if isinstance(column, int):
        if not 1 <= column <= len(cells):
            raise TableError(f"{path}: has no column {column}, only {len(cells)} column(s); {mend}")
        return column - 1
    if not header:
        raise TableError(
            f"{path}: the config gives column {column!r} by name, but sets `header: false`; "
            "give the number of the column, or set `header: true`"
        )
    if column not in cells:
        raise TableError(
            f"{path}: has no column {column!r}, only {', '.join(map(repr, cells[:12]))}; {mend}"
        )
    return cells.index(column)


def is_fasta(path: Path) -> bool:
    """Tells whether a file's first line is the header of a FASTA record.

    Raises:
        TableError: see `first_row`.
    """
    return first_row(path)[0][0].startswith(">")


def rows(
    path: Path, columns: dict[str, str | int], header: bool
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number (from 1) and the cells (name -> text) of each row of a table. Blank
    lines are skipped.

    Args:
        columns: name -> column, given by its name or its number from 1.
        header: whether the first line names the columns.

    Raises:
        TableError: see `first_row` and `column_number`; also if a row has another number of columns
            than the first line, or the file cannot be read to its end.
    """
    cells, separator = first_row(path)
    numbers = {name: column_number(path, at, cells, header) for name, at in columns.items()}
    try:
        with open_text(path) as file:
            reader = csv.reader(file, delimiter=separator)
            if header:
                next(reader)
            for row in reader:
                if row and len(row) != len(cells):
                    raise TableError(
                        f"{path}: line {reader.line_num} has {len(row)} column(s), but the first "
                        f"line has {len(cells)}; correct that line"
                    )
                if row:
                    yield reader.line_num, {name: row[at] for name, at in numbers.items()}
    except (*damage.TEXT, csv.Error) as error:
        raise TableError(
            f"{path}: cannot be read to its end ({error}); download or create it again"
        ) from error
