"""The Slurm that the tests share."""

import signal

import pytest
from slurm import Slurm, missing


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A running Slurm."""
    if why := missing():
        pytest.fail(f"no Slurm to test with: {why}", pytrace=False)
    # So that Slurm is stopped also where the tests are (`timeout`, CI).
    handler = signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated"))
    started = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        started.start()
        yield started
    finally:
        started.stop()
        signal.signal(signal.SIGTERM, handler)
