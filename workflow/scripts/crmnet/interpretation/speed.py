"""Measures how fast a model predicts and makes saliency maps:
`python -m crmnet.interpretation.speed`."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence

import numpy as np

from crmnet.training import benchmark, devices


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the measurements that the command line asks for as a JSON object: the hardware
    (`benchmark.about`), and for `predictions` and `saliency` the `seconds` of each round and the
    `sequences_per_second` in the median of all rounds but the first, which compiles."""
    parser = argparse.ArgumentParser(
        prog="python -m crmnet.interpretation.speed",
        description="Measures how fast a model predicts and makes saliency maps.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add, number = parser.add_argument, benchmark.at_least(1)
    add("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    add("--device", choices=("auto", "cpu", "gpu", "tpu"), default="auto")
    add("--threads", type=number, default=1, help="threads of one operation on the CPU")
    add("--sequences", type=number, default=512, help="random sequences in each round")
    add("--rounds", type=benchmark.at_least(2), default=4)
    add("--length", type=benchmark.at_least(8), default=112, help="tokens of a sequence")
    add(
        "--model",
        type=json.loads,
        help="JSON: the architecture and the arguments of its builder; default: the paper's",
    )
    options = parser.parse_args(arguments)
    hardware = devices.setup(
        backend=options.backend,
        device=options.device,
        precision="float32",
        threads=options.threads,
        seed=1,
        count=1,
    )
    # Keras chooses its backend when it is imported, so it is imported here.
    from crmnet.interpretation.saliency import Gradients
    from crmnet.models import registry
    from crmnet.training.prediction import predict

    model = registry.build(**options.model or benchmark.papers_model(), length=options.length)
    shape = options.sequences, options.length
    tokens = np.random.default_rng(1).integers(0, 4, shape, np.uint8)
    maps, result = Gradients(model), benchmark.about(hardware)
    for name, run in (
        ("predictions", lambda _: predict(model, tokens)),
        ("saliency", lambda _: maps(tokens)),
    ):
        seconds = benchmark.timed_epochs(name, options.rounds, run, len(tokens))
        rate = len(tokens) / statistics.median(seconds[1:])
        result[name] = {"seconds": seconds, "sequences_per_second": rate}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
