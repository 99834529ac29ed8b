"""Backends and devices, in processes of their own: their settings hold for a whole process."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from crmnet import devices

SETTINGS = {"device": "cpu", "precision": "float32", "threads": 2, "seed": 7}
TENSORFLOW = """
import json, sys
from crmnet.devices import setup

found = {"frameworks": [name for name in ("keras", "tensorflow", "jax") if name in sys.modules]}
settings = {"backend": "tensorflow", "precision": "mixed_bfloat16", "threads": 3, "seed": 7}
try:
    setup(device="gpu", **settings)
except RuntimeError as error:
    found["error"] = str(error)

import keras, numpy, tensorflow as tf

def drawn():
    return numpy.asarray(keras.random.normal((4,))).tolist()

for name in ("auto", "cpu"):
    hardware = setup(device=name, **settings)
    found[name] = [hardware.count, hardware.kind, hardware.backend]
with hardware.scope():
    found["draws"] = [drawn(), drawn()]
setup(device="cpu", **settings)
found["again"] = drawn()
found["backend"] = keras.backend.backend()
found["precision"] = keras.config.dtype_policy().name
found["threads"] = tf.config.threading.get_intra_op_parallelism_threads()
print(json.dumps(found))
"""
JAX = """
import json, sys
from pathlib import Path
from crmnet.devices import setup

found = {}
settings = {"backend": "jax", "precision": "float32", "threads": 1, "seed": 7}
try:
    setup(device="gpu", **settings)
except RuntimeError as error:
    found["error"] = str(error)
hardware = setup(device="cpu", **settings)
found["cpu"] = [hardware.count, hardware.kind, hardware.backend]

import keras, numpy
from crmnet.layers import OneHot
from crmnet.training import Recipe, compile_model, predict, train

recipe = Recipe(3, 4, 1, 1e-3, 1e-2, 1e-3, 5, 2, 1)
x = keras.layers.Flatten()(OneHot()(inputs := keras.Input((8,), dtype="uint8")))
model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dropout(0.1)(x)))
compile_model(model, recipe, hardware.kind)
tokens = numpy.random.default_rng(1).integers(0, 5, (12, 8)).astype("uint8")
expression = (tokens == 0).sum(axis=1).astype("float32")
whole = predict(model, tokens)
found["gaps"] = [float(abs(predict(model, tokens[:n]) - whole[:n]).max()) for n in (1, 2, 5)]
history = train(
    model, recipe, lambda epoch: ((tokens, expression) for _ in range(5)), 5, (tokens, expression),
    devices=3, checkpoint=Path(sys.argv[1]), belongs_to="",
)
found["losses"] = history["loss"].tolist()
print(json.dumps(found))
"""


def run(script, *arguments, **environment):
    process = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(process.stdout)


@pytest.fixture(scope="module")
def tensorflow():
    return run(TENSORFLOW, CUDA_VISIBLE_DEVICES="")


def test_frameworks_are_imported_only_when_devices_are_set_up(tensorflow):
    assert tensorflow["frameworks"] == []


def test_a_gpu_that_is_not_there_is_an_error_that_names_the_mend(tensorflow):
    assert "tensorflow sees none" in tensorflow["error"]
    assert "`training: device: cpu`" in tensorflow["error"]


def test_auto_falls_back_to_the_cpu(tensorflow):
    assert tensorflow["auto"] == tensorflow["cpu"] == [1, "cpu", "tensorflow"]


def test_backend_precision_and_threads_are_those_asked_for(tensorflow):
    assert tensorflow["backend"] == "tensorflow"
    assert tensorflow["precision"] == "mixed_bfloat16"
    assert tensorflow["threads"] == 3


def test_the_seed_decides_the_random_numbers(tensorflow):
    first, second = tensorflow["draws"]
    assert first != second
    assert tensorflow["again"] == first


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_jax_trains_and_predicts_any_number_of_rows_on_several_devices(tmp_path):
    # Three: neither rows nor batches of a power of two divide evenly over them.
    flags = "--xla_force_host_platform_device_count=3"
    found = run(JAX, str(tmp_path / "checkpoint"), XLA_FLAGS=flags, JAX_PLATFORMS="cpu")
    assert "jax sees none" in found["error"]
    assert found["cpu"] == [3, "cpu", "jax"]
    assert max(found["gaps"]) < 1e-6
    assert found["losses"][2] < found["losses"][0]


@pytest.mark.parametrize("backend", ["torch", "Jax", ""])
def test_other_backends_are_refused(backend):
    with pytest.raises(ValueError, match='"tensorflow" or "jax"'):
        devices.setup(backend=backend, **SETTINGS)
