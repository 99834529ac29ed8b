"""Downloads files: resumes, retries, and verifies a file before it gets its name. Needs the
standard library only."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from crmnet.data import checksums, damage, saved_models, web, zenodo
from crmnet.data.web import DownloadError, Retry, Web
from crmnet.logs import Progress, say

# What is added to a file's name until it is complete: for its bytes, and for what is known of them.
UNFINISHED = (".part", ".part.json")

_ANEW = (
    "run again to download it anew; if that does not help, the file has changed at its source, and "
    "you need to correct the checksum in the config"
)


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
        url: the URL of a file; or of a record of Zenodo, of which the smallest archive that holds a
            SavedModel is downloaded.
        checksum: `md5:...` or `sha256:...`. Without one, a file on Zenodo is compared with Zenodo's
            own md5; in the archive of all files of a record, so is each file. The size is compared
            if the server tells it, and the log says if it does not.
        mirror: a folder from which the file is copied, by the name of `destination`, instead of
            downloaded.
        attempts, timeout, sleep: see `web.Web`.

    Raises:
        DownloadError: the file cannot be downloaded, verified or stored, or is empty, a web page or
            JSON.
    """
    destination = Path(destination)
    part, server = _part(destination), Web(attempts, timeout, sleep)
    check_form(url, checksum)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        if mirror:
            source = in_mirror(mirror, destination.name, url)
            _copy(source, part)
            origin = f"{source} (mirror of {url})"
            known = checksum
            if checksum:
                mend = "replace that file, or correct the checksum in the config"
                _verify(part, checksum, origin, mend)
        elif number := zenodo.record(url):
            origin, known = _archive_of_record(url, number, part, server)
            if checksum:
                _verify(part, checksum, origin, _ANEW)
                known = checksum
        else:
            origin, known = url, _file(url, part, checksum, server)
        known = known or "no checksum known"
        say(f"{destination.name}: {_size(part):,} bytes, {known}, from {origin}")
        os.replace(part, destination)
        _state(part).unlink(missing_ok=True)
    except OSError as error:
        raise DownloadError(
            f"{url}: cannot be stored as {destination} ({error}); check the folder, its "
            "permissions and the free disk space"
        ) from error


def check_form(url: str, checksum: str | None) -> None:
    """Raises a `DownloadError` if a URL or a checksum has a form that is of no use."""
    if not url.lower().startswith(("http://", "https://")):
        raise DownloadError(f"{url}: is not an http or https URL; correct it in the config")
    if checksum and not checksums.FORM.fullmatch(checksum):
        raise DownloadError(
            f"{url}: its checksum {checksum!r} is neither md5: and 32 hexadecimal digits nor "
            "sha256: and 64 of them; correct it in the config"
        )


def in_mirror(mirror: str | Path, name: str, url: str) -> Path:
    """Returns the path of a file in a mirror.

    Raises:
        DownloadError: there is no such file, or it is empty, a web page or JSON.
    """
    source = Path(mirror, name)
    if not source.is_file():
        raise DownloadError(
            f"{url}: the mirror {source.parent} has no file {name}; put it there, or remove "
            "`mirror:` from the config to download it"
        )
    with source.open("rb") as file:
        start = file.read(web.CHUNK)
    kind = web.other_content(start) if start else "an empty file"
    if kind:
        raise DownloadError(
            f"{source} (mirror of {url}): is {kind} instead of a data file; replace that file"
        )
    return source


def _copy(source: Path, part: Path) -> None:
    _discard(part)
    shutil.copyfile(source, part)


def _file(url: str, part: Path, checksum: str | None, server: Web) -> str | None:
    """Downloads and verifies a file. Returns its checksum, or None if it is not known."""
    files: list[zenodo.File] = []
    if not checksum:
        checksum, files = zenodo.checksum(url, server)
    size_known = server.retrying(
        lambda: _transfer(url, part, bool(checksum or files), server),
        url,
        reached=lambda: _size(part),
    )
    if checksum:
        _verify(part, checksum, url, _ANEW)
    elif files:
        _verify_archive(part, files, url)
    elif not size_known:
        say(
            f"{url}: size not known, because the server does not tell it; if the connection was "
            "cut, the file is cut short; declare its `checksum` in the config to be sure"
        )
    return checksum


def _archive_of_record(url: str, number: str, part: Path, server: Web) -> tuple[str, str | None]:
    """Downloads the smallest archive of a Zenodo record that holds a SavedModel. Returns its URL
    and its checksum, or None if that is not known."""
    for file in zenodo.archives(number, server):
        name = file.name or "the archive of all files"
        checksum = _file(file.url, part, file.checksum, server)
        try:
            lacking = "" if saved_models.held(part) else "it holds no SavedModel"
        except ValueError as error:
            lacking = str(error)
        if not lacking:
            say(
                f"{url}: took {name} ({_size(part):,} bytes, {checksum or 'each file verified'}), "
                "the smallest archive of the record that holds a SavedModel; to take another, "
                "name its URL in the config"
            )
            return file.url, checksum
        say(f"{name}: is passed over ({lacking})")
        _discard(part)
    raise DownloadError(
        f"{url}: no archive of the record holds a SavedModel (more in the log); name the URL of a "
        "file in the config"
    )


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


def _verify_archive(part: Path, files: list[zenodo.File], origin: str) -> None:
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
    if sorted(sums) != sorted(file.checksum for file in files):
        _discard(part)
        raise DownloadError(
            f"{origin}: by their md5, the files in it are not the files of the Zenodo record, "
            f"{', '.join(sorted(file.name for file in files))}; run again to download it anew"
        )


def _transfer(url: str, part: Path, checked: bool, server: Web) -> bool:
    """Downloads the bytes that `part` lacks. Returns whether the server has told, by the size or by
    the end of the body, that these are all bytes.

    Args:
        checked: whether a checksum will be compared afterwards.
    """
    offset, validator, total = _resumable(part, url)
    headers = {}
    if offset and (checked or validator):
        headers["Range"] = f"bytes={offset}-"
        # If a server does not make its ETag where it serves the bytes, it may answer every If-Range
        # with the whole file. A checksum would reveal a mixture of two versions, so If-Range is
        # sent only without one.
        if not checked:
            headers["If-Range"] = str(validator)
    with server.open(url, headers) as response:
        size, seen = web.whole_size(response), web.validator(response.headers)
        start = 0 if response.status == 200 else offset
        if response.status != 200:
            # A server need not repeat the validator when it says that there is nothing more.
            silent = checked or response.status == 416
            if (
                not _continues(response, offset)
                or total not in (None, size)
                or (offset and seen != validator and not (silent and seen is None))
            ):
                _discard(part)
                raise Retry("the bytes downloaded so far do not fit the file on the server")
            if response.status == 416:
                return True
        pieces = web.chunks(response)
        head = web.head(pieces)
        # This comes before the file is opened, because a wrong answer must not erase earlier bytes.
        name = part.name.removesuffix(UNFINISHED[0])
        web.refuse_other_content(url, response.headers, b"" if start else head)
        if not head and not start:
            raise Retry("the server sent an empty file")
        progress = Progress(size and size / 1e6, "MB", f"{name}: ", start / 1e6)
        done = start
        with part.open("ab" if start else "wb") as file:
            if not start:
                _state(part).write_text(_described(url, seen, size))
            for chunk in itertools.chain([head], pieces):
                file.write(chunk)
                # If this process is killed, a later one continues from here.
                file.flush()
                done += len(chunk)
                progress(done / 1e6)
        # A body that comes in chunks has an end of its own.
        whole = response.chunked
    if size is None and not whole and not checked:
        size, now = server.size(url)
        if size is not None:
            _state(part).write_text(_described(url, seen, size))
            if done > size or (None not in (now, seen) and now != seen):
                _discard(part)
                raise Retry("the file on the server has changed during the download")
    if size is not None and done != size:
        raise Retry(f"the connection was cut at {done:,} of {size:,} bytes")
    return whole or size is not None


def _continues(response, offset: int) -> bool:
    """Tells whether a partial answer continues after `offset` bytes of a file whose size it
    tells, or says that the file ends there."""
    content_range = response.headers.get("Content-Range", "")
    if response.status == 416:
        # All bytes are there: a run was killed after the last one, before the file got its name.
        return content_range == f"bytes */{offset}"
    return content_range.startswith(f"bytes {offset}-") and web.whole_size(response) is not None


def _part(destination: Path) -> Path:
    return destination.with_name(destination.name + UNFINISHED[0])


def _state(part: Path) -> Path:
    return part.with_name(part.name.removesuffix(UNFINISHED[0]) + UNFINISHED[1])


def _described(url: str, validator: str | None, total: int | None) -> str:
    return json.dumps({"url": url, "validator": validator, "total": total})


def _resumable(part: Path, url: str) -> tuple[int, str | None, int | None]:
    """Returns how many bytes of this URL's file `part` has, and the validator and the size of their
    version."""
    try:
        state = json.loads(_state(part).read_text())
        if state["url"] == url:
            return _size(part), state["validator"], state["total"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    return 0, None, None


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _state(part).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
