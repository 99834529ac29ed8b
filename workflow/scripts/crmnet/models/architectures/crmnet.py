"""CRMnet, the transformer-encoded U-Net of Ding et al. 2023 (section 2, Figure 1)."""

from __future__ import annotations

import keras
from keras import layers

from crmnet.data.sequences import ALPHABET
from crmnet.models.layers import (
    OneHot,
    PositionEncoding,
    SelfAttention,
    SqueezeExcitation,
    expression_head,
)

# The points of the architecture on which the paper's text and its released code disagree.
FLAVOURS = {
    "paper": {"channels": ALPHABET, "pooling": "max", "position": "add"},
    "released": {"channels": "NACGT", "pooling": "average", "position": "multiply"},
}


def crmnet(
    length: int,
    *,
    flavour: str,
    width: int,
    kernel_size: int,
    transformer_blocks: int,
    heads: int,
    dropout: float,
    transformer: bool,
    squeeze_excitation: bool,
    bins: int = 0,
) -> keras.Model:
    """Builds CRMnet, from tokens (batch, length) of uint8 to expression (batch, 1) of float32.

    The paper's arguments are the section `model` of `config/config.yaml`.

    Args:
        length: tokens of a sequence, a multiple of 8 because of the three down-samplings.
        flavour: "paper" follows the paper's text, "released" its code, if the two disagree.
        width: filters of the first block; every other size is a multiple or a fraction of it
            (encoder 1 1 2 2, transformer 2, decoder 1, SE block 1 1/2 1/4, dense 2 1 1/2 1/4).
        kernel_size: the kernel size of every convolution.
        transformer_blocks: the number of transformer blocks.
        heads: the number of attention heads of a block, each as wide as a token.
        dropout: the share that is dropped in encoder and transformer blocks and in the last two
            dense layers; the first two dense layers drop twice as much.
        transformer: False leaves out the transformer (ablation of Figure 4).
        squeeze_excitation: False leaves out every squeeze-and-excitation (ablation of Figure 4).
        bins: the bins of the head (`expression_head`).

    Raises:
        ValueError: length or width is not a multiple of 8.
    """
    if length % 8:
        raise ValueError(f"the model's length must be a multiple of 8, not {length}")
    if width % 8:
        raise ValueError(f"the model's width must be a multiple of 8, not {width}")
    points = FLAVOURS[flavour]

    def convolution(x, filters, name, strides=1):
        return layers.Conv1D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=name,
        )(x)

    def excitation(x, name):
        if not squeeze_excitation:
            return x
        return SqueezeExcitation(ratio=2, pooling=points["pooling"], name=f"{name}_se")(x)

    def two_convolutions(x, filters, name):
        for part in ("a", "b"):
            x = convolution(x, filters, f"{name}_conv_{part}")
            x = excitation(x, f"{name}_{part}")
            x = layers.BatchNormalization(name=f"{name}_norm_{part}")(x)
        return x

    def transformer_block(x, name):
        attended = SelfAttention(heads, 2 * width, name=f"{name}_attention")(x)
        attended = layers.Dropout(dropout, name=f"{name}_dropout_a")(attended)
        x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_a")(x + attended)
        fed = layers.Dense(width, activation="relu", name=f"{name}_ffn_a")(x)
        fed = layers.Dense(2 * width, name=f"{name}_ffn_b")(fed)
        fed = layers.Dropout(dropout, name=f"{name}_dropout_b")(fed)
        return layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_b")(x + fed)

    tokens = keras.Input((length,), dtype="uint8", name="tokens")
    x = OneHot(points["channels"], name="one_hot")(tokens)

    skips = []
    for number, filters in enumerate((width, width, 2 * width, 2 * width), start=1):
        name = f"encoder_{number}"
        x = two_convolutions(x, filters, name)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        if number < 4:
            skips.append(x)
            x = convolution(x, filters, f"{name}_down", strides=2)

    if transformer:
        x = PositionEncoding(points["position"], span=float(length - 1), name="position")(x)
        x = transformer_block(x, "transformer_1")
        # The other blocks come in pairs. Both blocks of a pair read the block before, and their
        # outputs are added, as in the released code; the paper's text does not mention it.
        for number in range(2, transformer_blocks + 1, 2):
            names = [
                f"transformer_{n}" for n in range(number, min(number + 2, transformer_blocks + 1))
            ]
            pair = [transformer_block(x, name) for name in names]
            x = layers.Add(name=f"{names[-1]}_sum")(pair) if len(pair) == 2 else pair[0]

    for number, skip in enumerate(reversed(skips), start=1):
        name = f"decoder_{number}"
        x = layers.Conv1DTranspose(
            width, kernel_size, strides=2, padding="same", name=f"{name}_up"
        )(x)
        x = layers.Concatenate(name=f"{name}_concatenate")([x, skip])
        x = two_convolutions(x, width, name)

    for number, filters in enumerate((width, width // 2, width // 4), start=1):
        x = convolution(x, filters, f"se_block_conv_{number}")
        x = excitation(x, f"se_block_{number}")

    x = layers.Flatten(name="flatten")(x)
    sizes = (2 * width, width, width // 2, width // 4)
    for number, units in enumerate(sizes, start=1):
        x = layers.Dense(units, name=f"mlp_{number}")(x)
        x = layers.LeakyReLU(negative_slope=0.1, name=f"mlp_{number}_relu")(x)
        x = layers.Dropout(dropout * (2 if number < 3 else 1), name=f"mlp_{number}_dropout")(x)
    return keras.Model(tokens, expression_head(x, bins), name="crmnet")
