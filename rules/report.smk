# Figures and tables -> where they come from, and one page of all.

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
            path for path in dict.fromkeys(PLAN.files) if path in lineage(MADE)[0]
        ],
        engines=list(ENGINES.values()),
    output:
        json=reported("provenance.json"),
        # A run that is started from this file reads it until then.
        config=update(f"{OUT}/config.yaml"),
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
        written=lambda wildcards: configuration.overlay(config),
        urls={path: file["file"] for path, file in DOWNLOADS.items()},
        engines=list(ENGINES),
        folder=lambda wildcards: BENCHMARKS,
        benchmarks=lambda wildcards: lineage(MADE)[1],
        environments=lambda wildcards: (
            lineage(MADE)[2] if DeploymentMethod.CONDA in DEPLOYMENT else []
        ),
    script:
        "../workflow/scripts/provenance.py"


# What the page shows: each file that reports show and the run makes, in the paper's order.
PAGE = {Path(path).stem for path in rules.figures.input} | {"metrics"}
PAGE = {name: list(map(str, getattr(rules, name).output)) for name in REPORTED if name in PAGE}
if MOTIFS:
    PAGE["motifs"] = [of_motifs("motifs.tsv")]


rule index:
    """The page of the run, in one file that needs no other: made last."""
    input:
        shown=[path for paths in PAGE.values() for path in paths],
        # Every table on the way.
        tables=lambda wildcards: [
            path for path in lineage(MADE)[3] if path.endswith((".tsv", ".tsv.gz"))
        ],
        provenance=rules.provenance.output,
        paper=workflow.source_path("../config/paper.yaml"),
        template=workflow.source_path("../workflow/report/index.html.j2"),
        captions=[workflow.source_path(f"../workflow/report/{name}.rst") for name in PAGE],
    output:
        # Not in Snakemake's report, in which browsers show no page above 2 MB.
        f"{OUT}/index.html",
    log:
        f"{LOGS}/index.log",
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        shown={name: [*REPORTED[name], paths] for name, paths in PAGE.items()},
        left_out=LEFT_OUT,
        run=run_conditions(),
        label=label(run_conditions()["main_model"]),
    script:
        "../workflow/scripts/index.py"
