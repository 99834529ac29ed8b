"""Families of near-identical sequences, and a representative of each. No framework."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crmnet.sequences import ALPHABET, lengths, one_hot

# Sequences compared at once with as many others: bounds the memory, whatever the families.
TILE = 2048


def families(tokens: np.ndarray, distance: int = 8) -> np.ndarray:
    """Family (n,) of each sequence: single linkage by Hamming distance.

    Two sequences of one length within `distance` of each other are of one family, and so are those
    that others link. Sequences of different lengths never are. All pairs are compared: time grows
    with the square of n, memory with n.

    Args:
        tokens: (n, length) uint8, N behind shorter sequences; elsewhere N is like itself alone.
        distance: positions in which direct relatives may differ.

    Returns:
        Numbers from 0, in the order in which the families first appear.
    """
    size = lengths(tokens)
    labels = np.arange(len(tokens))
    for length in np.unique(size):
        rows = np.flatnonzero(size == length)
        labels[rows] = rows[_linked(tokens[rows, :length], distance)]
    _, first, labels = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[labels]


def _linked(tokens: np.ndarray, distance: int) -> np.ndarray:
    """Labels (n,) below n, the same for sequences (n, length) without padding that are linked."""
    number, length = tokens.shape
    hot = one_hot(tokens).reshape(number, length * len(ALPHABET))
    hot = hot[:, hot.any(axis=0)]
    labels = np.arange(number)
    for row in range(0, number, TILE):
        for column in range(row, number, TILE):
            # How often two sequences agree. Whole numbers this small are exact in float32.
            same = hot[row : row + TILE] @ hot[column : column + TILE].T
            near = np.flatnonzero(same >= length - distance)
            one, other = np.divmod(near, same.shape[1])
            one, other = labels[row + one], labels[column + other]
            # Pairs are merged as they come: a large family has more of them than memory holds.
            apart = one != other
            if apart.any():
                edges = one[apart], other[apart]
                graph = coo_array((np.ones(len(edges[0]), bool), edges), (number, number))
                labels = connected_components(graph, directed=False)[1][labels]
    return labels


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
