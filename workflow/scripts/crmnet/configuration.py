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
REMOVABLE = ("media", "models", "figures")
PRETRAINED = "pretrained"


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
        for _, table in _tables(config):
            table["path"] = str(_path(table["file"], config))
        errors = list(_contradictions(config))
    if errors:
        raise ConfigError("the config cannot be run:\n" + "\n".join(f"  {e}" for e in errors))
    return config


def is_url(file: str) -> bool:
    """Whether a table's `file` is to be downloaded."""
    return file.lower().startswith(("http://", "https://"))


def simulated(config: dict) -> Path:
    """The folder of the simulated tables."""
    return Path(config["outdir"], "simulated")


def recipe(config: dict, stage: str) -> dict:
    """The keys of `training` with those of one of its stages over them; none that do not change
    what is trained, or another stage's would have it trained again."""
    merged = {**config["training"], **config["training"]["stages"].get(stage, {})}
    return {k: v for k, v in merged.items() if k not in ("stages", "threads", "mem_mb")}


def hardware(config: dict) -> dict:
    """The keys of `training` that a prediction depends on."""
    return {key: config["training"][key] for key in ("backend", "device", "precision")}


def architecture(config: dict, model: str) -> dict:
    """The keys of `model` with those of one of the models over them."""
    merged = {**config["model"], **config["models"][model]}
    merged.pop("pretrain")
    return merged


def _without_nulls(config: dict) -> dict:
    """A copy without the null entries where a config may take an entry away."""

    def copy(value, keys):
        if not isinstance(value, dict):
            return [copy(v, (*keys, "")) for v in value] if isinstance(value, list) else value
        here = keys and keys[0] in REMOVABLE and len(keys) in (1, 3)
        return {k: copy(v, (*keys, k)) for k, v in value.items() if not (here and v is None)}

    return copy(config, ())


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


def _path(file: str, config: dict) -> Path:
    if is_url(file):
        try:
            return Path(config["resources"], file_name(file))
        except DownloadError:
            return Path(config["resources"])
    return Path(file)


def _contradictions(config: dict) -> Iterator[str]:
    mirror = Path(config["mirror"]) if config["mirror"] else None
    if mirror and not mirror.is_dir():
        yield f"mirror: there is no folder {mirror}; name one that holds the downloads, or null"
    if PRETRAINED in config["media"]:
        yield f"media.{PRETRAINED}: a medium cannot have this name; choose another"

    urls: dict[str, str] = {}
    for key, table in _tables(config):
        path, file = Path(table["path"]), table["file"]
        if is_url(file):
            if path == Path(config["resources"]):
                yield f"{key}.file: {file} names no file; mend the URL"
                continue
            if urls.setdefault(table["path"], file) != file:
                yield f"{key}.file: another URL has the same file name, {path.name}; rename one"
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
        elif not path.is_file():
            yield f"{key}.file: there is no file {file}; mend the path"
            continue
        if path.is_file():
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

    for stage in ("pretrain", "finetune", "scratch"):
        merged = recipe(config, stage)
        if merged["warmup_epochs"] >= merged["epochs"]:
            yield (
                f"training: stage {stage} has {merged['epochs']} epoch(s), all of them warm-up "
                f"({merged['warmup_epochs']}); raise `epochs` or lower `warmup_epochs`"
            )

    for name, figure in config["figures"].items():
        yield from _unknown(f"figures.{name}.model", [figure["model"]], config["models"])
        medium = figure["medium"]
        yield from _unknown(f"figures.{name}.medium", [medium], config["media"])
        if medium in config["media"]:
            tests = config["media"][medium]["test"]
            yield from _unknown(f"figures.{name}.panels", figure["panels"], tests)


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
