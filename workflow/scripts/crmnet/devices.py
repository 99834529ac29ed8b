"""Which hardware there is, and how to train on it. To be imported before Keras."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Devices:
    """The devices that train together.

    Attributes:
        count: how many; batch and learning rate scale with it, as in the paper (section 4.2).
        kind: "cpu", "gpu" or "tpu".
        backend: Keras's backend.
        scope: call it for the context in which the model must be built.
    """

    count: int
    kind: str
    backend: str
    scope: object = contextlib.nullcontext


def setup(*, backend: str, device: str, precision: str, threads: int, seed: int) -> Devices:
    """Starts the backend on the devices that are there.

    Args:
        backend: "tensorflow" or "jax".
        device: "cpu", "gpu" (an error where there is none), or "auto" (a GPU where there is one).
        precision: "float32", "mixed_float16" or "mixed_bfloat16".
        threads: of one operation on the CPU.
        seed: of initial weights.

    Raises:
        RuntimeError: a GPU is asked for and none is seen.
        ValueError: the backend is neither.
    """
    if backend not in ("tensorflow", "jax"):
        raise ValueError(f'the backend must be "tensorflow" or "jax", not "{backend}"')
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ["JAX_PLATFORMS"] = "cpu"
    import keras

    devices = _tensorflow(threads) if backend == "tensorflow" else _jax()
    if device == "gpu" and devices.kind != "gpu":
        raise RuntimeError(
            f"the config asks for a GPU (`training: device: gpu`), but {backend} sees none here; "
            "run this job on a GPU node, or set `training: device: cpu`"
        )
    keras.mixed_precision.set_dtype_policy(precision)
    keras.utils.set_random_seed(seed)
    return devices


def _tensorflow(threads: int) -> Devices:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1 if threads == 1 else 2)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if len(gpus) > 1:
        strategy = tf.distribute.MirroredStrategy()
        return Devices(strategy.num_replicas_in_sync, "gpu", "tensorflow", strategy.scope)
    return Devices(1, "gpu" if gpus else "cpu", "tensorflow")


def _jax() -> Devices:
    import jax
    import keras

    found = jax.devices()
    kind = found[0].platform
    if len(found) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=found))
    return Devices(len(found), kind, "jax")
