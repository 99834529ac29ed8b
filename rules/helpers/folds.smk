# Helper functions for folds.smk.


def fold_train(wildcards):
    """Returns how the training tables are read, with the column of the folds if there is one."""
    return PLAN.train_tables(wildcards.medium, PLAN.column_of_folds)


def fold_tests(wildcards):
    """Returns for each medium the test sets and the fold, which no model of the fold may see."""
    return {
        medium: PLAN.test_tables(medium) | PLAN.fold_table(medium, wildcards.fold)
        for medium in MEDIA
    }


def fold_files(pattern, wildcards):
    """Returns the files of the media on which a model of a fold is trained."""
    return expand(pattern, medium=train_media(wildcards), fold=wildcards.fold)


def fold_start(wildcards):
    """Returns the pre-trained model of a fold that fine-tuning starts from."""
    if not start_from(wildcards):
        return []
    folder = f"{OUT}/folds/{wildcards.fold}/models/{wildcards.model}/{wildcards.seed}"
    return f"{folder}/{PRETRAINED}.keras"


def fold_models(model, medium, fold, ending=".keras"):
    """Returns the files of a model's trainings without a fold, one for each seed."""
    folder = f"{OUT}/folds/{fold}/models/{model}"
    return [f"{folder}/{seed}/{medium}{ending}" for seed in PLAN.seeds(model)]


def of_folds(files):
    """Returns what `files` gives for each model, medium and fold."""
    return [
        path
        for model in CROSS_VALIDATION["models"]
        for medium in MEDIA
        for fold in PLAN.folds
        for path in files(model, medium, fold)
    ]
