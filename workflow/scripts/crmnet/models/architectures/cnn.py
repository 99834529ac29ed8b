"""The convolutional model of Vaishnav et al. 2022."""

from __future__ import annotations

import keras
from keras import layers

from crmnet.models.baselines import Bases, base_input, scaled
from crmnet.models.layers import OneHot, ReverseComplement, expression_head


def cnn(length: int = 112, *, width: int = 128) -> keras.Model:
    """The convolutional model of Vaishnav et al. 2022 ("GPU only model" in their repository
    1edv/evolution).

    Published: each strand has its own convolution of 256 filters of 30 bases and one more of 256.
    Their outputs are concatenated, position i of one strand with position i of the other, and go
    through two more convolutions of 256, then dense layers of 256, 256 and 1. ReLU throughout,
    dropout 0.2 after the first two dense layers.

    Adapted: the published kernels of the second to fourth convolutions are 30 x 1, but run along an
    axis of length 1, so that 29 of their 30 taps see only padding. Here they are convolutions over
    one position, which compute the same. That leaves the 7,665,921 of 17,168,641 parameters at
    length 110 that have any effect.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, bases = base_input(length, width)
    units = scaled(256, width)

    reverse = OneHot(name="reverse_one_hot")(ReverseComplement(name="reverse_tokens")(tokens))
    reverse = Bases(name="reverse_bases")(reverse)
    strands = []
    for strand, x in (("forward", bases), ("reverse", reverse)):
        for number, size in ((1, 30), (2, 1)):
            name = f"{strand}_convolution_{number}"
            x = layers.Conv1D(units, size, padding="same", activation="relu", name=name)(x)
        strands.append(x)
    x = layers.Concatenate(name="strands")(strands)
    for number in (3, 4):
        x = layers.Conv1D(units, 1, activation="relu", name=f"convolution_{number}")(x)

    x = layers.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = layers.Dense(units, activation="relu", name=f"dense_{number}")(x)
        x = layers.Dropout(0.2, name=f"dropout_{number}")(x)
    return keras.Model(tokens, expression_head(x), name="cnn")
