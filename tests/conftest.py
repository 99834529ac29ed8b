"""What all tests share."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# How fast the machine is decides no test.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

# Tests that were started in the background ignore Ctrl-C, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of several processes (`-n`), each takes whole files, and one takes all tests of the tiny run,
    so that nothing is made twice."""
    for item in items:
        tiny = {"tiny_run", "undisturbed"} & set(item.fixturenames)
        group = "tiny_run" if tiny else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
