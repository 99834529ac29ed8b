"""Lays configs over each other, checks the result and fills in its defaults. Each error is a
sentence that names the key and says what to change. `plan.Plan` then derives from the config what
the workflow does."""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import jsonschema
import yaml

from crmnet.contradictions import contradictions
from crmnet.logs import printable
from crmnet.plan import READ_KEYS, trained

CONFIG = Path(__file__).parents[3] / "config"
SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
# The sections in which a config may remove an entry by setting it to null.
REMOVABLE = ("media", "models", "recipes", "figures")
# The largest whole number that a config may hold. Some of them become seeds of R, which are signed
# 32-bit integers.
LARGEST = 2**31 - 1
# The most values that a config may have. A few lines of YAML aliases can stand for billions.
MOST_VALUES = 1_000_000
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


# The last part of a key -> what to write, if its value is of a wrong type or size.
SHARE = "; a share is a number between 0 and 1, such as 0.1"
WRITE = {
    "held_out": f"{SHARE}, below the name of the test set: `tenth: {{held_out: 0.1}}`",
    "fraction": SHARE,
    "validation_fraction": SHARE,
    "validation": "; write for instance `{fraction: 0.1}`",
    "values": "; write a list, such as [chr8, chr9]",
    "left_flank": '; write "" for a construct without this flank',
    "right_flank": '; write "" for a construct without this flank',
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
        errors = list(contradictions(config))
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
    """Returns a sentence on what is left of the first config's media, if later ones declare media
    of their own: training files of other media, and test sets beside local training files."""
    paper, media = (config.get("media") or {} for config in (configs[0], laid(*configs)))
    media = {medium: entry for medium, entry in media.items() if isinstance(entry, dict)}
    same = [m for m, entry in media.items() if entry.get("train") == paper.get(m, {}).get("train")]
    sentences = []
    if same and len(same) < len(media):
        sentences.append(
            f"the training files of {', '.join(same)} are those of config/config.yaml, because no "
            "other config names any; `null` removes a medium"
        )
    for medium, entry in media.items():
        tests, papers = (of.get("test") or {} for of in (entry, paper.get(medium, {})))
        left = [name for name, table in tests.items() if table and table == papers.get(name)]
        local = "://" not in str(entry.get("train"))
        if left and medium not in same and local:
            sentences.append(
                f"the test sets {', '.join(left)} of {medium} are those of config/config.yaml; "
                "`null` removes a test set"
            )
    return sentences


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
            if not (removable and key != "where" and (v is None or k in removed))
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


@functools.cache
def _homes() -> dict[str, list[str]]:
    """Returns each key of the schema -> the sections that have it."""
    schema, homes = _read(SCHEMA), {}

    def walk(part: object, path: tuple[str, ...]) -> None:
        if not isinstance(part, dict):
            return
        if "$ref" in part:
            walk(schema["$defs"][part["$ref"].rpartition("/")[2]], path)
        for key, inner in part.get("properties", {}).items():
            homes.setdefault(key, []).append(".".join(path) or "the top level")
            walk(inner, (*path, key))
        walk(part.get("items"), path)
        walk(part.get("additionalProperties"), (*path, "<name>"))

    walk(schema, ())
    return homes


def _sentence(error: jsonschema.ValidationError) -> str:
    key = ".".join(map(str, error.absolute_path)) or "(top level)"
    if error.validator == "additionalProperties" and error.schema[error.validator] is False:
        known = list(error.schema.get("properties", {}))
        unknown = [name for name in error.instance if name not in known]
        hints = []
        for name in unknown:
            near = difflib.get_close_matches(str(name), known, 1, 0.6)
            homes = _homes().get(name, ())
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            if not near and homes:
                hint = f" (a key of `{homes[0]}`)"
            elif not near:
                hint = f" (the keys here are {', '.join(known[:9])})" if known else ""
            hints.append(f"{name!r}{hint}")
        more = f" and {len(hints) - 3} more" if len(hints) > 3 else ""
        return f"{key}: unknown key {', '.join(hints[:3])}{more}"
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
        hint = WRITE.get(key.rpartition(".")[2], "")
        exponent = re.fullmatch(r"-?[\d.]+[eE]-?\d+", str(error.instance))
        if not hint and isinstance(error.instance, str) and exponent:
            hint = "; in YAML, a number with an exponent needs a point and a sign, as in 1.0e-3"
        elif not hint and "string" in kinds and not isinstance(error.instance, (dict, list)):
            hint = "; put it in quotes to make it text"
        return f"{key}: must be {wanted}, not {found}{hint}"
    if error.validator == "enum":
        return f"{key}: must be one of {', '.join(error.validator_value)}, not {found}"
    if error.validator == "pattern":
        # A wrong name has no key of its own, so the message repeats the name.
        return f"{key}: {found} {error.schema['description']}"
    return f"{key}: {error.message.replace(whole, found)}{WRITE.get(key.rpartition('.')[2], '')}"
