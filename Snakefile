# CRMnet, from public downloads to the paper's figures and tables.
#
#   snakemake --profile profiles/demo            makes everything from simulated data in minutes
#   snakemake --profile profiles/local figure2   makes one figure and what it needs
from snakemake.utils import min_version

min_version("9.0")


include: "rules/common.smk"  # the config, and what all rules share
include: "rules/data.smk"  # downloads or simulation -> shards
include: "rules/train.smk"  # shards -> models
include: "rules/evaluate.smk"  # models -> predictions and metrics


if CROSS_VALIDATION:

    include: "rules/folds.smk"  # training tables -> models and predictions of each fold


if MOTIFS:

    include: "rules/motifs.smk"  # ranked sequences -> motifs
    include: "rules/interpret.smk"  # models -> saliency maps and their checks
    include: "rules/motif_figures.smk"  # motifs and maps -> figures


if BENCHMARK:

    include: "rules/benchmark.smk"  # shards -> training times


include: "rules/figures.smk"  # all of these -> the other figures and tables
include: "rules/report.smk"  # figures and tables -> provenance and the page of the run
include: "rules/rehearse.smk"  # nothing -> what a run needs, and what of it is ready


if SCORE:

    include: "rules/score.smk"  # models and your own sequences and variants -> predictions


include: "rules/left_out.smk"  # targets without a section in the config: an error that says why


rule all:
    """Target: everything. The page of the run is made last."""
    default_target: IS_DEFAULT
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
    """Target: the page of the run (index.html) and its provenance (provenance.json)."""
    input:
        rules.index.output,
        rules.provenance.output,


include: "rules/checks.smk"  # checks that need all rules
