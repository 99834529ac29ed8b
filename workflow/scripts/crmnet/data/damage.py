"""What reading a damaged file raises. Standard library only."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib

# Text, plain or gzip.
TEXT = (OSError, EOFError, zlib.error)
# An archive, ZIP or tar. Of what it cannot unpack at all, zipfile says a RuntimeError besides.
ARCHIVE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
)
# Numpy's arrays (`.npz`), and what is made of them.
ARRAYS = (*ARCHIVE, OSError, RuntimeError, ValueError, KeyError, TypeError)
