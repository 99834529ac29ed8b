"""Combines a model's trainings from several seeds into one model, which predicts their mean."""

import sys

from crmnet.training import devices

job = snakemake
devices.setup_job(job, devices.CPU | {"backend": job.params.backend})

from crmnet.data.sequences import Construct
from crmnet.models.files import load_model, save_model
from crmnet.models.means import ensemble

construct, medium = Construct(**job.params.construct), job.wildcards.medium
models = [load_model(path, construct, medium) for path in job.input.models]
save_model(ensemble(models), job.output[0], construct, medium)
print(f"combined {', '.join(job.input.models)}", file=sys.stderr)
