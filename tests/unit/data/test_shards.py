"""Shards against their source rows, and the batches that are drawn from them."""

import collections
import dataclasses
import gzip
import hashlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from test_families import other_strand, related
from test_tables import files_with_faults, read_singly

from crmnet.data import sequences, shards, splits
from crmnet.data.sequences import Construct
from crmnet.data.tables import Rejects, Table, TableError, account
from crmnet.data.words import TooAlike

tf = shards.tf

LEFT, RIGHT = "TGCATTTTTTTCACATC", "GGTTACGGCTGTT"
CONSTRUCT = Construct(LEFT, RIGHT, 80, 112)


def inserts(seed, number, length=80):
    letters = np.random.default_rng(seed).choice(list("ACGT"), (number, length))
    return ["".join(row) for row in letters]


def whole(insert):
    return LEFT + insert + RIGHT


def table(path, rows):
    """Writes rows (sequence, expression) without a header, and returns the table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{sequence}\t{value}\n" for sequence, value in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return Table(path, 1, {"expression": 2}, header=False)


def write(folder, sources, *, held=None, seed=1, fraction=0.0, rejects=None, **options):
    """Writes shards and their manifest as the workflow does, and returns folder and manifest."""
    manifest = shards.write(
        sources,
        held or {},
        CONSTRUCT,
        folder / "shards",
        seed=seed,
        validation_fraction=fraction,
        rejects=rejects or Rejects(),
        **options,
    )
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder / "shards", manifest


def blocks_of(path, length=CONSTRUCT.length):
    """The records of a shard as (tokens, expression), read by TensorFlow's own message parser."""
    blocks = []
    for record in tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        expression = np.array(feature["expression"].float_list.value, np.float32)
        (tokens,) = feature["tokens"].bytes_list.value
        tokens = np.frombuffer(tokens, np.uint8).reshape(len(expression), length)
        blocks.append((tokens, expression))
    return blocks


def rows_in(folder, pattern="*.tfrecord"):
    """The rows of shards, in order: (letters, expression)."""
    return [
        (sequences.letters(row), float(value))
        for path in sorted(folder.glob(pattern))
        for tokens, expression in blocks_of(path)
        for row, value in zip(tokens, expression, strict=True)
    ]


def training(folder):
    return rows_in(folder, "train-*")


def held_out(folder):
    return rows_in(folder, "validation*")


ROWS = [
    *((whole(insert), n / 7) for n, insert in enumerate(inserts(1, 2900))),
    *((whole(insert), n + 0.1) for n, insert in enumerate(inserts(2, 50, 60))),
    *((whole(insert), -n) for n, insert in enumerate(inserts(3, 50, 90))),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    source = table(folder / "rows.tsv", ROWS)
    return *write(folder, [source], fraction=0.1, rows_per_shard=1000), source


def test_every_row_comes_back_bit_for_bit(written):
    folder, *_ = written
    expected = collections.Counter()
    for sequence, value in ROWS:
        tokens = bytes("ACGTN".index(letter) for letter in sequence[:112].ljust(112, "N"))
        expected[tokens, np.float32(value).tobytes()] += 1
    found = collections.Counter(
        (row.tobytes(), value.tobytes())
        for path in folder.iterdir()
        for tokens, expression in blocks_of(path)
        for row, value in zip(tokens, expression, strict=True)
    )
    assert found == expected


def test_records_are_blocks_of_1024_rows_but_for_the_last(tmp_path):
    folder, manifest = write(tmp_path, [table(tmp_path / "rows.tsv", ROWS)])
    assert manifest["train"] == 3000
    (path,) = folder.glob("train-*")
    assert [len(expression) for _, expression in blocks_of(path)] == [1024, 1024, 952]


def test_manifest_counts_what_is_in_the_files(written):
    folder, manifest, source = written
    assert {path.name for path in folder.iterdir()} == set(manifest["shards"])
    for name, rows in manifest["shards"].items():
        assert sum(len(expression) for _, expression in blocks_of(folder / name)) == rows
    of_kind = {
        kind: sum(rows for name, rows in manifest["shards"].items() if name.startswith(kind))
        for kind in ("train", "validation", "elsewhere")
    }
    assert of_kind == {kind: manifest[kind] for kind in of_kind}
    assert manifest["rows"] == 3000 == sum(of_kind.values()) + manifest["leaked"]["rows"]
    (fit,) = manifest["fit"]["train"]
    counted = {"rows": 3000, "left": 3000, "right": 3000, "both": 3000}
    # 110 + 10 bases are more than 112.
    assert fit == {"file": str(source.path), **counted, "longer": 50}
    values = np.array([value for _, value in ROWS], np.float32)
    assert manifest["expression_range"] == [values.min(), values.max()]
    assert manifest["rejected"] == 0
    assert manifest["length"] == 112 and manifest["seed"] == 1
    digest = hashlib.sha256(source.path.read_bytes()).hexdigest()
    assert manifest["inputs"] == {str(source.path): digest}
    assert json.loads(json.dumps(manifest)) == manifest


def test_rows_are_dealt_evenly_and_shuffled(written):
    folder, manifest, _ = written
    sizes = [rows for name, rows in manifest["shards"].items() if name.startswith("train")]
    share = 1 / len(sizes)
    assert len(sizes) == 3
    assert max(abs(size - 2700 * share) for size in sizes) < 5 * (2700 * share * (1 - share)) ** 0.5
    place = {row: n for n, row in enumerate((s[:112], np.float32(v)) for s, v in ROWS)}
    for path in folder.glob("train-*"):
        places = [place[row] for row in rows_in(folder, path.name)]
        correlation = np.corrcoef(places, np.arange(len(places)))[0, 1]
        assert abs(correlation) < 5 / len(places) ** 0.5
        middle, deviation = len(ROWS) / 2, len(ROWS) / 12**0.5
        assert abs(np.mean(places) - middle) < 5 * deviation / len(places) ** 0.5


def test_the_same_seed_writes_the_same_shards(written, tmp_path):
    folder, manifest, source = written
    again, other = write(tmp_path, [source], fraction=0.1, rows_per_shard=1000)
    assert other["shards"] == manifest["shards"]
    for path in folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_another_seed_deals_shuffles_and_splits_otherwise(written, tmp_path):
    folder, _, source = written
    other, _ = write(tmp_path, [source], fraction=0.1, rows_per_shard=1000, seed=2)
    assert collections.Counter(rows_in(other)) == collections.Counter(rows_in(folder))
    assert set(rows_in(other, "train-00000*")) != set(rows_in(folder, "train-00000*"))
    assert set(held_out(other)) != set(held_out(folder))


def test_several_sources_are_mixed(tmp_path):
    rows = [(whole(insert), n) for n, insert in enumerate(inserts(4, 600))]
    named = tmp_path / "named.csv"
    lines = [f"{n},{sequence},{value}" for n, (sequence, value) in enumerate(rows[400:])]
    named.write_text("\n".join(["id,sequence,Expression", *lines]))
    sources = [
        table(tmp_path / "plain.tsv", rows[:200]),
        table(tmp_path / "packed.tsv.gz", rows[200:400]),
        Table(named, "sequence", {"expression": "Expression"}, header=True),
    ]
    folder, manifest = write(tmp_path, sources)
    assert sorted(training(folder), key=lambda row: row[1]) == rows
    assert manifest["rows"] == 600 and len(manifest["inputs"]) == 3
    places = [value for _, value in training(folder)]
    for half in (places[:300], places[300:]):
        assert min(np.histogram(half, [0, 200, 400, 600])[0]) > 60


def test_the_number_of_shards_follows_the_size_of_the_sources(tmp_path):
    rows = [(whole(insert), 1) for insert in inserts(5, 1000)]
    plain, packed = table(tmp_path / "rows.tsv", rows), table(tmp_path / "rows.tsv.gz", rows)
    assert 900 <= shards._estimated_rows([plain]) <= 1100
    assert 700 <= shards._estimated_rows([packed]) <= 1300
    assert 1800 <= shards._estimated_rows([plain, plain]) <= 2200
    assert shards._shard_count(1000, 100) == 10
    assert shards._shard_count(1000, 10**6) == 1
    assert shards._shard_count(1000, 1) == shards.MOST_SHARDS


def test_bad_rows_stop_the_writing_or_are_counted(tmp_path):
    rows = [(whole(insert), n) for n, insert in enumerate(inserts(6, 20))]
    rows[4], rows[9] = ("ACGR", 1), ("ACGT", "NA")
    source = table(tmp_path / "rows.tsv", rows)
    with pytest.raises(TableError, match="2 bad row"):
        write(tmp_path, [source])
    sink = io.StringIO()
    dropping = dataclasses.replace(source, on_bad_rows="drop")
    folder, manifest = write(tmp_path, [dropping], rejects=Rejects(sink))
    assert manifest["rejected"] == 2 and manifest["rows"] == manifest["train"] == 18
    assert [line.split("\t")[1] for line in sink.getvalue().splitlines()] == ["5", "10"]
    assert sorted(value for _, value in training(folder)) == [
        n for n in range(20) if n not in (4, 9)
    ]


def test_no_test_sequence_is_trained_on_in_whatever_form(tmp_path):
    """Test sequences as published (padded or cut on the left to 110), in lower case, without
    flanks."""
    test = [*inserts(7, 6), *inserts(8, 2, 70), *inserts(9, 2, 95)]
    native = [
        (whole(test[0]), 1),
        (whole(test[1]).lower(), 1),
        (test[2], 1),
        (LEFT + test[3], 1),
        (test[4] + RIGHT, 1),
    ]
    random = [(whole(insert)[-110:].rjust(110, "N"), 1) for insert in test[5:]]
    kept = [(whole(insert), n) for n, insert in enumerate(inserts(10, 100))]
    planted = [(whole(insert), 7) for insert in test] + [
        (test[0], 7),
        (whole(test[0]).lower(), 7),
        (f"NN{whole(test[6])}N", 7),
    ]
    tables = {"native": table(tmp_path / "native.tsv", native)}
    tables["random"] = table(tmp_path / "random.tsv", random)
    source = table(tmp_path / "rows.tsv", kept[:50] + planted + kept[50:])
    folder, manifest = write(tmp_path, [source], held=tables, fraction=0.2)
    assert sorted(rows_in(folder), key=lambda row: row[1]) == kept
    leaked = {"rows": 13, "of_test_set": {"native": 7, "random": 6}, "elsewhere": {}}
    assert manifest["leaked"] == leaked


def test_a_row_in_two_test_sets_is_dropped_once_and_counted_in_both(tmp_path):
    shared, other = inserts(11, 2)
    tables = {
        name: table(tmp_path / name, [(whole(shared), 1)]) for name in ("native", "random", "third")
    }
    source = table(tmp_path / "rows.tsv", [(whole(shared), 1), (whole(other), 2)])
    folder, manifest = write(tmp_path, [source], held=tables)
    assert training(folder) == [(whole(other), 2.0)]
    assert manifest["leaked"]["rows"] == 1
    assert manifest["leaked"]["of_test_set"] == dict.fromkeys(tables, 1)


def test_almost_a_test_sequence_is_kept(tmp_path):
    (insert,) = inserts(12, 1)
    near = [("C" if insert[0] == "A" else "A") + insert[1:], insert[:-1], insert[1:], "A" + insert]
    source = table(tmp_path / "rows.tsv", [(whole(text), n) for n, text in enumerate(near)])
    tables = {"native": table(tmp_path / "native.tsv", [(whole(insert), 1)])}
    folder, manifest = write(tmp_path, [source], held=tables)
    # The last one may be the measured form of a test sequence that was cut on its left.
    assert sorted(value for _, value in training(folder)) == [0.0, 1.0, 2.0]
    assert manifest["leaked"]["rows"] == 1


def test_rows_of_other_medias_test_sets_lie_apart(tmp_path):
    own, other, *rest = inserts(13, 200)
    rows = [(whole(insert), n) for n, insert in enumerate([own, other, other, *rest])]
    folder, manifest = write(
        tmp_path,
        [table(tmp_path / "rows.tsv", rows)],
        held={"native": table(tmp_path / "own.tsv", [(whole(own), 1)])},
        held_elsewhere={"defined/native": table(tmp_path / "other.tsv", [(other, 1), (own, 1)])},
        fraction=0.3,
    )
    assert sorted(rows_in(folder, "elsewhere*")) == sorted(
        [(whole(other), 1.0), (whole(other), 2.0)]
    )
    assert manifest["elsewhere"] == 2
    assert manifest["leaked"] == {
        "rows": 1,
        "of_test_set": {"native": 1},
        "elsewhere": {"defined/native": 2},
    }
    # A model of this medium alone trains on them, one of several media does not.
    train = manifest["train"]
    assert shards.training_rows([folder]) == train + 2
    assert shards.training_rows([folder, folder]) == 2 * train
    values = drawn(shards.batches([folder], train + 2, 1, seed=1, epoch=0))
    assert {1.0, 2.0} <= set(values)
    values = drawn(shards.batches([folder, folder], 2 * train, 1, seed=1, epoch=0))
    assert not {1.0, 2.0} & set(values)


def test_duplicates_never_straddle_the_validation_split(tmp_path):
    texts = inserts(14, 400)
    forms = [whole, str, lambda insert: whole(insert).lower(), lambda insert: "NN" + whole(insert)]
    rows = [
        (form(insert), 1000 * n + m)
        for m, insert in enumerate(texts)
        for n, form in enumerate(forms)
    ]
    folder, manifest = write(tmp_path, [table(tmp_path / "rows.tsv", rows)], fraction=0.25)
    train, validation = (
        collections.Counter(value % 1000 for _, value in part(folder))
        for part in (training, held_out)
    )
    assert manifest["validation"] == validation.total() > 0
    assert not train.keys() & validation.keys()
    assert set((train + validation).values()) == {4}


def test_the_split_is_by_sequence_not_by_row_or_file(tmp_path):
    rows = [(whole(insert), n) for n, insert in enumerate(inserts(15, 500))]
    one, _ = write(tmp_path / "one", [table(tmp_path / "one" / "a", rows)], fraction=0.2)
    parts = [table(tmp_path / "two" / "b", rows[300:]), table(tmp_path / "two" / "a", rows[100:])]
    two, _ = write(tmp_path / "two", parts, fraction=0.2)
    shared = {value for _, value in rows[100:]}
    assert {v for _, v in held_out(one)} & shared == {v for _, v in held_out(two)}


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5])
def test_the_validation_set_has_about_its_fraction_of_the_rows(tmp_path, fraction):
    _, manifest = write(tmp_path, [table(tmp_path / "rows.tsv", ROWS)], fraction=fraction)
    deviation = (len(ROWS) * fraction * (1 - fraction)) ** 0.5
    assert abs(manifest["validation"] - fraction * len(ROWS)) < 4 * deviation
    assert manifest["train"] + manifest["validation"] == len(ROWS)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_nothing_left_to_train_on_is_an_error(tmp_path, fraction):
    source = table(tmp_path / "rows.tsv", [(whole(insert), 1) for insert in inserts(16, 5)])
    held = {} if fraction else {"native": source}
    with pytest.raises(TableError, match="no row is left to train on"):
        write(tmp_path, [source], held=held, fraction=fraction)


def test_validation_gives_the_validation_rows(written):
    folder, manifest, _ = written
    tokens, expression = shards.validation([folder])
    assert tokens.shape == (manifest["validation"], 112) and tokens.dtype == np.uint8
    assert expression.shape == (manifest["validation"],) and expression.dtype == np.float32
    found = [(sequences.letters(row), value) for row, value in zip(tokens, expression, strict=True)]
    assert found == held_out(folder)


def test_validation_of_several_blocks(tmp_path):
    folder, manifest = write(tmp_path, [table(tmp_path / "rows.tsv", ROWS)], fraction=0.9)
    tokens, expression = shards.validation([folder])
    assert len(tokens) == len(expression) == manifest["validation"] > 2 * shards.BLOCK


def test_validation_of_an_empty_split_has_no_rows(tmp_path):
    folder, manifest = write(tmp_path, [table(tmp_path / "rows.tsv", ROWS[:10])])
    tokens, expression = shards.validation([folder])
    assert manifest["validation"] == 0
    assert tokens.shape == (0, 112) and tokens.dtype == np.uint8
    assert expression.shape == (0,) and expression.dtype == np.float32


# Batches


def drawn(dataset):
    """The expressions of all batches, in order."""
    return np.concatenate([expression for _, expression in dataset.as_numpy_iterator()])


COMPLEX, DEFINED = inserts(17, 3000), inserts(18, 100)


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """Two folders of shards: 3,000 rows of expression 0, 1, ...; 100 rows of -1, -2, ..."""
    rows = {
        "complex": [(whole(insert), n) for n, insert in enumerate(COMPLEX)],
        "defined": [(whole(insert), -1 - n) for n, insert in enumerate(DEFINED)],
    }
    folders = []
    for name in rows:
        folder = tmp_path_factory.mktemp(name)
        source = table(folder / "rows.tsv", rows[name])
        folders.append(write(folder, [source], rows_per_shard=len(rows[name]) // 4)[0])
    return folders


@pytest.fixture(params=[None, 256], ids=["one pool", "many pools"])
def pool(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(shards, "POOL", request.param)


def test_batches_have_the_shapes_and_types_of_the_models_input(media):
    dataset = shards.batches(media[:1], 64, 5, seed=1, epoch=0)
    found = list(dataset.as_numpy_iterator())
    assert len(found) == 5
    for tokens, expression in found:
        assert tokens.shape == (64, 112) and tokens.dtype == np.uint8
        assert expression.shape == (64,) and expression.dtype == np.float32


def test_the_parts_of_hosts_make_the_whole_batch(media):
    options = {"seed": 1, "epoch": 3, "reverse_complement": True}
    whole = shards.batches(media, 66, 3, **options).as_numpy_iterator()
    parts = zip(
        *(
            shards.batches(media, 66, 3, part=(host, 3), **options).as_numpy_iterator()
            for host in range(3)
        ),
        strict=True,
    )
    for batch, hosts in zip(whole, parts, strict=True):
        assert [len(tokens) for tokens, _ in hosts] == [22] * 3
        for column, together in zip(batch, zip(*hosts, strict=True), strict=True):
            np.testing.assert_array_equal(np.concatenate(together), column)


def test_batches_keep_each_sequence_with_its_expression(media, pool):
    for tokens, expression in shards.batches(media, 60, 10, seed=1, epoch=0).as_numpy_iterator():
        for row, value in zip(tokens, expression.astype(int), strict=True):
            expected = COMPLEX[value] if value >= 0 else DEFINED[-1 - value]
            assert sequences.letters(row) == whole(expected)


def test_one_epoch_visits_each_row_exactly_once(media, pool):
    values = drawn(shards.batches(media[:1], 100, 30, seed=1, epoch=0))
    assert sorted(values) == list(range(3000))


def test_an_epoch_of_fewer_steps_visits_no_row_twice(media, pool):
    values = drawn(shards.batches(media[:1], 128, 23, seed=1, epoch=0))
    assert len(set(values)) == len(values) == 128 * 23


def test_an_epoch_is_shuffled(media, pool):
    values = drawn(shards.batches(media[:1], 100, 30, seed=1, epoch=0))
    stored = [value for _, value in training(media[0])]
    for order in (range(3000), stored):
        place = {value: n for n, value in enumerate(order)}
        steps = np.diff([place[value] for value in values])
        assert (steps == 1).mean() < 0.01


def test_the_order_depends_on_seed_and_epoch_alone(media, pool):
    def order(seed, epoch):
        return drawn(shards.batches(media, 64, 20, seed=seed, epoch=epoch)).tolist()

    first = order(1, 3)
    assert order(1, 3) == first
    others = [order(1, 4), order(2, 3), order(3, 1)]
    assert all(other != first for other in others)
    assert others[0] != others[1]


@pytest.mark.parametrize(("batch", "shares"), [(64, (32, 32)), (65, (33, 32)), (2, (1, 1))])
def test_every_batch_is_drawn_evenly_from_two_folders(media, batch, shares):
    for _, expression in shards.batches(media, batch, 20, seed=1, epoch=0).as_numpy_iterator():
        assert ((expression >= 0).sum(), (expression < 0).sum()) == shares


def test_each_devices_part_of_a_batch_is_drawn_evenly_too(media):
    for _, expression in shards.batches(media, 64, 5, seed=1, epoch=0).as_numpy_iterator():
        assert ((expression.reshape(8, 8) < 0).sum(axis=1) == 4).all()


def test_rows_of_the_smaller_folder_come_again(media, pool):
    values = drawn(shards.batches(media, 60, 50, seed=1, epoch=0))
    larger, smaller = values[values >= 0], values[values < 0]
    assert len(set(larger)) == len(larger) == 1500
    assert set(smaller) == {-float(n) for n in range(1, 101)}
    assert np.unique(smaller, return_counts=True)[1].tolist() == [15] * 100


def test_a_folder_with_fewer_rows_than_its_share_is_an_error(media):
    assert len(drawn(shards.batches(media, 200, 1, seed=1, epoch=0))) == 200
    with pytest.raises(ValueError, match="100 training rows.*batch_size"):
        shards.batches(media, 202, 1, seed=1, epoch=0)
    with pytest.raises(ValueError, match="100 training rows"):
        shards.batches(media[1:], 101, 1, seed=1, epoch=0)


def test_either_strand_comes_up_at_random_with_the_same_expression(media):
    def drawn_rows(epoch, **options):
        dataset = shards.batches(media[:1], 100, 20, seed=1, epoch=epoch, **options)
        return [np.concatenate(column) for column in zip(*dataset.as_numpy_iterator(), strict=True)]

    tokens, expression = drawn_rows(0)
    either, same = drawn_rows(0, reverse_complement=True)
    assert either.dtype == np.uint8 and np.array_equal(expression, same)
    turned = (either != tokens).any(axis=1)
    assert 0.45 < turned.mean() < 0.55
    other = sequences.reverse_complement(tokens)
    assert np.array_equal(either, np.where(turned[:, None], other, tokens))
    # Other rows of each batch, and of another epoch's.
    assert len({tuple(row) for row in turned.reshape(20, 100)}) == 20
    again = [drawn_rows(epoch, reverse_complement=True)[0] for epoch in (0, 1)]
    assert np.array_equal(again[0], either) and not np.array_equal(again[1], either)


# Damage


@pytest.fixture
def few(tmp_path):
    """A folder of shards for a test to damage, and its files that have rows."""
    rows = [(whole(insert), n) for n, insert in enumerate(inserts(30, 300))]
    source = table(tmp_path / "rows.tsv", rows)
    folder, manifest = write(tmp_path, [source], fraction=0.3, rows_per_shard=100)
    return folder, [folder / name for name, rows in manifest["shards"].items() if rows]


def read_all(folder):
    """Reads all rows as a training does."""
    with shards.named([folder]):
        shards.validation([folder])
        rows = shards.training_rows([folder])
        for _ in shards.batches([folder], rows, 1, seed=1, epoch=0):
            pass


@pytest.mark.parametrize("left", [0, 1, 10, 0.5, -1])
def test_an_error_names_a_shard_that_is_cut_short(few, left):
    folder, paths = few
    read_all(folder)
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content[: int(left * len(content)) if 0 < left < 1 else left])
        with pytest.raises(ValueError, match=rf"{path}: has .* bytes; delete {folder.parent} "):
            read_all(folder)
        path.write_bytes(content)


def test_an_error_names_a_missing_shard(few):
    folder, paths = few
    for path in paths:
        path.rename(folder / "elsewhere")
        with pytest.raises(ValueError, match=f"{path}: has only 0 of its"):
            read_all(folder)
        (folder / "elsewhere").rename(path)


def test_an_error_names_a_shard_with_a_wrong_byte(few):
    folder, paths = few
    random = np.random.default_rng(31)
    for path in paths:
        content = path.read_bytes()
        # Behind the header, with its fields that say nothing of the content.
        for place in random.integers(10, len(content), 3):
            damaged = bytearray(content)
            damaged[place] ^= 1 << random.integers(8)
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=f"{path}: is damaged; delete"):
                read_all(folder)
        path.write_bytes(content)
    read_all(folder)


@pytest.mark.parametrize("text", [None, "", '{"length": 112, "sha', "[]", "{}"])
def test_an_error_names_a_bad_manifest(few, text):
    folder, _ = few
    path = folder.parent / "manifest.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ValueError, match=f"{path}: is not a complete manifest"):
        read_all(folder)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(mangled=files_with_faults())
def test_shards_of_a_file_with_faults_have_its_good_rows_and_no_others(tmp_path_factory, mangled):
    content, header = mangled
    folder = tmp_path_factory.mktemp("faults")
    (folder / "rows.txt").write_bytes(content)
    source = Table(folder / "rows.txt", 1, {"expression": 2}, header, on_bad_rows="drop")
    expected, sink = read_singly(source.path, header), io.StringIO()
    try:
        manifest = shards.write(
            [source],
            {},
            Construct("", "", 8, 8),
            folder / "shards",
            seed=1,
            validation_fraction=0.3,
            rejects=Rejects(sink),
            rows_per_shard=9,
        )
    except TableError as error:
        said = str(error)
        assert str(source.path) in said
        fine = expected and not content.startswith(b"\x1f\x8b") and b'"' not in content
        assert not fine or "no row is left to train on" in said
        return
    lines, found = expected
    good = [row for row in found if row]
    if b'"' not in content:
        assert manifest["rows"] == len(good)
        assert manifest["rejected"] == len(lines) - header - len(good)
    assert manifest["rows"] == manifest["train"] + manifest["validation"]
    assert manifest["rejected"] == len(sink.getvalue().splitlines())
    written = collections.Counter(
        (sequences.letters(row), float(value))
        for path in (folder / "shards").iterdir()
        for tokens, expression in blocks_of(path, 8)
        for row, value in zip(tokens, expression, strict=True)
    )
    kept = collections.Counter((row[:8].rstrip("N"), float(np.float32(v))) for row, v in good)
    assert written == kept if b'"' not in content else not written - kept


def changed(rng, insert, number):
    letters = list(insert)
    for place in rng.choice(len(insert), number, replace=False):
        letters[place] = "ACGT"[("ACGT".index(letters[place]) + rng.integers(1, 4)) % 4]
    return "".join(letters)


def library(seed, starts=60):
    """Inserts: families of variants, some on the other strand, and tiles."""
    rng = np.random.default_rng(seed)
    found = []
    for start in inserts(seed, starts, 120):
        found += [
            start[:80],
            changed(rng, start[:80], 4),
            other_strand(changed(rng, start[:80], 8)),
        ]
        found += [start[40:], other_strand(start[20:100])]
    return found


def bare(rows):
    """Inserts of rows of shards."""
    return [sequence[len(LEFT) : -len(RIGHT)] for sequence, _ in rows]


def with_relative(some, others):
    return sum(any(related(one, other, 8, 30) for other in others) for one in some)


def split_of(sources, fraction, tests=(), held_out=None):
    return splits.split(
        sources,
        tests,
        held_out or {},
        CONSTRUCT,
        validation_fraction=fraction,
        distance=8,
        overlap=30,
        seed=1,
        rejects=Rejects(),
    )


def test_no_validation_row_has_a_relative_in_training(tmp_path):
    source = table(tmp_path / "rows.tsv", [(whole(insert), 1) for insert in library(1)])
    folder, manifest = write(tmp_path / "one", [source], fraction=0.2)
    validated, trained = bare(held_out(folder)), bare(training(folder))
    # One by one, most have; and so the manifest says.
    share = with_relative(validated, trained) / len(validated)
    assert share > 0.8 and manifest["validation_with_relative"] == pytest.approx(share)
    split = split_of({"a": [source]}, 0.2)
    folder, manifest = write(tmp_path / "two", [source], fraction=0.2, split=split)
    validated, trained = bare(held_out(folder)), bare(training(folder))
    assert len(validated) == manifest["validation"] and 45 <= len(validated) <= 75
    assert len(trained) == manifest["train"] == 300 - len(validated)
    assert with_relative(validated, trained) == manifest["validation_with_relative"] == 0


@pytest.mark.parametrize("dress", [whole, str])
def test_the_strands_of_a_sequence_are_for_one_use_without_families(tmp_path, dress):
    found = [strand for insert in inserts(11, 200) for strand in (insert, other_strand(insert))]
    source = table(tmp_path / "rows.tsv", [(dress(insert), 1) for insert in found])
    folder, manifest = write(tmp_path, [source], fraction=0.2)
    validated = {text.removeprefix(LEFT).removesuffix(RIGHT) for text, _ in held_out(folder)}
    assert 40 < len(validated) < 120 and validated == set(map(other_strand, validated))
    assert manifest["validation_with_relative"] == 0


def test_of_many_validation_rows_some_are_measured(tmp_path, monkeypatch):
    source = table(tmp_path / "rows.tsv", [(whole(insert), 1) for insert in library(2, 150)])
    _, manifest = write(tmp_path / "all", [source], fraction=0.4)
    monkeypatch.setattr(shards, "MEASURED", 200)
    monkeypatch.setattr(shards, "COMPARED", 100)
    _, some = write(tmp_path / "some", [source], fraction=0.4)
    share = some["validation_with_relative"]
    assert share == pytest.approx(manifest["validation_with_relative"], abs=0.1)
    assert (share * 200) == pytest.approx(round(share * 200))


def test_a_measure_that_would_take_hours_stops_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise TooAlike(3)

    source = table(tmp_path / "rows.tsv", [(whole(insert), 1) for insert in library(2)])
    monkeypatch.setattr(shards.Index, "relatives", refuse)
    monkeypatch.setattr(shards.Relatives, "among", lambda _, keys, names: np.zeros(len(keys), "u8"))
    _, manifest = write(tmp_path, [source], fraction=0.2)
    assert manifest["validation_with_relative"] is None


@pytest.mark.parametrize("drop", [False, True])
def test_relatives_of_test_sequences_are_counted_and_left_out_when_asked(tmp_path, drop):
    rng = np.random.default_rng(3)
    found = library(4)
    source = table(tmp_path / "rows.tsv", [(whole(insert), n) for n, insert in enumerate(found)])
    own = [*(changed(rng, insert, 3) for insert in found[:25:5]), found[50], *inserts(9, 20)]
    other = [changed(rng, insert, 3) for insert in found[100:150:5]] + [other_strand(found[0])]
    tests = {
        "a/native": table(tmp_path / "own.tsv", [(whole(insert), 0) for insert in own]),
        "b/native": table(tmp_path / "other.tsv", [(whole(insert), 0) for insert in other]),
    }
    folder, manifest = write(
        tmp_path,
        [source],
        held={"a/native": tests["a/native"]},
        held_elsewhere={"b/native": tests["b/native"]},
        drop_relatives=drop,
    )
    near_own = [insert for insert in found if insert != found[50] and with_relative([insert], own)]
    near_other = [insert for insert in found if with_relative([insert], other)]
    assert manifest["leaked"]["rows"] == 1 and len(near_own) > 10
    said = manifest["relatives"]
    counted = {"sequences": 6, "of": len(own), "rows": len(near_own)}
    assert said["of_test_set"] == {"a/native": counted}
    trained, apart = bare(training(folder)), bare(rows_in(folder, "elsewhere*"))
    assert len(trained) + len(apart) == manifest["train"] + manifest["elsewhere"]
    if drop:
        assert with_relative(trained + apart, own) == 0
        assert said["dropped"] == len(near_own)
        assert sorted(apart) == sorted(set(near_other) - set(near_own))
        assert said["elsewhere"] == len(apart) and with_relative(trained, other) == 0
    else:
        assert said["dropped"] == said["elsewhere"] == 0 and apart == []
        assert len(trained) == len(found) - 1


def test_what_another_medium_holds_out_is_not_trained_on_with_it(tmp_path):
    """Families are held out whole, including sequences that only this medium has."""
    found = library(6)
    first = table(tmp_path / "first.tsv", [(whole(insert), 1) for insert in found[:200:2]])
    second = table(tmp_path / "second.tsv", [(whole(insert), 2) for insert in found[1:250:2]])
    split = split_of({"a": [first], "b": [second]}, 0.1, held_out={"a": {"kept": 0.2}})
    chosen = set(split.hashes[split.purposes != splits.VALIDATION].tolist())

    def is_kept(insert):
        tokens = sequences.encode([insert], 80)
        return int(sequences.hashes(tokens)[0]) in chosen

    kept = [insert for insert in found[:200:2] if is_kept(insert)]
    assert 15 <= len(kept) <= 25
    tests = {"a/kept": table(tmp_path / "kept.tsv", [(whole(insert), 1) for insert in kept])}
    folder, manifest = write(tmp_path / "a", [first], held=tests, split=split, fraction=0.1)
    assert manifest["leaked"]["rows"] == len(kept) and manifest["elsewhere"] == 0
    assert with_relative(bare(training(folder)), kept) == 0
    folder, manifest = write(tmp_path / "b", [second], held_elsewhere=tests, split=split)
    apart = bare(rows_in(folder, "elsewhere*"))
    assert sorted(apart) == sorted(insert for insert in found[1:250:2] if is_kept(insert))
    assert apart and with_relative(bare(training(folder)), kept) == 0


def test_relatives_by_a_column_of_families_need_no_search(tmp_path, monkeypatch):
    rows = [(whole(insert), f"{n}\tg{n % 10}") for n, insert in enumerate(inserts(8, 100))]
    source = dataclasses.replace(table(tmp_path / "rows.tsv", rows), family=3)
    test = [(whole(insert), f"1\tg{n}") for n, insert in enumerate(inserts(9, 3), 8)]
    held = {"a/native": dataclasses.replace(table(tmp_path / "test.tsv", test), family=3)}
    folder, manifest = write(tmp_path, [source], held=held, drop_relatives=True)
    # Genes 8 and 9; there is no tenth.
    assert manifest["relatives"]["of_test_set"] == {
        "a/native": {"sequences": 2, "of": 3, "rows": 20}
    }
    assert manifest["train"] == 80 and manifest["validation_with_relative"] is None
    assert {value % 10 for _, value in training(folder)} == set(range(8))


# The construct against the data.


def declared(source, **changes):
    return dataclasses.replace(source, construct=CONSTRUCT, **changes)


@pytest.mark.parametrize("kind", ["train", "test"])
def test_a_table_without_the_flanks_is_refused(tmp_path, kind):
    bare = declared(table(tmp_path / "bare.tsv", [(insert, 1) for insert in inserts(5, 40)]))
    fine = declared(table(tmp_path / "fine.tsv", ROWS[:40]))
    sources, held = ([bare], {}) if kind == "train" else ([fine], {"set": bare})
    with pytest.raises(TableError, match="bare.tsv: no sequence begins with .*`flanks: add`"):
        write(tmp_path, sources, held=held)


def test_a_part_without_flanks_is_counted(tmp_path):
    rows = [*ROWS[:97], *((insert, 1) for insert in inserts(5, 3))]
    source = declared(table(tmp_path / "rows.tsv", rows))
    others = [*ROWS[100:197], *((insert, 1) for insert in inserts(9, 3))]
    test = table(tmp_path / "test.tsv", others)
    _, manifest = write(tmp_path, [source], held={"set": declared(test)}, fraction=0.1)
    numbers = {"rows": 100, "left": 97, "right": 97, "both": 97, "longer": 0}
    assert manifest["fit"]["train"] == [{"file": str(source.path), **numbers}]
    assert manifest["fit"]["test"] == {"set": numbers}


def test_bare_inserts_with_added_flanks_give_the_same_shards(tmp_path):
    known, leaked = inserts(6, 300), inserts(7, 20)
    values = [*range(320)]
    written = {}
    for name, form, flanks in (("whole", whole, "present"), ("bare", str, "add")):
        rows = zip(map(form, [*known, *leaked]), values, strict=True)
        source = declared(table(tmp_path / f"{name}.tsv", rows), flanks=flanks)
        # The test set always has its flanks.
        held = {"set": declared(table(tmp_path / "test.tsv", [(whole(i), 1) for i in leaked]))}
        folder, manifest = write(tmp_path / name, [source], held=held, fraction=0.1)
        written[name] = rows_in(folder), manifest["leaked"], manifest["fit"]["train"][0]["both"]
    assert written["whole"] == written["bare"]
    assert written["bare"][1]["rows"] == 20 and written["bare"][2] == 320


def test_the_range_of_the_expressions_spares_outliers(tmp_path):
    values = [*np.linspace(0, 10, 500), 1e6]
    rows = zip(map(whole, inserts(8, 501)), values, strict=True)
    _, manifest = write(tmp_path, [table(tmp_path / "rows.tsv", rows)], rows_per_shard=250)
    low, high = manifest["expression_range"]
    assert low == 0 and 10 < high < 20


# Rows with weights, and the account of what was left out.


def weighted(path, rows, **keys):
    """Writes rows (sequence, expression, weight), and returns the table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return Table(path, 1, {"expression": 2}, header=False, weight=3, **keys)


WEIGHTED = [(whole(insert), n, n % 4 + 0.5) for n, insert in enumerate(inserts(71, 400))]


@pytest.fixture(scope="module")
def heavy(tmp_path_factory):
    """Folders of shards with weights and without, each with the manifest."""
    folder = tmp_path_factory.mktemp("heavy")
    plain = [row[:2] for row in WEIGHTED]
    return {
        "heavy": write(
            folder / "a", [weighted(folder / "a.tsv", WEIGHTED)], fraction=0.2, rows_per_shard=150
        ),
        "plain": write(
            folder / "b", [table(folder / "b.tsv", plain)], fraction=0.2, rows_per_shard=150
        ),
    }


def test_shards_without_weights_have_none(heavy):
    for name, features in [
        ("plain", {"tokens", "expression"}),
        ("heavy", {"tokens", "expression", "weight"}),
    ]:
        for path in heavy[name][0].iterdir():
            for record in tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator():
                example = tf.train.Example.FromString(record)
                assert set(example.features.feature) == features
                # Another process writes the same bytes, though it hashes otherwise.
                assert record == example.SerializeToString(deterministic=True)
    assert heavy["plain"][1]["weights"] is None
    assert all(len(batch) == 2 for batch in shards.batches([heavy["plain"][0]], 9, 2, **FIRST))
    # Otherwise the shards are the same.
    assert heavy["plain"][1]["shards"] == heavy["heavy"][1]["shards"]
    assert sorted(rows_in(heavy["plain"][0])) == sorted(rows_in(heavy["heavy"][0]))


FIRST = {"seed": 1, "epoch": 0}


def test_the_mean_weight_of_the_training_rows_is_one(heavy, monkeypatch):
    folder, manifest = heavy["heavy"]
    (batch,) = shards.batches([folder], manifest["train"], 1, **FIRST).as_numpy_iterator()
    _, expression, weight = batch
    assert weight.dtype == np.float32 and weight.mean(dtype=float) == pytest.approx(1, abs=1e-6)
    own = np.array([WEIGHTED[int(n)][2] for n in expression])
    np.testing.assert_allclose(weight, own / own.mean(), rtol=1e-6)
    # Validation rows weigh on the same scale.
    _, expression, weight = shards.validation([folder])
    validated = np.array([WEIGHTED[int(n)][2] for n in expression])
    np.testing.assert_allclose(weight, validated / own.mean(), rtol=1e-6)
    assert len(weight) == manifest["validation"] > 50


def test_a_medium_without_weights_counts_one_beside_one_with_weights(heavy):
    folders = [heavy["heavy"][0], heavy["plain"][0]]
    mean = np.mean([WEIGHTED[int(n)][2] for _, n in training(folders[0])])
    for batch in shards.batches(folders, 40, 4, **FIRST).as_numpy_iterator():
        _, expression, weight = batch
        own = np.array([WEIGHTED[int(n)][2] for n in expression]) / mean
        # The media take turns.
        np.testing.assert_allclose(weight[::2], own[::2], rtol=1e-6)
        assert (weight[1::2] == 1).all()
    tokens, expression, weight = shards.validation(folders)
    assert len(tokens) == len(expression) == len(weight)
    assert (weight[len(weight) // 2 :] == 1).all()


def test_weights_go_with_their_rows_on_either_strand_and_to_each_host(heavy):
    folder, options = heavy["heavy"][0], FIRST | {"reverse_complement": True}
    (whole_batch,) = shards.batches([folder], 90, 1, **options).as_numpy_iterator()
    parts = [
        next(shards.batches([folder], 90, 1, part=(host, 3), **options).as_numpy_iterator())
        for host in range(3)
    ]
    for column, together in zip(whole_batch, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate(together), column)
    _, expression, weight = whole_batch
    own = np.array([WEIGHTED[int(n)][2] for n in expression])
    assert np.ptp(weight / own) < 1e-6


def test_training_rows_without_any_weight_are_an_error(tmp_path):
    source = weighted(tmp_path / "rows.tsv", [(*row[:2], 0) for row in WEIGHTED])
    with pytest.raises(TableError, match="every row to train on has the weight 0"):
        write(tmp_path, [source], fraction=0.1)


def test_the_manifest_tells_apart_how_rows_were_read(tmp_path):
    """The fingerprint of a checkpoint is the hash of the shards."""
    source = table(tmp_path / "rows.tsv", [(s, n + 1) for s, n, _ in WEIGHTED])
    heavy = weighted(tmp_path / "weighted.tsv", [(s, n + 1, w) for s, n, w in WEIGHTED])
    double = weighted(tmp_path / "double.tsv", [(s, n + 1, w**2) for s, n, w in WEIGHTED])
    sources = [source, dataclasses.replace(source, transform="log2"), heavy, double]
    digests = [
        write(tmp_path / str(n), [one], fraction=0.2)[1]["sha256"]
        for n, one in enumerate([*sources, source])
    ]
    assert digests[0] == digests[4]
    assert len({json.dumps(digest) for digest in digests}) == 4
    path = next((tmp_path / "0" / "shards").glob("train*"))
    assert digests[0][path.name] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_left_out_of_each_table_is_counted(tmp_path):
    """Bad rows of test sets are recorded beside those of training."""
    keys = {"where": {2: "< 300"}, "missing": "skip", "on_bad_rows": "drop"}
    rows = [(s, value) for s, value, _ in WEIGHTED]
    train = rows[:300] + [("ACGX", 2), ("ACGT", ""), ("ACGX", 900)]
    source = dataclasses.replace(table(tmp_path / "train.tsv", train), **keys)
    other = table(tmp_path / "other.tsv", rows[300:350])
    test = table(tmp_path / "test.tsv", [("ACGT", "x"), rows[0], ("", 3), rows[1]])
    test = dataclasses.replace(test, on_bad_rows="drop")
    sink = io.StringIO()
    _, manifest = write(
        tmp_path,
        [source, other],
        held={"native": test},
        held_elsewhere={"foreign": test},
        rejects=Rejects(sink),
    )
    # An empty cell does not meet `< 300`.
    assert manifest["tables"] == [
        {"path": str(source.path), "rows": 300, "rejected": 1, "filtered": 2, "missing": 0},
        {"path": str(other.path), "rows": 50, "rejected": 0, "filtered": 0, "missing": 0},
    ]
    assert "2 of 303 rows do not meet `where`" in account(source, manifest["tables"][0])[0]
    counts = {"rows": 2, "rejected": 2, "filtered": 0, "missing": 0}
    assert manifest["test_sets"] == {"native": counts}
    assert manifest["rejected"] == 1 and manifest["rows"] == 350
    assert manifest["leaked"]["rows"] == 2
    found = [line.split("\t")[:3] for line in sink.getvalue().splitlines()]
    assert found == [
        [str(test.path), "1", "expression 'x' is not a finite number"],
        [str(test.path), "3", "no sequence"],
        [str(source.path), "301", "letter 'X' (position 4) is not one of ACGTN"],
    ]
