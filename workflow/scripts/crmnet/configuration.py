"""Checks a config and completes it. Says what is wrong in sentences, with the key and the mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import yaml

from crmnet.delimited import TableError, column_number, first_row
from crmnet.downloads import DownloadError, file_name

SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
REMOVABLE = ("media", "models", "recipes", "figures")
PRETRAINED = "pretrained"
CRMNET = "crmnet"
# A predictor of this name is a model's published predictions, not one that is trained here.
PUBLISHED = "{model}-published"


class ConfigError(ValueError):
    """A config that cannot be run: one line for each thing that is wrong with it."""


def checked(config: dict) -> dict:
    """The config without the entries that are null, with every default, each table with the `path`
    at which the workflow finds it.

    Raises:
        ConfigError: names each key that is wrong, and what to change.
    """
    config = _without_nulls(config)
    schema = yaml.safe_load(SCHEMA.read_text())
    errors = [_sentence(error) for error in _Validator(schema).iter_errors(config)]
    if not errors:
        for model in config["models"].values():
            model.setdefault("recipe", config["recipe"])
        for file in files(config):
            file["path"] = str(_path(file, config))
        errors = list(_contradictions(config))
    if errors:
        raise ConfigError("the config cannot be run:\n" + "\n".join(f"  {e}" for e in errors))
    return config


def files(config: dict) -> list[dict]:
    """Every file that the config declares: tables, and archives of weights."""
    return [entry for _, entry in (*_tables(config), *_archives(config))]


def is_url(file: str) -> bool:
    """Whether a table's `file` is to be downloaded."""
    return file.lower().startswith(("http://", "https://"))


def simulated(config: dict) -> Path:
    """The folder of the simulated tables."""
    return Path(config["outdir"], "simulated")


def recipe(config: dict, model: str, stage: str) -> dict:
    """The keys of `training` with those of the model's recipe over them, and of both the stage's
    over those; none that do not change what is trained, or another stage's would have it trained
    again."""
    base, over = config["training"], config["recipes"][config["models"][model]["recipe"]]
    merged = base | over
    merged |= base["stages"].get(stage, {}) | over.get("stages", {}).get(stage, {})
    return {k: v for k, v in merged.items() if k not in ("bins", "stages", "threads", "mem_mb")}


def hardware(config: dict) -> dict:
    """The keys of `training` that a prediction depends on."""
    return {key: config["training"][key] for key in ("backend", "device", "precision")}


def architecture(config: dict, model: str) -> dict:
    """The name of a model's `architecture`, and what its builder takes: of CRMnet the keys of
    `model` with the model's own over them and the bins of its recipe, of another the width."""
    own = {**config["models"][model]}
    name = own["architecture"]
    if name != CRMNET:
        return {"architecture": name, "width": own.get("width", config["model"]["width"])}
    arguments = config["model"] | {k: v for k, v in own.items() if k in config["model"]}
    bins = (config["training"] | config["recipes"][own["recipe"]])["bins"]
    if released(config, model):
        arguments["flavour"] = "released"
    return {"architecture": name, **arguments, "bins": bins}


def released(config: dict, model: str) -> list[str]:
    """The media in which a model takes the authors' weights: with `weights: released`, those that
    have some, for the whole CRMnet."""
    own = config["models"][model]
    whole = (
        own["architecture"] == CRMNET and own["pretrain"] and not set(own) & set(config["model"])
    )
    return list(config["released"]) if whole and config["weights"] == "released" else []


def predicted_sets(config: dict, model: str, medium: str) -> dict:
    """The test sets of a medium, name -> table, on which a model that is trained here predicts: all
    for CRMnet; for a baseline, with `baselines: published`, those for which none are published."""
    tests = config["media"][medium]["test"]
    if config["models"][model]["architecture"] == CRMNET or config["baselines"] != "published":
        return tests
    return {name: table for name, table in tests.items() if model not in table["published"]}


def published_sets(config: dict, model: str, medium: str) -> dict:
    """The test sets of a medium, name -> table, of which a model's published predictions are
    shown."""
    if config["baselines"] == "trained":
        return {}
    tests = config["media"][medium]["test"]
    return {name: table for name, table in tests.items() if model in table["published"]}


def predictors(config: dict) -> dict[str, list[str]]:
    """What has predictions: model, or its name in `PUBLISHED` -> media."""
    found = {}
    for model in config["models"]:
        for name, sets in (
            (model, predicted_sets),
            (PUBLISHED.format(model=model), published_sets),
        ):
            if media := [medium for medium in config["media"] if sets(config, model, medium)]:
                found[name] = media
    return found


def trainings(config: dict) -> list[tuple[str, str]]:
    """Every training that the predictions need: model, and its stage, `PRETRAINED` or a medium."""
    found = []
    for model, media in predictors(config).items():
        if model in config["models"]:
            media = [medium for medium in media if medium not in released(config, model)]
            first = [PRETRAINED] if media and config["models"][model]["pretrain"] else []
            found += [(model, stage) for stage in (*first, *media)]
    return found


def stage_kind(config: dict, model: str, stage: str) -> str:
    """Which changes of `training: stages` a training takes."""
    if stage == PRETRAINED:
        return "pretrain"
    return "finetune" if config["models"][model]["pretrain"] else "scratch"


def _without_nulls(config: dict) -> dict:
    """A copy without the null entries where a config may take an entry away. With a model go its
    published predictions, and its place in the figures that compare it."""
    models = config.get("models")
    gone = {name for name, model in models.items() if model is None} if models else set()

    def copy(value, key, removable):
        if isinstance(value, list):
            kept = [v for v in value if not (key == "against" and v in gone)]
            return [copy(v, "", removable) for v in kept]
        if not isinstance(value, dict):
            return value
        removed = gone if key == "published" else ()
        return {
            k: copy(v, k, removable)
            for k, v in value.items()
            if not (removable and (v is None or k in removed))
        }

    return {key: copy(value, key, key in REMOVABLE) for key, value in config.items()}


def _fill_defaults(validator, properties, instance, schema):
    if isinstance(instance, dict):
        for key, part in properties.items():
            if isinstance(part, dict) and "default" in part:
                default = part["default"]
                instance.setdefault(key, dict(default) if isinstance(default, dict) else default)
    yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](
        validator, properties, instance, schema
    )


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"properties": _fill_defaults}
)


def _sentence(error: jsonschema.ValidationError) -> str:
    key = ".".join(map(str, error.absolute_path)) or "(top level)"
    if error.validator == "additionalProperties" and error.schema[error.validator] is False:
        known = list(error.schema.get("properties", {}))
        unknown = [name for name in error.instance if name not in known]
        hints = []
        for name in unknown:
            near = difflib.get_close_matches(str(name), known, 1, 0.0)
            hints.append(f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name))
        return f"{key}: unknown key {', '.join(hints)}"
    if error.validator == "oneOf":
        return f"{key}: must be a column's name, or its number from 1, not {error.instance!r}"
    return f"{key}: {error.message}"


def _tables(config: dict) -> Iterator[tuple[str, dict]]:
    """Each table that the config declares, with its key."""
    for medium, entry in config["media"].items():
        for number, table in enumerate(entry["train"]):
            yield f"media.{medium}.train.{number}", table
        for name, table in entry["test"].items():
            yield f"media.{medium}.test.{name}", table
            for model, predictions in table["published"].items():
                yield f"media.{medium}.test.{name}.published.{model}", predictions


def _archives(config: dict) -> Iterator[tuple[str, dict]]:
    """The archives of released weights, with their keys."""
    for medium, archive in config["released"].items():
        yield f"released.{medium}", archive


def _path(table: dict, config: dict) -> Path:
    file = table["file"]
    if is_url(file):
        try:
            return Path(config["resources"], table["saved_as"] or file_name(file))
        except DownloadError:
            return Path(config["resources"])
    return Path(file)


def _contradictions(config: dict) -> Iterator[str]:
    mirror = Path(config["mirror"]) if config["mirror"] else None
    if mirror and not mirror.is_dir():
        yield f"mirror: there is no folder {mirror}; name one that holds the downloads, or null"
    if PRETRAINED in config["media"]:
        yield f"media.{PRETRAINED}: a medium cannot have this name; choose another"

    training = config["training"]
    if training["backend"] == "tensorflow":
        if training["device"] == "tpu":
            yield "training.device: TPUs are trained on with JAX; set `training: backend: jax`"
        if training["hosts"] > 1:
            yield "training.hosts: several hosts need JAX; set `training: backend: jax`"

    urls: dict[str, str] = {}
    archives = _archives(config) if config["weights"] == "released" else ()
    for key, table in [*_tables(config), *archives]:
        path, file = Path(table["path"]), table["file"]
        if is_url(file):
            if path == Path(config["resources"]):
                yield f"{key}.file: {file} names no file; mend the URL"
                continue
            if urls.setdefault(table["path"], file) != file:
                yield (
                    f"{key}.file: another URL has the same file name, {path.name}; give one of "
                    "them another, as `saved_as`"
                )
            if mirror and mirror.is_dir():
                path = mirror / path.name
                if not path.is_file():
                    yield (
                        f"{key}.file: the mirror {mirror} has no file {path.name}; put it there, "
                        "or take `mirror` away to download it"
                    )
                    continue
        elif simulated(config) in path.parents:
            if not config["simulation"]:
                yield f"{key}.file: {file} is to be simulated, but `simulation` is null"
            continue
        elif not (path.is_file() or ("member" in table and path.is_dir())):
            yield f"{key}.file: there is no file {file}; mend the path"
            continue
        if path.is_file() and "columns" in table:
            yield from _missing_columns(key, path, table)

    if simulation := config["simulation"]:
        for factor, activity in simulation["factors"].items():
            for medium in config["media"]:
                if medium not in activity:
                    yield (
                        f"simulation.factors.{factor}: has no activity in medium {medium!r}, which "
                        "`media` declares; add it"
                    )

    construct = config["construct"]
    whole = len(construct["left_flank"] + construct["right_flank"]) + construct["insert_length"]
    if whole > construct["length"]:
        yield (
            f"construct.length: {construct['length']} cuts a sequence of flanks and insert, which "
            f"has {whole}; make it at least that, rounded up to a multiple of 8"
        )

    for name, model in config["models"].items():
        yield from _model_contradictions(f"models.{name}", name, model, config)

    for key, table in _tables(config):
        yield from _unknown(f"{key}.published", list(table.get("published", ())), config["models"])
    if config["weights"] == "released":
        yield from _unknown("released", list(config["released"]), config["media"])
        if not any(released(config, name) for name in config["models"]):
            yield (
                "weights: no model takes the released ones; they are for one of architecture "
                "crmnet, with `pretrain: true` and no changes of `model`"
            )

    if motifs := config["motifs"]:
        yield from _motif_contradictions(motifs, config)

    if benchmark := config["benchmark"]:
        yield from _unknown("benchmark.model", [benchmark["model"]], config["models"])
        yield from _unknown("benchmark.medium", [benchmark["medium"]], config["media"])

    for name, figure in config["figures"].items():
        yield from _unknown(f"figures.{name}.model", [figure["model"]], config["models"])
        if "medium" in figure:
            medium = figure["medium"]
            yield from _unknown(f"figures.{name}.medium", [medium], config["media"])
            if medium in config["media"]:
                tests = config["media"][medium]["test"]
                yield from _unknown(f"figures.{name}.panels", figure["panels"], tests)
        else:
            yield from _unknown(f"figures.{name}.against", figure["against"], config["models"])
            yield from _unknown(f"figures.{name}.media", figure["media"], config["media"])


def _model_contradictions(key: str, name: str, model: dict, config: dict) -> Iterator[str]:
    if model["recipe"] not in config["recipes"]:
        yield from _unknown(f"{key}.recipe", [model["recipe"]], config["recipes"])
        return
    stages = ("pretrain", "finetune") if model["pretrain"] else ("scratch",)
    for stage in stages:
        merged = recipe(config, name, stage)
        if merged["warmup_epochs"] >= merged["epochs"]:
            yield (
                f"training: stage {stage} of model {name} has {merged['epochs']} epoch(s), all of "
                f"them warm-up ({merged['warmup_epochs']}); raise `epochs` or lower `warmup_epochs`"
            )
    if model["architecture"] != CRMNET:
        for unfit in sorted(set(model) & set(config["model"]) - {"width"}):
            yield f"{key}.{unfit}: is CRMnet's, not of {model['architecture']}; take it away"


def _motif_contradictions(motifs: dict, config: dict) -> Iterator[str]:
    yield from _unknown("motifs.model", [motifs["model"]], config["models"])
    yield from _unknown("motifs.medium", [motifs["medium"]], config["media"])
    if motifs["medium"] in config["media"]:
        tests = config["media"][motifs["medium"]]["test"]
        yield from _unknown("motifs.test_set", [motifs["test_set"]], tests)
    for key, span in (
        ("discover.widths", motifs["discover"]["widths"]),
        ("drimust.words", motifs["drimust"]["words"]),
    ):
        if span[0] > span[1]:
            yield f"motifs.{key}: {span} goes down; give the smaller number first"


def _unknown(key: str, names: list[str], declared: dict) -> Iterator[str]:
    for name in names:
        if name not in declared:
            yield f"{key}: {name!r} is not declared; there is {', '.join(declared)}"


def _missing_columns(key: str, path: Path, table: dict) -> Iterator[str]:
    try:
        cells, _ = first_row(path)
        for column in table["columns"].values():
            column_number(path, column, cells, table["header"])
    except TableError as error:
        yield f"{key}: {error}"
