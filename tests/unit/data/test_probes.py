"""What is asked of servers before a download."""

import hashlib
import json

import pytest
from archives import as_gzipped_tar, as_zip, below
from servers import DATA, MD5, Reply
from waiting import HANGS

from crmnet.data import web, zenodo
from crmnet.data.probes import START, Probe, probe
from crmnet.data.web import DownloadError


@pytest.fixture
def ask(tmp_path):
    """Runs `probe` without really waiting; nothing may be written."""

    def ask(url, **options):
        options = {"destination": tmp_path / "resources" / "file.gz", "timeout": HANGS} | options
        waits = []
        before = set(tmp_path.rglob("*"))
        found = probe(url, sleep=waits.append, **options)
        assert set(tmp_path.rglob("*")) == before and sum(waits) < 20
        return found

    return ask


@pytest.mark.parametrize("checksum", [None, MD5])
def test_a_file_on_a_server(server, ask, checksum):
    url = server.serve("/file.gz", Reply())
    found = ask(url, checksum=checksum)
    assert found == Probe(url, False, len(DATA), checksum, DATA[:START])
    assert server.ranges() == [f"bytes=0-{START - 1}"]


def test_a_server_that_ignores_ranges_is_not_read_to_the_end(server, ask):
    """The rest of the body never comes."""
    url = server.serve("/file.gz", Reply(ranges=False, drip=None, sent=START + 9))
    assert ask(url) == Probe(url, False, len(DATA), None, DATA[:START])


def test_a_size_that_the_server_does_not_tell(server, ask):
    found = ask(server.serve("/file.gz", Reply(ranges=False, length=False)))
    assert (found.size, found.start) == (None, DATA[:START])


def test_a_file_smaller_than_the_start(server, ask):
    found = ask(server.serve("/file.gz", Reply(b"ACGT\t1\n")))
    assert (found.size, found.start) == (7, b"ACGT\t1\n")


def test_a_file_of_zenodo_has_its_checksum(server, ask, monkeypatch):
    monkeypatch.setattr(zenodo, "ZENODO", server.base)
    listing = {"files": [{"key": "file.gz", "checksum": MD5, "size": len(DATA)}]}
    server.serve("/api/records/7", Reply(json.dumps(listing).encode()))
    url = server.serve("/records/7/files/file.gz", Reply())
    assert ask(url) == Probe(url, False, len(DATA), MD5, DATA[:START])
    with pytest.raises(DownloadError, match=r"no file other\.gz; it has file\.gz"):
        ask(server.base + "/records/7/files/other.gz")


def test_of_a_record_the_archive_that_the_download_looks_into_first(server, ask, monkeypatch):
    monkeypatch.setattr(zenodo, "ZENODO", server.base)
    files = {
        "paper.pdf": b"%PDF",
        "small.zip": as_zip({"a.pkl": b"numbers"}),
        "model.tar.gz": as_gzipped_tar(below("crm_net")),
        "data.zip": as_zip({"a.pkl": bytes(range(256)) * 9}),
    }
    sums = {name: "md5:" + hashlib.md5(content).hexdigest() for name, content in files.items()}

    def serve(*names):
        listing = [{"key": n, "checksum": sums[n], "size": len(files[n])} for n in names]
        server.serve("/api/records/7", Reply(json.dumps({"files": listing}).encode()))
        for name in names:
            server.serve(f"/records/7/files/{name}", Reply(files[name]))
        return server.base + "/records/7"

    found, model = ask(serve(*files)), files["model.tar.gz"]
    assert found.source.startswith(f"{server.base}/records/7/files/model.tar.gz")
    assert (found.size, found.checksum, found.start) == (len(model), sums["model.tar.gz"], model)
    with pytest.raises(DownloadError, match="records/7: no archive of the record holds a SavedMod"):
        ask(serve("small.zip", "data.zip"))


def test_the_size_of_all_files_of_a_record(server, ask, monkeypatch):
    monkeypatch.setattr(zenodo, "ZENODO", server.base)
    sizes = {"saved_model.pb": 300, "variables.index": 20, "variables.data": 10**9}
    listing = [{"key": n, "checksum": MD5, "size": size} for n, size in sizes.items()]
    server.serve("/api/records/7", Reply(json.dumps({"files": listing}).encode()))
    archive = Reply(DATA, length=False, ranges=False)
    url = server.serve("/api/records/7/files-archive", archive)
    for asked in (url, server.base + "/records/7"):
        assert ask(asked) == Probe(url, False, 10**9 + 320, None, DATA[:START])


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"", 404), "answered 404.*mirror:"),
        (Reply(b"", 503, headers={"Retry-After": "3600"}), "answered 503.* after 2 attempts"),
        (Reply(b""), "the file is empty"),
        (Reply(b"", ranges=False), "the file is empty"),
        (Reply(sent=0), "sent no bytes, after 2 attempts"),
        (Reply(b"<!-- a page --><html>"), "an HTML page"),
        (Reply(b'{"message": "gone"}'), "sent JSON"),
    ],
)
def test_a_file_that_cannot_be_had(server, ask, reply, said):
    url = server.serve("/file.csv", reply)
    with pytest.raises(DownloadError, match=rf"{url}: .*{said}"):
        ask(url)


def test_no_server(server, ask):
    url = server.base + "/file.gz"
    server.socket.close()
    with pytest.raises(DownloadError, match=r"refused, after 2 attempts; check the network"):
        ask(url)


def test_a_server_that_sends_a_byte_now_and_then(server, ask, monkeypatch):
    monkeypatch.setattr(web, "WINDOW", 0.05)
    with pytest.raises(DownloadError, match="sent only"):
        ask(server.serve("/file.gz", Reply(drip=0.01)))


@pytest.mark.parametrize(
    ("url", "checksum"), [("https://example.org/a.csv", "md5:1"), ("ftp://example.org/a", None)]
)
def test_what_the_config_has_wrong(ask, url, checksum):
    with pytest.raises(DownloadError, match="correct it in the config"):
        ask(url, checksum=checksum)


def test_a_file_that_is_there_already(ask, tmp_path):
    (tmp_path / "file.csv").write_bytes(DATA)
    found = ask("https://example.org/a.csv", destination=tmp_path / "file.csv", mirror=tmp_path)
    assert found == Probe(str(tmp_path / "file.csv"), True, len(DATA), None, DATA[:START])


def test_a_file_in_the_mirror(ask, tmp_path):
    (tmp_path / "file.gz").write_bytes(DATA)
    found = ask("https://example.org/a.csv", mirror=tmp_path, checksum=MD5)
    assert found == Probe(str(tmp_path / "file.gz"), False, len(DATA), MD5, DATA[:START])
    (tmp_path / "file.gz").write_bytes(b"<html>")
    with pytest.raises(DownloadError, match="is an HTML page.*replace that file"):
        ask("https://example.org/a.csv", mirror=tmp_path)
    (tmp_path / "file.gz").unlink()
    with pytest.raises(DownloadError, match=rf"the mirror {tmp_path} has no file file\.gz; put it"):
        ask("https://example.org/a.csv", mirror=tmp_path)


def test_a_file_that_cannot_be_read(ask, tmp_path, monkeypatch):
    (tmp_path / "file.gz").write_bytes(DATA)

    def denied(*_):
        raise PermissionError("denied")

    monkeypatch.setattr("pathlib.Path.open", denied)
    with pytest.raises(DownloadError, match=r"cannot be read \(denied\); check its permissions"):
        ask("https://example.org/a.csv", mirror=tmp_path)
