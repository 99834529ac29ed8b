"""What a job says goes to its log, what ends it to the terminal too."""

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


def run(tmp_path, code):
    head = f"import os, sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
    head += "from crmnet.logs import log_to\nlog_to('job.log')\n"
    command = [sys.executable, "-c", head + code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    return done, (tmp_path / "job.log").read_text()


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
