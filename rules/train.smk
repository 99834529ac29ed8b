# Needs: the shards of the media (data.smk), or the authors' archives of weights (`released`).
# Makes: under models/ each trained model with its history, ensembles, and models with the authors'
# weights. One job trains one model from one seed in one stage.


include: "helpers/train.smk"


# Every training that the predictions need, as <model>/<seed>/<stage>.
TRAININGS = ["{}/{}/{}".format(*training) for training in PLAN.trainings]
DEVICE = config["training"]["device"]
if DEVICE == "tpu":
    TRAINING_ENV = "../envs/train-tpu.yaml"
elif config["training"]["backend"] == "jax":
    TRAINING_ENV = "../envs/train-jax.yaml"
else:
    TRAINING_ENV = f"../envs/train-{DEVICE}.yaml"
# A training that takes longer continues from its last epoch at the next attempt.
TRAINING_MINUTES = grows(24 * 60, most=48 * 60)


rule train:
    """One training from one seed, on all media (stage `pretrained`) or on one medium."""
    input:
        shards=lambda wildcards: expand(rules.shards.output.shards, medium=train_media(wildcards)),
        manifests=lambda wildcards: expand(
            rules.shards.output.manifest, medium=train_media(wildcards)
        ),
        start=start_from,
        # The data of a pre-training, only to count its steps.
        pretraining=lambda wildcards: (
            expand(rules.shards.output.shards, medium=MEDIA) if budget(wildcards) else []
        ),
    output:
        model=f"{OUT}/models/{{model}}/{{seed}}/{{stage}}.keras",
        history=f"{OUT}/models/{{model}}/{{seed}}/{{stage}}.history.tsv",
    log:
        f"{LOGS}/train/{{model}}/{{seed}}/{{stage}}.log",
    benchmark:
        f"{BENCHMARKS}/train/{{model}}/{{seed}}/{{stage}}.tsv"
    conda:
        TRAINING_ENV
    threads: config["training"]["threads"]
    resources:
        **accelerators(config["training"]["devices"] or 1),
        nodes=config["training"]["hosts"],
        mem_mb=grows(config["training"]["mem_mb"]),
        runtime=TRAINING_MINUTES,
    params:
        architecture_code=lambda wildcards: architecture_code(wildcards.model),
        architecture=lambda wildcards: PLAN.architecture(wildcards.model),
        training=lambda wildcards: PLAN.recipe(wildcards.model, stage_kind(wildcards)),
        construct=config["construct"],
        seed=lambda wildcards: int(wildcards.seed),
        budget=budget,
        # It is not an `output`, because Snakemake deletes outputs when a job fails.
        checkpoint=f"{OUT}/checkpoints/{{model}}/{{seed}}/{{stage}}.npz",
    script:
        "../workflow/scripts/train.py"


rule ensemble_model:
    """One model that predicts the mean of a model's trainings from several seeds."""
    input:
        models=lambda wildcards: trained_models(wildcards.model, wildcards.medium).values(),
    output:
        f"{OUT}/models/{plan.ENSEMBLE.format(model='{model}')}/{{medium}}.keras",
    log:
        f"{LOGS}/ensemble_model/{{model}}/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/ensemble_model/{{model}}/{{medium}}.tsv"
    conda:
        TRAINING_ENV
    resources:
        mem_mb=grows(4000, per_mb=10),
        runtime=grows(15),
    params:
        architecture_code=lambda wildcards: architecture_code(wildcards.model),
        backend=config["training"]["backend"],
        construct=config["construct"],
    script:
        "../workflow/scripts/ensemble_model.py"


rule released:
    """Our model with the authors' weights (`weights: released`)."""
    input:
        archive=lambda wildcards: PLAN.path(config["released"][wildcards.medium]),
    output:
        model=f"{OUT}/models/{plan.RELEASED}/{{medium}}.keras",
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
        member=lambda wildcards: config["released"][wildcards.medium].get("member"),
        architecture=config["model"] | {"flavour": "released"},
        construct=config["construct"],
    script:
        "../workflow/scripts/released.py"
