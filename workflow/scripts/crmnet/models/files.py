"""The files of models: Keras's own format (`.keras`)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras

from crmnet.models import registry


def save_model(model: keras.Model, path: str | Path) -> None:
    """Saves a model, whole or not at all: no half of it is left under its name."""
    path = Path(path)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        model.save(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load_model(path: str | Path) -> keras.Model:
    """A model of any architecture, as a rule has saved it. No code in the file is run.

    Raises:
        ValueError: it is no such file, or damaged.
    """
    # Keras knows the layers of a file by name, once the module that defines them is imported.
    for name in registry.names():
        registry.builder(name)
    try:
        # Keras itself reads weights without comparing their checksums.
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} in it is damaged")
        return keras.models.load_model(path, compile=False, safe_mode=True)
    # Keras says in a dozen kinds of errors that a file is not what it should be.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"{path}: is no whole model of this workflow ({reason}); delete it, to have it made "
            "anew"
        ) from error
