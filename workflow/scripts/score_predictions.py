"""Predicts the expression of sequences and the effects of variants; makes their saliency maps."""

import sys

from crmnet.training import devices

job = snakemake
devices.setup_job(job, job.params.hardware)

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd

from crmnet.data.sequences import ALPHABET, Construct, N, encode
from crmnet.data.tsv import read_table
from crmnet.interpretation.maps import masked
from crmnet.interpretation.saliency import in_float32, insert_saliency
from crmnet.models.files import load_model
from crmnet.training.prediction import predict

# Sequences or variants at a time.
BLOCK = 1 << 16


def append(table, path, first):
    """Writes a block of a table, the first with the names of the columns."""
    table.to_csv(
        path,
        sep="\t",
        index=False,
        float_format="%.6g",
        mode="w" if first else "a",
        header=first,
    )


def expression(constructs):
    """Predicted expression (n,) of sequences, in each medium."""
    tokens = encode(constructs.tolist(), construct.length)
    predicted = {medium: predict(model, tokens) for medium, model in models.items()}
    for medium, values in predicted.items():
        if not np.isfinite(values).all():
            raise ValueError(
                f"{paths[medium]}: predicts an expression that is not finite; train it anew"
            )
    return predicted


def named(what, values):
    return {f"{what}_{medium}": values[medium] for medium in models}


# What an earlier run made of other sequences, and this one is not asked for.
for name in ("variants.tsv", "saliency.tsv", "saliency.npz"):
    Path(job.output.predictions).with_name(name).unlink(missing_ok=True)
construct = Construct(**job.params.construct)
paths = dict(zip(job.params.media, job.input.models, strict=True))
models = {medium: load_model(path) for medium, path in paths.items()}
for medium, model in models.items():
    if model.input_shape[1] != construct.length:
        raise ValueError(
            f"{paths[medium]}: reads {model.input_shape[1]} tokens, not {construct.length}: set "
            "`construct: length` to what it was trained with"
        )
sequences = read_table(job.input.sequences)

# Halves, in which a model may have been trained, would drown the small effect of a variant.
with ExitStack() as stack:
    for model in models.values():
        stack.enter_context(in_float32(model))
    reference = expression(sequences["whole"])
    table = sequences[["id", "sequence"]].assign(**named("predicted", reference))
    if len(models) == 2:
        first, second = reference.values()
        table["difference"] = first - second
    append(table, job.output.predictions, first=True)
    print(f"{len(table):,} sequences predicted", file=sys.stderr)

    if path := job.output.get("variants"):
        blocks = read_table(job.input.variants, chunksize=BLOCK)
        for number, block in enumerate(blocks):
            before = {medium: values[block["row"]] for medium, values in reference.items()}
            after = expression(block["whole"])
            effect = {medium: after[medium] - before[medium] for medium in models}
            columns = named("reference", before) | named("alternative", after)
            table = block[["id", "position", "ref", "alt"]]
            append(table.assign(**columns, **named("effect", effect)), path, first=not number)
            print(f"{number * BLOCK + len(block):,} variants predicted", file=sys.stderr)

if path := job.output.get("saliency"):
    width = int((sequences["last"] - sequences["first"]).max()) + 1
    inserts = np.full((len(sequences), width), N, np.uint8)
    gradients = {
        medium: np.zeros((len(sequences), width, len("ACGT")), np.float32) for medium in models
    }
    for at in range(0, len(sequences), BLOCK):
        block = sequences.iloc[at : at + BLOCK]
        tokens = encode(block["whole"].tolist(), construct.length)
        unmeasured = np.full(len(block), np.nan)
        saliency = {}
        for medium, model in models.items():
            maps = insert_saliency(model, tokens, unmeasured, construct)
            here = maps.tokens.shape[1]
            inserts[at : at + BLOCK, :here] = maps.tokens
            gradients[medium][at : at + BLOCK, :here] = maps.gradient
            saliency[medium] = masked(maps.gradient, maps.tokens)
        sizes = (block["last"] - block["first"] + 1).to_numpy()
        row, column = np.nonzero(np.arange(here) < sizes[:, None])
        table = pd.DataFrame(
            {
                "id": block["id"].to_numpy()[row],
                "position": block["first"].to_numpy()[row] + column,
                "base": np.array(list(ALPHABET))[inserts[at + row, column]],
                **{
                    f"saliency_{medium}": values[row, column] for medium, values in saliency.items()
                },
            }
        )
        append(table, path, first=not at)
    np.savez_compressed(
        job.output.maps,
        id=sequences["id"].to_numpy(str),
        first=sequences["first"].to_numpy(),
        tokens=inserts,
        **named("gradient", gradients),
    )
    print(f"{len(sequences):,} saliency maps", file=sys.stderr)
