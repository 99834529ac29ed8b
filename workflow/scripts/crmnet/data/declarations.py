"""Checks what a config declares about its data: tables and their columns, splits, folds, files to
score. Each error is a sentence that names the key and says what to change."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from crmnet.data import zenodo
from crmnet.data.conditions import ConditionError, of_column
from crmnet.data.delimited import TableError, check, is_fasta, open_text, rows
from crmnet.data.downloads import UNFINISHED
from crmnet.data.flanks import ADD, SEEN, STOP, lacks, without_flanks
from crmnet.data.sequences import Construct, bad_letter
from crmnet.data.vcf import is_vcf
from crmnet.data.web import DownloadError
from crmnet.plan import PRETRAINED, SIMULATED, Plan, declared, is_url

# The number of rows of a local table whose sequences are measured before any job starts.
FIRST = 200
# The first letter of a file that was meant to be FASTA -> what it seems to be.
OTHER_FASTA = {
    "@": "seems to be FASTQ; write its reads as FASTA",
    ";": "begins with `;`; a FASTA file begins with `>`, so remove the lines before the first `>`",
}


def faults(plan: Plan) -> Iterator[str]:
    """Finds the errors in what a config declares about its data, and in the files themselves."""
    config = plan.config
    if PRETRAINED in config["media"]:
        yield f"media.{PRETRAINED}: a medium cannot have this name; choose another"
    for medium, entry in config["media"].items():
        for name, table in entry["test"].items():
            key = f"media.{medium}.test.{name}.published"
            yield from unknown(key, table["published"], config["models"])
    yield from _files(plan)
    yield from _weights(config)
    yield from _splits(config)
    yield from _draws(plan)
    yield from _cross_validation(plan)
    yield from _simulation(config)
    yield from _families(config)


def cautions(plan: Plan) -> Iterator[str]:
    """Yields a sentence for what a config declares about its data that is likely a mistake."""
    for medium, entry in plan.config["media"].items():
        tables = [*entry["train"], *(table for table in entry["test"].values() if "file" in table)]
        scales = dict.fromkeys(table.get("transform", "none") for table in tables)
        if len(scales) > 1:
            yield (
                f"medium {medium}: its tables have different transforms ({', '.join(scales)}), "
                "right only if their expressions are on one scale afterwards"
            )


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
    left, right = construct.left_flank, construct.right_flank
    added = len(left + right) if entry.get("flanks") == ADD else 0
    try:
        lines, whole = _first_sequences(path, entry, FIRST)
        found = {
            "left": any(cell.startswith(left) for cell in lines.values()),
            "right": any(cell.endswith(right) for cell in lines.values()),
        }
        absent = [side for side in found if not (added or found[side])]
        if not whole:
            # The flank may be further down.
            absent = [side for side in absent if lacks(path, getattr(construct, f"{side}_flank"))]
            if absent:
                lines, _ = _first_sequences(path, entry, SEEN)
    except TableError:
        return
    if lines and (said := without_flanks(absent, [*lines.values()], construct)):
        yield f"{key}: {path}: {said}"
    too_long = [line for line, cell in lines.items() if len(cell) + added > construct.length]
    medium = plan.config["media"][key.split(".")[1]]
    # Whether a row may be left out before its sequence counts.
    spared = plan.config["data"]["on_bad_rows"] == "drop" or "where" in entry or "missing" in entry
    flanked = [
        line
        for line, cell in lines.items()
        if added and cell.startswith(left) and cell.endswith(right)
    ]
    if flanked and not spared:
        yield (
            f"{key}: {path}: {len(flanked)} of the first {len(lines)} sequences have both flanks "
            f"already, the first in line {flanked[0]}; set `flanks: present`"
        )
    elif too_long and medium["longer"] == STOP and not spared:
        yield (
            f"{key}: {path}: {len(too_long)} of the first {len(lines)} sequences are longer than "
            f"`construct: length` ({construct.length}), the first in line {too_long[0]} with "
            f"{len(lines[too_long[0]]) + added} letters{' with the flanks' if added else ''}; "
            "raise `construct: length`, or set `longer: cut` for the medium, which cuts them at "
            "their end"
        )


def _first_sequences(path: Path, entry: dict, number: int) -> tuple[dict[int, str], bool]:
    """Returns line -> sequence of the first rows of a table, and whether these are all its rows.
    What is no sequence is a bad row, of which the jobs tell."""
    columns = {"sequence": entry["columns"]["sequence"]}
    how = {part: entry.get(part) for part in ("separator", "comment")}
    first = list(islice(rows(path, columns, entry["header"], **how), number))
    bare = {line: cells["sequence"].strip().upper().strip("N") for line, cells in first}
    lines = {line: cell for line, cell in bare.items() if cell and not bad_letter(cell)}
    return lines, len(first) < number


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
    if fault := fault_of_path(file):
        yield f"{key}.file: {fault}"
    elif not (os.path.isfile(path) or (key.startswith("released.") and os.path.isdir(path))):
        simulated = f" (simulated files are in {plan.simulated()}, which follows from `outdir`)"
        where = simulated if plan.config["simulation"] else ""
        yield f"{key}.file: the file {file} does not exist{where}; correct the path"
    elif entry.get("checksum"):
        yield f"{key}.checksum: is only for downloads, and {file} is not one; remove it"


def fault_of_path(file: str) -> str | None:
    """Returns why a file of the user cannot be read at its path; None if it can."""
    if is_url(file):
        return f"{file} is a URL; download the file, and give its path"
    if re.search(r"[{}<>\x00-\x1f\x7f]", file):
        return (
            f"{file!r} has one of {{ }} < > or a control character in its path; rename the file or "
            "its folder"
        )
    return None


def _conditions(key: str, table: dict) -> Iterator[str]:
    """Checks that each condition of `where` can be read."""
    for column, written in table.get("where", {}).items():
        try:
            of_column(written)
        except ConditionError as error:
            yield f"{key}.where.{column}: {error}"


def _weights(config: dict) -> Iterator[str]:
    """Checks that of each medium all training tables have weights or none, and no test table."""
    for medium, entry in config["media"].items():
        yield from _in_all_or_none("weight", medium, entry)
        for name, table in entry["test"].items():
            if "weight" in table.get("columns", ()):
                yield (
                    f"media.{medium}.test.{name}.columns.weight: weights are for training; the "
                    "metrics of a test set do not weigh its rows, so remove this key"
                )


def _in_all_or_none(column: str, medium: str, entry: dict) -> Iterator[str]:
    """Checks that all training tables of a medium name a column, or none does."""
    has = [column in table["columns"] for table in entry["train"]]
    if any(has) and not all(has):
        yield (
            f"media.{medium}.train.{has.index(False)}.columns: names no `{column}`, but "
            f"media.{medium}.train.{has.index(True)} does; name it in every training table of the "
            "medium, or in none"
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
            by, values = str(given.get("by")), tuple(sorted(map(str, given.get("values", ()))))
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
    yield from _in_all_or_none("split", medium, entry)
    marked = ["split" in table["columns"] for table in entry["train"]]
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
    yield from unknown(f"{key}.models", section["models"], plan.config["models"])
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


def faults_of_score(score: dict) -> Iterator[str]:
    """Finds the errors in the files of the section `score`."""
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
    if fault := fault_of_path(file):
        yield f"{key}: {fault}"
    elif not os.path.isfile(file):
        yield f"{key}: the file {file} does not exist; correct the path"


def _is_fasta(path: Path) -> bool:
    try:
        return is_fasta(path)
    except TableError:
        return False


def unknown(key: str, names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{key}: {name!r} is not declared; choose one of {', '.join(known)}"


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
