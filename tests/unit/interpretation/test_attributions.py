"""Maps of the contributions of bases: known answers of linear models, completeness, and
mutagenesis compared with a plain loop."""

from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from keras import layers

from crmnet.data.sequences import Construct, N, one_hot
from crmnet.interpretation.attributions import METHODS, STEPS
from crmnet.interpretation.maps import masked
from crmnet.interpretation.saliency import Gradients, from_one_hot, insert_saliency
from crmnet.models.layers import OneHot
from crmnet.models.means import both_strands
from crmnet.plan import MAPS

ROOT = Path(__file__).parents[3]
LENGTH, LEFT, WIDTH = 20, 4, 12
CONSTRUCT = Construct(left_flank="TGCA", right_flank="GGT", insert_length=WIDTH, length=LENGTH)


def constructs(number, seed=1):
    """Tokens of constructs whose second insert is shorter than the others and has an N."""
    tokens = np.full((number, LENGTH), N, np.uint8)
    inserts = np.random.default_rng(seed).integers(0, 4, (number, WIDTH))
    for row, insert in enumerate(inserts):
        insert = insert[: WIDTH - 2 * (row == 1)]
        whole = [3, 2, 1, 0, *insert, 2, 2, 3]
        tokens[row, : len(whole)] = whole
    tokens[1, LEFT + 5] = N
    return tokens


def linear():
    tokens = keras.Input((LENGTH,), dtype="uint8")
    model = keras.Model(tokens, layers.Dense(1)(layers.Flatten()(OneHot()(tokens))))
    weights = np.random.default_rng(2).normal(size=(LENGTH, 5)).astype(np.float32)
    model.set_weights([weights.reshape(-1, 1), np.ones(1)])
    return model, weights[:, :4]


def curved():
    """A model in which positions interact."""
    keras.utils.set_random_seed(3)
    tokens = keras.Input((LENGTH,), dtype="uint8")
    x = layers.Conv1D(6, 5, activation="gelu")(OneHot()(tokens))
    x = layers.Dense(4, activation="tanh")(layers.Flatten()(x))
    return both_strands(keras.Model(tokens, layers.Dense(1)(x)))


def predicted(model, bases):
    return np.asarray(model(bases, training=False))[:, 0]


def maps_of(method, model, tokens):
    attribute = METHODS[method](Gradients(model), CONSTRUCT)
    return insert_saliency(model, tokens, np.zeros(len(tokens)), CONSTRUCT, attribute)


def test_the_config_knows_every_map():
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
    method = schema["properties"]["motifs"]["properties"]["map"]["properties"]["method"]
    assert list(METHODS) == list(MAPS) == method["enum"]


@pytest.mark.parametrize("method", METHODS)
def test_every_map_of_a_linear_model_is_its_weights_minus_their_mean(method):
    model, weights = linear()
    tokens = constructs(3)
    found = maps_of(method, model, tokens)
    weights = (weights - weights.mean(axis=1, keepdims=True))[LEFT : LEFT + WIDTH]
    known = found.tokens != N
    assert known.sum(axis=1).tolist() == [12, 9, 12]
    expected = np.tile(weights, (3, 1, 1))
    np.testing.assert_allclose(found.gradient[known], expected[known], atol=2e-6)
    # Nothing outside an insert.
    assert (found.gradient[1, WIDTH - 2 :] == 0).all()
    np.testing.assert_allclose(found.prediction, predicted(model, tokens), rtol=1e-5)


def test_integrated_gradients_sum_to_the_difference_from_the_baseline():
    model, tokens = curved(), constructs(5)
    found = maps_of("integrated", model, tokens)
    bases = one_hot(tokens)
    for row in range(5):
        inside = slice(LEFT, LEFT + (found.tokens[row] != N).nonzero()[0].max() + 1)
        known = tokens[row, inside] != N
        bases[row, inside][known] = [0.25, 0.25, 0.25, 0.25, 0]
    difference = found.prediction - predicted(from_one_hot(model), bases)
    sums = masked(found.gradient, found.tokens).sum(axis=1)
    # The error of the midpoint rule.
    assert np.abs(difference).min() > 10 / STEPS**3
    np.testing.assert_allclose(sums, difference, atol=1 / STEPS**2 * np.abs(difference).max())


def test_mutagenesis_is_a_plain_loop():
    model, tokens = curved(), constructs(4)
    found = maps_of("mutagenesis", model, tokens)
    values = masked(found.gradient, found.tokens)
    for row, position in zip(*np.nonzero(found.tokens != N), strict=True):
        mutants = np.tile(tokens[row], (4, 1))
        mutants[:, LEFT + position] = range(4)
        each = predicted(model, mutants)
        np.testing.assert_allclose(found.gradient[row, position], each - each.mean(), atol=1e-6)
        others = np.delete(each, found.tokens[row, position])
        change = found.prediction[row] - others.mean()
        assert values[row, position] == pytest.approx(0.75 * change, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_sequence_has_the_same_map_in_any_call(method):
    model, tokens = curved(), constructs(3)
    attribute = METHODS[method](Gradients(model), CONSTRUCT)
    _, first = attribute(tokens)
    _, again = attribute(tokens[1:])
    np.testing.assert_allclose(again, first[1:], atol=1e-6)
    assert len(attribute(tokens[:0])[1]) == 0


def test_smoothgrad_is_not_the_gradient():
    model, tokens = curved(), constructs(3)
    smooth, corrected = (maps_of(name, model, tokens).gradient for name in ("smooth", "corrected"))
    assert np.abs(smooth - corrected).max() > 1e-4
