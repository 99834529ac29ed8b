"""Backends and devices, in processes of their own: their settings hold for a whole process."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from crmnet import devices

SETTINGS = {"device": "cpu", "precision": "float32", "threads": 2, "seed": 7}
# Trains and predicts on all of `hardware`: fewer rows than devices, and rows that do not divide.
TRAIN = """
from pathlib import Path
from crmnet.layers import OneHot
from crmnet.training import Recipe, compile_model, predict, train

recipe = Recipe(3, 4, 1, 1e-3, 1e-2, 1e-3, 5, 2, 1)
with hardware.scope():
    inputs = keras.Input((8,), dtype="uint8")
    x = keras.layers.Conv1D(8, 3, activation="relu")(OneHot()(inputs))
    x = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization()(x))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    compile_model(model, recipe, hardware.kind)
batch = recipe.batch_size * hardware.count
tokens = numpy.random.default_rng(1).integers(0, 5, (batch, 8)).astype("uint8")
expression = (tokens == 0).sum(axis=1).astype("float32")
whole = predict(model, tokens)
found["gaps"] = [float(abs(predict(model, tokens[:n]) - whole[:n]).max()) for n in (1, 2, 5)]
history = train(
    model, model, recipe, lambda epoch: ((tokens, expression) for _ in range(5)), 5,
    validation=(tokens, expression),
    devices=hardware.count, checkpoint=Path(sys.argv[1], "checkpoint"), belongs_to="",
)
found["losses"] = history["loss"].tolist()
print(json.dumps(found))
"""
TENSORFLOW = """
import json, sys
from crmnet.devices import Devices, setup

found = {"frameworks": [name for name in ("keras", "tensorflow", "jax") if name in sys.modules]}
settings = {"backend": "tensorflow", "precision": "mixed_bfloat16", "threads": 3, "seed": 7}
try:
    setup(device="gpu", **settings)
except RuntimeError as error:
    found["error"] = str(error)

import keras, numpy, tensorflow as tf

cpus = [tf.config.LogicalDeviceConfiguration()] * 3
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], cpus)

def drawn():
    return numpy.asarray(keras.random.normal((4,))).tolist()

for name in ("auto", "cpu"):
    hardware = setup(device=name, **settings)
    found[name] = [hardware.count, hardware.kind, hardware.backend]
found["draws"] = [drawn(), drawn()]
setup(device="cpu", **settings)
found["again"] = drawn()
found["backend"] = keras.backend.backend()
found["precision"] = keras.config.dtype_policy().name
found["threads"] = tf.config.threading.get_intra_op_parallelism_threads()

keras.config.set_dtype_policy("float32")
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1", "CPU:2"])
hardware = Devices(3, "cpu", "tensorflow", strategy.scope)
"""
JAX = """
import json, sys
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
"""


def run(script, folder, **environment):
    process = subprocess.run(
        [sys.executable, "-c", script + TRAIN, str(folder)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(process.stdout)


@pytest.fixture(scope="module")
def tensorflow(tmp_path_factory):
    return run(TENSORFLOW, tmp_path_factory.mktemp("tensorflow"), CUDA_VISIBLE_DEVICES="")


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


def test_several_devices_train_and_predict_any_number_of_rows(tensorflow):
    assert max(tensorflow["gaps"]) < 1e-6
    assert tensorflow["losses"][2] < tensorflow["losses"][0]


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_several_devices_train_and_predict_any_number_of_rows_on_jax(tmp_path):
    flags = "--xla_force_host_platform_device_count=3"
    found = run(JAX, tmp_path, XLA_FLAGS=flags, JAX_PLATFORMS="cpu")
    assert "jax sees none" in found["error"]
    assert found["cpu"] == [3, "cpu", "jax"]
    assert max(found["gaps"]) < 1e-6
    assert found["losses"][2] < found["losses"][0]


@pytest.mark.parametrize("backend", ["torch", "Jax", ""])
def test_other_backends_are_refused(backend):
    with pytest.raises(ValueError, match='"tensorflow" or "jax"'):
        devices.setup(backend=backend, **SETTINGS)
