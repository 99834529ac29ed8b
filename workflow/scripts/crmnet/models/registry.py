"""The architectures that a model of the config can name. Each is a file in `architectures/`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

# Only what builds a model imports a framework: the check of a config needs the names alone.
if TYPE_CHECKING:
    import keras

FOLDER = Path(__file__).with_name("architectures")


def names() -> list[str]:
    """The names of all architectures: those of the files."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def builder(name: str) -> Callable[..., keras.Model]:
    """The function that builds an architecture: it takes `length`, and what the config sets.

    Raises:
        ValueError: there is no such architecture.
    """
    if name not in names():
        raise ValueError(f"there is no architecture {name!r}; there is {', '.join(names())}")
    return getattr(importlib.import_module(f"crmnet.models.architectures.{name}"), name)


def build(architecture: str, length: int, **arguments: object) -> keras.Model:
    """A new model, from tokens (batch, length) of uint8 to expression (batch, 1) of float32.

    Args:
        architecture: one of `names()`.
        length: the number of tokens of a sequence.
        arguments: what the builder takes besides it, such as `width`.
    """
    return builder(architecture)(length, **arguments)
