"""DeepSEA (Zhou and Troyanskaya 2015)."""

from __future__ import annotations

import keras
from keras import layers

from crmnet.models.baselines import base_input, scaled
from crmnet.models.layers import expression_head


def deepsea(length: int = 112, *, width: int = 128) -> keras.Model:
    """DeepSEA (Zhou and Troyanskaya 2015) as Vaishnav et al. 2022 adapted it to this assay, in the
    round of their benchmark with the original sizes.

    Published: convolutions of 320, 480 and 960 filters over 8 positions, same padding, ReLU, with
    max-pooling over 3 positions after the first (the original pools over 4 after the first two, for
    1,000 bases) and dropouts of 0.2, 0.2 and 0.5; a dense layer of 925, ReLU; one output (the
    original has 919). It has 37,785,051 parameters at length 110.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, x = base_input(length, width)
    for number, (filters, dropout) in enumerate(((320, 0.2), (480, 0.2), (960, 0.5)), start=1):
        x = layers.Conv1D(
            scaled(filters, width),
            8,
            padding="same",
            activation="relu",
            name=f"convolution_{number}",
        )(x)
        if number == 1:
            x = layers.MaxPooling1D(3, padding="same", name="pool")(x)
        x = layers.Dropout(dropout, name=f"dropout_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(scaled(925, width), activation="relu", name="dense")(x)
    return keras.Model(tokens, expression_head(x), name="deepsea")
