"""Finds relatives among tables, and splits their sequences into training, validation and test
sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crmnet.data.families import families
from crmnet.data.relatives import Index
from crmnet.data.sequences import Construct, hashes, leak_keys, letters, pad, unpadded
from crmnet.data.tables import Chunk, Rejects, Table, TableError, chunks

VALIDATION = "validation"
# A set may have this share of rows more than wanted, because families are taken whole.
SLACK = 0.25
# A set with a smaller share of the wanted rows is an error.
LEAST = 0.5


def families_of(
    table: Table, construct: Construct, *, distance: int, overlap: int
) -> tuple[list[str], np.ndarray]:
    """Returns the sequences of a test set, as the model reads them, and the family (n,) of each.

    Families are numbered from 0 in the order of their appearance. They come from the table's column
    of families, or else from a search among the inserts (see `families.families`).

    Raises:
        TableError: see `tables.chunks`.
        TooAlike: see `families.families`.
    """
    parts = list(chunks(table, Rejects()))
    text = [pad(part.buffer, part.starts, part.ends, construct.length) for part in parts]
    sequences = [letters(row) for rows in text for row in rows]
    if table.family is not None:
        names = np.concatenate([part.families for part in parts])
        number = {name: place for place, name in enumerate(dict.fromkeys(names))}
        return sequences, np.array([number[name] for name in names])
    keys = [_keys(part, construct) for part in parts]
    return sequences, families(unpadded(np.concatenate(keys)), distance, overlap)


def _keys(chunk: Chunk, construct: Construct) -> np.ndarray:
    return leak_keys(chunk.buffer, chunk.starts, chunk.ends, construct)


def purpose(test_set: str, fraction: float) -> str:
    """Returns the purpose of the sequences of a `held_out` test set. Media that hold out the same
    share for a test set of the same name share the purpose."""
    return f"{test_set} {fraction:g}"


@dataclass(frozen=True)
class Split:
    """The purpose of the sequences of some tables. A family has one purpose.

    Attributes:
        hashes: (n,) uint64, sorted; the hashes of the keys (`sequences.leak_keys`) that are left
            out of pre-training, and of every model of a medium that holds them out.
        purposes: (n,), the purpose of each: `VALIDATION`, or see `purpose`.
        families: (n,), the name of the family of each.
        counts: medium -> the number of sequences, of families and of the largest family's rows.
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
class _Found:
    """The content of tables: the key of each distinct sequence, and the families that tables
    name."""

    construct: Construct
    keys: dict[str, list[np.ndarray]] = field(default_factory=lambda: {"hash": [], "key": []})
    # Hashes of the sequences of tables without families; hashes and family names of other tables.
    unnamed: list[np.ndarray] = field(default_factory=list)
    named: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)

    def read(self, table: Table, rejects: Rejects) -> Iterator[np.ndarray]:
        """Reads a table, and yields the hashes of its keys, row by row, in parts."""
        for chunk in chunks(table, rejects):
            keys = _keys(chunk, self.construct)
            values = hashes(keys)
            distinct, first = np.unique(values, return_index=True)
            self.keys["hash"].append(distinct)
            self.keys["key"].append(keys[first])
            if chunk.families is None:
                self.unnamed.append(distinct)
            else:
                names = [self.names.setdefault(n, len(self.names)) for n in chunk.families]
                self.named.append((values, np.array(names, np.int64)))
            yield values


def split(
    training: Mapping[str, Sequence[Table]],
    tests: Iterable[Table],
    held_out: Mapping[str, Mapping[str, float]],
    construct: Construct,
    *,
    validation_fraction: float,
    distance: int,
    overlap: int,
    seed: int,
    rejects: Rejects,
) -> Split:
    """Takes whole families of the training tables for validation and for each `held_out` test set.

    Families come from a search for relatives (`families.families`) or from a column of the table;
    two families with a sequence in common are joined. A family has the same purpose in all media,
    because pre-training uses all media. Families are taken in the order of a hash, until a set has
    the wanted share of a medium's rows. A family that would exceed the share by more than a quarter
    is skipped. Families with a sequence of a test table are for training only.

    Args:
        training: medium -> its tables.
        tests: the tables of test sets, of all media.
        held_out: medium -> test set that is held out of its training tables -> share of the rows.

    Raises:
        TableError: see `tables.chunks`; also if the families cannot fill half of a set.
        TooAlike: see `families.families`.
    """
    read = _Found(construct)
    rows = {
        medium: np.concatenate([part for t in tables for part in read.read(t, rejects)])
        for medium, tables in training.items()
    }
    tested = [part for table in tests for part in read.read(table, Rejects())]
    known, first = np.unique(np.concatenate(read.keys["hash"]), return_index=True)
    keys = np.concatenate(read.keys["key"])[first]
    family, names = _families(read, known, keys, distance, overlap)
    number = family.max() + 1

    # The number of rows of each family in each medium.
    sizes, counts = {}, {}
    for medium, values in rows.items():
        place = np.searchsorted(known, values)
        sizes[medium] = np.bincount(family[place], minlength=number)
        numbers = (len(np.unique(place)), (sizes[medium] > 0).sum(), sizes[medium].max())
        counts[medium] = dict(zip(COUNTS, map(int, numbers), strict=True))
    free = np.ones(number, bool)
    tested = np.searchsorted(known, np.concatenate([np.zeros(0, np.uint64), *tested]))
    free[family[tested]] = False
    untested = np.ones(len(known), bool)
    untested[tested] = False
    total = {m: int(untested[np.searchsorted(known, values)].sum()) for m, values in rows.items()}

    wanted: dict[str, dict[str, float]] = {}
    for medium, test_sets in held_out.items():
        for test_set, fraction in test_sets.items():
            key = f"media.{medium}.test.{test_set}.held_out"
            wanted.setdefault(purpose(test_set, fraction), {})[medium] = fraction, key
    wanted[VALIDATION] = {m: (validation_fraction, "data.validation_fraction") for m in training}

    smallest = np.full(number, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, family, known)
    purposes = np.full(number, "", object)
    for turn, (use, media) in enumerate(wanted.items()):
        order = np.argsort(hashes(smallest[:, None].view(np.uint8), seed + turn), kind="stable")
        want = {medium: max(share * total[medium], 1) for medium, (share, _) in media.items()}
        taken, have = _take(order[free[order]], [sizes[m] for m in media], [*want.values()])
        purposes[taken], free[taken] = use, False
        for (medium, (share, key)), got in zip(media.items(), have, strict=True):
            if got < LEAST * want[medium]:
                left = sizes[medium][free & (sizes[medium] > 0)]
                size = share, total[medium], want[medium], got
                raise TableError(_too_large(medium, key, *size, left))
    out = purposes[family] != ""
    return Split(
        known[out], purposes[family[out]].astype(str), names[family[out]].astype(str), counts
    )


def _families(
    read: _Found, known: np.ndarray, keys: np.ndarray, distance: int, overlap: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the family (n,) of each known key, from 0, and the name of each family."""
    sequences = len(known)
    places = np.concatenate([np.zeros(0, np.uint64), *read.unnamed])
    searched = np.flatnonzero(np.isin(known, places))
    label = families(unpadded(keys[searched]), distance, overlap)
    # The nodes are the sequences, then the families from the search, then the named families.
    edges = [(searched, sequences + label)]
    nodes = sequences + (label.max() + 1 if len(label) else 0)
    for values, names in read.named:
        edges.append((np.searchsorted(known, values), nodes + names))
    one, other = (np.concatenate(column) for column in zip(*edges, strict=True))
    total = nodes + len(read.names)
    graph = coo_array((np.ones(len(one), bool), (one, other)), (total, total))
    _, component = connected_components(graph, directed=False)
    _, family = np.unique(component[:sequences], return_inverse=True)
    names = np.array([f"family {n}" for n in range(family.max() + 1)], object)
    first = dict(zip(component[:sequences].tolist(), family.tolist(), strict=True))
    for name, node in sorted(read.names.items(), reverse=True):
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
        return {
            name: len(np.unique(hashes(self._keys[met & ((self._sets & bit) != 0)])))
            for name, bit in self.bits.items()
        }
