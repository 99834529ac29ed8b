# Shards -> times of training: one job, one cell of Table 1.


rule training_speed:
    """Times of training in one cell of Table 1."""
    input:
        shards=lambda wildcards: expand(rules.shards.output.shards, medium=BENCHMARK["medium"]),
        manifests=lambda wildcards: expand(rules.shards.output.manifest, medium=BENCHMARK["medium"]),
    output:
        f"{OUT}/benchmark/{{batch_size}}_{{precision}}_{{devices}}.json",
    log:
        f"{LOGS}/training_speed/{{batch_size}}_{{precision}}_{{devices}}.log",
    benchmark:
        f"{BENCHMARKS}/training_speed/{{batch_size}}_{{precision}}_{{devices}}.tsv"
    wildcard_constraints:
        batch_size=r"\d+",
        precision="float32|mixed_float16|mixed_bfloat16",
        devices=r"\d+",
    conda:
        TRAINING_ENV
    threads: alone
    resources:
        gpu=lambda wildcards: accelerators(int(wildcards.devices))["gpu"],
        tpu=lambda wildcards: accelerators(int(wildcards.devices))["tpu"],
        mem_mb=grows(config["training"]["mem_mb"]),
        runtime=grows(60),
    params:
        architecture_code=lambda wildcards: architecture_code(BENCHMARK["model"]),
        backend=config["training"]["backend"],
        device=config["training"]["device"],
        threads=config["training"]["threads"],
        architecture=lambda wildcards: PLAN.architecture(BENCHMARK["model"]),
        recipe=step_settings,
        length=config["construct"]["length"],
        seed=config["seed"],
        steps=lambda wildcards: BENCHMARK["steps"],
        epochs=lambda wildcards: BENCHMARK["epochs"],
        estimate_epochs=lambda wildcards: BENCHMARK["estimate_epochs"],
    script:
        "../workflow/scripts/training_speed.py"


rule table1:
    """Table 1: training times here, with the paper's beside ours."""
    input:
        cells=benchmark_cells,
        paper=workflow.source_path("../config/paper.yaml"),
    output:
        tsv=reported("table1.tsv"),
        md=f"{OUT}/table1.md",
        pdf=reported("table1.pdf"),
    log:
        f"{LOGS}/table1.log",
    benchmark:
        f"{BENCHMARKS}/table1.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    script:
        "../workflow/scripts/table1.py"
