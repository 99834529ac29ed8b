# Needs: the files that the config declares, as URLs or local paths, or its section `simulation`.
# Makes: resources/ (downloads) or simulated/; and under data/ the shards of each medium, the
# sequences held out of training, and the family of each test sequence.
import re


include: "helpers/data.smk"


DOWNLOADS = PLAN.downloads
SIMULATED_FOLDER = PLAN.simulated()
# The test tables that have files of their own. The other test sets are held out of training tables.
OWN_TESTS = [
    PLAN.test_tables(medium)[name]
    for medium in MEDIA
    for name in config["media"][medium]["test"]
    if name not in PLAN.held_out(medium)
]


rule download:
    """One file of the config, from its URL or the mirror, with its checksum verified."""
    output:
        str(Path(config["resources"], "{file}")),
    log:
        f"{LOGS}/download/{{file}}.log",
    benchmark:
        f"{BENCHMARKS}/download/{{file}}.tsv"
    wildcard_constraints:
        file="|".join(re.escape(Path(path).name) for path in DOWNLOADS) or "$^",
    conda:
        "../envs/analysis.yaml"
    resources:
        downloads=1,
        mem_mb=grows(500),
        runtime=grows(240, most=600),
    params:
        url=lambda wildcards, output: DOWNLOADS[output[0]]["file"],
        checksum=lambda wildcards, output: DOWNLOADS[output[0]].get("checksum"),
    script:
        "../workflow/scripts/download.py"


rule simulate:
    """Measurements of simulated promoters with planted motifs."""
    output:
        **{
            name: expand(f"{SIMULATED_FOLDER}/{{medium}}/{file}", medium=MEDIA)
            for name, file in plan.SIMULATED.items()
        },
        sites=f"{SIMULATED_FOLDER}/sites.tsv",
        factors=f"{SIMULATED_FOLDER}/factors.tsv",
    log:
        f"{LOGS}/simulate.log",
    benchmark:
        f"{BENCHMARKS}/simulate.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(30),
    params:
        media=MEDIA,
        simulation=config["simulation"],
        construct=config["construct"],
        seed=config["seed"],
    script:
        "../workflow/scripts/simulate.py"


rule split:
    """The split of training sequences by whole families, or by columns of the tables, into training,
    validation and held-out test sets. It is the same in all media that are split so."""
    input:
        train=[path for medium in PLAN.split_media for path in paths(PLAN.train_tables(medium))],
        test=paths(OWN_TESTS),
    output:
        f"{OUT}/data/split.npz",
    log:
        f"{LOGS}/split.log",
    benchmark:
        f"{BENCHMARKS}/split.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(2000, per_mb=20),
        runtime=grows(30, per_mb=1),
    params:
        train={medium: PLAN.train_tables(medium) for medium in PLAN.split_media},
        test=OWN_TESTS,
        held_out={medium: PLAN.held_out(medium) for medium in PLAN.split_media},
        validation={
            medium: entry["validation"]
            for medium, entry in config["media"].items()
            if "validation" in entry
        },
        # The media whose sequences are drawn one by one.
        single=[medium for medium in PLAN.split_media if not PLAN.by_families(medium)],
        construct=config["construct"],
        validation_fraction=config["data"]["validation_fraction"],
        relatives=config["families"],
        seed=config["seed"],
    script:
        "../workflow/scripts/split.py"


rule hold_out:
    """A test set held out of the training files (`held_out`). The rule `shards` leaves it out."""
    input:
        train=lambda wildcards: paths(PLAN.train_tables(wildcards.medium)),
        split=split_file,
    output:
        f"{OUT}/{plan.HELD_OUT}",
    log:
        f"{LOGS}/hold_out/{{medium}}/{{test_set}}.log",
    benchmark:
        f"{BENCHMARKS}/hold_out/{{medium}}/{{test_set}}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000, per_mb=1),
        runtime=grows(15, per_mb=0.01),
    params:
        train=lambda wildcards: PLAN.train_tables(wildcards.medium),
        given=lambda wildcards: PLAN.held_out(wildcards.medium)[wildcards.test_set],
        test=[],
        families=lambda wildcards: PLAN.by_families(wildcards.medium),
        construct=config["construct"],
        seed=config["seed"],
    script:
        "../workflow/scripts/hold_out.py"


rule families:
    """The family of each test sequence of a medium. The bootstrap resamples families."""
    input:
        test=lambda wildcards: paths(PLAN.test_tables(wildcards.medium).values()),
    output:
        f"{OUT}/data/{{medium}}/families.tsv",
    log:
        f"{LOGS}/families/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/families/{{medium}}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000, per_mb=20),
        runtime=grows(15, per_mb=2),
    params:
        test=lambda wildcards: PLAN.test_tables(wildcards.medium),
        construct=config["construct"],
        relatives=config["families"],
    script:
        "../workflow/scripts/families.py"


rule shards:
    """The training files of a medium, shuffled, without its test sequences; and a manifest that
    counts the rows."""
    input:
        train=lambda wildcards: paths(PLAN.train_tables(wildcards.medium)),
        test=[path for medium in MEDIA for path in paths(PLAN.test_tables(medium).values())],
        split=split_file,
    output:
        # Test sequences of other media are in separate shards, which only a model of this medium
        # alone may train on.
        manifest=f"{OUT}/data/{{medium}}/manifest.json",
        rejected=f"{OUT}/data/{{medium}}/rejected.tsv",
        shards=directory(f"{OUT}/data/{{medium}}/shards"),
    log:
        f"{LOGS}/shards/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/shards/{{medium}}.tsv"
    conda:
        "../envs/train-cpu.yaml"
    threads: 4
    resources:
        mem_mb=grows(2000),
        runtime=grows(15, per_mb=0.01),
    params:
        train=lambda wildcards: PLAN.train_tables(wildcards.medium),
        test={medium: PLAN.test_tables(medium) for medium in MEDIA},
        construct=config["construct"],
        data={key: config["data"][key] for key in ("validation_fraction", "relatives")},
        by_column=lambda wildcards: list(PLAN.by_column(wildcards.medium)),
        relatives=config["families"],
        seed=config["seed"],
    script:
        "../workflow/scripts/shards.py"
