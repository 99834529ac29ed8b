"""CRMnet's sizes, graph, flavours and file against the paper."""

from importlib.util import find_spec

import keras
import numpy as np
import pytest
from backends import on_jax
from configs import MODEL

from crmnet.data.sequences import reverse_complement
from crmnet.models.architectures.crmnet import crmnet
from crmnet.models.layers import BINS
from crmnet.models.means import both_strands, ensemble

SMALL = MODEL | {"length": 16, "width": 8, "kernel_size": 3, "transformer_blocks": 3, "heads": 2}


@pytest.fixture(scope="module")
def full():
    return crmnet(**MODEL)


@pytest.fixture(scope="module")
def small():
    """A small model of random weights, batch statistics included."""
    model = crmnet(**SMALL)
    random = np.random.default_rng(1)
    model.set_weights([abs(random.normal(0.1, 0.2, w.shape)) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(2).integers(0, 5, (6, 16)).astype(np.uint8)


def predicted(model, tokens):
    return keras.ops.convert_to_numpy(model(tokens, training=False))


def dense(inputs, outputs):
    return inputs * outputs + outputs


def convolution(inputs, outputs):
    return 11 * inputs * outputs + outputs


def parameters(se=True, transformer=True):
    """The number of parameters, worked out from the sizes that the paper gives."""

    def excitation(channels):
        return se * (dense(channels, channels // 2) + dense(channels // 2, channels))

    def two_convolutions(inputs, outputs):
        norm = 4 * outputs
        first = convolution(inputs, outputs) + excitation(outputs) + norm
        return first + convolution(outputs, outputs) + excitation(outputs) + norm

    encoder = (
        (two_convolutions(5, 128) + convolution(128, 128))
        + (two_convolutions(128, 128) + convolution(128, 128))
        + (two_convolutions(128, 256) + convolution(256, 256))
        + two_convolutions(256, 256)
    )
    attention = 3 * dense(256, 12 * 256) + dense(12 * 256, 256)
    block = attention + dense(256, 128) + dense(128, 256) + 2 * (2 * 256)
    decoder = (
        (convolution(256, 128) + two_convolutions(128 + 256, 128))
        + (convolution(128, 128) + two_convolutions(128 + 128, 128))
        + (convolution(128, 128) + two_convolutions(128 + 128, 128))
    )
    se_block = sum(
        convolution(inputs, outputs) + excitation(outputs)
        for inputs, outputs in ((128, 128), (128, 64), (64, 32))
    )
    sizes = (112 * 32, 256, 128, 64, 32, 1)
    mlp = sum(map(dense, sizes[:-1], sizes[1:]))
    return encoder + transformer * 8 * block + decoder + se_block + mlp


def test_the_model_has_the_published_parameters(full):
    assert parameters() == 34_170_289
    assert full.count_params() == 34_170_289


@pytest.mark.parametrize("flavour", ["paper", "released"])
def test_attention_of_both_flavours_is_drawn_as_tensorflow_2_8_drew_it(flavour):
    attention = crmnet(**SMALL | {"flavour": flavour}).get_layer("transformer_1_attention")
    # Kernels (16, 2, 16) have the fans 2 * 16 and 16 * 16, not 16 and 2 * 16 as matrices.
    limit = (6 / (2 * 16 + 16 * 16)) ** 0.5
    for projection in (attention.query, attention.key, attention.value):
        drawn = keras.ops.convert_to_numpy(projection.kernel)
        assert 0.97 * limit < np.abs(drawn).max() <= limit


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"flavour": "released"}, parameters()),
        ({"squeeze_excitation": False}, parameters(se=False)),
        ({"transformer": False}, parameters(transformer=False)),
        (
            {"squeeze_excitation": False, "transformer": False},
            parameters(se=False, transformer=False),
        ),
    ],
)
def test_flavours_and_ablations_have_their_parameters(arguments, expected):
    with keras.StatelessScope():  # shapes alone: no weights are drawn
        assert crmnet(**MODEL | arguments).count_params() == expected


def test_ablations_leave_out_their_layers_and_nothing_else(full):
    def kinds(**arguments):
        with keras.StatelessScope():
            model = crmnet(**SMALL | arguments)
        return [type(layer).__name__ for layer in model.layers]

    transformer = {"PositionEncoding", "SelfAttention", "LayerNormalization"}
    assert {"SqueezeExcitation"} | transformer <= set(kinds())
    without = kinds(squeeze_excitation=False)
    assert without == [kind for kind in kinds() if kind != "SqueezeExcitation"]
    assert not transformer & set(kinds(transformer=False))
    assert kinds(transformer=False).count("SqueezeExcitation") == 8 + 6 + 3


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("one_hot", (112, 5)),
        ("encoder_1_dropout", (112, 128)),
        ("encoder_1_down", (56, 128)),
        ("encoder_2_dropout", (56, 128)),
        ("encoder_2_down", (28, 128)),
        ("encoder_3_dropout", (28, 256)),
        ("encoder_3_down", (14, 256)),
        ("encoder_4_dropout", (14, 256)),
        ("transformer_8_norm_b", (14, 256)),
        ("decoder_1_up", (28, 128)),
        ("decoder_1_concatenate", (28, 128 + 256)),
        ("decoder_2_concatenate", (56, 128 + 128)),
        ("decoder_3_concatenate", (112, 128 + 128)),
        ("decoder_3_norm_b", (112, 128)),
        ("se_block_3_se", (112, 32)),
        ("mlp_1", (256,)),
        ("expression", (1,)),
    ],
)
def test_shapes_down_and_up_the_u(full, layer, shape):
    assert full.get_layer(layer).output.shape == (None, *shape)


def sources(layer):
    """Names of the layers that feed this one."""
    inputs = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation.name for tensor in inputs]


@pytest.mark.parametrize(("decoder", "encoder"), [(1, 3), (2, 2), (3, 1)])
def test_decoders_take_the_encoders_output_before_its_down_sampling(full, decoder, encoder):
    joined = full.get_layer(f"decoder_{decoder}_concatenate")
    assert sources(joined) == [f"decoder_{decoder}_up", f"encoder_{encoder}_dropout"]
    assert sources(full.get_layer(f"encoder_{encoder}_down")) == [f"encoder_{encoder}_dropout"]


def test_transformer_blocks_2_to_7_stand_in_pairs_whose_outputs_are_added(full):
    sums = {layer.name: sources(layer) for layer in full.layers if layer.name.endswith("_sum")}
    assert sums == {
        "transformer_3_sum": ["transformer_2_norm_b", "transformer_3_norm_b"],
        "transformer_5_sum": ["transformer_4_norm_b", "transformer_5_norm_b"],
        "transformer_7_sum": ["transformer_6_norm_b", "transformer_7_norm_b"],
    }
    read = ["position", *["transformer_1_norm_b"] * 2]
    read += [name for name in sums for _ in range(2)][:5]
    for block, source in enumerate(read, start=1):
        assert sources(full.get_layer(f"transformer_{block}_attention")) == [source]
    assert sources(full.get_layer("decoder_1_up")) == ["transformer_8_norm_b"]


@pytest.mark.parametrize(("blocks", "sums"), [(1, []), (2, []), (3, [3]), (4, [3])])
def test_fewer_transformer_blocks(blocks, sums):
    with keras.StatelessScope():
        model = crmnet(**SMALL | {"transformer_blocks": blocks})
    names = [layer.name for layer in model.layers]
    assert [name for name in names if "_sum" in name] == [f"transformer_{n}_sum" for n in sums]
    assert sum("attention" in name for name in names) == blocks


def test_dropout_and_normalisation_are_those_of_the_paper(full):
    rates = {layer.name: layer.rate for layer in full.layers if hasattr(layer, "rate")}
    mlp = [rates.pop(f"mlp_{number}_dropout") for number in (1, 2, 3, 4)]
    assert mlp == [0.2, 0.2, 0.1, 0.1]
    assert len(rates) == 4 + 2 * 8
    assert set(rates.values()) == {0.1}
    norms = [layer for layer in full.layers if isinstance(layer, keras.layers.LayerNormalization)]
    assert {layer.epsilon for layer in norms} == {1e-6}
    assert full.get_layer("mlp_1_relu").negative_slope == pytest.approx(0.1)


def test_flavours_differ_in_channels_squeeze_and_position(full):
    with keras.StatelessScope():
        released = crmnet(**MODEL | {"flavour": "released"})

    def points(model):
        position = model.get_layer("position")
        return (
            model.get_layer("one_hot").order,
            model.get_layer("encoder_1_a_se").pooling,
            position.kind,
        )

    assert points(full) == ("ACGTN", "max", "add")
    assert points(released) == ("NACGT", "average", "multiply")
    assert released.get_layer("position").span == 111


def test_flavours_predict_differently_from_the_same_weights(small, tokens):
    released = crmnet(**SMALL | {"flavour": "released"})
    released.set_weights(small.get_weights())
    assert (abs(predicted(released, tokens) - predicted(small, tokens)) > 1e-3).all()


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_expression_is_float32_under_mixed_precision(tokens, precision):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = crmnet(**SMALL)
    finally:
        keras.config.set_dtype_policy(before)
    assert predicted(model, tokens).dtype == np.float32
    half = precision.removeprefix("mixed_")
    assert model.get_layer("transformer_1_attention").output.dtype == half
    assert model.get_layer("mlp_4").output.dtype == half
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}


def test_a_saved_model_predicts_the_same(small, tokens, tmp_path):
    small.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(predicted(loaded, tokens), predicted(small, tokens))
    assert np.ptp(predicted(small, tokens)) > 0


def test_a_head_of_bins_predicts_the_mean_of_its_classes(tokens):
    keras.utils.set_random_seed(4)
    model = crmnet(**SMALL, bins=18)
    logits = predicted(keras.Model(model.input, model.get_layer(BINS).output), tokens)
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predicted(model, tokens)[:, 0], share @ np.arange(18), rtol=1e-5)


def test_both_strands_predict_their_mean_from_the_same_weights(small, tokens, tmp_path):
    model = both_strands(small)
    turned = reverse_complement(tokens)
    mean = (predicted(small, tokens) + predicted(small, turned)) / 2
    np.testing.assert_allclose(predicted(model, tokens), mean, rtol=1e-5)
    np.testing.assert_allclose(predicted(model, turned), mean, rtol=1e-5)
    weights = zip(model.get_weights(), small.get_weights(), strict=True)
    assert all(np.array_equal(mine, its) for mine, its in weights)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(predicted(loaded, tokens), mean, rtol=1e-5)


def test_an_ensemble_predicts_the_mean_of_its_models(tokens, tmp_path):
    sizes = {"width": 8, "transformer_blocks": 1, "heads": 1, "dropout": 0.0}
    arguments = MODEL | sizes | {"length": tokens.shape[1]}
    models = [crmnet(**arguments), both_strands(crmnet(**arguments))]
    mean = (predicted(models[0], tokens) + predicted(models[1], tokens)) / 2
    averaged = ensemble(models)
    averaged.save(tmp_path / "ensemble.keras")
    loaded = keras.saving.load_model(tmp_path / "ensemble.keras", safe_mode=True)
    for model in (averaged, loaded):
        np.testing.assert_allclose(predicted(model, tokens), mean, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_a_saved_model_predicts_the_same_on_jax(small, tokens, tmp_path):
    small.save(tmp_path / "model.keras")
    expected = on_jax(
        "import crmnet.models.architectures.crmnet\n"
        "model = keras.saving.load_model(arguments[0])\n"
        "tokens = numpy.array(arguments[1], 'uint8')\n"
        "print(json.dumps(model.predict(tokens, verbose=0).tolist()))",
        str(tmp_path / "model.keras"),
        tokens.tolist(),
    )
    np.testing.assert_allclose(predicted(small, tokens), expected, rtol=1e-5)


def test_gradients_reach_every_trainable_variable(tokens):
    tf = pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(3)
    model = crmnet(**SMALL)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(np.tile(tokens, (8, 1)), training=True) ** 2)
    variables = model.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        assert gradient is not None, variable.path
        # A softmax over the keys does not change with their bias: a gradient of rounding errors.
        if not variable.path.endswith("key/bias"):
            assert np.abs(gradient).max() > 1e-6, variable.path


@pytest.mark.parametrize(
    ("arguments", "reason"), [({"length": 110}, "length.*110"), ({"width": 12}, "width.*12")]
)
def test_sizes_that_do_not_divide_are_refused(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        crmnet(**MODEL | arguments)
