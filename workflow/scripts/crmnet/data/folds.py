"""Deals sequences to the folds of a cross-validation."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from crmnet.data.sequences import Construct
from crmnet.data.splits import FEWEST, FOLD, VALIDATION, Draw, Split, find, natural, take_families
from crmnet.data.tables import Rejects, Table, TableError
from crmnet.logs import say


def folds(
    training: Mapping[str, Sequence[Table]],
    tests: Iterable[Table],
    number: int,
    construct: Construct,
    *,
    by: str | int | None = None,
    validation_fraction: float,
    single: Iterable[str] = (),
    distance: int,
    overlap: int,
    seed: int,
    rejects: Rejects,
) -> tuple[list[Split], pd.DataFrame]:
    """Deals the sequences of the training tables to the folds of a cross-validation.

    Whole families, or whole values of the column `by`, are dealt, the largest first, each to the
    fold that has the fewest rows so far. They are in the same fold in all media. A sequence with
    values of several folds is in each of them, so that it is never trained on where it is tested.
    In the split of a fold, its sequences have the purpose `FOLD`. Validation is drawn by families
    from the other folds, as `split` does it. For the other arguments, see `split`.

    Returns:
        The split of each fold, and the table fold, values (of the column), medium, sequences, rows,
        families.

    Raises:
        TableError: see `tables.chunks`; also if there are fewer families or values than folds, or a
            fold has too few sequences of a medium for metrics.
        TooAlike: see `families.families`.
    """
    found = find(training, tests, construct, single, (distance, overlap), rejects)
    rows = {medium: place[~found.tested[place]] for medium, place in found.rows.items()}
    if by is None:
        names, unit = found.names, {m: found.family[found.rows[m]] for m in rows}
    else:
        names, unit = found.labels[by]
    load = np.zeros(len(names))
    for medium, place in rows.items():
        of_rows = unit[medium][~found.tested[found.rows[medium]]]
        load += np.bincount(of_rows, minlength=len(names)) / max(len(place), 1)
    fold_of = _dealt(load, number, seed, names if by is not None else None)
    member = np.zeros((number, len(found.known)), bool)
    if by is None:
        member[fold_of[found.family], np.arange(len(found.known))] = True
    else:
        for medium, place in found.rows.items():
            member[fold_of[unit[medium]], place] = True
        if several := int((member.sum(axis=0) > 1).sum()):
            say(
                f"{several:,} sequences have values of column {by} in several folds; no model of "
                "these folds is trained on them, and the prediction of the first fold counts"
            )
    table = []
    for (fold, here), (medium, place) in product(enumerate(member, start=1), rows.items()):
        those = place[here[place]]
        sequences = np.unique(those)
        if len(sequences) < FEWEST:
            what = "families" if by is None else f"values of column {by}"
            raise TableError(
                f"cross_validation.folds: fold {fold} of {number} has {len(sequences)} sequences "
                f"of medium {medium}, and metrics need {FEWEST}; lower the number of folds (there "
                f"are {int((load > 0).sum()):,} {what} to deal)"
            )
        # A value whose rows are all tested is in no fold.
        dealt = [] if by is None else np.flatnonzero((fold_of == fold - 1) & (load > 0))
        values = ", ".join(natural(names[unit] for unit in dealt))
        kinds = len(np.unique(found.family[sequences]))
        table.append((fold, values, medium, len(sequences), len(those), kinds))
    made = []
    for fold, here in enumerate(member, start=1):
        purposes = np.where(here, FOLD, np.where(found.tested, None, ""))
        draw = Draw(f"data.validation_fraction (without fold {fold})", validation_fraction)
        take_families(found, {VALIDATION: dict.fromkeys(rows, draw)}, purposes, seed + fold)
        purposes[found.tested & ~here] = ""
        made.append(found.split(purposes))
    columns = ["fold", "values", "medium", "sequences", "rows", "families"]
    return made, pd.DataFrame(table, columns=columns)


def _dealt(load: np.ndarray, number: int, seed: int, names: Sequence[str] | None) -> np.ndarray:
    """Returns the fold (n,), from 0, of each unit with this load (n,). With names, folds are
    numbered in the natural order of their first names."""
    random = np.random.default_rng([seed, 5]).permutation(len(load))
    order = random[np.argsort(-load[random], kind="stable")]
    heap, fold_of = [(0.0, fold) for fold in range(number)], np.zeros(len(load), int)
    for unit, size in zip(order.tolist(), load[order].tolist(), strict=True):
        fold_of[unit] = heap[0][1]
        heapq.heapreplace(heap, (heap[0][0] + size, heap[0][1]))
    if names is not None:
        place = {name: unit for unit, name in enumerate(names)}
        first = dict.fromkeys(int(fold_of[place[name]]) for name in natural(names))
        rank = {fold: rank for rank, fold in enumerate([*first, *{*range(number)} - {*first}])}
        fold_of = np.array([rank[fold] for fold in fold_of.tolist()], int)
    return fold_of
