"""Checksums of files of any size. Standard library only."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO

from crmnet.logs import Progress

CHUNK = 1 << 20


def checksum(file: IO[bytes], algorithm: str, name: object, size: int) -> str:
    """The checksum of what is left to read in a file, in hexadecimal.

    Args:
        algorithm: one that `hashlib` knows.
        name, size: of the file, in bytes: for the line that says how far this is.
    """
    # md5 guards against accidents here, so that it may be used where FIPS rules forbid it.
    digest, done = hashlib.new(algorithm, usedforsecurity=False), 0
    progress = Progress(size / 1e6, "MB", f"{algorithm} of {name}: ")
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        done += len(chunk)
        progress(done / 1e6)
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return checksum(file, "sha256", path, path.stat().st_size)
