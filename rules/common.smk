# What all rules share: the checked config, the names of folders, models and media, what reports
# show, and what a job asks for.
import math
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

PACKAGE = Path(workflow.basedir, "workflow", "scripts", "crmnet")
sys.path[:0] = [str(PACKAGE.parent), str(Path(workflow.basedir, "rules"))]

import snakemake_internals
from crmnet import configuration, plan
from crmnet.fingerprint import fingerprint

if repeated := [
    line for file in workflow.configfiles for line in configuration.repeated_keys(Path(file))
]:
    raise WorkflowError("\n".join(repeated))
try:
    checked = configuration.checked(config)
except configuration.ConfigError as error:
    raise WorkflowError(str(error)) from None
config.clear()
config.update(checked)
PLAN = plan.Plan(config)

snakemake_internals.shorten_terminal(workflow)
# A plan needs no conda; a run that does says so before it starts.
CONDA_IS_MISSING = snakemake_internals.conda_is_missing(workflow)

OUT = config["outdir"]
LOGS = f"{OUT}/logs"
BENCHMARKS = f"{OUT}/benchmarks"
MEDIA = list(config["media"])
MODELS = list(config["models"])
PRETRAINED = plan.PRETRAINED
# What has predictions (a model, its ensemble, or its name as a published one) -> media.
PREDICTORS = PLAN.predictors
# The sections on training times, motif jobs and scores: None where the config leaves them out, and
# the rules that need them are not included.
BENCHMARK, MOTIFS, SCORE = (config[section] for section in ("benchmark", "motifs", "score"))
# Figures that the config does not suffice for -> why.
LEFT_OUT = PLAN.left_out


wildcard_constraints:
    families="all|representatives",
    test_set="|".join({name for entry in config["media"].values() for name in entry["test"]}),
    medium="|".join(MEDIA),
    model="|".join(MODELS),
    predictor="|".join(PREDICTORS),
    seed=r"\d+",
    stage="|".join([PRETRAINED, *MEDIA]),


# What reports show, in the paper's order: section, name and content of a file. Snakemake's report
# sorts sections by name.
REPORTED = {
    "figure1": ("1. Model", "Figure 1", "architecture"),
    "training_curves": ("1. Model", "Training curves", "loss and validation R² of every training"),
    "figure2": ("2. Performance", "Figure 2", "measured against predicted expression"),
    "figureS1": ("2. Performance", "Figure S1", "the same in the other media"),
    "figure3": ("2. Performance", "Figure 3", "against other models"),
    "figure4": ("2. Performance", "Figure 4", "ablations"),
    "metrics": ("2. Performance", "Metrics", "of every model and test set"),
    "figure5": ("3. Motifs", "Figure 5", "saliency maps, motifs, and what these do"),
    "figureS2": ("3. Motifs", "Figure S2", "more saliency maps"),
    "motifs": ("3. Motifs", "Motif table", "every motif of every method, and the choice"),
    "figure_sanity": ("3. Motifs", "Sanity checks", "maps of randomised weights"),
    "figure_truth": ("3. Motifs", "Truth", "what is found of what was planted"),
    "figure_insertion": ("3. Motifs", "Insertion", "sites put into random inserts"),
    "figure_modisco": ("3. Motifs", "TF-MoDISco", "motifs of the saliency maps themselves"),
    "table1": ("4. Training times", "Table 1", "time and memory by batch, precision and devices"),
    "tableS1": ("5. Data", "Table S1", "sizes of the data sets"),
    "claims": ("6. Claims", "Claims", "the paper's numbers, ours beside them, and a verdict"),
    "provenance": ("7. Provenance", "Provenance", "commit, config, inputs, versions, times"),
}


def reported(file):
    """A file of the results that reports show, with its caption."""
    name, ending = Path(file).stem, Path(file).suffix[1:]
    section, title, content = REPORTED[name]
    return report(
        f"{OUT}/{file}",
        caption=f"../workflow/report/{name}.rst",
        category=section,
        labels={"name": title, "content": content, "as": ending},
    )


def grows(base, per_mb=0, most=math.inf):
    """Memory or time of a job, that grows with the MB of its input files, and with each attempt up
    to `most`."""

    def needed(wildcards, input, attempt):
        # Asked for a size, a plan does not know that of files that are yet to be made.
        size = input.size_mb if per_mb else 0
        return min(attempt * math.ceil(base + per_mb * size), most)

    return needed


def label(predictor):
    """A predictor's name in figures."""
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


def why_left_out(target, reason):
    """An error in place of the input files of a target. Snakemake adds a traceback to an error of an
    input function, but none to one of an iterator."""

    def stop(target):
        raise WorkflowError(f"{target} is left out: {reason}")

    return map(stop, [target])
