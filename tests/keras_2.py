"""The released model as Keras 2 builds it; names of attributes are those in its SavedModel."""

import numpy as np
import pytest

tf_keras = pytest.importorskip(
    "tf_keras",
    reason="writes what the released weights are compared with: pip install --no-deps tf-keras, "
    "of TensorFlow's version",
)
import tensorflow as tf  # noqa: E402

layers = tf_keras.layers


class Excitation(tf_keras.Model):
    def __init__(self, channels):
        super().__init__()
        self.excitation_a = layers.Dense(channels // 2, activation="relu")
        self.excitation_b = layers.Dense(channels, activation="sigmoid")

    def call(self, x):
        means = tf.reduce_mean(x, axis=1, keepdims=True)
        return x * self.excitation_b(self.excitation_a(means))


class Positions(layers.Layer):
    def call(self, x):
        return x * tf.sin(tf.range(0, 111, 111 / 14))[:, None]


class TransformerBlock(layers.Layer):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.att = layers.MultiHeadAttention(heads, width)
        self.ffn = tf_keras.Sequential(
            [layers.Dense(hidden, activation="relu"), layers.Dense(width)]
        )
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(0.1)
        self.dropout2 = layers.Dropout(0.1)

    def call(self, x, training=None):
        x = self.layernorm1(x + self.dropout1(self.att(x, x), training=training))
        return self.layernorm2(x + self.dropout2(self.ffn(x), training=training))


def legacy(width, heads, kernel=11, blocks=8):
    """The released model, from one-hot (batch, 112, 5), channels N A C G T. It has 8 transformer
    blocks; any even number, or one, is possible."""

    def convolution(x, filters, **options):
        options = {"padding": "same", "activation": "relu"} | options
        return layers.Conv1D(filters, kernel, kernel_initializer="he_normal", **options)(x)

    def two_convolutions(x, filters):
        for _ in range(2):
            x = Excitation(filters)(convolution(x, filters))
            x = layers.BatchNormalization()(x)
        return x

    inputs = x = tf_keras.Input((112, 5))
    skips = []
    for filters in (width, width, 2 * width):
        x = layers.Dropout(0.1)(two_convolutions(x, filters))
        skips.append(x)
        x = convolution(x, filters, strides=2)
    x = layers.Dropout(0.1)(two_convolutions(x, 2 * width))

    first, *others = (TransformerBlock(2 * width, heads, width) for _ in range(blocks))
    x = first(Positions()(x))
    while len(others) > 1:
        left, right, *others = others
        beside = left(x)
        x = right(x) + beside
    for last in others:
        x = last(x)

    for skip in reversed(skips):
        x = layers.Conv1DTranspose(width, kernel, strides=2, padding="same")(x)
        x = two_convolutions(layers.concatenate([x, skip]), width)
    for filters in (width, width // 2, width // 4):
        x = Excitation(filters)(convolution(x, filters))
    x = layers.Flatten()(x)
    for units, dropped in ((2 * width, 0.2), (width, 0.2), (width // 2, 0.1), (width // 4, 0.1)):
        x = tf_keras.activations.relu(layers.Dense(units)(x), alpha=0.1)
        x = layers.Dropout(dropped)(x)
    return tf_keras.Model(inputs, layers.Dense(1)(x))


def trained_like(model, sequences):
    """Weights far from their initial values, with batch statistics of these one-hot sequences, so
    that every layer's output and the predictions vary from sequence to sequence."""
    random = np.random.default_rng(1)
    for variable in model.trainable_weights:
        if len(variable.shape) == 1 or "bias" in variable.name:
            variable.assign_add(random.normal(0, 0.2, variable.shape))
    norms = [layer for layer in model.layers if hasattr(layer, "moving_mean")]
    for layer in norms:
        layer.momentum = 0
    model(sequences, training=True)
    kernel, bias = model.layers[-1].weights
    predicted = model(sequences, training=False).numpy()
    kernel.assign(kernel * 2 / predicted.std())
    bias.assign(8 + (bias - predicted.mean()) * 2 / predicted.std())


def one_hot(tokens):
    channels = [tokens == "ACGTN".index(letter) for letter in "NACGT"]
    return np.stack(channels, axis=-1).astype("float32")
