"""Configs for tests: the paper's, and others laid over it as Snakemake lays them."""

import copy
from pathlib import Path

import yaml
from snakemake.utils import update_config

CONFIG = Path(__file__).parents[1] / "config"
PAPER = yaml.safe_load((CONFIG / "config.yaml").read_text())
# The arguments of the paper's model, as its builder takes them.
MODEL = {"length": PAPER["construct"]["length"], **PAPER["model"]}
# The shortest sequence with the paper's flanks and an insert.
WHOLE = PAPER["construct"]["left_flank"] + "ACGT" + PAPER["construct"]["right_flank"]


def config(**changes):
    """The paper's config with changes laid over it. The keys of the changes come first: where order
    counts, as for the first medium, it is theirs."""
    merged = copy.deepcopy(changes)
    update_config(merged, copy.deepcopy(PAPER))
    update_config(merged, copy.deepcopy(changes))
    return merged


def overlaid(name):
    """The config of a file in config/, which may be the paper's own."""
    return config(**yaml.safe_load((CONFIG / f"{name}.yaml").read_text()))
