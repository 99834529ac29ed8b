"""Messages of a job go to its log, and the error that ends it also goes to the terminal."""

import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crmnet.logs import PROGRESS_SECONDS, Progress, duration

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def run(tmp_path, code, read=True):
    head = f"import os, sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
    head += "from crmnet.logs import log_to\nlog_to('job.log')\n"
    command = [sys.executable, "-c", head + code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    return done, (tmp_path / "job.log").read_text() if read else None


def test_nothing_that_a_terminal_obeys_is_printed(tmp_path):
    for end in ("say(text)", "raise ValueError(text)"):
        text = "from crmnet.logs import say\ntext = '\\x1b]0;x\\x07a\\tb\\u202e\\x9b\\x1b[2J'\n"
        said = run(tmp_path, text + end)[0].stderr
        assert "a\tb" in said and not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", said)
        assert r"\x1b]0;x\x07" in said


def test_messages_go_to_the_log_those_of_libraries_too(tmp_path):
    code = "print('mine', file=sys.stderr)\nos.system('echo theirs >&2')"
    done, log = run(tmp_path, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert log.splitlines() == ["mine", "theirs"]


def test_what_ends_a_job_is_one_sentence_on_the_terminal(tmp_path):
    done, log = run(tmp_path, "raise ValueError('bad.csv: is empty')")
    assert done.returncode == 1
    assert done.stderr == "ValueError: bad.csv: is empty\n(more in job.log)\n"
    assert "Traceback" in log and "bad.csv: is empty" in log


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_to_is_reported_with_what_to_do(tmp_path, number):
    done, _ = run(tmp_path, f"raise OSError({number}, os.strerror({number}), 'results/a.tsv')")
    sentence = f"{os.strerror(number)}: 'results/a.tsv'; "
    assert sentence in done.stderr and "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full stands for a full disk")
def test_a_log_for_which_there_is_no_room_hides_nothing(tmp_path):
    (tmp_path / "job.log").symlink_to("/dev/full")
    done, _ = run(tmp_path, "raise ValueError('bad.csv: is empty')", read=False)
    assert done.returncode != 0
    assert done.stderr.startswith("ValueError: bad.csv: is empty\n")
    done, _ = run(tmp_path, "print('a message', file=sys.stderr)", read=False)
    assert done.returncode != 0
    assert "No space left on device; free some space" in done.stderr


def test_how_far_a_job_is_goes_to_its_log_and_to_the_terminal(tmp_path):
    (tmp_path / "out" / "logs" / "train").mkdir(parents=True)
    code = "from crmnet.logs import log_to, say\nlog_to('out/logs/train/a.log')\nsay('half done')"
    done, _ = run(tmp_path, code)
    assert done.stderr == "" and (tmp_path / "job.log").read_text() == "train/a: half done\n"
    assert (tmp_path / "out" / "logs" / "train" / "a.log").read_text() == "half done\n"


def test_a_job_outlives_its_terminal(tmp_path):
    code = (
        "from crmnet import logs\nlogs._terminal[0].close()\nlogs._terminal = (open('/dev/full', "
    )
    code += "'w', buffering=1), 'a')\nlogs.say('half done')\nopen('end', 'w').close()\nos._exit(0)"
    run(tmp_path, code)
    assert (tmp_path / "end").exists()


def test_progress_is_logged_now_and_then_with_the_time_left(clock, capsys):
    progress = Progress(1000, "rows")
    clock[0] = PROGRESS_SECONDS - 1
    progress(500)
    assert capsys.readouterr().err == ""
    clock[0] = 20
    progress(600)
    assert capsys.readouterr().err == "600 of 1,000 rows, 30 rows/s, 13 s left\n"
    clock[0] = 30
    progress(900)
    assert capsys.readouterr().err == ""


def test_progress_counts_what_was_done_before_and_what_follows(clock, capsys):
    progress = Progress(100, "MB", "a.gz: ", done=80, rounds=2)
    clock[0] = 20
    progress(90)
    # 0.5 MB/s; 10 of this round, and 200.
    assert capsys.readouterr().err == "a.gz: 90 of 100 MB, 0.5 MB/s, at most 7 min left\n"


def test_progress_beyond_an_estimate_has_no_time_left(clock, capsys):
    progress = Progress(100, "rows")
    clock[0] = 20
    progress(120)
    assert capsys.readouterr().err == "120 of 120 rows, 6 rows/s, 0 s left\n"


def test_progress_towards_an_unknown_end_says_how_fast_it_is(clock, capsys):
    progress = Progress(None, "MB")
    clock[0] = 20
    progress(500)
    assert capsys.readouterr().err == "500 MB, 25 MB/s\n"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5400, "1 h 30 min")]
)
def test_times_are_in_a_readable_form(seconds, said):
    assert duration(seconds) == said
