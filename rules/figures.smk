# Predictions, metrics and manifests -> figures and tables. Each reads tidy tables and draws; beside
# each PDF lie the numbers in it.


rule figures:
    """Target: every figure and table."""
    input:
        f"{OUT}/figure1.pdf",
        expand(f"{OUT}/{{figure}}.pdf", figure=PLAN.figures),
        f"{OUT}/tableS1.md",
        f"{OUT}/claims.md",
        f"{OUT}/training_curves.pdf",
        [f"{OUT}/{figure}.pdf" for figure in MOTIF_FIGURES],
        f"{OUT}/table1.pdf" if config["benchmark"] else [],


rule figure1:
    """Figure 1: the architecture, drawn from the model object itself."""
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
    script:
        "../workflow/scripts/figure1.py"


rule figure2:
    """Figure 2: measured against predicted expression, first medium."""
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
    script:
        "../workflow/scripts/figure2.py"


use rule figure2 as figureS1 with:
    """Figure S1: measured against predicted expression, the other media."""
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


rule figure3:
    """Figure 3: CRMnet against other models, on every test set."""
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
    """Figure 4: CRMnet and the same model without pre-training (also with as many steps as
    pre-training and fine-tuning together), without one of its parts, or trained in half
    precision."""
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


rule figure5:
    """Figure 5: saliency maps beside the motifs of highly expressed promoters, and what these motifs do."""
    input:
        motifs=lambda wildcards: of_motifs("motifs.tsv"),
        jaspar=rules.jaspar.output[0],
        examples=lambda wildcards: of_motifs("examples.tsv"),
        effects=lambda wildcards: of_motifs("effects.tsv"),
    output:
        pdf=reported("figure5.pdf"),
        tsv=reported("figure5.tsv"),
    log:
        f"{LOGS}/figure5.log",
    benchmark:
        f"{BENCHMARKS}/figure5.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    script:
        "../workflow/scripts/figure5.py"


rule figureS2:
    """Figure S2: more examples of saliency maps."""
    input:
        jaspar=rules.jaspar.output[0],
        examples=lambda wildcards: of_motifs("examples.tsv"),
    output:
        pdf=reported("figureS2.pdf"),
        tsv=reported("figureS2.tsv"),
    log:
        f"{LOGS}/figureS2.log",
    benchmark:
        f"{BENCHMARKS}/figureS2.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    script:
        "../workflow/scripts/figureS2.py"


rule figure_sanity:
    """Sanity checks: do the saliency maps depend on the weights?"""
    input:
        sanity=lambda wildcards: motif_model("sanity"),
    output:
        pdf=reported("figure_sanity.pdf"),
        tsv=reported("figure_sanity.tsv"),
    log:
        f"{LOGS}/figure_sanity.log",
    benchmark:
        f"{BENCHMARKS}/figure_sanity.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    script:
        "../workflow/scripts/figure_sanity.py"


rule figure_truth:
    """Simulated data: what was planted, and what is found of it."""
    input:
        found=lambda wildcards: of_motifs("truth_motifs.tsv"),
        sites=lambda wildcards: of_motifs("truth_sites.tsv"),
        curve=lambda wildcards: of_motifs("truth_curve.tsv"),
    output:
        pdf=reported("figure_truth.pdf"),
        tsv=reported("figure_truth.tsv"),
    log:
        f"{LOGS}/figure_truth.log",
    benchmark:
        f"{BENCHMARKS}/figure_truth.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        threshold=lambda wildcards: MOTIFS["scan"]["threshold"],
    script:
        "../workflow/scripts/figure_truth.py"


rule figure_modisco:
    """Not in the paper: the motifs of the saliency maps themselves."""
    input:
        motifs=lambda wildcards: of_motifs("modisco.meme"),
        table=lambda wildcards: of_motifs("modisco.tsv"),
        matches=lambda wildcards: of_motifs("modisco_matches.tsv"),
    output:
        pdf=reported("figure_modisco.pdf"),
        tsv=reported("figure_modisco.tsv"),
    log:
        f"{LOGS}/figure_modisco.log",
    benchmark:
        f"{BENCHMARKS}/figure_modisco.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    script:
        "../workflow/scripts/figure_modisco.py"


rule figure_insertion:
    """Not in the paper: what the selected motifs do in random inserts."""
    input:
        insertion=lambda wildcards: of_motifs("insertion.tsv"),
    output:
        pdf=reported("figure_insertion.pdf"),
        tsv=reported("figure_insertion.tsv"),
    log:
        f"{LOGS}/figure_insertion.log",
    benchmark:
        f"{BENCHMARKS}/figure_insertion.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    script:
        "../workflow/scripts/figure_insertion.py"


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
    script:
        "../workflow/scripts/training_curves.py"


rule tableS1:
    """Table S1: sizes of all data sets, with the paper's beside ours."""
    input:
        manifests=expand(rules.shards.output.manifest, medium=MEDIA),
        test=[path for medium in MEDIA for path in paths(test_tables(medium).values())],
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
        test={medium: test_tables(medium) for medium in MEDIA},
        length=config["construct"]["length"],
    script:
        "../workflow/scripts/tableS1.py"


rule claims:
    """Every number of the paper, with ours beside it and a verdict."""
    input:
        paper=workflow.source_path("../config/paper.yaml"),
        metrics=rules.metrics.output.table,
        comparisons=[f"{OUT}/comparisons/{figure}.tsv" for figure in COMPARISONS],
        tableS1=rules.tableS1.output.tsv,
        figure1=rules.figure1.output.tsv,
        motifs=[of_motifs("motifs.tsv")] if MOTIFS else [],
        effects=[of_motifs("effects.tsv")] if MOTIFS else [],
        table1=[f"{OUT}/table1.tsv"] if config["benchmark"] else [],
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
