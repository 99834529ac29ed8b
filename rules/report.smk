# Needs: all figures and tables (figures.smk, benchmark.smk, motif_figures.smk) and the files that
# they were made from.
# Makes: provenance.json, an RO-Crate, the config of the run, and last of all the page of the run
# (index.html). At the end of a run it prints what the run made or which jobs failed.


include: "helpers/report.smk"


from crmnet.report import summary

MADE = (*rules.figures.input, *rules.metrics.output)
# The table of each motif job that names its engine.
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
    if CONDA_IS_MISSING and not is_rehearsal():
        raise WorkflowError(
            "`--sdm conda` (set by the cluster profiles) runs each job in a conda environment, but "
            "conda is not on the PATH: load or install conda, or add `--sdm env-modules` to take "
            "all programs from the PATH"
        )
    snakemake_internals.sign_locks(workflow)
    for figure, reason in LEFT_OUT.items() if not is_rehearsal() else ():
        print(f"{figure} is left out: {reason}", file=sys.stderr)


onsuccess:
    if not is_rehearsal():
        model = run_conditions()["main_model"]
        text = summary.summary(Path(OUT), model, label(model), LEFT_OUT, medium_label)
        print(f"\n{text}", file=sys.stderr)


onerror:
    if not is_rehearsal():
        snakemake_internals.forget_lost_outputs(workflow)
        failed = snakemake_internals.failed_jobs(workflow)
        print(f"\n{summary.failure(failed)}", file=sys.stderr)


rule provenance:
    """The origin of all figures and tables: commit, config, data, software, hardware and jobs."""
    input:
        results=MADE,
        # Only the files of the config that the results depend on.
        files=lambda wildcards: [
            path for path in dict.fromkeys(PLAN.files) if path in lineage(MADE)[0]
        ],
        engines=list(ENGINES.values()),
    output:
        json=reported("provenance.json"),
        # `update` keeps the old file until the new one is written: a run may be started from it.
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


# The page shows each file that is in the report and that this run makes, in the paper's order.
PAGE = {Path(path).stem for path in rules.figures.input} | {"metrics"}
# An importing workflow may take only some of the rules.
PAGE = [name for name in REPORTED if name in PAGE and rules.has(name)]
PAGE = {name: list(map(str, getattr(rules, name).output)) for name in PAGE}
if MOTIFS:
    PAGE["motifs"] = [of_motifs("motifs.tsv")]


rule index:
    """The page of the run, one file that needs no others. It is made last."""
    input:
        shown=[path for paths in PAGE.values() for path in paths],
        # All tables that the results were made from.
        tables=lambda wildcards: [
            path for path in lineage(MADE)[3] if path.endswith((".tsv", ".tsv.gz"))
        ],
        provenance=rules.provenance.output,
        paper=workflow.source_path("../config/paper.yaml"),
        template=workflow.source_path("../workflow/report/index.html.j2"),
        # Parts of the template.
        parts=[
            workflow.source_path("../workflow/report/page.css"),
            workflow.source_path("../workflow/report/table.html.j2"),
        ],
        captions=[workflow.source_path(f"../workflow/report/{name}.rst") for name in PAGE],
    output:
        # It is not in Snakemake's report, because browsers do not show a page above 2 MB there.
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
