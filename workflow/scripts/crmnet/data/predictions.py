"""Writes and reads the table of a model's predictions. The scripts `predict`, `published` and
`ensemble` write it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from crmnet.data.tsv import read_table, write_tsv

# The columns of the table before the predictions.
KEY = ["test_set", "sequence", "measured"]
# Names of predictions without a training here: published predictions, and those by released
# weights.
GIVEN = PUBLISHED, RELEASED = "published", "released"


def write(path: str | Path, parts: Sequence[pd.DataFrame]) -> None:
    """Writes the predictions on some test sets as one table.

    Each row also gives the number of `rows`, so that a truncated table is detected.

    Args:
        parts: a table for each test set, with the columns of `KEY` and then a column of predictions
            for each training of the model, named by its seed, or one with another name.
    """
    table = pd.concat(parts)
    write_tsv(path, table.assign(rows=len(table)))


def read(path: str | Path) -> pd.DataFrame:
    """Reads a table that `write` has written, without the column `rows`.

    Raises:
        ValueError: the table is not complete.
    """
    try:
        table = read_table(path)
        whole = len(table) > 0 and (table.pop("rows") == len(table)).all()
        whole = whole and list(table.columns[: len(KEY)]) == KEY and len(columns(table)) > 0
    except (ValueError, KeyError):
        whole = False
    if not whole:
        raise ValueError(
            f"{path}: is not a complete table of predictions; delete it and run the workflow again"
        )
    return table


def columns(table: pd.DataFrame) -> list[str]:
    """Returns the names of the predictions in a table: a training's seed, or another name."""
    return list(table.columns[len(KEY) :])


def test_sets(path: str | Path, families: str | Path) -> dict[str, pd.DataFrame]:
    """Returns the predictions on each test set, indexed by the `family` of each sequence.

    Args:
        path: the path of a table that `write` has written.
        families: the path of the table test_set, sequence, family, with the same sequences in the
            same order.

    Raises:
        ValueError: the predictions are not complete, or the families belong to other sequences.
    """
    sets = {}
    known = dict(list(read_table(families).groupby("test_set", sort=False)))
    for name, rows in read(path).groupby("test_set", sort=False):
        of_set = known.get(name, pd.DataFrame(columns=["sequence", "family"]))
        if list(of_set["sequence"]) != list(rows["sequence"]):
            raise ValueError(
                f"test set {name}: {path} and {families} do not have the same sequences row by "
                "row; delete both and run the workflow again"
            )
        rows = rows.reset_index(drop=True)
        sets[name] = rows.set_index(pd.Index(of_set["family"], name="family"))
    return sets
