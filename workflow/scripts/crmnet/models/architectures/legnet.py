"""LegNet (Penzar et al. 2023)."""

from __future__ import annotations

from itertools import pairwise

import keras
from keras import layers, ops

from crmnet.models.baselines import base_input, scaled
from crmnet.models.layers import expression_head, register


@register
class PairConv1D(layers.DepthwiseConv1D):
    """Convolution of (batch, length, channels) in groups of two neighbouring channels, without
    bias: a depthwise convolution with `depth_multiplier` 2, summed over each group.

    The `groups` of `keras.layers.Conv1D` do the same, but 200 times slower on a CPU with
    TensorFlow.
    """

    def call(self, x):
        length, channels = x.shape[1:]
        apart = ops.reshape(super().call(x), (-1, length, channels // 2, 2, 2))
        return ops.reshape(ops.sum(apart, axis=3), (-1, length, channels))

    def compute_output_shape(self, input_shape):
        return input_shape


def legnet(length: int = 112, *, width: int = 128) -> keras.Model:
    """LegNet (Penzar et al. 2023) with the settings of its models of the two media of Vaishnav et
    al. 2022 (repository autosome-ru/LegNet, `run_complex_base_model_300.sh`).

    Published: a convolution of 256 filters of 7 bases, then six blocks. A block is an inverted
    bottleneck (4 times as wide as its stage, convolution in groups of two channels,
    squeeze-and-excitation with a bilinear term) whose output is concatenated with its input, and a
    convolution over 7 positions to 128, 128, 64, 64, 64 and 64 filters. Each convolution has no
    bias and is followed by batch normalisation and SiLU. A layer of 18 at each position, averaged
    over the positions, gives the logits of 18 bins of expression. N counts as a quarter of each
    base. There is no dropout.

    Adapted: the input has no channels for "sequence is reversed" and "is a singleton". The workflow
    shows one strand. Only the measured expression tells whether a sequence was read once (it is
    then a whole number), and a sequence to predict has none. The average over the positions comes
    before the layer of 18, which then has no SiLU. The components of the bilinear terms have no
    weights of their own, because their factors include these. It has 1,859,706 parameters at any
    length.

    Raises:
        ValueError: a length under 32, or a width that is no multiple of 8.
    """
    tokens, x = base_input(length, width, unknown=0.25)

    def normalised(x, name):
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
        return layers.Activation("silu", name=f"{name}_silu")(x)

    def convolution(x, filters, kernel_size, name):
        x = layers.Conv1D(filters, kernel_size, padding="same", use_bias=False, name=name)(x)
        return normalised(x, name)

    def excitation(x, hidden, name):
        """Applies squeeze-and-excitation with the hidden units and products of pairs of them."""
        squeezed = layers.GlobalAveragePooling1D(name=f"{name}_squeeze")(x)
        units = layers.Dense(hidden, activation="silu", name=f"{name}_dense_a")(squeezed)
        units = layers.Dense(hidden, name=f"{name}_dense_b")(units)
        # A CP decomposition of the tensor hidden x hidden x hidden/2 needs half as many parameters.
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
