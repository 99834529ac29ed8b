"""Planted motifs and sites of simulated promoters, compared with those that the motif jobs and
saliency maps find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from crmnet.data import simulation
from crmnet.data.sequences import Construct, N, in_construct
from crmnet.evaluation.statistics import (
    average_precision,
    average_precision_interval,
    interval,
    precision_recall,
    rank_correlations,
)
from crmnet.interpretation.effects import covered, mean_interval
from crmnet.interpretation.maps import masked
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
MAP_COLUMNS = [
    *("map", "sequences", "rank_correlation", "rank_correlation_low", "rank_correlation_high"),
    *("planted", "planted_low", "planted_high", "planted_base_rate"),
    *("effective", "effective_low", "effective_high", "effective_base_rate"),
]
# The name of the map that has the true effects.
TRUTH = "truth"
# Mutations of an effective base change expression by this many bins, on average. That is twice the
# noise of a test label, and more than the share of A and T alone can do (0.41 bins).
EFFECTIVE = 0.6
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
    draws = _draws(families, replicates, seed)

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


def _draws(families: np.ndarray, replicates: int, seed: int) -> list[np.ndarray]:
    """Returns, for each bootstrap replicate, how often each of the families is drawn."""
    rng, number = np.random.default_rng(seed), families.max() + 1
    return [
        np.bincount(rng.integers(number, size=number), minlength=number) for _ in range(replicates)
    ]


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
    low, high = average_precision_interval(score, label, family, draws)
    return {
        "saliency": score[label].mean(),
        "elsewhere": score[~label].mean(),
        "average_precision": average_precision(score, label),
        "average_precision_low": low,
        "average_precision_high": high,
        "base_rate": label.mean(),
    }


def true_effects(
    tokens: np.ndarray,
    construct: Construct,
    factors: Sequence[simulation.Factor],
    activities: np.ndarray,
) -> np.ndarray:
    """Returns the true effect (n, width), in bins, of each base of inserts of tokens (n, width).

    It is the expression without noise, minus its mean over the three sequences with another base at
    this position. It is 0 at an N."""
    start = len(construct.left_flank)
    whole = in_construct(tokens, construct)
    values = simulation.substitutions(whole, factors, activities)
    values = np.where(tokens[..., None] == N, 0, values[:, start : start + tokens.shape[1]])
    # 4/3 of the difference from the mean of all four.
    return masked(values - values.mean(axis=-1, keepdims=True), tokens) * 4 / 3


def map_table(
    maps: Mapping[str, np.ndarray],
    effects: np.ndarray,
    planted: np.ndarray,
    known: np.ndarray,
    families: np.ndarray,
    *,
    replicates: int,
    seed: int,
) -> pd.DataFrame:
    """Returns how well maps agree with the true effects of the bases.

    Args:
        maps: name -> a map's values (n, width) of the bases.
        effects: (n, width), see `true_effects`.
        planted: (n, width) bool, the positions of planted sites.
        known: (n, width) bool, the positions with a base.
        families: (n,) int, from 0.
        replicates: number of bootstrap replicates of the families.
        seed: seed of the bootstrap.

    Returns:
        One row per map, with `MAP_COLUMNS`, and last one for `TRUTH`: what a perfect map would
        have. `rank_correlation` is the mean over sequences of Spearman's correlation with the true
        effects. `planted` and `effective` are the average precision, by absolute value, of the
        planted positions, and of those planted positions that are `EFFECTIVE`, among all positions.
    """
    draws, family = _draws(families, replicates, seed), np.repeat(families, known.sum(axis=1))
    labels = {"planted": planted, "effective": planted & (np.abs(effects) >= EFFECTIVE)}
    rows = []
    for name, values in [*maps.items(), (TRUTH, effects)]:
        rho = rank_correlations(values, effects, known)
        there = np.isfinite(rho)
        draw = {"replicates": replicates, "seed": seed}
        mean = mean_interval(np.where(there, rho, 0), there.astype(float), families, **draw)
        row = [name, len(values), *mean]
        for label in labels.values():
            score, is_one = np.abs(values[known]), label[known]
            ends = average_precision_interval(score, is_one, family, draws)
            area = average_precision(score, is_one) if is_one.any() else np.nan
            row += [area, *ends, is_one.mean()]
        rows.append(row)
    return pd.DataFrame(rows, columns=MAP_COLUMNS)


def curve(score: np.ndarray, label: np.ndarray) -> pd.DataFrame:
    """Returns the precision-recall curve at `CURVE_POINTS` evenly spaced recalls: recall,
    precision. Without a labelled item it has no points."""
    if not label.any():
        return pd.DataFrame({"recall": [], "precision": []})
    precision, recall = precision_recall(score, label)
    wanted = np.arange(1, CURVE_POINTS + 1) / CURVE_POINTS
    at = np.searchsorted(recall, wanted - 1e-12)
    return pd.DataFrame({"recall": recall[at], "precision": precision[at]})
