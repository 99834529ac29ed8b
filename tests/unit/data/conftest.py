"""What the tests of downloads share."""

import threading

import pytest
from servers import DATA, Server
from waiting import HANGS

from crmnet.data.downloads import fetch


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


class Getter:
    """Fetches to one destination without really waiting, and looks at what lies there."""

    def __init__(self, folder):
        self.destination = folder / "out" / "file.gz"
        self.waits: list[float] = []

    def __call__(self, url, *args, **kwargs):
        options = {"timeout": HANGS, "sleep": self.wait, **kwargs}
        fetch(url, self.destination, *args, **options)

    def wait(self, seconds):
        assert not self.destination.exists()
        self.waits.append(seconds)

    @property
    def files(self):
        return sorted(path.name for path in self.destination.parent.iterdir())

    def check(self, data=DATA):
        assert self.destination.read_bytes() == data
        assert self.files == ["file.gz"]

    def check_nothing(self, *others):
        assert self.files == sorted(others)


@pytest.fixture
def get(tmp_path):
    return Getter(tmp_path)
