"""Saliency maps of the inserts of a test set: their file, and input-masked gradients. Numpy and
pandas only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from crmnet.data import damage
from crmnet.data.sequences import N

# Of each array in the file.
TYPES = {
    "row": np.int64,
    "tokens": np.uint8,
    "gradient": np.float32,
    "prediction": np.float32,
    "measured": np.float32,
    "start": np.int64,
}


@dataclass(frozen=True)
class Maps:
    """Saliency maps of n inserts, the longest of `width` bases.

    Attributes:
        row: (n,) of the test table, from 0.
        tokens: (n, width) of uint8, the inserts; N behind shorter ones.
        gradient: (n, width, 4), d prediction / d one-hot input of A C G T at each position; 0
            behind shorter inserts.
        prediction: (n,) expression.
        measured: (n,) expression.
        start: (n,) where the inserts begin in the model's input.
    """

    row: np.ndarray
    tokens: np.ndarray
    gradient: np.ndarray
    prediction: np.ndarray
    measured: np.ndarray
    start: np.ndarray

    def __post_init__(self):
        n, width = self.tokens.shape
        shapes = {"tokens": (n, width), "gradient": (n, width, 4)}
        for name in TYPES:
            shape, expected = getattr(self, name).shape, shapes.get(name, (n,))
            if shape != expected:
                raise ValueError(f"`{name}` has the shape {shape} in place of {expected}")

    def __len__(self) -> int:
        return len(self.row)

    def of(self, rows: Sequence[int]) -> Maps:
        """The maps of these rows of the test table, in their order.

        Raises:
            ValueError: a row has no map.
        """
        at = pd.Index(self.row).get_indexer(np.asarray(rows, np.int64))
        if (at < 0).any():
            row = np.asarray(rows)[at < 0][0]
            raise ValueError(
                f"row {row} (from 0) of the test table has no saliency map: the maps are of "
                "another table; make them anew"
            )
        return Maps(**{name: getattr(self, name)[at] for name in TYPES})


def window(values: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
    """values (n, length, ...) from position `start` (n,) on: (n, width, ...). Beyond the end, what
    stands last."""
    columns = np.minimum(start[:, None] + np.arange(width), values.shape[1] - 1)
    return values[np.arange(len(values))[:, None], columns]


def same_inserts(maps: Maps, tokens: np.ndarray) -> bool:
    """Whether the inserts of the maps stand where they should in the test table's tokens
    (n, length)."""
    if maps.row.max(initial=-1) >= len(tokens):
        return False
    inserts = window(tokens[maps.row], maps.start, maps.tokens.shape[1])
    return bool(((inserts == maps.tokens) | (maps.tokens == N)).all())


def masked(gradient: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Input-masked gradients (n, width): those of the bases that are there, 0 at N.

    Args:
        gradient: (n, width, 4), of A C G T.
        tokens: (n, width).
    """
    at = np.minimum(tokens, 3)[..., None].astype(np.intp)
    return np.where(tokens == N, 0, np.take_along_axis(gradient, at, axis=-1)[..., 0])


def save(path: str | Path, maps: Maps) -> None:
    """Writes maps as arrays of numpy (`.npz`); the same maps are the same bytes."""
    arrays = {name: getattr(maps, name).astype(kind) for name, kind in TYPES.items()}
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **arrays)


def load(path: str | Path) -> Maps:
    """Reads maps that `save` wrote.

    Raises:
        ValueError: the file is damaged, or has not these arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as saved:
            return Maps(**{field.name: saved[field.name] for field in fields(Maps)})
    except damage.ARRAYS as error:
        raise ValueError(
            f"{path}: is no whole file of saliency maps ({error}); delete it, to have it made anew"
        ) from error
