# Needs: a trained model of each medium (train.smk), and the sequences and variants that the section
# `score` of the config names.
# Makes: under score/ their predictions, the effects of the variants, saliency maps, and a figure.
# Only where the config has `score`, and only when asked for.


include: "helpers/score.smk"


SCORE_TABLES = [table for table in SCORE.values() if isinstance(table, dict) and "file" in table]
# What is checked, and what the section asks for: name of the output -> file.
CHECKED = {"sequences": f"{OUT}/score/input/sequences.tsv.gz"}
SCORED = {"predictions": f"{OUT}/score/predictions.tsv"}
if SCORE["variants"]:
    CHECKED["variants"] = f"{OUT}/score/input/variants.tsv.gz"
    SCORED["variants"] = f"{OUT}/score/variants.tsv"
if SCORE["saliency"]:
    SCORED |= {"saliency": f"{OUT}/score/saliency.tsv", "maps": f"{OUT}/score/saliency.npz"}


SCORE_MEDIA = [SCORE["medium"]] if SCORE["medium"] else MEDIA


rule score:
    """Target: predictions for sequences and variants of your own (`score` in the config)."""
    input:
        [*SCORED.values(), f"{OUT}/score/figure_score.pdf"],


rule score_input:
    """The sequences in the construct, and the variants; an error where they cannot be scored."""
    input:
        tables=[table["file"] for table in SCORE_TABLES],
    output:
        **CHECKED,
    log:
        f"{LOGS}/score_input.log",
    benchmark:
        f"{BENCHMARKS}/score_input.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000, per_mb=20),
        runtime=grows(30, per_mb=1),
    params:
        sequences=SCORE["sequences"],
        variants=SCORE["variants"],
        construct=config["construct"],
    script:
        "../workflow/scripts/score_input.py"


rule score_predictions:
    """Their predictions, effects and saliency maps."""
    input:
        **CHECKED,
        models=lambda wildcards: [score_model(medium) for medium in SCORE_MEDIA],
    output:
        **SCORED,
    log:
        f"{LOGS}/score_predictions.log",
    benchmark:
        f"{BENCHMARKS}/score_predictions.tsv"
    conda:
        TRAINING_ENV
    threads: config["training"]["threads"]
    resources:
        **accelerators(1),
        mem_mb=grows(8000),
        runtime=grows(240),
    params:
        architecture_code=architecture_code(SCORE["model"]),
        media=SCORE_MEDIA,
        hardware=PLAN.hardware(),
        construct=config["construct"],
    script:
        "../workflow/scripts/score_predictions.py"


rule figure_score:
    """Saliency maps of the first sequences, with their variants; predictions and effects of all."""
    input:
        **{name: path for name, path in SCORED.items() if name != "maps"},
    output:
        pdf=f"{OUT}/score/figure_score.pdf",
        tsv=f"{OUT}/score/figure_score.tsv",
    log:
        f"{LOGS}/figure_score.log",
    benchmark:
        f"{BENCHMARKS}/figure_score.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(2000, per_mb=5),
        runtime=grows(15),
    params:
        saturated=SCORE["variants"] == "all",
        labels={medium: medium_label(medium) for medium in SCORE_MEDIA},
    script:
        "../workflow/scripts/figure_score.py"
