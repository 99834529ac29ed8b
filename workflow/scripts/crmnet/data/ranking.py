"""Ranks the inserts of a test set by measured expression."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmnet.data.families import medoids
from crmnet.data.sequences import Construct, N, insert_span, pad


def inserts_of(tokens: np.ndarray, construct: Construct) -> tuple[np.ndarray, np.ndarray]:
    """Returns the inserts (n, length), padded with N at the end, and their lengths (n,), of tokens
    (n, length).

    Raises:
        ValueError: a sequence has no insert.
    """
    start, end = insert_span(tokens, construct)
    offsets = np.arange(len(tokens)) * tokens.shape[1]
    inserts = pad(tokens.ravel(), offsets + start, offsets + end, tokens.shape[1])
    without = np.flatnonzero((inserts == N).all(axis=1))
    if len(without):
        raise ValueError(
            f"{len(without)} sequence(s) have no insert, the first in row {without[0]} (from 0): "
            "there is nothing but N between the flanks; remove these sequences, or correct "
            "`construct: left_flank` and `right_flank`"
        )
    return inserts, end - start


def rank(
    inserts: np.ndarray, expression: np.ndarray, family: np.ndarray, representatives: bool
) -> pd.DataFrame:
    """Returns the rows of a test set from highest to lowest expression; ties keep their order.

    Args:
        inserts: (n, length), padded with N at the end.
        expression, family: (n,).
        representatives: whether to keep only the medoid of each family.

    Returns:
        A table with the columns sequence (a name made from the row), row (from 0), rank,
        expression, family, medoid (whether it is the medoid of its family), size (of its family).
    """
    # The medoids are chosen in the order of the table: were the best expressed first, ties would
    # make them the medoids.
    table = pd.DataFrame(
        {
            "row": np.arange(len(inserts)),
            "expression": expression,
            "family": family,
            "medoid": medoids(inserts, family),
            "size": np.bincount(family)[family],
        }
    )
    if representatives:
        table = table[table["medoid"]]
    table = table.iloc[np.argsort(-table["expression"].to_numpy(), kind="stable")]
    table.insert(0, "sequence", "s" + table["row"].astype(str))
    table.insert(2, "rank", np.arange(len(table)))
    return table
