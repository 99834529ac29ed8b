"""Scores of the user's own sequences: predictions, effects of variants, and saliency maps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import numpy as np
import pandas as pd

from crmnet.data.sequences import ALPHABET, Construct, N, encode
from crmnet.interpretation.maps import masked
from crmnet.interpretation.saliency import in_float32, insert_saliency
from crmnet.models.files import load_model
from crmnet.training.prediction import predict

# Sequences or variants that are processed at a time.
BLOCK = 1 << 16
# What variants of a VCF file have besides (see `variants.Variant`).
NAMES = ("name", "genome")


class Scorer:
    """One model for each medium, all for the same construct.

    Args:
        files: medium -> model file.
        construct: the construct of the sequences.

    Raises:
        ValueError: see `load_model`.
    """

    def __init__(self, files: Mapping[str, str], construct: Construct):
        self.files, self.construct = files, construct
        self.models = {
            medium: load_model(path, construct, medium) for medium, path in files.items()
        }

    @contextmanager
    def exactly(self) -> Iterator[None]:
        """Makes the models compute in float32 within the context.

        A model may have been trained in half precision, in which the small effect of a variant
        would be lost."""
        with ExitStack() as stack:
            for model in self.models.values():
                stack.enter_context(in_float32(model))
            yield

    def expression(self, constructs: pd.Series) -> dict[str, np.ndarray]:
        """Returns medium -> predicted expression (n,) of whole constructs.

        Raises:
            ValueError: a prediction is not finite.
        """
        # N at the start of a construct comes from a variant, and keeps its place.
        tokens = encode(constructs.tolist(), self.construct.length, strip=False)
        expression = {medium: predict(model, tokens) for medium, model in self.models.items()}
        for medium, values in expression.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"{self.files[medium]}: the model predicts an expression that is not finite; "
                    "delete the model and train it again"
                )
        return expression

    def effects(
        self, blocks: Iterable[pd.DataFrame], reference: Mapping[str, np.ndarray]
    ) -> Iterator[pd.DataFrame]:
        """Yields the effects of variants, block by block.

        The columns are id, position, ref, alt, those of `NAMES` that the variants have, and for
        each medium the predictions `reference` and `alternative` and their difference, `effect`.

        Args:
            blocks: blocks of the table of variants (see `variants.Variant`).
            reference: medium -> predicted expression of all sequences without variants.
        """
        for block in blocks:
            before = {medium: values[block["row"]] for medium, values in reference.items()}
            after = self.expression(block["whole"])
            effect = {medium: after[medium] - before[medium] for medium in self.models}
            names = [name for name in NAMES if name in block]
            yield block[["id", "position", "ref", "alt", *names]].assign(
                **by_medium("reference", before),
                **by_medium("alternative", after),
                **by_medium("effect", effect),
            )

    def saliency_maps(self, sequences: pd.DataFrame) -> dict[str, np.ndarray]:
        """Returns the saliency maps of the inserts of n sequences (see `variants.Placed`).

        The arrays are `id` (n,), `first` (n,), `tokens` (n, width), where shorter inserts are
        padded with N, and for each medium `gradient` (n, width, 4), in the order A C G T."""
        width = int((sequences["last"] - sequences["first"]).max()) + 1
        tokens = np.full((len(sequences), width), N, np.uint8)
        gradients = {
            medium: np.zeros((len(sequences), width, len("ACGT")), np.float32)
            for medium in self.models
        }
        for start in range(0, len(sequences), BLOCK):
            wholes = sequences["whole"].iloc[start : start + BLOCK].tolist()
            whole = encode(wholes, self.construct.length)
            unmeasured = np.full(len(whole), np.nan)
            for medium, model in self.models.items():
                maps = insert_saliency(model, whole, unmeasured, self.construct)
                here = np.s_[start : start + BLOCK, : maps.tokens.shape[1]]
                tokens[here], gradients[medium][here] = maps.tokens, maps.gradient
        return {
            "id": sequences["id"].to_numpy(str),
            "first": sequences["first"].to_numpy(),
            "tokens": tokens,
            **by_medium("gradient", gradients),
        }


def by_medium(quantity: str, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns column name -> values of a quantity, for each medium."""
    return {f"{quantity}_{medium}": of_medium for medium, of_medium in values.items()}


def predictions(sequences: pd.DataFrame, expression: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Returns the table of predictions: id, sequence, and `predicted` in each medium.

    With two media it also has `difference`, the prediction in the first minus the second."""
    table = sequences[["id", "sequence"]].assign(**by_medium("predicted", expression))
    if len(expression) == 2:
        first, second = expression.values()
        table["difference"] = first - second
    return table


def saliency_tables(
    maps: Mapping[str, np.ndarray], sequences: pd.DataFrame
) -> Iterator[pd.DataFrame]:
    """Yields the maps of `Scorer.saliency_maps` as tables, block by block.

    There is a row for each base of an insert: id, position, base, and for each medium `saliency`,
    the input-masked gradient."""
    sizes = (sequences["last"] - sequences["first"] + 1).to_numpy()
    for start in range(0, len(sizes), BLOCK):
        block = slice(start, start + BLOCK)
        tokens = maps["tokens"][block]
        row, column = np.nonzero(np.arange(tokens.shape[1]) < sizes[block, None])
        yield pd.DataFrame(
            {
                "id": sequences["id"].to_numpy()[block][row],
                "position": maps["first"][block][row] + column,
                "base": np.array(list(ALPHABET))[tokens[row, column]],
                **{
                    name.replace("gradient", "saliency", 1): masked(maps[name][block], tokens)[
                        row, column
                    ]
                    for name in maps
                    if name.startswith("gradient_")
                },
            }
        )
