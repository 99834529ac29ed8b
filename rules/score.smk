# Needs: a trained model of each medium (train.smk), and the sequences and variants that the section
# `score` of the config names.
# Makes: predictions, variant effects, saliency maps and a figure, under score/. These rules exist
# only if the config has the section `score`, and they run only for the target `score`.


include: "helpers/score.smk"


# The checked inputs and the requested results: name of the output -> file.
CHECKED = {"sequences": f"{OUT}/score/input/sequences.tsv.gz"}
if SCORE["variants"]:
    CHECKED["variants"] = f"{OUT}/score/input/variants.tsv.gz"
REQUESTED = {
    "predictions": True,
    "variants": SCORE["variants"],
    "saliency": SCORE["saliency"],
    "maps": SCORE["saliency"],
}
SCORED = {name: f"{OUT}/score/{file}" for name, file in plan.SCORES.items() if REQUESTED[name]}


SCORE_MEDIA = [SCORE["medium"]] if SCORE["medium"] else MEDIA


rule score:
    """Target: predictions for your own sequences and variants (`score` in the config)."""
    input:
        [*SCORED.values(), f"{OUT}/score/figure_score.pdf"],


rule score_input:
    """Your sequences in the construct and your variants, checked."""
    input:
        tables=list(PLAN.scored_files().values()),
    output:
        **CHECKED,
        refused=f"{OUT}/score/refused.tsv",
    log:
        f"{LOGS}/score_input.log",
    benchmark:
        f"{BENCHMARKS}/score_input.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=of_tables(1000, per_mb=40),
        runtime=of_tables(30, per_mb=1),
    params:
        sequences=SCORE["sequences"],
        variants=SCORE["variants"],
        on_bad_rows=SCORE["on_bad_rows"],
        construct=config["construct"],
    script:
        "../workflow/scripts/score_input.py"


rule score_predictions:
    """Predictions, variant effects and saliency maps of your sequences."""
    input:
        **CHECKED,
        models=lambda wildcards: scoring_models(),
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
    """Saliency maps of the first sequences and their variants, with all predictions and effects."""
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
        expression=EXPRESSION,
    script:
        "../workflow/scripts/figure_score.py"
