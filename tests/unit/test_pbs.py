"""The programs of the PBS profile, on texts of qstat, and with commands that imitate PBS."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
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

# Stands for PBS: jobs are in jobs.json; a file `away` takes the server away, `deaf` all answers;
# each call is noted.
COMMAND = """#!{python}
import json, pathlib, sys, time
home = pathlib.Path({home!r})
name, arguments = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
with (home / "calls").open("a") as calls:
    calls.write(" ".join([name, *arguments]) + "\\n")
if (home / "away").exists():
    left = int((home / "away").read_text()) - 1
    (home / "away").write_text(str(left)) if left else (home / "away").unlink()
    sys.exit(f"Connection refused\\n{{name}}: cannot connect to server pbs (errno=111)")
jobs = json.loads((home / "jobs.json").read_text())
if name == "qsub":
    if "nowhere" in arguments:
        sys.exit("qsub: Unknown queue")
    new = str(len(jobs) + 1) + ".pbs"
    jobs[new] = {{"job_state": "Q"}}
    print(new)
elif name == "qdel":
    for job in arguments:
        jobs[job] = {{"job_state": "E"}}
else:
    if (home / "no history").exists():
        if "-x" in arguments:
            print("qstat: PBS is not configured to maintain job history 1.pbs", file=sys.stderr)
            sys.exit(0)
        jobs = {{job: found for job, found in jobs.items() if found["job_state"] != "F"}}
    status = 0
    for job in arguments[arguments.index("-f") + 1:]:
        if job in jobs:
            print("Job Id: " + job)
            print("".join(f"    {{k}} = {{v}}\\n" for k, v in jobs[job].items()))
        else:
            print("qstat: Unknown Job Id " + job, file=sys.stderr)
            status = 153
    sys.exit(status)
(home / "jobs.json").write_text(json.dumps(jobs))
"""


class Server:
    """PBS as the profile's programs see it."""

    def __init__(self, home):
        self.home = home
        (home / "bin").mkdir(parents=True)
        for name in ("qsub", "qstat", "qdel"):
            path = home / "bin" / name
            path.write_text(COMMAND.format(python=sys.executable, home=str(home)))
            path.chmod(0o755)
        self.set()

    def set(self, **jobs):
        """The jobs of the server, by number."""
        jobs = {f"{number.strip('_')}.pbs": found for number, found in jobs.items()}
        (self.home / "jobs.json").write_text(json.dumps(jobs))

    def jobs(self):
        return json.loads((self.home / "jobs.json").read_text())

    def calls(self, name):
        calls = self.home / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line.split() for line in lines if line.split()[0] == name]

    @property
    def environment(self):
        """The environment of programs that call this PBS."""
        return os.environ | {"PATH": f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def python(self, text):
        """The Python that the programs find."""
        path = self.home / "bin" / "python3"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

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
    return Server(tmp_path / "pbs")


def record(found):
    return json.loads(Path(".snakemake", "pbs", f"{found}.json").read_text())


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


def test_qsub_is_tried_again_only_while_the_server_is_away(server, monkeypatch, submit, capsys):
    monkeypatch.setattr(submit, "PAUSE", 0)
    monkeypatch.setenv("PATH", f"{server.home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    (server.home / "away").write_text("2")
    assert submit.qsub(["qsub", "script"]) == "1.pbs"
    assert len(server.calls("qsub")) == 3
    with pytest.raises(SystemExit, match="qsub -q nowhere script: qsub: Unknown queue"):
        submit.qsub(["qsub", "-q", "nowhere", "script"])
    assert len(server.calls("qsub")) == 4
    (server.home / "away").write_text("1000")
    with pytest.raises(SystemExit, match="the server cannot be reached, so try again later"):
        submit.qsub(["qsub", "script"])
    assert len(server.calls("qsub")) == 4 + submit.TRIES


def test_a_live_job_of_a_killed_run_is_taken_over(server):
    first = server.submit()
    server.set(_1={"job_state": "R"})
    assert server.submit(jobid=9, resources={"mem_mb": 8000}) == first
    assert len(server.calls("qsub")) == 1
    # One that has ended in the meantime is made anew.
    server.set(_1={"job_state": "F", "Exit_status": "1"})
    assert server.submit() == "2.pbs"
    assert not Path(".snakemake", "pbs", f"{first}.json").exists()


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
    assert Path(".snakemake", "pbs", f"{job}.json").exists() == (word == "running")


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
    since = record(job)["unknown_since"]
    pbs.keep(record(job) | {"unknown_since": since - pbs.GRACE - 1})
    answer, error = server.status(job)
    assert answer == "failed" and "has left no exit status" in error
    assert server.status("5.pbs")[0] == "failed"


def test_one_call_serves_all_jobs_of_a_poll(server):
    jobs = [server.submit(output=[f"{number}.keras"]) for number in range(3)]
    server.set(_1={"job_state": "R"}, _2={"job_state": "F", "Exit_status": "0"})
    words = [server.call("status.py", job).stdout.strip() for job in jobs]
    assert words == ["running", "success", "running"]
    assert server.calls("qstat") == [["qstat", "-x", "-f", *jobs]]


@pytest.mark.parametrize("broken", [".snakemake/pbs/qstat.json", ".snakemake/pbs/1.pbs.json"])
def test_the_status_always_is_one_word(server, broken):
    job = server.submit()
    Path(broken).write_text('{"cut sho')
    done = server.call("status.py", job)
    assert (done.returncode, done.stdout) == (0, "running\n")


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
    text = (PROFILE / "jobscript.sh").read_text().format(properties="{}", exec_job=command)
    (tmp_path / "job.sh").write_text(text)
    return ["bash", str(tmp_path / "job.sh")]


@pytest.mark.parametrize("status", [0, 1, 137])
def test_a_job_leaves_its_exit_status(tmp_path, status):
    marker = tmp_path / "marker"
    marker.write_text("of an earlier start")
    command = script(f"test ! -e {marker} && exit {status}", tmp_path)
    done = subprocess.run(command, env=os.environ | {"CRMNET_PBS_MARKER": str(marker)})
    assert done.returncode == status and marker.read_text() == f"{status}\n"


@pytest.fixture
def running(tmp_path):
    """A job that has started and does not end by itself, and the file for its exit status."""
    marker, started = tmp_path / "marker", tmp_path / "started"
    process = subprocess.Popen(
        script(f"touch {started} && exec sleep {HANGS}", tmp_path),
        env=os.environ | {"CRMNET_PBS_MARKER": str(marker)},
        start_new_session=True,
    )
    wait_until(started.exists, "the job has started")
    yield process, marker
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
