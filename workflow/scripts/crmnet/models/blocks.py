"""Describes the blocks of a CRMnet model, from the model itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import keras

COLUMNS = ("block", "kind", "positions", "channels", "parameters", "layers", "skip", "beside")

_BLOCK = re.compile(r"(?:encoder|transformer|decoder)_\d+|position|se_block|mlp|expression")
_MEMBERS = {"tokens": "input", "one_hot": "input", "flatten": "mlp"}
_KINDS = {"expression": "mlp"}
_LABELS = {
    "OneHot": "One-hot",
    "SqueezeExcitation": "SE",
    "BatchNormalization": "BatchNorm",
    "LayerNormalization": "LayerNorm",
    "InputLayer": "",
    "Dropout": "",
    "LeakyReLU": "",
}


def blocks(model: keras.Model) -> pd.DataFrame:
    """Returns the blocks of a CRMnet, in the order of the data.

    Args:
        model: a CRMnet, built with any arguments.

    Returns:
        A table with `COLUMNS` and one row per block. `positions` and `channels` describe the output
        of the block (1 position if it is a vector); for an encoder, the output before
        down-sampling, which its skip connection carries. `parameters` sum to the parameters of the
        model. `layers` is a text without activations and dropout, with repeats collapsed. `skip` is
        the block that a decoder concatenates with its input. `beside` is the transformer block that
        reads the same input as this one and whose output is added. Both are empty for other blocks.

    Raises:
        ValueError: a layer belongs to none of CRMnet's blocks.
    """
    # The operations are the layers and the plain additions between them.
    made_by: dict[int, str] = {}
    members: dict[str, list] = {}
    sources: dict[str, list[str]] = {}
    for operation in model.operations:
        inputs = operation.input if isinstance(operation.input, list) else [operation.input]
        inputs = [made_by[id(tensor)] for tensor in inputs if id(tensor) in made_by]
        block = _block(operation.name)
        if block is None and type(operation).__name__ == "Add" and inputs:
            block = max(inputs, key=list(members).index)
        if block is None:
            raise ValueError(f"layer {operation.name} belongs to no block of CRMnet")
        made_by[id(operation.output)] = block
        members.setdefault(block, []).append(operation)
        sources[operation.name] = [source for source in inputs if source != block]

    def joined(block: str, layer: str) -> str:
        """Returns the other block that feeds a layer of `block`; empty if there is no such
        layer."""
        return "".join(sources.get(f"{block}_{layer}", []))

    rows = []
    kinds = list(dict.fromkeys(map(_kind, members)))
    # Blocks are sorted by number within a kind, because parallel blocks have no order of their own.
    ordered = sorted(members, key=lambda block: (kinds.index(_kind(block)), block.zfill(16)))
    for block in ordered:
        operations = members[block]
        features = [part for part in operations if not part.name.endswith("_down")][-1]
        shape = features.output.shape[1:]
        rows.append(
            {
                "block": block,
                "kind": _kind(block),
                "positions": shape[0] if len(shape) == 2 else 1,
                "channels": shape[-1],
                "parameters": sum(
                    part.count_params() for part in operations if hasattr(part, "count_params")
                ),
                "layers": _collapse([label for part in operations if (label := _label(part))]),
                "skip": joined(block, "concatenate"),
                "beside": joined(block, "sum"),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _kind(block: str) -> str:
    return _KINDS.get(block, re.sub(r"_\d+$", "", block))


def _block(name: str) -> str | None:
    match = _BLOCK.match(name)
    return match[0] if match else _MEMBERS.get(name)


def _label(operation: object) -> str:
    """Returns a short name of a layer; empty for layers that the figure does not show."""
    kind = type(operation).__name__
    if kind in ("Conv1D", "Conv1DTranspose"):
        name = "Conv" if kind == "Conv1D" else "Transposed conv"
        stride = operation.strides[0]
        return f"{name} {operation.kernel_size[0]}" + (f", stride {stride}" if stride > 1 else "")
    if kind == "Dense":
        return f"Dense {operation.units}"
    if kind == "SelfAttention":
        return f"Attention, {operation.heads} head" + "s" * (operation.heads > 1)
    if kind == "PositionEncoding":
        return f"Position encoding ({operation.kind})"
    return _LABELS.get(kind, kind)


def _collapse(labels: list[str]) -> str:
    """Joins labels and collapses repeats: a, b, a, b, c become "2 × (a → b) → c"."""
    parts, start = [], 0
    while start < len(labels):
        best = (1, 1)
        for period in range(1, (len(labels) - start) // 2 + 1):
            unit, times = labels[start : start + period], 1
            while labels[start + times * period : start + (times + 1) * period] == unit:
                times += 1
            if times > 1:
                best = max(best, (times, period), key=lambda run: run[0] * run[1])
        times, period = best
        unit = " → ".join(labels[start : start + period])
        unit = f"({unit})" if period > 1 else unit
        parts.append(unit if times == 1 else f"{times} × {unit}")
        start += times * period
    return " → ".join(parts)
