"""A rehearsal as its user would start it, of a run in which one of everything is broken."""

import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
import yaml
from conftest import ROOT, run_snakemake

from crmnet.data.tsv import read_table

TABLE = "".join(f"{'ACGT' * 20}\t{number % 17}\n" for number in range(500))


class Server(BaseHTTPRequestHandler):
    """Serves one table of two columns."""

    def do_GET(self):  # noqa: N802, the name that the library calls
        if self.path != "/good.tsv":
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(TABLE)))
        self.end_headers()
        self.wfile.write(TABLE.encode())

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


@pytest.fixture
def served():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def broken(served):
    """The paper's config with a dead URL, a missing file, a wrong column, and neither GPU nor MEME;
    its models are small, so that it takes no time."""
    columns = {"sequence": 1, "expression": 2}
    good = {"file": f"{served}/good.tsv", "header": False, "columns": columns}
    dead = f"http://127.0.0.1:{closed_port()}/dead.tsv"
    return {
        "media": {
            "complex": None,
            "defined": None,
            "mine": {
                "train": [good],
                "test": {
                    "dead": {"file": dead, "columns": {"sequence": "a", "expression": "b"}},
                    "missing": good | {"file": f"{served}/missing.tsv"},
                    "wrong": good | {"columns": {"sequence": 1, "expression": 3}, "saved_as": "w"},
                },
            },
        },
        "released": {},
        "model": {"width": 8, "transformer_blocks": 1, "heads": 1},
        "models": dict.fromkeys(
            yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["models"]
        )
        | {"crmnet": {"pretrain": False}},
        "figures": {"figure3": None, "figure4": None, "figureS1": None},
        "motifs": {"engine": "tool"},
        "training": {"devices": 2},
    }
