"""Writes into a model's file, and reads from it, with what construct and medium it was trained.
Imports no framework."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path

from crmnet.data.sequences import ALPHABET, Construct
from crmnet.logs import say

# The medium of a model that was trained on all media.
PRETRAINED = "pretrained"
# The part of a `.keras` file, which is a ZIP archive, that Keras itself does not read.
MEMBER = "crmnet.json"


def write_origin(path: Path, construct: Construct, medium: str) -> None:
    """Adds to a model's file what it was trained with.

    Args:
        medium: the medium, or `PRETRAINED`.
    """
    content = {"construct": asdict(construct), "alphabet": ALPHABET, "medium": medium}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, json.dumps(content))


def origin(path: str | Path) -> dict | None:
    """Returns the `construct`, `alphabet` and `medium` that a model was trained with; None if its
    file does not say."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(MEMBER)) if MEMBER in archive.namelist() else None


def check_origin(path: str | Path, construct: Construct, medium: str) -> None:
    """Checks that a model was trained with this construct and in this medium. If its file does not
    say, this is said on the terminal.

    Raises:
        OriginError: it was trained with others; the message names them.
    """
    known = origin(path)
    if known is None:
        say(
            f"{path}: does not say with which construct and in which medium it was trained, "
            "because an earlier version or another program wrote it; make sure that it was "
            f"trained in medium {medium} with {_shown(asdict(construct))}"
        )
        return
    wanted = {"construct": asdict(construct), "alphabet": ALPHABET, "medium": medium}
    if known["medium"] != medium:
        raise OriginError(
            f"{path}: was trained in medium {known['medium']}, not in {medium}; put the model of "
            f"{medium} there, or delete the file and run the workflow again to train it"
        )
    differing = {key: value for key, value in _flat(known).items() if _flat(wanted)[key] != value}
    if differing:
        raise OriginError(
            f"{path}: was trained with {_shown(differing)}, but the config has "
            f"{_shown({key: _flat(wanted)[key] for key in differing})}; correct `construct` in the "
            "config, or train another model: choose another `outdir`, or delete the file and run "
            "the workflow again"
        )


class OriginError(ValueError):
    """A model was trained with another construct or in another medium."""


def _flat(content: dict) -> dict:
    return {"alphabet": content["alphabet"], **content["construct"]}


def _shown(values: dict) -> str:
    return ", ".join(
        f"{key} {value if value != '' else '(empty)'}" for key, value in values.items()
    )
