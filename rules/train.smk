# Shards -> models: one job, one training.


# `stage` is `pretrained` (all media, drawn evenly) or a medium: then from the pre-trained weights,
# or from new ones where the model has `pretrain: false`.
rule train:
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
            "layers",
            "model",
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
        "../envs/train-cpu.yaml"
        if config["training"]["device"] == "cpu"
        else "../envs/train-gpu.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=0 if config["training"]["device"] == "cpu" else 1,
        mem_mb=lambda wildcards, attempt: attempt * config["training"]["mem_mb"],
        runtime=lambda wildcards, attempt: attempt * 24 * 60,
    params:
        architecture=lambda wildcards: configuration.architecture(config, wildcards.model),
        training=lambda wildcards: configuration.recipe(config, stage_kind(wildcards)),
        length=config["construct"]["length"],
        seed=config["seed"],
        # Outside `output`, which Snakemake wipes when a job fails.
        checkpoint=f"{OUT}/checkpoints/{{model}}/{{stage}}.npz",
    script:
        "../workflow/scripts/train.py"
