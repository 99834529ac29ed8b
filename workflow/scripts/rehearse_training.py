"""Checks the environment and the devices of trainings, and measures a step of each."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from crmnet import rehearsal
from crmnet.logs import log_to
from crmnet.training.first_step import check_devices, measure_steps, see

job = snakemake

log_to(job.log[0])
hardware = job.params.hardware
# Keras chooses its backend when it is imported.
os.environ["KERAS_BACKEND"] = hardware["backend"]
checks = rehearsal.Checks()
rehearsal.check_environment(
    checks, job.params.environment, job.params.dependencies, job.params.scripts, job.params.conda
)
seen, cells, part = None, {}, rehearsal.part_of(job.output[0])
try:
    seen = see(hardware["backend"], hardware["device"])
except RuntimeError as error:
    mend = f"mend the environment envs/{job.params.environment}.yaml"
    checks.add("devices of a training", rehearsal.NOT_READY, str(error), mend)
if seen:
    check_devices(checks, hardware, seen)
    with TemporaryDirectory() as folder:
        cells = measure_steps(
            checks,
            job.params.steps,
            hardware,
            seen,
            job.params.length,
            Path(folder),
            min(job.params.threads, job.threads),
            keep=lambda cells: checks.write(part, seen=seen, cells=cells),
        )
if hardware["hosts"] > 1:
    checks.add(
        "several hosts",
        rehearsal.UNTESTED,
        f"the config asks for {hardware['hosts']} hosts (`training: hosts`); only one was tried",
    )
checks.write(job.output[0], seen=seen, cells=cells)
