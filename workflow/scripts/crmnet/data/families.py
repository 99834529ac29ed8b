"""Finds relatives among sequences, groups them into families, and picks a representative of each.
Needs no deep-learning framework.

Two sequences are relatives if one of these holds, on the same strand or on opposite strands: they
have the same length and differ in few positions (Hamming distance); the end of one equals the start
of the other over many letters, as between tiles of one promoter; or one contains the other. N
matches only N.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crmnet.data.sequences import ALPHABET, COMPLEMENT, N, lengths, reverse_complement
from crmnet.logs import Progress

# The number of comparisons at once, small enough for their data to stay in a processor's cache.
TILE = 1 << 15
# In groups of equal words up to this size, all pairs are compared. In larger groups, pairs that
# other sequences already link are skipped.
SMALL = 256
# A search with more comparisons would take more than a few minutes.
MOST = 10**10
# The fewest letters of two parts together, if that is possible; and the approximate number of pairs
# of parts.
PAIR_LETTERS = 12
PAIRS = 15
# The number of links that are collected before families are merged.
LINKS = 1 << 12
# Odd multipliers of the hashes: from the golden ratio, and from splitmix64.
BASE = 0x9E3779B97F4A7C15
FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


class TooAlike(ValueError):
    """Unrelated sequences share so many words that a search for families would take hours."""

    def __init__(self, number: int):
        super().__init__(
            f"the {number:,} sequences share so many of their letters, without being relatives, "
            "that the search for families would take hours. Name the families in a column of the "
            "tables (`columns: {family: ...}`), lower `families: distance`, or, for training "
            "tables, split by single sequences (`split: sequences` of the medium)."
        )


def families(tokens: np.ndarray, distance: int = 8, overlap: int = 30) -> np.ndarray:
    """Returns the family (n,) of each sequence. Relatives are linked into families (single
    linkage).

    The search is exact, and near-linear in time and memory. For the Hamming distance, a sequence is
    compared only with sequences that share some of its parts (see `_parts`). For overlaps, an end
    and a start that are equal have equal hashes.

    Args:
        tokens: (n, length) uint8, padded with N at the end; elsewhere N matches only N.
        distance: the most positions in which direct relatives of the same length may differ.
        overlap: the fewest letters of an end that is the start of another sequence, or of a
            sequence that another one contains.

    Returns:
        Numbers from 0, in the order of the first appearance of each family.

    Raises:
        TooAlike: the comparisons would take hours.
    """
    search = _Search(tokens)
    size = lengths(tokens)
    starts = max(tokens.shape[1] - overlap + 1, 0)
    progress = Progress(len(tokens) * (PAIRS + starts), "words", "search for families: ")
    for length in np.unique(size):
        rows = np.flatnonzero(size == length)
        done = PAIRS * int((size < length).sum())
        _link_near(search, rows, tokens[rows, :length], distance, progress, done)
    _link_overlapping(search, tokens, size, overlap, progress)
    _, first, labels = np.unique(search.labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[labels]


class _Search:
    """The labels (n,) of n sequences, from 0 to n - 1. Sequences that are linked so far have the
    same label."""

    def __init__(self, tokens: np.ndarray):
        self.labels = np.arange(len(tokens))
        self._links: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting = 0

    def link(self, one: np.ndarray, other: np.ndarray) -> None:
        """Records that the sequences of two labels, for each of m pairs, belong to one family."""
        self._links.append((one, other))
        self._waiting += len(one)
        if self._waiting > LINKS:
            self.merge()

    def merge(self) -> None:
        """Sets the label of linked sequences to the smallest of their labels."""
        if not self._waiting:
            return
        one, other = (np.concatenate(column) for column in zip(*self._links, strict=True))
        self._links, self._waiting = [], 0
        # Labels that were linked form the components of a graph.
        known, flat = np.unique(np.concatenate([one, other]), return_inverse=True)
        edges = flat[: len(one)], flat[len(one) :]
        graph = coo_array((np.ones(len(one), bool), edges), (len(known), len(known)))
        _, component = connected_components(graph, directed=False)
        _, first = np.unique(component, return_index=True)
        target = np.arange(len(self.labels))
        target[known] = known[first][component]
        self.labels = target[self.labels]


# Search by Hamming distance, on either strand.


def _link_near(
    search: _Search,
    rows: np.ndarray,
    tokens: np.ndarray,
    distance: int,
    progress: Progress,
    done: int,
) -> None:
    """Links the `rows` of a search, tokens (n, length) without padding, by Hamming distance.

    Elements 0..n-1 are the sequences, and n..2n-1 are their reverse complements. Two elements that
    are near each other are relatives, whatever their strands.
    """
    number = len(tokens)
    other = reverse_complement(tokens)
    # Only N has the highest bit.
    bits = 3 if (tokens == N).any() else 2
    planes = np.concatenate([_planes(tokens, bits), _planes(other, bits)], axis=-1)
    part, pairs = _parts(tokens, distance)
    hashes = _part_hashes(np.concatenate([tokens, other]).T.copy(), part, pairs)
    budget = _Budget(min(MOST, max(number, SMALL) ** 2), number)
    near = _Near(search, np.concatenate([rows, rows]), planes, distance, budget)
    try:
        for turn, (one, two) in enumerate(pairs):
            near.link(_words(hashes, one, two))
            progress(done + PAIRS * number * turn / len(pairs))
    except TooAlike:
        if number**2 > MOST:
            raise
        # There are few enough sequences to compare all with all.
        budget.most = math.inf
        near.walk(np.arange(2 * number))
    search.merge()


class _Budget:
    """Counts comparisons, and raises `TooAlike` beyond `most`."""

    def __init__(self, most: float, number: int):
        self.most, self.number, self.spent = most, number, 0

    def spend(self, comparisons: int) -> None:
        self.spent += comparisons
        if self.spent > self.most:
            raise TooAlike(self.number)


class _Near:
    """Links elements that have equal words and are near each other.

    Args:
        rows: (2n,) the sequence of each element.
        planes: see `_planes`.
    """

    def __init__(
        self,
        search: _Search,
        rows: np.ndarray,
        planes: np.ndarray,
        distance: int,
        budget: _Budget,
    ):
        self.search, self.rows, self.planes = search, rows, planes
        self.distance, self.budget = distance, budget

    def link(self, words: np.ndarray) -> None:
        """Links elements that are near each other and have equal words (2n,)."""
        members, group = _groups(words)
        if not len(members):
            return
        labels = self.search.labels[self.rows[members]]
        begins = np.flatnonzero(np.diff(group, prepend=-1))
        # A group with one label has nothing to link. A group of reverse complements alone can be
        # skipped, because they are near each other exactly if their sequences are.
        useful = np.minimum.reduceat(labels, begins) != np.maximum.reduceat(labels, begins)
        useful &= np.minimum.reduceat(members, begins) < len(self.rows) // 2
        sizes = np.diff(begins, append=len(members))
        small = np.repeat(useful & (sizes <= SMALL), sizes)
        self._link_small(members[small], group[small], labels[small])
        for place in np.flatnonzero(useful & (sizes > SMALL)):
            self.walk(members[begins[place] : begins[place] + sizes[place]])
        self.search.merge()

    def _link_small(self, members: np.ndarray, group: np.ndarray, labels: np.ndarray) -> None:
        here = np.arange(len(members))
        for offset in range(1, SMALL):
            here = here[: np.searchsorted(here, len(members) - offset)]
            here = here[group[here] == group[here + offset]]
            if not len(here):
                return
            pairs = here[labels[here] != labels[here + offset]]
            for begin in range(0, len(pairs), TILE):
                one = pairs[begin : begin + TILE]
                self.budget.spend(len(one))
                a, b = (self.planes[..., members[m]] for m in (one, one + offset))
                one = one[_differences(a, b) <= self.distance]
                if len(one):
                    self.search.link(labels[one], labels[one + offset])

    def walk(self, members: np.ndarray) -> None:
        """Links near elements among members by a breadth-first walk from each element to the
        elements near it, which need no comparison with each other."""
        planes = self.planes[..., members]
        self.search.merge()
        labels = self.search.labels[self.rows[members]]
        first_strand = members < len(self.rows) // 2
        left = np.arange(len(members))
        batch = 1
        while True:
            fresh = left[first_strand[left]][:batch]
            if not len(fresh):
                return
            near = self._near(planes, fresh, left)
            hit = (near & (labels[fresh][:, None] != labels[left])).any(axis=1)
            if not hit.any():
                left = np.setdiff1d(left, fresh, assume_unique=True)
                batch = min(2 * batch, max(1, TILE // max(len(left), 1)))
                continue
            batch = 1
            label = labels[fresh[hit.argmax()]]
            queue, left = left[labels[left] == label], left[labels[left] != label]
            while len(queue) and len(left):
                count = max(1, TILE // len(left))
                these, queue = queue[:count], queue[count:]
                near = self._near(planes, these, left).any(axis=0)
                if near.any():
                    near_labels = np.unique(labels[left[near]])
                    self.search.link(np.full(len(near_labels), label), near_labels)
                    reached = np.isin(labels[left], near_labels)
                    queue, left = np.concatenate([queue, left[reached]]), left[~reached]

    def _near(self, planes: np.ndarray, these: np.ndarray, those: np.ndarray) -> np.ndarray:
        """Tells whether each of `these` is near each of `those`: mask (these, those)."""
        self.budget.spend(len(these) * len(those))
        one, other = planes[..., these, None], planes[..., None, those]
        return _differences(one, other) <= self.distance


def _parts(tokens: np.ndarray, distance: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Divides sequences into parts, and returns pairs of parts. Relatives agree in at least one
    pair.

    Of distance + e parts, relatives agree in at least e. The parts form e - 1 groups, so relatives
    agree in two parts of one group. More parts give fewer and shorter pairs, so e is as large as
    leaves them long enough, from 2 to 5. All parts are equally informative: the entropies of their
    positions have the same sum (a backbone that designed sequences share has no entropy).

    Args:
        tokens: (n, length), without padding.

    Returns:
        The part (length,) of each position, and the pairs.
    """
    counts = np.array([np.bincount(column, minlength=len(ALPHABET)) for column in tokens.T])
    share = counts.reshape(-1, len(ALPHABET)) / max(len(tokens), 1)
    entropy = -(share * np.log2(np.where(share > 0, share, 1))).sum(axis=1) + 1e-9
    letters = entropy.sum() / 2
    extra = int(np.clip(2 * letters / PAIR_LETTERS - distance, 2, 5))
    parts = distance + extra
    middle = np.cumsum(entropy) - entropy / 2
    part = (middle / entropy.sum() * parts).astype(int).clip(0, parts - 1)
    group = np.arange(parts) * (extra - 1) // parts
    pairs = [(a, b) for b in range(parts) for a in range(b) if group[a] == group[b]]
    return part, pairs


def _part_hashes(text: np.ndarray, part: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Returns hashes (parts, n), below 2^32, of the letters of each part of `text`, sequences in
    the form (length, n)."""
    # Some parts are in no pair, or have no letters.
    parts = 1 + max(part.max(initial=0), *(max(pair) for pair in pairs))
    hashes = np.zeros((parts, text.shape[1]), np.uint32)
    for letters, at in zip(text, part, strict=True):
        hashes[at] *= np.uint32(BASE & 0xFFFFFFFF)
        hashes[at] += letters
    return hashes.astype(np.uint64)


def _words(hashes: np.ndarray, one: int, two: int) -> np.ndarray:
    """Returns the hashes (n,) of two parts together. Their first bits are well mixed."""
    return (hashes[one] << np.uint64(32) | hashes[two]) * np.uint64(BASE)


def _groups(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the elements that share their word with another, sorted by word, and the number of
    their group. A group rarely has two words, whose hashes begin with the same bits."""
    bits = np.uint64(max(len(words) - 1, 1).bit_length())
    mask = (np.uint64(1) << bits) - np.uint64(1)
    # Sorting the numbers themselves is several times as fast as sorting their places.
    keys = np.sort((words & ~mask) | np.arange(len(words), dtype=np.uint64))
    same = (keys[1:] ^ keys[:-1]) <= mask
    shared = np.append(same, False) | np.insert(same, 0, False)
    members = (keys[shared] & mask).astype(np.intp)
    return members, np.cumsum(~np.insert(same, 0, False)[shared])


def _planes(tokens: np.ndarray, bits: int = 3) -> np.ndarray:
    """Returns the bits of tokens (n, length) as (bits, words, n) uint64: the lowest bit of each
    token first, then the higher bits, 64 positions per word."""
    planes = []
    for bit in range(bits):
        packed = np.packbits((tokens >> bit) & 1, axis=1)
        padded = np.zeros((len(tokens), -(-packed.shape[1] // 8) * 8), np.uint8)
        padded[:, : packed.shape[1]] = packed
        planes.append(np.ascontiguousarray(padded.view(np.uint64).T))
    return np.array(planes).reshape(bits, -(-tokens.shape[1] // 64), len(tokens))


def _differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the number of positions in which sequences differ, from their planes (bits, words,
    ...)."""
    different = np.bitwise_or.reduce(one ^ other, axis=0)
    return np.bitwise_count(different).sum(axis=0, dtype=np.uint16)


# Search for overlaps and for sequences within others, on either strand.

# An end of a sequence is given by a row and one of these; `_letters` returns its letters.
START, END, START_OTHER, END_OTHER = range(4)


def _link_overlapping(
    search: _Search, tokens: np.ndarray, size: np.ndarray, overlap: int, progress: Progress
) -> None:
    """Links two sequences (n, length; padded with N) if an end of one is a start of the other, on
    either strand, over at least `overlap` letters, or if one contains the other."""
    number, length = tokens.shape
    if length < overlap:
        return
    text = np.ascontiguousarray(tokens.T)
    done = progress.total - number * (length - overlap + 1)
    for m, ends in enumerate(_ends(text, size), start=1):
        if m < overlap:
            continue
        long = np.flatnonzero(size >= m)
        starts = np.concatenate([ends[START][long], ends[START_OTHER][long]])
        finishes = np.concatenate([ends[END][long], ends[END_OTHER][long]])
        one, other = _common(starts, finishes)
        if len(one):
            strand, at = np.divmod(np.concatenate([one, other]), len(long))
            end = 2 * strand + np.repeat([START, END], [len(one), len(other)])
            words = np.concatenate([starts[one], finishes[other]])
            _, first, group = np.unique(words, return_index=True, return_inverse=True)
            rows = long[at]
            _link_equal(search, tokens, size, m, (rows, end), (rows, end), first[group])
        if len(long) and (size[long] == m).any():
            _link_contained(search, tokens, text, size, m, ends)
        progress(done + number * (m - overlap + 1))
    search.merge()


def _ends(text: np.ndarray, size: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields for 1, 2, ... letters the hashes (n,) of the first and the last letters of each
    sequence and of its reverse complement. The hashes of shorter sequences have no meaning.

    Args:
        text: (length, n), padded with N.
    """
    columns = np.arange(text.shape[1])
    start = end = start_other = end_other = np.zeros(text.shape[1], np.uint64)
    for m, left in enumerate(text):
        right = text[np.maximum(size - 1 - m, 0), columns]
        power = _power(m)
        start = start * _power(1) + _value(left)
        end = end + _value(right) * power
        start_other = start_other * _power(1) + _value(COMPLEMENT[right])
        end_other = end_other + _value(COMPLEMENT[left]) * power
        yield start, end, start_other, end_other


def _link_contained(
    search: _Search,
    tokens: np.ndarray,
    text: np.ndarray,
    size: np.ndarray,
    m: int,
    ends: tuple[np.ndarray, ...],
) -> None:
    """Links sequences of m letters with the sequences that contain them or their reverse
    complements."""
    whole = np.flatnonzero(size == m)
    words = np.concatenate([ends[START][whole], ends[START_OTHER][whole]])
    order = np.argsort(words)
    words = words[order]
    known = _Filter(words)
    for at, rows, window in _windows(text, size, m, ends[START]):
        hits = known.places(window)
        place = np.searchsorted(words, window[hits]).clip(0, len(words) - 1)
        equal = words[place] == window[hits]
        hits, place = rows[hits[equal]], order[place[equal]]
        if len(hits):
            strand, row = np.divmod(place, len(whole))
            one = whole[row], 2 * strand + START
            # The window is the start of the sequence from there on.
            _link_equal(search, tokens, size, m, one, (hits, START), np.arange(len(hits)), at)


def _windows(
    text: np.ndarray, size: np.ndarray, m: int, start: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields the place, rows and hashes (rows,) of the windows of m letters within longer
    sequences, except the first and the last window, which are a start and an end.

    Args:
        text: (length, n), padded with N.
        start: hashes (n,) of the first m letters.
    """
    rows = np.flatnonzero(size > m + 1)
    window = start[rows]
    for at in range(1, len(text) - m):
        inner = size[rows] > at + m
        rows, window = rows[inner], window[inner]
        window = (window - _value(text[at - 1, rows]) * _power(m - 1)) * _power(1)
        window = window + _value(text[at - 1 + m, rows])
        yield at, rows, window


def _link_equal(
    search: _Search,
    tokens: np.ndarray,
    size: np.ndarray,
    m: int,
    one: tuple,
    other: tuple,
    first: np.ndarray,
    at: int = 0,
) -> None:
    """Links each sequence of the ends `other` (k,) with the sequence of an end of `one`, chosen by
    `first` (k,), if their m letters are equal. The letters of `other` begin `at` letters further
    on."""
    search.merge()
    rows, kinds = (np.broadcast_to(part, len(first)) for part in one)
    others, other_kinds = (np.broadcast_to(part, len(first)) for part in other)
    apart = np.flatnonzero(search.labels[rows[first]] != search.labels[others])
    for begin in range(0, len(apart), TILE):
        these = apart[begin : begin + TILE]
        to = first[these]
        a = _letters(tokens, size, m, rows[to], kinds[to])
        b = _letters(tokens, size, m, others[these], other_kinds[these], at)
        equal = (a == b).all(axis=1)
        search.link(search.labels[rows[to][equal]], search.labels[others[these][equal]])


def _letters(
    tokens: np.ndarray, size: np.ndarray, m: int, rows: np.ndarray, ends: np.ndarray, at: int = 0
) -> np.ndarray:
    """Returns the letters (k, m) of ends of sequences, from `at` letters further on."""
    step = np.arange(m) + at
    size = size[rows][:, None]
    places = [step, size - m + step, size - 1 - step, m - 1 - step]
    kinds = ends[:, None] == np.arange(len(places))
    place = np.select([kind[:, None] for kind in kinds.T], places)
    letters = tokens[rows[:, None], place]
    return np.where((ends >= START_OTHER)[:, None], COMPLEMENT[letters], letters)


def _turned(tokens: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Returns the reverse complements of sequences (n, length), which stay padded with N at the
    end."""
    place = size[:, None] - 1 - np.arange(tokens.shape[1])
    turned = COMPLEMENT[np.take_along_axis(tokens, place.clip(0), axis=1)]
    return np.where(place >= 0, turned, np.uint8(N))


def _last(text: np.ndarray, size: np.ndarray, m: int) -> np.ndarray:
    """Returns the last m letters (m, n) of sequences (length, n) that have at least m."""
    if (size == size[:1]).all():
        return text[: size[0] if len(size) else m][-m:]
    return np.take_along_axis(text, size - m + np.arange(m)[:, None], axis=0)


def _hash(letters: np.ndarray) -> np.ndarray:
    """Returns the hashes (n,) of words (m, n)."""
    words = np.zeros(letters.shape[1], np.uint64)
    for row in letters:
        words *= _power(1)
        words += row
        words += np.uint64(1)
    return words


def _value(letters: np.ndarray) -> np.ndarray:
    """Returns letters as numbers above 0, the terms of a hash."""
    return letters.astype(np.uint64) + np.uint64(1)


def _power(exponent: int) -> np.uint64:
    return np.uint64(pow(BASE, exponent, 2**64))


def _common(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places in `one` and in `other` of the hashes that occur in both."""
    places = _Filter(other).places(one)
    others = _Filter(one[places]).places(other)
    here = _search(np.sort(other[others]), one[places])[1]
    there = _search(np.sort(one[places]), other[others])[1]
    return places[here], others[there]


class _Filter:
    """Rules out most hashes that are not among given ones (n,), without a search among these."""

    def __init__(self, hashes: np.ndarray):
        bits = max(8 * len(hashes), 2).bit_length()
        self._shift = np.uint64(64 - bits)
        self._tables = []
        for factor in FACTORS:
            table = np.zeros(1 << bits, bool)
            table[self._place(hashes, factor)] = True
            self._tables.append((factor, table))

    def _place(self, hashes: np.ndarray, factor: int) -> np.ndarray:
        return ((hashes * np.uint64(factor)) >> self._shift).view(np.int64)

    def places(self, hashes: np.ndarray) -> np.ndarray:
        """Returns the places of the hashes that may be among them: all that are, and a few more."""
        (first, table), *others = self._tables
        places = np.flatnonzero(np.take(table, self._place(hashes, first)))
        for factor, table in others:
            places = places[np.take(table, self._place(hashes[places], factor))]
        return places


# Comparison of many sequences with a small set.


class Index:
    """A small set of sequences with which many others are compared, millions per second if they
    have nothing in common.

    Args:
        tokens: (k, length) uint8, padded with N at the end.
        sets: (k,) uint64, with a bit for each set that a sequence is in.
        distance, overlap: see `families`.

    Attributes:
        related: (k,) bool, the sequences for which a relative has been found so far.
    """

    def __init__(self, tokens: np.ndarray, sets: np.ndarray, distance: int = 8, overlap: int = 30):
        size = lengths(tokens)
        self.related = np.zeros(len(tokens), bool)
        self._budget = _Budget(MOST, len(tokens))
        self._near = {}
        for length in np.unique(size):
            rows = np.flatnonzero(size == length)
            self._near[length] = _NearIndex(tokens[rows, :length], rows, sets, distance)
        self._ends = _EndIndex(tokens, size, sets, overlap) if len(tokens) else None

    def relatives(self, tokens: np.ndarray) -> np.ndarray:
        """Returns the sets in which each of other sequences (n, length; padded with N) has a
        relative: (n,) uint64, with a bit for each set.

        Raises:
            TooAlike: see `families`.
        """
        size = lengths(tokens)
        text = np.ascontiguousarray(tokens.T)
        sets = np.zeros(len(tokens), np.uint64)
        # With a thousand comparisons per sequence, a million sequences take some minutes.
        self._budget.most += 1000 * len(tokens)
        for length, near in self._near.items():
            rows = np.flatnonzero(size == length)
            if len(rows):
                some = text[:length] if len(rows) == len(size) else text[:length, rows]
                sets[rows] = near.relatives(some, self.related, self._budget)
        if self._ends:
            self._ends.mark(text, size, sets, self.related)
        return sets


class _Words:
    """A set of hashes of words (k,), to find out which other hashes are in it."""

    def __init__(self, words: np.ndarray):
        # This is several times as fast as `np.unique`.
        words = np.sort(words)
        self.words = words[np.append(True, words[1:] != words[:-1])[: len(words)]]
        self._filter = _Filter(self.words)

    def find(self, words: np.ndarray) -> np.ndarray:
        """Returns the places of the words (n,) that are in the set."""
        which = self._filter.places(words)
        _, equal = _search(self.words, words[which])
        return which[equal]


def _search(known: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places (n,) of words among sorted words, and whether they are there."""
    if not len(known):
        return np.zeros(len(words), np.intp), np.zeros(len(words), bool)
    place = np.searchsorted(known, words).clip(max=len(known) - 1)
    return place, known[place] == words


class _Table:
    """Words (k,), and the elements that have them, their owners.

    Attributes:
        owners: the owners, sorted by word; those of a word start at its `begins`.
        sets: for each word the sets of all its owners, as bits.
    """

    def __init__(self, words: np.ndarray, owners: np.ndarray, sets: np.ndarray):
        order = np.argsort(words)
        words = words[order]
        begins = np.flatnonzero(np.append(True, words[1:] != words[:-1])[: len(words)])
        self.words, self.begins = words[begins], np.append(begins, len(words))
        self.owners = owners[order].astype(np.int32)
        self.sets = np.zeros(0, np.uint64)
        if len(words):
            self.sets = np.bitwise_or.reduceat(sets[self.owners], begins)

    def mark(
        self, words: np.ndarray, rows: np.ndarray, sets: np.ndarray, related: np.ndarray
    ) -> None:
        """Records that the rows with these words are relatives of the owners of the words."""
        place, here = _search(self.words, words)
        place = place[here]
        sets[rows[here]] |= self.sets[place]
        place = np.unique(place)
        at, _ = _spread(self.begins[place], self.begins[place + 1] - self.begins[place])
        related[self.owners[at]] = True


def _spread(begins: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers of all ranges, which are given by first number and size, and the range of
    each number."""
    which = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return np.arange(len(which)) + (begins - before)[which], which


class _NearIndex:
    """An index of sequences (k, length) without padding, to find others within a Hamming distance.

    Args:
        rows: (k,), their places among all sequences of the index.
        sets: the sets of all sequences of the index.
    """

    def __init__(self, tokens: np.ndarray, rows: np.ndarray, sets: np.ndarray, distance: int):
        both = np.concatenate([tokens, reverse_complement(tokens)])
        self._owners = np.concatenate([rows, rows])
        self._sets, self._distance = sets, distance
        self._part, self._pairs = _parts(tokens, distance)
        self._planes = _planes(both)
        words = self._words(both.T)
        self._filters = [_Filter(some) for some in words]
        elements = np.tile(np.arange(len(both)), len(words))
        self._table = _Table(np.concatenate(words), elements, sets[self._owners])

    def _words(self, text: np.ndarray) -> list[np.ndarray]:
        """Returns the hashes (n,) of each pair of parts. Equal letters in different pairs have
        different hashes."""
        hashes = _part_hashes(text, self._part, self._pairs)
        return [_words(hashes, *pair) + _power(n) for n, pair in enumerate(self._pairs)]

    def relatives(self, text: np.ndarray, related: np.ndarray, budget: _Budget) -> np.ndarray:
        """Returns the sets (n,) in which sequences (length, n) have a relative, and marks these
        relatives in `related`."""
        sets = np.zeros(text.shape[1], np.uint64)
        words = self._words(text)
        rows = [known.places(some) for known, some in zip(self._filters, words, strict=True)]
        words = np.concatenate([some[which] for some, which in zip(words, rows, strict=True)])
        place, here = _search(self._table.words, words)
        self._compare(np.concatenate(rows)[here], place[here], text, sets, related, budget)
        return sets

    def _compare(
        self,
        rows: np.ndarray,
        place: np.ndarray,
        text: np.ndarray,
        sets: np.ndarray,
        related: np.ndarray,
        budget: _Budget,
    ) -> None:
        """Compares rows (m,) with the owners of a word that they have, which `place` gives. Each
        row is compared until all sets in which it can have a relative are known. Then each owner
        without a known relative is compared with the remaining rows until one is found."""
        table = self._table

        def look(rows, elements):
            owners = self._owners[elements]
            budget.spend(len(rows))
            news = ((self._sets[owners] & ~sets[rows]) != 0) | ~related[owners]
            rows, owners, elements = rows[news], owners[news], elements[news]
            some, inverse = np.unique(rows, return_inverse=True)
            one = _planes(text[:, some].T)[..., inverse]
            near = _differences(one, self._planes[..., elements]) <= self._distance
            np.bitwise_or.at(sets, rows[near], self._sets[owners[near]])
            related[owners[near]] = True

        begins = table.begins[place]
        early = _in_turn(
            table.begins[place + 1] - begins,
            lambda n, turn: look(rows[n], table.owners[begins[n] + turn]),
            lambda n: (table.sets[place[n]] & ~sets[rows[n]]) != 0,
        )
        if not len(early):
            return
        early = early[np.argsort(place[early], kind="stable")]
        places, first = np.unique(place[early], return_index=True)
        number = np.diff(first, append=len(early))
        at, which = _spread(table.begins[places], np.diff(table.begins)[places])
        unknown = ~related[self._owners[table.owners[at]]]
        elements, which = table.owners[at[unknown]], which[unknown]
        _in_turn(
            number[which],
            lambda n, turn: look(rows[early[first[which[n]] + turn]], elements[n]),
            lambda n: ~related[self._owners[elements[n]]],
        )


def _in_turn(
    numbers: np.ndarray,
    look: Callable[[np.ndarray, np.ndarray], None],
    is_open: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Compares each of n searchers with its candidates, as long as the searcher is open. All open
    searchers proceed together, first by one candidate, then by more and more.

    Each searcher starts at a different candidate, so that many candidates are soon covered.

    Args:
        numbers: (n,), the number of candidates of each searcher.
        look: compares searchers with their candidates, given by their places from 0.
        is_open: returns the mask of those among given searchers that must continue.

    Returns:
        The searchers that stopped before their last candidate.
    """
    left, done, step = np.arange(len(numbers)), 0, 1
    early = []
    while len(left):
        turn, which = _spread(np.full(len(left), done), np.minimum(numbers[left] - done, step))
        these = left[which]
        look(these, (turn + these) % numbers[these])
        done += step
        left = left[numbers[left] > done]
        going_on = is_open(left)
        early.append(left[~going_on])
        left = left[going_on]
        step = min(2 * step, max(1, TILE // max(len(left), 1)))
    return np.concatenate(early) if early else left


class _EndIndex:
    """An index of sequences (k, length; padded with N), to find others that overlap them, contain
    them or lie within them, on either strand. Equal hashes of 64 bits are taken as equal
    letters."""

    def __init__(self, tokens: np.ndarray, size: np.ndarray, sets: np.ndarray, overlap: int):
        self._overlap = overlap
        self._text = np.concatenate([tokens, _turned(tokens, size)]).T.copy()
        self._size, self._sets = np.concatenate([size, size]), sets
        self._owners = np.concatenate([np.arange(len(size))] * 2)
        self._tables, self._whole, self._windows = {}, {}, {}
        windows, heads = [np.zeros(0, np.uint64)], np.zeros(0, np.uint64)
        for m, (start, end, *_) in enumerate(_ends(self._text, self._size), start=1):
            if m < overlap:
                continue
            long = np.flatnonzero(self._size >= m)
            if m == overlap:
                windows += [start[long], end[long]]
                windows += [w for *_, w in _windows(self._text, self._size, m, start)]
                heads = start[long]
            self._tables[m] = self._table(start[long], long), self._table(end[long], long)
            if len(whole := np.flatnonzero(self._size == m)):
                self._whole[m] = self._table(start[whole], whole)
        self._words, self._heads = _Words(np.concatenate(windows)), _Words(heads)

    def _table(self, words: np.ndarray, rows: np.ndarray) -> _Table:
        return _Table(words, self._owners[rows], self._sets)

    def mark(
        self, text: np.ndarray, size: np.ndarray, sets: np.ndarray, related: np.ndarray
    ) -> None:
        """Adds to `sets` (n,) the sets in which sequences (length, n) have a relative, and marks
        these relatives in `related`."""
        # The first or the last letters of a relative occur in a sequence of the index, or the
        # relative contains the first letters of such a sequence.
        m = self._overlap
        if len(text) < m:
            return
        long = np.flatnonzero(size >= m)
        some = text if len(long) == len(size) else text[:, long]
        start, end = _hash(some[:m]), _hash(_last(some, size[long], m))
        hits = [self._words.find(start), self._words.find(end)]
        if self._whole:
            shortest = min(self._whole)
            for at, rows, window in _windows(some, size[long], m, start):
                room = at + shortest < size[long[rows]]
                if not room.any():
                    break
                hits.append(rows[room][self._heads.find(window[room])])
        rows = np.unique(long[np.concatenate(hits)])
        if not len(rows):
            return
        text, size = text[:, rows], size[rows]
        for m, (start, end, *_) in enumerate(_ends(text, size), start=1):
            if m < self._overlap:
                continue
            here = size >= m
            if m in self._tables:
                starts, ends = self._tables[m]
                ends.mark(start[here], rows[here], sets, related)
                starts.mark(end[here], rows[here], sets, related)
            here = size == m
            if here.any():
                self._within(m).mark(start[here], rows[here], sets, related)
            if m in self._whole:
                for _, inner, window in _windows(text, size, m, start):
                    self._whole[m].mark(window, rows[inner], sets, related)

    def _within(self, m: int) -> _Table:
        """Returns the words of m letters within longer sequences, which are computed at first
        use."""
        if m not in self._windows:
            start, *_ = next(itertools.islice(_ends(self._text, self._size), m - 1, None))
            parts = [(rows, words) for _, rows, words in _windows(self._text, self._size, m, start)]
            rows = np.concatenate([np.zeros(0, int), *(rows for rows, _ in parts)])
            words = np.concatenate([np.zeros(0, np.uint64), *(words for _, words in parts)])
            self._windows[m] = self._table(words, rows)
        return self._windows[m]


def medoids(tokens: np.ndarray, families: np.ndarray) -> np.ndarray:
    """Returns a mask (n,) of one sequence for each family: the first with the smallest sum of
    Hamming distances to the other members.

    Args:
        tokens: (n, length) uint8, padded with N at the end.
        families: (n,) int, from 0.
    """
    # The smallest sum of distances is the largest sum of agreements, which follows from the counts
    # of the letters.
    agreements = np.zeros(len(tokens), np.int64)
    for position in tokens.T:
        letter = families * len(ALPHABET) + position
        agreements += np.bincount(letter)[letter]
    order = np.lexsort((-agreements, families))
    _, first = np.unique(families[order], return_index=True)
    chosen = np.zeros(len(tokens), bool)
    chosen[order[first]] = True
    return chosen
