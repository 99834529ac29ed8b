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
include: "rules/interpret.smk"  # models -> saliency maps, and what they show
include: "rules/motifs.smk"  # ranked sequences -> motifs
include: "rules/benchmark.smk"  # shards -> times of training
include: "rules/figures.smk"  # -> figures and tables
include: "rules/report.smk"  # -> where they come from, and one page of all
include: "rules/score.smk"  # models -> predictions for sequences and variants of your own


# Each job has the code of its script, and of all that this imports, as a parameter.
snakemake_internals.give_code_to_jobs(workflow, fingerprint)
stop_if_an_input_is_an_output()


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


rule motifs:
    """Target: the motifs of every method, their matches, and the choice for Figure 5."""
    input:
        lambda wildcards: of_motifs("motifs.tsv"),


rule benchmark:
    """Target: Table 1, how long training takes here."""
    input:
        rules.table1.output.pdf,


rule beyond:
    """Target, not in the paper: motifs of the saliency maps, and motifs in random inserts."""
    input:
        rules.figure_modisco.output.pdf,
        rules.figure_insertion.output.pdf,


rule report:
    """Target: the page of the run, index.html, and where all comes from, provenance.json."""
    input:
        rules.index.output,
        rules.provenance.output,
