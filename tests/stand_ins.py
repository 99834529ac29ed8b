"""Stand-ins of the public files that the paper's config downloads: made-up measurements in the
exact form of each file, with fewer rows.

The measurements are simulated, so that models have something to learn and the motif jobs something
to find. Columns, order of the rows, N-padding and digits of a file are those of the published one.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from archives import as_zip, below, contents

from crmnet.data.sequences import Construct
from crmnet.data.simulation import Parameters, factors_of, simulate
from crmnet.motifs.known import known_motifs
from crmnet.plan import Plan

MEDIA = ("complex", "defined")
MEASURED, PREDICTED = "Measured Expression", "Predicted Expression"
# The sizes of the files: sequences of a training file without its leaks, families of the native
# promoters and sequences of each, and sequences of a random test set.
TRAIN, FAMILIES, MEMBERS, RANDOM = 1100, 60, 10, 120
# A training file has the first sequences of each test set of its medium, and of the other medium's
# random one; and relatives of native promoters, which differ from them in one letter.
LEAKS, RELATIVES = 6, 4
# The share of the native promoters that are in the native test set of a medium.
NATIVE = 0.6
# In the random test set in complex medium, the letters that an insert has less, or more, than
# others. Shorter sequences are padded with N there, and longer ones cut, both on the left.
OTHER_LENGTHS, EVERY = (1, -1, 2, -3, 10), 4
# The published models, as the files name them -> the standard deviation of their errors.
ERRORS = {"tpu": 0.6, "gpu": 0.8, "DanQ": 1.0, "DeepSEA": 1.4, "DeepAtt": 1.2, "LegNet": 0.5}
# The columns of Random_defined.csv between sequence and measurement -> their value in every row.
# None: a number, or a name, that differs from row to row.
WIDE = {
    **{"expt": "NBT_S288CdU_SCUra", "meanEL": None, "proTotal": None, "representation": None},
    **{"sdEL": None, "relativeSD": None, "sdScale": None, "origID": None, "edvPred": None},
    **{"tiling": "False", "baseSeq": "", "motif": "", "positionSpike": "", "isRC": ""},
    **{"designed": "False", "designedCond": "", "designedDir": "", "designedID": ""},
    **{"designedSNPDEV": "False", "designedSNPDEVMin": "False", "mutDesc": "", "ED": ""},
    **{"gini": "False", "HQ": "True", "rand": "False", "randMut": "False", "native": "False"},
    **{"nativeGene": "", "nativeProPart": "", "nativeMut": "False", "trajectory": "False"},
    **{"trajDir": "", "trajOpt": ""},
}


@dataclass(frozen=True)
class Measurements:
    """What the files are written from.

    Attributes:
        train: medium -> sequence, expression; its first rows are those that leaked.
        test: medium, test set -> sequence, measured, and `whole`, the sequence as a training file
            has it.
    """

    train: dict[str, pd.DataFrame]
    test: dict[tuple[str, str], pd.DataFrame]


def measurements(construct: Construct, seed: int = 1) -> Measurements:
    """Simulates the measurements of all files."""
    factors = factors_of(known_motifs().motifs)
    # One simulated set of random promoters gives both random test sets, which share no sequence.
    sizes = Parameters(TRAIN, FAMILIES, MEMBERS, 2 * RANDOM, leaks=0)
    made = simulate(sizes, MEDIA, construct, seed, factors)
    random = np.random.default_rng(seed)

    def measured(medium, name, rows):
        table = made.test[medium][name].iloc[rows].reset_index(drop=True)
        table = table.rename(columns={MEASURED: "measured"})
        # The mean of few cells may be a whole number.
        whole = np.arange(len(table)) % 50 == 0
        table["measured"] = table["measured"].where(~whole, table["measured"].round())
        return table.assign(whole=table["sequence"])

    # Few relatives are equal, and no published file has a sequence twice.
    natives = np.flatnonzero(~made.test["complex"]["native"]["sequence"].duplicated())
    test = {("complex", "all_native"): measured("complex", "native", natives)}
    for number, medium in enumerate(MEDIA):
        rows = np.sort(random.permutation(natives)[: int(NATIVE * len(natives))])
        test[medium, "native"] = measured(medium, "native", rows)
        rows = slice(number * RANDOM, (number + 1) * RANDOM)
        test[medium, "random"] = measured(medium, "random", rows)
    test["complex", "random"] = _of_other_lengths(test["complex", "random"], construct, random)

    train = {}
    for medium, other in zip(MEDIA, reversed(MEDIA), strict=True):
        own = [table for (of, _), table in test.items() if of == medium]
        leaked = [table.head(LEAKS) for table in (*own, test[other, "random"])]
        relatives = test[medium, "native"].tail(RELATIVES)
        relatives = relatives.assign(whole=relatives["whole"].map(_with_another_letter))
        rows = pd.concat([*leaked, relatives])[["whole", "measured"]].round()
        rows = rows.set_axis(["sequence", "expression"], axis=1)
        train[medium] = pd.concat([rows, made.train[medium]], ignore_index=True)
    return Measurements(train, test)


def _of_other_lengths(
    table: pd.DataFrame, construct: Construct, random: np.random.Generator
) -> pd.DataFrame:
    length, left = len(table["sequence"][0]), construct.left_flank
    for row in range(0, len(table), EVERY):
        less = OTHER_LENGTHS[row // EVERY % len(OTHER_LENGTHS)]
        rest = table["sequence"][row][len(left) + max(less, 0) :]
        more = "".join(random.choice(list("ACGT"), max(-less, 0)))
        table.loc[row, "whole"] = left + more + rest
        table.loc[row, "sequence"] = (left + more + rest).rjust(length, "N")[-length:]
    return table


def _with_another_letter(sequence: str) -> str:
    middle = len(sequence) // 2
    return sequence[:middle] + "CGTA"["ACGT".index(sequence[middle])] + sequence[middle + 1 :]


def write(plan: Plan, folder: Path, seed: int = 1) -> Measurements:
    """Writes the stand-in of each table that a config downloads, as a mirror has it.

    Raises:
        KeyError: there is no stand-in of a file.
    """
    made = measurements(Construct(**plan.config["construct"]), seed)
    for path in set(plan.downloads) - archives(plan):
        _write(made, Path(folder, Path(path).name))
    return made


def archives(plan: Plan) -> set[str]:
    """The paths of the downloads that are archives of released weights."""
    return {plan.path(entry) for entry in plan.config["released"].values()} & set(plan.downloads)


def write_archives(plan: Plan, folder: Path) -> None:
    """Writes the stand-ins of the archives of released weights: a SavedModel of Keras 2, of the
    sizes of the config's `model`, and other files beside it."""
    from keras_2 import legacy, one_hot, trained_like

    model = plan.config["model"]
    released = legacy(*(model[k] for k in ("width", "heads", "kernel_size", "transformer_blocks")))
    tokens = np.random.default_rng(1).integers(0, 4, (50, plan.config["construct"]["length"]))
    trained_like(released, one_hot(tokens))
    with tempfile.TemporaryDirectory() as made:
        # The functions of the graph, most of the time that it takes to save one, are never read.
        released.save(made, save_format="tf", save_traces=False)
        files = contents(Path(made))
    record = {"seq_list": b"", "exp_list": b"", "model.zip": as_zip(below("crm_net", files))}
    for path in archives(plan):
        Path(folder, Path(path).name).write_bytes(as_zip(record))


def _write(made: Measurements, path: Path) -> None:
    name, random = path.name, np.random.default_rng(list(path.name.encode()))
    if found := re.fullmatch(r"(complex|defined)_media_training_data_(Glu|SC_Ura)\.txt", name):
        # How the files write a whole number is not known, so the two differ.
        form = "{:g}" if found[1] == "complex" else "{:.1f}"
        table = made.train[found[1]]
        table = table.assign(expression=table["expression"].map(form.format))
        table.sample(frac=1, random_state=random).to_csv(path, sep="\t", header=False, index=False)
    elif name == "All_promoter_fragments_Native.csv":
        table = made.test["complex", "all_native"]
        _csv(path, {"seq110": table["sequence"], MEASURED: _digits(table["measured"])})
    elif name == "Random_defined.csv":
        _wide(path, made.test["defined", "random"], random)
    elif found := re.fullmatch(r"(Native|Random)_(complex|defined)\.csv", name):
        table = made.test[found[2], found[1].lower()]
        digits = _digits if found[2] == "defined" else _shortest
        _with_predictions(path, table, digits(_predicted(table, "tpu")))
    elif found := re.fullmatch(
        r"(Native|Random)(_allchunks)?_test_(\w+)_model(_defined_media)?\.csv", name
    ):
        medium, test_set = "defined" if found[4] else "complex", found[1].lower()
        table = made.test[medium, "all_native" if found[2] else test_set]
        values = _predicted(table, found[3])
        # Only the transformer's predictions have double precision.
        values = values if found[3] == "tpu" else _single(values)
        digits = _shortest if (medium, test_set) == ("defined", "random") else _digits
        _with_predictions(path, table, _shortest(values), digits)
    elif found := re.fullmatch(r"LegNet_(complex|defined)_Native\.txt", name):
        table = made.test[found[1], "native"]
        # It has sequences that the test set lacks, and they are not at its end.
        more = made.train[found[1]].tail(len(table) // 20)["sequence"]
        values = [*_predicted(table, "LegNet"), *random.uniform(3, 15, len(more))]
        rows = pd.DataFrame({0: [*table["sequence"], *more], 1: _shortest(_single(values))})
        rows.sample(frac=1, random_state=random).to_csv(path, sep="\t", header=False, index=False)
    else:
        raise KeyError(f"{name}: the config downloads this file, which has no stand-in here")


def _predicted(table: pd.DataFrame, model: str) -> np.ndarray:
    random = np.random.default_rng([len(table), *model.encode()])
    return table["measured"].to_numpy() + random.normal(0, ERRORS[model], len(table))


def _with_predictions(path, table, predicted, digits=None):
    measured = (digits or _digits)(table["measured"])
    _csv(path, {"sequence": table["sequence"], MEASURED: measured, PREDICTED: predicted})


def _wide(path: Path, table: pd.DataFrame, random: np.random.Generator) -> None:
    number = len(table)
    own = {
        "meanEL": _digits(table["measured"]),
        "proTotal": random.integers(100, 2000, number),
        "representation": _digits(random.uniform(1e-9, 1e-5, number)),
        "origID": [f"HQ_{28 + 2 * row}" for row in range(number)],
        "edvPred": _digits(_predicted(table, "tpu")),
    }
    columns = {"seq110": table["sequence"]}
    for name, value in WIDE.items():
        numbers = _digits(random.uniform(0.5, 2.5, number))
        columns[name] = own.get(name, numbers) if value is None else [value] * number
    columns |= {MEASURED: own["meanEL"], PREDICTED: own["edvPred"]}
    # The rows are some of a larger table, with the numbers that they had there.
    _csv(path, columns, 1247 + np.sort(random.choice(5 * number, number, replace=False)))


def _csv(path: Path, columns: dict, index: np.ndarray | None = None) -> None:
    pd.DataFrame({name: list(column) for name, column in columns.items()}, index).to_csv(path)


def _digits(values) -> list[str]:
    """As R writes numbers and pandas writes them again: 15 digits, and 4.0."""
    return [repr(float(f"{value:.15g}")) for value in values]


def _shortest(values) -> list[str]:
    """As Python writes numbers: with the digits that tell them from others."""
    return [repr(float(value)) for value in values]


def _single(values) -> np.ndarray:
    return np.asarray(values, np.float32).astype(float)
