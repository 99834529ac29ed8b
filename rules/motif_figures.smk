# Needs: the tables of the motif jobs and of the interpretation (motifs.smk, interpret.smk).
# Makes: the motif figures, each as a PDF with its numbers in a TSV beside it. These rules exist
# only if the config has the section `motifs`.


rule beyond:
    """Target: two figures that the paper does not have, figure_modisco and figure_insertion."""
    input:
        f"{OUT}/figure_modisco.pdf",
        f"{OUT}/figure_insertion.pdf",


rule figure5:
    """Figure 5: saliency maps, the motifs of highly expressed promoters, and their effects."""
    input:
        motifs=of_motifs("motifs.tsv"),
        scanned=SCANNED,
        examples=of_motifs("examples.tsv"),
        effects=of_motifs("effects.tsv"),
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
    params:
        **similarity(),
        sites=MOTIFS["scan"]["motifs"],
        expression=EXPRESSION,
        map=BESIDE["method"],
    script:
        "../workflow/scripts/figure5.py"


rule figureS2:
    """Figure S2: more examples of saliency maps."""
    input:
        motifs=of_motifs("motifs.tsv"),
        scanned=SCANNED,
        examples=of_motifs("examples.tsv"),
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
    params:
        **similarity(),
    script:
        "../workflow/scripts/figureS2.py"


rule figure_sanity:
    """Sanity checks: do the saliency maps depend on the weights?"""
    input:
        sanity=lambda wildcards: f"{MAPS}.sanity.tsv",
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
    """Simulated data: planted motifs and sites against those found."""
    input:
        found=lambda wildcards: of_truth("truth_motifs.tsv"),
        sites=lambda wildcards: of_truth("truth_sites.tsv"),
        curve=lambda wildcards: of_truth("truth_curve.tsv"),
        maps=lambda wildcards: of_truth("truth_maps.tsv"),
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
        threshold=MOTIFS["scan"]["threshold"],
        map=BESIDE["method"],
    script:
        "../workflow/scripts/figure_truth.py"


rule figure_modisco:
    """Motifs that TF-MoDISco finds in the saliency maps (not in the paper)."""
    input:
        motifs=of_motifs("modisco.meme"),
        table=of_motifs("modisco.tsv"),
        matches=of_motifs("modisco_matches.tsv"),
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
    params:
        **similarity(),
        expression=EXPRESSION,
    script:
        "../workflow/scripts/figure_modisco.py"


rule figure_insertion:
    """Effects of the selected motifs in random inserts (not in the paper)."""
    input:
        insertion=of_motifs("insertion.tsv"),
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
    params:
        expression=EXPRESSION,
    script:
        "../workflow/scripts/figure_insertion.py"
