"""Saliency maps: gradients compared with linear models, finite differences and parts of models; the
file of maps; the sanity check by randomised weights; both scripts."""

import contextlib
import json
import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from backends import on_jax
from configs import MODEL
from keras import layers

from crmnet import logs
from crmnet.data.sequences import Construct, N, encode, letters, one_hot, reverse_complement
from crmnet.evaluation.statistics import rank_correlations
from crmnet.interpretation import saliency
from crmnet.interpretation.maps import Maps, load, masked, same_inserts, save, window
from crmnet.interpretation.saliency import (
    COLUMNS,
    Gradients,
    cascade,
    from_one_hot,
    gradients,
    insert_saliency,
    stages,
    weighted_layers,
)
from crmnet.models import registry
from crmnet.models.architectures.crmnet import crmnet
from crmnet.models.layers import OneHot, SelfAttention, SqueezeExcitation, expression_head
from crmnet.models.means import both_strands
from crmnet.training import devices

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
SMALL = MODEL | {"length": 16, "width": 8, "kernel_size": 3, "transformer_blocks": 1, "heads": 2}
LENGTH = 24
CONSTRUCT = Construct(left_flank="TGCA", right_flank="GGTT", insert_length=12, length=LENGTH)


def random_tokens(seed, n, length=LENGTH, unknown=True):
    return np.random.default_rng(seed).integers(0, 4 + unknown, (n, length)).astype(np.uint8)


def linear(seed=1, order="ACGTN"):
    """A linear model and its weights (length, 5) in the order A C G T N."""
    tokens = keras.Input((LENGTH,), dtype="uint8")
    model = keras.Model(tokens, layers.Dense(1)(layers.Flatten()(OneHot(order)(tokens))))
    weights = np.random.default_rng(seed).normal(size=(LENGTH, 5)).astype(np.float32)
    channels = ["ACGTN".index(letter) for letter in order]
    model.set_weights([weights[:, channels].reshape(-1, 1), np.zeros(1)])
    return model, weights


def peaked(seed=1):
    """A convolutional model that detects one motif, and the motif's position."""
    keras.utils.set_random_seed(seed)
    tokens = keras.Input((LENGTH,), dtype="uint8")
    x = layers.Conv1D(4, 5, padding="same", name="convolution")(OneHot()(tokens))
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Flatten()(layers.Activation("softplus")(x))
    model = keras.Model(tokens, layers.Dense(1, name="expression")(x))
    random = np.random.default_rng(seed)
    model.set_weights([random.gamma(0.5, 2, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture
def eagerly():
    """Tracing takes most of the time of a test of a large graph."""
    tf = pytest.importorskip("tensorflow")
    yield tf.config.run_functions_eagerly
    tf.config.run_functions_eagerly(False)


@contextlib.contextmanager
def precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def tiny():
    """A model over both strands with the layers of CRMnet."""
    keras.utils.set_random_seed(1)
    tokens = keras.Input((LENGTH,), dtype="uint8")
    x = SqueezeExcitation()(layers.Conv1D(4, 3)(OneHot()(tokens)))
    x = layers.Flatten()(SelfAttention(2, 2)(x))
    return both_strands(keras.Model(tokens, expression_head(x)))


def predicted(model, tokens):
    return keras.ops.convert_to_numpy(model(tokens, training=False))[:, 0]


@pytest.mark.parametrize("order", ["ACGTN", "NACGT", "TNGCA"])
def test_the_gradient_of_a_linear_model_is_its_weights(order):
    model, weights = linear(order=order)
    tokens = random_tokens(1, 3)
    found = gradients(model, tokens)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.tile(weights[:, :4], (3, 1, 1)), rtol=1e-6)
    expected = weights[np.arange(LENGTH), tokens] * (tokens != N)
    np.testing.assert_allclose(masked(found, tokens), expected, rtol=1e-6)


def test_over_both_strands_it_is_the_total_derivative():
    model, weights = linear()
    # Position i of the given strand is position length - 1 - i of the other, its letter's
    # complement there: A C G T to T G C A.
    expected = (weights[:, :4] + weights[::-1, 3::-1]) / 2
    found = gradients(both_strands(model), random_tokens(2, 3))
    np.testing.assert_allclose(found, np.tile(expected, (3, 1, 1)), rtol=1e-5, atol=1e-6)


def test_finite_differences_agree(eagerly):
    eagerly(True)
    model = crmnet(**SMALL | {"flavour": "released"})
    random = np.random.default_rng(1)
    model.set_weights([abs(random.normal(0.1, 0.2, w.shape)) for w in model.get_weights()])
    with precision("float64"):
        exact = crmnet(**SMALL | {"flavour": "released"})
    exact.set_weights(model.get_weights())
    tokens = random_tokens(1, 1, 16)
    order = ["ACGTN".index(letter) for letter in model.get_layer("one_hot").order]
    # The head is float32: it is left to numpy here.
    body = keras.Model(exact.get_layer("one_hot").output, exact.layers[-2].output)
    kernel, bias = model.layers[-1].get_weights()
    h = 1e-6
    steps = np.zeros((64, 16, 5))
    steps[np.arange(64), np.arange(64) // 4, np.arange(64) % 4] = h

    def expression(bases):
        return (np.asarray(body(bases[..., order]), float) @ kernel + bias)[:, 0]

    bases = one_hot(tokens).astype(float)
    expected = (expression(bases + steps) - expression(bases - steps)) / (2 * h)
    found = gradients(model, tokens)[0].ravel()
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def derivative(model, tokens):
    """The derivative of a model of one strand, from the part after the one-hots of the strands."""
    tf = pytest.importorskip("tensorflow")
    here = [layer.output for layer in model.layers if isinstance(layer, OneHot)]
    behind = keras.Model(here, model.output)
    strands = [tokens, reverse_complement(tokens)][: len(here)]
    bases = [tf.constant(one_hot(strand)) for strand in strands]
    with tf.GradientTape() as tape:
        tape.watch(bases)
        expression = behind(bases, training=False)
    found = [gradient.numpy()[..., :4] for gradient in tape.gradient(expression, bases)]
    return found[0] + (found[1][:, ::-1, ::-1] if len(found) > 1 else 0)


@pytest.mark.parametrize("name", [n for n in registry.names() if n != "crmnet"])
def test_every_architecture_has_gradients(name, eagerly):
    eagerly(name not in ("danq", "deepsea"))
    keras.utils.set_random_seed(5)
    model = registry.builder(name)(32, width=8)
    tokens = random_tokens(4, 3, 32)
    prediction, found = Gradients(model)(tokens)
    np.testing.assert_allclose(prediction, predicted(model, tokens), rtol=1e-5, atol=1e-6)
    expected = derivative(model, tokens)
    assert (np.abs(expected).max(axis=(1, 2)) > 0).all()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_a_nested_model_of_both_strands_has_the_total_derivative(eagerly):
    eagerly(True)
    keras.utils.set_random_seed(5)
    model = registry.builder("cnn")(32, width=8)
    tokens = random_tokens(5, 3, 32)
    prediction, found = Gradients(both_strands(model))(tokens)
    turned = reverse_complement(tokens)
    mean = (predicted(model, tokens) + predicted(model, turned)) / 2
    np.testing.assert_allclose(prediction, mean, rtol=1e-5)
    expected = (derivative(model, tokens) + derivative(model, turned)[:, ::-1, ::-1]) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_gradients_are_float32_whatever_the_precision(policy):
    with precision(policy):
        model = tiny()
        # Gradients too small for half floats.
        model.set_weights([weight * 0.02 for weight in model.get_weights()])
        found = gradients(model, random_tokens(6, 4))
    assert policy in {layer.dtype_policy.name for layer in model._flatten_layers()}
    reference = tiny()
    reference.set_weights(model.get_weights())
    expected = gradients(reference, random_tokens(6, 4))
    assert 0 < np.abs(expected).max() < 1e-8
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_partial_batches_and_no_sequences():
    model, tokens = peaked(), random_tokens(7, 9)
    evaluate, expression = Gradients(model), predicted(model, tokens)
    expected = np.concatenate([evaluate(tokens[at : at + 1])[1] for at in range(9)])
    for n in (0, 1, 5, 8, 9):
        prediction, found = evaluate(tokens[:n], batch=4)
        assert found.shape == (n, LENGTH, 4)
        assert prediction.shape == (n,)
        np.testing.assert_allclose(found, expected[:n], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(prediction, expression[:n], rtol=1e-5)


def test_weights_are_shared_and_the_model_stays_as_it_is(tmp_path):
    model, tokens = both_strands(peaked()), random_tokens(8, 4)
    weights, config = model.get_weights(), json.dumps(model.get_config(), default=str)
    copy = from_one_hot(model)
    assert {id(v) for v in copy.variables} == {id(v) for v in model.variables}
    evaluate = Gradients(model)
    before = evaluate(tokens)[1]
    assert json.dumps(model.get_config(), default=str) == config
    assert all(map(np.array_equal, model.get_weights(), weights))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(predicted(loaded, tokens), predicted(model, tokens), rtol=1e-6)
    # What was compiled sees new weights.
    kernel, bias = model.layers[-2].get_layer("expression").get_weights()
    model.layers[-2].get_layer("expression").set_weights([2 * kernel, bias])
    np.testing.assert_allclose(evaluate(tokens)[1], 2 * before, rtol=1e-5)


def test_a_model_without_one_hot_is_refused():
    tokens = keras.Input((8,), dtype="uint8")
    model = keras.Model(tokens, layers.Dense(1)(layers.Flatten()(layers.Embedding(5, 2)(tokens))))
    with pytest.raises(ValueError, match="the model .* has no OneHot layer"):
        gradients(model, random_tokens(1, 1, 8))


def test_progress_is_told(monkeypatch, capsys):
    monkeypatch.setattr(logs, "PROGRESS_SECONDS", -1.0)
    gradients(linear()[0], random_tokens(1, 6), batch=4)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("4 of 6 sequences, ")
    assert last.endswith(", 0 s left")


INSERTS = ["ACGTACGTACGT", "CCGATNAC", "AAAAAAAAAAAAAA", "GATTACA"]
SEQUENCES = [
    f"TGCA{INSERTS[0]}GGTT",
    f"TGCA{INSERTS[1]}GGTT",
    # Without flanks; and with one that is not there letter for letter.
    INSERTS[2],
    f"{INSERTS[3]}GGTT",
]


def test_maps_are_those_of_the_inserts():
    model, weights = linear()
    tokens = encode(SEQUENCES, LENGTH)
    maps = insert_saliency(model, tokens, np.arange(4.0), CONSTRUCT)
    assert [letters(row) for row in maps.tokens] == INSERTS
    assert maps.start.tolist() == [4, 4, 0, 0]
    assert maps.tokens.shape == (4, 14)
    assert maps.row.tolist() == [0, 1, 2, 3]
    assert maps.measured.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(maps.prediction, predicted(model, tokens), rtol=1e-5)
    for start, insert, gradient in zip(maps.start, INSERTS, maps.gradient, strict=True):
        end = len(insert)
        np.testing.assert_allclose(gradient[:end], weights[start : start + end, :4], rtol=1e-6)
        assert not gradient[end:].any()
    found = masked(maps.gradient, maps.tokens)
    assert found[1, INSERTS[1].index("N")] == 0
    assert (found[maps.tokens != N] != 0).all()
    assert same_inserts(maps, tokens)
    assert not same_inserts(maps, tokens[:3])
    assert not same_inserts(maps, tokens[[1, 0, 2, 3]])


def test_an_insert_up_to_the_end_of_the_input():
    tokens = random_tokens(9, 2, unknown=False)
    tokens[1, 10:] = N
    maps = insert_saliency(linear()[0], tokens, np.zeros(2), CONSTRUCT)
    assert maps.tokens.tolist() == tokens.tolist()
    values = np.arange(12).reshape(2, 6)
    assert window(values, np.array([4, 1]), 3).tolist() == [[4, 5, 5], [7, 8, 9]]


@pytest.mark.parametrize(
    ("sequences", "length", "said"),
    [
        (["TGCAACGTGGTT", "TGCAGGTT"], LENGTH, r"1 sequence\(s\) have no insert.*row 1"),
        (["ACGT"], LENGTH + 8, "reads 24 tokens, but the sequences have 32"),
        ([], LENGTH, "no sequence"),
    ],
)
def test_sequences_without_a_map(sequences, length, said):
    tokens = encode(sequences, length) if sequences else np.empty((0, length), np.uint8)
    with pytest.raises(ValueError, match=said):
        insert_saliency(linear()[0], tokens, np.zeros(len(tokens)), CONSTRUCT)


def test_a_gradient_that_is_not_finite_is_refused():
    model, weights = linear()
    weights[3] = np.nan
    model.set_weights([weights.reshape(-1, 1), np.zeros(1)])
    with pytest.raises(ValueError, match="map of 1 sequence.* not finite.*row 0"):
        insert_saliency(model, encode(SEQUENCES[:1], LENGTH), np.zeros(1), CONSTRUCT)


def some_maps(n=6, width=9):
    random = np.random.default_rng(1)
    return Maps(
        row=np.arange(n) * 2,
        tokens=random_tokens(1, n, width),
        gradient=random.normal(size=(n, width, 4)).astype(np.float32),
        prediction=random.random(n).astype(np.float32),
        measured=random.random(n).astype(np.float32),
        start=random.integers(0, 5, n),
    )


def test_the_file_gives_back_the_maps_and_is_the_same_each_time(tmp_path):
    maps = some_maps()
    save(tmp_path / "one.npz", maps)
    save(tmp_path / "two.npz", maps)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    loaded = load(tmp_path / "one.npz")
    for name, array in vars(maps).items():
        assert getattr(loaded, name).dtype == array.dtype
        np.testing.assert_array_equal(getattr(loaded, name), array)
    picked = loaded.of([8, 0])
    assert picked.row.tolist() == [8, 0]
    np.testing.assert_array_equal(picked.gradient, maps.gradient[[4, 0]])
    with pytest.raises(ValueError, match=r"row 3 \(from 0\) of the test table has no saliency map"):
        loaded.of([0, 3])


def corrupt(whole):
    middle = len(whole) // 2
    return whole[:middle] + bytes(100) + whole[middle + 100 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:500]),
        lambda path: path.write_bytes(corrupt(path.read_bytes())),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("no archive"),
        lambda path: np.save(path.open("wb"), np.arange(3)),
        lambda path: np.savez(path, row=np.arange(3)),
        lambda path: np.savez(path, **vars(some_maps()) | {"start": np.array(17)}),
        lambda path: np.savez(path, **vars(some_maps()) | {"tokens": np.arange(3)}),
    ],
    ids=["truncated", "corrupt", "empty", "text", "an array", "arrays lack", "one start", "flat"],
)
def test_a_damaged_file_is_named(tmp_path, damage):
    save(tmp_path / "maps.npz", some_maps())
    damage(tmp_path / "maps.npz")
    with pytest.raises(ValueError, match="maps.npz: is not a complete file of saliency maps"):
        load(tmp_path / "maps.npz")


def test_a_wrong_byte_is_never_a_wrong_map(tmp_path):
    path, random = tmp_path / "maps.npz", np.random.default_rng(5)
    save(path, some_maps())
    content = path.read_bytes()
    # Anywhere, and above all in the list of the arrays at its end.
    for place in [*random.integers(0, len(content), 300), *range(len(content) - 400, len(content))]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        try:
            found = load(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: is not a complete file of saliency maps")
        else:
            for name, array in vars(some_maps()).items():
                np.testing.assert_array_equal(getattr(found, name), array)


def test_maps_need_no_framework():
    """Figures read maps in an environment without Keras."""
    script = "import sys; sys.modules['keras'] = sys.modules['tensorflow'] = None; "
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    subprocess.run(
        [sys.executable, "-c", script + "import crmnet.interpretation.maps"],
        env=environment,
        check=True,
    )


def test_stages_go_down_from_the_output():
    model = crmnet(**SMALL)
    found = weighted_layers(both_strands(model))
    assert [layer.name for layer in found] == [layer.name for layer in weighted_layers(model)]
    lowest = {stage: found[depth - 1].name for stage, depth in stages(model).items() if depth}
    assert lowest == {
        "head": "expression",
        "dense": "mlp_1",
        "upper": "decoder_1_up",
        "middle": "transformer_1_attention",
        "all": "encoder_1_conv_a",
    }
    assert {id(w) for layer in found for w in layer.weights} == {id(w) for w in model.weights}
    depth = stages(model)["middle"]
    above, below = (
        {layer.name.split("_")[0] for layer in part} for part in (found[:depth], found[depth:])
    )
    assert above == {"expression", "mlp", "se", "decoder", "transformer"}
    assert below == {"encoder"}
    # No layer stands above one that reads it.
    place = {layer.name: number for number, layer in enumerate(reversed(model.layers))}
    for layer in model.layers[1:]:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        for tensor in inputs:
            source = tensor._keras_history.operation.name
            assert place.get(source, len(place)) > place[layer.name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("danq", {"none": 0, "head": 1, "dense": 2, "middle": 3, "all": 4}),
        ("deepsea", {"none": 0, "head": 1, "dense": 2, "middle": 3, "all": 5}),
        ("cnn", {"none": 0, "head": 1, "dense": 3, "middle": 6, "all": 9}),
        ("legnet", {"none": 0, "head": 1, "middle": 44, "all": 87}),
    ],
)
def test_stages_of_other_architectures(name, expected):
    with keras.StatelessScope():  # shapes alone
        assert stages(registry.builder(name)(32, width=8)) == expected


@pytest.fixture(scope="module")
def checked():
    """A model of one motif, its maps, and their sanity check."""
    model = peaked()
    tokens = random_tokens(11, 60, unknown=False)
    tokens[:, 20:] = N
    maps = insert_saliency(model, tokens, np.zeros(60), CONSTRUCT)
    before = model.get_weights()
    table = cascade(model, tokens, maps, seed=3, draws=6)
    assert all(map(np.array_equal, model.get_weights(), before))
    return model, tokens, maps, table


def test_randomised_weights_destroy_maps_of_a_model_that_knows(checked):
    *_, table = checked
    assert list(table.columns) == COLUMNS
    assert table["stage"].tolist() == ["none", *["head"] * 6, *["middle"] * 6, *["all"] * 6]
    assert table["layers"].unique().tolist() == [0, 1, 2, 3]
    assert table["down_to"].unique().tolist() == ["", "expression", "norm", "convolution"]
    assert (table["n"] == 60).all()
    none = table.iloc[0]
    assert none["signed"] == pytest.approx(1)
    assert none["absolute"] == pytest.approx(1)
    whole = table[table["stage"] == "all"]
    assert whole["draw"].tolist() == list(range(6))
    assert abs(whole["signed"].mean()) < 0.2
    assert abs(whole["absolute"].mean()) < 0.2
    # Draws differ.
    assert whole["signed"].nunique() == 6
    for kind in ("signed", "absolute"):
        assert (table[f"{kind}_low"] <= table[kind]).all()
        assert (table[kind] <= table[f"{kind}_high"]).all()


def test_the_check_is_the_same_for_the_same_seed_alone(checked):
    model, tokens, maps, table = checked
    again = cascade(model, tokens, maps, seed=3, draws=1)
    pd.testing.assert_frame_equal(
        again.reset_index(drop=True), table[table["draw"] == 0].reset_index(drop=True)
    )
    other = cascade(model, tokens, maps, seed=4, draws=1)
    assert not np.isclose(other["signed"].iloc[1:], again["signed"].iloc[1:]).any()


def test_intervals_are_of_the_mean(checked):
    model, tokens, maps, table = checked
    row = table[(table["stage"] == "head") & (table["draw"] == 0)].iloc[0]
    fresh = saliency._drawn(model, 3, 0)
    before = model.get_weights()
    head = model.get_layer("expression")
    head.set_weights([fresh[id(weight)] for weight in head.weights])
    changed = insert_saliency(model, tokens, np.zeros(60), CONSTRUCT)
    model.set_weights(before)
    each = [
        scipy.stats.spearmanr(
            masked(maps.gradient, maps.tokens)[i, :20],
            masked(changed.gradient, maps.tokens)[i, :20],
        ).statistic
        for i in range(60)
    ]
    assert row["signed"] == pytest.approx(np.mean(each))
    half = 1.959964 * np.std(each, ddof=1) / np.sqrt(60)
    assert row["signed_high"] - row["signed"] == pytest.approx(half)


def test_drawn_weights_are_those_of_a_new_model():
    model = both_strands(peaked())
    drawn = saliency._drawn(model, 1, 0)
    inner = model.layers[-2]
    gamma, beta, mean, variance = (drawn[id(w)] for w in inner.get_layer("norm").weights)
    assert (gamma == 1).all() and (beta == 0).all()
    assert (mean == 0).all() and (variance == 1).all()
    kernel = drawn[id(inner.get_layer("convolution").kernel)]
    # Uniform within sqrt(6 / (5 letters x 5 positions + 4 filters x 5)), Glorot and Bengio 2010.
    assert 0.8 < np.abs(kernel).max() / np.sqrt(6 / 45) <= 1


def test_an_interrupted_check_leaves_the_weights(checked, monkeypatch):
    model, tokens, maps, _ = checked
    before = model.get_weights()
    calls = []

    def fails(*arguments):
        calls.append(arguments)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return rank_correlations(*arguments)

    monkeypatch.setattr(saliency, "rank_correlations", fails)
    with pytest.raises(KeyboardInterrupt):
        cascade(model, tokens, maps, seed=1)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_a_map_that_is_constant_does_not_count(checked):
    model, tokens, maps, _ = checked
    gradient = maps.gradient.copy()
    gradient[:5] = 0
    flat = Maps(**vars(maps) | {"gradient": gradient})
    table = cascade(model, tokens, flat, seed=1, draws=0)
    assert (table["n"] == 55).all()
    assert table["signed"].iloc[0] == pytest.approx(1)
    nothing = Maps(**vars(maps) | {"gradient": np.zeros_like(gradient)})
    table = cascade(model, tokens, nothing, seed=1, draws=0)
    assert (table["n"] == 0).all()
    assert table["signed"].isna().all()


class Files(dict):
    """Files that a script names by attribute, by key, or as the only one."""

    def __getitem__(self, key):
        return next(iter(self.values())) if key == 0 else super().__getitem__(key)

    def __getattr__(self, name):
        return self[name]


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Files and parameters of both scripts."""
    monkeypatch.setattr(devices, "setup", lambda **given: None)
    model = peaked()
    model.save(tmp_path / "model.keras")
    inserts = [letters(row) for row in random_tokens(12, 20, 12, unknown=False)]
    table = pd.DataFrame({"s": [f"TGCA{insert}GGTT" for insert in inserts], "y": range(20)})
    table.to_csv(tmp_path / "test.csv", index=False)
    columns = {"sequence": "s", "expression": "y"}
    entry = {"path": str(tmp_path / "test.csv"), "columns": columns, "header": True}
    params = {"construct": vars(CONSTRUCT), "hardware": {}, "seed": 1}

    def run(script, outputs, **given):
        files = {name: tmp_path / file for name, file in outputs.items()}
        inputs = {"model": tmp_path / "model.keras", "test": entry["path"]}
        inputs |= given.pop("inputs", {})
        job = SimpleNamespace(
            input=Files(inputs),
            output=Files(files),
            params=SimpleNamespace(test={"native": entry}, **params, **given),
            wildcards=SimpleNamespace(medium="complex"),
            threads=1,
            log=[tmp_path / "log"],
        )
        runpy.run_path(str(SCRIPTS / script), init_globals={"snakemake": job})
        return files

    return SimpleNamespace(run=run, model=model, inserts=inserts, table=table, folder=tmp_path)


MAPS = {"gradient": "maps.npz", "mutagenesis": "mutagenesis.npz"}


def make_maps(job):
    return job.run("saliency.py", MAPS, maps=["mutagenesis"], sequences=10)


def check_maps(job, files):
    numbers = {"gradient": 15, "mutagenesis": 4}
    made = job.run("sanity.py", {"": "sanity.tsv"}, inputs=files, sequences=numbers)
    return pd.read_csv(made[""], sep="\t")


def test_the_scripts(job, capsys):
    files = make_maps(job)
    maps = load(files["gradient"])
    assert [letters(row) for row in maps.tokens] == job.inserts
    assert maps.measured.tolist() == list(range(20))
    tokens = encode(job.table["s"], LENGTH)
    np.testing.assert_allclose(
        masked(maps.gradient, maps.tokens),
        masked(gradients(job.model, tokens), tokens)[:, 4:16],
        rtol=1e-4,
        atol=1e-6,
    )
    assert "native: gradient of 20 inserts of up to 12 bases" in capsys.readouterr().err
    # The second map is of some sequences, in the order of the table.
    some = load(files["mutagenesis"])
    assert len(some) == 10 and (np.diff(some.row) > 0).all()
    np.testing.assert_array_equal(some.tokens, maps.of(some.row).tokens)
    np.testing.assert_array_equal(some.measured, some.row)
    mutant = tokens[some.row[:1]].copy()
    mutant[0, 4] = (mutant[0, 4] + 1) % 4
    change = predicted(job.model, mutant) - some.prediction[0]
    found = some.gradient[0, 0, mutant[0, 4]] - some.gradient[0, 0, some.tokens[0, 0]]
    assert found == pytest.approx(change[0], rel=1e-3, abs=1e-5)
    once = [path.read_bytes() for path in files.values()]
    assert [path.read_bytes() for path in make_maps(job).values()] == once

    table = check_maps(job, files)
    assert list(table.columns) == [*COLUMNS, "map"]
    assert len(table) == 2 * (1 + 3 * 5)
    for kind, number in (("gradient", 15), ("mutagenesis", 4)):
        rows = table[table["map"] == kind]
        assert (rows["n"] == number).all()
        assert rows["signed"].iloc[0] == pytest.approx(1)


def test_the_scripts_refuse_maps_and_tables_that_do_not_match(job):
    files = make_maps(job)
    job.table.iloc[::-1].to_csv(job.folder / "test.csv", index=False)
    with pytest.raises(ValueError, match="maps.npz and .*test.csv are not of the same sequences"):
        check_maps(job, files)
    job.table.assign(s="TGCAGGTT").to_csv(job.folder / "test.csv", index=False)
    with pytest.raises(ValueError, match="model.keras on .*test.csv: 20 sequence.* no insert"):
        make_maps(job)


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_gradients_are_the_same_on_jax(tmp_path):
    model, tokens = tiny(), random_tokens(13, 5)
    model.save(tmp_path / "model.keras")
    found = on_jax(
        "import crmnet.models.architectures.crmnet\n"
        "from crmnet.interpretation.saliency import Gradients\n"
        "model = keras.saving.load_model(arguments[0])\n"
        "tokens = numpy.array(arguments[1], 'uint8')\n"
        "evaluate = Gradients(model)\n"
        "found = evaluate(tokens, batch=4)\n"
        "model.set_weights([2 * weight for weight in model.get_weights()])\n"
        "found += evaluate(tokens, batch=4)\n"
        "print(json.dumps([each.tolist() for each in found]))",
        str(tmp_path / "model.keras"),
        tokens.tolist(),
    )
    evaluate = Gradients(model)
    expected = evaluate(tokens)
    # What was compiled sees new weights.
    model.set_weights([2 * weight for weight in model.get_weights()])
    expected += evaluate(tokens)
    for ours, theirs in zip(expected, found, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-4 * np.abs(ours).max())
