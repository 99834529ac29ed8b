"""Checks a config and completes it. Says what is wrong in sentences, with the key and the mend."""

from __future__ import annotations

import difflib
import math
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import jsonschema
import yaml

from crmnet.data.delimited import TableError, column_number, first_row, is_fasta
from crmnet.data.downloads import DownloadError, file_name

SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
REMOVABLE = ("media", "models", "recipes", "figures")
PRETRAINED = "pretrained"
CRMNET = "crmnet"
# A predictor of this name is a model's published predictions, not one that is trained here.
PUBLISHED = "{model}-published"
# ... and of this one, the mean of the predictions of a model's trainings from several seeds.
ENSEMBLE = "{model}-ensemble"
# The authors' weights are in models/ under this name.
RELEASED = "released"
# What the released weights fit.
RELEASED_LENGTH = 112
RELEASED_MODEL = {
    "width": 128,
    "kernel_size": 11,
    "transformer_blocks": 8,
    "heads": 12,
    "transformer": True,
    "squeeze_excitation": True,
}
# The figures of measured against predicted expression, and those of the motif jobs.
SCATTERS = ("figure2", "figureS1")
MOTIF_FIGURES = ("figure5", "figureS2", "figure_sanity")
# What the config's section of this name can have.
FIGURES = (*SCATTERS, "figure3", "figure4")
# The baselines' kernels and pools need that many tokens.
BASELINE_LENGTH = 32
# What `rule hold_out` makes.
HELD_OUT = "data/{medium}/held_out/{test_set}.tsv"
# What `rule simulate` makes of each medium.
SIMULATED = ("train.tsv.gz", "native.csv", "random.csv")
# No number of the config is larger; seeds of R, for one, cannot be.
LARGEST = 2**31 - 1


# JSON Schema's types, as a sentence names them.
KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number (integer)",
    "null": "null",
    "number": "a number",
    "object": "keys with values",
    "string": "text",
}


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
        for key in ("outdir", "resources"):
            # `a//b/` is `a/b`: files that are made are known by how their paths are spelled.
            config[key] = str(Path(config[key]))
        for model in config["models"].values():
            model.setdefault("recipe", config["recipe"])
        _choose_data(config)
        errors = [*_held_out(config)]
    if not errors:
        for file in files(config):
            file["path"] = str(_path(file, config))
        errors = list(_contradictions(config))
    if errors:
        raise ConfigError("the config cannot be run:\n" + "\n".join(f"  {e}" for e in errors))
    config["left_out"] = _left_out(config)
    for name in config["left_out"]:
        config["figures"].pop(name, None)
    return config


def panels(config: dict, figure: str) -> list[tuple[str, str]]:
    """Medium and test set of each panel of Figure 2, S1, 3 or 4."""
    tests = {
        medium: config["media"][medium]["test"]
        for medium in config["figures"][figure]["media"]
        if medium in config["media"]
    }
    return [
        (medium, name)
        for medium, tables in tests.items()
        for name, table in tables.items()
        if table["scatter"] or figure not in SCATTERS
    ]


def files(config: dict) -> list[dict]:
    """Every file that the config declares: tables, and archives of weights."""
    return [entry for _, entry in (*_tables(config), *_archives(config))]


def given_files(config: dict) -> Iterator[tuple[str, Path]]:
    """The files and folders that a run reads and does not make, each with the key that names it:
    local tables and archives, what `mirror` has of the downloads, and what is to be scored."""
    for key, file in (*_tables(config), *_archives(config)):
        path = Path(file["path"])
        if is_url(file["file"]):
            if config["mirror"]:
                yield "mirror", Path(config["mirror"], path.name)
        elif "held_out" not in file and simulated(config) not in path.parents:
            yield f"{key}.file", path
    for key, table in (config["score"] or {}).items():
        if isinstance(table, dict) and "file" in table:
            yield f"score.{key}.file", Path(table["file"])


def is_url(file: str) -> bool:
    """Whether a table's `file` is to be downloaded."""
    return file.lower().startswith(("http://", "https://"))


def simulated(config: dict, *parts: str) -> Path:
    """The folder of the simulated tables, or a path in it."""
    return Path(config["outdir"], "simulated", *parts)


def recipe(config: dict, model: str, stage: str) -> dict:
    """The keys of `training` with those of the model's recipe over them, and of both the stage's
    over those; none that do not change what is trained, or another stage's would have it trained
    again."""
    base, over = config["training"], config["recipes"][config["models"][model]["recipe"]]
    merged = base | over
    merged |= base["stages"].get(stage, {}) | over.get("stages", {}).get(stage, {})
    merged["precision"] = config["models"][model].get("precision", base["precision"])
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
    # Not of one that is trained in another way: its point is what that does.
    changed = {*config["model"], "precision"} & set(own) or own["recipe"] != config["recipe"]
    whole = own["architecture"] == CRMNET and own["pretrain"] and not changed
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


def trained(predictor: str) -> str:
    """The model whose trainings a predictor is, or averages."""
    return predictor.removesuffix(ENSEMBLE.format(model=""))


def seeds(config: dict, model: str) -> list[int]:
    """The seeds of a model, which is trained once for each."""
    return config["models"][model].get("seeds", config["seeds"])


def predictors(config: dict) -> dict[str, list[str]]:
    """What has predictions: a model, its name in `ENSEMBLE` where it is trained from several seeds,
    or its name in `PUBLISHED` -> media."""
    found = {}
    for model in config["models"]:
        predicted, published = (
            [medium for medium in config["media"] if sets(config, model, medium)]
            for sets in (predicted_sets, published_sets)
        )
        averaged = [medium for medium in predicted if medium not in released(config, model)]
        found[model] = predicted
        found[ENSEMBLE.format(model=model)] = averaged if len(seeds(config, model)) > 1 else []
        found[PUBLISHED.format(model=model)] = published
    return {name: media for name, media in found.items() if media}


def trainings(config: dict) -> list[tuple[str, int, str]]:
    """Every training that the predictions need: model, seed, and stage, `PRETRAINED` or a
    medium."""
    found = []
    for model, media in predictors(config).items():
        if model in config["models"]:
            media = [medium for medium in media if medium not in released(config, model)]
            first = [PRETRAINED] if media and config["models"][model]["pretrain"] else []
            found += [
                (model, seed, stage) for seed in seeds(config, model) for stage in (*first, *media)
            ]
    return found


def budget(config: dict, model: str) -> dict[str, dict[str, int]] | None:
    """Of a model that is to have as many steps as if it were pre-trained (`equal_steps`): epochs
    and batch size of both stages that it would have. None of any other."""
    if not config["models"][model].get("equal_steps"):
        return None
    stages = {stage: recipe(config, model, stage) for stage in ("pretrain", "finetune")}
    return {
        stage: {key: keys[key] for key in ("epochs", "batch_size")}
        for stage, keys in stages.items()
    }


def stage_kind(config: dict, model: str, stage: str) -> str:
    """Which changes of `training: stages` a training takes."""
    if stage == PRETRAINED:
        return "pretrain"
    return "finetune" if config["models"][model]["pretrain"] else "scratch"


def _without_nulls(config: dict) -> dict:
    """A copy without the null entries where a config may take an entry away. With a model go its
    published predictions, and its place in the figures that compare it."""
    models = config.get("models")
    models = models if isinstance(models, dict) else {}
    gone = {name for name, model in models.items() if model is None}

    def copy(value, key, removable):
        if isinstance(value, list):
            kept = [v for v in value if not (key == "against" and trained(str(v)) in gone)]
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


def _choose_data(config: dict) -> None:
    """Fills in which data are shown where the config does not say: in Figure 2 the first medium, in
    Figure S1 the others, in Figures 3 and 4 all; by motifs and benchmark the first medium, and of
    that the first test set."""
    first, *others = config["media"]
    chosen = {"figure2": [first], "figureS1": others}
    for name, figure in config["figures"].items():
        figure.setdefault("media", chosen.get(name, [first, *others]))
    for section in filter(None, (config["motifs"], config["benchmark"])):
        section.setdefault("medium", first)
    if config["motifs"]:
        tests = config["media"].get(config["motifs"]["medium"], {"test": {}})["test"]
        config["motifs"].setdefault("test_set", next(iter(tests), ""))


def _held_out(config: dict) -> Iterator[str]:
    """Declares the tables that `hold_out` makes of the training files; gives what is wrong with the
    keys of a test set."""
    for medium, entry in config["media"].items():
        for name, table in entry["test"].items():
            key = f"media.{medium}.test.{name}"
            if "held_out" not in table:
                if missing := [part for part in ("file", "columns") if part not in table]:
                    yield (
                        f"{key}: lacks the key {' and '.join(map(repr, missing))}; add it, or with "
                        "`held_out: 0.1` take a tenth of the training sequences"
                    )
            elif unfit := [part for part in ("file", "columns") if part in table]:
                yield f"{key}: has both `held_out` and {unfit[0]!r}; take one of them away"
            else:
                table["file"] = str(
                    Path(config["outdir"], HELD_OUT.format(medium=medium, test_set=name))
                )
                table["columns"] = {"sequence": "sequence", "expression": "expression"}
                if entry["split"] == "families":
                    table["columns"]["family"] = "family"


def _left_out(config: dict) -> dict[str, str]:
    """The figures that this config's data or models do not suffice for, and why."""
    absent = [name for name in FIGURES if name not in config["figures"]]
    found = dict.fromkeys(absent, "the config has it not (`figures`)")
    for name, figure in config["figures"].items():
        if not figure["media"]:
            found[name] = "there is no medium but that of Figure 2"
        elif name in SCATTERS and not panels(config, name):
            found[name] = f"no test set of {', '.join(figure['media'])} is drawn (`scatter: false`)"
        elif not figure.get("against", True):
            found[name] = f"there is no model to compare {figure['model']} with (`against`)"
    if not config["motifs"]:
        found |= dict.fromkeys(MOTIF_FIGURES, "there are no motif jobs (`motifs: null`)")
    if not config["benchmark"]:
        found["table1"] = "no training times are measured (`benchmark: null`)"
    return found


def _fill_defaults(validator, properties, instance, schema):
    if isinstance(instance, dict):
        for key, part in properties.items():
            if isinstance(part, dict) and "default" in part:
                default = part["default"]
                instance.setdefault(key, dict(default) if isinstance(default, dict) else default)
    yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](
        validator, properties, instance, schema
    )


def _is_number(checker, value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(checker, value) -> bool:
    # Not 5.0, which JSON Schema takes for one, and of which no range can be made.
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"properties": _fill_defaults},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
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
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{key}: lacks the key {', '.join(map(repr, missing))}; add it"
    whole = repr(error.instance)
    found = whole if len(whole) < 80 else f"{whole[:76]}..."
    if error.validator == "oneOf":
        return f"{key}: must be a column's name, or its number from 1, not {found}"
    if error.validator == "type":
        kinds = error.validator_value
        wanted = " or ".join(KINDS[k] for k in ([kinds] if isinstance(kinds, str) else kinds))
        hint = ""
        if isinstance(error.instance, str) and re.fullmatch(r"-?[\d.]+[eE]-?\d+", error.instance):
            hint = "; in YAML a number with an exponent needs a point and a sign, as in 1.0e-3"
        elif kinds == "string" and not isinstance(error.instance, (dict, list)):
            hint = "; put it in quotes to make text of it"
        return f"{key}: must be {wanted}, not {found}{hint}"
    if error.validator == "enum":
        return f"{key}: must be one of {', '.join(error.validator_value)}, not {found}"
    if error.validator == "pattern":
        # A name that is wrong has no key of its own.
        return f"{key}: {found} {error.schema['description']}"
    return f"{key}: {error.message.replace(whole, found)}"


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
    if mirror and not os.path.isdir(mirror):
        yield f"mirror: there is no folder {mirror}; name one that holds the downloads, or null"
    # Downloads that are all there need no folder that can be written to.
    for key, written in (("outdir", True), ("resources", False)):
        if reason := _no_folder(Path(config[key]), written):
            yield f"{key}: {reason}; name another folder"
    if PRETRAINED in config["media"]:
        yield f"media.{PRETRAINED}: a medium cannot have this name; choose another"
    if RELEASED in config["models"]:
        yield f"models.{RELEASED}: a model cannot have this name; choose another"

    training = config["training"]
    if training["backend"] == "tensorflow":
        if training["device"] == "tpu":
            yield "training.device: TPUs are trained on with JAX; set `training: backend: jax`"
        if training["hosts"] > 1:
            yield "training.hosts: several hosts need JAX; set `training: backend: jax`"
    if training["launcher"]:
        try:
            shlex.split(training["launcher"].format(hosts=training["hosts"]))
        except (ValueError, LookupError, AttributeError) as error:
            yield (
                f"training.launcher: {training['launcher']} is no command ({error}); close each "
                "quote, and use braces for `{hosts}` alone"
            )

    urls: dict[str, str] = {}
    archives = _archives(config) if config["weights"] == "released" else ()
    for key, table in [*_tables(config), *archives]:
        path, file = Path(table["path"]), table["file"]
        if "held_out" in table:
            continue
        if is_url(file):
            if path == Path(config["resources"]):
                yield f"{key}.file: {file} names no file; mend the URL"
                continue
            if re.search(r"[{}<>\x00-\x1f]", path.name):
                yield (
                    f"{key}.file: {path.name!r} cannot be a file's name here; give another, as "
                    "`saved_as`"
                )
                continue
            if urls.setdefault(table["path"], file) != file:
                yield (
                    f"{key}.file: another URL has the same file name, {path.name}; give one of "
                    "them another, as `saved_as`"
                )
            if mirror and os.path.isdir(mirror):
                path = mirror / path.name
                if not os.path.isfile(path):
                    yield (
                        f"{key}.file: the mirror {mirror} has no file {path.name}; put it there, "
                        "or take `mirror` away to download it"
                    )
                    continue
        elif simulated(config) in path.parents:
            made = [
                simulated(config, medium, name) for medium in config["media"] for name in SIMULATED
            ]
            if not config["simulation"]:
                yield f"{key}.file: {file} is to be simulated, but `simulation` is null"
            elif path not in made:
                yield (
                    f"{key}.file: {file} is none of the files that are simulated; there is "
                    f"{', '.join(map(str, made))}"
                )
            continue
        elif re.search(r"[{}<>]", file):
            yield f"{key}.file: {file} has one of {{ }} < > in its path; give it another"
            continue
        elif not (os.path.isfile(path) or ("member" in table and os.path.isdir(path))):
            where = f" (`outdir` puts what is simulated in {simulated(config)})"
            where = where if config["simulation"] else ""
            yield f"{key}.file: there is no file {file}{where}; mend the path"
            continue
        elif table["checksum"]:
            yield f"{key}.checksum: is for downloads alone, and {file} is none; take it away"
        if os.path.isfile(path) and "columns" in table:
            yield from _missing_columns(key, path, table)

    if simulation := config["simulation"]:
        for factor, activity in simulation["factors"].items():
            for medium in config["media"]:
                if medium not in activity:
                    yield (
                        f"simulation.factors.{factor}: has no activity in medium {medium!r}, which "
                        "`media` declares; add it"
                    )
        tests = simulation["random"]
        tests += simulation["native_families"] * simulation["native_per_family"]
        if simulation["leaks"] > tests:
            yield (
                f"simulation.leaks: {simulation['leaks']} sequences cannot be leaked from test "
                f"sets of {tests}; lower it"
            )

    construct = config["construct"]
    whole = len(construct["left_flank"] + construct["right_flank"]) + construct["insert_length"]
    if whole > construct["length"]:
        yield (
            f"construct.length: {construct['length']} cuts a sequence of flanks and insert, which "
            f"has {whole}; make it at least that, rounded up to a multiple of 8"
        )

    if config["families"]["distance"] > (most := construct["insert_length"] // 5):
        yield (
            f"families.distance: {config['families']['distance']} is more than a fifth of "
            f"`construct: insert_length` ({construct['insert_length']}), so that unrelated "
            f"sequences would count as relatives; make it {most} at most"
        )

    yield from _split_contradictions(config)
    for name, model in config["models"].items():
        yield from _model_contradictions(f"models.{name}", name, model, config)

    for key, table in _tables(config):
        yield from _unknown(f"{key}.published", list(table.get("published", ())), config["models"])
    if config["weights"] == "released":
        yield from _unknown("released", list(config["released"]), config["media"])
        if not any(released(config, name) for name in config["models"]):
            yield (
                "weights: no model takes the released ones; they are for one of architecture "
                "crmnet, with `pretrain: true`, and no `recipe`, `precision` or key of `model` of "
                "its own"
            )
        for key, value in RELEASED_MODEL.items():
            if config["model"][key] != value:
                yield (
                    f"model.{key}: the released weights are of {value}, not "
                    f"{config['model'][key]}; set that, or `weights: trained`"
                )
        if construct["length"] != RELEASED_LENGTH:
            yield (
                f"construct.length: the released weights are for {RELEASED_LENGTH}, not "
                f"{construct['length']}; set that, or `weights: trained`"
            )

    if motifs := config["motifs"]:
        yield from _motif_contradictions(motifs, config)

    if benchmark := config["benchmark"]:
        yield from _unknown("benchmark.model", [benchmark["model"]], config["models"])
        yield from _unknown("benchmark.medium", [benchmark["medium"]], config["media"])

    if score := config["score"]:
        yield from _score_contradictions(score, config)

    for name, figure in config["figures"].items():
        yield from _no_predictor(f"figures.{name}.model", [figure["model"]], config)
        yield from _unknown(f"figures.{name}.media", figure["media"], config["media"])
        against = figure.get("against", [])
        yield from _no_predictor(f"figures.{name}.against", against, config)
        if figure["model"] in against:
            yield f"figures.{name}.against: {figure['model']} is its `model`; take it away"
        yield from _without_predictions(name, config)


def _split_contradictions(config: dict) -> Iterator[str]:
    """What would put relatives of one medium's validation or held-out sequences into the training
    of another, unseen."""
    splits = {medium: entry["split"] for medium, entry in config["media"].items()}
    if len(set(splits.values())) > 1 and any(m["pretrain"] for m in config["models"].values()):
        yield (
            f"media: {', '.join(f'{m} has `split: {s}`' for m, s in splits.items())}, but models "
            "are pre-trained on all media, and validation sequences of one would be trained on in "
            "another; give all media the same `split`, or set `pretrain: false` of each model"
        )
    named = {
        f"media.{medium}.train.{number}": "family" in table["columns"]
        for medium, entry in config["media"].items()
        if entry["split"] == "families"
        for number, table in enumerate(entry["train"])
    }
    if len(set(named.values())) > 1:
        with_it, without = (
            next(key for key, has in named.items() if has == wanted) for wanted in (True, False)
        )
        yield (
            f"{without}.columns: names no `family`, but {with_it} does, and relatives between the "
            "two would not be found; name families in every training table, or in none"
        )


def _without_predictions(name: str, config: dict) -> Iterator[str]:
    """A figure's model is one that is trained here, and predicts on all that the figure shows."""
    key, model = f"figures.{name}.model", trained(config["figures"][name]["model"])
    if model not in config["models"]:
        return
    shown = panels(config, name)
    yield from _without_trainings(key, config["figures"][name]["model"], dict(shown), config)
    for medium in dict.fromkeys(medium for medium, _ in shown):
        predicted = predicted_sets(config, model, medium)
        lacking = [test for of, test in shown if of == medium and test not in predicted]
        if lacking:
            yield (
                f"{key}: {model} is not trained to predict {', '.join(lacking)} in medium "
                f"{medium}, of which its published predictions are taken; set `baselines: both`, "
                "or name another model"
            )


def _model_contradictions(key: str, name: str, model: dict, config: dict) -> Iterator[str]:
    if model["recipe"] not in config["recipes"]:
        yield (
            f"{key}.recipe: {model['recipe']!r} is not declared in `recipes`; there is "
            f"{', '.join(config['recipes'])}"
        )
        return
    stages = ("pretrain", "finetune") if model["pretrain"] else ("scratch",)
    for stage in stages:
        merged = recipe(config, name, stage)
        if merged["warmup_epochs"] >= merged["epochs"]:
            yield (
                f"training: stage {stage} of model {name} has {merged['epochs']} epoch(s), all of "
                f"them warm-up ({merged['warmup_epochs']}); raise `epochs` or lower `warmup_epochs`"
            )
    if model["pretrain"] and model.get("equal_steps"):
        yield (
            f"{key}.equal_steps: is for a model without pre-training, which then has as many steps "
            "as one with it; take it away, or set `pretrain: false`"
        )
    if architecture(config, name).get("bins") == 1:
        yield f"{key}: its recipe has one of `bins`, which says nothing; give two or more, or 0"
    if model["architecture"] != CRMNET:
        for unfit in sorted(set(model) & set(config["model"]) - {"width"}):
            yield f"{key}.{unfit}: is CRMnet's, not of {model['architecture']}; take it away"
        if config["construct"]["length"] < BASELINE_LENGTH:
            yield (
                f"{key}.architecture: {model['architecture']} needs a `construct: length` of at "
                f"least {BASELINE_LENGTH}, not {config['construct']['length']}; raise that, or "
                "take the model away"
            )


def _motif_contradictions(motifs: dict, config: dict) -> Iterator[str]:
    yield from _no_predictor("motifs.model", [motifs["model"]], config)
    yield from _unknown("motifs.medium", [motifs["medium"]], config["media"])
    yield from _without_trainings("motifs.model", motifs["model"], [motifs["medium"]], config)
    if motifs["medium"] in config["media"]:
        tests = config["media"][motifs["medium"]]["test"]
        yield from _unknown("motifs.test_set", [motifs["test_set"]], tests)
    for key, span in (
        ("discover.widths", motifs["discover"]["widths"]),
        ("drimust.words", motifs["drimust"]["words"]),
    ):
        if span[0] > span[1]:
            yield f"motifs.{key}: {span} goes down; give the smaller number first"


def _score_contradictions(score: dict, config: dict) -> Iterator[str]:
    yield from _no_predictor("score.model", [score["model"]], config)
    if score["medium"] is not None:
        yield from _unknown("score.medium", [score["medium"]], config["media"])
    media = [score["medium"]] if score["medium"] else config["media"]
    yield from _without_trainings("score.model", score["model"], media, config)
    for key in ("sequences", "variants"):
        table = score[key]
        if not isinstance(table, dict):
            continue
        file, key = table["file"], f"score.{key}"
        if is_url(file):
            yield f"{key}.file: {file} is a URL; download it, and give its path"
        elif re.search(r"[{}<>]", file):
            yield f"{key}.file: {file} has one of {{ }} < > in its path; give it another"
        elif not os.path.isfile(file):
            yield f"{key}.file: there is no file {file}; mend the path"
        elif not (key == "score.sequences" and _is_fasta(Path(file))):
            columns = {name: at for name, at in table["columns"].items() if at is not None}
            yield from _missing_columns(key, Path(file), {**table, "columns": columns})


def _is_fasta(path: Path) -> bool:
    try:
        return is_fasta(path)
    except TableError:
        return False


def _without_trainings(
    key: str, predictor: str, media: Iterable[str], config: dict
) -> Iterator[str]:
    """An ensemble averages trainings, which a medium with released weights has none of."""
    model = trained(predictor)
    if predictor == model or model not in config["models"]:
        return
    for medium in set(media) & set(released(config, model)):
        yield (
            f"{key}: {predictor} has no trainings to average in medium {medium}, which takes the "
            f"released weights; name {model}"
        )


def _no_predictor(key: str, names: list[str], config: dict) -> Iterator[str]:
    """What figures show and jobs ask is a model, or the ensemble of one with several seeds."""
    known = predictors(config)
    for name in names:
        if name not in config["models"] and (trained(name) == name or name not in known):
            yield (
                f"{key}: {name!r} is not declared in `models`; there is "
                f"{', '.join(config['models'])}, or `<model>-ensemble` of several seeds"
            )


def _unknown(key: str, names: list[str], declared: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name not in declared:
            yield f"{key}: {name!r} is not declared; there is {', '.join(declared)}"


def _no_folder(path: Path, written: bool) -> str | None:
    """Why a folder cannot be had, or cannot be `written` to, whether it is there or is to be made;
    None if it can."""
    there = next((p for p in (path, *path.parents) if os.path.lexists(p)), Path("."))
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        return f"{str(path)[:60]} can be no folder ({getattr(error, 'strerror', None) or error})"
    if not os.path.isdir(there):
        return f"{there} is a file, not a folder"
    if written and not os.access(there, os.W_OK | os.X_OK):
        return f"{there} cannot be written to"
    return None


def _missing_columns(key: str, path: Path, table: dict) -> Iterator[str]:
    try:
        cells, _ = first_row(path)
        for column in table["columns"].values():
            column_number(path, column, cells, table["header"])
    except TableError as error:
        yield f"{key}: {error}"
