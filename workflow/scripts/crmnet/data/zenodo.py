"""Zenodo's records: their files with Zenodo's checksums, and the archives that may hold a
SavedModel. Needs the standard library only."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

from crmnet.data import checksums, damage, saved_models
from crmnet.data.web import DownloadError, Retry, Web, chunks
from crmnet.logs import say

ZENODO = "https://zenodo.org"


@dataclass(frozen=True)
class File:
    """A file of a record.

    Attributes:
        name: its name, or None for the archive of all files that Zenodo makes of a record.
        size: in bytes; of the archive of all files, what they have together.
        checksum: Zenodo's `md5:...`; None for the archive of all files.
    """

    name: str | None
    url: str
    size: int
    checksum: str | None


def record(url: str) -> str | None:
    """Returns the number of the record that a URL or a DOI names as a whole; None for any other
    URL."""
    found = re.fullmatch(
        rf"(?:{re.escape(ZENODO)}/(?:records?/|api/records/|doi/10\.5281/zenodo\.)"
        r"|https?://(?:dx\.)?doi\.org/10\.5281/zenodo\.)(\d+)/?(?:[?#].*)?",
        url,
    )
    return found and found[1]


def files(number: str, web: Web) -> list[File]:
    """Asks Zenodo for the files of a record.

    Raises:
        DownloadError: there is no answer, or it is not a record.
    """
    api = f"{ZENODO}/api/records/{number}"
    body = web.read(api)
    try:
        answer = json.loads(body)
        # The number of a record's first version may stand for its newest one, which has another.
        folder = f"{ZENODO}/records/{answer.get('id', number)}/files"
        found = [
            File(
                entry["key"],
                f"{folder}/{quote(entry['key'], safe='')}?download=1",
                int(entry["size"]),
                entry["checksum"],
            )
            for entry in answer["files"]
        ]
        if wrong := [
            file.checksum for file in found if not checksums.FORM.fullmatch(file.checksum)
        ]:
            raise ValueError(wrong[0])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadError(
            f"{api}: the answer is not a Zenodo record ({error!r}); declare the URL of a file and "
            "its checksum in the config"
        ) from error
    return found


def checksum(url: str, web: Web) -> tuple[str | None, list[File]]:
    """Returns what a download from Zenodo can be verified by: Zenodo's checksum of the file, or,
    for the archive of all files of a record, these files. Other URLs give neither.

    Raises:
        DownloadError: see `files`; also if the record has no such file.
    """
    found = re.match(
        rf"{re.escape(ZENODO)}(?:/records?|/api/records)/(\d+)/(?:files/([^/?#]+)|files-archive)",
        url,
    )
    if not found:
        return None, []
    listed = files(found[1], web)
    if not found[2]:
        return None, listed
    name = unquote(found[2])
    sums = {file.name: file.checksum for file in listed}
    if name not in sums:
        raise DownloadError(
            f"{url}: record {found[1]} of Zenodo has no file {name}; it has "
            f"{', '.join(sorted(sums)) or 'none'}; correct the URL in the config"
        )
    return sums[name], []


def archives(number: str, web: Web) -> Iterator[File]:
    """Yields the archives of a record that may hold a SavedModel, the smallest first.

    A ZIP archive whose list of files shows that it has none is passed over, with a message; only
    that list is downloaded, if the server sends parts of files. If the record has the files of a
    SavedModel themselves, the archive of all of its files is the only one.

    Raises:
        DownloadError: see `files`; also if the record has no archive.
    """
    found = files(number, web)
    if saved_models.may_hold(file.name for file in found if not saved_models.is_archive(file.name)):
        size = sum(file.size for file in found)
        yield File(None, f"{ZENODO}/api/records/{number}/files-archive", size, None)
        return
    packed = [file for file in found if saved_models.is_archive(file.name)]
    if not packed:
        raise DownloadError(
            f"{ZENODO}/records/{number}: the record has no archive, only "
            f"{', '.join(sorted(file.name for file in found)) or 'no file that anyone may see'}; "
            "name the URL of a file in the config"
        )
    for file in sorted(packed, key=lambda file: (file.size, file.name)):
        names = _zip_members(file, web) if file.name.lower().endswith(".zip") else None
        if names is None or saved_models.may_hold(names):
            yield file
        else:
            say(f"{file.name}: is passed over, because its list of files has no SavedModel")


def _zip_members(file: File, web: Web) -> list[str] | None:
    """Returns the names in a ZIP archive on a server; None if they cannot be known without a
    download of the whole."""
    try:
        with zipfile.ZipFile(io.BufferedReader(_Remote(file, web), 1 << 16)) as archive:
            return archive.namelist()
    # What is wrong with the archive or with its URL comes to light in the download.
    except (*damage.ARCHIVE, OSError, RuntimeError, ValueError, struct.error, DownloadError):
        return None


class _Remote(io.RawIOBase):
    """A file on a server of which only the parts are downloaded that are read."""

    def __init__(self, file: File, web: Web) -> None:
        self.file, self.web, self.position = file, web, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.file.size}[whence]
        self.position = max(base + offset, 0)
        return self.position

    def readinto(self, buffer) -> int:
        end = min(self.position + len(buffer), self.file.size)
        if end <= self.position:
            return 0
        part = self.web.retrying(lambda: self._part(self.position, end), self.file.url)
        buffer[: len(part)] = part
        self.position = end
        return len(part)

    def _part(self, start: int, end: int) -> bytes:
        part = f"{start}-{end - 1}"
        with self.web.open(self.file.url, {"Range": f"bytes={part}"}) as response:
            if response.headers.get("Content-Range") != f"bytes {part}/{self.file.size}":
                raise OSError("the server does not send parts of files")
            found = b"".join(chunks(response))
        if len(found) != end - start:
            raise Retry(f"the connection was cut at {len(found):,} of {end - start:,} bytes")
        return found
