# CRMnet, from public downloads to the paper's figures and tables.
#
#   snakemake --profile profiles/demo                 everything, simulated data, minutes
#   snakemake --profile profiles/local figure2        one figure, and what it needs
#
# rules/data.smk       downloads or simulation -> shards
# rules/train.smk      shards -> models; benchmark.smk: how long that takes
# rules/evaluate.smk   models -> predictions and metrics
# rules/interpret.smk  models -> saliency maps, and what they show
# rules/motifs.smk     ranked sequences -> motifs
# rules/figures.smk    -> figures and tables
# rules/score.smk      models -> predictions for sequences and variants of your own
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


configfile: Path(workflow.basedir, "config", "config.yaml")


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/interpret.smk"
include: "rules/motifs.smk"
include: "rules/benchmark.smk"
include: "rules/figures.smk"
include: "rules/score.smk"


localrules:
    all,
    figures,
    models,
    data,
    motifs,
    benchmark,
    beyond,


# Every figure and table.
rule all:
    default_target: True
    input:
        rules.figures.input,
        rules.metrics.output,


# The shards of every medium.
rule data:
    input:
        expand(rules.shards.output.manifest, medium=MEDIA),


# Every trained model.
rule models:
    input:
        [f"{OUT}/models/{training}.keras" for training in TRAININGS],


# Every motif table.
rule motifs:
    input:
        of_motifs("motifs.tsv") if MOTIFS else [],


# Table 1: how long training takes here.
rule benchmark:
    input:
        f"{OUT}/table1.pdf" if config["benchmark"] else [],


# What the paper does not have: motifs of the saliency maps, and motifs in random inserts.
rule beyond:
    input:
        [f"{OUT}/figure_{name}.pdf" for name in ("modisco", "insertion") if MOTIFS],
