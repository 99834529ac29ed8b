"""Records of Zenodo, on a server on this machine."""

import hashlib
import json
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from archives import as_gzipped_tar, as_tar, as_zip, below
from servers import Reply

from crmnet.data import saved_models, zenodo
from crmnet.data.web import DownloadError, Web

NOISE = np.random.default_rng(1).bytes(3_000_000)
PICKLED = {"data/seq_list.pkl": NOISE, "data/exp_list.pkl": b"numbers"}
MODEL = as_zip(below("crm_net") | {"README": NOISE[:20_000]})
DATA = as_zip(PICKLED)


def md5(content):
    return "md5:" + hashlib.md5(content).hexdigest()


@pytest.fixture
def record(server, monkeypatch):
    """Serves a record with these files, and returns its URL."""
    monkeypatch.setattr(zenodo, "ZENODO", server.base)

    def record(files, number=7, **reply):
        listing = [
            {"key": name, "size": len(content), "checksum": md5(content)}
            for name, content in files.items()
        ]
        answer = json.dumps({"id": number, "files": listing}).encode()
        server.serve("/api/records/7", Reply(answer, ranges=False))
        for name, content in files.items():
            server.serve(f"/records/{number}/files/{quote(name)}", Reply(content, **reply))
        return f"{server.base}/records/7"

    return record


def asked(server, name):
    """The ranges that were asked for of a file."""
    return [h.get("range") for path, h in server.requests if path.endswith(f"/files/{name}")]


def whole(server):
    """The files that were downloaded."""
    found = [path for path, headers in server.requests if "range" not in headers]
    return [path.partition("/files/")[2] for path in found if "/files" in path]


@pytest.mark.parametrize(
    "url",
    [
        "https://zenodo.org/records/7375243",
        "https://zenodo.org/record/7375243#.Y4gDjS0RoUE",
        "https://zenodo.org/records/7375243/?preview=1",
        "https://zenodo.org/api/records/7375243",
        "https://zenodo.org/doi/10.5281/zenodo.7375243",
        "https://doi.org/10.5281/zenodo.7375243",
        "http://dx.doi.org/10.5281/zenodo.7375243",
    ],
)
def test_a_record_has_several_urls(url):
    assert zenodo.record(url) == "7375243"


@pytest.mark.parametrize(
    "url",
    [
        "https://zenodo.org/records/7375243/files/a.zip?download=1",
        "https://zenodo.org/api/records/7375243/files-archive",
        "https://zenodo.org/communities/7375243",
        "https://example.org/records/7375243",
        "https://doi.org/10.5281/zenodo.73x",
    ],
)
def test_other_urls_are_no_records(url):
    assert zenodo.record(url) is None


def test_the_smallest_archive_with_a_saved_model(server, get, record, capsys):
    url = record({"paper.pdf": b"%PDF", "data.zip": DATA, "The model.zip": MODEL})
    get(url)
    get.check(MODEL)
    assert whole(server) == ["The%20model.zip"] and asked(server, "data.zip") == []
    said = capsys.readouterr().err
    assert f"took The model.zip ({len(MODEL):,} bytes, {md5(MODEL)}), the smallest archive" in said
    assert f"{md5(MODEL)}, from {url}/files/The%20model.zip?download=1" in said


def test_a_smaller_archive_is_passed_over_by_its_list_of_files(server, get, record, capsys):
    larger = as_zip(below("crm_net") | {"more": NOISE, "even more": NOISE})
    get(record({"model.zip": larger, "data.zip": DATA}))
    get.check(larger)
    assert whole(server) == ["model.zip"]
    ranges = [part.removeprefix("bytes=").split("-") for part in asked(server, "data.zip")]
    assert 0 < sum(int(last) + 1 - int(first) for first, last in ranges) < 70_000
    assert len(ranges) < 6
    assert "data.zip: is passed over, because its list of files has no SavedModel" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("name", "content", "ranges"),
    [
        ("data.tar.gz", as_gzipped_tar(PICKLED), True),
        ("data.zip", as_zip({"data.tar": as_tar(PICKLED)}), True),
        # The server does not send parts of files.
        ("data.zip", DATA, False),
        ("data.zip", DATA[:-30], True),
        ("data.zip", b"no archive at all", True),
    ],
    ids=["gzip", "archive in it", "no ranges", "damaged", "none"],
)
def test_an_archive_whose_files_are_not_listed_is_downloaded(
    server, get, record, capsys, name, content, ranges
):
    larger = as_zip(below("crm_net") | {"more": NOISE, "even more": NOISE})
    get(record({"model.zip": larger, name: content}, ranges=ranges))
    get.check(larger)
    assert whole(server)[-1] == "model.zip" and name in whole(server)
    assert f"{name}: is passed over (" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.tar.gz", as_gzipped_tar(below("crm_net"))),
        ("model.TGZ", as_gzipped_tar(below("crm_net"))),
        ("model.tar", as_tar(below("crm_net"))),
        ("all.zip", as_zip({"README": b"", "model.tar.gz": as_gzipped_tar(below("crm_net"))})),
    ],
)
def test_archives_of_all_kinds(get, record, name, content):
    get(record({name: content, "data.zip": DATA}))
    get.check(content)


def test_a_record_without_a_saved_model(server, get, record):
    with pytest.raises(DownloadError, match="records/7: no archive of the record holds a SavedMod"):
        get(record({"data.zip": DATA, "data.tar.gz": as_gzipped_tar(PICKLED)}))
    get.check_nothing()


@pytest.mark.parametrize(
    ("files", "there"),
    [({"model.h5": b"", "a.pkl": b""}, r"only a\.pkl, model\.h5"), ({}, "no file that anyone")],
)
def test_a_record_without_an_archive(get, record, files, there):
    with pytest.raises(DownloadError, match=f"records/7: the record has no archive, .*{there}"):
        get(record(files))


def test_a_record_that_is_a_saved_model(server, get, record, tmp_path):
    files = {"saved_model.pb": b"graph", "variables.index": b"index", "seq_list.pkl": b"numbers"}
    url = record({**files, "variables.data-00000-of-00001": b"tensors", "other.zip": b"PK"})
    content = as_zip({**files, "variables.data-00000-of-00001": b"tensors", "other.zip": b"PK"})
    server.serve("/api/records/7/files-archive", Reply(content, length=False))
    with pytest.raises(DownloadError, match="no archive of the record holds"):
        get(url)  # Because of other.zip, which is none.
    del files["seq_list.pkl"]
    url = record({**files, "variables.data-00000-of-00001": b"tensors"})
    content = as_zip({**files, "variables.data-00000-of-00001": b"tensors"})
    server.serve("/api/records/7/files-archive", Reply(content, length=False))
    get(url)
    get.check(content)
    (tmp_path / "unpacked").mkdir()
    found = saved_models.find(get.destination, None, tmp_path / "unpacked")
    assert (found / "variables.index").read_bytes() == b"index"


def test_a_declared_checksum_is_that_of_the_archive(get, record):
    url = record({"model.zip": MODEL, "data.zip": DATA})
    with pytest.raises(
        DownloadError, match=rf"model\.zip.*expected {md5(DATA)}, found {md5(MODEL)}"
    ):
        get(url, md5(DATA))
    get.check_nothing()
    get(url, "sha256:" + hashlib.sha256(MODEL).hexdigest())
    get.check(MODEL)


def test_an_archive_of_a_record_resumes(server, get, record):
    url = record({"model.zip": MODEL, "data.zip": DATA})
    path = "/records/7/files/model.zip"
    # The list of files of the archive is read first.
    listing = [Reply(MODEL)] * 3
    server.serve(path, *listing, Reply(MODEL, sent=9000), Reply(MODEL))
    get(url)
    get.check(MODEL)
    assert asked(server, "model.zip")[-1] == "bytes=9000-"


def test_a_number_that_stands_for_the_newest_version(server, get, record):
    get(record({"model.zip": MODEL}, number=8))
    get.check(MODEL)
    assert whole(server) == ["model.zip"]


def test_the_list_of_files_of_an_archive_is_asked_for_again(server, record):
    record({"model.zip": MODEL})
    server.serve("/records/7/files/model.zip", Reply(b"", 429), Reply(MODEL, sent=5), Reply(MODEL))
    waits = []
    assert [file.name for file in zenodo.archives("7", Web(sleep=waits.append))] == ["model.zip"]
    assert len(waits) == 2


def test_a_url_of_the_api(server, record):
    record({"my model.zip": MODEL})
    for url in ("/api/records/7/files/my%20model.zip/content", "/records/7/files/my%20model.zip?x"):
        assert zenodo.checksum(server.base + url, Web()) == (md5(MODEL), [])


def test_the_mirror_has_the_archive_under_its_name(get, tmp_path):
    (tmp_path / "file.gz").write_bytes(MODEL)
    get("https://zenodo.org/records/7375243", mirror=tmp_path)
    assert Path(get.destination).read_bytes() == MODEL
