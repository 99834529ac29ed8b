# What all rules share: the checked config and names.
import contextlib
import functools
import math
import os
import re
import shutil
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

PACKAGE = Path(workflow.basedir, "workflow", "scripts", "crmnet")
sys.path[:0] = [str(PACKAGE.parent), str(Path(workflow.basedir, "rules"))]

import snakemake_internals
from crmnet import configuration, plan
from crmnet.fingerprint import fingerprint
from crmnet.report import provenance, summary

if repeated := [
    line for file in workflow.configfiles for line in configuration.repeated_keys(Path(file))
]:
    raise WorkflowError("\n".join(repeated))
try:
    checked = configuration.checked(config)
except configuration.ConfigError as error:
    raise WorkflowError(str(error)) from None
config.clear()
config.update(checked)
PLAN = plan.Plan(config)

# A plan needs no conda; a run that does says so before it starts.
DEPLOYMENT = workflow.deployment_settings.deployment_method
WANTS_CONDA = workflow.is_main_process and DeploymentMethod.CONDA in DEPLOYMENT
if WANTS_CONDA and not shutil.which("conda"):
    DEPLOYMENT.discard(DeploymentMethod.CONDA)


onstart:
    if WANTS_CONDA and DeploymentMethod.CONDA not in DEPLOYMENT:
        raise WorkflowError(
            "each job is to have its own conda environment (`--sdm conda`, which the profiles of "
            "clusters set), and there is no conda on the PATH: load or install it, or add "
            "`--sdm env-modules` to take all programs from the PATH"
        )
    for figure, reason in LEFT_OUT.items():
        print(f"{figure} is left out: {reason}", file=sys.stderr)


onsuccess:
    model = run_conditions()["main_model"]
    print(f"\n{summary.summary(Path(OUT), model, label(model), LEFT_OUT)}", file=sys.stderr)


onerror:
    # Of a job that fails, Snakemake removes the output, but notes the same as of one that succeeds:
    # the next run would take what was once made from that output for up to date. With a Snakemake
    # that keeps its notes in another way, this does nothing.
    with contextlib.suppress(AttributeError):
        for job in workflow.dag.needrun_jobs():
            for path in job.output:
                record = workflow.persistence.metadata(path)
                if record and not Path(path).exists():
                    record.input = ["failed"]
                    workflow.persistence._write_record(str(path), record)
    failed = getattr(workflow.scheduler, "failed", ())
    failed = sorted((job.rule.name, list(job.log)) for job in failed)
    print(f"\n{summary.failure(failed)}", file=sys.stderr)


OUT = config["outdir"]
LOGS = f"{OUT}/logs"
BENCHMARKS = f"{OUT}/benchmarks"
MEDIA = list(config["media"])
MODELS = list(config["models"])
PRETRAINED = plan.PRETRAINED
# What has predictions (a model, its ensemble, or its name as a published one) -> media.
PREDICTORS = PLAN.predictors
# The section on times of training, or None; what the time of a step depends on, in a recipe.
BENCHMARK = config["benchmark"]
STEP_KEYS = ("weight_decay", "ema", "reverse_complement", "synchronized", "steps_per_execution")
# The motif jobs' section of the config, or None, and their test set.
MOTIFS = config["motifs"]
MOTIF_SET = MOTIFS and PLAN.test_tables(MOTIFS["medium"])[MOTIFS["test_set"]]
# Figure, of those that the config does not suffice for -> why.
LEFT_OUT = PLAN.left_out
# The figures that need the motif jobs; the truth is known of simulated data alone.
MOTIF_FIGURES = list(plan.MOTIF_FIGURES) if MOTIFS else []
if MOTIFS and Path(MOTIF_SET["path"]).is_relative_to(PLAN.simulated()):
    MOTIF_FIGURES.append("figure_truth")


wildcard_constraints:
    families="all|representatives",
    test_set="|".join({name for entry in config["media"].values() for name in entry["test"]}),
    medium="|".join(MEDIA),
    model="|".join(MODELS),
    predictor="|".join(PREDICTORS),
    seed=r"\d+",
    stage="|".join([PRETRAINED, *MEDIA]),


# What reports show, in the paper's order: section, name and content of a file. Snakemake's report
# sorts sections by name.
REPORTED = {
    "figure1": ("1. Model", "Figure 1", "architecture"),
    "training_curves": ("1. Model", "Training curves", "loss and validation R² of every training"),
    "figure2": ("2. Performance", "Figure 2", "measured against predicted expression"),
    "figureS1": ("2. Performance", "Figure S1", "the same in the other media"),
    "figure3": ("2. Performance", "Figure 3", "against other models"),
    "figure4": ("2. Performance", "Figure 4", "ablations"),
    "metrics": ("2. Performance", "Metrics", "of every model and test set"),
    "figure5": ("3. Motifs", "Figure 5", "saliency maps, motifs, and what these do"),
    "figureS2": ("3. Motifs", "Figure S2", "more saliency maps"),
    "motifs": ("3. Motifs", "Motif table", "every motif of every method, and the choice"),
    "figure_sanity": ("3. Motifs", "Sanity checks", "maps of randomised weights"),
    "figure_truth": ("3. Motifs", "Truth", "what is found of what was planted"),
    "figure_insertion": ("3. Motifs", "Insertion", "sites put into random inserts"),
    "figure_modisco": ("3. Motifs", "TF-MoDISco", "motifs of the saliency maps themselves"),
    "table1": ("4. Training times", "Table 1", "time and memory by batch, precision and devices"),
    "tableS1": ("5. Data", "Table S1", "sizes of the data sets"),
    "claims": ("6. Claims", "Claims", "the paper's numbers, ours beside them, and a verdict"),
    "provenance": ("7. Provenance", "Provenance", "commit, config, inputs, versions, times"),
}


def reported(file):
    """A file of the results that reports show, with its caption."""
    name, ending = Path(file).stem, Path(file).suffix[1:]
    section, title, content = REPORTED[name]
    return report(
        f"{OUT}/{file}",
        caption=f"../workflow/report/{name}.rst",
        category=section,
        labels={"name": title, "content": content, "as": ending},
    )


def grows(base, per_mb=0, most=math.inf):
    """Memory or time of a job, that grows with the MB of its input files, and with each attempt up
    to `most`."""

    def needed(wildcards, input, attempt):
        # Asked for a size, a plan does not know that of files that are yet to be made.
        size = input.size_mb if per_mb else 0
        return min(attempt * math.ceil(base + per_mb * size), most)

    return needed


def train_tables(medium):
    return PLAN.train_tables(medium)


def test_tables(medium):
    return PLAN.test_tables(medium)


def test_table(wildcards):
    return test_tables(wildcards.medium)[wildcards.test_set]


def held_out(medium):
    return PLAN.held_out(medium)


def split_file(wildcards):
    """What says which families are for what, where a medium is split by families."""
    by_families = config["media"][wildcards.medium]["split"] == "families"
    return f"{OUT}/data/split.npz" if by_families else []


def paths(tables):
    return [table["path"] for table in tables]


def pretrains(model):
    return config["models"][model]["pretrain"]


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


# Every training that the predictions need, as <model>/<seed>/<stage>.
TRAININGS = ["{}/{}/{}".format(*training) for training in PLAN.trainings]
DEVICE = config["training"]["device"]
if DEVICE == "tpu":
    TRAINING_ENV = "../envs/train-tpu.yaml"
elif config["training"]["backend"] == "jax":
    TRAINING_ENV = "../envs/train-jax.yaml"
else:
    TRAINING_ENV = f"../envs/train-{DEVICE}.yaml"


def accelerators(devices):
    """What a job on so many GPUs or TPU cores asks for: so many GPUs, or the TPU, whole."""
    return {
        "gpu": devices * (DEVICE in ("gpu", "auto")),
        "tpu": int(DEVICE == "tpu"),
    }


def alone(wildcards):
    """Threads of a job beside which no other may run, for its times would be others: on this
    machine all, so that Snakemake starts nothing else. On a cluster the job has its share of a
    machine to itself, and asks for what a training asks for."""
    threads = config["training"]["threads"]
    if workflow.local_exec:
        return max(threads, workflow.resource_settings.cores or 1)
    return threads


def step_settings(wildcards):
    """The recipe's part that decides how long a step takes."""
    model = BENCHMARK["model"]
    recipe = PLAN.recipe(model, PLAN.stages(model)[-1])
    return {key: recipe[key] for key in STEP_KEYS}


def benchmark_cells(wildcards):
    stop_if_left_out("table1")
    settings = {key: BENCHMARK[key] for key in ("batch_size", "precision", "devices")}
    return expand(rules.training_speed.output[0], **settings)


def predicted_sets(wildcards):
    tables = test_tables(wildcards.medium)
    return {name: tables[name] for name in PLAN.predicted_sets(wildcards.model, wildcards.medium)}


def published_sets(wildcards):
    """Of each test set the table, and that of the model's predictions."""
    model, medium = wildcards.model, wildcards.medium
    return {
        name: [test_tables(medium)[name], PLAN.published_table(model, medium, name)]
        for name in PLAN.published_sets(model, medium)
    }


# The figures that compare models.
COMPARISONS = [name for name in ("figure3", "figure4") if name in PLAN.figures]


def shown(figure):
    """The predictors in a figure: its model, its ensemble, then the others, each before what is
    published of it."""
    drawn = config["figures"][figure]
    ensemble, published = plan.ENSEMBLE, plan.PUBLISHED
    others = [ensemble.format(model=drawn["model"])]
    others += [n for model in drawn["against"] for n in (model, published.format(model=model))]
    return [
        drawn["model"],
        *(
            n
            for n in dict.fromkeys(others)
            if {*PREDICTORS.get(n, ())} & {*PLAN.figure_media(figure)}
        ),
    ]


def pairs(figure):
    """Each predictor in a figure with each medium in which it has predictions."""
    stop_if_left_out(figure)
    media = PLAN.figure_media(figure)
    return [
        [name, medium] for name in shown(figure) for medium in PREDICTORS[name] if medium in media
    ]


def of_figure(pattern, figure):
    """The files of a figure's predictors."""
    return [pattern.format(predictor=name, medium=medium) for name, medium in pairs(figure)]


def of_all(pattern):
    """The files of all predictors."""
    return [
        pattern.format(predictor=predictor, medium=medium)
        for predictor, media in PREDICTORS.items()
        for medium in media
    ]


def label(predictor):
    """A predictor's name in figures."""
    for model, settings in config["models"].items():
        name = settings.get("label", model.replace("_", " "))
        if predictor == model:
            return name
        if predictor == plan.ENSEMBLE.format(model=model):
            return f"{name}, mean of {len(PLAN.seeds(model))}"
        if predictor == plan.PUBLISHED.format(model=model):
            return f"{name} (published)"


def medium_label(medium):
    return config["media"][medium].get("label", medium)


def set_label(medium, test_set):
    return f"{test_set.replace('_', ' ')} promoters, {medium_label(medium)}"


def stop_if_left_out(figure):
    """Says why a figure that is asked for cannot be made."""
    if figure in LEFT_OUT:
        raise WorkflowError(f"{figure} is left out: {LEFT_OUT[figure]}")


def scatter_input(kind, figure, ending=".tsv"):
    """The predictions or metrics that a scatter figure draws, medium by medium."""
    stop_if_left_out(figure)
    model = config["figures"][figure]["model"]
    media = dict.fromkeys(medium for medium, _ in PLAN.panels(figure))
    return [f"{OUT}/{kind}/{model}/{medium}{ending}" for medium in media]


def panels(figure):
    """Medium, test set and title of each panel."""
    return [
        [medium, test_set, set_label(medium, test_set)] for medium, test_set in PLAN.panels(figure)
    ]


def motif_set():
    """The table of the motif jobs' test set."""
    stop_if_left_out("figure5")
    return MOTIF_SET


def motif_model(kind):
    """The model of the motif jobs, its saliency maps, or their sanity checks."""
    stop_if_left_out("figure5")
    model, medium, test_set = (MOTIFS[key] for key in ("model", "medium", "test_set"))
    if kind == "model":
        return model_path(model, medium)
    ending = {"saliency": "npz", "sanity": "sanity.tsv"}[kind]
    return f"{OUT}/saliency/{model}/{medium}/{test_set}.{ending}"


def of_motifs(file):
    """A file of the motif jobs in the mode that the figures show."""
    stop_if_left_out("figure5")
    return f"{OUT}/motifs/{MOTIFS['families']}/{file}"


@functools.cache
def lineage(targets):
    """What makes the target files, whether it is to run again or not: all files on the way to them,
    the benchmark files of the jobs, the names of their environments, and all that the jobs make."""
    todo = [*targets]
    files, benchmarks, environments, made = set(), set(), set(), set()
    while todo:
        file = str(todo.pop())
        if file in files:
            continue
        files.add(file)
        maker = next((rule_ for rule_ in workflow.rules if rule_.is_producer(file)), None)
        if maker:
            wildcards = maker.get_wildcards(file)
            todo += maker.expand_input(wildcards)[0]
            benchmarks.add(str(maker.expand_benchmark(wildcards)))
            environments.add(Path(maker.conda_env).name)
            made |= set(map(str, maker.expand_output(wildcards)[0]))
    return files, sorted(benchmarks), sorted(environments), sorted(made)


def writer(path):
    """Name of the rule that would write over a file, or remove it with its folder, and the key of
    the folder for what is made that holds it; or None."""
    for key in ("outdir", "resources"):
        # As it is spelled, and where links lead.
        for whole in (os.path.abspath, os.path.realpath):
            folder, file = Path(whole(config[key])), Path(whole(path))
            inside = [each for each in (file, *file.parents) if folder in each.parents]
            for made in inside:
                made = made.relative_to(folder)
                # In `.` some rules say ./a, others a.
                spellings = f"{config[key]}/{made}", str(Path(config[key], made))
                for rule_ in workflow.rules:
                    if any(map(rule_.is_producer, spellings)):
                        return rule_.name, key
    return None


def is_of_this_run(file):
    """Whether a config is the one that an earlier run of the same config wrote down."""
    written = Path(OUT, "config.yaml")
    return (
        written.exists()
        and written.samefile(file)
        and yaml.safe_load(written.read_text()) == provenance.plain(configuration.overlay(config))
    )


def stop_if_an_input_is_an_output():
    """Refuses to write over what the run reads, such as another config in its `outdir`."""
    given = [("--configfile", file) for file in workflow.configfiles if not is_of_this_run(file)]
    errors = [
        f"{file} ({key}) is read by this run, and its rule {found[0]} would write over it; put it "
        f"into a folder in which nothing is made and name it there, or choose another `{found[1]}`"
        for key, file in (*given, *PLAN.given_files())
        if (found := writer(file))
    ]
    if errors:
        raise WorkflowError("\n".join(errors))


def run_conditions():
    """What decides whether this run can be compared with the paper's."""
    shown_first = config["figures"][PLAN.figures[0]]["model"] if PLAN.figures else MODELS[0]
    # An ensemble is as its model was trained.
    main = plan.trained(shown_first)
    released = PLAN.released(main)
    return {
        "simulated": bool(config["simulation"]),
        "main_model": shown_first,
        "model": PLAN.architecture(main),
        "pretrain": pretrains(main),
        "recipe": PLAN.recipe_name(main),
        "training": {stage: PLAN.recipe(main, stage) for stage in PLAN.stages(main)},
        "precision": {name: PLAN.precision(plan.trained(name)) for name in [*MODELS, shown_first]},
        "weights": {medium: "released" if medium in released else "trained" for medium in MEDIA},
        "backend": config["training"]["backend"],
        "motifs": MOTIFS
        and {key: MOTIFS[key] for key in ("model", "medium", "test_set", "families")},
    }


# The section on scores, or None, and the files that it names.
SCORE = config["score"]
SCORE_TABLES = [
    table for table in (SCORE or {}).values() if isinstance(table, dict) and "file" in table
]
# What is checked, and what the section asks for: name of the output -> file.
CHECKED = {"sequences": f"{OUT}/score/input/sequences.tsv.gz"}
SCORED = {"predictions": f"{OUT}/score/predictions.tsv"}
if SCORE and SCORE["variants"]:
    CHECKED["variants"] = f"{OUT}/score/input/variants.tsv.gz"
    SCORED["variants"] = f"{OUT}/score/variants.tsv"
if SCORE and SCORE["saliency"]:
    SCORED |= {"saliency": f"{OUT}/score/saliency.tsv", "maps": f"{OUT}/score/saliency.npz"}


def score_media():
    return [SCORE["medium"]] if SCORE["medium"] else MEDIA


def score_model(medium):
    """The model that scores. Asked for scores alone, one that is there is taken as it is, whatever
    has become of what it was made from."""
    path = model_path(SCORE["model"], medium)
    alone = set(workflow.dag_settings.targets) == {"score"}
    return before_update(path) if alone and Path(path).exists() else path


def scored(wildcards):
    """All that the section asks for."""

    def file(path):
        if not SCORE:
            raise WorkflowError(
                "there is nothing to score: set `score` in the config, as config/README.md explains"
            )
        return path

    # As an iterator: an error in the function itself gets a traceback from Snakemake.
    return map(file, [*SCORED.values(), f"{OUT}/score/figure_score.pdf"])
