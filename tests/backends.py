"""Runs code with another backend of Keras, which needs a process of its own."""

import json
import os
import subprocess
import sys


def on_jax(code, *arguments):
    """Returns what the last line of code prints as JSON, with JAX on the CPU. The code finds the
    arguments, each as JSON, in `arguments`, and has numpy and keras."""
    before = "import json, sys, keras, numpy\narguments = list(map(json.loads, sys.argv[1:]))\n"
    after = "\nassert keras.backend.backend() == 'jax'\n"
    run = subprocess.run(
        [sys.executable, "-c", before + code + after, *map(json.dumps, arguments)],
        env=os.environ
        | {
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(run.stdout)
