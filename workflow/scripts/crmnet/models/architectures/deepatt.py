"""DeepATT (Li et al. 2021)."""

from __future__ import annotations

import keras
from keras import layers

from crmnet.models.baselines import RectifiedAttention, base_input, both_ways, scaled
from crmnet.models.layers import expression_head


def deepatt(length: int = 112, *, width: int = 128) -> keras.Model:
    """DeepATT (Li et al. 2021) as Vaishnav et al. 2022 adapted it to this assay, in the round of
    their benchmark with the original size of the dense layer.

    Published: a convolution of 256 filters of 30 bases, valid, ReLU; max-pooling over 3 positions;
    dropout 0.2; a bidirectional LSTM of 16 units each way; self-attention with 16 heads of width 2
    and rectified projections, in place of DeepATT's attention by category; dropout 0.2; a dense
    layer of 100, ReLU; one output. It has 156,745 parameters at length 110.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, x = base_input(length, width)
    units, heads = scaled(16, width), 16
    x = layers.Conv1D(
        scaled(256, width),
        30,
        activation="relu",
        kernel_initializer="he_normal",
        name="convolution",
    )(x)
    x = layers.MaxPooling1D(3, name="pool")(x)
    x = layers.Dropout(0.2, name="pool_dropout")(x)
    x = both_ways(units, x)
    x = RectifiedAttention(heads, 2 * units // heads, name="attention")(x)
    x = layers.Dropout(0.2, name="attention_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(scaled(100, width), activation="relu", name="dense")(x)
    return keras.Model(tokens, expression_head(x), name="deepatt")
