"""The exceptions that reading a damaged file raises. Needs the standard library only."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib

# Text, plain or gzip.
TEXT = (OSError, EOFError, zlib.error)
# An archive, ZIP or tar. zipfile also raises a RuntimeError if it cannot unpack a file at all.
ARCHIVE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
)
# Numpy's arrays (`.npz`), including errors in the use of their content.
ARRAYS = (*ARCHIVE, OSError, RuntimeError, ValueError, KeyError, TypeError)
