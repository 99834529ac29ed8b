"""Checks a config and fills in its defaults. Each error is a sentence that names the key and says
what to change. `plan.Plan` then derives from the config what the workflow does."""

from __future__ import annotations

import contextlib
import difflib
import functools
import math
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import jsonschema
import yaml

from crmnet.data import zenodo
from crmnet.data.conditions import ConditionError, condition
from crmnet.data.delimited import TableError, check, is_fasta, open_text, rows
from crmnet.data.downloads import UNFINISHED
from crmnet.data.flanks import ADD, SEEN, STOP, lacks, without_flanks
from crmnet.data.sequences import Construct, bad_letter
from crmnet.data.vcf import is_vcf
from crmnet.data.web import DownloadError
from crmnet.logs import printable
from crmnet.models import registry
from crmnet.motifs.known import of_file, taxon_of
from crmnet.motifs.motif import MotifError
from crmnet.plan import (
    CRMNET,
    PRETRAINED,
    READ_KEYS,
    RELEASED,
    SIMULATED,
    Plan,
    declared,
    is_url,
    trained,
)

CONFIG = Path(__file__).parents[3] / "config"
SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
# The sections in which a config may remove an entry by setting it to null.
REMOVABLE = ("media", "models", "recipes", "figures")
# The number of rows of a local table whose sequences are measured before any job starts.
FIRST = 200
# The fewest tokens that the baselines' kernels and pools can take.
BASELINE_LENGTH = 32
# The largest whole number that a config may hold. Some of them become seeds of R, which are signed
# 32-bit integers.
LARGEST = 2**31 - 1


# The most values that a config may have. A few lines of YAML aliases can stand for billions.
MOST_VALUES = 1_000_000
# The first letter of a file that was meant to be FASTA -> what it seems to be.
OTHER_FASTA = {
    "@": "seems to be FASTQ; write its reads as FASTA",
    ";": "begins with `;`; a FASTA file begins with `>`, so remove the lines before the first `>`",
}
# The words for the types of JSON Schema in an error message.
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
    """The config cannot be run. The message has one line for each error in it."""

    def __init__(self, message: str):
        super().__init__(printable(message))


def checked(config: dict) -> dict:
    """Returns the config with every default and without its null entries. The result is itself a
    valid config, which this function returns unchanged.

    Raises:
        ConfigError: the config has errors; the message names each wrong key and what to change.
    """
    config = _without_nulls(config)
    errors = list(map(_sentence, _Validator(_read(SCHEMA)).iter_errors(config)))
    errors = errors or list(_test_sets(config))
    if not errors:
        for key in ("outdir", "resources"):
            # `a//b/` becomes `a/b`, because Snakemake matches output files by the spelling of their
            # paths.
            config[key] = str(Path(config[key]))
        _choose_data(config)
        # This gives the chosen keys their places. The checks below name what is wrong with them.
        list(_Validator(_read(SCHEMA)).iter_errors(config))
        errors = list(_contradictions(config))
    if errors:
        raise ConfigError(
            "the config cannot be run:\n" + "\n".join(f"  {e}" for e in dict.fromkeys(errors))
        )
    return config


def paper() -> dict:
    """Returns the paper's config, over which every other config is laid."""
    return _read(CONFIG / "config.yaml")


def laid(*configs: dict) -> dict:
    """Returns the configs laid over each other, key by key, the last over all others.

    An entry that one config removes (null) and a later one declares anew has nothing of the removed
    entry. The keys of the later configs come first: the first medium is theirs."""

    def lay(under: object, over: object) -> object:
        if not (isinstance(under, dict) and isinstance(over, dict)):
            return over
        return under | {key: lay(under.get(key), value) for key, value in over.items()}

    def ordered(value: object, *like: object) -> object:
        if not isinstance(value, dict):
            return value
        like = [each for each in like if isinstance(each, dict)]
        keys = dict.fromkeys(key for each in (*like, value) for key in each if key in value)
        return {key: ordered(value[key], *(each.get(key) for each in like)) for key in keys}

    return ordered(functools.reduce(lay, configs, {}), *configs[1:])


def inherited_media(configs: Sequence[dict]) -> list[str]:
    """Returns the media whose training files are those of the first config, if a later one names
    training files for others."""
    first, *others = (config.get("media") or {} for config in configs)
    left = [medium for medium, entry in laid(first, *others).items() if entry is not None]
    named = {
        medium for media in others for medium, entry in media.items() if "train" in (entry or {})
    }
    return [medium for medium in left if medium not in named] if named else []


def given(files: Mapping[Path, dict], entries: Iterable[str]) -> list[dict]:
    """Returns the configs of a command line, in the order in which they are `laid` over each other.

    Args:
        files: the config files with their content.
        entries: the `--config` entries (key=value), which lie over all files. A value is read as
            YAML.

    Raises:
        ConfigError: see `faults_of_yaml`; also if an entry is not YAML or is given twice.
    """
    faults = [line for path in files for line in faults_of_yaml(path.read_text("utf-8"), path)]
    of_entries = {}
    for entry in entries:
        key, _, text = entry.partition("=")
        try:
            faults += faults_of_yaml(text, f"--config {key}")
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"--config {entry}: the value is not YAML ({error.problem}); write for instance "
                "--config outdir=results/mine, or --config training='{epochs: 20}'"
            ) from None
        if key in of_entries:
            faults.append(f"--config: the key {key} is given twice; keep only one of them")
        of_entries[key] = value
    if faults:
        raise ConfigError("\n".join(faults))
    return [*files.values(), of_entries]


def overlay(config: dict) -> dict:
    """Returns the config with a null for each entry of `config/config.yaml` that it lacks.

    Snakemake lays every config over `config/config.yaml`. With these nulls, the result is the
    checked config again.
    """
    whole = paper()

    def with_nulls(own, base):
        if not (isinstance(own, dict) and isinstance(base, dict)):
            return own
        kept = {key: with_nulls(value, base.get(key)) for key, value in own.items()}
        return kept | {key: None for key in base if key not in own}

    return config | {key: with_nulls(config[key], whole[key]) for key in REMOVABLE}


def faults_of_yaml(text: str, source: object) -> list[str]:
    """Returns a sentence for each key that occurs more than once in a mapping of YAML or JSON, of
    which Snakemake would silently take the last one, and for aliases that never end.

    Args:
        text: the YAML or JSON.
        source: the place that the sentences name, such as the path of the file.
    """
    # JSON may be indented with tabs, YAML may not.
    root = yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)
    sentences, sizes = [], {}

    def walk(node, name):
        """Returns the number of values that a node stands for, with all aliases in it."""
        # A YAML alias is the same node as its anchor, so it is visited only once. A node within
        # itself has no end.
        if node in sizes or isinstance(node, yaml.ScalarNode):
            return sizes.get(node, 1)
        sizes[node] = math.inf
        if isinstance(node, yaml.SequenceNode):
            items = [walk(item, (*name, str(number))) for number, item in enumerate(node.value)]
            sizes[node] = sum(items)
            return sizes[node]
        lines, size = {}, 0
        for key, value in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and isinstance(key, yaml.ScalarNode):
                lines.setdefault((key.tag, key.value), []).append(key.start_mark.line + 1)
            size += walk(value, (*name, str(key.value)))
        sizes[node] = size
        for (_, key), at in lines.items():
            if len(at) > 1:
                sentences.append(
                    f"{source}: the key {'.'.join((*name, key))} occurs in lines "
                    f"{', '.join(map(str, at[:-1]))} and {at[-1]}; keep only one of them"
                )

        return size

    if root is not None and walk(root, ()) > MOST_VALUES:
        sentences.append(
            f"{source}: its aliases (`*name`) stand for more than {MOST_VALUES:,} values, or for "
            "themselves; write out what they should stand for"
        )
    return sentences


@functools.cache
def _read(path: Path) -> dict:
    """Returns the content of a YAML file that is part of the workflow."""
    return yaml.safe_load(path.read_text())


def _without_nulls(config: dict) -> dict:
    """Returns a copy without the null entries of the sections in `REMOVABLE`. When a model is
    removed, its published predictions and its place in the figures that compare it go too."""
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
    """Checks that each test set either has a table or is held out of the training tables."""
    for medium, entry in config["media"].items():
        for name, table in entry["test"].items():
            key = f"media.{medium}.test.{name}"
            given = [part for part in ("file", *READ_KEYS) if part in table and part != "header"]
            missing = [part for part in ("file", "columns") if part not in table]
            if "held_out" in table and given:
                yield f"{key}: has both `held_out` and {given[0]!r}; remove one of them"
            elif "held_out" not in table and missing:
                yield (
                    f"{key}: lacks the key {' and '.join(map(repr, missing))}; add it, or set "
                    "`held_out: 0.1` to hold out a tenth of the training sequences"
                )


def _choose_data(config: dict) -> None:
    """Fills in the media and the test set that the config leaves open. Figure 2 shows the first
    medium, Figure S1 the other media if there are any, and Figures 3 and 4 show all media. The
    motifs and the benchmark use the first medium, and the motifs its first test set."""
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
        # In the schema's order: jobs whose parameters come in another order would run again.
        ordered = {key: instance[key] for key in properties if key in instance} | instance
        instance.clear()
        instance.update(ordered)
    yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](
        validator, properties, instance, schema
    )


def _is_number(checker, value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(checker, value) -> bool:
    # JSON Schema also takes 5.0 for an integer, but Python's `range` does not.
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
        lists = any(part.get("type") == "array" for part in error.validator_value)
        or_list = ", or a list of different columns" if lists else ""
        return (
            f"{key}: must be a column's name or its number (counted from 1){or_list}, not {found}"
        )
    if error.validator == "type":
        kinds = error.validator_value
        wanted = " or ".join(KINDS[k] for k in ([kinds] if isinstance(kinds, str) else kinds))
        hint = ""
        if isinstance(error.instance, str) and re.fullmatch(r"-?[\d.]+[eE]-?\d+", error.instance):
            hint = "; in YAML, a number with an exponent needs a point and a sign, as in 1.0e-3"
        elif "string" in kinds and not isinstance(error.instance, (dict, list)):
            hint = "; put it in quotes to make it text"
        return f"{key}: must be {wanted}, not {found}{hint}"
    if error.validator == "enum":
        return f"{key}: must be one of {', '.join(error.validator_value)}, not {found}"
    if error.validator == "pattern":
        # A wrong name has no key of its own, so the message repeats the name.
        return f"{key}: {found} {error.schema['description']}"
    return f"{key}: {error.message.replace(whole, found)}"


def _contradictions(config: dict) -> Iterator[str]:
    """Finds the errors that a schema cannot see, section by section."""
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


def _media(plan: Plan) -> Iterator[str]:
    config = plan.config
    if PRETRAINED in config["media"]:
        yield f"media.{PRETRAINED}: a medium cannot have this name; choose another"
    for medium, entry in config["media"].items():
        for name, table in entry["test"].items():
            key = f"media.{medium}.test.{name}.published"
            yield from _unknown(key, table["published"], config["models"])
    yield from _files(plan)
    yield from _weights(config)
    yield from _splits(config)
    yield from _draws(plan)
    yield from _cross_validation(plan)


def _files(plan: Plan) -> Iterator[str]:
    """Checks that each table and each archive of weights in use exists, or can be downloaded or
    simulated, and that each table has the columns that the config names."""
    urls: dict[str, str] = {}
    for key, entry in declared(plan.config):
        try:
            plan.path(entry)
        except DownloadError as error:
            # Also of an archive that is not in use, because the plan has its path.
            yield f"{key}.file: {error}"
            continue
        if key.startswith("released.") and plan.config["weights"] != "released":
            continue
        if is_url(entry["file"]):
            path, wrong = _download(key, entry, urls, plan)
        elif plan.simulated() in (path := Path(entry["file"])).parents:
            # If the file exists, it was left by an earlier run, so its columns are not checked.
            yield from _simulated_file(key, path, plan)
            continue
        else:
            wrong = list(_local_file(key, entry, plan))
        yield from wrong
        yield from _conditions(key, entry)
        if not wrong and os.path.isfile(path) and "columns" in entry:
            wrong = list(_missing_columns(key, path, entry, _labels(key, plan)))
            yield from wrong
            if not wrong and ".published." not in key:
                yield from _other_construct(key, path, entry, plan)
    yield from _unfinished(plan)


def _other_construct(key: str, path: Path, entry: dict, plan: Plan) -> Iterator[str]:
    """Checks that a table's first sequences fit the model, and that its file has the construct's
    flanks anywhere. The jobs then look at all rows."""
    construct = Construct(**plan.config["construct"])
    columns = {"sequence": entry["columns"]["sequence"]}
    flanks = {"left": construct.left_flank, "right": construct.right_flank}
    added = len("".join(flanks.values())) if entry.get("flanks") == ADD else 0
    try:
        absent = [] if added else [side for side in flanks if lacks(path, flanks[side])]
        how = {part: entry.get(part) for part in ("separator", "comment")}
        read = rows(path, columns, entry["header"], **how)
        first = list(islice(read, SEEN if absent else FIRST))
    except TableError:
        return
    lines = {line: cells["sequence"].strip().upper().strip("N") for line, cells in first}
    # What is no sequence is a bad row, of which the jobs tell.
    lines = {line: cell for line, cell in lines.items() if cell and not bad_letter(cell)}
    if lines and (said := without_flanks(absent, [*lines.values()], construct)):
        yield f"{key}: {path}: {said}"
    too_long = [line for line, cell in lines.items() if len(cell) + added > construct.length]
    part, medium = key.split(".")[2], plan.config["media"][key.split(".")[1]]
    # Whether a row may be left out before its sequence counts.
    spared = part == "train" and plan.config["data"]["on_bad_rows"] == "drop"
    spared = spared or "where" in entry or "missing" in entry
    if too_long and medium["longer"] == STOP and not spared:
        yield (
            f"{key}: {path}: {len(too_long)} of the first {len(lines)} sequences are longer than "
            f"`construct: length` ({construct.length}), the first in line {too_long[0]} with "
            f"{len(lines[too_long[0]]) + added} letters{' with the flanks' if added else ''}; "
            "raise `construct: length`, or set `longer: cut` for the medium, which cuts them at "
            "their end"
        )


def _unfinished(plan: Plan) -> Iterator[str]:
    """Checks that no file has the name that a download has until it is complete."""
    paths: dict[str, tuple[str, bool]] = {}
    for key, entry in declared(plan.config):
        with contextlib.suppress(DownloadError):
            paths[os.path.abspath(plan.path(entry))] = key, is_url(entry["file"])
    for path, (key, _) in paths.items():
        for ending in UNFINISHED:
            other, is_download = paths.get(path.removesuffix(ending), (key, False))
            if path.endswith(ending) and is_download:
                yield (
                    f"{key}.file: {Path(path).name} is what the download of {other} is called "
                    "until it is complete; give one of them another name (downloads by `saved_as`)"
                )


def _download(key: str, entry: dict, urls: dict[str, str], plan: Plan) -> tuple[Path, list[str]]:
    """Returns the path at which a download can be read once it is there, and its errors.

    Args:
        urls: path -> URL of the downloads that were checked before; this one is added.
    """
    url, mirror, path = entry["file"], plan.config["mirror"], Path(plan.path(entry))
    if zenodo.record(url) and not key.startswith("released."):
        return path, [f"{key}.file: {url} is a record of Zenodo; name the URL of a file in it"]
    if re.search(r"[{}<>\x00-\x1f]", path.name):
        return path, [
            f"{key}.file: {path.name!r} cannot be a file's name here; set another name as "
            "`saved_as`"
        ]
    if urls.setdefault(str(path), url) != url:
        return path, [
            f"{key}.file: another URL has the same file name, {path.name}; set another "
            "name for one of them as `saved_as`"
        ]
    if mirror and os.path.isdir(mirror):
        path = Path(mirror, path.name)
        if not os.path.isfile(path):
            return path, [
                f"{key}.file: the mirror {mirror} has no file {path.name}; put it there, or remove "
                "`mirror` from the config to download it"
            ]
    return path, []


def _simulated_file(key: str, path: Path, plan: Plan) -> Iterator[str]:
    media = plan.config["media"]
    made = [plan.simulated(medium, name) for medium in media for name in SIMULATED.values()]
    if not plan.config["simulation"]:
        yield (
            f"{key}.file: {path} would be simulated, but `simulation` is null; declare the "
            "simulation, or name another file"
        )
    elif path not in made:
        yield (
            f"{key}.file: {path} is not one of the simulated files; choose one of "
            f"{', '.join(map(str, made))}"
        )


def _local_file(key: str, entry: dict, plan: Plan) -> Iterator[str]:
    file, path = entry["file"], Path(entry["file"])
    if re.search(r"[{}<>\x00-\x1f\x7f]", file):
        yield (
            f"{key}.file: {file!r} has one of {{ }} < > or a control character in its path; rename "
            "the file or its folder"
        )
    elif not (os.path.isfile(path) or (key.startswith("released.") and os.path.isdir(path))):
        simulated = f" (simulated files are in {plan.simulated()}, which follows from `outdir`)"
        where = simulated if plan.config["simulation"] else ""
        yield f"{key}.file: the file {file} does not exist{where}; correct the path"
    elif entry.get("checksum"):
        yield f"{key}.checksum: is only for downloads, and {file} is not one; remove it"


def _conditions(key: str, table: dict) -> Iterator[str]:
    """Checks that each condition of `where` can be read."""
    for column, written in table.get("where", {}).items():
        try:
            condition(written)
        except ConditionError as error:
            yield f"{key}.where.{column}: {error}"


def _weights(config: dict) -> Iterator[str]:
    """Checks that of each medium all training tables have weights or none, and no test table."""
    for medium, entry in config["media"].items():
        has = ["weight" in table["columns"] for table in entry["train"]]
        if any(has) and not all(has):
            yield (
                f"media.{medium}.train.{has.index(False)}.columns: names no `weight`, but "
                f"media.{medium}.train.{has.index(True)} does; name a column of weights in every "
                "training table of a medium, or in none"
            )
        for name, table in entry["test"].items():
            if "weight" in table.get("columns", ()):
                yield (
                    f"media.{medium}.test.{name}.columns.weight: weights are for training; the "
                    "metrics of a test set do not weigh its rows, so remove this key"
                )


def _splits(config: dict) -> Iterator[str]:
    """Checks that relatives of one medium's validation or held-out sequences cannot get into the
    training rows of another medium unnoticed."""
    splits = {medium: entry["split"] for medium, entry in config["media"].items()}
    if len(set(splits.values())) > 1 and any(m["pretrain"] for m in config["models"].values()):
        yield (
            f"media: {', '.join(f'{m} has `split: {s}`' for m, s in splits.items())}, but models "
            "are pre-trained on all media, so that the validation sequences of one medium would be "
            "training sequences of another; give all media the same `split`, or set "
            "`pretrain: false` for each model"
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
            f"{without}.columns: names no `family`, but {with_it} does, so that relatives between "
            "the two would not be found; name families in every training table, or in none"
        )


def _draws(plan: Plan) -> Iterator[str]:
    """Checks how test sets and validation rows are drawn from the training tables."""
    media = plan.config["media"]
    # The value of a column -> the set that takes its rows.
    owners: dict[tuple[str, str], tuple[str, tuple]] = {}
    for medium, entry in media.items():
        yield from _marks(medium, entry)
        draws = {
            f"media.{medium}.test.{name}.held_out": given
            for name, given in plan.held_out(medium).items()
        }
        draws |= {f"media.{medium}.validation": entry[key] for key in entry if key == "validation"}
        met = set()
        for key, given in draws.items():
            if not isinstance(given, dict):
                continue
            yield from _draw(key, given, entry)
            by, values = str(given.get("by")), tuple(map(str, given.get("values", ())))
            for value in ("",) if by == "split" else values:
                # Media may take the same rows for a test set, but no row is for two sets.
                use = "validation" if key.endswith("validation") else "test", values
                other, same = owners.setdefault((by, value), (key, use))
                if same != use or (by, value) in met:
                    what = f"value {value!r} of column {by}" if value else "`by: split`"
                    yield f"{key}: {other} takes {what} too, so its rows would be in two sets"
                met.add((by, value))
    columns = {medium: sorted(map(str, plan.columns_of_draws(medium))) for medium in media}
    first = next(iter(media))
    for medium, own in columns.items():
        if own != columns[first] and any(m["pretrain"] for m in plan.config["models"].values()):
            yield (
                f"media: in {first}, {', '.join(columns[first]) or 'no column'} decides what rows "
                f"are for, but in {medium}, {', '.join(own) or 'no column'} does; models are "
                "pre-trained on all media, so test sequences of one would be training sequences of "
                "another; draw by the same columns in all media (`by`, `columns: {split: ...}`), "
                "or set `pretrain: false` for each model"
            )


def _marks(medium: str, entry: dict) -> Iterator[str]:
    """Checks the columns that say for each row whether it is for training, validation or test."""
    marked = ["split" in table["columns"] for table in entry["train"]]
    if any(marked) and not all(marked):
        yield (
            f"media.{medium}.train.{marked.index(False)}.columns: names no `split`, but "
            f"media.{medium}.train.{marked.index(True)} does; name it in every training table of "
            "the medium, or in none"
        )
    if any(marked) and "validation" in entry:
        yield (
            f"media.{medium}.validation: the column `split` of the training tables says which rows "
            "are for validation; remove one of the two"
        )
    for name, table in entry["test"].items():
        if "split" in table.get("columns", {}):
            yield (
                f"media.{medium}.test.{name}.columns.split: only training tables have this column; "
                "remove it"
            )


def _draw(key: str, given: dict, entry: dict) -> Iterator[str]:
    """Checks the keys of one test set or validation set that is drawn from training tables."""
    by, keys = given.get("by"), {*given} - {"by"}
    if by == "split":
        if key.endswith(".validation"):
            yield f"{key}.by: `columns: {{split: ...}}` alone says this; remove `validation`"
        elif keys:
            yield f"{key}: the marks `test` decide (`by: split`); remove {', '.join(sorted(keys))}"
        elif not any("split" in table["columns"] for table in entry["train"]):
            yield (
                f"{key}.by: the training tables name no column `split`; name the column that says "
                "train, validation or test (`columns: {split: ...}`)"
            )
    elif len(keys) != 1:
        wrong = "has both `fraction` and `values`" if keys else "lacks `fraction` or `values`"
        yield f"{key}: {wrong}; give one of them"
    elif by in (None, "family"):
        if "values" in keys:
            yield f"{key}.values: name the column that has these values, as in `by: chromosome`"
        elif by and entry["split"] != "families":
            yield (
                f"{key}.by: families are known only with `split: families` of the medium; set it, "
                "or remove `by`"
            )


def _cross_validation(plan: Plan) -> Iterator[str]:
    section = plan.config["cross_validation"]
    if not section:
        return
    key = "cross_validation"
    if section["by"] == "split":
        yield f"{key}.by: name a column of the training tables, or `family`"
    yield from _unknown(f"{key}.models", section["models"], plan.config["models"])
    for model in section["models"]:
        if model in plan.config["models"] and plan.released(model):
            yield (
                f"{key}.models: {model} takes the released weights, which were trained on all "
                "folds; set `weights: trained`, or name another model"
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
            f"simulation.leaks: {simulation['leaks']} sequences cannot be leaked from test sets "
            f"that have only {tests}; lower it"
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
    yield from _unknown("released", config["released"], config["media"])
    if not any(map(plan.released, config["models"])):
        yield (
            "weights: no model can take the released weights; they fit only a model of "
            "architecture crmnet with `pretrain: true` and without a `recipe`, a `precision` or a "
            "key of `model` of its own; declare such a model, or set `weights: trained`"
        )
    # The released weights have the paper's sizes. Dropout has no weights, so it may differ.
    paper = _read(CONFIG / "paper.yaml")
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
            yield f"motifs.{key}: the range {span} is reversed; put the smaller number first"
    yield from _known_motifs(motifs["known"])


def _known_motifs(known: str | dict) -> Iterator[str]:
    """Checks that JASPAR has the taxon, or that the file has motifs."""
    key = "motifs.known"
    if isinstance(known, str) and is_url(known):
        yield f"{key}: {known} is a URL; download the file, and give its path"
    elif isinstance(known, str) and not re.fullmatch(r"[^{}<>\x00-\x1f\x7f]+", known):
        yield (
            f"{key}: {known!r} cannot be the path of a file; leave out {{ }} < > and control "
            "characters"
        )
    elif isinstance(known, str) or find_spec("pyjaspar"):
        # On a machine that only starts jobs, the package may be missing; the job then checks.
        try:
            of_file(known) if isinstance(known, str) else taxon_of(**known)
        except MotifError as error:
            yield f"{key}: {error}"


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
    yield from _scored_sequences(score["sequences"])
    if isinstance(variants := score["variants"], dict):
        key, path = "score.variants", Path(variants["file"])
        wrong = list(_given(f"{key}.file", variants["file"]))
        yield from wrong
        if not (wrong or is_vcf(path)):
            yield from _missing_columns(key, path, variants)


def _scored_sequences(table: dict) -> Iterator[str]:
    key, genome = "score.sequences", ("regions", "reference")
    given = [name for name in ("file", *genome) if name in table]
    if given not in (["file"], [*genome]):
        yield (
            f"{key}: has {' and '.join(map(repr, given)) or 'no file'}; give `file`, or both "
            "`regions` and `reference`"
        )
        return
    wrong = [line for name in given for line in _given(f"{key}.{name}", table[name])]
    yield from wrong
    if wrong:
        return
    if given == [*genome]:
        if not _is_fasta(Path(table["reference"])):
            yield (
                f"{key}.reference: {table['reference']} is not a FASTA file; name the FASTA file "
                "of the genome that `regions` refers to"
            )
        return
    path = Path(table["file"])
    if is_vcf(path):
        yield f"{key}.file: {path} is a VCF file; name it as `score: variants: file`"
    elif not _is_fasta(path):
        columns = {name: at for name, at in table["columns"].items() if at is not None}
        wrong = list(_missing_columns(key, path, {**table, "columns": columns}))
        with open_text(path) as file:
            what = wrong and OTHER_FASTA.get(file.read(1))
        yield from [f"{key}.file: {path} {what}"] if what else wrong


def _given(key: str, file: str) -> Iterator[str]:
    """Checks that a file to score is there."""
    if is_url(file):
        yield f"{key}: {file} is a URL; download the file, and give its path"
    elif re.search(r"[{}<>]", file):
        yield f"{key}: {file} has one of {{ }} < > in its path; rename the file or its folder"
    elif not os.path.isfile(file):
        yield f"{key}: the file {file} does not exist; correct the path"


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


def _unknown(key: str, names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{key}: {name!r} is not declared; choose one of {', '.join(known)}"


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


def _labels(key: str, plan: Plan) -> list[str | int]:
    """Returns the columns of a training table that decide what its rows are for."""
    _, medium, kind, *_ = key.split(".")
    if kind != "train":
        return []
    named = dict.fromkeys([*plan.columns_of_draws(medium), plan.column_of_folds])
    return [column for column in named if column not in (None, "split")]


def _missing_columns(
    key: str, path: Path, table: dict, labels: Iterable[str | int] = ()
) -> Iterator[str]:
    how = {part: table.get(part) for part in ("separator", "comment")}
    further = {"where": table.get("where", ()), "by": labels}
    try:
        check(path, table["columns"], table["header"], **how, **further)
    except TableError as error:
        yield f"{key}: {error}"
