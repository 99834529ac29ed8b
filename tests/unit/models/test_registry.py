"""The registry: to add an architecture is to add a file."""

import numpy as np
import pytest
from configs import config

from crmnet.configuration import ConfigError, checked
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


def test_a_new_architecture_is_a_new_file(tmp_path, monkeypatch):
    known = registry.names()
    (tmp_path / "added.py").write_text(ADDED)
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    monkeypatch.setattr(architectures, "__path__", [str(tmp_path)])
    assert "added" not in known and registry.names() == ["added"]
    model = registry.build("added", 12, width=7)
    assert model.count_params() == 12 * 5 * 7 + 7 + 7 + 1
    assert model.predict_on_batch(np.zeros((2, 12), np.uint8)).shape == (2, 1)


def test_a_config_can_name_the_architectures_that_there_are_and_no_other():
    for name in registry.names():
        model = {"architecture": name, "pretrain": False}
        assert checked(config(models={"mine": model}))["models"]["mine"]["architecture"] == name
    wrong = config(models={"mine": {"architecture": "lstm", "pretrain": False}})
    with pytest.raises(ConfigError, match="models.mine.architecture: must be one of cnn, .*'lstm'"):
        checked(wrong)


def test_an_error_about_an_unknown_architecture_lists_the_known_ones():
    with pytest.raises(ValueError, match="no architecture 'lstm'; choose one of cnn, crmnet, danq"):
        registry.build("lstm", 112)
