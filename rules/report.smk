# Needs: all figures and tables (figures.smk, benchmark.smk, motif_figures.smk), and what made them.
# Makes: provenance.json with where they come from, an RO-Crate, the config of the run, and last of
# all index.html, the page of the run. Says at the end of a run what it made, or what failed.


include: "helpers/report.smk"


from crmnet.report import summary

MADE = (*rules.figures.input, *rules.metrics.output)
# The table of each motif job that says what its engine was.
ENGINES = {}
if MOTIFS:
    ENGINES = {
        "discover": of_motifs("discover.tsv"),
        "drimust": of_motifs("drimust.tsv"),
        "gadem": of_motifs("gadem.tsv"),
        "match": of_motifs("matches.tsv"),
        "scan": rules.scan.output[0],
    }


onstart:
    if CONDA_IS_MISSING:
        raise WorkflowError(
            "each job is to have its own conda environment (`--sdm conda`, which the profiles of "
            "clusters set), and there is no conda on the PATH: load or install it, or add "
            "`--sdm env-modules` to take all programs from the PATH"
        )
    for figure, reason in LEFT_OUT.items():
        print(f"{figure} is left out: {reason}", file=sys.stderr)


onsuccess:
    model = run_conditions()["main_model"]
    print(f"\n{summary.summary(Path(OUT), model, label(model), LEFT_OUT)}", file=sys.stderr)


onerror:
    snakemake_internals.forget_lost_outputs(workflow)
    failed = snakemake_internals.failed_jobs(workflow)
    print(f"\n{summary.failure(failed)}", file=sys.stderr)


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
            lineage(MADE)[2] if snakemake_internals.uses_conda(workflow) else []
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
