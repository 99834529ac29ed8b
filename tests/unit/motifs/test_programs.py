"""External programs: the choice by `engine`, their output and their errors."""

import sys

import pytest

from crmnet.motifs import programs
from crmnet.motifs.motif import MotifError


def program(folder, name, body):
    """A program of a few lines of Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_engines(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.tool("fimo", "auto") is None
    with pytest.raises(MotifError, match="the program fimo is not on the PATH"):
        programs.tool("fimo", "tool")
    path = program(tmp_path, "fimo", "print('5.5.9')")
    assert programs.tool("fimo", "auto") == programs.tool("fimo", "tool") == path
    assert programs.tool("fimo", "builtin") is None
    assert programs.version(path) == "fimo 5.5.9"
    with pytest.raises(MotifError, match="engine 'fast' is not one of auto, tool, builtin"):
        programs.tool("fimo", "fast")


def test_a_program_that_fails_is_quoted(tmp_path):
    body = "print('Scanning'); raise SystemExit('No motifs\\n  could be read.')"
    path = program(tmp_path, "fimo", body)
    said = r"fimo --x: failed \(1\): Scanning; No motifs; could be read\.$"
    with pytest.raises(MotifError, match=said):
        programs.run_tool([path, "--x"])
