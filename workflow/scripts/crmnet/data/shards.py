"""Writes measured sequences as shuffled TFRecord shards, and draws batches from them."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

# TensorFlow reads this variable when it is imported. Its notices on CPU features do not help a
# user.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from crmnet.data.bins import usual_range
from crmnet.data.checksums import sha256
from crmnet.data.delimited import is_gzip
from crmnet.data.flanks import FlankCount
from crmnet.data.relatives import Index
from crmnet.data.sequences import (
    COMPLEMENT,
    Construct,
    hashes,
    leak_keys,
    pad,
    strand_hashes,
    unpadded,
)
from crmnet.data.splits import VALIDATION as FOR_VALIDATION
from crmnet.data.splits import Relatives, Split
from crmnet.data.tables import Rejects, Table, TableError, chunks
from crmnet.data.words import TooAlike
from crmnet.logs import Progress

VALIDATION = "validation.tfrecord"
# The shard of the rows whose sequence is in a test set of another medium.
ELSEWHERE = "elsewhere.tfrecord"
BLOCK = 1024
ROWS_PER_SHARD = 1 << 18
MOST_SHARDS = 256
# The most validation rows that are searched for relatives in training.
MEASURED = 1 << 11
# The number of training rows that are compared with them at once.
COMPARED = 1 << 13
# The number of chunks that are read ahead while relatives of earlier rows are searched for.
AHEAD = 2
# The number of rows that are shuffled together when batches are drawn.
POOL = 1 << 16
# The number of shards that are read in parallel, so that a pool mixes many.
READ_TOGETHER = 16
READERS = 4
# The number of batches that are prepared ahead.
PREFETCH = 8


class Held:
    """The sequences that models are tested on.

    Args:
        tables: name of the test set -> its table.
        construct: decides when two sequences are the same (`sequences.leak_keys`).
        sink: see `tables.Rejects`.

    Attributes:
        removed: name of the test set -> the number of rows that `among` has found in it.
        counts: name of the test set -> what became of its rows (`tables.Rejects.counts`).
        fits: name of the test set -> how its rows fit the construct.

    Raises:
        TableError: see `tables.chunks` and `FlankCount.check`.
    """

    def __init__(self, tables: dict[str, Table], construct: Construct, sink: TextIO | None = None):
        self.owners: dict[bytes, set[str]] = {}
        self.counts, self.fits = {}, {name: FlankCount(construct) for name in tables}
        for name, table in tables.items():
            rejects, rows = Rejects(sink), 0
            for chunk in chunks(table, rejects):
                rows += len(chunk)
                places = chunk.buffer, chunk.starts, chunk.ends
                flanked = self.fits[name].count(*places)
                for key in leak_keys(*places, construct, flanked):
                    self.owners.setdefault(key.tobytes(), set()).add(name)
            self.counts[name] = rejects.counts(rows)
            # A held-out table, which has no construct, is a part of training tables.
            if table.construct:
                self.fits[name].check(table.path)
        keys = np.frombuffer(b"".join(self.owners), np.uint8)
        self._hashes = np.unique(hashes(keys.reshape(-1, construct.insert_length)))
        self.removed = dict.fromkeys(tables, 0)

    def among(self, keys: np.ndarray) -> np.ndarray:
        """Returns a mask (n,) of the keys (n, insert_length) that are in a test set, and counts
        them."""
        mask = np.isin(hashes(keys), self._hashes)
        for row in np.flatnonzero(mask):
            owners = self.owners.get(keys[row].tobytes(), ())
            mask[row] = bool(owners)
            for name in owners:
                self.removed[name] += 1
        return mask


class NearValidation:
    """Measures how many validation rows have a relative among training rows.

    Args:
        keys: (n, insert_length), the keys of all validation rows. At most `MEASURED` of them, drawn
            at random, are compared.
    """

    def __init__(
        self, keys: np.ndarray, construct: Construct, seed: int, *, distance: int, overlap: int
    ):
        if len(keys) > MEASURED:
            keys = keys[np.random.default_rng([seed, 4]).choice(len(keys), MEASURED, replace=False)]
        self._construct = construct
        keys, place = np.unique(keys, axis=0, return_inverse=True)
        self._place = place.reshape(-1)
        self._index = Index(unpadded(keys), np.ones(len(keys), np.uint64), distance, overlap)

    def compare(self, tokens: np.ndarray) -> None:
        """Records which validation rows have a relative among the training rows (n, length)."""
        for start in range(0, len(tokens), COMPARED):
            if not self._index or self._index.related.all():
                return
            some = tokens[start : start + COMPARED]
            starts = np.arange(len(some)) * some.shape[1]
            keys = leak_keys(some.reshape(-1), starts, starts + some.shape[1], self._construct)
            try:
                self._index.relatives(unpadded(keys))
            except TooAlike:
                # The user did not ask for this number, so it does not stop the run.
                self._index = None

    def share(self) -> float | None:
        """Returns the share of the validation rows that have a relative; None if it is unknown."""
        if not self._index or not len(self._place):
            return None
        return float(self._index.related[self._place].mean())


def write(
    sources: Sequence[Table],
    held: dict[str, Table],
    construct: Construct,
    folder: Path,
    *,
    seed: int,
    validation_fraction: float,
    rejects: Rejects,
    held_elsewhere: dict[str, Table] | None = None,
    split: Split | None = None,
    drop_relatives: bool = False,
    distance: int = 8,
    overlap: int = 30,
    rows_per_shard: int = ROWS_PER_SHARD,
) -> dict:
    """Writes the rows of `sources` as shards into `folder`, and returns their manifest.

    Two passes in bounded memory deal the rows to shards at random, then shuffle each shard. Rows
    whose sequence is in a test set of `held` are left out. Rows whose sequence is in a test set of
    `held_elsewhere` (of other media) go to a shard of their own, because only a model of this
    medium alone may be trained on them. The `split` decides which rows are for validation; without
    one, a hash of the sequence does, so that duplicates and the two strands of a sequence stay
    together. Relatives of test sequences
    (`families`) are counted. With `drop_relatives`, relatives of `held` are left out too, and
    relatives of `held_elsewhere` go to that shard too. A shard is a GZIP TFRecord file. Each record
    is a block of sequences: `tokens`, bytes of uint8 (block x length), and `expression`, floats
    (block); and `weight`, floats (block), if the sources have weights.

    Args:
        rejects: its sink records the bad rows of the sources and of `held`.

    Raises:
        TableError: a table cannot be used, or no row, or none with a weight, is left to train on.
        TooAlike: see `families.families`.
    """
    started = time.time()
    folder.mkdir(parents=True, exist_ok=True)
    held_elsewhere = held_elsewhere or {}
    own, other = Held(held, construct, rejects.sink), Held(held_elsewhere, construct)
    near = {"distance": distance, "overlap": overlap}
    relatives = Relatives({**held, **held_elsewhere}, construct, **near)
    own_sets = np.bitwise_or.reduce([np.uint64(0), *(relatives.bits[name] for name in held)])
    length = construct.length
    weighted = any(source.weight is not None for source in sources)
    row = [("tokens", np.uint8, length), ("expression", np.float32)]
    row = np.dtype(row + [("weight", np.float32)] * weighted)
    expected = _estimated_rows(sources)
    shards = _shard_count(expected, rows_per_shard)
    names = [f"train-{n:05d}-of-{shards:05d}.tfrecord" for n in range(shards)]
    names += [VALIDATION, ELSEWHERE]
    deal = np.random.default_rng([seed, 0])
    progress = Progress(expected, "rows")
    count: Counter[str] = Counter()
    fits = [FlankCount(construct) for _ in sources]
    lowest, highest = np.inf, -np.inf
    tables = []
    validated = [np.zeros((0, construct.insert_length), np.uint8)]

    def dealt(worker):
        """Yields for each chunk the places, keys and shards of the rows that are kept, which of
        them are for training, and a future of the test sets in which these have relatives."""
        for source, fit in zip(sources, fits, strict=True):
            left_out, before = Rejects(rejects.sink), count["rows"]
            for chunk in chunks(source, left_out):
                count["rows"] += len(chunk)
                places = chunk.buffer, chunk.starts, chunk.ends
                flanked = fit.count(*places)
                keys = leak_keys(*places, construct, flanked)
                place = np.flatnonzero(~own.among(keys))
                keys = keys[place]
                shard = deal.integers(0, shards, len(keys))
                if split:
                    out, uses = split.find(hashes(keys))
                    # A row with another purpose is held out in another medium, because rows that
                    # this medium holds out are left out already.
                    for_validation = split.purposes[uses] == FOR_VALIDATION
                    shard[out] = np.where(for_validation, shards, shards + 1)
                else:
                    shard[strand_hashes(keys, seed) < validation_fraction * 2.0**64] = shards
                shard[other.among(keys)] = shards + 1
                training = np.flatnonzero(shard != shards)
                named = (
                    chunk.families if chunk.families is None else chunk.families[place[training]]
                )
                related = worker.submit(relatives.among, keys[training], named)
                yield chunk, place, keys, shard, training, related
            rejects.add(left_out)
            tables.append({"path": str(source.path), **left_out.counts(count["rows"] - before)})
            if source.construct:
                fit.check(source.path)

    with (
        ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool,
        ThreadPoolExecutor(1) as worker,
        tempfile.TemporaryDirectory(dir=folder) as spill,
    ):
        paths = [Path(spill, name) for name in names]
        files = [path.open("wb") for path in paths]
        for chunk, place, keys, shard, training, related in _ahead(dealt(worker), AHEAD):
            sets = related.result()
            relatives.count(sets)
            if drop_relatives:
                of_own = (sets & own_sets) != 0
                apart = training[~of_own & (sets != 0)]
                count["apart"] += int((shard[apart] != shards + 1).sum())
                shard[apart] = shards + 1
                count["dropped"] += int(of_own.sum())
                place, keys, shard = (
                    np.delete(x, training[of_own], 0) for x in (place, keys, shard)
                )
            validated.append(keys[shard == shards])
            records = np.empty(len(keys), row)
            records["tokens"] = pad(chunk.buffer, chunk.starts[place], chunk.ends[place], length)
            records["expression"] = chunk.values["expression"][place]
            lowest = records["expression"].min(initial=lowest)
            highest = records["expression"].max(initial=highest)
            if weighted:
                records["weight"] = chunk.weights[place]
            order = np.argsort(shard, kind="stable")
            bounds = np.searchsorted(shard[order], np.arange(len(names) + 1))
            records = records[order]
            for number, file in enumerate(files):
                file.write(records[bounds[number] : bounds[number + 1]].tobytes())
            progress(count["rows"])
        for file in files:
            file.close()
        # Rows are dealt at random, so a shard is a random sample.
        shard_of_each = (np.fromfile(path, row)["expression"] for path in paths)
        sample = next((part for part in shard_of_each if len(part)), np.empty(0))

        near_validation = None
        if all(source.family is None for source in sources):
            near_validation = NearValidation(np.concatenate(validated), construct, seed, **near)

        def finish(number: int) -> tuple[int, float, str]:
            """Writes a shard, and returns its rows, the sum of their weights, and its hash."""
            records = np.fromfile(paths[number], row)
            paths[number].unlink()
            if near_validation and number != shards:
                near_validation.compare(records["tokens"])
            order = np.random.default_rng([seed, 1, number]).permutation(len(records))
            _write_shard(folder / names[number], records[order])
            weight = float(records["weight"].sum(dtype=float)) if weighted else 0.0
            return len(records), weight, sha256(folder / names[number])

        counts, weights, digests = zip(*pool.map(finish, range(len(names))), strict=True)
    distinct, sizes = relatives.sequences(), relatives.sizes()
    leaked = count["rows"] - count["dropped"] - sum(counts)
    manifest = {
        "length": length,
        "seed": seed,
        "validation_fraction": validation_fraction,
        "inputs": {str(source.path): sha256(source.path) for source in sources},
        "tables": tables,
        "test_sets": own.counts,
        "rows": count["rows"],
        "rejected": rejects.count,
        # How the rows fit the construct (`flanks.FlankCount`).
        "fit": {
            "train": [
                {"file": str(source.path), **fit.numbers()}
                for source, fit in zip(sources, fits, strict=True)
            ],
            "test": {name: fit.numbers() for name, fit in own.fits.items()},
        },
        "leaked": {"rows": leaked, "of_test_set": own.removed, "elsewhere": other.removed},
        "relatives": {
            "dropped": count["dropped"],
            "elsewhere": count["apart"],
            "of_test_set": {
                name: {
                    "sequences": distinct[name],
                    "of": sizes[name],
                    "rows": relatives.rows[name],
                }
                for name in held
            },
        },
        "validation_with_relative": near_validation and near_validation.share(),
        "train": sum(counts[:-2]),
        "validation": counts[-2],
        "elsewhere": counts[-1],
        "shards": dict(zip(names, counts, strict=True)),
        "weights": dict(zip(names, weights, strict=True)) if weighted else None,
        "sha256": dict(zip(names, digests, strict=True)),
        "bytes": {name: (folder / name).stat().st_size for name in names},
        "seconds": round(time.time() - started, 2),
    }
    if not manifest["train"]:
        raise TableError(
            f"{', '.join(manifest['inputs'])}: no row is left to train on. Of {count['rows']} "
            f"rows, {leaked} are in a test set, {count['dropped']} are relatives of one, and "
            f"{manifest['validation']} are in the validation set; use a larger table or smaller "
            "test sets"
        )
    manifest["expression_range"] = list(usual_range(sample, lowest, highest))
    if weighted and not sum(weights[:-2]):
        raise TableError(
            f"{', '.join(manifest['inputs'])}: every row to train on has the weight 0; correct "
            "`columns: weight` in the config"
        )
    return manifest


def _ahead(items: Iterable, number: int) -> Iterator:
    """Yields the items, but takes `number` more from the source before it yields one, so that the
    work behind each item goes on meanwhile."""
    waiting = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > number:
            yield waiting.popleft()
    yield from waiting


def _estimated_rows(sources: Sequence[Table]) -> float:
    """Estimates the number of rows of the sources from the sizes of their files."""
    rows = 0.0
    for source in sources:
        # A row of 110 bases and its value takes about 116 bytes, and gzip shrinks it to a quarter.
        rows += source.path.stat().st_size / 116 * (4 if is_gzip(source.path) else 1)
    return rows


def _shard_count(rows: float, rows_per_shard: int) -> int:
    return int(np.clip(round(rows / rows_per_shard), 1, MOST_SHARDS))


def _write_shard(path: Path, records: np.ndarray) -> None:
    # Level 1 takes a fifth of the time of the default level and gives a tenth more bytes.
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for start in range(0, len(records), BLOCK):
            block = records[start : start + BLOCK]
            tokens = tf.train.BytesList(value=[block["tokens"].tobytes()])
            expression = tf.train.FloatList(value=block["expression"])
            feature = {
                "tokens": tf.train.Feature(bytes_list=tokens),
                "expression": tf.train.Feature(float_list=expression),
            }
            if "weight" in block.dtype.names:
                weight = tf.train.FloatList(value=block["weight"])
                feature["weight"] = tf.train.Feature(float_list=weight)
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            # Otherwise the order of the features depends on the process, and with it the hash.
            writer.write(example.SerializeToString(deterministic=True))


def manifest_of(folder: Path) -> dict:
    """Returns the manifest beside the folder of the shards.

    Raises:
        ValueError: the manifest or a shard is missing or cut short. TensorFlow would not notice,
            because it takes the end of a file for the end of its records.
    """
    path = folder.parent / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
        sizes = manifest["bytes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: is not a complete manifest ({error}); {_anew(folder)}"
        ) from error
    for name, size in sizes.items():
        actual = os.path.getsize(folder / name) if (folder / name).is_file() else 0
        if actual != size:
            raise ValueError(
                f"{folder / name}: has only {actual:,} of its {size:,} bytes; {_anew(folder)}"
            )
    return manifest


def _anew(folder: Path) -> str:
    return f"delete {folder.parent} and run the same command again to write its shards again"


@contextlib.contextmanager
def named(folders: Sequence[Path]) -> Iterator[None]:
    """A context in which the error about a damaged shard of these folders names the shard.

    Raises:
        ValueError: a shard is damaged; the message names it.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        for folder in folders:
            for path in (folder / name for name in manifest_of(folder)["shards"]):
                if _damaged(path):
                    raise ValueError(f"{path}: is damaged; {_anew(folder)}") from error
        raise


def _damaged(path: Path) -> bool:
    try:
        for _ in tf.data.TFRecordDataset(str(path), "GZIP"):
            pass
    except tf.errors.DataLossError:
        return True
    return False


def training_rows(folders: Sequence[Path]) -> int:
    """Returns how many rows the folders of shards have for one training on all of them."""
    return sum(sum(_training_shards(folder, len(folders)).values()) for folder in folders)


def _training_shards(folder: Path, together: int) -> dict[str, int]:
    """Returns name -> rows of the shards that a training on `together` folders may use."""
    kinds = ("train-", ELSEWHERE) if together == 1 else ("train-",)
    shards = manifest_of(folder)["shards"]
    return {name: rows for name, rows in shards.items() if name.startswith(kinds) and rows}


@dataclass(frozen=True)
class _Columns:
    """What is read from a folder of shards.

    Attributes:
        length: the tokens of a sequence.
        weighted: whether each row has a weight.
        mean_weight: the mean weight of the folder's training rows, by which weights are divided.
            None if its shards have no weights, so that each row counts 1.
    """

    length: int
    weighted: bool
    mean_weight: float | None


def _columns(folders: Sequence[Path]) -> list[_Columns]:
    """Returns what is read from each folder for a training on all of them. Rows have weights if
    those of one folder have."""
    means = []
    for folder in folders:
        weights, rows = manifest_of(folder)["weights"], _training_shards(folder, len(folders))
        mean = weights and sum(weights[name] for name in rows) / sum(rows.values())
        means.append(mean)
    weighted = any(mean is not None for mean in means)
    lengths = [manifest_of(folder)["length"] for folder in folders]
    return [_Columns(n, weighted, mean) for n, mean in zip(lengths, means, strict=True)]


def batches(
    folders: Sequence[Path],
    batch: int,
    steps: int,
    *,
    seed: int,
    epoch: int,
    reverse_complement: bool = False,
    part: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Returns one epoch: `steps` batches of tokens (batch, length) uint8 and expression (batch,)
    float32; and weight (batch,) float32 if a folder has weights. The mean weight of the training
    rows of each folder is 1; rows of a folder without weights count 1.

    The rows are drawn evenly from the folders of shards; if a folder has too few, its rows are
    repeated. With `reverse_complement`, each sequence is read from a strand chosen at random. With
    `part` (k, n), the result is the k-th (from 0) of n equal parts of each batch, for one of n
    hosts. The order depends only on seed and epoch, so that training can resume.

    Raises:
        ValueError: a folder has fewer rows than its share of one batch.
    """
    shares = [batch // len(folders) + (n < batch % len(folders)) for n in range(len(folders))]
    parts = []
    columns = _columns(folders)
    for number, (folder, share) in enumerate(zip(folders, shares, strict=True)):
        random = np.random.default_rng([seed, 2, epoch, number])
        rows = _training_shards(folder, len(folders))
        parts.append(_stream(folder, rows, columns[number], share, steps, random))
    if len(parts) == 1:
        (together,) = parts
    else:
        together = _evenly(parts, shares)
    if reverse_complement:
        seeds = np.random.default_rng([seed, 3, epoch]).integers(0, 2**31, 2)
        together = together.enumerate().map(
            lambda number, rows: _either_strand(number, rows, seeds)
        )
    number, parts = part
    if parts > 1:
        rows = slice(number * batch // parts, (number + 1) * batch // parts)
        together = together.map(lambda *columns: tuple(column[rows] for column in columns))
    return _untuned(together.prefetch(PREFETCH))


def _either_strand(number: tf.Tensor, rows: tuple, seeds: np.ndarray) -> tuple:
    tokens, *others = rows
    coins = tf.random.stateless_uniform([tf.shape(tokens)[0], 1], [seeds[0], seeds[1] + number])
    other = tf.reverse(tf.gather(COMPLEMENT, tf.cast(tokens, tf.int32)), [1])
    return tf.where(coins < 0.5, tokens, other), *others


def _evenly(parts: list[tf.data.Dataset], shares: list[int]) -> tf.data.Dataset:
    # The folders take turns, so that each device's part of a batch is evenly drawn too.
    turns = np.argsort(np.concatenate([np.arange(n) / n for n in shares]), kind="stable")
    return tf.data.Dataset.zip(tuple(parts)).map(
        lambda *pairs: tuple(
            tf.gather(tf.concat(columns, 0), turns) for columns in zip(*pairs, strict=True)
        )
    )


def _untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the dataset without tf.data's tuner. The tuner has nothing to tune here, and its
    thread sleeps for up to ten seconds before it lets an epoch end."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _stream(
    folder: Path,
    shards: dict[str, int],
    columns: _Columns,
    batch: int,
    steps: int,
    random: np.random.Generator,
) -> tf.data.Dataset:
    rows = sum(shards.values())
    if rows < batch:
        raise ValueError(
            f"{folder}: has {rows} training rows, but a batch draws {batch} from it; "
            "lower `training: batch_size`"
        )
    names = list(shards)
    passes = -(-batch * steps // rows)
    order = [names[n] for _ in range(passes) for n in random.permutation(len(names))]
    seeds = random.integers(0, 2**31, 2)
    blocks = tf.data.Dataset.from_tensor_slices([str(folder / name) for name in order]).interleave(
        lambda path: _blocks(path, columns),
        cycle_length=min(READ_TOGETHER, len(names)),
        num_parallel_calls=min(READERS, len(names)),
        deterministic=True,
    )

    def shuffle(number, block):
        rows = tf.range(tf.shape(block[1])[0])
        rows = tf.random.experimental.stateless_shuffle(rows, [seeds[0], seeds[1] + number])
        return tuple(tf.gather(column, rows) for column in block)

    pools = blocks.rebatch(max(POOL, batch)).enumerate().map(shuffle).prefetch(1)
    return pools.rebatch(batch, drop_remainder=True).take(steps)


def _blocks(path: tf.Tensor | str, columns: _Columns) -> tf.data.Dataset:
    features = {
        "tokens": tf.io.FixedLenFeature([], tf.string),
        "expression": tf.io.RaggedFeature(tf.float32),
    }
    if columns.mean_weight is not None:
        features["weight"] = tf.io.RaggedFeature(tf.float32)

    def parse(record):
        block = tf.io.parse_single_example(record, features)
        tokens = tf.reshape(tf.io.decode_raw(block["tokens"], tf.uint8), [-1, columns.length])
        if not columns.weighted:
            return tokens, block["expression"]
        if columns.mean_weight is None:
            return tokens, block["expression"], tf.ones_like(block["expression"])
        return tokens, block["expression"], block["weight"] / columns.mean_weight

    return tf.data.TFRecordDataset(path, "GZIP").map(parse)


def validation(folders: Sequence[Path]) -> tuple[np.ndarray, ...]:
    """Returns the validation rows of all folders: tokens (n, length) uint8 and expression (n,)
    float32; and weight (n,) float32, as in `batches`, if a folder has weights."""
    parts = []
    for folder, columns in zip(folders, _columns(folders), strict=True):
        numbers = [np.empty(0, np.float32)] * (2 if columns.weighted else 1)
        parts.append((np.empty((0, columns.length), np.uint8), *numbers))
        parts += _blocks(str(folder / VALIDATION), columns).as_numpy_iterator()
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))
