"""Builds a model with the authors' released weights."""

import sys
import tempfile
from pathlib import Path

from crmnet.logs import log_to
from crmnet.training import devices

job = snakemake

log_to(job.log[0])
devices.setup(backend="tensorflow", device="cpu", precision="float32", threads=job.threads, seed=0)

# Keras takes its backend when it is imported, so only now.
from crmnet.models import released
from crmnet.models.architectures.crmnet import crmnet

model = crmnet(job.params.length, **job.params.architecture)
with tempfile.TemporaryDirectory() as folder:
    saved_model = released.find(Path(job.input.archive), job.params.member, Path(folder))
    print(f"{job.input.archive}: {saved_model}", file=sys.stderr)
    released.load(model, saved_model)
print(f"{model.count_params():,} parameters loaded", file=sys.stderr)
model.save(job.output.model)
