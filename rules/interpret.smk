# Needs: a trained model (train.smk), a test set, and for `insertion` the selected motifs (motifs.smk).
# Makes: under saliency/ the maps of the test set with their sanity checks; and under motifs/ the
# predicted effects of sites that are put into random inserts. Only where the config has `motifs`.


rule saliency:
    """Input-masked gradients over the inserts of a test set."""
    input:
        model=model_file,
        test=lambda wildcards: test_table(wildcards)["path"],
    output:
        f"{OUT}/saliency/{{predictor}}/{{medium}}/{{test_set}}.npz",
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
        length=config["construct"]["length"],
        construct=config["construct"],
    script:
        "../workflow/scripts/saliency.py"


rule sanity:
    """The same maps from randomised weights, and how they correlate with the real ones."""
    input:
        model=model_file,
        test=lambda wildcards: test_table(wildcards)["path"],
        saliency=rules.saliency.output[0],
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
        length=config["construct"]["length"],
        sequences=MOTIFS["sanity"]["sequences"],
        seed=config["seed"],
    script:
        "../workflow/scripts/sanity.py"


rule insertion:
    """Sites of the selected motifs in random inserts: their predicted effect."""
    input:
        model=MOTIF_MODEL,
        motifs=f"{OUT}/motifs/jaspar.meme",
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
        inserts=MOTIFS["insertion"]["inserts"],
        positions=MOTIFS["insertion"]["positions"],
        seed=config["seed"],
    script:
        "../workflow/scripts/insertion.py"
