# Models -> predictions -> metrics.


rule predict:
    input:
        model=f"{OUT}/models/{{model}}/{{medium}}.keras",
        test=lambda wildcards: paths(test_tables(wildcards.medium).values()),
        lib=lib(
            "logs",
            "sequences",
            "delimited",
            "tables",
            "devices",
            "layers",
            "model",
            "evaluation",
            "training",
        ),
    output:
        f"{OUT}/predictions/{{model}}/{{medium}}.tsv",
    log:
        f"{LOGS}/predict/{{model}}/{{medium}}.log",
    benchmark:
        f"{BENCHMARKS}/predict/{{model}}/{{medium}}.tsv"
    conda:
        "../envs/train-cpu.yaml"
        if config["training"]["device"] == "cpu"
        else "../envs/train-gpu.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=0 if config["training"]["device"] == "cpu" else 1,
        mem_mb=lambda wildcards, attempt: attempt * config["training"]["mem_mb"],
        runtime=lambda wildcards, attempt: attempt * 60,
    params:
        test=lambda wildcards: test_tables(wildcards.medium),
        hardware=configuration.hardware(config),
        length=config["construct"]["length"],
    script:
        "../workflow/scripts/predict.py"


rule evaluate:
    input:
        predictions=rules.predict.output[0],
        lib=lib("logs", "evaluation"),
    output:
        f"{OUT}/metrics/{{model}}/{{medium}}.tsv",
    log:
        f"{LOGS}/evaluate/{{model}}/{{medium}}.log",
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        replicates=config["evaluation"]["replicates"],
        seed=config["seed"],
    script:
        "../workflow/scripts/evaluate.py"


# One table of all.
rule metrics:
    input:
        tables=expand(rules.evaluate.output[0], model=MODELS, medium=MEDIA),
        lib=lib("logs"),
    output:
        f"{OUT}/metrics.tsv",
    log:
        f"{LOGS}/metrics.log",
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    script:
        "../workflow/scripts/metrics.py"
