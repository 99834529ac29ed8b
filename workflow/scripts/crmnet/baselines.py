"""The models that CRMnet is compared with (Ding et al. 2023, Figure 3), and LegNet.

Each builder gives a model from tokens (batch, length) of uint8 to expression (batch, 1) of float32,
with the layers, sizes and dropouts of its publication at `width` 128; at other widths the sizes
scale, and the depth stays. What belongs to the training (loss, optimiser, penalties and limits on
weights) is the workflow's, the same for all, so that a comparison compares architectures.

Vaishnav et al. 2022 benchmarked DanQ, DeepSEA and DeepATT twice: the predictions in Figure 3 are
from dense layers made smaller (of DeepSEA 64 and 64, of DeepATT 16 and 16), those here have their
"original parameters". N is no base at all; their encoding made it all four at once.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import keras
from keras import layers, ops

from crmnet.layers import OneHot, ReverseComplement, SelfAttention, register, softmax
from crmnet.model import crmnet, expression_head


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
class TwoStrandConv1D(layers.Conv1D):
    """Scans both strands of (batch, length, 4), order A C G T, with the same kernels and no bias:
    the first half of the channels is the convolution with each kernel, the second half that with
    its reverse complement, at the same place (Vaishnav et al. 2022)."""

    def call(self, bases):
        both = ops.concatenate([self.kernel, ops.flip(self.kernel, axis=(0, 1))], axis=-1)
        return self.convolution_op(bases, both)

    def compute_output_shape(self, input_shape):
        *place, filters = super().compute_output_shape(input_shape)
        return (*place, 2 * filters)


@register
class PairConv1D(layers.DepthwiseConv1D):
    """Convolution of (batch, length, channels) in groups of two neighbouring channels: the sum over
    the group of a depthwise convolution with `depth_multiplier` 2, without bias.

    The `groups` of `keras.layers.Conv1D` do the same, 200 times slower on a CPU with TensorFlow.
    """

    def call(self, x):
        length, channels = x.shape[1:]
        apart = ops.reshape(super().call(x), (-1, length, channels // 2, 2, 2))
        return ops.reshape(ops.sum(apart, axis=3), (-1, length, channels))

    def compute_output_shape(self, input_shape):
        return input_shape


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


def _bases(
    length: int, width: int, unknown: float = 0.0
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Tokens (batch, length) and the bases (batch, length, 4) that they stand for."""
    if length < 32:
        raise ValueError(f"the model's length must be at least 32, not {length}")
    if width < 8 or width % 8:
        raise ValueError(f"the model's width must be a multiple of 8, not {width}")
    tokens = keras.Input((length,), dtype="uint8", name="tokens")
    return tokens, Bases(unknown, name="bases")(OneHot(name="one_hot")(tokens))


def cnn(length: int = 112, *, width: int = 128) -> keras.Model:
    """The convolutional model of Vaishnav et al. 2022 ("GPU only model" in their repository
    1edv/evolution).

    Published: each strand has its own convolution of 256 filters of 30 bases and one of 256; their
    outputs side by side, position i of the one strand by position i of the other, go through two
    more convolutions of 256, then dense layers of 256, 256 and 1; ReLU throughout, dropout 0.2
    after the first two dense layers.

    Adapted: the second to fourth convolutions are published as kernels of 30 x 1, but lie across an
    axis of length 1, so that 29 of their 30 taps only ever see padding. Here they are what they
    compute, convolutions of one position: of 17,168,641 parameters at length 110, the 7,665,921
    that do anything.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, bases = _bases(length, width)
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


def transformer(length: int = 112, *, width: int = 128) -> keras.Model:
    """The transformer of Vaishnav et al. 2022 ("TPU model" in their repository 1edv/evolution),
    with the settings that lie beside its weights for both media.

    Published: 256 kernels of 30 bases that scan both strands with shared weights; a convolution of
    64 filters over 30 positions and both strands, and one more of 64 over 30 (each of the three
    without bias, then batch normalisation and ReLU); two post-norm transformer blocks of 8 heads,
    width 64, rectified projections and a feed-forward layer of 8, without position encodings; a
    bidirectional LSTM of 8 units each way; dense layers of 64, 64 and 1. Dropout 0.05 before and
    after the LSTM and after the first two dense layers, none in the transformer blocks.
    1,296,785 parameters at length 110.

    Adapted: the layer normalisation's epsilon is 1e-6, not 1e-14.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, x = _bases(length, width)
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

    x = _both_ways(scaled(8, width), x, dropout=0.05)
    x = layers.Dropout(0.05, name="lstm_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = layers.Dense(
            units, activation="relu", kernel_initializer="he_normal", name=f"dense_{number}"
        )(x)
        x = layers.Dropout(0.05, name=f"dropout_{number}")(x)
    return keras.Model(tokens, expression_head(x), name="transformer")


def danq(length: int = 112, *, width: int = 128) -> keras.Model:
    """DanQ (Quang and Xie 2016) as Vaishnav et al. 2022 adapted it to this assay, in the round of
    their benchmark with the original sizes.

    Published: a convolution of 320 filters of 26 bases, valid, ReLU; maxima of 3 positions (DanQ:
    of 13, for 1,000 bases); dropout 0.2; a bidirectional LSTM of 320 units each way; dropout 0.5; a
    dense layer of 925, ReLU; one output in place of 919: 18,252,411 parameters at length 110.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, x = _bases(length, width)
    units = scaled(320, width)
    x = layers.Conv1D(units, 26, activation="relu", name="convolution")(x)
    x = layers.MaxPooling1D(3, name="pool")(x)
    x = layers.Dropout(0.2, name="pool_dropout")(x)
    x = _both_ways(units, x)
    x = layers.Dropout(0.5, name="lstm_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(scaled(925, width), activation="relu", name="dense")(x)
    return keras.Model(tokens, expression_head(x), name="danq")


def deepsea(length: int = 112, *, width: int = 128) -> keras.Model:
    """DeepSEA (Zhou and Troyanskaya 2015) as Vaishnav et al. 2022 adapted it to this assay, in the
    round of their benchmark with the original sizes.

    Published: convolutions of 320, 480 and 960 filters over 8 positions, same padding, ReLU, with
    maxima of 3 positions after the first (DeepSEA: of 4 after the first two, for 1,000 bases) and
    dropouts of 0.2, 0.2 and 0.5; a dense layer of 925, ReLU; one output in place of 919: 37,785,051
    parameters at length 110.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, x = _bases(length, width)
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


def deepatt(length: int = 112, *, width: int = 128) -> keras.Model:
    """DeepATT (Li et al. 2021) as Vaishnav et al. 2022 adapted it to this assay, in the round of
    their benchmark with the original size of the dense layer.

    Published: a convolution of 256 filters of 30 bases, valid, ReLU; maxima of 3 positions; dropout
    0.2; a bidirectional LSTM of 16 units each way; self-attention of 16 heads of 2 with rectified
    projections, in place of DeepATT's attention by category; dropout 0.2; a dense layer of 100,
    ReLU; one output: 156,745 parameters at length 110.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, x = _bases(length, width)
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
    x = _both_ways(units, x)
    x = RectifiedAttention(heads, 2 * units // heads, name="attention")(x)
    x = layers.Dropout(0.2, name="attention_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(scaled(100, width), activation="relu", name="dense")(x)
    return keras.Model(tokens, expression_head(x), name="deepatt")


def _both_ways(units: int, x: keras.KerasTensor, dropout: float = 0.0) -> keras.KerasTensor:
    """A bidirectional LSTM: (batch, length, channels) to (batch, length, 2 units).

    Its gates are logistic, not their piecewise linear approximation that the Keras of 2019 took
    unasked: the fast kernels of GPUs know no other.
    """
    lstm = layers.LSTM(units, return_sequences=True, dropout=dropout)
    return layers.Bidirectional(lstm, name="lstm")(x)


def legnet(length: int = 112, *, width: int = 128) -> keras.Model:
    """LegNet (Penzar et al. 2023) with the settings of its models of the two media of Vaishnav et
    al. 2022 (repository autosome-ru/LegNet, `run_complex_base_model_300.sh`).

    Published: a convolution of 256 filters of 7 bases, then six times an inverted bottleneck
    (4 times as wide as its stage, convolution in groups of two channels, squeeze-and-excitation
    with a bilinear term) whose output is joined to its input, and a convolution over 7 positions to
    128, 128, 64, 64, 64 and 64 filters; each convolution without bias, then batch normalisation and
    SiLU; a layer of 18 at each position, averaged over the positions: the logits of 18 bins of
    expression. N is a quarter of each base. No dropout.

    Adapted: the input has no channels for "sequence is reversed" and "is a singleton": the workflow
    shows one strand, and whether a sequence was read once is told by its measured expression (a
    whole number), which a sequence to be predicted does not have. The average over the positions
    stands before the layer of 18, which then has no SiLU. The components of the bilinear terms have
    no weight besides their factors, which hold it already. 1,859,706 parameters at any length.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, x = _bases(length, width, unknown=0.25)

    def normalised(x, name):
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
        return layers.Activation("silu", name=f"{name}_silu")(x)

    def convolution(x, filters, kernel_size, name):
        x = layers.Conv1D(filters, kernel_size, padding="same", use_bias=False, name=name)(x)
        return normalised(x, name)

    def excitation(x, hidden, name):
        """Squeeze-and-excitation, with products of pairs of the hidden units besides them."""
        squeezed = layers.GlobalAveragePooling1D(name=f"{name}_squeeze")(x)
        units = layers.Dense(hidden, activation="silu", name=f"{name}_dense_a")(squeezed)
        units = layers.Dense(hidden, name=f"{name}_dense_b")(units)
        # The full tensor hidden x hidden x hidden/2 in half as many parameters (CP decomposition).
        rank = max(1, round(hidden**2 / 10))
        factors = [
            layers.Dense(rank, use_bias=False, name=f"{name}_factor_{side}")(units)
            for side in ("a", "b")
        ]
        pairs = layers.Multiply(name=f"{name}_products")(factors)
        pairs = layers.Dense(hidden // 2, name=f"{name}_pairs")(pairs)
        units = layers.Concatenate(name=f"{name}_concatenate")([units, pairs])
        units = layers.Activation("silu", name=f"{name}_silu")(units)
        weights = layers.Dense(x.shape[-1], activation="sigmoid", name=f"{name}_excite")(units)
        weights = layers.Reshape((1, -1), name=f"{name}_weights")(weights)
        return layers.Multiply(name=f"{name}_scale")([x, weights])

    sizes = [scaled(size, width) for size in (256, 128, 128, 64, 64, 64, 64)]
    x = convolution(x, sizes[0], 7, "stem")
    for number, (before, after) in enumerate(pairwise(sizes), start=1):
        name = f"block_{number}"
        inner = convolution(x, 4 * after, 1, f"{name}_widen")
        inner = PairConv1D(
            7, padding="same", depth_multiplier=2, use_bias=False, name=f"{name}_pairs"
        )(inner)
        inner = normalised(inner, f"{name}_pairs")
        inner = excitation(inner, before // 4, f"{name}_se")
        inner = convolution(inner, before, 1, f"{name}_narrow")
        x = layers.Concatenate(name=f"{name}_concatenate")([x, inner])
        x = convolution(x, after, 7, f"{name}_resize")
    x = layers.GlobalAveragePooling1D(name="average")(x)
    return keras.Model(tokens, expression_head(x, bins=18), name="legnet")


BASELINES: dict[str, Callable[..., keras.Model]] = {
    builder.__name__: builder for builder in (cnn, transformer, danq, deepsea, deepatt, legnet)
}
# All that a model of the config can name as its `architecture`.
ARCHITECTURES: dict[str, Callable[..., keras.Model]] = {"crmnet": crmnet, **BASELINES}


def load_model(path: str | Path) -> keras.Model:
    """A model of any architecture, as a rule has saved it. No code in the file is run.

    Raises:
        ValueError: it is no such file, or damaged.
    """
    try:
        # Keras itself reads weights without comparing their checksums.
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} in it is damaged")
        return keras.models.load_model(path, compile=False, safe_mode=True)
    # Keras says in a dozen kinds of errors that a file is not what it should be.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"{path}: is no whole model of this workflow ({reason}); delete it, to have it made "
            "anew"
        ) from error
