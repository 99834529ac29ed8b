"""Downloads files: resumes, retries, and verifies a file before it gets its name. Needs the
standard library only.

It uses urllib, not requests, because urllib does all that is needed, is part of Python, and trusts
the certificates of the system, where a site with its own proxy puts its certificate.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit

from crmnet.data import checksums, damage
from crmnet.logs import Progress, say

ZENODO = "https://zenodo.org"
CHUNK = 256 * 1024
LONGEST_BACKOFF = 60.0
LONGEST_RETRY_AFTER = 600.0

_CHECKSUM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", re.IGNORECASE)
_BY_HAND = "put the file in a folder and set `mirror:` to that folder in the config"
_NETWORK = f"check the network and run again (it resumes), or {_BY_HAND}"

T = TypeVar("T")


class DownloadError(Exception):
    """A download has failed for good. The message gives the URL, what happened and what to do."""


class _Retry(Exception):
    """A failure that may not recur at another attempt, `wait` seconds or more from now."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def file_name(url: str) -> str:
    """Returns the name of the file that a URL points to, percent-decoded and without the query.

    Raises:
        DownloadError: the URL names no file.
    """
    try:
        name = PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError:
        name = ""
    if not name:
        raise DownloadError(f"{url}: the URL names no file; correct it in the config")
    return name


def fetch(
    url: str,
    destination: str | Path,
    checksum: str | None = None,
    mirror: str | Path | None = None,
    attempts: int = 6,
    *,
    timeout: float = 60.0,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Downloads the file at an HTTP(S) URL to `destination`, which exists only complete and
    verified.

    Until then the file is called `<destination>.part`, with `<destination>.part.json` beside it. A
    later call continues from there, however the earlier one ended.

    Args:
        checksum: `md5:...` or `sha256:...`. Without one, a file on Zenodo is compared with Zenodo's
            own md5; in the archive of all files of a record, so is each file. The size is compared
            if the server reports it.
        mirror: a folder from which the file is copied, by the name of `destination`, instead of
            downloaded.
        attempts: the number of failures in a row, without a new byte between them, after which
            the download fails.
        timeout: seconds without an answer or a byte after which an attempt fails.
        sleep: the function that waits a number of seconds between attempts.

    Raises:
        DownloadError: the file cannot be downloaded, verified or stored.
    """
    destination = Path(destination)
    part = destination.with_name(destination.name + ".part")
    if checksum and not _CHECKSUM.fullmatch(checksum):
        raise DownloadError(
            f"{url}: its checksum {checksum!r} is neither md5: and 32 hexadecimal digits nor "
            "sha256: and 64 of them; correct it in the config"
        )
    files: dict[str, str] = {}
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        if mirror:
            source = Path(mirror) / destination.name
            _copy(source, part, url)
            origin = f"{source} (mirror of {url})"
            mend = "replace that file, or correct the checksum in the config"
        else:
            if not url.lower().startswith(("http://", "https://")):
                raise DownloadError(f"{url}: is not an http or https URL; correct it in the config")
            files = {} if checksum else _zenodo_files(url, attempts, timeout, sleep)
            checksum = checksum or files.get(file_name(url))
            _retrying(
                lambda: _transfer(url, part, bool(checksum), timeout),
                url,
                attempts,
                sleep,
                reached=lambda: _size(part),
            )
            origin = url
            mend = (
                "run again to download it anew; if that does not help, the file has changed at "
                "its source, and you need to correct the checksum in the config"
            )
        if checksum:
            _verify(part, checksum, origin, mend)
        elif files:
            _verify_archive(part, files, origin)
        description = f"{_size(part):,} bytes, {checksum or 'no checksum known'}"
        say(f"{destination.name}: {description}, from {origin}")
        os.replace(part, destination)
        _state(part).unlink(missing_ok=True)
    except OSError as error:
        raise DownloadError(
            f"{url}: cannot be stored as {destination} ({error}); check the folder, its "
            "permissions and the free disk space"
        ) from error


def _copy(source: Path, part: Path, url: str) -> None:
    if not source.is_file():
        raise DownloadError(
            f"{url}: the mirror {source.parent} has no file {source.name}; put it there, or remove "
            "`mirror:` from the config to download it"
        )
    _discard(part)
    shutil.copyfile(source, part)


def _verify(part: Path, checksum: str, origin: str, mend: str) -> None:
    algorithm, expected = checksum.lower().split(":")
    with part.open("rb") as file:
        actual = checksums.checksum(file, algorithm, part.name, part.stat().st_size)
    if actual != expected:
        _discard(part)
        raise DownloadError(
            f"{origin}: wrong checksum, expected {algorithm}:{expected}, found "
            f"{algorithm}:{actual}; {mend}"
        )


def _verify_archive(part: Path, files: dict[str, str], origin: str) -> None:
    """Checks the md5 of each file in a ZIP archive, whatever its path in the archive."""
    try:
        with zipfile.ZipFile(part) as archive:
            sums = []
            for member in archive.infolist():
                if not member.is_dir():
                    with archive.open(member) as file:
                        name, size = member.filename, member.file_size
                        sums.append(f"md5:{checksums.checksum(file, 'md5', name, size)}")
    except (*damage.ARCHIVE, RuntimeError) as error:
        sums = [str(error)]
    if sorted(sums) != sorted(files.values()):
        _discard(part)
        raise DownloadError(
            f"{origin}: by their md5, the files in it are not the files of the Zenodo record, "
            f"{', '.join(sorted(files))}; run again to download it anew"
        )


def _zenodo_files(
    url: str, attempts: int, timeout: float, sleep: Callable[[float], object]
) -> dict[str, str]:
    """Returns name -> Zenodo's md5 of the files in a record, for the URL of one of its files or of
    the archive of all of them. Other URLs give nothing."""
    record = re.match(
        re.escape(ZENODO) + r"(?:/records?|/api/records)/(\d+)/(files/|files-archive)", url
    )
    if not record:
        return {}
    api = f"{ZENODO}/api/records/{record[1]}"
    body = _retrying(lambda: _read(api, timeout), api, attempts, sleep)
    try:
        checksums = {file["key"]: file["checksum"] for file in json.loads(body)["files"]}
        if wrong := [value for value in checksums.values() if not _CHECKSUM.fullmatch(value)]:
            raise ValueError(wrong[0])
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError(
            f"{api}: the answer is not a Zenodo record ({error!r}); declare the checksum "
            f"of {url} in the config"
        ) from error
    if record[2] == "files/" and file_name(url) not in checksums:
        raise DownloadError(
            f"{url}: record {record[1]} of Zenodo has no file {file_name(url)}; it has "
            f"{', '.join(sorted(checksums)) or 'none'}; correct the URL in the config"
        )
    return checksums


def _retrying(
    step: Callable[[], T],
    url: str,
    attempts: int,
    sleep: Callable[[float], object],
    reached: Callable[[], int] = lambda: 0,
) -> T:
    """Returns the result of `step`, which is repeated until it succeeds or fails `attempts` times
    without progress."""
    failures, furthest = 0, reached()
    while True:
        try:
            return step()
        except _Retry as error:
            here = reached()
            failures = 1 if here > furthest else failures + 1
            furthest = max(here, furthest)
            if failures >= attempts:
                raise DownloadError(
                    f"{url}: {error}, after {failures} attempts; {_NETWORK}"
                ) from error
            backoff = min(2.0**failures, LONGEST_BACKOFF) * random.uniform(0.5, 1.0)
            wait = max(backoff, min(error.wait, LONGEST_RETRY_AFTER))
            say(f"{url}: {error}; attempt {failures + 1} of {attempts} in {wait:.0f} s")
        sleep(wait)


def _open(url: str, headers: dict[str, str], timeout: float) -> http.client.HTTPResponse:
    """Returns the answer to a GET request, which has status 200, 206 or 416."""
    headers = {"User-Agent": "crmnet", "Accept-Encoding": "identity", **headers}
    try:
        request = urllib.request.Request(quote(url, safe="!#$%&'()*+,/:;=?@[]~"), headers=headers)
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return error
        error.close()
        answer = f"the server answered {error.code} {error.reason}"
        if error.code in (408, 429) or error.code >= 500:
            raise _Retry(answer, _retry_after(error.headers)) from error
        raise DownloadError(
            f"{url}: {answer}; check the URL in the config in a browser, or {_BY_HAND}"
        ) from error
    except (ValueError, http.client.InvalidURL) as error:
        raise DownloadError(
            f"{url}: is not a usable URL ({error}); correct it in the config"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
            raise DownloadError(
                f"{url}: the server's certificate is not trusted ({_reason(error)}); set "
                f"SSL_CERT_FILE to your site's certificates (or those of certifi), or {_BY_HAND}"
            ) from error
        raise _Retry(_reason(error)) from error
    if response.status not in (200, 206):
        response.close()
        raise DownloadError(
            f"{url}: the server answered {response.status} {response.reason}, without the file; "
            f"check the URL in the config in a browser, or {_BY_HAND}"
        )
    return response


def _retry_after(headers: Message) -> float:
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except ValueError:
        return 0.0


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__


def _read(url: str, timeout: float) -> bytes:
    with _open(url, {}, timeout) as response:
        return b"".join(_chunks(response))


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yields the body of an answer. An error of the network leads to another attempt; an error of
    the disk, elsewhere, does not."""
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _Retry(_reason(error)) from error
        if not chunk:
            return
        yield chunk


def _transfer(url: str, part: Path, checked: bool, timeout: float) -> None:
    """Downloads the bytes that `part` lacks.

    Args:
        checked: whether a checksum will be compared afterwards.
    """
    offset, validator = _resumable(part, url)
    headers = {}
    if offset and (checked or validator):
        headers["Range"] = f"bytes={offset}-"
        # If a server does not make its ETag where it serves the bytes, it may answer every If-Range
        # with the whole file. A checksum would reveal a mixture of two versions, so If-Range is
        # sent only without one.
        if not checked:
            headers["If-Range"] = validator
    with _open(url, headers, timeout) as response:
        extent = _extent(response, offset, validator)
        if extent is None:
            _discard(part)
            raise _Retry("the bytes downloaded so far do not fit the file on the server")
        if response.status == 416:
            return
        start, total = extent
        chunks = _chunks(response)
        head = next(chunks, b"")
        # This comes before the file is opened, because a wrong answer must not erase earlier bytes.
        _refuse_other_content(url, response.headers, b"" if start else head)
        progress = Progress(total and total / 1e6, "MB", f"{file_name(url)}: ", start / 1e6)
        done = start
        with part.open("ab" if start else "wb") as file:
            if not start:
                state = {"url": url, "validator": _validator(response.headers)}
                _state(part).write_text(json.dumps(state))
            for chunk in itertools.chain([head], chunks):
                file.write(chunk)
                done += len(chunk)
                progress(done / 1e6)
    if total is not None and done != total:
        raise _Retry(f"the connection was cut at {done:,} of {total:,} bytes")


def _extent(
    response: http.client.HTTPResponse, offset: int, validator: str | None
) -> tuple[int, int | None] | None:
    """Returns where the body starts in the file, and the size of the file if it is known.

    The result is None if the answer does not continue at `offset` in the same version of the file.
    """
    content_range = response.headers.get("Content-Range", "")
    if response.status == 200:
        return 0, response.length
    if response.status == 416:
        # All bytes are there: a run was killed after the last one, before the file got its name.
        return (offset, offset) if content_range == f"bytes */{offset}" else None
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", content_range)
    if not match or int(match[1]) != offset:
        return None
    if offset and _validator(response.headers) not in (None, validator):
        return None
    return offset, int(match[2])


def _refuse_other_content(url: str, headers: Message, head: bytes) -> None:
    page = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if headers.get_content_type() == "text/html" or page.startswith((b"<!doctype html", b"<html")):
        raise DownloadError(
            f"{url}: the server sent an HTML page (perhaps an error or a login) instead of a data "
            f"file; open the URL in a browser, or {_BY_HAND}"
        )
    # Some servers declare the compression of a .gz file as that of the answer, which does no harm.
    # The compression of any other file would end up in the file on disk.
    encoding = headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity" and not file_name(url).endswith(".gz"):
        raise DownloadError(
            f"{url}: the server sent the file compressed ({encoding}), which the request excluded; "
            f"{_BY_HAND}"
        )


def _validator(headers: Message) -> str | None:
    """Returns what identifies a version of the file byte for byte: a strong ETag, or its date."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


def _state(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _resumable(part: Path, url: str) -> tuple[int, str | None]:
    """Returns how many bytes of this URL's file `part` has, and the validator of their version."""
    try:
        state = json.loads(_state(part).read_text())
        if state["url"] == url:
            return _size(part), state["validator"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    return 0, None


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _state(part).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
