# Figures and tables -> where they come from.
import functools


@functools.cache
def lineage():
    """What makes the figures and tables, whether it is to run again or not: every file on the way
    to them, the benchmark files of the jobs, and their environments."""
    todo = [*rules.figures.input, *rules.metrics.output]
    files, benchmarks, environments = set(), set(), set()
    while todo:
        file = str(todo.pop())
        if file in files:
            continue
        files.add(file)
        maker = next((each for each in workflow.rules if each.is_producer(file)), None)
        if maker:
            wildcards = maker.get_wildcards(file)
            todo += maker.expand_input(wildcards)[0]
            benchmarks.add(str(maker.expand_benchmark(wildcards)))
            environments.add(Path(maker.conda_env).name)
    return files, sorted(benchmarks), sorted(environments)


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


# The workflow, the config, the data, software, hardware and jobs behind all figures and tables.
rule provenance:
    input:
        results=[*rules.figures.input, *rules.metrics.output],
        # Those of the config's files that were used.
        files=lambda wildcards: [
            path
            for path in dict.fromkeys(paths(configuration.files(config)))
            if path in lineage()[0]
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
        outdir=OUT,
        config=config,
        urls={path: file["file"] for path, file in DOWNLOADS.items()},
        engines=list(ENGINES),
        folder=BENCHMARKS,
        benchmarks=lambda wildcards: lineage()[1],
        environments=lambda wildcards: (
            lineage()[2] if DeploymentMethod.CONDA in DEPLOYMENT else []
        ),
    script:
        "../workflow/scripts/provenance.py"
