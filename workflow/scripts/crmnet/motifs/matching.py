"""Matching motifs with known ones, by Tomtom or the built-in engine, which follows it, and by
TFBSTools' similarities of PWMs."""

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
    """Similarity of two motifs: the mean correlation, the mean Euclidean distance and the mean
    divergence (nats) of their columns."""

    pearson: float
    euclidean: float
    kl: float


# The measures of TFBSTools, and the E-value of Tomtom. A larger correlation is more similar; of the
# others, a smaller value is.
PEARSON, EUCLIDEAN, TOMTOM = "pearson", "euclidean", "tomtom"
MEASURES = (*Similarity._fields, TOMTOM)

COLUMNS = [
    *("motif", "target", "target_name", "by", "p_value", "e_value", "q_value"),
    *Similarity._fields,
    *("offset", "orientation", "tie"),
]
_NAMES = {
    "pearson": "Pearson's r",
    "euclidean": "Euclidean distance",
    "kl": "Kullback-Leibler divergence",
    "tomtom": "Tomtom's E",
}
# Columns of Tomtom's table -> columns of ours.
TOMTOM_COLUMNS = {
    "Query_ID": "motif",
    "Target_ID": "target",
    "p-value": "p_value",
    "E-value": "e_value",
    "q-value": "q_value",
    "Optimal_offset": "offset",
    "Orientation": "orientation",
}

# The largest E-value of a match, which is Tomtom's default.
E_VALUE = 10.0
# A target counts as good as the best one up to this factor of the p-value, or this difference of
# the other measures.
TIE_FACTOR = 10.0
TIE_DIFFERENCE = 0.01

# As in Tomtom: number of background sites added to a motif, and the largest integer score.
PSEUDOCOUNT = 0.1
BINS = 100


def match(path: str | Path, targets: Sequence[Motif], program: str | None = None) -> pd.DataFrame:
    """Returns the matches of the motifs of a file among the targets.

    Args:
        path: a file in MEME's text format.
        targets: the known motifs.
        program: path of Tomtom; None for the built-in engine.

    Returns:
        A table with `COLUMNS`. `by` tomtom, a motif has one row for its best target and each other
        target up to `E_VALUE`. By each measure of `Similarity` (on the better strand), it has one
        row for its best target. Every row has all numbers. If other targets are as good as the best
        one (`TIE_FACTOR`, `TIE_DIFFERENCE`), they also have rows, and `tie` is true for all.

    Raises:
        MotifError: the file has no motifs in MEME's format, or Tomtom fails.
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
    """Returns the rows of one motif."""
    known = pd.DataFrame(
        [(t.name, t.alt, *similarity(motif, t)) for t in targets],
        columns=["target", "target_name", *Similarity._fields],
    )
    table = compared.merge(known, on="target", validate="1:1")
    rows = []
    for by in (TOMTOM, *Similarity._fields):
        worse = table["p_value"] if by == TOMTOM else table[by]
        worse = -worse if by == PEARSON else worse
        best = worse.min()
        good = worse <= (TIE_FACTOR * best if by == TOMTOM else best + TIE_DIFFERENCE)
        shown = good | (table["e_value"] <= E_VALUE) if by == TOMTOM else good
        chosen = table.assign(by=by, tie=good & (good.sum() > 1))[shown]
        rows.append(chosen.loc[worse[shown].sort_values(kind="stable").index])
    return pd.concat(rows)[COLUMNS]


def tfbstools_similarity(query: np.ndarray, target: np.ndarray) -> Similarity:
    """Returns TFBSTools' `PWMSimilarity` (Tan and Lenhard 2016, Bioinformatics 32:1555) of two
    motifs on the given strands.

    Probabilities are (count + 0.2) / (n + 0.8). The narrower motif slides inside the wider one.
    Each measure is the mean over the columns at the position that is best for this measure. The
    measures are Pearson's correlation around 1/4; the Euclidean distance, scaled to at most 1
    (Harbison et al. 2004, Nature 431:99); and the mean of the two Kullback-Leibler divergences.

    Args:
        query, target: counts (width, 4) in the order A C G T.
    """
    p, q = (
        (counts + 0.2) / (counts.sum(axis=1, keepdims=True) + 0.8) for counts in (query, target)
    )
    centred, difference = (p - 0.25, q - 0.25), p[:, None] - q
    lengths = np.multiply.outer(*(np.linalg.norm(columns, axis=1) for columns in centred))
    # A column with equal probabilities has correlation 0 with every column.
    pearson = np.divide(
        centred[0] @ centred[1].T, lengths, out=np.zeros(lengths.shape), where=lengths > 0
    )
    euclidean = np.linalg.norm(difference, axis=2) / np.sqrt(2)
    kl = (difference * (np.log(p)[:, None] - np.log(q))).sum(axis=2) / 2
    return Similarity(_best(pearson), -_best(-euclidean), -_best(-kl))


def similarity(query: Motif, target: Motif) -> Similarity:
    """Returns each measure of `tfbstools_similarity` on the strand of the target on which this
    measure is better."""
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
    """Returns the largest mean over the full diagonals of a matrix (query, target) of columns."""
    more = columns.shape[1] - columns.shape[0]
    places = range(min(more, 0), max(more, 0) + 1)
    return max(float(np.diagonal(columns, place).mean()) for place in places)


def column(measure: str) -> str:
    """Returns the column with the values of a measure in a table of matches."""
    return "e_value" if measure == TOMTOM else measure


def alike(measure: str, values: pd.Series, cutoff: float) -> pd.Series:
    """Tells which values of a measure (`MEASURES`) are within a cutoff. A missing value is not."""
    return values >= cutoff if measure == PEARSON else values <= cutoff


def limit(measure: str, cutoff: float) -> str:
    """Returns a cutoff as a text, such as `Pearson's r at least 0.9`."""
    return f"{_NAMES[measure]} {'at least' if measure == PEARSON else 'at most'} {cutoff:g}"


def sources(table: pd.DataFrame, measure: str, cutoff: float) -> str:
    """Returns a sentence for figures: where the known motifs of a table (`known`) come from, and
    what counts as a match."""
    known = ", ".join(table["known"].dropna().unique())
    return f"Known motifs: {known}; a match has {limit(measure, cutoff)}."


def stated(measure: str, value: float) -> str:
    """Returns the value of a match as a text, such as `r = 0.95`."""
    return f"{_NAMES[measure].split()[-1]} = {value:.2g}"


def tomtom(query: Motif, targets: Sequence[Motif], background: np.ndarray) -> pd.DataFrame:
    """Returns how well each target aligns with a motif, by the method of Tomtom (Gupta et al. 2007,
    Genome Biol. 8:R24, with the complete scores of Tanaka et al. 2011, Bioinformatics 27:1603).

    A column of the query scores minus its Euclidean distance to the target's column, minus the
    median of this score over all targets' columns, as an integer. The score of an alignment is the
    sum over its columns; columns of the query outside the target score 0 before rounding. The
    p-value is that of the best of all alignments, on both strands, with a target of the same width
    whose columns are drawn at random from all targets.

    Args:
        query: the motif.
        targets: the known motifs.
        background: (4,) frequencies; `PSEUDOCOUNT` background sites are added to each motif.

    Returns:
        One row per target: target, p_value, e_value (p-value times number of targets), q_value
        (Benjamini and Hochberg 1995), offset (of the query's first column in the oriented target),
        orientation (+ for the target as given, - for its reverse complement).

    Raises:
        MotifError: there are no targets.
    """
    if not targets:
        raise MotifError("there are no targets to compare motifs with")
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
    """Returns integer scores (width, columns), 0 to BINS, of the query's columns with all targets'
    columns, and the score of a query column outside a target."""
    scores = -np.linalg.norm(query[:, None] - columns, axis=2)
    # The median is the lower of the two middle values, as in Tomtom.
    middle = columns.shape[0] // 2 - 1
    scores -= np.partition(scores, middle, axis=1)[:, middle, None]
    low, high = scores.min(), scores.max()
    offset = np.floor(low if high > low else low - 1)
    scale = np.floor(BINS / (high - offset))
    return np.floor((scores - offset) * scale + 0.5).astype(np.int64), int(-offset * scale)


def _align(scores: np.ndarray, nothing: int, widths: np.ndarray) -> np.ndarray:
    """Returns score, overlap and offset (3, targets) of the best alignment with each target.

    Of alignments with equal scores, the one with the widest overlap is the best, then the one with
    the leftmost offset."""
    width, number = len(scores), scores.shape[1]
    gap = width - 1
    # Put all targets into one row, so far apart that the query overlaps at most one.
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
    """Returns ln P (width, width, scores) that random columns score below each score.

    The columns are aligned with the query's columns from the first index to the second, both
    included."""
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
    """Returns the probability that the best alignment with a random target of a width, on two
    strands, has each score or a higher one."""
    query = len(logs)
    below = sum(
        logs[max(0, -offset), min(query, width - offset) - 1] for offset in range(1 - query, width)
    )
    return -np.expm1(2 * below)


def run_tomtom(program: str, queries: str | Path, targets: Sequence[Motif]) -> pd.DataFrame:
    """Returns how well targets align with the motifs of a file, by Tomtom (MEME Suite 5.5).

    Args:
        program: path of Tomtom.
        queries: a file in MEME's text format, whose background Tomtom uses for all motifs.
        targets: the known motifs.

    Returns:
        A table as that of `tomtom`, with a column motif. Tomtom's q-values are over both
        orientations of the targets, and a p-value below 1e-45 is 0.

    Raises:
        MotifError: Tomtom fails, or writes a table in another format.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, "targets.meme")
        write_meme(path, targets, read_background(queries))
        # E-values do not exceed the number of targets, so this threshold lists all targets.
        options = ["-verbosity", "1", "-text", "-dist", "ed"]
        options += ["-evalue", "-thresh", str(2 * len(targets))]
        return read_tomtom(run_tool([program, *options, queries, path]))


def read_tomtom(text: str) -> pd.DataFrame:
    """Reads Tomtom's table; returns it in the format of `run_tomtom`.

    Raises:
        MotifError: the text has another format.
    """
    try:
        # Tomtom's notes follow after a blank line.
        table = read_table(StringIO(text.split("\n\n", 1)[0]), ["Query_ID", "Target_ID"])
        numbers = ("p-value", "E-value", "q-value")
        table = table.astype({**dict.fromkeys(numbers, float), "Optimal_offset": int})
        return table[list(TOMTOM_COLUMNS)].rename(columns=TOMTOM_COLUMNS)
    except (ValueError, KeyError) as error:
        raise MotifError(f"this is not a table of Tomtom 5 ({error}): {text[:200]!r}") from error
