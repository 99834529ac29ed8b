"""The conda environments: complete for the scripts of their rules, pinned, and nothing besides."""

import ast
import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, run_snakemake
from test_plan import WITH_SCRIPT, last, parsed

from crmnet.fingerprint import reached

ENVS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "envs").glob("*.yaml")}
TRAINING = {name for name in ENVS if name.startswith("train-")}
# What scripts import, run or load from a package, where that has another name.
PROVIDES = {
    "tensorflow-cpu": {"tensorflow"},
    "tensorflow-gpu": {"tensorflow"},
    "matplotlib-base": {"matplotlib"},
    "biopython": {"Bio"},
    "pyyaml": {"yaml"},
    "modisco-lite": {"modiscolite"},
    "meme": {"meme", "fimo", "tomtom"},
    "r-base": {"Rscript"},
    "bioconductor-rgadem": {"rGADEM"},
    "bioconductor-biostrings": {"Biostrings"},
}
# Imports in functions that no script calls in these environments: TensorFlow's have no JAX, and
# their rules, like some others, read known motifs from a file.
UNREACHED = {
    "jax": {"train-auto", "train-cpu", "train-gpu"},
    "pyjaspar": {*TRAINING, "modisco", "rgadem"},
    # The paper's model, for who measures by hand: a job names its own.
    "yaml": TRAINING,
}
# What no script need import: Python, its installer, and the classes of pyjaspar's motifs.
BESIDE = {"python", "pip", "biopython"}
# A conda that makes empty environments, and notes the file of each.
CONDA = """#!/usr/bin/env python3
import json, pathlib, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("conda 25.9.1")
elif arguments == ["info", "--json"]:
    print(json.dumps({"conda_prefix": sys.prefix, "platform": "linux-64"}))
elif arguments[:2] == ["config", "--get"]:
    print(json.dumps({"get": {"channel_priority": "strict"}}))
elif arguments[:1] == ["clean"]:
    pass
elif arguments[:2] == ["env", "create"]:
    made = dict(zip(arguments, arguments[1:]))
    pathlib.Path(made["--prefix"]).mkdir()
    with open("made", "a") as file:
        print(json.dumps(pathlib.Path(made["--file"]).read_text()), file=file)
else:
    sys.exit(f"unknown: {arguments}")
"""


def script_of(rule):
    return ROOT / "rules" / last(r'script:\s+"(.+?)"', WITH_SCRIPT[rule])


def envs_of(rule):
    named = last(r"conda:\s+(\S+)", WITH_SCRIPT[rule])
    return TRAINING if named == "TRAINING_ENV" else {Path(named.strip('"')).stem}


def uses(path):
    """What of other packages a file imports at once, and what in functions; and the programs that
    it runs."""
    tree = ast.parse(path.read_text())
    at_once, in_functions, programs = set(), set(), set()

    def visit(node, names):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "tool":
            programs.add(node.args[0].value)
        for child in ast.iter_child_nodes(node):
            visit(child, in_functions if isinstance(node, ast.FunctionDef) else names)

    visit(tree, at_once)
    own = sys.stdlib_module_names | {"crmnet"}
    return at_once - own, in_functions - own, programs


def needs(env):
    """What the scripts of an environment's rules import, run and load."""
    found = set()
    for rule in WITH_SCRIPT:
        if env not in envs_of(rule):
            continue
        script = script_of(rule)
        for path in reached(script.resolve()):
            at_once, in_functions, programs = uses(path)
            unreached = {name for name, envs in UNREACHED.items() if env in envs}
            found |= at_once | programs | (in_functions - unreached)
        if (program := script.with_suffix(".R")).exists():
            found |= set(re.findall(r"library\((\w+)\)", program.read_text()))
    return found


def pins(env):
    """Package -> version of an environment."""
    entries = [e for e in ENVS[env]["dependencies"] if isinstance(e, str)]
    pip = [
        e for entry in ENVS[env]["dependencies"] if isinstance(entry, dict) for e in entry["pip"]
    ]
    found = [re.fullmatch(r"([\w-]+)=(\d+(?:\.\d+)+)", entry) for entry in entries]
    found += [re.fullmatch(r"([\w-]+)(?:\[\w+\])?==(\d+(?:\.\d+)+)", entry) for entry in pip]
    assert all(found), (entries, pip)
    return dict(match.groups() for match in found)


@pytest.mark.parametrize("env", sorted(ENVS))
def test_an_environment_has_what_its_scripts_use_and_nothing_else(env):
    packages = set(pins(env))
    has = set().union(*(PROVIDES.get(package, {package}) for package in packages))
    needed = needs(env)
    assert needed and not needed - has
    assert not [p for p in packages - BESIDE if not PROVIDES.get(p, {p}) & needed]


def test_environments_agree_on_versions():
    versions = {}
    for env in ENVS:
        for package, version in pins(env).items():
            name = package.removesuffix("-cpu").removesuffix("-gpu")
            versions.setdefault(name, set()).add(version)
    assert not {name: found for name, found in versions.items() if len(found) > 1}


@pytest.mark.parametrize("env", sorted(ENVS))
def test_channels_are_strict_and_without_defaults(env):
    channels = ENVS[env]["channels"]
    assert channels in (["conda-forge", "nodefaults"], ["conda-forge", "bioconda", "nodefaults"])


@pytest.mark.parametrize(
    ("backend", "device", "env"),
    [
        ("tensorflow", "auto", "train-auto"),
        ("tensorflow", "cpu", "train-cpu"),
        ("tensorflow", "gpu", "train-gpu"),
        ("jax", "gpu", "train-jax"),
        ("jax", "tpu", "train-tpu"),
    ],
)
def test_training_has_the_environment_of_its_backend_and_device(backend, device, env):
    rules = parsed(training={"backend": backend, "device": device})
    assert rules["train"].conda_env == rules["saliency"].conda_env == f"../envs/{env}.yaml"


def test_a_machine_makes_the_environments_of_its_jobs(tmp_path, monkeypatch):
    (tmp_path / "conda").write_text(CONDA)
    (tmp_path / "conda").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    done = run_snakemake(tmp_path, "--sdm", "conda", "--conda-create-envs-only", "--cores", 1)
    assert done.returncode == 0, done.stdout
    made = [yaml.safe_load(json.loads(line)) for line in (tmp_path / "made").open()]
    assert sorted(map(str, made)) == sorted(
        str(ENVS[name]) for name in ("analysis", "meme", "rgadem", "train-cpu", "train-gpu")
    )
