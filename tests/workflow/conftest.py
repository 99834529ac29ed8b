"""Runs the workflow as its user would, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from waiting import HANGS

ROOT = Path(__file__).parents[2]


def start_snakemake(folder, *arguments, snakefile=ROOT / "Snakefile", **options):
    """Starts Snakemake in `folder`, on this Snakefile."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
    return subprocess.Popen(
        [*command, "--directory", str(folder), *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def run_snakemake(folder, *arguments, **options):
    """Runs it to its end; the finished process, with its text."""
    with start_snakemake(folder, *arguments, stdout=subprocess.PIPE, **options) as process:
        said, _ = process.communicate(timeout=HANGS)
    return subprocess.CompletedProcess(process.args, process.returncode, said)


@pytest.fixture
def snakemake(tmp_path):
    return lambda *arguments: run_snakemake(tmp_path, *arguments)


def tiny_config():
    """The demo, cut down to what goes through every rule in a minute or two."""
    config = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())
    config["simulation"] |= {
        "train": 1500,
        "native_families": 5,
        "native_per_family": 4,
        "random": 100,
        "leaks": 7,
    }
    config["data"]["validation_fraction"] = 0.1
    config["model"] |= {"width": 8, "transformer_blocks": 1, "heads": 1}
    config["training"] |= {"epochs": 2, "stages": {"finetune": {"epochs": 1}}}
    others = ("without_transformer", "without_squeeze_excitation", "transformer", "deepsea")
    others = (*others, "deepatt", "legnet", "without_pretraining", "half_precision")
    config["models"] = dict.fromkeys(others)
    # So that there is an ensemble.
    config["models"]["crmnet"] = {"seeds": [1, 2]}
    config["figures"] = {
        "figure3": {"against": ["cnn", "danq"]},
        "figure4": {"against": ["without_pretraining_equal_steps"]},
    }
    # Published predictions that are always right.
    for medium in config["media"].values():
        for table in filter(None, medium["test"].values()):
            columns = {"sequence": "sequence", "prediction": "Measured Expression"}
            always = {"file": table["file"], "header": True, "columns": columns}
            table["published"] = {"danq": always, "cnn": None}
    config["evaluation"] = {"replicates": 50}
    # In so few sequences no motif is significant.
    config["motifs"] |= {
        "permutations": 50,
        "sanity": {"sequences": 10},
        "map": {"sequences": 5, "sanity": 2},
        "drimust": {"threshold": 1.0},
        "scan": {"threshold": 0.001},
        "match": {"cutoffs": {"euclidean": 1.0}},
        "select": {"e_value": 1.0e9},
    }
    return config


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A folder in which the tiny config has run to its end, and what Snakemake said."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(tiny_config()))
    done = run_snakemake(folder, "--cores", 2, "--configfile", folder / "tiny.yaml")
    assert done.returncode == 0, done.stdout
    return folder, done.stdout
