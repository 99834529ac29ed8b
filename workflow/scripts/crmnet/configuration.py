"""Checks a config and completes it. What is wrong with it is told in sentences, each with the key
and the mend. `plan.Plan` then says what the config amounts to."""

from __future__ import annotations

import difflib
import math
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import jsonschema
import yaml

from crmnet.data.delimited import TableError, column_number, first_row, is_fasta
from crmnet.data.downloads import DownloadError
from crmnet.models import registry
from crmnet.plan import CRMNET, PRETRAINED, Plan, declared, is_url, trained

CONFIG = Path(__file__).parents[3] / "config"
SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
# The sections in which a config may take an entry away with a null.
REMOVABLE = ("media", "models", "recipes", "figures")
# The authors' weights are in models/ under this name.
RELEASED = "released"
# The baselines' kernels and pools need that many tokens.
BASELINE_LENGTH = 32
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
    """The config with every default, and without the entries that are null; a valid config again,
    which this function returns as it is.

    Raises:
        ConfigError: names each key that is wrong, and what to change.
    """
    config = _without_nulls(config)
    errors = list(map(_sentence, _Validator(_read(SCHEMA)).iter_errors(config)))
    errors = errors or list(_test_sets(config))
    if not errors:
        for key in ("outdir", "resources"):
            # `a//b/` is `a/b`: files that are made are known by how their paths are spelled.
            config[key] = str(Path(config[key]))
        _choose_data(config)
        errors = list(_contradictions(config))
    if errors:
        raise ConfigError(
            "the config cannot be run:\n" + "\n".join(f"  {e}" for e in dict.fromkeys(errors))
        )
    return config


def overlay(config: dict) -> dict:
    """What gives a checked config when Snakemake lays it over `config/config.yaml`, as it does with
    every config: the config itself, with a null for each entry of that file that it lacks."""
    paper = _read(CONFIG / "config.yaml")

    def with_nulls(own, base):
        if not (isinstance(own, dict) and isinstance(base, dict)):
            return own
        kept = {key: with_nulls(value, base.get(key)) for key, value in own.items()}
        return kept | {key: None for key in base if key not in own}

    return config | {key: with_nulls(config[key], paper[key]) for key in REMOVABLE}


def repeated_keys(path: Path) -> list[str]:
    """A sentence for each key that a mapping of a YAML or JSON file has more than once. Snakemake
    would take the last of them and say nothing."""
    # JSON may be indented with tabs, YAML may not.
    text = path.read_text(encoding="utf-8").replace("\t", " ")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    sentences, seen = [], set()

    def walk(node, name):
        # An alias is the node of its anchor.
        if node in seen or isinstance(node, yaml.ScalarNode):
            return
        seen.add(node)
        if isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                walk(item, (*name, str(number)))
            return
        lines = {}
        for key, value in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and isinstance(key, yaml.ScalarNode):
                lines.setdefault((key.tag, key.value), []).append(key.start_mark.line + 1)
            walk(value, (*name, str(key.value)))
        for (_, key), at in lines.items():
            if len(at) > 1:
                sentences.append(
                    f"{path}: the key {'.'.join((*name, key))} stands in lines "
                    f"{', '.join(map(str, at[:-1]))} and {at[-1]}; keep one of them"
                )

    if root is not None:
        walk(root, ())
    return sentences


@cache
def _read(path: Path) -> dict:
    """A file of the workflow's own."""
    return yaml.safe_load(path.read_text())


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


def _test_sets(config: dict) -> Iterator[str]:
    """A test set has a table, or is held out of the training tables."""
    for medium, entry in config["media"].items():
        for name, table in entry["test"].items():
            key = f"media.{medium}.test.{name}"
            given = [part for part in ("file", "columns") if part in table]
            missing = [part for part in ("file", "columns") if part not in table]
            if "held_out" in table and given:
                yield f"{key}: has both `held_out` and {given[0]!r}; take one of them away"
            elif "held_out" not in table and missing:
                yield (
                    f"{key}: lacks the key {' and '.join(map(repr, missing))}; add it, or with "
                    "`held_out: 0.1` take a tenth of the training sequences"
                )


def _choose_data(config: dict) -> None:
    """Fills in which data are shown where the config does not say: in Figure 2 the first medium, in
    Figure S1 the others, if there are any, in Figures 3 and 4 all; by motifs and benchmark the
    first medium, and of that the first test set."""
    first, *others = config["media"]
    chosen = {"figure2": [first], "figureS1": others}
    for name, figure in config["figures"].items():
        if media := chosen.get(name, [first, *others]):
            figure.setdefault("media", media)
    for section in filter(None, (config["motifs"], config["benchmark"])):
        section.setdefault("medium", first)
    if config["motifs"]:
        tests = config["media"].get(config["motifs"]["medium"], {"test": {}})["test"]
        config["motifs"].setdefault("test_set", next(iter(tests), ""))


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
        named = ", ".join(map(repr, missing[:5]))
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        return f"{key}: lacks the key {named}{more}; add it"
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


def _contradictions(config: dict) -> Iterator[str]:
    """What a schema cannot see, section by section."""
    plan = Plan(config)
    yield from _folders(config)
    yield from _construct(config)
    yield from _media(plan)
    yield from _simulation(config)
    yield from _families(config)
    yield from _models(plan)
    yield from _released(plan)
    yield from _training(config)
    yield from _motifs(plan)
    yield from _benchmark(config)
    yield from _score(plan)
    yield from _figures(plan)


def _folders(config: dict) -> Iterator[str]:
    # Downloads that are all there need no folder that can be written to.
    for key, written in (("outdir", True), ("resources", False)):
        if reason := _no_folder(Path(config[key]), written):
            yield f"{key}: {reason}; name another folder"
    mirror = config["mirror"]
    if mirror and not os.path.isdir(mirror):
        yield f"mirror: there is no folder {mirror}; name one that holds the downloads, or null"


def _construct(config: dict) -> Iterator[str]:
    construct = config["construct"]
    whole = len(construct["left_flank"] + construct["right_flank"]) + construct["insert_length"]
    if whole > construct["length"]:
        yield (
            f"construct.length: {construct['length']} is too short for flanks and insert, which "
            f"together have {whole}; make it at least that, rounded up to a multiple of 8"
        )


def _media(plan: Plan) -> Iterator[str]:
    config = plan.config
    if PRETRAINED in config["media"]:
        yield f"media.{PRETRAINED}: a medium cannot have this name; choose another"
    for medium, entry in config["media"].items():
        for name, table in entry["test"].items():
            key = f"media.{medium}.test.{name}.published"
            yield from _unknown(key, table["published"], config["models"])
    yield from _files(plan)
    yield from _splits(config)


def _files(plan: Plan) -> Iterator[str]:
    """Tables, and the archives of weights that are used: each is there or can be had, and has its
    columns."""
    urls: dict[str, str] = {}
    for key, entry in declared(plan.config):
        if key.startswith("released.") and plan.config["weights"] != "released":
            continue
        if is_url(entry["file"]):
            path, wrong = _download(key, entry, urls, plan)
        elif plan.simulated() in (path := Path(entry["file"])).parents:
            # If it is there, it is of an earlier run.
            yield from _simulated_file(key, path, plan)
            continue
        else:
            wrong = list(_local_file(key, entry, plan))
        yield from wrong
        if not wrong and os.path.isfile(path) and "columns" in entry:
            yield from _missing_columns(key, path, entry)


def _download(
    key: str, entry: dict, urls: dict[str, str], plan: Plan
) -> tuple[Path | None, list[str]]:
    """Where a download can be read now, if it is there, and what is wrong with it.

    Args:
        urls: path -> URL of the downloads before it, to which this one is added.
    """
    url, mirror = entry["file"], plan.config["mirror"]
    try:
        path = Path(plan.path(entry))
    except DownloadError:
        return None, [f"{key}.file: {url} names no file; mend the URL"]
    if re.search(r"[{}<>\x00-\x1f]", path.name):
        return None, [
            f"{key}.file: {path.name!r} cannot be a file's name here; give another, as `saved_as`"
        ]
    if urls.setdefault(str(path), url) != url:
        return path, [
            f"{key}.file: another URL has the same file name, {path.name}; give one of them "
            "another, as `saved_as`"
        ]
    if mirror and os.path.isdir(mirror):
        path = Path(mirror, path.name)
        if not os.path.isfile(path):
            return path, [
                f"{key}.file: the mirror {mirror} has no file {path.name}; put it there, or take "
                "`mirror` away to download it"
            ]
    return path, []


def _simulated_file(key: str, path: Path, plan: Plan) -> Iterator[str]:
    media = plan.config["media"]
    made = [plan.simulated(medium, name) for medium in media for name in SIMULATED]
    if not plan.config["simulation"]:
        yield f"{key}.file: {path} is to be simulated, but `simulation` is null"
    elif path not in made:
        yield (
            f"{key}.file: {path} is none of the files that are simulated; there is "
            f"{', '.join(map(str, made))}"
        )


def _local_file(key: str, entry: dict, plan: Plan) -> Iterator[str]:
    file, path = entry["file"], Path(entry["file"])
    if re.search(r"[{}<>]", file):
        yield f"{key}.file: {file} has one of {{ }} < > in its path; give it another"
    elif not (os.path.isfile(path) or (key.startswith("released.") and os.path.isdir(path))):
        simulated = f" (`outdir` puts what is simulated in {plan.simulated()})"
        where = simulated if plan.config["simulation"] else ""
        yield f"{key}.file: there is no file {file}{where}; mend the path"
    elif entry.get("checksum"):
        yield f"{key}.checksum: is for downloads alone, and {file} is not one; take it away"


def _splits(config: dict) -> Iterator[str]:
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


def _simulation(config: dict) -> Iterator[str]:
    simulation = config["simulation"]
    if not simulation:
        return
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
            f"simulation.leaks: {simulation['leaks']} sequences cannot be leaked from test sets of "
            f"{tests}; lower it"
        )


def _families(config: dict) -> Iterator[str]:
    most = config["construct"]["insert_length"] // 5
    if config["families"]["distance"] > most:
        yield (
            f"families.distance: {config['families']['distance']} is more than a fifth of "
            f"`construct: insert_length` ({config['construct']['insert_length']}), so that "
            f"unrelated sequences would count as relatives; make it {most} at most"
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
                f"{key}.recipe: {plan.recipe_name(name)!r} is not declared in `recipes`; there is "
                f"{', '.join(plan.config['recipes'])}"
            )
            continue
        for stage in plan.stages(name):
            merged = plan.recipe(name, stage)
            if merged["warmup_epochs"] >= merged["epochs"]:
                yield (
                    f"training: stage {stage} of model {name} has {merged['epochs']} epoch(s), all "
                    f"of them warm-up ({merged['warmup_epochs']}); raise `epochs` or lower "
                    "`warmup_epochs`"
                )
        if model["pretrain"] and model.get("equal_steps"):
            yield (
                f"{key}.equal_steps: is for a model without pre-training, which then has as many "
                "steps as one with it; take it away, or set `pretrain: false`"
            )
        if plan.architecture(name).get("bins") == 1:
            yield (
                f"{key}: its recipe has `bins: 1`, and one bin cannot tell expressions apart; give "
                "two or more, or 0"
            )
        if model["architecture"] != CRMNET:
            yield from _baseline(key, model, plan.config)


def _baseline(key: str, model: dict, config: dict) -> Iterator[str]:
    for unfit in sorted(set(model) & set(config["model"]) - {"width"}):
        yield f"{key}.{unfit}: is CRMnet's, not of {model['architecture']}; take it away"
    if config["construct"]["length"] < BASELINE_LENGTH:
        yield (
            f"{key}.architecture: {model['architecture']} needs a `construct: length` of at least "
            f"{BASELINE_LENGTH}, not {config['construct']['length']}; raise that, or take the "
            "model away"
        )


def _released(plan: Plan) -> Iterator[str]:
    config = plan.config
    if config["weights"] != "released":
        return
    yield from _unknown("released", config["released"], config["media"])
    if not any(map(plan.released, config["models"])):
        yield (
            "weights: no model takes the released ones; they are for one of architecture crmnet, "
            "with `pretrain: true`, and no `recipe`, `precision` or key of `model` of its own"
        )
    # The paper's sizes. Dropout has no weights.
    paper = _read(CONFIG / "paper.yaml")
    wanted = {f"model.{key}": paper["model"].get(key) for key in config["model"]}
    wanted |= {"construct.length": paper["length"]}
    del wanted["model.flavour"], wanted["model.dropout"]
    for key, value in wanted.items():
        section, name = key.split(".")
        if config[section][name] != value:
            yield (
                f"{key}: the released weights need {value}, not {config[section][name]}; set that, "
                "or `weights: trained`"
            )


def _training(config: dict) -> Iterator[str]:
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
                f"training.launcher: {training['launcher']} cannot be read as a command ({error}); "
                "close each quote, and use braces for `{hosts}` alone"
            )


def _motifs(plan: Plan) -> Iterator[str]:
    motifs, media = plan.config["motifs"], plan.config["media"]
    if not motifs:
        return
    yield from _no_predictor("motifs.model", [motifs["model"]], plan)
    yield from _unknown("motifs.medium", [motifs["medium"]], media)
    yield from _without_trainings("motifs.model", motifs["model"], [motifs["medium"]], plan)
    if motifs["medium"] in media:
        yield from _unknown(
            "motifs.test_set", [motifs["test_set"]], media[motifs["medium"]]["test"]
        )
    for key, span in (
        ("discover.widths", motifs["discover"]["widths"]),
        ("drimust.words", motifs["drimust"]["words"]),
    ):
        if span[0] > span[1]:
            yield f"motifs.{key}: {span} goes down; give the smaller number first"


def _benchmark(config: dict) -> Iterator[str]:
    if benchmark := config["benchmark"]:
        yield from _unknown("benchmark.model", [benchmark["model"]], config["models"])
        yield from _unknown("benchmark.medium", [benchmark["medium"]], config["media"])


def _score(plan: Plan) -> Iterator[str]:
    score, media = plan.config["score"], plan.config["media"]
    if not score:
        return
    yield from _no_predictor("score.model", [score["model"]], plan)
    if score["medium"] is not None:
        yield from _unknown("score.medium", [score["medium"]], media)
    asked = [score["medium"]] if score["medium"] else media
    yield from _without_trainings("score.model", score["model"], asked, plan)
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


def _figures(plan: Plan) -> Iterator[str]:
    for name, figure in plan.config["figures"].items():
        yield from _no_predictor(f"figures.{name}.model", [figure["model"]], plan)
        yield from _unknown(f"figures.{name}.media", plan.figure_media(name), plan.config["media"])
        against = figure.get("against", [])
        yield from _no_predictor(f"figures.{name}.against", against, plan)
        if figure["model"] in against:
            yield f"figures.{name}.against: {figure['model']} is its `model`; take it away"
        yield from _without_predictions(name, plan)


def _without_predictions(name: str, plan: Plan) -> Iterator[str]:
    """A figure's model is one that is trained here, and predicts on all that the figure shows."""
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
                f"{medium}, because its published predictions are taken there; set `baselines: "
                "both`, or name another model"
            )


def _without_trainings(key: str, predictor: str, media: Iterable[str], plan: Plan) -> Iterator[str]:
    """An ensemble averages trainings, and a medium with released weights has none."""
    model = trained(predictor)
    if predictor == model or model not in plan.config["models"]:
        return
    for medium in set(media) & set(plan.released(model)):
        yield (
            f"{key}: {predictor} has no trainings to average in medium {medium}, which takes the "
            f"released weights; name {model}"
        )


def _no_predictor(key: str, names: list[str], plan: Plan) -> Iterator[str]:
    """What figures show and jobs ask is a model, or the ensemble of one with several seeds."""
    models = plan.config["models"]
    for name in names:
        if name not in models and (trained(name) == name or name not in plan.predictors):
            yield (
                f"{key}: {name!r} is not declared in `models`; there is {', '.join(models)}, or "
                "`<model>-ensemble` of several seeds"
            )


def _unknown(key: str, names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{key}: {name!r} is not declared; there is {', '.join(known)}"


def _no_folder(path: Path, written: bool) -> str | None:
    """Why a folder cannot be had, or cannot be `written` to, whether it is there or is to be made;
    None if it can."""
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


def _missing_columns(key: str, path: Path, table: dict) -> Iterator[str]:
    try:
        cells, _ = first_row(path)
        for column in table["columns"].values():
            column_number(path, column, cells, table["header"])
    except TableError as error:
        yield f"{key}: {error}"
