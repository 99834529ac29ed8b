import datetime
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from crmnet.report import provenance

ROOT = Path(__file__).parents[3]
# Of the empty file and of "abc": FIPS 180-2, appendix B.
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    command = ["git", *identity, "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path):
    """A folder that looks like the workflow's but is in no repository."""
    root = tmp_path / "workflow"
    root.mkdir()
    (root / "Snakefile").write_text("rule all:\n")
    (root / "CITATION.cff").write_text((ROOT / "CITATION.cff").read_text())
    return root


@pytest.fixture
def clone(folder):
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("https://me:se@cr:et@example.org/a.git", "https://example.org/a.git"),
        ("https://token@example.org/a?b=c@d", "https://example.org/a?b=c@d"),
        ("https://example.org/a@b/c", "https://example.org/a@b/c"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("data/a@b.tsv", "data/a@b.tsv"),
    ],
)
def test_a_url_loses_its_credentials_and_nothing_else(url, without):
    assert provenance.without_credentials(url) == without


def test_a_config_is_plain_json():
    config = {
        "outdir": Path("results"),
        "day": datetime.date(2023, 3, 14),
        "bins": (1, 2.5, None, True),
        "media": {1: {"file": "https://me:secret@example.org/a.tsv"}},
    }
    expected = {
        "outdir": "results",
        "day": "2023-03-14",
        "bins": [1, 2.5, None, True],
        # A column's number is not the name of a column.
        "media": {1: {"file": "https://example.org/a.tsv"}},
    }
    assert provenance.plain(config) == expected
    expected["media"] = {"1": expected["media"][1]}
    assert json.loads(json.dumps(provenance.plain(config))) == expected


def test_a_clone_has_its_commit_and_address(clone):
    git(clone, "remote", "add", "origin", "https://me:secret@example.org/a/b.git")
    assert provenance.workflow(clone) == {
        "name": "CRMnet: a reproducible workflow",
        "commit": git(clone, "rev-parse", "HEAD"),
        "modified": False,
        "repository": "https://example.org/a/b.git",
    }


def test_only_changes_of_tracked_files_modify_a_clone(clone):
    (clone / "notes.txt").write_text("mine")
    assert provenance.workflow(clone)["modified"] is False
    (clone / "Snakefile").write_text("rule other:\n")
    assert provenance.workflow(clone)["modified"] is True


@pytest.mark.parametrize("url", ["/data/crmnet", "../crmnet", "file:///data/crmnet"])
def test_a_clone_of_a_folder_has_no_address(clone, url):
    git(clone, "remote", "add", "origin", url)
    assert provenance.workflow(clone)["repository"] is None


def test_a_download_has_no_commit_even_within_another_repository(folder):
    unknown = {"commit": None, "modified": None, "repository": None}
    name = {"name": "CRMnet: a reproducible workflow"}
    assert provenance.workflow(folder) == name | unknown
    git(folder.parent, "init", "--quiet")
    (folder.parent / "other").write_text("")
    git(folder.parent, "add", "other")
    git(folder.parent, "commit", "--quiet", "-m", "first")
    assert provenance.workflow(folder) == name | unknown


def test_without_git_there_is_no_commit(clone, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.workflow(clone)["commit"] is None


def test_inputs_have_their_size_hash_and_url_and_folders_their_files(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    (tmp_path / "model" / "variables").mkdir(parents=True)
    (tmp_path / "model" / "variables" / "index").write_bytes(b"")
    (tmp_path / "model" / "saved").write_bytes(b"abc")
    paths = [str(tmp_path / "abc"), str(tmp_path / "model")]
    found = provenance.inputs(paths, {paths[0]: "https://me:secret@example.org/abc"})
    assert found == [
        {"path": paths[0], "url": "https://example.org/abc", "bytes": 3, "sha256": ABC},
        {"path": f"{paths[1]}/saved", "url": None, "bytes": 3, "sha256": ABC},
        {"path": f"{paths[1]}/variables/index", "url": None, "bytes": 0, "sha256": EMPTY},
    ]


def test_engines_are_those_of_the_tables(tmp_path):
    (tmp_path / "discover.tsv").write_text(
        "motif\tengine\nmeme_1\tmeme 5.5.9\nmeme_2\tmeme 5.5.9\n"
    )
    (tmp_path / "gadem.tsv").write_text("motif\tengine\n")
    with gzip.open(tmp_path / "hits.tsv.gz", "wt") as file:
        file.write("engine\tmotif\nfimo 5.5.9\tMA0363.2\n")
    tables = {"discover": "discover.tsv", "gadem": "gadem.tsv", "scan": "hits.tsv.gz"}
    found = provenance.engines({job: str(tmp_path / name) for job, name in tables.items()})
    assert found == {"discover": "meme 5.5.9", "scan": "fimo 5.5.9"}


def test_software_has_the_running_versions():
    found = provenance.software("9.0.1", ["train-tpu.yaml"])
    assert found["python"] == "{}.{}.{}".format(*sys.version_info)
    assert found["packages"]["rocrate"] == "0.16.0"
    assert found["snakemake"] == "9.0.1"
    pins = found["environments"]["train-tpu.yaml"]
    assert any(pin.startswith("python=") for pin in pins) and "jax[tpu]==0.9.2" in pins


def test_packages_of_another_environment_are_not_ours(tmp_path, monkeypatch):
    (tmp_path / "foreign-1.0.dist-info").mkdir()
    (tmp_path / "foreign-1.0.dist-info" / "METADATA").write_text("Name: foreign\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "foreign" not in provenance.software("9.0.1", [])["packages"]


def test_gpus_are_those_that_the_driver_lists(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.hardware()["accelerators"] == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA A100-SXM4-80GB'\necho 'NVIDIA A100-SXM4-80GB'\n")
    program.chmod(0o755)
    found = provenance.hardware()
    assert found["accelerators"] == ["NVIDIA A100-SXM4-80GB"] * 2
    assert found["cores"] >= 1 and found["memory_gb"] > 0 and found["cpu"] and found["system"]


def test_jobs_have_the_names_and_numbers_of_their_files(tmp_path):
    (tmp_path / "train" / "crmnet").mkdir(parents=True)
    (tmp_path / "download").mkdir()
    files = {
        "train/crmnet/complex.tsv": "90061.5\t1 day\t5000.25\t-\t1\t1\t0\t0\t99\t1440000.5",
        "download/a.txt.gz.tsv": "0.04\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA",
        "scan.tsv": "2.5\t0:00:02\t130.5\t1\t1\t1\t0\t0\t37\t0.75",
    }
    for name, row in files.items():
        (tmp_path / name).write_text(f"{HEAD}{row}\n")
    # The lost job ran before its rule had such a file; another's is that of a removed model.
    (tmp_path / "train" / "removed.tsv").write_text(f"{HEAD}{files['scan.tsv']}\n")
    paths = [str(tmp_path / name) for name in (*files, "lost.tsv")]
    found = provenance.jobs(paths, str(tmp_path))
    assert [tuple(job.values()) for job in found] == [
        ("download", "a.txt.gz", 0.04, None, None),
        ("scan", "", 2.5, 0.75, 130.5),
        ("train", "crmnet/complex", 90061.5, 1440000.5, 5000.25),
    ]
    assert list(found[0]) == ["rule", "job", "seconds", "cpu_seconds", "peak_mb"]
    assert provenance.total(found) == {
        "seconds": 90064.04,
        "cpu_seconds": 1440001.25,
        "peak_mb": 5000.25,
    }
    assert provenance.total([]) == {"seconds": 0, "cpu_seconds": 0, "peak_mb": None}


@pytest.fixture
def run(folder, tmp_path):
    """A record and the folder of its results."""
    outdir = tmp_path / "results"
    outdir.mkdir()
    for name in ("figureS1.pdf", "figureS1.tsv", "claims.md", "provenance.json", "config.yaml"):
        (outdir / name).write_text("")
    (outdir / "simulated").mkdir()
    (outdir / "simulated" / "a b.csv").write_text("abc")
    inputs = [
        {"path": str(outdir / "simulated" / "a b.csv"), "url": None},
        {"path": "resources/a.tsv.gz", "url": "https://example.org/files/a.tsv.gz?download=1"},
        {"path": "/elsewhere/mine.tsv", "url": None},
    ]
    record = {
        "workflow": {"name": "CRMnet", "commit": None, "modified": None, "repository": None},
        "made": "2023-03-14T12:00:00+00:00",
        "inputs": [entry | {"bytes": 3, "sha256": ABC} for entry in inputs],
        "software": {"snakemake": "9.27.1"},
        "jobs": [{"rule": "scan"}],
        "total": {"seconds": 2.5},
    }
    return record, outdir


def read_back(record, outdir, root):
    """The crate as the library reads it from the disk."""
    results = [outdir / name for name in ("figureS1.pdf", "figureS1.tsv", "claims.md")]
    made = provenance.crate(record, outdir, results, root)
    (outdir / "ro-crate-metadata.json").write_text(json.dumps(made.metadata.generate()))
    return ROCrate(outdir)


def identifiers(entities):
    return [entity.id for entity in entities]


def test_a_crate_links_what_was_used_to_what_was_made(run, folder):
    record, outdir = run
    crate = read_back(*run, folder)
    action = crate.root_dataset["mentions"]
    assert action.type == "CreateAction" and action["endTime"] == record["made"]
    # Of "abc", in base64url: RFC 6920 names a file by that.
    mine = "ni:///sha-256;ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
    assert identifiers(action["object"]) == [
        "config.yaml",
        "simulated/a%20b.csv",
        "https://example.org/files/a.tsv.gz?download=1",
        mine,
    ]
    assert all(entity["sha256"] == ABC for entity in action["object"][1:])
    assert action["object"][3]["name"] == "mine.tsv"
    made = {entity.id: (entity["name"], entity["encodingFormat"]) for entity in action["result"]}
    assert made == {
        "claims.md": ("Claims", "text/markdown"),
        "figureS1.pdf": ("Figure S1", "application/pdf"),
        "figureS1.tsv": ("Figure S1, numbers", "text/tab-separated-values"),
        "provenance.json": ("Provenance", "application/json"),
    }
    assert {*made, "config.yaml", mine} < set(identifiers(crate.root_dataset["hasPart"]))
    assert crate.license.id == "https://spdx.org/licenses/MIT"
    assert crate.root_dataset["citation"].id == "https://doi.org/10.3389/fdata.2023.1113402"
    assert "/elsewhere" not in (outdir / "ro-crate-metadata.json").read_text()


def test_terms_of_a_crate_are_declared(run, folder):
    made = provenance.crate(*run, [], folder).metadata.generate()
    assert made["@context"] == [
        "https://w3id.org/ro/crate/1.1/context",
        {"sha256": "https://schema.org/sha256"},
    ]


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("https://github.com/a/b.git", "https://github.com/a/b"),
        ("git@github.com:a/b.git", "https://github.com/a/b"),
        ("ssh://github.com:22/a/b", "https://github.com/a/b"),
        ("https://gitlab.com/a/b", "https://gitlab.com/a/b/-"),
    ],
)
def test_a_workflow_on_the_web_makes_a_workflow_run_crate(run, folder, repository, address):
    record, outdir = run
    record["workflow"] |= {"commit": "c0ffee", "modified": True, "repository": repository}
    crate = read_back(record, outdir, folder)
    workflow = crate.mainEntity
    assert workflow.id == f"{address}/raw/c0ffee/Snakefile"
    assert "ComputationalWorkflow" in workflow.type and workflow["version"] == "c0ffee"
    assert workflow["programmingLanguage"]["version"] == "9.27.1"
    assert crate.root_dataset["mentions"]["instrument"] is workflow
    assert "uncommitted changes" in crate.root_dataset["mentions"]["description"]
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in identifiers(crate.root_dataset["conformsTo"])


@pytest.mark.parametrize("commit", [None, "c0ffee"])
def test_a_workflow_that_is_nowhere_makes_a_process_run_crate(run, folder, commit):
    record, outdir = run
    record["workflow"]["commit"] = commit
    crate = read_back(record, outdir, folder)
    assert crate.root_dataset["conformsTo"].id == "https://w3id.org/ro/wfrun/process/0.5"
    assert crate.mainEntity is None
    assert crate.root_dataset["mentions"]["instrument"].id.startswith("ni:///sha-256;")


def test_the_module_is_light():
    code = "import sys, crmnet.report.provenance; sys.exit('rocrate' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "workflow" / "scripts", check=True)
