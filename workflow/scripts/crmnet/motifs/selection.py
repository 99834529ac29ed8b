"""The table of all motifs, and the paper's selection: the first motifs by MEME's E-value that a
method on the ranked list reproduces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from crmnet.motifs import matching
from crmnet.motifs.matching import EUCLIDEAN, TOMTOM, tomtom
from crmnet.motifs.motif import DRIMUST, GADEM, MEME, Motif, MotifError

# The method whose E-values rank the motifs, and the methods that must reproduce them.
RANKED_BY = MEME
REPRODUCED_BY = (DRIMUST, GADEM)

COLUMNS = [
    *("method", "motif", "engine", "width", "sites", "e_value", "ln_e_value", "consensus"),
    *("target", "target_name", "measure", "match", "ties", "reproduced_by", "selected", "why"),
    *("euclidean_name", "euclidean", "euclidean_ties"),
    *("tomtom_name", "tomtom_e_value", "tomtom_ties", "tomtom_engine", "known"),
]


def best_matches(matches: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Returns the best target of each motif, by one measure.

    Args:
        matches: the result of `matching.match`.
        measure: one of `matching.MEASURES`.

    Returns:
        Indexed by motif: target, target_name, match (the value of the measure, which is the E-value
        of Tomtom), ties (the names of all targets as good as the best, including the best; empty if
        there are no others).
    """
    rows = matches[matches["by"] == measure]
    tied = rows[rows["tie"].astype(bool)].groupby("motif")["target_name"].agg(", ".join)
    best = rows.drop_duplicates("motif").set_index("motif")
    best = best.rename(columns={matching.column(measure): "match"})
    best["ties"] = tied.reindex(best.index).fillna("")
    return best[["target", "target_name", "match", "ties"]]


def reproductions(
    motifs: Sequence[Motif],
    others: Mapping[str, Sequence[Motif]],
    known: Sequence[Motif],
    background: np.ndarray,
    measure: str,
    cutoff: float,
    names: Mapping[str, set[str]],
) -> dict[str, list[str]]:
    """Returns which other methods reproduce each motif, with one that is similar to it or matches
    the same known motif.

    TFBSTools compares two motifs only where the narrower lies inside the wider. So two parts of one
    motif that overlap are not similar by its measures, although both match this motif.

    Args:
        motifs: the motifs to reproduce.
        others: method -> its motifs.
        known: known motifs. Their columns and those of the other methods are Tomtom's null model.
        background: (4,) background frequencies, for Tomtom.
        measure: one of `matching.MEASURES`.
        cutoff: the limit of the measure. Tomtom's E-value is the p-value times the number of motifs
            of the method.
        names: name of a motif -> the names of the known motifs that match it best.

    Returns:
        Name of a motif -> methods.
    """
    all_others = [other for theirs in others.values() for other in theirs]

    def values(motif: Motif) -> pd.Series:
        """Returns the measure of each of the other motifs, by name."""
        if measure != TOMTOM:
            measured = [getattr(matching.similarity(motif, m), measure) for m in all_others]
            return pd.Series(measured, [m.name for m in all_others], dtype=float)
        return tomtom(motif, [*all_others, *known], background).set_index("target")["p_value"]

    reproduced_by = {}
    for motif in motifs:
        measured = values(motif) if all_others else None
        reproduced_by[motif.name] = [
            method
            for method, theirs in others.items()
            if theirs
            and (
                any(names.get(m.name, set()) & names.get(motif.name, set()) for m in theirs)
                or matching.alike(
                    measure,
                    measured[[m.name for m in theirs]] * (len(theirs) if measure == TOMTOM else 1),
                    cutoff,
                ).any()
            )
        ]
    return reproduced_by


def select(
    table: pd.DataFrame, *, motifs: int, e_value: float, measure: str, cutoff: float
) -> pd.DataFrame:
    """Selects motifs by the paper's rule (section 4.5).

    These are the first motifs by MEME's E-value that a method on the ranked list reproduces. If
    several match motifs of the same factor, only the first is selected.

    Args:
        table: one row per motif: method, motif, ln_e_value, target, target_name, match,
            reproduced_by (comma-separated methods).
        motifs: the largest number of motifs.
        e_value: the largest E-value of MEME.
        measure, cutoff: the measure of `match`, and its limit for a match with a known motif.

    Returns:
        The table, sorted by method and E-value, with two more columns: `selected`, the rank from 1
        of a selected motif, and `why` a motif is not selected.
    """
    methods = [RANKED_BY, *REPRODUCED_BY]
    order = table["method"].map({method: rank for rank, method in enumerate(methods)})
    table = table.assign(order=order).sort_values(
        ["order", "ln_e_value"], kind="stable", ignore_index=True
    )
    matched = matching.alike(measure, table["match"], cutoff)
    chosen: dict[str, int] = {}
    selected, why = [], []
    for row, known in zip(table.itertuples(), matched, strict=True):
        reason = ""
        if row.method != RANKED_BY:
            reason = "a motif of the ranked list, which reproduces others"
        elif not row.ln_e_value <= np.log(e_value):
            reason = f"its E-value is above {e_value:g}"
        elif not known:
            reason = f"no known motif matches ({matching.limit(measure, cutoff)})"
        elif not row.reproduced_by:
            reason = "no method on the ranked list reproduces it"
        elif row.target_name in chosen:
            reason = f"{row.target_name} is selected already"
        elif len(chosen) == motifs:
            reason = f"{motifs} are selected before it"
        else:
            chosen[row.target_name] = len(chosen) + 1
        selected.append(pd.NA if reason else chosen[row.target_name])
        why.append(reason)
    return table.assign(selected=pd.array(selected, "Int64"), why=why)


def table(
    tables: Sequence[pd.DataFrame],
    candidates: Sequence[Motif],
    matches: pd.DataFrame,
    known: Sequence[Motif],
    background: np.ndarray,
    *,
    motifs: int,
    e_value: float,
    measure: str,
    cutoff: float,
) -> pd.DataFrame:
    """Returns all motifs of all methods with their matches and the paper's selection (`select`).

    Args:
        tables: one table per method: motif, method, engine, width, sites, ln_e_value, e_value,
            consensus.
        candidates: all motifs in the tables.
        matches: the result of `matching.match` for all motifs, with `known` as targets, and two
            more columns: engine (Tomtom's) and known (where the known motifs come from).
        known, background: see `reproductions`.
        motifs, e_value, measure, cutoff: see `select`. By the measure, motifs also match a known
            motif and reproduce each other.

    Returns:
        A table with `COLUMNS`.

    Raises:
        MotifError: the names in the tables differ from those of the motifs, or one occurs twice.
    """
    rows = pd.concat([part for part in tables if len(part)] or tables[:1], ignore_index=True)
    by_name = {motif.name: motif for motif in candidates}
    in_files, in_tables = Counter(motif.name for motif in candidates), Counter(rows["motif"])
    if in_files != in_tables:
        odd = sorted((in_files - in_tables) + (in_tables - in_files))
        raise MotifError(
            f"the files of motifs and their tables differ in {', '.join(odd)}; delete both and run "
            "the workflow again"
        )
    by_method = {
        method: [by_name[name] for name in names]
        for method, names in rows.groupby("method")["motif"]
    }
    rows = rows.join(best_matches(matches, measure), on="motif").assign(measure=measure)
    named = rows[matching.alike(measure, rows["match"], cutoff)]
    names = {
        row.motif: {row.target_name, *row.ties.split(", ")} - {""} for row in named.itertuples()
    }
    reproduced_by = reproductions(
        by_method.get(RANKED_BY, []),
        {method: by_method.get(method, []) for method in REPRODUCED_BY},
        known,
        background,
        measure,
        cutoff,
        names,
    )
    for by, value in ((EUCLIDEAN, EUCLIDEAN), (TOMTOM, "tomtom_e_value")):
        best = best_matches(matches, by)[["target_name", "match", "ties"]]
        rows = rows.join(best.set_axis([f"{by}_name", value, f"{by}_ties"], axis=1), on="motif")
    of_motif = matches.drop_duplicates("motif").set_index("motif")
    rows = rows.join(of_motif[["known"]].assign(tomtom_engine=of_motif["engine"]), on="motif")
    rows["reproduced_by"] = [", ".join(reproduced_by.get(name, [])) for name in rows["motif"]]
    rows = select(rows, motifs=motifs, e_value=e_value, measure=measure, cutoff=cutoff)
    return rows[COLUMNS]
