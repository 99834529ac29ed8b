"""Shared parts of the models that CRMnet is compared with (Ding et al. 2023, Figure 3; LegNet).

Each of these models has a file in `architectures/`, with a function that builds it from tokens
(batch, length) of uint8 to expression (batch, 1) of float32. At `width` 128, the layers, sizes and
dropouts are those of its publication; at other widths the sizes scale, and the depth stays. All
models are trained in the workflow's way (loss, optimiser, penalties and limits on weights), so that
a comparison compares architectures.

Vaishnav et al. 2022 benchmarked DanQ, DeepSEA and DeepATT twice. The predictions in Figure 3 are
from models with smaller dense layers (64 and 64 units in DeepSEA, 16 and 16 in DeepATT). The models
here have the "original parameters". An N is encoded as none of the four bases here; Vaishnav et al.
encoded it as all four at once.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from crmnet.models.layers import OneHot, SelfAttention, register, softmax


@register
class Bases(layers.Layer):
    """Turns one-hot (batch, length, 5), order A C G T N, into the four bases (batch, length, 4).

    Args:
        unknown: the value of each of the four at an N.
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
    """Self-attention with four rectified projections, as in the library that Vaishnav et al. 2022
    used (keras-multi-head). Kernels are initialised as there, each as one matrix."""

    def initializer(self, shape):
        return "glorot_normal"

    def build(self, input_shape):
        super().build(input_shape)
        for projection in (self.query, self.key, self.value, self.output_projection):
            projection.activation = keras.activations.relu

    def call(self, x):
        # Rectified projections cannot be multiplied beforehand, unlike linear ones.
        length, inner = x.shape[1], self.heads * self.key_dim

        def by_head(projected):
            heads = ops.reshape(projected, (-1, length, self.heads, self.key_dim))
            return ops.transpose(heads, (0, 2, 1, 3))

        query, key, value = (by_head(of(x)) for of in (self.query, self.key, self.value))
        attention = softmax(ops.matmul(query * self.key_dim**-0.5, ops.swapaxes(key, 2, 3)))
        context = ops.transpose(ops.matmul(attention, value), (0, 2, 1, 3))
        return self.output_projection(ops.reshape(context, (-1, length, inner)))


def scaled(size: int, width: int) -> int:
    """Returns a published size scaled to this width. A size of 8 or more stays at least 8, because
    all of a few rectified units can die."""
    return max(min(size, 8), round(size * width / 128))


def base_input(
    length: int, width: int, unknown: float = 0.0
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns the input of tokens (batch, length) and its bases (batch, length, 4)."""
    if length < 32:
        raise ValueError(f"the model's length must be at least 32, not {length}")
    if width < 8 or width % 8:
        raise ValueError(f"the model's width must be a multiple of 8, not {width}")
    tokens = keras.Input((length,), dtype="uint8", name="tokens")
    return tokens, Bases(unknown, name="bases")(OneHot(name="one_hot")(tokens))


def both_ways(units: int, x: keras.KerasTensor, dropout: float = 0.0) -> keras.KerasTensor:
    """Applies a bidirectional LSTM: (batch, length, channels) to (batch, length, 2 units).

    Its gates are logistic, because the fast GPU kernels support nothing else. The default of Keras
    in 2019 was a piecewise linear approximation.
    """
    lstm = layers.LSTM(units, return_sequences=True, dropout=dropout)
    return layers.Bidirectional(lstm, name="lstm")(x)
