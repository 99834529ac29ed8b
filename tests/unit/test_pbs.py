"""The programs of the PBS profile, on texts of qstat, and with commands that imitate PBS."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from pbs_server import Server
from waiting import HANGS, wait_until

PROFILE = Path(__file__).parents[2] / "profiles" / "nci_dgx"
SITE = yaml.safe_load((PROFILE / "config.yaml").read_text())["default-resources"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """The folder of a run, without anything from another test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(PROFILE)


@pytest.fixture
def pbs():
    return importlib.import_module("pbs")


@pytest.fixture
def submit():
    return importlib.import_module("submit")


# What OpenPBS 23.06 said of a job, but for names and folders.
RECORD = """Job Id: 7.pbs
    Job_Name = train
    Job_Owner = ab1234@login
    resources_used.cpupercent = 0
    resources_used.walltime = 00:00:01
{changes}    queue = normal
    server = pbs
    ctime = Wed Nov 25 11:03:36 2026
    Error_Path = login:/scratch/ab12/run/train.e21
    exec_vnode = (node1:jobfs=1048576kb:mem=1048576kb:ncpus=1:ngpus=0)
    Resource_List.select = 1:jobfs=1gb:mem=1gb:ncpus=1:ngpus=0
    Resource_List.walltime = 00:05:00
    substate = {substate}
    Variable_List = PBS_O_HOME=/home/ab1234,PBS_O_LANG=C.UTF-8,
\tPBS_O_PATH=/home/ab1234/bin:/usr/local/bin:/usr/bin,job_state = Z,
\tPBS_O_WORKDIR=/scratch/ab12/run,PBS_O_QUEUE=normal
    euser = ab1234
    Submit_arguments = -q normal -l ncpus=1,mem=1gb,walltime=00:05:00,
\tjobfs=1gb snakejob.sh
    project = ab12

"""


def described(state, **attributes):
    """A job as `qstat -x -f` prints it."""
    substate = attributes.pop("substate", 42)
    rows = {"job_state": state, **attributes}
    return RECORD.format(
        substate=substate, changes="".join(f"    {name} = {v}\n" for name, v in rows.items())
    )


BUSY = "Not Running: Insufficient amount of resource: ncpus (R: 2 A: 1 T: 2)"
# A long value goes on in the next line.
NEVER = "Can Never Run: Insufficient amount of resource: ncpus (R: 64 A: 2\n\t T: 2)"
STATES = {
    "queued": (described("Q"), "running", ""),
    "running": (described("R", exec_host="node1/0*16"), "running", ""),
    "held": (described("H"), "running", ""),
    "waiting for its time": (described("W"), "running", ""),
    "waits though short of resources": (described("Q", comment=BUSY), "running", ""),
    "exiting": (described("E", Exit_status=0), "running", ""),
    "suspended": (described("S"), "running", ""),
    "in transit": (described("T"), "running", ""),
    "begun array": (described("B"), "running", ""),
    "suspended for its user": (described("U"), "running", ""),
    "moved": (described("M"), "running", ""),
    "finished": (described("F", Exit_status=0), "success", ""),
    "finished badly": (described("F", Exit_status=3), "failed", "status 3"),
    "out of time": (described("F", Exit_status=-29), "failed", "walltime was used up (`runtime`)"),
    "out of memory": (described("F", Exit_status=-27), "failed", "ran out of memory (`mem_mb`)"),
    "deleted": (described("F", Exit_status=271), "failed", "deleted, or killed by signal 15"),
    "deleted, of root": (described("F", Exit_status=0, substate=91), "failed", "deleted"),
    "run again": (described("R", Exit_status=-11), "running", ""),
    "could never run": (described("F", comment=NEVER + " and terminated"), "failed", "terminated"),
    "deleted while queued": (described("F"), "failed", "deleted, or could not start"),
    "can never run": (
        described("Q", comment=NEVER),
        "failed",
        "can never run: Can Never Run: Insufficient amount of resource: ncpus (R: 64 A: 2 T: 2)",
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_each_state_has_its_word(pbs, name):
    text, word, reason = STATES[name]
    (attributes,) = pbs.parse(text).values()
    said = pbs.judge(attributes)
    assert said[0] == word and reason in said[1]
    assert bool(said[1]) == (word == "failed")


def test_a_job_that_has_ended_without_a_status_has_none(pbs):
    """Torque's qstat prints lines that start with a tab."""
    text = "Job Id:\t5\n\tJob_Name = train\n\tjob_state = C\n\tcomment = a = b\n\n"
    assert pbs.parse(text) == {"5": {"Job_Name": "train", "job_state": "C", "comment": "a = b"}}
    assert pbs.judge(pbs.parse(text)["5"]) is None


def test_a_state_that_pbs_does_not_have_is_no_answer(pbs):
    for attributes in ({}, {"job_state": "?"}):
        with pytest.raises(pbs.Unreachable, match="is not known"):
            pbs.judge(attributes)


def test_long_values_go_on_in_the_next_line(pbs):
    jobs = pbs.parse(described("R") + described("F", Exit_status=0).replace("7.pbs", "8.pbs"))
    assert jobs["7.pbs"]["Variable_List"] == (
        "PBS_O_HOME=/home/ab1234,PBS_O_LANG=C.UTF-8,"
        "PBS_O_PATH=/home/ab1234/bin:/usr/local/bin:/usr/bin,job_state = Z,"
        "PBS_O_WORKDIR=/scratch/ab12/run,PBS_O_QUEUE=normal"
    )
    assert [job["job_state"] for job in jobs.values()] == ["R", "F"]
    assert jobs["8.pbs"]["Exit_status"] == "0" and jobs["8.pbs"]["project"] == "ab12"


# Options of qsub.


def job(**changes):
    """The properties of a job in its jobscript."""
    resources = {**SITE, "mem_mb": 4000, "runtime": 60, "disk_mb": 1000, "tmpdir": "<TBD>"}
    resources |= changes.pop("resources", {})
    return {
        **{"type": "single", "rule": "train", "local": False, "threads": 4, "jobid": 3},
        **{"input": ["a.tsv"], "output": ["b.keras"], "wildcards": {}, "params": {"rate": 1}},
        **changes,
        "resources": resources,
    }


@pytest.mark.parametrize(
    ("resources", "queue", "listed"),
    [
        (
            {"runtime": 90},
            "normal",
            "ncpus=4,mem=4000mb,walltime=01:30:00,jobfs=1000mb,storage=gdata/x",
        ),
        (
            {"gpu": 1, "tpu": 0, "mem_mb": 64000, "runtime": 2880},
            "dgxa100",
            "ncpus=16,mem=64000mb,walltime=48:00:00,ngpus=1,jobfs=1000mb,storage=gdata/x",
        ),
        (
            {"gpu": 8, "nodes": 1, "disk_mb": 0},
            "dgxa100",
            "ncpus=128,mem=4000mb,walltime=01:00:00,ngpus=8,storage=gdata/x",
        ),
        (
            {"gpu": 8, "nodes": 2},
            "dgxa100",
            "ncpus=256,mem=8000mb,walltime=01:00:00,ngpus=16,jobfs=2000mb,storage=gdata/x",
        ),
        (
            {"downloads": 1, "runtime": 600},
            "copyq",
            "ncpus=4,mem=4000mb,walltime=10:00:00,jobfs=1000mb,storage=gdata/x",
        ),
    ],
    ids=["cpu", "gpu", "eight gpus", "two nodes", "download"],
)
def test_a_job_asks_for_what_its_rule_says(submit, resources, queue, listed):
    asked = submit.options(job(resources=resources), "ab12", "gdata/x")
    assert asked == ["-q", queue, "-P", "ab12", "-N", "train", "-j", "oe", "-l", listed]


def test_a_site_with_chunks_has_its_own_list(submit):
    chunks = "select={nodes}:ncpus={ncpus}:mem={mem_mb}mb:ngpus={ngpus},walltime={walltime}"
    resources = {"gpu": 4, "nodes": 2, "cpus_per_gpu": 12, "pbs_list": chunks}
    asked = submit.options(job(resources=resources), "ab12", "")
    assert asked[-1] == "select=2:ncpus=48:mem=4000mb:ngpus=4,walltime=01:00:00"


def test_a_group_asks_for_its_sums_under_its_name(submit):
    group = job(type="group", groupid="figures/1", threads=6, resources={"mem_mb": 9000})
    del group["rule"], group["params"], group["wildcards"]
    asked = submit.options(group, "ab12", "")
    assert asked[5] == "figures_1"
    assert asked[-1].startswith("ncpus=6,mem=9000mb,walltime=01:00:00")


# The programs, as Snakemake calls them.


class Site(Server):
    """A PBS, and the profile's programs as Snakemake calls them there."""

    def python(self, text):
        """The Python that the programs find."""
        self.program("python3", text)

    def cancel(self, *jobs):
        """Starts the program that cancels, as Snakemake does."""
        return subprocess.run([PROFILE / "cancel.py", *jobs], env=self.environment)

    def call(self, program, *arguments, **environment):
        """Runs a program of the profile to its end, and returns its output."""
        command = [sys.executable, str(PROFILE / program), *map(str, arguments)]
        return subprocess.run(
            command,
            env={**self.environment, "PROJECT": "ab12", **environment},
            capture_output=True,
            text=True,
        )

    def submit(self, **changes):
        """Submits a job, and returns its id."""
        script = Path("snakejob.sh")
        script.write_text(f"#!/bin/bash\n# properties = {json.dumps(job(**changes))}\ntrue\n")
        done = self.call("submit.py", script)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def status(self, found):
        """The state of a job, from a new request to the server."""
        Path(".snakemake/pbs/qstat.json").unlink(missing_ok=True)
        done = self.call("status.py", found)
        assert done.returncode == 0
        return done.stdout.strip(), done.stderr


@pytest.fixture
def server(tmp_path):
    return Site(tmp_path / "pbs")


RECORDS = Path(".snakemake", "pbs")


def record_file(found):
    """The file with the record of a job."""
    for path in RECORDS.glob("*.json"):
        if path.name != "qstat.json" and json.loads(path.read_text())["id"] == found:
            return path


def record(found):
    return json.loads(record_file(found).read_text())


def change(found, **values):
    """Changes the record of a job."""
    record_file(found).write_text(json.dumps(record(found) | values))


def test_a_job_is_submitted_with_its_project_storage_and_log(server):
    assert server.submit() == "1.pbs"
    (call,) = server.calls("qsub")
    assert call[call.index("-P") + 1] == "ab12"
    assert call[call.index("-l") + 1].endswith("storage=scratch/ab12+gdata/ab12")
    assert call[call.index("-o") + 1] == record("1.pbs")["log"]
    assert call[call.index("-v") + 1] == f"PATH,CRMNET_PBS_MARKER={record('1.pbs')['marker']}"
    assert Path(record("1.pbs")["log"]).parent.is_dir()


def test_storage_can_be_named(server):
    Path("snakejob.sh").write_text(f"# properties = {json.dumps(job())}\n")
    server.call("submit.py", "snakejob.sh", CRMNET_STORAGE="gdata/xy34")
    assert "storage=gdata/xy34" in " ".join(server.calls("qsub")[0])


def test_without_a_project_or_pbs_the_error_says_what_to_do(server, tmp_path):
    Path("snakejob.sh").write_text(f"# properties = {json.dumps(job())}\n")
    done = server.call("submit.py", "snakejob.sh", PROJECT="")
    assert done.returncode == 1 and "PROJECT is not set; `export PROJECT=ab12`" in done.stderr
    done = server.call("submit.py", "snakejob.sh", PATH=str(tmp_path))
    assert done.returncode == 1 and "there is no qsub here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def submitting(server, monkeypatch, submit, capsys):
    """`submit.py` in this process, without pauses between its tries."""
    monkeypatch.setattr(submit, "PAUSE", 0)
    monkeypatch.setenv("PATH", server.environment["PATH"])
    monkeypatch.setenv("PROJECT", "ab12")

    def submitting(**changes):
        Path("snakejob.sh").write_text(f"# properties = {json.dumps(job(**changes))}\n")
        submit.main(Path("snakejob.sh"))
        return capsys.readouterr().out.removesuffix("\n")

    return submitting


def test_qsub_is_tried_again_while_the_server_is_away(server, submitting, submit):
    server.does("away", b"3")
    assert submitting() == "1.pbs"
    assert len(server.calls("qsub")) + len(server.calls("qstat")) > 3
    server.does("away", b"1000")
    with pytest.raises(SystemExit, match="the server cannot be reached, so try again later"):
        submitting()
    assert server.jobs().keys() == {"1.pbs"}


def test_what_the_server_refuses_is_not_tried_again(server, submitting):
    with pytest.raises(SystemExit, match="-q nowhere .*snakejob.sh: qsub: Unknown queue"):
        submitting(resources={"cpu_queue": "nowhere"})
    assert len(server.calls("qsub")) == 1
    assert not list(RECORDS.glob("*.*"))


@pytest.mark.parametrize(
    "answer",
    [
        b"{id}",
        b"qsub: note: 5 SU will be charged\n{id}\n",
        b"Loading pbs/2024.1\n\n{id}\nqsub: the queue is long today (1.5 h)\n",
        b"Your job {id}, has been submitted.\n",
        b"caf\xe9\n{id}\n",
    ],
)
def test_the_id_is_found_among_the_notes_of_a_site(server, submitting, answer):
    server.does("answer", answer)
    assert submitting() == "1.pbs"
    assert record("1.pbs")["log"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("12\n", ["12"]),
        ("12[].pbs", ["12[].pbs"]),
        ("It costs 1.5 SU.\n12\n", ["12"]),
        ("12 SU\n", []),
        ("3 notes, 1.5 SU\n12.pbs-1.site.org\n", ["12.pbs-1.site.org"]),
    ],
)
def test_ids_have_these_forms(pbs, text, ids):
    assert pbs.ids(text) == ids


UNCLEAR = {
    "none": b"Welcome to the cluster\n",
    "nothing": b"\n",
    "several": b"7.pbs\n8.pbs\n",
    "a path": b"../../x\n",
    "an option": b"-x\n",
}


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR)
def test_an_answer_without_one_id_submits_nothing_twice(server, submitting, answer, tmp_path):
    """PBS is asked for the job. If it cannot tell, the job never does anything."""
    server.does("answer", answer)
    assert submitting() == "1.pbs"
    server.does("hidden")
    before = sorted(path for path in tmp_path.rglob("*") if RECORDS.absolute() not in path.parents)
    with pytest.raises(SystemExit, match="that job will do nothing") as error:
        submitting(output=["c.keras"])
    assert repr(answer.decode()) in str(error.value)
    assert len(server.calls("qsub")) == 2
    assert len(list(RECORDS.glob("*.permit"))) == 1
    assert before == sorted(
        path for path in tmp_path.rglob("*") if RECORDS.absolute() not in path.parents
    )


LOST = [
    "qsub: End of File",
    "qsub: Premature end of message",
    "qsub: Error (15010) submitting job",
    "System call failure.\nqsub: cannot connect to server pbs (errno=15010)",
    "Communication failure.\nqsub: cannot connect to server pbs (errno=15031)",
    "qsub: Batch protocol error",
    "qsub: Expired credential",
    "qsub: Request not allowed: Server shutting down",
    "caf\xe9: Connection timed out",
]


@pytest.mark.parametrize("error", LOST)
def test_an_accepted_job_whose_answer_was_lost_is_found(server, submitting, error):
    server.does("lost", error.encode("latin-1"))
    server.does("job name", b"caf\xe9")
    assert submitting() == "1.pbs"
    assert len(server.calls("qsub")) == 1
    assert record("1.pbs")["id"] == "1.pbs" and len(list(RECORDS.glob("*.permit"))) == 1


@pytest.mark.parametrize(
    "error",
    [
        "qsub: Error (15007) submitting job",
        "qsub: Unauthorized Request ",
        "qsub: Job violates queue and/or server resource limits",
        "qsub: would exceed queue generic's per-user limit",
        "qsub: Illegal attribute or resource value Resource_List.ngpus",
        "qsub: Invalid Account",
    ],
)
def test_errors_about_the_job_are_final(pbs, error):
    assert not pbs.is_away(error)


def test_an_accepted_job_that_cannot_be_found_never_starts(server, submitting, submit, pbs):
    """It is submitted again, and without its permit the first does nothing."""
    server.does("lost", b"qsub: End of File")
    server.does("hidden")
    with pytest.raises(SystemExit, match="the server cannot be reached"):
        submitting()
    assert len(server.jobs()) == submit.TRIES
    assert len(list(RECORDS.glob("*.permit"))) == 1
    # A later run gives that one up, too.
    server.no_longer("lost")
    new = server.submit()
    (permit,) = RECORDS.glob("*.permit")
    assert str(permit.with_suffix("").name) in server.jobs()[new]["Variable_List"]


def test_a_job_that_has_started_tells_its_id_itself(server, submitting, monkeypatch, pbs):
    server.does("lost", b"qsub: End of File")
    server.does("hidden")

    def start(record):
        record.file(".permit").rename(record.file(".started.1.pbs"))

    monkeypatch.setattr(pbs, "find", start)
    assert submitting() == "1.pbs"
    assert len(server.calls("qsub")) == 1


def test_a_job_without_any_id_is_not_submitted_again_while_it_may_write(server, submitting):
    server.does("answer", b"thanks\n")
    server.does("hidden")
    with pytest.raises(SystemExit):
        submitting()
    (lost,) = RECORDS.glob("train.*.json")
    lost.with_suffix(".started.").touch()
    Path("snakejob.sh").write_text(f"# properties = {json.dumps(job())}\n")
    done = server.call("submit.py", "snakejob.sh")
    assert done.returncode == 1 and f"delete it, and then {lost.absolute()}" in done.stderr
    # Its marker tells that it has ended.
    lost.with_suffix(".status").write_text("1\n")
    server.no_longer("answer")
    assert server.submit() == "2.pbs"


def test_a_command_that_gives_no_answer_is_ended(server, submitting, pbs, monkeypatch):
    real = server.home / "bin" / "qsub"
    text = real.read_text().replace("exec ", "") + "exec sleep 600\n"
    monkeypatch.setattr(pbs, "PATIENCE", 3)
    server.program("qsub", text.removeprefix("#!/bin/sh\n"))
    assert submitting() == "1.pbs"
    assert len(server.calls("qsub")) == 1


def test_another_submission_of_the_same_job_is_given_up(server, submitting, monkeypatch, pbs):
    """A `submit.py` can outlive its Snakemake, and meet the one of the next run."""

    def away(*command):
        for path in RECORDS.glob("train.*"):
            path.unlink()
        raise pbs.Unreachable("Connection refused")

    monkeypatch.setattr(pbs, "run", away)
    with pytest.raises(SystemExit, match="another run of the workflow has taken this job over"):
        submitting()
    assert not server.jobs()


def test_a_live_job_of_a_killed_run_is_taken_over(server):
    first = server.submit()
    server.set(_1={"job_state": "R"})
    assert server.submit(jobid=9, resources={"mem_mb": 8000}) == first
    assert len(server.calls("qsub")) == 1
    # One that has ended in the meantime is made anew.
    server.set(_1={"job_state": "F", "Exit_status": "1"})
    assert server.submit() == "2.pbs"
    assert not record_file(first)


def test_a_job_is_taken_over_only_if_its_inputs_are_the_same(server):
    Path("a.tsv").write_text("1")
    first = server.submit()
    server.change(first, job_state="R")
    os.utime("a.tsv", (1, 1))
    assert server.submit() == "2.pbs"
    assert server.calls("qdel") == [["qdel", first]]


@pytest.mark.parametrize(
    "changes", [{"type": "group", "groupid": "g", "params": None}, {"input": None}]
)
def test_a_job_of_which_snakemake_does_not_tell_all_is_not_taken_over(server, changes):
    first = server.submit(**changes)
    server.change(first, job_state="R")
    assert server.submit(**changes) == "2.pbs"


def test_a_job_that_has_ended_meanwhile_is_not_repeated(server):
    """Its end is then told by status.py, so that Snakemake keeps a record of what it has made."""
    first = server.submit()
    Path("b.keras").write_text("a model")
    server.change(first, job_state="F", Exit_status="0")
    assert server.submit() == first
    assert len(server.calls("qsub")) == 1
    assert server.status(first)[0] == "success" and not record_file(first)


def test_a_job_that_has_ended_meanwhile_is_repeated_where_it_counts_no_longer(server):
    first = server.submit()
    server.change(first, job_state="F", Exit_status="0")
    # Without its file.
    second = server.submit()
    assert second == "2.pbs"
    Path("b.keras").write_text("a model")
    server.change(second, job_state="F", Exit_status="0")
    # With other parameters.
    assert server.submit(params={"rate": 2}) == "3.pbs"
    assert not server.calls("qdel")


def test_a_record_of_an_earlier_version_still_tells_of_its_job(server):
    """It was named by the id, and the job had no permit."""
    first = server.submit()
    server.change(first, job_state="R")
    record_file(first).rename(RECORDS / f"{first}.json")
    for permit in RECORDS.glob("*.permit"):
        permit.unlink()
    change(first, made="0" * 64)
    assert server.status(first)[0] == "running"
    assert server.submit() == "2.pbs"
    assert server.calls("qdel") == [["qdel", first]]
    server.change(first, job_state="F", Exit_status="271")
    assert server.status(first)[0] == "failed"
    assert not record_file(first)


def test_a_live_job_with_other_settings_is_deleted_and_waited_for(server):
    first = server.submit()
    server.set(_1={"job_state": "R"})
    assert server.submit(params={"rate": 2}) == "2.pbs"
    assert server.calls("qdel") == [["qdel", first]]
    call = server.calls("qsub")[1]
    assert call[call.index("-W") + 1] == f"depend=afterany:{first}"


def test_a_job_that_is_being_cancelled_is_waited_for(server):
    first = server.submit()
    assert server.cancel(first, "77.pbs").returncode == 0
    wait_until(lambda: server.calls("qdel"), "qdel is called")
    assert server.calls("qdel") == [["qdel", first, "77.pbs"]]
    server.set(_1={"job_state": "E"})
    assert server.submit() == "2.pbs"
    assert f"depend=afterany:{first}" in server.calls("qsub")[1]


def test_jobs_are_deleted_though_python_is_too_slow_to_start(server):
    server.python("kill -9 $$")
    assert server.cancel("5.pbs").returncode != 0
    wait_until(lambda: server.calls("qdel"), "qdel is called")
    assert server.calls("qdel") == [["qdel", "5.pbs"]]


def test_without_qdel_the_cancelled_are_told_and_not_given_up(server, tmp_path):
    first = server.submit()
    server.change(first, job_state="R")
    # The machine may have another qdel.
    done = server.call("cancel.py", first, "77.pbs", PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"there is no qdel here, so these jobs go on: {first} 77.pbs" in done.stderr
    assert not record(first)["cancelled"]


def test_jobs_of_other_files_are_left_alone(server):
    server.submit()
    assert server.submit(output=["c.keras"]) == "2.pbs"
    assert not any("-W" in call for call in server.calls("qsub"))


@pytest.mark.parametrize(
    ("found", "word", "said"),
    [
        ({"job_state": "R"}, "running", ""),
        ({"job_state": "F", "Exit_status": "0"}, "success", ""),
        ({"job_state": "F", "Exit_status": "-29"}, "failed", "walltime was used up"),
    ],
)
def test_the_word_of_the_server(server, found, word, said):
    job = server.submit()
    log = record(job)["log"]
    server.set(_1=found)
    answer, error = server.status(job)
    assert answer == word and said in error
    assert (log in error) == (word == "failed")
    assert bool(record_file(job)) == (word == "running")


def test_a_job_that_can_never_run_is_deleted(server):
    job = server.submit()
    server.set(_1={"job_state": "Q", "comment": "Can Never Run: too many GPUs"})
    answer, error = server.status(job)
    assert answer == "failed" and "too many GPUs" in error
    assert server.calls("qdel") == [["qdel", job]]


@pytest.mark.parametrize(("status", "word"), [("0", "success"), ("1", "failed"), (None, "running")])
@pytest.mark.parametrize("trouble", ["unknown", "away", "no history"])
def test_without_an_answer_the_jobs_marker_decides(server, status, word, trouble):
    job = server.submit()
    if status:
        Path(record(job)["marker"]).write_text(status + "\n")
    server.set(_1={"job_state": "F"} if trouble == "no history" else {"job_state": "R"})
    if trouble == "unknown":
        server.set()
    else:
        (server.home / trouble).write_text("1000")
    assert server.status(job)[0] == word


def test_a_job_that_says_it_succeeded_asks_no_server(server):
    job = server.submit()
    Path(record(job)["marker"]).write_text("0\n")
    assert server.status(job)[0] == "success" and not server.calls("qstat")


def test_of_a_job_that_says_it_failed_the_server_knows_why(server):
    job = server.submit()
    Path(record(job)["marker"]).write_text("143\n")
    server.set(_1={"job_state": "F", "Exit_status": "-29"})
    answer, error = server.status(job)
    assert answer == "failed" and "walltime was used up" in error


def test_a_job_that_nobody_knows_fails_after_a_time(server, pbs):
    job = server.submit()
    server.set()
    assert server.status(job)[0] == "running"
    change(job, unknown_since=record(job)["unknown_since"] - pbs.GRACE - 1)
    answer, error = server.status(job)
    assert answer == "failed" and "has left no exit status" in error
    assert server.status("5.pbs")[0] == "failed"


def test_one_call_serves_all_jobs_of_a_poll(server):
    jobs = [server.submit(output=[f"{number}.keras"]) for number in range(3)]
    server.set(_1={"job_state": "R"}, _2={"job_state": "F", "Exit_status": "0"})
    words = [server.call("status.py", job).stdout.strip() for job in jobs]
    assert words == ["running", "success", "running"]
    assert server.calls("qstat") == [["qstat", "-x", "-f", *jobs]]


DAMAGED = {
    "cut short": '{"cut sho',
    "empty": "",
    "no JSON": "\x00\x00",
    "an object": "{}",
    "a list": "[]",
    "a list of ids": '["1.pbs"]',
    "null": "null",
    "a number": "1e999",
    "other types": json.dumps(
        {"time": "now", "ids": 3, "jobs": [], "error": {}, "id": 1, "outputs": 7, "name": None}
    ),
    "nothing in it": json.dumps(
        {
            **{"time": 4e9, "ids": None, "jobs": None, "error": None, "name": "x", "outputs": [1]},
            **{"made": 5, "log": [], "marker": "../../a.status", "id": "../../1.pbs"},
        }
    ),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_cache_is_made_anew(server, damaged):
    first = server.submit()
    server.change(first, job_state="F", Exit_status="0")
    Path(".snakemake/pbs/qstat.json").write_text(damaged)
    done = server.call("status.py", first)
    assert (done.returncode, done.stdout, done.stderr) == (0, "success\n", "")


@pytest.mark.parametrize("cached", [{"1.pbs": []}, {"1.pbs": {"job_state": 1}}, {"1.pbs": "R"}])
def test_a_cache_without_attributes_is_made_anew(server, cached):
    first = server.submit()
    server.change(first, job_state="R")
    fresh = {"time": time.time(), "ids": [first], "jobs": cached, "error": None}
    Path(".snakemake/pbs/qstat.json").write_text(json.dumps(fresh))
    done = server.call("status.py", first)
    assert (done.stdout, done.stderr) == ("running\n", "")
    assert len(server.calls("qstat")) == 1


def test_a_cache_from_the_future_is_made_anew(server):
    first = server.submit()
    server.change(first, job_state="F", Exit_status="1")
    later = {"time": time.time() + 1e6, "ids": [first], "jobs": {first: {"job_state": "R"}}}
    Path(".snakemake/pbs/qstat.json").write_text(json.dumps(later | {"error": None}))
    assert server.call("status.py", first).stdout == "failed\n"


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_does_no_harm(server, damaged):
    first = server.submit()
    server.change(first, job_state="R")
    other = server.submit(output=["c.keras"])
    record_file(first).write_text(damaged)
    for job in (first, other):
        answer, error = server.status(job)
        assert answer == "running" and not error
    server.set()
    answer, error = server.status(first)
    assert answer == "failed" and not error
    assert server.submit(output=["d.keras"]) == "1.pbs"
    assert not list(Path().glob("a.status"))


@pytest.mark.parametrize("since", [4e9, "yesterday", None, [1], float("nan")])
def test_a_job_that_nobody_knows_fails_though_a_clock_was_wrong(server, since, pbs):
    job = server.submit()
    change(job, unknown_since=since)
    server.set()
    before = time.time()
    assert server.status(job) == ("running", "")
    assert before <= record(job)["unknown_since"] <= time.time()
    change(job, unknown_since=before - pbs.GRACE - 1)
    assert server.status(job)[0] == "failed"


def test_a_server_that_lists_all_jobs_is_understood(server):
    first, second = server.submit(), server.submit(output=["c.keras"])
    server.does("everything")
    server.does("job name", b"caf\xe9 \xff\x0cJob Id: 1.pbs")
    server.change(first, job_state="R")
    server.change(second, job_state="F", Exit_status="3")
    answers = [server.status(job) for job in (first, second)]
    assert [word for word, _ in answers] == ["running", "failed"]
    assert not answers[0][1] and "status 3" in answers[1][1]
    assert server.submit() == first
    assert server.submit(params={"rate": 2}) == "3.pbs"


def test_a_marker_that_is_no_exit_status_is_none(server):
    job = server.submit()
    Path(record(job)["marker"]).write_bytes(b"\xff\xfe")
    server.change(job, job_state="R")
    assert server.status(job) == ("running", "")


def test_without_room_on_the_disk_the_status_is_still_one_word(server):
    job = server.submit()
    answer = {"time": time.time(), "ids": [job], "jobs": {}, "error": None}
    (RECORDS / "qstat.json").write_text(json.dumps(answer))
    command = f"ulimit -f 0; exec {sys.executable} {PROFILE / 'status.py'} {job}"
    done = subprocess.run(
        ["sh", "-c", command], env=server.environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "running\n")
    assert "File too large" in done.stderr and done.stderr.count("\n") == 1


def test_an_interrupt_of_snakemake_leaves_the_status_its_word(server, tmp_path):
    """Ctrl-C reaches all processes of a terminal at any moment, and Snakemake fails if status.py
    does not print a word."""
    job = server.submit()
    started = tmp_path / "started"
    server.python(f'touch {started}\nexec {sys.executable} "$@"')
    process = subprocess.Popen(
        [str(PROFILE / "status.py"), job],
        env=server.environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(started.exists, "Python is about to start")
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    assert process.communicate()[0] == "running\n"
    assert process.returncode == 0


# The jobscript.


def script(command, tmp_path):
    """The jobscript of a command."""
    text = (PROFILE / "jobscript.sh").read_text().format(properties="{}", exec_job=command)
    (tmp_path / "job.sh").write_text(text)
    return ["bash", str(tmp_path / "job.sh")]


@pytest.fixture
def surroundings(tmp_path):
    """The environment of a job that may start."""
    (tmp_path / "job.permit").touch()
    names = {"CRMNET_PBS_MARKER": str(tmp_path / "job.status"), "PBS_JOBID": "7.pbs"}
    return os.environ | names | {"CRMNET_PBS_GRACE": "1"}


@pytest.mark.parametrize("status", [0, 1, 137])
def test_a_job_leaves_its_exit_status(tmp_path, surroundings, status):
    marker = tmp_path / "job.status"
    marker.write_text("of an earlier start")
    command = script(f"test ! -e {marker} && exit {status}", tmp_path)
    done = subprocess.run(command, env=surroundings)
    assert done.returncode == status and marker.read_text() == f"{status}\n"


def test_a_job_starts_only_with_its_permit_and_again_after_pbs_has_stopped_it(
    tmp_path, surroundings
):
    command = script(f"echo started >> {tmp_path}/said", tmp_path)
    for _ in range(2):
        assert subprocess.run(command, env=surroundings).returncode == 0
    assert (tmp_path / "job.started.7.pbs").exists() and not (tmp_path / "job.permit").exists()
    # A second job of the same submission, and one that has been given up.
    (tmp_path / "job.status").unlink()
    other = subprocess.run(command, env=surroundings | {"PBS_JOBID": "8.pbs"}, capture_output=True)
    assert other.returncode == 1 and b"the workflow has given it up" in other.stdout
    assert (tmp_path / "said").read_text() == "started\n" * 2
    assert not (tmp_path / "job.status").exists()


@pytest.fixture
def running(tmp_path, surroundings):
    """A job that has started and does not end by itself, and the file for its exit status."""
    started = tmp_path / "started"
    process = subprocess.Popen(
        script(f"touch {started} && exec sleep {HANGS}", tmp_path),
        env=surroundings,
        start_new_session=True,
    )
    wait_until(started.exists, "the job has started")
    yield process, tmp_path / "job.status"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("number", [15, 2, 1])
def test_a_job_that_is_killed_has_not_succeeded(running, number):
    process, marker = running
    process.send_signal(number)
    assert process.wait(HANGS) == 128 + number
    assert marker.read_text() == f"{128 + number}\n"


def test_a_running_job_has_no_marker(running):
    assert not running[1].exists()
