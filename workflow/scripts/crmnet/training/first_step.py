"""Rehearses training: which devices a job sees, and how long one step of each model takes on
them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from crmnet.logs import say
from crmnet.rehearsal import NOT_READY, NOTE, READY, Checks
from crmnet.training.benchmark import measure_apart, with_package

# The timed steps of an epoch, and the epochs, of which the first one compiles. Where a CPU stands
# in for a GPU or TPU, a step also has fewer sequences.
STEPS, EPOCHS = 20, 3
STEPS_ON_CPU, EPOCHS_ON_CPU, BATCH_ON_CPU = 1, 4, 32
# Prints what the backend sees, as JSON. It is a process of its own, because a framework keeps the
# memory of a GPU until its process ends.
SEE = """
import json, sys
from crmnet.training import benchmark, devices
found = devices.setup(
    backend=sys.argv[1], device=sys.argv[2], precision="float32", threads=1, seed=0
)
print(json.dumps({"count": found.count, **benchmark.about(found)}))
"""


def see(backend: str, device: str) -> dict:
    """Returns the devices that a backend sees: `count`, `kind`, `device` (the name) and `versions`.

    Args:
        backend: "tensorflow" or "jax".
        device: "cpu" hides GPUs; any other value shows what there is.

    Raises:
        RuntimeError: the framework does not start; the message has its last lines.
    """
    shown = "cpu" if device == "cpu" else "auto"
    done = subprocess.run(
        [sys.executable, "-c", SEE, backend, shown],
        env=with_package(),
        capture_output=True,
        text=True,
        errors="replace",
    )
    print(done.stderr, file=sys.stderr)
    if done.returncode:
        raise RuntimeError(" ".join(done.stderr.strip().splitlines()[-3:]))
    return json.loads(done.stdout.splitlines()[-1])


def check_devices(checks: Checks, hardware: Mapping, seen: Mapping) -> None:
    """Compares the devices that a job sees with those that the config asks for.

    Args:
        hardware: `device` and `devices` of the section `training`.
        seen: see `see`.
    """
    asked, count = hardware["device"], hardware["devices"]
    what = "devices of a training"
    found = f"{seen['count']} × {seen['device']} ({seen['kind']}), {_versions(seen)}"
    if stands_in(asked, seen):
        driver = _driver() if asked == "gpu" else ""
        mend = (
            "the system has GPUs, so the environment lacks what uses them: make it anew "
            "(envs/train-gpu.yaml)"
            if driver
            else f"run on a machine that has one, or set `training: device: cpu` (for {asked} jobs "
            "of a cluster, correct the queue or partition in the profile)"
        )
        return checks.add(
            what, NOT_READY, f"no {asked.upper()}: {found}; {driver}".strip("; "), mend
        )
    if count and count > seen["count"]:
        return checks.add(
            what,
            NOT_READY,
            f"{count} asked for (`training: devices`), but only {found}",
            f"set `training: {{devices: {seen['count']}}}` and `benchmark: {{devices: [...]}}`, or "
            "correct the profile",
        )
    if asked == "auto" and seen["kind"] == "cpu":
        return checks.add(what, NOTE, f"{found}; trainings use the CPU (`training: device: auto`)")
    checks.add(what, READY, found)


def stands_in(asked: str, seen: Mapping) -> bool:
    """Tells whether steps are measured on a CPU in the place of a GPU or TPU.

    Args:
        asked: the `device` of the section `training`.
        seen: see `see`.
    """
    return asked not in ("auto", seen["kind"])


def measure_steps(
    checks: Checks,
    steps: Mapping[str, Mapping],
    hardware: Mapping,
    seen: Mapping,
    length: int,
    folder: Path,
    threads: int,
    keep: Callable[[dict[str, dict]], None],
) -> dict[str, dict]:
    """Measures a training step of each model.

    Args:
        steps: the models whose steps are alike, as text -> see `plan.Plan.step`.
        hardware: the section `training`.
        seen: see `see`.
        length: the number of tokens of a sequence.
        folder: folder for the measurements.
        threads: the threads of a step on the CPU.
        keep: is called after each step with what has been measured, which is lost if this process
            is killed.

    Returns:
        models -> the cell of `benchmark.main`.
    """
    real = not stands_in(hardware["device"], seen)
    count = min(hardware["devices"] or seen["count"], seen["count"])
    few = not real or seen["kind"] == "cpu"
    cells = {}
    for number, (models, step) in enumerate(steps.items(), 1):
        say(f"step {number} of {len(steps)}: {models}")
        batch = step["batch_size"] if real else min(step["batch_size"], BATCH_ON_CPU)
        settings = {
            "--backend": hardware["backend"],
            "--device": "cpu" if hardware["device"] == "cpu" else "auto",
            # Many CPUs imitate half precision, hundreds of times slower.
            "--precision": step["precision"] if real else "float32",
            "--batch-size": batch,
            "--devices": count,
            "--threads": threads,
            "--length": length,
            "--model": json.dumps(step["architecture"]),
            "--recipe": json.dumps(step["recipe"]),
            "--steps": STEPS_ON_CPU if few else STEPS,
            "--epochs": EPOCHS_ON_CPU if few else EPOCHS,
        }
        arguments = [str(part) for setting in settings.items() for part in setting]
        what = f"a training step of {models}"
        state = READY if real else NOTE
        with checks.check(what, "see logs/rehearse_training.log", state) as found:
            cell = measure_apart(arguments, folder / f"step_{number}.json")
            if reason := cell["not_measured"]:
                said = f"{reason}, with {batch:,} sequences on each device in {step['precision']}"
                mend = "lower `training: batch_size`, or use a device or a job with more memory"
                checks.add(what, NOT_READY, said, mend)
                continue
            cells[models] = cell
            found.append(speed(cell))
            if not real:
                found.append(
                    f"a CPU took the place of {count_asked(hardware)}, with {batch} sequences a "
                    f"step instead of {step['batch_size']:,} on each, in float32"
                )
        keep(cells)
    return cells


def rate(cell: Mapping) -> float:
    """Returns the sequences per second on all devices together, in the median of the epochs.

    Args:
        cell: see `benchmark.main`.
    """
    # The first epoch includes the compilation.
    _, *seconds = cell["step_alone"]["seconds"]
    return cell["steps"] * cell["batch_size"] * cell["devices"] / statistics.median(seconds)


def count_asked(hardware: Mapping) -> str:
    """Returns the devices that a config asks for, such as "8 GPUs"."""
    count = hardware["devices"] or 1
    return f"{count} {hardware['device'].upper()}{'s' * (count > 1)}"


def speed(cell: Mapping) -> str:
    """Returns the time and memory of a step as text.

    Args:
        cell: see `benchmark.main`.
    """
    memory, batch = cell["peak_memory"], cell["devices"] * cell["batch_size"]
    return (
        f"{batch / rate(cell):.3g} s for {batch:,} sequences, {rate(cell):,.0f} sequences/s on "
        f"{cell['devices']} × {cell['device']}, {memory['bytes'] / 1e9:.1f} GB of memory of the "
        f"{memory['of']}; the first step took {cell['step_alone']['first_epoch_seconds']:.0f} s"
    )


def _driver() -> str:
    """Returns the GPUs that the driver of this machine knows, or nothing."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
        )
    except OSError:
        return ""
    return ", ".join(done.stdout.split("\n")[:1]) if done.returncode == 0 else ""


def _versions(seen: Mapping) -> str:
    return ", ".join(f"{name} {version}" for name, version in seen["versions"].items())
