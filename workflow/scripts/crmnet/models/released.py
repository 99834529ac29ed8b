"""Loads the authors' released weights (Zenodo record 7375243) into our model.

The weights are SavedModels of Keras 2.8. Only the tensors of their checkpoints are read. No graph
is loaded and no function of it runs, so neither Keras 2 nor TensorFlow Addons is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import keras
import numpy as np

from crmnet.data.saved_models import FLAT_INDEX, INDEX
from crmnet.models.layers import SelfAttention, SqueezeExcitation

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

    flat = saved_model / FLAT_INDEX
    checkpoint = (flat if flat.exists() else saved_model / INDEX).with_suffix("")
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
