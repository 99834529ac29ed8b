# Needs: predictions, metrics and comparisons (evaluate.smk), histories of trainings (train.smk),
# manifests of shards (data.smk), and the tables of the motif jobs and the benchmark, if any.
# Makes: each figure as a PDF with its numbers in a TSV beside it, Table S1, and the paper's claims
# with this run's numbers. The rules only read tables and draw: a change of a figure trains nothing.


include: "helpers/figures.smk"


rule figures:
    """Target: every figure and table."""
    input:
        f"{OUT}/figure1.pdf",
        expand(f"{OUT}/{{figure}}.pdf", figure=PLAN.figures),
        f"{OUT}/tableS1.md",
        f"{OUT}/claims.md",
        f"{OUT}/training_curves.pdf",
        [f"{OUT}/{figure}.pdf" for figure in (MOTIF_FIGURES if MOTIFS else [])],
        f"{OUT}/table1.pdf" if BENCHMARK else [],
        f"{OUT}/figure_cross_validation.pdf" if CROSS_VALIDATION else [],


rule figure1:
    """Figure 1: the architecture, drawn from the model object."""
    output:
        pdf=reported("figure1.pdf"),
        tsv=reported("figure1.tsv"),
    log:
        f"{LOGS}/figure1.log",
    benchmark:
        f"{BENCHMARKS}/figure1.tsv"
    conda:
        "../envs/train-cpu.yaml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        model=config["model"],
        length=config["construct"]["length"],
        expression=EXPRESSION,
    script:
        "../workflow/scripts/figure1.py"


rule figure2:
    """Figure 2: measured and predicted expression in the first medium."""
    input:
        predictions=lambda wildcards: scatter_input("predictions", "figure2"),
        metrics=lambda wildcards: scatter_input("metrics", "figure2"),
        seeds=lambda wildcards: scatter_input("metrics", "figure2", ".seeds.tsv"),
    output:
        pdf=reported("figure2.pdf"),
        tsv=reported("figure2.tsv"),
    log:
        f"{LOGS}/figure2.log",
    benchmark:
        f"{BENCHMARKS}/figure2.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        panels=lambda wildcards: panels("figure2"),
        expression=EXPRESSION,
    script:
        "../workflow/scripts/figure2.py"


use rule figure2 as figureS1 with:
    """Figure S1: measured and predicted expression in the other media."""
    input:
        predictions=lambda wildcards: scatter_input("predictions", "figureS1"),
        metrics=lambda wildcards: scatter_input("metrics", "figureS1"),
        seeds=lambda wildcards: scatter_input("metrics", "figureS1", ".seeds.tsv"),
    output:
        pdf=reported("figureS1.pdf"),
        tsv=reported("figureS1.tsv"),
    log:
        f"{LOGS}/figureS1.log",
    benchmark:
        f"{BENCHMARKS}/figureS1.tsv"
    params:
        panels=lambda wildcards: panels("figureS1"),
        expression=EXPRESSION,


rule figure3:
    """Figure 3: CRMnet compared with other models on every test set."""
    input:
        metrics=lambda wildcards: of_figure(rules.evaluate.output.table, "figure3"),
        seeds=lambda wildcards: of_figure(rules.evaluate.output.seeds, "figure3"),
        comparisons=f"{OUT}/comparisons/figure3.tsv",
    output:
        pdf=reported("figure3.pdf"),
        tsv=reported("figure3.tsv"),
    log:
        f"{LOGS}/figure3.log",
    benchmark:
        f"{BENCHMARKS}/figure3.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        model=lambda wildcards: config["figures"]["figure3"]["model"],
        models=lambda wildcards: shown("figure3"),
        labels={predictor: label(predictor) for predictor in PREDICTORS},
        panels=lambda wildcards: panels("figure3"),
    script:
        "../workflow/scripts/figure3.py"


use rule figure3 as figure4 with:
    """Figure 4: ablations. CRMnet is compared with the same model without pre-training, without one
    of its parts, or trained in half precision."""
    input:
        metrics=lambda wildcards: of_figure(rules.evaluate.output.table, "figure4"),
        seeds=lambda wildcards: of_figure(rules.evaluate.output.seeds, "figure4"),
        comparisons=f"{OUT}/comparisons/figure4.tsv",
    output:
        pdf=reported("figure4.pdf"),
        tsv=reported("figure4.tsv"),
    log:
        f"{LOGS}/figure4.log",
    benchmark:
        f"{BENCHMARKS}/figure4.tsv"
    params:
        model=lambda wildcards: config["figures"]["figure4"]["model"],
        models=lambda wildcards: shown("figure4"),
        labels={predictor: label(predictor) for predictor in PREDICTORS},
        panels=lambda wildcards: panels("figure4"),


rule training_curves:
    """Loss and validation R2 of every training, epoch by epoch."""
    input:
        histories=[f"{OUT}/models/{training}.history.tsv" for training in TRAININGS],
    output:
        pdf=reported("training_curves.pdf"),
        tsv=reported("training_curves.tsv"),
    log:
        f"{LOGS}/training_curves.log",
    benchmark:
        f"{BENCHMARKS}/training_curves.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        names=TRAININGS,
        labels={model: label(model) for model in MODELS},
        stages={medium: medium_label(medium) for medium in MEDIA},
    script:
        "../workflow/scripts/training_curves.py"


rule tableS1:
    """Table S1: sizes of all data sets, beside the paper's."""
    input:
        manifests=expand(rules.shards.output.manifest, medium=MEDIA),
        paper=workflow.source_path("../config/paper.yaml"),
    output:
        tsv=reported("tableS1.tsv"),
        md=reported("tableS1.md"),
    log:
        f"{LOGS}/tableS1.log",
    benchmark:
        f"{BENCHMARKS}/tableS1.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        test_sets={medium: list(config["media"][medium]["test"]) for medium in MEDIA},
    script:
        "../workflow/scripts/tableS1.py"


rule claims:
    """Every claim of the paper with our number and a verdict."""
    input:
        paper=workflow.source_path("../config/paper.yaml"),
        metrics=rules.metrics.output.table,
        comparisons=[f"{OUT}/comparisons/{figure}.tsv" for figure in COMPARISONS],
        tableS1=rules.tableS1.output.tsv,
        figure1=rules.figure1.output.tsv,
        motifs=[of_motifs("motifs.tsv")] if MOTIFS else [],
        effects=[of_motifs("effects.tsv")] if MOTIFS else [],
        table1=[f"{OUT}/table1.tsv"] if BENCHMARK else [],
    output:
        tsv=reported("claims.tsv"),
        md=reported("claims.md"),
    log:
        f"{LOGS}/claims.log",
    benchmark:
        f"{BENCHMARKS}/claims.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        run=run_conditions(),
    script:
        "../workflow/scripts/claims.py"
