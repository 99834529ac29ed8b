"""Motifs at the top of a ranked list, by the method of DRIMust (Leibovich et al. 2013, Nucleic
Acids Res. 41:W174; Leibovich and Yakhini 2012, Nucleic Acids Res. 40:5832), which uses the minimum
hypergeometric statistic (`evaluation.hypergeometric`).

A list ranks N sequences. B of them have a word, and b of these B are among the first n. mHG is the
score of the word.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmnet.data.sequences import COMPLEMENT, N, letters, reverse_complement, reverse_words
from crmnet.data.sequences import words as word_numbers
from crmnet.evaluation.hypergeometric import TIE, ln_p_value, minimum_hypergeometric
from crmnet.logs import Progress
from crmnet.motifs.motif import COLUMNS as MOTIF_COLUMNS
from crmnet.motifs.motif import DRIMUST, Motif, MotifError, described, scientific

STRANDS = ("both", "given")
RULES = ("right-branching", "all")
WORD_COLUMNS = ["word", "B", "n", "b", "score", "corrected", "enrichment", "p_value"]
COLUMNS = [
    *MOTIF_COLUMNS,
    *("B", "n", "b", "mhg", "p_value", "enrichment", "words", "tested"),
]

# Pairs of candidate and sequence, or of site and centre, that are processed at a time.
BLOCK = 1 << 20
# Up to this length, the number of a word and that of a sequence together fit into 64 bits.
LONGEST = 20

# The least similarity of a word that joins a motif; and that at which a word starts no new motif.
JOINED, COVERED = 0.7, 0.6
# A member may be dropped in every DROPPING-th round. If only the given strand counts, a motif has
# at most ROUNDS rounds.
DROPPING, ROUNDS = 5, 20
# If the shortest stretch is shorter than this share of the longest, words are not joined.
EVEN = 0.667
# A column at an end is cut off if at least this share of the sites has no letter in it.
EMPTY = 0.8
# The largest number of different sites that are tried as the centre of an alignment.
CENTRES = 1000


@dataclass(frozen=True, eq=False)
class Words:
    """Words, lowest corrected score (B * mHG) first.

    Attributes:
        tokens: (words, longest) uint8, shorter words padded with N.
        lengths: (words,) number of letters of each word.
        rows, starts: the ranks, from 0 and ascending, of the sequences that have word w are
            rows[starts[w] : starts[w + 1]].
        ln_scores, n, b: (words,) see `minimum_hypergeometric`.
        total: N, the number of sequences in the list.
        tested: the number of words that were scored.
        both: whether a word also stands for its reverse complement.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    rows: np.ndarray
    starts: np.ndarray
    ln_scores: np.ndarray
    n: np.ndarray
    b: np.ndarray
    total: int
    tested: int
    both: bool

    @property
    def sizes(self) -> np.ndarray:
        """B of each word (words,)."""
        return np.diff(self.starts)

    def pairs(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns all pairs of a word (as its index in `words`) and the rank of a sequence that has
        it."""
        sizes = self.sizes[words]
        shift = self.starts[words] - (np.cumsum(sizes) - sizes)
        at = np.repeat(shift, sizes) + np.arange(sizes.sum())
        return np.repeat(np.arange(len(words)), sizes), self.rows[at]


def enriched_words(
    tokens: np.ndarray,
    lengths: tuple[int, int] = (5, 10),
    strands: str = "both",
    threshold: float = 1e-6,
    rule: str = "right-branching",
) -> Words:
    """Returns the words enriched at the top of a list.

    These are the words whose corrected score, B * mHG, is at most `threshold`. The corrected score
    is an upper bound of the p-value. It is not corrected for the number of words tested.

    Args:
        tokens: (n, width), best sequence first, shorter ones padded with N; a word has no N.
        lengths: the smallest and the largest number of letters of a word.
        strands: `given`, or `both`, where a word and its reverse complement count as one word.
        threshold: the largest corrected score.
        rule: `all` tests all words that occur. `right-branching` follows DRIMust, which walks the
            nodes of a suffix tree: a word below the largest length is tested only if at least two
            different letters follow it. The end of a sequence, or an N, counts as one such letter.
            With `both` strands, a word or its reverse complement must have this property in the
            sequences and their reverse complements.

    Raises:
        MotifError: `strands`, `rule`, `lengths` or `threshold` has an invalid value.
    """
    for name, given, known in (("strands", strands, STRANDS), ("rule", rule, RULES)):
        if given not in known:
            raise MotifError(f"drimust: {name} {given!r} is not one of {', '.join(known)}")
    if not 1 <= lengths[0] <= lengths[1] <= LONGEST:
        raise MotifError(
            f"drimust: words is {list(lengths)}; give [k1, k2] with 1 <= k1 <= k2 <= {LONGEST}"
        )
    if not threshold > 0:
        raise MotifError(f"drimust: threshold is {threshold}; give a number above 0")
    both, parts, tested = strands == "both", [], 0
    progress = Progress(lengths[1] - lengths[0] + 1, "lengths of words")
    for length in range(lengths[0], lengths[1] + 1):
        branching = rule == "right-branching" and length < lengths[1]
        codes, rows, starts = word_sequences(tokens, length, both, branching)
        tested += len(codes)
        scores, n, b = minimum_hypergeometric(rows, starts, len(tokens), math.log(threshold))
        keep, sizes = np.isfinite(scores), np.diff(starts)
        parts.append((_letters(codes[keep], length, lengths[1]), np.full(keep.sum(), length)))
        parts[-1] += (rows[np.repeat(keep, sizes)].astype(np.int32), sizes[keep])
        parts[-1] += (scores[keep], n[keep], b[keep])
        progress(len(parts))
    words, letters_, rows, sizes, scores, n, b = map(np.concatenate, zip(*parts, strict=True))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    unordered = Words(words, letters_, rows, starts, scores, n, b, len(tokens), tested, both)
    order = np.argsort(scores + np.log(sizes), kind="stable")
    return Words(
        words[order],
        letters_[order],
        unordered.pairs(order)[1],
        np.concatenate([[0], np.cumsum(sizes[order])]),
        *(values[order] for values in (scores, n, b)),
        len(tokens),
        tested,
        both,
    )


def word_sequences(
    tokens: np.ndarray, length: int, both: bool, branching: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the words of a length that occur, and the sequences that have each word.

    Args:
        tokens: (n, width), N for unknown letters.
        length: number of letters of a word.
        both: whether a word and its reverse complement count as one, under the lower number.
        branching: whether to return only right-branching words (see `enriched_words`).

    Returns:
        The numbers of the words (two bits per letter, the first letter highest), ascending; the
        ranks of the sequences that have them; and where each word begins in these ranks.
    """
    codes, known = word_numbers(tokens, length)
    number = codes.shape[1]
    place = np.broadcast_to(np.arange(len(tokens))[:, None], codes.shape)[known]
    forward = codes[known]
    backward = reverse_words(forward, length)
    word = np.minimum(forward, backward) if both else forward
    word, row = np.divmod(_distinct(word * len(tokens) + place), len(tokens))
    if branching:
        padded = np.pad(tokens, ((0, 0), (1, 1)), constant_values=N)
        after = padded[:, length + 1 : length + 1 + number][known]
        pairs = forward * 5 + after
        if both:
            before = COMPLEMENT[padded[:, :number][known]]
            pairs = np.concatenate([pairs, backward * 5 + before])
        pairs = _distinct(pairs) // 5
        nodes = pairs[1:][pairs[1:] == pairs[:-1]]
        if both:
            nodes = np.minimum(nodes, reverse_words(nodes, length))
        keep = np.isin(word, nodes)
        word, row = word[keep], row[keep]
    begins = np.flatnonzero(np.diff(word, prepend=-1))
    return word[begins], row, np.append(begins, len(word))


def _distinct(values: np.ndarray) -> np.ndarray:
    """Returns the distinct values, ascending. For many values, sorting is faster than np.unique."""
    values = np.sort(values)
    return values[np.diff(values, prepend=-1) > 0]


def _letters(codes: np.ndarray, length: int, width: int) -> np.ndarray:
    """Returns the tokens (words, width) of words given as numbers, padded with N."""
    words = np.full((len(codes), width), N, np.uint8)
    words[:, :length] = codes[:, None] >> 2 * np.arange(length)[::-1] & 3
    return words


@dataclass(frozen=True, eq=False)
class Cluster:
    """Words that were merged into a motif.

    Attributes:
        members: the tokens of the words, in the orientation in which they are similar.
        ln_score, n, b, size: the mHG score, n, b and B of the sequences that have any of the words.
    """

    members: list[np.ndarray]
    ln_score: float
    n: int
    b: int
    size: int


def merge(words: Words, number: int) -> list[Cluster]:
    """Merges words into at most `number` motifs, starting from the best word (see `_Growing`).

    A word that is similar to a motif (`COVERED`) starts no other motif."""
    free, clusters = np.ones(len(words.lengths), bool), []
    while free.any() and len(clusters) < number:
        growing = _Growing(words, int(np.argmax(free)))
        clusters.append(growing.grown(free))
        free[growing.members] = False
        free &= growing.similarity()[0] < COVERED - TIE
    return clusters


class _Growing:
    """A motif that adds and drops words for as long as B * mHG falls, for the sequences that have
    any of its words.

    Args:
        words: all words.
        seed: the index of the first word.
    """

    def __init__(self, words: Words, seed: int) -> None:
        self.words, self.members, self.turned = words, [], []
        # The number of members that each sequence has; and the sum of each word's similarities to
        # the members, as given and as its reverse complement.
        self.covered = np.zeros(words.total, np.int32)
        self.alike = np.zeros((2, len(words.lengths)))
        self._count(seed, False, 1)
        self.members.append(seed)
        self.turned.append(False)
        self.ln_corrected = float(words.ln_scores[seed] + np.log(words.sizes[seed]))

    def _word(self, word: int, turned: bool) -> np.ndarray:
        letters_ = self.words.tokens[word, : self.words.lengths[word]]
        return reverse_complement(letters_) if turned else letters_

    def _count(self, word: int, turned: bool, sign: int) -> None:
        words = self.words
        self.covered[words.rows[words.starts[word] : words.starts[word + 1]]] += sign
        for strand in range(2 if words.both else 1):
            shown = self._word(word, turned != bool(strand))
            self.alike[strand] += sign * similarity(shown, words.tokens, words.lengths)

    def similarity(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns each word's mean similarity to the members, and whether it is that of its reverse
        complement."""
        means = self.alike / len(self.members)
        turned = means[1] > means[0] + TIE
        return np.where(turned, means[1], means[0]), turned

    def grown(self, free: np.ndarray) -> Cluster:
        """Returns the motif after it has grown by words that are `free` and similar to it
        (`JOINED`)."""
        rounds = 0
        while self.words.both or rounds < ROUNDS:
            rounds += 1
            added = self._add(free)
            dropped = (rounds % DROPPING == 0 or not added) and self._drop()
            if not (added or dropped):
                break
        rows = np.flatnonzero(self.covered)
        score, n, b = minimum_hypergeometric(rows, np.array([0, len(rows)]), self.words.total)
        members = [self._word(*each) for each in zip(self.members, self.turned, strict=True)]
        return Cluster(members, float(score[0]), int(n[0]), int(b[0]), len(rows))

    def _add(self, free: np.ndarray) -> bool:
        alike, turned = self.similarity()
        candidates = free & (alike >= JOINED - TIE)
        candidates[self.members] = False
        candidates = np.flatnonzero(candidates)
        best = self._best(candidates, False)
        if best is None:
            return False
        word = int(candidates[best])
        self._count(word, turned[word], 1)
        self.members.append(word)
        self.turned.append(bool(turned[word]))
        return True

    def _drop(self) -> bool:
        best = self._best(np.array(self.members), True) if len(self.members) > 1 else None
        if best is None:
            return False
        self._count(self.members.pop(best), self.turned.pop(best), -1)
        return True

    def _best(self, candidates: np.ndarray, without: bool) -> int | None:
        """Returns the candidate whose addition or (`without`) removal makes B * mHG smallest, or
        None if none makes it smaller."""
        best, total = None, self.words.total
        at_once = max(8 * BLOCK // total, 1)
        for first in range(0, len(candidates), at_once):
            part = candidates[first : first + at_once]
            there = np.tile(self.covered > 0, (len(part), 1))
            place, rows = self.words.pairs(part)
            there[place, rows] = self.covered[rows] > 1 if without else True
            sets, rows = np.nonzero(there)
            starts = np.searchsorted(sets, np.arange(len(part) + 1))
            scores, _, _ = minimum_hypergeometric(rows, starts, total, self.ln_corrected)
            corrected = scores + np.log(np.diff(starts))
            least = int(np.argmin(corrected))
            if corrected[least] < self.ln_corrected - TIE:
                best, self.ln_corrected = first + least, float(corrected[least])
        return best


def similarity(word: np.ndarray, others: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns the similarity of a word to others (words,).

    It is the largest number of equal letters over all placements without gaps, divided by the
    length of the shorter word. A placement may overlap only in part.

    Args:
        word: (length,) tokens.
        others: (words, longest) tokens, shorter words padded with N.
        lengths: (words,) of the others.
    """
    length, width = len(word), others.shape[1]
    padded = np.pad(others, ((0, 0), (length - 1, length - 1)), constant_values=N)
    equal = np.zeros(len(others), np.int64)
    for start in range(width + length - 1):
        same = (padded[:, start : start + length] == word).sum(axis=1)
        np.maximum(equal, same, out=equal)
    return equal / np.minimum(length, lengths)


def align(cluster: Cluster, tokens: np.ndarray, both: bool) -> tuple[np.ndarray, int]:
    """Returns the counts (width, 4) of the aligned sites of a cluster, and the number of sites.

    The sites are in the first n sequences. Each site is tried as the centre. The others are shifted
    to the right against it until as many letters as possible are equal. The centre with the most
    equal letters is used. A column at an end is cut off if it is `EMPTY`.

    Args:
        cluster: the cluster.
        tokens: (N, length), best sequence first.
        both: whether there are sites on both strands.
    """
    sites, weights = np.unique(
        _sites(cluster, tokens[: cluster.n], both), axis=0, return_counts=True
    )
    known = sites != N
    # Try the most frequent sites first, and longer ones first if they are equally frequent.
    order = np.lexsort((-known.sum(axis=1), -weights))[:CENTRES]
    at_once, best, chosen = max(BLOCK // len(sites), 1), -1, 0
    for first in range(0, len(order), at_once):
        part = order[first : first + at_once]
        totals = _placements(sites[part], sites)[0] @ weights
        if totals.max() > best:
            best, chosen = totals.max(), part[int(np.argmax(totals))]
    shifts = _placements(sites[[chosen]], sites)[1][0]
    row, column = np.nonzero(known)
    counts = np.zeros((2 * sites.shape[1], 4))
    np.add.at(counts, (column + shifts[row], sites[row, column]), weights[row])
    reached = counts.sum(axis=1)
    inner = np.flatnonzero(weights.sum() - reached < EMPTY * weights.sum())
    return counts[inner[0] : inner[-1] + 1], int(weights.sum())


def _placements(centres: np.ndarray, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the largest number of equal letters (centres, sites) of each site shifted to the
    right against each centre, and the smallest shift that gives it."""
    width = sites.shape[1]
    shape = len(centres), len(sites)
    equal, shifts = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    one_hot = np.eye(5, dtype=np.float32)[:, :4]
    sites = one_hot[sites].reshape(len(sites), -1)
    centres = one_hot[centres].reshape(len(centres), -1)
    for shift in range(width):
        same = centres[:, 4 * shift :] @ sites[:, : 4 * (width - shift)].T
        better = same > equal
        equal[better], shifts[better] = same[better], shift
    return equal, shifts


def _sites(cluster: Cluster, tokens: np.ndarray, both: bool) -> np.ndarray:
    """Returns the sites (sites, longest) of a cluster's words, on the words' strand, padded with N.

    Occurrences that overlap are joined to a stretch, which is one site. If the shortest stretch is
    much shorter than the longest (`EVEN`), the occurrences themselves are the sites, without those
    inside longer ones. If stretches on the two strands overlap, the longest is the site.
    """
    buffer = np.pad(tokens, ((0, 0), (0, 1)), constant_values=N).ravel()
    # Positions on the other strand are numbered after those on the given strand.
    start, length = _hits(cluster.members, tokens, both)
    order = np.lexsort((-length, start))
    start, length = start[order], length[order]
    stretch, first, reach = _joined(start, start + length)
    begins, lengths = start[first], np.append(reach[first[1:] - 1], reach[-1]) - start[first]
    kept = _one_strand(*np.divmod(begins, len(buffer)), lengths)
    if lengths[kept].min() >= EVEN * lengths[kept].max():
        start, length = begins[kept], lengths[kept]
    else:
        within = start + length <= np.append(-1, reach[:-1])
        start, length = (x[kept[stretch] & ~within] for x in (start, length))
    reverse, start = np.divmod(start, len(buffer))
    column = np.arange(length.max())
    shift = np.where(reverse[:, None], length[:, None] - 1 - column, column)
    sites = buffer[np.minimum(start[:, None] + shift, len(buffer) - 1)]
    sites = np.where(reverse[:, None], COMPLEMENT[sites], sites)
    sites[column >= length[:, None]] = N
    return sites


def _hits(
    members: Sequence[np.ndarray], tokens: np.ndarray, both: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the start and length of all occurrences of words.

    Starts are positions in one long sequence: all rows of tokens, each followed by an N, and after
    them the same rows for the other strand. A palindrome is counted on one strand only."""
    starts, lengths = [], []
    stride = tokens.shape[1] + 1
    for length in sorted({len(word) for word in members}):
        codes, known = word_numbers(tokens, length)
        codes[~known] = -1
        words = np.array(
            [word_numbers(word[None], length)[0][0, 0] for word in members if len(word) == length]
        )
        reverse = reverse_words(words, length)
        for strand, sought in enumerate((words, reverse[reverse != words]) if both else (words,)):
            row, column = np.nonzero(np.isin(codes, sought))
            starts.append((strand * len(tokens) + row) * stride + column)
            lengths.append(np.full(len(row), length))
    return np.concatenate(starts), np.concatenate(lengths)


def _joined(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joins overlapping intervals, sorted by start, to stretches.

    Returns the number of each interval's stretch, the first interval of each stretch, and the
    largest end up to each interval."""
    reach = np.maximum.accumulate(end)
    new = start >= np.append(-1, reach[:-1])
    return np.cumsum(new) - 1, np.flatnonzero(new), reach


def _one_strand(reverse: np.ndarray, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Returns which stretches are the longest among all that overlap on either strand.

    Of equally long ones, it is that on the given strand."""
    order = np.lexsort((reverse, start))
    place = np.empty(len(order), np.int64)
    place[order] = _joined(start[order], (start + length)[order])[0]
    order = np.lexsort((reverse, -length, place))
    kept = np.zeros(len(order), bool)
    kept[order[np.unique(place[order], return_index=True)[1]]] = True
    return kept


@dataclass(frozen=True)
class Ranked:
    """A motif of a ranked list, the cluster of its words, and the ln of its exact p-value."""

    motif: Motif
    cluster: Cluster
    ln_p: float


def motifs(words: Words, tokens: np.ndarray, number: int) -> list[Ranked]:
    """Returns at most `number` motifs of enriched words, lowest E-value first, named drimust_1, ...

    The mHG score is that of the sequences that have any of a motif's words. The E-value is the
    exact p-value of this score, times the number of words tested. It is not corrected for the
    search among merged words.

    Args:
        words: the result of `enriched_words`.
        tokens: (N, length), the sequences that `enriched_words` was given.
        number: the largest number of motifs.
    """
    scored = []
    for cluster in merge(words, number):
        ln_p = float(ln_p_value(words.total, [cluster.size], [cluster.ln_score])[0])
        scored.append((ln_p, cluster, *align(cluster, tokens, words.both)))
    scored.sort(key=lambda each: each[0])
    return [
        Ranked(
            Motif(f"{DRIMUST}_{rank}", counts, sites, ln_e_value=ln_p + math.log(words.tested)),
            cluster,
            ln_p,
        )
        for rank, (ln_p, cluster, counts, sites) in enumerate(scored, 1)
    ]


def table(motifs: Sequence[Ranked], words: Words, engine: str) -> pd.DataFrame:
    """Returns the table of motifs, with `COLUMNS`."""
    rows = [
        {
            **described(each.motif, DRIMUST, engine),
            "B": each.cluster.size,
            "n": each.cluster.n,
            "b": each.cluster.b,
            "mhg": scientific(each.cluster.ln_score),
            "p_value": scientific(each.ln_p),
            "enrichment": f"{_enrichment(each.cluster, words.total):.6g}",
            "words": ",".join(map(letters, each.cluster.members)),
            "tested": words.tested,
        }
        for each in motifs
    ]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def _enrichment(cluster: Cluster, total: int) -> float:
    return cluster.b / cluster.n / (cluster.size / total)


def word_table(words: Words) -> pd.DataFrame:
    """Returns the table of enriched words, with `WORD_COLUMNS`.

    The p-values are exact and not corrected for the number of words."""
    sizes = words.sizes
    logarithms = {
        "score": words.ln_scores,
        "corrected": words.ln_scores + np.log(sizes),
        "p_value": ln_p_value(words.total, sizes, words.ln_scores),
    }
    columns = {
        "word": [letters(word) for word in words.tokens],
        "B": sizes,
        "n": words.n,
        "b": words.b,
        "enrichment": [f"{x:.6g}" for x in words.b / words.n / (sizes / words.total)],
        **{name: [scientific(x) for x in values] for name, values in logarithms.items()},
    }
    return pd.DataFrame(columns)[WORD_COLUMNS]
