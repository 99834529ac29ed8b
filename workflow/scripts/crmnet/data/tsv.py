"""Reads and writes the tables of the workflow's own jobs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import pandas as pd

# Columns of names, letters and sentences. They stay text whatever they look like: a model may be
# named `NA`, `inf` or `True`, a sequence `1`.
NAMES = (
    *("model", "against", "medium", "test_set", "set", "metric", "stage", "training"),
    *("id", "sequence", "whole", "ref", "alt", "base"),
    *("motif", "name", "target", "target_name", "ties", "method", "reproduced_by", "factor"),
    *("strand", "engine", "problem", "undecided"),
)


def read_table(
    path: str | Path | TextIO, text: Iterable[str] = (), **options: object
) -> pd.DataFrame:
    """A table of tab-separated columns, gzip or not, whose first line names them.

    The columns `NAMES` are text, others numbers where all their cells are. Of all the words that
    pandas takes for a missing value (`NA`, `nan`, `None`, ...) none is one here: only an empty cell
    is missing.

    Args:
        path: the file, or its text.
        text: further columns that are text, such as P values below the smallest double.
        options: of `pandas.read_csv`; with a `chunksize` the result is an iterator over parts.
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
    """Writes a table with tabs between its columns, packed where its name ends in `.gz`: without a
    time stamp, so that the same table is the same bytes.

    Args:
        path: the file.
        table: whole, or in parts with the same columns, which come one behind the other.
        digits: of numbers that are not whole; without it, as many as tell each double apart.
        header: whether the first line names the columns.
        level: of gzip: 1 is fast, 9 small.

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
