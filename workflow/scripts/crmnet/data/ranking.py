"""The inserts of a test set, ranked by measured expression."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmnet.data.families import medoids
from crmnet.data.sequences import ALPHABET, Construct, N, insert_span, pad


def inserts_of(tokens: np.ndarray, construct: Construct) -> tuple[np.ndarray, np.ndarray]:
    """Inserts (n, length), N behind shorter ones, and their lengths (n,), of tokens (n, length).

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
            "nothing, or only N, stands between the flanks; take them out, or mend `construct: "
            "left_flank` and `right_flank`"
        )
    return inserts, end - start


def rank(
    inserts: np.ndarray, expression: np.ndarray, family: np.ndarray, representatives: bool
) -> pd.DataFrame:
    """The rows of a test set, the best expressed first, ties in their order.

    Args:
        inserts: (n, length), N behind shorter ones.
        expression, family: (n,).
        representatives: whether of each family its medoid alone is left.

    Returns:
        sequence (a name, by the row), row (from 0), rank, expression, family, medoid (whether it
        is its family's), size (of its family).
    """
    # In the order of the table: were the best expressed first, ties would make them the medoids.
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


def letters_of(inserts: np.ndarray, lengths: np.ndarray) -> list[str]:
    """Inserts (n, length) letter for letter, also N at an end, so that positions in them are those
    of the saliency maps."""
    text = np.frombuffer(ALPHABET.encode(), np.uint8)[inserts]
    return [row[:size].tobytes().decode() for row, size in zip(text, lengths, strict=True)]
