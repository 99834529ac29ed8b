# Functions that train.smk calls, and the rules after it.


def accelerators(devices):
    """What a job on so many GPUs or TPU cores asks for: so many GPUs, or the TPU, whole."""
    return {
        "gpu": devices * (DEVICE in ("gpu", "auto")),
        "tpu": int(DEVICE == "tpu"),
    }


def stage_kind(wildcards):
    """Which changes of `training: stages` a training takes."""
    return PLAN.stage_kind(wildcards.model, wildcards.stage)


def train_media(wildcards):
    return MEDIA if wildcards.stage == PRETRAINED else [wildcards.stage]


def budget(wildcards):
    """The stages whose steps together are the most that this model makes, or None."""
    return PLAN.budget(wildcards.model)


def start_from(wildcards):
    """The pre-trained model that fine-tuning goes on from."""
    if stage_kind(wildcards) != "finetune":
        return []
    return f"{OUT}/models/{wildcards.model}/{wildcards.seed}/{PRETRAINED}.keras"


def trained_models(model, medium):
    """The models whose predictions are a model's in a medium: name of the prediction -> file. One
    for each seed, or the authors'."""
    if medium in PLAN.released(model):
        return {"released": f"{OUT}/models/released/{medium}.keras"}
    return {str(seed): f"{OUT}/models/{model}/{seed}/{medium}.keras" for seed in PLAN.seeds(model)}


def model_path(predictor, medium):
    """The one model of which maps are made: the first that was trained, or all as an ensemble."""
    if predictor in MODELS:
        return next(iter(trained_models(predictor, medium).values()))
    return f"{OUT}/models/{predictor}/{medium}.keras"


def model_file(wildcards):
    return model_path(wildcards.predictor, wildcards.medium)


def architecture_code(predictor):
    """The fingerprint of the architecture of a model or its ensemble. A script imports that by its
    name, so that no module has all architectures in it."""
    name = PLAN.architecture(plan.trained(predictor))["architecture"]
    return fingerprint(PACKAGE / "models" / "architectures" / f"{name}.py")


def history_files(model, medium):
    """How the trainings behind a model's predictions in a medium went."""
    files = trained_models(model, medium).items() if model in MODELS else ()
    return [path.replace(".keras", ".history.tsv") for name, path in files if name != "released"]
