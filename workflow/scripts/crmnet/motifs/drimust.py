"""Motifs at the top of a ranked list, by the method of DRIMust (Leibovich et al. 2013, Nucleic
Acids Res. 41:W174; Leibovich and Yakhini 2012, Nucleic Acids Res. 40:5832), which uses the minimum
hypergeometric statistic (`evaluation.hypergeometric`).

A list ranks N sequences. B of them have a word, and b of these B are among the first n. mHG is the
score of the word.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from crmnet.data.sequences import (
    ALPHABET,
    COMPLEMENT,
    N,
    letters,
    reverse_complement,
    reverse_words,
)
from crmnet.data.sequences import words as word_numbers
from crmnet.evaluation.hypergeometric import (
    TIE,
    excess_of_stirling,
    ln_p_value,
    lower_bound,
    minimum_hypergeometric,
    upper_bound,
)
from crmnet.logs import Progress
from crmnet.motifs.motif import COLUMNS as MOTIF_COLUMNS
from crmnet.motifs.motif import DRIMUST, Motif, MotifError, described, scientific

STRANDS = ("both", "given")
WORD_COLUMNS = ["word", "B", "n", "b", "score", "corrected", "enrichment"]
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
# Of two or more words, DRIMust counts each rank as one more than it is.
SHIFT = 1
# How far bounds of tails may be below the smallest tail, for coarse and for fine bounds.
SLACKS = (16, 1)
# DRIMust's order of A, C, G, T and the end of a word.
VISITS = np.array([0, 1, 3, 2, 4])
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
        place, at = _members(self.starts, words)
        return place, self.rows[at]


def _members(starts: np.ndarray, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns all pairs of a set (as its index in `sets`) and the index of a member, for the
    members starts[s] to starts[s + 1] of set s."""
    sizes = starts[sets + 1] - starts[sets]
    shift = starts[sets] - (np.cumsum(sizes) - sizes)
    return np.repeat(np.arange(len(sets)), sizes), np.repeat(shift, sizes) + np.arange(sizes.sum())


def enriched_words(
    tokens: np.ndarray,
    lengths: tuple[int, int] = (5, 10),
    strands: str = "both",
    threshold: float = 1e-6,
) -> Words:
    """Returns the words enriched at the top of a list.

    These are the words whose corrected score, B * mHG, is at most `threshold`. The corrected score
    is an upper bound of the p-value. It is not corrected for the number of words tested.

    DRIMust walks the nodes of a suffix tree of the list. So all words of the largest length that
    occur are tested, and of shorter words those that branch: at least two different letters follow
    them. The end of a sequence, or an N, counts as one such letter. With `both` strands, a word and
    its reverse complement are tested together if either branches on the given strand. They are
    shown as the one that more of the first n sequences have on the given strand.

    Args:
        tokens: (n, width), best sequence first, shorter ones padded with N; a word has no N.
        lengths: the smallest and the largest number of letters of a word.
        strands: `given`, or `both`, where a word and its reverse complement count as one word.
        threshold: the largest corrected score.

    Raises:
        MotifError: `strands`, `lengths` or `threshold` has an invalid value.
    """
    if strands not in STRANDS:
        raise MotifError(f"drimust: strands {strands!r} is not one of {', '.join(STRANDS)}")
    if not 1 <= lengths[0] <= lengths[1] <= LONGEST:
        raise MotifError(
            f"drimust: words is {list(lengths)}; give [k1, k2] with 1 <= k1 <= k2 <= {LONGEST}"
        )
    if not threshold > 0:
        raise MotifError(f"drimust: threshold is {threshold}; give a number above 0")
    # The program compares 32-bit numbers.
    both, limit, parts, tested = strands == "both", math.log(np.float32(threshold)), [], 0
    progress = Progress(lengths[1] - lengths[0] + 1, "lengths of words")
    for length, occurring in _occurring(tokens, lengths, both):
        codes, rows, starts = occurring.words()
        tested += len(codes)
        scores, n, b = minimum_hypergeometric(rows, starts, len(tokens), limit)
        sizes = np.diff(starts)
        corrected = scores + np.log(sizes) + excess_of_stirling(len(tokens), sizes, n, b)
        keep = corrected <= limit
        shown, visit = occurring.shown(codes[keep], n[keep])
        part = _letters(shown, length, lengths[1]), np.full(len(shown), length), visit
        part += rows[np.repeat(keep, sizes)].astype(np.int32), sizes[keep]
        parts.append((*part, scores[keep], n[keep], b[keep], corrected[keep]))
        progress(len(parts))
    words, letters_, visit, rows, sizes, scores, n, b, corrected = map(
        np.concatenate, zip(*parts, strict=True)
    )
    starts = np.concatenate([[0], np.cumsum(sizes)])
    unordered = Words(words, letters_, rows, starts, scores, n, b, len(tokens), tested, both)
    place = np.zeros(len(words), np.int64) if both else _places(_hashes(words))
    order = np.lexsort((visit, place, corrected))
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


@dataclass(frozen=True, eq=False)
class _Occurring:
    """The words of a length that occur in a list.

    Attributes:
        values: sorted numbers, each of a word, the rank of a sequence that has it, and (the last
            bit) whether the reverse complement of the word is there on the given strand. With both
            strands, the word is the lower number of the pair.
        bits: the number of bits of a rank.
        nodes: the words to be tested, or None if these are all.
        length, longest: the number of letters of these words, and of the longest ones.
        both: whether a word also stands for its reverse complement.
    """

    values: np.ndarray
    bits: int
    nodes: np.ndarray | None
    length: int
    longest: int
    both: bool

    def words(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the words to be tested and the sequences that have each.

        Returns:
            The numbers of the words (two bits per letter, the first letter highest), ascending; the
            ranks of the sequences that have them; and where each word begins in these ranks.
        """
        pairs = self.values >> 1
        pairs = pairs[_new(pairs)]
        codes, rows = pairs >> self.bits, pairs & (1 << self.bits) - 1
        begins = np.flatnonzero(_new(codes))
        codes, sizes = codes[begins], np.diff(begins, append=len(codes))
        if self.nodes is not None:
            nodes = self.nodes
            if self.both:
                nodes = np.minimum(nodes, reverse_words(nodes, self.length))
            tested = np.isin(codes, nodes)
            codes, rows, sizes = codes[tested], rows[np.repeat(tested, sizes)], sizes[tested]
        return codes, rows, np.concatenate([[0], np.cumsum(sizes)])

    def shown(self, codes: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the numbers of the words as they are shown, and numbers that ascend in the order
        in which DRIMust tests them: a node after its children, which are in the order A, C, T, G.

        Of a word and its reverse complement, DRIMust shows that which more of the first n sequences
        have on the given strand, or else that which it tests."""
        turned = np.concatenate([[0], np.cumsum(self.values & 1)])
        start, top, end = (
            np.searchsorted(self.values, place << 1)
            for place in (codes << self.bits, (codes << self.bits) + n, codes + 1 << self.bits)
        )
        strands = [codes, reverse_words(codes, self.length)][: 1 + self.both]
        among, visits = [], []
        for strand, code in enumerate(strands):
            before = turned if strand else np.arange(len(turned)) - turned
            among.append(before[top] - before[start])
            tested = (
                before[end] > before[start] if self.nodes is None else np.isin(code, self.nodes)
            )
            order = VISITS[_letters(code, self.length, self.longest)]
            order = order @ 5 ** np.arange(self.longest)[::-1]
            visits.append(np.where(tested, order, np.iinfo(np.int64).max))
        turn = (among[-1] > among[0]) | (among[-1] == among[0]) & (visits[-1] < visits[0])
        return np.where(turn, strands[-1], codes), np.minimum(visits[0], visits[-1])


def _occurring(
    tokens: np.ndarray, lengths: tuple[int, int], both: bool
) -> Iterator[tuple[int, _Occurring]]:
    """Yields the words that occur, of one length after the other."""
    total, width = tokens.shape
    bits = int(total).bit_length()
    padded = np.pad(tokens, ((0, 0), (0, 1)), constant_values=N)
    forward, backward = np.zeros((2, total, width + 1), np.int64)
    known = np.ones(forward.shape, bool)
    for length in range(1, lengths[1] + 1):
        places = max(width + 1 - length, 0)
        column = tokens[:, length - 1 :]
        known = known[:, :places] & (column != N)
        letter = column.astype(np.int64) & 3
        forward = forward[:, :places] << 2 | letter
        backward = backward[:, :places] | 3 - letter << 2 * (length - 1)
        if length < lengths[0]:
            continue
        words, nodes = forward[known], None
        if length < lengths[1]:
            after = padded[:, length:][known]
            nodes = _distinct(words << 3 | after) >> 3
            nodes = nodes[~_new(nodes)]
            nodes = nodes[_new(nodes)]
        values = np.broadcast_to(np.arange(total)[:, None] << 1, known.shape)[known]
        if both:
            reverse = backward[known]
            values |= reverse < words
            words = np.minimum(words, reverse)
        values |= words << bits + 1
        yield length, _Occurring(_distinct(values), bits, nodes, length, lengths[1], both)


def _new(values: np.ndarray) -> np.ndarray:
    """Returns which of sorted values differ from the one before."""
    new = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return new


def _distinct(values: np.ndarray) -> np.ndarray:
    """Returns the distinct values, ascending. For many values, sorting is faster than np.unique."""
    values = np.sort(values)
    return values[_new(values)]


def _letters(codes: np.ndarray, length: int, width: int) -> np.ndarray:
    """Returns the tokens (words, width) of words given as numbers, padded with N."""
    words = np.full((len(codes), width), N, np.uint8)
    words[:, :length] = codes[:, None] >> 2 * np.arange(length)[::-1] & 3
    return words


def _hashes(words: np.ndarray) -> np.ndarray:
    """Returns Java's hashes of words, tokens (words, width) padded with N."""
    hashes = np.zeros(len(words), np.uint32)
    for column in words.T:
        letter = np.frombuffer(ALPHABET.encode(), np.uint8)[column]
        hashes = np.where(column != N, 31 * hashes + letter, hashes)
    return hashes


def _places(hashes: np.ndarray) -> np.ndarray:
    """Returns the places of distinct keys in Java's HashMap, from their hashes (keys,).

    DRIMust goes through its words, if only the given strand counts, and the sequences with a site,
    in the order of such a map. This order decides between words, or alignments, that are equally
    good."""
    size = 16
    while len(hashes) > 0.75 * size:
        size *= 2
    hashes = hashes.astype(np.uint32)
    return ((hashes ^ hashes >> 16) & (size - 1)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Cluster:
    """Words that were merged into a motif.

    Attributes:
        members: the tokens of the words, in the orientation in which they are similar.
        ln_score, n, b, size: the mHG score, n, b and B of the sequences that have any of the words.
        top: the number of first sequences that have the sites of the motif.
    """

    members: list[np.ndarray]
    ln_score: float
    n: int
    b: int
    size: int
    top: int


def merge(words: Words, number: int) -> list[Cluster]:
    """Merges words into at most `number` motifs, by the greedy search of DRIMust.

    A motif starts with the best word. Words are added and dropped, one at a time, for as long as
    B * mHG of the sequences that have any of its words falls. Then the next motif starts with the
    best word that is not similar to it (`COVERED`).

    Three properties of the program that decide which words are chosen are kept: for two or more
    words, each rank counts as one more than it is (`SHIFT`); a dropped word goes to the end of the
    list, which decides between equally good words; and a motif with the B * mHG of an earlier one
    is left out. The score and n of a motif are returned without the shift.
    """
    search, clusters, seen = _Search(words), [], []
    while len(search.free) and len(clusters) < number:
        ln_corrected, cluster = search.grow()
        if all(abs(ln_corrected - other) > TIE for other in seen):
            clusters.append(cluster)
            seen.append(ln_corrected)
    return clusters


class _Search:
    """The search for motifs among `words`.

    Attributes:
        free: the words in no motif, in DRIMust's order.
        turned: whether a word is shown as its reverse complement, (words,).
        members: the words of the present motif.
        alike: for each member, the similarities of all words, and of their reverse complements, to
            it, (2, words).
        covered: the number of members that each sequence has.
        ln_corrected: ln(B * mHG) of the present motif.
    """

    def __init__(self, words: Words) -> None:
        self.words, self.free = words, np.arange(len(words.lengths))
        self.turned = np.zeros(len(self.free), bool)
        self.packed = pack(words.tokens)

    def grow(self) -> tuple[float, Cluster]:
        """Returns ln(B * mHG), with `SHIFT`, of the next motif, and the motif."""
        words, seed = self.words, self.free[0]
        self.members, self.alike = [], []
        self.covered = np.zeros(words.total, np.int32)
        self._include(seed)
        self.ln_corrected = float(words.ln_scores[seed] + np.log(words.sizes[seed]))
        rounds = 0
        while words.both or rounds < ROUNDS:
            rounds += 1
            added = self._add()
            dropped = (rounds % DROPPING == 0 or not added) and self._drop()
            if not (added or dropped):
                break
        self.free = self.free[self._similarity().max(axis=0)[self.free] < COVERED]
        rows = np.flatnonzero(self.covered)
        (score,), (n,), (b,) = minimum_hypergeometric(rows, np.array([0, len(rows)]), words.total)
        top = n
        if len(self.members) > 1:
            top = self._shifted(rows, np.array([0, len(rows)]))[1][0]
        members = [self._shown(word) for word in self.members]
        return self.ln_corrected, Cluster(
            members, float(score), int(n), int(b), len(rows), int(top)
        )

    def _shown(self, word: int) -> np.ndarray:
        letters_ = self.words.tokens[word, : self.words.lengths[word]]
        return reverse_complement(letters_) if self.turned[word] else letters_

    def _rows(self, word: int) -> np.ndarray:
        return self.words.rows[self.words.starts[word] : self.words.starts[word + 1]]

    def _include(self, word: int) -> None:
        shown = self._shown(word)
        strands = (shown, reverse_complement(shown)) if self.words.both else (shown,)
        self.alike.append(np.array([similarity(strand, *self.packed) for strand in strands]))
        self.members.append(word)
        self.covered[self._rows(word)] += 1
        self.free = self.free[self.free != word]

    def _similarity(self) -> np.ndarray:
        """Returns the mean similarity of words and of their reverse complements to the members.

        The sum is in the order of the members, because rounding decides which words are at the
        thresholds, as it does in DRIMust."""
        return reduce(np.add, self.alike) / len(self.members)

    def _add(self) -> bool:
        """Adds the word that makes B * mHG smallest, if one does."""
        alike = self._similarity()
        candidates = self.free[alike.max(axis=0)[self.free] >= JOINED]
        best = self._best(candidates)
        if best is None:
            return False
        word = candidates[best]
        if self.words.both:
            shown = int(self.turned[word])
            self.turned[word] ^= alike[1 - shown, word] > alike[shown, word]
        self._include(word)
        return True

    def _drop(self) -> bool:
        """Drops the member whose removal makes B * mHG smallest, if one does."""
        if len(self.members) < 2:
            return False
        kept = np.tile(self.covered, (len(self.members), 1))
        for covered, word in zip(kept, self.members, strict=True):
            covered[self._rows(word)] -= 1
        place, rows = np.nonzero(kept)
        best = self._exact(rows, np.searchsorted(place, np.arange(len(kept) + 1)))
        if best is None:
            return False
        self.free = np.append(self.free, self.members.pop(best))
        self.alike.pop(best)
        self.covered = kept[best]
        return True

    def _best(self, candidates: np.ndarray) -> int | None:
        """Returns the candidate that makes B * mHG smallest, or None if none makes it smaller.

        Bounds of the tails rule out most candidates, coarse ones first."""
        total, best, limit = self.words.total, None, self.ln_corrected
        old = np.flatnonzero(self.covered)
        place, rows = self.words.pairs(candidates)
        new = self.covered[rows] == 0
        place, rows = place[new], rows[new]
        starts = np.searchsorted(place, np.arange(len(candidates) + 1))
        # Without a new sequence, nothing changes.
        likely = np.flatnonzero(np.diff(starts))
        for slack in SLACKS:
            if len(likely):
                lower, upper = self._bounds(old, starts, rows, likely, slack)
                limit = min(limit, upper.min())
                likely = likely[lower <= limit + TIE]
        at_once = max(BLOCK // len(old), 1)
        for first in range(0, len(likely), at_once):
            part = likely[first : first + at_once]
            place, at = _members(starts, part)
            keys = np.append(
                np.add.outer(np.arange(len(part)) * total, old), place * total + rows[at]
            )
            place, union = np.divmod(np.sort(keys), total)
            found = self._exact(union, np.searchsorted(place, np.arange(len(part) + 1)))
            best = best if found is None else part[found]
        return best

    def _bounds(
        self, old: np.ndarray, starts: np.ndarray, rows: np.ndarray, sets: np.ndarray, slack: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns bounds of ln(B * mHG) of sequences together with each of some sets of others.

        Ranks are divided into blocks. No tail in a block is smaller than that of its smallest n and
        its largest b. The tail at the end of a block is not smaller than the smallest tail. Blocks
        are halved while this bound, for the sequences alone, is far below their smallest tail.

        Args:
            old: the ranks of the sequences.
            starts, rows: the ranks of set s, none in `old`, are rows[starts[s] : starts[s + 1]].
            sets: the sets.
            slack: how far below the smallest tail a bound may be.
        """
        total, size = self.words.total, len(old)
        after = np.append(0, old + 1) + 1 + SHIFT
        begin, least = np.array([0]), self.ln_corrected - math.log(size) - slack
        while True:
            before = np.append(begin[1:], size)
            tails = lower_bound(total, size, np.clip(after[begin], before, total), before)
            wide = (tails < least) & (before > begin + 1)
            if not wide.any():
                break
            begin = np.sort(np.append(begin, (begin + before)[wide] // 2))
        ends, lowest = np.append(old[before - 1], total), after[np.append(begin, size)]
        before = np.append(before, size)
        highest = np.minimum(ends[:-1] + 1 + SHIFT, total)
        lower, upper, at_once = [], [], max(BLOCK // len(ends), 1)
        for first in range(0, len(sets), at_once):
            part = sets[first : first + at_once]
            place, at = _members(starts, part)
            block, shape = np.searchsorted(ends, rows[at]), (len(part), len(ends))
            b = np.bincount(place * len(ends) + block, minlength=math.prod(shape)).reshape(shape)
            b = b.cumsum(axis=1) + before
            size, ln_size = b[:, -1:], np.log(b[:, -1])
            tails = lower_bound(total, size, np.clip(lowest, b, total), b)
            lower.append(tails.min(axis=1) + ln_size)
            tails = upper_bound(total, size, highest, b[:, :-1])
            upper.append(tails.min(axis=1) + ln_size)
        return np.concatenate(lower), np.concatenate(upper)

    def _exact(self, rows: np.ndarray, starts: np.ndarray) -> int | None:
        """Returns which set of sequences has the smallest B * mHG, or None if none is smaller than
        now."""
        scores, _, _ = self._shifted(rows, starts)
        corrected = scores + np.log(np.diff(starts))
        best = int(np.argmax(corrected <= corrected.min() + TIE))
        if not corrected[best] < self.ln_corrected - TIE:
            return None
        self.ln_corrected = float(corrected[best])
        return best

    def _shifted(
        self, rows: np.ndarray, starts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns `minimum_hypergeometric` where each rank counts as one more than it is, and the
        last rank as itself."""
        rows, total = np.minimum(rows + SHIFT, self.words.total - 1), self.words.total
        return minimum_hypergeometric(rows, starts, total, self.ln_corrected + TIE)


def pack(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns words for `similarity`: two bits per letter, the first letter lowest; the lower bit
    of each letter; and the lengths.

    Args:
        tokens: (words, longest), shorter words padded with N.
    """
    places = 2 * np.arange(tokens.shape[-1])
    known = (tokens != N).astype(np.int64)
    letters_ = tokens.astype(np.int64) & 3
    return (letters_ << places).sum(axis=-1), (known << places).sum(axis=-1), known.sum(axis=-1)


def similarity(
    word: np.ndarray, others: np.ndarray, known: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """Returns the similarity of a word to others (words,).

    It is the largest number of equal letters over all placements without gaps, divided by the
    length of the shorter word. A placement may overlap only in part.

    Args:
        word: (length,) tokens.
        others, known, lengths: (words,) the others as `pack` returns them.
    """
    letters_, there, length = pack(word)
    equal = np.zeros(len(others), np.uint8)
    for start in range(1 - int(length), int(lengths.max(initial=0))):
        left, right = 2 * max(-start, 0), 2 * max(start, 0)
        different = others >> right ^ letters_ >> left
        same = ~(different | different >> 1) & known >> right & there >> left
        np.maximum(equal, np.bitwise_count(same), out=equal)
    return equal / np.minimum(length, lengths)


def align(cluster: Cluster, tokens: np.ndarray, both: bool) -> tuple[np.ndarray, int]:
    """Returns the counts (width, 4) of the aligned sites of a cluster, and the number of sites.

    The sites are in the first sequences (`Cluster.top`). Each site is tried as the centre. The
    others are shifted to the right against it until as many letters as possible are equal. The
    centre with the most letters equal to those of other sites is used, or the first of several. Of
    more than `CENTRES` different sites, the most frequent ones are tried. A column at an end is cut
    off if it is `EMPTY`.

    Args:
        cluster: the cluster.
        tokens: (N, length), best sequence first.
        both: whether there are sites on both strands.
    """
    sites, place, weights = np.unique(
        _sites(cluster, tokens[: cluster.top], both), axis=0, return_index=True, return_counts=True
    )
    known = sites != N
    # Of equally frequent sites, longer ones are tried first.
    tried = np.lexsort((-known.sum(axis=1), -weights))[:CENTRES]
    totals, at_once = [], max(BLOCK // len(sites), 1)
    for first in range(0, len(tried), at_once):
        part = tried[first : first + at_once]
        # A site is not compared with itself.
        totals.append(_placements(sites[part], sites)[0] @ weights - known[part].sum(axis=1))
    chosen = tried[np.lexsort((place[tried], -np.concatenate(totals)))[0]]
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

    Occurrences that overlap or touch on a strand are joined to a stretch, which is one site. If the
    shortest stretch is much shorter than the longest (`EVEN`), the occurrences themselves are the
    sites, without those inside longer ones. The sites are in DRIMust's order, the strands of a
    sequence one after the other. So a palindrome is a site on each strand.
    """
    buffer = np.pad(tokens, ((0, 0), (0, 1)), constant_values=N).ravel()
    member, start, length = _hits(cluster.members, tokens, both)
    every = start // (tokens.shape[1] + 1) % len(tokens)
    order = np.lexsort((-length, start))
    start, length = start[order], length[order]
    reach = np.maximum.accumulate(start + length)
    before = np.append(-1, reach[:-1])
    first = np.flatnonzero(start > before)
    lengths = np.append(before[first[1:]], reach[-1]) - start[first]
    # The members in the order in which DRIMust looks for their sites.
    rank = np.arange(len(cluster.members))
    joined = lengths.min() >= EVEN * lengths.max()
    if joined:
        start, length = start[first], lengths
    else:
        outside = start + length > before
        start, length = start[outside], length[outside]
        rank[sorted(rank, key=lambda i: len(cluster.members[i]))[::-1]] = rank.copy()
    reverse, start = np.divmod(start, len(buffer))
    row, along = start // (tokens.shape[1] + 1), np.where(reverse & joined, -start, start)
    found, earliest = np.full((2, len(tokens)), len(rank))
    np.minimum.at(earliest, every, rank[member])
    found[np.unique(every)] = _places(np.unique(every) + 1)
    order = np.lexsort((along, reverse, row, earliest[row], found[row]))
    reverse, start, length = reverse[order, None], start[order, None], length[order, None]
    column = np.arange(length.max())
    shift = np.where(reverse, length - 1 - column, column)
    sites = buffer[np.minimum(start + shift, len(buffer) - 1)]
    sites = np.where(reverse, COMPLEMENT[sites], sites)
    return np.where(column < length, sites, N).astype(np.uint8)


def _hits(
    members: Sequence[np.ndarray], tokens: np.ndarray, both: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the member, start and length of all occurrences of words.

    Starts are positions in one long sequence: all rows of tokens, each followed by an N, and after
    them the same rows for the other strand."""
    found, stride = [], tokens.shape[1] + 1
    for length in sorted({len(word) for word in members}):
        codes, known = word_numbers(tokens, length)
        codes[~known] = -1
        for member, word in enumerate(members):
            if len(word) != length:
                continue
            for strand, sought in enumerate((word, reverse_complement(word))[: 1 + both]):
                row, column = np.nonzero(codes == word_numbers(sought[None], length)[0][0, 0])
                start = (strand * len(tokens) + row) * stride + column
                found.append((np.full(len(row), member), start, np.full(len(row), length)))
    return tuple(map(np.concatenate, zip(*found, strict=True)))


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

    It has no exact p-values, which the corrected scores bound: those of 30,000 words of 61,150
    promoters would take minutes."""
    sizes = words.sizes
    logarithms = {"score": words.ln_scores, "corrected": words.ln_scores + np.log(sizes)}
    columns = {
        "word": [letters(word) for word in words.tokens],
        "B": sizes,
        "n": words.n,
        "b": words.b,
        "enrichment": [f"{x:.6g}" for x in words.b / words.n / (sizes / words.total)],
        **{name: [scientific(x) for x in values] for name, values in logarithms.items()},
    }
    return pd.DataFrame(columns)[WORD_COLUMNS]
