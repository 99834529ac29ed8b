"""The findings of a rehearsal, and how its jobs are started."""

import json
import shutil
import sys
from types import SimpleNamespace

import pytest

from crmnet import rehearsal
from crmnet.rehearsal import NOT_READY, NOTE, READY, UNTESTED, Checks

FAILED = """\
Building DAG of jobs...
11:15:16    0 of 3 done,  0 %  rehearse_gadem
11:15:17    1 of 3 done, 33 %  rehearse_training
rehearse_training (job 17.server): it ran out of memory (`mem_mb`); see its log: x.log
11:15:20    1 of 3 done, 33 %  rehearse_training has failed
  external_jobid: 17.server
  results/logs/rehearse_training.log ends:
    Traceback (most recent call last):
    crmnet.motifs.motif.MotifError: no space for a tensor
11:15:22    2 of 3 done, 66 %  rehearse_environment/meme has failed
  results/logs/rehearse_environment/meme.log ends: (there is none)
WorkflowError:
At least one job did not complete successfully.
"""


def states(checks):
    return {one.what: (one.state, one.found) for one in checks.findings}


def test_an_error_in_a_check_is_a_finding_and_the_next_check_goes_on(tmp_path):
    checks = Checks()
    with checks.check("first", "mend it"):
        raise OSError("it is broken")
    with checks.check("second", "mend it") as found:
        found += ["4 GPUs", "2 s"]
    with checks.check("third", "", NOTE) as found:
        found.append("slower")
    assert states(checks) == {
        "first": (NOT_READY, "OSError: it is broken"),
        "second": (READY, "4 GPUs; 2 s"),
        "third": (NOTE, "slower"),
    }
    assert [one.mend for one in checks.findings] == ["mend it", "", ""]
    checks.write(tmp_path / "job.json", cells={"a": 1})
    written = json.loads((tmp_path / "job.json").read_text())
    assert written["cells"] == {"a": 1} and written["host"] == written["findings"][0]["where"]
    assert written["started"] <= written["ended"]


def script(folder, text):
    path = folder / "script.py"
    path.write_text(text)
    return path


def test_the_libraries_of_a_script_are_found_with_those_of_functions_apart(tmp_path):
    path = script(
        tmp_path,
        "from __future__ import annotations\n"
        "import json\n"
        "from typing import TYPE_CHECKING\n"
        "import numpy.linalg\n"
        "from crmnet.data.checksums import sha256\n"
        "if TYPE_CHECKING:\n    import keras\n"
        "def f():\n    import jax\n    from scipy import stats\n",
    )
    assert rehearsal.libraries([path]) == ({"numpy.linalg"}, {"jax", "scipy"})


def test_libraries_are_those_of_the_modules_that_a_script_imports_too(tmp_path):
    at_once, later = rehearsal.libraries([script(tmp_path, "import crmnet.report.provenance\n")])
    assert "yaml" in at_once and "rocrate.rocrate" in later


def environment(*pip):
    """The name of an environment, and its packages."""
    return "train", ["python=3.12", "pip=25.2", *([{"pip": list(pip)}] if pip else [])]


def test_an_environment_has_what_it_pins_and_what_its_scripts_import(tmp_path):
    import numpy

    checks, path = Checks(), script(tmp_path, "import numpy\n")
    elsewhere = "no-such-package==1.0; sys_platform == 'another'"
    pinned = environment(f"numpy=={numpy.__version__}", elsewhere)
    rehearsal.check_environment(checks, *pinned, [path], conda=False)
    (found,) = checks.findings
    assert found.state == READY and "1 imports" in found.found


@pytest.mark.parametrize(("conda", "state"), [(True, NOT_READY), (False, NOTE)])
def test_another_version_is_told_and_is_an_error_in_the_environment_itself(tmp_path, conda, state):
    checks, path = Checks(), script(tmp_path, "import numpy\n")
    wrong = environment("numpy[extra]==0.0.1", "no-such-package==1.0")
    rehearsal.check_environment(checks, *wrong, [path], conda)
    (found,) = checks.findings
    assert found.state == state
    assert "instead of 0.0.1" in found.found and "no-such-package 1.0 is missing" in found.found


def test_a_library_that_cannot_be_imported_is_told_with_the_reason(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise RuntimeError('libdevice is missing')\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = script(tmp_path, "import broken_library\nimport no_such_library\n")
    checks = Checks()
    rehearsal.check_environment(checks, *environment(), [path], conda=False)
    (found,) = checks.findings
    assert found.state == NOT_READY
    assert "broken_library (RuntimeError: libdevice is missing)" in found.found
    assert "no_such_library (ModuleNotFoundError" in found.found


def test_a_package_of_conda_is_looked_up_in_the_environment(tmp_path, monkeypatch):
    (tmp_path / "conda-meta").mkdir()
    for name, version in (("python", "3.12.11"), ("python-tzdata", "2025"), ("meme", "5.5.8")):
        record = json.dumps({"name": name, "version": version})
        (tmp_path / "conda-meta" / f"{name}-{version}-0.json").write_text(record)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    wanted = ["python=3.12", "meme=5.5.9", "r-base=4.4"]
    checks = Checks()
    rehearsal.check_environment(checks, "meme", wanted, [script(tmp_path, "")], conda=True)
    (found,) = checks.findings
    assert found.found == "meme is 5.5.8 instead of 5.5.9; r-base 4.4 is missing"


def test_disks_are_checked_together_and_need_the_sum(tmp_path, monkeypatch):
    checks = Checks()
    needs = [("a", f"{tmp_path}/a", 3e6), ("b", f"{tmp_path}/b", 4e6)]
    rehearsal.check_disks(checks, needs)
    (found,) = checks.findings
    assert found.state == READY and "needs 7.0 MB" in found.found
    assert found.what == f"disk of {tmp_path}/a and {tmp_path}/b"
    assert not list((tmp_path / "a").iterdir())

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5e6))
    rehearsal.check_disks(checks, needs)
    assert checks.findings[-1].state == NOT_READY and "free 2.0 MB" in checks.findings[-1].mend
    rehearsal.check_disks(checks, [*needs, ("downloads", f"{tmp_path}/a", float("nan"))])
    assert checks.findings[-1].state == NOT_READY
    monkeypatch.undo()
    rehearsal.check_disks(checks, [*needs, ("downloads", f"{tmp_path}/a", float("nan"))])
    found = checks.findings[-1]
    assert found.state == UNTESTED and "not known what it needs for downloads" in found.found


def test_a_quota_that_the_free_space_does_not_show_is_found(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr(rehearsal.os, "posix_fallocate", full)
    checks = Checks()
    rehearsal.check_disks(checks, [("shards", str(tmp_path), 1000)])
    assert checks.findings[0].state == NOT_READY
    assert "quota" in checks.findings[0].found and "quota" in checks.findings[0].mend


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0.0 kB"), (51_600_000, "51.6 MB"), (6e9, "6.0 GB"), (2e12, "2.0 TB")]
)
def test_sizes_are_readable(number, text):
    assert rehearsal.byte_size(number) == text


def test_the_reasons_of_failed_jobs_are_read_from_the_terminal():
    # The scheduler knows more of the first job than its log does; the second has no log.
    assert rehearsal.reasons(FAILED) == {
        "rehearse_training": "it ran out of memory (`mem_mb`); its log ends: no space for a tensor"
    }


def test_an_error_is_told_with_what_follows_it():
    text = "Using profile profiles/a\n\nprofiles/nci_dgx: PROJECT is not set\nError submitting\n"
    assert rehearsal.errors(text) == "profiles/nci_dgx: PROJECT is not set Error submitting"
    conda = "Building\nPackagesNotFoundError: not available:\n  - meme=5.5.9\n" + "more\n" * 9
    assert rehearsal.errors(conda, most=2) == "PackagesNotFoundError: not available: - meme=5.5.9"
    closing = "Exiting because a job execution failed.\nWorkflowError:\nAt least one job did not\n"
    assert "may have been killed" in rehearsal.errors(f"Building\n{closing}")


# A program in the place of Snakemake: it writes the files that it is to make, but for one.
STANDS_IN = """
import json, pathlib, sys
print("11:00:00    0 of 2 done,  0 %  first")
for word in sys.argv[1:]:
    if word.endswith(".json"):
        finding = dict(what=word, state="ready", found="", mend="", where="node1")
        content = dict(host="node1", findings=[finding], options=sys.argv[1:])
        if "second" not in word:
            pathlib.Path(word).write_text(json.dumps(content))
print("11:00:01    1 of 2 done, 50 %  second has failed")
print("  Submission was refused: no such queue")
sys.exit(1)
"""


def test_a_job_that_fails_hides_no_other(tmp_path):
    command = [sys.executable, str(script(tmp_path, STANDS_IN)), "rehearse", "--profile", "p"]
    snakemake = rehearsal.Snakemake(command, str(tmp_path), tmp_path / "log")
    checks, files = Checks(), {name: str(tmp_path / f"{name}.json") for name in ("first", "second")}
    results = rehearsal.run_jobs(checks, snakemake, files, tmp_path, "--sdm", "env-modules")
    assert set(results) == {"first"}
    assert states(checks) == {
        files["first"]: (READY, ""),
        "job second": (NOT_READY, "Submission was refused: no such queue"),
    }
    # The targets stand where the user's target stood, and further options behind the user's.
    given = results["first"]["options"]
    assert given[:4] == [*files.values(), "--profile", "p"] and given[-2:] == [
        "--sdm",
        "env-modules",
    ]
    assert {"--keep-going", "--nolock"} <= set(given)
    assert "no such queue" in (tmp_path / "log").read_text()


def test_the_log_of_an_earlier_rehearsal_is_no_reason_and_what_a_job_wrote_before_counts(tmp_path):
    (tmp_path / "first.log").write_text("of yesterday")
    # The job has failed after a first finding.
    part = rehearsal.part_of(tmp_path / "second.json")
    finding = {"what": "GPU", "state": READY, "found": "8", "mend": "", "where": "node1"}
    part.write_text(json.dumps({"host": "node1", "findings": [finding]}))
    command = [sys.executable, str(script(tmp_path, STANDS_IN)), "rehearse"]
    snakemake = rehearsal.Snakemake(command, str(tmp_path), tmp_path / "log")
    checks, files = Checks(), {name: str(tmp_path / f"{name}.json") for name in ("first", "second")}
    results = rehearsal.run_jobs(checks, snakemake, files, tmp_path)
    assert not (tmp_path / "first.log").exists()
    assert results["second"]["host"] == "node1" and states(checks)["GPU"] == (READY, "8")
    assert states(checks)["job second"][0] == NOT_READY


def test_a_snakemake_that_does_not_start_is_one_finding(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('Error: no profile')", "rehearse"]
    checks, snakemake = Checks(), rehearsal.Snakemake(command, str(tmp_path), tmp_path / "log")
    assert rehearsal.run_jobs(checks, snakemake, {"a": "a.json"}, tmp_path) == {}
    assert states(checks) == {"Snakemake": (NOT_READY, "has started no job: Error: no profile")}


def test_an_environment_that_cannot_be_made_hides_no_other(tmp_path):
    code = "import sys; sys.exit('CreateCondaEnvironmentException' if 'b.json' in sys.argv else 0)"
    command = [sys.executable, "-c", code, "rehearse"]
    checks, snakemake = Checks(), rehearsal.Snakemake(command, str(tmp_path), tmp_path / "log")
    jobs = {"a": ["a.json", "analysis"], "b": ["b.json", "meme"], "c": ["c.json", "analysis"]}
    assert rehearsal.make_environments(checks, snakemake, jobs) == {"meme"}
    assert states(checks)["meme: made by conda"] == (NOT_READY, "CreateCondaEnvironmentException")
    assert states(checks)["analysis: made by conda"][0] == READY
    assert states(checks)["job b"] == (UNTESTED, "there is no environment meme")
