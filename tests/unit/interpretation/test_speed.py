"""The speed of predictions and saliency maps is measured in a process of its own."""

import json
import os
import subprocess
import sys


def test_predictions_and_maps_are_timed_without_the_first_round():
    options = ["--device", "cpu", "--sequences", "5", "--rounds", "2", "--length", "32"]
    options += ["--model", '{"architecture": "cnn", "width": 8}']
    done = subprocess.run(
        [sys.executable, "-m", "crmnet.interpretation.speed", *options],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kind"] == "cpu" and found["device"]
    for name in ("predictions", "saliency"):
        first, second = found[name]["seconds"]
        assert first > second > 0
        assert found[name]["sequences_per_second"] == 5 / second
        assert f"{name}, epoch 2/2" in done.stderr
