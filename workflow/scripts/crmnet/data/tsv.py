"""Reads and writes the tables that the jobs of the workflow exchange."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import pandas as pd

# Columns of names, letters and sentences. They stay text whatever they look like, because a model
# may be named `NA`, `inf` or `True`, and the id of a sequence may be `1`.
NAMES = (
    *("model", "against", "medium", "test_set", "set", "metric", "stage", "training"),
    *("id", "sequence", "whole", "ref", "alt", "base", "genome"),
    *("motif", "name", "target", "target_name", "ties", "method", "reproduced_by", "factor"),
    *("strand", "engine", "problem", "undecided"),
)


def read_table(
    path: str | Path | TextIO, text: Iterable[str] = (), **options: object
) -> pd.DataFrame:
    """Reads a table of tab-separated columns, plain or gzip, whose first line names the columns.

    The columns `NAMES` are text; any other column holds numbers if all its cells do. Only an empty
    cell is a missing value; the words that pandas takes for one (`NA`, `nan`, `None`, ...) are not.

    Args:
        path: the file, or its text.
        text: further columns of text, such as P values below the smallest double.
        options: options of `pandas.read_csv`; with `chunksize`, the result is an iterator over
            parts.
    """
    types = dict.fromkeys((*NAMES, *text), str)
    return pd.read_csv(
        path, sep="\t", dtype=types, keep_default_na=False, na_values=[""], **options
    )


def write_tsv(
    path: str | Path,
    table: pd.DataFrame | Iterable[pd.DataFrame],
    digits: int | None = None,
    *,
    header: bool = True,
    level: int = 9,
) -> int:
    """Writes a table of tab-separated columns, as gzip if its name ends in `.gz`. The gzip file has
    no time stamp, so equal tables give equal bytes.

    Args:
        path: the file.
        table: the whole table, or consecutive parts of it with the same columns.
        digits: the number of significant digits of numbers that are not whole; without it, as
            many as each double needs.
        header: whether the first line names the columns.
        level: the level of gzip compression: 1 is fast, 9 gives small files.

    Returns:
        The number of rows.
    """
    packed = {"method": "gzip", "mtime": 0, "compresslevel": level}
    rows = 0
    for number, part in enumerate([table] if isinstance(table, pd.DataFrame) else table):
        part.to_csv(
            path,
            sep="\t",
            index=False,
            header=header and not number,
            mode="a" if number else "w",
            float_format=digits and f"%.{digits}g",
            compression=packed if str(path).endswith(".gz") else None,
        )
        rows += len(part)
    return rows
