"""Finds relatives among tables, and splits their sequences into training, validation and test
sets."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crmnet.data.families import families
from crmnet.data.relatives import Index
from crmnet.data.sequences import (
    Construct,
    hashes,
    leak_keys,
    letters,
    pad,
    strand_hashes,
    unpadded,
)
from crmnet.data.tables import TEST, VALIDATION, Chunk, Rejects, Table, TableError, chunks
from crmnet.logs import say

# The purpose of the sequences of a fold of the cross-validation, in the split of this fold.
FOLD = "fold"
# The fewest sequences that have metrics (`metrics.metrics`).
FEWEST = 3
# A set may have this share of rows more than wanted, because families are taken whole.
SLACK = 0.25
# A set with a smaller share of the wanted rows is an error.
LEAST = 0.5
# A message lists this many values of a column.
SHOWN = 20


def families_of(
    tables: Sequence[Table], construct: Construct, *, distance: int, overlap: int
) -> tuple[list[str], np.ndarray]:
    """Returns the sequences of the tables of a test set, as the model reads them, and the family
    (n,) of each.

    Families are numbered from 0 in the order of their appearance. They come from the tables' column
    of families, or else from a search among the inserts (see `families.families`).

    Raises:
        TableError: see `tables.chunks`.
        TooAlike: see `families.families`.
    """
    parts = [part for table in tables for part in chunks(table, Rejects())]
    text = [pad(part.buffer, part.starts, part.ends, construct.length) for part in parts]
    sequences = [letters(row) for rows in text for row in rows]
    if tables[0].family is not None:
        names = np.concatenate([part.families for part in parts])
        number = {name: place for place, name in enumerate(dict.fromkeys(names))}
        return sequences, np.array([number[name] for name in names])
    keys = [_keys(part, construct) for part in parts]
    return sequences, families(unpadded(np.concatenate(keys)), distance, overlap)


def keys_of(tables: Iterable[Table], construct: Construct) -> np.ndarray:
    """Returns the keys (n, insert_length; see `sequences.leak_keys`) of all rows of tables.

    Raises:
        TableError: see `tables.chunks`.
    """
    parts = [_keys(chunk, construct) for table in tables for chunk in chunks(table, Rejects())]
    return np.concatenate([np.zeros((0, construct.insert_length), np.uint8), *parts])


def _keys(chunk: Chunk, construct: Construct) -> np.ndarray:
    return leak_keys(chunk.buffer, chunk.starts, chunk.ends, construct)


@dataclass(frozen=True)
class Draw:
    """How the sequences of one use are drawn from the training tables of a medium.

    Attributes:
        key: its key in the config.
        fraction: the wanted share of the rows.
        by: None draws whole families (or single sequences, see `split`), "split" takes the rows
            that this column marks, and any other column is drawn by whole values.
        values: the values whose rows are taken, instead of a `fraction`.
    """

    key: str
    fraction: float | None = None
    by: str | int | None = None
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, key: str, given: float | Mapping) -> Draw:
        """Returns the draw that the config gives under a key: a fraction, or keys with values."""
        given = given if isinstance(given, Mapping) else {"fraction": given}
        by = given.get("by")
        values = tuple(str(value).strip() for value in given.get("values", ()))
        return cls(key, given.get("fraction"), None if by == "family" else by, values)

    def purpose(self, test_set: str) -> str:
        """Returns the purpose of the sequences of a test set. Media that draw a test set in the
        same way share the purpose."""
        if self.by == "split":
            return f"marked {TEST}"
        if self.values:
            return f"{self.by}: {', '.join(self.values)}"
        by = "" if self.by is None else f"{self.by} "
        return f"{test_set} {by}{self.fraction:g}"


@dataclass(frozen=True)
class Split:
    """The purpose of the sequences of some tables. A family has one purpose.

    Attributes:
        hashes: (n,) uint64, sorted; the hashes of the keys (`sequences.leak_keys`) that are left
            out of pre-training, and of every model of a medium that holds them out.
        purposes: (n,), the purpose of each: `VALIDATION`, `FOLD`, or see `Draw.purpose`.
        families: (n,), the name of the family of each.
        counts: medium that is split by families -> the number of sequences, of families and of the
            largest family's rows.
    """

    hashes: np.ndarray
    purposes: np.ndarray
    families: np.ndarray
    counts: dict[str, dict[str, int]]

    def save(self, path: str | Path) -> None:
        """Writes the split as compressed arrays: the attributes, and `counts_<medium>`."""
        media = {f"counts_{medium}": np.array([*n.values()]) for medium, n in self.counts.items()}
        with open(path, "wb") as file:
            np.savez_compressed(
                file, hashes=self.hashes, purposes=self.purposes, families=self.families, **media
            )

    @classmethod
    def load(cls, path: str | Path) -> Split:
        """Reads a split that `save` has written."""
        with np.load(path, allow_pickle=False) as arrays:
            counts = {
                name.removeprefix("counts_"): dict(zip(COUNTS, arrays[name].tolist(), strict=True))
                for name in arrays.files
                if name.startswith("counts_")
            }
            return cls(arrays["hashes"], arrays["purposes"], arrays["families"], counts)

    def find(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns a mask (n,) of the hashes of keys that are in the split, and their places."""
        if not len(self.hashes):
            return np.zeros(len(wanted), bool), np.zeros(0, np.intp)
        place = np.searchsorted(self.hashes, wanted).clip(max=len(self.hashes) - 1)
        mask = self.hashes[place] == wanted
        return mask, place[mask]


COUNTS = ("sequences", "families", "largest")


@dataclass
class _Reading:
    """The content of tables, as it is read: the key of each distinct sequence, and the families
    that tables name."""

    construct: Construct
    keys: dict[str, list[np.ndarray]] = field(default_factory=lambda: {"hash": [], "key": []})
    # Hashes of the sequences whose relatives are searched for; of those that are drawn one by one;
    # and hashes and family names of the sequences of tables that name families.
    unnamed: list[np.ndarray] = field(default_factory=list)
    single: list[np.ndarray] = field(default_factory=list)
    named: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)

    def read(self, table: Table, rejects: Rejects, single: bool = False) -> Iterator[tuple]:
        """Reads a table, and yields the hashes of its keys, row by row, and the labels of the rows,
        in parts."""
        for chunk in chunks(table, rejects):
            keys = _keys(chunk, self.construct)
            values = hashes(keys)
            distinct, first = np.unique(values, return_index=True)
            self.keys["hash"].append(distinct)
            self.keys["key"].append(keys[first])
            if single:
                self.single.append(distinct)
            elif chunk.families is None:
                self.unnamed.append(distinct)
            else:
                names = [self.names.setdefault(n, len(self.names)) for n in chunk.families]
                self.named.append((values, np.array(names, np.int64)))
            yield values, chunk.labels


@dataclass(frozen=True)
class Found:
    """The sequences of some tables.

    Attributes:
        known: (k,) uint64, sorted; the hashes of all keys.
        family: (k,), the family of each, from 0.
        names: the name of each family.
        tested: (k,) bool, whether a test table has it.
        rows: medium -> (n,) the place of each training row in `known`.
        single: the media whose sequences are drawn one by one; only the two strands of a sequence
            are a family.
        labels: label (see `tables.Chunk`) -> its values, and medium -> (n,) the number of each
            row's value.
    """

    known: np.ndarray
    family: np.ndarray
    names: np.ndarray
    tested: np.ndarray
    rows: dict[str, np.ndarray]
    single: set[str]
    labels: dict[str | int, tuple[list[str], dict[str, np.ndarray]]]

    def sizes(self, medium: str) -> np.ndarray:
        """Returns the number of training rows of each family in a medium."""
        return np.bincount(self.family[self.rows[medium]], minlength=len(self.names))

    def counts(self) -> dict[str, dict[str, int]]:
        """Returns `Split.counts`."""
        counts = {}
        for medium, place in self.rows.items():
            if medium in self.single:
                continue
            sizes = self.sizes(medium)
            numbers = len(np.unique(place)), (sizes > 0).sum(), sizes.max()
            counts[medium] = dict(zip(COUNTS, map(int, numbers), strict=True))
        return counts

    def split(self, purposes: np.ndarray) -> Split:
        """Returns the split in which the sequences have these purposes (k,)."""
        out = purposes != ""
        return Split(
            self.known[out],
            purposes[out].astype(str),
            self.names[self.family[out]].astype(str),
            self.counts(),
        )


def find(
    training: Mapping[str, Sequence[Table]],
    tests: Iterable[Table],
    construct: Construct,
    single: Iterable[str],
    near: tuple[int, int],
    rejects: Rejects,
) -> Found:
    """Reads all tables, and groups their sequences into families."""
    reading = _Reading(construct)
    parts = {
        medium: [p for t in tables for p in reading.read(t, rejects, medium in single)]
        for medium, tables in training.items()
    }
    # A test table gives no reason to search if no medium is split by families.
    alone = {*training} <= {*single}
    tested = [v for table in tests for v, _ in reading.read(table, Rejects(), alone)]
    known, first = np.unique(np.concatenate(reading.keys["hash"]), return_index=True)
    keys = np.concatenate(reading.keys["key"])[first]
    family, names = _families(reading, known, keys, *near)
    is_tested = np.zeros(len(known), bool)
    is_tested[np.searchsorted(known, np.concatenate([np.zeros(0, np.uint64), *tested]))] = True
    rows = {
        medium: np.searchsorted(known, np.concatenate([values for values, _ in some]))
        for medium, some in parts.items()
    }
    labels = {}
    for label in dict.fromkeys(n for some in parts.values() for _, found in some for n in found):
        media = {m: some for m, some in parts.items() if some and label in some[0][1]}
        text = [np.concatenate([found[label] for _, found in some]) for some in media.values()]
        numbers, values = pd.factorize(np.concatenate(text))
        bounds = np.cumsum([len(some) for some in text])[:-1]
        labels[label] = list(values), dict(zip(media, np.split(numbers, bounds), strict=True))
    return Found(known, family, names, is_tested, rows, {*single}, labels)


def split(
    training: Mapping[str, Sequence[Table]],
    tests: Iterable[Table],
    held_out: Mapping[str, Mapping[str, float | Mapping]],
    construct: Construct,
    *,
    validation_fraction: float,
    validation: Mapping[str, Mapping] | None = None,
    single: Iterable[str] = (),
    distance: int,
    overlap: int,
    seed: int,
    rejects: Rejects,
) -> Split:
    """Takes sequences of the training tables for validation and for each `held_out` test set.

    First, columns of the tables decide (`Draw.by`): the rows with some values of a column, or with
    the mark `test` or `validation`, are taken, whatever their relatives are. A sequence that has
    rows of several uses is for the first of them; test sets come before validation.

    Then whole families are taken. They come from a search for relatives (`families.families`) or
    from a column of the table; two families with a sequence in common are joined. A family has the
    same purpose in all media, because pre-training uses all media. Families are taken in the order
    of a hash, until a set has the wanted share of a medium's rows. A family that would exceed the
    share by more than a quarter is skipped. Families with a sequence of a test table, or with one
    that a column has taken, are for training only.

    Args:
        training: medium -> its tables.
        tests: the tables of test sets, of all media.
        held_out: medium -> test set that is held out of its training tables -> how (`Draw.of`).
        validation_fraction: the share of validation rows of a medium without `validation`.
        validation: medium -> how its validation rows are drawn (`Draw.of`).
        single: the media whose sequences are drawn one by one, without a search for relatives. Only
            the two strands of a sequence stay together.

    Raises:
        TableError: see `tables.chunks`; also if a value does not occur, the families or values
            cannot fill half of a set, or no row of a medium is left to train on.
        TooAlike: see `families.families`.
    """
    found = find(training, tests, construct, single, (distance, overlap), rejects)
    uses: dict[str, dict[str, Draw]] = {}
    for medium, test_sets in held_out.items():
        for test_set, given in test_sets.items():
            draw = Draw.of(f"media.{medium}.test.{test_set}.held_out", given)
            uses.setdefault(draw.purpose(test_set), {})[medium] = draw
    uses[VALIDATION] = _validation(found, uses, validation_fraction, validation or {})
    purposes = np.where(found.tested, None, "")
    _take_labelled(found, uses, purposes, seed)
    rest = {
        use: {medium: draw for medium, draw in media.items() if draw.by is None}
        for use, media in uses.items()
    }
    _leave_some(found, purposes)
    take_families(found, rest, purposes, seed)
    _leave_some(found, purposes)
    purposes[found.tested] = ""
    return found.split(purposes)


def _leave_some(found: Found, purposes: np.ndarray) -> None:
    """Raises an error if a medium has no row that is left to train on."""
    for medium, place in found.rows.items():
        if not (purposes[place] == "").any():
            taken = Counter(use or "in a test table" for use in purposes[place])
            raise TableError(
                f"media.{medium}: no row is left to train on (rows that are taken: "
                f"{', '.join(f'{use}, {n:,}' for use, n in taken.items())}); leave more rows for "
                "training"
            )


def _validation(
    found: Found, uses: Mapping, fraction: float, given: Mapping[str, Mapping]
) -> dict[str, Draw]:
    """Returns how the validation rows of each medium are drawn. Marks in the tables decide, if a
    row has the mark `validation`."""
    words, marks = found.labels.get("split", ([], {}))
    draws = {}
    for medium in found.rows:
        draws[medium] = Draw("data.validation_fraction", fraction)
        if medium in given:
            draws[medium] = Draw.of(f"media.{medium}.validation", given[medium])
        elif medium in marks:
            there = {words[n] for n in np.unique(marks[medium])}
            if TEST in there and f"marked {TEST}" not in uses:
                raise TableError(
                    f"media.{medium}: rows of its training tables are marked `{TEST}` (`columns: "
                    "{split: ...}`), but no test set takes them; declare one: `test: {test: "
                    "{held_out: {by: split}}}`"
                )
            if VALIDATION in there:
                draws[medium] = Draw("data.validation_fraction", by="split")
            else:
                say(
                    f"no row of medium {medium} is marked `{VALIDATION}`, so {fraction:.3g} of its "
                    "other rows are drawn (`data: validation_fraction`)"
                )
    return draws


def _take_labelled(
    found: Found, uses: Mapping[str, Mapping[str, Draw]], purposes: np.ndarray, seed: int
) -> None:
    """Gives the sequences whose rows are labelled for a use that purpose (k,), in place. `purposes`
    is "" where a sequence is free."""
    labelled = [
        (use, {medium: draw for medium, draw in media.items() if draw.by is not None})
        for use, media in uses.items()
    ]
    # The values that are named are not drawn for another use.
    named = {(d.by, value) for _, media in labelled for d in media.values() for value in d.values}
    for turn, (use, media) in enumerate(labelled):
        # Media that share a purpose share the column.
        for by in dict.fromkeys(draw.by for draw in media.values()):
            these = {medium: draw for medium, draw in media.items() if draw.by == by}
            values = _wanted_values(found, use, these, named, seed + turn)
            named |= {(by, value) for value in values}
            _take_values(found, use, by, values, purposes)
        for medium, draw in media.items():
            if not (purposes[found.rows[medium]] == use).any():
                raise TableError(
                    f"{draw.key}: no row of medium {medium} is left for this set, because all of "
                    "them are test sequences; name other values"
                )


def _wanted_values(
    found: Found, use: str, media: Mapping[str, Draw], named: set, seed: int
) -> set[str]:
    """Returns the values of a column whose rows are taken for a use, in all media.

    Raises:
        TableError: a value or mark does not occur, or whole values cannot fill the set.
    """
    wanted, by_share = set(), {}
    for medium, draw in media.items():
        values, numbers = found.labels[draw.by]
        there = natural({values[n] for n in np.unique(numbers[medium])})
        asked = draw.values
        if draw.by == "split":
            asked = (VALIDATION if use == VALIDATION else TEST,)
        if lacking := [value for value in asked if value not in there]:
            more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
            raise TableError(
                f"{draw.key}: no row of medium {medium} has {', '.join(map(repr, lacking))} in "
                f"column {draw.by}; the column has {', '.join(there[:SHOWN])}{more}"
            )
        wanted |= {*asked}
        if not asked:
            by_share[medium] = draw
    if not by_share:
        return wanted
    values = found.labels[next(iter(by_share.values())).by][0]
    mixed = [zlib.crc32(f"{seed} {value}".encode()) for value in values]
    sizes, want = [], []
    for medium, draw in by_share.items():
        untested = ~found.tested[found.rows[medium]]
        numbers = found.labels[draw.by][1][medium][untested]
        sizes.append(np.bincount(numbers, minlength=len(values)))
        want.append(max(draw.fraction * untested.sum(), 1))
    free = [n for n in np.argsort(mixed, kind="stable") if (draw.by, values[n]) not in named]
    taken, have = _take(np.array(free, int), sizes, want)
    for (medium, draw), size, wanted_rows, got in zip(
        by_share.items(), sizes, want, have, strict=True
    ):
        if got < LEAST * wanted_rows:
            left = [size[n] for n in free if n not in taken and size[n]]
            smallest = f"the smallest free value has {min(left):,} rows" if left else "none is free"
            raise TableError(
                f"{draw.key}: {wanted_rows:,.0f} rows ({draw.fraction:g} of them) of medium "
                f"{medium} are wanted, but whole values of column {draw.by} give only {got:,}: "
                f"{smallest}. Raise the fraction, or name the values (`values: [...]`)"
            )
    return wanted | {values[n] for n in taken}


def _take_values(
    found: Found, use: str, by: str | int, wanted: set[str], purposes: np.ndarray
) -> None:
    """Gives the sequences that have a row with a wanted value, in any medium, the purpose."""
    values, media = found.labels[by]
    chosen = np.array([value in wanted for value in values])
    here, elsewhere = np.zeros((2, len(found.known)), bool)
    for medium, numbers in media.items():
        place, taken = found.rows[medium], chosen[numbers]
        here[place[taken]] = True
        elsewhere[place[~taken]] = True
    purposes[here & (purposes == "")] = use
    if both := int((here & elsewhere & (purposes == use)).sum()):
        say(
            f"{both:,} sequences have rows in the set {use!r} and rows with other values of column "
            f"{by}; all their rows are in the set, and none is trained on"
        )


def take_families(
    found: Found, uses: Mapping[str, Mapping[str, Draw]], purposes: np.ndarray, seed: int
) -> None:
    """Gives the sequences of whole families a purpose (k,), in place. Families with a sequence
    whose purpose is not "" are not free."""
    family, number = found.family, len(found.names)
    sizes = {medium: found.sizes(medium) for medium in found.rows}
    free = np.ones(number, bool)
    free[family[purposes != ""]] = False
    total = {medium: int((purposes[place] == "").sum()) for medium, place in found.rows.items()}
    smallest = np.full(number, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, family, found.known)
    use_of = np.full(number, "", object)
    for turn, (use, media) in enumerate(uses.items()):
        if not media:
            continue
        order = np.argsort(hashes(smallest[:, None].view(np.uint8), seed + turn), kind="stable")
        want = {medium: max(draw.fraction * total[medium], 1) for medium, draw in media.items()}
        taken, have = _take(order[free[order]], [sizes[m] for m in media], [*want.values()])
        use_of[taken], free[taken] = use, False
        for (medium, draw), got in zip(media.items(), have, strict=True):
            if got < LEAST * want[medium]:
                left = sizes[medium][free & (sizes[medium] > 0)]
                size = draw.fraction, total[medium], want[medium], got
                raise TableError(_too_large(medium, draw.key, *size, left))
    now = use_of[family]
    purposes[now != ""] = now[now != ""]


def natural(names: Iterable[str]) -> list[str]:
    """Returns names in their natural order: chr2 before chr10."""

    def key(name):
        parts = re.split(r"(\d+)", name)
        return [int(part) if part.isdecimal() else part for part in parts]

    return sorted(names, key=key)


def _families(
    reading: _Reading, known: np.ndarray, keys: np.ndarray, distance: int, overlap: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the family (n,) of each known key, from 0, and the name of each family."""
    sequences = len(known)
    searched, single = (
        np.flatnonzero(np.isin(known, np.concatenate([np.zeros(0, np.uint64), *parts])))
        for parts in (reading.unnamed, reading.single)
    )
    label = families(unpadded(keys[searched]), distance, overlap)
    _, strands = np.unique(strand_hashes(keys[single]), return_inverse=True)
    # The nodes are the sequences, then the families from the search, the pairs of strands, and the
    # named families.
    edges, nodes = [], sequences
    for members, groups in ((searched, label), (single, strands)):
        edges.append((members, nodes + groups))
        nodes += groups.max() + 1 if len(groups) else 0
    for values, names in reading.named:
        edges.append((np.searchsorted(known, values), nodes + names))
    one, other = (np.concatenate(column) for column in zip(*edges, strict=True))
    total = nodes + len(reading.names)
    graph = coo_array((np.ones(len(one), bool), (one, other)), (total, total))
    _, component = connected_components(graph, directed=False)
    _, family = np.unique(component[:sequences], return_inverse=True)
    names = np.array([f"family {n}" for n in range(family.max() + 1)], object)
    first = dict(zip(component[:sequences].tolist(), family.tolist(), strict=True))
    for name, node in sorted(reading.names.items(), reverse=True):
        names[first[component[nodes + node]]] = name
    return family, names


def _take(
    order: np.ndarray, sizes: Sequence[np.ndarray], want: Sequence[float]
) -> tuple[list[int], list[int]]:
    """Takes families in an order until there are enough rows of each medium; returns the families
    and the numbers of rows."""
    have = [0] * len(want)
    most = [(1 + SLACK) * n for n in want]
    taken = []
    for family, *rows in zip(order.tolist(), *(s[order].tolist() for s in sizes), strict=True):
        short = [h < w for h, w in zip(have, want, strict=True)]
        if not any(short):
            break
        helps = any(n and s for n, s in zip(rows, short, strict=True))
        if helps and all(h + n <= m or not n for h, n, m in zip(have, rows, most, strict=True)):
            taken.append(family)
            have = [h + n for h, n in zip(have, rows, strict=True)]
    return taken, have


def _too_large(
    medium: str, key: str, share: float, total: int, wanted: float, got: int, left: np.ndarray
) -> str:
    if len(left):
        what = f"the smallest free family has {left.min():,} rows"
    else:
        what = (
            "no other family is free, because families with a sequence of a test set stay in "
            "training"
        )
    return (
        f"{key}: {wanted:,.0f} rows ({share:g} of {total:,}) of medium {medium} are wanted, but "
        f"whole families give only {got:,}: {what}. Raise the share, give the tables a column of "
        "smaller families (`columns: {family: ...}`), lower `families: distance`, or split by "
        f"single sequences (`media: {medium}: split: sequences`), which validates on relatives of "
        "the training sequences."
    )


class Relatives:
    """Finds the relatives of test sequences.

    If the tables of a row and of a test sequence both name families, the two are relatives if the
    names are equal. Otherwise a search decides (`families.Index`).

    Args:
        tests: name of the test set -> its table.

    Attributes:
        rows: name of the test set -> the number of its relatives that `count` has counted.
    """

    def __init__(
        self, tests: Mapping[str, Table], construct: Construct, *, distance: int, overlap: int
    ):
        if len(tests) > 64:
            raise ValueError(
                f"there are {len(tests)} test sets, but at most 64 are possible; remove some"
            )
        self._distance, self._overlap = distance, overlap
        self.bits = {name: np.uint64(1 << number) for number, name in enumerate(tests)}
        self.rows = dict.fromkeys(tests, 0)
        self._named: dict[str, np.uint64] = {}
        self._met: set[str] = set()
        keys, sets, names = [], [], []
        for name, table in tests.items():
            for chunk in chunks(table, Rejects()):
                keys.append(_keys(chunk, construct))
                sets.append(np.full(len(chunk), self.bits[name]))
                named = chunk.families is not None
                names.append(chunk.families if named else np.full(len(chunk), None))
        width = construct.insert_length
        self._keys = np.concatenate([np.zeros((0, width), np.uint8), *keys])
        self._sets = np.concatenate([np.zeros(0, np.uint64), *sets])
        self._names = np.concatenate([np.zeros(0, object), *names])
        for name, bit in zip(self._names, self._sets, strict=True):
            if name is not None:
                self._named[name] = self._named.get(name, np.uint64(0)) | bit
        # False -> the index of all test sequences, for tables without families; True -> the index
        # of the test sequences without a family name.
        self._indices: dict[bool, tuple[Index, np.ndarray]] = {}

    def _index(self, named: bool) -> tuple[Index, np.ndarray]:
        """Returns the index for tables with or without families, and its test sequences."""
        if named not in self._indices:
            which = np.flatnonzero((self._names == None) | (not named))  # noqa: E711
            keys, place = np.unique(self._keys[which], axis=0, return_inverse=True)
            sets = np.zeros(len(keys), np.uint64)
            np.bitwise_or.at(sets, place.reshape(-1), self._sets[which])
            index = Index(unpadded(keys), sets, self._distance, self._overlap)
            self._indices[named] = index, np.stack([which, place.reshape(-1)])
        return self._indices[named]

    def among(self, keys: np.ndarray, names: np.ndarray | None) -> np.ndarray:
        """Returns the test sets, as `bits`, in which each of the keys (n, insert_length) has a
        relative.

        Args:
            names: (n,), the families of these rows; None if their table names none.

        Raises:
            TooAlike: see `families.families`.
        """
        sets = self._index(names is not None)[0].relatives(unpadded(keys))
        if names is not None:
            for name in set(names) & self._named.keys():
                sets[names == name] |= self._named[name]
                self._met.add(name)
        return sets

    def count(self, sets: np.ndarray) -> None:
        """Counts rows by the test sets (n,) in which they have a relative."""
        for name, bit in self.bits.items():
            self.rows[name] += int(((sets & bit) != 0).sum())

    def sequences(self) -> dict[str, int]:
        """Returns the name of the test set -> the number of its distinct sequences with a
        relative."""
        met = np.array([name in self._met for name in self._names], bool)
        for index, (which, place) in self._indices.values():
            met[which] |= index.related[place]
        return self._distinct(met)

    def sizes(self) -> dict[str, int]:
        """Returns the name of the test set -> the number of its distinct sequences."""
        return self._distinct(np.ones(len(self._keys), bool))

    def _distinct(self, which: np.ndarray) -> dict[str, int]:
        return {
            name: len(np.unique(hashes(self._keys[which & ((self._sets & bit) != 0)])))
            for name, bit in self.bits.items()
        }
