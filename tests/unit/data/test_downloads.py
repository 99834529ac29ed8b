"""Downloads against a server on this machine that misbehaves on request."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from waiting import HANGS, wait_until

from crmnet import logs
from crmnet.data import downloads
from crmnet.data.downloads import DownloadError, fetch, file_name

DATA = bytes(range(256)) * 4096  # 1 MiB
HALF = len(DATA) // 2
MD5 = "md5:" + hashlib.md5(DATA).hexdigest()
SHA256 = "sha256:" + hashlib.sha256(DATA).hexdigest()


@dataclass
class Reply:
    """One answer of the server: a whole one by default, cut after `sent` bytes of its body."""

    body: bytes = DATA
    status: int = 200
    sent: int | None = None
    etag: str | None = '"one"'
    ranges: bool = True
    if_range: bool = True
    length: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: dict[str, list[Reply]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []

    def serve(self, path, *replies):
        """Serves these answers in turn, the last one repeatedly, and returns the URL."""
        self.replies[path] = list(replies)
        return self.base + path

    @property
    def base(self):
        return f"http://127.0.0.1:{self.server_port}"

    def ranges(self):
        return [headers.get("range") for _, headers in self.requests]


class Handler(BaseHTTPRequestHandler):
    timeout = HANGS

    def do_GET(self):
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((path, headers))
        replies = self.server.replies.get(path, [Reply(b"nothing here", 404)])
        self.answer(replies.pop(0) if len(replies) > 1 else replies[0], headers)

    def answer(self, reply, asked):
        status, body, extra = reply.status, reply.body, dict(reply.headers)
        same = not reply.if_range or asked.get("if-range", reply.etag) == reply.etag
        if status == 200 and reply.ranges and same and "range" in asked:
            start = int(asked["range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                status, body, extra["Content-Range"] = 416, b"", f"bytes */{len(body)}"
            else:
                status = 206
                extra["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                body = body[start:]
        self.send_response(status)
        if reply.length:
            self.send_header("Content-Length", str(len(body)))
        if reply.etag:
            self.send_header("ETag", reply.etag)
        for name, value in {"Content-Type": "application/octet-stream", **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: reply.sent])
        if reply.hold:
            self.wfile.flush()
            reply.hold.wait(HANGS)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


class Getter:
    """Fetches to one destination without really waiting, and looks at what lies there."""

    def __init__(self, folder):
        self.destination = folder / "out" / "file.gz"
        self.waits: list[float] = []

    def __call__(self, url, *args, **kwargs):
        options = {"timeout": HANGS, "sleep": self.wait, **kwargs}
        fetch(url, self.destination, *args, **options)

    def wait(self, seconds):
        assert not self.destination.exists()
        self.waits.append(seconds)

    @property
    def files(self):
        return sorted(path.name for path in self.destination.parent.iterdir())

    def check(self, data=DATA):
        assert self.destination.read_bytes() == data
        assert self.files == ["file.gz"]

    def check_nothing(self, *others):
        assert self.files == sorted(others)


@pytest.fixture
def get(tmp_path):
    return Getter(tmp_path)


PART = ("file.gz.part", "file.gz.part.json")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://zenodo.org/records/1/files/a.txt.gz?download=1", "a.txt.gz"),
        ("https://example.org/x/a%20b%2B.csv?q=1/2#top", "a b+.csv"),
    ],
)
def test_file_name(url, name):
    assert file_name(url) == name


@pytest.mark.parametrize("url", ["https://example.org", "https://example.org/?file=a"])
def test_url_without_a_file(url):
    with pytest.raises(DownloadError, match="names no file"):
        file_name(url)


@pytest.mark.parametrize("checksum", [None, MD5, SHA256, SHA256.upper().replace("SHA", "sha")])
def test_plain(server, get, checksum):
    get(server.serve("/file.gz", Reply()), checksum)
    get.check()
    [(_, headers)] = server.requests
    assert headers["accept-encoding"] == "identity"
    assert "range" not in headers


def test_empty_file(server, get):
    get(server.serve("/file.gz", Reply(b"")))
    get.check(b"")


def test_body_of_unknown_length(server, get):
    get(server.serve("/file.gz", Reply(length=False)))
    get.check()


def test_name_with_a_space_and_a_letter_beyond_ascii(server, get):
    get(server.serve("/a%20%C3%A9.gz", Reply()).replace("%20%C3%A9", " é"))
    get.check()


@pytest.mark.parametrize("checksum", [None, MD5])
def test_resumes_after_a_cut(server, get, checksum):
    get(server.serve("/file.gz", Reply(sent=HALF), Reply()), checksum)
    get.check()
    assert server.ranges() == [None, f"bytes={HALF}-"]
    assert server.requests[1][1].get("if-range") == (None if checksum else '"one"')


def test_resumes_in_a_later_run(server, get):
    url = server.serve("/file.gz", Reply(sent=HALF), Reply())
    with pytest.raises(DownloadError, match=r"cut at 524,288 of 1,048,576 bytes.*mirror:"):
        get(url, attempts=1)
    get.check_nothing(*PART)
    get(url)
    get.check()
    assert server.ranges() == [None, f"bytes={HALF}-"]


def test_resumes_after_the_last_byte(server, get):
    """Killed between the last byte and the final name."""
    url = server.serve("/file.gz", Reply(sent=HALF), Reply())
    with pytest.raises(DownloadError):
        get(url, attempts=1)
    get.destination.with_name(PART[0]).write_bytes(DATA)
    get(url)
    get.check()
    assert server.ranges() == [None, f"bytes={len(DATA)}-"]


def test_part_longer_than_the_file(server, get):
    url = server.serve("/file.gz", Reply(sent=HALF), Reply())
    with pytest.raises(DownloadError):
        get(url, attempts=1)
    get.destination.with_name(PART[0]).write_bytes(DATA + b"more")
    get(url)
    get.check()


def test_part_of_another_url(server, get):
    with pytest.raises(DownloadError):
        get(server.serve("/other.gz", Reply(b"x" * 99, sent=9)), attempts=1)
    get(server.serve("/file.gz", Reply()))
    get.check()
    assert server.ranges() == [None, None]


def test_part_with_a_broken_side_file(server, get):
    url = server.serve("/file.gz", Reply(sent=HALF), Reply())
    with pytest.raises(DownloadError):
        get(url, attempts=1)
    get.destination.with_name(PART[1]).write_text('{"url": "ht')
    get(url)
    get.check()
    assert server.ranges() == [None, None]


def test_server_that_ignores_ranges(server, get):
    get(server.serve("/file.gz", Reply(sent=HALF, ranges=False), Reply(ranges=False)))
    get.check()
    assert server.ranges() == [None, f"bytes={HALF}-"]


def test_without_validator_or_checksum_starts_again(server, get):
    get(server.serve("/file.gz", Reply(sent=HALF, etag=None), Reply(etag=None)))
    get.check()
    assert server.ranges() == [None, None]


def test_weak_etag_gives_way_to_the_date(server, get):
    date = {"Last-Modified": "Sat, 01 Jan 2022 00:00:00 GMT"}
    url = server.serve(
        "/file.gz",
        Reply(sent=HALF, etag='W/"one"', headers=date),
        Reply(etag='W/"one"', headers=date, if_range=False),
    )
    get(url)
    get.check()
    assert server.requests[1][1]["if-range"] == date["Last-Modified"]


@pytest.mark.parametrize("if_range", [True, False], ids=["if-range", "if-range ignored"])
@pytest.mark.parametrize("checked", [True, False], ids=["checksum", "no checksum"])
def test_file_that_changes_between_tries(server, get, if_range, checked):
    new = DATA[::-1]
    changed = Reply(new, etag='"two"', if_range=if_range)
    url = server.serve("/file.gz", Reply(sent=HALF), changed)
    get(url, "sha256:" + hashlib.sha256(new).hexdigest() if checked else None)
    get.check(new)


def test_range_from_the_wrong_byte(server, get):
    wrong = Reply(DATA[9:], 206, headers={"Content-Range": f"bytes 9-{len(DATA) - 1}/{len(DATA)}"})
    get(server.serve("/file.gz", Reply(sent=HALF), wrong, Reply()))
    get.check()
    assert server.ranges() == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_busy_server(server, get, status):
    busy = Reply(b"busy", status)
    get(server.serve("/file.gz", busy, busy, Reply()))
    get.check()
    assert len(get.waits) == 2
    assert 1 <= get.waits[0] <= 2 <= get.waits[1] <= 4


@pytest.mark.parametrize("date", [False, True])
def test_retry_after(server, get, date):
    now = time.time()
    value = formatdate(now + 90, usegmt=True) if date else "90"
    get(server.serve("/file.gz", Reply(b"", 429, headers={"Retry-After": value}), Reply()))
    get.check()
    # Less the time that has passed, and what a date lacks of a second.
    assert (90 - (time.time() - now) - 1 if date else 90) <= get.waits[0] <= 90


def test_unreadable_retry_after(server, get):
    get(server.serve("/file.gz", Reply(b"", 429, headers={"Retry-After": "soon"}), Reply()))
    get.check()
    assert get.waits[0] <= 2


def test_server_that_stays_busy(server, get):
    with pytest.raises(DownloadError, match=r"file\.gz: the server answered 503.*6 attempts"):
        get(server.serve("/file.gz", Reply(b"busy", 503)))
    get.check_nothing()
    assert len(server.requests) == 6


def test_missing_file_ends_at_once(server, get):
    with pytest.raises(DownloadError, match=r"answered 404.*mirror:"):
        get(server.base + "/file.gz")
    get.check_nothing()
    assert len(server.requests) == 1


def test_answer_without_the_file(server, get):
    with pytest.raises(DownloadError, match="answered 202"):
        get(server.serve("/file.gz", Reply(b"", 202)))
    get.check_nothing()


def test_no_server(server, get):
    url = server.base + "/file.gz"
    server.socket.close()
    with pytest.raises(DownloadError, match=r"refused, after 3 attempts; check the network"):
        get(url, attempts=3)
    get.check_nothing()
    assert len(get.waits) == 2


def test_server_that_falls_silent(server, get):
    hold = threading.Event()
    url = server.serve("/file.gz", Reply(sent=HALF, hold=hold), Reply())
    get(url, timeout=0.3, attempts=100)
    hold.set()
    get.check()


@pytest.mark.parametrize("checksum", [MD5, SHA256])
def test_wrong_checksum(server, get, checksum):
    wrong = checksum.partition(":")[0] + ":" + "0" * len(checksum.partition(":")[2])
    with pytest.raises(DownloadError, match=rf"expected {wrong}, found {checksum}; run again"):
        get(server.serve("/file.gz", Reply()), wrong)
    get.check_nothing()
    assert len(server.requests) == 1


@pytest.mark.parametrize("checksum", ["md5:12", "sha1:" + "0" * 40, "0" * 32])
def test_unusable_checksum(server, get, checksum):
    with pytest.raises(DownloadError, match=r"checksum.*correct it in the config"):
        get(server.serve("/file.gz", Reply()), checksum)
    assert server.requests == []


@pytest.mark.parametrize(
    "page",
    [
        Reply(b"log in", ranges=False, headers={"Content-Type": "text/html; charset=utf-8"}),
        Reply(b"<!DOCTYPE html><p>log in", ranges=False),
        Reply(b"\xef\xbb\xbf\n<html><p>log in", ranges=False),
    ],
)
def test_html_page(server, get, page):
    url = server.serve("/file.gz", Reply(sent=HALF), page, Reply())
    with pytest.raises(DownloadError, match="HTML page"):
        get(url)
    assert len(server.requests) == 2
    # What was there before the page is kept, and serves the next run.
    assert get.destination.with_name(PART[0]).stat().st_size == HALF
    get(url)
    get.check()


def test_compressed_though_asked_not_to(server, get):
    gzipped = Reply(headers={"Content-Encoding": "gzip"})
    with pytest.raises(DownloadError, match="sent the file compressed"):
        get(server.serve("/file.csv", gzipped))
    get.check_nothing()
    get(server.serve("/file.gz", gzipped))
    get.check()


def test_truncated_every_time_and_no_ranges(server, get):
    with pytest.raises(DownloadError, match=r"cut at .* after 6 attempts"):
        get(server.serve("/file.gz", Reply(sent=HALF, ranges=False)))
    get.check_nothing(*PART)
    assert len(server.requests) == 6


def test_attempts_count_from_the_last_new_byte(server, get):
    cuts = [Reply(sent=len(DATA) // 8)] * 7
    get(server.serve("/file.gz", *cuts, Reply()), attempts=2)
    get.check()
    assert len(server.requests) == 8


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/a", "http://[bad/a"])
def test_unusable_url(get, url):
    with pytest.raises(DownloadError, match="in the config"):
        get(url)
    assert get.waits == []


def test_destination_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match=r"cannot be stored.*free disk space"):
        fetch(server.serve("/file.gz", Reply()), tmp_path / "file" / "file.gz")


def test_progress(server, get, monkeypatch, capsys):
    monkeypatch.setattr(logs, "PROGRESS_SECONDS", 0)
    get(server.serve("/file.gz", Reply()))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[1].startswith("file.gz: 1 of 1 MB, ") and lines[1].endswith(" s left")
    assert "no checksum known" in lines[-1]


@pytest.fixture
def zenodo(server, monkeypatch):
    """Zenodo's record 7 with file.gz, whose entry in the record is the argument."""
    monkeypatch.setattr(downloads, "ZENODO", server.base)

    def record(*replies, checksum=MD5):
        listing = {"files": [{"key": "file.gz", "checksum": checksum, "size": len(DATA)}]}
        replies = replies or [Reply(json.dumps(listing).encode())]
        server.serve("/api/records/7", *replies)
        return server.serve("/records/7/files/file.gz", Reply()) + "?download=1"

    return record


def test_zenodo(server, get, zenodo, capsys):
    get(zenodo())
    get.check()
    assert MD5 in capsys.readouterr().err
    assert [path for path, _ in server.requests] == ["/api/records/7", "/records/7/files/file.gz"]


def test_zenodo_with_a_declared_checksum(server, get, zenodo):
    get(zenodo(), SHA256)
    get.check()
    assert len(server.requests) == 1


def test_zenodo_wrong_md5(get, zenodo):
    with pytest.raises(DownloadError, match=f"expected md5:0{{32}}, found {MD5}"):
        get(zenodo(checksum="md5:" + "0" * 32))
    get.check_nothing()


def test_zenodo_out_of_reach_is_an_error(server, get, zenodo):
    with pytest.raises(DownloadError, match=r"api/records/7: .*503.* after 6 attempts"):
        get(zenodo(Reply(b"busy", 503)))
    get.check_nothing()
    assert len(server.requests) == 6


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"files": [{"key": "file.gz"}]}'])
def test_zenodo_unreadable_record(get, zenodo, body):
    with pytest.raises(DownloadError, match="the answer is not a Zenodo record"):
        get(zenodo(Reply(body)))


def test_zenodo_file_not_in_the_record(server, get, zenodo):
    zenodo()
    with pytest.raises(DownloadError, match=r"no file file2\.gz; it has file\.gz;"):
        get(server.base + "/records/7/files/file2.gz")


def archive(*contents):
    """A ZIP archive of these contents, as Zenodo makes it from the files of a record."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for number, content in enumerate(contents):
            file.writestr(f"7/{number}", content)
    return packed.getvalue()


def test_zenodo_archive_of_a_record(server, get, zenodo):
    zenodo()
    get(server.serve("/api/records/7/files-archive", Reply(archive(DATA))))
    get.check(archive(DATA))


@pytest.mark.parametrize(
    "body",
    [archive(DATA[1:]), archive(DATA, b"more"), archive(), archive(DATA)[:-30], b"no archive"],
    ids=["another file", "one too many", "none", "cut short", "no archive"],
)
def test_zenodo_archive_of_other_files(server, get, zenodo, body):
    zenodo()
    with pytest.raises(DownloadError, match=r"not the files of the Zenodo record, file\.gz"):
        get(server.serve("/api/records/7/files-archive", Reply(body)))
    get.check_nothing()


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "file.gz").write_bytes(DATA)
    return folder


@pytest.mark.parametrize("checksum", [None, SHA256])
def test_mirror(get, mirror, checksum):
    get("https://example.org/x/file.gz?download=1", checksum, mirror)
    get.check()
    assert (mirror / "file.gz").read_bytes() == DATA


def test_mirror_wipes_a_part_of_the_network(server, get, mirror):
    url = server.serve("/b.gz", Reply(b"x" * 99, sent=9))
    with pytest.raises(DownloadError):
        get(url, attempts=1)
    get(url, mirror=mirror)
    get.check()


def test_mirror_without_the_file(get, mirror):
    (mirror / "file.gz").unlink()
    with pytest.raises(DownloadError, match=rf"the mirror {mirror} has no file file\.gz; put it"):
        get("https://example.org/c.gz", None, mirror)
    get.check_nothing()


def test_mirror_with_the_wrong_checksum(get, mirror):
    wrong = "md5:" + "0" * 32
    with pytest.raises(DownloadError, match=rf"file\.gz .*expected {wrong}, found {MD5}; replace"):
        get("https://example.org/b.gz", wrong, mirror)
    get.check_nothing()
    assert (mirror / "file.gz").exists()


def test_killed_and_resumed(server, get):
    hold = threading.Event()
    url = server.serve("/file.gz", Reply(sent=HALF, hold=hold), Reply())
    code = "import sys; from crmnet.data.downloads import fetch; fetch(*sys.argv[1:])"
    path = os.pathsep.join([str(Path(downloads.__file__).parents[2]), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", code, url, get.destination],
        env={**os.environ, "PYTHONPATH": path},
    )
    part = get.destination.with_name(PART[0])
    try:
        wait_until(lambda: part.exists() and part.stat().st_size == HALF, "half has arrived")
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        hold.set()
    get.check_nothing(*PART)
    get(url)
    get.check()
    assert server.ranges() == [None, f"bytes={HALF}-"]
