"""Predictions that others published, joined to the measured sequences."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import cycle

import numpy as np

from crmnet.data.sequences import encode, letters
from crmnet.data.tables import EXAMPLES, Table, TableError, read


def join(measured: list[str], table: Table, length: int) -> np.ndarray:
    """The published prediction (n,) of each measured sequence.

    By sequence, never by row: N around it off, in upper case, cut at its end to `length`, on both
    sides. The table may hold other sequences, too. Where it holds a sequence several times with
    different predictions, its k-th prediction goes to the k-th measurement.

    Args:
        measured: the measured sequences.
        table: the published file; its `values` name the column `prediction`.
        length: what the model sees of a sequence.

    Raises:
        TableError: the table lacks a measured sequence, or has several predictions of one that is
            not measured as many times; or see `tables.chunks`.
        ValueError: a letter of a measured sequence is none of ACGTN.
    """
    tokens, values = read(table, length)
    published = defaultdict(list)
    for row, prediction in zip(tokens, values["prediction"], strict=True):
        published[letters(row)].append(prediction)
    wanted = [letters(row) for row in encode(measured, length)]
    missing = [sequence for sequence in wanted if sequence not in published]
    if missing:
        raise TableError(
            f"{table.path}: {len(missing)} of {len(wanted)} measured sequences have no prediction "
            f"in it, {_examples(missing)}\n"
            "Give the predictions of this very test set, or take the file out of its `published:`."
        )
    ambiguous = [
        sequence
        for sequence, times in Counter(wanted).items()
        if len(set(published[sequence])) > 1 and len(published[sequence]) != times
    ]
    if ambiguous:
        raise TableError(
            f"{table.path}: {len(ambiguous)} of {len(wanted)} measured sequences have several, "
            "different predictions in it, but are not measured as many times, "
            f"{_examples(ambiguous)}\nLeave one prediction of each, or one for each measurement."
        )
    turns = {sequence: cycle(predictions) for sequence, predictions in published.items()}
    return np.array([next(turns[sequence]) for sequence in wanted])


def _examples(sequences: list[str]) -> str:
    return "the first being:\n" + "\n".join(f"  {sequence}" for sequence in sequences[:EXAMPLES])
