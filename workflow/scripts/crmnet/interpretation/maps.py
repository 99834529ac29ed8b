"""Saliency maps of the inserts of a test set: their file, and input-masked gradients. Needs only
numpy and pandas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from crmnet.data import damage
from crmnet.data.sequences import N

# The type of each array in the file.
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
    """Saliency maps of n inserts. The longest insert has `width` bases.

    Attributes:
        row: (n,) row of each insert in the test table, from 0.
        tokens: (n, width) uint8, the inserts; shorter ones are padded with N.
        gradient: (n, width, 4), d prediction / d one-hot input of A C G T at each position; 0 at
            the padding.
        prediction: (n,) predicted expression.
        measured: (n,) measured expression.
        start: (n,) number of tokens before each insert in the model's input.
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
                raise ValueError(f"the shape of `{name}` is {shape} instead of {expected}")

    def __len__(self) -> int:
        return len(self.row)

    def of(self, rows: Sequence[int]) -> Maps:
        """Returns the maps of some rows of the test table, in the order of `rows`.

        Raises:
            ValueError: a row has no map.
        """
        at = pd.Index(self.row).get_indexer(np.asarray(rows, np.int64))
        if (at < 0).any():
            row = np.asarray(rows)[at < 0][0]
            raise ValueError(
                f"row {row} (from 0) of the test table has no saliency map, so the maps were made "
                "from another table; delete the maps and run the workflow again"
            )
        return Maps(**{name: getattr(self, name)[at] for name in TYPES})


def window(values: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
    """Returns `width` positions of values (n, length, ...) from `start` (n,) on: (n, width, ...).

    Positions beyond the end repeat the last one."""
    columns = np.minimum(start[:, None] + np.arange(width), values.shape[1] - 1)
    return values[np.arange(len(values))[:, None], columns]


def same_inserts(maps: Maps, tokens: np.ndarray) -> bool:
    """Whether the inserts of the maps are those in the test table's tokens (n, length)."""
    if maps.row.max(initial=-1) >= len(tokens):
        return False
    inserts = window(tokens[maps.row], maps.start, maps.tokens.shape[1])
    return bool(((inserts == maps.tokens) | (maps.tokens == N)).all())


def masked(gradient: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Returns input-masked gradients (n, width): the gradient of the base at each position, 0 at N.

    Args:
        gradient: (n, width, 4), in the order A C G T.
        tokens: (n, width).
    """
    at = np.minimum(tokens, 3)[..., None].astype(np.intp)
    return np.where(tokens == N, 0, np.take_along_axis(gradient, at, axis=-1)[..., 0])


def save(path: str | Path, maps: Maps) -> None:
    """Writes maps as numpy arrays (`.npz`). The same maps always give the same bytes."""
    arrays = {name: getattr(maps, name).astype(kind) for name, kind in TYPES.items()}
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **arrays)


def load(path: str | Path) -> Maps:
    """Reads maps that `save` wrote.

    Raises:
        ValueError: the file is damaged or lacks one of the arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as saved:
            return Maps(**{field.name: saved[field.name] for field in fields(Maps)})
    except damage.ARRAYS as error:
        raise ValueError(
            f"{path}: is not a complete file of saliency maps ({error}); delete it and run the "
            "workflow again"
        ) from error
