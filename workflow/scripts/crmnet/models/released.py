"""Loads the authors' released weights (Zenodo record 7375243) into our model.

The weights are SavedModels of Keras 2.8. Only the tensors of their checkpoints are read. No graph
is loaded and no function of it runs, so neither Keras 2 nor TensorFlow Addons is needed.
"""

from __future__ import annotations

import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

import keras
import numpy as np

from crmnet.data import damage
from crmnet.models.layers import SelfAttention, SqueezeExcitation

GRAPH = "saved_model.pb"
INDEX = "variables/variables.index"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
NESTED = 2
SHOWN = 20

_MEMBER = "set `released: <medium>: member` to a glob that matches one of them"
_BY_HAND = "unpack it by hand, and name the folder as `released: <medium>: file`"
_AGAIN = "delete it, and download or copy it again"


def find(archive: Path, member: str | None, folder: Path) -> Path:
    """Unpacks the one SavedModel in an archive, and returns its folder.

    Archives inside the archive are unpacked too, in order to search them; nothing else is.

    Args:
        archive: a ZIP or tar archive, which may contain others (`NESTED` levels of them); or a
            folder, from which nothing is copied.
        member: a glob that matches the path of the SavedModel's folder inside the archive, if there
            are several. The name of an archive within the archive is part of that path.
        folder: an empty folder to unpack to.

    Raises:
        ValueError: the archive cannot be read, or contains a link, a device or a path outside of
            it; or there is not exactly one SavedModel that matches.
    """
    if archive.is_dir():
        files = (path for path in archive.rglob("*") if path.is_file())
        return archive / _chosen(
            (f.relative_to(archive).as_posix() for f in files), member, archive
        )
    try:
        files = _files(archive, str(archive), folder, NESTED)
        chosen = _chosen(files, member, archive)
        target = folder / "unpacked" / chosen
        _unpack(files, chosen, target)
    except damage.ARCHIVE as error:
        raise ValueError(
            f"{archive}: the archive or one inside it is damaged or cut short ({error}); {_AGAIN}"
        ) from error
    except RuntimeError as error:  # zipfile raises it for a file that it cannot unpack
        raise ValueError(f"{archive}: cannot be unpacked ({error}); {_BY_HAND}") from error
    return target


def _chosen(paths: Iterable[str], member: str | None, archive: Path) -> PurePosixPath:
    paths = {PurePosixPath(path) for path in paths}
    models = sorted(p.parent for p in paths if p.name == GRAPH and p.parent / INDEX in paths)
    chosen = [model for model in models if member is None or fnmatchcase(str(model), member)]
    if len(chosen) == 1:
        return chosen[0]
    if not models:
        raise ValueError(
            f"{archive}: contains no SavedModel (a folder with {GRAPH} and {INDEX}), only "
            f"{_some(paths)}; name another archive or a folder as `released: <medium>: file`"
        )
    if not chosen:
        raise ValueError(
            f"{archive}: `member: {member}` matches none of its SavedModels, which are "
            f"{_some(models)}; {_MEMBER}"
        )
    raise ValueError(f"{archive}: contains several SavedModels, {_some(chosen)}; {_MEMBER}")


def _some(paths: Iterable[PurePosixPath]) -> str:
    paths = sorted(map(str, paths))
    more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
    return (", ".join(paths[:SHOWN]) or "nothing") + more


def _files(
    container: Path, label: str, folder: Path, depth: int
) -> dict[PurePosixPath, tuple[Path, PurePosixPath]]:
    """Returns the path of each file, including files of archives in the archive -> the archive on
    disk and the path in it."""
    places = {}
    for path, read in _members(container, label):
        if path.name.startswith(
            "._"
        ):  # macOS adds one to an archive for each file, with the same suffix
            continue
        if depth and path.name.lower().endswith(ARCHIVES):
            inner = Path(tempfile.mkdtemp(dir=folder), path.name)
            _copy(read, inner)
            nested = _files(inner, f"{label}: {path}", folder, depth - 1)
            places |= {path / below: place for below, place in nested.items()}
        else:
            places[path] = container, path
    return places


def _members(
    container: Path, label: str
) -> Iterator[tuple[PurePosixPath, Callable[[], IO[bytes]]]]:
    """Yields the path of each plain file in a ZIP or tar archive, and a function that opens it."""
    for name, plain, read in _entries(container, label):
        path = PurePosixPath(name.replace("\\", "/"))
        if not plain or path.is_absolute() or ".." in path.parts:
            fault = "lies outside of the archive" if plain else "is a link or a device"
            raise ValueError(f"{label}: {name} {fault} and is not unpacked; {_BY_HAND}")
        yield path, read


def _entries(container: Path, label: str) -> Iterator[tuple[str, bool, Callable[[], IO[bytes]]]]:
    # tar is tried first, because zipfile also accepts a tar archive that ends in a ZIP archive.
    if tarfile.is_tarfile(container):
        with tarfile.open(container) as tar:
            for info in tar:
                if not info.isdir():
                    yield info.name, info.isreg(), partial(tar.extractfile, info)
    elif zipfile.is_zipfile(container):
        with zipfile.ZipFile(container) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 if it was not made on Unix
                    yield info.filename, kind in (0, stat.S_IFREG), partial(archive.open, info)
    else:
        raise ValueError(f"{label}: is neither a ZIP nor a tar archive, or is cut short; {_AGAIN}")


def _unpack(
    files: dict[PurePosixPath, tuple[Path, PurePosixPath]], chosen: PurePosixPath, target: Path
) -> None:
    wanted = {
        place: target / path.relative_to(chosen)
        for path, place in files.items()
        if path == chosen / GRAPH or path.parent == chosen / "variables"
    }
    for container in {container for container, _ in wanted}:
        for path, read in _members(container, str(container)):
            if (container, path) in wanted:
                _copy(read, wanted[container, path])


def _copy(read: Callable[[], IO[bytes]], destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    with read() as source, destination.open("wb") as file:
        shutil.copyfileobj(source, file)


# Entries that Keras 2 stores beside a layer's attributes: lists of the same variables, the same
# layers under another number, and functions of the graph.
_NO_ATTRIBUTE = re.compile(r"\d+|layer-\d+|keras_api|__call__|call_and_return_.*")
_LAYER = re.compile(r"layer_with_weights-(\d+)")


def weights(saved_model: Path) -> list[tuple[str, np.ndarray]]:
    """Returns the names and weights of the layers of a functional model, in the order of the
    layers.

    A name is the path of attributes to a variable: `layer_with_weights-27/att/_query_dense/kernel`.
    It comes from the checkpoint's graph of objects. The keys of the checkpoint cannot serve as
    names, because a key is the shortest path to a variable, which is a running number for nested
    layers (`variables/84`). The optimiser's slots and the metrics belong to no layer.

    Args:
        saved_model: the folder of the SavedModel.

    Raises:
        ValueError: the checkpoint cannot be read, or does not belong to a functional Keras model.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    checkpoint = saved_model / Path(INDEX).with_suffix("")
    try:
        reader = tf.train.load_checkpoint(str(checkpoint))
        graph = TrackableObjectGraph.FromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
        layers = {
            int(match[1]): child
            for child in graph.nodes[0].children
            if (match := _LAYER.fullmatch(child.local_name))
        }
        candidates = [
            (name, reader.get_tensor(key))
            for _, child in sorted(layers.items())
            for name, key in _variables(graph, child, child.local_name, set())
        ]
    except (tf.errors.OpError, ValueError, IndexError) as error:
        raise ValueError(
            f"{checkpoint}: is not a complete checkpoint of Keras 2 ({error}); unpack or download "
            "it again"
        ) from error
    if not candidates:
        raise ValueError(
            f"{saved_model}: is not a functional Keras model, because it has no layers; name "
            "another one as `released: <medium>: file`"
        )
    return candidates


def _variables(graph, child, path: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    """Yields the path of attributes and the checkpoint key of each variable of an object."""
    if child.node_id in seen:
        return
    seen.add(child.node_id)
    node = graph.nodes[child.node_id]
    for attribute in node.attributes:
        if attribute.name == "VARIABLE_VALUE":
            yield path, attribute.checkpoint_key
    for inner in node.children:
        if not _NO_ATTRIBUTE.fullmatch(inner.local_name):
            yield from _variables(graph, inner, f"{path}/{inner.local_name}", seen)


@dataclass(frozen=True)
class _Entry:
    """A variable of our model or a tensor of the released one, with its name and its shape in the
    released model."""

    name: str
    shape: tuple[int, ...]
    value: keras.Variable | np.ndarray


# Our names of parts -> the corresponding attributes in the released code and in Keras 2.
BLOCK = {
    "attention": "att",
    "norm_a": "layernorm1",
    "ffn_a": "ffn/layer_with_weights-0",
    "ffn_b": "ffn/layer_with_weights-1",
    "norm_b": "layernorm2",
}
PARTS = {
    SqueezeExcitation: {"squeeze": "excitation_a", "excite": "excitation_b"},
    SelfAttention: {
        "query": "_query_dense",
        "key": "_key_dense",
        "value": "_value_dense",
        "output_projection": "_output_dense",
    },
}


def load(model: keras.Model, saved_model: Path) -> None:
    """Sets the weights of a CRMnet of flavour "released" to those of a SavedModel.

    Layers are matched by their order, and the variables of a layer by their role. The order of two
    parallel transformer blocks does not matter, because their outputs are added.

    Args:
        saved_model: the folder of the SavedModel.

    Raises:
        ValueError: the checkpoint cannot be read; or variables are missing, left over or of another
            shape (the message lists all of them). The model is then unchanged.
    """
    ours, theirs = _ours(model), _theirs(saved_model)
    pairs = [pair for layers in _aligned(ours, theirs) for pair in _paired(*layers)]
    misfits = [
        f"  ours: {_described(our)}; theirs: {_described(their)}"
        for our, their in pairs
        if our is None or their is None or our.shape != their.shape
    ]
    if misfits:
        raise ValueError(
            f"{saved_model}: {len(misfits)} variables do not fit the model; the released model "
            "needs length 112 and the paper's sizes, as in config/config.yaml\n"
            + "\n".join(misfits)
        )
    for our, their in pairs:
        our.value.assign(their.value.reshape(our.value.shape))


def _ours(model: keras.Model) -> list[dict[str, _Entry]]:
    """Returns for each layer of the released model: path of attributes in it -> our variable."""
    layers: dict[str, dict[str, _Entry]] = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        block = re.fullmatch(r"(transformer_\d+)_(.+)", layer.name)
        name, attribute = (block[1], BLOCK[block[2]]) if block else (layer.name, "")
        for part, path in PARTS.get(type(layer), {"": ""}).items():
            for variable in (getattr(layer, part) if part else layer).weights:
                layers.setdefault(name, {})[_joined(attribute, path, variable.name)] = _Entry(
                    f"{layer.name} {_joined(part, variable.name)}",
                    _released_shape(layer, part, variable.shape),
                    variable,
                )
    return list(layers.values())


def _joined(*names: str) -> str:
    return "/".join(filter(None, names))


def _released_shape(layer: keras.Layer, part: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns a shape in the released model. MultiHeadAttention of Keras 2 has a separate axis of
    heads; our layer has the heads one after the other in one axis."""
    if not isinstance(layer, SelfAttention):
        return tuple(shape)
    heads = layer.heads, layer.key_dim
    if part != "output_projection":
        return (*shape[:-1], *heads)
    return (*heads, *shape[1:]) if len(shape) > 1 else tuple(shape)


def _theirs(saved_model: Path) -> list[dict[str, _Entry]]:
    layers: dict[str, dict[str, _Entry]] = {}
    for name, tensor in weights(saved_model):
        layer, path = name.split("/", 1)
        layers.setdefault(layer, {})[path] = _Entry(name, tensor.shape, tensor)
    return list(layers.values())


def _aligned(
    ours: list[dict[str, _Entry]], theirs: list[dict[str, _Entry]]
) -> Iterator[tuple[dict[str, _Entry], dict[str, _Entry]]]:
    """Yields pairs of layers. If a layer has no counterpart, the later layers are still paired."""
    kinds = [
        [tuple(sorted((path, len(entry.shape)) for path, entry in layer.items())) for layer in side]
        for side in (ours, theirs)
    ]
    for change, a, b, c, d in SequenceMatcher(None, *kinds, autojunk=False).get_opcodes():
        if change == "equal":
            yield from zip(ours[a:b], theirs[c:d], strict=True)
        else:
            yield from ((layer, {}) for layer in ours[a:b])
            yield from (({}, layer) for layer in theirs[c:d])


def _paired(
    ours: dict[str, _Entry], theirs: dict[str, _Entry]
) -> Iterator[tuple[_Entry | None, _Entry | None]]:
    for path in ours | theirs:
        yield ours.get(path), theirs.get(path)


def _described(entry: _Entry | None) -> str:
    return f"{entry.name} {entry.shape}" if entry else "none"
