"""Planted motifs and sites of simulated promoters, compared with those that the motif jobs and
saliency maps find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crmnet.evaluation.statistics import average_precision, interval, precision_recall
from crmnet.interpretation.effects import covered
from crmnet.motifs.matching import alike, column

ALL = "all"
MOTIF_COLUMNS = [
    *("method", "engine", "end", "factor", "activity"),
    *("found", "motif", "e_value", "ln_e_value", "tied"),
]
SITE_COLUMNS = [
    *("factor", "sites", "found", "share", "share_low", "share_high"),
    *("matches", "matches_planted", "saliency", "elsewhere"),
    *("average_precision", "average_precision_low", "average_precision_high", "base_rate"),
]
CURVE_POINTS = 400


def found_motifs(
    table: pd.DataFrame,
    matches: pd.DataFrame,
    factors: pd.DataFrame,
    methods: Sequence[str],
    medium: str,
    measure: str,
    cutoff: float,
) -> pd.DataFrame:
    """Returns which planted factors each method finds.

    A method finds a factor if the factor's matrix is the best match of one of its motifs, or as
    good as the best.

    Args:
        table: all motifs: method, engine, motif, e_value, ln_e_value.
        matches: the result of `matching.match`.
        factors: factor, matrix_id, and the activity in each medium.
        methods: all methods, also those without motifs.
        medium: the medium whose activity is shown.
        measure, cutoff: the measure of a match (`matching.MEASURES`), and its limit.

    Returns:
        One row per method and factor, with `MOTIF_COLUMNS`; `end` is high, the end of the ranked
        list at which the motifs are enriched. If several motifs of a method match the
        factor, the row has the one with the lowest E-value.
    """
    rows = matches[matches["by"] == measure]
    rows = rows[alike(measure, rows[column(measure)], cutoff)]
    best = ~rows["motif"].duplicated()
    rows = rows[best | rows["tie"].astype(bool)][["motif", "target", "tie"]]
    rows = rows.merge(table[["method", "motif", "e_value", "ln_e_value"]], on="motif")
    rows = rows.sort_values("ln_e_value", kind="stable").drop_duplicates(["method", "target"])
    every = pd.MultiIndex.from_product([methods, factors["matrix_id"]])
    rows = rows.set_index(["method", "target"]).reindex(every)
    named = factors.set_index("matrix_id").loc[every.get_level_values(1)]
    engines = table.drop_duplicates("method").set_index("method")["engine"]
    return pd.DataFrame(
        {
            "method": every.get_level_values(0),
            "engine": engines.reindex(every.get_level_values(0)).to_numpy(),
            "end": "high",
            "factor": named["factor"].to_numpy(),
            "activity": named[medium].to_numpy(),
            "found": rows["motif"].notna().to_numpy(),
            "motif": rows["motif"].to_numpy(),
            "e_value": rows["e_value"].to_numpy(),
            "ln_e_value": rows["ln_e_value"].to_numpy(),
            "tied": rows["tie"].to_numpy(),
        }
    )


def site_table(
    sites: pd.DataFrame,
    hits: pd.DataFrame,
    ranked: pd.DataFrame,
    saliency: np.ndarray,
    lengths: np.ndarray,
    factors: pd.DataFrame,
    *,
    replicates: int,
    seed: int,
) -> pd.DataFrame:
    """Returns how many planted sites scanning finds, and how high the saliency at these sites is.

    A site is found if its factor's matrix has a match at the same position and strand. The score of
    a position is its absolute saliency. The sites of a factor are compared with the positions
    outside all sites.

    Args:
        sites: the planted sites of the test set: row, factor, matrix_id, start, end, strand.
        hits: motif, sequence, start, end, strand.
        ranked: sequence, row, family.
        saliency: (n, width), in the order of `ranked`.
        lengths: (n,) of the inserts.
        factors: factor, matrix_id.
        replicates: number of bootstrap replicates.
        seed: seed of the bootstrap.

    Returns:
        One row per factor and one for `ALL`, with `SITE_COLUMNS`. The 95 % intervals are over
        bootstrap replicates of the families.
    """
    rows, families = pd.Index(ranked["row"]), pd.factorize(ranked["family"])[0]
    hits = hits.rename(columns={"motif": "matrix_id"}).merge(ranked[["sequence", "row"]])
    place = ["row", "matrix_id", "start", "end", "strand"]
    of_site, of_hit = (pd.MultiIndex.from_frame(spans[place]) for spans in (sites, hits))
    sites = sites.assign(
        found=of_site.isin(of_hit), family=families[rows.get_indexer(sites["row"])]
    )
    hits = hits.assign(planted=of_hit.isin(of_site))
    width = saliency.shape[1]
    free = (np.arange(width) < lengths[:, None]) & ~covered(sites, rows, width, "row")
    rng = np.random.default_rng(seed)
    number = families.max() + 1
    draws = [
        np.bincount(rng.integers(number, size=number), minlength=number) for _ in range(replicates)
    ]

    table = []
    for name, matrix in [*factors[["factor", "matrix_id"]].to_numpy(), (ALL, None)]:
        own = sites if matrix is None else sites[sites["factor"] == name]
        mine = hits if matrix is None else hits[hits["matrix_id"] == matrix]
        if matrix is None:
            mine = mine[mine["matrix_id"].isin(factors["matrix_id"])]
        label = covered(own, rows, width, "row")
        table.append(
            {
                "factor": name,
                "sites": len(own),
                **_share_found(own, draws),
                "matches": len(mine),
                "matches_planted": int(mine["planted"].sum()),
                **_saliency_on(np.abs(saliency), label, free, families, draws),
            }
        )
    return pd.DataFrame(table, columns=SITE_COLUMNS)


def _share_found(sites: pd.DataFrame, draws: list[np.ndarray]) -> dict[str, float]:
    is_found, family = sites["found"].to_numpy(), sites["family"].to_numpy()
    low, high = interval(
        [np.average(is_found, weights=w) for draw in draws if (w := draw[family]).any()]
    )
    share = is_found.mean() if len(is_found) else np.nan
    return {"found": int(is_found.sum()), "share": share, "share_low": low, "share_high": high}


def _saliency_on(
    score: np.ndarray,
    label: np.ndarray,
    free: np.ndarray,
    families: np.ndarray,
    draws: list[np.ndarray],
) -> dict[str, float]:
    """Returns the means of the score (n, width) at the labelled and the free positions, and how
    well the score separates them."""
    if not label.any():
        return {}
    compared = label | free
    family = np.repeat(families, compared.sum(axis=1))
    score, label = score[compared], label[compared]
    # Sort only once, because the order is the same in every replicate.
    order = np.argsort(-score, kind="stable")
    score, label, family = score[order], label[order], family[order]
    low, high = interval(
        [average_precision(score, label, w) for draw in draws if (w := draw[family])[label].any()]
    )
    return {
        "saliency": score[label].mean(),
        "elsewhere": score[~label].mean(),
        "average_precision": average_precision(score, label),
        "average_precision_low": low,
        "average_precision_high": high,
        "base_rate": label.mean(),
    }


def curve(score: np.ndarray, label: np.ndarray) -> pd.DataFrame:
    """Returns the precision-recall curve at `CURVE_POINTS` evenly spaced recalls: recall,
    precision."""
    precision, recall = precision_recall(score, label)
    wanted = np.arange(1, CURVE_POINTS + 1) / CURVE_POINTS
    at = np.searchsorted(recall, wanted - 1e-12)
    return pd.DataFrame({"recall": recall[at], "precision": precision[at]})
