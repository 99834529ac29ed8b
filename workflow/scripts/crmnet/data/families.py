"""Finds relatives among sequences, groups them into families, and picks a representative of each.
Needs no deep-learning framework. `relatives` compares sequences with a small set of others.

Two sequences are relatives if one of these holds, on the same strand or on opposite strands: they
have the same length and differ in few positions (Hamming distance); the end of one equals the start
of the other over many letters, as between tiles of one promoter; or one contains the other. N
matches only N.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crmnet.data.sequences import ALPHABET, COMPLEMENT, N, lengths, reverse_complement
from crmnet.data.words import (
    MOST,
    PAIRS,
    TILE,
    Budget,
    Filter,
    TooAlike,
    differences,
    ends_of,
    part_hashes,
    parts_of,
    planes_of,
    search_words,
    windows_of,
    word_hashes,
)
from crmnet.logs import Progress

# In groups of equal words up to this size, all pairs are compared. In larger groups, pairs that
# other sequences already link are skipped.
SMALL = 256
# The number of links that are collected before families are merged.
LINKS = 1 << 12


def families(tokens: np.ndarray, distance: int = 8, overlap: int = 30) -> np.ndarray:
    """Returns the family (n,) of each sequence. Relatives are linked into families (single
    linkage).

    The search is exact, and near-linear in time and memory. For the Hamming distance, a sequence is
    compared only with sequences that share some of its parts (see `parts_of`). For overlaps, an end
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
    planes = np.concatenate([planes_of(tokens, bits), planes_of(other, bits)], axis=-1)
    part, pairs = parts_of(tokens, distance)
    hashes = part_hashes(np.concatenate([tokens, other]).T.copy(), part, pairs)
    budget = Budget(min(MOST, max(number, SMALL) ** 2), number)
    near = _Near(search, np.concatenate([rows, rows]), planes, distance, budget)
    try:
        for turn, (one, two) in enumerate(pairs):
            near.link(word_hashes(hashes, one, two))
            progress(done + PAIRS * number * turn / len(pairs))
    except TooAlike:
        if number**2 > MOST:
            raise
        # There are few enough sequences to compare all with all.
        budget.most = math.inf
        near.walk(np.arange(2 * number))
    search.merge()


class _Near:
    """Links elements that have equal words and are near each other.

    Args:
        rows: (2n,) the sequence of each element.
        planes: see `planes_of`.
    """

    def __init__(
        self,
        search: _Search,
        rows: np.ndarray,
        planes: np.ndarray,
        distance: int,
        budget: Budget,
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
                one = one[differences(a, b) <= self.distance]
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
        return differences(one, other) <= self.distance


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
    for m, ends in enumerate(ends_of(text, size), start=1):
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
    known = Filter(words)
    for at, rows, window in windows_of(text, size, m, ends[START]):
        hits = known.places(window)
        place = np.searchsorted(words, window[hits]).clip(0, len(words) - 1)
        equal = words[place] == window[hits]
        hits, place = rows[hits[equal]], order[place[equal]]
        if len(hits):
            strand, row = np.divmod(place, len(whole))
            one = whole[row], 2 * strand + START
            # The window is the start of the sequence from there on.
            _link_equal(search, tokens, size, m, one, (hits, START), np.arange(len(hits)), at)


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


def _common(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places in `one` and in `other` of the hashes that occur in both."""
    places = Filter(other).places(one)
    others = Filter(one[places]).places(other)
    here = search_words(np.sort(other[others]), one[places])[1]
    there = search_words(np.sort(one[places]), other[others])[1]
    return places[here], others[there]


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
