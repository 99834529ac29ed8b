"""Finds the architectures that a model of the config can name: the files in `architectures/`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

# Only the functions that build a model import a framework, because the check of a config needs just
# the names.
if TYPE_CHECKING:
    import keras

FOLDER = Path(__file__).with_name("architectures")


def names() -> list[str]:
    """Returns the names of all architectures, which are the names of the files."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def builder(name: str) -> Callable[..., keras.Model]:
    """Returns the function that builds an architecture from `length` and the settings of the
    config.

    Raises:
        ValueError: there is no such architecture.
    """
    if name not in names():
        raise ValueError(f"there is no architecture {name!r}; choose one of {', '.join(names())}")
    return getattr(importlib.import_module(f"crmnet.models.architectures.{name}"), name)


def build(architecture: str, length: int, **arguments: object) -> keras.Model:
    """Builds a new model from tokens (batch, length) of uint8 to expression (batch, 1) of float32.

    Args:
        architecture: one of `names()`.
        length: the number of tokens of a sequence.
        arguments: further arguments of the builder, such as `width`.
    """
    return builder(architecture)(length, **arguments)
