"""What the models have in common that CRMnet is compared with (Ding et al. 2023, Figure 3; LegNet).

Each of them has a file in `architectures/`: a function that builds a model from tokens
(batch, length) of uint8 to expression (batch, 1) of float32, with the layers, sizes and dropouts of
its publication at `width` 128. At other widths the sizes scale, and the depth stays. What belongs
to the training (loss, optimiser, penalties and limits on weights) is the workflow's, the same for
all, so that a comparison compares architectures.

Vaishnav et al. 2022 benchmarked DanQ, DeepSEA and DeepATT twice. The predictions in Figure 3 are
from models whose dense layers were made smaller (64 and 64 units in DeepSEA, 16 and 16 in DeepATT).
The models here have the "original parameters". An N is no base at all here; their encoding made it
all four bases at once.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from crmnet.models.layers import OneHot, SelfAttention, register, softmax


@register
class Bases(layers.Layer):
    """One-hot (batch, length, 5), order A C G T N, to the four bases (batch, length, 4).

    Args:
        unknown: what each of the four is where the sequence has N.
    """

    def __init__(self, unknown: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.unknown = unknown

    def call(self, one_hot):
        return one_hot[..., :4] + self.unknown * one_hot[..., 4:]

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 4)

    def get_config(self):
        return {**super().get_config(), "unknown": self.unknown}


@register
class RectifiedAttention(SelfAttention):
    """Self-attention whose four projections are rectified, as in the library that Vaishnav et al.
    2022 built on (keras-multi-head), and drawn as there: each kernel is one matrix."""

    def initializer(self, shape):
        return "glorot_normal"

    def build(self, input_shape):
        super().build(input_shape)
        for projection in (self.query, self.key, self.value, self.output_projection):
            projection.activation = keras.activations.relu

    def call(self, x):
        # Rectified projections cannot be multiplied with each other beforehand.
        length, inner = x.shape[1], self.heads * self.key_dim

        def by_head(projected):
            heads = ops.reshape(projected, (-1, length, self.heads, self.key_dim))
            return ops.transpose(heads, (0, 2, 1, 3))

        query, key, value = (by_head(of(x)) for of in (self.query, self.key, self.value))
        attention = softmax(ops.matmul(query * self.key_dim**-0.5, ops.swapaxes(key, 2, 3)))
        context = ops.transpose(ops.matmul(attention, value), (0, 2, 1, 3))
        return self.output_projection(ops.reshape(context, (-1, length, inner)))


def scaled(size: int, width: int) -> int:
    """A published size at this width. Not under 8, where the published one is not: of a few
    rectified units all can die."""
    return max(min(size, 8), round(size * width / 128))


def base_input(
    length: int, width: int, unknown: float = 0.0
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Tokens (batch, length) and the bases (batch, length, 4) that they stand for."""
    if length < 32:
        raise ValueError(f"the model's length must be at least 32, not {length}")
    if width < 8 or width % 8:
        raise ValueError(f"the model's width must be a multiple of 8, not {width}")
    tokens = keras.Input((length,), dtype="uint8", name="tokens")
    return tokens, Bases(unknown, name="bases")(OneHot(name="one_hot")(tokens))


def both_ways(units: int, x: keras.KerasTensor, dropout: float = 0.0) -> keras.KerasTensor:
    """A bidirectional LSTM: (batch, length, channels) to (batch, length, 2 units).

    Its gates are logistic, not their piecewise linear approximation that the Keras of 2019 took
    unasked: the fast kernels of GPUs know no other.
    """
    lstm = layers.LSTM(units, return_sequences=True, dropout=dropout)
    return layers.Bidirectional(lstm, name="lstm")(x)
