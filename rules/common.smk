# What all rules share: the checked config, the names of folders, models and media, the contents of
# the report, and the memory and time that jobs request.
import math
import os
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

if not isinstance(workflow.current_basedir, os.PathLike):
    raise WorkflowError(
        f"{workflow.current_basedir}: Snakemake fetches only single files from a remote "
        "repository, but the scripts of this workflow need its package; clone the repository and "
        "import the Snakefile of the clone"
    )
# The root of this workflow, also if another workflow imports it.
HERE = Path(workflow.current_basedir).parent
PACKAGE = HERE / "workflow" / "scripts" / "crmnet"
sys.path[:0] = [str(PACKAGE.parent), str(HERE / "rules")]


configfile: HERE / "config" / "config.yaml"


import snakemake_internals
from crmnet import configuration, plan
from crmnet.data import declarations
from crmnet.fingerprint import fingerprint

# Whether another workflow imports this one, and whether it has no default target of its own.
IS_MODULE = snakemake_internals.is_module(workflow)
IS_DEFAULT = not snakemake_internals.has_default_target(workflow)
if not PACKAGE.samefile(Path(plan.__file__).parent):
    raise WorkflowError(
        f"one run cannot use two copies of this workflow: {HERE}, and that of {plan.__file__}"
    )
if IS_MODULE and snakemake_internals.changes_paths(workflow):
    raise WorkflowError(
        "this workflow cannot be imported with `prefix:` or `replace_prefix:`; set `outdir` and "
        "`resources` in its config instead"
    )
try:
    if snakemake_internals.has_given_config(workflow):
        configs = [configuration.paper(), config]
    else:
        configs = configuration.given(*snakemake_internals.given_configs(workflow))
    config = configuration.checked(configuration.laid(*configs))
except configuration.ConfigError as error:
    raise WorkflowError(str(error)) from None
PLAN = plan.Plan(config)
if workflow.is_main_process:
    for note in (*configuration.inherited_media(configs), *declarations.cautions(PLAN)):
        print(f"Note: {note}.", file=sys.stderr)

snakemake_internals.take_over_from_killed_run(workflow)
snakemake_internals.shorten_terminal(workflow)
# A dry run works without conda. A run that needs conda stops with an error before its first job.
CONDA_IS_MISSING = snakemake_internals.conda_is_missing(workflow)

OUT = config["outdir"]
LOGS = f"{OUT}/logs"
BENCHMARKS = f"{OUT}/benchmarks"
MEDIA = list(config["media"])
MODELS = list(config["models"])
PRETRAINED = plan.PRETRAINED
# Each predictor (a model, its ensemble, or its published predictions) -> media.
PREDICTORS = PLAN.predictors
# The sections on training times, motif jobs and scores. A section that the config leaves out is
# None, and the rules that need it are not included.
BENCHMARK, MOTIFS, SCORE = (config[section] for section in ("benchmark", "motifs", "score"))
CROSS_VALIDATION = config["cross_validation"]
# Each figure that this config cannot make -> the reason.
LEFT_OUT = PLAN.left_out
WORDS = config["words"]
# The measured quantity, as it stands on the axes of figures.
EXPRESSION = WORDS["expression"] + (f" ({WORDS['unit']})" if WORDS["unit"] else "")


wildcard_constraints:
    families="all|representatives",
    fold=r"\d+",
    test_set="|".join({name for entry in config["media"].values() for name in entry["test"]}),
    medium="|".join(MEDIA),
    model="|".join(MODELS),
    predictor="|".join(PREDICTORS),
    seed=r"\d+",
    stage="|".join([PRETRAINED, *MEDIA]),


# It describes a run by the keys of our config, which an importing workflow does not have.
if not IS_MODULE:

    report: "../workflow/report/workflow.rst"


# The files in the report, in the paper's order: section, name and content. Each section starts with
# a number because Snakemake's report sorts sections by name.
REPORTED = {
    "figure1": ("1. Model", "Figure 1", "architecture"),
    "training_curves": ("1. Model", "Training curves", "loss and validation R² of every training"),
    "figure2": ("2. Performance", "Figure 2", f"measured and predicted {WORDS['expression']}"),
    "figureS1": (
        "2. Performance",
        "Figure S1",
        f"measured and predicted {WORDS['expression']} in the other {WORDS['media']}",
    ),
    "figure3": ("2. Performance", "Figure 3", "comparison with other models"),
    "figure4": ("2. Performance", "Figure 4", "ablations"),
    "figure_cross_validation": (
        "2. Performance",
        "Cross-validation",
        "predictions for all training sequences by models that did not see them",
    ),
    "metrics": ("2. Performance", "Metrics", "metrics of every model on every test set"),
    "figure5": ("3. Motifs", "Figure 5", "saliency maps, motifs and their effects"),
    "figureS2": ("3. Motifs", "Figure S2", "more saliency maps"),
    "motifs": ("3. Motifs", "Motif table", "all motifs of all methods, and the selected ones"),
    "figure_sanity": ("3. Motifs", "Sanity checks", "saliency maps from randomised weights"),
    "figure_truth": ("3. Motifs", "Truth", "planted sites and motifs against those found"),
    "figure_insertion": ("3. Motifs", "Insertion", "effects of sites in random inserts"),
    "figure_modisco": ("3. Motifs", "TF-MoDISco", "motifs found in the saliency maps"),
    "table1": ("4. Training times", "Table 1", "time and memory by batch, precision and devices"),
    "tableS1": ("5. Data", "Table S1", "sizes of the data sets"),
    "claims": ("6. Claims", "Claims", "the paper's numbers beside ours, with a verdict"),
    "provenance": ("7. Provenance", "Provenance", "commit, config, inputs, versions, times"),
}


def reported(file):
    """Marks a result file for the report and adds its caption."""
    name, ending = Path(file).stem, Path(file).suffix[1:]
    section, title, content = REPORTED[name]
    return report(
        f"{OUT}/{file}",
        caption=f"../workflow/report/{name}.rst",
        category=section,
        labels={"name": title, "content": content, "as": ending},
    )


def grows(base, per_mb=0, most=math.inf):
    """Returns a resource function: `base` plus `per_mb` for each MB of input, times the attempt.

    The result is at most `most`."""

    def needed(wildcards, input, attempt):
        # Read the size only if it matters: in a dry run, input files may not exist yet.
        size = input.size_mb if per_mb else 0
        return min(attempt * math.ceil(base + per_mb * size), most)

    return needed


def label(predictor):
    """Returns a predictor's name in figures."""
    for model, settings in config["models"].items():
        name = settings.get("label", model.replace("_", " "))
        if predictor == model:
            return name
        if predictor == plan.ENSEMBLE.format(model=model):
            return f"{name}, mean of {len(PLAN.seeds(model))}"
        if predictor == plan.PUBLISHED.format(model=model):
            return f"{name} (published)"


def medium_label(medium):
    return config["media"][medium].get("label", medium)


def paths(tables):
    return [table["path"] for table in tables]
