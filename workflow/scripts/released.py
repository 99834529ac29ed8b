"""Builds a model with the authors' released weights."""

import sys
import tempfile
from pathlib import Path

from crmnet.training import devices

job = snakemake
devices.setup_job(job)

from crmnet.data import saved_models
from crmnet.data.sequences import Construct
from crmnet.models import released
from crmnet.models.architectures.crmnet import crmnet
from crmnet.models.files import save_model

construct = Construct(**job.params.construct)
model = crmnet(construct.length, **job.params.architecture)
with tempfile.TemporaryDirectory() as folder:
    saved_model = saved_models.find(Path(job.input.archive), job.params.member, Path(folder))
    print(f"{job.input.archive}: reading {saved_model}", file=sys.stderr)
    released.load(model, saved_model)
print(f"{model.count_params():,} parameters loaded", file=sys.stderr)
save_model(model, job.output.model, construct, job.wildcards.medium)
