# CRMnet, from public downloads to the paper's figures and tables.
#
#   snakemake --profile profiles/demo                 everything, simulated data, minutes
#   snakemake --profile profiles/local figure2        one figure, and what it needs
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


configfile: Path(workflow.basedir, "config", "config.yaml")


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/data.smk"  # downloads or simulation -> shards
include: "rules/train.smk"  # shards -> models
include: "rules/evaluate.smk"  # models -> predictions and metrics


if MOTIFS:

    include: "rules/motifs.smk"  # ranked sequences -> motifs
    include: "rules/interpret.smk"  # models -> saliency maps, and what they show
    include: "rules/motif_figures.smk"  # motifs and maps -> figures


if BENCHMARK:

    include: "rules/benchmark.smk"  # shards -> times of training


include: "rules/figures.smk"  # -> figures and tables


include: "rules/report.smk"  # -> where they come from, and one page of all


if SCORE:

    include: "rules/score.smk"  # models -> predictions for your own sequences and variants


include: "rules/left_out.smk"  # what the config has no section for: a sentence


rule all:
    """Target: everything; last of all the page of it."""
    default_target: True
    input:
        rules.index.output,


rule data:
    """Target: the training data of every medium, as shards."""
    input:
        expand(rules.shards.output.manifest, medium=MEDIA),


rule models:
    """Target: every trained model."""
    input:
        [f"{OUT}/models/{training}.keras" for training in TRAININGS],


rule report:
    """Target: the page of the run, index.html, and where all comes from, provenance.json."""
    input:
        rules.index.output,
        rules.provenance.output,


include: "rules/checks.smk"  # of all rules
