# Shards -> models: one job, one training.


rule train:
    """One training: of all media (`pretrained`), or of one."""
    input:
        shards=lambda wildcards: expand(rules.shards.output.shards, medium=train_media(wildcards)),
        manifests=lambda wildcards: expand(
            rules.shards.output.manifest, medium=train_media(wildcards)
        ),
        start=start_from,
        lib=lib(
            "logs",
            "sequences",
            "delimited",
            "tables",
            "shards",
            "devices",
            "hosts",
            "layers",
            "model",
            "baselines",
            "evaluation",
            "training",
        ),
    output:
        model=f"{OUT}/models/{{model}}/{{stage}}.keras",
        history=f"{OUT}/models/{{model}}/{{stage}}.history.tsv",
    log:
        f"{LOGS}/train/{{model}}/{{stage}}.log",
    benchmark:
        f"{BENCHMARKS}/train/{{model}}/{{stage}}.tsv"
    conda:
        TRAINING_ENV
    threads: config["training"]["threads"]
    resources:
        **accelerators(config["training"]["devices"] or 1),
        nodes=config["training"]["hosts"],
        mem_mb=grows(config["training"]["mem_mb"]),
        runtime=grows(24 * 60, most=48 * 60),
    params:
        architecture=lambda wildcards: configuration.architecture(config, wildcards.model),
        training=lambda wildcards: configuration.recipe(
            config, wildcards.model, stage_kind(wildcards)
        ),
        length=config["construct"]["length"],
        seed=config["seed"],
        # Outside `output`, which Snakemake wipes when a job fails.
        checkpoint=f"{OUT}/checkpoints/{{model}}/{{stage}}.npz",
    script:
        "../workflow/scripts/train.py"


rule released:
    """The authors' weights in our model (`weights: released`)."""
    input:
        archive=lambda wildcards: config["released"][wildcards.medium]["path"],
        lib=lib("logs", "sequences", "devices", "layers", "model", "released"),
    output:
        model=f"{OUT}/models/released/{{medium}}.keras",
    log:
        f"{LOGS}/released/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/released/{{medium}}.tsv"
    conda:
        "../envs/train-cpu.yaml"
    resources:
        mem_mb=grows(4000),
        runtime=grows(15),
    params:
        member=lambda wildcards: config["released"][wildcards.medium]["member"],
        architecture=config["model"] | {"flavour": "released"},
        length=config["construct"]["length"],
    script:
        "../workflow/scripts/released.py"
