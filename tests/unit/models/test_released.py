"""The released weights: read from a SavedModel of Keras 2, and with the same predictions as in
Keras 2."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from archives import as_gzipped_tar, as_zip, below, contents
from configs import MODEL, PAPER
from keras_2 import Excitation, TransformerBlock, legacy, one_hot, tf_keras, trained_like

from crmnet.models import released
from crmnet.models.architectures import crmnet as architecture
from crmnet.models.architectures.crmnet import FLAVOURS, crmnet
from crmnet.models.origin import origin

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "released.py"
WHOLE = MODEL | {"flavour": "released"}
SMALL = WHOLE | {"width": 16, "heads": 2}


def legacy_predictions(model, tokens):
    return model(one_hot(tokens), training=False).numpy()


def predictions(model, tokens):
    return keras.ops.convert_to_numpy(model(tokens, training=False))


@pytest.fixture(scope="module")
def tokens():
    tokens = np.random.default_rng(2).integers(0, 5, (12, 112)).astype(np.uint8)
    tokens[:6, 80:] = 4
    return tokens


@pytest.fixture(scope="module")
def trained(tokens):
    """The legacy model after a step of training."""
    tf_keras.utils.set_random_seed(3)
    model = legacy(width=16, heads=2)
    # The optimiser that Adam was in Keras 2.8, and that keeps its moments as slots.
    adam = tf_keras.optimizers.legacy.Adam()
    model.compile(adam, "huber", ["mse"], run_eagerly=True)
    model.train_on_batch(np.zeros((2, 112, 5)), np.ones((2, 1)))
    trained_like(model, one_hot(tokens))
    return model


@pytest.fixture(scope="module")
def saved_model(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "crm_net"
    # The functions of the graph, most of the time that it takes to save one, are never read.
    trained.save(folder, save_format="tf", save_traces=False)
    return folder


@pytest.fixture(scope="module")
def loaded(saved_model):
    model = crmnet(**SMALL)
    released.load(model, saved_model)
    return model


def test_predictions_are_those_of_keras_2(loaded, trained, tokens):
    found, expected = predictions(loaded, tokens), legacy_predictions(trained, tokens)
    assert expected.std() > 1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_full_size_is_the_papers(tokens, tmp_path):
    theirs = legacy(width=128, heads=12)
    trained_like(theirs, one_hot(tokens))
    (tmp_path / "variables").mkdir()
    theirs.save_weights(tmp_path / "variables" / "variables", save_format="tf")
    ours = crmnet(**WHOLE)
    released.load(ours, tmp_path)
    found, expected = predictions(ours, tokens), legacy_predictions(theirs, tokens)
    assert expected.std() > 1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("point", FLAVOURS["released"])
def test_every_point_of_the_flavour_counts(monkeypatch, loaded, saved_model, tokens, point):
    other = FLAVOURS["released"] | {point: FLAVOURS["paper"][point]}
    monkeypatch.setitem(architecture.FLAVOURS, "released", other)
    model = crmnet(**SMALL)
    released.load(model, saved_model)
    difference = abs(predictions(model, tokens) - predictions(loaded, tokens))
    assert np.median(difference) > 0.1


def test_only_the_weights_of_layers_are_read(saved_model, trained):
    stored = tf.train.load_checkpoint(str(saved_model / "variables" / "variables"))
    stored = stored.get_variable_to_shape_map()
    assert sum(".OPTIMIZER_SLOT" in key for key in stored) > 400
    found = released.weights(saved_model)
    names = [name for name, _ in found]
    assert len(set(names)) == len(trained.weights) == 308
    assert names[:6] == [
        "layer_with_weights-0/kernel",
        "layer_with_weights-0/bias",
        *(f"layer_with_weights-1/excitation_{part}" for part in ("a/kernel", "a/bias")),
        *(f"layer_with_weights-1/excitation_{part}" for part in ("b/kernel", "b/bias")),
    ]
    numbers = [int(name.split("/")[0].split("-")[1]) for name in names]
    assert numbers == sorted(numbers)
    assert sorted(array.tobytes() for _, array in found) == sorted(
        array.tobytes() for array in trained.get_weights()
    )


def test_functions_and_lists_of_the_graph_are_passed_over(tmp_path):
    inputs = tf_keras.Input((14, 4))
    x = TransformerBlock(4, heads=2, hidden=3)(Excitation(4)(inputs))
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(1)(x))
    found, keys = {}, {}
    for traces in (True, False):
        folder = tmp_path / str(traces)
        model.save(folder, save_format="tf", save_traces=traces)
        found[traces] = released.weights(folder)
        stored = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        keys[traces] = list(stored.get_variable_to_shape_map())
    # Here the keys of the nested layers' weights are running numbers of such a list.
    assert sum(key.startswith("variables/") for key in keys[True]) == 4 + 16
    assert not any(key.startswith("variables/") for key in keys[False])
    assert len(found[True]) == 4 + 16 + 2
    for (name, tensor), (expected, same) in zip(found[True], found[False], strict=True):
        assert name == expected and np.array_equal(tensor, same)


def misfits(saved_model, **arguments):
    """The error of `load` for a model with other arguments, whose weights must not change."""
    model = crmnet(**SMALL | arguments)
    before = model.get_weights()
    with pytest.raises(ValueError) as error:
        released.load(model, saved_model)
    assert all(map(np.array_equal, before, model.get_weights()))
    head, *lines = str(error.value).splitlines()
    assert str(saved_model) in head and f" {len(lines)} variables" in head
    return lines


def test_an_error_about_another_width_lists_all_shapes(saved_model):
    lines = misfits(saved_model, width=8)
    # All but the bias of the last layer.
    assert len(lines) == 307
    for ours, theirs in (
        ("encoder_1_conv_a kernel (11, 5, 8)", "layer_with_weights-0/kernel (11, 5, 16)"),
        (
            "encoder_1_a_se squeeze/kernel (8, 4)",
            "layer_with_weights-1/excitation_a/kernel (16, 8)",
        ),
        (
            "transformer_1_attention output_projection/kernel (2, 16, 16)",
            "layer_with_weights-27/att/_output_dense/kernel (2, 32, 32)",
        ),
        (
            "transformer_8_ffn_b kernel (8, 16)",
            "layer_with_weights-34/ffn/layer_with_weights-1/kernel (16, 32)",
        ),
    ):
        assert f"  ours: {ours}; theirs: {theirs}" in lines


@pytest.mark.parametrize(
    ("blocks", "there", "none"),
    [(9, "  ours: transformer_", "theirs: none"), (7, "", "ours: none")],
)
def test_a_layer_without_its_counterpart(saved_model, blocks, there, none):
    lines = misfits(saved_model, transformer_blocks=blocks)
    assert len(lines) == 16
    assert all(line.startswith(there) and none in line for line in lines)


def test_layers_left_over_between_others(saved_model):
    lines = misfits(saved_model, squeeze_excitation=False)
    assert len(lines) == 17 * 4
    assert all("ours: none; theirs: layer_with_weights-" in line for line in lines)
    assert all("/excitation_" in line for line in lines)


def test_a_checkpoint_without_its_folder(tmp_path, saved_model):
    for path in (saved_model / "variables").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    found, expected = released.weights(tmp_path), released.weights(saved_model)
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, expected, strict=True))


@pytest.mark.parametrize("damage", ["cut short", "a wrong byte", "no index"])
def test_a_damaged_checkpoint(tmp_path, saved_model, damage):
    index, data = sorted((saved_model / "variables").iterdir(), reverse=True)
    content = bytearray(data.read_bytes())
    if damage == "cut short":
        del content[len(content) // 2 :]
    if damage == "a wrong byte":
        content[10_000] ^= 1
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / data.name).write_bytes(content)
    if damage != "no index":
        (tmp_path / "variables" / index.name).write_bytes(index.read_bytes())
    with pytest.raises(ValueError, match="variables/variables: is not a complete checkpoint"):
        released.weights(tmp_path)


def test_a_checkpoint_of_something_else(tmp_path):
    (tmp_path / "variables").mkdir()
    tf.train.Checkpoint(step=tf.Variable(1)).write(str(tmp_path / "variables" / "variables"))
    with pytest.raises(ValueError, match="not a functional Keras model"):
        released.weights(tmp_path)


def test_the_script_makes_a_model_of_an_archive(
    monkeypatch, tmp_path, saved_model, trained, tokens, capsys
):
    settings = {}
    # TensorFlow runs here already.
    monkeypatch.setattr("crmnet.training.devices.setup", settings.update)
    archive, output = tmp_path / "released.zip", tmp_path / "complex.keras"
    inner = as_gzipped_tar(below("complex_media_model/crm_net", contents(saved_model)))
    archive.write_bytes(as_zip({"complex.tar.gz": inner, "defined.zip": as_zip(below("crm_net"))}))
    sizes = {key: value for key, value in SMALL.items() if key != "length"}
    job = SimpleNamespace(
        input=SimpleNamespace(archive=str(archive)),
        output=SimpleNamespace(model=str(output)),
        params=SimpleNamespace(
            member="*complex*",
            construct=PAPER["construct"],
            architecture=sizes,
        ),
        wildcards=SimpleNamespace(medium="complex"),
        log=[str(tmp_path / "log")],
        threads=1,
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    assert settings["device"] == "cpu" and settings["precision"] == "float32"
    said = capsys.readouterr().err
    assert "complex.tar.gz/complex_media_model/crm_net" in said
    assert f"{trained.count_params():,} parameters loaded" in said
    assert origin(output)["medium"] == "complex"
    found = predictions(keras.models.load_model(output, compile=False), tokens)
    expected = legacy_predictions(trained, tokens)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
