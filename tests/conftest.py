"""What all tests share."""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How fast the machine is decides no test.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

# Tests that were started in the background ignore Ctrl-C, or under `nohup` the end of the terminal,
# and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


# What looks at the tiny run, which one process makes.
TINY = {f"tests/workflow/test_{name}.py" for name in ("faults", "kill", "run", "score")}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Each of several processes (`-n`) takes whole files, in their order, so that nothing is made
    twice."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "tiny run" if file in TINY else file

    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    """Puts the tests first that run whole workflows, so that no process is left with them alone at
    the end, and before all others the long tiny run."""
    folder = {"workflow": 1, "cluster": 2, "unit": 3}
    items.sort(
        key=lambda item: (
            item.nodeid.partition("::")[0] not in TINY,
            folder[Path(item.nodeid).parts[1]],
        )
    )
