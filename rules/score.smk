# Trained models, sequences and variants of one's own -> predictions, effects, saliency maps.


rule score:
    """Target: predictions for sequences and variants of your own (`score` in the config)."""
    input:
        scored,


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
        sequences=lambda wildcards: SCORE["sequences"],
        variants=lambda wildcards: SCORE["variants"],
        construct=config["construct"],
    script:
        "../workflow/scripts/score_input.py"


rule score_predictions:
    """Their predictions, effects and saliency maps."""
    input:
        **CHECKED,
        models=lambda wildcards: [score_model(medium) for medium in score_media()],
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
        architecture_code=lambda wildcards: architecture_code(SCORE["model"]),
        media=lambda wildcards: score_media(),
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
        saturated=lambda wildcards: SCORE["variants"] == "all",
        labels=lambda wildcards: {medium: medium_label(medium) for medium in score_media()},
    script:
        "../workflow/scripts/figure_score.py"
