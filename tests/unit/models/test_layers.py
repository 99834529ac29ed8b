"""Layers against numbers worked out by hand and against independent implementations."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from crmnet.data import sequences
from crmnet.models.layers import (
    ExpectedBin,
    OneHot,
    PositionEncoding,
    ReverseComplement,
    SelfAttention,
    SqueezeExcitation,
    sinusoids,
)


def of(layer, x):
    return ops.convert_to_numpy(ops.cast(layer(ops.convert_to_tensor(x)), "float32"))


def with_random_weights(layer, x):
    layer(x)
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    return layer


@pytest.fixture
def tokens():
    return np.random.default_rng(2).integers(0, 5, (3, 14)).astype(np.uint8)


@pytest.fixture
def activations():
    return np.random.default_rng(3).normal(size=(3, 14, 8)).astype(np.float32)


@pytest.mark.parametrize(
    ("order", "channel_of"),
    [("ACGTN", {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}), ("NACGT", dict(N=0, A=1, C=2, G=3, T=4))],
)
def test_one_hot_sets_the_letter_s_channel_alone(order, channel_of):
    letters = "ACGTNTTA"
    encoded = of(OneHot(order), sequences.encode([letters], 10))
    expected = np.zeros((1, 10, 5), np.float32)
    for position, letter in enumerate(letters + "NN"):
        expected[0, position, channel_of[letter]] = 1
    np.testing.assert_array_equal(encoded, expected)


def test_one_hot_equals_the_one_without_a_framework(tokens):
    np.testing.assert_array_equal(of(OneHot(), tokens), sequences.one_hot(tokens))


@pytest.mark.parametrize(
    ("pooling", "sign", "excitation"),
    [
        ("max", 1, (3 / 4, 1 / 4)),
        ("average", 1, (9 / 10, 1 / 10)),
        ("max", -1, (1 / 2, 1 / 2)),
    ],
)
def test_squeeze_excitation_by_hand(pooling, sign, excitation):
    # Maxima 3 and 5, means 2 and 1; the one hidden unit is 1 of the maxima, 2 of the means, and
    # 0 after its ReLU of the maxima -1 and 2 of the negated ones.
    x = sign * np.array([[[1, 0], [3, -2], [2, 5]]], np.float32)
    layer = SqueezeExcitation(ratio=2, pooling=pooling)
    layer(x)
    squeeze, excite = [[1], [-0.5]], [[np.log(3), -np.log(3)]]
    layer.set_weights([np.array(squeeze), np.array([0.5]), np.array(excite), np.zeros(2)])
    np.testing.assert_allclose(of(layer, x), x * np.array(excitation), rtol=1e-6)


def test_squeeze_excitation_has_the_ratio_s_hidden_units(activations):
    layer = SqueezeExcitation(ratio=4)
    layer(activations)
    assert [weight.shape for weight in layer.get_weights()] == [(8, 2), (2,), (2, 8), (8,)]


def test_sinusoids_by_hand():
    encodings = sinusoids(14, 256)
    assert encodings.shape == (14, 256)
    np.testing.assert_array_equal(encodings[0], [0, 1] * 128)
    np.testing.assert_allclose(encodings[1, :2], [np.sin(1), np.cos(1)])
    # Channels 100 and 101 are the fiftieth pair: wavelength 2 pi 10000^(100 / 256).
    angle = 13 / 10000 ** (100 / 256)
    np.testing.assert_allclose(encodings[13, 100:102], [np.sin(angle), np.cos(angle)])
    np.testing.assert_allclose(sinusoids(4, 4)[3, 2:], [np.sin(0.03), np.cos(0.03)])


def test_encodings_of_the_text_are_added():
    x = np.full((2, 14, 256), 2, np.float32)
    np.testing.assert_allclose(of(PositionEncoding("add"), x)[1], 2 + sinusoids(14, 256), rtol=1e-6)


def test_encodings_of_the_code_multiply():
    x = np.full((2, 14, 3), 2, np.float32)
    encoded = of(PositionEncoding("multiply", span=111), x)
    for position in range(14):
        expected = 2 * np.sin(position * 111 / 14)
        np.testing.assert_allclose(encoded[:, position], expected, atol=1e-5)


def test_attention_equals_its_formula_in_numpy(activations):
    layer = with_random_weights(SelfAttention(heads=3, key_dim=5), activations)
    query, query_bias, key, key_bias, value, value_bias, out, out_bias = layer.get_weights()
    expected = np.zeros(activations.shape)
    for number, x in enumerate(activations):
        contexts = []
        for head in range(3):
            part = slice(5 * head, 5 * head + 5)
            q = x @ query[:, part] + query_bias[part]
            k = x @ key[:, part] + key_bias[part]
            weights = np.exp(q @ k.T / np.sqrt(5))
            weights /= weights.sum(axis=1, keepdims=True)
            contexts.append(weights @ (x @ value[:, part] + value_bias[part]))
        expected[number] = np.concatenate(contexts, axis=1) @ out + out_bias
    np.testing.assert_allclose(of(layer, activations), expected, atol=1e-5)


def test_attention_equals_that_of_keras(activations):
    layer = with_random_weights(SelfAttention(heads=3, key_dim=5), activations)
    reference = layers.MultiHeadAttention(3, 5)
    reference(activations, activations)
    shapes = [weight.shape for weight in reference.get_weights()]
    assert shapes[0] == (8, 3, 5)
    reference.set_weights(
        [w.reshape(shape) for w, shape in zip(layer.get_weights(), shapes, strict=True)]
    )
    expected = ops.convert_to_numpy(reference(activations, activations))
    np.testing.assert_allclose(of(layer, activations), expected, atol=1e-5)


def test_attention_has_the_gradients_of_that_of_keras(activations):
    tf = pytest.importorskip("tensorflow")
    layer = with_random_weights(SelfAttention(heads=3, key_dim=5), activations)
    reference = layers.MultiHeadAttention(3, 5)
    reference(activations, activations)
    shapes = [weight.shape for weight in reference.get_weights()]
    reference.set_weights(
        [w.reshape(shape) for w, shape in zip(layer.get_weights(), shapes, strict=True)]
    )
    x = tf.constant(activations)
    wanted = tf.constant(np.random.default_rng(5).normal(size=x.shape).astype(np.float32))

    def gradients(attend, of):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(attend() * wanted)
        variables = [variable.value for variable in of.trainable_variables]
        return [np.ravel(gradient) for gradient in tape.gradient(loss, [*variables, x])]

    ours, theirs = gradients(lambda: layer(x), layer), gradients(lambda: reference(x, x), reference)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def drawn_within(kernel):
    """The limit of the uniform distribution that a kernel was drawn from, by its variance."""
    return np.sqrt(3 * np.mean(np.square(kernel)))


def test_attention_is_drawn_within_the_limits_of_tensorflow_2_8():
    layer = SelfAttention(heads=12, key_dim=256)
    layer.build((None, 14, 256))
    kernels, biases = layer.get_weights()[::2], layer.get_weights()[1::2]
    # sqrt(6 / (fan in + fan out)): a kernel (256, 12, 256) has fans 12 * 256 and 256 * 256, one of
    # (12, 256, 256) twice 256 * 12.
    for kernel, limit in zip(kernels, [0.00935, 0.00935, 0.00935, 0.03125], strict=True):
        assert drawn_within(kernel) == pytest.approx(limit, rel=5e-3)
        assert np.abs(kernel).max() == pytest.approx(limit, rel=1e-3)
    assert len({float(kernel.ravel()[0]) for kernel in kernels}) == 4
    assert not any(bias.any() for bias in biases)


@pytest.mark.parametrize(("width", "heads", "key_dim"), [(256, 12, 256), (32, 2, 32), (64, 8, 24)])
def test_attention_starts_as_that_of_keras_2(width, heads, key_dim):
    legacy = pytest.importorskip("tf_keras").layers.MultiHeadAttention(heads, key_dim)
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(6).normal(size=(64, 14, width)).astype(np.float32)
    layer = SelfAttention(heads, key_dim)
    started, expected = of(layer, x), np.array(legacy(x, x))
    for kernel, theirs in zip(layer.get_weights()[::2], legacy.get_weights()[::2], strict=True):
        assert kernel.size == theirs.size
        assert drawn_within(kernel) == pytest.approx(drawn_within(theirs), rel=0.05)
    # At the paper's size 0.023; with the fans of a matrix it would be 0.15.
    assert started.std() == pytest.approx(expected.std(), rel=0.15)


def test_attention_has_no_order_of_its_own(activations):
    layer = with_random_weights(SelfAttention(heads=2, key_dim=4), activations)
    order = np.random.default_rng(4).permutation(14)
    np.testing.assert_allclose(
        of(layer, activations[:, order]), of(layer, activations)[:, order], atol=1e-5
    )


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_attention_in_half_precision_stays_close_and_finite(activations, precision):
    single = with_random_weights(SelfAttention(heads=2, key_dim=4), activations)
    half = SelfAttention(heads=2, key_dim=4, dtype=precision)
    half(activations)
    half.set_weights(single.get_weights())
    assert half(activations).dtype == precision.removeprefix("mixed_")
    np.testing.assert_allclose(of(half, activations), of(single, activations), atol=0.1)
    assert np.isfinite(of(half, 100 * activations)).all()


@pytest.mark.parametrize(
    "layer",
    [
        OneHot("NACGT"),
        SqueezeExcitation(ratio=4, pooling="average"),
        PositionEncoding("multiply", span=9.0),
        SelfAttention(heads=3, key_dim=5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_come_back_from_their_config(layer, tokens, activations):
    x = tokens if isinstance(layer, OneHot) else activations
    with_random_weights(layer, x)
    saved = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(saved, safe_mode=True)
    again(x)
    again.set_weights(layer.get_weights())
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(of(again, x), of(layer, x))
    spec = again.compute_output_spec(keras.KerasTensor(x.shape, x.dtype))
    assert (spec.shape, spec.dtype) == (of(layer, x).shape, "float32")


def test_the_expected_bin_is_the_mean_over_the_bins():
    logits = np.log([[0.5, 0.25, 0.25], [1e-9, 1e-9, 1.0]]).astype(np.float32)
    np.testing.assert_allclose(of(ExpectedBin(), logits), [[0.75], [2.0]], rtol=1e-5)
    np.testing.assert_allclose(of(ExpectedBin(-2.0, 0.5), logits), [[-1.625], [-1.0]], rtol=1e-5)


def test_reverse_complement_is_that_of_the_sequences(tokens):
    expected = sequences.reverse_complement(tokens)
    assert np.array_equal(of(ReverseComplement(), tokens), expected)
    assert np.array_equal(of(ReverseComplement(), expected), tokens)
