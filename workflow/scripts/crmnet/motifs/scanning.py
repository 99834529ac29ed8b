"""Scanning sequences for motif sites, by FIMO (Grant et al. 2011, Bioinformatics 27:1017) or the
built-in engine, which follows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from crmnet.data.sequences import COMPLEMENT, N, codes, letters
from crmnet.data.tsv import read_table
from crmnet.evaluation.statistics import q_values
from crmnet.motifs.motif import LETTERS, Motif, MotifError
from crmnet.motifs.programs import run_tool

# Columns of FIMO's table -> columns of ours.
FIMO_COLUMNS = {
    "motif_id": "motif",
    "sequence_name": "sequence",
    "start": "start",
    "stop": "end",
    "strand": "strand",
    "score": "score",
    "p-value": "p_value",
    "q-value": "q_value",
    "matched_sequence": "matched",
}
COLUMNS = list(FIMO_COLUMNS.values())

# As in FIMO: number of background sites added to a motif, and the largest integer score of a
# position.
PSEUDOCOUNT = 0.1
RANGE = 1000

# Number of letters that one table look-up scores.
WORD = 5
# The score of N. It is so low that no letters around it can make up for it.
NEVER = -(1 << 24)
ROWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """A motif's log-odds as integers, rounded as in FIMO.

    Attributes:
        scores: (width, 4) int64, 0 to RANGE.
        scale, offset: a site's log-odds in bits are score / scale + width * offset.
        p_values: (width * RANGE + 1,) the probability that a random site has each score or a higher
            one.
    """

    scores: np.ndarray
    scale: float
    offset: float
    p_values: np.ndarray

    @property
    def width(self) -> int:
        """Number of positions."""
        return len(self.scores)

    @cached_property
    def strands(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """For + and -, one table (5**WORD,) int32 per `WORD` positions of a site, with the score of
        each word there."""
        return _tables(self.scores), _tables(self.scores[::-1, COMPLEMENT[:4]])

    def bits(self, scores: np.ndarray) -> np.ndarray:
        """Returns the log-odds in bits of sites with these scores."""
        return scores / self.scale + self.width * self.offset

    def cutoff(self, threshold: float) -> int:
        """Returns the lowest score with a p-value of at most `threshold`."""
        return int(np.searchsorted(-self.p_values, -threshold))


def score_matrix(motif: Motif, background: np.ndarray) -> ScoreMatrix:
    """Returns the matrix with which FIMO scores a motif's sites against a background (4,).

    `PSEUDOCOUNT` background sites are added to the motif. Log-odds are rounded to multiples of
    1 / scale bits. The p-values are exact for the rounded scores, by dynamic programming over the
    positions (Staden 1989, Comput. Appl. Biosci. 5:89).

    Raises:
        MotifError: the background is not four positive frequencies that sum to 1, or it differs
            between the strands.
    """
    background = np.asarray(background, float)
    if background.shape != (4,) or not (background > 0).all() or abs(background.sum() - 1) > 1e-3:
        raise MotifError(f"background {background}: give four frequencies above 0 that sum to 1")
    if np.abs(background - background[COMPLEMENT[:4]]).max() > 1e-6:
        raise MotifError(
            f"background {background}: give frequencies over both strands (A as T, and C as G)"
        )
    odds = np.log2(motif.probabilities(PSEUDOCOUNT, background) / background)
    low, high = odds.min(), odds.max()
    offset = np.floor(low if high > low else low - 1)
    scale = np.floor(RANGE / (high - offset))
    scores = np.floor((odds - offset) * scale + 0.5).astype(np.int64)
    return ScoreMatrix(scores, scale, offset, _p_values(scores, background))


def _p_values(scores: np.ndarray, background: np.ndarray) -> np.ndarray:
    density = np.ones(1)
    for row in scores:
        wider = np.zeros(len(density) + RANGE)
        for score, frequency in zip(row, background, strict=True):
            wider[score : score + len(density)] += frequency * density
        density = wider
    return np.minimum(density[::-1].cumsum()[::-1], 1)


def _tables(scores: np.ndarray) -> list[np.ndarray]:
    tables = []
    for start in range(0, len(scores), WORD):
        table = np.zeros((1,), np.int32)
        for position in range(start, start + WORD):
            # A position after the site scores 0 for every letter.
            row = [*scores[position], NEVER] if position < len(scores) else [0] * 5
            table = np.add.outer(table, np.array(row, np.int32)).ravel()
        tables.append(table)
    return tables


def scan(
    motifs: Sequence[Motif],
    tokens: np.ndarray,
    names: Sequence[str],
    background: np.ndarray,
    threshold: float = 1e-4,
) -> pd.DataFrame:
    """Finds the sites of motifs on both strands of sequences, by the built-in engine.

    Args:
        motifs: the motifs.
        tokens: (n, length), shorter sequences padded with N; a site has no N.
        names: names of the sequences.
        background: (4,) frequencies of the letters, the same on both strands.
        threshold: the largest p-value of a site.

    Returns:
        One row per site, with `COLUMNS`. Start and end are the first and the last position on the
        given strand, from 1. The matched letters are those on the motif's strand, and the score is
        in bits. q-values (Benjamini and Hochberg 1995) are over all positions of the motif on both
        strands, also those above the threshold.

    Raises:
        MotifError: see `score_matrix`.
    """
    matrices = [score_matrix(motif, background) for motif in motifs]
    reach = max((motif.width for motif in motifs), default=0)
    sites_by_motif, runs = [[] for _ in motifs], Counter()
    for first in range(0, len(tokens), ROWS_AT_ONCE):
        buffer = _buffer(tokens[first : first + ROWS_AT_ONCE], reach)
        runs += _runs(buffer)
        words = codes(buffer, WORD)
        for sites, matrix in zip(sites_by_motif, matrices, strict=True):
            part = _sites(matrix, threshold, words, reach, tokens.shape[1] + 1)
            sites.append(part.assign(row=part["row"] + first))
    tables = [
        _table(motif, matrix, pd.concat(sites), runs, tokens, names)
        for motif, matrix, sites in zip(motifs, matrices, sites_by_motif, strict=True)
        if sites
    ]
    return _ordered(pd.concat(tables) if tables else pd.DataFrame(columns=COLUMNS))


def _sites(
    matrix: ScoreMatrix, threshold: float, words: np.ndarray, reach: int, stride: int
) -> pd.DataFrame:
    """Returns a motif's sites in a chunk of sequences: strand, row, start, integer score."""
    cutoff = matrix.cutoff(threshold)
    parts = []
    for strand, tables in zip("+-", matrix.strands, strict=True):
        scores = _scores(words, tables, reach)
        at = np.flatnonzero(scores >= cutoff)
        row, start = np.divmod(at, stride)
        parts.append(
            pd.DataFrame({"strand": strand, "row": row, "start": start, "score": scores[at]})
        )
    return pd.concat(parts)


def _table(
    motif: Motif,
    matrix: ScoreMatrix,
    sites: pd.DataFrame,
    runs: Counter,
    tokens: np.ndarray,
    names: Sequence[str],
) -> pd.DataFrame:
    """Returns the table of one motif's sites."""
    row, start, score = (sites[key].to_numpy() for key in ("row", "start", "score"))
    reverse = (sites["strand"] == "-").to_numpy()
    windows = tokens[row[:, None], start[:, None] + np.arange(motif.width)]
    windows[reverse] = COMPLEMENT[windows[reverse, ::-1]]
    matched = np.frombuffer(letters(windows).encode(), f"S{motif.width}").astype(str)
    p_values = matrix.p_values[score]
    tests = 2 * sum(max(run - motif.width + 1, 0) * many for run, many in runs.items())
    values = (
        motif.name,
        np.asarray(names, object)[row],
        start + 1,
        start + motif.width,
        sites["strand"].to_numpy(),
        matrix.bits(score),
        p_values,
        q_values(p_values, tests),
        matched,
    )
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)))


def _ordered(hits: pd.DataFrame) -> pd.DataFrame:
    keys = ["motif", "p_value", "sequence", "start", "strand"]
    return hits.sort_values(keys, kind="stable", ignore_index=True)


def _buffer(tokens: np.ndarray, reach: int) -> np.ndarray:
    """Joins all rows with an N after each, and enough N at the end for a site to start anywhere."""
    number, length = tokens.shape
    buffer = np.full(number * (length + 1) + reach + 2 * WORD, N, np.uint8)
    buffer[: number * (length + 1)].reshape(number, length + 1)[:, :length] = tokens
    return buffer


def _runs(buffer: np.ndarray) -> Counter:
    """Returns the number of stretches without N, by their length."""
    ends = np.flatnonzero(buffer == N)
    return Counter((np.diff(ends, prepend=-1) - 1).tolist())


def _scores(words: np.ndarray, tables: Sequence[np.ndarray], reach: int) -> np.ndarray:
    """Returns the score of a site at each position of the rows; it is below 0 with an N."""
    starts = len(words) - reach - WORD
    scores = np.take(tables[0], words[:starts])
    for number, table in enumerate(tables[1:], 1):
        scores += np.take(table, words[number * WORD : number * WORD + starts])
    return scores


def fimo(
    program: str,
    motifs: str | Path,
    sequences: str | Path,
    background: np.ndarray,
    threshold: float = 1e-4,
) -> pd.DataFrame:
    """Finds the sites of motifs on both strands of sequences, by FIMO (MEME Suite 5.5).

    Args:
        program: path of FIMO.
        motifs: a file in MEME's text format.
        sequences: a FASTA file.
        background: (4,) frequencies of the letters, instead of FIMO's default.
        threshold: the largest p-value of a site.

    Returns:
        A table as that of `scan`. p- and q-values have three digits.

    Raises:
        MotifError: FIMO fails, or writes a table in another format.
    """
    # A motif cannot have more sites than there are letters on two strands.
    stored = min(2 * Path(sequences).stat().st_size, 2**31 - 1)
    with TemporaryDirectory() as folder:
        frequencies, report = Path(folder, "background"), Path(folder, "fimo")
        frequencies.write_text(
            "".join(f"{letter} {p:.9f}\n" for letter, p in zip(LETTERS, background, strict=True))
        )
        run_tool(
            [program, "--verbosity", "1", "--bfile", frequencies, "--thresh", f"{threshold:g}"]
            + ["--max-stored-scores", str(stored), "--oc", report, motifs, sequences]
        )
        return read_fimo(report / "fimo.tsv")


def read_fimo(path: str | Path) -> pd.DataFrame:
    """Reads FIMO's table (`fimo.tsv`); returns it in the format of `scan`.

    Raises:
        MotifError: the file has another format.
    """
    try:
        # FIMO's notes follow after a blank line.
        text = Path(path).read_text().split("\n\n", 1)[0]
        hits = read_table(StringIO(text), ["motif_id", "sequence_name", "matched_sequence"])
        numbers = {"start": int, "stop": int, "score": float, "p-value": float, "q-value": float}
        hits = hits.astype(numbers)[list(FIMO_COLUMNS)].rename(columns=FIMO_COLUMNS)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MotifError(f"{path}: is not a table of FIMO 5: {error}") from error
    return _ordered(hits)
