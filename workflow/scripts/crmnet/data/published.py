"""Joins published predictions to the measured sequences."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import cycle

import numpy as np

from crmnet.data.sequences import encode, letters
from crmnet.data.tables import EXAMPLES, Rejects, Table, TableError, read


def join(
    measured: list[str], table: Table, length: int, rejects: Rejects | None = None
) -> np.ndarray:
    """Returns the published prediction (n,) of each measured sequence.

    The join is by sequence, never by row. On both sides, sequences are without the N around them,
    in upper case, and cut at the end to `length`. The table may contain further sequences. If it
    has several different predictions for a sequence, the k-th prediction goes to the k-th
    measurement.

    Args:
        measured: the measured sequences.
        table: the published file; its `values` name the column `prediction`.
        length: the number of letters of a sequence that the model reads.
        rejects: counts and records the rows of the table that are left out.

    Raises:
        TableError: the table lacks a measured sequence, or has several predictions for one that is
            not measured as many times; also see `tables.chunks`.
        ValueError: a letter of a measured sequence is not one of ACGTN.
    """
    tokens, values = read(table, length, rejects)
    published = defaultdict(list)
    for row, prediction in zip(tokens, values["prediction"], strict=True):
        published[letters(row)].append(prediction)
    wanted = [letters(row) for row in encode(measured, length)]
    missing = [sequence for sequence in wanted if sequence not in published]
    if missing:
        raise TableError(
            f"{table.path}: {len(missing)} of {len(wanted)} measured sequences have no prediction "
            f"in this file, {_examples(missing)}\n"
            "Name a file with predictions for this test set, or remove the file from `published:`."
        )
    ambiguous = [
        sequence
        for sequence, times in Counter(wanted).items()
        if len(set(published[sequence])) > 1 and len(published[sequence]) != times
    ]
    if ambiguous:
        raise TableError(
            f"{table.path}: {len(ambiguous)} of {len(wanted)} measured sequences have several "
            "different predictions in this file, but not as many measurements, "
            f"{_examples(ambiguous)}\nKeep one prediction for each sequence or for each "
            "measurement."
        )
    turns = {sequence: cycle(predictions) for sequence, predictions in published.items()}
    return np.array([next(turns[sequence]) for sequence in wanted])


def _examples(sequences: list[str]) -> str:
    return "the first being:\n" + "\n".join(f"  {sequence}" for sequence in sequences[:EXAMPLES])
