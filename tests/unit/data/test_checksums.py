"""Checksums: the values of the standards, files read in pieces, and progress messages."""

import io

import pytest

from crmnet.data import checksums

# FIPS 180-4 and RFC 1321.
KNOWN = {
    ("sha256", b""): "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ("sha256", b"abc"): "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ("md5", b"abc"): "900150983cd24fb0d6963f7d28e17f72",
}


@pytest.mark.parametrize(("algorithm", "content"), KNOWN)
def test_checksums_are_those_of_the_standard(algorithm, content, tmp_path, monkeypatch):
    monkeypatch.setattr(checksums, "CHUNK", 2)
    expected = KNOWN[algorithm, content]
    assert checksums.checksum(io.BytesIO(content), algorithm, "it", len(content)) == expected
    if algorithm == "sha256":
        (tmp_path / "it").write_bytes(content)
        assert checksums.sha256(tmp_path / "it") == expected


def test_a_large_file_says_how_far_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checksums, "CHUNK", 4)
    monkeypatch.setattr("crmnet.logs.PROGRESS_SECONDS", 0)
    (tmp_path / "large").write_bytes(bytes(20))
    checksums.sha256(tmp_path / "large")
    assert capsys.readouterr().err.count("large: ") == 5
