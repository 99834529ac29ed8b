"""Prediction: each row is independent of its batch, and sequences can be given as text."""

import keras
import numpy as np
import pytest
from keras import layers

from crmnet.data.sequences import encode
from crmnet.models.layers import OneHot
from crmnet.training.prediction import predict, predict_sequences

LENGTH = 12


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    tokens = keras.Input((LENGTH,), dtype="uint8")
    return keras.Model(tokens, layers.Dense(1)(layers.Flatten()(OneHot()(tokens))))


def expected(model, tokens):
    return keras.ops.convert_to_numpy(model(tokens, training=False))[:, 0]


@pytest.mark.parametrize("n", [0, 1, 5, 16, 17])
def test_each_row_has_the_model_s_output(model, n):
    tokens = np.random.default_rng(7).integers(0, 5, (n, LENGTH)).astype(np.uint8)
    predicted = predict(model, tokens, batch=16)
    assert predicted.shape == (n,)
    if n:
        np.testing.assert_allclose(predicted, expected(model, tokens), rtol=1e-5, atol=1e-6)


def test_sequences_are_read_as_in_training(model):
    """Upper and lower case are equal, N around sequences is removed, shorter ones are padded with
    N."""
    sequences = ["ACGTACGTACGT", "NNacgtNN", "TTTT"]
    tokens = encode(["ACGTACGTACGT", "ACGT", "TTTT"], LENGTH)
    predicted = predict_sequences(model, sequences)
    np.testing.assert_allclose(predicted, expected(model, tokens), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("sequence", "problem"),
    [("A" * 13, "sequence 2 has 13 letters, but the model reads only 12"), ("ACXT", "letter 'X'")],
)
def test_a_sequence_that_the_model_cannot_read_is_refused(model, sequence, problem):
    with pytest.raises(ValueError, match=problem):
        predict_sequences(model, ["ACGT", sequence])
