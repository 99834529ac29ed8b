"""Faults of the disk: an error that names the file and what to do, or a new file; never a wrong
number."""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from conftest import run_snakemake, tiny_config


def damaged(path):
    """Cuts a file in half; gives it back as it was."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return whole


@pytest.mark.slow
def test_damaged_files_are_named_and_made_anew_when_they_are_deleted(tiny_run, tmp_path):
    before = tiny_run[0] / "results" / "demo"
    shutil.copytree(tiny_run[0], tmp_path / "run")
    results = tmp_path / "run" / "results" / "demo"
    targets = ("results/demo/metrics.tsv", "results/demo/models/cnn/1/defined.keras")
    command = (results.parent.parent, *targets, "--cores", 2)
    command += ("--configfile", tiny_run[0] / "tiny.yaml")

    model = results / "models" / "crmnet" / "1" / "complex.keras"
    predictions = results / "predictions" / "danq-published" / "complex.tsv"
    shard = next((results / "data" / "defined" / "shards").glob("train-*"))
    for path in (model, predictions):
        damaged(path)
    whole = damaged(shard)
    (results / "models" / "cnn" / "1" / "defined.keras").unlink()
    done = run_snakemake(*command, "--keep-going")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    for path, said in (
        (model, "is not a complete model of this workflow"),
        (predictions, "is not a complete table of predictions; delete it"),
        (shard, f"of its {len(whole):,} bytes; delete "),
    ):
        assert f"{path.relative_to(tmp_path / 'run')}: " in done.stdout
        assert said in done.stdout
    # What was once made from the output of a job that failed is not up to date.
    plan = run_snakemake(*command, "-n").stdout
    assert {"predict", "evaluate", "train", "metrics"} <= set(
        re.findall(r"^(\w+) +\d+$", plan, re.M)
    )

    shard.write_bytes(whole)
    model.unlink()
    predictions.unlink()
    done = run_snakemake(*command)
    assert done.returncode == 0, done.stdout
    assert (results / "metrics.tsv").read_text() == (before / "metrics.tsv").read_text()


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("NOT TESTED: a full disk; a small one can be mounted by root alone")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(tiny_run, tmp_path, small_disk):
    config = tiny_config() | {"outdir": str(small_disk / "results")}
    # The simulated files of the run that is there already.
    for medium in config["media"].values():
        for table in [*medium["train"], *filter(None, medium["test"].values())]:
            table["file"] = str(tiny_run[0] / table["file"])
            table.pop("published", None)
    (tmp_path / "full.yaml").write_text(yaml.safe_dump(config))
    manifest = small_disk / "results" / "data" / "complex" / "manifest.json"
    command = (tmp_path, manifest, "--cores", 2, "--configfile", tmp_path / "full.yaml")
    filler = small_disk / "filler"
    filler.write_bytes(bytes((4 << 20) - (128 << 10)))
    done = run_snakemake(*command)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "No space left on device; free some space" in done.stdout
    assert not manifest.exists() and not (manifest.parent / "shards").exists()
    filler.unlink()
    done = run_snakemake(*command)
    assert done.returncode == 0, done.stdout
    assert '"rows": 1507' in manifest.read_text()
