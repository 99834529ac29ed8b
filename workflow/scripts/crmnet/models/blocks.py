"""What a CRMnet model is made of, block by block, read off the model itself."""

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
    """The blocks of a CRMnet, in the order of the data.

    Args:
        model: with any of its arguments.

    Returns:
        `COLUMNS`, a row a block. `positions` and `channels` are those of its output (1 position
        where that is a vector), for an encoder before its down-sampling: that is what its skip
        carries. `parameters` sum to the model's. `layers` is a text, repeats collapsed, without
        activations and dropout. `skip` is the block that a decoder concatenates with, `beside`
        the transformer block that reads the same input as this one, their outputs being added;
        both are empty elsewhere.

    Raises:
        ValueError: a layer that belongs to none of CRMnet's blocks.
    """
    # Operations are the layers and the bare additions between them.
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
        """The other block that feeds a layer of `block`; empty without such a layer."""
        return "".join(sources.get(f"{block}_{layer}", []))

    rows = []
    kinds = list(dict.fromkeys(map(_kind, members)))
    # By number within a kind: blocks side by side come in no order.
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
    """A layer in a word or two; empty for those that go without saying."""
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
    """ "a → b → a → b → c" as "2 × (a → b) → c"."""
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
