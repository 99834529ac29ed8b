"""Finds the hardware and sets up training on it. Must be imported before Keras."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crmnet import logs

# Keras's own variables: the address of the first host, the number of hosts, and the number of this
# host.
ADDRESS = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
HOSTS = "KERAS_DISTRIBUTION_NUM_PROCESSES"
HOST = "KERAS_DISTRIBUTION_PROCESS_ID"

# The benchmark reads this text in the error of its process.
TOO_FEW = (
    "the config asks for {asked} devices (`training: devices`), but only {seen} are visible on "
    "this machine; set that number, or null for all visible devices, or run this job on a machine "
    "that has enough"
)


@dataclass(frozen=True)
class Devices:
    """The devices that train together.

    Attributes:
        count: the number of devices on all hosts. Batch size and learning rate scale with it, as in
            the paper (section 4.2).
        kind: "cpu", "gpu" or "tpu".
        backend: Keras's backend.
        scope: function that returns the context in which the model must be built.
        host, hosts: the number of this process's host, from 0, and the number of hosts.
    """

    count: int
    kind: str
    backend: str
    scope: object = contextlib.nullcontext
    host: int = 0
    hosts: int = 1


# The hardware of a job that does not train or predict, but only combines models.
CPU = {"backend": "tensorflow", "device": "cpu", "precision": "float32"}


def setup_job(job: object, hardware: Mapping[str, object] = CPU, seed: int = 0) -> Devices:
    """Sends the messages of a script to the job's log, starts the backend, and returns the devices.

    Keras chooses its backend when it is imported, so a script calls this before it imports anything
    that imports Keras.

    Args:
        job: Snakemake's object in the script.
        hardware, seed: see `setup`.
    """
    logs.log_to(job.log[0])
    return setup(**hardware, threads=job.threads, seed=seed)


def setup(
    *,
    backend: str,
    device: str,
    precision: str,
    threads: int,
    seed: int,
    count: int | None = None,
) -> Devices:
    """Starts the backend, and returns the devices that it will use.

    Several devices share each batch. On TensorFlow these are GPUs of one host, and each normalises
    by the statistics of its own part of the batch. On JAX these are the devices of all hosts, and
    they normalise by the statistics of the whole batch. JAX reads the number of this host and the
    number of hosts from the variables that `hosts.launch` sets.

    Args:
        backend: "tensorflow" or "jax".
        device: "cpu", "gpu" or "tpu" (an error if there is none), or "auto" (a GPU or TPU if there
            is one).
        precision: "float32", "mixed_float16" or "mixed_bfloat16".
        threads: the number of threads of one operation on the CPU.
        seed: the seed of the initial weights.
        count: the number of devices of each host to use; None uses all that are visible.

    Raises:
        RuntimeError: there is no such GPU or TPU, or there are fewer devices than `count`.
        ValueError: the backend is unknown, or cannot train on such devices.
    """
    if backend not in ("tensorflow", "jax"):
        raise ValueError(f'the backend must be "tensorflow" or "jax", not "{backend}"')
    hosts = int(os.environ.get(HOSTS, 1))
    if backend == "tensorflow" and (hosts > 1 or device == "tpu"):
        what = "several hosts" if hosts > 1 else "TPUs"
        raise ValueError(f"training on {what} needs JAX; set `training: backend: jax`")
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ["JAX_PLATFORMS"] = "cpu"
    with _quick_import(("matplotlib", "jax") if backend == "tensorflow" else ("matplotlib",)):
        import keras

    keras.utils.set_random_seed(seed)
    devices = _tensorflow(threads, count) if backend == "tensorflow" else _jax(count, hosts)
    if device in ("gpu", "tpu") and devices.kind != device:
        raise RuntimeError(
            f"the config asks for a {device.upper()} (`training: device: {device}`), but {backend} "
            "sees none on this machine; run this job on a machine with one, or set `training: "
            "device: cpu`"
        )
    keras.mixed_precision.set_dtype_policy(precision)
    return devices


@contextlib.contextmanager
def _quick_import(unused: Sequence[str]) -> Iterator[None]:
    """Makes the import of a framework take two thirds of the time.

    TensorFlow and Keras import other large packages where these are installed, for functions that
    are not called here. They do without the `unused` ones, which can be imported afterwards. And
    garbage is not looked for again and again in what stays until the end.
    """
    absent = [name for name in unused if name not in sys.modules]
    # An import of such a name fails.
    sys.modules.update(dict.fromkeys(absent))
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        for name in absent:
            del sys.modules[name]


def _enough(seen: list, count: int | None) -> list:
    if count and count > len(seen):
        raise RuntimeError(TOO_FEW.format(asked=count, seen=len(seen)))
    return seen[:count]


def _tensorflow(threads: int, count: int | None) -> Devices:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1 if threads == 1 else 2)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    # A CPU is one device, unless it has been divided into virtual ones.
    (cpu,) = tf.config.list_physical_devices("CPU")
    cpus = tf.config.get_logical_device_configuration(cpu) or [cpu]
    kind = "GPU" if gpus else "CPU"
    chosen = _enough([f"{kind}:{number}" for number in range(len(gpus or cpus))], count)
    if len(chosen) == 1:
        return Devices(1, kind.lower(), "tensorflow")
    strategy = tf.distribute.MirroredStrategy(chosen)
    return Devices(len(chosen), kind.lower(), "tensorflow", strategy.scope)


def _jax(count: int | None, hosts: int) -> Devices:
    import jax
    import keras

    if hosts > 1:
        keras.distribution.initialize()
    by_host = [[d for d in jax.devices() if d.process_index == host] for host in range(hosts)]
    chosen = [device for here in by_host for device in _enough(here, count)]
    if len(chosen) > 1:
        keras.distribution.set_distribution(
            # Each host loads its own part of a batch, so Keras must not divide it again.
            keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False)
        )
    return Devices(
        len(chosen),
        chosen[0].platform,
        "jax",
        host=jax.process_index() if hosts > 1 else 0,
        hosts=hosts,
    )
