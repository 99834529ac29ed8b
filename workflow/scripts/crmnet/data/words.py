"""Hashes of words of sequences, and comparisons of sequences by bits, to search for relatives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crmnet.data.sequences import ALPHABET, COMPLEMENT

# The number of comparisons at once, small enough for their data to stay in a processor's cache.
TILE = 1 << 15
# A search with more comparisons would take more than a few minutes.
MOST = 10**10
# The fewest letters of two parts together, if that is possible; and the approximate number of pairs
# of parts.
PAIR_LETTERS = 12
PAIRS = 15
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


class Budget:
    """Counts comparisons, and raises `TooAlike` beyond `most`."""

    def __init__(self, most: float, number: int):
        self.most, self.number, self.spent = most, number, 0

    def spend(self, comparisons: int) -> None:
        self.spent += comparisons
        if self.spent > self.most:
            raise TooAlike(self.number)


def parts_of(tokens: np.ndarray, distance: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
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


def part_hashes(text: np.ndarray, part: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Returns hashes (parts, n), below 2^32, of the letters of each part of `text`, sequences in
    the form (length, n)."""
    # Some parts are in no pair, or have no letters.
    parts = 1 + max(part.max(initial=0), *(max(pair) for pair in pairs))
    hashes = np.zeros((parts, text.shape[1]), np.uint32)
    for letters, at in zip(text, part, strict=True):
        hashes[at] *= np.uint32(BASE & 0xFFFFFFFF)
        hashes[at] += letters
    return hashes.astype(np.uint64)


def word_hashes(hashes: np.ndarray, one: int, two: int) -> np.ndarray:
    """Returns the hashes (n,) of two parts together. Their first bits are well mixed."""
    return (hashes[one] << np.uint64(32) | hashes[two]) * np.uint64(BASE)


def planes_of(tokens: np.ndarray, bits: int = 3) -> np.ndarray:
    """Returns the bits of tokens (n, length) as (bits, words, n) uint64: the lowest bit of each
    token first, then the higher bits, 64 positions per word."""
    planes = []
    for bit in range(bits):
        packed = np.packbits((tokens >> bit) & 1, axis=1)
        padded = np.zeros((len(tokens), -(-packed.shape[1] // 8) * 8), np.uint8)
        padded[:, : packed.shape[1]] = packed
        planes.append(np.ascontiguousarray(padded.view(np.uint64).T))
    return np.array(planes).reshape(bits, -(-tokens.shape[1] // 64), len(tokens))


def differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the number of positions in which sequences differ, from their planes (bits, words,
    ...)."""
    different = np.bitwise_or.reduce(one ^ other, axis=0)
    return np.bitwise_count(different).sum(axis=0, dtype=np.uint16)


def ends_of(text: np.ndarray, size: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields for 1, 2, ... letters the hashes (n,) of the first and the last letters of each
    sequence and of its reverse complement. The hashes of shorter sequences have no meaning.

    Args:
        text: (length, n), padded with N.
    """
    columns = np.arange(text.shape[1])
    start = end = start_other = end_other = np.zeros(text.shape[1], np.uint64)
    for m, left in enumerate(text):
        right = text[np.maximum(size - 1 - m, 0), columns]
        power = power_of_base(m)
        start = start * power_of_base(1) + value_of(left)
        end = end + value_of(right) * power
        start_other = start_other * power_of_base(1) + value_of(COMPLEMENT[right])
        end_other = end_other + value_of(COMPLEMENT[left]) * power
        yield start, end, start_other, end_other


def windows_of(
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
        window = (window - value_of(text[at - 1, rows]) * power_of_base(m - 1)) * power_of_base(1)
        window = window + value_of(text[at - 1 + m, rows])
        yield at, rows, window


def value_of(letters: np.ndarray) -> np.ndarray:
    """Returns letters as numbers above 0, the terms of a hash."""
    return letters.astype(np.uint64) + np.uint64(1)


def power_of_base(exponent: int) -> np.uint64:
    return np.uint64(pow(BASE, exponent, 2**64))


class Filter:
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


def search_words(known: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places (n,) of words among sorted words, and whether they are there."""
    if not len(known):
        return np.zeros(len(words), np.intp), np.zeros(len(words), bool)
    place = np.searchsorted(known, words).clip(max=len(known) - 1)
    return place, known[place] == words
