"""DNA sequences as tokens: alphabet, padding, one-hot, flanks, keys and hashes. Needs numpy
only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALPHABET = "ACGTN"
A, C, G, T, N = range(5)
INVALID = 255

TOKEN_OF_BYTE = np.full(256, INVALID, np.uint8)
for _token, _letter in enumerate(ALPHABET):
    TOKEN_OF_BYTE[[ord(_letter), ord(_letter.lower())]] = _token

_BYTE_OF_TOKEN = np.frombuffer(ALPHABET.encode(), np.uint8)
COMPLEMENT = np.array([T, G, C, A, N], np.uint8)


@dataclass(frozen=True)
class Construct:
    """The reporter construct: constant flanks around an insert of nominal length `insert_length`.
    The model reads it as `length` tokens."""

    left_flank: str
    right_flank: str
    insert_length: int
    length: int


def tokenise(sequence: str) -> np.ndarray:
    """Returns the tokens (uint8, A C G T N = 0..4) of one sequence. Lower case is read as upper
    case.

    Raises:
        ValueError: a letter is not one of ACGTN.
    """
    tokens = TOKEN_OF_BYTE[np.frombuffer(sequence.encode(), np.uint8)]
    if (tokens == INVALID).any():
        bad = sequence[int(np.argmax(tokens == INVALID))]
        raise ValueError(f"letter {bad!r} is not one of {ALPHABET}")
    return tokens


def bad_letter(sequence: str) -> str | None:
    """Returns an error text for the first letter of a sequence outside ACGTN; None if there is
    none."""
    for position, letter in enumerate(sequence, start=1):
        if letter.upper() not in ALPHABET:
            return f"letter {letter!r} (position {position}) is not one of {ALPHABET}"
    return None


def letters(tokens: np.ndarray) -> str:
    """Returns the sequence of one row of tokens, without the N around it."""
    return _BYTE_OF_TOKEN[tokens].tobytes().decode().strip("N")


def texts(tokens: np.ndarray, lengths: np.ndarray) -> list[str]:
    """Returns the first letters of each row of tokens (n, length), as many as `lengths` (n,) says.
    This keeps each N among them, so that letters and saliency have the same positions."""
    text = _BYTE_OF_TOKEN[tokens]
    return [row[:size].tobytes().decode() for row, size in zip(text, lengths, strict=True)]


def encode(sequences: Sequence[str], length: int, strip: bool = True) -> np.ndarray:
    """Returns the tokens (n, length), uint8, of sequences without the N around them, padded with N
    or cut at the end. With `strip` false, N at the start of a sequence keeps its place.

    The paper (section 4.3) pads and truncates at the end, to 112. Some files are already padded
    (the published random test set on the left). Removing that N puts the promoter where the model
    saw it in training.

    Raises:
        ValueError: a letter is not one of ACGTN.
    """
    buffer = tokenise("N".join(sequences))
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    ends = np.cumsum(lengths + 1) - 1
    starts = ends - lengths
    return pad(buffer, *(strip_n(buffer, starts, ends) if strip else (starts, ends)), length)


def strip_n(
    buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the starts and ends, in a buffer of tokens, of sequences without the N around
    them."""
    starts, ends = starts.copy(), ends.copy()
    rows = np.flatnonzero(ends > starts)
    while rows.size:
        rows = rows[buffer[starts[rows]] == N]
        starts[rows] += 1
        rows = rows[ends[rows] > starts[rows]]
    rows = np.flatnonzero(ends > starts)
    while rows.size:
        rows = rows[buffer[ends[rows] - 1] == N]
        ends[rows] -= 1
        rows = rows[ends[rows] > starts[rows]]
    return starts, ends


def pad(buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, length: int) -> np.ndarray:
    """Returns the tokens (n, length) of the sequences buffer[start:end], padded with N or cut at
    the end."""
    return _window(buffer, starts, starts, ends, length)


def _window(
    buffer: np.ndarray, origins: np.ndarray, starts: np.ndarray, ends: np.ndarray, width: int
) -> np.ndarray:
    """Returns the tokens (n, width) from position `origin` on, with N outside of start..end."""
    margin = np.full(width, N, np.uint8)
    padded = np.concatenate([margin, buffer, margin])
    tokens = np.lib.stride_tricks.sliding_window_view(padded, width)[origins + width]
    column = np.arange(width, dtype=np.int32)
    low, high = (starts - origins).astype(np.int32), (ends - origins).astype(np.int32)
    outside = column >= high[:, None]
    if (low > 0).any():
        outside |= column < low[:, None]
    np.copyto(tokens, N, where=outside)
    return tokens


def one_hot(tokens: np.ndarray) -> np.ndarray:
    """Returns one-hot (n, length, 5), float32, with channels A C G T N (paper, section 4.3)."""
    return np.eye(len(ALPHABET), dtype=np.float32)[tokens]


def reverse_complement(tokens: np.ndarray) -> np.ndarray:
    """Returns the reverse complement along the last axis."""
    return COMPLEMENT[tokens][..., ::-1]


def lengths(tokens: np.ndarray) -> np.ndarray:
    """Returns the lengths (n,) of rows of tokens padded at the end, up to the last base."""
    if not tokens.size:
        return np.zeros(len(tokens), np.int64)
    known = tokens[:, ::-1] != N
    first = known.argmax(axis=1)
    return np.where(known[np.arange(len(tokens)), first], tokens.shape[1] - first, 0)


def words(tokens: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of the word that begins at each place (n, places), with two bits per
    letter, the first letter highest; and whether the word has no N."""
    number = max(tokens.shape[1] - length + 1, 0)
    numbers = np.zeros((len(tokens), number), np.int64)
    known = np.ones(numbers.shape, bool)
    for shift in range(length if number else 0):
        column = tokens[:, shift : shift + number]
        numbers = 4 * numbers + column % 4
        known &= column != N
    return numbers, known


def codes(tokens: np.ndarray, length: int) -> np.ndarray:
    """Returns the number in base 5 of the word that begins at each place of the last axis (...,
    places), the first letter highest. N is a letter like the others."""
    number = max(tokens.shape[-1] - length + 1, 0)
    numbers = np.zeros((*tokens.shape[:-1], number), np.intp)
    for shift in range(length if number else 0):
        numbers = len(ALPHABET) * numbers + tokens[..., shift : shift + number]
    return numbers


def reverse_words(numbers: np.ndarray, length: int) -> np.ndarray:
    """Returns the numbers of the reverse complements of `words`."""
    reverse = np.zeros_like(numbers)
    for _ in range(length):
        numbers, letter = numbers >> 2, numbers & 3
        reverse = 4 * reverse + 3 - letter
    return reverse


def in_construct(inserts: np.ndarray, construct: Construct) -> np.ndarray:
    """Returns the tokens (n, flanks + longest) of inserts (n, longest) between the flanks, padded
    with N at the end."""
    left, right = tokenise(construct.left_flank), tokenise(construct.right_flank)
    number, longest = inserts.shape
    tokens = np.full((number, len(left) + longest + len(right)), N, np.uint8)
    tokens[:, : len(left)] = left
    tokens[:, len(left) : len(left) + longest] = inserts
    ends = len(left) + (inserts != N).sum(axis=1)
    tokens[np.arange(number)[:, None], ends[:, None] + np.arange(len(right))] = right
    return tokens


def insert_span(tokens: np.ndarray, construct: Construct) -> tuple[np.ndarray, np.ndarray]:
    """Returns the start and end (n,) of the insert in rows of tokens padded at the end.

    A flank is recognised only if it is there letter for letter.
    """
    ends = lengths(tokens)
    flat = np.ascontiguousarray(tokens).reshape(-1)
    offsets = np.arange(len(tokens)) * tokens.shape[1]
    flanked = has_flanks(flat, offsets, offsets + ends, construct)
    starts, ends = _without_flanks(offsets, offsets + ends, construct, flanked)
    return starts - offsets, ends - offsets


def has_flanks(
    buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, construct: Construct
) -> tuple[np.ndarray, np.ndarray]:
    """Returns which sequences buffer[start:end] (n,) have the left flank, and which the right one,
    letter for letter. The two do not share letters. An empty flank is there."""
    left, right = tokenise(construct.left_flank), tokenise(construct.right_flank)
    windows = _window(buffer, ends - len(right), starts, ends, len(right))
    at_end = (windows == right).all(axis=1)
    ends = np.where(at_end, ends - len(right), ends)
    windows = _window(buffer, starts, starts, ends, len(left))
    return (windows == left).all(axis=1), at_end


def _without_flanks(
    starts: np.ndarray,
    ends: np.ndarray,
    construct: Construct,
    flanked: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    left, right = flanked
    starts = np.where(left, starts + len(construct.left_flank), starts)
    return starts, np.where(right, ends - len(construct.right_flank), ends)


def leak_keys(
    buffer: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    construct: Construct,
    flanked: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Returns keys (n, insert_length), uint8. Two measured sequences are the same if their keys
    are.

    A key is the last `insert_length` letters of a sequence without N-padding and flanks, padded
    with N at the start. The last letters count because published test sets cut longer sequences
    from the left.

    Args:
        flanked: what `has_flanks` returns for these sequences, if it is known. There must then be
            no N around them.
    """
    if flanked is None:
        starts, ends = strip_n(buffer, starts, ends)
        flanked = has_flanks(buffer, starts, ends, construct)
    starts, ends = _without_flanks(starts, ends, construct, flanked)
    width = construct.insert_length
    return _window(buffer, ends - width, starts, ends, width)


def unpadded(keys: np.ndarray) -> np.ndarray:
    """Returns keys (n, insert_length) that are padded with N at the end, not at the start."""
    width = keys.shape[1]
    rows = np.flatnonzero((keys[:, :1] == N).any(axis=1))
    if not len(rows):
        return keys
    starts = np.arange(len(rows)) * width
    flat = keys[rows].reshape(-1)
    keys = keys.copy()
    keys[rows] = pad(flat, *strip_n(flat, starts, starts + width), width)
    return keys


def strand_hashes(keys: np.ndarray, seed: int = 0) -> np.ndarray:
    """Returns 64-bit hashes (n,) of keys (n, insert_length; padded with N at the start). A sequence
    and its reverse complement have the same hash.

    At each place, the letters of the two strands are hashed without their order, which is much
    faster than to find out which strand comes first. Others that share a hash would have to
    exchange letters between two places from one strand to the other."""
    # The second half of the places has the complements of the first.
    half = -(-keys.shape[1] // 2)
    strand = unpadded(keys)[:, :half]
    # In uint8, the complement of N is 3 - 4 = 255, which becomes N again.
    other = np.minimum(np.uint8(T) - keys[:, ::-1][:, :half], np.uint8(N))
    return hashes(8 * np.maximum(strand, other) + np.minimum(strand, other), seed)


def hashes(keys: np.ndarray, seed: int = 0) -> np.ndarray:
    """Returns 64-bit hashes (n,) of rows of tokens (n, width): multiply and xor-shift, word by word
    (the finaliser of splitmix64, Steele et al. 2014)."""
    words = -(-keys.shape[1] // 8)
    padded = np.zeros((len(keys), 8 * words), np.uint8)
    padded[:, : keys.shape[1]] = keys
    columns = padded.view("<u8")
    state = np.full(len(keys), (seed * 0x9E3779B97F4A7C15 + 1) % 2**64, np.uint64)
    for word in range(words):
        state = (state + np.uint64(0x9E3779B97F4A7C15)) ^ columns[:, word]
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return state
