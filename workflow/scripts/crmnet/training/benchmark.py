"""Measures how fast a model trains: one cell of the paper's Table 1 (section 3.4), in a process of
its own.

It also runs on its own, and with JAX it does not need TensorFlow:
`python -m crmnet.training.benchmark --help`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crmnet.training import devices
from crmnet.training.machine import NO_MEMORY, processor

if TYPE_CHECKING:
    import keras

    from crmnet.training.loop import Recipe

# The number of training sequences in complex medium, for which the paper estimates times.
SEQUENCES = 30_722_376
# Settings that a recipe must have, but that do not change the time of a step.
UNTIMED = {
    **{"epochs": 1, "warmup_epochs": 0, "patience": 1},
    **{"start_rate": 1e-3, "peak_rate": 1e-3, "final_rate": 1e-3},
}
CONFIG = Path(__file__).parents[4] / "config" / "config.yaml"
# The options that are repeated in the result.
ASKED = (
    *("backend", "precision", "batch_size", "devices", "threads", "length", "steps", "epochs"),
    *("sequences", "estimate_epochs", "model", "recipe"),
)
UNFINISHED = "it has not come to its end"

# Dense operations per second of one device, from the makers' data sheets. The first key that occurs
# in the device's name counts. float32 means TF32 on an A100 or newer, and products in bfloat16 on
# TPUs, because these are the defaults of both frameworks. A JAX device is half a chip of a TPU v3.
_HALVES = ("mixed_float16", "mixed_bfloat16")
PEAKS: dict[str, dict[str, float]] = {
    "H200 NVL": {"float32": 417.5e12} | dict.fromkeys(_HALVES, 835.5e12),
    "H200": {"float32": 494.7e12} | dict.fromkeys(_HALVES, 989.4e12),
    "H100 NVL": {"float32": 417.5e12} | dict.fromkeys(_HALVES, 835.5e12),
    "H100 PCIe": {"float32": 378e12} | dict.fromkeys(_HALVES, 756e12),
    "H100": {"float32": 494.7e12} | dict.fromkeys(_HALVES, 989.4e12),
    "A100": {"float32": 156e12} | dict.fromkeys(_HALVES, 312e12),
    "V100-PCIE": {"float32": 14e12, "mixed_float16": 112e12},
    "V100-SXM": {"float32": 15.7e12, "mixed_float16": 125e12},
    "TPU v3": dict.fromkeys(("float32", "mixed_bfloat16"), 61.5e12),
    "TPU v4": dict.fromkeys(("float32", "mixed_bfloat16"), 275e12),
    "TPU v5 lite": dict.fromkeys(("float32", "mixed_bfloat16"), 197e12),
    "TPU v5e": dict.fromkeys(("float32", "mixed_bfloat16"), 197e12),
}
# Products that take more seconds than this are large enough to measure a rate.
LONG_ENOUGH = 0.25

_OUT_OF_MEMORY = re.compile(
    r"MemoryError|bad_alloc|RESOURCE_EXHAUSTED|ResourceExhaustedError|out[ _]of[ _]memory", re.I
)
_TOO_FEW = re.compile(
    re.escape(devices.TOO_FEW).replace(r"\{asked\}", r"(\d+)").replace(r"\{seen\}", r"(\d+)")
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the cell that the command line asks for, and writes it as a JSON object:

    - the options: `backend`, `precision`, `batch_size` (of one device), `devices`,
      `threads`, `length`, `steps`, `epochs`, `sequences`, `estimate_epochs`, `model`, `recipe`;
    - the hardware: `kind` ("cpu", "gpu" or "tpu"), `device` (its name), `versions`;
    - `not_measured`: null, or why the following keys are missing;
    - `parameters`: the number of parameters of the model;
    - `step_alone`, the step with its data already on the device, and `with_input`, the step with
      data from shards (null without `--shards`): see `estimate`;
    - `peak_memory`: `bytes`, and `of` what;
    - `flops`: operations of a training step per sequence (`operations`); `flops_per_second` of the
      step alone, and `peak_flops_per_second` of all devices, with its `peak_source` ("data sheet",
      or "matrix product", a measured rate); `flops_share`, the ratio of the two rates.

    Raises:
        RuntimeError, ValueError: see `devices.setup` and `shards.batches`.
    """
    options = _parser().parse_args(arguments)
    options.model = options.model or papers_model()
    cell = {key: getattr(options, key) for key in ASKED}
    cell |= {"kind": None, "device": None, "versions": None, "not_measured": UNFINISHED}

    def write() -> None:
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(cell, indent=1) + "\n")

    # The system may kill this process when memory runs out, so the file is written beforehand.
    write()
    hardware = devices.setup(
        backend=options.backend,
        device=options.device,
        precision=options.precision,
        threads=options.threads,
        seed=options.seed,
        count=options.devices,
    )
    cell |= about(hardware)
    _say(
        f"{hardware.count} x {cell['device']} ({hardware.kind}), {cell['versions']}, "
        f"{options.precision}, {options.batch_size} sequences per step and device"
    )
    write()
    cell |= measure(
        hardware,
        architecture=options.model,
        recipe=options.recipe,
        batch_size=options.batch_size,
        seed=options.seed,
        length=options.length,
        steps=options.steps,
        epochs=options.epochs,
        sequences=options.sequences,
        estimate_epochs=options.estimate_epochs,
        folders=options.shards,
    )
    peak, source = peak_rate(hardware, cell["device"], options.precision)
    share = cell["flops_per_second"] / peak
    cell |= {"peak_flops_per_second": peak, "peak_source": source, "flops_share": share}
    cell["not_measured"] = None
    write()
    if not options.out:
        print(json.dumps(cell, indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crmnet.training.benchmark",
        description="Measures how fast a model trains; writes a JSON object.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    add("--backend", choices=("tensorflow", "jax"), default=backend)
    add("--device", choices=("auto", "cpu", "gpu", "tpu"), default="auto")
    precisions = ("float32", "mixed_float16", "mixed_bfloat16")
    add("--precision", choices=precisions, default="float32")
    add("--batch-size", type=at_least(1), default=1024, help="sequences per step of one device")
    add("--devices", type=at_least(1), default=1, help="number of devices that train together")
    add("--steps", type=at_least(1), default=50, help="steps in one timed epoch")
    add(
        "--epochs",
        type=at_least(2),
        default=4,
        help="timed epochs, of which the first does not count",
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    add("--threads", type=at_least(1), default=cores, help="threads of one operation on the CPU")
    add("--seed", type=int, default=1, help="seed of weights and data")
    add("--length", type=at_least(8), default=112, help="tokens of a sequence")
    add(
        "--model",
        type=json.loads,
        help="JSON: the architecture and the arguments of its builder; default: the paper's",
    )
    add("--recipe", type=json.loads, default={}, help="JSON: settings of the training")
    add(
        "--sequences",
        type=at_least(1),
        default=SEQUENCES,
        help="number of sequences of the estimate",
    )
    add("--estimate-epochs", type=at_least(1), default=20, help="number of epochs of the estimate")
    add(
        "--shards",
        type=Path,
        nargs="+",
        default=(),
        metavar="FOLDER",
        help="folders of shards, to time training from them too; needs TensorFlow",
    )
    add("--out", type=Path, help="the output file; default: standard output")
    return parser


def papers_model() -> dict:
    """Returns the paper's architecture in the form that `measure` takes."""
    import yaml

    return {"architecture": "crmnet", **yaml.safe_load(CONFIG.read_text())["model"]}


def at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {text}")
        return int(text)

    return number


def about(hardware: devices.Devices) -> dict:
    """Returns `kind`, `device` (its name) and `versions` of the hardware and software in use."""
    import keras

    versions = {"keras": keras.__version__}
    if hardware.backend == "tensorflow":
        import tensorflow as tf

        versions["tensorflow"] = tf.__version__
        gpus = tf.config.list_physical_devices("GPU")
        name = gpus and tf.config.experimental.get_device_details(gpus[0]).get("device_name")
    else:
        import jax

        versions["jax"] = jax.__version__
        name = jax.devices()[0].device_kind
    if hardware.kind == "cpu":
        name = processor()
    return {"kind": hardware.kind, "device": name or hardware.kind, "versions": versions}


def measure(
    hardware: devices.Devices,
    *,
    architecture: dict,
    recipe: dict,
    batch_size: int,
    seed: int,
    length: int,
    steps: int,
    epochs: int,
    sequences: int = SEQUENCES,
    estimate_epochs: int = 20,
    folders: Sequence[Path] = (),
) -> dict:
    """Trains a new model and times it: the step alone and, with folders of shards, the whole
    training.

    Args:
        architecture: see `plan.Plan.architecture`.
        recipe: fields of `loop.Recipe`. Without `steps_per_execution`, the device runs all steps of
            an epoch before it reports back.
        batch_size: sequences per step of one device.
        length: tokens of a sequence.
        steps, epochs: steps of each epoch, and epochs, of which the first does not count.
        sequences, estimate_epochs: the sequences and epochs of the estimated training.

    Returns:
        The keys about the model that `main` explains.

    Raises:
        ValueError: a key of the recipe is unknown; also see `shards.batches`.
        ImportError: there are shards, but TensorFlow is not installed.
    """
    # Keras chooses its backend when it is imported, so it is imported here.
    from crmnet.models import registry
    from crmnet.training.loop import Recipe, compile_model

    settings = {**UNTIMED, "steps_per_execution": steps, **recipe}
    settings |= {"batch_size": batch_size, "seed": seed}
    if unknown := sorted(set(settings) - set(Recipe.__dataclass_fields__)):
        raise ValueError(
            f"a recipe has no key {', '.join(unknown)}; it can have "
            f"{', '.join(Recipe.__dataclass_fields__)}"
        )
    recipe = Recipe(**settings)
    with hardware.scope():
        model = registry.build(**architecture, length=length)
        fitted = compile_model(model, recipe, hardware.kind)
    flops = operations(fitted)
    _say(f"{model.name}: {model.count_params():,} parameters, {flops:,} operations per sequence")

    batch = batch_size * hardware.count
    random = np.random.default_rng(seed)
    tokens = random.integers(0, 4, (batch, length), np.uint8)
    expression = random.uniform(0, 17, batch).astype(np.float32)
    timed = _on_tensorflow if hardware.backend == "tensorflow" else _on_jax
    alone = estimate(
        timed(fitted, tokens, expression, steps, epochs), steps, batch, sequences, estimate_epochs
    )
    whole = None
    if folders:
        seconds = _with_input(fitted, recipe, folders, batch, steps, epochs)
        whole = estimate(seconds, steps, batch, sequences, estimate_epochs)
    return {
        "parameters": model.count_params(),
        "step_alone": alone,
        "with_input": whole,
        "peak_memory": peak_memory(hardware),
        "flops": flops,
        "flops_per_second": flops * alone["sequences_per_second"],
    }


def estimate(
    seconds: Sequence[float], steps: int, batch: int, sequences: int, epochs: int
) -> dict[str, object]:
    """Estimates the times of a training from the times of a few epochs, as the paper does (Table
    1).

    Args:
        seconds: the time of each epoch; the first one includes compilation and does not count.
        steps: the steps of each epoch.
        batch: the sequences of a step on all devices.
        sequences, epochs: the size of the training.

    Returns:
        `seconds` as given, `first_epoch_seconds`; `step_seconds`, the largest of all epochs' mean
        times of a step, and `sequences_per_second` at that time; `epoch_minutes`, the epochs' mean
        time scaled to the steps that all sequences take, and `total_hours` of all epochs.
    """
    first, *counted = seconds
    step = max(counted) / steps
    epoch = sum(counted) / len(counted) / steps * math.ceil(sequences / batch)
    return {
        "seconds": list(seconds),
        "first_epoch_seconds": first,
        "step_seconds": step,
        "sequences_per_second": batch / step,
        "epoch_minutes": epoch / 60,
        "total_hours": epochs * epoch / 3600,
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def timed_epochs(
    name: str, epochs: int, epoch: Callable[[int], None], sequences: int
) -> list[float]:
    """Runs epochs, and returns the seconds of each."""
    seconds = []
    for number in range(epochs):
        started, used = time.perf_counter(), time.process_time()
        epoch(number)
        seconds.append(time.perf_counter() - started)
        # On a CPU that has other work too, the time that this process used says more.
        used = time.process_time() - used
        _say(
            f"{name}, epoch {number + 1}/{epochs}: {seconds[-1]:.2f} s ({used:.2f} s of CPU time), "
            f"{sequences / seconds[-1]:,.0f} sequences/s"
            + (", compilation included" if not number else "")
        )
    return seconds


def _on_tensorflow(
    fitted: keras.Model, tokens: np.ndarray, expression: np.ndarray, steps: int, epochs: int
) -> list[float]:
    """Returns the seconds of epochs of steps on the same batch, compiled as in `fit`."""
    import tensorflow as tf

    strategy = fitted.distribute_strategy

    def part(context):
        number = context.replica_id_in_sync_group
        with tf.device(strategy.extended.worker_devices[number]):
            return tuple(tf.constant(np.split(column, replicas)[number]) for column in columns)

    columns, replicas = (tokens, expression), strategy.num_replicas_in_sync
    if replicas > 1:
        batch = strategy.experimental_distribute_values_from_function(part)
    else:
        batch = tuple(map(tf.constant, columns))

    @tf.function(jit_compile=fitted.jit_compile, autograph=False)
    def step(batch):
        strategy.run(fitted.train_step, args=(batch,))

    @tf.function(autograph=False)
    def epoch(batch):
        def body(number):
            step(batch)
            return number + 1

        tf.while_loop(lambda number: number < steps, body, [0], parallel_iterations=1)

    def whole(_):
        epoch(batch)
        np.asarray(fitted.trainable_variables[-1])  # waits until the last step has ended

    return timed_epochs("step alone", epochs, whole, steps * len(tokens))


def _on_jax(
    fitted: keras.Model, tokens: np.ndarray, expression: np.ndarray, steps: int, epochs: int
) -> list[float]:
    """Returns the seconds of epochs of steps on the same batch, compiled as in `fit`."""
    import jax
    import keras

    groups = (
        fitted.trainable_variables,
        fitted.non_trainable_variables,
        fitted.optimizer.variables,
        fitted.metrics_variables,
    )
    state = tuple([variable.value for variable in group] for group in groups)
    batch, shardings = (tokens, expression), None
    if distribution := keras.distribution.distribution():
        shardings = (None, tuple([value.sharding for value in group] for group in state))
        layouts = [distribution.get_data_layout(column.shape) for column in batch]
        batch = tuple(map(jax.device_put, batch, [layout.backend_layout for layout in layouts]))
    else:
        batch = jax.device_put(batch)
    step = fitted.train_step
    if fitted.jit_compile:
        step = jax.jit(step, donate_argnums=0, out_shardings=shardings)

    def epoch(_):
        nonlocal state
        for _ in range(steps):
            _, state = step(state, batch)
        jax.block_until_ready(state)

    seconds = timed_epochs("step alone", epochs, epoch, steps * len(tokens))
    # The steps have reused the memory of the model's variables, so the variables get new values.
    for group, values in zip(groups, state, strict=True):
        for variable, value in zip(group, values, strict=True):
            variable.assign(value)
    return seconds


def _with_input(
    fitted: keras.Model,
    recipe: Recipe,
    folders: Sequence[Path],
    batch: int,
    steps: int,
    epochs: int,
) -> list[float]:
    """Returns the seconds of epochs that read their batches from shards, as in training."""
    from crmnet.data import shards

    def epoch(number):
        fitted.fit(
            shards.batches(
                folders,
                batch,
                steps,
                seed=recipe.seed,
                epoch=number,
                reverse_complement=recipe.reverse_complement,
            ),
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
        )

    return timed_epochs("with input", epochs, epoch, steps * batch)


def operations(model: keras.Model) -> int:
    """Returns the floating-point operations of a training step per sequence. They are three times
    those of the forward pass, because the backward pass has two products for each of its products.

    The count is twice the multiply-adds of convolutions (including padding), transposed
    convolutions, dense layers (including squeeze-and-excitation), LSTMs and self-attention. It
    leaves out element-wise work: activations, normalisations, sums, dropout, the optimiser.
    Attention is counted as in Vaswani et al. 2017: the projections to queries, keys and values,
    their products with each other, and the output projection; the layer itself needs fewer.

    Args:
        model: a model of any architecture.
    """
    import keras

    from crmnet.models.layers import SelfAttention, SqueezeExcitation

    products = 0
    for layer in model.layers:
        kernels = [weight.shape for weight in layer.trainable_weights if len(weight.shape) > 1]
        if not kernels:
            continue
        # A transposed convolution multiplies at each position that it reads.
        reads = isinstance(layer, keras.layers.Conv1DTranspose)
        shape = (layer.input if reads else layer.output).shape
        squeezed = isinstance(layer, SqueezeExcitation)
        positions = 1 if squeezed else math.prod(shape[1:-1])
        strands = getattr(layer, "strands", 1)
        products += strands * positions * sum(map(math.prod, kernels))
        if isinstance(layer, SelfAttention):
            products += 2 * positions**2 * layer.heads * layer.key_dim
    return 3 * 2 * products


def peak_memory(hardware: devices.Devices) -> dict[str, object]:
    """Returns the peak memory use: `bytes`, and `of` what: the fullest device, or on CPUs this
    process."""
    if hardware.kind == "cpu":
        # The unit is bytes on macOS, and kibibytes elsewhere.
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return {"bytes": peak, "of": "process"}
    if hardware.backend == "tensorflow":
        import tensorflow as tf

        names = [f"GPU:{number}" for number in range(hardware.count)]
        peaks = [tf.config.experimental.get_memory_info(name)["peak"] for name in names]
    else:
        import jax

        found = jax.local_devices()[: hardware.count]
        peaks = [device.memory_stats()["peak_bytes_in_use"] for device in found]
    return {"bytes": max(peaks), "of": "device"}


def peak_rate(hardware: devices.Devices, name: str, precision: str) -> tuple[float, str]:
    """Returns the peak operations per second of all devices, and the source of the number: "data
    sheet", or "matrix product" if `PEAKS` does not list the device.

    Args:
        name: the name of a device.
        precision: the precision of the computation.
    """
    # A MIG slice has the name of its GPU, but only a part of its units.
    known = hardware.kind != "cpu" and "MIG" not in name
    peaks = next((peaks for part, peaks in PEAKS.items() if known and part in name), {})
    if precision in peaks:
        return hardware.count * peaks[precision], "data sheet"
    # Several devices of one CPU share the same cores.
    count = 1 if hardware.kind == "cpu" else hardware.count
    return count * matrix_product_rate(), "matrix product"


def matrix_product_rate() -> float:
    """Returns the operations per second of one device at products of large square matrices, in
    Keras's current precision: the best rate of several sizes."""
    import keras
    from keras import ops

    dtype = keras.config.dtype_policy().compute_dtype
    best = 0.0
    for size in (512, 1024, 2048, 4096, 8192):
        # With this scale, the products neither overflow nor vanish.
        factor = ops.cast(keras.random.normal((size, size)) * size**-0.5, dtype)
        fastest = math.inf
        for _ in range(3):
            started, product = time.perf_counter(), factor
            for _ in range(4):
                product = ops.matmul(factor, product)
            float(ops.cast(product[0, 0], "float32"))  # waits for the products
            fastest = min(fastest, time.perf_counter() - started)
        best = max(best, 4 * 2 * size**3 / fastest)
        if fastest > LONG_ENOUGH:
            break
    return best


def measure_apart(arguments: Sequence[str], out: Path) -> dict:
    """Measures a cell in a separate process, so that a lack of memory ends only that process.

    Args:
        arguments: the arguments of the command line.
        out: the output file of the cell. If there is too little memory or there are too few
            devices, it has no measurements, and `not_measured` gives the reason.

    Returns:
        The cell.

    Raises:
        RuntimeError: the process failed for another reason; the message has its last lines.
    """
    command = [sys.executable, "-m", "crmnet.training.benchmark", *arguments, "--out", str(out)]
    process = subprocess.Popen(
        command,
        env=with_package(),
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        sys.stderr.write(line)
    if status := process.wait():
        reason = why_not_measured(status, "".join(lines))
        if reason is None:
            raise RuntimeError(
                f"{shlex.join(command)} ended with status {status}:\n{''.join(lines[-20:])}"
            )
        cell = json.loads(out.read_text()) | {"not_measured": reason}
        out.write_text(json.dumps(cell, indent=1) + "\n")
        _say(f"not measured: {reason}")
    return json.loads(out.read_text())


def with_package() -> dict[str, str]:
    """Returns the variables of a process that can import the package."""
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path}


def why_not_measured(status: int, said: str) -> str | None:
    """Returns why a cell's process ended without measurements: `NO_MEMORY`, or the missing devices;
    None for any other reason.

    Args:
        status: the exit status of the process, not 0; if negative, the signal that killed it.
        said: the text of its standard error.
    """
    if found := _TOO_FEW.search(said):
        return f"{found[1]} devices asked for, {found[2]} seen"
    # The kernel kills a process in this way when memory runs out.
    if status in (-9, 137):
        return NO_MEMORY
    # TensorFlow also reports failed allocations that it can do without.
    serious = [line for line in said.splitlines() if "this is not a failure" not in line]
    return NO_MEMORY if _OUT_OF_MEMORY.search("\n".join(serious)) else None


if __name__ == "__main__":
    main()
