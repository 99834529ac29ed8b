"""The models of Figure 3 against the sizes of their publications."""

from importlib.util import find_spec

import keras
import numpy as np
import pytest
from backends import on_jax

from crmnet.data.sequences import COMPLEMENT
from crmnet.models import registry
from crmnet.models.architectures.legnet import PairConv1D
from crmnet.models.architectures.transformer import TwoStrandConv1D
from crmnet.models.baselines import Bases, RectifiedAttention, scaled
from crmnet.models.layers import BINS, OneHot
from crmnet.training.loop import FlatAdam

BASELINES = {name: registry.builder(name) for name in registry.names() if name != "crmnet"}
LENGTH = 40
every = pytest.mark.parametrize("name", BASELINES)


def dense(inputs, outputs):
    return inputs * outputs + outputs


def convolution(size, inputs, outputs):
    return size * inputs * outputs + outputs


def normalised(size, inputs, outputs, strands=1):
    """Parameters of a convolution without bias, and four of batch normalisation per channel."""
    return size * inputs * outputs + 4 * strands * outputs


def lstm(inputs, units):
    """Parameters of an LSTM: four gates in two directions."""
    return 2 * 4 * dense(inputs + units, units)


def attention(width):
    return 4 * dense(width, width)


def cnn(length):
    strand = convolution(30, 4, 256) + convolution(1, 256, 256)
    both = convolution(1, 512, 256) + convolution(1, 256, 256)
    return 2 * strand + both + dense(length * 256, 256) + dense(256, 256) + dense(256, 1)


def transformer(length):
    convolutions = (
        normalised(30, 4, 256, strands=2) + normalised(30, 2 * 256, 64) + normalised(30, 64, 64)
    )
    block = attention(64) + dense(64, 8) + dense(8, 64) + 2 * (2 * 64)
    head = dense(length * 2 * 8, 64) + dense(64, 64) + dense(64, 1)
    return convolutions + 2 * block + lstm(64, 8) + head


def danq(length):
    flat = (length - 25) // 3 * 640
    return convolution(26, 4, 320) + lstm(320, 320) + dense(flat, 925) + dense(925, 1)


def deepsea(length):
    convolutions = convolution(8, 4, 320) + convolution(8, 320, 480) + convolution(8, 480, 960)
    return convolutions + dense(-(-length // 3) * 960, 925) + dense(925, 1)


def deepatt(length):
    head = dense((length - 29) // 3 * 32, 100) + dense(100, 1)
    return convolution(30, 4, 256) + lstm(256, 16) + attention(32) + head


def legnet(length):
    def block(before, after):
        inner, hidden, pairs = 4 * after, before // 4, before // 8
        # Half the parameters of a full tensor hidden x hidden x pairs, in its CP decomposition.
        rank = round(0.5 * hidden * hidden * pairs / (hidden + hidden + pairs))
        bilinear = rank * (2 * hidden + pairs) + pairs
        excitation = (
            dense(inner, hidden) + dense(hidden, hidden) + bilinear + dense(hidden + pairs, inner)
        )
        return (
            normalised(1, before, inner)
            + normalised(7, 2, inner)
            + excitation
            + normalised(1, inner, before)
            + normalised(7, 2 * before, after)
        )

    sizes = (256, 128, 128, 64, 64, 64, 64)
    stages = sum(map(block, sizes[:-1], sizes[1:]))
    return normalised(7, 4, 256) + stages + dense(64, 18)


PARAMETERS = {f.__name__: f for f in (cnn, transformer, danq, deepsea, deepatt, legnet)}

# The totals in the summaries that Vaishnav et al. printed.
PRINTED = {"danq": 18_252_411, "deepsea": 37_785_051, "deepatt": 156_745}


@every
@pytest.mark.parametrize("length", [110, 112])
def test_models_have_the_parameters_of_the_published_sizes(name, length):
    with keras.StatelessScope():  # shapes alone: no weights are drawn
        assert BASELINES[name](length).count_params() == PARAMETERS[name](length)
    if length == 110 and name in PRINTED:
        assert PARAMETERS[name](length) == PRINTED[name]


def test_the_cnn_lacks_only_the_taps_that_see_padding():
    kernels_of_30 = 256 * 256 + 256 * 256 + 512 * 256 + 256 * 256
    assert cnn(110) == 7_665_921
    assert cnn(110) + 29 * kernels_of_30 == 17_168_641


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("danq", {"convolution": (85, 320), "pool": (28, 320), "lstm": (28, 640)}),
        (
            "deepsea",
            {
                "convolution_1": (110, 320),
                "pool": (37, 320),
                "convolution_2": (37, 480),
                "convolution_3": (37, 960),
                "flatten": (35_520,),
            },
        ),
        (
            "deepatt",
            {
                "convolution": (81, 256),
                "pool": (27, 256),
                "lstm": (27, 32),
                "attention": (27, 32),
                "flatten": (864,),
            },
        ),
    ],
)
def test_layers_have_the_shapes_that_vaishnav_printed(name, shapes):
    with keras.StatelessScope():
        model = BASELINES[name](110)
    assert {layer: model.get_layer(layer).output.shape[1:] for layer in shapes} == shapes


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("cnn", [0.2, 0.2]),
        ("transformer", [0.05, 0.05, 0.05]),
        ("danq", [0.2, 0.5]),
        ("deepsea", [0.2, 0.2, 0.5]),
        ("deepatt", [0.2, 0.2]),
        ("legnet", []),
    ],
)
def test_dropouts_are_the_published_ones(name, rates):
    with keras.StatelessScope():
        model = BASELINES[name](LENGTH, width=8)
    assert [layer.rate for layer in model.layers if hasattr(layer, "rate")] == rates
    lstm = next((layer for layer in model.layers if layer.name == "lstm"), None)
    if lstm is not None:
        dropout = 0.05 if name == "transformer" else 0.0
        assert [lstm.forward_layer.dropout, lstm.backward_layer.dropout] == [dropout] * 2


@every
def test_every_width_and_length_builds_with_the_same_depth(name):
    with keras.StatelessScope():
        models = {
            size: BASELINES[name](size[0], width=size[1])
            for size in ((64, 16), (88, 16), (112, 8), (112, 16), (112, 32), (112, 64), (112, 128))
        }
    for (length, _), model in models.items():
        assert model.input.dtype == "uint8" and model.input.shape == (None, length)
        assert model.output.dtype == "float32" and model.output.shape == (None, 1)
    assert len({tuple(type(layer) for layer in model.layers) for model in models.values()}) == 1
    parameters = [model.count_params() for (length, _), model in models.items() if length == 112]
    assert parameters == sorted(set(parameters))


def test_sizes_scale_down_to_8_and_stay_whole():
    assert [scaled(256, width) for width in (128, 64, 16, 8)] == [256, 128, 32, 16]
    assert [scaled(925, width) for width in (128, 64)] == [925, 462]
    assert [scaled(64, width) for width in (128, 16, 8)] == [64, 8, 8]
    assert [scaled(8, width) for width in (128, 16, 256)] == [8, 8, 16]


@every
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"width": 12}, "width.*12"),
        ({"width": 0}, "width.*0"),
        ({"length": 31}, "length.*32.*31"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(name, arguments, reason):
    with pytest.raises(ValueError, match=reason):
        BASELINES[name](**arguments)


# The layers.


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(2).integers(0, 5, (6, LENGTH)).astype(np.uint8)


@pytest.fixture(scope="module")
def bases():
    """One-hot (3, 20, 4) of random bases."""
    return np.eye(4, dtype="float32")[np.random.default_rng(3).integers(0, 4, (3, 20))]


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def other_strand(tokens):
    return COMPLEMENT[tokens[:, ::-1]]


@pytest.mark.parametrize("unknown", [0.0, 0.25])
def test_n_is_the_same_of_each_base(unknown):
    rows = array(Bases(unknown)(OneHot()(np.arange(5, dtype=np.uint8)[None])))[0]
    np.testing.assert_array_equal(rows, [*np.eye(4), [unknown] * 4])


def correlate(x, kernel):
    """Convolution (batch, length, filters) of x (batch, length, channels), zeros around it, with a
    kernel (size, channels, filters), place by place."""
    size, length = len(kernel), x.shape[1]
    before = (size - 1) // 2
    padded = np.pad(x, ((0, 0), (before, size - 1 - before), (0, 0)))
    windows = np.stack([padded[:, at : at + size] for at in range(length)], axis=1)
    return np.einsum("blkc,kcf->blf", windows, kernel)


@pytest.mark.parametrize("size", [5, 6])
def test_two_strand_convolution_scans_with_each_kernel_and_its_reverse_complement(bases, size):
    layer = TwoStrandConv1D(3, size, padding="same", use_bias=False)
    scanned = array(layer(bases))
    kernel = array(layer.kernel)
    expected = [correlate(bases, kernel), correlate(bases, kernel[::-1, ::-1])]
    np.testing.assert_allclose(scanned, np.concatenate(expected, axis=-1), atol=1e-5)


def test_two_strand_convolution_changes_strands_with_the_sequence(bases):
    layer = TwoStrandConv1D(3, 5, padding="same", use_bias=False)
    forward, reverse = np.split(array(layer(bases)), 2, axis=-1)
    on_other = array(layer(bases[:, ::-1, ::-1]))
    swapped = np.concatenate([reverse, forward], axis=-1)[:, ::-1]
    np.testing.assert_allclose(on_other, swapped, atol=1e-5)


def test_pair_convolution_keeps_groups_of_two_apart():
    x = np.random.default_rng(4).normal(size=(2, 9, 6)).astype("float32")
    layer = PairConv1D(3, padding="same", depth_multiplier=2, use_bias=False)
    got = array(layer(x))
    kernel = array(layer.kernel)
    for group in (0, 2, 4):
        pair = slice(group, group + 2)
        expected = correlate(x[..., pair], kernel[:, pair])
        np.testing.assert_allclose(got[..., pair], expected, atol=1e-5)


def test_attention_rectifies_its_projections():
    x = np.random.default_rng(5).normal(size=(2, 7, 6)).astype("float32")
    layer = RectifiedAttention(heads=3, key_dim=2)
    got = array(layer(x))
    projections = (layer.query, layer.key, layer.value, layer.output_projection)
    kernels = [array(projection.kernel) for projection in projections]
    query, key, value = (np.maximum(x @ kernel, 0) for kernel in kernels[:3])
    heads = []
    for head in (slice(0, 2), slice(2, 4), slice(4, 6)):
        scores = np.exp(query[..., head] @ key[..., head].transpose(0, 2, 1) / np.sqrt(2))
        heads.append(scores / scores.sum(axis=-1, keepdims=True) @ value[..., head])
    expected = np.maximum(np.concatenate(heads, axis=-1) @ kernels[3], 0)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert (got > 0).any()


def test_attention_of_the_baselines_is_drawn_normally_by_matrices():
    layer = RectifiedAttention(heads=8, key_dim=8)
    layer.build((None, 7, 64))
    deviation = (2 / (64 + 64)) ** 0.5
    for kernel in layer.get_weights()[::2]:
        assert kernel.std() == pytest.approx(deviation, rel=0.05)
        # A uniform distribution ends at sqrt(3) standard deviations.
        assert np.abs(kernel).max() > 2 * deviation


# The models.


def small(name):
    """A small model of random weights, batch statistics included."""
    keras.utils.set_random_seed(1)
    model = BASELINES[name](LENGTH, width=8)
    random = np.random.default_rng(1)
    for weight in model.weights:
        noisy = array(weight) + random.normal(0, 0.1, weight.shape)
        weight.assign(abs(noisy) if weight.name == "moving_variance" else noisy)
    return model


@pytest.fixture(scope="module")
def models():
    return {name: small(name) for name in BASELINES}


def predicted(model, tokens):
    return array(model(tokens, training=False))


def test_the_cnn_with_its_strands_exchanged_reads_the_other_strand_alike(models, tokens):
    model = models["cnn"]
    exchanged = BASELINES["cnn"](LENGTH, width=8)
    exchanged.set_weights(model.get_weights())
    for number in (1, 2):
        for to, of in (("forward", "reverse"), ("reverse", "forward")):
            layer = model.get_layer(f"{of}_convolution_{number}")
            exchanged.get_layer(f"{to}_convolution_{number}").set_weights(layer.get_weights())
    joined = exchanged.get_layer("convolution_3")
    kernel, bias = joined.get_weights()
    joined.set_weights([np.roll(kernel, kernel.shape[1] // 2, axis=1), bias])
    np.testing.assert_allclose(
        predicted(exchanged, other_strand(tokens)), predicted(model, tokens), atol=1e-5
    )
    assert np.ptp(predicted(model, tokens)) > 1e-3
    assert (abs(predicted(model, other_strand(tokens)) - predicted(model, tokens)) > 1e-4).any()


def test_legnet_predicts_the_mean_of_18_bins(models, tokens):
    model = models["legnet"]
    logits = predicted(keras.Model(model.input, model.get_layer(BINS).output), tokens)
    assert logits.shape == (len(tokens), 18)
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(predicted(model, tokens)[:, 0], shares @ np.arange(18), rtol=1e-5)


@every
def test_predictions_do_not_depend_on_the_batch(models, tokens, name):
    together = predicted(models[name], tokens)
    alone = np.concatenate([predicted(models[name], row[None]) for row in tokens])
    assert together.shape == (len(tokens), 1) and together.dtype == np.float32
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)
    assert np.ptp(together) > 1e-3


@every
def test_a_saved_model_predicts_the_same(models, tokens, name, tmp_path):
    models[name].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(predicted(loaded, tokens), predicted(models[name], tokens))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_saved_models_predict_the_same_on_jax(models, tokens, tmp_path):
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    found = on_jax(
        "from crmnet.models.files import load_model\n"
        "folder, names, tokens = arguments\n"
        "tokens = numpy.array(tokens, 'uint8')\n"
        "models = [load_model(f'{folder}/{name}.keras') for name in names]\n"
        "print(json.dumps([model.predict(tokens, verbose=0).tolist() for model in models]))",
        str(tmp_path),
        [*models],
        tokens.tolist(),
    )
    for model, expected in zip(models.values(), found, strict=True):
        np.testing.assert_allclose(predicted(model, tokens), expected, rtol=1e-4, atol=1e-5)


@every
def test_expression_is_float32_under_mixed_precision(name, tokens):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = BASELINES[name](LENGTH, width=8)
    finally:
        keras.config.set_dtype_policy(before)
    assert predicted(model, tokens).dtype == np.float32
    assert model.get_layer("bases").output.dtype == "float16"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}


@every
def test_gradients_reach_every_trainable_variable(name):
    tf = pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(3)
    model = BASELINES[name](LENGTH, width=8)
    tokens = np.random.default_rng(6).integers(0, 4, (64, LENGTH)).astype(np.uint8)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tokens, training=True) ** 2)
    variables = model.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.abs(gradient).max() > 1e-6, variable.path


@pytest.mark.slow
@every
def test_a_planted_word_is_learned(name):
    keras.utils.set_random_seed(4)
    random = np.random.default_rng(4)
    tokens = random.integers(0, 4, (64, LENGTH)).astype(np.uint8)
    planted = np.arange(64) % 2 == 0
    tokens[planted, 12:19] = [3, 3, 0, 1, 1, 1, 2]  # TTACCCG
    model = BASELINES[name](LENGTH, width=16)
    centre, spread = (8.5, 3.0) if name == "legnet" else (0.0, 1.0)
    expression = centre + spread * np.where(planted, 1.0, -1.0)
    model.compile(FlatAdam(5e-3), "mse")
    losses = [model.train_on_batch(tokens, expression) for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.7 * expression.var()
