# Helper functions for rehearse.smk and the rules that are included after it.
import yaml


def of_snakemake(wildcards):
    """Returns the environment of a job that runs in Snakemake's own: none. A rehearsal must not fail
    because an environment cannot be made."""
    return None


def is_rehearsal():
    """Whether this run is a rehearsal, or a part of one, and not the run itself."""
    parts = snakemake_internals.targets(workflow)
    inside = bool(parts) and all(part.startswith(f"{REHEARSAL}/") for part in parts)
    return inside or snakemake_internals.is_only_target(workflow, rules.rehearse)


def command_of_rehearsal():
    """Returns the command that started Snakemake, in which the word `rehearse` is the target."""
    command = [sys.executable, "-m", "snakemake", *sys.argv[1:]]
    alone = snakemake_internals.targets(workflow) == {"rehearse"}
    if not alone or command.count("rehearse") != 1:
        raise WorkflowError(
            "a rehearsal starts its jobs by the command that has started it, so that command must "
            "have `rehearse` once, as its only target: snakemake rehearse --profile ..."
        )
    return command


def rehearsed_jobs():
    """Returns the name of each job of the rehearsal -> its file and its environment. Environments
    without another job have one that imports what their scripts need."""
    needed = [Path(name).stem for name in lineage(rules.all.input)[2]]
    imports = {
        f"rehearse_environment/{name}": [f"{REHEARSAL}/environments/{name}.json", name]
        for name in needed
        if name != Path(TRAINING_ENV).stem
    }
    return REHEARSED | imports


def rehearsed_files():
    """Returns the files of the config that the run needs and does not simulate."""
    needed = lineage(rules.all.input)[0]
    return [
        file
        for file in PLAN.sources()
        if file["path"] in needed and PLAN.simulated() not in Path(file["path"]).parents
    ]


def dependencies_of(environment):
    """Returns the packages that the file of an environment names."""
    file = workflow.source_path(f"../../envs/{environment}.yaml")
    return yaml.safe_load(Path(file).read_text())["dependencies"]


def scripts_of(environment):
    """Returns the scripts of the rules that run in an environment."""
    return [
        str(script)
        for file, script in snakemake_internals.environments_of_scripts(OWN_RULES)
        if Path(file).stem == environment
    ]


def training_steps():
    """Returns the different training steps of the run: the models with such a step, as text -> the
    step."""
    models_of = {}
    for model, _, stage in PLAN.trainings:
        step = PLAN.step(model, PLAN.stage_kind(model, stage))
        models_of.setdefault(json.dumps(step), {})[model] = None
    return {", ".join(models): json.loads(step) for step, models in models_of.items()}


def training_minutes():
    """Returns the minutes that a training may take at each of its attempts; none if this machine
    runs the jobs itself, without a limit."""
    attempts = snakemake_internals.attempts(workflow)
    return [TRAINING_MINUTES(None, None, attempt) for attempt in range(1, attempts + 1)]
