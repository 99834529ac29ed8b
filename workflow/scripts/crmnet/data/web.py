"""Requests to HTTP(S) servers: attempts, a least rate, and answers that are not the file asked for.
Needs the standard library only.

It uses urllib, not requests, because urllib does all that is needed, is part of Python, and trusts
the certificates of the system, where a site with its own proxy puts its certificate.
"""

from __future__ import annotations

import codecs
import http.client
import json
import random
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit

from crmnet.logs import say

CHUNK = 256 * 1024
LONGEST_BACKOFF = 60.0
# A server must send this many bytes in this many seconds, and this many between two failures, or
# the attempt has failed. It is 1 kB/s: a slow modem is faster, and at this rate the largest file
# of the paper would take 40 days. Without it, a server that sends one byte an attempt, or one a
# minute, would hold a job for as long as the job may run.
LEAST_BYTES = 64 * 1024
WINDOW = 60.0

BY_HAND = "put the file in a folder and set `mirror:` to that folder in the config"
_NETWORK = f"check the network and run again (it resumes), or {BY_HAND}"
_MARKUP = re.compile(rb"<(!--|!doctype|\?xml|(html|head|body|title|script|meta)\b)", re.IGNORECASE)
_JSON = re.compile(rb'\{\s*["}]|\[\s*[\[{"\]]')
# This much of a file, without leading white space, tells whether it is such a page.
_HEAD = 512

T = TypeVar("T")


class DownloadError(Exception):
    """A download has failed for good. The message gives the URL, what happened and what to do."""


class Retry(Exception):
    """A failure that may not recur at another attempt, `wait` seconds or more from now."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def file_name(url: str) -> str:
    """Returns the name of the file that a URL points to, percent-decoded and without the query.

    Raises:
        DownloadError: the URL names no file, or its last part is no file's name (`..`, or a slash
            in it).
    """
    try:
        name = unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    except ValueError:
        name = ""
    if name in ("", ".", "..") or "/" in name:
        raise DownloadError(
            f"{url}: the URL names no file; correct it, or set a name as `saved_as`, in the config"
        )
    return name


@dataclass(frozen=True)
class Web:
    """How patiently servers are asked.

    Attributes:
        attempts: the number of failures in a row, without `LEAST_BYTES` new bytes between them,
            after which a request fails for good.
        timeout: seconds without an answer or a byte after which an attempt fails.
        sleep: the function that waits a number of seconds between attempts.
        longest_wait: the most seconds to wait because a server asks for it (`Retry-After`).
    """

    attempts: int = 6
    timeout: float = 60.0
    sleep: Callable[[float], object] = time.sleep
    longest_wait: float = 600.0

    def retrying(
        self, step: Callable[[], T], url: str, reached: Callable[[], int] = lambda: 0
    ) -> T:
        """Returns the result of `step`, which is repeated until it succeeds or has failed
        `attempts` times in a row.

        Args:
            reached: returns the number of bytes that are there so far.

        Raises:
            DownloadError: the attempts are used up.
        """
        failures, furthest = 0, reached()
        while True:
            try:
                return step()
            except Retry as error:
                here = reached()
                failures += 1
                if here - furthest >= LEAST_BYTES:
                    failures, furthest = 1, here
                if failures >= self.attempts:
                    raise DownloadError(
                        f"{url}: {error}, after {failures} attempts; {_NETWORK}"
                    ) from error
                backoff = min(2.0**failures, LONGEST_BACKOFF) * random.uniform(0.5, 1.0)
                wait = max(backoff, min(error.wait, self.longest_wait))
                say(f"{url}: {error}; attempt {failures + 1} of {self.attempts} in {wait:.0f} s")
            self.sleep(wait)

    def open(
        self, url: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> http.client.HTTPResponse:
        """Returns the answer to one request, which has status 200, 206 or 416.

        Raises:
            Retry: there is no answer, or one that may be another at another attempt.
            DownloadError: the URL or the answer is of no use.
        """
        headers = {"User-Agent": "crmnet", "Accept-Encoding": "identity", **(headers or {})}
        try:
            request = urllib.request.Request(
                quote(url, safe="!#$%&'()*+,/:;=?@[]~"), headers=headers, method=method
            )
            response = urllib.request.urlopen(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            if error.code == 416:
                return error
            error.close()
            answer = f"the server answered {error.code} {error.reason}"
            if error.code in (408, 429) or (error.code >= 500 and error.code != 501):
                raise Retry(answer, _retry_after(error.headers)) from error
            raise DownloadError(
                f"{url}: {answer}; check the URL in the config in a browser, or {BY_HAND}"
            ) from error
        except (ValueError, http.client.InvalidURL) as error:
            raise DownloadError(
                f"{url}: is not a usable URL ({error}); correct it in the config"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
                raise DownloadError(
                    f"{url}: the server's certificate is not trusted ({_reason(error)}); set "
                    f"SSL_CERT_FILE to your site's certificates (or those of certifi), or {BY_HAND}"
                ) from error
            raise Retry(_reason(error)) from error
        if response.status not in (200, 206):
            response.close()
            raise DownloadError(
                f"{url}: the server answered {response.status} {response.reason}, without the "
                f"file; check the URL in the config in a browser, or {BY_HAND}"
            )
        return response

    def read(self, url: str) -> bytes:
        """Returns the body of an answer.

        Raises:
            DownloadError: see `open` and `retrying`.
        """

        def body():
            with self.open(url) as response:
                length = response.length
                body = b"".join(chunks(response))
            if length is not None and len(body) < length:
                raise Retry(f"the connection was cut at {len(body):,} of {length:,} bytes")
            return body

        return self.retrying(body, url)

    def size(self, url: str) -> tuple[int | None, str | None]:
        """Asks for the size of a file and its validator; None for what the server does not tell.

        Raises:
            Retry: see `open`.
        """
        for headers, method in (({"Range": "bytes=0-0"}, "GET"), ({}, "HEAD")):
            try:
                with self.open(url, headers, method) as response:
                    size = whole_size(response)
            except DownloadError:  # The server does not know the method.
                continue
            # Servers that make a file while they send it answer HEAD with 0.
            if size:
                return size, validator(response.headers)
        return None, None


def chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yields the body of an answer as it arrives, up to its end or the end of the connection.

    Raises:
        Retry: an error of the network, or fewer than `LEAST_BYTES` in `WINDOW` seconds of waiting
            for them. An error of the disk, elsewhere, does not lead to another attempt.
    """
    left, waited, received = response.length, 0.0, 0
    while left != 0:
        start = time.monotonic()
        try:
            # Unlike `read`, this returns what is there, so that a trickle is seen.
            chunk = response.read1(CHUNK if left is None else min(CHUNK, left))
        except (OSError, http.client.HTTPException) as error:
            raise Retry(_reason(error)) from error
        if not chunk:
            return
        left = None if left is None else left - len(chunk)
        waited, received = waited + time.monotonic() - start, received + len(chunk)
        yield chunk
        if waited >= WINDOW and left != 0:
            if received < LEAST_BYTES:
                raise Retry(f"the server sent only {received:,} bytes in {waited:.0f} s")
            waited, received = 0.0, 0


def head(pieces: Iterator[bytes]) -> bytes:
    """Returns as much of a body as tells whether it is a file (see `refuse_other_content`)."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start.lstrip()) >= _HEAD or len(start) >= CHUNK:
            break
    return start


def whole_size(response: http.client.HTTPResponse) -> int | None:
    """Returns the size of the whole file by an answer with it, or with a part of it."""
    if response.status == 200:
        # A body that comes in chunks has no length; the header would be a mistake.
        if response.chunked:
            return None
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None
    # An answer with status 416 has no part of the file, and "*" as its range.
    content_range = re.fullmatch(r"bytes [\d*-]+/(\d+)", response.headers.get("Content-Range", ""))
    return int(content_range[1]) if content_range else None


def validator(headers: Message) -> str | None:
    """Returns what identifies a version of the file byte for byte: a strong ETag, or its date."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


def refuse_other_content(url: str, headers: Message, start: bytes) -> None:
    """Raises a `DownloadError` if an answer that begins with these bytes is not a data file as it
    should be on disk."""
    kind = other_content(start, headers.get_content_type())
    if kind:
        raise DownloadError(
            f"{url}: the server sent {kind} (perhaps an error or a login) instead of a data "
            f"file; open the URL in a browser, or {BY_HAND}"
        )
    # Some servers declare the compression of a .gz file as that of the answer, which does no harm.
    # The compression of any other file would end up in the file on disk.
    encoding = headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity" and not urlsplit(url).path.endswith(".gz"):
        raise DownloadError(
            f"{url}: the server sent the file compressed ({encoding}), which the request excluded; "
            f"{BY_HAND}"
        )


def other_content(start: bytes, declared: str = "") -> str | None:
    """Returns in words what a file is that begins with these bytes and is neither a table nor an
    archive: a web page or JSON. None for any other file.

    Args:
        declared: the type that the server gives to the file.
    """
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        start = start[: len(start) // 2 * 2].decode("utf-16", "replace").encode()
    start = start.removeprefix(codecs.BOM_UTF8).strip()
    markup = _MARKUP.match(start)
    if declared in ("text/html", "application/xhtml+xml") or markup:
        xml = markup and markup[0].lower() == b"<?xml" and b"<html" not in start.lower()
        return "XML" if xml else "an HTML page"
    is_json = _JSON.match(start)
    if re.fullmatch(r"application/(.+\+)?json", declared):
        is_json = is_json or start[:1] in (b"{", b"[") or _parses_as_json(start)
    return f"JSON, {start[:80].decode(errors='replace')!r}," if is_json else None


def _parses_as_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


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
