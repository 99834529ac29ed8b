# Needs: a trained model (train.smk), a test set (data.smk), and for `insertion` the selected motifs
# (motifs.smk).
# Makes: the saliency maps of the test set and their sanity checks, under saliency/; and the
# predicted effects of motif sites in random inserts, under motifs/. These rules exist only if the
# config has the section `motifs`.


rule saliency:
    """Saliency maps (gradient times input) of the inserts of a test set, and other maps of some."""
    input:
        model=model_file,
        test=lambda wildcards: test_table(wildcards)["path"],
    output:
        **{
            kind: f"{OUT}/saliency/{{predictor}}/{{medium}}/{{test_set}}.{kind}.npz"
            for kind in OTHER_MAPS
        },
        gradient=f"{OUT}/saliency/{{predictor}}/{{medium}}/{{test_set}}.npz",
    log:
        f"{LOGS}/saliency/{{predictor}}/{{medium}}/{{test_set}}.log",
    benchmark:
        f"{BENCHMARKS}/saliency/{{predictor}}/{{medium}}/{{test_set}}.tsv"
    conda:
        TRAINING_ENV
    threads: config["training"]["threads"]
    resources:
        **accelerators(1),
        mem_mb=grows(8000),
        runtime=grows(60),
    params:
        architecture_code=lambda wildcards: architecture_code(wildcards.predictor),
        test=lambda wildcards: {wildcards.test_set: test_table(wildcards)},
        hardware=PLAN.hardware(),
        construct=config["construct"],
        maps=OTHER_MAPS,
        sequences=BESIDE["sequences"],
        seed=config["seed"],
    script:
        "../workflow/scripts/saliency.py"


rule sanity:
    """Correlation of the saliency maps with maps from randomised weights."""
    input:
        **{kind: getattr(rules.saliency.output, kind) for kind in CHECKED_MAPS},
        model=model_file,
        test=lambda wildcards: test_table(wildcards)["path"],
    output:
        f"{OUT}/saliency/{{predictor}}/{{medium}}/{{test_set}}.sanity.tsv",
    log:
        f"{LOGS}/sanity/{{predictor}}/{{medium}}/{{test_set}}.log",
    benchmark:
        f"{BENCHMARKS}/sanity/{{predictor}}/{{medium}}/{{test_set}}.tsv"
    conda:
        TRAINING_ENV
    threads: config["training"]["threads"]
    resources:
        **accelerators(1),
        mem_mb=grows(8000),
        runtime=grows(30),
    params:
        architecture_code=lambda wildcards: architecture_code(wildcards.predictor),
        test=lambda wildcards: {wildcards.test_set: test_table(wildcards)},
        hardware=PLAN.hardware(),
        construct=config["construct"],
        sequences=CHECKED_MAPS,
        seed=config["seed"],
    script:
        "../workflow/scripts/sanity.py"


rule insertion:
    """Predicted effects of sites of the selected motifs in random inserts."""
    input:
        model=MOTIF_MODEL,
        motifs=SCANNED,
        selected=f"{OUT}/motifs/{{families}}/motifs.tsv",
    output:
        f"{OUT}/motifs/{{families}}/insertion.tsv",
    log:
        f"{LOGS}/insertion/{{families}}.log",
    benchmark:
        f"{BENCHMARKS}/insertion/{{families}}.tsv"
    conda:
        TRAINING_ENV
    threads: config["training"]["threads"]
    resources:
        **accelerators(1),
        mem_mb=grows(8000),
        runtime=grows(60),
    params:
        architecture_code=architecture_code(MOTIFS["model"]),
        hardware=PLAN.hardware(),
        construct=config["construct"],
        medium=MOTIFS["medium"],
        inserts=MOTIFS["insertion"]["inserts"],
        positions=MOTIFS["insertion"]["positions"],
        sites=MOTIFS["scan"]["motifs"],
        seed=config["seed"],
    script:
        "../workflow/scripts/insertion.py"
