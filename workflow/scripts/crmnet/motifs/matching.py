"""Which known motif another one is: Tomtom, or its like, and TFBSTools' similarities of PWMs."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd

from crmnet.data.tsv import read_table
from crmnet.evaluation.statistics import q_values
from crmnet.motifs.motif import (
    Motif,
    MotifError,
    read_background,
    read_meme,
    write_meme,
)
from crmnet.motifs.programs import run_tool


class Similarity(NamedTuple):
    """Of two motifs: mean correlation of their columns; mean distance, and divergence in nats."""

    pearson: float
    euclidean: float
    kl: float


COLUMNS = [
    *("motif", "target", "target_name", "by", "p_value", "e_value", "q_value"),
    *Similarity._fields,
    *("offset", "orientation", "tie"),
]
# Columns of Tomtom's table -> of ours.
TOMTOM_COLUMNS = {
    "Query_ID": "motif",
    "Target_ID": "target",
    "p-value": "p_value",
    "E-value": "e_value",
    "q-value": "q_value",
    "Optimal_offset": "offset",
    "Orientation": "orientation",
}

# The largest E-value of a match, Tomtom's own default for E-values.
E_VALUE = 10.0
# Targets are as good as the best one up to this factor of p-values, this difference of measures.
TIE_FACTOR = 10.0
TIE_DIFFERENCE = 0.01

# As in Tomtom: sites of background added to a motif, and the largest whole-number score.
PSEUDOCOUNT = 0.1
BINS = 100


def match(path: str | Path, targets: Sequence[Motif], program: str | None = None) -> pd.DataFrame:
    """What the motifs of a file match, with Tomtom at `program`, or with the built-in one.

    Returns:
        A table with `COLUMNS`. A motif has, `by` tomtom, a row for its best target and each other
        up to `E_VALUE`; and by each measure of `Similarity` (of the better strand), for its best.
        All numbers stand in every row. Tied are the best target and those as good (`TIE_FACTOR`,
        `TIE_DIFFERENCE`), if there are any.

    Raises:
        MotifError: the file is none of motifs, or Tomtom fails.
    """
    motifs = read_meme(path)
    if not motifs:
        return pd.DataFrame(columns=COLUMNS)
    if program:
        compared = run_tomtom(program, path, targets)
    else:
        background = read_background(path)
        compared = pd.concat(
            tomtom(motif, targets, background).assign(motif=motif.name) for motif in motifs
        )
    by_motif = dict(list(compared.groupby("motif")))
    return pd.concat([_matches(m, targets, by_motif[m.name]) for m in motifs], ignore_index=True)


def _matches(motif: Motif, targets: Sequence[Motif], compared: pd.DataFrame) -> pd.DataFrame:
    """The rows of one motif."""
    known = pd.DataFrame(
        [(t.name, t.alt, *_on_either_strand(motif, t)) for t in targets],
        columns=["target", "target_name", *Similarity._fields],
    )
    table = compared.merge(known, on="target", validate="1:1")
    rows = []
    for by, worse in (
        ("tomtom", table["p_value"]),
        ("pearson", -table["pearson"]),
        ("euclidean", table["euclidean"]),
        ("kl", table["kl"]),
    ):
        best = worse.min()
        good = worse <= (TIE_FACTOR * best if by == "tomtom" else best + TIE_DIFFERENCE)
        shown = good | (table["e_value"] <= E_VALUE) if by == "tomtom" else good
        chosen = table.assign(by=by, tie=good & (good.sum() > 1))[shown]
        rows.append(chosen.loc[worse[shown].sort_values(kind="stable").index])
    return pd.concat(rows)[COLUMNS]


def tfbstools_similarity(query: np.ndarray, target: np.ndarray) -> Similarity:
    """TFBSTools' `PWMSimilarity` (Tan and Lenhard 2016, Bioinformatics 32:1555) of two motifs on
    the strands given.

    Probabilities are (count + 0.2) / (n + 0.8). The narrower motif slides inside the wider one, and
    each measure is the mean over its columns at its own best place: Pearson's correlation about
    1/4; the Euclidean distance, 1 at most (Harbison et al. 2004, Nature 431:99); the mean of the
    two Kullback-Leibler divergences.

    Args:
        query, target: counts (width, 4), A C G T.
    """
    p, q = (
        (counts + 0.2) / (counts.sum(axis=1, keepdims=True) + 0.8) for counts in (query, target)
    )
    centred, difference = (p - 0.25, q - 0.25), p[:, None] - q
    lengths = np.multiply.outer(*(np.linalg.norm(columns, axis=1) for columns in centred))
    # A column without preference correlates with none.
    pearson = np.divide(
        centred[0] @ centred[1].T, lengths, out=np.zeros(lengths.shape), where=lengths > 0
    )
    euclidean = np.linalg.norm(difference, axis=2) / np.sqrt(2)
    kl = (difference * (np.log(p)[:, None] - np.log(q))).sum(axis=2) / 2
    return Similarity(_best(pearson), -_best(-euclidean), -_best(-kl))


def _on_either_strand(query: Motif, target: Motif) -> Similarity:
    """Each measure on the strand of the target on which it is better."""
    one, other = (
        tfbstools_similarity(query.counts, counts)
        for counts in (target.counts, target.reverse_complement().counts)
    )
    return Similarity(
        max(one.pearson, other.pearson),
        min(one.euclidean, other.euclidean),
        min(one.kl, other.kl),
    )


def _best(columns: np.ndarray) -> float:
    """The largest mean over a diagonal that crosses all of a matrix (query, target) of columns."""
    more = columns.shape[1] - columns.shape[0]
    places = range(min(more, 0), max(more, 0) + 1)
    return max(float(np.diagonal(columns, place).mean()) for place in places)


def tomtom(query: Motif, targets: Sequence[Motif], background: np.ndarray) -> pd.DataFrame:
    """How well each of many targets aligns with a motif, as Tomtom has it (Gupta et al. 2007,
    Genome Biol. 8:R24, with the complete scores of Tanaka et al. 2011, Bioinformatics 27:1603).

    An alignment scores the sum over its columns of minus the Euclidean distance, each less its
    query column's median over all targets' columns, in whole numbers; columns of the query outside
    score nothing. The p-value is that of the best of all alignments with a target as wide, of
    columns drawn at random from all targets, on both strands.

    Args:
        background: (4,); `PSEUDOCOUNT` sites of it are added to each motif.

    Returns:
        A row a target: target, p_value, e_value (p-value times targets), q_value (Benjamini and
        Hochberg 1995), offset (of the query's first column in the target as oriented), orientation
        (+ or -: the target as it is, or its reverse complement).

    Raises:
        MotifError: there is no target.
    """
    if not targets:
        raise MotifError("there is no target to compare motifs with")
    oriented = [*targets, *(target.reverse_complement() for target in targets)]
    columns = np.concatenate([m.probabilities(PSEUDOCOUNT, background) for m in oriented])
    scores, nothing = _column_scores(query.probabilities(PSEUDOCOUNT, background), columns)
    widths = np.array([motif.width for motif in oriented])
    best, overlaps, offsets = _align(scores, nothing, widths).reshape(3, 2, len(targets))
    reverse = (best[1] > best[0]) | ((best[1] == best[0]) & (overlaps[1] > overlaps[0]))
    best, offsets = (np.where(reverse, values[1], values[0]) for values in (best, offsets))
    logs = _log_below(scores, nothing)
    p_of_score = {width: _p_of_best(logs, width) for width in set(widths.tolist())}
    p_values = np.array([p_of_score[t.width][s] for t, s in zip(targets, best, strict=True)])
    return pd.DataFrame(
        {
            "target": [target.name for target in targets],
            "p_value": p_values,
            "e_value": p_values * len(targets),
            "q_value": q_values(p_values, len(targets)),
            "offset": offsets,
            "orientation": np.where(reverse, "-", "+"),
        }
    )


def _column_scores(query: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, int]:
    """Whole-number scores (width, columns), 0..BINS, of a query's columns with all of the targets',
    and what a column of the query scores outside a target."""
    scores = -np.linalg.norm(query[:, None] - columns, axis=2)
    # The lower of the two middle ones, as in Tomtom.
    middle = columns.shape[0] // 2 - 1
    scores -= np.partition(scores, middle, axis=1)[:, middle, None]
    low, high = scores.min(), scores.max()
    offset = np.floor(low if high > low else low - 1)
    scale = np.floor(BINS / (high - offset))
    return np.floor((scores - offset) * scale + 0.5).astype(np.int64), int(-offset * scale)


def _align(scores: np.ndarray, nothing: int, widths: np.ndarray) -> np.ndarray:
    """Of each target's best alignment: score, overlap and offset (3, targets). Of equal scores the
    widest overlap is the best, then the leftmost offset."""
    width, number = len(scores), scores.shape[1]
    gap = width - 1
    # All targets in a row, so far apart that a query touches one at most.
    at = np.arange(number) + np.repeat(gap * np.arange(1, len(widths) + 1), widths)
    total = number + gap * (len(widths) + 1)
    row = np.full((width, total), nothing)
    row[:, at] = scores
    aligned = np.zeros(total, np.int64)
    aligned[at] = 1
    starts = total - gap
    score = sum(row[position, position : position + starts] for position in range(width))
    overlap = sum(aligned[position : position + starts] for position in range(width))
    rank = score * (width + 1) + overlap
    firsts = np.cumsum(widths + gap) - widths - gap
    places = np.array(
        [
            first + np.argmax(rank[first : first + target + gap])
            for first, target in zip(firsts, widths, strict=True)
        ]
    )
    return np.stack([score[places], overlap[places], places - firsts - gap])


def _log_below(scores: np.ndarray, nothing: int) -> np.ndarray:
    """ln of how likely random columns score below each score (width, width, scores), aligned with
    the query's columns from the first index to the second, both included."""
    width = len(scores)
    logs = np.zeros((width, width, width * BINS + 1))
    densities = [np.bincount(row, minlength=BINS + 1) / len(row) for row in scores]
    for first in range(width):
        density = np.ones(1)
        for last in range(first, width):
            density = np.convolve(density, densities[last])
            outside = nothing * (width - 1 - last + first)
            above = np.zeros(width * BINS + 1)
            above[outside : outside + len(density)] = density
            above = np.minimum(above[::-1].cumsum()[::-1], 1)
            with np.errstate(divide="ignore"):
                logs[first, last] = np.log1p(-above)
    return logs


def _p_of_best(logs: np.ndarray, width: int) -> np.ndarray:
    """How likely the best alignment with a random target of a width, on two strands, has each score
    or more."""
    query = len(logs)
    below = sum(
        logs[max(0, -offset), min(query, width - offset) - 1] for offset in range(1 - query, width)
    )
    return -np.expm1(2 * below)


def run_tomtom(program: str, queries: str | Path, targets: Sequence[Motif]) -> pd.DataFrame:
    """How well targets align with the motifs of a file, by Tomtom (MEME Suite 5.5).

    Args:
        program: its path.
        queries: a file in MEME's text format, whose background Tomtom takes for all motifs.

    Returns:
        A table like `tomtom`'s, with a column motif. Tomtom's q-values are over both orientations
        of the targets, and a p-value below 1e-45 is 0.

    Raises:
        MotifError: Tomtom fails, or writes another table.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, "targets.meme")
        write_meme(path, targets, read_background(queries))
        # No E-value is above the number of targets, so that all are listed.
        options = ["-verbosity", "1", "-text", "-dist", "ed"]
        options += ["-evalue", "-thresh", str(2 * len(targets))]
        return read_tomtom(run_tool([program, *options, queries, path]))


def read_tomtom(text: str) -> pd.DataFrame:
    """Tomtom's table as `run_tomtom` has it.

    Raises:
        MotifError: it is another table.
    """
    try:
        # Its notes stand behind a blank line.
        table = read_table(StringIO(text.split("\n\n", 1)[0]), ["Query_ID", "Target_ID"])
        numbers = ("p-value", "E-value", "q-value")
        table = table.astype({**dict.fromkeys(numbers, float), "Optimal_offset": int})
        return table[list(TOMTOM_COLUMNS)].rename(columns=TOMTOM_COLUMNS)
    except (ValueError, KeyError) as error:
        raise MotifError(f"this is no table of Tomtom 5 ({error}): {text[:200]!r}") from error
