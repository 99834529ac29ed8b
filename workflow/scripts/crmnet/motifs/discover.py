"""Motifs enriched at the top of a ranked list against its bottom: MEME (Bailey and Elkan 1994; its
objective function `de`), or a built-in search in the manner of DREME (Bailey 2011, Bioinformatics
27:1653) and STREME (Bailey 2021, Bioinformatics 37:2834)."""

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

HELD = ("positives", "negatives", "held_top", "held_bottom")
COLUMNS = [
    *MOTIF_COLUMNS,
    *("p_value", *HELD, "top", "bottom", "families_top", "families_bottom"),
]

# Lengths of the words that a search starts from.
SEEDS = (6, 7, 8)
# How many words of a length are tried as motifs, and how many of those are refined.
TRIED, REFINED = 10, 4
ROUNDS = 15
# The largest p-value of a site at one place: a random sequence of 80 bp has one in 1 of 33 cases.
SITE_P = 2e-4
# Sites of background added to a motif while it is sought.
PRIOR = 1.0
# Bits that a column at an end of a motif needs; by how much the ln p-value must fall for other
# ends, of which the best of seven or so is taken.
INFORMATION, MARGIN = 0.15, 2.0
# A search ends after this many motifs in a row with a larger p-value than this.
NOT_SIGNIFICANT, PATIENCE = 0.05, 3
# With fewer sequences of top or bottom in the hold-out, even a real motif is often not significant.
FEW = 200

MEME_P_VALUE = re.compile(r"^MOTIF.*\bp-value = +(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Enriched:
    """A motif and how enriched it is, in sequences that it was not found in.

    Attributes:
        motif: its `ln_e_value` is ln(p-value times motifs tried), or what MEME states.
        ln_p: natural logarithm of the p-value.
        positives, negatives: sequences of the hold-out with a site, of top and bottom; None where
            the method does not say.
        held_top, held_bottom: all sequences of the hold-out; likewise.
    """

    motif: Motif
    ln_p: float
    positives: int | None = None
    negatives: int | None = None
    held_top: int | None = None
    held_bottom: int | None = None


def hold_out(families: np.ndarray, top: np.ndarray, seed: int = 0) -> np.ndarray:
    """Which sequences (n,) to keep for the test: whole families, about half of the top and half of
    the bottom.

    Families come in order of size, those of the same size at random, and each goes where it evens
    out the halves.

    Args:
        families: (n,) which sequences are alike.
        top: (n,) bool: which are of the top.

    Raises:
        MotifError: a half has no sequence of the top, or none of the bottom.
    """
    _, family = np.unique(families, return_inverse=True)
    sizes = np.stack([np.bincount(family, top), np.bincount(family, ~top)], axis=1)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order].sum(axis=1), kind="stable")]
    held, excess = np.zeros(len(sizes), bool), np.zeros(2)
    for number in order:
        held[number] = excess @ sizes[number] < 0
        excess += np.where(held[number], 1, -1) * sizes[number]
    chosen = held[family]
    for half in (chosen, ~chosen):
        if not (half & top).any() or not (half & ~top).any():
            raise MotifError(
                f"{top.sum()} sequences of top and {(~top).sum()} of bottom in {len(sizes)} "
                "families cannot be halved by family; raise `top`, or take all sequences"
            )
    return chosen


class _Sites(NamedTuple):
    """The best place of a motif in each sequence (n,)."""

    score: np.ndarray
    start: np.ndarray
    reverse: np.ndarray


class _Fit(NamedTuple):
    """A motif as it was searched for, and how well the best threshold parts top from bottom."""

    counts: np.ndarray
    matrix: ScoreMatrix
    sites: _Sites
    threshold: int
    ln_p: float


class _Sequences:
    """Sequences of top and bottom to search.

    Attributes:
        tokens: (n, length) uint8.
        top: (n,) bool.
        families: (n,).
        number: of the top and of the bottom.
    """

    def __init__(
        self, tokens: np.ndarray, top: np.ndarray, families: np.ndarray, widest: int
    ) -> None:
        self.tokens, self.top, self.families = tokens, top, families
        self.number = int(top.sum()), int((~top).sum())
        self.widest = widest
        # N ahead too, so that a site can be shown with what is around it.
        margin = widest + WORD
        padded = np.pad(tokens, ((0, 0), (margin, margin)), constant_values=N)
        self._padded, self._margin = padded, margin
        length = tokens.shape[1] + widest
        self._codes = codes(padded[:, margin : margin + length + WORD - 1], WORD)

    def search(self, matrix: ScoreMatrix) -> tuple[np.ndarray, np.ndarray]:
        """Scores (n, length) of sites on either strand; below 0 where N is."""
        length = self.tokens.shape[1]
        return tuple(
            sum(
                table[self._codes[:, number * WORD : number * WORD + length]]
                for number, table in enumerate(tables)
            )
            for tables in matrix.strands
        )

    def best(self, matrix: ScoreMatrix) -> _Sites:
        """The best site in each sequence."""
        starts, scores = [], []
        for strand in self.search(matrix):
            start = strand.argmax(axis=1)
            starts.append(start)
            scores.append(np.take_along_axis(strand, start[:, None], axis=1)[:, 0])
        reverse = scores[1] > scores[0]
        return _Sites(np.maximum(*scores), np.where(reverse, starts[1], starts[0]), reverse)

    def windows(self, rows: np.ndarray, sites: _Sites, width: int, around: int) -> np.ndarray:
        """Tokens (rows, around + width + around) of sites, on the motif's strand."""
        columns = np.arange(width + 2 * around) - around + self._margin
        windows = self._padded[rows[:, None], sites.start[rows, None] + columns]
        reverse = sites.reverse[rows]
        windows[reverse] = COMPLEMENT[windows[reverse, ::-1]]
        return windows

    def masked(self, matrix: ScoreMatrix, threshold: int) -> _Sequences:
        """These sequences with N for all sites."""
        sites = np.maximum(*self.search(matrix)) >= threshold
        covered = np.zeros(self.tokens.shape, bool)
        length = covered.shape[1]
        for shift in range(matrix.width):
            covered[:, shift:] |= sites[:, : length - shift]
        tokens = np.where(covered, np.uint8(N), self.tokens)
        return _Sequences(tokens, self.top, self.families, self.widest)


def discover(
    tokens: np.ndarray,
    top: np.ndarray,
    families: np.ndarray,
    number: int,
    widths: tuple[int, int] = (6, 15),
    seed: int = 0,
) -> list[Enriched]:
    """Motifs in more sequences of the top than of the bottom, by the built-in engine.

    A half of the families is for the search, the other for the test (`hold_out`). The search takes
    the words most enriched, makes motifs of those and their neighbours by one substitution, and
    finds sites, counts, width and threshold in turn as long as Fisher's test says better. The
    motif is tested where it was not sought, its sites are masked in all sequences, and the search
    goes on. It counts a sequence once, on both strands. A site has a p-value of `SITE_P` at most.

    It ends early where no word is enriched, or after `PATIENCE` motifs that are not significant.

    Args:
        tokens: (n, length), N behind shorter sequences.
        top: (n,) bool: sequences of the top; the others are the bottom.
        families: (n,) which sequences are alike.
        number: of motifs to seek.
        widths: the narrowest and the widest motif.
        seed: of the choice of the hold-out.

    Returns:
        All motifs tried, lowest p-value first, named meme_1, meme_2, ...; `sites` counts sequences
        of the top in the searched half.

    Raises:
        MotifError: see `hold_out`; or a letter does not occur.
    """
    frequencies = background(tokens)
    held = hold_out(families, top, seed)
    sought, tested = (
        _Sequences(tokens[half], top[half], families[half], widths[1]) for half in (~held, held)
    )
    tried, failures, progress = [], 0, Progress(number, "motifs")
    while len(tried) < number and failures < PATIENCE:
        fit = _search(sought, widths, frequencies)
        if fit is None:
            break
        there = tested.best(fit.matrix).score >= fit.threshold
        positives, negatives = int((there & tested.top).sum()), int((there & ~tested.top).sum())
        ln_p = float(ln_fisher(positives, negatives, *tested.number))
        sites = int(((fit.sites.score >= fit.threshold) & sought.top).sum())
        motif = Motif(MEME, fit.counts, sites)
        tried.append(Enriched(motif, ln_p, positives, negatives, *tested.number))
        progress(len(tried))
        failures = failures + 1 if ln_p >= math.log(NOT_SIGNIFICANT) else 0
        sought, tested = (half.masked(fit.matrix, fit.threshold) for half in (sought, tested))
    correction = math.log(len(tried)) if tried else 0.0
    return _ranked(
        replace(each, motif=_stated(each.motif, each.ln_p + correction)) for each in tried
    )


def _stated(motif: Motif, ln_e_value: float, name: str = MEME) -> Motif:
    return Motif(name, motif.counts, motif.sites, ln_e_value=ln_e_value)


def _ranked(motifs: Iterable[Enriched]) -> list[Enriched]:
    """Lowest E-value first, and named so."""
    order = sorted(motifs, key=lambda each: each.motif.ln_e_value)
    return [
        replace(each, motif=_stated(each.motif, each.motif.ln_e_value, f"{MEME}_{rank}"))
        for rank, each in enumerate(order, 1)
    ]


def _search(sequences: _Sequences, widths: tuple[int, int], frequencies: np.ndarray) -> _Fit | None:
    """The motif that parts top from bottom best."""
    fits = [
        _fit(sequences, _widened(counts, widths[0], frequencies), frequencies)
        for length in sorted({min(length, widths[1]) for length in SEEDS})
        for counts in _seeds(sequences, length)
    ]
    fits = sorted((fit for fit in fits if fit), key=lambda fit: fit.ln_p)[:REFINED]
    refined = [_refined(sequences, fit, widths, frequencies) for fit in fits]
    return min(refined, key=lambda fit: fit.ln_p, default=None)


def _seeds(sequences: _Sequences, length: int) -> Iterator[np.ndarray]:
    """Counts (length, 4) of the words most enriched, with their neighbours."""
    positives, negatives = word_counts(sequences.tokens, sequences.top, length)
    words = np.flatnonzero(positives * sequences.number[1] > negatives * sequences.number[0])
    ln_p = ln_fisher(positives[words], negatives[words], *sequences.number)
    # What remains of a word's sequences without those that have it by chance, as the bottom does.
    excess = positives - negatives * (sequences.number[0] / sequences.number[1])
    places = 4 ** np.arange(length)[::-1]
    every = np.arange(4**length)
    canonical = np.minimum(every, reverse_words(every, length))
    for word in words[np.argsort(ln_p, kind="stable")[:TRIED]]:
        digits = word // places % 4
        neighbours = word + (np.arange(4) - digits[:, None]) * places[:, None]
        yield np.maximum(excess[canonical[neighbours]], 0)


def word_counts(tokens: np.ndarray, top: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """In how many sequences of top, and of bottom, each word (4**length,) occurs on either strand.

    A word's number has two bits a letter, the first the highest; of a word and its reverse
    complement the lower one has the counts. A word has no N.

    Args:
        tokens: (n, width).
        top: (n,) bool.
    """
    numbers, known = words(tokens, length)
    numbers = np.minimum(numbers, reverse_words(numbers, length))
    rows = np.broadcast_to(np.arange(len(tokens))[:, None], numbers.shape)
    once = np.unique(rows[known] * 4**length + numbers[known])
    row, word = np.divmod(once, 4**length)
    return tuple(np.bincount(word[top[row] == side], minlength=4**length) for side in (True, False))


def _widened(counts: np.ndarray, width: int, frequencies: np.ndarray) -> np.ndarray:
    """Counts with columns of background around them, so that they are `width` wide at least."""
    more = max(width - len(counts), 0)
    column = counts.sum(axis=1).mean() * frequencies[None]
    return np.concatenate(
        [column.repeat(more // 2, axis=0), counts, column.repeat(more - more // 2, axis=0)]
    )


def _fit(sequences: _Sequences, counts: np.ndarray, frequencies: np.ndarray) -> _Fit | None:
    """The counts with their best threshold on these sequences; None where nothing is enriched."""
    matrix = score_matrix(Motif("sought", counts + PRIOR * frequencies), frequencies)
    sites = sequences.best(matrix)
    order = np.argsort(-sites.score, kind="stable")
    scores = sites.score[order]
    positives, negatives = np.cumsum(sequences.top[order]), np.cumsum(~sequences.top[order])
    # The likeliest site always counts, though in a short motif it is not that rare.
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
    """The motif after new counts from its sites, and new ends, for as long as that is better."""
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
    """Counts of a motif's sites in the top: between the same ends, and with another end."""
    rows = np.flatnonzero(sequences.top & (fit.sites.score >= fit.threshold))
    width, around = fit.matrix.width, widths[1] - fit.matrix.width
    windows = sequences.windows(rows, fit.sites, width, around)
    counts = (windows[:, :, None] == np.arange(4)).sum(axis=0).astype(float)
    informative = np.flatnonzero(_informative(counts, sequences.families[rows]))
    # The same ends, one column off, the next informative column and the farthest.
    first, last = around, around + width - 1
    firsts = {first, first + 1, *_ends(informative[informative < first][::-1])}
    lasts = {last, last - 1, *_ends(informative[informative > last])}
    for start in sorted(firsts):
        for end in sorted(lasts):
            if (start == first or end == last) and widths[0] <= end + 1 - start <= widths[1]:
                # Near the end of a sequence, a column has fewer letters.
                columns = counts[start : end + 1]
                seen = columns.sum(axis=1, keepdims=True)
                if (seen > 0).all():
                    yield columns * (len(rows) / seen)


def _ends(columns: np.ndarray) -> list[int]:
    return [int(columns[0]), int(columns[-1])] if columns.size else []


def _informative(counts: np.ndarray, families: np.ndarray) -> np.ndarray:
    """Which columns say enough to be an end, beyond what so few families say by chance (Schneider
    et al. 1986, J. Mol. Biol. 188:415)."""
    shares = (counts + 0.25) / (counts.sum(axis=1, keepdims=True) + 1)
    bits = 2 + (shares * np.log2(shares)).sum(axis=1)
    return bits > INFORMATION + 3 / (2 * math.log(2) * len(np.unique(families)))


def meme(
    program: str,
    top: str | Path,
    bottom: str | Path,
    number: int,
    widths: tuple[int, int] = (6, 15),
    seed: int = 0,
) -> list[Enriched]:
    """Motifs enriched in one FASTA file against another, by MEME 5 with `-objfun de`.

    MEME, too, tests on a half of the sequences that it did not search, but halves them at random.
    Its E-values do not take other motifs into account, and its motifs are in the order found. It
    uses one processor: more need MPI.

    Args:
        program: its path.
        top, bottom: FASTA files.
        number: of motifs to seek.
        widths: the narrowest and the widest motif.
        seed: of the choice of the hold-out.

    Returns:
        The motifs, lowest E-value first, named meme_1, meme_2, ...

    Raises:
        MotifError: MEME is too old, fails, or writes another report.
    """
    release = version(program)
    if int(re.search(r" (\d*)", release)[1] or 0) < 5:
        raise MotifError(
            f"{release} cannot tell top from bottom (`-objfun de`); install MEME 5.5, or set "
            "`engine: builtin`"
        )
    # As text, so that MEME needs no other program for reports and logos. Without a limit
    # (searchsize), so that its result does not depend on a sample.
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
        raise MotifError(f"{release}: its report states other p-values than motifs; use MEME 5.5")
    return _ranked(Enriched(*pair) for pair in zip(reported, logarithms, strict=True))


def table(motifs: Sequence[Enriched], engine: str, **constant: object) -> pd.DataFrame:
    """The table of motifs, with `COLUMNS`; `constant` are those that all rows share."""
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
