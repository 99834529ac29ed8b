"""Effects of motif matches: saliency at matches, its similarity to the motif's logo, and expression
of sequences with matches. All are compared with a control, with intervals and permutation tests
that respect families of sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from crmnet.evaluation.statistics import holm, interval, resamples

COLUMNS = [
    *("target", "target_name", "measure", "value", "low", "high"),
    *("control", "control_low", "control_high", "difference", "p_value", "p_holm"),
    *("matches", "sequences", "families", "tested_families"),
]
EXAMPLE_COLUMNS = [
    *("target", "target_name", "example", "share_above", "sequence", "row", "expression"),
    *("predicted", "position", "letter", "saliency", "match_start", "match_end"),
    *("match_strand", "match_p_value"),
]


def covered(spans: pd.DataFrame, index: pd.Index, width: int, name: str = "sequence") -> np.ndarray:
    """Returns which positions (n, width) lie in any of the spans, such as matches or planted sites.

    Args:
        spans: `name`, start, end (the first and the last position, from 1).
        index: the names (n,) of the sequences, as in the column `name`.
        width: number of positions.
        name: the column with the name of a span's sequence.

    Raises:
        ValueError: a sequence is not in the index, or a span begins before 1 or ends beyond
            `width`.
    """
    row = index.get_indexer(spans[name])
    # In an empty table the columns have no type.
    start, end = spans["start"].to_numpy(int), spans["end"].to_numpy(int)
    wrong = (row < 0) | (start < 1) | (end > width)
    if wrong.any():
        raise ValueError(
            f"sequence {spans[name].to_numpy()[wrong][0]}: matches and saliency maps are not of "
            "the same sequences; delete both files and run the workflow again"
        )
    edges = np.zeros((len(index), width + 1), np.int32)
    np.add.at(edges, (row, start - 1), 1)
    np.add.at(edges, (row, end), -1)
    return edges.cumsum(axis=1)[:, :width] > 0


def mean_interval(
    sums: np.ndarray, counts: np.ndarray, families: np.ndarray, *, replicates: int, seed: int
) -> tuple[float, float, float]:
    """Returns the mean of values in sequences, with a 95 % interval.

    The interval is over bootstrap replicates of the families (Davison and Hinkley 1997, section
    3.8), because members of a family are similar and do not count as independent sequences.

    Args:
        sums, counts: (n,) the sum and the number of each sequence's values.
        families: (n,) int, from 0.
        replicates: number of bootstrap replicates.
        seed: seed of the bootstrap.

    Returns:
        Mean, low, high; NaN if there are no values.
    """
    total = np.bincount(families, sums)
    number = np.bincount(families, counts)
    total, number = total[number > 0], number[number > 0]
    if not len(number):
        return np.nan, np.nan, np.nan
    draws = resamples(len(number), replicates, seed)
    means = np.concatenate([(drawn @ total) / (drawn @ number) for drawn in draws])
    return float(total.sum() / number.sum()), *interval(means)


def shifted_p_value(
    values: np.ndarray,
    inside: np.ndarray,
    lengths: np.ndarray,
    families: np.ndarray,
    *,
    permutations: int,
    seed: int,
) -> float:
    """Returns the two-sided P that values inside matches differ from those elsewhere in the same
    sequences.

    A permutation rotates all matches of a family along its sequences by the same random number of
    positions. So sequences, families and the pattern of matches stay as they are.

    Args:
        values: (n, width).
        inside: (n, width) bool.
        lengths: (n,) of the sequences. Within a family, only sequences of the same length are
            moved together.
        families: (n,) int, from 0.
        permutations: number of permutations.
        seed: seed of the permutations.
    """
    rows = np.flatnonzero(inside.any(axis=1))
    if not len(rows):
        return np.nan
    # In single precision, sums of a map that should be equal differ slightly.
    values = values.astype(float)
    rng = np.random.default_rng(seed)
    number = families[rows].max() + 1
    observed = values[inside].sum()
    spread, expected = np.zeros(permutations), 0.0
    for length in np.unique(lengths[rows]):
        those = rows[lengths[rows] == length]
        part, mask = values[those, :length], inside[those, :length].astype(float)
        # The sums inside matches, for each shift, are a circular correlation.
        moved = np.fft.irfft(np.fft.rfft(part) * np.conj(np.fft.rfft(mask)), length)
        of_family = np.zeros((number, length))
        np.add.at(of_family, families[those], moved)
        of_family = of_family[np.unique(families[those])]
        expected += of_family.mean(axis=1).sum()
        for permutation in range(permutations):
            shifts = rng.integers(length, size=len(of_family))
            spread[permutation] += of_family[np.arange(len(of_family)), shifts].sum()
    return _share_beyond(observed, spread, expected)


def likeness(values: np.ndarray, lengths: np.ndarray, logo: np.ndarray) -> np.ndarray:
    """Returns Pearson's correlation (n, width) of a map with a logo that begins at each position.

    Sequences are treated as circular. The correlation is 0 where the map does not vary beneath the
    logo, and at positions after the end of the sequence.

    Args:
        values: (n, width).
        lengths: (n,) of the sequences, each at least as long as the logo.
        logo: (w,).
    """
    ideal = logo - logo.mean()
    correlations = np.zeros(values.shape)
    for length in np.unique(lengths):
        those = lengths == length
        part = values[those, :length].astype(float)
        mean = sum(np.roll(part, -at, axis=1) for at in range(len(logo))) / len(logo)
        product, square, whole = np.zeros((3, *part.shape))
        for at, height in enumerate(ideal):
            beneath = np.roll(part, -at, axis=1)
            product += height * (beneath - mean)
            square += (beneath - mean) ** 2
            whole += beneath**2
        # A variation no larger than rounding errors counts as none.
        varies = square > 1e-20 * whole
        norm = np.sqrt(np.where(varies, square, 1) * max(ideal @ ideal, 1e-20))
        correlations[those, :length] = np.where(varies, product / norm, 0)
    return correlations


def swapped_p_value(
    values: np.ndarray, chosen: np.ndarray, families: np.ndarray, *, permutations: int, seed: int
) -> tuple[float, int]:
    """Returns the two-sided P that the values of chosen sequences differ from those of the others,
    and the number of families in which this was tested.

    A permutation shuffles the choice among the members of each family. So the effect of the
    promoter that a family shares is not taken for an effect of the motif. If no sequence has a
    relative, the choice is shuffled among all sequences.

    Args:
        values: (n,).
        chosen: (n,) bool.
        families: (n,) int, from 0.
        permutations: number of permutations.
        seed: seed of the permutations.

    Returns:
        P and the number of families. These are NaN and 0 if no family has both chosen and other
        members.
    """
    if np.bincount(families).max(initial=0) <= 1:
        families = np.zeros(len(values), int)
    size, number = np.bincount(families), np.bincount(families, chosen)
    mixed = (number > 0) & (number < size)
    those = mixed[families]
    if not those.any():
        return np.nan, 0
    values, chosen, families = values[those], chosen[those], families[those]
    order = np.lexsort((~chosen, families))
    values, chosen, families = values[order], chosen[order], families[order]
    rng = np.random.default_rng(seed)
    spread = np.empty(permutations)
    for permutation in range(permutations):
        dealt = np.lexsort((rng.random(len(values)), families))
        spread[permutation] = values[dealt][chosen].sum()
    share = (np.bincount(families, chosen) / np.maximum(np.bincount(families), 1))[families]
    return _share_beyond(values[chosen].sum(), spread, (share * values).sum()), int(mixed.sum())


def _share_beyond(observed: float, spread: np.ndarray, expected: float) -> float:
    """Returns P of a permutation test, in which the data themselves count as one permutation
    (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39)."""
    gap = abs(observed - expected)
    # The tolerance makes sums of the same numbers in another order count as equal.
    beyond = np.abs(spread - expected) >= gap - 1e-9 * (1 + abs(observed))
    return float((beyond.sum() + 1) / (len(spread) + 1))


def motif_effects(
    targets: pd.DataFrame,
    hits: pd.DataFrame,
    ranked: pd.DataFrame,
    saliency: np.ndarray,
    lengths: np.ndarray,
    logos: Mapping[str, np.ndarray],
    *,
    replicates: int,
    permutations: int,
    seed: int,
) -> pd.DataFrame:
    """Returns the effects of motifs that Figure 5 shows, each compared with a control.

    - Saliency and absolute saliency (Figure 5F): the mean over the matches of a motif, compared
      with all positions.
    - Expression (Figure 5G): the mean of the sequences with a match, compared with all sequences.
    - Similarity to the logo (for Figure 5A to E, over all matches): how similar the map at a match
      is to the motif's logo, compared with the same matches elsewhere in their sequences.

    The similarity is the correlation, over the positions of a match, of the saliency of the bases
    with the bits of the known motif in the direction of the match. The result is the mean over
    matches. Saliency that is equally high at all positions of a match gives no similarity. The
    saliency is signed: a factor that is selected for high expression must raise expression where
    its logo is high. An absolute map would also be similar to the logo where important bases lower
    the expression.

    Args:
        targets: target, target_name; one row per motif.
        hits: motif, sequence, start, end, strand.
        ranked: sequence, expression, family; one row per sequence.
        saliency: (n, width) input-masked gradients, in the order of `ranked`.
        lengths: (n,) of the inserts.
        logos: target -> bits (w,) at each position of the known motif.
        replicates: number of bootstrap replicates.
        permutations: number of permutations.
        seed: seed of both.

    Returns:
        A table with `COLUMNS` and four rows per motif: saliency (signed), absolute_saliency,
        logo_similarity, expression. P is that of `shifted_p_value`, and for expression that of
        `swapped_p_value`. `p_holm` is adjusted for the number of motifs.

    Raises:
        ValueError: a match and the logo of its motif have different widths; see also `covered`.
    """
    index, families = pd.Index(ranked["sequence"]), ranked["family"].to_numpy()
    expression = ranked["expression"].to_numpy(float)
    everywhere = np.arange(saliency.shape[1]) < lengths[:, None]
    one = np.ones(len(ranked))
    draw = {"replicates": replicates, "seed": seed}
    matches = {name: hits[hits["motif"] == name] for name in targets["target"]}
    covers = {name: covered(mine, index, saliency.shape[1]) for name, mine in matches.items()}
    rows = []
    for measure, map_ in (("saliency", saliency), ("absolute_saliency", np.abs(saliency))):
        map_ = np.where(everywhere, map_, 0.0)
        control = mean_interval(map_.sum(axis=1), lengths, families, **draw)
        for target in targets.itertuples():
            inside = covers[target.target]
            value = mean_interval((map_ * inside).sum(axis=1), inside.sum(axis=1), families, **draw)
            p = shifted_p_value(
                map_, inside, lengths, families, permutations=permutations, seed=seed
            )
            tested = len(np.unique(families[inside.any(axis=1)]))
            rows.append((target, measure, value, control, p, tested))
    for target in targets.itertuples():
        mine = matches[target.target]
        value, elsewhere, p, tested = _logo_similarity(
            mine, logos[target.target], index, saliency, lengths, families, draw, permutations
        )
        rows.append((target, "logo_similarity", value, elsewhere, p, tested))
    control = mean_interval(expression, one, families, **draw)
    for target in targets.itertuples():
        with_it = index.isin(matches[target.target]["sequence"])
        value = mean_interval(expression * with_it, with_it, families, **draw)
        p, tested = swapped_p_value(
            expression, with_it, families, permutations=permutations, seed=seed
        )
        rows.append((target, "expression", value, control, p, tested))
    family_of = ranked.set_index("sequence")["family"]
    counts = {
        name: (
            len(mine),
            mine["sequence"].nunique(),
            family_of.reindex(mine["sequence"]).nunique(),
        )
        for name, mine in matches.items()
    }
    table = pd.DataFrame(
        [
            (target.target, target.target_name, measure, *value, *control, value[0] - control[0])
            + (p, np.nan, *counts[target.target], tested)
            for target, measure, value, control, p, tested in rows
        ],
        columns=COLUMNS,
    )
    if len(table):
        table["p_holm"] = table.groupby("measure")["p_value"].transform(holm)
    return table


def _logo_similarity(
    hits: pd.DataFrame,
    logo: np.ndarray,
    index: pd.Index,
    saliency: np.ndarray,
    lengths: np.ndarray,
    families: np.ndarray,
    draw: Mapping[str, int],
    permutations: int,
) -> tuple[tuple[float, ...], tuple[float, ...], float, int]:
    """Returns the mean `likeness` over the matches of a motif and over all positions to which they
    can be moved, each with its interval; then P and the number of families."""
    start, end = hits["start"].to_numpy(int), hits["end"].to_numpy(int)
    if (end - start + 1 != len(logo)).any():
        raise ValueError(
            f"motif {hits['motif'].iloc[0]}: its logo has {len(logo)} positions, but its matches "
            "have another width, so they come from another collection; delete the file of matches "
            "and run the workflow again"
        )
    row = index.get_indexer(hits["sequence"])
    rows = np.unique(row)
    # The two strands of a sequence are separate maps that are moved together.
    at = np.searchsorted(rows, row) + len(rows) * (hits["strand"] == "-").to_numpy()
    maps = np.vstack([likeness(saliency[rows], lengths[rows], bits) for bits in (logo, logo[::-1])])
    begins = np.zeros(maps.shape, bool)
    begins[at, start - 1] = True
    lengths, families = np.tile(lengths[rows], 2), np.tile(families[rows], 2)
    number = begins.sum(axis=1)
    on_matches = mean_interval((maps * begins).sum(axis=1), number, families, **draw)
    moved = number * maps.sum(axis=1) / lengths
    elsewhere = mean_interval(moved, number, families, **draw)
    p = shifted_p_value(
        maps, begins, lengths, families, permutations=permutations, seed=draw["seed"]
    )
    return on_matches, elsewhere, p, len(np.unique(families))


def examples(
    targets: pd.DataFrame,
    hits: pd.DataFrame,
    ranked: pd.DataFrame,
    saliency: np.ndarray,
    letters: Sequence[str],
    predicted: np.ndarray,
    *,
    shares: Sequence[float] = (0.0, 0.25, 0.5, 0.75),
) -> pd.DataFrame:
    """Returns sequences to show as examples for each motif.

    Each family is represented by its strongest match, and families are sorted by the mean saliency
    at this match. An example is the first family below a given share of the families.

    Args:
        targets, hits, ranked, saliency: see `motif_effects`. The hits also need strand and p_value.
        letters: (n,) the inserts.
        predicted: (n,) predicted expression.
        shares: for each example, the share of the families that come before it.

    Returns:
        A table with `EXAMPLE_COLUMNS`, one row per position of an example. Positions count from 1,
        and `match_end` is the last position of the match.
    """
    index = pd.Index(ranked["sequence"])
    parts = []
    for target in targets.itertuples():
        mine = hits[hits["motif"] == target.target]
        row = index.get_indexer(mine["sequence"])
        mine = mine.assign(row=row, family=ranked["family"].to_numpy()[row])
        mine = mine.sort_values(["p_value", "row"], kind="stable").drop_duplicates("family")
        mean = [saliency[hit.row, hit.start - 1 : hit.end].mean() for hit in mine.itertuples()]
        mine = mine.assign(mean=mean).sort_values("mean", ascending=False, kind="stable")
        places = dict.fromkeys(int(share * len(mine)) for share in shares if len(mine))
        for number, place in enumerate(places, 1):
            hit = mine.iloc[place]
            at = int(hit["row"])
            width = len(letters[at])
            part = {
                "target": target.target,
                "target_name": target.target_name,
                "example": number,
                "share_above": place / len(mine),
                "sequence": hit["sequence"],
                "row": ranked["row"].iloc[at],
                "expression": ranked["expression"].iloc[at],
                "predicted": predicted[at],
                "position": np.arange(width) + 1,
                "letter": list(letters[at]),
                "saliency": saliency[at, :width],
                "match_start": hit["start"],
                "match_end": hit["end"],
                "match_strand": hit["strand"],
                "match_p_value": hit["p_value"],
            }
            parts.append(pd.DataFrame(part))
    return pd.concat(parts) if parts else pd.DataFrame(columns=EXAMPLE_COLUMNS)
