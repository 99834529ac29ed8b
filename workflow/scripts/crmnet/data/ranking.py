"""Ranks the inserts of a test set by measured expression."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmnet.data.families import medoids
from crmnet.data.sequences import ALPHABET, Construct, N, insert_span, pad

# The fewest sequences in which motifs can be looked for: two halves of two ends of the ranked list.
FEWEST = 4


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


def unfit(ranked: pd.DataFrame, inserts: np.ndarray) -> str | None:
    """Returns why motifs cannot be looked for in a ranked table of inserts; None if they can be.

    Args:
        ranked: what `rank` returns.
        inserts: (n, length), the inserts that it ranks.
    """
    if len(ranked) < FEWEST:
        return (
            f"gives only {len(ranked)} sequence(s) to look for motifs in, but the two halves of "
            f"the most and of the least expressed ones need at least {FEWEST}"
        )
    if ranked["expression"].nunique() == 1:
        return "has the same expression for all sequences, so that none is high or low"
    present = np.bincount(inserts[ranked["row"]].ravel(), minlength=len(ALPHABET))
    for pair in ("AT", "CG"):
        if not present[[ALPHABET.index(letter) for letter in pair]].any():
            return f"has inserts without {' and '.join(pair)}"
    return None
