# What all rules share: the checked config, names, and how a rule says which modules it uses.
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

PACKAGE = Path(workflow.basedir, "workflow", "scripts", "crmnet")
sys.path.insert(0, str(PACKAGE.parent))

from crmnet import configuration

try:
    checked = configuration.checked(config)
except configuration.ConfigError as error:
    raise WorkflowError(str(error)) from None
config.clear()
config.update(checked)

OUT = config["outdir"]
LOGS = f"{OUT}/logs"
BENCHMARKS = f"{OUT}/benchmarks"
MEDIA = list(config["media"])
MODELS = list(config["models"])
PRETRAINED = configuration.PRETRAINED


wildcard_constraints:
    medium="|".join(MEDIA),
    model="|".join(MODELS),
    stage="|".join([PRETRAINED, *MEDIA]),


def lib(*modules):
    """The package's modules that a script imports, as inputs: Snakemake does not see an edited
    import."""
    return [str(PACKAGE / f"{module}.py") for module in modules]


def train_tables(medium):
    return config["media"][medium]["train"]


def test_tables(medium):
    return config["media"][medium]["test"]


def paths(tables):
    return [table["path"] for table in tables]


def pretrains(model):
    return config["models"][model]["pretrain"]


def stage_kind(wildcards):
    """Which changes of `training: stages` a training takes."""
    if wildcards.stage == PRETRAINED:
        return "pretrain"
    return "finetune" if pretrains(wildcards.model) else "scratch"


def train_media(wildcards):
    return MEDIA if wildcards.stage == PRETRAINED else [wildcards.stage]


def start_from(wildcards):
    """The pre-trained model that fine-tuning goes on from."""
    if stage_kind(wildcards) != "finetune":
        return []
    return f"{OUT}/models/{wildcards.model}/{PRETRAINED}.keras"


# Every training of the config, as <model>/<stage>.
TRAININGS = [
    f"{model}/{stage}"
    for model in MODELS
    for stage in ([PRETRAINED] if pretrains(model) else []) + MEDIA
]


def scatter_input(kind, figure):
    """The predictions or metrics that a scatter figure draws."""
    drawn = config["figures"][figure]
    return f"{OUT}/{kind}/{drawn['model']}/{drawn['medium']}.tsv"


def scatter_title(figure):
    medium = config["figures"][figure]["medium"]
    return config["media"][medium].get("label", medium)
