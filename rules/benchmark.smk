# Needs: the shards of a medium (data.smk).
# Makes: the training times under benchmark/, with one job for each cell of Table 1, and Table 1.
# These rules exist only if the config has the section `benchmark`.


SPEED_MODEL = BENCHMARK["model"]
SPEED_STEP = PLAN.step(SPEED_MODEL, PLAN.stages(SPEED_MODEL)[-1])


rule benchmark:
    """Target: Table 1, the training times on this machine."""
    input:
        f"{OUT}/table1.pdf",


rule training_speed:
    """Training times for one cell of Table 1."""
    input:
        shards=expand(rules.shards.output.shards, medium=BENCHMARK["medium"]),
        manifests=expand(rules.shards.output.manifest, medium=BENCHMARK["medium"]),
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
        architecture_code=architecture_code(SPEED_MODEL),
        backend=config["training"]["backend"],
        device=config["training"]["device"],
        threads=config["training"]["threads"],
        architecture=SPEED_STEP["architecture"],
        recipe=SPEED_STEP["recipe"],
        length=config["construct"]["length"],
        seed=config["seed"],
        steps=BENCHMARK["steps"],
        epochs=BENCHMARK["epochs"],
        estimate_epochs=BENCHMARK["estimate_epochs"],
    script:
        "../workflow/scripts/training_speed.py"


rule table1:
    """Table 1: training times on this machine beside the paper's."""
    input:
        cells=expand(
            rules.training_speed.output[0],
            **{key: BENCHMARK[key] for key in ("batch_size", "precision", "devices")},
        ),
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
