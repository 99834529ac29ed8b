# Needs: trained models (train.smk), test sets and their families (data.smk), and published
# predictions.
# Makes: predictions/ and metrics/ for each model, each ensemble and the published predictions;
# comparisons/ between the models of a figure; and metrics.tsv with all metrics.


include: "helpers/evaluate.smk"


# The figures that compare models.
COMPARISONS = [name for name in ("figure3", "figure4") if name in PLAN.figures]


rule predict:
    """Predicted expression of every test sequence of a medium, by each training of a model."""
    input:
        models=lambda wildcards: trained_models(wildcards.model, wildcards.medium).values(),
        test=lambda wildcards: paths(predicted_sets(wildcards).values()),
    output:
        f"{OUT}/predictions/{{model}}/{{medium}}.tsv",
    log:
        f"{LOGS}/predict/{{model}}/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/predict/{{model}}/{{medium}}.tsv"
    conda:
        TRAINING_ENV
    threads: config["training"]["threads"]
    resources:
        **accelerators(1),
        mem_mb=grows(8000),
        runtime=grows(30),
    params:
        architecture_code=lambda wildcards: architecture_code(wildcards.model),
        test=predicted_sets,
        names=lambda wildcards: list(trained_models(wildcards.model, wildcards.medium)),
        hardware=PLAN.hardware(),
        construct=config["construct"],
    script:
        "../workflow/scripts/predict.py"


rule ensemble:
    """The mean of the predictions of a model's trainings, as another predictor."""
    input:
        f"{OUT}/predictions/{{model}}/{{medium}}.tsv",
    output:
        f"{OUT}/predictions/{plan.ENSEMBLE.format(model='{model}')}/{{medium}}.tsv",
    log:
        f"{LOGS}/ensemble/{{model}}/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/ensemble/{{model}}/{{medium}}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500, per_mb=20),
        runtime=grows(10),
    script:
        "../workflow/scripts/ensemble.py"


rule published:
    """Published predictions, in the order of the test sequences."""
    input:
        tables=lambda wildcards: [
            path for pair in published_sets(wildcards).values() for path in paths(pair)
        ],
    output:
        f"{OUT}/predictions/{plan.PUBLISHED.format(model='{model}')}/{{medium}}.tsv",
    log:
        f"{LOGS}/published/{{model}}/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/published/{{model}}/{{medium}}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    params:
        test=published_sets,
        length=config["construct"]["length"],
    script:
        "../workflow/scripts/published.py"


rule evaluate:
    """Metrics of one model in one medium with 95 % intervals, and a check that it has learned."""
    input:
        predictions=f"{OUT}/predictions/{{predictor}}/{{medium}}.tsv",
        families=rules.families.output[0],
        histories=lambda wildcards: history_files(wildcards.predictor, wildcards.medium),
    output:
        table=f"{OUT}/metrics/{{predictor}}/{{medium}}.tsv",
        seeds=f"{OUT}/metrics/{{predictor}}/{{medium}}.seeds.tsv",
    log:
        f"{LOGS}/evaluate/{{predictor}}/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate/{{predictor}}/{{medium}}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500, per_mb=50),
        runtime=grows(10, per_mb=0.5),
    params:
        replicates=config["evaluation"]["replicates"],
        seed=config["seed"],
    script:
        "../workflow/scripts/evaluate.py"


rule compare:
    """Paired comparison of the main model of Figure 3 or 4 with each other model."""
    input:
        predictions=lambda wildcards: of_figure(
            f"{OUT}/predictions/{{predictor}}/{{medium}}.tsv", wildcards.figure
        ),
        families=lambda wildcards: [
            rules.families.output[0].format(medium=medium)
            for medium in PLAN.figure_media(wildcards.figure)
        ],
    output:
        f"{OUT}/comparisons/{{figure}}.tsv",
    log:
        f"{LOGS}/compare/{{figure}}.log",
    benchmark:
        f"{BENCHMARKS}/compare/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(COMPARISONS),
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500, per_mb=20),
        runtime=grows(15, per_mb=0.5),
    params:
        model=lambda wildcards: config["figures"][wildcards.figure]["model"],
        against=lambda wildcards: shown(wildcards.figure)[1:],
        tables=lambda wildcards: pairs(wildcards.figure),
        media=lambda wildcards: PLAN.figure_media(wildcards.figure),
        replicates=config["evaluation"]["replicates"],
        seed=config["seed"],
    script:
        "../workflow/scripts/compare.py"


rule metrics:
    """One table of all metrics, which the rule `evaluate` computes, and one of each training's."""
    input:
        tables=of_all(rules.evaluate.output.table),
        seeds=of_all(rules.evaluate.output.seeds),
    output:
        table=reported("metrics.tsv"),
        seeds=f"{OUT}/metrics_by_seed.tsv",
    log:
        f"{LOGS}/metrics.log",
    benchmark:
        f"{BENCHMARKS}/metrics.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500),
        runtime=grows(10),
    script:
        "../workflow/scripts/metrics.py"
