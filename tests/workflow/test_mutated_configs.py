"""Configs with faults of every kind: each makes a plan, or ends in sentences that name the key."""

import copy
import datetime
import math
import random

import pytest
import yaml
from conftest import ROOT
from snakemake.utils import update_config

from crmnet import configuration
from crmnet.configuration import ConfigError
from crmnet.plan import Plan

VALUES = [
    *(None, True, False, 0, -1, 1, 2.0, 1.5, -0.5, 10**30, math.inf, math.nan),
    *("", " ", "abc", "1e-3", "\0", "{x}", "<x>", "a/b", "../x", "/", "$x$", "ACGT\n", "*" * 5000),
    *("crmnet", "complex", "released", "https://", "http://[", "https://example.org/{x}.csv"),
    *([], [None], [1, "a"], [[]], {}, {"a": 1}, {1: 2}, {None: None}, datetime.date(2023, 3, 14)),
]
MUTANTS, PLANNED = 200, 6


def whole(name):
    """The paper's config, with another laid over it as Snakemake lays it."""
    merged = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    if name != "config":
        update_config(merged, yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()))
    return merged


CONFIGS = {name: whole(name) for name in ("config", "demo", "lite")}


def paths(value, path=()):
    """The path to each key and each item of a list."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from paths(inner, (*path, key))


def at(config, path):
    for key in path:
        config = config[key]
    return config


def another_kind(value):
    """A list for keys with values, keys for a list, either for anything else."""
    if isinstance(value, dict):
        return list(value.values())
    return dict(enumerate(value)) if isinstance(value, list) else [value]


def mutant(seed):
    """A config with one thing changed, and the path to it."""
    chance = random.Random(seed)
    config = copy.deepcopy(CONFIGS[chance.choice(list(CONFIGS))])
    everywhere = list(paths(config))
    section = chance.choice(list(config))
    path = chance.choice([path for path in everywhere if path[0] == section])
    holder, key = at(config, path[:-1]), path[-1]
    change = chance.choice(["replace"] * 4 + ["drop", "rename", "turn", "move"])
    if change == "replace":
        holder[key] = chance.choice(VALUES)
    elif change == "turn":
        holder[key] = another_kind(holder[key])
    elif change == "drop":
        del holder[key]
    elif change == "rename" and isinstance(holder, dict):
        other = chance.choice([f"{key}s", str(key)[1:], "a b", "", 1, None])
        holder[other], path = holder.pop(key), (*path[:-1], other)
    else:
        path = chance.choice(everywhere)
        at(config, path[:-1])[path[-1]] = copy.deepcopy(holder[key])
    return config, path


def refusal(config):
    """The sentences that a config is refused with, or None."""
    try:
        done = configuration.checked(config)
    except ConfigError as error:
        return str(error)
    assert configuration.checked(done) == done
    plan = Plan(done)
    for model in done["models"]:
        plan.architecture(model)
        plan.recipe(model, "scratch")
    return None


def test_a_mutated_config_is_accepted_or_refused_in_sentences_with_the_key():
    refused = 0
    for seed in range(MUTANTS):
        config, path = mutant(seed)
        said = refusal(config)
        if said is None:
            continue
        refused += 1
        # The key, or what holds it where it is gone.
        keys = [str(key) for key in path][-2:]
        assert any(key in said for key in keys), (seed, path, said)
        for line in said.splitlines()[1:]:
            assert line.startswith("  ") and ": " in line and len(line) < 300, (seed, path, line)
    assert 0.5 * MUTANTS < refused < 0.95 * MUTANTS


def planned(snakemake, tmp_path, config):
    (tmp_path / "mutant.yaml").write_text(yaml.safe_dump(config))
    arguments = ("--configfile", tmp_path / "mutant.yaml", "--replace-workflow-config")
    return snakemake("-n", "--cores", 1, *arguments)


@pytest.mark.slow
def test_what_is_accepted_makes_a_plan(snakemake, tmp_path):
    accepted = []
    for seed in range(MUTANTS):
        config, path = mutant(seed)
        # A default in place of a key that is gone is no news.
        changed = at_or_none(config, path) is not None
        if changed and refusal(copy.deepcopy(config)) is None:
            accepted.append((seed, path, config))
    for seed, path, config in accepted[:PLANNED]:
        done = planned(snakemake, tmp_path, config)
        assert done.returncode == 0 and "rule figure1" in done.stdout, (seed, path, done.stdout)


def at_or_none(config, path):
    try:
        return at(config, path)
    except (LookupError, TypeError):
        return None


@pytest.mark.parametrize("path", [("models",), ("training", "peak_rate")])
def test_what_is_refused_ends_without_a_traceback(snakemake, tmp_path, path):
    config = copy.deepcopy(CONFIGS["demo"])
    at(config, path[:-1])[path[-1]] = ["a"]
    done = planned(snakemake, tmp_path, config)
    assert done.returncode != 0 and f"{'.'.join(path)}: must be" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("text", ["seed: [1\n", "\tseed: 1\n"])
def test_a_config_that_is_no_yaml_ends_in_a_sentence(snakemake, tmp_path, text):
    (tmp_path / "broken.yaml").write_text(text)
    done = snakemake("-n", "--cores", 1, "--configfile", tmp_path / "broken.yaml")
    assert done.returncode != 0 and "JSON or YAML" in done.stdout
    assert "Traceback" not in done.stdout
