"""Backends and devices, in separate processes, because their settings hold for a whole process."""

import functools
import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec

import pytest
from waiting import HANGS

from crmnet.training import devices

needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
SETTINGS = {"device": "cpu", "precision": "float32", "threads": 2, "seed": 7}
# Trains and predicts on all of `hardware`: fewer rows than devices, and rows that do not divide.
TRAIN = """
import threading
from pathlib import Path
from crmnet.training import loop
from crmnet.models.layers import OneHot
from crmnet.training.loop import Recipe, compile_model, train
from crmnet.training.prediction import predict

threads = set()
progress = loop._EpochProgress
progress.on_train_batch_end = lambda *_, **__: threads.add(threading.current_thread())
recipe = Recipe(3, 4, 1, 1e-3, 1e-2, 1e-3, 5, 2, 1)
with hardware.scope():
    inputs = keras.Input((8,), dtype="uint8")
    x = keras.layers.Conv1D(8, 3, activation="relu")(OneHot()(inputs))
    x = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization()(x))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    compile_model(model, recipe, hardware.kind)
many = numpy.random.default_rng(2).integers(0, 5, (2100, 8)).astype("uint8")
found["one by one"] = float(abs(predict(model, many) - numpy.array(model(many))[:, 0]).max())
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
found["waits"] = threading.main_thread() in threads
print(json.dumps(found))
"""
TENSORFLOW = """
import json, sys
from crmnet.training.devices import setup

found = {"frameworks": [name for name in ("keras", "tensorflow", "jax") if name in sys.modules]}
settings = {"backend": "tensorflow", "precision": "mixed_bfloat16", "threads": 3, "seed": 7}
try:
    setup(device="gpu", **settings)
except RuntimeError as error:
    found["error"] = str(error)
found["unused"] = [name for name in ("jax", "matplotlib") if name in sys.modules]

import gc, keras, matplotlib, numpy, tensorflow as tf

found["afterwards"] = [gc.isenabled(), matplotlib.__name__]

cpus = [tf.config.LogicalDeviceConfiguration()] * 3
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], cpus)

def drawn():
    return numpy.asarray(keras.random.normal((4,))).tolist()

for name in ("auto", "cpu"):
    hardware = setup(device=name, count=1, **settings)
    found[name] = [hardware.count, hardware.kind, hardware.backend]
try:
    setup(device="cpu", count=4, **settings)
except RuntimeError as error:
    found["too few"] = str(error)
found["draws"] = [drawn(), drawn()]
setup(device="cpu", **settings)
found["again"] = drawn()
found["backend"] = keras.backend.backend()
found["precision"] = keras.config.dtype_policy().name
found["threads"] = tf.config.threading.get_intra_op_parallelism_threads()

hardware = setup(device="cpu", **settings | {"precision": "float32"})
found["all"] = hardware.count
"""
JAX = """
import json, sys
from crmnet.training.devices import setup

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


def test_frameworks_import_no_large_package_for_functions_that_are_not_called(tensorflow):
    assert tensorflow["unused"] == []
    assert tensorflow["afterwards"] == [True, "matplotlib"]


def test_a_gpu_that_is_not_there_is_an_error_that_says_what_to_do(tensorflow):
    assert "tensorflow sees none" in tensorflow["error"]
    assert "`training: device: cpu`" in tensorflow["error"]


def test_auto_falls_back_to_the_cpu(tensorflow):
    assert tensorflow["auto"] == tensorflow["cpu"] == [1, "cpu", "tensorflow"]


def test_as_many_devices_train_as_are_asked_for_or_else_all(tensorflow):
    assert tensorflow["all"] == 3
    assert "4 devices" in tensorflow["too few"] and "only 3" in tensorflow["too few"]


def test_backend_precision_and_threads_are_those_asked_for(tensorflow):
    assert tensorflow["backend"] == "tensorflow"
    assert tensorflow["precision"] == "mixed_bfloat16"
    assert tensorflow["threads"] == 3


def test_the_seed_decides_the_random_numbers(tensorflow):
    first, second = tensorflow["draws"]
    assert first != second
    assert tensorflow["again"] == first


def test_several_devices_train_and_predict_any_number_of_rows(tensorflow):
    assert max(*tensorflow["gaps"], tensorflow["one by one"]) < 1e-6
    assert tensorflow["losses"][2] < tensorflow["losses"][0]


@pytest.mark.slow
@needs_jax
def test_several_devices_train_and_predict_any_number_of_rows_on_jax(tmp_path):
    flags = "--xla_force_host_platform_device_count=3"
    found = run(JAX, tmp_path, XLA_FLAGS=flags, JAX_PLATFORMS="cpu")
    assert "jax sees none" in found["error"]
    assert found["cpu"] == [3, "cpu", "jax"]
    assert max(*found["gaps"], found["one by one"]) < 1e-6
    assert found["losses"][2] < found["losses"][0]
    # Progress is told without the device's waiting for the host.
    assert found["waits"] is False


# The same batches on any hardware: the batch and rates of one device are divided by their number.
TOGETHER = """
import json, os, sys
from pathlib import Path
from crmnet.training.devices import setup

folder, backend, precision, virtual = sys.argv[1:]
if backend == "tensorflow":
    import tensorflow as tf
    cpus = [tf.config.LogicalDeviceConfiguration()] * int(virtual)
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], cpus)
else:
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=" + virtual
hardware = setup(backend=backend, device="cpu", precision=precision, threads=1, seed=3)
import keras, numpy
from crmnet.models.architectures.crmnet import crmnet
from crmnet.training.loop import Recipe, compile_model, train

n = hardware.count
recipe = Recipe(2, 16 // n, 1, 1e-3 / n, 1e-2 / n, 1e-3 / n, 5, 2, 1, synchronized=True)
with hardware.scope():
    sizes = {"width": 8, "kernel_size": 3, "heads": 2, "transformer_blocks": 1, "dropout": 0.0}
    parts = {"flavour": "paper", "transformer": True, "squeeze_excitation": True}
    model = crmnet(8, **sizes, **parts)
    fitted = compile_model(model, recipe, hardware.kind)
random = numpy.random.default_rng(1)
tokens = random.integers(0, 5, (40, 8)).astype("uint8")
expression = (tokens == 0).sum(axis=1).astype("float32")
part = slice(hardware.host * 16 // hardware.hosts, (hardware.host + 1) * 16 // hardware.hosts)

def batches(epoch):
    order = numpy.random.default_rng(epoch)
    rows = [order.integers(0, 40, 16)[part] for _ in range(4)]
    if backend == "jax":
        return ((tokens[r], expression[r]) for r in rows)
    rows = numpy.concatenate(rows)
    return tf.data.Dataset.from_tensor_slices((tokens[rows], expression[rows])).batch(16, True)

# Every process a checkpoint of its own: only the first may write one.
history = train(
    model, fitted, recipe, batches, 4, (tokens, expression), devices=n,
    checkpoint=Path(folder, f"checkpoint{hardware.host}"), belongs_to="", host=hardware.host,
)
losses = history["loss"].tolist() + history["validation_rmse"].tolist()
print(json.dumps({"devices": n, "hosts": hardware.hosts, "losses": losses}))
"""


def together(folder, backend, *, virtual=1, precision="float32", processes=1):
    """The results of processes that train on virtual devices of one CPU."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    if processes > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            environment[devices.ADDRESS] = f"127.0.0.1:{free.getsockname()[1]}"
        environment[devices.HOSTS] = str(processes)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, str(folder), backend, precision, str(virtual)],
            env=environment | ({devices.HOST: str(host)} if processes > 1 else {}),
            stdout=subprocess.PIPE,
            text=True,
        )
        for host in range(processes)
    ]
    said = [process.communicate(timeout=HANGS)[0] for process in started]
    assert [process.returncode for process in started] == [0] * processes
    return [json.loads(text.splitlines()[-1]) for text in said]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Backend -> the training on one device, in single precision."""

    @functools.cache
    def trained(backend):
        return together(tmp_path_factory.mktemp("alone"), backend)[0]

    return trained


@pytest.mark.slow
@needs_jax
def test_devices_and_hosts_train_as_one_device_does_on_jax(tmp_path, alone):
    (eight,) = together(tmp_path / "eight", "jax", virtual=8)
    hosts = together(tmp_path / "hosts", "jax", virtual=2, processes=2)
    assert [alone("jax")["devices"], eight["devices"], hosts[0]["devices"]] == [1, 8, 4]
    assert [host["hosts"] for host in hosts] == [2, 2]
    assert eight["losses"] == pytest.approx(alone("jax")["losses"], rel=1e-4)
    assert hosts[0]["losses"] == pytest.approx(alone("jax")["losses"], rel=1e-4)
    assert hosts[0]["losses"] == hosts[1]["losses"]
    assert [path.name for path in (tmp_path / "hosts").iterdir()] == ["checkpoint0"]


@pytest.mark.slow
def test_devices_with_synchronized_statistics_train_as_one_does_on_tensorflow(tmp_path, alone):
    (two,) = together(tmp_path, "tensorflow", virtual=2)
    assert [alone("tensorflow")["devices"], two["devices"]] == [1, 2]
    assert two["losses"] == pytest.approx(alone("tensorflow")["losses"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "precision"),
    [
        ("tensorflow", "mixed_float16"),
        pytest.param("jax", "mixed_float16", marks=needs_jax),
        pytest.param("jax", "mixed_bfloat16", marks=needs_jax),
    ],
)
def test_half_precision_trains_close_to_single(tmp_path, alone, backend, precision):
    (half,) = together(tmp_path, backend, precision=precision)
    assert half["losses"] == pytest.approx(alone(backend)["losses"], rel=0.05)
    assert half["losses"] != alone(backend)["losses"]


@pytest.mark.slow
def test_half_precision_resumes_with_the_scale_of_its_loss(tmp_path):
    (first,) = together(tmp_path, "tensorflow", precision="mixed_float16")
    (resumed,) = together(tmp_path, "tensorflow", precision="mixed_float16")
    assert resumed["losses"] == first["losses"]


@pytest.mark.parametrize("device", ["tpu", "gpu"])
@needs_jax
def test_a_device_that_jax_does_not_see_is_an_error_that_says_what_to_do(device):
    code = f"from crmnet.training.devices import setup; setup(backend='jax', device={device!r}, "
    code += "precision='float32', threads=1, seed=1)"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert f"`training: device: {device}`), but jax sees none on" in done.stderr


@pytest.mark.parametrize(
    ("environment", "device"), [({}, "tpu"), ({devices.HOSTS: "2"}, "cpu")], ids=["tpu", "hosts"]
)
def test_tensorflow_trains_on_neither_tpus_nor_several_hosts(monkeypatch, environment, device):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="`training: backend: jax`"):
        devices.setup(backend="tensorflow", **SETTINGS | {"device": device})


@pytest.mark.parametrize("backend", ["torch", "Jax", ""])
def test_other_backends_are_refused(backend):
    with pytest.raises(ValueError, match='"tensorflow" or "jax"'):
        devices.setup(backend=backend, **SETTINGS)
