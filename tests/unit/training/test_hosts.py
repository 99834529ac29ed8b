"""A script on several hosts, for which processes on this machine stand in."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from configs import PAPER
from snakemake.iocontainers import Namedlist

from crmnet.data.sequences import Construct, letters
from crmnet.data.shards import write
from crmnet.data.tables import Rejects, Table
from crmnet.training import devices, hosts

TRAIN = Path(__file__).parents[3] / "workflow" / "scripts" / "train.py"
# Each host says who it is, and what it was given.
SAYS = """
import json, os, pathlib
from crmnet.training import hosts

job = snakemake
rank = os.environ["KERAS_DISTRIBUTION_PROCESS_ID"]
said = {
    "joined": hosts.joined(),
    "hosts": os.environ["KERAS_DISTRIBUTION_NUM_PROCESSES"],
    "address": os.environ["KERAS_DISTRIBUTION_JOB_ADDRESSES"],
    "shards": job.input.shards, "model": job.output.model, "batch": job.params.training["batch"],
    "stage": job.wildcards.stage, "log": job.log[0], "threads": job.threads,
}
pathlib.Path(job.output.model + rank).write_text(json.dumps(said))
"""
FAILS = """
import os, time
if os.environ["KERAS_DISTRIBUTION_PROCESS_ID"] == "1":
    raise SystemExit(3)
time.sleep(300)
"""


def named(**items):
    return Namedlist(fromdict=items)


@pytest.fixture
def job(tmp_path):
    return SimpleNamespace(
        input=named(shards=["a", "b"]),
        output=named(model=str(tmp_path / "model")),
        params=named(training={"batch": 7}),
        wildcards=named(stage="complex"),
        log=["train.log"],
        threads=3,
    )


def script(folder, text):
    path = folder / "script.py"
    path.write_text(text)
    return path


def launcher(folder, variable):
    """A program that starts a command twice, as Slurm, MPI and others do."""
    path = folder / "launcher"
    starts = "".join(f'{variable}={rank} "$@" &\np{rank}=$!\n' for rank in (0, 1))
    path.write_text(f"#!/bin/sh\nshift\n{starts}wait $p0 && wait $p1\n")
    path.chmod(0o755)
    return f"{path} --hosts={{hosts}}"


@pytest.mark.parametrize("variable", [None, "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK"])
def test_each_host_runs_the_script_on_the_same_job(tmp_path, job, variable):
    command = variable and launcher(tmp_path, variable)
    folder = tmp_path / "descriptions"
    hosts.launch(script(tmp_path, SAYS), job, 2, command, folder)
    first, second = (json.loads((tmp_path / f"model{rank}").read_text()) for rank in (0, 1))
    assert (first.pop("log"), second.pop("log")) == ("train.log", "train.log.host1")
    assert first == second
    assert first["joined"] and first["hosts"] == "2" and first["address"].count(":") == 1
    assert first["shards"] == ["a", "b"] and first["model"] == job.output.model
    assert (first["batch"], first["stage"], first["threads"]) == (7, "complex", 3)
    assert not any(folder.iterdir())
    assert not hosts.joined()


def test_a_host_that_fails_ends_the_others(tmp_path, job):
    with pytest.raises(RuntimeError, match="ended with status 3; see the log of each host"):
        hosts.launch(script(tmp_path, FAILS), job, 2, None, tmp_path)


def test_a_host_without_a_rank_is_an_error_that_says_what_to_do(tmp_path, job, monkeypatch, capfd):
    for name in (devices.HOST, *hosts.RANKS):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match="ended with status 1"):
        hosts.launch(script(tmp_path, SAYS), job, 2, "env", tmp_path)
    assert "set `training: launcher`" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_two_hosts_train_the_model_that_two_devices_of_one_train(tmp_path):
    """Runs the rule's own script on shards, with batch statistics and dropout."""
    random = np.random.default_rng(2)
    construct = Construct("", "", 16, 16)
    tokens = random.integers(0, 4, (400, 16))
    table = tmp_path / "measured.tsv"
    table.write_text("".join(f"{letters(row)}\t{(row == 0).sum()}\n" for row in tokens))
    folder = tmp_path / "shards"
    manifest = write(
        [Table(table, 1, {"expression": 2}, header=False)],
        {},
        construct,
        folder,
        seed=1,
        validation_fraction=0.2,
        rejects=Rejects(),
    )
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    training = {
        **{"backend": "jax", "device": "cpu", "precision": "float32", "devices": None},
        **{"launcher": None, "epochs": 2, "batch_size": 8, "warmup_epochs": 0, "patience": 5},
        **{"start_rate": 0.001, "peak_rate": 0.001, "final_rate": 0.001, "steps_per_execution": 2},
    }

    def trained(name, hosts, virtual):
        described = {
            "input": {"shards": [str(folder)], "start": []},
            "output": {
                "model": str(tmp_path / f"{name}.keras"),
                "history": str(tmp_path / f"{name}.tsv"),
            },
            "params": {
                "training": training | {"hosts": hosts},
                "architecture": PAPER["model"]
                | {"architecture": "crmnet", "width": 8, "heads": 2}
                | {"kernel_size": 3, "transformer": False},
                "construct": vars(construct),
                "seed": 4,
                "budget": None,
                "checkpoint": str(tmp_path / f"{name}.npz"),
                "code": "of the script",
                "architecture_code": "of the model",
            },
            "wildcards": {"model": "crmnet", "seed": "4", "stage": "complex"},
        }
        code = f"""
import json, runpy
from types import SimpleNamespace
class Named(SimpleNamespace):
    def items(self): return vars(self).items()
parts = {{part: Named(**items) for part, items in json.loads({json.dumps(described)!r}).items()}}
job = SimpleNamespace(**parts, log=[{str(tmp_path / f"{name}.log")!r}], threads=1)
runpy.run_path({str(TRAIN)!r}, init_globals={{"snakemake": job}})
"""
        flags = f"--xla_force_host_platform_device_count={virtual}"
        environment = {"PYTHONPATH": os.pathsep.join(sys.path), "XLA_FLAGS": flags}
        subprocess.run([sys.executable, "-c", code], env=os.environ | environment, check=True)
        return pd.read_csv(tmp_path / f"{name}.tsv", sep="\t")

    one, two = trained("one", hosts=1, virtual=2), trained("two", hosts=2, virtual=1)
    for column in ("learning_rate", "loss", "validation_rmse"):
        assert two[column].tolist() == pytest.approx(one[column].tolist(), rel=1e-4)
    assert not (tmp_path / "two.npz").exists()
    assert "on 2 cpu(s) with jax" in (tmp_path / "two.log").read_text()
    assert "on 2 cpu(s) with jax" in (tmp_path / "two.log.host1").read_text()

    import keras

    import crmnet.models.architectures.crmnet  # noqa: F401

    first, second = (keras.models.load_model(tmp_path / f"{n}.keras") for n in ("one", "two"))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_no_shell_sees_the_launcher(tmp_path, job):
    ran = tmp_path / "ran"
    command = f"{sys.executable} -c pass ; touch {ran} | $(touch {ran}) && touch {ran}"
    hosts.launch(script(tmp_path, SAYS), job, 2, command, tmp_path)
    assert not ran.exists()
