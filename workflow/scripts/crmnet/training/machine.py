"""Describes the machine that a job runs on. Imports no framework."""

from __future__ import annotations

import platform
import re
from pathlib import Path

# What is said of a model that does not fit into the memory of a device.
NO_MEMORY = "out of memory"


def processor() -> str:
    """Returns the name of this machine's CPU."""
    try:
        name = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        name = None
    return name[1].strip() if name else platform.processor() or platform.machine()
