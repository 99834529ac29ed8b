"""What a job says goes to its log, what ends it to the terminal too."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


def run(tmp_path, code, read=True):
    head = f"import os, sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
    head += "from crmnet.logs import log_to\nlog_to('job.log')\n"
    command = [sys.executable, "-c", head + code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    return done, (tmp_path / "job.log").read_text() if read else None


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
def test_a_disk_that_cannot_be_written_to_is_told_with_the_mend(tmp_path, number):
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
