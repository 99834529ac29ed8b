# Needs: nothing.
# Makes: under rehearsal/ a page and tables that say whether a run of this config with this profile
# would come through, and what it would cost. The jobs run on the queues, in the environments and on
# the disks of the run itself, and no result of the run depends on them.
import json
import time

REHEARSAL = f"{OUT}/rehearsal"


include: "helpers/rehearse.smk"


# Each job of the rehearsal, by the name of its log -> the file that it makes, and its environment.
REHEARSED = {
    "rehearse_downloads": [f"{REHEARSAL}/downloads.json", "analysis"],
    "rehearse_training": [f"{REHEARSAL}/training.json", Path(TRAINING_ENV).stem],
}


rule rehearse:
    """Target: a rehearsal of the run: what is ready, what is not, and what the run would cost."""
    input:
        table=f"{REHEARSAL}/findings.tsv",
        page=f"{REHEARSAL}/index.html",
    log:
        f"{LOGS}/rehearse.log",
    retries: 0
    localrule: True
    conda:
        of_snakemake
    script:
        "../workflow/scripts/rehearse.py"


rule rehearsal:
    """The page of a rehearsal. This job starts those below by the command of the user."""
    input:
        template=workflow.source_path("../workflow/report/rehearsal.html.j2"),
        # Parts of the template.
        parts=[
            workflow.source_path("../workflow/report/page.css"),
            workflow.source_path("../workflow/report/table.html.j2"),
        ],
    output:
        table=f"{REHEARSAL}/findings.tsv",
        trainings=f"{REHEARSAL}/trainings.tsv",
        page=f"{REHEARSAL}/index.html",
    log:
        f"{LOGS}/rehearsal.log",
        jobs=f"{LOGS}/rehearsal.jobs.log",
    retries: 0
    localrule: True
    conda:
        of_snakemake
    params:
        # The time differs in each run, so each rehearsal begins anew.
        started=lambda wildcards: time.time(),
        command=lambda wildcards: command_of_rehearsal(),
        started_in=lambda wildcards: str(snakemake_internals.started_in()),
        jobs=lambda wildcards: rehearsed_jobs(),
        disk=f"{REHEARSAL}/disk.json",
        logs=LOGS,
        engine=MOTIFS and MOTIFS["engine"],
        conda=snakemake_internals.uses_conda(workflow),
        conda_is_missing=CONDA_IS_MISSING,
        minutes=lambda wildcards: training_minutes(),
        config=config,
    script:
        "../workflow/scripts/rehearsal.py"


rule rehearse_environment:
    """Whether an environment has what the scripts of its rules import."""
    output:
        f"{REHEARSAL}/environments/{{environment}}.json",
    log:
        f"{LOGS}/rehearse_environment/{{environment}}.log",
    benchmark:
        f"{BENCHMARKS}/rehearse_environment/{{environment}}.tsv"
    wildcard_constraints:
        environment="[a-z-]+",
    conda:
        "../envs/{environment}.yaml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        environment=lambda wildcards: wildcards.environment,
        dependencies=lambda wildcards: dependencies_of(wildcards.environment),
        scripts=lambda wildcards: scripts_of(wildcards.environment),
        conda=snakemake_internals.uses_conda(workflow),
    script:
        "../workflow/scripts/rehearse_environment.py"


rule rehearse_downloads:
    """Whether each file of the config is there, or its URL answers, and how its table begins."""
    output:
        f"{REHEARSAL}/downloads.json",
    log:
        f"{LOGS}/rehearse_downloads.log",
    benchmark:
        f"{BENCHMARKS}/rehearse_downloads.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        downloads=1,
        mem_mb=grows(500),
        runtime=grows(30),
    params:
        files=lambda wildcards: rehearsed_files(),
        mirror=config["mirror"],
    script:
        "../workflow/scripts/rehearse_downloads.py"


rule rehearse_training:
    """Whether a training has its devices, and how long a step of each model takes."""
    output:
        f"{REHEARSAL}/training.json",
    log:
        f"{LOGS}/rehearse_training.log",
    benchmark:
        f"{BENCHMARKS}/rehearse_training.tsv"
    conda:
        TRAINING_ENV
    # Other jobs beside it would change its times.
    threads: alone
    resources:
        **accelerators(config["training"]["devices"] or 1),
        mem_mb=grows(config["training"]["mem_mb"]),
        runtime=grows(60),
    params:
        environment=Path(TRAINING_ENV).stem,
        dependencies=lambda wildcards: dependencies_of(Path(TRAINING_ENV).stem),
        scripts=lambda wildcards: scripts_of(Path(TRAINING_ENV).stem),
        conda=snakemake_internals.uses_conda(workflow),
        hardware={key: config["training"][key] for key in ("backend", "device", "devices", "hosts")},
        threads=config["training"]["threads"],
        steps=lambda wildcards: training_steps(),
        length=config["construct"]["length"],
    script:
        "../workflow/scripts/rehearse_training.py"


rule rehearse_disk:
    """Whether a file that another machine has written is seen on a machine that runs jobs."""
    output:
        f"{REHEARSAL}/disk.json",
    log:
        f"{LOGS}/rehearse_disk.log",
    benchmark:
        f"{BENCHMARKS}/rehearse_disk.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(500),
        runtime=grows(10),
    params:
        # The rehearsal writes it: which machine has written which file.
        written=f"{REHEARSAL}/written.json",
    script:
        "../workflow/scripts/rehearse_disk.py"


if MOTIFS:
    # The motif jobs themselves, on a few sequences that the rehearsal writes.
    TRIAL = f"{REHEARSAL}/motifs"
    REHEARSED |= {
        "rehearse_discover": [f"{TRIAL}/discover.tsv", "meme"],
        "rehearse_scan": [f"{TRIAL}/sites.tsv", "meme"],
        "rehearse_match": [f"{TRIAL}/matches.tsv", "meme"],
        "rehearse_gadem": [f"{TRIAL}/gadem.tsv", "rgadem"],
    }

    use rule discover as rehearse_discover with:
        input:
            sequences=f"{TRIAL}/ranked.fa",
            table=f"{TRIAL}/ranked.tsv",
        output:
            motifs=f"{TRIAL}/discover.meme",
            table=f"{TRIAL}/discover.tsv",
        log:
            f"{LOGS}/rehearse_discover.log",
        benchmark:
            f"{BENCHMARKS}/rehearse_discover.tsv"

    use rule scan as rehearse_scan with:
        input:
            motifs=f"{TRIAL}/planted.meme",
            sequences=f"{TRIAL}/ranked.fa",
        output:
            f"{TRIAL}/sites.tsv",
        log:
            f"{LOGS}/rehearse_scan.log",
        benchmark:
            f"{BENCHMARKS}/rehearse_scan.tsv"

    use rule match as rehearse_match with:
        input:
            motifs=[f"{TRIAL}/planted.meme"],
        output:
            f"{TRIAL}/matches.tsv",
        log:
            f"{LOGS}/rehearse_match.log",
        benchmark:
            f"{BENCHMARKS}/rehearse_match.tsv"

    use rule gadem as rehearse_gadem with:
        input:
            sequences=f"{TRIAL}/ranked.fa",
        output:
            motifs=f"{TRIAL}/gadem.meme",
            table=f"{TRIAL}/gadem.tsv",
            sites=f"{TRIAL}/gadem_sites.tsv.gz",
        log:
            f"{LOGS}/rehearse_gadem.log",
        benchmark:
            f"{BENCHMARKS}/rehearse_gadem.tsv"
