"""The table of a model's predictions: written by `predict`, `published` and `ensemble`, read by all
others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from crmnet.data.tsv import read_table, write_tsv

# What the table has before the predictions.
KEY = ["test_set", "sequence", "measured"]
# Names of predictions that are of no training here: what others published, or by their weights.
GIVEN = PUBLISHED, RELEASED = "published", "released"


def write(path: str | Path, parts: Sequence[pd.DataFrame]) -> None:
    """Writes the predictions on some test sets as one table.

    Each row also says how many `rows` there are, so that a table that is cut short is found out.

    Args:
        parts: of each test set, the columns of `KEY` and then those of the predictions: one for
            each training of the model, by its seed, or one with a name.
    """
    table = pd.concat(parts)
    write_tsv(path, table.assign(rows=len(table)))


def read(path: str | Path) -> pd.DataFrame:
    """All rows of a table that `write` wrote, without their number.

    Raises:
        ValueError: the table is not whole.
    """
    try:
        table = read_table(path)
        whole = len(table) > 0 and (table.pop("rows") == len(table)).all()
        whole = whole and list(table.columns[: len(KEY)]) == KEY and len(columns(table)) > 0
    except (ValueError, KeyError):
        whole = False
    if not whole:
        raise ValueError(
            f"{path}: is no whole table of predictions; delete it, to have it made anew"
        )
    return table


def columns(table: pd.DataFrame) -> list[str]:
    """The names of the predictions in a table: a training's seed, or another name."""
    return list(table.columns[len(KEY) :])


def test_sets(path: str | Path, families: str | Path) -> dict[str, pd.DataFrame]:
    """The predictions on each test set, with the `family` of each sequence in front.

    Args:
        path: of a table that `write` wrote.
        families: of the table test_set, sequence, family of the same sequences in the same order.

    Raises:
        ValueError: the predictions are not whole, or the families are of other sequences.
    """
    sets = {}
    known = dict(list(read_table(families).groupby("test_set", sort=False)))
    for name, rows in read(path).groupby("test_set", sort=False):
        of_set = known.get(name, pd.DataFrame(columns=["sequence", "family"]))
        if list(of_set["sequence"]) != list(rows["sequence"]):
            raise ValueError(
                f"test set {name}: {path} and {families} do not hold the same sequences row by "
                "row; make both anew from the same test table"
            )
        rows = rows.reset_index(drop=True)
        sets[name] = rows.set_index(pd.Index(of_set["family"], name="family"))
    return sets
