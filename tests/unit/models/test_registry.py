"""The registry: an architecture is a file, and nothing else has to know of it."""

import numpy as np
import pytest
import yaml

from crmnet.configuration import SCHEMA
from crmnet.models import architectures, registry

ADDED = """
import keras
from keras import layers

from crmnet.models.layers import OneHot


def added(length: int, *, width: int = 4) -> keras.Model:
    tokens = keras.Input((length,), dtype="uint8")
    x = layers.Flatten()(OneHot()(tokens))
    return keras.Model(tokens, layers.Dense(1)(layers.Dense(width)(x)), name="added")
"""


def test_every_architecture_can_be_named_in_a_config():
    models = yaml.safe_load(SCHEMA.read_text())["properties"]["models"]["additionalProperties"]
    assert sorted(models["properties"]["architecture"]["enum"]) == registry.names()


def test_a_new_architecture_is_a_new_file(tmp_path, monkeypatch):
    known = registry.names()
    (tmp_path / "added.py").write_text(ADDED)
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    monkeypatch.setattr(architectures, "__path__", [str(tmp_path)])
    assert "added" not in known and registry.names() == ["added"]
    model = registry.build("added", 12, width=7)
    assert model.count_params() == 12 * 5 * 7 + 7 + 7 + 1
    assert model.predict_on_batch(np.zeros((2, 12), np.uint8)).shape == (2, 1)


def test_an_architecture_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(ValueError, match="no architecture 'lstm'; there is cnn, crmnet, danq"):
        registry.build("lstm", 112)
