"""Asks whether a download will work, without the download. Needs the standard library only."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crmnet.data import web, zenodo
from crmnet.data.downloads import check_form, in_mirror
from crmnet.data.web import DownloadError, Retry, Web

# This much of a table has its header and some hundred rows.
START = 64 * 1024


@dataclass(frozen=True)
class Probe:
    """What is known of a file before it is downloaded.

    Attributes:
        source: where it comes from: a path if it is there already or in a mirror, or else a URL. Of
            a record of Zenodo, it is the URL of the first archive that the download will look into.
        there: whether it needs no download, because it is at its destination.
        size: bytes; None if the server does not tell. Of Zenodo's archive of all files of a record,
            what these have together.
        checksum: the declared one or Zenodo's; None if neither is known.
        start: its first bytes, at most `START`.
    """

    source: str
    there: bool
    size: int | None
    checksum: str | None
    start: bytes


def probe(
    url: str,
    *,
    destination: str | Path,
    checksum: str | None = None,
    mirror: str | Path | None = None,
    attempts: int = 2,
    timeout: float = 20.0,
    sleep: Callable[[float], object] = time.sleep,
) -> Probe:
    """Asks for what `downloads.fetch` would download with the same arguments.

    It makes one or two requests; for a record of Zenodo, also those for the lists of files of its
    ZIP archives. Nothing is written, and no checksum is compared.

    Raises:
        DownloadError: the file cannot be had, or is empty, a web page or JSON; the message says
            what to do.
    """
    check_form(url, checksum)
    destination = Path(destination)
    try:
        if destination.is_file():
            return on_disk(destination, True, checksum)
        if mirror:
            return on_disk(in_mirror(mirror, destination.name, url), False, checksum)
    except OSError as error:
        raise DownloadError(
            f"{url}: the file that is there cannot be read ({error}); check its permissions"
        ) from error
    server = Web(attempts, timeout, sleep, longest_wait=10.0)
    source, known, together = url, checksum, 0
    if number := zenodo.record(url):
        file = next(zenodo.archives(number, server), None)
        if file is None:
            raise DownloadError(
                f"{url}: no archive of the record holds a SavedModel; name the URL of a file in "
                "the config"
            )
        source, known, together = file.url, checksum or file.checksum, file.size
    elif not checksum:
        known, files = zenodo.checksum(url, server)
        together = sum(file.size for file in files)
    size, start = server.retrying(lambda: _asked(source, server), source)
    return Probe(source, False, size or together or None, known, start)


def on_disk(path: Path, there: bool = True, checksum: str | None = None) -> Probe:
    """Returns what is known of a file on this machine."""
    with path.open("rb") as file:
        return Probe(str(path), there, path.stat().st_size, checksum, file.read(START))


def _asked(url: str, server: Web) -> tuple[int | None, bytes]:
    """Returns the size of a file on a server, if it tells, and the file's first bytes."""
    with server.open(url, {"Range": f"bytes=0-{START - 1}"}) as response:
        size, start = web.whole_size(response), b""
        # No part of an empty file exists, and the answer is 416.
        if response.status != 416:
            for chunk in web.chunks(response):
                start += chunk
                if len(start) >= START:
                    break
            web.refuse_other_content(url, response.headers, start)
    if not start:
        if size:
            raise Retry("the server sent no bytes")
        raise DownloadError(f"{url}: the file is empty; correct the URL in the config")
    return size, start[:START]
