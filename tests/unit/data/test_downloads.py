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
from email.utils import formatdate
from pathlib import Path

import pytest
from servers import DATA, HALF, MD5, SHA256, Reply
from waiting import wait_until

from crmnet import logs
from crmnet.data import downloads, web
from crmnet.data.downloads import fetch
from crmnet.data.web import DownloadError, file_name

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


@pytest.mark.parametrize(
    "url",
    [
        *("https://example.org", "https://example.org/?file=a"),
        *("https://example.org/x/..", "https://example.org/x/%2e%2E/", "https://example.org/x/."),
        *("https://example.org/x/a%2Fb.csv", "https://example.org/..%2f..%2fx", "http://[bad/a"),
    ],
)
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


@pytest.mark.parametrize("checksum", [None, MD5])
@pytest.mark.parametrize("length", [True, False])
def test_an_empty_file_is_none(server, get, checksum, length):
    empty = Reply(b"", length=length)
    with pytest.raises(DownloadError, match="sent an empty file, after 6 attempts"):
        get(server.serve("/file.gz", empty), checksum)
    get.check_nothing()
    get(server.serve("/file.gz", empty, Reply()), checksum)
    get.check()


def test_an_empty_answer_leaves_what_is_there(server, get):
    empty = Reply(b"", ranges=False)
    get(server.serve("/file.gz", Reply(sent=HALF), empty, Reply()))
    get.check()
    assert server.ranges() == [None, f"bytes={HALF}-", f"bytes={HALF}-"]


# A body without a length.

UNKNOWN = "size not known"


def test_a_body_that_the_end_of_the_connection_ends_is_compared_with_the_size(server, get, capsys):
    get(server.serve("/file.gz", Reply(length=False), Reply()))
    get.check()
    assert server.ranges() == [None, "bytes=0-0"]
    assert UNKNOWN not in capsys.readouterr().err


def test_a_body_without_a_length_that_is_cut(server, get):
    get(server.serve("/file.gz", Reply(length=False, sent=HALF), Reply()))
    get.check()
    assert server.ranges() == [None, "bytes=0-0", f"bytes={HALF}-"]


def test_a_body_that_is_cut_every_time(server, get):
    cut = Reply(length=False, ranges=False, sent=HALF, head=len(DATA))
    with pytest.raises(DownloadError, match=r"cut at 524,288 of 1,048,576 bytes, after 6 attempts"):
        get(server.serve("/file.gz", cut))
    get.check_nothing(*PART)


@pytest.mark.parametrize("head", [None, 0])
def test_a_size_that_the_server_does_not_tell(server, get, capsys, head):
    """HEAD is not known, or answered with 0, as if the file were not made for it."""
    get(server.serve("/file.gz", Reply(length=False, ranges=False, head=head)))
    get.check()
    assert UNKNOWN in capsys.readouterr().err
    assert len(server.requests) == 3


def test_no_size_is_asked_for_beside_a_checksum(server, get):
    get(server.serve("/file.gz", Reply(length=False)), MD5)
    get.check()
    assert len(server.requests) == 1


def test_a_size_of_another_version(server, get):
    new = DATA[::-1]
    changed = Reply(new, etag='"two"', length=False)
    get(server.serve("/file.gz", Reply(length=False), changed))
    get.check(new)


def in_chunks(body):
    return b"%x\r\n%b\r\n" % (len(body), body)


CHUNKED = {"Transfer-Encoding": "chunked"}


def test_a_body_in_chunks_has_an_end_of_its_own(server, get, capsys):
    body = in_chunks(DATA[:HALF]) + in_chunks(DATA[HALF:]) + b"0\r\n\r\n"
    get(server.serve("/file.gz", Reply(body, length=False, headers=CHUNKED)))
    get.check()
    assert len(server.requests) == 1 and UNKNOWN not in capsys.readouterr().err


@pytest.mark.parametrize("sent", [9, len(in_chunks(DATA[:HALF])), None])
def test_a_body_in_chunks_that_is_cut(server, get, sent):
    body = in_chunks(DATA[:HALF]) + in_chunks(DATA[HALF:])
    cut = Reply(body, length=False, headers=CHUNKED, sent=sent, ranges=False)
    with pytest.raises(DownloadError, match="after 6 attempts"):
        get(server.serve("/file.gz", cut))
    assert not get.destination.exists()
    get(server.serve("/file.gz", cut, Reply()))
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


@pytest.mark.parametrize("checked", [True, False], ids=["checksum", "no checksum"])
@pytest.mark.parametrize("new", [DATA[::-1] + b"more", DATA[::-1][:-9], DATA[::-1][: HALF + 1]])
def test_a_total_that_changes_under_one_etag(server, get, new, checked):
    get(
        server.serve("/file.gz", Reply(sent=HALF), Reply(new)),
        "sha256:" + hashlib.sha256(new).hexdigest() if checked else None,
    )
    get.check(new)
    assert server.ranges() == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize("new", [DATA[::-1], DATA[::-1] + b"more"], ids=["of its size", "longer"])
@pytest.mark.parametrize("kept", ["ETag", "date"])
def test_another_version_without_a_validator(server, get, new, kept):
    """The server ignores If-Range."""
    before = Reply(sent=HALF)
    if kept == "date":
        date = {"Last-Modified": "Sat, 01 Jan 2022 00:00:00 GMT"}
        before = Reply(sent=HALF, etag=None, headers=date)
    get(server.serve("/file.gz", before, Reply(new, etag=None, if_range=False)))
    get.check(new)


def test_a_part_without_a_validator_is_taken_if_a_checksum_follows(server, get):
    get(server.serve("/file.gz", Reply(sent=HALF), Reply(etag=None)), MD5)
    get.check()
    assert server.ranges() == [None, f"bytes={HALF}-"]


@pytest.mark.parametrize("checked", [True, False], ids=["checksum", "no checksum"])
@pytest.mark.parametrize("total", [HALF, HALF - 9, 2 * len(DATA)])
def test_no_more_bytes_of_another_total(server, get, total, checked):
    """The answer 416 with a size that is not the one at the beginning."""
    new = (DATA[::-1] * 2)[:total]
    none = Reply(b"", 416, headers={"Content-Range": f"bytes */{total}"})
    get(
        server.serve("/file.gz", Reply(sent=HALF), none, Reply(new)),
        "sha256:" + hashlib.sha256(new).hexdigest() if checked else None,
    )
    get.check(new)
    assert server.ranges() == [None, f"bytes={HALF}-", None]


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
        Reply(b"<!-- " + b"-" * 9999 + b"-->\n<html>", ranges=False),
        Reply(b" \t\r\n" * 999 + b"<!-- a page --><!doctype html>", ranges=False),
        Reply(b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML">', ranges=False),
        Reply("\ufeff<html><p>log in".encode("utf-16-le"), ranges=False),
        Reply("<Head><title>log in".encode("utf-16"), ranges=False),
        Reply(b"<html><p>log in" * 99, ranges=False, drip=0),
    ],
)
def test_html_page(server, get, page):
    url = server.serve("/file.gz", Reply(sent=HALF), page, Reply())
    with pytest.raises(DownloadError, match="HTML page|XML"):
        get(url)
    assert len(server.requests) == 2
    # What was there before the page is kept, and serves the next run.
    assert get.destination.with_name(PART[0]).stat().st_size == HALF
    get(url)
    get.check()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"status": 404, "message": "no such file"}', "application/octet-stream"),
        (b'\xef\xbb\xbf\n{\n  "error":', "text/plain"),
        (b'[{"message": "slow down"}]', "text/plain"),
        (b"{}", "text/plain"),
        (b"[]", "text/plain"),
        (b"[1, 2", "application/json"),
        (b'"not found"', "application/json; charset=utf-8"),
        (b"{'error'", "application/problem+json"),
        (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "application/xml"),
    ],
)
def test_json_or_xml(server, get, body, kind):
    answer = Reply(body, ranges=False, headers={"Content-Type": kind})
    with pytest.raises(DownloadError, match="the server sent (JSON|XML)"):
        get(server.serve("/file.csv", answer))
    get.check_nothing()
    with pytest.raises(DownloadError, match="the server sent (JSON|XML)"):
        get(server.serve("/file.csv", answer), "md5:" + hashlib.md5(body).hexdigest())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"sequence,expression\nACGT,1\n", "application/json"),
        (b'"sequence","expression"\n"ACGT",1\n', "application/json"),
        (b"<insert>\t<level>\nACGT\t1\n", "text/plain"),
        (b"{insert}\tlevel\nACGT\t1\n", "text/plain"),
        (b"[insert],level\nACGT,1\n", "text/plain"),
        (b'[1] "ACGT"\n', "text/plain"),
        (b"ACGT\t1", "text/plain"),
        (b"\xff\xfes\x00e\x00q\x00", "text/plain"),
        (b"\x1f\x8b{}", "application/json"),
        (b"   ", "text/plain"),
    ],
)
def test_what_only_resembles_a_page_or_json_is_a_file(server, get, body, kind):
    get(server.serve("/file", Reply(body, headers={"Content-Type": kind})))
    get.check(body)


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


def test_attempts_count_from_the_last_progress(server, get):
    cuts = [Reply(sent=len(DATA) // 8)] * 7
    get(server.serve("/file.gz", *cuts, Reply()), attempts=2)
    get.check()
    assert len(server.requests) == 8
    # Several attempts may make it together.
    server.requests.clear()
    get.destination.unlink()
    cuts = [Reply(sent=len(DATA) // 40)] * 39
    get(server.serve("/file.gz", *cuts, Reply()), attempts=4)
    get.check()
    assert len(server.requests) == 40


@pytest.mark.parametrize("sent", [1, 9999])
def test_a_few_bytes_an_attempt_are_no_progress(server, get, sent):
    with pytest.raises(DownloadError, match="cut at .* after 6 attempts"):
        get(server.serve("/file.gz", Reply(sent=sent)))
    assert len(server.requests) == 6


@pytest.mark.parametrize("path", ["/file.gz", "/records/7/files/file.gz"])
def test_a_server_that_sends_a_byte_now_and_then(server, get, zenodo, monkeypatch, path):
    """Of the file, or of Zenodo's record."""
    monkeypatch.setattr(web, "WINDOW", 0.05)
    zenodo(Reply(b"{" * 10**6, drip=0.01))
    server.serve("/file.gz", Reply(drip=0.01))
    with pytest.raises(DownloadError, match=r"sent only [\d,]+ bytes in .* after 3 attempts"):
        get(server.base + path, attempts=3)
    assert len(server.requests) == 3


def test_a_slow_file_that_ends_is_whole(server, get, monkeypatch):
    monkeypatch.setattr(web, "WINDOW", 0)
    get(server.serve("/file.gz", Reply(b"x")))
    get.check(b"x")


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
    assert lines[-2].startswith("file.gz: 1 of 1 MB, ") and lines[-2].endswith(" s left")
    assert "no checksum known" in lines[-1]


@pytest.fixture
def zenodo(server, monkeypatch):
    """Zenodo's record 7 with file.gz, whose entry in the record is the argument."""
    monkeypatch.setattr("crmnet.data.zenodo.ZENODO", server.base)

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


@pytest.mark.parametrize(
    ("body", "kind"), [(b"", "an empty file"), (b"\n<html>", "an HTML page"), (b"{}", "JSON")]
)
def test_mirror_with_something_else(get, mirror, body, kind):
    (mirror / "file.gz").write_bytes(body)
    with pytest.raises(DownloadError, match=rf"mirror/file\.gz .*: is {kind}.*replace that file"):
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
