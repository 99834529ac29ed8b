# Helper functions for train.smk and the rules that are included after it.


def accelerators(devices):
    """Returns the resources of a job on that many devices: that many GPUs, or the whole TPU."""
    return {
        "gpu": devices * (DEVICE in ("gpu", "auto")),
        "tpu": int(DEVICE == "tpu"),
    }


def stage_kind(wildcards):
    """Returns the entry of `training: stages` that applies to a training."""
    return PLAN.stage_kind(wildcards.model, wildcards.stage)


def train_media(wildcards):
    return MEDIA if wildcards.stage == PRETRAINED else [wildcards.stage]


def budget(wildcards):
    """Returns the stages whose steps together limit this model's training, or None."""
    return PLAN.budget(wildcards.model)


def start_from(wildcards):
    """Returns the pre-trained model that fine-tuning starts from."""
    if stage_kind(wildcards) != "finetune":
        return []
    return f"{OUT}/models/{wildcards.model}/{wildcards.seed}/{PRETRAINED}.keras"


def trained_models(model, medium):
    """Returns a model's trained files in a medium: name of the prediction -> file.

    There is one for each seed, or one with the authors' weights."""
    if medium in PLAN.released(model):
        return {plan.RELEASED: f"{OUT}/models/{plan.RELEASED}/{medium}.keras"}
    return {str(seed): f"{OUT}/models/{model}/{seed}/{medium}.keras" for seed in PLAN.seeds(model)}


def model_path(predictor, medium):
    """Returns the one model for saliency maps: a model's first training, or its ensemble."""
    if predictor in MODELS:
        return next(iter(trained_models(predictor, medium).values()))
    return f"{OUT}/models/{predictor}/{medium}.keras"


def model_file(wildcards):
    return model_path(wildcards.predictor, wildcards.medium)


def architecture_code(predictor):
    """Returns the fingerprint of the architecture of a model or its ensemble.

    The fingerprint of a script leaves architectures out, because they are imported by name."""
    name = PLAN.architecture(plan.trained(predictor))["architecture"]
    return fingerprint(PACKAGE / "models" / "architectures" / f"{name}.py")


def history_files(model, medium):
    """Returns the training histories behind a model's predictions in a medium."""
    files = trained_models(model, medium).items() if model in MODELS else ()
    return [path.replace(".keras", ".history.tsv") for name, path in files if name != plan.RELEASED]


def alone(wildcards):
    """Returns the threads of a job that must run alone, because other jobs would change its times.

    On this machine the job takes all cores, so that Snakemake starts nothing else. On a cluster the
    job has its cores to itself and requests as many as a training does."""
    threads = config["training"]["threads"]
    return max(threads, snakemake_internals.cores_of_this_machine(workflow) or 1)
