"""DanQ (Quang and Xie 2016)."""

from __future__ import annotations

import keras
from keras import layers

from crmnet.models.baselines import base_input, both_ways, scaled
from crmnet.models.layers import expression_head


def danq(length: int = 112, *, width: int = 128) -> keras.Model:
    """DanQ (Quang and Xie 2016) as Vaishnav et al. 2022 adapted it to this assay, in the round of
    their benchmark with the original sizes.

    Published: a convolution of 320 filters of 26 bases, valid, ReLU; max-pooling over 3 positions
    (the original pools over 13, for 1,000 bases); dropout 0.2; a bidirectional LSTM of 320 units
    each way; dropout 0.5; a dense layer of 925, ReLU; one output (the original has 919). It has
    18,252,411 parameters at length 110.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, x = base_input(length, width)
    units = scaled(320, width)
    x = layers.Conv1D(units, 26, activation="relu", name="convolution")(x)
    x = layers.MaxPooling1D(3, name="pool")(x)
    x = layers.Dropout(0.2, name="pool_dropout")(x)
    x = both_ways(units, x)
    x = layers.Dropout(0.5, name="lstm_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(scaled(925, width), activation="relu", name="dense")(x)
    return keras.Model(tokens, expression_head(x), name="danq")
