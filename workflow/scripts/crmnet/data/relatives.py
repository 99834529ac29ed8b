"""Compares many sequences, such as those of training tables, with a small set of others.

`families` defines which sequences are relatives.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from crmnet.data.sequences import COMPLEMENT, N, lengths, reverse_complement
from crmnet.data.words import (
    MOST,
    TILE,
    Budget,
    Filter,
    differences,
    ends_of,
    part_hashes,
    parts_of,
    planes_of,
    power_of_base,
    search_words,
    windows_of,
    word_hashes,
)


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
        words *= power_of_base(1)
        words += row
        words += np.uint64(1)
    return words


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
        self._budget = Budget(MOST, len(tokens))
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
        self._filter = Filter(self.words)

    def find(self, words: np.ndarray) -> np.ndarray:
        """Returns the places of the words (n,) that are in the set."""
        which = self._filter.places(words)
        _, equal = search_words(self.words, words[which])
        return which[equal]


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
        place, here = search_words(self.words, words)
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
        self._part, self._pairs = parts_of(tokens, distance)
        self._planes = planes_of(both)
        words = self._words(both.T)
        self._filters = [Filter(some) for some in words]
        elements = np.tile(np.arange(len(both)), len(words))
        self._table = _Table(np.concatenate(words), elements, sets[self._owners])

    def _words(self, text: np.ndarray) -> list[np.ndarray]:
        """Returns the hashes (n,) of each pair of parts. Equal letters in different pairs have
        different hashes."""
        hashes = part_hashes(text, self._part, self._pairs)
        return [word_hashes(hashes, *pair) + power_of_base(n) for n, pair in enumerate(self._pairs)]

    def relatives(self, text: np.ndarray, related: np.ndarray, budget: Budget) -> np.ndarray:
        """Returns the sets (n,) in which sequences (length, n) have a relative, and marks these
        relatives in `related`."""
        sets = np.zeros(text.shape[1], np.uint64)
        words = self._words(text)
        rows = [known.places(some) for known, some in zip(self._filters, words, strict=True)]
        words = np.concatenate([some[which] for some, which in zip(words, rows, strict=True)])
        place, here = search_words(self._table.words, words)
        self._compare(np.concatenate(rows)[here], place[here], text, sets, related, budget)
        return sets

    def _compare(
        self,
        rows: np.ndarray,
        place: np.ndarray,
        text: np.ndarray,
        sets: np.ndarray,
        related: np.ndarray,
        budget: Budget,
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
            one = planes_of(text[:, some].T)[..., inverse]
            near = differences(one, self._planes[..., elements]) <= self._distance
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
        for m, (start, end, *_) in enumerate(ends_of(self._text, self._size), start=1):
            if m < overlap:
                continue
            long = np.flatnonzero(self._size >= m)
            if m == overlap:
                windows += [start[long], end[long]]
                windows += [w for *_, w in windows_of(self._text, self._size, m, start)]
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
            for at, rows, window in windows_of(some, size[long], m, start):
                room = at + shortest < size[long[rows]]
                if not room.any():
                    break
                hits.append(rows[room][self._heads.find(window[room])])
        rows = np.unique(long[np.concatenate(hits)])
        if not len(rows):
            return
        text, size = text[:, rows], size[rows]
        for m, (start, end, *_) in enumerate(ends_of(text, size), start=1):
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
                for _, inner, window in windows_of(text, size, m, start):
                    self._whole[m].mark(window, rows[inner], sets, related)

    def _within(self, m: int) -> _Table:
        """Returns the words of m letters within longer sequences, which are computed at first
        use."""
        if m not in self._windows:
            start, *_ = next(itertools.islice(ends_of(self._text, self._size), m - 1, None))
            parts = [
                (rows, words) for _, rows, words in windows_of(self._text, self._size, m, start)
            ]
            rows = np.concatenate([np.zeros(0, int), *(rows for rows, _ in parts)])
            words = np.concatenate([np.zeros(0, np.uint64), *(words for _, words in parts)])
            self._windows[m] = self._table(words, rows)
        return self._windows[m]
