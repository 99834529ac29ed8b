"""Builds models that average: over the two strands of a sequence, and over several models."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from crmnet.models.layers import ReverseComplement


def both_strands(model: keras.Model) -> keras.Model:
    """Returns a model that averages the predictions of a model on a sequence and on its reverse
    complement. It has the same weights in the same order."""
    tokens = keras.Input(model.input_shape[1:], dtype="uint8", name="tokens")
    predictions = [model(tokens), model(ReverseComplement(name="other_strand")(tokens))]
    return keras.Model(tokens, layers.Average(name="mean")(predictions), name=model.name)


def ensemble(models: Sequence[keras.Model]) -> keras.Model:
    """Returns a model that averages the predictions of several models: tokens (batch, length) to
    expression (batch, 1)."""
    tokens = keras.Input(models[0].input_shape[1:], dtype="uint8", name="tokens")
    for number, model in enumerate(models, start=1):
        model.name = f"{model.name}_{number}"
    predictions = [model(tokens) for model in models]
    return keras.Model(tokens, layers.Average(name="mean")(predictions), name="ensemble")
