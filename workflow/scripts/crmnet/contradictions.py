"""Finds the contradictions in a config that a schema cannot see. Each is a sentence that names the
key and says what to change."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import yaml

from crmnet.data import declarations
from crmnet.data.declarations import fault_of_path, unknown
from crmnet.models import registry
from crmnet.motifs.known import of_file, taxon_of
from crmnet.motifs.motif import MotifError
from crmnet.plan import CRMNET, RELEASED, Plan, trained

PAPER = Path(__file__).parents[3] / "config" / "paper.yaml"
# The fewest tokens that the baselines' kernels and pools can take.
BASELINE_LENGTH = 32


def contradictions(config: dict) -> Iterator[str]:
    """Yields a sentence for each error that a schema cannot see, section by section. The config
    has all its defaults."""
    plan = Plan(config)
    yield from _folders(config)
    yield from _construct(config)
    yield from declarations.faults(plan)
    yield from _models(plan)
    yield from _released(plan)
    yield from _training(config)
    yield from _motifs(plan)
    yield from _benchmark(config)
    yield from _score(plan)
    yield from _figures(plan)


def _folders(config: dict) -> Iterator[str]:
    # `resources` need not be writable, because all downloads may be there already.
    for key, written in (("outdir", True), ("resources", False)):
        if reason := _no_folder(Path(config[key]), written):
            yield f"{key}: {reason}; name another folder"
    mirror = config["mirror"]
    if mirror and not os.path.isdir(mirror):
        yield (f"mirror: there is no folder {mirror}; name one that holds the downloads, or null")


def _construct(config: dict) -> Iterator[str]:
    construct = config["construct"]
    whole = len(construct["left_flank"] + construct["right_flank"]) + construct["insert_length"]
    if whole > construct["length"]:
        yield (
            f"construct.length: {construct['length']} is too short for the flanks and the insert, "
            f"which together have {whole} letters; make it at least that, rounded up to a multiple "
            "of 8"
        )


def _models(plan: Plan) -> Iterator[str]:
    if RELEASED in plan.config["models"]:
        yield f"models.{RELEASED}: a model cannot have this name; choose another"
    for name, model in plan.config["models"].items():
        key = f"models.{name}"
        if model["architecture"] not in registry.names():
            yield (
                f"{key}.architecture: must be one of {', '.join(registry.names())}, not "
                f"{model['architecture']!r}"
            )
        if plan.recipe_name(name) not in plan.config["recipes"]:
            yield (
                f"{key}.recipe: {plan.recipe_name(name)!r} is not declared in `recipes`; choose "
                f"one of {', '.join(plan.config['recipes'])}"
            )
            continue
        for stage in plan.stages(name):
            merged = plan.recipe(name, stage)
            if merged["warmup_epochs"] >= merged["epochs"]:
                yield (
                    f"training: stage {stage} of model {name} has {merged['epochs']} epoch(s), and "
                    f"the warm-up takes all of them ({merged['warmup_epochs']}); raise `epochs` or "
                    "lower `warmup_epochs`"
                )
        if model["pretrain"] and model.get("equal_steps"):
            yield (
                f"{key}.equal_steps: only a model without pre-training can have this key; remove "
                "it, or set `pretrain: false`"
            )
        if plan.architecture(name).get("bins") == 1:
            yield (
                f"{key}: its recipe has `bins: 1`, and one bin cannot tell expressions apart; set "
                "`bins` to 2 or more, or to 0"
            )
        if model["architecture"] != CRMNET:
            yield from _baseline(key, model, plan.config)


def _baseline(key: str, model: dict, config: dict) -> Iterator[str]:
    for unfit in sorted(set(model) & set(config["model"]) - {"width"}):
        yield (
            f"{key}.{unfit}: only CRMnet has this key, {model['architecture']} does not; remove it"
        )
    if config["construct"]["length"] < BASELINE_LENGTH:
        yield (
            f"{key}.architecture: {model['architecture']} needs a `construct: length` of at least "
            f"{BASELINE_LENGTH}, not {config['construct']['length']}; raise it, or remove "
            "the model"
        )


def _released(plan: Plan) -> Iterator[str]:
    config = plan.config
    if config["weights"] != "released":
        return
    yield from unknown("released", config["released"], config["media"])
    if not any(map(plan.released, config["models"])):
        yield (
            "weights: no model can take the released weights; they fit only a model of "
            "architecture crmnet with `pretrain: true` and without a `recipe`, a `precision` or a "
            "key of `model` of its own; declare such a model, or set `weights: trained`"
        )
    # The released weights have the paper's sizes. Dropout has no weights, so it may differ.
    paper = yaml.safe_load(PAPER.read_text())
    wanted = {f"model.{key}": paper["model"].get(key) for key in config["model"]}
    wanted |= {"construct.length": paper["length"]}
    del wanted["model.flavour"], wanted["model.dropout"]
    for key, value in wanted.items():
        section, name = key.split(".")
        if config[section][name] != value:
            yield (
                f"{key}: the released weights need {value}, not {config[section][name]}; correct "
                "it, or set `weights: trained`"
            )


def _training(config: dict) -> Iterator[str]:
    training = config["training"]
    if training["backend"] == "tensorflow":
        if training["device"] == "tpu":
            yield "training.device: training on TPUs needs JAX; set `training: backend: jax`"
        if training["hosts"] > 1:
            yield (
                "training.hosts: training on several hosts needs JAX; set `training: backend: jax`"
            )
    if launcher := training["launcher"]:
        # Other fields of `str.format` could ask for more memory than a machine has.
        plain = launcher.replace("{hosts}", str(training["hosts"]))
        try:
            fault = "there are other braces" if set("{}") & set(plain) else ""
            shlex.split(plain)
        except ValueError as error:
            fault = error
        if fault:
            yield (
                f"training.launcher: {launcher} cannot be read as a command ({fault}); close each "
                "quote, and use braces only for `{hosts}`"
            )


def _motifs(plan: Plan) -> Iterator[str]:
    motifs, media = plan.config["motifs"], plan.config["media"]
    if not motifs:
        return
    yield from _no_predictor("motifs.model", [motifs["model"]], plan)
    yield from unknown("motifs.medium", [motifs["medium"]], media)
    yield from _without_trainings("motifs.model", motifs["model"], [motifs["medium"]], plan)
    if motifs["medium"] in media:
        yield from unknown("motifs.test_set", [motifs["test_set"]], media[motifs["medium"]]["test"])
    for key, span in (
        ("discover.widths", motifs["discover"]["widths"]),
        ("drimust.words", motifs["drimust"]["words"]),
    ):
        if span[0] > span[1]:
            yield f"motifs.{key}: the range {span} is reversed; put the smaller number first"
    yield from _known_motifs(motifs["known"])


def _known_motifs(known: str | dict) -> Iterator[str]:
    """Checks that JASPAR has the taxon, or that the file has motifs."""
    key = "motifs.known"
    if isinstance(known, str) and (fault := fault_of_path(known)):
        yield f"{key}: {fault}"
    elif isinstance(known, str) or find_spec("pyjaspar"):
        # On a machine that only starts jobs, the package may be missing; the job then checks.
        try:
            of_file(known) if isinstance(known, str) else taxon_of(**known)
        except MotifError as error:
            yield f"{key}: {error}"


def _benchmark(config: dict) -> Iterator[str]:
    if benchmark := config["benchmark"]:
        yield from unknown("benchmark.model", [benchmark["model"]], config["models"])
        yield from unknown("benchmark.medium", [benchmark["medium"]], config["media"])


def _score(plan: Plan) -> Iterator[str]:
    score, media = plan.config["score"], plan.config["media"]
    if not score:
        return
    yield from _no_predictor("score.model", [score["model"]], plan)
    if score["medium"] is not None:
        yield from unknown("score.medium", [score["medium"]], media)
    asked = [score["medium"]] if score["medium"] else media
    yield from _without_trainings("score.model", score["model"], asked, plan)
    yield from declarations.faults_of_score(score)


def _figures(plan: Plan) -> Iterator[str]:
    for name, figure in plan.config["figures"].items():
        yield from _no_predictor(f"figures.{name}.model", [figure["model"]], plan)
        yield from unknown(f"figures.{name}.media", plan.figure_media(name), plan.config["media"])
        against = figure.get("against", [])
        yield from _no_predictor(f"figures.{name}.against", against, plan)
        if figure["model"] in against:
            yield (
                f"figures.{name}.against: {figure['model']} is the figure's own `model`; remove it"
            )
        yield from _without_predictions(name, plan)


def _without_predictions(name: str, plan: Plan) -> Iterator[str]:
    """Checks that a figure's model is trained to predict every test set that the figure shows."""
    key, predictor = f"figures.{name}.model", plan.config["figures"][name]["model"]
    model = trained(predictor)
    if model not in plan.config["models"]:
        return
    shown = plan.panels(name)
    yield from _without_trainings(key, predictor, dict(shown), plan)
    for medium in dict.fromkeys(medium for medium, _ in shown):
        predicted = plan.predicted_sets(model, medium)
        lacking = [test for of, test in shown if of == medium and test not in predicted]
        if lacking:
            yield (
                f"{key}: {model} is not trained to predict {', '.join(lacking)} in medium "
                f"{medium}, because the published predictions are used there; set "
                "`baselines: both`, or name another model"
            )


def _without_trainings(key: str, predictor: str, media: Iterable[str], plan: Plan) -> Iterator[str]:
    """Checks that no ensemble is asked for in a medium whose model takes the released weights."""
    model = trained(predictor)
    if predictor == model or model not in plan.config["models"]:
        return
    for medium in set(media) & set(plan.released(model)):
        yield (
            f"{key}: {predictor} has no trainings to average in medium {medium}, because "
            f"{model} takes the released weights there; name {model}"
        )


def _no_predictor(key: str, names: list[str], plan: Plan) -> Iterator[str]:
    """Checks that each name is a declared model, or the ensemble of a model with several seeds."""
    models = plan.config["models"]
    for name in names:
        if name not in models and (trained(name) == name or name not in plan.predictors):
            yield (
                f"{key}: {name!r} is not declared in `models`; choose one of {', '.join(models)}, "
                "or `<model>-ensemble` if it has several seeds"
            )


def _no_folder(path: Path, written: bool) -> str | None:
    """Returns why a folder cannot be used or created, or cannot be `written` to; None if it
    can."""
    there = next((p for p in (path, *path.parents) if os.path.lexists(p)), Path("."))
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        return f"{str(path)[:60]} cannot be a folder ({getattr(error, 'strerror', None) or error})"
    if not os.path.isdir(there):
        return f"{there} is a file, not a folder"
    if written and not os.access(there, os.W_OK | os.X_OK):
        return f"{there} cannot be written to"
    return None
