"""CRMnet's layers, written with keras.ops so that they run on TensorFlow and on JAX."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from crmnet.data.sequences import ALPHABET, COMPLEMENT

register = keras.saving.register_keras_serializable("crmnet")
# The name of the layer whose output is the logits of the bins of expression.
BINS = "bins"


@register
class OneHot(layers.Layer):
    """Turns tokens (batch, length), A C G T N = 0..4, into one-hot (batch, length, 5).

    The encoding happens on the device, so that the host sends it one byte per base, not 20.

    Args:
        order: the letters, in the order of the channels.
    """

    def __init__(self, order: str = ALPHABET, **kwargs):
        super().__init__(**kwargs)
        self.order = order
        self.channels = np.argsort([ALPHABET.index(letter) for letter in order])

    def call(self, tokens):
        rows = np.eye(len(self.order), dtype="float32")[self.channels]
        return ops.take(
            ops.convert_to_tensor(rows, self.compute_dtype), ops.cast(tokens, "int32"), axis=0
        )

    def compute_output_spec(self, tokens):
        return keras.KerasTensor((*tokens.shape, len(self.order)), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "order": self.order}


@register
class SqueezeExcitation(layers.Layer):
    """Squeeze-and-excitation (Hu et al. 2018): multiplies each channel of (batch, length, channels)
    by a weight in 0..1. The weights are computed from the maximum of each channel (the paper's
    text) or its mean (the paper's code).

    Args:
        ratio: the number of channels per hidden unit of the excitation.
        pooling: the squeeze, "max" or "average".
    """

    def __init__(self, ratio: int = 2, pooling: str = "max", **kwargs):
        super().__init__(**kwargs)
        self.ratio, self.pooling = ratio, pooling

    def build(self, input_shape):
        channels = input_shape[-1]
        self.squeeze = layers.Dense(
            channels // self.ratio, activation="relu", dtype=self.dtype_policy
        )
        self.excite = layers.Dense(channels, activation="sigmoid", dtype=self.dtype_policy)
        self.squeeze.build((input_shape[0], channels))
        self.excite.build((input_shape[0], channels // self.ratio))
        self.built = True

    def call(self, x):
        reduce = ops.max if self.pooling == "max" else ops.mean
        weights = self.excite(self.squeeze(reduce(x, axis=1)))
        return x * ops.expand_dims(weights, 1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio, "pooling": self.pooling}


@register
class ReverseComplement(layers.Layer):
    """Turns tokens (batch, length) into the tokens of the other strand, read from its 5' end."""

    def call(self, tokens):
        complement = ops.convert_to_tensor(COMPLEMENT.astype("int32"))
        return ops.flip(ops.take(complement, ops.cast(tokens, "int32"), axis=0), axis=-1)

    def compute_output_spec(self, tokens):
        return keras.KerasTensor(tokens.shape, "int32")


def sinusoids(length: int, width: int) -> np.ndarray:
    """Returns the position encodings (length, width) of Vaswani et al. 2017, section 3.5:
    sin(p / 10000^(2i/width)) in channel 2i, the cosine in channel 2i + 1."""
    angle = np.arange(length)[:, None] / 10000 ** (np.arange(0, width, 2) / width)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, -1)[:, :width]


@register
class PositionEncoding(layers.Layer):
    """Gives each token of (batch, length, width) information about its position.

    Args:
        kind: "add" adds sinusoidal encodings (the paper's text); "multiply" multiplies the tokens
            by sin(p), `length` values of p from 0 up to `span` (the paper's code).
        span: the end of the range of p, exclusive; 111 in the paper's code.
    """

    def __init__(self, kind: str = "add", span: float = 111.0, **kwargs):
        super().__init__(**kwargs)
        self.kind, self.span = kind, span

    def call(self, x):
        length, width = x.shape[1:]
        if self.kind == "add":
            return x + ops.convert_to_tensor(sinusoids(length, width), x.dtype)
        angle = np.sin(self.span / length * np.arange(length))
        return x * ops.convert_to_tensor(angle[:, None], x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "kind": self.kind, "span": self.span}


def softmax(scores: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the softmax over the last axis, computed in float32, because sums in float16 lose the
    contributions of small scores."""
    return ops.cast(ops.softmax(ops.cast(scores, "float32"), axis=-1), scores.dtype)


@register
class SelfAttention(layers.Layer):
    """Multi-head scaled dot-product self-attention (Vaswani et al. 2017) on (batch, length, width).

    The products are taken in another order, with the same weights and the same result. A head's
    scores are x Q K' x', so Q K', a (width, width) matrix, is computed once per step, and sequences
    are not multiplied by K. The same holds for values and output projection. This leaves two of
    four large products of the sequences, and no transposition of a large array. The keys' bias adds
    the same to the scores of all keys, which does not change the softmax. The attention sums to 1,
    so the values' bias adds a constant.

    Args:
        heads: number of heads.
        key_dim: width of each head.
    """

    def __init__(self, heads: int, key_dim: int, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.key_dim = heads, key_dim

    def initializer(self, shape: tuple[int, int, int]) -> keras.initializers.Initializer | str:
        """Returns the initializer of a kernel that has this shape in Keras's own layer. It draws as
        in TensorFlow 2.8, which trained the paper's models.

        That is Glorot's uniform distribution with the fans of a convolution over as many places as
        the first axis is long. At the paper's size, queries, keys and values are drawn from a range
        4.5 times narrower than with the fans of the multiplication itself.
        """
        places, inputs, outputs = shape
        limit = (6 / (places * (inputs + outputs))) ** 0.5
        return keras.initializers.RandomUniform(-limit, limit)

    def build(self, input_shape):
        width, inner = input_shape[-1], self.heads * self.key_dim
        inwards, outwards = (width, self.heads, self.key_dim), (self.heads, self.key_dim, width)
        for name, source, units, shape in (
            ("query", width, inner, inwards),
            ("key", width, inner, inwards),
            ("value", width, inner, inwards),
            ("output_projection", inner, width, outwards),
        ):
            drawn = self.initializer(shape)
            dense = layers.Dense(
                units, kernel_initializer=drawn, name=name, dtype=self.dtype_policy
            )
            dense.build((*input_shape[:-1], source))
            setattr(self, name, dense)
        self.built = True

    def call(self, x):
        length, width = x.shape[1:]

        def by_head(kernel):
            return ops.transpose(
                ops.reshape(kernel, (width, self.heads, self.key_dim)), (1, 0, 2)
            )  # (heads, width, key_dim)

        def cast(weight):
            return ops.cast(weight, x.dtype)

        scale = self.key_dim**-0.5
        keys = by_head(cast(self.key.kernel))
        # (heads, width, width) -> (width, heads * width)
        query_key = ops.matmul(by_head(cast(self.query.kernel)) * scale, ops.swapaxes(keys, 1, 2))
        query_key = ops.reshape(ops.transpose(query_key, (1, 0, 2)), (width, -1))
        bias = ops.reshape(cast(self.query.bias) * scale, (self.heads, self.key_dim, 1))
        # The keys' bias does not change the output; this term gives it a gradient, which is 0.
        bias = ops.reshape(ops.matmul(keys, bias), (-1,)) + 0.0 * ops.sum(cast(self.key.bias))
        output = ops.reshape(cast(self.output_projection.kernel), (self.heads, self.key_dim, width))
        value_output = ops.matmul(by_head(cast(self.value.kernel)), output)
        value_output = ops.reshape(ops.transpose(value_output, (1, 0, 2)), (width, -1))
        constant = ops.matmul(
            ops.expand_dims(cast(self.value.bias), 0), cast(self.output_projection.kernel)
        )

        # (batch, length * heads, width) x (batch, width, length)
        queries = ops.reshape(ops.matmul(x, query_key) + bias, (-1, length * self.heads, width))
        scores = ops.matmul(queries, ops.swapaxes(x, 1, 2))
        attention = ops.reshape(softmax(scores), (-1, length, self.heads, length))
        attention = ops.reshape(
            ops.transpose(attention, (0, 1, 3, 2)), (-1, length, length * self.heads)
        )
        values = ops.reshape(ops.matmul(x, value_output), (-1, length * self.heads, width))
        return ops.matmul(attention, values) + constant + cast(self.output_projection.bias)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "heads": self.heads, "key_dim": self.key_dim}


@register
class ExpectedBin(layers.Layer):
    """Turns logits (batch, bins) over bins of expression into the mean expression (batch, 1).

    The centre of bin k, from 0, is first + k * width.
    """

    def __init__(self, first: float = 0.0, width: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.first, self.width = first, width

    def call(self, logits):
        bins = ops.arange(logits.shape[-1], dtype=logits.dtype)
        mean = ops.sum(ops.softmax(logits, axis=-1) * bins, axis=-1, keepdims=True)
        return self.first + self.width * mean

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)

    def get_config(self):
        return {**super().get_config(), "first": self.first, "width": self.width}


def expected_bin(model: keras.Model) -> ExpectedBin | None:
    """Returns the layer with the bins of a model, also of a model within a model; None if the model
    has no bins."""
    for layer in model.layers:
        found = expected_bin(layer) if isinstance(layer, keras.Model) else layer
        if isinstance(found, ExpectedBin):
            return found
    return None


def expression_head(x: keras.KerasTensor, bins: int = 0) -> keras.KerasTensor:
    """Adds the head of a model: features (batch, n) to expression (batch, 1).

    It computes in float32 whatever the precision policy, because the loss of 51 million sequences
    is summed from its output.

    Args:
        bins: 0 for a linear unit; otherwise the head returns the mean over bins of expression, with
            logits from the layer `BINS` (soft classification, Penzar et al. 2023). The bins are 0,
            1, ..., bins - 1 until a training places them by its data (`expected_bin`).
    """
    if not bins:
        return layers.Dense(1, dtype="float32", name="expression")(x)
    logits = layers.Dense(bins, dtype="float32", name=BINS)(x)
    return ExpectedBin(dtype="float32", name="expression")(logits)
