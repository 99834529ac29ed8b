"""The table of a model's predictions: written by `predict` and `published`, read by all others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd


def write(path: str | Path, parts: Sequence[pd.DataFrame]) -> None:
    """Writes the predictions on some test sets as one table.

    Each row also says how many `rows` there are, so that a table that is cut short is found out.

    Args:
        parts: of each test set, the columns test_set, sequence, measured and predicted.
    """
    table = pd.concat(parts)
    table.assign(rows=len(table)).to_csv(path, sep="\t", index=False)


def read(path: str | Path) -> pd.DataFrame:
    """All rows of a table that `write` wrote, without their number.

    Raises:
        ValueError: the table is not whole.
    """
    try:
        table = pd.read_csv(path, sep="\t")
        whole = len(table) > 0 and (table.pop("rows") == len(table)).all()
    except (ValueError, KeyError):
        whole = False
    if not whole:
        raise ValueError(
            f"{path}: is no whole table of predictions; delete it, to have it made anew"
        )
    return table
