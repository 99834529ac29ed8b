"""Describes the machine that a job runs on. Imports no framework."""

from __future__ import annotations

import platform
import re
from pathlib import Path

# What is said of a model that does not fit into the memory of a device.
NO_MEMORY = "out of memory"


def processor() -> str:
    """Returns the name of this machine's CPU."""
    return _about_cpu("model name") or platform.processor() or platform.machine()


def multiplies_in_bfloat16() -> bool:
    """Tells whether the CPU has instructions for products in bfloat16, as Linux lists them (as
    `Features` on ARM)."""
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(_about_cpu("flags|Features").split())


def advice(precision: str, large: bool) -> str | None:
    """Returns what to say about the precision of a training on this machine's CPU, or None.

    Args:
        precision: see `devices.setup`.
        large: whether most of the time of a step goes into large products.
    """
    native = multiplies_in_bfloat16()
    if precision == "float32" and native and large:
        return (
            "this CPU multiplies in bfloat16: `training: precision: mixed_bfloat16` would train a "
            "model of this size faster, with AMX in less than half the time"
        )
    if precision == "mixed_float16" or (precision == "mixed_bfloat16" and not native):
        return (
            f"this CPU computes in {precision} many times more slowly than with `training: "
            "precision: float32`"
        )
    return None


def _about_cpu(what: str) -> str:
    """Returns what Linux says about the first CPU; nothing on other systems."""
    try:
        found = re.search(rf"^(?:{what})\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1].strip() if found else ""
