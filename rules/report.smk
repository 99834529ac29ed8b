# Figures and tables -> where they come from.

MADE = (*rules.figures.input, *rules.metrics.output)
# The table of each motif job that says what its engine was.
ENGINES = {}
if MOTIFS:
    ENGINES = {
        "discover": of_motifs("meme.tsv"),
        "drimust": of_motifs("drimust.tsv"),
        "gadem": of_motifs("gadem.tsv"),
        "match": of_motifs("matches.tsv"),
        "scan": rules.scan.output[0],
    }


rule provenance:
    """Where all figures and tables come from: commit, config, data, software, hardware, jobs."""
    input:
        results=MADE,
        # Those of the config's files that were used.
        files=lambda wildcards: [
            path
            for path in dict.fromkeys(paths(configuration.files(config)))
            if path in lineage(MADE)[0]
        ],
        engines=list(ENGINES.values()),
        lib=lib("logs", "provenance"),
    output:
        json=f"{OUT}/provenance.json",
        config=f"{OUT}/config.yaml",
        crate=f"{OUT}/ro-crate-metadata.json",
    log:
        f"{LOGS}/provenance.log",
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500),
        runtime=grows(10, per_mb=0.005),
    params:
        config=config,
        urls={path: file["file"] for path, file in DOWNLOADS.items()},
        engines=list(ENGINES),
        folder=lambda wildcards: BENCHMARKS,
        benchmarks=lambda wildcards: lineage(MADE)[1],
        environments=lambda wildcards: (
            lineage(MADE)[2] if DeploymentMethod.CONDA in DEPLOYMENT else []
        ),
    script:
        "../workflow/scripts/provenance.py"
