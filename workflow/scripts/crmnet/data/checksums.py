"""Computes checksums of files of any size. Needs the standard library only."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import IO

from crmnet.logs import Progress

CHUNK = 1 << 20
# How a checksum is written in a config.
FORM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", re.IGNORECASE)


def checksum(file: IO[bytes], algorithm: str, name: object, size: int) -> str:
    """Returns the checksum of the rest of an open file, in hexadecimal.

    Args:
        algorithm: the name of an algorithm of `hashlib`.
        name, size: the name and the size (bytes) of the file, for the progress messages.
    """
    # md5 only guards against accidents here, so it may be used where FIPS rules forbid it for
    # security.
    digest, done = hashlib.new(algorithm, usedforsecurity=False), 0
    progress = Progress(size / 1e6, "MB", f"{algorithm} of {name}: ")
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        done += len(chunk)
        progress(done / 1e6)
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return checksum(file, "sha256", path, path.stat().st_size)
