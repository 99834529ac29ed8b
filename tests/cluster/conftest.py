"""The Slurm that the tests share."""

import pytest
from slurm import Slurm, missing


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A running Slurm."""
    if why := missing():
        pytest.skip(f"NO SLURM TO TEST WITH: {why}")
    started = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        started.start()
        yield started
    finally:
        started.stop()
