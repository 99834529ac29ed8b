# Needs: the training and test tables (data.smk), and the rules that train and predict (train.smk,
# evaluate.smk).
# Makes: under folds/ the shards, models and predictions of each fold; and in cross_validation/ the
# predictions for all training sequences by models that were not trained on them, and their metrics.
# These rules exist only if the config has the section `cross_validation`.


include: "helpers/folds.smk"


FOLD = f"{OUT}/folds/{{fold}}"
# A test sequence of any medium is in no fold.
ALL_TESTS = [table for medium in MEDIA for table in PLAN.test_tables(medium).values()]


rule cross_validation:
    """Target: out-of-fold predictions for all training sequences (`cross_validation` in the
    config), their metrics and their figure."""
    input:
        f"{OUT}/cross_validation/predictions.tsv",
        f"{OUT}/cross_validation/metrics.tsv",
        f"{OUT}/figure_cross_validation.pdf",


rule folds:
    """The fold of each training sequence, and the validation sequences of each fold."""
    input:
        train=[path for medium in MEDIA for path in paths(PLAN.train_tables(medium))],
        test=paths(ALL_TESTS),
    output:
        splits=expand(f"{FOLD}/split.npz", fold=PLAN.folds),
        table=f"{OUT}/cross_validation/folds.tsv",
    log:
        f"{LOGS}/folds.log",
    benchmark:
        f"{BENCHMARKS}/folds.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(2000, per_mb=20),
        runtime=grows(30, per_mb=1),
    params:
        train={medium: PLAN.train_tables(medium, PLAN.column_of_folds) for medium in MEDIA},
        test=ALL_TESTS,
        by=PLAN.column_of_folds,
        single=[medium for medium in MEDIA if not PLAN.by_families(medium)],
        construct=config["construct"],
        validation_fraction=config["data"]["validation_fraction"],
        relatives=config["families"],
        seed=config["seed"],
    script:
        "../workflow/scripts/folds.py"


use rule hold_out as fold_hold_out with:
    """The training sequences of a fold, without those of test sets."""
    input:
        train=lambda wildcards: paths(fold_train(wildcards)),
        test=paths(ALL_TESTS),
        split=f"{FOLD}/split.npz",
    output:
        f"{OUT}/{plan.FOLD_TABLE}",
    log:
        f"{LOGS}/fold_hold_out/{{fold}}/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/fold_hold_out/{{fold}}/{{medium}}.tsv"
    params:
        train=fold_train,
        given=None,
        test=ALL_TESTS,


use rule shards as fold_shards with:
    """The training files of a medium as shards, without the test sequences and the fold."""
    input:
        train=lambda wildcards: paths(fold_train(wildcards)),
        test=lambda wildcards: [
            path for tables in fold_tests(wildcards).values() for path in paths(tables.values())
        ],
        split=f"{FOLD}/split.npz",
    output:
        manifest=f"{FOLD}/data/{{medium}}/manifest.json",
        rejected=f"{FOLD}/data/{{medium}}/rejected.tsv",
        shards=directory(f"{FOLD}/data/{{medium}}/shards"),
    log:
        f"{LOGS}/fold_shards/{{fold}}/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/fold_shards/{{fold}}/{{medium}}.tsv"
    resources:
        # A fold is a large test set.
        mem_mb=grows(2000, per_mb=20),
        runtime=grows(30, per_mb=1),
    params:
        train=fold_train,
        test=fold_tests,
        by_column=lambda wildcards: (
            list(PLAN.fold_table(wildcards.medium, wildcards.fold)) if PLAN.column_of_folds else []
        ),


use rule train as fold_train with:
    """One training without one fold."""
    input:
        shards=lambda wildcards: fold_files(rules.fold_shards.output.shards, wildcards),
        manifests=lambda wildcards: fold_files(rules.fold_shards.output.manifest, wildcards),
        start=fold_start,
        pretraining=lambda wildcards: (
            expand(rules.fold_shards.output.shards, medium=MEDIA, fold=wildcards.fold)
            if budget(wildcards)
            else []
        ),
    output:
        model=f"{FOLD}/models/{{model}}/{{seed}}/{{stage}}.keras",
        history=f"{FOLD}/models/{{model}}/{{seed}}/{{stage}}.history.tsv",
    log:
        f"{LOGS}/fold_train/{{fold}}/{{model}}/{{seed}}/{{stage}}.log",
    benchmark:
        f"{BENCHMARKS}/fold_train/{{fold}}/{{model}}/{{seed}}/{{stage}}.tsv"
    params:
        checkpoint=f"{OUT}/checkpoints/folds/{{fold}}/{{model}}/{{seed}}/{{stage}}.npz",


use rule predict as fold_predict with:
    """Predicted expression of the sequences of a fold, by each training without this fold."""
    input:
        models=lambda wildcards: fold_models(wildcards.model, wildcards.medium, wildcards.fold),
        test=rules.fold_hold_out.output,
    output:
        f"{FOLD}/predictions/{{model}}/{{medium}}.tsv",
    log:
        f"{LOGS}/fold_predict/{{fold}}/{{model}}/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/fold_predict/{{fold}}/{{model}}/{{medium}}.tsv"
    params:
        test=lambda wildcards: PLAN.fold_table(wildcards.medium, wildcards.fold),
        names=lambda wildcards: list(map(str, PLAN.seeds(wildcards.model))),


rule out_of_fold:
    """The predictions of all folds in one table, and their metrics."""
    input:
        predictions=of_folds(
            lambda model, medium, fold: [f"{OUT}/folds/{fold}/predictions/{model}/{medium}.tsv"]
        ),
        tables=[
            path
            for medium in MEDIA
            for fold in PLAN.folds
            for path in paths(PLAN.fold_table(medium, fold).values())
        ],
        histories=of_folds(lambda *names: fold_models(*names, ending=".history.tsv")),
        folds=rules.folds.output.table,
    output:
        predictions=f"{OUT}/cross_validation/predictions.tsv",
        metrics=f"{OUT}/cross_validation/metrics.tsv",
    log:
        f"{LOGS}/out_of_fold.log",
    benchmark:
        f"{BENCHMARKS}/out_of_fold.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000, per_mb=50),
        runtime=grows(30, per_mb=1),
    params:
        seeds={model: list(map(str, PLAN.seeds(model))) for model in CROSS_VALIDATION["models"]},
        tables={
            medium: [
                table for fold in PLAN.folds for table in PLAN.fold_table(medium, fold).values()
            ]
            for medium in MEDIA
        },
        folds=PLAN.folds,
        construct=config["construct"],
        relatives=config["families"],
        replicates=config["evaluation"]["replicates"],
        seed=config["seed"],
    script:
        "../workflow/scripts/out_of_fold.py"


rule figure_cross_validation:
    """Measured expression against out-of-fold predictions, and Pearson's r in each fold."""
    input:
        predictions=rules.out_of_fold.output.predictions,
        metrics=rules.out_of_fold.output.metrics,
    output:
        pdf=reported("figure_cross_validation.pdf"),
        tsv=reported("figure_cross_validation.tsv"),
    log:
        f"{LOGS}/figure_cross_validation.log",
    benchmark:
        f"{BENCHMARKS}/figure_cross_validation.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000, per_mb=10),
        runtime=grows(10),
    params:
        titles={
            f"{model} {medium}": f"{label(model)}, {medium_label(medium)}"
            for model in CROSS_VALIDATION["models"]
            for medium in MEDIA
        },
        expression=EXPRESSION,
    script:
        "../workflow/scripts/figure_cross_validation.py"
