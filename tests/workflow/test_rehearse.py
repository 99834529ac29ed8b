"""A rehearsal as its user would start it, of a run in which one of everything is broken."""

import re
import socket
import threading

import pytest
import yaml
from conftest import ROOT, run_snakemake
from servers import Reply, Server

from crmnet.data.tsv import read_table

TABLE = "".join(f"{'ACGT' * 20}\t{number % 17}\n" for number in range(500))


@pytest.fixture
def served():
    """A server with one table of two columns, which answers anything else with 404."""
    server = Server()
    server.serve("/good.tsv", Reply(TABLE.encode()))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.base
    server.shutdown()


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def broken(served):
    """The paper's config with a dead URL, a missing file, a wrong column, and neither GPU nor MEME;
    its models are small, so that it takes no time."""
    columns = {"sequence": 1, "expression": 2}
    good = {"file": f"{served}/good.tsv", "header": False, "columns": columns}
    dead = f"http://127.0.0.1:{closed_port()}/dead.tsv"
    return {
        "media": {
            "complex": None,
            "defined": None,
            "mine": {
                "train": [good],
                "test": {
                    "dead": {"file": dead, "columns": {"sequence": "a", "expression": "b"}},
                    "missing": good | {"file": f"{served}/missing.tsv"},
                    "wrong": good | {"columns": {"sequence": 1, "expression": 3}, "saved_as": "w"},
                },
            },
        },
        "released": {},
        "model": {"width": 8, "transformer_blocks": 1, "heads": 1},
        "models": dict.fromkeys(
            yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["models"]
        )
        | {"crmnet": {"pretrain": False}},
        "figures": {"figure3": None, "figure4": None, "figureS1": None},
        "motifs": {"engine": "tool"},
        "training": {"devices": 2},
    }


def rehearsed(folder, changes, *arguments):
    """Runs a rehearsal; returns Snakemake's status and text, and the findings by what they are
    about."""
    (folder / "changes.yaml").write_text(yaml.safe_dump(changes))
    done = run_snakemake(
        folder,
        *("rehearse", "--cores", 2, *arguments, "--configfile", folder / "changes.yaml"),
        "--quiet",
        *("host", "reason"),
    )
    path = folder / "results" / "rehearsal" / "findings.tsv"
    assert path.exists(), done.stdout
    return done, read_table(path, ["found", "mend", "where"]).fillna("").set_index("what")


@pytest.mark.slow
def test_each_thing_that_is_broken_is_named_and_hides_no_other(tmp_path, broken, monkeypatch):
    # Tools that are installed on this machine are out of reach, and R has no rGADEM.
    program = tmp_path / "bin" / "Rscript"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\necho no package called rGADEM >&2\necho Execution halted >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    done, findings = rehearsed(tmp_path, broken, "--sdm", "conda")
    assert done.returncode != 0
    wrong = findings[findings["state"] == "not ready"]
    said = {
        "conda": "conda is not on the PATH",
        "file dead.tsv": "refused",
        "file missing.tsv": "404",
        "file w": "has no column 3",
        "devices of a training": "no GPU",
        "job rehearse_discover": "engine `tool`: the program meme is not on the PATH",
        "job rehearse_scan": "engine `tool`: the program fimo is not on the PATH",
        "job rehearse_match": "engine `tool`: the program tomtom is not on the PATH",
        "job rehearse_gadem": "engine `tool`: R has no package rGADEM; install it",
    }
    assert set(wrong.index) == set(said), done.stdout
    for what, words in said.items():
        assert words in wrong.loc[what, "found"]
        # The terminal names each, too, and what to do.
        assert f"{what}: not ready: " in done.stdout
    assert findings.loc["file good.tsv", "state"] == "ready"
    step = findings.loc["a training step of crmnet"]
    assert step["state"] == "note" and "a CPU took the place of 2 GPUs" in step["found"]
    assert "9 of " in done.stdout and "see results/rehearsal/index.html" in done.stdout

    trainings = read_table(tmp_path / "results" / "rehearsal" / "trainings.tsv")
    (row,) = trainings.itertuples()
    assert row.training == "crmnet/1/mine" and row.hours > 0
    # The rows that the server's file has, by its size and first bytes; 1 % are for validation.
    assert row.sequences == pytest.approx(0.99 * 500, rel=0.02)
    page = (tmp_path / "results" / "rehearsal" / "index.html").read_text()
    assert "9 of " in page and "404" in page
    # All that Snakemake said is kept.
    said = (tmp_path / "results" / "logs" / "rehearsal.jobs.log").read_text()
    assert "rehearse_training" in said and "rehearse_disk" in said
    # The rehearsal leaves the run itself untouched.
    assert not (tmp_path / "resources").exists() or not any((tmp_path / "resources").iterdir())
    assert {path.name for path in (tmp_path / "results").iterdir()} <= {
        *("rehearsal", "logs", "benchmarks"),
    }


def test_a_rehearsal_is_planned_without_its_jobs_and_alone(tmp_path):
    done = run_snakemake(tmp_path, "rehearse", "-n", "--cores", 1)
    assert done.returncode == 0, done.stdout
    # Its own jobs are started by these two.
    assert set(re.findall(r"^(\w+) +1$", done.stdout, re.M)) == {"rehearsal", "rehearse"}
    done = run_snakemake(tmp_path, "rehearse", "figure1", "--cores", 1)
    assert done.returncode != 0 and "as its only target" in done.stdout
