"""Relatives among sequences, families of them, and a representative of each. No framework.

Two sequences are relatives if, on the same strand or on opposite ones, they have one length and
differ in few positions (Hamming), or the end of one is the start of the other, letter for letter,
over many letters, as between tiles of one promoter, or one contains the other. N is like itself
alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crmnet.logs import Progress
from crmnet.sequences import ALPHABET, COMPLEMENT, N, lengths, reverse_complement

# Comparisons at once: what they need stays in a processor's cache.
TILE = 1 << 15
# In groups of equal words up to so large, all pairs are compared; in larger ones, no longer those
# of which it is known that others link them.
SMALL = 256
# A search that needs more comparisons would take more than some minutes.
MOST = 10**10
# Links that are gathered before families are merged.
LINKS = 1 << 12
# Of the hashes of words by their letters: an odd number (the golden ratio in 64 bits).
BASE = 0x9E3779B97F4A7C15


class TooAlike(ValueError):
    """Sequences share so many words, without being relatives, that a search would take hours."""

    def __init__(self, number: int):
        super().__init__(
            f"the {number:,} sequences share so many of their letters, without being relatives, "
            "that the search for families would take hours; name the families in a column of the "
            "tables (`columns: {family: ...}`), lower `families: distance`, or, if it is training "
            "tables that are searched, take single sequences (`split: sequences` of the medium)"
        )


def families(tokens: np.ndarray, distance: int = 8, overlap: int = 30) -> np.ndarray:
    """Family (n,) of each sequence: what relatives link (single linkage).

    Exact, and near-linear in time and memory. Relatives by Hamming distance share words: of
    distance + 3 parts of theirs three at least are equal, two of these three in the same half; so
    sequences are compared with those alone that have two such parts in common. An end of one that
    is a start of another has the same hash.

    Args:
        tokens: (n, length) uint8, N behind shorter sequences; elsewhere N is like itself alone.
        distance: positions in which direct relatives of one length may differ.
        overlap: letters, at least, that an end of one and a start of the other share, or that a
            sequence has which another contains.

    Returns:
        Numbers from 0, in the order in which the families first appear.

    Raises:
        TooAlike: the comparisons would take hours.
    """
    search = _Search(tokens)
    size = lengths(tokens)
    starts = max(tokens.shape[1] - overlap + 1, 0)
    pairs = _pairs(distance + 3)
    progress = Progress(len(tokens) * (len(pairs) + starts), "words", "search for families: ")
    for length in np.unique(size):
        rows = np.flatnonzero(size == length)
        done = len(pairs) * int((size < length).sum())
        _link_near(search, rows, tokens[rows, :length], distance, progress, done)
    _link_overlapping(search, tokens, size, overlap, progress)
    _, first, labels = np.unique(search.labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[labels]


class _Search:
    """Labels (n,) below n of n sequences, the same for those that are linked so far."""

    def __init__(self, tokens: np.ndarray):
        self.labels = np.arange(len(tokens))
        self._links: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting = 0

    def link(self, one: np.ndarray, other: np.ndarray) -> None:
        """Notes that sequences of two labels (m,) are of one family."""
        self._links.append((one, other))
        self._waiting += len(one)
        if self._waiting > LINKS:
            self.merge()

    def merge(self) -> None:
        """Gives the sequences of all labels that are linked the smallest of these labels."""
        if not self._waiting:
            return
        one, other = (np.concatenate(column) for column in zip(*self._links, strict=True))
        self._links, self._waiting = [], 0
        # What was linked meanwhile has another label.
        known, flat = np.unique(np.concatenate([one, other]), return_inverse=True)
        edges = flat[: len(one)], flat[len(one) :]
        graph = coo_array((np.ones(len(one), bool), edges), (len(known), len(known)))
        _, component = connected_components(graph, directed=False)
        _, first = np.unique(component, return_index=True)
        target = np.arange(len(self.labels))
        target[known] = known[first][component]
        self.labels = target[self.labels]


# Hamming distance, on either strand.


def _link_near(
    search: _Search,
    rows: np.ndarray,
    tokens: np.ndarray,
    distance: int,
    progress: Progress,
    done: int,
) -> None:
    """Links the `rows` of a search, tokens (n, length) without padding, by Hamming distance.

    Elements 0..n-1 are the sequences, n..2n-1 their reverse complements. Two elements that are near
    are relatives, whichever strands they are.
    """
    number = len(tokens)
    other = reverse_complement(tokens)
    planes = np.concatenate([_planes(tokens), _planes(other)], axis=-1)
    parts = _parts(tokens, distance + 3)
    hashes = np.concatenate(
        [_part_hashes(strand, parts, distance + 3) for strand in (tokens, other)], axis=1
    )
    budget = _Budget(min(MOST, max(number, SMALL) ** 2), number)
    near = _Near(search, np.concatenate([rows, rows]), planes, distance, budget)
    try:
        for turn, (one, two) in enumerate(_pairs(distance + 3)):
            near.link(hashes[one] ^ hashes[two])
            progress(done + turn * number)
    except TooAlike:
        if number**2 > MOST:
            raise
        # So few that all can be compared with all.
        budget.most = math.inf
        near.walk(np.arange(2 * number))
    search.merge()


class _Budget:
    """Counts comparisons, up to `most`."""

    def __init__(self, most: float, number: int):
        self.most, self.number, self.spent = most, number, 0

    def spend(self, comparisons: int) -> None:
        self.spent += comparisons
        if self.spent > self.most:
            raise TooAlike(self.number)


class _Near:
    """Links elements of equal words that are near each other.

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
        """Links near elements whose words (2n,) are equal."""
        members, group = _groups(words)
        if not len(members):
            return
        labels = self.search.labels[self.rows[members]]
        begins = np.flatnonzero(np.diff(group, prepend=-1))
        # Of one label alone, there is nothing to link; reverse complements alone are near each
        # other where their sequences are.
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
        """Links near elements among members, walking breadth-first from one to those that are near
        it: these need no comparison with each other."""
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
                    found = np.unique(labels[left[near]])
                    self.search.link(np.full(len(found), label), found)
                    reached = np.isin(labels[left], found)
                    queue, left = np.concatenate([queue, left[reached]]), left[~reached]

    def _near(self, planes: np.ndarray, these: np.ndarray, those: np.ndarray) -> np.ndarray:
        """Whether each of `these` is near each of `those`, (these, those)."""
        self.budget.spend(len(these) * len(those))
        one, other = planes[..., these, None], planes[..., None, those]
        return _differences(one, other) <= self.distance


def _pairs(parts: int) -> list[tuple[int, int]]:
    """Pairs of parts of which one is equal wherever three parts are: those within either half."""
    half = parts // 2
    return [
        (one, two) for two in range(parts) for one in range(two) if (one < half) == (two < half)
    ]


def _parts(tokens: np.ndarray, parts: int) -> np.ndarray:
    """Which part (length,) each position of tokens (n, length) belongs to, so that all parts tell
    as much: they have the same sum of the entropies of their positions. The backbone that designed
    sequences share tells nothing."""
    counts = np.array([np.bincount(column, minlength=len(ALPHABET)) for column in tokens.T])
    share = counts.reshape(-1, len(ALPHABET)) / max(len(tokens), 1)
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=1) + 1e-9
    middle = np.cumsum(entropy) - entropy / 2
    return (middle / entropy.sum() * parts).astype(int).clip(0, parts - 1)


def _part_hashes(tokens: np.ndarray, part: np.ndarray, parts: int) -> np.ndarray:
    """Hashes (parts, n) of the letters of each part: a random number for each letter at each
    position (Zobrist 1970)."""
    numbers = np.random.default_rng(0).integers(
        0, 2**64, (len(part), len(ALPHABET)), dtype=np.uint64
    )
    hashes = np.zeros((parts, len(tokens)), np.uint64)
    for column, at, number in zip(np.ascontiguousarray(tokens.T), part, numbers, strict=True):
        hashes[at] ^= number[column]
    return hashes


def _groups(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Elements that share their word with another, those of one word one behind the other, and the
    number of their group. Rarely, of two words whose hashes begin alike."""
    bits = np.uint64(max(len(words) - 1, 1).bit_length())
    mask = (np.uint64(1) << bits) - np.uint64(1)
    # To sort numbers alone is several times as fast as to sort their places.
    keys = np.sort((words & ~mask) | np.arange(len(words), dtype=np.uint64))
    same = (keys[1:] ^ keys[:-1]) <= mask
    shared = np.append(same, False) | np.insert(same, 0, False)
    members = (keys[shared] & mask).astype(np.intp)
    return members, np.cumsum(~np.insert(same, 0, False)[shared])


def _planes(tokens: np.ndarray) -> np.ndarray:
    """The bits of tokens (n, length), (3, words, n) uint64: the lowest, the middle and the highest
    bit of each token, 64 positions a word. The highest, N's, is left out where there is none."""
    planes = []
    for bit in range(3 if (tokens == N).any() else 2):
        packed = np.packbits((tokens >> bit) & 1, axis=1)
        padded = np.zeros((len(tokens), -(-packed.shape[1] // 8) * 8), np.uint8)
        padded[:, : packed.shape[1]] = packed
        planes.append(np.ascontiguousarray(padded.view(np.uint64).T))
    return np.array(planes).reshape(len(planes), -1, len(tokens))


def _differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Positions in which sequences differ, of their planes (3, words, ...)."""
    different = np.bitwise_or.reduce(one ^ other, axis=0)
    return np.bitwise_count(different).sum(axis=0, dtype=np.uint16)


# Overlaps, and what lies within another, on either strand.

# An end of a sequence: a row, and which end; `_letters` gives its letters.
START, END, START_OTHER, END_OTHER = range(4)


def _link_overlapping(
    search: _Search, tokens: np.ndarray, size: np.ndarray, overlap: int, progress: Progress
) -> None:
    """Links sequences (n, length), N behind shorter ones, of which an end is a start of another, on
    either strand, over at least `overlap` letters, or that contain another."""
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
    """For 1, 2, ... letters: hashes (n,) of the start and the end of each sequence of so many
    letters, and of the start and the end of its reverse complement. Those of shorter sequences
    mean nothing.

    Args:
        text: (length, n), N behind shorter sequences.
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
    """Links sequences of m letters with those that have one of them, or its reverse complement,
    within."""
    whole = np.flatnonzero(size == m)
    words = np.concatenate([ends[START][whole], ends[START_OTHER][whole]])
    order = np.argsort(words)
    words = words[order]
    known = _Filter(words)
    rows = np.flatnonzero(size > m + 1)
    window = ends[START][rows]
    for at in range(1, len(text) - m):
        # The first and the last m letters are a start and an end.
        inner = size[rows] > at + m
        rows, window = rows[inner], window[inner]
        window = (window - _value(text[at - 1, rows]) * _power(m - 1)) * _power(1)
        window = window + _value(text[at - 1 + m, rows])
        found = np.flatnonzero(known.maybe(window))
        place = np.searchsorted(words, window[found]).clip(0, len(words) - 1)
        equal = words[place] == window[found]
        found, place = rows[found[equal]], order[place[equal]]
        if len(found):
            strand, row = np.divmod(place, len(whole))
            one = whole[row], 2 * strand + START
            # The window is the start of what begins there.
            _link_equal(search, tokens, size, m, one, (found, START), np.arange(len(found)), at)


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
    """Links the sequences of ends `other` (k,) with those of ends `one`, the `first` of them (k,),
    where their m letters are the same; those of `other` begin `at` further on."""
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
    """The letters (k, m) of ends of sequences, `at` letters further on."""
    step = np.arange(m) + at
    size = size[rows][:, None]
    places = [step, size - m + step, size - 1 - step, m - 1 - step]
    kinds = ends[:, None] == np.arange(len(places))
    place = np.select([kind[:, None] for kind in kinds.T], places)
    letters = tokens[rows[:, None], place]
    return np.where((ends >= START_OTHER)[:, None], COMPLEMENT[letters], letters)


def _value(letters: np.ndarray) -> np.ndarray:
    """Letters as numbers above 0, of which hashes are made."""
    return letters.astype(np.uint64) + np.uint64(1)


def _power(exponent: int) -> np.uint64:
    return np.uint64(pow(BASE, exponent, 2**64))


def _common(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in `one` and in `other` of the hashes that stand in both."""
    places = np.flatnonzero(_Filter(other).maybe(one))
    others = np.flatnonzero(_Filter(one[places]).maybe(other))
    both = np.intersect1d(one[places], other[others])
    return places[np.isin(one[places], both)], others[np.isin(other[others], both)]


class _Filter:
    """Tells most hashes that are not among some (n,)."""

    def __init__(self, hashes: np.ndarray):
        bits = max(16 * len(hashes), 2).bit_length()
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros(1 << bits, bool)
        self._table[self._place(hashes)] = True

    def _place(self, hashes: np.ndarray) -> np.ndarray:
        return ((hashes * np.uint64(BASE)) >> self._shift).astype(np.intp)

    def maybe(self, hashes: np.ndarray) -> np.ndarray:
        """Mask of the hashes that may be among them: all that are, and a few more."""
        return np.take(self._table, self._place(hashes))


def medoids(tokens: np.ndarray, families: np.ndarray) -> np.ndarray:
    """Which sequences (n,) stand for their families, one each: those with the smallest sum of
    Hamming distances to the other members; of several, the first.

    Args:
        tokens: (n, length) uint8, N behind shorter sequences.
        families: (n,) int, from 0.
    """
    # The smallest sum of distances is the largest of agreements, which letter counts give.
    agreements = np.zeros(len(tokens), np.int64)
    for position in tokens.T:
        letter = families * len(ALPHABET) + position
        agreements += np.bincount(letter)[letter]
    order = np.lexsort((-agreements, families))
    _, first = np.unique(families[order], return_index=True)
    chosen = np.zeros(len(tokens), bool)
    chosen[order[first]] = True
    return chosen
