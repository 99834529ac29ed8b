"""The workflows of GitHub Actions and the container name only what there is.

Whether they work shows on GitHub alone.
"""

import json
import os
import re
import shlex

import pytest
import yaml
from conftest import ROOT
from snakemake.cli import get_argument_parser
from test_envs import ENVS
from test_plan import RULES

WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text())
    for path in (ROOT / ".github" / "workflows").glob("*.yml")
}


def steps(name):
    return [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"]]


def commands():
    """The commands that call Snakemake or a file of the repository, as words."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    texts = [step["run"] for name in WORKFLOWS for step in steps(name) if "run" in step]
    text = "\n".join([*texts, dockerfile]).replace("\\\n", "")
    found = re.findall(r"(?:^|&& |RUN )((?:snakemake|\.ci/\S+) *[^&\n]*)", text, re.M)
    (start,), (rest,) = (re.findall(rf"^{e} (.+)", text, re.M) for e in ("ENTRYPOINT", "CMD"))
    assert json.loads(start) == ["tini", "--", "snakemake"]
    return [*map(shlex.split, found), ["snakemake", *json.loads(rest)]]


def test_actions_and_images_have_a_version():
    used = [step["uses"] for name in WORKFLOWS for step in steps(name) if "uses" in step]
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) for action in used)
    jobs = [job for workflow in WORKFLOWS.values() for job in workflow["jobs"].values()]
    assert all(re.fullmatch(r"ubuntu-\d+\.\d+", job["runs-on"]) for job in jobs)
    (base,) = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    images = {job["container"] for job in jobs if isinstance(job.get("container"), str)}
    assert images == {base} and re.search(r":\d", base)


def test_every_environment_is_pinned():
    pins = WORKFLOWS["environments.yml"]["jobs"]["pins"]
    assert pins["strategy"]["matrix"]["env"] == sorted(ENVS)


def test_each_python_of_the_readme_runs_the_tests():
    tested = WORKFLOWS["tests.yml"]["jobs"]["run"]["strategy"]["matrix"]["python"]
    assert f"Python {', '.join(tested[:-1])} or {tested[-1]}" in (ROOT / "README.md").read_text()


def test_programs_of_the_repository_can_be_run():
    called = {words[0] for words in commands()} - {"snakemake"}
    assert called == {".ci/run", ".ci/pin-env"}
    assert all(os.access(ROOT / name, os.X_OK) for name in called)


def test_snakemake_commands_name_what_there_is(capsys):
    found = [words[1:] for words in commands() if words[0] == "snakemake"]
    assert len(found) == 4
    for words in found:
        try:
            asked = get_argument_parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"{words}: {capsys.readouterr().err.splitlines()[-1]}")
        assert asked.targets and set(asked.targets) <= set(RULES)
        assert all((ROOT / profile / "config.yaml").is_file() for profile in asked.profile)
        assert all(setting.split("=")[0] in ("training", "motifs") for setting in asked.config)
