"""The workflow inside another one, which imports it from another folder."""

import json
import os
import shutil
import subprocess

import pytest
import yaml
from conftest import ROOT, run_snakemake, tiny_config

# A workflow with a config, a script, a target and hooks of its own.
OWN = """
configfile: "config.yaml"

wildcard_constraints:
    medium="[xyz]+",

rule all:
    default_target: True
    input:
        "own/x.txt",
        {targets}

module crmnet:
    snakefile: "{root}/Snakefile"
    config: config["expression"]

use rule * from crmnet as {names}

rule own:
    output:
        "own/{{medium}}.txt",
    params:
        samples=config["samples"],
    script:
        "own.py"

onstart:
    print("MY START")
"""
SCRIPT = """
import json, pathlib
told = [[*snakemake.params.keys()], snakemake.config]
pathlib.Path(snakemake.output[0]).write_text(json.dumps(told))
"""


class Importer:
    """Another workflow in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.config = {"samples": ["a"], "expression": tiny_config() | {"outdir": "made"}}
        self.config["expression"] = yaml.safe_load(
            yaml.safe_dump(self.config["expression"]).replace("results/demo", "made")
        )
        (folder / "own.py").write_text(SCRIPT)

    def write(self, snakefile=OWN, **values):
        (self.folder / "config.yaml").write_text(yaml.safe_dump(self.config))
        values = {"root": ROOT, "names": "crmnet_*", "targets": "", **values}
        (self.folder / "Snakefile").write_text(snakefile.format(**values))

    def run(self, *arguments):
        """Runs its Snakefile, and returns the exit status and what Snakemake has said."""
        done = run_snakemake(self.folder, *arguments, snakefile=self.folder / "Snakefile")
        return done.returncode, done.stdout

    def plan(self, *arguments):
        """Returns how many jobs of each rule it plans."""
        return planned(self.folder, self.folder / "Snakefile", *arguments)


def planned(folder, snakefile, *arguments):
    """Returns how many jobs of each rule are planned."""
    done = run_snakemake(folder, "--dry-run", *arguments, snakefile=snakefile)
    assert done.returncode == 0, done.stdout
    table = done.stdout.rpartition("Job stats:")[2].partition("\n\n")[0]
    rows = [line.split() for line in table.splitlines()]
    jobs = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
    jobs.pop("total", None)
    return jobs


@pytest.fixture
def importer(tmp_path):
    return Importer(tmp_path)


@pytest.fixture(scope="module")
def own_plan(tmp_path_factory):
    """The plan of the same config without another workflow."""
    folder = tmp_path_factory.mktemp("own")
    importer = Importer(folder)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(importer.config["expression"]))
    return planned(folder, ROOT / "Snakefile", "--configfile", folder / "tiny.yaml")


def test_another_workflow_makes_its_results_from_ours(importer):
    importer.write(targets='"made/figure1.pdf"')
    status, said = importer.run("--cores", 2)
    assert status == 0, said
    made = importer.folder / "made"
    assert (made / "figure1.pdf").read_bytes().startswith(b"%PDF")
    # Its own rules, config, hooks and terminal are as if we were not there.
    told = json.loads((importer.folder / "own" / "x.txt").read_text())
    assert told == [["samples"], importer.config]
    assert "MY START" in said and "rule own:" in said
    assert importer.plan() == {}
    # A report has our captions, with the keys of our config.
    status, said = importer.run("--report", "report.html")
    assert status == 0, said


def test_everything_is_planned_under_other_names(importer, own_plan):
    importer.write()
    jobs = importer.plan("crmnet_all")
    assert jobs["crmnet_train"] > 1
    assert jobs == {f"crmnet_{rule}": number for rule, number in own_plan.items()}


def test_all_rules_are_imported_as_they_are(importer, own_plan):
    """As in a workflow that only imports; its default target is then ours."""
    importer.write(
        'configfile: "config.yaml"\n'
        'module crmnet:\n    snakefile: "{root}/Snakefile"\n    config: config["expression"]\n'
        "use rule * from crmnet\n"
    )
    assert importer.plan() == own_plan


def test_a_rule_is_imported_alone_and_changed(importer):
    importer.write(
        'configfile: "config.yaml"\n'
        'module crmnet:\n    snakefile: "{root}/Snakefile"\n    config: config["expression"]\n'
        "use rule figure1 from crmnet as architecture with:\n"
        '    output:\n        pdf="architecture.pdf",\n        tsv="architecture.tsv",\n'
    )
    assert importer.plan("architecture.pdf") == {"architecture": 1}


def test_without_a_config_it_is_the_papers(importer):
    importer.write('module crmnet:\n    snakefile: "{root}/Snakefile"\nuse rule * from crmnet\n')
    assert importer.plan() == planned(importer.folder, ROOT / "Snakefile")


def test_scores_use_the_models_that_are_there(importer):
    (importer.folder / "mine.fa").write_text(">a\nACGTACGTAC\n")
    score = {"sequences": {"file": "mine.fa"}, "model": "crmnet"}
    importer.config["expression"]["score"] = score
    importer.write()
    assert importer.plan("crmnet_score")["crmnet_train"] == 3
    for medium in ("complex", "defined"):
        model = importer.folder / "made" / "models" / "crmnet" / "1" / f"{medium}.keras"
        model.parent.mkdir(parents=True, exist_ok=True)
        model.touch()
    assert "crmnet_train" not in importer.plan("crmnet_score")


IMPORT = (
    "module crmnet:\n    snakefile: {source}\n    config: {{}}\n{more}\nuse rule * from crmnet\n"
)


@pytest.mark.parametrize("more", ['    prefix: "sub"', '    replace_prefix: {"results": "x"}'])
def test_changed_paths_are_an_error(importer, more):
    importer.write(IMPORT, source=f'"{ROOT}/Snakefile"', more=more)
    status, said = importer.run("--dry-run")
    assert status != 0 and "set `outdir` and `resources` in its config instead" in said


def test_wrong_keys_are_an_error(importer):
    importer.config["expression"]["modles"] = {}
    importer.write()
    status, said = importer.run("--dry-run")
    assert status != 0 and "modles" in said


def test_two_copies_in_one_run_are_an_error(importer):
    for folder in ("rules", "config", "workflow"):
        shutil.copytree(ROOT / folder, importer.folder / "copy" / folder)
    shutil.copy(ROOT / "Snakefile", importer.folder / "copy")
    importer.write(
        IMPORT
        + 'module other:\n    snakefile: "copy/Snakefile"\n    config: {{}}\n'
        + "use rule * from other as other_*\n",
        source=f'"{ROOT}/Snakefile"',
        more="",
    )
    status, said = importer.run("--dry-run")
    assert status != 0 and "one run cannot use two copies of this workflow" in said


@pytest.mark.skipif(not shutil.which("git"), reason="NO REMOTE SOURCE: there is no git")
def test_a_remote_source_is_an_error_that_says_to_clone(importer, tmp_path, monkeypatch):
    """What `snakedeploy` writes. Snakemake has a clone of the repository already."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    clone = tmp_path / "cache/snakemake/snakemake/source-cache/snakemake-git-cache/github.com"
    (clone / "owner").mkdir(parents=True)
    source = tmp_path / "source"
    shutil.copytree(ROOT / "rules", source / "rules")
    shutil.copy(ROOT / "Snakefile", source)

    def git(*arguments):
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(["git", *arguments], cwd=source, check=True, env=environment)

    git("init", "--quiet")
    git("add", ".")
    git("-c", "user.name=me", "-c", "user.email=me@here", "commit", "--quiet", "-m", "one")
    git("tag", "v1")
    git("clone", "--quiet", "--bare", str(source), str(clone / "owner" / "crmnet"))
    importer.write(IMPORT, source='github("owner/crmnet", path="Snakefile", tag="v1")', more="")
    status, said = importer.run("--dry-run")
    assert status != 0
    assert "clone the repository and import the Snakefile of the clone" in said, said
