"""Saves and loads models in Keras's own format (`.keras`)."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras

from crmnet.data.sequences import Construct
from crmnet.models import registry
from crmnet.models.origin import OriginError, check_origin, write_origin


def save_model(model: keras.Model, path: str | Path, construct: Construct, medium: str) -> None:
    """Saves a model completely or not at all, so that no partial file is left under its name. The
    file says with which construct and in which medium (or `PRETRAINED`) it was trained."""
    path = Path(path)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        model.save(part)
        write_origin(part, construct, medium)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load_model(
    path: str | Path, construct: Construct | None = None, medium: str = ""
) -> keras.Model:
    """Loads a model of any architecture that `save_model` has saved. No code in the file is run.

    Args:
        construct, medium: what the model must have been trained with (`origin.check_origin`);
            without a construct, this is not checked.

    Raises:
        ValueError: the file is not a model, is damaged, or was written by a version of Keras whose
            models this version does not read.
        OriginError: the model was trained with another construct or in another medium.
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
        if construct:
            check_origin(path, construct, medium)
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except OriginError:
        raise
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
    # A file that does not say with what it was trained still has its length.
    if construct and model.input_shape[1] != construct.length:
        raise OriginError(
            f"{path}: the model reads {model.input_shape[1]} tokens, not {construct.length}; set "
            "`construct: length` to the length that it was trained with"
        )
    return model
