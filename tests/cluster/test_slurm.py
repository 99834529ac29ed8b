"""A real scheduler, and what goes wrong on one. All faults are tried through every profile.

Where its programs are not, nothing is tested; with SLURM_TESTS=required, as in .ci/run, that is a
failure."""

import contextlib
import dataclasses
import os
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from configs import PAPER
from runs import PROFILES, ROOT, Run
from slurm import ACCOUNT, missing
from waiting import wait_until

if (why := missing()) and os.environ.get("SLURM_TESTS") != "required":
    pytest.skip(f"NO SLURM TO TEST WITH: {why}", allow_module_level=True)

# The demo with one model and one medium, and next to no data.
TINY = {
    "simulation": {
        "train": 600,
        "native_families": 5,
        "native_per_family": 4,
        "random": 50,
        "leaks": 5,
    },
    "data": {"validation_fraction": 0.1},
    "model": {"width": 8, "transformer_blocks": 1, "heads": 1},
    "models": {"crmnet": {"pretrain": False}},
    "training": {"epochs": 1},
}

# Two jobs that are killed in their first attempt, for what only the second one asks for enough of.
GREEDY = """
rule all:
    input: "memory.txt", "time.txt"
    localrule: True

rule memory:
    output: "memory.txt"
    resources: mem_mb=lambda wildcards, attempt: attempt * 400, runtime=5
    shell:
        "python3 -c 'import time; x = bytearray(1) * (400 << 20); {resources.mem_mb} > 400 or"
        " time.sleep(300)' && echo {resources.mem_mb} > {output}"

rule time:
    output: "time.txt"
    resources: mem_mb=500, runtime=lambda wildcards, attempt: attempt
    shell:
        "if [ {resources.runtime} = 1 ]; then sleep 300; fi; echo {resources.runtime} > {output}"
"""

# A job that writes half its output, its id, and the other half when it is told to.
WAITING = """
rule waiting:
    output: "output.txt"
    resources: mem_mb=500, runtime=10
    shell:
        "echo half > {output}; echo $SLURM_JOB_ID > id.txt;"
        " until [ -e go ]; do sleep 0.2; done; echo whole >> {output}"
"""


def snakefile(folder: Path, text: str) -> tuple[object, ...]:
    """The arguments that run this Snakefile."""
    (folder / "Snakefile").write_text(text)
    return "--snakefile", folder / "Snakefile"


def demo(folder: Path) -> tuple[object, ...]:
    """The arguments that run the workflow on the tiny demo, up to a figure."""
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return "figure2", "--configfile", ROOT / "config" / "demo.yaml", folder / "tiny.yaml"


def rehearsal(folder: Path) -> tuple[object, ...]:
    """The arguments that rehearse the tiny demo with one model and without motif jobs."""
    alone = {"motifs": None, "figures": {"figure3": None, "figure4": None}}
    alone["models"] = dict.fromkeys(PAPER["models"]) | TINY["models"]
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | alone))
    return "rehearse", "--configfile", ROOT / "config" / "demo.yaml", folder / "tiny.yaml"


def findings(run: Run) -> dict[str, tuple[str, str]]:
    """What a rehearsal has found: what -> state and words."""
    table = pd.read_csv(run.folder / "results" / "demo" / "rehearsal" / "findings.tsv", sep="\t")
    return {row.what: (row.state, row.found) for row in table.itertuples()}


def job_id(folder: Path) -> str:
    """The id of the job in WAITING, once it runs."""
    file = folder / "id.txt"
    return wait_until(lambda: file.exists() and file.read_text().strip(), f"{file} is there")


def said_of_jobs(profile, folder: Path, words: str) -> bool:
    """Whether the scheduler wrote this into the log of a job."""
    return any(words in path.read_text() for path in folder.glob(profile.logs))


@pytest.fixture(scope="module", autouse=True)
def runs(slurm, tmp_path_factory):
    """The runs that tests only wait for, of every profile. They last minutes (a time limit is one
    at least, and between two looks at a job the Slurm plugin waits ever longer), so that they are
    all started before the first test."""
    started = {}

    def start(name, arguments_in):
        for profile in PROFILES:
            folder = tmp_path_factory.mktemp(f"{name}_{profile}")
            started[profile, name] = Run(profile, slurm, folder, *arguments_in(folder))

    start("away", lambda folder: snakefile(folder, WAITING))
    for run in started.values():
        job_id(run.folder)
    slurm.go_away()
    # One job ends meanwhile, and one after it (Slurm itself takes most of a minute to see that a
    # step of srun has ended meanwhile, and starts nothing until then).
    (started[PROFILES[1], "away"].folder / "go").touch()
    time.sleep(30)
    slurm.come_back()
    (started[PROFILES[0], "away"].folder / "go").touch()
    start("greedy", lambda folder: snakefile(folder, GREEDY))
    # Through the other profile, the paper's config runs (test_papers_run.py).
    folder = tmp_path_factory.mktemp("demo")
    started[PROFILES[0], "demo"] = Run(PROFILES[0], slurm, folder, *demo(folder))
    start("rehearse", rehearsal)
    # A queue that there is not, for the jobs on GPUs.
    folder = tmp_path_factory.mktemp("refused")
    queues = [word.replace("gpu_queue=gpu", "gpu_queue=none") for word in PROFILES[1].arguments]
    refused = dataclasses.replace(PROFILES[1], arguments=tuple(queues))
    started[PROFILES[1], "refused"] = Run(refused, slurm, folder, *rehearsal(folder))
    return started


through_every_profile = pytest.mark.parametrize("profile", PROFILES, ids=str)


@through_every_profile
def test_a_job_cancelled_by_hand_fails_and_the_same_command_goes_on(profile, slurm, tmp_path):
    arguments = *snakefile(tmp_path, WAITING), "--retries", 0
    run = Run(profile, slurm, tmp_path, *arguments)
    slurm.ask("scancel", job_id(tmp_path))
    status, text = run.finish()
    assert status == 1
    assert "Error in rule waiting" in text
    assert said_of_jobs(profile, tmp_path, "CANCELLED")
    assert not (tmp_path / "output.txt").exists()

    (tmp_path / "go").touch()
    status, text = Run(profile, slurm, tmp_path, *arguments).finish()
    assert status == 0, text
    assert (tmp_path / "output.txt").read_text() == "half\nwhole\n"


def is_looking():
    """Whether a `status.py` of the profile is running."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # A process may end meanwhile.
        with contextlib.suppress(OSError):
            script = path.read_bytes().split(b"\0")[1:2]
            if script and script[0].endswith(b"status.py"):
                return True
    return False


@through_every_profile
def test_an_interrupt_cancels_the_jobs_and_the_same_command_goes_on(profile, slurm, tmp_path):
    arguments = snakefile(tmp_path, WAITING)
    run = Run(profile, slurm, tmp_path, *arguments, "--seconds-between-status-checks", 20)
    job = job_id(tmp_path)
    if profile.name == "nci_dgx":
        # Right after it has looked at the job: an interrupt kills a `status.py` that has not yet
        # come to its first line, and Snakemake then loses sight of the job.
        looked = tmp_path / ".snakemake" / "pbs" / "qstat.json"
        looked.unlink(missing_ok=True)
        wait_until(looked.exists, "Snakemake looks at the job")
        wait_until(lambda: not is_looking(), "Snakemake has looked at the job")
    run.interrupt()
    status, text = run.finish()
    assert status != 0
    assert "Traceback" not in text
    wait_until(lambda: job in slurm.jobs("CANCELLED"), f"job {job} is cancelled")

    (tmp_path / "go").touch()
    status, text = Run(profile, slurm, tmp_path, *arguments).finish()
    assert status == 0, text
    assert (tmp_path / "output.txt").read_text() == "half\nwhole\n"


@through_every_profile
def test_a_run_outlives_half_a_minute_without_scheduler(profile, runs):
    run = runs[profile, "away"]
    status, text = run.finish()
    assert status == 0, text
    assert "Error in rule" not in text
    assert (run.folder / "output.txt").read_text() == "half\nwhole\n"


def test_the_workflow_runs_on_the_cluster(runs):
    run = runs[PROFILES[0], "demo"]
    status, text = run.finish()
    assert status == 0, text
    results = run.folder / "results" / "demo"
    assert (results / "figure2.pdf").read_bytes().startswith(b"%PDF")
    assert set(pd.read_csv(results / "figure2.tsv", sep="\t")["test_set"]) == {"native", "random"}


def test_jobs_have_their_account_and_only_those_that_use_gpus_have_one(runs, slurm):
    run = runs[PROFILES[0], "demo"]
    assert run.finish()[0] == 0
    columns = "Comment,Account,Partition,AllocTRES"
    told = slurm.ask("sacct", "--allocations", "--noheader", "--parsable2", "--format", columns)
    # The plugin says in a comment which rule it is.
    jobs = [line.split("|") for line in told.splitlines() if line.startswith("rule_")]
    of_rule = {comment.split("_")[1]: (account, *rest) for comment, account, *rest in jobs}
    for rule in ("simulate", "shards", "train", "predict", "evaluate", "figure2"):
        account, partition, devices = of_rule[rule]
        assert account == ACCOUNT
        assert partition == ("gpu" if rule in ("train", "predict") else "main")
        assert ("gres/gpu=1" in devices) == (rule in ("train", "predict"))


@through_every_profile
def test_a_rehearsal_runs_its_jobs_on_the_cluster(profile, runs, slurm):
    run = runs[profile, "rehearse"]
    status, text = run.finish()
    assert status == 0, text
    state, step = findings(run)["a training step of crmnet"]
    assert state == "ready" and "sequences/s" in step
    assert {state for state, _ in findings(run).values()} == {"ready", "note", "not tested"}
    if profile.name == "slurm":
        # Slurm's plugin deletes the logs of jobs that have succeeded, and says in a comment which
        # rule a job is.
        submitted = slurm.ask("sacct", "--allocations", "--noheader", "--format", "Comment%60")
    else:
        submitted = " ".join(str(path) for path in run.folder.glob(profile.logs))
    for job in ("rehearse_downloads", "rehearse_training", "rehearse_environment", "rehearse_disk"):
        assert job in submitted
    page = (run.folder / "results" / "demo" / "rehearsal" / "index.html").read_text()
    assert "Everything that was tried is ready" in page


def test_a_rehearsal_tells_that_a_queue_is_refused_and_tries_the_rest(runs):
    run = runs[PROFILES[1], "refused"]
    status, text = run.finish()
    assert status == 1 and "Traceback" not in text
    found = findings(run)
    missing = {what: words for what, (state, words) in found.items() if state == "not ready"}
    assert list(missing) == ["job rehearse_training"]
    assert "invalid partition" in missing["job rehearse_training"].lower()
    assert found["analysis: packages, without conda"][0] == "ready"


@through_every_profile
def test_jobs_killed_for_memory_or_time_succeed_with_more_of_it(profile, runs):
    run = runs[profile, "greedy"]
    status, text = run.finish()
    assert status == 0, text
    assert text.count("Trying to restart job") == 2
    assert said_of_jobs(profile, run.folder, "exceeded memory limit")
    assert said_of_jobs(profile, run.folder, "DUE TO TIME LIMIT")
    assert (run.folder / "memory.txt").read_text() == "800\n"
    assert (run.folder / "time.txt").read_text() == "2\n"
