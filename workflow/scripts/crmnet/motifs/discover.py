"""Motifs enriched at the top of a ranked list against its bottom, by MEME (Bailey and Elkan 1994)
with its objective function `de`, or by a built-in search similar to DREME (Bailey 2011,
Bioinformatics 27:1653) and STREME (Bailey 2021, Bioinformatics 37:2834)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd

from crmnet.data.sequences import COMPLEMENT, N, codes, reverse_words, words
from crmnet.evaluation.hypergeometric import ln_fisher
from crmnet.logs import Progress
from crmnet.motifs.motif import COLUMNS as MOTIF_COLUMNS
from crmnet.motifs.motif import (
    MEME,
    Motif,
    MotifError,
    background,
    described,
    read_meme,
    scientific,
)
from crmnet.motifs.programs import run_tool, version
from crmnet.motifs.scanning import WORD, ScoreMatrix, score_matrix

HELD = (
    *("positives", "negatives", "held_top", "held_bottom"),
    *("positive_families", "negative_families"),
)
COLUMNS = [
    *MOTIF_COLUMNS,
    *("p_value", *HELD, "top", "bottom", "families_top", "families_bottom"),
]

# The words that a search starts from: their number of letters, and the gap in their middle.
SEEDS = [(6, 0), (7, 0), (8, 0), *((6, gap) for gap in range(1, 12))]
# How many words of each kind are tried as motifs, and how many of the best motifs are refined, at
# most one of each kind.
TRIED, REFINED = 10, 8
# How much lower the ln p-value of a motif from words with a gap must be, because the best gap is
# taken.
GAPPED = math.log(sum(gap > 0 for _, gap in SEEDS))
ROUNDS = 15
# The largest p-value of a site at one position. About 1 in 33 random sequences of 80 bp has a site.
SITE_P = 2e-4
# Number of background sites (pseudocounts) added to a motif during the search.
PRIOR = 1.0
# The bits that a column at an end of a motif needs; and by how much the ln p-value must fall before
# the ends are moved, because the best of about seven pairs of ends is taken.
INFORMATION, MARGIN = 0.15, 2.0
# A search ends after this many motifs in a row with a larger p-value than this.
NOT_SIGNIFICANT, PATIENCE = 0.05, 3
# With fewer held-out sequences of top or bottom, even a real motif is often not significant.
FEW = 200

MEME_P_VALUE = re.compile(r"^MOTIF.*\bp-value = +(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Enriched:
    """A motif and its enrichment in held-out sequences, which were not searched for it.

    Attributes:
        motif: the motif. Its `ln_e_value` is ln(p-value times number of motifs to look for), or the
            value that MEME reports.
        ln_p: natural logarithm of the p-value.
        positives, negatives: held-out sequences with a site, of the top and of the bottom; None if
            the method does not report them.
        held_top, held_bottom: all held-out sequences of the top and of the bottom; None likewise.
        positive_families, negative_families: numbers of families that the positives and the
            negatives are of; None likewise.
    """

    motif: Motif
    ln_p: float
    positives: int | None = None
    negatives: int | None = None
    held_top: int | None = None
    held_bottom: int | None = None
    positive_families: int | None = None
    negative_families: int | None = None


def hold_out(top: np.ndarray, seed: int = 0) -> np.ndarray:
    """Returns which sequences (n,) to hold out for the test: a random half of the top, and of the
    bottom.

    Args:
        top: (n,) bool, whether each sequence is of the top.
        seed: seed of the choice.

    Raises:
        MotifError: the top or the bottom has only one sequence, or none.
    """
    held, random = np.zeros(len(top), bool), np.random.default_rng(seed)
    for rows in (np.flatnonzero(top), np.flatnonzero(~top)):
        if len(rows) < 2:
            raise MotifError(
                f"{top.sum()} sequences of the top and {(~top).sum()} of the bottom cannot be "
                "halved; give more sequences"
            )
        held[random.permutation(rows)[: len(rows) // 2]] = True
    return held


class _Sites(NamedTuple):
    """The best site of a motif in each sequence (n,)."""

    score: np.ndarray
    start: np.ndarray
    reverse: np.ndarray


class _Fit(NamedTuple):
    """A motif during the search, and how well its best threshold separates top from bottom."""

    counts: np.ndarray
    matrix: ScoreMatrix
    sites: _Sites
    threshold: int
    ln_p: float


class _Sequences:
    """Sequences of top and bottom to search.

    Attributes:
        tokens: (n, length) uint8.
        top: (n,) bool, whether each sequence is of the top.
        number: numbers of sequences of the top and of the bottom.
    """

    def __init__(self, tokens: np.ndarray, top: np.ndarray, widest: int) -> None:
        self.tokens, self.top = tokens, top
        self.number = int(top.sum()), int((~top).sum())
        self.widest = widest
        # N on both sides, so that `windows` can also take the positions around a site.
        margin = widest + WORD
        padded = np.pad(tokens, ((0, 0), (margin, margin)), constant_values=N)
        self._padded, self._margin = padded, margin
        length = tokens.shape[1] + widest
        self._codes = codes(padded[:, margin : margin + length + WORD - 1], WORD)

    def search(self, matrix: ScoreMatrix) -> tuple[np.ndarray, np.ndarray]:
        """Returns the scores (n, length) of sites on either strand; a site with an N is below 0."""
        length = self.tokens.shape[1]
        return tuple(
            sum(
                table[self._codes[:, number * WORD : number * WORD + length]]
                for number, table in enumerate(tables)
            )
            for tables in matrix.strands
        )

    def best(self, matrix: ScoreMatrix) -> _Sites:
        """Returns the best site in each sequence."""
        starts, scores = [], []
        for strand in self.search(matrix):
            start = strand.argmax(axis=1)
            starts.append(start)
            scores.append(np.take_along_axis(strand, start[:, None], axis=1)[:, 0])
        reverse = scores[1] > scores[0]
        return _Sites(np.maximum(*scores), np.where(reverse, starts[1], starts[0]), reverse)

    def windows(self, rows: np.ndarray, sites: _Sites, width: int, around: int) -> np.ndarray:
        """Returns the tokens (rows, around + width + around) of sites, on the motif's strand."""
        columns = np.arange(width + 2 * around) - around + self._margin
        windows = self._padded[rows[:, None], sites.start[rows, None] + columns]
        reverse = sites.reverse[rows]
        windows[reverse] = COMPLEMENT[windows[reverse, ::-1]]
        return windows

    def masked(self, matrix: ScoreMatrix, threshold: int) -> _Sequences:
        """Returns these sequences with all sites replaced by N."""
        sites = np.maximum(*self.search(matrix)) >= threshold
        covered = np.zeros(self.tokens.shape, bool)
        length = covered.shape[1]
        for shift in range(matrix.width):
            covered[:, shift:] |= sites[:, : length - shift]
        tokens = np.where(covered, np.uint8(N), self.tokens)
        return _Sequences(tokens, self.top, self.widest)


def discover(
    tokens: np.ndarray,
    top: np.ndarray,
    families: np.ndarray,
    number: int,
    widths: tuple[int, int] = (6, 15),
    seed: int = 0,
) -> list[Enriched]:
    """Finds motifs that occur in more sequences of the top than of the bottom, by the built-in
    engine.

    Half of the sequences are searched, and the other half is held out for the test (see
    `hold_out`). The search starts from the most enriched words, with and without a gap, and makes
    motifs of them and their neighbours by one substitution. It then updates sites, counts, width
    and threshold in turn for as long as P of Fisher's test falls. The motif is tested in the
    held-out half, its sites are masked in all sequences, and the search goes on. Each sequence
    counts once, whatever its number of sites, and both strands are searched. A site has a p-value
    of at most `SITE_P`.

    The test is exact if the labels of all sequences are exchangeable. If families are large, its
    p-values are far too small, because relatives are in both halves, as they are with MEME.

    The E-value is the p-value times `number`. A search of the given half makes the same motifs
    whatever the labels of the held-out half are, so at most x of its E-values are expected to be x
    or lower by chance (Bonferroni). The early end does not change this, as it only leaves motifs
    out. The search ends early if no word is enriched, or after `PATIENCE` motifs in a row that are
    not significant.

    Args:
        tokens: (n, length), shorter sequences padded with N.
        top: (n,) bool, whether a sequence is of the top; the others are the bottom.
        families: (n,) the family of each sequence.
        number: the largest number of motifs.
        widths: the smallest and the largest width of a motif.
        seed: seed of the choice of the hold-out.

    Returns:
        All motifs that were tried, lowest p-value first, named meme_1, meme_2, ... `sites` counts
        sequences of the top in the searched half.

    Raises:
        MotifError: see `hold_out`; or a letter does not occur.
    """
    frequencies = background(tokens)
    held = hold_out(top, seed)
    sought, tested = (_Sequences(tokens[half], top[half], widths[1]) for half in (~held, held))
    tried, failures, progress = [], 0, Progress(number, "motifs")
    while len(tried) < number and failures < PATIENCE:
        fit = _search(sought, widths, frequencies)
        if fit is None:
            break
        there = tested.best(fit.matrix).score >= fit.threshold
        ends = [there & tested.top, there & ~tested.top]
        positives, negatives = (int(end.sum()) for end in ends)
        ln_p = float(ln_fisher(positives, negatives, *tested.number))
        sites = int(((fit.sites.score >= fit.threshold) & sought.top).sum())
        motif = Motif(MEME, fit.counts, sites, ln_e_value=ln_p + math.log(number))
        of = (len(np.unique(families[held][end])) for end in ends)
        tried.append(Enriched(motif, ln_p, positives, negatives, *tested.number, *of))
        progress(len(tried))
        failures = failures + 1 if ln_p >= math.log(NOT_SIGNIFICANT) else 0
        sought, tested = (half.masked(fit.matrix, fit.threshold) for half in (sought, tested))
    return _ranked(tried)


def _ranked(motifs: Iterable[Enriched]) -> list[Enriched]:
    """Returns motifs with the lowest E-value first, named in this order."""
    order = sorted(motifs, key=lambda each: each.motif.ln_e_value)
    return [
        replace(each, motif=replace(each.motif, name=f"{MEME}_{rank}"))
        for rank, each in enumerate(order, 1)
    ]


def _search(sequences: _Sequences, widths: tuple[int, int], frequencies: np.ndarray) -> _Fit | None:
    """Returns the motif that separates top from bottom best."""
    started = []
    for letters, gap in sorted({(min(letters, widths[1]), gap) for letters, gap in SEEDS}):
        if letters + gap <= widths[1]:
            fits = [
                _fit(sequences, _widened(counts, widths[0], frequencies), frequencies)
                for counts in _seeds(sequences, letters, gap, frequencies)
            ]
            # One of each kind, because the best words of a kind are often parts of one motif.
            best = min(filter(None, fits), key=lambda fit: fit.ln_p, default=None)
            if best:
                started.append((best, GAPPED * (gap > 0)))
    started = sorted(started, key=lambda pair: pair[0].ln_p + pair[1])[:REFINED]
    refined = [(_refined(sequences, fit, widths, frequencies), penalty) for fit, penalty in started]
    best = min(refined, key=lambda pair: pair[0].ln_p + pair[1], default=None)
    return best and best[0]


def _seeds(
    sequences: _Sequences, letters: int, gap: int, frequencies: np.ndarray
) -> Iterator[np.ndarray]:
    """Yields counts (letters + gap, 4) of the most enriched words with their neighbours."""
    positives, negatives = word_counts(sequences.tokens, sequences.top, letters, gap)
    words = np.flatnonzero(positives * sequences.number[1] > negatives * sequences.number[0])
    ln_p = ln_fisher(positives[words], negatives[words], *sequences.number)
    # The number of the top's sequences with a word, minus the number expected from the bottom.
    excess = positives - negatives * (sequences.number[0] / sequences.number[1])
    places = 4 ** np.arange(letters)[::-1]
    every = np.arange(4**letters)
    canonical = np.minimum(every, reverse_words(every, letters))
    for word in words[np.argsort(ln_p, kind="stable")[:TRIED]]:
        digits = word // places % 4
        neighbours = word + (np.arange(4) - digits[:, None]) * places[:, None]
        counts = np.maximum(excess[canonical[neighbours]], 0)
        middle = counts.sum(axis=1).mean() * frequencies
        yield np.insert(counts, [letters // 2] * gap, middle, axis=0)


def word_counts(
    tokens: np.ndarray, top: np.ndarray, letters: int, gap: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Returns in how many sequences of the top, and of the bottom, each word (4**letters,) occurs
    on either strand.

    A word's number has two bits per letter, with the first letter in the highest bits. A word and
    its reverse complement are counted under the lower of their two numbers. A word has no N, also
    not in its gap.

    Args:
        tokens: (n, width).
        top: (n,) bool, whether each sequence is of the top.
        letters: number of letters of a word.
        gap: number of positions in its middle that can have any letter. Words with a gap have an
            even number of letters.
    """
    numbers, known = words(tokens, letters + gap)
    last = letters // 2
    numbers = (numbers >> 2 * (last + gap) << 2 * last) + (numbers & 4**last - 1)
    numbers = np.minimum(numbers, reverse_words(numbers, letters))
    once = np.sort((np.arange(len(tokens))[:, None] * 4**letters + numbers)[known])
    row, word = np.divmod(once[np.diff(once, prepend=-1) > 0], 4**letters)
    return tuple(np.bincount(word[top[row] == end], minlength=4**letters) for end in (True, False))


def _widened(counts: np.ndarray, width: int, frequencies: np.ndarray) -> np.ndarray:
    """Returns counts with columns of background around them, so that they have at least `width`
    columns."""
    more = max(width - len(counts), 0)
    column = counts.sum(axis=1).mean() * frequencies[None]
    return np.concatenate(
        [column.repeat(more // 2, axis=0), counts, column.repeat(more - more // 2, axis=0)]
    )


def _fit(sequences: _Sequences, counts: np.ndarray, frequencies: np.ndarray) -> _Fit | None:
    """Returns the counts with their best threshold on these sequences; None if no threshold gives
    an enrichment."""
    matrix = score_matrix(Motif("sought", counts + PRIOR * frequencies), frequencies)
    sites = sequences.best(matrix)
    order = np.argsort(-sites.score, kind="stable")
    scores = sites.score[order]
    positives, negatives = np.cumsum(sequences.top[order]), np.cumsum(~sequences.top[order])
    # The most likely site always counts, even if the motif is so short that its p-value is larger.
    lowest = min(matrix.cutoff(SITE_P), matrix.scores.max(axis=1).sum())
    last = (np.diff(scores, append=-1) != 0) & (scores >= lowest)
    enriched = positives * sequences.number[1] > negatives * sequences.number[0]
    at = np.flatnonzero(last & enriched)
    if not at.size:
        return None
    ln_p = ln_fisher(positives[at], negatives[at], *sequences.number)
    best = int(np.argmin(ln_p))
    return _Fit(counts, matrix, sites, int(scores[at[best]]), float(ln_p[best]))


def _refined(
    sequences: _Sequences, fit: _Fit, widths: tuple[int, int], frequencies: np.ndarray
) -> _Fit:
    """Updates a motif's counts and ends from its sites for as long as this improves it."""
    for _ in range(ROUNDS):
        fits = [
            (candidate.ln_p + (len(counts) != fit.matrix.width) * MARGIN, candidate)
            for counts in _candidates(sequences, fit, widths)
            if (candidate := _fit(sequences, counts, frequencies))
        ]
        ln_p, better = min(fits, key=lambda each: each[0], default=(fit.ln_p, fit))
        if ln_p >= fit.ln_p - 1e-9:
            break
        fit = better
    return fit


def _candidates(sequences: _Sequences, fit: _Fit, widths: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yields the counts of a motif's sites in the top, with the same ends and with other ends."""
    rows = np.flatnonzero(sequences.top & (fit.sites.score >= fit.threshold))
    width, around = fit.matrix.width, widths[1] - fit.matrix.width
    windows = sequences.windows(rows, fit.sites, width, around)
    counts = (windows[:, :, None] == np.arange(4)).sum(axis=0).astype(float)
    informative = np.flatnonzero(_informative(counts, len(rows)))
    # Try the same end, one column less, and the next and the farthest informative column.
    first, last = around, around + width - 1
    firsts = {first, first + 1, *_ends(informative[informative < first][::-1])}
    lasts = {last, last - 1, *_ends(informative[informative > last])}
    for start in sorted(firsts):
        for end in sorted(lasts):
            if (start == first or end == last) and widths[0] <= end + 1 - start <= widths[1]:
                # A column has fewer letters if some sites are near the end of a sequence.
                columns = counts[start : end + 1]
                seen = columns.sum(axis=1, keepdims=True)
                if (seen > 0).all():
                    yield columns * (len(rows) / seen)


def _ends(columns: np.ndarray) -> list[int]:
    return [int(columns[0]), int(columns[-1])] if columns.size else []


def _informative(counts: np.ndarray, sites: int) -> np.ndarray:
    """Returns which columns are informative enough to be an end.

    The threshold includes the bits that this number of sites has by chance (Schneider et al.
    1986, J. Mol. Biol. 188:415)."""
    shares = (counts + 0.25) / (counts.sum(axis=1, keepdims=True) + 1)
    bits = 2 + (shares * np.log2(shares)).sum(axis=1)
    return bits > INFORMATION + 3 / (2 * math.log(2) * sites)


def meme(
    program: str,
    top: str | Path,
    bottom: str | Path,
    number: int,
    widths: tuple[int, int] = (6, 15),
    seed: int = 0,
) -> list[Enriched]:
    """Finds motifs enriched in one FASTA file against another, by MEME 5 with `-objfun de`.

    MEME also tests on a random half of the sequences that it did not search. Its E-values are not
    corrected for the number of motifs, and it reports motifs in the order in which it found them.
    It uses one processor, because more would need MPI.

    Args:
        program: path of MEME.
        top, bottom: FASTA files.
        number: the largest number of motifs.
        widths: the smallest and the largest width of a motif.
        seed: seed of the choice of the hold-out.

    Returns:
        The motifs, lowest E-value first, named meme_1, meme_2, ...

    Raises:
        MotifError: MEME is too old, fails, or writes a report in another format.
    """
    release = version(program)
    if int(re.search(r" (\d*)", release)[1] or 0) < 5:
        raise MotifError(
            f"{release} is too old: it cannot compare top and bottom (`-objfun de`); install MEME "
            "5.5, or set `engine: builtin`"
        )
    # `-text` needs no other programs for reports and logos. `-searchsize 0` sets no limit, so that
    # the result does not depend on a sample of the sequences.
    options = ["-text", "-nostatus", "-dna", "-revcomp", "-objfun", "de", "-neg", bottom]
    options += ["-nmotifs", str(number), "-minw", str(widths[0]), "-maxw", str(widths[1])]
    options += ["-searchsize", "0", "-seed", str(seed)]
    with TemporaryDirectory() as folder:
        report = Path(folder, "meme.txt")
        report.write_text(run_tool([program, top, *options], errors=None))
        reported = read_meme(report)
        p_values = MEME_P_VALUE.findall(report.read_text())
    try:
        logarithms = [float(Decimal(p_value).ln()) for p_value in p_values]
    except InvalidOperation:
        logarithms = []
    if len(logarithms) != len(reported) or any(m.ln_e_value is None for m in reported):
        raise MotifError(
            f"{release}: the numbers of p-values and motifs in its report differ; use MEME 5.5"
        )
    return _ranked(Enriched(*pair) for pair in zip(reported, logarithms, strict=True))


def table(motifs: Sequence[Enriched], engine: str, **constant: object) -> pd.DataFrame:
    """Returns the table of motifs, with `COLUMNS`. `constant` are values that all rows share."""
    rows = [
        {
            **described(each.motif, MEME, engine),
            "p_value": scientific(each.ln_p),
            **{key: getattr(each, key) for key in HELD},
            **constant,
        }
        for each in motifs
    ]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)
