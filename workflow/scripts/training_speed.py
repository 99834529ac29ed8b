"""Measures one cell of Table 1: the time of training with one batch size, precision and number of
devices."""

import json
from pathlib import Path

from crmnet.logs import log_to
from crmnet.training.benchmark import measure_apart

job = snakemake

log_to(job.log[0])
manifests = [json.loads(Path(path).read_text()) for path in job.input.manifests]
settings = {
    "--backend": job.params.backend,
    "--device": job.params.device,
    "--precision": job.wildcards.precision,
    "--batch-size": job.wildcards.batch_size,
    "--devices": job.wildcards.devices,
    # A training has this many threads; this job has the whole machine.
    "--threads": min(job.params.threads, job.threads),
    "--seed": job.params.seed,
    "--length": job.params.length,
    "--model": json.dumps(dict(job.params.architecture)),
    "--recipe": json.dumps(dict(job.params.recipe)),
    "--sequences": sum(manifest["train"] for manifest in manifests),
    "--steps": job.params.steps,
    "--epochs": job.params.epochs,
    "--estimate-epochs": job.params.estimate_epochs,
}
arguments = [str(part) for setting in settings.items() for part in setting]
measure_apart([*arguments, "--shards", *job.input.shards], Path(job.output[0]))
