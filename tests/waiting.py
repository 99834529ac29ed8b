"""Waiting for what another process does, however slow the machine."""

import time

# Seconds after which it hangs.
HANGS = 1800


def wait_until(condition, what: str):
    """What `condition` returns once that is true."""
    deadline = time.monotonic() + HANGS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not after {HANGS} s: {what}"
        time.sleep(0.05)
    return found
