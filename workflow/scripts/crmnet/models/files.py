"""Saves and loads models in Keras's own format (`.keras`)."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras

from crmnet.models import registry


def save_model(model: keras.Model, path: str | Path) -> None:
    """Saves a model completely or not at all, so that no partial file is left under its name."""
    path = Path(path)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        model.save(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load_model(path: str | Path) -> keras.Model:
    """Loads a model of any architecture that `save_model` has saved. No code in the file is run.

    Raises:
        ValueError: the file is not a model, is damaged, or was written by a version of Keras whose
            models this version does not read.
    """
    # Keras finds the layers of a file by name if the module that defines them has been imported.
    for name in registry.names():
        registry.builder(name)
    written_by = None
    try:
        # Keras itself does not compare checksums when it reads weights.
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"its part {damaged} is damaged")
            written_by = json.loads(archive.read("metadata.json")).get("keras_version")
        return keras.models.load_model(path, compile=False, safe_mode=True)
    # Keras raises a dozen types of errors for a bad file.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        # The file is whole. An older Keras does not know every argument of a newer one's layers.
        if written_by not in (None, keras.__version__):
            raise ValueError(
                f"{path}: was written by Keras {written_by} and cannot be read by Keras "
                f"{keras.__version__} ({reason}); install keras=={written_by} where it is read"
            ) from error
        raise ValueError(
            f"{path}: is not a complete model of this workflow ({reason}); delete it and run the "
            "workflow again"
        ) from error
