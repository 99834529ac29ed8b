"""The first line of a delimited text file, its columns, its rows. Standard library only."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from crmnet.data import damage

SEPARATORS = "\t,;"


class TableError(ValueError):
    """A table that cannot be used as it is; says the file, the line, what is wrong and the mend."""


def is_gzip(path: Path) -> bool:
    """Whether a file is gzip, by its first bytes (not its name)."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def open_text(path: Path) -> TextIO:
    """The text of a file (plain or gzip), line ends as they are."""
    opened = gzip.open if is_gzip(path) else open
    return opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="")


def first_row(path: Path) -> tuple[list[str], str]:
    """The cells of the first line of a file (plain or gzip), and the separator between them.

    Raises:
        TableError: there is no such file, it cannot be read, is empty or starts with a blank line.
    """
    try:
        with open_text(path) as file:
            start = file.read(1 << 16)
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file") from None
    except damage.TEXT as error:
        raise TableError(f"{path}: cannot be read ({error}); fetch or make it anew") from error
    if not start.strip():
        raise TableError(f"{path}: is empty")
    first = re.split(r"[\r\n]", start, maxsplit=1)[0]
    if not first:
        raise TableError(f"{path}: line 1 is blank; take it away")
    separator = max(SEPARATORS, key=first.count)
    return next(csv.reader([first], delimiter=separator)), separator


def column_number(path: Path, column: str | int, cells: list[str], header: bool) -> int:
    """The number, from 0, of a column that is given by its name or by its number from 1.

    Raises:
        TableError: the file has no such column.
    """
    mend = "mend `columns:` of this file in the config"
    if isinstance(column, int):
        if not 1 <= column <= len(cells):
            raise TableError(f"{path}: has {len(cells)} column(s), so no column {column}; {mend}")
        return column - 1
    if not header:
        raise TableError(
            f"{path}: column {column!r} is asked for by name, but `header: false`; "
            "give its number, or set `header: true`"
        )
    if column not in cells:
        raise TableError(
            f"{path}: has no column {column!r}, but {', '.join(map(repr, cells[:12]))}; {mend}"
        )
    return cells.index(column)


def is_fasta(path: Path) -> bool:
    """Whether a file's first line is the header of a FASTA record.

    Raises:
        TableError: see `first_row`.
    """
    return first_row(path)[0][0].startswith(">")


def rows(
    path: Path, columns: dict[str, str | int], header: bool
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line (from 1) and cells, name -> text, of each row of a table; blank lines are no rows.

    Args:
        columns: name -> column, by its name or its number from 1.
        header: whether the first line names the columns.

    Raises:
        TableError: see `first_row` and `column_number`; a row has another number of columns than
            the first; or the file cannot be read to its end.
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
                        f"{path}: line {reader.line_num} has {len(row)} column(s), the first line "
                        f"{len(cells)}; mend that line"
                    )
                if row:
                    yield reader.line_num, {name: row[at] for name, at in numbers.items()}
    except (*damage.TEXT, csv.Error) as error:
        raise TableError(
            f"{path}: cannot be read to its end ({error}); fetch or make it anew"
        ) from error
