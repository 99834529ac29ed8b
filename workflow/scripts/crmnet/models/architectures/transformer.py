"""The transformer of Vaishnav et al. 2022."""

from __future__ import annotations

import keras
from keras import layers, ops

from crmnet.models.baselines import RectifiedAttention, base_input, both_ways, scaled
from crmnet.models.layers import expression_head, register


@register
class TwoStrandConv1D(layers.Conv1D):
    """Scans both strands of (batch, length, 4), order A C G T, with the same kernels and no bias.
    The first half of the channels is the convolution with each kernel. The second half is the
    convolution with its reverse complement at the same place (Vaishnav et al. 2022)."""

    strands = 2

    def call(self, bases):
        both = ops.concatenate([self.kernel, ops.flip(self.kernel, axis=(0, 1))], axis=-1)
        return self.convolution_op(bases, both)

    def compute_output_shape(self, input_shape):
        *place, filters = super().compute_output_shape(input_shape)
        return (*place, 2 * filters)


def transformer(length: int = 112, *, width: int = 128) -> keras.Model:
    """The transformer of Vaishnav et al. 2022 ("TPU model" in their repository 1edv/evolution),
    with the settings that are published beside its weights for both media.

    Published: 256 kernels of 30 bases that scan both strands with shared weights; a convolution of
    64 filters over 30 positions and both strands, and one more of 64 over 30 (all three without
    bias and followed by batch normalisation and ReLU); two post-norm transformer blocks of 8 heads,
    width 64, rectified projections and a feed-forward layer of 8, without position encodings; a
    bidirectional LSTM of 8 units each way; dense layers of 64, 64 and 1. Dropout 0.05 before and
    after the LSTM and after the first two dense layers, none in the transformer blocks.
    1,296,785 parameters at length 110.

    Adapted: the layer normalisation's epsilon is 1e-6, not 1e-14.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, x = base_input(length, width)
    units, heads = scaled(64, width), 8

    def convolution(kind, filters, x, name):
        x = kind(
            filters,
            30,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_convolution",
        )(x)
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    x = convolution(TwoStrandConv1D, scaled(256, width), x, "motifs")
    x = convolution(layers.Conv1D, units, x, "strands")
    x = convolution(layers.Conv1D, units, x, "neighbours")

    for number in (1, 2):
        name = f"transformer_{number}"
        attended = RectifiedAttention(heads, max(1, units // heads), name=f"{name}_attention")(x)
        x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_a")(x + attended)
        fed = layers.Dense(scaled(8, width), activation="relu", name=f"{name}_ffn_a")(x)
        fed = layers.Dense(units, name=f"{name}_ffn_b")(fed)
        x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_b")(x + fed)

    x = both_ways(scaled(8, width), x, dropout=0.05)
    x = layers.Dropout(0.05, name="lstm_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = layers.Dense(
            units, activation="relu", kernel_initializer="he_normal", name=f"dense_{number}"
        )(x)
        x = layers.Dropout(0.05, name=f"dropout_{number}")(x)
    return keras.Model(tokens, expression_head(x), name="transformer")
