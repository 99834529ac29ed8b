"""The first line of a delimited text file, and finding columns in it. Standard library only."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from pathlib import Path

SEPARATORS = "\t,;"


class TableError(ValueError):
    """A table that cannot be used as it is; says the file, the line, what is wrong and the mend."""


def first_row(path: Path) -> tuple[list[str], str]:
    """The cells of the first line of a file (plain or gzip), and the separator between them.

    Raises:
        TableError: there is no such file, it cannot be read, is empty or starts with a blank line.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with (gzip.open if packed else open)(path, "rb") as file:
            start = file.read(1 << 16).decode("utf-8-sig", errors="replace")
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file") from None
    except (OSError, EOFError, zlib.error) as error:
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
