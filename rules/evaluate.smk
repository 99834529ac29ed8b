# Models -> predictions -> metrics.


rule predict:
    input:
        model=f"{OUT}/models/{{model}}/{{medium}}.keras",
        test=lambda wildcards: paths(test_tables(wildcards.medium).values()),
        lib=lib(
            "sequences", "delimited", "tables", "devices", "layers", "model", "evaluation", "training"
        ),
    output:
        f"{OUT}/predictions/{{model}}/{{medium}}.tsv",
    params:
        test=lambda wildcards: test_tables(wildcards.medium),
        training=config["training"],
        length=config["construct"]["length"],
    log:
        f"{LOGS}/predict/{{model}}/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/predict/{{model}}/{{medium}}.tsv"
    threads: config["training"]["threads"]
    resources:
        gpu=0 if config["training"]["device"] == "cpu" else 1,
        mem_mb=lambda wildcards, attempt: attempt * config["training"]["mem_mb"],
        runtime=lambda wildcards, attempt: attempt * 60,
    conda:
        "../envs/train-cpu.yaml" if config["training"]["device"] == "cpu" else "../envs/train-gpu.yaml"
    script:
        "../workflow/scripts/predict.py"


rule evaluate:
    input:
        predictions=rules.predict.output[0],
        lib=lib("evaluation"),
    output:
        f"{OUT}/metrics/{{model}}/{{medium}}.tsv",
    params:
        replicates=config["evaluation"]["replicates"],
        seed=config["seed"],
    log:
        f"{LOGS}/evaluate/{{model}}/{{medium}}.log",
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../envs/analysis.yaml"
    script:
        "../workflow/scripts/evaluate.py"


# One table of all.
rule metrics:
    input:
        expand(rules.evaluate.output[0], model=MODELS, medium=MEDIA),
    output:
        f"{OUT}/metrics.tsv",
    log:
        f"{LOGS}/metrics.log",
    resources:
        mem_mb=500,
        runtime=10,
    conda:
        "../envs/analysis.yaml"
    script:
        "../workflow/scripts/metrics.py"
